//! Decides the next tool call from the conversation so far.

use std::borrow::Cow;

use jiff::civil::Date;
use serde_json::{Map, Value, json};

use super::Known;
use super::acts::Act;
use super::book::Book;
use super::free::{agreeable, free_ranges, outcome, starts};
use super::heard::{self, Changes};
use super::meeting::is_weekend;
use super::profile::{Kind, Profile, Window};
use super::reading::Reading;
use super::reply::{self, Appointment, Draft, Slot};
use crate::email::Triage;
use crate::message::{Message, Role, ToolCall, ToolSpec, ToolStatus};

/// Days looked up in the calendar for one email, at most.
const MOST_CHECKS: usize = 3;
/// The same draft is proposed again this many times where a person keeps turning it down.
const MOST_SAME: usize = 2;

/// A tool and its arguments.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Step {
    pub tool: String,
    pub arguments: Value,
}

/// A call, and its answer where there is one.
#[derive(Clone, Copy)]
struct Made<'a> {
    call: &'a ToolCall,
    answer: Option<(ToolStatus, &'a str)>,
}

impl<'a> Made<'a> {
    /// A person's words about a call that did not run.
    fn feedback(&self) -> Option<&'a str> {
        match self.answer {
            Some((ToolStatus::Denied, text)) => Some(heard::feedback(text)),
            _ => None,
        }
    }

    fn has_run(&self) -> bool {
        matches!(self.answer, Some((ToolStatus::Executed, _)))
    }
}

/// What happened so far.
struct Past<'a> {
    /// In order.
    calls: Vec<Made<'a>>,
    /// What the person said behind the email, without a call.
    notices: Vec<&'a str>,
}

impl<'a> Past<'a> {
    fn of(messages: &'a [Message]) -> Self {
        let mut calls: Vec<Made> = Vec::new();
        let mut notices = Vec::new();
        let mut begun = false;
        for message in messages {
            match message.role {
                Role::Assistant => {
                    let made = message
                        .tool_calls
                        .iter()
                        .map(|call| Made { call, answer: None });
                    calls.extend(made);
                }
                Role::Tool => {
                    let id = message.tool_call_id.as_deref();
                    if let Some(made) = calls
                        .iter_mut()
                        .find(|made| Some(made.call.id.as_str()) == id)
                    {
                        made.answer = Some((message.status, &message.content));
                    }
                }
                // The first is the email, whatever it says of itself.
                Role::User if begun && message.content.contains("<feedback>") => {
                    notices.push(heard::feedback(&message.content));
                }
                Role::User => begun = true,
            }
        }
        Past { calls, notices }
    }

    fn named<'b>(&'b self, name: &'b str) -> impl DoubleEndedIterator<Item = &'b Made<'a>> {
        self.calls.iter().filter(move |made| made.call.is(name))
    }

    fn has(&self, name: &str) -> bool {
        self.named(name).next().is_some()
    }
}

/// What the next call is decided from.
struct Desk<'a> {
    book: &'a Book,
    reading: &'a Reading,
    tools: &'a [ToolSpec],
    past: Past<'a>,
    profile: Cow<'a, Profile>,
}

/// The next call, or `None` where no tool offered is of use.
pub(super) fn next(
    book: &Book,
    known: &Known,
    tools: &[ToolSpec],
    messages: &[Message],
) -> Option<Step> {
    let past = Past::of(messages);
    let mut profile = Cow::Borrowed(&*known.profile);
    for kind in [Kind::Response, Kind::Cal] {
        for found in past.named(kind.name()).filter(|made| made.has_run()) {
            let text = found.answer.map_or("", |(_, text)| text);
            profile.to_mut().add(book, kind, text);
        }
    }
    let desk = Desk {
        book,
        reading: &known.reading,
        tools,
        past,
        profile,
    };
    if let Some(tool) = desk.offered("triage_email") {
        // What was decided earlier holds, also where a person changed it.
        let decided = desk.past.named("triage_email").next_back().map(|made| {
            let category = made.call.arguments["category"].as_str().unwrap_or_default();
            category.parse::<Triage>().unwrap_or(known.decision.triage)
        });
        match decided {
            None => {
                let category = known.decision.triage.name();
                return Some(step(tool, json!({ "category": category })));
            }
            Some(Triage::Respond) => {}
            Some(Triage::Ignore | Triage::Notify) => return desk.done(),
        }
    }
    desk.respond()
}

