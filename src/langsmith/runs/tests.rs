use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::LazyLock;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::agent::AgentKind;
use crate::email::Triage;
use crate::experiment::AskedModel;
use crate::message::{Message, PromptContent, ToolCall, ToolSpec, ToolStatus};
use crate::model::settings::Settings;
use crate::run::{Cost, ModelRole, Outcome, ReplyRef, Sent, Step, Stop, TokenUsage};
use crate::trace::fixture::{ITEMS, asks, attempt, header, told};

const PLACE: Place<'_> = Place {
    session: Uuid::from_u128(7),
    name: "told-workflow@rules-0000abcd",
    shift_ms: 0,
    hide_inputs: false,
    hide_outputs: false,
};
const EXAMPLE: Uuid = Uuid::from_u128(5);

fn inputs() -> Object {
    let email = json!({ "from": "ana@northwind.example", "subject": "Invoice 1042" });
    some([("email", Some(email))])
}

fn sent(header: &Header, attempt: &Attempt<Handled>, place: &Place<'_>) -> Vec<Run> {
    let trace = Trace::of(header, attempt, &Default::default());
    runs(header, attempt, &trace, place, EXAMPLE, &inputs())
}

/// A value on one line, long texts and lists by their beginnings.
fn brief(value: &Value) -> String {
    match value {
        Value::String(text) => {
            let start: String = text.chars().take(24).collect();
            let more = if start.len() < text.len() { "…" } else { "" };
            format!("{start:?}{more}")
        }
        Value::Array(values) => {
            let first: Vec<String> = values.iter().take(2).map(brief).collect();
            let more = match values.len().saturating_sub(2) {
                0 => String::new(),
                more => format!(", {more} more"),
            };
            format!("[{}{more}]", first.join(", "))
        }
        Value::Object(object) => {
            let entries = object.iter();
            let entries: Vec<String> = entries
                .map(|(key, value)| format!("{key}: {}", brief(value)))
                .collect();
            format!("{{{}}}", entries.join(", "))
        }
        other => other.to_string(),
    }
}

fn outline(runs: &[Run]) -> String {
    let mut text = String::new();
    for run in runs {
        let depth = run.head.dotted_order.matches('.').count();
        let (indent, kind) = ("  ".repeat(depth), run.head.run_type);
        writeln!(text, "{indent}{} {kind:?}", run.head.name).unwrap();
        for (what, object) in [
            ("in ", &run.inputs),
            ("out", &run.outputs),
            ("of ", &run.extra.metadata),
        ] {
            if !object.is_empty() {
                let object = brief(&object.clone().into());
                writeln!(text, "{indent}  {what} {object}").unwrap();
            }
        }
    }
    text
}

#[tokio::test]
async fn an_attempt_of_every_agent_is_a_tree_of_runs() {
    let mut told = told().await;
    told.header.tool_version = "9.9.9".to_owned();
    let outlined = |agent, item| {
        let attempt = told.attempt(agent, item);
        let inputs = match attempt.kind {
            CaseKind::Episode => some([("emails", Some(json!(["one", "two"])))]),
            _ => inputs(),
        };
        let trace = told.trace(attempt);
        let runs = runs(&told.header, attempt, &trace, &PLACE, EXAMPLE, &inputs);
        assert_eq!(runs.len(), trace.spans.len());
        outline(&runs)
    };
    insta::assert_snapshot!("baseline", outlined(AgentKind::Baseline, ITEMS[0]));
    insta::assert_snapshot!("workflow", outlined(AgentKind::Workflow, ITEMS[0]));
    insta::assert_snapshot!("hitl", outlined(AgentKind::Hitl, ITEMS[1]));
    // The emails after the first are told alike.
    let episode = outlined(AgentKind::HitlMemory, ITEMS[2]);
    let (first, rest) = episode.split_once("  email 2 Chain").unwrap();
    assert!(rest.contains("  email 2, memory of its own Chain"));
    insta::assert_snapshot!("hitl_memory", first);
}

