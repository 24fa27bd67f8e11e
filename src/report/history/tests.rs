use super::*;
use crate::experiment::{EndReason, Looks};
use crate::report::fixture;

fn past(name: &str, day: i8, dataset: &str, attempts: u64) -> Past {
    Past {
        experiment: name.into(),
        created: format!("2026-03-{day:02}T10:00:00Z").parse().unwrap(),
        attempts,
        planned: 40,
        finished: attempts == 40,
        dataset: "mail".into(),
        dataset_hash: dataset.repeat(64),
        selection: Selection::default(),
        seed: 0,
        suites: vec![Suite::Triage],
    }
}

fn history(key: &str) -> History {
    History {
        key: key.into(),
        experiments: vec![
            past("first", 2, "a", 40),
            past("second", 3, "a", 40),
            past("third", 4, "a", 12),
            past("other emails", 5, "b", 40),
            past("\u{1b}[2J\u{202e}hostile", 6, "a", 40),
        ],
        variants: vec![
            Series {
                variant: "workflow@rules".into(),
                values: vec![Some(0.5), Some(0.75), None, Some(0.9), Some(1.0)],
            },
            Series {
                variant: "hitl@rules".into(),
                values: vec![None, Some(0.25), None, None, Some(0.25)],
            },
            Series {
                variant: "new@rules".into(),
                values: vec![None, None, None, Some(0.5), None],
            },
        ],
    }
}

const OPTIONS: HistoryOptions = HistoryOptions {
    width: 80,
    color: false,
    ascii: false,
};

