//! The stack of a model call, put together: one connection pool for all, one limiter for
//! each account, one provider for each model and role.

use std::collections::BTreeMap;
use std::num::{NonZeroU32, NonZeroU64, NonZeroUsize};
use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::{Catalog, Definition, OpenError, Rates, Source};
use crate::model::budget::Budget;
use crate::model::halt::Halt;
use crate::model::http::{Account, Connections, Wire};
use crate::model::limit::{Limited, Limiter, Limits, Traffic};
use crate::model::price::{Price, Prices};
use crate::model::rules::Rules;
use crate::model::{Model, ModelError, Reply, Request};
use crate::run::ModelRole;

/// What holds for all models of a run.
#[derive(Clone, Debug)]
pub struct Terms {
    /// Requests in flight at one account, where its models want no fewer.
    pub in_flight: NonZeroUsize,
    pub max_retries: u32,
    /// What the command says of every account: wins over what is said of a model.
    pub asked: Rates,
    /// For accounts of which nothing is said.
    pub otherwise: Rates,
    /// How many processes share what accounts allow in a minute: each asks for its part.
    pub sharers: NonZeroU32,
    /// Refuse endpoints that are not on this machine.
    pub offline: bool,
    pub prices: Prices,
    /// What calls are paid from, where there is a limit to what they may cost. Calls of models
    /// without a worst cost are not: whoever sets a limit refuses a plan that asks them.
    pub budget: Option<Arc<Budget>>,
    /// Ended where going on is pointless.
    pub halt: Halt,
}

/// What a call to a model can come to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Worth {
    /// `None` where nobody knows it.
    pub price: Option<Price>,
    /// The most tokens of a reply; `None` where the provider decides.
    pub max_tokens: Option<u32>,
}

impl Worth {
    /// Whether a call costs anything, and no more than can be told before it.
    fn has_worst_cost(self) -> bool {
        let costs = self.price.is_some_and(|price| !price.is_free());
        costs && self.max_tokens.is_some()
    }
}

/// Models that are ready to be asked.
#[derive(Default)]
pub struct Connected {
    models: BTreeMap<(String, ModelRole), Opened>,
    /// One for each account, with what it is called.
    limiters: Vec<(Account, Arc<Limiter>)>,
}

struct Opened {
    model: Arc<dyn Model>,
    worth: Worth,
    /// `None` for the embedded model.
    account: Option<Account>,
}

impl Connected {
    /// The model chosen as `name`, as it is asked in `role`, if that was to be opened.
    pub fn get(&self, name: &str, role: ModelRole) -> Option<Arc<dyn Model>> {
        Some(Arc::clone(&self.opened(name, role)?.model))
    }

    /// What a call to it can come to.
    pub fn worth(&self, name: &str, role: ModelRole) -> Option<Worth> {
        Some(self.opened(name, role)?.worth)
    }

    /// Where it is asked and with what, and what its account is limited to; `None` for the
    /// embedded model.
    pub fn account(&self, name: &str, role: ModelRole) -> Option<(&Account, &Limits)> {
        let account = self.opened(name, role)?.account.as_ref()?;
        let mut limiters = self.limiters.iter();
        let (_, limiter) = limiters.find(|(other, _)| is_same(other, account))?;
        Some((account, limiter.limits()))
    }

    fn opened(&self, name: &str, role: ModelRole) -> Option<&Opened> {
        self.models.get(&(name.to_owned(), role))
    }

    /// The accounts that are used, each as one of its models uses it, with the limiter that
    /// guards it.
    pub fn accounts(&self) -> impl Iterator<Item = (&Account, &Arc<Limiter>)> {
        self.limiters
            .iter()
            .map(|(account, limiter)| (account, limiter))
    }

    /// What was asked of each account, by its endpoint, and by the variable of its key where
    /// there are several at one endpoint.
    pub fn traffic(&self) -> BTreeMap<String, Traffic> {
        let mut traffic = BTreeMap::new();
        for (account, limiter) in self.accounts() {
            let endpoint = account.endpoint.to_string();
            let name = match traffic.contains_key(&endpoint) {
                false => endpoint,
                true => format!("{endpoint} ({})", account.key_variable),
            };
            traffic.insert(name, limiter.traffic());
        }
        traffic
    }
}

