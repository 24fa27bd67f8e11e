use proptest::prelude::*;

use super::*;
use crate::statistics::FixedSum;

#[test]
fn a_verdict_takes_enough_examples_and_a_drop_that_matters() {
    use Verdict::{Better, CannotTell, Equivalent, Worse};
    let first = |count: usize| (0..count).collect::<Vec<_>>();
    for (case, examples, was_failing, is_failing, verdict) in [
        ("unchanged", 100, first(10), first(10), Equivalent),
        ("unchanged, but few", 10, first(1), first(1), CannotTell),
        ("nothing ever failed", 60, first(0), first(0), Equivalent),
        (
            "twelve of a hundred fail now",
            100,
            first(0),
            first(12),
            Worse,
        ),
        (
            "twelve of a hundred pass now",
            100,
            first(12),
            first(0),
            Better,
        ),
        // 6 of 6 flips are hardly chance, and no 5 points.
        (
            "a certain drop below the margin",
            1_000,
            first(0),
            first(6),
            Equivalent,
        ),
        // 5 of 100 one way: p is 1/32, the drop is the margin itself.
        ("as much as the margin", 100, first(0), first(5), Worse),
        ("one flip of twenty", 20, first(0), first(1), CannotTell),
    ] {
        let reference = failing("a", examples, &was_failing);
        let candidate = failing("b", examples, &is_failing);
        let comparison = compared(&reference, &candidate);
        assert_eq!(comparison.verdict, verdict, "{case}: {comparison:#?}");
        let key = &comparison.pairs[0].keys[0];
        assert_eq!(
            (key.measure, key.gates),
            (Measure::PassRate, true),
            "{case}"
        );
        assert_eq!(key.pairs, examples as u64, "{case}");
        let low = key.difference.low.unwrap();
        let high = key.difference.high.unwrap();
        assert!(
            low <= key.difference.effect && key.difference.effect <= high,
            "{case}"
        );
        assert!(low < high, "a width is kept: {case}");
    }
}

#[test]
fn ten_examples_say_what_they_would_have_found() {
    let comparison = compared(&failing("a", 10, &[]), &failing("b", 10, &[3]));
    let mde = comparison.pairs[0].keys[0].difference.mde.unwrap();
    assert!(mde > 0.4, "{mde}");
    let many = compared(&failing("a", 500, &[]), &failing("b", 500, &[3]));
    let mde = many.pairs[0].keys[0].difference.mde.unwrap();
    assert!((0.05..0.09).contains(&mde), "{mde}");
}

#[test]
fn what_gates_is_asked_together_over_all_pairs() {
    // By itself 5 of 5 flips, a chance of 1 in 32, would be called worse.
    let variants = ["workflow@rules", "baseline@rules"];
    let build = |name: &str, failed: &[usize]| {
        let mut results = experiment(name, &variants);
        for number in 0..100 {
            let passed = u32::from(!failed.contains(&number));
            put(&mut results, 0, &id(number), passed, 1);
            put(&mut results, 1, &id(number), 1, 1);
        }
        results
    };
    let (reference, candidate) = (build("a", &[]), build("b", &[0, 1, 2, 3, 4]));
    let comparison = compared(&reference, &candidate);
    let of = |comparison: &Comparison, index: usize| {
        let difference = &comparison.pairs[index].keys[0].difference;
        (difference.p_worse.unwrap(), difference.p_adjusted.unwrap())
    };
    let is = |(p, adjusted): (f64, f64), expected: (f64, f64)| {
        assert!(
            (p - expected.0).abs() < 1e-9 && (adjusted - expected.1).abs() < 1e-9,
            "{p} {adjusted}"
        );
    };
    is(of(&comparison, 0), (1.0 / 32.0, 1.0 / 16.0));
    assert_ne!(comparison.verdict, Verdict::Worse);
    let pairing = Pairing {
        candidate: Some("workflow@rules".to_owned()),
        ..Pairing::default()
    };
    let alone = compare(&reference, &candidate, &pairing, &rule()).unwrap();
    is(of(&alone, 0), (1.0 / 32.0, 1.0 / 32.0));
    assert_eq!(alone.verdict, Verdict::Worse);
    assert_eq!(alone.only_reference, [""; 0]);
    assert_eq!(alone.only_candidate, [""; 0]);
}

