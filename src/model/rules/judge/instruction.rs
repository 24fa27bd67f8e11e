//! Whether what a person said of a draft is visible in what was done in the end.

use std::ops::Range;

use super::Finding;
use super::criteria::Case;
use super::lexicon::{Cue, lexicon};
use super::material::{Call, Shown};
use super::prose::{Moment, Prose, Word};
use super::style::{self, Tone};
use crate::model::rules::book::Book;
use crate::model::rules::segment::prefix;
use crate::model::rules::text::class;

/// Bytes and parts of what a person said that are read.
const MOST_BYTES: usize = 2_000;
const MOST_CLAUSES: usize = 16;

/// What was shown, what was said of it, and what came of it.
pub(super) struct Change<'a> {
    pub case: &'a Case<'a>,
    draft: Option<Call>,
    /// The text of the draft.
    pub before: Prose,
    pub said: Prose,
}

pub(super) fn judge(book: &Book, case: &Case, shown: &Shown) -> Finding {
    let said = shown.text("What the person said").unwrap_or_default();
    let said = prefix(said, MOST_BYTES);
    let draft = shown.draft();
    let content = draft.as_ref().and_then(|draft| draft.argument("content"));
    let change = Change {
        case,
        before: Prose::read(book, content.unwrap_or_default(), case.sent),
        said: Prose::read(book, said, case.sent),
        draft,
    };
    let booked = change.booked().is_some();
    if case.mails.is_empty() && !booked {
        let none = change
            .said
            .words
            .iter()
            .any(|word| matches!(word.folded.as_str(), "nothing" | "unanswered"));
        return match none {
            true => Finding::holds("Nothing was sent, as was said"),
            false => Finding::unmet("Nothing was sent or booked"),
        };
    }
    let clauses = change.clauses();
    let mut whole: Option<Finding> = None;
    for clause in clauses.iter().take(MOST_CLAUSES) {
        if let Some(finding) = change.clause(clause.clone()) {
            whole = Some(match whole {
                Some(whole) => whole.and(finding),
                None => finding,
            });
        }
    }
    whole.unwrap_or_else(|| {
        let topic = change.topic(0..change.said.words.len());
        change.says(&topic)
    })
}

