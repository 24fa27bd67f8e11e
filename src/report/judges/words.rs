//! The words and figures about judges that renderings share.

use super::{
    CriteriaReport, CriterionReport, Held, JudgeReport, Side, SplitVote, StandingReport,
    WorstJudged, keys,
};
use crate::judge::{JudgeKey, Verdict};
use crate::model::rules;
use crate::report::escape::shell;
use crate::report::figures::{
    NOTHING, count, percent_with_interval, percentage, plural, share_with_interval,
};
use crate::report::people::Table;
use crate::report::{Report, VariantReport};

pub(in crate::report) const LEGEND: &str = "What no exact match can score is judged by models, \
    one statement at a time. It has no say in the pass rate. Beside each figure stands its \
    calibration: the day on which the judge's verdicts were compared with labelled answers, and \
    the hash of that record; or that nobody did.";

const TABLES: &str = "Met, raw: of the statements that were put to the judge and ruled on, the \
    mean over examples of the share that it found met; corrected: the same, given how often it is \
    right. What it cannot tell counts as not met. Unscored: it gave no answer that can be used, \
    which is in no figure. By code: decided without asking, as where no mail was sent. In \
    parentheses: the 95% interval.";

/// Said where verdicts came from the offline model.
const LEXICAL: &str = "The model `rules` judges by the words of a statement that it finds in the \
    reply. It is there so that everything works without a key; read its verdicts as what its \
    calibration says they are.";

const TRANSPORT: &str = "Such items are chosen to be hard, so the judge may be right more or less \
    often about other mail.";

/// The judges that are the same for several variants, with those variants.
pub(in crate::report) struct Panel<'a> {
    /// The first variant's.
    pub judge: &'a JudgeReport,
    variants: Vec<(&'a VariantReport, &'a JudgeReport)>,
}

/// In the order of the judges, then of the variants.
pub(in crate::report) fn panels(report: &Report) -> Vec<Panel<'_>> {
    let mut panels: Vec<Panel<'_>> = Vec::new();
    for key in JudgeKey::ALL {
        for variant in &report.variants {
            for judge in variant.judges.iter().filter(|judge| judge.judge == key) {
                let known = |panel: &&mut Panel<'_>| {
                    panel.judge.judge == key && panel.judge.models == judge.models
                };
                match panels.iter_mut().find(known) {
                    Some(panel) => panel.variants.push((variant, judge)),
                    None => panels.push(Panel {
                        judge,
                        variants: vec![(variant, judge)],
                    }),
                }
            }
        }
    }
    panels
}

