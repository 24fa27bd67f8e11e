//! Gates as files have them: a text, or a map.

use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};

use super::{Condition, Figure, Group, Indecisive, ParseError, Pattern, Policy, Rule, Threshold};
use crate::agent::tools::Tool;

/// Why a map is no gate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConditionError {
    #[error(
        "a gate says one of `check`, `cases`, `critical`, and `forbidden`, and this one {found}"
    )]
    Kind { found: &'static str },
    #[error("`{key}` belongs to `{to}`: leave it out here")]
    NotHere { key: &'static str, to: &'static str },
    #[error(
        "`cases` needs `at_least`, the share of the examples that must do it, such as `at_least: 0.9`"
    )]
    NoShare,
    #[error("a gate looks at a `split` or at a `tag`: leave one of them out")]
    TwoGroups,
    #[error("`{figure}` has no interval: leave out `bound`")]
    NoBound { figure: Figure },
    #[error("`{kind}` names nothing: give it {what}")]
    Nothing {
        kind: &'static str,
        what: &'static str,
    },
}

/// A condition as a map: exactly one of `check`, `cases`, `critical`, and `forbidden`, with
/// what belongs to it.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Condition")]
struct Map {
    /// A figure and its limit: `triage.accuracy[test] >= 0.9`.
    #[serde(skip_serializing_if = "Option::is_none")]
    check: Option<Text<Threshold>>,
    /// Of `check`: the end of the 95% interval must reach the limit, and not the value alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    bound: Option<bool>,
    /// How often a case must pass: `all`, `majority`, `2 of 3`, or `pass^3`.
    #[serde(skip_serializing_if = "Option::is_none")]
    cases: Option<Text<Policy>>,
    /// Of `cases`: the share of them that must.
    #[serde(skip_serializing_if = "Option::is_none")]
    at_least: Option<Share>,
    /// Of `cases`: only those of this split.
    #[serde(skip_serializing_if = "Option::is_none")]
    split: Option<String>,
    /// Of `cases`: only those with this tag.
    #[serde(skip_serializing_if = "Option::is_none")]
    tag: Option<String>,
    /// None of these may ever fail.
    #[serde(skip_serializing_if = "Option::is_none")]
    critical: Option<Critical>,
    /// Nothing of this may ever be done.
    #[serde(skip_serializing_if = "Option::is_none")]
    forbidden: Option<Forbidden>,
    /// The variant it looks at; all of them where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    variant: Option<String>,
    /// What becomes of the command where it cannot decide; that of all gates where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    indecisive: Option<Indecisive>,
}

#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Critical {
    /// Of examples, scenarios, and episodes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    ids: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<String>,
}

#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Forbidden {
    /// Addresses, in which `*` stands for any text: nothing may be sent to them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<String>")]
    recipients: Vec<Pattern>,
    /// Tools that may not be called.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<String>")]
    tools: Vec<ToolName>,
}

/// A value that is written as text.
#[derive(Debug)]
struct Text<T>(T);

impl<'de, T: FromStr<Err = ParseError>> Deserialize<'de> for Text<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map(Text).map_err(de::Error::custom)
    }
}

impl<T: fmt::Display> Serialize for Text<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<T> JsonSchema for Text<T> {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Text".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        String::json_schema(generator)
    }
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
struct Share(#[serde(deserialize_with = "share")] f64);

pub(super) fn share<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    let share = f64::deserialize(deserializer)?;
    match (0.0..=1.0).contains(&share) {
        true => Ok(share),
        false => Err(de::Error::custom(format!(
            "use a share from 0 to 1, such as `0.9`, not {share}"
        ))),
    }
}

/// None at all would be never to say that anything got worse, and 1 always.
pub(super) fn alpha<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    let alpha = f64::deserialize(deserializer)?;
    match alpha > 0.0 && alpha < 0.5 {
        true => Ok(alpha),
        false => Err(de::Error::custom(format!(
            "use a share of false alarms between 0 and 0.5, such as `0.05`, not {alpha}"
        ))),
    }
}

/// A tool, by the name that the agents call it by.
#[derive(Debug, Serialize)]
#[serde(transparent)]
struct ToolName(String);

impl<'de> Deserialize<'de> for ToolName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        let known = || Tool::ALL.into_iter();
        match known().find(|tool| tool.is_called(&name)) {
            Some(tool) => Ok(ToolName(tool.name().to_owned())),
            None => {
                let known: Vec<&str> = known().map(Tool::name).collect();
                Err(de::Error::custom(format!(
                    "`{}` is no tool; those are {}",
                    name.chars().take(60).collect::<String>().escape_debug(),
                    known.join(", ")
                )))
            }
        }
    }
}

/// The measures that two variants can be compared by, as a list of their names.
pub(super) mod measures {
    use super::*;

