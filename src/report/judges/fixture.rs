//! Judged experiments, made up for tests.

use std::collections::BTreeMap;

use crate::experiment::{Attempt, CaseKind, Header, JudgePlan, Panel, Suite};
use crate::judge::calibration::{Binding, Calibration, Outcomes, Standing};
use crate::judge::canary::{Canaries, Canary};
use crate::judge::{JudgeKey, Judged, Ruling, Verdict, Vote};
use crate::report::fixture::{attempt, calls, environment, feedback, header};
use crate::report::{Fold, Report};
use crate::run::{Cost, ModelRole, TokenUsage};
use crate::score::Key;

pub const RULES: &str = "rules";
pub const TWO: [&str; 2] = ["openai:gpt-4o-mini", "ollama:qwen2.5"];

pub const NUMBER: &str = "Names the invoice number";
pub const DAY: &str = "Promises an answer by Friday";
pub const POLITE: &str = "Is polite";

/// Right on some 90 % of 168 items about 40 emails.
pub fn calibration() -> Calibration {
    let outcomes = |email: u64| Outcomes {
        true_pass: 2,
        false_fail: u64::from(email.is_multiple_of(5)),
        true_fail: 2,
        false_pass: u64::from(email.is_multiple_of(8)),
    };
    let clusters: Vec<Outcomes> = (0..40).map(outcomes).collect();
    Calibration {
        binding: Binding {
            judge: JudgeKey::ResponseCriteria,
            models: vec![RULES.to_owned()],
            votes: 1,
            rubric_hash: "ab".repeat(32),
            prompt_hash: "cd".repeat(32),
            parser_version: 1,
        },
        date: "2026-02-20".parse().unwrap(),
        items_hash: "ef".repeat(32),
        items: 176,
        unscored: 3,
        labelled_by: BTreeMap::from([("author".to_owned(), 176)]),
        clusters,
        attacks: None,
    }
}

pub fn calibrated() -> Standing {
    Standing::Calibrated(Box::new(calibration()))
}

pub fn stale() -> Standing {
    Standing::Stale {
        date: "2026-02-01".parse().unwrap(),
        because: "the rubric".to_owned(),
    }
}

pub fn plan(judge: JudgeKey, panels: Vec<(&[&str], Standing)>) -> JudgePlan {
    let panel = |(models, standing): (&[&str], Standing)| Panel {
        models: models.iter().map(|&model| model.to_owned()).collect(),
        standing,
    };
    JudgePlan {
        judge,
        version: 2,
        rubric_hash: "ab".repeat(32),
        prompt_hash: "cd".repeat(32),
        parser_version: 1,
        votes: 1,
        threshold: None,
        trusted: false,
        panels: panels.into_iter().map(panel).collect(),
    }
}

/// Two variants, one judged by itself and one by a panel of two: criteria on 12 examples,
/// and instructions in 2 scenarios, each attempted twice.
pub fn judged_header() -> Header {
    let mut header = header(12, 2);
    header.suites = vec![Suite::Triage, Suite::Response, Suite::Hitl];
    (header.scenarios, header.dataset.scenarios) = (2, 2);
    for (variant, agent) in header.variants.iter_mut().zip(["hitl", "hitl-memory"]) {
        variant.agent = agent.to_owned();
        variant.name = format!("{agent}@{}", variant.model);
    }
    header.variants[1].judge_models = TWO.map(str::to_owned).to_vec();
    let rules: &[&str] = &[RULES];
    header.judges = vec![
        JudgePlan {
            threshold: Some(0.5),
            ..plan(
                JudgeKey::ResponseCriteria,
                vec![(rules, calibrated()), (&TWO, Standing::Uncalibrated)],
            )
        },
        JudgePlan {
            threshold: Some(0.5),
            trusted: true,
            ..plan(
                JudgeKey::FeedbackHonoured,
                vec![(rules, stale()), (&TWO, Standing::Uncalibrated)],
            )
        },
    ];
    header
}

