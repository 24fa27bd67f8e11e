use proptest::prelude::*;

use super::*;

pub(super) fn calibration(clusters: Vec<Outcomes>) -> Calibration {
    Calibration {
        binding: Binding {
            judge: JudgeKey::ResponseCriteria,
            models: vec!["openai:gpt-x".to_owned()],
            votes: 1,
            rubric_hash: "r".to_owned(),
            prompt_hash: "p".to_owned(),
            parser_version: 1,
        },
        date: "2026-03-02".parse().unwrap(),
        items_hash: "i".to_owned(),
        items: clusters.iter().map(|cluster| cluster.total()).sum(),
        unscored: 0,
        labelled_by: BTreeMap::from([("author".to_owned(), 1)]),
        clusters,
        attacks: None,
    }
}

/// `right` and `wrong` of either label, each about an email of its own.
pub(super) fn single(passes: (u64, u64), fails: (u64, u64)) -> Calibration {
    let one = |outcomes: Outcomes, times: u64| (0..times).map(move |_| outcomes);
    let none = Outcomes::default();
    let kinds = [
        (
            Outcomes {
                true_pass: 1,
                ..none
            },
            passes.0,
        ),
        (
            Outcomes {
                false_fail: 1,
                ..none
            },
            passes.1,
        ),
        (
            Outcomes {
                true_fail: 1,
                ..none
            },
            fails.0,
        ),
        (
            Outcomes {
                false_pass: 1,
                ..none
            },
            fails.1,
        ),
    ];
    calibration(
        kinds
            .into_iter()
            .flat_map(|(o, times)| one(o, times))
            .collect(),
    )
}

fn near(found: Option<f64>, expected: f64) -> bool {
    found.is_some_and(|found| (found - expected).abs() < 1e-9)
}

#[test]
fn rates_have_the_intervals_of_wilson_where_each_item_has_an_email() {
    // `proportion_confint(right, all, method="wilson")` of statsmodels 0.15.0, and for the
    // sum `confint_proportions_2indep(72, 80, 15, 100, method="newcomb")`.
    let calibration = single((72, 8), (85, 15));
    let (tpr, tnr) = (calibration.tpr(), calibration.tnr());
    assert_eq!((tpr.n, tnr.n), (80, 100));
    assert!(near(tpr.value, 0.9) && near(tnr.value, 0.85));
    assert!(near(tpr.low, 0.8148931119389591) && near(tpr.high, 0.9484523844326191));
    assert!(near(tnr.low, 0.7671644040916763) && near(tnr.high, 0.9069401471634337));
    let informed = calibration.informed().unwrap();
    assert!((informed.low - 0.6312358709671912).abs() < 1e-9);
    // `cohen_kappa_score` of scikit-learn 1.9.1 over the same 180 items.
    assert!(near(calibration.kappa(), 0.7434944237918215));
}

#[test]
fn items_about_one_email_are_no_independent_evidence() {
    let apart = single((72, 8), (85, 15));
    // The same counts, but emails go right or wrong as a whole.
    let whole = |right: bool| Outcomes {
        true_pass: if right { 4 } else { 0 },
        false_fail: if right { 0 } else { 4 },
        ..Outcomes::default()
    };
    let mut clusters: Vec<Outcomes> = (0..20).map(|i| whole(i % 10 != 0)).collect();
    clusters.extend(single((0, 0), (85, 15)).clusters);
    let together = calibration(clusters);
    assert_eq!(apart.outcomes(), together.outcomes());
    let width = |rate: Rate| rate.high.unwrap() - rate.low.unwrap();
    assert!(width(together.tpr()) > 1.5 * width(apart.tpr()));
    let judged = vec![(1.0, 2.0); 40];
    let width = |calibration: &Calibration| {
        let corrected = calibration.corrected(&judged, 0).unwrap();
        corrected.high.unwrap() - corrected.low.unwrap()
    };
    assert!(width(&together) > width(&apart));
}

