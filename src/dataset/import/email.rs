//! Emails in the shapes of other tools, as messages of the mail system, and as text.

use jiff::civil::Date;
use mail_parser::{Address, MessageParser};
use serde_json::{Map, Value};
use thiserror::Error;

use super::source::Source;
use crate::email::Email;

const FROM: &[&str] = &["author", "from_email", "from", "sender"];
const TO: &[&str] = &["to", "to_email", "recipient", "recipients"];
const SUBJECT: &[&str] = &["subject"];
pub(super) const BODY: &[&str] = &[
    "email_thread",
    "page_content",
    "body",
    "content",
    "text",
    "thread",
];
const DATE: &[&str] = &["date", "send_time", "sent_at"];

/// Stands for a sender or recipient that a record does not tell.
const UNKNOWN: &str = "unknown";
const NO_TEXT: &str = "(no text)";

/// Why there is no email in what was given.
#[derive(Debug, Error)]
pub enum EmailError {
    #[error("the email is larger than {} MiB", limit >> 20)]
    TooLarge { limit: usize },
    #[error("the email is not valid JSON: {0}")]
    Json(#[source] serde_json::Error),
    #[error(
        "the JSON has no email: expected `from`, `to`, `subject`, and `body`, or another tool's \
         names for them"
    )]
    NoEmail,
    #[error(
        "this is no email: expected a JSON object, or a message that starts with headers such as \
         `From:` and `Subject:` (RFC 5322)"
    )]
    NoHeaders,
}

/// Bytes that one email may have, attachments included.
const SIZE: usize = 32 << 20;

/// Reads one email: a JSON object in any shape that `import` takes, or a message as mail
/// programs save it (`.eml`, RFC 5322), whose plain text is preferred to its HTML.
///
/// # Errors
/// When there is no email in it.
pub fn email_from_bytes(bytes: &[u8]) -> Result<Email, EmailError> {
    if bytes.len() > SIZE {
        return Err(EmailError::TooLarge { limit: SIZE });
    }
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    let bytes = bytes.trim_ascii_start();
    if bytes.starts_with(b"{") {
        let map: Map<String, Value> = serde_json::from_slice(bytes).map_err(EmailError::Json)?;
        return from_json(map).ok_or(EmailError::NoEmail);
    }
    from_message(bytes).ok_or(EmailError::NoHeaders)
}

/// Where the email of a record stands: in a map of its own, or among the record's keys.
pub(super) fn take_email_source(source: &mut Source) -> Option<Source> {
    source.take_source(&["email_input", "email"])
}

fn from_json(map: Map<String, Value>) -> Option<Email> {
    let mut record = Source::new("", map);
    let mut inputs = record.take_source(&["inputs", "input"]).unwrap_or(record);
    let mut source = take_email_source(&mut inputs).unwrap_or(inputs);
    if !source.has(BODY) {
        return None;
    }
    take_email(&mut source, &mut Vec::new()).ok()
}

/// Takes the parts of an email from the keys they have in any of the shapes. What is
/// missing is filled in, with a note, except for the text itself.
pub(super) fn take_email(source: &mut Source, notes: &mut Vec<String>) -> Result<Email, String> {
    let body = match source.take(BODY) {
        Some(body) => text(body, "\n\n"),
        None => {
            let keys: Vec<_> = source
                .keys()
                .take(12)
                .map(|key| format!("`{}`", key.escape_debug()))
                .collect();
            return Err(format!(
                "no email: expected its text as `email_thread`, `page_content`, or `body`, found the keys {}",
                keys.join(", ")
            ));
        }
    };
    let mut header = |names: &[&str], name: &str| {
        let value = source.take(names).map(|value| text(value, ", "));
        match value.filter(|value| !value.trim().is_empty()) {
            Some(value) => value,
            None => {
                notes.push(format!("no `{name}`, set to `{UNKNOWN}`"));
                UNKNOWN.to_owned()
            }
        }
    };
    let from = header(FROM, "from");
    let to = header(TO, "to");
    let subject = match source.take(SUBJECT) {
        Some(subject) => text(subject, " "),
        None => {
            notes.push("no `subject`, set to an empty one".to_owned());
            String::new()
        }
    };
    let date = source.take(DATE).and_then(|value| {
        let date = date(&text(value, " "));
        if date.is_none() {
            notes.push("date that cannot be read left out".to_owned());
        }
        date
    });
    Ok(Email {
        from,
        to,
        subject,
        body: body_or_placeholder(body, notes),
        date,
    })
}

