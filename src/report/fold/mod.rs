//! From attempts, one at a time and in any order, to a report.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::agent::AgentKind;
use crate::email::Triage;
use crate::experiment::gate::Deeds;
use crate::experiment::{Attempt, CaseKind, Header, Suite, Variant, Verdict};
use crate::judge::JudgeKey;
use crate::judge::canary::Canaries;
use crate::run::{Outcome, Usage};
use crate::score::{Key, triage};
use crate::statistics::FixedSum;

use super::cost::Costs;
use super::gate::{self, Subject, Watch};
use super::incident::{Incidents, Lapse};
use super::judges::{self, CriteriaFold, JudgeFold, Ruled};
use super::latency::Latencies;
use super::learning::{CHANGES_SHOWN, CellLearning, Checks, First};
use super::metrics::{self, Calibrations, Group};
use super::{
    CaseNotes, Confusion, Counts, Coverage, DatasetReport, Environment, EpisodeChanges, FORMAT,
    Found, GROUPS_SHOWN, Gate, GroupReport, HitlReport, INCIDENTS_SHOWN, JudgeReport,
    LearningReport, MemoryReport, PlanReport, Report, VariantReport, WORST_SHOWN, WorstExample,
};

/// Reads attempts, and keeps a few numbers per variant and example, and a few more and one
/// text for each of its criteria.
///
/// Nothing grows with the number of attempts, and no sum depends on their order.
#[derive(Debug)]
pub struct Fold {
    header: Header,
    examples: BTreeMap<u32, ExampleFacts>,
    criteria: CriteriaFold,
    variants: Vec<VariantFold>,
}

/// A record that does not belong to the plan of its journal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FoldError {
    #[error("attempt at `{example}` is of variant {variant}, but the plan has {variants}")]
    UnknownVariant {
        example: String,
        variant: u32,
        variants: usize,
    },
    #[error("attempt at `{example}` has position {position}, but the plan has {cases} cases")]
    UnknownPosition {
        example: String,
        position: u32,
        cases: usize,
    },
    #[error("attempt at `{example}` was judged by `{judge}`, which the plan does not have")]
    UnknownJudge { example: String, judge: JudgeKey },
    #[error("position {position} of the plan is both `{one}` and `{other}`")]
    Ambiguous {
        position: u32,
        one: String,
        other: String,
    },
}

/// What every attempt at an example says about the example.
#[derive(Debug)]
pub(super) struct ExampleFacts {
    pub id: String,
    pub kind: CaseKind,
    pub expected: Option<Triage>,
    pub split: Option<String>,
    pub cluster: Option<String>,
    pub tags: Vec<String>,
}

#[derive(Debug)]
struct VariantFold {
    counts: Counts,
    outcomes: BTreeMap<Outcome, u64>,
    usage: Usage,
    costs: Costs,
    latency: Latencies,
    cells: BTreeMap<u32, Cell>,
    agent_failures: Incidents,
    infrastructure_errors: Incidents,
    scenario_checks: Checks,
    episode_checks: Checks,
    changes: First<EpisodeChanges>,
    notes: First<CaseNotes>,
    judges: BTreeMap<JudgeKey, JudgeFold>,
    watch: Watch,
}

/// One variant's attempts at one example.
#[derive(Debug, Default)]
pub(super) struct Cell {
    pub scored: u32,
    pub passed: u32,
    agent_failures: u32,
    scores: [FixedSum; Key::ALL.len()],
    /// Decisions of the attempts whose decision was scored.
    pub found: Found,
    /// The failing attempt with the lowest number.
    lapse: Option<Box<Lapse>>,
    /// Of an episode.
    pub learning: Option<Box<CellLearning>>,
    ruled: BTreeMap<JudgeKey, Ruled>,
}

impl Cell {
    pub fn scores(&self, key: Key) -> FixedSum {
        // The keys are declared in the order of `Key::ALL`.
        self.scores[key as usize]
    }