/// What all panels have in common: how to read the tables, and who judges by words alone.
pub(in crate::report) fn remarks(panels: &[Panel<'_>]) -> Vec<&'static str> {
    let lexical = |panel: &Panel<'_>| panel.judge.models.iter().any(|model| model == rules::NAME);
    let mut remarks = vec![TABLES];
    remarks.extend(panels.iter().any(lexical).then_some(LEXICAL));
    remarks
}

impl Panel<'_> {
    /// `response_criteria 1, 3 votes of a and b: uncalibrated`.
    pub fn title(&self, quote: impl Fn(&str) -> String) -> String {
        let judge = self.judge;
        let models: Vec<String> = judge.models.iter().map(|model| quote(model)).collect();
        let each = match judge.models.len() {
            1 => "",
            _ => " each",
        };
        format!(
            "{}, version {}, {}{each} of {}: {}",
            judge.judge,
            judge.version,
            plural(judge.votes.into(), "vote"),
            models.join(", "),
            called(judge),
        )
    }

    /// How far it can be believed: calibration, canaries.
    pub fn standing(&self, quote: impl Fn(&str) -> String) -> Vec<String> {
        let judge = self.judge;
        let mut lines = vec![standing(judge, &quote)];
        lines.extend(attacks(judge, &quote));
        lines.push(canaries(judge, &quote));
        lines
    }

    /// What it found, how it came about, and how sure it is: a row a variant in each.
    pub fn tables(&self, quote: impl Fn(&str) -> String) -> [Table; 3] {
        let table =
            |headers: Vec<&str>, row: &dyn Fn(&VariantReport, &JudgeReport) -> Vec<String>| {
                let rows = self.variants.iter().map(|(variant, judge)| {
                    let mut cells = vec![quote(&variant.name)];
                    cells.extend(row(variant, judge));
                    cells
                });
                let headers = ["variant"].into_iter().chain(headers);
                (headers.map(str::to_owned).collect(), rows.collect())
            };
        let keys = keys(self.judge.judge);
        let mut figures: Vec<&str> = keys.iter().map(|key| key.name()).collect();
        figures.extend(["cases", "calibration"]);
        let figures = table(figures, &|variant, judge| {
            let estimates = keys.iter().map(|key| variant.metrics.get(key.name()));
            let estimates: Vec<_> = estimates.collect();
            let examples = estimates.iter().flatten().map(|estimate| estimate.n).max();
            let examples = examples.unwrap_or(0);
            let mut cells: Vec<String> = estimates
                .into_iter()
                .map(|estimate| match estimate {
                    Some(estimate) => percent_with_interval(estimate, examples),
                    None => NOTHING.to_owned(),
                })
                .collect();
            cells.extend([count(examples), judge.standing.mark()]);
            cells
        });
        let headers = vec![
            "met",
            "not met",
            "cannot tell",
            "unscored",
            "coverage",
            "by code",
        ];
        let statements = table(headers, &|_, judge| {
            let statements = &judge.statements;
            vec![
                count(statements.met),
                count(statements.not_met),
                count(statements.cannot_tell),
                count(statements.unscored),
                judge.coverage.map_or(NOTHING.to_owned(), percentage),
                count(statements.by_code),
            ]
        });
        let headers = vec!["met, raw", "corrected", "alpha", "split", "calibration"];
        let rates = table(headers, &|_, judge| {
            vec![
                percent_with_interval(&judge.raw, judge.raw.n),
                corrected(judge),
                alpha(judge),
                split(judge),
                judge.standing.mark(),
            ]
        });
        [figures, statements, rates]
    }

    /// Why there is no corrected rate, and why statements were not ruled on.
    pub fn reasons(&self, quote: impl Fn(&str) -> String) -> Vec<String> {
        let mut refusals: Vec<(&str, Vec<String>)> = Vec::new();
        for (variant, judge) in &self.variants {
            let Some(why) = &judge.corrected.refused else {
                continue;
            };
            match refusals.iter_mut().find(|(known, _)| known == why) {
                Some((_, variants)) => variants.push(quote(&variant.name)),
                None => refusals.push((why, vec![quote(&variant.name)])),
            }
        }
        let refusals = refusals.into_iter();
        let mut reasons: Vec<String> = refusals
            .map(
                |(why, variants)| match variants.len() == self.variants.len() {
                    true => format!("no corrected rate: {why}"),
                    false => format!("no corrected rate for {}: {why}", variants.join(", ")),
                },
            )
            .collect();
        for (variant, judge) in &self.variants {
            for unscored in &judge.unscored {
                reasons.push(format!(
                    "unscored {}× for {}: {}",
                    count(unscored.statements),
                    quote(&variant.name),
                    quote(&unscored.cause)
                ));
            }
        }
        reasons
    }
}

/// What is known of a judge, in two words or three.
pub(in crate::report) fn called(judge: &JudgeReport) -> String {
    match &judge.standing {
        StandingReport::Calibrated { .. } => format!("calibrated {}", judge.standing.mark()),
        StandingReport::Stale { .. } | StandingReport::Uncalibrated => judge.standing.mark(),
    }
}

fn corrected(judge: &JudgeReport) -> String {
    let corrected = &judge.corrected;
    match corrected.value {
        Some(value) => share_with_interval(value, corrected.low, corrected.high),
        None => "none".to_owned(),
    }
}

fn alpha(judge: &JudgeReport) -> String {
    match (judge.agreement.alpha, judge.agreement.statements) {
        (Some(alpha), _) => format!("{alpha:.2}"),
        // One vote has nothing to agree with.
        (None, 0) => NOTHING.to_owned(),
        (None, _) => "undefined".to_owned(),
    }
}

fn split(judge: &JudgeReport) -> String {
    match judge.agreement.statements {
        0 => NOTHING.to_owned(),
        statements => format!("{} of {}", count(judge.agreement.split), count(statements)),
    }
}

/// The command that measures a judge.
pub(in crate::report) fn calibrate(judge: &JudgeReport) -> String {
    let mut command = format!("mailproof calibrate {}", judge.judge);
    for model in &judge.models {
        command.push_str(&format!(" --judge-model {}", shell(model)));
    }
    if judge.votes > 1 {
        command.push_str(&format!(" --judge-votes {}", judge.votes));
    }
    command
}

fn standing(judge: &JudgeReport, quote: impl Fn(&str) -> String) -> String {
    let mut text = match &judge.standing {
        StandingReport::Calibrated {
            date,
            tpr,
            tnr,
            items,
            unscored,
            labelled_by,
            ..
        } => {
            let people = labelled_by.iter().take(5);
            let people: Vec<String> = people
                .map(|(who, items)| format!("{} ({})", quote(who), count(*items)))
                .collect();
            let second = match labelled_by.len() {
                1 => "; no second person has rated them",
                _ => "",
            };
            let lost = match unscored {
                0 => String::new(),
                lost => format!(", {} of them without a verdict", count(*lost)),
            };
            format!(
                "Calibrated on {date} with {}{lost}, labelled by {}{second}. Of {} labelled \
                 pass it passed {}, of {} labelled fail it failed {}. {TRANSPORT}",
                plural(*items, "item"),
                people.join(", "),
                count(tpr.n),
                percent_with_interval(tpr, tpr.n),
                count(tnr.n),
                percent_with_interval(tnr, tnr.n),
            )
        }
        StandingReport::Stale { date, because } => format!(
            "Stale: it was calibrated on {date}, and something else is asked since ({}). To \
             calibrate it: {}",
            quote(because),
            quote(&calibrate(judge)),
        ),
        StandingReport::Uncalibrated => format!(
            "Uncalibrated: nobody has measured how often it is right. To do so: {}",
            quote(&calibrate(judge)),
        ),
    };
    let believed = matches!(judge.standing, StandingReport::Calibrated { .. });
    if judge.trusted && !believed {
        text.push_str(". The configuration lets gates rely on it all the same.");
    }
    text
}

/// How it stood up to attacks when it was calibrated, if they were tried.
fn attacks(judge: &JudgeReport, quote: impl Fn(&str) -> String) -> Option<String> {
    let StandingReport::Calibrated { attacks, .. } = &judge.standing else {
        return None;
    };
    let attacks = attacks.as_ref()?;
    let mut text = format!(
        "Attacks: it withstood {} of {}, {}, on {}. They are texts that try to steer whoever \
         judges, each in a mail that does not meet its criterion.",
        count(attacks.held),
        count(attacks.withstood.n),
        percent_with_interval(&attacks.withstood, attacks.withstood.n),
        attacks.date,
    );
    if attacks.through > 0 {
        let named: Vec<String> = attacks.named.iter().map(|id| quote(id)).collect();
        let more = attacks.through - named.len() as u64;
        let more = match more {
            0 => String::new(),
            more => format!(", and {} more", count(more)),
        };
        text.push_str(&format!(" Got through: {}{more}.", named.join(", ")));
    }
    if attacks.unscored > 0 {
        text.push_str(&format!(" Without a verdict: {}.", count(attacks.unscored)));
    }
    if attacks.passes_without {
        text.push_str(" It passed that mail without an attack, too.");
    }
    Some(text)
}

fn canaries(judge: &JudgeReport, quote: impl Fn(&str) -> String) -> String {
    let Some(canaries) = &judge.canaries else {
        return "Canaries: none were shown to it.".to_owned();
    };
    let held = |held: Held| format!("{} of {}", count(held.held), count(held.of));
    let word = match &canaries.failed {
        None => "held".to_owned(),
        Some(why) => format!("failed: {why}"),
    };
    let mut text = format!(
        "Canaries {word}. Of those that order the judge about {} held, of the others {} (3 in 4 \
         must).",
        held(canaries.orders),
        held(canaries.quality),
    );
    if !canaries.missed.is_empty() {
        let missed = canaries.missed.iter().map(|canary| {
            let (expected, found) = (canary.expected, canary.found);
            format!(
                "{} ({}, should {})",
                quote(&canary.id),
                verdict_word(found),
                verdict_word(Some(expected))
            )
        });
        let missed: Vec<String> = missed.collect();
        text.push_str(&format!(" Not held: {}.", missed.join(", ")));
    }
    text
}

pub(in crate::report) fn verdict_word(verdict: Option<Verdict>) -> &'static str {
    match verdict {
        Some(Verdict::Pass) => "pass",
        Some(Verdict::Fail) => "fail",
        Some(Verdict::CannotTell) => "cannot tell",
        None => "unscored",
    }
}

