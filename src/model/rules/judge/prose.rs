//! A text as sentences: what each one does, what it is about, and the days it names.

use std::collections::HashSet;
use std::ops::Range;

use jiff::ToSpan;
use jiff::civil::Date;

use super::lexicon::{Cue, Cues, lexicon, stem};
use crate::model::rules::book::{Book, Meaning, Payload};
use crate::model::rules::reading;
use crate::model::rules::scan::Scanned;
use crate::model::rules::text::{Text, class, folded};
use crate::model::rules::when::DayKind;

/// Words in a row that nobody repeats by chance.
const RUN: usize = 6;

/// A word with what it may be said by.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Word {
    /// In lower case and without accents.
    pub folded: String,
    /// Groups of words that mean much the same.
    pub groups: Vec<u32>,
    pub class: u8,
}

impl Word {
    /// Whether one may stand for the other: the same word but for its ending, one of the
    /// same group, or nearly the same letters in another language.
    pub fn matches(&self, other: &Word) -> bool {
        if self.groups.iter().any(|group| other.groups.contains(group)) {
            return true;
        }
        if other.class & class::URL != 0 {
            return matches!(
                self.folded.as_str(),
                "link" | "links" | "url" | "website" | "page"
            );
        }
        let (one, two) = (stem(&self.folded), stem(&other.folded));
        if one == two {
            return true;
        }
        if self.class & class::NUMBER != 0 || other.class & class::NUMBER != 0 {
            return digits(&self.folded) == digits(&other.folded) && !digits(one).is_empty();
        }
        let shared = one
            .chars()
            .zip(two.chars())
            .take_while(|(a, b)| a == b)
            .count();
        let longest = one.chars().count().max(two.chars().count());
        shared >= 5 && longest - shared <= 3
    }
}

/// "1,000" and "1000" are one number.
fn digits(number: &str) -> String {
    let number = number.strip_suffix(":00").unwrap_or(number);
    let mut digits: String = number.chars().filter(|c| !matches!(c, ',' | '.')).collect();
    if digits.ends_with(|c: char| c.is_ascii_alphabetic()) {
        digits.retain(|c| c.is_ascii_digit());
    }
    digits
}

/// A day, a time of day, or both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moment {
    pub date: Option<Date>,
    /// Only the weekday was named, so that its week is a guess.
    pub weekday: bool,
    /// In minutes after midnight.
    pub minutes: Option<u16>,
    pub kind: DayKind,
    /// The token that it was read from.
    pub token: usize,
}

/// A sentence.
#[derive(Clone, Debug)]
pub(super) struct Sentence {
    pub tokens: Range<usize>,
    pub cues: Cues,
    pub question: bool,
    pub moments: Vec<Moment>,
    pub paragraph: u32,
    /// Only a greeting, a closing or a name.
    pub frame: bool,
    /// Mostly words of the mail that is answered, in their order.
    pub echo: bool,
}

/// A text that was read.
#[derive(Debug)]
pub(super) struct Prose {
    pub text: Text,
    pub words: Vec<Word>,
    pub sentences: Vec<Sentence>,
    /// Which words are part of a day or a time of day.
    pub timed: Vec<bool>,
    /// Index into the book's languages; `None` where too few words give it away.
    pub language: Option<usize>,
    /// How many words of each language were found.
    pub counts: Vec<u32>,
}

