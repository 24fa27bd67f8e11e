//! Comparisons made up for tests.

use std::collections::BTreeMap;

use serde_json::json;

use crate::compare::{
    Comparison, Difference, Flaky, Flip, GroupChange, KeyChange, Measure, Noise, NoiseChange, Pair,
    Resource, ResourceChange, Rule, Side, Verdict,
};
use crate::email::Triage;
use crate::experiment::{Attempt, CaseKey, CaseKind};
use crate::message::{Message, ToolCall, ToolStatus};
use crate::run::{Outcome, Run, Usage};
use crate::score::{Feedback, Key, Score};

fn side(experiment: &str) -> Side {
    Side {
        experiment: experiment.to_owned(),
        file: None,
        created: "2026-03-02T10:15:00Z".parse().unwrap(),
        dataset_hash: "0123456789abcdef".repeat(4),
        repeat: 1,
        layer: None,
        complete: true,
    }
}

fn difference(effect: f64, low: f64, high: f64, p: f64, mde: f64, units: u64) -> Difference {
    Difference {
        effect,
        low: Some(low),
        high: Some(high),
        p_worse: Some(p),
        p_adjusted: Some(p),
        mde: Some(mde),
        method: "exact McNemar test, Tango's interval".to_owned(),
        units,
    }
}

fn key(measure: Measure, verdict: Verdict, reference: f64, difference: Difference) -> KeyChange {
    KeyChange {
        measure,
        gates: measure == Measure::PassRate,
        verdict,
        reference,
        candidate: reference + difference.effect,
        pairs: difference.units,
        difference,
    }
}

pub(crate) fn flip(example: &str, tags: &[&str], reference: u32, candidate: u32) -> Flip {
    Flip {
        example: example.to_owned(),
        kind: CaseKind::Example,
        split: Some("test".to_owned()),
        tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
        reference_passed: reference,
        reference_scored: 1,
        candidate_passed: candidate,
        candidate_scored: 1,
        changes: BTreeMap::from([(
            Measure::Key(Key::TriageAccuracy),
            f64::from(candidate) - f64::from(reference),
        )]),
    }
}

fn comparison(verdict: Verdict, pairs: Vec<Pair>) -> Comparison {
    Comparison {
        reference: side("before"),
        candidate: side("after"),
        rule: Rule {
            margin: 0.05,
            alpha: 0.05,
            gates: vec![Measure::PassRate],
            seed: 0,
        },
        verdict,
        looks: None,
        differences: Vec::new(),
        pairs,
        only_reference: Vec::new(),
        only_candidate: Vec::new(),
    }
}

fn pair(variant: &str, verdict: Verdict, keys: Vec<KeyChange>) -> Pair {
    Pair {
        reference: variant.to_owned(),
        candidate: variant.to_owned(),
        verdict,
        shared: keys[0].pairs,
        only_reference: Vec::new(),
        only_candidate: Vec::new(),
        only_reference_count: 0,
        only_candidate_count: 0,
        open: Vec::new(),
        keys,
        tags: BTreeMap::new(),
        splits: BTreeMap::new(),
        flips: Vec::new(),
        flaky: Vec::new(),
        noise: Vec::new(),
        resources: Vec::new(),
    }
}

/// An agent that got worse where the tag is `security`.
pub(crate) fn worse() -> Comparison {
    let keys = vec![
        key(
            Measure::PassRate,
            Verdict::Worse,
            0.84,
            difference(-0.08, -0.125, -0.041, 0.0006, 0.034, 150),
        ),
        key(
            Measure::Key(Key::TriageAccuracy),
            Verdict::Worse,
            0.9,
            difference(-0.08, -0.125, -0.041, 0.0006, 0.034, 150),
        ),
        key(
            Measure::Key(Key::ToolCallsRecall),
            Verdict::Equivalent,
            0.71,
            difference(0.0, -0.02, 0.02, 1.0, 0.03, 60),
        ),
    ];
    let mut pair = pair("workflow@rules", Verdict::Worse, keys);
    let group = |pairs, reference, effect: f64, worse, better| GroupChange {
        pairs,
        reference,
        candidate: reference + effect,
        worse,
        better,
        verdict: Verdict::CannotTell,
        difference: difference(effect, effect - 0.2, effect + 0.2, 0.02, 0.3, pairs),
    };
    pair.tags = BTreeMap::from([
        ("security".to_owned(), group(14, 0.9286, -0.7857, 11, 0)),
        ("billing".to_owned(), group(20, 0.8, -0.1, 3, 1)),
        ("meeting".to_owned(), group(30, 0.8, 0.0, 0, 0)),
    ]);
    pair.splits = BTreeMap::from([("test".to_owned(), group(75, 0.82, -0.0933, 8, 1))]);
    pair.flips = (1..=13)
        .map(|number| flip(&format!("alert-{number}"), &["security", "automated"], 1, 0))
        .chain([flip("invoice-question", &["billing"], 0, 1)])
        .collect();
    pair.resources = vec![
        ResourceChange {
            resource: Resource::LatencyMs,
            reference: 1200.0,
            candidate: 900.0,
            low: Some(-400.0),
            high: Some(-200.0),
        },
        ResourceChange {
            resource: Resource::CostUsd,
            reference: 0.002,
            candidate: 0.0021,
            low: Some(-0.0001),
            high: Some(0.0003),
        },
    ];
    let mut comparison = comparison(Verdict::Worse, vec![pair]);
    comparison.differences = vec!["the prompt date was 2026-03-01 and is 2026-03-02".to_owned()];
    comparison
}

