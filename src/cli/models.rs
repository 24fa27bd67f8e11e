//! The models of a command: opened before anything runs, handed to whoever asks.

use std::collections::BTreeMap;
use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::Arc;

use super::args;
use super::config::Config;
use super::environment::Environment;
use super::exit::Failure;
use crate::agent;
use crate::experiment::Choices;
use crate::model::Model;
use crate::model::budget::Budget;
use crate::model::catalog::{self, Catalog, Connected, Rates, Terms, Worth};
use crate::model::halt::Halt;
use crate::model::limit::Traffic;
use crate::model::price::Prices;
use crate::model::rules;
use crate::run::{Cost, ModelRole};

/// Cases in flight where nobody says otherwise.
pub const CONCURRENCY: NonZeroUsize = NonZeroUsize::new(16).expect("not 0");
/// How often a call is sent again where nobody says otherwise.
const MAX_RETRIES: u32 = 5;

/// The names of the models that play a variant's roles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parts {
    pub agent: String,
    pub router: String,
    pub memory: String,
    pub simulator: String,
    /// All that judge, once each; filled in once it is planned who does.
    pub judges: Vec<String>,
}

impl Parts {
    /// Those of an agent that works with `model`, and in its other roles with what was
    /// chosen for them.
    pub fn new(model: &str, choices: &Choices) -> Parts {
        let or = |chosen: &Option<String>| chosen.clone().unwrap_or_else(|| model.to_owned());
        Parts {
            agent: model.to_owned(),
            router: or(&choices.router_model),
            memory: or(&choices.memory_model),
            simulator: or(&choices.simulator_model),
            judges: Vec::new(),
        }
    }

    /// The one that plays a role of the built-in agents.
    pub fn name(&self, role: ModelRole) -> &str {
        match role {
            ModelRole::Agent => &self.agent,
            ModelRole::Router => &self.router,
            ModelRole::Memory => &self.memory,
            ModelRole::Simulator => &self.simulator,
            ModelRole::Judge => unreachable!("several may judge: `judges` has them"),
        }
    }

    /// Who plays which role.
    fn all(&self) -> impl Iterator<Item = (&str, ModelRole)> {
        let judges = self.judges.iter();
        let judges = judges.map(|name| (name.as_str(), ModelRole::Judge));
        ROLES
            .map(|role| (self.name(role), role))
            .into_iter()
            .chain(judges)
    }

    /// Whether a provider may be asked.
    pub fn is_live(&self) -> bool {
        self.all().any(|(name, _)| name != rules::NAME)
    }
}

/// The roles that one model each plays in a run.
const ROLES: [ModelRole; 4] = [
    ModelRole::Agent,
    ModelRole::Router,
    ModelRole::Memory,
    ModelRole::Simulator,
];

/// Every model that a command may ask.
pub struct Models {
    connected: Connected,
    /// Ended where going on is pointless.
    pub halt: Halt,
    /// What may be spent, where that is limited.
    pub budget: Option<Arc<Budget>>,
}

impl Models {
    /// Opens those of `parts`. `asked` is what the flags say, completed by `config`.
    ///
    /// # Errors
    /// A name that stands for nothing, a key that is missing, an address that is none, or
    /// one that `--offline` refuses; nothing was sent anywhere.
    pub fn open<'a>(
        parts: impl IntoIterator<Item = &'a Parts>,
        catalog: &Catalog,
        asked: &args::Choices,
        config: &Config,
        environment: &Environment,
    ) -> Result<Models, Failure> {
        let wanted = parts.into_iter().flat_map(Parts::all);
        Models::in_roles(wanted, catalog, asked, config, environment)
    }

    /// Opens models by their names, each for what it is asked for, as [`Models::open`] does.
    ///
    /// # Errors
    /// As for [`Models::open`].
    pub fn in_roles<'a>(
        wanted: impl IntoIterator<Item = (&'a str, ModelRole)>,
        catalog: &Catalog,
        asked: &args::Choices,
        config: &Config,
        environment: &Environment,
    ) -> Result<Models, Failure> {
        let halt = Halt::default();
        let terms = terms(asked, config, halt.clone());
        let connected = catalog::open(catalog, wanted, &terms, |name| environment.get(name));
        Ok(Models {
            connected: connected.map_err(Failure::usage)?,
            halt,
            budget: terms.budget,
        })
    }

    /// The model called `name`, as it is asked in `role`, if it was opened.
    pub fn get(&self, name: &str, role: ModelRole) -> Option<Arc<dyn Model>> {
        self.connected.get(name, role)
    }

    /// What a call to it can come to, if it was opened.
    pub fn worth(&self, name: &str, role: ModelRole) -> Option<Worth> {
        self.connected.worth(name, role)
    }

    /// What the answers of all accounts cost; `None` where the price of any is not known.
    pub fn spent(&self) -> Option<Cost> {
        let traffic = self.traffic();
        let mut costs = traffic.values().map(|traffic| traffic.cost);
        costs.try_fold(Cost::ZERO, |sum, cost| Some(sum.plus(cost?)))
    }

    /// How many accounts are asked.
    pub fn accounts(&self) -> usize {
        self.connected.accounts().count()
    }

    /// What was asked of each account.
    pub fn traffic(&self) -> BTreeMap<String, Traffic> {
        self.connected.traffic()
    }

    /// Those that an agent asks.
    pub fn of_agent(&self, parts: &Parts) -> agent::Models {
        let part = |role| {
            let model = self.get(parts.name(role), role);
            model.expect("every model of the parts was opened")
        };
        agent::Models {
            agent: part(ModelRole::Agent),
            router: part(ModelRole::Router),
            memory: part(ModelRole::Memory),
        }
    }
}