/// What a judge of these models came to, by the votes given; the first vote's words count.
pub fn ruling(statement: &str, votes: &[(&str, Option<Verdict>)]) -> Ruling {
    let votes: Vec<Vote> = votes
        .iter()
        .zip(0..)
        .map(|(&(model, verdict), vote)| Vote {
            model: model.to_owned(),
            vote,
            verdict,
            reason: reason(verdict),
            quotes: quotes(verdict),
        })
        .collect();
    let count = |verdict| {
        votes
            .iter()
            .filter(|vote| vote.verdict == Some(verdict))
            .count()
    };
    let most = Verdict::ALL.into_iter().map(count).max().unwrap_or(0);
    let mut winners = Verdict::ALL.into_iter().filter(|&it| count(it) == most);
    let verdict = match (most, winners.next(), winners.next()) {
        (0, ..) => None,
        (_, Some(winner), None) => Some(winner),
        _ => Some(Verdict::CannotTell),
    };
    let first = votes.iter().find(|vote| vote.verdict == verdict);
    Ruling {
        statement: statement.to_owned(),
        weight: 1.0,
        critical: statement == NUMBER,
        verdict,
        reason: first.map_or("the votes differ".to_owned(), |vote| vote.reason.clone()),
        quotes: first.map_or(Vec::new(), |vote| vote.quotes.clone()),
        votes,
    }
}

fn reason(verdict: Option<Verdict>) -> String {
    match verdict {
        Some(Verdict::Pass) => "The mail says so in its second sentence.",
        Some(Verdict::Fail) => "Nothing in the mail says so.",
        Some(Verdict::CannotTell) => "The mail speaks of an invoice, but not of which.",
        None => "the judge could not be asked: 503 \"busy, ask in 17 s\"",
    }
    .to_owned()
}

fn quotes(verdict: Option<Verdict>) -> Vec<String> {
    match verdict {
        Some(Verdict::Pass) => vec!["Your invoice will be paid on Friday, as agreed.".to_owned()],
        _ => Vec::new(),
    }
}

pub fn by_code(statement: &str) -> Ruling {
    Ruling {
        verdict: Some(Verdict::Fail),
        reason: "no mail was sent".to_owned(),
        ..ruling(statement, &[])
    }
}

/// Adds what a judge ruled, and its score.
pub fn judge(mut attempt: Attempt<()>, judge: JudgeKey, rulings: Vec<Ruling>) -> Attempt<()> {
    let ruled = rulings
        .iter()
        .filter(|ruling| ruling.verdict.is_some())
        .count();
    let met = rulings
        .iter()
        .filter(|ruling| ruling.verdict == Some(Verdict::Pass));
    let share = met.count() as f64 / ruled as f64;
    let key = match judge {
        JudgeKey::FeedbackHonoured => Key::HitlFeedback,
        _ => Key::ResponseCriteria,
    };
    if ruled > 0 {
        attempt.feedback.push(feedback(key, share, None));
    }
    if key == Key::ResponseCriteria && ruled == rulings.len() {
        let all = f64::from(u8::from(share == 1.0));
        attempt
            .feedback
            .push(feedback(Key::ResponseAllMet, all, None));
    }
    for ruling in &rulings {
        for _ in &ruling.votes {
            let tokens = TokenUsage {
                input_tokens: 1_200,
                output_tokens: 80,
                cost: Some(Cost::of_trillionths(228_000_000)),
                ..TokenUsage::default()
            };
            attempt.usage.record(ModelRole::Judge, tokens);
        }
    }
    attempt.judged.push(Judged { judge, rulings });
    attempt
}

