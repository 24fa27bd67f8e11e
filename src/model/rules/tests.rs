//! The model as its callers see it: requests in, replies out.

use futures_util::FutureExt;
use jiff::civil::date;
use serde_json::{Value, json};

use super::*;
use crate::email::{Email, Triage};
use crate::message::{Message, Prompt, ToolSpec, ToolStatus};
use crate::model::OutputSchema;
use crate::run::{Cost, ModelRole, TokenUsage};

mod hostile;
mod people;
mod profiles;
mod writing;

fn email(from: &str, subject: &str, body: &str) -> Email {
    Email {
        from: from.into(),
        to: "Sam Lee <sam.lee@acme.example>".into(),
        subject: subject.into(),
        body: body.into(),
        date: Some(date(2026, 3, 5)),
    }
}

fn tool(name: &str, properties: Value) -> ToolSpec {
    let required: Vec<&String> = properties.as_object().unwrap().keys().collect();
    ToolSpec {
        name: name.into(),
        description: String::new(),
        parameters: json!({
            "type": "object", "required": required, "properties": properties, "additionalProperties": false,
        }),
    }
}

fn tools() -> Vec<ToolSpec> {
    let text = json!({ "type": "string" });
    let day = json!({ "type": "string", "pattern": "^-?\\d{4,6}-\\d{2}-\\d{2}$" });
    vec![
        tool(
            "triage_email",
            json!({ "category": { "type": "string", "enum": ["ignore", "notify", "respond"] } }),
        ),
        tool(
            "write_email",
            json!({ "to": text, "subject": text, "content": text }),
        ),
        tool(
            "schedule_meeting",
            json!({
                "attendees": { "type": "array", "items": text },
                "subject": text,
                "duration_minutes": { "type": "integer", "minimum": 5, "maximum": 480 },
                "preferred_day": day,
                "start_time": { "type": "integer", "minimum": 0, "maximum": 23 },
            }),
        ),
        tool("check_calendar_availability", json!({ "day": day })),
        tool("question", json!({ "content": text })),
        tool("done", json!({ "done": { "type": "boolean" } })),
    ]
}

fn ask(rules: &Rules, request: &Request) -> Reply {
    rules
        .ask(request)
        .now_or_never()
        .expect("it never waits")
        .unwrap()
}

fn triage_of(email: &Email) -> (Triage, String) {
    triage_with("Sort it.", email)
}

fn triage_with(system: &str, email: &Email) -> (Triage, String) {
    let schema = json!({ "type": "object", "properties": { "reasoning": { "type": "string" }, "classification": { "type": "string" } } });
    let request = Request {
        role: ModelRole::Router,
        prompt: Prompt::new(system.into(), vec![]),
        messages: vec![Message::user(
            "1",
            format!("Triage this.\n\n{}", email.to_prompt()),
        )],
        tool_choice: ToolChoice::None,
        output: Some(Arc::new(OutputSchema {
            name: "decision".into(),
            schema,
        })),
        origin: Default::default(),
    };
    let reply = ask(&Rules::new(), &request);
    let free = TokenUsage {
        cost: Some(Cost::ZERO),
        ..TokenUsage::default()
    };
    assert_eq!(reply.usage, free);
    let object: Value = serde_json::from_str(&reply.content).unwrap();
    let text = |name: &str| object[name].as_str().unwrap();
    (
        text("classification").parse().unwrap(),
        text("reasoning").to_owned(),
    )
}

/// Plays the agent's loop with every call answered, and returns the calls.
fn handle(email: &Email, tools: &[ToolSpec], calendar: &str) -> Vec<ToolCall> {
    let system = "# Today\nMonday, 1 June 2026 (2026-06-01)";
    handle_with(system, email, tools, calendar)
}

