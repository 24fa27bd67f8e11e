//! A request as the service sees it, and what it answers.

use std::collections::BTreeMap;
use std::io::Read;

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::multipart::{Part, parts};

pub type Object = Map<String, Value>;

#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    /// As it was sent, without the query.
    pub path: String,
    pub query: Vec<(String, String)>,
    /// Lower-case names.
    pub headers: Vec<(String, String)>,
    /// What was compressed is no longer.
    pub body: Vec<u8>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    pub status: u16,
    pub body: Value,
    /// Whole lines.
    pub headers: String,
}

/// What a route answers, either way.
pub type Answered = Result<Answer, Answer>;

pub fn answer(status: u16, body: Value) -> Answered {
    Ok(Answer {
        status,
        body,
        headers: String::new(),
    })
}

/// As the parts of the service do, whose clients look for the reason in either place.
pub fn refuse(status: u16, reason: impl Into<String>) -> Answer {
    let reason = reason.into();
    Answer {
        status,
        body: json!({ "error": reason, "detail": reason }),
        headers: String::new(),
    }
}

impl Request {
    /// `target` is the path and the query, as the request line has them.
    pub fn new(
        method: &str,
        target: &str,
        headers: Vec<(String, String)>,
        body: Vec<u8>,
    ) -> Request {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        Request {
            method: method.to_owned(),
            path: path.to_owned(),
            query: pairs
                .map(|(name, value)| (plain(name), plain(value)))
                .collect(),
            headers,
            body,
        }
    }

    pub fn header(&self, wanted: &str) -> Option<&str> {
        let mut found = self.headers.iter();
        let found = found.find(|(name, _)| name == wanted);
        found.map(|(_, value)| value.as_str())
    }

    /// Questions are asked by POST too.
    pub fn is_write(&self) -> bool {
        self.method != "GET" && !self.path.ends_with("/runs/query")
    }

    /// Undoes the compression of the body.
    pub fn decoded(mut self, zstd: bool) -> Result<Request, Answer> {
        match self.header("content-encoding") {
            None => Ok(self),
            Some("zstd") if zstd => {
                let mut decoded = Vec::new();
                ruzstd::decoding::StreamingDecoder::new(self.body.as_slice())
                    .map_err(|error| refuse(400, format!("bad zstd: {error}")))?
                    .read_to_end(&mut decoded)
                    .map_err(|error| refuse(400, format!("bad zstd: {error}")))?;
                let announced = self.header("x-pre-compressed-size");
                if announced.is_some_and(|size| size.parse() != Ok(decoded.len())) {
                    return Err(refuse(400, "X-Pre-Compressed-Size is not the size"));
                }
                self.body = decoded;
                Ok(self)
            }
            Some(other) => Err(refuse(
                415,
                format!("Content-Encoding {other} is not taken"),
            )),
        }
    }

    pub fn parts(&self) -> Result<Vec<Part>, Answer> {
        parts(self.header("content-type").unwrap_or_default(), &self.body)
    }

    pub fn json(&self) -> Result<Value, Answer> {
        if self.header("content-type") != Some("application/json") {
            return Err(refuse(415, "Content-Type is not application/json"));
        }
        let body = serde_json::from_slice(&self.body)
            .map_err(|error| refuse(422, format!("the body is not JSON: {error}")))?;
        readable(&body)?;
        Ok(body)
    }

    pub fn object(&self, fields: &[&str]) -> Result<Object, Answer> {
        object("body", self.json()?, fields)
    }

    /// Refuses what no document lists.
    pub fn only(&self, parameters: &[&str]) -> Result<(), Answer> {
        let mut names = self.query.iter().map(|(name, _)| name.as_str());
        match names.find(|name| !parameters.contains(name)) {
            Some(name) => Err(refuse(422, format!("unknown query parameter {name}"))),
            None => Ok(()),
        }
    }

    pub fn all(&self, wanted: &str) -> Vec<&str> {
        let found = self.query.iter().filter(|(name, _)| name == wanted);
        found.map(|(_, value)| value.as_str()).collect()
    }

    pub fn one(&self, wanted: &str) -> Option<&str> {
        self.all(wanted).first().copied()
    }

