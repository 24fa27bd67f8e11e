//! Reports: what an experiment showed, for people and for pipelines.
//!
//! [`Fold`] reads the attempts of a journal, in any order and without keeping them, and
//! ends in a [`Report`]; the renderers are functions from a [`Report`] to text. `report.json`
//! is the [`Report`] itself, so every other form can show only what is in there. Everything
//! that may differ between two runs of one plan stands in [`Environment`] and in
//! [`VariantReport::latency_ms`]; the rest is the same whatever order attempts end in.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use schemars::JsonSchema;
use serde::Serialize;

use crate::agent::Behaviour;
use crate::compare::Comparison;
use crate::email::Triage;
use crate::experiment::gate::Gates;
use crate::experiment::journal::Ledger;
use crate::experiment::{
    AskedModel, CaseKind, EndReason, Ended, Header, Limits, RecordingUse, Selection, Session,
    ShardPlan, Suite, TriageCosts,
};
use crate::model::limit::Traffic;
use crate::run::{Cost, Outcome, Usage};

mod asked;
mod circumstances;
pub mod compare;
mod cost;
pub mod csv;
mod each;
pub mod escape;
mod figures;
mod fold;
mod gate;
pub mod github;
pub mod gitlab;
mod histogram;
pub mod history;
pub mod html;
mod incident;
mod json;
mod judges;
pub mod junit;
mod latency;
mod layer;
mod learning;
mod markdown;
mod metrics;
pub mod pairwise;
mod people;
mod svg;
mod table;
mod terminal;
mod trajectory;

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod tests;

pub use compare::looks_taken;
pub use cost::usd;
pub use each::FormError;
pub(crate) use figures::{count, role};
pub use fold::{Fold, FoldError};
pub use gate::gates;
pub use json::{render as json, schema};
pub use judges::{
    Agreement, CanaryReport, CorrectedRate, CriteriaReport, CriterionReport, Held, JUDGED_SHOWN,
    JudgeReport, MissedCanary, RulingReport, Side, SplitVote, StandingReport, Statements,
    UnscoredCause, WorstJudged,
};
pub use layer::LayerReport;
pub use learning::{
    CheckReport, CurvePoint, EpisodeChanges, HitlReport, LearningReport, MemoryReport,
    NamespaceChange,
};
pub use markdown::compare::render as comparison_markdown;
pub use markdown::render as markdown;
pub use metrics::{Estimate, Metrics};
pub use svg::render as svg;
pub use terminal::compare::render as comparison_terminal;
pub use terminal::render as terminal;
pub use trajectory::{TrajectoryOptions, render as trajectory, render_run as run};

/// Format of `report.json`.
pub const FORMAT: &str = "mailproof.report/1";

/// The whole of `report.json`. Counts are of attempts unless their name says otherwise.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Report {
    /// `mailproof.report/1`.
    pub format: String,
    /// The name the results are kept under.
    pub experiment: String,
    pub gate: Gate,
    /// With the reference, where one was named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comparison: Option<Comparison>,
    pub coverage: Coverage,
    pub dataset: DatasetReport,
    pub plan: PlanReport,
    /// In the plan's order.
    pub variants: Vec<VariantReport>,
    /// How often criteria were met, over all variants; `null` where there were none.
    pub criteria: Option<CriteriaReport>,
    /// Keys that the suites could answer, but nobody was asked to.
    pub not_judged: Vec<String>,
    /// Everything that may differ between two runs of one plan, latencies apart.
    pub environment: Environment,
}

/// Whether the results are good enough, as far as somebody said what that means.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Gate {
    pub verdict: GateVerdict,
    pub checks: Vec<Check>,
    /// What the verdict alone would make the command exit with: 0, 3, 100, or 101.
    pub exit_code: u8,
}

impl Gate {
    /// Where nothing is to be decided.
    pub(crate) fn none() -> Gate {
        Gate {
            verdict: GateVerdict::None,
            checks: Vec::new(),
            exit_code: 0,
        }
    }
}

/// One condition of the gate.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Check {
    /// `coverage`, `min_pass_rate`, `regression`, a gate as the configuration has it, or
    /// `judge:` and the key that a judge answers.
    pub name: String,
    /// The variant it looked at.
    pub variant: String,
    pub verdict: GateVerdict,
    /// What an indecisive verdict counts as, where somebody said so: `pass` or `fail`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub counts_as: Option<GateVerdict>,
    /// One sentence with the figures; names of others stand between backticks.
    pub reason: String,
    /// The command that helps, where the verdict is indecisive and one does; or that shows
    /// what got worse.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum GateVerdict {
    Pass,
    Fail,
    /// Too little was scored to say, or too little is known of a judge.
    Indecisive,
    /// No gate was set.
    None,
}

