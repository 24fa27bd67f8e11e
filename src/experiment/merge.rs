//! Puts the journals of shards together to the one that a single run would have written.
//!
//! All of them are read before anything is written: they must be of one plan, whole, and one
//! for each shard. Then header and canaries are written once, and the records of each shard
//! as they stand there, a prompt that several have only once. One attempt is in memory at a
//! time.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use jiff::civil::Date;
use serde::de::IgnoredAny;
use sha2::{Digest, Sha256};

use super::grid::Done;
use super::journal::{FILE, JournalError, Line, Reader, Record, json_line};
use super::name::{ExperimentName, NameError};
use super::record::Header;
use super::resume::{Difference, between, lines};
use super::shard::{Shard, ShardPlan};
use crate::judge::canary::Canaries;
use crate::redact::Redactor;

/// A journal to be merged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// What the user knows it by.
    pub name: String,
    /// The journal.
    pub path: PathBuf,
}

/// What merging came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Merged {
    /// The experiment's folder.
    pub folder: PathBuf,
    pub shards: u32,
    pub attempts: u64,
    /// Shards that were given more than once, with the same attempts: the names of the one
    /// that was taken, and of the one that was not.
    pub twice: Vec<(Shard, String, String)>,
}

/// Why shards cannot be merged.
#[derive(Debug, thiserror::Error)]
pub enum MergeError {
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(transparent)]
    Name(#[from] NameError),
    #[error("experiment `{name}` exists in {}: choose another name with `-e`", folder.display())]
    Taken { name: String, folder: PathBuf },
    #[error("no shard to merge: name some, or the folder they are in")]
    Nothing,
    #[error("{name} is a whole experiment and no shard: leave it out")]
    NoShard { name: String },
    #[error(
        "{one} and {other} are of different plans, and say nothing together: run one of them anew with the choices of the other{}",
        lines(differences)
    )]
    OtherPlan {
        one: String,
        other: String,
        differences: Vec<Difference>,
    },
    #[error("{one} is shard {of_one}, and {other} is shard {of_other}: plans are divided once")]
    OtherCount {
        one: String,
        of_one: Shard,
        other: String,
        of_other: Shard,
    },
    #[error(
        "{one} and {other} are both shard {shard}, and their attempts are not the same ({}): leave one out",
        cases.join(", ")
    )]
    Conflict {
        shard: Shard,
        one: String,
        other: String,
        /// Some of the attempts that differ, in words.
        cases: Vec<String>,
    },
    #[error("{name} has {what}, which another shard has too: it was changed after it was written")]
    Overlap { name: String, what: String },
    #[error(
        "{one} and {other} showed judges other canaries: they were changed after they were written"
    )]
    Canaries { one: String, other: String },
    #[error("{name} was changed while it was merged: merge again once nobody writes to it")]
    Changed { name: String },
    #[error(
        "the shards say that they have {stated} attempts between them, and the plan has {planned}: they were changed after they were written"
    )]
    Count { stated: u64, planned: u64 },
    #[error("{} of {count} shards {} not there, or not whole", lacking.len(), are(lacking.len()))]
    Incomplete {
        count: u32,
        /// In order.
        lacking: Vec<Lacking>,
        /// The command line of a shard that is there, without the program's name.
        arguments: Vec<String>,
        /// The day that the prompts of the others name.
        date: Date,
    },
    #[error("cannot {action} {}", path.display())]
    Io {
        action: &'static str,
        path: PathBuf,
        source: io::Error,
    },
}

fn are(count: usize) -> &'static str {
    match count {
        1 => "is",
        _ => "are",
    }
}

/// A shard whose attempts are not all there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lacking {
    pub shard: Shard,
    /// What there is of it; `None` where nothing is.
    pub found: Option<Unfinished>,
}

/// A shard that was stopped, or killed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfinished {
    /// The journal.
    pub path: PathBuf,
    pub name: String,
    pub attempts: u64,
    pub planned: u64,
}

