//! What judging comes to.

use super::{AROUND, BYTES_PER_TOKEN, Calls, Forecast, MOST_GROWTH, Player, TRIES, Terms};
use crate::dataset::Dataset;
use crate::experiment::plan::judges::{Statements, statements};
use crate::experiment::plan::{Item, Plan};
use crate::experiment::record::{JudgePlan, Variant};
use crate::judge::JudgeKey;
use crate::judge::ask;
use crate::judge::canary;
use crate::judge::definition::Definitions;
use crate::judge::shown;
use crate::judge::subject::Question;
use crate::model::Origin;
use crate::run::{Cost, ModelRole, TokenUsage};

/// Bytes of what an agent did, as it is shown as a rule: a mail, and the facts of calls.
const DONE: u64 = 1_000;
/// Every line of a text is indented, and what it must not hold is written in its place.
const INDENTED: u64 = 2;
/// Bytes of what a canary shows: a short email, and what was done about it.
pub(super) const CANARY: u64 = 3_000;
/// Bytes of the reminder that follows an answer that could not be used.
const REMINDER: u64 = 600;

/// A judge of a variant, and how its panel is paid.
pub struct Bench {
    judge: JudgeKey,
    votes: u64,
    /// By the names they were chosen by.
    models: Vec<String>,
    panel: Vec<Terms>,
    /// What a model is sent in any case.
    bytes: u64,
    /// The most parts of an attempt that it is shown.
    parts: u64,
    max_steps: u32,
}

impl Bench {
    pub fn all(
        plan: &Plan,
        variant: &Variant,
        definitions: &Definitions,
        terms: &impl Fn(&str, ModelRole) -> Terms,
    ) -> Vec<Bench> {
        let bench = |judge: &JudgePlan| {
            let models = &judge.panel(variant)?.models;
            let definition = definitions.get(judge.judge);
            let nothing = Question {
                statement: String::new(),
                weight: 1.0,
                critical: false,
                shown: String::new(),
                decided: None,
            };
            let request = ask::request(definition, &nothing, Origin::default());
            let said = request.messages.iter().map(|message| message.content.len());
            let bytes = request.prompt.system().len() + said.sum::<usize>();
            Some(Bench {
                judge: judge.judge,
                votes: judge.votes.into(),
                models: models.clone(),
                panel: models
                    .iter()
                    .map(|name| terms(name, ModelRole::Judge))
                    .collect(),
                bytes: bytes as u64,
                parts: definition.sees.len() as u64,
                max_steps: plan.limits.max_steps,
            })
        };
        plan.judges.iter().filter_map(bench).collect()
    }

    /// Who it is: one of several variants may be the same.
    pub fn name(&self) -> (JudgeKey, Vec<String>) {
        (self.judge, self.models.clone())
    }

    pub fn terms(&self) -> impl Iterator<Item = &Terms> {
        self.panel.iter()
    }

    /// One statement, decided by one model at its first try; `shown` in bytes.
    fn typical(&self, terms: &Terms, shown: u64) -> Option<Cost> {
        let prompt = (self.bytes + shown) / BYTES_PER_TOKEN + AROUND;
        let price = terms.price?;
        Some(price.cost(&TokenUsage {
            input_tokens: prompt,
            output_tokens: terms.usual_reply(),
            ..TokenUsage::default()
        }))
    }

    /// The same at its last.
    fn most(&self, terms: &Terms, shown: u64) -> Option<Cost> {
        let price = terms.price?;
        let max_tokens = terms.longest_reply(price)?;
        let prompt = self.bytes + shown + AROUND * BYTES_PER_TOKEN;
        Some(price.most_of(TRIES, prompt, max_tokens + REMINDER, max_tokens))
    }
}

impl Player<'_> {
    /// What a judge has to say of one attempt at an item. It is shown the email, and what the
    /// agent wrote.
    pub fn judge(&mut self, bench: &Bench, item: Item<'_>, dataset: &Dataset) {
        let asked = statements(bench.judge, item, bench.max_steps);
        if asked.most == 0 {
            return;
        }
        let email = |example: u32| &dataset.examples[example as usize].email;
        let emails = match item {
            Item::Example(example) => vec![&example.email],
            Item::Scenario(scenario) => vec![email(scenario.example)],
            Item::Episode(episode) => {
                let steps = episode.steps.iter();
                steps.map(|step| email(step.example)).collect()
            }
        };
        // One statement is about one email; of several, the longest at the most.
        let emails = emails
            .into_iter()
            .map(|email| email.to_prompt().len() as u64);
        let email = emails.max().unwrap_or(0);
        let cap = bench.parts * shown::MOST_BYTES;
        let written = self.terms.get(&ModelRole::Agent);
        let written = written.and_then(|terms| terms.max_tokens).map(|tokens| {
            let replies = self.steps.saturating_mul(tokens.into());
            replies.saturating_mul(MOST_GROWTH * BYTES_PER_TOKEN)
        });
        let shown_at_most = match written {
            Some(written) => cap.min(email * INDENTED + written),
            None => cap,
        };
        let shown = Calls {
            most: shown_at_most,
            typical: email + DONE,
        };
        let repeat = self.repeat;
        self.forecast.judge(bench, &asked.times(repeat), &shown);
    }
}

impl Forecast {
    /// What a judge says of so many statements, each with so many bytes to look at.
    pub(super) fn judge(&mut self, bench: &Bench, statements: &Statements, shown: &Calls) {
        let seats = bench.votes * bench.panel.len() as u64;
        let calls = Calls::new(
            statements.most.saturating_mul(seats * TRIES),
            statements.typical.saturating_mul(seats),
        );
        self.roles.entry(ModelRole::Judge).or_default().add(calls);
        self.calls.add(calls);
        // Each model of the panel on each statement, as often as it votes.
        let add =
            |sum: &mut Option<Cost>, statements: u64, each: &dyn Fn(&Terms) -> Option<Cost>| {
                let times = statements.saturating_mul(bench.votes);
                for terms in &bench.panel {
                    *sum = sum.zip(each(terms)).map(|(sum, cost)| {
                        let all = cost.trillionths().saturating_mul(times);
                        sum.plus(Cost::of_trillionths(all))
                    });
                }
            };
        let most = |terms: &Terms| bench.most(terms, shown.most);
        add(&mut self.most_cost, statements.most, &most);
        let typical = |terms: &Terms| bench.typical(terms, shown.typical);
        add(&mut self.typical_cost, statements.typical, &typical);
    }

    /// The canaries of a judge and panel, which are shown once.
    pub(super) fn canaries(&mut self, bench: &Bench) {
        let count = canary::count(bench.judge) as u64;
        let statements = Statements {
            most: count,
            typical: count,
        };
        let shown = Calls {
            most: CANARY,
            typical: DONE,
        };
        self.judge(bench, &statements, &shown);
    }
}
