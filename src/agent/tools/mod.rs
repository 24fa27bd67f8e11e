//! The tools an agent can call: mocks, with no effect outside the run.
//!
//! A tool answers with a sentence, as upstream's do. Behind scheduling stands a
//! [`Calendar`] that depends on the seed and the day alone, so that
//! looking before booking is worth something and every run can be repeated.

pub mod calendar;
pub mod day;
mod schema;
mod search;

use jiff::civil::Date;
use serde_json::{Map, Value, json};

use self::calendar::Calendar;
use self::day::{UnknownDay, parse_day};
use super::memory::Namespace;
use super::prompts::long_date;
use crate::graph::Store;
use crate::graph::store::StoreError;
use crate::message::{ToolCall, ToolSpec, ToolStatus};

/// How much of a model's own text a result repeats, in characters.
const ECHO: usize = 120;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Tool {
    WriteEmail,
    ScheduleMeeting,
    CheckCalendarAvailability,
    /// The baseline's way to decide.
    TriageEmail,
    /// Exists to be answered by a person.
    Question,
    /// Looks something up in a memory.
    Search(Namespace),
    Done,
}

impl Tool {
    pub const ALL: [Tool; 10] = [
        Tool::WriteEmail,
        Tool::ScheduleMeeting,
        Tool::CheckCalendarAvailability,
        Tool::TriageEmail,
        Tool::Question,
        Tool::Search(Namespace::TriagePreferences),
        Tool::Search(Namespace::ResponsePreferences),
        Tool::Search(Namespace::CalPreferences),
        Tool::Search(Namespace::Background),
        Tool::Done,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Tool::WriteEmail => "write_email",
            Tool::ScheduleMeeting => "schedule_meeting",
            Tool::CheckCalendarAvailability => "check_calendar_availability",
            Tool::TriageEmail => "triage_email",
            Tool::Question => "question",
            Tool::Search(namespace) => namespace.name(),
            Tool::Done => "done",
        }
    }

    /// The tool that a call names, without regard to case.
    pub fn of(call: &ToolCall) -> Option<Tool> {
        Tool::ALL.into_iter().find(|tool| call.is(tool.name()))
    }

    /// Whether `name` is its name, without regard to case.
    pub fn is_called(self, name: &str) -> bool {
        self.name().eq_ignore_ascii_case(name.trim())
    }

    pub fn spec(self) -> ToolSpec {
        ToolSpec {
            name: self.name().to_owned(),
            description: self.description().to_owned(),
            parameters: self.parameters(),
        }
    }

    /// Whether a person can be asked to review its calls: what it does is felt outside.
    pub fn is_reviewable(self) -> bool {
        match self {
            Tool::WriteEmail | Tool::ScheduleMeeting | Tool::Question => true,
            Tool::CheckCalendarAvailability | Tool::TriageEmail | Tool::Search(_) | Tool::Done => {
                false
            }
        }
    }

    fn description(self) -> &'static str {
        match self {
            Tool::WriteEmail => "Write and send an email.",
            Tool::ScheduleMeeting => {
                "Put a meeting into the calendar and invite the attendees, given by address or name."
            }
            Tool::CheckCalendarAvailability => "List the free times of a day.",
            Tool::TriageEmail => "Decide what becomes of the email.",
            Tool::Question => "Ask the person you act for about something that you need to know.",
            Tool::Search(namespace) => search::description(namespace),
            Tool::Done => "Say that everything is done. Nothing happens after it.",
        }
    }

    fn parameters(self) -> Value {
        let day = "A day as YYYY-MM-DD.";
        let properties = match self {
            Tool::WriteEmail => json!({
                "to": { "type": "string", "description": "Address of the recipient." },
                "subject": { "type": "string" },
                "content": { "type": "string", "description": "The text of the email." },
            }),
            Tool::ScheduleMeeting => json!({
                "attendees": { "type": "array", "items": { "type": "string" } },
                "subject": { "type": "string" },
                "duration_minutes": { "type": "integer", "minimum": 5, "maximum": 480 },
                "preferred_day": { "type": "string", "description": day },
                "start_time": {
                    "type": "integer", "minimum": 0, "maximum": 23,
                    "description": "The hour it starts: 14 is 2 pm.",
                },
            }),
            Tool::CheckCalendarAvailability => json!({
                "day": { "type": "string", "description": day },
            }),
            Tool::TriageEmail => json!({
                "category": { "type": "string", "enum": ["ignore", "notify", "respond"] },
            }),
            Tool::Question => json!({
                "content": { "type": "string", "description": "The question." },
            }),
            Tool::Search(_) => search::properties(),
            Tool::Done => json!({ "done": { "type": "boolean" } }),
        };
        let required: Vec<&String> = properties
            .as_object()
            .expect("written as an object above")
            .iter()
            .filter(|(_, schema)| schema.get("default").is_none())
            .map(|(name, _)| name)
            .collect();
        json!({
            "type": "object",
            "required": required,
            "properties": properties,
            "additionalProperties": false,
        })
    }
}

/// What a call came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolResult {
    pub status: ToolStatus,
    /// A sentence or two for the model.
    pub content: String,
}

impl ToolResult {
    fn executed(content: String) -> Self {
        ToolResult {
            status: ToolStatus::Executed,
            content,
        }
    }

    fn failed(content: String) -> Self {
        ToolResult {
            status: ToolStatus::Failed,
            content,
        }
    }
}

/// The tools of one agent, ready to run.
#[derive(Clone, Debug)]
pub struct Toolbox {
    tools: Vec<(Tool, ToolSpec)>,
    calendar: Calendar,
}

