use serde_json::{Value, json};

use super::*;
use crate::langsmith::examples::OUR_ID;

fn object(value: Value) -> Object {
    value.as_object().unwrap().clone()
}

fn local(id: u128) -> ExampleWrite {
    ExampleWrite {
        id: Uuid::from_u128(id),
        inputs: object(json!({"email": {"subject": "S", "body": "B"}})),
        outputs: object(json!({"triage": "respond", "n": 2.0})),
        metadata: object(json!({OUR_ID: format!("item-{id}"), "tags": ["a"]})),
        split: vec!["dev".to_owned()],
    }
}

fn remote(write: &ExampleWrite) -> Example {
    let mut metadata = write.metadata.clone();
    metadata.insert(SPLITS.to_owned(), write.split.clone().into());
    Example {
        id: write.id,
        inputs: write.inputs.clone(),
        outputs: Some(write.outputs.clone()),
        metadata: Some(metadata),
        modified_at: None,
    }
}

#[test]
fn an_item_is_sent_again_only_where_it_says_something_else() {
    type Edit = fn(&mut Example);
    for (case, edit, standing) in [
        ("as it was", (|_| {}) as Edit, Standing::Unchanged),
        (
            "another order of keys",
            |it| it.inputs = object(json!({"email": {"body": "B", "subject": "S"}})),
            Standing::Unchanged,
        ),
        (
            "another spelling of a number",
            |it| it.outputs = Some(object(json!({"n": 2, "triage": "respond"}))),
            Standing::Unchanged,
        ),
        (
            "another input",
            |it| it.inputs["email"]["body"] = "C".into(),
            Standing::Changed,
        ),
        (
            "another output",
            |it| it.outputs.as_mut().unwrap()["n"] = 3.into(),
            Standing::Changed,
        ),
        ("no output", |it| it.outputs = None, Standing::Changed),
        (
            "another tag",
            |it| it.metadata.as_mut().unwrap()["tags"] = json!(["b"]),
            Standing::Changed,
        ),
        (
            "another key",
            |it| {
                let metadata = it.metadata.as_mut().unwrap();
                metadata.insert("x".to_owned(), Value::Null);
            },
            Standing::Changed,
        ),
        (
            "another split",
            |it| it.metadata.as_mut().unwrap()[SPLITS] = json!(["test"]),
            Standing::Changed,
        ),
        (
            "no split",
            |it| it.metadata.as_mut().unwrap()[SPLITS] = json!([]),
            Standing::Changed,
        ),
        (
            "one more split",
            |it| it.metadata.as_mut().unwrap()[SPLITS] = json!(["dev", "base"]),
            Standing::Changed,
        ),
    ] {
        let local = local(1);
        let mut example = remote(&local);
        edit(&mut example);
        let mut there = Remote::default();
        there.add([example]);
        assert_eq!(there.standing(&local), standing, "{case}");
        assert_eq!(there.rest(), Rest::default(), "{case}");
    }
}

#[test]
fn an_item_in_no_split_is_in_the_service_s_own() {
    let mut local = local(1);
    local.split = vec![BASE.to_owned()];
    let mut example = remote(&local);
    example.metadata.as_mut().unwrap().shift_remove(SPLITS);
    let mut there = Remote::default();
    there.add([example]);
    assert_eq!(there.standing(&local), Standing::Unchanged);
}

#[test]
fn what_only_one_side_has_is_told_apart() {
    let mut there = Remote::default();
    let mut foreign = remote(&local(9));
    foreign.metadata.as_mut().unwrap().shift_remove(OUR_ID);
    let mut bare = remote(&local(8));
    bare.metadata = None;
    there.add([remote(&local(4)), remote(&local(1))]);
    there.add([foreign, remote(&local(3)), bare]);
    assert_eq!(there.standing(&local(1)), Standing::Unchanged);
    assert_eq!(there.standing(&local(2)), Standing::Missing);
    assert_eq!(
        there.rest(),
        Rest {
            gone: vec![
                ("item-3".to_owned(), Uuid::from_u128(3)),
                ("item-4".to_owned(), Uuid::from_u128(4)),
            ],
            foreign: 2,
        }
    );
}
