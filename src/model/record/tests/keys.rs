//! What is part of a key, and what is not.

use proptest::prelude::*;

use super::super::entry::Said;
use super::super::key::{Key, digest};
use super::*;
use crate::message::{Role, ToolCall, ToolStatus};
use crate::model::OutputSchema;
use crate::model::settings::Temperature;

fn key(model: &str, settings: &Settings, request: &Request, ordinal: u32) -> Key {
    let said: Vec<Said> = request.messages.iter().map(Said::from).collect();
    let digest = digest(model, settings, request, &said, &Redactor::new([]));
    Key::new(&digest, request.origin.attempt, ordinal)
}

fn plain(request: &Request) -> Key {
    key("openai:m", &Settings::default(), request, 0)
}

fn message() -> impl Strategy<Value = Message> {
    let role = prop_oneof![Just(Role::User), Just(Role::Assistant), Just(Role::Tool)];
    let arguments = prop_oneof![
        Just(json!({})),
        any::<i64>().prop_map(|n| json!({ "n": n })),
        ".{0,8}".prop_map(|text| json!({ "b": text, "a": [1] })),
    ];
    let call = ("[a-z0-9]{0,4}", "[a-z_]{0,6}", arguments);
    let call = call.prop_map(|(id, name, arguments)| ToolCall {
        id,
        name,
        arguments,
    });
    let calls = prop::collection::vec(call, 0..3);
    let answers = prop::option::of(("[a-z0-9]{0,4}", "[a-z]{0,4}"));
    ("[a-z0-9]{0,4}", role, ".{0,20}", calls, answers).prop_map(
        |(id, role, content, tool_calls, answers)| Message {
            id,
            role,
            content,
            tool_calls,
            tool_call_id: answers.clone().map(|(id, _)| id),
            name: answers.map(|(_, name)| name),
            status: ToolStatus::Executed,
        },
    )
}

proptest! {
    #[test]
    fn ids_of_ours_and_the_order_of_members_are_no_part_of_a_key(
        messages in prop::collection::vec(message(), 0..4),
        ids in prop::collection::vec("[a-z0-9]{0,4}", 4),
        case in "[a-z]{0,4}",
    ) {
        let mut one = request("e", "");
        one.messages = messages;
        let mut other = request(&case, "");
        other.messages = one.messages.clone();
        for (message, id) in other.messages.iter_mut().zip(ids) {
            message.id = id;
            for call in &mut message.tool_calls {
                // As another serialiser may order them.
                if let Value::Object(members) = &mut call.arguments {
                    let reversed = std::mem::take(members).into_iter().rev();
                    members.extend(reversed.collect::<Vec<_>>());
                }
            }
        }
        prop_assert_eq!(plain(&one), plain(&other));
    }

    #[test]
    fn whatever_else_of_a_message_differs_makes_another_key(
        messages in prop::collection::vec(message(), 1..4),
        changed in message(),
        at in any::<prop::sample::Index>(),
    ) {
        let mut one = request("e", "");
        one.messages = messages;
        let mut other = one.clone();
        let at = at.index(other.messages.len());
        let id = other.messages[at].id.clone();
        other.messages[at] = Message { id, ..changed };
        let same = one.messages == other.messages;
        prop_assert_eq!(plain(&one) == plain(&other), same);
    }

    #[test]
    fn a_key_reads_as_it_was_written(text in "[0-9a-f]{32}") {
        let key = Key::try_from(text.clone()).unwrap();
        prop_assert_eq!(key.to_string(), text);
    }

    #[test]
    fn what_is_no_key_is_none(text in ".{0,40}") {
        let is_key = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        prop_assert_eq!(Key::try_from(text).is_ok(), is_key);
    }
}

#[test]
fn everything_that_has_a_say_in_an_answer_is_part_of_the_key() {
    let settings = Settings::default;
    let base = || request("e", "hello");
    let change = |change: &dyn Fn(&mut Request)| {
        let mut request = base();
        change(&mut request);
        plain(&request)
    };
    let keys = [
        plain(&base()),
        key("openai:n", &settings(), &base(), 0),
        key("openai:m", &settings(), &base(), 1),
        key(
            "openai:m",
            &Settings {
                seed: Some(0),
                ..settings()
            },
            &base(),
            0,
        ),
        key(
            "openai:m",
            &Settings {
                temperature: Some(Temperature::Of(0.5)),
                ..settings()
            },
            &base(),
            0,
        ),
        key(
            "openai:m",
            &Settings {
                temperature: Some(Temperature::Provider),
                ..settings()
            },
            &base(),
            0,
        ),
        change(&|request| request.role = ModelRole::Router),
        change(&|request| request.tool_choice = ToolChoice::Auto),
        change(&|request| request.origin.attempt = 1),
        change(&|request| request.origin.vote = 1),
        change(&|request| request.messages[0].role = Role::Assistant),
        change(&|request| request.messages[0].status = ToolStatus::Failed),
        change(&|request| request.messages[0].name = Some("done".into())),
        change(&|request| request.messages[0].tool_call_id = Some("c1".into())),
        change(&|request| request.messages.clear()),
        change(&|request| {
            request.prompt = Prompt::new("Answer.".into(), request.prompt.tools().to_vec());
        }),
        change(&|request| {
            request.prompt = Prompt::new(request.prompt.system().into(), Vec::new());
        }),
        change(&|request| {
            request.output = Some(Arc::new(OutputSchema {
                name: "a".into(),
                schema: json!({}),
            }));
        }),
        change(&|request| {
            request.output = Some(Arc::new(OutputSchema {
                name: "a".into(),
                schema: json!({"b": 1}),
            }));
        }),
    ];
    for (number, key) in keys.iter().enumerate() {
        let first = keys.iter().position(|other| other == key);
        assert_eq!(first, Some(number), "{number}");
    }
    assert_eq!(change(&|request| request.origin.case = "f".into()), keys[0]);
}
