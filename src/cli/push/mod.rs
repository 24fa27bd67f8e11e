//! `mailproof push`: results sent to where others keep theirs.

mod against;
mod git;
mod text;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use indicatif::ProgressStyle;
use jiff::Timestamp;
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::REPORTS;
use super::args::{Choices, Destination, LangsmithArgs, PushArgs, PushTo, Reach, Talk};
use super::config::Config;
use super::environment::Environment;
use super::exit::{Exit, Failure};
use super::progress::bar;
use super::push_otel::{self, Spans};
use super::rescore;
use super::run::stop_asked;
use super::talk::{print, say, warn};
use crate::dataset::Dataset;
use crate::experiment::{EndReason, ExperimentName, Header};
use crate::judge::calibration::items::{self, Item};
use crate::langsmith::examples::Hidden;
use crate::langsmith::push::{Git, IN_FLIGHT, Progress, Push, PushError, Pushed, Survey};
use crate::langsmith::{Client, Error, Settings};
use crate::report::escape;

/// How often the display changes.
const EVERY: Duration = Duration::from_millis(100);

pub fn run(talk: &Talk, args: PushArgs) -> Result<Exit, Failure> {
    match args.to {
        PushTo::Langsmith(args) => langsmith(talk, args),
        PushTo::Otel(args) => push_otel::run(talk, args),
    }
}

fn langsmith(talk: &Talk, mut args: LangsmithArgs) -> Result<Exit, Failure> {
    let goes_on = text::command(&args);
    let config = Config::read(args.config.as_deref()).map_err(Failure::usage)?;
    config.reach(&mut args.reach);
    let environment = args.reach.environment(&config)?;
    let max_retries = args.max_retries.or(config.max_retries);
    let settings = settings(&environment, args.reach.offline, max_retries)?;
    if let Some(against) = &args.against {
        return against::run(talk, &args, against, settings, &environment);
    }
    let name: ExperimentName = args.experiment.parse().map_err(Failure::usage)?;
    let folder = name.folder(Path::new(REPORTS));
    let survey = Survey::read(&folder, args.layer).map_err(Failure::from_error)?;
    can_be_pushed(&survey)?;
    if args.dry_run {
        let host = settings.endpoint.host();
        let dataset = dataset_name(&args, &settings, &survey.header);
        print(&format!("{}\n", text::plan(&survey, &dataset, host)))?;
        return Ok(Exit::Ok);
    }
    if !settings.tracking {
        say(talk, text::NO_TRACKING);
        return Ok(Exit::Ok);
    }
    let client = Client::new(settings, environment.redactor()).map_err(failure)?;
    let dataset = dataset(talk, &survey.header, &args.dataset)?;
    if args.prune && dataset.hash != survey.header.dataset.hash {
        return Err(Failure::usage(
            "what is no longer in the dataset can be told only of the dataset that the experiment ran on: leave out `--prune`, or name that with `-d PATH`",
        ));
    }
    let labels = items::read(&args.labels, &dataset).map_err(Failure::usage)?;
    let git = git::of_name(name.as_str());
    let work = Work {
        client,
        args,
        folder,
        survey,
        dataset: Arc::new(dataset),
        labels,
        git,
        environment: &environment,
    };
    let (pushed, link) = work.carry_out(talk)?;
    match talk.json {
        true => print(&text::json(&pushed, link.as_deref()))?,
        false => print(&text::lines(&pushed, link.as_deref()))?,
    }
    text::say_what_is_left(&pushed, &goes_on);
    Ok(exit(&pushed))
}

/// Where a run is to send its results, looked at before the run costs anything.
pub struct AfterRun {
    places: Vec<Place>,
    required: bool,
    /// What the run was told of ways and keys, for a command that pushes the same.
    config: Option<PathBuf>,
    reach: Reach,
    max_retries: Option<u32>,
}

enum Place {
    Langsmith(Box<Result<Client, Failure>>),
    Otel(Box<Result<Spans, Failure>>),
    /// The environment says that nothing is sent.
    Nowhere,
}

