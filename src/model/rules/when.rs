//! Days, times of day, and lengths that a text names.
//!
//! Words come from languages.yaml; numbers and their order are read here. Relative days
//! count from the day the email was sent.

use jiff::ToSpan;
use jiff::civil::{Date, Weekday};

mod clock;

use self::clock::{Half, clock, is_ordinal_ending, leading_number};
use super::book::Meaning;
use super::text::{Text, class};

/// A day that the text names, at tokens `first..last`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Day {
    pub first: u32,
    pub last: u32,
    pub date: Date,
    pub kind: DayKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DayKind {
    /// On that day.
    On,
    /// No later than that day.
    By,
    /// Any but that day.
    Except,
    /// Some day of the week that begins on that day.
    Week,
}

/// A time of day in minutes after midnight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Time {
    pub first: u32,
    pub minutes: u16,
    /// The length of a range such as `10:00-11:30`.
    pub length: Option<u16>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Times {
    pub days: Vec<Day>,
    pub times: Vec<Time>,
    /// The first length of a meeting that the text names, in minutes.
    pub length: Option<u16>,
}

/// Days or times read from one text. Mail about meeting names a handful.
const MOST: usize = 60;

/// A time word at a token: its meaning and where it ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct Word {
    pub meaning: Meaning,
    pub last: u32,
}

/// Reads all days, times and lengths. `words[i]` is the time word that begins at token i.
/// Without `sent`, only full dates are days.
pub(super) fn read(text: &Text, words: &[Option<Word>], sent: Option<Date>) -> Times {
    let reader = Reader { text, words, sent };
    let mut found = Times::default();
    let mut at = 0;
    while at < text.tokens.len() && found.days.len().max(found.times.len()) < MOST {
        if let Some((minutes, last)) = reader.length(at) {
            if found.length.is_none() && !reader.has_before(at, 2, &[Meaning::By, Meaning::Past]) {
                found.length = Some(minutes);
            }
            at = last;
        } else if let Some((date, kind, last)) = reader.day(at) {
            found.days.push(Day {
                first: at as u32,
                last: last as u32,
                date,
                kind,
            });
            at = last;
        } else if let Some((minutes, length, last)) = reader.time(at) {
            found.times.push(Time {
                first: at as u32,
                minutes,
                length,
            });
            at = last;
        } else {
            at += 1;
        }
    }
    found.days = reader.without_repeats(&found.days);
    found
}

/// The time of day of a number that is known to be one, in minutes after midnight; the word
/// behind it may be `am` or `pm`.
pub(super) fn hour(number: &str, next: Option<&str>) -> Option<u16> {
    let half = match next {
        Some("am") => Some(Half::Morning),
        Some("pm") => Some(Half::Evening),
        _ => None,
    };
    clock(number, half, true)
}

struct Reader<'a> {
    text: &'a Text,
    words: &'a [Option<Word>],
    sent: Option<Date>,
}

