use super::*;
use crate::statistics::{Decision, Paired, decide_all, difference};

/// One agent at twenty examples, ten of which pass with this chance and the others always: so
/// many attempts at each.
fn wavering(name: &str, chance: f64, attempts: u32, random: &mut impl FnMut() -> f64) -> Results {
    let mut results = experiment(name, &["workflow@rules"]);
    results.facts.repeat = attempts;
    for number in 0..20 {
        let passes = |_: &u32| number < 10 || random() < chance;
        let passed = (0..attempts).filter(passes).count() as u32;
        put(&mut results, 0, &id(number), passed, attempts);
        let cell = results.variants[0].cells.get_mut(&id(number)).unwrap();
        // What is not asked about would take most of the time.
        (cell.spent, cell.scores) = (None, BTreeMap::new());
    }
    results
}

fn means(results: &Results) -> Vec<f64> {
    let cells = results.variants[0].cells.values();
    cells
        .map(|cell| cell.value(Measure::PassRate).unwrap())
        .collect()
}

#[test]
fn an_agent_is_rarely_worse_than_itself_however_often_either_side_was_repeated() {
    const COMPARISONS: u64 = 600;
    // Where so few attempts tell so little, a test of the means of all of them would be wrong in
    // more than one of ten: of single attempts at what nearly always passes, and of means of
    // what nearly never does.
    for (chance, attempts, of_all) in [
        (0.9, [1, 5], 0.1),
        (0.1, [5, 1], 0.1),
        (0.9, [5, 1], 0.0),
        (0.5, [1, 5], 0.0),
        (0.9, [2, 6], 0.0),
    ] {
        let mut generator = fastrand::Rng::with_seed(11);
        let mut random = || generator.f64();
        let (mut worse, mut better, mut worse_of_all) = (0.0, 0.0, 0.0);
        for seed in 0..COMPARISONS {
            let reference = wavering("a", chance, attempts[0], &mut random);
            let candidate = wavering("b", chance, attempts[1], &mut random);
            let rule = Rule { seed, ..rule() };
            let pairing = Pairing::default();
            let even = Even::of(&reference, &candidate, &pairing).unwrap().unwrap();
            let both = [&reference, &candidate].map(|side| even.draw(side, seed));
            let comparison = compare(&both[0], &both[1], &pairing, &rule).unwrap();
            let share = 1.0 / COMPARISONS as f64;
            worse += share * f64::from(u8::from(comparison.verdict == Verdict::Worse));
            better += share * f64::from(u8::from(comparison.verdict == Verdict::Better));
            let all = [means(&reference), means(&candidate)];
            let paired = Paired {
                reference: &all[0],
                candidate: &all[1],
                clusters: None,
                single: false,
            };
            let found = difference(paired, seed).unwrap();
            let decided = decide_all(&[found], rule.margin, rule.alpha)[0];
            worse_of_all += share * f64::from(u8::from(decided == Decision::Worse));
        }
        let case = format!("{chance} {attempts:?}: {worse} {better} {worse_of_all}");
        assert!(worse <= 0.05 && better <= 0.05, "{case}");
        assert!(worse_of_all >= of_all, "{case}");
    }
}

#[test]
fn as_many_attempts_are_drawn_as_both_sides_have() {
    let mut reference = failing("a", 30, &[]);
    let mut candidate = failing("b", 30, &[]);
    assert_eq!(
        Even::of(&reference, &candidate, &Pairing::default()),
        Ok(None)
    );
    for number in 0..20 {
        put(&mut reference, 0, &id(number), 3, 4);
    }
    put(&mut candidate, 0, &id(3), 1, 2);
    put(&mut reference, 0, "alone", 2, 4);
    reference.variants[0].planned = 20 * 4 + 10 + 4;
    let even = Even::of(&reference, &candidate, &Pairing::default());
    let even = even.unwrap().unwrap();
    let drawn = even.draw(&reference, 5);
    let cell = |id: &str| &drawn.variants[0].cells[id];
    for number in 0..20 {
        let attempts = if number == 3 { 2 } else { 1 };
        let cell = cell(&id(number));
        assert_eq!((cell.attempts, cell.scored), (attempts, attempts));
        assert!(cell.drawn && cell.passed + 1 >= attempts, "{cell:?}");
    }
    // One attempt each was drawn, some of them that failed, and all of 0.75 on average.
    let passed: u32 = (4..20).map(|number| cell(&id(number)).passed).sum();
    assert!((6..16).contains(&passed), "{passed}");
    assert!(!cell("e025").drawn);
    assert_eq!(cell("alone").attempts, 2, "as many as of any other");
    assert_eq!(drawn.variants[0].planned, 19 + 2 + 10 + 2);
    assert_eq!(drawn, even.draw(&reference, 5), "the seed decides");
    assert_eq!(even.draw(&candidate, 5), candidate);
}

#[test]
fn nothing_but_the_pass_rate_is_tested_by_what_was_drawn() {
    let build = |name: &str, passed: u32, attempts: u32| {
        let mut results = experiment(name, &["workflow@rules"]);
        results.facts.repeat = attempts;
        for number in 0..60 {
            put(&mut results, 0, &id(number), passed, attempts);
        }
        results
    };
    let (reference, candidate) = (build("a", 3, 3), build("b", 0, 1));
    let accuracy = Measure::Key(Key::TriageAccuracy);
    let rule = |gates: &[Measure]| Rule {
        gates: gates.to_vec(),
        ..rule()
    };
    let pairing = Pairing::default();
    let even = Even::of(&reference, &candidate, &pairing).unwrap().unwrap();
    let drawn = even.draw(&reference, 0);
    let by = |reference: &Results, gates: &[Measure]| {
        compare(reference, &candidate, &pairing, &rule(gates)).unwrap()
    };
    let comparison = by(&drawn, &[Measure::PassRate]);
    assert_eq!(comparison.verdict, Verdict::Worse);
    insta::assert_snapshot!(comparison.differences.join("\n"), @r"
    `repeat` was 3, and is 1: the first attempt of each is compared
    which attempts of `a` came first is not in its file, so that those compared were drawn of all that it counts: `pass_rate` alone can be called worse or better by them
    ");
    let comparison = by(&drawn, &[accuracy]);
    assert_eq!(comparison.verdict, Verdict::CannotTell);
    let difference = &comparison.pairs[0].keys[0].difference;
    assert_eq!((difference.effect, difference.p_worse), (-1.0, None));
    assert!(difference.method.starts_with("no test"), "{difference:?}");
    // Whoever hands over means of unlike numbers is told nothing of a change either.
    let comparison = by(&reference, &[Measure::PassRate]);
    assert_eq!(comparison.verdict, Verdict::CannotTell);
    assert_eq!(comparison.differences, ["`repeat` was 3, and is 1"]);
}
