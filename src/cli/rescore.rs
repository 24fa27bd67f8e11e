//! `mailproof rescore`: stored attempts scored again, without running any agent.

mod against;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::REPORTS;
use super::args::{self, RescoreArgs, Talk};
use super::clock;
use super::config::Config;
use super::environment::Environment;
use super::exit::{Exit, Failure};
use super::models::{self, Models};
use super::progress::Display;
use super::results::{self, Outputs};
use super::run::recording::{self, Prompts};
use super::run::{files, money, peak_memory_mb, settings, stop_asked};
use super::talk::{say, warn};
use super::validate::load;
use crate::dataset::Dataset;
use crate::experiment::journal::{FILE, Reader};
use crate::experiment::layer::{self, End, Header, Scorers, Writer};
use crate::experiment::rescore::{Rescored, Rescoring, rescore};
use crate::experiment::{
    AskedModel, Choices, ExperimentName, Header as Experiment, JudgePlan, Plan, Variant,
};
use crate::judge::bench::{Judge, Judges};
use crate::model::record::{Recording, Unused};
use crate::model::rules;
use crate::redact::Redactor;
use crate::report::escape;
use crate::run::{Cost, ModelRole};

/// How long calls may take to be given up.
const PATIENCE: Duration = Duration::from_secs(2);

pub fn run(talk: &Talk, args: &RescoreArgs) -> Result<Exit, Failure> {
    if let Some(against) = &args.against {
        return against::run(talk, args, against);
    }
    let mut asked = args.choices();
    let config = Config::read(asked.config.as_deref()).map_err(Failure::usage)?;
    config.complete(&mut asked);
    // What the configuration limits and records is an experiment.
    asked.limits.budget_usd = args.limits.budget_usd;
    asked.recordings = args.recordings.clone();
    let outputs = Outputs::parse(&asked.output)?;
    let name: ExperimentName = args.experiment.parse().map_err(Failure::usage)?;
    let folder = name.folder(Path::new(REPORTS));
    let environment = asked.reach.environment(&config)?;
    let redactor = Arc::new(environment.redactor());
    let journal = Reader::open_at_rest(&folder.join(FILE)).map_err(Failure::from_error)?;
    let experiment = journal.header().clone();
    let dataset = Arc::new(dataset(&experiment, &args.dataset)?);
    let seated = match args.scorers.judges() {
        true => Seated::call(
            &experiment,
            &dataset,
            &asked,
            &config,
            &environment,
            &redactor,
        )?,
        false => Seated::of(&experiment),
    };
    if args.scorers == Scorers::Judges && seated.plans.is_empty() {
        return Err(Failure::nothing_selected(
            "no judge has anything to ask: name one with `--judge`, or leave out `--scorers judges`",
        ));
    }
    let concurrency = asked.limits.max_concurrency.unwrap_or(models::CONCURRENCY);
    if let Some(models) = seated.models.as_ref().filter(|_| seated.is_live()) {
        files::allow((concurrency.get() as u64).saturating_mul(models.accounts() as u64))?;
    }

    let header = Header {
        format: layer::FORMAT.to_owned(),
        number: 0,
        experiment: experiment.experiment.clone(),
        tool_version: env!("CARGO_PKG_VERSION").to_owned(),
        created: Timestamp::now(),
        journal: journal.header_hash().to_owned(),
        dataset_hash: dataset.hash.clone(),
        scorers: args.scorers,
        judges: seated.plans.clone(),
        judge_models: seated.judge_models.clone(),
        models: seated.asked.clone(),
    };
    let layer = Writer::create(&folder, &header, Arc::clone(&redactor));
    if let (Err(_), Some(recording)) = (&layer, &seated.recording) {
        recording
            .finish(Unused::Kept)
            .map_err(Failure::from_error)?;
    }
    let layer = layer.map_err(Failure::from_error)?;
    let number = layer.number();
    let halt = seated.models.as_ref().map(|models| models.halt.clone());
    let rescoring = Rescoring {
        journal,
        dataset,
        redactor: Arc::clone(&redactor),
        scorers: args.scorers,
        judges: seated.judges,
        examined: seated.examined,
        layer,
        concurrency,
        cancel: CancellationToken::new(),
        halt: halt.unwrap_or_default(),
        progress: watch::Sender::default(),
    };
    let cases = experiment.planned().unwrap_or(0);
    let rescored = carry_out(talk, rescoring, cases);
    if let Some(recording) = &seated.recording {
        recording
            .finish(Unused::Kept)
            .map_err(Failure::from_error)?;
    }
    let layer = match rescored? {
        Rescored::Complete(layer) => layer,
        Rescored::Cancelled => {
            say(talk, &left_behind(number));
            return Ok(Exit::Interrupted);
        }
        Rescored::Halted(halted) => {
            warn(&format!("stopped: {}", escape::lines(&halted.reason)));
            say(talk, &left_behind(number));
            return Ok(halted.because.into());
        }
    };
    let attempts = layer.attempts();
    let spent = match &seated.models {
        Some(models) => money::spent(models, Some(Cost::ZERO)),
        None => Some(Cost::ZERO),
    };
    let ended = layer.end(End { attempts, spent });
    ended.map_err(Failure::from_error)?;

    let mut report = results::make(&folder, Some(number))?;
    report.environment.peak_memory_mb = peak_memory_mb();
    results::write(talk, &folder, &report, &outputs, &redactor)?;
    results::show(talk, &report, &redactor)?;
    let path = layer::path(&folder, number);
    say(talk, &format!("kept in {}", path.display()));
    Ok(results::exit(&report))
}

