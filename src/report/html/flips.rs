//! Examples that flipped against the reference, as both sides handled them.
//!
//! The page has the candidate's attempts anyway; here stand the reference's, and what differs.

use std::collections::HashMap;

use serde::Serialize;
use serde_json::{Value, json};

use super::attempt::{Summary, Whole};
use super::diff::{self, Line};
use super::kept::Kept;
use super::{safe, trajectory};
use crate::compare::{Beside, Comparison, Wanted};
use crate::experiment::Attempt;
use crate::redact::Redactor;
use crate::report::compare::aligned::Aligned;
use crate::report::escape::shell;
use crate::report::figures::{count, plural};
use crate::run::Run;

/// The most examples of a pair of variants that are shown as both sides handled them.
const SHOWN: usize = 200;
/// Bytes of a reference's attempt that is shown whole, before texts are shared.
const WHOLE: usize = 400_000;

/// What is wanted of the journals: the examples that changed for the worst first, those of all
/// pairs in turn.
pub fn wanted(comparison: &Comparison) -> Vec<Wanted> {
    let mut ranks: HashMap<(String, String), usize> = HashMap::new();
    let wanted = comparison.wanted_flips(SHOWN).into_iter();
    let mut ranked: Vec<(usize, Wanted)> = wanted
        .map(|one| {
            let pair = (one.reference_variant.clone(), one.candidate_variant.clone());
            let rank = ranks.entry(pair).or_default();
            *rank += 1;
            (*rank, one)
        })
        .collect();
    // Stable, so that pairs stay in their order.
    ranked.sort_by_key(|(rank, _)| *rank);
    ranked.into_iter().map(|(_, one)| one).collect()
}

/// What a page holds of the examples that flipped.
pub struct Flips<'a> {
    comparison: Option<&'a Comparison>,
    /// By rank within the pair, pair, and position.
    kept: Kept<(usize, usize, u32)>,
}

/// One example as both sides handled it.
#[derive(Serialize)]
struct Flipped<'a> {
    reference: Option<Side<'a>>,
    /// Which of the page's own attempts stands beside it.
    candidate: [u32; 2],
    /// Where the email was not the same: how it differs.
    email: Vec<Line>,
    aligned: Option<Aligned>,
}

#[derive(Serialize)]
struct Side<'a> {
    summary: Summary<'a>,
    /// Absent where it is too long.
    whole: Option<Whole<'a>>,
}

impl<'a> Flips<'a> {
    pub fn new(comparison: Option<&'a Comparison>, most: usize) -> Flips<'a> {
        Flips {
            comparison,
            kept: Kept::new(most),
        }
    }

    /// Takes up an example. Returns the candidate's attempt that it shows, by position, variant,
    /// and repeat, where there is room.
    pub fn push(&mut self, beside: &Beside, redactor: &Redactor) -> Option<(u32, u32, u32)> {
        let pairs = &self.comparison?.pairs;
        let pair = pairs.iter().position(|pair| {
            pair.reference == beside.reference_variant && pair.candidate == beside.candidate_variant
        })?;
        let mut flips = pairs[pair].flips.iter();
        let rank = flips.position(|flip| flip.example == beside.example)?;
        let candidate = beside.candidate.as_ref()?;
        let case = &candidate.case;
        let key = (rank, pair, case.position);
        if !self.kept.has_room_for(&key) {
            self.kept.leave_out();
            return None;
        }
        let clean = |text: &str| redactor.text(text).into_owned();
        let reference = beside.reference.as_ref();
        let flipped = Flipped {
            reference: reference.map(Side::new),
            candidate: [case.variant, case.repeat + 1],
            email: reference.map_or(Vec::new(), |reference| emails(reference, candidate, &clean)),
            aligned: reference.map(|reference| Aligned::of(reference, candidate, &clean)),
        };
        self.kept.insert(key, safe(&flipped, redactor));
        let at = (case.position, case.variant, case.repeat);
        self.kept.get(&key).map(|_| at)
    }

    pub fn kept(&self) -> &Kept<(usize, usize, u32)> {
        &self.kept
    }

    /// By pair and position, as JSON that may stand in a script.
    pub fn iter(&self) -> impl Iterator<Item = ((usize, u32), &str)> {
        let kept = self.kept.iter();
        kept.map(|((_, pair, position), json)| ((*pair, *position), json))
    }

    /// The pairs of variants, for the page's script.
    pub fn pairs(&self) -> Value {
        let Some(comparison) = self.comparison else {
            return json!([]);
        };
        let (reference, candidate) = (&comparison.reference, &comparison.candidate);
        let pairs = comparison.pairs.iter().map(|pair| {
            let was = format!("{}/{}", reference.experiment, pair.reference);
            let is = format!("{}/{}", candidate.experiment, pair.candidate);
            json!({
                "reference": was,
                "candidate": pair.candidate,
                "compare": format!("mailproof compare {} {} --example", shell(&was), shell(&is)),
                "show": format!("mailproof show {}", shell(&was)),
            })
        });
        json!(pairs.collect::<Vec<_>>())
    }

    /// In which pairs examples flipped, and whether for the worse, by id.
    pub fn flipped(&self) -> HashMap<&'a str, Vec<(usize, bool)>> {
        let mut flipped: HashMap<&str, Vec<(usize, bool)>> = HashMap::new();
        let pairs = self.comparison.map_or(&[][..], |all| &all.pairs);
        for (index, pair) in pairs.iter().enumerate() {
            for flip in &pair.flips {
                let pairs = flipped.entry(flip.example.as_str()).or_default();
                pairs.push((index, flip.effect() < 0.0));
            }
        }
        flipped
    }

    /// How much of the flips the page has, in words; `None` where there are none.
    pub fn room(&self) -> Option<String> {
        let comparison = self.comparison?;
        let all: usize = comparison.pairs.iter().map(|pair| pair.flips.len()).sum();
        let all = (all > 0).then_some(all as u64)?;
        let kept = self.kept.len();
        let flips = plural(all, "flip");
        Some(match (kept, &comparison.reference.file) {
            (0, Some(_)) => {
                "The reference is a file of scores: what it did is not on this page, and \
                             the examples show the candidate alone."
                    .to_owned()
            }
            (0, None) => {
                "The journal of the reference is not here: the examples show the candidate \
                          alone."
                    .to_owned()
            }
            (kept, _) if kept == all => {
                format!("{flips}: open an example to see both sides, aligned.")
            }
            (kept, _) => format!(
                "Both sides of {} of {flips} are on this page, the worst of each pair of variants \
                 first; the page of any other example has the command that shows them.",
                count(kept)
            ),
        })
    }
}

impl<'a> Side<'a> {
    fn new(attempt: &'a Attempt<Run>) -> Side<'a> {
        let whole = Whole::new(attempt);
        let size = serde_json::to_string(&whole).map_or(usize::MAX, |json| json.len());
        Side {
            summary: Summary::new(attempt),
            whole: (size <= WHOLE).then_some(whole),
        }
    }
}

/// How what both were told differs, line by line.
fn emails(
    reference: &Attempt<Run>,
    candidate: &Attempt<Run>,
    clean: &dyn Fn(&str) -> String,
) -> Vec<Line> {
    let email = |attempt: &Attempt<Run>| {
        let email = attempt.runs.first().and_then(trajectory::email_of);
        email.map(clean).unwrap_or_default()
    };
    diff::lines(&email(reference), &email(candidate))
}
