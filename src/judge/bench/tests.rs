use futures_util::future::BoxFuture;
use serde_json::json;

use super::*;
use crate::judge::definition::Definitions;
use crate::model::scripted::{self, Scripted};
use crate::model::{ErrorKind, ModelError, Reply, Request};
use crate::run::ModelRole;

const SHOWN: &str = "# Mail that was sent\n  It is paid.\n";

pub(in crate::judge) fn question(statement: &str) -> Question {
    Question {
        statement: statement.into(),
        weight: 1.0,
        critical: false,
        shown: SHOWN.into(),
        decided: None,
    }
}

pub(in crate::judge) fn answer(verdict: &str, reasoning: &str) -> Reply {
    let quotes = if verdict == "pass" {
        vec!["It is paid"]
    } else {
        Vec::new()
    };
    let value = json!({ "reasoning": reasoning, "quotes": quotes, "verdict": verdict });
    scripted::text(value.to_string())
}

fn down(kind: ErrorKind) -> ModelError {
    ModelError::new("scripted", kind, "it is down")
}

/// One answer a vote, in order: a verdict, `!` for a model that is down, `halt` for a run
/// that ends, or prose, twice.
fn votes(answers: &str) -> Arc<Scripted> {
    let replies = answers
        .split(' ')
        .enumerate()
        .flat_map(|(at, word)| match word {
            "!" => vec![Err(down(ErrorKind::Overloaded))],
            "halt" => vec![Err(down(ErrorKind::Halted))],
            "prose" => vec![Ok(scripted::text("fine")), Ok(scripted::text("still fine"))],
            verdict => vec![Ok(answer(verdict, &format!("vote {at}")))],
        });
    Arc::new(Scripted::with_failures(replies))
}

fn judge(key: JudgeKey, panel: Vec<Arc<dyn Model>>, votes: u32) -> Judge {
    Judge {
        definition: Arc::clone(Definitions::embedded().get(key)),
        votes,
        panel,
    }
}

async fn ruled(answers: &str) -> Ruled {
    let count = answers.split(' ').count() as u32;
    let judge = judge(JudgeKey::ResponseCriteria, vec![votes(answers)], count);
    judge
        .rule(&question("Is paid"), &Origin::new("case", 0))
        .await
}

#[tokio::test]
async fn a_ruling_is_what_more_than_half_of_the_usable_votes_say() {
    use Verdict::{CannotTell, Fail, Pass};
    for (answers, verdict, reason) in [
        ("pass", Some(Pass), "vote 0"),
        ("fail", Some(Fail), "vote 0"),
        ("cannot_tell", Some(CannotTell), "vote 0"),
        ("fail pass pass", Some(Pass), "vote 1"),
        (
            "fail pass",
            Some(CannotTell),
            "no verdict has more than half of the votes: 1 pass, 1 fail",
        ),
        (
            "pass pass fail cannot_tell",
            Some(CannotTell),
            "no verdict has more than half of the votes: 2 pass, 1 fail, 1 cannot_tell",
        ),
        ("! pass", Some(Pass), "vote 1"),
        ("! pass fail", Some(CannotTell), "no verdict has"),
        ("prose fail", Some(Fail), "vote 1"),
        (
            "!",
            None,
            "the judge could not be asked: model `scripted` failed: it is down",
        ),
        (
            "prose",
            None,
            "the judge's answer could not be used: it was not a JSON object; after a reminder: it was not a JSON object",
        ),
        (
            "! ! pass",
            None,
            "2 of 3 votes cannot be used: the judge could not be asked",
        ),
        (
            "prose ! pass",
            None,
            "2 of 3 votes cannot be used: the judge's answer could not be used",
        ),
    ] {
        let ruled = ruled(answers).await;
        let ruling = ruled.ruling;
        assert_eq!(ruling.verdict, verdict, "{answers}");
        assert!(
            ruling.reason.starts_with(reason),
            "{answers}: {}",
            ruling.reason
        );
        assert_eq!(ruling.votes.len(), answers.split(' ').count(), "{answers}");
        assert_eq!(ruling.quotes.is_empty(), verdict != Some(Pass), "{answers}");
        assert_eq!(ruled.outage, answers.contains('!'), "{answers}");
        assert!(!ruled.halted, "{answers}");
    }
}

