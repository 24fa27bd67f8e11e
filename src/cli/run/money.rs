//! What models cost: their prices, and what a plan may come to.

use crate::dataset::Dataset;
use crate::experiment::forecast::{Forecast, Terms, forecast};
use crate::experiment::{Plan, Variant};
use crate::model::price::Prices;
use crate::run::ModelRole;

/// What `plan` will come to.
pub fn told(plan: &Plan, dataset: &Dataset, prices: &Prices) -> Forecast {
    let terms = |variant: &Variant, role: ModelRole| {
        let other = match role {
            ModelRole::Router => variant.router_model.as_ref(),
            ModelRole::Memory => variant.memory_model.as_ref(),
            ModelRole::Agent | ModelRole::Judge | ModelRole::Simulator => None,
        };
        let model = other.unwrap_or(&variant.model).clone();
        Terms {
            price: prices.of(&model),
            max_tokens: None,
            model,
        }
    };
    forecast(plan, dataset, terms)
}
