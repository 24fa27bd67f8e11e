//! Every form of a gate, decided in every way.

use serde_json::json;

use super::*;
use crate::experiment::Attempt;
use crate::experiment::gate::{Condition, Deeds, Gates};
use crate::report::Fold;
use crate::report::fixture::{attempt, decides, ends, environment, header, report};
use crate::run::{Outcome, TokenUsage};
use GateVerdict::{Fail, Indecisive as Open, Pass};

fn condition(yaml: &str) -> Condition {
    serde_yaml::from_str_with_options(yaml, serde_yaml::options! { strict_booleans: true })
        .unwrap_or_else(|error| panic!("{yaml}: {error}"))
}

fn gates(conditions: &[&str]) -> Gates {
    Gates {
        conditions: conditions.iter().map(|yaml| condition(yaml)).collect(),
        ..Gates::default()
    }
}

/// Of 20 examples, tried `repeat` times by one variant: those of `wrong` (position, repeat)
/// failed, those of `spoiled` were not scored. The last four are of the tag `billing`.
fn attempts(repeat: u32, wrong: &[(u32, u32)], spoiled: &[(u32, u32)]) -> Vec<Attempt<()>> {
    let mut attempts = Vec::new();
    for position in 0..20 {
        for number in 0..repeat {
            let mut made = attempt(0, position, number);
            if position >= 16 {
                made.tags.push("billing".to_owned());
            }
            let place = (position, number);
            attempts.push(if spoiled.contains(&place) {
                ends(made, Outcome::Provider, "503")
            } else if wrong.contains(&place) {
                decides(made, None)
            } else {
                made
            });
        }
    }
    attempts
}

/// The check of a gate, of the only variant.
fn check(yaml: &str, repeat: u32, attempts: &[Attempt<()>]) -> Check {
    let mut header = header(20, repeat);
    header.variants.truncate(1);
    header.gates = gates(&[yaml]);
    let name = header.gates.conditions[0].to_string();
    let gate = report(header, attempts).gate;
    let mut checks = gate.checks.into_iter().filter(|check| check.name == name);
    let found = checks.next().unwrap_or_else(|| panic!("no check {name}"));
    assert_eq!(checks.next(), None);
    found
}

#[test]
fn a_figure_reaches_its_limit_or_does_not() {
    let six_wrong: Vec<(u32, u32)> = (12..18).map(|position| (position, 0)).collect();
    let attempts = attempts(1, &six_wrong, &[]);
    for (yaml, verdict, reason) in [
        ("pass_rate >= 0.7", Pass, "0.7 (n = 20, 95% interval "),
        ("pass_rate >= 0.71", Fail, "; at least 0.71 is wanted"),
        ("triage.accuracy >= 0.7", Pass, "0.7 (n = 20"),
        // Half of the four with the tag failed, and none of the others.
        ("'triage.accuracy[tag:billing] >= 0.5'", Pass, "0.5 (n = 4,"),
        ("'pass_rate[tag:billing] >= 0.6'", Fail, "0.5 (n = 4,"),
        ("'pass_rate[dev] >= 0.6'", Pass, "(n = 7,"),
        ("'triage.macro_f1[test] >= 0.99'", Fail, "(n = 13,"),
        ("triage.cost <= 1", Pass, "at most 1 is wanted"),
        ("'triage.cost[test] <= 0'", Fail, "at most 0 is wanted"),
        (
            "coverage >= 1",
            Pass,
            "20 of 20 planned attempts scored (1)",
        ),
        (
            "latency_ms.max <= 1.4",
            Pass,
            " ms; at most 1.4 ms is wanted",
        ),
        ("latency_ms.max <= 1.3", Fail, "1.35 ms"),
        ("latency_ms.p50 <= 0.1", Fail, " ms"),
        ("cost_usd <= 0", Pass, "0 USD for all attempts"),
        // Nobody scored it, or nothing is there that could be.
        (
            "tool_calls.recall >= 0",
            Open,
            "nothing was scored under `tool_calls.recall`",
        ),
        (
            "hitl.pass >= 0",
            Open,
            "nothing was scored under `hitl.pass`",
        ),
        (
            "'pass_rate[tag:nobody] >= 0'",
            Open,
            "nothing was scored under `pass_rate` in `[tag:nobody]`",
        ),
    ] {
        let check = check(yaml, 1, &attempts);
        assert_eq!(check.verdict, verdict, "{yaml}: {}", check.reason);
        assert!(check.reason.contains(reason), "{yaml}: {}", check.reason);
    }
}

