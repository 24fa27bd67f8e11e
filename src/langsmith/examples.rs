//! A dataset's items as the service's examples, and back.
//!
//! What the agent is told goes into `inputs`, what is expected of it into `outputs`, and what
//! names or groups the item into `metadata`. Together they hold all of it: what [`read`] makes
//! of an example is the record that it was written from, up to secrets and U+0000.

use std::borrow::Cow;
use std::collections::HashSet;

use serde_json::{Value, json};
use uuid::Uuid;

use super::ids;
use super::wire::{self, ExampleWrite, Object};
use crate::dataset::{Dataset, Episode, Example, Scenario};
use crate::email::Email;
use crate::redact::Redactor;

/// What the service calls the split of an example that is in none.
pub const BASE: &str = "base";

/// Where the service keeps the splits, among the metadata.
pub const SPLITS: &str = "dataset_split";

/// Under it stands the id that the dataset's own file has: such an example is ours.
pub const OUR_ID: &str = "mailproof_id";

/// What of examples and runs stays here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hidden {
    pub inputs: bool,
    pub outputs: bool,
}

/// What kind of item an example stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Example,
    Scenario,
    Episode,
}

impl Kind {
    const ALL: [Kind; 3] = [Kind::Example, Kind::Scenario, Kind::Episode];

    fn name(self) -> &'static str {
        match self {
            Kind::Example => "example",
            Kind::Scenario => "scenario",
            Kind::Episode => "episode",
        }
    }
}

/// The items of a dataset, as examples of the service's dataset `remote`.
#[derive(Clone, Copy)]
pub struct Examples<'a> {
    pub local: &'a Dataset,
    pub remote: Uuid,
    pub redactor: &'a Redactor,
    pub hidden: Hidden,
}

impl<'a> Examples<'a> {
    /// All of them: examples, scenarios, episodes, each kind in the order of the dataset. Where
    /// ids are alike once their secrets are gone, the first has the name, as in the journal.
    pub fn all(self) -> impl Iterator<Item = ExampleWrite> + use<'a> {
        let local = self.local;
        let examples = local.examples.iter().map(move |it| self.example(it));
        let scenarios = local.scenarios.iter().map(move |it| self.scenario(it));
        let episodes = local.episodes.iter().map(move |it| self.episode(it));
        let mut seen = HashSet::new();
        examples
            .chain(scenarios)
            .chain(episodes)
            .filter(move |write| seen.insert(write.id))
    }

    /// The id of the item that the dataset, or the journal, calls `id`.
    pub fn id(&self, id: &str) -> Uuid {
        ids::example(self.remote, &clean_text(id, self.redactor))
    }

    fn example(&self, example: &Example) -> ExampleWrite {
        let mut record = object(example.to_json());
        let outputs = record.shift_remove("expect").map(object);
        let inputs = inputs(&example.email);
        record.shift_remove("email");
        self.write(Kind::Example, record, inputs, outputs.unwrap_or_default())
    }

    fn scenario(&self, scenario: &Scenario) -> ExampleWrite {
        let examples = &self.local.examples;
        let mut record = object(scenario.to_json(examples));
        let mut outputs = record
            .shift_remove("expect")
            .map(object)
            .unwrap_or_default();
        for key in ["human", "restart"] {
            if let Some(value) = record.shift_remove(key) {
                outputs.insert(key.to_owned(), value);
            }
        }
        record.shift_remove("scenario");
        let example = &examples[scenario.example as usize];
        record.insert("example".to_owned(), example.id.clone().into());
        self.write(Kind::Scenario, record, inputs(&example.email), outputs)
    }

    fn episode(&self, episode: &Episode) -> ExampleWrite {
        let examples = &self.local.examples;
        let mut record = object(episode.to_json(examples));
        let mut outputs = Object::new();
        let steps = episode.steps.iter();
        let of_steps: Vec<&Example> = steps.map(|step| &examples[step.example as usize]).collect();
        if let Some(Value::Array(mut steps)) = record.shift_remove("episode") {
            for step in steps.iter_mut().filter_map(Value::as_object_mut) {
                step.shift_remove("example");
            }
            outputs.insert("steps".to_owned(), steps.into());
        }
        for key in ["unchanged", "control"] {
            if let Some(value) = record.shift_remove(key) {
                outputs.insert(key.to_owned(), value);
            }
        }
        let ids: Vec<Value> = of_steps.iter().map(|it| it.id.clone().into()).collect();
        record.insert("examples".to_owned(), ids.into());
        let emails = of_steps.iter().map(|example| email(&example.email));
        let inputs = Object::from_iter([("emails".to_owned(), emails.collect())]);
        self.write(Kind::Episode, record, inputs, outputs)
    }

    /// `record` is what is left of the item: its id, its split, and its metadata.
    fn write(
        &self,
        kind: Kind,
        mut record: Object,
        inputs: Object,
        outputs: Object,
    ) -> ExampleWrite {
        let id = text(record.shift_remove("id"));
        let split = record.shift_remove("split").map(|split| text(Some(split)));
        let mut metadata = Object::new();
        metadata.insert(OUR_ID.to_owned(), id.clone().into());
        metadata.insert("kind".to_owned(), kind.name().into());
        // A split that is called like the absence of one would not come back.
        if split.as_deref() == Some(BASE) {
            metadata.insert("split".to_owned(), BASE.into());
        }
        metadata.append(&mut record);
        let split = split.unwrap_or_else(|| BASE.to_owned());
        let shown = |hidden: bool, value: Object| match hidden {
            true => Object::new(),
            false => clean(value, self.redactor),
        };
        ExampleWrite {
            id: self.id(&id),
            inputs: shown(self.hidden.inputs, inputs),
            outputs: shown(self.hidden.outputs, outputs),
            metadata: clean(metadata, self.redactor),
            split: vec![clean_text(&split, self.redactor)],
        }
    }
}

