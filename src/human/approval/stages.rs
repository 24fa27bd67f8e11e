//! Approval in stages: several people in turn, each of whom can stop it.

use std::collections::BTreeMap;
use std::fmt;

use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};

use crate::human::{Human, HumanError, answer};
use crate::run::{Interrupt, Response, Usage};

/// One approval on its way through its stages; to be kept for as long as it is open.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Staged {
    first: String,
    others: Vec<String>,
    /// What the stages said so far, in their order.
    responses: Vec<Response>,
    takes_accept: bool,
}

/// How far an approval is; shown as `waiting_for_manager`, `rejected_by_manager`,
/// `completed`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    WaitingFor(String),
    RejectedBy(String),
    Completed,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Status::WaitingFor(stage) => write!(f, "waiting_for_{stage}"),
            Status::RejectedBy(stage) => write!(f, "rejected_by_{stage}"),
            Status::Completed => f.write_str("completed"),
        }
    }
}

/// A stage answered that was not asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("stage `{stage}` is not asked: the approval is {status}")]
pub struct StageError {
    pub stage: String,
    pub status: Status,
}

impl Staged {
    /// The approval of `interrupt`, which nobody has answered yet.
    pub fn new(interrupt: &Interrupt, first: impl Into<String>, others: Vec<String>) -> Staged {
        Staged {
            first: first.into(),
            others,
            responses: Vec::new(),
            takes_accept: interrupt.allowed.accept,
        }
    }

    pub fn status(&self) -> Status {
        let stage = |number: usize| match number {
            0 => Some(&self.first),
            number => self.others.get(number - 1),
        };
        let asked = self.responses.len();
        match self.responses.last() {
            // What cannot be accepted is a question, and the first answer is its answer.
            Some(Response::Respond(_)) if !self.takes_accept => Status::Completed,
            Some(Response::Ignore | Response::Respond(_)) => {
                let rejected = stage(asked - 1).expect("only stages answer");
                Status::RejectedBy(rejected.clone())
            }
            None | Some(Response::Accept | Response::Edit(_)) => match stage(asked) {
                Some(next) => Status::WaitingFor(next.clone()),
                None => Status::Completed,
            },
        }
    }

    /// What the next stage is asked: `interrupt` with the arguments as edited so far.
    pub fn question(&self, interrupt: &Interrupt) -> Interrupt {
        let args = self.edited().unwrap_or(&interrupt.args).clone();
        Interrupt {
            args,
            ..interrupt.clone()
        }
    }

    /// Keeps the response of the stage whose turn it is.
    ///
    /// # Errors
    /// [`StageError`] where it is another's turn, or the approval is closed.
    pub fn answer(&mut self, stage: &str, response: Response) -> Result<(), StageError> {
        match self.status() {
            Status::WaitingFor(next) if next == stage => {
                self.responses.push(response);
                Ok(())
            }
            status => Err(StageError {
                stage: stage.to_owned(),
                status,
            }),
        }
    }

    /// What all stages together answer; `None` while one is still to be asked.
    pub fn response(&self) -> Option<Response> {
        let last = match self.status() {
            Status::WaitingFor(_) => return None,
            Status::RejectedBy(_) | Status::Completed => self.responses.last(),
        };
        match (last, self.edited()) {
            (Some(Response::Accept), Some(args)) => Some(Response::Edit(args.clone())),
            (last, _) => last.cloned(),
        }
    }

    fn edited(&self) -> Option<&serde_json::Map<String, serde_json::Value>> {
        let mut responses = self.responses.iter().rev();
        responses.find_map(|response| match response {
            Response::Edit(args) => Some(args),
            _ => None,
        })
    }
}

/// People who are asked in turn, none after a rejection. Where one of them fails, those
/// who have answered are not asked again when the same interrupt comes up once more.
pub struct Stages {
    first: (String, Box<dyn Human>),
    others: Vec<(String, Box<dyn Human>)>,
    /// By interrupt.
    open: BTreeMap<String, Staged>,
    /// Of the last approval that was closed.
    status: Option<Status>,
    /// The stage that answered last: 0 is the first.
    last: usize,
}

impl Stages {
    /// Each stage with its name and who decides in it.
    pub fn new(first: (String, Box<dyn Human>), others: Vec<(String, Box<dyn Human>)>) -> Stages {
        Stages {
            first,
            others,
            open: BTreeMap::new(),
            status: None,
            last: 0,
        }
    }

    /// How the last approval ended.
    pub fn status(&self) -> Option<&Status> {
        self.status.as_ref()
    }

