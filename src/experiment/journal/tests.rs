use std::fs;
use std::io::Write;

use jiff::Timestamp;
use proptest::prelude::*;
use serde::de::IgnoredAny;

use super::*;
use crate::dataset::Dataset;
use crate::email::Triage;
use crate::experiment::Attempt;
use crate::experiment::execute::{Summary, execute};
use crate::experiment::plan::{Choices, Plan};
use crate::experiment::record::{EndReason, Looks};
use crate::experiment::resume::{Difference, ResumeError, resume};
use crate::experiment::tests::{
    Bench, DAY, Fake, attempts, choices, dataset, episode, redactor, right, run, scenario,
};
use crate::redact::Redactor;
use crate::run::{Cost, Run};
use crate::target::Start;

fn session() -> Session {
    Session {
        started: Timestamp::UNIX_EPOCH,
        arguments: vec!["run".into()],
        concurrency: 3,
        host: "linux/x86_64".into(),
    }
}

fn ended(because: EndReason, attempts: u64) -> Ended {
    Ended {
        at: Timestamp::UNIX_EPOCH,
        because,
        attempts,
        halted: None,
        traffic: Default::default(),
        recording: None,
        spent: Some(Cost::ZERO),
    }
}

/// A finished experiment of four examples in two variants.
async fn finished() -> Bench {
    finish(Bench::new(&choices(), dataset(4))).await
}

/// An example, a scenario, and an episode, each by the agents that take part: six attempts.
async fn finished_with_people() -> Bench {
    let choices = Choices {
        agents: vec!["baseline".into(), "hitl".into(), "hitl-memory".into()],
        ..choices()
    };
    let dataset = Dataset {
        scenarios: vec![scenario("e0/accept", 0, Vec::new())],
        episodes: vec![episode("learns", &[0, 0])],
        ..dataset(1)
    };
    finish(Bench::new(&choices, dataset)).await
}

async fn finish(bench: Bench) -> Bench {
    let planned = bench.plan.grid().cases();
    let journal = bench.create();
    journal.begin(session()).await.unwrap();
    let execution = bench.execution(journal, right(), 2);
    let journal = Arc::clone(&execution.journal);
    execute(execution).await.unwrap();
    let end = ended(EndReason::Complete, planned);
    journal.end(end).await.unwrap();
    bench
}

