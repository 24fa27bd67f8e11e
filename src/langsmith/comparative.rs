//! Which of two experiments a judge prefers, as a comparison of the service.
//!
//! Every two variants that were compared are one comparison. Each pair that the judge decided
//! is two scores, one on the run of either side, in one group. Ids follow from the experiments
//! and from when the judge looked, so sending again finds what is there.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use futures_util::{StreamExt, TryStreamExt, stream};
use serde::de::IgnoredAny;
use serde_json::json;
use uuid::Uuid;

use super::client::Ingest;
use super::push::{Forgotten, kept};
use super::runs::{Place, Root};
use super::wire::{
    ComparativeFeedback, Dataset, Extra, FeedbackSource, NewComparative, Object, Session,
    SourceKind,
};
use super::{Client, Error, ids};
use crate::experiment::journal::{self, FILE, JournalError};
use crate::experiment::pairwise::{Header, Pair, PairwiseError, Reader};
use crate::judge::pairwise::Preference;

/// What the scores stand under.
pub const KEY: &str = "pairwise.preference";

/// Pairs that are sent before more are read.
const BATCH: usize = 200;

/// Requests in flight.
const CONCURRENCY: usize = 4;

/// Characters of a comment.
const COMMENT: usize = 10_000;

/// What is sent, and from where.
#[derive(Clone, Copy)]
pub struct Comparing<'a> {
    /// Those of A and of B.
    pub folders: [&'a Path; 2],
    /// The names that they were pushed under.
    pub pushed_as: [&'a str; 2],
    /// What came of the comparison.
    pub pairs: &'a Path,
    /// Whether the judge's words stay here, since they repeat the mails'.
    pub hidden: bool,
}

/// What became of one comparison.
#[derive(Clone, Debug, PartialEq)]
pub struct Compared {
    /// Of A and of B.
    pub variants: [String; 2],
    pub name: String,
    pub link: String,
    /// Pairs whose scores were sent, or were there.
    pub sent: u64,
    pub there: u64,
    /// Pairs about which the judge said nothing.
    pub unscored: u64,
    /// Pairs of which a run is not there.
    pub unpushed: u64,
    /// Why scores were refused, the first reason, and how many pairs' were.
    pub refused: u64,
    pub reason: Option<String>,
}

/// Why a comparison cannot be sent.
#[derive(Debug, thiserror::Error)]
pub enum CompareError {
    #[error(transparent)]
    Service(#[from] Error),
    #[error(transparent)]
    Pairs(#[from] PairwiseError),
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(transparent)]
    Forgotten(#[from] Forgotten),
    #[error(
        "{pairs} compares another journal than that of `{experiment}`: `mailproof rescore` with `--against` compares what is there now"
    )]
    OtherJournal { pairs: String, experiment: String },
    #[error("`{variant}` of `{experiment}` is not there: push `{experiment}` first")]
    NotPushed { experiment: String, variant: String },
    #[error(
        "`{a}` and `{b}` were pushed to different datasets, and only what is of one can be compared: push one of them again with `--dataset-name` and `--as`"
    )]
    OtherDataset { a: String, b: String },
}

/// One experiment of the service, and the runs that stand for its attempts.
struct Side {
    session: Session,
    /// By example and repeat.
    roots: HashMap<(String, u32), Root>,
    /// Ids of the roots that are there.
    there: HashSet<Uuid>,
}

impl Side {
    /// The run of an attempt, where it is there.
    fn root(&self, pair: &Pair) -> Option<Root> {
        let root = self.roots.get(&(pair.example.clone(), pair.repeat))?;
        self.there.contains(&root.id).then_some(*root)
    }
}

