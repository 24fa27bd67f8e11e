//! Records as JSON values, and as the text of dataset files.

use serde_json::{Map, Value, json};

use super::{
    ArgumentMatcher, CallPattern, Criterion, Episode, Example, Expect, MatchMode, Person, Rule,
    RuleAnswer, Scenario, StatedExpect,
};

impl Example {
    /// The example in the dataset format, keys in the order of its specification; what is
    /// not given or is the default is left out.
    pub fn to_json(&self) -> Value {
        let email = &self.email;
        let mut record = Map::new();
        record.insert("id".into(), self.id.clone().into());
        let mut email_map = Map::new();
        email_map.insert("from".into(), email.from.clone().into());
        email_map.insert("to".into(), email.to.clone().into());
        email_map.insert("subject".into(), email.subject.clone().into());
        email_map.insert("body".into(), email.body.clone().into());
        if let Some(date) = email.date {
            email_map.insert("date".into(), date.to_string().into());
        }
        record.insert("email".into(), email_map.into());
        if !self.tags.is_empty() {
            record.insert("tags".into(), self.tags.clone().into());
        }
        texts(
            &mut record,
            [
                ("split", &self.split),
                ("cluster", &self.cluster),
                ("labelled_by", &self.labelled_by),
                ("note", &self.note),
            ],
        );
        let expect = &self.expect;
        let mut expect_map = Map::new();
        expect_map.insert("triage".into(), expect.triage.name().into());
        if let Some(calls) = &expect.tool_calls {
            expect_map.insert("tool_calls".into(), calls_to_json(calls));
            if expect.mode != MatchMode::default() {
                expect_map.insert("mode".into(), expect.mode.name().into());
            }
        }
        if !expect.forbidden.is_empty() {
            expect_map.insert("forbidden".into(), calls_to_json(&expect.forbidden));
        }
        if !expect.criteria.is_empty() {
            expect_map.insert("criteria".into(), criteria_to_json(&expect.criteria));
        }
        record.insert("expect".into(), expect_map.into());
        record.into()
    }
}

impl Scenario {
    /// The scenario in the dataset format, with everything stated that it took over from
    /// its example, which is one of `examples`.
    pub fn to_json(&self, examples: &[Example]) -> Value {
        let mut record = Map::new();
        record.insert("id".into(), self.id.clone().into());
        let example = &examples[self.example as usize];
        record.insert("scenario".into(), json!({ "example": example.id }));
        let human = match &self.human {
            Person::Scripted(rules) => rules_to_json(rules),
            Person::Simulated { description, turns } => {
                json!({ "simulated": description, "turns": turns })
            }
        };
        record.insert("human".into(), human);
        if self.restart {
            record.insert("restart".into(), true.into());
        }
        // An empty list differs from none, which takes over the example's.
        record.insert("tags".into(), self.tags.clone().into());
        texts(
            &mut record,
            [
                ("split", &self.split),
                ("cluster", &self.cluster),
                ("labelled_by", &self.labelled_by),
                ("note", &self.note),
            ],
        );
        let Expect {
            triage,
            tool_calls,
            mode,
            forbidden,
            criteria,
        } = &self.expect;
        let stated = StatedExpect {
            triage: Some(*triage),
            tool_calls: tool_calls.clone(),
            mode: tool_calls.is_some().then_some(*mode),
            forbidden: Some(forbidden.clone()),
            criteria: Some(criteria.clone()),
            interrupts: self.interrupts.clone(),
        };
        record.insert("expect".into(), stated.to_json());
        record.into()
    }
}

impl Episode {
    /// The episode in the dataset format; its steps name those of `examples`.
    pub fn to_json(&self, examples: &[Example]) -> Value {
        let mut record = Map::new();
        record.insert("id".into(), self.id.clone().into());
        let steps = self.steps.iter().map(|step| {
            let mut map = Map::new();
            let example = &examples[step.example as usize];
            map.insert("example".into(), example.id.clone().into());
            if !step.human.is_empty() {
                map.insert("human".into(), rules_to_json(&step.human));
            }
            if !step.memory.is_empty() {
                map.insert("memory".into(), matchers_to_json(&step.memory));
            }
            let expect = step.expect.to_json();
            if expect.as_object().is_some_and(|map| !map.is_empty()) {
                map.insert("expect".into(), expect);
            }
            Value::from(map)
        });
        record.insert("episode".into(), steps.collect());
        if !self.unchanged.is_empty() {
            record.insert("unchanged".into(), self.unchanged.clone().into());
        }
        if self.control {
            record.insert("control".into(), true.into());
        }
        if !self.tags.is_empty() {
            record.insert("tags".into(), self.tags.clone().into());
        }
        texts(
            &mut record,
            [
                ("split", &self.split),
                ("cluster", &self.cluster),
                ("labelled_by", &self.labelled_by),
                ("note", &self.note),
            ],
        );
        record.into()
    }
}

