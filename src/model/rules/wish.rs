//! What a person wishes of how their mail is dealt with, in the general forms that can be
//! obeyed: read from plain words, and written as a line of a profile.

use std::fmt;

use jiff::civil::{Date, Weekday};

use super::acts::{self, Act};
use super::book::{Book, WishCue};
use super::envelope::Mailbox;
use super::reading::{self, Reading};
use super::scan::Scanned;
use super::spoken::{Found, Spoken, begins_with};
use super::text::{Text, class, folded, is_address};
use super::when;
use crate::email::Triage;

/// Words of a topic that are looked at.
const MOST_TOPIC_WORDS: usize = 6;
/// Wishes read from one text.
const MOST: usize = 200;
/// Characters of a greeting, a closing, or a name.
const LONGEST: usize = 40;

/// A wish, and the mail it is for.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Wish {
    pub scope: Scope,
    pub what: What,
}

/// The mail that a wish is for; all of it where nothing is named.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Scope {
    pub who: Option<Who>,
    /// As it was said; empty where nothing was.
    pub topic: String,
    /// The words of it that must be found, folded.
    words: Vec<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Who {
    /// In lower case.
    Address(String),
    /// In lower case.
    Domain(String),
    Name(String),
    /// Everybody in the reader's own house.
    Team,
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

impl Scope {
    pub fn new(who: Option<Who>, topic: &str) -> Scope {
        let words = topic_words(topic);
        Scope {
            who,
            topic: if words.is_empty() {
                String::new()
            } else {
                topic.to_owned()
            },
            words,
        }
    }

    pub fn is_everything(&self) -> bool {
        self.who.is_none() && self.words.is_empty()
    }

    /// How narrow it is: a wish for less goes before one for more.
    pub fn narrowness(&self) -> u8 {
        let who = match self.who {
            None => 0,
            Some(Who::Team) => 1,
            Some(Who::Domain(_)) => 2,
            Some(Who::Name(_)) => 3,
            Some(Who::Address(_)) => 4,
        };
        who + if self.words.is_empty() { 0 } else { 5 }
    }

    pub fn fits(&self, reading: &Reading) -> bool {
        let who = match &self.who {
            None => true,
            Some(Who::Address(address)) => reading.sender.address.eq_ignore_ascii_case(address),
            Some(Who::Domain(domain)) => {
                let own = reading.sender.domain().to_ascii_lowercase();
                own == *domain
                    || own
                        .strip_suffix(domain.as_str())
                        .is_some_and(|rest| rest.ends_with('.'))
            }
            Some(Who::Name(name)) => is_called(&reading.sender, name),
            Some(Who::Team) => reading.colleague,
        };
        who && (self.words.is_empty() || reading.is_about(&self.words))
    }
}

impl Who {
    /// The sender of an email, as exactly as it can be named.
    pub fn sender(sender: &Mailbox) -> Option<Who> {
        if !sender.address.is_empty() {
            return Some(Who::Address(sender.address.to_lowercase()));
        }
        Who::parse(&sender.name)
    }

    /// An address, a domain, or a name of a few words.
    fn parse(text: &str) -> Option<Who> {
        let is_mark = |c: char| !(c.is_alphanumeric() || matches!(c, '@' | '<' | '>' | '.'));
        let mut text = text.trim_matches(|c: char| is_mark(c) || c.is_whitespace());
        text = text.trim_end_matches('.');
        const LEADS: [&str; 16] = [
            "anyone at ",
            "anybody at ",
            "everyone at ",
            "everybody at ",
            "people at ",
            "anyone ",
            "anybody ",
            "everyone ",
            "everybody ",
            "the ",
            "all ",
            "any ",
            "my ",
            "our ",
            "mr ",
            "ms ",
        ];
        while let Some(rest) = LEADS
            .iter()
            .find_map(|lead| strip_ignoring_case(text, lead))
        {
            text = rest.trim_start();
        }
        let mailbox = Mailbox::parse(text);
        if !mailbox.address.is_empty() {
            return Some(Who::Address(mailbox.address.to_lowercase()));
        }
        let bare = text.trim_start_matches('@');
        if bare.contains('.') && !bare.contains([' ', '<', '>']) && is_address(&format!("x@{bare}"))
        {
            return Some(Who::Domain(bare.to_lowercase()));
        }
        const NOBODY: [&str; 19] = [
            "me", "us", "you", "him", "her", "them", "it", "now", "here", "there", "that", "this",
            "these", "those", "one", "mail", "mails", "email", "emails",
        ];
        let words: Vec<String> = text.split_whitespace().map(folded).collect();
        let is_name = (1..=5).contains(&words.len())
            && text.chars().count() <= LONGEST
            && !NOBODY.contains(&words[0].as_str())
            && !text.contains(['<', '>', '@']);
        is_name.then(|| Who::Name(text.to_owned()))
    }
}

fn strip_ignoring_case<'a>(text: &'a str, lead: &str) -> Option<&'a str> {
    let head = text.get(..lead.len())?;
    head.eq_ignore_ascii_case(lead).then(|| &text[lead.len()..])
}

