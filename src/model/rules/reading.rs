//! One email, read once: what it is, what it wants, and by when.

use std::collections::BTreeSet;

use jiff::civil::Date;

use super::asks;
use super::book::{Book, CueRole, Fact, Meaning, Part, Payload};
use super::envelope::{Envelope, Mailbox, bare_subject};
use super::facts::{self, Gathered};
use super::meeting::{self, Meeting, Said};
use super::scan::Scanned;
use super::scope::stem;
use super::segment::{self, Parts, prefix};
use super::text::{Text, folded};
use super::triage::{self, Decision, Evidence};
use super::when::{self, DayKind, Times, Word};

/// Quoted mail is searched this far: enough to notice an attack at its top.
const MOST_QUOTED: usize = 8 * 1024;

/// A longer paragraph is the message itself, whatever words it holds.
const MOST_FOOTER_WORDS: u32 = 150;

/// Everything that later steps need to know about an email.
#[derive(Debug)]
pub(super) struct Reading {
    pub decision: Decision,
    pub sender: Mailbox,
    /// How a reply calls the sender; empty where no name is known.
    pub sender_name: String,
    /// Given name of the person the email is for; empty where unknown.
    pub reader_name: String,
    /// Without the marks of answers.
    pub subject: String,
    /// Index into the book's languages.
    pub language: usize,
    pub informal: bool,
    /// What is asked for, in the sender's words, at most four.
    pub asks: Vec<String>,
    pub meeting: Option<Meeting>,
    /// The day it was sent, or else the day the prompt calls today.
    pub sent: Option<Date>,
    /// The earliest day that an answer is wanted by.
    pub deadline: Option<Date>,
    /// An answer should be promised for the day itself.
    pub urgent: bool,
    /// Places in `asks` of what nobody but the reader can know.
    pub only_reader: Vec<usize>,
    /// The sender is a person, and no machine or list.
    pub person: bool,
    /// The sender is of the reader's own house.
    pub colleague: bool,
    /// It sells to strangers or went to many.
    pub cold: bool,
    /// It may not be from whom it says.
    pub suspect: bool,
    /// The sender's work, as the signature has it.
    pub role: Option<String>,
    subject_text: Text,
    new: Text,
    closed: BTreeSet<usize>,
}

impl Reading {
    /// Whether the words, without plurals, all stand in the subject or in one sentence that
    /// is for the reader.
    pub fn is_about(&self, words: &[String]) -> bool {
        let holds = |text: &Text, tokens: std::ops::Range<usize>| {
            let found: Vec<String> = tokens
                .map(|token| stem(&folded(text.token(token))).to_owned())
                .collect();
            words.iter().all(|word| found.contains(word))
        };
        let sentences = self.new.sentences.iter().enumerate();
        holds(&self.subject_text, 0..self.subject_text.tokens.len())
            || sentences
                .filter(|(index, _)| !self.closed.contains(index))
                .any(|(_, sentence)| {
                    holds(&self.new, sentence.first as usize..sentence.last as usize)
                })
    }
}

