//! How often a judge is right: its verdicts on items that people labelled.
//!
//! A calibration holds for one judge as it was asked: another model, other words in its
//! rubric or in the frame around it, another reader of its answers, other numbers of votes,
//! and it says nothing ([`Standing::Stale`]).
//!
//! [`measure()`] makes a [`Calibration`], a [`record`] keeps it, and [`Records`] finds the one
//! that holds for a judge. `docs/calibration.md` says what the figures mean.

pub mod items;
pub mod measure;
mod raters;
pub mod record;

use std::collections::BTreeMap;

use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::JudgeKey;
use super::attack::Attacks;
use crate::statistics::{
    Accuracy, Interval, Share, Z_95, cohen_kappa, corrected_interval, mean_interval, rogan_gladen,
    youden_interval,
};

pub use measure::{Details, Measured, measure};
pub use raters::{Rated, rated};
pub use record::{RecordError, Records};

/// Format of a record; a reader that meets another names both.
pub const FORMAT: &str = "mailproof.calibration/1";

/// What decides how a judge judges. Equal bindings judge alike.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Binding {
    pub judge: JudgeKey,
    /// The panel's models as `PROVIDER:NAME`, in order.
    pub models: Vec<String>,
    /// Votes of each.
    pub votes: u32,
    /// SHA-256 over what the definition says, hexadecimal.
    pub rubric_hash: String,
    /// SHA-256 over the texts around it that all judges share, hexadecimal.
    pub prompt_hash: String,
    /// Of the reader of answers.
    pub parser_version: u32,
}

/// What was measured of a judge.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Calibration {
    pub binding: Binding,
    #[schemars(with = "String")]
    pub date: Date,
    /// SHA-256 over the items and their labels, hexadecimal.
    pub items_hash: String,
    /// Items, those without a usable verdict included.
    pub items: u64,
    /// Items that the judge gave no usable verdict on.
    pub unscored: u64,
    /// How many items each person labelled.
    pub labelled_by: BTreeMap<String, u64>,
    /// Verdicts against labels, one entry for each email: what is said of one email is no
    /// independent evidence.
    pub clusters: Vec<Outcomes>,
    /// What became of texts that try to steer it; absent where none were tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attacks: Option<Attacks>,
}

/// How verdicts fell on items of either label. A verdict that cannot tell is no pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Outcomes {
    /// Labelled pass, judged pass.
    pub true_pass: u64,
    /// Labelled pass, not judged pass.
    pub false_fail: u64,
    /// Labelled fail, not judged pass.
    pub true_fail: u64,
    /// Labelled fail, judged pass.
    pub false_pass: u64,
}

/// What is known of a judge as it is about to be asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    Calibrated(Box<Calibration>),
    /// There is a record, of the judge as it was.
    Stale {
        #[schemars(with = "String")]
        date: Date,
        /// What differs: "the rubric", "the model".
        because: String,
    },
    Uncalibrated,
}

/// Labels of either kind that a calibration needs before it corrects anything.
pub const LEAST_LABELS: u64 = 30;

/// What `TPR + TNR - 1` is at least, with 97.5 % confidence, where a calibration corrects
/// anything: an error of either rate is divided by it.
pub const LEAST_INFORMED: f64 = 0.3;

/// A share of items, and what is known of its precision.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct Rate {
    /// From 0 to 1; `null` without an item.
    pub value: Option<f64>,
    /// The ends of the 95% interval; `null` where the items cannot tell.
    pub low: Option<f64>,
    pub high: Option<f64>,
    /// Items.
    pub n: u64,
}

impl Rate {
    fn interval(self) -> Option<(f64, Interval)> {
        let (low, high) = (self.low?, self.high?);
        Some((self.value?, Interval { low, high }))
    }
}

/// The share of statements that hold, as far as a judge that errs lets one know.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Corrected {
    /// From 0 to 1.
    pub value: f64,
    /// The ends of the 95% interval, by a bootstrap over clusters of what was judged and of
    /// what the judge was measured on; `null` where neither varies.
    pub low: Option<f64>,
    pub high: Option<f64>,
    /// What the standard error would be if all statements and items were independent: how
    /// much wider the interval is, is due to clusters.
    pub standard_error: f64,
}

/// Why a rate is not corrected.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Refused {
    #[error(
        "only {passes} items labelled pass and {fails} labelled fail were judged, and {LEAST_LABELS} of each are needed"
    )]
    FewLabels { passes: u64, fails: u64 },
    #[error(
        "the labelled items are about fewer than five emails, too few to tell how sure the rates are"
    )]
    FewEmails,
    #[error(
        "TPR + TNR - 1 may be as low as {low:.2}, and under {LEAST_INFORMED} a correction is mostly noise"
    )]
    Uninformed { low: f64 },
    #[error("the judge decided no statement")]
    NothingJudged,
}

impl Calibration {
    /// Over all emails.
    pub fn outcomes(&self) -> Outcomes {
        let clusters = self.clusters.iter();
        clusters.fold(Outcomes::default(), |sum, cluster| Outcomes {
            true_pass: sum.true_pass + cluster.true_pass,
            false_fail: sum.false_fail + cluster.false_fail,
            true_fail: sum.true_fail + cluster.true_fail,
            false_pass: sum.false_pass + cluster.false_pass,
        })
    }

