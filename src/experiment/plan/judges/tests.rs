use jiff::Timestamp;
use serde_json::json;

use super::*;
use crate::dataset::Criterion;
use crate::experiment::Choices;
use crate::experiment::tests::{DAY, choices, dataset, episode, example, rule, scenario};
use crate::run::ModelRole;
use crate::score::Suite;

fn says(text: &str) -> RuleAnswer {
    RuleAnswer::Respond(text.to_owned())
}

/// One example to answer with two criteria and one to ignore, a scenario in which a person
/// says something, and an episode that teaches something.
fn asking() -> Dataset {
    let mut dataset = dataset(1);
    dataset.examples[0].expect.criteria = ["Thanks", "Names the day"]
        .map(|text| Criterion::from(text.to_owned()))
        .into();
    dataset.examples.push(example("spam", Triage::Ignore));
    dataset.scenarios = vec![scenario("e0/shorter", 0, vec![rule(says("Shorter."))])];
    let mut learns = episode("learns", &[0, 1]);
    learns.steps[0].human = vec![rule(RuleAnswer::Edit(Default::default()))];
    dataset.episodes = vec![learns];
    dataset
}

fn everybody() -> Choices {
    Choices {
        agents: vec!["workflow".into(), "hitl-memory".into()],
        ..choices()
    }
}

fn plan(choices: &Choices, dataset: &Dataset) -> Plan {
    Plan::resolve(choices, dataset).unwrap()
}

fn names(plan: &Plan) -> Vec<JudgeKey> {
    plan.judges.iter().map(|judge| judge.judge).collect()
}

#[test]
fn judges_run_where_they_have_something_to_ask() {
    use JudgeKey::{FeedbackHonoured, MemoryUpdate, ResponseCriteria, TriageReasonable};
    let all = asking();
    let mut uncritical = asking();
    uncritical.examples[0].expect.criteria.clear();
    let mut only_noticed = asking();
    only_noticed.examples[0].expect.triage = Triage::Notify;
    let mut silent = asking();
    silent.scenarios[0].human = Person::Scripted(vec![rule(RuleAnswer::Ignore)]);
    let mut played = asking();
    played.scenarios[0].human = Person::Simulated {
        description: "Sam".into(),
        turns: 3,
    };
    let mut answered = asking();
    answered.scenarios[0].human = Person::Scripted(vec![Rule {
        on: On::Tool("question".into()),
        ..rule(says("On Monday."))
    }]);
    let mut accepted = asking();
    accepted.episodes[0].steps[0].human = vec![rule(RuleAnswer::Accept)];
    let every = [ResponseCriteria, FeedbackHonoured, MemoryUpdate];
    for (case, dataset, suites, judges) in [
        ("all", &all, &[][..], &every[..]),
        ("no criteria", &uncritical, &[], &every[1..]),
        (
            "criteria where nothing is answered",
            &only_noticed,
            &[],
            &every[1..],
        ),
        (
            "nobody says anything",
            &silent,
            &[],
            &[ResponseCriteria, MemoryUpdate],
        ),
        (
            "an answer is no wish",
            &answered,
            &[],
            &[ResponseCriteria, MemoryUpdate],
        ),
        ("a played person may", &played, &[], &every),
        ("nothing is learnt", &accepted, &[], &every[..2]),
        ("triage alone", &all, &[Suite::Triage], &[]),
        ("people alone", &all, &[Suite::Hitl], &[FeedbackHonoured]),
    ] {
        let choices = Choices {
            suites: suites.to_vec(),
            ..everybody()
        };
        let plan = plan(&choices, dataset);
        assert_eq!(names(&plan), judges, "{case}");
        assert_eq!(
            plan.left_out,
            if suites == [Suite::Hitl] {
                vec![LeftOut::Variants(vec!["workflow@rules".into()])]
            } else {
                Vec::new()
            },
            "{case}: nobody asked for the others"
        );
    }
    let mut chosen = everybody();
    chosen.judging.judges = Some(vec![TriageReasonable, ResponseCriteria]);
    assert_eq!(
        names(&plan(&chosen, &all)),
        [ResponseCriteria, TriageReasonable]
    );
    chosen.judging.judges = Some(Vec::new());
    assert_eq!(names(&plan(&chosen, &all)), []);
}

