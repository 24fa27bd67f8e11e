//! Precision, recall, and F1 from a confusion matrix.

use serde::Serialize;

/// How well one class was told from the others. All are shares from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct ClassScores {
    /// Of what was found to be this class, the share that was; `None` where nothing was.
    pub precision: Option<f64>,
    /// Of what is this class, the share that was found; `None` where nothing is.
    pub recall: Option<f64>,
    /// Harmonic mean of the two, `2·tp / (2·tp + fp + fn)`; `None` where all three are 0.
    pub f1: Option<f64>,
    /// The weight of what is this class.
    pub support: f64,
}

/// Scores of each class. `matrix[expected][found]` holds weights, at least 0; columns from
/// `ROWS` on stand for no answer: they count against recall and against no precision.
pub fn class_scores<const ROWS: usize, const COLUMNS: usize>(
    matrix: &[[f64; COLUMNS]; ROWS],
) -> [ClassScores; ROWS] {
    const { assert!(ROWS <= COLUMNS, "each class has a column") };
    std::array::from_fn(|class| {
        let hit = matrix[class][class];
        let expected: f64 = matrix[class].iter().sum();
        let found: f64 = matrix.iter().map(|row| row[class]).sum();
        let share = |whole: f64| (whole > 0.0).then(|| hit / whole);
        ClassScores {
            precision: share(found),
            recall: share(expected),
            f1: share((expected + found) / 2.0),
            support: expected,
        }
    })
}

/// The plain mean of F1 over the classes that were expected at all, from 0 to 1; `None`
/// for an empty matrix.
///
/// A class that nobody expected has no recall, and would turn one stray answer among a
/// hundred into half of the figure; where every class is expected, this is the macro F1
/// of scikit-learn.
/// Source: J. Opitz and S. Burst, "Macro F1 and macro F1", arXiv 1911.03347 (2019): the
/// mean of F1 values, not the F1 of means.
pub fn macro_f1<const ROWS: usize, const COLUMNS: usize>(
    matrix: &[[f64; COLUMNS]; ROWS],
) -> Option<f64> {
    let f1: Vec<f64> = class_scores(matrix)
        .iter()
        .filter(|class| class.support > 0.0)
        .filter_map(|class| class.f1)
        .collect();
    (!f1.is_empty()).then(|| f1.iter().sum::<f64>() / f1.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLASSES: [(usize, f64, f64, f64); 3] = [
        (0, 0.8888888888888888, 0.7272727272727273, 0.8),
        (1, 0.45454545454545453, 0.5555555555555556, 0.5),
        (
            2,
            0.8695652173913043,
            0.7692307692307693,
            0.8163265306122449,
        ),
    ];
    const MACRO_F1: f64 = 0.7054421768707483;

    #[test]
    fn scores_equal_those_of_scikit_learn() {
        // scikit-learn 1.9: precision_recall_fscore_support(labels=[0, 1, 2],
        // zero_division=nan) over labels repeated as the cells say, "none" as label 3.
        let matrix = [
            [8.0, 2.0, 0.0, 1.0],
            [1.0, 5.0, 3.0, 0.0],
            [0.0, 4.0, 20.0, 2.0],
        ];
        let scores = class_scores(&matrix);
        for (class, precision, recall, f1) in CLASSES {
            let found = scores[class];
            for (name, found, expected) in [
                ("precision", found.precision, precision),
                ("recall", found.recall, recall),
                ("f1", found.f1, f1),
            ] {
                assert!(
                    (found.unwrap() - expected).abs() < 1e-12,
                    "{class} {name}: {found:?}"
                );
            }
        }
        assert!((macro_f1(&matrix).unwrap() - MACRO_F1).abs() < 1e-12);
    }

    #[test]
    fn what_never_occurs_has_no_score_and_no_say() {
        let matrix = [
            [0.0, 0.0, 0.0, 0.0],
            [0.0, 9.0, 0.0, 0.0],
            [1.0, 0.0, 0.0, 0.0],
        ];
        let [ignore, notify, respond] = class_scores(&matrix);
        assert_eq!(
            (ignore.precision, ignore.recall, ignore.f1),
            (Some(0.0), None, Some(0.0))
        );
        assert_eq!(
            (notify.precision, notify.recall, notify.f1),
            (Some(1.0), Some(1.0), Some(1.0))
        );
        assert_eq!(
            (respond.precision, respond.recall, respond.f1),
            (None, Some(0.0), Some(0.0))
        );
        assert_eq!(macro_f1(&matrix), Some(0.5));
        assert_eq!(macro_f1(&[[0.0; 4]; 3]), None);
    }
}
