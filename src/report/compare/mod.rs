//! The words and figures that every rendering of a comparison shares.
//!
//! Text of others goes through `quote`, which each rendering brings. A change is told in
//! points of a hundred and as candidate − reference: a minus is for the worse.

pub(super) mod aligned;
mod beside;
#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod tests;

use schemars::{JsonSchema, Schema};
use serde::Serialize;

use crate::compare::{
    Comparison, Difference, Flaky, Flip, GroupChange, KeyChange, LooksTaken, Measure, Noise,
    NoiseChange, Pair, Resource, ResourceChange, Verdict, worst_first,
};

use super::escape::shell;
use super::figures::{count, duration, percentage, plural};
use super::gate::verdict::prose;
use super::people::Table;

pub use beside::{BesideOptions, render as beside};

/// Format of a comparison as JSON.
pub const FORMAT: &str = "mailproof.comparison/1";

/// The verdict as the first word of a comparison.
pub(super) fn verdict_word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Worse => "WORSE",
        Verdict::Better => "BETTER",
        Verdict::Equivalent => "NO WORSE",
        Verdict::CannotTell => "CANNOT TELL",
    }
}

/// The verdict in a table: a sign beside the word, so that colour is never needed.
pub(super) fn verdict_cell(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Worse => "▼ worse",
        Verdict::Better => "▲ better",
        Verdict::Equivalent => "= no worse",
        Verdict::CannotTell => "? cannot tell",
    }
}

/// `−6.2` or `+0.4`: a change of a share, in points.
pub(super) fn points(change: f64) -> String {
    let shown = format!("{:.1}", (change * 100.0).abs());
    match shown.as_str() {
        "0.0" => shown,
        _ if change < 0.0 => format!("−{shown}"),
        _ => format!("+{shown}"),
    }
}

/// `5 points`: a distance, in points.
pub(super) fn distance(share: f64) -> String {
    let points = share * 100.0;
    let shown = match (points - points.round()).abs() < 0.05 {
        true => format!("{:.0}", points.round()),
        false => format!("{points:.1}"),
    };
    let s = if shown == "1" { "" } else { "s" };
    format!("{shown} point{s}")
}

pub(super) fn interval(difference: &Difference) -> String {
    match (difference.low, difference.high) {
        (Some(low), Some(high)) => format!("{} to {}", points(low), points(high)),
        (Some(low), None) => format!("{} or more", points(low)),
        (None, Some(high)) => format!("{} or less", points(high)),
        (None, None) => "–".to_owned(),
    }
}

pub(super) fn probability(p: Option<f64>) -> String {
    match p {
        None => "–".to_owned(),
        Some(p) if p < 0.001 => "<0.001".to_owned(),
        Some(p) => format!("{p:.3}"),
    }
}

/// The pair and the measure that the verdict of the whole rests on.
fn deciding(comparison: &Comparison) -> Option<(&Pair, &KeyChange)> {
    let all = comparison.pairs.iter().flat_map(|pair| {
        let keys = pair.keys.iter().filter(|key| key.gates);
        keys.map(move |key| (pair, key))
    });
    all.filter(|(_, key)| key.verdict == comparison.verdict)
        .min_by(|(_, one), (_, other)| {
            let one = one.difference.effect;
            one.total_cmp(&other.difference.effect)
        })
}

/// `5%`, `97.5%`: a level, with no more decimals than it has, and two at most.
fn percent(share: f64) -> String {
    format!("{}%", (share * 1e4).round() / 1e2)
}

/// How far looks came, and what they took and saved.
pub fn looks_taken(looks: &LooksTaken) -> String {
    let open = match looks.decided {
        true => "",
        false => ", not decided so far",
    };
    let mut text = format!(
        "after {} of {} looks{open}: {} of false alarms spent, bounds at {} each",
        looks.taken,
        looks.of,
        percent(looks.spent),
        percent(looks.level),
    );
    if looks.saved > 0 {
        text.push_str(&format!(", {} saved", plural(looks.saved, "attempt")));
    }
    text
}

