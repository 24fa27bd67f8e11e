use serde_json::json;

use super::*;
use crate::dataset::{CallPattern, EpisodeStep, MatchMode};
use crate::run::{MemoryRecord, Outcome, Response};
use crate::score::fixture::{Made, Story, called, contains, example, pattern, run};
use crate::score::{MemoryChange, memory_changes};

const TRIAGE: &str = "triage_preferences";
const CAL: &str = "cal_preferences";

fn memory(entries: &[(&str, &str)]) -> Memory {
    let mut memory = Memory::default();
    for (namespace, text) in entries {
        let entries = memory.0.entry((*namespace).to_owned()).or_default();
        entries.insert(format!("k{}", entries.len()), (*text).to_owned());
    }
    memory
}

fn remembers(run: Run, before: &[(&str, &str)], after: &[(&str, &str)]) -> Run {
    Run {
        memory: Some(MemoryRecord {
            before: memory(before),
            after: memory(after),
        }),
        ..run
    }
}

fn decides(triage: Triage) -> Run {
    Run {
        triage: Some(triage),
        ..run(Vec::new())
    }
}

fn step(memory: &[(&str, &str)], expect: StatedExpect) -> EpisodeStep {
    let own = |(namespace, part): &(&str, &str)| ((*namespace).to_owned(), contains(part));
    EpisodeStep {
        example: 0,
        human: Vec::new(),
        memory: memory.iter().map(own).collect(),
        expect,
    }
}

fn expects(triage: Triage) -> StatedExpect {
    StatedExpect {
        triage: Some(triage),
        ..StatedExpect::default()
    }
}

fn episode(steps: Vec<EpisodeStep>) -> Episode {
    Episode {
        id: "learns".into(),
        steps,
        unchanged: vec![CAL.into()],
        control: false,
        tags: Vec::new(),
        split: None,
        cluster: None,
        labelled_by: None,
        note: None,
    }
}

/// The person teaches in the first step; the second must show it.
fn teaches() -> Episode {
    episode(vec![
        step(&[(TRIAGE, "newsletter")], StatedExpect::default()),
        step(&[], expects(Triage::Ignore)),
    ])
}

const DEFAULT: (&str, &str) = (TRIAGE, "Ignore spam.");
const LEARNT: (&str, &str) = (TRIAGE, "Ignore spam and newsletters.");
const MEETINGS: (&str, &str) = (CAL, "30 minutes.");

fn learnt() -> Vec<Run> {
    vec![
        remembers(
            decides(Triage::Notify),
            &[DEFAULT, MEETINGS],
            &[LEARNT, MEETINGS],
        ),
        remembers(
            decides(Triage::Ignore),
            &[LEARNT, MEETINGS],
            &[LEARNT, MEETINGS],
        ),
    ]
}

fn without() -> Vec<Run> {
    vec![decides(Triage::Notify), decides(Triage::Notify)]
}

fn shares(learning: &Learning) -> Vec<(Option<f64>, Option<f64>)> {
    let share = |score: Option<Score>| score.map(Score::get);
    let steps = learning.steps.iter();
    steps
        .map(|step| (share(step.with), share(step.without)))
        .collect()
}

#[test]
fn an_episode_passes_when_what_was_taught_is_kept_and_shows() {
    let examples = [example(Triage::Notify)];
    let (feedback, learning) = score(&teaches(), &examples, &learnt(), &without()).unwrap();
    let names: Vec<CheckName> = feedback.checks.iter().map(|check| check.name).collect();
    assert_eq!(
        names,
        [
            CheckName::Remembered,
            CheckName::Unchanged,
            CheckName::Behaviour
        ]
    );
    assert_eq!((feedback.score, feedback.comment), (Score::BEST, None));
    assert_eq!(shares(&learning), [(None, None), (Some(1.0), Some(0.0))]);
    assert_eq!(learning.gain(), Some(1.0));
}

