//! One figure over several experiments.

use jiff::Timestamp;
use serde::Serialize;
use unicode_width::UnicodeWidthStr;

use super::escape::{bounded, line};
use super::{Report, VariantReport, cost, figures, table};
use crate::experiment::journal::Progress;
use crate::experiment::{Selection, Suite};
use crate::run::Cost;

mod earlier;

pub use earlier::{Earlier, is_before};

/// The most experiments that a sparkline has room for; further ones are left out at its
/// beginning.
const DRAWN: usize = 30;
/// The most characters of an experiment's name.
const NAME_SHOWN: usize = 40;

/// Eight heights, the lowest first.
const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
const ASCII: [char; 8] = ['_', ',', '-', '~', '=', '+', '*', '#'];

/// A figure of every variant over experiments.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct History {
    pub key: String,
    /// The oldest first.
    pub experiments: Vec<Past>,
    /// Those that have the figure anywhere, in the order of the newest experiment.
    pub variants: Vec<Series>,
}

/// One experiment of a history.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Past {
    pub experiment: String,
    pub created: Timestamp,
    /// Attempts that are recorded, and those that are planned: figures of an unfinished
    /// experiment are not shown.
    pub attempts: u64,
    pub planned: u64,
    /// Of one in looks only its last look says so.
    pub finished: bool,
    pub dataset: String,
    pub dataset_hash: String,
    pub selection: Selection,
    /// What a sample is drawn by.
    pub seed: u64,
    pub suites: Vec<Suite>,
}

/// One variant of a history.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Series {
    pub variant: String,
    /// One for each experiment; `null` where it has none.
    pub values: Vec<Option<f64>>,
}

impl History {
    /// The figure of `variants` over experiments, the oldest first, and those that have it
    /// nowhere left out. An experiment without a report has no figure.
    pub fn of<'a>(
        key: &str,
        variants: &[&str],
        told: impl Iterator<Item = (&'a Past, Option<&'a Report>)>,
    ) -> History {
        let mut series: Vec<Series> = variants
            .iter()
            .map(|name| Series {
                variant: (*name).to_owned(),
                values: Vec::new(),
            })
            .collect();
        let mut experiments = Vec::new();
        for (past, report) in told {
            experiments.push(past.clone());
            for series in &mut series {
                let mut variants = report.into_iter().flat_map(|report| &report.variants);
                let variant = variants.find(|it| it.name == series.variant);
                series
                    .values
                    .push(variant.and_then(|variant| figure(variant, key)));
            }
        }
        series.retain(|series| series.values.iter().any(Option::is_some));
        History {
            key: key.to_owned(),
            experiments,
            variants: series,
        }
    }
}

impl Past {
    /// What the journal says, under the name of its folder.
    pub fn begun(name: &str, progress: &Progress) -> Past {
        let header = &progress.header;
        Past {
            experiment: name.to_owned(),
            created: header.created,
            attempts: progress.attempts,
            planned: progress.planned,
            finished: progress.is_finished(),
            dataset: header.dataset.name.clone(),
            dataset_hash: header.dataset.hash.clone(),
            selection: header.selection.clone(),
            seed: header.seed,
            suites: header.suites.clone(),
        }
    }

    /// The same of a report.
    pub fn of(report: &Report) -> Past {
        Past {
            experiment: report.experiment.clone(),
            created: report.environment.created,
            attempts: report.coverage.attempts,
            planned: report.coverage.planned,
            finished: report.coverage.attempts >= report.coverage.planned,
            dataset: report.dataset.name.clone(),
            dataset_hash: report.dataset.hash.clone(),
            selection: report.plan.selection.clone(),
            seed: report.plan.seed,
            suites: report.plan.suites.clone(),
        }
    }

    /// Whether the figures of both under a key are of the same cases: what differs is then the
    /// agents' doing.
    fn is_comparable(&self, other: &Past, key: &str) -> bool {
        self.dataset_hash == other.dataset_hash
            && self.has_examples_of(other)
            && self.suites_of(key) == other.suites_of(key)
    }

    fn has_examples_of(&self, other: &Past) -> bool {
        let is_drawn = self.selection.sample.is_some();
        self.selection == other.selection && (!is_drawn || self.seed == other.seed)
    }