#[test]
fn a_limit_of_many_decimals_is_met_by_the_figure_that_it_is() {
    let wrong: Vec<(u32, u32)> = (0..20).filter(|it| it % 3 == 0).map(|it| (it, 0)).collect();
    // 13 of the 13 in `test`, none of the 7 in `dev`; all of them: 0.65.
    for (limit, verdict) in [("0.65", Pass), ("0.6500004", Pass), ("0.650001", Fail)] {
        let yaml = format!("pass_rate >= {limit}");
        assert_eq!(
            check(&yaml, 1, &attempts(1, &wrong, &[])).verdict,
            verdict,
            "{limit}"
        );
    }
}

#[test]
fn what_costs_is_held_to_a_ceiling_where_it_is_known() {
    let priced = |cost: Option<f64>| {
        let mut attempts = attempts(1, &[], &[]);
        for attempt in &mut attempts {
            attempt.usage = crate::run::Usage::default();
            let cost = cost.map(|usd| crate::run::Cost::try_from(usd).unwrap());
            let tokens = TokenUsage {
                cost,
                ..TokenUsage::default()
            };
            attempt.usage.record(crate::run::ModelRole::Agent, tokens);
        }
        attempts
    };
    for (yaml, cost, verdict, reason) in [
        (
            "cost_usd <= 2.0",
            Some(0.1),
            Pass,
            "2.00 USD for all attempts; at most 2 USD is wanted",
        ),
        ("cost_usd <= 1.99", Some(0.1), Fail, "2.00 USD"),
        (
            "cost_usd.attempt <= 0.1",
            Some(0.1),
            Pass,
            "0.10 USD for an attempt on average",
        ),
        ("cost_usd.attempt <= 0.09", Some(0.1), Fail, "0.10 USD"),
        (
            "cost_usd <= 2",
            None,
            Open,
            "the price of a model that took part is not known",
        ),
        (
            "cost_usd.attempt <= 2",
            None,
            Open,
            "state it under `prices`",
        ),
    ] {
        let check = check(yaml, 1, &priced(cost));
        assert_eq!(check.verdict, verdict, "{yaml}: {}", check.reason);
        assert!(check.reason.contains(reason), "{yaml}: {}", check.reason);
    }
    let none = check("cost_usd <= 0", 1, &[]);
    assert_eq!(
        (none.verdict, &*none.reason),
        (Open, "no attempt was made, so nothing was paid")
    );
    assert_eq!(check("latency_ms.max <= 0", 1, &[]).verdict, Open);
    assert_eq!(check("coverage >= 0.5", 1, &[]).verdict, Fail);
}

#[test]
fn a_bound_decides_only_where_the_whole_interval_does() {
    let six_wrong: Vec<(u32, u32)> = (0..6).map(|position| (position, 0)).collect();
    let attempts = attempts(1, &six_wrong, &[]);
    // Wilson's interval of 14 in 20 is 0.481 to 0.855.
    for (limit, verdict) in [
        (0.48, Pass),
        (0.49, Open),
        (0.7, Open),
        (0.85, Open),
        (0.86, Fail),
    ] {
        let yaml = format!("{{ check: 'triage.accuracy >= {limit}', bound: true }}");
        let check = check(&yaml, 1, &attempts);
        assert_eq!(check.verdict, verdict, "{limit}: {}", check.reason);
        assert!(
            check.reason.contains("the whole interval must be at least"),
            "{}",
            check.reason
        );
    }
    // What is better the lower it is, is held by its upper end.
    for (limit, verdict) in [(1.0, Pass), (0.0, Fail)] {
        let yaml = format!("{{ check: 'triage.cost <= {limit}', bound: true }}");
        let check = check(&yaml, 1, &attempts);
        assert_eq!(check.verdict, verdict, "{limit}: {}", check.reason);
    }
}

