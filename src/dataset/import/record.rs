//! One foreign record to one in the dataset format.

use serde_json::{Map, Value, json};

use super::source::{Source, plain_text, texts};
use super::{Shape, calls, chat, criteria, email};
use crate::email::{Email, Triage};

const LABEL: &[&str] = &[
    "classification",
    "triage",
    "expected_triage",
    "expected_classification",
    "triage_label",
    "classification_decision",
    "label",
];
pub(super) const CALLS: &[&str] = &["expected_tool_calls", "expected_calls", "tool_calls"];
pub(super) const CRITERIA: &[&str] = &["response_criteria", "expected_criteria", "criteria"];
pub(super) const SPLIT: &[&str] = &["split", "splits", "dataset_split"];
pub(super) const TAGS: &[&str] = &["tags"];
const ID: &[&str] = &["id", "example_id", "email_id", "name", "email_name"];
const CLUSTER: &[&str] = &["cluster", "thread_id"];

/// A record in the dataset format, except for its id, and what was done to get there.
pub(super) struct Mapped {
    pub id: Option<String>,
    pub record: Map<String, Value>,
    pub left_out: Vec<String>,
    pub notes: Vec<String>,
}

/// Maps one record, or says everything that stands against it.
pub(super) fn map(record: Value, shape: Shape) -> Result<Mapped, Vec<String>> {
    let Value::Object(map) = record else {
        return Err(vec!["the record is not a map".to_owned()]);
    };
    let mut notes = Vec::new();
    let mut left_out = Vec::new();
    let mut reasons = Vec::new();

    let mut top = Source::new("", map);
    let inputs = top.take_source(&["inputs", "input"]);
    let outputs = top.take_source(&["outputs", "output", "reference_outputs"]);
    if shape == Shape::Workshop && inputs.is_some() {
        return Err(vec![
            "the map `inputs` is LangSmith's: not a workshop record".to_owned(),
        ]);
    }
    if shape == Shape::Langsmith && inputs.is_none() {
        return Err(vec!["no map `inputs`: not a LangSmith example".to_owned()]);
    }
    let metadata = top.take_source(&["metadata"]);
    let mut places = Places {
        inputs,
        outputs,
        top,
        metadata,
        email: None,
    };

    let messages = places.take_messages();
    if shape == Shape::OpenaiChat && messages.is_empty() {
        return Err(vec!["no list `messages`: not a conversation".to_owned()]);
    }
    let is_chat = !messages.is_empty();
    let chat = match chat::read(messages, &mut left_out) {
        Ok(chat) => chat,
        Err(reason) => return Err(vec![reason]),
    };
    let email = match chat.prompt {
        Some(prompt) if !places.has_email() => {
            email::from_prompt(&prompt, &mut notes).ok_or_else(|| NO_HEADERS.to_owned())
        }
        _ => places.take_email(&mut notes),
    };

    let calls = match places.take(CALLS) {
        Some(value) => match calls::calls(value, &mut left_out) {
            Ok(calls) => Some(calls),
            Err(reason) => {
                reasons.push(reason);
                None
            }
        },
        None if is_chat => Some(chat.calls),
        None => None,
    };
    let triage = match places.take(LABEL) {
        Some(value) => chat::triage(value)
            .map_err(|reason| reasons.push(reason))
            .ok(),
        None => chat.triage.or_else(|| {
            let inferred = infer(calls.as_deref());
            match inferred {
                Some(_) => {
                    notes.push("no label, but calls that answer: set to `respond`".to_owned())
                }
                None => reasons.push(
                    "no triage label: expected `classification`, `triage`, or `expected_triage`"
                        .to_owned(),
                ),
            }
            inferred
        }),
    };
    let criteria = match places.take(CRITERIA) {
        Some(value) => criteria::criteria(value, &mut notes).unwrap_or_else(|reason| {
            reasons.push(reason);
            Vec::new()
        }),
        None => Vec::new(),
    };
    let email = email.map_err(|reason| reasons.insert(0, reason)).ok();
    let (Some(email), Some(triage), true) = (email, triage, reasons.is_empty()) else {
        return Err(reasons);
    };

    let mut record = Map::new();
    let mut email_map = json!({
        "from": email.from,
        "to": email.to,
        "subject": email.subject,
        "body": email.body,
    });
    if let Some(date) = email.date {
        email_map["date"] = date.to_string().into();
    }
    record.insert("email".to_owned(), email_map);
    let mut tags = places.take(TAGS).map(texts).unwrap_or_default();
    let split = places.take(SPLIT).map(texts).unwrap_or_default();
    let split = one_split(split, &mut tags, &mut notes);
    if !tags.is_empty() {
        record.insert("tags".to_owned(), tags.into());
    }
    if let Some(split) = split {
        record.insert("split".to_owned(), split.into());
    }
    let id = places.take_name(ID);
    if let Some(cluster) = places.take_name(CLUSTER) {
        record.insert("cluster".to_owned(), cluster.into());
    }
    for key in ["labelled_by", "note"] {
        if let Some(value) = places.take_if(&[key], Value::is_string) {
            record.insert(key.to_owned(), value);
        }
    }
    let mut expect = Map::new();
    expect.insert("triage".to_owned(), triage.name().into());
    if let Some(calls) = calls {
        expect.insert("tool_calls".to_owned(), calls.into());
    }
    for (key, names) in [("mode", &["mode"]), ("forbidden", &["forbidden"])] {
        if let Some(value) = places.take(names) {
            expect.insert(key.to_owned(), value);
        }
    }
    if !criteria.is_empty() {
        expect.insert("criteria".to_owned(), criteria.into());
    }
    record.insert("expect".to_owned(), expect.into());

    left_out.extend(places.left_out());
    left_out.sort();
    left_out.dedup();
    notes.sort();
    notes.dedup();
    Ok(Mapped {
        id: id.filter(|id| !id.trim().is_empty()),
        record,
        left_out,
        notes,
    })
}

