//! Asks a judge about labelled items, and compares what it says with their labels.

use std::collections::BTreeMap;

use futures_util::{StreamExt, stream};
use jiff::civil::Date;
use sha2::{Digest, Sha256};

use super::super::attack::Attacked;
use super::super::bench::{Judge, Ruled};
use super::super::subject::Question;
use super::super::{Ruling, Verdict};
use super::items::{Item, Kind};
use super::{Binding, Calibration, Outcomes, Rated, hexadecimal};
use crate::model::Origin;
use crate::run::Usage;
use crate::score::one_line;
use crate::statistics::{Level, krippendorff_alpha};

/// The most disagreements that are kept of either kind.
const WORST: usize = 10;
/// Characters of a statement or a reason that are kept.
const TEXT: usize = 600;

/// What came of measuring a judge.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    pub calibration: Calibration,
    pub details: Details,
    pub usage: Usage,
    /// A call was not answered because no later one could be: it is no measurement.
    pub halted: bool,
}

/// What there is to say of a measurement beside its [`Calibration`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Details {
    /// By label, pass first: how many were judged pass, fail, cannot tell, and were left
    /// without a verdict.
    pub verdicts: [[u64; 4]; 2],
    /// By what items are examples of: how many were judged as labelled, and how many had a
    /// verdict.
    pub kinds: BTreeMap<Kind, (u64, u64)>,
    /// Items that several people labelled.
    pub rated_again: u64,
    /// Krippendorff's alpha of those people; `None` where their labels do not vary, or there
    /// are none.
    pub raters_alpha: Option<f64>,
    /// The same of the judge's votes, where it has several.
    pub votes_alpha: Option<f64>,
    /// Items on which the votes that can be used differ.
    pub split: u64,
    /// Items on which as many people said one as the other: nobody knows what is right.
    pub ties: Vec<String>,
    /// Items that code decides, so that no judge is asked.
    pub by_code: u64,
    /// Items that were not asked about, because the judge was made with their emails in view.
    pub left_out: u64,
    /// Where judge and label differ: passes of what was labelled fail, then the others; of
    /// each those first on which the votes agree.
    pub worst: Vec<Disagreement>,
    /// How many there are, of either kind.
    pub disagreements: [u64; 2],
}

/// An item on which the judge and the people differ.
#[derive(Clone, Debug, PartialEq)]
pub struct Disagreement {
    pub id: String,
    pub kind: Option<Kind>,
    pub statement: String,
    /// Whether it is labelled pass; the judge says otherwise.
    pub label: bool,
    pub labelled_by: String,
    /// Why it is labelled so.
    pub label_reason: String,
    pub verdict: Verdict,
    /// Why the judge says so.
    pub judge_reason: String,
    /// The share of the votes that can be used that is for the verdict.
    pub support: f64,
}

impl Measured {
    /// Adds what became of attacks on the same judge.
    pub fn attacked(&mut self, attacked: Attacked) {
        self.calibration.attacks = Some(attacked.attacks);
        self.usage.add(&attacked.usage);
        self.halted |= attacked.halted;
    }
}

/// Asks `judge` about the items, at most `at_once` at a time, and compares.
///
/// Each item comes with the question about it. `models` are those of the panel as
/// `PROVIDER:NAME`; `heard` is called as each item that a model is asked about is done. The
/// result depends on what is answered, not on when.
pub async fn measure(
    judge: &Judge,
    models: Vec<String>,
    items: &[(Rated, Question)],
    at_once: usize,
    date: Date,
    heard: impl Fn(),
) -> Measured {
    let heard = &heard;
    let ruled = items.iter().map(|(rated, question)| async move {
        // Where people differ, nobody can say whether the judge is right; and what code
        // decides says nothing about it.
        if rated.label().is_none() || question.decided.is_some() {
            return None;
        }
        let origin = Origin::new(&format!("calibration/{}", rated.item.id), 0);
        let ruled = judge.rule(question, &origin).await;
        heard();
        Some(ruled)
    });
    let ruled: Vec<Option<Ruled>> = stream::iter(ruled.collect::<Vec<_>>())
        .buffered(at_once.max(1))
        .collect()
        .await;
    let (mut usage, mut halted) = (Usage::default(), false);
    for ruled in ruled.iter().flatten() {
        usage.add(&ruled.usage);
        halted |= ruled.halted;
    }
    let rulings = ruled.iter().map(|ruled| Some(&ruled.as_ref()?.ruling));
    let compared = items.iter().map(|(rated, _)| rated).zip(rulings);
    let (calibration, details) = tally(judge.binding(models), date, compared);
    Measured {
        calibration,
        details,
        usage,
        halted,
    }
}