fn body_or_placeholder(body: String, notes: &mut Vec<String>) -> String {
    if body.trim().is_empty() {
        notes.push(format!("no text in the email, set to `{NO_TEXT}`"));
        return NO_TEXT.to_owned();
    }
    body
}

/// A text, or the texts of a list; other values as JSON writes them.
fn text(value: Value, between: &str) -> String {
    match value {
        Value::String(text) => text,
        Value::Array(values) => {
            let texts: Vec<_> = values
                .into_iter()
                .map(|value| text(value, between))
                .collect();
            texts.join(between)
        }
        value => value.to_string(),
    }
}

/// The day of a date, of an ISO 8601 time, or of a time as mail headers write it.
fn date(text: &str) -> Option<Date> {
    let text = text.trim();
    if let Some(Ok(date)) = text.get(..10).map(str::parse) {
        return Some(date);
    }
    jiff::fmt::rfc2822::parse(text)
        .ok()
        .map(|zoned| zoned.date())
}

fn from_message(bytes: &[u8]) -> Option<Email> {
    let message = MessageParser::default().parse(bytes)?;
    if message.from().is_none() && message.subject().is_none() {
        return None;
    }
    let parts: Vec<_> = (0..message.text_body.len())
        .filter_map(|index| message.body_text(index))
        .collect();
    let date = message.date().and_then(|date| {
        let year = i16::try_from(date.year).ok()?;
        let month = i8::try_from(date.month).ok()?;
        let day = i8::try_from(date.day).ok()?;
        Date::new(year, month, day).ok()
    });
    let body = parts.join("\n").replace("\r\n", "\n");
    Some(Email {
        from: addresses(message.from()),
        to: addresses(message.to()),
        subject: message.subject().unwrap_or_default().to_owned(),
        body: body_or_placeholder(body, &mut Vec::new()),
        date,
    })
}

/// Addresses as a header shows them; those of groups without the group's name.
fn addresses(address: Option<&Address<'_>>) -> String {
    let addresses: Vec<_> = address
        .iter()
        .flat_map(|address| address.iter())
        .filter_map(|one| match (one.name(), one.address()) {
            (Some(name), Some(address)) => Some(format!("{name} <{address}>")),
            (Some(only), None) | (None, Some(only)) => Some(only.to_owned()),
            (None, None) => None,
        })
        .collect();
    if addresses.is_empty() {
        return UNKNOWN.to_owned();
    }
    addresses.join(", ")
}

/// Reads an email written into a prompt: header lines, bold or not, then its text. Lines
/// before the headers are left out, with a note.
pub(super) fn from_prompt(prompt: &str, notes: &mut Vec<String>) -> Option<Email> {
    if let Ok(map) = serde_json::from_str(prompt) {
        return from_json(map);
    }
    let mut map = Map::new();
    let mut rest = prompt;
    while let Some((line, after)) = split_line(rest) {
        match header(line) {
            Some((name, value)) => {
                map.entry(name).or_insert_with(|| value.into());
            }
            None if map.is_empty() && !line.trim().is_empty() => {
                notes.push("text before the email's headers left out".to_owned());
            }
            None if map.is_empty() => {}
            None => break,
        }
        rest = after;
    }
    if !map.contains_key("from") && !map.contains_key("subject") {
        return None;
    }
    let body = rest.trim().trim_end_matches("---").trim();
    map.insert("body".to_owned(), body.into());
    take_email(&mut Source::new("", map), notes).ok()
}

fn split_line(text: &str) -> Option<(&str, &str)> {
    if text.is_empty() {
        return None;
    }
    Some(text.split_once('\n').unwrap_or((text, "")))
}

