//! From arguments, configuration, and defaults to a plan's choices and its targets.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use jiff::Zoned;
use jiff::civil::Date;

use super::super::REPORTS;
use super::super::against::{Against, Place};
use super::super::args::{self, JudgeChoice, RunArgs};
use super::super::config::{Config, DEFAULT_PATH, OneOrMany};
use super::super::exit::Failure;
use super::super::models::{Models, Parts};
use super::super::results;
use super::recording;
use crate::agent::prompts::Preferences;
use crate::agent::tools::Tool;
use crate::agent::{self, Agent, AgentKind, Behaviour, Settings};
use crate::experiment::execute::Cast;
use crate::experiment::journal::FILE;
use crate::experiment::rerun as earlier;
use crate::experiment::{Choices, Judging, Limits, Plan, Rerun, RerunWhich, Selection, Variant};
use crate::judge::JudgeKey;
use crate::judge::bench::{Judge, Judges};
use crate::judge::calibration::{Records, record};
use crate::judge::definition::Definitions;
use crate::model::Model;
use crate::model::catalog::Catalog;
use crate::model::record::{RecordError, Recording};
use crate::model::rules;
use crate::run::ModelRole;
use crate::score::TriageCosts;
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
        simulator_model: None,
        judging: Judging::default(),
        catalog: Catalog::default(),
        repeat: 1,
        looks: None,
        seed: 0,
        selection: Selection::default(),
        limits: Limits {
            timeout_ms: TIMEOUT.as_millis() as u64,
            max_steps: MAX_STEPS,
        },
        behaviour: Behaviour::default(),
        triage_costs: TriageCosts::default(),
        min_pass_rate: None,
        gates: Default::default(),
        shard: None,
        dataset_paths: Vec::new(),
    }
}

/// `base` with what was asked for in its place.
pub fn choices(base: Choices, args: &RunArgs, config: &Config) -> Result<Choices, Failure> {
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
    Ok(Choices {
        suites: many(base.suites, &args.suites),
        agents: many(base.agents, &asked.agent),
        models: many(base.models, &asked.model),
        router_model: asked.router_model.clone().or(base.router_model),
        memory_model: asked.memory_model.clone().or(base.memory_model),
        simulator_model: asked.simulator_model.clone().or(base.simulator_model),
        judging: judging(base.judging, asked, config)?,
        catalog: config.catalog(),
        repeat: asked.repeat.unwrap_or(base.repeat),
        looks: base.looks,
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
        behaviour: behaviour(base.behaviour, args, config)?,
        triage_costs: config.triage_costs.unwrap_or(base.triage_costs),
        min_pass_rate: asked.min_pass_rate.or(base.min_pass_rate),
        gates: match args.resume {
            // They change no run; `mailproof gate` judges by others.
            true => base.gates,
            false => config.gates(&asked.gate, base.gates),
        },
        shard: base.shard,
        dataset_paths: many(base.dataset_paths, &paths),
    })
}

/// Who is to judge: `base`, with what the flags say, completed by `config`, in its place.
pub fn judging(base: Judging, asked: &args::Choices, config: &Config) -> Result<Judging, Failure> {
    let mut definitions = base.definitions;
    for file in &asked.panel.judge_file {
        definitions = definitions.with_file(file).map_err(Failure::usage)?;
    }
    let config_path = asked.config.as_deref().unwrap_or(Path::new(DEFAULT_PATH));
    let beside = config_path.parent().unwrap_or(Path::new(""));
    let records = Records::with_folder(&beside.join(record::FOLDER)).map_err(Failure::usage)?;
    let mut thresholds = base.thresholds;
    if let Some(stated) = &config.judge_thresholds {
        thresholds.extend(&stated.0);
    }
    Ok(Judging {
        judges: match &asked.judge[..] {
            [] => base.judges,
            chosen => Some(judges(chosen)?),
        },
        models: match &asked.panel.judge_model[..] {
            [] => base.models,
            models => panel(models)?,
        },
        votes: asked.panel.judge_votes.or(base.votes),
        thresholds,
        trust: config.trust_uncalibrated_judges.unwrap_or(base.trust),
        definitions,
        records,
    })
}

