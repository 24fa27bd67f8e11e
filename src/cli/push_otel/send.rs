//! Where the build has OpenTelemetry.

use std::path::Path;

use tokio::runtime::Runtime;

use super::super::REPORTS;
use super::super::args::{OtelArgs, Talk};
use super::super::config::Config;
use super::super::environment::Environment;
use super::super::exit::{Exit, Failure};
use super::super::talk::{say, warn};
use super::super::{progress, results};
use crate::experiment::ExperimentName;
use crate::otel::export::{ExportError, Exporter};
use crate::otel::push::{PushError, Pushed, push};
use crate::otel::settings::Settings;
use crate::otel::telling::Telling;
use crate::report::escape;

pub fn run(talk: &Talk, args: &OtelArgs) -> Result<Exit, Failure> {
    let name: ExperimentName = args.experiment.parse().map_err(Failure::usage)?;
    let config = Config::read(args.config.as_deref()).map_err(Failure::usage)?;
    let mut reach = args.reach.clone();
    config.reach(&mut reach);
    let environment = reach.environment(&config)?;
    let terms = Terms {
        content: args.content,
        offline: reach.offline,
    };
    let folder = name.folder(Path::new(REPORTS));
    send(talk, &folder, args.layer, &environment, terms)
}

/// What is asked of a push, and forbidden.
#[derive(Clone, Copy, Debug, Default)]
pub struct Terms {
    /// Whether texts are sent too, whatever the environment says.
    pub content: bool,
    /// Whether every server that is not on this machine is refused.
    pub offline: bool,
}

/// Sends the experiment in `folder`, with the scores of a layer.
pub fn send(
    talk: &Talk,
    folder: &Path,
    layer: Option<u32>,
    environment: &Environment,
    terms: Terms,
) -> Result<Exit, Failure> {
    let settings = Settings::read(|name| environment.get(name)).map_err(Failure::usage)?;
    if terms.offline && !settings.endpoint.is_loopback() {
        return Err(Failure::usage(format!(
            "`--offline` allows this machine alone, and `{}` says {}",
            settings.said_by, settings.endpoint
        )));
    }
    let mut scored = results::open(folder, layer)?;
    let header = scored.header().clone();
    if let Some(shard) = &header.shard {
        return Err(Failure::usage(format!(
            "`{}` is shard {} of an experiment: put all of them together with `mailproof merge`, and push what comes of it",
            header.experiment, shard.part
        )));
    }
    let redactor = environment.redactor();
    let resource = settings.resource.clone();
    let telling = Telling {
        header: &header,
        content: settings.content || terms.content,
        resource: &resource,
        redactor: &redactor,
    };
    let exporter = Exporter::new(settings).map_err(Failure::internal)?;
    let runtime = Runtime::new().map_err(Failure::internal)?;
    let bar = progress::bar(talk, header.planned().unwrap_or(0));
    let pushed = runtime.block_on(push(&mut scored, &telling, &exporter, || bar.inc(1)));
    bar.finish_and_clear();
    let endpoint = exporter.endpoint();
    match pushed {
        Ok(pushed) => {
            say(talk, &sent(&pushed, &endpoint));
            Ok(rejected(&pushed))
        }
        Err(PushError::Stopped {
            error,
            pushed,
            left,
        }) => {
            rejected(&pushed);
            let exit = match error {
                ExportError::Denied { .. } => Exit::Usage,
                _ => Exit::Incomplete,
            };
            let message = format!("{error}\n{}", stopped(&pushed, left));
            Err(Failure::incomplete(escape::lines(&message)).ending(exit))
        }
        Err(error @ (PushError::Journal(_) | PushError::Prompt(_))) => {
            Err(Failure::from_error(error))
        }
    }
}

fn sent(pushed: &Pushed, endpoint: &str) -> String {
    format!(
        "sent {} of {} to {endpoint}",
        spans(pushed.spans),
        match pushed.attempts {
            1 => "1 attempt".to_owned(),
            count => format!("{count} attempts"),
        }
    )
}

/// What is left to push, and how.
fn stopped(pushed: &Pushed, left: u64) -> String {
    let taken = match pushed.spans {
        0 => "none was sent".to_owned(),
        1 => "1 was sent".to_owned(),
        count => format!("{count} were sent"),
    };
    format!(
        "  {} left to push; {taken}, and pushing again sends them once more",
        spans(left)
    )
}

/// Says what the collector would not have.
fn rejected(pushed: &Pushed) -> Exit {
    for said in &pushed.said {
        warn(&format!("the collector says: {}", escape::line(said)));
    }
    match pushed.rejected {
        0 => Exit::Ok,
        count => {
            warn(&format!("the collector rejected {}", spans(count)));
            Exit::Incomplete
        }
    }
}

fn spans(count: u64) -> String {
    match count {
        1 => "1 span".to_owned(),
        count => format!("{count} spans"),
    }
}