#[test]
fn each_fault_fails_the_conditions_about_it_and_no_others() {
    use CheckName::{Behaviour, Remembered, Unchanged};
    type Fault = fn(&mut Vec<Run>);
    let cases: [(&str, Fault, &[CheckName], &str); 8] = [
        (
            "nothing is kept",
            |runs| {
                *runs = vec![
                    remembers(decides(Triage::Notify), &[DEFAULT], &[DEFAULT]),
                    remembers(decides(Triage::Notify), &[DEFAULT], &[DEFAULT]),
                ];
            },
            &[Remembered, Behaviour],
            "remembered: step 1 (invoice): triage_preferences: expected a text with `newsletter`, \
             got Ignore spam.; behaviour: step 2 (invoice): expected ignore, got notify",
        ),
        (
            "it is kept elsewhere",
            |runs| {
                let elsewhere = (CAL, "Ignore newsletters.");
                runs[0] = remembers(
                    decides(Triage::Notify),
                    &[DEFAULT, MEETINGS],
                    &[DEFAULT, elsewhere],
                );
                runs[1] = remembers(
                    decides(Triage::Ignore),
                    &[DEFAULT, elsewhere],
                    &[DEFAULT, elsewhere],
                );
            },
            &[Remembered, Unchanged],
            "remembered: step 1 (invoice): triage_preferences: expected a text with `newsletter`, \
             got Ignore spam.; unchanged: cal_preferences changed",
        ),
        (
            "it was known before, and said again",
            |runs| {
                let again = (TRIAGE, "Ignore newsletters.");
                runs[0] = remembers(decides(Triage::Notify), &[LEARNT], &[again]);
                runs[1] = remembers(decides(Triage::Ignore), &[again], &[again]);
            },
            &[Remembered],
            "remembered: step 1 (invoice): triage_preferences: a text with `newsletter` held before",
        ),
        (
            "it was known before",
            |runs| {
                runs[0] = remembers(decides(Triage::Notify), &[LEARNT], &[LEARNT]);
                runs[1] = remembers(decides(Triage::Ignore), &[LEARNT], &[LEARNT]);
            },
            &[Remembered],
            "remembered: step 1 (invoice): triage_preferences did not change",
        ),
        (
            "it does not show",
            |runs| runs[1].triage = Some(Triage::Notify),
            &[Behaviour],
            "behaviour: step 2 (invoice): expected ignore, got notify",
        ),
        (
            "something else is changed at the end",
            |runs| {
                runs[1].memory = Some(MemoryRecord {
                    before: memory(&[LEARNT, MEETINGS]),
                    after: memory(&[LEARNT]),
                })
            },
            &[Unchanged],
            "unchanged: cal_preferences changed",
        ),
        (
            "another entry in its place",
            |runs| {
                let after = [LEARNT, MEETINGS, (CAL, "No Fridays.")];
                runs[1] = remembers(decides(Triage::Ignore), &[LEARNT, MEETINGS], &after);
            },
            &[Unchanged],
            "unchanged: cal_preferences changed",
        ),
        (
            "there is no memory",
            |runs| {
                for run in runs {
                    run.memory = None;
                }
            },
            &[Remembered, Unchanged],
            "remembered: step 1 (invoice): triage_preferences: the run tells of no memory; \
             unchanged: the runs tell of no memory",
        ),
    ];
    for (fault, mutate, failed, comment) in cases {
        let mut runs = learnt();
        mutate(&mut runs);
        let examples = [example(Triage::Notify)];
        let (feedback, _) = score(&teaches(), &examples, &runs, &without()).unwrap();
        let checks = feedback.checks.iter().filter(|check| !check.passed);
        let names: Vec<CheckName> = checks.map(|check| check.name).collect();
        assert_eq!(names, failed, "{fault}");
        assert_eq!(feedback.comment.as_deref(), Some(comment), "{fault}");
        assert_eq!(feedback.score, Score::WORST, "{fault}");
    }
}

