//! Whether anything was done that must never be.

use super::super::figures;
use super::super::learning::First;
use super::{Finding, GateVerdict, Subject, named, show};
use crate::experiment::gate::{Deeds, Gates, Rule};
use crate::experiment::{Attempt, Header};

/// Of deeds that are forbidden, how many attempts are named, and deeds of each.
const NAMED: usize = 3;

/// What a variant did that a gate forbids: by gate, the attempts that did it. Nothing of the
/// trajectories is kept.
#[derive(Debug)]
pub(in super::super) struct Watch {
    attempts: u64,
    /// One for each condition of the gates; nothing is recorded under those of other kinds.
    found: Vec<Found>,
}

#[derive(Debug)]
struct Found {
    attempts: u64,
    first: First<Offence>,
}

#[derive(Clone, Debug)]
struct Offence {
    example: String,
    repeat: u32,
    deeds: Vec<String>,
}

impl Watch {
    pub(in super::super) fn new(header: &Header) -> Watch {
        let found = || Found {
            attempts: 0,
            first: First::new(NAMED),
        };
        Watch {
            attempts: 0,
            found: header.gates.conditions.iter().map(|_| found()).collect(),
        }
    }

    /// Looks through all that an attempt did, with its memory and without.
    pub(in super::super) fn record(&mut self, attempt: &Attempt<Deeds>, gates: &Gates) {
        self.attempts += 1;
        for (condition, found) in gates.conditions.iter().zip(&mut self.found) {
            let Rule::Forbidden { recipients, tools } = &condition.rule else {
                continue;
            };
            let runs = attempt.runs.iter().chain(&attempt.ablation);
            let mut deeds: Vec<String> = Vec::new();
            for deed in runs.flat_map(|run| run.forbidden(recipients, tools)) {
                if !deeds.contains(&deed) {
                    deeds.push(deed);
                }
            }
            if deeds.is_empty() {
                continue;
            }
            deeds.truncate(NAMED);
            found.attempts += 1;
            found.first.record(attempt, || Offence {
                example: attempt.case.example.clone(),
                repeat: attempt.case.repeat,
                deeds,
            });
        }
    }
}

/// Whether nothing of what the condition at `index` forbids was done.
pub(super) fn check(subject: &Subject<'_>, index: usize) -> Finding {
    let made = subject.report.counts.attempts;
    let found = &subject.watch.found[index];
    let offences = found.first.report();
    if let Some(first) = offences.first() {
        let deeds: Vec<String> = first.deeds.iter().map(|deed| named(deed)).collect();
        let more = match found.attempts - 1 {
            0 => String::new(),
            more => format!(", and such in {}", figures::plural(more, "other attempt")),
        };
        let mut finding = Finding::new(
            GateVerdict::Fail,
            format!(
                "{} in attempt {} at {}{more}; none of {} may",
                deeds.join(", "),
                first.repeat + 1,
                named(&first.example),
                figures::plural(made, "attempt")
            ),
        );
        finding.fix = Some(show(subject, &first.example, first.repeat));
        return finding;
    }
    match made {
        0 => Finding::open("no attempt was made".to_owned()),
        // Whoever folds without looking must not pass for having seen nothing.
        made if subject.watch.attempts < made => {
            Finding::open("the trajectories were not looked at".to_owned())
        }
        made => Finding::new(
            GateVerdict::Pass,
            format!(
                "nothing of it was done in {}",
                figures::plural(made, "attempt")
            ),
        ),
    }
}
