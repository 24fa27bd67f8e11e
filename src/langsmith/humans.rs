//! What people said of runs in the service, as items that judges are measured on.
//!
//! The run of an attempt has an id that follows from the journal, so what was said of it is
//! said of that attempt; the statement's number stands in the key. What a program said, our own
//! judges above all, is nobody's label.

use std::collections::HashMap;
use std::path::Path;

use jiff::Timestamp;
use serde::de::IgnoredAny;
use serde_json::Value;
use uuid::Uuid;

use super::push::{Forgotten, kept};
use super::runs::{Place, Root};
use super::scores::feedback_id;
use super::wire::{FeedbackRead, Session, SourceKind};
use super::{Client, Error, comparative, ids};
use crate::dataset::Dataset;
use crate::experiment::Attempt;
use crate::experiment::journal::{FILE, JournalError, Reader, read_attempt};
use crate::experiment::statement::{Statement, Statements};
use crate::judge::calibration::items::{Item, can_hold};
use crate::judge::definition::Definitions;
use crate::judge::{JudgeKey, Verdict};
use crate::run::Run;

/// Characters of a reason, and of a name: what items take.
const REASON: usize = 2_000;
const NAME: usize = 100;

/// What could not be mapped and is told; the rest is only counted.
const UNMAPPED_KEPT: usize = 1_000;

/// Whose labels are wanted, and of what.
#[derive(Clone, Copy)]
pub struct Wanted<'a> {
    /// The experiment's folder.
    pub folder: &'a Path,
    /// Indexes of its variants.
    pub variants: &'a [usize],
    /// The name it was pushed under.
    pub pushed_as: &'a str,
    /// The one that it ran on.
    pub dataset: &'a Dataset,
    pub definitions: &'a Definitions,
}

/// What people said.
#[derive(Debug, Default)]
pub struct Labels {
    /// In the order of the journal.
    pub items: Vec<Item>,
    /// Variants that are not there.
    pub not_pushed: Vec<String>,
    /// Labels of one person about the same work, of which the newest counts.
    pub said_again: u64,
    /// What could not be mapped, the first ones.
    pub unmapped: Vec<Unmapped>,
    /// All of it.
    pub unmapped_total: u64,
}

/// What somebody said, and that is no label of an item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unmapped {
    pub feedback: Uuid,
    pub key: String,
    /// Where the run is known.
    pub case: Option<String>,
    pub why: Why,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    #[error(
        "the key names no statement that items are about: `response.criteria.N` and `hitl.feedback.N` do"
    )]
    NoStatement,
    #[error("it says neither yes (1) nor no (0)")]
    NoVerdict,
    #[error("no attempt in the journal has its run")]
    NoAttempt,
    #[error("no judge is asked about that statement there")]
    NotAsked,
    #[error("no item can hold what it is about")]
    NoItem,
}

/// Why there are no labels.
#[derive(Debug, thiserror::Error)]
pub enum LabelsError {
    #[error(transparent)]
    Service(#[from] Error),
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(transparent)]
    Forgotten(#[from] Forgotten),
}

/// Reads what people said of the attempts of an experiment that was pushed.
///
/// # Errors
/// See [`LabelsError`].
pub async fn labels(client: &Client, wanted: Wanted<'_>) -> Result<Labels, LabelsError> {
    let journal = wanted.folder.join(FILE);
    let mut reader = Reader::open(&journal)?;
    let header = reader.header().clone();
    let mut labelling = Labelling::new(wanted);
    let mut sessions: Vec<Option<(Session, i64)>> = vec![None; header.variants.len()];
    for &variant in wanted.variants {
        let name = &header.variants[variant].name;
        let id = ids::session(wanted.pushed_as, header.created, name);
        let Some(session) = client.session(id, false).await? else {
            labelling.labels.not_pushed.push(name.clone());
            continue;
        };
        let (shift_ms, _) = kept(&session)?;
        let mut feedback = client.feedback(id);
        while let Some(page) = feedback.next().await? {
            labelling.page(page);
        }
        sessions[variant] = Some((session, shift_ms));
    }
    while let Some(entry) = reader.next_attempt::<IgnoredAny>()? {
        let session = &sessions[entry.attempt.case.variant as usize];
        let Some((session, shift_ms)) = session else {
            continue;
        };
        let place = Place {
            session: session.id,
            name: &session.name,
            shift_ms: *shift_ms,
            hide_inputs: false,
            hide_outputs: false,
        };
        let root = Root::of(&header, &entry.attempt, &place);
        if labelling.is_about(root.id) {
            let attempt = read_attempt::<Run>(&journal, entry.offset)?;
            labelling.attempt(&attempt, root, session.id);
        }
    }
    Ok(labelling.finish())
}

/// What one person, or something, said of a run.
#[derive(Clone, Debug)]
struct Said {
    id: Uuid,
    key: String,
    verdict: Option<Verdict>,
    reason: String,
    who: String,
    at: Option<Timestamp>,
    /// Whether only people say so. What else has a person's name may come from their key.
    certain: bool,
}

struct Labelling<'a> {
    wanted: Wanted<'a>,
    statements: Statements<'a>,
    by_run: HashMap<Uuid, Vec<Said>>,
    /// By the item and the person, which item it is, and when that was said.
    known: HashMap<(String, String), (usize, Option<Timestamp>)>,
    /// Of each item, where the first with its id is.
    first: HashMap<String, usize>,
    labels: Labels,
}