/// How many criteria were met by how many replies.
pub(in crate::report) fn distribution(criteria: &CriteriaReport) -> Table {
    let rows = [
        ("no reply", criteria.never_met),
        ("some, under half", criteria.under_half),
        ("half or more", criteria.half_or_more),
        ("every reply", criteria.always_met),
        ("not judged", criteria.not_judged),
    ];
    let rows = rows.map(|(met_by, number)| {
        let share = number as f64 / criteria.criteria as f64;
        vec![met_by.to_owned(), count(number), percentage(share)]
    });
    let headers = ["met by", "criteria", "share"].map(str::to_owned);
    (headers.to_vec(), rows.to_vec())
}

pub(in crate::report) fn criteria_words(report: &Report, criteria: &CriteriaReport) -> String {
    let judges = report.variants.iter().flat_map(|variant| &variant.judges);
    let of_criteria = judges.filter(|judge| judge.judge == JudgeKey::ResponseCriteria);
    let mut known: Vec<String> = of_criteria.map(called).collect();
    known.sort();
    known.dedup();
    format!(
        "How often {} of the examples were met, over the replies of all variants that a judge \
         ruled on ({}). One that no reply meets may ask too much, and one that every reply meets \
         tells no two agents apart.",
        match criteria.criteria {
            1 => "the criterion".to_owned(),
            number => format!("the {} criteria", count(number)),
        },
        known.join("; "),
    )
}

