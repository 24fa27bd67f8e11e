use super::*;
use crate::experiment::plan::Choices;
use crate::experiment::record::Limits;
use crate::experiment::tests::{choices, dataset, episode, example, scenario};
use crate::judge::{JudgeKey, canary};
use crate::model::price::{Prices, Table, read};
use crate::score::Suite;

/// Three examples, one a label; two scenarios on the one to answer; an episode of two emails.
fn everything() -> Dataset {
    let examples = Triage::ALL.map(|label| example(label.name(), label));
    let mut scenarios = vec![
        scenario("e2/accept", 2, Vec::new()),
        scenario("e2/played", 2, Vec::new()),
    ];
    scenarios[1].human = Person::Simulated {
        description: "Sam".into(),
        turns: 4,
    };
    Dataset {
        examples: examples.into(),
        scenarios,
        episodes: vec![episode("learns", &[0, 2])],
        ..dataset(0)
    }
}

fn chosen(suites: &[Suite], agents: &[&str]) -> Choices {
    let mut choices = Choices {
        suites: suites.to_vec(),
        agents: agents.iter().map(|&agent| agent.to_owned()).collect(),
        repeat: 3,
        limits: Limits {
            timeout_ms: 1,
            max_steps: 10,
        },
        ..choices()
    };
    choices.judging.judges = Some(Vec::new());
    choices
}

fn told(choices: &Choices, terms: impl Fn(&str, ModelRole) -> Terms) -> Forecast {
    let dataset = everything();
    let plan = Plan::resolve(choices, &dataset).unwrap();
    forecast(&plan, &dataset, &choices.judging.definitions, terms)
}

fn terms(model: &str, price: Option<&str>, max_tokens: Option<u32>) -> Terms {
    Terms {
        model: model.to_owned(),
        price: price.map(|yaml| read(yaml).unwrap()),
        max_tokens,
    }
}

fn free(_: &str, _: ModelRole) -> Terms {
    Terms {
        model: "rules".to_owned(),
        price: Prices::embedded().of("rules"),
        max_tokens: None,
    }
}

#[test]
fn the_most_calls_are_those_that_an_attempt_may_make() {
    use ModelRole::{Agent, Memory, Router, Simulator};
    let most = |suites: &[Suite], agents: &[&str]| {
        let forecast = told(&chosen(suites, agents), free);
        let roles = forecast.roles.iter();
        let roles: Vec<_> = roles.map(|(role, calls)| (*role, calls.most)).collect();
        (forecast.calls.most, roles)
    };
    let triage = [Suite::Triage];
    // A decision that is none is asked for once more.
    assert_eq!(most(&triage, &["workflow"]), (18, vec![(Router, 18)]));
    assert_eq!(most(&triage, &["baseline"]), (90, vec![(Agent, 90)]));
    // What an example expects changes nothing: only its run can show what it needs.
    let whole = (90, vec![(Agent, 81), (Router, 18)]);
    assert_eq!(most(&[], &["workflow"]), whole);
    assert_eq!(most(&[], &["baseline", "workflow"]).0, 180);
    let people = 3 * (2 * 10 + 2 * 4);
    let played = (
        people,
        vec![(Agent, 3 * 2 * 9), (Router, 3 * 2 * 2), (Simulator, 24)],
    );
    assert_eq!(most(&[Suite::Hitl], &["hitl"]), played);
    // Each email with what was learnt, and without.
    let episode = 3 * 2 * 2 * 10;
    let learnt = (episode, vec![(Agent, 108), (Router, 24), (Memory, 108)]);
    assert_eq!(most(&[Suite::Memory], &["hitl-memory"]), learnt);
    assert_eq!(most(&[], &["hitl-memory"]).0, 90 + people + episode);
}

#[test]
fn a_step_limit_holds_for_what_is_usual_too() {
    let mut choices = chosen(&[], &["baseline", "workflow", "hitl", "hitl-memory"]);
    choices.limits.max_steps = 1;
    let forecast = told(&choices, free);
    assert_eq!(forecast.roles[&ModelRole::Agent].most, 9, "the baseline's");
    for (role, calls) in &forecast.roles {
        assert!(calls.typical <= calls.most, "{role:?}");
    }
    assert!(forecast.calls.typical <= forecast.calls.most);
}