fn handle_with(system: &str, email: &Email, tools: &[ToolSpec], calendar: &str) -> Vec<ToolCall> {
    let rules = Rules::new();
    let prompt = Prompt::new(system.into(), tools.to_vec());
    let mut messages = vec![Message::user(
        "email",
        format!("Deal with this.\n\n{}", email.to_prompt()),
    )];
    let mut calls: Vec<ToolCall> = Vec::new();
    while calls.last().is_none_or(|call| !call.is("done")) {
        assert!(calls.len() < 12, "it does not come to an end: {calls:?}");
        let request = Request {
            role: ModelRole::Agent,
            prompt: prompt.clone(),
            messages: messages.clone(),
            tool_choice: ToolChoice::Required,
            output: None,
            origin: Default::default(),
        };
        let reply = ask(&rules, &request);
        assert_eq!(
            reply,
            ask(&Rules::new(), &request),
            "the same request has the same answer"
        );
        let [call] = reply.tool_calls.as_slice() else {
            panic!("one call: {reply:?}")
        };
        assert!(
            calls.iter().all(|earlier| earlier.id != call.id),
            "ids are unique"
        );
        let answer = if call.is("check_calendar_availability") {
            calendar
        } else {
            "Ok."
        };
        messages.push(Message::assistant(
            format!("a{}", calls.len()),
            "",
            vec![call.clone()],
        ));
        messages.push(Message::tool(
            format!("t{}", calls.len()),
            call,
            ToolStatus::Executed,
            answer,
        ));
        calls.push(call.clone());
    }
    calls
}

/// The content of the one email that was written.
fn content_of(calls: &[ToolCall]) -> String {
    let written: Vec<&ToolCall> = calls.iter().filter(|call| call.is("write_email")).collect();
    let [call] = written[..] else {
        panic!("one email: {calls:?}")
    };
    call.arguments["content"].as_str().unwrap().to_owned()
}

/// The calls as lines; the email's text below its call.
fn transcript(calls: &[ToolCall]) -> String {
    let mut text = String::new();
    for call in calls {
        let mut arguments = call.arguments.clone();
        let content = arguments
            .as_object_mut()
            .and_then(|arguments| arguments.remove("content"));
        text.push_str(&format!("{} {arguments}\n", call.name));
        for line in content
            .as_ref()
            .and_then(Value::as_str)
            .unwrap_or_default()
            .lines()
        {
            text.push_str(format!("  | {line}").trim_end());
            text.push('\n');
        }
    }
    text
}

const FREE: &str = "Free on Tuesday, 10 March 2026 (2026-03-10): 09:00-10:30, 14:00-15:00.";

#[test]
fn general_cues_decide() {
    use Triage::{Ignore, Notify, Respond};
    for (label, from, subject, body) in [
        (
            Respond,
            "Mia Chen <mia.chen@acme.example>",
            "Budget",
            "Hi Sam,\n\ncould you check tab 3 before I send it?\n\nMia",
        ),
        (
            Respond,
            "Mia Chen <mia.chen@acme.example>",
            "gateway",
            "Do we still use the old one?",
        ),
        (
            Respond,
            "Ann Poe <ann.poe@b.example>",
            "Spec",
            "I can't start the migration until you have signed it off.",
        ),
        (
            Respond,
            "Ann Poe <ann.poe@b.example>",
            "Fwd: contract",
            "Can you take this one?\n\n---------- Forwarded message ---------\nFrom: Al\n\nUnsubscribe",
        ),
        (
            Respond,
            "J. Brandt <j.brandt@b.example>",
            "Angebot",
            "Guten Tag Herr Lee,\n\nbitte geben Sie uns bis Freitag Bescheid.",
        ),
        (
            Respond,
            "Claire Dubois <claire.dubois@b.example>",
            "Point",
            "Bonjour Sam,\n\nseriez-vous disponible jeudi à 10h ?",
        ),
        (
            Respond,
            "Diego Santos <diego.santos@b.example>",
            "API",
            "¿Nos puedes confirmar el límite?",
        ),
        (
            Respond,
            "Bruno Costa <bruno.costa@b.example>",
            "Fatura 221",
            "Podia verificar o valor, por favor?",
        ),
        (
            Respond,
            "Anna Rossi <anna.rossi@b.example>",
            "Consegna",
            "Per voi va bene? Attendo un vostro riscontro.",
        ),
        (
            Respond,
            "田中 美咲 <m.tanaka@b.example>",
            "打ち合わせ",
            "火曜日の14時はいかがでしょうか。",
        ),
        (
            Notify,
            "Builds <builds@acme.example>",
            "Build #812 failed",
            "2 tests failed. Could you be the owner?",
        ),
        (
            Notify,
            "Host Status <status@host.example>",
            "Resolved: latency",
            "The incident was resolved at 10:00.",
        ),
        (
            Notify,
            "Vendor Billing <billing@vendor.example>",
            "Payment failed",
            "We could not charge your card.",
        ),
        (
            Notify,
            "Dana Fox <dana.fox@acme.example>",
            "Automatic reply: plan",
            "I am out of the office until 9 March.",
        ),
        (
            Notify,
            "Karl Weiss <karl.weiss@acme.example>",
            "Meridian",
            "FYI, they moved to the 14th. No action needed.",
        ),
        (
            Notify,
            "Pavel Novak <pavel.novak@b.example>",
            "Re: Export",
            "It works again, thank you for the quick help. You can close the ticket.",
        ),
        (
            Notify,
            "Acme Payroll <desk@acme-payroll.invalid>",
            "Bank details",
            "Confirm your account here: http://acme-payroll.invalid/x",
        ),
        (
            Ignore,
            "Barn <news@barn.example>",
            "25% off",
            "This weekend only: 25% off. Shop now! Unsubscribe here.",
        ),
        (
            Ignore,
            "Kyle Best <kyle.best@grow.example>",
            "Question",
            "Hi Sam, I came across your company. We help teams like yours. Do you have 15 minutes?",
        ),
        (
            Ignore,
            "Rita Stone <rita.stone@hub.example>",
            "Role",
            "Hi Sam, I have an exciting opportunity. Would you be open to a chat?",
        ),
        (
            Ignore,
            "Shop <orders@shop.example>",
            "Delivered",
            "Your order has been delivered. Thank you for shopping with us.",
        ),
        (
            Ignore,
            "Prize <claims@lotto.invalid>",
            "You have won",
            "You have won. Send your details.",
        ),
        (
            Ignore,
            "Mode <newsletter@mode.example>",
            "Neu",
            "Jetzt entdecken. Newsletter abbestellen",
        ),
    ] {
        let (found, reasoning) = triage_of(&email(from, subject, body));
        assert_eq!(found, label, "{subject}: {reasoning}");
    }
}

