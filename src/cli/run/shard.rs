//! Which part of a plan this process runs, and what becomes of it.

use std::num::NonZeroU32;
use std::path::Path;

use super::super::args::{RunArgs, ShardChoice, Talk};
use super::super::environment::Environment;
use super::super::exit::{Exit, Failure};
use super::super::objects::Objects;
use super::super::talk::say;
use super::Summary;
use crate::experiment::journal::FILE;
use crate::experiment::{EndReason, Shard};

/// The shard that was chosen, as far as what started this process has to be asked.
pub fn of(choice: ShardChoice, environment: &Environment) -> Result<Shard, Failure> {
    match choice {
        ShardChoice::One(shard) => Ok(shard),
        ShardChoice::Auto(count) => {
            told(count, |name| environment.get(name)).map_err(Failure::usage)
        }
    }
}

/// What is said where nothing else is.
const BY_HAND: &str =
    "on GitHub give the job's matrix a `shard`, and write `--shard ${{ matrix.shard }}/4`";

/// The shard that GitLab, Kubernetes, or Slurm tell, of `count` where that was said.
fn told(
    count: Option<NonZeroU32>,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Shard, String> {
    let value = |name: &str| variable(name).filter(|value| !value.is_empty());
    type Read = fn(&Numbers<'_>) -> Result<(u32, u32), String>;
    let sources: [(&str, Read); 3] = [
        ("CI_NODE_INDEX", gitlab),
        ("JOB_COMPLETION_INDEX", kubernetes),
        ("SLURM_ARRAY_TASK_ID", slurm),
    ];
    let set: Vec<_> = sources
        .into_iter()
        .filter(|(name, _)| value(name).is_some())
        .collect();
    let (name, read) = match &set[..] {
        [] => {
            return Err(format!(
                "`--shard auto` finds neither CI_NODE_INDEX (GitLab, for jobs with `parallel:`), JOB_COMPLETION_INDEX (Kubernetes, for Indexed Jobs), nor SLURM_ARRAY_TASK_ID (Slurm, for job arrays): write `--shard I/N`; {BY_HAND}"
            ));
        }
        [one] => one,
        [(one, _), (other, _), ..] => {
            return Err(format!(
                "`--shard auto` finds both {one} and {other}: write which it is, `--shard I/N`"
            ));
        }
    };
    let numbers = Numbers {
        value: &value,
        count: count.map(NonZeroU32::get),
    };
    let (index, count) = read(&numbers)?;
    Shard::new(index, count).map_err(|error| format!("{name} does not fit: {error}"))
}

/// Variables that are numbers.
struct Numbers<'a> {
    value: &'a dyn Fn(&str) -> Option<String>,
    /// After `auto/`.
    count: Option<u32>,
}

impl Numbers<'_> {
    fn get(&self, name: &str) -> Result<u32, String> {
        let text =
            (self.value)(name).ok_or_else(|| format!("{name} is not set: write `--shard I/N`"))?;
        // Not repeated: nobody knows what it is.
        text.parse()
            .map_err(|_| format!("{name} is not a whole number: write `--shard I/N`"))
    }

    /// Of how many, where a variable tells that too.
    fn count(&self, name: &str, told: u32) -> Result<u32, String> {
        match self.count {
            Some(count) if count != told => Err(format!(
                "{name} says {told} shards, and `--shard auto/{count}` says {count}"
            )),
            _ => Ok(told),
        }
    }
}

/// Counts from 1. Source: GitLab documentation, predefined CI/CD variables.
fn gitlab(numbers: &Numbers<'_>) -> Result<(u32, u32), String> {
    const TOTAL: &str = "CI_NODE_TOTAL";
    let total = numbers.get(TOTAL)?;
    Ok((numbers.get("CI_NODE_INDEX")?, numbers.count(TOTAL, total)?))
}

/// Counts from 0, and does not tell to where.
/// Source: Kubernetes documentation, Indexed Job for parallel processing.
fn kubernetes(numbers: &Numbers<'_>) -> Result<(u32, u32), String> {
    let index = numbers.get("JOB_COMPLETION_INDEX")?;
    let count = numbers.count.ok_or(
        "Kubernetes tells which shard this is, and not of how many: write the Job's `completions` too, as in `--shard auto/8`",
    )?;
    Ok((index.saturating_add(1), count))
}