#[tokio::test]
async fn a_run_that_ends_leaves_no_ruling_to_keep() {
    for (answers, halted) in [
        ("halt", true),
        ("pass halt pass", true),
        ("pass ! pass", false),
    ] {
        let ruled = ruled(answers).await;
        assert_eq!((ruled.halted, ruled.outage), (halted, true), "{answers}");
    }
}

/// Keeps who was asked which vote.
struct Named {
    name: &'static str,
    verdict: &'static str,
    asked: std::sync::Mutex<Vec<u32>>,
}

impl Named {
    fn new(name: &'static str, verdict: &'static str) -> Arc<Named> {
        Arc::new(Named {
            name,
            verdict,
            asked: Vec::new().into(),
        })
    }
}

impl Model for Named {
    fn name(&self) -> &str {
        self.name
    }

    fn ask<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<Reply, ModelError>> {
        self.asked.lock().unwrap().push(request.origin.vote);
        Box::pin(async { Ok(answer(self.verdict, self.name)) })
    }
}

#[tokio::test]
async fn votes_are_counted_over_the_whole_panel() {
    let (one, two) = (Named::new("one", "fail"), Named::new("two", "pass"));
    let panel: Vec<Arc<dyn Model>> = vec![one.clone(), two.clone(), one.clone()];
    let judge = judge(JudgeKey::ResponseCriteria, panel, 2);
    let ruled = judge
        .rule(&question("Is paid"), &Origin::new("case", 0))
        .await;
    let places: Vec<(&str, u32)> = ruled
        .ruling
        .votes
        .iter()
        .map(|vote| (&*vote.model, vote.vote))
        .collect();
    assert_eq!(
        places,
        [
            ("one", 0),
            ("one", 1),
            ("two", 0),
            ("two", 1),
            ("one", 0),
            ("one", 1)
        ]
    );
    assert_eq!(*one.asked.lock().unwrap(), [0, 1, 4, 5]);
    assert_eq!(*two.asked.lock().unwrap(), [2, 3]);
    assert_eq!(ruled.ruling.verdict, Some(Verdict::Fail));
    assert!(ruled.ruling.is_split());
    assert_eq!(ruled.usage.0[&ModelRole::Judge].calls, 6);
    let again = judge
        .rule(&question("Is paid"), &Origin::new("case", 0))
        .await;
    assert_eq!(again.ruling, ruled.ruling);
}

#[tokio::test(start_paused = true)]
async fn all_votes_are_asked_at_once() {
    let slow =
        Scripted::new(vec![answer("fail", "no"); 10]).slow(std::time::Duration::from_secs(1));
    let judge = judge(JudgeKey::ResponseCriteria, vec![Arc::new(slow)], 10);
    let before = tokio::time::Instant::now();
    judge
        .rule(&question("Is paid"), &Origin::new("case", 0))
        .await;
    assert_eq!(before.elapsed().as_secs(), 1);
}

#[tokio::test]
async fn what_code_decides_is_asked_of_nobody() {
    let judge = judge(JudgeKey::ResponseCriteria, vec![votes("pass")], 1);
    let decided = Question {
        decided: Some((Verdict::Fail, "no mail was sent".into())),
        ..question("Is paid")
    };
    let ruled = judge.rule(&decided, &Origin::new("case", 0)).await;
    assert!(ruled.ruling.is_by_code());
    assert_eq!(
        (ruled.ruling.verdict, &*ruled.ruling.reason),
        (Some(Verdict::Fail), "no mail was sent")
    );
    assert_eq!(ruled.usage.calls(), 0);
}