#[test]
fn a_rate_is_corrected_by_how_the_judge_errs() {
    let calibration = single((72, 8), (85, 15));
    let judged: Vec<(f64, f64)> = (0..50).map(|i| (f64::from(i % 5), 5.0)).collect();
    let found = calibration.corrected(&judged, 0).unwrap();
    // (0.4 + 0.85 - 1) / (0.9 + 0.85 - 1).
    assert!((found.value - 1.0 / 3.0).abs() < 1e-9, "{found:?}");
    let (low, high) = (found.low.unwrap(), found.high.unwrap());
    assert!(low < found.value && found.value < high);
    assert_eq!(calibration.corrected(&judged, 0), Ok(found));
    assert_ne!(calibration.corrected(&judged, 1), Ok(found));
}

#[test]
fn what_nothing_is_known_of_has_no_rate() {
    let empty = calibration(Vec::new());
    assert_eq!(empty.tpr(), Rate::default());
    assert_eq!(empty.kappa(), None);
    assert_eq!(empty.coverage(), None);
    assert_eq!(empty.informed(), None);
}

#[test]
fn a_correction_is_refused_with_the_reason() {
    let judged = [(1.0, 2.0), (2.0, 2.0)];
    let few_emails = calibration(vec![
        Outcomes {
            true_pass: 15,
            false_fail: 1,
            true_fail: 15,
            false_pass: 1,
        };
        4
    ]);
    for (calibration, judged, reason) in [
        (
            single((27, 2), (60, 2)),
            &judged[..],
            "only 29 items labelled pass and 62 labelled fail were judged, and 30 of each are needed",
        ),
        (
            single((60, 2), (29, 0)),
            &judged,
            "only 62 items labelled pass and 29 labelled fail were judged, and 30 of each are needed",
        ),
        (
            few_emails,
            &judged,
            "the labelled items are about fewer than five emails, too few to tell how sure the rates are",
        ),
        (
            single((30, 20), (40, 10)),
            &judged,
            "TPR + TNR - 1 may be as low as 0.21, and under 0.3 a correction is mostly noise",
        ),
        (
            single((50, 2), (50, 2)),
            &[],
            "the judge decided no statement",
        ),
        (
            single((50, 2), (50, 2)),
            &[(0.0, 0.0); 3],
            "the judge decided no statement",
        ),
    ] {
        let refused = calibration.corrected(judged, 0).unwrap_err();
        assert_eq!(refused.to_string(), reason);
    }
    assert!(single((30, 0), (30, 0)).corrected(&judged, 0).is_ok());
}

#[test]
fn whatever_is_in_it_changes_its_hash() {
    let one = single((40, 2), (40, 2));
    let mut other = one.clone();
    assert_eq!(one.hash(), other.hash());
    other.binding.rubric_hash.push('x');
    assert_ne!(one.hash(), other.hash());
    assert_ne!(one.hash(), single((41, 1), (40, 2)).hash());
}

proptest! {
    #[test]
    fn no_counts_panic_and_rates_hold_their_values(
        counts in prop::collection::vec((0u64..4, 0u64..4, 0u64..4, 0u64..4), 0..40), seed: u64
    ) {
        let clusters = counts.into_iter().map(|(true_pass, false_fail, true_fail, false_pass)| {
            Outcomes { true_pass, false_fail, true_fail, false_pass }
        });
        let calibration = calibration(clusters.collect());
        for rate in [calibration.tpr(), calibration.tnr()] {
            if let (Some(value), Some(low), Some(high)) = (rate.value, rate.low, rate.high) {
                prop_assert!(0.0 <= low && low <= value && value <= high && high <= 1.0);
            }
        }
        if let Ok(found) = calibration.corrected(&[(1.0, 2.0), (0.5, 1.0), (1.0, 1.0)], seed) {
            prop_assert!((0.0..=1.0).contains(&found.value));
            prop_assert!(found.low.is_none_or(|low| (0.0..=1.0).contains(&low)));
        }
    }
}
