//! The score interval for the difference of two shares of the same examples.

use super::Interval;
use super::interval::student_quantile;
use super::paired::{Unit, variance};

/// Examples that got better, that got worse, and all of them. Fractions are allowed: what is
/// as uncertain as that many examples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Flips {
    pub(super) better: f64,
    pub(super) worse: f64,
    pub(super) of: f64,
}

impl Flips {
    /// The sample of single yes-or-no answers that would be as uncertain about the mean of
    /// these units, for bounds at the normal quantile `z`.
    ///
    /// With `u` and `d` the gains and the losses of the units, per example, and `v` the
    /// variance of `u - d`, it has `n = (u + d - (u - d)²) / v · (z/t)²` answers, of which
    /// `n·u` got better and `n·d` worse; `t` is Student's quantile with `C - 1` degrees of
    /// freedom, which pays for estimating `v` from `C` units. Where the units do not vary,
    /// `n` is `C`: that nothing has varied yet leaves what `C` answers leave open.
    /// The idea is that of Korn and Graubard, as in [`mean_interval`](super::mean_interval).
    pub(super) fn effective(units: &[Unit], z: f64) -> Self {
        let size: f64 = units.iter().map(|unit| unit.size).sum();
        let total = |sign: f64| {
            units
                .iter()
                .map(|unit| (unit.gain * sign).max(0.0))
                .sum::<f64>()
        };
        let (up, down) = (total(1.0) / size, total(-1.0) / size);
        let variance = variance(units, up - down);
        let count = units.len() as f64;
        let of = if variance == 0.0 {
            count
        } else {
            let t = student_quantile(z, count - 1.0);
            (up + down - (up - down).powi(2)) / variance * (z / t).powi(2)
        };
        Self {
            better: up * of,
            worse: down * of,
            of,
        }
    }
}

/// Tango's score interval for the share that got better less the share that got worse.
///
/// `z` is the normal quantile of the confidence of each end. An end is where the score test
/// of that difference has a statistic of `z`; it keeps a width where nothing flipped, ±`z²/(n + z²)`.
/// Source: T. Tango, "Equivalence test and confidence interval for the difference in
/// proportions for the paired-sample design", Statistics in Medicine 17 (1998), 891–908.
pub(super) fn tango_interval(flips: Flips, z: f64) -> Interval {
    let effect = (flips.better - flips.worse) / flips.of;
    // The statistic falls as the difference grows, so that halving finds both ends.
    let end = |mut inside: f64, mut outside: f64| {
        for _ in 0..60 {
            let middle = f64::midpoint(inside, outside);
            if score(flips, middle).abs() <= z {
                inside = middle;
            } else {
                outside = middle;
            }
        }
        inside
    };
    Interval {
        low: end(effect, -1.0),
        high: end(effect, 1.0),
    }
}

/// Tango's statistic: how many standard errors the effect lies above `difference`, with the
/// nuisance share of those that got worse at its most likely value under `difference`.
fn score(Flips { better, worse, of }: Flips, difference: f64) -> f64 {
    let excess = better - worse - of * difference;
    let a = 2.0 * of;
    let b = (2.0 * of - better + worse) * difference - better - worse;
    let c = -worse * difference * (1.0 - difference);
    let share = ((b * b - 4.0 * a * c).max(0.0).sqrt() - b) / (2.0 * a);
    let variance = of * (2.0 * share + difference * (1.0 - difference));
    if excess == 0.0 {
        0.0
    } else {
        excess / variance.max(0.0).sqrt()
    }
}
