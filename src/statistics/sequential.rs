//! Looking at a comparison while it still runs, and stopping when enough is known.

use std::collections::HashMap;

use rayon::prelude::*;
use statrs::distribution::{ContinuousCDF, Normal};

use super::bootstrap::SplitMix64;
use super::decision::{decide_together, is_drop};
use super::difference::quantile_above;
use super::signflip::{TIE, flipped_sum};
use super::{Decision, Method, Paired, difference};

/// How many assignments of signs are followed, beside the one observed.
const PATHS: usize = 9_999;

/// What to do after a look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    Continue,
    /// Never [`Decision::Better`]: news that good stops nothing.
    Stop(Decision),
}

/// A comparison in several planned looks, each at more attempts or more examples than before.
///
/// *Worse* is decided by alpha spending. Of the level, `2 - 2Φ(z / √t)` may be spent until the
/// share `t` of the looks, `z` being the normal quantile of `alpha/2`: hardly anything at first,
/// all of it in the end (the function of K. K. G. Lan and D. L. DeMets, Biometrika 70 (1983),
/// 659–663, that comes near to the boundary of P. C. O'Brien and T. R. Fleming). The boundary
/// is not taken from a normal process, whose increments would have to be independent, but from
/// the data: the signs of whole units are flipped, in all looks alike, and at each look as
/// many of these paths cross as may. If both sides were exchangeable, the path observed would
/// be one of them by chance; so it crosses, at any look, with a chance of at most `alpha`,
/// whatever clusters, ties, and dependence between looks there are (after C. R. Mehta,
/// N. Patel, P. Senchaudhuri, and A. A. Tsiatis, "Exact permutational tests for group
/// sequential clinical trials", Biometrics 50 (1994), 1042–1053). `alpha` is split evenly over
/// the keys (Bonferroni).
///
/// *Equivalent* is decided where the bound of every key's drop is at most the margin. Half of
/// `alpha` is kept for the last look, so that little is lost there; the looks before share the
/// other half, since most candidates have changed nothing, and stopping for them early saves
/// most (Bonferroni over looks; over keys none is needed, as of [`decide_all`](super::decide_all)).
#[derive(Clone, Debug)]
pub struct Sequential {
    alpha: f64,
    margin: f64,
    seed: u64,
    looks: u32,
    taken: u32,
    keys: Vec<Paths>,
    /// Of each key, after the last look.
    decisions: Vec<Decision>,
}

/// One key's paths.
#[derive(Clone, Debug)]
struct Paths {
    /// Which have crossed; the last is the one observed.
    crossed: Vec<bool>,
}

impl Sequential {
    /// Of `looks` looks at `keys` keys at the one-sided level `alpha`, with the smallest drop
    /// that matters, from 0 to 1.
    ///
    /// # Panics
    /// Without a look or a key, and if `alpha` is not above 0 and below a half.
    pub fn new(alpha: f64, looks: u32, keys: usize, margin: f64, seed: u64) -> Self {
        assert!(looks > 0 && keys > 0, "there is something to look at");
        assert!(
            0.0 < alpha && alpha < 0.5,
            "{alpha} is no level of one side"
        );
        let paths = Paths {
            crossed: vec![false; PATHS + 1],
        };
        Self {
            alpha,
            margin,
            seed,
            looks,
            taken: 0,
            keys: vec![paths; keys],
            decisions: vec![Decision::CannotTell; keys],
        }
    }

    /// What the last look says of each key: [`Decision::Worse`], [`Decision::Equivalent`] where its
    /// bound is within the margin, or [`Decision::CannotTell`].
    pub fn decisions(&self) -> &[Decision] {
        &self.decisions
    }

    /// How much of `alpha` could have been spent on false alarms by now, over all keys.
    pub fn spent(&self) -> f64 {
        let keys = self.keys.len() as f64;
        match self.taken {
            0 => 0.0,
            taken => keys * spent(self.alpha / keys, f64::from(taken) / f64::from(self.looks)),
        }
    }

    /// The level of the bound that a key's drop was held to at the last look.
    pub fn level(&self) -> f64 {
        if self.looks == 1 {
            self.alpha
        } else if self.taken == self.looks {
            self.alpha / 2.0
        } else {
            self.alpha / 2.0 / f64::from(self.looks - 1)
        }
    }

