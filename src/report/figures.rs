//! The words and figures that every rendering of a report shares.
//!
//! Text of others goes through `quote`, which each rendering brings: what is safe on a
//! terminal is not in Markdown.

use crate::email::Triage;
use crate::experiment::{CaseKind, Suite};
use crate::run::{ModelRole, Outcome, Usage};
use crate::score::Key;

use super::{
    Estimate, Found, GroupReport, Metrics, Report, VariantReport, WorstExample,
    gate::verdict,
    people::{self, Table},
};

/// What ran, on how many examples, how much of it counts, and what the gate says.
pub(super) fn headline(report: &Report, quote: impl Fn(&str) -> String) -> String {
    let suites: Vec<&str> = report
        .plan
        .suites
        .iter()
        .copied()
        .map(Suite::name)
        .collect();
    let cases = [
        ("example", report.plan.examples, report.dataset.examples),
        ("scenario", report.plan.scenarios, report.dataset.scenarios),
        ("episode", report.plan.episodes, report.dataset.episodes),
    ];
    let cases: Vec<String> = cases
        .into_iter()
        .filter(|(_, planned, _)| *planned > 0)
        .map(|(noun, planned, all)| match planned == all {
            true => plural(planned, noun),
            false => format!("{} of {}", count(planned), plural(all, noun)),
        })
        .collect();
    let coverage = &report.coverage;
    let scored = if coverage.scored == coverage.planned {
        format!("all {} scored", plural(coverage.planned, "attempt"))
    } else {
        let planned = plural(coverage.planned, "attempt");
        format!("{} of {planned} scored", count(coverage.scored))
    };
    let gate = verdict::gate_words(report, &quote);
    format!(
        "{}: {} of {} on {} of {}; {scored}; {gate}",
        verdict::verdict_word(report.gate.verdict),
        listed(&suites),
        plural(report.variants.len() as u64, "variant"),
        listed(&cases),
        quote(&report.dataset.name),
    )
}

/// `a`, `a and b`, `a, b, and c`.
fn listed<T: AsRef<str>>(words: &[T]) -> String {
    let words: Vec<&str> = words.iter().map(AsRef::as_ref).collect();
    match &words[..] {
        [] => "nothing".to_owned(),
        [one] => (*one).to_owned(),
        [one, other] => format!("{one} and {other}"),
        [first @ .., last] => format!("{}, and {last}", first.join(", ")),
    }
}

/// What must be equal for two reports to be comparable.
pub(super) fn plan_parts(report: &Report, quote: impl Fn(&str) -> String) -> Vec<String> {
    let plan = &report.plan;
    let mut parts = vec![format!("dataset {}", quote(&short(&report.dataset.hash)))];
    if !report.dataset.labelled_by.is_empty() {
        let labels = report.dataset.labelled_by.iter().take(5);
        let labels: Vec<String> = labels
            .map(|(who, examples)| format!("{} ({})", quote(who), count(*examples as u64)))
            .collect();
        parts.push(format!("labelled by {}", labels.join(", ")));
    }
    parts.push(format!(
        "{} per example",
        plural(plan.repeat.into(), "attempt")
    ));
    parts.push(format!("seed {}", plan.seed));
    parts
}

/// As much of a hash as tells one from another.
pub(super) fn short(hash: &str) -> String {
    hash.chars().take(12).collect()
}

/// A column of the table of variants.
pub(super) struct Column {
    pub header: &'static str,
    pub cell: Box<dyn Fn(&VariantReport) -> String>,
}

impl Column {
    fn new(header: &'static str, cell: impl Fn(&VariantReport) -> String + 'static) -> Column {
        Column {
            header,
            cell: Box::new(cell),
        }
    }
}

/// A figure that both variants and their splits have a column for.
#[derive(Clone, Copy)]
struct Figure {
    header: &'static str,
    key: &'static str,
    /// Given the number of examples in the group.
    show: fn(&Estimate, u64) -> String,
}

