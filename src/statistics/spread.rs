//! Where the spread of scores comes from: examples, the agent, or the judge.

/// The scores of the attempts at one example, as far as their spread is concerned.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Spread {
    attempts: u32,
    mean: f64,
    /// Of the distances from the mean.
    squares: f64,
    /// The variances that the judge gave the scores, added up.
    judge: f64,
}

impl Spread {
    /// Of attempts that passed or failed, by a rule and no judge.
    ///
    /// # Panics
    /// If `passed` is more than `attempts`.
    pub fn of_passes(passed: u32, attempts: u32) -> Self {
        assert!(
            passed <= attempts,
            "{passed} of {attempts} attempts cannot pass"
        );
        let mean = f64::from(passed) / f64::from(attempts.max(1));
        Self {
            attempts,
            mean,
            squares: f64::from(passed) * (1.0 - mean),
            judge: 0.0,
        }
    }

    /// Adds an attempt; `judge` is what [`vote_variance`] says of its score, 0 without a judge.
    pub fn add(&mut self, score: f64, judge: f64) {
        self.attempts += 1;
        let away = score - self.mean;
        self.mean += away / f64::from(self.attempts);
        self.squares += away * (score - self.mean);
        self.judge += judge;
    }

    /// Of one attempt around the mean of its example, without bias; `None` below two attempts.
    fn within(self) -> Option<f64> {
        (self.attempts > 1).then(|| self.squares / f64::from(self.attempts - 1))
    }
}

/// How much the share of `votes` that a judge passed would vary if it judged the same again:
/// `p(1-p) / (V-1)`, the variance of a mean of `V` votes, without bias. `None` below two votes.
///
/// A verdict by majority of the votes varies by less than their share wherever they mostly
/// agree.
///
/// # Panics
/// If `passed` is more than `votes`.
pub fn vote_variance(passed: u32, votes: u32) -> Option<f64> {
    assert!(passed <= votes, "{passed} of {votes} votes cannot pass");
    (votes > 1).then(|| {
        let share = f64::from(passed) / f64::from(votes);
        share * (1.0 - share) / f64::from(votes - 1)
    })
}

/// The variance of the score of one attempt at one example, by where it comes from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct VarianceSplit {
    /// Between examples: some are harder. More attempts do not lower it.
    pub between: f64,
    /// Within an example: the agent does not do the same again.
    pub agent: f64,
    /// Within an attempt: the judge does not say the same again.
    pub judge: f64,
}

