//! From the journal to loads, one attempt in memory at a time.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use serde::de::{DeserializeOwned, IgnoredAny};
use tokio::sync::mpsc::Sender;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::PushError;
use super::batch::{Load, Packer, Parcel};
use super::verify::Expected;
use crate::dataset::{Dataset, Example, Scenario};
use crate::experiment::journal::JournalError;
use crate::experiment::layer::{LayerError, Scored};
use crate::experiment::{Attempt, CaseKind, Header};
use crate::judge::calibration::items::Item;
use crate::judge::definition::Definitions;
use crate::judge::subject::Subject;
use crate::langsmith::client::Limits;
use crate::langsmith::examples::Hidden;
use crate::langsmith::runs::{Place, Root, runs as runs_of};
use crate::langsmith::scores::{feedback, from_label, labelled};
use crate::langsmith::wire::{Feedback, Object, Run};
use crate::message::PromptContent;
use crate::run;
use crate::trace::Trace;

/// Prompts that are kept at hand: most attempts share a few, and some have their own.
const PROMPTS: usize = 200;

/// What loads are made of.
#[derive(Debug)]
pub struct Filling {
    pub folder: PathBuf,
    pub layer: u32,
    /// One for each variant; `None` where it has no attempts.
    pub targets: Vec<Option<Target>>,
    pub hidden: Hidden,
    /// The service's ids of examples, by those that the journal has.
    pub examples: HashMap<String, Uuid>,
    /// What runs at them are sent with, as JSON; of an example that is not there nothing.
    pub inputs: HashMap<Uuid, Box<str>>,
    pub local: Arc<Dataset>,
    /// What people decided.
    pub labels: Vec<Item>,
    pub limits: Limits,
    pub cancel: CancellationToken,
}

/// A variant's experiment.
#[derive(Debug)]
pub struct Target {
    pub session: Uuid,
    pub name: String,
    pub shift_ms: i64,
    /// The roots that it has.
    pub there: HashSet<Uuid>,
    /// The feedback that it has.
    pub scores: HashSet<Uuid>,
    /// When its last run ended, and what it says of that.
    pub ends: Option<Timestamp>,
    pub end_time: Option<Timestamp>,
}

/// An attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Whose {
    pub variant: usize,
    pub root: Uuid,
}

/// What is there without being sent, and what cannot be.
#[derive(Debug, Default)]
pub struct Filled {
    /// Attempts that are there, of each variant.
    pub there: Vec<u64>,
    /// Roots that were not sent, because of examples that are nowhere: their ids.
    pub unsent: HashSet<Uuid>,
    pub unknown: BTreeSet<String>,
}

/// The same for scores.
#[derive(Debug, Default)]
pub struct FilledScores {
    pub there: Vec<u64>,
    /// Feedback of people, of each variant.
    pub labelled: Vec<u64>,
    /// Places of the labels that an attempt fits.
    pub used: HashSet<usize>,
    /// What each experiment has when all of it is there.
    pub expected: Vec<Expected>,
}

impl Filling {
    fn open(&self) -> Result<Scored, LayerError> {
        Scored::open(&self.folder, Some(self.layer))
    }

    /// The target of a variant; `None` where there were no attempts at first.
    fn place(&self, variant: u32) -> Option<(&Target, Place<'_>)> {
        let target = self.targets.get(variant as usize)?.as_ref()?;
        let place = Place {
            session: target.session,
            name: &target.name,
            shift_ms: target.shift_ms,
            hide_inputs: self.hidden.inputs,
            hide_outputs: self.hidden.outputs,
        };
        Some((target, place))
    }
}

/// Puts the runs of all attempts that are not there into loads. Nobody who takes loads any more
/// is the end of it, too.
pub fn runs(filling: &Filling, loads: &Sender<Load<Run, Whose>>) -> Result<Filled, PushError> {
    let mut scored = filling.open()?;
    let header = scored.header().clone();
    let mut filled = Filled {
        there: vec![0; filling.targets.len()],
        ..Filled::default()
    };
    let mut packer = Packer::new(filling.limits);
    let mut prompts = BTreeMap::new();
    while let Some(entry) = scored.next_attempt::<run::Run>()? {
        if filling.cancel.is_cancelled() {
            return Ok(filled);
        }
        let attempt = entry.attempt;
        let Some((target, place)) = filling.place(attempt.case.variant) else {
            continue;
        };
        let root = Root::of(&header, &attempt, &place);
        let variant = attempt.case.variant as usize;
        if target.there.contains(&root.id) {
            filled.there[variant] += 1;
            continue;
        }
        let example = filling.examples.get(&attempt.case.example);
        let inputs = example.and_then(|id| Some((*id, filling.inputs.get(id)?)));
        let Some((example, inputs)) = inputs else {
            filled.unsent.insert(root.id);
            filled.unknown.insert(attempt.case.example);
            continue;
        };
        let inputs: Object = serde_json::from_str(inputs).expect("they were written here");
        fetch(&scored, &attempt, &mut prompts)?;
        let trace = Trace::of(&header, &attempt, &prompts);
        let parcel = Parcel {
            of: Whose {
                variant,
                root: root.id,
            },
            items: runs_of(&header, &attempt, &trace, &place, example, &inputs),
        };
        if !hand_over(packer.add(parcel), loads, filling) {
            return Ok(filled);
        }
    }
    hand_over(packer.finish(), loads, filling);
    Ok(filled)
}

