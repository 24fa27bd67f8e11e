//! The figures of a variant that a gate can ask something of.

use std::fmt;
use std::str::FromStr;

use super::ParseError;
use crate::score::Key;

/// A figure of a variant, as reports have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Figure {
    /// The mean over examples of the share of attempts that passed.
    PassRate,
    /// The mean over examples of what scorers, or judges, said.
    Key(Key),
    MacroF1,
    TriageCost,
    MemoryGain,
    /// The share of planned attempts that were scored.
    Coverage,
    /// Of scored attempts, in milliseconds.
    Latency(Spread),
    /// Of all attempts together, in US dollars.
    Cost,
    /// The mean over attempts, in US dollars.
    AttemptCost,
}

/// Which of many values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spread {
    P50,
    P90,
    P99,
    Max,
    Mean,
}

/// Which way a figure is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    AtLeast,
    AtMost,
}

impl Direction {
    pub fn sign(self) -> &'static str {
        match self {
            Direction::AtLeast => ">=",
            Direction::AtMost => "<=",
        }
    }

    pub fn words(self) -> &'static str {
        match self {
            Direction::AtLeast => "at least",
            Direction::AtMost => "at most",
        }
    }

    /// Whether a value is as good as the limit.
    pub fn holds(self, value: f64, limit: f64) -> bool {
        match self {
            Direction::AtLeast => value >= limit,
            Direction::AtMost => value <= limit,
        }
    }
}

impl Figure {
    /// In the order of the reports.
    pub fn all() -> impl Iterator<Item = Figure> {
        let spreads = [
            Spread::P50,
            Spread::P90,
            Spread::P99,
            Spread::Max,
            Spread::Mean,
        ];
        let keys = Key::ALL.into_iter().flat_map(|key| match key {
            Key::TriageAccuracy => vec![Figure::Key(key), Figure::MacroF1, Figure::TriageCost],
            Key::MemoryPass => vec![Figure::Key(key), Figure::MemoryGain],
            _ => vec![Figure::Key(key)],
        });
        [Figure::PassRate]
            .into_iter()
            .chain(keys)
            .chain([Figure::Coverage])
            .chain(spreads.map(Figure::Latency))
            .chain([Figure::Cost, Figure::AttemptCost])
    }

    pub fn name(self) -> &'static str {
        match self {
            Figure::PassRate => "pass_rate",
            Figure::Key(key) => key.name(),
            Figure::MacroF1 => "triage.macro_f1",
            Figure::TriageCost => "triage.cost",
            Figure::MemoryGain => "memory.gain",
            Figure::Coverage => "coverage",
            Figure::Latency(Spread::P50) => "latency_ms.p50",
            Figure::Latency(Spread::P90) => "latency_ms.p90",
            Figure::Latency(Spread::P99) => "latency_ms.p99",
            Figure::Latency(Spread::Max) => "latency_ms.max",
            Figure::Latency(Spread::Mean) => "latency_ms.mean",
            Figure::Cost => "cost_usd",
            Figure::AttemptCost => "cost_usd.attempt",
        }
    }

    /// Whether it is an estimate over examples: it has an interval then, and there is one of
    /// every tag and split.
    pub fn is_estimate(self) -> bool {
        match self {
            Figure::PassRate
            | Figure::Key(_)
            | Figure::MacroF1
            | Figure::TriageCost
            | Figure::MemoryGain => true,
            Figure::Coverage | Figure::Latency(_) | Figure::Cost | Figure::AttemptCost => false,
        }
    }

    /// Whether every attempt has a value, so that two variants can be compared by it.
    pub fn is_of_attempts(self) -> bool {
        matches!(self, Figure::PassRate | Figure::Key(_))
    }

    pub fn direction(self) -> Direction {
        match self {
            Figure::TriageCost | Figure::Latency(_) | Figure::Cost | Figure::AttemptCost => {
                Direction::AtMost
            }
            Figure::PassRate
            | Figure::Key(_)
            | Figure::MacroF1
            | Figure::MemoryGain
            | Figure::Coverage => Direction::AtLeast,
        }
    }

    /// The least and the most that a limit can be.
    pub fn range(self) -> (f64, f64) {
        match self {
            Figure::MemoryGain => (-1.0, 1.0),
            Figure::Latency(_) => (0.0, 1e12),
            Figure::Cost | Figure::AttemptCost => (0.0, 1e6),
            Figure::PassRate
            | Figure::Key(_)
            | Figure::MacroF1
            | Figure::TriageCost
            | Figure::Coverage => (0.0, 1.0),
        }
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Figure {
    type Err = ParseError;

    fn from_str(name: &str) -> Result<Figure, ParseError> {
        Figure::all()
            .find(|figure| figure.name() == name)
            .ok_or_else(|| ParseError::Figure(name.to_owned()))
    }
}
