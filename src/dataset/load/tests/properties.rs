use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;

/// Trees made of the format's own words, so that they get past the first checks.
fn tree() -> impl Strategy<Value = Value> {
    let word = prop_oneof![
        Just("write_email"),
        Just("respond"),
        Just("x"),
        Just(""),
        Just("("),
        Just("2026-03-02"),
        Just("at-most"),
        Just("notify"),
        Just("a"),
        Just("cal_preferences"),
    ];
    let key = prop_oneof![
        Just("id"),
        Just("email"),
        Just("expect"),
        Just("tags"),
        Just("triage"),
        Just("tool_calls"),
        Just("write_email"),
        Just("to"),
        Just("matches"),
        Just("any_of"),
        Just("absent"),
        Just("body"),
        Just("date"),
        Just("mode"),
        Just("forbidden"),
        Just("criteria"),
        Just("scenario"),
        Just("episode"),
        Just("example"),
        Just("human"),
        Just("on"),
        Just("nth"),
        Just("edit"),
        Just("then"),
        Just("memory"),
        Just("cal_preferences"),
        Just("interrupts"),
        Just("<<"),
    ];
    let leaf = prop_oneof![
        word.prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        Just(Value::Null),
    ];
    leaf.prop_recursive(6, 40, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((key.clone(), inner), 0..6).prop_map(|entries| {
                let map: Map<_, _> = entries
                    .into_iter()
                    .map(|(k, v)| (k.to_owned(), v))
                    .collect();
                map.into()
            }),
        ]
    })
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[ -~\n\t\r]{1,40}",
        "([a-z:#&*!|>'\"%@`{}\\[\\], -]{0,12}\n){1,5}",
        Just("a\u{85}b\u{2028}c\u{feff}\u{7f}\u{0}".to_owned()),
    ]
    .prop_filter("texts of a dataset are not blank", |text| {
        !text.trim().is_empty()
    })
}

fn criterion() -> impl Strategy<Value = Value> {
    let weight = prop_oneof![Just(json!(0.25)), (2..=100u32).prop_map(Value::from)];
    let heavy = (text(), weight).prop_map(|(text, weight)| json!({"text": text, "weight": weight}));
    let critical = text().prop_map(|text| json!({"text": text, "critical": true}));
    prop_oneof![text().prop_map(Value::from), heavy, critical]
}

prop_compose! {
    fn record()(
        id in "[a-z0-9-]{1,12}",
        from in text(), to in text(), subject in any::<String>(), body in text(),
        tags in prop::collection::vec(text(), 0..3),
        split in prop::option::of(text()),
        contains in text(), equals in text(), note in text(),
        number in any::<i32>(),
        criteria in prop::collection::vec(criterion(), 0..3),
    ) -> Value {
        let mut record = json!({
            "id": id,
            "email": {"from": from, "to": to, "subject": subject, "body": body},
            "note": note,
            "expect": {
                "triage": "respond",
                "tool_calls": [{"write_email": {"to": {"contains": contains}, "content": equals}},
                    {"schedule_meeting": {"start_time": number}}, "done"],
            },
        });
        if !tags.is_empty() {
            record["tags"] = tags.into();
        }
        if !criteria.is_empty() {
            record["expect"]["criteria"] = criteria.into();
        }
        if let Some(split) = split {
            record["split"] = split.into();
        }
        record
    }
}

proptest! {
    #[test]
    fn what_is_written_is_what_is_read(record in record()) {
        let jsonl = load("jsonl", record.to_string()).unwrap();
        prop_assert_eq!(jsonl.examples[0].to_json(), record.clone());
        let yaml = crate::dataset::write::yaml(&record);
        match load("yaml", &yaml) {
            Ok(loaded) => {
                prop_assert_eq!(loaded.examples[0].to_json(), jsonl.examples[0].to_json(), "{}", yaml);
                prop_assert_eq!(loaded.hash, jsonl.hash);
            }
            Err(errors) => prop_assert!(false, "{errors}\n{yaml}"),
        }
    }

    #[test]
    fn any_tree_is_a_dataset_or_an_error(tree in tree()) {
        let (list, line) = (json!([tree]).to_string(), tree.to_string());
        let results = [load("json", &list), load("jsonl", &line), load("yaml", &list)];
        for result in results {
            if let Err(errors) = result {
                prop_assert!(errors.total > 0);
            }
        }
    }

    #[test]
    fn any_bytes_are_a_dataset_or_an_error(bytes: Vec<u8>, text: String) {
        for extension in ["yaml", "json", "jsonl"] {
            prop_assert!(load(extension, &bytes).is_err());
            prop_assert!(load(extension, &text).is_err());
            let records = format!("- id: {text}\n- {text}");
            prop_assert!(load(extension, records).is_err());
        }
    }
}