/// Where the parts of a record may stand, in the order in which they are looked for.
struct Places {
    outputs: Option<Source>,
    top: Source,
    metadata: Option<Source>,
    inputs: Option<Source>,
    /// The email, where it is a map of its own: its id and thread are the record's if it has
    /// none.
    email: Option<Source>,
}

const NO_HEADERS: &str =
    "no email: the first message of the user has neither a `From:` nor a `Subject:` line";

impl Places {
    /// Where expectations stand. An email's own `label` is none.
    fn expectations(&mut self) -> impl Iterator<Item = &mut Source> {
        self.outputs
            .iter_mut()
            .chain([&mut self.top])
            .chain(&mut self.metadata)
    }

    fn left_out(self) -> impl Iterator<Item = String> {
        [
            self.outputs,
            Some(self.top),
            self.metadata,
            self.inputs,
            self.email,
        ]
        .into_iter()
        .flatten()
        .flat_map(Source::left_out)
    }

    fn take(&mut self, names: &[&str]) -> Option<Value> {
        self.expectations().find_map(|source| source.take(names))
    }

    fn take_if(&mut self, names: &[&str], wanted: impl Fn(&Value) -> bool) -> Option<Value> {
        self.expectations()
            .find_map(|source| source.take_if(names, &wanted))
    }

    /// What names the record, or the email where the record has no name of its own.
    fn take_name(&mut self, names: &[&str]) -> Option<String> {
        let value = self.take(names).or_else(|| {
            let mut inputs = self.inputs.iter_mut().chain(&mut self.email);
            inputs.find_map(|source| source.take(names))
        });
        value.map(plain_text)
    }

    /// The messages of a conversation, those of the inputs first.
    fn take_messages(&mut self) -> Vec<Value> {
        let order = self
            .inputs
            .iter_mut()
            .chain([&mut self.top])
            .chain(&mut self.outputs);
        order
            .filter_map(|source| source.take_if(&["messages"], Value::is_array))
            .flat_map(|messages| match messages {
                Value::Array(messages) => messages,
                _ => Vec::new(),
            })
            .collect()
    }

    fn has_email(&self) -> bool {
        let mut sources = self.inputs.iter().chain([&self.top]);
        sources.any(|source| source.has(&["email_input", "email"]) || source.has(email::BODY))
    }

    fn take_email(&mut self, notes: &mut Vec<String>) -> Result<Email, String> {
        for source in self.inputs.iter_mut().chain([&mut self.top]) {
            if let Some(mut own) = email::take_email_source(source) {
                let email = email::take_email(&mut own, notes)?;
                self.email = Some(own);
                return Ok(email);
            }
            if source.has(email::BODY) {
                return email::take_email(source, notes);
            }
            let prompt = source.take_if(&["email_input", "email"], Value::is_string);
            if let Some(Value::String(prompt)) = prompt {
                return email::from_prompt(&prompt, notes).ok_or_else(|| {
                    "no email: the text has neither a `From:` nor a `Subject:` line".to_owned()
                });
            }
        }
        let source = self.inputs.as_mut().unwrap_or(&mut self.top);
        email::take_email(source, notes)
    }
}

/// A conversation whose calls reach other people was about an email that wanted an answer.
fn infer(calls: Option<&[Value]>) -> Option<Triage> {
    let answers = calls?.iter().any(|call| {
        let name = call
            .as_str()
            .or_else(|| call.as_object()?.keys().next().map(String::as_str));
        matches!(name, Some("write_email" | "schedule_meeting"))
    });
    answers.then_some(Triage::Respond)
}

/// The format has one split an example. `base` is what LangSmith calls the absence of a
/// choice, so another is preferred; what remains is kept as tags.
fn one_split(
    mut splits: Vec<String>,
    tags: &mut Vec<String>,
    notes: &mut Vec<String>,
) -> Option<String> {
    if splits.is_empty() {
        return None;
    }
    let index = splits.iter().position(|split| split != "base").unwrap_or(0);
    let split = splits.remove(index);
    if !splits.is_empty() {
        notes.push("several splits: one kept, the others are tags".to_owned());
        tags.extend(splits);
    }
    Some(split)
}
