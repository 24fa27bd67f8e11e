//! Examples as JSON values, and as the text of dataset files.

use serde_json::{Map, Value, json};

use super::{ArgumentMatcher, CallPattern, Example, MatchMode};

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
        for (key, text) in [
            ("split", &self.split),
            ("cluster", &self.cluster),
            ("labelled_by", &self.labelled_by),
            ("note", &self.note),
        ] {
            if let Some(text) = text {
                record.insert(key.into(), text.clone().into());
            }
        }
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
            expect_map.insert("criteria".into(), expect.criteria.clone().into());
        }
        record.insert("expect".into(), expect_map.into());
        record.into()
    }
}

fn calls_to_json(calls: &[CallPattern]) -> Value {
    calls.iter().map(CallPattern::to_json).collect()
}

impl CallPattern {
    fn to_json(&self) -> Value {
        if self.arguments.is_empty() {
            return self.name.clone().into();
        }
        let arguments: Map<String, Value> = self
            .arguments
            .iter()
            .map(|(name, matcher)| (name.clone(), matcher.to_json()))
            .collect();
        json!({ self.name.as_str(): arguments })
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
