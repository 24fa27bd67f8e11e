//! What the agents' models are told. The words are Markdown files beside this one; code
//! only fills in their blanks.
//!
//! What a person may come to prefer stands in a block whose tag is the name of its memory
//! namespace (`<cal_preferences>…</cal_preferences>`), wherever the prompt shows it.

pub mod memory;

use jiff::civil::Date;

use super::tools::Tool;

/// What is known of the person served. Each field is one memory namespace, as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preferences {
    pub background: String,
    pub triage_preferences: String,
    pub response_preferences: String,
    pub cal_preferences: String,
}

impl Default for Preferences {
    fn default() -> Self {
        let text = |file: &str| file.trim_end().to_owned();
        Preferences {
            background: text(include_str!("background.md")),
            triage_preferences: text(include_str!("triage_preferences.md")),
            response_preferences: text(include_str!("response_preferences.md")),
            cal_preferences: text(include_str!("cal_preferences.md")),
        }
    }
}

/// System text of the router.
pub fn router(preferences: &Preferences) -> String {
    fill(
        include_str!("router.md"),
        &[
            ("background", &preferences.background),
            ("triage_preferences", &preferences.triage_preferences),
        ],
    )
}

/// System text of the agent that answers emails which were triaged before it saw them.
pub fn agent(tools: &[Tool], preferences: &Preferences, today: Date) -> String {
    let memory = profiles(preferences);
    system(tools, &memory, today, include_str!("first_handle.md"), "")
}

/// System text of the agent that looks up by tools what is known of the person.
pub fn searching_agent(tools: &[Tool], today: Date) -> String {
    let memory = include_str!("agent_search.md");
    system(tools, memory, today, include_str!("first_ask.md"), "")
}

/// System text of the agent that answers, and may ask the person it acts for.
pub fn asking_agent(tools: &[Tool], preferences: &Preferences, today: Date) -> String {
    let memory = profiles(preferences);
    system(tools, &memory, today, include_str!("first_ask.md"), "")
}

/// System text of the agent that triages by a tool of its own.
pub fn triaging_agent(tools: &[Tool], preferences: &Preferences, today: Date) -> String {
    let triage = fill(
        include_str!("triage.md"),
        &[("triage_preferences", &preferences.triage_preferences)],
    );
    let memory = profiles(preferences);
    let first = include_str!("first_triage.md");
    system(tools, &memory, today, first, &triage)
}

/// What is known of the person, for an agent that answers.
fn profiles(preferences: &Preferences) -> String {
    fill(
        include_str!("agent_profiles.md"),
        &[
            ("background", &preferences.background),
            ("response_preferences", &preferences.response_preferences),
            ("cal_preferences", &preferences.cal_preferences),
        ],
    )
}

fn system(tools: &[Tool], memory: &str, today: Date, first: &str, triage: &str) -> String {
    fill(
        include_str!("agent.md"),
        &[
            ("tools", &signatures(tools)),
            ("first", first.trim_end()),
            ("triage", triage),
            ("memory", memory),
            ("today", &format!("{} ({today})", long_date(today))),
        ],
    )
}

/// First message to the agent that answers: a line of instruction, then the email.
pub fn respond(email: &str) -> String {
    format!("{}\n{email}", include_str!("respond.md"))
}

/// First message to the agent that triages too.
pub fn triage_and_respond(email: &str) -> String {
    format!("{}\n{email}", include_str!("triage_and_respond.md"))
}

/// Sent once, after a reply that called no tool.
pub fn remind_tool() -> String {
    include_str!("remind_tool.md").trim_end().to_owned()
}

/// Sent once, after a reply of the router that was not a decision.
pub fn remind_router(problem: &str) -> String {
    blank(include_str!("remind_router.md"), "problem", problem)
}

/// Follows the email where the person, told of it, wants something done.
pub fn notice(feedback: &str) -> String {
    blank(include_str!("notice.md"), "feedback", feedback)
}

/// Answers a call that the person wants changed.
pub fn feedback(feedback: &str) -> String {
    blank(include_str!("feedback.md"), "feedback", feedback)
}

/// Answers a call that the person does not want.
pub fn turned_down() -> String {
    include_str!("turned_down.md").trim_end().to_owned()
}

/// Answers a call that nobody reviewed in time.
pub fn nobody_answered() -> String {
    include_str!("nobody_answered.md").trim_end().to_owned()
}

/// A template with one blank.
fn blank(template: &str, name: &str, value: &str) -> String {
    fill(template, &[(name, value)]).trim_end().to_owned()
}

/// `Tuesday, 3 March 2026`.
pub fn long_date(date: Date) -> String {
    date.strftime("%A, %-d %B %Y").to_string()
}

/// The tools as a numbered list: `1. done(done: boolean): what it does`.
fn signatures(tools: &[Tool]) -> String {
    let lines: Vec<String> = (1..)
        .zip(tools)
        .map(|(number, tool)| {
            let spec = tool.spec();
            let arguments: Vec<String> = spec.parameters["properties"]
                .as_object()
                .expect("a tool's parameters are an object schema")
                .iter()
                .map(|(name, schema)| format!("{name}: {}", type_name(schema)))
                .collect();
            format!(
                "{number}. {}({}): {}",
                spec.name,
                arguments.join(", "),
                spec.description
            )
        })
        .collect();
    lines.join("\n")
}

fn type_name(schema: &serde_json::Value) -> String {
    if let Some(choices) = schema["enum"].as_array() {
        let choices: Vec<&str> = choices
            .iter()
            .filter_map(|choice| choice.as_str())
            .collect();
        return choices.join(" | ");
    }
    match schema["type"].as_str().expect("a schema says its type") {
        "array" => format!("[{}]", type_name(&schema["items"])),
        name => name.to_owned(),
    }
}

/// Replaces each `{{name}}` of a template in one pass, so that text which is filled in is
/// never itself read as a template: preferences may come from a person or a model.
fn fill(template: &str, values: &[(&str, &str)]) -> String {
    let mut text = String::with_capacity(template.len() * 2);
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        let (name, after) = after.split_once("}}").expect("a blank is closed");
        let (_, value) = values
            .iter()
            .find(|(known, _)| *known == name)
            .unwrap_or_else(|| panic!("the prompt has a blank that nothing fills: {name}"));
        text.push_str(before);
        text.push_str(value);
        rest = after;
    }
    text.push_str(rest);
    text
}

#[cfg(test)]
mod tests;
