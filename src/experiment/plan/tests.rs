use super::*;
use crate::agent::UnknownAgent;
use crate::experiment::tests::{choices, dataset, episode, example, scenario};

#[test]
fn variants_are_agents_crossed_with_models() {
    let plan = Plan::resolve(
        &Choices {
            models: vec!["rules".into(), "openai:gpt/4".into()],
            router_model: Some("rules".into()),
            ..choices()
        },
        &dataset(3),
    )
    .unwrap();
    let variants: Vec<_> = plan
        .variants
        .iter()
        .map(|v| (v.name.as_str(), v.file_name(), v.router_model.as_deref()))
        .collect();
    assert_eq!(
        variants,
        [
            ("baseline@rules", "baseline-rules".into(), None),
            (
                "baseline@openai:gpt/4",
                "baseline-openai-gpt-4".into(),
                None
            ),
            ("workflow@rules", "workflow-rules".into(), None),
            (
                "workflow@openai:gpt/4",
                "workflow-openai-gpt-4".into(),
                Some("rules")
            ),
        ]
    );
    assert_eq!(plan.cases().count(), 12);
}

#[test]
fn what_cannot_be_run_is_refused() {
    let refuse = |choices: Choices| Plan::resolve(&choices, &dataset(3)).unwrap_err();
    let models = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
    for (case, choices, expected) in [
        (
            "no agent",
            Choices {
                agents: vec![],
                ..choices()
            },
            PlanError::NoAgent,
        ),
        (
            "no model",
            Choices {
                models: vec![],
                ..choices()
            },
            PlanError::NoModel,
        ),
        (
            "unknown agent",
            Choices {
                agents: vec!["robot".into()],
                ..choices()
            },
            PlanError::UnknownAgent(UnknownAgent {
                name: "robot".into(),
            }),
        ),
        (
            "twice",
            Choices {
                models: models(&["rules", "rules"]),
                ..choices()
            },
            PlanError::VariantTwice("baseline@rules".into()),
        ),
        (
            "same file name",
            Choices {
                models: models(&["a:b", "a/b"]),
                ..choices()
            },
            PlanError::VariantFileName {
                one: "baseline@a:b".into(),
                other: "baseline@a/b".into(),
                file_name: "baseline-a-b".into(),
            },
        ),
        (
            "no repeat",
            Choices {
                repeat: 0,
                ..choices()
            },
            PlanError::Zero { what: "`--repeat`" },
        ),
        (
            "no steps",
            Choices {
                limits: Limits {
                    max_steps: 0,
                    timeout_ms: 1,
                },
                ..choices()
            },
            PlanError::Zero {
                what: "`--max-steps`",
            },
        ),
        (
            "too many",
            Choices {
                repeat: u32::MAX,
                ..choices()
            },
            PlanError::TooManyAttempts {
                variants: 2,
                items: 3,
                repeat: u32::MAX,
            },
        ),
        (
            "rate",
            Choices {
                min_pass_rate: Some(95.0),
                ..choices()
            },
            PlanError::PassRate(95.0),
        ),
    ] {
        assert_eq!(refuse(choices), expected, "{case}");
    }
}

/// One email of each label, the one to answer with an expected call.
fn labels() -> Dataset {
    let mut examples: Vec<Example> = Triage::ALL
        .into_iter()
        .map(|label| example(label.name(), label))
        .collect();
    examples[2].expect.tool_calls = Some(Vec::new());
    Dataset {
        examples,
        ..dataset(0)
    }
}

#[test]
fn only_emails_to_answer_enter_the_response_suite() {
    let plan = |suites: &[Suite]| {
        let choices = Choices {
            suites: suites.to_vec(),
            ..choices()
        };
        Plan::resolve(&choices, &labels()).unwrap()
    };
    let response = plan(&[Suite::Response]);
    assert_eq!((response.examples, response.unasked), (vec![2], 2));
    let all = plan(&[Suite::Response, Suite::Triage]);
    assert_eq!((all.examples, all.unasked), (vec![0, 1, 2], 0));
    assert_eq!(all.suites, [Suite::Triage, Suite::Response]);
}

#[test]
fn the_choices_behind_a_header_resolve_to_the_same_plan() {
    let choices = Choices {
        models: vec!["rules".into(), "a:b".into()],
        router_model: Some("a:c".into()),
        memory_model: Some("a:d".into()),
        behaviour: Behaviour {
            review: vec!["write_email".into()],
            notify_accept: false,
            ..Behaviour::default()
        },
        agents: vec!["hitl-memory".into(), "baseline".into()],
        min_pass_rate: Some(0.5),
        repeat: 3,
        ..choices()
    };
    let plan = Plan::resolve(&choices, &dataset(5)).unwrap();
    let header = plan.header("x", Timestamp::UNIX_EPOCH, Date::constant(2026, 3, 2));
    assert_eq!(Plan::resolve(&Choices::of(&header), &dataset(5)), Ok(plan));
}

