use proptest::prelude::*;

use super::*;
use crate::langsmith::wire;

const REMOTE: Uuid = Uuid::from_u128(7);

fn nothing_secret() -> Redactor {
    Redactor::new([])
}

fn writes(local: &Dataset, redactor: &Redactor, hidden: Hidden) -> Vec<ExampleWrite> {
    let examples = Examples {
        local,
        remote: REMOTE,
        redactor,
        hidden,
    };
    examples.all().collect()
}

/// As the service answers what it was sent.
pub fn answered(write: ExampleWrite) -> wire::Example {
    let mut metadata = write.metadata;
    metadata.insert(SPLITS.to_owned(), write.split.into());
    wire::Example {
        id: write.id,
        inputs: write.inputs,
        outputs: Some(write.outputs),
        metadata: Some(metadata),
        modified_at: None,
    }
}

fn load(records: &[Value]) -> Dataset {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mine.jsonl");
    let lines: String = records.iter().map(|record| format!("{record}\n")).collect();
    std::fs::write(&path, lines).unwrap();
    match Dataset::load(&[path], &Default::default()) {
        Ok(dataset) => dataset,
        Err(errors) => panic!("{errors}"),
    }
}

fn read_back(writes: Vec<ExampleWrite>) -> Dataset {
    let records: Vec<Value> = writes
        .into_iter()
        .map(|write| {
            let record = read(answered(write)).unwrap();
            assert_eq!((record.left_out, record.notes), (vec![], vec![]));
            record.value.into()
        })
        .collect();
    load(&records)
}

fn records(dataset: &Dataset) -> Vec<Value> {
    let examples = &dataset.examples;
    let of_examples = examples.iter().map(Example::to_json);
    let of_scenarios = dataset.scenarios.iter().map(|it| it.to_json(examples));
    let of_episodes = dataset.episodes.iter().map(|it| it.to_json(examples));
    of_examples.chain(of_scenarios).chain(of_episodes).collect()
}

#[test]
fn the_embedded_dataset_comes_back_as_it_was() {
    let dataset = Dataset::embedded();
    let writes = writes(&dataset, &nothing_secret(), Hidden::default());
    let items = dataset.examples.len() + dataset.scenarios.len() + dataset.episodes.len();
    assert_eq!(writes.len(), items);
    let back = read_back(writes);
    assert_eq!(records(&back), records(&dataset));
    assert_eq!(back.hash, dataset.hash);
}

#[test]
fn an_example_has_what_is_told_apart_from_what_is_expected() {
    let dataset = load(&[json!({
        "id": "invoice",
        "email": {"from": "a@x.example", "to": "b@x.example", "subject": "S", "body": "B", "date": "2026-03-02"},
        "tags": ["billing"],
        "split": "dev",
        "note": "why",
        "expect": {"triage": "respond", "tool_calls": ["done"], "criteria": ["Thanks"]},
    })]);
    let write = writes(&dataset, &nothing_secret(), Hidden::default()).remove(0);
    assert_eq!(write.id, ids::example(REMOTE, "invoice"));
    assert_eq!(
        json!([write.inputs, write.outputs, write.metadata, write.split]),
        json!([
            {"email": {"from": "a@x.example", "to": "b@x.example", "subject": "S", "body": "B", "date": "2026-03-02"}},
            {"triage": "respond", "tool_calls": ["done"], "criteria": ["Thanks"]},
            {"mailproof_id": "invoice", "kind": "example", "tags": ["billing"], "note": "why"},
            ["dev"],
        ])
    );
    assert_eq!(write.inputs, inputs(&dataset.examples[0].email));
}

fn small(id: &str, body: &str) -> Value {
    json!({
        "id": id,
        "email": {"from": "a@x.example", "to": "b@x.example", "subject": "", "body": body},
        "expect": {"triage": "ignore"},
    })
}