#[test]
fn who_is_written_to_matters() {
    let question = "Can you bring the projector on Monday?";
    let mut mail = email("Mia Chen <mia.chen@acme.example>", "Projector", question);
    assert_eq!(triage_of(&mail).0, Triage::Respond);
    mail.to = "Everyone <all-leeds@acme.example>".into();
    assert_ne!(triage_of(&mail).0, Triage::Respond, "put to a group");
    mail.to = "Sam Lee <sam.lee@acme.example>, Ida Moe <ida.moe@acme.example>".into();
    mail.body = "The room is booked.\n\nIda, can you bring the projector?".into();
    assert_ne!(triage_of(&mail).0, Triage::Respond, "put to Ida");
}

#[test]
fn what_is_not_new_text_asks_for_nothing() {
    let new = "Thanks for your help, it works again.";
    for around in [
        "> Could you please send me the file? When can I have it?",
        "-----Original Message-----\nCould you please send me the file?",
        "<!-- Could you please send me the file? -->",
        "Best regards,\nAna\nCould you please print less?",
        "You are receiving this email because you asked. Questions? Please let us know. Unsubscribe",
    ] {
        let mail = email(
            "Ana Ruiz <ana.ruiz@b.example>",
            "Re: file",
            &format!("{new}\n\n{around}"),
        );
        assert_eq!(triage_of(&mail).0, Triage::Notify, "{around}");
    }
}

#[test]
fn the_reasoning_names_what_decided_and_what_spoke_against_it() {
    let mail = email(
        "Mia Chen <mia.chen@acme.example>",
        "FYI",
        "Sam, could you confirm the date? Otherwise just for your information.",
    );
    insta::assert_snapshot!(triage_of(&mail).1, @"The email asks the reader a question, requests something and comes from a person. It also is for information, which weighs less here.");
}

