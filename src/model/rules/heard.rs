//! What the person said while the work went on: feedback on proposals, and answers.
//!
//! Feedback stands in a `<feedback>` block of a message behind the email, or is the whole
//! answer to a call that did not run.

use jiff::civil::{Date, Weekday};

use super::acts::{self, Act};
use super::book::{Book, WishCue};
use super::reading;
use super::scan::Scanned;
use super::spoken::Spoken;
use super::when::DayKind;
use super::wish::{self, Use, What};

/// What feedback asks of the next draft.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Changes {
    pub acts: Vec<Act>,
    pub style: Vec<What>,
}

impl Changes {
    pub fn add(&mut self, more: Changes) {
        self.acts.extend(more.acts);
        self.style.extend(more.style);
    }
}

/// What feedback asks of a proposed meeting.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct MeetingChanges {
    pub minutes: Option<u16>,
    pub day: Option<Date>,
    pub not_days: Vec<Date>,
    pub not_weekdays: Vec<Weekday>,
    /// In minutes after midnight: the start itself.
    pub start: Option<u16>,
    pub earliest: Option<u16>,
    /// Every start lies before it.
    pub before: Option<u16>,
}

/// The person's words within a message that holds them.
pub(super) fn feedback(message: &str) -> &str {
    let inside = message
        .split_once("<feedback>")
        .and_then(|(_, rest)| rest.rsplit_once("</feedback>"));
    inside.map_or(message, |(inside, _)| inside).trim()
}

/// What a text asks of a draft; empty where nothing of it is understood.
pub(super) fn understood(book: &Book, text: &str) -> Changes {
    let spoken = Spoken::new(book, text, &acts::CUES);
    let mut changes = Changes::default();
    for sentence in spoken.sentences() {
        changes
            .style
            .extend(wish::style_whats(book, &spoken, sentence));
        changes.acts.extend(acts::of_sentence(&spoken, sentence));
    }
    changes
}

/// What a text asks of a draft. What is not understood is said in the person's own words.
pub(super) fn changes(book: &Book, text: &str) -> Changes {
    let mut changes = understood(book, text);
    let is_empty = changes.acts.is_empty() && changes.style.is_empty();
    if is_empty && !acts::line(text).is_empty() && !only_orders_an_answer(book, text) {
        changes.acts.push(Act::Say(acts::line(text)));
    }
    changes
}

/// "Please answer this."
fn only_orders_an_answer(book: &Book, text: &str) -> bool {
    let spoken = Spoken::new(book, text, &[WishCue::Respond]);
    !spoken.cues.is_empty() && spoken.text.tokens.len() <= 6
}

/// What a text asks of a meeting; `None` where nothing of it is understood.
pub(super) fn meeting_changes(
    book: &Book,
    text: &str,
    sent: Option<Date>,
) -> Option<MeetingChanges> {
    let mut changes = MeetingChanges::default();
    for said in wish::meeting(book, text, Use::Meeting) {
        match said.wish.what {
            What::Minutes(minutes) | What::AtMost(minutes) => changes.minutes = Some(minutes),
            What::Earliest(from) => changes.earliest = Some(from),
            What::Before(to) => changes.before = Some(to),
            What::NotOn(day) => changes.not_weekdays.push(day),
            _ => {}
        }
    }
    let scanned = Scanned::new(book, text);
    let times = reading::times(book, &scanned, 0, sent);
    for day in &times.days {
        let barred = changes.not_weekdays.contains(&day.date.weekday());
        match day.kind {
            DayKind::On if !barred && changes.day.is_none() => changes.day = Some(day.date),
            DayKind::Except => changes.not_days.push(day.date),
            DayKind::On | DayKind::By | DayKind::Week => {}
        }
    }
    if changes.earliest.is_none() && changes.before.is_none() {
        changes.start = times.times.first().map(|time| time.minutes);
    }
    (changes != MeetingChanges::default()).then_some(changes)
}

/// An answer to a question, on one line; `None` where it leaves the choice to us.
pub(super) fn answer(book: &Book, text: &str) -> Option<String> {
    let leaves_it = !Spoken::new(book, text, &[WishCue::DecideYourself])
        .cues
        .is_empty();
    let line = acts::line(text);
    (!leaves_it && !line.is_empty()).then(|| acts::sentence(&line))
}