#[test]
fn a_steps_behaviour_is_what_it_states_and_nothing_else() {
    let calls = |names: &[&str]| -> Option<Vec<CallPattern>> {
        Some(names.iter().map(|name| pattern(name, &[])).collect())
    };
    let stated = StatedExpect {
        triage: Some(Triage::Respond),
        tool_calls: calls(&["write_email"]),
        mode: Some(MatchMode::Exactly),
        forbidden: calls(&["schedule_meeting"]),
        criteria: Some(vec!["Says thanks".to_owned().into()]),
        interrupts: calls(&["write_email"]),
    };
    let right = || {
        Story::respond()
            .says(&[("w", "write_email", json!({}))])
            .asks("w", Response::Accept)
            .runs("w")
            .ends_done()
    };
    let cases: [(&str, StatedExpect, Run, f64, &str); 7] = [
        ("all", stated.clone(), right(), 1.0, ""),
        ("nothing stated", StatedExpect::default(), right(), 1.0, ""),
        (
            "the decision",
            stated.clone(),
            Run {
                triage: Some(Triage::Notify),
                ..right()
            },
            0.75,
            "expected respond, got notify",
        ),
        (
            "a question less",
            stated.clone(),
            called(&[Made::new("write_email", json!({}))]),
            0.75,
            "write_email was not asked",
        ),
        (
            "a call more, and a question",
            stated.clone(),
            Story::respond()
                .says(&[
                    ("w", "write_email", json!({})),
                    ("q", "question", json!({})),
                ])
                .asks("q", Response::Respond("so".into()))
                .runs("q")
                .asks("w", Response::Accept)
                .runs("w")
                .ends_done(),
            0.5,
            "extra question; step 2 (invoice): question was asked",
        ),
        (
            "a forbidden call",
            StatedExpect {
                interrupts: None,
                tool_calls: None,
                ..stated.clone()
            },
            called(&[Made::new("schedule_meeting", json!({}))]),
            0.5,
            "forbidden schedule_meeting",
        ),
        (
            "questions in another order",
            StatedExpect {
                interrupts: calls(&["question", "write_email"]),
                ..StatedExpect::default()
            },
            Story::respond()
                .says(&[
                    ("w", "write_email", json!({})),
                    ("q", "question", json!({})),
                ])
                .asks("w", Response::Accept)
                .runs("w")
                .asks("q", Response::Respond("so".into()))
                .runs("q")
                .ends_done(),
            0.0,
            "question was asked out of order",
        ),
    ];
    for (case, stated, run, share, comment) in cases {
        let asks = stated.triage.is_some() || stated.interrupts.is_some();
        let runs = vec![remembers(run, &[], &[]); 2];
        // The first step is measured too; only the second has a say.
        let episode = episode(vec![step(&[], stated.clone()), step(&[], stated)]);
        let (feedback, learning) =
            score(&episode, &[example(Triage::Respond)], &runs, &runs).unwrap();
        let expected = asks.then_some(share);
        assert_eq!(shares(&learning), [(expected, expected); 2], "{case}");
        let text = match comment {
            "" => None,
            comment => Some(format!("behaviour: step 2 (invoice): {comment}")),
        };
        assert_eq!(feedback.comment, text, "{case}");
    }
}

#[test]
fn a_control_asks_that_memory_does_no_harm() {
    for (case, with, without, comment) in [
        (
            "right with and without",
            Triage::Respond,
            Triage::Respond,
            None,
        ),
        (
            "wrong with and without",
            Triage::Notify,
            Triage::Notify,
            None,
        ),
        ("better with", Triage::Respond, Triage::Notify, None),
        (
            "worse with",
            Triage::Notify,
            Triage::Respond,
            Some(
                "behaviour: step 2 (invoice): 0 % of what is asked held with memory, 100 % without",
            ),
        ),
    ] {
        let control = Episode {
            control: true,
            ..episode(vec![
                step(&[], StatedExpect::default()),
                step(&[], expects(Triage::Respond)),
            ])
        };
        let runs = vec![remembers(decides(with), &[MEETINGS], &[MEETINGS]); 2];
        let examples = [example(Triage::Respond)];
        let (feedback, learning) =
            score(&control, &examples, &runs, &vec![decides(without); 2]).unwrap();
        assert_eq!(feedback.comment.as_deref(), comment, "{case}");
        assert_eq!(learning.gain(), None, "{case}");
    }
}