/// Sends what the judge said, as far as it is not there.
///
/// # Errors
/// See [`CompareError`].
pub async fn push(
    client: &Client,
    comparing: Comparing<'_>,
) -> Result<Vec<Compared>, CompareError> {
    let header = Reader::open(comparing.pairs)?.header().clone();
    let mut journals = [None, None];
    for (side, folder) in comparing.folders.into_iter().enumerate() {
        let reader = journal::Reader::open(&folder.join(FILE))?;
        if reader.header_hash() != header.journals[side] {
            return Err(CompareError::OtherJournal {
                pairs: comparing.pairs.display().to_string(),
                experiment: header.experiments[side].clone(),
            });
        }
        journals[side] = Some(reader.header().clone());
    }
    let journals = journals.map(|header| header.expect("both were read"));
    let mut all = Vec::new();
    for number in 0..header.variants.len() {
        let names = &header.variants[number];
        let mut sides = Vec::new();
        for (side, name) in names.iter().enumerate() {
            let pushed_as = comparing.pushed_as[side];
            let id = ids::session(pushed_as, journals[side].created, name);
            let session = client.session(id, false).await?;
            let session = session.ok_or_else(|| CompareError::NotPushed {
                experiment: pushed_as.to_owned(),
                variant: name.clone(),
            })?;
            let roots = roots(comparing.folders[side], name, &session)?;
            let there = client.root_ids(&session).await?;
            sides.push(Side {
                session,
                roots,
                there,
            });
        }
        let sides: [Side; 2] = sides.try_into().ok().expect("there are two sides");
        let datasets = sides
            .each_ref()
            .map(|side| side.session.reference_dataset_id);
        let dataset = match datasets {
            [Some(a), Some(b)] if a == b => client.dataset_by_id(a).await?,
            _ => None,
        };
        let dataset = dataset.ok_or_else(|| CompareError::OtherDataset {
            a: sides[0].session.name.clone(),
            b: sides[1].session.name.clone(),
        })?;
        all.push(one(client, comparing, &header, number, &dataset, &sides).await?);
    }
    Ok(all)
}

/// Sends the comparison of two variants.
async fn one(
    client: &Client,
    comparing: Comparing<'_>,
    header: &Header,
    number: usize,
    dataset: &Dataset,
    sides: &[Side; 2],
) -> Result<Compared, CompareError> {
    let sessions = sides.each_ref().map(|side| &side.session);
    let new = comparison(header, number, dataset.id, sessions);
    let mut known = HashSet::new();
    if !client.create_comparative(&new).await? {
        for session in sessions {
            known.extend(client.feedback_ids(session.id).await?);
        }
    }
    let ids = sessions.map(|session| session.id);
    let mut compared = Compared {
        variants: header.variants[number].clone(),
        link: client.comparative_link(dataset, &ids, new.id),
        name: new.name,
        sent: 0,
        there: 0,
        unscored: 0,
        unpushed: 0,
        refused: 0,
        reason: None,
    };
    let source = source(header);
    let mut pairs = Reader::open(comparing.pairs)?;
    let mut is_last = false;
    while !is_last {
        let mut batch = Vec::new();
        while batch.len() < BATCH {
            let Some(pair) = pairs.next_pair()? else {
                is_last = true;
                break;
            };
            if pair.variants as usize != number {
                continue;
            }
            let (Some(a), Some(b)) = (sides[0].root(&pair), sides[1].root(&pair)) else {
                compared.unpushed += 1;
                continue;
            };
            let scores = scores(&pair, new.id, [a, b], ids, &source, comparing.hidden);
            let Some(scores) = scores else {
                compared.unscored += 1;
                continue;
            };
            let missing: Vec<_> = scores
                .into_iter()
                .filter(|score| !known.contains(&score.id))
                .collect();
            match missing.is_empty() {
                true => compared.there += 1,
                false => batch.push(missing),
            }
        }
        let sent: Vec<Ingest> = stream::iter(batch)
            .map(async |scores| {
                for score in &scores {
                    match client.post_feedback(score).await? {
                        Ingest::Taken | Ingest::AlreadyThere => {}
                        refused => return Ok::<_, Error>(refused),
                    }
                }
                Ok(Ingest::Taken)
            })
            .buffered(CONCURRENCY)
            .try_collect()
            .await?;
        for outcome in sent {
            match outcome {
                Ingest::Taken | Ingest::AlreadyThere => compared.sent += 1,
                Ingest::TooLarge => {
                    compared.refused += 1;
                    let reason = || "it is too large".to_owned();
                    compared.reason.get_or_insert_with(reason);
                }
                Ingest::Refused { reason } => {
                    compared.refused += 1;
                    compared.reason.get_or_insert(reason);
                }
            }
        }
    }
    Ok(compared)
}

