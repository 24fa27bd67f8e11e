//! The agents that ask a person.

use proptest::prelude::*;

use super::*;
use crate::graph::{MemoryCheckpointer, Progress, Resume, RunError};
use crate::inbox::{self, Answer};
use crate::run::{Interrupt, Response};

/// A run with a person in it, as the person saw it.
struct Talk {
    run: Run,
    asked: Vec<Interrupt>,
    /// Tool calls that were dealt with when each question came up.
    dealt_with: Vec<usize>,
    /// Answers that were not taken, in order.
    refused: Vec<String>,
    requests: Vec<Request>,
}

fn accept() -> Response {
    Response::Accept
}

fn ignore() -> Response {
    Response::Ignore
}

fn say(text: &str) -> Response {
    Response::Respond(text.to_owned())
}

fn edit(arguments: Value) -> Response {
    Response::Edit(arguments.as_object().unwrap().clone())
}

fn reviewing(review: &[&str]) -> Behaviour {
    Behaviour {
        review: review.iter().map(|name| (*name).to_owned()).collect(),
        ..Behaviour::default()
    }
}

async fn talk(replies: Vec<Reply>, answers: Vec<Response>) -> Talk {
    talk_to(
        AgentKind::Hitl,
        Behaviour::default(),
        replies,
        answers,
        "Sam",
    )
    .await
}

/// Runs an agent on a thread and gives the answers in order; the next one where one is
/// refused. Every call of the run must be answered once in the end.
async fn talk_to(
    kind: AgentKind,
    behaviour: Behaviour,
    replies: Vec<Reply>,
    answers: Vec<Response>,
    answered_by: &str,
) -> Talk {
    let model = Arc::new(Scripted::new(replies));
    let settings = Settings {
        behaviour,
        ..settings()
    };
    let models = Models::one(Arc::clone(&model) as Arc<dyn Model>);
    let agent = Arc::new(Agent::new(kind, models, settings));
    let begin = agent.begin(&email(), LIMITS);
    let attempt = Arc::new(Attempt {
        agent,
        store: Arc::new(MemoryStore::new()),
        limits: LIMITS,
        spent: Duration::ZERO,
        since: Origin::default().clock().mark(),
        origin: Origin::default(),
    });
    let graph = kind.graph();
    let checkpointer = MemoryCheckpointer::new();
    let thread = graph.thread(&checkpointer, "t");
    let options = RunOptions::new(200);
    let mut answers = answers.into_iter();
    let (mut asked, mut dealt_with, mut refused) = (Vec::new(), Vec::new(), Vec::new());
    let mut progress = thread.start(begin, Arc::clone(&attempt), &options).await;
    let state = loop {
        let pause = match progress {
            Ok(Progress::Finished(state)) => break state,
            Ok(Progress::Paused(pause)) => {
                assert_eq!(pause.interrupts.len(), 1);
                let payload = &pause.interrupts[0].payload;
                let question = inbox::read_interrupts(payload).remove(0);
                assert_eq!(*payload, inbox::write_interrupt(&question), "the wire form");
                asked.push(question);
                let tools = |step: &&Step| matches!(step, Step::Tool { .. });
                dealt_with.push(pause.state.steps.iter().filter(tools).count());
                assert_eq!(
                    model.requests().len(),
                    pause.state.clone().into_run(0.0).usage.calls() as usize,
                    "the model is asked nothing that the record does not hold"
                );
                pause
            }
            Err(failure) => {
                assert!(
                    matches!(failure.error, RunError::AnswerRefused { .. }),
                    "{failure}"
                );
                refused.push(failure.error.to_string());
                let snapshot = thread.get_state().await.unwrap();
                assert_eq!(snapshot.status, crate::graph::Status::Interrupted);
                crate::graph::Pause {
                    state: snapshot.values,
                    next: snapshot.next,
                    interrupts: snapshot.interrupts,
                }
            }
        };
        let answer = Answer {
            id: Some(pause.interrupts[0].id.clone()),
            response: answers.next().expect("an answer for every question"),
            answered_by: Some(answered_by.to_owned()),
        };
        let action = &asked.last().unwrap().action;
        let answer = Resume::Answer(inbox::write_answer(&answer, action));
        progress = thread.resume(answer, Arc::clone(&attempt), &options).await;
    };
    assert_eq!(answers.next(), None, "every answer was asked for");
    let run = state.into_run(0.0);
    assert_every_call_is_answered_once(&run);
    Talk {
        run,
        asked,
        dealt_with,
        refused,
        requests: model.requests(),
    }
}

