//! Shards: parts of a plan that processes on several machines carry out.
//!
//! A case falls to a shard by a hash of what it is: the variant, the example (scenario,
//! episode), and which repetition. So whoever knows the plan knows the part, nobody hands out
//! work, and an example that is added or moved changes nobody else's. The steps of an episode
//! are one case and stay together.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::record::CaseKind;

/// One of several parts that together are a plan, written as in `2/4`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Shard {
    /// From 1.
    index: u32,
    count: u32,
}

/// Why something is no shard.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShardError {
    #[error("`{0}` is no shard: write which of how many, as in `2/4`")]
    Form(String),
    #[error("there is no shard {index} of {count}: they are counted from 1 to {count}")]
    Index { index: u32, count: u32 },
    #[error("a plan is divided into 1 to {} shards, not {count}", Shard::MOST)]
    Count { count: u32 },
}

impl Shard {
    /// More processes than anybody starts, and few enough to name those that are missing.
    pub const MOST: u32 = 10_000;

    /// # Errors
    /// [`ShardError::Index`] or [`ShardError::Count`].
    pub fn new(index: u32, count: u32) -> Result<Shard, ShardError> {
        if !(1..=Shard::MOST).contains(&count) {
            return Err(ShardError::Count { count });
        }
        if !(1..=count).contains(&index) {
            return Err(ShardError::Index { index, count });
        }
        Ok(Shard { index, count })
    }

    /// All shards that a plan is divided into.
    pub fn all(count: u32) -> impl Iterator<Item = Shard> {
        (1..=count).map(move |index| Shard { index, count })
    }

    /// From 1.
    pub fn index(self) -> u32 {
        self.index
    }

    /// Of how many it is one.
    pub fn count(self) -> u32 {
        self.count
    }

    /// Whether a case falls to it. `repeat` counts from 0.
    ///
    /// This is part of the journal's format: shards that were run by one version are merged by
    /// another.
    pub fn holds(self, variant: &str, kind: CaseKind, id: &str, repeat: u32) -> bool {
        let mut hash = Sha256::new();
        for part in [variant, kind.name(), id] {
            // The length keeps `ab`, `c` apart from `a`, `bc`.
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        hash.update(repeat.to_le_bytes());
        let digest = hash.finalize();
        let (first, _) = digest.split_first_chunk().expect("SHA-256 has 32 bytes");
        let number = u64::from_be_bytes(*first);
        number % u64::from(self.count) == u64::from(self.index - 1)
    }

    /// What its part of the experiment `name` is called: `NAME.2-of-4`, which `name` may
    /// be already.
    pub fn name(self, name: &str) -> String {
        match Shard::named(name) {
            Some((_, shard)) if shard == self => name.to_owned(),
            _ => format!("{name}.{}-of-{}", self.index, self.count),
        }
    }

    /// The experiment and the shard that a name made by [`Shard::name`] tells.
    pub fn named(name: &str) -> Option<(&str, Shard)> {
        let (experiment, part) = name.rsplit_once('.')?;
        let (index, count) = part.split_once("-of-")?;
        let shard = Shard::new(number(index)?, number(count)?).ok()?;
        Some((experiment, shard))
    }
}

/// Digits alone: the standard library takes `+2` too.
fn number(text: &str) -> Option<u32> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
    is_plain.then(|| text.parse().ok()).flatten()
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}

impl FromStr for Shard {
    type Err = ShardError;

    fn from_str(text: &str) -> Result<Shard, ShardError> {
        let wrong = || ShardError::Form(text.chars().take(40).collect());
        let (index, count) = text.split_once('/').ok_or_else(wrong)?;
        Shard::new(
            number(index).ok_or_else(wrong)?,
            number(count).ok_or_else(wrong)?,
        )
    }
}

impl TryFrom<String> for Shard {
    type Error = ShardError;

    fn try_from(text: String) -> Result<Shard, ShardError> {
        text.parse()
    }
}

impl From<Shard> for String {
    fn from(shard: Shard) -> String {
        shard.to_string()
    }
}

/// What a shard has to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ShardPlan {
    /// Which shard of how many, as in `2/4`.
    #[schemars(with = "String")]
    pub part: Shard,
    /// For each variant, how many of its attempts.
    pub cases: Vec<u64>,
}