fn left_behind(number: u32) -> String {
    format!(
        "layer {number} is not complete, and nothing of it is shown; `mailproof rescore` makes a new one"
    )
}

/// The dataset that an experiment ran on: at the paths `given`, or where it was then.
///
/// # Errors
/// It is not there, or is another by now.
pub fn dataset(experiment: &Experiment, given: &[PathBuf]) -> Result<Dataset, Failure> {
    let recorded = &experiment.dataset;
    let (paths, dataset) = found(experiment, given)?;
    if dataset.hash == recorded.hash {
        return Ok(dataset);
    }
    let which = match (&paths[..], &experiment.tool_version) {
        ([], version) => format!(
            "the built-in emails of this version are not those of version {}",
            escape::line(version)
        ),
        (paths, _) => {
            let paths: Vec<_> = paths
                .iter()
                .map(|path| path.display().to_string())
                .collect();
            format!("{} is not what it was", escape::line(&paths.join(", ")))
        }
    };
    let short = |hash: &str| escape::line(&hash.chars().take(12).collect::<String>()).into_owned();
    Err(Failure::usage(format!(
        "{which} when `{}` ran: emails, or what is expected of an answer (criteria among it), were changed since (the content's SHA-256 was {}…, and is {}…); give the dataset as it was with `-d PATH`, or run the agents again on what it is now",
        escape::line(&experiment.experiment),
        short(&recorded.hash),
        short(&dataset.hash),
    )))
}

/// What is there now, at the paths `given` or where the experiment's dataset was then, and where
/// that is.
///
/// # Errors
/// It is not there.
pub fn found(
    experiment: &Experiment,
    given: &[PathBuf],
) -> Result<(Vec<PathBuf>, Dataset), Failure> {
    let paths = match given {
        [] => experiment.dataset.paths.iter().map(PathBuf::from).collect(),
        given => given.to_vec(),
    };
    let dataset = load(&paths).map_err(|failure| match given {
        [] => Failure::usage(format!(
            "{failure}\nthe experiment ran on it: if it is elsewhere now, say where with `-d PATH`"
        )),
        _ => failure,
    })?;
    Ok((paths, dataset))
}

/// Who judges, ready to be asked.
struct Seated {
    plans: Vec<JudgePlan>,
    /// For each variant of the experiment; likewise `judges`.
    judge_models: Vec<Vec<String>>,
    asked: BTreeMap<String, AskedModel>,
    judges: Vec<Arc<Judges>>,
    examined: Vec<(Judge, Vec<String>)>,
    /// `None` where nobody is asked.
    models: Option<Models>,
    recording: Option<Arc<Recording>>,
}

impl Seated {
    /// Those who judged the run; they are not asked again.
    fn of(experiment: &Experiment) -> Seated {
        let variants = experiment.variants.iter();
        Seated {
            plans: experiment.judges.clone(),
            judge_models: variants.map(|it| it.judge_models.clone()).collect(),
            asked: judging(&experiment.models),
            judges: vec![Arc::default(); experiment.variants.len()],
            examined: Vec::new(),
            models: None,
            recording: None,
        }
    }