const FIGURES: [Figure; 8] = [
    Figure {
        header: "accuracy",
        key: "triage.accuracy",
        show: percent_with_interval,
    },
    Figure {
        header: "macro F1",
        key: "triage.macro_f1",
        show: decimal,
    },
    Figure {
        header: "triage cost",
        key: "triage.cost",
        show: decimal,
    },
    Figure {
        header: "calls exact",
        key: "tool_calls.exact",
        show: percent_with_interval,
    },
    Figure {
        header: "no forbidden call",
        key: "tool_calls.forbidden",
        show: percent,
    },
    Figure {
        header: "scenarios",
        key: "hitl.pass",
        show: percent_with_interval,
    },
    Figure {
        header: "episodes",
        key: "memory.pass",
        show: percent_with_interval,
    },
    Figure {
        header: "memory gain",
        key: "memory.gain",
        show: |estimate, _| people::points(estimate),
    },
];

/// Those of [`FIGURES`] that are told of every split.
const SPLIT_KEYS: [&str; 4] = [
    "triage.accuracy",
    "tool_calls.exact",
    "hitl.pass",
    "memory.pass",
];

impl Figure {
    fn cell(self, metrics: &Metrics, examples: u64) -> String {
        match metrics.get(self.key) {
            Some(estimate) => (self.show)(estimate, examples),
            None => NOTHING.to_owned(),
        }
    }
}

/// The figures that some variant was scored on.
fn scored(report: &Report) -> Vec<Figure> {
    let scored = |key: &str| {
        let mut metrics = report.variants.iter().map(|variant| &variant.metrics);
        metrics.any(|metrics| metrics.get(key).is_some())
    };
    let figures = FIGURES.into_iter();
    figures.filter(|figure| scored(figure.key)).collect()
}

/// What is told of each variant; keys that no variant was scored on have no column.
pub(super) fn columns(report: &Report) -> Vec<Column> {
    let mut columns = Vec::new();
    let examples = report.plan.examples;
    if examples > 0 {
        columns.push(Column::new("pass rate", move |variant| {
            percent_with_interval(&variant.pass_rate, examples)
        }));
    }
    for figure in scored(report) {
        columns.push(Column::new(figure.header, move |variant| {
            figure.cell(&variant.metrics, examples)
        }));
    }
    columns.push(Column::new("failures", |variant| {
        count(agent_failures(variant))
    }));
    columns.push(Column::new("errors", |variant| {
        count(variant.counts.errors)
    }));
    columns.push(Column::new("calls/attempt", |variant| {
        match variant.counts.attempts {
            0 => NOTHING.to_owned(),
            attempts => format!("{:.1}", own_calls(&variant.usage) as f64 / attempts as f64),
        }
    }));
    columns
}

/// Model calls, those of judges left out: they are about the attempt and no part of it.
pub(super) fn own_calls(usage: &Usage) -> u64 {
    let judging = usage.0.get(&ModelRole::Judge);
    usage.calls() - judging.map_or(0, |usage| usage.calls)
}

/// The column that differs between two runs of one plan.
pub(super) fn latency_column() -> Column {
    Column::new("p50", |variant| match variant.latency_ms {
        Some(latency) => duration(latency.p50),
        None => NOTHING.to_owned(),
    })
}

