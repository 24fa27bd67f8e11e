use std::sync::Arc;

use futures_util::future::BoxFuture;
use serde_json::json;

use super::*;
use crate::judge::JudgeKey;
use crate::judge::definition::{Definition, Definitions};
use crate::model::{ErrorKind, Model, ModelError, Reply, Request, scripted};

const GOOD: &str = "# Mail that was sent\n  The invoice was paid on Friday.\n";
const POOR: &str = "# Mail that was sent\n  We will see.\n";

/// Answers by what it finds in the two parts.
struct Reader(fn(&str, &str) -> Result<&'static str, ErrorKind>);

impl Model for Reader {
    fn name(&self) -> &str {
        "reader"
    }

    fn ask<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<Reply, ModelError>> {
        let material = &request.messages[1].content;
        let (first, second) = material
            .split_once("# The second")
            .unwrap_or((material, ""));
        let key = match request.output.as_ref().unwrap().schema["properties"]["grade"].is_null() {
            true => "verdict",
            false => "grade",
        };
        let answer = (self.0)(first, second).map(|answer| {
            let decision: serde_json::Value =
                serde_json::from_str(answer).unwrap_or_else(|_| answer.into());
            let value =
                json!({ "reasoning": answer, "quotes": ["Mail that was sent"], key: decision });
            scripted::text(value.to_string())
        });
        Box::pin(async move { answer.map_err(|kind| ModelError::new("reader", kind, "down")) })
    }
}

async fn compared(
    scale: Scale,
    answer: fn(&str, &str) -> Result<&'static str, ErrorKind>,
) -> [Compared; 2] {
    let pairwise = Definitions::embedded().get(JudgeKey::Pairwise).clone();
    let judge = Judge {
        definition: Arc::new(Definition {
            scale,
            ..(*pairwise).clone()
        }),
        votes: 1,
        panel: vec![Arc::new(Reader(answer))],
    };
    let origin = Origin::new("case", 0);
    let statement = "The first reply is better";
    [
        compare(&judge, statement, GOOD, POOR, &origin).await,
        compare(&judge, statement, POOR, GOOD, &origin).await,
    ]
}

#[tokio::test]
async fn a_win_counts_only_where_both_orders_agree() {
    use Preference::{A, B, Tie, Unscored};
    for (case, answer, expected) in [
        (
            "sees the difference",
            (|first, _| {
                Ok(if first.contains("Friday") {
                    "pass"
                } else {
                    "fail"
                })
            }) as fn(&str, &str) -> _,
            [A, B],
        ),
        ("prefers the first", |_, _| Ok("pass"), [Tie, Tie]),
        ("prefers the second", |_, _| Ok("fail"), [Tie, Tie]),
        ("cannot tell", |_, _| Ok("cannot_tell"), [Tie, Tie]),
        (
            "sees it in one order",
            |first, _| {
                Ok(if first.contains("Friday") {
                    "pass"
                } else {
                    "cannot_tell"
                })
            },
            [Tie, Tie],
        ),
        (
            "is down in one order",
            |first, _| {
                if first.contains("Friday") {
                    Ok("pass")
                } else {
                    Err(ErrorKind::Server)
                }
            },
            [Unscored, Unscored],
        ),
        ("makes no sense", |_, _| Ok("first"), [Unscored, Unscored]),
    ] {
        let found = compared(Scale::Binary, answer).await;
        assert_eq!(
            found.each_ref().map(|compared| compared.preference),
            expected,
            "{case}"
        );
        assert!(found.iter().all(|compared| !compared.halted), "{case}");
        assert_eq!(found[0].outage, case.contains("down"), "{case}");
    }
}

#[tokio::test]
async fn a_graded_judge_sees_one_at_a_time_and_the_higher_grade_is_preferred() {
    use Preference::{A, B, Tie, Unscored};
    for (case, answer, expected) in [
        (
            "sees the difference",
            (|one, other| {
                assert_eq!(other, "", "one at a time");
                Ok(if one.contains("Friday") { "4" } else { "2" })
            }) as fn(&str, &str) -> _,
            [A, B],
        ),
        ("equal", |_, _| Ok("3"), [Tie, Tie]),
        ("off the scale", |_, _| Ok("7"), [Unscored, Unscored]),
        (
            "the run ends",
            |_, _| Err(ErrorKind::Halted),
            [Unscored, Unscored],
        ),
    ] {
        let found = compared(Scale::Graded, answer).await;
        assert_eq!(
            found.each_ref().map(|compared| compared.preference),
            expected,
            "{case}"
        );
        assert_eq!(found[0].halted, case == "the run ends", "{case}");
    }
}

#[tokio::test]
async fn both_orders_are_paid_for_and_give_their_reasons() {
    let [found, _] = compared(Scale::Binary, |first, _| {
        Ok(if first.contains("Friday") {
            "pass"
        } else {
            "fail"
        })
    })
    .await;
    assert_eq!(found.usage.calls(), 2);
    assert_eq!(found.reasons, ["pass", "fail"]);
}
