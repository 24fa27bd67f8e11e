use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use serde_json::json;

use super::*;
use crate::dataset::{On, Rule, RuleAnswer};
use crate::experiment::Suite;
use crate::experiment::execute::execute;
use crate::experiment::plan::Choices;
use crate::experiment::record::Verdict;
use crate::experiment::tests::{
    Asks, Bench, Fake, attempts, choices, dataset, episode, proposal, rule, run, scenario,
};
use crate::model::{Reply, scripted};
use crate::run::{Allowed, Memory, MemoryRecord, ModelRole};
use crate::target::Until;

const ALL: Allowed = Allowed {
    accept: true,
    edit: true,
    ignore: true,
    respond: true,
};

/// Agents that take part in everything, and in scenarios.
fn people_choices() -> Choices {
    Choices {
        agents: vec!["hitl-memory".into(), "hitl".into()],
        ..choices()
    }
}

/// Three examples, a scenario on each of the first two, and two episodes of three steps.
fn people() -> Dataset {
    Dataset {
        scenarios: vec![
            scenario("e0/accept", 0, Vec::new()),
            Scenario {
                restart: true,
                ..scenario("e1/restart", 1, Vec::new())
            },
        ],
        episodes: vec![
            episode("learns", &[0, 1, 2]),
            episode("learns-more", &[2, 2, 0]),
        ],
        ..dataset(3)
    }
}

/// Says which threads left something in the memory it is given, and leaves its own name.
async fn leave_a_name(_: String, start: Start) -> Run {
    let mut run = run(Triage::Respond);
    let Some(store) = start.store else {
        run.reasoning = Some("no memory".into());
        return run;
    };
    let names = async || {
        let items = store.list(None).await.unwrap();
        items.into_iter().map(|item| item.key).collect::<Vec<_>>()
    };
    let memory = |names: &[String]| {
        let entries = names.iter().map(|name| (name.clone(), "here".to_owned()));
        Memory(BTreeMap::from([("names".to_owned(), entries.collect())]))
    };
    let before = names().await;
    tokio::task::yield_now().await;
    store
        .put("names", &start.thread, json!("here"))
        .await
        .unwrap();
    run.memory = Some(MemoryRecord {
        before: memory(&before),
        after: memory(&names().await),
    });
    run.reasoning = Some(before.join(", "));
    run
}

/// All attempts at the bench's plan.
async fn run_all(bench: &Bench, target: Arc<dyn Target>) -> Vec<Attempt<Run>> {
    execute(bench.execution(bench.create(), target, 4))
        .await
        .unwrap();
    attempts(&bench.path())
}

/// The only attempt at one item of [`people`], by `hitl-memory`.
async fn only(id: &str, target: Arc<dyn Target>) -> Attempt<Run> {
    one_of(people(), id, target).await
}

async fn one_of(dataset: Dataset, id: &str, target: Arc<dyn Target>) -> Attempt<Run> {
    let mut choices = Choices {
        agents: vec!["hitl-memory".into()],
        ..choices()
    };
    choices.selection.ids = vec![id.into()];
    let attempts = run_all(&Bench::new(&choices, dataset), target).await;
    let [attempt] = <[_; 1]>::try_from(attempts).expect("one item, one variant, one repeat");
    attempt
}

fn reasonings(runs: &[Run]) -> Vec<&str> {
    let reasonings = runs.iter().map(|run| run.reasoning.as_deref());
    reasonings.map(Option::unwrap_or_default).collect()
}

#[tokio::test]
async fn the_steps_of_an_episode_share_a_memory_and_those_of_the_ablation_do_not() {
    let attempt = only("learns", Arc::new(Fake(leave_a_name))).await;
    assert_eq!(attempt.outcome, Outcome::Finished);
    let thread = |name: &str| format!("hitl-memory@rules/learns/0/{name}");
    let steps = [thread("step-1"), thread("step-2"), thread("step-3")];
    assert_eq!(
        reasonings(&attempt.runs),
        ["".into(), steps[0].clone(), steps[..2].join(", ")]
    );
    assert_eq!(reasonings(&attempt.ablation), ["", "", ""]);
    // What the ablation left behind is not what the attempt changed.
    let changed: Vec<_> = attempt.memory.iter().map(|change| &change.key).collect();
    assert_eq!(changed, steps.iter().collect::<Vec<_>>());
}

#[tokio::test]
async fn an_episode_adds_up_its_runs_and_has_no_decision_of_its_own() {
    let attempt = only("learns", Arc::new(Fake(leave_a_name))).await;
    assert_eq!(attempt.kind, CaseKind::Episode);
    assert_eq!((attempt.expected, attempt.found), (None, None));
    assert_eq!((attempt.runs.len(), attempt.ablation.len()), (3, 3));
    assert_eq!(attempt.usage.0[&ModelRole::Router].input_tokens, 60);
    assert_eq!(attempt.latency_ms, 3.0 * 1.5);
}

