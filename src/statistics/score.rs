//! Score intervals for paired differences: they keep a width where nothing differed.

use super::Interval;
use super::interval::student_quantile;
use super::paired::{Unit, mean, variance};

/// Examples that got better, that got worse, and all of them. Fractions are allowed: what is
/// as uncertain as that many examples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Flips {
    pub(super) better: f64,
    pub(super) worse: f64,
    pub(super) of: f64,
}

/// Tango's score interval for the share that got better less the share that got worse.
///
/// `z` is the normal quantile of the confidence of each end. An end is where the score test
/// of that difference has a statistic of `z`; where nothing flipped, it is `±z²/(n + z²)`.
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

/// A score interval for the mean difference of units that are no single yes-or-no answers.
///
/// `z` is as of [`tango_interval`]; there must be two units. A mean `δ` further from 0 than the
/// observed `d` is taken to come of more units that fail, or pass, as a whole, as an agent does
/// whose one rule breaks: that adds `(g(δ) - g(d))/C`, with `g(x) = |x|·(1 - |x|)`, to the
/// variance `v` that was observed. An end is the furthest `δ` for which
///
/// ```text
/// (δ - d)² = t²·(v + max(0, g(δ) - g(d))/C)
/// ```
///
/// `t` is Student's quantile with `C - 1` degrees of freedom, which pays for estimating `v`
/// from `C` units. With no variance and no effect it would be Tango's interval without a flip.
/// `±t·√v` alone holds the truth too rarely, since what breaks in few units is seen in fewer
/// still, or in none: `docs/statistics.md` has the study.
pub(super) fn score_interval(units: &[Unit], z: f64) -> Interval {
    let count = units.len() as f64;
    let mean = mean(units);
    let t = student_quantile(z, count - 1.0);
    let square = t * t * variance(units, mean);
    let w = t * t / count;
    let (from_zero, left) = (mean.abs(), 1.0 - 2.0 * mean.abs());
    // Away from 0, and past 0 to as far on its other side, from where units break again.
    let away = largest_root(1.0 + w, -w * left, -square);
    let beyond = largest_root(
        1.0 + w,
        4.0 * from_zero - w * left,
        4.0 * from_zero * from_zero - square,
    );
    let beyond = beyond.filter(|&more| more > 0.0);
    let away = away.unwrap_or(0.0).max(square.sqrt());
    let back = beyond
        .map_or(0.0, |more| 2.0 * from_zero + more)
        .max(square.sqrt());
    let (down, up) = if mean > 0.0 {
        (back, away)
    } else {
        (away, back)
    };
    Interval {
        low: mean - down,
        high: mean + up,
    }
}

/// Of `a·x² + b·x + c = 0`, where `a` is above 0.
fn largest_root(a: f64, b: f64, c: f64) -> Option<f64> {
    let discriminant = b * b - 4.0 * a * c;
    (discriminant >= 0.0).then(|| (discriminant.sqrt() - b) / (2.0 * a))
}
