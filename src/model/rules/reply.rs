//! Writes the reply: short, in the sender's language, about what was asked.

use jiff::ToSpan;
use jiff::civil::Date;

use super::acts::Act;
use super::book::{Book, Language, WishCue, Wording};
use super::meeting::is_weekend;
use super::profile::Style;
use super::reading::Reading;
use super::scope::{stem, topic_words};
use super::spoken::begins_with;
use super::text::{Text, folded};
use super::wish::Tone;

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

/// What goes into a reply beside what the email itself calls for.
#[derive(Clone, Debug, Default)]
pub(super) struct Draft {
    pub appointment: Option<Appointment>,
    pub style: Style,
    /// What the person wants said, in order.
    pub acts: Vec<Act>,
    /// The person's answer to a question, and the place in the reading's asks of what it
    /// answers.
    pub answer: Option<(usize, String)>,
    /// What the person wants said is the answer: nothing more is promised.
    pub answered: bool,
}

pub(super) fn content(book: &Book, reading: &Reading, draft: &Draft) -> String {
    let language = &book.languages[reading.language];
    let words = &language.reply;
    let style = &draft.style;
    let informal = match style.tone {
        Some(Tone::Formal) => false,
        Some(Tone::Casual) => true,
        None => reading.informal,
    };
    let mut paragraphs: Vec<String> = Vec::new();
    if !informal && !style.short && !reading.subject.is_empty() {
        paragraphs.push(words.thanks.replace("{subject}", &reading.subject));
    }
    if let Some(appointment) = &draft.appointment {
        paragraphs.push(appointment_text(language, appointment));
    }
    if let Some((ask, answer)) = &draft.answer {
        let answered = words.answered.replace("{words}", answer);
        paragraphs.push(answered.replace("{ask}", &reading.asks[*ask]));
    }
    paragraphs.extend(promises(language, reading, draft));
    let said: Vec<String> = style
        .acts
        .iter()
        .chain(&draft.acts)
        .filter_map(|act| act.sentence(words))
        .collect();
    if !said.is_empty() {
        paragraphs.push(said.join(" "));
    }
    for act in &draft.acts {
        if let Act::LeaveOut(what) = act {
            leave_out(&mut paragraphs, what);
        }
    }
    paragraphs.insert(0, greeting(book, reading, words, style));
    let mut text = paragraphs.join("\n\n");
    let closing = match &style.sign_off {
        Some(closing) => Some(format!("{closing},")),
        None => (!informal).then(|| words.sign_off.clone()),
    };
    let name = style.sign_as.as_ref().unwrap_or(&reading.reader_name);
    if let Some(closing) = &closing {
        text.push_str("\n\n");
        text.push_str(closing);
    }
    if !name.is_empty() {
        text.push_str(if closing.is_none() { "\n\n" } else { "\n" });
        text.push_str(name);
    }
    text
}

fn greeting(book: &Book, reading: &Reading, words: &Wording, style: &Style) -> String {
    let name = reading.sender_name.as_str();
    let Some(greeting) = &style.greeting else {
        let named = match style.tone {
            Some(Tone::Formal) => &words.greeting_formal,
            _ => &words.greeting,
        };
        return match name {
            "" => words.greeting_plain.clone(),
            name => named.replace("{name}", name),
        };
    };
    // "Dear Ms Ruiz" is said as it is; "Dear" goes before the name.
    let length = greeting.split_whitespace().count();
    let is_word = begins_with(book, greeting, WishCue::GreetingWord) == Some(length);
    match name {
        name if is_word && !name.is_empty() => format!("{greeting} {name},"),
        _ => format!("{greeting},"),
    }
}

/// What was asked, and until when it will be answered.
fn promises(language: &Language, reading: &Reading, draft: &Draft) -> Vec<String> {
    let words = &language.reply;
    let mut paragraphs = Vec::new();
    let promise = promise(reading);
    let by = match promise {
        Some(day) if Some(day) == reading.sent => {
            words.today.replace("{day}", &day_text(language, day))
        }
        Some(day) => day_text(language, day),
        None => words.soon.clone(),
    };
    let answered = draft.answer.as_ref().map(|(ask, _)| *ask);
    let asks: Vec<&String> = (reading.asks.iter().enumerate())
        .filter(|(index, _)| Some(*index) != answered)
        .map(|(_, ask)| ask)
        .collect();
    // What the appointment answered needs no promise; what was asked beside it does.
    let open: &[&String] = match draft.appointment {
        _ if draft.answered => &[],
        Some(_) if reading.asks.len() <= 2 => &[],
        _ => &asks,
    };
    let settled = draft.appointment.is_some() || answered.is_some() || draft.answered;
    match open {
        [] if settled => {}
        [] => paragraphs.push(words.noted.replace("{day}", &by)),
        _ if draft.style.short => paragraphs.push(words.noted.replace("{day}", &by)),
        [ask] => paragraphs.push(words.asked.replace("{day}", &by).replace("{ask}", ask)),
        asks => {
            let mut list = words.asked_list.clone();
            for ask in asks {
                list.push_str("\n- ");
                list.push_str(ask);
            }
            paragraphs.push(list);
            paragraphs.push(words.answer_all.replace("{day}", &by));
        }
    }
    if let (Some(deadline), false) = (reading.deadline, open.is_empty() || draft.style.short)
        && promise.is_some_and(|promise| promise < deadline)
    {
        paragraphs.push(
            words
                .deadline
                .replace("{day}", &day_text(language, deadline)),
        );
    }
    paragraphs
}

/// Drops the paragraphs that hold all words of `what`.
fn leave_out(paragraphs: &mut Vec<String>, what: &str) {
    let words = topic_words(what);
    if words.is_empty() {
        return;
    }
    paragraphs.retain(|paragraph| {
        let text = Text::new(paragraph.clone());
        let found: Vec<String> = (0..text.tokens.len())
            .map(|token| stem(&folded(text.token(token))).to_owned())
            .collect();
        !words.iter().all(|word| found.contains(word))
    });
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
