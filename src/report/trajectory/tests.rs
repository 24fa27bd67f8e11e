use std::sync::Arc;

use serde_json::json;

use super::*;
use crate::message::{Prompt, ToolSpec};
use crate::report::fixture;
use crate::report::judges::fixture as judged;
use crate::run::{Allowed, ModelRole, TokenUsage, Usage};

fn call(id: &str, name: &str, arguments: Value) -> ToolCall {
    ToolCall {
        id: id.to_owned(),
        name: name.to_owned(),
        arguments,
    }
}

fn asks(node: &str, role: ModelRole, prompt: &Prompt, sent: Sent, reply: ReplyRef) -> Step {
    Step::Model {
        node: node.to_owned(),
        role,
        prompt: prompt.hash().to_owned(),
        sent,
        reply,
        usage: TokenUsage {
            input_tokens: 1_412,
            output_tokens: 57,
            ..Default::default()
        },
        stop: None,
        latency_ms: 812.0,
    }
}

fn ran(call: &ToolCall, arguments: Value, status: ToolStatus) -> Step {
    Step::Tool {
        node: "act".to_owned(),
        call_id: call.id.clone(),
        name: call.name.clone(),
        arguments,
        status,
        latency_ms: 0.02,
    }
}

/// An email that is routed, answered with a reminder in between, edited by a person,
/// and ended.
fn attempt(body: &str) -> (Attempt<Run>, BTreeMap<String, PromptContent>) {
    let router = Prompt::new("Decide what becomes of the email.".to_owned(), Vec::new());
    let tools = ["write_email", "done"].map(|name| ToolSpec {
        name: name.to_owned(),
        description: String::new(),
        parameters: json!({}),
    });
    let agent = Prompt::new("Answer the email.\nBe brief.".to_owned(), tools.to_vec());
    let email =
        format!("**Subject**: Invoice 1042\n**From**: Ana Ruiz <ana@northwind.example>\n\n{body}");
    let mail = json!({
        "to": "ana@northwind.example",
        "subject": "Re: Invoice 1042",
        "content": "Hello Ana,\n\nyou will have it by Friday.\n\nSam",
        "copies": 0,
    });
    let mut edited_mail = mail.clone();
    edited_mail["subject"] = json!("Re: Invoice 1042 (paid)");
    let write = call("c1", "write_email", mail.clone());
    let done = call("c2", "done", json!({ "done": true }));
    let edited = call("c1", "write_email", edited_mail.clone());
    let messages = vec![
        Message::user("m0", format!("Answer this email.\n\n{email}")),
        Message::assistant("m1", "I would answer Ana.", Vec::new()),
        Message::user("m2", "Call a tool."),
        Message::assistant("m3", "", vec![write, done.clone()]),
        Message::assistant("m3", "", vec![edited.clone(), done.clone()]),
        Message::tool(
            "m4",
            &edited,
            ToolStatus::Executed,
            "Email sent to ana@northwind.example.",
        ),
        Message::tool("m5", &done, ToolStatus::Executed, "Done."),
    ];
    let routed = Sent::Messages(vec![Message::user("r0", email)]);
    let decision = r#"{"reasoning":"Ana asks.","classification":"respond"}"#;
    let reply = |id: &str| ReplyRef::Message(id.to_owned());
    let interrupt = Interrupt {
        id: "i1".to_owned(),
        action: "write_email".to_owned(),
        args: mail.as_object().unwrap().clone(),
        allowed: Allowed::default(),
        description: None,
    };
    let steps = vec![
        asks(
            "triage",
            ModelRole::Router,
            &router,
            routed,
            ReplyRef::Text(decision.to_owned()),
        ),
        asks(
            "respond",
            ModelRole::Agent,
            &agent,
            Sent::Log(1),
            reply("m1"),
        ),
        asks(
            "respond",
            ModelRole::Agent,
            &agent,
            Sent::Log(3),
            reply("m3"),
        ),
        Step::Interrupt {
            node: "act".to_owned(),
            interrupt,
            response: Response::Edit(edited_mail.as_object().unwrap().clone()),
            answered_by: "scripted".to_owned(),
        },
        ran(&edited, edited_mail, ToolStatus::Executed),
        ran(&done, done.arguments.clone(), ToolStatus::Executed),
    ];
    let mut usage = Usage::default();
    for step in &steps {
        if let Step::Model {
            role,
            usage: tokens,
            ..
        } = step
        {
            usage.record(*role, *tokens);
        }
    }
    let counted = fixture::calls(fixture::attempt(1, 0, 0), 0.5, false);
    let run = Run {
        outcome: counted.outcome,
        error: None,
        triage: counted.found,
        reasoning: Some("Ana asks for the status of her invoice.".to_owned()),
        messages,
        steps,
        usage: usage.clone(),
        latency_ms: 2_450.0,
        pauses: Vec::new(),
        memory: None,
        prompts: vec![Arc::clone(&router), Arc::clone(&agent)],
    };
    let prompts = run.prompts.iter();
    let prompts = prompts
        .map(|prompt| (prompt.hash().to_owned(), prompt.content().clone()))
        .collect();
    let attempt = Attempt {
        case: counted.case,
        kind: counted.kind,
        split: counted.split,
        cluster: counted.cluster,
        tags: counted.tags,
        expected: counted.expected,
        found: counted.found,
        outcome: counted.outcome,
        error: counted.error,
        feedback: counted.feedback,
        judged: Vec::new(),
        notes: Vec::new(),
        memory: Vec::new(),
        learning: None,
        usage,
        latency_ms: 2_450.0,
        started: None,
        runs: vec![run],
        ablation: Vec::new(),
    };
    (attempt, prompts)
}

