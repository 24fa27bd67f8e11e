use std::collections::BTreeSet;

use serde_json::{Value, json};
use uuid::Uuid;

use super::*;
use crate::dataset::{Criterion, Dataset, Example};
use crate::email::Triage;
use crate::judge::definition::Definitions;
use crate::message::{Message, ToolCall, ToolStatus};
use crate::run::Run;
use crate::score::Score;
use crate::trace::fixture::{attempt, header, told};

const PLACE: Place<'_> = Place {
    session: Uuid::from_u128(7),
    name: "told",
    shift_ms: 0,
    hide_inputs: false,
    hide_outputs: false,
};

/// An attempt with a score of rules, and one of a judge with its four statements.
fn judged() -> Attempt<Run> {
    let score = |key, score: f64, comment: Option<&str>| score::Feedback {
        key,
        score: Score::try_from(score).unwrap(),
        comment: comment.map(str::to_owned),
        checks: Vec::new(),
    };
    let vote = |model: &str, verdict: &str| json!({ "model": model, "vote": 0, "verdict": verdict, "reason": "It says so." });
    let rulings = json!([
        {
            "statement": "Names the invoice", "verdict": "pass", "reason": "It says so.",
            "weight": 2.0, "critical": true, "quotes": ["invoice 1042", "paid"],
            "votes": [vote("b:one", "pass"), vote("b:two", "fail"), vote("b:one", "pass")],
        },
        {
            "statement": "Says when", "verdict": "cannot_tell", "reason": "It may.",
            "votes": [vote("b:one", "cannot_tell")],
        },
        {
            "statement": "Is sent", "verdict": "fail", "reason": "Nothing was sent.",
        },
        {
            "statement": "Is brief", "verdict": null, "reason": "503",
            "votes": [{ "model": "b:one", "vote": 0, "verdict": null, "reason": "503" }],
        },
    ]);
    Attempt {
        feedback: vec![
            score(
                Key::TriageAccuracy,
                0.0,
                Some("expected respond, got notify"),
            ),
            score(Key::ToolCallsRecall, 2.0 / 3.0, None),
            score(Key::ResponseCriteria, 0.5, Some("2 of 4")),
        ],
        judged: vec![Judged {
            judge: JudgeKey::ResponseCriteria,
            rulings: serde_json::from_value(rulings).unwrap(),
        }],
        ..attempt(Vec::new())
    }
}

#[test]
fn every_score_and_every_statement_is_feedback_on_the_root() {
    let (header, attempt) = (header(), judged());
    let root = Root::of(&header, &attempt, &PLACE);
    let feedback = feedback(&header, &attempt, &PLACE);
    for one in &feedback {
        assert_eq!((one.run_id, one.trace_id), (root.id, root.id));
        assert_eq!(
            (one.session_id, one.start_time),
            (PLACE.session, root.started)
        );
    }
    let ids: BTreeSet<Uuid> = feedback.iter().map(|one| one.id).collect();
    assert_eq!(ids.len(), feedback.len());
    let lines: Vec<String> = feedback
        .iter()
        .map(|one| {
            let metadata = one.feedback_source.metadata.as_ref();
            let models = metadata.map_or(&Value::Null, |metadata| &metadata["models"]);
            format!(
                "{}: {:?} {}by {:?} {models}\n  {}",
                one.key,
                one.score,
                if one.error { "error " } else { "" },
                one.feedback_source.kind,
                one.comment.as_deref().unwrap_or("-").replace('\n', "\n  "),
            )
        })
        .collect();
    insta::assert_snapshot!("feedback", lines.join("\n"));
}

#[test]
fn a_statement_goes_over_the_wire_with_its_judge() {
    let feedback = feedback(&header(), &judged(), &PLACE);
    let of = |key: &str| feedback.iter().find(|one| one.key == key).unwrap();
    let wire = |key| serde_json::to_value(of(key)).unwrap();
    let source = &wire("response.criteria.1")["feedback_source"];
    assert_eq!(
        *source,
        json!({
            "type": "model",
            "metadata": {
                "judge": "response_criteria",
                "models": ["b:one", "b:two"],
                "verdict": "pass",
                "weight": 2.0,
                "critical": true,
            },
        })
    );
    // Nobody was asked.
    assert_eq!(
        wire("response.criteria.3")["feedback_source"]["type"],
        "api"
    );
    assert_eq!(wire("tool_calls.recall")["score"], 0.6667);
    assert_eq!(wire("tool_calls.recall")["feedback_source"]["type"], "api");
    let undecided = wire("response.criteria.4");
    assert_eq!(undecided.get("score"), None);
    assert_eq!(undecided["error"], true);
    assert_eq!(wire("response.criteria.2").get("error"), None);
}

#[test]
fn the_same_scores_have_the_same_ids_and_others_others() {
    let (header, mut attempt) = (header(), judged());
    let ids = |attempt: &Attempt<Run>, place: &Place<'_>| -> Vec<Uuid> {
        let feedback = feedback(&header, attempt, place);
        feedback.iter().map(|one| one.id).collect()
    };
    let first = ids(&attempt, &PLACE);
    // What it came to is not what it is about.
    attempt.feedback[0].score = Score::BEST;
    assert_eq!(ids(&attempt, &PLACE), first);
    let session = Uuid::from_u128(8);
    let elsewhere = ids(&attempt, &Place { session, ..PLACE });
    attempt.case.repeat = 1;
    let again = ids(&attempt, &PLACE);
    let all: BTreeSet<Uuid> = [first, elsewhere, again].concat().into_iter().collect();
    assert_eq!(all.len(), 3 * 7);
}

