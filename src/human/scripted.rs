//! A person whose answers are written down as rules.

use futures_util::future::{BoxFuture, ready};

use super::{AcceptAll, Human, HumanError, TIMED_OUT, edited, shown, shown_action, timed_out};
use crate::dataset::{Rule, RuleAnswer};
use crate::run::{Interrupt, Response};

/// The most characters of arguments, and the most rules, that an error shows.
const SHOWN: usize = 200;
const RULES_SHOWN: usize = 12;

/// Answers each interrupt by the first rule that fits it.
///
/// A rule may answer any number of interrupts, unless it is about the n-th of its kind.
/// Waiting costs nothing: where a rule says that no answer comes in time, the deadline
/// counts as passed at once, and [`TIMED_OUT`] has answered.
#[derive(Clone, Debug)]
pub struct Scripted {
    rules: Vec<Rule>,
    /// Whether each rule has answered anything.
    used: Vec<bool>,
    /// The actions asked about so far, in lower case, in order.
    asked: Vec<String>,
    then: Option<AcceptAll>,
    last: &'static str,
}

impl Scripted {
    const NAME: &str = "scripted";

    /// What no rule fits is [`HumanError::Unmatched`], unless there is a policy for it.
    pub fn new(rules: Vec<Rule>, then: Option<AcceptAll>) -> Self {
        Scripted {
            used: vec![false; rules.len()],
            rules,
            asked: Vec::new(),
            then,
            last: Self::NAME,
        }
    }

    fn choose(&mut self, interrupt: &Interrupt) -> Result<Response, HumanError> {
        // The n-th is counted as `Rule::fits` compares actions: without regard to case.
        let action = interrupt.action.to_ascii_lowercase();
        let time = 1 + self.asked.iter().filter(|&asked| *asked == action).count();
        self.asked.push(action);
        let nth = time.try_into().unwrap_or(u32::MAX);
        let fits = |rule: &Rule| rule.fits(&interrupt.action, &interrupt.args, nth);
        let Some(index) = self.rules.iter().position(fits) else {
            return match self.then {
                Some(_) => {
                    self.last = AcceptAll::NAME;
                    AcceptAll::choose(interrupt)
                }
                None => Err(self.unmatched(interrupt, time)),
            };
        };
        self.used[index] = true;
        let answer = &self.rules[index].answer;
        self.last = match answer {
            RuleAnswer::Timeout => TIMED_OUT,
            _ => Self::NAME,
        };
        let response = match answer {
            RuleAnswer::Accept => Response::Accept,
            RuleAnswer::Edit(changes) => Response::Edit(edited(interrupt, changes)),
            RuleAnswer::Ignore => Response::Ignore,
            RuleAnswer::Respond(text) => Response::Respond(text.clone()),
            RuleAnswer::Timeout => timed_out(interrupt)?,
        };
        match interrupt.allowed.allows(&response) {
            true => Ok(response),
            // Like `drive` says it, but with the line to correct.
            false => Err(HumanError::not_allowed(
                self.told(index),
                interrupt,
                response.kind(),
            )),
        }
    }

    fn unmatched(&self, interrupt: &Interrupt, time: usize) -> HumanError {
        let args = serde_json::to_string(&interrupt.args).expect("arguments have string keys");
        let mut rules: Vec<String> = (0..self.rules.len().min(RULES_SHOWN))
            .map(|index| self.told(index))
            .collect();
        match self.rules.len() {
            0 => rules.push("none".to_owned()),
            all if all > RULES_SHOWN => rules.push(format!("and {} more", all - RULES_SHOWN)),
            _ => {}
        }
        HumanError::Unmatched {
            action: shown_action(interrupt),
            time: ordinal(time),
            args: shown(&args, SHOWN),
            rules: rules.join(", "),
        }
    }

    /// ``rule 2 (write_email, 2nd, by its `to`: accept)``.
    fn told(&self, index: usize) -> String {
        let rule = &self.rules[index];
        let on = rule.on.name();
        let nth = rule
            .nth
            .map_or(String::new(), |nth| format!(", {}", ordinal(nth as usize)));
        let mut when = String::new();
        if !rule.when.is_empty() {
            let names: Vec<&str> = rule.when.iter().map(|(name, _)| name.as_str()).collect();
            when = format!(", by its `{}`", names.join("` and `"));
        }
        let kind = match rule.answer {
            RuleAnswer::Accept => "accept",
            RuleAnswer::Edit(_) => "edit",
            RuleAnswer::Ignore => "ignore",
            RuleAnswer::Respond(_) => "respond",
            RuleAnswer::Timeout => "timeout",
        };
        format!("rule {} ({on}{nth}{when}: {kind})", index + 1)
    }
}

fn ordinal(n: usize) -> String {
    let ending = match (n % 10, n % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{n}{ending}")
}

impl Human for Scripted {
    /// Of the last answer: that of the policy is recorded as the policy's.
    fn name(&self) -> &str {
        self.last
    }

    fn respond<'a>(
        &'a mut self,
        interrupt: &'a Interrupt,
    ) -> BoxFuture<'a, Result<Response, HumanError>> {
        Box::pin(ready(self.choose(interrupt)))
    }

    fn notes(&self) -> Vec<String> {
        (0..self.rules.len())
            .filter(|&index| !self.used[index])
            .map(|index| format!("{} was never used", self.told(index)))
            .collect()
    }
}
