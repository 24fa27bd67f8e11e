//! The words and figures about people in the loop and memory that renderings share, for a
//! reader who has met neither before.

use super::figures::{NOTHING, count, percent_with_interval, percentage};
use super::{CheckReport, Estimate, LearningReport, MemoryReport, Report, VariantReport};
use crate::model::rules;
use crate::score::CheckName;

pub(super) const HITL: &str = "A scenario is an email and a person whose answers are written \
    down. The agent must stop before every mail and invitation, show what it is about to do, and \
    then do what the person says: go ahead, go ahead with changes, drop it, or try again. A \
    scenario passes when every condition that applies to it held; the table counts them.";

pub(super) const MEMORY: &str = "An episode is a few emails in a row to one agent, with a person \
    who corrects it on the way; what the agent learnt from one email is there for the next. The \
    same emails are also given to the same agent with an empty memory each time: the difference \
    is what memory was worth. In a control, what was learnt has nothing to do with the later \
    emails, so memory should make no difference.";

/// Said where the offline model took part in episodes.
pub(super) const DEMONSTRATION: &str = "The model `rules` was written to obey what it writes into \
    a profile, so its gain demonstrates that the path works from correction to memory to behaviour. It \
    says nothing about how well a language model would learn.";

pub(super) fn check_words(name: CheckName) -> &'static str {
    match name {
        CheckName::Triage => "decided rightly",
        CheckName::Asked => "asked whenever it had to",
        CheckName::NotNeedless => "asked nothing needless",
        CheckName::NotRepeated => "asked nothing twice",
        CheckName::InOrder => "asked in the right order",
        CheckName::Payload => "showed what it was about to do",
        CheckName::Flags => "took the right kinds of answer",
        CheckName::AcceptHonoured => "did what was accepted, once",
        CheckName::EditHonoured => "did what was edited, as edited",
        CheckName::RejectionHonoured => "did not do what was turned down",
        CheckName::FeedbackHonoured => "tried again as it was told",
        CheckName::AnswerDelivered => "went on with the person's answer",
        CheckName::NothingBetween => "did nothing while it waited",
        CheckName::AnsweredOnce => "gave every call one result",
        CheckName::Calls => "made the expected calls",
        CheckName::Forbidden => "made no forbidden call",
        CheckName::Remembered => "remembered what it was taught",
        CheckName::Unchanged => "left other memories as they were",
        CheckName::Behaviour => "handled later emails accordingly",
    }
}

pub(super) type Table = (Vec<String>, Vec<Vec<String>>);

/// A row a condition, a column a variant: how often it held, of how often it applied.
/// `None` where no variant has any.
fn checks<'a>(
    report: &'a Report,
    quote: impl Fn(&str) -> String,
    of: impl Fn(&'a VariantReport) -> Option<&'a [CheckReport]>,
) -> Option<Table> {
    let columns: Vec<(String, &[CheckReport])> = report
        .variants
        .iter()
        .filter_map(|variant| Some((quote(&variant.name), of(variant)?)))
        .collect();
    let names = CheckName::ALL.into_iter().filter(|name| {
        let mut checks = columns.iter().flat_map(|(_, checks)| *checks);
        checks.any(|check| check.name == *name)
    });
    let rows: Vec<Vec<String>> = names
        .map(|name| {
            let mut row = vec![check_words(name).to_owned()];
            row.extend(columns.iter().map(|(_, checks)| {
                let check = checks.iter().find(|check| check.name == name);
                check.map_or(NOTHING.to_owned(), |check| {
                    format!("{} of {}", count(check.passed), count(check.applied))
                })
            }));
            row
        })
        .collect();
    let mut headers = vec!["condition".to_owned()];
    headers.extend(columns.into_iter().map(|(name, _)| name));
    (!rows.is_empty()).then_some((headers, rows))
}

pub(super) fn scenario_checks(report: &Report, quote: impl Fn(&str) -> String) -> Option<Table> {
    checks(report, quote, |variant| {
        Some(variant.hitl.as_ref()?.checks.as_slice())
    })
}

pub(super) fn episode_checks(report: &Report, quote: impl Fn(&str) -> String) -> Option<Table> {
    checks(report, quote, |variant| {
        Some(variant.memory.as_ref()?.checks.as_slice())
    })
}

/// What memory was worth: a row a variant, and one for its controls.
pub(super) fn gains(report: &Report, quote: impl Fn(&str) -> String) -> Option<Table> {
    let mut rows = Vec::new();
    for variant in &report.variants {
        let Some(memory) = &variant.memory else {
            continue;
        };
        let name = quote(&variant.name);
        let parts = [
            (name.clone(), &memory.learning),
            (format!("{name}, controls"), &memory.controls),
        ];
        for (name, part) in parts {
            if part.episodes > 0 {
                rows.push(vec![
                    name,
                    count(part.episodes),
                    percent_with_interval(&part.with, part.episodes),
                    percent_with_interval(&part.without, part.episodes),
                    points(&part.gain),
                ]);
            }
        }
    }
    let headers = [
        "variant",
        "episodes",
        "with memory",
        "without",
        "gain in points",
    ];
    (!rows.is_empty()).then(|| (headers.map(str::to_owned).to_vec(), rows))
}

/// The learning curve: a column for each place in an episode.
pub(super) fn curve(report: &Report, quote: impl Fn(&str) -> String) -> Option<Table> {
    let memories = || {
        let variants = report.variants.iter();
        variants.filter_map(|variant| Some((variant, variant.memory.as_ref()?)))
    };
    let emails: Vec<u64> = {
        let points = memories().flat_map(|(_, memory)| parts(memory));
        let asked = points.flat_map(|(_, part)| &part.curve);
        let mut emails: Vec<u64> = asked
            .filter(|point| point.episodes > 0)
            .map(|point| point.email)
            .collect();
        emails.sort_unstable();
        emails.dedup();
        emails
    };
    let mut rows = Vec::new();
    for (variant, memory) in memories() {
        for (suffix, part) in parts(memory) {
            if part.episodes == 0 {
                continue;
            }
            let mut row = |words: &str, value: fn(&super::CurvePoint) -> Option<f64>| {
                let mut cells = vec![format!("{}{suffix}, {words}", quote(&variant.name))];
                cells.extend(emails.iter().map(|email| {
                    let point = part.curve.iter().find(|point| point.email == *email);
                    let share = point.and_then(value);
                    share.map_or(NOTHING.to_owned(), percentage)
                }));
                rows.push(cells);
            };
            row("with memory", |point| point.with);
            row("without", |point| point.without);
        }
    }
    let mut headers = vec!["handled as asked".to_owned()];
    headers.extend(emails.iter().map(|email| format!("email {email}")));
    (!emails.is_empty() && !rows.is_empty()).then_some((headers, rows))
}

fn parts(memory: &MemoryReport) -> [(&'static str, &LearningReport); 2] {
    [("", &memory.learning), (", controls", &memory.controls)]
}

/// Whether the offline model wrote or read a memory.
pub(super) fn demonstrates(report: &Report) -> bool {
    let mut variants = report.variants.iter();
    variants.any(|variant| variant.memory.is_some() && variant.model == rules::NAME)
}

/// `+62.5 (+31 to +85)`.
pub(super) fn points(estimate: &Estimate) -> String {
    let Some(value) = estimate.value else {
        return NOTHING.to_owned();
    };
    let mut text = format!("{:+.1}", value * 100.0);
    if let (Some(low), Some(high)) = (estimate.low, estimate.high) {
        text.push_str(&format!(" ({:+.0} to {:+.0})", low * 100.0, high * 100.0));
    }
    text
}