impl Talk {
    fn actions(&self) -> Vec<&str> {
        self.asked.iter().map(|asked| &*asked.action).collect()
    }

    /// What became of each call, in order, and how often the models were asked.
    fn summary(&self) -> String {
        let mut text = String::new();
        for step in &self.run.steps {
            if let Step::Tool { name, status, .. } = step {
                text.push_str(&format!("{name} {status:?}, "));
            }
        }
        let calls = self.run.usage.calls();
        text + &format!("{} after {calls} calls", self.run.outcome.name())
    }

    /// The tool message of the n-th call.
    fn tool_message(&self, nth: usize) -> &str {
        let mut messages = self.run.messages.iter();
        let answer = messages
            .by_ref()
            .filter(|message| message.tool_call_id.is_some());
        answer.map(|message| &*message.content).nth(nth).unwrap()
    }
}

fn mail(content: &str) -> Value {
    json!({ "to": "ana@northwind.example", "subject": "Re: Invoice 1042", "content": content })
}

fn meeting() -> Value {
    json!({
        "attendees": ["ana@northwind.example"], "subject": "Invoice", "duration_minutes": 30,
        "preferred_day": "2026-03-03", "start_time": 14,
    })
}

fn named(name: &'static str) -> (&'static str, Value) {
    let arguments = match name {
        "write_email" => mail("Yes."),
        "schedule_meeting" => meeting(),
        "question" => json!({ "content": "Which PO?" }),
        "check_calendar_availability" => json!({ "day": "2026-03-03" }),
        "bad write_email" => return ("write_email", json!({ "to": "ana" })),
        "done" => return done(),
        other => panic!("no call is named `{other}`"),
    };
    (name, arguments)
}