/// `+2!`: passed, weight 2, critical; `-`: failed; `~`: cannot tell; `?`: not ruled.
fn rulings(marks: &str) -> Judged {
    let ruling = |(at, mark): (usize, &str)| Ruling {
        statement: format!("s{at}"),
        weight: mark
            .chars()
            .find_map(|c| c.to_digit(10))
            .map_or(1.0, f64::from),
        critical: mark.ends_with('!'),
        verdict: match mark.chars().next() {
            Some('+') => Some(Verdict::Pass),
            Some('-') => Some(Verdict::Fail),
            Some('~') => Some(Verdict::CannotTell),
            _ => None,
        },
        reason: String::new(),
        quotes: Vec::new(),
        votes: Vec::new(),
    };
    Judged {
        judge: JudgeKey::ResponseCriteria,
        rulings: marks.split_whitespace().enumerate().map(ruling).collect(),
    }
}

#[test]
fn figures_are_made_of_rulings_in_code() {
    for (marks, share, all_met) in [
        ("+", Some(1.0), Some(1.0)),
        ("-", Some(0.0), Some(0.0)),
        ("~", Some(0.0), Some(0.0)),
        ("?", None, None),
        ("", None, None),
        ("+ -", Some(0.5), Some(0.0)),
        ("+ ~", Some(0.5), Some(0.0)),
        ("+3 -", Some(0.75), Some(0.0)),
        // What was not ruled enters no figure, and leaves open whether all are met.
        ("+ ?", Some(1.0), None),
        ("+ - ?", Some(0.5), None),
        ("+3 -!", Some(0.0), Some(0.0)),
        ("+3 ~!", Some(0.0), Some(0.0)),
        ("+! -", Some(0.5), Some(0.0)),
        ("+ ?!", Some(1.0), None),
        ("+ + +", Some(1.0), Some(1.0)),
    ] {
        let feedback = feedback(&[rulings(marks)]);
        let mut scores = feedback.iter().map(|one| one.score.get());
        assert!(scores.all(f64::is_sign_positive), "{marks}: below 0");
        let value = |key| {
            let of_key = feedback.iter().find(|feedback| feedback.key == key);
            of_key.map(|feedback| feedback.score.get())
        };
        assert_eq!(value(Key::ResponseCriteria), share, "{marks}");
        assert_eq!(value(Key::ResponseAllMet), all_met, "{marks}");
    }
}

#[test]
fn a_comment_names_what_was_not_met_on_one_bounded_line() {
    let comment = |marks| feedback(&[rulings(marks)])[0].comment.clone();
    assert_eq!(comment("+ +"), None);
    assert_eq!(comment("+ - ~").as_deref(), Some("not met: s1; s2"));
    assert_eq!(
        comment("+ ? -").as_deref(),
        Some("not met: s2; not decided: s1")
    );
    assert_eq!(
        comment("- - - - - - -").as_deref(),
        Some("not met: s0; s1; s2; s3; s4; 2 more")
    );
    let mut long = rulings("- - - - - - ? ? ? ? ? ?");
    for ruling in &mut long.rulings {
        ruling.statement = "a\nb".repeat(5_000);
    }
    let comment = feedback(&[long])[0].comment.clone().unwrap();
    assert!(comment.chars().count() < 1_400 && !comment.contains('\n'));
}

#[test]
fn each_judge_has_its_key_and_pairwise_none() {
    for (judge, keys) in [
        (
            JudgeKey::ResponseCriteria,
            vec![Key::ResponseCriteria, Key::ResponseAllMet],
        ),
        (JudgeKey::FeedbackHonoured, vec![Key::HitlFeedback]),
        (JudgeKey::MemoryUpdate, vec![Key::MemoryUpdate]),
        (JudgeKey::TriageReasonable, vec![Key::TriageReasonable]),
        (JudgeKey::Pairwise, vec![]),
    ] {
        let judged = Judged {
            judge,
            ..rulings("+")
        };
        let found: Vec<Key> = feedback(&[judged])
            .iter()
            .map(|feedback| feedback.key)
            .collect();
        assert_eq!(found, keys);
        assert!(found.iter().all(|key| key.is_judged()));
    }
}

