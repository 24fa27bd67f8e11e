//! `.csv`: a row an attempt, for spreadsheets and notebooks.

use std::io::Write;

use serde::de::IgnoredAny;

use super::Report;
use super::each::{FormError, Told, shown};
use crate::experiment::layer::Ordered;
use crate::experiment::{Attempt, Header, Verdict};
use crate::redact::Redactor;
use crate::score::Key;

/// The columns before those of the scores.
const FACTS: [&str; 18] = [
    "experiment",
    "variant",
    "agent",
    "model",
    "kind",
    "example",
    "attempt",
    "split",
    "cluster",
    "tags",
    "expected",
    "found",
    "outcome",
    "verdict",
    "latency_ms",
    "input_tokens",
    "output_tokens",
    "cost_usd",
];

/// Writes the attempts of an experiment as a table, in the plan's order, with a column for
/// each key that any of them was scored under, and what they lacked in words at the end.
///
/// # Errors
/// Those of reading attempts again, and of writing.
pub fn write(
    report: &Report,
    attempts: &mut Ordered,
    redactor: &Redactor,
    out: &mut dyn Write,
) -> Result<(), FormError> {
    let Ordered {
        header,
        places,
        source,
    } = attempts;
    let metrics = |key: Key| {
        let mut variants = report.variants.iter();
        variants.any(|variant| variant.metrics.get(key.name()).is_some())
    };
    let keys: Vec<Key> = Key::ALL.into_iter().filter(|key| metrics(*key)).collect();
    let mut table = csv::Writer::from_writer(out);
    let names = keys.iter().map(|key| key.name());
    table.write_record(FACTS.into_iter().chain(names).chain(["findings"]))?;
    for place in places.iter() {
        let attempt = source.attempt(place)?;
        table.write_record(row(header, &attempt, &keys, redactor))?;
    }
    table.flush()?;
    Ok(())
}

fn row(
    header: &Header,
    attempt: &Attempt<IgnoredAny>,
    keys: &[Key],
    redactor: &Redactor,
) -> Vec<String> {
    let text = |text: &str| cell(shown(redactor, text));
    let optional = |value: &Option<String>| value.as_deref().map(text).unwrap_or_default();
    let triage = |triage: Option<_>| triage.map(|triage| format!("{triage}")).unwrap_or_default();
    let variant = &header.variants[attempt.case.variant as usize];
    let usage = attempt.usage.0.values();
    let mut row = vec![
        text(&header.experiment),
        text(&variant.name),
        text(&variant.agent),
        text(&variant.model),
        attempt.kind.name().to_owned(),
        text(&attempt.case.example),
        (u64::from(attempt.case.repeat) + 1).to_string(),
        optional(&attempt.split),
        optional(&attempt.cluster),
        text(&attempt.tags.join(";")),
        triage(attempt.expected),
        triage(attempt.found),
        attempt.outcome.name().to_owned(),
        verdict(attempt.verdict()).to_owned(),
        format!("{:.3}", attempt.latency_ms),
        usage
            .clone()
            .map(|usage| usage.input_tokens)
            .sum::<u64>()
            .to_string(),
        usage
            .map(|usage| usage.output_tokens)
            .sum::<u64>()
            .to_string(),
        attempt
            .usage
            .cost()
            .map(|cost| number(cost.usd()))
            .unwrap_or_default(),
    ];
    for key in keys {
        let mut own = attempt.feedback.iter();
        let feedback = own.find(|feedback| feedback.key == *key);
        row.push(feedback.map_or(String::new(), |feedback| number(feedback.score.get())));
    }
    row.push(cell(Told::of(attempt, redactor).findings.join("; ")));
    row
}

fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Passed => "passed",
        Verdict::Failed => "failed",
        Verdict::Unscored => "unscored",
    }
}

