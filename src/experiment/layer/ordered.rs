//! The attempts of an experiment in the order of its plan.
//!
//! A journal has them in the order they ended. What shows each of them would differ from one
//! run of a plan to the next if it did the same, and could not put the attempts at one item
//! together. So the files are read twice: once to learn where everything stands, and then
//! attempt by attempt, of which one at a time is in memory.

use std::path::Path;

use serde::de::{DeserializeOwned, IgnoredAny};

use super::{LayerError, Line, Scored, Scores, path};
use crate::experiment::grid::Case;
use crate::experiment::journal::{FILE, Lines, Picker};
use crate::experiment::record::{Attempt, Header, Verdict};

/// Where the attempts of an experiment stand, and what reads them.
#[derive(Debug)]
pub struct Ordered {
    /// The journal's, with the judges of the layer in the place of its own.
    pub header: Header,
    /// By variant, then position, then repeat.
    pub places: Vec<Place>,
    pub source: Source,
}

/// Where one attempt stands, and what can be told without looking there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Place {
    pub case: Case,
    pub verdict: Verdict,
    /// Milliseconds.
    pub latency_ms: f64,
    /// Bytes from the beginning of the journal.
    journal: u64,
    /// Bytes from the beginning of the layer, where there is one.
    layer: u64,
}

/// Reads attempts with their scores, in any order.
#[derive(Debug)]
pub struct Source {
    journal: Picker,
    layer: Option<Lines>,
}

impl Ordered {
    /// Finds the attempts of the experiment in `folder`, with the scores of a layer as
    /// [`Scored::open`] has them. What is added to the journal from here on is not among
    /// them.
    ///
    /// # Errors
    /// Those of reading both files to their ends.
    pub fn open(folder: &Path, number: Option<u32>) -> Result<Ordered, LayerError> {
        let mut scored = Scored::open(folder, number)?;
        let mut places = Vec::new();
        while let Some(entry) = scored.next_attempt::<IgnoredAny>()? {
            places.push(Place {
                case: entry.attempt.case.case(),
                verdict: entry.attempt.verdict(),
                latency_ms: entry.attempt.latency_ms,
                journal: entry.offset,
                layer: scored.offset(),
            });
        }
        places.sort_unstable_by_key(|place| place.case);
        let layer = scored.layer().map(|layer| path(folder, layer.number));
        let layer = layer.map(|path| Lines::open(&path)).transpose()?;
        Ok(Ordered {
            header: scored.header().clone(),
            places,
            source: Source {
                journal: Picker::open(&folder.join(FILE))?,
                layer,
            },
        })
    }

    /// The attempts at one item of the plan by one variant, together.
    pub fn items(places: &[Place]) -> impl Iterator<Item = &[Place]> {
        places.chunk_by(|one, other| {
            (one.case.variant, one.case.position) == (other.case.variant, other.case.position)
        })
    }
}

