//! What arrives, and what can be decided about it.
//!
//! An [`Email`] is all that a target is told about an example: this module stands above
//! everything that knows the right answer, so the answer cannot ride along.

use std::fmt;
use std::str::FromStr;

use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One email as a person would read it: headers as free text, the body as plain text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Email {
    /// Sender, as in the header: `Ana Ruiz <ana@northwind.example>`.
    pub from: String,
    /// Recipients, as in the header.
    pub to: String,
    pub subject: String,
    pub body: String,
    /// The day it was sent, where known; relative days in the text count from it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub date: Option<Date>,
}

impl Email {
    /// The email as every prompt shows it: four bold-labelled lines, a blank line, the body.
    ///
    /// The text is the sender's and is not escaped: a model must meet it as it is.
    pub fn to_prompt(&self) -> String {
        let mut text = format!(
            "**Subject**: {}\n**From**: {}\n**To**: {}\n",
            self.subject, self.from, self.to
        );
        if let Some(date) = self.date {
            text.push_str(&format!("**Date**: {date}\n"));
        }
        text.push('\n');
        text.push_str(self.body.trim_end());
        text.push('\n');
        text
    }
}

/// What to do with an email; the order is that of the reports.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Triage {
    /// Not worth the reader's time.
    Ignore,
    /// Worth knowing, but nobody waits for an answer.
    Notify,
    /// Somebody waits for an answer.
    Respond,
}

impl Triage {
    pub const ALL: [Triage; 3] = [Triage::Ignore, Triage::Notify, Triage::Respond];

    pub fn name(self) -> &'static str {
        match self {
            Triage::Ignore => "ignore",
            Triage::Notify => "notify",
            Triage::Respond => "respond",
        }
    }
}

impl fmt::Display for Triage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A word that is none of the three decisions.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown triage label `{0}`: use `ignore`, `notify`, or `respond`")]
pub struct UnknownTriage(pub String);

impl FromStr for Triage {
    type Err = UnknownTriage;

    /// Reads a label without regard to case or surrounding space, as models write them.
    fn from_str(text: &str) -> Result<Self, UnknownTriage> {
        Triage::ALL
            .into_iter()
            .find(|label| label.name().eq_ignore_ascii_case(text.trim()))
            .ok_or_else(|| UnknownTriage(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_read_without_regard_to_case() {
        for (text, label) in [
            ("respond", Ok(Triage::Respond)),
            (" Notify\n", Ok(Triage::Notify)),
            ("IGNORE", Ok(Triage::Ignore)),
            ("reply", Err(UnknownTriage("reply".into()))),
            ("", Err(UnknownTriage(String::new()))),
        ] {
            assert_eq!(text.parse::<Triage>(), label, "{text:?}");
        }
    }
}