/// Text that a spreadsheet does not take for a formula: one that begins as formulas do gets
/// an apostrophe, which spreadsheets read as "this is text".
///
/// Source: OWASP, "CSV Injection". Tabs and line breaks, which it names too, are escapes by
/// now; the full-width signs count as the plain ones in some locales.
fn cell(text: String) -> String {
    match text.chars().next() {
        Some('=' | '+' | '-' | '@' | '\t' | '\r' | '\n' | '＝' | '＋' | '－' | '＠') => {
            format!("'{text}")
        }
        _ => text,
    }
}

/// The shortest digits that read back as the same number.
fn number(value: f64) -> String {
    format!("{value}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::each::tests::{experiment, hostile, redactor, varied};

    fn written(header: Header, attempts: &[Attempt<()>]) -> String {
        let (report, mut ordered) = experiment(header, attempts);
        let mut text = Vec::new();
        write(&report, &mut ordered, &redactor(), &mut text).unwrap();
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn a_row_is_an_attempt_in_the_plan_s_order() {
        let (header, mut attempts) = varied();
        let text = written(header.clone(), &attempts);
        let first: Vec<&str> = text.lines().take(8).collect();
        insta::assert_snapshot!(first.join("\n"), @r#"
        experiment,variant,agent,model,kind,example,attempt,split,cluster,tags,expected,found,outcome,verdict,latency_ms,input_tokens,output_tokens,cost_usd,triage.accuracy,tool_calls.recall,findings
        2026-03-02-1015-abc1234,baseline@rules,baseline,rules,example,example-0,1,dev,,work,respond,respond,finished,passed,0.400,900,40,0,1,,
        2026-03-02-1015-abc1234,baseline@rules,baseline,rules,example,example-0,2,dev,,work,respond,respond,finished,passed,0.410,900,40,0,1,0.5,
        2026-03-02-1015-abc1234,baseline@rules,baseline,rules,example,example-0,3,dev,,work,respond,respond,finished,passed,0.420,900,40,0,1,,
        2026-03-02-1015-abc1234,baseline@rules,baseline,rules,example,example-1,1,test,,work,notify,,finished,failed,0.450,900,40,0,0,,"triage.accuracy: expected notify, no decision: it said `maybe`"
        2026-03-02-1015-abc1234,baseline@rules,baseline,rules,example,example-1,2,test,,work,notify,notify,provider,unscored,0.460,900,40,0,,,provider: 503 from the provider
        2026-03-02-1015-abc1234,baseline@rules,baseline,rules,example,example-1,3,test,,work,notify,notify,finished,passed,0.470,900,40,0,1,,
        2026-03-02-1015-abc1234,baseline@rules,baseline,rules,example,example-2,1,test,,work,ignore,,finished,failed,0.500,900,40,0,0,,"triage.accuracy: expected ignore, no decision: it said `maybe`"
        "#);
        assert_eq!(text.lines().count(), 1 + attempts.len());
        attempts.reverse();
        assert_eq!(text, written(header, &attempts));
    }

    #[test]
    fn what_looks_like_a_formula_is_text() {
        for (given, written) in [
            ("=1+1", "'=1+1"),
            ("+1", "'+1"),
            ("-1", "'-1"),
            ("@x", "'@x"),
            ("\tx", "'\tx"),
            ("\rx", "'\rx"),
            ("＝1", "'＝1"),
            ("'=1", "'=1"),
            ("plain = 1", "plain = 1"),
            ("", ""),
        ] {
            assert_eq!(cell(given.to_owned()), written);
        }
    }

    #[test]
    fn nothing_hostile_comes_through() {
        let (header, attempts) = hostile();
        let text = written(header, &attempts);
        assert!(!text.contains("canary"));
        assert!(!text.contains(|c: char| c.is_control() && c != '\n'));
        let mut table = csv::Reader::from_reader(text.as_bytes());
        let mut rows = 0;
        for row in table.records() {
            let row = row.unwrap();
            assert_eq!(row.len(), FACTS.len() + 2);
            for cell in &row {
                assert!(cell.chars().count() < 4_000);
                assert!(
                    !cell.starts_with(['=', '+', '-', '@', '＝', '\t', '\r']),
                    "{cell}"
                );
            }
            rows += 1;
        }
        assert_eq!(rows, attempts.len());
    }
}