/// Three examples, two scenarios on the first, and an episode of two steps.
fn people() -> Dataset {
    Dataset {
        scenarios: vec![
            scenario("e0/accept", 0, Vec::new()),
            scenario("e0/edit", 0, Vec::new()),
        ],
        episodes: vec![episode("learns", &[0, 1])],
        ..dataset(3)
    }
}

fn chosen(suites: &[Suite], agents: &[&str]) -> Choices {
    Choices {
        suites: suites.to_vec(),
        agents: agents.iter().map(|&agent| agent.to_owned()).collect(),
        ..choices()
    }
}

#[test]
fn a_suite_that_was_named_and_does_not_apply_is_skipped_with_the_reason() {
    use Suite::{Hitl, Memory, Response, Triage};
    let skipped = |suite, why| LeftOut::Suite { suite, why };
    let no_agent = [
        skipped(Hitl, WhyNot::NoAgent),
        skipped(Memory, WhyNot::NoAgent),
    ];
    let not_there = [
        skipped(Hitl, WhyNot::NotInDataset),
        skipped(Memory, WhyNot::NotInDataset),
    ];
    for (case, dataset, named, runs, left_out) in [
        (
            "by default",
            people(),
            &[][..],
            &[Triage, Response][..],
            &[][..],
        ),
        (
            "nobody asks",
            people(),
            &[Memory, Hitl, Triage],
            &[Triage],
            &no_agent,
        ),
        (
            "nothing there",
            dataset(3),
            &[Triage, Hitl, Memory],
            &[Triage],
            &not_there,
        ),
    ] {
        let plan = Plan::resolve(&chosen(named, &["workflow"]), &dataset).unwrap();
        assert_eq!((&*plan.suites, &*plan.left_out), (runs, left_out), "{case}");
        assert_eq!(plan.items().to_string(), "3 examples", "{case}");
    }
}

#[test]
fn where_nothing_is_left_the_reasons_are_told() {
    let refused = |choices: &Choices, dataset: &Dataset| {
        Plan::resolve(choices, dataset).unwrap_err().to_string()
    };
    let hitl = chosen(&[Suite::Hitl], &["workflow"]);
    insta::assert_snapshot!(refused(&hitl, &dataset(3)), @"nothing is left to run; suite `hitl` is skipped: the dataset has no scenarios");
    insta::assert_snapshot!(refused(&choices(), &dataset(0)), @"nothing is left to run");
    let limited = |suites| Choices {
        selection: Selection {
            limit: Some(0),
            ..Selection::default()
        },
        ..chosen(suites, &["workflow"])
    };
    insta::assert_snapshot!(refused(&limited(&[]), &people()), @"nothing is selected out of 3 examples: loosen the filters");
    insta::assert_snapshot!(refused(&limited(&[Suite::Triage, Suite::Hitl]), &dataset(3)), @"nothing is selected out of 3 examples: loosen the filters; suite `hitl` is skipped: the dataset has no scenarios");
    let response = chosen(&[Suite::Response], &["workflow"]);
    insta::assert_snapshot!(refused(&response, &dataset(3)), @"nothing is selected out of 3 examples; 3 fit the filters, but no suite asks anything of them: name other suites");
}

#[test]
fn variants_take_part_where_their_agents_have_a_use_for_it() {
    use Suite::{Hitl, Memory, Response, Triage};
    let agents = ["hitl-memory", "baseline", "hitl"];
    let left_out = |names: &[&str]| {
        let names = names.iter().map(|name| format!("{name}@rules"));
        vec![LeftOut::Variants(names.collect())]
    };
    for (case, named, runs, items, variants, left, cases) in [
        (
            "all",
            &[][..],
            &[Triage, Response, Hitl, Memory][..],
            "3 examples, 2 scenarios and 1 episode",
            &agents[..],
            vec![],
            3 * 3 + 2 * 2 + 1,
        ),
        (
            "scenarios",
            &[Hitl],
            &[Hitl],
            "2 scenarios",
            &["hitl-memory", "hitl"],
            left_out(&["baseline"]),
            2 * 2,
        ),
        (
            "episodes",
            &[Memory],
            &[Memory],
            "1 episode",
            &["hitl-memory"],
            left_out(&["baseline", "hitl"]),
            1,
        ),
        (
            "no scenarios between",
            &[Memory, Triage],
            &[Triage, Memory],
            "3 examples and 1 episode",
            &agents,
            vec![],
            3 * 3 + 1,
        ),
    ] {
        let plan = Plan::resolve(&chosen(named, &agents), &people()).unwrap();
        assert_eq!(plan.suites, runs, "{case}");
        assert_eq!(plan.items().to_string(), items, "{case}");
        let names: Vec<&str> = plan.variants.iter().map(|v| v.agent.as_str()).collect();
        assert_eq!(names, variants, "{case}");
        assert_eq!(plan.left_out, left, "{case}");
        let keys: Vec<_> = plan.cases().map(|case| plan.key(case, &people())).collect();
        for key in &keys {
            let variant = &plan.variants[key.variant as usize];
            let kind = plan.item(key.position, &people()).kind();
            assert!(variant.takes_part(kind), "{case}: {key:?}");
        }
        assert_eq!(keys.len(), cases, "{case}");
        // A journal says the same of its plan.
        let header = plan.header("x", Timestamp::UNIX_EPOCH, Date::constant(2026, 3, 2));
        assert_eq!(Grid::of(&header).as_ref(), Some(plan.grid()), "{case}");
        let again = Plan::resolve(&Choices::of(&header), &people()).unwrap();
        let header_again = again.header("x", header.created, header.date);
        assert_eq!(header_again, header, "{case}");
    }
}

