use std::fs;
use std::path::Path;

use insta::assert_snapshot;

use super::fixture::{hostile, too_few, two, unchanged, worse};
use super::*;
use crate::compare::Beside;
use crate::experiment::Attempt;
use crate::report::{comparison_markdown, comparison_terminal};
use crate::run::Run;

#[test]
fn the_first_screen_says_what_got_worse_and_where() {
    assert_snapshot!(comparison_terminal(&worse(), 80, false));
}

#[test]
fn what_did_not_change_takes_few_lines() {
    assert_snapshot!(comparison_terminal(&unchanged(), 100, false));
}

#[test]
fn too_few_examples_are_told_with_what_they_would_show() {
    assert_snapshot!(comparison_terminal(&too_few(), 80, false));
}

#[test]
fn a_pull_request_reads_the_answer_first() {
    assert_snapshot!(comparison_markdown(&worse()));
}

#[test]
fn colour_says_nothing_that_words_do_not() {
    for comparison in [worse(), unchanged(), too_few(), hostile()] {
        let plain = comparison_terminal(&comparison, 80, false);
        let coloured = comparison_terminal(&comparison, 80, true);
        assert_ne!(plain, coloured);
        assert_eq!(console::strip_ansi_codes(&coloured), plain);
    }
}

#[test]
fn hostile_names_harm_nothing() {
    let text = comparison_terminal(&hostile(), 80, false);
    assert!(!text.contains(['\u{1b}', '\u{202e}']), "{text}");
    let text = comparison_markdown(&hostile());
    assert!(!text.contains(['\u{1b}', '\u{202e}']), "{text}");
    for (place, _) in text.match_indices("<img") {
        let before = &text[..place];
        let line = before.rsplit('\n').next().unwrap();
        assert!(line.contains("`"), "not in a code span: {line}");
    }
    assert!(text.contains("<img"), "the name is shown");
}

#[test]
fn what_else_differs_is_told_to_its_end() {
    let mut comparison = unchanged();
    comparison.differences = vec![format!("the model is {}its successor", "now ".repeat(60))];
    let text = comparison_terminal(&comparison, 80, false);
    assert!(text.contains("its successor"), "{text}");
}

#[test]
fn json_carries_the_name_of_its_format() {
    let text = json(&worse());
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value["format"], FORMAT);
    assert_eq!(value["verdict"], "worse");
    assert_eq!(value["pairs"][0]["keys"][0]["measure"], "pass_rate");
    assert_eq!(value["pairs"][0]["keys"][0]["effect"], -0.08);
}

#[test]
fn too_little_scored_is_told_where_every_key_is_fine() {
    let mut comparison = unchanged();
    comparison.verdict = Verdict::CannotTell;
    comparison.pairs[0].verdict = Verdict::CannotTell;
    comparison.pairs[0].open = vec!["`a|b` of `after`: 9 of 10 attempts are scored".to_owned()];
    assert_eq!(
        headline(&comparison, |name| format!("<{name}>")),
        "CANNOT TELL: against <before> too little was scored: <a|b> of <after>: 9 of 10 attempts are scored"
    );
    // What got worse did, whatever was not scored.
    comparison.verdict = Verdict::Worse;
    comparison.pairs[0].keys[0].verdict = Verdict::Worse;
    let told = headline(&comparison, str::to_owned);
    assert!(told.starts_with("WORSE: "), "{told}");
}

#[test]
fn a_level_is_told_with_its_decimals() {
    let mut comparison = unchanged();
    for (alpha, held) in [(0.05, "95%"), (0.025, "97.5%"), (0.001, "99.9%")] {
        comparison.rule.alpha = alpha;
        comparison.looks = None;
        let told = legend(&comparison);
        assert!(told.contains(&format!("one by one at {held}. ")), "{told}");
        comparison.looks = Some(LooksTaken {
            taken: 1,
            of: 2,
            decided: true,
            spent: 0.0,
            level: alpha / 2.0,
            saved: 0,
        });
        let told = legend(&comparison);
        for words in [
            format!("by chance with {}% at most", alpha * 100.0),
            format!("others at {held}. "),
        ] {
            assert!(told.contains(&words), "{words}: {told}");
        }
    }
}

#[test]
fn points_have_a_sign_unless_they_are_none() {
    for (change, shown) in [
        (0.0, "0.0"),
        (-0.0001, "0.0"),
        (0.1234, "+12.3"),
        (-0.05, "−5.0"),
        (1.0, "+100.0"),
    ] {
        assert_eq!(points(change), shown, "{change}");
    }
}

fn told(
    reference: Option<Attempt<Run>>,
    candidate: Option<Attempt<Run>>,
    width: usize,
    color: bool,
) -> String {
    let beside = Beside {
        example: "invoice-question".to_owned(),
        reference_variant: "workflow@rules".to_owned(),
        candidate_variant: "workflow@rules".to_owned(),
        reference,
        candidate,
    };
    let options = BesideOptions {
        reference: "before",
        candidate: "after",
        width,
        color,
    };
    super::beside(&beside, options)
}

fn aside(width: usize, color: bool) -> String {
    let (reference, candidate) = two();
    told(Some(reference), Some(candidate), width, color)
}

#[test]
fn two_attempts_are_aligned_by_what_was_called() {
    assert_snapshot!(aside(80, false));
}

#[test]
fn with_room_the_calls_stand_in_two_columns() {
    assert_snapshot!(aside(110, false));
}

#[test]
fn the_signs_say_what_the_colours_do() {
    assert_eq!(
        console::strip_ansi_codes(&aside(80, true)),
        aside(80, false)
    );
    assert!(!aside(80, false).contains('\u{1b}'));
}

#[test]
fn an_attempt_that_one_side_has_not_is_said() {
    let (reference, _) = two();
    let text = told(Some(reference), None, 80, false);
    assert!(
        text.contains("after/workflow@rules: no such attempt"),
        "{text}"
    );
}

/// JSON must be what its published schema says. `UPDATE_SCHEMAS=1` publishes anew.
#[test]
fn the_published_schema_is_that_of_a_comparison() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/comparison.schema.json");
    let mut text = serde_json::to_string_pretty(&schema()).unwrap();
    text.push('\n');
    if std::env::var_os("UPDATE_SCHEMAS").is_some() {
        fs::write(&path, &text).unwrap();
    }
    assert!(
        fs::read_to_string(&path).unwrap_or_default() == text,
        "{} is not the schema of a comparison: run the tests with UPDATE_SCHEMAS=1",
        path.display()
    );
    let schema = serde_json::to_value(schema()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    for comparison in [worse(), unchanged(), too_few(), hostile()] {
        let value = serde_json::from_str(&json(&comparison)).unwrap();
        let errors: Vec<String> = validator
            .iter_errors(&value)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{errors:?}");
    }
}

#[test]
fn words_that_changed_together_stand_together() {
    for (old, new, shown) in [
        ("was paid on Monday.", "was paid", "was paid [−on Monday.−]"),
        ("one two three", "one 2 3", "one [−two three−]{+2 3+}"),
        ("same", "same", "same"),
        ("", "new", "{+new+}"),
        ("a\n\nb", "a\n\nc", "a\n\n[−b−]{+c+}"),
    ] {
        let words = super::aligned::words(old, new, 100);
        assert_eq!(super::beside::marked(&words), shown, "{old:?} {new:?}");
    }
}
