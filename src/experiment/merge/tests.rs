use std::sync::Arc;

use super::*;
use crate::dataset::Dataset;
use crate::email::Triage;
use crate::experiment::execute::{Recorded, execute};
use crate::experiment::journal::Journal;
use crate::experiment::record::{Attempt, EndReason, Ended, Session};
use crate::experiment::tests::{
    Bench, Fake, attempts, choices, dataset, episode, redactor, right, run, scenario,
};
use crate::experiment::{Choices, EndReason as Because};
use crate::judge::{JudgeKey, Verdict};
use crate::run::Run;
use crate::target::{Start, Target};

fn people() -> Dataset {
    Dataset {
        scenarios: vec![scenario("e0/accept", 0, Vec::new())],
        episodes: vec![episode("learns", &[0, 1])],
        ..dataset(8)
    }
}

fn part(index: u32, count: u32) -> Choices {
    Choices {
        agents: vec!["workflow".into(), "hitl-memory".into()],
        repeat: 2,
        shard: Some(Shard::new(index, count).unwrap()),
        ..choices()
    }
}

/// Carries out a plan to its end, as `bench` in a folder of its own.
async fn carried_out(choices: &Choices, target: Arc<dyn Target>) -> Bench {
    let bench = Bench::new(choices, people());
    carry_on(&bench, bench.create(), target).await;
    bench
}

async fn carry_on(bench: &Bench, journal: Journal, target: Arc<dyn Target>) {
    journal.begin(session()).await.unwrap();
    let path = journal.path().to_owned();
    let summary = execute(bench.execution(journal, target, 3)).await.unwrap();
    assert_eq!(summary.because, Because::Complete);
    let (journal, ()) = Journal::reopen(&path, redactor(), |_| Ok::<_, JournalError>(())).unwrap();
    journal.end(ended(summary.counts.recorded())).await.unwrap();
}

fn session() -> Session {
    Session {
        started: jiff::Timestamp::UNIX_EPOCH,
        arguments: vec!["run".into(), "triage".into()],
        concurrency: 3,
        host: "here".into(),
    }
}

fn ended(attempts: u64) -> Ended {
    Ended {
        at: jiff::Timestamp::UNIX_EPOCH,
        because: EndReason::Complete,
        attempts,
        halted: None,
        traffic: BTreeMap::new(),
        recording: None,
        spent: None,
    }
}

/// All shards of a plan, each carried out in a folder of its own.
async fn all(count: u32) -> Vec<Bench> {
    let mut benches = Vec::new();
    for index in 1..=count {
        benches.push(carried_out(&part(index, count), right()).await);
    }
    benches
}

fn sources<'a>(benches: impl IntoIterator<Item = &'a Bench>) -> Vec<Source> {
    let named = benches.into_iter().enumerate();
    named
        .map(|(number, bench)| Source {
            name: format!("place {number}"),
            path: bench.path(),
        })
        .collect()
}

/// Merges into an empty folder; where that fails, the folder is empty still.
fn merged(sources: &[Source]) -> Result<(tempfile::TempDir, Merged), MergeError> {
    let reports = tempfile::tempdir().unwrap();
    match merge(
        sources,
        reports.path(),
        &"whole".parse().unwrap(),
        &redactor(),
    ) {
        Ok(merged) => Ok((reports, merged)),
        Err(error) => {
            assert_eq!(fs::read_dir(reports.path()).unwrap().count(), 0, "{error}");
            Err(error)
        }
    }
}

/// What two runs of one plan have in common.
fn said(attempts: &[Attempt<Run>]) -> Vec<String> {
    let said = |attempt: &Attempt<Run>| {
        format!(
            "{:?} {:?} {:?}",
            attempt.case, attempt.kind, attempt.feedback
        )
    };
    attempts.iter().map(said).collect()
}

