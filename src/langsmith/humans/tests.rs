use serde_json::json;

use super::*;
use crate::judge::calibration::items::{Call, Fate, Reading, Work};

fn feedback(value: Value) -> FeedbackRead {
    let mut feedback = json!({"id": Uuid::from_u128(1), "key": "response.criteria.1"});
    let map = feedback.as_object_mut().unwrap();
    map.append(&mut value.as_object().unwrap().clone());
    serde_json::from_value(feedback).unwrap()
}

#[test]
fn people_are_told_from_programs() {
    let user = Uuid::from_u128(9);
    let unknown = "somebody in LangSmith";
    for (source, who, certain) in [
        (json!({"type": "app"}), Some(unknown), true),
        (
            json!({"type": "app", "user_name": "Ana Ruiz"}),
            Some("Ana Ruiz"),
            true,
        ),
        (
            json!({"type": "app", "user_id": user}),
            Some("00000000-0000-0000-0000-000000000009"),
            true,
        ),
        (
            json!({"type": "app", "user_name": "A\u{1b}[1m\n", "user_id": user}),
            Some("A[1m"),
            true,
        ),
        (
            json!({"type": "app", "user_name": " \n"}),
            Some(unknown),
            true,
        ),
        (
            json!({"type": "app", "metadata": {"labelled_by": "ana"}, "user_name": "Key"}),
            Some("ana"),
            true,
        ),
        (json!({"type": "api"}), None, false),
        (
            json!({"type": "api", "user_name": "Sam"}),
            Some("Sam"),
            false,
        ),
        (
            json!({"type": null, "user_name": "Sam"}),
            Some("Sam"),
            false,
        ),
        (
            json!({"type": "of the future", "user_name": "Sam"}),
            Some("Sam"),
            false,
        ),
        (json!({"type": "model", "user_name": "Sam"}), None, false),
        (
            json!({"type": "auto_eval", "user_name": "Sam"}),
            None,
            false,
        ),
        (json!(null), None, false),
    ] {
        let said = said(feedback(json!({"score": 1, "feedback_source": source})));
        let found = said.as_ref().map(|said| said.who.as_str());
        assert_eq!(found, who, "{source}");
        assert!(said.is_none_or(|said| said.certain == certain), "{source}");
    }
    assert!(said(feedback(json!({"score": 1}))).is_none());
    // A pair that code decided, pushed with a person's key; and a person's word on a pair.
    for (kind, is_said) in [("api", false), ("app", true)] {
        let pair = json!({
            "key": comparative::KEY, "score": 1,
            "feedback_source": {"type": kind, "user_name": "Sam"},
        });
        assert_eq!(said(feedback(pair)).is_some(), is_said, "{kind}");
    }
}

#[test]
fn a_verdict_is_a_plain_yes_or_no() {
    use Verdict::{CannotTell, Fail, Pass};
    for (said, verdict) in [
        (json!({"score": 1}), Some(Pass)),
        (json!({"score": 1.0}), Some(Pass)),
        (json!({"score": true}), Some(Pass)),
        (json!({"score": 0}), Some(Fail)),
        (json!({"score": false}), Some(Fail)),
        (json!({"score": 0.5}), None),
        (json!({"score": 5}), None),
        (json!({"score": 0.5, "value": "pass"}), None),
        (json!({"value": "pass"}), Some(Pass)),
        (json!({"value": " Not met "}), Some(Fail)),
        (json!({"value": "cannot_tell"}), Some(CannotTell)),
        (json!({"value": true}), Some(Pass)),
        (json!({"value": "good"}), None),
        (json!({"value": {"score": 1}}), None),
        (json!({"comment": "fine"}), None),
    ] {
        let mut read = said.clone();
        read["feedback_source"] = json!({"type": "app"});
        let found = super::said(feedback(read)).unwrap();
        assert_eq!(found.verdict, verdict, "{said}");
    }
}

#[test]
fn a_label_that_was_pushed_from_here_says_all_that_it_said() {
    let read = feedback(json!({
        "score": 0, "comment": "neither", "feedback_source": {
            "type": "app", "metadata": {"labelled_by": "ana", "verdict": "cannot_tell"},
        },
    }));
    let said = said(read).unwrap();
    assert_eq!(said.verdict, Some(Verdict::CannotTell));
    assert_eq!((&*said.who, &*said.reason), ("ana", "neither"));
}

