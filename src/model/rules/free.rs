//! Which of the calendar's free times suit a meeting.

use jiff::civil::Date;

use super::meeting::Meeting;
use super::profile::Window;
use super::reply::{Appointment, Slot};

/// Free times offered at once.
const MOST_OFFERED: usize = 3;

/// The first time that suits both: one that the sender named, or any where none was named.
pub(super) fn agreeable(
    meeting: &Meeting,
    checked: &[(Date, Vec<(u16, u16)>)],
    window: Window,
) -> Option<Slot> {
    meeting.days.iter().find_map(|proposal| {
        let (day, free) = checked.iter().find(|(day, _)| *day == proposal.day)?;
        let fits = |start: u16| {
            window.holds(start)
                && free
                    .iter()
                    .any(|(from, to)| *from <= start && start + meeting.minutes <= *to)
        };
        let start = if proposal.times.is_empty() {
            starts(free, meeting.minutes, window).next()?
        } else {
            proposal.times.iter().copied().find(|start| fits(*start))?
        };
        Some(Slot { day: *day, start })
    })
}

/// What to tell the sender about the time.
pub(super) fn outcome(
    meeting: &Meeting,
    checked: &[(Date, Vec<(u16, u16)>)],
    found: Option<Slot>,
    window: Window,
) -> Option<Appointment> {
    let asked = meeting.days.iter().find_map(|proposal| {
        let start = *proposal.times.first()?;
        checked
            .iter()
            .any(|(day, _)| *day == proposal.day)
            .then_some(Slot {
                day: proposal.day,
                start,
            })
    });
    if let (Some(slot), Some(_)) = (found, asked) {
        return Some(Appointment::Accepted(slot));
    }
    let free: Vec<Slot> = checked
        .iter()
        .flat_map(|(day, free)| {
            starts(free, meeting.minutes, window).map(|start| Slot { day: *day, start })
        })
        .take(MOST_OFFERED)
        .collect();
    match (free.is_empty(), checked.first()) {
        (false, _) => Some(Appointment::Offered { asked, free }),
        (true, Some((day, _))) => Some(Appointment::Nothing(*day)),
        (true, None) => None,
    }
}

/// Full hours at which a meeting of this length can start.
pub(super) fn starts(
    free: &[(u16, u16)],
    minutes: u16,
    window: Window,
) -> impl Iterator<Item = u16> {
    free.iter().flat_map(move |(from, to)| {
        let first = from.div_ceil(60);
        (first..24)
            .map(|hour| hour * 60)
            .take_while(move |start| start + minutes <= *to)
            .filter(move |start| window.holds(*start))
    })
}

/// Reads times like `09:00`, `9 AM` and ranges like `09:00-10:30` out of a calendar's answer.
/// A time alone is free for an hour.
pub(super) fn free_ranges(answer: &str) -> Vec<(u16, u16)> {
    let mut times: Vec<(u16, usize, usize)> = Vec::new();
    let bytes = answer.as_bytes();
    let mut at = 0;
    while at < bytes.len() && times.len() < 100 {
        if !bytes[at].is_ascii_digit() {
            at += 1;
            continue;
        }
        let start = at;
        while at < bytes.len() && (bytes[at].is_ascii_digit() || bytes[at] == b':') {
            at += 1;
        }
        let number = &answer[start..at];
        let half = answer[at..]
            .trim_start()
            .get(..2)
            .map(str::to_ascii_lowercase);
        let minutes = match (number.split_once(':'), half.as_deref()) {
            (Some((hour, minute)), half) => hour_and_minute(hour, minute, half),
            (None, Some("am" | "pm")) => hour_and_minute(number, "0", half.as_deref()),
            (None, _) => None,
        };
        if let Some(minutes) = minutes {
            times.push((minutes, start, at));
        }
    }
    let mut ranges = Vec::new();
    let mut index = 0;
    while index < times.len() {
        let (from, _, end) = times[index];
        let range_end = times.get(index + 1).filter(|(to, start, _)| {
            let between = answer[end..*start].to_ascii_lowercase();
            *to > from
                && matches!(
                    between.trim().trim_start_matches(['a', 'p', 'm', ' ']),
                    "-" | "–" | "—" | "to" | "until"
                )
        });
        match range_end {
            Some((to, _, _)) => {
                ranges.push((from, *to));
                index += 2;
            }
            None => {
                ranges.push((from, from + 60));
                index += 1;
            }
        }
    }
    ranges
}

fn hour_and_minute(hour: &str, minute: &str, half: Option<&str>) -> Option<u16> {
    let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
    let hour = match half {
        Some("pm") if hour < 12 => hour + 12,
        _ => hour,
    };
    (hour < 24 && minute < 60).then_some(hour * 60 + minute)
}
