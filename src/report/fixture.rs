//! Experiments made up for tests.

use std::collections::BTreeMap;

use crate::agent::Behaviour;
use crate::email::Triage;
use crate::experiment::journal::Ledger;
use crate::experiment::{
    Attempt, CaseKey, CaseKind, DatasetInfo, EndReason, Ended, Header, Limits, RecordingUse,
    Selection, Session, Suite, TriageCosts, Variant,
};
use crate::model::limit::Traffic;
use crate::model::{ErrorKind, record};
use crate::run::{Cost, ModelRole, Outcome, TokenUsage, Usage};
use crate::score::{Check, CheckName, Feedback, Key, Learning, MemoryChange, Score, StepLearning};

use super::{Environment, Fold, Report};

use Triage::{Ignore, Notify, Respond};

pub(super) fn header(examples: usize, repeat: u32) -> Header {
    let variant = |agent: &str| Variant {
        name: format!("{agent}@rules"),
        agent: agent.to_owned(),
        model: "rules".to_owned(),
        router_model: None,
        memory_model: None,
        simulator_model: None,
        judge_models: Vec::new(),
    };
    Header {
        format: crate::experiment::FORMAT.to_owned(),
        experiment: "2026-03-02-1015-abc1234".to_owned(),
        tool_version: "0.1.0".to_owned(),
        created: "2026-03-02T10:15:00Z".parse().unwrap(),
        date: "2026-03-02".parse().unwrap(),
        seed: 0,
        suites: vec![Suite::Triage, Suite::Response],
        variants: vec![variant("baseline"), variant("workflow")],
        models: BTreeMap::new(),
        judges: Vec::new(),
        repeat,
        looks: None,
        dataset: DatasetInfo {
            name: "email".to_owned(),
            hash: "0123456789abcdef".repeat(4),
            examples,
            scenarios: 0,
            episodes: 0,
            paths: Vec::new(),
            labelled_by: BTreeMap::from([("author".to_owned(), examples)]),
        },
        selection: Selection::default(),
        examples,
        scenarios: 0,
        episodes: 0,
        examples_hash: "fedcba9876543210".repeat(4),
        limits: Limits {
            timeout_ms: 300_000,
            max_steps: 25,
        },
        behaviour: Behaviour::default(),
        triage_costs: TriageCosts::default(),
        min_pass_rate: None,
        gates: Default::default(),
        shard: None,
    }
}

/// An attempt that finished, decided rightly, and was scored on the decision alone.
pub(super) fn attempt(variant: u32, position: u32, repeat: u32) -> Attempt<()> {
    let mut usage = Usage::default();
    usage.record(
        ModelRole::Agent,
        TokenUsage {
            input_tokens: 900,
            output_tokens: 40,
            cost: Some(Cost::ZERO),
            ..Default::default()
        },
    );
    Attempt {
        case: CaseKey {
            variant,
            position,
            repeat,
            example: format!("example-{position}"),
        },
        split: Some(
            if position.is_multiple_of(3) {
                "dev"
            } else {
                "test"
            }
            .to_owned(),
        ),
        cluster: None,
        tags: vec!["work".to_owned()],
        kind: CaseKind::Example,
        expected: Some([Respond, Notify, Ignore][position as usize % 3]),
        found: Some([Respond, Notify, Ignore][position as usize % 3]),
        outcome: Outcome::Finished,
        error: None,
        feedback: vec![feedback(Key::TriageAccuracy, 1.0, None)],
        judged: Vec::new(),
        notes: Vec::new(),
        memory: Vec::new(),
        learning: None,
        usage,
        latency_ms: 0.4 + f64::from(position) * 0.05 + f64::from(repeat) * 0.01,
        started: None,
        runs: vec![()],
        ablation: Vec::new(),
    }
}

pub(super) fn feedback(key: Key, score: f64, comment: Option<&str>) -> Feedback {
    Feedback {
        key,
        score: Score::try_from(score).unwrap(),
        comment: comment.map(str::to_owned),
        checks: Vec::new(),
    }
}

