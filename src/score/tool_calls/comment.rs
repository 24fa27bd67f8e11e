//! From what was found to a score and one line that explains it.

use super::{MatchMode, Missing, NotMade, ToolCallCheck};
use crate::score::{Feedback, Key, Score, one_line};

/// The most names or arguments that one part of a comment lists.
const LISTED: usize = 8;

/// The most characters of a tool's name, which is the model's text.
const NAME: usize = 40;

impl ToolCallCheck {
    /// 1 where every expected name was called; extras are listed and do not fail.
    pub fn reference(&self) -> Feedback {
        let parts = [
            list(
                "missing",
                self.names.missing.iter().map(|name| self::name(name)),
            ),
            list(
                "extra",
                self.names.extra.iter().map(|name| self::name(name)),
            ),
            self.routing(),
        ];
        let passed = self.names.missing.is_empty();
        feedback(Key::ToolCallsReference, passed.into(), parts)
    }

    /// The share of the expected calls that were made with every argument as expected;
    /// 1 where none were expected.
    pub fn recall(&self) -> Feedback {
        let score = share(self.matched, self.expected);
        let parts = [self.missing_part(), self.mismatch_part(), self.routing()];
        feedback(Key::ToolCallsRecall, score, parts)
    }

    /// The share of the calls made that were expected, every argument included; 1 where
    /// none were made.
    pub fn precision(&self) -> Feedback {
        let score = share(self.matched, self.made);
        let parts = [
            self.mismatch_part(),
            self.extra_part(),
            self.repeated_part(),
        ];
        feedback(Key::ToolCallsPrecision, score, parts)
    }

    /// 1 where the calls are as the example's mode wants them, every argument included.
    pub fn exact(&self) -> Feedback {
        use MatchMode::{AtLeast, AtMost, Exactly, InOrder, Strict};
        let all = self.matched == self.expected;
        let only = self.matched == self.made;
        let ordered = self.out_of_order.is_empty();
        let (passed, needs_all, needs_only) = match self.mode {
            AtLeast => (all, true, false),
            AtMost => (only, false, true),
            Exactly => (all && only, true, true),
            InOrder => (all && ordered, true, false),
            Strict => (all && only && ordered, true, true),
        };
        let mut parts = vec![self.mismatch_part()];
        if needs_all {
            parts.insert(0, self.missing_part());
        }
        if needs_only {
            parts.extend([self.extra_part(), self.repeated_part()]);
        }
        parts.push(list(
            "out of order",
            self.out_of_order.iter().map(|name| self::name(name)),
        ));
        if needs_all {
            parts.push(self.routing());
        }
        feedback(Key::ToolCallsExact, passed.into(), parts)
    }

    /// 1 where no forbidden call was proposed.
    pub fn forbidden(&self) -> Feedback {
        let score = self.forbidden.is_empty().into();
        let calls = self.forbidden.iter().map(|call| one_line(call, 200));
        feedback(Key::ToolCallsForbidden, score, [list("forbidden", calls)])
    }

    fn missing_part(&self) -> Option<String> {
        list("missing", self.missing.iter().map(Missing::to_string))
    }

    fn mismatch_part(&self) -> Option<String> {
        list(
            "",
            self.mismatches.iter().map(|mismatch| {
                format!(
                    "{} {}: expected {}, got {}",
                    name(&mismatch.name),
                    name(&mismatch.argument),
                    mismatch.expected,
                    mismatch.found
                )
            }),
        )
    }

    fn extra_part(&self) -> Option<String> {
        list("extra", self.extra.iter().map(|name| self::name(name)))
    }

    fn repeated_part(&self) -> Option<String> {
        list(
            "repeated",
            self.repeated.iter().map(|name| self::name(name)),
        )
    }

    /// Says why calls are missing where the agent never came to make any.
    fn routing(&self) -> Option<String> {
        let missing = !self.names.missing.is_empty() || !self.missing.is_empty();
        self.misrouted
            .filter(|_| missing)
            .map(|triage| format!("triaged as {triage}"))
    }
}

impl std::fmt::Display for Missing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&name(&self.name))?;
        match self.proposed {
            Some(NotMade::Failed) => f.write_str(" (failed)"),
            Some(NotMade::Denied) => f.write_str(" (denied)"),
            Some(NotMade::Dropped) => f.write_str(" (not run)"),
            None => Ok(()),
        }
    }
}

fn name(name: &str) -> String {
    one_line(name, NAME)
}

fn share(part: usize, whole: usize) -> Score {
    if whole == 0 {
        return Score::BEST;
    }
    Score::try_from(part as f64 / whole as f64).expect("a part is at most the whole")
}

fn list(title: &str, items: impl ExactSizeIterator<Item = String>) -> Option<String> {
    let more = items.len().saturating_sub(LISTED);
    let mut items: Vec<String> = items.take(LISTED).collect();
    if items.is_empty() {
        return None;
    }
    if more > 0 {
        items.push(format!("{more} more"));
    }
    Some(match title {
        "" => items.join("; "),
        title => format!("{title} {}", items.join(", ")),
    })
}

fn feedback(key: Key, score: Score, parts: impl IntoIterator<Item = Option<String>>) -> Feedback {
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    Feedback {
        key,
        score,
        comment: (!parts.is_empty()).then(|| parts.join("; ")),
        checks: Vec::new(),
    }
}
