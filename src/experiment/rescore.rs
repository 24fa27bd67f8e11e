//! Scores the attempts of a journal again, without running any agent.
//!
//! The journal is read once, in its order, with a bounded number of attempts in memory, and
//! the scores become a [layer](super::layer) in the same order. Scorers read records alone,
//! so what they say of an unchanged dataset is what they said when it was run; judges are
//! asked anew, what they were asked then and in the same words.

use std::collections::{HashMap, VecDeque};
use std::num::NonZeroUsize;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::join_all;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::case;
use super::execute::Counts;
use super::journal::{JournalError, Reader};
use super::layer::{LayerError, Scorers, Scores, Writer};
use super::opinion::opinion;
use super::plan::Item;
use super::record::{Attempt, CaseKey, CaseKind};
use crate::dataset::Dataset;
use crate::judge::bench::{Judge, Judges, Opinion};
use crate::judge::canary;
use crate::model::halt::{Halt, Halted};
use crate::redact::Redactor;
use crate::run::{Outcome, Run, Usage};
use crate::score::Suite;

/// Everything that scoring again needs.
pub struct Rescoring {
    /// At its header; [`Reader::open_at_rest`] keeps it as it is.
    pub journal: Reader,
    /// The one that the journal's attempts were made on.
    pub dataset: Arc<Dataset>,
    /// As the journal's was: ids stand in there without their secrets.
    pub redactor: Arc<Redactor>,
    pub scorers: Scorers,
    /// Those of each variant of the journal; not asked where only rules score.
    pub judges: Vec<Arc<Judges>>,
    /// Shown their canaries before anything else: each with the names of its panel's models.
    pub examined: Vec<(Judge, Vec<String>)>,
    pub layer: Writer,
    /// Attempts in memory at most.
    pub concurrency: NonZeroUsize,
    /// Once cancelled, nothing more is written: the layer stays without its end.
    pub cancel: CancellationToken,
    /// Likewise once it has a reason.
    pub halt: Halt,
    /// Tells what the attempts come to now.
    pub progress: watch::Sender<Counts>,
}

/// How far it came.
#[derive(Debug)]
pub enum Rescored {
    /// The layer has all scores, and waits for its end.
    Complete(Writer),
    /// Somebody wanted it to stop.
    Cancelled,
    /// A model call was the end of it.
    Halted(Halted),
}

/// Scores every attempt of the journal again.
///
/// # Panics
/// Where there are not judges for each variant.
///
/// # Errors
/// [`LayerError`]: a journal that cannot be read, or has attempts that are none at the
/// dataset's items, and a layer that cannot be written.
pub async fn rescore(rescoring: Rescoring) -> Result<Rescored, LayerError> {
    let Rescoring {
        mut journal,
        dataset,
        redactor,
        scorers,
        judges,
        examined,
        mut layer,
        concurrency,
        cancel,
        halt,
        progress,
    } = rescoring;
    let variants = journal.header().variants.len();
    assert_eq!(judges.len(), variants, "judges for each variant");
    let items = places(&dataset, &redactor);
    let scoring = Arc::new(Scoring {
        suites: journal.header().suites.clone(),
        dataset,
        scorers,
        judges,
    });
    if scorers.judges() {
        let shown = examined
            .iter()
            .map(|(judge, models)| canary::run(judge, models.clone()));
        let shown = tokio::select! {
            biased;
            () = cancel.cancelled() => return Ok(Rescored::Cancelled),
            halted = halt.stopped() => return Ok(Rescored::Halted(halted.clone())),
            shown = join_all(shown) => shown,
        };
        for shown in shown {
            if !shown.canaries.canaries.is_empty() {
                layer.canaries(shown.canaries)?;
            }
        }
    }
    let mut under_way = VecDeque::with_capacity(concurrency.get());
    let mut is_read = false;
    loop {
        while !is_read && under_way.len() < concurrency.get() {
            let Some(entry) = journal.next_attempt::<Run>()? else {
                is_read = true;
                break;
            };
            let place = found(&entry.attempt, &items, &scoring.dataset, &journal)?;
            let scored = Arc::clone(&scoring).score(place, entry.attempt);
            under_way.push_back(AbortOnDropHandle::new(tokio::spawn(scored)));
        }
        let Some(first) = under_way.pop_front() else {
            return Ok(Rescored::Complete(layer));
        };
        let joined = tokio::select! {
            biased;
            () = cancel.cancelled() => return Ok(Rescored::Cancelled),
            // Half a layer is none: what is under way is of no use.
            halted = halt.stopped() => return Ok(Rescored::Halted(halted.clone())),
            joined = first => joined,
        };
        // Scorers' panics become records; one out here breaks the harness itself.
        let Done { scores, attempt } = joined.expect("a task panicked outside of a scorer");
        layer.add(&scores)?;
        progress.send_modify(|counts| counts.record(&attempt));
    }
}

/// An item of a dataset by its index among those of its kind.
type Place = (CaseKind, usize);

