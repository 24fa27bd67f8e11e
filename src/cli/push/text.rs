//! What a push says: of what it will do, of what it did, and of what is left.

use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

use indicatif::HumanCount;
use serde_json::{Value, json};

use super::super::args::{LangsmithArgs, Reach};
use super::super::talk::warn;
use crate::langsmith::push::{Counts, Experiment, Pushed, Survey};
use crate::report::escape;

pub const NO_TRACKING: &str = "LANGSMITH_TEST_TRACKING is false: nothing is sent";

/// Names that are listed of many.
const LISTED: usize = 10;

/// What there is to send, and where to.
pub fn plan(survey: &Survey, dataset: &str, host: &str) -> String {
    let whole = survey.whole();
    let variants = survey.variants.iter().filter(|it| it.attempts > 0).count();
    format!(
        "{} ({}, {}) of {} to `{}` at {}",
        counted(whole.attempts, "attempt"),
        counted(whole.runs, "run"),
        counted(whole.scores, "score"),
        counted(variants as u64, "variant"),
        escape::line(dataset),
        escape::line(host),
    )
}

/// The same with what it takes, where nothing else has to be waited for: the service's limits,
/// and small answers.
pub fn forecast(plan: &str, requests: u64, least: Duration) -> String {
    let seconds = least.as_secs_f64().round() as u64;
    let least = match seconds {
        0 => String::new(),
        1..120 => format!(", at least {seconds} s"),
        _ => format!(", at least {} min", seconds / 60),
    };
    format!("{plan}: about {}{least}", counted(requests, "request"))
}

/// What came of it: the dataset, each experiment, and where they are looked at.
pub fn lines(pushed: &Pushed, link: Option<&str>) -> String {
    let mut text = String::new();
    let mut line = |line: String| {
        text.push_str(&line);
        text.push('\n');
    };
    if pushed.dataset.is_some() {
        line(dataset(pushed));
    }
    for experiment in &pushed.experiments {
        line(told(experiment));
    }
    if let Some(link) = link {
        line(escape::line(link).into_owned());
    }
    text
}

fn dataset(pushed: &Pushed) -> String {
    let changes = &pushed.changes;
    let name = pushed.dataset.as_ref().map_or("", |dataset| &dataset.name);
    let mut parts = Vec::new();
    let mut part = |count: u64, what: &str| {
        if count > 0 {
            parts.push(format!("{} {what}", HumanCount(count)));
        }
    };
    part(changes.created, "made");
    part(changes.updated, "changed");
    part(changes.unchanged, "unchanged");
    part(changes.deleted, "deleted");
    part(changes.foreign, "of others left alone");
    if parts.is_empty() {
        parts.push("none".to_owned());
    }
    let new = if pushed.made { "new " } else { "" };
    let name = escape::line(name);
    let mut text = format!("{new}dataset `{name}`, examples: {}", parts.join(", "));
    if !changes.gone.is_empty() && changes.deleted == 0 {
        let gone = changes.gone.len() as u64;
        let there = if gone == 1 { "is" } else { "are" };
        write!(
            text,
            "; {} no longer here {there} still there (`--prune` deletes): {}",
            counted(gone, "example"),
            listed(changes.gone.iter().map(String::as_str), changes.gone.len()),
        )
        .expect("a string takes all");
    }
    text
}

fn told(experiment: &Experiment) -> String {
    let name = match &experiment.session {
        Some((_, name)) => name,
        None => &experiment.variant,
    };
    let mut text = format!(
        "{}: {}, {}",
        escape::line(name),
        became(experiment.attempts, "attempt"),
        became(experiment.scores, "score")
    );
    match &experiment.counted {
        Some(Ok(counted)) if counted.complete => text.push_str("; LangSmith counts all of them"),
        Some(Ok(so_far)) => write!(
            text,
            "; LangSmith counts {} and {} so far (its figures lag behind)",
            counted(so_far.attempts, "attempt"),
            counted(so_far.scores, "score"),
        )
        .expect("a string takes all"),
        Some(Err(reason)) => {
            write!(
                text,
                "; LangSmith did not say what it counts ({})",
                escape::line(reason)
            )
            .expect("a string takes all");
        }
        None => {}
    }
    if let Some(layer) = experiment.other_layer {
        let which = match layer {
            0 => "the run's own".to_owned(),
            layer => format!("those of layer {layer}"),
        };
        write!(
            text,
            "; scores that were there stay {which} (`--as NAME` pushes others as another experiment)"
        )
        .expect("a string takes all");
    }
    text
}

fn became(counts: Counts, noun: &str) -> String {
    let states = [
        (counts.sent, "sent"),
        (counts.there, "there already"),
        (counts.left(), "left"),
    ];
    let states: Vec<_> = states.into_iter().filter(|(count, _)| *count > 0).collect();
    let all = counted(counts.all, noun);
    match &states[..] {
        [] => all,
        [(_, state)] => format!("{all} {state}"),
        several => {
            let told = several.iter();
            let told = told.map(|(count, state)| format!("{} {state}", HumanCount(*count)));
            format!("{all} ({})", told.collect::<Vec<_>>().join(", "))
        }
    }
}

