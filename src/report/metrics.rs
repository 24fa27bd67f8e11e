//! From per-example figures to estimates with intervals.

use std::collections::{BTreeMap, HashMap};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use crate::email::Triage;
use crate::experiment::{CaseKind, Header};
use crate::score::{Confusion, Key};
use crate::statistics::{Interval, Z_95, bootstrap_interval, mean_interval, pass_at_k, pass_hat_k};

use super::fold::{Cell, ExampleFacts};
use super::learning::LearningReport;
use super::{ClassReport, GroupReport, PassesReport};

/// Of how many attempts it is told how they end together, beside all that were made.
const PASSES: [u32; 4] = [2, 3, 5, 10];

/// A figure with what is known of its precision. `docs/scoring.md` says how each is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct Estimate {
    /// From 0 to 1, differences from −1; `null` where there is no data.
    pub value: Option<f64>,
    /// Examples that have a say in it.
    pub n: u64,
    /// The ends of the 95% interval; `null` where the data cannot tell.
    pub low: Option<f64>,
    pub high: Option<f64>,
}

impl Estimate {
    fn new(value: Option<f64>, n: usize, interval: Option<Interval>) -> Estimate {
        Estimate {
            value: value.map(rounded),
            n: n as u64,
            low: interval.map(|interval| rounded(interval.low)),
            high: interval.map(|interval| rounded(interval.high)),
        }
    }
}

/// Figures by key, in the order of the table in `docs/scoring.md`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metrics {
    figures: Vec<(&'static str, Estimate)>,
    calibrations: Calibrations,
}

/// What is known of the judge behind a key: `2026-03-02 0123456789ab`, `stale`, or
/// `uncalibrated`.
pub(super) type Calibrations = BTreeMap<&'static str, String>;

/// An estimate from the verdicts of a judge.
#[derive(Serialize, JsonSchema)]
struct JudgedEstimate {
    value: Option<f64>,
    n: u64,
    low: Option<f64>,
    high: Option<f64>,
    /// The day and the hash of the judge's calibration; or `stale`, or `uncalibrated`.
    calibration: String,
}

impl Metrics {
    /// `None` where nobody scored the key.
    pub fn get(&self, key: &str) -> Option<&Estimate> {
        self.iter()
            .find(|(name, _)| *name == key)
            .map(|(_, estimate)| estimate)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &Estimate)> {
        self.figures
            .iter()
            .map(|(name, estimate)| (*name, estimate))
    }

    /// What is known of the judge behind a key; `None` for what no judge answers.
    pub fn calibration(&self, key: &str) -> Option<&str> {
        self.calibrations.get(key).map(String::as_str)
    }

    pub(super) fn calibrated(self, calibrations: &Calibrations) -> Metrics {
        Metrics {
            calibrations: calibrations.clone(),
            ..self
        }
    }
}

impl Serialize for Metrics {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.figures.len()))?;
        for (key, estimate) in &self.figures {
            match self.calibrations.get(key) {
                None => map.serialize_entry(key, estimate)?,
                Some(calibration) => {
                    let Estimate {
                        value,
                        n,
                        low,
                        high,
                    } = *estimate;
                    let judged = JudgedEstimate {
                        value,
                        n,
                        low,
                        high,
                        calibration: calibration.clone(),
                    };
                    map.serialize_entry(key, &judged)?;
                }
            }
        }
        map.end()
    }
}

impl JsonSchema for Metrics {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Metrics".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let estimate = generator.subschema_for::<Estimate>();
        let judged = generator.subschema_for::<JudgedEstimate>();
        let is_judged = |name: &str| {
            Key::ALL
                .iter()
                .any(|key| key.is_judged() && key.name() == name)
        };
        let properties: serde_json::Map<_, _> = keys()
            .map(|key| {
                let schema = if is_judged(key) { &judged } else { &estimate };
                (key.to_owned(), schema.clone().to_value())
            })
            .collect();
        json_schema!({
            "description": "Figures by key; a key that nobody scored is absent.",
            "type": "object",
            "properties": properties,
            "additionalProperties": false,
        })
    }
}