/// Compares rulings with labels, item by item; `None` for an item that nobody was asked
/// about, because its raters differ or code decides it.
fn tally<'a>(
    binding: Binding,
    date: Date,
    compared: impl Iterator<Item = (&'a Rated, Option<&'a Ruling>)> + Clone,
) -> (Calibration, Details) {
    let mut details = Details::default();
    let mut calibration = Calibration {
        binding,
        date,
        items_hash: hash(compared.clone().map(|(rated, _)| rated)),
        items: 0,
        unscored: 0,
        labelled_by: BTreeMap::new(),
        clusters: Vec::new(),
        attacks: None,
    };
    let mut clusters: BTreeMap<&str, Outcomes> = BTreeMap::new();
    let (mut wrong, mut people, mut votes) = ([Vec::new(), Vec::new()], Vec::new(), Vec::new());
    for (rated, ruling) in compared {
        for line in rated.lines() {
            *calibration
                .labelled_by
                .entry(line.labelled_by.clone())
                .or_default() += 1;
        }
        people.push((rated.counts(), 1));
        details.rated_again += u64::from(!rated.again.is_empty());
        let Some((label, line)) = rated.label() else {
            details.ties.push(rated.item.id.clone());
            continue;
        };
        let Some(ruling) = ruling else {
            details.by_code += 1;
            continue;
        };
        calibration.items += 1;
        votes.push((vote_counts(ruling), 1));
        details.split += u64::from(ruling.is_split());
        let row = &mut details.verdicts[usize::from(!label)];
        let Some(verdict) = ruling.verdict else {
            row[3] += 1;
            calibration.unscored += 1;
            continue;
        };
        row[verdict as usize] += 1;
        let pass = verdict == Verdict::Pass;
        let outcomes = clusters.entry(&rated.item.cluster).or_default();
        *match (label, pass) {
            (true, true) => &mut outcomes.true_pass,
            (true, false) => &mut outcomes.false_fail,
            (false, true) => &mut outcomes.false_pass,
            (false, false) => &mut outcomes.true_fail,
        } += 1;
        if let Some(kind) = rated.item.kind {
            let (right, all) = details.kinds.entry(kind).or_default();
            *right += u64::from(label == pass);
            *all += 1;
        }
        if label != pass {
            details.disagreements[usize::from(label)] += 1;
            wrong[usize::from(label)].push(disagreement(rated, line, label, verdict, ruling));
        }
    }
    for mut wrong in wrong {
        // A stable sort: items of equal support stay in their order.
        wrong.sort_by(|a, b| b.support.total_cmp(&a.support));
        wrong.truncate(WORST);
        details.worst.extend(wrong);
    }
    details.raters_alpha = krippendorff_alpha(people, Level::Nominal);
    details.votes_alpha = krippendorff_alpha(votes, Level::Nominal);
    calibration.clusters = clusters.into_values().collect();
    (calibration, details)
}

/// How many votes were pass, fail, and cannot tell.
fn vote_counts(ruling: &Ruling) -> [u64; 3] {
    let mut counts = [0; 3];
    for verdict in ruling.votes.iter().filter_map(|vote| vote.verdict) {
        counts[verdict as usize] += 1;
    }
    counts
}

fn disagreement(
    rated: &Rated,
    line: &Item,
    label: bool,
    verdict: Verdict,
    ruling: &Ruling,
) -> Disagreement {
    let counts = vote_counts(ruling);
    let all: u64 = counts.iter().sum();
    Disagreement {
        id: rated.item.id.clone(),
        kind: rated.item.kind,
        statement: one_line(&ruling.statement, TEXT),
        label,
        labelled_by: line.labelled_by.clone(),
        label_reason: one_line(&line.reason, TEXT),
        verdict,
        judge_reason: one_line(&ruling.reason, TEXT),
        support: counts[verdict as usize] as f64 / all.max(1) as f64,
    }
}

/// SHA-256 over the items and their labels, in whatever order they were read.
fn hash<'a>(rated: impl Iterator<Item = &'a Rated>) -> String {
    let mut lines: Vec<&Item> = rated.flat_map(Rated::lines).collect();
    lines.sort_by_key(|line| (&line.id, &line.labelled_by));
    let mut hash = Sha256::new();
    for line in lines {
        let json = serde_json::to_vec(line).expect("an item is texts and JSON");
        hash.update(json);
        hash.update(b"\n");
    }
    hexadecimal(&hash.finalize())
}

#[cfg(test)]
mod tests;
