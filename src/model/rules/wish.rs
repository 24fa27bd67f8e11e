//! What a person wishes of how their mail is dealt with, in the general forms that can be
//! obeyed: read from plain words, and written as a line of a profile.

use std::fmt;

use jiff::civil::{Date, Weekday};

use super::acts::{self, Act};
use super::book::{Book, WishCue};
use super::reading;
use super::scan::Scanned;
use super::scope::{Scope, named, stem};
use super::spoken::{Found, Spoken, begins_with};
use super::text::{class, folded};
use super::when;
use crate::email::Triage;

/// Wishes read from one text.
const MOST: usize = 200;
/// Characters of a greeting or a closing.
const LONGEST: usize = 40;

/// A wish, and the mail it is for.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Wish {
    pub scope: Scope,
    pub what: What,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    Formal,
    Casual,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum What {
    Triage(Triage),
    /// What a meeting takes where the email names no length.
    Minutes(u16),
    AtMost(u16),
    /// Earliest start, in minutes after midnight.
    Earliest(u16),
    /// Every start lies before it, in minutes after midnight.
    Before(u16),
    NotOn(Weekday),
    Greeting(String),
    SignOff(String),
    SignAs(String),
    Short,
    Tone(Tone),
    /// Something that every answer says, and how it was put.
    Always(String, Act),
}

/// A wish as it was said: it may point at the email in question ("this sender").
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Said {
    pub wish: Wish,
    pub here: bool,
    pub sentence: usize,
    /// Whether its sentence begins with it ("Please ignore …"), so that it is no part of
    /// what somebody else is to be told.
    pub leads: bool,
}

const TRIAGE: [WishCue; 8] = [
    WishCue::Ignore,
    WishCue::Notify,
    WishCue::Respond,
    WishCue::From,
    WishCue::SenderHere,
    WishCue::Team,
    WishCue::About,
    WishCue::When,
];

const MEETING: [WishCue; 17] = [
    WishCue::Meeting,
    WishCue::With,
    WishCue::From,
    WishCue::SenderHere,
    WishCue::Team,
    WishCue::About,
    WishCue::When,
    WishCue::Takes,
    WishCue::NotBefore,
    WishCue::NotAfter,
    WishCue::OrLater,
    WishCue::Before,
    WishCue::AtMost,
    WishCue::Afternoon,
    WishCue::Morning,
    WishCue::NotOn,
    WishCue::Instead,
];

/// How mail is sorted: wishes that name their mail, or point at the one in question.
pub(super) fn triage(book: &Book, text: &str) -> Vec<Said> {
    let spoken = Spoken::new(book, text, &TRIAGE);
    let mut found = Vec::new();
    for sentence in spoken.sentences() {
        let verb = spoken.cues_in(sentence).find_map(|found| {
            let label = match found.cue {
                WishCue::Ignore => Triage::Ignore,
                WishCue::Notify => Triage::Notify,
                WishCue::Respond => Triage::Respond,
                _ => return None,
            };
            Some((label, *found))
        });
        let Some((label, verb)) = verb else { continue };
        let named = named(&spoken, sentence, Some(&verb), &[WishCue::From]);
        let first = spoken.text.sentences[sentence].first as usize;
        for scope in named.scopes {
            if found.len() < MOST && (named.here || !scope.is_everything()) {
                found.push(Said {
                    here: named.here && scope.who.is_none(),
                    wish: Wish {
                        scope,
                        what: What::Triage(label),
                    },
                    sentence,
                    leads: verb.first <= first + 1,
                });
            }
        }
    }
    found
}

/// What words about meetings are read for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// A line of a profile: a length is a wish where the sentence speaks of meetings.
    Profile,
    /// What feedback on one meeting says of others. Hours of a weekday are no wish that can
    /// be obeyed, and mostly the one meeting's.
    Lesson,
    /// What it says of that meeting.
    Meeting,
}

/// How meetings are made.
pub(super) fn meeting(book: &Book, text: &str, used: Use) -> Vec<Said> {
    let spoken = Spoken::new(book, text, &MEETING);
    let mut found = Vec::new();
    for sentence in spoken.sentences() {
        let whats = meeting_whats(book, &spoken, sentence, used);
        if whats.is_empty() {
            continue;
        }
        let named = named(&spoken, sentence, None, &[WishCue::With, WishCue::From]);
        for scope in named.scopes {
            for what in &whats {
                if found.len() < MOST {
                    found.push(Said {
                        here: named.here && scope.who.is_none(),
                        wish: Wish {
                            scope: scope.clone(),
                            what: what.clone(),
                        },
                        sentence,
                        leads: false,
                    });
                }
            }
        }
    }
    found
}

