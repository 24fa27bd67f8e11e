use serde_json::json;

use super::*;
use crate::dataset::Dataset;
use crate::langsmith::examples::{Examples, Hidden, SPLITS};
use crate::redact::Redactor;

/// As the service answers what a push of the dataset sent.
fn pushed(dataset: &Dataset) -> Vec<Example> {
    let redactor = Redactor::new([]);
    let examples = Examples {
        local: dataset,
        remote: Uuid::from_u128(7),
        redactor: &redactor,
        hidden: Hidden::default(),
    };
    let answered = |mut write: crate::langsmith::wire::ExampleWrite| {
        write.metadata.insert(SPLITS.to_owned(), write.split.into());
        Example {
            id: write.id,
            inputs: write.inputs,
            outputs: Some(write.outputs),
            metadata: Some(write.metadata),
            modified_at: None,
        }
    };
    examples.all().map(answered).collect()
}

fn foreign(id: u128, label: &str) -> Example {
    let object = |value: Value| value.as_object().unwrap().clone();
    Example {
        id: Uuid::from_u128(id),
        inputs: object(json!({
            "email_input": {"author": "a@x.example", "to": "b", "subject": "S", "email_thread": "B"},
        })),
        outputs: Some(object(json!({"classification": label, "mood": "good"}))),
        metadata: Some(object(json!({SPLITS: ["base"]}))),
        modified_at: None,
    }
}

fn pulled(examples: Vec<Example>, wanted: Wanted<'_>) -> (Pulled, Option<Dataset>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pulled.yaml");
    let limits = Limits::default();
    let mut pulling = Pulling::create(wanted, &path, &limits).unwrap();
    for example in examples {
        pulling.example(example);
    }
    let pulled = pulling.finish().unwrap();
    let dataset = path.exists().then(|| {
        let loaded = Dataset::load(std::slice::from_ref(&path), &limits);
        loaded.unwrap_or_else(|errors| panic!("{errors}"))
    });
    (pulled, dataset)
}

#[test]
fn what_was_pushed_comes_back_as_it_was_in_whatever_order() {
    let embedded = Dataset::embedded();
    let mut examples = pushed(&embedded);
    let all = examples.len();
    // Scenarios before the examples that they name.
    examples.reverse();
    let (pulled, dataset) = pulled(examples, Wanted::default());
    let report = &pulled.report;
    assert_eq!(
        (report.records, report.mapped, pulled.ours),
        (all, all, all)
    );
    assert_eq!(pulled.unmapped, []);
    assert_eq!(dataset.unwrap().hash, embedded.hash);
}

#[test]
fn what_cannot_be_mapped_is_named_with_the_reasons() {
    let embedded = Dataset::embedded();
    let mut examples = pushed(&embedded);
    let first = embedded.examples[0].id.clone();
    let is_named = |example: &Example, id: &str| examples::our_id(example) == Some(id);
    let of_first = embedded.scenarios.iter().find(|it| it.example == 0);
    let keeps = |example: &Example| {
        is_named(example, &first) || of_first.is_some_and(|it| is_named(example, &it.id))
    };
    let scenario = examples.iter().find(|it| {
        let metadata = it.metadata.as_ref().unwrap();
        metadata["kind"] == "scenario" && metadata["example"] != json!(first)
    });
    let scenario = scenario.unwrap().clone();
    let orphan = examples::our_id(&scenario).unwrap().to_owned();
    examples.retain(keeps);
    let hidden = Example {
        id: Uuid::from_u128(3),
        inputs: Map::new(),
        ..examples
            .iter()
            .find(|it| is_named(it, &first))
            .unwrap()
            .clone()
    };
    let mut mine = hidden.clone();
    mine.metadata.as_mut().unwrap()[examples::OUR_ID] = "hidden".into();
    let there = examples.len();
    let page = [
        examples,
        vec![scenario, foreign(1, "ignore"), foreign(2, "maybe"), mine],
    ]
    .concat();
    let (pulled, dataset) = pulled(page, Wanted::default());
    let report = &pulled.report;
    assert_eq!((report.records, report.mapped), (there + 4, there + 1));
    assert_eq!(pulled.ours, there);
    assert!(!report.is_complete());
    let unmapped: Vec<String> = pulled
        .unmapped
        .iter()
        .map(|it| format!("{}: {}", it.id, it.reasons.join("; ")))
        .collect();
    assert_eq!(unmapped.len(), 3, "{unmapped:?}");
    assert!(
        unmapped[0].starts_with(&Uuid::from_u128(2).to_string()),
        "{unmapped:?}"
    );
    assert_eq!(
        unmapped[1],
        "hidden: its inputs were hidden when it was pushed"
    );
    assert!(
        unmapped[2].starts_with(&format!("{orphan}: ")),
        "{unmapped:?}"
    );
    let left_out: Vec<_> = report.left_out_keys.keys().collect();
    assert_eq!(left_out, ["outputs.mood"]);
    let dataset = dataset.unwrap();
    let theirs = &dataset.examples.last().unwrap().id;
    assert_eq!(*theirs, Uuid::from_u128(1).to_string());
}

#[test]
fn a_split_is_pulled_alone_and_base_is_what_has_none() {
    let mut bare = foreign(1, "ignore");
    bare.metadata = None;
    let based = foreign(2, "ignore");
    let mut several = foreign(3, "ignore");
    several.metadata.as_mut().unwrap()[SPLITS] = json!(["dev", "hard"]);
    for (split, ids) in [
        ("base", vec![1, 2]),
        ("dev", vec![3]),
        ("hard", vec![3]),
        ("test", vec![]),
    ] {
        let page = vec![bare.clone(), based.clone(), several.clone()];
        let wanted = Wanted {
            split: Some(split),
            ..Wanted::default()
        };
        let (pulled, dataset) = pulled(page, wanted);
        let found = dataset.map_or(vec![], |dataset| dataset.examples);
        let found: Vec<String> = found.into_iter().map(|it| it.id).collect();
        let ids: Vec<String> = ids
            .into_iter()
            .map(|id| Uuid::from_u128(id).to_string())
            .collect();
        assert_eq!(found, ids, "{split}");
        assert_eq!(pulled.elsewhere, 3 - ids.len(), "{split}");
        assert_eq!(pulled.report.records, ids.len(), "{split}");
    }
}
