//! What models cost: what a plan may come to, and the limit on what may be spent.

use std::collections::BTreeSet;

use super::super::exit::Failure;
use super::super::models::Models;
use crate::dataset::Dataset;
use crate::experiment::forecast::{Forecast, Terms, forecast};
use crate::experiment::{Choices, Plan};
use crate::model::catalog::Worth;
use crate::model::price::Price;
use crate::run::{Cost, ModelRole};

/// What `plan` will come to, with the models that are to be asked.
pub fn told(plan: &Plan, dataset: &Dataset, models: &Models, choices: &Choices) -> Forecast {
    let Choices {
        catalog, judging, ..
    } = choices;
    let terms = |name: &str, role: ModelRole| {
        // What is not opened is not asked, and costs nothing.
        let worth = models.worth(name, role).unwrap_or(Worth {
            price: Some(Price::FREE),
            max_tokens: None,
        });
        Terms {
            model: catalog.full_name(name),
            price: worth.price,
            max_tokens: worth.max_tokens,
        }
    };
    forecast(plan, dataset, &judging.definitions, terms)
}

/// Whether what a plan costs can be limited.
///
/// # Errors
/// A model whose price nobody knows, or whose replies have no limit: its calls have no worst
/// cost that could be set aside.
pub fn can_be_limited(forecast: &Forecast) -> Result<(), Failure> {
    let listed = |models: &BTreeSet<String>| {
        let quoted: Vec<String> = models.iter().map(|model| format!("`{model}`")).collect();
        quoted.join(", ")
    };
    if let Some(model) = forecast.unpriced.first() {
        return Err(Failure::usage(format!(
            "`--budget-usd` needs the price of every model, and that of {} is neither published nor stated: write it into mailproof.yaml, in US dollars per million tokens, as in\n  prices:\n    \"{model}\": {{ input: 0.1, output: 0.4 }}",
            listed(&forecast.unpriced)
        )));
    }
    if let Some(model) = forecast.unlimited.first() {
        return Err(Failure::usage(format!(
            "`--budget-usd` needs a limit on every reply, and those of {} have none: write it into mailproof.yaml, as in\n  models:\n    \"{model}\": {{ max_tokens: 1024 }}",
            listed(&forecast.unlimited)
        )));
    }
    Ok(())
}

/// Counts what earlier sittings spent, where there is a limit.
///
/// # Errors
/// What they spent is not known.
pub fn go_on(models: &Models, earlier: Option<Cost>) -> Result<(), Failure> {
    let Some(budget) = &models.budget else {
        return Ok(());
    };
    let spent = earlier.ok_or_else(|| {
        Failure::usage(
            "`--budget-usd` counts what earlier sittings spent, and that is not known: a model without a price took part; resume without a limit, or start a new experiment",
        )
    })?;
    budget.count(spent);
    Ok(())
}

/// What this sitting spent, of which `earlier` was spent before it; `None` where the price of
/// any call is not known.
pub fn spent(models: &Models, earlier: Option<Cost>) -> Option<Cost> {
    match (&models.budget, earlier) {
        // Calls whose answers were lost are in it.
        (Some(budget), Some(earlier)) => Some(budget.spent().minus(earlier)),
        _ => models.spent(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_limited_is_refused_with_what_to_write() {
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        let told = |unpriced: &[&str], unlimited: &[&str]| {
            let forecast = Forecast {
                unpriced: names(unpriced),
                unlimited: names(unlimited),
                ..Forecast::default()
            };
            can_be_limited(&forecast).map_err(|failure| failure.to_string())
        };
        assert_eq!(told(&[], &[]), Ok(()));
        insta::assert_snapshot!(told(&["a:x", "b:y"], &["c:z"]).unwrap_err(), @r#"
        `--budget-usd` needs the price of every model, and that of `a:x`, `b:y` is neither published nor stated: write it into mailproof.yaml, in US dollars per million tokens, as in
          prices:
            "a:x": { input: 0.1, output: 0.4 }
        "#);
        insta::assert_snapshot!(told(&[], &["c:z"]).unwrap_err(), @r#"
        `--budget-usd` needs a limit on every reply, and those of `c:z` have none: write it into mailproof.yaml, as in
          models:
            "c:z": { max_tokens: 1024 }
        "#);
    }
}