#[tokio::test]
async fn merged_shards_are_the_journal_of_a_single_run() {
    let whole = carried_out(
        &Choices {
            shard: None,
            ..part(1, 1)
        },
        right(),
    )
    .await;
    for count in [1, 3, 40] {
        let benches = all(count).await;
        // In whatever order they are named.
        let (_reports, merged) = merged(&sources(benches.iter().rev())).unwrap();
        let path = merged.folder.join(FILE);
        assert_eq!(said(&attempts(&path)), said(&attempts(&whole.path())));
        assert_eq!((merged.shards, merged.twice), (count, Vec::new()));
        let mut reader = Reader::open(&path).unwrap();
        let header = reader.header().clone();
        assert_eq!(header.experiment, "whole");
        assert_eq!(shared(&header, &whole.header()), whole.header());
        let read = reader.attempts::<IgnoredAny>().map(Result::unwrap).count() as u64;
        assert_eq!((merged.attempts, header.planned()), (read, Some(read)));
        assert_eq!(reader.ended().unwrap().attempts, read);
        assert_eq!(reader.sessions().len() as u32, count);
        let text = fs::read_to_string(&path).unwrap();
        let prompts = text.lines().filter(|line| line.starts_with("{\"prompt\""));
        assert_eq!(prompts.count(), 1, "it is shared, and stands once");
    }
}

#[tokio::test]
async fn what_is_missing_or_not_whole_is_named_and_nothing_is_written() {
    let benches = all(3).await;
    // Killed in its second half: no end, and attempts are wanting.
    let path = benches[1].path();
    let text = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let kept = lines[..lines.len() / 2].join("\n");
    fs::write(&path, kept).unwrap();
    let error = merged(&sources(&benches[1..])).unwrap_err();
    assert_eq!(
        error.to_string(),
        "2 of 3 shards are not there, or not whole"
    );
    let MergeError::Incomplete {
        lacking, arguments, ..
    } = error
    else {
        panic!("{error}");
    };
    assert_eq!(arguments, ["run", "triage"]);
    let [missing, torn] = &lacking[..] else {
        panic!("{lacking:?}");
    };
    assert_eq!((missing.shard.index(), &missing.found), (1, &None));
    let found = torn.found.as_ref().unwrap();
    assert_eq!((torn.shard.index(), found.name.as_str()), (2, "place 0"));
    assert!(
        0 < found.attempts && found.attempts < found.planned,
        "{found:?}"
    );

    // Run again, and it is there.
    benches[1].finish(&path, right()).await;
    merged(&sources(&benches)).unwrap();
}

#[tokio::test]
async fn a_copy_is_taken_once_and_another_run_of_a_shard_is_refused() {
    let benches = all(2).await;
    let copy = tempfile::NamedTempFile::new().unwrap();
    fs::copy(benches[1].path(), copy.path()).unwrap();
    let mut twice = sources(&benches);
    twice.push(Source {
        name: "copy".into(),
        path: copy.path().to_owned(),
    });
    let (_reports, whole) = merged(&twice).unwrap();
    let shard = Shard::new(2, 2).unwrap();
    assert_eq!(whole.twice, [(shard, "place 1".into(), "copy".into())]);

    let otherwise = Arc::new(Fake(async |id: String, _: Start| match id.as_str() {
        "e1" => run(Triage::Notify),
        _ => run(Triage::Respond),
    }));
    let other = carried_out(&part(2, 2), otherwise).await;
    let [one, two] = &benches[..] else { panic!() };
    let error = merged(&sources([one, two, &other])).unwrap_err();
    let MergeError::Conflict { cases, .. } = &error else {
        panic!("{error}");
    };
    assert!(cases[0].starts_with("`e1`, "), "{cases:?}");
    let text = error.to_string();
    assert!(
        text.starts_with("place 1 and place 2 are both shard 2/2, and"),
        "{text}"
    );
}