    /// Looks at all that was measured until now, the keys in the order of every look.
    ///
    /// Examples keep their places from look to look; new ones come after them, in an order
    /// that was drawn at random before the first look.
    ///
    /// # Panics
    /// After the last look, with another number of keys than was planned, and as
    /// [`difference()`] does.
    pub fn look(&mut self, pairs: &[Paired<'_>]) -> Next {
        assert!(self.taken < self.looks, "all looks were taken");
        assert_eq!(pairs.len(), self.keys.len(), "each key is looked at");
        self.taken += 1;
        let spent = spent(
            self.alpha / self.keys.len() as f64,
            f64::from(self.taken) / f64::from(self.looks),
        );
        let fine_at = self.level();
        let (margin, seed) = (self.margin, self.seed);
        let decide = |(paths, paired): (&mut Paths, &Paired<'_>)| {
            let Some(difference) = difference(*paired, seed) else {
                return Decision::CannotTell;
            };
            if difference.method == Method::FewClusters {
                return Decision::CannotTell;
            }
            if paths.advance(*paired, spent, seed) && is_drop(difference.effect, margin) {
                Decision::Worse
            } else if -difference.interval(fine_at).low <= margin {
                Decision::Equivalent
            } else {
                Decision::CannotTell
            }
        };
        self.decisions = self.keys.iter_mut().zip(pairs).map(decide).collect();
        match decide_together(&self.decisions) {
            Decision::CannotTell if self.taken < self.looks => Next::Continue,
            decision => Next::Stop(decision),
        }
    }
}

impl Paths {
    /// Lets as many paths cross as may have by now, those with the largest drops, and says
    /// whether the one observed has.
    fn advance(&mut self, paired: Paired<'_>, spent: f64, seed: u64) -> bool {
        let before = self.crossed.iter().filter(|&&crossed| crossed).count();
        let may = ((spent * self.crossed.len() as f64 + 1e-9) as usize).saturating_sub(before);
        if may == 0 || self.crossed[PATHS] {
            return self.crossed[PATHS];
        }
        let gains = gains(paired);
        let mut sums: Vec<(f64, usize)> = (0..=PATHS)
            .into_par_iter()
            .filter(|&path| !self.crossed[path])
            .map(|path| {
                let mut random = SplitMix64::of(seed, path as u64);
                let observed = path == PATHS;
                let bits = || if observed { 0 } else { random.next() };
                (flipped_sum(&gains, bits), path)
            })
            .collect();
        sums.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        // Paths that tie cross together or not at all.
        let mut crossing = 0;
        for tied in sums.chunk_by(|a, b| b.0 - a.0 <= TIE) {
            if crossing + tied.len() > may {
                break;
            }
            crossing += tied.len();
        }
        for &(_, path) in &sums[..crossing] {
            self.crossed[path] = true;
        }
        self.crossed[PATHS]
    }
}

/// The sum of `candidate - reference` of each unit, in the order in which units first came.
fn gains(paired: Paired<'_>) -> Vec<f64> {
    let Paired {
        reference,
        candidate,
        clusters,
        ..
    } = paired;
    let gain = |i: usize| candidate[i] - reference[i];
    let Some(clusters) = clusters else {
        return (0..reference.len()).map(gain).collect();
    };
    let mut places = HashMap::new();
    let mut gains = Vec::new();
    for (i, cluster) in clusters.iter().enumerate() {
        let place = *places.entry(cluster).or_insert_with(|| {
            gains.push(0.0);
            gains.len() - 1
        });
        gains[place] += gain(i);
    }
    gains
}

/// How much of the level may be spent until the share `time` of the looks.
fn spent(alpha: f64, time: f64) -> f64 {
    2.0 * Normal::standard().sf(quantile_above(alpha / 2.0) / time.sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Takes all looks at one key, or until one stops; `at(look)` are the sides and clusters.
    fn take(
        mut sequential: Sequential,
        at: impl Fn(u32) -> ([Vec<f64>; 2], Option<Vec<u32>>),
    ) -> (Decision, u32) {
        for look in 1.. {
            let (sides, clusters) = at(look);
            let paired = Paired {
                reference: &sides[0],
                candidate: &sides[1],
                clusters: clusters.as_deref(),
                single: false,
            };
            if let Next::Stop(decision) = sequential.look(&[paired]) {
                return (decision, look);
            }
        }
        unreachable!("the last look stops")
    }

    #[test]
    fn the_level_is_spent_as_lan_and_demets_say() {
        // scipy 1.17: `2*norm.sf(norm.ppf(1-a/2)/sqrt(t))`.
        for (alpha, time, expected) in [
            (0.05, 0.2, 1.1726446842521156e-05),
            (0.05, 0.4, 0.0019419129967408483),
            (0.05, 0.8, 0.028429630753072702),
            (0.05, 1.0, 0.05),
            (0.0125, 0.6, 0.0012618232262618786),
        ] {
            let found = spent(alpha, time);
            assert!((found - expected).abs() < 1e-10, "{found}");
        }
    }

    #[test]
    fn a_clear_drop_stops_early_and_so_does_a_candidate_that_changed_nothing() {
        let sequential = || Sequential::new(0.05, 5, 1, 0.05, 0);
        let fails_of = |failing: usize| {
            move |_| {
                let passed = |i| f64::from(u8::from(i >= failing));
                ([vec![1.0; 150], (0..150).map(passed).collect()], None)
            }
        };
        assert_eq!(take(sequential(), fails_of(0)), (Decision::Equivalent, 1));
        assert_eq!(take(sequential(), fails_of(60)), (Decision::Worse, 2));
        // Sure to be there, and too small to matter: neither is said before the end.
        assert_eq!(take(sequential(), fails_of(6)), (Decision::CannotTell, 5));
    }

    #[test]
    fn ten_examples_cannot_tell_however_often_they_are_looked_at() {
        let flat = |_| ([vec![1.0; 10], vec![1.0; 10]], None);
        let sequential = Sequential::new(0.05, 3, 1, 0.05, 0);
        assert_eq!(take(sequential, flat), (Decision::CannotTell, 3));
    }

    #[test]
    fn nothing_is_claimed_of_few_clusters() {
        // All of them fell: one of 16 assignments of signs, which a level of 10 % would put up with.
        let fallen = |clusters: u32| {
            let of = (0..40).map(|i| i % clusters).collect();
            move |_| ([vec![1.0; 40], vec![0.0; 40]], Some(Vec::clone(&of)))
        };
        let sequential = || Sequential::new(0.1, 2, 1, 0.05, 0);
        assert_eq!(take(sequential(), fallen(4)), (Decision::CannotTell, 2));
        assert_eq!(take(sequential(), fallen(5)).0, Decision::Worse);
    }

    #[test]
    fn all_keys_have_to_be_fine_and_one_can_be_worse() {
        let flat = [vec![1.0; 200], vec![1.0; 200]];
        let fallen = [vec![1.0; 200], vec![0.0; 200]];
        let few = [vec![1.0; 10], vec![1.0; 10]];
        let look = |keys: &[&[Vec<f64>; 2]]| {
            let pairs: Vec<Paired> = keys
                .iter()
                .map(|sides| Paired {
                    reference: &sides[0],
                    candidate: &sides[1],
                    clusters: None,
                    single: true,
                })
                .collect();
            Sequential::new(0.05, 1, keys.len(), 0.05, 0).look(&pairs)
        };
        assert_eq!(look(&[&flat, &flat]), Next::Stop(Decision::Equivalent));
        assert_eq!(look(&[&flat, &few]), Next::Stop(Decision::CannotTell));
        assert_eq!(look(&[&few, &fallen]), Next::Stop(Decision::Worse));
        // Five of 40, p = 1/32: enough for one key, and too little for one of two.
        let mut five = [vec![1.0; 40], vec![1.0; 40]];
        five[1][..5].fill(0.0);
        assert_eq!(look(&[&five]), Next::Stop(Decision::Worse));
        assert_eq!(look(&[&five, &flat]), Next::Stop(Decision::CannotTell));
    }

    #[test]
    fn over_every_assignment_of_signs_no_more_than_the_level_is_called_worse() {
        // Seven clusters. Any of the 128 assignments of their signs is as probable, if nothing
        // changed. All of the level is used where looks are about the same units, and no more
        // of it where they are about others.
        let alike = [
            [0.1, 0.5, 0.2, 0.6, 0.4, 0.1, 0.3],
            [0.3, 0.4, 0.3, 0.5, 0.3, 0.2, 0.2],
            [0.2, 0.4, 0.2, 0.4, 0.4, 0.3, 0.4],
        ];
        let apart = [
            [0.61, 0.52, 0.43, 0.04, 0.0, 0.0, 0.0],
            [0.0, 0.0, 0.21, 0.62, 0.53, 0.14, 0.0],
            [0.05, 0.0, 0.0, 0.11, 0.32, 0.63, 0.54],
        ];
        for (gains, alpha, least) in [(alike, 0.1, 0.08), (alike, 0.3, 0.26), (apart, 0.3, 0.2)] {
            let worse = (0u32..128)
                .filter(|signs| {
                    let at = |look: u32| {
                        let gain = |unit: usize| gains[look as usize - 1][unit];
                        let side = |up: bool| {
                            let moved = |unit| signs >> unit & 1 == u32::from(up);
                            let value = |unit| if moved(unit) { gain(unit) } else { 0.0 };
                            // Two examples a cluster, which move alike.
                            (0..14).map(|i| value(i % 7)).collect()
                        };
                        let clusters = (0..14).map(|i| i % 7).collect();
                        ([side(false), side(true)], Some(clusters))
                    };
                    let sequential = Sequential::new(alpha, 3, 1, 0.0, 5);
                    take(sequential, at).0 == Decision::Worse
                })
                .count();
            // Drawn paths stand for all; the steps are of 1/128.
            let share = worse as f64 / 128.0;
            assert!((least..=alpha + 0.01).contains(&share), "{alpha}: {share}");
        }
    }

    #[test]
    fn examples_may_come_in_blocks() {
        // Forty more at each look; the last of them fail.
        let at = |look: u32| {
            let count = 40 * look as usize;
            let candidate = (0..count).map(|i| f64::from(u8::from(i % 4 > 0))).collect();
            ([vec![1.0; count], candidate], None)
        };
        let (decision, look) = take(Sequential::new(0.05, 4, 1, 0.05, 0), at);
        assert_eq!(decision, Decision::Worse);
        assert!(look < 4, "{look}");
    }

    #[test]
    #[should_panic(expected = "all looks were taken")]
    fn no_look_is_taken_beyond_the_plan() {
        let one = [1.0];
        let paired = Paired {
            reference: &one,
            candidate: &one,
            clusters: None,
            single: true,
        };
        let mut sequential = Sequential::new(0.05, 1, 1, 0.05, 0);
        sequential.look(&[paired]);
        sequential.look(&[paired]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn units_add_up_to_what_their_examples_do(
            scores in prop::collection::vec((0u8..=2, 0u8..=2, 0u32..5), 1..20)
        ) {
            let side = |of: fn(&(u8, u8, u32)) -> u8| -> Vec<f64> {
                scores.iter().map(|s| f64::from(of(s)) / 2.0).collect()
            };
            let clusters: Vec<u32> = scores.iter().map(|s| s.2).collect();
            let (reference, candidate) = (side(|s| s.0), side(|s| s.1));
            let paired = Paired {
                reference: &reference,
                candidate: &candidate,
                clusters: Some(&clusters),
                single: false,
            };
            let all = gains(paired);
            let total = |sides: &[f64]| sides.iter().sum::<f64>();
            prop_assert_eq!(all.iter().sum::<f64>(), total(&candidate) - total(&reference));
            // A unit keeps its place when others come after it, here without a difference.
            let half = scores.len() / 2;
            let first = gains(Paired {
                reference: &reference[..half],
                candidate: &candidate[..half],
                clusters: Some(&clusters[..half]),
                single: false,
            });
            let mut unchanged = candidate.clone();
            unchanged[half..].copy_from_slice(&reference[half..]);
            let later = gains(Paired { candidate: &unchanged, ..paired });
            prop_assert_eq!(&later[..first.len()], &first[..]);
            prop_assert!(later[first.len()..].iter().all(|&gain| gain == 0.0));
        }
    }
}