#[test]
fn repeats_and_clusters_are_no_more_examples() {
    // Ten attempts at each of ten examples know what ten examples know.
    let repeated = |name: &str| {
        let mut results = experiment(name, &["workflow@rules"]);
        for number in 0..10 {
            put(&mut results, 0, &id(number), 10, 10);
        }
        results
    };
    let comparison = compared(&repeated("a"), &repeated("b"));
    assert_eq!(comparison.verdict, Verdict::CannotTell);
    let in_clusters = |name: &str, of: usize| {
        let mut results = failing(name, 100, &[]);
        for number in 0..100 {
            let facts = results.examples.get_mut(&id(number)).unwrap();
            facts.cluster = Some(format!("c{}", number / of));
        }
        results
    };
    for (of, units, verdict) in [
        (1, 100, Verdict::Equivalent),
        (10, 10, Verdict::CannotTell),
        (50, 2, Verdict::CannotTell),
    ] {
        let comparison = compared(&in_clusters("a", of), &in_clusters("b", of));
        let key = &comparison.pairs[0].keys[0];
        assert_eq!((key.difference.units, comparison.verdict), (units, verdict));
        assert_eq!(key.difference.low.is_some(), units >= 5, "{key:?}");
    }
}

#[test]
fn what_was_not_scored_leaves_fine_undecided_and_worse_as_it_is() {
    let reference = failing("a", 100, &[]);
    let mut candidate = failing("b", 100, &[]);
    candidate.variants[0].planned = 106;
    let comparison = compared(&reference, &candidate);
    assert_eq!(comparison.verdict, Verdict::CannotTell);
    let told = "`workflow@rules` of `b`: 100 of 106 attempts are scored, and at least 95% must be before anything is called fine";
    assert_eq!(comparison.differences, [told]);
    let mut candidate = failing("b", 100, &(0..20).collect::<Vec<_>>());
    candidate.variants[0].planned = 200;
    assert_eq!(compared(&reference, &candidate).verdict, Verdict::Worse);
}

#[test]
fn a_key_that_gates_and_was_not_scored_on_one_side_is_not_passed_over() {
    let criteria = Measure::Key(Key::ResponseCriteria);
    let judged = |name: &str, by: std::ops::Range<usize>| {
        let mut results = failing(name, 100, &[]);
        for number in by {
            let cell = results.variants[0].cells.get_mut(&id(number)).unwrap();
            cell.scores.insert(Key::ResponseCriteria, 1.0);
        }
        results
    };
    let both = Rule {
        gates: vec![Measure::PassRate, criteria],
        ..rule()
    };
    use Verdict::{CannotTell, Equivalent};
    for (was, is, verdict, told) in [
        (0..100, 0..100, Equivalent, None),
        (0..100, 0..95, Equivalent, None),
        (0..100, 0..94, CannotTell, Some("`b`: 94 of the 100")),
        (0..100, 0..0, CannotTell, Some("of `b`: 0 of the 100")),
        (0..0, 0..80, CannotTell, Some("of `a`: 0 of the 80")),
        // Both had nothing to say; and what the candidate alone was asked hides nothing.
        (0..0, 0..0, Equivalent, None),
        (0..80, 0..100, Equivalent, None),
    ] {
        let (reference, candidate) = (judged("a", was.clone()), judged("b", is.clone()));
        let plain = compare(&reference, &candidate, &Pairing::default(), &both).unwrap();
        let sides = ([reference.clone()], [candidate.clone()]);
        let pairing = Pairing::default();
        let looked = compare_in_looks(&sides.0, &sides.1, (1, 1), &pairing, &both).unwrap();
        for comparison in [plain, looked] {
            assert_eq!(comparison.verdict, verdict, "{was:?} {is:?}");
            let pair = &comparison.pairs[0];
            assert_eq!(pair.open, comparison.differences, "{was:?} {is:?}");
            match told {
                None => assert_eq!(pair.open, [""; 0]),
                Some(told) => assert!(pair.open[0].contains(told), "{:?}", pair.open),
            }
        }
        // What decides nothing keeps nothing open.
        assert_eq!(compared(&reference, &candidate).verdict, Equivalent);
    }
    let open = compare(
        &judged("a", 0..100),
        &judged("b", 0..9),
        &Pairing::default(),
        &both,
    );
    insta::assert_snapshot!(open.unwrap().pairs[0].open[0], @"`workflow@rules` of `b`: 9 of the 100 shared cases that `a` has `response.criteria` of are scored under it, and at least 95% must be before anything is called fine");
}