impl AfterRun {
    /// # Errors
    /// Where sending is required and cannot be.
    pub fn prepare(
        destinations: &[Destination],
        environment: &Environment,
        choices: &Choices,
        required: bool,
    ) -> Result<AfterRun, Failure> {
        let offline = choices.reach.offline;
        let max_retries = choices.limits.max_retries;
        let place = |destination: &Destination| match destination {
            Destination::Langsmith => {
                let settings = settings(environment, offline, max_retries);
                if settings.as_ref().is_ok_and(|settings| !settings.tracking) {
                    return Ok(Place::Nowhere);
                }
                let client = settings.and_then(|settings| {
                    Client::new(settings, environment.redactor()).map_err(failure)
                });
                match client {
                    Err(failure) if required => Err(failure),
                    client => Ok(Place::Langsmith(Box::new(client))),
                }
            }
            Destination::Otel => match Spans::prepare(environment, false, offline) {
                Err(failure) if required => Err(failure),
                spans => Ok(Place::Otel(Box::new(spans))),
            },
        };
        let places = destinations.iter().map(place).collect::<Result<_, _>>()?;
        Ok(AfterRun {
            places,
            required,
            config: choices.config.clone(),
            reach: choices.reach.clone(),
            max_retries,
        })
    }

    /// Sends what is in `folder`. What comes of it is said, and is the end of the command only
    /// where sending is required: whatever kept it from being sent, the results are not there.
    /// A run that is not over is not sent: the rest of it would come later, and by then the
    /// service may not take it any more.
    pub fn push(
        self,
        talk: &Talk,
        folder: &Path,
        because: EndReason,
        dataset: &Arc<Dataset>,
        environment: &Environment,
    ) -> Exit {
        let mut worst = Exit::Ok;
        let is_over = matches!(because, EndReason::Complete | EndReason::MaxFailures);
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        let args = LangsmithArgs {
            config: self.config,
            reach: self.reach,
            max_retries: self.max_retries,
            ..LangsmithArgs::of(&name)
        };
        for place in self.places {
            let exit = match place.name() {
                None => {
                    say(talk, text::NO_TRACKING);
                    Exit::Ok
                }
                Some(place) if !is_over => {
                    let flags = text::reaching(args.config.as_deref(), &args.reach);
                    warn(&format!(
                        "not pushed, because the run is not over: `mailproof push {place} {name}{flags}` sends what there is"
                    ));
                    Exit::Incomplete
                }
                Some(_) => {
                    let args = args.clone();
                    let pushed = place.push(talk, folder, args, dataset, environment);
                    pushed.unwrap_or_else(|failure| {
                        warn(&format!("not pushed: {failure}"));
                        failure.exit
                    })
                }
            };
            worst = worst.min(match exit {
                Exit::Ok | Exit::Interrupted => exit,
                _ => Exit::Incomplete,
            });
            if exit == Exit::Interrupted {
                break;
            }
        }
        match self.required {
            true => worst,
            false => Exit::Ok,
        }
    }
}

impl Place {
    /// As `mailproof push` calls it; `None` for nowhere.
    fn name(&self) -> Option<&'static str> {
        match self {
            Place::Langsmith(_) => Some("langsmith"),
            Place::Otel(_) => Some("otel"),
            Place::Nowhere => None,
        }
    }

    fn push(
        self,
        talk: &Talk,
        folder: &Path,
        args: LangsmithArgs,
        dataset: &Arc<Dataset>,
        environment: &Environment,
    ) -> Result<Exit, Failure> {
        match self {
            Place::Langsmith(client) => {
                after_run(talk, (*client)?, folder, args, dataset, environment)
            }
            Place::Otel(spans) => (*spans)?.push(talk, folder, Some(0)),
            Place::Nowhere => Ok(Exit::Ok),
        }
    }
}