    /// What a judge ruled.
    pub fn ruled(&self, judge: JudgeKey) -> Option<&Ruled> {
        self.ruled.get(&judge)
    }

    pub fn pass_share(&self) -> Option<f64> {
        (self.scored > 0).then(|| f64::from(self.passed) / f64::from(self.scored))
    }

    /// The repeat of the failing attempt with the lowest number.
    pub fn first_failure(&self) -> Option<u32> {
        self.lapse.as_ref().map(|lapse| lapse.repeat)
    }

    fn failed(&self) -> bool {
        self.passed < self.scored
    }
}

impl Fold {
    pub fn new(header: Header) -> Fold {
        let variants = header.variants.iter();
        let variants = variants.map(|variant| VariantFold::new(&header, variant));
        Fold {
            variants: variants.collect(),
            examples: BTreeMap::new(),
            criteria: CriteriaFold::default(),
            header,
        }
    }

    /// Whether [`Fold::watch`] must see every attempt that [`Fold::push`] does, too.
    pub fn looks_at_deeds(&self) -> bool {
        self.header.gates.look_at_deeds()
    }

    /// Looks for what gates forbid in what an attempt did.
    pub fn watch(&mut self, attempt: &Attempt<Deeds>) {
        // Of an unknown variant `push` tells.
        if let Some(variant) = self.variants.get_mut(attempt.case.variant as usize) {
            variant.watch.record(attempt, &self.header.gates);
        }
    }

    /// Takes one attempt into account.
    ///
    /// # Errors
    /// [`FoldError`] where the attempt cannot be one of the header's plan.
    pub fn push<R>(&mut self, attempt: &Attempt<R>) -> Result<(), FoldError> {
        let case = &attempt.case;
        let Some(variant) = self.variants.get_mut(case.variant as usize) else {
            return Err(FoldError::UnknownVariant {
                example: case.example.clone(),
                variant: case.variant,
                variants: self.header.variants.len(),
            });
        };
        let header = &self.header;
        let cases = header.examples + header.scenarios + header.episodes;
        if case.position as usize >= cases {
            return Err(FoldError::UnknownPosition {
                example: case.example.clone(),
                position: case.position,
                cases,
            });
        }
        let facts = self
            .examples
            .entry(case.position)
            .or_insert_with(|| ExampleFacts {
                id: case.example.clone(),
                kind: attempt.kind,
                expected: attempt.expected,
                split: attempt.split.clone(),
                cluster: attempt.cluster.clone(),
                tags: attempt.tags.clone(),
            });
        if facts.id != case.example {
            return Err(FoldError::Ambiguous {
                position: case.position,
                one: facts.id.clone(),
                other: case.example.clone(),
            });
        }
        let cell = variant.cells.entry(case.position).or_default();
        variant.counts.attempts += 1;
        *variant.outcomes.entry(attempt.outcome).or_default() += 1;
        variant.usage.add(&attempt.usage);
        variant.costs.record(&attempt.usage);
        if !attempt.notes.is_empty() {
            variant.notes.record(attempt, || CaseNotes::of(attempt));
        }
        for judged in &attempt.judged {
            let Some(judge) = variant.judges.get_mut(&judged.judge) else {
                return Err(FoldError::UnknownJudge {
                    example: case.example.clone(),
                    judge: judged.judge,
                });
            };
            judge.record(attempt, &judged.rulings);
            let ruled = cell.ruled.entry(judged.judge).or_default();
            ruled.record(&judged.rulings);
            if judged.judge == JudgeKey::ResponseCriteria {
                self.criteria.record(attempt, &judged.rulings);
            }
        }
        cell.record_judged(attempt);
        let verdict = attempt.verdict();
        if verdict == Verdict::Unscored {
            variant.counts.errors += 1;
            variant.infrastructure_errors.record(attempt);
            return Ok(());
        }
        if attempt.outcome.is_agent_failure() {
            cell.agent_failures += 1;
            variant.agent_failures.record(attempt);
        }
        match attempt.kind {
            CaseKind::Example => {}
            CaseKind::Scenario => variant.scenario_checks.record(&attempt.feedback),
            CaseKind::Episode => {
                variant.episode_checks.record(&attempt.feedback);
                let changes = || EpisodeChanges::of(attempt);
                variant.changes.record(attempt, changes);
            }
        }
        variant.counts.scored += 1;
        variant.latency.record(attempt.latency_ms);
        cell.record(attempt);
        if verdict == Verdict::Passed {
            cell.passed += 1;
            variant.counts.passed += 1;
        } else {
            variant.counts.failed += 1;
            if cell
                .lapse
                .as_ref()
                .is_none_or(|lapse| case.repeat < lapse.repeat)
            {
                cell.lapse = Some(Box::new(Lapse::of(attempt)));
            }
        }
        Ok(())
    }

