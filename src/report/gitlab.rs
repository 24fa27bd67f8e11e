//! `.codequality.json`: what GitLab shows in its Code Quality widget.
//!
//! An array of findings with `description`, `check_name`, `fingerprint`, `severity`,
//! `location.path`, and `location.lines.begin`, which is all that GitLab reads; it compares
//! the fingerprints of two branches. So a fingerprint says what is wrong and where, and
//! nothing that differs from one run to the next.
//! Source: GitLab documentation, "Code Quality", section "Code Quality report format".

use std::io::Write;

use serde::Serialize;
use serde::de::IgnoredAny;
use sha2::{Digest, Sha256};

use super::each::{FormError, Item, Standing, shown};
use super::{GateVerdict, Report};
use crate::experiment::Attempt;
use crate::experiment::layer::Ordered;
use crate::redact::Redactor;

/// Where an example stands: a path relative to the repository's root, and a line from 1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Location {
    pub path: String,
    pub lines: Lines,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Lines {
    pub begin: u64,
}

#[derive(Debug, Serialize)]
struct Finding {
    description: String,
    check_name: String,
    fingerprint: String,
    severity: Severity,
    location: Location,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Severity {
    /// Nothing could be said.
    Info,
    /// Some attempts passed; or a check could not decide.
    Minor,
    /// No attempt passed.
    Major,
    /// A check of the gate failed.
    Critical,
}

/// Writes the checks of the gate that did not pass, and each example, scenario, and episode
/// that did not always pass. `locate` says where one with that id stands, or with `None`
/// where the gate does.
///
/// # Errors
/// Those of reading attempts again, and of writing.
pub fn write(
    report: &Report,
    attempts: &mut Ordered,
    locate: &dyn Fn(Option<&str>) -> Location,
    redactor: &Redactor,
    out: &mut dyn Write,
) -> Result<(), FormError> {
    let mut findings = Findings { out, first: true };
    for check in &report.gate.checks {
        let severity = match check.verdict {
            GateVerdict::Fail => Severity::Critical,
            GateVerdict::Indecisive => Severity::Minor,
            GateVerdict::Pass | GateVerdict::None => continue,
        };
        let name = shown(redactor, &check.name);
        let variant = shown(redactor, &check.variant);
        findings.push(&Finding {
            description: format!("{variant}: {name}: {}", shown(redactor, &check.reason)),
            check_name: format!("gate/{name}"),
            fingerprint: fingerprint(&["gate", &check.name, &check.variant]),
            severity,
            location: locate(None),
        })?;
    }
    let Ordered {
        header,
        places,
        source,
    } = attempts;
    for places in Ordered::items(places) {
        let standing = Standing::of(places.iter().map(|place| place.verdict));
        if standing == Standing::Passed {
            continue;
        }
        let read = places.iter().map(|place| source.attempt(place));
        let read: Vec<Attempt<IgnoredAny>> = read.collect::<Result<_, _>>()?;
        let item = Item::of(&read, redactor).expect("an item has attempts");
        let variant = &header.variants[read[0].case.variant as usize].name;
        findings.push(&finding(&item, variant, standing, locate, redactor))?;
    }
    findings.end()
}

fn finding(
    item: &Item,
    variant: &str,
    standing: Standing,
    locate: &dyn Fn(Option<&str>) -> Location,
    redactor: &Redactor,
) -> Finding {
    let (severity, word) = match standing {
        Standing::Passed | Standing::Flaky => (Severity::Minor, "flaky"),
        Standing::Failed => (Severity::Major, "failed"),
        Standing::Error => (Severity::Info, "not scored"),
    };
    let mut description = format!("{}: {}: {word}", shown(redactor, variant), item.id);
    let attempts = item.attempts.len();
    if attempts > 1 {
        description.push_str(&format!(", {} of {attempts} passed", item.passed()));
    }
    let mut findings = item.attempts.iter().flat_map(|told| &told.findings);
    if let Some(first) = findings.next() {
        description.push_str(&format!(": {first}"));
    }
    Finding {
        description,
        check_name: item.kind.name().to_owned(),
        fingerprint: fingerprint(&[item.kind.name(), variant, &item.raw]),
        severity,
        location: locate(Some(&item.raw)),
    }
}

/// SHA-256, hexadecimal; each part with its length before it, so that no two lists of parts
/// are one text.
fn fingerprint(parts: &[&str]) -> String {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part);
    }
    let digest = digest.finalize();
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A JSON array on its way.
struct Findings<'a> {
    out: &'a mut dyn Write,
    first: bool,
}

