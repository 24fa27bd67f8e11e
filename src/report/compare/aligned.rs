//! Two attempts at one example as values: what both did, what one alone did, and which words
//! differ. The terminal and the page show these, each in its own way.
//!
//! Texts stand as the journals have them, but bounded; whoever shows them escapes them.

use serde::Serialize;
use serde_json::Value;
use similar::{Algorithm, ChangeTag, DiffOp, TextDiff, capture_diff_slices};

use crate::experiment::Attempt;
use crate::judge::{Judged, Ruling};
use crate::message::{ToolStatus, visible};
use crate::report::escape::bounded;
use crate::report::judges::words::verdict_word as ruled;
use crate::run::{Run, Step};

/// Characters of one text that are compared word by word: how long that takes grows with
/// their square.
const WORDS_COMPARED: usize = 4_000;
/// Characters of all texts of an example that are compared or shown.
const ROOM: usize = 60_000;
/// Calls of one side for each email.
const CALLS_SHOWN: usize = 60;
/// Answers of people on one side for each email.
const ANSWERS_SHOWN: usize = 100;
/// Arguments of one call.
const ARGUMENTS_SHOWN: usize = 40;
/// Characters of a name.
const NAME_SHOWN: usize = 60;

/// What differs between two attempts at one example.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Aligned {
    /// The keys whose score changed.
    pub scores: Vec<ScoreChange>,
    /// The statements that judges ruled on otherwise.
    pub rulings: Vec<RulingChange>,
    /// One for each email: an episode has several.
    pub emails: Vec<Email>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ScoreChange {
    pub key: &'static str,
    /// From 0 to 1.
    pub reference: f64,
    pub candidate: f64,
    /// Of the side that scored less.
    pub comment: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RulingChange {
    pub judge: &'static str,
    pub statement: String,
    pub reference: Ruled,
    pub candidate: Ruled,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Ruled {
    pub verdict: &'static str,
    /// Empty where none was given.
    pub reason: String,
}

/// One email as both handled it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Email {
    /// Why it was decided so, where it was decided otherwise.
    pub reasoning: Option<Words>,
    pub calls: Vec<Row>,
    /// Calls of both sides that are not among [`Email::calls`].
    pub calls_left: usize,
    /// What people answered.
    pub people: Vec<(Sign, String)>,
}

/// Whose something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Sign {
    #[serde(rename = "=")]
    Both,
    /// The reference's alone.
    #[serde(rename = "-")]
    Gone,
    /// The candidate's alone.
    #[serde(rename = "+")]
    Came,
}

/// Calls that stand for each other.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "is", rename_all = "lowercase")]
pub enum Row {
    /// Both made it, with equal arguments, and it came to the same.
    Same { call: Title },
    Changed {
        reference: Title,
        candidate: Title,
        arguments: Vec<ChangedArgument>,
        /// Names of the arguments that are equal.
        same: Vec<String>,
    },
    /// The reference alone made it.
    Gone {
        call: Title,
        arguments: Vec<(String, String)>,
    },
    /// The candidate alone made it.
    Came {
        call: Title,
        arguments: Vec<(String, String)>,
    },
}

/// Which tool was called, and what became of it where that was not the usual.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Title {
    pub name: String,
    pub ended: Option<&'static str>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ChangedArgument {
    pub name: String,
    pub words: Words,
}

/// Two texts in one: words that went one after another stand together, spaces outside.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Words {
    pub parts: Vec<(Sign, String)>,
    /// Characters of the longer text that were not compared.
    pub left: usize,
    /// Why nothing is marked where nothing is, and what was not compared.
    pub note: Option<String>,
}

impl Aligned {
    /// `clean` is what is done to a text before it is compared: what it takes out is in no part
    /// of it.
    pub fn of(
        reference: &Attempt<Run>,
        candidate: &Attempt<Run>,
        clean: &dyn Fn(&str) -> String,
    ) -> Aligned {
        let mut room = Room { left: ROOM, clean };
        let runs = reference.runs.len().max(candidate.runs.len());
        let emails = (0..runs).map(|number| {
            let (one, other) = (reference.runs.get(number), candidate.runs.get(number));
            room.email(one, other)
        });
        Aligned {
            emails: emails.collect(),
            scores: scores(reference, candidate),
            rulings: rulings(&reference.judged, &candidate.judged),
        }
    }
}

