//! The audit trail: one record a decision, in a file of JSON lines.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::redact::Redactor;
use crate::run::{Interrupt, Response};

/// The version of a line.
const FORMAT: &str = "mailproof.audit/1";

/// What somebody decided, or tried to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// When it was decided.
    pub at: Timestamp,
    pub thread: String,
    /// Id of the interrupt.
    pub interrupt: String,
    pub action: String,
    /// The person, or what answered in a person's place.
    pub who: String,
    pub decision: Decision,
    /// The arguments as they were proposed.
    pub before: Map<String, Value>,
    /// The arguments as they were edited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Map<String, Value>>,
    /// What was said, where the decision is to respond.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub said: Option<String>,
    /// How long the question had waited, in milliseconds.
    pub waited_ms: u64,
}

/// What became of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    Accept,
    Edit,
    Ignore,
    Respond,
    /// The answer did not count: its giver may not answer this.
    Refused,
    /// Nobody answered, and the question went on to the one named.
    Escalated,
}

impl Record {
    /// `who` answered, after `waited`.
    pub fn answered(
        thread: &str,
        interrupt: &Interrupt,
        who: &str,
        response: &Response,
        at: Timestamp,
        waited: Duration,
    ) -> Record {
        let decision = match response {
            Response::Accept => Decision::Accept,
            Response::Edit(_) => Decision::Edit,
            Response::Ignore => Decision::Ignore,
            Response::Respond(_) => Decision::Respond,
        };
        let record = Record::of(thread, interrupt, who, decision, at, waited);
        match response {
            Response::Edit(args) => Record {
                after: Some(args.clone()),
                ..record
            },
            Response::Respond(text) => Record {
                said: Some(text.clone()),
                ..record
            },
            Response::Accept | Response::Ignore => record,
        }
    }

    /// The answer of `who` was refused.
    pub fn refused(
        thread: &str,
        interrupt: &Interrupt,
        who: &str,
        at: Timestamp,
        waited: Duration,
    ) -> Record {
        Record::of(thread, interrupt, who, Decision::Refused, at, waited)
    }

    /// The question went on to `who`.
    pub fn escalated(
        thread: &str,
        interrupt: &Interrupt,
        who: &str,
        at: Timestamp,
        waited: Duration,
    ) -> Record {
        Record::of(thread, interrupt, who, Decision::Escalated, at, waited)
    }

    fn of(
        thread: &str,
        interrupt: &Interrupt,
        who: &str,
        decision: Decision,
        at: Timestamp,
        waited: Duration,
    ) -> Record {
        Record {
            at,
            thread: thread.to_owned(),
            interrupt: interrupt.id.clone(),
            action: interrupt.action.clone(),
            who: who.to_owned(),
            decision,
            before: interrupt.args.clone(),
            after: None,
            said: None,
            waited_ms: waited.as_millis().try_into().unwrap_or(u64::MAX),
        }
    }

    /// The record as a line of an audit file, without secrets.
    fn line(&self, redactor: &Redactor) -> String {
        let line = Line {
            format: FORMAT.to_owned(),
            record: self.clone(),
        };
        let line = serde_json::to_string(&line).expect("a record has string keys");
        format!("{}\n", redactor.json(&line))
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    format: String,
    record: Record,
}

/// A file that decisions are appended to, by any number of processes.
pub struct AuditFile {
    file: File,
    redactor: Arc<Redactor>,
}

impl AuditFile {
    /// Opens the file, or creates it. A last line without an end is cut off: a decision
    /// counts only once its record is written, so it stands for none.
    ///
    /// # Errors
    /// What the file system says.
    pub fn open(path: &Path, redactor: Arc<Redactor>) -> io::Result<AuditFile> {
        let mut options = OpenOptions::new();
        let mut file = options.read(true).append(true).create(true).open(path)?;
        file.lock()?;
        let whole = whole_lines(&mut file)?;
        if whole < file.metadata()?.len() {
            file.set_len(whole)?;
        }
        file.unlock()?;
        Ok(AuditFile { file, redactor })
    }

