use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::*;
use crate::experiment::Verdict as Attempted;

const HASH: &str = "00";

/// Two variants over three emails, twice each.
fn header() -> Value {
    let variant =
        |agent: &str| json!({ "name": format!("{agent}@rules"), "agent": agent, "model": "rules" });
    json!({ "header": {
        "format": "mailproof.journal/1",
        "experiment": "it",
        "tool_version": "1.0.0",
        "created": "2026-03-03T09:00:00Z",
        "date": "2026-03-03",
        "seed": 0,
        "suites": ["triage"],
        "variants": [variant("baseline"), variant("workflow")],
        "repeat": 2,
        "dataset": { "name": "emails", "hash": HASH, "examples": 3 },
        "selection": {},
        "examples": 3,
        "examples_hash": HASH,
        "limits": { "timeout_ms": 1000, "max_steps": 25 },
        "triage_costs": {},
    } })
}

fn attempt(variant: u32, position: u32, repeat: u32, score: f64) -> Value {
    let feedback = json!([{ "key": "triage.accuracy", "score": score }]);
    json!({ "attempt": {
        "case": { "variant": variant, "position": position, "repeat": repeat, "example": format!("e{position}") },
        "split": "test",
        "cluster": null,
        "tags": ["billing"],
        "expected": "notify",
        "found": "notify",
        "outcome": "finished",
        "feedback": feedback,
        "usage": { "agent": { "calls": 1, "input_tokens": 90, "output_tokens": 10, "cost_usd": 0.5 } },
        "latency_ms": 4.0 + f64::from(repeat),
        "runs": [{ "outcome": "finished", "triage": "notify", "messages": [], "steps": [], "usage": {}, "latency_ms": 1.0, "reasoning": format!("{variant} {position} {repeat}") }],
    } })
}

/// All of the plan; the second variant fails at `e1` on its first try, and at `e2` twice.
fn all() -> Vec<Value> {
    let mut attempts = Vec::new();
    for repeat in 0..2 {
        for position in 0..3 {
            for variant in 0..2 {
                let fails = variant == 1 && (position == 2 || (position == 1 && repeat == 0));
                attempts.push(attempt(
                    variant,
                    position,
                    repeat,
                    if fails { 0.0 } else { 1.0 },
                ));
            }
        }
    }
    attempts
}

fn write(folder: &Path, attempts: &[Value]) {
    let header = header();
    let lines = std::iter::once(&header)
        .chain(attempts)
        .map(|line| format!("{line}\n"));
    fs::write(folder.join("journal.jsonl"), lines.collect::<String>()).unwrap();
}

fn read(attempts: &[Value]) -> Result<Results, String> {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), attempts);
    Results::read(folder.path(), None).map_err(|error| error.to_string())
}

#[test]
fn a_journal_is_folded_to_a_few_numbers_a_cell() {
    let results = read(&all()).unwrap();
    assert!(results.facts.complete);
    assert_eq!(
        (results.facts.experiment.as_str(), results.facts.layer),
        ("it", None)
    );
    let facts = &results.examples["e1"];
    assert_eq!(
        (facts.split.as_deref(), &*facts.tags),
        (Some("test"), &["billing".to_owned()][..])
    );
    let of = &results.variants[1];
    assert_eq!(
        (
            of.variant.name.as_str(),
            of.planned,
            of.attempts(),
            of.scored()
        ),
        ("workflow@rules", 6, 6, 6)
    );
    let cell = &of.cells["e1"];
    assert_eq!((cell.attempts, cell.scored, cell.passed), (2, 2, 1));
    assert_eq!(cell.scores, BTreeMap::from([(Key::TriageAccuracy, 0.5)]));
    let spent = Spent {
        latency_ms: Some(4.5),
        cost_usd: Some(0.5),
        tokens: 100.0,
    };
    assert_eq!((cell.spent, of.spent), (Some(spent), Some(spent)));
    assert_eq!(results.mean(of, Measure::PassRate), Some((0.5, 3)));
}

#[test]
fn of_as_many_attempts_as_both_sides_have_the_first_are_read() {
    let of = |attempt: &Value, name: &str| attempt["attempt"]["case"][name].as_u64().unwrap();
    let is = |attempt: &Value, variant: u64, position: u64, repeat: u64| {
        of(attempt, "variant") == variant
            && of(attempt, "position") == position
            && of(attempt, "repeat") == repeat
    };
    // Recorded in the other order, and stopped before one of them was made.
    let mut made = all();
    made.reverse();
    made.retain(|attempt| !is(attempt, 1, 0, 0));
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &made);
    let whole = Results::read(folder.path(), None).unwrap();
    let firsts: Vec<Value> = made
        .iter()
        .filter(|it| of(it, "repeat") == 0 || is(it, 1, 0, 1))
        .cloned()
        .collect();
    let reference: Vec<Value> = all().drain(..6).collect();
    let reference = read(&reference).unwrap();
    let even = Even::of(&reference, &whole, &Pairing::default());
    let read_even = Results::read_even(folder.path(), Some(0), &even.unwrap().unwrap());
    let found = read_even.unwrap();
    for (found, firsts) in found.variants.iter().zip(read(&firsts).unwrap().variants) {
        assert_eq!(found.cells, firsts.cells);
        assert_eq!((found.planned, found.attempts()), (3, 3));
    }
    assert_eq!(found.variants[1].cells["e1"].passed, 0);
    assert_eq!(found.facts, whole.facts);
    assert_eq!(
        Even::of(&reference, &found, &Pairing::default()),
        Ok(None),
        "they are even now"
    );
}

