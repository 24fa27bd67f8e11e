//! What scenarios and episodes add to a report: conditions held, and what memory was worth.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::escape::bounded;
use super::metrics::{Estimate, Group};
use crate::experiment::Attempt;
use crate::score::{CheckName, Feedback, Learning, MemoryChange};
use crate::statistics::FixedSum;

/// The most episodes whose changes a variant's report shows.
pub const CHANGES_SHOWN: usize = 20;
/// The most lines, and characters of a line, of one namespace's changes.
const LINES_SHOWN: usize = 12;
const LINE_SHOWN: usize = 200;
/// The most emails of an episode that the learning curve tells apart.
const CURVE_SHOWN: usize = 50;

/// One condition, over the scored attempts it applied to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct CheckReport {
    pub name: CheckName,
    /// Scored attempts in which there was something to check.
    pub applied: u64,
    pub passed: u64,
}

/// What a variant did with the people of the scenarios.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct HitlReport {
    /// Scenarios with a scored attempt.
    pub scenarios: u64,
    pub checks: Vec<CheckReport>,
}

/// What a variant learnt in the episodes.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct MemoryReport {
    /// Episodes with a scored attempt.
    pub episodes: u64,
    pub checks: Vec<CheckReport>,
    /// Episodes in which what was learnt should matter.
    pub learning: LearningReport,
    /// Episodes in which it should not: negative controls.
    pub controls: LearningReport,
    /// What the first episodes changed in the memory.
    pub changes: Vec<EpisodeChanges>,
}

/// How well emails of episodes were handled, with the memory that the emails before them
/// left, and with one that knows nothing of them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct LearningReport {
    /// Episodes that ask anything of the agent's behaviour.
    pub episodes: u64,
    /// Share of what was asked that held.
    pub with: Estimate,
    pub without: Estimate,
    /// `with` less `without`, paired by episode: from −1 to 1.
    pub gain: Estimate,
    /// By place of the email in its episode.
    pub curve: Vec<CurvePoint>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub struct CurvePoint {
    /// From 1.
    pub email: u64,
    /// Episodes whose email at this place asks something.
    pub episodes: u64,
    pub with: Option<f64>,
    pub without: Option<f64>,
}

/// An episode's memory after its last email against before its first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct EpisodeChanges {
    pub episode: String,
    pub namespaces: Vec<NamespaceChange>,
}

/// Lines that one namespace lost and gained.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct NamespaceChange {
    pub namespace: String,
    pub removed: Vec<String>,
    pub added: Vec<String>,
}

/// Counts of conditions.
#[derive(Debug, Default)]
pub(super) struct Checks(BTreeMap<CheckName, (u64, u64)>);

impl Checks {
    pub fn record(&mut self, feedback: &[Feedback]) {
        for check in feedback.iter().flat_map(|feedback| &feedback.checks) {
            let (applied, passed) = self.0.entry(check.name).or_default();
            *applied += 1;
            *passed += u64::from(check.passed);
        }
    }

    pub fn report(&self) -> Vec<CheckReport> {
        let counts = self.0.iter();
        counts
            .map(|(&name, &(applied, passed))| CheckReport {
                name,
                applied,
                passed,
            })
            .collect()
    }
}

/// One variant's attempts at one episode.
#[derive(Debug)]
pub(super) struct CellLearning {
    pub control: bool,
    /// An attempt's mean over the emails that ask something.
    with: FixedSum,
    without: FixedSum,
    /// By place of the email.
    steps: Vec<(FixedSum, FixedSum)>,
}

impl CellLearning {
    pub fn new(control: bool) -> CellLearning {
        CellLearning {
            control,
            with: FixedSum::default(),
            without: FixedSum::default(),
            steps: Vec::new(),
        }
    }

    pub fn record(&mut self, learning: &Learning) {
        let (mut with, mut without) = (FixedSum::default(), FixedSum::default());
        for (place, step) in learning.steps.iter().take(CURVE_SHOWN).enumerate() {
            if self.steps.len() <= place {
                self.steps.push(Default::default());
            }
            let sums = &mut self.steps[place];
            // Without both there is nothing to compare.
            if let (Some(one), Some(other)) = (step.with, step.without) {
                sums.0.add(one.get());
                sums.1.add(other.get());
                with.add(one.get());
                without.add(other.get());
            }
        }
        self.with.extend(with.mean());
        self.without.extend(without.mean());
    }

    pub fn with(&self) -> Option<f64> {
        self.with.mean()
    }

    pub fn without(&self) -> Option<f64> {
        self.without.mean()
    }
}

impl LearningReport {
    /// Of the episodes of a group that are controls, or of those that are not.
    pub(super) fn new(group: &Group<'_>, control: bool) -> LearningReport {
        let of = |learning: &Option<Box<CellLearning>>| {
            let learning = learning.as_deref();
            learning.is_some_and(|learning| learning.control == control)
        };
        let group = group.filtered(|cell| of(&cell.learning));
        let figure = |value: fn(&CellLearning) -> Option<f64>| {
            group.mean(|cell| value(cell.learning.as_deref()?))
        };
        let with = figure(CellLearning::with);
        LearningReport {
            episodes: with.n,
            with,
            without: figure(CellLearning::without),
            gain: group.mean_difference(|cell| {
                let learning = cell.learning.as_deref()?;
                Some((learning.with()?, learning.without()?))
            }),
            curve: curve(&group),
        }
    }
}

