//! What people did to a thread, out of its checkpoints.
//!
//! An answer is stored with the thread before anything follows it, so nothing can have been
//! decided that is not here.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use super::{Decision, Pending, Record};
use crate::graph;
use crate::graph::checkpoint::{Cause, Checkpoint};
use crate::inbox;
use crate::run::Interrupt;

/// Who answered, where the answer does not say.
const SOMEBODY: &str = "person";

/// The decisions on a thread whose whole chain is `history`, in order. An answer that the
/// agent did not take is [`Decision::Refused`], with its reason as what was said.
pub fn trail(history: &[Checkpoint]) -> Vec<Record> {
    let mut asked: BTreeMap<&str, (Timestamp, Interrupt)> = BTreeMap::new();
    let mut records: Vec<Record> = Vec::new();
    for checkpoint in history {
        for pending in &checkpoint.interrupts {
            let now = || (checkpoint.created_at, question(pending));
            asked.entry(&pending.id).or_insert_with(now);
        }
        match &checkpoint.cause {
            Cause::Resumed { answers } => {
                for (id, answer) in answers {
                    let Some((since, interrupt)) = asked.get(id.as_str()) else {
                        continue;
                    };
                    let (thread, at) = (&checkpoint.thread, checkpoint.created_at);
                    let waited = at.duration_since(*since);
                    let waited = Duration::try_from(waited).unwrap_or_default();
                    records.push(match inbox::read_answer(answer) {
                        Ok(answer) => {
                            let who = answer.answered_by.as_deref().unwrap_or(SOMEBODY);
                            let response = &answer.response;
                            Record::answered(thread, interrupt, who, response, at, waited)
                        }
                        Err(error) => Record {
                            said: Some(error.to_string()),
                            ..Record::refused(thread, interrupt, SOMEBODY, at, waited)
                        },
                    });
                }
            }
            Cause::Refused { interrupt, reason } => {
                let answer = records.iter_mut().rev();
                if let Some(record) = answer.into_iter().find(|it| it.interrupt == *interrupt) {
                    record.decision = Decision::Refused;
                    record.said = Some(reason.clone());
                }
            }
            _ => {}
        }
    }
    records
}

/// The questions that a thread whose whole chain is `history` waits at, and since when.
pub fn waiting(history: &[Checkpoint]) -> Vec<Pending> {
    let Some(head) = history.last() else {
        return Vec::new();
    };
    let pending = head.interrupts.iter().map(|pending| {
        let asks = |checkpoint: &&Checkpoint| {
            let mut interrupts = checkpoint.interrupts.iter();
            interrupts.any(|interrupt| interrupt.id == pending.id)
        };
        let first = history.iter().find(asks).unwrap_or(head);
        Pending {
            thread: head.thread.clone(),
            since: first.created_at,
            interrupt: question(pending),
        }
    });
    pending.collect()
}