/// Says what was refused and what is left, with the command that goes on.
pub fn say_what_is_left(pushed: &Pushed, goes_on: &str) {
    for refusal in pushed.refused.iter().take(LISTED) {
        warn(&format!(
            "refused: {}: {}",
            escape::line(&refusal.name),
            escape::line(&refusal.reason)
        ));
    }
    if pushed.refused.len() > LISTED {
        warn(&format!("and {} more", pushed.refused.len() - LISTED));
    }
    if !pushed.unknown.is_empty() {
        let unknown = pushed.unknown.iter().map(String::as_str);
        warn(&format!(
            "not sent: attempts at examples that are neither there nor in the dataset here (`-d PATH` says where they are): {}",
            listed(unknown, pushed.unknown.len())
        ));
    }
    if pushed.unused_labels > 0 {
        warn(&format!(
            "{} of the labels are about nothing that these attempts did",
            HumanCount(pushed.unused_labels as u64)
        ));
    }
    if let Some(stopped) = &pushed.stopped {
        warn(&escape::lines(&stopped.to_string()));
    }
    if !pushed.is_complete() {
        let left = |of: fn(&Experiment) -> Counts| -> u64 {
            let experiments = pushed.experiments.iter();
            experiments.map(|it| of(it).left()).sum()
        };
        warn(&format!(
            "{} and {} are left: `{goes_on}` goes on",
            counted(left(|it| it.attempts), "attempt"),
            counted(left(|it| it.scores), "score"),
        ));
    }
}

/// The command that pushes the same again.
pub fn command(args: &LangsmithArgs) -> String {
    let mut command = format!(
        "mailproof push langsmith {}",
        escape::shell(&args.experiment)
    );
    let mut add = |flag: &str, value: &str| {
        let value = escape::shell(value);
        write!(command, " {flag} {value}").expect("a string takes all");
    };
    for path in &args.dataset {
        add("-d", &path.display().to_string());
    }
    for path in &args.labels {
        add("--labels", &path.display().to_string());
    }
    let named = [
        ("--dataset-name", args.dataset_name.clone()),
        ("--as", args.pushed_as.clone()),
        ("--layer", args.layer.map(|layer| layer.to_string())),
        (
            "--max-retries",
            args.max_retries.map(|most| most.to_string()),
        ),
    ];
    for (flag, value) in named {
        if let Some(value) = value {
            add(flag, &value);
        }
    }
    if args.prune {
        command.push_str(" --prune");
    }
    command + &reaching(args.config.as_deref(), &args.reach)
}

/// The flags by which a command finds the same keys, and may reach the same servers.
pub fn reaching(config: Option<&Path>, reach: &Reach) -> String {
    let files = reach.env_file.iter().map(|path| ("--env-file", &**path));
    let files = config.map(|path| ("-c", path)).into_iter().chain(files);
    let mut flags = String::new();
    for (flag, path) in files {
        let path = escape::shell(&path.display().to_string());
        write!(flags, " {flag} {path}").expect("a string takes all");
    }
    if reach.offline {
        flags.push_str(" --offline");
    }
    flags
}

/// All of it as one object.
pub fn json(pushed: &Pushed, link: Option<&str>) -> String {
    let counts = |counts: Counts| {
        json!({
            "all": counts.all, "sent": counts.sent, "there": counts.there, "left": counts.left(),
        })
    };
    let experiments = pushed.experiments.iter().map(|experiment| {
        let session = experiment.session.as_ref();
        json!({
            "variant": experiment.variant,
            "id": session.map(|(id, _)| id),
            "name": session.map(|(_, name)| name),
            "attempts": counts(experiment.attempts),
            "scores": counts(experiment.scores),
            "counted": experiment.counted.as_ref().map(|counted| match counted {
                Ok(counted) => json!({
                    "attempts": counted.attempts,
                    "scores": counted.scores,
                    "complete": counted.complete,
                }),
                Err(reason) => json!({ "error": reason }),
            }),
        })
    });
    let experiments: Vec<Value> = experiments.collect();
    let refused = pushed.refused.iter();
    let refused: Vec<Value> = refused
        .map(|refusal| json!({"what": refusal.name, "reason": refusal.reason}))
        .collect();
    let changes = &pushed.changes;
    let dataset = pushed.dataset.as_ref().map(|dataset| {
        json!({
            "id": dataset.id,
            "name": dataset.name,
            "made": pushed.made,
            "examples": {
                "created": changes.created,
                "updated": changes.updated,
                "unchanged": changes.unchanged,
                "deleted": changes.deleted,
                "gone": changes.gone,
                "foreign": changes.foreign,
            },
        })
    });
    let whole = json!({
        "complete": pushed.is_complete(),
        "dataset": dataset,
        "experiments": experiments,
        "refused": refused,
        "unknown_examples": pushed.unknown,
        "stopped": pushed.stopped.as_ref().map(ToString::to_string),
        "link": link,
    });
    format!("{whole:#}\n")
}

