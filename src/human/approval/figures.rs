//! What an audit trail says about how approval works.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{AUTOMATIC, Decision, Record};
use crate::human::TIMED_OUT;
use crate::statistics::quantile;

/// Counts and times over an audit trail.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Figures {
    /// Decisions of people.
    pub decided: u64,
    /// Decisions of a policy or a condition.
    pub automatic: u64,
    /// Questions that nobody answered in time.
    pub timed_out: u64,
    /// Questions that still wait.
    pub pending: u64,
    /// Answers of people who may not give them.
    pub refused: u64,
    /// Times that a question went on to the next person.
    pub escalated: u64,
    /// Decisions of people and policies, by what was decided.
    pub decisions: BTreeMap<Decision, u64>,
    /// The share of all questions that got a decision, from 0 to 1; `None` without any.
    pub completion: Option<f64>,
    /// How long people took; `None` where none decided.
    pub latency: Option<Latency>,
}

/// Quantiles of the time that a question waited for its decision, in milliseconds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Latency {
    pub p50: f64,
    pub p90: f64,
    pub p99: f64,
    pub max: f64,
}

/// The figures of `records`, where `pending` questions have no decision yet.
pub fn figures(records: &[Record], pending: u64) -> Figures {
    let mut figures = Figures {
        decided: 0,
        automatic: 0,
        timed_out: 0,
        pending,
        refused: 0,
        escalated: 0,
        decisions: BTreeMap::new(),
        completion: None,
        latency: None,
    };
    let mut waited = Vec::new();
    for record in records {
        match record.decision {
            Decision::Refused => figures.refused += 1,
            Decision::Escalated => figures.escalated += 1,
            _ if record.who == TIMED_OUT => figures.timed_out += 1,
            decision => {
                *figures.decisions.entry(decision).or_default() += 1;
                if AUTOMATIC.contains(&&*record.who) {
                    figures.automatic += 1;
                } else {
                    figures.decided += 1;
                    waited.push(record.waited_ms as f64);
                }
            }
        }
    }
    let answered = figures.decided + figures.automatic;
    let all = answered + figures.timed_out + pending;
    figures.completion = (all > 0).then(|| answered as f64 / all as f64);
    let at = |share| quantile(&waited, share);
    figures.latency = match (at(0.5), at(0.9), at(0.99), at(1.0)) {
        (Some(p50), Some(p90), Some(p99), Some(max)) => Some(Latency { p50, p90, p99, max }),
        _ => None,
    };
    figures
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::human::approval::tests::record;

    #[test]
    fn an_audit_trail_tells_how_long_people_take_and_how_much_is_decided() {
        use Decision::*;
        let records: Vec<Record> = [
            ("ana", Accept, 1000),
            ("ana", Edit, 3000),
            ("bo", Ignore, 2000),
            ("auto-approved", Accept, 0),
            ("accept-all", Respond, 0),
            ("timeout", Ignore, 300_000),
            ("eve", Refused, 10),
            ("bo", Escalated, 60_000),
        ]
        .into_iter()
        .enumerate()
        .map(|(id, (who, decision, waited_ms))| Record {
            waited_ms,
            ..record(&id.to_string(), who, decision)
        })
        .collect();
        let expected = Figures {
            decided: 3,
            automatic: 2,
            timed_out: 1,
            pending: 2,
            refused: 1,
            escalated: 1,
            decisions: [(Accept, 2), (Edit, 1), (Ignore, 1), (Respond, 1)].into(),
            completion: Some(0.625),
            latency: Some(Latency {
                p50: 2000.0,
                p90: 2800.0,
                p99: 2980.0,
                max: 3000.0,
            }),
        };
        assert_eq!(figures(&records, 2), expected);
    }

    #[test]
    fn no_data_is_no_figure() {
        let none = figures(&[], 0);
        assert_eq!((none.completion, none.latency), (None, None));
        let waiting = figures(&[], 3);
        assert_eq!((waiting.completion, waiting.latency), (Some(0.0), None));
    }
}
