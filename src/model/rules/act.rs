//! Decides the next tool call from the conversation so far.

use jiff::civil::Date;
use serde_json::{Map, Value, json};

use super::book::Book;
use super::meeting::Meeting;
use super::reading::Reading;
use super::reply::{self, Appointment, Slot};
use crate::email::Triage;
use crate::message::{Message, Role, ToolSpec};

/// Days looked up in the calendar for one email, at most.
const MOST_CHECKS: usize = 3;
/// Free times offered at once.
const MOST_OFFERED: usize = 3;

/// A tool and its arguments.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Step {
    pub tool: String,
    pub arguments: Value,
}

/// What was called so far, in order, with the answer where there is one.
struct Past<'a> {
    calls: Vec<(&'a crate::message::ToolCall, Option<&'a str>)>,
}

impl<'a> Past<'a> {
    fn of(messages: &'a [Message]) -> Self {
        let mut calls: Vec<(&crate::message::ToolCall, Option<&str>)> = Vec::new();
        for message in messages {
            match message.role {
                Role::Assistant => calls.extend(message.tool_calls.iter().map(|call| (call, None))),
                Role::Tool => {
                    let id = message.tool_call_id.as_deref();
                    if let Some((_, answer)) = calls
                        .iter_mut()
                        .find(|(call, _)| Some(call.id.as_str()) == id)
                    {
                        *answer = Some(&message.content);
                    }
                }
                Role::User => {}
            }
        }
        Past { calls }
    }

    fn named<'b>(
        &'b self,
        name: &'b str,
    ) -> impl Iterator<Item = &'b (&'a crate::message::ToolCall, Option<&'a str>)> {
        self.calls.iter().filter(move |(call, _)| call.is(name))
    }

    fn has(&self, name: &str) -> bool {
        self.named(name).next().is_some()
    }
}

/// The next call, or `None` where no tool offered is of use.
pub(super) fn next(
    book: &Book,
    reading: &Reading,
    tools: &[ToolSpec],
    messages: &[Message],
) -> Option<Step> {
    let past = Past::of(messages);
    let offered = |name: &str| {
        tools
            .iter()
            .find(|tool| tool.name.eq_ignore_ascii_case(name))
    };
    let done = || offered("done").map(|tool| step(tool, json!({ "done": true })));
    if let Some(tool) = offered("triage_email") {
        // What was decided earlier holds, also where a person changed it.
        let decided = past.named("triage_email").last().map(|(call, _)| {
            let category = call.arguments["category"].as_str().unwrap_or_default();
            category
                .parse::<Triage>()
                .unwrap_or(reading.decision.triage)
        });
        match decided {
            None => {
                return Some(step(
                    tool,
                    json!({ "category": reading.decision.triage.name() }),
                ));
            }
            Some(Triage::Respond) => {}
            Some(Triage::Ignore | Triage::Notify) => return done(),
        }
    }
    let Some(write) = offered("write_email").filter(|_| !past.has("write_email")) else {
        return done();
    };
    let mut appointment = None;
    if let (Some(meeting), Some(check)) = (&reading.meeting, offered("check_calendar_availability"))
    {
        let checked = checked_days(&past);
        let found = agreeable(meeting, &checked);
        if found.is_none() {
            let unchecked = meeting
                .days
                .iter()
                .map(|proposal| proposal.day)
                .find(|day| !checked.iter().any(|(seen, _)| seen == day));
            if let Some(day) = unchecked
                .filter(|_| past.named("check_calendar_availability").count() < MOST_CHECKS)
            {
                return Some(step(check, json!({ "day": day.to_string() })));
            }
        }
        let bookable = found.filter(|slot| meeting.set_up && slot.start % 60 == 0);
        let scheduled = past.named("schedule_meeting").last();
        match (bookable, offered("schedule_meeting"), scheduled) {
            (Some(slot), Some(schedule), None) => {
                return Some(step(
                    schedule,
                    json!({
                        "attendees": meeting.attendees,
                        "subject": reading.subject,
                        "duration_minutes": meeting.minutes,
                        "preferred_day": slot.day.to_string(),
                        "start_time": slot.start / 60,
                    }),
                ));
            }
            (Some(slot), _, Some(_)) => {
                appointment = Some(Appointment::Booked {
                    slot,
                    minutes: meeting.minutes,
                });
            }
            _ => appointment = outcome(meeting, &checked, found),
        }
    }
    let to = if reading.sender.address.is_empty() {
        &reading.sender.name
    } else {
        &reading.sender.address
    };
    Some(step(
        write,
        json!({
            "to": to,
            "subject": reply::subject(reading),
            "content": reply::content(book, reading, appointment.as_ref()),
        }),
    ))
}

/// Keeps to the arguments that the tool says it has.
fn step(tool: &ToolSpec, arguments: Value) -> Step {
    let known = tool.parameters["properties"].as_object();
    let arguments = match (arguments, known) {
        (Value::Object(arguments), Some(known)) => {
            let kept: Map<String, Value> = arguments
                .into_iter()
                .filter(|(name, _)| known.contains_key(name))
                .collect();
            Value::Object(kept)
        }
        (arguments, _) => arguments,
    };
    Step {
        tool: tool.name.clone(),
        arguments,
    }
}

/// Free ranges in minutes after midnight, by the days that were looked up.
fn checked_days(past: &Past) -> Vec<(Date, Vec<(u16, u16)>)> {
    past.named("check_calendar_availability")
        .filter_map(|(call, answer)| {
            let day = call.arguments["day"].as_str()?.parse().ok()?;
            Some((day, free_ranges(answer.unwrap_or_default())))
        })
        .collect()
}

/// The first time that suits both: one that the sender named, or any where none was named.
fn agreeable(meeting: &Meeting, checked: &[(Date, Vec<(u16, u16)>)]) -> Option<Slot> {
    meeting.days.iter().find_map(|proposal| {
        let (day, free) = checked.iter().find(|(day, _)| *day == proposal.day)?;
        let fits = |start: u16| {
            free.iter()
                .any(|(from, to)| *from <= start && start + meeting.minutes <= *to)
        };
        let start = if proposal.times.is_empty() {
            starts(free, meeting.minutes).next()?
        } else {
            proposal.times.iter().copied().find(|start| fits(*start))?
        };
        Some(Slot { day: *day, start })
    })
}

/// What to tell the sender about the time.
fn outcome(
    meeting: &Meeting,
    checked: &[(Date, Vec<(u16, u16)>)],
    found: Option<Slot>,
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
            starts(free, meeting.minutes).map(|start| Slot { day: *day, start })
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
fn starts(free: &[(u16, u16)], minutes: u16) -> impl Iterator<Item = u16> {
    free.iter().flat_map(move |(from, to)| {
        let first = from.div_ceil(60);
        (first..24)
            .map(|hour| hour * 60)
            .take_while(move |start| start + minutes <= *to)
    })
}

/// Reads times like `09:00`, `9 AM` and ranges like `09:00-10:30` out of a calendar's answer.
/// A time alone is free for an hour.
fn free_ranges(answer: &str) -> Vec<(u16, u16)> {
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