#[test]
fn a_judge_that_was_asked_for_and_has_nothing_to_do_is_told_of() {
    let mut choices = Choices {
        suites: vec![Suite::Triage, Suite::Response],
        ..everybody()
    };
    choices.judging.judges = Some(JudgeKey::ALL.to_vec());
    choices.judging.thresholds = BTreeMap::from([(JudgeKey::ResponseCriteria, 0.5)]);
    let mut dataset = asking();
    dataset.examples[0].expect.criteria.clear();
    let plan = plan(&choices, &dataset);
    let told: Vec<String> = plan.left_out.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(told.join("\n"), @"
    judge `response_criteria` is skipped: no example that is selected wants an answer and has criteria
    judge `feedback_honoured` is skipped: suite `hitl` does not run
    judge `memory_update` is skipped: suite `memory` does not run
    judge `pairwise` is skipped: it does not judge single attempts
    the threshold of `response.criteria` decides nothing: judge `response_criteria` does not run
    ");
}

#[test]
fn the_models_of_a_panel_are_those_chosen_or_defined_or_the_agent_s() {
    let chosen = |models: &[&str]| {
        let mut choices = everybody();
        choices.models = vec!["rules".into(), "openai:m".into()];
        choices.judging.models = models.iter().map(|&model| model.to_owned()).collect();
        choices
    };
    let panels = |plan: &Plan, judge: usize| -> Vec<Vec<String>> {
        let panels = plan.judges[judge].panels.iter();
        panels.map(|panel| panel.models.clone()).collect()
    };
    let own = plan(&chosen(&[]), &asking());
    assert_eq!(panels(&own, 0), [["rules"], ["openai:m"]]);
    for variant in &own.variants {
        assert!(variant.judge_models.is_empty());
        let panel = own.judges[0].panel(variant).unwrap();
        assert_eq!(panel.models, [variant.model.as_str()]);
    }
    // Where nothing is remembered, a judge of memories has nothing to look at.
    let workflow = &own.variants[0];
    assert_eq!(workflow.agent, "workflow");
    assert!(own.judges[2].panel(workflow).is_none());

    let panel = plan(&chosen(&["openai:a", "rules"]), &asking());
    assert_eq!(panels(&panel, 0), [["openai:a", "rules"]]);
    for variant in &panel.variants {
        assert_eq!(variant.judge_models, ["openai:a", "rules"]);
        assert_eq!(panel.judges[0].panel(variant).unwrap().models.len(), 2);
        let roles = variant.roles();
        let judges = roles.filter(|(role, _)| *role == ModelRole::Judge);
        let judges: Vec<&str> = judges.map(|(_, name)| name).collect();
        assert_eq!(judges, ["openai:a", "rules"]);
    }
    assert!(
        panel.models["openai:a"]
            .settings
            .contains_key(&ModelRole::Judge)
    );
    assert!(
        !panel.models["openai:m"]
            .settings
            .contains_key(&ModelRole::Judge)
    );
    // Nobody judges: no model is asked to.
    let mut nobody = chosen(&[]);
    nobody.judging.judges = Some(Vec::new());
    let nobody = plan(&nobody, &asking());
    assert!(
        !nobody.models["openai:m"]
            .settings
            .contains_key(&ModelRole::Judge)
    );
}

#[test]
fn an_experiment_is_judged_as_it_was_begun() {
    let mut panel = everybody();
    panel.judging.models = vec!["openai:a".into(), "rules".into()];
    panel.judging.votes = Some(3);
    panel.judging.trust = true;
    panel.judging.thresholds = BTreeMap::from([(JudgeKey::FeedbackHonoured, 0.75)]);
    let mut some = everybody();
    some.judging.judges = Some(vec![JudgeKey::TriageReasonable]);
    let mut nobody = everybody();
    nobody.judging.judges = Some(Vec::new());
    for choices in [everybody(), panel, some, nobody] {
        let dataset = asking();
        let begun = plan(&choices, &dataset);
        let header = begun.header("x", Timestamp::UNIX_EPOCH, DAY);
        let again = plan(&Choices::of(&header), &dataset);
        assert_eq!(again.header("x", header.created, header.date), header);
        // One that was written before there were judges is gone on with without any.
        let mut before = serde_json::to_value(&header).unwrap();
        before.as_object_mut().unwrap().remove("judges");
        before["variants"] = json!([before["variants"][0].clone()]);
        let before: Header = serde_json::from_value(before).unwrap();
        assert_eq!(Choices::of(&before).judging.judges, Some(Vec::new()));
    }
}

#[test]
fn what_may_be_asked_is_counted_by_who_may_answer_what() {
    let data = asking();
    fn of(judge: JudgeKey, item: Item<'_>) -> (u64, u64) {
        let Statements { most, typical } = statements(judge, item, 10);
        (most, typical)
    }
    let example = Item::Example(&data.examples[0]);
    assert_eq!(of(JudgeKey::ResponseCriteria, example), (2, 2));
    assert_eq!(
        of(JudgeKey::ResponseCriteria, Item::Example(&data.examples[1])),
        (0, 0)
    );
    assert_eq!(of(JudgeKey::TriageReasonable, example), (1, 1));
    assert_eq!(of(JudgeKey::FeedbackHonoured, example), (0, 0));
    let said = |rules| {
        let scenario = scenario("s", 0, rules);
        of(JudgeKey::FeedbackHonoured, Item::Scenario(&scenario))
    };
    let first = |rule| Rule {
        nth: Some(1),
        ..rule
    };
    assert_eq!(said(vec![first(rule(says("Shorter.")))]), (1, 1));
    assert_eq!(
        said(vec![rule(says("Shorter.")), rule(RuleAnswer::Accept)]),
        (10, 1)
    );
    let learnt = |rules| {
        let mut episode = episode("e", &[0, 1, 0]);
        (episode.steps[0].human, episode.steps[2].human) = (rules, vec![first(rule(says("x")))]);
        of(JudgeKey::MemoryUpdate, Item::Episode(&episode))
    };
    assert_eq!(learnt(Vec::new()), (1, 1));
    assert_eq!(
        learnt(vec![
            first(rule(RuleAnswer::Ignore)),
            rule(RuleAnswer::Timeout)
        ]),
        (2, 2)
    );
}