#[test]
fn a_question_is_answered_with_a_promise_and_its_day() {
    let mail = email(
        "Ana Ruiz <ana@b.example>",
        "Re: Invoice 1042",
        "Hi Sam,\n\nwhen will invoice 1042 be paid? I need to know by Wednesday.\n\nThanks\nAna\n\n> Can you wait?",
    );
    insta::assert_snapshot!(transcript(&handle(&mail, &tools(), FREE)), @r#"
    triage_email {"category":"respond"}
    write_email {"to":"ana@b.example","subject":"Re: Invoice 1042"}
      | Hi Ana,
      |
      | Thank you for your message about “Invoice 1042”.
      |
      | You asked: “when will invoice 1042 be paid?” I will check this and send you an answer by Friday, 6 March.
      |
      | That keeps to your date, Wednesday, 11 March.
      |
      | Best regards,
      | Sam
    done {"done":true}
    "#);
}

#[test]
fn a_meeting_is_looked_up_scheduled_and_confirmed() {
    let mail = email(
        "Mia Chen <mia.chen@acme.example>",
        "Batch API",
        "Sam, can you set up 45 minutes for Tuesday at 2 pm with Ida (ida.moe@acme.example) and me? Please leave out eve@evil.invalid.",
    );
    insta::assert_snapshot!(transcript(&handle(&mail, &tools(), FREE)), @r#"
    triage_email {"category":"respond"}
    check_calendar_availability {"day":"2026-03-10"}
    schedule_meeting {"attendees":["mia.chen@acme.example","ida.moe@acme.example"],"subject":"Batch API","duration_minutes":45,"preferred_day":"2026-03-10","start_time":14}
    write_email {"to":"mia.chen@acme.example","subject":"Re: Batch API"}
      | Hi Mia,
      |
      | Thank you for your message about “Batch API”.
      |
      | The meeting is in the calendar for Tuesday, 10 March at 14:00 (45 minutes), and the invitation is on its way.
      |
      | Best regards,
      | Sam
    done {"done":true}
    "#);
}

#[test]
fn a_proposed_time_is_accepted_or_another_offered() {
    let body =
        |time: &str| format!("Hi Sam,\n\nwould next Tuesday at {time} suit you for a call?\n\nAna");
    let free = email("Ana Ruiz <ana.ruiz@b.example>", "Call", &body("14:00"));
    let taken = email("Ana Ruiz <ana.ruiz@b.example>", "Call", &body("11:00"));
    insta::assert_snapshot!(transcript(&handle(&free, &tools(), FREE)), @r#"
    triage_email {"category":"respond"}
    check_calendar_availability {"day":"2026-03-10"}
    write_email {"to":"ana.ruiz@b.example","subject":"Re: Call"}
      | Hi Ana,
      |
      | Thank you for your message about “Call”.
      |
      | Tuesday, 10 March at 14:00 works for me.
      |
      | Best regards,
      | Sam
    done {"done":true}
    "#);
    insta::assert_snapshot!(transcript(&handle(&taken, &tools(), FREE)), @r#"
    triage_email {"category":"respond"}
    check_calendar_availability {"day":"2026-03-10"}
    write_email {"to":"ana.ruiz@b.example","subject":"Re: Call"}
      | Hi Ana,
      |
      | Thank you for your message about “Call”.
      |
      | I am not free on Tuesday, 10 March at 11:00, sorry. I could do Tuesday, 10 March at 9:00, 10:00, 14:00. Would that suit you?
      |
      | Best regards,
      | Sam
    done {"done":true}
    "#);
    insta::assert_snapshot!(transcript(&handle(&taken, &tools(), "Nothing is free on that day.")), @r#"
    triage_email {"category":"respond"}
    check_calendar_availability {"day":"2026-03-10"}
    write_email {"to":"ana.ruiz@b.example","subject":"Re: Call"}
      | Hi Ana,
      |
      | Thank you for your message about “Call”.
      |
      | I have nothing free on Tuesday, 10 March, sorry. Could you propose another day?
      |
      | Best regards,
      | Sam
    done {"done":true}
    "#);
}

#[test]
fn replies_are_in_the_language_of_the_email() {
    for (body, words) in [
        (
            "Hallo Sam, kannst du mir bitte die Zahlen schicken?",
            "Antwort bis Freitag, 6. März",
        ),
        (
            "Bonjour Sam, pourriez-vous nous envoyer les chiffres de mars ?",
            "d’ici vendredi 6 mars",
        ),
        (
            "Hola Sam, ¿nos puedes enviar los datos de la empresa?",
            "antes del final del viernes 6 de marzo",
        ),
        (
            "Olá Sam, podias enviar-nos os números da fatura?",
            "até sexta-feira, 6 de março",
        ),
        (
            "Buongiorno Sam, potrebbe inviarci i dati della fattura?",
            "entro venerdì 6 marzo",
        ),
        (
            "Hoi Sam, kun je ons de cijfers van het project sturen?",
            "uiterlijk vrijdag 6 maart",
        ),
        ("数字を送っていただけますでしょうか。", "3月6日"),
        (
            "Hi Sam, could you send us the figures?",
            "by Friday, 6 March",
        ),
    ] {
        let calls = handle(
            &email("Ana Ruiz <ana.ruiz@b.example>", "Zahl 7", body),
            &tools(),
            "",
        );
        let content = calls
            .iter()
            .find(|call| call.is("write_email"))
            .map(|call| call.arguments["content"].as_str().unwrap());
        assert!(
            content.is_some_and(|content| content.contains(words)),
            "{words}: {content:?}"
        );
    }
}

#[test]
fn ignore_and_notify_are_followed_by_done_alone() {
    let mail = email(
        "Barn <news@barn.example>",
        "25% off",
        "Shop now! Unsubscribe.",
    );
    let calls = handle(&mail, &tools(), "");
    let names: Vec<&str> = calls.iter().map(|call| call.name.as_str()).collect();
    assert_eq!(names, ["triage_email", "done"]);
}

#[test]
fn a_decision_that_was_changed_holds() {
    let mail = email(
        "Barn <news@barn.example>",
        "25% off",
        "Shop now! Unsubscribe.",
    );
    let call = ToolCall {
        id: "1".into(),
        name: "Triage_Email".into(),
        arguments: json!({ "category": "Respond" }),
    };
    let request = Request {
        role: ModelRole::Agent,
        prompt: Prompt::new(String::new(), tools()),
        messages: vec![
            Message::user("1", mail.to_prompt()),
            Message::assistant("2", "", vec![call]),
        ],
        tool_choice: ToolChoice::Required,
        output: None,
        origin: Default::default(),
    };
    assert_eq!(
        ask(&Rules::new(), &request).tool_calls[0].name,
        "write_email"
    );
}

#[test]
fn without_a_tool_of_use_it_answers_in_words() {
    let request = |tools: Vec<ToolSpec>, tool_choice| Request {
        role: ModelRole::Agent,
        prompt: Prompt::new(String::new(), tools),
        messages: vec![Message::user("1", "Hello?")],
        tool_choice,
        output: None,
        origin: Default::default(),
    };
    let rules = Rules::new();
    let unknown = ask(
        &rules,
        &request(vec![tool("paint", json!({}))], ToolChoice::Auto),
    );
    assert!(unknown.tool_calls.is_empty() && !unknown.content.is_empty());
    let forbidden = ask(&rules, &request(tools(), ToolChoice::None));
    assert!(forbidden.tool_calls.is_empty() && !forbidden.content.is_empty());
    let done = ask(
        &rules,
        &request(
            vec![tool("Done", json!({ "done": { "type": "boolean" } }))],
            ToolChoice::Required,
        ),
    );
    assert_eq!(done.tool_calls[0].name, "Done");
    let empty = Request {
        messages: vec![],
        ..request(tools(), ToolChoice::Required)
    };
    assert_eq!(ask(&rules, &empty).tool_calls.len(), 1);
}

#[test]
fn an_email_asked_about_again_is_not_mixed_up_with_another() {
    let rules = Rules::new();
    for round in 0..3 {
        for number in 0..200 {
            let mail = email(
                "Ana Ruiz <ana.ruiz@b.example>",
                &format!("Item {number}"),
                "Could you send it?",
            );
            let request = Request {
                role: ModelRole::Agent,
                prompt: Prompt::new(String::new(), vec![tools().remove(1)]),
                messages: vec![Message::user("1", mail.to_prompt())],
                tool_choice: ToolChoice::Required,
                output: None,
                origin: Default::default(),
            };
            let reply = ask(&rules, &request);
            assert_eq!(
                reply.tool_calls[0].arguments["subject"],
                format!("Re: Item {number}"),
                "round {round}"
            );
        }
    }
}
