use super::*;
use crate::compare::{
    Comparison, Difference, Flip, GroupChange, KeyChange, Measure, Pair, Resource, ResourceChange,
    Rule, Side, Verdict,
};
use crate::experiment::CaseKind;
use crate::report::{Check, GateVerdict, fixture};
use crate::score::Key;

fn page(report: &Report, attempts: &[Attempt<Run>]) -> String {
    let redactor = Redactor::new([]);
    let mut survey = Survey::default();
    attempts.iter().for_each(|attempt| survey.push(attempt));
    let mut page = Page::new(report, survey, &redactor);
    attempts.iter().for_each(|attempt| page.push(attempt));
    let mut text = Vec::new();
    page.write(&mut text).unwrap();
    String::from_utf8(text).unwrap()
}

#[test]
fn a_source_is_the_hash_of_its_block() {
    // `printf '' | openssl dgst -sha256 -binary | base64`, and of `alert(1)`.
    for (block, hash) in [
        ("", "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="),
        (
            "alert(1)",
            "sha256-bhHHL3z2vDgxUt0W3dWQOrprscmda2Y5pLsLg4GF+pI=",
        ),
    ] {
        assert_eq!(source(block), hash, "{block:?}");
    }
}

#[test]
fn an_address_holds_any_name() {
    for (name, address) in [
        ("invoice-question", "invoice-question"),
        ("a/b c", "a%2Fb%20c"),
        ("\"><script>", "%22%3E%3Cscript%3E"),
        ("ü", "%C3%BC"),
    ] {
        assert_eq!(route(name), address);
    }
}

#[test]
fn a_text_is_bounded_and_cannot_act() {
    let redactor = Redactor::new(["hunter2hunter2".to_owned()]);
    let long = "x".repeat(TEXT_SHOWN + 5);
    let hostile = json!(["\u{202e}evil\u{1b}[2J", long, { "a": "hunter2hunter2" }]);
    let shown = safe(&hostile, &redactor);
    assert_eq!(shown[0], "\\u{202e}evil\\u{1b}[2J");
    let end = "x… [5 more characters not shown]";
    assert!(shown[1].as_str().unwrap().ends_with(end));
    assert!(!shown.to_string().contains("hunter2"), "{shown}");
}

#[test]
fn a_page_without_attempts_reads_too() {
    let report = fixture::report(fixture::header(3, 1), &[]);
    let page = page(&report, &[]);
    assert!(page.contains("<span class=\"word\">INDECISIVE</span>"));
    assert!(page.ends_with("</html>\n"));
}

