use super::*;
use crate::report::fixture;

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
