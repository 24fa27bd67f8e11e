//! Has the service count what it has.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::langsmith::client::{Client, Error};
use crate::langsmith::wire::{Feedback, Session};

/// Its figures lag behind what it has taken: how long each look is waited for.
const PATIENCE: [Duration; 4] = [
    Duration::ZERO,
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
];

/// What an experiment has when all of it is there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expected {
    pub attempts: u64,
    /// Scores of each key. What has none, because nobody could decide, is in no figure.
    scores: BTreeMap<String, u64>,
}

/// What the service counts of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted {
    pub attempts: u64,
    /// Of the keys that are expected, and of each no more than is expected: people may have
    /// added theirs.
    pub scores: u64,
    /// Whether that is all.
    pub complete: bool,
}

impl Expected {
    pub fn add(&mut self, feedback: &Feedback) {
        if feedback.score.is_none() {
            return;
        }
        match self.scores.get_mut(&feedback.key) {
            Some(count) => *count += 1,
            None => {
                self.scores.insert(feedback.key.clone(), 1);
            }
        }
    }

    fn held_against(&self, session: &Session) -> Counted {
        let attempts = session.run_count.unwrap_or(0);
        let stats = session.feedback_stats.as_ref();
        let count = |key: &String| {
            let count = stats.and_then(|stats| stats.get(key)?.get("n"));
            count.and_then(Value::as_u64).unwrap_or(0)
        };
        let found = |(key, expected): (&String, &u64)| count(key).min(*expected);
        let scores = self.scores.iter().map(found).sum();
        Counted {
            attempts,
            scores,
            complete: attempts >= self.attempts && scores == self.scores.values().sum::<u64>(),
        }
    }
}

/// Looks until all is counted, or patience ends.
pub async fn verify(
    client: &Client,
    session: Uuid,
    expected: &Expected,
    cancel: &CancellationToken,
) -> Result<Counted, Error> {
    let mut counted = Counted {
        attempts: 0,
        scores: 0,
        complete: false,
    };
    for wait in PATIENCE {
        tokio::select! {
            () = sleep(wait) => {}
            () = cancel.cancelled() => break,
        }
        if let Some(session) = client.session(session, true).await? {
            counted = expected.held_against(&session);
        }
        if counted.complete {
            break;
        }
    }
    Ok(counted)
}
