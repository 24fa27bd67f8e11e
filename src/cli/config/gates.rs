//! `gates`, `regression`, and `indecisive`: what results are held to.

use std::fmt;
use std::path::Path;

use serde::{Deserialize, Deserializer};
use serde_yaml::Spanned;

use super::super::exit::Failure;
use super::{Config, ConfigError, DEFAULT_PATH};
use crate::experiment::gate::{Condition, Gates, Misfit};
use crate::report::escape;

/// Gates, each with where it stands: whether it fits the dataset is known only later.
#[derive(Clone, PartialEq)]
pub struct Conditions(Vec<Spanned<Condition>>);

impl<'de> Deserialize<'de> for Conditions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::deserialize(deserializer).map(Conditions)
    }
}

impl fmt::Debug for Conditions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let conditions = self.0.iter().map(|condition| condition.value.to_string());
        f.debug_list().entries(conditions).finish()
    }
}

impl Config {
    /// What results are held to: `asked` by flags, and what the file says; `base` where
    /// neither says anything.
    pub fn gates(&self, asked: &[Condition], base: Gates) -> Gates {
        let conditions = match (asked, &self.gates) {
            ([], None) => base.conditions,
            ([], Some(Conditions(stated))) => stated
                .iter()
                .map(|condition| condition.value.clone())
                .collect(),
            (asked, _) => asked.to_vec(),
        };
        Gates {
            conditions,
            regression: self.regression.clone().or(base.regression),
            indecisive: self.indecisive.unwrap_or(base.indecisive),
        }
    }

    /// A gate that asks about what there is not, and where it stands. `path` is the file that
    /// was named, `asked` what flags said.
    pub fn misfit(&self, misfit: &Misfit, path: Option<&Path>, asked: &[Condition]) -> Failure {
        let reason = escape::line(&misfit.to_string()).into_owned();
        let stated = self.gates.as_ref().filter(|_| asked.is_empty());
        match stated.and_then(|stated| stated.0.get(misfit.index)) {
            Some(condition) => Failure::usage(ConfigError::Invalid {
                path: path.unwrap_or(Path::new(DEFAULT_PATH)).to_owned(),
                line: condition.referenced.line(),
                column: condition.referenced.column(),
                reason,
            }),
            None => Failure::usage(reason),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::gate::{Indecisive, Problem, Rule};

    fn parse(text: &str) -> Config {
        Config::parse(text, Path::new("mailproof.yaml")).unwrap_or_else(|it| panic!("{text}: {it}"))
    }

    #[test]
    fn every_gate_of_the_documentation_is_one() {
        let text = include_str!("../../../docs/gates.md");
        let table = text
            .split("| gate | holds where |")
            .nth(1)
            .expect("the table of forms");
        let rows = table
            .lines()
            .skip(2)
            .take_while(|line| line.starts_with("| "));
        let mut kinds = [0; 4];
        for row in rows {
            let gate = row.split('`').nth(1).expect("a gate in backticks");
            let config = parse(&format!("gates:\n  - {gate}\n"));
            let gates = config.gates(&[], Gates::default());
            kinds[match gates.conditions[0].rule {
                Rule::Threshold { .. } => 0,
                Rule::Cases { .. } => 1,
                Rule::Critical { .. } => 2,
                Rule::Forbidden { .. } => 3,
            }] += 1;
        }
        assert_eq!(kinds, [9, 4, 1, 1]);
        let block = text.split("```yaml").nth(1).expect("an example");
        let block = block.split("```").next().expect("it ends");
        let gates = parse(block).gates(&[], Gates::default());
        assert_eq!(gates.conditions.len(), 6);
        assert_eq!(gates.regression().keys.len(), 2);
    }

    #[test]
    fn flags_win_over_the_file_and_the_file_over_the_journal() {
        let asked = ["pass_rate >= 0.9".parse().unwrap()];
        let names = |gates: &Gates| {
            let names = gates.conditions.iter().map(ToString::to_string);
            names.collect::<Vec<_>>().join("; ")
        };
        let base =
            || parse("gates: [coverage >= 1]\nindecisive: fail\n").gates(&[], Gates::default());
        let stated = parse("gates: [cost_usd <= 1]\n");
        assert_eq!(names(&stated.gates(&asked, base())), "pass_rate >= 0.9");
        assert_eq!(names(&stated.gates(&[], base())), "cost_usd <= 1");
        assert_eq!(
            names(&Config::default().gates(&[], base())),
            "coverage >= 1"
        );
        assert_eq!(stated.gates(&[], base()).indecisive, Indecisive::Fail);
        // None at all can be said, too.
        assert_eq!(names(&parse("gates: []\n").gates(&[], base())), "");
    }

    #[test]
    fn what_does_not_fit_is_located_where_it_was_said() {
        let config = parse("seed: 1\ngates:\n  - pass_rate >= 1\n  - pass_rate[tag:x] >= 1\n");
        let misfit = Misfit {
            index: 1,
            gate: "pass_rate[tag:x] >= 1".to_owned(),
            problem: Problem::Tag {
                tag: "x".to_owned(),
                existing: vec!["a".to_owned()],
            },
        };
        let reason = "gate `pass_rate[tag:x] >= 1`: nothing in the dataset has the tag `x`; the tags are `a`";
        let said = |asked: &[Condition]| config.misfit(&misfit, None, asked).to_string();
        assert_eq!(said(&[]), format!("mailproof.yaml:4:5: {reason}"));
        assert_eq!(said(&["pass_rate >= 1".parse().unwrap()]), reason);
    }
}