#[test]
fn what_is_hidden_is_not_sent_and_cannot_be_read_back() {
    let dataset = load(&[small("one", "B")]);
    for (inputs, outputs, unreadable) in [
        (false, false, None),
        (true, false, Some(Unreadable::Hidden("inputs"))),
        (false, true, Some(Unreadable::Hidden("outputs"))),
        (true, true, Some(Unreadable::Hidden("outputs"))),
    ] {
        let hidden = Hidden { inputs, outputs };
        let write = writes(&dataset, &nothing_secret(), hidden).remove(0);
        assert_eq!(write.inputs.is_empty(), inputs, "{hidden:?}");
        assert_eq!(write.outputs.is_empty(), outputs, "{hidden:?}");
        assert_eq!(write.id, ids::example(REMOTE, "one"), "{hidden:?}");
        assert_eq!(read(answered(write)).err(), unreadable, "{hidden:?}");
    }
}

#[test]
fn neither_secrets_nor_nul_are_sent() {
    let secret = "canary-0123456789-ABC";
    let redactor = Redactor::new([secret.to_owned()]);
    let cut = "canary-0123\u{0}456789-ABC";
    let mut record = small(&format!("one-{secret}"), &format!("key {cut}\u{0}!"));
    record["split"] = secret.into();
    record["note"] = cut.into();
    record["expect"]["criteria"] = json!([format!("Says {secret}")]);
    let dataset = load(&[record, small(&format!("one-{secret}"), "x")][..1]);
    let write = writes(&dataset, &redactor, Hidden::default()).remove(0);
    let sent = json!([write.inputs, write.outputs, write.metadata, write.split]).to_string();
    assert!(
        !sent.contains("canary") && !sent.contains("\\u0000"),
        "{sent}"
    );
    assert_eq!(write.inputs["email"]["body"], "key [redacted]!");
    // By the name that the journal has too.
    assert_eq!(write.id, ids::example(REMOTE, "one-[redacted]"));
}

#[test]
fn ids_that_are_alike_without_their_secrets_are_sent_once() {
    let redactor = Redactor::new(["canary-0123456789-A".into(), "canary-0123456789-B".into()]);
    let dataset = load(&[
        small("canary-0123456789-A", "first"),
        small("canary-0123456789-B", "second"),
    ]);
    let writes = writes(&dataset, &redactor, Hidden::default());
    assert_eq!(writes.len(), 1);
    assert_eq!(writes[0].inputs["email"]["body"], "first");
}

#[test]
fn splits_are_read_as_the_service_and_people_set_them() {
    let several = "several splits: one kept, the others are tags";
    for (stated, set, split, tags, notes) in [
        (None, json!(["base"]), None, json!(null), vec![]),
        (
            Some("base"),
            json!(["base"]),
            Some("base"),
            json!(null),
            vec![],
        ),
        (
            Some("dev"),
            json!(["dev"]),
            Some("dev"),
            json!(null),
            vec![],
        ),
        (
            None,
            json!(["base", "dev"]),
            Some("dev"),
            json!(null),
            vec![],
        ),
        (None, json!("dev"), Some("dev"), json!(null), vec![]),
        (None, json!(null), None, json!(null), vec![]),
        (
            Some("dev"),
            json!(["dev", "hard"]),
            Some("dev"),
            json!(["hard"]),
            vec![several],
        ),
    ] {
        let mut record = small("one", "B");
        if let Some(stated) = stated {
            record["split"] = stated.into();
        }
        let write = writes(&load(&[record]), &nothing_secret(), Hidden::default()).remove(0);
        let mut example = answered(write);
        example.metadata.as_mut().unwrap()[SPLITS] = set.clone();
        let record = read(example).unwrap();
        let read = |key: &str| record.value.get(key).cloned().unwrap_or_default();
        assert_eq!(read("split"), json!(split), "{stated:?} {set}");
        assert_eq!(read("tags"), tags, "{stated:?} {set}");
        assert_eq!(record.notes, notes, "{stated:?} {set}");
    }
}