/// The judges that were named; none where nobody is to judge.
fn judges(chosen: &[JudgeChoice]) -> Result<Vec<JudgeKey>, Failure> {
    let mut judges = Vec::new();
    for choice in chosen {
        match choice {
            JudgeChoice::One(judge) => judges.push(*judge),
            JudgeChoice::Nobody if chosen.len() > 1 => {
                return Err(Failure::usage(
                    "`--judge none` is for nobody, and stands alone: leave it out, or the others",
                ));
            }
            JudgeChoice::Nobody => {}
        }
    }
    Ok(judges)
}

/// The models of a panel. One that is named twice would be asked the same twice over: votes
/// are for that.
pub fn panel(models: &[String]) -> Result<Vec<String>, Failure> {
    let mut panel: Vec<String> = Vec::new();
    for model in models {
        if panel.contains(model) {
            return Err(Failure::usage(format!(
                "`--judge-model {model}` is named twice: name each model of a panel once, and ask it more often with `--judge-votes`"
            )));
        }
        panel.push(model.clone());
    }
    Ok(panel)
}

fn behaviour(base: Behaviour, args: &RunArgs, config: &Config) -> Result<Behaviour, Failure> {
    let review = match &config.review_tools {
        None => base.review,
        Some(OneOrMany(names)) => reviewed(names)?,
    };
    Ok(Behaviour {
        review,
        notify_accept: config.notify_accept.unwrap_or(base.notify_accept),
        memory: args.choices.memory.unwrap_or(base.memory),
        background: config.background.unwrap_or(base.background),
    })
}

