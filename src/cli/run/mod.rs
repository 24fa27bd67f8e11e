//! `mailproof run`: the whole road, from arguments to exit code.

mod describe;
pub mod email;
pub mod files;
pub mod money;
pub mod recording;
pub mod settings;
mod shard;
mod thread;

use std::num::{NonZeroU32, NonZeroU64, NonZeroUsize};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::civil::Date;
use jiff::{Timestamp, Zoned};
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::REPORTS;
use super::against::Reference;
use super::args::{RunArgs, Talk};
use super::config::Config;
use super::environment::Environment;
use super::exit::{Exit, Failure};
use super::looks::{self, Looking};
use super::models::{self, Models, Parts};
use super::objects::Objects;
use super::progress::Display;
use super::push::AfterRun;
use super::results::{self, Following, Outputs, RUN};
use super::snapshots;
use super::talk::{print, say, warn};
use super::validate::load;
use crate::cli::clock;
use crate::dataset::Dataset;
use crate::experiment::execute::{Cast, Execution, Recorded, Summary, WallClock, execute};
use crate::experiment::journal::{self, FILE, Journal, Reader};
use crate::experiment::resume::resume;
use crate::experiment::{
    Choices, EndReason, Ended, ExperimentName, Grown, Header, Looks, Plan, PlanError, Session,
    Shard,
};
use crate::model::record::{Info, Recording, Unused};
use crate::redact::Redactor;
use crate::report::escape;
use crate::run::Cost;
use describe::describe;

