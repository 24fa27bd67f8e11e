//! Models: what they stand for, and whether they could be asked.

use std::collections::BTreeMap;
use std::time::Duration;

use super::super::args::Choices;
use super::super::config::Config;
use super::super::environment::Environment;
use super::super::models::terms;
use super::Check;
use crate::model::catalog::{self, Catalog, Connected, OpenError, Terms};
use crate::model::halt::Halt;
use crate::model::http::{Account, Endpoint};
use crate::model::limit::Limits;
use crate::model::price::{self, Price};
use crate::model::rules;
use crate::run::ModelRole;

/// How long a server may take to accept a connection.
const PROBE_TIMEOUT: Duration = Duration::from_secs(3);

/// The models that a run of this configuration would ask.
pub struct Models<'a> {
    catalog: Catalog,
    terms: Terms,
    environment: &'a Environment,
    /// The roles of each name, in the order in which names were met.
    roles: Vec<(String, Vec<ModelRole>)>,
    /// Those that can be opened, together: what an account is limited to, all that use it say.
    connected: Connected,
    refused: BTreeMap<String, OpenError>,
}

impl<'a> Models<'a> {
    /// Those of `asked`, or where models were `named` on the command line those alone.
    pub fn find(
        asked: &Choices,
        named: bool,
        config: &Config,
        environment: &'a Environment,
    ) -> Models<'a> {
        let mut names: Vec<(&str, ModelRole)> = Vec::new();
        names.extend(asked.model.iter().map(|name| (&**name, ModelRole::Agent)));
        if names.is_empty() {
            names.push((rules::NAME, ModelRole::Agent));
        }
        if !named {
            let others = [
                (&asked.router_model, ModelRole::Router),
                (&asked.memory_model, ModelRole::Memory),
                (&asked.simulator_model, ModelRole::Simulator),
            ];
            let others = others.into_iter();
            names.extend(others.filter_map(|(name, role)| Some((name.as_deref()?, role))));
            let judges = asked.panel.judge_model.iter();
            names.extend(judges.map(|name| (name.as_str(), ModelRole::Judge)));
        }
        let mut roles: Vec<(String, Vec<ModelRole>)> = Vec::new();
        for (name, role) in names {
            match roles.iter_mut().find(|(known, _)| known == name) {
                Some((_, roles)) if roles.contains(&role) => {}
                Some((_, roles)) => roles.push(role),
                None => roles.push((name.to_owned(), vec![role])),
            }
        }
        let mut models = Models {
            catalog: config.catalog(),
            terms: terms(asked, config, Halt::default()),
            environment,
            roles,
            connected: Connected::default(),
            refused: BTreeMap::new(),
        };
        let mut wanted = Vec::new();
        for (name, roles) in &models.roles {
            match models.open(name) {
                Ok(_) => wanted.push((name.as_str(), roles[0])),
                Err(error) => {
                    models.refused.insert(name.clone(), error);
                }
            }
        }
        let get = |variable: &str| environment.get(variable);
        let together = catalog::open(&models.catalog, wanted, &models.terms, get);
        models.connected = together.expect("each was opened alone");
        models
    }

    /// Opens one model alone, as its first role asks it.
    pub fn open(&self, name: &str) -> Result<Connected, OpenError> {
        let wanted = [(name, self.role(name))];
        // A failure is looked at here, and is not to end the checks of other models.
        let terms = Terms {
            halt: Halt::default(),
            max_retries: 0,
            ..self.terms.clone()
        };
        let get = |variable: &str| self.environment.get(variable);
        catalog::open(&self.catalog, wanted, &terms, get)
    }

    pub fn role(&self, name: &str) -> ModelRole {
        let known = self.roles.iter().find(|(known, _)| known == name);
        known.expect("a name that was found").1[0]
    }

    /// The names of those that are behind an endpoint and can be opened.
    pub fn live(&self) -> impl Iterator<Item = &str> {
        let names = self.roles.iter().map(|(name, _)| name.as_str());
        names.filter(|name| *name != rules::NAME && !self.refused.contains_key(*name))
    }

    pub fn checks(&self) -> Vec<Check> {
        let names = self.roles.iter();
        names.map(|(name, roles)| self.check(name, roles)).collect()
    }

    /// Provider, endpoint, model, and whether the key is there; never its value.
    fn check(&self, name: &str, roles: &[ModelRole]) -> Check {
        let what = format!("model {name}");
        if let Some(error) = self.refused.get(name) {
            return Check::fail(what, error.to_string());
        }
        let Some((account, limits)) = self.connected.account(name, roles[0]) else {
            return Check::pass(what, "in this process: no endpoint, no key");
        };
        let worth = self.connected.worth(name, roles[0]);
        let (reached, passed) = reach(&account.endpoint);
        let mut found = format!(
            "provider {}, endpoint {}, model {}, {}; {reached}; {}; {}",
            account.provider,
            account.endpoint,
            account.model,
            key(account),
            limited(limits),
            priced(worth.and_then(|worth| worth.price)),
        );
        if roles != [ModelRole::Agent] {
            let roles: Vec<_> = roles.iter().map(|role| called(*role)).collect();
            found.push_str(&format!("; asked as {}", roles.join(", ")));
        }
        match passed {
            true => Check::pass(what, found),
            false => Check::fail(what, found).advise(format!(
                "start the server, or say where it is with `{}`",
                account.endpoint_variable
            )),
        }
    }
}

fn called(role: ModelRole) -> &'static str {
    match role {
        ModelRole::Agent => "agent",
        ModelRole::Router => "router",
        ModelRole::Memory => "memory",
        ModelRole::Judge => "judge",
        ModelRole::Simulator => "simulator",
    }
}

fn key(account: &Account) -> String {
    let variable = &account.key_variable;
    match account.key {
        Some(_) => format!("key in {variable}"),
        None => format!("no key ({variable} is not set)"),
    }
}

fn limited(limits: &Limits) -> String {
    let mut text = format!("at most {} in flight", limits.max_in_flight);
    if let Some(requests) = limits.requests_per_minute {
        text.push_str(&format!(", {requests} requests a minute"));
    }
    if let Some(tokens) = limits.tokens_per_minute {
        text.push_str(&format!(", {tokens} tokens a minute"));
    }
    text
}

fn priced(price: Option<Price>) -> String {
    match price {
        Some(price) if price.is_free() => "free".to_owned(),
        Some(_) => format!("price known (as of {})", price::as_of()),
        None => "price unknown".to_owned(),
    }
}

/// Whether somebody listens there, as words and as a verdict. A server of one's own may be
/// down; behind `https` stand services that are up, often reached through a proxy.
fn reach(endpoint: &Endpoint) -> (String, bool) {
    if endpoint.is_encrypted() {
        return ("connection not tried".to_owned(), true);
    }
    match endpoint.probe(PROBE_TIMEOUT) {
        Ok(()) => ("reachable".to_owned(), true),
        Err(error) => (format!("cannot be reached: {error}"), false),
    }
}