#[test]
fn a_figure_is_drawn_over_experiments_and_what_cannot_be_compared_is_marked() {
    insta::assert_snapshot!(render(&history("pass_rate"), OPTIONS), @r"
    pass_rate over 5 experiments

    variant           trend  newest  change  least    most
    ──────────────────────────────────────────────────────
    workflow@rules  ▁▅·|▇|█  100.0%   +25.0  50.0%  100.0%
    hitl@rules      ·▄·|·|▄   25.0%    +0.0  25.0%   25.0%
    new@rules       ···|▄|·   50.0%       –  50.0%   50.0%

    1  2026-03-02 10:00  first
    2  2026-03-03 10:00  second
    3  2026-03-04 10:00  third                     unfinished: 12 of 40 attempts
    4  2026-03-05 10:00  other emails
       another dataset: mail bbbbbbbbbbbb
    5  2026-03-06 10:00  \u{1b}[2J\u{202e}hostile
       another dataset: mail aaaaaaaaaaaa
    ");
}

#[test]
fn notes_that_do_not_fit_beside_a_name_stand_below_it() {
    let options = HistoryOptions {
        width: 60,
        ..OPTIONS
    };
    let text = render(&history("pass_rate"), options);
    let listed: Vec<&str> = text.lines().skip(9).collect();
    insta::assert_snapshot!(listed.join("\n"), @r"
    2  2026-03-03 10:00  second
    3  2026-03-04 10:00  third
       unfinished: 12 of 40 attempts
    4  2026-03-05 10:00  other emails
       another dataset: mail bbbbbbbbbbbb
    5  2026-03-06 10:00  \u{1b}[2J\u{202e}hostile
       another dataset: mail aaaaaaaaaaaa
    ");
}

#[test]
fn a_terminal_that_knows_ascii_alone_gets_no_more() {
    let options = HistoryOptions {
        ascii: true,
        ..OPTIONS
    };
    let text = render(&history("latency_ms.p50"), options);
    let trends: Vec<&str> = text
        .lines()
        .filter(|line| line.contains("@rules"))
        .filter_map(|line| line.split("  ").filter(|it| !it.is_empty()).nth(1))
        .collect();
    insta::assert_snapshot!(trends.join("\n"), @r"
    _=.|*|#
    .~.|.|~
     ...|~|.
    ");
}

#[test]
fn changes_are_from_the_last_that_is_about_the_same() {
    let history = history("pass_rate");
    let change = |index: usize| row(&history, &history.variants[index], false)[3].clone();
    // The one between had other emails.
    assert_eq!(change(0), "+25.0");
    assert_eq!(change(1), "+0.0");
    assert_eq!(change(2), "–");
}

#[test]
fn only_figures_of_the_same_cases_are_comparable() {
    let base = || past("a", 2, "a", 40);
    let suites = |suites: &[Suite]| Past {
        suites: suites.to_vec(),
        ..base()
    };
    let selection = |sample: Option<usize>, tags: &[&str]| Selection {
        sample,
        tags: tags.iter().map(|it| (*it).to_owned()).collect(),
        ..Selection::default()
    };
    let with = |selection, seed| Past {
        selection,
        seed,
        ..base()
    };
    let hitl = suites(&[Suite::Triage, Suite::Hitl]);
    for (case, key, one, other, comparable) in [
        ("the same", "pass_rate", base(), base(), true),
        (
            "other emails",
            "pass_rate",
            base(),
            past("a", 2, "b", 40),
            false,
        ),
        ("scenarios beside", "pass_rate", base(), hitl.clone(), true),
        (
            "scenarios cost, too",
            "cost_usd",
            base(),
            hitl.clone(),
            false,
        ),
        ("and take time", "latency_ms.p50", base(), hitl, false),
        (
            "more is asked",
            "pass_rate",
            base(),
            suites(&[Suite::Triage, Suite::Response]),
            false,
        ),
        (
            "other tags",
            "pass_rate",
            base(),
            with(selection(None, &["x"]), 0),
            false,
        ),
        (
            "another seed",
            "pass_rate",
            base(),
            with(selection(None, &[]), 7),
            true,
        ),
        (
            "another draw",
            "pass_rate",
            with(selection(Some(9), &[]), 0),
            with(selection(Some(9), &[]), 7),
            false,
        ),
        (
            "the same draw",
            "pass_rate",
            with(selection(Some(9), &[]), 7),
            with(selection(Some(9), &[]), 7),
            true,
        ),
    ] {
        assert_eq!(one.is_comparable(&other, key), comparable, "{case}");
    }
}

#[test]
fn values_are_shown_in_their_unit() {
    for (key, value, text, change) in [
        ("pass_rate", 0.915, "91.5%", "+91.5"),
        ("triage.cost", 0.25, "0.250", "+0.250"),
        ("latency_ms.p50", 12.34, "12.3 ms", "+12.3 ms"),
        ("cost_usd", 1.5, "$1.50", "+$1.50"),
    ] {
        assert_eq!(shown(key, value), text, "{key}");
        assert_eq!(difference(key, value), change, "{key}");
    }
    assert_eq!(difference("cost_usd", -1.5), "-$1.50");
    assert_eq!(difference("pass_rate", -0.1), "-10.0");
}

#[test]
fn a_long_history_keeps_its_end() {
    let mut history = history("pass_rate");
    history.experiments = (0..50).map(|_| past("same", 2, "a", 40)).collect();
    history.variants = vec![Series {
        variant: "workflow@rules".into(),
        values: (0..50).map(|it| Some(f64::from(it) / 50.0)).collect(),
    }];
    let drawn = sparkline(&history, &history.variants[0], false);
    assert_eq!(drawn.chars().count(), DRAWN + 1);
    assert!(drawn.starts_with("…▁") && drawn.ends_with('█'), "{drawn}");
}

#[test]
fn only_what_is_of_the_same_cases_and_came_before_is_told_beside_a_report() {
    let header = fixture::header(24, 3);
    let report = fixture::report(header.clone(), &fixture::attempts());
    type Change<'a> = dyn Fn(&mut Progress) + 'a;
    let progress = |change: &Change| {
        let mut header = header.clone();
        header.created = "2020-01-01T00:00:00Z".parse().unwrap();
        let mut progress = Progress {
            header,
            attempts: 9,
            planned: 9,
            ended: None,
        };
        change(&mut progress);
        is_before(&progress, &report)
    };
    assert!(progress(&|_| {}));
    let in_looks = |it: &mut Progress| {
        it.header.looks = Some(Looks {
            most: 4,
            reference: "base".to_owned(),
            created: it.header.created,
            variant: None,
            layer: 0,
        });
    };
    assert!(progress(&|it| {
        in_looks(it);
        it.ended = Some(EndReason::Complete);
    }));
    let others: [(&str, &Change); 7] = [
        ("between two looks", &in_looks),
        ("begun later", &|it| {
            it.header.created = report.environment.created
        }),
        ("other emails", &|it| {
            it.header.dataset.hash = "ee".repeat(32)
        }),
        ("some of them", &|it| it.header.selection.limit = Some(2)),
        ("unfinished", &|it| it.attempts = 8),
        ("other agents", &|it| {
            it.header.variants.retain(|it| it.name == "none")
        }),
        ("a part", &|it| {
            it.header.shard =
                serde_json::from_value(serde_json::json!({ "part": "1/4", "cases": [9] })).unwrap()
        }),
    ];
    for (case, change) in others {
        assert!(!progress(change), "{case}");
    }
}

#[test]
fn a_figure_of_other_suites_is_none_of_an_earlier_experiment() {
    let report = fixture::report(fixture::header(24, 3), &fixture::attempts());
    let mut other = report.clone();
    other.plan.suites = vec![Suite::Triage];
    assert_ne!(report.plan.suites, other.plan.suites);
    assert_eq!(Earlier::of(&report, &[other.clone()], 0, 0), None);
    assert_eq!(Earlier::of(&report, &[], 3, 0), None);
    let earlier = Earlier::of(&report, &[other, report.clone()], 0, 0).unwrap();
    let values = &earlier.figures[0].variants[0].values;
    assert_eq!((values[0], values[1]), (None, values[2]));
    assert!(values[2].is_some());
    let keys: Vec<&str> = earlier.figures.iter().map(|it| it.key.as_str()).collect();
    assert_eq!(keys[..2], ["pass_rate", "triage.accuracy"]);
}