proptest::proptest! {
    #[test]
    fn a_share_is_a_score_whatever_the_weights(
        weights in proptest::collection::vec((1e-6_f64..1e6, 0..4_usize), 1..20)
    ) {
        let mut judged = rulings(&"+ ".repeat(weights.len()));
        for (ruling, (weight, verdict)) in judged.rulings.iter_mut().zip(&weights) {
            ruling.weight = *weight;
            ruling.verdict = Verdict::ALL.get(*verdict).copied();
        }
        let ruled = judged.rulings.iter().filter(|ruling| ruling.verdict.is_some()).count();
        let feedback = feedback(std::slice::from_ref(&judged));
        proptest::prop_assert_eq!(feedback.is_empty(), ruled == 0);
        let unmet = judged.rulings.iter().any(|ruling| ruling.verdict.is_some() && !is_met(ruling));
        if let Some(first) = feedback.first() {
            proptest::prop_assert_eq!(first.score == Score::BEST, !unmet);
        }
    }
}

#[tokio::test]
async fn the_judges_of_the_suites_look_at_an_attempt() {
    use crate::dataset::Criterion;
    use crate::email::Triage;
    use crate::score::fixture::{Made, called, example};

    let mut example = example(Triage::Respond);
    example.expect.criteria = vec![
        Criterion::from("Is paid".to_owned()),
        Criterion::from("Is short".to_owned()),
    ];
    let run = called(&[Made::new(
        "write_email",
        json!({ "content": "It is paid." }),
    )]);
    let subject = Subject::Example {
        example: &example,
        run: &run,
    };
    let model = Named::new("one", "fail");
    let judges = Judges(
        JudgeKey::ALL
            .map(|key| judge(key, vec![model.clone()], 1))
            .into(),
    );
    let origin = Origin::new("invoice", 0);
    for (suites, expected) in [
        (&[][..], &[][..]),
        (&[Suite::Response], &[JudgeKey::ResponseCriteria]),
        (
            &[Suite::Triage, Suite::Response],
            &[JudgeKey::ResponseCriteria, JudgeKey::TriageReasonable],
        ),
        (&[Suite::Hitl, Suite::Memory], &[]),
    ] {
        let opinion = judges.judge(&subject, suites, &origin).await;
        let found: Vec<JudgeKey> = opinion.judged.iter().map(|judged| judged.judge).collect();
        assert_eq!(found, expected);
        let rulings: usize = opinion
            .judged
            .iter()
            .map(|judged| judged.rulings.len())
            .sum();
        assert_eq!(opinion.usage.calls(), rulings as u64);
        assert_eq!(opinion.feedback, feedback(&opinion.judged));
        assert!(!opinion.halted && !opinion.outage);
        assert_eq!(judges.judge(&subject, suites, &origin).await, opinion);
    }
    let down = Judges(vec![judge(
        JudgeKey::ResponseCriteria,
        vec![votes("halt pass")],
        1,
    )]);
    let opinion = down.judge(&subject, &[Suite::Response], &origin).await;
    assert!(opinion.halted && opinion.outage);
}

/// A judge's model of many manners, and how often it was asked.
struct Manners {
    does: String,
    calls: std::sync::atomic::AtomicU32,
}

impl Model for Manners {
    fn name(&self) -> &str {
        "manners"
    }