/// What is told of every split: headers and rows. `None` where no example has a split.
pub(super) fn splits(
    report: &Report,
    quote: impl Fn(&str) -> String,
) -> Option<(Vec<&'static str>, Vec<Vec<String>>)> {
    // Of each question one figure: what was tuned on one split shows in any of them.
    let mut figures = scored(report);
    figures.retain(|figure| SPLIT_KEYS.contains(&figure.key));
    let mut headers = vec!["variant, split", "examples", "pass rate"];
    headers.extend(figures.iter().map(|figure| figure.header));
    let row = |variant: &VariantReport, split: &str, group: &GroupReport| {
        let mut row = vec![
            format!("{}, {}", quote(&variant.name), quote(split)),
            count(group.examples),
            percent_with_interval(&group.pass_rate, group.examples),
        ];
        let cells = figures.iter();
        row.extend(cells.map(|figure| figure.cell(&group.metrics, group.examples)));
        row
    };
    let rows: Vec<Vec<String>> = report
        .variants
        .iter()
        .flat_map(|variant| {
            let splits = variant.splits.iter();
            splits
                .map(|(split, group)| row(variant, split, group))
                .collect::<Vec<_>>()
        })
        .collect();
    (!rows.is_empty()).then_some((headers, rows))
}

/// What the table of [`passes`] means.
pub(super) const PASSES: &str = "Of k attempts at one example, the chance that any passes (pass@k), and that all do (pass^k): the mean over \
     examples that were scored so often, without bias.";

/// What several attempts at one example come to: headers and rows. `None` where each has one.
pub(super) fn passes(report: &Report, quote: impl Fn(&str) -> String) -> Option<Table> {
    let first = report.variants.iter().find(|it| !it.passes.is_empty())?;
    let named = |sign: char| {
        let passes = first.passes.iter();
        passes.map(move |passes| format!("pass{sign}{}", passes.attempts))
    };
    let headers = std::iter::once("variant".to_owned());
    let headers = headers.chain(named('@')).chain(named('^')).collect();
    let row = |variant: &VariantReport| {
        let show = |estimate: &Estimate| percent_with_interval(estimate, variant.pass_rate.n);
        let any = variant.passes.iter().map(|passes| show(&passes.any));
        let all = variant.passes.iter().map(|passes| show(&passes.all));
        let name = std::iter::once(quote(&variant.name));
        name.chain(any).chain(all).collect()
    };
    Some((headers, report.variants.iter().map(row).collect()))
}

/// Expected against found, in attempts: headers and rows, with recall, precision, and F1.
/// `None` where no decision was scored.
pub(super) fn confusion(variant: &VariantReport) -> Option<(Vec<&'static str>, Vec<Vec<String>>)> {
    let confusion = variant.confusion.as_ref()?;
    let none = Triage::ALL
        .iter()
        .any(|label| confusion.row(*label).none > 0);
    let mut headers = vec!["expected"];
    headers.extend(Triage::ALL.map(Triage::name));
    headers.extend(none.then_some("none"));
    headers.push("recall");
    let share = |share: Option<f64>| share.map_or(NOTHING.to_owned(), percentage);
    let class = |label: &Triage| variant.classes.get(label).copied();
    let mut rows = Vec::new();
    for expected in Triage::ALL {
        let found = confusion.row(expected);
        let mut row = vec![expected.name().to_owned()];
        row.extend(Triage::ALL.map(|label| count(found.of(Some(label)))));
        row.extend(none.then(|| count(found.none)));
        row.push(share(class(&expected).and_then(|class| class.recall)));
        rows.push(row);
    }
    let foot = |name: &str, cells: [String; 3]| {
        let mut row = vec![name.to_owned()];
        row.extend(cells);
        row.extend(none.then(String::new));
        row.push(String::new());
        row
    };
    rows.push(foot(
        "precision",
        Triage::ALL.map(|label| share(class(&label).and_then(|class| class.precision))),
    ));
    let f1 = |label| class(&label).and_then(|class| class.f1);
    rows.push(foot(
        "F1",
        Triage::ALL.map(|label| f1(label).map_or(NOTHING.to_owned(), |f1| format!("{f1:.2}"))),
    ));
    Some((headers, rows))
}

/// `Worst scenarios: 5 of 11 that failed`; `None` where none of the kind failed.
pub(super) fn worst_heading(
    variant: &VariantReport,
    kind: CaseKind,
    most: usize,
) -> Option<String> {
    let failed = *variant.failed_cases.get(&kind)?;
    let shown = failed.min(most as u64);
    Some(format!(
        "Worst {}s: {} of {} that failed",
        kind.name(),
        count(shown),
        count(failed)
    ))
}