/// What a node asked, under the id that answers it.
fn question(pending: &graph::Interrupt) -> Interrupt {
    let questions = inbox::read_interrupts(&pending.payload);
    let first = questions.into_iter().next().expect("at least one is read");
    Interrupt {
        id: pending.id.clone(),
        ..first
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::{Value, json};

    use super::*;
    use crate::graph::checkpoint::{FORMAT, Status};
    use crate::human::approval::tests::interrupt;
    use crate::inbox::{Answer, write_answer, write_interrupt};
    use crate::run::Response;

    /// A chain of one thread, a minute between its checkpoints.
    struct Chain(Vec<Checkpoint>);

    impl Chain {
        fn put(&mut self, cause: Cause, asks: &[&str]) {
            let minute = self.0.len() as i64;
            let interrupts = asks.iter().map(|id| graph::Interrupt {
                id: (*id).to_owned(),
                node: "ask".to_owned(),
                position: 0,
                payload: write_interrupt(&interrupt("write_email")),
            });
            self.0.push(Checkpoint {
                format: FORMAT,
                thread: "t1".to_owned(),
                sequence: minute as u64,
                step: 0,
                since: 0,
                cause,
                status: Status::Running,
                failure: None,
                state: Arc::from(serde_json::value::to_raw_value(&json!({})).unwrap()),
                next: Vec::new(),
                interrupts: interrupts.collect(),
                answers: BTreeMap::new(),
                writes: BTreeMap::new(),
                tasks: BTreeMap::new(),
                runs: BTreeMap::new(),
                created_at: Timestamp::from_second(minute * 60).unwrap(),
            });
        }

        fn answer(&mut self, id: &str, answer: Value) {
            let answers = [(id.to_owned(), answer)].into();
            self.put(Cause::Resumed { answers }, &[]);
        }
    }

    fn says(response: Response, who: &str) -> Value {
        let answer = Answer {
            id: None,
            response,
            answered_by: Some(who.to_owned()),
        };
        write_answer(&answer, "write_email")
    }

    #[test]
    fn every_answer_is_told_in_order_with_who_what_and_how_long_it_took() {
        let mut edited = interrupt("write_email").args;
        edited.insert("to".into(), "bo@acme.example".into());
        let mut chain = Chain(Vec::new());
        chain.put(Cause::Started, &[]);
        chain.put(Cause::Interrupted, &["a"]);
        chain.put(Cause::Stepped, &["a"]);
        chain.answer("a", says(Response::Respond("Shorter.".into()), "ana"));
        chain.put(Cause::Interrupted, &["b"]);
        chain.answer("b", says(Response::Edit(edited.clone()), "bo"));
        let told: Vec<_> = trail(&chain.0)
            .into_iter()
            .map(|record| {
                let minutes = record.waited_ms / 60_000;
                (
                    record.interrupt,
                    record.who,
                    record.decision,
                    record.said,
                    record.after,
                    minutes,
                )
            })
            .collect();
        let expected = [
            ("a", "ana", Decision::Respond, Some("Shorter."), None, 2),
            ("b", "bo", Decision::Edit, None, Some(edited), 1),
        ];
        let expected = expected.map(|(id, who, decision, said, after, minutes)| {
            (
                id.to_owned(),
                who.to_owned(),
                decision,
                said.map(str::to_owned),
                after,
                minutes,
            )
        });
        assert_eq!(told, expected);
        assert_eq!(trail(&chain.0)[0].before, interrupt("write_email").args);
        assert_eq!(waiting(&chain.0), []);
    }

    #[test]
    fn an_answer_that_the_agent_did_not_take_is_refused_and_the_question_waits_on() {
        let mut chain = Chain(Vec::new());
        chain.put(Cause::Interrupted, &["a", "b"]);
        chain.answer("a", says(Response::Edit(Default::default()), "ana"));
        let refused = Cause::Refused {
            interrupt: "a".to_owned(),
            reason: "`to` is missing".to_owned(),
        };
        chain.put(refused, &["a", "b"]);
        let records = trail(&chain.0);
        assert_eq!(records.len(), 1);
        assert_eq!(records[0].decision, Decision::Refused);
        assert_eq!(records[0].said.as_deref(), Some("`to` is missing"));
        let waiting = waiting(&chain.0);
        let waiting: Vec<_> = waiting
            .iter()
            .map(|pending| (pending.interrupt.id.as_str(), pending.since.as_second()))
            .collect();
        assert_eq!(waiting, [("a", 0), ("b", 0)]);
    }

    #[test]
    fn an_answer_in_no_known_form_is_told_as_refused() {
        let mut chain = Chain(Vec::new());
        chain.put(Cause::Interrupted, &["a"]);
        chain.answer("a", json!({ "type": "shrug" }));
        chain.answer("never asked", says(Response::Accept, "ana"));
        let records = trail(&chain.0);
        assert_eq!(records.len(), 1);
        assert_eq!(records[0].decision, Decision::Refused);
        assert!(records[0].said.as_deref().unwrap().contains("shrug"));
    }

    #[test]
    fn a_thread_without_checkpoints_has_no_trail() {
        assert_eq!((trail(&[]), waiting(&[])), (Vec::new(), Vec::new()));
    }
}
