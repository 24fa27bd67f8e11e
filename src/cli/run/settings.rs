//! From arguments, configuration, and defaults to a plan's choices and its targets.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use jiff::Zoned;
use jiff::civil::Date;

use super::super::REPORTS;
use super::super::args::{RunArgs, Talk};
use super::super::config::Config;
use super::super::exit::Failure;
use super::super::results;
use crate::agent::prompts::Preferences;
use crate::agent::{self, Agent, AgentKind, Behaviour, Settings};
use crate::experiment::journal::FILE;
use crate::experiment::rerun as earlier;
use crate::experiment::{Choices, Limits, Plan, Rerun, RerunWhich, Selection, Variant};
use crate::model::{Model, catalog, rules};
use crate::report::escape;
use crate::score::TriageCosts;
use crate::target::Target;
use crate::target::local::Local;

/// A case's own time limit.
const TIMEOUT: Duration = Duration::from_secs(5 * 60);
/// Model calls a case may make.
const MAX_STEPS: u32 = 25;

/// What happens where nobody says otherwise.
pub fn defaults() -> Choices {
    Choices {
        suites: Vec::new(),
        agents: AgentKind::ALL.iter().map(ToString::to_string).collect(),
        models: vec![rules::NAME.to_owned()],
        router_model: None,
        memory_model: None,
        repeat: 1,
        seed: 0,
        selection: Selection::default(),
        limits: Limits {
            timeout_ms: TIMEOUT.as_millis() as u64,
            max_steps: MAX_STEPS,
        },
        behaviour: Behaviour::default(),
        triage_costs: TriageCosts::default(),
        min_pass_rate: None,
        dataset_paths: Vec::new(),
    }
}

/// `base` with what was asked for in its place.
pub fn choices(base: Choices, args: &RunArgs, config: &Config) -> Choices {
    fn many<T: Clone>(base: Vec<T>, asked: &[T]) -> Vec<T> {
        if asked.is_empty() {
            base
        } else {
            asked.to_vec()
        }
    }
    let asked = &args.choices;
    let paths: Vec<_> = asked
        .dataset
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    let timeout_ms = asked
        .timeout
        .map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
    Choices {
        suites: many(base.suites, &args.suites),
        agents: many(base.agents, &asked.agent),
        models: many(base.models, &asked.model),
        router_model: asked.router_model.clone().or(base.router_model),
        memory_model: base.memory_model,
        repeat: asked.repeat.unwrap_or(base.repeat),
        seed: asked.seed.unwrap_or(base.seed),
        selection: Selection {
            limit: asked.limit.or(base.selection.limit),
            sample: asked.sample.or(base.selection.sample),
            ids: many(base.selection.ids, &asked.example),
            tags: many(base.selection.tags, &asked.tag),
            split: asked.split.clone().or(base.selection.split),
            rerun: base.selection.rerun,
        },
        limits: Limits {
            timeout_ms: timeout_ms.unwrap_or(base.limits.timeout_ms),
            max_steps: asked.max_steps.unwrap_or(base.limits.max_steps),
        },
        behaviour: base.behaviour,
        triage_costs: config.triage_costs.unwrap_or(base.triage_costs),
        min_pass_rate: asked.min_pass_rate.or(base.min_pass_rate),
        dataset_paths: many(base.dataset_paths, &paths),
    }
}

/// The agents of these names, which become those the variants are called by.
pub fn agents(names: &mut [String]) -> Result<Vec<AgentKind>, Failure> {
    let mut kinds = Vec::new();
    for name in names {
        let kind: AgentKind = name.parse().map_err(Failure::usage)?;
        *name = kind.to_string();
        kinds.push(kind);
    }
    Ok(kinds)
}

/// The examples of an earlier experiment that --last-failed or --only wants again.
pub fn rerun(args: &RunArgs) -> Result<Rerun, Failure> {
    let folder = results::folder(args.reference.as_deref())?;
    let which = match args.only {
        Some(_) => RerunWhich::Errors,
        None => RerunWhich::Failed,
    };
    let rerun = earlier::rerun(&folder.join(FILE), which).map_err(Failure::from_error)?;
    if rerun.ids.is_empty() {
        let what = match which {
            RerunWhich::Failed => "no example failed",
            RerunWhich::Errors => "no example ended in an infrastructure error",
        };
        return Err(Failure::nothing_selected(format!(
            "{what} in `{}`",
            rerun.of
        )));
    }
    Ok(rerun)
}