fn lines(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.ends_with('\n'));
    text.lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn a_journal_is_header_session_prompt_attempts_and_end() {
    let bench = finished().await;
    let lines = lines(&bench.path());
    let kinds: Vec<&str> = lines
        .iter()
        .map(|line| line[2..].split('"').next().unwrap())
        .collect();
    assert_eq!(kinds[..4], ["header", "session", "prompt", "attempt"]);
    assert_eq!(kinds[4..11], ["attempt"; 7]);
    assert_eq!(kinds[11..], ["ended"]);
    insta::assert_snapshot!(lines[2], @r#"{"prompt":{"hash":"0d0a9773311150af","content":{"system":"You sort mail."}}}"#);
    let first = attempts(&bench.path()).remove(0);
    insta::assert_snapshot!(serde_json::to_string(&first).unwrap(), @r#"{"case":{"variant":0,"position":0,"repeat":0,"example":"e0"},"split":null,"cluster":null,"tags":[],"expected":"respond","found":"respond","outcome":"finished","feedback":[{"key":"triage.accuracy","score":1.0}],"usage":{"router":{"calls":1,"input_tokens":10,"output_tokens":2,"cached_input_tokens":0,"cost_usd":null}},"latency_ms":1.5,"started":"1970-01-01T00:00:00Z","runs":[{"outcome":"finished","triage":"respond","reasoning":"because","messages":[],"steps":[],"usage":{"router":{"calls":1,"input_tokens":10,"output_tokens":2,"cached_input_tokens":0,"cost_usd":null}},"latency_ms":1.5}]}"#);
}

#[tokio::test]
async fn a_journal_that_grows_is_read_on_wherever_it_broke_off() {
    let bench = finished().await;
    let whole = fs::read(bench.path()).unwrap();
    let mut reader = Reader::open(&bench.path()).unwrap();
    let all: Vec<_> = reader.attempts::<Run>().map(Result::unwrap).collect();
    let header = whole.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    for step in [1, 7, 1000] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        let mut file = fs::File::create(&path).unwrap();
        file.write_all(&whole[..header]).unwrap();
        let mut growing = Reader::open(&path).unwrap();
        let mut met = Vec::new();
        for more in whole[header..].chunks(step) {
            file.write_all(more).unwrap();
            met.extend(growing.attempts::<Run>().map(Result::unwrap));
        }
        let found = met
            .iter()
            .map(|entry| (entry.offset, entry.attempt.case.clone()));
        let wanted = all
            .iter()
            .map(|entry| (entry.offset, entry.attempt.case.clone()));
        assert!(found.eq(wanted), "by {step}");
        assert_eq!(growing.ended(), reader.ended(), "by {step}");
        assert_eq!(growing.end(), whole.len() as u64, "by {step}");
    }
}

#[tokio::test]
async fn what_was_written_is_read_again() {
    let bench = finished().await;
    let mut reader = Reader::open(&bench.path()).unwrap();
    assert_eq!(*reader.header(), bench.header());
    let entries: Vec<Entry<Run>> = reader.attempts().collect::<Result<_, _>>().unwrap();
    assert_eq!(entries.len(), 8);
    for entry in entries {
        let again: Attempt<Run> = read_attempt(&bench.path(), entry.offset).unwrap();
        assert_eq!(again.case, entry.attempt.case);
        assert_eq!(again.runs, entry.attempt.runs);
        let nowhere = read_attempt::<Run>(&bench.path(), entry.offset + 1);
        assert!(matches!(nowhere, Err(JournalError::Corrupt { .. })));
    }
    let prompt = run(Triage::Respond).prompts.remove(0);
    assert_eq!(
        reader.prompt(prompt.hash()).unwrap().as_ref(),
        Some(prompt.content())
    );
    assert_eq!(reader.prompt("feed").unwrap(), None);
    assert_eq!(reader.sessions(), [session()]);
    assert_eq!(reader.ended(), Some(&ended(EndReason::Complete, 8)));
}

#[tokio::test]
async fn a_name_that_exists_is_refused_unless_nothing_was_begun() {
    let bench = finished().await;
    let create = |bench: &Bench| Journal::create(bench.reports.path(), &bench.header(), redactor());
    let before = fs::read(bench.path()).unwrap();
    assert!(matches!(create(&bench), Err(JournalError::Exists { .. })));
    assert_eq!(fs::read(bench.path()).unwrap(), before);
    // Killed while the header was being written.
    fs::write(bench.path(), &before[..40]).unwrap();
    assert!(matches!(
        Reader::open(&bench.path()),
        Err(JournalError::NoHeader { .. })
    ));
    drop(create(&bench).unwrap());
    assert_eq!(
        *Reader::open(&bench.path()).unwrap().header(),
        bench.header()
    );
    // A folder that holds something else.
    let other = Bench::new(&choices(), dataset(1));
    fs::create_dir_all(other.path().parent().unwrap()).unwrap();
    fs::write(other.path().with_file_name("notes.txt"), "mine").unwrap();
    assert!(matches!(create(&other), Err(JournalError::Exists { .. })));
}

#[test]
fn names_that_are_reserved_or_no_names_are_refused() {
    let bench = Bench::new(&choices(), dataset(1));
    for name in ["sample", "Recorded", "../elsewhere", ""] {
        let header = bench.plan.header(name, Timestamp::UNIX_EPOCH, DAY);
        let created = Journal::create(bench.reports.path(), &header, redactor());
        assert!(matches!(created, Err(JournalError::Name(_))), "{name}");
    }
    assert_eq!(fs::read_dir(bench.reports.path()).unwrap().count(), 0);
}

#[test]
fn a_second_writer_is_refused_until_the_first_is_gone() {
    let bench = Bench::new(&choices(), dataset(1));
    let first = bench.create();
    let again = || resume(&bench.path(), &bench.plan, &bench.dataset, redactor());
    assert!(matches!(
        again(),
        Err(ResumeError::Journal(JournalError::Locked { .. }))
    ));
    let create = Journal::create(bench.reports.path(), &bench.header(), redactor());
    assert!(matches!(create, Err(JournalError::Locked { .. })));
    // Readers need no lock.
    assert_eq!(
        *Reader::open(&bench.path()).unwrap().header(),
        bench.header()
    );
    drop(first);
    again().unwrap();
}

#[tokio::test]
async fn cut_anywhere_a_journal_goes_on_without_loss_or_repetition() {
    goes_on_from_everywhere(finished().await, 1).await;
}

#[tokio::test]
async fn cut_among_scenarios_and_episodes_a_journal_goes_on_likewise() {
    goes_on_from_everywhere(finished_with_people().await, 41).await;
}

/// Cuts at each `every`-th byte of the last attempt and the end, and at steps through the
/// rest.
async fn goes_on_from_everywhere(bench: Bench, every: usize) {
    let planned = bench.plan.grid().cases();
    let text = fs::read_to_string(bench.path()).unwrap();
    let whole = text.as_bytes();
    let expected: Vec<String> = attempts(&bench.path())
        .iter()
        .map(|attempt| serde_json::to_string(attempt).unwrap())
        .collect();
    let header_end = whole.iter().position(|&byte| byte == b'\n').unwrap() + 1;
    let tail = text.rfind("{\"attempt\"").unwrap() - 5;
    let cuts = (header_end..tail).step_by(37 + every);
    let cuts = cuts.chain((tail..=whole.len()).step_by(every));
    for cut in cuts {
        fs::write(bench.path(), &whole[..cut]).unwrap();
        let counted = whole[..cut]
            .split_inclusive(|&byte| byte == b'\n')
            .filter(|line| line.starts_with(b"{\"attempt\"") && line.ends_with(b"\n"))
            .count() as u64;
        // Attempts that ran: those of an episode begin with its first step.
        let ran = Arc::new(std::sync::atomic::AtomicU64::new(0));
        let running = Arc::clone(&ran);
        let target = Arc::new(Fake(move |_, start: Start| {
            let place = start.thread.rsplit('/').next().unwrap();
            let first = place == "step-1" || place.parse::<u32>().is_ok();
            running.fetch_add(u64::from(first), std::sync::atomic::Ordering::SeqCst);
            async { run(Triage::Respond) }
        }));
        let Summary {
            because, counts, ..
        } = bench.finish(&bench.path(), target).await;
        assert_eq!(because, EndReason::Complete);
        assert_eq!(counts.recorded(), planned);
        let ran = ran.load(std::sync::atomic::Ordering::SeqCst);
        assert_eq!(ran + counted, planned, "cut at {cut}");
        let found: Vec<String> = attempts(&bench.path())
            .iter()
            .map(|attempt| serde_json::to_string(attempt).unwrap())
            .collect();
        assert_eq!(found, expected, "cut at {cut}");
        let mut reader = Reader::open(&bench.path()).unwrap();
        assert_eq!(reader.attempts::<IgnoredAny>().count() as u64, planned);
        let hash = run(Triage::Respond).prompts[0].hash().to_owned();
        assert!(reader.prompt(&hash).unwrap().is_some());
    }
}

#[tokio::test]
async fn a_resumed_experiment_keeps_its_date_and_refuses_another_plan() {
    let bench = finished().await;
    let resumed = resume(&bench.path(), &bench.plan, &bench.dataset, redactor()).unwrap();
    assert_eq!(resumed.header.date, DAY);
    assert_eq!(resumed.recorded.done.count(), 8);
    assert_eq!(resumed.recorded.counts.passed, 8);
    drop(resumed);

    let mut other = choices();
    other.seed = 7;
    other.limits.max_steps = 3;
    other.models.push("openai:gpt".into());
    other.min_pass_rate = Some(0.9);
    let plan = Plan::resolve(&other, &bench.dataset).unwrap();
    let before = fs::read(bench.path()).unwrap();
    let error = resume(&bench.path(), &plan, &bench.dataset, redactor()).unwrap_err();
    assert_eq!(fs::read(bench.path()).unwrap(), before);
    let ResumeError::OtherPlan { differences, .. } = error else {
        panic!("{error}");
    };
    let texts: Vec<String> = differences.iter().map(Difference::to_string).collect();
    insta::assert_snapshot!(texts.join("\n"), @r#"
    seed: 0 → 7
    variants: baseline@rules, workflow@rules → baseline@rules, baseline@openai:gpt, workflow@rules, workflow@openai:gpt
    limits.max_steps: 25 → 3
    models: not given → {"openai:gpt":{"model":"openai:gpt","settings":{"agent":{"temperature":0.0},"router":{"temperature":0.0}}}}
    min_pass_rate: not given → 0.9
    "#);

    // The same examples in another order, and one of them under another name.
    let mut moved = dataset(4);
    moved.examples.reverse();
    let plan = Plan::resolve(&choices(), &moved).unwrap();
    let error = resume(&bench.path(), &plan, &moved, redactor()).unwrap_err();
    assert!(error.to_string().contains("examples_hash"), "{error}");
}

#[tokio::test]
async fn records_that_do_not_fit_the_plan_are_located() {
    let bench = finished().await;
    let whole = lines(&bench.path());
    let spoil = |number: usize, line: &str| {
        let mut lines = whole.clone();
        lines[number] = line.to_owned();
        fs::write(bench.path(), lines.join("\n") + "\n").unwrap();
        let mut reader = Reader::open(&bench.path())?;
        reader
            .attempts::<Run>()
            .try_for_each(|entry| entry.map(drop))
    };
    let bomb = format!("{{\"attempt\":{{\"more\":{}", "[".repeat(200_000));
    for (case, line, reason) in [
        ("not JSON", "hello", "expected value"),
        ("empty", "", "EOF"),
        ("unknown record", r#"{"note":1}"#, "unknown variant `note`"),
        ("nested without end", &bomb, "EOF"),
        ("not UTF-8", "{\"attempt\":\"\u{fffd}", "EOF"),
        ("a second header", &whole[0], "a second header"),
        (
            "the same attempt",
            &whole[4],
            "a second record of the same attempt",
        ),
        (
            "out of the plan",
            &whole[5].replace("\"position\":", "\"position\":9"),
            "not planned",
        ),
        (
            "out of range",
            &whole[5].replace("\"variant\":", "\"variant\":99999999999"),
            "invalid value",
        ),
    ] {
        let error = spoil(5, line).expect_err(case);
        let JournalError::Corrupt {
            line,
            reason: found,
            ..
        } = error
        else {
            panic!("{case}: {error}");
        };
        assert_eq!(line, 6, "{case}");
        assert!(found.contains(reason), "{case}: {found}");
    }
    // Only resuming knows which example a position stands for.
    let renamed = whole[5].replace("\"example\":\"e", "\"example\":\"x");
    spoil(5, &renamed).unwrap();
    let error = resume(&bench.path(), &bench.plan, &bench.dataset, redactor()).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("journal.jsonl:6: an attempt at `x"),
        "{error}"
    );
}

#[test]
fn a_header_that_cannot_be_read_says_why() {
    let bench = Bench::new(&choices(), dataset(2));
    drop(bench.create());
    let header = fs::read_to_string(bench.path()).unwrap();
    let open = |text: &str| {
        fs::write(bench.path(), text).unwrap();
        Reader::open(&bench.path()).unwrap_err()
    };
    let newer = open(&header.replace("journal/1", "journal/3"));
    assert!(matches!(&newer, JournalError::Format { found, .. } if found == "mailproof.journal/3"));
    assert!(newer.to_string().contains("`mailproof.journal/1`"));
    assert!(matches!(open(""), JournalError::NoHeader { .. }));
    assert!(matches!(
        open("{}\n"),
        JournalError::Corrupt { line: 1, .. }
    ));
    let huge = header.replace("\"repeat\":1", "\"repeat\":4000000000");
    assert!(matches!(open(&huge), JournalError::Corrupt { line: 1, .. }));
    fs::remove_file(bench.path()).unwrap();
    let missing = Reader::open(&bench.path()).unwrap_err();
    assert!(matches!(missing, JournalError::Missing { .. }));
}

#[test]
fn a_line_without_end_is_an_error_of_bounded_size() {
    let bench = Bench::new(&choices(), dataset(2));
    drop(bench.create());
    let mut file = fs::File::options().append(true).open(bench.path()).unwrap();
    let chunk = vec![b' '; 1024 * 1024];
    for _ in 0..=LONGEST_LINE / chunk.len() as u64 {
        file.write_all(&chunk).unwrap();
    }
    let mut reader = Reader::open(&bench.path()).unwrap();
    let error = reader.next_attempt::<IgnoredAny>().unwrap_err();
    assert!(
        matches!(error, JournalError::Corrupt { line: 2, .. }),
        "{error}"
    );
}

#[tokio::test]
async fn secrets_do_not_reach_the_file() {
    let canary = "canary-0123456789\"\\";
    let bench = Bench::new(&choices(), dataset(1));
    let redactor = Arc::new(Redactor::new([canary.to_owned()]));
    let mut header = bench.header();
    header.dataset.paths = vec![format!("/data/{canary}")];
    let journal = Journal::create(bench.reports.path(), &header, redactor).unwrap();
    journal
        .begin(Session {
            arguments: vec![canary.into()],
            ..session()
        })
        .await
        .unwrap();
    let target = Arc::new(Fake(move |_, _| {
        let mut run = run(Triage::Respond);
        run.reasoning = Some(format!("it said {canary}"));
        run.error = Some(canary.into());
        run.prompts = vec![crate::message::Prompt::new(canary.into(), Vec::new())];
        async { run }
    }));
    execute(bench.execution(journal, target, 1)).await.unwrap();
    let text = fs::read_to_string(bench.path()).unwrap();
    assert!(!text.contains("canary"), "{text}");
    assert_eq!(attempts(&bench.path()).len(), 2);
}

#[tokio::test]
async fn experiments_are_listed_newest_first_and_strangers_are_tolerated() {
    let bench = finished().await;
    let reports = bench.reports.path();
    for (name, second) in [("old", 1), ("new", 9)] {
        let created = Timestamp::from_second(second).unwrap();
        let header = bench.plan.header(name, created, DAY);
        drop(Journal::create(reports, &header, redactor()).unwrap());
    }
    fs::create_dir(reports.join("sample")).unwrap();
    fs::write(reports.join("README.md"), "").unwrap();
    fs::create_dir(reports.join("foreign")).unwrap();
    fs::write(reports.join("foreign").join(FILE), "not a journal\n").unwrap();
    let listed = list(reports).unwrap();
    let rows: Vec<(&str, Option<(u64, u64)>)> = listed
        .iter()
        .map(|l| {
            (
                l.name.as_str(),
                l.progress.as_ref().ok().map(|p| (p.attempts, p.planned)),
            )
        })
        .collect();
    assert_eq!(
        rows,
        [
            ("new", Some((0, 8))),
            ("old", Some((0, 8))),
            ("bench", Some((8, 8))),
            ("foreign", None),
        ]
    );
    assert_eq!(newest(reports).unwrap().unwrap().name, "new");
    assert_eq!(
        newest_unfinished(reports, |_| true).unwrap().unwrap().name,
        "new"
    );
    // Counted line by line where no end was written.
    let text = fs::read_to_string(bench.path()).unwrap();
    let cut = text.rfind("{\"ended\"").unwrap();
    fs::write(bench.path(), &text[..cut - 10]).unwrap();
    let bench = list(reports)
        .unwrap()
        .into_iter()
        .find(|l| l.name == "bench")
        .unwrap();
    assert_eq!(bench.progress.unwrap().attempts, 7);
    assert!(list(&reports.join("none")).unwrap().is_empty());
}

/// Two looks at three examples in two variants; after the first the plan has grown.
async fn grown() -> Bench {
    let looks = Looks {
        most: 4,
        reference: "base".into(),
        created: Timestamp::UNIX_EPOCH,
        variant: None,
        layer: 0,
    };
    let choices = Choices {
        looks: Some(looks),
        ..choices()
    };
    let bench = Bench::new(&choices, dataset(3));
    let journal = bench.create();
    journal.begin(session()).await.unwrap();
    let execution = bench.execution(journal, right(), 2);
    let journal = Arc::clone(&execution.journal);
    execute(execution).await.unwrap();
    journal.grow(Grown { repeat: 2 }).await.unwrap();
    bench
}

#[tokio::test]
async fn a_plan_that_grew_is_known_as_it_is_from_the_first_line_on() {
    let bench = grown().await;
    let reader = Reader::open(&bench.path()).unwrap();
    let header = reader.header();
    assert_eq!((header.repeat, header.planned()), (2, Some(12)));
    assert_eq!(header.format, FORMAT_IN_LOOKS);
    assert!(lines(&bench.path())[0].contains("\"repeat\":1"));
    let listed = || {
        list(bench.reports.path())
            .unwrap()
            .remove(0)
            .progress
            .unwrap()
    };
    assert_eq!((listed().attempts, listed().planned), (6, 12));
    // It goes on with the plan as it is by now, and with no other.
    let again = redactor();
    let grown = bench.plan.grown(2);
    assert!(matches!(
        resume(
            &bench.path(),
            &bench.plan,
            &bench.dataset,
            Arc::clone(&again)
        ),
        Err(ResumeError::OtherPlan { .. })
    ));
    let resumed = resume(&bench.path(), &grown, &bench.dataset, again).unwrap();
    assert_eq!(resumed.recorded.counts.recorded(), 6);
    drop(resumed);
    let mut reader = Reader::open(&bench.path()).unwrap();
    assert_eq!(reader.attempts::<IgnoredAny>().count(), 6);
}

#[tokio::test]
async fn looks_are_finished_only_when_the_last_said_so() {
    let bench = grown().await;
    let path = bench.path();
    // As it was before it grew.
    let whole = lines(&path);
    let first = |end: Option<Ended>| {
        let mut text = whole[..whole.len() - 1].join("\n") + "\n";
        let line: Option<Line<(), ()>> = end.map(Line::Ended);
        text.extend(line.map(|line| json_line(&line, &redactor())));
        fs::write(&path, text).unwrap();
        let progress = list(bench.reports.path())
            .unwrap()
            .remove(0)
            .progress
            .unwrap();
        assert_eq!((progress.attempts, progress.planned), (6, 6));
        progress.is_finished()
    };
    assert!(!first(None));
    assert!(!first(Some(ended(EndReason::Cancelled, 6))));
    assert!(first(Some(ended(EndReason::Complete, 6))));
}

#[tokio::test]
async fn a_plan_grows_by_no_more_than_its_looks() {
    let bench = grown().await;
    let text = fs::read_to_string(bench.path()).unwrap();
    let with = |most: u32, repeat: u32| {
        text.replace("\"most\":4", &format!("\"most\":{most}"))
            .replace(
                "{\"grown\":{\"repeat\":2}}",
                &format!("{{\"grown\":{{\"repeat\":{repeat}}}}}"),
            )
    };
    assert_eq!(with(4, 2), text);
    for (case, most, repeat, reads) in [
        ("the last look", 4, 4, true),
        ("beyond", 4, 5, false),
        ("shrunk to nothing", 4, 0, false),
        ("no look at all", 0, 1, false),
        ("more looks than there are", 101, 2, false),
        ("as many as a number holds", u32::MAX, u32::MAX, false),
    ] {
        let changed = with(most, repeat);
        assert_eq!(changed == text, (most, repeat) == (4, 2), "{case}");
        fs::write(bench.path(), changed).unwrap();
        match Reader::open(&bench.path()) {
            Ok(mut reader) => {
                assert!(reads, "{case}");
                assert!(
                    reader.attempts::<IgnoredAny>().all(|it| it.is_ok()),
                    "{case}"
                );
            }
            Err(error) => {
                assert!(!reads, "{case}: {error}");
                assert!(error.to_string().contains("looks than can be"), "{error}");
            }
        }
    }
    // In an experiment without looks nothing grows.
    let plain = finished().await;
    let mut text = fs::read_to_string(plain.path()).unwrap();
    text.push_str("{\"grown\":{\"repeat\":2}}\n");
    fs::write(plain.path(), text).unwrap();
    let mut reader = Reader::open(&plain.path()).unwrap();
    let all: Result<Vec<_>, _> = reader.attempts::<IgnoredAny>().collect();
    assert!(matches!(all, Err(JournalError::Corrupt { .. })));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn random_bytes_are_never_read_as_attempts(
        bytes in prop::collection::vec(any::<u8>(), 0..400), keep_header: bool,
    ) {
        let bench = Bench::new(&choices(), dataset(2));
        drop(bench.create());
        let mut content = if keep_header { fs::read(bench.path()).unwrap() } else { Vec::new() };
        content.extend_from_slice(&bytes);
        fs::write(bench.path(), content).unwrap();
        if let Ok(mut reader) = Reader::open(&bench.path()) {
            prop_assert!(reader.attempts::<Run>().all(|entry| entry.is_err()));
        }
        let progress = list(bench.reports.path()).unwrap().remove(0).progress;
        prop_assert!(progress.is_err() || keep_header);
    }

    #[test]
    fn stopped_anywhere_any_number_of_times_an_experiment_comes_to_the_same(
        stops in prop::collection::vec(0.0f64..1.0, 0..4), examples in 1usize..5, repeat in 1u32..3,
    ) {
        let choices = Choices { repeat, ..choices() };
        let bench = Bench::new(&choices, dataset(examples));
        drop(bench.create());
        let header_end = fs::metadata(bench.path()).unwrap().len();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        for stop in stops {
            runtime.block_on(bench.finish(&bench.path(), right()));
            let length = fs::metadata(bench.path()).unwrap().len();
            let cut = header_end + ((length - header_end) as f64 * stop) as u64;
            fs::File::options().write(true).open(bench.path()).unwrap().set_len(cut).unwrap();
        }
        let Summary { because, counts, .. } = runtime.block_on(bench.finish(&bench.path(), right()));
        prop_assert_eq!(because, EndReason::Complete);
        prop_assert_eq!(counts.recorded(), bench.plan.grid().cases());
        prop_assert_eq!(attempts(&bench.path()).len() as u64, bench.plan.grid().cases());
    }
}