#[test]
fn cases_must_pass_as_often_as_the_policy_says() {
    // Two cases failed once, one twice, one always; and of another an attempt was not scored.
    let wrong = [(0, 0), (1, 2), (2, 0), (2, 1), (3, 0), (3, 1), (3, 2)];
    let attempts = attempts(3, &wrong, &[(4, 1)]);
    for (yaml, verdict, reason) in [
        (
            "{ cases: all, at_least: 0.75 }",
            Pass,
            "a share from 0.75 to 0.8 of 20 cases does, since 1 were not scored often enough to tell; a share of at least 0.75 is wanted",
        ),
        ("{ cases: all, at_least: 0.78 }", Open, "from 0.75 to 0.8"),
        ("{ cases: all, at_least: 0.81 }", Fail, "from 0.75 to 0.8"),
        (
            "{ cases: majority, at_least: 0.9 }",
            Pass,
            "a share of 0.9 of 20 cases does",
        ),
        (
            "{ cases: majority, at_least: 0.91 }",
            Fail,
            "a share of 0.9 of 20",
        ),
        ("{ cases: 1 of 3, at_least: 0.95 }", Pass, "0.95 of 20"),
        ("{ cases: 2 of 3, at_least: 0.95 }", Fail, "0.9 of 20"),
        (
            "{ cases: pass^3, at_least: 0.75 }",
            Pass,
            "from 0.75 to 0.8",
        ),
        (
            "{ cases: pass^2, at_least: 0.83 }",
            Pass,
            "a share of 0.8333 of 20 cases",
        ),
        (
            "{ cases: pass^1, at_least: 0.9 }",
            Fail,
            "a share of 0.8833 of 20 cases",
        ),
        (
            "{ cases: all, at_least: 1, tag: billing }",
            Pass,
            "a share of 1 of 4 cases does",
        ),
        (
            "{ cases: all, at_least: 0.8, split: dev }",
            Fail,
            "of 7 cases does",
        ),
        (
            "{ cases: all, at_least: 0, tag: nobody }",
            Open,
            "there are no such cases",
        ),
        (
            "{ cases: pass^4, at_least: 0.1 }",
            Open,
            "4 attempts at each case tell, and the plan has 3",
        ),
    ] {
        let check = check(yaml, 3, &attempts);
        assert_eq!(check.verdict, verdict, "{yaml}: {}", check.reason);
        assert!(check.reason.contains(reason), "{yaml}: {}", check.reason);
    }
    let more = check("{ cases: 3 of 5, at_least: 1 }", 3, &attempts);
    assert_eq!(more.fix.as_deref(), Some("mailproof run --repeat 5"));
    // Cases that nobody tried might be of any tag.
    let half = check(
        "{ cases: all, at_least: 0.5, tag: billing }",
        3,
        &attempts[..30],
    );
    assert_eq!(half.verdict, Open, "{}", half.reason);
}

#[test]
fn a_critical_case_may_never_fail() {
    // Where a case was tried by nobody, its tags are not known.
    let mut tried = attempts(1, &[], &[]);
    tried.retain(|attempt| attempt.case.example != "example-19");
    for (yaml, verdict, reason) in [
        (
            "{ critical: { tags: [billing] } }",
            Open,
            "1 case that may have such a tag not scored in every attempt",
        ),
        ("{ critical: { ids: [example-0] } }", Pass, "all 1 attempt"),
    ] {
        let check = check(yaml, 1, &tried);
        assert_eq!(check.verdict, verdict, "{yaml}: {}", check.reason);
        assert!(check.reason.contains(reason), "{yaml}: {}", check.reason);
    }
    let wrong = [(3, 1), (17, 0), (17, 1), (17, 2)];
    let attempts = attempts(3, &wrong, &[(16, 0), (18, 2)]);
    for (yaml, verdict, reason) in [
        (
            "{ critical: { ids: [example-0, example-1] } }",
            Pass,
            "all 6 attempts at 2 critical cases passed",
        ),
        (
            "{ critical: { ids: [example-0, example-3] } }",
            Fail,
            "`example-3` failed 1 of 3 attempts; none of 2 critical cases may ever fail",
        ),
        (
            "{ critical: { tags: [billing] } }",
            Fail,
            "`example-17` failed 3 of 3 attempts; none of 4 critical",
        ),
        (
            "{ critical: { ids: [example-16] } }",
            Open,
            "`example-16` not scored in every attempt",
        ),
        (
            "{ critical: { ids: [example-0, unheard-of] } }",
            Open,
            "`unheard-of` not scored",
        ),
        (
            "{ critical: { tags: [unheard-of] } }",
            Open,
            "anything with the tag `unheard-of` not scored",
        ),
        (
            "{ critical: { ids: [example-18], tags: [unheard-of] } }",
            Open,
            "`example-18`, anything with",
        ),
    ] {
        let check = check(yaml, 3, &attempts);
        assert_eq!(check.verdict, verdict, "{yaml}: {}", check.reason);
        assert!(check.reason.contains(reason), "{yaml}: {}", check.reason);
    }
    let check = check("{ critical: { tags: [work] } }", 3, &attempts);
    assert!(
        check
            .reason
            .starts_with("`example-17` failed 3 of 3 attempts, `example-3` failed 1 of 3"),
        "{}",
        check.reason
    );
    assert_eq!(
        check.fix.unwrap(),
        "mailproof show 2026-03-02-1015-abc1234/baseline@rules example-17"
    );
    let attempts = attempts_of_three();
    let check = super::tests::check("{ critical: { ids: [example-3] } }", 3, &attempts);
    assert_eq!(
        check.fix.unwrap(),
        "mailproof show 2026-03-02-1015-abc1234/baseline@rules example-3 --attempt 2"
    );
}