/// A shard whose journal was read through.
struct Surveyed {
    source: Source,
    header: Header,
    plan: ShardPlan,
    canaries: Vec<Canaries>,
    /// The command line of its first sitting.
    arguments: Option<Vec<String>>,
    /// Attempts of the whole plan.
    whole: u64,
    attempts: u64,
    /// SHA-256 over the lines of all attempts, in their order.
    digest: [u8; 32],
}

impl Surveyed {
    fn read(source: &Source) -> Result<Surveyed, MergeError> {
        let mut reader = Reader::open_at_rest(&source.path)?;
        let header = reader.header().clone();
        let Some(plan) = header.shard.clone() else {
            let name = source.name.clone();
            return Err(MergeError::NoShard { name });
        };
        let (mut digest, mut attempts) = (Sha256::new(), 0);
        while reader.next_attempt::<IgnoredAny>()?.is_some() {
            digest.update(Sha256::digest(reader.line()));
            attempts += 1;
        }
        let session = reader.sessions().first();
        Ok(Surveyed {
            source: source.clone(),
            header,
            plan,
            canaries: reader.canaries().to_vec(),
            arguments: session.map(|session| session.arguments.clone()),
            whole: reader.grid().cases(),
            attempts,
            digest: digest.finalize().into(),
        })
    }

    fn is_whole(&self) -> bool {
        self.attempts >= self.plan.planned()
    }

    fn name(&self) -> String {
        self.source.name.clone()
    }
}

/// Writes the journal of the experiment `name` in `reports`, which must not be there.
///
/// # Errors
/// See [`MergeError`]; nothing was written then.
pub fn merge(
    sources: &[Source],
    reports: &Path,
    name: &ExperimentName,
    redactor: &Redactor,
) -> Result<Merged, MergeError> {
    let folder = free(reports, name)?;
    let mut surveyed = Vec::new();
    for source in sources {
        surveyed.push(Surveyed::read(source)?);
    }
    surveyed.sort_by_key(|one| one.plan.part);
    same_plan(&surveyed)?;
    let mut twice = Vec::new();
    let mut shards: Vec<Surveyed> = Vec::new();
    for one in surveyed {
        match shards.last() {
            Some(last) if last.plan.part == one.plan.part => {
                same_attempts(last, &one)?;
                twice.push((one.plan.part, last.name(), one.name()));
            }
            _ => shards.push(one),
        }
    }
    all_there(&shards)?;
    let canaries = canaries(&shards)?;

    fs::create_dir_all(reports).map_err(MergeError::io("create", reports))?;
    let beside = reports.join(format!(".{name}.{}.tmp", std::process::id()));
    let written = write(&beside, &shards, name, &canaries, redactor).and_then(|attempts| {
        fs::create_dir_all(&folder).map_err(MergeError::io("create", &folder))?;
        // Once more, where that took long.
        free(reports, name)?;
        let path = folder.join(FILE);
        fs::rename(&beside, &path).map_err(MergeError::io("write", &path))?;
        Ok(attempts)
    });
    if written.is_err() {
        // The first error says what went wrong; a left-over file is the lesser evil.
        let _ = fs::remove_file(&beside);
    }
    Ok(Merged {
        folder,
        shards: shards.len() as u32,
        attempts: written?,
        twice,
    })
}

impl MergeError {
    fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> MergeError {
        let path = path.to_owned();
        move |source| MergeError::Io {
            action,
            path,
            source,
        }
    }
}

/// The folder of an experiment that is not there yet.
fn free(reports: &Path, name: &ExperimentName) -> Result<PathBuf, MergeError> {
    if name.is_reserved() {
        return Err(NameError::Reserved(name.to_string()).into());
    }
    let folder = name.folder(reports);
    let is_empty = match fs::read_dir(&folder) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    };
    match is_empty {
        true => Ok(folder),
        false => Err(MergeError::Taken {
            name: name.to_string(),
            folder,
        }),
    }
}

/// A header without what tells shards of one plan apart.
fn shared(header: &Header, of: &Header) -> Header {
    let mut header = header.clone();
    header.experiment.clone_from(&of.experiment);
    header.created = of.created;
    header.shard = None;
    // The same examples may lie elsewhere on another machine.
    header.dataset.name.clone_from(&of.dataset.name);
    header.dataset.paths.clone_from(&of.dataset.paths);
    header
}

