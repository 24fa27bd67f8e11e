//! What two variants come to, side by side.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::comparison::{
    Difference, Flaky, Flip, GROUPS_SHOWN, GroupChange, IDS_SHOWN, KeyChange, NoiseChange, Pair,
    Resource, ResourceChange, Rule, Verdict,
};
use super::gather::mean;
use super::noise::noise;
use super::results::{Cell, ExampleFacts, Measure, Results, Spent, VariantResults};
use crate::experiment::CaseKind;
use crate::score::Key;
use crate::statistics::{self, Decision, Method, Paired, bootstrap_interval, decide_all};

/// An example that both variants attempted.
#[derive(Clone, Copy)]
pub(super) struct Both<'a> {
    id: &'a str,
    facts: &'a ExampleFacts,
    pub reference: &'a Cell,
    pub candidate: &'a Cell,
}

/// A measure of two variants, with what its verdict is made of.
pub(super) struct Measured {
    pub measure: Measure,
    pub difference: statistics::Difference,
    reference: f64,
    candidate: f64,
    pairs: u64,
}

/// Two variants on the examples that both attempted.
pub(super) struct Sides<'a> {
    /// The experiments' names, the reference's first.
    pub experiments: [&'a str; 2],
    pub reference: &'a VariantResults,
    pub candidate: &'a VariantResults,
    pub both: Vec<Both<'a>>,
    pub rule: &'a Rule,
}