    /// The suites whose cases have a say in the figure: those of examples, but for what is
    /// counted over all attempts.
    fn suites_of(&self, key: &str) -> Vec<Suite> {
        let counts_all = key == "cost_usd" || key.starts_with("latency_ms");
        let suites = self.suites.iter().copied();
        suites
            .filter(|suite| counts_all || matches!(suite, Suite::Triage | Suite::Response))
            .collect()
    }
}

/// A figure of a variant by its key: `pass_rate`, the key of a metric, `cost_usd`, or
/// `latency_ms.` with `p50`, `p90`, `p99`, `max`, or `mean`.
pub fn figure(variant: &VariantReport, key: &str) -> Option<f64> {
    let latency = variant.latency_ms.as_ref();
    match key {
        "pass_rate" => variant.pass_rate.value,
        "cost_usd" => variant.cost_usd.map(Cost::usd),
        "latency_ms.p50" => latency.map(|it| it.p50),
        "latency_ms.p90" => latency.map(|it| it.p90),
        "latency_ms.p99" => latency.map(|it| it.p99),
        "latency_ms.max" => latency.map(|it| it.max),
        "latency_ms.mean" => latency.map(|it| it.mean),
        key => variant.metrics.get(key).and_then(|it| it.value),
    }
}

/// The keys of [`figure`] that a report has a value for, in the order of the reports.
pub fn figure_keys(report: &Report) -> Vec<String> {
    let mut keys: Vec<String> = Vec::new();
    for variant in &report.variants {
        let metrics = variant.metrics.iter().map(|(key, _)| key);
        let all = ["pass_rate"].into_iter().chain(metrics).chain([
            "cost_usd",
            "latency_ms.p50",
            "latency_ms.p90",
            "latency_ms.p99",
            "latency_ms.max",
            "latency_ms.mean",
        ]);
        let has = |key: &&str| figure(variant, key).is_some();
        for key in all.filter(has) {
            if !keys.iter().any(|known| known == key) {
                keys.push(key.to_owned());
            }
        }
    }
    keys
}

/// How a terminal takes text.
#[derive(Clone, Copy, Debug)]
pub struct HistoryOptions {
    /// Columns of the screen.
    pub width: usize,
    pub color: bool,
    /// Whether to draw with ASCII signs alone.
    pub ascii: bool,
}

/// The figure by variant, then the experiments it is of.
pub fn render(history: &History, options: HistoryOptions) -> String {
    let bold = |text: &str| match options.color {
        true => format!("{0}{text}{0:#}", anstyle::Style::new().bold()),
        false => text.to_owned(),
    };
    let experiments = figures::plural(history.experiments.len() as u64, "experiment");
    let mut text = format!(
        "{}\n\n",
        bold(&format!("{} over {experiments}", line(&history.key)))
    );
    if !history.variants.is_empty() {
        let rows = history.variants.iter();
        let rows: Vec<Vec<String>> = rows
            .map(|series| row(history, series, options.ascii))
            .collect();
        let headers = ["variant", "trend", "newest", "change", "least", "most"];
        text.push_str(&table::render(&headers, &rows, options.width, bold));
        text.push_str("\n\n");
    }
    let number = history.experiments.len().to_string().len();
    let names = history.experiments.iter().map(name).map(|it| it.width());
    let names = names.max().unwrap_or(0);
    let mut before: Option<&Past> = None;
    for (index, past) in history.experiments.iter().enumerate() {
        let name = name(past);
        let head = format!(
            "{:>number$}  {}  {name}",
            index + 1,
            past.created.strftime("%Y-%m-%d %H:%M"),
        );
        let pad = names - name.width();
        text.push_str(&head);
        let notes = notes(&history.key, past, before).join("; ");
        if head.width() + pad + 2 + notes.width() > options.width {
            text.push_str(&format!("\n{}", " ".repeat(number + 2)));
        } else if !notes.is_empty() {
            text.push_str(&" ".repeat(pad + 2));
        }
        text.push_str(&notes);
        text.push('\n');
        before = Some(past);
    }
    text
}

fn name(past: &Past) -> String {
    bounded(&line(&past.experiment), NAME_SHOWN).into_owned()
}

