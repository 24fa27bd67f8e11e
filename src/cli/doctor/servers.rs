//! What else is on the network: where threads live, and LangSmith.

use std::path::Path;
use std::time::Duration;

use tokio::time::timeout;

use super::super::config::Config;
use super::super::environment::Environment;
use super::super::threads::place::Chosen;
use super::{Check, writable};
use crate::langsmith::{self, Client, Settings};
use crate::report::escape;

/// How long a server may take.
const LIMIT: Duration = Duration::from_secs(10);

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

/// Whether LangSmith takes the key, if its variables are set.
pub async fn langsmith(environment: &Environment, offline: bool) -> Option<Check> {
    const WHAT: &str = "LangSmith";
    const VARIABLES: [&str; 4] = [
        "LANGSMITH_API_KEY",
        "LANGCHAIN_API_KEY",
        "LANGSMITH_ENDPOINT",
        "LANGCHAIN_ENDPOINT",
    ];
    let is_set = |name| {
        environment
            .get(name)
            .is_some_and(|it| !it.trim().is_empty())
    };
    if !VARIABLES.into_iter().any(is_set) {
        return None;
    }
    let settings = match Settings::read(|name| environment.get(name)) {
        // What is the case now is asked, not what may be later.
        Ok(settings) => Settings {
            offline,
            max_retries: 0,
            ..settings
        },
        Err(error) => return Some(Check::fail(WHAT, error.to_string())),
    };
    let endpoint = settings.endpoint.clone();
    let client = match Client::new(settings, environment.redactor()) {
        Ok(client) => client,
        Err(langsmith::Error::Offline { .. }) => {
            let found = format!("{endpoint}; not tried: `--offline`");
            return Some(Check::pass(WHAT, found));
        }
        Err(error) => return Some(Check::fail(WHAT, format!("{endpoint}; {error}"))),
    };
    let asked = timeout(LIMIT, async {
        let version = client.info().await?.version.clone();
        client.check().await.map(|()| version)
    });
    Some(match asked.await {
        Ok(Ok(version)) => {
            let version = version.map_or(String::new(), |version| {
                format!(" (version {})", escape::line(&version))
            });
            Check::pass(WHAT, format!("{endpoint}{version} takes the key"))
        }
        Ok(Err(error)) => {
            let told = error.to_string();
            Check::fail(WHAT, format!("{endpoint}; {}", escape::line(&told)))
        }
        Err(_) => slow(WHAT),
    })
}