#[test]
fn what_people_added_is_named_and_what_they_took_away_is_said() {
    let dataset = Dataset::embedded();
    let writes = writes(&dataset, &nothing_secret(), Hidden::default());
    let of_kind = |kind: &str| {
        let write = writes.iter().find(|write| write.metadata["kind"] == kind);
        answered(write.unwrap().clone())
    };
    let mut example = of_kind("example");
    example.inputs.insert("mood".to_owned(), "good".into());
    let metadata = example.metadata.as_mut().unwrap();
    metadata.insert("reviewed".to_owned(), true.into());
    let left_out = read(example).unwrap().left_out;
    assert_eq!(left_out, ["inputs.mood", "metadata.reviewed"]);

    let without = |kind: &str, key: &str| {
        let mut example = of_kind(kind);
        example.metadata.as_mut().unwrap().shift_remove(key);
        read(example).unwrap_err().to_string()
    };
    assert_eq!(
        without("example", "kind"),
        "its metadata has another `kind`, where `example`, `scenario`, or `episode` was written"
    );
    assert_eq!(
        without("scenario", "example"),
        "its metadata has no `example`, where the id of one was written"
    );
    assert_eq!(
        without("episode", "examples"),
        "its metadata has no `examples`, where a list of ids was written"
    );
    let mut episode = of_kind("episode");
    let steps = episode.outputs.as_mut().unwrap()["steps"].as_array_mut();
    steps.unwrap().clear();
    let metadata = episode.metadata.as_mut().unwrap();
    metadata["examples"] = json!(["a", "b"]);
    assert_eq!(
        read(episode),
        Err(Unreadable::Steps {
            emails: 2,
            steps: 0
        })
    );
}

prop_compose! {
    fn record()(
        id in "[a-z0-9-]{1,12}",
        subject in any::<String>(),
        body in "[ -~\u{0}é\n]{0,40}[a-z]",
        split in prop::option::of("[a-z]{1,5}|base"),
        tags in prop::collection::vec("[a-z]{1,5}", 0..3),
        equals in any::<f64>(),
        whole in any::<i64>(),
        triage in prop_oneof![Just("ignore"), Just("respond")],
    ) -> Value {
        let mut record = json!({
            "id": id,
            "email": {"from": "a@x.example", "to": "b", "subject": subject, "body": body},
            "tags": tags,
            "expect": {"triage": triage, "tool_calls": [
                {"schedule_meeting": {"duration_minutes": equals, "start_time": whole}}, "done",
            ]},
        });
        if let Some(split) = split {
            record["split"] = split.into();
        }
        record
    }
}

proptest! {
    #[test]
    fn any_example_comes_back_without_its_nul(record in record()) {
        let dataset = load(std::slice::from_ref(&record));
        let back = read_back(writes(&dataset, &nothing_secret(), Hidden::default()));
        let text = record.to_string().replace("\\u0000", "");
        let without = load(&[serde_json::from_str(&text).unwrap()]);
        prop_assert_eq!(records(&back), records(&without));
        prop_assert_eq!(back.hash, without.hash);
    }

    #[test]
    fn whatever_the_service_says_is_read_or_refused(
        kind in prop_oneof![Just("example"), Just("scenario"), Just("episode"), Just("")],
        keys in prop::collection::vec(
            prop_oneof![
                Just("email"), Just("emails"), Just("human"), Just("steps"), Just("unchanged"),
                Just("example"), Just("examples"), Just("tags"), Just("split"), Just(SPLITS),
            ],
            0..6,
        ),
        value in prop_oneof![
            Just(json!(null)), Just(json!([])), Just(json!(["a", 1])), Just(json!({})), Just(json!("x")),
        ],
    ) {
        let object: Object = keys.iter().map(|key| ((*key).to_owned(), value.clone())).collect();
        let mut metadata = object.clone();
        metadata.insert(OUR_ID.to_owned(), "one".into());
        metadata.insert("kind".to_owned(), kind.into());
        let example = wire::Example {
            id: REMOTE,
            inputs: object.clone(),
            outputs: Some(object),
            metadata: Some(metadata),
            modified_at: None,
        };
        prop_assert_eq!(our_id(&example), Some("one"));
        if let Ok(record) = read(example) {
            prop_assert_eq!(&record.value["id"], "one");
        }
    }
}
