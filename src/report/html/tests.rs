use super::*;
use crate::report::{Check, GateVerdict, compare, fixture};

fn page(report: &Report, attempts: &[Attempt<Run>]) -> String {
    let redactor = Redactor::new([]);
    let mut survey = Survey::default();
    attempts.iter().for_each(|attempt| survey.push(attempt));
    let mut page = Page::new(report, survey, None, &redactor);
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

fn compared() -> String {
    let mut report = fixture::report(fixture::header(24, 3), &fixture::attempts());
    report.comparison = Some(compare::fixture::worse());
    report.gate.verdict = GateVerdict::Fail;
    report.gate.exit_code = 101;
    report.gate.checks.push(Check {
        name: "regression".to_owned(),
        variant: "workflow@rules".to_owned(),
        verdict: GateVerdict::Fail,
        reason: "pass_rate fell from 84.0% to 68.0%".to_owned(),
        counts_as: None,
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
        "<code>before</code> (−8.0 points",
        "<code>workflow@rules</code> is worse on",
        "84.0% → 76.0%",
        "#/examples?tag=security",
        "#/examples?tag=billing",
    ];
    let places: Vec<usize> = told.map(place).to_vec();
    assert!(places.is_sorted(), "{places:?}");
    // What lost nothing is no place to look.
    assert!(!first.contains("tag=meeting"), "{first}");
    assert!(rest.contains("tag=meeting"));
    // The flips lead to their examples, in order.
    let flips: Vec<&str> = rest
        .split("href=\"#/example/")
        .skip(1)
        .take(14)
        .map(|flip| flip.split('"').next().unwrap())
        .collect();
    assert_eq!(
        (flips[0], flips[12], flips[13]),
        ("alert-1", "alert-13", "invoice-question")
    );
}

#[test]
fn names_in_a_comparison_are_no_markup() {
    let mut report = fixture::report(fixture::header(3, 1), &[]);
    report.comparison = Some(compare::fixture::hostile());
    let page = page(&report, &[]);
    assert!(!page.contains("<img"), "{page}");
    assert!(!page.contains(['\u{1b}', '\u{202e}']));
    assert!(
        page.contains("&lt;img src=x onerror=alert(1)&gt;\\u{1b}[31m"),
        "{page}"
    );
}
