//! Days, as models write them.

use jiff::ToSpan;
use jiff::civil::{Date, DateTime, Weekday};

/// A text that names no day.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "\"{0}\" is not a day that can be read. Give it as YYYY-MM-DD, as a weekday such as \"Tuesday\" or \"next Tuesday\", or as \"today\" or \"tomorrow\"."
)]
pub struct UnknownDay(String);

/// Reads a day: `2026-03-03` (a time after it is passed over), `today`, `tomorrow`, or a
/// weekday, counted from `today`.
///
/// `Tuesday` and `this Tuesday` are the first one after today, never today itself. `next
/// Tuesday` is the one of the week after this, and weeks begin on Monday.
pub fn parse_day(text: &str, today: Date) -> Result<Date, UnknownDay> {
    let unknown = || UnknownDay(super::echo(text.trim()));
    let text = text.trim();
    if text.starts_with(|c: char| c.is_ascii_digit()) {
        return text
            .parse::<Date>()
            .or_else(|_| {
                text.trim_end_matches('Z')
                    .parse::<DateTime>()
                    .map(|time| time.date())
            })
            .map_err(|_| unknown());
    }
    // Nothing longer than "on next wednesday" is a day, and texts may be of any length.
    if text.len() > 32 {
        return Err(unknown());
    }
    let lower = text.to_lowercase();
    let words: Vec<&str> = lower
        .split(|c: char| c.is_whitespace() || c == ',' || c == '.')
        .filter(|word| !word.is_empty() && *word != "on")
        .collect();
    let after = |days: i8| {
        today
            .checked_add(i32::from(days).days())
            .map_err(|_| unknown())
    };
    match words[..] {
        ["today"] => Ok(today),
        ["tomorrow"] => after(1),
        [name] | ["this", name] => {
            let until = weekday(name).ok_or_else(unknown)?.since(today.weekday());
            after(if until == 0 { 7 } else { until })
        }
        ["next", name] => {
            let weekday = weekday(name).ok_or_else(unknown)?;
            let monday = 7 - today.weekday().to_monday_zero_offset();
            after(monday + weekday.to_monday_zero_offset())
        }
        _ => Err(unknown()),
    }
}

/// The weekday that a word names in full, or by its first three letters.
fn weekday(word: &str) -> Option<Weekday> {
    let names = [
        "monday",
        "tuesday",
        "wednesday",
        "thursday",
        "friday",
        "saturday",
        "sunday",
    ];
    let index = names
        .iter()
        .position(|name| *name == word || name[..3] == *word)?;
    Weekday::from_monday_zero_offset(index as i8).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;
    use proptest::prelude::*;

    #[test]
    fn days_are_read_as_dates_or_relative_to_today() {
        // 2026-03-04 is a Wednesday.
        let today = date(2026, 3, 4);
        for (text, day) in [
            ("2026-03-10", Some(date(2026, 3, 10))),
            (" 2026-03-10T14:00:00 ", Some(date(2026, 3, 10))),
            ("2026-03-10T14:00:00Z", Some(date(2026, 3, 10))),
            ("today", Some(today)),
            ("Tomorrow", Some(date(2026, 3, 5))),
            ("Thursday", Some(date(2026, 3, 5))),
            ("on Thursday.", Some(date(2026, 3, 5))),
            ("this Thursday", Some(date(2026, 3, 5))),
            ("Tue", Some(date(2026, 3, 10))),
            ("Wednesday", Some(date(2026, 3, 11))),
            ("next Tuesday", Some(date(2026, 3, 10))),
            ("next Thursday", Some(date(2026, 3, 12))),
            ("next Sunday", Some(date(2026, 3, 15))),
            ("Tuesday, 10 March", None),
            ("2026-02-30", None),
            ("10/03/2026", None),
            ("soon", None),
            ("", None),
            ("next", None),
            ("next next Tuesday", None),
        ] {
            assert_eq!(parse_day(text, today).ok(), day, "{text:?}");
        }
    }

    #[test]
    fn an_unreadable_day_is_answered_with_the_forms_that_are_read() {
        insta::assert_snapshot!(
            parse_day("whenever", date(2026, 3, 4)).unwrap_err(),
            @r#""whenever" is not a day that can be read. Give it as YYYY-MM-DD, as a weekday such as "Tuesday" or "next Tuesday", or as "today" or "tomorrow"."#
        );
    }

    #[test]
    fn the_end_of_time_is_no_panic() {
        assert!(parse_day("tomorrow", Date::MAX).is_err());
        assert!(parse_day("next sunday", Date::MAX).is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_a_day_or_an_error(text in "\\PC{0,40}") {
            let _ = parse_day(&text, date(2026, 3, 4));
        }

        #[test]
        fn dates_are_read_as_they_are_written(days in 0..20_000_i32) {
            let day = date(2000, 1, 1) + days.days();
            prop_assert_eq!(parse_day(&day.to_string(), date(2026, 3, 4)), Ok(day));
        }
    }
}