fn header(line: &str) -> Option<(String, &str)> {
    let (name, value) = line.split_once(':')?;
    let name = name.trim().trim_matches('*').to_ascii_lowercase();
    let known = matches!(name.as_str(), "from" | "to" | "subject" | "date");
    known.then(|| (name, value.trim().trim_start_matches("**").trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ana(body: &str) -> Email {
        Email {
            from: "Ana Ruiz <ana@northwind.example>".into(),
            to: "Sam Lee <sam@acme.example>".into(),
            subject: "Invoice 1042".into(),
            body: body.into(),
            date: Some(jiff::civil::date(2026, 3, 2)),
        }
    }

    #[test]
    fn an_email_is_read_from_every_json_shape() {
        for text in [
            r#"{"from": "F", "to": "T", "subject": "S", "body": "B", "date": "D"}"#,
            r#"{"author": "F", "to": "T", "subject": "S", "email_thread": "B", "date": "D"}"#,
            r#"{"author": "F", "to": "T", "subject": "S", "emailThread": "B", "date": "D"}"#,
            r#"{"id": "7", "thread_id": "8", "from_email": "F", "to_email": "T", "subject": "S", "page_content": "B", "send_time": "D"}"#,
            r#"{"fromEmail": "F", "toEmail": "T", "subject": "S", "pageContent": "B", "sendTime": "D"}"#,
            r#"{"email_input": {"author": "F", "to": "T", "subject": "S", "email_thread": "B", "date": "D"}}"#,
            r#"{"inputs": {"email_input": {"author": "F", "to": "T", "subject": "S", "email_thread": "B", "date": "D"}}}"#,
            r#"{"inputs": {"author": "F", "to": "T", "subject": "S", "email_thread": "B", "date": "D"}, "outputs": {}}"#,
        ] {
            let text = text
                .replace("\"F\"", "\"Ana Ruiz <ana@northwind.example>\"")
                .replace("\"T\"", "[\"Sam Lee <sam@acme.example>\"]")
                .replace("\"S\"", "\"Invoice 1042\"")
                .replace("\"D\"", "\"2026-03-02T09:00:00Z\"");
            assert_eq!(
                email_from_bytes(text.as_bytes()).unwrap(),
                ana("B"),
                "{text}"
            );
        }
    }

    #[test]
    fn a_message_with_several_parts_is_read_as_plain_text() {
        let message = "From: Ana Ruiz <ana@northwind.example>\r\n\
            To: Sam Lee <sam@acme.example>\r\n\
            Subject: =?utf-8?q?Invoice_1042?=\r\n\
            Date: Mon, 2 Mar 2026 23:30:00 -0500\r\n\
            MIME-Version: 1.0\r\n\
            Content-Type: multipart/alternative; boundary=b\r\n\r\n\
            --b\r\nContent-Type: text/plain; charset=utf-8\r\n\
            Content-Transfer-Encoding: quoted-printable\r\n\r\n\
            When, S=C3=A3o Paulo?\r\nAna\r\n\
            --b\r\nContent-Type: text/html\r\n\r\n<p>When?</p>\r\n--b--\r\n";
        let email = email_from_bytes(message.as_bytes()).unwrap();
        assert_eq!(email, ana("When, São Paulo?\nAna"));
    }

    #[test]
    fn html_alone_is_read_as_text() {
        let message = "From: ana@northwind.example\nSubject: Hi\n\
            Content-Type: text/html\n\n<html><body><p>When &amp; where?</p></body></html>\n";
        let email = email_from_bytes(message.as_bytes()).unwrap();
        assert_eq!(email.from, "ana@northwind.example");
        assert_eq!(email.to, "unknown");
        assert_eq!(email.body.trim(), "When & where?");
    }

    #[test]
    fn what_is_no_email_says_why() {
        for (bytes, message) in [
            (&b"hello"[..], "this is no email"),
            (b"", "this is no email"),
            (&[0, 159, 146, 150], "this is no email"),
            (b"{\"subject\": \"S\"}", "the JSON has no email"),
            (b"{\"subject\": ", "the email is not valid JSON"),
        ] {
            let error = email_from_bytes(bytes).unwrap_err().to_string();
            assert!(error.starts_with(message), "{error}");
        }
        let large = vec![b'x'; SIZE + 1];
        let error = email_from_bytes(&large).unwrap_err().to_string();
        assert_eq!(error, "the email is larger than 32 MiB");
    }

    #[test]
    fn an_email_in_a_prompt_is_read_from_its_header_lines() {
        let email = ana("When?\n\nFrom: not a header");
        for prompt in [
            email.to_prompt(),
            format!("Handle this:\n\n{}\n---\n", email.to_prompt()),
            "From: Ana Ruiz <ana@northwind.example>\nTo: Sam Lee <sam@acme.example>\n\
             Date: Mon, 02 Mar 2026 09:00:00 +0000\nSubject: Invoice 1042\n\nWhen?\n\nFrom: not a header"
                .to_owned(),
        ] {
            let read = from_prompt(&prompt, &mut Vec::new());
            assert_eq!(read.as_ref(), Some(&email), "{prompt}");
        }
        assert_eq!(from_prompt("What is 2 + 2?", &mut Vec::new()), None);
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_an_email_or_an_error(bytes: Vec<u8>, text: String) {
            let _ = email_from_bytes(&bytes);
            let _ = email_from_bytes(format!("From: {text}\n\n{text}").as_bytes());
            let _ = from_prompt(&format!("Subject: {text}\n{text}"), &mut Vec::new());
        }
    }
}