/// What [`judged_header`] plans.
pub fn judged_attempts() -> Vec<Attempt<()>> {
    use Verdict::{CannotTell, Fail, Pass};
    let mut attempts = Vec::new();
    for variant in 0..2 {
        for position in 0..14 {
            for repeat in 0..2 {
                let mut attempt = attempt(variant, position, repeat);
                let votes = |verdict| match variant {
                    0 => vec![(RULES, verdict)],
                    _ => TWO.map(|model| (model, verdict)).to_vec(),
                };
                let ruled = |statement, verdict| ruling(statement, &votes(Some(verdict)));
                let polite = || ruled(POLITE, Pass);
                let split =
                    |statement| ruling(statement, &[(TWO[0], Some(Pass)), (TWO[1], Some(Fail))]);
                if position >= 12 {
                    attempt.kind = CaseKind::Scenario;
                    attempt.case.example = format!("example-0/answer-{position}");
                    attempt.feedback = vec![feedback(Key::HitlPass, 1.0, None)];
                    let verdict = if position == 12 { Pass } else { Fail };
                    let rulings = vec![ruled("Make it shorter, and move it to Thursday.", verdict)];
                    attempts.push(judge(attempt, JudgeKey::FeedbackHonoured, rulings));
                    continue;
                }
                if !position.is_multiple_of(3) {
                    attempts.push(attempt);
                    continue;
                }
                attempt = calls(attempt, 1.0, false);
                let rulings = match (variant, position, repeat) {
                    (0, 0, _) => vec![ruled(NUMBER, Pass), ruled(DAY, Pass), polite()],
                    (0, 3, 1) => vec![ruled(NUMBER, Fail), ruling(DAY, &votes(None)), polite()],
                    (0, 3, _) => vec![ruled(NUMBER, Fail), ruled(DAY, Pass), polite()],
                    (0, 6, _) => vec![ruled(NUMBER, CannotTell), ruled(DAY, Fail), polite()],
                    (1, 0, 0) => vec![ruled(NUMBER, Pass), split(DAY), polite()],
                    (1, 3, _) => vec![split(NUMBER), ruled(DAY, Pass), polite()],
                    (1, 9, _) => vec![ruled(NUMBER, Fail), ruled(DAY, Pass)],
                    (0, ..) => [NUMBER, DAY].map(by_code).to_vec(),
                    _ => vec![ruled(NUMBER, Fail), ruled(DAY, Pass), polite()],
                };
                attempts.push(judge(attempt, JudgeKey::ResponseCriteria, rulings));
            }
        }
    }
    attempts
}

/// Of 3 that order the judge about and 4 others, those that did not hold.
pub fn canaries(judge: JudgeKey, models: &[&str], missed: &[&str]) -> Canaries {
    let canary = |number: usize| {
        let orders = number < 3;
        let kind = if orders { "orders" } else { "plain" };
        let id = format!("{kind}-{number}");
        let expected = if orders || number.is_multiple_of(2) {
            Verdict::Fail
        } else {
            Verdict::Pass
        };
        let held = !missed.contains(&id.as_str());
        let other = if expected == Verdict::Fail {
            Verdict::Pass
        } else {
            Verdict::Fail
        };
        Canary {
            id,
            orders,
            expected,
            found: Some(if held { expected } else { other }),
        }
    };
    Canaries {
        judge,
        models: models.iter().map(|&model| model.to_owned()).collect(),
        canaries: (0..7).map(canary).collect(),
    }
}

pub fn all_canaries() -> Vec<Canaries> {
    vec![
        canaries(JudgeKey::ResponseCriteria, &[RULES], &[]),
        canaries(JudgeKey::ResponseCriteria, &TWO, &["orders-1", "plain-4"]),
        canaries(JudgeKey::FeedbackHonoured, &[RULES], &["plain-5"]),
    ]
}

pub fn report_of(header: Header, attempts: &[Attempt<()>], canaries: &[Canaries]) -> Report {
    let environment = environment(&header);
    let mut fold = Fold::new(header);
    for attempt in attempts {
        fold.push(attempt).unwrap();
    }
    fold.finish(canaries, environment)
}

/// Several judges: one calibrated, one stale, one that nobody measured and that obeys a
/// canary; split votes, an outage, and replies that were never sent.
pub fn judged() -> Report {
    report_of(judged_header(), &judged_attempts(), &all_canaries())
}