#[test]
fn the_order_of_attempts_changes_nothing() {
    let mut attempts = all();
    let forwards = read(&attempts).unwrap();
    attempts.reverse();
    assert_eq!(read(&attempts).unwrap(), forwards);
    attempts.rotate_left(5);
    assert_eq!(read(&attempts).unwrap(), forwards);
}

#[test]
fn what_ended_in_an_error_is_attempted_and_not_scored() {
    let mut attempts = all();
    let first = attempts[0]["attempt"].as_object_mut().unwrap();
    first.insert("outcome".to_owned(), "provider".into());
    first.insert("feedback".to_owned(), json!([]));
    first["usage"]["agent"]["cost_usd"] = Value::Null;
    attempts.pop();
    let results = read(&attempts).unwrap();
    assert!(!results.facts.complete);
    let of = &results.variants[0];
    assert_eq!((of.planned, of.attempts(), of.scored()), (6, 6, 5));
    let cell = &of.cells["e0"];
    assert_eq!((cell.attempts, cell.scored, cell.passed), (2, 1, 1));
    let spent = cell.spent.unwrap();
    assert_eq!((spent.latency_ms, spent.cost_usd), (Some(5.0), None));
    assert_eq!(of.spent.unwrap().cost_usd, None);
    assert_eq!(results.variants[1].attempts(), 5);
}

#[test]
fn what_failed_or_was_not_scored_can_be_tried_again() {
    use crate::experiment::RerunWhich::{Errors, Failed};
    let mut attempts = all();
    let first = attempts[0]["attempt"].as_object_mut().unwrap();
    first.insert("outcome".to_owned(), "provider".into());
    first.insert("feedback".to_owned(), json!([]));
    let results = read(&attempts).unwrap();
    assert_eq!(results.rerun(Failed).ids, ["e1", "e2"]);
    assert_eq!(results.rerun(Errors).ids, ["e0"]);
}

#[test]
fn a_journal_that_was_changed_is_refused() {
    let with = |index: usize, pointer: &str, value: Value| {
        let mut attempts = all();
        *attempts[index].pointer_mut(pointer).unwrap() = value;
        read(&attempts).unwrap_err()
    };
    let other = with(2, "/attempt/case/example", "else".into());
    assert!(
        other.contains("`else` and `e1` are at the same place of the plan"),
        "{other}"
    );
    // Of both variants and repeats.
    let mut attempts = all();
    for attempt in &mut attempts {
        if attempt["attempt"]["case"]["position"] == 1 {
            attempt["attempt"]["case"]["example"] = "e0".into();
        }
    }
    let twice = read(&attempts).unwrap_err();
    assert!(
        twice.contains("`e0` is at two places of the plan"),
        "{twice}"
    );
    let score = with(0, "/attempt/feedback/0/score", 2.into());
    assert!(score.contains("a score must be from 0 to 1"), "{score}");
}

#[test]
fn a_flip_is_shown_by_attempts_that_show_it() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &all());
    let results = Results::read(folder.path(), None).unwrap();
    let pairing = Pairing {
        reference: Some("baseline@rules".to_owned()),
        candidate: Some("workflow@rules".to_owned()),
        across: false,
    };
    let comparison = compare(&results, &results, &pairing, &rule()).unwrap();
    let journal = Journal {
        folder: folder.path().to_owned(),
        layer: Some(0),
    };
    let shown = |wanted: Vec<Wanted>| -> Vec<_> {
        let besides = Besides::find(Some(&journal), &journal, wanted).unwrap();
        besides
            .map(|beside| {
                let beside = beside.unwrap();
                let of = |attempt: &Option<crate::experiment::Attempt<crate::run::Run>>| {
                    let attempt = attempt.as_ref().unwrap();
                    (
                        attempt.verdict(),
                        attempt.runs[0].reasoning.clone().unwrap(),
                    )
                };
                (
                    beside.example.clone(),
                    of(&beside.reference),
                    of(&beside.candidate),
                )
            })
            .collect()
    };
    let (passed, failed) = (Attempted::Passed, Attempted::Failed);
    let expected = |id: &str, was: &str, is: &str| {
        (
            id.to_owned(),
            (passed, was.to_owned()),
            (failed, is.to_owned()),
        )
    };
    assert_eq!(
        shown(comparison.wanted_flips(10)),
        [
            expected("e2", "0 2 0", "1 2 0"),
            expected("e1", "0 1 0", "1 1 0")
        ]
    );
    assert_eq!(
        shown(comparison.wanted_flips(1)),
        [expected("e2", "0 2 0", "1 2 0")]
    );
    let same = shown(comparison.wanted_example("e0"));
    assert_eq!(same[0].1, (passed, "0 0 0".to_owned()));
    // The other way round the attempt that failed is the one to show, though it is the second.
    let mut attempts = all();
    for attempt in &mut attempts {
        let case = attempt["attempt"]["case"].clone();
        if case["variant"] == 1 && case["position"] == 1 {
            let fails = case["repeat"] == 1;
            attempt["attempt"]["feedback"][0]["score"] = json!(if fails { 0.0 } else { 1.0 });
        }
    }
    write(folder.path(), &attempts);
    assert_eq!(
        shown(comparison.wanted_example("e1")),
        [expected("e1", "0 1 0", "1 1 1")]
    );
}

