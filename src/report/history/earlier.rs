//! What a report's page tells of the experiments before its own.

use super::{History, Past};
use crate::experiment::Header;
use crate::experiment::journal::Progress;
use crate::report::Report;

/// What is told, in the order of the page: shares of cases.
const FIGURES: [&str; 6] = [
    "pass_rate",
    "triage.accuracy",
    "tool_calls.exact",
    "response.criteria",
    "hitl.pass",
    "memory.pass",
];

/// A report's figures among those of earlier experiments over the same cases.
#[derive(Clone, Debug, PartialEq)]
pub struct Earlier {
    /// One for each figure that an earlier experiment has too. The last of its experiments is
    /// the report's own.
    pub figures: Vec<History>,
    /// Further experiments of the kind, that are older.
    pub older: u64,
    /// Experiments of which nobody can tell, since they cannot be read.
    pub unread: u64,
}

impl Earlier {
    /// `before` are reports of experiments that [`is_before`] is true of, the oldest first.
    /// `None` where none of them has a figure of a variant of `report`.
    pub fn of(report: &Report, before: &[Report], older: u64, unread: u64) -> Option<Earlier> {
        let own = Past::of(report);
        let reports = || before.iter().chain([report]);
        let told: Vec<(Past, &Report)> = reports().map(|it| (Past::of(it), it)).collect();
        let variants: Vec<&str> = report.variants.iter().map(|it| it.name.as_str()).collect();
        let figures = FIGURES.into_iter().filter_map(|key| {
            let told = told
                .iter()
                .map(|(past, report)| (past, past.is_comparable(&own, key).then_some(*report)));
            let history = History::of(key, &variants, told);
            let before = history.experiments.len() - 1;
            let is_told = |values: &[Option<f64>]| values[..before].iter().any(Option::is_some);
            let mut series = history.variants.iter();
            series
                .any(|series| is_told(&series.values))
                .then_some(history)
        });
        let figures: Vec<History> = figures.collect();
        (!figures.is_empty()).then_some(Earlier {
            figures,
            older,
            unread,
        })
    }
}

/// Whether an experiment is finished, whole, and of the cases and any variant that `report` is
/// of, and was begun before it.
pub fn is_before(progress: &Progress, report: &Report) -> bool {
    let Header {
        shard, variants, ..
    } = &progress.header;
    let (past, own) = (Past::begun("", progress), Past::of(report));
    shard.is_none()
        && past.finished
        && past.created < own.created
        && past.dataset_hash == own.dataset_hash
        && past.has_examples_of(&own)
        && variants
            .iter()
            .any(|variant| report.variants.iter().any(|it| it.name == variant.name))
}