impl Source {
    /// The attempt at `place`, its trajectory read as `R`.
    ///
    /// # Errors
    /// Those of reading; the files were changed since where nothing is there.
    pub fn attempt<R: DeserializeOwned>(
        &mut self,
        place: &Place,
    ) -> Result<Attempt<R>, LayerError> {
        let mut attempt = self.journal.attempt(place.journal)?;
        if let Some(layer) = &mut self.layer {
            match layer.at::<Line<Scores>>(place.layer)? {
                Line::Attempt(scores) => scores.apply(&mut attempt),
                _ => return Err(layer.corrupt("no scores where there were some").into()),
            }
        }
        Ok(attempt)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::experiment::execute::execute;
    use crate::experiment::journal::Reader;
    use crate::experiment::layer::{End, Header as LayerHeader, Scorers, Writer};
    use crate::experiment::tests::{Bench, choices, dataset, redactor, right};
    use crate::run::Run;

    /// In the order of the journal.
    fn attempts(path: &Path) -> Vec<Attempt<Run>> {
        let mut journal = Reader::open(path).unwrap();
        let attempts = journal.attempts();
        attempts.map(|entry| entry.unwrap().attempt).collect()
    }

    /// Writes the attempts of a journal in the opposite order.
    fn turn(path: &Path) {
        let text = fs::read_to_string(path).unwrap();
        let (mut attempts, others): (Vec<&str>, Vec<&str>) = text
            .lines()
            .partition(|line| line.starts_with("{\"attempt\""));
        attempts.reverse();
        assert!(attempts.len() > 2);
        let text = [&others[..], &attempts].concat().join("\n") + "\n";
        fs::write(path, text).unwrap();
    }

    #[tokio::test]
    async fn attempts_are_read_in_the_plan_s_order_whatever_the_journal_s() {
        let bench = Bench::new(&choices(), dataset(3));
        execute(bench.execution(bench.create(), right(), 1))
            .await
            .unwrap();
        let folder = bench.path().parent().unwrap().to_owned();
        turn(&bench.path());
        let mut recorded = attempts(&bench.path());
        let first = recorded[0].case.case();
        recorded.sort_by_key(|attempt| attempt.case.case());
        assert_ne!(recorded[0].case.case(), first);

        let mut ordered = Ordered::open(&folder, None).unwrap();
        assert_eq!(ordered.places.len(), recorded.len());
        for (place, attempt) in ordered.places.iter().zip(&recorded) {
            let read = ordered.source.attempt::<Run>(place).unwrap();
            assert_eq!(read.case, attempt.case);
            assert_eq!(read.runs, attempt.runs);
            assert_eq!(place.verdict, attempt.verdict());
            assert_eq!(place.latency_ms, attempt.latency_ms);
        }
        // In any order, and twice.
        for index in [2, 0, 3, 3] {
            let read = ordered.source.attempt::<Run>(&ordered.places[index]);
            assert_eq!(read.unwrap().case, recorded[index].case);
        }
        let items: Vec<_> = Ordered::items(&ordered.places)
            .map(|item| (item[0].case.variant, item[0].case.position, item.len()))
            .collect();
        let each = u32::try_from(items.len() / 2).unwrap();
        let expected: Vec<_> = (0..2)
            .flat_map(|variant| (0..each).map(move |position| (variant, position)))
            .map(|(variant, position)| (variant, position, recorded.len() / (2 * each as usize)))
            .collect();
        assert_eq!(items, expected);
    }

    #[tokio::test]
    async fn each_attempt_has_its_scores_of_the_layer() {
        let bench = Bench::new(&choices(), dataset(2));
        execute(bench.execution(bench.create(), right(), 1))
            .await
            .unwrap();
        let folder = bench.path().parent().unwrap().to_owned();
        turn(&bench.path());
        let journal = Reader::open(&bench.path()).unwrap();
        let header = LayerHeader {
            format: super::super::FORMAT.into(),
            number: 0,
            experiment: "bench".into(),
            tool_version: "9.9.9".into(),
            created: jiff::Timestamp::UNIX_EPOCH,
            journal: journal.header_hash().into(),
            dataset_hash: journal.header().dataset.hash.clone(),
            scorers: Scorers::Rules,
            judges: Vec::new(),
            judge_models: vec![Vec::new(); 2],
            models: Default::default(),
        };
        let mut layer = Writer::create(&folder, &header, redactor()).unwrap();
        let recorded = attempts(&bench.path());
        for attempt in &recorded {
            let mut scores = Scores::of(attempt);
            scores.feedback[0].comment = Some(format!("of {:?}", attempt.case.case()));
            layer.add(&scores).unwrap();
        }
        let end = End {
            attempts: layer.attempts(),
            spent: None,
        };
        layer.end(end).unwrap();

        let mut ordered = Ordered::open(&folder, None).unwrap();
        for place in &ordered.places {
            let read = ordered.source.attempt::<IgnoredAny>(place).unwrap();
            let comment = read.feedback[0].comment.as_deref();
            assert_eq!(comment, Some(&*format!("of {:?}", place.case)));
        }
        let mut own = Ordered::open(&folder, Some(0)).unwrap();
        let read = own.source.attempt::<IgnoredAny>(&own.places[0]).unwrap();
        assert_eq!(read.feedback[0].comment, None);
    }

    #[tokio::test]
    async fn a_journal_that_was_changed_meanwhile_is_an_error() {
        let bench = Bench::new(&choices(), dataset(2));
        execute(bench.execution(bench.create(), right(), 1))
            .await
            .unwrap();
        let folder = bench.path().parent().unwrap().to_owned();
        let text = fs::read_to_string(bench.path()).unwrap();
        let mut ordered = Ordered::open(&folder, None).unwrap();
        fs::write(bench.path(), format!("\n{text}")).unwrap();
        let place = ordered.places[1];
        let error = ordered.source.attempt::<IgnoredAny>(&place).unwrap_err();
        assert!(error.to_string().contains("no such record"), "{error}");
    }
}
