//! Searching what is remembered: one tool a namespace, under the namespace's name.

use serde_json::{Map, Value, json};

use super::{ToolResult, echo};
use crate::agent::memory::Namespace;
use crate::graph::Store;
use crate::graph::store::{Hit, StoreError, search};

/// Hits of a search that does not say how many it wants.
const LIMIT: u64 = 10;
const MAX_LIMIT: u64 = 50;
const MAX_OFFSET: u64 = 10_000;

/// The most of one result, in characters: more than any profile, and than the hits of most
/// searches.
const MAX_RESULT_CHARS: usize = 24_000;

pub fn description(namespace: Namespace) -> &'static str {
    match namespace {
        Namespace::TriagePreferences => {
            "Search what the person wants ignored, wants to know of, and wants answered."
        }
        Namespace::ResponsePreferences => "Search how the person likes to answer.",
        Namespace::CalPreferences => "Search how the person likes to meet.",
        Namespace::Background => {
            "Search facts about the person and the people and things around them."
        }
    }
}

pub fn properties() -> Value {
    json!({
        "query": { "type": "string", "description": "Words to look for; empty for everything." },
        "limit": {
            "type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": LIMIT,
            "description": "The most results.",
        },
        "offset": {
            "type": "integer", "minimum": 0, "maximum": MAX_OFFSET, "default": 0,
            "description": "Results to leave out, to see those after them.",
        },
    })
}

/// Runs a search with checked arguments. Results are numbered, with their scores: more is
/// better, and comparable within one search.
pub async fn run(
    store: &dyn Store,
    namespace: Namespace,
    arguments: &Map<String, Value>,
) -> Result<ToolResult, StoreError> {
    let query = arguments["query"].as_str().unwrap_or_default();
    let number = |name: &str, default: u64| {
        let given = arguments.get(name).and_then(Value::as_f64);
        given.map_or(default, |number| number as u64) as usize
    };
    let (limit, offset) = (number("limit", LIMIT), number("offset", 0));
    let items = store.list(Some(namespace.path())).await?;
    let kept = items.len();
    let hits = search(items, query, limit, offset);
    let name = namespace.name();
    if hits.is_empty() {
        let query = echo(query);
        return Ok(ToolResult::executed(match (kept, offset) {
            (0, _) => format!("There is nothing in {name}."),
            (_, 0) => {
                format!("Nothing in {name} has a word of \"{query}\"; it holds {kept} in all.")
            }
            _ => format!("Nothing more in {name} has a word of \"{query}\"."),
        }));
    }
    let lines: Vec<String> = (offset + 1..)
        .zip(&hits)
        .map(|(number, Hit { item, score })| {
            let text = item.value.as_str().map(str::to_owned);
            let text = text.unwrap_or_else(|| item.value.to_string());
            format!("{number}. ({score:.2}) {text}")
        })
        .collect();
    let mut content = lines.join("\n");
    if let Some((end, _)) = content.char_indices().nth(MAX_RESULT_CHARS) {
        content.truncate(end);
        content.push('…');
    }
    Ok(ToolResult::executed(content))
}
