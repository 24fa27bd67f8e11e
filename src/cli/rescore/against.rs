//! `mailproof rescore A --against B`: which of two experiments' mails a judge prefers.

use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use super::super::REPORTS;
use super::super::args::{RescoreArgs, Talk};
use super::super::bench::{Bench, panel};
use super::super::config::Config;
use super::super::exit::{Exit, Failure};
use super::super::models::CONCURRENCY;
use super::super::results;
use super::super::run::{files, money, stop_asked};
use super::super::talk::{print, say, warn, width};
use super::super::{progress, run::peak_memory_mb};
use super::{PATIENCE, dataset};
use crate::experiment::journal::JournalError;
use crate::experiment::pairwise::{
    self, Comparing, End, Ended, FORMAT, Found, Header, Places, Writer,
};
use crate::experiment::{ExperimentName, Header as Experiment, JudgePlan, Panel};
use crate::judge::JudgeKey;
use crate::judge::bench::Judge;
use crate::judge::calibration::Standing;
use crate::judge::definition::Definitions;
use crate::judge::pairwise::{canary, statement};
use crate::model::record::Unused;
use crate::model::rules;
use crate::report::escape;
use crate::report::pairwise::{Preferences, markdown, terminal};
use crate::run::Cost;

/// Stands in the place of a variant in a recording.
const RECORDED_AS: &str = "pairwise";

