//! Whether comparisons keep their promises: thousands of made-up ones, whose truth is known.
//!
//! `cargo bench --bench study` prints the tables of `docs/statistics.md`; with `-- --quick`
//! it makes a tenth of the comparisons. Numbers depend on the seed below alone.

use fastrand::Rng;
use mailproof::statistics::{
    Decision, Difference, Next, Paired, Sequential, decide_all, decide_together, difference, draw,
};
use rayon::prelude::*;

const SEED: u64 = 20_261_122;
const ALPHA: f64 = 0.05;
/// The default of `compare`.
const MARGIN: f64 = 0.05;
/// The share of examples that pass, of those that do not waver.
const STEADY: f64 = 0.85;
/// How often examples of a cluster share their luck.
const SHARED: f64 = 0.5;

/// What is compared: emails, and an agent that wavers at some of them.
#[derive(Clone, Copy)]
struct World {
    name: &'static str,
    examples: usize,
    attempts: usize,
    /// Whether examples come in clusters, of four on average.
    clusters: bool,
    /// The share of the examples that pass now and then.
    wavering: f64,
    /// How often they do.
    passes: f64,
    keys: usize,
    /// Whether a few large losses and many small gains add up to nothing.
    lopsided: bool,
}

/// Every attempt of both sides at one key.
struct Sample {
    /// `attempts[k][side][example]` is 0 or 1.
    attempts: Vec<[Vec<f64>; 2]>,
    clusters: Option<Vec<u32>>,
}

impl World {
    const fn new(name: &'static str, examples: usize, attempts: usize, wavering: f64) -> Self {
        World {
            name,
            examples,
            attempts,
            clusters: false,
            wavering,
            passes: 0.5,
            keys: 1,
            lopsided: false,
        }
    }

    fn pass_rate(&self) -> f64 {
        self.wavering * self.passes + (1.0 - self.wavering) * STEADY
    }

    /// Measures both sides, the candidate's rate being lower by `drop`: the share of the
    /// clusters it takes fails from now on.
    fn sample(&self, drop: f64, random: &mut Rng) -> Sample {
        let broken = drop / self.pass_rate();
        let mut clusters: Vec<u32> = Vec::with_capacity(self.examples);
        while clusters.len() < self.examples {
            let cluster = clusters.last().map_or(0, |last| last + 1);
            let size = if self.clusters {
                // From one to seven.
                1 + random.usize(..7)
            } else {
                1
            };
            let size = size.min(self.examples - clusters.len());
            clusters.extend(std::iter::repeat_n(cluster, size));
        }
        let mut sample = Sample {
            attempts: vec![[const { Vec::new() }; 2]; self.attempts],
            clusters: self.clusters.then(|| clusters.clone()),
        };
        for cluster in clusters.chunk_by(|a, b| a == b) {
            let luck: Vec<[f64; 2]> = (0..self.attempts)
                .map(|_| [random.f64(), random.f64()])
                .collect();
            let kind = random.f64();
            let fails = random.f64() < broken;
            for _ in cluster {
                let together = random.f64() < SHARED;
                let kind = if together { kind } else { random.f64() };
                let mut chances = [self.chance(kind); 2];
                if self.lopsided {
                    match random.f64() {
                        ..0.05 => chances = [1.0, 0.0],
                        0.05..0.15 => chances = [0.5, 1.0],
                        _ => {}
                    }
                }
                if fails {
                    chances[1] = 0.0;
                }
                for (attempt, luck) in sample.attempts.iter_mut().zip(&luck) {
                    for side in 0..2 {
                        let luck = if together { luck[side] } else { random.f64() };
                        attempt[side].push(f64::from(u8::from(luck < chances[side])));
                    }
                }
            }
        }
        sample
    }

    /// How often an example passes, from a number between 0 and 1 that says which it is.
    fn chance(&self, kind: f64) -> f64 {
        if kind < self.wavering {
            self.passes
        } else {
            f64::from(u8::from(
                (kind - self.wavering) / (1.0 - self.wavering) < STEADY,
            ))
        }
    }
}

impl Sample {
    /// The means over the first `attempts`.
    fn means(&self, attempts: usize) -> [Vec<f64>; 2] {
        [0, 1].map(|side| {
            let of = |i: usize| {
                let passed: f64 = self.attempts[..attempts].iter().map(|a| a[side][i]).sum();
                passed / attempts as f64
            };
            (0..self.attempts[0][side].len()).map(of).collect()
        })
    }

    fn paired<'a>(&'a self, means: &'a [Vec<f64>; 2], attempts: usize) -> Paired<'a> {
        Paired {
            reference: &means[0],
            candidate: &means[1],
            clusters: self.clusters.as_deref(),
            single: attempts == 1,
        }
    }

