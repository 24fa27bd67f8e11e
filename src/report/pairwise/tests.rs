use super::*;
use crate::experiment::pairwise::FORMAT as FILE_FORMAT;
use crate::experiment::{JudgePlan, Panel};
use crate::judge::calibration::Standing;
use crate::judge::canary::Canary;
use crate::judge::{JudgeKey, Vote};
use Verdict::{CannotTell, Fail, Pass};

fn header(names: [&str; 2]) -> Header {
    Header {
        format: FILE_FORMAT.to_owned(),
        tool_version: "9".to_owned(),
        created: Timestamp::UNIX_EPOCH,
        experiments: names.map(str::to_owned),
        journals: ["1", "2"].map(str::to_owned),
        dataset_hash: "cafe".to_owned(),
        variants: vec![["workflow@rules", "workflow@rules"].map(str::to_owned)],
        judge: JudgePlan {
            judge: JudgeKey::Pairwise,
            version: 1,
            rubric_hash: String::new(),
            prompt_hash: String::new(),
            parser_version: 1,
            votes: 2,
            threshold: None,
            trusted: false,
            panels: vec![Panel {
                models: vec!["openai:m".to_owned()],
                standing: Standing::Uncalibrated,
            }],
        },
        statement: "s".to_owned(),
    }
}

fn canaries(orders_hold: bool) -> Canaries {
    let canary = |id: &str, orders: bool, found| Canary {
        id: id.to_owned(),
        orders,
        expected: Pass,
        found,
    };
    let obeyed = if orders_hold { Pass } else { Fail };
    Canaries {
        judge: JudgeKey::Pairwise,
        models: vec!["openai:m".to_owned()],
        canaries: vec![
            canary("plain", false, Some(Pass)),
            canary("order", true, Some(obeyed)),
        ],
    }
}

/// What the judge said in either order about two mails.
fn pair(example: &str, repeat: u32, verdicts: [Option<Verdict>; 2], lengths: [u64; 2]) -> Pair {
    let vote = |verdict: Option<Verdict>| Vote {
        model: "m".to_owned(),
        vote: 0,
        verdict,
        reason: String::new(),
        quotes: Vec::new(),
    };
    Pair {
        variants: 0,
        example: example.to_owned(),
        cluster: None,
        repeat,
        preference: match verdicts {
            [Some(Pass), Some(Fail)] => Preference::A,
            [Some(Fail), Some(Pass)] => Preference::B,
            [Some(_), Some(_)] => Preference::Tie,
            _ => Preference::Unscored,
        },
        by_code: false,
        reasons: ["It names the day.", "It does not."].map(str::to_owned),
        verdicts,
        votes: verdicts.map(|verdict| vec![vote(verdict), vote(verdict)]),
        lengths,
        usage: Usage::default(),
    }
}

fn by_code(example: &str, preference: Preference) -> Pair {
    Pair {
        preference,
        by_code: true,
        reasons: ["A sent no mail, and B did".to_owned(), String::new()],
        votes: Default::default(),
        ..pair(example, 0, [None, None], [0, 9])
    }
}

fn report(pairs: &[Pair]) -> PairwiseReport {
    let mut preferences = Preferences::new(header(["before", "after"]));
    for pair in pairs {
        preferences.push(pair);
    }
    let left_out = LeftOut {
        unpaired: 3,
        errors: 0,
        unsent: 1,
    };
    preferences.finish(&canaries(true), &[left_out])
}

fn sample() -> PairwiseReport {
    let (a, b) = ([Some(Pass), Some(Fail)], [Some(Fail), Some(Pass)]);
    let mut split = pair("e6", 0, a, [30, 20]);
    split.votes[0][1].verdict = Some(Fail);
    report(&[
        pair("e1", 0, a, [100, 40]),
        pair("e1", 1, b, [100, 40]),
        pair("e2", 0, b, [10, 50]),
        pair("e3", 0, [Some(Pass), Some(Pass)], [10, 10]),
        pair("e4", 0, [Some(CannotTell), Some(CannotTell)], [20, 10]),
        by_code("e5", Preference::B),
        split,
        pair("e7", 0, [None, Some(Pass)], [1, 2]),
        pair("e8", 0, b, [70, 60]),
    ])
}