#[tokio::test]
async fn a_scenario_is_one_run_on_a_memory_of_its_own() {
    let bench = Bench::new(&people_choices(), people());
    let attempts = run_all(&bench, Arc::new(Fake(leave_a_name))).await;
    let scenarios: Vec<_> = attempts
        .iter()
        .filter(|attempt| attempt.kind == CaseKind::Scenario)
        .collect();
    assert_eq!(scenarios.len(), 4);
    for attempt in scenarios {
        assert_eq!(reasonings(&attempt.runs), [""]);
        assert_eq!(attempt.ablation.len(), 0);
        assert_eq!(attempt.expected, Some(Triage::Respond));
        assert_eq!(attempt.found, Some(Triage::Respond));
        assert_eq!(attempt.memory.len(), 1);
    }
    let example = attempts.iter().find(|a| a.case.example == "e0").unwrap();
    assert_eq!(reasonings(&example.runs), ["no memory"]);
}

#[tokio::test]
async fn runs_are_told_their_threads_limits_and_restarts() {
    let choices = Choices {
        suites: vec![Suite::Triage, Suite::Hitl, Suite::Memory],
        repeat: 2,
        ..people_choices()
    };
    let bench = Bench::new(&choices, people());
    let starts = Arc::new(Mutex::new(BTreeMap::new()));
    let seen = Arc::clone(&starts);
    let target = Arc::new(Fake(move |_, start: Start| {
        assert_eq!(start.timeout, Duration::from_secs(300));
        assert_eq!(start.max_steps, 25);
        let told = (start.until == Until::Triage, start.restart);
        let before = seen.lock().unwrap().insert(start.thread, told);
        assert_eq!(before, None, "a thread of another run");
        async { run(Triage::Respond) }
    }));
    let attempts = run_all(&bench, target).await;
    assert!(attempts.iter().all(|attempt| attempt.error.is_none()));
    let starts = starts.lock().unwrap();
    // By two variants examples and scenarios, by one the steps and their ablation; twice.
    assert_eq!(starts.len(), 2 * (2 * (3 + 2) + 2 * (3 + 3)));
    for (thread, told) in [
        ("hitl@rules/e2/1", (true, false)),
        ("hitl@rules/e0/accept/1", (false, false)),
        ("hitl-memory@rules/e1/restart/0", (false, true)),
        ("hitl-memory@rules/learns/1/step-3", (false, false)),
        ("hitl-memory@rules/learns-more/0/alone-1", (false, false)),
    ] {
        assert_eq!(starts.get(thread), Some(&told), "{thread}");
    }
}

#[tokio::test]
async fn an_infrastructure_error_ends_an_episode_and_an_agent_failure_does_not() {
    use Outcome::{Finished, Harness, Protocol, Provider, Timeout};
    for (case, ends, runs, ablation, outcome, error) in [
        ("well", &[][..], 3, 3, Finished, None),
        (
            "provider",
            &[("step-2", Provider)],
            2,
            0,
            Provider,
            Some("step 2 (e1): at step-2"),
        ),
        (
            "provider without memory",
            &[("alone-2", Provider)],
            3,
            2,
            Provider,
            Some("step 2 (e1), without memory: at alone-2"),
        ),
        (
            "agent",
            &[("step-1", Timeout), ("step-3", Protocol)],
            3,
            3,
            Timeout,
            Some("step 1 (e0): at step-1"),
        ),
        (
            "agent without memory",
            &[("alone-2", Timeout)],
            3,
            3,
            Finished,
            None,
        ),
        (
            "both",
            &[("step-1", Timeout), ("step-3", Provider)],
            3,
            0,
            Provider,
            Some("step 3 (e2): at step-3"),
        ),
        (
            "a panic",
            &[("step-2", Harness)],
            2,
            0,
            Harness,
            Some("step 2 (e1): panicked: at step-2"),
        ),
    ] {
        let target = Arc::new(Fake(move |_, start: Start| async move {
            let step = start.thread.rsplit('/').next().unwrap().to_owned();
            let mut run = run(Triage::Respond);
            if let Some((_, outcome)) = ends.iter().find(|(at, _)| *at == step) {
                if *outcome == Harness {
                    panic!("at {step}");
                }
                (run.outcome, run.error) = (*outcome, Some(format!("at {step}")));
            }
            run
        }));
        let attempt = only("learns", target).await;
        assert_eq!(
            (attempt.runs.len(), attempt.ablation.len()),
            (runs, ablation),
            "{case}"
        );
        assert_eq!(attempt.outcome, outcome, "{case}");
        let found = attempt.error.as_deref().unwrap_or_default();
        assert!(found.contains(error.unwrap_or_default()), "{case}: {found}");
        assert_eq!(found.is_empty(), error.is_none(), "{case}: {found}");
        if outcome.is_error() {
            assert_eq!(attempt.verdict(), Verdict::Unscored, "{case}");
            assert_eq!(attempt.feedback, [], "{case}");
        }
    }
}