/// What is told of decisions beyond their accuracy; these are no scores of one attempt.
const MACRO_F1: &str = "triage.macro_f1";
const COST: &str = "triage.cost";
/// What memory was worth, over the episodes that are no controls.
const GAIN: &str = "memory.gain";

/// Every key a report can have, in order.
fn keys() -> impl Iterator<Item = &'static str> {
    Key::ALL.into_iter().flat_map(|key| match key {
        Key::TriageAccuracy => vec![key.name(), MACRO_F1, COST],
        Key::MemoryPass => vec![key.name(), GAIN],
        _ => vec![key.name()],
    })
}

/// Six decimals tell more than any sample can, and hide what the last bits of a processor's
/// logarithms say.
pub(super) fn rounded(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}

pub(super) fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| rounded(part as f64 / whole as f64))
}

/// Every end that triage can have, in the order of the columns of a confusion matrix.
const DECISIONS: [Option<Triage>; 4] = [
    Some(Triage::Ignore),
    Some(Triage::Notify),
    Some(Triage::Respond),
    None,
];

/// One example's decisions, all of them together with the weight of 1.
pub(super) fn decisions(facts: &ExampleFacts, cell: &Cell) -> Confusion {
    let mut confusion = Confusion::default();
    let Some(expected) = facts.expected else {
        return confusion;
    };
    let total = cell.found.total() as f64;
    for decision in DECISIONS {
        let count = cell.found.of(decision) as f64;
        if count > 0.0 {
            confusion.record(expected, decision, count / total);
        }
    }
    confusion
}

/// Some of the examples, with what one variant did about them, in the plan's order.
pub(super) struct Group<'a> {
    pairs: Vec<(&'a ExampleFacts, &'a Cell)>,
    /// The number of each pair's cluster; an example of its own has one of its own.
    clusters: Vec<u32>,
    header: &'a Header,
}

impl<'a> Group<'a> {
    pub(super) fn new(pairs: Vec<(&'a ExampleFacts, &'a Cell)>, header: &'a Header) -> Self {
        let mut numbers: HashMap<&str, u32> = HashMap::new();
        let mut next = 0;
        let mut number = || {
            next += 1;
            next
        };
        let clusters = pairs
            .iter()
            .map(|(facts, _)| match &facts.cluster {
                Some(cluster) => *numbers.entry(cluster).or_insert_with(&mut number),
                None => number(),
            })
            .collect();
        Group {
            pairs,
            clusters,
            header,
        }
    }

    pub(super) fn report(&self, metrics: Metrics) -> GroupReport {
        GroupReport {
            examples: self.emails().count() as u64,
            pass_rate: self.pass_rate(),
            metrics,
        }
    }

    fn emails(&self) -> impl Iterator<Item = &(&'a ExampleFacts, &'a Cell)> {
        let pairs = self.pairs.iter();
        pairs.filter(|(facts, _)| facts.kind == CaseKind::Example)
    }

    /// Of examples; what scenarios and episodes have instead are keys of their own.
    pub(super) fn pass_rate(&self) -> Estimate {
        self.mean_over(|facts, cell| {
            cell.pass_share()
                .filter(|_| facts.kind == CaseKind::Example)
        })
    }

    /// What several attempts at one example come to. Nothing where each has one.
    pub(super) fn passes(&self) -> Vec<PassesReport> {
        let most = self.header.repeat;
        let fewer = PASSES.into_iter().filter(|attempts| *attempts < most);
        let all = fewer.chain((most > 1).then_some(most));
        let of = |chance: fn(u32, u32, u32) -> Option<f64>, attempts| {
            self.mean_over(|facts, cell| match facts.kind {
                CaseKind::Example => chance(cell.scored, cell.passed, attempts),
                CaseKind::Scenario | CaseKind::Episode => None,
            })
        };
        all.map(|attempts| PassesReport {
            attempts,
            any: of(pass_at_k, attempts),
            all: of(pass_hat_k, attempts),
        })
        .collect()
    }