#[test]
fn flips_are_listed_worse_first_and_by_majority() {
    let mut reference = experiment("a", &["workflow@rules"]);
    let mut candidate = experiment("b", &["workflow@rules"]);
    for (id, was, is) in [
        ("better", 0, 3),
        ("bit-better", 1, 2),
        ("same", 2, 2),
        ("steady", 3, 2),
        ("worse", 3, 0),
        ("a-bit-worse", 2, 1),
        ("z-worse", 3, 0),
    ] {
        put(&mut reference, 0, id, was, 3);
        put(&mut candidate, 0, id, is, 3);
    }
    let pair = &compared(&reference, &candidate).pairs[0];
    let ids: Vec<&str> = pair.flips.iter().map(|flip| &*flip.example).collect();
    assert_eq!(
        ids,
        ["worse", "z-worse", "a-bit-worse", "better", "bit-better"]
    );
    assert_eq!(pair.flips[0].effect(), -1.0);
    let third = pair.flips[2].changes[&Measure::Key(Key::TriageAccuracy)];
    assert!((third + 1.0 / 3.0).abs() < 1e-12, "{third}");
    let flaky: Vec<&str> = pair.flaky.iter().map(|it| &*it.example).collect();
    assert_eq!(flaky, ["a-bit-worse", "bit-better", "same", "steady"]);
    // Of 2 in 3 that pass, the unbiased variance of one attempt is 1/3; of seven examples three
    // are so in the reference, and four in the candidate.
    let noise = &pair.noise[0];
    let agent = |side: &Option<Noise>| side.unwrap().agent;
    assert_eq!(noise.measure, Measure::PassRate);
    assert!(
        (agent(&noise.reference) - 1.0 / 7.0).abs() < 1e-12,
        "{noise:?}"
    );
    assert!(
        (agent(&noise.candidate) - 4.0 / 21.0).abs() < 1e-12,
        "{noise:?}"
    );
    assert_eq!(noise.reference.unwrap().judge, None);
}