#[tokio::test]
async fn what_a_person_says_of_a_call_decides_what_becomes_of_it() {
    let mail = edit(mail("No."));
    let other = edit(json!({
        "attendees": ["ana@northwind.example"], "subject": "Invoice", "duration_minutes": 45,
        "preferred_day": "2026-03-03", "start_time": 14,
    }));
    let mut text = String::new();
    for (name, answer, by) in [
        ("write_email", accept(), "Sam"),
        ("write_email", mail, "Sam"),
        ("write_email", say("Shorter."), "Sam"),
        ("write_email", ignore(), "Sam"),
        ("write_email", ignore(), "timeout"),
        ("schedule_meeting", accept(), "Sam"),
        ("schedule_meeting", other, "Sam"),
        ("schedule_meeting", say("Later."), "Sam"),
        ("schedule_meeting", ignore(), "Sam"),
        ("schedule_meeting", ignore(), "timeout"),
        ("question", say("PO 77."), "Sam"),
        ("question", ignore(), "Sam"),
        ("question", ignore(), "timeout"),
    ] {
        let replies = vec![respond(), calls([named(name)]), calls([done()])];
        let kind = answer.kind();
        let behaviour = Behaviour::default();
        let talk = talk_to(AgentKind::Hitl, behaviour, replies, vec![answer], by).await;
        // Nothing ran before the answer, and name and arguments were there to see.
        assert_eq!(
            (talk.actions(), &talk.dealt_with[..]),
            (vec![name], &[0][..])
        );
        assert_eq!(Value::Object(talk.asked[0].args.clone()), named(name).1);
        let steps = talk.run.steps.iter();
        let by = steps.filter_map(|step| match step {
            Step::Interrupt { answered_by, .. } => Some(&**answered_by),
            _ => None,
        });
        let by: Vec<&str> = by.collect();
        text.push_str(&format!(
            "{name} {kind} by {}: {}\n    {}\n",
            by.join(", "),
            talk.summary(),
            talk.tool_message(0).replace('\n', " ")
        ));
    }
    insta::assert_snapshot!(text, @r#"
    write_email accept by Sam: write_email Executed, done Executed, finished after 3 calls
        The email to ana@northwind.example with the subject "Re: Invoice 1042" was sent.
    write_email edit by Sam: write_email Executed, done Executed, finished after 3 calls
        The email to ana@northwind.example with the subject "Re: Invoice 1042" was sent.
    write_email respond by Sam: write_email Denied, done Executed, finished after 3 calls
        This call was not run. The person wants it otherwise; propose it again as they say: <feedback> Shorter. </feedback>
    write_email ignore by Sam: write_email Denied, finished after 2 calls
        This call was not run: the person turned it down.
    write_email ignore by timeout: write_email Denied, finished after 2 calls
        This call was not run: nobody answered in time.
    schedule_meeting accept by Sam: schedule_meeting Executed, done Executed, finished after 3 calls
        The meeting "Invoice" is in the calendar for Tuesday, 3 March 2026, 14:00, 30 minutes, with 1 attendee.
    schedule_meeting edit by Sam: schedule_meeting Executed, done Executed, finished after 3 calls
        The meeting "Invoice" is in the calendar for Tuesday, 3 March 2026, 14:00, 45 minutes, with 1 attendee.
    schedule_meeting respond by Sam: schedule_meeting Denied, done Executed, finished after 3 calls
        This call was not run. The person wants it otherwise; propose it again as they say: <feedback> Later. </feedback>
    schedule_meeting ignore by Sam: schedule_meeting Denied, finished after 2 calls
        This call was not run: the person turned it down.
    schedule_meeting ignore by timeout: schedule_meeting Denied, finished after 2 calls
        This call was not run: nobody answered in time.
    question respond by Sam: question Answered, done Executed, finished after 3 calls
        PO 77.
    question ignore by Sam: question Denied, finished after 2 calls
        This call was not run: the person turned it down.
    question ignore by timeout: question Denied, finished after 2 calls
        This call was not run: nobody answered in time.
    "#);
}

#[tokio::test]
async fn what_a_person_says_of_a_notice_decides_what_becomes_of_the_email() {
    let notify = || decision(Triage::Notify, "It is worth knowing.");
    for (answer, summary) in [
        (accept(), "finished after 1 calls"),
        (ignore(), "finished after 1 calls"),
        (say("Thank her."), "done Executed, finished after 2 calls"),
    ] {
        let replies = match answer {
            Response::Respond(_) => vec![notify(), calls([done()])],
            _ => vec![notify()],
        };
        let talk = talk(replies, vec![answer]).await;
        assert_eq!(talk.actions(), ["notify"]);
        assert_eq!(
            talk.asked[0].allowed.kinds(),
            ["accept", "ignore", "respond"]
        );
        assert_eq!(talk.summary(), summary);
        assert_eq!(talk.run.triage, Some(Triage::Notify));
        let description = talk.asked[0].description.as_ref().unwrap();
        for shown in [
            "Was invoice 1042 paid?",
            "Triage: notify",
            "It is worth knowing.",
        ] {
            assert!(description.contains(shown), "{description}");
        }
    }
    let replies = vec![notify(), calls([done()])];
    let talk = talk(replies, vec![say("Thank her.")]).await;
    let [request, feedback] = &talk.requests[1].messages[..] else {
        panic!("the request and the feedback");
    };
    assert!(request.content.contains("Was invoice 1042 paid?"));
    insta::assert_snapshot!(feedback.content, @r"
    The person was told of this email and wants something done about it:
    <feedback>
    Thank her.
    </feedback>
    ");
}

#[tokio::test]
async fn a_stricter_notice_cannot_be_accepted() {
    let behaviour = Behaviour {
        notify_accept: false,
        ..Behaviour::default()
    };
    let replies = vec![decision(Triage::Notify, ".")];
    let answers = vec![accept(), edit(json!({})), ignore()];
    let talk = talk_to(AgentKind::Hitl, behaviour, replies, answers, "Sam").await;
    assert_eq!(talk.refused.len(), 2);
    assert!(talk.refused[0].ends_with("`accept` is not allowed; allowed: ignore, respond"));
    assert_eq!(talk.summary(), "finished after 1 calls");
}

#[tokio::test]
async fn an_email_to_ignore_asks_nobody() {
    let talk = talk(vec![decision(Triage::Ignore, ".")], vec![]).await;
    assert_eq!(talk.summary(), "finished after 1 calls");
    assert!(talk.run.messages.is_empty());
}

#[tokio::test]
async fn triage_alone_asks_nobody() {
    for kind in [AgentKind::Hitl, AgentKind::HitlMemory] {
        for triage in Triage::ALL {
            let limits = Limits {
                until_triage: true,
                ..LIMITS
            };
            // Without a thread a question would be an error.
            let (run, _) = ask(kind, vec![decision(triage, ".")], limits).await;
            assert_eq!((run.outcome, run.triage), (Outcome::Finished, Some(triage)));
            assert!(run.messages.is_empty());
        }
    }
}

#[tokio::test]
async fn every_call_of_a_message_is_dealt_with_in_order() {
    let mut text = String::new();
    for (names, answers) in [
        (
            &["write_email", "schedule_meeting", "done"][..],
            vec![accept(), accept()],
        ),
        (&["done", "write_email"], vec![accept()]),
        (&["done", "write_email"], vec![ignore()]),
        (&["done", "write_email"], vec![say("Shorter.")]),
        (&["question", "write_email"], vec![say("PO 77."), accept()]),
        (&["question", "write_email"], vec![ignore(), accept()]),
        (
            &["write_email", "schedule_meeting"],
            vec![ignore(), accept()],
        ),
        (
            &["write_email", "schedule_meeting"],
            vec![accept(), ignore()],
        ),
        (
            &["write_email", "schedule_meeting"],
            vec![say("Shorter."), edit(meeting())],
        ),
        (
            &["write_email", "write_email"],
            vec![edit(mail("One.")), edit(mail("Two."))],
        ),
        (
            &[
                "check_calendar_availability",
                "write_email",
                "check_calendar_availability",
            ],
            vec![accept()],
        ),
        (&["bad write_email", "write_email"], vec![accept()]),
        (&["bad write_email", "done"], vec![]),
        (&["check_calendar_availability"], vec![]),
    ] {
        let replies = vec![
            respond(),
            calls(names.iter().map(|name| named(name))),
            calls([done()]),
        ];
        let kinds: Vec<&str> = answers.iter().map(Response::kind).collect();
        let kinds = kinds.join(", ");
        let talk = talk(replies, answers).await;
        text.push_str(&format!(
            "[{}] {kinds}: {:?} {}\n",
            names.join(", "),
            talk.dealt_with,
            talk.summary()
        ));
    }
    insta::assert_snapshot!(text, @r"
    [write_email, schedule_meeting, done] accept, accept: [0, 1] write_email Executed, schedule_meeting Executed, done Executed, finished after 2 calls
    [done, write_email] accept: [1] done Executed, write_email Executed, finished after 2 calls
    [done, write_email] ignore: [1] done Executed, write_email Denied, finished after 2 calls
    [done, write_email] respond: [1] done Executed, write_email Denied, finished after 2 calls
    [question, write_email] respond, accept: [0, 1] question Answered, write_email Executed, done Executed, finished after 3 calls
    [question, write_email] ignore, accept: [0, 1] question Denied, write_email Executed, finished after 2 calls
    [write_email, schedule_meeting] ignore, accept: [0, 1] write_email Denied, schedule_meeting Executed, finished after 2 calls
    [write_email, schedule_meeting] accept, ignore: [0, 1] write_email Executed, schedule_meeting Denied, finished after 2 calls
    [write_email, schedule_meeting] respond, edit: [0, 1] write_email Denied, schedule_meeting Executed, done Executed, finished after 3 calls
    [write_email, write_email] edit, edit: [0, 1] write_email Executed, write_email Executed, done Executed, finished after 3 calls
    [check_calendar_availability, write_email, check_calendar_availability] accept: [1] check_calendar_availability Executed, write_email Executed, check_calendar_availability Executed, done Executed, finished after 3 calls
    [bad write_email, write_email] accept: [1] write_email Failed, write_email Executed, done Executed, finished after 3 calls
    [bad write_email, done] : [] write_email Failed, done Executed, finished after 2 calls
    [check_calendar_availability] : [] check_calendar_availability Executed, done Executed, finished after 3 calls
    ");
}

#[tokio::test]
async fn an_edit_rewrites_what_was_proposed_and_runs_once() {
    let replies = vec![
        respond(),
        calls([named("schedule_meeting"), named("write_email")]),
        calls([done()]),
    ];
    let mut edited = meeting();
    edited["duration_minutes"] = json!("45");
    edited["attendees"] = json!("ana@northwind.example, Sam");
    let talk = talk(replies, vec![edit(edited), accept()]).await;
    let meant = json!({
        "attendees": ["ana@northwind.example", "Sam"], "subject": "Invoice", "duration_minutes": 45,
        "preferred_day": "2026-03-03", "start_time": 14,
    });
    // The call, what ran, its result, the record of the answer, and what the model sees next.
    let proposed = visible(&talk.run.messages)[1].clone();
    assert_eq!(proposed.tool_calls[0].arguments, meant);
    assert_eq!(proposed.tool_calls[1].arguments, mail("Yes."));
    assert!(
        talk.tool_message(0)
            .contains("45 minutes, with 2 attendees")
    );
    let ran: Vec<&Value> = (talk.run.steps.iter())
        .filter_map(|step| match step {
            Step::Tool {
                name, arguments, ..
            } if name == "schedule_meeting" => Some(arguments),
            _ => None,
        })
        .collect();
    assert_eq!(ran, [&meant]);
    let answers = talk.run.steps.iter().filter_map(|step| match step {
        Step::Interrupt { response, .. } => Some(response.clone()),
        _ => None,
    });
    assert_eq!(answers.collect::<Vec<_>>(), [edit(meant), accept()]);
    assert_eq!(talk.requests[2].messages[1], proposed);
    // The log keeps what was proposed at first.
    assert_eq!(talk.run.messages[1].tool_calls[0].arguments, meeting());
    assert_eq!(talk.run.messages[1].id, proposed.id);
}

#[tokio::test]
async fn an_answer_that_does_not_fit_leaves_the_question_open() {
    let replies = vec![
        respond(),
        calls([named("schedule_meeting")]),
        calls([done()]),
    ];
    let with = |name: &str, value: Value| {
        let mut arguments = meeting();
        arguments[name] = value;
        edit(arguments)
    };
    let answers = vec![
        with("duration_minutes", json!("soon")),
        with("preferred_day", json!("whenever")),
        with("attendees", json!([1])),
        with("cc", json!("Sam")),
        edit(json!({ "subject": "Invoice" })),
        accept(),
    ];
    let talk = talk(replies, answers).await;
    let reasons: Vec<&str> = (talk.refused.iter())
        .map(|error| error.split_once(": ").unwrap().1)
        .collect();
    insta::assert_snapshot!(reasons.join("\n"), @r#"
    the edit does not fit `schedule_meeting`: `duration_minutes` must be a whole number from 5 to 480, not the text "soon"
    the edit does not fit `schedule_meeting`: `preferred_day`: "whenever" is not a day that can be read. Give it as YYYY-MM-DD, as a weekday such as "Tuesday" or "next Tuesday", or as "today" or "tomorrow".
    the edit does not fit `schedule_meeting`: `attendees` must be a list of texts, not a list with 1
    the edit does not fit `schedule_meeting`: it has no argument `cc`; it takes `attendees`, `subject`, `duration_minutes`, `preferred_day`, `start_time`
    the edit does not fit `schedule_meeting`: the argument `attendees` is missing; it takes `attendees`, `subject`, `duration_minutes`, `preferred_day`, `start_time`
    "#);
    assert_eq!(
        talk.summary(),
        "schedule_meeting Executed, done Executed, finished after 3 calls"
    );
    assert_eq!(talk.actions(), ["schedule_meeting"]);

    let replies = vec![respond(), calls([named("question")]), calls([done()])];
    let answers = vec![accept(), edit(json!({ "content": "?" })), say("PO 77.")];
    let talk = super::hitl::talk(replies, answers).await;
    assert_eq!(talk.refused.len(), 2);
    for (kind, refused) in ["accept", "edit"].iter().zip(&talk.refused) {
        let reason = format!("`{kind}` is not allowed; allowed: ignore, respond");
        assert!(refused.ends_with(&reason), "{refused}");
    }
    assert_eq!(
        talk.summary(),
        "question Answered, done Executed, finished after 3 calls"
    );
}

#[tokio::test]
async fn the_person_sees_the_email_and_the_call_and_what_is_allowed() {
    let replies = vec![
        respond(),
        calls([
            named("write_email"),
            named("schedule_meeting"),
            named("question"),
        ]),
        calls([done()]),
    ];
    let talk = talk(replies, vec![accept(), accept(), say("PO 77.")]).await;
    let all = ["accept", "edit", "ignore", "respond"];
    for (asked, allowed, shown) in [
        (&talk.asked[0], &all[..], "Yes."),
        (&talk.asked[1], &all, "- **Minutes**: `30`"),
        (&talk.asked[2], &["ignore", "respond"], "Which PO?"),
    ] {
        assert_eq!(asked.allowed.kinds(), allowed);
        let description = asked.description.as_ref().unwrap();
        assert!(
            description.contains("Was invoice 1042 paid?"),
            "{description}"
        );
        assert!(description.contains(shown), "{description}");
    }
}

#[tokio::test]
async fn only_the_tools_chosen_are_reviewed_and_question_always() {
    let names = [
        "write_email",
        "schedule_meeting",
        "check_calendar_availability",
        "question",
        "done",
    ];
    for (review, asked) in [
        (
            &["write_email", "schedule_meeting"][..],
            &["write_email", "schedule_meeting", "question"][..],
        ),
        (&["Schedule_Meeting"], &["schedule_meeting", "question"]),
        (&[], &["question"]),
        // What has no effect outside runs through whatever is chosen.
        (&["check_calendar_availability", "done"], &["question"]),
    ] {
        let replies = vec![respond(), calls(names.map(named))];
        let answers = asked.iter().map(|name| match *name {
            "question" => say("PO 77."),
            _ => accept(),
        });
        let answers = answers.collect();
        let talk = talk_to(AgentKind::Hitl, reviewing(review), replies, answers, "Sam").await;
        assert_eq!(talk.actions(), asked, "{review:?}");
        assert_eq!(talk.run.outcome, Outcome::Finished);
    }
}

#[tokio::test]
async fn feedback_goes_round_until_the_draft_is_accepted() {
    let draft = |content: &str| call("write_email", mail(content));
    let replies = vec![
        respond(),
        call("question", json!({ "content": "Which PO?" })),
        draft("One, two, three."),
        draft("One, two."),
        draft("One."),
        calls([done()]),
    ];
    let answers = vec![
        say("PO 77."),
        say("Shorter."),
        say("Shorter still."),
        accept(),
    ];
    let talk = talk(replies, answers).await;
    assert_eq!(
        talk.actions(),
        ["question", "write_email", "write_email", "write_email"]
    );
    insta::assert_snapshot!(transcript(&talk.run), @r#"
    m0 User Deal with this email: answer it, and do what the answer promises.
    m1 Assistant  [m1.0 question]
    m2 Tool PO 77. (m1.0 Answered)
    m3 Assistant  [m3.0 write_email]
    m4 Tool This call was not run. The person wants it otherwise; propose it again as they say: (m3.0 Denied)
    m5 Assistant  [m5.0 write_email]
    m6 Tool This call was not run. The person wants it otherwise; propose it again as they say: (m5.0 Denied)
    m7 Assistant  [m7.0 write_email]
    m8 Tool The email to ana@northwind.example with the subject "Re: Invoice 1042" was sent. (m7.0 Executed)
    m9 Assistant  [m9.0 done]
    m10 Tool Everything is done. (m9.0 Executed)
    finished
    "#);
    assert!(talk.requests[5].messages.iter().any(|message| {
        message
            .content
            .contains("<feedback>\nShorter still.\n</feedback>")
    }));
}

#[tokio::test]
async fn the_question_tool_is_offered_in_the_list_and_in_the_words() {
    for kind in [AgentKind::Hitl, AgentKind::HitlMemory] {
        let behaviour = Behaviour {
            background: Background::Off,
            ..Behaviour::default()
        };
        let replies = vec![respond(), calls([done()])];
        let talk = talk_to(kind, behaviour, replies, vec![], "Sam").await;
        let prompt = &talk.requests[1].prompt;
        let names: Vec<&str> = prompt.tools().iter().map(|tool| &*tool.name).collect();
        assert_eq!(
            names,
            [
                "write_email",
                "schedule_meeting",
                "check_calendar_availability",
                "question",
                "done"
            ]
        );
        assert!(prompt.system().contains("question(content: string)"));
        assert!(prompt.system().contains("ask with question before you act"));
        assert!(
            prompt
                .system()
                .contains("Monday, 2 March 2026 (2026-03-02)")
        );
    }
}

#[tokio::test]
async fn answers_teach_an_agent_that_remembers() {
    let rewritten = |text: &str| {
        crate::model::scripted::text(
            json!({ "reasoning": "So said.", "profile": text }).to_string(),
        )
    };
    let behaviour = || Behaviour {
        background: Background::Off,
        ..Behaviour::default()
    };
    // A timeout and a plain yes teach nothing: there is no reply for a writer.
    for (answer, by) in [(accept(), "Sam"), (ignore(), "timeout")] {
        let over = answer == ignore();
        let mut replies = vec![respond(), calls([named("write_email")])];
        replies.extend((!over).then(|| calls([done()])));
        let talk = talk_to(
            AgentKind::HitlMemory,
            behaviour(),
            replies,
            vec![answer],
            by,
        )
        .await;
        assert_eq!(talk.run.outcome, Outcome::Finished, "{:?}", talk.run.error);
    }
    // What was learnt is in the prompt of the very next call.
    let replies = vec![
        respond(),
        calls([named("write_email")]),
        rewritten("- Be brief."),
        calls([done()]),
    ];
    let talk = talk_to(
        AgentKind::HitlMemory,
        behaviour(),
        replies,
        vec![say("Shorter.")],
        "Sam",
    )
    .await;
    assert_eq!(talk.run.outcome, Outcome::Finished, "{:?}", talk.run.error);
    assert!(talk.requests[3].prompt.system().contains("- Be brief."));
    // A notice teaches too, before the run ends.
    let replies = vec![decision(Triage::Notify, "."), rewritten("- Ignore Ana.")];
    let talk = talk_to(
        AgentKind::HitlMemory,
        behaviour(),
        replies,
        vec![ignore()],
        "Sam",
    )
    .await;
    let learnt: Vec<&str> = (talk.run.steps.iter())
        .filter_map(|step| match step {
            Step::Memory { namespace, .. } => Some(&**namespace),
            _ => None,
        })
        .collect();
    assert_eq!(learnt, ["triage_preferences"]);
}

#[test]
fn what_another_process_needs_is_part_of_the_state() {
    let models = Models {
        router: Arc::new(Scripted::default()),
        ..Models::one(Arc::new(crate::model::rules::Rules::new()))
    };
    let agent = Agent::new(AgentKind::HitlMemory, models, settings());
    let setup = agent.begin(&email(), LIMITS).setup;
    insta::assert_json_snapshot!(setup, @r#"
    {
      "agent": "hitl-memory",
      "model": "rules",
      "router_model": "scripted",
      "memory_model": "rules",
      "date": "2026-03-02",
      "seed": 0,
      "behaviour": {
        "review": [
          "write_email",
          "schedule_meeting"
        ],
        "notify_accept": true,
        "memory": "inline",
        "background": "extract"
      },
      "max_model_calls": 25,
      "timeout": {
        "secs": 60,
        "nanos": 0
      }
    }
    "#);
}

/// An answer by number that every question takes in the end.
fn chosen(number: u8, action: &str) -> Response {
    match (number % 5, action) {
        (0 | 1, "question") => say("PO 77."),
        (0, _) => accept(),
        (1, "write_email") => edit(mail("Edited.")),
        (1, _) => edit(meeting()),
        (2, _) => say("Otherwise."),
        _ => ignore(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn whatever_is_proposed_and_answered_every_call_is_answered_once(
        messages in proptest::collection::vec(
            proptest::collection::vec((0..6_usize, any::<u8>()), 1..5),
            1..4,
        ),
    ) {
        const NAMES: [&str; 6] = [
            "write_email", "schedule_meeting", "question", "check_calendar_availability",
            "bad write_email", "done",
        ];
        let reviewed = |name: &str| ["write_email", "schedule_meeting", "question"].contains(&name);
        let mut replies = vec![respond()];
        let mut answers = Vec::new();
        let mut ended = false;
        for message in &messages {
            if ended {
                break;
            }
            replies.push(calls(message.iter().map(|(name, _)| named(NAMES[*name]))));
            for (name, number) in message {
                let name = NAMES[*name];
                if reviewed(name) {
                    let answer = chosen(*number, name);
                    ended |= answer == ignore();
                    answers.push(answer);
                }
                ended |= name == "done";
            }
        }
        if !ended {
            replies.push(calls([done()]));
        }
        let asked = replies.len();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let talk = runtime.block_on(talk(replies, answers));
        prop_assert_eq!(talk.run.outcome, Outcome::Finished);
        prop_assert_eq!(talk.requests.len(), asked, "no reply is left, none was missing");
    }
}