    pub(super) fn cells(&self) -> impl Iterator<Item = &'a Cell> {
        self.pairs.iter().map(|(_, cell)| *cell)
    }

    /// The part of the group whose cells are wanted.
    pub(super) fn filtered(&self, wanted: impl Fn(&Cell) -> bool) -> Group<'a> {
        let pairs = self.pairs.iter().copied();
        Group::new(
            pairs.filter(|(_, cell)| wanted(cell)).collect(),
            self.header,
        )
    }

    /// From which everything random is drawn.
    pub(super) fn seed(&self) -> u64 {
        self.header.seed
    }

    /// Of each cluster the sum of its examples' values and how many they are, of those that
    /// have one.
    pub(super) fn clusters(&self, value: impl Fn(&Cell) -> Option<f64>) -> Vec<(f64, f64)> {
        let values = self.pairs.iter().zip(&self.clusters);
        let mut values: Vec<(u32, f64)> = values
            .filter_map(|((_, cell), &cluster)| Some((cluster, value(cell)?)))
            .collect();
        // Stable, so that the order within a cluster is the plan's.
        values.sort_by_key(|(cluster, _)| *cluster);
        values
            .chunk_by(|(one, _), (other, _)| one == other)
            .map(|unit| (unit.iter().map(|(_, value)| value).sum(), unit.len() as f64))
            .collect()
    }

    /// Means of scores, by key.
    pub(super) fn scores(&self) -> Metrics {
        let means = Key::ALL.map(|key| (key.name(), self.mean(|cell| cell.scores(key).mean())));
        let scored = means.into_iter().filter(|(_, mean)| mean.n > 0);
        Metrics {
            figures: scored.collect(),
            calibrations: Calibrations::new(),
        }
    }

    /// All figures, by key.
    pub(super) fn metrics(&self) -> Metrics {
        let mut metrics = self.scores();
        let figures = &mut metrics.figures;
        let accuracy = Key::TriageAccuracy.name();
        if let Some(place) = figures.iter().position(|(key, _)| *key == accuracy) {
            let costs = &self.header.triage_costs;
            let sample = self.sample();
            let macro_f1 = self.resampled(&sample, Confusion::macro_f1);
            let cost = self.resampled(&sample, |decisions| decisions.cost(costs));
            figures.splice(place + 1..place + 1, [(MACRO_F1, macro_f1), (COST, cost)]);
        }
        let gain = LearningReport::new(self, false).gain;
        if gain.n > 0 {
            // In its place among the keys, which what is judged comes after.
            let memory = Key::MemoryPass.name();
            let place = figures.iter().position(|(key, _)| *key == memory);
            let place = place.map_or(figures.len(), |place| place + 1);
            figures.insert(place, (GAIN, gain));
        }
        metrics
    }

    /// Per label; empty where no decision was scored.
    pub(super) fn classes(&self) -> BTreeMap<Triage, ClassReport> {
        let decided = self.decided();
        if decided.is_empty() {
            return BTreeMap::new();
        }
        let mut sum = Confusion::default();
        decided.iter().for_each(|(_, decisions)| sum.add(decisions));
        let scores = sum.classes();
        Triage::ALL
            .into_iter()
            .map(|label| {
                let class = scores[label as usize];
                let report = ClassReport {
                    precision: class.precision.map(rounded),
                    recall: class.recall.map(rounded),
                    f1: class.f1.map(rounded),
                };
                (label, report)
            })
            .collect()
    }

    /// The mean over the examples of each example's mean over its attempts.
    pub(super) fn mean(&self, value: impl Fn(&Cell) -> Option<f64>) -> Estimate {
        self.mean_over(|_, cell| value(cell))
    }

    /// The mean of one less the other, paired by example; from −1 to 1. The interval is
    /// that of a bootstrap over whole clusters.
    pub(super) fn mean_difference(&self, values: impl Fn(&Cell) -> Option<(f64, f64)>) -> Estimate {
        let units = self.clusters(|cell| values(cell).map(|(one, other)| one - other));
        let mean = |drawn: &mut dyn Iterator<Item = usize>| {
            let (sum, count) = drawn.fold((0.0, 0.0), |(sum, count), unit| {
                (sum + units[unit].0, count + units[unit].1)
            });
            sum / count
        };
        if units.is_empty() {
            return Estimate::default();
        }
        let interval = bootstrap_interval(units.len(), self.header.seed, 0.95, |drawn| {
            mean(&mut drawn.iter().copied())
        });
        let value = mean(&mut (0..units.len()));
        let count: f64 = units.iter().map(|(_, count)| count).sum();
        Estimate::new(Some(value), count as usize, interval)
    }

    fn mean_over(&self, value: impl Fn(&ExampleFacts, &Cell) -> Option<f64>) -> Estimate {
        let (values, clusters): (Vec<f64>, Vec<u32>) = self
            .pairs
            .iter()
            .zip(&self.clusters)
            .filter_map(|((facts, cell), &cluster)| Some((value(facts, cell)?, cluster)))
            .unzip();
        if values.is_empty() {
            return Estimate::default();
        }
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        Estimate::new(
            Some(mean),
            values.len(),
            mean_interval(&values, &clusters, Z_95),
        )
    }

    /// Each example with a scored decision, after the number of its cluster.
    fn decided(&self) -> Vec<(u32, Confusion)> {
        self.pairs
            .iter()
            .zip(&self.clusters)
            .filter(|((_, cell), _)| cell.found.total() > 0)
            .map(|((facts, cell), &cluster)| (cluster, decisions(facts, cell)))
            .collect()
    }

    /// All decisions, by cluster.
    fn sample(&self) -> Sample {
        let mut decided = self.decided();
        // Stable, so that the order within a cluster is the plan's.
        decided.sort_by_key(|(cluster, _)| *cluster);
        let units = decided.chunk_by(|(one, _), (other, _)| one == other);
        let units = units.map(|unit| {
            let mut sum = Confusion::default();
            unit.iter().for_each(|(_, decisions)| sum.add(decisions));
            sum
        });
        Sample::new(decided.len(), units)
    }

    /// A figure of all decisions, with the interval of a bootstrap over whole clusters.
    fn resampled(
        &self,
        sample: &Sample,
        figure: impl Fn(&Confusion) -> Option<f64> + Sync,
    ) -> Estimate {
        let interval = || {
            bootstrap_interval(sample.units.len(), self.header.seed, 0.95, |drawn| {
                figure(&sample.sum(drawn.iter().copied())).expect("every unit holds a decision")
            })
        };
        // Units of one kind are the same however they are drawn.
        let interval = (sample.kinds.len() > 1).then(interval).flatten();
        let value = figure(&sample.sum(0..sample.units.len()));
        Estimate::new(value, sample.examples, interval)
    }
}