    pub fn flag(&self, wanted: &str) -> bool {
        self.one(wanted)
            .is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    pub fn ids(&self, wanted: &str) -> Result<Vec<Uuid>, Answer> {
        self.all(wanted).into_iter().map(id).collect()
    }

    /// The part of a list that was asked for: at most 100 by `limit`, from `offset` on.
    pub fn page(&self, items: Vec<Value>) -> Answered {
        let number = |name: &str, missing: usize| match self.one(name) {
            None => Ok(missing),
            Some(text) => text
                .parse()
                .map_err(|_| refuse(422, format!("{name} is no number"))),
        };
        let (limit, offset) = (number("limit", 100)?, number("offset", 0)?);
        if !(1..=100).contains(&limit) {
            return Err(refuse(422, "limit is from 1 to 100"));
        }
        let page: Vec<Value> = items.into_iter().skip(offset).take(limit).collect();
        answer(200, Value::Array(page))
    }
}

/// `value` as an object that has these fields and no other.
pub fn object(what: &str, value: Value, fields: &[&str]) -> Result<Object, Answer> {
    let Value::Object(object) = value else {
        return Err(refuse(422, format!("{what} is not an object")));
    };
    match object.keys().find(|key| !fields.contains(&key.as_str())) {
        Some(key) => Err(refuse(422, format!("{what} has an unknown field {key}"))),
        None => Ok(object),
    }
}

/// Refuses U+0000 anywhere, which no column of text holds.
pub fn readable(value: &Value) -> Result<(), Answer> {
    let null = |text: &str| match text.contains('\0') {
        true => Err(refuse(422, "U+0000 in a string")),
        false => Ok(()),
    };
    match value {
        Value::String(text) => null(text),
        Value::Array(items) => items.iter().try_for_each(readable),
        Value::Object(fields) => fields.iter().try_for_each(|(key, value)| {
            null(key)?;
            readable(value)
        }),
        _ => Ok(()),
    }
}

pub fn id(text: &str) -> Result<Uuid, Answer> {
    Uuid::try_parse(text).map_err(|_| refuse(422, format!("`{text}` is not a valid UUID")))
}

/// The id in a field; `None` where there is none.
pub fn id_of(object: &Object, field: &str) -> Result<Option<Uuid>, Answer> {
    match object.get(field) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => id(text).map(Some),
        Some(_) => Err(refuse(422, format!("{field} is not a valid UUID"))),
    }
}

pub fn required_id(object: &Object, field: &str) -> Result<Uuid, Answer> {
    id_of(object, field)?.ok_or_else(|| refuse(422, format!("{field} is required")))
}

/// The text in a field that must have one.
pub fn text<'a>(object: &'a Object, field: &str) -> Result<&'a str, Answer> {
    match object.get(field) {
        Some(Value::String(text)) if !text.is_empty() => Ok(text),
        _ => Err(refuse(422, format!("{field} is required, and a string"))),
    }
}

/// The objects or nulls in these fields.
pub fn objects(object: &Object, fields: &[&str]) -> Result<(), Answer> {
    for field in fields {
        if !matches!(
            object.get(*field),
            None | Some(Value::Null | Value::Object(_))
        ) {
            return Err(refuse(422, format!("{field} must be an object")));
        }
    }
    Ok(())
}

/// Splits parts named `ID` and `ID.FIELD` by their ids.
pub fn by_id(parts: Vec<Part>) -> Result<BTreeMap<Uuid, BTreeMap<String, Value>>, Answer> {
    let mut found: BTreeMap<Uuid, BTreeMap<String, Value>> = BTreeMap::new();
    for part in parts {
        let (uuid, field) = part.name.split_once('.').unwrap_or((&part.name, ""));
        if part.header("content-type") != Some("application/json") {
            return Err(refuse(
                422,
                format!("part {} is not application/json", part.name),
            ));
        }
        let value = part.json()?;
        readable(&value)?;
        found
            .entry(id(uuid)?)
            .or_default()
            .insert(field.to_owned(), value);
    }
    Ok(found)
}

fn plain(encoded: &str) -> String {
    let spaced = encoded.replace('+', " ");
    let mut bytes = Vec::new();
    let mut rest = spaced.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) if *first == b'%' => {
                bytes.push(byte);
                rest = &after[2..];
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).expect("a query is UTF-8")
}