/// What an agent is told of one email, in the form in which examples have it.
pub fn inputs(told: &Email) -> Object {
    Object::from_iter([("email".to_owned(), email(told))])
}

fn email(email: &Email) -> Value {
    json!(email)
}

/// Without secrets, and without U+0000, which the service's database cannot hold.
pub fn clean(object: Object, redactor: &Redactor) -> Object {
    let object = match without_nul(object.into()) {
        Value::Object(object) => object,
        _ => unreachable!("an object stays one"),
    };
    let json = serde_json::to_string(&object).expect("an object has string keys");
    match redactor.json(&json) {
        Cow::Borrowed(_) => object,
        Cow::Owned(json) => serde_json::from_str(&json).expect("what is redacted stays JSON"),
    }
}

fn clean_text(text: &str, redactor: &Redactor) -> String {
    // First, since a secret that is cut in two by it is whole without it.
    let text = text.replace('\0', "");
    redactor.text(&text).into_owned()
}

fn without_nul(value: Value) -> Value {
    match value {
        Value::String(text) if text.contains('\0') => text.replace('\0', "").into(),
        Value::Array(values) => values.into_iter().map(without_nul).collect(),
        Value::Object(map) => map
            .into_iter()
            .map(|(key, value)| (key.replace('\0', ""), without_nul(value)))
            .collect::<Object>()
            .into(),
        value => value,
    }
}

fn object(value: Value) -> Object {
    match value {
        Value::Object(object) => object,
        _ => unreachable!("records and what is expected are objects"),
    }
}

fn text(value: Option<Value>) -> String {
    match value {
        Some(Value::String(text)) => text,
        _ => unreachable!("a record's id and split are texts"),
    }
}

/// An example of ours as a record of the dataset format, which the validator has not seen yet:
/// people may have edited it.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    pub value: Object,
    /// Keys that the format has no place for.
    pub left_out: Vec<String>,
    /// What was changed to make it fit.
    pub notes: Vec<String>,
}

/// Why an example that we made cannot be read back.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    #[error("its {0} were hidden when it was pushed")]
    Hidden(&'static str),
    #[error("its metadata has {key}, where {wanted} was written")]
    Metadata {
        key: &'static str,
        wanted: &'static str,
    },
    #[error("it has {emails} emails and {steps} steps, one step an email")]
    Steps { emails: usize, steps: usize },
}

/// The id that the dataset's own file gives the example; `None` where it is not of ours.
pub fn our_id(example: &wire::Example) -> Option<&str> {
    example.metadata.as_ref()?.get(OUR_ID)?.as_str()
}

/// The splits of an example as the service has them.
pub fn splits(metadata: &Object) -> Vec<String> {
    match metadata.get(SPLITS) {
        Some(Value::String(split)) => vec![split.clone()],
        Some(Value::Array(splits)) => splits
            .iter()
            .filter_map(|split| split.as_str().map(str::to_owned))
            .collect(),
        _ => Vec::new(),
    }
}

