//! What results are compared with: an experiment, or a reference kept in a file.

use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::REPORTS;
use super::args::RuleArgs;
use super::compare::rule;
use super::exit::{Exit, Failure};
use super::looks;
use super::talk::warn;
use crate::compare::{
    CompareError, Comparison, Even, Journal, Pairing, ReadError, ReferenceError, Results, Rule,
    Side, TooFewAttempts, check_attempts, compare,
};
use crate::dataset::Dataset;
use crate::experiment::gate::Gates;
use crate::experiment::journal::{FILE, Reader};
use crate::experiment::{ExperimentName, Plan};
use crate::report::{Report, escape};

/// One side of a comparison, as it was named: `EXPERIMENT`, `EXPERIMENT/VARIANT`, `FILE`, or
/// `FILE#VARIANT`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Against {
    pub place: Place,
    pub variant: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// The experiment's folder.
    Experiment(PathBuf),
    /// A reference file.
    File(PathBuf),
}

impl Against {
    /// A file that exists is the file; everything else is an experiment.
    ///
    /// # Errors
    /// It can be neither.
    pub fn parse(text: &str) -> Result<Against, Failure> {
        let file = |path: &str| {
            let path = Path::new(path);
            path.is_file().then(|| Place::File(path.to_owned()))
        };
        if let Some(place) = file(text) {
            return Ok(Against {
                place,
                variant: None,
            });
        }
        if let Some((path, variant)) = text.split_once('#')
            && let Some(place) = file(path)
        {
            return Ok(Against {
                place,
                variant: Some(variant.to_owned()),
            });
        }
        // A variant's name may hold a slash (`workflow@openrouter:a/b`), an experiment's not.
        let (name, variant) = match text.split_once('/') {
            Some((name, variant)) => (name, Some(variant.to_owned())),
            None => (text, None),
        };
        let is_path = text.ends_with(".jsonl") || text.starts_with(['.', '/']);
        let name: ExperimentName = match name.parse() {
            Ok(name) if !is_path => name,
            _ => {
                return Err(Failure::usage(format!(
                    "`{text}` is no file, and names no experiment: `mailproof list` shows those that exist, and `mailproof reference set` makes a file"
                )));
            }
        };
        Ok(Against {
            place: Place::Experiment(name.folder(Path::new(REPORTS))),
            variant,
        })
    }

    /// What it came to. Of an experiment, with the scores of a layer: 0 for the run's own,
    /// `None` for the newest.
    ///
    /// # Errors
    /// Those of reading.
    pub fn read(&self, layer: Option<u32>) -> Result<Results, Failure> {
        match &self.place {
            Place::Experiment(folder) => Ok(Results::read(folder, layer)?),
            Place::File(path) => Ok(Results::read_reference(path)?),
        }
    }

    /// Where its trajectories are. Those of a reference file are where its experiment was run,
    /// if that was here.
    pub fn journal(&self, results: &Results) -> Option<Journal> {
        let facts = &results.facts;
        let layer = Some(facts.layer.unwrap_or(0));
        match &self.place {
            Place::Experiment(folder) => Some(Journal {
                folder: folder.clone(),
                layer,
            }),
            Place::File(_) => kept(&facts.experiment, facts.created, layer),
        }
    }

    fn folder(&self) -> Option<&Path> {
        match &self.place {
            Place::Experiment(folder) => Some(folder),
            Place::File(_) => None,
        }
    }

    fn file(&self) -> Option<String> {
        match &self.place {
            Place::Experiment(_) => None,
            Place::File(path) => Some(path.display().to_string()),
        }
    }
}

/// Where the trajectories of one side of a comparison are, if they are here.
pub fn journal(side: &Side) -> Option<Journal> {
    kept(
        &side.experiment,
        side.created,
        Some(side.layer.unwrap_or(0)),
    )
}

fn kept(experiment: &str, created: Timestamp, layer: Option<u32>) -> Option<Journal> {
    let name: ExperimentName = experiment.parse().ok()?;
    let folder = name.folder(Path::new(REPORTS));
    let reader = Reader::open(&folder.join(FILE)).ok()?;
    // Another may have been run under the same name since.
    let is_it = reader.header().created == created;
    is_it.then_some(Journal { folder, layer })
}

/// The reference of a command, read before anything else is done.
#[derive(Debug)]
pub struct Reference {
    pub against: Against,
    pub results: Results,
}

impl Reference {
    /// # Errors
    /// Those of [`Against::parse`] and [`Against::read`].
    pub fn read(text: &str) -> Result<Reference, Failure> {
        let against = Against::parse(text)?;
        let results = against.read(None)?;
        Ok(Reference { against, results })
    }

    /// With every variant of what is compared with it.
    pub fn pairing(&self) -> Pairing {
        Pairing {
            reference: self.against.variant.clone(),
            ..Pairing::default()
        }
    }