#[tokio::test]
async fn shards_of_two_plans_are_refused_with_what_differs() {
    let one = carried_out(&part(1, 2), right()).await;
    let with = |change: fn(&mut Choices)| {
        let mut choices = part(2, 2);
        change(&mut choices);
        choices
    };
    for (choices, told) in [
        (with(|it| it.seed = 7), "\n  seed: 0 → 7"),
        (
            with(|it| it.limits.max_steps = 3),
            "\n  limits.max_steps: 25 → 3",
        ),
        (part(2, 3), "place 0 is shard 1/2, and place 1 is shard 2/3"),
        (
            with(|it| it.shard = None),
            "place 1 is a whole experiment and no shard",
        ),
    ] {
        let other = carried_out(&choices, right()).await;
        let error = merged(&sources([&one, &other])).unwrap_err().to_string();
        assert!(error.contains(told), "{told} in {error}");
    }
    assert!(matches!(merged(&[]), Err(MergeError::Nothing)));
}

#[tokio::test]
async fn a_shard_of_another_day_is_another_plan_and_one_from_elsewhere_is_not() {
    let benches = all(2).await;
    let path = benches[1].path();
    let text = fs::read_to_string(&path).unwrap();
    let change = |from: &str, to: &str| {
        assert!(text.contains(from), "{from}");
        fs::write(&path, text.replacen(from, to, 1)).unwrap();
    };
    change(r#""date":"2026-03-02""#, r#""date":"2026-03-03""#);
    let error = merged(&sources(&benches)).unwrap_err().to_string();
    assert!(error.contains("date: 2026-03-02 → 2026-03-03"), "{error}");
    change(r#""paths":[]"#, r#""paths":["/mnt/mails.yaml"]"#);
    merged(&sources(&benches)).unwrap();
}

#[tokio::test]
async fn journals_that_were_changed_are_refused() {
    let benches = all(2).await;
    let (one, two) = (benches[0].path(), benches[1].path());
    let [first, second] = [&one, &two].map(|path| fs::read_to_string(path).unwrap());
    let first_attempt = first
        .lines()
        .find(|line| line.starts_with("{\"attempt\""))
        .unwrap();
    let second_attempt = second
        .lines()
        .find(|line| line.starts_with("{\"attempt\""))
        .unwrap();
    for (case, text, told) in [
        (
            "an attempt of the other shard",
            second.replacen(second_attempt, first_attempt, 1),
            "which another shard has too",
        ),
        (
            "a prompt of another text",
            second.replacen("You sort mail.", "You sort nothing.", 1),
            "another text for a prompt",
        ),
        (
            "a shard that is more than all",
            second.replacen(r#""cases":["#, r#""cases":[9999,"#, 1),
            "the header's shard is no part of its plan",
        ),
        (
            "an attempt twice",
            format!("{second}{second_attempt}\n"),
            "a second record",
        ),
    ] {
        assert_ne!(text, second, "{case}");
        fs::write(&two, text).unwrap();
        let error = merged(&sources(&benches)).unwrap_err().to_string();
        assert!(error.contains(told), "{case}: {error}");
    }
}

#[tokio::test]
async fn a_canary_holds_where_it_did_in_every_shard() {
    use Verdict::{Fail, Pass};
    let shown = |models: &str, found: [Option<Verdict>; 3]| Canaries {
        judge: JudgeKey::ResponseCriteria,
        models: vec![models.into()],
        canaries: (0..3)
            .map(|number| crate::judge::canary::Canary {
                id: format!("c{number}"),
                orders: false,
                expected: Fail,
                found: found[number],
            })
            .collect(),
    };
    let mut benches = Vec::new();
    for (index, canaries) in [
        (1, vec![shown("a", [Some(Fail), Some(Fail), Some(Fail)])]),
        (
            2,
            vec![
                shown("b", [Some(Fail); 3]),
                shown("a", [Some(Fail), Some(Pass), Some(Fail)]),
            ],
        ),
        (3, vec![shown("a", [Some(Fail), None, None])]),
    ] {
        let bench = Bench::new(&part(index, 3), people());
        let journal = bench.create();
        for canaries in canaries {
            journal.canaries(canaries).await.unwrap();
        }
        carry_on(&bench, journal, right()).await;
        benches.push(bench);
    }
    let (_reports, whole) = merged(&sources(&benches)).unwrap();
    let mut reader = Reader::open(&whole.folder.join(FILE)).unwrap();
    assert!(
        reader
            .attempts::<IgnoredAny>()
            .all(|attempt| attempt.is_ok())
    );
    assert_eq!(
        reader.canaries(),
        [
            shown("a", [Some(Fail), Some(Pass), None]),
            shown("b", [Some(Fail); 3]),
        ]
    );

    let path = benches[2].path();
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replacen("\"c1\"", "\"other\"", 1)).unwrap();
    let error = merged(&sources(&benches)).unwrap_err().to_string();
    assert!(
        error.contains("place 0 and place 2 showed judges other canaries"),
        "{error}"
    );
}

#[tokio::test]
async fn a_name_that_is_taken_stays_as_it_was() {
    let benches = all(2).await;
    let reports = tempfile::tempdir().unwrap();
    let again = |name: &str| {
        let name = name.parse().unwrap();
        merge(&sources(&benches), reports.path(), &name, &redactor())
    };
    again("whole").unwrap();
    let written = fs::read(reports.path().join("whole").join(FILE)).unwrap();
    let error = again("whole").unwrap_err().to_string();
    assert!(error.starts_with("experiment `whole` exists in"), "{error}");
    assert_eq!(
        fs::read(reports.path().join("whole").join(FILE)).unwrap(),
        written
    );
    assert!(matches!(again("sample"), Err(MergeError::Name(_))));
    // What a process left that was killed while it merged.
    fs::create_dir(reports.path().join("empty")).unwrap();
    again("empty").unwrap();
}

#[tokio::test]
async fn secrets_that_a_shard_did_not_know_are_hidden_when_it_is_merged() {
    let secret = "canary-9f8e7d6c5b4a";
    let tells = Arc::new(Fake(async move |_, _: Start| Run {
        reasoning: Some(secret.to_owned()),
        ..run(Triage::Respond)
    }));
    let bench = carried_out(&part(1, 1), tells).await;
    assert!(fs::read_to_string(bench.path()).unwrap().contains(secret));
    let reports = tempfile::tempdir().unwrap();
    let hides = Redactor::new([secret.to_owned()]);
    let merged = merge(
        &sources([&bench]),
        reports.path(),
        &"whole".parse().unwrap(),
        &hides,
    );
    let text = fs::read_to_string(merged.unwrap().folder.join(FILE)).unwrap();
    assert!(!text.contains(secret) && text.contains("[redacted]"));
}

#[tokio::test]
async fn a_shard_goes_on_with_its_own_cases_alone() {
    let bench = Bench::new(&part(2, 3), people());
    let mut execution = bench.execution(bench.create(), right(), 1);
    let cancel = execution.cancel.clone();
    let stops = Arc::new(Fake(move |_, _: Start| {
        cancel.cancel();
        async { run(Triage::Respond) }
    }));
    for cast in &mut execution.casts {
        cast.target = stops.clone();
    }
    assert_eq!(execution.recorded, Recorded::default());
    let summary = execute(execution).await.unwrap();
    assert_eq!(summary.because, Because::Cancelled);
    let summary = bench.finish(&bench.path(), right()).await;
    assert_eq!(summary.because, Because::Complete);
    assert_eq!(summary.counts.recorded(), bench.plan.planned());
    let cases: Vec<_> = attempts(&bench.path())
        .iter()
        .map(|it| it.case.case())
        .collect();
    assert_eq!(cases, bench.plan.cases().collect::<Vec<_>>());

    // The journal of another shard, under this one's header.
    let other = carried_out(&part(1, 3), right()).await;
    let text = fs::read_to_string(other.path()).unwrap();
    let own = fs::read_to_string(bench.path()).unwrap();
    let (_, rest) = text.split_once('\n').unwrap();
    fs::write(
        bench.path(),
        format!("{}\n{rest}", own.lines().next().unwrap()),
    )
    .unwrap();
    let error =
        crate::experiment::resume::resume(&bench.path(), &bench.plan, &bench.dataset, redactor());
    let error = error.unwrap_err().to_string();
    assert!(error.contains("that is another shard's"), "{error}");
}
