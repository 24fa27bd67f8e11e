use std::collections::HashSet;

use super::*;

/// One side of so many looks at 120 examples: `passes(example, attempt)` says which passed.
fn looks(name: &str, of: u32, passes: impl Fn(usize, u32) -> bool) -> Vec<Results> {
    let look = |attempts: u32| {
        let mut results = experiment(name, &["workflow@rules"]);
        results.facts.repeat = attempts;
        for number in 0..120 {
            let passed = (0..attempts).filter(|attempt| passes(number, *attempt));
            put(
                &mut results,
                0,
                &id(number),
                passed.count() as u32,
                attempts,
            );
        }
        results
    };
    (1..=of).map(look).collect()
}

fn taken(
    reference: &[Results],
    candidate: &[Results],
    whole: u32,
    of: u32,
) -> (Comparison, LooksTaken) {
    let pairing = Pairing::default();
    let comparison = compare_in_looks(reference, candidate, (whole, of), &pairing, &rule());
    let comparison = comparison.unwrap();
    let looks = comparison.looks.clone().unwrap();
    (comparison, looks)
}

#[test]
fn looks_stop_at_the_first_that_says_enough_and_show_what_it_saw() {
    let steady = looks("before", 5, |_, _| true);
    for (case, failing, verdict, at, saved) in [
        ("nothing changed", 0, Verdict::Equivalent, 1, 480),
        ("far worse", 60, Verdict::Worse, 2, 360),
        (
            "a drop too small to mind, too large to rule out",
            5,
            Verdict::CannotTell,
            5,
            0,
        ),
    ] {
        let candidate = looks("after", 5, |number, _| number >= failing);
        let (comparison, looks) = taken(&steady, &candidate, 5, 5);
        assert_eq!(comparison.verdict, verdict, "{case}");
        assert_eq!((looks.taken, looks.saved), (at, saved), "{case}");
        assert!(looks.decided, "{case}");
        let repeats = (comparison.reference.repeat, comparison.candidate.repeat);
        assert_eq!(repeats, (at, at), "{case}");
        let key = &comparison.pairs[0].keys[0];
        assert_eq!((key.verdict, key.gates), (verdict, true), "{case}");
        assert_eq!(
            (key.difference.p_worse, key.difference.p_adjusted),
            (None, None)
        );
    }
}

#[test]
fn what_was_not_made_for_a_whole_look_decides_nothing() {
    let reference = looks("before", 5, |_, _| true);
    let candidate = looks("after", 2, |number, _| number >= 60);
    for (whole, verdict, decided) in [
        (0, Verdict::CannotTell, false),
        (1, Verdict::CannotTell, false),
        (2, Verdict::Worse, true),
    ] {
        let (comparison, looks) = taken(&reference, &candidate, whole, 5);
        assert_eq!(comparison.verdict, verdict, "{whole}");
        assert_eq!((looks.taken, looks.decided), (whole, decided), "{whole}");
        assert_eq!(looks.saved > 0, decided, "{whole}");
    }
}

#[test]
fn what_looks_cannot_tell_for_want_of_scores_takes_another_attempt() {
    let reference = looks("before", 5, |_, _| true);
    let mut candidate = looks("after", 5, |_, _| true);
    let mut worse = looks("after", 5, |number, _| number >= 60);
    for results in &mut candidate {
        // Seven of a hundred attempts ended in an error of the provider.
        results.variants[0].planned += 9 * u64::from(results.facts.repeat);
    }
    for (whole, decided) in [(1, false), (4, false), (5, true)] {
        let (comparison, looks) = taken(&reference, &candidate, whole, 5);
        assert_eq!(comparison.verdict, Verdict::CannotTell, "{whole}");
        assert_eq!((looks.taken, looks.decided), (whole, decided));
        // What was scored is fine.
        assert_eq!(comparison.pairs[0].keys[0].verdict, Verdict::Equivalent);
    }
    // Where the errors were of the first attempts only, the second clears it.
    candidate[1].variants[0].planned = 240;
    let (comparison, looks) = taken(&reference, &candidate, 5, 5);
    assert_eq!((comparison.verdict, looks.taken), (Verdict::Equivalent, 2));
    // What is worse is so, whatever was not scored.
    worse[1].variants[0].planned = 400;
    let (comparison, looks) = taken(&reference, &worse, 5, 5);
    assert_eq!((comparison.verdict, looks.taken), (Verdict::Worse, 2));
}