impl ShardPlan {
    /// How many attempts that are.
    pub fn planned(&self) -> u64 {
        let cases = self.cases.iter();
        cases.fold(0, |sum, cases| sum.saturating_add(*cases))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::dataset::Dataset;
    use crate::experiment::tests::{choices, dataset, episode, scenario};
    use crate::experiment::{Choices, Plan};
    use CaseKind::{Episode, Example, Scenario};

    fn shard(text: &str) -> Shard {
        text.parse().unwrap()
    }

    #[test]
    fn a_shard_is_one_of_how_many() {
        for (text, found) in [
            ("1/1", Ok((1, 1))),
            ("2/4", Ok((2, 4))),
            ("10000/10000", Ok((10_000, 10_000))),
            ("0/4", Err("counted from 1 to 4")),
            ("5/4", Err("no shard 5 of 4")),
            ("1/0", Err("not 0")),
            ("1/10001", Err("1 to 10000 shards")),
            ("2", Err("`2` is no shard")),
            ("+1/4", Err("no shard: write which")),
            ("1/4 ", Err("no shard: write which")),
            ("-1/4", Err("no shard: write which")),
            ("4294967297/4", Err("no shard: write which")),
            ("", Err("`` is no shard")),
        ] {
            match (text.parse::<Shard>(), found) {
                (Ok(shard), Ok(found)) => {
                    assert_eq!((shard.index(), shard.count()), found, "{text}");
                    assert_eq!(shard.to_string(), text);
                }
                (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{error}"),
                (found, _) => panic!("{text}: {found:?}"),
            }
        }
    }

    #[test]
    fn a_name_tells_its_shard_and_is_not_lengthened_twice() {
        assert_eq!(shard("2/4").name("nightly"), "nightly.2-of-4");
        assert_eq!(shard("2/4").name("nightly.2-of-4"), "nightly.2-of-4");
        assert_eq!(shard("1/4").name("v1.2-of-4"), "v1.2-of-4.1-of-4");
        for (name, found) in [
            ("nightly.2-of-4", Some(("nightly", "2/4"))),
            ("v1.5.1-of-1", Some(("v1.5", "1/1"))),
            ("nightly", None),
            ("nightly.5-of-4", None),
            ("nightly.2-of-", None),
        ] {
            let found = found.map(|(experiment, text)| (experiment, shard(text)));
            assert_eq!(Shard::named(name), found, "{name}");
        }
    }

    /// Other versions divide plans in the same way, or journals of one plan could not be
    /// merged. The figures are those of Python's hashlib.
    #[test]
    fn what_falls_to_whom_is_fixed_for_good() {
        for (variant, kind, id, repeat, index) in [
            ("workflow@rules", Example, "invoice-question", 0, 4),
            ("workflow@rules", Example, "invoice-question", 1, 7),
            ("hitl@rules", Scenario, "invoice-question/edit", 0, 4),
            ("hitl-memory@rules", Episode, "learns-newsletter", 2, 7),
        ] {
            for shard in Shard::all(7) {
                let holds = shard.holds(variant, kind, id, repeat);
                assert_eq!(holds, shard.index() == index, "{id} {repeat} {shard}");
            }
        }
    }

    fn people(examples: usize) -> Dataset {
        Dataset {
            scenarios: vec![scenario("e0/accept", 0, Vec::new())],
            episodes: vec![episode("learns", &[0, 1])],
            ..dataset(examples)
        }
    }

    fn plan(dataset: &Dataset, repeat: u32, shard: Option<Shard>) -> Plan {
        let choices = Choices {
            agents: vec!["workflow".into(), "hitl-memory".into()],
            repeat,
            shard,
            ..choices()
        };
        Plan::resolve(&choices, dataset).unwrap()
    }

    /// Each case of a plan as people name it.
    fn keys(plan: &Plan, dataset: &Dataset) -> BTreeSet<(String, String, u32)> {
        let key = |case| {
            let key = plan.key(case, dataset);
            let variant = &plan.variants[key.variant as usize];
            (variant.name.clone(), key.example, key.repeat)
        };
        plan.cases().map(key).collect()
    }

    #[test]
    fn an_example_that_is_added_or_moved_changes_nothing_of_the_others() {
        let few = people(12);
        let mut more = people(14);
        more.examples.reverse();
        for episode in &mut more.episodes {
            for step in &mut episode.steps {
                step.example = 13 - step.example;
            }
        }
        more.scenarios[0].example = 13;
        for shard in Shard::all(3) {
            let (before, after) = (plan(&few, 2, Some(shard)), plan(&more, 2, Some(shard)));
            let (before, mut after) = (keys(&before, &few), keys(&after, &more));
            after.retain(|(_, id, _)| id != "e12" && id != "e13");
            assert_eq!(before, after, "{shard}");
        }
    }

    #[test]
    fn a_shards_header_is_the_whole_plans_but_for_the_shard() {
        let dataset = people(9);
        let header = |plan: &Plan| {
            plan.header(
                "x",
                jiff::Timestamp::UNIX_EPOCH,
                "2026-03-02".parse().unwrap(),
            )
        };
        let whole = header(&plan(&dataset, 2, None));
        let one = plan(&dataset, 2, Some(shard("1/2")));
        let mut part = header(&one);
        assert_eq!(part.planned(), Some(one.planned()));
        assert_eq!(
            part.shard.take().unwrap().planned(),
            one.cases().count() as u64
        );
        assert_eq!(part, whole);
    }

    proptest! {
        #[test]
        fn shards_are_a_plan_between_them(
            examples in 2usize..20, repeat in 1u32..4, count in 1u32..12,
        ) {
            let dataset = people(examples);
            let whole = plan(&dataset, repeat, None);
            let mut together = BTreeSet::new();
            let mut planned = 0;
            for shard in Shard::all(count) {
                let part = plan(&dataset, repeat, Some(shard));
                let shard = part.shard.as_ref().unwrap();
                prop_assert_eq!(shard.planned(), part.planned());
                let repeats: u32 = (0..2)
                    .flat_map(|variant| (0..part.items().count() as u32).map(move |item| (variant, item)))
                    .map(|(variant, item)| part.repeats(variant, item))
                    .sum();
                prop_assert_eq!(u64::from(repeats), part.planned());
                planned += part.planned();
                together.extend(keys(&part, &dataset));
            }
            prop_assert_eq!(planned, whole.planned());
            prop_assert_eq!(together, keys(&whole, &dataset));
        }

        #[test]
        fn any_text_is_a_shard_or_none(text in "(?s).{0,12}") {
            if let Ok(shard) = text.parse::<Shard>() {
                prop_assert_eq!(shard.to_string().parse(), Ok(shard));
            }
        }
    }

    #[test]
    fn the_cases_of_an_example_are_spread_over_the_shards() {
        let shard = shard("1/4");
        let of_one: Vec<u32> = (0..400)
            .filter(|&repeat| shard.holds("v", Example, "e", repeat))
            .collect();
        let variants = (0..400).filter(|n| shard.holds(&format!("v{n}"), Example, "e", 0));
        // A hundred each, give or take four standard deviations.
        assert!((65..=135).contains(&of_one.len()), "{}", of_one.len());
        assert!((65..=135).contains(&variants.count()));
    }
}
