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
    let read = read::records(text.as_bytes(), Format::Yaml, &limits, &mut |_, record| {
        records.push(record.unwrap().into_json());
    });
    read.unwrap();
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
        "/expect/tool_calls/0/write_email",
        "/expect/tool_calls/0/write_email/to",
    ] {
        let mut changed = complete.clone();
        changed.pointer_mut(pointer).unwrap()["tagz"] = json!("x");
        assert!(!validator.is_valid(&json!([changed])), "{pointer}");
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
