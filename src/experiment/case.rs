//! One case: run it, score it, make its record.
//!
//! Whatever happens in a case ends in its record, a panic of ours too: one broken case must
//! not cost the experiment the others.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use futures_util::FutureExt;

use super::grid::Case;
use super::plan::{Item, Plan};
use super::record::{Attempt, CaseKind};
use crate::dataset::Dataset;
use crate::human::{AcceptAll, drive};
use crate::run::{Outcome, Run, Usage};
use crate::score::score;
use crate::target::{Start, Target};

/// Carries out one case of a plan that was resolved with `dataset`, on the target of its
/// variant. What the target stops to ask is accepted.
pub async fn attempt(
    target: &dyn Target,
    plan: &Plan,
    dataset: &Dataset,
    case: Case,
) -> Attempt<Run> {
    let Item::Example(example) = plan.item(case.position, dataset) else {
        unreachable!("no agent takes part in scenarios or episodes yet");
    };
    let key = plan.key(case, dataset);
    let variant = &plan.variants[case.variant as usize];
    let start = Start {
        // Without the experiment's name: equal plans have equal records.
        thread: format!("{}/{}/{}", variant.name, example.id, case.repeat),
        until: plan.until(CaseKind::Example),
        timeout: Duration::from_millis(plan.limits.timeout_ms),
        max_steps: plan.limits.max_steps,
        store: None,
        restart: false,
    };
    let mut human = AcceptAll;
    let running = async { drive(target, start, &example.email, &mut human).await.run };
    // What a panic leaves behind is dropped with the case, so nobody sees it half changed.
    let mut run = match AssertUnwindSafe(running).catch_unwind().await {
        Ok(run) => run,
        Err(panic) => broken(&*panic),
    };
    let scoring = || score(example, &run, &plan.suites);
    let feedback = catch_unwind(AssertUnwindSafe(scoring)).unwrap_or_else(|panic| {
        let broken = broken(&*panic);
        run.outcome = broken.outcome;
        run.error = broken.error;
        Vec::new()
    });
    Attempt {
        case: key,
        split: example.split.clone(),
        cluster: example.cluster.clone(),
        tags: example.tags.clone(),
        kind: CaseKind::Example,
        expected: Some(example.expect.triage),
        found: run.triage,
        outcome: run.outcome,
        error: run.error.clone(),
        feedback,
        notes: Vec::new(),
        memory: Vec::new(),
        learning: None,
        usage: run.usage.clone(),
        latency_ms: run.latency_ms,
        runs: vec![run],
        ablation: Vec::new(),
    }
}

/// The run that stands for a panic.
fn broken(panic: &(dyn Any + Send)) -> Run {
    let message = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a message");
    Run {
        outcome: Outcome::Harness,
        error: Some(format!("panicked: {message}")),
        triage: None,
        reasoning: None,
        messages: Vec::new(),
        steps: Vec::new(),
        usage: Usage::default(),
        latency_ms: 0.0,
        pauses: Vec::new(),
        memory: None,
        prompts: Vec::new(),
    }
}
