//! Writes the reply: short, in the sender's language, about what was asked.

use jiff::ToSpan;
use jiff::civil::Date;

use super::book::{Book, Language};
use super::meeting::is_weekend;
use super::reading::Reading;

/// A start on a day, in minutes after midnight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slot {
    pub day: Date,
    pub start: u16,
}

/// What came of looking for a time to meet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Appointment {
    /// It was put into the calendar.
    Booked { slot: Slot, minutes: u16 },
    /// A time that the sender named is free.
    Accepted(Slot),
    /// The sender named no time, or none that is free. `asked` is the first one named.
    Offered {
        asked: Option<Slot>,
        free: Vec<Slot>,
    },
    /// Nothing is free on the day.
    Nothing(Date),
}

/// `Re: …`, once.
pub(super) fn subject(reading: &Reading) -> String {
    format!("Re: {}", reading.subject)
}

pub(super) fn content(book: &Book, reading: &Reading, appointment: Option<&Appointment>) -> String {
    let language = &book.languages[reading.language];
    let words = &language.reply;
    let mut paragraphs: Vec<String> = Vec::new();
    paragraphs.push(if reading.sender_name.is_empty() {
        words.greeting_plain.clone()
    } else {
        words.greeting.replace("{name}", &reading.sender_name)
    });
    if !reading.informal && !reading.subject.is_empty() {
        paragraphs.push(words.thanks.replace("{subject}", &reading.subject));
    }
    let promise = promise(reading);
    let by = match promise {
        Some(day) if Some(day) == reading.sent => {
            words.today.replace("{day}", &day_text(language, day))
        }
        Some(day) => day_text(language, day),
        None => words.soon.clone(),
    };
    if let Some(appointment) = appointment {
        paragraphs.push(appointment_text(language, appointment));
    }
    // What the appointment answered needs no promise; what was asked beside it does.
    let open: &[String] = match appointment {
        Some(_) if reading.asks.len() <= 2 => &[],
        _ => &reading.asks,
    };
    match (open, appointment) {
        ([], Some(_)) => {}
        ([], None) => paragraphs.push(words.noted.replace("{day}", &by)),
        ([ask], _) => paragraphs.push(words.asked.replace("{day}", &by).replace("{ask}", ask)),
        (asks, _) => {
            let mut list = words.asked_list.clone();
            for ask in asks {
                list.push_str("\n- ");
                list.push_str(ask);
            }
            paragraphs.push(list);
            paragraphs.push(words.answer_all.replace("{day}", &by));
        }
    }
    if let (Some(deadline), false) = (reading.deadline, open.is_empty())
        && promise.is_some_and(|promise| promise < deadline)
    {
        paragraphs.push(
            words
                .deadline
                .replace("{day}", &day_text(language, deadline)),
        );
    }
    let mut text = paragraphs.join("\n\n");
    if !reading.informal {
        text.push_str("\n\n");
        text.push_str(&words.sign_off);
    }
    if !reading.reader_name.is_empty() {
        text.push_str(if reading.informal { "\n\n" } else { "\n" });
        text.push_str(&reading.reader_name);
    }
    text
}

/// The day an answer is promised for: the next working day, or today where it presses.
fn promise(reading: &Reading) -> Option<Date> {
    let sent = reading.sent?;
    let mut next = sent.tomorrow().ok()?;
    while is_weekend(next) {
        next = next.checked_add(1.day()).ok()?;
    }
    let pressing = reading.urgent || reading.deadline.is_some_and(|deadline| deadline <= next);
    Some(if pressing { sent } else { next })
}

fn appointment_text(language: &Language, appointment: &Appointment) -> String {
    let words = &language.reply;
    let slot = |slot: &Slot| slot_text(language, *slot);
    match appointment {
        Appointment::Booked {
            slot: booked,
            minutes,
        } => words
            .booked
            .replace("{slot}", &slot(booked))
            .replace("{minutes}", &minutes.to_string()),
        Appointment::Accepted(accepted) => words.works.replace("{slot}", &slot(accepted)),
        Appointment::Offered { asked, free } => {
            let offer = words.offer.replace("{slots}", &slots_text(language, free));
            match asked {
                Some(asked) => format!("{} {offer}", words.taken.replace("{slot}", &slot(asked))),
                None => offer,
            }
        }
        Appointment::Nothing(day) => words.none.replace("{day}", &day_text(language, *day)),
    }
}

fn slot_text(language: &Language, slot: Slot) -> String {
    at_text(language, slot.day, &time_text(slot))
}

/// Slots of one day share its name: "Tuesday, 3 March at 9:00, 10:00 or 14:00".
fn slots_text(language: &Language, slots: &[Slot]) -> String {
    let or = format!(" {} ", language.reply.or);
    let days: Vec<String> = slots
        .chunk_by(|one, next| one.day == next.day)
        .map(|slots| {
            let times: Vec<String> = slots.iter().copied().map(time_text).collect();
            at_text(language, slots[0].day, &times.join(", "))
        })
        .collect();
    days.join(&or)
}

fn time_text(slot: Slot) -> String {
    format!("{}:{:02}", slot.start / 60, slot.start % 60)
}

fn at_text(language: &Language, day: Date, times: &str) -> String {
    language
        .reply
        .slot
        .replace("{day}", &day_text(language, day))
        .replace("{time}", times)
}

fn day_text(language: &Language, day: Date) -> String {
    let weekday = &language.weekdays[day.weekday().to_monday_zero_offset() as usize];
    let month = &language.months[usize::from(day.month().unsigned_abs()) - 1];
    language
        .reply
        .day
        .replace("{weekday}", weekday)
        .replace("{day}", &day.day().to_string())
        .replace("{month}", month)
}