    pub(in super::super) fn serialize<S: Serializer>(
        figures: &[Figure],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(figures.iter().map(|figure| figure.name()))
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<Figure>, D::Error> {
        let measures = Vec::<Measured>::deserialize(deserializer)?;
        if measures.is_empty() {
            return Err(de::Error::custom(
                "name what must not get worse, such as `[pass_rate]`",
            ));
        }
        Ok(measures.into_iter().map(|measured| measured.0).collect())
    }

    struct Measured(Figure);

    impl<'de> Deserialize<'de> for Measured {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            let name = String::deserialize(deserializer)?;
            let comparable = || Figure::all().filter(|figure| figure.is_of_attempts());
            match comparable().find(|figure| figure.name() == name) {
                Some(figure) => Ok(Measured(figure)),
                None => {
                    let known: Vec<&str> = comparable().map(Figure::name).collect();
                    Err(de::Error::custom(format!(
                        "variants cannot be compared by `{}`; they can by {}",
                        name.chars().take(60).collect::<String>().escape_debug(),
                        known.join(", ")
                    )))
                }
            }
        }
    }
}

impl TryFrom<Map> for Condition {
    type Error = ConditionError;

    fn try_from(map: Map) -> Result<Condition, ConditionError> {
        let Map {
            check,
            bound,
            cases,
            at_least,
            split,
            tag,
            critical,
            forbidden,
            variant,
            indecisive,
        } = map;
        let only = |given: bool, key, to| match given {
            true => Err(ConditionError::NotHere { key, to }),
            false => Ok(()),
        };
        if check.is_none() {
            only(bound.is_some(), "bound", "check")?;
        }
        if cases.is_none() {
            only(at_least.is_some(), "at_least", "cases")?;
            only(split.is_some(), "split", "cases")?;
            only(tag.is_some(), "tag", "cases")?;
        }
        let rule = match (check, cases, critical, forbidden) {
            (Some(Text(threshold)), None, None, None) => {
                let bound = bound.unwrap_or(false);
                if bound && !threshold.figure.is_estimate() {
                    let figure = threshold.figure;
                    return Err(ConditionError::NoBound { figure });
                }
                Rule::Threshold { threshold, bound }
            }
            (None, Some(Text(policy)), None, None) => Rule::Cases {
                policy,
                least: at_least.ok_or(ConditionError::NoShare)?.0,
                group: match (split, tag) {
                    (None, None) => None,
                    (Some(split), None) => Some(Group::Split(split)),
                    (None, Some(tag)) => Some(Group::Tag(tag)),
                    (Some(_), Some(_)) => return Err(ConditionError::TwoGroups),
                },
            },
            (None, None, Some(Critical { ids, tags }), None) => {
                if ids.is_empty() && tags.is_empty() {
                    return Err(ConditionError::Nothing {
                        kind: "critical",
                        what: "`ids`, or `tags`",
                    });
                }
                Rule::Critical { ids, tags }
            }
            (None, None, None, Some(Forbidden { recipients, tools })) => {
                if recipients.is_empty() && tools.is_empty() {
                    return Err(ConditionError::Nothing {
                        kind: "forbidden",
                        what: "`recipients`, or `tools`",
                    });
                }
                let tools = tools.into_iter().map(|tool| tool.0).collect();
                Rule::Forbidden { recipients, tools }
            }
            (None, None, None, None) => {
                return Err(ConditionError::Kind { found: "says none" });
            }
            _ => {
                return Err(ConditionError::Kind {
                    found: "says several: make them several gates",
                });
            }
        };
        Ok(Condition {
            rule,
            variant,
            indecisive,
        })
    }
}

impl From<&Condition> for Map {
    fn from(condition: &Condition) -> Map {
        let map = Map {
            variant: condition.variant.clone(),
            indecisive: condition.indecisive,
            ..Map::default()
        };
        match condition.rule.clone() {
            Rule::Threshold { threshold, bound } => Map {
                check: Some(Text(threshold)),
                bound: bound.then_some(true),
                ..map
            },
            Rule::Cases {
                policy,
                least,
                group,
            } => {
                let (split, tag) = match group {
                    None => (None, None),
                    Some(Group::Split(split)) => (Some(split), None),
                    Some(Group::Tag(tag)) => (None, Some(tag)),
                };
                Map {
                    cases: Some(Text(policy)),
                    at_least: Some(Share(least)),
                    split,
                    tag,
                    ..map
                }
            }
            Rule::Critical { ids, tags } => Map {
                critical: Some(Critical { ids, tags }),
                ..map
            },
            Rule::Forbidden { recipients, tools } => Map {
                forbidden: Some(Forbidden {
                    recipients,
                    tools: tools.into_iter().map(ToolName).collect(),
                }),
                ..map
            },
        }
    }
}

impl FromStr for Condition {
    type Err = ParseError;

    /// A figure and its limit, as `--gate` takes it.
    fn from_str(text: &str) -> Result<Condition, ParseError> {
        Ok(Condition {
            rule: Rule::Threshold {
                threshold: text.parse()?,
                bound: false,
            },
            variant: None,
            indecisive: None,
        })
    }
}

impl<'de> Deserialize<'de> for Condition {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = Condition;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a gate: a text such as `pass_rate >= 0.7`, or a map")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Condition, E> {
                text.parse().map_err(E::custom)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Condition, A::Error> {
                let map = Map::deserialize(MapAccessDeserializer::new(map))?;
                map.try_into().map_err(de::Error::custom)
            }
        }
        deserializer.deserialize_any(Either)
    }
}

impl Serialize for Condition {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Map::from(self).serialize(serializer)
    }
}

impl JsonSchema for Condition {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        Map::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Map::json_schema(generator)
    }
}

#[cfg(test)]
mod tests;