fn scores(reference: &Attempt<Run>, candidate: &Attempt<Run>) -> Vec<ScoreChange> {
    let changed = candidate.feedback.iter().filter_map(|after| {
        let before = reference.feedback.iter().find(|it| it.key == after.key)?;
        let lesser = match before.score.get() < after.score.get() {
            true => before,
            false => after,
        };
        (before.score != after.score).then(|| ScoreChange {
            key: after.key.name(),
            reference: before.score.get(),
            candidate: after.score.get(),
            comment: lesser.comment.clone(),
        })
    });
    changed.collect()
}

fn rulings(reference: &[Judged], candidate: &[Judged]) -> Vec<RulingChange> {
    let side = |ruling: &Ruling| Ruled {
        verdict: ruled(ruling.verdict),
        reason: ruling.reason.clone(),
    };
    let mut changed = Vec::new();
    for judged in candidate {
        let before = reference.iter().find(|it| it.judge == judged.judge);
        let before = before.map_or(&[][..], |judged| &judged.rulings);
        for after in &judged.rulings {
            let before = before.iter().find(|it| it.statement == after.statement);
            let before = before.filter(|before| before.verdict != after.verdict);
            changed.extend(before.map(|before| RulingChange {
                judge: judged.judge.name(),
                statement: after.statement.clone(),
                reference: side(before),
                candidate: side(after),
            }));
        }
    }
    changed
}

/// What people answered, a line each.
fn answers(run: &Run) -> Vec<String> {
    let answer = |step: &Step| match step {
        Step::Interrupt {
            interrupt,
            response,
            answered_by,
            ..
        } => Some(format!(
            "{}: {} by {}",
            bounded(&interrupt.action, NAME_SHOWN),
            response.kind(),
            bounded(answered_by, NAME_SHOWN)
        )),
        Step::Model { .. } | Step::Tool { .. } | Step::Memory { .. } => None,
    };
    let answers = run.steps.iter().filter_map(answer);
    answers.take(ANSWERS_SHOWN).collect()
}

/// A call as the conversation has it in the end.
#[derive(Clone, Debug, PartialEq)]
struct Call {
    name: String,
    /// What became of it; `None` where nothing answered it.
    status: Option<ToolStatus>,
    arguments: Vec<(String, String)>,
}

impl Call {
    fn all(run: &Run) -> Vec<Call> {
        let messages = visible(&run.messages);
        let status = |id: &str| {
            let answer = messages
                .iter()
                .find(|it| it.tool_call_id.as_deref() == Some(id));
            answer.map(|message| message.status)
        };
        let calls = messages.iter().flat_map(|message| &message.tool_calls);
        calls
            .map(|call| Call {
                name: call.name.to_ascii_lowercase(),
                status: status(&call.id),
                arguments: match &call.arguments {
                    Value::Object(map) => map
                        .iter()
                        .map(|(name, value)| (name.clone(), argument(value)))
                        .collect(),
                    other => vec![("arguments".to_owned(), argument(other))],
                },
            })
            .collect()
    }

    fn title(&self) -> Title {
        Title {
            name: bounded(&self.name, NAME_SHOWN).into_owned(),
            ended: match self.status {
                Some(ToolStatus::Executed) => None,
                Some(ToolStatus::Failed) => Some("failed"),
                Some(ToolStatus::Denied) => Some("turned down"),
                Some(ToolStatus::Answered) => Some("answered by the person"),
                None => Some("did not run"),
            },
        }
    }

    fn argument(&self, name: &str) -> &str {
        let found = self.arguments.iter().find(|(other, _)| other == name);
        found.map_or("", |(_, text)| text)
    }
}

/// An argument as a person reads it.
fn argument(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// What may still be compared of an example, and how it is made fit for that.
struct Room<'a> {
    left: usize,
    clean: &'a dyn Fn(&str) -> String,
}