/// Did anything get worse? One sentence, the verdict first, and how many looks said so.
pub(crate) fn headline(comparison: &Comparison, quote: impl Fn(&str) -> String) -> String {
    let verdict = verdict_in_words(comparison, quote);
    match &comparison.looks {
        Some(looks) => format!("{verdict}; {}", looks_taken(looks)),
        None => verdict,
    }
}

fn verdict_in_words(comparison: &Comparison, quote: impl Fn(&str) -> String) -> String {
    let word = verdict_word(comparison.verdict);
    let against = match &comparison.reference.file {
        Some(file) => quote(file),
        None => quote(&comparison.reference.experiment),
    };
    let margin = distance(comparison.rule.margin);
    let open = comparison.pairs.iter().flat_map(|pair| &pair.open).next();
    if let Some(open) = open.filter(|_| comparison.verdict == Verdict::CannotTell) {
        let open = prose(open, &quote);
        return format!("{word}: against {against} too little was scored: {open}");
    }
    let Some((pair, key)) = deciding(comparison) else {
        return format!(
            "{word}: against {against} there is nothing to compare under a measure that gates"
        );
    };
    let who = quote(&pair.candidate);
    let measure = key.measure;
    let difference = &key.difference;
    match comparison.verdict {
        Verdict::Worse => {
            let mut text = format!(
                "{word}: {who} went from {} to {} of {measure} against {against} ({} points; {})",
                percentage(key.reference),
                percentage(key.candidate),
                points(difference.effect),
                interval(difference),
            );
            if let Some((tag, group)) = worst_first(&pair.tags).first() {
                text.push_str(&format!(
                    "; most of all where the tag is {}: {} to {}, {}",
                    quote(tag),
                    percentage(group.reference),
                    percentage(group.candidate),
                    plural(group.pairs, "example"),
                ));
            }
            text
        }
        Verdict::Better => format!(
            "{word}: {who} gained {} points of {measure} against {against} ({}), and no drop of \
             {margin} is left possible",
            points(difference.effect),
            interval(difference),
        ),
        Verdict::Equivalent => format!(
            "{word}: against {against} a drop of {margin} is ruled out for {measure} of {}",
            match comparison.pairs.len() {
                1 => who,
                pairs => plural(pairs as u64, "variant"),
            },
        ),
        Verdict::CannotTell => format!(
            "{word}: whether {who} dropped by {margin} of {measure} against {against}; {}",
            too_few(key),
        ),
    }
}

/// What would have been seen.
fn too_few(key: &KeyChange) -> String {
    let examples = plural(key.pairs, "example");
    match key.difference.mde {
        None => format!("{examples} are too few to say anything"),
        Some(mde) => format!(
            "with {examples} only a drop of {} or more would be found four times in five",
            distance(mde)
        ),
    }
}

/// `reference → candidate`, one line.
pub(super) fn pair_title(pair: &Pair, quote: impl Fn(&str) -> String) -> String {
    let who = match pair.reference == pair.candidate {
        true => quote(&pair.candidate),
        false => format!("{} → {}", quote(&pair.reference), quote(&pair.candidate)),
    };
    format!(
        "{who}: {}, {}",
        verdict_cell(pair.verdict),
        plural(pair.shared, "shared case")
    )
}

/// A row a measure.
pub(super) fn keys(pair: &Pair) -> Table {
    let headers = vec![
        "measure".to_owned(),
        "verdict".to_owned(),
        "reference".to_owned(),
        "candidate".to_owned(),
        "points".to_owned(),
        "interval".to_owned(),
        "p".to_owned(),
        "would show".to_owned(),
        "pairs".to_owned(),
    ];
    let rows = pair.keys.iter().map(|key| {
        let difference = &key.difference;
        vec![
            match key.gates {
                true => format!("{} *", key.measure),
                false => key.measure.to_string(),
            },
            verdict_cell(key.verdict).to_owned(),
            percentage(key.reference),
            percentage(key.candidate),
            points(difference.effect),
            interval(difference),
            probability(difference.p_adjusted.or(difference.p_worse)),
            difference
                .mde
                .map_or("–".to_owned(), |mde| format!("{:.1}", mde * 100.0)),
            count(key.pairs),
        ]
    });
    (headers, rows.collect())
}