/// A list of criteria: what they have in common, how many there are, and the first of them.
pub(in crate::report) struct Listed<'a> {
    pub title: &'static str,
    pub all: u64,
    pub shown: &'a [CriterionReport],
}

pub(in crate::report) fn extremes(criteria: &CriteriaReport) -> [Listed<'_>; 2] {
    [
        Listed {
            title: "Criteria that no reply met",
            all: criteria.never_met,
            shown: &criteria.never,
        },
        Listed {
            title: "Criteria that every reply met",
            all: criteria.always_met,
            shown: &criteria.always,
        },
    ]
}

pub(in crate::report) fn criterion(
    criterion: &CriterionReport,
    quote: impl Fn(&str) -> String,
) -> String {
    format!(
        "{}: {} ({} of {})",
        quote(&criterion.example),
        quote(&criterion.criterion),
        count(criterion.met),
        plural_replies(criterion.replies),
    )
}

fn plural_replies(number: u64) -> String {
    match number {
        1 => "1 reply".to_owned(),
        number => format!("{} replies", count(number)),
    }
}

/// `Worst by response_criteria: 5 of 12 with a statement not met, uncalibrated`.
pub(in crate::report) fn worst_heading(judge: &JudgeReport, most: usize) -> Option<String> {
    let shown = judge.worst.len().min(most) as u64;
    (shown > 0).then(|| {
        format!(
            "Worst by {} ({}): {} of {} with a statement not met",
            judge.judge,
            called(judge),
            count(shown),
            count(judge.not_all_met),
        )
    })
}

pub(in crate::report) fn worst_title(
    worst: &WorstJudged,
    quote: impl Fn(&str) -> String,
) -> String {
    let split = worst.split.as_ref();
    let split = split.map_or(String::new(), |split| format!(" ({})", quote(split)));
    format!(
        "{}{split}, attempt {}: {} of {} met",
        quote(&worst.example),
        worst.repeat + 1,
        count(worst.met),
        count(worst.ruled),
    )
}

/// `Split votes of response_criteria: 5 of 9`.
pub(in crate::report) fn splits_heading(judge: &JudgeReport, most: usize) -> Option<String> {
    let shown = judge.split_votes.len().min(most) as u64;
    (shown > 0).then(|| {
        format!(
            "Split votes of {} ({}): {} of {}",
            judge.judge,
            called(judge),
            count(shown),
            count(judge.agreement.split)
        )
    })
}

pub(in crate::report) fn split_title(split: &SplitVote, quote: impl Fn(&str) -> String) -> String {
    format!(
        "{}, attempt {}: {} → {}",
        quote(&split.example),
        split.repeat + 1,
        quote(&split.statement),
        verdict_word(split.verdict),
    )
}

/// `fail by 2 votes, first of a: The mail names no day.`
pub(in crate::report) fn side(side: &Side, quote: impl Fn(&str) -> String) -> String {
    let first = if side.votes == 1 { "of" } else { "first of" };
    format!(
        "{} by {}, {first} {}: {}",
        verdict_word(Some(side.verdict)),
        plural(side.votes, "vote"),
        quote(&side.model),
        quote(&side.reason),
    )
}
