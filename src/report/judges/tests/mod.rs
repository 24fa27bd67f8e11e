mod attacks;
mod gate;
mod order;

use super::fixture::{
    DAY, NUMBER, POLITE, RULES, TWO, all_canaries, by_code, calibrated, canaries, judge, judged,
    judged_attempts, judged_header, plan, report_of, ruling, stale,
};
use super::*;
use crate::experiment::{Attempt, Suite};
use crate::judge::Ruling;
use crate::report::fixture::{attempt, ends, header, sample};
use crate::report::tests::{assert_width, validate};
use crate::report::{FoldError, GateVerdict, Report, json, markdown, terminal};
use crate::run::Outcome;
use Verdict::{CannotTell, Fail, Pass};

#[test]
fn what_judges_found_stands_beside_how_far_they_can_be_believed() {
    let report = judged();
    let text = terminal(&report, 80, false);
    assert_width(&text, 80);
    insta::assert_snapshot!("judged_terminal", text);
    insta::assert_snapshot!("judged_markdown", markdown(&report));
    validate(&report);
}

#[test]
fn every_width_is_kept_and_hostile_text_does_nothing() {
    let bad = "x|<script>`` ![i](http://evil.example)\u{1b}[31m\u{202e}\u{200b}\n# @all";
    let mut attempts = judged_attempts();
    for attempt in &mut attempts {
        attempt.case.example = format!("{bad}{}", attempt.case.position);
        for ruling in attempt
            .judged
            .iter_mut()
            .flat_map(|judged| &mut judged.rulings)
        {
            ruling.statement = bad.to_owned();
            ruling.reason = bad.repeat(100);
            ruling.quotes = vec![bad.repeat(100)];
            for vote in &mut ruling.votes {
                (vote.model, vote.reason) = (bad.to_owned(), bad.repeat(100));
            }
        }
    }
    let mut header = judged_header();
    header.variants[1].judge_models = vec![bad.to_owned()];
    for plan in &mut header.judges {
        plan.panels[1].models = vec![bad.to_owned()];
        plan.panels[0].standing = Standing::Stale {
            date: "2026-02-01".parse().unwrap(),
            because: bad.to_owned(),
        };
    }
    let hostile = [canaries(JudgeKey::ResponseCriteria, &[bad], &["orders-0"])];
    let mut hostile = hostile.to_vec();
    hostile[0].canaries[0].id = bad.to_owned();
    let hostile = report_of(header, &attempts, &hostile);
    for report in [judged(), hostile] {
        for width in (40..=200).step_by(7) {
            let text = terminal(&report, width, false);
            assert_width(&text, width);
            assert!(!text.contains(['\u{1b}', '\u{202e}', '\u{200b}']));
        }
        let text = markdown(&report);
        assert!(!text.contains(['\u{1b}', '\u{202e}', '\u{200b}']));
        assert!(!text.lines().any(|line| line.starts_with("# @all")));
        // Bounded: a hundred times the text, for each of dozens of rulings.
        assert!(text.len() < 120_000, "{}", text.len());
        validate(&report);
    }
}

/// The judge `judge` of variant `variant`.
fn of(report: &Report, variant: usize, judge: JudgeKey) -> &JudgeReport {
    let judges = &report.variants[variant].judges;
    let found = judges.iter().find(|report| report.judge == judge);
    found.expect("it is planned")
}

/// One variant at examples with these rulings of `response_criteria`, an attempt each.
fn rulings(panel: Standing, each: Vec<Vec<Ruling>>) -> Report {
    let mut header = header(each.len(), 1);
    header.variants.truncate(1);
    header.judges = vec![plan(JudgeKey::ResponseCriteria, vec![(&[RULES], panel)])];
    let attempts: Vec<Attempt<()>> = each
        .into_iter()
        .zip(0..)
        .map(|(rulings, position)| {
            judge(attempt(0, position, 0), JudgeKey::ResponseCriteria, rulings)
        })
        .collect();
    report_of(header, &attempts, &[])
}

fn by_rules(statement: &str, verdict: Option<Verdict>) -> Ruling {
    ruling(statement, &[(RULES, verdict)])
}

