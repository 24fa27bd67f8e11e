//! One email, read once: what it is, what it wants, and by when.

use std::collections::BTreeSet;

use jiff::ToSpan;
use jiff::civil::{Date, Weekday};

use super::book::{Book, CueRole, Fact, Meaning, Part, Payload};
use super::envelope::{Envelope, Mailbox, bare_subject};
use super::phrases::Hit;
use super::segment::{self, Parts, prefix};
use super::text::{Text, class, fold};
use super::triage::{self, Decision, Evidence};
use super::when::{self, DayKind, Times, Word};

/// Quoted mail is searched this far: enough to notice an attack at its top.
const MOST_QUOTED: usize = 8 * 1024;

/// Everything that later steps need to know about an email.
#[derive(Clone, Debug, PartialEq)]
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
}

/// What is said about meeting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Meeting {
    /// Days in question, best first; never empty.
    pub days: Vec<Proposal>,
    pub minutes: u16,
    /// The sender wants it put into the calendar.
    pub set_up: bool,
    /// Addresses to invite.
    pub attendees: Vec<String>,
}

/// A day, and the times of that day that were named, in minutes after midnight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Proposal {
    pub day: Date,
    pub times: Vec<u16>,
}

/// A part of the email with the phrases found in it.
struct Scanned {
    text: Text,
    hits: Vec<Hit>,
}

impl Scanned {
    fn new(book: &Book, text: &str) -> Scanned {
        let text = Text::new(text.to_owned());
        let hits = book.text.find(&text);
        Scanned { text, hits }
    }

    fn sentence_of(&self, hit: &Hit) -> usize {
        self.text.tokens[hit.first as usize].sentence as usize
    }
}

pub(super) fn read(book: &Book, envelope: &Envelope, today: Option<Date>) -> Reading {
    let sent = envelope.date.or(today);
    let parts = segment::split(envelope.body);
    let sender = Mailbox::parse(prefix(envelope.from, 500));
    let recipients = Mailbox::parse_list(prefix(envelope.to, 4000));
    let reader = recipients.iter().find(|mailbox| mailbox.is_person());
    let (reader_given, reader_family) = reader.map(Mailbox::names).unwrap_or_default();

    let subject = Scanned::new(book, prefix(envelope.subject, 500));
    let new = Scanned::new(book, &parts.new);
    let mut evidence = Evidence::new(book);

    // Cues, part by part. What gives orders to an assistant is taken out before the rest counts.
    let aside = [
        (Part::Signature, Scanned::new(book, &parts.signature)),
        (Part::Footer, Scanned::new(book, &parts.footer)),
        (
            Part::Quoted,
            Scanned::new(book, prefix(&parts.quoted, MOST_QUOTED)),
        ),
        (Part::Hidden, Scanned::new(book, &parts.hidden)),
    ];
    let attacked = attacked_sentences(book, &new);
    let others = other_names(&recipients, reader);
    let elsewhere = sentences_to_others(&new.text, &others, &reader_given);
    for hit in &new.hits {
        let sentence = new.sentence_of(hit);
        let Payload::Cue(cue) = book.payloads[hit.payload as usize] else {
            continue;
        };
        let is_attack = book.cues[cue as usize].role == Some(CueRole::Attack);
        if (is_attack || !attacked.contains(&sentence)) && !elsewhere.contains(&sentence) {
            evidence.cue(Part::New, cue);
        }
    }
    for (part, scanned) in [(Part::Subject, &subject)]
        .into_iter()
        .chain(aside.iter().map(|(part, scanned)| (*part, scanned)))
    {
        for hit in &scanned.hits {
            if let Payload::Cue(cue) = book.payloads[hit.payload as usize] {
                evidence.cue(part, cue);
            }
        }
    }
    let from = Text::header(prefix(envelope.from, 500).to_owned());
    for hit in book.header.find(&from) {
        if let Payload::Cue(cue) = book.payloads[hit.payload as usize] {
            evidence.cue(Part::From, cue);
        }
    }

    let asks = asks(book, &new, &attacked, &elsewhere);
    let facts = facts(&Gathered {
        book,
        evidence: &evidence,
        parts: &parts,
        envelope,
        sender: &sender,
        recipients: &recipients,
        reader,
        reader_names: [&reader_given, &reader_family],
        new: &new,
        subject: &subject,
        attacked: &attacked,
        elsewhere: &elsewhere,
        asks: &asks,
    });
    for fact in facts {
        evidence.fact(fact);
    }

    let language = language(book, &new, &subject);
    let times = times(book, &new, language, sent, &attacked);
    let subject_times = self::times(book, &subject, language, sent, &BTreeSet::new());
    let meeting = meeting(
        book,
        &Said {
            new: &new,
            times: &times,
            subject_times: &subject_times,
            asks: &asks,
            attacked: &attacked,
            sent,
            sender: &sender,
            reader,
            recipients: &recipients,
        },
    );
    let deadline = deadline(&times, &subject_times, sent);
    Reading {
        decision: triage::decide(&evidence),
        sender_name: sender_name(&sender, &parts),
        reader_name: reader_given,
        subject: bare_subject(envelope.subject),
        language,
        informal: evidence.has(CueRole::Informal),
        asks: asks
            .iter()
            .map(|index| quote(&new.text, *index))
            .filter(|ask| !ask.is_empty())
            .take(4)
            .collect(),
        meeting,
        sent,
        deadline,
        urgent: evidence.has(CueRole::Urgent),
        sender,
    }
}

