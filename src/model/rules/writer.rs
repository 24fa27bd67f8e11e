//! Keeps a person's profile: adds what an answer of theirs teaches, as a line that can be
//! obeyed, and leaves everything else word for word.

use serde_json::Value;

use super::acts;
use super::book::{Book, WishCue};
use super::heard;
use super::profile::{self, Kind};
use super::reading::Reading;
use super::scope::{Scope, Who};
use super::spoken::begins_with;
use super::wish::{self, Said, Use, What, Wish};
use crate::email::Triage;

/// A profile of more bytes than this learns nothing more: it is sent with every email.
const MOST_BYTES: usize = 8 * 1024;
/// Lines that one answer adds, at most.
const MOST_LINES: usize = 5;

/// What begins the message that asks for a profile.
pub(super) const BEGINNING: &str = "<namespace>";

/// The new text, and what was learnt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rewritten {
    pub reasoning: String,
    pub profile: String,
}

/// A note about what a person answered.
struct Note<'a> {
    /// The person's words.
    said: Option<String>,
    /// Arguments, where they were changed: before, and after.
    edit: Option<(Value, Value)>,
    text: &'a str,
}

/// Something to add.
enum Lesson {
    Wish(Wish),
    /// Not understood, and kept as it was said.
    Sentence(String),
}

/// Reads the message with the blocks `namespace`, `profile` and `feedback`. `reading` is of
/// the email that the work was about, where the conversation holds one.
pub(super) fn rewrite(book: &Book, reading: &Reading, message: &str) -> Rewritten {
    let block = |tag| profile::block(message, tag).unwrap_or_default();
    let text = block("profile");
    let text = text.strip_prefix('\n').unwrap_or(text);
    let text = text.strip_suffix('\n').unwrap_or(text);
    let kind = Kind::ALL
        .into_iter()
        .find(|kind| kind.name() == block("namespace").trim());
    let note = Note::read(block("feedback"));
    let lessons = match kind {
        _ if text.len() > MOST_BYTES => Vec::new(),
        None => Vec::new(),
        Some(Kind::Triage) => triage_lessons(book, reading, &note),
        Some(Kind::Response) => response_lessons(book, &note),
        Some(Kind::Cal) => meeting_lessons(book, reading, &note),
    };
    let mut profile = text.to_owned();
    let mut told = Vec::new();
    for lesson in lessons.into_iter().take(MOST_LINES) {
        let kind = kind.expect("lessons are of a kind");
        let learnt = match &lesson {
            Lesson::Wish(wish) => with_wish(book, kind, &profile, wish),
            Lesson::Sentence(sentence) => with_sentence(&profile, sentence),
        };
        if let Some(learnt) = learnt {
            profile = learnt;
            told.push(match lesson {
                Lesson::Wish(wish) => format!("“{wish}”"),
                Lesson::Sentence(sentence) => format!("“{sentence}”"),
            });
        }
    }
    let reasoning = match told.is_empty() {
        true => "The answer teaches nothing that the profile does not say.".to_owned(),
        false => format!("The answer teaches {}.", told.join(", ")),
    };
    Rewritten { reasoning, profile }
}