#[test]
fn scenarios_and_episodes_have_keys_of_their_own_and_flip_too() {
    let mut reference = failing("a", 60, &[]);
    let mut candidate = failing("b", 60, &[]);
    for results in [&mut reference, &mut candidate] {
        put(results, 0, "asks", 1, 1);
        of_kind(results, "asks", CaseKind::Scenario);
        results.variants[0].cells.get_mut("asks").unwrap().scores =
            BTreeMap::from([(Key::HitlPass, 1.0)]);
    }
    let cell = candidate.variants[0].cells.get_mut("asks").unwrap();
    (cell.passed, cell.scores) = (0, BTreeMap::from([(Key::HitlPass, 0.0)]));
    let comparison = compared(&reference, &candidate);
    let pair = &comparison.pairs[0];
    let told: Vec<_> = pair
        .keys
        .iter()
        .map(|key| {
            (
                key.measure.name(),
                key.gates,
                key.pairs,
                key.difference.effect,
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("pass_rate", true, 60, 0.0),
            ("triage.accuracy", false, 60, 0.0),
            ("hitl.pass", false, 1, -1.0),
        ]
    );
    assert_eq!(comparison.verdict, Verdict::Equivalent);
    assert_eq!(pair.flips.len(), 1);
    assert_eq!(pair.flips[0].kind, CaseKind::Scenario);
    // Of another kind, an id is another case.
    of_kind(&mut candidate, "asks", CaseKind::Episode);
    let comparison = compared(&reference, &candidate);
    assert_eq!(comparison.pairs[0].shared, 60);
    assert!(
        comparison.differences[0].contains("of another kind"),
        "{comparison:?}"
    );
}

#[test]
fn where_nothing_that_gates_was_scored_nothing_is_told() {
    let rule = Rule {
        gates: vec![Measure::Key(Key::MemoryPass)],
        ..rule()
    };
    let (one, other) = (failing("a", 60, &[]), failing("b", 60, &[]));
    let comparison = compare(&one, &other, &Pairing::default(), &rule).unwrap();
    assert_eq!(comparison.verdict, Verdict::CannotTell);
    assert!(comparison.pairs[0].keys.iter().all(|key| !key.gates));
}

#[test]
fn the_tag_that_lost_most_is_named_first() {
    let mut reference = failing("a", 100, &[]);
    let mut candidate = failing("b", 100, &(0..12).collect::<Vec<_>>());
    for results in [&mut reference, &mut candidate] {
        tagged(results, "all", 0..100);
        tagged(results, "culprit", 0..15);
        tagged(results, "culprit", 0..1);
        tagged(results, "single", [3]);
        tagged(results, "fine", 50..100);
    }
    let comparison = compared(&reference, &candidate);
    let pair = &comparison.pairs[0];
    let worst = worst_first(&pair.tags);
    let names: Vec<&str> = worst.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["culprit", "all", "single"]);
    let culprit = worst[0].1;
    assert_eq!((culprit.pairs, culprit.worse, culprit.better), (15, 12, 0));
    assert_eq!(culprit.verdict, Verdict::Worse);
    assert_eq!(pair.tags["fine"].worse, 0);
}

#[test]
fn only_so_many_groups_are_told_apart_and_none_that_lost_is_left_out() {
    let mut reference = failing("a", 200, &[]);
    let mut candidate = failing("b", 200, &[199]);
    for number in 0..200 {
        for results in [&mut reference, &mut candidate] {
            tagged(results, &format!("t{number:03}"), [number]);
        }
    }
    let tags = &compared(&reference, &candidate).pairs[0].tags;
    assert_eq!(tags.len(), 40);
    assert!(tags.contains_key("t199"));
}

#[test]
fn what_attempts_take_is_compared_example_by_example() {
    let reference = failing("a", 60, &[]);
    let mut candidate = failing("b", 60, &[]);
    for (number, cell) in candidate.variants[0].cells.values_mut().enumerate() {
        let spent = cell.spent.as_mut().unwrap();
        spent.tokens = if number % 2 == 0 { 100.0 } else { 140.0 };
        spent.latency_ms = None;
        spent.cost_usd = (number > 0).then_some(0.5);
    }
    let pair = &compared(&reference, &candidate).pairs[0];
    let [tokens] = &pair.resources[..] else {
        panic!(
            "a cost that is not known for one is not compared: {:?}",
            pair.resources
        )
    };
    assert_eq!(tokens.resource, Resource::Tokens);
    assert_eq!((tokens.reference, tokens.candidate), (100.0, 120.0));
    let (low, high) = (tokens.low.unwrap(), tokens.high.unwrap());
    assert!(
        (10.0..20.0).contains(&low) && (20.0..30.0).contains(&high),
        "{tokens:?}"
    );
}