fn curve(group: &Group<'_>) -> Vec<CurvePoint> {
    let mut points: Vec<(u64, f64, f64)> = Vec::new();
    for cell in group.cells() {
        let Some(learning) = &cell.learning else {
            continue;
        };
        for (place, (with, without)) in learning.steps.iter().enumerate() {
            if points.len() <= place {
                points.push((0, 0.0, 0.0));
            }
            if let (Some(with), Some(without)) = (with.mean(), without.mean()) {
                let point = &mut points[place];
                point.0 += 1;
                point.1 += with;
                point.2 += without;
            }
        }
    }
    (1..)
        .zip(points)
        .map(|(email, (episodes, with, without))| {
            let mean =
                |sum: f64| (episodes > 0).then(|| super::metrics::rounded(sum / episodes as f64));
            CurvePoint {
                email,
                episodes,
                with: mean(with),
                without: mean(without),
            }
        })
        .collect()
}

/// Something of the first attempts in plan order, whatever order they come in.
#[derive(Debug)]
pub(super) struct First<T> {
    kept: BTreeMap<(u32, u32), T>,
    most: usize,
}

impl<T> First<T> {
    pub fn new(most: usize) -> First<T> {
        First {
            kept: BTreeMap::new(),
            most,
        }
    }

    /// Keeps what `make` makes of the attempt, where it is among the first.
    pub fn record<R>(&mut self, attempt: &Attempt<R>, make: impl FnOnce() -> T) {
        let place = (attempt.case.position, attempt.case.repeat);
        let last = self.kept.last_key_value();
        if self.kept.len() >= self.most && last.is_some_and(|(last, _)| *last < place) {
            return;
        }
        self.kept.insert(place, make());
        if self.kept.len() > self.most {
            self.kept.pop_last();
        }
    }
}

impl<T: Clone> First<T> {
    pub fn report(&self) -> Vec<T> {
        self.kept.values().cloned().collect()
    }
}

impl EpisodeChanges {
    pub(super) fn of<R>(attempt: &Attempt<R>) -> EpisodeChanges {
        let mut namespaces: BTreeMap<&str, NamespaceChange> = BTreeMap::new();
        for change in &attempt.memory {
            let namespace =
                namespaces
                    .entry(&change.namespace)
                    .or_insert_with(|| NamespaceChange {
                        namespace: change.namespace.clone(),
                        removed: Vec::new(),
                        added: Vec::new(),
                    });
            let (removed, added) = lines(change);
            namespace.removed.extend(removed);
            namespace.added.extend(added);
        }
        let namespaces = namespaces.into_values().map(|mut change| {
            change.removed.truncate(LINES_SHOWN);
            change.added.truncate(LINES_SHOWN);
            change
        });
        EpisodeChanges {
            episode: attempt.case.example.clone(),
            namespaces: namespaces.collect(),
        }
    }
}

/// Lines that are only before, and only after, each in its order.
fn lines(change: &MemoryChange) -> (Vec<String>, Vec<String>) {
    let before = change.before.as_deref().unwrap_or_default();
    let after = change.after.as_deref().unwrap_or_default();
    let only = |one: &str, other: &str| {
        let mut left: Vec<&str> = other.lines().map(str::trim_end).collect();
        let mut only = Vec::new();
        for line in one.lines().map(str::trim_end) {
            match left.iter().position(|known| *known == line) {
                Some(place) => {
                    left.swap_remove(place);
                }
                None if line.is_empty() => {}
                None => only.push(bounded(line, LINE_SHOWN).into_owned()),
            }
        }
        only
    };
    (only(before, after), only(after, before))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(before: Option<&str>, after: Option<&str>) -> MemoryChange {
        MemoryChange {
            namespace: "triage_preferences".into(),
            key: "user_preferences".into(),
            before: before.map(str::to_owned),
            after: after.map(str::to_owned),
        }
    }

    #[test]
    fn a_change_is_told_by_the_lines_that_only_one_side_has() {
        for (case, before, after, removed, added) in [
            (
                "a line more",
                Some("a\nb"),
                Some("a\nb\nc"),
                &[][..],
                &["c"][..],
            ),
            ("a line less", Some("a\nb"), Some("b"), &["a"], &[]),
            ("a line changed", Some("a\nb"), Some("a\nB"), &["b"], &["B"]),
            ("twice is not once", Some("a"), Some("a\na"), &[], &["a"]),
            ("new", None, Some("a"), &[], &["a"]),
            (
                "space at the end and empty lines",
                Some("a  \n"),
                Some("a\n\n"),
                &[],
                &[],
            ),
        ] {
            let (lost, gained) = lines(&change(before, after));
            assert_eq!(
                (&lost[..], &gained[..]),
                (&owned(removed)[..], &owned(added)[..]),
                "{case}"
            );
        }
    }

    fn owned(lines: &[&str]) -> Vec<String> {
        lines.iter().map(|line| (*line).to_owned()).collect()
    }
}
