//! `mailproof calibrate`: how often is a judge right?

mod text;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::civil::Date;
use tokio::runtime::Runtime;

use super::args::{CalibrateArgs, Choices, Talk};
use super::bench::{Bench, panel};
use super::clock;
use super::config::{Config, DEFAULT_PATH};
use super::exit::{Exit, Failure};
use super::models::CONCURRENCY;
use super::progress;
use super::results;
use super::talk::{print, say, warn, width};
use super::validate::load;
use crate::judge::JudgeKey;
use crate::judge::attack::{self, Attacks};
use crate::judge::bench::Judge;
use crate::judge::calibration::items::{self, Item};
use crate::judge::calibration::record::{FOLDER, Records, file_name, to_json};
use crate::judge::calibration::{Binding, Measured, Rated, Standing, measure, rated};
use crate::judge::definition::Definitions;
use crate::judge::subject::Question;
use crate::model::record::Unused;
use crate::model::rules;
use crate::report::escape;

/// With a smaller share of items judged, those that are left may be the easy ones, and
/// nothing is recorded.
const LEAST_COVERAGE: f64 = 0.95;
/// Stands in the place of a variant in a recording.
const RECORDED_AS: &str = "calibration";

pub fn run(talk: &Talk, args: CalibrateArgs) -> Result<Exit, Failure> {
    let config = Config::read(args.config.as_deref()).map_err(Failure::usage)?;
    let asked = asked(&args, &config);
    let mut definitions = Definitions::embedded();
    for file in &asked.panel.judge_file {
        definitions = definitions.with_file(file).map_err(Failure::usage)?;
    }
    let definition = Arc::clone(definitions.get(args.judge));
    if args.attacks && !attack::is_for(args.judge) {
        return Err(Failure::usage(format!(
            "`--attacks` are texts in mails, and `{}` is not asked about a mail: leave it out, or calibrate `{}` with it",
            args.judge,
            JudgeKey::ResponseCriteria
        )));
    }
    let names = panel(&asked, &definition.panel)?;
    let (items, left_out) = labelled(&args, &names)?;
    let items: Vec<(Rated, Question)> = rated(items)
        .into_iter()
        .map(|rated| Ok((rated.clone(), rated.item.question(&definition)?)))
        .collect::<Result<_, items::OtherJudge>>()
        .map_err(Failure::usage)?;

    let environment = asked.reach.environment(&config)?;
    let redactor = Arc::new(environment.redactor());
    let catalog = config.catalog();
    let bench = Bench::open(
        RECORDED_AS,
        &names,
        &asked,
        &config,
        &environment,
        &redactor,
    )?;
    let judge = Judge {
        votes: asked.panel.judge_votes.unwrap_or(definition.votes),
        panel: bench.panel,
        definition,
    };

    let full = names.iter().map(|name| catalog.full_name(name)).collect();
    let at_once = asked.limits.max_concurrency.unwrap_or(CONCURRENCY).get();
    let attacked = if args.attacks { attack::count() } else { 0 };
    let questions = (items.len() + attacked) as u64;
    if names.iter().any(|name| name != rules::NAME) {
        let each = u64::from(judge.votes) * judge.panel.len() as u64;
        let calls = questions * each;
        say(
            talk,
            &format!(
                "{calls} calls at most, and as many again where answers cannot be used: {} items and {attacked} mails of attacks",
                items.len()
            ),
        );
    }
    let bar = progress::bar(talk, questions);
    let date = clock::now().date();
    let runtime = Runtime::new().map_err(Failure::internal)?;
    let work = measure(&judge, full, &items, at_once, date, || bar.inc(1));
    let mut measured = runtime.block_on(work);
    measured.details.left_out = left_out;
    if args.attacks && !measured.halted {
        let attacked = runtime.block_on(attack::attack(&judge, at_once, || bar.inc(1)));
        measured.attacked(attacked);
    }
    bar.finish_and_clear();
    if let Some(recording) = &bench.recording {
        recording
            .finish(Unused::Kept)
            .map_err(Failure::from_error)?;
    }
    if let Some(halted) = bench.models.halt.reason() {
        warn(&format!("stopped: {}", escape::lines(&halted.reason)));
        warn("nothing is recorded: a judge is measured on all items or on none");
        return Ok(halted.because.into());
    }
    if measured.halted {
        warn("stopped: nothing is recorded");
        return Ok(Exit::Incomplete);
    }

    let folder = args
        .output
        .unwrap_or_else(|| beside(args.config.as_deref()));
    if measured.calibration.attacks.is_none()
        && let Some((date, attacks)) = attacked_before(&folder, &measured.calibration.binding)
    {
        say(
            talk,
            &format!(
                "what became of the attacks of {date} on the same judge is kept: `--attacks` tries them again"
            ),
        );
        measured.calibration.attacks = Some(Attacks {
            date: (date != measured.calibration.date).then_some(date),
            ..attacks
        });
    }
    let record = to_json(&measured.calibration, &measured.details);
    let record = redactor.json(&format!("{record:#}\n")).into_owned();
    print(&match talk.json {
        true => record.clone(),
        false => redactor
            .text(&text::render(&measured, width()))
            .into_owned(),
    })?;
    if let Some(refusal) = too_little(&measured) {
        warn(&refusal);
        return Ok(Exit::Indecisive);
    }
    let path = folder.join(file_name(&measured.calibration.binding));
    fs::create_dir_all(&folder)
        .and_then(|()| results::replace(&path, &record))
        .map_err(|error| Failure::usage(format!("cannot write `{}`: {error}", path.display())))?;
    say(talk, &format!("kept in {}", path.display()));
    Ok(Exit::Ok)
}

