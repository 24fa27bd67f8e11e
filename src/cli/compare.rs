//! `mailproof compare`: what became of one experiment's results in another's.

use std::path::PathBuf;

use super::against::{Against, Place, Reference};
use super::args::{CompareArgs, Flips, RuleArgs, Talk};
use super::config::Config;
use super::environment::Environment;
use super::exit::{Exit, Failure};
use super::results::{self, replace};
use super::talk::{self, print, say, warn};
use crate::compare::{
    Besides, Comparison, Journal, Measure, Pairing, Results, Rule, Verdict, Wanted,
};
use crate::experiment::gate::{Figure, Gates, Indecisive};
use crate::redact::Redactor;
use crate::report::{self, compare as render};

pub fn run(talk: &Talk, args: &CompareArgs) -> Result<Exit, Failure> {
    let config = Config::read(args.config.as_deref()).map_err(Failure::usage)?;
    let outputs = outputs(&args.output)?;
    let (against, of_candidate) = (
        Against::parse(&args.reference)?,
        Against::parse(&args.candidate)?,
    );
    let pages: Vec<&Output> = outputs.iter().filter(|it| it.form == Form::Html).collect();
    let folder = match &of_candidate.place {
        Place::Experiment(folder) => Some(folder.as_path()),
        Place::File(_) if pages.is_empty() => None,
        Place::File(path) => {
            return Err(Failure::usage(format!(
                "nothing but scores is kept in `{}`, and a page shows what was done: name an experiment second, or write a .md",
                path.display()
            )));
        }
    };
    let (reference, candidate) = both(against, &of_candidate)?;
    let pairing = Pairing {
        candidate: of_candidate.variant.clone(),
        across: args.across,
        ..reference.pairing()
    };
    let gates = gates(&config);
    let rule = rule(&args.rule, &gates, candidate.facts.seed);
    let mut comparison = reference.compare(&candidate, folder, &pairing, &rule)?;
    if let Place::File(path) = &of_candidate.place {
        comparison.candidate.file = Some(path.display().to_string());
    }
    let redactor = Environment::process().redactor();
    for output in &outputs {
        let Some(text) = output.form.render(&comparison, &redactor) else {
            continue;
        };
        replace(&output.path, &text).map_err(|error| {
            Failure::usage(format!("cannot write `{}`: {error}", output.path.display()))
        })?;
        if talk.verbose {
            say(talk, &format!("wrote {}", output.path.display()));
        }
    }
    if let Some(folder) = folder.filter(|_| !pages.is_empty()) {
        // That of the second experiment's report, held against the first.
        let mut report = results::make(folder, Some(candidate.facts.layer.unwrap_or(0)))?;
        report.compared(comparison.clone(), gates.indecisive_regression());
        for page in pages {
            results::write_page(talk, folder, &report, &page.path, &redactor)?;
        }
    }
    let wanted = wanted(args, &comparison)?;
    let exit = exit(&comparison, gates.indecisive_regression());
    if talk.json || args.example.is_none() {
        show(talk, &comparison, &redactor)?;
    }
    if !talk.json && !wanted.is_empty() {
        let journals = (
            reference.against.journal(&reference.results),
            of_candidate.journal(&candidate),
        );
        beside(talk, &comparison, journals, wanted, &redactor)?;
    }
    Ok(exit)
}

/// Reads both sides at once: what takes long is to parse them.
fn both(against: Against, of_candidate: &Against) -> Result<(Reference, Results), Failure> {
    let (results, candidate) = std::thread::scope(|scope| {
        let reference = scope.spawn(|| against.read(None));
        let candidate = of_candidate.read(None);
        (reference.join().expect("reading does not panic"), candidate)
    });
    let results = results?;
    Ok((Reference { against, results }, candidate?))
}

/// The examples that are to be shown.
fn wanted(args: &CompareArgs, comparison: &Comparison) -> Result<Vec<Wanted>, Failure> {
    match (&args.example, args.flips) {
        (Some(id), _) => Ok(comparison.wanted_example(id)),
        (None, Some(flips)) => Ok(comparison.wanted_flips(Flips::most(flips))),
        (None, None) => Ok(Vec::new()),
    }
}

