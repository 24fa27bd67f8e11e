use proptest::prelude::*;

use super::*;

fn interrupt() -> Interrupt {
    Interrupt {
        id: "5d0c".into(),
        action: "write_email".into(),
        args: json!({ "to": "ana@northwind.example" })
            .as_object()
            .unwrap()
            .clone(),
        allowed: Allowed {
            accept: true,
            edit: true,
            ignore: true,
            respond: false,
        },
        description: Some("**Subject**: Hi".into()),
    }
}

fn answer(response: Response) -> Answer {
    Answer {
        id: None,
        response,
        answered_by: None,
    }
}

fn map(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

#[test]
fn a_question_is_a_list_of_one_request() {
    insta::assert_json_snapshot!(write_interrupt(&interrupt()), @r#"
    [
      {
        "action_request": {
          "action": "write_email",
          "args": {
            "to": "ana@northwind.example"
          }
        },
        "config": {
          "allow_ignore": true,
          "allow_respond": false,
          "allow_edit": true,
          "allow_accept": true
        },
        "description": "**Subject**: Hi",
        "id": "5d0c"
      }
    ]
    "#);
}

#[test]
fn the_notice_has_a_prefix_on_the_wire_alone() {
    let notice = Interrupt {
        action: "notify".into(),
        args: Map::new(),
        ..interrupt()
    };
    let payload = write_interrupt(&notice);
    assert_eq!(
        payload[0]["action_request"]["action"],
        "Email Assistant: notify"
    );
    assert_eq!(read_interrupts(&payload), [notice]);
}

#[test]
fn a_question_is_read_in_every_form_that_is_sent() {
    let item = write_interrupt(&interrupt())[0].clone();
    for payload in [
        json!([item]),
        item.clone(),
        json!(item.to_string()),
        json!(json!([item]).to_string()),
    ] {
        assert_eq!(read_interrupts(&payload), [interrupt()], "{payload}");
    }
    // What others leave out.
    let least = json!({
        "action_request": { "action": "question" }, "config": { "allow_respond": true }, "more": 1
    });
    let [least] = &read_interrupts(&least)[..] else {
        panic!("one question");
    };
    assert_eq!(least.action, "question");
    assert_eq!(least.allowed.kinds(), ["respond"]);
    assert_eq!((&*least.id, &least.description), ("", &None));
}

#[test]
fn the_form_of_the_middleware_is_read_and_never_allows_to_ignore() {
    let payload = json!({
        "action_requests": [
            { "name": "write_email", "arguments": { "to": "a" }, "description": "D" },
            { "name": "done", "args": {} },
            { "arguments": {} },
        ],
        "review_configs": [
            { "action_name": "done", "allowed_decisions": ["approve"] },
            { "action_name": "write_email", "allowed_decisions": ["approve", "edit", "reject"] },
        ],
    });
    let read = read_interrupts(&payload);
    let told: Vec<_> = (read.iter())
        .map(|interrupt| (&*interrupt.action, interrupt.allowed.kinds()))
        .collect();
    assert_eq!(
        told,
        [
            ("write_email", vec!["accept", "edit", "respond"]),
            ("done", vec!["accept"]),
            (IMPROPER, vec!["ignore"]),
        ]
    );
    assert_eq!(read[0].args["to"], "a");
    assert_eq!(read[0].description.as_deref(), Some("D"));
    // Without names the place counts.
    let payload = json!({
        "action_requests": [{ "name": "write_email", "arguments": {} }],
        "review_configs": [{ "allowed_decisions": ["reject", "later"] }],
    });
    assert_eq!(read_interrupts(&payload)[0].allowed.kinds(), ["respond"]);
}

#[test]
fn what_is_no_question_can_be_seen_and_only_be_ignored() {
    let request = json!({ "action": "write_email", "args": {} });
    for payload in [
        json!("What?"),
        json!(null),
        json!([]),
        json!([1]),
        json!({}),
        json!({ "action_request": request }),
        json!({ "action_request": { "action": "", "args": {} }, "config": {} }),
        json!({ "action_request": { "action": "x".repeat(201), "args": {} }, "config": {} }),
        json!({ "action_request": { "action": "x", "args": [1] }, "config": {} }),
        json!({ "action_request": request, "config": { "allow_edit": "yes" } }),
        json!({ "action_request": request, "config": {}, "description": 1 }),
        json!({ "action_requests": [], "review_configs": [] }),
        json!({ "action_requests": [{ "name": "write_email" }], "review_configs": [] }),
        json!({ "action_requests": 1 }),
        json!(vec![request; 101]),
    ] {
        let read = read_interrupts(&payload);
        assert_eq!(read.len(), 1, "{payload}");
        assert_eq!(read[0].action, IMPROPER, "{payload}");
        assert_eq!(read[0].allowed.kinds(), ["ignore"]);
    }
    let huge = read_interrupts(&json!("x".repeat(MAX_TEXT + 1)));
    assert_eq!(
        huge[0].description.as_ref().unwrap().chars().count(),
        MAX_EXCERPT
    );
}

#[test]
fn an_answer_is_a_list_of_one() {
    let full = Answer {
        id: Some("5d0c".into()),
        response: Response::Edit(map(json!({ "to": "b" }))),
        answered_by: Some("Sam".into()),
    };
    let mut text = String::new();
    for answer in [
        full,
        answer(Response::Accept),
        answer(Response::Ignore),
        answer(Response::Respond("Shorter.".into())),
    ] {
        text.push_str(&write_answer(&answer, "write_email").to_string());
        text.push('\n');
    }
    insta::assert_snapshot!(text, @r#"
    [{"type":"edit","args":{"action":"write_email","args":{"to":"b"}},"id":"5d0c","answered_by":"Sam"}]
    [{"type":"accept","args":null}]
    [{"type":"ignore","args":null}]
    [{"type":"response","args":"Shorter."}]
    "#);
}

#[test]
fn an_answer_is_read_in_every_form_that_is_sent() {
    let edit = || Response::Edit(map(json!({ "to": "b" })));
    let respond = || Response::Respond("No.".into());
    for (value, response) in [
        (
            json!([{ "type": "accept", "args": { "action": "x", "args": { "n": "30" } } }]),
            Response::Accept,
        ),
        (json!([{ "type": "accept", "args": "" }]), Response::Accept),
        (json!({ "type": "accept" }), Response::Accept),
        (
            json!([{ "type": "ignore", "args": null }]),
            Response::Ignore,
        ),
        (json!([{ "type": "response", "args": "No." }]), respond()),
        (json!({ "type": "respond", "args": "No." }), respond()),
        (
            json!("[{\"type\":\"response\",\"args\":\"No.\"}]"),
            respond(),
        ),
        (
            json!([{ "type": "edit", "args": { "action": "x", "args": { "to": "b" } } }]),
            edit(),
        ),
        (
            json!({ "type": "edit", "args": { "args": { "to": "b" } } }),
            edit(),
        ),
        (json!({ "type": "edit", "args": { "to": "b" } }), edit()),
        (json!({ "type": "edit", "args": "{\"to\":\"b\"}" }), edit()),
        (
            json!({ "type": "edit", "args": { "action": "x", "args": "{\"to\":\"b\"}" } }),
            edit(),
        ),
        // An argument that is called `args` among others is no request.
        (
            json!({ "type": "edit", "args": { "args": "-v", "to": "b" } }),
            Response::Edit(map(json!({ "args": "-v", "to": "b" }))),
        ),
        (
            json!({ "decisions": [{ "type": "approve" }] }),
            Response::Accept,
        ),
        (json!({ "type": "reject", "message": "No." }), respond()),
        (
            json!({ "type": "reject" }),
            Response::Respond(String::new()),
        ),
        (
            json!({ "type": "edit", "edited_action": { "name": "x", "args": { "to": "b" } } }),
            edit(),
        ),
    ] {
        assert_eq!(read_answer(&value), Ok(answer(response)), "{value}");
    }
}

#[test]
fn what_is_no_answer_is_told_apart() {
    let mut text = String::new();
    for value in [
        json!([{ "type": "maybe", "args": null }]),
        json!({ "args": "No." }),
        json!({ "type": 1 }),
        json!({ "type": "response", "args": null }),
        json!({ "type": "edit", "args": "b" }),
        json!({ "type": "edit", "args": { "args": [1] } }),
        json!([]),
        json!([{ "type": "accept" }, { "type": "ignore" }]),
        json!(true),
        json!("yes"),
    ] {
        text.push_str(&read_answer(&value).unwrap_err().to_string());
        text.push('\n');
    }
    insta::assert_snapshot!(text, @r"
    unknown kind of answer `maybe`: use `accept`, `edit`, `ignore`, or `response`
    the answer has no `type`: use `accept`, `edit`, `ignore`, or `response`
    the answer has no `type`: use `accept`, `edit`, `ignore`, or `response`
    a `response` needs its text in `args`
    an `edit` needs the new arguments in `args`, an object, or in `args.args`
    an `edit` needs the new arguments in `args`, an object, or in `args.args`
    one question takes one answer, and these are 0
    one question takes one answer, and these are 2
    an answer is an object with `type` and `args`, or a list of one such object
    an answer that is text must hold JSON of at most 4194304 bytes: expected value at line 1 column 1
    ");
    let huge = json!("[".repeat(MAX_TEXT + 1));
    assert!(matches!(read_answer(&huge), Err(AnswerError::NotJson(_))));
    let deep = json!("[".repeat(MAX_TEXT));
    assert!(matches!(read_answer(&deep), Err(AnswerError::NotJson(_))));
}

/// JSON whose keys are near to those that mean something.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "\\PC{0,8}".prop_map(Value::from),
        Just(json!("accept")),
        Just(json!("edit")),
        Just(json!("[{\"type\":\"edit\",\"args\":{}}]")),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        let key = prop_oneof![
            Just("args".to_owned()),
            Just("type".to_owned()),
            Just("action".to_owned()),
            Just("action_request".to_owned()),
            Just("action_requests".to_owned()),
            Just("review_configs".to_owned()),
            Just("config".to_owned()),
            Just("name".to_owned()),
            "[a-z]{1,4}",
        ];
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map(key, inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn any_args() -> impl Strategy<Value = Map<String, Value>> {
    proptest::collection::btree_map("(args|action|to|[a-z]{1,5})", any_json(), 0..4)
        .prop_map(|map| map.into_iter().collect())
}

proptest! {
    #[test]
    fn questions_come_back_as_they_were_sent(
        id in "[0-9a-f]{0,8}",
        action in "(notify|ignore|respond|[a-z_]{1,20})",
        args in any_args(),
        flags in any::<[bool; 4]>(),
        description in proptest::option::of("\\PC{0,40}"),
        as_text in any::<bool>(),
    ) {
        let [accept, edit, ignore, respond] = flags;
        let allowed = Allowed { accept, edit, ignore, respond };
        let interrupt = Interrupt { id, action, args, allowed, description };
        let mut payload = write_interrupt(&interrupt);
        if as_text {
            payload = json!(payload.to_string());
        }
        prop_assert_eq!(read_interrupts(&payload), [interrupt]);
    }

    #[test]
    fn answers_come_back_as_they_were_sent(
        id in proptest::option::of("[0-9a-f]{0,8}"),
        answered_by in proptest::option::of("\\PC{0,8}"),
        kind in 0..4,
        args in any_args(),
        text in "\\PC{0,20}",
        as_text in any::<bool>(),
    ) {
        let response = match kind {
            0 => Response::Accept,
            1 => Response::Edit(args),
            2 => Response::Ignore,
            _ => Response::Respond(text),
        };
        let answer = Answer { id, response, answered_by };
        let mut value = write_answer(&answer, "write_email");
        if as_text {
            value = json!(value.to_string());
        }
        prop_assert_eq!(read_answer(&value), Ok(answer));
    }

    #[test]
    fn anything_is_a_question_or_a_placeholder_and_an_answer_or_an_error(value in any_json()) {
        prop_assert!(!read_interrupts(&value).is_empty());
        let _ = read_answer(&value);
    }
}