    /// Items with a verdict, out of all.
    pub fn coverage(&self) -> Option<f64> {
        let scored = self.items.saturating_sub(self.unscored);
        (self.items > 0).then(|| scored as f64 / self.items as f64)
    }

    /// The share of items labelled pass that the judge passed.
    pub fn tpr(&self) -> Rate {
        self.rate(|cluster| (cluster.true_pass, cluster.false_fail))
    }

    /// The share of items labelled fail that the judge did not pass.
    pub fn tnr(&self) -> Rate {
        self.rate(|cluster| (cluster.true_fail, cluster.false_pass))
    }

    fn rate(&self, right_and_wrong: impl Fn(&Outcomes) -> (u64, u64)) -> Rate {
        let mut values = Vec::new();
        let mut clusters = Vec::new();
        let mut all = 0;
        for (index, cluster) in self.clusters.iter().enumerate() {
            let (right, wrong) = right_and_wrong(cluster);
            all += right;
            values.extend((0..right).map(|_| 1.0).chain((0..wrong).map(|_| 0.0)));
            clusters.resize(values.len(), index as u32);
        }
        let interval = mean_interval(&values, &clusters, Z_95);
        Rate {
            value: (!values.is_empty()).then(|| all as f64 / values.len() as f64),
            low: interval.map(|interval| interval.low),
            high: interval.map(|interval| interval.high),
            n: values.len() as u64,
        }
    }

    /// The 95% interval of `TPR + TNR - 1`; `None` where that of either rate is not known.
    pub fn informed(&self) -> Option<Interval> {
        Some(youden_interval(
            self.tpr().interval()?,
            self.tnr().interval()?,
        ))
    }

    /// Cohen's kappa of verdicts and labels; `None` where both say the same of all items.
    pub fn kappa(&self) -> Option<f64> {
        let all = self.outcomes();
        cohen_kappa(&[
            [all.true_pass, all.false_fail],
            [all.false_pass, all.true_fail],
        ])
    }

    /// SHA-256 over all of it, hexadecimal: names it in reports.
    pub fn hash(&self) -> String {
        let json = serde_json::to_vec(self).expect("a calibration is numbers and texts");
        hexadecimal(&Sha256::digest(json))
    }

    /// What became of attacks, and when they were tried.
    pub fn attacked(&self) -> Option<(Date, &Attacks)> {
        let attacks = self.attacks.as_ref()?;
        Some((attacks.date.unwrap_or(self.date), attacks))
    }

    /// Whether a rate can be corrected with it.
    ///
    /// # Errors
    /// [`Refused`], and why.
    pub fn corrects(&self) -> Result<(), Refused> {
        let (passes, fails) = (self.tpr().n, self.tnr().n);
        if passes.min(fails) < LEAST_LABELS {
            return Err(Refused::FewLabels { passes, fails });
        }
        let Interval { low, .. } = self.informed().ok_or(Refused::FewEmails)?;
        match low < LEAST_INFORMED {
            true => Err(Refused::Uninformed { low }),
            false => Ok(()),
        }
    }

    /// The share of statements that hold, where the judge passed `clusters[i].0` of the
    /// `clusters[i].1` statements it decided about the emails of cluster `i`; what could not
    /// be told counts as not passed. Repeats of one example are averaged before.
    ///
    /// It is meant for single statements: of a figure that needs several at once, such as
    /// all criteria of a reply, errors do not average out in this way.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn corrected(&self, clusters: &[(f64, f64)], seed: u64) -> Result<Corrected, Refused> {
        self.corrects()?;
        let judged: Vec<Share> = clusters
            .iter()
            .map(|&(part, of)| Share { part, of })
            .collect();
        let raw = judged.iter().fold(Share::default(), |sum, share| Share {
            part: sum.part + share.part,
            of: sum.of + share.of,
        });
        let estimate =
            rogan_gladen(raw, self.outcomes().accuracy()).ok_or(Refused::NothingJudged)?;
        let measured: Vec<Accuracy> = self.clusters.iter().map(|c| c.accuracy()).collect();
        let interval = corrected_interval(&judged, &measured, seed, 0.95);
        Ok(Corrected {
            value: estimate.value,
            low: interval.map(|interval| interval.low),
            high: interval.map(|interval| interval.high),
            standard_error: estimate.variance.sqrt(),
        })
    }
}

impl Outcomes {
    /// Items.
    pub fn total(self) -> u64 {
        self.true_pass + self.false_fail + self.true_fail + self.false_pass
    }

    fn accuracy(self) -> Accuracy {
        let share = |right: u64, wrong: u64| Share {
            part: right as f64,
            of: (right + wrong) as f64,
        };
        Accuracy {
            passes: share(self.true_pass, self.false_fail),
            fails: share(self.true_fail, self.false_pass),
        }
    }
}

impl Binding {
    /// What differs between two bindings of one judge and one panel, as a clause; `None`
    /// where nothing does.
    fn difference(&self, now: &Binding) -> Option<String> {
        let mut parts = Vec::new();
        if self.rubric_hash != now.rubric_hash {
            parts.push("the rubric".to_owned());
        }
        if self.prompt_hash != now.prompt_hash {
            parts.push("the prompt around it".to_owned());
        }
        if self.parser_version != now.parser_version {
            parts.push("the reader of answers".to_owned());
        }
        if self.votes != now.votes {
            parts.push(format!(
                "the votes, {} then and {} now",
                self.votes, now.votes
            ));
        }
        (!parts.is_empty()).then(|| parts.join(" and "))
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
