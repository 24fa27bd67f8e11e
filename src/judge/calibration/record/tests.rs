use std::collections::BTreeMap;
use std::fs;

use super::super::tests::single;
use super::super::{JudgeKey, Outcomes};
use super::*;
use crate::judge::Verdict;

fn details() -> Details {
    Details {
        verdicts: [[33, 1, 1, 0], [2, 33, 0, 1]],
        kinds: BTreeMap::from([(Kind::Order, (10, 12))]),
        ties: vec!["tie".to_owned()],
        by_code: 3,
        worst: vec![Disagreement {
            id: "an-item".to_owned(),
            kind: Some(Kind::Order),
            statement: "Names the invoice".to_owned(),
            label: false,
            labelled_by: "author".to_owned(),
            label_reason: "It is not named.".to_owned(),
            verdict: Verdict::Pass,
            judge_reason: "The mail says so.".to_owned(),
            support: 2.0 / 3.0,
        }],
        disagreements: [2, 2],
        ..Details::default()
    }
}

fn text(calibration: &Calibration) -> String {
    format!("{:#}\n", to_json(calibration, &details()))
}

#[test]
fn a_record_holds_its_figures_at_the_top_and_its_keys_in_order() {
    let mut calibration = single((33, 2), (33, 2));
    calibration.items += 1;
    calibration.unscored = 1;
    let record = to_json(&calibration, &details());
    let mut shown = record.clone();
    shown["calibration"] = json!("…");
    insta::assert_snapshot!(format!("{shown:#}"), @r#"
    {
      "alpha": null,
      "attacks": null,
      "calibration": "…",
      "confusion": {
        "labelled_fail": {
          "cannot_tell": 0,
          "fail": 33,
          "pass": 2,
          "unscored": 1
        },
        "labelled_pass": {
          "cannot_tell": 1,
          "fail": 1,
          "pass": 33,
          "unscored": 0
        }
      },
      "coverage": 0.985915,
      "decided_by_code": 3,
      "disagreements": {
        "labelled_fail": 2,
        "labelled_pass": 2
      },
      "format": "mailproof.calibration/1",
      "hash": "b750650471a51a9ec1b8c2ba0d59301847c5bde8c5e2f403b2dd7dbed18cd1aa",
      "informed_interval": [
        0.703383,
        0.944163
      ],
      "judge": "response_criteria",
      "kappa": 0.885714,
      "kinds": {
        "order": {
          "judged": 12,
          "right": 10
        }
      },
      "left_out": 0,
      "n": 70,
      "notes": [
        "`cannot_tell` counts as not met, here as in use.",
        "author: no second person has rated these items.",
        "The items were written to be hard, not drawn from use: how often the judge errs on them need not be how often it errs elsewhere."
      ],
      "rated_again": 0,
      "refused": null,
      "split": 0,
      "ties": [
        "tie"
      ],
      "tnr": 0.942857,
      "tnr_interval": [
        0.813929,
        0.984187
      ],
      "tpr": 0.942857,
      "tpr_interval": [
        0.813929,
        0.984187
      ],
      "votes_alpha": null,
      "worst": [
        {
          "id": "an-item",
          "judge_reason": "The mail says so.",
          "kind": "order",
          "label": "fail",
          "label_reason": "It is not named.",
          "labelled_by": "author",
          "statement": "Names the invoice",
          "support": 0.666667,
          "verdict": "pass"
        }
      ]
    }
    "#);
    fn keys_are_sorted(value: &Value) -> bool {
        match value {
            Value::Object(map) => map.keys().is_sorted() && map.values().all(keys_are_sorted),
            Value::Array(values) => values.iter().all(keys_are_sorted),
            _ => true,
        }
    }
    assert!(keys_are_sorted(&record));
    calibration.attacks = Some(Attacks {
        date: None,
        pack: "k".to_owned(),
        tried: 94,
        held: 92,
        unscored: 2,
        through: Vec::new(),
        without: None,
    });
    let attacked = to_json(&calibration, &details());
    assert_eq!(
        attacked["attacks"],
        json!({
            "date": "2026-03-02", "tried": 94, "held": 92, "unscored": 2, "through": 0,
            "withstood": 0.978723, "withstood_interval": [0.92571, 0.994146],
        })
    );
    assert_ne!(attacked["hash"], record["hash"]);
    let text_of = |calibration: &Calibration| parse(&text(calibration), Path::new("r.json"));
    assert_eq!(text_of(&calibration).unwrap(), calibration);
    calibration.attacks.as_mut().unwrap().held = 93;
    let error = text_of(&calibration).unwrap_err();
    assert!(
        error.to_string().contains("`attacks` are not those"),
        "{error}"
    );
    calibration.attacks = None;
    assert_eq!(
        parse(&text(&calibration), Path::new("r.json")).unwrap(),
        calibration
    );
}

#[test]
fn what_is_undefined_is_said_to_be() {
    let calibration = single((33, 2), (33, 2));
    for (again, alpha, votes, expected) in [
        (0, None, 1, json!([null, null])),
        (5, None, 3, json!(["undefined", "undefined"])),
        (5, Some(0.5), 3, json!([0.5, 0.25])),
    ] {
        let mut calibration = calibration.clone();
        calibration.binding.votes = votes;
        let details = Details {
            rated_again: again,
            raters_alpha: alpha,
            votes_alpha: alpha.map(|alpha| alpha / 2.0),
            ..details()
        };
        let record = to_json(&calibration, &details);
        assert_eq!(json!([record["alpha"], record["votes_alpha"]]), expected);
    }
    let mut perfect = single((33, 0), (0, 0));
    perfect.clusters.truncate(1);
    let record = to_json(&perfect, &Details::default());
    assert_eq!(
        (&record["kappa"], &record["tnr"], &record["tpr_interval"]),
        (&Value::Null, &Value::Null, &Value::Null)
    );
}

#[test]
fn what_is_no_record_is_refused_with_its_place() {
    let good = text(&single((33, 2), (33, 2)));
    let path = Path::new("r.json");
    let later = good.replace("calibration/1", "calibration/2");
    let cut = &good[..good.len() / 2];
    let judge = good.replace("\"judge\": \"response_criteria\"", "\"judge\": \"taste\"");
    let other = good.replace("\"items\": 70", "\"items\": 71");
    let huge = good.replace("\"items\": 70", "\"items\": 18446744073709551615");
    let over = good.replacen("\"true_pass\": 1", "\"true_pass\": 18446744073709551615", 2);
    let negative = good.replacen("\"true_pass\": 1", "\"true_pass\": -1", 1);
    for (text, reason) in [
        ("", "r.json:1:0: EOF while parsing a value"),
        ("{}", "r.json:1:2: missing field `format`"),
        ("[1]", "r.json:1:"),
        (
            &later,
            "calibration record `r.json` has the format `mailproof.calibration/2`, and this version reads `mailproof.calibration/1`",
        ),
        (cut, "EOF while parsing"),
        (&judge, "unknown variant `taste`"),
        (
            &other,
            "calibration record `r.json` does not add up: `clusters` count 70 items",
        ),
        (&huge, "does not add up: it has more than 1000000 items"),
        (&over, "does not add up"),
        (&negative, "invalid value"),
    ] {
        let error = parse(text, path).expect_err(reason).to_string();
        assert!(error.contains(reason), "{error}");
    }
}

#[test]
fn a_file_is_named_after_judge_and_panel() {
    let mut binding = single((1, 0), (0, 0)).binding;
    for (models, name) in [
        (&["rules"][..], "response_criteria@rules.json"),
        (
            &["openai:gpt-x", "a:b"],
            "response_criteria@openai-gpt-x+a-b.json",
        ),
        (&["../../x/é\n"], "response_criteria@..-..-x---.json"),
    ] {
        binding.models = models.iter().map(|&model| model.to_owned()).collect();
        assert_eq!(file_name(&binding), name);
    }
    binding.models = vec!["m".repeat(1_000)];
    assert!(file_name(&binding).len() < 255);
}

#[test]
fn only_a_judge_that_is_asked_in_the_same_way_is_calibrated() {
    let calibration = single((33, 2), (33, 2));
    let binding = calibration.binding.clone();
    let date = calibration.date;
    let records = Records {
        known: vec![calibration.clone()],
    };
    let with = |change: fn(&mut Binding)| {
        let mut now = binding.clone();
        change(&mut now);
        records.standing(&now)
    };
    let stale = |because: &str| Standing::Stale {
        date,
        because: because.to_owned(),
    };
    assert_eq!(
        with(|_| ()),
        Standing::Calibrated(Box::new(calibration.clone()))
    );
    assert_eq!(with(|now| now.rubric_hash.push('x')), stale("the rubric"));
    assert_eq!(
        with(|now| now.prompt_hash.push('x')),
        stale("the prompt around it")
    );
    assert_eq!(
        with(|now| now.parser_version = 2),
        stale("the reader of answers")
    );
    assert_eq!(
        with(|now| now.votes = 3),
        stale("the votes, 1 then and 3 now")
    );
    let both = with(|now| {
        now.rubric_hash.clear();
        now.prompt_hash.clear();
    });
    assert_eq!(both, stale("the rubric and the prompt around it"));
    assert_eq!(with(|now| now.models[0].push('x')), Standing::Uncalibrated);
    assert_eq!(
        with(|now| now.models.push("a:b".to_owned())),
        Standing::Uncalibrated
    );
    assert_eq!(
        with(|now| now.judge = JudgeKey::MemoryUpdate),
        Standing::Uncalibrated
    );
    assert_eq!(
        Records::default().standing(&binding),
        Standing::Uncalibrated
    );
}

#[test]
fn the_newest_record_of_a_folder_counts_and_stands_before_those_of_the_program() {
    let folder = tempfile::tempdir().unwrap();
    let missing = Records::with_folder(&folder.path().join("none")).unwrap();
    assert_eq!(missing, Records::embedded());

    let old = single((33, 2), (33, 2));
    let mut new = single((34, 1), (33, 2));
    new.date = "2026-04-01".parse().unwrap();
    fs::write(folder.path().join("a.json"), text(&old)).unwrap();
    fs::write(folder.path().join("b.json"), text(&new)).unwrap();
    fs::write(folder.path().join("notes.txt"), "no record").unwrap();
    let records = Records::with_folder(folder.path()).unwrap();
    assert_eq!(records.known[..2], [new.clone(), old]);
    assert_eq!(
        records.standing(&new.binding),
        Standing::Calibrated(Box::new(new.clone()))
    );
    let mut now = new.binding.clone();
    now.rubric_hash.push('x');
    let Standing::Stale { date, .. } = records.standing(&now) else {
        panic!("stale");
    };
    assert_eq!(date, new.date);

    fs::write(folder.path().join("c.json"), "{").unwrap();
    let error = Records::with_folder(folder.path()).unwrap_err().to_string();
    assert!(error.contains("c.json:1:1: EOF"), "{error}");
    fs::write(
        folder.path().join("c.json"),
        " ".repeat(MOST_BYTES as usize + 1),
    )
    .unwrap();
    let error = Records::with_folder(folder.path()).unwrap_err().to_string();
    assert!(error.ends_with("c.json` is larger than 2 MiB"), "{error}");
}

#[test]
fn the_records_of_the_program_can_be_read() {
    let records = Records::embedded();
    assert_eq!(records.known.len(), EMBEDDED.len());
    for (known, (name, _)) in records.known.iter().zip(EMBEDDED) {
        assert!(name.ends_with(&file_name(&known.binding)), "{name}");
        assert_eq!(
            known.outcomes(),
            known
                .clusters
                .iter()
                .fold(Outcomes::default(), |a, b| Outcomes {
                    true_pass: a.true_pass + b.true_pass,
                    false_fail: a.false_fail + b.false_fail,
                    true_fail: a.true_fail + b.true_fail,
                    false_pass: a.false_pass + b.false_pass,
                })
        );
    }
}