/// An example that has [`our_id`], as what it was made from.
///
/// # Errors
/// [`Unreadable`], where too little of it is there.
pub fn read(example: wire::Example) -> Result<Record, Unreadable> {
    let mut metadata = example.metadata.unwrap_or_default();
    let mut inputs = example.inputs;
    let mut outputs = example.outputs.unwrap_or_default();
    let wrong = |key, wanted| Unreadable::Metadata { key, wanted };
    let kind = metadata.shift_remove("kind");
    let kind = Kind::ALL
        .into_iter()
        .find(|it| kind.as_ref().and_then(Value::as_str) == Some(it.name()))
        .ok_or(wrong(
            "another `kind`",
            "`example`, `scenario`, or `episode`",
        ))?;
    if outputs.is_empty() {
        return Err(Unreadable::Hidden("outputs"));
    }
    let mut notes = Vec::new();
    let mut extra_tags = Vec::new();
    let split = one_split(&mut metadata, &mut extra_tags, &mut notes);

    let mut record = Object::new();
    let id = metadata.shift_remove(OUR_ID);
    record.insert("id".to_owned(), id.unwrap_or_default());
    let mut expect = None;
    match kind {
        Kind::Example => {
            let email = inputs.shift_remove("email");
            let email = email.ok_or(Unreadable::Hidden("inputs"))?;
            record.insert("email".to_owned(), email);
            expect = Some(outputs);
            outputs = Object::new();
        }
        Kind::Scenario => {
            inputs.shift_remove("email");
            let of = metadata.shift_remove("example");
            let of = of.ok_or(wrong("no `example`", "the id of one"))?;
            record.insert("scenario".to_owned(), json!({ "example": of }));
            for key in ["human", "restart"] {
                if let Some(value) = outputs.shift_remove(key) {
                    record.insert(key.to_owned(), value);
                }
            }
            expect = Some(outputs);
            outputs = Object::new();
        }
        Kind::Episode => {
            inputs.shift_remove("emails");
            let (of, steps) = (
                metadata.shift_remove("examples"),
                outputs.shift_remove("steps"),
            );
            let Some(Value::Array(of)) = of else {
                return Err(wrong("no `examples`", "a list of ids"));
            };
            let Some(Value::Array(steps)) = steps else {
                return Err(Unreadable::Hidden("outputs"));
            };
            if of.len() != steps.len() {
                let (emails, steps) = (of.len(), steps.len());
                return Err(Unreadable::Steps { emails, steps });
            }
            let steps = of.into_iter().zip(steps).map(|(of, step)| {
                let mut map = Object::from_iter([("example".to_owned(), of)]);
                match step {
                    Value::Object(mut step) => map.append(&mut step),
                    // Left for the validator to refuse, in its words.
                    step => {
                        map.insert("expect".to_owned(), step);
                    }
                }
                Value::from(map)
            });
            record.insert("episode".to_owned(), steps.collect());
            for key in ["unchanged", "control"] {
                if let Some(value) = outputs.shift_remove(key) {
                    record.insert(key.to_owned(), value);
                }
            }
        }
    }
    let mut tags = metadata.shift_remove("tags");
    if !extra_tags.is_empty() {
        let tags = tags.get_or_insert_with(|| Value::Array(Vec::new()));
        if let Value::Array(tags) = tags {
            tags.extend(extra_tags.into_iter().map(Value::from));
        }
    }
    let mut rest = [("tags", tags), ("split", split.map(Value::from))];
    for (key, value) in &mut rest {
        if let Some(value) = value.take() {
            record.insert((*key).to_owned(), value);
        }
    }
    for key in ["cluster", "labelled_by", "note"] {
        if let Some(value) = metadata.shift_remove(key) {
            record.insert(key.to_owned(), value);
        }
    }
    if let Some(expect) = expect {
        record.insert("expect".to_owned(), expect.into());
    }
    let named = |place: &str, keys: Object| -> Vec<String> {
        keys.keys().map(|key| format!("{place}.{key}")).collect()
    };
    let left_out = [
        ("inputs", inputs),
        ("outputs", outputs),
        ("metadata", metadata),
    ]
    .into_iter()
    .flat_map(|(place, keys)| named(place, keys))
    .collect();
    Ok(Record {
        value: record,
        left_out,
        notes,
    })
}

/// The split that the record says; others become tags, as `import` has it.
fn one_split(
    metadata: &mut Object,
    tags: &mut Vec<String>,
    notes: &mut Vec<String>,
) -> Option<String> {
    let mut splits = splits(metadata);
    metadata.shift_remove(SPLITS);
    let stated = metadata.shift_remove("split");
    splits.retain(|split| split != BASE);
    if splits.is_empty() {
        return stated.and_then(|split| split.as_str().map(str::to_owned));
    }
    let split = splits.remove(0);
    if !splits.is_empty() {
        notes.push("several splits: one kept, the others are tags".to_owned());
        tags.append(&mut splits);
    }
    Some(split)
}

#[cfg(test)]
mod tests;