pub(super) fn read(book: &Book, envelope: &Envelope, today: Option<Date>) -> Reading {
    let sent = envelope.date.or(today);
    let parts = segment::split(envelope.body);
    let sender = Mailbox::parse(prefix(envelope.from, 500));
    let recipients = Mailbox::parse_list(prefix(envelope.to, 4000));
    let reader = recipients
        .iter()
        .find(|mailbox| mailbox.is_person() && !is_group(book, mailbox))
        .or_else(|| match &recipients[..] {
            // Alone, an address such as `sam@acme.example` is the reader's own.
            [only] if only.is_bare_word() && !is_group(book, only) => Some(only),
            _ => None,
        });
    let (reader_given, reader_family) = reader.map(Mailbox::names).unwrap_or_default();

    let subject = Scanned::new(book, prefix(envelope.subject, 500));
    let new = Scanned::new(book, &parts.new);
    let mut evidence = Evidence::new(book);

    // What gives orders to an assistant is taken out before the rest counts.
    let attacked = attacked_sentences(book, &new);
    let others = other_names(&recipients, reader);
    let mut closed = sentences_to_others(&new.text, &others, &reader_given);
    let elsewhere = !closed.is_empty();
    let footers = footer_sentences(book, &new);
    closed.extend(attacked.iter().chain(&footers));
    for (hit, cue, rule) in new.cues(book) {
        let sentence = new.sentence_of(hit.first);
        if footers.contains(&sentence) {
            evidence.cue(Part::Footer, cue);
        } else if !closed.contains(&sentence) || rule.role == Some(CueRole::Attack) {
            evidence.cue(Part::New, cue);
        }
    }
    let aside = |evidence: &mut Evidence, part: Part, text: &str| {
        for (_, cue, _) in Scanned::new(book, text).cues(book) {
            evidence.cue(part, cue);
        }
    };
    aside(&mut evidence, Part::Signature, &parts.signature);
    aside(
        &mut evidence,
        Part::Quoted,
        prefix(&parts.quoted, MOST_QUOTED),
    );
    aside(&mut evidence, Part::Hidden, &parts.hidden);
    for (_, cue, _) in subject.cues(book) {
        evidence.cue(Part::Subject, cue);
    }
    for cue in header_cues(book, prefix(envelope.from, 500)) {
        evidence.cue(Part::From, cue);
    }

    let asks = asks::find(book, &new, &closed);
    let facts = facts::find(&Gathered {
        evidence: &evidence,
        parts: &parts,
        envelope,
        sender: &sender,
        recipients: &recipients,
        reader,
        reader_names: [&reader_given, &reader_family],
        new: &new.text,
        subject: &subject.text,
        closed: &closed,
        elsewhere,
        asks: &asks,
    });
    let [colleague, person] = [Fact::Colleague, Fact::Person].map(|fact| facts.contains(&fact));
    let imitates = [Fact::LookAlike, Fact::NothingLeft, Fact::HouseAttacked];
    let suspect = facts.iter().any(|fact| imitates.contains(fact))
        || evidence.has(CueRole::Phishing) && !colleague;
    for fact in facts {
        evidence.fact(fact);
    }

    let language = language(book, &new, &subject);
    let mut times = times(book, &new, language, sent);
    let is_open = |token: u32| !closed.contains(&new.sentence_of(token));
    times.days.retain(|day| is_open(day.first));
    times.times.retain(|time| is_open(time.first));
    let subject_times = self::times(book, &subject, language, sent);
    let meeting = sent.and_then(|sent| {
        meeting::find(&Said {
            book,
            new: &new,
            times: &times,
            subject_times: &subject_times,
            asks: &asks,
            closed: &closed,
            sent,
            sender: &sender,
            reader,
            recipients: &recipients,
        })
    });
    let personal = new.sentences_with(book, CueRole::OnlyReader);
    let quoted: Vec<(bool, String)> = asks
        .iter()
        .map(|index| {
            (
                personal.contains(index),
                asks::quote(&new.text, &asks, *index),
            )
        })
        .filter(|(_, ask)| !ask.is_empty())
        .collect();
    let begins_small = new.text.tokens.first().is_some_and(|token| {
        let first = new.text.source[token.start as usize..].chars().next();
        first.is_some_and(char::is_lowercase)
    });
    Reading {
        decision: triage::decide(&evidence),
        sender_name: sender_name(&sender, &parts),
        reader_name: reader_given,
        subject: bare_subject(envelope.subject),
        language,
        informal: begins_small || evidence.has(CueRole::Informal),
        only_reader: (0..quoted.len()).filter(|at| quoted[*at].0).collect(),
        asks: quoted.into_iter().map(|(_, ask)| ask).collect(),
        meeting,
        sent,
        deadline: deadline(&times, &subject_times, sent),
        urgent: evidence.has(CueRole::Urgent),
        person,
        colleague,
        cold: evidence.has(CueRole::Cold) || evidence.has(CueRole::BulkSender) && !colleague,
        suspect,
        role: role(book, &parts.signature),
        sender,
        subject_text: subject.text,
        new: new.text,
        closed,
    }
}

/// The part of a signature's line that names somebody's work.
fn role(book: &Book, signature: &str) -> Option<String> {
    let lines = prefix(signature, 600).lines().take(6);
    let parts = lines.flat_map(|line| line.split([',', '|', '·', '/']));
    let mut parts = parts.map(|part| part.split(" at ").next().unwrap_or_default().trim());
    let role = parts.find(|part| {
        let words: Vec<&str> = part.split_whitespace().collect();
        let is_word = |word: &&str| {
            word.chars()
                .all(|c| c.is_alphabetic() || matches!(c, '-' | '&' | '.'))
        };
        (1..=5).contains(&words.len())
            && words.iter().all(is_word)
            && part.starts_with(char::is_uppercase)
            && !book.roles.find(&Text::new((*part).to_owned())).is_empty()
    })?;
    Some(role.to_owned())
}

/// Sentences of a paragraph from the first that gives orders to an assistant.
fn attacked_sentences(book: &Book, new: &Scanned) -> BTreeSet<usize> {
    let mut attacked = BTreeSet::new();
    for first in new.sentences_with(book, CueRole::Attack) {
        let paragraph = new.text.sentences[first].paragraph;
        for (index, sentence) in new.text.sentences.iter().enumerate().skip(first) {
            // Stops early where an earlier order stood in the same paragraph.
            if sentence.paragraph != paragraph || !attacked.insert(index) {
                break;
            }
        }
    }
    attacked
}

/// Sentences of short paragraphs that hold words of footers.
fn footer_sentences(book: &Book, new: &Scanned) -> BTreeSet<usize> {
    let paragraph = |index: usize| new.text.sentences[index].paragraph;
    let marked: BTreeSet<u32> = new
        .sentences_with(book, CueRole::Footer)
        .into_iter()
        .map(paragraph)
        .collect();
    let mut footers = BTreeSet::new();
    for sentences in new
        .text
        .sentences
        .chunk_by(|one, next| one.paragraph == next.paragraph)
    {
        let words = sentences[sentences.len() - 1].last - sentences[0].first;
        if marked.contains(&sentences[0].paragraph) && words <= MOST_FOOTER_WORDS {
            let first = new.sentence_of(sentences[0].first);
            footers.extend(first..first + sentences.len());
        }
    }
    footers
}