/// Refuses shards of different plans; `surveyed` are in the order of their shards.
fn same_plan(surveyed: &[Surveyed]) -> Result<(), MergeError> {
    let (first, others) = surveyed.split_first().ok_or(MergeError::Nothing)?;
    let header = &first.header;
    for other in others {
        let differences = between(&shared(header, header), &shared(&other.header, header));
        if !differences.is_empty() {
            return Err(MergeError::OtherPlan {
                one: first.name(),
                other: other.name(),
                differences,
            });
        }
        if first.plan.part.count() != other.plan.part.count() {
            return Err(MergeError::OtherCount {
                one: first.name(),
                of_one: first.plan.part,
                other: other.name(),
                of_other: other.plan.part,
            });
        }
    }
    Ok(())
}

/// How many attempts that differ are named.
const NAMED: usize = 3;

/// Refuses two journals of one shard, unless one is a copy of the other.
fn same_attempts(one: &Surveyed, other: &Surveyed) -> Result<(), MergeError> {
    if (one.attempts, one.digest) == (other.attempts, other.digest) {
        return Ok(());
    }
    let attempts = |of: &Surveyed| -> Result<BTreeMap<u64, ([u8; 32], String)>, MergeError> {
        let mut attempts = BTreeMap::new();
        let mut reader = Reader::open(&of.source.path)?;
        while let Some(entry) = reader.next_attempt::<IgnoredAny>()? {
            let case = &entry.attempt.case;
            let index = reader.grid().index(case.case());
            let variant = &reader.header().variants[case.variant as usize].name;
            let said = format!("`{}`, {variant}, attempt {}", case.example, case.repeat + 1);
            let digest = Sha256::digest(reader.line()).into();
            attempts.insert(index.expect("readers check it"), (digest, said));
        }
        Ok(attempts)
    };
    let (of_one, mut of_other) = (attempts(one)?, attempts(other)?);
    let mut cases = Vec::new();
    for (index, (digest, said)) in of_one {
        match of_other.remove(&index) {
            Some((same, _)) if same == digest => {}
            Some(_) => cases.push(said),
            None => cases.push(format!("{said} in {} alone", one.source.name)),
        }
    }
    let alone = |said| format!("{said} in {} alone", other.source.name);
    cases.extend(of_other.into_values().map(|(_, said)| alone(said)));
    let more = cases.len().saturating_sub(NAMED);
    cases.truncate(NAMED);
    match (cases.is_empty(), more) {
        (true, _) => cases.push("they ended in another order".to_owned()),
        (false, 0) => {}
        (false, more) => cases.push(format!("and {more} more")),
    }
    Err(MergeError::Conflict {
        shard: one.plan.part,
        one: one.name(),
        other: other.name(),
        cases,
    })
}

/// Refuses what is not the whole plan; `shards` are in order, each once.
fn all_there(shards: &[Surveyed]) -> Result<(), MergeError> {
    let first = shards.first().ok_or(MergeError::Nothing)?;
    let count = first.plan.part.count();
    let mut found = shards.iter().peekable();
    let mut lacking = Vec::new();
    for shard in Shard::all(count) {
        match found.next_if(|one| one.plan.part == shard) {
            Some(one) if one.is_whole() => {}
            one => lacking.push(Lacking {
                shard,
                found: one.map(|one| Unfinished {
                    path: one.source.path.clone(),
                    name: one.name(),
                    attempts: one.attempts,
                    planned: one.plan.planned(),
                }),
            }),
        }
    }
    if !lacking.is_empty() {
        let mut arguments = shards.iter().filter_map(|one| one.arguments.clone());
        return Err(MergeError::Incomplete {
            count,
            lacking,
            arguments: arguments.next().unwrap_or_default(),
            date: first.header.date,
        });
    }
    let stated = shards.iter().map(|one| one.attempts).sum();
    let planned = first.whole;
    match stated == planned {
        true => Ok(()),
        false => Err(MergeError::Count { stated, planned }),
    }
}