pub fn run(talk: &Talk, mut args: RunArgs) -> Result<Exit, Failure> {
    let config = Config::read(args.choices.config.as_deref()).map_err(Failure::usage)?;
    config.complete(&mut args.choices);
    if let Some(file) = &args.email {
        // What the configuration limits is an experiment.
        args.choices.limits.budget_usd = None;
        return match &args.thread {
            Some(thread) => thread::run(talk, file, thread, &args, &config),
            None => email::run(talk, file, &args, &config),
        };
    }
    if let (Some(repeat), Some(looks)) = (args.choices.repeat, args.choices.looks) {
        return Err(Failure::usage(format!(
            "`repeat: {repeat}` and `looks: {looks}` both say how many attempts there are: looks make as many as they need, so leave one of them out"
        )));
    }
    if args.suites.is_empty() {
        args.suites = config.suite.clone().map(|many| many.0).unwrap_or_default();
    }
    if args.max_failures.is_none() && !args.fail_fast {
        args.max_failures = config.max_failures.as_ref().map(|most| most.0.into());
    }
    if args.push.is_empty() {
        args.push = config.push.clone().map(|many| many.0).unwrap_or_default();
    }
    args.push_required |= config.push_required.unwrap_or(false);
    let outputs = Outputs::parse(&args.choices.output)?;
    let shard = args
        .shard
        .map(|choice| shard::of(choice, &Environment::process()));
    let shard = shard.transpose()?;

    let recorded = if args.resume {
        Some(recorded(&args, shard)?)
    } else {
        None
    };
    let mut base = match &recorded {
        Some(header) => Choices::of(header),
        None => settings::defaults(),
    };
    let shard = shard.or(base.shard);
    shard::check(shard, &args)?;
    let recordings = args.choices.recordings.clone();
    recording::can_prune(&recordings, args.prune)?;
    let replayed = recording::replayed(&recordings)?;
    if let Some(info) = &replayed {
        base.seed = recording::seed(info, &args, recorded.as_ref())?;
    }
    let mut choices = settings::choices(base, &args, &config)?;
    choices.shard = shard;
    args.choices.sharers = shard.and_then(|shard| NonZeroU32::new(shard.count()));
    if shard.is_some() && args.reference.is_some() && !args.last_failed && args.only.is_none() {
        return Err(Failure::usage(
            "a shard is a part of the plan: `mailproof report NAME --reference` compares what `mailproof merge` made of all",
        ));
    }
    // What failed was chosen because it failed: held against where it did, it can only look
    // better. What a shard did is compared once all are merged.
    let reference = if args.last_failed || args.only.is_some() {
        choices.selection.rerun = Some(settings::rerun(&args)?);
        None
    } else if shard.is_some() {
        None
    } else if let Some(looks) = &choices.looks {
        Some(looks::reference(looks, args.reference.as_deref())?)
    } else {
        let named = args.reference.as_ref().or(config.reference.as_ref());
        named.map(|named| Reference::read(named)).transpose()?
    };

    if let Some(asked) = args.choices.looks {
        choices.looks = Some(match choices.looks.take() {
            // Of the experiment that is gone on with: another number is another plan.
            Some(looks) => Looks {
                most: asked,
                ..looks
            },
            None => looks::plan(asked, reference.as_ref())?,
        });
    }

    let held_to = config.gates(&args.choices.gate, choices.gates.clone());
    if args.resume && held_to != choices.gates {
        warn(
            "the experiment stays held to the gates it was started with: `mailproof gate` judges it by others",
        );
    }

    let kinds = settings::agents(&mut choices.agents)?;
    let paths: Vec<_> = choices.dataset_paths.iter().map(Into::into).collect();
    let (dataset, aside) = std::thread::scope(|scope| {
        let aside = scope.spawn(|| Aside::prepare(&args, &config));
        (load(&paths), aside.join())
    });
    let dataset = Arc::new(dataset?);
    let Aside {
        environment,
        redactor,
        now,
    } = aside.expect("preparing does not panic")?;
    let plan = Plan::resolve(&choices, &dataset).map_err(|error| match error {
        PlanError::Nothing { .. }
        | PlanError::UnknownIds { .. }
        | PlanError::UnknownTag { .. }
        | PlanError::UnknownSplit { .. } => Failure::nothing_selected(error),
        PlanError::Gate(misfit) => {
            let asked = &args.choices;
            config.misfit(&misfit, asked.config.as_deref(), &asked.gate)
        }
        error => Failure::usage(error),
    })?;
    if let Some(reference) = &reference {
        reference.check(&plan, &dataset)?;
    }
    for left_out in &plan.left_out {
        warn(&left_out.to_string());
    }
    let parts = match args.choices.recordings.asks_nobody() {
        true => Vec::new(),
        false => settings::judged_parts(&choices, &plan),
    };
    let upload = args.upload.as_deref();
    let upload = upload.map(|url| Objects::open(url, &environment, args.choices.reach.offline));
    let upload = upload.transpose()?;
    let pushes = AfterRun::prepare(&args.push, &environment, &args.choices, args.push_required)?;
    if shard.is_some() && !args.push.is_empty() {
        return Err(Failure::usage(
            "a shard is a part of the plan: `mailproof push` sends what `mailproof merge` made of all",
        ));
    }
    let catalog = &choices.catalog;
    let models = Models::open(&parts, catalog, &args.choices, &config, &environment)?;
    // Goes through all emails, so only for who wants to know.
    let at_most = looks::at_most(&plan);
    let at_most = at_most.as_ref().unwrap_or(&plan);
    let forecast = || money::told(at_most, &dataset, &models, &choices);
    if models.budget.is_some() {
        money::can_be_limited(&forecast())?;
    }
    if args.dry_run {
        print(&describe(talk, at_most, &forecast()))?;
        return Ok(Exit::Ok);
    }
    let concurrency = args
        .choices
        .limits
        .max_concurrency
        .unwrap_or(models::CONCURRENCY);
    if parts.iter().any(Parts::is_live) {
        let cases = concurrency.get() as u64;
        files::allow(match plan.judges.is_empty() {
            true => at_most.planned().min(cases),
            // A case asks all its judges at once, and each account as many as its limiter lets.
            false => cases.saturating_mul(models.accounts() as u64),
        })?;
    }

    let date = recording::date(&args, recorded.as_ref(), replayed.as_ref(), now.date())?;
    // Before the journal: where the recording cannot be used, no experiment is begun.
    let prompts = recording::Prompts {
        date,
        seed: plan.seed,
    };
    let recording = recording::open(&recordings, args.resume, prompts, &now, &redactor)?;
    let looking = plan.looks.as_ref();
    let looking = looking.map(|looks| Looking::open(looks, &plan.gates, plan.seed));
    let looking = looking.transpose()?;
    let opened = open(&args, recorded, &plan, &dataset, &now, date, &redactor);
    let opened = opened.and_then(|opened| {
        money::go_on(&models, opened.spent)?;
        Ok(opened)
    });
    if let (Err(_), Some(recording)) = (&opened, &recording) {
        recording
            .finish(Unused::Kept)
            .map_err(Failure::from_error)?;
    }
    let opened = opened?;
    let folder = Path::new(REPORTS).join(&opened.header.experiment);
    if talk.verbose {
        say(talk, &describe(talk, at_most, &forecast()));
    }
    let recording = recording.as_ref();
    let date = opened.header.date;
    let casts = settings::casts(&models, &plan, &kinds, &choices, date, recording)?;
    let is_looked_at = looking.is_some();
    let bounds = Bounds {
        concurrency,
        max_failures: match args.fail_fast {
            true => NonZeroU64::new(1),
            false => args.max_failures.and_then(NonZeroU64::new),
        },
        run_timeout: args.choices.run_timeout,
        looking,
    };
    let sources = Sources {
        models: &models,
        recording: recording.map(|recording| (&**recording, replayed.as_ref())),
    };
    let shard = opened.header.shard.as_ref().map(|shard| shard.part);
    // A report is folded by the plan as it is in the end, which looks decide on.
    let following = (!is_looked_at).then(|| Following::start(&folder));
    let variants = plan.variants.clone();
    let summary = carry_out(
        (talk, &redactor),
        opened,
        plan,
        Arc::clone(&dataset),
        casts,
        &sources,
        bounds,
    )?;
    if let Some(recording) = recording {
        recording::finish(recording, args.prune, summary.because)?;
    }

    let mut report = match following {
        Some(following) => following.finish()?,
        None => results::make(&folder, RUN)?,
    };
    let compared = match &reference {
        Some(reference) => {
            // Those it was started with.
            let gates = report.plan.gates.clone();
            reference.judge(&mut report, &folder, RUN, &gates)?
        }
        None => Exit::Ok,
    };
    report.environment.peak_memory_mb = peak_memory_mb();
    results::write(talk, &folder, &report, &outputs, &redactor)?;
    results::show(talk, &report, &redactor)?;
    say_where(talk, &folder, &summary);
    let Some(shard) = shard else {
        snapshots::say_changes(talk, &folder, &variants, &dataset, &redactor);
        let pushed = pushes.push(talk, &folder, summary.because, &dataset, &environment);
        let ended = exit(&summary).min(results::exit(&report)).min(compared);
        return Ok(ended.min(pushed));
    };
    if let Some(objects) = &upload {
        shard::upload(talk, objects, &folder)?;
    }
    shard::say_how_it_goes_on(talk, &folder, shard, &summary);
    Ok(shard::exit(exit(&summary), summary.because))
}

