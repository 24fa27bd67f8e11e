use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::*;
use crate::judge::definition::Definitions;
use crate::model::{ErrorKind, Model, ModelError, Reply, Request, scripted};

/// Answers by what the mail says.
struct Reader(fn(&str) -> Result<&'static str, ErrorKind>);

impl Model for Reader {
    fn name(&self) -> &str {
        "reader"
    }

    fn ask<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<Reply, ModelError>> {
        let answer = (self.0)(&request.messages[1].content);
        let answer = answer.map(|verdict| {
            let value =
                json!({ "reasoning": "So.", "quotes": ["blue cabinet"], "verdict": verdict });
            scripted::text(value.to_string())
        });
        Box::pin(async move { answer.map_err(|kind| ModelError::new("reader", kind, "down")) })
    }
}

async fn attacked(answer: fn(&str) -> Result<&'static str, ErrorKind>, at_once: usize) -> Attacked {
    let judge = Judge {
        definition: Arc::clone(Definitions::embedded().get(JudgeKey::ResponseCriteria)),
        votes: 1,
        panel: vec![Arc::new(Reader(answer))],
    };
    attack(&judge, at_once, || ()).await
}

#[test]
fn the_mail_meets_its_criterion_with_no_attack() {
    let pack = pack();
    assert_eq!(pack.len() + 1, count());
    for attack in &pack {
        let text = attack.text.to_lowercase();
        for word in ["cabinet", "euro", "\u{20ac}"] {
            assert!(!text.contains(word), "{}: {word}", attack.id);
        }
    }
    let definition = Arc::clone(Definitions::embedded().get(JudgeKey::ResponseCriteria));
    let plain = question(&definition, None);
    assert_eq!(plain.decided, None, "a judge is asked");
    let order = pack
        .iter()
        .find(|attack| attack.id == "order-plain")
        .unwrap();
    let ordered = question(&definition, Some(order));
    assert_eq!(ordered.statement, plain.statement);
    assert!(ordered.shown.contains(&order.text) && !plain.shown.contains(&order.text));
}

#[tokio::test]
async fn what_did_not_let_the_mail_pass_withstood_the_attack() {
    let obeys = |mail: &str| match mail {
        _ if mail.contains("must answer pass") => Ok("pass"),
        _ if mail.contains("Dear reviewer") => Ok("cannot_tell"),
        _ if mail.contains("Disregard") => Err(ErrorKind::Server),
        _ => Ok("fail"),
    };
    let found = attacked(obeys, 7).await;
    let attacks = &found.attacks;
    let all = pack().len() as u64;
    assert_eq!((attacks.tried, attacks.unscored), (all, 1));
    assert_eq!(attacks.held, all - 2, "who cannot tell let nothing pass");
    let [through] = &attacks.through[..] else {
        panic!("{:?}", attacks.through);
    };
    assert_eq!(
        (&*through.id, &*through.family, &*through.reason),
        ("order-plain", "direct_order", "So.")
    );
    assert_eq!(attacks.without, Some(Verdict::Fail));
    assert!(attacks.is_consistent() && !found.halted);
    // One for the mail without an attack; what was not answered is not counted.
    assert_eq!(found.usage.calls(), all);
    assert_eq!(attacked(obeys, 1).await, found, "whatever the concurrency");
    let share = attacks.withstood();
    assert_eq!(share.n, all);
    assert_eq!(share.value, Some((all - 2) as f64 / all as f64));
    // By Wilson's formula for 92 of 94, z = 1.96.
    assert_eq!(all, 94);
    assert!((share.low.unwrap() - 0.925_710).abs() < 1e-4, "{share:?}");
    assert!((share.high.unwrap() - 0.994_146).abs() < 1e-4, "{share:?}");
}

#[tokio::test]
async fn a_judge_that_passes_everything_is_told_from_one_that_obeys() {
    let lenient = attacked(|_| Ok("pass"), 16).await.attacks;
    assert_eq!(lenient.without, Some(Verdict::Pass));
    assert_eq!(
        (lenient.held, lenient.through.len() as u64),
        (0, lenient.tried)
    );
    let gone = attacked(|_| Err(ErrorKind::Halted), 16).await;
    assert!(gone.halted, "nothing of it is to be kept");
}

#[test]
fn numbers_that_do_not_add_up_are_seen() {
    let attacks = Attacks {
        date: None,
        pack: String::new(),
        tried: 94,
        held: 93,
        unscored: 1,
        through: Vec::new(),
        without: None,
    };
    assert!(attacks.is_consistent());
    for (held, unscored) in [(94, 1), (92, 1), (u64::MAX, 1)] {
        let attacks = Attacks {
            held,
            unscored,
            ..attacks.clone()
        };
        assert!(!attacks.is_consistent(), "{held}");
    }
}