    fn difference(&self, seed: u64) -> Difference {
        let attempts = self.attempts.len();
        let means = self.means(attempts);
        difference(self.paired(&means, attempts), seed).expect("there are examples")
    }
}

/// Makes `comparisons` samples of every key of a world, of which the first `dropped` drop, and
/// asks something of each.
fn simulate<T: Send>(
    world: &World,
    comparisons: usize,
    dropped: usize,
    drop: f64,
    ask: impl Fn(&[Sample], u64) -> T + Sync,
) -> Vec<T> {
    (0..comparisons as u64)
        .into_par_iter()
        .map(|comparison| {
            // A seed for each row and comparison, so that rows do not share their luck.
            let row = world.name.bytes().fold(SEED, |seed, byte| {
                seed.wrapping_mul(31).wrapping_add(byte.into())
            });
            let mut random = Rng::with_seed(row ^ comparison.wrapping_mul(0x9e37_79b9_7f4a_7c15));
            let samples: Vec<Sample> = (0..world.keys)
                .map(|key| world.sample(if key < dropped { drop } else { 0.0 }, &mut random))
                .collect();
            ask(&samples, comparison)
        })
        .collect()
}

fn share(of: &[bool]) -> f64 {
    of.iter().filter(|&&is| is).count() as f64 / of.len() as f64
}

fn mean(of: impl ExactSizeIterator<Item = f64>) -> f64 {
    let count = of.len() as f64;
    of.sum::<f64>() / count
}

/// One comparison, by the rule.
struct Compared {
    first: Difference,
    decisions: Vec<Decision>,
    /// What the test alone says, without a margin.
    tested: Vec<Decision>,
}

fn compare(samples: &[Sample], seed: u64) -> Compared {
    let differences: Vec<Difference> = samples.iter().map(|s| s.difference(seed)).collect();
    Compared {
        decisions: decide_all(&differences, MARGIN, ALPHA),
        tested: decide_all(&differences, 0.0, ALPHA),
        first: differences.into_iter().next().expect("at least one key"),
    }
}

/// What is printed beside the key that the first step of Holm would ask about.
fn mde(world: &World, difference: &Difference) -> f64 {
    difference
        .mde(ALPHA / world.keys as f64, MARGIN)
        .unwrap_or(1.0)
}

fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

fn study(world: &World, comparisons: usize) {
    let worse = |of: &[Decision]| of.contains(&Decision::Worse);
    let unchanged = simulate(world, comparisons, 0, 0.0, compare);
    let ask = |of: &dyn Fn(&Compared) -> bool| share(&unchanged.iter().map(of).collect::<Vec<_>>());
    let tested = ask(&|c| worse(&c.tested));
    let alarms = ask(&|c| worse(&c.decisions));
    let clear = ask(&|c| {
        let together = decide_together(&c.decisions);
        matches!(together, Decision::Equivalent | Decision::Better)
    });
    let units = mean(unchanged.iter().map(|c| c.first.units as f64));
    let mde = mean(unchanged.iter().map(|c| mde(world, &c.first)));
    let missed = |of: &[Compared], truth: f64| {
        let outside = |c: &Compared, high: bool| {
            let interval = c.first.interval(ALPHA);
            if high {
                interval.high < truth - 1e-9
            } else {
                interval.low > truth + 1e-9
            }
        };
        [false, true].map(|high| share(&of.iter().map(|c| outside(c, high)).collect::<Vec<_>>()))
    };
    let [below, above] = missed(&unchanged, 0.0);

    let (found, clear_at_margin, at_drop) = if world.lopsided {
        ("–".to_owned(), "–".to_owned(), "–".to_owned())
    } else {
        let dropped = simulate(world, comparisons, 1, mde, compare);
        let found: Vec<bool> = dropped
            .iter()
            .map(|c| c.decisions[0] == Decision::Worse)
            .collect();
        let [below, above] = missed(&dropped, -mde);
        // A hair more than may be: then all clear is wrong.
        let at_margin = simulate(world, comparisons, 1, MARGIN + 1e-6, compare);
        let fine = |c: &Compared| matches!(c.decisions[0], Decision::Equivalent | Decision::Better);
        let fine: Vec<bool> = at_margin.iter().map(fine).collect();
        (
            percent(share(&found)),
            percent(share(&fine)),
            format!("{} / {}", percent(below), percent(above)),
        )
    };
    println!(
        "| {} | {units:.0} | {} | {} | {} | {:.1} | {found} | {clear_at_margin} | {} / {} | {at_drop} |",
        world.name,
        percent(tested),
        percent(alarms),
        percent(clear),
        100.0 * mde,
        percent(below),
        percent(above),
    );
}

