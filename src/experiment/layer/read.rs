//! Reads a journal and a layer side by side.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use serde::de::{DeserializeOwned, IgnoredAny};

use super::{End, FORMAT, Header, LayerError, Line, Scores, list, path};
use crate::experiment::journal::{self, Entry, FILE, JournalError, Lines};
use crate::experiment::record;
use crate::judge::canary::Canaries;
use crate::run::ModelRole;

/// The attempts of an experiment with the scores of one layer, one in memory at a time.
#[derive(Debug)]
pub struct Scored {
    journal: journal::Reader,
    header: record::Header,
    layer: Option<Layer>,
    unfinished: Vec<u32>,
}

/// A layer being read.
#[derive(Debug)]
struct Layer {
    lines: Lines,
    header: Header,
    canaries: Vec<Canaries>,
    end: Option<End>,
    attempts: u64,
    /// Where the scores read last stand, in bytes from the beginning of the file.
    offset: u64,
}

impl Scored {
    /// Opens the experiment in `folder` with the scores of a layer: 0 for those of the run
    /// itself, `None` for the newest that is complete.
    ///
    /// # Errors
    /// [`LayerError`]; no layer is shown in the place of the one asked for.
    pub fn open(folder: &Path, number: Option<u32>) -> Result<Scored, LayerError> {
        let journal = journal::Reader::open(&folder.join(FILE))?;
        let known = list(folder)?;
        let mut unfinished = Vec::new();
        let number = match number {
            Some(number) => Some(number).filter(|number| *number > 0),
            None => {
                let mut newest = None;
                for &number in known.iter().rev() {
                    if is_complete(&path(folder, number))? {
                        newest = Some(number);
                        break;
                    }
                    unfinished.push(number);
                }
                newest
            }
        };
        let mut header = journal.header().clone();
        let mut layer = None;
        if let Some(number) = number {
            if !known.contains(&number) {
                return Err(LayerError::Missing {
                    folder: folder.to_owned(),
                    number,
                    known,
                });
            }
            let opened = Layer::open(&path(folder, number), &journal)?;
            opened.change(&mut header);
            layer = Some(opened);
        }
        Ok(Scored {
            journal,
            header,
            layer,
            unfinished,
        })
    }

    /// The journal's, with the judges of the layer in the place of its own.
    pub fn header(&self) -> &record::Header {
        &self.header
    }

    /// The layer that is shown; `None` where the scores are those of the run.
    pub fn layer(&self) -> Option<&Header> {
        self.layer.as_ref().map(|layer| &layer.header)
    }

    /// How the layer ended, once all of it was read.
    pub fn end(&self) -> Option<&End> {
        self.layer.as_ref()?.end.as_ref()
    }

    /// Newer layers than the one shown that were passed over, because they are not complete.
    pub fn unfinished(&self) -> &[u32] {
        &self.unfinished
    }

    /// The journal as far as it was read.
    pub fn journal(&self) -> &journal::Reader {
        &self.journal
    }

    /// What became of the canaries of the judges, as far as was read.
    pub fn canaries(&self) -> &[Canaries] {
        match &self.layer {
            Some(layer) if layer.header.scorers.judges() => &layer.canaries,
            _ => self.journal.canaries(),
        }
    }

    /// Where the scores of the layer stand that were read last: bytes from the beginning of
    /// its file. 0 where there is no layer.
    pub(super) fn offset(&self) -> u64 {
        self.layer.as_ref().map_or(0, |layer| layer.offset)
    }

    /// The next attempt with its scores; `None` at the end of both files.
    ///
    /// # Errors
    /// [`LayerError`], among others where the two files do not have the same attempts in the
    /// same order.
    pub fn next_attempt<R: DeserializeOwned>(&mut self) -> Result<Option<Entry<R>>, LayerError> {
        let entry = self.journal.next_attempt()?;
        let Some(layer) = &mut self.layer else {
            return Ok(entry);
        };
        let scores = layer.next()?;
        match (entry, scores) {
            (Some(mut entry), Some(scores)) => {
                let (found, wanted) = (&scores.case, &entry.attempt.case);
                // Names may have been redacted otherwise.
                if found.case() != wanted.case() {
                    let reason = format!(
                        "scores of `{}` (variant {}, repeat {}), where the journal has `{}` (variant {}, repeat {})",
                        found.example,
                        found.variant,
                        found.repeat,
                        wanted.example,
                        wanted.variant,
                        wanted.repeat
                    );
                    return Err(layer.lines.corrupt(&reason).into());
                }
                scores.apply(&mut entry.attempt);
                Ok(Some(entry))
            }
            (Some(_), None) => Err(LayerError::Behind {
                path: layer.lines.path().to_owned(),
                line: layer.lines.number(),
                attempts: layer.attempts,
            }),
            (None, Some(scores)) => {
                let reason = format!(
                    "scores of `{}`, an attempt that the journal does not have",
                    scores.case.example
                );
                Err(layer.lines.corrupt(&reason).into())
            }
            (None, None) => Ok(None),
        }
    }
}

