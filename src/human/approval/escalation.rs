//! Questions that go on to the next person while nobody answers.

use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::time::Instant;

use super::{Audit, Record};
use crate::human::{Human, HumanError};
use crate::run::{Interrupt, Response, Usage};

/// Which of `people`, in their order, a question is for that has waited so long: every
/// `after` it goes on to the next, and stays with the last.
///
/// # Panics
/// If there are no people.
pub fn responsible<T>(people: &[T], after: Duration, waited: Duration) -> &T {
    let last = people.len().checked_sub(1).expect("somebody is asked");
    let turns = waited.as_nanos().checked_div(after.as_nanos());
    let turn = turns.map_or(last, |turns| turns.min(last as u128) as usize);
    &people[turn]
}

/// Asks one person after the other: whoever does not answer in time is passed over, which
/// is recorded. The last is waited for, as long as a deadline around this allows.
pub struct Escalating {
    first: Box<dyn Human>,
    others: Vec<(String, Box<dyn Human>)>,
    after: Duration,
    audit: Audit,
    /// Whom the last answer is of: 0 is the first.
    turn: usize,
}

impl Escalating {
    /// The question stays with each for `after`. The names of the others are for the record.
    pub fn new(
        first: Box<dyn Human>,
        others: Vec<(String, Box<dyn Human>)>,
        after: Duration,
        audit: Audit,
    ) -> Escalating {
        Escalating {
            first,
            others,
            after,
            audit,
            turn: 0,
        }
    }

    async fn ask(&mut self, interrupt: &Interrupt) -> Result<Response, HumanError> {
        let asked = Instant::now();
        for turn in 0..=self.others.len() {
            self.turn = turn;
            let is_last = turn == self.others.len();
            let human = match turn {
                0 => &mut self.first,
                turn => {
                    let (name, human) = &mut self.others[turn - 1];
                    self.audit.record(interrupt, |thread, at| {
                        Record::escalated(thread, interrupt, name, at, asked.elapsed())
                    })?;
                    human
                }
            };
            let answering = human.respond(interrupt);
            if is_last {
                return answering.await;
            }
            if let Ok(answer) = tokio::time::timeout(self.after, answering).await {
                return answer;
            }
        }
        unreachable!("the last is waited for")
    }

    fn people(&self) -> impl Iterator<Item = &dyn Human> {
        let others = self.others.iter().map(|(_, human)| &**human);
        [&*self.first].into_iter().chain(others)
    }
}

impl Human for Escalating {
    fn name(&self) -> &str {
        match self.turn {
            0 => self.first.name(),
            turn => self.others[turn - 1].1.name(),
        }
    }

    fn respond<'a>(
        &'a mut self,
        interrupt: &'a Interrupt,
    ) -> BoxFuture<'a, Result<Response, HumanError>> {
        Box::pin(self.ask(interrupt))
    }

    fn usage(&self) -> Usage {
        let mut usage = Usage::default();
        for human in self.people() {
            usage.add(&human.usage());
        }
        usage
    }

    fn notes(&self) -> Vec<String> {
        self.people().flat_map(|human| human.notes()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_goes_on_to_the_next_each_time_it_is_stale() {
        let people = ["ana", "bo", "chief"];
        for (waited, name) in [
            (0, "ana"),
            (59, "ana"),
            (60, "bo"),
            (119, "bo"),
            (120, "chief"),
            (86_400, "chief"),
        ] {
            let waited = Duration::from_secs(waited);
            assert_eq!(
                *responsible(&people, Duration::from_secs(60), waited),
                name,
                "{waited:?}"
            );
        }
        let at_once = responsible(&people, Duration::ZERO, Duration::ZERO);
        assert_eq!(*at_once, "chief", "no time at all is over at once");
    }
}