    /// The report over everything pushed; `canaries` are those of the journal.
    pub fn finish(self, canaries: &[Canaries], environment: Environment) -> Report {
        let header = &self.header;
        let variants: Vec<VariantReport> = self
            .variants
            .iter()
            .zip(&header.variants)
            .map(|(fold, variant)| fold.report(variant, &self.examples, header, canaries))
            .collect();
        let planned_each: Vec<u64> = header
            .variants
            .iter()
            .enumerate()
            .map(|(number, variant)| match &header.shard {
                Some(shard) => shard.cases[number],
                None => planned(header, variant),
            })
            .collect();
        let planned: u64 = planned_each.iter().sum();
        let scored: u64 = variants.iter().map(|variant| variant.counts.scored).sum();
        let coverage = Coverage {
            planned,
            attempts: variants.iter().map(|variant| variant.counts.attempts).sum(),
            scored,
            share: metrics::share(scored, planned),
            required: crate::compare::REQUIRED_COVERAGE,
        };
        Report {
            format: FORMAT.to_owned(),
            experiment: header.experiment.clone(),
            comparison: None,
            gate: match &header.shard {
                // A part says nothing about the whole.
                Some(_) => Gate::none(),
                None => self.gate(&variants, &planned_each),
            },
            coverage,
            dataset: DatasetReport {
                name: header.dataset.name.clone(),
                hash: header.dataset.hash.clone(),
                examples: header.dataset.examples as u64,
                scenarios: header.dataset.scenarios as u64,
                episodes: header.dataset.episodes as u64,
                labelled_by: header.dataset.labelled_by.clone(),
            },
            plan: PlanReport {
                suites: header.suites.clone(),
                models: header.models.clone(),
                examples: header.examples as u64,
                scenarios: header.scenarios as u64,
                episodes: header.episodes as u64,
                examples_hash: header.examples_hash.clone(),
                repeat: header.repeat,
                seed: header.seed,
                selection: header.selection.clone(),
                limits: header.limits.clone(),
                behaviour: header.behaviour.clone(),
                triage_costs: header.triage_costs,
                min_pass_rate: header.min_pass_rate,
                gates: header.gates.clone(),
                shard: header.shard.clone(),
            },
            variants,
            criteria: self
                .criteria
                .report(|position| self.examples[&position].id.clone()),
            not_judged: not_judged(header),
            environment,
        }
    }
}

impl Fold {
    fn gate(&self, reports: &[VariantReport], planned: &[u64]) -> Gate {
        let header = &self.header;
        let items = header.items();
        let folds = self.variants.iter().zip(&header.variants);
        let subjects: Vec<Subject<'_>> = folds
            .zip(reports)
            .zip(planned)
            .map(|(((fold, variant), report), &planned)| {
                let all = u32::try_from(items.of(variant)).unwrap_or(u32::MAX);
                let known = self.examples.range(..all);
                let known = known.map(|(position, facts)| (facts, fold.cells.get(position)));
                let cases: Vec<(&ExampleFacts, Option<&Cell>)> = known.collect();
                Subject {
                    variant,
                    report,
                    planned,
                    unknown: u64::from(all) - cases.len() as u64,
                    cases,
                    anybody: &self.examples,
                    watch: &fold.watch,
                    header,
                }
            })
            .collect();
        gate::decide(&subjects, header)
    }
}