/// How much of the plan was scored.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Coverage {
    /// Attempts in the plan: cases of every variant × repeats.
    pub planned: u64,
    /// Attempts that ended.
    pub attempts: u64,
    /// Attempts that ended in something that says anything about the agent.
    pub scored: u64,
    /// `scored` of `planned`, from 0 to 1.
    pub share: Option<f64>,
    /// The share below which a variant's results decide nothing.
    pub required: f64,
}

#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct DatasetReport {
    pub name: String,
    /// SHA-256 over the content, hexadecimal; ignores order and formatting.
    pub hash: String,
    /// Examples in the dataset; [`PlanReport::examples`] of them were selected.
    pub examples: u64,
    /// Scenarios and episodes in the dataset.
    pub scenarios: u64,
    pub episodes: u64,
    /// Who set the expectations: how many examples each.
    pub labelled_by: BTreeMap<String, usize>,
}

/// What was to be done; two experiments with equal plans are comparable to the byte.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct PlanReport {
    pub suites: Vec<Suite>,
    /// The models behind an endpoint, by the name they were chosen by.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub models: BTreeMap<String, AskedModel>,
    /// Examples selected from the dataset.
    pub examples: u64,
    /// Scenarios selected, for agents that ask a person.
    pub scenarios: u64,
    /// Episodes selected, for agents that remember.
    pub episodes: u64,
    /// SHA-256 over the ids selected, in plan order.
    pub examples_hash: String,
    /// Attempts per example and variant.
    pub repeat: u32,
    pub seed: u64,
    pub selection: Selection,
    pub limits: Limits,
    /// What was chosen about agents that ask or remember.
    pub behaviour: Behaviour,
    pub triage_costs: TriageCosts,
    /// The simple gate, where one was asked for.
    pub min_pass_rate: Option<f64>,
    /// What else results are held to, where they are.
    #[serde(default, skip_serializing_if = "Gates::is_default")]
    pub gates: Gates,
    /// Which part of the plan this is a report on; absent where it is the whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shard: Option<ShardPlan>,
}

/// What one variant did.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct VariantReport {
    /// `<agent>@<model>`.
    pub name: String,
    pub agent: String,
    pub model: String,
    /// The router's model, where it differs from the agent's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub router_model: Option<String>,
    /// The model that writes what is remembered, where it differs from the agent's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_model: Option<String>,
    /// The model that plays the person, where it differs from the agent's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub simulator_model: Option<String>,
    /// The panel that judges it, where that is not the agent's model.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub judge_models: Vec<String>,
    pub counts: Counts,
    /// How many attempts ended in each way; ways that did not occur are absent.
    pub outcomes: BTreeMap<Outcome, u64>,
    /// The mean over examples of the share of scored attempts that passed. Scenarios and
    /// episodes, which not every agent takes part in, have `hitl.pass` and `memory.pass`.
    pub pass_rate: Estimate,
    /// What several attempts at one example come to; empty where each has one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub passes: Vec<PassesReport>,
    pub metrics: Metrics,
    /// The splits with the most examples, at most [`GROUPS_SHOWN`].
    pub splits: BTreeMap<String, GroupReport>,
    /// The tags with the most examples, likewise; without figures that are resampled.
    pub tags: BTreeMap<String, GroupReport>,
    /// Decisions in attempts; `null` where triage was not scored.
    pub confusion: Option<Confusion>,
    /// Per label, from weights averaged within each example first.
    pub classes: BTreeMap<Triage, ClassReport>,
    /// Of all attempts, spoiled ones included; likewise the next two. What was replayed is
    /// counted at what it once took.
    pub usage: Usage,
    /// Of all roles; `null` where the price of any call is not known.
    pub cost_usd: Option<Cost>,
    /// How the cost is spread; `null` where there is no attempt, or one of unknown cost.
    pub attempt_cost_usd: Option<AttemptCost>,
    /// Of scored attempts; `null` where there are none.
    pub latency_ms: Option<LatencyReport>,
    /// `null` where no scenario was scored.
    pub hitl: Option<HitlReport>,
    /// `null` where no episode was scored.
    pub memory: Option<MemoryReport>,
    /// The judges that look at its attempts, in the plan's order.
    pub judges: Vec<JudgeReport>,
    /// How many examples, scenarios, and episodes failed at least once; kinds of which none
    /// did are absent.
    pub failed_cases: BTreeMap<CaseKind, u64>,
    /// Of each kind the worst first, at most [`WORST_SHOWN`]; examples, scenarios, episodes.
    pub worst: Vec<WorstExample>,
    /// What the harness noticed about cases and not about agents, such as answers of a
    /// script that were never given; the first in plan order, at most [`INCIDENTS_SHOWN`].
    pub notes: Vec<CaseNotes>,
    /// Attempts that the agent did not finish, scored 0; the first in plan order, at most
    /// [`INCIDENTS_SHOWN`].
    pub agent_failures: Vec<Incident>,
    /// Attempts that infrastructure spoiled, unscored; likewise.
    pub infrastructure_errors: Vec<Incident>,
}

