//! From the attempts of an experiment, in any order, to its results.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use serde::de::IgnoredAny;

use super::even::Even;
use super::noise::{Voted, voted};
use super::results::{Cell, ExampleFacts, Facts, Results, Spent, VariantResults};
use crate::experiment::layer::{LayerError, Scored};
use crate::experiment::{Attempt, CaseKey, Header, Verdict};
use crate::judge::JudgeKey;
use crate::run::Cost;
use crate::score::Key;
use crate::statistics::FixedSum;

/// Why results could not be had from an experiment.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error(transparent)]
    Layer(#[from] LayerError),
    #[error(
        "{}: attempt at `{example}` is of variant {variant}, but the plan has {variants}; the file was changed after it was written",
        journal.display()
    )]
    Variant {
        journal: std::path::PathBuf,
        example: String,
        variant: u32,
        variants: usize,
    },
    #[error(
        "{}: `{one}` and `{other}` are at the same place of the plan; the file was changed after it was written",
        journal.display()
    )]
    Ambiguous {
        journal: std::path::PathBuf,
        one: String,
        other: String,
    },
    #[error(
        "{}: `{id}` is at two places of the plan; the file was changed after it was written",
        journal.display()
    )]
    Twice {
        journal: std::path::PathBuf,
        id: String,
    },
}

impl Results {
    /// Reads the experiment in `folder`, one attempt in memory at a time, with the scores of a
    /// layer: 0 for the run's own, `None` for the newest that is complete.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn read(folder: &Path, layer: Option<u32>) -> Result<Results, ReadError> {
        Results::gather(folder, layer, u32::MAX, |_| true)
    }

    /// The same of the first attempts at each item only, as many as `even` says; what is said of
    /// the experiment itself stays.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn read_even(folder: &Path, layer: Option<u32>, even: &Even) -> Result<Results, ReadError> {
        // Of an experiment that was stopped, any attempts at an item may be missing.
        let mut first: HashMap<(u32, u32), BTreeSet<u32>> = HashMap::new();
        let mut scored = Scored::open(folder, layer)?;
        while let Some(entry) = scored.next_attempt::<IgnoredAny>()? {
            let case = entry.attempt.case;
            let kept = first.entry((case.variant, case.position)).or_default();
            kept.insert(case.repeat);
            if kept.len() > even.at(&case.example) as usize {
                kept.pop_last();
            }
        }
        Results::gather(folder, layer, even.most(), |case| {
            let kept = first.get(&(case.variant, case.position));
            kept.is_some_and(|kept| kept.contains(&case.repeat))
        })
    }

    /// Of at most so many attempts at an item, those that are wanted.
    fn gather(
        folder: &Path,
        layer: Option<u32>,
        most: u32,
        is_wanted: impl Fn(&CaseKey) -> bool,
    ) -> Result<Results, ReadError> {
        let mut scored = Scored::open(folder, layer)?;
        let mut gather = Gather::new(scored.header());
        let journal = || folder.join(crate::experiment::journal::FILE);
        while let Some(entry) = scored.next_attempt::<IgnoredAny>()? {
            if is_wanted(&entry.attempt.case) {
                gather.push(&entry.attempt, &journal)?;
            }
        }
        let planned = crate::experiment::Grid::of(scored.header()).map_or(0, |grid| grid.cases());
        let complete = scored.journal().done().count() >= planned;
        let layer = scored.layer().map(|layer| layer.number);
        let mut header = scored.header().clone();
        header.repeat = header.repeat.min(most);
        let mut results = gather.finish(&header, complete, layer, &journal)?;
        results.facts.repeat = scored.header().repeat;
        Ok(results)
    }

    /// The same of the first attempts at each item only, as each of so many looks had them: the
    /// first result knows one attempt at each, the next two. No more than there are attempts at
    /// an item, and one at least.
    ///
    /// Also says for how many of them all attempts were made.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn read_looks(
        folder: &Path,
        layer: Option<u32>,
        looks: u32,
    ) -> Result<(Vec<Results>, u32), ReadError> {
        let mut scored = Scored::open(folder, layer)?;
        let looks = looks.min(scored.header().repeat).max(1);
        let new = |_| Gather::new(scored.header());
        let mut gathers: Vec<Gather> = (0..looks).map(new).collect();
        let mut made = vec![0u64; looks as usize];
        let journal = || folder.join(crate::experiment::journal::FILE);
        while let Some(entry) = scored.next_attempt::<IgnoredAny>()? {
            let repeat = entry.attempt.case.repeat as usize;
            for gather in gathers.iter_mut().skip(repeat) {
                gather.push(&entry.attempt, &journal)?;
            }
            if let Some(made) = made.get_mut(repeat) {
                *made += 1;
            }
        }
        let layer = scored.layer().map(|layer| layer.number);
        let mut header = scored.header().clone();
        header.repeat = 1;
        header.looks = None;
        let each = crate::experiment::Grid::of(&header).map_or(0, |grid| grid.cases());
        let whole = made.iter().take_while(|&&made| made >= each).count();
        let mut all = Vec::new();
        for (index, gather) in gathers.into_iter().enumerate() {
            header.repeat = index as u32 + 1;
            all.push(gather.finish(&header, index < whole, layer, &journal)?);
        }
        Ok((all, whole as u32))
    }
}