#[test]
fn the_usual_number_of_calls_is_near_what_the_sample_took() {
    let sample = concat!(env!("CARGO_MANIFEST_DIR"), "/reports/sample/report.json");
    let text = std::fs::read_to_string(sample).expect("the sample is in the repository");
    let sample: serde_json::Value = serde_json::from_str(&text).expect("it is JSON");
    let dataset = Dataset::embedded();
    for variant in sample["variants"].as_array().expect("it has variants") {
        let agent = variant["agent"].as_str().expect("each has an agent");
        let choices = Choices {
            agents: vec![agent.to_owned()],
            ..choices()
        };
        let plan = Plan::resolve(&choices, &dataset).unwrap();
        let forecast = forecast(&plan, &dataset, &Definitions::embedded(), free);
        let usage: BTreeMap<ModelRole, serde_json::Value> =
            serde_json::from_value(variant["usage"].clone()).expect("by role");
        let took = usage.values().map(|role| role["calls"].as_u64().unwrap());
        let told = usage.keys().map(|role| forecast.roles[role].typical);
        let (took, told) = (took.sum::<u64>() as f64, told.sum::<u64>() as f64);
        assert!(
            (told / took - 1.0).abs() < 0.25,
            "{agent}: {told}, took {took}"
        );
    }
}

const ONE: &str = "{ input: 1, output: 1 }";
const DEAR: &str = "{ input: 1, output: 10 }";

#[test]
fn the_most_is_never_less_than_what_is_usual_and_grows_with_every_price() {
    // With every role, in every attempt.
    let all = chosen(&[], &["hitl-memory"]);
    let cost = |dear: ModelRole, price: &str, max_tokens| {
        let forecast = told(&all, |_, role| match role {
            role if role == dear => terms("a:dear", Some(price), Some(max_tokens)),
            _ => terms("a:other", Some(ONE), Some(max_tokens)),
        });
        assert_eq!((forecast.unpriced.len(), forecast.unlimited.len()), (0, 0));
        let most = forecast.most_cost.expect("all is known");
        let typical = forecast.typical_cost.expect("all is known");
        assert!(Cost::ZERO < typical && typical < most);
        (most, typical)
    };
    let (most, typical) = cost(ModelRole::Agent, ONE, 1_000);
    for role in [ModelRole::Agent, ModelRole::Router, ModelRole::Memory] {
        let (dearer_most, dearer_typical) = cost(role, DEAR, 1_000);
        assert!(most < dearer_most && typical < dearer_typical, "{role:?}");
    }
    let (longer_most, same_typical) = cost(ModelRole::Agent, ONE, 2_000);
    assert!(most < longer_most);
    assert_eq!(typical, same_typical);
}

#[test]
fn an_unknown_price_leaves_the_cost_unknown_and_names_the_model() {
    let hitl = chosen(&[], &["hitl"]);
    let names = |names: &[&str]| -> BTreeSet<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    };
    let played = |simulator: Terms| {
        told(&hitl, move |_, role| match role {
            ModelRole::Simulator => simulator.clone(),
            _ => terms("a:agent", Some(ONE), Some(100)),
        })
    };
    let unpriced = played(terms("b:person", None, Some(100)));
    assert_eq!(unpriced.unpriced, names(&["b:person"]));
    assert_eq!((unpriced.most_cost, unpriced.typical_cost), (None, None));
    let unlimited = played(terms("b:person", Some(ONE), None));
    assert_eq!(unlimited.unlimited, names(&["b:person"]));
    assert_eq!(unlimited.most_cost, None);
    assert!(unlimited.typical_cost.is_some());
    // What is free needs no limit; a person nobody plays is not asked about.
    let own = played(terms("b:person", Some("{ input: 0, output: 0 }"), None));
    assert!(own.unlimited.is_empty() && own.most_cost.is_some());
    let workflow = told(&chosen(&[], &["workflow"]), |_, role| match role {
        ModelRole::Simulator | ModelRole::Memory => terms("b:none", None, None),
        _ => terms("a:agent", Some(ONE), Some(100)),
    });
    assert!(workflow.unpriced.is_empty());
}

#[test]
fn one_call_costs_at_most_its_whole_prompt_and_reply() {
    let mut choices = chosen(&[Suite::Triage], &["workflow"]);
    (choices.repeat, choices.limits.max_steps) = (1, 1);
    choices.selection.ids = vec!["respond".to_owned()];
    let table: Table = read("'a:m': { input: 1, output: 100 }").unwrap();
    let price = Prices::with(table).of("a:m").expect("it is stated");
    let forecast = told(&choices, |_, _| Terms {
        model: "a:m".to_owned(),
        price: Some(price),
        max_tokens: Some(50),
    });
    let router = prompt_bytes(AgentKind::Workflow, &choices.behaviour)[&ModelRole::Router];
    let email = example("respond", Triage::Respond).email.to_prompt().len() as u64;
    let around = AROUND * BYTES_PER_TOKEN;
    assert_eq!(
        forecast.most_cost,
        Some(price.most(router + email + around, 50))
    );
}

