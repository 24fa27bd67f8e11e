//! A profile as the model writes it anew.

use std::sync::{Arc, LazyLock};

use serde_json::{Map, Value, json};

use crate::agent::steps::structured::string;
use crate::model::OutputSchema;

/// The longest profile that is kept, in characters.
pub const MAX_PROFILE_CHARS: usize = 20_000;

/// A reply of the output `profile`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rewrite {
    pub reasoning: String,
    /// The whole text, without space around it.
    pub profile: String,
}

impl Rewrite {
    pub const KEYS: &'static [&'static str] = &["reasoning", "profile"];

    pub fn output() -> Arc<OutputSchema> {
        static OUTPUT: LazyLock<Arc<OutputSchema>> = LazyLock::new(|| {
            Arc::new(OutputSchema {
                name: "profile".to_owned(),
                // The reasoning stands first, so that it is written before the text.
                schema: json!({
                    "type": "object",
                    "properties": {
                        "reasoning": {
                            "type": "string",
                            "description": "What the feedback teaches, in a sentence or two.",
                        },
                        "profile": {
                            "type": "string",
                            "description": "The whole new text of the profile.",
                        },
                    },
                    "required": Rewrite::KEYS,
                    "additionalProperties": false,
                }),
            })
        });
        Arc::clone(&OUTPUT)
    }

    /// Reads an object of [`KEYS`](Self::KEYS); or says what is wrong, as a clause.
    pub fn read(object: &Map<String, Value>) -> Result<Rewrite, String> {
        let reasoning = string(object, "reasoning")?.to_owned();
        let profile = string(object, "profile")?.trim();
        if profile.is_empty() {
            return Err("`profile` was empty".to_owned());
        }
        let length = profile.chars().count();
        if length > MAX_PROFILE_CHARS {
            return Err(format!(
                "`profile` had {length} characters, more than {MAX_PROFILE_CHARS}"
            ));
        }
        Ok(Rewrite {
            reasoning,
            profile: profile.to_owned(),
        })
    }
}