/// What became of the canaries of each judge and panel. Each shard showed them to the same
/// judge, and each was judged by it: one counts as held where it did in every shard.
fn canaries(shards: &[Surveyed]) -> Result<Vec<Canaries>, MergeError> {
    let mut joined: Vec<(&Surveyed, Canaries)> = Vec::new();
    for shard in shards {
        for shown in &shard.canaries {
            let is_it = |(_, known): &&mut (&Surveyed, Canaries)| {
                known.judge == shown.judge && known.models == shown.models
            };
            let Some((of, known)) = joined.iter_mut().find(is_it) else {
                joined.push((shard, shown.clone()));
                continue;
            };
            let asked = |canaries: &Canaries| {
                let canaries = canaries.canaries.iter();
                let asked = canaries.map(|one| (one.id.clone(), one.orders, one.expected));
                asked.collect::<Vec<_>>()
            };
            if asked(known) != asked(shown) {
                return Err(MergeError::Canaries {
                    one: of.name(),
                    other: shard.name(),
                });
            }
            for (one, other) in known.canaries.iter_mut().zip(&shown.canaries) {
                if one.held() && !other.held() {
                    one.found = other.found;
                }
            }
        }
    }
    Ok(joined.into_iter().map(|(_, canaries)| canaries).collect())
}

/// Writes the journal to `path`; returns how many attempts it has.
fn write(
    path: &Path,
    shards: &[Surveyed],
    name: &ExperimentName,
    canaries: &[Canaries],
    redactor: &Redactor,
) -> Result<u64, MergeError> {
    let io = || MergeError::io("write", path);
    let file = File::create_new(path).map_err(io())?;
    let mut out = BufWriter::with_capacity(256 * 1024, file);
    let mut put = |line: &str| out.write_all(line.as_bytes()).map_err(io());

    let mut header = shards[0].header.clone();
    let created = shards.iter().map(|one| one.header.created);
    header.experiment = name.to_string();
    header.created = created.min().expect("there are shards");
    header.shard = None;
    put(&json_line(
        &Line::<(), ()>::Header(Box::new(header)),
        redactor,
    ))?;
    for canaries in canaries {
        let line = Line::<(), ()>::Canaries(canaries.clone());
        put(&json_line(&line, redactor))?;
    }
    let mut prompts = HashMap::new();
    let mut done = Done::default();
    for shard in shards {
        let overlap = |what: String| MergeError::Overlap {
            name: shard.name(),
            what,
        };
        let mut digest = Sha256::new();
        let mut reader = Reader::open_at_rest(&shard.source.path)?;
        while let Some(record) = reader.next_record::<IgnoredAny>()? {
            match record {
                // Written already.
                Record::Canaries | Record::Grown => continue,
                Record::Prompt(hash) => {
                    let digest: [u8; 32] = Sha256::digest(reader.line()).into();
                    match prompts.insert(hash, digest) {
                        None => {}
                        Some(known) if known == digest => continue,
                        Some(_) => return Err(overlap("another text for a prompt".to_owned())),
                    }
                }
                Record::Attempt(entry) => {
                    let case = &entry.attempt.case;
                    let index = reader.grid().index(case.case()).expect("readers check it");
                    digest.update(Sha256::digest(reader.line()));
                    if !done.insert(index) {
                        return Err(overlap(format!("an attempt at `{}`", case.example)));
                    }
                }
                Record::Ended(mut ended) => {
                    // In the journal so far.
                    ended.attempts = done.count();
                    put(&json_line(&Line::<(), ()>::Ended(ended), redactor))?;
                    continue;
                }
                Record::Session => {}
            }
            let line = str::from_utf8(reader.line()).expect("it was read as JSON");
            put(&redactor.json(line))?;
            put("\n")?;
        }
        if shard.digest != <[u8; 32]>::from(digest.finalize()) {
            let name = shard.name();
            return Err(MergeError::Changed { name });
        }
    }
    let file = out.into_inner().map_err(|error| io()(error.into_error()))?;
    file.sync_all().map_err(io())?;
    Ok(done.count())
}

#[cfg(test)]
mod tests;
