//! Who may answer what.

use std::str::FromStr;

use super::AUTOMATIC;
use crate::human::{shown, shown_action};
use crate::run::Interrupt;

/// A person who may answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approver {
    pub name: String,
    /// The actions, compared without regard to case; `None` for all.
    pub actions: Option<Vec<String>>,
}

/// A text that names no approver.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadApprover {
    #[error("`{0}` names no approver; use `NAME` or `NAME:ACTION,ACTION`")]
    Form(String),
    #[error("`{0}` is what an automatic answer is called; no person can go by it")]
    Reserved(String),
}

impl FromStr for Approver {
    type Err = BadApprover;

    /// Reads `ana` (may answer all) or `ana:write_email,question`.
    fn from_str(text: &str) -> Result<Self, BadApprover> {
        let bad = || BadApprover::Form(shown(text, 60));
        let (name, actions) = match text.split_once(':') {
            Some((name, actions)) => (name, Some(actions)),
            None => (text, None),
        };
        let name = name.trim();
        if name.is_empty() {
            return Err(bad());
        }
        if AUTOMATIC
            .iter()
            .any(|taken| taken.eq_ignore_ascii_case(name))
        {
            return Err(BadApprover::Reserved(name.to_owned()));
        }
        let actions = actions.map(|actions| {
            let actions = actions.split(',').map(|action| action.trim().to_owned());
            actions.collect::<Vec<_>>()
        });
        if actions.iter().flatten().any(String::is_empty) {
            return Err(bad());
        }
        Ok(Approver {
            name: name.to_owned(),
            actions,
        })
    }
}

/// Everybody who may answer; nobody else may.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Approvers(pub Vec<Approver>);

/// Somebody answered what is not theirs to answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{who}` may not answer `{action}`; those who may: {}", list(may))]
pub struct Unauthorised {
    pub who: String,
    pub action: String,
    pub may: Vec<String>,
}

fn list(names: &[String]) -> String {
    match names {
        [] => "nobody".to_owned(),
        names => names.join(", "),
    }
}

impl Approvers {
    /// # Errors
    /// [`Unauthorised`] where `who`, a name to the letter, may not answer `interrupt`.
    pub fn check(&self, who: &str, interrupt: &Interrupt) -> Result<(), Unauthorised> {
        let may: Vec<String> = self
            .0
            .iter()
            .filter(|approver| approver.may_answer(&interrupt.action))
            .map(|approver| approver.name.clone())
            .collect();
        if may.iter().any(|name| name == who) {
            return Ok(());
        }
        Err(Unauthorised {
            who: shown(who, 60),
            action: shown_action(interrupt),
            may,
        })
    }
}

impl Approver {
    fn may_answer(&self, action: &str) -> bool {
        self.actions.as_ref().is_none_or(|actions| {
            actions
                .iter()
                .any(|known| known.to_lowercase() == action.to_lowercase())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::human::approval::tests::interrupt;

    #[test]
    fn only_those_named_may_answer_and_only_what_is_theirs() {
        let approvers = ["ana", "bo:write_email,question", "Chief: schedule_meeting "];
        let approvers = Approvers(approvers.map(|text| text.parse().unwrap()).into());
        for (who, action, may) in [
            ("ana", "write_email", true),
            ("ana", "anything", true),
            ("bo", "Write_Email", true),
            ("bo", "question", true),
            ("bo", "schedule_meeting", false),
            ("Chief", "schedule_meeting", true),
            ("chief", "schedule_meeting", false),
            ("eve", "write_email", false),
            ("", "write_email", false),
        ] {
            let checked = approvers.check(who, &interrupt(action));
            assert_eq!(checked.is_ok(), may, "{who} {action}");
        }
        let refused = |approvers: &Approvers| {
            let refused = approvers.check("eve", &interrupt("schedule_meeting"));
            refused.unwrap_err().to_string()
        };
        insta::assert_snapshot!(refused(&approvers), @"`eve` may not answer `schedule_meeting`; those who may: ana, Chief");
        insta::assert_snapshot!(refused(&Approvers::default()), @"`eve` may not answer `schedule_meeting`; those who may: nobody");
    }

    #[test]
    fn a_name_that_an_automatic_answer_has_is_refused() {
        for (text, error) in [
            ("", BadApprover::Form("".into())),
            (" :write_email", BadApprover::Form(" :write_email".into())),
            ("ana:", BadApprover::Form("ana:".into())),
            ("ana:a,,b", BadApprover::Form("ana:a,,b".into())),
            ("timeout", BadApprover::Reserved("timeout".into())),
            (
                "Accept-All:question",
                BadApprover::Reserved("Accept-All".into()),
            ),
        ] {
            assert_eq!(text.parse::<Approver>(), Err(error), "{text}");
        }
    }
}
