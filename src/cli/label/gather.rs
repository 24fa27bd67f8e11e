//! What there is to label in a journal, and in which order.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::agent::tools::Tool;
use crate::cli::exit::Failure;
use crate::cli::validate;
use crate::dataset::{Dataset, Example, Scenario};
use crate::experiment::journal::{Reader, read_attempt};
use crate::experiment::{Attempt, CaseKind};
use crate::judge::Verdict;
use crate::judge::calibration::items::{Item, Reading, Work, works};
use crate::judge::definition::Definition;
use crate::judge::subject::{Question, Subject};
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

/// A task without its label, and what the person is shown of it.
pub struct Sheetful {
    pub item: Item,
    pub shown: String,
    pub statement: String,
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
                header.dataset.name, header.experiment
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
        let cases = Cases::new(&gathered.dataset);
        let mut left_out = 0;
        while let Some(entry) = reader.next_attempt::<Run>().map_err(Failure::from_error)? {
            for (index, asked) in cases
                .sheets(definition, &entry.attempt)
                .into_iter()
                .enumerate()
            {
                let Some(Sheetful {
                    item, statement, ..
                }) = asked
                else {
                    left_out += 1;
                    continue;
                };
                if known.insert(item.id.clone()) {
                    let group = (entry.attempt.case.example.clone(), statement);
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
    pub fn sheet(&self, task: &Task, definition: &Definition) -> Result<Sheetful, Failure> {
        let attempt: Attempt<Run> =
            read_attempt(&self.journal, task.offset).map_err(Failure::from_error)?;
        let cases = Cases::new(&self.dataset);
        let sheets = cases.sheets(definition, &attempt);
        let sheet = sheets.into_iter().nth(task.index).flatten();
        sheet
            .filter(|sheet| sheet.item.id == task.id)
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

/// The cases of a dataset by id.
struct Cases<'a> {
    dataset: &'a Dataset,
    examples: HashMap<&'a str, &'a Example>,
    scenarios: HashMap<&'a str, &'a Scenario>,
}

impl<'a> Cases<'a> {
    fn new(dataset: &'a Dataset) -> Cases<'a> {
        let examples = dataset.examples.iter();
        let scenarios = dataset.scenarios.iter();
        Cases {
            dataset,
            examples: examples.map(|example| (&*example.id, example)).collect(),
            scenarios: scenarios
                .map(|scenario| (&*scenario.id, scenario))
                .collect(),
        }
    }

    /// What there is to label about an attempt; `None` where no item can hold it.
    fn sheets(&self, definition: &Definition, attempt: &Attempt<Run>) -> Vec<Option<Sheetful>> {
        let id = &*attempt.case.example;
        let (subject, example) = match (attempt.kind, &attempt.runs[..]) {
            (CaseKind::Example, [run]) => match self.examples.get(id) {
                Some(example) => (Subject::Example { example, run }, *example),
                None => return Vec::new(),
            },
            (CaseKind::Scenario, [run]) => match self.scenarios.get(id) {
                Some(scenario) => {
                    let example = &self.dataset.examples[scenario.example as usize];
                    let subject = Subject::Scenario {
                        scenario,
                        example,
                        run,
                    };
                    (subject, example)
                }
                None => return Vec::new(),
            },
            _ => return Vec::new(),
        };
        let works = works(definition, &subject).into_iter();
        let sheet = |(work, question)| {
            let mut item = Item {
                id: String::new(),
                kind: None,
                label: Verdict::CannotTell,
                reason: String::new(),
                labelled_by: "nobody".to_owned(),
                email: example.email.clone(),
                cluster: attempt
                    .cluster
                    .clone()
                    .unwrap_or_else(|| example.id.clone()),
                work,
            };
            // What does not tell replies apart for a person is asked about once.
            let blind = blind(item.clone());
            item.id = format!("{id}-{}", blind.fingerprint());
            let shown = blind.question(definition).ok()?.shown;
            holds(&item, &question, definition).then(|| Sheetful {
                item,
                shown,
                statement: question.statement,
            })
        };
        works.map(sheet).collect()
    }
}

/// The item without what gives its agent away and says nothing of the reply: some decide
/// about the email by a call, some look up what they remember.
fn blind(mut item: Item) -> Item {
    let tells = |tool: &Tool| matches!(tool, Tool::TriageEmail | Tool::Search(_));
    let telling: Vec<Tool> = Tool::ALL.into_iter().filter(tells).collect();
    if let Work::Reply { done, .. } | Work::Feedback { done, .. } = &mut item.work {
        let calls = &mut done.calls;
        calls.retain(|call| !telling.iter().any(|tool| tool.is_called(&call.name)));
    }
    item
}

/// Whether a judge will be shown of the item, once it was written and read, what it is shown
/// of the attempt.
fn holds(item: &Item, question: &Question, definition: &Definition) -> bool {
    let line = serde_json::to_vec(item).expect("an item has string keys only");
    let mut reading = Reading::new(&[]);
    reading.text("item", &line[..]);
    let Ok(items) = reading.finish() else {
        return false;
    };
    let asked = items.first().map(|item| item.question(definition));
    matches!(asked, Some(Ok(asked)) if asked == *question)
}