/// Attempts that a variant was to make.
fn planned(header: &Header, variant: &Variant) -> u64 {
    let kind = variant.agent.parse::<AgentKind>();
    let asks = kind.as_ref().is_ok_and(|kind| kind.interrupts());
    let remembers = kind.as_ref().is_ok_and(|kind| kind.remembers());
    let mut cases = header.examples;
    if asks {
        cases += header.scenarios;
    }
    if remembers {
        cases += header.episodes;
    }
    cases as u64 * u64::from(header.repeat)
}

/// What the suites would ask a judge, if there were one.
fn not_judged(header: &Header) -> Vec<String> {
    let asked = [
        (Suite::Response, header.examples, JudgeKey::ResponseCriteria),
        (Suite::Hitl, header.scenarios, JudgeKey::FeedbackHonoured),
        (Suite::Memory, header.episodes, JudgeKey::MemoryUpdate),
    ];
    let planned = |judge| header.judges.iter().any(|plan| plan.judge == judge);
    asked
        .into_iter()
        .filter(|&(suite, cases, judge)| {
            header.suites.contains(&suite) && cases > 0 && !planned(judge)
        })
        .flat_map(|(_, _, judge)| judges::keys(judge))
        .map(|key| key.name().to_owned())
        .collect()
}

impl Cell {
    fn record<R>(&mut self, attempt: &Attempt<R>) {
        self.scored += 1;
        if let Some(learning) = &attempt.learning {
            let control = learning.control;
            let cell = &mut self.learning;
            cell.get_or_insert_with(|| Box::new(CellLearning::new(control)))
                .record(learning);
        }
        let own = attempt.feedback.iter();
        for feedback in own.filter(|feedback| !feedback.key.is_judged()) {
            self.scores[feedback.key as usize].add(feedback.score.get());
            if feedback.key == Key::TriageAccuracy {
                let found = triage::decision(attempt.outcome, attempt.found);
                self.found.add(found, 1);
            }
        }
    }

    /// What judges say counts also where no other key was asked of the attempt.
    fn record_judged<R>(&mut self, attempt: &Attempt<R>) {
        let judged = attempt.feedback.iter();
        for feedback in judged.filter(|feedback| feedback.key.is_judged()) {
            self.scores[feedback.key as usize].add(feedback.score.get());
        }
    }

    /// How much the failures matter beyond their number, the gravest first: shares of
    /// attempts that did not finish, mean cost of the decisions, shares with a forbidden
    /// call, and of expected calls that were missing.
    fn harm(&self, facts: &ExampleFacts, header: &Header) -> [f64; 4] {
        let lack = |key| 1.0 - self.scores(key).mean().unwrap_or(1.0);
        [
            f64::from(self.agent_failures) / f64::from(self.scored),
            metrics::decisions(facts, self)
                .cost(&header.triage_costs)
                .unwrap_or(0.0),
            lack(Key::ToolCallsForbidden),
            lack(Key::ToolCallsRecall),
        ]
    }
}

impl VariantFold {
    fn new(header: &Header, variant: &Variant) -> VariantFold {
        let judges = judges::judges_of(header, variant);
        VariantFold {
            judges: judges.map(|plan| (plan.judge, JudgeFold::new())).collect(),
            counts: Counts::default(),
            outcomes: BTreeMap::new(),
            usage: Usage::default(),
            costs: Costs::new(),
            latency: Latencies::default(),
            cells: BTreeMap::new(),
            agent_failures: Incidents::default(),
            infrastructure_errors: Incidents::default(),
            scenario_checks: Checks::default(),
            episode_checks: Checks::default(),
            changes: First::new(CHANGES_SHOWN),
            notes: First::new(INCIDENTS_SHOWN),
            watch: Watch::new(header),
        }
    }