/// Splits the variance of scores by the law of total variance.
///
/// `within` is the mean of the variances `s²ᵢ` over the examples with at least two attempts, of
/// which `judge` is the mean variance that votes gave the score of an attempt, and `agent` the
/// rest. `between` is the variance of the examples' means less what attempts put into it, the
/// mean of `within / nᵢ`. No part is below 0. `None` below two examples, or where none has two
/// attempts.
/// Source: E. Miller, "Adding error bars to evals", arXiv 2411.00640 (2024), section 3; for
/// three levels, S. R. Searle, G. Casella, C. E. McCulloch, "Variance Components" (1992),
/// chapter 3.
pub fn variance_split(examples: &[Spread]) -> Option<VarianceSplit> {
    let examples: Vec<&Spread> = examples.iter().filter(|e| e.attempts > 0).collect();
    let repeated: Vec<f64> = examples.iter().filter_map(|e| e.within()).collect();
    if examples.len() < 2 || repeated.is_empty() {
        return None;
    }
    let count = examples.len() as f64;
    let within = repeated.iter().sum::<f64>() / repeated.len() as f64;
    let attempts: f64 = examples.iter().map(|e| f64::from(e.attempts)).sum();
    let judge = examples.iter().map(|e| e.judge).sum::<f64>() / attempts;
    let judge = judge.min(within);
    let mean = examples.iter().map(|e| e.mean).sum::<f64>() / count;
    let of_means = examples
        .iter()
        .map(|e| (e.mean - mean).powi(2))
        .sum::<f64>()
        / (count - 1.0);
    let from_attempts = examples
        .iter()
        .map(|e| within / f64::from(e.attempts))
        .sum::<f64>()
        / count;
    Some(VarianceSplit {
        between: (of_means - from_attempts).max(0.0),
        agent: within - judge,
        judge,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spread(scores: &[f64]) -> Spread {
        let mut spread = Spread::default();
        scores.iter().for_each(|&score| spread.add(score, 0.0));
        spread
    }

    #[test]
    fn the_parts_are_those_of_a_mixed_model() {
        // statsmodels 0.15: `smf.mixedlm("y~1", df, groups=df.g).fit(reml=True)`, `cov_re` and
        // `scale`, which equal the estimates by moments where all groups are alike in size.
        let examples: Vec<Spread> = [
            [1., 1., 0., 1.],
            [0., 0., 0., 1.],
            [1., 1., 1., 1.],
            [0., 1., 0., 1.],
            [1., 0., 1., 1.],
            [0., 0., 0., 0.],
        ]
        .iter()
        .map(|scores| spread(scores))
        .collect();
        let split = variance_split(&examples).unwrap();
        assert!((split.between - 0.09027703).abs() < 1e-5, "{split:?}");
        assert!((split.agent - 0.18055581).abs() < 1e-5, "{split:?}");
        assert_eq!(split.judge, 0.0);
        let counted: Vec<Spread> = [3, 1, 4, 2, 3, 0]
            .map(|passed| Spread::of_passes(passed, 4))
            .to_vec();
        let counted = variance_split(&counted).unwrap();
        assert!((counted.between - split.between).abs() < 1e-12);
        assert!((counted.agent - split.agent).abs() < 1e-12);
    }

    #[test]
    fn a_judge_takes_its_part_from_what_the_agent_would_be_blamed_for() {
        // Two of four votes say nothing about the agent: (0.25 / 3) of variance a score.
        assert_eq!(vote_variance(2, 4), Some(0.25 / 3.0));
        assert_eq!(vote_variance(4, 4), Some(0.0));
        assert_eq!(vote_variance(1, 1), None);
        let judged = |judge: f64| {
            let mut spread = Spread::default();
            spread.add(0.25, judge);
            spread.add(0.75, judge);
            spread
        };
        let of = |judge| variance_split(&[judged(judge), judged(judge)]).unwrap();
        for (judge, agent) in [(0.0, 0.125), (0.05, 0.075), (0.125, 0.0), (0.4, 0.0)] {
            let split = of(judge);
            assert!((split.agent - agent).abs() < 1e-12, "{split:?}");
            assert!((split.judge + split.agent - 0.125).abs() < 1e-12);
            // Both examples are alike.
            assert_eq!(split.between, 0.0);
        }
    }

    #[test]
    fn what_is_known_once_or_of_one_example_is_not_split() {
        let (once, twice) = (spread(&[1.0]), spread(&[1.0, 0.0]));
        let none = Spread::default();
        for (case, examples, some) in [
            ("nothing", &[][..], false),
            ("one example", &[twice], false),
            ("one attempt each", &[once, once], false),
            (
                "one repeated, beside an unscored one",
                &[twice, none],
                false,
            ),
            ("one of two repeated", &[once, twice], true),
        ] {
            assert_eq!(variance_split(examples).is_some(), some, "{case}");
        }
    }

    #[test]
    fn drawn_scores_show_the_variances_they_were_drawn_with() {
        let mut random = fastrand::Rng::with_seed(3);
        let examples: Vec<Spread> = (0..4_000)
            .map(|_| {
                // Of a mean of 0.5 ± 0.2, and of an agent that is ± 0.1 around it.
                let mean = if random.bool() { 0.3 } else { 0.7 };
                let mut spread = Spread::default();
                for _ in 0..random.u32(1..4) {
                    spread.add(mean + if random.bool() { 0.1 } else { -0.1 }, 0.004);
                }
                spread
            })
            .collect();
        let split = variance_split(&examples).unwrap();
        assert!((split.between - 0.04).abs() < 0.002, "{split:?}");
        assert!((split.agent - 0.006).abs() < 0.001, "{split:?}");
        assert!((split.judge - 0.004).abs() < 1e-9, "{split:?}");
    }
}
