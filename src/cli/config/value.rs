//! Values of the configuration that are checked as they are read.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::num::{NonZeroU32, NonZeroU64, NonZeroUsize};
use std::time::Duration;

use serde::de::value::SeqAccessDeserializer;
use serde::de::{self, Deserializer, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};

use super::super::args;
use crate::judge::JudgeKey;
use crate::run::Cost;
use crate::score::Key;

/// `a` or `[a, b]`. Written by hand because `untagged` cannot say where a mistake is.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OneOrMany<T>(pub Vec<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for OneOrMany<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Either<T> {
            type Value = OneOrMany<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value or a list of values")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                let one = T::deserialize(de::value::StrDeserializer::new(text))?;
                Ok(OneOrMany(vec![one]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Self::Value, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(list)).map(OneOrMany)
            }
        }
        deserializer.deserialize_any(Either(PhantomData))
    }
}

macro_rules! checked {
    ($(#[$doc:meta] $name:ident($inner:ty) from $raw:ty, $parse:expr;)*) => {$(
        #[$doc]
        #[derive(Clone, Debug, PartialEq)]
        pub struct $name(pub $inner);

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let raw = <$raw>::deserialize(deserializer)?;
                let parse: fn($raw) -> Result<$inner, String> = $parse;
                parse(raw).map($name).map_err(de::Error::custom)
            }
        }
    )*};
}

fn too_few() -> String {
    "use a number of at least 1".to_owned()
}

checked! {
    /// A count of at least 1.
    Positive(u32) from u32, |n| if n > 0 { Ok(n) } else { Err(too_few()) };
    /// In a minute.
    Requests(NonZeroU32) from u32, |n| NonZeroU32::new(n).ok_or_else(too_few);
    /// In a minute.
    Tokens(NonZeroU64) from u64, |n| NonZeroU64::new(n).ok_or_else(too_few);
    /// As `--max-concurrency` takes it.
    Concurrency(NonZeroUsize) from usize, |n| args::parse_concurrency(&n.to_string());
    /// As `--judge-votes` takes it.
    Votes(u32) from u32, |n| args::parse_votes(&n.to_string());
    /// As `--looks` takes it.
    LookCount(u32) from u32, |n| args::parse_looks(&n.to_string());
    /// As `--timeout` takes it.
    Time(Duration) from String, |text| args::parse_duration(&text);
    /// As `--min-pass-rate` takes it.
    Rate(f64) from f64, |rate| args::parse_rate(&rate.to_string());
    /// As `--budget-usd` takes it.
    Dollars(Cost) from f64, |usd| args::parse_budget(&usd.to_string());
}

/// The least value of a judge's key that a gate lets pass, by judge.
#[derive(Clone, Debug, PartialEq)]
pub struct Thresholds(pub BTreeMap<JudgeKey, f64>);

impl<'de> Deserialize<'de> for Thresholds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let thresholds = BTreeMap::<Gated, Rate>::deserialize(deserializer)?;
        let thresholds = thresholds.into_iter();
        Ok(Thresholds(
            thresholds.map(|(of, rate)| (of.0, rate.0)).collect(),
        ))
    }
}

/// A judge, by the key of its figure.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Gated(JudgeKey);

impl<'de> Deserialize<'de> for Gated {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        let keys = || {
            let keyed = JudgeKey::ALL.into_iter();
            keyed.filter_map(|judge| Some((judge, judge.main_key()?)))
        };
        match keys().find(|(_, key)| key.name() == name) {
            Some((judge, _)) => Ok(Gated(judge)),
            None => {
                let known: Vec<&str> = keys().map(|(_, key): (_, Key)| key.name()).collect();
                Err(de::Error::custom(format!(
                    "`{}` takes no threshold; those that do are {}",
                    name.chars().take(60).collect::<String>(),
                    known.join(", ")
                )))
            }
        }
    }
}
