//! `mailproof review-changes`: what an experiment did otherwise than accepted, one example
//! after the other.

mod dialogue;
mod diff;

#[cfg(test)]
mod tests;

use serde_json::{Value, json};

use super::args::{ReviewChangesArgs, Talk};
use super::ask::Asking;
use super::environment::Environment;
use super::exit::{Exit, Failure};
use super::snapshots::{Compared, Looked, examples, look};
use super::talk::{print, say, width};
use crate::compare::behaviour::{Change, Ways};
use crate::report::escape;
use dialogue::{Outcome, review};

pub fn run(talk: &Talk, args: &ReviewChangesArgs) -> Result<Exit, Failure> {
    let redactor = Environment::process().redactor();
    let mut looked = look(talk, &args.looked_at, &redactor)?;
    if !looked.variants.iter().any(|it| it.accepted.is_some()) {
        return Err(Failure::usage(format!(
            "nothing is accepted of the variants of `{}` so far: look at what it did, and \
             accept it with `mailproof accept {}`",
            looked.experiment,
            escape::shell(&looked.experiment),
        )));
    }
    looked.variants.retain(|it| it.accepted.is_some());
    say_unseen(talk, &looked);
    if args.check {
        return check(talk, &looked);
    }
    let outcome = review(Asking::process(), &mut looked.variants, &redactor)?;
    print(&if talk.json {
        outcome_json(&outcome)
    } else {
        outcome_text(&outcome, &looked.experiment)
    })?;
    Ok(Exit::Ok)
}

/// What is accepted and was not looked at by this experiment.
fn say_unseen(talk: &Talk, looked: &Looked) {
    for compared in &looked.variants {
        let accepted = compared.accepted.as_ref();
        let unseen = accepted.map_or(0, |accepted| compared.seen.unseen(accepted));
        if unseen > 0 && talk.verbose {
            say(
                talk,
                &format!(
                    "{}: {} with accepted behaviour did not run",
                    escape::line(compared.name()),
                    examples(unseen),
                ),
            );
        }
    }
}

fn check(talk: &Talk, looked: &Looked) -> Result<Exit, Failure> {
    let changes: Vec<(&Compared, Vec<Change>)> = looked
        .variants
        .iter()
        .map(|compared| (compared, compared.changes()))
        .collect();
    print(&if talk.json {
        changes_json(&changes)
    } else {
        changes_text(&changes, width(), &looked.experiment)
    })?;
    let any = changes.iter().any(|(_, changes)| !changes.is_empty());
    Ok(if any { Exit::GateFailed } else { Exit::Ok })
}

fn changes_text(changes: &[(&Compared, Vec<Change>)], width: usize, experiment: &str) -> String {
    let mut text = String::new();
    for (compared, changes) in changes {
        let seen = compared.seen.examples().count();
        let name = escape::line(compared.name());
        text.push_str(&match changes.len() {
            0 => format!("{name}: {} as accepted\n", examples(seen)),
            changed => format!(
                "{name}: {changed} of {} otherwise than accepted\n",
                examples(seen)
            ),
        });
        for change in changes {
            let lines = diff::render(change, width.min(100)).join("\n");
            text.push_str(&format!("\n{lines}\n"));
        }
        if !changes.is_empty() {
            text.push('\n');
        }
    }
    if changes.iter().any(|(_, changes)| !changes.is_empty()) {
        let experiment = escape::shell(experiment);
        text.push_str(&format!(
            "to do: `mailproof review-changes {experiment}` asks about each; `mailproof accept \
             {experiment}` accepts all\n"
        ));
    }
    text
}

fn changes_json(changes: &[(&Compared, Vec<Change>)]) -> String {
    let lines = |ways: &Ways| -> Vec<Vec<String>> {
        let way = |it: &str| it.lines().map(str::to_owned).collect();
        ways.iter().map(|it| way(it.as_str())).collect()
    };
    let of = |(compared, changes): &(&Compared, Vec<Change>)| -> Vec<Value> {
        let change = |change: &Change| {
            json!({
                "variant": compared.name(),
                "example": change.id,
                "subject": change.subject,
                "accepted": change.accepted.as_ref().map(lines),
                "now": lines(&change.now),
            })
        };
        changes.iter().map(change).collect()
    };
    let all: Vec<Value> = changes.iter().flat_map(of).collect();
    format!("{:#}\n", json!(all))
}

fn outcome_text(outcome: &Outcome, experiment: &str) -> String {
    let Outcome {
        accepted,
        rejected,
        left,
    } = outcome;
    if *accepted + rejected.len() + left == 0 {
        return "everything is as accepted\n".to_owned();
    }
    let mut text = format!(
        "{accepted} accepted, {} rejected, {left} left for later\n",
        rejected.len()
    );
    if !rejected.is_empty() {
        text.push_str("rejected, and to be mended:\n");
    }
    for (variant, example) in rejected {
        let at = format!("{experiment}/{variant}");
        text.push_str(&format!(
            "  mailproof show {} {}\n",
            escape::shell(&at),
            escape::shell(example)
        ));
    }
    text
}

fn outcome_json(outcome: &Outcome) -> String {
    let rejected = outcome.rejected.iter();
    let rejected =
        rejected.map(|(variant, example)| json!({ "variant": variant, "example": example }));
    let json = json!({
        "accepted": outcome.accepted,
        "rejected": rejected.collect::<Vec<_>>(),
        "left": outcome.left,
    });
    format!("{json:#}\n")
}
