use jiff::civil::date;
use proptest::prelude::*;

use super::*;
use crate::model::rules::book::book;
use crate::model::rules::reading::times;
use crate::model::rules::scan::Scanned;

/// Reads `text` as an email of Thursday, 5 March 2026, in the language with this index.
fn read_in(language: usize, text: &str) -> Times {
    let scanned = Scanned::new(book(), text);
    times(book(), &scanned, language, Some(date(2026, 3, 5)))
}

const ENGLISH: usize = 0;
const GERMAN: usize = 1;
const FRENCH: usize = 2;
const SPANISH: usize = 3;
const PORTUGUESE: usize = 4;
const ITALIAN: usize = 5;
const JAPANESE: usize = 7;

#[test]
fn days_count_from_the_day_the_email_was_sent() {
    for (language, text, month, day) in [
        (ENGLISH, "on 2026-03-12", 3, 12),
        (ENGLISH, "on March 12", 3, 12),
        (ENGLISH, "on March 12th, 2026", 3, 12),
        (ENGLISH, "on 12 March", 3, 12),
        (ENGLISH, "on the 12th of March", 3, 12),
        (ENGLISH, "on the 12th", 3, 12),
        (ENGLISH, "on the 2nd", 4, 2),
        (ENGLISH, "12/03/2026", 3, 12),
        (ENGLISH, "03/25/2026", 3, 25),
        (ENGLISH, "Thursday 12/3", 3, 12),
        (ENGLISH, "today", 3, 5),
        (ENGLISH, "tomorrow", 3, 6),
        (ENGLISH, "the day after tomorrow", 3, 7),
        (ENGLISH, "on Friday", 3, 6),
        (ENGLISH, "on Thursday", 3, 12),
        (ENGLISH, "next Friday", 3, 13),
        (ENGLISH, "Friday next week", 3, 13),
        (ENGLISH, "on Tuesday (10 March)", 3, 10),
        (ENGLISH, "the Thursday free, that's the 12th", 3, 12),
        (GERMAN, "am 12.3. um zehn", 3, 12),
        (GERMAN, "am 12.03.2026", 3, 12),
        (GERMAN, "am 12. März", 3, 12),
        (GERMAN, "übermorgen", 3, 7),
        (GERMAN, "am nächsten Freitag", 3, 13),
        (FRENCH, "le 12 mars", 3, 12),
        (FRENCH, "le 1er avril", 4, 1),
        (FRENCH, "vendredi prochain", 3, 13),
        (SPANISH, "el 12 de marzo de 2026", 3, 12),
        (SPANISH, "pasado mañana", 3, 7),
        (PORTUGUESE, "na sexta-feira, dia 6 de março", 3, 6),
        (ITALIAN, "lunedì", 3, 9),
        (JAPANESE, "4月24日（金）", 4, 24),
    ] {
        let days: Vec<Date> = read_in(language, text)
            .days
            .iter()
            .map(|day| day.date)
            .collect();
        assert_eq!(days, [date(2026, month, day)], "{text}");
    }
}

#[test]
fn what_only_looks_like_a_day_is_none() {
    for text in [
        "version 4.3 is out",
        "may I?",
        "last Tuesday",
        "3/4 of it",
        "31 February",
        "call 555-1234",
        "ten people",
        "1.2.3.4",
    ] {
        assert_eq!(read_in(ENGLISH, text).days, [], "{text}");
    }
}

#[test]
fn the_words_before_a_day_say_what_it_is() {
    for (text, kind) in [
        ("on Friday", DayKind::On),
        ("by Friday", DayKind::By),
        ("by the end of Friday", DayKind::By),
        ("no later than 6 March", DayKind::By),
        ("by Friday, 6 March", DayKind::By),
        ("any day except Friday", DayKind::Except),
        ("I can't do Friday", DayKind::Except),
        ("some time next week", DayKind::Week),
    ] {
        let kinds: Vec<DayKind> = read_in(ENGLISH, text)
            .days
            .iter()
            .map(|day| day.kind)
            .collect();
        assert_eq!(kinds, [kind], "{text}");
    }
}