/// Two variants that did the same.
pub(crate) fn unchanged() -> Comparison {
    let keys = || {
        vec![key(
            Measure::PassRate,
            Verdict::Equivalent,
            0.84,
            difference(0.0, -0.018, 0.018, 1.0, 0.034, 150),
        )]
    };
    comparison(
        Verdict::Equivalent,
        vec![
            pair("baseline@rules", Verdict::Equivalent, keys()),
            pair("workflow@rules", Verdict::Equivalent, keys()),
        ],
    )
}

/// Ten examples.
pub(crate) fn too_few() -> Comparison {
    let keys = vec![key(
        Measure::PassRate,
        Verdict::CannotTell,
        0.8,
        difference(-0.1, -0.39, 0.12, 0.5, 0.384, 10),
    )];
    let mut pair = pair("hitl@rules", Verdict::CannotTell, keys);
    pair.flips = vec![flip("newsletter", &[], 1, 0)];
    pair.flaky = vec![Flaky {
        example: "invoice".to_owned(),
        kind: CaseKind::Example,
        reference_passed: 1,
        reference_scored: 3,
        candidate_passed: 2,
        candidate_scored: 3,
    }];
    let noise = |agent, judge| Noise {
        examples: 10,
        agent,
        judge,
    };
    pair.noise = vec![
        NoiseChange {
            measure: Measure::PassRate,
            reference: Some(noise(0.0667, None)),
            candidate: Some(noise(0.0444, None)),
        },
        NoiseChange {
            measure: Measure::Key(Key::ResponseCriteria),
            reference: None,
            candidate: Some(noise(0.0444, Some(0.01))),
        },
    ];
    pair.only_candidate = vec!["new-one".to_owned()];
    pair.only_candidate_count = 1;
    let mut comparison = comparison(Verdict::CannotTell, vec![pair]);
    comparison.reference.file = Some("mailproof.reference.jsonl".to_owned());
    comparison.only_reference = vec!["baseline@rules".to_owned()];
    comparison
}

/// Names that somebody else chose.
pub(crate) fn hostile() -> Comparison {
    let mut comparison = worse();
    let bad = "<img src=x onerror=alert(1)>\u{1b}[31m|`\u{202e}";
    comparison.reference.experiment = bad.to_owned();
    let pair = &mut comparison.pairs[0];
    pair.candidate = bad.to_owned();
    pair.flips = vec![flip(bad, &[bad], 1, 0)];
    let group = pair.tags["security"].clone();
    pair.tags = BTreeMap::from([(bad.to_owned(), group)]);
    comparison.differences = vec![bad.to_owned()];
    comparison.only_candidate = vec![bad.to_owned()];
    comparison
}

/// An attempt at `invoice-question` with these calls in one message.
pub(crate) fn attempt(
    calls: &[(&str, serde_json::Value, ToolStatus)],
    passed: bool,
) -> Attempt<Run> {
    let calls: Vec<(ToolCall, ToolStatus)> = calls
        .iter()
        .enumerate()
        .map(|(number, (name, arguments, status))| {
            let call = ToolCall {
                id: format!("call-{number}"),
                name: (*name).to_owned(),
                arguments: arguments.clone(),
            };
            (call, *status)
        })
        .collect();
    let mut messages = vec![Message::assistant(
        "a",
        "",
        calls.iter().map(|(call, _)| call.clone()).collect(),
    )];
    messages.extend(
        calls
            .iter()
            .map(|(call, status)| Message::tool(format!("t-{}", call.id), call, *status, "done")),
    );
    Attempt {
        case: CaseKey {
            variant: 0,
            position: 0,
            repeat: 0,
            example: "invoice-question".into(),
        },
        kind: CaseKind::Example,
        split: None,
        cluster: None,
        tags: Vec::new(),
        expected: Some(Triage::Respond),
        found: Some(Triage::Respond),
        outcome: Outcome::Finished,
        error: None,
        feedback: vec![Feedback {
            key: Key::ToolCallsExact,
            score: Score::from(passed),
            comment: (!passed).then(|| "write_email to the wrong address".to_owned()),
            checks: Vec::new(),
        }],
        judged: Vec::new(),
        notes: Vec::new(),
        memory: Vec::new(),
        learning: None,
        usage: Usage::default(),
        latency_ms: 1200.0,
        started: None,
        runs: vec![Run {
            outcome: Outcome::Finished,
            error: None,
            triage: Some(Triage::Respond),
            reasoning: None,
            messages,
            steps: Vec::new(),
            usage: Usage::default(),
            latency_ms: 1200.0,
            pauses: Vec::new(),
            memory: None,
            prompts: Vec::new(),
        }],
        ablation: Vec::new(),
    }
}

/// Two attempts of which the second called less, and to a wrong address.
pub(crate) fn two() -> (Attempt<Run>, Attempt<Run>) {
    use ToolStatus::{Denied, Executed};
    let mail = |to: &str, content: &str| json!({"to": to, "subject": "Re: Invoice 1042", "content": content});
    let reference = attempt(
        &[
            (
                "check_calendar_availability",
                json!({"day": "2026-03-03"}),
                Executed,
            ),
            (
                "write_email",
                mail(
                    "ana@northwind.example",
                    "Dear Ana,\n\ninvoice 1042 was paid on Monday.\n\nSam",
                ),
                Executed,
            ),
            ("done", json!({}), Executed),
        ],
        true,
    );
    let candidate = attempt(
        &[
            (
                "Write_Email",
                mail(
                    "ana@northwind.test",
                    "Dear Ana,\n\nI will look at invoice 1042.\n\nSam",
                ),
                Executed,
            ),
            (
                "question",
                json!({"content": "Was it paid?\u{1b}[2J"}),
                Denied,
            ),
            ("done", json!({}), Executed),
        ],
        false,
    );
    (reference, candidate)
}