fn after_run(
    talk: &Talk,
    client: Client,
    folder: &Path,
    args: LangsmithArgs,
    dataset: &Arc<Dataset>,
    environment: &Environment,
) -> Result<Exit, Failure> {
    let survey = Survey::read(folder, Some(0)).map_err(Failure::from_error)?;
    can_be_pushed(&survey)?;
    let goes_on = text::command(&args);
    let work = Work {
        client,
        args,
        folder: folder.to_owned(),
        survey,
        dataset: Arc::clone(dataset),
        labels: Vec::new(),
        git: git::of_working_directory(),
        environment,
    };
    let (pushed, link) = work.carry_out(talk)?;
    say(talk, text::lines(&pushed, link.as_deref()).trim_end());
    text::say_what_is_left(&pushed, &goes_on);
    Ok(exit(&pushed))
}

pub(super) fn settings(
    environment: &Environment,
    offline: bool,
    max_retries: Option<u32>,
) -> Result<Settings, Failure> {
    let settings = Settings::read(|name| environment.get(name)).map_err(Failure::from_error)?;
    Ok(Settings {
        offline,
        max_retries: max_retries.unwrap_or(settings.max_retries),
        ..settings
    })
}

fn can_be_pushed(survey: &Survey) -> Result<(), Failure> {
    is_whole(&survey.header)?;
    let name = escape::line(&survey.header.experiment);
    if survey.whole().attempts == 0 {
        return Err(Failure::nothing_selected(format!(
            "`{name}` has no attempts yet: `mailproof run --resume -e {name}` goes on with it"
        )));
    }
    Ok(())
}

/// # Errors
/// It is a shard.
pub(super) fn is_whole(header: &Header) -> Result<(), Failure> {
    let Some(shard) = &header.shard else {
        return Ok(());
    };
    Err(Failure::usage(format!(
        "`{}` is shard {} of an experiment: put all of them together with `mailproof merge`, and push what comes of it",
        escape::line(&header.experiment),
        shard.part
    )))
}

/// The dataset at the paths `given`, or where the experiment found it. One that was changed
/// since will do, and that is said.
fn dataset(talk: &Talk, header: &Header, given: &[PathBuf]) -> Result<Dataset, Failure> {
    let (_, dataset) = rescore::found(header, given)?;
    if dataset.hash != header.dataset.hash {
        say(
            talk,
            &format!(
                "dataset `{}` is not what `{}` ran on: examples that are there already stay as they are, and those that it needs and are missing are made as they are here now",
                escape::line(&dataset.name),
                escape::line(&header.experiment),
            ),
        );
    }
    Ok(dataset)
}

fn dataset_name(args: &LangsmithArgs, settings: &Settings, header: &Header) -> String {
    let named = args.dataset_name.as_ref().or(settings.test_suite.as_ref());
    named.unwrap_or(&header.dataset.name).clone()
}

/// A push that is ready to go.
struct Work<'a> {
    client: Client,
    args: LangsmithArgs,
    folder: PathBuf,
    survey: Survey,
    dataset: Arc<Dataset>,
    labels: Vec<Item>,
    git: Option<Git>,
    environment: &'a Environment,
}