/// What the table of measures means.
pub(super) fn legend(comparison: &Comparison) -> String {
    let rule = &comparison.rule;
    if let Some(looks) = &comparison.looks {
        return format!(
            "* decides, by looks: worse where the drop crossed the boundary, which over all {} looks and all that \
             decides is crossed by chance with {} at most, and is {} or more; no worse where the bound rules such a drop \
             out. Bounds of what decides hold one by one at {}, others at {}. \"Would show\" is the smallest drop, in points, that so many \
             pairs show four times in five. Measures without * decide nothing and are not adjusted for being many.",
            looks.of,
            percent(rule.alpha),
            distance(rule.margin),
            percent(1.0 - looks.level),
            percent(1.0 - rule.alpha),
        );
    }
    format!(
        "* decides: worse where the drop is no chance (p, one-sided, adjusted among what decides, under {}) and {} \
         or more; no worse where such a drop is ruled out. Bounds hold one by one at {}. \"Would show\" is the \
         smallest drop, in points, that so many pairs show four times in five. Measures without * decide \
         nothing and are not adjusted for being many.",
        rule.alpha,
        distance(rule.margin),
        percent(1.0 - rule.alpha),
    )
}

/// One line of a group that got worse.
pub(super) fn group(
    kind: &str,
    name: &str,
    group: &GroupChange,
    quote: impl Fn(&str) -> String,
) -> String {
    format!(
        "{kind} {}: {} → {} ({} points), {}, {} worse and {} better",
        quote(name),
        percentage(group.reference),
        percentage(group.candidate),
        points(group.difference.effect),
        plural(group.pairs, "example"),
        group.worse,
        group.better,
    )
}

/// One line of an example that flipped.
pub(super) fn flip(flip: &Flip, quote: impl Fn(&str) -> String) -> String {
    let sign = match flip.effect() < 0.0 {
        true => '▼',
        false => '▲',
    };
    let mut text = format!(
        "{sign} {}: {}/{} → {}/{} passed",
        quote(&flip.example),
        flip.reference_passed,
        flip.reference_scored,
        flip.candidate_passed,
        flip.candidate_scored,
    );
    let changes: Vec<String> = flip
        .changes
        .iter()
        // That is what a flip is.
        .filter(|(measure, _)| **measure != Measure::PassRate)
        .map(|(measure, change)| format!("{measure} {}", points(*change)))
        .collect();
    if !changes.is_empty() {
        text.push_str(&format!("; {}", changes.join(", ")));
    }
    let tags: Vec<String> = flip.tags.iter().take(4).map(|tag| quote(tag)).collect();
    if !tags.is_empty() {
        text.push_str(&format!(" ({})", tags.join(", ")));
    }
    text
}

/// How many examples flipped which way.
pub(super) fn flips_heading(pair: &Pair) -> String {
    let worse = pair.flips.iter().filter(|flip| flip.effect() < 0.0).count();
    match pair.flips.len() {
        0 => "No example flipped".to_owned(),
        all => format!(
            "{}: {worse} for the worse, {} for the better",
            plural(all as u64, "flip"),
            all - worse
        ),
    }
}

/// How many cases are flaky.
pub(super) fn flaky_heading(pair: &Pair) -> String {
    let cases = plural(pair.flaky.len() as u64, "case");
    format!("{cases} with both outcomes among the attempts of one side:")
}

/// One line of an example whose attempts differ.
pub(super) fn flaky(flaky: &Flaky, quote: impl Fn(&str) -> String) -> String {
    format!(
        "{}: {}/{} → {}/{} passed",
        quote(&flaky.example),
        flaky.reference_passed,
        flaky.reference_scored,
        flaky.candidate_passed,
        flaky.candidate_scored,
    )
}

