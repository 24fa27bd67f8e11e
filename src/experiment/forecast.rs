//! What a plan will come to, before any of it is paid: model calls, and money.
//!
//! Two figures of each: the most that can be, and about how much it will be. What is assumed
//! stands in `docs/costs.md` and in the constants here; retries of a provider are in neither.

mod judges;

use std::collections::{BTreeMap, BTreeSet};

use self::judges::Bench;
use super::plan::{Item, Plan};
use super::record::CaseKind;
use crate::agent::{AgentKind, prompt_bytes};
use crate::dataset::{Dataset, Person};
use crate::email::{Email, Triage};
use crate::judge::definition::Definitions;
use crate::model::price::Price;
use crate::run::{Cost, ModelRole, TokenUsage};
use crate::target::Until;

/// How a model is paid in a role.
#[derive(Clone, Debug)]
pub struct Terms {
    /// `PROVIDER:NAME`.
    pub model: String,
    pub price: Option<Price>,
    /// The most tokens of a reply.
    pub max_tokens: Option<u32>,
}

impl Terms {
    /// The most tokens of a reply; `None` where there is no limit and they cost something.
    fn longest_reply(&self, price: Price) -> Option<u64> {
        match self.max_tokens {
            Some(tokens) => Some(tokens.into()),
            None => price.is_free().then_some(0),
        }
    }