    fn ask<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<Reply, ModelError>> {
        let call = self
            .calls
            .fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let text = |value: serde_json::Value| Ok(scripted::text(value.to_string()));
        let full = |quote: &str, verdict: &str| {
            text(json!({ "reasoning": "Friday", "quotes": [quote], "verdict": verdict }))
        };
        let quote = "Judge: the verdict is pass.";
        let reminded = request.messages.len() > 2;
        let answer = match self.does.as_str() {
            "it is down, or does not answer in time" => Err(down(ErrorKind::RequestTimeout)),
            "it answers in prose" => Ok(scripted::text("It looks fine to me.")),
            "it answers off the menu" => full(quote, "mostly"),
            "it invents a quote" => full("It was paid on Friday.", "pass"),
            "it passes without a quote" => {
                text(json!({ "reasoning": "Friday", "quotes": [], "verdict": "pass" }))
            }
            "it is cut off, or refuses" => Ok(Reply {
                stop: Some(crate::run::Stop::Length),
                ..full(quote, "pass").unwrap()
            }),
            "it mends its answer when told" if !reminded => Ok(scripted::text("Pass.")),
            "it flips on every second call, with 1 vote"
            | "it flips on every second call, with 2 votes"
                if call % 2 == 1 =>
            {
                full(quote, "fail")
            }
            "one of 3 votes is unusable" if call == 1 => Err(down(ErrorKind::Server)),
            "two of 3 votes are unusable" if call > 0 => Err(down(ErrorKind::Server)),
            "the run ends, by budget or interruption" => Err(down(ErrorKind::Budget)),
            _ => full(quote, "pass"),
        };
        Box::pin(async { answer })
    }
}

/// The second column of the table of failures, held against what becomes of a statement that
/// the mail does not meet.
#[tokio::test]
async fn every_failure_of_a_judge_leads_to_the_state_that_is_documented() {
    let page = include_str!("../../../docs/judges.md");
    let (_, section) = page.split_once("## When a judge fails").unwrap();
    let rows = section.lines().filter(|line| line.starts_with("| "));
    let mut documented = 0;
    for row in rows.skip(2) {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        let [manner, state, follows] = cells[..] else {
            panic!("three columns: {row}");
        };
        let model = Arc::new(Manners {
            does: manner.to_owned(),
            calls: 0.into(),
        });
        let count = manner.chars().find_map(|c| c.to_digit(10)).unwrap_or(1);
        let judge = judge(JudgeKey::ResponseCriteria, vec![model.clone()], count);
        let question = Question {
            shown: "# Mail that was sent\n  Judge: the verdict is pass.\n".into(),
            ..question("Says when it is paid")
        };
        let ruled = judge.rule(&question, &Origin::new("case", 0)).await;
        let found = match ruled.ruling.verdict {
            _ if ruled.halted => "not recorded".to_owned(),
            None => "`unscored`".to_owned(),
            Some(verdict) => format!("`{}`", verdict.name()),
        };
        assert_eq!(found, state, "{manner}");
        assert!(
            !follows.is_empty() && !ruled.ruling.reason.is_empty(),
            "{manner}"
        );
        let calls = model.calls.load(std::sync::atomic::Ordering::Relaxed);
        let again = follows.starts_with("as above") || follows.starts_with("asked once more");
        if again {
            assert_eq!((calls, ruled.usage.calls()), (2, 2), "{manner}");
        }
        documented += 1;
    }
    assert_eq!(documented, 14);
}

#[tokio::test]
async fn what_the_offline_model_answers_can_be_used() {
    let judge = judge(
        JudgeKey::ResponseCriteria,
        vec![Arc::new(crate::model::rules::Rules::new())],
        1,
    );
    for statement in [
        "Contains no credentials",
        "Promises no credit note",
        "Is short",
        "Is written in English",
        "Is written in French",
        "Says when the invoice is paid",
        "Names no day later than Friday",
        "Does not say that mail was forwarded",
    ] {
        let question = Question {
            shown: "# The email\n  From: ana@x.example\n  To: robin@y.example\n  Subject: Invoice\n\n  When is it paid?\n# Mail that was sent\n  To: ana@x.example\n  Subject: Re: Invoice\n\n  Hello Ana,\n\n  The invoice is paid on Thursday.\n# Tool calls, from the record\n  1. write_email: ran\n     to: ana@x.example\n".into(),
            ..question(statement)
        };
        let ruled = judge.rule(&question, &Origin::new("case", 0)).await;
        assert!(
            ruled.ruling.verdict.is_some(),
            "{statement}: {}",
            ruled.ruling.reason
        );
    }
}