/// Which example, how often it passed, and what was decided against what was expected.
pub(super) fn worst_title(worst: &WorstExample, quote: impl Fn(&str) -> String) -> String {
    let mut title = quote(&worst.example);
    if let Some(split) = &worst.split {
        title.push_str(&format!(" ({})", quote(split)));
    }
    let mut facts = Vec::new();
    // Of a single attempt it is plain that it failed.
    if worst.attempts > 1 {
        let attempts = plural(worst.attempts, "attempt");
        facts.push(format!("{} of {attempts} passed", count(worst.passed)));
    }
    if let Some(expected) = worst.expected
        && worst.found.total() > 0
    {
        facts.push(decisions(expected, &worst.found));
    }
    if !facts.is_empty() {
        title.push_str(&format!(": {}", facts.join("; ")));
    }
    title
}

/// `expected notify, found respond`, with numbers where attempts differ.
fn decisions(expected: Triage, found: &Found) -> String {
    let total = found.total();
    if found.of(Some(expected)) == total {
        return format!("{expected}, as expected");
    }
    let ends = Triage::ALL.into_iter().map(Some).chain([None]);
    let found: Vec<String> = ends
        .filter(|end| found.of(*end) > 0)
        .map(|end| {
            let name = end.map_or("no decision", Triage::name);
            match found.of(end) {
                number if number == total => name.to_owned(),
                number => format!("{name} {number}×"),
            }
        })
        .collect();
    format!("expected {expected}, found {}", found.join(", "))
}

/// What the scorers had to say about the attempt that stands for the example, unescaped.
pub(super) fn worst_findings(worst: &WorstExample) -> Vec<String> {
    if worst.outcome != Outcome::Finished {
        let error = worst.error.as_deref().unwrap_or("no message");
        return vec![format!("{}: {error}", worst.outcome.name())];
    }
    // The title has the decision already, unless there was none and the comment says why.
    let told = |key: &str| key == Key::TriageAccuracy.name() && worst.found.none == 0;
    let comments = worst.comments.iter().filter(|comment| !told(&comment.key));
    comments
        .map(|comment| match &comment.comment {
            Some(text) => format!("{}: {text}", comment.key),
            None => format!("{}: {}", comment.key, comment.score),
        })
        .collect()
}

pub fn role(role: ModelRole) -> &'static str {
    match role {
        ModelRole::Agent => "agent",
        ModelRole::Router => "router",
        ModelRole::Memory => "memory",
        ModelRole::Judge => "judge",
        ModelRole::Simulator => "simulator",
    }
}

pub(super) fn agent_failures(variant: &VariantReport) -> u64 {
    let outcomes = variant.outcomes.iter();
    let failures = outcomes.filter(|(outcome, _)| outcome.is_agent_failure());
    failures.map(|(_, count)| count).sum()
}

const LEGEND: &str = "Pass rate: attempts at examples that satisfied every scorer. Accuracy, \
    macro F1, and triage cost (from 0, best, to 1) are of the triage decisions. Failures: attempts \
    that the agent did not finish, scored 0. Errors: attempts that infrastructure spoiled, not \
    scored. In parentheses: the 95% interval.";

/// What the columns of the table of variants mean.
pub(super) fn legend(report: &Report) -> String {
    let mut text = LEGEND.to_owned();
    if report.variants.iter().any(|variant| variant.hitl.is_some()) {
        text.push_str(" Scenarios: those that passed, with a person who answers the agent.");
    }
    if report
        .variants
        .iter()
        .any(|variant| variant.memory.is_some())
    {
        text.push_str(
            " Episodes: those that passed, with a memory that lasts over several emails; memory \
             gain: how much better their emails were handled than without it, in points. Agents \
             that ask nobody, or remember nothing, have neither.",
        );
    }
    text
}