    /// Those who judged the run, with what was chosen otherwise in their place.
    fn call(
        experiment: &Experiment,
        dataset: &Dataset,
        asked: &args::Choices,
        config: &Config,
        environment: &Environment,
        redactor: &Arc<Redactor>,
    ) -> Result<Seated, Failure> {
        let base = Choices::of(experiment);
        let mut judges = base.judging.clone();
        if experiment.judges.is_empty() {
            // That nobody judged then is no reason to leave it at that.
            judges.judges = None;
        }
        let choices = Choices {
            judging: settings::judging(judges, asked, config)?,
            catalog: config.catalog(),
            ..base
        };
        let plan = Plan::resolve(&choices, dataset).map_err(Failure::usage)?;
        for left_out in &plan.left_out {
            warn(&left_out.to_string());
        }
        let panels = || plan.judges.iter().flat_map(|judge| &judge.panels);
        let wanted = panels().flat_map(|panel| &panel.models);
        let wanted = wanted.map(|name| (name.as_str(), ModelRole::Judge));
        let wanted = wanted.filter(|_| !asked.recordings.asks_nobody());
        let models = Models::in_roles(wanted, &choices.catalog, asked, config, environment)?;
        if models.budget.is_some() {
            money::can_be_limited(&money::told(&plan, dataset, &models, &choices))?;
        }

        let names = |variants: &[Variant]| -> Vec<String> {
            variants
                .iter()
                .map(|variant| variant.name.clone())
                .collect()
        };
        if names(&plan.variants) != names(&experiment.variants) {
            return Err(Failure::usage(format!(
                "`{}` has other variants than this version plans for its agents and models: use version {}",
                escape::line(&experiment.experiment),
                escape::line(&experiment.tool_version),
            )));
        }

        let replayed = recording::replayed(&asked.recordings)?;
        let then = Prompts {
            date: experiment.date,
            seed: experiment.seed,
        };
        let prompts = Prompts::of(replayed.as_ref(), then);
        let recording =
            recording::open(&asked.recordings, false, prompts, &clock::now(), redactor)?;

        let definitions = &choices.judging.definitions;
        let mut seated = Seated {
            plans: plan.judges.clone(),
            judge_models: Vec::new(),
            asked: judging(&plan.models),
            judges: Vec::new(),
            examined: Vec::new(),
            models: None,
            recording: None,
        };
        for variant in &plan.variants {
            let judges = settings::judges_of(&plan, variant, definitions, |name| {
                let (catalog, file) = (&choices.catalog, variant.file_name());
                let recording = recording.as_ref();
                recording::model(recording, &models, catalog, &file, name, ModelRole::Judge)
            });
            let judges = judges.map_err(Failure::from_error)?;
            seated.judge_models.push(variant.judge_models.clone());
            seated.judges.push(Arc::new(judges));
        }
        seated.examine(&plan);
        seated.models = Some(models);
        seated.recording = recording;
        Ok(seated)
    }

    /// Has every judge shown its canaries with each of its panels, asked as the first variant
    /// that the panel judges.
    fn examine(&mut self, plan: &Plan) {
        for planned in &plan.judges {
            for panel in &planned.panels {
                let variants = plan.variants.iter();
                let mut judged = variants
                    .zip(&self.judges)
                    .filter(|(variant, _)| planned.panel(variant) == Some(panel));
                let judge = judged.find_map(|(_, judges)| {
                    let mut judges = judges.0.iter();
                    judges.find(|judge| judge.definition.key == planned.judge)
                });
                self.examined
                    .extend(judge.map(|judge| (judge.clone(), panel.models.clone())));
            }
        }
    }

    /// Whether a provider may be asked.
    fn is_live(&self) -> bool {
        let panels = self.plans.iter().flat_map(|judge| &judge.panels);
        panels
            .flat_map(|panel| &panel.models)
            .any(|name| name != rules::NAME)
    }
}

/// How models are asked as judges.
fn judging(models: &BTreeMap<String, AskedModel>) -> BTreeMap<String, AskedModel> {
    let judge = |(name, model): (&String, &AskedModel)| {
        let settings = model.settings.get_key_value(&ModelRole::Judge)?;
        let model = AskedModel {
            model: model.model.clone(),
            settings: BTreeMap::from([(*settings.0, settings.1.clone())]),
        };
        Some((name.clone(), model))
    };
    models.iter().filter_map(judge).collect()
}

/// Scores again, under a display of how it goes.
fn carry_out(talk: &Talk, rescoring: Rescoring, cases: u64) -> Result<Rescored, Failure> {
    let runtime = Runtime::new().map_err(Failure::internal)?;
    let rescored = runtime.block_on(async {
        let cancel = rescoring.cancel.clone();
        let signals = tokio::spawn(async move {
            stop_asked().await;
            warn("stopping");
            cancel.cancel();
        });
        let display = Display::start(talk, cases, rescoring.progress.subscribe());
        let rescored = rescore(rescoring).await;
        signals.abort();
        display.finish().await;
        rescored
    });
    // Calls under way are of no use any more. When they are gone, a recording can be put in
    // order.
    runtime.shutdown_timeout(PATIENCE);
    rescored.map_err(Failure::from_error)
}
