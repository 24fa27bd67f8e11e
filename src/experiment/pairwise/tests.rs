use std::fs;
use std::path::PathBuf;

use futures_util::future::BoxFuture;
use serde_json::{Value, json};

use super::*;
use crate::email::Triage;
use crate::experiment::execute::execute;
use crate::experiment::tests::{Bench, Fake, choices, dataset, example, redactor, run as ran};
use crate::experiment::{Choices, Panel};
use crate::judge::JudgeKey;
use crate::judge::calibration::Standing;
use crate::judge::definition::Definitions;
use crate::message::{Message, ToolCall, ToolStatus};
use crate::model::halt::Because;
use crate::model::{ErrorKind, Model, ModelError, Reply, Request, scripted};
use crate::run::Outcome;

/// Prefers the mail with more marks, whatever its place, by two calls.
struct Marks(Halt);

impl Model for Marks {
    fn name(&self) -> &str {
        "marks"
    }

    fn ask<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<Reply, ModelError>> {
        let material = &request.messages[1].content;
        let (first, second) = material.split_once("# The second").unwrap();
        let marks = |text: &str| text.matches('!').count();
        let verdict = match marks(first).cmp(&marks(second)) {
            std::cmp::Ordering::Greater => "pass",
            std::cmp::Ordering::Less => "fail",
            std::cmp::Ordering::Equal => "cannot_tell",
        };
        let value = json!({ "reasoning": verdict, "quotes": ["The email"], "verdict": verdict });
        let ends = material.contains("the end comes");
        Box::pin(async move {
            // Answers arrive in another order than they were asked for.
            let later = marks_delay(&request.origin.case);
            tokio::time::sleep(later).await;
            if ends {
                self.0.stop(Because::Budget, "spent");
                return Err(ModelError::new("marks", ErrorKind::Budget, "spent"));
            }
            Ok(scripted::text(value.to_string()))
        })
    }
}

fn marks_delay(case: &str) -> std::time::Duration {
    let digits: u64 = case.bytes().map(u64::from).sum();
    std::time::Duration::from_millis(digits * 7 % 50)
}

/// A run that sent this mail; none where there are no words.
fn mailed(words: &str) -> Run {
    let mut run = ran(Triage::Respond);
    if words.is_empty() {
        return run;
    }
    let call = ToolCall {
        id: "c1".into(),
        name: "write_email".into(),
        arguments: json!({ "to": "ana@northwind.example", "subject": "Re", "content": words }),
    };
    run.messages = vec![
        Message::user("m0", "the email"),
        Message::assistant("m1", "", vec![call.clone()]),
        Message::tool("m2", &call, ToolStatus::Executed, ""),
    ];
    run
}

/// An experiment over `e0`, `e1`, … and one email that wants no reply, each mail by a function
/// of its email.
async fn experiment(mails: fn(&str) -> Run, repeat: u32) -> Bench {
    let mut emails = dataset(5);
    emails.examples.insert(2, example("spam", Triage::Ignore));
    emails.examples[1].cluster = Some("twins".into());
    let choices = Choices {
        agents: vec!["workflow".into()],
        repeat,
        ..choices()
    };
    let bench = Bench::new(&choices, emails);
    let target = Arc::new(Fake(move |id: String, _| async move { mails(&id) }));
    execute(bench.execution(bench.create(), target, 3))
        .await
        .unwrap();
    bench
}

fn folder(bench: &Bench) -> PathBuf {
    bench.path().parent().unwrap().to_owned()
}

fn comparing(a: &Bench, b: &Bench, concurrency: usize) -> Comparing {
    let halt = Halt::default();
    let read = |bench: &Bench| Places::read(&folder(bench)).unwrap();
    Comparing {
        sides: [read(a), read(b)],
        variants: vec![[0, 0]],
        dataset: Arc::clone(&a.dataset),
        redactor: redactor(),
        judge: Arc::new(Judge {
            definition: Arc::clone(Definitions::embedded().get(JudgeKey::Pairwise)),
            votes: 1,
            panel: vec![Arc::new(Marks(halt.clone()))],
        }),
        models: vec!["marks".into()],
        concurrency: NonZeroUsize::new(concurrency).unwrap(),
        cancel: CancellationToken::new(),
        halt,
    }
}

async fn compared(comparing: Comparing) -> (Ended, Vec<Pair>) {
    let mut pairs = Vec::new();
    let ended = run(comparing, |found| {
        if let Found::Pair(pair) = found {
            pairs.push(pair.clone());
        }
        Ok(())
    });
    let ended = ended.await.unwrap();
    (ended, pairs)
}