fn workflow() -> Variant {
    fixture::header(1, 1).variants.swap_remove(1)
}

const PLAIN: TrajectoryOptions<'_> = TrajectoryOptions {
    width: 80,
    color: false,
    full: false,
    prompts: None,
};

#[test]
fn a_trajectory_is_told_step_by_step() {
    let (attempt, _) = attempt("Where is invoice 1042?");
    insta::assert_snapshot!(render(&attempt, &workflow(), &[], PLAIN));
}

#[test]
fn prompts_are_shown_once_where_they_are_wanted() {
    let (attempt, prompts) = attempt("Where is invoice 1042?");
    let options = TrajectoryOptions {
        prompts: Some(&prompts),
        width: 160,
        ..PLAIN
    };
    insta::assert_snapshot!(render(&attempt, &workflow(), &[], options));
}

#[test]
fn long_texts_are_cut_unless_all_is_wanted() {
    let body = "One line of very many.\n".repeat(100);
    let (attempt, _) = attempt(&body);
    let short = render(&attempt, &workflow(), &[], PLAIN);
    assert_eq!(
        short.matches("└ cut here; `--full` shows the rest").count(),
        2
    );
    assert!(short.matches("One line").count() < 2 * LINES_SHOWN);
    let full = TrajectoryOptions {
        full: true,
        ..PLAIN
    };
    let full = render(&attempt, &workflow(), &[], full);
    assert_eq!(full.matches("One line").count(), 200);
    assert!(!full.contains("cut here"));
}

#[test]
fn hostile_text_is_shown_and_does_nothing() {
    let body = format!("\x1b[2J\u{202e}{}\u{200b}\r\x07", "x".repeat(300));
    let (mut attempt, _) = attempt(&body);
    attempt.case.example = body.clone();
    attempt.error = Some(body.clone());
    attempt.feedback[0].comment = Some(body.clone());
    attempt.runs[0].messages[3].tool_calls[0].name = body.clone();
    let ruling = Ruling {
        statement: body.clone(),
        reason: body.clone(),
        quotes: vec![body.clone()],
        ..judged::ruling("", &[(&body, None), (&body, Some(Verdict::Pass))])
    };
    attempt.judged = vec![Judged {
        judge: JudgeKey::ResponseCriteria,
        rulings: vec![ruling],
    }];
    let variant = Variant {
        name: body.clone(),
        ..workflow()
    };
    let judges = [judged::plan(JudgeKey::ResponseCriteria, Vec::new())];
    attempt.runs[0].messages[3].tool_calls[0].arguments = json!({ (body.as_str()): body.as_str() });
    for width in [40, 80, 160] {
        let options = TrajectoryOptions { width, ..PLAIN };
        let text = render(&attempt, &variant, &judges, options);
        assert!(!text.contains(['\x1b', '\u{202e}', '\u{200b}', '\r', '\x07']));
        for line in text.lines() {
            use unicode_width::UnicodeWidthStr;
            assert!(line.width() <= width, "{width}: {line}");
        }
    }
}

#[test]
fn rulings_are_told_with_every_vote() {
    use Verdict::{Fail, Pass};
    let [one, other] = judged::TWO;
    let (mut attempt, _) = attempt("Where is invoice 1042?");
    let attempt = {
        attempt.feedback.push(fixture::feedback(
            crate::score::Key::ResponseCriteria,
            0.5,
            Some("not met: Names the invoice number"),
        ));
        attempt.judged = vec![Judged {
            judge: JudgeKey::ResponseCriteria,
            rulings: vec![
                judged::ruling(judged::NUMBER, &[(one, Some(Fail)), (other, Some(Fail))]),
                judged::ruling(judged::DAY, &[(one, Some(Pass)), (other, Some(Fail))]),
                judged::ruling(judged::POLITE, &[(one, Some(Pass))]),
                judged::ruling("Names the sender", &[(one, None)]),
                Ruling {
                    weight: 2.5,
                    ..judged::by_code("Is written in French")
                },
            ],
        }];
        attempt
    };
    let panels = vec![(&["rules"][..], judged::calibrated())];
    let judges = [judged::plan(JudgeKey::ResponseCriteria, panels)];
    let text = render(&attempt, &workflow(), &judges, PLAIN);
    let (head, _) = text.split_once("\n1. triage").expect("the first step");
    insta::assert_snapshot!("rulings", head);
}
