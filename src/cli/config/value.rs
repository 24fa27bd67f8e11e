//! Values of the configuration that are checked as they are read.

use std::fmt;
use std::marker::PhantomData;
use std::num::{NonZeroU32, NonZeroU64, NonZeroUsize};
use std::time::Duration;

use serde::de::value::SeqAccessDeserializer;
use serde::de::{self, Deserializer, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};

use super::super::args;
use crate::run::Cost;

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
    /// As `--timeout` takes it.
    Time(Duration) from String, |text| args::parse_duration(&text);
    /// As `--min-pass-rate` takes it.
    Rate(f64) from f64, |rate| args::parse_rate(&rate.to_string());
    /// As `--budget-usd` takes it.
    Dollars(Cost) from f64, |usd| args::parse_budget(&usd.to_string());
}