impl Findings<'_> {
    fn push(&mut self, finding: &Finding) -> Result<(), FormError> {
        let separator = if self.first { "[\n" } else { ",\n" };
        self.first = false;
        let text = serde_json::to_string(finding).expect("a finding has string keys only");
        write!(self.out, "{separator}{text}")?;
        Ok(())
    }

    fn end(self) -> Result<(), FormError> {
        self.out
            .write_all(if self.first { b"[]\n" } else { b"\n]\n" })?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;
    use crate::experiment::Header;
    use crate::report::each::tests::{experiment, hostile, redactor, varied};
    use crate::report::fixture::header;

    fn locate(id: Option<&str>) -> Location {
        Location {
            path: match id {
                Some(_) => "datasets/mine.yaml".into(),
                None => "mailproof.yaml".into(),
            },
            lines: Lines { begin: 7 },
        }
    }

    fn written(header: Header, attempts: &[Attempt<()>]) -> String {
        let (report, mut ordered) = experiment(header, attempts);
        let mut text = Vec::new();
        write(&report, &mut ordered, &locate, &redactor(), &mut text).unwrap();
        String::from_utf8(text).unwrap()
    }

    /// Checks what GitLab's documentation asks of a report, and that nothing else is in it.
    fn findings(text: &str) -> Vec<Value> {
        let Value::Array(findings) = serde_json::from_str(text).unwrap() else {
            panic!("not an array");
        };
        let mut fingerprints = BTreeSet::new();
        for finding in &findings {
            let keys: Vec<&str> = finding.as_object().unwrap().keys().map(|k| &**k).collect();
            let expected = [
                "description",
                "check_name",
                "fingerprint",
                "severity",
                "location",
            ];
            assert_eq!(keys, expected);
            assert!(!finding["description"].as_str().unwrap().is_empty());
            assert!(!finding["check_name"].as_str().unwrap().is_empty());
            let severity = finding["severity"].as_str().unwrap();
            let known = ["info", "minor", "major", "critical", "blocker"];
            assert!(known.contains(&severity), "{severity}");
            let path = finding["location"]["path"].as_str().unwrap();
            assert!(!path.starts_with(['/', '.']), "{path}");
            assert!(finding["location"]["lines"]["begin"].as_u64().unwrap() > 0);
            let fingerprint = finding["fingerprint"].as_str().unwrap();
            assert!(
                fingerprints.insert(fingerprint.to_owned()),
                "twice: {finding}"
            );
        }
        findings
    }

    #[test]
    fn what_did_not_always_pass_is_a_finding() {
        let (mut header, attempts) = varied();
        header.min_pass_rate = Some(0.9);
        let text = written(header, &attempts);
        let lines = findings(&text).into_iter().map(|finding| {
            let word = |key: &str| finding[key].as_str().unwrap().to_owned();
            format!(
                "{} {}: {}",
                word("severity"),
                word("check_name"),
                word("description")
            )
        });
        insta::assert_snapshot!(lines.collect::<Vec<_>>().join("\n"), @r"
        minor gate/coverage: baseline@rules: coverage: 8 of 9 attempts scored (1 ended in errors, 0 were not made); at least 95% must be
        critical gate/min_pass_rate: baseline@rules: min_pass_rate: 4 of 8 scored attempts passed (50.0%); a share of 0.9 must
        minor gate/coverage: workflow@rules: coverage: 6 of 9 attempts scored (3 ended in errors, 0 were not made); at least 95% must be
        minor example: baseline@rules: example-1: flaky, 1 of 3 passed: triage.accuracy: expected notify, no decision: it said `maybe`
        major example: baseline@rules: example-2: failed, 0 of 3 passed: triage.accuracy: expected ignore, no decision: it said `maybe`
        info example: workflow@rules: example-0: not scored, 0 of 3 passed: provider: 503 from the provider
        ");
    }

    #[test]
    fn a_fingerprint_does_not_depend_on_how_the_run_went() {
        let (header, mut attempts) = varied();
        let fingerprints = |text: &str| -> BTreeSet<String> {
            let findings = findings(text).into_iter();
            findings
                .filter(|finding| finding["check_name"] == "example")
                .map(|finding| finding["fingerprint"].to_string())
                .collect()
        };
        let one = fingerprints(&written(header.clone(), &attempts));
        for attempt in &mut attempts {
            attempt.latency_ms *= 2.0;
            for feedback in &mut attempt.feedback {
                feedback.comment = Some("in other words".into());
            }
        }
        let mut later = header;
        later.experiment = "later".into();
        assert_eq!(one, fingerprints(&written(later, &attempts)));
        assert_eq!(one.len(), 3);
        assert_ne!(fingerprint(&["ab", "c"]), fingerprint(&["a", "bc"]));
    }

    #[test]
    fn where_all_passed_there_is_no_finding() {
        let attempts = [crate::report::fixture::attempt(0, 0, 0)];
        let mut header = header(1, 1);
        header.variants.truncate(1);
        assert_eq!(written(header, &attempts), "[]\n");
    }

    #[test]
    fn nothing_hostile_comes_through() {
        let (header, attempts) = hostile();
        let text = written(header, &attempts);
        assert!(!findings(&text).is_empty());
        assert!(!text.contains("canary"));
        assert!(!text.contains(|c: char| c.is_control() && c != '\n'));
        assert!(!text.contains(['\u{202e}', '\u{2066}']));
        assert!(text.lines().all(|line| line.len() < 6_000));
    }
}
