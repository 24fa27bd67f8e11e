use std::fs;
use std::path::PathBuf;

use proptest::prelude::*;

use super::*;
use crate::email::Triage;

fn file(folder: &tempfile::TempDir, text: &str) -> PathBuf {
    let path = folder.path().join("reference.jsonl");
    fs::write(&path, text).unwrap();
    path
}

fn read(text: &str) -> Result<Results, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = file(&folder, text);
    Results::read_reference(&path).map_err(|error| {
        let shown = format!("{}", folder.path().display());
        error.to_string().replace(&shown, "")
    })
}

/// As a file has it: without what it leaves out.
fn kept(mut results: Results) -> Results {
    for of in &mut results.variants {
        for cell in of.cells.values_mut() {
            cell.spent = None;
            cell.noise.clear();
        }
    }
    results
}

fn sample() -> Results {
    let mut results = failing("before", 2, &[1]);
    let facts = results.examples.get_mut("e000").unwrap();
    facts.split = Some("test".to_owned());
    facts.expected = Some(Triage::Respond);
    facts.tags = vec!["billing".to_owned()];
    let cell = results.variants[0].cells.get_mut("e001").unwrap();
    cell.scores.insert(Key::ToolCallsRecall, 1.0 / 3.0);
    results.variants[0].spent = Some(Spent {
        latency_ms: Some(12.5),
        cost_usd: Some(0.0),
        tokens: 100.0,
    });
    results
}

