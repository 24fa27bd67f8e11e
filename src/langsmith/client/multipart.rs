//! Forms of many parts, each of them JSON.
//! Source: RFC 7578.

use std::borrow::Cow;

use serde::Serialize;

use crate::redact::Redactor;

/// Stands between parts. It cannot occur in one: the text of JSON has no line breaks.
const BOUNDARY: &str = "mailproof-part-4b1f0c9e7d2a";

/// A form that is being written.
#[derive(Debug, Default)]
pub struct Form(Vec<u8>);

impl Form {
    /// Adds a part. `name` is made of ids and words of ours, `json` comes from [`text`].
    pub fn part(&mut self, name: &str, json: &str) {
        debug_assert!(!json.contains(['\r', '\n']), "{name}");
        let length = json.len();
        let head = format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
        );
        self.0.extend(head.bytes());
        self.0.extend(json.bytes());
        self.0.extend(b"\r\n");
    }

    /// The whole of it.
    pub fn finish(mut self) -> Vec<u8> {
        self.0.extend(format!("--{BOUNDARY}--\r\n").bytes());
        self.0
    }

    pub fn content_type() -> String {
        format!("multipart/form-data; boundary={BOUNDARY}")
    }
}

/// A value as the JSON text that is sent: without secrets, and without U+0000, which databases
/// cannot keep.
pub fn text(value: &impl Serialize, redactor: &Redactor) -> String {
    let json = serde_json::to_string(value).expect("what is sent is JSON");
    let json = without_null(&json);
    redactor.json(&json).into_owned()
}

/// JSON text with every `\u0000` taken out of its strings.
fn without_null(json: &str) -> Cow<'_, str> {
    const NULL: &str = "\\u0000";
    if !json.contains(NULL) {
        return Cow::Borrowed(json);
    }
    let mut out = String::with_capacity(json.len());
    let mut rest = json;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        if let Some(after) = rest.strip_prefix(NULL) {
            rest = after;
        } else {
            // An escape is two bytes here; the digits of `\u` are ordinary text.
            out.push_str(&rest[..2]);
            rest = &rest[2..];
        }
    }
    out.push_str(rest);
    Cow::Owned(out)
}