fn call(id: &str, name: &str, arguments: Value) -> ToolCall {
    ToolCall {
        id: id.to_owned(),
        name: name.to_owned(),
        arguments,
    }
}

fn ran(call: &ToolCall, status: ToolStatus) -> Step {
    Step::Tool {
        node: "act".to_owned(),
        call_id: call.id.clone(),
        name: call.name.clone(),
        arguments: call.arguments.clone(),
        status,
        latency_ms: 0.25,
    }
}

/// Two calls of a priced model, between them a call that fails.
fn priced() -> (Header, Attempt<Handled>, Trace) {
    let mut header = header();
    header.variants[0].model = "google:gemini-2.5-flash".to_owned();
    let settings = Settings {
        max_tokens: Some(500),
        seed: Some(3),
        ..Settings::default()
    };
    header.models.insert(
        "google:gemini-2.5-flash".to_owned(),
        AskedModel {
            model: "google:gemini-2.5-flash".to_owned(),
            settings: [(ModelRole::Agent, settings)].into(),
        },
    );
    let meeting = call(
        "c1",
        "schedule_meeting",
        json!({ "preferred_day": "never" }),
    );
    let asks = |sent, reply: &str, stop| Step::Model {
        node: "respond".to_owned(),
        role: ModelRole::Agent,
        prompt: "p".to_owned(),
        sent: Sent::Log(sent),
        reply: ReplyRef::Message(reply.to_owned()),
        usage: TokenUsage {
            input_tokens: 1_412,
            output_tokens: 57,
            cached_input_tokens: 1_024,
            cost: Some(Cost::of_trillionths(566_100_000)),
        },
        stop,
        latency_ms: 812.5,
    };
    let mut attempt = attempt(vec![
        asks(1, "m1", None),
        ran(&meeting, ToolStatus::Failed),
        asks(3, "m3", Some(Stop::Length)),
    ]);
    attempt.runs[0].messages = vec![
        Message::user("m0", "Answer this."),
        Message::assistant("m1", "", vec![meeting.clone()]),
        Message::tool("m2", &meeting, ToolStatus::Failed, "`never` is no day"),
        Message::assistant("m3", "I could not", Vec::new()),
    ];
    let prompt = PromptContent {
        system: "Be brief.".to_owned(),
        tools: vec![ToolSpec {
            name: "schedule_meeting".to_owned(),
            description: "Makes a meeting.".to_owned(),
            parameters: json!({ "type": "object" }),
        }],
    };
    let trace = Trace::of(&header, &attempt, &[("p".to_owned(), prompt)].into());
    (header, attempt, trace)
}

