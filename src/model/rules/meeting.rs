//! Whether the reader's time is asked for, and which.

use std::collections::BTreeSet;

use jiff::ToSpan;
use jiff::civil::{Date, Weekday};

use super::asks;
use super::book::{Book, CueRole};
use super::envelope::Mailbox;
use super::scan::Scanned;
use super::text::class;
use super::when::{Day, DayKind, Times};

/// Days considered for one meeting.
const MOST_DAYS: usize = 5;
/// Addresses invited to one meeting.
const MOST_ATTENDEES: usize = 20;
/// Minutes a meeting takes where nothing is said.
const USUAL_MINUTES: u16 = 30;

/// What is said about meeting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Meeting {
    /// Days in question, best first; never empty.
    pub days: Vec<Proposal>,
    pub minutes: u16,
    /// The email names the length.
    pub stated: bool,
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

/// What the email says that bears on a meeting.
pub(super) struct Said<'a> {
    pub book: &'a Book,
    pub new: &'a Scanned,
    pub times: &'a Times,
    pub subject_times: &'a Times,
    pub asks: &'a [usize],
    /// Sentences that are not for the reader.
    pub closed: &'a BTreeSet<usize>,
    pub sent: Date,
    pub sender: &'a Mailbox,
    pub reader: Option<&'a Mailbox>,
    pub recipients: &'a [Mailbox],
}

impl Meeting {
    /// Without the days that are `barred`; where none is left, with the next that are not.
    pub fn avoid(&mut self, barred: &dyn Fn(Date) -> bool) {
        let first = self.days.iter().map(|proposal| proposal.day).min();
        self.days.retain(|proposal| !barred(proposal.day));
        if self.days.is_empty()
            && let Some(first) = first
        {
            self.days = (0..14)
                .filter_map(|ahead: i32| first.checked_add(ahead.days()).ok())
                .filter(|day| !is_weekend(*day) && !barred(*day))
                .take(MOST_DAYS)
                .map(|day| Proposal {
                    day,
                    times: Vec::new(),
                })
                .collect();
        }
    }
}

impl Said<'_> {
    /// Days to come, in the order of the text.
    fn days(&self, kind: DayKind) -> impl Iterator<Item = &Day> {
        let days = self.times.days.iter();
        days.filter(move |day| day.kind == kind && day.date >= self.sent)
    }

    fn has_time(&self, sentence: usize) -> bool {
        let times = &self.times.times;
        times
            .iter()
            .any(|time| self.new.sentence_of(time.first) == sentence)
    }
}

pub(super) fn find(said: &Said) -> Option<Meeting> {
    let set_ups = asks::set_ups(said.book, said.new);
    let mut about = said.new.sentences_with(said.book, CueRole::Meeting);
    about.extend(&set_ups);
    about.retain(|sentence| !said.closed.contains(sentence));
    let has_day = |sentence: usize| {
        let mut days = said.days(DayKind::On).chain(said.days(DayKind::Week));
        days.any(|day| said.new.sentence_of(day.first) == sentence)
    };
    let wanted = said.asks.iter().any(|ask| {
        // A question with a day and a time is about the reader's time, whatever it is for.
        about.contains(ask) || has_day(*ask) && said.has_time(*ask)
    });
    // "Tuesday at 9 suits me": an offer, where anything is asked at all.
    let offered = !said.asks.is_empty()
        && about
            .iter()
            .any(|sentence| has_day(*sentence) && said.has_time(*sentence));
    if !(wanted || offered) {
        return None;
    }
    let range = said.times.times.iter().find_map(|time| time.length);
    let minutes = said.times.length.or(said.subject_times.length).or(range);
    Some(Meeting {
        days: proposals(said, &about)?,
        minutes: minutes.unwrap_or(USUAL_MINUTES),
        stated: minutes.is_some(),
        set_up: set_ups
            .iter()
            .any(|sentence| !said.closed.contains(sentence)),
        attendees: attendees(said),
    })
}

/// The days in question: those named, else the days of the week named, else the next ones.
fn proposals(said: &Said, about: &BTreeSet<usize>) -> Option<Vec<Proposal>> {
    let except: BTreeSet<Date> = said.days(DayKind::Except).map(|day| day.date).collect();
    // Days named where meeting is spoken of; else with a time; else anywhere.
    let rank = |day: &Day| {
        let sentence = said.new.sentence_of(day.first);
        match (about.contains(&sentence), said.has_time(sentence)) {
            (true, _) => 0,
            (false, true) => 1,
            (false, false) => 2,
        }
    };
    let open = || {
        said.days(DayKind::On)
            .filter(|day| !except.contains(&day.date))
    };
    let best = open().map(rank).min();
    let mut named: Vec<Proposal> = Vec::new();
    let in_subject = said
        .subject_times
        .days
        .iter()
        .filter(|day| day.kind == DayKind::On && day.date >= said.sent);
    let in_text = open().filter(|day| Some(rank(day)) == best);
    for day in in_text.chain(in_subject.filter(|_| best.is_none())) {
        if !named.iter().any(|proposal| proposal.day == day.date) {
            named.push(Proposal {
                day: day.date,
                times: Vec::new(),
            });
        }
    }
    let mut loose: Vec<u16> = Vec::new();
    for time in &said.times.times {
        match nearest_day(said, time.first) {
            None => loose.push(time.minutes),
            // A time of another day is none of this meeting.
            Some(day) => {
                if let Some(proposal) = named.iter_mut().find(|proposal| proposal.day == day) {
                    proposal.times.push(time.minutes);
                }
            }
        }
    }
    if named.is_empty() {
        let first = match said.days(DayKind::Week).next() {
            Some(monday) => monday.date,
            None => said.sent.tomorrow().ok()?,
        };
        named = (0..7)
            .filter_map(|ahead: i32| first.checked_add(ahead.days()).ok())
            .filter(|day| !is_weekend(*day) && !except.contains(day))
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
    named.truncate(MOST_DAYS);
    (!named.is_empty()).then_some(named)
}

/// The day that a time belongs to: the one named shortly before it, else right after it.
fn nearest_day(said: &Said, time: u32) -> Option<Date> {
    let days = || {
        said.times
            .days
            .iter()
            .filter(|day| day.kind != DayKind::Week)
    };
    let before = days().rfind(|day| day.last <= time && time - day.last <= 12);
    let after = || days().find(|day| day.first > time && day.first - time <= 6);
    before.or_else(after).map(|day| day.date)
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
            .any(|seen| seen.eq_ignore_ascii_case(address));
        let is_reader = said
            .reader
            .is_some_and(|reader| reader.address.eq_ignore_ascii_case(address));
        if !address.is_empty() && !known && !is_reader && attendees.len() < MOST_ATTENDEES {
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
    let houses = [Some(said.sender), said.reader]
        .map(|mailbox| mailbox.map(Mailbox::house).unwrap_or_default());
    for (index, token) in said.new.text.tokens.iter().enumerate() {
        if token.class & class::ADDRESS == 0 || said.closed.contains(&(token.sentence as usize)) {
            continue;
        }
        let address = said.new.text.token(index);
        if houses.contains(&Mailbox::parse(address).house()) {
            add(address);
        }
    }
    attendees
}