    /// Appends one record, and returns when it is on the disk.
    ///
    /// # Errors
    /// What the file system says; the decision must then not take effect.
    pub fn write(&mut self, record: &Record) -> io::Result<()> {
        let line = record.line(&self.redactor);
        self.file.lock()?;
        let written = self.file.write_all(line.as_bytes());
        let written = written.and_then(|()| self.file.sync_data());
        self.file.unlock()?;
        written
    }
}

/// How many bytes of the file are lines with an end.
fn whole_lines(file: &mut File) -> io::Result<u64> {
    let mut end = file.metadata()?.len();
    let mut block = [0; 4096];
    while end > 0 {
        let start = end.saturating_sub(block.len() as u64);
        let block = &mut block[..(end - start) as usize];
        file.seek(SeekFrom::Start(start))?;
        file.read_exact(block)?;
        if let Some(newline) = block.iter().rposition(|&byte| byte == b'\n') {
            return Ok(start + newline as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

/// Why an audit file cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    #[error("line {line} of the audit trail is no record: {reason}; correct or remove it")]
    NoRecord { line: usize, reason: String },
    #[error("line {line} of the audit trail has format `{found}`; this version reads `{FORMAT}`")]
    UnknownFormat { line: usize, found: String },
}

/// The records of an audit file's text, in order. A last line without an end is left out.
///
/// # Errors
/// [`AuditError`] names the first line that is no record.
pub fn read_audit(text: &str) -> Result<Vec<Record>, AuditError> {
    #[derive(Deserialize)]
    struct Format {
        format: String,
    }
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let lines = (1..).zip(whole.lines());
    lines
        .filter(|(_, text)| !text.trim().is_empty())
        .map(|(line, text)| {
            let no_record = |error: serde_json::Error| AuditError::NoRecord {
                line,
                reason: error.to_string(),
            };
            // Before the record, which another version may have written otherwise.
            let Format { format } = serde_json::from_str(text).map_err(no_record)?;
            if format != FORMAT {
                let found = super::super::shown(&format, 60);
                return Err(AuditError::UnknownFormat { line, found });
            }
            let line: Line = serde_json::from_str(text).map_err(no_record)?;
            Ok(line.record)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::human::approval::tests::{interrupt, record};
    use serde_json::json;

    #[test]
    fn a_record_tells_who_did_what_to_which_arguments_and_when() {
        let mut edited = interrupt("write_email").args;
        edited.insert("to".into(), "bo@acme.example".into());
        let at = "2026-03-03T09:00:00Z".parse().unwrap();
        let told = |response| {
            let asked = interrupt("write_email");
            let waited = Duration::from_millis(1500);
            let record = Record::answered("t1", &asked, "ana", &response, at, waited);
            record.line(&Redactor::new([]))
        };
        insta::assert_snapshot!([
            told(Response::Edit(edited)),
            told(Response::Respond("Shorter.".into())),
            told(Response::Ignore),
        ].concat(), @r#"
        {"format":"mailproof.audit/1","record":{"at":"2026-03-03T09:00:00Z","thread":"t1","interrupt":"1","action":"write_email","who":"ana","decision":"edit","before":{"to":"ana@northwind.example","subject":"Re: hi"},"after":{"to":"bo@acme.example","subject":"Re: hi"},"waited_ms":1500}}
        {"format":"mailproof.audit/1","record":{"at":"2026-03-03T09:00:00Z","thread":"t1","interrupt":"1","action":"write_email","who":"ana","decision":"respond","before":{"to":"ana@northwind.example","subject":"Re: hi"},"said":"Shorter.","waited_ms":1500}}
        {"format":"mailproof.audit/1","record":{"at":"2026-03-03T09:00:00Z","thread":"t1","interrupt":"1","action":"write_email","who":"ana","decision":"ignore","before":{"to":"ana@northwind.example","subject":"Re: hi"},"waited_ms":1500}}
        "#);
    }

    #[test]
    fn what_is_written_can_be_read_and_holds_no_secret() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        let redactor = Arc::new(Redactor::new(["canary-0123456789".to_owned()]));
        let mut said = record("1", "ana", Decision::Respond);
        said.said = Some("the key is canary-0123456789".into());
        let others = [
            record("2", "bo", Decision::Accept),
            record("3", "timeout", Decision::Ignore),
        ];
        let mut first = AuditFile::open(&path, redactor.clone()).unwrap();
        first.write(&said).unwrap();
        // Another process appends to the same file.
        let mut second = AuditFile::open(&path, redactor).unwrap();
        second.write(&others[0]).unwrap();
        first.write(&others[1]).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(!text.contains("canary"), "{text}");
        said.said = Some("the key is [redacted]".into());
        let [second, third] = others;
        assert_eq!(read_audit(&text).unwrap(), [said, second, third]);
    }

    #[test]
    fn a_line_that_was_cut_short_is_no_decision() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        let redactor = Arc::new(Redactor::new([]));
        let (kept, torn) = (
            record("1", "ana", Decision::Accept),
            record(&"2".repeat(9000), "ana", Decision::Accept),
        );
        let line = torn.line(&redactor);
        let whole = format!("{}{}", kept.line(&redactor), &line[..line.len() - 1]);
        std::fs::write(&path, &whole).unwrap();
        assert_eq!(read_audit(&whole).unwrap(), std::slice::from_ref(&kept));
        let next = record("3", "bo", Decision::Ignore);
        let mut file = AuditFile::open(&path, redactor).unwrap();
        file.write(&next).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(read_audit(&text).unwrap(), [kept, next]);
    }

    #[test]
    fn a_line_that_cannot_be_read_is_named() {
        let good = record("1", "ana", Decision::Accept).line(&Redactor::new([]));
        for (line, error) in [
            (
                "{}",
                "line 2 of the audit trail is no record: missing field `format` at line 1 column 2; correct or remove it",
            ),
            (
                r#"{"format":"mailproof.audit/2","decision":1}"#,
                "line 2 of the audit trail has format `mailproof.audit/2`; this version reads `mailproof.audit/1`",
            ),
            (
                r#"{"format":"mailproof.audit/1"}"#,
                "line 2 of the audit trail is no record: missing field `record` at line 1 column 30; correct or remove it",
            ),
        ] {
            let text = format!("{good}{line}\n{good}");
            assert_eq!(read_audit(&text).unwrap_err().to_string(), error);
        }
        assert_eq!(read_audit("").unwrap(), []);
        assert_eq!(json!(Decision::Refused), json!("refused"));
    }
}