/// The runs of a variant's attempts.
fn roots(
    folder: &Path,
    variant: &str,
    session: &Session,
) -> Result<HashMap<(String, u32), Root>, CompareError> {
    let mut reader = journal::Reader::open(&folder.join(FILE))?;
    let header = reader.header().clone();
    let (shift_ms, _) = kept(session)?;
    let place = Place {
        session: session.id,
        name: &session.name,
        shift_ms,
        hide_inputs: false,
        hide_outputs: false,
    };
    let mut roots = HashMap::new();
    while let Some(entry) = reader.next_attempt::<IgnoredAny>()? {
        let case = &entry.attempt.case;
        if header.variants[case.variant as usize].name == variant {
            let root = Root::of(&header, &entry.attempt, &place);
            roots.insert((case.example.clone(), case.repeat), root);
        }
    }
    Ok(roots)
}

/// What the service is told of the comparison of two variants.
fn comparison(
    header: &Header,
    number: usize,
    dataset: Uuid,
    sessions: [&Session; 2],
) -> NewComparative {
    let [a, b] = sessions;
    // Another look is another comparison.
    let made = format!("comparative\n{}\n{}", b.id, header.created.as_nanosecond());
    let id = Uuid::new_v5(&a.id, made.as_bytes());
    let short = &id.simple().to_string()[..8];
    let [variant_a, variant_b] = &header.variants[number];
    let [experiment_a, experiment_b] = &header.experiments;
    let models: Vec<&String> = header
        .judge
        .panels
        .iter()
        .flat_map(|panel| &panel.models)
        .collect();
    let metadata = [
        ("experiments", json!(header.experiments)),
        ("variants", json!(header.variants[number])),
        ("judge", json!(header.judge.judge.name())),
        ("rubric_hash", json!(header.judge.rubric_hash)),
        ("models", json!(models)),
        ("votes", json!(header.judge.votes)),
        ("dataset_hash", json!(header.dataset_hash)),
        ("mailproof_version", json!(header.tool_version)),
    ];
    NewComparative {
        id,
        name: format!("{} vs {} {short}", a.name, b.name),
        experiment_ids: vec![a.id, b.id],
        reference_dataset_id: dataset,
        description: format!(
            "Which mails a judge prefers: those of `{variant_a}` of `{experiment_a}`, or those of `{variant_b}` of `{experiment_b}`."
        ),
        created_at: header.created,
        extra: Extra {
            metadata: metadata
                .into_iter()
                .map(|(key, value)| (key.to_owned(), value))
                .collect(),
        },
    }
}

/// The judge, as who says so.
fn source(header: &Header) -> FeedbackSource {
    let panels = header.judge.panels.iter();
    let models: Vec<&String> = panels.flat_map(|panel| &panel.models).collect();
    let mut metadata = Object::new();
    metadata.insert("judge".to_owned(), json!(header.judge.judge.name()));
    metadata.insert("models".to_owned(), json!(models));
    FeedbackSource {
        kind: SourceKind::Model,
        metadata: Some(metadata),
    }
}

/// What a pair says of its two runs; `None` where the judge said nothing.
fn scores(
    pair: &Pair,
    comparison: Uuid,
    roots: [Root; 2],
    sessions: [Uuid; 2],
    judge: &FeedbackSource,
    hidden: bool,
) -> Option<[ComparativeFeedback; 2]> {
    let values = match pair.preference {
        Preference::A => [1.0, 0.0],
        Preference::B => [0.0, 1.0],
        Preference::Tie => [0.5, 0.5],
        Preference::Unscored => return None,
    };
    let reasons: Vec<&str> = pair
        .reasons
        .iter()
        .map(|reason| reason.trim())
        .filter(|reason| !reason.is_empty())
        .collect();
    let comment: String = reasons.join("\n\n").chars().take(COMMENT).collect();
    let comment = (!hidden && !comment.is_empty()).then_some(comment);
    let group = format!("{}\n{}", pair.example, pair.repeat);
    let group = Uuid::new_v5(&comparison, group.as_bytes());
    let source = match pair.by_code {
        true => FeedbackSource {
            kind: SourceKind::Api,
            metadata: None,
        },
        false => judge.clone(),
    };
    let score = |side: usize| ComparativeFeedback {
        id: ids::at(
            roots[side].started,
            comparison,
            &[&roots[side].id.to_string(), KEY],
        ),
        key: KEY.to_owned(),
        score: values[side],
        comment: comment.clone(),
        run_id: roots[side].id,
        session_id: sessions[side],
        start_time: roots[side].started,
        comparative_experiment_id: comparison,
        feedback_group_id: group,
        feedback_source: source.clone(),
    };
    Some([score(0), score(1)])
}

#[cfg(test)]
mod tests;
