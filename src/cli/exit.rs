//! Exit codes: what a pipeline learns without reading.

use crate::model::halt::Because;
use crate::report::escape;

/// Why the process ends as it does, in the order in which the first that holds wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// A defect of this program, or of the machine under it.
    Internal,
    /// Usage, configuration, or data.
    Usage,
    /// The selection left no example.
    NothingSelected,
    Interrupted,
    /// The next call could have cost more than was allowed.
    Budget,
    /// The plan was not carried out: a provider is down, an account used up, a request not
    /// among those recorded, the time of the run over.
    Incomplete,
    /// Something got worse than in the reference.
    Regression,
    /// A gate failed.
    GateFailed,
    /// Too little was scored to say.
    Indecisive,
    Ok,
}

impl Exit {
    pub fn code(self) -> u8 {
        match self {
            Exit::Internal => 1,
            Exit::Usage => 2,
            Exit::NothingSelected => 4,
            Exit::Interrupted => 130,
            Exit::Budget => 102,
            Exit::Incomplete => 5,
            Exit::Regression => 101,
            Exit::GateFailed => 100,
            Exit::Indecisive => 3,
            Exit::Ok => 0,
        }
    }
}

/// What a model call that ended everything makes of the command.
impl From<Because> for Exit {
    fn from(because: Because) -> Exit {
        match because {
            Because::Budget => Exit::Budget,
            Because::Key | Because::Model => Exit::Usage,
            Because::Recording => Exit::Internal,
            Because::Quota | Because::CircuitOpen | Because::ReplayMiss | Because::RunTimeout => {
                Exit::Incomplete
            }
        }
    }
}

/// Why a verb could not do its work, said once on stderr: escaped there, since it quotes files
/// and servers.
#[derive(Debug, thiserror::Error)]
#[error("{}", escape::lines(message))]
pub struct Failure {
    pub exit: Exit,
    message: String,
}

impl Failure {
    /// The user can mend it: flags, configuration, files.
    pub fn usage(message: impl ToString) -> Self {
        Failure {
            exit: Exit::Usage,
            message: message.to_string(),
        }
    }

    /// A failure with its causes, one after the other. What the user named and what is kept
    /// in `reports/` are the user's to mend.
    pub fn from_error(error: impl std::error::Error) -> Self {
        let mut message = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            message.push_str(&format!(": {cause}"));
            source = cause.source();
        }
        Failure::usage(message)
    }

    /// The same, with another code.
    pub fn ending(self, exit: Exit) -> Self {
        Failure { exit, ..self }
    }

    /// The machine or this program failed.
    pub fn internal(message: impl ToString) -> Self {
        Failure {
            exit: Exit::Internal,
            message: message.to_string(),
        }
    }

    /// Something that others did, or were to do, is not there.
    pub fn incomplete(message: impl ToString) -> Self {
        Failure {
            exit: Exit::Incomplete,
            message: message.to_string(),
        }
    }

    pub fn nothing_selected(message: impl ToString) -> Self {
        Failure {
            exit: Exit::NothingSelected,
            message: message.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_wrote_cannot_move_the_cursor() {
        let said = "a file says\n  `\u{1b}[2J`, or \u{202e}";
        for failure in [
            Failure::usage(said),
            Failure::from_error(std::io::Error::other(said)),
            Failure::internal(said).ending(Exit::Usage),
        ] {
            let shown = "a file says\n  `\\u{1b}[2J`, or \\u{202e}";
            assert_eq!(failure.to_string(), shown);
        }
    }

    #[test]
    fn of_several_reasons_the_first_in_the_contract_wins() {
        let contract = [1, 2, 4, 130, 102, 5, 101, 100, 3, 0];
        let mut reasons = [
            Exit::Ok,
            Exit::Indecisive,
            Exit::GateFailed,
            Exit::Regression,
            Exit::Incomplete,
            Exit::Budget,
            Exit::Interrupted,
            Exit::NothingSelected,
            Exit::Usage,
            Exit::Internal,
        ];
        reasons.sort();
        assert_eq!(reasons.map(Exit::code), contract);
    }
}
