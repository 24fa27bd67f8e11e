//! What a person wants a draft to say: from "mention the workshop" to a sentence of the mail.

use super::book::{WishCue, Wording};
use super::spoken::{Found, Spoken};

/// Characters of a line that is taken over from a person.
const LONGEST: usize = 300;

/// Something to say, in the person's words.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Act {
    /// Whole sentences.
    Say(String),
    /// Words that are no sentence: "the workshop on Friday".
    Mention(String),
    /// Thanks, and what for where it was said.
    Thank(Option<String>),
    Sorry(Option<String>),
    /// A clause: "whether it fits".
    Ask(String),
    /// A thing: "the order number".
    Request(String),
    Propose(String),
    Agree,
    Decline,
    /// Words that must not stand in it.
    LeaveOut(String),
}

/// Everything that feedback on a draft can hold.
pub(super) const CUES: [WishCue; 18] = [
    WishCue::ToWhom,
    WishCue::Greet,
    WishCue::SignOff,
    WishCue::SignAs,
    WishCue::Short,
    WishCue::Formal,
    WishCue::Casual,
    WishCue::Always,
    WishCue::Instead,
    WishCue::Mention,
    WishCue::Tell,
    WishCue::Thank,
    WishCue::Sorry,
    WishCue::Ask,
    WishCue::Decline,
    WishCue::Agree,
    WishCue::Propose,
    WishCue::LeaveOut,
];

/// What a sentence wants said, in its order.
pub(super) fn of_sentence(spoken: &Spoken, sentence: usize) -> Vec<Act> {
    let mut acts = Vec::new();
    let mut taken = 0;
    for found in spoken.cues_in(sentence) {
        if found.first < taken || !begins_clause(spoken, found) {
            continue;
        }
        let range = spoken.after(found, |next| begins_clause(spoken, next));
        let act = act(spoken, found, range.clone());
        if let Some(act) = act {
            // What is said is not looked through for more to say.
            taken = spoken.tokens_in(&range).end;
            acts.push(act);
        }
    }
    acts
}

/// Whether a cue is an order of its own rather than a word of what is to be said.
fn begins_clause(spoken: &Spoken, found: &Found) -> bool {
    let token = spoken.text.tokens[found.first];
    let sentence = spoken.text.sentences[token.sentence as usize];
    if found.first == sentence.first as usize {
        return true;
    }
    let second = found.first == sentence.first as usize + 1;
    if second && matches!(spoken.word(found.first - 1).as_str(), "i" | "we") {
        return true;
    }
    let before = spoken.text.tokens[found.first - 1];
    let gap = &spoken.text.source[before.end as usize..token.start as usize];
    const LEADS: [&str; 24] = [
        "and", "but", "then", "also", "please", "just", "always", "you", "should", "could", "must",
        "can", "instead", "better", "rather", "yes", "no", "ok", "okay", "first", "finally",
        "either", "so", "to",
    ];
    gap.contains([',', ';', ':', '-', '–', '—'])
        || LEADS.contains(&spoken.word(found.first - 1).as_str())
}

fn act(spoken: &Spoken, found: &Found, range: std::ops::Range<usize>) -> Option<Act> {
    let quote = spoken.quote_in(range.clone()).map(line);
    let mut tokens = spoken.tokens_in(&range);
    let joins = |word: &str| {
        matches!(
            word,
            "and"
                | "but"
                | "then"
                | "also"
                | "please"
                | "just"
                | "too"
                | "instead"
                | "you"
                | "should"
                | "as"
                | "well"
                | "always"
        )
    };
    while !tokens.is_empty() && joins(&spoken.word(tokens.end - 1)) {
        tokens.end -= 1;
    }
    let clause = skip_person(spoken, &mut tokens);
    let words = line(spoken.source(tokens.clone()));
    let first = match tokens.is_empty() {
        true => String::new(),
        false => spoken.word(tokens.start),
    };
    let behind_for = || {
        let what = (first == "for").then(|| line(spoken.source(tokens.start + 1..tokens.end)));
        what.filter(|what| !what.is_empty())
    };
    Some(match found.cue {
        WishCue::Mention | WishCue::Tell => match quote {
            Some(quote) => Act::Say(quote),
            // "Answer it": nothing in particular.
            None if words.is_empty() => return None,
            None if found.cue == WishCue::Tell || clause || ends_in_that(spoken, found) => {
                Act::Say(words)
            }
            None => Act::Mention(words),
        },
        WishCue::Thank => Act::Thank(behind_for()),
        WishCue::Sorry => Act::Sorry(behind_for()),
        WishCue::Ask => match behind_for() {
            Some(thing) => Act::Request(thing),
            None if words.is_empty() => return None,
            None => Act::Ask(words),
        },
        WishCue::Propose if !words.is_empty() => Act::Propose(words),
        WishCue::Agree => Act::Agree,
        WishCue::Decline => Act::Decline,
        WishCue::LeaveOut => match quote.unwrap_or(words) {
            words if words.is_empty() => return None,
            words => Act::LeaveOut(words),
        },
        _ => return None,
    })
}