/// The names of tools as the agents call them, once each.
fn reviewed(names: &[String]) -> Result<Vec<String>, Failure> {
    let tools: Vec<Tool> = Tool::ALL
        .into_iter()
        .filter(|tool| tool.is_reviewable())
        .collect();
    let mut reviewed = Vec::new();
    for name in names {
        let Some(tool) = tools.iter().find(|tool| tool.is_called(name)) else {
            let known: Vec<_> = tools.iter().map(|tool| tool.name()).collect();
            return Err(Failure::usage(format!(
                "`review_tools`: `{name}` is no tool whose calls can be reviewed; those are {}",
                known.join(", ")
            )));
        };
        if !reviewed.iter().any(|other| other == tool.name()) {
            reviewed.push(tool.name().to_owned());
        }
    }
    Ok(reviewed)
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

/// What --last-failed or --only wants again of an earlier experiment.
pub fn rerun(args: &RunArgs) -> Result<Rerun, Failure> {
    let which = match args.only {
        Some(_) => RerunWhich::Errors,
        None => RerunWhich::Failed,
    };
    let of_experiment =
        |folder: &Path| earlier::rerun(&folder.join(FILE), which).map_err(Failure::from_error);
    let rerun = match &args.reference {
        None => of_experiment(&results::folder(None)?)?,
        Some(named) => match Against::parse(named)? {
            Against {
                variant: Some(variant),
                ..
            } => {
                return Err(Failure::usage(format!(
                    "`{named}` names a variant, and --last-failed and --only look at all of them: leave out `{variant}`"
                )));
            }
            Against {
                place: Place::Experiment(folder),
                ..
            } => of_experiment(&folder)?,
            against => against.read(None)?.rerun(which),
        },
    };
    if rerun.ids.is_empty() {
        let what = match which {
            RerunWhich::Failed => "nothing failed",
            RerunWhich::Errors => "nothing ended in an infrastructure error",
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

/// The parts of each model chosen.
pub fn parts(choices: &Choices) -> Vec<Parts> {
    let models = choices.models.iter();
    models.map(|model| Parts::new(model, choices)).collect()
}

/// The same, with those that judge what is planned.
pub fn judged_parts(choices: &Choices, plan: &Plan) -> Vec<Parts> {
    let mut all = parts(choices);
    for parts in &mut all {
        let variants = plan.variants.iter();
        for variant in variants.filter(|variant| variant.model == parts.agent) {
            let panels = plan.judges.iter().filter_map(|judge| judge.panel(variant));
            for model in panels.flat_map(|panel| &panel.models) {
                if !parts.judges.contains(model) {
                    parts.judges.push(model.clone());
                }
            }
        }
    }
    all
}

/// The judges that a plan has for a variant. `named` finds a model by the name it was chosen
/// by.
pub fn judges_of<E>(
    plan: &Plan,
    variant: &Variant,
    definitions: &Definitions,
    named: impl Fn(&str) -> Result<Arc<dyn Model>, E>,
) -> Result<Judges, E> {
    // A model that several judges ask is opened once: it reads one recording.
    let mut opened: BTreeMap<&str, Arc<dyn Model>> = BTreeMap::new();
    let mut judges = Vec::new();
    for judge in &plan.judges {
        let Some(asked) = judge.panel(variant) else {
            continue;
        };
        let mut panel = Vec::new();
        for name in &asked.models {
            let model = match opened.get(name.as_str()) {
                Some(model) => Arc::clone(model),
                None => named(name)?,
            };
            opened.insert(name, Arc::clone(&model));
            panel.push(model);
        }
        judges.push(Judge {
            definition: Arc::clone(definitions.get(judge.judge)),
            votes: judge.votes,
            panel,
        });
    }
    Ok(Judges(judges))
}

/// Who takes part in the cases of a plan's variants, whose agents are `kinds`. `date` is
/// the day that prompts name.
pub fn casts(
    models: &Models,
    plan: &Plan,
    kinds: &[AgentKind],
    choices: &Choices,
    date: Date,
    recording: Option<&Arc<Recording>>,
) -> Result<Vec<Cast>, Failure> {
    let cast = |variant: &Variant| {
        let kind = kinds.iter().find(|kind| kind.name() == variant.agent);
        let kind = kind.expect("variants are made of the agents chosen");
        let parts = Parts::new(&variant.model, choices);
        let named = |name: &str, role| {
            recording::model(
                recording,
                models,
                &choices.catalog,
                &variant.file_name(),
                name,
                role,
            )
        };
        let part = |role| named(parts.name(role), role);
        let definitions = &choices.judging.definitions;
        let judges = judges_of(plan, variant, definitions, |name| {
            named(name, ModelRole::Judge)
        })?;
        let models = agent::Models {
            agent: part(ModelRole::Agent)?,
            router: part(ModelRole::Router)?,
            memory: part(ModelRole::Memory)?,
        };
        Ok(Cast {
            target: Arc::new(Local::new(agent(*kind, models, choices, date))),
            simulator: part(ModelRole::Simulator)?,
            judges: Arc::new(judges),
        })
    };
    let casts: Result<Vec<Cast>, RecordError> = plan.variants.iter().map(cast).collect();
    casts.map_err(Failure::from_error)
}

pub fn agent(kind: AgentKind, models: agent::Models, choices: &Choices, date: Date) -> Agent {
    let settings = Settings {
        date,
        seed: choices.seed,
        preferences: Preferences::default(),
        behaviour: choices.behaviour.clone(),
    };
    Agent::new(kind, models, settings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_judges_alone_and_a_panel_has_each_model_once() {
        use JudgeKey::{MemoryUpdate, ResponseCriteria};
        let one = JudgeChoice::One;
        for (chosen, found) in [
            (vec![one(ResponseCriteria)], Some(vec![ResponseCriteria])),
            (
                vec![one(MemoryUpdate), one(ResponseCriteria)],
                Some(vec![MemoryUpdate, ResponseCriteria]),
            ),
            (vec![JudgeChoice::Nobody], Some(Vec::new())),
            (vec![JudgeChoice::Nobody, one(ResponseCriteria)], None),
        ] {
            assert_eq!(judges(&chosen).ok(), found, "{chosen:?}");
        }
        let models = ["rules", "openai:m"].map(str::to_owned);
        assert_eq!(panel(&models).unwrap(), models);
        let twice = panel(&["rules", "rules"].map(str::to_owned)).unwrap_err();
        assert!(twice.to_string().contains("named twice"), "{twice}");
    }

    #[test]
    fn only_tools_that_can_be_reviewed_are() {
        let names = |names: &[&str]| {
            names
                .iter()
                .map(|&name| name.to_owned())
                .collect::<Vec<_>>()
        };
        let known = reviewed(&names(&["Write_Email", "write_email", "question"])).unwrap();
        assert_eq!(known, ["write_email", "question"]);
        assert_eq!(reviewed(&[]).unwrap(), names(&[]));
        for unknown in ["done", "send_mail", ""] {
            let error = reviewed(&names(&["write_email", unknown])).unwrap_err();
            let expected = format!(
                "`review_tools`: `{unknown}` is no tool whose calls can be reviewed; those are write_email, schedule_meeting, question"
            );
            assert_eq!(error.to_string(), expected);
        }
    }
}