/// What holds for all models of a command.
pub fn terms(asked: &args::Choices, config: &Config, halt: Halt) -> Terms {
    let sharers = asked.sharers.unwrap_or(NonZeroU32::MIN);
    let part = |all: Cost| Cost::of_trillionths(all.trillionths() / u64::from(sharers.get()));
    let budget = asked.limits.budget_usd.map(part);
    Terms {
        in_flight: asked.limits.max_concurrency.unwrap_or(CONCURRENCY),
        max_retries: asked.limits.max_retries.unwrap_or(MAX_RETRIES),
        asked: Rates {
            requests_per_minute: asked.limits.rpm,
            tokens_per_minute: asked.limits.tpm,
            max_concurrency: None,
        },
        otherwise: Rates {
            requests_per_minute: config.rpm.as_ref().map(|most| most.0),
            tokens_per_minute: config.tpm.as_ref().map(|most| most.0),
            max_concurrency: None,
        },
        sharers,
        offline: asked.reach.offline,
        prices: Prices::with(config.prices.clone().unwrap_or_default()),
        budget: budget.map(|limit| Budget::new(limit, Cost::ZERO)),
        halt,
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::super::args::{Cli, Verb};
    use super::*;

    /// The terms of a run with these flags and this configuration.
    fn of(flags: &[&str], config: &str) -> Terms {
        let arguments = [&["mailproof", "run"][..], flags].concat();
        let Verb::Run(mut args) = Cli::parse_from(arguments).verb else {
            panic!("no run");
        };
        let config = Config::parse(config, "c.yaml".as_ref()).unwrap();
        config.complete(&mut args.choices);
        terms(&args.choices, &config, Halt::default())
    }

    #[test]
    fn a_flag_wins_over_the_configuration_and_that_over_what_is_usual() {
        let config = "max_retries: 2\nmax_concurrency: 3\nrpm: 4\ntpm: 5\noffline: true\n";
        let flags = ["--max-retries", "0", "-j", "7", "--rpm", "8", "--tpm", "9"];
        for (flags, config, (retries, in_flight, asked, otherwise, offline)) in [
            (&[][..], "", (5, 16, (None, None), (None, None), false)),
            (&[], config, (2, 3, (None, None), (Some(4), Some(5)), true)),
            (
                &flags,
                config,
                (0, 7, (Some(8), Some(9)), (Some(4), Some(5)), true),
            ),
            (
                &["--offline"],
                "",
                (5, 16, (None, None), (None, None), true),
            ),
        ] {
            let terms = of(flags, config);
            let rates = |rates: Rates| {
                let requests = rates.requests_per_minute.map(|most| u64::from(most.get()));
                (requests, rates.tokens_per_minute.map(|most| most.get()))
            };
            assert_eq!(terms.max_retries, retries, "{flags:?}");
            assert_eq!(terms.in_flight.get(), in_flight, "{flags:?}");
            assert_eq!(rates(terms.asked), asked, "{flags:?}");
            assert_eq!(rates(terms.otherwise), otherwise, "{flags:?}");
            assert_eq!(terms.offline, offline, "{flags:?}");
        }
    }

    #[test]
    fn shards_share_the_budget_of_a_run() {
        for (sharers, usd) in [(None, 1.0), (std::num::NonZeroU32::new(4), 0.25)] {
            let arguments = ["mailproof", "run", "--budget-usd", "1"];
            let Verb::Run(args) = Cli::parse_from(arguments).verb else {
                panic!("no run");
            };
            let mut asked = args.choices;
            asked.sharers = sharers;
            let terms = terms(&asked, &Config::default(), Halt::default());
            let limit = terms.budget.expect("a budget was set").limit();
            assert_eq!(limit.usd(), usd, "{sharers:?}");
        }
    }
}