fn meeting_whats(book: &Book, spoken: &Spoken, sentence: usize, used: Use) -> Vec<What> {
    let mut whats = Vec::new();
    let scanned = Scanned::new(book, spoken.text.sentence(sentence));
    let length = reading::times(book, &scanned, 0, None)
        .length
        .filter(|length| (5..=480).contains(length));
    if let Some(minutes) = length {
        if spoken.has(sentence, WishCue::AtMost) {
            whats.push(What::AtMost(minutes));
        } else if used != Use::Profile || spoken.has(sentence, WishCue::Meeting) {
            whats.push(What::Minutes(minutes));
        }
    }
    let weekdays = weekdays(book, spoken, sentence);
    let has_part = [WishCue::Afternoon, WishCue::Morning]
        .into_iter()
        .any(|cue| spoken.has(sentence, cue));
    if spoken.has(sentence, WishCue::NotOn) {
        // "No meetings on Friday in the afternoon" is more than can be obeyed.
        if !has_part {
            whats.extend(weekdays.into_iter().map(What::NotOn));
        }
        return whats;
    }
    if used != Use::Meeting && !weekdays.is_empty() {
        return whats;
    }
    for found in spoken.cues_in(sentence) {
        let hour = || hour_near(spoken, sentence, found);
        match found.cue {
            WishCue::NotBefore | WishCue::OrLater => whats.extend(hour().map(What::Earliest)),
            WishCue::NotAfter | WishCue::Before => whats.extend(hour().map(What::Before)),
            WishCue::Afternoon => whats.push(What::Earliest(12 * 60)),
            WishCue::Morning => whats.push(What::Before(12 * 60)),
            _ => {}
        }
    }
    whats
}

/// The time of day that stands right behind a cue, or else before it.
fn hour_near(spoken: &Spoken, sentence: usize, found: &Found) -> Option<u16> {
    let within = spoken.text.sentences[sentence];
    let behind = found.last..(found.last + 3).min(within.last as usize);
    let before = found.first.saturating_sub(4).max(within.first as usize)..found.first;
    behind.chain(before.rev()).find_map(|token| {
        if spoken.text.tokens[token].class & class::NUMBER == 0 {
            return None;
        }
        let next = (token + 1 < within.last as usize).then(|| spoken.word(token + 1));
        // "before 30 minutes" names no hour.
        if next.as_deref().is_some_and(|next| next.starts_with("min")) {
            return None;
        }
        when::hour(spoken.text.token(token), next.as_deref())
    })
}

fn weekdays(book: &Book, spoken: &Spoken, sentence: usize) -> Vec<Weekday> {
    let within = spoken.text.sentences[sentence];
    let names = &book.languages[0].weekdays;
    (within.first as usize..within.last as usize)
        .filter_map(|token| {
            let word = spoken.word(token);
            let place = names.iter().position(|name| folded(name) == stem(&word))?;
            Weekday::from_monday_zero_offset(place as i8).ok()
        })
        .collect()
}

/// How mail is written.
pub(super) fn style(book: &Book, text: &str) -> Vec<Said> {
    let spoken = Spoken::new(book, text, &acts::CUES);
    let mut found = Vec::new();
    for sentence in spoken.sentences() {
        let mut whats = style_whats(book, &spoken, sentence);
        if spoken.has(sentence, WishCue::Always) {
            let said = acts::line(spoken.text.sentence(sentence));
            let acts = acts::of_sentence(&spoken, sentence).into_iter();
            whats.extend(acts.map(|act| What::Always(said.clone(), act)));
        }
        if whats.is_empty() {
            continue;
        }
        let named = named(&spoken, sentence, None, &[WishCue::ToWhom]);
        for scope in named.scopes {
            for what in &whats {
                if found.len() < MOST {
                    found.push(Said {
                        here: false,
                        wish: Wish {
                            scope: scope.clone(),
                            what: what.clone(),
                        },
                        sentence,
                        leads: false,
                    });
                }
            }
        }
    }
    found
}

pub(super) fn style_whats(book: &Book, spoken: &Spoken, sentence: usize) -> Vec<What> {
    let mut whats = Vec::new();
    let within = spoken.text.sentences[sentence];
    let start = spoken.text.tokens[within.first as usize].start as usize;
    let whole = start.saturating_sub(3)..within.end as usize;
    let is_greeting = |text: &str| begins_with(book, text, WishCue::GreetingWord).is_some();
    match spoken.first(sentence, WishCue::Greet) {
        Some(found) => {
            let range = spoken.after(found, |next| next.cue != WishCue::ToWhom);
            let value = value(
                spoken,
                range.start..within.end.max(range.end as u32) as usize,
            );
            whats.extend(value.filter(|value| is_greeting(value)).map(What::Greeting));
        }
        // "'Dear', not 'Hi'"
        None => {
            let quote = spoken
                .quote_in(whole.clone())
                .filter(|quote| quote.chars().count() <= LONGEST);
            let says = acts::of_sentence(spoken, sentence);
            whats.extend(
                quote
                    .filter(|quote| says.is_empty() && is_greeting(quote))
                    .map(|quote| What::Greeting(trimmed(quote))),
            );
        }
    }
    for found in spoken.cues_in(sentence) {
        let said = || {
            let range = spoken.after(found, |next| next.cue != WishCue::ToWhom);
            value(spoken, range)
        };
        match found.cue {
            WishCue::SignOff => {
                if let Some(value) = said() {
                    let (closing, name) = match value.split_once(',') {
                        Some((closing, name)) => (closing.to_owned(), name.trim().to_owned()),
                        None => (value, String::new()),
                    };
                    let closes = begins_with(book, &closing, WishCue::ClosingWord).is_some();
                    if closes {
                        whats.push(What::SignOff(closing));
                    } else if closing.starts_with(char::is_uppercase) && name.is_empty() {
                        whats.push(What::SignAs(closing));
                    }
                    if !name.is_empty() {
                        whats.push(What::SignAs(name));
                    }
                }
            }
            WishCue::SignAs => {
                let name = said().filter(|name| name.starts_with(char::is_uppercase));
                whats.extend(name.map(What::SignAs));
            }
            WishCue::Short => whats.push(What::Short),
            WishCue::Formal => whats.push(What::Tone(Tone::Formal)),
            WishCue::Casual => whats.push(What::Tone(Tone::Casual)),
            _ => {}
        }
    }
    whats
}

