//! Gates: what results must be like, so that a pipeline can go on.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What becomes of a command whose gate cannot decide.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Indecisive {
    /// It says so, with exit code 3.
    #[default]
    Exit,
    /// It goes on as if the gate had passed.
    Pass,
    /// It ends as if the gate had failed, with exit code 100.
    Fail,
}

impl fmt::Display for Indecisive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Indecisive::Exit => "exit",
            Indecisive::Pass => "pass",
            Indecisive::Fail => "fail",
        })
    }
}