impl<'a> Desk<'a> {
    fn offered(&self, name: &str) -> Option<&'a ToolSpec> {
        self.tools
            .iter()
            .find(|tool| tool.name.eq_ignore_ascii_case(name))
    }

    fn done(&self) -> Option<Step> {
        self.offered("done")
            .map(|tool| step(tool, json!({ "done": true })))
    }

    /// The next step of answering.
    fn respond(&self) -> Option<Step> {
        let is_settled = |made: &Made| made.feedback().is_none();
        let settled = self.past.named("write_email").any(is_settled);
        let Some(write) = self.offered("write_email").filter(|_| !settled) else {
            return self.done();
        };
        if let Some(question) = self.question() {
            return Some(question);
        }
        let mut draft = Draft::default();
        if self.reading.meeting.is_some() || self.past.has("schedule_meeting") {
            if let Some(search) = self.search(Kind::Cal) {
                return Some(search);
            }
            if let Some(step) = self.meeting(&mut draft) {
                return Some(step);
            }
        }
        if let Some(search) = self.search(Kind::Response) {
            return Some(search);
        }
        self.write(write, draft)
    }

    /// Asks for what only the person knows, once. Whoever asks for time gets times.
    fn question(&self) -> Option<Step> {
        let tool = self.offered("question")?;
        let ask = *self.reading.only_reader.first()?;
        if self.past.has("question") || self.reading.meeting.is_some() {
            return None;
        }
        let sender = match self.reading.sender_name.as_str() {
            "" => "The sender",
            name => name,
        };
        let content = format!(
            "{sender} asks: “{}” What shall I answer?",
            self.reading.asks[ask]
        );
        Some(step(tool, json!({ "content": content })))
    }

    /// Looks a profile up, once, where that is offered.
    fn search(&self, kind: Kind) -> Option<Step> {
        let tool = self.offered(kind.name())?;
        if self.past.has(kind.name()) {
            return None;
        }
        // A profile is one text: words could only miss it.
        Some(step(tool, json!({ "query": "" })))
    }

    /// The next step towards a meeting, or what of it goes into the draft.
    fn meeting(&self, draft: &mut Draft) -> Option<Step> {
        let scheduled = self.past.named("schedule_meeting").next_back();
        if let Some(made) = scheduled {
            if let Some(feedback) = made.feedback() {
                let step = self.reschedule(made.call, feedback);
                if step.is_none() {
                    draft.acts.extend(heard::changes(self.book, feedback).acts);
                }
                return step;
            }
            if made.has_run() {
                // As it was run: a person may have changed it.
                draft.appointment = proposed(made.call).map(|proposed| Appointment::Booked {
                    slot: proposed.slot,
                    minutes: proposed.minutes,
                });
                return None;
            }
        }
        let (meeting, window) = self.profile.meeting(self.reading);
        let meeting = meeting?;
        let check = self.offered("check_calendar_availability")?;
        let checked = checked_days(&self.past);
        let found = agreeable(&meeting, &checked, window);
        if found.is_none() {
            let unchecked = meeting
                .days
                .iter()
                .map(|proposal| proposal.day)
                .find(|day| !checked.iter().any(|(seen, _)| seen == day));
            if let Some(day) = unchecked.filter(|_| checked.len() < MOST_CHECKS) {
                return Some(step(check, json!({ "day": day.to_string() })));
            }
        }
        let bookable = found.filter(|slot| meeting.set_up && slot.start % 60 == 0);
        if let (Some(slot), Some(schedule), None) =
            (bookable, self.offered("schedule_meeting"), scheduled)
        {
            return Some(step(
                schedule,
                json!({
                    "attendees": meeting.attendees,
                    "subject": self.reading.subject,
                    "duration_minutes": meeting.minutes,
                    "preferred_day": slot.day.to_string(),
                    "start_time": slot.start / 60,
                }),
            ));
        }
        draft.appointment = outcome(&meeting, &checked, found, window);
        None
    }

    /// The meeting again as the person wants it; `None` where their words change nothing.
    fn reschedule(&self, call: &ToolCall, feedback: &str) -> Option<Step> {
        let changes = heard::meeting_changes(self.book, feedback, self.reading.sent)?;
        let was = proposed(call)?;
        let minutes = changes.minutes.unwrap_or(was.minutes);
        let barred = |day: Date| {
            changes.not_days.contains(&day) || changes.not_weekdays.contains(&day.weekday())
        };
        let mut day = changes.day.unwrap_or(was.slot.day);
        let mut ahead = 0;
        while barred(day) || ahead > 0 && is_weekend(day) {
            day = day.tomorrow().ok().filter(|_| ahead < 30)?;
            ahead += 1;
        }
        let window = Window {
            from: changes.earliest.unwrap_or(0),
            to: changes.before.unwrap_or(24 * 60),
        };
        let start = match changes.start {
            // What the person says of the hour goes before the calendar.
            Some(start) => start,
            None => {
                let checked = checked_days(&self.past);
                let Some((_, free)) = checked.iter().find(|(seen, _)| *seen == day) else {
                    if let Some(check) = self
                        .offered("check_calendar_availability")
                        .filter(|_| checked.len() < 2 * MOST_CHECKS)
                    {
                        return Some(step(check, json!({ "day": day.to_string() })));
                    }
                    return self.schedule_again(call, day, was.slot.start, minutes);
                };
                let fitting: Vec<u16> = starts(free, minutes, window).collect();
                match fitting.contains(&was.slot.start) {
                    true => was.slot.start,
                    false => fitting.first().copied().unwrap_or_else(|| {
                        was.slot
                            .start
                            .clamp(window.from, window.to.saturating_sub(60).max(window.from))
                    }),
                }
            }
        };
        self.schedule_again(call, day, start, minutes)
    }

    fn schedule_again(&self, call: &ToolCall, day: Date, start: u16, minutes: u16) -> Option<Step> {
        let tool = self.offered("schedule_meeting")?;
        let mut arguments = call.arguments.clone();
        arguments["preferred_day"] = json!(day.to_string());
        arguments["start_time"] = json!(start.div_ceil(60).min(23));
        arguments["duration_minutes"] = json!(minutes);
        // What was turned down once is not proposed again.
        let known = self
            .past
            .named("schedule_meeting")
            .any(|made| made.call.arguments == arguments);
        (!known).then(|| step(tool, arguments))
    }

    /// The reply, as the person wants it; `done` where that was turned down over and over.
    fn write(&self, tool: &ToolSpec, mut draft: Draft) -> Option<Step> {
        draft.style = self.profile.style(self.reading);
        let mut heard = Changes::default();
        for notice in &self.past.notices {
            let changes = heard::changes(self.book, notice);
            // It is the person's whole answer to mail that asks for nothing.
            draft.answered |= changes.acts.iter().any(Act::answers);
            heard.add(changes);
        }
        let turned_down: Vec<&Made> = self.past.named("write_email").collect();
        for feedback in turned_down.iter().filter_map(|made| made.feedback()) {
            heard.add(heard::changes(self.book, feedback));
        }
        for what in &heard.style {
            draft.style.take(what);
        }
        for act in heard.acts {
            draft.answered |= matches!(act, Act::Agree | Act::Decline);
            if !draft.acts.contains(&act) {
                draft.acts.push(act);
            }
        }
        if let Some((ToolStatus::Answered, text)) = self
            .past
            .named("question")
            .next_back()
            .and_then(|made| made.answer)
        {
            let ask = self.reading.only_reader.first().copied();
            draft.answer = ask.zip(heard::answer(self.book, text));
        }
        let to = if self.reading.sender.address.is_empty() {
            &self.reading.sender.name
        } else {
            &self.reading.sender.address
        };
        let content = reply::content(self.book, self.reading, &draft);
        let same = turned_down
            .iter()
            .filter(|made| made.call.arguments["content"] == content.as_str());
        if same.count() >= MOST_SAME {
            return self.done();
        }
        Some(step(
            tool,
            json!({
                "to": to,
                "subject": reply::subject(self.reading),
                "content": content,
            }),
        ))
    }
}

/// Slot and length of a call of `schedule_meeting`.
struct Proposed {
    slot: Slot,
    minutes: u16,
}

fn proposed(call: &ToolCall) -> Option<Proposed> {
    let arguments = &call.arguments;
    let number = |name: &str| u16::try_from(arguments[name].as_u64()?).ok();
    Some(Proposed {
        slot: Slot {
            day: arguments["preferred_day"].as_str()?.parse().ok()?,
            start: number("start_time")?.checked_mul(60)?,
        },
        minutes: number("duration_minutes")?,
    })
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
        .filter_map(|made| {
            let day = made.call.arguments["day"].as_str()?.parse().ok()?;
            Some((day, free_ranges(made.answer.map_or("", |(_, text)| text))))
        })
        .collect()
}