fn ends_in_that(spoken: &Spoken, found: &Found) -> bool {
    matches!(spoken.word(found.last - 1).as_str(), "that" | "saying")
}

/// Passes over whom it is said to, and "that"; whether a clause follows.
fn skip_person(spoken: &Spoken, tokens: &mut std::ops::Range<usize>) -> bool {
    const PEOPLE: [&str; 14] = [
        "him",
        "her",
        "them",
        "it",
        "the",
        "to",
        "sender",
        "customer",
        "client",
        "team",
        "everybody",
        "everyone",
        "back",
        "with",
    ];
    let that = (tokens.start..tokens.end.min(tokens.start + 4))
        .find(|token| matches!(spoken.word(*token).as_str(), "that" | "saying"));
    if let Some(that) = that {
        tokens.start = that + 1;
        return true;
    }
    let is_pronoun = |word: &str| matches!(word, "him" | "her" | "them");
    if tokens.start >= tokens.end {
        return false;
    }
    let first = spoken.word(tokens.start);
    if is_pronoun(&first) {
        tokens.start += 1;
    } else if matches!(first.as_str(), "to" | "the") {
        let last = (tokens.start..tokens.end)
            .take_while(|token| PEOPLE.contains(&spoken.word(*token).as_str()))
            .filter(|token| !matches!(spoken.word(*token).as_str(), "to" | "the" | "it"))
            .last();
        if let Some(last) = last {
            tokens.start = last + 1;
        }
    }
    false
}

impl Act {
    /// The sentence of the mail; `None` for what is to be left out.
    pub fn sentence(&self, words: &Wording) -> Option<String> {
        let fill = |template: &str, said: &str| {
            Some(template.replace("{words}", said.trim_end_matches(['.', '!', '?', ' '])))
        };
        match self {
            Act::Say(said) => Some(sentence(said)),
            Act::Mention(said) => fill(&words.also, said),
            Act::Thank(None) => Some(words.thank.clone()),
            Act::Thank(Some(what)) => fill(&words.thank_for, what),
            Act::Sorry(None) => Some(words.sorry.clone()),
            Act::Sorry(Some(what)) => fill(&words.sorry_for, what),
            Act::Ask(said) => fill(&words.tell_me, said),
            Act::Request(said) => fill(&words.send_me, said),
            Act::Propose(said) => Some(
                words
                    .offer
                    .replace("{slots}", said.trim_end_matches(['.', '!', '?'])),
            ),
            Act::Agree => Some(words.agree.clone()),
            Act::Decline => Some(words.decline.clone()),
            Act::LeaveOut(_) => None,
        }
    }

    /// Whether it answers the mail, so that nothing more need be promised.
    pub fn answers(&self) -> bool {
        matches!(
            self,
            Act::Say(_) | Act::Agree | Act::Decline | Act::Propose(_)
        )
    }
}

/// On one line, without control characters, at most 300 characters.
pub(super) fn line(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let mut line: String = words
        .join(" ")
        .chars()
        .filter(|c| !c.is_control())
        .take(LONGEST)
        .collect();
    let kept = line.trim_end_matches([',', ';', ':', '-', ' ']).len();
    line.truncate(kept);
    line
}

/// With a capital and a full stop.
pub(super) fn sentence(text: &str) -> String {
    let line = line(text);
    let mut chars = line.chars();
    let mut sentence: String = match chars.next() {
        Some(first) => first.to_uppercase().chain(chars).collect(),
        None => return line,
    };
    if !sentence.ends_with(['.', '!', '?', '…', '。', '！', '？']) {
        sentence.push('.');
    }
    sentence
}
