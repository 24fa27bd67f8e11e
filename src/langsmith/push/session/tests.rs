use serde_json::json;

use super::*;
use crate::trace::fixture::header;

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn survey(began: &str, ended: &str) -> Survey {
    let header = header();
    let extent = Extent {
        attempts: 2,
        runs: 8,
        scores: 2,
        time: Some((time(began), time(ended))),
    };
    Survey {
        layer: 3,
        variants: vec![extent; header.variants.len()],
        header,
        examples: Default::default(),
    }
}

fn new(survey: &Survey, metadata: &Object, now: &str) -> NewSession {
    let shared = Shared {
        survey,
        pushed_as: "nightly",
        prefix: "team",
        dataset: Uuid::from_u128(7),
        dataset_version: Some(time("2026-11-01T00:00:00Z")),
        splits: vec!["dev".into(), "test".into()],
        git: Some(Git {
            commit: "1a2b3c4".into(),
            ..Git::default()
        }),
        metadata,
        now: time(now),
    };
    shared.of(1)
}

#[test]
fn times_are_moved_where_the_service_would_not_take_them() {
    for (case, began, ended, now, shift) in [
        (
            "just now",
            "2026-11-22T08:00:00Z",
            "2026-11-22T08:10:00Z",
            "2026-11-22T08:11:00Z",
            0,
        ),
        (
            "20 hours ago",
            "2026-11-22T08:00:00Z",
            "2026-11-22T08:10:00Z",
            "2026-11-23T04:00:00Z",
            0,
        ),
        (
            "longer ago",
            "2026-11-22T08:00:00Z",
            "2026-11-22T08:10:00Z",
            "2026-11-23T04:00:01.0009Z",
            71_401_000,
        ),
        (
            "the first of it longer ago",
            "2026-11-22T00:00:00Z",
            "2026-11-22T23:00:00Z",
            "2026-11-22T23:00:01Z",
            1000,
        ),
    ] {
        let new = new(&survey(began, ended), &Object::new(), now);
        assert_eq!(new.extra.metadata[SHIFT], json!(shift), "{case}");
        // No run begins before its experiment.
        assert!(new.start_time <= moved(time(began), shift), "{case}");
        assert!(moved(time(ended), shift) <= time(now), "{case}");
    }
}

#[test]
fn what_it_was_made_with_says_what_its_runs_are_like() {
    let now = "2026-11-30T00:00:00Z";
    let survey = survey("2026-11-22T08:00:00Z", "2026-11-22T08:10:00Z");
    let mut made = new(&survey, &Object::new(), now);
    let mut session = Session {
        id: made.id,
        name: made.name.clone(),
        reference_dataset_id: None,
        start_time: None,
        end_time: None,
        extra: Some(made.extra.clone()),
        run_count: None,
        feedback_stats: None,
    };
    let by = 661_800_000;
    assert_eq!(kept(&session), Ok((by, 3)));
    for (case, key, value) in [
        ("gone", SHIFT, Value::Null),
        ("no number", SHIFT, json!("0")),
        ("out of the calendar", SHIFT, json!(i64::MAX)),
        ("gone", LAYER, Value::Null),
        ("no layer", LAYER, json!(-1)),
    ] {
        let mut extra = made.extra.clone();
        extra.metadata.insert(key.to_owned(), value);
        session.extra = Some(extra);
        let forgotten = kept(&session).map_err(|it| it.key);
        assert_eq!(forgotten, Err(key), "{case}");
    }
    session.extra = None;
    assert!(kept(&session).is_err());

    // Nobody can say it otherwise.
    let own = Object::from_iter([
        (SHIFT.to_owned(), json!(1)),
        ("team".to_owned(), json!("mail")),
        ("model".to_owned(), json!("ours")),
    ]);
    made = new(&survey, &own, now);
    assert_eq!(made.extra.metadata[SHIFT], json!(by));
    assert_eq!(made.extra.metadata["team"], "mail");
    assert_eq!(made.extra.metadata["model"], "ours");
}

#[test]
fn names_differ_by_parts_of_the_id() {
    let id = Uuid::from_u128(0x00112233_4455_6677_8899_aabbccddeeff);
    let names: Vec<String> = (0..4)
        .map(|at| name("nightly", "a@rules", id, at))
        .collect();
    assert_eq!(
        names,
        [
            "nightly-a@rules-00112233",
            "nightly-a@rules-44556677",
            "nightly-a@rules-8899aabb",
            "nightly-a@rules-ccddeeff",
        ]
    );
}

#[test]
fn metadata_say_what_was_run() {
    let survey = survey("2026-11-22T08:00:00Z", "2026-11-22T08:10:00Z");
    let made = new(&survey, &Object::new(), "2026-11-22T08:11:00Z");
    assert_eq!(made.reference_dataset_id, Uuid::from_u128(7));
    insta::assert_json_snapshot!(made.extra.metadata, {
        ".judges[].rubric_hash" => "…", ".judges[].prompt_hash" => "…",
        ".judges[].calibration" => "…", ".dataset_hash" => "…", ".mailproof_version" => "…",
    }, @r#"
    {
      "experiment": "nightly",
      "variant": "workflow@rules",
      "agent": "workflow",
      "model": "rules",
      "models": {
        "agent": "rules",
        "router": "rules",
        "judge": "rules"
      },
      "judges": [
        {
          "judge": "response_criteria",
          "models": [
            "rules"
          ],
          "votes": 1,
          "rubric_hash": "…",
          "prompt_hash": "…",
          "calibration": "…"
        }
      ],
      "dataset": "email",
      "dataset_hash": "…",
      "dataset_version": "2026-11-01T00:00:00Z",
      "dataset_splits": [
        "dev",
        "test"
      ],
      "git": {
        "commit": "1a2b3c4"
      },
      "num_repetitions": 1,
      "seed": 0,
      "date": "2026-03-02",
      "created": "2026-03-02T10:15:00Z",
      "mailproof_version": "…",
      "mailproof_layer": 3,
      "mailproof_time_shift_ms": 0
    }
    "#);
}