/// How much attempts at one example differ, in one line.
pub(super) fn noise(change: &NoiseChange) -> String {
    let side = |noise: Option<Noise>| match noise {
        None => "not tried twice".to_owned(),
        Some(Noise { agent, judge, .. }) => match judge {
            None => format!("{agent:.3}"),
            Some(judge) => format!("{agent:.3} by the agent and {judge:.3} by votes"),
        },
    };
    format!(
        "variance of {} between attempts at one case: {} → {}",
        change.measure,
        side(change.reference),
        side(change.candidate)
    )
}

/// What an attempt takes, in one line each.
pub(super) fn resource(change: &ResourceChange) -> String {
    let (name, show): (_, fn(f64) -> String) = match change.resource {
        Resource::LatencyMs => ("time of an attempt", duration),
        Resource::CostUsd => ("cost of an attempt", |usd| format!("${usd:.5}")),
        Resource::Tokens => (
            "tokens of an attempt",
            |tokens| count(tokens.round() as u64),
        ),
    };
    let mut text = format!(
        "{name}: {} → {}",
        show(change.reference),
        show(change.candidate)
    );
    if change.reference > 0.0 {
        let share = (change.candidate / change.reference - 1.0) * 100.0;
        text.push_str(&format!(" ({share:+.0}%)").replace('-', "−"));
    }
    if let (Some(low), Some(high)) = (change.low, change.high)
        && low <= 0.0
        && high >= 0.0
    {
        text.push_str(", which may be chance");
    }
    text
}

/// Ids and variants that only one side has.
pub(super) fn one_sided(comparison: &Comparison, quote: impl Fn(&str) -> String) -> Vec<String> {
    let list = |names: &[String], all: u64| {
        let shown: Vec<String> = names.iter().take(5).map(|name| quote(name)).collect();
        match all > shown.len() as u64 {
            true => format!(
                "{} and {} more",
                shown.join(", "),
                count(all - shown.len() as u64)
            ),
            false => shown.join(", "),
        }
    };
    let mut lines = Vec::new();
    for (side, names) in [
        ("reference", &comparison.only_reference),
        ("candidate", &comparison.only_candidate),
    ] {
        if !names.is_empty() {
            lines.push(format!(
                "only in the {side}: {}",
                list(names, names.len() as u64)
            ));
        }
    }
    for pair in &comparison.pairs {
        for (side, names, all) in [
            ("reference", &pair.only_reference, pair.only_reference_count),
            ("candidate", &pair.only_candidate, pair.only_candidate_count),
        ] {
            if all > 0 {
                lines.push(format!(
                    "{} only in the {side}'s {}, not compared: {}",
                    plural(all, "case"),
                    quote(if side == "reference" {
                        &pair.reference
                    } else {
                        &pair.candidate
                    }),
                    list(names, all)
                ));
            }
        }
    }
    lines
}

/// A comparison as JSON: what stands in `docs/comparison.schema.json`.
#[derive(Serialize, JsonSchema)]
struct Document<'a> {
    /// `mailproof.comparison/1`.
    format: &'static str,
    #[serde(flatten)]
    comparison: &'a Comparison,
}

/// The comparison as JSON, with the name of its format.
pub fn json(comparison: &Comparison) -> String {
    let document = Document {
        format: FORMAT,
        comparison,
    };
    let mut text = serde_json::to_string_pretty(&document).expect("measures are names");
    text.push('\n');
    text
}

/// The JSON Schema of [`json`], as published in `docs/comparison.schema.json`.
pub fn schema() -> Schema {
    schemars::schema_for!(Document<'_>)
}

/// How to see both trajectories of an example.
pub(super) fn read_both(comparison: &Comparison, pair: &Pair, example: &str) -> String {
    let side = |experiment: &str, variant: &str| shell(&format!("{experiment}/{variant}"));
    match &comparison.reference.file {
        // A reference file holds no trajectories.
        Some(_) => format!(
            "`mailproof show {} {}` shows what was done",
            side(&comparison.candidate.experiment, &pair.candidate),
            shell(example)
        ),
        None => format!(
            "`mailproof compare {} {} --example {}` shows both side by side",
            side(&comparison.reference.experiment, &pair.reference),
            side(&comparison.candidate.experiment, &pair.candidate),
            shell(example)
        ),
    }
}
