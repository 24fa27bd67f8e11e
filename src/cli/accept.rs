//! `mailproof accept`: what an experiment did is right from now on.

use serde_json::json;

use super::args::{AcceptArgs, Talk};
use super::environment::Environment;
use super::exit::{Exit, Failure};
use super::snapshots::{Compared, examples, look};
use super::talk::print;
use crate::report::escape;

pub fn run(talk: &Talk, args: &AcceptArgs) -> Result<Exit, Failure> {
    let redactor = Environment::process().redactor();
    let looked = look(talk, &args.looked_at, &redactor)?;
    for id in &args.example {
        let is_seen = |it: &Compared| it.seen.examples().any(|seen| seen.id == *id);
        if !looked.variants.iter().any(is_seen) {
            return Err(Failure::nothing_selected(format!(
                "`{}` shows nothing of an example `{}`: report.json and `mailproof validate` \
                 name examples",
                looked.experiment,
                escape::line(id),
            )));
        }
    }
    let is_asked = |id: &String| args.example.is_empty() || args.example.contains(id);
    let mut accepted = Vec::new();
    for mut compared in looked.variants {
        let seen = compared.seen.examples().filter(|it| is_asked(&it.id));
        let seen = seen.count();
        if seen == 0 {
            continue;
        }
        let mut changes = compared.changes();
        changes.retain(|change| is_asked(&change.id));
        compared.accept(&changes, args.keep, &redactor)?;
        accepted.push(Accepted {
            variant: compared.name().to_owned(),
            file: compared.path.display().to_string(),
            accepted: changes.len(),
            as_before: seen - changes.len(),
        });
    }
    if accepted.is_empty() {
        return Err(Failure::nothing_selected(format!(
            "no attempt of `{}` shows anything of the agent: there is nothing to accept",
            looked.experiment
        )));
    }
    print(&if talk.json {
        as_json(&accepted)
    } else {
        accepted.iter().map(as_line).collect()
    })?;
    Ok(Exit::Ok)
}

/// What became of a variant.
struct Accepted {
    variant: String,
    file: String,
    /// Examples that are handled otherwise than accepted before, or were new.
    accepted: usize,
    /// Examples that are handled as accepted before.
    as_before: usize,
}

fn as_line(it: &Accepted) -> String {
    format!(
        "{}: {} accepted, {} as before, in {}\n",
        escape::line(&it.variant),
        examples(it.accepted),
        it.as_before,
        escape::line(&it.file),
    )
}

fn as_json(accepted: &[Accepted]) -> String {
    let variants = accepted.iter().map(|it| {
        json!({
            "variant": it.variant,
            "file": it.file,
            "accepted": it.accepted,
            "as_before": it.as_before,
        })
    });
    format!("{:#}\n", json!(variants.collect::<Vec<_>>()))
}
