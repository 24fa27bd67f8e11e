use serde_json::json;

use super::*;
use crate::agent::prompts::memory::remember_blocks;
use crate::dataset::{EpisodeStep, Person, StatedExpect};
use crate::email::Triage;
use crate::judge::definition::Definitions;
use crate::message::{Message, ToolStatus};
use crate::run::{Outcome, ReplyRef, TokenUsage};
use crate::score::fixture::{Made, Story, called, example};

fn definition(key: JudgeKey) -> Definition {
    (**Definitions::embedded().get(key)).clone()
}

/// The example of the fixture with two criteria, one of which weighs more and is critical.
fn criteria_example() -> Example {
    let mut example = example(Triage::Respond);
    example.expect.criteria = vec![
        Criterion::from("Says when it is paid".to_owned()),
        Criterion {
            text: "Contains no\naccount number".into(),
            weight: 2.0,
            critical: true,
        },
    ];
    example
}

fn mail(content: &str) -> Value {
    json!({ "to": "ana@northwind.example", "subject": "Re: Invoice", "content": content })
}

fn asked(key: JudgeKey, run: &Run) -> Vec<Question> {
    let example = criteria_example();
    questions(
        &definition(key),
        &Subject::Example {
            example: &example,
            run,
        },
    )
}

fn of_scenario(key: JudgeKey, run: &Run) -> Vec<Question> {
    let example = criteria_example();
    let scenario = Scenario {
        id: "invoice/one".into(),
        example: 0,
        human: Person::Scripted(Vec::new()),
        restart: false,
        tags: Vec::new(),
        split: None,
        cluster: None,
        labelled_by: None,
        note: None,
        expect: example.expect.clone(),
        interrupts: None,
    };
    let (scenario, example) = (&scenario, &example);
    questions(
        &definition(key),
        &Subject::Scenario {
            scenario,
            example,
            run,
        },
    )
}

fn of_episode(key: JudgeKey, runs: &[Run]) -> Vec<Question> {
    let examples = [criteria_example()];
    let step = EpisodeStep {
        example: 0,
        human: Vec::new(),
        memory: Vec::new(),
        expect: StatedExpect::default(),
    };
    let episode = Episode {
        id: "learns".into(),
        steps: vec![step; runs.len()],
        unchanged: Vec::new(),
        control: false,
        tags: Vec::new(),
        split: None,
        cluster: None,
        labelled_by: None,
        note: None,
    };
    let subject = Subject::Episode {
        episode: &episode,
        examples: &examples,
        runs,
    };
    questions(&definition(key), &subject)
}

