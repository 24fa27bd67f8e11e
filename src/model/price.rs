//! What tokens cost.
//!
//! The table `prices.yaml` holds what providers publish; a configuration may state others. A
//! model that neither names has no price: its cost is unknown, never zero. Amounts are whole
//! trillionths of a dollar, so that sums are exact and the same in any order.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use jiff::civil::Date;
use serde::Deserialize;
use serde::de::{self, Deserializer};

use super::rules;
use crate::run::{Cost, TokenUsage};

/// What the tokens of one model cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Written")]
pub struct Price {
    rates: Rates,
    /// For all tokens of a call whose prompt has more tokens than this.
    long: Option<(u64, Rates)>,
}

/// Trillionths of a dollar per token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Rates {
    input: u64,
    cached_input: u64,
    output: u64,
}

/// A price as files have it, in US dollars per million tokens.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    input: PerMillion,
    output: PerMillion,
    /// Tokens that the provider read from its cache; as others where it is not given.
    #[serde(default)]
    cached_input: Option<PerMillion>,
    /// Tokens that the provider may have put there.
    #[serde(default)]
    cache_write: Option<PerMillion>,
    /// What holds instead for a prompt of more tokens than `above`.
    #[serde(default)]
    long_prompt: Option<WrittenLong>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenLong {
    above: u64,
    input: PerMillion,
    output: PerMillion,
    #[serde(default)]
    cached_input: Option<PerMillion>,
    #[serde(default)]
    cache_write: Option<PerMillion>,
}

/// US dollars per million tokens, kept as trillionths per token.
#[derive(Clone, Copy)]
struct PerMillion(u64);

/// More than this for a million tokens is a mistake in the unit.
const MOST_PER_MILLION: f64 = 10_000.0;
/// A millionth of a dollar per million tokens is a trillionth per token, the least we keep.
const DECIMALS: usize = 6;

impl<'de> Deserialize<'de> for PerMillion {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let usd = f64::deserialize(deserializer)?;
        trillionths(usd).map(PerMillion).map_err(de::Error::custom)
    }
}

/// Trillionths of a dollar per token at so many dollars per million tokens.
fn trillionths(usd_per_million: f64) -> Result<u64, String> {
    if !(0.0..=MOST_PER_MILLION).contains(&usd_per_million) {
        return Err(format!(
            "use a price in US dollars per million tokens, from 0 to {MOST_PER_MILLION}"
        ));
    }
    // The shortest decimal that reads as this number is the one that was written: exact, where
    // the number itself is only near it.
    let text = usd_per_million.abs().to_string();
    let (whole, decimals) = text.split_once('.').unwrap_or((&text, ""));
    if decimals.len() > DECIMALS {
        return Err(format!(
            "use a price of at most {DECIMALS} decimals: US dollars per million tokens"
        ));
    }
    let digits = format!("{whole}{decimals:0<DECIMALS$}");
    Ok(digits.parse().expect("at most eleven digits"))
}

impl Rates {
    /// Which tokens were put into a cache is in no count of tokens that we keep, so all that
    /// were not read from it are taken to be: rather too much than too little.
    fn new(
        input: PerMillion,
        cached_input: Option<PerMillion>,
        cache_write: Option<PerMillion>,
        output: PerMillion,
    ) -> Rates {
        Rates {
            input: input.0.max(cache_write.map_or(0, |write| write.0)),
            cached_input: cached_input.unwrap_or(input).0,
            output: output.0,
        }
    }

    fn cost(self, uncached: u64, cached: u64, output: u64) -> Cost {
        let of = |tokens: u64, rate: u64| Cost::of_trillionths(tokens.saturating_mul(rate));
        of(uncached, self.input)
            .plus(of(cached, self.cached_input))
            .plus(of(output, self.output))
    }

    /// The larger of each.
    fn at_most(self, other: Rates) -> Rates {
        Rates {
            input: self.input.max(other.input),
            cached_input: self.cached_input.max(other.cached_input),
            output: self.output.max(other.output),
        }
    }
}