/// The decisions of many units, of which most are alike: with one attempt per example
/// there are but twelve ways to decide one. A resample counts small numbers and adds up the
/// few kinds, instead of adding up a matrix per unit.
struct Sample {
    /// How many examples the units hold.
    examples: usize,
    kinds: Vec<Confusion>,
    /// The kind of each unit.
    units: Vec<u32>,
}

impl Sample {
    fn new(examples: usize, units: impl Iterator<Item = Confusion>) -> Sample {
        let mut numbers = HashMap::new();
        let mut kinds = Vec::new();
        let units = units.map(|unit| {
            let bits = unit.weights.map(|row| row.map(f64::to_bits));
            *numbers.entry(bits).or_insert_with(|| {
                kinds.push(unit);
                kinds.len() as u32 - 1
            })
        });
        let units = units.collect();
        Sample {
            examples,
            kinds,
            units,
        }
    }

    fn sum(&self, drawn: impl Iterator<Item = usize>) -> Confusion {
        let mut counts = vec![0_u32; self.kinds.len()];
        for unit in drawn {
            counts[self.units[unit] as usize] += 1;
        }
        let mut sum = Confusion::default();
        for (kind, count) in self.kinds.iter().zip(counts) {
            let weight = f64::from(count);
            sum.add(&Confusion {
                weights: kind.weights.map(|row| row.map(|cell| cell * weight)),
            });
        }
        sum
    }
}