#[test]
fn times_of_day_are_minutes_after_midnight() {
    for (language, text, minutes) in [
        (ENGLISH, "at 14:00", 14 * 60),
        (ENGLISH, "2pm", 14 * 60),
        (ENGLISH, "2:30 pm", 14 * 60 + 30),
        (ENGLISH, "at 12 am", 0),
        (ENGLISH, "at 2", 14 * 60),
        (ENGLISH, "at 9", 9 * 60),
        (ENGLISH, "at 3.15", 15 * 60 + 15),
        (ENGLISH, "at noon", 12 * 60),
        (ENGLISH, "One o'clock?", 13 * 60),
        (ENGLISH, "07:30", 7 * 60 + 30),
        (GERMAN, "14 Uhr", 14 * 60),
        (GERMAN, "um 9", 9 * 60),
        (FRENCH, "à 14h30", 14 * 60 + 30),
        (FRENCH, "14h", 14 * 60),
        (SPANISH, "a las 10", 10 * 60),
        (PORTUGUESE, "às 15h", 15 * 60),
    ] {
        let times: Vec<u16> = read_in(language, text)
            .times
            .iter()
            .map(|time| time.minutes)
            .collect();
        assert_eq!(times, [minutes], "{text}");
    }
    for text in ["24:10", "we have 14 left", "at €9", "at 30", "9%"] {
        assert_eq!(read_in(ENGLISH, text).times, [], "{text}");
    }
}

#[test]
fn ranges_have_a_length() {
    for (text, minutes, length) in [
        ("10:00-11:30", 600, 90),
        ("10:00 - 11:30", 600, 90),
        ("from 10:00 to 11:00", 600, 60),
        ("2-3pm", 840, 60),
        ("at 10-11", 600, 60),
    ] {
        let times = read_in(ENGLISH, text).times;
        assert_eq!(
            (times[0].minutes, times[0].length),
            (minutes, Some(length)),
            "{text}"
        );
    }
}

#[test]
fn lengths_are_minutes() {
    for (language, text, minutes) in [
        (ENGLISH, "30 minutes", Some(30)),
        (ENGLISH, "a 45 min call", Some(45)),
        (ENGLISH, "45min", Some(45)),
        (ENGLISH, "half an hour", Some(30)),
        (ENGLISH, "an hour and a half, or an hour", Some(60)),
        (ENGLISH, "hour and a half", Some(90)),
        (ENGLISH, "1 hour", Some(60)),
        (ENGLISH, "1.5 hours", Some(90)),
        (ENGLISH, "1h", Some(60)),
        (ENGLISH, "three hours", Some(180)),
        (ENGLISH, "20-30 minutes", Some(30)),
        (ENGLISH, "within 5000 minutes", None),
        (GERMAN, "eine halbe Stunde", Some(30)),
        (GERMAN, "45 Minuten", Some(45)),
        (FRENCH, "une demi-heure", Some(30)),
        (SPANISH, "media hora", Some(30)),
        (PORTUGUESE, "meia hora", Some(30)),
        (ITALIAN, "mezz'ora", Some(30)),
    ] {
        assert_eq!(read_in(language, text).length, minutes, "{text}");
    }
}

#[test]
fn without_the_day_it_was_sent_only_full_dates_are_days() {
    let scanned = Scanned::new(
        book(),
        "tomorrow, Friday, 12 March, 2026-03-12 or 12 March 2026",
    );
    let found = times(book(), &scanned, ENGLISH, None);
    let days: Vec<Date> = found.days.iter().map(|day| day.date).collect();
    assert_eq!(days, [date(2026, 3, 12), date(2026, 3, 12)]);
}

proptest! {
    #[test]
    fn reading_never_panics_and_finds_a_bounded_number(
        text in "(\\PC{0,6}|[0-9]{1,5}[.:/-]?|monday |next |by |march |at |pm |- |h |uhr ){0,120}",
        language in 0..8_usize,
        year in 1..9999_i16,
    ) {
        let scanned = Scanned::new(book(), &text);
        for sent in [None, Date::new(year, 12, 31).ok(), Some(Date::MAX), Some(Date::MIN)] {
            let found = times(book(), &scanned, language, sent);
            prop_assert!(found.days.len() <= MOST && found.times.len() <= MOST);
            prop_assert!(found.times.iter().all(|time| time.minutes < 24 * 60));
            prop_assert!(found.length.is_none_or(|length| (5..=480).contains(&length)));
        }
    }
}