/// A few numbers for each variant and example. No sum depends on the order of attempts.
struct Gather {
    examples: BTreeMap<u32, (String, ExampleFacts)>,
    variants: Vec<BTreeMap<u32, Tally>>,
}

/// One variant's attempts at one example.
#[derive(Default)]
struct Tally {
    attempts: u32,
    scored: u32,
    passed: u32,
    scores: Vec<(Key, FixedSum)>,
    voted: Vec<(Key, Voted)>,
    /// In whole nanoseconds, so that order cannot change a digit.
    latency_ns: u128,
    cost: Option<Cost>,
    costless: bool,
    tokens: u64,
}

impl Gather {
    fn new(header: &Header) -> Gather {
        Gather {
            examples: BTreeMap::new(),
            variants: header.variants.iter().map(|_| BTreeMap::new()).collect(),
        }
    }

    fn push<R>(
        &mut self,
        attempt: &Attempt<R>,
        journal: &dyn Fn() -> std::path::PathBuf,
    ) -> Result<(), ReadError> {
        let case = &attempt.case;
        let variants = self.variants.len();
        let Some(cells) = self.variants.get_mut(case.variant as usize) else {
            return Err(ReadError::Variant {
                journal: journal(),
                example: case.example.clone(),
                variant: case.variant,
                variants,
            });
        };
        let (id, _) = self.examples.entry(case.position).or_insert_with(|| {
            let facts = ExampleFacts {
                kind: attempt.kind,
                expected: attempt.expected,
                split: attempt.split.clone(),
                cluster: attempt.cluster.clone(),
                tags: attempt.tags.clone(),
            };
            (case.example.clone(), facts)
        });
        if *id != case.example {
            return Err(ReadError::Ambiguous {
                journal: journal(),
                one: id.clone(),
                other: case.example.clone(),
            });
        }
        cells.entry(case.position).or_default().push(attempt);
        Ok(())
    }

    fn finish(
        self,
        header: &Header,
        complete: bool,
        layer: Option<u32>,
        journal: &dyn Fn() -> std::path::PathBuf,
    ) -> Result<Results, ReadError> {
        let Gather { examples, variants } = self;
        let items = header.items();
        let finish = |(variant, tallies): (&crate::experiment::Variant, BTreeMap<u32, Tally>)| {
            let cells: BTreeMap<String, Cell> = tallies
                .into_iter()
                .map(|(position, tally)| (examples[&position].0.clone(), tally.finish()))
                .collect();
            VariantResults {
                variant: variant.clone(),
                planned: items.of(variant) as u64 * u64::from(header.repeat),
                spent: mean(cells.values().filter_map(|cell| cell.spent)),
                cells,
            }
        };
        let variants = header.variants.iter().zip(variants).map(finish).collect();
        let mut by_id = BTreeMap::new();
        for (id, facts) in examples.into_values() {
            if by_id.insert(id.clone(), facts).is_some() {
                return Err(ReadError::Twice {
                    journal: journal(),
                    id,
                });
            }
        }
        Ok(Results {
            facts: Facts::of(header, complete, layer),
            examples: by_id,
            variants,
        })
    }
}