/// Example 3 failed at its second attempt.
fn attempts_of_three() -> Vec<Attempt<()>> {
    attempts(3, &[(3, 1)], &[])
}

/// Attempts that each wrote an email to somebody.
fn deeds(attempts: Vec<Attempt<()>>, to: impl Fn(u32) -> &'static str) -> Vec<Attempt<Deeds>> {
    let with = |attempt: Attempt<()>| {
        let to = to(attempt.case.position);
        let mut value = serde_json::to_value(&attempt).unwrap();
        value["runs"] = json!([{ "steps": [
            { "tool": { "name": "write_email", "arguments": { "to": to }, "status": "executed" } }
        ] }]);
        serde_json::from_value(value).unwrap()
    };
    attempts.into_iter().map(with).collect()
}

#[test]
fn what_is_forbidden_may_be_done_in_no_attempt() {
    let header = |yaml: &str| {
        let mut header = header(20, 1);
        header.variants.truncate(1);
        header.gates = gates(&[yaml]);
        header
    };
    let judge = |yaml: &str, attempts: &[Attempt<Deeds>], watched: usize| {
        let header = header(yaml);
        let environment = environment(&header);
        let mut fold = Fold::new(header);
        assert!(fold.looks_at_deeds());
        for (number, attempt) in attempts.iter().enumerate() {
            if number < watched {
                fold.watch(attempt);
            }
            fold.push(attempt).unwrap();
        }
        let mut gate = fold.finish(&[], environment).gate;
        gate.checks.pop().unwrap()
    };
    let eve = |position| match position {
        4 | 7 => "Eve <eve@evil.example>",
        _ => "ana@ok.example",
    };
    // An attempt that infrastructure spoiled did what it did.
    let attempts = deeds(attempts(1, &[], &[(4, 0)]), eve);
    let recipients = "{ forbidden: { recipients: ['*@evil.example'] } }";
    let found = judge(recipients, &attempts, 20);
    assert_eq!(found.verdict, Fail);
    assert_eq!(
        found.reason,
        "`write_email to eve@evil.example` in attempt 1 at `example-4`, and such in 1 other attempt; none of 20 attempts may"
    );
    assert_eq!(
        found.fix.as_deref(),
        Some("mailproof show 2026-03-02-1015-abc1234/baseline@rules example-4")
    );
    let tools = judge("{ forbidden: { tools: [write_email] } }", &attempts, 20);
    assert!(
        tools
            .reason
            .contains("`called write_email` in attempt 1 at `example-0`, and such in 19 other"),
        "{}",
        tools.reason
    );
    for (yaml, watched, verdict, reason) in [
        (
            "{ forbidden: { recipients: ['*@other.example'], tools: [schedule_meeting] } }",
            20,
            Pass,
            "nothing of it was done in 20 attempts",
        ),
        (
            "{ forbidden: { tools: [schedule_meeting] } }",
            19,
            Open,
            "the trajectories were not looked at",
        ),
    ] {
        let check = judge(yaml, &attempts, watched);
        assert_eq!(check.verdict, verdict, "{yaml}");
        assert_eq!(check.reason, reason);
    }
    assert_eq!(judge(recipients, &[], 0).reason, "no attempt was made");
    let mut backwards = attempts.clone();
    backwards.reverse();
    assert_eq!(judge(recipients, &backwards, 20), found);
}

