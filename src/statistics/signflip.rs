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
    let observed: f64 = varied.iter().sum();
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
    let mut sum = 0.0;
    for chunk in differences.chunks(64) {
        let mut signs = bits();
        for difference in chunk {
            // The lowest bit becomes the sign bit.
            sum += f64::from_bits(difference.to_bits() ^ (signs << 63));
            signs >>= 1;
        }
    }
    sum
}
