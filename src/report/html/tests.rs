use super::*;
use crate::compare::{Comparison, Flip, Pair};
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
fn a_table_that_is_too_long_keeps_what_failed_and_says_what_it_leaves_out() {
    let report = fixture::report(fixture::header(3, 1), &[]);
    let mut survey = Survey::default();
    for position in 0..4_000 {
        let mut attempt = fixture::attempt(0, position, 0);
        attempt.case.example = format!("{position}-{}", "x".repeat(1_000));
        survey.push(&match position {
            3_998 => fixture::decides(attempt, None),
            _ => attempt,
        });
    }
    let redactor = Redactor::new([]);
    let page = Page::new(&report, survey, None, &redactor);
    let (rows, left_out) = page.rows();
    let rows: Vec<Json> = serde_json::from_str(&rows).unwrap();
    assert!((2_000..3_000).contains(&rows.len()), "{}", rows.len());
    assert_eq!(rows.len() + left_out, 4_000);
    let places: Vec<u64> = rows.iter().map(|row| row["at"].as_u64().unwrap()).collect();
    assert!(places.is_sorted() && places.ends_with(&[3_998]));
    let told = page.room(left_out).to_string();
    let leaves = format!(
        "The table leaves out {} cases for want of room",
        figures::count(left_out as u64)
    );
    assert!(told.contains(&leaves), "{told}");
    assert!(!page.room(0).to_string().contains("leaves out"));
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

/// Flips of two pairs of variants: `alert-1` to `alert-13` and more.
fn flipped() -> Comparison {
    let mut comparison = compare::fixture::worse();
    let mut other = comparison.pairs[0].clone();
    other.reference = "hitl@rules".to_owned();
    other.candidate = "hitl@rules".to_owned();
    other.flips.truncate(2);
    comparison.pairs.push(other);
    comparison
}

/// What both sides did at each example that is wanted, `grow` characters more each.
fn besides(comparison: &Comparison, grow: usize) -> Vec<Beside> {
    let besides = wanted(comparison).into_iter().enumerate();
    besides
        .map(|(number, wanted)| {
            let (mut reference, mut candidate) = compare::fixture::two();
            candidate.case.position = number as u32;
            candidate.case.variant = u32::from(wanted.candidate_variant == "hitl@rules");
            // No text is another's, so that none is shared.
            reference.runs[0].error = Some(format!("{number}:{}", "x".repeat(grow)));
            Beside {
                example: wanted.example,
                reference_variant: wanted.reference_variant,
                candidate_variant: wanted.candidate_variant,
                reference: Some(reference),
                candidate: Some(candidate),
            }
        })
        .collect()
}

#[test]
fn the_worst_flips_of_every_pair_are_wanted_first() {
    let comparison = flipped();
    let wanted = wanted(&comparison);
    let told: Vec<(&str, &str)> = wanted
        .iter()
        .take(5)
        .map(|it| (it.candidate_variant.as_str(), it.example.as_str()))
        .collect();
    assert_eq!(
        told,
        [
            ("workflow@rules", "alert-1"),
            ("hitl@rules", "alert-1"),
            ("workflow@rules", "alert-2"),
            ("hitl@rules", "alert-2"),
            ("workflow@rules", "alert-3"),
        ]
    );
    assert_eq!(wanted.len(), 16);
}

#[test]
fn flips_that_there_is_no_room_for_are_counted() {
    let redactor = Redactor::new([]);
    let mut comparison = flipped();
    for (most, kept, words) in [
        (
            usize::MAX,
            16,
            "16 flips: open an example to see both sides, aligned.",
        ),
        (
            50_000,
            4,
            "Both sides of 4 of 16 flips are on this page, the worst of each pair of variants first;",
        ),
        (0, 0, "The journal of the reference is not here:"),
    ] {
        let mut flips = Flips::new(Some(&comparison), most);
        let beside: Vec<_> = besides(&comparison, 10_000)
            .iter()
            .filter_map(|beside| flips.push(beside, &redactor))
            .collect();
        assert_eq!(flips.kept().len(), kept, "{most}");
        assert_eq!(
            beside.len() as u64,
            kept,
            "each names the attempt it stands beside"
        );
        assert!(flips.kept().size() <= most);
        let told = flips.room().unwrap();
        assert!(told.starts_with(words), "{told}");
    }
    comparison.reference.file = Some("mailproof-reference.jsonl".to_owned());
    let told = Flips::new(Some(&comparison), 0).room().unwrap();
    assert!(
        told.starts_with("The reference is a file of scores"),
        "{told}"
    );
    let unchanged = compare::fixture::unchanged();
    assert_eq!(Flips::new(Some(&unchanged), 0).room(), None);
}

#[test]
fn both_sides_of_a_flip_are_data_and_no_markup() {
    let mut report = fixture::report(fixture::header(24, 3), &fixture::attempts());
    report.comparison = Some(flipped());
    let redactor = Redactor::new(["hunter2 hunter2".to_owned()]);
    let mut page = Page::new(&report, Survey::default(), None, &redactor);
    let hostile = "</script><img src=x onerror=alert(1)>\u{1b}[2J\u{202e} hunter2 hunter2";
    let mut beside = besides(report.comparison.as_ref().unwrap(), 0).swap_remove(0);
    for side in [&mut beside.reference, &mut beside.candidate] {
        let run = &mut side.as_mut().unwrap().runs[0];
        let calls = run.messages.iter_mut().flat_map(|it| &mut it.tool_calls);
        for call in calls.filter(|call| call.arguments["to"].is_string()) {
            call.arguments["subject"] = json!(format!("{} {hostile}", call.arguments["to"]));
        }
    }
    page.flip(&beside);
    let mut text = Vec::new();
    page.write(&mut text).unwrap();
    let text = String::from_utf8(text).unwrap();
    let (_, flip) = text.split_once("id=\"f0-0\">").unwrap();
    let (flip, _) = flip.split_once("</script>").unwrap();
    assert!(
        !flip.contains('<') && !flip.contains(['\u{1b}', '\u{202e}']),
        "{flip}"
    );
    assert!(!text.contains("hunter2"), "{flip}");
    let flip: Json = serde_json::from_str(flip).unwrap();
    let rows = flip["aligned"]["emails"][0]["calls"].as_array().unwrap();
    let is: Vec<&str> = rows.iter().map(|row| row["is"].as_str().unwrap()).collect();
    assert_eq!(is, ["gone", "changed", "came", "same"]);
    let arguments = rows[1]["arguments"].as_array().unwrap();
    let names: Vec<&Json> = arguments.iter().map(|it| &it["name"]).collect();
    assert_eq!(names, ["to", "subject", "content"]);
    let (to, subject) = (&arguments[0]["words"], &arguments[1]["words"]);
    assert_eq!(
        to["parts"],
        json!([["-", "ana@northwind.example"], ["+", "ana@northwind.test"]])
    );
    let shown = subject["parts"][2][1].as_str().unwrap();
    assert!(
        shown.starts_with(" </script><img src=x onerror=alert(1)>\\u{1b}[2J"),
        "{shown}"
    );
    assert_eq!(flip["reference"]["summary"]["verdict"], "passed");
    assert_eq!(flip["candidate"], json!([0, 1]));
}

#[test]
fn a_page_of_many_long_flips_is_bounded() {
    let examples = 2_000;
    let report = {
        let mut report = fixture::report(fixture::header(24, 3), &fixture::attempts());
        let mut comparison = compare::fixture::worse();
        let flip = comparison.pairs[0].flips[0].clone();
        let flips = (0..examples).map(|number| Flip {
            example: format!("example-{number}"),
            ..flip.clone()
        });
        comparison.pairs[0].flips = flips.collect();
        let pair = comparison.pairs[0].clone();
        comparison.pairs = (0..4)
            .map(|number| Pair {
                candidate: format!("{number}@rules"),
                ..pair.clone()
            })
            .collect();
        report.comparison = Some(comparison);
        report
    };
    let redactor = Redactor::new([]);
    let mut survey = Survey::default();
    let attempt = |position: u32, variant: u32| {
        let (_, mut attempt) = compare::fixture::two();
        attempt.case.example = format!("example-{position}");
        attempt.case.position = position;
        attempt.case.variant = variant;
        attempt.runs[0].error = Some(format!("{position}-{variant} {}", "why ".repeat(600)));
        attempt
    };
    let all = || (0..examples).flat_map(|position| (0..4).map(move |it| (position, it)));
    all().for_each(|(position, variant)| survey.push(&attempt(position, variant)));
    let mut page = Page::new(&report, survey, None, &redactor);
    for beside in besides(report.comparison.as_ref().unwrap(), 15_000) {
        page.flip(&beside);
    }
    all().for_each(|(position, variant)| page.push(&attempt(position, variant)));
    let mut text = Vec::new();
    page.write(&mut text).unwrap();
    assert!(text.len() < 20_000_000, "{}", text.len());
    let kept = page.flips.kept();
    assert!(kept.len() > 100 && kept.left_out() > 100, "{}", kept.len());
}

fn earlier(report: &Report) -> Earlier {
    let mut before: Vec<Report> = (1..=4).map(|_| report.clone()).collect();
    for (number, report) in before.iter_mut().enumerate() {
        report.experiment = format!("night-{}", number + 1);
        for variant in &mut report.variants {
            variant.pass_rate.value = Some(0.5 + number as f64 / 20.0);
        }
    }
    before[1].variants.truncate(1);
    before[0].experiment = "<img src=x>\u{1b}[2J\u{202e}".to_owned();
    Earlier::of(report, &before, 2, 1).unwrap()
}

#[test]
fn earlier_experiments_stand_in_a_section_of_their_own() {
    let report = fixture::report(fixture::header(24, 3), &fixture::attempts());
    let earlier = earlier(&report);
    let redactor = Redactor::new([]);
    let page = Page::new(&report, Survey::default(), Some(&earlier), &redactor);
    let mut text = Vec::new();
    page.write(&mut text).unwrap();
    let text = String::from_utf8(text).unwrap();
    let (_, section) = text.split_once("<section id=\"history\"").unwrap();
    let (section, _) = section.split_once("</section>").unwrap();
    for told in [
        "4 earlier experiments over the same cases of",
        "1. <code>&lt;img src=x&gt;\\u{1b}[2J\\u{202e}</code>",
        "4. <code>night-4</code>",
        " (this one)</th>",
        "<td>50.0%</td><td>50.0%</td>",
        // One variant was not there.
        "<td>55.0%</td><td>–</td>",
        "aria-label=\"Pass rate over 5 experiments. ",
        "50.0% at first, ",
        "between 50.0% and",
        "2 older ones are not shown. 1 experiment cannot be read",
    ] {
        assert!(section.contains(told), "{told} in {section}");
    }
    assert!(!section.contains("<img"));

    let page = self::page(&report, &[]);
    assert!(!page.contains("id=\"history\""), "nothing came before");
}
