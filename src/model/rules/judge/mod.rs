//! Judges somebody else's mail by cues in its words.
//!
//! It gets what any judge gets, a statement and the material between two fences, and
//! answers the same object. It does not understand: it takes a statement apart into what it
//! demands ([`demand`]), and looks for words, days and numbers that would be there if the
//! demand were met. Every verdict names its cue, and quotes the sentence where there is one.
//!
//! # What it understands
//! Alternatives (", or …"), of which one is enough; conjunctions ("and asks …"), of which
//! all are needed; "no", "nothing", "does not", which turn a demand round.
//!
//! | statement | met by |
//! | --- | --- |
//! | says, addresses, answers, mentions X | a sentence with enough of X's words, or of words that mean the same, that neither asks, nor repeats the email, nor puts it off |
//! | says whether X | the same with a yes, a no, or a promise in it |
//! | promises by D, says when X, when somebody will know | a day or an hour in time, with words of doing or of X |
//! | names, confirms, proposes, accepts a day, an hour, a number | the same day or hour in any usual form, also "tomorrow" and "half past ten"; the hour that the record says was booked |
//! | one of the times, of the options, A or B | a day and hour of the email, one label such as "(b)", words of one of the two |
//! | asks, thanks, apologises, declines, wishes well | words that do so |
//! | contains no key, text of other mail, invented facts | nothing that looks like one: letters and digits mixed, headers or strange recipients, figures that no mail before it had |
//! | is written in a language; polite, warm, formal, informal; short, at most N words | the commonest words of the languages; counts of cues; counts |
//!
//! What a person said of a draft ([`instruction`]) is read as wishes, and each is looked for
//! in what was sent or booked ([`effect`]); a lesson ([`lesson`]) must stand in a new line
//! of the profile, and every old line in the new text; a decision ([`sorted`]) is compared
//! with the one that this model comes to. Of two runs ([`pair`]) the one that answers more of
//! the email's questions is better.
//!
//! # What it makes of doubt
//! No trace of a demand is a fail, and half of its words are `cannot_tell`. What speaks to
//! whoever judges, looks like a verdict, or imitates a fence is taken out, with its
//! paragraph, before anything is looked for; what the record has of calls counts more than
//! what a mail says of them. Everything is read up to a bound and in linear time.

mod choice;
mod criteria;
mod demand;
mod effect;
mod forbidden;
mod instruction;
mod lesson;
mod lexicon;
mod material;
mod pair;
mod prose;
mod sorted;
mod style;
mod times;

use serde_json::{Map, Value, json};

use self::criteria::Case;
use self::material::Shown;
use super::book::Book;
use crate::message::Message;
use crate::model::OutputSchema;

/// The name of the schema that a judge is asked with.
pub(super) const SCHEMA: &str = "judgement";

/// Quotes that are given.
const QUOTES: usize = 4;

/// What was found of one demand, the better the greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Found {
    Unmet,
    Unsure,
    Met,
}

/// What was found, by which cue, and where.
#[derive(Clone, Debug)]
struct Finding {
    found: Found,
    /// Sentences.
    reasons: Vec<String>,
    /// Each stands in one place of the material.
    quotes: Vec<String>,
}

impl Finding {
    fn new(found: Found, reason: &str, quote: Option<String>) -> Finding {
        let quotes: Vec<String> = quote
            .into_iter()
            .filter(|quote| !quote.is_empty())
            .collect();
        let reason = match quotes.first() {
            Some(quote) => format!("{}: “{}”.", reason.trim_end_matches('.'), shortened(quote)),
            None => format!("{}.", reason.trim_end_matches('.')),
        };
        Finding {
            found,
            reasons: vec![reason],
            quotes,
        }
    }

    fn met(reason: &str, quote: String) -> Finding {
        Finding::new(Found::Met, reason, Some(quote))
    }

    /// Met, with nothing to point at.
    fn holds(reason: &str) -> Finding {
        Finding::new(Found::Met, reason, None)
    }

    fn unmet(reason: &str) -> Finding {
        Finding::new(Found::Unmet, reason, None)
    }

    fn unmet_at(reason: &str, quote: String) -> Finding {
        Finding::new(Found::Unmet, reason, Some(quote))
    }

    fn unsure(reason: &str) -> Finding {
        Finding::new(Found::Unsure, reason, None)
    }

    fn unsure_at(reason: &str, quote: String) -> Finding {
        Finding::new(Found::Unsure, reason, Some(quote))
    }

    /// Both are demanded.
    fn and(self, other: Finding) -> Finding {
        self.joined(other, Found::min)
    }

    /// One is enough: then only what met it is told.
    fn or(self, other: Finding) -> Finding {
        if other.found == Found::Met {
            return other;
        }
        self.joined(other, Found::max)
    }

    fn joined(mut self, other: Finding, which: fn(Found, Found) -> Found) -> Finding {
        self.found = which(self.found, other.found);
        for reason in other.reasons {
            if !self.reasons.contains(&reason) {
                self.reasons.push(reason);
            }
        }
        for quote in other.quotes {
            if !self.quotes.contains(&quote) {
                self.quotes.push(quote);
            }
        }
        self
    }
}

/// The head of a quote, for the reasoning.
fn shortened(quote: &str) -> String {
    let line: Vec<&str> = quote.split_whitespace().collect();
    let line = line.join(" ");
    match line.char_indices().nth(80) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

/// The answer to a judge's question, with the properties that the schema asks for.
pub(super) fn answer(book: &Book, output: &OutputSchema, messages: &[Message]) -> Value {
    let shown = Shown::read(messages);
    let case = Case::read(book, &shown);
    let mut finding = if shown.text("Profile after").is_some() {
        lesson::judge(book, &case, &shown)
    } else if shown.text("What the person said").is_some() {
        instruction::judge(book, &case, &shown)
    } else if shown.text("The decision").is_some() {
        sorted::judge(book, &shown)
    } else if shown.text("The first").is_some() {
        pair::judge(book, &shown)
    } else {
        criteria::judge(&case, &shown.statement)
    };
    if case.mails.iter().any(|(mail, _)| mail.steers) {
        let told = "A passage that speaks to whoever judges was left out.";
        finding.reasons.push(told.to_owned());
    }
    // A pass needs something to point at, also where it is that nothing of the kind is there.
    if finding.found == Found::Met && finding.quotes.is_empty() {
        finding.quotes.extend(shown.first_words());
    }
    finding.quotes.truncate(QUOTES);
    let (verdict, grade) = match finding.found {
        Found::Met => ("pass", 4),
        Found::Unsure => ("cannot_tell", 3),
        Found::Unmet => ("fail", 2),
    };
    let object = json!({
        "reasoning": finding.reasons.join(" "),
        "quotes": finding.quotes,
        "verdict": verdict,
        "grade": grade,
    });
    let properties = &output.schema["properties"];
    let Value::Object(object) = object else {
        unreachable!("the answer is an object")
    };
    let asked = object
        .into_iter()
        .filter(|(name, _)| properties.get(name).is_some());
    Value::Object(asked.collect::<Map<String, Value>>())
}

#[cfg(test)]
mod tests;
