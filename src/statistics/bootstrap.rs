//! Intervals by resampling, for figures that are no means of examples.

use rayon::prelude::*;

use super::Interval;
use super::quantile::quantile_of_sorted;

/// How many resamples of `units` units are drawn: as many as some 20 million draws allow,
/// but 200 to 2,000, so that large datasets do not wait and small ones are not coarse.
pub fn resamples(units: usize) -> usize {
    (20_000_000 / units.max(1)).clamp(200, 2_000)
}

/// Percentile interval for any statistic of a sample, by the seeded bootstrap.
///
/// `statistic` is given the units drawn, as indices below `units`, with repetition, and
/// returns a finite number. Units are what was sampled independently: clusters of examples,
/// not attempts. `confidence` is a share, 0.95 for 95 %. The result depends on nothing but
/// the arguments, however many threads take part.
///
/// `None` below two units, and where every resample gives the same number: then the sample
/// shows no variation to learn from, and an interval without width would promise too much.
/// Source: B. Efron and R. J. Tibshirani, "An Introduction to the Bootstrap" (1993),
/// chapter 13.
///
/// # Panics
/// If `confidence` is outside [0, 1].
pub fn bootstrap_interval(
    units: usize,
    seed: u64,
    confidence: f64,
    statistic: impl Fn(&[usize]) -> f64 + Sync,
) -> Option<Interval> {
    if units < 2 {
        return None;
    }
    let mut values = resampled([units], seed, |[drawn]| statistic(drawn));
    values.sort_unstable_by(f64::total_cmp);
    if values.first() == values.last() {
        return None;
    }
    let tail = (1.0 - confidence) / 2.0;
    Some(Interval {
        low: quantile_of_sorted(&values, tail)?,
        high: quantile_of_sorted(&values, 1.0 - tail)?,
    })
}

/// What `statistic` makes of each resample, in order.
///
/// It is given the units drawn from each of several samples, which are drawn from
/// independently: indices below `units`, with repetition, as many as there are units. The
/// result depends on nothing but the arguments, however many threads take part.
pub(super) fn resampled<const SAMPLES: usize, T: Send>(
    units: [usize; SAMPLES],
    seed: u64,
    statistic: impl Fn(&[Vec<usize>; SAMPLES]) -> T + Sync,
) -> Vec<T> {
    (0..resamples(units.iter().sum()) as u64)
        .into_par_iter()
        .map_with(
            units.map(|units| vec![0; units]),
            |drawn: &mut [Vec<usize>; SAMPLES], resample| {
                // A generator of its own for each resample, so that threads cannot matter.
                let mut random = SplitMix64::of(seed, resample);
                for drawn in drawn.iter_mut() {
                    let units = drawn.len();
                    drawn.fill_with(|| random.below(units));
                }
                statistic(drawn)
            },
        )
        .collect()
}

/// The generator of G. L. Steele, D. Lea, and C. H. Flood, "Fast splittable pseudorandom
/// number generators", OOPSLA 2014. Written out here, since stored reports rely on its
/// numbers, and a library may change its own with any release.
pub(super) struct SplitMix64(u64);

/// 2⁶⁴ divided by the golden ratio.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

impl SplitMix64 {
    /// The generator of one of many streams that share a seed.
    pub(super) fn of(seed: u64, stream: u64) -> Self {
        Self(mix(seed) ^ mix(stream.wrapping_add(GOLDEN)))
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GOLDEN);
        mix(self.0)
    }

    /// Below `bound`, by multiplication; the bias is `bound` in 2⁶⁴.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.next()) * bound as u128) >> 64) as usize
    }
}

fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn mean_of(values: &[f64]) -> impl Fn(&[usize]) -> f64 + Sync {
        |drawn| drawn.iter().map(|&i| values[i]).sum::<f64>() / drawn.len() as f64
    }

    #[test]
    fn the_generator_gives_its_published_numbers() {
        // The first outputs of the reference implementation for the seed 1234567.
        let mut random = SplitMix64(1_234_567);
        let numbers = [random.next(), random.next(), random.next()];
        assert_eq!(
            numbers,
            [
                6457827717110365317,
                3203168211198807973,
                9817491932198370423
            ]
        );
    }

    #[test]
    fn an_interval_of_a_mean_is_near_the_exact_one() {
        // 30 of 100 pass: scipy.stats.binom(100, 0.3).ppf([0.025, 0.975]) is [21, 39].
        let values: Vec<f64> = (0..100).map(|i| f64::from(u8::from(i < 30))).collect();
        let Interval { low, high } = bootstrap_interval(100, 7, 0.95, mean_of(&values)).unwrap();
        assert!(
            (low - 0.21).abs() <= 0.011 && (high - 0.39).abs() <= 0.011,
            "{low} {high}"
        );
    }

    #[test]
    fn the_number_of_threads_changes_nothing() {
        let values: Vec<f64> = (0..50).map(|i| f64::from(i % 7) / 6.0).collect();
        let with_threads = |threads| {
            rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .unwrap()
                .install(|| bootstrap_interval(50, 3, 0.9, mean_of(&values)))
        };
        assert_eq!(with_threads(1), with_threads(4));
        assert_ne!(
            with_threads(1),
            bootstrap_interval(50, 4, 0.9, mean_of(&values))
        );
    }

    #[test]
    fn no_variation_gives_no_interval() {
        for (case, values) in [("none", &[][..]), ("one", &[0.5]), ("equal", &[1.0; 30])] {
            let interval = bootstrap_interval(values.len(), 0, 0.95, mean_of(values));
            assert_eq!(interval, None, "{case}");
        }
    }

    #[test]
    fn the_work_is_bounded() {
        for (units, expected) in [(0, 2_000), (150, 2_000), (20_000, 1_000), (1_000_000, 200)] {
            assert_eq!(resamples(units), expected);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        #[test]
        fn equal_seeds_give_equal_intervals_within_the_range(
            values in prop::collection::vec(0.0f64..=1.0, 2..40), seed: u64
        ) {
            let one = bootstrap_interval(values.len(), seed, 0.95, mean_of(&values));
            prop_assert_eq!(one, bootstrap_interval(values.len(), seed, 0.95, mean_of(&values)));
            if let Some(Interval { low, high }) = one {
                prop_assert!(0.0 <= low && low <= high && high <= 1.0 + 1e-12);
            }
        }
    }
}