/// Turns the decision into a wrong one.
pub(super) fn decides(attempt: Attempt<()>, found: Option<Triage>) -> Attempt<()> {
    let expected = attempt.expected.expect("an attempt at an example");
    let right = found == Some(expected);
    let comment = match found {
        Some(found) => format!("expected {expected}, got {found}"),
        None => format!("expected {expected}, no decision: it said `maybe`"),
    };
    let mut feedback = attempt.feedback.clone();
    feedback[0].score = right.into();
    feedback[0].comment = (!right).then_some(comment);
    Attempt {
        found,
        feedback,
        ..attempt
    }
}

/// Adds what is asked of emails that want an answer: share of expected calls made, and
/// whether a forbidden one was.
pub(super) fn calls(mut attempt: Attempt<()>, recall: f64, forbidden: bool) -> Attempt<()> {
    let all = recall == 1.0;
    let missing = (!all).then_some("missing `write_email`");
    attempt.feedback.extend([
        feedback(Key::ToolCallsReference, f64::from(u8::from(all)), missing),
        feedback(Key::ToolCallsRecall, recall, missing),
        feedback(Key::ToolCallsPrecision, 1.0, None),
        feedback(Key::ToolCallsExact, f64::from(u8::from(all)), missing),
        feedback(
            Key::ToolCallsForbidden,
            f64::from(u8::from(!forbidden)),
            forbidden.then_some("called `schedule_meeting`, which is forbidden here"),
        ),
    ]);
    attempt
}

/// Ends the attempt otherwise, scored as such.
pub(super) fn ends(attempt: Attempt<()>, outcome: Outcome, error: &str) -> Attempt<()> {
    let feedback = if outcome.is_error() {
        Vec::new()
    } else {
        let zero =
            |one: &Feedback| feedback(one.key, 0.0, Some(&format!("{}: {error}", outcome.name())));
        attempt.feedback.iter().map(zero).collect()
    };
    Attempt {
        outcome,
        error: Some(error.to_owned()),
        feedback,
        ..attempt
    }
}

/// Two variants on 24 examples, three attempts each: most pass, some fail in every way.
pub(super) fn attempts() -> Vec<Attempt<()>> {
    let mut attempts = Vec::new();
    for variant in 0..2 {
        for position in 0..24 {
            for repeat in 0..3 {
                let mut attempt = attempt(variant, position, repeat);
                if position >= 20 {
                    attempt.cluster = Some("invoices".to_owned());
                    attempt.tags.push("billing".to_owned());
                }
                if attempt.expected == Some(Respond) {
                    let recall = if position == 6 && repeat < 2 {
                        0.5
                    } else {
                        1.0
                    };
                    attempt = calls(attempt, recall, position == 9 && repeat == 1);
                }
                attempts.push(match (variant, position, repeat) {
                    (0, 1 | 4 | 8, _) => decides(attempt, Some(Respond)),
                    (0, 2, 1) => decides(attempt, Some(Notify)),
                    (0, 5, 0) => decides(attempt, None),
                    (0, 3, _) => ends(
                        attempt,
                        Outcome::StepLimit,
                        "25 model calls, mostly at `respond`",
                    ),
                    (1, 7, _) => decides(attempt, Some(Ignore)),
                    (1, 10, 2) => decides(attempt, Some(Respond)),
                    (1, 11, 1) => ends(
                        attempt,
                        Outcome::Provider,
                        "model `rules` failed: 503 after 3 retries",
                    ),
                    (1, 12, 0) => ends(attempt, Outcome::Timeout, "no end within 300 s"),
                    _ => attempt,
                });
            }
        }
    }
    attempts
}

