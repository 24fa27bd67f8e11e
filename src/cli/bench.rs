//! Models that judge what is there already, outside of a run.

use std::sync::Arc;

use super::args::Choices;
use super::clock;
use super::config::Config;
use super::environment::Environment;
use super::exit::Failure;
use super::models::Models;
use super::run::recording::{self, Prompts};
use super::run::{money, settings};
use crate::experiment::forecast::Forecast;
use crate::model::catalog::Catalog;
use crate::model::record::Recording;
use crate::model::{Model, rules};
use crate::redact::Redactor;
use crate::run::ModelRole;

/// The names of the models that judge: those that were chosen, those of the definition, or
/// the agent's.
pub fn panel(asked: &Choices, defined: &[String]) -> Result<Vec<String>, Failure> {
    match (&asked.panel.judge_model[..], defined, &asked.model[..]) {
        ([], [], []) => Ok(vec![rules::NAME.to_owned()]),
        ([], [], [one]) => Ok(vec![one.clone()]),
        ([], [], _) => Err(Failure::usage(
            "the configuration names several models: choose with `--judge-model`",
        )),
        ([], defined, _) => Ok(defined.to_vec()),
        (chosen, _, _) => settings::panel(chosen),
    }
}

/// The models of a panel, ready to be asked, or to answer from a recording.
pub struct Bench {
    pub models: Models,
    pub recording: Option<Arc<Recording>>,
    pub panel: Vec<Arc<dyn Model>>,
}

impl Bench {
    /// Opens the models called `names`; `recorded_as` stands in the place of a variant in a
    /// recording.
    ///
    /// # Errors
    /// As for [`Models::open`]; a budget without prices; a recording that cannot be used.
    pub fn open(
        recorded_as: &str,
        names: &[String],
        asked: &Choices,
        config: &Config,
        environment: &Environment,
        redactor: &Arc<Redactor>,
    ) -> Result<Bench, Failure> {
        let catalog = &config.catalog();
        let wanted = names.iter().map(|name| (name.as_str(), ModelRole::Judge));
        let wanted = wanted.filter(|_| !asked.recordings.asks_nobody());
        let models = Models::in_roles(wanted, catalog, asked, config, environment)?;
        if models.budget.is_some() {
            money::can_be_limited(&unlimited(names, catalog, &models))?;
        }
        let replayed = recording::replayed(&asked.recordings)?;
        let now = clock::now();
        let today = Prompts {
            date: now.date(),
            seed: 0,
        };
        let prompts = Prompts::of(replayed.as_ref(), today);
        let recording = recording::open(&asked.recordings, false, prompts, &now, redactor)?;
        let panel = names.iter().map(|name| {
            let role = ModelRole::Judge;
            recording::model(
                recording.as_ref(),
                &models,
                catalog,
                recorded_as,
                name,
                role,
            )
        });
        Ok(Bench {
            panel: panel
                .collect::<Result<_, _>>()
                .map_err(Failure::from_error)?,
            models,
            recording,
        })
    }
}

/// The models whose calls have no worst cost.
fn unlimited(names: &[String], catalog: &Catalog, models: &Models) -> Forecast {
    let mut forecast = Forecast::default();
    for name in names {
        // What is not opened is not asked, and costs nothing.
        let Some(worth) = models.worth(name, ModelRole::Judge) else {
            continue;
        };
        let full = catalog.full_name(name);
        match worth.price {
            None => forecast.unpriced.insert(full),
            Some(price) if !price.is_free() && worth.max_tokens.is_none() => {
                forecast.unlimited.insert(full)
            }
            Some(_) => false,
        };
    }
    forecast
}