/// [`everything`], with two criteria and a person who says something twice.
fn judged() -> Dataset {
    let mut dataset = everything();
    let criteria = ["Thanks", "Names the day"];
    dataset.examples[2].expect.criteria = criteria.map(|it| it.to_owned().into()).into();
    dataset
}

fn canaries() -> u64 {
    canary::count(JudgeKey::ResponseCriteria) as u64
}

#[test]
fn canaries_are_no_longer_than_they_are_taken_to_be() {
    let canaries = include_str!("../../../judges/canaries.jsonl");
    for line in canaries.lines() {
        assert!((line.len() as u64) < judges::CANARY, "{line}");
    }
}

#[test]
fn judges_are_asked_about_every_statement_by_every_vote_and_at_most_twice() {
    let mut choices = chosen(&[Suite::Triage, Suite::Response], &["workflow", "baseline"]);
    choices.judging.judges = None;
    choices.judging.votes = Some(5);
    choices.judging.models = vec!["a:one".into(), "a:other".into()];
    let dataset = judged();
    let told = |choices: &Choices, terms: &dyn Fn(&str, ModelRole) -> Terms| {
        let plan = Plan::resolve(choices, &dataset).unwrap();
        forecast(&plan, &dataset, &choices.judging.definitions, terms)
    };
    let judges = told(&choices, &free).roles[&ModelRole::Judge];
    // Two variants, three attempts at one example of two criteria; and the canaries once.
    let usual = (2 * 3 * 2 + canaries()) * 5 * 2;
    assert_eq!((judges.typical, judges.most), (usual, 2 * usual));
    let mut nobody = choices.clone();
    nobody.judging.judges = Some(Vec::new());
    let without = told(&nobody, &free);
    assert!(!without.roles.contains_key(&ModelRole::Judge));
    let with = told(&choices, &free);
    assert_eq!(with.calls.most, without.calls.most + 2 * usual);
    assert_eq!(with.calls.typical, without.calls.typical + usual);
}

#[test]
fn what_judging_costs_is_what_its_models_cost() {
    let mut choices = chosen(&[Suite::Triage, Suite::Response], &["workflow"]);
    choices.judging.judges = None;
    choices.judging.models = vec!["a:one".into(), "a:other".into()];
    let dataset = judged();
    let plan = Plan::resolve(&choices, &dataset).unwrap();
    let told = |one: Terms, other: Terms| {
        forecast(
            &plan,
            &dataset,
            &choices.judging.definitions,
            |name, role| match (role, name) {
                (ModelRole::Judge, "a:one") => one.clone(),
                (ModelRole::Judge, "a:other") => other.clone(),
                _ => free(name, role),
            },
        )
    };
    let paid = |price| terms("a:one", Some(price), Some(100));
    let costs = |forecast: Forecast| {
        assert!(forecast.unpriced.is_empty() && forecast.unlimited.is_empty());
        (forecast.most_cost.unwrap(), forecast.typical_cost.unwrap())
    };
    let (most, typical) = costs(told(paid(ONE), paid(ONE)));
    assert!(Cost::ZERO < typical && typical < most);
    for (one, other) in [(DEAR, ONE), (ONE, DEAR)] {
        let (dearer_most, dearer_typical) = costs(told(paid(one), paid(other)));
        assert!(
            most < dearer_most && typical < dearer_typical,
            "each is asked"
        );
    }
    // Three attempts, two criteria, each model once: the email, the rubric, and some 150 tokens.
    let tokens = typical.trillionths() / 1_000_000;
    let each = tokens / ((3 * 2 + canaries()) * 2);
    assert!((500..5_000).contains(&each), "{each}");
    let unknown = told(paid(ONE), terms("a:other", None, Some(100)));
    assert_eq!(unknown.unpriced, BTreeSet::from(["a:other".to_owned()]));
    assert_eq!((unknown.most_cost, unknown.typical_cost), (None, None));
    let endless = told(paid(ONE), terms("a:other", Some(ONE), None));
    assert_eq!(endless.unlimited, BTreeSet::from(["a:other".to_owned()]));
    assert_eq!(endless.most_cost, None);
}
