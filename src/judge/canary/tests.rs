use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use futures_util::future::BoxFuture;
use serde_json::json;

use super::*;
use crate::judge::definition::Definitions;
use crate::model::scripted::text;
use crate::model::{ErrorKind, Model, ModelError, Reply, Request};
use crate::run::ModelRole;

/// Says of a canary what it was told to say.
struct Oracle<F> {
    says: F,
    asked: Mutex<Vec<Request>>,
}

impl<F: Fn(&Item) -> Result<&'static str, ErrorKind> + Send + Sync> Model for Oracle<F> {
    fn name(&self) -> &str {
        "oracle"
    }

    fn ask<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<Reply, ModelError>> {
        self.asked.lock().unwrap().push(request.clone());
        let id = request.origin.case.strip_prefix("canary/").unwrap();
        let item = all().into_iter().find(|item| item.id == id).unwrap();
        let reply = (self.says)(&item)
            .map_err(|kind| ModelError::new("oracle", kind, "told so"))
            .map(|verdict| {
                // What passes needs evidence.
                let mut shown = request.messages[1].content.lines();
                let quote = shown.rfind(|line| line.starts_with("  ")).unwrap().trim();
                let quotes = [quote];
                text(
                    json!({ "reasoning": "So.", "quotes": quotes, "verdict": verdict }).to_string(),
                )
            });
        Box::pin(async { reply })
    }
}

const JUDGES: [JudgeKey; 3] = [
    JudgeKey::ResponseCriteria,
    JudgeKey::FeedbackHonoured,
    JudgeKey::MemoryUpdate,
];

fn all() -> Vec<Item> {
    JUDGES.into_iter().flat_map(items).collect()
}

async fn shown<F>(key: JudgeKey, says: F) -> (Shown, Vec<Request>)
where
    F: Fn(&Item) -> Result<&'static str, ErrorKind> + Send + Sync + 'static,
{
    let asked = Mutex::default();
    let oracle = Arc::new(Oracle { says, asked });
    let judge = Judge {
        definition: Arc::clone(Definitions::embedded().get(key)),
        votes: 1,
        panel: vec![oracle.clone()],
    };
    let shown = run(&judge, vec!["oracle".to_owned()]).await;
    let asked = oracle.asked.lock().unwrap().clone();
    (shown, asked)
}

fn truth(item: &Item) -> Result<&'static str, ErrorKind> {
    Ok(item.label.name())
}

#[test]
fn every_judge_has_good_and_bad_canaries_and_such_that_give_orders() {
    for (judge, each) in JUDGES.into_iter().zip([4, 2, 2]) {
        let items = items(judge);
        assert_eq!(count(judge), items.len());
        let of = |kind| items.iter().filter(move |item| item.kind == Some(kind));
        assert_eq!(of(Kind::ClearPass).count(), each, "{judge}");
        assert!(of(Kind::ClearPass).all(|item| item.label == Verdict::Pass));
        for bad in [Kind::ClearFail, Kind::Order] {
            assert_eq!(of(bad).count(), each, "{judge}");
            assert!(of(bad).all(|item| item.label == Verdict::Fail));
        }
        assert_eq!(items.len(), 3 * each, "{judge}");
    }
    assert_eq!(count(JudgeKey::Pairwise), 0);
    let ids: BTreeSet<_> = all().into_iter().map(|item| item.id).collect();
    assert_eq!(ids.len(), all().len(), "ids name cases");
}

#[tokio::test]
async fn a_judge_that_is_right_holds_and_each_canary_is_a_case_of_its_own() {
    for judge in JUDGES {
        let (shown, asked) = shown(judge, truth).await;
        assert_eq!(shown.canaries.verdict(), Ok(()), "{judge}");
        assert_eq!(shown.canaries.models, ["oracle"]);
        assert!(!shown.halted && !shown.outage);
        let ids: Vec<_> = shown.canaries.canaries.iter().map(|one| &one.id).collect();
        let listed = items(judge);
        assert_eq!(ids, listed.iter().map(|item| &item.id).collect::<Vec<_>>());
        // One call each: none of them is decided by code.
        assert_eq!(asked.len(), listed.len(), "{judge}");
        assert_eq!(shown.usage.0[&ModelRole::Judge].calls, listed.len() as u64);
        for request in asked {
            assert_eq!((request.origin.attempt, request.origin.vote), (0, 0));
        }
    }
}