impl Room<'_> {
    fn email(&mut self, reference: Option<&Run>, candidate: Option<&Run>) -> Email {
        let calls = |run: Option<&Run>| run.map(Call::all).unwrap_or_default();
        let (mut before, mut after) = (calls(reference), calls(candidate));
        let all = before.len() + after.len();
        before.truncate(CALLS_SHOWN);
        after.truncate(CALLS_SHOWN);
        let answers = |run: Option<&Run>| run.map(answers).unwrap_or_default();
        let triage = |run: Option<&Run>| run.and_then(|run| run.triage);
        let why = |run: Option<&Run>| run.and_then(|run| run.reasoning.clone());
        let reasoning = (triage(reference) != triage(candidate))
            .then(|| (why(reference), why(candidate)))
            .filter(|(before, after)| before != after);
        Email {
            reasoning: reasoning.map(|(before, after)| {
                self.words(&before.unwrap_or_default(), &after.unwrap_or_default())
            }),
            calls_left: all - before.len() - after.len(),
            calls: self.rows(&before, &after),
            people: aligned_lines(&answers(reference), &answers(candidate)),
        }
    }

    /// Pairs calls that stand for each other, in order: by name, as the longest common
    /// sequence has them.
    fn rows(&mut self, reference: &[Call], candidate: &[Call]) -> Vec<Row> {
        let names = |calls: &[Call]| -> Vec<String> {
            calls.iter().map(|call| call.name.clone()).collect()
        };
        let ops = capture_diff_slices(Algorithm::Myers, &names(reference), &names(candidate));
        let mut rows = Vec::new();
        for op in ops {
            let (old, new) = (&reference[op.old_range()], &candidate[op.new_range()]);
            if let DiffOp::Equal { .. } = op {
                rows.extend(
                    old.iter()
                        .zip(new)
                        .map(|(one, other)| self.both(one, other)),
                );
                continue;
            }
            rows.extend(old.iter().map(|call| Row::Gone {
                call: call.title(),
                arguments: self.arguments(call),
            }));
            rows.extend(new.iter().map(|call| Row::Came {
                call: call.title(),
                arguments: self.arguments(call),
            }));
        }
        rows
    }

    fn both(&mut self, before: &Call, after: &Call) -> Row {
        if before == after {
            return Row::Same {
                call: after.title(),
            };
        }
        let mut names: Vec<&str> = Vec::new();
        for (name, _) in before.arguments.iter().chain(&after.arguments) {
            if !names.contains(&name.as_str()) && names.len() < ARGUMENTS_SHOWN {
                names.push(name);
            }
        }
        let (mut arguments, mut same) = (Vec::new(), Vec::new());
        for name in names {
            let shown = bounded(name, NAME_SHOWN).into_owned();
            let (old, new) = (before.argument(name), after.argument(name));
            match old == new {
                true => same.push(shown),
                false => arguments.push(ChangedArgument {
                    name: shown,
                    words: self.words(old, new),
                }),
            }
        }
        Row::Changed {
            reference: before.title(),
            candidate: after.title(),
            arguments,
            same,
        }
    }

    fn arguments(&mut self, call: &Call) -> Vec<(String, String)> {
        let arguments = call.arguments.iter().take(ARGUMENTS_SHOWN);
        let arguments = arguments.map(|(name, text)| {
            let text = (self.clean)(text);
            let shown = bounded(&text, WORDS_COMPARED.min(self.left)).into_owned();
            self.left -= shown.chars().count().min(self.left);
            (bounded(name, NAME_SHOWN).into_owned(), shown)
        });
        arguments.collect()
    }

    fn words(&mut self, old: &str, new: &str) -> Words {
        let (old, new) = ((self.clean)(old), (self.clean)(new));
        let most = WORDS_COMPARED.min(self.left);
        let words = words(&old, &new, most);
        let length = |text: &str| text.chars().take(most).count();
        self.left -= length(&old).max(length(&new));
        words
    }
}

fn aligned_lines(reference: &[String], candidate: &[String]) -> Vec<(Sign, String)> {
    let old: Vec<&str> = reference.iter().map(String::as_str).collect();
    let new: Vec<&str> = candidate.iter().map(String::as_str).collect();
    let diff = TextDiff::from_slices(&old, &new);
    let changes = diff.iter_all_changes();
    changes
        .map(|change| (sign(change.tag()), change.value().to_owned()))
        .collect()
}

fn sign(tag: ChangeTag) -> Sign {
    match tag {
        ChangeTag::Equal => Sign::Both,
        ChangeTag::Delete => Sign::Gone,
        ChangeTag::Insert => Sign::Came,
    }
}

impl Words {
    fn noted(mut self) -> Words {
        let is_same = self.parts.iter().all(|(sign, _)| *sign == Sign::Both);
        let left = crate::report::figures::plural(self.left as u64, "more character");
        self.note = match (self.left, is_same) {
            (0, false) => None,
            (0, true) => Some("they differ in spaces and line breaks alone".to_owned()),
            (_, false) => Some(format!("{left} not compared")),
            (_, true) => Some(format!("no word differs up to here; {left} not compared")),
        };
        self
    }

    fn push(&mut self, sign: Sign, text: &str) {
        match self.parts.last_mut() {
            _ if text.is_empty() => {}
            Some((last, part)) if *last == sign => part.push_str(text),
            _ => self.parts.push((sign, text.to_owned())),
        }
    }

