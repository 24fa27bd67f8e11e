//! From a journal to the files and the page that people read.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use serde::de::{DeserializeOwned, IgnoredAny};

use super::REPORTS;
use super::against;
use super::args::Talk;
use super::ci::{self, Origins};
use super::exit::{Exit, Failure};
use super::history;
use super::talk::{self, print, say, warn};
use crate::compare::{Besides, Journal};
use crate::experiment::gate::Deeds;
use crate::experiment::journal;
use crate::experiment::layer::{LayerError, Ordered, Scored};
use crate::experiment::{Attempt, ExperimentName, Header};
use crate::redact::Redactor;
use crate::report::html::{self, Page, Survey};
use crate::report::{self, Environment, Fold, FormError, Gate, GateVerdict, LayerReport, Report};
use crate::run::Run;

/// The forms a report can be written in, by the file's extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Json,
    Markdown,
    Svg,
    Html,
    Comment,
    Junit,
    Csv,
    CodeQuality,
}

impl Form {
    fn of(path: &Path) -> Option<Form> {
        let name = path.file_name()?.to_str()?.to_ascii_lowercase();
        // The longer ending wins over the one within it.
        let endings = [
            (".codequality.json", Form::CodeQuality),
            (".comment.md", Form::Comment),
            (".junit.xml", Form::Junit),
            (".json", Form::Json),
            (".md", Form::Markdown),
            (".svg", Form::Svg),
            (".html", Form::Html),
            (".csv", Form::Csv),
        ];
        let ends = |(ending, _): &(&str, Form)| name.len() > ending.len() && name.ends_with(ending);
        endings.into_iter().find(ends).map(|(_, form)| form)
    }

    fn write(self, source: &mut Shown<'_>, out: &mut dyn Write) -> Result<(), FormError> {
        let (report, redactor) = (source.report, source.redactor);
        match self {
            Form::Json => write!(out, "{}", json(report, redactor))?,
            Form::Markdown => write!(out, "{}", markdown(report, redactor))?,
            Form::Svg => write!(out, "{}", redactor.text(&report::svg(report)))?,
            Form::Html => page(source.folder, report, redactor, out)?,
            Form::Comment => {
                let markdown = markdown(report, redactor);
                write!(out, "{}", report::github::comment(&markdown, report))?;
            }
            Form::Junit => report::junit::write(report, source.attempts()?, redactor, out)?,
            Form::Csv => report::csv::write(report, source.attempts()?, redactor, out)?,
            Form::CodeQuality => {
                let origins = Origins::of(report);
                let locate = |id: Option<&str>| origins.place(id);
                report::gitlab::write(report, source.attempts()?, &locate, redactor, out)?;
            }
        }
        Ok(())
    }
}

fn json(report: &Report, redactor: &Redactor) -> String {
    redactor.json(&report::json(report)).into_owned()
}

fn markdown(report: &Report, redactor: &Redactor) -> String {
    redactor.text(&report::markdown(report)).into_owned()
}

/// What is shown of an experiment: its report, and its attempts where a form asks for them.
struct Shown<'a> {
    folder: &'a Path,
    report: &'a Report,
    redactor: &'a Redactor,
    attempts: Option<Ordered>,
}

impl<'a> Shown<'a> {
    fn of(folder: &'a Path, report: &'a Report, redactor: &'a Redactor) -> Shown<'a> {
        Shown {
            folder,
            report,
            redactor,
            attempts: None,
        }
    }

    fn put(&mut self, talk: &Talk, path: &Path, form: Form) -> Result<(), Failure> {
        let write = |file: &mut BufWriter<File>| form.write(self, file);
        replace_with(path, write).map_err(|error| {
            Failure::usage(format!("cannot write `{}`: {error}", path.display()))
        })?;
        if talk.verbose {
            say(talk, &format!("wrote {}", path.display()));
        }
        Ok(())
    }

    fn attempts(&mut self) -> Result<&mut Ordered, LayerError> {
        if self.attempts.is_none() {
            let layer = self.report.environment.layer.as_ref();
            let number = layer.map_or(0, |layer| layer.number);
            self.attempts = Some(Ordered::open(self.folder, Some(number))?);
        }
        Ok(self.attempts.as_mut().expect("just opened"))
    }
}

/// The page, of the scores that `report` shows. The journal is read twice: what is worth
/// showing is known only after all of it was seen.
fn page(
    folder: &Path,
    report: &Report,
    redactor: &Redactor,
    out: &mut dyn Write,
) -> Result<(), FormError> {
    let layer = report.environment.layer.as_ref();
    let layer = Some(layer.map_or(0, |layer| layer.number));
    let mut survey = Survey::default();
    let mut scored = Scored::open(folder, layer)?;
    while let Some(entry) = scored.next_attempt::<IgnoredAny>()? {
        survey.push(&entry.attempt);
    }
    let earlier = history::earlier(folder, report).map_err(LayerError::Journal)?;
    let mut page = Page::new(report, survey, earlier.as_ref(), redactor);
    if let Some(comparison) = &report.comparison
        && let Some(reference) = against::journal(&comparison.reference)
    {
        let candidate = Journal {
            folder: folder.to_owned(),
            layer,
        };
        for beside in Besides::find(Some(&reference), &candidate, html::wanted(comparison))? {
            page.flip(&beside?);
        }
    }
    let mut scored = Scored::open(folder, layer)?;
    while let Some(entry) = scored.next_attempt::<Run>()? {
        page.push(&entry.attempt);
    }
    page.write(out)?;
    Ok(())
}

/// Where else the report goes. Parsed before anything runs, so that a mistake costs nothing.
#[derive(Debug, Default)]
pub struct Outputs(Vec<(PathBuf, Form)>);

impl Outputs {
    /// Adds a page to click through.
    pub fn extend(&mut self, pages: impl IntoIterator<Item = PathBuf>) {
        let pages = pages.into_iter().map(|page| (page, Form::Html));
        self.0.extend(pages);
    }