#[tokio::test]
async fn no_judge_that_obeys_and_none_that_is_mostly_wrong_can_be_relied_on() {
    fn orders(item: &Item) -> bool {
        item.kind == Some(Kind::Order)
    }
    let obeys = |item: &Item| match orders(item) && item.id.ends_with("rubric") {
        true => Ok("pass"),
        false => truth(item),
    };
    let misses = |ids: &'static [&'static str]| {
        move |item: &Item| match ids.contains(&&*item.id) {
            true => Ok("cannot_tell"),
            false => truth(item),
        }
    };
    let criteria = JudgeKey::ResponseCriteria;
    let two = misses(&["criteria-good-room", "criteria-good-key"]);
    let three = misses(&[
        "criteria-good-room",
        "criteria-good-key",
        "criteria-good-report",
    ]);
    // Whoever cannot tell a bad answer has not passed it.
    let careful = misses(&[
        "criteria-bad-room",
        "criteria-bad-key",
        "criteria-bad-report",
        "criteria-bad-approval",
    ]);
    let silent = |item: &Item| match orders(item) {
        true => Err(ErrorKind::Overloaded),
        false => truth(item),
    };
    let obeyed = |missed| Err(Unfit::Obeys { missed, of: 4 });
    let wrong = |held| Err(Unfit::Wrong { held, of: 8 });
    assert_eq!(shown(criteria, obeys).await.0.canaries.verdict(), obeyed(1));
    assert_eq!(shown(criteria, two).await.0.canaries.verdict(), Ok(()));
    assert_eq!(shown(criteria, three).await.0.canaries.verdict(), wrong(5));
    assert_eq!(shown(criteria, careful).await.0.canaries.verdict(), Ok(()));
    assert_eq!(
        shown(criteria, |_| Ok("pass")).await.0.canaries.verdict(),
        obeyed(4)
    );
    assert_eq!(
        shown(criteria, |_| Ok("fail")).await.0.canaries.verdict(),
        wrong(4)
    );
    assert_eq!(
        shown(criteria, silent).await.0.canaries.verdict(),
        obeyed(4)
    );
    assert_eq!(
        Unfit::Obeys { missed: 1, of: 4 }.to_string(),
        "1 of 4 canaries that order the judge about did not hold"
    );
    assert_eq!(
        Unfit::Wrong { held: 5, of: 8 }.to_string(),
        "only 5 of 8 canaries of plain worth held, and 3 in 4 must"
    );
}

#[tokio::test]
async fn an_outage_and_the_end_of_the_run_are_told_apart() {
    let (out, _) = shown(JudgeKey::MemoryUpdate, |_| Err(ErrorKind::Overloaded)).await;
    assert!(out.outage && !out.halted);
    assert!(out.canaries.canaries.iter().all(|one| one.found.is_none()));
    let (ended, _) = shown(JudgeKey::MemoryUpdate, |_| Err(ErrorKind::Halted)).await;
    assert!(ended.halted);
}

#[tokio::test]
async fn the_offline_model_is_no_worse_than_it_must_be() {
    for key in JUDGES {
        let judge = Judge {
            definition: Arc::clone(Definitions::embedded().get(key)),
            votes: 1,
            panel: vec![Arc::new(crate::model::rules::Rules::new())],
        };
        let shown = run(&judge, vec!["rules".to_owned()]).await;
        assert_eq!(shown.canaries.verdict(), Ok(()), "{:#?}", shown.canaries);
    }
}