#[test]
fn a_look_uses_as_many_attempts_of_the_reference_as_of_the_candidate() {
    // The reference got better after its first attempt: held against all of it, the first of the
    // candidate would be worse by chance alone.
    let reference = looks("before", 3, |number, attempt| attempt > 0 || number >= 40);
    let candidate = looks("after", 1, |number, _| number >= 40);
    let (comparison, looks) = taken(&reference, &candidate, 1, 3);
    let key = &comparison.pairs[0].keys[0];
    assert_eq!(key.difference.effect, 0.0);
    assert_eq!((comparison.verdict, looks.taken), (Verdict::Equivalent, 1));
}

#[test]
fn examples_keep_their_places_when_others_are_scored_later() {
    let mut first = looks("after", 1, |_, _| true).remove(0);
    first.variants[0].cells.remove(&id(0));
    let second = looks("after", 1, |_, _| true).remove(0);
    let reference = looks("before", 1, |_, _| true).remove(0);
    let mut places = Vec::new();
    for candidate in [&first, &second] {
        let pairing = Pairing::default();
        let rule = rule();
        let compared =
            super::super::verdict::Compared::new(&reference, candidate, &pairing, &rule).unwrap();
        compared.sides[0].values(Measure::PassRate, &mut places);
    }
    assert_eq!(places.len(), 120);
    assert_eq!(places.iter().collect::<HashSet<_>>().len(), 120);
    assert_eq!((places[0].as_str(), places[119].as_str()), ("e001", "e000"));
}

#[test]
fn a_pair_is_decided_among_all_and_can_be_told_alone() {
    let of = |name: &str, failing: usize| {
        let mut looks = looks(name, 5, |number, _| number >= failing);
        for (index, results) in looks.iter_mut().enumerate() {
            let mut other = results.variants[0].clone();
            other.variant.name = "baseline@rules".to_owned();
            for number in 0..120 {
                let cell = other.cells.get_mut(&id(number)).unwrap();
                cell.passed = index as u32 + 1;
            }
            results.variants.push(other);
        }
        looks
    };
    let (mut comparison, _) = taken(&of("before", 0), &of("after", 60), 5, 5);
    assert_eq!(comparison.verdict, Verdict::Worse);
    let pair = |name: &str| (name.to_owned(), name.to_owned());
    let other = comparison
        .clone()
        .keep(&[pair("baseline@rules"), pair("else@rules")]);
    assert!(!other, "not all of them are there");
    assert!(comparison.keep(&[pair("baseline@rules")]));
    assert_eq!(
        (comparison.pairs.len(), comparison.verdict),
        (1, Verdict::Equivalent)
    );
}

#[test]
fn nothing_that_gates_takes_all_looks_and_says_nothing() {
    let sides = looks("before", 3, |_, _| true);
    let rule = Rule {
        gates: Vec::new(),
        ..rule()
    };
    let pairing = Pairing::default();
    let comparison = compare_in_looks(&sides, &sides, (3, 3), &pairing, &rule).unwrap();
    assert_eq!(comparison.verdict, Verdict::CannotTell);
    assert_eq!(comparison.looks.unwrap().taken, 3);
}

#[test]
fn a_reference_needs_an_attempt_for_each_look_where_both_have_the_example() {
    let reference = looks("before", 3, |_, _| true).remove(2);
    let check = |ids: &[&str], looks| check_attempts(&reference, &[0], ids.iter().copied(), looks);
    assert_eq!(check(&["e000", "e119", "another"], 3), Ok(()));
    let error = check(&["e000"], 4).unwrap_err();
    insta::assert_snapshot!(error, @"`before` has 3 of the 4 attempts at `e000` that 4 looks compare with: make a reference that has them (`mailproof run --repeat 4 -e NAME`), or take fewer looks");
}
