use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use proptest::prelude::*;
use serde_json::json;

use super::drive::MAX_INTERRUPTS;
use super::*;
use crate::dataset::{ArgumentMatcher, On, Rule, RuleAnswer};
use crate::email::Email;
use crate::run::{Allowed, ModelRole, Run, Step, TokenUsage};
use crate::target::{Paused, Progress, Start, Target, Until};

const ACCEPT: Allowed = Allowed {
    accept: true,
    edit: true,
    ignore: true,
    respond: true,
};
const QUESTION: Allowed = Allowed {
    accept: false,
    edit: false,
    ignore: true,
    respond: true,
};

/// A question, by its action, and what it takes.
type Asked = (&'static str, Allowed);

const NOTIFY: Asked = (
    "notify",
    Allowed {
        edit: false,
        ..ACCEPT
    },
);
const WRITE: Asked = ("write_email", ACCEPT);
const ASK: Asked = ("question", QUESTION);

fn interrupt((action, allowed): Asked) -> Interrupt {
    let args = json!({ "to": "Ana <ana@northwind.example>", "subject": "Re: hi" });
    Interrupt {
        id: "1".into(),
        action: action.into(),
        args: args.as_object().unwrap().clone(),
        allowed,
        description: None,
    }
}

fn empty_run(outcome: Outcome, error: Option<String>) -> Run {
    Run {
        outcome,
        error,
        triage: None,
        reasoning: None,
        messages: Vec::new(),
        steps: Vec::new(),
        usage: Usage::default(),
        latency_ms: 0.0,
        pauses: Vec::new(),
        memory: None,
        prompts: Vec::new(),
    }
}

type Answers = Arc<Mutex<Vec<(Response, String)>>>;

/// Asks what it is told to, then finishes, and keeps the answers. Between two questions it
/// does two things, so a record that is right has pauses at 0, 3, 6, …
struct Asking {
    asks: Vec<Asked>,
    answers: Answers,
}

struct Pause {
    left: VecDeque<Asked>,
    steps: usize,
    interrupt: Interrupt,
    answers: Answers,
}

fn next(mut left: VecDeque<Asked>, steps: usize, answers: Answers) -> Progress {
    match left.pop_front() {
        None => Progress::Finished(empty_run(Outcome::Finished, None)),
        Some(asked) => Progress::Paused(Box::new(Pause {
            left,
            steps,
            interrupt: interrupt(asked),
            answers,
        })),
    }
}

impl Target for Asking {
    fn start<'a>(&'a self, _: Start, _: &'a Email) -> BoxFuture<'a, Progress> {
        let progress = next(self.asks.clone().into(), 0, Arc::clone(&self.answers));
        Box::pin(async { progress })
    }
}

impl Paused for Pause {
    fn interrupt(&self) -> &Interrupt {
        &self.interrupt
    }

    fn steps(&self) -> usize {
        self.steps
    }

    fn resume(self: Box<Self>, response: Response, by: &str) -> BoxFuture<'static, Progress> {
        self.answers.lock().unwrap().push((response, by.to_owned()));
        Box::pin(async move { next(self.left, self.steps + 3, self.answers) })
    }

    fn abandon(self: Box<Self>, outcome: Outcome, error: String) -> BoxFuture<'static, Run> {
        Box::pin(async move { empty_run(outcome, Some(error)) })
    }
}

async fn run(asks: Vec<Asked>, mut human: impl Human) -> (Driven, Vec<(Response, String)>) {
    let answers = Answers::default();
    let target = Asking {
        asks,
        answers: Arc::clone(&answers),
    };
    let start = Start {
        thread: "t".into(),
        until: Until::End,
        timeout: Duration::from_secs(1),
        max_steps: 1,
        store: None,
        restart: false,
    };
    let email = Email {
        from: String::new(),
        to: String::new(),
        subject: String::new(),
        body: String::new(),
        date: None,
    };
    let driven = drive(&target, start, &email, &mut human).await;
    let answers = answers.lock().unwrap().clone();
    (driven, answers)
}

fn kinds(answers: &[(Response, String)]) -> Vec<(&'static str, &str)> {
    let kinds = answers.iter();
    kinds
        .map(|(response, by)| (response.kind(), &**by))
        .collect()
}