/// The most splits, and the most tags, that a variant's report tells apart.
pub const GROUPS_SHOWN: usize = 40;
/// The most failures of each kind of case that a variant's report explains.
pub const WORST_SHOWN: usize = 20;
/// The most agent failures, and the most infrastructure errors, that a variant's report names.
pub const INCIDENTS_SHOWN: usize = 20;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Counts {
    /// Examples, scenarios, and episodes with at least one attempt.
    pub examples: u64,
    pub attempts: u64,
    /// `passed` + `failed`.
    pub scored: u64,
    /// Every scorer that is not diagnostic gave full marks.
    pub passed: u64,
    pub failed: u64,
    /// Attempts that say nothing about the agent.
    pub errors: u64,
}

/// How several attempts at one example end together, without bias from the attempts made;
/// an example that was scored less often than that is left out.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct PassesReport {
    /// Of so many attempts,
    pub attempts: u32,
    /// the chance that at least one passes (pass@k), the mean over examples,
    pub any: Estimate,
    /// and that all do (pass^k).
    pub all: Estimate,
}

/// A variant's results on some of the examples.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct GroupReport {
    /// Examples with at least one attempt, scenarios and episodes apart.
    pub examples: u64,
    pub pass_rate: Estimate,
    pub metrics: Metrics,
}

/// Expected decision (the row) against the decision found, in attempts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Confusion {
    pub ignore: Found,
    pub notify: Found,
    pub respond: Found,
}

impl Confusion {
    pub fn row(&self, expected: Triage) -> &Found {
        match expected {
            Triage::Ignore => &self.ignore,
            Triage::Notify => &self.notify,
            Triage::Respond => &self.respond,
        }
    }

    fn row_mut(&mut self, expected: Triage) -> &mut Found {
        match expected {
            Triage::Ignore => &mut self.ignore,
            Triage::Notify => &mut self.notify,
            Triage::Respond => &mut self.respond,
        }
    }
}

/// How often each decision was made, in attempts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Found {
    pub ignore: u64,
    pub notify: u64,
    pub respond: u64,
    /// No decision, or an attempt that the agent did not finish.
    pub none: u64,
}

impl Found {
    pub fn of(&self, found: Option<Triage>) -> u64 {
        match found {
            Some(Triage::Ignore) => self.ignore,
            Some(Triage::Notify) => self.notify,
            Some(Triage::Respond) => self.respond,
            None => self.none,
        }
    }

    pub fn total(&self) -> u64 {
        self.ignore + self.notify + self.respond + self.none
    }

    fn add(&mut self, found: Option<Triage>, count: u64) {
        *match found {
            Some(Triage::Ignore) => &mut self.ignore,
            Some(Triage::Notify) => &mut self.notify,
            Some(Triage::Respond) => &mut self.respond,
            None => &mut self.none,
        } += count;
    }
}

/// How one label was recognised. `null` where nothing was there to count.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub struct ClassReport {
    pub precision: Option<f64>,
    pub recall: Option<f64>,
    pub f1: Option<f64>,
}

/// Milliseconds per attempt. Quantiles are read from a histogram, to within 1 %.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub struct LatencyReport {
    pub p50: f64,
    pub p90: f64,
    pub p99: f64,
    pub max: f64,
    pub mean: f64,
}