pub fn run(talk: &Talk, args: &RescoreArgs, against: &str) -> Result<Exit, Failure> {
    let mut asked = args.choices();
    let config = Config::read(asked.config.as_deref()).map_err(Failure::usage)?;
    config.complete(&mut asked);
    // What the configuration limits and records is an experiment.
    asked.limits.budget_usd = args.limits.budget_usd;
    asked.recordings = args.recordings.clone();
    let environment = asked.reach.environment(&config)?;
    let redactor = Arc::new(environment.redactor());

    let (other, variant) = match against.split_once('/') {
        Some((other, variant)) => (other, Some(variant)),
        None => (against, None),
    };
    let names: [ExperimentName; 2] = [
        args.experiment.parse().map_err(Failure::usage)?,
        other.parse().map_err(Failure::usage)?,
    ];
    let folders = names.each_ref().map(|name| name.folder(Path::new(REPORTS)));
    let read = |side: usize| Places::read(&folders[side]).map_err(Failure::from_error);
    let sides = [read(0)?, read(1)?];
    let [a, b] = sides.each_ref().map(|side| side.header().clone());
    if a.dataset.hash != b.dataset.hash {
        return Err(Failure::usage(format!(
            "`{}` and `{}` ran on datasets of different content, so what they answered need not be the same emails: run the agents of one of them again on the dataset of the other",
            escape::line(&a.experiment),
            escape::line(&b.experiment),
        )));
    }
    let variants = variants(&a, &b, variant)?;
    let dataset = Arc::new(dataset(&a, &args.dataset)?);

    let mut definitions = Definitions::embedded();
    for file in &asked.panel.judge_file {
        definitions = definitions.with_file(file).map_err(Failure::usage)?;
    }
    let definition = Arc::clone(definitions.get(JudgeKey::Pairwise));
    let models = panel(&asked, &definition.panel)?;
    let bench = Bench::open(
        RECORDED_AS,
        &models,
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
    let named = |[of_a, of_b]: &[u32; 2]| {
        [
            a.variants[*of_a as usize].name.clone(),
            b.variants[*of_b as usize].name.clone(),
        ]
    };
    let header = Header {
        format: FORMAT.to_owned(),
        tool_version: env!("CARGO_PKG_VERSION").to_owned(),
        created: Timestamp::now(),
        experiments: [a.experiment.clone(), b.experiment.clone()],
        journals: sides.each_ref().map(|side| side.header_hash().to_owned()),
        dataset_hash: dataset.hash.clone(),
        variants: variants.iter().map(named).collect(),
        judge: planned(&judge, models.clone()),
        statement: statement(judge.definition.scale).to_owned(),
    };
    let concurrency = asked.limits.max_concurrency.unwrap_or(CONCURRENCY);
    let each = u64::from(judge.votes) * judge.panel.len() as u64;
    let comparing = Comparing {
        sides,
        variants,
        dataset,
        redactor: Arc::clone(&redactor),
        judge: Arc::new(judge),
        models,
        concurrency,
        cancel: CancellationToken::new(),
        halt: bench.models.halt.clone(),
    };
    let pairs = comparing.pairs();
    if pairs == 0 {
        return Err(Failure::usage(format!(
            "`{}` and `{}` have no attempts at the same email that wants a reply: there is nothing to compare",
            escape::line(&a.experiment),
            escape::line(&b.experiment),
        )));
    }
    if comparing.models.iter().any(|name| name != rules::NAME) {
        files::allow((concurrency.get() as u64).saturating_mul(bench.models.accounts() as u64))?;
        let calls = (2 * pairs + canary::count() as u64) * each;
        say(
            talk,
            &format!(
                "{calls} calls at most, and as many again where answers cannot be used: {pairs} pairs in both orders, and the canaries"
            ),
        );
    }

    let kept_as = match variant {
        None => other.to_owned(),
        Some(_) => {
            let of_b = &b.variants[comparing.variants[0][1] as usize];
            format!("{other}+{}", of_b.file_name())
        }
    };
    let path = pairwise::path(&folders[0], &kept_as);
    let writer = Writer::create(&path, &header, Arc::clone(&redactor));
    let mut writer = writer.map_err(Failure::from_error)?;
    let mut preferences = Preferences::new(header);
    let bar = progress::bar(talk, pairs);
    let ended = carry_out(comparing, |found| match found {
        Found::Canaries(canaries) => writer.canaries(canaries),
        Found::Pair(pair) => {
            bar.inc(1);
            preferences.push(pair);
            writer.add(pair)
        }
    });
    bar.finish_and_clear();
    if let Some(recording) = &bench.recording {
        recording
            .finish(Unused::Kept)
            .map_err(Failure::from_error)?;
    }
    let (canaries, left_out) = match ended? {
        Ended::Complete { canaries, left_out } => (canaries, left_out),
        Ended::Cancelled => {
            say(talk, NOTHING_KEPT);
            return Ok(Exit::Interrupted);
        }
        Ended::Halted(halted) => {
            warn(&format!("stopped: {}", escape::lines(&halted.reason)));
            say(talk, NOTHING_KEPT);
            return Ok(halted.because.into());
        }
    };
    let report = preferences.finish(&canaries, &left_out);
    let end = End {
        pairs: writer.pairs(),
        left_out,
        spent: money::spent(&bench.models, Some(Cost::ZERO)),
    };
    writer.end(&end).map_err(Failure::from_error)?;
    let page = redactor.text(&markdown(&report)).into_owned();
    let beside = path.with_extension("md");
    results::replace(&beside, &page)
        .map_err(|error| Failure::usage(format!("cannot write `{}`: {error}", beside.display())))?;
    print(&match talk.json {
        true => {
            let json = serde_json::to_string_pretty(&report).map_err(Failure::internal)?;
            redactor.json(&format!("{json}\n")).into_owned()
        }
        false => redactor.text(&terminal(&report, width())).into_owned(),
    })?;
    if let (true, Some(megabytes)) = (talk.verbose, peak_memory_mb()) {
        say(talk, &format!("{megabytes} MB at most"));
    }
    say(talk, &format!("kept in {}", path.display()));
    Ok(Exit::Ok)
}

const NOTHING_KEPT: &str = "nothing is kept: `--record DIR` would keep what the judge says, for `--replay DIR --record DIR` to go on from";

/// The variants of A and of B that are compared: those of one name, or each of A with the one
/// of B that was named.
fn variants(a: &Experiment, b: &Experiment, named: Option<&str>) -> Result<Vec<[u32; 2]>, Failure> {
    let find = |name: &str| {
        let found = b.variants.iter().position(|variant| variant.name == name);
        found.map(|index| index as u32)
    };
    let known = || {
        let names: Vec<_> = b.variants.iter().map(|it| escape::line(&it.name)).collect();
        names.join(", ")
    };
    let one = match named {
        None => None,
        Some(name) => Some(find(name).ok_or_else(|| {
            Failure::usage(format!(
                "`{}` has no variant `{}`; its variants are {}",
                escape::line(&b.experiment),
                escape::line(name),
                known()
            ))
        })?),
    };
    let pairs = a
        .variants
        .iter()
        .enumerate()
        .filter_map(|(index, variant)| {
            let other = one.or_else(|| find(&variant.name))?;
            // What a variant sent is no better than itself.
            let same = a.experiment == b.experiment && index as u32 == other;
            (!same).then_some([index as u32, other])
        });
    let pairs: Vec<[u32; 2]> = pairs.collect();
    match pairs.is_empty() {
        false => Ok(pairs),
        true => Err(Failure::usage(format!(
            "no variant of `{}` can be compared with one of `{}`: name one of the latter, as in `--against {}/VARIANT`; its variants are {}",
            escape::line(&a.experiment),
            escape::line(&b.experiment),
            escape::line(&b.experiment),
            known()
        ))),
    }
}

/// The judge as records tell of it. Nobody measures it against labels.
fn planned(judge: &Judge, models: Vec<String>) -> JudgePlan {
    let binding = judge.binding(models.clone());
    JudgePlan {
        judge: binding.judge,
        version: judge.definition.version,
        rubric_hash: binding.rubric_hash,
        prompt_hash: binding.prompt_hash,
        parser_version: binding.parser_version,
        votes: judge.votes,
        threshold: None,
        trusted: false,
        panels: vec![Panel {
            models,
            standing: Standing::Uncalibrated,
        }],
    }
}

fn carry_out(
    comparing: Comparing,
    keep: impl FnMut(Found<'_>) -> Result<(), JournalError>,
) -> Result<Ended, Failure> {
    let runtime = Runtime::new().map_err(Failure::internal)?;
    let ended = runtime.block_on(async {
        let cancel = comparing.cancel.clone();
        let signals = tokio::spawn(async move {
            stop_asked().await;
            warn("stopping");
            cancel.cancel();
        });
        let ended = pairwise::run(comparing, keep).await;
        signals.abort();
        ended
    });
    // Calls under way are of no use any more.
    runtime.shutdown_timeout(PATIENCE);
    ended.map_err(Failure::from_error)
}