/// Opens models by the names they are chosen by and the roles they play. Nothing is sent.
///
/// # Errors
/// The first of [`OpenError`], in the order of `wanted`.
pub fn open<'a>(
    catalog: &Catalog,
    wanted: impl IntoIterator<Item = (&'a str, ModelRole)>,
    terms: &Terms,
    environment: impl Fn(&str) -> Option<String>,
) -> Result<Connected, OpenError> {
    let mut connected = Connected::default();
    let mut live = BTreeMap::new();
    for (name, role) in wanted {
        let key = (name.to_owned(), role);
        match catalog.find(name)? {
            Source::Rules => {
                let worth = Worth {
                    price: terms.prices.of(name),
                    max_tokens: None,
                };
                let rules = Opened {
                    model: Arc::new(match role {
                        ModelRole::Judge => Rules::new(),
                        _ => Rules::with(&catalog.rulebook),
                    }),
                    worth,
                    account: None,
                };
                connected.models.insert(key, rules);
            }
            Source::Live(full) => {
                let account = catalog.account(name, &full, role, &environment)?;
                if terms.offline && !account.endpoint.is_loopback() {
                    return Err(OpenError::Offline {
                        model: name.to_owned(),
                        endpoint: account.endpoint.to_string(),
                    });
                }
                let worth = Worth {
                    // What a provider publishes holds where it is asked itself.
                    price: match full.provider.is_at(&account.endpoint) {
                        true => terms.prices.of(&account.name()),
                        false => terms.prices.stated(&account.name()),
                    },
                    max_tokens: account.max_tokens(),
                };
                live.insert(key, (account, worth));
            }
        }
    }
    // The limits of an account are known once all that share it are.
    let mut accounts: Vec<(Account, Vec<Definition>)> = Vec::new();
    for ((name, _), (account, _)) in &live {
        let definition = catalog.definition(name);
        match accounts
            .iter_mut()
            .find(|(other, _)| is_same(other, account))
        {
            Some((_, definitions)) => definitions.push(definition),
            None => accounts.push((account.clone(), vec![definition])),
        }
    }
    for (account, definitions) in accounts {
        let limits = limits(terms, definitions.iter().map(|it| it.rates));
        let limiter = Limiter::new(limits, terms.halt.clone());
        connected.limiters.push((account, limiter));
    }
    let connections = Connections::default();
    for ((name, role), (account, worth)) in live {
        let limiters = &connected.limiters;
        let limiter = limiters.iter().find(|(other, _)| is_same(other, &account));
        let limiter = Arc::clone(&limiter.expect("each has one").1);
        let wire =
            Wire::new(account.clone(), &connections).map_err(|reason| OpenError::NoClient {
                model: name.clone(),
                reason,
            })?;
        let budget = terms.budget.clone().filter(|_| worth.has_worst_cost());
        let wire = Arc::new(wire);
        let model = Arc::new(Chosen {
            name: name.clone(),
            model: Limited::new(wire, limiter, worth.price, worth.max_tokens, budget),
        });
        let account = Some(account);
        let opened = Opened {
            model,
            worth,
            account,
        };
        connected.models.insert((name, role), opened);
    }
    Ok(connected)
}

/// Whether two share what a provider allows.
fn is_same(one: &Account, other: &Account) -> bool {
    (&one.endpoint, &one.key) == (&other.endpoint, &other.key)
}

/// What an account may be asked for by `models` that share it: the least that any allows.
pub(super) fn limits(terms: &Terms, models: impl Iterator<Item = Rates> + Clone) -> Limits {
    fn least<T: Ord + Copy>(
        models: impl Iterator<Item = Rates>,
        of: fn(&Rates) -> Option<T>,
    ) -> Option<T> {
        models.filter_map(|rates| of(&rates)).min()
    }
    let Terms {
        asked, otherwise, ..
    } = terms;
    let requests = asked
        .requests_per_minute
        .or_else(|| least(models.clone(), |rates| rates.requests_per_minute))
        .or(otherwise.requests_per_minute);
    let tokens = asked
        .tokens_per_minute
        .or_else(|| least(models.clone(), |rates| rates.tokens_per_minute))
        .or(otherwise.tokens_per_minute);
    let fewer = least(models, |rates| rates.max_concurrency);
    // One at least: none a minute is no rate.
    let sharers = terms.sharers;
    let requests =
        requests.map(|all| NonZeroU32::new(all.get() / sharers).unwrap_or(NonZeroU32::MIN));
    let tokens = tokens.map(|all| {
        NonZeroU64::new(all.get() / u64::from(sharers.get())).unwrap_or(NonZeroU64::MIN)
    });
    Limits {
        max_in_flight: fewer.map_or(terms.in_flight, |most| most.min(terms.in_flight)),
        requests_per_minute: requests,
        tokens_per_minute: tokens,
        max_retries: terms.max_retries,
        ..Limits::default()
    }
}

/// A model by the name it was chosen by, which threads keep and errors tell.
struct Chosen {
    name: String,
    model: Limited,
}

impl Model for Chosen {
    fn name(&self) -> &str {
        &self.name
    }

    fn ask<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<Reply, ModelError>> {
        self.model.ask(request)
    }
}