/// US dollars per attempt. Quantiles are read from a histogram, to within 1 %.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub struct AttemptCost {
    pub mean: Cost,
    pub p50: Cost,
    pub p90: Cost,
    pub max: Cost,
}

/// An example that failed, with the first attempt that shows how.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct WorstExample {
    /// Its id; or that of a scenario or an episode.
    pub example: String,
    pub kind: CaseKind,
    pub split: Option<String>,
    /// Scored attempts that passed.
    pub passed: u64,
    /// Scored attempts.
    pub attempts: u64,
    /// `null` for an episode, whose steps expect one each.
    pub expected: Option<Triage>,
    /// All decisions made; all zero where triage was not scored.
    pub found: Found,
    /// The failing attempt with the lowest number tells the rest.
    pub repeat: u32,
    pub outcome: Outcome,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What the scorers that were not satisfied said, in the order of the keys.
    pub comments: Vec<Comment>,
}

#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Comment {
    pub key: String,
    pub score: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

/// An attempt that did not finish.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Incident {
    pub example: String,
    pub repeat: u32,
    pub outcome: Outcome,
    pub error: Option<String>,
}

/// What was noticed about one attempt's case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct CaseNotes {
    pub example: String,
    pub repeat: u32,
    pub notes: Vec<String>,
}

/// The circumstances of a run: what may differ although the plan is the same.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Environment {
    pub experiment: String,
    pub tool_version: String,
    /// When the experiment was first started.
    #[schemars(with = "String")]
    pub created: Timestamp,
    /// The day that prompts name.
    #[schemars(with = "String")]
    pub date: Date,
    /// When the last session ended; `null` where it was killed or still goes on.
    #[schemars(with = "Option<String>")]
    pub finished: Option<Timestamp>,
    /// Why it ended; likewise.
    pub end_reason: Option<EndReason>,
    /// How long the last session took, in seconds; likewise.
    pub wall_seconds: Option<f64>,
    /// The first run of the plan, and each time it was resumed.
    pub sessions: Vec<SessionReport>,
    /// Where the dataset was loaded from; empty for the embedded one.
    pub dataset_paths: Vec<String>,
    /// What was spent in US dollars, on calls of attempts that were given up too; replayed calls
    /// cost nothing. `null` where the price of any call is not known.
    pub spent_usd: Option<Cost>,
    /// What each provider's account was asked, over all sessions that ended in order.
    pub traffic: BTreeMap<String, Traffic>,
    /// What came from a recording, and went into one; absent where there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recording: Option<RecordingUse>,
    /// Whose scores these are, where they are not those of the run itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layer: Option<LayerReport>,
    /// The most memory the process of the last session held, in MB; `null` where the report
    /// was made from the journal later, or the system does not tell.
    pub peak_memory_mb: Option<f64>,
}

/// One sitting of an experiment.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct SessionReport {
    #[schemars(with = "String")]
    pub started: Timestamp,
    /// The command line, without the program's name.
    pub arguments: Vec<String>,
    /// Cases in flight at most.
    pub max_concurrency: u64,
    /// Operating system and processor.
    pub host: String,
}

impl Environment {
    /// What the journal tells: its header, its sessions, how the last of them ended, and what
    /// all came to.
    pub fn new(
        header: &Header,
        sessions: &[Session],
        ended: Option<&Ended>,
        ledger: &Ledger,
    ) -> Environment {
        let wall_seconds = match (sessions.last(), ended) {
            (Some(session), Some(ended)) => {
                Some(ended.at.duration_since(session.started).as_secs_f64())
            }
            _ => None,
        };
        Environment {
            experiment: header.experiment.clone(),
            tool_version: header.tool_version.clone(),
            created: header.created,
            date: header.date,
            finished: ended.map(|ended| ended.at),
            end_reason: ended.map(|ended| ended.because),
            wall_seconds,
            sessions: sessions
                .iter()
                .map(|session| SessionReport {
                    started: session.started,
                    arguments: session.arguments.clone(),
                    max_concurrency: session.concurrency as u64,
                    host: session.host.clone(),
                })
                .collect(),
            dataset_paths: header.dataset.paths.clone(),
            spent_usd: ledger.spent(),
            traffic: ledger.traffic().clone(),
            recording: ledger.recording().cloned(),
            layer: None,
            peak_memory_mb: None,
        }
    }
}
