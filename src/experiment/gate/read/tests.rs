use super::*;
use crate::experiment::gate::{Gates, Regression};

fn read(yaml: &str) -> Result<Condition, String> {
    serde_yaml::from_str_with_options(yaml, serde_yaml::options! { strict_booleans: true })
        .map_err(|error| error.without_snippet().to_string())
}

#[test]
fn every_form_is_called_by_what_it_asks_and_comes_back_from_a_journal() {
    for (yaml, name) in [
        (
            "triage.accuracy[test] >= 0.9",
            "triage.accuracy[test] >= 0.9",
        ),
        ("{ check: 'pass_rate >= 0.7' }", "pass_rate >= 0.7"),
        (
            "{ check: 'triage.accuracy >= 0.85', bound: true, variant: workflow@rules, indecisive: fail }",
            "triage.accuracy >= 0.85 (bound)",
        ),
        ("{ cases: all, at_least: 0.9 }", "cases all >= 0.9"),
        (
            "{ cases: 2 of 3, at_least: 1, tag: billing }",
            "cases 2 of 3 [tag:billing] >= 1",
        ),
        (
            "{ cases: pass^3, at_least: 0.5, split: test }",
            "cases pass^3 [test] >= 0.5",
        ),
        (
            "{ critical: { ids: [a, b/edit], tags: [injection, phishing] } }",
            "critical a, b/edit, [tag:injection] and 1 more",
        ),
        (
            "{ forbidden: { recipients: ['*@evil.example'], tools: [Schedule_Meeting] } }",
            "forbidden *@evil.example, schedule_meeting",
        ),
    ] {
        let condition = read(yaml).unwrap_or_else(|error| panic!("{yaml}: {error}"));
        assert_eq!(condition.to_string(), name);
        let json = serde_json::to_string(&condition).unwrap();
        assert_eq!(serde_json::from_str::<Condition>(&json).unwrap(), condition);
    }
}

#[test]
fn what_is_no_gate_is_told_with_the_way_out() {
    for (yaml, message) in [
        (
            "[pass_rate]",
            "expected a gate: a text such as `pass_rate >= 0.7`, or a map",
        ),
        ("pass_rate > 0.7", "`>` is no comparison here"),
        ("{ chek: 'pass_rate >= 0.7' }", "chek"),
        ("{}", "and this one says none"),
        ("{ variant: a }", "and this one says none"),
        (
            "{ check: 'pass_rate >= 0.7', cases: all, at_least: 1 }",
            "and this one says several: make them several gates",
        ),
        (
            "{ check: 'cost_usd <= 1', bound: true }",
            "`cost_usd` has no interval",
        ),
        (
            "{ check: 'pass_rate >= 0.7', at_least: 1 }",
            "`at_least` belongs to `cases`",
        ),
        (
            "{ check: 'pass_rate >= 0.7', tag: a }",
            "`tag` belongs to `cases`",
        ),
        (
            "{ cases: all, at_least: 1, bound: true }",
            "`bound` belongs to `check`",
        ),
        ("{ cases: all }", "`cases` needs `at_least`"),
        ("{ cases: all, at_least: 90 }", "use a share from 0 to 1"),
        ("{ cases: most, at_least: 1 }", "`most` is no policy"),
        (
            "{ cases: all, at_least: 1, tag: a, split: b }",
            "leave one of them out",
        ),
        (
            "{ critical: {} }",
            "`critical` names nothing: give it `ids`, or `tags`",
        ),
        ("{ critical: { id: [a] } }", "id"),
        ("{ forbidden: {} }", "`forbidden` names nothing"),
        (
            "{ forbidden: { recipients: [evil.example] } }",
            "is no address",
        ),
        (
            "{ forbidden: { tools: [send_mail] } }",
            "`send_mail` is no tool; those are write_email,",
        ),
        ("{ check: 'pass_rate >= 0.7', indecisive: maybe }", "maybe"),
    ] {
        let error = read(yaml).expect_err(yaml);
        assert!(error.contains(message), "{yaml}: {error}");
    }
}

#[test]
fn a_regression_is_what_it_says_and_else_the_default() {
    let read = |yaml: &str| {
        serde_yaml::from_str_with_options::<Regression>(
            yaml,
            serde_yaml::options! { strict_booleans: true },
        )
    };
    assert_eq!(read("{}").unwrap(), Regression::default());
    let said = read("{ margin: 0.02, alpha: 0.1, keys: [pass_rate, hitl.pass], indecisive: pass }");
    let said = said.unwrap();
    assert_eq!((said.margin, said.alpha), (0.02, 0.1));
    assert_eq!(said.keys.len(), 2);
    let gates = Gates {
        regression: Some(said),
        ..Gates::default()
    };
    assert_eq!(gates.indecisive_regression(), Indecisive::Pass);
    let json = serde_json::to_string(&gates).unwrap();
    assert_eq!(serde_json::from_str::<Gates>(&json).unwrap(), gates);
    assert_eq!(serde_json::to_string(&Gates::default()).unwrap(), "{}");
    for (yaml, message) in [
        ("{ margin: 5 }", "from 0 to 1"),
        ("{ alpha: 0 }", "between 0 and 0.5"),
        ("{ alpha: .nan }", "between 0 and 0.5"),
        ("{ keys: [] }", "name what must not get worse"),
        (
            "{ keys: [triage.macro_f1] }",
            "cannot be compared by `triage.macro_f1`; they can by pass_rate, triage.accuracy, tool_calls.reference",
        ),
        ("{ key: [pass_rate] }", "key"),
    ] {
        let error = read(yaml).expect_err(yaml).to_string();
        assert!(error.contains(message), "{yaml}: {error}");
    }
}
