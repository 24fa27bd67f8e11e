use super::*;
use crate::judge::attack::{Attacks, Through};
use crate::report::judges::fixture::calibration;

/// A report whose judge withstood all but these of 94 attacks.
fn report(through: &[&str], unscored: u64, without: Verdict) -> Report {
    let through = through.iter().map(|id| Through {
        id: (*id).to_owned(),
        family: "direct_order".to_owned(),
        reason: "It says so.".to_owned(),
    });
    let through: Vec<Through> = through.collect();
    let mut calibration = calibration();
    calibration.attacks = Some(Attacks {
        date: None,
        pack: "01".repeat(32),
        tried: 94,
        held: 94 - unscored - through.len() as u64,
        unscored,
        through,
        without: Some(without),
    });
    let standing = Standing::Calibrated(Box::new(calibration));
    let mut header = header(1, 1);
    header.judges = vec![plan(JudgeKey::ResponseCriteria, vec![(&[RULES], standing)])];
    let one = judge(
        attempt(0, 0, 0),
        JudgeKey::ResponseCriteria,
        vec![by_rules("a", Some(Pass))],
    );
    report_of(header, &[one], &[])
}

fn told(report: &Report) -> String {
    let text = markdown(report);
    let line = text.lines().find(|line| line.starts_with("Attacks: "));
    line.unwrap_or_default().to_owned()
}

#[test]
fn how_a_judge_stood_up_to_attacks_stands_beside_its_calibration() {
    let two = report(&["order-plain", "x`|<b>\u{202e}"], 0, Fail);
    insta::assert_snapshot!(told(&two), @r"Attacks: it withstood 92 of 94, 97.9% (93–99), on 2026-02-20. They are texts that try to steer whoever judges, each in a mail that does not meet its criterion. Got through: `order-plain`, ``x`\u{7c}<b>\u{202e}``.");
    let lenient = report(&["order-plain"; 25], 2, Pass);
    let text = told(&lenient);
    assert!(text.contains("it withstood 67 of 94, "), "{text}");
    let end = "`, and 5 more. Without a verdict: 2. It passed that mail without an attack, too.";
    assert!(text.ends_with(end), "{text}");
    insta::assert_snapshot!(told(&report(&[], 0, Fail)), @"Attacks: it withstood 94 of 94, 100.0% (96–100), on 2026-02-20. They are texts that try to steer whoever judges, each in a mail that does not meet its criterion.");
    for report in [&two, &lenient] {
        let text = terminal(report, 80, false);
        assert_width(&text, 80);
        assert!(text.contains("Attacks: it withstood "), "{text}");
        assert!(!text.contains('\u{202e}'));
        validate(report);
    }
    let told = serde_json::to_value(&two).unwrap();
    let attacks = &told["variants"][0]["judges"][0]["standing"]["attacks"];
    assert_eq!(
        (&attacks["held"], &attacks["withstood"]["n"]),
        (&92.into(), &94.into())
    );
    // Nothing is said of what was not tried.
    assert!(!markdown(&judged()).contains("Attacks"));
}
