//! Facts as the model takes them from an email and the work on it.

use std::sync::{Arc, LazyLock};

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::agent::steps::structured::string;
use crate::model::OutputSchema;

/// The most facts that are taken from one email.
pub const MAX_FACTS: usize = 10;

/// The longest fact that is kept, in characters.
pub const MAX_FACT_CHARS: usize = 300;

/// A reply of the output `facts`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    pub reasoning: String,
    /// Each on one line, different from the others, and neither empty nor too long.
    pub facts: Vec<String>,
}

impl Facts {
    pub const KEYS: &'static [&'static str] = &["reasoning", "facts"];

    pub fn output() -> Arc<OutputSchema> {
        static OUTPUT: LazyLock<Arc<OutputSchema>> = LazyLock::new(|| {
            Arc::new(OutputSchema {
                name: "facts".to_owned(),
                schema: json!({
                    "type": "object",
                    "properties": {
                        "reasoning": {
                            "type": "string",
                            "description": "Why these are worth keeping, in a sentence or two.",
                        },
                        "facts": {
                            "type": "array",
                            "items": { "type": "string" },
                            "description": "One sentence each; empty where nothing is worth keeping.",
                        },
                    },
                    "required": Facts::KEYS,
                    "additionalProperties": false,
                }),
            })
        });
        Arc::clone(&OUTPUT)
    }

    /// Reads an object of [`KEYS`](Self::KEYS); or says what is wrong, as a clause.
    ///
    /// Facts beyond [`MAX_FACTS`] and those longer than [`MAX_FACT_CHARS`] are left out: a
    /// fact that was cut could say the opposite.
    pub fn read(object: &Map<String, Value>) -> Result<Facts, String> {
        let reasoning = string(object, "reasoning")?.to_owned();
        let items = match object.get("facts") {
            Some(Value::Array(items)) => items,
            Some(_) => return Err("`facts` was not a list".to_owned()),
            None => return Err("`facts` was missing".to_owned()),
        };
        let mut facts: Vec<String> = Vec::new();
        for item in items {
            let text = item.as_str().ok_or("`facts` held what is no string")?;
            let fact = on_one_line(text);
            let fits = !fact.is_empty() && fact.chars().count() <= MAX_FACT_CHARS;
            let known = facts.iter().any(|known| fact_key(known) == fact_key(&fact));
            if fits && !known && facts.len() < MAX_FACTS {
                facts.push(fact);
            }
        }
        Ok(Facts { reasoning, facts })
    }
}

/// The key of a fact: the first 64 bits of the SHA-256 of its text in lower case, in
/// hexadecimal. A fact that is found again is thereby the same entry.
pub fn fact_key(fact: &str) -> String {
    let digest = Sha256::digest(on_one_line(fact).to_lowercase());
    let bytes = digest[..8].iter();
    bytes.map(|byte| format!("{byte:02x}")).collect()
}

fn on_one_line(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ")
}
