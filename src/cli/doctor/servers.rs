//! What else is on the network: where threads live, and LangSmith.

use std::path::Path;
use std::time::Duration;

use tokio::time::timeout;

use super::super::config::Config;
use super::super::environment::Environment;
use super::super::threads::place::Chosen;
use super::{Check, writable};
use crate::model::http::{Connections, Endpoint};

/// How long a server may take.
const LIMIT: Duration = Duration::from_secs(10);
const LANGSMITH: &str = "https://api.smith.langchain.com";

/// Where threads live, if anybody said where.
pub async fn checkpointer(
    config: &Config,
    environment: &Environment,
    offline: bool,
) -> Option<Check> {
    const WHAT: &str = "checkpointer";
    let asked = environment.get("MAILPROOF_CHECKPOINTER");
    let asked = asked.filter(|url| !url.is_empty());
    let chosen = match Chosen::new(asked.as_deref(), config, environment) {
        Ok(chosen) => chosen,
        Err(failure) => return Some(Check::fail(WHAT, failure.to_string())),
    };
    if !chosen.is_said() {
        return None;
    }
    if let Some(file) = chosen.file().filter(|file| !file.exists()) {
        let folder = file.parent().unwrap_or(Path::new(""));
        let folder = match folder.as_os_str().is_empty() {
            true => Path::new("."),
            false => folder,
        };
        let shown = file.display();
        return Some(match folder.is_dir().then(|| writable(folder)) {
            Some(Ok(())) => Check::pass(WHAT, format!("`{shown}` is made when it is needed")),
            Some(Err(error)) => Check::fail(WHAT, format!("`{shown}` cannot be made: {error}")),
            None => Check::fail(
                WHAT,
                format!("`{shown}` cannot be made: there is no such folder"),
            )
            .advise("make the folder, or name another place with `checkpointer`"),
        });
    }
    if offline && chosen.file().is_none() {
        return Some(Check::pass(WHAT, "not tried: `--offline`"));
    }
    Some(match timeout(LIMIT, chosen.open_existing()).await {
        Ok(Ok(lasting)) => match timeout(LIMIT, lasting.checkpointer.list(None)).await {
            Ok(Ok(threads)) => Check::pass(WHAT, format!("opens, {} threads", threads.len())),
            Ok(Err(error)) => Check::fail(WHAT, error.to_string()),
            Err(_) => slow(WHAT),
        },
        Ok(Err(failure)) => Check::fail(WHAT, failure.to_string()),
        Err(_) => slow(WHAT),
    })
}

fn slow(what: &str) -> Check {
    Check::fail(what, format!("no answer within {} s", LIMIT.as_secs()))
        .advise("is the server running, and is a firewall between?")
}

/// Whether LangSmith can be reached, if its variables are set.
pub async fn langsmith(environment: &Environment, offline: bool) -> Option<Check> {
    const WHAT: &str = "LangSmith";
    let first = |names: [&'static str; 2]| {
        names.into_iter().find_map(|name| {
            let value = environment.get(name)?.trim().to_owned();
            (!value.is_empty()).then_some((name, value))
        })
    };
    let key = first(["LANGSMITH_API_KEY", "LANGCHAIN_API_KEY"]);
    let said = first(["LANGSMITH_ENDPOINT", "LANGCHAIN_ENDPOINT"]);
    if key.is_none() && said.is_none() {
        return None;
    }
    let key = match key {
        Some((variable, _)) => format!("key in {variable}"),
        None => "no key (LANGSMITH_API_KEY is not set)".to_owned(),
    };
    let (variable, url) = said.unwrap_or(("LANGSMITH_ENDPOINT", LANGSMITH.to_owned()));
    let endpoint = match Endpoint::parse(&url) {
        Ok(endpoint) => endpoint,
        Err(error) => return Some(Check::fail(WHAT, format!("`{variable}` {error}"))),
    };
    if offline && !endpoint.is_loopback() {
        return Some(Check::pass(
            WHAT,
            format!("{endpoint}, {key}; not tried: `--offline`"),
        ));
    }
    Some(match Connections::default().greet(&endpoint, LIMIT).await {
        Ok(_) => Check::pass(WHAT, format!("{endpoint}, {key}; reachable")),
        Err(reason) => Check::fail(
            WHAT,
            format!("{endpoint}, {key}; cannot be reached: {reason}"),
        )
        .advise(format!(
            "is `{variable}` right, and is a proxy needed (`HTTPS_PROXY`)?"
        )),
    })
}