pub(super) fn environment(header: &Header) -> Environment {
    let session = Session {
        started: "2026-03-02T10:15:00Z".parse().unwrap(),
        arguments: vec!["run".to_owned(), "--repeat".to_owned(), "3".to_owned()],
        concurrency: 16,
        host: "linux/x86_64".to_owned(),
    };
    let ended = Ended {
        at: "2026-03-02T10:15:01.5Z".parse().unwrap(),
        because: EndReason::Complete,
        attempts: 144,
        halted: None,
        traffic: Default::default(),
        recording: None,
        spent: Some(Cost::ZERO),
    };
    Environment::new(header, &[session], Some(&ended), &Ledger::default())
}

pub(super) fn report(header: Header, attempts: &[Attempt<()>]) -> Report {
    let environment = environment(&header);
    let mut fold = Fold::new(header);
    for attempt in attempts {
        fold.push(attempt).unwrap();
    }
    fold.finish(&[], environment)
}

pub(super) fn sample() -> Report {
    report(header(24, 3), &attempts())
}

/// A model with a price and one without, which the second variant asks in one of its roles.
pub(super) fn priced() -> Report {
    let mut header = header(24, 3);
    for variant in &mut header.variants {
        variant.model = "openai:gpt-4o-mini".to_owned();
        variant.name = format!("{}@{}", variant.agent, variant.model);
    }
    header.variants[1].router_model = Some("ollama:qwen2.5".to_owned());
    let mut attempts = attempts();
    for attempt in &mut attempts {
        let position = u64::from(attempt.case.position);
        let tokens = TokenUsage {
            input_tokens: 2_000 + 100 * position,
            output_tokens: 150,
            cached_input_tokens: 1_024,
            cost: Some(Cost::of_trillionths(300_000_000 + 15_000_000 * position)),
        };
        let router = TokenUsage {
            input_tokens: 700,
            output_tokens: 60,
            ..Default::default()
        };
        attempt.usage = Usage::default();
        attempt.usage.record(ModelRole::Agent, tokens);
        if attempt.case.variant == 1 {
            attempt.usage.record(ModelRole::Router, router);
        }
    }
    let mut report = report(header, &attempts);
    let failures = [(ErrorKind::RateLimited, 1_200), (ErrorKind::Server, 3)];
    let traffic = Traffic {
        requests: 2_345,
        replies: 1_142,
        retries: 1_203,
        failures: failures.into(),
        most_in_flight: 64,
        fewest_allowed: 8,
        waited_ms: 93_500,
        cost: Some(Cost::of_trillionths(68_040_000_000)),
    };
    let local = Traffic {
        cost: None,
        ..Traffic::default()
    };
    report.environment.traffic = BTreeMap::from([
        ("openai (api.openai.com)".to_owned(), traffic),
        ("ollama (127.0.0.1:11434)".to_owned(), local),
    ]);
    let replay = record::Traffic {
        replayed: 1_500,
        replayed_cost: Cost::of_trillionths(12_340_000_000_000),
        recorded: 12,
        missed: 0,
    };
    report.environment.recording = Some(RecordingUse {
        replayed_from: Some("2026-02-23T09:00:00Z".parse().unwrap()),
        variants: BTreeMap::from([("baseline-openai-gpt-4o-mini".to_owned(), replay)]),
    });
    report.environment.spent_usd = Some(Cost::of_trillionths(70_000_000_000));
    report
}

/// Two agents that ask, one of which remembers: 3 examples, 2 scenarios, and 3 episodes, the
/// last of them a control.
pub(super) fn people() -> Report {
    let mut header = header(3, 1);
    header.suites = Suite::ALL.to_vec();
    (header.scenarios, header.episodes) = (2, 3);
    (header.dataset.scenarios, header.dataset.episodes) = (2, 4);
    for (variant, agent) in header.variants.iter_mut().zip(["hitl", "hitl-memory"]) {
        variant.name = format!("{agent}@rules");
        variant.agent = agent.to_owned();
    }
    let mut attempts = Vec::new();
    for variant in 0..2 {
        attempts.extend((0..3).map(|position| attempt(variant, position, 0)));
        attempts.extend((3..5).map(|position| scenario(variant, position)));
    }
    attempts.extend((5..8).map(episode));
    report(header, &attempts)
}