/// Of three keys that did not change beside one that fell: how often any is called worse.
fn study_family(world: &World, comparisons: usize) {
    let compared = simulate(world, comparisons, 1, 0.3, |samples, seed| {
        compare(samples, seed).tested
    });
    let alarms: Vec<bool> = compared
        .iter()
        .map(|decisions| decisions[1..].contains(&Decision::Worse))
        .collect();
    println!(
        "\nWhere one of four keys falls by 30 points, another one is called worse in {} of comparisons (margin 0).",
        percent(share(&alarms))
    );
}

/// What a comparison that may stop early came to: the decision, and at which look.
fn in_sequence(samples: &[Sample], seed: u64, margin: f64) -> (Decision, usize) {
    let looks = samples[0].attempts.len();
    let mut sequential = Sequential::new(ALPHA, looks as u32, samples.len(), margin, seed);
    for look in 1..=looks {
        let means: Vec<_> = samples.iter().map(|sample| sample.means(look)).collect();
        let pairs: Vec<Paired> = samples
            .iter()
            .zip(&means)
            .map(|(sample, means)| sample.paired(means, look))
            .collect();
        if let Next::Stop(decision) = sequential.look(&pairs) {
            return (decision, look);
        }
    }
    unreachable!("the last look stops")
}

fn study_sequential(world: &World, comparisons: usize) {
    let fixed = |drop| {
        let decided = simulate(world, comparisons, 1, drop, |samples, seed| {
            decide_together(&compare(samples, seed).decisions)
        });
        tally(
            decided
                .into_iter()
                .map(|decision| (decision, world.attempts)),
        )
    };
    let early = |drop| {
        let ask = |samples: &[Sample], seed| in_sequence(samples, seed, MARGIN);
        tally(simulate(world, comparisons, 1, drop, ask).into_iter())
    };
    let mdes = simulate(world, comparisons / 10, 0, 0.0, |samples, seed| {
        mde(world, &samples[0].difference(seed))
    });
    let mde = mean(mdes.into_iter());
    for (case, drop) in [("nothing changed", 0.0), ("a drop of the MDE", mde)] {
        for (kind, tally) in [("all attempts", fixed(drop)), ("looks", early(drop))] {
            println!(
                "| {} | {case} | {kind} | {} | {} | {} | {:.2} of {} | {} |",
                world.name,
                percent(tally.worse),
                percent(tally.fine),
                percent(1.0 - tally.worse - tally.fine),
                tally.looks,
                world.attempts,
                percent(1.0 - tally.looks / world.attempts as f64),
            );
        }
    }
}

/// What a comparison in looks calls worse although nothing changed, without a margin.
fn study_looks(world: &World, comparisons: usize) {
    let ask = |samples: &[Sample], seed| in_sequence(samples, seed, 0.0);
    let tally = tally(simulate(world, comparisons, 0, 0.0, ask).into_iter());
    println!("| {} | {} |", world.name, percent(tally.worse));
}

/// The means of so many attempts of each side.
fn uneven(sample: &Sample, attempts: [usize; 2]) -> [Vec<f64>; 2] {
    let [mut means, other] = attempts.map(|attempts| sample.means(attempts));
    means[1] = other.into_iter().nth(1).expect("there are two sides");
    means
}

/// The same where the side that has more is a reference file's, which has counts alone.
fn drawn(sample: &Sample, attempts: [usize; 2], seed: u64) -> [Vec<f64>; 2] {
    let least = attempts[0].min(attempts[1]);
    let mut means = uneven(sample, attempts);
    for (means, attempts) in means.iter_mut().zip(attempts) {
        for (example, mean) in means.iter_mut().enumerate() {
            let passed = (*mean * attempts as f64).round() as u32;
            let kinds = [passed, attempts as u32 - passed];
            let [passed, _] = draw(kinds, least as u32, seed, example as u64);
            *mean = f64::from(passed) / least as f64;
        }
    }
    means
}

/// What is called worse, and better, although nothing changed, where one side was repeated more
/// often: by all attempts, by the first of each, and by as many drawn. Without a margin.
fn study_repeats(world: &World, attempts: [usize; 2], comparisons: usize) {
    let least = attempts[0].min(attempts[1]);
    let decide = |sample: &Sample, means: &[Vec<f64>; 2], single: usize, seed: u64| {
        let found = difference(sample.paired(means, single), seed).expect("there are examples");
        decide_all(&[found], 0.0, ALPHA)[0]
    };
    let decided = simulate(world, comparisons, 0, 0.0, |samples, seed| {
        let sample = &samples[0];
        // No value of several attempts is one yes or no.
        let all = decide(sample, &uneven(sample, attempts), 2, seed);
        let first = decide(sample, &sample.means(least), least, seed);
        [
            all,
            first,
            decide(sample, &drawn(sample, attempts, seed), least, seed),
        ]
    });
    let mut row = format!("| {} | {} and {} |", world.name, attempts[0], attempts[1]);
    for by in 0..3 {
        let are = |wanted: Decision| {
            let are: Vec<bool> = decided.iter().map(|it| it[by] == wanted).collect();
            percent(share(&are))
        };
        let (worse, better) = (are(Decision::Worse), are(Decision::Better));
        row.push_str(&format!(" {worse} / {better} |"));
    }
    println!("{row}");
}

