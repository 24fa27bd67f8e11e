//! Finds what to try again after an experiment.

use std::collections::BTreeMap;
use std::path::Path;

use serde::de::IgnoredAny;

use super::journal::{JournalError, Reader};
use super::record::{Rerun, RerunWhich, Verdict};

/// The examples, scenarios, and episodes of a journal that failed, or that ended in infrastructure errors, in any
/// attempt of any variant; the new experiment runs them in all of its variants.
///
/// # Errors
/// Those of reading the journal.
pub fn rerun(journal: &Path, which: RerunWhich) -> Result<Rerun, JournalError> {
    let wanted = match which {
        RerunWhich::Failed => Verdict::Failed,
        RerunWhich::Errors => Verdict::Unscored,
    };
    let mut reader = Reader::open(journal)?;
    let mut ids = BTreeMap::new();
    for entry in reader.attempts::<IgnoredAny>() {
        let attempt = entry?.attempt;
        if attempt.verdict() == wanted {
            ids.insert(attempt.case.position, attempt.case.example);
        }
    }
    Ok(Rerun {
        of: reader.header().experiment.clone(),
        which,
        ids: ids.into_values().collect(),
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::dataset::Dataset;
    use crate::email::Triage;
    use crate::experiment::execute::execute;
    use crate::experiment::tests::{Bench, Fake, choices, dataset, episode, run, scenario};
    use crate::experiment::{Choices, Plan};
    use crate::run::{Outcome, Run};
    use crate::target::Start;

    #[tokio::test]
    async fn an_example_is_tried_again_when_any_variant_had_trouble_with_it() {
        let bench = Bench::new(&choices(), dataset(5));
        let target = Arc::new(Fake(async |id: String, start: Start| {
            let baseline = start.thread.starts_with("baseline");
            let run = run(Triage::Respond);
            match id.as_str() {
                "e3" if baseline => Run {
                    triage: Some(Triage::Ignore),
                    ..run
                },
                "e1" if !baseline => Run {
                    outcome: Outcome::Timeout,
                    ..run
                },
                "e2" if baseline => Run {
                    outcome: Outcome::Provider,
                    ..run
                },
                _ => run,
            }
        }));
        execute(bench.execution(bench.create(), target, 3))
            .await
            .unwrap();
        for (which, ids) in [
            (RerunWhich::Failed, &["e1", "e3"][..]),
            (RerunWhich::Errors, &["e2"]),
        ] {
            let again = rerun(&bench.path(), which).unwrap();
            assert_eq!((again.of.as_str(), again.which), ("bench", which));
            assert_eq!(again.ids, ids);
        }
    }

    #[tokio::test]
    async fn scenarios_and_episodes_are_tried_again_by_their_ids() {
        let learns = |id: &str| {
            let mut episode = episode(id, &[0, 1]);
            episode.steps[1].expect.triage = Some(Triage::Respond);
            episode
        };
        let people = || Dataset {
            scenarios: vec![
                scenario("e0/accept", 0, Vec::new()),
                scenario("e0/edit", 0, Vec::new()),
            ],
            episodes: vec![learns("learns"), learns("learns-well")],
            ..dataset(2)
        };
        let mut choices = Choices {
            agents: vec!["hitl".into(), "hitl-memory".into()],
            ..choices()
        };
        let bench = Bench::new(&choices, people());
        let target = Arc::new(Fake(async |_, start: Start| {
            let broken = ["hitl@rules/e0/edit/0", "hitl-memory@rules/learns/0/alone-2"];
            let mut run = run(Triage::Respond);
            if broken.contains(&&*start.thread) {
                run.outcome = Outcome::Provider;
            }
            if start.thread == "hitl-memory@rules/e0/accept/0" {
                run.outcome = Outcome::Timeout;
            }
            run
        }));
        execute(bench.execution(bench.create(), target, 3))
            .await
            .unwrap();
        let of = |which| rerun(&bench.path(), which).unwrap();
        assert_eq!(of(RerunWhich::Failed).ids, ["e0/accept"]);
        assert_eq!(of(RerunWhich::Errors).ids, ["e0/edit", "learns"]);
        choices.selection.rerun = Some(of(RerunWhich::Failed));
        let plan = Plan::resolve(&choices, &people()).unwrap();
        assert_eq!(plan.items().to_string(), "1 scenario");
        assert_eq!(plan.cases().count(), 2, "in all variants");
    }
}
