//! `multipart/form-data`, as the service takes it apart.

use serde_json::Value;

use super::request::{Answer, refuse};

/// One part.
#[derive(Debug)]
pub struct Part {
    pub name: String,
    /// Lower-case names.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Part {
    pub fn header(&self, wanted: &str) -> Option<&str> {
        let mut found = self.headers.iter();
        let found = found.find(|(name, _)| name == wanted);
        found.map(|(_, value)| value.as_str())
    }

    pub fn json(&self) -> Result<Value, Answer> {
        serde_json::from_slice(&self.body)
            .map_err(|error| refuse(422, format!("part {} is not JSON: {error}", self.name)))
    }

    /// What is asked of parts that bring runs: a type, and a length that is the true one.
    pub fn announced(&self) -> Result<(), Answer> {
        let Some(kind) = self.header("content-type") else {
            return Err(refuse(
                422,
                format!("part {} has no Content-Type", self.name),
            ));
        };
        let in_type = kind
            .split(';')
            .find_map(|it| it.trim().strip_prefix("length="));
        let Some(length) = self.header("content-length").or(in_type) else {
            return Err(refuse(422, format!("part {} has no length", self.name)));
        };
        if length.parse() != Ok(self.body.len()) {
            let found = self.body.len();
            let told = format!("part {} announces {length} bytes, has {found}", self.name);
            return Err(refuse(422, told));
        }
        if self.header("content-encoding").is_some() {
            return Err(refuse(
                422,
                format!("part {} has a Content-Encoding", self.name),
            ));
        }
        Ok(())
    }
}

/// The parts of a body, whose boundary the type names.
pub fn parts(content_type: &str, body: &[u8]) -> Result<Vec<Part>, Answer> {
    let bad = |why: &str| refuse(422, format!("error reading multipart data: {why}"));
    if !content_type.starts_with("multipart/form-data;") {
        let told = "request Content-Type isn't multipart/form-data";
        return Err(refuse(400, told));
    }
    let boundary = content_type
        .split(';')
        .find_map(|it| it.trim().strip_prefix("boundary="));
    let boundary = boundary
        .ok_or_else(|| bad("no boundary"))?
        .trim_matches('"');
    let delimiter = [b"--", boundary.as_bytes()].concat();
    let between = [b"\r\n", delimiter.as_slice()].concat();
    let mut rest = body
        .strip_prefix(delimiter.as_slice())
        .ok_or_else(|| bad("no boundary"))?;
    let mut found: Vec<Part> = Vec::new();
    loop {
        if rest.starts_with(b"--") {
            return Ok(found);
        }
        rest = rest
            .strip_prefix(b"\r\n")
            .ok_or_else(|| bad("a bad boundary line"))?;
        let end = position(rest, &between).ok_or_else(|| bad("NextPart: EOF"))?;
        let part = part(&rest[..end]).ok_or_else(|| bad("a part without a head or a name"))?;
        if found.iter().any(|earlier| earlier.name == part.name) {
            return Err(bad(&format!("part {} twice", part.name)));
        }
        found.push(part);
        rest = &rest[end + between.len()..];
    }
}

fn part(bytes: &[u8]) -> Option<Part> {
    let end = position(bytes, b"\r\n\r\n")?;
    let head = std::str::from_utf8(&bytes[..end]).ok()?;
    let headers: Vec<(String, String)> = head
        .split("\r\n")
        .map(|line| line.split_once(':'))
        .map(|line| line.map(|(name, value)| (name.to_lowercase(), value.trim().to_owned())))
        .collect::<Option<_>>()?;
    let (_, disposition) = headers
        .iter()
        .find(|(name, _)| name == "content-disposition")?;
    let name = disposition
        .split(';')
        .find_map(|it| it.trim().strip_prefix("name="))?;
    Some(Part {
        name: name.trim_matches('"').to_owned(),
        headers,
        body: bytes[end + 4..].to_vec(),
    })
}

fn position(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes
        .windows(wanted.len())
        .position(|found| found == wanted)
}
