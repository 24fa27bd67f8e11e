//! `mailproof gate`: whether an experiment is good enough, asked again without running it.

use serde_json::json;

use super::against::Reference;
use super::args::{GateArgs, Talk};
use super::config::Config;
use super::environment::Environment;
use super::exit::{Exit, Failure};
use super::results;
use super::talk::{self, print};
use crate::experiment::Header;
use crate::report;

pub fn run(talk: &Talk, args: &GateArgs) -> Result<Exit, Failure> {
    let config = Config::read(args.config.as_deref()).map_err(Failure::usage)?;
    let folder = results::folder(args.experiment.as_deref())?;
    let reference = args.reference.as_ref().or(config.reference.as_ref());
    let reference = reference.map(|named| Reference::read(named)).transpose()?;
    let mut report = results::held(&folder, args.layer, |header| hold(header, args, &config))?;
    let compared = match reference {
        Some(reference) => {
            let gates = report.plan.gates.clone();
            reference.judge(&mut report, &folder, args.layer, &gates)?
        }
        None => Exit::Ok,
    };
    let redactor = Environment::process().redactor();
    if talk.json {
        let value = json!({
            "experiment": report.experiment,
            "gates": report.plan.gates,
            "min_pass_rate": report.plan.min_pass_rate,
            "gate": report.gate,
        });
        print(&format!("{}\n", redactor.json(&format!("{value:#}"))))?;
    } else {
        let text = report::gates(&report, talk::color(talk));
        print(&redactor.text(&text))?;
    }
    Ok(results::exit(&report).min(compared))
}

/// Puts what is asked now in the place of what the experiment was held to.
fn hold(header: &mut Header, args: &GateArgs, config: &Config) -> Result<(), Failure> {
    header.gates = config.gates(&args.gate, std::mem::take(&mut header.gates));
    if let Some(rate) = &config.min_pass_rate {
        header.min_pass_rate = Some(rate.0);
    }
    for judge in &mut header.judges {
        let thresholds = config.judge_thresholds.as_ref();
        if let Some(least) = thresholds.and_then(|it| it.0.get(&judge.judge)) {
            judge.threshold = Some(*least);
        }
        judge.trusted = config.trust_uncalibrated_judges.unwrap_or(judge.trusted);
    }
    let fit = header.gates.fit_variants(&header.variants);
    fit.map_err(|misfit| config.misfit(&misfit, args.config.as_deref(), &args.gate))
}