#[test]
fn comments_stay_here_where_what_they_repeat_does() {
    for (hide_inputs, hide_outputs) in [(false, false), (true, false), (false, true)] {
        let place = Place {
            hide_inputs,
            hide_outputs,
            ..PLACE
        };
        let feedback = feedback(&header(), &judged(), &place);
        let comments = feedback.iter().filter(|one| one.comment.is_some()).count();
        let scores = feedback.iter().filter(|one| one.score.is_some()).count();
        assert_eq!(comments, if hide_inputs || hide_outputs { 0 } else { 6 });
        assert_eq!(scores, 6);
    }
}

#[test]
fn a_comment_is_bounded_and_holds_no_nul() {
    let mut attempt = judged();
    attempt.feedback[0].comment = Some("\0x".repeat(30_000));
    let feedback = feedback(&header(), &attempt, &PLACE);
    let comment = feedback[0].comment.as_deref().unwrap();
    assert!(comment.len() < COMMENT + 100 && !comment.contains('\0'));
}

#[tokio::test]
async fn what_a_variant_can_get_is_known_before_it_gets_it() {
    let told = told().await;
    let keys = |agent: &str| {
        let variants = &told.header.variants;
        let variant = variants.iter().find(|it| it.agent == agent).unwrap();
        evaluator_keys(&told.header, &[], variant)
    };
    for attempt in &told.attempts {
        let variant = &told.header.variants[attempt.case.variant as usize];
        let known = keys(&variant.agent);
        for one in feedback(&told.header, attempt, &PLACE) {
            assert!(known.contains(&one.key), "{}: {}", variant.name, one.key);
        }
    }
    assert!(!keys("workflow").contains(&"hitl.pass".to_owned()));
    assert!(keys("hitl").contains(&"hitl.pass".to_owned()));
    assert!(!keys("hitl").contains(&"memory.pass".to_owned()));
    assert!(keys("hitl-memory").contains(&"memory.pass".to_owned()));

    let plan = json!({
        "judge": "feedback_honoured", "version": 1, "rubric_hash": "", "prompt_hash": "",
        "parser_version": 1, "votes": 1, "panels": [],
    });
    let judges: Vec<JudgePlan> = vec![serde_json::from_value(plan).unwrap()];
    let judged = |index: usize| {
        let variant = &told.header.variants[index];
        evaluator_keys(&told.header, &judges, variant).contains(&"hitl.feedback".to_owned())
    };
    let asks: Vec<bool> = (0..4).map(judged).collect();
    assert_eq!(asks, [false, false, true, true]);
}

#[test]
fn keys_are_short_enough_for_the_service() {
    let numbered = |key: &Key| format!("{key}.{}", u64::MAX).len();
    assert!(Key::ALL.iter().map(numbered).max() <= Some(180));
}

/// An example with these criteria, and a run that sent it a mail.
fn mailed(criteria: &[&str], text: &str) -> (Example, Run) {
    let mut example = Dataset::embedded().examples[0].clone();
    let criteria = criteria
        .iter()
        .map(|text| Criterion::from((*text).to_owned()));
    example.expect.triage = Triage::Respond;
    example.expect.criteria = criteria.collect();
    let call = ToolCall {
        id: "c1".to_owned(),
        name: "write_email".to_owned(),
        arguments: json!({ "to": example.email.from, "subject": "Re", "content": text }),
    };
    let mut run = attempt(Vec::new()).runs.remove(0);
    run.messages = vec![
        Message::assistant("m0", "", vec![call.clone()]),
        Message::tool("m1", &call, ToolStatus::Executed, "sent"),
    ];
    (example, run)
}

#[test]
fn a_label_is_feedback_of_a_person_on_the_attempts_that_did_what_it_is_about() {
    let definitions = Definitions::embedded();
    let definition = definitions.get(JudgeKey::ResponseCriteria);
    let (example, run) = mailed(&["Thanks Ana", "Names a day"], "Thanks, Ana.");
    let (_, other) = mailed(&[], "No.");
    let subject = |run| Subject::Example {
        example: &example,
        run,
    };
    let (work, _) = works(definition, &subject(&run)).remove(1);
    let item = Item {
        id: "i".to_owned(),
        kind: None,
        label: Verdict::CannotTell,
        reason: "It may.".to_owned(),
        labelled_by: "Sam Lee".to_owned(),
        email: example.email.clone(),
        cluster: "c".to_owned(),
        work,
    };
    assert_eq!(labelled(&item, definition, &subject(&run)), Some(2));
    assert_eq!(labelled(&item, definition, &subject(&other)), None);
    let reasonable = definitions.get(JudgeKey::FeedbackHonoured);
    assert_eq!(labelled(&item, reasonable, &subject(&run)), None);
    let mut elsewhere = item.clone();
    elsewhere.email.subject.push('!');
    assert_eq!(labelled(&elsewhere, definition, &subject(&run)), None);

    let (header, attempt) = (header(), judged());
    let said = from_label(&header, &attempt, &PLACE, &item, 2);
    assert_eq!(
        (&said.key[..], said.score),
        ("response.criteria.2", Some(0.0))
    );
    assert_eq!(said.comment.as_deref(), Some("It may."));
    let source = serde_json::to_value(&said.feedback_source).unwrap();
    assert_eq!(
        source,
        json!({
            "type": "app",
            "metadata": { "labelled_by": "Sam Lee", "verdict": "cannot_tell" },
        })
    );
    // What the judge said of the same statement stays beside it.
    let judge = feedback(&header, &attempt, &PLACE);
    let judge = judge.iter().find(|one| one.key == said.key).unwrap();
    assert_eq!(judge.run_id, said.run_id);
    assert_ne!(judge.id, said.id);
}
