//! Where the build has OpenTelemetry.

use std::path::Path;

use tokio::runtime::Runtime;

use super::super::args::Talk;
use super::super::environment::Environment;
use super::super::exit::{Exit, Failure};
use super::super::talk::{say, warn};
use super::super::{progress, results};
use crate::otel::export::{ExportError, Exporter};
use crate::otel::push::{PushError, Pushed, push};
use crate::otel::settings::Settings;
use crate::otel::telling::Telling;
use crate::redact::Redactor;
use crate::report::escape;

/// A collector that spans are to be sent to.
pub struct Spans {
    exporter: Exporter,
    /// Whether texts are sent too.
    content: bool,
    /// What is to stand on every resource.
    resource: Vec<(String, String)>,
    redactor: Redactor,
}

impl Spans {
    /// Nothing is sent yet. `content` asks for texts, whatever the environment says.
    ///
    /// # Errors
    /// A variable is wrong, or `offline` forbids the collector.
    pub fn prepare(
        environment: &Environment,
        content: bool,
        offline: bool,
    ) -> Result<Spans, Failure> {
        let settings = Settings::read(|name| environment.get(name)).map_err(Failure::usage)?;
        if offline && !settings.endpoint.is_loopback() {
            return Err(Failure::usage(format!(
                "`--offline` allows this machine alone, and `{}` says {}",
                settings.said_by, settings.endpoint
            )));
        }
        Ok(Spans {
            content: content || settings.content,
            resource: settings.resource.clone(),
            redactor: environment.redactor(),
            exporter: Exporter::new(settings).map_err(Failure::internal)?,
        })
    }

    /// Sends the experiment in `folder`, with the scores of a layer.
    pub fn push(&self, talk: &Talk, folder: &Path, layer: Option<u32>) -> Result<Exit, Failure> {
        let mut scored = results::open(folder, layer)?;
        let header = scored.header().clone();
        if let Some(shard) = &header.shard {
            return Err(Failure::usage(format!(
                "`{}` is shard {} of an experiment: put all of them together with `mailproof merge`, and push what comes of it",
                escape::line(&header.experiment),
                shard.part
            )));
        }
        let telling = Telling {
            header: &header,
            content: self.content,
            resource: &self.resource,
            redactor: &self.redactor,
        };
        let runtime = Runtime::new().map_err(Failure::internal)?;
        let bar = progress::bar(talk, header.planned().unwrap_or(0));
        let work = push(&mut scored, &telling, &self.exporter, || bar.inc(1));
        let pushed = runtime.block_on(work);
        bar.finish_and_clear();
        match pushed {
            Ok(pushed) => {
                say(talk, &sent(&pushed, &self.exporter.endpoint()));
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
                let error = escape::lines(&error.to_string());
                let message = format!("{error}\n  {}", stopped(&pushed, left));
                Err(Failure::incomplete(message).ending(exit))
            }
            Err(error @ (PushError::Journal(_) | PushError::Prompt(_))) => {
                Err(Failure::from_error(error))
            }
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
