use jiff::Timestamp;

use super::*;
use crate::experiment::pairwise::FORMAT;
use crate::experiment::{JudgePlan, Panel};
use crate::judge::JudgeKey;
use crate::judge::calibration::Standing;

fn header(created: Timestamp) -> Header {
    Header {
        format: FORMAT.into(),
        tool_version: "9".into(),
        created,
        experiments: ["before".into(), "after".into()],
        journals: ["1".into(), "2".into()],
        dataset_hash: "cafe".into(),
        variants: vec![["workflow@rules".into(), "workflow@rules".into()]],
        judge: JudgePlan {
            judge: JudgeKey::Pairwise,
            version: 1,
            rubric_hash: "beef".into(),
            prompt_hash: String::new(),
            parser_version: 1,
            votes: 1,
            threshold: None,
            trusted: false,
            panels: vec![Panel {
                models: vec!["some:model".into()],
                standing: Standing::Uncalibrated,
            }],
        },
        statement: "s".into(),
    }
}

fn session(id: u128, name: &str) -> Session {
    let session = json!({"id": Uuid::from_u128(id), "name": name});
    serde_json::from_value(session).unwrap()
}

fn pair(preference: &str, by_code: bool) -> Pair {
    let pair = json!({
        "variants": 0, "example": "e1", "repeat": 2, "preference": preference,
        "by_code": by_code, "reasons": ["A is clearer\n", ""], "verdicts": [null, null],
        "votes": [[], []], "lengths": [1, 2], "usage": {},
    });
    serde_json::from_value(pair).unwrap()
}

fn roots() -> [Root; 2] {
    let root = |id, seconds| Root {
        id: Uuid::from_u128(id),
        started: Timestamp::from_second(seconds).unwrap(),
    };
    [root(11, 100), root(12, 200)]
}

fn said(pair: &Pair, comparison: u128, hidden: bool) -> Option<[ComparativeFeedback; 2]> {
    let judge = source(&header(Timestamp::UNIX_EPOCH));
    let sessions = [Uuid::from_u128(1), Uuid::from_u128(2)];
    scores(
        pair,
        Uuid::from_u128(comparison),
        roots(),
        sessions,
        &judge,
        hidden,
    )
}

#[test]
fn a_preference_is_a_score_on_either_run() {
    for (preference, values) in [
        ("a", Some([1.0, 0.0])),
        ("b", Some([0.0, 1.0])),
        ("tie", Some([0.5, 0.5])),
        ("unscored", None),
    ] {
        let said = said(&pair(preference, false), 7, false);
        let found = said.map(|said| said.map(|one| one.score));
        assert_eq!(found, values, "{preference}");
    }
}

#[test]
fn the_scores_of_a_pair_share_a_group_and_have_the_times_of_their_runs() {
    let [a, b] = said(&pair("a", false), 7, false).unwrap();
    assert_eq!(a.feedback_group_id, b.feedback_group_id);
    assert_ne!(a.id, b.id);
    assert_eq!([a.run_id, b.run_id], roots().map(|root| root.id));
    assert_eq!(
        [a.start_time, b.start_time],
        roots().map(|root| root.started)
    );
    assert_eq!(
        [a.session_id, b.session_id],
        [Uuid::from_u128(1), Uuid::from_u128(2)]
    );
    assert_eq!(a.comment.as_deref(), Some("A is clearer"));
    assert_eq!(a.feedback_source.kind, SourceKind::Model);
    // The same again, and others for another comparison.
    assert_eq!(said(&pair("a", false), 7, false).unwrap(), [a.clone(), b]);
    let [other, _] = said(&pair("a", false), 8, false).unwrap();
    assert_ne!(
        (other.id, other.feedback_group_id),
        (a.id, a.feedback_group_id)
    );
    let [hidden, _] = said(&pair("a", true), 7, true).unwrap();
    assert_eq!(hidden.comment, None);
    assert_eq!(hidden.feedback_source.kind, SourceKind::Api);
}

#[test]
fn another_look_is_another_comparison() {
    let (a, b) = (session(1, "before-x"), session(2, "after-y"));
    let at = |seconds| {
        let header = header(Timestamp::from_second(seconds).unwrap());
        comparison(&header, 0, Uuid::from_u128(5), [&a, &b])
    };
    let first = at(1);
    assert_eq!(first, at(1));
    assert_ne!(first.id, at(2).id);
    assert_eq!(first.experiment_ids, [a.id, b.id]);
    assert!(
        first.name.starts_with("before-x vs after-y "),
        "{}",
        first.name
    );
    assert_eq!(first.extra.metadata["models"], json!(["some:model"]));
}