fn counted(number: u64, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", HumanCount(number))
}

fn listed<'a>(names: impl Iterator<Item = &'a str>, all: usize) -> String {
    let names: Vec<_> = names.take(LISTED).map(escape::line).collect();
    match all.saturating_sub(LISTED) {
        0 => names.join(", "),
        more => format!("{}, and {more} more", names.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use uuid::Uuid;

    use super::*;
    use crate::langsmith::push::{Changes, Counted, PushError, Refusal};
    use crate::langsmith::wire::Dataset;

    fn experiment(variant: &str, attempts: [u64; 3], scores: [u64; 3]) -> Experiment {
        let counts = |[all, sent, there]: [u64; 3]| Counts { all, sent, there };
        Experiment {
            variant: variant.into(),
            session: Some((Uuid::from_u128(1), format!("nightly-{variant}-00000000"))),
            attempts: counts(attempts),
            scores: counts(scores),
            ..Experiment::default()
        }
    }

    fn pushed() -> Pushed {
        Pushed {
            dataset: Some(Dataset {
                id: Uuid::from_u128(2),
                name: "mails\u{202e}".into(),
                tenant_id: Uuid::from_u128(3),
            }),
            changes: Changes {
                created: 1,
                unchanged: 1200,
                foreign: 2,
                gone: (1..13).map(|number| format!("old-{number}")).collect(),
                ..Changes::default()
            },
            experiments: vec![
                Experiment {
                    counted: Some(Ok(Counted {
                        attempts: 20,
                        scores: 60,
                        complete: true,
                    })),
                    ..experiment("a@rules", [20, 20, 0], [60, 60, 0])
                },
                Experiment {
                    counted: Some(Ok(Counted {
                        attempts: 1,
                        scores: 59,
                        complete: false,
                    })),
                    ..experiment("b@rules", [20, 5, 15], [60, 0, 60])
                },
                Experiment {
                    other_layer: Some(0),
                    ..experiment("c@rules", [1200, 200, 0], [3600, 0, 0])
                },
            ],
            refused: vec![Refusal {
                name: "run 1".into(),
                reason: "too bad".into(),
            }],
            ..Pushed::default()
        }
    }

    #[test]
    fn a_push_is_told_by_its_experiments() {
        insta::assert_snapshot!(lines(&pushed(), Some("https://there.example/o")), @r"
        dataset `mails\u{202e}`, examples: 1 made, 1,200 unchanged, 2 of others left alone; 12 examples no longer here are still there (`--prune` deletes): old-1, old-2, old-3, old-4, old-5, old-6, old-7, old-8, old-9, old-10, and 2 more
        nightly-a@rules-00000000: 20 attempts sent, 60 scores sent; LangSmith counts all of them
        nightly-b@rules-00000000: 20 attempts (5 sent, 15 there already), 60 scores there already; LangSmith counts 1 attempt and 59 scores so far (its figures lag behind)
        nightly-c@rules-00000000: 1,200 attempts (200 sent, 1,000 left), 3,600 scores left; scores that were there stay the run's own (`--as NAME` pushes others as another experiment)
        https://there.example/o
        ");
        let pushed = Pushed {
            experiments: vec![Experiment {
                session: None,
                ..experiment("a@rules", [2, 0, 0], [0, 0, 0])
            }],
            stopped: Some(PushError::Cancelled),
            ..Pushed::default()
        };
        insta::assert_snapshot!(lines(&pushed, None), @"a@rules: 2 attempts left, 0 scores");
    }

    #[test]
    fn what_it_takes_is_told_in_a_line() {
        for (seconds, told) in [
            (0.2, "plan: about 1 request"),
            (3.4, "plan: about 1 request, at least 3 s"),
            (119.0, "plan: about 1 request, at least 119 s"),
            (121.0, "plan: about 1 request, at least 2 min"),
        ] {
            let time = Duration::from_secs_f64(seconds);
            assert_eq!(forecast("plan", 1, time), told);
        }
    }

    #[test]
    fn the_command_that_goes_on_is_the_same_push() {
        let plain = LangsmithArgs::of("nightly");
        assert_eq!(command(&plain), "mailproof push langsmith nightly");
        let chosen = LangsmithArgs {
            dataset: vec![PathBuf::from("my mails.yaml")],
            dataset_name: Some("Ana's".into()),
            pushed_as: Some("again".into()),
            labels: vec![PathBuf::from("ana.jsonl")],
            layer: Some(2),
            max_retries: Some(9),
            prune: true,
            config: Some(PathBuf::from("ci/mailproof.yaml")),
            reach: Reach {
                env_file: vec![PathBuf::from(".env"), PathBuf::from("my keys")],
                offline: true,
            },
            ..plain
        };
        assert_eq!(
            command(&chosen),
            r"mailproof push langsmith nightly -d 'my mails.yaml' --labels ana.jsonl --dataset-name 'Ana'\''s' --as again --layer 2 --max-retries 9 --prune -c ci/mailproof.yaml --env-file .env --env-file 'my keys' --offline"
        );
    }
}