/// Puts the scores that are not there into loads, but those of attempts that are not there.
pub fn scores(
    filling: &Filling,
    not_there: &HashSet<Uuid>,
    loads: &Sender<Load<Feedback, usize>>,
) -> Result<FilledScores, PushError> {
    if filling.labels.is_empty() {
        return scores_and::<IgnoredAny>(filling, not_there, loads, |_, _, _, _| Vec::new());
    }
    let labels = Labels::of(filling);
    scores_and::<run::Run>(filling, not_there, loads, |header, attempt, place, used| {
        labels.on(header, attempt, place, used)
    })
}

/// The same with what `labelled` adds to an attempt; it notes the places of the labels.
fn scores_and<R: DeserializeOwned>(
    filling: &Filling,
    not_there: &HashSet<Uuid>,
    loads: &Sender<Load<Feedback, usize>>,
    labelled: impl Fn(&Header, &Attempt<R>, &Place<'_>, &mut HashSet<usize>) -> Vec<Feedback>,
) -> Result<FilledScores, PushError> {
    let mut scored = filling.open()?;
    let header = scored.header().clone();
    let variants = filling.targets.len();
    let mut filled = FilledScores {
        there: vec![0; variants],
        labelled: vec![0; variants],
        used: HashSet::new(),
        expected: vec![Expected::default(); variants],
    };
    let mut packer = Packer::new(filling.limits);
    while let Some(entry) = scored.next_attempt::<R>()? {
        if filling.cancel.is_cancelled() {
            return Ok(filled);
        }
        let attempt = entry.attempt;
        let Some((target, place)) = filling.place(attempt.case.variant) else {
            continue;
        };
        let root = Root::of(&header, &attempt, &place);
        if not_there.contains(&root.id) {
            continue;
        }
        let variant = attempt.case.variant as usize;
        filled.expected[variant].attempts += 1;
        let labelled = labelled(&header, &attempt, &place, &mut filled.used);
        filled.labelled[variant] += labelled.len() as u64;
        for feedback in feedback(&header, &attempt, &place)
            .into_iter()
            .chain(labelled)
        {
            filled.expected[variant].add(&feedback);
            if target.scores.contains(&feedback.id) {
                filled.there[variant] += 1;
                continue;
            }
            let parcel = Parcel {
                of: variant,
                items: vec![feedback],
            };
            if !hand_over(packer.add(parcel), loads, filling) {
                return Ok(filled);
            }
        }
    }
    hand_over(packer.finish(), loads, filling);
    Ok(filled)
}

/// What people decided, and about what it may be.
struct Labels<'a> {
    labels: &'a [Item],
    /// Those that scenarios are about, by their places.
    all: &'a [Example],
    definitions: Definitions,
    examples: HashMap<&'a str, &'a Example>,
    scenarios: HashMap<&'a str, &'a Scenario>,
}

impl<'a> Labels<'a> {
    fn of(filling: &'a Filling) -> Labels<'a> {
        let local = &filling.local;
        let examples = local.examples.iter().map(|it| (it.id.as_str(), it));
        let scenarios = local.scenarios.iter().map(|it| (it.id.as_str(), it));
        Labels {
            labels: &filling.labels,
            all: &local.examples,
            definitions: Definitions::embedded(),
            examples: examples.collect(),
            scenarios: scenarios.collect(),
        }
    }

    /// The feedback of people on an attempt: each decided about a statement once.
    fn on(
        &self,
        header: &Header,
        attempt: &Attempt<run::Run>,
        place: &Place<'_>,
        used: &mut HashSet<usize>,
    ) -> Vec<Feedback> {
        let Some(subject) = self.subject(attempt) else {
            return Vec::new();
        };
        let mut ids = HashSet::new();
        let mut said = Vec::new();
        for (at, item) in self.labels.iter().enumerate() {
            let definition = self.definitions.get(item.judge());
            let Some(number) = labelled(item, definition, &subject) else {
                continue;
            };
            used.insert(at);
            let feedback = from_label(header, attempt, place, item, number);
            if ids.insert(feedback.id) {
                said.push(feedback);
            }
        }
        said
    }

    /// `None` where nobody can label it, or the dataset does not have it any more.
    fn subject<'b>(&'b self, attempt: &'b Attempt<run::Run>) -> Option<Subject<'b>> {
        let (run, id) = (attempt.runs.first()?, attempt.case.example.as_str());
        match attempt.kind {
            CaseKind::Example => Some(Subject::Example {
                example: self.examples.get(id)?,
                run,
            }),
            CaseKind::Scenario => {
                let scenario = self.scenarios.get(id)?;
                Some(Subject::Scenario {
                    scenario,
                    example: &self.all[scenario.example as usize],
                    run,
                })
            }
            CaseKind::Episode => None,
        }
    }
}

/// Whether somebody still takes loads.
fn hand_over<T, K>(
    full: impl IntoIterator<Item = Load<T, K>>,
    loads: &Sender<Load<T, K>>,
    filling: &Filling,
) -> bool {
    let mut full = full.into_iter();
    !filling.cancel.is_cancelled() && full.all(|load| loads.blocking_send(load).is_ok())
}

/// Reads the prompts that an attempt names, where they are not at hand.
fn fetch(
    scored: &Scored,
    attempt: &Attempt<run::Run>,
    prompts: &mut BTreeMap<String, PromptContent>,
) -> Result<(), LayerError> {
    if prompts.len() > PROMPTS {
        prompts.clear();
    }
    for hash in Trace::prompts(attempt) {
        if prompts.contains_key(hash) {
            continue;
        }
        let prompt = scored.journal().prompt(hash);
        let prompt = prompt.map_err(<LayerError as From<JournalError>>::from)?;
        if let Some(prompt) = prompt {
            prompts.insert(hash.to_owned(), prompt);
        }
    }
    Ok(())
}