#[test]
fn examples_weigh_the_same_and_code_is_no_judge() {
    // Three of four, one of one, one that was not ruled on, and one that code decided.
    let report = rulings(
        calibrated(),
        vec![
            vec![
                by_rules("a", Some(Pass)),
                by_rules("b", Some(Pass)),
                by_rules("c", Some(Pass)),
                by_rules("d", Some(CannotTell)),
            ],
            vec![by_rules("a", Some(Pass))],
            vec![by_rules("a", None)],
            vec![by_code("a"), by_code("b")],
        ],
    );
    let judge = of(&report, 0, JudgeKey::ResponseCriteria);
    let expected = Statements {
        met: 4,
        not_met: 0,
        cannot_tell: 1,
        unscored: 1,
        by_code: 2,
    };
    assert_eq!(judge.statements, expected);
    assert_eq!(judge.coverage, Some(0.833333));
    assert_eq!((judge.raw.value, judge.raw.n), (Some(0.875), 2));
    assert_eq!(judge.not_all_met, 1);
    // The score of the example without a mail is 0, and is in the metric.
    let metric = report.variants[0].metrics.get("response.criteria").unwrap();
    assert_eq!((metric.value, metric.n), (Some(0.583333), 3));
}

#[test]
fn attempts_and_votes_narrow_no_interval() {
    let examples = |repeats: u32, votes: usize| {
        let mut header = header(20, repeats);
        header.variants.truncate(1);
        header.judges = vec![plan(
            JudgeKey::ResponseCriteria,
            vec![(&[RULES], Standing::Uncalibrated)],
        )];
        let attempts = (0..20).flat_map(|position| {
            let verdict = if position % 4 == 0 { Fail } else { Pass };
            (0..repeats).map(move |repeat| {
                let votes = vec![(RULES, Some(verdict)); votes];
                let rulings = vec![ruling("a", &votes), ruling("b", &votes)];
                judge(
                    attempt(0, position, repeat),
                    JudgeKey::ResponseCriteria,
                    rulings,
                )
            })
        });
        let attempts: Vec<_> = attempts.collect();
        of(
            &report_of(header, &attempts, &[]),
            0,
            JudgeKey::ResponseCriteria,
        )
        .raw
    };
    let once = examples(1, 1);
    assert_eq!((once.value, once.n), (Some(0.75), 20));
    assert_eq!(once, examples(5, 1));
    assert_eq!(once, examples(1, 7));
}

#[test]
fn a_corrected_rate_is_given_only_by_a_calibration_that_holds() {
    let each = || {
        (0..40)
            .map(|example| {
                vec![by_rules(
                    "a",
                    Some(if example % 4 == 0 { Fail } else { Pass }),
                )]
            })
            .collect::<Vec<_>>()
    };
    let corrected = |panel| {
        let report = rulings(panel, each());
        of(&report, 0, JudgeKey::ResponseCriteria).corrected.clone()
    };
    let found = corrected(calibrated());
    // TPR 80/88 and TNR 80/85: (0.75 + 0.941 - 1) / 0.850.
    assert_eq!((found.value, found.refused), (Some(0.812893), None));
    let (low, high) = (found.low.unwrap(), found.high.unwrap());
    assert!(low < 0.75 && high > 0.9 && high <= 1.0, "{low} {high}");
    for (panel, why) in [
        (Standing::Uncalibrated, "nobody has measured"),
        (stale(), "as it was"),
    ] {
        let found = corrected(panel);
        assert_eq!((found.value, found.low, found.high), (None, None, None));
        assert!(found.refused.as_ref().unwrap().contains(why), "{found:?}");
    }
    let mut weak = super::fixture::calibration();
    weak.clusters.truncate(10);
    let refused = corrected(Standing::Calibrated(Box::new(weak))).refused;
    assert!(refused.unwrap().contains("30 of each"));
    let nothing = rulings(calibrated(), vec![vec![by_rules("a", None)]]);
    let nothing = &of(&nothing, 0, JudgeKey::ResponseCriteria).corrected;
    assert!(
        nothing
            .refused
            .as_ref()
            .unwrap()
            .contains("ruled on nothing")
    );
}

#[test]
fn agreement_is_over_statements_with_several_votes() {
    let vote = |verdicts: &[Option<Verdict>]| {
        let votes: Vec<_> = verdicts.iter().map(|&verdict| (RULES, verdict)).collect();
        vec![ruling("a", &votes)]
    };
    let agreement = |each: &[&[Option<Verdict>]]| {
        let each = each.iter().map(|verdicts| vote(verdicts)).collect();
        let report = rulings(Standing::Uncalibrated, each);
        of(&report, 0, JudgeKey::ResponseCriteria).agreement
    };
    let (pass, fail) = (Some(Pass), Some(Fail));
    // krippendorff.alpha([[0,0,1,1],[0,1,1,1]], level_of_measurement="nominal"): 0.5333…
    let found = agreement(&[&[pass, pass], &[pass, fail], &[fail, fail], &[fail, fail]]);
    assert_eq!(
        (found.statements, found.split, found.alpha),
        (4, 1, Some(0.533333))
    );
    // A vote that cannot be used leaves nothing to agree with.
    let found = agreement(&[&[pass, None], &[pass], &[None, None]]);
    assert_eq!(found, Agreement::default());
    let found = agreement(&[&[pass, pass], &[pass, pass, None]]);
    assert_eq!((found.statements, found.split, found.alpha), (2, 0, None));
    let text = terminal(
        &rulings(Standing::Uncalibrated, vec![vote(&[pass, pass])]),
        120,
        false,
    );
    assert!(text.contains("undefined"), "{text}");
}