impl<'a> Labelling<'a> {
    fn new(wanted: Wanted<'a>) -> Labelling<'a> {
        Labelling {
            wanted,
            statements: Statements::new(wanted.dataset),
            by_run: HashMap::new(),
            known: HashMap::new(),
            first: HashMap::new(),
            labels: Labels::default(),
        }
    }

    fn page(&mut self, page: Vec<FeedbackRead>) {
        for read in page {
            // Of a whole experiment: no work to look at.
            let Some(run) = read.run_id else { continue };
            if let Some(said) = said(read) {
                self.by_run.entry(run).or_default().push(said);
            }
        }
    }

    fn is_about(&self, run: Uuid) -> bool {
        self.by_run.contains_key(&run)
    }

    /// Makes items of what was said of an attempt, whose root run is `root`.
    fn attempt(&mut self, attempt: &Attempt<Run>, root: Root, session: Uuid) {
        for said in self.by_run.remove(&root.id).unwrap_or_default() {
            let pushed = feedback_id(root, session, &said.key, "");
            if said.id == pushed && !said.certain {
                continue;
            }
            match self.item(attempt, &said) {
                Ok(item) => self.add(item, &said),
                Err(why) => self.unmapped(said, Some(attempt.case.example.clone()), why),
            }
        }
    }

    fn item(&self, attempt: &Attempt<Run>, said: &Said) -> Result<Item, Why> {
        let (judge, number) = statement(&said.key).ok_or(Why::NoStatement)?;
        let verdict = said.verdict.ok_or(Why::NoVerdict)?;
        let definition = self.wanted.definitions.get(judge);
        let statements = self.statements.of(definition, attempt);
        let found = statements.into_iter().find(|(it, _)| *it == number);
        let (_, statement) = found.ok_or(Why::NotAsked)?;
        let Statement { item, .. } = statement.ok_or(Why::NoItem)?;
        Ok(Item {
            label: verdict,
            reason: said.reason.clone(),
            labelled_by: said.who.clone(),
            ..item
        })
    }

    /// Keeps a label; of two of one person about the same, the newer.
    fn add(&mut self, mut item: Item, said: &Said) {
        // Work of one id differs at most in what nobody is shown of it, and where it does, a
        // file of labels can hold it only once.
        match self.first.get(&item.id) {
            Some(first) => item.work.clone_from(&self.labels.items[*first].work),
            None => drop(self.first.insert(item.id.clone(), self.labels.items.len())),
        }
        let by = (item.id.clone(), item.labelled_by.clone());
        match self.known.get_mut(&by) {
            None => {
                self.known.insert(by, (self.labels.items.len(), said.at));
                self.labels.items.push(item);
            }
            Some((index, at)) => {
                self.labels.said_again += 1;
                if said.at > *at {
                    *at = said.at;
                    self.labels.items[*index] = item;
                }
            }
        }
    }

    fn unmapped(&mut self, said: Said, case: Option<String>, why: Why) {
        self.labels.unmapped_total += 1;
        if self.labels.unmapped.len() < UNMAPPED_KEPT {
            self.labels.unmapped.push(Unmapped {
                feedback: said.id,
                key: said.key,
                case,
                why,
            });
        }
    }

    fn finish(mut self) -> Labels {
        let mut left: Vec<Said> = self.by_run.drain().flat_map(|(_, said)| said).collect();
        left.sort_unstable_by_key(|said| said.id);
        for said in left {
            self.unmapped(said, None, Why::NoAttempt);
        }
        self.labels
    }
}

/// What a person said; `None` where nobody did. A correction is a person's, whoever was
/// corrected.
fn said(read: FeedbackRead) -> Option<Said> {
    let source = read.feedback_source.unwrap_or_default();
    let has_name = source.user_id.is_some() || source.user_name.is_some();
    let correction = read.correction.filter(|correction| !correction.is_null());
    let certain = match source.kind {
        _ if correction.is_some() => true,
        Some(SourceKind::App) => true,
        Some(SourceKind::Model | SourceKind::AutoEval) => return None,
        // What code decided of two mails, with whoever's key it was pushed.
        Some(SourceKind::Api) if read.key == comparative::KEY => return None,
        Some(SourceKind::Api | SourceKind::Other(_)) | None if has_name => false,
        Some(SourceKind::Api | SourceKind::Other(_)) | None => return None,
    };
    let verdict = match &correction {
        Some(correction) => corrected(correction),
        None => {
            let metadata = source.metadata.as_ref();
            // That a person cannot tell is no score.
            let stated = metadata.and_then(|metadata| verdict(None, metadata.get("verdict")));
            stated.or_else(|| verdict(read.score, read.value.as_ref()))
        }
    };
    // The comment of what was corrected is not the person's.
    let own = !matches!(source.kind, Some(SourceKind::Model | SourceKind::AutoEval));
    let reason = read.comment.filter(|_| own).unwrap_or_default();
    let id = source.user_id.map(|id| id.to_string());
    let told = |key: &str| source.metadata.as_ref()?.get(key)?.as_str();
    // A label that was made here and pushed has its maker's name, and the key's user.
    let name = told("labelled_by").or(source.user_name.as_deref());
    let name = name.map(printable).or(id);
    Some(Said {
        id: read.id,
        key: read.key,
        verdict,
        reason: reason.chars().take(REASON).collect(),
        who: name
            .filter(|name| !name.is_empty())
            .unwrap_or_else(|| "somebody in LangSmith".to_owned()),
        at: read.modified_at.or(read.created_at),
        certain,
    })
}

fn printable(name: &str) -> String {
    let name: String = name.chars().filter(|c| !c.is_control()).collect();
    name.trim().chars().take(NAME).collect()
}

/// What a score or a word says; `None` where it is neither yes nor no.
fn verdict(score: Option<f64>, value: Option<&Value>) -> Option<Verdict> {
    match (score, value) {
        (Some(1.0), _) => Some(Verdict::Pass),
        (Some(0.0), _) => Some(Verdict::Fail),
        (Some(_), _) => None,
        (None, Some(Value::Bool(yes))) => Some(if *yes { Verdict::Pass } else { Verdict::Fail }),
        (None, Some(Value::String(word))) => {
            let word = word.trim().to_lowercase();
            let named = Verdict::ALL.into_iter().find(|it| it.name() == word);
            named.or(match &*word {
                "yes" | "met" | "true" => Some(Verdict::Pass),
                "no" | "not met" | "false" => Some(Verdict::Fail),
                _ => None,
            })
        }
        _ => None,
    }
}

/// What a correction says: a verdict, or an object that has it as `score` or `value`.
fn corrected(correction: &Value) -> Option<Verdict> {
    let of = |value: &Value| verdict(value.as_f64(), Some(value));
    match correction {
        Value::Object(map) => ["score", "value"]
            .iter()
            .find_map(|key| of(map.get(*key).filter(|value| !value.is_null())?)),
        other => of(other),
    }
}

/// The judge, and the number of the statement from 1, that a key is about.
fn statement(key: &str) -> Option<(JudgeKey, usize)> {
    let mut judges = JudgeKey::ALL.into_iter().filter(|judge| can_hold(*judge));
    judges.find_map(|judge| {
        let number = key.strip_prefix(judge.main_key()?.name())?;
        let number = number.strip_prefix('.')?;
        let digits = number.bytes().all(|byte| byte.is_ascii_digit());
        let number = number.parse().ok().filter(|number| *number > 0 && digits)?;
        Some((judge, number))
    })
}

#[cfg(test)]
mod tests;