#[test]
fn a_file_has_a_line_for_each_result_in_the_order_of_the_ids() {
    let text = sample().to_reference().unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], r#"{"format":"mailproof.reference/1"}"#);
    assert!(
        lines[1].starts_with(r#"{"experiment":{"experiment":"before","#),
        "{}",
        lines[1]
    );
    insta::assert_snapshot!(lines[2..].join("\n"), @r#"
    {"variant":{"variant":{"name":"workflow@rules","agent":"workflow","model":"rules"},"planned":2,"spent":{"latency_ms":12.5,"cost_usd":0.0,"tokens":100.0}}}
    {"example":{"id":"e000","facts":{"expected":"respond","split":"test","tags":["billing"]}}}
    {"result":{"id":"e000","variant":"workflow@rules","passed":1,"scored":1,"scores":{"triage.accuracy":1}}}
    {"example":{"id":"e001","facts":{}}}
    {"result":{"id":"e001","variant":"workflow@rules","passed":0,"scored":1,"scores":{"triage.accuracy":0,"tool_calls.recall":0.3333333333333333}}}
    "#);
    assert_eq!(read(&text).unwrap(), kept(sample()));
}

#[test]
fn a_reference_compares_as_its_experiment_did() {
    let reference = failing("a", 100, &[]);
    let candidate = failing("b", 100, &(0..12).collect::<Vec<_>>());
    let kept = read(&reference.to_reference().unwrap()).unwrap();
    let (mut own, mut of_file) = (
        compared(&reference, &candidate),
        compared(&kept, &candidate),
    );
    let of = |comparison: &mut Comparison| std::mem::take(&mut comparison.pairs[0].resources);
    // Nobody wrote down what the reference took.
    assert_eq!((of(&mut own).len(), of(&mut of_file).len()), (3, 0));
    assert_eq!(own, of_file);
}

#[test]
fn what_a_reference_took_is_told_where_all_of_it_was_tried_again() {
    let mut reference = failing("a", 60, &[]);
    reference.variants[0].spent = Some(Spent {
        latency_ms: Some(20.0),
        cost_usd: None,
        tokens: 90.0,
    });
    let kept = read(&reference.to_reference().unwrap()).unwrap();
    let told = |candidate: &Results| -> Vec<_> {
        let pair = compared(&kept, candidate).pairs.remove(0);
        let resources = pair.resources.iter();
        resources
            .map(|it| (it.resource, it.reference, it.candidate, it.low))
            .collect()
    };
    let all = [
        (Resource::LatencyMs, 20.0, 10.0, None),
        (Resource::Tokens, 90.0, 100.0, None),
    ];
    assert_eq!(told(&failing("b", 61, &[])), all);
    assert!(told(&failing("b", 59, &[])).is_empty());
}

#[test]
fn what_is_not_known_cannot_become_a_reference() {
    let mut results = failing("a", 100, &[]);
    results.variants[0].planned = 106;
    insta::assert_snapshot!(results.to_reference().unwrap_err(), @"`workflow@rules` of `a` has 100 of 106 attempts scored, and at least 95% must be for others to be held against it: `mailproof run --only errors` tries the rest again");
    results.facts.complete = false;
    insta::assert_snapshot!(results.to_reference().unwrap_err(), @"`a` is not complete, and cannot be what others are held against: `mailproof run --resume -e a` goes on with it");
}

#[test]
fn a_broken_file_is_located() {
    let text = sample().to_reference().unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let with = |line: &str| format!("{text}{line}\n");
    let result = |inner: &str| {
        with(&format!(
            r#"{{"result":{{"id":"e001","variant":"workflow@rules",{inner}}}}}"#
        ))
    };
    let only = |count: usize| lines[..count].join("\n");
    for (case, text, wrong) in [
        ("empty", String::new(), "is no reference: its first line"),
        ("prose", "# Hello\n".to_owned(), "is no reference"),
        ("binary", "\0\u{1}\n".to_owned(), "is no reference"),
        (
            "of another version",
            r#"{"format":"mailproof.reference/9"}"#.to_owned(),
            "has the format `mailproof.reference/9`, and this version reads",
        ),
        (
            "torn",
            text[..text.len() - 20].to_owned(),
            "jsonl:7: invalid number",
        ),
        (
            "no experiment",
            only(1),
            "ends before it says of which experiment",
        ),
        (
            "no result",
            only(3),
            "ends before it says what any variant came to",
        ),
        (
            "merged",
            with("<<<<<<< HEAD"),
            "jsonl:8: two versions were merged",
        ),
        (
            "unknown line",
            with(r#"{"cell":1}"#),
            "jsonl:8: unknown variant `cell`",
        ),
        (
            "twice",
            with(lines[6]),
            "jsonl:8: a second result of `workflow@rules` at `e001`",
        ),
        ("second example", with(lines[5]), "a second example `e001`"),
        (
            "second variant",
            with(lines[2]),
            "a second variant `workflow@rules`",
        ),
        ("second experiment", with(lines[1]), "a second experiment"),
        (
            "more passed than scored",
            result(r#""passed":2,"scored":1"#),
            "2 of 1 scored attempts",
        ),
        (
            "more scored than attempted",
            result(r#""passed":1,"scored":2,"attempts":1"#),
            "scored attempts of 1 cannot pass",
        ),
        (
            "no share",
            result(r#""passed":1,"scored":1,"scores":{"triage.accuracy":1.5}"#),
            "a score is a number from 0 to 1, not 1.5",
        ),
        (
            "no number",
            result(r#""passed":1,"scored":1,"scores":{"triage.accuracy":"NaN"}"#),
            r#"not "NaN""#,
        ),
        (
            "unknown key",
            result(r#""passed":1,"scored":1,"scores":{"triage.acuracy":1}"#),
            "triage.acuracy",
        ),
        (
            "unknown field",
            result(r#""passed":1,"scored":1,"run":[]"#),
            "unknown field `run`",
        ),
        (
            "negative",
            result(r#""passed":-1,"scored":1"#),
            "invalid value",
        ),
        (
            "unknown variant",
            with(r#"{"result":{"id":"e001","variant":"x","passed":1,"scored":1}}"#),
            "no line before it has the variant `x`",
        ),
        (
            "unknown example",
            with(r#"{"result":{"id":"x","variant":"workflow@rules","passed":1,"scored":1}}"#),
            "no line before it has the example `x`",
        ),
        (
            "endless",
            with(&"x".repeat(1 << 20)),
            "jsonl:8: a line of more than 1 MiB",
        ),
    ] {
        let error = read(&text).expect_err(case);
        assert!(error.contains(wrong), "{case}: {error}");
    }
}

#[test]
fn lines_may_stand_in_any_order_that_names_things_first() {
    let text = sample().to_reference().unwrap();
    let mut lines: Vec<&str> = text.lines().collect();
    // As a merge may leave them, with Windows' ends.
    lines.swap(3, 5);
    lines.swap(4, 6);
    lines.insert(1, "");
    assert_eq!(read(&lines.join("\r\n")).unwrap(), kept(sample()));
}

#[test]
fn a_file_that_begins_as_a_reference_is_one() {
    let folder = tempfile::tempdir().unwrap();
    for (text, is_reference) in [
        (sample().to_reference().unwrap(), true),
        ("{\"format\":\"mailproof.reference/9\"}\n".to_owned(), true),
        ("{\"format\":\"mailproof.journal/1\"}\n".to_owned(), false),
        ("# README\n".to_owned(), false),
        (String::new(), false),
    ] {
        let path = file(&folder, &text);
        assert_eq!(Results::is_reference(&path), is_reference, "{text}");
    }
    assert!(!Results::is_reference(folder.path()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn scores_come_back_to_the_last_digit(shares in prop::collection::vec(0.0f64..=1.0, 1..20)) {
        let mut results = failing("a", shares.len(), &[]);
        for (cell, share) in results.variants[0].cells.values_mut().zip(&shares) {
            cell.scores.insert(Key::ToolCallsRecall, *share);
        }
        let back = read(&results.to_reference().unwrap()).unwrap();
        prop_assert_eq!(back, kept(results));
    }

    #[test]
    fn any_file_is_read_or_refused(text in "(?s).{0,200}", cut in 0usize..2_000) {
        let sample = sample().to_reference().unwrap();
        let mut cut = cut.min(sample.len());
        while !sample.is_char_boundary(cut) {
            cut -= 1;
        }
        let _ = read(&text);
        let _ = read(&format!("{}{text}{}", &sample[..cut], &sample[cut..]));
    }

    #[test]
    fn names_of_any_kind_come_back(id in "\\PC{1,30}", tag in ".{0,20}", variant in "\\PC{1,20}") {
        let mut results = experiment("a", &[variant.as_str()]);
        put(&mut results, 0, &id, 1, 1);
        results.examples.get_mut(&id).unwrap().tags.push(tag);
        let back = read(&results.to_reference().unwrap()).unwrap();
        prop_assert_eq!(back, kept(results));
    }
}