/// Whether every word of `name` is one of the sender's name, address, or house.
fn is_called(sender: &Mailbox, name: &str) -> bool {
    let shown = folded(&format!("{} {}", sender.name, sender.address));
    let words: Vec<&str> = shown.split(|c: char| !c.is_alphanumeric()).collect();
    let name = folded(name);
    let mut asked = name
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .peekable();
    asked.peek().is_some() && asked.all(|word| words.contains(&word))
}

/// The words of a topic that say what it is, without their plural.
pub(super) fn topic_words(topic: &str) -> Vec<String> {
    const EMPTY: [&str; 36] = [
        "the", "a", "an", "any", "all", "our", "my", "your", "his", "her", "their", "its", "this",
        "that", "these", "those", "of", "and", "or", "to", "for", "in", "on", "at", "it", "with",
        "re", "fwd", "fw", "aw", "such", "is", "are", "s", "new", "next",
    ];
    let text = Text::new(topic.to_owned());
    let words = text
        .tokens
        .iter()
        .enumerate()
        .filter(|(_, token)| token.class & (class::NUMBER | class::ADDRESS | class::URL) == 0);
    words
        .map(|(index, _)| folded(text.token(index)))
        .filter(|word| !EMPTY.contains(&word.as_str()))
        .map(|word| stem(&word).to_owned())
        .take(MOST_TOPIC_WORDS)
        .collect()
}

/// A word without the mark of an English plural.
pub(super) fn stem(word: &str) -> &str {
    match word.strip_suffix('s') {
        Some(stem) if stem.len() > 2 && !stem.ends_with('s') => stem,
        _ => word,
    }
}

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
        for scope in named.scopes {
            if found.len() < MOST && (named.here || !scope.is_everything()) {
                found.push(Said {
                    here: named.here && scope.who.is_none(),
                    wish: Wish {
                        scope,
                        what: What::Triage(label),
                    },
                    sentence,
                });
            }
        }
    }
    found
}

/// Whom and what a sentence is about.
struct Named {
    /// One at least.
    scopes: Vec<Scope>,
    /// It points at the email in question.
    here: bool,
}

fn named(spoken: &Spoken, sentence: usize, verb: Option<&Found>, leads: &[WishCue]) -> Named {
    let mut whos: Vec<Who> = Vec::new();
    let mut topic = String::new();
    for found in spoken.cues_in(sentence) {
        let range = spoken.after(found, |_| true);
        let text = &spoken.text.source[range.clone()];
        if leads.contains(&found.cue) {
            let text = text.split([';', ':']).next().unwrap_or_default();
            let parts = text.split(" and ").flat_map(|part| part.split(" or "));
            let parts: Vec<&str> = parts.flat_map(|part| part.split(',')).collect();
            let alone = parts.len() == 1;
            whos.extend(parts.iter().filter_map(|part| Who::parse(part)).filter(|who| {
                // Of several, what is written small is something else than a name.
                alone || !matches!(who, Who::Name(name) if !name.starts_with(char::is_uppercase))
            }));
        } else if found.cue == WishCue::Team {
            whos.push(Who::Team);
        } else if found.cue == WishCue::About && topic.is_empty() {
            let said = text.split([',', ';', ':']).next().unwrap_or_default();
            topic = spoken.quote_in(range).unwrap_or(said).to_owned();
        }
    }
    let within = spoken.text.sentences[sentence];
    let tokens = within.first as usize..within.last as usize;
    if whos.is_empty() {
        let addresses = tokens
            .clone()
            .filter(|token| spoken.text.tokens[*token].class & class::ADDRESS != 0);
        whos.extend(addresses.filter_map(|token| Who::parse(spoken.text.token(token))));
    }
    if let Some(verb) = verb {
        let range = spoken.after(verb, |_| true);
        if topic.is_empty() {
            let first = spoken.text.tokens[tokens.start].start as usize;
            topic = spoken
                .quote_in(first.saturating_sub(3)..within.end as usize)
                .unwrap_or_default()
                .to_owned();
        }
        if whos.is_empty() && topic.is_empty() {
            // "Ignore Northwind newsletters"
            let run = spoken.run(range, |token| spoken.is_capital(token));
            whos.extend(Who::parse(spoken.source(run)));
        }
    }
    let topic = topic
        .trim_matches(|c: char| c.is_whitespace() || (c.is_ascii_punctuation() && c != '&'))
        .chars()
        .take(100)
        .collect::<String>();
    whos.truncate(10);
    let scopes = match whos.is_empty() {
        true => vec![Scope::new(None, &topic)],
        false => whos
            .into_iter()
            .map(|who| Scope::new(Some(who), &topic))
            .collect(),
    };
    Named {
        scopes,
        here: spoken.has(sentence, WishCue::SenderHere),
    }
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
        let scope = |wish: &Wish| (wish.scope.who.clone(), wish.scope.words.clone());
        same && scope(self) == scope(earlier)
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Who::Address(text) | Who::Domain(text) | Who::Name(text) => f.write_str(text),
            Who::Team => f.write_str("my team"),
        }
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
