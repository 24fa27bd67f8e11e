use super::*;
use crate::email::Triage;
use crate::experiment::{AskedModel, JudgePlan, Panel};
use crate::judge::JudgeKey;
use crate::judge::calibration::Standing;

fn judge(rubric: &str, models: &[&str]) -> JudgePlan {
    JudgePlan {
        judge: JudgeKey::ResponseCriteria,
        version: 1,
        rubric_hash: rubric.repeat(32),
        prompt_hash: "00".repeat(32),
        parser_version: 1,
        votes: 1,
        threshold: None,
        trusted: false,
        panels: vec![Panel {
            models: models.iter().map(ToString::to_string).collect(),
            standing: Standing::Uncalibrated,
        }],
    }
}

#[test]
fn what_else_differs_is_told_settings_first() {
    let reference = failing("a", 10, &[]);
    let mut candidate = failing("b", 12, &[]);
    candidate.facts.repeat = 3;
    candidate.facts.limits.max_steps = 9;
    candidate.facts.dataset.hash = "ef56".repeat(16);
    candidate.facts.complete = false;
    candidate.examples.get_mut("e003").unwrap().expected = Some(Triage::Notify);
    candidate.variants[0].variant.router_model = Some("openai:m".to_owned());
    insta::assert_snapshot!(compared(&reference, &candidate).differences.join("\n"), @r"
    `repeat` was 1, and is 3: the first attempt of each is compared
    `limits.max_steps` was 25, and is 9
    `workflow@rules.router_model` was not set, and is `openai:m`
    the dataset is another: `emails` (ef56ef56ef56…) was `emails` (ab12ab12ab12…)
    2 examples are in `b` alone: `e010`, `e011`
    another decision is expected of 1 example: `e003`
    `b` is not complete: not every attempt that it planned is recorded
    ");
    assert_eq!(compared(&reference, &reference).differences, [""; 0]);
}

#[test]
fn other_rules_are_told_in_words() {
    let by = |model: &str| {
        let asked = AskedModel {
            model: model.to_owned(),
            settings: Default::default(),
        };
        [("rules".to_owned(), asked)].into()
    };
    let mut reference = failing("a", 10, &[]);
    let mut candidate = failing("b", 10, &[]);
    let mut told = Vec::new();
    let mut compare = |reference: &Results, candidate: &Results| {
        told.extend(compared(reference, candidate).differences);
    };
    candidate.facts.models = by("rules#ab12");
    compare(&reference, &candidate);
    compare(&candidate, &reference);
    reference.facts.models = by("rules#cd34");
    compare(&reference, &candidate);
    compare(&reference, &reference);
    insta::assert_snapshot!(told.join("\n"), @r"
    the model `rules` goes by other rules: those of a `rules_file` (`ab12`) now, the embedded ones before
    the model `rules` goes by other rules: the embedded ones now, those of a `rules_file` (`ab12`) before
    the model `rules` goes by other rules: those of a `rules_file` (`ab12`) now, those of a `rules_file` (`cd34`) before
    ");
}

#[test]
fn a_judge_that_was_asked_otherwise_is_compared_only_across() {
    let mut reference = failing("before", 60, &[]);
    let mut candidate = failing("after", 60, &[]);
    reference.facts.judges = vec![judge("ab", &["rules"])];
    candidate.facts.judges = vec![judge("cd", &["openai:m"])];
    let refused = compare(&reference, &candidate, &Pairing::default(), &rule()).unwrap_err();
    insta::assert_snapshot!(refused, @"the judge `response_criteria` is not the same: its rubric was `abababababab…` in `before`, and is `cdcdcdcdcdcd…`; have both judged alike (`mailproof rescore before`), leave it out (`--judge none`), or compare all the same with `mailproof compare … --across`");
    let across = Pairing {
        across: true,
        ..Pairing::default()
    };
    let comparison = compare(&reference, &candidate, &across, &rule()).unwrap();
    insta::assert_snapshot!(comparison.differences.join("\n"), @r"
    the rubric of the judge `response_criteria` was `abababababab…`, and is `cdcdcdcdcdcd…`: what it said is compared although it was asked otherwise
    `judges.response_criteria.models` was `rules`, and is `openai:m`
    ");
    // Who judges by the same rubric may differ, and is told.
    candidate.facts.judges = vec![judge("ab", &["openai:m"])];
    assert_eq!(compared(&reference, &candidate).differences.len(), 1);
    candidate.facts.judges.clear();
    let told = compared(&reference, &candidate).differences;
    assert_eq!(
        told,
        ["the judge `response_criteria` looked at `before` alone, so its keys are not compared"]
    );
}

#[test]
fn experiments_that_share_no_example_are_refused() {
    let reference = failing("a", 5, &[]);
    let mut candidate = experiment("b", &["workflow@rules"]);
    put(&mut candidate, 0, "other", 1, 1);
    let refused = compare(&reference, &candidate, &Pairing::default(), &rule()).unwrap_err();
    insta::assert_snapshot!(refused, @"`a` and `b` share no example: 5 of the one and 1 of the other have other ids; run both on the same dataset");
}
