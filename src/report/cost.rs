//! What attempts cost: counted, and in words and figures that renderings share.

use super::figures::{self, NOTHING};
use super::histogram::Histogram;
use super::people::Table;
use super::{AttemptCost, Report, VariantReport};
use crate::run::{Cost, ModelRole, Usage};

/// Of the attempts of a variant.
#[derive(Debug)]
pub(super) struct Costs {
    /// `None` once the cost of any call is unknown.
    total: Option<Cost>,
    /// In trillionths of a dollar.
    each: Histogram,
}

impl Costs {
    pub(super) fn new() -> Costs {
        Costs {
            total: Some(Cost::ZERO),
            each: Histogram::default(),
        }
    }

    pub(super) fn record(&mut self, usage: &Usage) {
        let cost = usage.cost();
        self.total = self.total.zip(cost).map(|(total, cost)| total.plus(cost));
        if let Some(cost) = cost {
            self.each.record(cost.trillionths());
        }
    }

    pub(super) fn total(&self) -> Option<Cost> {
        self.total
    }

    /// `None` where there is no attempt, or one of unknown cost.
    pub(super) fn attempt(&self) -> Option<AttemptCost> {
        let cost = |trillionths: f64| Cost::of_trillionths(trillionths.round() as u64);
        if self.total.is_none() || self.each.is_empty() {
            return None;
        }
        Some(AttemptCost {
            mean: cost(self.each.mean()),
            p50: cost(self.each.quantile(0.5)),
            p90: cost(self.each.quantile(0.9)),
            max: Cost::of_trillionths(self.each.max()),
        })
    }
}

/// What the table of costs means.
pub(super) const LEGEND: &str = "In US dollars, by the role of the model: what the providers' \
    counts of tokens come to at the models' prices, over attempts of every outcome. Unknown: the \
    price of a model that took part is neither published nor stated.";

const ROLES: [ModelRole; 5] = [
    ModelRole::Router,
    ModelRole::Agent,
    ModelRole::Memory,
    ModelRole::Simulator,
    ModelRole::Judge,
];

/// A row a variant, a column a role. `None` where nothing is known to have cost anything: free
/// models have nothing to tell, and [`unknown`] tells of the others.
pub(super) fn table(report: &Report, quote: impl Fn(&str) -> String) -> Option<Table> {
    let variants = &report.variants;
    let mut roles = variants.iter().flat_map(|variant| variant.usage.0.values());
    if !roles.any(|role| role.cost.is_some_and(|cost| cost > Cost::ZERO)) {
        return None;
    }
    let plays = |variant: &VariantReport, role| variant.usage.0.contains_key(&role);
    let roles = ROLES.into_iter();
    let roles: Vec<ModelRole> = roles
        .filter(|&role| variants.iter().any(|variant| plays(variant, role)))
        .collect();
    let mut headers = vec!["variant".to_owned()];
    headers.extend(roles.iter().map(|role| figures::role(*role).to_owned()));
    headers.extend(["total", "per attempt", "dearest"].map(str::to_owned));
    let row = |variant: &VariantReport| {
        let mut row = vec![quote(&variant.name)];
        row.extend(roles.iter().map(|role| match variant.usage.0.get(role) {
            None => NOTHING.to_owned(),
            Some(usage) => known(usage.cost),
        }));
        row.push(known(variant.cost_usd));
        let each = variant.attempt_cost_usd;
        row.extend(match (each, variant.counts.attempts) {
            (None, 0) => [NOTHING, NOTHING].map(str::to_owned),
            (each, _) => [each.map(|each| each.mean), each.map(|each| each.max)].map(known),
        });
        row
    };
    Some((headers, variants.iter().map(row).collect()))
}

/// Said in the place of a table of which every figure would be unknown.
pub(super) fn unknown(report: &Report) -> Option<&'static str> {
    let unknown = report.variants.iter().any(|it| it.cost_usd.is_none());
    let words = "Cost: unknown, since the prices of the models are neither published nor stated.";
    (unknown && table(report, str::to_owned).is_none()).then_some(words)
}

/// Whether it is known that nothing was paid.
pub(super) fn is_free(variant: &VariantReport) -> bool {
    variant.cost_usd == Some(Cost::ZERO)
}

pub(super) fn known(cost: Option<Cost>) -> String {
    cost.map_or("unknown".to_owned(), usd)
}

/// US dollars: to the cent from a dollar on, else with three digits that say something.
pub fn usd(cost: Cost) -> String {
    const CENT: u64 = 10_000_000_000;
    let trillionths = cost.trillionths();
    if trillionths == 0 {
        return "0".to_owned();
    }
    if trillionths >= 100 * CENT {
        let cents = (trillionths + CENT / 2) / CENT;
        return format!("{}.{:02}", figures::count(cents / 100), cents % 100);
    }
    let dollars = cost.usd();
    // As many zeros behind the point as there are.
    let zeros = (-dollars.log10()).floor() as usize;
    let text = format!("{dollars:.*}", zeros + 3);
    let text = text.trim_end_matches('0');
    // `0.1` is read as money more readily as `0.10`.
    match text.split_once('.') {
        Some((whole, decimals)) => format!("{whole}.{decimals:0<2}"),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::TokenUsage;

    #[test]
    fn an_amount_has_the_digits_that_say_something() {
        for (trillionths, text) in [
            (0, "0"),
            (1, "0.000000000001"),
            (1_234_567, "0.00000123"),
            (75_000_000_000, "0.075"),
            (100_000_000_000, "0.10"),
            (123_456_000_000, "0.123"),
            (999_900_000_000, "1.00"),
            (1_000_000_000_000, "1.00"),
            (12_345_678_000_000_000, "12,345.68"),
            (u64::MAX, "1,000,000.00"),
        ] {
            assert_eq!(usd(Cost::of_trillionths(trillionths)), text);
        }
    }

    fn usage(cost: Option<u64>) -> Usage {
        let mut usage = Usage::default();
        let tokens = TokenUsage {
            cost: cost.map(Cost::of_trillionths),
            ..TokenUsage::default()
        };
        usage.record(ModelRole::Agent, tokens);
        usage
    }

    #[test]
    fn a_total_is_exact_and_unknown_where_any_part_is() {
        let mut costs = Costs::new();
        assert_eq!((costs.total(), costs.attempt()), (Some(Cost::ZERO), None));
        for cost in [5, 1, 3] {
            costs.record(&usage(Some(cost)));
        }
        costs.record(&Usage::default());
        assert_eq!(costs.total(), Some(Cost::of_trillionths(9)));
        let each = costs.attempt().expect("all are known");
        assert_eq!((each.mean.trillionths(), each.max.trillionths()), (2, 5));
        costs.record(&usage(None));
        assert_eq!((costs.total(), costs.attempt()), (None, None));
    }
}