fn only(kind: &str) -> Allowed {
    Allowed {
        accept: kind == "accept",
        edit: kind == "edit",
        ignore: kind == "ignore",
        respond: kind == "respond",
    }
}

fn on(action: &str, answer: RuleAnswer) -> Rule {
    Rule {
        on: match action {
            "notify" => On::Notify,
            tool => On::Tool(tool.to_owned()),
        },
        nth: None,
        when: Vec::new(),
        answer,
        then: Vec::new(),
    }
}

fn nth(nth: u32, rule: Rule) -> Rule {
    Rule {
        nth: Some(nth),
        ..rule
    }
}

fn when(name: &str, contains: &str, rule: Rule) -> Rule {
    let matcher = ArgumentMatcher {
        contains: Some(contains.to_owned()),
        ..ArgumentMatcher::default()
    };
    Rule {
        when: vec![(name.to_owned(), matcher)],
        ..rule
    }
}

fn respond(text: &str) -> RuleAnswer {
    RuleAnswer::Respond(text.to_owned())
}

#[tokio::test]
async fn policies_answer_each_question_by_what_it_takes() {
    let said = |text: &str| Some(Response::Respond(text.into()));
    for (allowed, accept_all, reject_all) in [
        (ACCEPT, Some(Response::Accept), Some(Response::Ignore)),
        (
            QUESTION,
            said("Please decide yourself."),
            Some(Response::Ignore),
        ),
        (
            only("respond"),
            said("Please decide yourself."),
            said("No. Please leave it."),
        ),
        (
            only("ignore"),
            Some(Response::Ignore),
            Some(Response::Ignore),
        ),
        (only("accept"), Some(Response::Accept), None),
        (only("edit"), None, None),
        (Allowed::default(), None, None),
    ] {
        let asked = interrupt(("write_email", allowed));
        let answer = AcceptAll.respond(&asked).await;
        assert_eq!(answer.ok(), accept_all, "{allowed:?}");
        let answer = RejectAll.respond(&asked).await;
        assert_eq!(answer.ok(), reject_all, "{allowed:?}");
    }
}

#[tokio::test]
async fn a_run_is_driven_through_all_its_pauses() {
    let (driven, answers) = run(vec![ASK, WRITE], AcceptAll).await;
    assert_eq!(driven.run.outcome, Outcome::Finished);
    assert_eq!(driven.run.pauses, [0, 3]);
    assert_eq!(
        kinds(&answers),
        [("respond", "accept-all"), ("accept", "accept-all")]
    );
    let (_, answers) = run(vec![ASK, WRITE], RejectAll).await;
    assert_eq!(
        kinds(&answers),
        [("ignore", "reject-all"), ("ignore", "reject-all")]
    );
}

#[tokio::test]
async fn the_first_rule_that_fits_answers() {
    use RuleAnswer::{Accept, Ignore, Timeout};
    let write = |answer| on("write_email", answer);
    for (case, rules, asks, expected) in [
        (
            "by action, in any order, again and again",
            vec![on("question", respond("Use PO 77.")), write(Accept)],
            vec![WRITE, ASK, WRITE, ASK],
            vec!["accept", "respond", "accept", "respond"],
        ),
        (
            "the first of several",
            vec![write(Ignore), write(Accept)],
            vec![WRITE, WRITE],
            vec!["ignore", "ignore"],
        ),
        (
            "names in any case",
            vec![on("write_email", Ignore), on("QUESTION", respond("Yes."))],
            vec![("Write_Email", ACCEPT), ASK],
            vec!["ignore", "respond"],
        ),
        (
            "the triage question is no tool",
            vec![on("question", respond("Yes.")), on("notify", Ignore)],
            vec![NOTIFY, ("Notify", ACCEPT)],
            vec!["ignore", "ignore"],
        ),
        (
            "the n-th is counted by action, whoever answered the others",
            vec![nth(2, write(Ignore)), write(Accept), on("question", Ignore)],
            vec![ASK, WRITE, ASK, WRITE, WRITE],
            vec!["ignore", "accept", "ignore", "ignore", "accept"],
        ),
        (
            "the n-th counts those that another rule was for",
            vec![
                when("to", "bo@", write(Accept)),
                nth(1, write(Accept)),
                nth(2, write(Ignore)),
            ],
            vec![WRITE, WRITE],
            vec!["accept", "ignore"],
        ),
        (
            "by argument",
            vec![
                when("to", "bo@acme", write(Accept)),
                when("to", "ANA@northwind", write(Ignore)),
            ],
            vec![WRITE],
            vec!["ignore"],
        ),
        (
            "by an argument that is not there",
            vec![when("cc", "ana", write(Ignore)), write(Accept)],
            vec![WRITE],
            vec!["accept"],
        ),
        (
            "nobody answers",
            vec![write(Timeout), on("question", Timeout)],
            vec![WRITE, ASK, ("write_email", only("respond"))],
            vec!["ignore", "ignore", "respond"],
        ),
    ] {
        let by = match case {
            "nobody answers" => "timeout",
            _ => "scripted",
        };
        let (driven, answers) = run(asks, Scripted::new(rules, None)).await;
        assert_eq!(driven.run.outcome, Outcome::Finished, "{case}: {driven:?}");
        let expected: Vec<_> = expected.into_iter().map(|kind| (kind, by)).collect();
        assert_eq!(kinds(&answers), expected, "{case}");
    }
}

