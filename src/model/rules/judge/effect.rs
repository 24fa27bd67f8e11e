//! What became of one wish: in the mails that were sent, or in the meeting that was booked.

use std::ops::Range;

use super::criteria::coverage;
use super::instruction::{Change, begins_wish};
use super::lexicon::{Cue, lexicon};
use super::material::Mail;
use super::prose::{Moment, Prose, Word};
use super::style::{self, Tone};
use super::times::same;
use super::{Finding, Found};
use crate::model::rules::reading;
use crate::model::rules::scan::Scanned;
use crate::model::rules::text::{class, folded};

/// The share of what is to be said that one passage must have.
const ENOUGH: f64 = 0.5;

/// The share of what is to be left out that one sentence may still have.
const MOST_LEFT: f64 = 0.6;

/// One of half the length has at most this share.
const HALF: f64 = 0.6;

/// A shorter mail has at most this share of the words.
const SHORTER: f64 = 0.85;

impl Change<'_> {
    pub(super) fn mails(&self) -> impl Iterator<Item = (&Mail, &Prose)> {
        self.case.mails.iter().map(|(mail, prose)| (mail, prose))
    }

    /// Whoever writes down what was asked for has not done it.
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
    pub(super) fn says(&self, topic: &[Word]) -> Finding {
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
            let said = prose
                .said()
                .filter(|(index, _)| !self.repeats(prose, *index));
            let said = said.flat_map(|(_, sentence)| prose.words_of(sentence).to_vec());
            let all = coverage(topic, &said.collect::<Vec<Word>>());
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

    pub(super) fn names(&self, moments: &[Moment], refusing: bool) -> Finding {
        let mut whole: Option<Finding> = None;
        for wanted in moments {
            let mut found = None;
            for (mail, prose) in self.mails() {
                let body = prose.said().find(|(_, sentence)| {
                    let refused = sentence.cues.has(Cue::Refuse) && !sentence.cues.has(Cue::Accept);
                    (refusing || !refused)
                        && sentence.moments.iter().any(|moment| same(wanted, moment))
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

    pub(super) fn does(&self, cue: Cue, what: &str) -> Finding {
        for (_, prose) in self.mails() {
            if let Some((index, _)) = prose.said().find(|(_, sentence)| sentence.cues.has(cue)) {
                return Finding::met(&format!("The mail {what}"), prose.quote(index));
            }
        }
        Finding::unmet(&format!("Nothing in the mail {what}"))
    }

    /// The first or the last sentence of the draft is not there any more.
    pub(super) fn drops_sentence(&self, last: bool) -> Option<Finding> {
        let mut said = self.before.said();
        let (_, sentence) = if last { said.last()? } else { said.next()? };
        let words: Vec<Word> = self.before.words_of(sentence).to_vec();
        for (_, prose) in self.mails() {
            for (index, other) in prose.said() {
                if coverage(&words, prose.words_of(other)) > MOST_LEFT {
                    return Some(Finding::unmet_at(
                        "The sentence is still there",
                        prose.quote(index),
                    ));
                }
            }
        }
        Some(Finding::holds("The sentence is not there any more"))
    }

    pub(super) fn refuses(&self) -> Finding {
        match self.does(Cue::Refuse, "declines") {
            finding if finding.found == Found::Met => finding,
            _ => self.does(Cue::No, "declines"),
        }
    }

    /// Nothing of it stands in what was sent.
    pub(super) fn leaves_out(&self, clause: &Range<usize>) -> Finding {
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
        Finding::holds("What was not to be there is not there")
    }

    fn length(&self) -> usize {
        self.mails()
            .map(|(_, prose)| prose.length())
            .max()
            .unwrap_or(0)
    }

    pub(super) fn shorter(&self, words: &[&str]) -> Finding {
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
        let share = if words.contains(&"half") {
            HALF
        } else {
            SHORTER
        };
        match after > 0 && few && (after as f64) <= before as f64 * share {
            true => Finding::holds(&says),
            false => Finding::unmet(&says),
        }
    }

    pub(super) fn longer(&self) -> Finding {
        let (before, after) = (self.before.length(), self.length());
        let says = format!("The draft has {before} words, and what was sent has {after}");
        match after > before {
            true => Finding::holds(&says),
            false => Finding::unmet(&says),
        }
    }

    pub(super) fn in_language(&self, language: usize) -> Finding {
        let Some((_, prose)) = self.mails().last() else {
            return Finding::unmet("No mail was sent");
        };
        let first = prose.said().next();
        let quote = first.map_or_else(String::new, |(index, _)| prose.quote(index));
        match style::is_in(prose, language) {
            Some(true) => Finding::met("The mail is in that language", quote),
            Some(false) => Finding::unmet_at("The mail is in another language", quote),
            None => Finding::unsure_at("Too few words tell the language", quote),
        }
    }

    /// More of the tone than the draft had, and not more of its contrary.
    pub(super) fn tone(&self, tone: Tone, less: bool) -> Finding {
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
    pub(super) fn quoted(&self, clause: &Range<usize>) -> Option<String> {
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

    pub(super) fn quotes(&self, quoted: &str, leaves_out: bool) -> Finding {
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

    pub(super) fn goes_to(&self, address: &str) -> Finding {
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
    pub(super) fn meeting(&self, clause: &Range<usize>, text: &str) -> Vec<Finding> {
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
        let scanned = Scanned::new(self.case.book, text);
        reading::times(self.case.book, &scanned, 0, self.case.sent).length
    }

    /// Whether everybody who is named was invited.
    pub(super) fn joins(&self, clause: &Range<usize>, text: &str) -> Option<Finding> {
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