fn header_cues(book: &Book, header: &str) -> Vec<u16> {
    let text = Text::header(header.to_owned());
    let payloads = book.header.find(&text).into_iter();
    payloads
        .filter_map(|hit| match book.payloads[hit.payload as usize] {
            Payload::Cue(cue) => Some(cue),
            _ => None,
        })
        .collect()
}

/// Whether the words of a recipient are those of a group.
fn is_group(book: &Book, mailbox: &Mailbox) -> bool {
    let shown = format!("{} {}", mailbox.name, mailbox.address);
    header_cues(book, &shown)
        .into_iter()
        .any(|cue| book.cues[cue as usize].role == Some(CueRole::GroupAddress))
}

/// Given names of recipients who are not the reader, folded.
fn other_names(recipients: &[Mailbox], reader: Option<&Mailbox>) -> BTreeSet<String> {
    recipients
        .iter()
        .filter(|mailbox| Some(*mailbox) != reader && mailbox.is_person())
        .map(|mailbox| folded(&mailbox.names().0))
        .filter(|name| !name.is_empty())
        .collect()
}

/// Sentences of paragraphs that begin with the name of another recipient, or with `@name`.
fn sentences_to_others(text: &Text, others: &BTreeSet<String>, reader: &str) -> BTreeSet<usize> {
    let reader = folded(reader);
    let mut to_others = BTreeSet::new();
    let mut paragraph = None;
    let mut to_other = false;
    for (index, sentence) in text.sentences.iter().enumerate() {
        if paragraph != Some(sentence.paragraph) {
            paragraph = Some(sentence.paragraph);
            let first = sentence.first as usize;
            let word = folded(text.token(first));
            let start = text.tokens[first].start as usize;
            let mentioned = text.source[..start].ends_with('@') && word != reader;
            to_other = mentioned || others.contains(&word) && word != reader;
        }
        if to_other {
            to_others.insert(index);
        }
    }
    to_others
}

/// The language whose words are found most often.
fn language(book: &Book, new: &Scanned, subject: &Scanned) -> usize {
    let mut counts = vec![0_u32; book.languages.len()];
    for hit in new.hits.iter().chain(&subject.hits) {
        match book.payloads[hit.payload as usize] {
            Payload::Common(language) => counts[language as usize] += 2,
            Payload::Time(language, _) => counts[language as usize] += 1,
            Payload::Cue(_) => {}
        }
    }
    // The first on equal counts.
    (0..counts.len())
        .rev()
        .max_by_key(|index| counts[*index])
        .unwrap_or(0)
}

pub(super) fn times(book: &Book, scanned: &Scanned, language: usize, sent: Option<Date>) -> Times {
    let mut words: Vec<Option<Word>> = vec![None; scanned.text.tokens.len()];
    for hit in &scanned.hits {
        let Payload::Time(of, meaning) = book.payloads[hit.payload as usize] else {
            continue;
        };
        // English words are understood everywhere; others in their own language.
        let own = of as usize == language;
        if !own && of != 0 {
            continue;
        }
        let word = Word {
            meaning,
            last: hit.last,
        };
        let slot = &mut words[hit.first as usize];
        // The longer word wins, then the one of the text's own language. "heures" is both a
        // unit and the mark of a time: the number before it decides, so keep the mark.
        let better = slot.is_none_or(|seen| {
            hit.last > seen.last
                || hit.last == seen.last
                    && own
                    && !(seen.meaning == Meaning::Clock && meaning == Meaning::Hour)
        });
        if better {
            *slot = Some(word);
        }
    }
    when::read(&scanned.text, &words, sent)
}

fn deadline(times: &Times, subject: &Times, sent: Option<Date>) -> Option<Date> {
    let sent = sent?;
    times
        .days
        .iter()
        .chain(&subject.days)
        .filter(|day| day.kind == DayKind::By && day.date >= sent)
        .map(|day| day.date)
        .min()
}

/// How to call the sender: by the given name, which a signature tells where the header
/// has only an initial.
fn sender_name(sender: &Mailbox, parts: &Parts) -> String {
    let (given, family) = sender.names();
    let is_initial = given.ends_with('.') || given.chars().count() == 1;
    if is_initial && !family.is_empty() {
        let signed = parts
            .signature
            .lines()
            .take(6)
            .find(|line| line.contains(&family));
        let first = signed
            .and_then(|line| line.split_whitespace().next())
            .unwrap_or_default();
        let plain = first.chars().count() > 2
            && first.chars().all(|c| c.is_alphabetic() || c == '-')
            && first != family;
        return if plain {
            first.to_owned()
        } else {
            String::new()
        };
    }
    given
}