#[test]
fn split_votes_are_told_from_both_sides() {
    let report = judged();
    let judge = of(&report, 1, JudgeKey::ResponseCriteria);
    assert_eq!((judge.agreement.split, judge.split_votes.len()), (3, 3));
    let first = &judge.split_votes[0];
    assert_eq!(
        (first.example.as_str(), first.statement.as_str()),
        ("example-0", DAY)
    );
    assert_eq!(first.verdict, Some(CannotTell));
    let sides: Vec<_> = first
        .sides
        .iter()
        .map(|side| (side.verdict, side.model.as_str()))
        .collect();
    assert_eq!(sides, [(Pass, TWO[0]), (Fail, TWO[1])]);
    assert_ne!(first.sides[0].reason, first.sides[1].reason);
}

#[test]
fn causes_are_counted_without_what_they_quote() {
    let mut each = Vec::new();
    for number in 0..7 {
        let mut unscored = by_rules("a", None);
        unscored.reason = match number {
            0..=4 => format!("the quote \"{number}\" is not in the record"),
            _ => "it was not JSON".to_owned(),
        };
        each.push(vec![unscored]);
    }
    let report = rulings(Standing::Uncalibrated, each);
    let causes = &of(&report, 0, JudgeKey::ResponseCriteria).unscored;
    let causes: Vec<_> = causes
        .iter()
        .map(|it| (it.cause.as_str(), it.statements))
        .collect();
    let expected = [
        ("the quote \"…\" is not in the record", 5),
        ("it was not JSON", 2),
    ];
    assert_eq!(causes, expected);
}

#[test]
fn criteria_that_no_reply_or_every_reply_meets_are_named() {
    let report = judged();
    let criteria = report.criteria.as_ref().unwrap();
    let counts = [
        criteria.never_met,
        criteria.under_half,
        criteria.half_or_more,
        criteria.always_met,
        criteria.not_judged,
    ];
    assert_eq!(counts.iter().sum::<u64>(), criteria.criteria);
    assert_eq!(
        (criteria.criteria, criteria.never_met, criteria.always_met),
        (11, 3, 5)
    );
    let never: Vec<_> = criteria
        .never
        .iter()
        .map(|it| (it.example.as_str(), it.criterion.as_str(), it.replies))
        .collect();
    let expected = [
        ("example-3", NUMBER, 4),
        ("example-6", NUMBER, 4),
        ("example-9", NUMBER, 2),
    ];
    assert_eq!(never, expected);
    assert_eq!(criteria.always[0].criterion, POLITE);
    for text in [terminal(&report, 80, false), markdown(&report)] {
        assert!(
            text.contains("Criteria that no reply met: 3 of 3"),
            "{text}"
        );
        assert!(
            text.contains("Criteria that every reply met: 5 of 5"),
            "{text}"
        );
    }
    // What nobody ruled on tells nothing about the criterion.
    let report = rulings(
        Standing::Uncalibrated,
        vec![vec![by_code("a"), by_rules("b", None)]],
    );
    let criteria = report.criteria.unwrap();
    assert_eq!(
        (criteria.criteria, criteria.not_judged, criteria.never_met),
        (2, 2, 0)
    );
    assert_eq!(sample().criteria, None);
}

#[test]
fn what_no_judge_was_asked_is_said_and_what_one_was_is_not() {
    let report = judged();
    assert!(report.not_judged.is_empty(), "{:?}", report.not_judged);
    assert!(!terminal(&report, 80, false).contains("Not judged"));
    let mut header = judged_header();
    header.judges.remove(0);
    header.suites = Suite::ALL.to_vec();
    header.episodes = 1;
    let report = report_of(header, &[], &[]);
    assert_eq!(
        report.not_judged,
        ["response.criteria", "response.all_met", "memory.update"]
    );
}