/// Counts as the array was asked for, from any number in any steps.
/// Source: Slurm documentation, job arrays.
fn slurm(numbers: &Numbers<'_>) -> Result<(u32, u32), String> {
    const COUNT: &str = "SLURM_ARRAY_TASK_COUNT";
    let count = numbers.get(COUNT)?;
    let [id, first, last] = [
        numbers.get("SLURM_ARRAY_TASK_ID")?,
        numbers.get("SLURM_ARRAY_TASK_MIN")?,
        numbers.get("SLURM_ARRAY_TASK_MAX")?,
    ];
    // One task of an array that runs again by itself is an array of one: the whole plan is
    // hardly what it is to run.
    if count == 1 && numbers.count != Some(1) {
        return Err(
            "an array of one task does not tell which shard it is: write it, as in `--shard 3/8`"
                .to_owned(),
        );
    }
    if count == 0 || last.wrapping_sub(first) != count - 1 {
        return Err(format!(
            "the tasks of the array are not numbered one after the other ({count} from {first} to {last}): number them so, as in `--array=1-8`, or write `--shard I/N`"
        ));
    }
    let index = id.saturating_sub(first).saturating_add(1);
    Ok((index, numbers.count(COUNT, count)?))
}

/// Refuses what shards cannot do.
pub fn check(shard: Option<Shard>, args: &RunArgs) -> Result<(), Failure> {
    if shard.is_some() && args.prune {
        return Err(Failure::usage(
            "`--prune` drops what a run did not use of a recording, and other shards may use it: leave it out, or run the whole",
        ));
    }
    if shard.is_none() && args.upload.is_some() {
        return Err(Failure::usage(
            "`--upload` copies the journal of a shard to where `merge` finds it: give `--shard I/N` with it",
        ));
    }
    Ok(())
}

/// What the experiment `name` is called here.
pub fn name(name: &str, shard: Option<Shard>) -> String {
    match shard {
        Some(shard) => shard.name(name),
        None => name.to_owned(),
    }
}

/// What a shard's end makes of the command. Its results decide nothing before they are merged;
/// what it did not do, nobody does.
pub fn exit(exit: Exit, because: EndReason) -> Exit {
    match because {
        EndReason::MaxFailures => exit.min(Exit::Incomplete),
        EndReason::Complete | EndReason::Cancelled | EndReason::Halted => exit,
    }
}

/// Copies the journal in `folder` to where `merge` is to find it, whole or not.
pub fn upload(talk: &Talk, objects: &Objects, folder: &Path) -> Result<(), Failure> {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    let place = objects.put(&folder.join(FILE), &format!("{name}/{FILE}"))?;
    say(talk, &format!("copied to {place}"));
    Ok(())
}

