//! Whether what a person said of a draft is visible in what was done in the end.

use std::ops::Range;

use super::criteria::{Case, coverage, same};
use super::lexicon::{Cue, lexicon};
use super::material::{Call, Mail, Shown};
use super::prose::{Moment, Prose, Word};
use super::style::{self, Tone};
use super::{Finding, Found};
use crate::model::rules::book::Book;
use crate::model::rules::text::{class, folded};

/// The share of what is to be said that one passage must have.
const ENOUGH: f64 = 0.5;

/// The share of what is to be left out that one sentence may still have.
const MOST_LEFT: f64 = 0.6;

/// A shorter mail has at most this share of the words.
const SHORTER: f64 = 0.85;

/// What was shown, what was said of it, and what came of it.
struct Change<'a> {
    case: &'a Case<'a>,
    draft: Option<Call>,
    /// The text of the draft.
    before: Prose,
    said: Prose,
}

pub(super) fn judge(book: &Book, case: &Case, shown: &Shown) -> Finding {
    let said = shown.text("What the person said").unwrap_or_default();
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
    for clause in &clauses {
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
    fn is_meeting(&self) -> bool {
        self.draft
            .as_ref()
            .is_some_and(|draft| draft.name.eq_ignore_ascii_case("schedule_meeting"))
    }

    /// The last meeting that was booked.
    fn booked(&self) -> Option<&Call> {
        let calls = self.case.calls.iter();
        calls
            .filter(|call| call.ran && call.name.eq_ignore_ascii_case("schedule_meeting"))
            .next_back()
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

    fn word(&self, at: usize) -> &str {
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
        ]) || has(&["take", "leave"]) && has(&["out"]);
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
        let tone = words.iter().find_map(|word| Tone::of(word));
        if let Some(tone) = tone {
            let less = has(&["less", "too", "so"]);
            return Some(self.tone(tone, less));
        }
        let quoted = self.quoted(&clause);
        if let Some(quoted) = quoted {
            return Some(self.quotes(&quoted, leaves_out));
        }
        let mut findings: Vec<Finding> = Vec::new();
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
            if !findings.is_empty() {
                return findings.into_iter().reduce(Finding::and);
            }
        }
        if leaves_out && clause.len() > 1 {
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
            findings.push(self.names(&moments));
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
    fn topic(&self, clause: Range<usize>) -> Vec<Word> {
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

    fn moments(&self, clause: &Range<usize>) -> Vec<Moment> {
        let sentences = self.said.sentences.iter();
        let moments = sentences.flat_map(|sentence| &sentence.moments);
        moments
            .filter(|moment| clause.contains(&moment.token) && self.said.timed[moment.token])
            .copied()
            .collect()
    }

    /// Mails with the text they have beyond the person's own words: whoever writes down
    /// what was asked for has not done it.
    fn mails(&self) -> impl Iterator<Item = (&Mail, &Prose)> {
        self.case.mails.iter().map(|(mail, prose)| (mail, prose))
    }

    fn repeats(&self, prose: &Prose, sentence: usize) -> bool {
        let plain = |prose: &Prose, range: Range<usize>| {
            let words = prose.words[range].iter().map(|word| word.folded.as_str());
            format!(" {} ", words.collect::<Vec<_>>().join(" "))
        };
        let written = plain(prose, prose.sentences[sentence].tokens.clone());
        self.said.sentences.iter().any(|said| {
            said.tokens.len() >= 4
                && begins_wish(self.word(said.tokens.start))
                && written.contains(&plain(&self.said, said.tokens.clone()))
        })
    }

    /// Whether the mails, or what was booked, have the words.
    fn says(&self, topic: &[Word]) -> Finding {
        if topic.is_empty() {
            return Finding::unsure("What the person wished for could not be read");
        }
        let mut best: (f64, String) = (0.0, String::new());
        for (mail, prose) in self.mails() {
            for (index, sentence) in prose.said() {
                if self.repeats(prose, index) {
                    continue;
                }
                let share = coverage(topic, prose.words_of(sentence));
                if share > best.0 {
                    best = (share, prose.quote(index));
                }
            }
            let all = coverage(topic, &prose.words);
            if all * 0.9 > best.0 {
                best.0 = all * 0.9;
                if best.1.is_empty() {
                    best.1 = mail.subject.clone();
                }
            }
            let subject = Prose::read(self.case.book, &mail.subject, self.case.sent);
            let share = coverage(topic, &subject.words);
            if share > best.0 {
                best = (share, mail.subject.clone());
            }
        }
        if let (true, Some(call)) = (self.is_meeting(), self.booked()) {
            for (_, value) in &call.arguments {
                let share = coverage(topic, &Prose::read(self.case.book, value, None).words);
                if share > best.0 {
                    best = (share, value.clone());
                }
            }
        }
        match best {
            (share, quote) if share >= ENOUGH => Finding::met("What was asked for is there", quote),
            (share, quote) if share > 0.0 => {
                Finding::unsure_at("Only some of what was asked for is there", quote)
            }
            _ => Finding::unmet("What was asked for is not there"),
        }
    }

    fn names(&self, moments: &[Moment]) -> Finding {
        let mut whole: Option<Finding> = None;
        for wanted in moments {
            let mut found = None;
            for (mail, prose) in self.mails() {
                let body = prose.said().find(|(_, sentence)| {
                    let refused = sentence.cues.has(Cue::Refuse) && !sentence.cues.has(Cue::Accept);
                    !refused && sentence.moments.iter().any(|moment| same(wanted, moment))
                });
                let subject = Prose::read(self.case.book, &mail.subject, self.case.sent);
                let headed = subject
                    .sentences
                    .iter()
                    .flat_map(|s| &s.moments)
                    .any(|m| same(wanted, m));
                if let Some((index, _)) = body {
                    found = Some(prose.quote(index));
                } else if headed {
                    found = Some(mail.subject.clone());
                }
            }
            let finding = match found {
                Some(quote) => Finding::met("The time that was asked for is named", quote),
                None => Finding::unmet("The time that was asked for is not named"),
            };
            whole = Some(match whole {
                Some(whole) => whole.and(finding),
                None => finding,
            });
        }
        whole.unwrap_or_else(|| Finding::unsure("No time could be read"))
    }

    fn does(&self, cue: Cue, what: &str) -> Finding {
        for (_, prose) in self.mails() {
            if let Some((index, _)) = prose.said().find(|(_, sentence)| sentence.cues.has(cue)) {
                return Finding::met(&format!("The mail {what}"), prose.quote(index));
            }
        }
        Finding::unmet(&format!("Nothing in the mail {what}"))
    }

    fn refuses(&self) -> Finding {
        match self.does(Cue::Refuse, "declines") {
            finding if finding.found == Found::Met => finding,
            _ => self.does(Cue::No, "declines"),
        }
    }

    /// Nothing of it stands in what was sent.
    fn leaves_out(&self, clause: &Range<usize>) -> Finding {
        let topic = self.topic(clause.clone());
        let moments = self.moments(clause);
        for (_, prose) in self.mails() {
            for (index, sentence) in prose.said() {
                if sentence
                    .moments
                    .iter()
                    .any(|moment| moments.iter().any(|wanted| same(wanted, moment)))
                {
                    return Finding::unmet_at(
                        "What was not to be there is there",
                        prose.quote(index),
                    );
                }
                let words = prose.words_of(sentence);
                if coverage(&topic, words) > MOST_LEFT {
                    return Finding::unmet_at(
                        "What was not to be there is there",
                        prose.quote(index),
                    );
                }
            }
        }
        if topic.is_empty() && moments.is_empty() {
            return Finding::unsure("What was to be left out could not be read");
        }
        Finding::holds("What was not to be there is not there")
    }

    fn length(&self) -> usize {
        self.mails()
            .map(|(_, prose)| prose.length())
            .max()
            .unwrap_or(0)
    }

    fn shorter(&self, words: &[&str]) -> Finding {
        let (before, after) = (self.before.length(), self.length());
        let says = format!("The draft has {before} words, and what was sent has {after}");
        let number = words.windows(2).find_map(|pair| {
            let unit = matches!(pair[1], "line" | "lines" | "sentence" | "sentences");
            style::number(pair[0]).filter(|_| unit)
        });
        let sentences = self
            .mails()
            .map(|(_, prose)| prose.said().count())
            .max()
            .unwrap_or(0);
        let few = number.is_none_or(|number| sentences <= number + 1);
        match after > 0 && few && (after as f64) <= before as f64 * SHORTER {
            true => Finding::holds(&says),
            false => Finding::unmet(&says),
        }
    }

    fn longer(&self) -> Finding {
        let (before, after) = (self.before.length(), self.length());
        let says = format!("The draft has {before} words, and what was sent has {after}");
        match after > before {
            true => Finding::holds(&says),
            false => Finding::unmet(&says),
        }
    }

    fn in_language(&self, language: usize) -> Finding {
        for (_, prose) in self.mails() {
            let quote = prose
                .said()
                .next()
                .map(|(index, _)| prose.quote(index))
                .unwrap_or_default();
            match style::is_in(prose, language) {
                Some(true) => {}
                Some(false) => return Finding::unmet_at("The mail is in another language", quote),
                None => return Finding::unsure_at("Too few words tell the language", quote),
            }
            return Finding::met("The mail is in that language", quote);
        }
        Finding::unmet("No mail was sent")
    }

    /// More of the tone than the draft had, and not more of its contrary.
    fn tone(&self, tone: Tone, less: bool) -> Finding {
        let contrary = match tone {
            Tone::Formal => Tone::Informal,
            Tone::Warm | Tone::Informal => Tone::Formal,
            Tone::Polite | Tone::Apologetic => tone,
        };
        let (wanted, unwanted) = if less {
            (contrary, tone)
        } else {
            (tone, contrary)
        };
        let (before, _) = style::amount(&self.before, wanted);
        let (stiff, _) = style::amount(&self.before, unwanted);
        let mut whole = Finding::unmet("No mail was sent");
        for (_, prose) in self.mails() {
            let (after, at) = style::amount(prose, wanted);
            let (now, _) = style::amount(prose, unwanted);
            let quote = at.map(|index| prose.quote(index)).unwrap_or_default();
            let better = after > before || after > 0.0 && now < stiff;
            whole = match better && (wanted == unwanted || now <= stiff.max(after)) {
                true => Finding::met("The mail has more of that tone than the draft", quote),
                false => {
                    Finding::unmet_at("The mail has no more of that tone than the draft", quote)
                }
            };
        }
        whole
    }

    /// What stands in quotation marks.
    fn quoted(&self, clause: &Range<usize>) -> Option<String> {
        let tokens = &self.said.text.tokens;
        let (start, end) = (
            tokens.get(clause.start)?.start as usize,
            tokens.get(clause.end.checked_sub(1)?)?.end as usize,
        );
        let start = self.said.text.source[..start]
            .char_indices()
            .next_back()
            .map_or(start, |(at, _)| at);
        let text = &self.said.text.source[start..];
        let open = text.find(['"', '“', '„', '«'])?;
        if start + open > end {
            return None;
        }
        let inside = &text[open..];
        let inside = &inside[inside.chars().next()?.len_utf8()..];
        let close = inside.find(['"', '”', '“', '»'])?;
        let inside = inside[..close].trim().trim_end_matches(['.', ',']);
        (!inside.is_empty()).then(|| inside.to_owned())
    }

    fn quotes(&self, quoted: &str, leaves_out: bool) -> Finding {
        let plain = |text: &str| folded(&text.split_whitespace().collect::<Vec<_>>().join(" "));
        let wanted = plain(quoted);
        let there = self.mails().any(|(mail, _)| {
            plain(&mail.body).contains(&wanted) || plain(&mail.subject).contains(&wanted)
        });
        match there != leaves_out {
            true => Finding::holds("The words in quotation marks are as was said"),
            false => Finding::unmet("The words in quotation marks are not as was said"),
        }
    }

    fn goes_to(&self, address: &str) -> Finding {
        let to_mail = self
            .mails()
            .any(|(mail, _)| folded(&mail.to).contains(address));
        let booked = self.booked().and_then(|call| call.argument("attendees"));
        let invited = booked.is_some_and(|attendees| folded(attendees).contains(address));
        let there = if self.is_meeting() {
            invited
        } else {
            to_mail || invited
        };
        match there {
            true => Finding::holds(&format!("It went to {address}")),
            false => Finding::unmet(&format!("Nothing went to {address}")),
        }
    }

    /// Day, hour and length of what was booked.
    fn meeting(&self, clause: &Range<usize>, text: &str) -> Vec<Finding> {
        let mut findings = Vec::new();
        let booked = self.booked();
        let value = |name: &str| {
            booked
                .and_then(|call| call.argument(name))
                .unwrap_or_default()
        };
        let holds = |does: bool, what: &str| match does {
            true => Finding::holds(&format!("The {what} that was booked is the one asked for")),
            false => Finding::unmet(&format!(
                "The {what} that was booked is not the one asked for"
            )),
        };
        let barred =
            text.contains(" not before ") || text.contains(" not on ") || text.contains(" no ");
        for moment in self.moments(clause) {
            if let Some(date) = moment.date {
                let day = value("preferred_day")
                    .get(..10)
                    .and_then(|day| day.parse::<jiff::civil::Date>().ok());
                let on = day.is_some_and(|day| {
                    day == date || moment.weekday && day.weekday() == date.weekday()
                });
                findings.push(holds(on != barred, "day"));
            }
            if let Some(minutes) = moment.minutes {
                let start = value("start_time");
                let (hour, minute) = start.split_once(':').unwrap_or((start, "0"));
                let start = hour
                    .parse::<u16>()
                    .ok()
                    .zip(minute.get(..2).unwrap_or(minute).parse::<u16>().ok());
                let start =
                    start.and_then(|(hour, minute)| hour.checked_mul(60)?.checked_add(minute));
                findings.push(holds(start == Some(minutes), "hour"));
            }
        }
        if let Some(minutes) = self.minutes(clause) {
            findings.push(holds(
                value("duration_minutes").parse() == Ok(minutes),
                "length",
            ));
        }
        findings
    }

    /// A length that this part names, in minutes.
    fn minutes(&self, clause: &Range<usize>) -> Option<u16> {
        let tokens = &self.said.text.tokens;
        let (first, last) = (
            tokens.get(clause.start)?,
            tokens.get(clause.end.checked_sub(1)?)?,
        );
        let text = &self.said.text.source[first.start as usize..last.end as usize];
        let scanned = crate::model::rules::scan::Scanned::new(self.case.book, text);
        crate::model::rules::reading::times(self.case.book, &scanned, 0, self.case.sent).length
    }

    /// Whether everybody who is named was invited.
    fn joins(&self, clause: &Range<usize>, text: &str) -> Option<Finding> {
        let adds = [
            " add ",
            " invite ",
            " include ",
            " too ",
            " list ",
            " have ",
            " with ",
            " bring ",
            " also ",
            " join ",
            " in it ",
        ];
        if !adds.iter().any(|word| text.contains(word)) {
            return None;
        }
        let attendees = folded(
            self.booked()
                .and_then(|call| call.argument("attendees"))
                .unwrap_or_default(),
        );
        let names: Vec<&str> = clause
            .clone()
            .filter(|at| {
                self.said.words[*at].class & class::CAPITAL != 0 && !begins_wish(self.word(*at))
            })
            .map(|at| self.word(at))
            .filter(|word| word.chars().count() > 2 && !lexicon().is_stop(word))
            .collect();
        let missing = names.iter().find(|name| !attendees.contains(**name));
        match (names.is_empty(), missing) {
            (true, _) => None,
            (false, Some(name)) => Some(Finding::unmet(&format!(
                "Those invited do not include “{name}”"
            ))),
            (false, None) => Some(Finding::holds("Those who were named are invited")),
        }
    }
}

/// A verb that orders: what follows is wished for.
fn begins_wish(word: &str) -> bool {
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
