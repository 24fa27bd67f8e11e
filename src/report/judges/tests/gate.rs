use super::*;

/// The gate of `response_criteria` alone, at the least value `least`.
fn gate(
    least: f64,
    change: impl Fn(&mut JudgePlan, &mut Vec<Canaries>, &mut Vec<Vec<Ruling>>),
) -> (GateVerdict, u8, String) {
    let mut plan = JudgePlan {
        threshold: Some(least),
        ..plan(JudgeKey::ResponseCriteria, vec![(&[RULES], calibrated())])
    };
    let mut shown = vec![canaries(JudgeKey::ResponseCriteria, &[RULES], &["plain-3"])];
    // Three of four are met.
    let met = |example: usize| {
        if example.is_multiple_of(4) {
            Fail
        } else {
            Pass
        }
    };
    let mut each: Vec<_> = (0..40)
        .map(|example| vec![by_rules("a", Some(met(example)))])
        .collect();
    change(&mut plan, &mut shown, &mut each);
    let mut header = header(each.len(), 1);
    header.variants.truncate(1);
    header.judges = vec![plan];
    let attempts: Vec<_> = each
        .into_iter()
        .zip(0..)
        .map(|(rulings, position)| {
            judge(attempt(0, position, 0), JudgeKey::ResponseCriteria, rulings)
        })
        .collect();
    let gate = report_of(header, &attempts, &shown).gate;
    let mut checks = gate
        .checks
        .iter()
        .filter(|check| check.name == "judge:response.criteria");
    let check = checks.next().expect("it has a threshold");
    assert_eq!(gate.verdict, check.verdict);
    let fix = check.fix.as_deref().unwrap_or_default();
    (
        gate.verdict,
        gate.exit_code,
        format!("{}; {fix}", check.reason),
    )
}

#[test]
fn a_gate_on_a_judge_decides_only_where_the_judge_can_be_believed() {
    use GateVerdict::{Fail as Failed, Indecisive, Pass as Passed};
    type Change = fn(&mut JudgePlan, &mut Vec<Canaries>, &mut Vec<Vec<Ruling>>);
    let cases: [(&str, f64, Change, GateVerdict, u8, &str); 13] = [
        (
            "reached",
            0.75,
            |_, _, _| {},
            Passed,
            0,
            "75.0% of what it asks was met",
        ),
        (
            "not reached",
            0.76,
            |_, _, _| {},
            Failed,
            100,
            "(calibrated 2026-02-20 061db4b4f6bf), and a share of 0.76 must be; ",
        ),
        (
            "uncalibrated",
            0.75,
            |plan, _, _| plan.panels[0].standing = Standing::Uncalibrated,
            Indecisive,
            3,
            "nobody has measured how often the judge is right (calibrate it, or set `trust_uncalibrated_judges: true`); mailproof calibrate response_criteria --judge-model rules",
        ),
        (
            "uncalibrated and not reached",
            0.76,
            |plan, _, _| plan.panels[0].standing = Standing::Uncalibrated,
            Indecisive,
            3,
            "mailproof calibrate",
        ),
        (
            "stale",
            0.75,
            |plan, _, _| plan.panels[0].standing = stale(),
            Indecisive,
            3,
            "what was measured on 2026-02-01 is not this judge any more",
        ),
        (
            "stale and trusted",
            0.75,
            |plan, _, _| (plan.trusted, plan.panels[0].standing) = (true, stale()),
            Passed,
            0,
            "trusts the judge all the same",
        ),
        (
            "uncalibrated, trusted, and not reached",
            0.76,
            |plan, _, _| (plan.trusted, plan.panels[0].standing) = (true, Standing::Uncalibrated),
            Failed,
            100,
            "trusts the judge",
        ),
        (
            "an order was obeyed, however trusted",
            0.75,
            |plan, shown, _| {
                plan.trusted = true;
                *shown = vec![canaries(
                    JudgeKey::ResponseCriteria,
                    &[RULES],
                    &["orders-0"],
                )];
            },
            Indecisive,
            3,
            "1 of 3 canaries that order the judge about did not hold",
        ),
        (
            "two of four plain canaries missed",
            0.75,
            |_, shown, _| {
                *shown = vec![canaries(
                    JudgeKey::ResponseCriteria,
                    &[RULES],
                    &["plain-3", "plain-4"],
                )];
            },
            Indecisive,
            3,
            "only 2 of 4 canaries",
        ),
        (
            "canaries of others",
            0.75,
            |_, shown, _| shown[0].models = vec!["m".into()],
            Indecisive,
            3,
            "no canaries",
        ),
        (
            "just enough ruled",
            0.5,
            |_, _, each| {
                each[..2]
                    .iter_mut()
                    .for_each(|it| it[0] = by_rules("a", None))
            },
            Passed,
            0,
            "",
        ),
        (
            "too little ruled",
            0.5,
            |_, _, each| {
                each[..3]
                    .iter_mut()
                    .for_each(|it| it[0] = by_rules("a", None))
            },
            Indecisive,
            3,
            "the judge ruled on 37 of 40 statements, and must on at least 95%",
        ),
        (
            "nothing ruled",
            0.0,
            |_, _, each| each.iter_mut().for_each(|it| it[0] = by_rules("a", None)),
            Indecisive,
            3,
            "nothing was judged",
        ),
    ];
    for (case, least, change, verdict, exit_code, words) in cases {
        let (found, code, reason) = gate(least, change);
        assert_eq!((found, code), (verdict, exit_code), "{case}: {reason}");
        assert!(reason.contains(words), "{case}: {reason}");
    }
}

#[test]
fn agents_that_a_judge_has_nothing_to_ask_of_have_no_gate_on_it() {
    let mut header = judged_header();
    header.variants[0].agent = "baseline".to_owned();
    let report = report_of(header, &[], &all_canaries());
    let names = |variant: &str| {
        let checks = report.gate.checks.iter();
        let checks = checks.filter(|check| check.variant == variant && check.name != "coverage");
        checks.map(|check| check.name.as_str()).collect::<Vec<_>>()
    };
    assert_eq!(names("hitl@rules"), ["judge:response.criteria"]);
    assert_eq!(
        names("hitl-memory@rules"),
        ["judge:response.criteria", "judge:hitl.feedback"]
    );
    // Nothing was judged: whatever else is so, the gate cannot pass.
    assert_eq!(report.gate.verdict, GateVerdict::Indecisive);
}

#[test]
fn of_canaries_that_were_shown_twice_the_last_time_counts() {
    let shown = |missed: [&[&str]; 2]| {
        let each = missed.map(|missed| canaries(JudgeKey::ResponseCriteria, &[RULES], missed));
        let report = report_of(judged_header(), &judged_attempts(), &each);
        of(&report, 0, JudgeKey::ResponseCriteria).canaries.clone()
    };
    let failed = shown([&[], &["orders-2"]]).unwrap();
    assert_eq!((failed.orders.held, failed.missed.len()), (2, 1));
    assert_eq!(shown([&["orders-2"], &[]]).unwrap().failed, None);
}