#[test]
fn a_calibration_stands_beside_every_judged_figure() {
    let report = judged();
    let value = serde_json::to_value(&report).unwrap();
    for (path, mark) in [
        ("/variants/0/metrics/response.criteria", "2026-02-20 "),
        ("/variants/0/metrics/response.all_met", "2026-02-20 "),
        ("/variants/0/metrics/hitl.feedback", "stale"),
        ("/variants/1/metrics/response.criteria", "uncalibrated"),
        (
            "/variants/1/splits/dev/metrics/response.criteria",
            "uncalibrated",
        ),
        (
            "/variants/0/tags/work/metrics/response.criteria",
            "2026-02-20 ",
        ),
    ] {
        let found = value.pointer(path).expect(path);
        let calibration = found["calibration"].as_str().expect(path);
        assert!(calibration.starts_with(mark), "{path}: {calibration}");
    }
    assert!(
        value
            .pointer("/variants/0/metrics/triage.accuracy/calibration")
            .is_none()
    );
    let text = markdown(&report);
    let rows = text
        .lines()
        .filter(|line| line.starts_with("| `response.") || line.starts_with("| `hitl.feedback"));
    let rows: Vec<&str> = rows.collect();
    assert_eq!(rows.len(), 6);
    for row in rows {
        let marked = ["| 2026-02-20 ", "| stale |", "| uncalibrated |"];
        assert!(marked.iter().any(|mark| row.contains(mark)), "{row}");
    }
}

#[test]
fn the_panel_is_the_variants_own_or_the_one_that_there_is() {
    let header = judged_header();
    let [own, chosen] = &header.variants[..] else {
        panic!("two variants")
    };
    let two = &header.judges[0];
    assert_eq!(
        panel(two, own),
        (vec![RULES.to_owned()], Some(&calibrated()))
    );
    assert_eq!(panel(two, chosen).1, Some(&Standing::Uncalibrated));
    let one = plan(JudgeKey::ResponseCriteria, vec![(&["m"], stale())]);
    assert_eq!(panel(&one, own), (vec!["m".to_owned()], Some(&stale())));
    let none = plan(JudgeKey::ResponseCriteria, Vec::new());
    assert_eq!(panel(&none, own), (vec![RULES.to_owned()], None));
}

#[test]
fn a_judge_that_is_not_planned_is_refused() {
    let mut fold = crate::report::Fold::new(header(3, 1));
    let judged = judge(
        attempt(0, 0, 0),
        JudgeKey::ResponseCriteria,
        vec![by_code("a")],
    );
    let expected = FoldError::UnknownJudge {
        example: "example-0".to_owned(),
        judge: JudgeKey::ResponseCriteria,
    };
    assert_eq!(fold.push(&judged), Err(expected));
}

#[test]
fn what_is_judged_counts_where_nothing_else_was_asked() {
    let mut header = header(1, 1);
    header.suites = vec![Suite::Response];
    header.judges = vec![plan(JudgeKey::ResponseCriteria, vec![(&[RULES], stale())])];
    let mut only = attempt(0, 0, 0);
    only.feedback.clear();
    let only = judge(
        only,
        JudgeKey::ResponseCriteria,
        vec![by_rules("a", Some(Pass))],
    );
    let report = report_of(header, &[only], &[]);
    let metric = report.variants[0].metrics.get("response.criteria").unwrap();
    assert_eq!((metric.value, metric.n), (Some(1.0), 1));
}

#[test]
fn judging_is_told_apart_from_what_is_judged() {
    let report = judged();
    let variant = &report.variants[0];
    assert!(variant.usage.0[&crate::run::ModelRole::Judge].calls > 0);
    let text = terminal(&report, 80, false);
    let (_, costs) = text.split_once("\nCost\n").expect("judging was paid for");
    let header = costs
        .lines()
        .find(|line| line.starts_with("variant"))
        .unwrap();
    assert!(header.contains("judge"), "{header}");
    assert!(markdown(&report).contains("\n| judge | "));
    // The agent made one call in each attempt.
    let mut rows = text
        .lines()
        .skip_while(|line| !line.contains("calls/attempt"));
    let row = rows.nth(2).unwrap();
    assert!(row.contains("  1.0  "), "{row}");
}

#[test]
fn an_attempt_that_the_agent_did_not_finish_is_not_the_judges_doing() {
    let failed = ends(attempt(0, 0, 0), Outcome::StepLimit, "25 model calls");
    let failed = judge(
        failed,
        JudgeKey::ResponseCriteria,
        vec![by_code(NUMBER), by_code(DAY)],
    );
    let mut header = header(1, 1);
    header.judges = vec![plan(
        JudgeKey::ResponseCriteria,
        vec![(&[RULES], calibrated())],
    )];
    let report = report_of(header, &[failed], &[]);
    let judge = of(&report, 0, JudgeKey::ResponseCriteria);
    assert_eq!(
        (judge.statements.by_code, judge.coverage, judge.raw.n),
        (2, None, 0)
    );
    assert!(judge.worst.is_empty());
    let metric = report.variants[0].metrics.get("response.criteria").unwrap();
    assert_eq!(metric.value, Some(0.0));
}