impl Layer {
    fn open(path: &Path, journal: &journal::Reader) -> Result<Layer, LayerError> {
        let incomplete = || LayerError::Incomplete {
            path: path.to_owned(),
        };
        if !is_complete(path)? {
            return Err(incomplete());
        }
        let file = File::open(path).map_err(JournalError::io("open", path))?;
        let mut lines = Lines::of(file, path);
        lines.advance()?.ok_or_else(incomplete)?;
        if let Some(found) = lines.other_format(&[FORMAT])? {
            let path = path.to_owned();
            return Err(LayerError::Format { path, found });
        }
        let header = match lines.parse::<Line<IgnoredAny>>()? {
            Line::Header(header) => *header,
            _ => unreachable!("its only key is `header`"),
        };
        if header.journal != journal.header_hash() {
            return Err(LayerError::OtherJournal {
                path: path.to_owned(),
            });
        }
        if header.judge_models.len() != journal.header().variants.len() {
            let reason = "`judge_models` has not one entry for each variant of the journal";
            return Err(lines.corrupt(reason).into());
        }
        Ok(Layer {
            lines,
            header,
            canaries: Vec::new(),
            end: None,
            attempts: 0,
            offset: 0,
        })
    }

    /// Puts the judges of the layer in the place of the run's.
    fn change(&self, header: &mut record::Header) {
        header.judges = self.header.judges.clone();
        for (variant, models) in header.variants.iter_mut().zip(&self.header.judge_models) {
            variant.judge_models = models.clone();
        }
        for model in header.models.values_mut() {
            model.settings.remove(&ModelRole::Judge);
        }
        for (name, asked) in &self.header.models {
            match header.models.get_mut(name) {
                Some(model) => model.settings.extend(asked.settings.clone()),
                None => {
                    header.models.insert(name.clone(), asked.clone());
                }
            }
        }
        // Those that only judged the run.
        header.models.retain(|_, model| !model.settings.is_empty());
    }

    /// The scores of the next attempt; `None` at the end.
    fn next(&mut self) -> Result<Option<Scores>, LayerError> {
        if self.end.is_some() {
            return Ok(None);
        }
        while let Some(offset) = self.lines.advance()? {
            self.offset = offset;
            match self.lines.parse::<Line<Scores>>()? {
                Line::Header(_) => return Err(self.lines.corrupt("a second header").into()),
                Line::Canaries(canaries) => self.canaries.push(canaries),
                Line::Attempt(scores) => {
                    self.attempts += 1;
                    return Ok(Some(scores));
                }
                Line::End(end) => {
                    if end.attempts != self.attempts {
                        let reason = format!(
                            "the end of {} attempts, after {}",
                            end.attempts, self.attempts
                        );
                        return Err(self.lines.corrupt(&reason).into());
                    }
                    if self.lines.advance()?.is_some() {
                        return Err(self.lines.corrupt("a line after the end").into());
                    }
                    self.end = Some(end);
                    return Ok(None);
                }
            }
        }
        Err(LayerError::Incomplete {
            path: self.lines.path().to_owned(),
        })
    }
}

/// Whether the last line of a layer is its end. The rest is not looked at.
fn is_complete(path: &Path) -> Result<bool, LayerError> {
    /// An end is far shorter.
    const TAIL: u64 = 16 * 1024;
    let tail = || -> io::Result<Vec<u8>> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
        let mut tail = Vec::new();
        file.take(TAIL).read_to_end(&mut tail)?;
        Ok(tail)
    };
    let tail = tail().map_err(JournalError::io("read", path))?;
    let Some(lines) = tail.strip_suffix(b"\n") else {
        return Ok(false);
    };
    let last = lines.rsplit(|byte| *byte == b'\n').next();
    let last = last.map(serde_json::from_slice::<Line<IgnoredAny>>);
    Ok(matches!(last, Some(Ok(Line::End(_)))))
}