impl<'a> Sides<'a> {
    pub fn new(
        (reference, of_reference): (&'a Results, &'a VariantResults),
        of_candidate: (&'a Results, &'a VariantResults),
        rule: &'a Rule,
    ) -> Sides<'a> {
        let (candidate, of_candidate) = of_candidate;
        let both = of_candidate.cells.iter().filter_map(|(id, cell)| {
            Some(Both {
                id,
                // What the newer side says of an example holds; both say of which kind it is.
                facts: candidate.examples.get(id)?,
                reference: of_reference
                    .cells
                    .get(id)
                    .filter(|_| kind(reference, id) == kind(candidate, id))?,
                candidate: cell,
            })
        });
        Sides {
            both: both.collect(),
            experiments: [&reference.facts.experiment, &candidate.facts.experiment],
            reference: of_reference,
            candidate: of_candidate,
            rule,
        }
    }

    /// Every measure that both sides scored an example under.
    pub fn measured(&self) -> Vec<Measured> {
        let all = Measure::all();
        all.filter_map(|measure| measured(measure, &self.both, self.rule.seed))
            .collect()
    }

    /// The values of a measure, its examples in the order of `places`; those that have none there
    /// come after the others, and into `places`.
    pub fn values(&self, measure: Measure, places: &mut Vec<String>) -> Values {
        let (both, was, is) = values(measure, &self.both);
        let found: HashMap<&str, usize> = both.iter().map(|both| both.id).zip(0..).collect();
        let known: HashSet<&str> = places.iter().map(String::as_str).collect();
        let new = both.iter().filter(|both| !known.contains(both.id));
        let new: Vec<String> = new.map(|both| both.id.to_owned()).collect();
        places.extend(new);
        let order = || {
            let order = places.iter().filter_map(|id| found.get(id.as_str()));
            order.copied()
        };
        let ordered: Vec<Both<'a>> = order().map(|index| both[index]).collect();
        let of = |values: &[f64]| order().map(|index| values[index]).collect();
        Values::of(&ordered, of(&was), of(&is))
    }

    /// `gated` has the verdict and the adjusted chance of each measure that gates, in the order
    /// of `measured`.
    pub fn pair(&self, measured: Vec<Measured>, gated: &BTreeMap<Measure, Gated>) -> Pair {
        let Rule { margin, alpha, .. } = *self.rule;
        let mut keys: Vec<KeyChange> = measured
            .into_iter()
            .map(|of| {
                let gate = gated.get(&of.measure).copied();
                let gates = gate.is_some();
                let gate = gate.unwrap_or_else(|| Gated {
                    decision: alone(&of.difference, self.rule),
                    p_adjusted: Some(of.difference.p_worse),
                    level: alpha,
                    bounds: alpha,
                });
                KeyChange {
                    measure: of.measure,
                    gates,
                    verdict: match gates {
                        true => self.as_far_as_scored(of.measure, gate.decision),
                        false => gate.decision,
                    }
                    .into(),
                    reference: of.reference,
                    candidate: of.candidate,
                    difference: told(&of.difference, &gate, margin),
                    pairs: of.pairs,
                }
            })
            .collect();
        // Stable, so that both parts stay in the order of the reports.
        keys.sort_by_key(|key| !key.gates);
        let ids = |of: &VariantResults, other: &VariantResults| {
            let only = of.cells.keys().filter(|id| !other.cells.contains_key(*id));
            let count = only.clone().count() as u64;
            (only.take(IDS_SHOWN).cloned().collect::<Vec<_>>(), count)
        };
        let (only_reference, only_reference_count) = ids(self.reference, self.candidate);
        let (only_candidate, only_candidate_count) = ids(self.candidate, self.reference);
        Pair {
            reference: self.reference.variant.name.clone(),
            candidate: self.candidate.variant.name.clone(),
            verdict: self.decided(gated).into(),
            open: self.open(),
            shared: self.both.len() as u64,
            only_reference,
            only_candidate,
            only_reference_count,
            only_candidate_count,
            keys,
            tags: self.groups(|facts| facts.tags.iter().collect()),
            splits: self.groups(|facts| facts.split.iter().collect()),
            flips: self.flips(),
            flaky: self.flaky(),
            noise: self.noise(),
            resources: self.resources(),
        }
    }

    /// The pass rate by what examples are said to be.
    fn groups(
        &self,
        names: impl Fn(&'a ExampleFacts) -> Vec<&'a String>,
    ) -> BTreeMap<String, GroupChange> {
        let mut groups: BTreeMap<&String, Vec<Both<'a>>> = BTreeMap::new();
        for both in &self.both {
            for name in names(both.facts) {
                let group = groups.entry(name).or_default();
                // A tag may be given twice.
                if group.last().is_none_or(|last| last.id != both.id) {
                    group.push(*both);
                }
            }
        }
        let mut groups: Vec<(&String, Vec<Both<'a>>, f64)> = groups
            .into_iter()
            .filter_map(|(name, group)| {
                let (_, reference, candidate) = values(Measure::PassRate, &group);
                let drop: f64 = reference.iter().sum::<f64>() - candidate.iter().sum::<f64>();
                (!reference.is_empty()).then_some((name, group, drop))
            })
            .collect();
        // Stable, so that those that lost alike stay in the order of their names.
        groups.sort_by(|one, other| other.2.total_cmp(&one.2));
        groups.truncate(GROUPS_SHOWN);
        let change = |(name, group, _): (&String, Vec<Both<'a>>, f64)| {
            let of = measured(Measure::PassRate, &group, self.rule.seed)?;
            let Rule { alpha, margin, .. } = *self.rule;
            let worse = |both: &&Both| both.change(Measure::PassRate) < Some(0.0);
            let better = |both: &&Both| both.change(Measure::PassRate) > Some(0.0);
            let examples = || group.iter().filter(|both| both.is_example());
            let gate = Gated {
                decision: alone(&of.difference, self.rule),
                p_adjusted: Some(of.difference.p_worse),
                level: alpha,
                bounds: alpha,
            };
            let change = GroupChange {
                pairs: of.pairs,
                reference: of.reference,
                candidate: of.candidate,
                worse: examples().filter(worse).count() as u64,
                better: examples().filter(better).count() as u64,
                verdict: gate.decision.into(),
                difference: told(&of.difference, &gate, margin),
            };
            Some((name.clone(), change))
        };
        groups.into_iter().filter_map(change).collect()
    }

    fn flips(&self) -> Vec<Flip> {
        let mut flips: Vec<Flip> = self.both.iter().filter_map(Both::flip).collect();
        // Stable, so that those that changed alike stay in the order of their ids.
        flips.sort_by(|one, other| one.effect().total_cmp(&other.effect()));
        let better = flips.partition_point(|flip| flip.effect() < 0.0);
        flips[better..].sort_by(|one, other| other.effect().total_cmp(&one.effect()));
        flips
    }

    fn flaky(&self) -> Vec<Flaky> {
        let flaky = |both: &&Both| both.reference.is_flaky() || both.candidate.is_flaky();
        let told = |both: &Both| Flaky {
            example: both.id.to_owned(),
            kind: both.facts.kind,
            reference_passed: both.reference.passed,
            reference_scored: both.reference.scored,
            candidate_passed: both.candidate.passed,
            candidate_scored: both.candidate.scored,
        };
        self.both.iter().filter(flaky).map(told).collect()
    }

    fn noise(&self) -> Vec<NoiseChange> {
        let judged = Key::ALL.into_iter().filter(|key| key.is_judged());
        let measures = std::iter::once(Measure::PassRate).chain(judged.map(Measure::Key));
        measures
            .filter_map(|measure| {
                let of =
                    |side: fn(&Both<'a>) -> &'a Cell| noise(measure, self.both.iter().map(side));
                let (reference, candidate) = (of(|both| both.reference), of(|both| both.candidate));
                (reference.is_some() || candidate.is_some()).then_some(NoiseChange {
                    measure,
                    reference,
                    candidate,
                })
            })
            .collect()
    }

    fn resources(&self) -> Vec<ResourceChange> {
        let spent: Vec<(&Both, Spent, Spent)> = self
            .both
            .iter()
            .filter_map(|both| Some((both, both.reference.spent?, both.candidate.spent?)))
            .collect();
        if spent.is_empty() {
            return self.resources_of_whole();
        }
        let of = |(resource, of): (Resource, fn(&Spent) -> Option<f64>)| {
            let values = spent
                .iter()
                .map(|(both, was, is)| Some((*both, of(was)?, of(is)?)));
            let values: Vec<(&Both, f64, f64)> = match resource {
                // An attempt of unknown cost makes the cost of all unknown.
                Resource::CostUsd => values.collect::<Option<_>>()?,
                Resource::LatencyMs | Resource::Tokens => values.flatten().collect(),
            };
            let count = values.len() as f64;
            let (was, is) = values
                .iter()
                .fold((0.0, 0.0), |sum, (_, was, is)| (sum.0 + was, sum.1 + is));
            let clusters = clusters(values.iter().map(|(both, _, _)| both.facts));
            let interval = change_interval(&values, clusters.as_deref(), self.rule);
            (count > 0.0).then(|| ResourceChange {
                resource,
                reference: was / count,
                candidate: is / count,
                low: interval.map(|ends| ends.low),
                high: interval.map(|ends| ends.high),
            })
        };
        RESOURCES.into_iter().filter_map(of).collect()
    }

    /// What a reference file tells, where all of its examples were attempted again.
    fn resources_of_whole(&self) -> Vec<ResourceChange> {
        let whole = self.both.len() == self.reference.cells.len();
        let candidate = mean(self.both.iter().filter_map(|both| both.candidate.spent));
        let (Some(was), Some(is), true) = (self.reference.spent, candidate, whole) else {
            return Vec::new();
        };
        let change = |(resource, of): (Resource, fn(&Spent) -> Option<f64>)| {
            Some(ResourceChange {
                resource,
                reference: of(&was)?,
                candidate: of(&is)?,
                low: None,
                high: None,
            })
        };
        RESOURCES.into_iter().filter_map(change).collect()
    }
}

type Taken = fn(&Spent) -> Option<f64>;

const RESOURCES: [(Resource, Taken); 3] = [
    (Resource::LatencyMs, |spent| spent.latency_ms),
    (Resource::CostUsd, |spent| spent.cost_usd),
    (Resource::Tokens, |spent| Some(spent.tokens)),
];

/// The verdict on a measure that gates, and at which level it was asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Gated {
    pub decision: Decision,
    /// Among all that gate; `None` where no chance that is looked at once would say it.
    pub p_adjusted: Option<f64>,
    pub level: f64,
    /// The level of each bound that is told.
    pub bounds: f64,
}

fn kind(results: &Results, id: &str) -> Option<CaseKind> {
    Some(results.examples.get(id)?.kind)
}

/// The verdict on a measure or a group that nothing else is asked beside.
fn alone(difference: &statistics::Difference, rule: &Rule) -> Decision {
    decide_all(std::slice::from_ref(difference), rule.margin, rule.alpha)[0]
}

/// The values of both sides, with the examples that both have one for.
fn values<'a>(measure: Measure, all: &[Both<'a>]) -> (Vec<Both<'a>>, Vec<f64>, Vec<f64>) {
    let mut of = (Vec::new(), Vec::new(), Vec::new());
    for both in all {
        if !both.has(measure) {
            continue;
        }
        if let (Some(was), Some(is)) =
            (both.reference.value(measure), both.candidate.value(measure))
        {
            of.0.push(*both);
            of.1.push(was);
            of.2.push(is);
        }
    }
    of
}

