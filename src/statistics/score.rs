//! Score intervals for paired differences: they keep a width where nothing differed.

use super::Interval;
use super::interval::student_quantile;
use super::paired::{Unit, moments};

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
    let (mean, variance) = moments(units.iter().copied());
    let t = student_quantile(z, count - 1.0);
    let square = t * t * variance;
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const Z_90: f64 = 1.6448536269514722;
    const Z_95: f64 = 1.959963984540054;
    const Z_98: f64 = 2.3263478740408408;

    fn flips(better: u32, worse: u32, of: u32) -> Flips {
        Flips {
            better: better.into(),
            worse: worse.into(),
            of: of.into(),
        }
    }

    fn units(gains: &[f64], sizes: &[u32]) -> Vec<Unit> {
        let unit = |(&gain, &size): (&f64, &u32)| Unit {
            gain,
            size: size.into(),
        };
        gains.iter().zip(sizes).map(unit).collect()
    }

    #[track_caller]
    fn assert_close(found: Interval, low: f64, high: f64, within: f64) {
        assert!(
            (found.low - low).abs() < within && (found.high - high).abs() < within,
            "{found:?} is not [{low}, {high}]"
        );
    }

    #[test]
    fn tangos_interval_is_where_the_likelihood_puts_it() {
        // scipy 1.17: `optimize.brentq` for the difference d at which `(b-c-n*d) /
        // sqrt(n*(2*q+d*(1-d)))` is plus or minus z, q being where `optimize.minimize_scalar`
        // finds the likelihood of `(b, c, n-b-c)` under `(q+d, q, 1-2*q-d)` largest. The first
        // table is of Fagerland, Lydersen, Laake, Statistics in Medicine 33 (2014), 2850–2875.
        for ((better, worse, of), z, low, high) in [
            ((7, 1, 21), Z_95, 0.026003, 0.517232),
            ((7, 1, 21), Z_90, 0.074631, 0.481622),
            ((16, 6, 161), Z_95, 0.005433, 0.124023),
            ((1, 0, 44), Z_90, -0.036517, 0.095662),
            ((0, 0, 170), Z_90, -0.015666, 0.015666),
            ((0, 5, 10), Z_90, -0.730728, -0.180587),
            ((12, 12, 50), Z_95, -0.192078, 0.192078),
            ((3, 0, 50), Z_90, 0.005587, 0.140942),
            ((40, 90, 500), Z_90, -0.137194, -0.063292),
        ] {
            assert_close(tango_interval(flips(better, worse, of), z), low, high, 2e-6);
        }
    }

    #[test]
    fn where_all_flipped_an_end_is_the_last_possible_one() {
        let all = tango_interval(flips(0, 10, 10), Z_90);
        assert!(all.low == -1.0 && all.high < -0.5, "{all:?}");
    }

    #[test]
    fn the_score_interval_ends_where_its_equation_does() {
        // numpy 2.4, scipy 1.17: the outermost roots of `(x-e)**2 - t*t*(v+max(0,g(x)-g(e))/n)`
        // on a grid of 400,001 points, refined by `optimize.brentq`; `v = n/(n-1) *
        // ((d-e*s)**2).sum()/N**2`, `t = stats.t.ppf(1-alpha, n-1)`, `g = abs(x)*(1-abs(x))`.
        let third = 1.0 / 3.0;
        let thirds = [1., -2., 0., -1., -1., -3., 0., 1., -2., -1.].map(|d| d * third);
        let graded = units(&thirds, &[1; 10]);
        let clustered = units(
            &[-2., -1., 1., -3., 0., -2., 1., -4.],
            &[4, 2, 3, 5, 1, 3, 2, 6],
        );
        let sparse = |one: f64| {
            let mut gains = [0.0; 60];
            gains[0] = one;
            units(&gains, &[1; 60])
        };
        for (units, z, low, high) in [
            (&graded, Z_90, -0.5531335219888047, -0.012271408993857369),
            (&graded, Z_98, -0.6800158323149957, 0.1248860932087002),
            (&clustered, Z_90, -0.6646541916353969, -0.10457657759537237),
            (&clustered, Z_98, -0.8277444150151313, 0.058513645784362016),
            (
                &sparse(third),
                Z_90,
                -0.02660872502355121,
                0.05133314010763286,
            ),
            (
                &sparse(-third),
                Z_98,
                -0.09343017003569386,
                0.07203605964713049,
            ),
        ] {
            assert_close(score_interval(units, z), low, high, 1e-9);
        }
    }

    proptest! {
        #[test]
        fn intervals_hold_the_effect_grow_with_confidence_and_turn_with_the_sides(
            better in 0u32..30, worse in 0u32..30, same in 0u32..60
        ) {
            prop_assume!(better + worse + same > 0);
            let of = better + worse + same;
            let (one, other) = (flips(better, worse, of), flips(worse, better, of));
            let narrow = tango_interval(one, Z_90);
            let wide = tango_interval(one, Z_98);
            let turned = tango_interval(other, Z_90);
            let effect = (f64::from(better) - f64::from(worse)) / f64::from(of);
            prop_assert!(-1.0 <= wide.low && wide.low <= narrow.low && narrow.low <= effect);
            prop_assert!(effect <= narrow.high && narrow.high <= wide.high && wide.high <= 1.0);
            prop_assert!(narrow.low < narrow.high);
            prop_assert!((turned.low + narrow.high).abs() < 1e-9);
            prop_assert!((turned.high + narrow.low).abs() < 1e-9);
        }

        #[test]
        fn score_intervals_do_too(gains in prop::collection::vec(-4i8..=4, 2..40)) {
            let of = |sign: f64, z| {
                let gains: Vec<f64> = gains.iter().map(|&g| sign * f64::from(g) / 4.0).collect();
                score_interval(&units(&gains, &vec![1; gains.len()]), z)
            };
            let effect = gains.iter().map(|&g| f64::from(g) / 4.0).sum::<f64>() / gains.len() as f64;
            let (narrow, wide, turned) = (of(1.0, Z_90), of(1.0, Z_98), of(-1.0, Z_90));
            prop_assert!(wide.low <= narrow.low && narrow.high <= wide.high);
            prop_assert!(narrow.low <= effect && effect <= narrow.high);
            prop_assert!((turned.low + narrow.high).abs() < 1e-9);
        }
    }
}