/// What keeps an experiment from being compared with the one before.
fn notes(key: &str, past: &Past, before: Option<&Past>) -> Vec<String> {
    let mut notes = Vec::new();
    if !past.finished {
        notes.push(format!(
            "unfinished: {} of {}",
            figures::count(past.attempts),
            figures::plural(past.planned, "attempt")
        ));
    }
    let Some(before) = before else {
        return notes;
    };
    if past.dataset_hash != before.dataset_hash {
        let dataset = bounded(&line(&past.dataset), NAME_SHOWN).into_owned();
        notes.push(format!(
            "another dataset: {dataset} {}",
            line(&figures::short(&past.dataset_hash))
        ));
    }
    if !past.has_examples_of(before) {
        notes.push("another selection".to_owned());
    }
    let suites = past.suites_of(key);
    if suites != before.suites_of(key) {
        let suites: Vec<&str> = suites.into_iter().map(Suite::name).collect();
        notes.push(format!("other suites: {}", suites.join(", ")));
    }
    notes
}

fn row(history: &History, series: &Series, ascii: bool) -> Vec<String> {
    let show = |value: f64| shown(&history.key, value);
    let known = || series.values.iter().enumerate();
    let known = || known().filter_map(|(at, value)| Some((at, (*value)?)));
    let newest = known().next_back();
    let before = newest.and_then(|(at, _)| {
        let past = &history.experiments;
        known()
            .rev()
            .find(|(other, _)| *other < at && past[*other].is_comparable(&past[at], &history.key))
    });
    let change = match (newest, before) {
        (Some((_, newest)), Some((_, before))) => difference(&history.key, newest - before),
        _ => "–".to_owned(),
    };
    let values: Vec<f64> = known().map(|(_, value)| value).collect();
    let least = values.iter().copied().reduce(f64::min);
    let most = values.iter().copied().reduce(f64::max);
    let cell = |value: Option<f64>| value.map_or("–".to_owned(), show);
    vec![
        line(&series.variant).into_owned(),
        sparkline(history, series, ascii),
        cell(newest.map(|(_, value)| value)),
        change,
        cell(least),
        cell(most),
    ]
}

/// A sign for each experiment, the oldest first: its height between the least and the most
/// value that is drawn, a gap where there is no value, and a bar before an experiment that is
/// about something else than the one before.
fn sparkline(history: &History, series: &Series, ascii: bool) -> String {
    let skipped = series.values.len().saturating_sub(DRAWN);
    let values = &series.values[skipped..];
    let known = || values.iter().flatten().copied();
    let least = known().reduce(f64::min).unwrap_or(0.0);
    let most = known().reduce(f64::max).unwrap_or(0.0);
    let (heights, gap, more) = match ascii {
        true => (ASCII, '.', "<"),
        false => (BLOCKS, '·', "…"),
    };
    let mut line = String::new();
    if skipped > 0 {
        line.push_str(more);
    }
    for (at, value) in values.iter().enumerate() {
        let past = &history.experiments[skipped..];
        if at > 0 && !past[at].is_comparable(&past[at - 1], &history.key) {
            line.push('|');
        }
        line.push(match value {
            None => gap,
            // One value all the time is neither low nor high.
            Some(_) if most - least < 1e-9 => heights[3],
            Some(value) => {
                let share = (value - least) / (most - least);
                heights[((share * 7.0).round() as usize).min(7)]
            }
        });
    }
    line
}

/// A value as reports show it: shares in percent, the mean cost of mistakes as it is.
pub(super) fn shown(key: &str, value: f64) -> String {
    match key {
        "cost_usd" => match Cost::try_from(value) {
            Ok(cost) => format!("${}", cost::usd(cost)),
            Err(_) => "–".to_owned(),
        },
        "triage.cost" => format!("{value:.3}"),
        key if key.starts_with("latency_ms") => format!("{value:.1} ms"),
        _ => format!("{:.1}%", value * 100.0),
    }
}

fn difference(key: &str, value: f64) -> String {
    match key {
        "cost_usd" => {
            let sign = if value < 0.0 { '-' } else { '+' };
            format!("{sign}{}", shown(key, value.abs()))
        }
        "triage.cost" => format!("{value:+.3}"),
        key if key.starts_with("latency_ms") => format!("{value:+.1} ms"),
        _ => format!("{:+.1}", value * 100.0),
    }
}

#[cfg(test)]
mod tests;