fn of_a(id: &str) -> Run {
    match id {
        "e0" => mailed("Yes!"),
        "e1" => mailed("No"),
        "e2" | "spam" => mailed(""),
        "e3" => Run {
            outcome: Outcome::Provider,
            ..mailed("!")
        },
        _ => mailed("Same"),
    }
}

fn of_b(id: &str) -> Run {
    match id {
        "e0" => mailed("Yes"),
        "e1" => mailed("No, thank you!!"),
        "e2" | "spam" => mailed("Hello"),
        _ => mailed("Same"),
    }
}

#[tokio::test(start_paused = true)]
async fn mails_are_compared_in_the_plans_order_whatever_the_concurrency() {
    let (a, b) = (experiment(of_a, 1).await, experiment(of_b, 1).await);
    let (ended, pairs) = compared(comparing(&a, &b, 1)).await;
    let told: Vec<_> = pairs
        .iter()
        .map(|pair| (&*pair.example, pair.preference, pair.by_code, pair.lengths))
        .collect();
    use Preference::{A, B, Tie};
    assert_eq!(
        told,
        [
            ("e0", A, false, [4, 3]),
            ("e1", B, false, [2, 15]),
            // No mail where one was due; where none was, nobody looks.
            ("e2", B, true, [0, 5]),
            ("e4", Tie, false, [4, 4]),
        ]
    );
    assert_eq!(pairs[0].reasons, ["pass", "fail"]);
    assert_eq!(
        pairs[0].verdicts,
        [Some(Verdict::Pass), Some(Verdict::Fail)]
    );
    assert_eq!(pairs[1].cluster.as_deref(), Some("twins"));
    assert_eq!(pairs[2].reasons[0], "A sent no mail, and B did");
    assert_eq!(pairs[2].usage.calls(), 0);
    let Ended::Complete { canaries, left_out } = ended else {
        panic!("{ended:?}");
    };
    assert_eq!(canaries.models, ["marks"]);
    assert!(canaries.canaries.len() >= 6);
    let expected = LeftOut {
        errors: 1,
        ..LeftOut::default()
    };
    assert_eq!(left_out, [expected]);
    let (_, at_once) = compared(comparing(&a, &b, 4)).await;
    assert_eq!(at_once, pairs);
    // The other way round everything is the other way round.
    let (_, swapped) = compared(comparing(&b, &a, 4)).await;
    let preferred: Vec<_> = swapped.iter().map(|pair| pair.preference).collect();
    assert_eq!(preferred, [B, A, A, Tie]);
}

#[tokio::test(start_paused = true)]
async fn attempts_are_paired_by_their_repeat_and_the_others_are_counted() {
    let (a, b) = (experiment(of_a, 3).await, experiment(of_b, 2).await);
    let comparison = comparing(&a, &b, 2);
    // Of five emails that want a reply.
    assert_eq!(comparison.pairs(), 10);
    let (ended, pairs) = compared(comparison).await;
    let Ended::Complete { left_out, .. } = ended else {
        panic!("{ended:?}");
    };
    assert_eq!((left_out[0].unpaired, left_out[0].errors), (5, 2));
    let of_e0: Vec<u32> = pairs
        .iter()
        .filter(|pair| pair.example == "e0")
        .map(|pair| pair.repeat)
        .collect();
    assert_eq!(of_e0, [0, 1]);
    // An agent that did not finish sent nothing that counts.
    let unfinished = experiment(
        |_| Run {
            outcome: Outcome::StepLimit,
            ..mailed("Yes!")
        },
        1,
    );
    let (ended, pairs) = compared(comparing(&unfinished.await, &b, 2)).await;
    assert!(
        pairs
            .iter()
            .all(|pair| pair.by_code && pair.preference == Preference::B)
    );
    assert_eq!(pairs.len(), 5);
    assert!(matches!(ended, Ended::Complete { .. }));
}

#[tokio::test(start_paused = true)]
async fn two_that_sent_nothing_are_not_compared() {
    let silent = experiment(|_| mailed(""), 1).await;
    let (ended, pairs) = compared(comparing(&silent, &silent, 2)).await;
    assert!(pairs.is_empty());
    let Ended::Complete { left_out, .. } = ended else {
        panic!("{ended:?}");
    };
    assert_eq!(left_out[0].unsent, 5);
}

#[tokio::test(start_paused = true)]
async fn what_a_halt_cut_off_is_no_pair() {
    let a = experiment(
        |id| match id {
            "e4" => mailed("the end comes"),
            id => of_a(id),
        },
        1,
    );
    let (a, b) = (a.await, experiment(of_b, 1).await);
    let (ended, pairs) = compared(comparing(&a, &b, 2)).await;
    let Ended::Halted(halted) = ended else {
        panic!("{ended:?}");
    };
    assert_eq!(halted.because, Because::Budget);
    assert!(pairs.iter().all(|pair| pair.example != "e4"));
    let stopped = comparing(&b, &b, 2);
    stopped.cancel.cancel();
    assert!(matches!(compared(stopped).await.0, Ended::Cancelled));
}

