//! The tools that expectations may name, and their arguments.

/// What an argument holds, which decides how an unquoted YAML scalar is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    /// A list of texts; a single one stands for a list of one.
    Texts,
    Number,
    Bool,
}

#[derive(Debug)]
pub(super) struct Tool {
    pub name: &'static str,
    pub arguments: &'static [&'static str],
    kinds: &'static [Kind],
}

impl Tool {
    /// The tool of that name, without regard to case.
    pub fn find(name: &str) -> Option<&'static Tool> {
        TOOLS
            .iter()
            .find(|tool| tool.name.eq_ignore_ascii_case(name))
    }

    /// The argument of exactly that name, and what it holds.
    pub fn argument(&self, name: &str) -> Option<(&'static str, Kind)> {
        let index = self.arguments.iter().position(|known| *known == name)?;
        Some((self.arguments[index], self.kinds[index]))
    }
}

pub(super) const NAMES: &[&str] = &[
    "write_email",
    "schedule_meeting",
    "check_calendar_availability",
    "triage_email",
    "question",
    "done",
];

/// The tools whose calls may come before a person.
pub(super) const ASKING: &[&str] = &["write_email", "schedule_meeting", "question"];

/// What the question about a triage decision is called, which is no tool.
pub(super) const NOTIFY: &str = "notify";

const TOOLS: &[Tool] = &[
    Tool {
        name: "write_email",
        arguments: &["to", "subject", "content"],
        kinds: &[Kind::Text, Kind::Text, Kind::Text],
    },
    Tool {
        name: "schedule_meeting",
        arguments: &[
            "attendees",
            "subject",
            "duration_minutes",
            "preferred_day",
            "start_time",
        ],
        kinds: &[
            Kind::Texts,
            Kind::Text,
            Kind::Number,
            Kind::Text,
            Kind::Number,
        ],
    },
    Tool {
        name: "check_calendar_availability",
        arguments: &["day"],
        kinds: &[Kind::Text],
    },
    Tool {
        name: "triage_email",
        arguments: &["category"],
        kinds: &[Kind::Text],
    },
    Tool {
        name: "question",
        arguments: &["content"],
        kinds: &[Kind::Text],
    },
    Tool {
        name: "done",
        arguments: &["done"],
        kinds: &[Kind::Bool],
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_a_tool_and_every_argument_has_a_kind() {
        let names: Vec<_> = TOOLS.iter().map(|tool| tool.name).collect();
        assert_eq!(names, NAMES);
        for tool in TOOLS {
            assert_eq!(tool.arguments.len(), tool.kinds.len(), "{}", tool.name);
        }
    }
}