    /// Pairs of one kind that have a scored attempt.
    fn scored(pairs: &[(&ExampleFacts, &Cell)], kind: CaseKind) -> u64 {
        let scored = pairs
            .iter()
            .filter(|(facts, cell)| facts.kind == kind && cell.scored > 0);
        scored.count() as u64
    }

    fn hitl(&self, pairs: &[(&ExampleFacts, &Cell)]) -> Option<HitlReport> {
        let scenarios = VariantFold::scored(pairs, CaseKind::Scenario);
        (scenarios > 0).then(|| HitlReport {
            scenarios,
            checks: self.scenario_checks.report(),
        })
    }

    fn memory(&self, pairs: &[(&ExampleFacts, &Cell)], all: &Group<'_>) -> Option<MemoryReport> {
        let episodes = VariantFold::scored(pairs, CaseKind::Episode);
        (episodes > 0).then(|| MemoryReport {
            episodes,
            checks: self.episode_checks.report(),
            learning: LearningReport::new(all, false),
            controls: LearningReport::new(all, true),
            changes: self.changes.report(),
        })
    }

    fn report(
        &self,
        variant: &Variant,
        examples: &BTreeMap<u32, ExampleFacts>,
        header: &Header,
        canaries: &[Canaries],
    ) -> VariantReport {
        let pairs: Vec<(&ExampleFacts, &Cell)> = self
            .cells
            .iter()
            .map(|(position, cell)| (&examples[position], cell))
            .collect();
        let all = Group::new(pairs.clone(), header);
        let mut splits: BTreeMap<&str, Vec<(&ExampleFacts, &Cell)>> = BTreeMap::new();
        let mut tags = splits.clone();
        for &(facts, cell) in &pairs {
            if let Some(split) = &facts.split {
                splits.entry(split).or_default().push((facts, cell));
            }
            for tag in &facts.tags {
                tags.entry(tag).or_default().push((facts, cell));
            }
        }
        let confusion = confusion(&pairs);
        let judges: Vec<JudgeReport> = judges::judges_of(header, variant)
            .map(|plan| JudgeReport::new(plan, variant, &self.judges[&plan.judge], &all, canaries))
            .collect();
        let calibrations: Calibrations = judges
            .iter()
            .flat_map(|judge| {
                let keys = judges::keys(judge.judge).iter();
                keys.map(|key| (key.name(), judge.standing.mark()))
            })
            .collect();
        VariantReport {
            name: variant.name.clone(),
            agent: variant.agent.clone(),
            model: variant.model.clone(),
            router_model: variant.router_model.clone(),
            memory_model: variant.memory_model.clone(),
            simulator_model: variant.simulator_model.clone(),
            judge_models: variant.judge_models.clone(),
            counts: Counts {
                examples: self.cells.len() as u64,
                ..self.counts
            },
            outcomes: self.outcomes.clone(),
            pass_rate: all.pass_rate(),
            passes: all.passes(),
            metrics: all.metrics().calibrated(&calibrations),
            splits: largest(splits, |pairs| {
                let group = Group::new(pairs, header);
                group.report(group.metrics().calibrated(&calibrations))
            }),
            tags: largest(tags, |pairs| {
                let group = Group::new(pairs, header);
                group.report(group.scores().calibrated(&calibrations))
            }),
            classes: all.classes(),
            confusion,
            usage: self.usage.clone(),
            cost_usd: self.costs.total(),
            attempt_cost_usd: self.costs.attempt(),
            latency_ms: self.latency.report(),
            failed_cases: failed_cases(&pairs),
            worst: worst(&pairs, header),
            hitl: self.hitl(&pairs),
            memory: self.memory(&pairs, &all),
            judges,
            notes: self.notes.report(),
            agent_failures: self.agent_failures.report(),
            infrastructure_errors: self.infrastructure_errors.report(),
        }
    }
}

