//! Canaries before the first case: whether the judges of an experiment work at all.

use futures_util::future::join_all;

use super::case::Cast;
use super::journal::{Journal, JournalError};
use super::plan::Plan;
use crate::judge::bench::Judge;
use crate::judge::canary::{self, Canaries};
use crate::model::halt::Halt;

/// Shows every judge of the plan its canaries, with each of its panels, unless they are among
/// the `known`: they are shown once, however many sittings the experiment takes, and once more
/// where the judge was silent on any of them. What is said last counts.
///
/// Where the run ends before all answers are there nothing is said, so that the next sitting
/// shows them again.
///
/// # Errors
/// What the journal reports when it cannot be written.
pub async fn show(
    plan: &Plan,
    casts: &[Cast],
    journal: &Journal,
    halt: &Halt,
    known: &[Canaries],
) -> Result<(), JournalError> {
    let shown = unknown(plan, casts, known).map(|(judge, models)| canary::run(judge, models));
    for shown in join_all(shown).await {
        let is_cut_off = shown.halted || (shown.outage && halt.reason().is_some());
        if !is_cut_off && !shown.canaries.canaries.is_empty() {
            journal.canaries(shown.canaries).await?;
        }
    }
    Ok(())
}

/// Each judge with each of its panels that is not known, by the names its models were chosen
/// by. The same panel judges several variants, and is asked as the first of them.
fn unknown<'a>(
    plan: &'a Plan,
    casts: &'a [Cast],
    known: &'a [Canaries],
) -> impl Iterator<Item = (&'a Judge, Vec<String>)> {
    let panels = plan.judges.iter().flat_map(|judge| {
        let panels = judge.panels.iter();
        panels.map(move |panel| (judge, panel))
    });
    panels.filter_map(move |(judge, panel)| {
        let is_it =
            |of: &Canaries| of.judge == judge.judge && of.models == panel.models && !of.is_silent();
        if known.iter().any(is_it) {
            return None;
        }
        let mut variants = plan.variants.iter().zip(casts);
        let (_, cast) = variants.find(|(variant, _)| judge.panel(variant) == Some(panel))?;
        let mut judges = cast.judges.0.iter();
        let judge = judges.find(|other| other.definition.key == judge.judge)?;
        Some((judge, panel.models.clone()))
    })
}