#[test]
fn a_gate_looks_at_the_variants_it_is_for_and_counts_as_it_says() {
    let mut header = header(20, 1);
    header.gates = gates(&[
        "{ check: pass_rate >= 0.5, variant: workflow@rules }",
        "{ check: hitl.pass >= 0.5, indecisive: pass }",
        "{ check: memory.pass >= 0.5, variant: baseline@rules }",
    ]);
    let all: Vec<_> = (0..2)
        .flat_map(|variant| (0..20).map(move |position| attempt(variant, position, 0)))
        .collect();
    let shown = |header: Header| {
        let gate = report(header, &all).gate;
        let checks = gate.checks.iter().filter(|check| check.name != COVERAGE);
        let lines = checks.map(|check| {
            format!(
                "{} {} {}",
                check.variant,
                check.name,
                verdict::check_verdict(check)
            )
        });
        (gate.verdict, gate.exit_code, lines.collect::<Vec<_>>())
    };
    let base = [
        "baseline@rules hitl.pass >= 0.5 indecisive (counts as passed)",
        "baseline@rules memory.pass >= 0.5 indecisive",
        "workflow@rules pass_rate >= 0.5 passed",
        "workflow@rules hitl.pass >= 0.5 indecisive (counts as passed)",
    ];
    assert_eq!(
        shown(header.clone()),
        (Open, 3, base.map(str::to_owned).to_vec())
    );
    header.gates.indecisive = Indecisive::Fail;
    let mut failing = base.map(str::to_owned).to_vec();
    failing[1].push_str(" (counts as failed)");
    assert_eq!(shown(header.clone()), (Fail, 100, failing));
    header.gates.indecisive = Indecisive::Pass;
    let (verdict, exit_code, _) = shown(header.clone());
    assert_eq!((verdict, exit_code), (Pass, 0));
    // That too little was scored is no matter of taste.
    let gate = report(header, &all[..30]).gate;
    assert_eq!((gate.verdict, gate.exit_code), (Open, 3));
}