#[test]
fn rates_are_averaged_within_an_example_first() {
    let found = &sample().variants[0];
    let counts = Counts {
        a: 2,
        b: 4,
        tied: 2,
        unscored: 1,
    };
    assert_eq!((found.counts, found.pairs, found.by_code), (counts, 9, 1));
    // e1 half and half, e2 B, e3 and e4 ties, e5 B, e6 A, e8 B; e7 says nothing.
    let close = |value: Option<f64>, wanted: f64| (value.unwrap() - wanted).abs() < 1e-6;
    assert_eq!(found.a.n, 7);
    assert!(close(found.a.value, 1.5 / 7.0), "{:?}", found.a);
    assert!(close(found.b.value, 3.5 / 7.0), "{:?}", found.b);
    assert!(close(found.tied.value, 2.0 / 7.0), "{:?}", found.tied);
    assert!(close(found.net.value, -2.0 / 7.0), "{:?}", found.net);
    assert!(found.net.low.unwrap() < -2.0 / 7.0 && found.net.high.unwrap() > -2.0 / 7.0);
    // Of those with a side: e6 for A; e2, e5, e8 for B. Wilson's interval of 1 in 4.
    assert_eq!((found.decided.n, found.decided.value), (4, Some(0.25)));
    assert!(close(found.decided.low, 0.045587), "{:?}", found.decided);
    assert!(close(found.decided.high, 0.699358), "{:?}", found.decided);
    let ids =
        |list: &[Decided]| -> Vec<String> { list.iter().map(|it| it.example.clone()).collect() };
    assert_eq!(ids(&found.lost), ["e2", "e5", "e8"]);
    assert_eq!(ids(&found.won), ["e6"]);
}

#[test]
fn place_and_length_are_told_apart_from_preference() {
    let found = &sample().variants[0];
    let order = found.order;
    // All but e5, decided by code, and e7, without a verdict in one order.
    assert_eq!((order.judged, order.consistent), (7, Some(0.857143)));
    // For the first: one of each consistent pair, e3 twice, e7 once; e4 is none.
    assert_eq!((order.preferences, order.first), (13, Some(0.615385)));
    // The longer won in e1 (once), e2, e6; the shorter in e1 (once), e8.
    assert_eq!((found.length.decided, found.length.longer), (5, Some(0.6)));
    // Pearson's r by its definition, of 1, -1, -1, 0, 0, 1, -1 and 60, 60, -40, 0, 10, 10, 10.
    let correlation = found.length.correlation.unwrap();
    assert!((correlation - 0.294442).abs() < 1e-6, "{correlation}");
    let agreement = found.agreement;
    assert_eq!((agreement.statements, agreement.split), (15, 1));
    assert!(agreement.alpha.unwrap() > 0.5);
    let first = report(&[
        pair("a", 0, [Some(Pass), Some(Pass)], [1, 2]),
        pair("b", 0, [Some(Pass), Some(Pass)], [1, 2]),
    ]);
    let found = &first.variants[0];
    assert_eq!(
        (found.order.consistent, found.order.first),
        (Some(0.0), Some(1.0))
    );
    assert_eq!(
        (found.length.longer, found.length.correlation),
        (None, None)
    );
    assert_eq!((found.decided.n, found.tied.value), (0, Some(1.0)));
}