#[tokio::test]
async fn an_edit_changes_the_arguments_it_names_and_no_others() {
    let changes = json!({ "subject": "Re: hi (paid)", "cc": ["bo@acme.example"] });
    let edit = RuleAnswer::Edit(changes.as_object().unwrap().clone());
    let (_, answers) = run(
        vec![WRITE],
        Scripted::new(vec![on("write_email", edit)], None),
    )
    .await;
    let expected = json!({
        "to": "Ana <ana@northwind.example>",
        "subject": "Re: hi (paid)",
        "cc": ["bo@acme.example"],
    });
    let expected = Response::Edit(expected.as_object().unwrap().clone());
    assert_eq!(answers[0].0, expected);
}

#[tokio::test]
async fn what_no_rule_fits_is_answered_by_the_policy_if_there_is_one() {
    let rules = vec![nth(1, on("write_email", RuleAnswer::Ignore))];
    let asks = vec![WRITE, ASK, WRITE];
    let human = Scripted::new(rules.clone(), Some(AcceptAll));
    let (driven, answers) = run(asks.clone(), human).await;
    assert_eq!(driven.run.outcome, Outcome::Finished);
    assert_eq!(
        kinds(&answers),
        [
            ("ignore", "scripted"),
            ("respond", "accept-all"),
            ("accept", "accept-all"),
        ]
    );
    let (driven, answers) = run(asks, Scripted::new(rules, None)).await;
    assert_eq!(driven.run.outcome, Outcome::Unmatched);
    assert_eq!(driven.run.pauses, [0], "what nobody answered is no answer");
    assert_eq!(kinds(&answers), [("ignore", "scripted")]);
}