    async fn ask(&mut self, interrupt: &Interrupt) -> Result<Response, HumanError> {
        let begin = || {
            let others = self.others.iter().map(|(name, _)| name.clone());
            Staged::new(interrupt, &*self.first.0, others.collect())
        };
        let staged = self.open.entry(interrupt.id.clone()).or_insert_with(begin);
        loop {
            if let Some(response) = staged.response() {
                self.status = Some(staged.status());
                self.open.remove(&interrupt.id);
                return Ok(response);
            }
            self.last = staged.responses.len();
            let (stage, human) = match self.last {
                0 => &mut self.first,
                number => &mut self.others[number - 1],
            };
            let response = answer(&mut **human, &staged.question(interrupt)).await?;
            let turn = staged.answer(stage, response);
            turn.expect("the stage asked is the one that waits");
        }
    }

    fn people(&self) -> impl Iterator<Item = &dyn Human> {
        let stages = [&self.first].into_iter().chain(&self.others);
        stages.map(|(_, human)| &**human)
    }
}

impl Human for Stages {
    /// Whoever answered last.
    fn name(&self) -> &str {
        match self.last {
            0 => self.first.1.name(),
            number => self.others[number - 1].1.name(),
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
    use crate::human::approval::tests::interrupt;
    use serde_json::{Value, json};

    fn edit(subject: &str) -> Response {
        let mut args = interrupt("write_email").args;
        args.insert("subject".into(), subject.into());
        Response::Edit(args)
    }

    #[test]
    fn each_stage_can_stop_what_the_one_before_let_pass() {
        let respond = || Response::Respond("Why?".into());
        for (responses, status, response) in [
            (vec![], "waiting_for_manager", None),
            (
                vec![Response::Ignore],
                "rejected_by_manager",
                Some(Response::Ignore),
            ),
            (vec![respond()], "rejected_by_manager", Some(respond())),
            (vec![Response::Accept], "waiting_for_security", None),
            (
                vec![Response::Accept, Response::Ignore],
                "rejected_by_security",
                Some(Response::Ignore),
            ),
            (
                vec![Response::Accept, Response::Accept],
                "completed",
                Some(Response::Accept),
            ),
            (
                vec![edit("A"), Response::Accept],
                "completed",
                Some(edit("A")),
            ),
            (vec![edit("A"), edit("B")], "completed", Some(edit("B"))),
            (
                vec![edit("A"), Response::Ignore],
                "rejected_by_security",
                Some(Response::Ignore),
            ),
        ] {
            let asked = interrupt("write_email");
            let mut staged = Staged::new(&asked, "manager", vec!["security".into()]);
            for (stage, response) in ["manager", "security"].iter().zip(&responses) {
                staged.answer(stage, response.clone()).unwrap();
                // It may be stored at any time.
                let stored = serde_json::to_string(&staged).unwrap();
                assert_eq!(serde_json::from_str::<Staged>(&stored).unwrap(), staged);
            }
            assert_eq!(staged.status().to_string(), status, "{responses:?}");
            assert_eq!(staged.response(), response, "{responses:?}");
        }
    }

    #[test]
    fn a_later_stage_sees_what_an_earlier_one_edited() {
        let asked = interrupt("write_email");
        let mut staged = Staged::new(&asked, "manager", vec!["security".into()]);
        assert_eq!(staged.question(&asked), asked);
        staged.answer("manager", edit("A")).unwrap();
        let question = staged.question(&asked);
        assert_eq!(question.args["subject"], Value::from("A"));
        assert_eq!(question.args["to"], asked.args["to"]);
    }

    #[test]
    fn nobody_answers_out_of_turn() {
        let asked = interrupt("write_email");
        let mut staged = Staged::new(&asked, "manager", vec!["security".into()]);
        let early = staged.answer("security", Response::Accept).unwrap_err();
        insta::assert_snapshot!(early, @"stage `security` is not asked: the approval is waiting_for_manager");
        staged.answer("manager", Response::Ignore).unwrap();
        let late = staged.answer("security", Response::Accept).unwrap_err();
        insta::assert_snapshot!(late, @"stage `security` is not asked: the approval is rejected_by_manager");
        assert_eq!(staged.response(), Some(Response::Ignore));
    }

    #[test]
    fn the_answer_to_a_question_is_no_rejection() {
        let mut asked = interrupt("question");
        asked.allowed.accept = false;
        asked.args = json!({ "content": "Which day?" })
            .as_object()
            .unwrap()
            .clone();
        let mut staged = Staged::new(&asked, "manager", vec!["security".into()]);
        let answer = Response::Respond("Monday.".into());
        staged.answer("manager", answer.clone()).unwrap();
        assert_eq!(
            (staged.status(), staged.response()),
            (Status::Completed, Some(answer))
        );
    }
}