impl Work<'_> {
    /// Pushes under a display of how it goes, after saying what there is to do. Returns what came
    /// of it, and where that is looked at.
    fn carry_out(self, talk: &Talk) -> Result<(Pushed, Option<String>), Failure> {
        let Work {
            client,
            args,
            folder,
            survey,
            dataset,
            labels,
            git,
            environment,
        } = self;
        let settings = client.settings().clone();
        let dataset_name = dataset_name(&args, &settings, &survey.header);
        let named = args.pushed_as.as_ref();
        let pushed_as = named.unwrap_or(&survey.header.experiment).clone();
        let whole = survey.whole();
        let plan = text::plan(&survey, &dataset_name, settings.endpoint.host());
        let examples = dataset.examples.len() + dataset.scenarios.len() + dataset.episodes.len();
        let survey = Arc::new(survey);
        let (progress, watched) = watch::channel(Progress::default());
        let cancel = CancellationToken::new();
        let push = Push {
            client: client.clone(),
            folder,
            survey: Arc::clone(&survey),
            local: dataset,
            labels,
            dataset_name,
            prefix: settings.experiment.unwrap_or_else(|| pushed_as.clone()),
            pushed_as,
            metadata: settings.experiment_metadata,
            git,
            hidden: Hidden {
                inputs: settings.hide_inputs,
                outputs: settings.hide_outputs,
            },
            prune: args.prune,
            redactor: Arc::new(environment.redactor()),
            now: Timestamp::now(),
            cancel: cancel.clone(),
            progress,
        };
        let runtime = Runtime::new().map_err(Failure::internal)?;
        let pushed = runtime.block_on(async {
            let signals = tokio::spawn(listen(cancel.clone()));
            let asked = Instant::now();
            let limits = tokio::select! {
                biased;
                () = cancel.cancelled() => return push.stopped(PushError::Cancelled),
                limits = client.limits() => match limits {
                    Ok(limits) => limits,
                    Err(error) => return push.stopped(error.into()),
                },
            };
            let answered = asked.elapsed();
            let (requests, least) = Push::forecast(&survey, examples, limits);
            // As if each were answered as soon as this one was, which carries nothing.
            let answers = answered.mul_f64(requests as f64 / IN_FLIGHT as f64);
            say(talk, &text::forecast(&plan, requests, least.max(answers)));
            let bar = bar(talk, whole.attempts + whole.scores);
            bar.set_style(
                ProgressStyle::with_template(
                    "{bar:20} {pos}/{len} attempts and scores, {eta} left",
                )
                .expect("the template is well formed"),
            );
            let display = tokio::spawn(show(bar.clone(), watched));
            let pushed = push.run().await;
            signals.abort();
            display.abort();
            // The task may hold the bar until it has noticed; an abort is no failure.
            let _ = display.await;
            bar.finish_and_clear();
            pushed
        });
        for notice in client.notices() {
            say(talk, &escape::line(&notice));
        }
        let link = pushed.dataset.as_ref().and_then(|dataset| {
            let sessions = pushed.experiments.iter();
            let sessions: Vec<_> = sessions
                .filter_map(|it| Some(it.session.as_ref()?.0))
                .collect();
            (!sessions.is_empty()).then(|| client.link(dataset, &sessions))
        });
        Ok((pushed, link))
    }
}

async fn show(bar: indicatif::ProgressBar, progress: watch::Receiver<Progress>) {
    let mut tick = tokio::time::interval(EVERY);
    loop {
        tick.tick().await;
        let Progress { attempts, scores } = *progress.borrow();
        bar.set_position(attempts + scores);
    }
}

/// Listens from the call on: the first signal lets what is in flight arrive; the second ends the
/// process.
fn listen(cancel: CancellationToken) -> impl Future<Output = ()> {
    let stop = stop_asked();
    async move {
        stop.await;
        let again = stop_asked();
        warn("stopping: what is under way arrives first (once more to stop at once)");
        cancel.cancel();
        again.await;
        std::process::exit(i32::from(Exit::Interrupted.code()));
    }
}

pub(super) fn failure(error: Error) -> Failure {
    let exit = of_error(&error);
    Failure::usage(error).ending(exit)
}

fn of_error(error: &Error) -> Exit {
    match error.is_usage() {
        true => Exit::Usage,
        false => Exit::Incomplete,
    }
}

fn exit(pushed: &Pushed) -> Exit {
    match &pushed.stopped {
        Some(PushError::Cancelled) => Exit::Interrupted,
        Some(PushError::Client(error)) => of_error(error),
        Some(PushError::Refusing { .. }) => Exit::Incomplete,
        Some(_) => Exit::Usage,
        None if pushed.is_complete() => Exit::Ok,
        None => Exit::Incomplete,
    }
}