/// What is made ready while the dataset is read.
struct Aside {
    environment: Environment,
    redactor: Arc<Redactor>,
    now: Zoned,
}

impl Aside {
    fn prepare(args: &RunArgs, config: &Config) -> Result<Aside, Failure> {
        let environment = args.choices.reach.environment(config)?;
        Ok(Aside {
            redactor: Arc::new(environment.redactor()),
            environment,
            now: clock::now(),
        })
    }
}

/// What the end of a sitting makes of the whole command, whatever its results are.
fn exit(summary: &Summary) -> Exit {
    match (summary.because, &summary.halted) {
        (_, Some(halted)) => halted.because.into(),
        (EndReason::Halted, None) => Exit::Incomplete,
        (EndReason::Cancelled, None) => Exit::Interrupted,
        (EndReason::Complete | EndReason::MaxFailures, None) => Exit::Ok,
    }
}

/// An experiment that is ready to go on: new, or taken up again.
struct Opened {
    journal: Journal,
    header: Header,
    recorded: Recorded,
    /// What earlier sittings spent; `None` where that is not known.
    spent: Option<Cost>,
}

/// The header of the experiment to resume.
fn recorded(args: &RunArgs, shard: Option<Shard>) -> Result<Header, Failure> {
    let reports = Path::new(REPORTS);
    let path = match &args.experiment {
        Some(name) => {
            let name = shard::name(name, shard);
            let name: ExperimentName = name.parse().map_err(Failure::usage)?;
            journal::path(reports, &name)
        }
        None => {
            let is_it = |part: Shard| shard.is_none_or(|shard| shard == part);
            let is_wanted = |header: &Header| match &header.shard {
                Some(of) => is_it(of.part),
                None => shard.is_none(),
            };
            journal::newest_unfinished(reports, is_wanted)
                .map_err(Failure::from_error)?
                .ok_or_else(|| Failure::usage("no experiment in ./reports is unfinished"))?
                .path
        }
    };
    let reader = Reader::open(&path).map_err(Failure::from_error)?;
    Ok(reader.header().clone())
}