#[test]
fn a_suite_without_anything_selected_does_not_run() {
    use Suite::{Hitl, Memory, Triage};
    let of = |suites: &[Suite], ids: &[&str]| {
        let mut choices = chosen(suites, &["workflow", "hitl-memory"]);
        choices.selection.ids = ids.iter().map(|&id| id.to_owned()).collect();
        Plan::resolve(&choices, &people()).unwrap()
    };
    let plan = of(&[], &["e0/edit"]);
    assert_eq!((&*plan.suites, plan.items().count()), (&[Hitl][..], 1));
    let workflow = LeftOut::Variants(vec!["workflow@rules".into()]);
    assert_eq!(
        plan.left_out,
        [workflow],
        "by default nobody asked for the others"
    );
    let plan = of(&[Triage, Hitl, Memory], &["e0", "learns"]);
    assert_eq!(plan.suites, [Triage, Memory]);
    let [skipped] = &plan.left_out[..] else {
        panic!("{:?}", plan.left_out)
    };
    insta::assert_snapshot!(skipped, @"suite `hitl` is skipped: no scenario is selected");
    let mut plan = of(&[Hitl], &["e0/edit"]);
    let left_out = plan.left_out.pop().unwrap();
    insta::assert_snapshot!(left_out, @"variants left out, because no suite has a case for them: `workflow@rules`");
    let nobody = Plan::resolve(&chosen(&[Memory], &["hitl"]), &people()).unwrap_err();
    insta::assert_snapshot!(nobody, @"nothing is left to run; suite `memory` is skipped: no chosen agent takes part in episodes; choose among `hitl-memory`");
}

#[test]
fn only_examples_stop_at_the_decision_and_only_without_the_response_suite() {
    use Suite::{Hitl, Memory, Response, Triage};
    for (suites, examples) in [
        (&[Triage, Hitl, Memory][..], Until::Triage),
        (&[Triage, Response, Hitl], Until::End),
        (&[], Until::End),
    ] {
        let plan = Plan::resolve(&chosen(suites, &["hitl-memory"]), &people()).unwrap();
        assert_eq!(plan.until(CaseKind::Example), examples);
        assert_eq!(plan.until(CaseKind::Scenario), Until::End);
        assert_eq!(plan.until(CaseKind::Episode), Until::End);
    }
}

#[test]
fn the_hash_covers_what_is_selected_of_every_kind() {
    let hash = |ids: &[&str]| {
        let mut choices = chosen(&[], &["hitl-memory"]);
        choices.selection.ids = ids.iter().map(|&id| id.to_owned()).collect();
        Plan::resolve(&choices, &people()).unwrap().examples_hash
    };
    let hashes = [
        hash(&["e0"]),
        hash(&["e0", "e0/edit"]),
        hash(&["e0", "e0/accept"]),
        hash(&["e0", "learns"]),
        hash(&["learns"]),
    ];
    let distinct: std::collections::HashSet<&String> = hashes.iter().collect();
    assert_eq!(distinct.len(), hashes.len());
}

#[test]
fn a_model_for_memories_is_for_agents_that_remember() {
    let mut choices = chosen(&[], &["workflow", "hitl", "hitl-memory"]);
    choices.models = vec!["rules".into(), "a:b".into()];
    choices.memory_model = Some("a:b".into());
    let plan = Plan::resolve(&choices, &people()).unwrap();
    let models: Vec<_> = plan
        .variants
        .iter()
        .map(|v| (v.name.as_str(), v.memory_model.as_deref()))
        .filter(|(_, model)| model.is_some())
        .collect();
    assert_eq!(models, [("hitl-memory@rules", Some("a:b"))]);
}
