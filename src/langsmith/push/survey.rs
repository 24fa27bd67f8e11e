//! What there is to push, before any of it is sent.

use std::collections::BTreeSet;
use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use crate::experiment::layer::{LayerError, Scored};
use crate::experiment::{Attempt, Header};
use crate::trace::Trace;

/// An experiment, counted in one pass that keeps no trajectory.
#[derive(Clone, Debug)]
pub struct Survey {
    /// With the judges of the layer that is pushed.
    pub header: Header,
    /// Number of the layer whose scores are pushed; 0 for those of the run.
    pub layer: u32,
    /// One for each variant of the header.
    pub variants: Vec<Extent>,
    /// Ids of the examples, scenarios, and episodes that attempts are of.
    pub examples: BTreeSet<String>,
}

/// How much there is of a variant, or of all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extent {
    pub attempts: u64,
    /// The attempts among them.
    pub runs: u64,
    /// What rules and judges said, statement by statement.
    pub scores: u64,
    /// When the first attempt began, and by when all had ended.
    pub time: Option<(Timestamp, Timestamp)>,
}

impl Survey {
    /// Reads the experiment in `folder`, with the scores of a layer as for [`Scored::open`].
    ///
    /// # Errors
    /// [`LayerError`].
    pub fn read(folder: &Path, layer: Option<u32>) -> Result<Survey, LayerError> {
        let mut scored = Scored::open(folder, layer)?;
        let header = scored.header().clone();
        let mut variants = vec![Extent::default(); header.variants.len()];
        let mut examples = BTreeSet::new();
        while let Some(entry) = scored.next_attempt::<Outline>()? {
            let attempt = entry.attempt;
            variants[attempt.case.variant as usize].add(&header, &attempt);
            if !examples.contains(&attempt.case.example) {
                examples.insert(attempt.case.example);
            }
        }
        Ok(Survey {
            layer: scored.layer().map_or(0, |layer| layer.number),
            header,
            variants,
            examples,
        })
    }

    /// All variants together.
    pub fn whole(&self) -> Extent {
        let mut whole = Extent::default();
        for variant in &self.variants {
            whole.attempts += variant.attempts;
            whole.runs += variant.runs;
            whole.scores += variant.scores;
            whole.extend(variant.time);
        }
        whole
    }
}

impl Extent {
    fn add(&mut self, header: &Header, attempt: &Attempt<Outline>) {
        self.attempts += 1;
        self.runs += runs(attempt);
        let statements = attempt.judged.iter().map(|judged| judged.rulings.len());
        self.scores += (attempt.feedback.len() + statements.sum::<usize>()) as u64;
        let began = Trace::began(header, attempt);
        self.extend(Some((began, ended(began, attempt))));
    }

    fn extend(&mut self, time: Option<(Timestamp, Timestamp)>) {
        self.time = match (self.time, time) {
            (Some((began, ended)), Some((first, last))) => {
                Some((began.min(first), ended.max(last)))
            }
            (one, other) => one.or(other),
        };
    }
}

/// The spans of an attempt: itself, the emails of an episode, visits to nodes, and what was done
/// there.
fn runs(attempt: &Attempt<Outline>) -> u64 {
    let outlines = attempt.runs.iter().chain(&attempt.ablation);
    let within: usize = outlines
        .map(|run| {
            let visits = run.steps.chunk_by(|one, next| one.node() == next.node());
            visits.count() + run.steps.len()
        })
        .sum();
    let emails = match attempt.kind {
        crate::experiment::CaseKind::Episode => attempt.runs.len() + attempt.ablation.len(),
        _ => 0,
    };
    1 + (emails + within) as u64
}

/// When an attempt had ended at the latest. No span is longer than its step, or begins before
/// those in front of it have ended; each is rounded to a microsecond.
fn ended(began: Timestamp, attempt: &Attempt<Outline>) -> Timestamp {
    let steps = attempt.runs.iter().chain(&attempt.ablation);
    let steps = steps.flat_map(|run| &run.steps);
    let summed: f64 = steps.map(|step| step.latency_ms().max(0.0) + 0.001).sum();
    let millis = summed.max(attempt.latency_ms).clamp(0.0, 1e12).ceil() + 1.0;
    began
        .checked_add(SignedDuration::from_millis(millis as i64))
        .unwrap_or(Timestamp::MAX)
}

/// As much of a run as says how many spans it has, and how long they took.
#[derive(Debug, Deserialize)]
struct Outline {
    steps: Vec<Step>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Step {
    Model { node: String, latency_ms: f64 },
    Tool { node: String, latency_ms: f64 },
    Interrupt { node: String },
    Memory { node: String },
}

impl Step {
    fn node(&self) -> &str {
        match self {
            Step::Model { node, .. }
            | Step::Tool { node, .. }
            | Step::Interrupt { node }
            | Step::Memory { node } => node,
        }
    }

    fn latency_ms(&self) -> f64 {
        match self {
            Step::Model { latency_ms, .. } | Step::Tool { latency_ms, .. } => *latency_ms,
            Step::Interrupt { .. } | Step::Memory { .. } => 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use uuid::Uuid;

    use super::*;
    use crate::experiment::journal::Journal;
    use crate::langsmith::runs::{Place, runs as runs_of};
    use crate::langsmith::scores::feedback;
    use crate::langsmith::wire::Object;
    use crate::redact::Redactor;
    use crate::trace::fixture::told;

    #[tokio::test]
    async fn a_survey_counts_what_will_be_sent() {
        let told = told().await;
        let reports = tempfile::tempdir().unwrap();
        let redactor = Arc::new(Redactor::new([]));
        let journal = Journal::create(reports.path(), &told.header, redactor).unwrap();
        for attempt in &told.attempts {
            journal.append(attempt).await.unwrap();
        }
        drop(journal);
        let folder = reports.path().join(&told.header.experiment);
        let survey = Survey::read(&folder, None).unwrap();

        let place = Place {
            session: Uuid::nil(),
            name: "e",
            shift_ms: 0,
            hide_inputs: false,
            hide_outputs: false,
        };
        let mut sent = vec![Extent::default(); told.header.variants.len()];
        for attempt in &told.attempts {
            let (header, trace) = (&told.header, told.trace(attempt));
            let runs = runs_of(header, attempt, &trace, &place, Uuid::nil(), &Object::new());
            let extent = &mut sent[attempt.case.variant as usize];
            extent.attempts += 1;
            extent.runs += runs.len() as u64;
            extent.scores += feedback(header, attempt, &place).len() as u64;
            let (began, ended) = survey.variants[attempt.case.variant as usize].time.unwrap();
            for run in runs {
                assert!(began <= run.head.start_time && run.head.end_time <= ended);
            }
            assert!(survey.examples.contains(&attempt.case.example));
        }
        let counted = survey.variants.iter();
        let counted: Vec<_> = counted.map(|it| Extent { time: None, ..*it }).collect();
        assert_eq!(counted, sent);
        let attempts: Vec<u64> = sent.iter().map(|extent| extent.attempts).collect();
        assert_eq!(attempts, [1, 1, 2, 3]);
        assert_eq!(survey.whole().attempts, 7);
    }
}