#[test]
fn a_model_call_has_the_form_of_chat_completions() {
    let (header, attempt, trace) = priced();
    let runs = runs(&header, &attempt, &trace, &PLACE, EXAMPLE, &inputs());
    let models: Vec<&Run> = runs
        .iter()
        .filter(|run| run.head.run_type == RunType::Llm)
        .collect();
    let [first, second] = models[..] else {
        panic!("two calls");
    };
    insta::assert_json_snapshot!(first.inputs, @r#"
    {
      "messages": [
        {
          "role": "system",
          "content": "Be brief."
        },
        {
          "role": "user",
          "content": "Answer this."
        }
      ],
      "tools": [
        {
          "type": "function",
          "function": {
            "name": "schedule_meeting",
            "description": "Makes a meeting.",
            "parameters": {
              "type": "object"
            }
          }
        }
      ]
    }
    "#);
    insta::assert_json_snapshot!(first.outputs, @r#"
    {
      "choices": [
        {
          "finish_reason": "tool_calls",
          "message": {
            "role": "assistant",
            "content": null,
            "tool_calls": [
              {
                "id": "c1",
                "type": "function",
                "function": {
                  "name": "schedule_meeting",
                  "arguments": "{\"preferred_day\":\"never\"}"
                }
              }
            ]
          }
        }
      ],
      "usage_metadata": {
        "input_tokens": 1412,
        "output_tokens": 57,
        "total_tokens": 1469,
        "input_token_details": {
          "cache_read": 1024
        },
        "total_cost": 0.0005661
      }
    }
    "#);
    insta::assert_json_snapshot!(first.extra.metadata, @r#"
    {
      "ls_provider": "google_genai",
      "ls_model_name": "gemini-2.5-flash",
      "ls_model_type": "chat",
      "ls_temperature": 0.0,
      "ls_max_tokens": 500,
      "ls_invocation_params": {
        "temperature": 0.0,
        "max_tokens": 500,
        "seed": 3
      },
      "role": "agent",
      "usage_metadata": {
        "input_tokens": 1412,
        "output_tokens": 57,
        "total_tokens": 1469,
        "input_token_details": {
          "cache_read": 1024
        },
        "total_cost": 0.0005661
      }
    }
    "#);
    insta::assert_json_snapshot!(second.inputs["messages"], @r#"
    [
      {
        "role": "system",
        "content": "Be brief."
      },
      {
        "role": "user",
        "content": "Answer this."
      },
      {
        "role": "assistant",
        "content": null,
        "tool_calls": [
          {
            "id": "c1",
            "type": "function",
            "function": {
              "name": "schedule_meeting",
              "arguments": "{\"preferred_day\":\"never\"}"
            }
          }
        ]
      },
      {
        "role": "tool",
        "tool_call_id": "c1",
        "name": "schedule_meeting",
        "content": "`never` is no day"
      }
    ]
    "#);
    insta::assert_json_snapshot!(second.outputs["choices"], @r#"
    [
      {
        "finish_reason": "length",
        "message": {
          "role": "assistant",
          "content": "I could not"
        }
      }
    ]
    "#);
    insta::assert_json_snapshot!(first.head, @r#"
    {
      "id": "019cae0b-44a0-789e-9e71-780c18ad247b",
      "trace_id": "019cae0b-44a0-718f-9e40-504cbea231e9",
      "parent_run_id": "019cae0b-44a0-73ec-9a20-9af9b9c4e74d",
      "dotted_order": "20260302T101500000000Z019cae0b-44a0-718f-9e40-504cbea231e9.20260302T101500000000Z019cae0b-44a0-73ec-9a20-9af9b9c4e74d.20260302T101500000000Z019cae0b-44a0-789e-9e71-780c18ad247b",
      "name": "google:gemini-2.5-flash",
      "run_type": "llm",
      "start_time": "2026-03-02T10:15:00Z",
      "end_time": "2026-03-02T10:15:00.8125Z",
      "session_id": "00000000-0000-0000-0000-000000000007",
      "session_name": "told-workflow@rules-0000abcd"
    }
    "#);
}

#[test]
fn what_went_wrong_is_the_error_of_its_run() {
    let (header, mut attempt, _) = priced();
    (attempt.outcome, attempt.error) = (Outcome::StepLimit, Some("25 calls".to_owned()));
    let errors: Vec<_> = sent(&header, &attempt, &PLACE)
        .into_iter()
        .filter_map(|run| Some((run.head.name, run.error?)))
        .collect();
    let error = |name: &str, text: &str| (name.to_owned(), text.to_owned());
    assert_eq!(
        errors,
        [
            error("baseline", "step_limit: 25 calls"),
            error("schedule_meeting", "`never` is no day"),
        ]
    );
}

#[test]
fn only_the_root_has_an_example_and_tags() {
    let (header, mut attempt, _) = priced();
    attempt.tags = vec!["work".to_owned()];
    for (index, run) in sent(&header, &attempt, &PLACE).iter().enumerate() {
        let root = index == 0;
        assert_eq!(run.head.reference_example_id, root.then_some(EXAMPLE));
        assert_eq!(run.head.tags.len(), usize::from(root));
        assert_eq!(run.head.session_name, PLACE.name);
    }
}

#[test]
fn what_is_hidden_is_in_no_run() {
    let (header, mut attempt, _) = priced();
    attempt.outcome = Outcome::Protocol;
    attempt.error = Some("it said `canary`".to_owned());
    let run = &mut attempt.runs[0];
    for message in &mut run.messages {
        message.content.push_str(" canary");
        for call in &mut message.tool_calls {
            call.arguments = json!({ "canary": true });
        }
    }
    for (hide_inputs, hide_outputs) in [(false, false), (true, false), (false, true), (true, true)]
    {
        let place = Place {
            hide_inputs,
            hide_outputs,
            ..PLACE
        };
        let runs = sent(&header, &attempt, &place);
        let all = |empty: fn(&Run) -> bool| runs.iter().all(empty);
        assert_eq!(all(|run| run.inputs.is_empty()), hide_inputs);
        assert_eq!(all(|run| run.outputs.is_empty()), hide_outputs);
        let leaks = runs.iter().any(|run| {
            let texts = (&run.inputs, &run.outputs, &run.error, &run.extra);
            serde_json::to_string(&texts).unwrap().contains("canary")
        });
        assert_eq!(leaks, !(hide_inputs && hide_outputs));
        // That it failed is no secret.
        let errors: Vec<&str> = runs.iter().filter_map(|it| it.error.as_deref()).collect();
        match hide_outputs {
            true => assert_eq!(errors, ["protocol", "failed"]),
            false => assert_eq!(errors.len(), 2),
        }
    }
}

#[test]
fn what_was_done_stands_under_the_keys_of_what_is_expected() {
    let mail = |id: &str, text: &str| {
        let content = json!({ "to": "ana@northwind.example", "content": text });
        call(id, "write_email", content)
    };
    let (first, second) = (mail("c1", "One."), mail("c2", "Two."));
    let run = |calls: &[(&ToolCall, ToolStatus)]| {
        let mut attempt = attempt(Vec::new());
        let run = &mut attempt.runs[0];
        let proposed = calls.iter().map(|(call, _)| (*call).clone()).collect();
        run.messages.push(Message::assistant("m0", "", proposed));
        for (call, status) in calls {
            let message = Message::tool(format!("r{}", call.id), call, *status, "");
            run.messages.push(message);
            run.steps.push(ran(call, *status));
        }
        attempt
    };
    use ToolStatus::{Denied, Executed, Failed};
    for (case, calls, made, reply) in [
        ("nothing", &[][..], vec![], None),
        ("one", &[(&first, Executed)], vec!["One."], Some("One.")),
        (
            "the last counts",
            &[(&first, Executed), (&second, Executed)],
            vec!["One.", "Two."],
            Some("Two."),
        ),
        (
            "turned down",
            &[(&first, Executed), (&second, Denied)],
            vec!["One."],
            Some("One."),
        ),
        ("failed", &[(&first, Failed)], vec![], None),
    ] {
        let done = outputs(&run(calls));
        assert_eq!(done["triage"], "respond", "{case}");
        let texts: Vec<_> = done["tool_calls"].as_array().unwrap().iter().collect();
        let texts: Vec<_> = texts
            .iter()
            .map(|call| {
                assert_eq!(call["name"], "write_email", "{case}");
                call["args"]["content"].as_str().unwrap()
            })
            .collect();
        assert_eq!(texts, made, "{case}");
        assert_eq!(done.get("reply").and_then(Value::as_str), reply, "{case}");
    }
    // An edit of a person ran, and not what the model proposed.
    let mut edited = run(&[(&first, Executed)]);
    let Step::Tool { arguments, .. } = &mut edited.runs[0].steps[0] else {
        panic!("a tool");
    };
    arguments["content"] = "Edited.".into();
    assert_eq!(outputs(&edited)["reply"], "Edited.");
    let mut undecided = run(&[]);
    undecided.runs[0].triage = None;
    assert!(!outputs(&undecided).contains_key("triage"));
    undecided.runs.push(undecided.runs[0].clone());
    undecided.runs[1].triage = Some(Triage::Ignore);
    undecided.kind = CaseKind::Episode;
    assert_eq!(outputs(&undecided)["steps"][1]["triage"], "ignore");
}

#[test]
fn no_text_holds_a_nul_and_none_is_endless() {
    let (mut header, mut attempt, _) = priced();
    header.experiment = "a\0b".to_owned();
    attempt.tags = vec!["x\0".to_owned()];
    attempt.error = Some("\0".to_owned());
    attempt.outcome = Outcome::Harness;
    let run = &mut attempt.runs[0];
    run.messages[0].content = "\0é".repeat(300_000);
    let Step::Tool {
        arguments, name, ..
    } = &mut run.steps[1]
    else {
        panic!("a tool");
    };
    *arguments = json!({ "k\0": ["v\0"] });
    name.push('\0');
    let runs = sent(&header, &attempt, &PLACE);
    for run in &runs {
        let texts = (&run.head, &run.inputs, &run.outputs, &run.error, &run.extra);
        let json = serde_json::to_string(&texts).unwrap();
        assert!(!json.contains("\\u0000"), "{}", run.head.name);
    }
    let told: Vec<&str> = runs
        .iter()
        .filter_map(|run| run.inputs.get("messages")?[0]["content"].as_str())
        .collect();
    assert_eq!(told.len(), 2);
    for text in told {
        assert!(
            text.contains("\n[400000 bytes left out here]\n"),
            "{}",
            text.len()
        );
        assert!(text.len() < 200_100 && text.starts_with("éé") && text.ends_with("éé"));
    }
}

#[test]
fn an_attempt_of_many_long_texts_stays_below_a_few_megabytes() {
    for (messages, length) in [(10, 150_000), (100, 150_000), (2_000, 20_000)] {
        let mut attempt = attempt(vec![asks("triage", 1.0)]);
        let Step::Model { sent: log, .. } = &mut attempt.runs[0].steps[0] else {
            panic!("a model");
        };
        *log = Sent::Log(messages);
        let message = |number| Message::user(format!("m{number}"), "x".repeat(length));
        attempt.runs[0].messages = (0..messages).map(message).collect();
        let runs = sent(&header(), &attempt, &PLACE);
        let bytes: usize = runs
            .iter()
            .map(|run| serde_json::to_vec(&run.inputs).unwrap().len())
            .sum();
        assert!(bytes < 6_000_000, "{messages} of {length}: {bytes}");
        // And no more is cut than that takes.
        assert!(bytes > 1_400_000, "{messages} of {length}: {bytes}");
    }
}

/// The time and the id of each part.
fn parts(dotted_order: &str) -> Vec<(&str, Uuid)> {
    let parts = dotted_order.split('.');
    parts
        .map(|part| {
            let (time, id) = part.split_at(22);
            (time, id.parse().unwrap())
        })
        .collect()
}

/// The time within an id of version 7.
fn millis(id: Uuid) -> i64 {
    assert_eq!(id.get_version_num(), 7);
    (id.as_u128() >> 80) as i64
}

proptest! {
    #[test]
    fn ids_and_order_are_valid_whatever_the_times(
        steps in prop::collection::vec((prop_oneof![Just(0.0), 0.0..3_000.0, any::<f64>()], 0..3_u8), 0..20),
        started in 0..4_000_000_000_000_000_i64,
        shift_ms in 0..3_000_000_000_i64,
        episode: bool,
    ) {
        static HEADER: LazyLock<Header> = LazyLock::new(header);
        let steps = steps.into_iter().map(|(ms, node)| asks(&format!("n{node}"), ms));
        let mut attempt = attempt(steps.collect());
        attempt.started = Some(Timestamp::from_microsecond(started).unwrap());
        if episode {
            attempt.kind = CaseKind::Episode;
            attempt.ablation = attempt.runs.clone();
        }
        let runs = sent(&HEADER, &attempt, &PLACE);
        prop_assert_eq!(&runs, &sent(&HEADER, &attempt, &PLACE));
        let root = Root::of(&HEADER, &attempt, &PLACE);
        prop_assert_eq!((root.id, root.started), (runs[0].head.id, runs[0].head.start_time));
        let ids: BTreeSet<Uuid> = runs.iter().map(|run| run.head.id).collect();
        prop_assert_eq!(ids.len(), runs.len());
        for run in &runs {
            let head = &run.head;
            let parts = parts(&head.dotted_order);
            prop_assert_eq!(head.parent_run_id.is_none(), parts.len() == 1);
            prop_assert_eq!((parts[0].1, parts[parts.len() - 1].1), (head.trace_id, head.id));
            let times: Vec<&str> = parts.iter().map(|(time, _)| *time).collect();
            prop_assert!(times.is_sorted());
            let own = head.start_time.strftime("%Y%m%dT%H%M%S%6fZ").to_string();
            prop_assert_eq!(times[times.len() - 1], own);
            prop_assert_eq!(millis(head.id), head.start_time.as_millisecond());
            if let Some(parent) = head.parent_run_id {
                let parent = runs.iter().find(|run| run.head.id == parent).unwrap();
                let within = format!("{}.", parent.head.dotted_order);
                prop_assert!(head.dotted_order.starts_with(&within));
            }
        }
        let shifted = sent(&HEADER, &attempt, &Place { shift_ms, ..PLACE });
        let by = SignedDuration::from_millis(shift_ms);
        for (run, shifted) in runs.iter().zip(&shifted) {
            prop_assert_eq!(shifted.head.start_time.duration_since(run.head.start_time), by);
            prop_assert_eq!(shifted.head.end_time.duration_since(run.head.end_time), by);
            prop_assert_eq!(shifted.head.id == run.head.id, shift_ms == 0);
        }
    }

    #[test]
    fn a_text_is_cut_between_letters(text in "[aé漢🎉\0]{0,60}", limit in 0..40_usize) {
        let whole = text.replace('\0', "");
        let mut cut = text;
        text::cut(&mut cut, limit);
        prop_assert_eq!(cut == whole, whole.len() <= limit);
        if let Some((start, rest)) = cut.split_once("\n[") {
            let (left_out, end) = rest.split_once(" bytes left out here]\n").unwrap();
            let left_out: usize = left_out.parse().unwrap();
            prop_assert!(whole.starts_with(start) && whole.ends_with(end));
            prop_assert_eq!(start.len() + left_out + end.len(), whole.len());
            prop_assert!(start.len() + end.len() <= limit);
        }
    }
}

#[test]
fn another_attempt_has_other_ids() {
    let header = header();
    let one = attempt(Vec::new());
    let mut ids = BTreeSet::from([Root::of(&header, &one, &PLACE).id]);
    let mut other = one.clone();
    other.case.repeat = 1;
    assert!(ids.insert(Root::of(&header, &other, &PLACE).id));
    other.case.repeat = 0;
    other.case.example = "f".to_owned();
    assert!(ids.insert(Root::of(&header, &other, &PLACE).id));
    let session = Uuid::from_u128(8);
    let elsewhere = Place { session, ..PLACE };
    assert!(ids.insert(Root::of(&header, &one, &elsewhere).id));
    // Where it stands in the plan, and among the variants, is the experiment's affair.
    let mut same = one;
    same.case.position = 9;
    assert!(!ids.insert(Root::of(&header, &same, &PLACE).id));
}