fn open(
    args: &RunArgs,
    recorded: Option<Header>,
    plan: &Plan,
    dataset: &Dataset,
    now: &Zoned,
    date: Date,
    redactor: &Arc<Redactor>,
) -> Result<Opened, Failure> {
    let redactor = Arc::clone(redactor);
    let reports = Path::new(REPORTS);
    if let Some(header) = recorded {
        let path = reports.join(&header.experiment).join(FILE);
        let resumed = resume(&path, plan, dataset, redactor).map_err(Failure::from_error)?;
        return Ok(Opened {
            journal: resumed.journal,
            header: resumed.header,
            recorded: resumed.recorded,
            spent: resumed.spent,
        });
    }
    let name = match &args.experiment {
        Some(name) => name.clone(),
        None => settings::default_name(now),
    };
    let shard = plan.shard.as_ref().map(|shard| shard.part);
    let name = shard::name(&name, shard);
    let name: ExperimentName = name.parse().map_err(Failure::usage)?;
    let header = plan.header(name.as_str(), now.timestamp(), date);
    let journal = Journal::create(reports, &header, redactor).map_err(Failure::from_error)?;
    Ok(Opened {
        journal,
        header,
        recorded: Recorded::default(),
        spent: Some(Cost::ZERO),
    })
}

/// How far a sitting may go.
struct Bounds {
    concurrency: NonZeroUsize,
    max_failures: Option<NonZeroU64>,
    run_timeout: Option<Duration>,
    /// What says whether attempts are enough, where looks do.
    looking: Option<Looking>,
}

/// Where answers come from.
struct Sources<'a> {
    models: &'a Models,
    /// With what the replayed recording says of itself.
    recording: Option<(&'a Recording, Option<&'a Info>)>,
}

