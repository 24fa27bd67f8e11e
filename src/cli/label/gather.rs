//! What there is to label in a journal, and in which order.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::cli::exit::Failure;
use crate::cli::validate;
use crate::dataset::Dataset;
use crate::experiment::Attempt;
use crate::experiment::journal::{Reader, read_attempt};
use crate::experiment::statement::{Statement, Statements};
use crate::judge::definition::Definition;
use crate::report::escape;
use crate::run::Run;

/// What there is to label.
pub struct Gathered {
    pub dataset: Dataset,
    /// In the order in which they are asked about.
    pub tasks: Vec<Task>,
    /// Statements about what no item can hold.
    pub left_out: usize,
    journal: PathBuf,
}

/// A statement about something that an agent did: where it stands, since a journal can hold
/// more than memory.
#[derive(Debug)]
pub struct Task {
    /// Follows from what was done and from the statement: what several variants did alike
    /// is asked about once.
    pub id: String,
    /// Of the attempt.
    offset: u64,
    /// Which of the attempt's statements.
    index: usize,
}

impl Task {
    pub fn new(id: &str, offset: u64, index: usize) -> Task {
        Task {
            id: id.to_owned(),
            offset,
            index,
        }
    }
}

impl Gathered {
    /// Reads the journal at `path` once, one attempt in memory at a time.
    pub fn read(path: &Path, definition: &Definition, seed: u64) -> Result<Gathered, Failure> {
        let mut reader = Reader::open(path).map_err(Failure::from_error)?;
        let header = reader.header().clone();
        let paths: Vec<PathBuf> = header.dataset.paths.iter().map(PathBuf::from).collect();
        let dataset = validate::load(&paths)?;
        if dataset.hash != header.dataset.hash {
            return Err(Failure::usage(format!(
                "the dataset `{}` is not what `{}` ran on: label with the emails and the \
                 version of mailproof that it had, or run it again",
                escape::line(&header.dataset.name),
                escape::line(&header.experiment)
            )));
        }
        let mut gathered = Gathered {
            dataset,
            tasks: Vec::new(),
            left_out: 0,
            journal: path.to_owned(),
        };
        let mut known = HashSet::new();
        // The tasks by statement: what was asked of one email, and may have been answered by
        // several variants.
        let mut groups: BTreeMap<(String, String), Vec<Task>> = BTreeMap::new();
        let statements = Statements::new(&gathered.dataset);
        let mut left_out = 0;
        while let Some(entry) = reader.next_attempt::<Run>().map_err(Failure::from_error)? {
            for (index, (_, statement)) in statements
                .of(definition, &entry.attempt)
                .into_iter()
                .enumerate()
            {
                let Some(Statement { item, text, .. }) = statement else {
                    left_out += 1;
                    continue;
                };
                if known.insert(item.id.clone()) {
                    let group = (entry.attempt.case.example.clone(), text);
                    let task = Task::new(&item.id, entry.offset, index);
                    groups.entry(group).or_default().push(task);
                }
            }
        }
        gathered.left_out = left_out;
        gathered.tasks = in_order(groups, seed);
        Ok(gathered)
    }

    /// What a task is about.
    pub fn statement(&self, task: &Task, definition: &Definition) -> Result<Statement, Failure> {
        let attempt: Attempt<Run> =
            read_attempt(&self.journal, task.offset).map_err(Failure::from_error)?;
        let statements = Statements::new(&self.dataset).of(definition, &attempt);
        let statement = statements.into_iter().nth(task.index);
        statement
            .and_then(|(_, statement)| statement)
            .filter(|statement| statement.item.id == task.id)
            .ok_or_else(|| {
                Failure::usage(format!(
                    "{} was changed while it was read",
                    self.journal.display()
                ))
            })
    }
}

/// Round by round, one task of each statement a round, the statements in an order drawn by
/// the seed and the same in every round: so what variants did about one statement is as far
/// apart as can be, and nobody labels by comparing.
pub(super) fn in_order(groups: BTreeMap<(String, String), Vec<Task>>, seed: u64) -> Vec<Task> {
    let mut groups: Vec<([u8; 32], Vec<Task>)> = groups
        .into_iter()
        .map(|((case, statement), mut tasks)| {
            tasks.sort_by_cached_key(|task| Reverse(drawn(seed, &[&task.id])));
            (drawn(seed, &[&case, &statement]), tasks)
        })
        .collect();
    groups.sort_by_key(|(rank, _)| *rank);
    let mut order = Vec::new();
    while !groups.is_empty() {
        order.extend(groups.iter_mut().filter_map(|(_, tasks)| tasks.pop()));
        groups.retain(|(_, tasks)| !tasks.is_empty());
    }
    order
}

/// A hash for each in the place of a shuffle: a journal that grew puts nothing else into
/// another order.
fn drawn(seed: u64, names: &[&str]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(seed.to_le_bytes());
    for name in names {
        hash.update((name.len() as u64).to_le_bytes());
        hash.update(name);
    }
    hash.finalize().into()
}