impl Prose {
    pub fn read(book: &Book, source: &str, sent: Option<Date>) -> Prose {
        let scanned = Scanned::new(book, &unquoted(source));
        let counts = language_counts(book, &scanned);
        let most = counts.iter().copied().max().unwrap_or(0);
        // The first on equal counts.
        let language = counts.iter().position(|count| *count == most && most > 0);
        let times = reading::times(book, &scanned, language.unwrap_or(0), sent);
        let weekdays: Vec<u32> = scanned
            .hits
            .iter()
            .filter(|hit| {
                let payload = book.payloads[hit.payload as usize];
                matches!(payload, Payload::Time(_, Meaning::Weekday(_)))
            })
            .map(|hit| hit.first)
            .collect();
        let mut timed = vec![false; scanned.text.tokens.len()];
        let days = times.days.iter().flat_map(|day| day.first..day.last);
        let clocks = times.times.iter().map(|time| time.first);
        for token in weekdays.iter().copied().chain(days).chain(clocks) {
            timed[token as usize] = true;
        }
        let text = scanned.text;
        let mut words: Vec<Word> = (0..text.tokens.len())
            .map(|at| Word {
                folded: folded(text.token(at)),
                groups: Vec::new(),
                class: text.tokens[at].class,
            })
            .collect();
        for hit in lexicon().groups.find(&text) {
            for word in &mut words[hit.first as usize..hit.last as usize] {
                if !word.groups.contains(&hit.payload) {
                    word.groups.push(hit.payload);
                }
            }
        }
        let mut sentences: Vec<Sentence> = text
            .sentences
            .iter()
            .map(|sentence| Sentence {
                tokens: sentence.first as usize..sentence.last as usize,
                cues: Cues::default(),
                question: sentence.question,
                moments: Vec::new(),
                paragraph: sentence.paragraph,
                frame: false,
                echo: false,
            })
            .collect();
        for hit in lexicon().cues.find(&text) {
            let sentence = text.tokens[hit.first as usize].sentence as usize;
            sentences[sentence].cues.add(Cue::ALL[hit.payload as usize]);
        }
        let sentence_of = |token: u32| text.tokens[token as usize].sentence as usize;
        for day in &times.days {
            sentences[sentence_of(day.first)].moments.push(Moment {
                date: Some(day.date),
                weekday: weekdays.contains(&day.first),
                minutes: None,
                kind: day.kind,
                token: day.first as usize,
            });
        }
        let clocks = times.times.iter();
        let mut clocks: Vec<(usize, u16)> = clocks
            .map(|time| (time.first as usize, time.minutes))
            .collect();
        for (at, minutes) in said_clocks(&text, &words) {
            match clocks.iter_mut().find(|(known, _)| *known == at) {
                Some(known) => known.1 = minutes,
                None if timed[at] => continue,
                None => clocks.push((at, minutes)),
            }
            timed[at] = true;
        }
        clocks.sort_unstable();
        for (at, minutes) in clocks {
            let sentence = &mut sentences[sentence_of(at as u32)];
            add_time(&mut sentence.moments, at, minutes);
        }
        for sentence in &mut sentences {
            sentence.frame = is_frame(sentence, &words);
            vague_moments(sentence, sent);
        }
        Prose {
            text,
            words,
            sentences,
            timed,
            language,
            counts,
        }
    }

    /// Marks the sentences that repeat another text: whoever repeats a question has not
    /// answered it.
    pub fn mark_echoes(&mut self, other: &Prose) {
        let run = |words: &[Word]| {
            let words = words.iter().map(|word| word.folded.as_str());
            words.collect::<Vec<_>>().join(" ")
        };
        let known: HashSet<String> = other.words.windows(RUN).map(run).collect();
        for sentence in &mut self.sentences {
            let words = &self.words[sentence.tokens.clone()];
            let runs = words.windows(RUN).map(run);
            let repeated = runs.filter(|run| known.contains(run)).count();
            sentence.echo = repeated > 0 && (repeated + RUN - 1) * 2 >= words.len();
        }
    }

    /// The words of a sentence.
    pub fn words_of(&self, sentence: &Sentence) -> &[Word] {
        &self.words[sentence.tokens.clone()]
    }

    /// The sentence as it stands there, cut where it is long.
    pub fn quote(&self, sentence: usize) -> String {
        let whole = self.text.sentence(sentence).trim();
        crate::model::rules::segment::prefix(whole, 300)
            .trim()
            .to_owned()
    }

    /// Everything but greetings and closings.
    pub fn said(&self) -> impl Iterator<Item = (usize, &Sentence)> {
        let sentences = self.sentences.iter().enumerate();
        sentences.filter(|(_, sentence)| !sentence.frame)
    }

    /// Words that are said, without greeting and closing.
    pub fn length(&self) -> usize {
        self.said().map(|(_, sentence)| sentence.tokens.len()).sum()
    }
}

/// Lines that quote the mail answered say nothing.
fn unquoted(source: &str) -> String {
    let lines = source
        .lines()
        .map(|line| match line.trim_start().starts_with('>') {
            true => "",
            false => line,
        });
    lines.collect::<Vec<_>>().join("\n")
}

fn language_counts(book: &Book, scanned: &Scanned) -> Vec<u32> {
    let mut counts = vec![0; book.languages.len()];
    for hit in &scanned.hits {
        if let Payload::Common(language) = book.payloads[hit.payload as usize] {
            counts[language as usize] += 1;
        }
    }
    counts
}

/// A time of day belongs to the day before it in the sentence, or else to the first behind.
fn add_time(moments: &mut Vec<Moment>, token: usize, minutes: u16) {
    let open = |moment: &&mut Moment| moment.date.is_some() && moment.minutes.is_none();
    let before = moments.iter_mut().rfind(|m| open(m) && m.token < token);
    let near = match before {
        Some(before) => Some(before),
        None => moments.iter_mut().find(open),
    };
    match near {
        Some(moment) => moment.minutes = Some(minutes),
        None => {
            // A second time of the same day: "at two or at four on Friday".
            let date = moments.iter().rev().find(|m| m.date.is_some()).copied();
            moments.push(Moment {
                date: date.and_then(|moment| moment.date),
                weekday: date.is_some_and(|moment| moment.weekday),
                minutes: Some(minutes),
                kind: date.map_or(DayKind::On, |moment| moment.kind),
                token,
            });
        }
    }
}