#[tokio::test]
async fn the_person_of_a_scenario_says_what_the_rules_say_and_nothing_else() {
    let with = |rules| {
        let mut dataset = people();
        dataset.scenarios[0].human = Person::Scripted(rules);
        one_of(dataset, "e0/accept", Arc::new(Asks(proposal(ALL))))
    };
    let attempt = with(vec![rule(RuleAnswer::Ignore)]).await;
    assert_eq!(reasonings(&attempt.runs), ["scripted: ignore"]);
    assert_eq!(
        (attempt.outcome, &*attempt.notes),
        (Outcome::Finished, &[][..])
    );
    let other = Rule {
        on: On::Notify,
        ..rule(RuleAnswer::Accept)
    };
    let attempt = with(vec![other]).await;
    assert_eq!(attempt.outcome, Outcome::Unmatched);
    assert!(attempt.error.unwrap().contains("`write_email`"));
    assert_eq!(attempt.notes.len(), 1, "the rule was never used");
}

#[tokio::test]
async fn the_person_of_an_episode_accepts_what_no_rule_is_about() {
    let mut dataset = people();
    dataset.episodes[0].steps[1].human = vec![
        rule(RuleAnswer::Respond("Shorter.".into())),
        Rule {
            on: On::Notify,
            ..rule(RuleAnswer::Ignore)
        },
    ];
    let attempt = one_of(dataset, "learns", Arc::new(Asks(proposal(ALL)))).await;
    let said = [
        "accept-all: accept",
        "scripted: respond",
        "accept-all: accept",
    ];
    assert_eq!(reasonings(&attempt.runs), said);
    assert_eq!(
        reasonings(&attempt.ablation),
        said,
        "the same rules without memory"
    );
    let [note] = &attempt.notes[..] else {
        panic!("one rule was never used: {:?}", attempt.notes)
    };
    assert!(note.starts_with("step 2 (e1): rule 2"), "{note}");
}

#[tokio::test]
async fn a_described_person_is_played_by_the_simulator() {
    let mut dataset = people();
    dataset.scenarios[0].human = Person::Simulated {
        description: "Sam is in a hurry.".into(),
        turns: 1,
    };
    let mut choices = people_choices();
    choices.selection.ids = vec!["e0/accept".into()];
    let bench = Bench::new(&choices, dataset);
    let answer = json!({ "reasoning": "", "kind": "ignore", "text": "", "args": {} });
    let simulator = Arc::new(scripted::Scripted::new([Reply {
        content: answer.to_string(),
        ..Reply::default()
    }]));
    let mut execution = bench.execution(bench.create(), Arc::new(Asks(proposal(ALL))), 1);
    execution.casts[0].simulator = Arc::clone(&simulator) as Arc<dyn Model>;
    execute(execution).await.unwrap();
    let [played, unplayed] = &attempts(&bench.path())[..] else {
        panic!("two variants")
    };
    assert_eq!(reasonings(&played.runs), ["simulated: ignore"]);
    assert_eq!(played.usage.0[&ModelRole::Simulator].calls, 1);
    assert!(
        simulator.requests()[0]
            .prompt
            .content()
            .system
            .contains("in a hurry")
    );
    // The other variant has a simulator of its own, and that one has nothing to say.
    assert_eq!(unplayed.outcome, Outcome::Simulator);
}

/// F18: what is run beside an item, before it, and after it changes nothing about it.
#[tokio::test(flavor = "multi_thread")]
async fn order_and_concurrency_change_no_record() {
    let many = |reversed: bool| {
        let mut dataset = dataset(6);
        for n in 0..20 {
            let on = n % 6;
            dataset
                .scenarios
                .push(scenario(&format!("s{n}"), on, Vec::new()));
            dataset
                .episodes
                .push(episode(&format!("p{n}"), &[on, (on + 1) % 6, on]));
        }
        if reversed {
            dataset.scenarios.reverse();
            dataset.episodes.reverse();
        }
        dataset
    };
    let records = |at_once, reversed| async move {
        let choices = Choices {
            repeat: 2,
            ..people_choices()
        };
        let bench = Bench::new(&choices, many(reversed));
        let target = Arc::new(Fake(leave_a_name));
        execute(bench.execution(bench.create(), target, at_once))
            .await
            .unwrap();
        let attempts = attempts(&bench.path());
        let records = attempts.iter();
        let records = records.map(|attempt| serde_json::to_string(attempt).unwrap());
        records.collect::<Vec<_>>()
    };
    let one = records(1, false).await;
    assert_eq!(one.len(), 2 * (2 * (6 + 20) + 20));
    assert_eq!(one, records(64, false).await);
    // In another order, the same records at other positions.
    let positions = regex::Regex::new(r#""position":\d+"#).unwrap();
    let placeless = |records: Vec<String>| -> BTreeSet<String> {
        let records = records.iter();
        records
            .map(|record| positions.replace(record, r#""position":0"#).into_owned())
            .collect()
    };
    assert_eq!(placeless(one), placeless(records(64, true).await));
}