/// Sentences of a paragraph from the first that gives orders to an assistant.
fn attacked_sentences(book: &Book, new: &Scanned) -> BTreeSet<usize> {
    let mut attacked = BTreeSet::new();
    for hit in &new.hits {
        let Payload::Cue(cue) = book.payloads[hit.payload as usize] else {
            continue;
        };
        if book.cues[cue as usize].role != Some(CueRole::Attack) {
            continue;
        }
        let first = new.sentence_of(hit);
        let paragraph = new.text.sentences[first].paragraph;
        for (index, sentence) in new.text.sentences.iter().enumerate().skip(first) {
            // Stops early where an earlier hit was in the same paragraph.
            if sentence.paragraph != paragraph || !attacked.insert(index) {
                break;
            }
        }
    }
    attacked
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

fn folded(word: &str) -> String {
    let mut folded = String::new();
    fold(word, &mut folded);
    folded
}

/// Sentences that want something of the reader: questions, requests, and the items of a
/// list that a request announces.
fn asks(
    book: &Book,
    new: &Scanned,
    attacked: &BTreeSet<usize>,
    elsewhere: &BTreeSet<usize>,
) -> Vec<usize> {
    let mut asks: BTreeSet<usize> = BTreeSet::new();
    let open = |index: &usize| !attacked.contains(index) && !elsewhere.contains(index);
    for (index, sentence) in new.text.sentences.iter().enumerate() {
        if sentence.question && sentence.last - sentence.first > 1 && open(&index) {
            asks.insert(index);
        }
    }
    for hit in &new.hits {
        let index = new.sentence_of(hit);
        if let Payload::Cue(cue) = book.payloads[hit.payload as usize] {
            let role = book.cues[cue as usize].role;
            if matches!(role, Some(CueRole::Request | CueRole::SetUp)) && open(&index) {
                asks.insert(index);
            }
        }
    }
    let announced: Vec<usize> = asks
        .iter()
        .copied()
        .filter(|index| new.text.sentence(*index).ends_with(':'))
        .collect();
    for index in announced {
        let items = (index + 1..new.text.sentences.len())
            .take_while(|item| is_item(&new.text, *item) && open(item));
        let items: Vec<usize> = items.take(4).collect();
        if !items.is_empty() {
            asks.remove(&index);
        }
        asks.extend(items);
    }
    // Questions are what must be answered; requests give way to them where there are many.
    let mut asks: Vec<usize> = asks.into_iter().collect();
    if asks.len() > 4 {
        asks.sort_by_key(|index| !new.text.sentences[*index].question);
        asks.truncate(4);
        asks.sort_unstable();
    }
    asks
}

fn is_item(text: &Text, sentence: usize) -> bool {
    let start = text.tokens[text.sentences[sentence].first as usize].start as usize;
    let line = text.source[..start].rsplit('\n').next().unwrap_or_default();
    matches!(line.trim(), "-" | "*" | "•" | "–" | "+")
}

/// A sentence on one line, without links and addresses, at most 200 characters.
fn quote(text: &Text, index: usize) -> String {
    let sentence = text.sentences[index];
    let mut from = text.tokens[sentence.first as usize].start as usize;
    // Opening marks belong to it: "¿", "(".
    if let Some(mark) = text.source[..from]
        .chars()
        .next_back()
        .filter(|c| matches!(c, '¿' | '¡'))
    {
        from -= mark.len_utf8();
    }
    let mut quoted = String::new();
    for token in &text.tokens[sentence.first as usize..sentence.last as usize] {
        if token.class & (class::URL | class::ADDRESS) != 0 {
            quoted.push_str(&text.source[from..token.start as usize]);
            quoted.push('…');
            from = token.end as usize;
        }
    }
    quoted.push_str(&text.source[from..sentence.end as usize]);
    let mut line = String::new();
    let mut count = 0;
    for word in quoted.split_whitespace() {
        count += word.chars().count() + 1;
        if count > 200 {
            line.push('…');
            break;
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    line.retain(|c| !c.is_control());
    // Our own marks surround it.
    line.replace(['“', '”', '„', '«', '»'], "'")
        .trim_matches(['"', ' ', ';'])
        .to_owned()
}

struct Gathered<'a> {
    book: &'a Book,
    evidence: &'a Evidence<'a>,
    parts: &'a Parts,
    envelope: &'a Envelope<'a>,
    sender: &'a Mailbox,
    recipients: &'a [Mailbox],
    reader: Option<&'a Mailbox>,
    reader_names: [&'a str; 2],
    new: &'a Scanned,
    subject: &'a Scanned,
    attacked: &'a BTreeSet<usize>,
    elsewhere: &'a BTreeSet<usize>,
    asks: &'a [usize],
}

fn facts(it: &Gathered) -> Vec<Fact> {
    let mut facts = Vec::new();
    let evidence = it.evidence;
    let text = &it.new.text;
    let machine = evidence.has(CueRole::MachineSender);
    let bulk = evidence.has(CueRole::BulkSender);
    // A person's name beats a word in the address that machines use too.
    let person =
        it.sender.is_person() && !evidence.has_all(&[CueRole::MachineSender, CueRole::BulkSender]);
    if person && !machine && !bulk {
        facts.push(Fact::Person);
    }
    if machine {
        facts.push(Fact::Machine);
    }
    if bulk && !machine {
        facts.push(Fact::Bulk);
    }
    let house = it.sender.house();
    let houses: BTreeSet<String> = it
        .recipients
        .iter()
        .map(Mailbox::house)
        .filter(|house| !house.is_empty())
        .collect();
    let own_house = !house.is_empty() && houses.contains(&house);
    if own_house && !machine && !bulk {
        facts.push(Fact::Colleague);
    }
    let labels = || {
        houses
            .iter()
            .filter_map(|house| house.split('.').next())
            .filter(|label| label.len() >= 5)
    };
    let sender_words = folded(&format!("{} {}", it.sender.name, it.sender.domain()));
    let look_alike = !own_house
        && !it.sender.address.is_empty()
        && labels().any(|label| sender_words.contains(label));
    if look_alike {
        facts.push(Fact::LookAlike);
    }

    let count = |sentences: &BTreeSet<usize>| -> u32 {
        sentences
            .iter()
            .map(|index| text.sentences[*index].last - text.sentences[*index].first)
            .sum()
    };
    let steered = evidence.has(CueRole::Attack);
    let left = text.tokens.len() as u32 - count(it.attacked);
    if steered {
        facts.push(Fact::Steered);
        if left < 8 {
            facts.push(Fact::NothingLeft);
        }
    }
    let names_house = || {
        labels().any(|label| {
            folded(it.envelope.body.get(..2000).unwrap_or(it.envelope.body)).contains(label)
        })
    };
    if (look_alike || steered && left < 8)
        && evidence.has(CueRole::HouseProperty)
        && (look_alike || names_house())
    {
        facts.push(Fact::HouseAttacked);
    }
    if it.parts.forwarded && left < 5 {
        facts.push(Fact::ForwardedBare);
    }

    let questions = it
        .asks
        .iter()
        .filter(|index| text.sentences[**index].question)
        .count();
    let asked_in_subject = it
        .subject
        .text
        .sentences
        .iter()
        .any(|sentence| sentence.question)
        && it.parts.quoted.is_empty();
    if questions > 0 || asked_in_subject {
        facts.push(Fact::Question);
    }
    if questions > 1 {
        facts.push(Fact::Questions);
    }
    if !it.elsewhere.is_empty() {
        facts.push(Fact::OtherPerson);
    }
    let names: Vec<String> = it
        .reader_names
        .iter()
        .map(|name| folded(name))
        .filter(|name| name.len() > 1)
        .collect();
    // Near the beginning of the text: "Hi Robin", "Robin, can you", "Dear Ms Okafor".
    let by_name =
        (0..text.tokens.len().min(5)).any(|index| names.contains(&folded(text.token(index))));
    if by_name {
        facts.push(Fact::ByName);
    }
    if it.reader.is_none() || it.recipients.len() > 2 && !by_name {
        facts.push(Fact::Group);
    }
    let lower = it.envelope.subject.trim_start().to_lowercase();
    let answered = [
        "re:", "aw:", "antw:", "sv:", "rv:", "res:", "fw:", "fwd:", "wg:", "tr:",
    ]
    .iter()
    .any(|mark| lower.starts_with(mark));
    if answered && !it.parts.quoted.is_empty() {
        facts.push(Fact::Answered);
    }
    let links = text
        .tokens
        .iter()
        .filter(|token| token.class & class::URL != 0)
        .count();
    if links >= 4 {
        facts.push(Fact::Links);
    }
    debug_assert!(facts.iter().all(|fact| it.book.facts.contains_key(fact)));
    facts
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

fn times(
    book: &Book,
    scanned: &Scanned,
    language: usize,
    sent: Option<Date>,
    attacked: &BTreeSet<usize>,
) -> Times {
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
    let mut times = when::read(&scanned.text, &words, sent);
    let calm =
        |first: u32| !attacked.contains(&(scanned.text.tokens[first as usize].sentence as usize));
    times.days.retain(|day| calm(day.first));
    times.times.retain(|time| calm(time.first));
    times
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

struct Said<'a> {
    new: &'a Scanned,
    times: &'a Times,
    subject_times: &'a Times,
    asks: &'a [usize],
    attacked: &'a BTreeSet<usize>,
    sent: Option<Date>,
    sender: &'a Mailbox,
    reader: Option<&'a Mailbox>,
    recipients: &'a [Mailbox],
}

fn meeting(book: &Book, said: &Said) -> Option<Meeting> {
    let new = said.new;
    let sent = said.sent?;
    let mut set_up = false;
    let mut about: BTreeSet<usize> = BTreeSet::new();
    for hit in &new.hits {
        let sentence = new.sentence_of(hit);
        let Payload::Cue(cue) = book.payloads[hit.payload as usize] else {
            continue;
        };
        if said.attacked.contains(&sentence) {
            continue;
        }
        match book.cues[cue as usize].role {
            Some(CueRole::SetUp) => {
                set_up = true;
                about.insert(sentence);
            }
            Some(CueRole::Meeting) => {
                about.insert(sentence);
            }
            _ => {}
        }
    }
    let sentence_of = |token: u32| new.text.tokens[token as usize].sentence as usize;
    let open = |kind: DayKind| matches!(kind, DayKind::On | DayKind::Week);
    // A question that names a day and a time is about the reader's time, whatever it is for.
    let timed = said.asks.iter().any(|ask| {
        said.times
            .days
            .iter()
            .any(|day| open(day.kind) && day.date >= sent && sentence_of(day.first) == *ask)
            && said
                .times
                .times
                .iter()
                .any(|time| sentence_of(time.first) == *ask)
    });
    let days_said = said
        .times
        .days
        .iter()
        .any(|day| open(day.kind) && day.date >= sent);
    let asked = said.asks.iter().any(|ask| about.contains(ask));
    // Asked here, and meant here or where days are named.
    let wanted = asked || !said.asks.is_empty() && !about.is_empty() && days_said;
    if !(timed || wanted) {
        return None;
    }
    let minutes = said
        .times
        .length
        .or(said.subject_times.length)
        .or_else(|| said.times.times.iter().find_map(|time| time.length))
        .unwrap_or(30);
    let days = proposals(said, sent)?;
    Some(Meeting {
        days,
        minutes,
        set_up,
        attendees: attendees(said),
    })
}

/// The days in question: those named, else the days of the week named, else the next ones.
fn proposals(said: &Said, sent: Date) -> Option<Vec<Proposal>> {
    let all: Vec<_> = said
        .times
        .days
        .iter()
        .copied()
        .filter(|day| day.date >= sent)
        .collect();
    let except: BTreeSet<Date> = all
        .iter()
        .filter(|day| day.kind == DayKind::Except)
        .map(|day| day.date)
        .collect();
    let mut named: Vec<Proposal> = Vec::new();
    for day in all
        .iter()
        .filter(|day| day.kind == DayKind::On && !except.contains(&day.date))
    {
        if !named.iter().any(|proposal| proposal.day == day.date) {
            named.push(Proposal {
                day: day.date,
                times: Vec::new(),
            });
        }
    }
    let in_subject = said
        .subject_times
        .days
        .iter()
        .filter(|day| day.kind == DayKind::On && day.date >= sent);
    if named.is_empty() {
        named.extend(in_subject.map(|day| Proposal {
            day: day.date,
            times: Vec::new(),
        }));
    }
    let mut loose: Vec<u16> = Vec::new();
    for time in &said.times.times {
        // A time belongs to the day named shortly before it, else to the one right after it.
        let near = |first: u32, last: u32| {
            time.first >= last && time.first - last <= 12
                || first > time.first && first - time.first <= 6
        };
        let day = all
            .iter()
            .filter(|day| day.kind == DayKind::On && near(day.first, day.last))
            .min_by_key(|day| {
                if time.first >= day.last {
                    time.first - day.last
                } else {
                    100 + day.first
                }
            });
        match day.and_then(|day| named.iter_mut().find(|proposal| proposal.day == day.date)) {
            Some(proposal) => proposal.times.push(time.minutes),
            None => loose.push(time.minutes),
        }
    }
    if named.is_empty() {
        let week = all
            .iter()
            .find(|day| day.kind == DayKind::Week)
            .map(|day| day.date);
        let first = match week {
            Some(monday) => monday,
            None => sent.tomorrow().ok()?,
        };
        let working = (0..7).filter_map(|ahead: i32| first.checked_add(ahead.days()).ok());
        named = working
            .filter(|day| !is_weekend(*day) && !except.contains(day))
            .take(5)
            .map(|day| Proposal {
                day,
                times: Vec::new(),
            })
            .collect();
    }
    for proposal in &mut named {
        if proposal.times.is_empty() {
            proposal.times.clone_from(&loose);
        }
    }
    // A day with a time is a proposal; one without may only be mentioned.
    named.sort_by_key(|proposal| proposal.times.is_empty());
    named.truncate(5);
    (!named.is_empty()).then_some(named)
}

pub(super) fn is_weekend(day: Date) -> bool {
    matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday)
}

/// The sender, other recipients, and people of the two houses whom the text names by
/// address. Whoever else a text wants invited is not.
fn attendees(said: &Said) -> Vec<String> {
    let mut attendees: Vec<String> = Vec::new();
    let mut add = |address: &str| {
        let known = attendees
            .iter()
            .any(|seen: &String| seen.eq_ignore_ascii_case(address));
        let is_reader = said
            .reader
            .is_some_and(|reader| reader.address.eq_ignore_ascii_case(address));
        if !address.is_empty() && !known && !is_reader && attendees.len() < 20 {
            attendees.push(address.to_owned());
        }
    };
    add(&said.sender.address);
    for recipient in said
        .recipients
        .iter()
        .filter(|recipient| recipient.is_person())
    {
        add(&recipient.address);
    }
    let houses: Vec<String> = [Some(said.sender), said.reader]
        .into_iter()
        .flatten()
        .map(Mailbox::house)
        .filter(|house| !house.is_empty())
        .collect();
    for (index, token) in said.new.text.tokens.iter().enumerate() {
        if token.class & class::ADDRESS == 0 || said.attacked.contains(&(token.sentence as usize)) {
            continue;
        }
        let address = said.new.text.token(index);
        if houses.contains(&Mailbox::parse(address).house()) {
            add(address);
        }
    }
    attendees
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