/// The values of a measure on both sides, with what else a test of them has to know.
pub(super) struct Values {
    reference: Vec<f64>,
    candidate: Vec<f64>,
    clusters: Option<Vec<u32>>,
    single: bool,
}

impl Values {
    fn of(both: &[Both<'_>], reference: Vec<f64>, candidate: Vec<f64>) -> Values {
        let is_single = |both: &Both| both.reference.attempts == 1 && both.candidate.attempts == 1;
        let is_binary = |values: &[f64]| values.iter().all(|value| *value == 0.0 || *value == 1.0);
        Values {
            clusters: clusters(both.iter().map(|both| both.facts)),
            single: both.iter().all(is_single) && is_binary(&reference) && is_binary(&candidate),
            reference,
            candidate,
        }
    }

    pub fn paired(&self) -> Paired<'_> {
        Paired {
            reference: &self.reference,
            candidate: &self.candidate,
            clusters: self.clusters.as_deref(),
            single: self.single,
        }
    }
}

/// `None` where there is no example that both sides scored.
fn measured(measure: Measure, all: &[Both<'_>], seed: u64) -> Option<Measured> {
    let (both, reference, candidate) = values(measure, all);
    let values = Values::of(&both, reference, candidate);
    let mean = |values: &[f64]| {
        let mut sum = statistics::FixedSum::default();
        sum.extend(values.iter().copied());
        sum.mean()
    };
    let difference = statistics::difference(values.paired(), seed)?;
    Some(Measured {
        measure,
        difference: match both.iter().all(|both| both.is_even(measure)) {
            true => difference,
            false => difference.untested(),
        },
        reference: mean(&values.reference)?,
        candidate: mean(&values.candidate)?,
        pairs: both.len() as u64,
    })
}

/// A number for the cluster of each example; `None` where no two share one.
fn clusters<'a>(examples: impl Iterator<Item = &'a ExampleFacts>) -> Option<Vec<u32>> {
    let mut numbers: BTreeMap<&str, u32> = BTreeMap::new();
    let (mut next, mut shared) = (0, false);
    let clusters = examples
        .map(|facts| {
            let mut new = || {
                next += 1;
                next - 1
            };
            match &facts.cluster {
                None => new(),
                Some(cluster) => {
                    shared |= numbers.contains_key(cluster.as_str());
                    *numbers.entry(cluster).or_insert_with(new)
                }
            }
        })
        .collect();
    shared.then_some(clusters)
}