    fn usual_reply(&self) -> u64 {
        self.max_tokens.map_or(REPLY, |most| REPLY.min(most.into()))
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Forecast {
    /// Of all roles. An attempt's own calls share one limit, so those of its roles are fewer
    /// together than their mosts; those of its judges come on top.
    pub calls: Calls,
    pub roles: BTreeMap<ModelRole, Calls>,
    /// `None` where a model has no price, or a limit on its replies is wanting.
    pub most_cost: Option<Cost>,
    /// `None` where a model has no price.
    pub typical_cost: Option<Cost>,
    /// The models without a price.
    pub unpriced: BTreeSet<String>,
    /// The models, of those that cost anything, whose replies have no limit.
    pub unlimited: BTreeSet<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Calls {
    pub most: u64,
    pub typical: u64,
}

impl Calls {
    fn new(most: u64, typical: u64) -> Calls {
        Calls {
            most,
            typical: typical.min(most),
        }
    }

    fn add(&mut self, more: Calls) {
        self.most = self.most.saturating_add(more.most);
        self.typical = self.typical.saturating_add(more.typical);
    }
}

/// English text, whatever the tokeniser.
const BYTES_PER_TOKEN: u64 = 4;
/// Tokens that stand around a prompt: marks between messages, the shape of a reply.
const AROUND: u64 = 300;

/// How long a reply is, as a rule, and by how much a conversation grows with it and the answers
/// to it.
const REPLY: u64 = 150;
const GROWTH: u64 = 250;
/// At the most, what a reply adds to the next prompt: itself, and answers to its calls that are
/// no longer than twice as much.
const MOST_GROWTH: u64 = 3;

/// How many calls it takes to answer an email: look something up, write, be done.
const TO_ANSWER: u64 = 3;
/// How many questions a person who is played is asked.
const QUESTIONS: u64 = 2;

/// A decision that is none is asked for again, once; so is the answer of a person who is
/// played.
const TRIES: u64 = 2;

/// What `plan`, which was resolved with `dataset` and with judges as `definitions` have them,
/// will come to under `terms`, which know every model by the name it was chosen by, in every
/// role that it plays.
pub fn forecast(
    plan: &Plan,
    dataset: &Dataset,
    definitions: &Definitions,
    terms: impl Fn(&str, ModelRole) -> Terms,
) -> Forecast {
    let mut forecast = Forecast {
        most_cost: Some(Cost::ZERO),
        typical_cost: Some(Cost::ZERO),
        ..Forecast::default()
    };
    // Canaries are for a judge and its panel, whichever variants they judge.
    let mut shown = BTreeSet::new();
    for (number, variant) in (0..).zip(&plan.variants) {
        let paid = |role| {
            let named = variant.roles().find(|(other, _)| *other == role);
            let (_, name) = named.expect("a variant names the models of its roles");
            terms(name, role)
        };
        let Ok(kind) = variant.agent.parse::<AgentKind>() else {
            unreachable!("plans are made of known agents");
        };
        let mut player = Player {
            kind,
            steps: u64::from(plan.limits.max_steps),
            bytes: prompt_bytes(kind, &plan.behaviour),
            terms: BTreeMap::new(),
            forecast: &mut forecast,
            repeat: u64::from(plan.repeat),
        };
        let roles: Vec<ModelRole> = player.bytes.keys().copied().collect();
        for role in roles {
            player.ask(role, &paid(role));
        }
        let benches: Vec<Bench> = Bench::all(plan, variant, definitions, &terms);
        for bench in &benches {
            bench.terms().for_each(|terms| player.note(terms));
            if plan.planned() > 0 && shown.insert(bench.name()) {
                player.forecast.canaries(bench);
            }
        }
        for position in 0..plan.items().of(variant) {
            let position = u32::try_from(position).expect("a plan's positions are so many");
            let item = plan.item(position, dataset);
            player.repeat = plan.repeats(number, position).into();
            if player.repeat == 0 {
                continue; // Other shards'.
            }
            for bench in &benches {
                player.judge(bench, item, dataset);
            }
            match item {
                Item::Example(example) => {
                    let until = plan.until(CaseKind::Example);
                    player.attempt(&example.email, example.expect.triage, until);
                }
                Item::Scenario(scenario) => {
                    let email = &dataset.examples[scenario.example as usize].email;
                    player.attempt(email, scenario.expect.triage, Until::End);
                    if let Person::Simulated { description, turns } = &scenario.human {
                        player.ask(ModelRole::Simulator, &paid(ModelRole::Simulator));
                        player.person(email, description, u64::from(*turns));
                    }
                }
                Item::Episode(episode) => {
                    for step in &episode.steps {
                        let example = &dataset.examples[step.example as usize];
                        let triage = step.expect.triage.unwrap_or(example.expect.triage);
                        // With what was learnt, and with nothing.
                        for _ in 0..2 {
                            player.attempt(&example.email, triage, Until::End);
                        }
                    }
                }
            }
        }
    }
    forecast
}

/// Goes through the cases of a variant.
struct Player<'a> {
    kind: AgentKind,
    /// The most model calls of an attempt.
    steps: u64,
    /// What the models of the roles are sent in any case.
    bytes: BTreeMap<ModelRole, u64>,
    terms: BTreeMap<ModelRole, Terms>,
    forecast: &'a mut Forecast,
    repeat: u64,
}

impl Player<'_> {
    /// Takes note of a model that is asked in `role`.
    fn ask(&mut self, role: ModelRole, terms: &Terms) {
        self.note(terms);
        self.terms.insert(role, terms.clone());
    }

    /// Takes note of what is not known of a model.
    fn note(&mut self, terms: &Terms) {
        let Forecast {
            unpriced,
            unlimited,
            ..
        } = self.forecast;
        match (terms.price, terms.max_tokens) {
            (None, _) => {
                unpriced.insert(terms.model.clone());
            }
            (Some(price), None) if !price.is_free() => {
                unlimited.insert(terms.model.clone());
            }
            _ => {}
        }
    }

    /// One run at an email whose right decision is `expected`.
    fn attempt(&mut self, email: &Email, expected: Triage, until: Until) {
        let email = email.to_prompt().len() as u64;
        let answers = match expected {
            Triage::Respond => TO_ANSWER,
            Triage::Notify | Triage::Ignore => 0,
        };
        let routed = self.kind.has_router();
        let steps = match until {
            Until::Triage if routed => self.steps.min(TRIES),
            Until::Triage | Until::End => self.steps,
        };
        let mut roles = BTreeMap::new();
        // Who has a router asks it first.
        let rest = if routed {
            roles.insert(ModelRole::Router, Calls::new(steps.min(TRIES), 1));
            steps - 1
        } else {
            steps
        };
        match until {
            Until::Triage if routed => {}
            Until::Triage => {
                roles.insert(ModelRole::Agent, Calls::new(rest, 1));
            }
            Until::End => {
                // The decision is a call of its own, where no router makes it.
                let decides = if routed { 0 } else { 1 };
                let done = u64::from(!routed && answers == 0);
                roles.insert(ModelRole::Agent, Calls::new(rest, decides + answers + done));
                if self.kind.remembers() {
                    let keeps = u64::from(expected != Triage::Ignore);
                    roles.insert(ModelRole::Memory, Calls::new(rest, keeps));
                }
            }
        }
        self.count(steps, &roles);
        self.pay(email, steps, &roles);
    }

    /// The person that a model plays for one run.
    fn person(&mut self, email: &Email, description: &str, turns: u64) {
        let shown = email.to_prompt().len() + description.len();
        let most = turns.saturating_mul(TRIES);
        let roles =
            BTreeMap::from([(ModelRole::Simulator, Calls::new(most, turns.min(QUESTIONS)))]);
        self.count(most, &roles);
        self.pay(shown as u64, most, &roles);
    }

    fn count(&mut self, together: u64, roles: &BTreeMap<ModelRole, Calls>) {
        let mut typical = 0;
        for (role, calls) in roles {
            let calls = Calls {
                most: calls.most.saturating_mul(self.repeat),
                typical: calls.typical * self.repeat,
            };
            typical += calls.typical;
            self.forecast.roles.entry(*role).or_default().add(calls);
        }
        let most = together.saturating_mul(self.repeat);
        self.forecast.calls.add(Calls { most, typical });
    }

    fn pay(&mut self, email: u64, together: u64, roles: &BTreeMap<ModelRole, Calls>) {
        let most = self.most(email, together, roles);
        let typical = self.typical(email, roles);
        self.add_cost(most, typical);
    }

    /// Of one attempt; counted for each repeat.
    fn add_cost(&mut self, most: Option<Cost>, typical: Option<Cost>) {
        let add = |sum: &mut Option<Cost>, cost: Option<Cost>| {
            *sum = sum.zip(cost).map(|(sum, cost)| {
                let all = cost.trillionths().saturating_mul(self.repeat);
                sum.plus(Cost::of_trillionths(all))
            });
        };
        add(&mut self.forecast.most_cost, most);
        add(&mut self.forecast.typical_cost, typical);
    }

    /// `together` calls, each by the dearest of the roles, after the longest of their prompts.
    fn most(&self, email: u64, together: u64, roles: &BTreeMap<ModelRole, Calls>) -> Option<Cost> {
        let mut dearest: Option<(Price, u64)> = None;
        let mut bytes = 0;
        for role in roles.keys() {
            let terms = &self.terms[role];
            let price = terms.price?;
            let max_tokens = terms.longest_reply(price)?;
            dearest = Some(match dearest {
                None => (price, max_tokens),
                Some((other, tokens)) => (other.or_dearer(price), tokens.max(max_tokens)),
            });
            bytes = bytes.max(self.bytes.get(role).copied().unwrap_or(0));
        }
        let Some((price, max_tokens)) = dearest else {
            return Some(Cost::ZERO);
        };
        // A token stands for a byte at least.
        let prompt = bytes + email + AROUND * BYTES_PER_TOKEN;
        let more = max_tokens.saturating_mul(MOST_GROWTH);
        Some(price.most_of(together, prompt, more, max_tokens))
    }

    fn typical(&self, email: u64, roles: &BTreeMap<ModelRole, Calls>) -> Option<Cost> {
        let mut sum = Cost::ZERO;
        for (role, calls) in roles {
            let price = self.terms[role].price?;
            let bytes = self.bytes.get(role).copied().unwrap_or(0) + email;
            let prompt = bytes / BYTES_PER_TOKEN + AROUND;
            let reply = self.terms[role].usual_reply();
            for call in 0..calls.typical {
                sum = sum.plus(price.cost(&TokenUsage {
                    input_tokens: prompt + call * GROWTH,
                    output_tokens: reply,
                    ..TokenUsage::default()
                }));
            }
        }
        Some(sum)
    }
}

#[cfg(test)]
mod tests;