impl TryFrom<Written> for Price {
    type Error = String;

    fn try_from(written: Written) -> Result<Price, String> {
        if let Some(WrittenLong { above: 0, .. }) = written.long_prompt {
            return Err("`above` is a number of prompt tokens of at least 1".to_owned());
        }
        let long = written.long_prompt.map(|long| {
            let rates = Rates::new(long.input, long.cached_input, long.cache_write, long.output);
            (long.above, rates)
        });
        Ok(Price {
            rates: Rates::new(
                written.input,
                written.cached_input,
                written.cache_write,
                written.output,
            ),
            long,
        })
    }
}

impl Price {
    /// Nothing costs anything.
    pub const FREE: Price = Price {
        rates: Rates {
            input: 0,
            cached_input: 0,
            output: 0,
        },
        long: None,
    };

    /// What a call of these tokens cost. Cached tokens are part of the input.
    pub fn cost(&self, tokens: &TokenUsage) -> Cost {
        let rates = match self.long {
            Some((above, long)) if tokens.input_tokens > above => long,
            _ => self.rates,
        };
        let cached = tokens.cached_input_tokens.min(tokens.input_tokens);
        rates.cost(tokens.input_tokens - cached, cached, tokens.output_tokens)
    }

    /// The most that a call can cost whose prompt has at most `prompt_tokens` and whose reply
    /// at most `max_tokens`.
    pub fn most(&self, prompt_tokens: u64, max_tokens: u64) -> Cost {
        // Above the limit too, a provider's count may be below it, so that the other rates hold.
        self.most_of(1, prompt_tokens, 0, max_tokens)
    }

    /// The most that so many calls can cost of which the first is sent at most `prompt_tokens`
    /// and each further one at most `more` than the one before, with replies of at most
    /// `max_tokens`.
    pub fn most_of(&self, calls: u64, prompt_tokens: u64, more: u64, max_tokens: u64) -> Cost {
        let short = match self.long {
            None => calls,
            Some((above, _)) if prompt_tokens > above => 0,
            Some((above, _)) => match (above - prompt_tokens).checked_div(more) {
                None => calls,
                Some(further) => calls.min(further.saturating_add(1)),
            },
        };
        let sum = |first: u64, calls: u64| {
            let pairs = u128::from(calls) * u128::from(calls.saturating_sub(1)) / 2;
            let sum = u128::from(first) * u128::from(calls) + u128::from(more) * pairs;
            u64::try_from(sum).unwrap_or(u64::MAX)
        };
        let cost = |rates: Rates, first, calls| {
            let input = rates.input.max(rates.cached_input);
            let tokens = max_tokens.saturating_mul(calls);
            Rates { input, ..rates }.cost(sum(first, calls), 0, tokens)
        };
        let first_long = prompt_tokens.saturating_add(more.saturating_mul(short));
        let all = self.all();
        cost(self.rates, prompt_tokens, short).plus(cost(all, first_long, calls - short))
    }

    /// A price at which no call is cheaper than at either.
    #[must_use]
    pub fn or_dearer(self, other: Price) -> Price {
        if self == other {
            return self;
        }
        let above = [self.long, other.long].into_iter().flatten();
        let above = above.map(|(above, _)| above).min();
        Price {
            rates: self.rates.at_most(other.rates),
            long: above.map(|above| (above, self.all().at_most(other.all()))),
        }
    }

    /// The larger rates of both tiers.
    fn all(&self) -> Rates {
        let long = self.long.map(|(_, long)| long);
        long.map_or(self.rates, |long| self.rates.at_most(long))
    }

    pub fn is_free(&self) -> bool {
        *self == Price::FREE
    }
}

/// The prices of models by their names.
#[derive(Clone, Debug)]
pub struct Prices {
    stated: Table,
}

/// Prices by full name (`provider:name`), as a configuration states them. A name that ends in
/// `*` stands for every name that starts with the rest.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(transparent)]
pub struct Table(BTreeMap<ModelName, Price>);