/// A comparison in which the second variant lost examples of one tag.
fn comparison() -> Comparison {
    let side = |experiment: &str| Side {
        experiment: experiment.to_owned(),
        file: None,
        created: "2026-03-01T10:00:00Z".parse().unwrap(),
        dataset_hash: "0123456789abcdef".repeat(4),
        repeat: 3,
        layer: None,
        complete: true,
    };
    let difference = |effect: f64, low: f64, high: f64, p: f64| Difference {
        effect,
        low: Some(low),
        high: Some(high),
        p_worse: Some(p),
        p_adjusted: Some(p),
        mde: Some(0.08),
        method: "sign-flip permutation of 24 examples".to_owned(),
        units: 24,
    };
    let key = |measure, gates, verdict, reference: f64, candidate: f64, p| KeyChange {
        measure,
        gates,
        verdict,
        reference,
        candidate,
        difference: difference(
            candidate - reference,
            candidate - reference - 0.06,
            candidate - reference + 0.06,
            p,
        ),
        pairs: 24,
    };
    let group = |pairs, reference: f64, candidate: f64, worse, better, verdict| GroupChange {
        pairs,
        reference,
        candidate,
        worse,
        better,
        verdict,
        difference: difference(
            candidate - reference,
            candidate - reference - 0.15,
            candidate - reference + 0.15,
            0.01,
        ),
    };
    let flip = |example: &str, reference_passed, candidate_passed| Flip {
        example: example.to_owned(),
        kind: CaseKind::Example,
        split: Some("test".to_owned()),
        tags: vec!["work".to_owned(), "billing".to_owned()],
        reference_passed,
        reference_scored: 3,
        candidate_passed,
        candidate_scored: 3,
        changes: BTreeMap::from([(
            Measure::Key(Key::TriageAccuracy),
            f64::from(candidate_passed) / 3.0 - f64::from(reference_passed) / 3.0,
        )]),
    };
    let pair = |name: &str| Pair {
        reference: name.to_owned(),
        candidate: name.to_owned(),
        verdict: Verdict::CannotTell,
        shared: 24,
        only_reference: Vec::new(),
        only_candidate: vec!["new-one".to_owned()],
        only_reference_count: 0,
        only_candidate_count: 1,
        keys: vec![
            key(Measure::PassRate, true, Verdict::CannotTell, 0.8, 0.79, 0.4),
            key(
                Measure::Key(Key::TriageAccuracy),
                true,
                Verdict::Equivalent,
                0.9,
                0.91,
                0.6,
            ),
        ],
        tags: BTreeMap::new(),
        splits: BTreeMap::new(),
        flips: Vec::new(),
        flaky: Vec::new(),
        noise: Vec::new(),
        resources: Vec::new(),
    };
    let worse = Pair {
        verdict: Verdict::Worse,
        keys: vec![
            key(Measure::PassRate, true, Verdict::Worse, 0.84, 0.68, 0.0004),
            key(
                Measure::Key(Key::TriageAccuracy),
                true,
                Verdict::Worse,
                0.91,
                0.75,
                0.003,
            ),
            key(
                Measure::Key(Key::ToolCallsRecall),
                false,
                Verdict::Better,
                0.8,
                0.9,
                0.9,
            ),
        ],
        tags: BTreeMap::from([
            (
                "work".to_owned(),
                group(24, 0.84, 0.68, 5, 1, Verdict::CannotTell),
            ),
            (
                "billing".to_owned(),
                group(6, 0.9, 0.2, 4, 0, Verdict::Worse),
            ),
            ("a<b>".to_owned(), group(3, 0.5, 0.6, 0, 1, Verdict::Better)),
        ]),
        splits: BTreeMap::from([(
            "test".to_owned(),
            group(16, 0.84, 0.68, 5, 1, Verdict::CannotTell),
        )]),
        flips: vec![
            flip("example-20", 3, 0),
            flip("example-21", 3, 1),
            flip("example-3", 0, 3),
        ],
        resources: vec![
            ResourceChange {
                resource: Resource::LatencyMs,
                reference: 410.0,
                candidate: 520.0,
                low: Some(60.0),
                high: Some(160.0),
            },
            ResourceChange {
                resource: Resource::CostUsd,
                reference: 0.0021,
                candidate: 0.0018,
                low: None,
                high: None,
            },
        ],
        ..pair("workflow@rules")
    };
    Comparison {
        reference: side("before-change"),
        candidate: side("2026-03-02-1015-abc1234"),
        rule: Rule {
            margin: 0.05,
            alpha: 0.05,
            gates: vec![Measure::PassRate, Measure::Key(Key::TriageAccuracy)],
            seed: 0,
        },
        verdict: Verdict::Worse,
        differences: vec!["the seed is 1, and was 0".to_owned()],
        pairs: vec![pair("baseline@rules"), worse],
        only_reference: Vec::new(),
        only_candidate: vec!["hitl@rules".to_owned()],
    }
}

fn compared() -> String {
    let mut report = fixture::report(fixture::header(24, 3), &fixture::attempts());
    report.comparison = Some(comparison());
    report.gate.verdict = GateVerdict::Fail;
    report.gate.exit_code = 101;
    report.gate.checks.push(Check {
        name: "regression".to_owned(),
        variant: "workflow@rules".to_owned(),
        verdict: GateVerdict::Fail,
        counts_as: None,
        reason: "pass_rate fell from 84.0% to 68.0%".to_owned(),
        fix: None,
    });
    page(&report, &[])
}

#[test]
fn the_first_screen_leads_to_the_tag_that_got_worse() {
    let page = compared();
    let (first, rest) = page.split_once("<section id=\"comparison\"").unwrap();
    let (_, first) = first.split_once("<main").unwrap();
    let place = |words: &str| {
        first
            .find(words)
            .unwrap_or_else(|| panic!("no {words} in {first}"))
    };
    let told = [
        "FAILED",
        "<strong>101</strong>: a regression",
        "against <code>before-change",
        "workflow@rules</code> got worse on",
        "84.0% → 68.0%, −16.0 points",
        "#/examples?tag=billing",
    ];
    let places: Vec<usize> = told.map(place).to_vec();
    assert!(places.is_sorted(), "{places:?}");
    // What one tag won is no place to look for what was lost.
    assert!(!first.contains("a&lt;b&gt;"), "{first}");
    assert!(rest.contains("a&lt;b&gt;"));
    // The worst flips come first, and lead to their examples.
    let flips: Vec<&str> = rest
        .split("href=\"#/example/")
        .skip(1)
        .take(3)
        .map(|flip| flip.split('"').next().unwrap())
        .collect();
    assert_eq!(flips, ["example-20", "example-21", "example-3"]);
}
