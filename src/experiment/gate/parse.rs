//! Gates as text: `triage.accuracy[test] >= 0.9`, `2 of 3`.

use std::fmt;
use std::str::FromStr;

use super::{Direction, Figure};

/// The most characters of a condition.
const MOST: usize = 500;

/// A figure, of which examples, and how good it must be.
#[derive(Clone, Debug, PartialEq)]
pub struct Threshold {
    pub figure: Figure,
    /// All examples where absent.
    pub group: Option<Group>,
    /// The least value, or the most, as [`Figure::direction`] says.
    pub limit: f64,
}

/// Some of the examples.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Group {
    Split(String),
    Tag(String),
}

/// How often an example must pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// In every attempt.
    All,
    /// In more than half of the attempts.
    Majority,
    /// In at least so many of so many attempts.
    Passes { least: u32, of: u32 },
    /// In each of so many attempts.
    Power(u32),
}

/// Why a text is no gate.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ParseError {
    #[error("a gate has at most {MOST} characters, and this one {0}")]
    TooLong(usize),
    #[error(
        "{} compares nothing: write a figure, `>=` or `<=`, and a number, such as `triage.accuracy[test] >= 0.9`",
        Shown(.0)
    )]
    NoComparison(String),
    #[error("{} is no figure; those are {}", Shown(.0), names())]
    Figure(String),
    #[error("{} is no comparison here: use `>=` or `<=`", Shown(.0))]
    Operator(String),
    #[error("`{figure}` is better the {} it is: use `{}`", better(*figure), figure.direction().sign())]
    Direction { figure: Figure },
    #[error(
        "{} is no number: use one such as {}",
        Shown(found),
        example(*figure)
    )]
    Number { figure: Figure, found: String },
    #[error("`{figure}` is from {} to {}, and cannot be held to {found}", figure.range().0, figure.range().1)]
    Range { figure: Figure, found: f64 },
    #[error("`{figure}` is of a whole variant: leave out {}", Shown(&group.to_string()))]
    NoGroup { figure: Figure, group: Group },
    #[error("`[]` names no examples: write a split, `[test]`, or a tag, `[tag:billing]`")]
    EmptyGroup,
    #[error("{} is no policy: use `all`, `majority`, `2 of 3`, or `pass^3`", Shown(.0))]
    Policy(String),
    #[error("of {of} attempts, {least} cannot pass: use at least 1, and at most {of}")]
    Passes { least: u32, of: u32 },
}

/// A text of others, short, and with nothing in it that could act.
struct Shown<'a>(&'a String);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let start: String = self.0.chars().take(60).collect();
        write!(f, "`{}`", start.escape_debug())
    }
}

fn names() -> String {
    let names: Vec<&str> = Figure::all().map(Figure::name).collect();
    names.join(", ")
}

fn better(figure: Figure) -> &'static str {
    match figure.direction() {
        Direction::AtLeast => "higher",
        Direction::AtMost => "lower",
    }
}

fn example(figure: Figure) -> &'static str {
    match figure {
        Figure::Latency(_) => "`2000`, in milliseconds",
        Figure::Cost | Figure::AttemptCost => "`0.5`, in US dollars",
        _ => "`0.9`",
    }
}

impl Threshold {
    pub fn holds(&self, value: f64) -> bool {
        self.figure.direction().holds(value, self.limit)
    }
}

impl FromStr for Threshold {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Threshold, ParseError> {
        let length = text.chars().count();
        if length > MOST {
            return Err(ParseError::TooLong(length));
        }
        let none = || ParseError::NoComparison(text.to_owned());
        // What stands in brackets may hold any sign, even these.
        let (name, group, rest) = match text.split_once('[') {
            Some((name, rest)) if !name.contains(['<', '>', '=']) => {
                let (group, rest) = rest.rsplit_once(']').ok_or_else(none)?;
                (name, Some(group.trim().parse()?), rest)
            }
            _ => {
                let at = text.find(['<', '>', '=', '!']).ok_or_else(none)?;
                (&text[..at], None, &text[at..])
            }
        };
        let figure: Figure = name.trim().parse()?;
        let rest = rest.trim();
        let end = rest
            .find(|sign| !matches!(sign, '<' | '>' | '=' | '!'))
            .ok_or_else(none)?;
        let (sign, number) = rest.split_at(end);
        let number = number.trim();
        if sign.is_empty() {
            return Err(none());
        }
        let known = [Direction::AtLeast, Direction::AtMost];
        match known.into_iter().find(|it| it.sign() == sign) {
            None => return Err(ParseError::Operator(sign.to_owned())),
            Some(direction) if direction != figure.direction() => {
                return Err(ParseError::Direction { figure });
            }
            Some(_) => {}
        }
        let limit: f64 = match number.parse() {
            Ok(limit) if f64::is_finite(limit) => limit,
            _ => {
                let found = number.to_owned();
                return Err(ParseError::Number { figure, found });
            }
        };
        let (least, most) = figure.range();
        if !(least..=most).contains(&limit) {
            let found = limit;
            return Err(ParseError::Range { figure, found });
        }
        match group {
            Some(group) if !figure.is_estimate() => Err(ParseError::NoGroup { figure, group }),
            group => Ok(Threshold {
                figure,
                group,
                limit,
            }),
        }
    }
}

impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.figure)?;
        if let Some(group) = &self.group {
            write!(f, "{group}")?;
        }
        write!(f, " {} {}", self.figure.direction().sign(), self.limit)
    }
}

impl FromStr for Group {
    type Err = ParseError;

    /// What stands between the brackets.
    fn from_str(text: &str) -> Result<Group, ParseError> {
        let (name, tag) = match text.strip_prefix("tag:") {
            Some(tag) => (tag.trim(), true),
            None => (text, false),
        };
        match (name, tag) {
            ("", _) => Err(ParseError::EmptyGroup),
            (name, true) => Ok(Group::Tag(name.to_owned())),
            (name, false) => Ok(Group::Split(name.to_owned())),
        }
    }
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Group::Split(split) => write!(f, "[{split}]"),
            Group::Tag(tag) => write!(f, "[tag:{tag}]"),
        }
    }
}

impl FromStr for Policy {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Policy, ParseError> {
        let wrong = || ParseError::Policy(text.to_owned());
        let number = |text: &str| match text.trim().parse::<u32>() {
            Ok(number) if number <= 1000 => Ok(number),
            _ => Err(wrong()),
        };
        let policy = match text.trim() {
            "all" => return Ok(Policy::All),
            "majority" => return Ok(Policy::Majority),
            text => match (text.strip_prefix("pass^"), text.split_once(" of ")) {
                (Some(power), _) => Policy::Power(number(power)?),
                (None, Some((least, of))) => Policy::Passes {
                    least: number(least)?,
                    of: number(of)?,
                },
                (None, None) => return Err(wrong()),
            },
        };
        match policy {
            Policy::Power(0) => Err(wrong()),
            Policy::Passes { least, of } if least == 0 || least > of => {
                Err(ParseError::Passes { least, of })
            }
            policy => Ok(policy),
        }
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Policy::All => f.write_str("all"),
            Policy::Majority => f.write_str("majority"),
            Policy::Passes { least, of } => write!(f, "{least} of {of}"),
            Policy::Power(power) => write!(f, "pass^{power}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_threshold_is_a_figure_of_some_examples_and_a_limit() {
        for (text, shown) in [
            ("pass_rate>=0.7", "pass_rate >= 0.7"),
            ("  pass_rate  >=  1  ", "pass_rate >= 1"),
            (
                "triage.accuracy[test] >= 0.9",
                "triage.accuracy[test] >= 0.9",
            ),
            (
                "tool_calls.recall[ tag: billing ] >= .8",
                "tool_calls.recall[tag:billing] >= 0.8",
            ),
            ("triage.macro_f1[a>=b]>=0.5", "triage.macro_f1[a>=b] >= 0.5"),
            ("triage.macro_f1[a]b]>=0.5", "triage.macro_f1[a]b] >= 0.5"),
            ("triage.cost <= 0.2", "triage.cost <= 0.2"),
            ("memory.gain >= -0.1", "memory.gain >= -0.1"),
            ("coverage >= 0.98", "coverage >= 0.98"),
            ("latency_ms.p90 <= 2e3", "latency_ms.p90 <= 2000"),
            ("cost_usd <= 2.0", "cost_usd <= 2"),
            ("cost_usd.attempt <= 0.01", "cost_usd.attempt <= 0.01"),
        ] {
            let threshold: Threshold = text.parse().unwrap_or_else(|it| panic!("{text}: {it}"));
            assert_eq!(threshold.to_string(), shown);
            assert_eq!(shown.parse(), Ok(threshold));
        }
    }

