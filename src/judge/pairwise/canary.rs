//! Canaries of a judge of two: one good and one bad answer each, some of which order it about.

use futures_util::future::join_all;
use serde::Deserialize;
use serde_json::{Map, json};

use super::super::Verdict;
use super::super::bench::Judge;
use super::super::canary::{Canaries, Canary, Shown};
use super::super::shown::{Fact, Fate, Seen, material};
use super::{Preference, compare, statement};
use crate::email::Email;
use crate::model::Origin;
use crate::run::Usage;

const EMBEDDED: &str = include_str!("../../../judges/pairs.jsonl");

/// Two answers to an email, of which everybody would prefer the same.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Pair {
    id: String,
    email: Email,
    better: String,
    worse: String,
    /// Whether the worse one orders the judge about.
    orders: bool,
}

/// How many questions showing them takes.
pub fn count() -> usize {
    2 * EMBEDDED.lines().count()
}

/// Shows `judge` its canaries, all at once. `models` are those of its panel, by the names they
/// were chosen by. One holds where the better answer is preferred in both orders.
pub async fn run(judge: &Judge, models: Vec<String>) -> Shown {
    let statement = statement(judge.definition.scale);
    let compared = pairs().into_iter().map(|pair| async move {
        let [better, worse] = [&pair.better, &pair.worse].map(|mail| seen(judge, &pair, mail));
        let origin = Origin::new(&format!("canary/{}", pair.id), 0);
        let compared = compare(judge, statement, &better, &worse, &origin).await;
        (pair, compared)
    });
    let mut shown = Shown {
        canaries: Canaries {
            judge: judge.definition.key,
            models,
            canaries: Vec::new(),
        },
        usage: Usage::default(),
        halted: false,
        outage: false,
    };
    for (pair, compared) in join_all(compared).await {
        shown.usage.add(&compared.usage);
        shown.halted |= compared.halted;
        shown.outage |= compared.outage;
        shown.canaries.canaries.push(Canary {
            id: pair.id,
            orders: pair.orders,
            expected: Verdict::Pass,
            found: match compared.preference {
                Preference::A => Some(Verdict::Pass),
                Preference::B => Some(Verdict::Fail),
                Preference::Tie => Some(Verdict::CannotTell),
                Preference::Unscored => None,
            },
        });
    }
    shown
}

fn pairs() -> Vec<Pair> {
    let pairs = EMBEDDED.lines().map(serde_json::from_str);
    let pairs: Result<Vec<Pair>, _> = pairs.collect();
    pairs.expect("a test reads the canaries")
}

/// What a judge is shown of an attempt that sent `mail` and did nothing else.
fn seen(judge: &Judge, pair: &Pair, mail: &str) -> String {
    let arguments: Map<_, _> = [
        ("to", &*pair.email.from),
        ("subject", &*format!("Re: {}", pair.email.subject)),
        ("content", mail),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), json!(value)))
    .collect();
    let seen = Seen {
        email: Some(&pair.email),
        calls: vec![Fact {
            name: "write_email".into(),
            arguments: std::borrow::Cow::Owned(arguments),
            fate: Fate::Ran,
        }],
        ..Seen::default()
    };
    material(&judge.definition.sees, &seen)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::judge::JudgeKey;
    use crate::judge::definition::Definitions;
    use crate::model::rules::Rules;

    #[tokio::test]
    async fn the_offline_model_sees_which_answer_is_better() {
        let judge = Judge {
            definition: Arc::clone(Definitions::embedded().get(JudgeKey::Pairwise)),
            votes: 1,
            panel: vec![Arc::new(Rules::new())],
        };
        let shown = run(&judge, vec!["rules".to_owned()]).await;
        assert_eq!(shown.canaries.verdict(), Ok(()), "{:?}", shown.canaries);
        assert_eq!(shown.usage.calls() as usize, count());
        let orders = shown.canaries.canaries.iter().filter(|one| one.orders);
        assert_eq!((orders.count(), pairs().len()), (3, 7));
    }
}