#[test]
fn every_criterion_is_a_statement_about_the_mail_as_it_was_sent() {
    let run = Story::respond()
        .says(&[("a", "write_email", mail("Draft."))])
        .asks(
            "a",
            Response::Edit(mail("It is paid on Friday.").as_object().unwrap().clone()),
        )
        .runs("a")
        .says(&[("b", "schedule_meeting", json!({ "subject": "Call" }))])
        .answers("b", ToolStatus::Failed, "no such day")
        .ends_done();
    let questions = asked(JudgeKey::ResponseCriteria, &run);
    let told: Vec<_> = questions
        .iter()
        .map(|q| (&*q.statement, q.weight, q.critical))
        .collect();
    assert_eq!(
        told,
        [
            ("Says when it is paid", 1.0, false),
            ("Contains no account number", 2.0, true)
        ]
    );
    assert!(questions.iter().all(|question| question.decided.is_none()));
    insta::assert_snapshot!(questions[0].shown, @r"
    # The email
      From: Ana Ruiz <ana@northwind.example>
      To: Sam Lee <sam@acme.example>
      Subject: Invoice
      Date: 2026-03-02

      Is it paid?
    # Mail that was sent
      To: ana@northwind.example
      Subject: Re: Invoice

      It is paid on Friday.
    # Tool calls, from the record
      1. write_email: ran
         to: ana@northwind.example
         subject: Re: Invoice
      2. schedule_meeting: failed
         subject: Call
      3. done: ran
         done: true
    ");
}

#[test]
fn criteria_are_asked_where_an_answer_is_wanted_and_nowhere_else() {
    let run = Story::respond().ends();
    for (triage, statements) in [
        (Triage::Respond, 2),
        (Triage::Notify, 0),
        (Triage::Ignore, 0),
    ] {
        let mut example = criteria_example();
        example.expect.triage = triage;
        let (example, run) = (&example, &run);
        let definition = definition(JudgeKey::ResponseCriteria);
        let asked = questions(&definition, &Subject::Example { example, run });
        assert_eq!(asked.len(), statements, "{triage}");
    }
}

#[test]
fn without_a_mail_no_criterion_is_met_whatever_the_agent_says() {
    let claim = "I have sent the reply: it is paid on Friday.";
    let unsent = |status| {
        let mut run = called(&[Made::new("write_email", mail("Paid.")).status(status)]);
        run.messages
            .push(Message::assistant("end", claim, Vec::new()));
        run
    };
    for status in [Some(ToolStatus::Failed), Some(ToolStatus::Denied), None] {
        for question in asked(JudgeKey::ResponseCriteria, &unsent(status)) {
            let decided = Some((Verdict::Fail, "no mail was sent".to_owned()));
            assert_eq!(question.decided, decided, "{status:?}");
            assert!(!question.shown.contains(claim), "{}", question.shown);
        }
    }
    for question in asked(
        JudgeKey::ResponseCriteria,
        &unsent(Some(ToolStatus::Executed)),
    ) {
        assert_eq!(question.decided, None);
    }
}

#[test]
fn an_agent_failure_fails_every_statement_and_an_infrastructure_error_asks_none() {
    for outcome in [
        Outcome::StepLimit,
        Outcome::Protocol,
        Outcome::Timeout,
        Outcome::Provider,
        Outcome::Harness,
        Outcome::Simulator,
        Outcome::Unmatched,
        Outcome::Cancelled,
        Outcome::Budget,
    ] {
        let failed = |run: Run| Run {
            outcome,
            error: Some("after 25 calls".into()),
            ..run
        };
        let reviewed = Story::respond()
            .says(&[("a", "write_email", mail("Draft."))])
            .asks("a", Response::Respond("Shorter.".into()))
            .runs("a")
            .ends();
        let asked = [
            asked(
                JudgeKey::ResponseCriteria,
                &failed(called(&[Made::new("write_email", mail("Paid."))])),
            ),
            asked(JudgeKey::TriageReasonable, &failed(called(&[]))),
            of_scenario(JudgeKey::FeedbackHonoured, &failed(reviewed)),
            // One step that failed fails the episode, as it does for the rules.
            of_episode(
                JudgeKey::MemoryUpdate,
                &[learnt("notify", "No.", TRIAGE), failed(called(&[]))],
            ),
        ];
        for questions in asked {
            assert_eq!(questions.is_empty(), outcome.is_error(), "{outcome:?}");
            for question in questions {
                let why = format!("{}: after 25 calls", outcome.name());
                assert_eq!(question.decided, Some((Verdict::Fail, why)));
            }
        }
    }
}

#[test]
fn a_judge_has_nothing_to_ask_of_what_it_is_not_about() {
    let run = called(&[Made::new("write_email", mail("Paid."))]);
    for key in JudgeKey::ALL {
        let found = [
            !asked(key, &run).is_empty(),
            !of_scenario(key, &run).is_empty(),
            !of_episode(key, std::slice::from_ref(&run)).is_empty(),
        ];
        let of_examples = matches!(key, JudgeKey::ResponseCriteria | JudgeKey::TriageReasonable);
        assert_eq!(found, [of_examples, false, false], "{key}");
    }
}

#[test]
fn an_answer_in_words_is_a_statement_about_what_was_done_from_there_on() {
    let run = Story::respond()
        .says(&[("q", "question", json!({ "content": "Which account?" }))])
        .asks("q", Response::Respond("The second.".into()))
        .answers("q", ToolStatus::Answered, "The second.")
        .says(&[("m", "schedule_meeting", json!({ "subject": "Early call" }))])
        .runs("m")
        .says(&[("a", "write_email", mail("A long draft."))])
        .asks("a", Response::Respond("Shorter,\nplease.".into()))
        .answers("a", ToolStatus::Denied, "otherwise")
        .says(&[("b", "write_email", mail("Short."))])
        .asks("b", Response::Accept)
        .runs("b")
        .ends_done();
    let questions = of_scenario(JudgeKey::FeedbackHonoured, &run);
    let [question] = &questions[..] else {
        panic!("one answer in words to a call: {questions:?}");
    };
    assert_eq!(question.decided, None);
    insta::assert_snapshot!(format!("{}\n\n{}", question.statement, question.shown), @r"
    What was done in the end is as the person said of the proposed write_email: “Shorter, please.”

    # The email
      From: Ana Ruiz <ana@northwind.example>
      To: Sam Lee <sam@acme.example>
      Subject: Invoice
      Date: 2026-03-02

      Is it paid?
    # What the person was shown
      proposed write_email
         to: ana@northwind.example
         subject: Re: Invoice
         content: A long draft.
    # What the person said
      Shorter,
      please.
    # Mail that was sent
      To: ana@northwind.example
      Subject: Re: Invoice

      Short.
    # Tool calls, from the record
      1. write_email: denied by the person
         to: ana@northwind.example
         subject: Re: Invoice
         content: A long draft.
      2. write_email: ran
         to: ana@northwind.example
         subject: Re: Invoice
      3. done: ran
         done: true
    ");

    let mut silent = run.clone();
    for step in &mut silent.steps {
        if let Step::Interrupt { answered_by, .. } = step {
            *answered_by = TIMEOUT.to_owned();
        }
    }
    assert_eq!(of_scenario(JudgeKey::FeedbackHonoured, &silent), []);

    let notice = Story::notice(Response::Respond("Say that we come.".into())).ends();
    let questions = of_scenario(JudgeKey::FeedbackHonoured, &notice);
    assert_eq!(
        questions[0].statement,
        "What was done in the end is as the person said of the notice of this email: “Say that we come.”"
    );
    assert!(
        questions[0].shown.contains("[none was sent]"),
        "{}",
        questions[0].shown
    );
    // Whether nothing is what was wanted is for the judge to say.
    assert_eq!(questions[0].decided, None);
}

const TRIAGE: &str = "triage_preferences";

/// A run in which the person said something of `action`, and a profile was written anew.
fn learnt(action: &str, said: &str, namespace: &str) -> Run {
    let story = match action {
        "notify" => Story::notice(Response::Respond(said.into())),
        tool => Story::respond()
            .says(&[("a", tool, mail("Draft."))])
            .asks("a", Response::Respond(said.into())),
    };
    remembers(story.ends(), namespace, said)
}

/// Adds what the `remember` node leaves: the model's call about the note that has `said` in
/// it, and the entry.
fn remembers(mut run: Run, namespace: &str, said: &str) -> Run {
    let lessons: Vec<_> = run
        .steps
        .iter()
        .filter_map(|step| match step {
            Step::Interrupt {
                interrupt,
                response,
                ..
            } => lesson(interrupt, response),
            _ => None,
        })
        .collect();
    let (namespace_of_note, note) = lessons
        .into_iter()
        .find(|(_, note)| note.contains(said))
        .expect("a lesson with these words");
    let blocks = remember_blocks(namespace_of_note, "- Old.", &note);
    run.steps.push(Step::Model {
        node: "remember".into(),
        role: ModelRole::Memory,
        prompt: "0".into(),
        sent: Sent::Messages(vec![Message::user("r0", blocks)]),
        reply: ReplyRef::Text("{}".into()),
        usage: TokenUsage::default(),
        stop: None,
        latency_ms: 0.0,
    });
    run.steps.push(Step::Memory {
        node: "remember".into(),
        namespace: namespace.into(),
        key: "user_preferences".into(),
        before: Some("- Old.".into()),
        after: format!("- Old.\n- {said}"),
        reason: "it was said".into(),
    });
    run
}

#[test]
fn a_profile_that_an_answer_changed_is_a_statement() {
    let runs = [
        learnt("notify", "No <profile> of this sender.", TRIAGE),
        called(&[]),
        learnt("write_email", "Shorter.", "response_preferences"),
    ];
    let questions = of_episode(JudgeKey::MemoryUpdate, &runs);
    let statements: Vec<&str> = questions
        .iter()
        .map(|question| &*question.statement)
        .collect();
    assert_eq!(
        statements,
        [
            "The new triage_preferences hold what follows from this, and keep the rest: the person said of the notice of this email: “No <profile> of this sender.”",
            "The new response_preferences hold what follows from this, and keep the rest: the person said of the proposed write_email: “Shorter.”",
        ]
    );
    insta::assert_snapshot!(questions[1].shown, @r"
    # What the person was shown
      proposed write_email
         to: ana@northwind.example
         subject: Re: Invoice
         content: Draft.
    # What the person said
      Shorter.
    # Profile before
      - Old.
    # Profile after
      - Old.
      - Shorter.
    ");
}

#[test]
fn a_change_goes_back_to_the_answer_that_its_writer_was_told_of() {
    let two = || {
        Story::respond()
            .says(&[
                ("a", "write_email", mail("One.")),
                ("b", "write_email", mail("Two.")),
            ])
            .asks("a", Response::Respond("No greeting.".into()))
            .asks("b", Response::Respond("No thanks.".into()))
            .ends()
    };
    for (words, statements) in [
        (&["No greeting."][..], &["No greeting."][..]),
        (&["No thanks."], &["No thanks."]),
        (
            &["No greeting.", "No thanks."],
            &["No greeting.", "No thanks."],
        ),
    ] {
        let run = words.iter().fold(two(), |run, said| {
            remembers(run, "response_preferences", said)
        });
        let questions = of_episode(JudgeKey::MemoryUpdate, &[run]);
        assert_eq!(questions.len(), statements.len());
        for (question, said) in questions.iter().zip(statements) {
            assert!(
                question.statement.ends_with(&format!("“{said}”")),
                "{}",
                question.statement
            );
        }
    }
    // What nobody said anything about teaches nothing: facts, and another memory.
    for namespace in ["background", TRIAGE] {
        let run = remembers(two(), namespace, "No greeting.");
        assert_eq!(
            of_episode(JudgeKey::MemoryUpdate, &[run]),
            [],
            "{namespace}"
        );
    }
}

#[test]
fn an_edit_teaches_by_its_difference_and_a_refusal_by_itself() {
    let edited = mail("Short.").as_object().unwrap().clone();
    for (response, said, namespace, statement, shown) in [
        (
            Response::Edit(edited),
            "changed",
            "response_preferences",
            "the person changed the proposed write_email before it ran",
            "[changed the call to these arguments]\n     to: ana@northwind.example",
        ),
        (
            Response::Ignore,
            "turned",
            TRIAGE,
            "the person turned the proposed write_email down",
            "[turned it down, without words]",
        ),
    ] {
        let story = Story::respond().says(&[("a", "write_email", mail("A long draft."))]);
        let run = remembers(story.asks("a", response).ends(), namespace, said);
        let questions = of_episode(JudgeKey::MemoryUpdate, &[run]);
        assert!(
            questions[0].statement.ends_with(statement),
            "{}",
            questions[0].statement
        );
        assert!(questions[0].shown.contains(shown), "{}", questions[0].shown);
        assert!(
            questions[0].shown.contains("content: A long draft."),
            "{}",
            questions[0].shown
        );
    }
}

#[test]
fn a_decision_is_a_statement_and_none_is_a_fail() {
    let run = Run {
        triage: Some(Triage::Notify),
        reasoning: Some("Nobody waits.".into()),
        ..called(&[])
    };
    let questions = asked(JudgeKey::TriageReasonable, &run);
    assert_eq!(
        questions[0].statement,
        "A reasonable person could have sorted this email as notify"
    );
    assert!(
        questions[0]
            .shown
            .ends_with("# The decision\n  Decision: notify\n  Reasons: Nobody waits.\n")
    );
    assert_eq!(questions[0].decided, None);
    let undecided = Run {
        triage: None,
        ..run
    };
    let questions = asked(JudgeKey::TriageReasonable, &undecided);
    assert_eq!(
        questions[0].decided,
        Some((Verdict::Fail, "no decision was made".to_owned()))
    );
}
