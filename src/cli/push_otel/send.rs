//! Where the build has OpenTelemetry.

use std::path::Path;

use super::super::args::Talk;
use super::super::environment::Environment;
use super::super::exit::{Exit, Failure};
use super::super::pull::carry_out;
use super::super::push::is_whole;
use super::super::talk::{say, warn};
use super::super::{progress, results};
use crate::otel::export::{ExportError, Exporter};
use crate::otel::push::{Pushed, Stopped, push};
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
        is_whole(&header)?;
        let telling = Telling {
            header: &header,
            content: self.content,
            resource: &self.resource,
            redactor: &self.redactor,
        };
        let bar = progress::bar(talk, header.planned().unwrap_or(0));
        let work = push(&mut scored, &telling, &self.exporter, || bar.inc(1));
        let pushed = carry_out(work);
        bar.finish_and_clear();
        let Some(pushed) = pushed? else {
            return Ok(Exit::Interrupted);
        };
        match pushed {
            Ok(pushed) => {
                say(talk, &sent(&pushed, &self.exporter.endpoint()));
                Ok(rejected(&pushed))
            }
            Err(stopped) => {
                rejected(&stopped.pushed);
                Err(failure(stopped))
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

/// Why it ended, what is left to push, and how.
fn failure(stopped: Stopped) -> Failure {
    let Stopped {
        unread,
        unsent,
        pushed,
        left,
    } = stopped;
    let exit = match (&unread, &unsent) {
        (Some(_), _) | (_, Some(ExportError::Denied { .. })) => Exit::Usage,
        _ => Exit::Incomplete,
    };
    let left = match (&unread, left) {
        (None, left) => spans(left),
        (Some(_), 0) => "what could not be read is".to_owned(),
        (Some(_), left) => format!("{} and what could not be read are", spans(left)),
    };
    let taken = match pushed.spans {
        0 => "none was sent".to_owned(),
        1 => "1 was sent".to_owned(),
        count => format!("{count} were sent"),
    };
    let why = [
        unread.map(|error| Failure::from_error(error).to_string()),
        unsent.map(|error| error.to_string()),
    ];
    let mut lines: Vec<String> = why.into_iter().flatten().collect();
    lines.push(format!(
        "    {left} left to push; {taken}, and pushing again sends them once more"
    ));
    Failure::incomplete(lines.join("\n")).ending(exit)
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
