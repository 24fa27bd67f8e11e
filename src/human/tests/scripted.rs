//! People whose answers are written down as rules.

use proptest::prelude::*;

use super::*;
use crate::dataset::{ArgumentMatcher, On, Rule, RuleAnswer};

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