/// What a greeting or a closing is to be: text in quotation marks, or the words that follow
/// where they begin with a capital.
fn value(spoken: &Spoken, range: std::ops::Range<usize>) -> Option<String> {
    if let Some(quote) = spoken.quote_in(range.clone()) {
        return Some(trimmed(quote))
            .filter(|value| !value.is_empty() && value.chars().count() <= LONGEST);
    }
    let ends = [
        "and", "instead", "not", "rather", "please", "in", "when", "for", "if", "but", "then",
    ];
    let run = spoken.run(range, |token| !ends.contains(&spoken.word(token).as_str()));
    let run = run.start..run.end.min(run.start + 4);
    let value = trimmed(spoken.source(run));
    value.starts_with(char::is_uppercase).then_some(value)
}

fn trimmed(text: &str) -> String {
    let line = acts::line(text);
    line.trim_end_matches([',', '.', '!', ':', ';', ' '])
        .to_owned()
}

impl Wish {
    /// Whether `self`, said later, takes the place of `earlier`.
    pub fn replaces(&self, earlier: &Wish) -> bool {
        let same = match (&self.what, &earlier.what) {
            (What::NotOn(day), What::NotOn(other)) => day == other,
            (What::Always(said, _), What::Always(other, _)) => said == other,
            // No time is left between them.
            (What::Earliest(from), What::Before(to)) | (What::Before(to), What::Earliest(from)) => {
                from >= to
            }
            // What meetings take and what they take at most.
            (What::Minutes(minutes), What::AtMost(most)) => minutes > most,
            (What::AtMost(most), What::Minutes(minutes)) => minutes > most,
            (what, other) => std::mem::discriminant(what) == std::mem::discriminant(other),
        };
        same && self.scope.is_same(&earlier.scope)
    }
}

impl fmt::Display for Wish {
    /// The line of a profile, without the mark of the list; it is read as the same wish.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Scope { who, topic, .. } = &self.scope;
        let about = match topic.as_str() {
            "" => String::new(),
            topic => format!(" about \"{topic}\""),
        };
        let with = |lead: &str| match who {
            Some(who) => format!(" {lead} {who}{about}"),
            None => about.clone(),
        };
        let clock = |minutes: &u16| format!("{}:{:02}", minutes / 60, minutes % 60);
        match &self.what {
            What::Triage(label) => return write!(f, "{label}: mail{}", with("from")),
            What::Minutes(minutes) => {
                return write!(f, "Meetings{} take {minutes} minutes.", with("with"));
            }
            What::AtMost(minutes) => {
                return write!(
                    f,
                    "Meetings{} take at most {minutes} minutes.",
                    with("with")
                );
            }
            What::Earliest(from) => {
                return write!(
                    f,
                    "Meetings{} start at {} or later.",
                    with("with"),
                    clock(from)
                );
            }
            What::Before(to) => {
                return write!(f, "Meetings{} start before {}.", with("with"), clock(to));
            }
            What::NotOn(day) => {
                let day = Date::new(2024, 1, 1)
                    .and_then(|monday| {
                        monday.checked_add(
                            jiff::Span::new().days(i64::from(day.to_monday_zero_offset())),
                        )
                    })
                    .expect("a day of the first week of 2024");
                let day = day.strftime("%A");
                return match self.scope.is_everything() {
                    true => write!(f, "No meetings on {day}."),
                    false => write!(f, "Meetings{} are not on {day}.", with("with")),
                };
            }
            // It was kept as it was said.
            What::Always(said, _) => return f.write_str(said),
            _ => {}
        }
        if let Some(who) = who {
            write!(f, "Mail to {who}: ")?;
        }
        match &self.what {
            What::Greeting(word) => write!(f, "Greet with \"{word}\"."),
            What::SignOff(closing) => write!(f, "Sign off with \"{closing}\"."),
            What::SignAs(name) => write!(f, "Sign as \"{name}\"."),
            What::Short => f.write_str("Keep answers short."),
            What::Tone(Tone::Formal) => f.write_str("Write formally."),
            What::Tone(Tone::Casual) => f.write_str("Write casually."),
            _ => unreachable!("written above"),
        }
    }
}
