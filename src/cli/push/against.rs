//! `mailproof push langsmith A --against B`: which of two a judge prefers.

use std::fmt::Write;
use std::path::Path;

use serde_json::json;

use super::{failure, text};
use crate::cli::REPORTS;
use crate::cli::args::{LangsmithArgs, Talk};
use crate::cli::environment::Environment;
use crate::cli::exit::{Exit, Failure};
use crate::cli::pull::carry_out;
use crate::cli::talk::{print, say, warn};
use crate::experiment::ExperimentName;
use crate::experiment::journal::{FILE, Reader};
use crate::experiment::pairwise;
use crate::langsmith::comparative::{self, CompareError, Compared, Comparing};
use crate::langsmith::{Client, Settings};
use crate::report::escape;

pub fn run(
    talk: &Talk,
    args: &LangsmithArgs,
    against: &str,
    settings: Settings,
    environment: &Environment,
) -> Result<Exit, Failure> {
    let name: ExperimentName = args.experiment.parse().map_err(Failure::usage)?;
    let (other, variant) = match against.split_once('/') {
        Some((other, variant)) => (other, Some(variant)),
        None => (against, None),
    };
    let other: ExperimentName = other.parse().map_err(Failure::usage)?;
    if !settings.tracking {
        say(talk, text::NO_TRACKING);
        return Ok(Exit::Ok);
    }
    let folders = [&name, &other].map(|name| name.folder(Path::new(REPORTS)));
    let kept_as = match variant {
        None => other.to_string(),
        Some(variant) => {
            let reader = Reader::open(&folders[1].join(FILE)).map_err(Failure::from_error)?;
            let mut variants = reader.header().variants.iter();
            let found = variants.find(|it| it.name == variant);
            let found = found.ok_or_else(|| {
                Failure::usage(format!(
                    "`{other}` has no variant `{}`",
                    escape::line(variant)
                ))
            })?;
            format!("{other}+{}", found.file_name())
        }
    };
    let pairs = pairwise::path(&folders[0], &kept_as);
    let hidden = settings.hide_inputs || settings.hide_outputs;
    let client = Client::new(settings, environment.redactor()).map_err(failure)?;
    let comparing = Comparing {
        folders: folders.each_ref().map(|folder| folder.as_path()),
        pushed_as: [
            args.pushed_as.as_deref().unwrap_or(name.as_str()),
            other.as_str(),
        ],
        pairs: &pairs,
        hidden,
    };
    let compared = match carry_out(comparative::push(&client, comparing))? {
        None => return Ok(Exit::Interrupted),
        Some(Err(CompareError::Service(error))) => return Err(failure(error)),
        Some(Err(error)) => return Err(Failure::from_error(error)),
        Some(Ok(compared)) => compared,
    };
    print(&match talk.json {
        true => as_json(&compared),
        false => as_lines(&compared),
    })?;
    let left: u64 = compared.iter().map(|one| one.refused + one.unpushed).sum();
    if left == 0 {
        return Ok(Exit::Ok);
    }
    warn(&format!(
        "{left} pairs are not there: `mailproof push langsmith` pushes the runs, and this command once more the rest"
    ));
    Ok(Exit::Incomplete)
}

fn as_json(compared: &[Compared]) -> String {
    let compared: Vec<_> = compared
        .iter()
        .map(|one| {
            json!({
                "variants": one.variants, "name": one.name, "link": one.link, "sent": one.sent,
                "already_there": one.there, "unscored": one.unscored, "not_pushed": one.unpushed,
                "refused": one.refused, "reason": one.reason,
            })
        })
        .collect();
    format!("{:#}\n", json!({ "comparisons": compared }))
}

fn as_lines(compared: &[Compared]) -> String {
    let mut text = String::new();
    let mut line = |content: String| {
        writeln!(text, "{}", escape::line(&content)).expect("a string takes all");
    };
    for one in compared {
        let [a, b] = &one.variants;
        let mut counts = vec![format!("{} pairs sent", one.sent)];
        for (count, what) in [
            (one.there, "were there"),
            (one.unscored, "the judge did not decide"),
            (one.unpushed, "whose runs are not there"),
            (one.refused, "refused"),
        ] {
            if count > 0 {
                counts.push(format!("{count} {what}"));
            }
        }
        line(format!("{a} against {b}: {}", counts.join(", ")));
        if let Some(reason) = &one.reason {
            line(format!("  refused: {reason}"));
        }
        line(format!("  {}", one.link));
    }
    text
}
