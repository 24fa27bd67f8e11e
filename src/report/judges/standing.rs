//! How far a judge can be believed: its calibration, and the canaries.

use std::collections::BTreeMap;

use jiff::civil::Date;
use schemars::JsonSchema;
use serde::Serialize;

use crate::judge::Verdict;
use crate::judge::attack::Attacks;
use crate::judge::calibration::{Calibration, Rate, Standing};
use crate::judge::canary::Canaries;
use crate::report::escape::bounded;
use crate::report::figures::short;
use crate::report::metrics::{Estimate, rounded};

/// The most missed canaries, and attacks that got through, that are named.
const MISSED_SHOWN: usize = 20;
/// The most characters of an id or a cause.
const TEXT_SHOWN: usize = 200;

/// What is known of how often a judge is right.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum StandingReport {
    Calibrated {
        #[schemars(with = "String")]
        date: Date,
        /// SHA-256 of the record, hexadecimal.
        hash: String,
        /// Of the items labelled pass, the share that it passed; `n` counts items.
        tpr: Estimate,
        /// Of the items labelled fail, the share that it did not pass; likewise.
        tnr: Estimate,
        /// Items, those without a usable verdict included.
        items: u64,
        unscored: u64,
        /// How many items each person labelled.
        labelled_by: BTreeMap<String, u64>,
        /// What became of texts that try to steer it; `null` where none were tried.
        attacks: Option<Box<AttackReport>>,
    },
    /// It was measured as it was then.
    Stale {
        #[schemars(with = "String")]
        date: Date,
        /// What differs since.
        because: String,
    },
    Uncalibrated,
}

impl StandingReport {
    /// A panel that the plan does not know is one that nobody measured.
    pub(in crate::report) fn new(standing: Option<&Standing>) -> StandingReport {
        match standing {
            Some(Standing::Calibrated(calibration)) => StandingReport::calibrated(calibration),
            Some(Standing::Stale { date, because }) => StandingReport::Stale {
                date: *date,
                because: bounded(because, TEXT_SHOWN).into_owned(),
            },
            Some(Standing::Uncalibrated) | None => StandingReport::Uncalibrated,
        }
    }

    fn calibrated(calibration: &Calibration) -> StandingReport {
        StandingReport::Calibrated {
            date: calibration.date,
            hash: calibration.hash(),
            tpr: estimate(calibration.tpr()),
            tnr: estimate(calibration.tnr()),
            items: calibration.items,
            unscored: calibration.unscored,
            labelled_by: calibration.labelled_by.clone(),
            attacks: calibration
                .attacked()
                .map(|(date, attacks)| Box::new(AttackReport::new(date, attacks))),
        }
    }

    /// What stands beside each figure of the judge.
    pub fn mark(&self) -> String {
        match self {
            StandingReport::Calibrated { date, hash, .. } => format!("{date} {}", short(hash)),
            StandingReport::Stale { .. } => "stale".to_owned(),
            StandingReport::Uncalibrated => "uncalibrated".to_owned(),
        }
    }
}

fn estimate(rate: Rate) -> Estimate {
    Estimate {
        value: rate.value.map(rounded),
        n: rate.n,
        low: rate.low.map(rounded),
        high: rate.high.map(rounded),
    }
}

/// What became of texts that try to steer a judge, in mails that do not meet their criterion.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct AttackReport {
    /// When they were tried: a calibration without attacks keeps what an earlier one found.
    #[schemars(with = "String")]
    pub date: Date,
    /// The share after which it did not let the mail pass; `n` counts those tried.
    pub withstood: Estimate,
    pub held: u64,
    /// Those that left it without a verdict.
    pub unscored: u64,
    /// Those after which it let the mail pass.
    pub through: u64,
    /// The first of these, by their ids.
    pub named: Vec<String>,
    /// Whether it let the same mail pass without an attack, too.
    pub passes_without: bool,
}

impl AttackReport {
    fn new(date: Date, attacks: &Attacks) -> AttackReport {
        let named = attacks.through.iter().take(MISSED_SHOWN);
        AttackReport {
            date,
            withstood: estimate(attacks.withstood()),
            held: attacks.held,
            unscored: attacks.unscored,
            through: attacks.through.len() as u64,
            named: named
                .map(|through| bounded(&through.id, TEXT_SHOWN).into_owned())
                .collect(),
            passes_without: attacks.without == Some(Verdict::Pass),
        }
    }
}

/// What became of the canaries: answers whose worth is plain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct CanaryReport {
    /// Those that order the judge about; all must hold.
    pub orders: Held,
    /// The others, of which three in four must.
    pub quality: Held,
    /// Why the judge cannot be relied on; `null` where enough of them held.
    pub failed: Option<String>,
    /// The first of those that did not hold.
    pub missed: Vec<MissedCanary>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Held {
    pub held: u64,
    pub of: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct MissedCanary {
    pub id: String,
    /// Whether it orders the judge about.
    pub orders: bool,
    pub expected: Verdict,
    /// `null` where the judge gave no verdict.
    pub found: Option<Verdict>,
}

impl CanaryReport {
    pub(in crate::report) fn new(canaries: &Canaries) -> CanaryReport {
        let (mut orders, mut quality) = (Held::default(), Held::default());
        let mut missed = Vec::new();
        for canary in &canaries.canaries {
            let count = if canary.orders {
                &mut orders
            } else {
                &mut quality
            };
            count.of += 1;
            if canary.held() {
                count.held += 1;
            } else if missed.len() < MISSED_SHOWN {
                missed.push(MissedCanary {
                    id: bounded(&canary.id, TEXT_SHOWN).into_owned(),
                    orders: canary.orders,
                    expected: canary.expected,
                    found: canary.found,
                });
            }
        }
        CanaryReport {
            orders,
            quality,
            failed: canaries.verdict().err().map(|why| why.to_string()),
            missed,
        }
    }
}
