use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde_json::json;

use super::super::items::{Done, Work};
use super::super::{Rated, rated};
use super::*;
use crate::email::Email;
use crate::judge::definition::Definitions;
use crate::judge::{JudgeKey, Vote};
use crate::model::scripted;
use crate::model::{ErrorKind, Model, ModelError, Reply, Request};
use crate::statistics::wilson_interval;

/// An item about a mail that was sent.
pub(in super::super) fn item(id: &str, label: Verdict, by: &str) -> Item {
    Item {
        id: id.to_owned(),
        kind: Some(Kind::NearMiss),
        label,
        reason: format!("{by} looked"),
        labelled_by: by.to_owned(),
        email: Email {
            from: "ana@northwind.example".to_owned(),
            to: "sam@acme.example".to_owned(),
            subject: "Invoice 1042".to_owned(),
            body: "When is it paid?".to_owned(),
            date: None,
        },
        cluster: id.to_owned(),
        work: Work::Reply {
            criterion: format!("Is {id}"),
            done: Done::default(),
        },
    }
}

fn ruling(verdicts: &[Option<Verdict>]) -> Option<Ruling> {
    let first = verdicts.iter().flatten().next().copied();
    let vote = |(vote, verdict): (usize, &Option<Verdict>)| Vote {
        model: "m".to_owned(),
        vote: vote as u32,
        verdict: *verdict,
        reason: "so".to_owned(),
        quotes: Vec::new(),
    };
    Some(Ruling {
        statement: "S".to_owned(),
        weight: 1.0,
        critical: false,
        verdict: first,
        reason: "the judge looked".to_owned(),
        quotes: Vec::new(),
        votes: verdicts.iter().enumerate().map(vote).collect(),
    })
}

fn binding() -> Binding {
    super::super::tests::single((0, 0), (0, 0)).binding
}

fn tallied(items: Vec<Item>, rulings: &[Option<Ruling>]) -> (Calibration, Details) {
    let rated = rated(items);
    assert_eq!(rated.len(), rulings.len());
    let compared = rated.iter().zip(rulings.iter().map(Option::as_ref));
    tally(binding(), "2026-03-02".parse().unwrap(), compared)
}

const PASS: Verdict = Verdict::Pass;
const FAIL: Verdict = Verdict::Fail;
const UNSURE: Verdict = Verdict::CannotTell;

#[test]
fn a_verdict_that_cannot_tell_is_no_pass_and_no_verdict_is_no_verdict() {
    let items = vec![
        item("a", PASS, "author"),
        item("b", PASS, "author"),
        item("c", PASS, "author"),
        item("d", FAIL, "author"),
        item("e", FAIL, "author"),
        item("f", UNSURE, "author"),
        item("g", FAIL, "author"),
        item("h", PASS, "author"),
    ];
    let rulings = [
        ruling(&[Some(PASS)]),
        ruling(&[Some(FAIL)]),
        ruling(&[Some(UNSURE)]),
        ruling(&[Some(PASS)]),
        ruling(&[Some(UNSURE)]),
        ruling(&[Some(FAIL)]),
        ruling(&[None]),
        None,
    ];
    let (calibration, details) = tallied(items, &rulings);
    assert_eq!(
        calibration.outcomes(),
        Outcomes {
            true_pass: 1,
            false_fail: 2,
            true_fail: 2,
            false_pass: 1
        }
    );
    assert_eq!((calibration.items, calibration.unscored), (7, 1));
    assert_eq!(calibration.coverage(), Some(6.0 / 7.0));
    assert_eq!(details.verdicts, [[1, 1, 1, 0], [1, 1, 1, 1]]);
    assert_eq!(details.by_code, 1);
    assert_eq!(details.kinds, BTreeMap::from([(Kind::NearMiss, (3, 6))]));
    assert_eq!(
        calibration.labelled_by,
        BTreeMap::from([("author".to_owned(), 8)])
    );
}

#[test]
fn of_several_people_most_decide_and_a_tie_decides_nothing() {
    let items = vec![
        item("most", PASS, "ana"),
        item("most", FAIL, "ben"),
        item("most", UNSURE, "cy"),
        item("tie", PASS, "ana"),
        item("tie", FAIL, "ben"),
        item("one", PASS, "ana"),
    ];
    let rulings = [ruling(&[Some(PASS)]), None, ruling(&[Some(PASS)])];
    let (calibration, details) = tallied(items, &rulings);
    assert_eq!(details.ties, ["tie"]);
    assert_eq!((calibration.items, details.rated_again), (2, 2));
    assert_eq!(calibration.outcomes().false_pass, 1);
    // The reason is of one of those who make up the label.
    assert_eq!(details.worst[0].labelled_by, "ben");
    assert_eq!(details.worst[0].label_reason, "ben looked");
    assert_eq!(details.by_code, 0);
    // `krippendorff.alpha` of krippendorff 0.9.0 over [[1, 1], [0, 0], [0, nan]] with ana's,
    // ben's, and cy's ratings of the first two.
    assert!((details.raters_alpha.unwrap() - (-1.0 / 3.0)).abs() < 1e-12);
}

#[test]
fn people_who_never_differ_have_no_alpha() {
    let twice = |id: &str| vec![item(id, PASS, "ana"), item(id, PASS, "ben")];
    let items = [twice("a"), twice("b")].concat();
    let rulings = [ruling(&[Some(PASS)]), ruling(&[Some(PASS)])];
    let (_, details) = tallied(items, &rulings);
    assert_eq!((details.rated_again, details.raters_alpha), (2, None));
}