/// Reports on the groups with the most examples.
fn largest<'a>(
    groups: BTreeMap<&str, Vec<(&'a ExampleFacts, &'a Cell)>>,
    report: impl Fn(Vec<(&'a ExampleFacts, &'a Cell)>) -> GroupReport,
) -> BTreeMap<String, GroupReport> {
    let mut groups: Vec<_> = groups.into_iter().collect();
    // The sort is stable, so groups of equal size stay in the order of their names.
    groups.sort_by_key(|(_, pairs)| Reverse(pairs.len()));
    groups.truncate(GROUPS_SHOWN);
    let groups = groups.into_iter();
    groups
        .map(|(name, pairs)| (name.to_owned(), report(pairs)))
        .collect()
}

/// `None` where no decision was scored.
fn confusion(pairs: &[(&ExampleFacts, &Cell)]) -> Option<Confusion> {
    let mut confusion = Confusion::default();
    let mut total = 0;
    for (facts, cell) in pairs {
        let Some(expected) = facts.expected else {
            continue;
        };
        for found in [
            None,
            Some(Triage::Ignore),
            Some(Triage::Notify),
            Some(Triage::Respond),
        ] {
            confusion.row_mut(expected).add(found, cell.found.of(found));
        }
        total += cell.found.total();
    }
    (total > 0).then_some(confusion)
}

/// How many cases of each kind failed at least once; kinds without any are absent.
fn failed_cases(pairs: &[(&ExampleFacts, &Cell)]) -> BTreeMap<CaseKind, u64> {
    let mut counts = BTreeMap::new();
    for (facts, _) in pairs.iter().filter(|(_, cell)| cell.failed()) {
        *counts.entry(facts.kind).or_default() += 1;
    }
    counts
}

/// Of each kind, the cases that failed most often; of those that failed equally often, the gravest.
fn worst<'a>(pairs: &[(&'a ExampleFacts, &'a Cell)], header: &Header) -> Vec<WorstExample> {
    struct Failed<'a> {
        share: f64,
        harm: [f64; 4],
        facts: &'a ExampleFacts,
        cell: &'a Cell,
        lapse: &'a Lapse,
    }
    let failed = |&(facts, cell): &(&'a ExampleFacts, &'a Cell)| {
        Some(Failed {
            share: cell.pass_share()?,
            harm: cell.harm(facts, header),
            facts,
            cell,
            lapse: cell.lapse.as_deref()?,
        })
    };
    let mut failed: Vec<Failed<'a>> = pairs.iter().filter_map(failed).collect();
    // Stable, so what is equal in all of this stays in the plan's order.
    failed.sort_by(|one, other| {
        let harm = one.harm.iter().zip(&other.harm);
        harm.fold(one.share.total_cmp(&other.share), |order, (one, other)| {
            order.then(other.total_cmp(one))
        })
    });
    // Stable again, so that each kind keeps its order.
    failed.sort_by_key(|failed| failed.facts.kind);
    let of_a_kind = failed.chunk_by(|one, other| one.facts.kind == other.facts.kind);
    let worst = of_a_kind.flat_map(|failed| &failed[..failed.len().min(WORST_SHOWN)]);
    let explain = |failed: &Failed<'a>| WorstExample {
        example: failed.facts.id.clone(),
        kind: failed.facts.kind,
        split: failed.facts.split.clone(),
        passed: u64::from(failed.cell.passed),
        attempts: u64::from(failed.cell.scored),
        expected: failed.facts.expected,
        found: failed.cell.found,
        repeat: failed.lapse.repeat,
        outcome: failed.lapse.outcome,
        error: failed.lapse.error.clone(),
        comments: failed.lapse.comments.clone(),
    };
    worst.map(explain).collect()
}

#[cfg(test)]
mod tests;