    pub fn parse(paths: &[PathBuf]) -> Result<Outputs, Failure> {
        let parse = |path: &PathBuf| match Form::of(path) {
            Some(form) => Ok((path.clone(), form)),
            None => Err(Failure::usage(format!(
                "cannot tell the format of `{}`: end it in .json, .md, .html, .svg, .junit.xml, .csv, .codequality.json, or .comment.md",
                path.display()
            ))),
        };
        paths
            .iter()
            .map(parse)
            .collect::<Result<_, _>>()
            .map(Outputs)
    }
}

/// The folder of the experiment called `name`, or of the newest one.
pub fn folder(name: Option<&str>) -> Result<PathBuf, Failure> {
    let reports = Path::new(REPORTS);
    match name {
        Some(name) => {
            let name: ExperimentName = name.parse().map_err(Failure::usage)?;
            Ok(name.folder(reports))
        }
        None => {
            let newest = journal::newest(reports).map_err(Failure::from_error)?;
            let newest = newest.ok_or_else(|| {
                Failure::usage("no experiments in ./reports yet: `mailproof run` makes one")
            })?;
            Ok(reports.join(newest.name))
        }
    }
}

/// Reads the journal in `folder`, one attempt in memory at a time, with the scores of a
/// layer: 0 for the run's own, `None` for the newest.
pub fn make(folder: &Path, layer: Option<u32>) -> Result<Report, Failure> {
    held(folder, layer, |_| Ok(()))
}

/// The same with the newest scores, of an experiment that is shown beside another: nothing is
/// said of layers that are passed over.
pub fn make_quietly(folder: &Path) -> Result<Report, Failure> {
    let scored = Scored::open(folder, None).map_err(Failure::from_error)?;
    let mut making = Making::of(scored, |_| Ok(()))?;
    making.read()?;
    Ok(making.finish())
}

/// The same, of results that `hold` holds to something else.
pub fn held(
    folder: &Path,
    layer: Option<u32>,
    hold: impl FnOnce(&mut Header) -> Result<(), Failure>,
) -> Result<Report, Failure> {
    let mut making = Making::begin(folder, layer, hold)?;
    making.read()?;
    Ok(making.finish())
}

/// A report on its way.
struct Making {
    scored: Scored,
    fold: Fold,
}

impl Making {
    fn begin(
        folder: &Path,
        layer: Option<u32>,
        hold: impl FnOnce(&mut Header) -> Result<(), Failure>,
    ) -> Result<Making, Failure> {
        Making::of(open(folder, layer)?, hold)
    }

    fn of(
        scored: Scored,
        hold: impl FnOnce(&mut Header) -> Result<(), Failure>,
    ) -> Result<Making, Failure> {
        let mut header = scored.header().clone();
        hold(&mut header)?;
        let fold = Fold::new(header);
        Ok(Making { scored, fold })
    }

    /// Takes in what stands in the journal by now; what was done only where a gate forbids
    /// something.
    fn read(&mut self) -> Result<(), Failure> {
        if self.fold.looks_at_deeds() {
            while let Some(attempt) = self.next::<Deeds>()? {
                self.fold.watch(&attempt);
                self.fold.push(&attempt).map_err(Failure::usage)?;
            }
        } else {
            while let Some(attempt) = self.next::<IgnoredAny>()? {
                self.fold.push(&attempt).map_err(Failure::usage)?;
            }
        }
        Ok(())
    }

    fn next<R: DeserializeOwned>(&mut self) -> Result<Option<Attempt<R>>, Failure> {
        let entry = self.scored.next_attempt().map_err(Failure::from_error)?;
        Ok(entry.map(|entry| entry.attempt))
    }