#[test]
fn an_agent_that_fails_a_step_earns_0_and_an_infrastructure_error_nothing() {
    let examples = [example(Triage::Notify)];
    for outcome in [Outcome::StepLimit, Outcome::Provider, Outcome::Unmatched] {
        let fail = |runs: &mut Vec<Run>| {
            runs[1].outcome = outcome;
            runs[1].error = Some("so".into());
        };
        let mut runs = learnt();
        fail(&mut runs);
        let found = score(&teaches(), &examples, &runs, &without());
        assert_eq!(found.is_none(), outcome.is_error(), "{outcome:?}");
        if let Some((feedback, learning)) = found {
            assert_eq!(
                feedback.comment.as_deref(),
                Some("step 2 (invoice): step_limit: so")
            );
            assert_eq!((feedback.score, feedback.checks.len()), (Score::WORST, 0));
            assert_eq!(shares(&learning)[1], (Some(0.0), Some(0.0)));
        }
        // The run with memory is what is scored; the other is only compared with.
        let mut ablation = without();
        fail(&mut ablation);
        let found = score(&teaches(), &examples, &learnt(), &ablation);
        assert_eq!(
            found.is_none(),
            outcome.is_error(),
            "{outcome:?} without memory"
        );
    }
    let mut short = learnt();
    short.pop();
    assert_eq!(score(&teaches(), &examples, &short, &without()), None);
    short[0].outcome = Outcome::Timeout;
    let (feedback, learning) = score(&teaches(), &examples, &short, &[]).unwrap();
    assert_eq!(feedback.score, Score::WORST);
    assert_eq!(shares(&learning), [(None, None), (None, None)]);
}

#[test]
fn an_episode_that_asks_nothing_has_no_score() {
    let mut empty = episode(vec![step(&[], StatedExpect::default())]);
    empty.unchanged.clear();
    let runs = [decides(Triage::Notify)];
    assert_eq!(score(&empty, &[example(Triage::Notify)], &runs, &[]), None);
}

#[test]
fn gain_is_the_mean_difference_over_the_steps_that_ask() {
    let score = |share: f64| Score::try_from(share).unwrap();
    let step = |with: Option<f64>, without: Option<f64>| StepLearning {
        with: with.map(score),
        without: without.map(score),
    };
    for (steps, gain) in [
        (vec![], None),
        (vec![step(None, None)], None),
        (
            vec![step(None, None), step(Some(1.0), Some(0.5))],
            Some(0.5),
        ),
        (
            vec![step(Some(1.0), Some(0.0)), step(Some(0.0), Some(1.0))],
            Some(0.0),
        ),
        (vec![step(Some(0.0), Some(1.0))], Some(-1.0)),
        (vec![step(Some(0.0), None)], None),
    ] {
        let learning = Learning {
            control: false,
            steps,
        };
        assert_eq!(learning.gain(), gain, "{learning:?}");
    }
}

#[test]
fn the_changes_of_a_memory_are_its_entries_that_differ() {
    let change = |key: &str, before: Option<&str>, after: Option<&str>| MemoryChange {
        namespace: CAL.into(),
        key: key.into(),
        before: before.map(str::to_owned),
        after: after.map(str::to_owned),
    };
    let before = memory(&[(CAL, "same"), (CAL, "old"), (CAL, "gone")]);
    let mut after = memory(&[(CAL, "same"), (CAL, "new"), (TRIAGE, "new")]);
    assert_eq!(
        memory_changes(&before, &after),
        [
            change("k1", Some("old"), Some("new")),
            change("k2", Some("gone"), None),
            MemoryChange {
                namespace: TRIAGE.into(),
                ..change("k0", None, Some("new"))
            },
        ]
    );
    assert_eq!(memory_changes(&before, &before), []);

    let facts = after.0.entry("background".into()).or_default();
    facts.extend((0..200).map(|at| (format!("{at:03}"), "ä".repeat(5000))));
    let changes = memory_changes(&before, &after);
    assert_eq!(changes.len(), 100);
    let text = changes[0].after.as_deref().unwrap();
    assert_eq!(text.chars().count(), 4001);
}