pub(super) fn not_judged(report: &Report) -> Option<String> {
    (!report.not_judged.is_empty()).then(|| {
        format!(
            "Not judged: {} (no judge was asked)",
            report.not_judged.join(", ")
        )
    })
}

/// Stands where there is no data.
pub(super) const NOTHING: &str = "–";

/// `91.4% (86–95)`, and on how many examples where not on all `examples` of the group.
pub(super) fn percent_with_interval(estimate: &Estimate, examples: u64) -> String {
    let Some(value) = estimate.value else {
        return NOTHING.to_owned();
    };
    let mut text = share_with_interval(value, estimate.low, estimate.high);
    if estimate.n != examples {
        text.push_str(&format!(" n={}", count(estimate.n)));
    }
    text
}

/// `91.4% (86–95)`.
pub(super) fn share_with_interval(value: f64, low: Option<f64>, high: Option<f64>) -> String {
    let mut text = percentage(value);
    if let (Some(low), Some(high)) = (low, high) {
        text.push_str(&format!(" ({:.0}–{:.0})", low * 100.0, high * 100.0));
    }
    text
}

fn percent(estimate: &Estimate, _: u64) -> String {
    estimate.value.map_or(NOTHING.to_owned(), percentage)
}

fn decimal(estimate: &Estimate, _: u64) -> String {
    match estimate.value {
        Some(value) => format!("{value:.2}"),
        None => NOTHING.to_owned(),
    }
}

/// One decimal; only all is `100.0%`, and only nothing is `0.0%`.
pub(super) fn percentage(share: f64) -> String {
    let percent = share * 100.0;
    let shown = if share > 0.0 && share < 1.0 {
        percent.clamp(0.1, 99.9)
    } else {
        percent
    };
    format!("{shown:.1}%")
}

pub(super) fn duration(milliseconds: f64) -> String {
    match milliseconds {
        ms if ms < 10.0 => format!("{ms:.2} ms"),
        ms if ms < 1_000.0 => format!("{ms:.0} ms"),
        ms if ms < 60_000.0 => format!("{:.1} s", ms / 1_000.0),
        ms => format!("{:.1} min", ms / 60_000.0),
    }
}

pub(super) fn plural(number: u64, noun: &str) -> String {
    let s = if number == 1 { "" } else { "s" };
    format!("{} {noun}{s}", count(number))
}

/// With commas between the thousands.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_all_is_a_hundred_percent() {
        for (share, text) in [
            (0.0, "0.0%"),
            (0.0001, "0.1%"),
            (0.5, "50.0%"),
            (0.9999, "99.9%"),
            (1.0, "100.0%"),
        ] {
            assert_eq!(percentage(share), text);
        }
    }

    #[test]
    fn thousands_are_set_apart() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (1_234_567, "1,234,567"),
        ] {
            assert_eq!(count(number), text);
        }
    }

    #[test]
    fn durations_take_the_unit_that_fits() {
        for (milliseconds, text) in [
            (0.031, "0.03 ms"),
            (412.3, "412 ms"),
            (1_550.0, "1.6 s"),
            (90_000.0, "1.5 min"),
        ] {
            assert_eq!(duration(milliseconds), text);
        }
    }

    #[test]
    fn decisions_are_counted_where_attempts_differ() {
        let found = |ignore, notify, respond, none| Found {
            ignore,
            notify,
            respond,
            none,
        };
        for (found, text) in [
            (found(0, 3, 0, 0), "notify, as expected"),
            (found(0, 0, 1, 0), "expected notify, found respond"),
            (
                found(1, 1, 0, 2),
                "expected notify, found ignore 1×, notify 1×, no decision 2×",
            ),
        ] {
            assert_eq!(decisions(Triage::Notify, &found), text);
        }
    }
}