/// Runs what is left of the plan, under a display of how it goes.
fn carry_out(
    (talk, redactor): (&Talk, &Arc<Redactor>),
    opened: Opened,
    plan: Plan,
    dataset: Arc<Dataset>,
    casts: Vec<Cast>,
    sources: &Sources<'_>,
    bounds: Bounds,
) -> Result<Summary, Failure> {
    let Opened {
        mut journal,
        mut recorded,
        spent,
        ..
    } = opened;
    let Sources { models, recording } = sources;
    let mut plan = Arc::new(plan);
    let path = journal.path().to_owned();
    // The process's end frees it at once, where the last case's end would example by example.
    std::mem::forget(Arc::clone(&dataset));
    let runtime = Runtime::new().map_err(Failure::internal)?;
    let summary = runtime.block_on(async {
        journal
            .begin(Session {
                started: Timestamp::now(),
                arguments: std::env::args().skip(1).collect(),
                concurrency: bounds.concurrency.get(),
                host: format!("{}/{}", std::env::consts::OS, std::env::consts::ARCH),
            })
            .await
            .map_err(Failure::from_error)?;
        let cancel = CancellationToken::new();
        let signals = tokio::spawn(listen(cancel.clone()));
        let started = Instant::now();
        let mut failures_left = bounds.max_failures;
        let (journal, summary) = loop {
            let (sender, receiver) = watch::channel(recorded.counts.clone());
            let display = Display::start(talk, plan.planned(), receiver);
            let failed = recorded.counts.failed;
            let written = Arc::new(journal);
            let result = execute(Execution {
                plan: Arc::clone(&plan),
                dataset: Arc::clone(&dataset),
                casts: casts.clone(),
                journal: Arc::clone(&written),
                clock: WallClock::reading(Timestamp::now()),
                concurrency: bounds.concurrency,
                max_failures: failures_left,
                cancel: cancel.clone(),
                halt: models.halt.clone(),
                run_timeout: bounds.run_timeout,
                elapsed: started.elapsed(),
                recorded,
                progress: sender,
            })
            .await;
            display.finish().await;
            let mut summary = result.map_err(Failure::from_error)?;
            let Some(looking) = bounds
                .looking
                .as_ref()
                .filter(|_| summary.because == EndReason::Complete)
            else {
                break (written, summary);
            };
            // Given up while it is read: not everywhere can a locked file be.
            drop(written);
            let folder = path.parent().expect("a journal is in a folder");
            let look = looking.take(folder, RUN, false)?;
            say(talk, &look.told());
            let again = resume(&path, &plan, &dataset, Arc::clone(redactor));
            let again = again.map_err(Failure::from_error)?;
            let Some(grown) = looks::next(&plan, look.comparison.looks.as_ref()) else {
                break (Arc::new(again.journal), summary);
            };
            if let Some(left) = failures_left {
                failures_left =
                    NonZeroU64::new(left.get() - (summary.counts.failed - failed).min(left.get()));
                if failures_left.is_none() {
                    summary.because = EndReason::MaxFailures;
                    break (Arc::new(again.journal), summary);
                }
            }
            plan = Arc::new(grown);
            let repeat = plan.repeat;
            let noted = again.journal.grow(Grown { repeat }).await;
            noted.map_err(Failure::from_error)?;
            (journal, recorded) = (again.journal, again.recorded);
        };
        signals.abort();
        journal
            .end(Ended {
                at: Timestamp::now(),
                because: summary.because,
                attempts: summary.counts.recorded(),
                halted: summary.halted.clone(),
                traffic: models.traffic(),
                recording: recording.map(|(recording, of)| recording::used(recording, of)),
                spent: money::spent(models, spent),
            })
            .await
            .map_err(Failure::from_error)?;
        Ok(summary)
    });
    // Nothing is left to do but to close connections, which the process's end does, too. Threads
    // that did it now would take the processor from the report.
    std::mem::forget(runtime);
    summary
}

/// Waits for Ctrl-C, or for SIGTERM where there is one. The first lets the cases in flight
/// finish; the second ends the process: what was counted is in the journal.
async fn listen(cancel: CancellationToken) {
    stop_asked().await;
    warn("stopping: cases in flight finish (once more to stop at once)");
    cancel.cancel();
    stop_asked().await;
    std::process::exit(i32::from(Exit::Interrupted.code()));
}

/// Waits until somebody asks this process to stop; listens from the call on.
#[cfg(unix)]
pub fn stop_asked() -> impl Future<Output = ()> {
    use tokio::signal::unix::{SignalKind, signal};
    let listen = |kind| signal(kind).expect("signals can be listened to");
    let mut interrupt = listen(SignalKind::interrupt());
    let mut terminate = listen(SignalKind::terminate());
    async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    }
}

/// Waits until somebody asks this process to stop.
#[cfg(not(unix))]
pub async fn stop_asked() {
    tokio::signal::ctrl_c()
        .await
        .expect("signals can be listened to");
}

/// The most memory this process has held, as Linux tells it.
pub fn peak_memory_mb() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some((kib * 1024.0 / 1e6 * 10.0).round() / 10.0)
}

fn say_where(talk: &Talk, folder: &Path, summary: &Summary) {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    let goes_on = format!("`mailproof run --resume -e {name}` goes on");
    match (summary.because, &summary.halted) {
        (EndReason::Complete, _) => {}
        (EndReason::Cancelled, _) => say(talk, &format!("stopped: {goes_on}")),
        (EndReason::MaxFailures, _) => {
            say(talk, &format!("stopped after failures: {goes_on}"));
        }
        (EndReason::Halted, halted) => {
            // Why a command failed is said to who wants quiet, too.
            if let Some(halted) = halted {
                warn(&format!("stopped: {}", escape::lines(&halted.reason)));
            }
            say(
                talk,
                &format!(
                    "incomplete: {} attempts are recorded; once that is mended, {goes_on}",
                    summary.counts.recorded()
                ),
            );
        }
    }
    say(talk, &format!("kept in {}", folder.display()));
}