/// Date, time, and commit: `20260302-140509-1a2b3c4`.
pub fn default_name(now: &Zoned) -> String {
    let mut name = now.strftime("%Y%m%d-%H%M%S").to_string();
    if let Some(commit) = commit() {
        name.push('-');
        name.push_str(&commit);
    }
    // A second run within the second would find its name taken.
    let base = name.clone();
    let mut number = 2;
    while Path::new(REPORTS).join(&name).exists() {
        name = format!("{base}-{number}");
        number += 1;
    }
    name
}

/// The working directory's commit; `None` outside of a repository, or without git.
fn commit() -> Option<String> {
    let output = Command::new("git")
        .args(["rev-parse", "--short", "HEAD"])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let commit = text.trim();
    let is_commit = !commit.is_empty() && commit.chars().all(|c| c.is_ascii_hexdigit());
    (output.status.success() && is_commit).then(|| commit.to_owned())
}

/// Every model that a plan may ask, opened before anything runs.
pub struct Models(BTreeMap<String, Arc<dyn Model>>);

impl Models {
    pub fn open(choices: &Choices) -> Result<Models, Failure> {
        let mut models = BTreeMap::new();
        for name in choices.models.iter().chain(&choices.router_model) {
            let model = catalog::open(name, |variable| std::env::var(variable).ok())
                .map_err(Failure::usage)?;
            models.insert(name.clone(), model);
        }
        Ok(Models(models))
    }

    fn get(&self, name: &str) -> Arc<dyn Model> {
        Arc::clone(
            self.0
                .get(name)
                .expect("every model of the choices was opened"),
        )
    }

    /// The targets of a plan's variants, whose agents are `kinds`. `date` is the day that
    /// prompts name.
    pub fn targets(&self, plan: &Plan, kinds: &[AgentKind], date: Date) -> Vec<Arc<dyn Target>> {
        let target = |variant: &Variant| {
            let kind = kinds.iter().find(|kind| kind.name() == variant.agent);
            let kind = kind.expect("variants are made of the agents chosen");
            let router = variant.router_model.as_ref().unwrap_or(&variant.model);
            self.target(*kind, &variant.model, router, date, plan.seed)
        };
        plan.variants.iter().map(target).collect()
    }

    pub fn target(
        &self,
        kind: AgentKind,
        model: &str,
        router: &str,
        date: Date,
        seed: u64,
    ) -> Arc<dyn Target> {
        let models = agent::Models {
            agent: self.get(model),
            router: self.get(router),
            memory: self.get(model),
        };
        let settings = Settings {
            date,
            seed,
            preferences: Preferences::default(),
            behaviour: Behaviour::default(),
        };
        Arc::new(Local::new(Agent::new(kind, models, settings)))
    }
}

/// The plan, for --dry-run.
pub fn describe(talk: &Talk, plan: &Plan) -> String {
    let cases = plan.grid().cases();
    let calls = plan.max_model_calls();
    let variants: Vec<_> = plan
        .variants
        .iter()
        .map(|variant| variant.name.as_str())
        .collect();
    let suites: Vec<_> = plan.suites.iter().map(|suite| suite.name()).collect();
    if talk.json {
        let plan = serde_json::json!({
            "dataset": plan.dataset, "suites": suites, "variants": plan.variants,
            "examples": plan.examples.len(), "repeat": plan.repeat, "seed": plan.seed,
            "attempts": cases, "max_model_calls": calls,
        });
        return format!("{plan:#}\n");
    }
    let mut text = String::new();
    let mut line = |name: &str, value: String| {
        writeln!(text, "{name:12} {}", escape::line(&value)).expect("a string takes all");
    };
    line(
        "dataset",
        format!("{}, {} examples", plan.dataset.name, plan.dataset.examples),
    );
    line("selected", format!("{} examples", plan.examples.len()));
    line("suites", suites.join(", "));
    line("variants", variants.join(", "));
    line(
        "attempts",
        format!("{cases} ({} for each example and variant)", plan.repeat),
    );
    line("model calls", format!("{calls} at most"));
    if plan.unasked > 0 {
        line(
            "left out",
            format!("{} examples of which no suite asks anything", plan.unasked),
        );
    }
    text
}