struct Tally {
    worse: f64,
    fine: f64,
    looks: f64,
}

fn tally(decided: impl Iterator<Item = (Decision, usize)>) -> Tally {
    let decided: Vec<_> = decided.collect();
    let are = |wanted: &[Decision]| {
        let are: Vec<bool> = decided.iter().map(|(d, _)| wanted.contains(d)).collect();
        share(&are)
    };
    Tally {
        worse: are(&[Decision::Worse]),
        fine: are(&[Decision::Equivalent, Decision::Better]),
        looks: mean(decided.iter().map(|&(_, looks)| looks as f64)),
    }
}

fn main() {
    let quick = std::env::args().any(|argument| argument == "--quick");
    let comparisons = if quick { 200 } else { 2_000 };
    let clustered = |world: World| World {
        clusters: true,
        ..world
    };
    let worlds = [
        World::new("50 emails", 50, 1, 0.2),
        World::new("170 emails", 170, 1, 0.2),
        World::new("500 emails", 500, 1, 0.2),
        World::new("170 emails, half of them wavering", 170, 1, 0.5),
        World::new("50 emails × 3", 50, 3, 0.2),
        World::new("170 emails × 3", 170, 3, 0.2),
        World::new("170 emails × 3, few wavering", 170, 3, 0.03),
        clustered(World::new("170 emails in clusters", 170, 1, 0.2)),
        clustered(World::new("500 emails in clusters × 3", 500, 3, 0.2)),
        World {
            keys: 4,
            ..World::new("170 emails, 4 keys", 170, 1, 0.2)
        },
        World::new("170 emails, nothing ever wavers", 170, 1, 0.0),
        World::new("170 emails × 3, nothing ever wavers", 170, 3, 0.0),
        World {
            lopsided: true,
            ..World::new("170 emails × 3, few losses, many gains", 170, 3, 0.2)
        },
    ];
    println!("{comparisons} comparisons a row and state, α = 5 %, margin = 5 points\n");
    println!(
        "| setting | units | false alarms, margin 0 | false alarms | all clear | MDE | found at the MDE | all clear at a drop of 5 | bounds missed | bounds missed at the MDE |"
    );
    println!("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
    for world in &worlds {
        study(world, comparisons);
    }
    study_family(&worlds[9], comparisons);

    println!(
        "\n| setting | truth | decided by | worse | all clear | cannot tell | attempts | saved |"
    );
    println!("| --- | --- | --- | ---: | ---: | ---: | ---: | ---: |");
    let sequential = [
        World::new("170 emails × 5", 170, 5, 0.2),
        clustered(World::new("170 emails in clusters × 5", 170, 5, 0.2)),
        World {
            keys: 2,
            ..World::new("170 emails × 5, 2 keys", 170, 5, 0.2)
        },
    ];
    for world in &sequential {
        study_sequential(world, comparisons);
    }
    println!("\n| setting | false alarms over five looks, margin 0 |");
    println!("| --- | ---: |");
    for world in &sequential {
        study_looks(world, comparisons);
    }
    println!(
        "\n| setting | attempts of reference and candidate | worse / better by all | by the first of each | by as many drawn |"
    );
    println!("| --- | --- | ---: | ---: | ---: |");
    let often = |world: World, passes: f64| World { passes, ..world };
    let few = |name, passes| often(World::new(name, 20, 5, 0.5), passes);
    let many = |name, passes| often(World::new(name, 170, 5, 0.2), passes);
    for world in [
        few("20 emails, half of them passing 9 times in 10", 0.9),
        few("20 emails, half of them passing once in 10", 0.1),
        many("170 emails, a fifth of them passing 9 times in 10", 0.9),
        many("170 emails, a fifth of them passing every other time", 0.5),
        clustered(many(
            "170 emails in clusters, a fifth of them passing 9 times in 10",
            0.9,
        )),
    ] {
        for attempts in [[1, 5], [5, 1], [2, 5]] {
            study_repeats(&world, attempts, comparisons);
        }
    }
}