impl Toolbox {
    pub fn new(tools: &[Tool], calendar: Calendar) -> Self {
        let tools = tools.iter().map(|tool| (*tool, tool.spec())).collect();
        Toolbox { tools, calendar }
    }

    pub fn tools(&self) -> Vec<Tool> {
        self.tools.iter().map(|(tool, _)| *tool).collect()
    }

    pub fn specs(&self) -> Vec<ToolSpec> {
        self.tools.iter().map(|(_, spec)| spec.clone()).collect()
    }

    /// The tool that `call` means and its checked arguments; or what is wrong, as the model
    /// is told it. Days are checked to be readable, counted from `today`.
    pub fn check<'a>(
        &self,
        call: &'a ToolCall,
        today: Date,
    ) -> Result<(Tool, &'a Map<String, Value>), String> {
        let (tool, spec) = self.find(call)?;
        match schema::check(&spec.parameters, &call.arguments) {
            Ok(arguments) => {
                check_day(arguments, today).map_err(|(_, problem)| problem.to_string())?;
                Ok((tool, arguments))
            }
            Err(problem) => Err(format!("`{}` was not run: {problem}.", spec.name)),
        }
    }

    /// `call` with a person's `arguments`. A form may have turned their values into text;
    /// where the tool wants a number, a truth value, a list, or an object, they are read as
    /// such.
    ///
    /// # Errors
    /// What is wrong with the arguments, naming the one.
    pub fn edited(
        &self,
        call: &ToolCall,
        arguments: Map<String, Value>,
        today: Date,
    ) -> Result<ToolCall, String> {
        let (_, spec) = self.find(call)?;
        let call = ToolCall {
            arguments: Value::Object(schema::coerce(&spec.parameters, arguments)),
            ..call.clone()
        };
        let arguments = schema::check(&spec.parameters, &call.arguments)
            .map_err(|problem| format!("the edit does not fit `{}`: {problem}", spec.name))?;
        check_day(arguments, today).map_err(|(name, problem)| {
            format!("the edit does not fit `{}`: `{name}`: {problem}", spec.name)
        })?;
        Ok(call)
    }

    fn find(&self, call: &ToolCall) -> Result<(Tool, &ToolSpec), String> {
        match self.tools.iter().find(|(tool, _)| call.is(tool.name())) {
            Some((tool, spec)) => Ok((*tool, spec)),
            None => {
                let known: Vec<&str> = self.tools.iter().map(|(tool, _)| tool.name()).collect();
                Err(format!(
                    "There is no tool `{}`. The tools are {}.",
                    echo(&call.name),
                    known.join(", ")
                ))
            }
        }
    }

    /// Runs one call. Days without a date in them count from `today`; searches look into
    /// `store`.
    ///
    /// What is wrong with a call is the content of a `Failed` result, so that the model can
    /// mend it.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn run(
        &self,
        call: &ToolCall,
        today: Date,
        store: &dyn Store,
    ) -> Result<ToolResult, StoreError> {
        let (tool, arguments) = match self.check(call, today) {
            Ok(checked) => checked,
            Err(problem) => return Ok(ToolResult::failed(problem)),
        };
        let text = |name: &str| arguments[name].as_str().unwrap_or_default();
        let day = |name: &str| parse_day(text(name), today).expect("checked to be a day");
        Ok(match tool {
            Tool::WriteEmail => ToolResult::executed(format!(
                "The email to {} with the subject \"{}\" was sent.",
                echo(text("to")),
                echo(text("subject")),
            )),
            Tool::ScheduleMeeting => self.schedule_meeting(arguments, day("preferred_day")),
            Tool::CheckCalendarAvailability => {
                ToolResult::executed(self.calendar.describe(day("day")))
            }
            Tool::TriageEmail => {
                let category = text("category").trim().to_ascii_lowercase();
                ToolResult::executed(format!("The decision for this email is {category}."))
            }
            Tool::Question => ToolResult::failed("Nobody is here to answer.".to_owned()),
            Tool::Search(namespace) => search::run(store, namespace, arguments).await?,
            Tool::Done => ToolResult::executed("Everything is done.".to_owned()),
        })
    }

    fn schedule_meeting(&self, arguments: &Map<String, Value>, day: Date) -> ToolResult {
        let number = |name: &str| {
            let value = arguments[name].as_f64().expect("checked to be a number");
            value as u32
        };
        let (minutes, hour) = (number("duration_minutes"), number("start_time"));
        let attendees = arguments["attendees"].as_array().map_or(0, Vec::len);
        let mut content = format!(
            "The meeting \"{}\" is in the calendar for {}, {hour:02}:00, {minutes} minutes, with {attendees} {}.",
            echo(arguments["subject"].as_str().unwrap_or_default()),
            long_date(day),
            if attendees == 1 {
                "attendee"
            } else {
                "attendees"
            },
        );
        if !self.calendar.is_free(day, hour * 60, minutes) {
            content.push_str(" It overlaps with something else there. ");
            content.push_str(&self.calendar.describe(day));
        }
        ToolResult::executed(content)
    }
}

/// Checks that what should be a day can be read as one; or which argument cannot, and why.
fn check_day(
    arguments: &Map<String, Value>,
    today: Date,
) -> Result<(), (&'static str, UnknownDay)> {
    for name in ["day", "preferred_day"] {
        if let Some(day) = arguments.get(name).and_then(Value::as_str) {
            parse_day(day, today).map_err(|problem| (name, problem))?;
        }
    }
    Ok(())
}

/// The start of a text that a model wrote, on one line.
fn echo(text: &str) -> String {
    let mut short: String = text
        .chars()
        .take(ECHO)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    if text.chars().nth(ECHO).is_some() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests;