/// Says what to do once all shards are there.
pub fn say_how_it_goes_on(talk: &Talk, folder: &Path, shard: Shard, summary: &Summary) {
    if summary.because != EndReason::Complete {
        return;
    }
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    let whole = Shard::named(&name).map_or(&*name, |(whole, _)| whole);
    say(
        talk,
        &format!(
            "shard {shard}: once all are there, `mailproof merge -e {whole}` puts them together and decides"
        ),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_variables(count: Option<u32>, variables: &[(&str, &str)]) -> Result<String, String> {
        let variable = |name: &str| {
            let found = variables.iter().find(|(other, _)| *other == name)?;
            Some(found.1.to_owned())
        };
        told(count.and_then(NonZeroU32::new), variable).map(|shard| shard.to_string())
    }

    fn slurm(
        id: &'static str,
        first: &'static str,
        last: &'static str,
        count: &'static str,
    ) -> [(&'static str, &'static str); 4] {
        [
            ("SLURM_ARRAY_TASK_ID", id),
            ("SLURM_ARRAY_TASK_MIN", first),
            ("SLURM_ARRAY_TASK_MAX", last),
            ("SLURM_ARRAY_TASK_COUNT", count),
        ]
    }

    #[test]
    fn what_starts_a_process_tells_its_shard() {
        let gitlab = [("CI_NODE_INDEX", "2"), ("CI_NODE_TOTAL", "4")];
        let kubernetes = [("JOB_COMPLETION_INDEX", "0")];
        for (case, count, variables, shard) in [
            ("GitLab counts from 1", None, &gitlab[..], "2/4"),
            ("GitLab, told again", Some(4), &gitlab, "2/4"),
            ("Kubernetes counts from 0", Some(8), &kubernetes, "1/8"),
            ("Slurm from 1", None, &slurm("3", "1", "8", "8"), "3/8"),
            ("Slurm from 0", None, &slurm("0", "0", "7", "8"), "1/8"),
            (
                "Slurm from anywhere",
                Some(3),
                &slurm("12", "10", "12", "3"),
                "3/3",
            ),
            (
                "a whole array of one",
                Some(1),
                &slurm("5", "5", "5", "1"),
                "1/1",
            ),
            (
                "an empty variable is none",
                Some(8),
                &[kubernetes[0], ("CI_NODE_INDEX", "")],
                "1/8",
            ),
        ] {
            assert_eq!(
                of_variables(count, variables).as_deref(),
                Ok(shard),
                "{case}"
            );
        }
    }

    #[test]
    fn what_is_not_told_or_told_twice_is_refused_with_what_to_write() {
        let gitlab = [("CI_NODE_INDEX", "2"), ("CI_NODE_TOTAL", "4")];
        let index = ("JOB_COMPLETION_INDEX", "7");
        for (case, count, variables, told) in [
            ("nobody", None, &[][..], "write `--shard I/N`; on GitHub"),
            (
                "two",
                Some(8),
                &[gitlab[0], gitlab[1], index],
                "both CI_NODE_INDEX and JOB_COMPLETION_INDEX",
            ),
            (
                "GitLab's total alone",
                None,
                &gitlab[1..],
                "neither CI_NODE_INDEX",
            ),
            (
                "GitLab's index alone",
                None,
                &gitlab[..1],
                "CI_NODE_TOTAL is not set",
            ),
            (
                "counted from 0",
                None,
                &[("CI_NODE_INDEX", "0"), gitlab[1]],
                "CI_NODE_INDEX does not fit: there is no shard 0 of 4",
            ),
            (
                "told otherwise",
                Some(5),
                &gitlab,
                "CI_NODE_TOTAL says 4 shards",
            ),
            (
                "no number",
                None,
                &[("CI_NODE_INDEX", "two"), gitlab[1]],
                "CI_NODE_INDEX is not a whole number",
            ),
            (
                "Kubernetes, of how many",
                None,
                &[index],
                "as in `--shard auto/8`",
            ),
            ("more than that", Some(7), &[index], "no shard 8 of 7"),
            (
                "one task again",
                None,
                &slurm("3", "3", "3", "1"),
                "as in `--shard 3/8`",
            ),
            (
                "one task again, of how many",
                Some(8),
                &slurm("3", "3", "3", "1"),
                "as in `--shard 3/8`",
            ),
            (
                "gaps",
                None,
                &slurm("3", "1", "7", "3"),
                "not numbered one after the other",
            ),
            (
                "nonsense",
                None,
                &slurm("3", "7", "1", "0"),
                "not numbered one after the other",
            ),
        ] {
            let error = of_variables(count, variables).expect_err(case);
            assert!(error.contains(told), "{case}: {error}");
        }
    }

    #[test]
    fn a_shard_that_was_stopped_early_is_incomplete_and_wrong_answers_are_not_its_to_decide() {
        for (of_end, because, code) in [
            (Exit::Ok, EndReason::Complete, 0),
            (Exit::Ok, EndReason::MaxFailures, 5),
            (Exit::Interrupted, EndReason::Cancelled, 130),
            (Exit::Budget, EndReason::Halted, 102),
        ] {
            assert_eq!(exit(of_end, because).code(), code, "{because:?}");
        }
    }
}