    /// Finds before it runs why a plan could not be compared.
    ///
    /// # Errors
    /// [`CompareError`].
    pub fn check(&self, plan: &Plan, dataset: &Dataset) -> Result<(), Failure> {
        const PLANNED: &str = "this run";
        let pairing = self.pairing();
        let variants: Vec<String> = plan.variants.iter().map(|it| it.name.clone()).collect();
        let known = self.results.names();
        let pairs = pairing.names(
            (&self.results.facts.experiment, &known),
            (PLANNED, &variants),
        )?;
        pairing.check_judges(&self.results.facts, &plan.judges)?;
        let ids: Vec<&str> = (0..plan.items().count() as u32)
            .map(|position| plan.item(position, dataset).id())
            .collect();
        self.results.check_shared(PLANNED, ids.iter().copied())?;
        if let Some(looks) = &plan.looks {
            let paired: Vec<usize> = pairs.into_iter().map(|(was, _)| was).collect();
            check_attempts(&self.results, &paired, ids.into_iter(), looks.most)?;
        }
        Ok(())
    }

    /// Compares the experiment of a report, and has its gate say what that means. What was
    /// stopped before it got to anything that can be compared leaves it undecided.
    ///
    /// # Errors
    /// Those of reading the experiment in `folder` with the scores of `layer`.
    pub fn judge(
        &self,
        report: &mut Report,
        folder: &Path,
        layer: Option<u32>,
        gates: &Gates,
    ) -> Result<Exit, Failure> {
        let candidate = Results::read(folder, layer)?;
        let rule = rule(&RuleArgs::default(), gates, candidate.facts.seed);
        match self.compare(&candidate, Some(folder), &self.pairing(), &rule) {
            Ok(comparison) => {
                report.compared(comparison, gates.indecisive_regression());
                Ok(Exit::Ok)
            }
            Err(failure) if candidate.facts.complete => Err(failure),
            Err(failure) => {
                warn(&format!("not compared: {failure}"));
                Ok(Exit::Indecisive)
            }
        }
    }

    /// What became of `candidate`, which is the experiment in `folder` where it is one. What was
    /// decided by looks stays decided by them.
    ///
    /// # Errors
    /// [`CompareError`], and those of reading what looks were taken at.
    pub fn compare(
        &self,
        candidate: &Results,
        folder: Option<&Path>,
        pairing: &Pairing,
        rule: &Rule,
    ) -> Result<Comparison, Failure> {
        if let Some(folder) = folder
            && let Some(comparison) = self.compare_in_looks(candidate, folder, pairing, rule)?
        {
            return Ok(comparison);
        }
        let mut comparison = match Even::of(&self.results, candidate, pairing)? {
            None => compare(&self.results, candidate, pairing, rule)?,
            Some(even) => {
                let reference = even_results(&even, &self.results, self.against.folder(), rule)?;
                let candidate = even_results(&even, candidate, folder, rule)?;
                compare(&reference, &candidate, pairing, rule)?
            }
        };
        comparison.reference.file = self.against.file();
        Ok(comparison)
    }

    /// By the looks that were taken in comparison with it; `None` where there were none, or not
    /// at all of these variants.
    fn compare_in_looks(
        &self,
        candidate: &Results,
        folder: &Path,
        pairing: &Pairing,
        rule: &Rule,
    ) -> Result<Option<Comparison>, Failure> {
        let layer = candidate.facts.layer.unwrap_or(0);
        let Some(looking) = looks::of(folder, self, layer)? else {
            return Ok(None);
        };
        let (references, candidates) = (self.results.names(), candidate.names());
        let wanted = pairing.names(
            (&self.results.facts.experiment, &references),
            (&candidate.facts.experiment, &candidates),
        )?;
        let names = |(was, is): (usize, usize)| (references[was].clone(), candidates[is].clone());
        let wanted: Vec<(String, String)> = wanted.into_iter().map(names).collect();
        let taken = looking.take(folder, Some(layer), pairing.across)?;
        let mut comparison = taken.comparison;
        if !comparison.keep(&wanted) {
            return Ok(None);
        }
        if looking.rule() != rule {
            let planned = looking.rule();
            warn(&format!(
                "the looks keep what they were planned with: a margin of {}, an alpha of {}, and what decided then",
                planned.margin, planned.alpha
            ));
        }
        Ok(Some(comparison))
    }
}

/// As many attempts as both sides have, of the experiment in `folder` or of a reference file.
fn even_results(
    even: &Even,
    results: &Results,
    folder: Option<&Path>,
    rule: &Rule,
) -> Result<Results, Failure> {
    match folder {
        Some(folder) => {
            let layer = Some(results.facts.layer.unwrap_or(0));
            Ok(Results::read_even(folder, layer, even)?)
        }
        None => Ok(even.draw(results, rule.seed)),
    }
}

/// What stands in journals and files may be anybody's, and is said on a terminal.
fn told(error: impl std::error::Error) -> Failure {
    Failure::usage(escape::lines(&Failure::from_error(error).to_string()))
}

impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Failure {
        told(error)
    }
}

impl From<CompareError> for Failure {
    fn from(error: CompareError) -> Failure {
        told(error)
    }
}

impl From<TooFewAttempts> for Failure {
    fn from(error: TooFewAttempts) -> Failure {
        told(error)
    }
}

impl From<ReferenceError> for Failure {
    fn from(error: ReferenceError) -> Failure {
        let exit = match &error {
            ReferenceError::Incomplete { .. } => Exit::Incomplete,
            _ => Exit::Usage,
        };
        told(error).ending(exit)
    }
}
