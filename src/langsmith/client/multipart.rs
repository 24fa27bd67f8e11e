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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_form_is_these_bytes() {
        let mut form = Form::default();
        let redactor = Redactor::new([]);
        form.part("post.1", &text(&json!({ "a": "é\r\n--b" }), &redactor));
        form.part("post.1.error", &text(&"x", &redactor));
        let bytes = String::from_utf8(form.finish()).unwrap();
        insta::assert_snapshot!(bytes.replace("\r\n", "⏎\n"), @r#"
        --mailproof-part-4b1f0c9e7d2a⏎
        Content-Disposition: form-data; name="post.1"⏎
        Content-Type: application/json⏎
        Content-Length: 17⏎
        ⏎
        {"a":"é\r\n--b"}⏎
        --mailproof-part-4b1f0c9e7d2a⏎
        Content-Disposition: form-data; name="post.1.error"⏎
        Content-Type: application/json⏎
        Content-Length: 3⏎
        ⏎
        "x"⏎
        --mailproof-part-4b1f0c9e7d2a--⏎
        "#);
        assert_eq!(
            Form::content_type(),
            "multipart/form-data; boundary=mailproof-part-4b1f0c9e7d2a"
        );
    }

    /// Reads a form as a server does: by the boundary alone.
    fn read(form: &[u8]) -> Vec<(String, Value)> {
        let form = std::str::from_utf8(form).unwrap();
        let (body, rest) = form.split_once(&format!("--{BOUNDARY}--\r\n")).unwrap();
        assert_eq!(rest, "");
        let between = format!("--{BOUNDARY}\r\n");
        let parts = body.split(&between).skip(1).map(|part| {
            let (head, json) = part.split_once("\r\n\r\n").unwrap();
            let json = json.strip_suffix("\r\n").unwrap();
            let length = format!("Content-Length: {}", json.len());
            assert!(head.lines().any(|line| line == length), "{head}");
            let name = head.split('"').nth(1).unwrap().to_owned();
            (name, serde_json::from_str(json).unwrap())
        });
        parts.collect()
    }

    fn without_nulls(value: &Value) -> Value {
        match value {
            Value::String(text) => json!(text.replace('\0', "")),
            Value::Array(items) => items.iter().map(without_nulls).collect(),
            Value::Object(fields) => fields
                .iter()
                .map(|(name, value)| (name.replace('\0', ""), without_nulls(value)))
                .collect::<serde_json::Map<_, _>>()
                .into(),
            other => other.clone(),
        }
    }

    fn awkward() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            Just("\0".to_owned()),
            Just("\\".to_owned()),
            Just("u0000".to_owned()),
            Just("\\u0000".to_owned()),
            Just("\r\n".to_owned()),
            Just("\u{2028}".to_owned()),
            Just(format!("\r\n--{BOUNDARY}--\r\n")),
            Just("\"".to_owned()),
            "\\PC{0,4}",
        ];
        prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn a_server_reads_what_was_written_but_for_nulls(
            texts in prop::collection::vec((awkward(), awkward()), 0..6)
        ) {
            let redactor = Redactor::new([]);
            let mut form = Form::default();
            let mut expected = Vec::new();
            for (number, (key, text_of_it)) in texts.into_iter().enumerate() {
                let value = json!({ key: text_of_it, "nested": [text_of_it] });
                let name = format!("post.{number}");
                form.part(&name, &text(&value, &redactor));
                expected.push((name, without_nulls(&value)));
            }
            prop_assert_eq!(read(&form.finish()), expected);
        }

        #[test]
        fn a_secret_is_hidden_even_where_nulls_cut_it(at in 1usize..16) {
            let secret = "canary-0123456789";
            let redactor = Redactor::new([secret.to_owned()]);
            let cut = format!("{}\0{}", &secret[..at], &secret[at..]);
            prop_assert_eq!(text(&json!([cut]), &redactor), "[\"[redacted]\"]");
        }
    }
}