impl StatedExpect {
    /// What is stated, an empty map where nothing is.
    pub(super) fn to_json(&self) -> Value {
        let mut map = Map::new();
        if let Some(triage) = self.triage {
            map.insert("triage".into(), triage.name().into());
        }
        if let Some(calls) = &self.tool_calls {
            map.insert("tool_calls".into(), calls_to_json(calls));
        }
        if let Some(mode) = self.mode {
            map.insert("mode".into(), mode.name().into());
        }
        if let Some(calls) = &self.forbidden {
            map.insert("forbidden".into(), calls_to_json(calls));
        }
        if let Some(criteria) = &self.criteria {
            map.insert("criteria".into(), criteria_to_json(criteria));
        }
        if let Some(interrupts) = &self.interrupts {
            map.insert("interrupts".into(), calls_to_json(interrupts));
        }
        map.into()
    }
}

impl Rule {
    fn to_json(&self) -> Value {
        let mut map = Map::new();
        map.insert("on".into(), self.on.name().into());
        if let Some(nth) = self.nth {
            map.insert("nth".into(), nth.into());
        }
        if !self.when.is_empty() {
            map.insert("when".into(), matchers_to_json(&self.when));
        }
        let (key, value) = match &self.answer {
            RuleAnswer::Accept => ("accept", true.into()),
            RuleAnswer::Edit(arguments) => ("edit", arguments.clone().into()),
            RuleAnswer::Ignore => ("ignore", true.into()),
            RuleAnswer::Respond(text) => ("respond", text.clone().into()),
            RuleAnswer::Timeout => ("timeout", true.into()),
        };
        map.insert(key.into(), value);
        if !self.then.is_empty() {
            map.insert("then".into(), matchers_to_json(&self.then));
        }
        map.into()
    }
}

fn rules_to_json(rules: &[Rule]) -> Value {
    rules.iter().map(Rule::to_json).collect()
}

fn matchers_to_json(matchers: &[(String, ArgumentMatcher)]) -> Value {
    let map: Map<String, Value> = matchers
        .iter()
        .map(|(name, matcher)| (name.clone(), matcher.to_json()))
        .collect();
    map.into()
}

fn texts<const N: usize>(record: &mut Map<String, Value>, keys: [(&str, &Option<String>); N]) {
    for (key, text) in keys {
        if let Some(text) = text {
            record.insert(key.into(), text.clone().into());
        }
    }
}

fn calls_to_json(calls: &[CallPattern]) -> Value {
    calls.iter().map(CallPattern::to_json).collect()
}

fn criteria_to_json(criteria: &[Criterion]) -> Value {
    criteria.iter().map(Criterion::to_json).collect()
}

impl Criterion {
    /// The text alone where nothing else is said, so that it has one form.
    fn to_json(&self) -> Value {
        let mut map = Map::new();
        if self.weight != 1.0 {
            map.insert("weight".into(), whole_or_not(self.weight));
        }
        if self.critical {
            map.insert("critical".into(), true.into());
        }
        if map.is_empty() {
            return self.text.clone().into();
        }
        let mut criterion = Map::new();
        criterion.insert("text".into(), self.text.clone().into());
        criterion.append(&mut map);
        criterion.into()
    }
}

/// `2`, and not `2.0`.
fn whole_or_not(number: f64) -> Value {
    match number.fract() == 0.0 {
        true => (number as u64).into(),
        false => number.into(),
    }
}

impl CallPattern {
    fn to_json(&self) -> Value {
        if self.arguments.is_empty() {
            return self.name.clone().into();
        }
        json!({ self.name.as_str(): matchers_to_json(&self.arguments) })
    }
}