#[test]
fn where_nothing_but_scores_is_kept_one_side_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &all());
    let results = Results::read(folder.path(), None).unwrap();
    let comparison = compared(&results, &results);
    let journal = Journal {
        folder: folder.path().to_owned(),
        layer: None,
    };
    let mut wanted = comparison.wanted_example("e0");
    wanted.extend(comparison.wanted_example("nowhere"));
    let besides = Besides::find(None, &journal, wanted).unwrap();
    let shown: Vec<_> = besides
        .map(|beside| beside.unwrap())
        .map(|it| (it.example, it.reference.is_some(), it.candidate.is_some()))
        .collect();
    let told = |id: &str, is: bool| (id.to_owned(), false, is);
    assert_eq!(
        shown,
        [
            told("e0", true),
            told("e0", true),
            told("nowhere", false),
            told("nowhere", false)
        ]
    );
}

#[test]
fn votes_tell_the_judge_s_noise_from_the_agent_s() {
    let vote = |pass: bool| json!({ "model": "m", "vote": 0, "verdict": if pass { "pass" } else { "fail" }, "reason": "" });
    // Each attempt has one statement, on which three vote.
    let judged = |met: usize| {
        let votes: Vec<Value> = (0..3).map(|vote_number| vote(vote_number < met)).collect();
        let verdict = if met > 1 { "pass" } else { "fail" };
        json!([{ "judge": "response_criteria", "rulings": [{ "statement": "s", "verdict": verdict, "reason": "", "votes": votes }] }])
    };
    let with = |first: usize, second: usize| {
        let mut attempts = all();
        for attempt in &mut attempts {
            let attempt = &mut attempt["attempt"];
            let case = attempt["case"].clone();
            if case["variant"] == 0 && case["position"] == 0 {
                let met = if case["repeat"] == 0 { first } else { second };
                attempt["judged"] = judged(met);
            }
        }
        let results = read(&attempts).unwrap();
        results.variants[0].cells["e0"].noise[&Key::ResponseCriteria]
    };
    let close = |found: CellNoise, agent: f64, judge: f64| {
        assert!(
            (found.agent - agent).abs() < 1e-12 && (found.judge - judge).abs() < 1e-12,
            "{found:?}"
        );
    };
    // Votes that agree leave the agent: of 1 and 0 the variance is 1/2.
    close(with(3, 0), 0.5, 0.0);
    // 2 of 3 twice: 2/3·1/3/2, and the attempts do not differ.
    close(with(2, 2), 0.0, 1.0 / 9.0);
    // 1 and 1/3: between attempts 2/9, of which votes explain half of 1/9.
    close(with(3, 1), 2.0 / 9.0 - 1.0 / 18.0, 1.0 / 18.0);
}

#[test]
fn each_look_reads_the_attempts_it_had_and_knows_whether_they_are_all() {
    let folder = tempfile::tempdir().unwrap();
    let mut attempts = all();
    write(folder.path(), &attempts);
    let (looks, whole) = Results::read_looks(folder.path(), None, 5).unwrap();
    assert_eq!((looks.len(), whole), (2, 2));
    let read = |results: &Results| {
        let of = &results.variants[1];
        let cell = &of.cells["e1"];
        (results.facts.repeat, of.planned, cell.attempts, cell.passed)
    };
    assert_eq!(read(&looks[0]), (1, 3, 1, 0));
    assert_eq!(read(&looks[1]), (2, 6, 2, 1));
    assert_eq!(looks[1], Results::read(folder.path(), None).unwrap());
    // In any order, and with one that is missing of the second.
    attempts.pop();
    attempts.reverse();
    write(folder.path(), &attempts);
    let (looks, whole) = Results::read_looks(folder.path(), None, 5).unwrap();
    assert_eq!((looks.len(), whole), (2, 1));
    assert_eq!(
        (looks[0].facts.complete, looks[1].facts.complete),
        (true, false)
    );
    assert_eq!(
        Results::read_looks(folder.path(), None, 1).unwrap().0.len(),
        1
    );
}