impl Reader<'_> {
    /// "Tuesday (10 March)", "the Thursday, that's the 21st": a weekday near the date of such
    /// a day repeats it, and the words before it speak for the date.
    fn without_repeats(&self, days: &[Day]) -> Vec<Day> {
        let is_weekday = |day: &Day| {
            let first = day.first as usize;
            matches!(self.meaning(first), Some(Meaning::Weekday(_)))
        };
        let repeats = |weekday: &Day, date: &Day| {
            let apart = date
                .first
                .saturating_sub(weekday.last)
                .max(weekday.first.saturating_sub(date.last));
            is_weekday(weekday)
                && !is_weekday(date)
                && apart <= 6
                && self.same_sentence(weekday.first as usize, date.first as usize)
                && weekday.date.weekday() == date.date.weekday()
        };
        let mut kept: Vec<Day> = Vec::with_capacity(days.len());
        for (index, day) in days.iter().enumerate() {
            let before = index.checked_sub(1).map(|index| &days[index]);
            let after = days.get(index + 1);
            if [before, after]
                .into_iter()
                .flatten()
                .any(|date| repeats(day, date))
            {
                continue;
            }
            let mut day = *day;
            if let Some(weekday) = before.filter(|weekday| repeats(weekday, &day))
                && day.kind == DayKind::On
            {
                day.kind = weekday.kind;
            }
            kept.push(day);
        }
        kept
    }

    fn meaning(&self, at: usize) -> Option<Meaning> {
        self.words
            .get(at)
            .copied()
            .flatten()
            .map(|word| word.meaning)
    }

    fn is_number(&self, at: usize) -> bool {
        self.text
            .tokens
            .get(at)
            .is_some_and(|token| token.class & class::NUMBER != 0)
    }

    fn number(&self, at: usize) -> Option<&str> {
        self.is_number(at).then(|| self.text.token(at))
    }

    fn same_sentence(&self, one: usize, other: usize) -> bool {
        let tokens = &self.text.tokens;
        other < tokens.len() && tokens[one].sentence == tokens[other].sentence
    }

    /// Whether one of `meanings` stands at most `reach` tokens before `at`, in its sentence.
    fn has_before(&self, at: usize, reach: usize, meanings: &[Meaning]) -> bool {
        (at.saturating_sub(reach)..at).any(|before| {
            self.same_sentence(before, at)
                && self.meaning(before).is_some_and(|m| meanings.contains(&m))
        })
    }

    /// What follows a token directly.
    fn char_after(&self, at: usize) -> Option<char> {
        self.text.source[self.text.tokens[at].end as usize..]
            .chars()
            .next()
    }

    fn day(&self, at: usize) -> Option<(Date, DayKind, usize)> {
        let (date, last) = self.date(at)?;
        let week = matches!(self.meaning(at), Some(Meaning::NextWeek));
        let kind = if week {
            DayKind::Week
        } else if self.has_before(at, 3, &[Meaning::Except]) {
            DayKind::Except
        } else if self.has_before(at, 4, &[Meaning::By]) {
            DayKind::By
        } else {
            DayKind::On
        };
        Some((date, kind, last))
    }

    fn date(&self, at: usize) -> Option<(Date, usize)> {
        // A number may be part of a word: "4月" is April.
        let is_month = matches!(self.meaning(at), Some(Meaning::Month(_)));
        if let Some(number) = self.number(at).filter(|_| !is_month) {
            return self.numeric_date(at, number);
        }
        let sent = self.sent?;
        let word = self.words.get(at).copied().flatten()?;
        let last = word.last as usize;
        match word.meaning {
            Meaning::Today => Some((sent, last)),
            Meaning::Tomorrow => Some((sent.checked_add(1.day()).ok()?, last)),
            Meaning::Overmorrow => Some((sent.checked_add(2.days()).ok()?, last)),
            Meaning::NextWeek => Some((monday_after(sent)?, last)),
            Meaning::Month(month) => {
                // "March 4th, 2026"
                let (day, digits) = leading_number(self.number(last)?)?;
                let rest = &self.number(last)?[digits..];
                if !is_ordinal_ending(rest) || !self.same_sentence(at, last) {
                    return None;
                }
                let (year, last) = self.year(last + 1);
                Some((self.complete(day, month, year)?, last))
            }
            Meaning::Weekday(weekday) => {
                // "last Tuesday" is no day to come.
                if self.has_before(at, 1, &[Meaning::Past])
                    || self.meaning(last) == Some(Meaning::Past)
                {
                    return None;
                }
                let weekday = Weekday::from_monday_one_offset(weekday).ok()?;
                let next_word = self
                    .same_sentence(at, last)
                    .then(|| self.meaning(last))
                    .flatten();
                let next = self.has_before(at, 1, &[Meaning::Next])
                    || self.has_before(at, 3, &[Meaning::NextWeek])
                    || matches!(next_word, Some(Meaning::Next | Meaning::NextWeek));
                let last = match next_word {
                    Some(Meaning::Next | Meaning::NextWeek) => self.words[last]?.last as usize,
                    _ => last,
                };
                if next {
                    let monday = monday_after(sent)?;
                    let days = i64::from(weekday.to_monday_zero_offset());
                    return Some((monday.checked_add(days.days()).ok()?, last));
                }
                let ahead = (weekday.to_monday_zero_offset()
                    - sent.weekday().to_monday_zero_offset())
                .rem_euclid(7);
                // On a Tuesday, "Tuesday" is a week ahead: today would be called so.
                let ahead = if ahead == 0 { 7 } else { i64::from(ahead) };
                Some((sent.checked_add(ahead.days()).ok()?, last))
            }
            _ => None,
        }
    }

    fn numeric_date(&self, at: usize, number: &str) -> Option<(Date, usize)> {
        if number.len() == 10
            && let Ok(date) = number.parse::<Date>()
        {
            return Some((date, at + 1));
        }
        for separator in ['.', '/'] {
            let mut fields = number.split(separator);
            let (Some(day), Some(month), year, None) =
                (fields.next(), fields.next(), fields.next(), fields.next())
            else {
                continue;
            };
            let (Ok(mut day), Ok(mut month)) = (day.parse::<i8>(), month.parse::<i8>()) else {
                continue;
            };
            // Two fields alone may be a version or a share: "4.3." ends in a point, and a
            // weekday stands before "Tue 4/3".
            let dated = year.is_some()
                || separator == '.' && self.char_after(at) == Some('.') && !self.ends_sentence(at)
                || at > 0 && matches!(self.meaning(at - 1), Some(Meaning::Weekday(_)));
            if !dated {
                continue;
            }
            if month > 12 && separator == '/' {
                std::mem::swap(&mut day, &mut month);
            }
            let year = match year {
                Some(year) if year.len() == 4 => Some(year.parse().ok()?),
                Some(year) if year.len() == 2 => Some(2000 + year.parse::<i16>().ok()?),
                Some(_) => continue,
                None => None,
            };
            return Some((self.complete(day, month, year)?, at + 1));
        }
        let (day, digits) = leading_number(number)?;
        let ordinal = &number[digits..];
        if !is_ordinal_ending(ordinal) {
            return None;
        }
        // "4 March", "4th of March", "4 de marzo", "27.-30. April" by its end.
        let mut month_at = at + 1;
        if self.same_sentence(at, month_at)
            && matches!(self.text.token(month_at), "of" | "de" | "di" | "d")
        {
            month_at += 1;
        }
        if self.same_sentence(at, month_at)
            && let Some(Word {
                meaning: Meaning::Month(month),
                last,
            }) = self.words.get(month_at).copied().flatten()
        {
            let (year, last) = self.year(last as usize);
            return Some((self.complete(day, month, year)?, last));
        }
        // "the 21st"
        let sent = self.sent?;
        if ordinal.is_empty() || ordinal == "er" {
            return None;
        }
        let this = Date::new(sent.year(), sent.month(), day)
            .ok()
            .filter(|date| *date >= sent);
        let date = match this {
            Some(date) => date,
            None => {
                let next = sent.first_of_month().checked_add(1.month()).ok()?;
                Date::new(next.year(), next.month(), day).ok()?
            }
        };
        Some((date, at + 1))
    }

    /// Whether the point after a number is that of its sentence.
    fn ends_sentence(&self, at: usize) -> bool {
        let sentence = self.text.sentences[self.text.tokens[at].sentence as usize];
        at + 1 == sentence.last as usize
            && self.text.source[self.text.tokens[at].end as usize..].len() <= 1
    }

    /// A year at the token, also "de 2026", and where it ends.
    fn year(&self, at: usize) -> (Option<i16>, usize) {
        let year_at = if at < self.text.tokens.len() && self.text.token(at) == "de" {
            at + 1
        } else {
            at
        };
        let year = self
            .number(year_at)
            .filter(|number| number.len() == 4)
            .and_then(|number| number.parse().ok())
            .filter(|year| (1970..=2199).contains(year));
        match year {
            Some(_) => (year, year_at + 1),
            None => (None, at),
        }
    }

    /// Without a year, the one that brings the day nearest to when the email was sent.
    fn complete(&self, day: i8, month: i8, year: Option<i16>) -> Option<Date> {
        if let Some(year) = year {
            return Date::new(year, month, day).ok();
        }
        let sent = self.sent?;
        (sent.year() - 1..=sent.year() + 1)
            .filter_map(|year| Date::new(year, month, day).ok())
            .min_by_key(|date| {
                let days = sent.until(*date).map_or(i32::MAX, |span| span.get_days());
                // What is named without its year rather lies ahead.
                if days < 0 {
                    days.abs().saturating_mul(3)
                } else {
                    days
                }
            })
    }

    fn time(&self, at: usize) -> Option<(u16, Option<u16>, usize)> {
        if self.meaning(at) == Some(Meaning::Noon) {
            return Some((12 * 60, None, self.words[at]?.last as usize));
        }
        let spelled = match self.meaning(at) {
            Some(Meaning::Number(number)) => Some(number.to_string()),
            _ => None,
        };
        let number = match &spelled {
            Some(number) => number.as_str(),
            None => self.number(at)?,
        };
        if self.text.tokens[at].class & (class::MONEY | class::PERCENT) != 0 {
            return None;
        }
        let next = at + 1;
        let next_word = self
            .same_sentence(at, next)
            .then(|| self.words.get(next).copied().flatten())
            .flatten();
        let half = |meaning: Option<Meaning>| match meaning {
            Some(Meaning::Morning) => Some(Half::Morning),
            Some(Meaning::Evening) => Some(Half::Evening),
            _ => None,
        };
        let at_before = self.has_before(at, 2, &[Meaning::At]);
        let named = |word: Option<Word>| {
            word.is_some_and(|w| {
                matches!(
                    w.meaning,
                    Meaning::Clock | Meaning::Morning | Meaning::Evening
                )
            })
        };
        // "10-11am": the end of a range is told by the start of the next number.
        if let Some((from, to)) = number.split_once('-') {
            let end = clock(
                to,
                half(next_word.map(|w| w.meaning)),
                at_before || named(next_word),
            )?;
            let start = clock(from, None, true)?;
            // "2-3pm" means two in the afternoon.
            let start = if start + 12 * 60 < end && start < 12 * 60 {
                start + 12 * 60
            } else {
                start
            };
            let last = if named(next_word) {
                next_word?.last as usize
            } else {
                next
            };
            return Some((start, end.checked_sub(start).filter(|l| *l > 0), last));
        }
        let start = clock(
            number,
            half(next_word.map(|w| w.meaning)),
            at_before || named(next_word),
        )?;
        let mut last = if named(next_word) {
            next_word?.last as usize
        } else {
            next
        };
        // "14:00 - 15:30", "from 11:00 to 12:00"
        let gap = self.text.tokens.get(last).map(|end| {
            &self.text.source[self.text.tokens[last - 1].end as usize..end.start as usize]
        });
        let ranged = gap.is_some_and(|gap| matches!(gap.trim(), "-" | "–" | "—"));
        let end_at = if ranged {
            Some(last)
        } else if last < self.text.tokens.len()
            && matches!(
                self.text.token(last),
                "to" | "until" | "bis" | "till" | "a" | "à" | "alle" | "às" | "tot"
            )
        {
            Some(last + 1)
        } else {
            None
        };
        let mut length = None;
        if let Some(end_at) = end_at.filter(|end_at| self.same_sentence(at, *end_at)) {
            let after = self.words.get(end_at + 1).copied().flatten();
            if let Some(end) = self
                .number(end_at)
                .and_then(|end| clock(end, half(after.map(|w| w.meaning)), true))
            {
                length = end
                    .checked_sub(start)
                    .filter(|length| (5..=480).contains(length));
                last = end_at + 1;
            }
        }
        Some((start, length, last))
    }

    /// "30 minutes", "1h", "half an hour": at most eight hours.
    fn length(&self, at: usize) -> Option<(u16, usize)> {
        if let Some(Word {
            meaning: Meaning::Span(minutes),
            last,
        }) = self.words.get(at).copied().flatten()
        {
            return Some((minutes, last as usize));
        }
        let (unit, last) = match self.words.get(at + 1).copied().flatten() {
            Some(word) if self.same_sentence(at, at + 1) => {
                (Some(word.meaning), word.last as usize)
            }
            _ => (None, at + 1),
        };
        if let Some(Meaning::Number(number)) = self.meaning(at) {
            let number = u16::from(number.unsigned_abs());
            return match unit {
                Some(Meaning::Minute) => bounded(number).map(|minutes| (minutes, last)),
                Some(Meaning::Hour) => bounded(number * 60).map(|minutes| (minutes, last)),
                _ => None,
            };
        }
        let number = self.number(at)?;
        let minutes = match unit {
            Some(Meaning::Minute) => {
                // "20-30 minutes": the longer one.
                number.rsplit('-').next()?.parse::<u16>().ok()?
            }
            Some(Meaning::Hour)
                if self.meaning(at + 1) != Some(Meaning::Clock)
                    && !self.has_before(at, 2, &[Meaning::At, Meaning::By]) =>
            {
                let hours: f32 = number.replace(',', ".").parse().ok()?;
                (hours * 60.0) as u16
            }
            _ => {
                let (value, digits) = leading_number(number)?;
                let value = u16::try_from(value).ok()?;
                match number[digits..].to_ascii_lowercase().as_str() {
                    "min" | "mins" | "m" => return bounded(value).map(|minutes| (minutes, at + 1)),
                    "hr" | "hrs" => return bounded(value * 60).map(|minutes| (minutes, at + 1)),
                    // "1h" is a length where "14h" is a time.
                    "h" if value <= 4 && !self.has_before(at, 2, &[Meaning::At, Meaning::By]) => {
                        return bounded(value * 60).map(|minutes| (minutes, at + 1));
                    }
                    _ => return None,
                }
            }
        };
        bounded(minutes).map(|minutes| (minutes, last))
    }
}

fn bounded(minutes: u16) -> Option<u16> {
    (5..=480).contains(&minutes).then_some(minutes)
}

/// The Monday of the week after `day`.
pub(super) fn monday_after(day: Date) -> Option<Date> {
    let ahead = 7 - i64::from(day.weekday().to_monday_zero_offset());
    day.checked_add(ahead.days()).ok()
}

#[cfg(test)]
mod tests;