fn header() -> Header {
    Header {
        format: FORMAT.into(),
        tool_version: "9".into(),
        created: Timestamp::UNIX_EPOCH,
        experiments: ["a".into(), "b".into()],
        journals: ["1".into(), "2".into()],
        dataset_hash: "cafe".into(),
        variants: vec![["workflow@rules".into(), "workflow@rules".into()]],
        judge: JudgePlan {
            judge: JudgeKey::Pairwise,
            version: 1,
            rubric_hash: String::new(),
            prompt_hash: String::new(),
            parser_version: 1,
            votes: 1,
            threshold: None,
            trusted: false,
            panels: vec![Panel {
                models: vec!["marks".into()],
                standing: Standing::Uncalibrated,
            }],
        },
        statement: "s".into(),
    }
}

#[tokio::test(start_paused = true)]
async fn the_file_is_there_once_it_is_whole() {
    let (a, b) = (experiment(of_a, 1).await, experiment(of_b, 1).await);
    let (_, pairs) = compared(comparing(&a, &b, 2)).await;
    let place = tempfile::tempdir().unwrap();
    let path = path(place.path(), "b");
    let files = || fs::read_dir(place.path().join(FOLDER)).unwrap().count();
    let mut half = Writer::create(&path, &header(), redactor()).unwrap();
    half.add(&pairs[0]).unwrap();
    assert!(!path.exists());
    drop(half);
    assert_eq!(files(), 0, "half of it is none");
    let mut whole = Writer::create(&path, &header(), redactor()).unwrap();
    for pair in &pairs {
        whole.add(pair).unwrap();
    }
    let end = End {
        pairs: whole.pairs(),
        left_out: vec![LeftOut::default()],
        spent: None,
    };
    whole.end(&end).unwrap();
    assert_eq!(files(), 1);
    let text = fs::read_to_string(&path).unwrap();
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines[0]["header"]["format"], FORMAT);
    assert_eq!(lines.last().unwrap()["end"]["pairs"], pairs.len());
    let read: Pair = serde_json::from_value(lines[1]["pair"].clone()).unwrap();
    assert_eq!(read, pairs[0]);
}

/// What is read of a file of these lines, or why it is not.
fn read(lines: &[Value]) -> Result<usize, String> {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("b.jsonl");
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    fs::write(&path, text).unwrap();
    let all = || {
        let mut reader = Reader::open(&path)?;
        assert_eq!(*reader.header(), header());
        let mut pairs = 0;
        while let Some(pair) = reader.next_pair()? {
            assert_eq!(pair.example, "e");
            pairs += 1;
        }
        Ok(pairs)
    };
    all().map_err(|error: PairwiseError| {
        let said = error.to_string();
        said.replace(&path.display().to_string(), "b.jsonl")
    })
}

#[test]
fn a_file_is_read_whole_or_not_at_all() {
    let head = json!({ "header": header() });
    let canaries = json!({ "canaries": { "anything": 1 } });
    let pair = |variants: u32| {
        json!({ "pair": {
            "variants": variants, "example": "e", "repeat": 0, "preference": "tie",
            "reasons": ["", ""], "verdicts": [null, null], "votes": [[], []],
            "lengths": [1, 2], "usage": {},
        }})
    };
    let end = |pairs: u64| json!({ "end": { "pairs": pairs, "left_out": [] } });
    assert_eq!(
        read(&[head.clone(), canaries, pair(0), pair(0), end(2)]),
        Ok(2)
    );
    let mut other = head.clone();
    other["header"]["format"] = "mailproof.pairwise/2".into();
    for (lines, said) in [
        (vec![], "is not whole"),
        (vec![head.clone(), pair(0)], "is not whole"),
        (
            vec![head.clone(), pair(0), end(2)],
            "the end of 2 pairs, after 1",
        ),
        (vec![head.clone(), pair(1), end(1)], "does not have"),
        (vec![head.clone(), head.clone(), end(0)], "a second header"),
        (
            vec![other],
            "has the format `mailproof.pairwise/2`, and this version",
        ),
    ] {
        let error = read(&lines).unwrap_err();
        assert!(error.contains(said), "{said}: {error}");
    }
    let missing = Reader::open(std::path::Path::new("none.jsonl")).unwrap_err();
    assert!(missing.to_string().contains("rescore"), "{missing}");
}