#[test]
fn variants_are_paired_by_name_or_as_they_are_named() {
    let a = experiment("a", &["x@m", "y@m"]);
    let b = experiment("b", &["y@m", "z@m"]);
    let named = |reference: Option<&str>, candidate: Option<&str>| Pairing {
        reference: reference.map(str::to_owned),
        candidate: candidate.map(str::to_owned),
        across: false,
    };
    for (reference, candidate, found) in [
        (None, None, Ok(vec![(1, 0)])),
        (Some("x@m"), None, Ok(vec![(0, 0), (0, 1)])),
        (None, Some("y@m"), Ok(vec![(1, 0)])),
        (Some("x@m"), Some("z@m"), Ok(vec![(0, 1)])),
        (
            Some("w@m"),
            None,
            Err("`a` has no variant `w@m`; it has `x@m`, `y@m`"),
        ),
        (
            None,
            Some("x@m"),
            Err("`b` has no variant `x@m`; it has `y@m`, `z@m`"),
        ),
        (
            None,
            Some("z@m"),
            Err(
                "no variant is in both: `a` has `x@m`, `y@m`, and `b` has `z@m`; name what to compare with, as in `a/x@m`",
            ),
        ),
    ] {
        let pairs = named(reference, candidate).names(("a", &a.names()), ("b", &b.names()));
        let pairs = pairs.map_err(|error| error.to_string());
        assert_eq!(
            pairs,
            found.map_err(str::to_owned),
            "{reference:?} {candidate:?}"
        );
    }
}

/// Two experiments over the same examples: passed of one to three attempts on either side, and
/// a cluster.
fn experiments() -> impl Strategy<Value = (Results, Results)> {
    let example = (0u32..=3, 0u32..=3, 1u32..=3, 0u8..8);
    prop::collection::vec(example, 1..40).prop_map(|examples| {
        let mut one = experiment("a", &["workflow@rules"]);
        let mut other = experiment("b", &["workflow@rules"]);
        for (number, (was, is, of, cluster)) in examples.into_iter().enumerate() {
            for (results, passed) in [(&mut one, was), (&mut other, is)] {
                put(results, 0, &id(number), passed.min(of), of);
                let facts = results.examples.get_mut(&id(number)).unwrap();
                facts.cluster = (cluster < 4).then(|| cluster.to_string());
            }
        }
        (one, other)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn nothing_got_worse_than_itself((results, _) in experiments()) {
        let comparison = compared(&results, &results);
        prop_assert!(matches!(comparison.verdict, Verdict::Equivalent | Verdict::CannotTell));
        prop_assert!(comparison.differences.is_empty());
        let pair = &comparison.pairs[0];
        prop_assert!(pair.flips.is_empty());
        for key in &pair.keys {
            prop_assert_eq!(key.difference.effect, 0.0);
            prop_assert_eq!(key.reference, key.candidate);
        }
    }

    #[test]
    fn from_the_other_side_all_is_the_other_way_round((one, other) in experiments()) {
        let (there, back) = (compared(&one, &other), compared(&other, &one));
        let (there, back) = (&there.pairs[0], &back.pairs[0]);
        prop_assert!(!(there.verdict == Verdict::Worse && back.verdict == Verdict::Worse));
        for (key, mirrored) in there.keys.iter().zip(&back.keys) {
            prop_assert_eq!(key.measure, mirrored.measure);
            prop_assert_eq!(key.difference.effect, -mirrored.difference.effect);
            prop_assert_eq!((key.reference, key.candidate), (mirrored.candidate, mirrored.reference));
        }
        let mut flips: Vec<_> = there.flips.iter().map(|it| (it.example.clone(), it.effect())).collect();
        let mut mirrored: Vec<_> = back.flips.iter().map(|it| (it.example.clone(), -it.effect())).collect();
        flips.sort_by(|one, other| one.0.cmp(&other.0));
        mirrored.sort_by(|one, other| one.0.cmp(&other.0));
        prop_assert_eq!(flips, mirrored);
        prop_assert!(there.flips.is_sorted_by_key(|flip| flip.effect() > 0.0));
    }

    #[test]
    fn means_are_of_examples((one, other) in experiments()) {
        let comparison = compared(&one, &other);
        let key = &comparison.pairs[0].keys[0];
        let mut sum = FixedSum::default();
        sum.extend(other.variants[0].cells.values().filter_map(|cell| cell.value(Measure::PassRate)));
        prop_assert_eq!(Some(key.candidate), sum.mean());
        prop_assert_eq!(key.difference.effect, key.candidate - key.reference);
    }
}
