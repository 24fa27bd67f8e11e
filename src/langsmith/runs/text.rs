//! What texts must not hold, and how long they may be.

use serde_json::Value;

use crate::langsmith::wire::{Object, Run};

/// Bytes of one text: nobody reads more of it in a browser.
const LONGEST: usize = 200_000;
/// Bytes of texts in one attempt: a request holds five such, and a page shows it.
const MOST: usize = 4_000_000;
/// Below this no text is cut, however many there are.
const SHORTEST: usize = 2_000;

/// Takes U+0000 out of all texts of an attempt, which the service's database cannot hold, and
/// cuts those in their middle that are longer than 200 kB, or that together make it larger than 4
/// MB.
pub fn tidy(runs: &mut [Run]) {
    let mut limit = LONGEST;
    while limit > SHORTEST && runs.iter().map(|run| bytes(run, limit)).sum::<usize>() > MOST {
        limit = (limit / 2).max(SHORTEST);
    }
    for run in runs {
        cut(&mut run.head.name, limit);
        for tag in &mut run.head.tags {
            cut(tag, limit);
        }
        if let Some(error) = &mut run.error {
            cut(error, limit);
        }
        for object in [&mut run.inputs, &mut run.outputs, &mut run.extra.metadata] {
            entries(object, limit);
        }
    }
}

/// Those of a run's texts, each cut to `limit`.
fn bytes(run: &Run, limit: usize) -> usize {
    let objects = [&run.inputs, &run.outputs, &run.extra.metadata];
    let values = objects.into_iter().flat_map(Object::values);
    values.map(|value| bytes_of(value, limit)).sum()
}

fn bytes_of(value: &Value, limit: usize) -> usize {
    match value {
        Value::String(text) => text.len().min(limit),
        Value::Array(values) => values.iter().map(|value| bytes_of(value, limit)).sum(),
        Value::Object(object) => {
            let entries = object.iter();
            entries
                .map(|(key, value)| key.len() + bytes_of(value, limit))
                .sum()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    }
}

fn entries(object: &mut Object, limit: usize) {
    if object
        .keys()
        .any(|key| key.contains('\0') || key.len() > limit)
    {
        let old = std::mem::take(object);
        object.extend(old.into_iter().map(|(mut key, value)| {
            cut(&mut key, limit);
            (key, value)
        }));
    }
    for value in object.values_mut() {
        each(value, limit);
    }
}

fn each(value: &mut Value, limit: usize) {
    match value {
        Value::String(one) => cut(one, limit),
        Value::Array(values) => values.iter_mut().for_each(|value| each(value, limit)),
        Value::Object(object) => entries(object, limit),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// One text, without U+0000, and without its middle where it has more than `limit` bytes.
pub fn cut(text: &mut String, limit: usize) {
    if text.contains('\0') {
        text.retain(|symbol| symbol != '\0');
    }
    if text.len() <= limit {
        return;
    }
    let boundary = |at: &usize| text.is_char_boundary(*at);
    let start = (0..=limit / 2).rev().find(boundary).unwrap_or(0);
    let end = (text.len() - limit / 2..=text.len()).find(boundary);
    let end = end.unwrap_or(text.len());
    let mark = format!("\n[{} bytes left out here]\n", end - start);
    text.replace_range(start..end, &mark);
}