impl Tally {
    fn push<R>(&mut self, attempt: &Attempt<R>) {
        self.attempts += 1;
        for usage in attempt.usage.0.values() {
            self.tokens += usage.input_tokens + usage.output_tokens;
        }
        match attempt.usage.cost() {
            Some(cost) => self.cost = Some(self.cost.unwrap_or(Cost::ZERO).plus(cost)),
            None => self.costless = true,
        }
        let verdict = attempt.verdict();
        let is_scored = verdict != Verdict::Unscored;
        for feedback in &attempt.feedback {
            // What judges say counts also where no other key was asked of the attempt.
            if is_scored || feedback.key.is_judged() {
                entry(&mut self.scores, feedback.key).add(feedback.score.get());
            }
        }
        for judged in &attempt.judged {
            if let Some(key) = judged.judge.main_key()
                && let Some(one) = voted(&judged.rulings)
            {
                entry(&mut self.voted, key).push(one);
            }
        }
        if is_scored {
            self.scored += 1;
            self.passed += u32::from(verdict == Verdict::Passed);
            // A latency is far below what this cannot hold.
            self.latency_ns += (attempt.latency_ms.max(0.0) * 1e6).round() as u128;
        }
    }

    fn finish(self) -> Cell {
        let share = |sum: f64, count: u32| (count > 0).then(|| sum / f64::from(count));
        let scores = self.scores.into_iter();
        let noise = self.voted.into_iter();
        Cell {
            attempts: self.attempts,
            scored: self.scored,
            passed: self.passed,
            scores: scores
                .filter_map(|(key, sum)| Some((key, sum.mean()?)))
                .collect(),
            noise: noise
                .filter_map(|(key, voted)| Some((key, voted.noise()?)))
                .collect(),
            spent: share(self.tokens as f64, self.attempts).map(|tokens| Spent {
                latency_ms: share(self.latency_ns as f64 / 1e6, self.scored),
                cost_usd: self
                    .cost
                    .filter(|_| !self.costless)
                    .and_then(|cost| share(cost.usd(), self.attempts)),
                tokens,
            }),
            drawn: false,
        }
    }
}

fn entry<T: Default>(entries: &mut Vec<(Key, T)>, key: Key) -> &mut T {
    let at = entries.iter().position(|(known, _)| *known == key);
    let at = at.unwrap_or_else(|| {
        entries.push((key, T::default()));
        entries.len() - 1
    });
    &mut entries[at].1
}

/// The mean over examples; a cost that is not known for one is not known.
pub(super) fn mean(all: impl Iterator<Item = Spent>) -> Option<Spent> {
    let (mut count, mut tokens) = (0u32, 0.0);
    let (mut timed, mut latency) = (0u32, 0.0);
    let mut cost = Some(0.0);
    for spent in all {
        count += 1;
        tokens += spent.tokens;
        if let Some(took) = spent.latency_ms {
            timed += 1;
            latency += took;
        }
        cost = cost.zip(spent.cost_usd).map(|(sum, more)| sum + more);
    }
    let share = |sum: f64, count: u32| (count > 0).then(|| sum / f64::from(count));
    Some(Spent {
        latency_ms: share(latency, timed),
        cost_usd: cost.and_then(|cost| share(cost, count)),
        tokens: share(tokens, count)?,
    })
}

impl Facts {
    pub(super) fn of(header: &Header, complete: bool, layer: Option<u32>) -> Facts {
        Facts {
            experiment: header.experiment.clone(),
            tool_version: header.tool_version.clone(),
            created: header.created,
            date: header.date,
            seed: header.seed,
            suites: header.suites.clone(),
            repeat: header.repeat,
            looks: header.looks.clone(),
            dataset: header.dataset.clone(),
            examples_hash: header.examples_hash.clone(),
            limits: header.limits.clone(),
            behaviour: header.behaviour.clone(),
            triage_costs: header.triage_costs,
            models: header.models.clone(),
            judges: header.judges.clone(),
            layer,
            complete,
        }
    }

    pub fn judge(&self, judge: JudgeKey) -> Option<&crate::experiment::JudgePlan> {
        self.judges.iter().find(|plan| plan.judge == judge)
    }
}