impl<'a> Note<'a> {
    fn read(text: &'a str) -> Note<'a> {
        let argument = |name: &str| -> Option<Value> {
            let line = text.lines().find_map(|line| line.strip_prefix(name))?;
            serde_json::from_str(line.trim()).ok()
        };
        let said = ["with: ", "said: "].into_iter().find_map(|lead| {
            let (_, rest) = text.split_once(lead)?;
            let mut strings = serde_json::Deserializer::from_str(rest).into_iter::<String>();
            strings.next()?.ok()
        });
        let edit = argument("Proposed: ").zip(argument("Changed to: "));
        let is_told = said.is_some()
            || edit.is_some()
            || text.contains("sorted as")
            || text.contains("turned");
        Note {
            // A note in other words is the person's own.
            said: match is_told {
                true => said,
                false => Some(text.to_owned()),
            },
            edit,
            text,
        }
    }

    /// How emails like it are to be sorted: the label, or the one they are not to have.
    fn label(&self) -> Option<Result<Triage, Triage>> {
        let text = self
            .text
            .lines()
            .rev()
            .find(|line| line.contains("sorted as ") && line.contains("like it"))?;
        let (before, after) = text.rsplit_once("sorted as ")?;
        let label: Triage = after
            .trim_matches(|c: char| !c.is_alphabetic())
            .parse()
            .ok()?;
        Some(match before.trim_end().ends_with("not to be") {
            true => Err(label),
            false => Ok(label),
        })
    }
}

fn triage_lessons(book: &Book, reading: &Reading, note: &Note) -> Vec<Lesson> {
    let is_person = reading.person && !reading.cold;
    let label = note.label().map(|label| match label {
        Ok(label) => label,
        // Nobody waits for an answer; what a person wrote may still be worth knowing.
        Err(Triage::Respond) if is_person => Triage::Notify,
        Err(_) => Triage::Ignore,
    });
    let said = note.said.as_deref().unwrap_or_default();
    let wishes: Vec<Wish> = wish::triage(book, said)
        .into_iter()
        // "Tell them to ignore mail from Bob" is no wish about Bob's mail; "Ignore mail about
        // certificates" is one, whatever becomes of the email it was said of.
        .filter(|said| {
            said.leads || label.is_none_or(|label| said.wish.what == What::Triage(label))
        })
        .filter_map(|said| here(said, reading))
        .collect();
    if !wishes.is_empty() {
        return wishes.into_iter().map(Lesson::Wish).collect();
    }
    let Some(label) = label else {
        return kept(said);
    };
    // One answer about a person's mail is none about all of it.
    let topic = match is_person && label != Triage::Respond {
        true => reading.subject.replace(['"', '“', '”', '„', '«', '»'], " "),
        false => String::new(),
    };
    match Who::sender(&reading.sender) {
        Some(who) => vec![Lesson::Wish(Wish {
            scope: Scope::new(Some(who), &acts::line(&topic)),
            what: What::Triage(label),
        })],
        None => kept(said),
    }
}

fn response_lessons(book: &Book, note: &Note) -> Vec<Lesson> {
    if let Some((before, after)) = &note.edit {
        let content =
            |arguments: &Value| arguments["content"].as_str().unwrap_or_default().to_owned();
        let whats = edited_style(book, &content(before), &content(after));
        return whats.into_iter().map(everywhere).collect();
    }
    let Some(said) = &note.said else {
        return Vec::new();
    };
    let wishes = wish::style(book, said);
    if !wishes.is_empty() {
        let general = wishes.into_iter().map(|said| match said.wish.what {
            What::Greeting(greeting) => Wish {
                what: What::Greeting(without_name(book, &greeting)),
                scope: said.wish.scope,
            },
            what => Wish {
                what,
                scope: said.wish.scope,
            },
        });
        return general.map(Lesson::Wish).collect();
    }
    // What was to be said in this one mail is no wish for others.
    match heard::understood(book, said).acts.is_empty() {
        true => kept(said),
        false => Vec::new(),
    }
}

fn meeting_lessons(book: &Book, reading: &Reading, note: &Note) -> Vec<Lesson> {
    if let Some((before, after)) = &note.edit {
        let minutes = |arguments: &Value| arguments["duration_minutes"].as_u64();
        let changed =
            minutes(after).filter(|minutes_after| Some(*minutes_after) != minutes(before));
        let minutes = changed.and_then(|minutes| u16::try_from(minutes).ok());
        return minutes
            .map(What::Minutes)
            .map(everywhere)
            .into_iter()
            .collect();
    }
    let Some(said) = &note.said else {
        return Vec::new();
    };
    let wishes = wish::meeting(book, said, Use::Lesson);
    if !wishes.is_empty() {
        let wishes = wishes.into_iter().filter_map(|said| here(said, reading));
        return wishes.map(Lesson::Wish).collect();
    }
    // A day or a time is of this meeting alone.
    let of_this = heard::meeting_changes(book, said, reading.sent).is_some()
        || !heard::understood(book, said).acts.is_empty();
    match of_this {
        true => Vec::new(),
        false => kept(said),
    }
}

/// A wish that points at the email in question, said of its sender.
fn here(said: Said, reading: &Reading) -> Option<Wish> {
    let Said {
        wish: Wish { scope, what },
        here,
        ..
    } = said;
    if !here {
        return Some(Wish { scope, what });
    }
    let who = Who::sender(&reading.sender)?;
    Some(Wish {
        scope: Scope::new(Some(who), &scope.topic),
        what,
    })
}

fn everywhere(what: What) -> Lesson {
    Lesson::Wish(Wish {
        scope: Scope::default(),
        what,
    })
}

fn kept(said: &str) -> Vec<Lesson> {
    let line = acts::sentence(said.trim_start_matches(['-', '*', '•', ' ']));
    match line.is_empty() {
        true => Vec::new(),
        false => vec![Lesson::Sentence(line)],
    }
}

/// What the change of a draft shows: its first line, its last lines, and its length.
fn edited_style(book: &Book, before: &str, after: &str) -> Vec<What> {
    let mut whats = Vec::new();
    let lines = |text: &str| -> Vec<String> {
        text.lines()
            .map(acts::line)
            .filter(|line| !line.is_empty())
            .collect()
    };
    let (old, new) = (lines(before), lines(after));
    let (Some(first), Some(last)) = (new.first(), new.last()) else {
        return whats;
    };
    let greeting = |line: Option<&String>| {
        let line = line.map(|line| line.trim_end_matches([',', '!', ':', '.', ' ']))?;
        let words = begins_with(book, line, WishCue::GreetingWord)?;
        (line.split_whitespace().count() <= words + 4).then(|| without_name(book, line))
    };
    if let Some(word) = greeting(Some(first))
        && greeting(old.first()).as_ref() != Some(&word)
    {
        whats.push(What::Greeting(word));
    }
    // The closing is the last line that begins as one, of the last three.
    let closing = |lines: &[String]| {
        let at = (lines.len().saturating_sub(3).max(1)..lines.len())
            .rev()
            .find(|at| {
                let line = &lines[*at];
                line.split_whitespace().count() <= 4
                    && begins_with(book, line, WishCue::ClosingWord).is_some()
            })?;
        Some((
            lines[at].trim_end_matches([',', '.', '!', ' ']).to_owned(),
            lines.get(at + 1).cloned(),
        ))
    };
    if let Some((words, name)) = closing(&new) {
        let (old_words, old_name) = closing(&old).unzip();
        if old_words.is_none_or(|old| old != words) {
            whats.push(What::SignOff(words));
        }
        let old_name = old_name.flatten().or_else(|| old.last().cloned());
        if let Some(name) =
            name.filter(|name| name == last && is_name(name) && Some(name) != old_name.as_ref())
        {
            whats.push(What::SignAs(name));
        }
    }
    let length = |text: &str| text.split_whitespace().count();
    if length(after) * 2 <= length(before) {
        whats.push(What::Short);
    }
    whats
}

fn is_name(line: &str) -> bool {
    let words: Vec<&str> = line.split_whitespace().collect();
    let is_word = |word: &&str| {
        word.starts_with(char::is_uppercase)
            && word
                .chars()
                .all(|c| c.is_alphabetic() || matches!(c, '-' | '.' | '\''))
    };
    (1..=3).contains(&words.len()) && words.iter().all(is_word)
}

/// The words of a greeting that serve for everybody: "Dear" of "Dear Ana".
fn without_name(book: &Book, greeting: &str) -> String {
    match begins_with(book, greeting, WishCue::GreetingWord) {
        Some(words) => greeting
            .split_whitespace()
            .take(words)
            .collect::<Vec<_>>()
            .join(" "),
        None => greeting.to_owned(),
    }
}

/// The profile with a wish in it; `None` where it says so already.
fn with_wish(book: &Book, kind: Kind, profile: &str, wish: &Wish) -> Option<String> {
    let lines: Vec<&str> = profile.lines().collect();
    let said: Vec<Vec<Wish>> = lines
        .iter()
        .map(|line| profile::of_line(book, kind, line))
        .collect();
    let replaced = |wishes: &Vec<Wish>| {
        !wishes.is_empty() && wishes.iter().all(|earlier| wish.replaces(earlier))
    };
    let last = said
        .iter()
        .rev()
        .flat_map(|wishes| wishes.iter().rev())
        .find(|earlier| wish.replaces(earlier));
    if last.is_some_and(|last| is_same(last, wish)) {
        return None;
    }
    let line = format!("- {wish}");
    let mut kept: Vec<&str> = Vec::with_capacity(lines.len() + 1);
    let mut placed = false;
    for (text, wishes) in lines.iter().zip(&said) {
        match (replaced(wishes), placed) {
            (false, _) => kept.push(text),
            (true, false) => {
                kept.push(&line);
                placed = true;
            }
            (true, true) => {}
        }
    }
    if !placed {
        let place = match &wish.what {
            What::Triage(label) => under_heading(&kept, *label),
            _ => None,
        };
        kept.insert(place.unwrap_or(kept.len()), &line);
    }
    Some(kept.join("\n"))
}

/// Whether two wishes of the same subject wish for the same.
fn is_same(one: &Wish, other: &Wish) -> bool {
    match (&one.what, &other.what) {
        (What::Greeting(one), What::Greeting(other))
        | (What::SignOff(one), What::SignOff(other))
        | (What::SignAs(one), What::SignAs(other)) => one == other,
        (What::Always(one, _), What::Always(other, _)) => one == other,
        (one, other) => one == other,
    }
}

/// Behind the last item under the heading of a label ("Ignore, because …:").
fn under_heading(lines: &[&str], label: Triage) -> Option<usize> {
    let is_item = |line: &str| line.trim_start().starts_with(['-', '*', '•']);
    let heading = lines.iter().position(|line| {
        let first = line
            .split(|c: char| !c.is_alphabetic())
            .next()
            .unwrap_or_default();
        line.trim_end().ends_with(':') && first.eq_ignore_ascii_case(label.name())
    })?;
    let items = lines[heading + 1..]
        .iter()
        .take_while(|line| is_item(line))
        .count();
    Some(heading + 1 + items)
}

fn with_sentence(profile: &str, sentence: &str) -> Option<String> {
    let line = format!("- {sentence}");
    if profile.lines().any(|known| known.trim() == line) {
        return None;
    }
    Some(match profile.is_empty() {
        true => line,
        false => format!("{profile}\n{line}"),
    })
}