/// A two-sided 95 % interval of the mean change, by resampling units.
fn change_interval(
    values: &[(&Both<'_>, f64, f64)],
    clusters: Option<&[u32]>,
    rule: &Rule,
) -> Option<statistics::Interval> {
    let mut units: BTreeMap<u32, (f64, f64)> = BTreeMap::new();
    for (index, (_, was, is)) in values.iter().enumerate() {
        let unit = clusters.map_or(index as u32, |clusters| clusters[index]);
        let (sum, count) = units.entry(unit).or_default();
        *sum += is - was;
        *count += 1.0;
    }
    let units: Vec<(f64, f64)> = units.into_values().collect();
    bootstrap_interval(units.len(), rule.seed, 0.95, |drawn| {
        let (sum, count) = drawn.iter().fold((0.0, 0.0), |(sum, count), &unit| {
            (sum + units[unit].0, count + units[unit].1)
        });
        sum / count
    })
}

/// A difference as it is told, with the verdict that was asked for.
fn told(of: &statistics::Difference, gate: &Gated, margin: f64) -> Difference {
    let known = of.method != Method::FewClusters;
    let tested = known && of.method != Method::Untested;
    let interval = of.interval(gate.bounds);
    Difference {
        effect: of.effect,
        low: known.then_some(interval.low),
        high: known.then_some(interval.high),
        p_worse: gate.p_adjusted.filter(|_| tested).map(|_| of.p_worse),
        p_adjusted: gate.p_adjusted.filter(|_| tested),
        mde: of.mde(gate.level, margin).filter(|_| known),
        method: match of.method {
            Method::McNemar => "exact McNemar test, Tango's interval",
            Method::Resampled => "sign-flip test, studentized bootstrap and score interval",
            Method::Score => "sign-flip test, score interval",
            Method::Unvaried => {
                "sign-flip test, Tango's interval over units that differ by nothing"
            }
            Method::Untested => {
                "no test, since the means of one side are of more attempts; its interval alone"
            }
            Method::FewClusters => "examples share fewer than five clusters: nothing is claimed",
        }
        .to_owned(),
        units: of.units as u64,
    }
}

impl Both<'_> {
    fn is_example(&self) -> bool {
        self.facts.kind == CaseKind::Example
    }

    /// Scenarios and episodes, which not every agent takes part in, have keys of their own.
    pub fn has(&self, measure: Measure) -> bool {
        measure != Measure::PassRate || self.is_example()
    }

    /// Whether its values are means of as many attempts.
    fn is_even(&self, measure: Measure) -> bool {
        let drawn = self.reference.drawn || self.candidate.drawn;
        self.reference.attempts == self.candidate.attempts
            && (measure == Measure::PassRate || !drawn)
    }

    fn change(&self, measure: Measure) -> Option<f64> {
        Some(self.candidate.value(measure)? - self.reference.value(measure)?)
    }

    /// Whether most attempts passed on one side, and on the other did not.
    fn flip(&self) -> Option<Flip> {
        let passes = |cell: &Cell| cell.value(Measure::PassRate).map(|share| share > 0.5);
        if passes(self.reference)? == passes(self.candidate)? {
            return None;
        }
        let changes = Measure::all().filter_map(|measure| {
            let change = self.change(measure)?;
            (change != 0.0).then_some((measure, change))
        });
        Some(Flip {
            example: self.id.to_owned(),
            kind: self.facts.kind,
            split: self.facts.split.clone(),
            tags: self.facts.tags.clone(),
            reference_passed: self.reference.passed,
            reference_scored: self.reference.scored,
            candidate_passed: self.candidate.passed,
            candidate_scored: self.candidate.scored,
            changes: changes.collect(),
        })
    }
}

impl From<Decision> for Verdict {
    fn from(decision: Decision) -> Verdict {
        match decision {
            Decision::Worse => Verdict::Worse,
            Decision::Better => Verdict::Better,
            Decision::Equivalent => Verdict::Equivalent,
            Decision::CannotTell => Verdict::CannotTell,
        }
    }
}
