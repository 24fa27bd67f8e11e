//! The mail that a wish is for: whom it is from, and what it is about.

use std::fmt;

use super::book::WishCue;
use super::envelope::Mailbox;
use super::reading::Reading;
use super::spoken::{Found, Spoken};
use super::text::{Text, class, folded, is_address};

/// Words of a topic that are looked at.
const MOST_TOPIC_WORDS: usize = 6;
/// Characters of a name.
const LONGEST: usize = 40;
/// People and houses that one sentence names.
const MOST_WHO: usize = 10;

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

impl Scope {
    /// Whether both name the same mail.
    pub fn is_same(&self, other: &Scope) -> bool {
        self.who == other.who && self.words == other.words
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

/// Whom and what a sentence is about.
pub(super) struct Named {
    /// One at least.
    pub scopes: Vec<Scope>,
    /// It points at the email in question.
    pub here: bool,
}

pub(super) fn named(
    spoken: &Spoken,
    sentence: usize,
    verb: Option<&Found>,
    leads: &[WishCue],
) -> Named {
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
    whos.truncate(MOST_WHO);
    let scopes = match whos.is_empty() {
        true => vec![Scope::new(None, &topic)],
        false => whos
            .into_iter()
            .map(|who| Scope::new(Some(who), &topic))
            .collect(),
    };
    // Behind a topic, "them" are its matters and not who writes of them.
    let about = spoken.first(sentence, WishCue::About);
    let mut pointers = spoken
        .cues_in(sentence)
        .filter(|found| found.cue == WishCue::SenderHere);
    let here = pointers.any(|found| {
        let is_pronoun = found.last == found.first + 1;
        !(is_pronoun && about.is_some_and(|about| about.first < found.first))
    });
    Named { scopes, here }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Who::Address(text) | Who::Domain(text) | Who::Name(text) => f.write_str(text),
            Who::Team => f.write_str("my team"),
        }
    }
}