/// Prints examples side by side, one at a time.
fn beside(
    talk: &Talk,
    comparison: &Comparison,
    (reference, candidate): (Option<Journal>, Option<Journal>),
    wanted: Vec<Wanted>,
    redactor: &Redactor,
) -> Result<(), Failure> {
    let Some(candidate) = candidate else {
        warn(
            "nothing of the second is kept but a file of scores: there are no trajectories to show",
        );
        return Ok(());
    };
    if reference.is_none() {
        warn("nothing of the reference is kept but a file of scores: what it did is not shown");
    }
    let mut shown = 0u64;
    for beside in Besides::find(reference.as_ref(), &candidate, wanted)? {
        let beside = beside?;
        if beside.reference.is_none() && beside.candidate.is_none() {
            continue;
        }
        shown += 1;
        let options = render::BesideOptions {
            reference: &comparison.reference.experiment,
            candidate: &comparison.candidate.experiment,
            width: talk::width(),
            color: talk::color(talk),
        };
        let text = render::beside(&beside, options);
        print(&redactor.text(&text))?;
    }
    match shown {
        0 => Err(Failure::usage(
            "neither side has an attempt at that example: `mailproof compare A B --json` names those that changed",
        )),
        _ => Ok(()),
    }
}

/// What counts as worse: what the flags say, else what results are held to anyway.
pub fn rule(asked: &RuleArgs, gates: &Gates, seed: u64) -> Rule {
    let held = gates.regression();
    let measures = held.keys.iter().filter_map(|key| match key {
        Figure::PassRate => Some(Measure::PassRate),
        Figure::Key(key) => Some(Measure::Key(*key)),
        // Refused where they are read: no two experiments have pairs of them.
        _ => None,
    });
    Rule {
        margin: asked.margin.unwrap_or(held.margin),
        alpha: asked.alpha.unwrap_or(held.alpha),
        gates: match &asked.key[..] {
            [] => measures.collect(),
            keys => keys.to_vec(),
        },
        seed,
    }
}

/// What results are held to where nothing but a configuration says it.
pub fn gates(config: &Config) -> Gates {
    config.gates(&[], Gates::default())
}

fn exit(comparison: &Comparison, indecisive: Indecisive) -> Exit {
    match (comparison.verdict, indecisive) {
        (Verdict::Worse, _) => Exit::Regression,
        (Verdict::CannotTell, Indecisive::Exit) => Exit::Indecisive,
        (Verdict::CannotTell, Indecisive::Fail) => Exit::GateFailed,
        (Verdict::CannotTell, Indecisive::Pass) | (Verdict::Better | Verdict::Equivalent, _) => {
            Exit::Ok
        }
    }
}

/// Prints the comparison: JSON where asked for, else laid out for the terminal.
pub fn show(talk: &Talk, comparison: &Comparison, redactor: &Redactor) -> Result<(), Failure> {
    if talk.json {
        return print(&json(comparison, redactor));
    }
    let text = report::comparison_terminal(comparison, talk::width(), talk::color(talk));
    print(&redactor.text(&text))
}

/// The forms a comparison can be written in, by the file's extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Json,
    Markdown,
    Html,
}

impl Form {
    /// As text; `None` where it takes more than the comparison.
    fn render(self, comparison: &Comparison, redactor: &Redactor) -> Option<String> {
        match self {
            Form::Json => Some(json(comparison, redactor)),
            Form::Markdown => {
                let text = report::comparison_markdown(comparison);
                Some(redactor.text(&text).into_owned())
            }
            Form::Html => None,
        }
    }
}

fn json(comparison: &Comparison, redactor: &Redactor) -> String {
    redactor.json(&render::json(comparison)).into_owned()
}

struct Output {
    path: PathBuf,
    form: Form,
}

/// Where else the comparison goes. Parsed first, so that a mistake costs nothing.
fn outputs(paths: &[PathBuf]) -> Result<Vec<Output>, Failure> {
    let parse = |path: &PathBuf| {
        let extension = path.extension().unwrap_or_default().to_ascii_lowercase();
        let form = match extension.to_str() {
            Some("json") => Form::Json,
            Some("md") => Form::Markdown,
            Some("html") => Form::Html,
            _ => {
                return Err(Failure::usage(format!(
                    "cannot tell the format of `{}`: end it in .json, .md, or .html",
                    path.display()
                )));
            }
        };
        Ok(Output {
            path: path.clone(),
            form,
        })
    };
    paths.iter().map(parse).collect()
}