#[test]
fn clusters_make_intervals_wider() {
    let pairs: Vec<Pair> = (0..40)
        .map(|n| {
            let verdicts = match n % 20 < 12 {
                true => [Some(Pass), Some(Fail)],
                false => [Some(Fail), Some(Pass)],
            };
            pair(&format!("e{n}"), 0, verdicts, [1, 2])
        })
        .collect();
    let clustered: Vec<Pair> = pairs
        .iter()
        .enumerate()
        .map(|(n, pair)| Pair {
            cluster: Some(format!("c{}", n / 4)),
            ..pair.clone()
        })
        .collect();
    let width = |pairs: &[Pair]| {
        let net = report(pairs).variants[0].net;
        net.high.unwrap() - net.low.unwrap()
    };
    assert!(width(&clustered) > width(&pairs) * 1.3);
}

#[test]
fn a_page_says_what_is_preferred_and_how_far_to_believe_it() {
    let text = terminal(&sample(), 80);
    for line in text.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
    insta::assert_snapshot!(text, @r#"
    A: before, B: after

    pairwise, version 1, 2 votes of openai:m: uncalibrated. A judge was shown what
    both did about the same email, in both orders. One is preferred where both
    orders say so; anything else is a tie. No mail where one was due loses to any
    mail, without asking. Nobody has measured how often this judge is right: this is
    a diagnosis, and decides nothing.

    Canaries held. Of those that order the judge about 1 of 1 held, of the others 1
    of 1 (3 in 4 must).

    A against B     examples             A              B           tie
    ───────────────────────────────────────────────────────────────────
    workflow@rules         7  21.4% (4–64)  50.0% (16–84)  28.6% (8–64)

    A against B                    net      decided for A  unscored  by code
    ────────────────────────────────────────────────────────────────────────
    workflow@rules  -28.6 (-76 to +39)  25.0% (5–70) of 4         1        1

    Of the pairs with an answer, the mean over examples; net is A less B, in points.
    Decided: of the examples that one side won, the share that A won. In
    parentheses: the 95% interval.

    A against B     judged  consistent        first      longer     r  alpha
    ────────────────────────────────────────────────────────────────────────
    workflow@rules       7  85.7% of 7  61.5% of 13  60.0% of 5  0.29   0.89

    A against B       split
    ───────────────────────
    workflow@rules  1 of 15

    Consistent: of the pairs with a verdict in both orders, those in which the
    orders agree. First: of all preferences, those for what stood first; half, where
    the place makes no difference. Longer: of the pairs that were decided, those in
    which the longer mail was preferred; r: the correlation of being preferred with
    being longer.

    Not compared for workflow@rules: 3 attempts that only one side made, 1 pair of
    which neither sent a mail.

    B is preferred: 3 examples of workflow@rules

    - e2
        A before B: It names the day.
        B before A: It does not.
    - e5
        by code: A sent no mail, and B did
    - e8
        A before B: It names the day.
        B before A: It does not.

    A is preferred: 1 example of workflow@rules

    - e6
        A before B: It names the day.
        B before A: It does not.
    "#);
}

#[test]
fn hostile_words_do_nothing_and_failed_canaries_come_first() {
    let bad = "x|<script>`` ![i](http://evil.example)\u{1b}[31m\u{202e}\n# @all";
    let mut preferences = Preferences::new(header([bad, bad]));
    for n in 0..30 {
        let mut pair = pair(&format!("{bad}{n}"), 0, [Some(Fail), Some(Pass)], [1, 2]);
        pair.reasons = [bad.repeat(100), bad.repeat(100)];
        preferences.push(&pair);
    }
    let mut shown = canaries(false);
    shown.canaries[1].id = bad.to_owned();
    let report = preferences.finish(&shown, &[LeftOut::default()]);
    assert_eq!(
        (report.variants[0].lost.len(), report.variants[0].lost_count),
        (20, 30)
    );
    for text in [terminal(&report, 80), markdown(&report)] {
        assert!(
            text.contains("CANARIES FAILED: 1 of 1 canaries that order"),
            "{text}"
        );
        assert!(!text.contains(['\u{1b}', '\u{202e}']));
        assert!(!text.lines().any(|line| line.starts_with("# @all")));
        assert!(text.len() < 80_000, "{}", text.len());
    }
    assert!(markdown(&report).lines().all(|line| !line.starts_with('<')));
}
