//! Whether enough was scored for anything to be called fine.
//!
//! What was not scored may be what got worse. So a pair is called fine only where nearly all
//! attempts of both sides were scored, and where a measure that gates was had of nearly every
//! case that the reference has it of: a key that fell silent is not one that is fine.

use std::collections::BTreeMap;

use super::pair::{Gated, Sides};
use super::results::{Measure, VariantResults};
use crate::statistics::{self, Decision};

/// Share of the attempts planned that must be scored before anything is called fine.
pub const REQUIRED_COVERAGE: f64 = 0.95;

/// Of the cases that two variants share, how many were scored under a measure.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Scored {
    reference: u64,
    candidate: u64,
    both: u64,
}

impl Scored {
    /// Whether the candidate was, nearly wherever the reference was.
    fn is_enough(self) -> bool {
        self.both > 0 && self.both as f64 / self.reference as f64 >= REQUIRED_COVERAGE
    }
}

/// Nothing is called fine of which not enough is known.
fn as_far_as(enough: bool, decision: Decision) -> Decision {
    match decision {
        Decision::Better | Decision::Equivalent if !enough => Decision::CannotTell,
        decision => decision,
    }
}

pub(super) fn is_covered(of: &VariantResults) -> bool {
    of.planned == 0 || of.scored() as f64 / of.planned as f64 >= REQUIRED_COVERAGE
}

impl Sides<'_> {
    /// What is said of all that gates together.
    ///
    /// Where too little was scored, what was not may be what is worse: then nothing is called
    /// fine.
    pub fn decided(&self, gated: &BTreeMap<Measure, Gated>) -> Decision {
        let decisions: Vec<Decision> = gated
            .iter()
            .map(|(measure, gate)| self.as_far_as_scored(*measure, gate.decision))
            .collect();
        let covered = is_covered(self.reference) && is_covered(self.candidate);
        as_far_as(covered, statistics::decide_together(&decisions))
    }

    pub fn as_far_as_scored(&self, measure: Measure, decision: Decision) -> Decision {
        as_far_as(self.scored(measure).is_enough(), decision)
    }

    /// The measures of the rule that any shared case was scored under, if by one side alone.
    pub fn gates(&self) -> impl Iterator<Item = Measure> {
        Measure::all().filter(|measure| {
            let scored = self.scored(*measure);
            self.rule.gates.contains(measure) && scored.reference + scored.candidate > 0
        })
    }

    fn scored(&self, measure: Measure) -> Scored {
        let mut scored = Scored::default();
        for both in self.both.iter().filter(|both| both.has(measure)) {
            let was = both.reference.value(measure).is_some();
            let is = both.candidate.value(measure).is_some();
            scored.reference += u64::from(was);
            scored.candidate += u64::from(is);
            scored.both += u64::from(was && is);
        }
        scored
    }

    /// What keeps the pair from being called fine, whatever was found: a sentence each.
    pub fn open(&self) -> Vec<String> {
        let must = format!(
            "at least {:.0}% must be before anything is called fine",
            REQUIRED_COVERAGE * 100.0
        );
        // Between backticks, of which a name has none of its own.
        let named = |name: &str| format!("`{}`", name.replace('`', "'"));
        let [was, is] = self.experiments;
        let sides = [(self.reference, was), (self.candidate, is)];
        let mut open = Vec::new();
        for (of, experiment) in sides {
            if !is_covered(of) {
                open.push(format!(
                    "{} of {}: {} of {} attempts are scored, and {must}",
                    named(&of.variant.name),
                    named(experiment),
                    of.scored(),
                    of.planned,
                ));
            }
        }
        for measure in self.gates() {
            let scored = self.scored(measure);
            if scored.is_enough() {
                continue;
            }
            // The candidate, unless the reference knows nothing of it.
            let ((of, experiment), (_, other), cases) = match scored.reference {
                0 => (sides[0], sides[1], scored.candidate),
                cases => (sides[1], sides[0], cases),
            };
            open.push(format!(
                "{} of {}: {} of the {cases} shared cases that {} has `{measure}` of are scored under it, and {must}",
                named(&of.variant.name),
                named(experiment),
                scored.both,
                named(other),
            ));
        }
        open
    }
}