impl Change<'_> {
    pub fn is_meeting(&self) -> bool {
        self.draft
            .as_ref()
            .is_some_and(|draft| draft.name.eq_ignore_ascii_case("schedule_meeting"))
    }

    /// The last meeting that was booked.
    pub fn booked(&self) -> Option<&Call> {
        let mut calls = self.case.calls.iter();
        calls.rfind(|call| call.ran && call.name.eq_ignore_ascii_case("schedule_meeting"))
    }

    /// Parts of what was said, each with a wish of its own at most.
    fn clauses(&self) -> Vec<Range<usize>> {
        let said = &self.said;
        let mut clauses = Vec::new();
        for sentence in &said.sentences {
            let mut start = sentence.tokens.start;
            for at in sentence.tokens.clone().skip(1) {
                let end = said.text.tokens[at - 1].end as usize;
                let gap = &said.text.source[end..said.text.tokens[at].start as usize];
                let word = said.words[at].folded.as_str();
                let joins = matches!(word, "and" | "but");
                let next = said
                    .words
                    .get(at + 1)
                    .map_or("", |word| word.folded.as_str());
                let cut = gap.contains([';', ':'])
                    || gap.contains(',') && (joins || begins_wish(word) || begins_wish(next))
                    || joins && begins_wish(next);
                if cut && start < at {
                    clauses.push(start..at);
                    start = at;
                }
            }
            clauses.push(start..sentence.tokens.end);
        }
        clauses
    }

    pub fn word(&self, at: usize) -> &str {
        self.said
            .words
            .get(at)
            .map_or("", |word| word.folded.as_str())
    }

    /// What came of one part; `None` where it wishes for nothing that is understood.
    fn clause(&self, clause: Range<usize>) -> Option<Finding> {
        let words: Vec<&str> = clause.clone().map(|at| self.word(at)).collect();
        let text = format!(" {} ", words.join(" "));
        let has = |phrases: &[&str]| {
            phrases
                .iter()
                .any(|phrase| text.contains(&format!(" {phrase} ")))
        };
        let leaves_out = has(&[
            "no",
            "don t",
            "do not",
            "without",
            "never",
            "take out",
            "leave out",
            "remove",
            "drop",
            "delete",
            "cut",
            "omit",
            "nothing about",
            "not a word",
            "skip",
            "strike",
        ]) || has(&["take", "leave"]) && has(&["out"])
            || words.first() == Some(&"not");
        if has(&[
            "shorter",
            "short",
            "brief",
            "briefer",
            "one line",
            "one sentence",
            "two lines",
            "two sentences",
            "three sentences",
            "too long",
            "shorten",
            "half the length",
            "concise",
            "less text",
        ]) {
            return Some(self.shorter(&words));
        }
        if has(&["longer", "more detail", "elaborate"]) && !self.is_meeting() {
            return Some(self.longer());
        }
        let language = words.iter().find_map(|word| style::language(word));
        if let Some(language) = language
            && has(&["in", "write", "make", "translate", "switch", "use", "into"])
        {
            return Some(self.in_language(language));
        }
        let quoted = self.quoted(&clause);
        if let Some(quoted) = quoted {
            return Some(self.quotes(&quoted, leaves_out));
        }
        let mut findings: Vec<Finding> = Vec::new();
        if let Some(tone) = words.iter().find_map(|word| Tone::of(word))
            // "Decline politely": that is how, and not what.
            && !has(&["decline", "refuse", "say no"])
        {
            return Some(self.tone(tone, has(&["less", "too", "so"])));
        }
        if leaves_out && has(&["sentence", "paragraph", "line"]) && has(&["last", "first"]) {
            return self.drops_sentence(has(&["last"]));
        }
        let addresses = clause
            .clone()
            .filter(|at| self.said.words[*at].class & class::ADDRESS != 0);
        for at in addresses {
            findings.push(self.goes_to(&self.said.words[at].folded));
        }
        if self.is_meeting() {
            findings.extend(self.meeting(&clause, &text));
            if findings.is_empty() && !leaves_out {
                findings.extend(self.joins(&clause, &text));
            }
            // "Thirty minutes, not sixty": the first half says it all.
            if !findings.is_empty() || words.first() == Some(&"not") {
                return findings.into_iter().reduce(Finding::and);
            }
        }
        if leaves_out
            && (!self.topic(clause.clone()).is_empty() || !self.moments(&clause).is_empty())
        {
            findings.push(self.leaves_out(&clause));
            return findings.into_iter().reduce(Finding::and);
        }
        if has(&["apologise", "apologize", "say sorry", "an apology"]) {
            findings.push(self.does(Cue::Sorry, "apologises"));
        }
        if has(&["thank", "say thanks", "thanks to"]) {
            findings.push(self.does(Cue::Thank, "thanks"));
        }
        if has(&[
            "say no",
            "decline",
            "refuse",
            "turn it down",
            "turn them down",
        ]) {
            findings.push(self.refuses());
        }
        let moments = self.moments(&clause);
        if !moments.is_empty() {
            findings.push(self.names(
                &moments,
                has(&["impossible", "can t", "cannot", "not", "busy", "no"]),
            ));
        }
        let topic = self.topic(clause.clone());
        let wished = begins_wish(self.word(clause.start))
            || begins_wish(self.word(clause.start + 1))
            || has(&["instead", "please", "put", "should"]);
        let numbers = topic.iter().any(|word| word.class & class::NUMBER != 0);
        if !topic.is_empty() && (wished || numbers) && (findings.is_empty() || topic.len() > 1) {
            findings.push(self.says(&topic));
        }
        findings.into_iter().reduce(Finding::and)
    }

    /// What a part of what was said is about.
    pub fn topic(&self, clause: Range<usize>) -> Vec<Word> {
        let mut topic: Vec<Word> = Vec::new();
        for at in clause {
            let word = &self.said.words[at];
            // "about May"
            let month = word.folded == "may" && word.class & class::CAPITAL != 0;
            let telling = (month || !lexicon().is_stop(&word.folded))
                && !self.said.timed[at]
                && !is_of_wishes(&word.folded)
                && word.class & class::ADDRESS == 0
                && (word.folded.chars().count() > 1 || word.class & class::NUMBER != 0);
            if telling && !topic.iter().any(|known| known.folded == word.folded) {
                topic.push(word.clone());
            }
        }
        topic
    }

    pub fn moments(&self, clause: &Range<usize>) -> Vec<Moment> {
        let sentences = self.said.sentences.iter();
        let moments = sentences.flat_map(|sentence| &sentence.moments);
        moments
            .filter(|moment| clause.contains(&moment.token) && self.said.timed[moment.token])
            .copied()
            .collect()
    }
}

/// A verb that orders: what follows is wished for.
pub(super) fn begins_wish(word: &str) -> bool {
    matches!(
        word,
        "say"
            | "tell"
            | "mention"
            | "add"
            | "include"
            | "ask"
            | "explain"
            | "write"
            | "put"
            | "let"
            | "offer"
            | "name"
            | "point"
            | "use"
            | "keep"
            | "give"
            | "make"
            | "propose"
            | "suggest"
            | "move"
            | "take"
            | "leave"
            | "remove"
            | "drop"
            | "cut"
            | "delete"
            | "don"
            | "do"
            | "apologise"
            | "apologize"
            | "thank"
            | "confirm"
            | "promise"
            | "sign"
            | "greet"
            | "start"
            | "end"
            | "change"
            | "replace"
            | "send"
            | "invite"
            | "book"
            | "shorten"
            | "decline"
            | "accept"
            | "agree"
            | "refuse"
            | "answer"
            | "reply"
            | "call"
            | "no"
            | "not"
            | "without"
            | "set"
            | "correct"
            | "attach"
            | "refer"
            | "remind"
            | "stress"
            | "choose"
            | "pick"
            | "have"
            | "copy"
            | "cc"
            | "only"
            | "warn"
            | "promises"
            | "omit"
            | "never"
            | "skip"
            | "translate"
            | "switch"
            | "push"
            | "shift"
            | "spell"
            | "state"
    )
}

/// Words that wishes are put in, and not what is wished for.
fn is_of_wishes(word: &str) -> bool {
    begins_wish(word)
        || matches!(
            word,
            "please"
                | "subject"
                | "draft"
                | "mail"
                | "place"
                | "thanks"
                | "sorry"
                | "line"
                | "first"
                | "list"
                | "right"
                | "that"
                | "don"
                | "instead"
                | "really"
                | "should"
                | "better"
                | "about"
                | "whole"
                | "wait"
        )
}