fn check(name: CheckName, passed: bool) -> Check {
    Check {
        name,
        passed,
        comment: (!passed).then(|| format!("{name} did not hold")),
    }
}

fn checked(key: Key, checks: Vec<Check>) -> Feedback {
    let failed = checks.iter().find(|check| !check.passed);
    Feedback {
        key,
        score: failed.is_none().into(),
        comment: failed.and_then(|check| check.comment.clone()),
        checks,
    }
}

/// The second scenario of the first variant fails.
fn scenario(variant: u32, position: u32) -> Attempt<()> {
    let honoured = (variant, position) != (0, 4);
    let checks = vec![
        check(CheckName::Asked, true),
        check(CheckName::EditHonoured, honoured),
    ];
    let mut attempt = attempt(variant, position, 0);
    attempt.case.example = format!("example-0/edit-{position}");
    attempt.kind = CaseKind::Scenario;
    attempt.feedback = vec![checked(Key::HitlPass, checks)];
    if position == 3 {
        attempt.notes = vec!["rule 2 (question: respond) was never used".to_owned()];
    }
    attempt
}

/// Learns from the first email on; the second of two learning episodes only in the end.
fn episode(position: u32) -> Attempt<()> {
    let control = position == 7;
    let score = |score: f64| Some(Score::try_from(score).unwrap());
    let step = |with: f64, without: f64| StepLearning {
        with: score(with),
        without: score(without),
    };
    let steps = match position {
        5 => vec![step(1.0, 0.0), step(1.0, 0.0)],
        6 => vec![step(0.0, 0.0), step(1.0, 0.0)],
        _ => vec![step(1.0, 1.0)],
    };
    let asks_nothing = StepLearning {
        with: None,
        without: None,
    };
    let steps = [asks_nothing].into_iter().chain(steps).collect();
    let checks = vec![
        check(CheckName::Remembered, true),
        check(CheckName::Behaviour, position != 6),
    ];
    let mut attempt = attempt(1, position, 0);
    attempt.case.example = format!("learns-{position}");
    attempt.kind = CaseKind::Episode;
    (attempt.expected, attempt.found) = (None, None);
    attempt.feedback = vec![checked(Key::MemoryPass, checks)];
    attempt.learning = Some(Learning { control, steps });
    attempt.memory = vec![MemoryChange {
        namespace: "triage_preferences".to_owned(),
        key: "user_preferences".to_owned(),
        before: Some("Ignore, because nobody would miss it:\n- promotions".to_owned()),
        after: Some("Ignore, because nobody would miss it:\n- newsletters".to_owned()),
    }];
    attempt
}

/// Everything that can be named or said tries to break out of where it is shown.
pub(super) fn hostile() -> Report {
    let bad =
        "x|<script>alert(1)</script>`` ![i](http://evil.example)\u{1b}[31m\u{202e}\u{200b}\n# @all";
    let mut header = header(3, 1);
    header.experiment = format!("{bad}; rm -rf $HOME'");
    header.dataset.name = bad.to_owned();
    header.dataset.labelled_by = BTreeMap::from([(bad.to_owned(), 3)]);
    for variant in &mut header.variants {
        variant.name = bad.to_owned();
        variant.agent = bad.to_owned();
        variant.model = bad.to_owned();
    }
    let attempts: Vec<Attempt<()>> = (0..6)
        .map(|number| {
            let mut attempt = attempt(number / 3, number % 3, 0);
            attempt.case.example = format!("{bad}{}", number % 3);
            attempt.split = Some(bad.to_owned());
            attempt.tags = vec![bad.to_owned()];
            match number % 3 {
                0 => ends(attempt, Outcome::Protocol, bad),
                1 => ends(attempt, Outcome::Provider, bad),
                _ => {
                    let mut attempt = decides(attempt, None);
                    attempt.feedback[0].comment = Some(bad.to_owned());
                    attempt
                }
            }
        })
        .collect();
    report(header, &attempts)
}