#[tokio::test]
async fn an_unmatched_question_is_told_with_its_arguments_and_the_rules_tried() {
    use RuleAnswer::{Accept, Timeout};
    let few = vec![
        on("question", respond("Yes.")),
        nth(2, on("write_email", Accept)),
        when("to", "bo@", on("write_email", Timeout)),
    ];
    let many = (1..=40).map(|n| nth(n + 1, on("write_email", Accept)));
    let mut texts = Vec::new();
    for rules in [few, Vec::new(), many.collect()] {
        let (driven, _) = run(vec![WRITE], Scripted::new(rules, None)).await;
        assert_eq!(driven.run.outcome, Outcome::Unmatched);
        texts.push(driven.run.error.unwrap());
    }
    insta::assert_snapshot!(texts.join("\n\n"), @r#"
    no rule answers `write_email`, asked the 1st time, with {"to":"Ana <ana@northwind.example>","subject":"Re: hi"}; rules tried: rule 1 (question: respond), rule 2 (write_email, 2nd: accept), rule 3 (write_email, by its `to`: timeout)

    no rule answers `write_email`, asked the 1st time, with {"to":"Ana <ana@northwind.example>","subject":"Re: hi"}; rules tried: none

    no rule answers `write_email`, asked the 1st time, with {"to":"Ana <ana@northwind.example>","subject":"Re: hi"}; rules tried: rule 1 (write_email, 2nd: accept), rule 2 (write_email, 3rd: accept), rule 3 (write_email, 4th: accept), rule 4 (write_email, 5th: accept), rule 5 (write_email, 6th: accept), rule 6 (write_email, 7th: accept), rule 7 (write_email, 8th: accept), rule 8 (write_email, 9th: accept), rule 9 (write_email, 10th: accept), rule 10 (write_email, 11th: accept), rule 11 (write_email, 12th: accept), rule 12 (write_email, 13th: accept), and 28 more
    "#);

    let mut hostile = interrupt(WRITE);
    hostile.action = "a\nb".repeat(1000);
    hostile
        .args
        .insert("content".into(), "x".repeat(100_000).into());
    let mut human = Scripted::new(Vec::new(), None);
    let error = human.respond(&hostile).await.unwrap_err().to_string();
    assert!(error.len() < 500 && !error.contains('\n'), "{error}");
}

#[tokio::test]
async fn rules_that_were_never_used_are_noted() {
    use RuleAnswer::{Accept, Edit, Ignore, Timeout};
    let rules = vec![
        on("write_email", Accept),
        nth(2, on("write_email", Ignore)),
        when("to", "bo", nth(11, on("question", Timeout))),
        nth(3, on("notify", respond("x"))),
        on("schedule_meeting", Edit(Map::new())),
    ];
    let (driven, _) = run(vec![WRITE, WRITE], Scripted::new(rules, None)).await;
    insta::assert_snapshot!(driven.notes.join("\n"), @r"
    rule 2 (write_email, 2nd: ignore) was never used
    rule 3 (question, 11th, by its `to`: timeout) was never used
    rule 4 (notify, 3rd: respond) was never used
    rule 5 (schedule_meeting: edit) was never used
    ");
    let (driven, _) = run(vec![WRITE], AcceptAll).await;
    assert_eq!(driven.notes, Vec::<String>::new());
}

#[tokio::test]
async fn an_answer_that_is_not_allowed_is_an_error_of_the_script() {
    for (rule, asked, error) in [
        (
            on("question", RuleAnswer::Accept),
            ASK,
            "rule 1 (question: accept) answered `question` with accept, which it does not take; it takes: ignore, respond",
        ),
        (
            on("notify", RuleAnswer::Edit(Map::new())),
            NOTIFY,
            "rule 1 (notify: edit) answered `notify` with edit, which it does not take; it takes: accept, ignore, respond",
        ),
        (
            on("write_email", RuleAnswer::Ignore),
            ("write_email", Allowed::default()),
            "rule 1 (write_email: ignore) answered `write_email` with ignore, which it does not take; it takes: nothing",
        ),
        (
            on("write_email", RuleAnswer::Timeout),
            ("write_email", only("accept")),
            "`write_email` takes none of the answers that timeout gives; it takes: accept",
        ),
    ] {
        // Not even a policy steps in: the script is wrong, and must be corrected.
        let human = Scripted::new(vec![rule], Some(AcceptAll));
        let (driven, answers) = run(vec![asked], human).await;
        assert_eq!(driven.run.outcome, Outcome::Simulator);
        assert_eq!(driven.run.error.unwrap(), error);
        assert!(answers.is_empty(), "the agent never saw it");
    }
}

/// Says yes whatever is asked, at the cost of a model call.
struct Careless(Usage);

impl Human for Careless {
    fn name(&self) -> &str {
        "careless"
    }

    fn respond<'a>(&'a mut self, _: &'a Interrupt) -> BoxFuture<'a, Result<Response, HumanError>> {
        let tokens = TokenUsage {
            input_tokens: 5,
            output_tokens: 1,
        };
        self.0.record(ModelRole::Simulator, tokens);
        Box::pin(async { Ok(Response::Accept) })
    }

    fn usage(&self) -> Usage {
        self.0.clone()
    }
}

#[tokio::test]
async fn nobody_gives_an_answer_that_is_not_allowed_and_what_it_cost_is_counted() {
    let human = Careless(Usage::default());
    let (driven, answers) = run(vec![WRITE, ASK, WRITE], human).await;
    assert_eq!(driven.run.outcome, Outcome::Simulator);
    insta::assert_snapshot!(driven.run.error.unwrap(), @"careless answered `question` with accept, which it does not take; it takes: ignore, respond");
    assert_eq!(answers.len(), 1);
    let usage = driven.run.usage.0[&ModelRole::Simulator];
    assert_eq!((usage.calls, usage.input_tokens), (2, 10));
}

#[tokio::test]
async fn a_question_without_a_possible_answer_is_no_fault_of_the_agent() {
    let (driven, _) = run(vec![("write_email", only("edit"))], AcceptAll).await;
    assert_eq!(driven.run.outcome, Outcome::Simulator);
    insta::assert_snapshot!(driven.run.error.unwrap(), @"`write_email` takes none of the answers that accept-all gives; it takes: edit");
}

#[tokio::test]
async fn an_agent_that_asks_without_end_is_stopped() {
    let (finished, _) = run(vec![WRITE; MAX_INTERRUPTS], AcceptAll).await;
    assert_eq!(finished.run.outcome, Outcome::Finished);
    let (driven, answers) = run(vec![WRITE; MAX_INTERRUPTS + 1], AcceptAll).await;
    assert_eq!(
        (driven.run.outcome, answers.len()),
        (Outcome::StepLimit, MAX_INTERRUPTS)
    );
    assert_eq!(driven.run.pauses.len(), MAX_INTERRUPTS);
}

#[test]
fn answers_are_counted_by_kind() {
    let mut run = empty_run(Outcome::Finished, None);
    let responses = [Response::Accept, Response::Ignore, Response::Accept];
    run.steps = responses
        .map(|response| Step::Interrupt {
            node: "ask".into(),
            interrupt: interrupt(WRITE),
            response,
            answered_by: "scripted".into(),
        })
        .into();
    assert_eq!(answer_kinds(&run), [("accept", 2), ("ignore", 1)].into());
}

fn any_answer() -> impl Strategy<Value = RuleAnswer> {
    prop_oneof![
        Just(RuleAnswer::Accept),
        Just(RuleAnswer::Ignore),
        Just(RuleAnswer::Timeout),
        Just(respond("No.")),
        Just(RuleAnswer::Edit(Map::new())),
    ]
}

fn any_rule() -> impl Strategy<Value = Rule> {
    let action = prop::sample::select(vec!["notify", "write_email", "question"]);
    let number = prop::option::of(1..4u32);
    (action, number, any_answer()).prop_map(|(action, number, answer)| Rule {
        nth: number,
        ..on(action, answer)
    })
}

proptest! {
    #[test]
    fn rules_with_a_policy_answer_everything_that_can_be_accepted(
        rules in prop::collection::vec(any_rule(), 0..6),
        asks in prop::collection::vec(prop::sample::select(vec!["notify", "write_email", "other"]), 0..12),
    ) {
        // A plain reading of the rules, to hold the program to.
        let mut human = Scripted::new(rules.clone(), Some(AcceptAll));
        let mut used = vec![false; rules.len()];
        for (index, action) in asks.iter().enumerate() {
            let time = asks[..=index].iter().filter(|asked| *asked == action).count() as u32;
            let rule = rules.iter().position(|rule| {
                let about = match &rule.on {
                    On::Notify => *action == "notify",
                    On::Tool(tool) => tool == action,
                };
                about && rule.nth.is_none_or(|nth| nth == time)
            });
            let kind = match rule.map(|rule| &rules[rule].answer) {
                None | Some(RuleAnswer::Accept) => "accept",
                Some(RuleAnswer::Edit(_)) => "edit",
                Some(RuleAnswer::Ignore | RuleAnswer::Timeout) => "ignore",
                Some(RuleAnswer::Respond(_)) => "respond",
            };
            let asked = interrupt((*action, ACCEPT));
            let response = futures_util::FutureExt::now_or_never(human.respond(&asked));
            let response = response.expect("rules do not wait").unwrap();
            prop_assert_eq!(response.kind(), kind);
            prop_assert_eq!(human.name() == "accept-all", rule.is_none());
            if let Some(rule) = rule {
                used[rule] = true;
            }
        }
        let unused = used.iter().filter(|used| !**used).count();
        prop_assert_eq!(human.notes().len(), unused);
    }
}