/// `provider:name`, or `provider:prefix*`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct ModelName(String);

impl<'de> Deserialize<'de> for ModelName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        let stars = name.matches('*').count();
        let well_formed = name
            .split_once(':')
            .is_some_and(|(provider, model)| !provider.is_empty() && !model.is_empty());
        if well_formed && (stars == 0 || stars == 1 && name.ends_with('*')) {
            Ok(ModelName(name))
        } else {
            Err(de::Error::custom(format!(
                "`{}` is no model's name: use `PROVIDER:NAME`, or `PROVIDER:PREFIX*`",
                name.escape_debug()
            )))
        }
    }
}

/// `prices.yaml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Published {
    as_of: Date,
    providers: BTreeMap<String, PublishedProvider>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PublishedProvider {
    /// The page that says so, for who reads the file.
    #[cfg_attr(not(test), allow(dead_code))]
    source: String,
    models: BTreeMap<String, Price>,
}

static PUBLISHED: LazyLock<Published> =
    LazyLock::new(|| read(include_str!("prices.yaml")).expect("the embedded price table is valid"));

/// As a configuration is read.
pub(crate) fn read<T: de::DeserializeOwned>(yaml: &str) -> Result<T, serde_yaml::Error> {
    let options = serde_yaml::options! {
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
    };
    serde_yaml::from_str_with_options(yaml, options)
}

/// The day on which the table's prices were looked up.
pub fn as_of() -> Date {
    PUBLISHED.as_of
}

impl Prices {
    /// What providers publish.
    pub fn embedded() -> Prices {
        Prices::with(Table::default())
    }

    /// What a configuration states, and what providers publish where it is silent.
    pub fn with(stated: Table) -> Prices {
        Prices { stated }
    }

    /// The price of the model called `name` (`provider:name`); `None` where nobody knows.
    ///
    /// The embedded model is free. Else the first of these that there is: its own stated
    /// price, that of the name without its date (`gpt-4o-2024-08-06` is a `gpt-4o`), the
    /// longest stated pattern; then its own published price, that of the name without its date.
    pub fn of(&self, name: &str) -> Option<Price> {
        self.stated(name).or_else(|| published(name))
    }

    /// As [`Prices::of`], of what the configuration states alone: what providers publish does
    /// not hold for a model of the same name at somebody else's address.
    pub fn stated(&self, name: &str) -> Option<Price> {
        if name == rules::NAME {
            return Some(Price::FREE);
        }
        let Table(table) = &self.stated;
        let exact = |name: &str| table.get(&ModelName(name.to_owned())).copied();
        let pattern = || {
            let patterns = table.iter().filter_map(|(ModelName(pattern), price)| {
                let prefix = pattern.strip_suffix('*')?;
                name.starts_with(prefix).then_some((prefix.len(), price))
            });
            let longest = patterns.max_by_key(|(length, _)| *length);
            longest.map(|(_, price)| *price)
        };
        exact(name)
            .or_else(|| exact(undated(name)?))
            .or_else(pattern)
    }
}

fn published(name: &str) -> Option<Price> {
    let (provider, model) = name.split_once(':')?;
    let models = &PUBLISHED.providers.get(provider)?.models;
    let exact = |model: &str| models.get(model).copied();
    exact(model).or_else(|| exact(undated(model)?))
}

/// A name without the date at its end: `-2024-08-06`, or `-20240806`.
fn undated(name: &str) -> Option<&str> {
    let is_date = |text: &str, shape: &str| {
        text.len() == shape.len()
            && text
                .bytes()
                .zip(shape.bytes())
                .all(|(byte, like)| match like {
                    b'0' => byte.is_ascii_digit(),
                    like => byte == like,
                })
    };
    ["-0000-00-00", "-00000000"].into_iter().find_map(|shape| {
        let at = name.len().checked_sub(shape.len())?;
        let (base, end) = (name.get(..at)?, name.get(at..)?);
        is_date(end, shape).then_some(base)
    })
}

#[cfg(test)]
mod tests;