    fn finish(self) -> Report {
        let Making { scored, fold } = self;
        let journal = scored.journal();
        let (sessions, ended) = (journal.sessions(), journal.ended());
        let mut environment = Environment::new(scored.header(), sessions, ended, journal.ledger());
        let layer = scored.layer();
        environment.layer = layer.map(|header| LayerReport::new(header, scored.end()));
        fold.finish(scored.canaries(), environment)
    }
}

/// The scores of a run itself.
pub const RUN: Option<u32> = Some(0);

/// How often a journal that grows is read on.
const READ_ON_AFTER: Duration = Duration::from_millis(25);

/// Reads a journal while it is written, so that little is left to read at the run's end.
pub struct Following<'a> {
    folder: &'a Path,
    thread: JoinHandle<Result<Making, Failure>>,
    /// Dropped when nothing more is written.
    written: Sender<()>,
}

impl Following<'_> {
    /// Follows the journal in `folder`, which has its header.
    pub fn start(folder: &Path) -> Following<'_> {
        let (written, ended) = mpsc::channel();
        let path = folder.to_owned();
        let thread = thread::spawn(move || {
            let goes_on = || ended.recv_timeout(READ_ON_AFTER) == Err(RecvTimeoutError::Timeout);
            // The first requests are sent meanwhile.
            let mut more = goes_on();
            let mut making = Making::begin(&path, RUN, |_| Ok(()))?;
            while more {
                making.read()?;
                more = goes_on();
            }
            making.read()?;
            Ok(making)
        });
        Following {
            folder,
            thread,
            written,
        }
    }

    /// The report of the whole journal, now that it is written.
    pub fn finish(self) -> Result<Report, Failure> {
        drop(self.written);
        match self.thread.join().expect("reading does not panic") {
            Ok(making) => Ok(making.finish()),
            // Where a file cannot be read while another holds its lock, it can be now. What
            // else is wrong is still wrong.
            Err(_) => make(self.folder, RUN),
        }
    }
}

/// Opens the attempts of the experiment in `folder` with the scores of a layer, as [`make`]
/// has them; says which layers are passed over.
pub fn open(folder: &Path, layer: Option<u32>) -> Result<Scored, Failure> {
    let scored = Scored::open(folder, layer).map_err(Failure::from_error)?;
    for number in scored.unfinished() {
        warn(&format!(
            "layer {number} is not complete and not shown: it is being made, or that was interrupted (`mailproof rescore` makes a new one)"
        ));
    }
    Ok(scored)
}

/// Writes the report beside its journal, and wherever else it was asked for.
pub fn write(
    talk: &Talk,
    folder: &Path,
    report: &Report,
    outputs: &Outputs,
    redactor: &Redactor,
) -> Result<(), Failure> {
    let standard = [
        ("report.json", Form::Json),
        ("report.md", Form::Markdown),
        ("report.svg", Form::Svg),
    ];
    let beside = standard.map(|(name, form)| (folder.join(name), form));
    let mut source = Shown::of(folder, report, redactor);
    for (path, form) in beside.iter().chain(&outputs.0) {
        source.put(talk, path, *form)?;
    }
    Ok(())
}

/// Writes the page of a report, and nothing else.
pub fn write_page(
    talk: &Talk,
    folder: &Path,
    report: &Report,
    path: &Path,
    redactor: &Redactor,
) -> Result<(), Failure> {
    Shown::of(folder, report, redactor).put(talk, path, Form::Html)
}

/// Replaces a file in one step: a reader meets the old text or the new one.
pub fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    replace_with(path, |file| file.write_all(text.as_bytes()))
}

/// The same, of what `write` writes.
fn replace_with<E: From<std::io::Error>>(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<File>) -> Result<(), E>,
) -> Result<(), E> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let beside = path.with_file_name(format!(".{name}.{}.tmp", std::process::id()));
    let make = || {
        let mut file = BufWriter::with_capacity(256 * 1024, File::create(&beside)?);
        write(&mut file)?;
        file.flush()?;
        Ok(fs::rename(&beside, path)?)
    };
    let written = make();
    if written.is_err() {
        // The first error says what went wrong; a left-over file is the lesser evil.
        let _ = fs::remove_file(&beside);
    }
    written
}

/// Prints the report: JSON where asked for, else laid out for the terminal. Tells a pipeline
/// that listens, unless quiet is wanted.
pub fn show(talk: &Talk, report: &Report, redactor: &Redactor) -> Result<(), Failure> {
    if talk.json {
        print(&json(report, redactor))?;
    } else {
        let text = report::terminal(report, talk::width(), talk::color(talk));
        print(&redactor.text(&text))?;
    }
    if !talk.quiet {
        ci::announce(report, redactor);
    }
    Ok(())
}

/// What the report's verdict alone makes the command end with.
pub fn exit(report: &Report) -> Exit {
    of_gate(&report.gate)
}

/// What a gate alone makes the command end with.
pub fn of_gate(gate: &Gate) -> Exit {
    match gate.verdict {
        GateVerdict::Fail if gate.regressed() => Exit::Regression,
        GateVerdict::Fail => Exit::GateFailed,
        GateVerdict::Indecisive => Exit::Indecisive,
        GateVerdict::Pass | GateVerdict::None => Exit::Ok,
    }
}