/// What the flags say, completed by the configuration.
fn asked(args: &CalibrateArgs, config: &Config) -> Choices {
    let mut asked = Choices {
        panel: args.panel.clone(),
        limits: args.limits.clone(),
        reach: args.reach.clone(),
        ..Choices::default()
    };
    config.complete(&mut asked);
    // What the configuration limits and records is an experiment.
    asked.limits.budget_usd = args.limits.budget_usd;
    asked.recordings = args.recordings.clone();
    asked
}

/// The items for the judge: of the files that were named, or those that come with the
/// program; and how many were left out, because a model of the panel was made with them.
fn labelled(args: &CalibrateArgs, panel: &[String]) -> Result<(Vec<Item>, u64), Failure> {
    let judge = args.judge;
    let mut left_out = 0;
    let items = match args.items.is_empty() {
        true => {
            let dataset = load(&[])?;
            let mut items = items::embedded(judge, &dataset);
            if panel.iter().any(|name| name == rules::NAME) {
                let all = items.len();
                let known = |item: &Item| {
                    let examples = &mut dataset.examples.iter();
                    let example = examples.find(|example| example.email == item.email);
                    example.and_then(|example| example.split.as_deref())
                        == Some(rules::DEVELOPED_ON)
                };
                items.retain(|item| !known(item));
                left_out = (all - items.len()) as u64;
            }
            items
        }
        false => {
            let dataset = load(&args.dataset)?;
            let mut items = items::read(&args.items, &dataset).map_err(Failure::usage)?;
            items.retain(|item| item.judge() == judge);
            items
        }
    };
    if !items.is_empty() {
        return Ok((items, left_out));
    }
    Err(Failure::nothing_selected(
        match (judge, args.items.is_empty()) {
            (JudgeKey::Pairwise | JudgeKey::TriageReasonable, _) => {
                format!("`{judge}` is not measured against labels: nothing relies on it")
            }
            (_, true) => format!("no labelled items for `{judge}` come with the program"),
            (_, false) => format!("no item of these files is for `{judge}`"),
        },
    ))
}

/// Why what was measured is not to be relied on, if it is not.
fn too_little(measured: &Measured) -> Option<String> {
    let calibration = &measured.calibration;
    match calibration.coverage() {
        None => Some(
            "no item was left to ask about, so nothing is recorded: people differ on them, or code decides them"
                .to_owned(),
        ),
        Some(coverage) if coverage < LEAST_COVERAGE => Some(format!(
            "{} of {} items have no verdict, so nothing is recorded: those that have one may be the easy ones",
            calibration.unscored, calibration.items
        )),
        Some(_) => None,
    }
}

/// What became of attacks on a judge that judges alike, and when: as the record is about to be
/// replaced, it would be lost.
fn attacked_before(folder: &Path, binding: &Binding) -> Option<(Date, Attacks)> {
    let records = Records::with_folder(folder).unwrap_or_else(|error| {
        let error = escape::lines(&error.to_string());
        warn(&format!(
            "{error}; what became of attacks is not taken from there"
        ));
        Records::embedded()
    });
    match records.standing(binding) {
        Standing::Calibrated(calibration) => calibration
            .attacked()
            .map(|(date, attacks)| (date, attacks.clone())),
        Standing::Stale { .. } | Standing::Uncalibrated => None,
    }
}

/// The folder of records beside the configuration.
fn beside(config: Option<&Path>) -> PathBuf {
    let config = config.unwrap_or(Path::new(DEFAULT_PATH));
    config.parent().unwrap_or(Path::new("")).join(FOLDER)
}

#[cfg(test)]
mod tests;