    #[test]
    fn what_is_no_threshold_is_told_with_the_way_out() {
        for (text, message) in [
            ("", "`` compares nothing: write a figure,"),
            ("pass_rate", "`pass_rate` compares nothing"),
            ("pass_rate 0.9", "compares nothing"),
            ("pass_rate >=", "compares nothing"),
            ("pass_rate[test 0.9", "compares nothing"),
            ("pass_rate[test] 0.9", "compares nothing"),
            (
                "triage.acuracy >= 0.9",
                "`triage.acuracy` is no figure; those are pass_rate, triage.accuracy, triage.macro_f1",
            ),
            (">= 0.9", "`` is no figure"),
            ("a\u{1b} >= 0.9", "`a\\u{1b}` is no figure"),
            ("pass_rate > 0.9", "`>` is no comparison here"),
            ("pass_rate == 0.9", "`==` is no comparison here"),
            ("pass_rate != 0.9", "`!=` is no comparison here"),
            (
                "pass_rate <= 0.9",
                "`pass_rate` is better the higher it is: use `>=`",
            ),
            (
                "cost_usd >= 1",
                "`cost_usd` is better the lower it is: use `<=`",
            ),
            (
                "pass_rate >= 90%",
                "`90%` is no number: use one such as `0.9`",
            ),
            (
                "cost_usd <= $2",
                "`$2` is no number: use one such as `0.5`, in US dollars",
            ),
            ("pass_rate >= NaN", "is no number"),
            ("cost_usd <= inf", "is no number"),
            (
                "pass_rate >= 90",
                "`pass_rate` is from 0 to 1, and cannot be held to 90",
            ),
            ("memory.gain >= -2", "from -1 to 1"),
            ("latency_ms.max <= -1", "from 0 to"),
            (
                "cost_usd[test] <= 2",
                "`cost_usd` is of a whole variant: leave out `[test]`",
            ),
            ("coverage[tag:a] >= 1", "leave out `[tag:a]`"),
            ("pass_rate[] >= 0.9", "`[]` names no examples"),
            ("pass_rate[tag: ] >= 0.9", "`[]` names no examples"),
        ] {
            let error = text.parse::<Threshold>().expect_err(text).to_string();
            assert!(error.contains(message), "{text}: {error}");
        }
        let long = format!("pass_rate[{}] >= 0.9", "a".repeat(500));
        assert_eq!(long.parse::<Threshold>(), Err(ParseError::TooLong(518)));
    }

    #[test]
    fn a_policy_counts_passes() {
        for text in ["all", "majority", "2 of 3", "pass^3", "1 of 1"] {
            assert_eq!(text.parse::<Policy>().unwrap().to_string(), text);
        }
        for (text, message) in [
            ("most", "`most` is no policy: use `all`"),
            ("2of3", "is no policy"),
            ("pass^0", "is no policy"),
            ("pass^-1", "is no policy"),
            ("pass^1001", "is no policy"),
            ("0 of 3", "of 3 attempts, 0 cannot pass"),
            (
                "4 of 3",
                "of 3 attempts, 4 cannot pass: use at least 1, and at most 3",
            ),
        ] {
            let error = text.parse::<Policy>().expect_err(text).to_string();
            assert!(error.contains(message), "{text}: {error}");
        }
    }

    #[test]
    fn every_figure_is_found_by_its_name() {
        for figure in Figure::all() {
            assert_eq!(figure.name().parse(), Ok(figure));
        }
    }

    proptest! {
        #[test]
        fn no_text_is_too_strange_to_be_refused(text in any::<String>()) {
            let _: Result<Threshold, ParseError> = text.parse();
            let _: Result<Policy, ParseError> = text.parse();
        }

        #[test]
        fn what_was_understood_is_said_the_same_way(
            figure in 0..Figure::all().count(), group in "(\\[.{1,20}\\])?", share in 0.0..=1.0,
        ) {
            let figure = Figure::all().nth(figure).unwrap();
            let sign = figure.direction().sign();
            let text = format!("{figure}{group} {sign} {share}");
            if let Ok(threshold) = text.parse::<Threshold>() {
                prop_assert_eq!(threshold.limit, share);
                prop_assert_eq!(threshold.to_string().parse(), Ok(threshold));
            } else {
                prop_assert!(!group.is_empty(), "{}", text);
            }
        }
    }
}