/// "In an hour" is today, and "tomorrow afternoon" is over at five.
fn vague_moments(sentence: &mut Sentence, sent: Option<Date>) {
    let part = [
        (Cue::Evening, 20 * 60),
        (Cue::Afternoon, 17 * 60),
        (Cue::Morning, 11 * 60 + 30),
    ];
    let part = part.into_iter().find(|(cue, _)| sentence.cues.has(*cue));
    if let Some((_, minutes)) = part {
        for moment in &mut sentence.moments {
            moment.minutes.get_or_insert(minutes);
        }
    }
    let vague = if sentence.cues.has(Cue::Soon) {
        sent
    } else if sentence.cues.has(Cue::ThisWeek) {
        sent.and_then(|sent| {
            let left = 4 - i64::from(sent.weekday().to_monday_zero_offset());
            sent.checked_add(left.max(0).days()).ok()
        })
    } else {
        return;
    };
    if sentence.moments.is_empty() {
        sentence.moments.push(Moment {
            date: vague,
            weekday: false,
            minutes: None,
            kind: DayKind::By,
            token: sentence.tokens.start,
        });
    }
}

/// Times of day that only their words give away: "two in the afternoon", "half past ten",
/// "by four". Which token, and minutes after midnight.
fn said_clocks(text: &Text, words: &[Word]) -> Vec<(usize, u16)> {
    let word = |at: usize| words.get(at).map_or("", |word| word.folded.as_str());
    let mut found = Vec::new();
    for at in 0..words.len() {
        let Some(hour) = super::style::number(word(at)).filter(|hour| (1..=12).contains(hour))
        else {
            continue;
        };
        let hour = hour as u16 * 60;
        let before = |back: usize| at.checked_sub(back).map_or("", word);
        let daytime = if hour < 8 * 60 { hour + 720 } else { hour };
        let within = |other: usize| {
            words.get(other).is_some() && text.tokens[other].sentence == text.tokens[at].sentence
        };
        let minutes = match (word(at + 1), word(at + 2), word(at + 3)) {
            ("in", "the", "morning") => Some(hour % 720),
            ("in", "the", "afternoon" | "evening") => Some(hour % 720 + 720),
            ("at", "night", _) => Some(hour % 720 + 720),
            _ if before(1) == "past" && before(2) == "half" => Some(daytime + 30),
            _ if before(1) == "past" && before(2) == "quarter" => Some(daytime + 15),
            _ if before(1) == "to" && before(2) == "quarter" => Some(daytime - 15),
            (next, ..) if matches!(before(1), "by" | "before" | "until" | "till") => {
                const GO_ON: [&str; 14] = [
                    "tomorrow", "today", "on", "tonight", "this", "in", "so", "and", "or", "at",
                    "when", "then", "monday", "friday",
                ];
                let last = at + 1 == words.len() || !within(at + 1);
                let end = text.tokens[at].end as usize;
                let stops = text.source[end..].starts_with([',', '.', ';', ')', ':']);
                (last || stops || GO_ON.contains(&next)).then_some(daytime)
            }
            _ => None,
        };
        found.extend(minutes.map(|minutes| (at, minutes % 1440)));
    }
    found
}

/// Greetings, closings and names: short, and polite at most.
fn is_frame(sentence: &Sentence, words: &[Word]) -> bool {
    let words = &words[sentence.tokens.clone()];
    if words.len() > 6 || sentence.question || !sentence.moments.is_empty() {
        return false;
    }
    let greets = words.first().is_some_and(|word| {
        const GREETINGS: [&str; 26] = [
            "hi",
            "hello",
            "hey",
            "dear",
            "hallo",
            "moin",
            "liebe",
            "lieber",
            "guten",
            "bonjour",
            "salut",
            "cher",
            "chere",
            "hola",
            "estimado",
            "estimada",
            "ola",
            "querida",
            "querido",
            "caro",
            "cara",
            "buongiorno",
            "gentile",
            "ciao",
            "beste",
            "geachte",
        ];
        const CLOSINGS: [&str; 25] = [
            "best",
            "kind",
            "kindest",
            "warm",
            "warmest",
            "regards",
            "yours",
            "sincerely",
            "cheers",
            "many",
            "viele",
            "beste",
            "mit",
            "gruss",
            "grusse",
            "bien",
            "cordialement",
            "saludos",
            "un",
            "muitos",
            "abraco",
            "cordiali",
            "cordiale",
            "groet",
            "groeten",
        ];
        GREETINGS.contains(&word.folded.as_str()) || CLOSINGS.contains(&word.folded.as_str())
    });
    let names = words.len() <= 2
        && words.iter().all(|word| word.class & class::CAPITAL != 0)
        && !sentence
            .cues
            .any(&[Cue::Yes, Cue::No, Cue::Accept, Cue::Refuse]);
    names
        || greets
            && !sentence
                .cues
                .any(&[Cue::Promise, Cue::Accept, Cue::Propose])
}
