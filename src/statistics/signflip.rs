//! Whether a sum of differences is more than chance: signs are flipped at random.

use rayon::prelude::*;

use super::bootstrap::SplitMix64;

/// With so many differences that are not 0, every assignment of signs is tried.
const EXHAUSTIVE: usize = 16;

/// Sums that ought to be equal may differ by their rounding; others differ by more than this.
pub(super) const TIE: f64 = 1e-9;

/// The chance of a sum as low, and of one as high, if each difference were as likely to have
/// the other sign: `(at most, at least)`.
///
/// Up to 16 differences other than 0 all assignments of signs are counted. Beyond, that many
/// are drawn as some 20 million draws allow, 2,000 to 10,000, and the assignment observed
/// counts among them, so that the test keeps its level however few are drawn. The result
/// depends on the arguments alone.
/// Sources: R. A. Fisher, "The Design of Experiments" (1935), section 21; for the drawn ones,
/// B. Phipson and G. K. Smyth, "Permutation p-values should never be zero", Stat. Appl. Genet.
/// Mol. Biol. 9 (2010), 39.
pub(super) fn sign_flip(differences: &[f64], seed: u64) -> (f64, f64) {
    let varied: Vec<f64> = differences.iter().copied().filter(|&d| d != 0.0).collect();
    let observed = flipped_sum(&varied, || 0);
    let (draws, extra) = if varied.len() <= EXHAUSTIVE {
        (1 << varied.len(), 0)
    } else {
        (
            (20_000_000 / varied.len()).clamp(2_000, 10_000) as u64 - 1,
            1,
        )
    };
    let flipped = |draw: u64| {
        if extra == 0 {
            flipped_sum(&varied, || draw)
        } else {
            let mut random = SplitMix64::of(seed, draw);
            flipped_sum(&varied, || random.next())
        }
    };
    let (low, high) = (0..draws)
        .into_par_iter()
        .map(flipped)
        .map(|sum| {
            (
                u64::from(sum <= observed + TIE),
                u64::from(sum >= observed - TIE),
            )
        })
        .reduce(|| (0, 0), |a, b| (a.0 + b.0, a.1 + b.1));
    let share = |count: u64| (count + extra) as f64 / (draws + extra) as f64;
    (share(low), share(high))
}

/// The sum with the signs that the next bits say, 64 at a time.
pub(super) fn flipped_sum(differences: &[f64], mut bits: impl FnMut() -> u64) -> f64 {
    // The lowest bit becomes the sign bit.
    let flip = |difference: f64, signs: u64| f64::from_bits(difference.to_bits() ^ (signs << 63));
    // Four sums, so that no addition waits for the one before it.
    let mut lanes = [0.0; 4];
    for chunk in differences.chunks(64) {
        let mut signs = bits();
        let fours = chunk.chunks_exact(4);
        let rest = fours.remainder();
        for four in fours {
            for lane in 0..4 {
                lanes[lane] += flip(four[lane], signs >> lane);
            }
            signs >>= 4;
        }
        for (lane, difference) in rest.iter().enumerate() {
            lanes[lane] += flip(*difference, signs >> lane);
        }
    }
    (lanes[0] + lanes[1]) + (lanes[2] + lanes[3])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn exhaustive_values_equal_those_of_scipy() {
        // scipy 1.17: `permutation_test((d, zeros_like(d)), mean of x-y,
        // permutation_type="samples", n_resamples=inf, alternative=…)`, less and greater.
        let thirds = [1., -2., 0., -1., -1., -3., 0., 1., -2., -1.].map(|d: f64| d / 3.0);
        for (differences, low, high) in [
            (&thirds[..], 0.0703125, 0.9765625),
            (
                &[-0.5, -0.5, 0.5, -1.0, -0.25, 0.75, -1.0, -0.5],
                0.125,
                0.921875,
            ),
            (
                &[-2.0, -1.0, 1.0, -3.0, 0.0, -2.0, 1.0, -4.0],
                0.0703125,
                0.96875,
            ),
            (&[0.0; 9], 1.0, 1.0),
            (&[-0.3; 7], 1.0 / 128.0, 1.0),
        ] {
            assert_eq!(sign_flip(differences, 0), (low, high), "{differences:?}");
        }
    }

    #[test]
    fn drawn_values_are_near_exact_ones_and_never_0() {
        // Of 30 equal steps, 20 down: binom(30, 0.5).sf(19) = 0.0493686.
        let mut steps = vec![-1.0; 20];
        steps.extend([1.0; 10]);
        let (low, high) = sign_flip(&steps, 11);
        assert!((low - 0.0493686).abs() < 0.007, "{low}");
        assert!((high - 0.9786130).abs() < 0.007, "{high}");
        assert_eq!(sign_flip(&[-1.0; 200], 0).0, 1.0 / 10_000.0);
    }

    #[test]
    fn the_number_of_threads_changes_nothing() {
        let differences: Vec<f64> = (0..100).map(|i| f64::from(i % 7) - 3.3).collect();
        let with_threads = |threads| {
            rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .unwrap()
                .install(|| sign_flip(&differences, 3))
        };
        assert_eq!(with_threads(1), with_threads(4));
        assert_ne!(with_threads(1), sign_flip(&differences, 4));
    }

    #[test]
    fn each_difference_has_a_sign_of_its_own() {
        let differences: Vec<f64> = (0..70).map(f64::from).collect();
        assert_eq!(flipped_sum(&differences, || 0), 2415.0);
        assert_eq!(flipped_sum(&differences, || u64::MAX), -2415.0);
        // Of 3 and of 64 + 5.
        let mut words = [1 << 3, 1 << 5].into_iter();
        let sum = flipped_sum(&differences, || words.next().unwrap());
        assert_eq!(sum, 2415.0 - 2.0 * (3.0 + 69.0));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn the_sides_are_mirrored_and_zeros_say_nothing(
            steps in prop::collection::vec(-4i8..=4, 0..11)
        ) {
            let of = |sign: f64| steps.iter().map(|&s| sign * f64::from(s) / 3.0).collect::<Vec<_>>();
            let (low, high) = sign_flip(&of(1.0), 0);
            prop_assert_eq!(sign_flip(&of(-1.0), 0), (high, low));
            // What is not below or above is equal, and was counted twice.
            prop_assert!(low + high >= 1.0);
            let mut padded = of(1.0);
            padded.extend([0.0; 40]);
            prop_assert_eq!(sign_flip(&padded, 0), (low, high));
        }
    }
}