#[test]
fn a_correction_wins_over_what_it_corrects_whoever_said_that() {
    for (correction, verdict) in [
        (json!({"score": 0}), Some(Verdict::Fail)),
        (json!({"score": null, "value": "fail"}), Some(Verdict::Fail)),
        (json!({"score": true}), Some(Verdict::Pass)),
        (json!("fail"), Some(Verdict::Fail)),
        (json!({"text": "better"}), None),
        (json!({}), None),
    ] {
        let read = feedback(json!({
            "score": 1, "comment": "the judge's words", "correction": correction,
            "feedback_source": {"type": "model"},
        }));
        let said = said(read).unwrap();
        assert_eq!(said.verdict, verdict, "{correction}");
        assert!(said.certain);
        assert_eq!(said.reason, "", "the judge's words are not the person's");
    }
    let read = json!({"score": 1, "correction": null, "feedback_source": {"type": "model"}});
    assert!(said(feedback(read)).is_none());
}

#[test]
fn the_key_says_which_statement_of_which_judge() {
    for (key, statement) in [
        ("response.criteria.1", Some((JudgeKey::ResponseCriteria, 1))),
        (
            "response.criteria.12",
            Some((JudgeKey::ResponseCriteria, 12)),
        ),
        ("hitl.feedback.2", Some((JudgeKey::FeedbackHonoured, 2))),
        ("response.criteria", None),
        ("response.criteria.0", None),
        ("response.criteria.+1", None),
        ("response.criteria.1.2", None),
        ("response.criteria.99999999999999999999", None),
        // Their items cannot hold an attempt whole.
        ("memory.update.1", None),
        ("triage.reasonable.1", None),
        ("user_score", None),
    ] {
        assert_eq!(super::statement(key), statement, "{key}");
    }
}

fn labelling<'a>(dataset: &'a Dataset, definitions: &'a Definitions) -> Labelling<'a> {
    Labelling::new(Wanted {
        folder: Path::new(""),
        variants: &[],
        pushed_as: "e",
        dataset,
        definitions,
    })
}

fn item(dataset: &Dataset, who: &str, label: Verdict) -> Item {
    Item {
        id: "one".into(),
        kind: None,
        label,
        reason: String::new(),
        labelled_by: who.into(),
        email: dataset.examples[0].email.clone(),
        cluster: "one".into(),
        work: Work::Reply {
            criterion: "Thanks".into(),
            done: Default::default(),
        },
    }
}

fn at(seconds: i64) -> Said {
    let time = Timestamp::from_second(seconds).unwrap();
    let read = json!({
        "score": 1, "modified_at": time, "feedback_source": {"type": "app"},
    });
    said(feedback(read)).unwrap()
}

#[test]
fn of_work_that_looks_the_same_to_a_person_one_file_holds_every_label() {
    let (dataset, definitions) = (Dataset::embedded(), Definitions::embedded());
    let mut labelling = labelling(&dataset, &definitions);
    let ana = item(&dataset, "ana", Verdict::Pass);
    // Another agent wrote the same, after it had decided about the email by a call.
    let mut sam = item(&dataset, "sam", Verdict::Fail);
    let Work::Reply { done, .. } = &mut sam.work else {
        unreachable!("it is a reply");
    };
    done.calls.push(Call {
        name: "triage_email".into(),
        arguments: Default::default(),
        result: Fate::Done,
    });
    assert_ne!(ana.work, sam.work);
    let mut later = sam.clone();
    later.labelled_by = "ana".into();
    let mut kim = ana.clone();
    kim.labelled_by = "kim".into();
    for (item, seconds) in [(ana, 1), (later, 2), (sam, 1), (kim, 1)] {
        labelling.add(item, &at(seconds));
    }
    let labels = labelling.finish();
    let mut reading = Reading::new(&[]);
    let lines = labels
        .items
        .iter()
        .map(|it| serde_json::to_string(it).unwrap());
    let text = lines.collect::<Vec<_>>().join("\n");
    reading.text("labels.jsonl", text.as_bytes());
    let read = reading.finish().unwrap();
    let read: Vec<_> = read.iter().map(|it| (&*it.labelled_by, it.label)).collect();
    let (pass, fail) = (Verdict::Pass, Verdict::Fail);
    assert_eq!(read, [("ana", fail), ("sam", fail), ("kim", pass)]);
}

#[test]
fn of_two_labels_of_one_person_the_newer_counts() {
    let (dataset, definitions) = (Dataset::embedded(), Definitions::embedded());
    let mut labelling = labelling(&dataset, &definitions);
    let item = |who, label| item(&dataset, who, label);
    labelling.add(item("ana", Verdict::Pass), &at(2));
    labelling.add(item("ana", Verdict::Fail), &at(1));
    labelling.add(item("sam", Verdict::Pass), &at(1));
    labelling.add(item("sam", Verdict::Fail), &at(2));
    let labels = labelling.finish();
    let found: Vec<_> = labels
        .items
        .iter()
        .map(|item| (item.labelled_by.as_str(), item.label))
        .collect();
    assert_eq!(found, [("ana", Verdict::Pass), ("sam", Verdict::Fail)]);
    assert_eq!(labels.said_again, 2);
}