    /// What went, then what came. Signs hug the words, so that spaces at the edges stay
    /// outside.
    fn flush(&mut self, gone: &mut String, came: &mut String) {
        let edge = match came.trim().is_empty() {
            true => &*gone,
            false => &*came,
        };
        let (start, end) = (
            edge[..edge.len() - edge.trim_start().len()].to_owned(),
            edge[edge.trim_end().len()..].to_owned(),
        );
        let is_space = edge.trim().is_empty();
        self.push(Sign::Both, &start);
        self.push(Sign::Gone, gone.trim());
        self.push(Sign::Came, came.trim());
        // Spaces alone have no end beside their start.
        if !is_space {
            self.push(Sign::Both, &end);
        }
        gone.clear();
        came.clear();
    }
}

/// The first `most` characters of both texts, word by word.
pub fn words(old: &str, new: &str, most: usize) -> Words {
    let start = |text: &str| {
        let end = text.char_indices().nth(most).map(|(end, _)| end);
        end.unwrap_or(text.len())
    };
    let (old, old_left) = old.split_at(start(old));
    let (new, new_left) = new.split_at(start(new));
    let left = old_left.chars().count().max(new_left.chars().count());
    let mut words = Words {
        parts: Vec::new(),
        left,
        note: None,
    };
    let diff = TextDiff::from_words(old, new);
    let (mut gone, mut came) = (String::new(), String::new());
    let changes: Vec<_> = diff.iter_all_changes().collect();
    for (at, change) in changes.iter().enumerate() {
        let value = change.value();
        let changing = !gone.is_empty() || !came.is_empty();
        match change.tag() {
            ChangeTag::Delete => gone.push_str(value),
            ChangeTag::Insert => came.push_str(value),
            ChangeTag::Equal => {
                let goes_on = changes
                    .get(at + 1)
                    .is_some_and(|it| it.tag() != ChangeTag::Equal);
                if changing && goes_on && value.trim().is_empty() && !value.contains('\n') {
                    gone.push_str(value);
                    came.push_str(value);
                } else {
                    words.flush(&mut gone, &mut came);
                    words.push(Sign::Both, value);
                }
            }
        }
    }
    words.flush(&mut gone, &mut came);
    words.noted()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What one side has of a text, spaces aside.
    fn side(words: &Words, without: Sign) -> String {
        let parts = words.parts.iter().filter(|(sign, _)| *sign != without);
        plain(&parts.map(|(_, text)| text.as_str()).collect::<String>())
    }

    fn plain(text: &str) -> String {
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn what_is_not_compared_is_counted() {
        for (old, new, note) in [
            ("one two", "one 2", None),
            (
                "one  two",
                "one two",
                Some("they differ in spaces and line breaks alone"),
            ),
            (
                "0123456789 and",
                "0123456789 or",
                Some("no word differs up to here; 4 more characters not compared"),
            ),
            (
                "a 3456789 and",
                "b 3456789 or",
                Some("3 more characters not compared"),
            ),
        ] {
            assert_eq!(words(old, new, 10).note.as_deref(), note, "{old:?} {new:?}");
        }
    }

    #[test]
    fn an_example_is_compared_up_to_its_room() {
        let long = "word ".repeat(2_000);
        let mut room = Room {
            left: 5_000,
            clean: &str::to_owned,
        };
        let left: Vec<usize> = (0..3).map(|_| room.words(&long, "word").left).collect();
        assert_eq!(left, [6_000, 9_000, 10_000]);
        assert_eq!(room.left, 0);
    }

    #[test]
    fn a_secret_is_taken_out_before_words_are_compared() {
        let clean = |text: &str| text.replace("my secret", "[redacted]");
        let mut room = Room {
            left: ROOM,
            clean: &clean,
        };
        let words = room.words("it is my secret now", "it is my now");
        let texts: Vec<&str> = words.parts.iter().map(|(_, text)| text.as_str()).collect();
        assert_eq!(texts, ["it is ", "[redacted]", "my", " now"]);
    }

    proptest! {
        /// Nothing is lost, added, or put elsewhere.
        #[test]
        fn each_side_has_its_own_words(old in "[ab\n ]{0,40}", new in "[ab\n ]{0,40}") {
            let words = words(&old, &new, 100);
            prop_assert_eq!(side(&words, Sign::Came), plain(&old));
            prop_assert_eq!(side(&words, Sign::Gone), plain(&new));
        }
    }
}