#[test]
fn the_first_screen_names_what_failed_and_what_got_worse_before_it() {
    use super::fixture::{comparison, pair};
    use crate::compare::Verdict;
    use crate::report::{markdown, terminal};
    let mut header = header(20, 1);
    header.variants.truncate(1);
    header.gates = gates(&[
        "'pass_rate[tag:bill`ing\u{202e}] >= 0.9'",
        "triage.accuracy >= 0.9",
    ]);
    let six_wrong: Vec<(u32, u32)> = (12..18).map(|position| (position, 0)).collect();
    let mut report = report(header, &attempts(1, &six_wrong, &[]));
    insta::assert_snapshot!(gates_lines(&report), @r"
    FAILED: 1 of 3 checks failed: triage.accuracy >= 0.9
    passed: coverage of baseline@rules: 20 of 20 attempts scored (0 ended in errors, 0 were not made); at least 95% must be
    indecisive: pass_rate[tag:bill`ing\u{202e}] >= 0.9 of baseline@rules: nothing was scored under `pass_rate` in `[tag:bill'ing\u{202e}]`
    failed: triage.accuracy >= 0.9 of baseline@rules: 0.7 (n = 20, 95% interval 0.481 to 0.8545); at least 0.9 is wanted
    ");
    report.compared(
        comparison(vec![pair("baseline@rules", Verdict::Worse, -0.13)]),
        Indecisive::Exit,
    );
    assert_eq!((report.gate.verdict, report.gate.exit_code), (Fail, 101));
    let first = |text: String, lines| text.lines().take(lines).collect::<Vec<_>>().join("\n");
    insta::assert_snapshot!(first(terminal(&report, 80, false), 14), @r"
    FAILED: triage and response of 1 variant on 20 examples of email; all 20
      attempts scored; 2 of 4 checks failed: regression, triage.accuracy >= 0.9
      failed: regression of baseline@rules: against `main`, pass_rate 84.0% → 71.0%,
        −13.0 points (−17.0 to −8.0; drops of 6.1 points would show); a drop of 5
        points or more is a regression; `billing` got worse most (−40.0 points, 12
        examples); of 200 examples 2 got worse (`invoice-1`, `invoice-2`) and 1
        better; to do: mailproof compare main/baseline@rules change/baseline@rules
      failed: triage.accuracy >= 0.9 of baseline@rules: 0.7 (n = 20, 95% interval
        0.481 to 0.8545); at least 0.9 is wanted
      indecisive: pass_rate[tag:bill`ing\u{202e}] >= 0.9 of baseline@rules: nothing
        was scored under `pass_rate` in `[tag:bill'ing\u{202e}]`
      dataset 0123456789ab · labelled by author (20) · 1 attempt per example ·
      seed 0
    ");
    insta::assert_snapshot!(first(markdown(&report), 8), @r"
    # mailproof report

    **FAILED: triage and response of 1 variant on 20 examples of `email`; all 20 attempts scored; 2 of 4 checks failed: `regression`, `triage.accuracy >= 0.9`**

    - failed: `regression` of `baseline@rules`: against `main`, pass_rate 84.0% → 71.0%, −13.0 points (−17.0 to −8.0; drops of 6.1 points would show); a drop of 5 points or more is a regression; `billing` got worse most (−40.0 points, 12 examples); of 200 examples 2 got worse (`invoice-1`, `invoice-2`) and 1 better; to do: `mailproof compare main/baseline@rules change/baseline@rules`
    - failed: `triage.accuracy >= 0.9` of `baseline@rules`: 0.7 (n = 20, 95% interval 0.481 to 0.8545); at least 0.9 is wanted
    - indecisive: ``pass_rate[tag:bill`ing\u{202e}] >= 0.9`` of `baseline@rules`: nothing was scored under `pass_rate` in `[tag:bill'ing\u{202e}]`
    ");
    // Compared again, it says so once.
    report.compared(
        comparison(vec![pair("baseline@rules", Verdict::Better, 0.13)]),
        Indecisive::Exit,
    );
    let regressions = report
        .gate
        .checks
        .iter()
        .filter(|check| check.name == REGRESSION);
    assert_eq!(regressions.count(), 1);
    assert_eq!(report.gate.exit_code, 100);
}

fn gates_lines(report: &Report) -> String {
    super::gates(report, false)
}

#[test]
fn the_gate_fails_before_it_is_indecisive() {
    let passing = |number: usize| -> Vec<Attempt<()>> {
        (0..20)
            .map(|position| {
                let attempt = attempt(0, position, 0);
                if (position as usize) < number {
                    attempt
                } else {
                    decides(attempt, None)
                }
            })
            .collect()
    };
    let spoiled = |number: usize, mut attempts: Vec<Attempt<()>>| {
        for attempt in attempts.iter_mut().take(number) {
            *attempt = ends(attempt.clone(), Outcome::Provider, "503");
        }
        attempts
    };
    const NO_GATE: GateVerdict = GateVerdict::None;
    for (case, least, attempts, verdict, exit_code) in [
        ("no gate", None, passing(3), NO_GATE, 0),
        ("exactly enough", Some(0.7), passing(14), Pass, 0),
        ("one too few", Some(0.7), passing(13), Fail, 100),
        ("95% scored", None, spoiled(1, passing(20)), NO_GATE, 0),
        ("90 % scored", None, spoiled(2, passing(20)), Open, 3),
        (
            "enough passed, too little scored",
            Some(0.7),
            spoiled(2, passing(20)),
            Open,
            3,
        ),
        (
            "too few passed, too little scored",
            Some(0.7),
            spoiled(2, passing(9)),
            Fail,
            100,
        ),
        (
            "nothing scored",
            Some(0.7),
            spoiled(20, passing(20)),
            Open,
            3,
        ),
        (
            "not all made",
            Some(0.7),
            passing(20)[..18].to_vec(),
            Open,
            3,
        ),
    ] {
        let mut header = header(20, 1);
        header.variants.truncate(1);
        header.min_pass_rate = least;
        let gate = report(header, &attempts).gate;
        assert_eq!(
            (gate.verdict, gate.exit_code),
            (verdict, exit_code),
            "{case}: {gate:?}"
        );
    }
}

#[test]
fn one_variant_that_was_spoiled_makes_the_run_indecisive() {
    let attempts: Vec<_> = (0..2)
        .flat_map(|variant| (0..20).map(move |position| attempt(variant, position, 0)))
        .map(
            |attempt| match (attempt.case.variant, attempt.case.position) {
                (1, 0..=1) => ends(attempt, Outcome::Provider, "503"),
                _ => attempt,
            },
        )
        .collect();
    let report = report(header(20, 1), &attempts);
    assert_eq!(report.coverage.share, Some(0.95));
    assert_eq!(report.gate.verdict, Open);
    let notable: Vec<_> = verdict::notable_checks(&report)
        .map(|check| &check.reason)
        .collect();
    assert_eq!(
        notable,
        ["18 of 20 attempts scored (2 ended in errors, 0 were not made); at least 95% must be"]
    );
}
