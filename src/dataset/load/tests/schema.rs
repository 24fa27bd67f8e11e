use jsonschema::Validator;
use serde_json::{Value, json};

use super::*;

fn validator() -> Validator {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/dataset.schema.json");
    let schema: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    jsonschema::validator_for(&schema).unwrap()
}

/// The records of a text as they are written, before anything is made of them.
fn written(text: &str) -> Value {
    let mut records = Vec::new();
    let limits = Limits::default();
    let mut one = |_, record: Result<_, _>| records.push(record.unwrap());
    read::records(
        text.as_bytes(),
        Format::Yaml,
        &limits,
        Node::into_json,
        &mut one,
    )
    .unwrap();
    records.into()
}

#[test]
fn it_takes_every_example_that_comes_with_the_program() {
    let validator = validator();
    for (path, text) in crate::dataset::embedded::FILES {
        let errors: Vec<_> = validator
            .iter_errors(&written(text))
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{path}: {errors:#?}");
    }
}

#[test]
fn it_takes_every_key_and_no_unknown_one() {
    let validator = validator();
    let complete = complete();
    assert!(validator.is_valid(&json!([complete])));
    for pointer in [
        "",
        "/email",
        "/expect",
        "/expect/criteria/2",
        "/expect/tool_calls/0/write_email",
        "/expect/tool_calls/0/write_email/to",
    ] {
        let mut changed = complete.clone();
        changed.pointer_mut(pointer).unwrap()["tagz"] = json!("x");
        assert!(!validator.is_valid(&json!([changed])), "{pointer}");
    }
}

#[test]
fn it_takes_every_kind_of_record_and_no_unknown_key_of_any() {
    let validator = validator();
    let records = json!(records::all_kinds());
    let errors: Vec<_> = validator.iter_errors(&records).collect();
    assert!(errors.is_empty(), "{errors:#?}");
    for pointer in [
        "/0",
        "/0/scenario",
        "/0/human/0",
        "/0/human/0/then",
        "/0/human/1",
        "/0/human/1/when",
        "/0/human/1/edit",
        "/0/human/5/edit",
        "/0/human/6",
        "/0/expect",
        "/0/expect/interrupts/1",
        "/1",
        "/1/episode/0",
        "/1/episode/0/memory",
        "/1/episode/1/expect",
    ] {
        let mut changed = records.clone();
        changed.pointer_mut(pointer).unwrap()["tagz"] = json!("x");
        assert!(!validator.is_valid(&changed), "{pointer}");
        let lines: Vec<_> = changed
            .as_array()
            .unwrap()
            .iter()
            .map(Value::to_string)
            .collect();
        assert!(load("jsonl", lines.join("\n")).is_err(), "{pointer}");
    }
}

#[test]
fn it_and_the_validator_agree_about_people() {
    let validator = validator();
    let scenario = |human: Value| json!({"id": "s", "scenario": {"example": "a"}, "human": human});
    let rule = |rule: Value| scenario(json!([rule]));
    let expect = |expect: Value| {
        let mut record = scenario(json!([]));
        record["expect"] = expect;
        record
    };
    let edit = |edit: Value| rule(json!({"on": "schedule_meeting", "edit": edit}));
    let step = |step: Value| json!({"id": "e", "episode": [{"example": "a"}, step], "unchanged": ["background"]});
    for record in [
        scenario(json!([])),
        scenario(json!("Robin")),
        scenario(json!({"simulated": "Robin"})),
        scenario(json!({"simulated": "Robin", "turns": 0})),
        scenario(json!({"simulated": "Robin", "turns": 50})),
        scenario(json!({"simulated": "Robin", "turns": 51})),
        scenario(json!({"turns": 5})),
        rule(json!({"on": "notify", "accept": true})),
        rule(json!({"on": "notify", "accept": "yes"})),
        rule(json!({"on": "notify", "edit": {"to": "a"}})),
        rule(json!({"on": "notify", "when": {"to": "a"}, "ignore": true})),
        rule(json!({"on": "notify", "respond": "x", "then": {"to": "a"}})),
        rule(json!({"on": "notify", "ignore": true, "then": {"to": "a"}})),
        rule(json!({"on": "question", "accept": true})),
        rule(json!({"on": "question", "respond": "x", "when": {"content": {"contains": "y"}}})),
        rule(json!({"on": "question", "respond": "x", "then": {"content": "y"}})),
        rule(json!({"on": "write_email"})),
        rule(json!({"on": "write_email", "accept": true, "timeout": true})),
        rule(json!({"on": "write_email", "nth": 0, "accept": true})),
        rule(json!({"on": "write_email", "respond": " "})),
        rule(json!({"on": "done", "accept": true})),
        rule(json!({"accept": true})),
        edit(json!({})),
        edit(json!({"duration_minutes": 45})),
        edit(json!({"duration_minutes": "45"})),
        edit(json!({"duration_minutes": 45.5})),
        edit(json!({"duration_minutes": "soon"})),
        edit(json!({"attendees": "a"})),
        edit(json!({"attendees": ["a"]})),
        edit(json!({"attendees": [["a"]]})),
        edit(json!({"subject": ""})),
        edit(json!({"subject": null})),
        expect(json!({})),
        expect(json!({"mode": "strict"})),
        expect(json!({"interrupts": ["notify", "question"]})),
        expect(json!({"interrupts": ["done"]})),
        expect(json!({"interrupts": [{"notify": {}}]})),
        expect(json!({"interrupts": [{"write_email": {"to": "a"}}]})),
        step(json!({"example": "a"})),
        step(json!({})),
        step(json!({"example": "a", "memory": {}})),
        step(json!({"example": "a", "memory": {"background": "x"}})),
        step(json!({"example": "a", "memory": {"triage": "x"}})),
        step(json!({"example": "a", "human": {"simulated": "x"}})),
        json!({"id": "e", "episode": [{"example": "a"}], "unchanged": ["background"]}),
        json!({"id": "e", "episode": [{"example": "a"}, {"example": "a"}], "unchanged": ["calendar"]}),
    ] {
        let lines = format!("{}\n{record}", small("a"));
        let records = json!([serde_json::from_str::<Value>(&small("a")).unwrap(), record]);
        let loads = load("jsonl", lines).is_ok();
        assert_eq!(validator.is_valid(&records), loads, "{record}");
    }
}

#[test]
fn it_and_the_validator_agree() {
    let validator = validator();
    let record = |key: &str, value: Value| {
        let mut record: Value = serde_json::from_str(&small("a")).unwrap();
        match key.split_once('.') {
            Some((map, key)) => record[map][key] = value,
            None => record[key] = value,
        }
        record
    };
    let call = |call: Value| record("expect.tool_calls", json!([call]));
    for record in [
        record("tags", json!([])),
        record("tags", json!("x")),
        record("tags", json!([""])),
        record("id", json!(" a")),
        record("id", json!("a b")),
        record("split", json!(" ")),
        record("email.subject", json!("")),
        record("email.from", json!("")),
        record("email.date", json!("2026-3-2")),
        record("email.date", json!("2026-03-02")),
        record("expect.mode", json!("strict")),
        record("expect.triage", json!("Respond")),
        record("expect.criteria", json!([3])),
        record("expect.criteria", json!([{"text": "x"}])),
        record(
            "expect.criteria",
            json!([{"text": "x", "weight": 0.5, "critical": true}]),
        ),
        record("expect.criteria", json!([{"weight": 1}])),
        record("expect.criteria", json!([{"text": " "}])),
        record("expect.criteria", json!([{"text": "x", "weight": 0}])),
        record("expect.criteria", json!([{"text": "x", "weight": 100}])),
        record("expect.criteria", json!([{"text": "x", "weight": 100.5}])),
        record("expect.criteria", json!([{"text": "x", "weight": "1"}])),
        record("expect.criteria", json!([{"text": "x", "critical": false}])),
        call(json!("done")),
        call(json!("dome")),
        call(json!({"done": {}})),
        call(json!({})),
        call(json!({"done": {}, "question": {}})),
        call(json!({"write_email": {"to": null}})),
        call(json!({"write_email": {"to": {}}})),
        call(json!({"write_email": {"to": {"equals": null}}})),
        call(json!({"write_email": {"to": {"any_of": []}}})),
        call(json!({"write_email": {"to": {"absent": false}}})),
        call(json!({"write_email": {"to": {"absent": true, "contains": "x"}}})),
        call(json!({"write_email": {"to": {"matches": "x", "contains": "x"}}})),
    ] {
        let loads = load("jsonl", record.to_string()).is_ok();
        assert_eq!(validator.is_valid(&json!([record])), loads, "{record}");
    }
}