impl ArgumentMatcher {
    fn to_json(&self) -> Value {
        let mut map = Map::new();
        if let Some(value) = &self.equals {
            map.insert("equals".into(), value.clone());
        }
        if let Some(text) = &self.contains {
            map.insert("contains".into(), text.clone().into());
        }
        if let Some(regex) = &self.matches {
            map.insert("matches".into(), regex.as_str().into());
        }
        if !self.any_of.is_empty() {
            map.insert("any_of".into(), self.any_of.clone().into());
        }
        if self.absent {
            map.insert("absent".into(), true.into());
        }
        match map.get("equals") {
            Some(value) if map.len() == 1 && !value.is_object() => value.clone(),
            _ => map.into(),
        }
    }
}

/// A record as an entry of a YAML list.
///
/// Texts of several lines are block scalars where that keeps them as they are, all others
/// are plain words or double-quoted, so that no reader of any YAML version sees another type.
pub(super) fn yaml(record: &Value) -> String {
    let mut out = String::new();
    let Value::Object(map) = record else {
        unreachable!("a record is a map")
    };
    for (index, (key, value)) in map.iter().enumerate() {
        out.push_str(if index == 0 { "- " } else { "  " });
        entry(&mut out, key, value, 2);
    }
    out
}

/// `key: value` and a line break, where the key stands at the given column.
fn entry(out: &mut String, key: &str, value: &Value, column: usize) {
    scalar(out, key);
    out.push(':');
    match value {
        // The two maps that every record has.
        Value::Object(map) if column == 2 => {
            out.push('\n');
            for (key, value) in map {
                out.extend(std::iter::repeat_n(' ', column + 2));
                entry(out, key, value, column + 2);
            }
        }
        Value::Array(values) if column > 2 && !values.is_empty() => {
            out.push('\n');
            for value in values {
                out.extend(std::iter::repeat_n(' ', column + 2));
                out.push_str("- ");
                match value {
                    Value::Object(call) if call.len() == 1 => {
                        let (name, arguments) = call.iter().next().expect("it has one");
                        scalar(out, name);
                        out.push_str(": ");
                        flow(out, arguments);
                    }
                    value => flow(out, value),
                }
                out.push('\n');
            }
        }
        Value::String(text) if is_block(text) => {
            out.push_str(if text.ends_with('\n') {
                " |\n"
            } else {
                " |-\n"
            });
            for line in text.lines() {
                if !line.is_empty() {
                    out.extend(std::iter::repeat_n(' ', column + 2));
                    out.push_str(line);
                }
                out.push('\n');
            }
        }
        value => {
            out.push(' ');
            flow(out, value);
            out.push('\n');
        }
    }
}

/// Whether a block scalar keeps every character, with nothing that an editor would spoil.
fn is_block(text: &str) -> bool {
    text.contains('\n')
        && !text.ends_with("\n\n")
        && !text.starts_with([' ', '\t', '\n'])
        && text
            .chars()
            .all(|c| c == '\n' || c == '\t' || !is_escaped(c))
        && text
            .lines()
            .all(|line| line.is_empty() || !line.trim().is_empty())
        && !text.lines().any(|line| line.ends_with([' ', '\t']))
}

/// The value on one line.
fn flow(out: &mut String, value: &Value) {
    match value {
        Value::Object(map) if map.is_empty() => out.push_str("{}"),
        Value::Object(map) => {
            for (index, (key, value)) in map.iter().enumerate() {
                out.push_str(if index == 0 { "{ " } else { ", " });
                scalar(out, key);
                out.push_str(": ");
                flow(out, value);
            }
            out.push_str(" }");
        }
        Value::Array(values) => {
            out.push('[');
            for (index, value) in values.iter().enumerate() {
                if index > 0 {
                    out.push_str(", ");
                }
                flow(out, value);
            }
            out.push(']');
        }
        Value::String(text) => scalar(out, text),
        // JSON's other values are YAML's.
        Value::Null | Value::Bool(_) | Value::Number(_) => out.push_str(&value.to_string()),
    }
}

fn scalar(out: &mut String, text: &str) {
    const NOT_TEXT: [&str; 9] = ["null", "true", "false", "yes", "no", "on", "off", "y", "n"];
    let is_word = text.starts_with(|c: char| c.is_ascii_lowercase())
        && text
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-' | '/'))
        && !NOT_TEXT.contains(&text);
    if is_word {
        return out.push_str(text);
    }
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if is_escaped(c) => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
}

/// Characters that YAML does not take as they are, or that some version breaks lines at.
fn is_escaped(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}'
        )
}
