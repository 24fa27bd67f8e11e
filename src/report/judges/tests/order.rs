use proptest::prelude::*;

use super::*;

#[test]
fn the_order_in_which_judged_attempts_end_changes_nothing() {
    let expected = json(&judged());
    let mut attempts = judged_attempts();
    let mut random = fastrand::Rng::with_seed(11);
    for _ in 0..6 {
        random.shuffle(&mut attempts);
        let shuffled = report_of(judged_header(), &attempts, &all_canaries());
        assert_eq!(json(&shuffled), expected);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// More cases than are kept, with more causes, texts, and split votes than are told.
    #[test]
    fn bounded_lists_are_the_same_in_any_order(
        verdicts in prop::collection::vec(prop::collection::vec(0usize..4, 1..4), 30..120),
        seed: u64,
    ) {
        let verdict = |number: usize| Verdict::ALL.get(number).copied();
        let attempts: Vec<Attempt<()>> = verdicts
            .iter()
            .zip(0u32..)
            .map(|(each, number)| {
                let (position, repeat) = (number / 2, number % 2);
                let rulings = each.iter().zip(0..).map(|(&one, place)| {
                    let other = verdicts[number as usize / 2][0];
                    let mut ruling = ruling("a", &[("m", verdict(one)), ("n", verdict(other))]);
                    ruling.statement = format!("{place} of {number}");
                    ruling.reason.push_str(&format!(" ({})", one + place));
                    ruling
                });
                judge(attempt(0, position, repeat), JudgeKey::ResponseCriteria, rulings.collect())
            })
            .collect();
        let mut header = header(60, 2);
        header.variants.truncate(1);
        header.judges = vec![plan(JudgeKey::ResponseCriteria, vec![(&["m"], stale())])];
        let expected = report_of(header.clone(), &attempts, &[]);
        let worst = &of(&expected, 0, JudgeKey::ResponseCriteria).worst;
        prop_assert!(worst.len() <= JUDGED_SHOWN);
        // The worst of all: of each case the attempt with the least share, then the first.
        let share = |judged: &[Ruling]| {
            let met = judged.iter().filter(|ruling| ruling.verdict == Some(Pass)).count();
            let ruled = judged.iter().filter(|ruling| ruling.verdict.is_some()).count();
            (met < ruled).then(|| met * 1_000_000 / ruled)
        };
        let mut ranks: Vec<(usize, u32, u32)> = attempts
            .iter()
            .filter_map(|it| Some((share(&it.judged[0].rulings)?, it.case.position, it.case.repeat)))
            .collect();
        ranks.sort_by_key(|&(share, position, repeat)| (position, share, repeat));
        ranks.dedup_by_key(|(_, position, _)| *position);
        ranks.sort();
        let expected_worst: Vec<_> = ranks.iter().take(JUDGED_SHOWN).map(|&(_, position, repeat)| (format!("example-{position}"), repeat)).collect();
        let found: Vec<_> = worst.iter().map(|it| (it.example.clone(), it.repeat)).collect();
        prop_assert_eq!(found, expected_worst);
        let mut shuffled = attempts;
        fastrand::Rng::with_seed(seed).shuffle(&mut shuffled);
        prop_assert_eq!(json(&report_of(header, &shuffled, &[])), json(&expected));
    }
}

#[test]
fn many_causes_are_counted_alike_in_any_order() {
    let report = |numbers: &mut dyn Iterator<Item = u32>| {
        let mut header = header(2_000, 1);
        header.variants.truncate(1);
        header.judges = vec![plan(JudgeKey::ResponseCriteria, vec![(&["m"], stale())])];
        let attempts: Vec<_> = numbers
            .map(|number| {
                let mut unscored = ruling("a", &[("m", None)]);
                // Each is met twice, the first of them three times.
                unscored.reason = format!("cause {:04}", number % 999);
                judge(
                    attempt(0, number, 0),
                    JudgeKey::ResponseCriteria,
                    vec![unscored],
                )
            })
            .collect();
        report_of(header, &attempts, &[])
    };
    let forwards = report(&mut (0..2_000));
    let causes = &of(&forwards, 0, JudgeKey::ResponseCriteria).unscored;
    assert_eq!(
        (causes[0].cause.as_str(), causes[0].statements),
        ("cause 0000", 3)
    );
    assert_eq!((causes.len(), causes[4].statements), (CAUSES_SHOWN, 2));
    assert_eq!(json(&report(&mut (0..2_000).rev())), json(&forwards));
}