#[test]
fn the_worst_disagreements_are_those_of_which_the_judge_is_sure() {
    let mut items = Vec::new();
    let mut rulings = Vec::new();
    for n in 0..12 {
        items.push(item(&format!("strict-{n}"), PASS, "author"));
        rulings.push(ruling(&[Some(FAIL), Some(FAIL), Some(FAIL)]));
    }
    items.push(item("split", FAIL, "author"));
    rulings.push(ruling(&[Some(PASS), Some(FAIL), Some(PASS)]));
    items.push(item("sure", FAIL, "author"));
    rulings.push(ruling(&[Some(PASS), None, Some(PASS)]));
    items.push(item("right", FAIL, "author"));
    rulings.push(ruling(&[Some(FAIL), Some(FAIL), Some(FAIL)]));
    let (_, details) = tallied(items, &rulings);
    let ids: Vec<&str> = details.worst.iter().map(|worst| &*worst.id).collect();
    assert_eq!(ids[..3], ["sure", "split", "strict-0"]);
    assert_eq!(ids.len(), 2 + WORST);
    assert_eq!(details.disagreements, [2, 12]);
    assert_eq!(details.split, 1);
    assert!((details.worst[1].support - 2.0 / 3.0).abs() < 1e-12);
}

#[test]
fn the_hash_is_of_items_and_labels_in_any_order() {
    let one = vec![
        item("a", PASS, "ana"),
        item("a", FAIL, "ben"),
        item("b", PASS, "ana"),
    ];
    let mut turned = one.clone();
    turned.rotate_left(1);
    let of = |items: &[Item]| hash(rated(items.to_vec()).iter());
    assert_eq!(of(&one), of(&turned));
    let mut relabelled = one.clone();
    relabelled[2].label = FAIL;
    assert_ne!(of(&one), of(&relabelled));
    let mut other = one.clone();
    other[2].email.body.push('!');
    assert_ne!(of(&one), of(&other));
}

/// Passes statements about good items, the later ones sooner.
struct Honest {
    asked: AtomicUsize,
    down: bool,
}

impl Model for Honest {
    fn name(&self) -> &str {
        "honest"
    }

    fn ask<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<Reply, ModelError>> {
        async move {
            let number = self.asked.fetch_add(1, Ordering::Relaxed) as u64;
            tokio::time::sleep(Duration::from_millis(100_u64.saturating_sub(number))).await;
            if self.down {
                return Err(ModelError::new("honest", ErrorKind::Halted, "the run ends"));
            }
            let verdict = match request.messages[0].content.contains("Is good") {
                true => "pass",
                false => "fail",
            };
            let answer =
                json!({ "reasoning": "as asked", "quotes": ["Hello"], "verdict": verdict });
            Ok(scripted::text(answer.to_string()))
        }
        .boxed()
    }
}

fn judge(down: bool) -> (Arc<Honest>, Judge) {
    let model = Arc::new(Honest {
        asked: AtomicUsize::new(0),
        down,
    });
    let judge = Judge {
        definition: Arc::clone(Definitions::embedded().get(JudgeKey::ResponseCriteria)),
        votes: 1,
        panel: vec![model.clone()],
    };
    (model, judge)
}

fn asked_items() -> Vec<(Rated, Question)> {
    let mut items = Vec::new();
    for n in 0..20 {
        items.push(item(&format!("good-{n}"), PASS, "author"));
        items.push(item(&format!("bad-{n}"), FAIL, "author"));
    }
    items.push(item("tie", PASS, "ana"));
    items.push(item("tie", FAIL, "ben"));
    items.push(item("good-but-silent", FAIL, "author"));
    let question = |rated: Rated| {
        let id = &rated.item.id;
        let silent = id.ends_with("silent");
        let statement = id.split('-').next().map(|word| format!("Is {word}"));
        let question = Question {
            statement: statement.unwrap(),
            weight: 1.0,
            critical: false,
            shown: "# The email\n  Hello".to_owned(),
            decided: silent.then(|| (FAIL, "no mail was sent".to_owned())),
        };
        (rated, question)
    };
    rated(items).into_iter().map(question).collect()
}

async fn measured(at_once: usize, down: bool) -> (Measured, usize) {
    let (model, judge) = judge(down);
    let models = vec!["test:honest".to_owned()];
    let date = "2026-03-02".parse().unwrap();
    let heard = AtomicUsize::new(0);
    let count = || {
        heard.fetch_add(1, Ordering::Relaxed);
    };
    let measured = measure(&judge, models, &asked_items(), at_once, date, count).await;
    assert_eq!(heard.into_inner(), 40);
    (measured, model.asked.load(Ordering::Relaxed))
}

#[tokio::test(start_paused = true)]
async fn every_open_item_is_asked_once_whatever_the_concurrency() {
    let (one, asked) = measured(1, false).await;
    assert_eq!(asked, 40);
    let (many, _) = measured(16, false).await;
    assert_eq!(
        (&one.calibration, &one.details),
        (&many.calibration, &many.details)
    );
    let outcomes = one.calibration.outcomes();
    assert_eq!(
        (outcomes.true_pass, outcomes.true_fail, outcomes.total()),
        (20, 20, 40)
    );
    assert_eq!(one.details.by_code, 1);
    assert_eq!(one.details.ties, ["tie"]);
    let tpr = one.calibration.tpr();
    let wilson = wilson_interval(20, 20, crate::statistics::Z_95).unwrap();
    assert_eq!((tpr.low, tpr.high), (Some(wilson.low), Some(wilson.high)));
    assert_eq!(one.calibration.binding.models, ["test:honest"]);
    assert_eq!(one.usage.calls(), 40);
    assert!(!one.halted);
}

#[tokio::test(start_paused = true)]
async fn a_judge_that_is_cut_off_is_not_measured() {
    let (measured, _) = measured(4, true).await;
    assert!(measured.halted);
    assert_eq!(measured.calibration.unscored, 40);
}