/// The items of a dataset by their ids, as a journal has them.
fn places(dataset: &Dataset, redactor: &Redactor) -> HashMap<String, Place> {
    let id = |id: &str| redactor.text(id).into_owned();
    let examples = dataset.examples.iter().map(|it| id(&it.id));
    let scenarios = dataset.scenarios.iter().map(|it| id(&it.id));
    let episodes = dataset.episodes.iter().map(|it| id(&it.id));
    let examples = examples
        .enumerate()
        .map(|(n, id)| (id, (CaseKind::Example, n)));
    let scenarios = scenarios
        .enumerate()
        .map(|(n, id)| (id, (CaseKind::Scenario, n)));
    let episodes = episodes
        .enumerate()
        .map(|(n, id)| (id, (CaseKind::Episode, n)));
    examples.chain(scenarios).chain(episodes).collect()
}

fn item(dataset: &Dataset, (kind, index): Place) -> Item<'_> {
    match kind {
        CaseKind::Example => Item::Example(&dataset.examples[index]),
        CaseKind::Scenario => Item::Scenario(&dataset.scenarios[index]),
        CaseKind::Episode => Item::Episode(&dataset.episodes[index]),
    }
}

/// What an attempt was made at, if it has the runs that such an attempt has.
fn found(
    attempt: &Attempt<Run>,
    items: &HashMap<String, Place>,
    dataset: &Dataset,
    journal: &Reader,
) -> Result<Place, JournalError> {
    let id = &attempt.case.example;
    let place = items
        .get(id)
        .copied()
        .filter(|(kind, _)| *kind == attempt.kind);
    let place = place.ok_or_else(|| {
        let kind = attempt.kind.name();
        journal.corrupt(&format!(
            "an attempt at `{id}`, which is no {kind} of the dataset"
        ))
    })?;
    let (runs, ablation) = (attempt.runs.len(), attempt.ablation.len());
    let fits = match item(dataset, place) {
        Item::Example(_) | Item::Scenario(_) => (runs, ablation) == (1, 0),
        Item::Episode(episode) => runs.max(ablation) <= episode.steps.len(),
    };
    if !fits {
        return Err(journal.corrupt(&format!(
            "an attempt at `{id}` with {runs} runs, and {ablation} without memory"
        )));
    }
    Ok(place)
}

/// What scoring one attempt needs.
struct Scoring {
    suites: Vec<Suite>,
    dataset: Arc<Dataset>,
    scorers: Scorers,
    judges: Vec<Arc<Judges>>,
}

/// An attempt that was scored again.
struct Done {
    scores: Scores,
    /// Without its runs, and with the scores in it.
    attempt: Attempt<Run>,
}

impl Scoring {
    async fn score(self: Arc<Self>, place: Place, mut attempt: Attempt<Run>) -> Done {
        let scores = self.scores(item(&self.dataset, place), &attempt).await;
        attempt.runs.clear();
        attempt.ablation.clear();
        scores.clone().apply(&mut attempt);
        // What the run used is none of this sitting's.
        attempt.usage = match self.scorers.judges() {
            true => scores.usage.clone(),
            false => Usage::default(),
        };
        Done { scores, attempt }
    }

    async fn scores(&self, item: Item<'_>, attempt: &Attempt<Run>) -> Scores {
        let recorded = Scores::of(attempt);
        // A defect of ours came between the run and its scores: what the runs look like says
        // nothing about why.
        if attempt.outcome == Outcome::Harness {
            return recorded;
        }
        let scoring = AssertUnwindSafe(self.anew(item, attempt, recorded));
        let scored = scoring.catch_unwind().await;
        scored.unwrap_or_else(|panic| Scores {
            case: attempt.case.clone(),
            feedback: Vec::new(),
            judged: Vec::new(),
            learning: None,
            usage: Usage::default(),
            broken: Some(case::panicked(&*panic)),
        })
    }

    /// The scores that a record has, with new ones in the place of those that are wanted anew.
    async fn anew(&self, item: Item<'_>, attempt: &Attempt<Run>, mut scores: Scores) -> Scores {
        let (runs, examples) = (&attempt.runs, &self.dataset.examples);
        let feedback = scores.feedback.into_iter();
        let (mut judged, mut exact): (Vec<_>, Vec<_>) = feedback.partition(|it| it.key.is_judged());
        if self.scorers.rules() {
            (exact, scores.learning) =
                case::scores(item, examples, &self.suites, runs, &attempt.ablation);
        }
        if self.scorers.judges() {
            let CaseKey {
                variant, repeat, ..
            } = attempt.case;
            let opinion = match attempt.outcome.is_error() {
                // Nothing can be said about the agent, so nobody is asked.
                true => Opinion::default(),
                false => {
                    let judges = &self.judges[variant as usize];
                    opinion(judges, item, examples, runs, repeat, &self.suites).await
                }
            };
            judged = opinion.feedback;
            (scores.judged, scores.usage) = (opinion.judged, opinion.usage);
        }
        exact.append(&mut judged);
        scores.feedback = exact;
        scores
    }
}

#[cfg(test)]
mod tests;
