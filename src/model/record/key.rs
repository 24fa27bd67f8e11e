//! What a request is known by.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::entry::Said;
use crate::message::PromptContent;
use crate::model::settings::Settings;
use crate::model::{Request, ToolChoice};
use crate::redact::Redactor;
use crate::run::ModelRole;

/// Everything that can have a say in an answer, with nothing that is only ours: messages go
/// without their ids.
#[derive(Serialize)]
struct Asked<'a> {
    model: &'a str,
    settings: &'a Settings,
    role: ModelRole,
    prompt: &'a PromptContent,
    messages: &'a [Said],
    tool_choice: ToolChoice,
    output: Option<Shape<'a>>,
    /// Votes on one question are asked at once: each counts for itself.
    vote: u32,
}

#[derive(Serialize)]
struct Shape<'a> {
    name: &'a str,
    schema: &'a Value,
}

/// SHA-256 of the request's canonical JSON (RFC 8785): what [`Origin::ordinal`] counts by.
///
/// `shapes` takes out what looks like a credential. A recording holds none, so a
/// conversation that went on with a recorded reply holds none either, and has to be the
/// same request. It may know no secret by its value: what the environment holds must not
/// decide what is found.
///
/// [`Origin::ordinal`]: crate::model::Origin::ordinal
pub fn digest(
    model: &str,
    settings: &Settings,
    request: &Request,
    messages: &[Said],
    shapes: &Redactor,
) -> [u8; 32] {
    let asked = Asked {
        model,
        settings,
        role: request.role,
        prompt: request.prompt.content(),
        messages,
        tool_choice: request.tool_choice,
        output: request.output.as_deref().map(|output| Shape {
            name: &output.name,
            schema: &output.schema,
        }),
        vote: request.origin.vote,
    };
    let json = canonical(&asked);
    Sha256::digest(shapes.json(&json).as_bytes()).into()
}

/// Canonical JSON (RFC 8785).
pub fn canonical(value: &impl Serialize) -> String {
    serde_json_canonicalizer::to_string(value).expect("string keys and finite numbers only")
}

/// 128 bits that stand for one call: a request, the attempt it is of, and how many equal ones
/// that attempt made before. Written in hexadecimal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Key([u8; 16]);

impl Key {
    /// The case is not part of it: an example that was renamed is asked the same.
    pub fn new(digest: &[u8; 32], attempt: u32, ordinal: u32) -> Key {
        let mut hash = Sha256::new();
        hash.update(digest);
        hash.update(attempt.to_be_bytes());
        hash.update(ordinal.to_be_bytes());
        let mut key = [0; 16];
        key.copy_from_slice(&hash.finalize()[..16]);
        Key(key)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl From<Key> for String {
    fn from(key: Key) -> String {
        key.to_string()
    }
}

impl TryFrom<String> for Key {
    type Error = String;

    fn try_from(text: String) -> Result<Key, String> {
        let wrong = || "a key has 32 hexadecimal digits".to_owned();
        if text.len() != 32 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(wrong());
        }
        let number = u128::from_str_radix(&text, 16).map_err(|_| wrong())?;
        Ok(Key(number.to_be_bytes()))
    }
}
