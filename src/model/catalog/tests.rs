use serde_json::json;

use super::*;
use crate::model::budget::Budget;
use crate::model::price::Prices;
use crate::run::Cost;

/// An environment of these variables alone.
fn of(variables: &[(&str, &str)]) -> impl Fn(&str) -> Option<String> {
    move |wanted| {
        let found = variables.iter().find(|(name, _)| *name == wanted);
        found.map(|(_, value)| (*value).to_owned())
    }
}

fn account_in(
    catalog: &Catalog,
    name: &str,
    variables: &[(&str, &str)],
) -> Result<Account, OpenError> {
    match catalog.find(name)? {
        Source::Rules => panic!("`rules` has no account"),
        Source::Live(full) => catalog.account(name, &full, ModelRole::Agent, of(variables)),
    }
}

fn account(name: &str, variables: &[(&str, &str)]) -> Result<Account, OpenError> {
    account_in(&Catalog::default(), name, variables)
}

fn terms() -> Terms {
    Terms {
        in_flight: NonZeroUsize::new(8).unwrap(),
        max_retries: 5,
        asked: Rates::default(),
        otherwise: Rates::default(),
        sharers: NonZeroU32::MIN,
        offline: false,
        prices: Prices::embedded(),
        budget: None,
        halt: Default::default(),
    }
}

#[test]
fn what_is_missing_or_wrong_is_told_by_the_variable_s_name() {
    let openai = "https://api.openai.com/v1/";
    let azure = "https://mine.openai.azure.com";
    for (name, variables, wrong) in [
        ("openai:gpt-4o", &[][..], "set `OPENAI_API_KEY`"),
        (
            "openai:gpt-4o",
            &[("OPENAI_API_KEY", " ")],
            "set `OPENAI_API_KEY`",
        ),
        (
            "openai:gpt-4o",
            &[("OPENAI_BASE_URL", openai)],
            "set `OPENAI_API_KEY`",
        ),
        ("anthropic:claude", &[], "set `ANTHROPIC_API_KEY`"),
        (
            "google:gemini",
            &[],
            "set `GEMINI_API_KEY` or `GOOGLE_API_KEY`",
        ),
        ("groq:m", &[("OPENAI_API_KEY", "k")], "set `GROQ_API_KEY`"),
        (
            "azure:gpt-4o",
            &[("AZURE_OPENAI_API_KEY", "k")],
            "set `AZURE_OPENAI_ENDPOINT`",
        ),
        (
            "azure:gpt-4o",
            &[("AZURE_OPENAI_ENDPOINT", azure)],
            "set `AZURE_OPENAI_API_KEY`",
        ),
        (
            "openai:gpt-4o",
            &[("OPENAI_API_KEY", "a b")],
            "`OPENAI_API_KEY` holds no key",
        ),
        (
            "openai:m",
            &[("OPENAI_BASE_URL", "localhost:1")],
            "`OPENAI_BASE_URL` starts",
        ),
        (
            "ollama:m",
            &[("OLLAMA_HOST", "ftp://h")],
            "`OLLAMA_HOST` starts",
        ),
        (
            "gpt-4o",
            &[("OPENAI_API_KEY", "k")],
            "unknown model `gpt-4o`",
        ),
        ("openai:", &[("OPENAI_API_KEY", "k")], "unknown model"),
        (
            "nobody:x",
            &[],
            "unknown provider `nobody`: known are openai, azure,",
        ),
    ] {
        let message = account(name, variables).expect_err(name).to_string();
        assert!(message.contains(wrong), "{name}: {message}");
    }
}

#[test]
fn each_provider_is_found_with_its_key_alone() {
    for provider in Known::all() {
        let name = format!("{}:org/m:free", provider.name);
        for variable in provider.key_variables {
            let mut variables = vec![(*variable, "canary")];
            let mut url = provider.url;
            if url.is_none() {
                let own = "https://mine.test/openai/v1";
                variables.push((provider.url_variable.unwrap(), own));
                url = Some(own);
            }
            let account = account(&name, &variables).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(account.name(), name);
            assert_eq!(account.model, "org/m:free");
            assert_eq!(account.endpoint.to_string(), url.unwrap());
            assert_eq!(account.key, Key::new("canary"));
            assert_eq!(account.key_variable, *variable);
            assert!(!format!("{account:?}").contains("canary"));
        }
    }
    assert_eq!(Known::named("gemini"), Known::named("google"));
}

#[test]
fn an_endpoint_is_the_provider_s_own_or_the_one_set() {
    let key = ("OPENAI_API_KEY", "k");
    let local = "http://127.0.0.1:8089/v1";
    let azure = ("AZURE_OPENAI_ENDPOINT", "https://mine.test");
    let azure_key = ("AZURE_OPENAI_API_KEY", "k");
    for (name, variables, shown, with_key) in [
        ("openai:m", &[key][..], "https://api.openai.com/v1", true),
        (
            "openai:m",
            &[key, ("OPENAI_BASE_URL", " ")],
            "https://api.openai.com/v1",
            true,
        ),
        ("openai:m", &[key, ("OPENAI_BASE_URL", local)], local, true),
        ("openai:m", &[("OPENAI_BASE_URL", local)], local, false),
        (
            "ollama:m",
            &[key, ("OPENAI_BASE_URL", local)],
            "http://127.0.0.1:11434",
            false,
        ),
        (
            "ollama:m",
            &[("OLLAMA_HOST", "gpu:1")],
            "http://gpu:1",
            false,
        ),
        (
            "azure:m",
            &[azure, azure_key],
            "https://mine.test/openai/v1",
            true,
        ),
        (
            "azure:m",
            &[azure, azure_key, ("OPENAI_API_VERSION", "2024-10-21")],
            "https://mine.test/openai/deployments/m",
            true,
        ),
    ] {
        let account = account(name, variables).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(account.endpoint.to_string(), shown);
        assert_eq!(account.key.is_some(), with_key, "{variables:?}");
    }
}

/// `precise` with a key and an address of its own.
fn catalog() -> Catalog {
    let settings = |value| serde_json::from_value::<Settings>(value).unwrap();
    let precise = Definition {
        model: Some("openai:gpt-4o".parse().unwrap()),
        base_url: Some(BaseUrl::new("https://llm.test/v1?key=canary").unwrap()),
        key_variable: Some("TEAM_KEY".to_owned()),
        settings: settings(json!({ "max_tokens": 100, "seed": 7 })),
        request_timeout: Some(Duration::from_secs(9)),
        rates: Rates {
            requests_per_minute: NonZeroU32::new(60),
            max_concurrency: NonZeroUsize::new(2),
            ..Rates::default()
        },
    };
    let plain = Definition {
        settings: settings(json!({ "temperature": "none" })),
        ..Definition::default()
    };
    Catalog {
        models: [("precise", precise), ("openai:o3", plain)]
            .map(|(name, model)| (name.to_owned(), model))
            .into(),
        roles: [(ModelRole::Router, settings(json!({ "max_tokens": 5 })))].into(),
        ..Catalog::default()
    }
}

#[test]
fn an_alias_stands_for_a_model_with_everything_that_is_said_of_it() {
    let catalog = catalog();
    let both = [("OPENAI_API_KEY", "k"), ("TEAM_KEY", "canary")];
    let account = account_in(&catalog, "precise", &both).unwrap();
    assert_eq!(account.name(), "openai:gpt-4o");
    assert_eq!(account.endpoint.to_string(), "https://llm.test/v1");
    assert_eq!(account.key, Key::new("canary"));
    assert_eq!(account.request_timeout, Duration::from_secs(9));
    assert_eq!(account.settings.seed, Some(7));
    assert_eq!(catalog.full_name("precise"), "openai:gpt-4o");
    assert_eq!(catalog.full_name("ollama:m"), "ollama:m");
    let missing = account_in(&catalog, "precise", &both[..1]).unwrap_err();
    insta::assert_snapshot!(missing, @"model `precise` needs a key: set `TEAM_KEY`, or use `rules`, which needs none");
    assert!(!format!("{catalog:?} {account:?}").contains("canary"));
}

#[test]
fn a_role_s_settings_stand_over_the_model_s_and_the_temperature_is_stated() {
    let catalog = catalog();
    let sent = |name, role| serde_json::to_value(catalog.settings(name, role)).unwrap();
    let (agent, router) = (ModelRole::Agent, ModelRole::Router);
    for (name, role, expected) in [
        (
            "precise",
            agent,
            json!({ "temperature": 0.0, "max_tokens": 100, "seed": 7 }),
        ),
        (
            "precise",
            router,
            json!({ "temperature": 0.0, "max_tokens": 5, "seed": 7 }),
        ),
        ("openai:o3", agent, json!({ "temperature": "none" })),
        (
            "openai:m",
            router,
            json!({ "temperature": 0.0, "max_tokens": 5 }),
        ),
        ("rules", router, json!({})),
    ] {
        assert_eq!(sent(name, role), expected, "{name}");
    }
}

#[test]
fn a_model_is_opened_by_the_name_it_was_chosen_by() {
    let key = [("OPENAI_API_KEY", "k"), ("TEAM_KEY", "t")];
    let names = [
        "rules",
        "openai:gpt-4o",
        "openai:org/model:free",
        "ollama:llama3.2:1b",
        "precise",
    ];
    let wanted = names.map(|name| (name, ModelRole::Agent));
    let connected = open(&catalog(), wanted, &terms(), of(&key)).unwrap();
    for name in names {
        assert_eq!(connected.get(name, ModelRole::Agent).unwrap().name(), name);
        assert!(connected.get(name, ModelRole::Router).is_none());
    }
}

#[test]
fn one_limiter_guards_an_account_whoever_uses_it() {
    let key = [
        ("OPENAI_API_KEY", "k"),
        ("TEAM_KEY", "t"),
        ("GROQ_API_KEY", "k"),
    ];
    let wanted = [
        ("openai:a", ModelRole::Agent),
        ("openai:a", ModelRole::Router),
        ("openai:b", ModelRole::Agent),
        ("groq:c", ModelRole::Agent),
        ("precise", ModelRole::Agent),
        ("other", ModelRole::Agent),
        ("rules", ModelRole::Agent),
    ];
    let mut catalog = catalog();
    let other = Definition {
        model: Some("openai:a".parse().unwrap()),
        key_variable: Some("TEAM_KEY".to_owned()),
        ..Definition::default()
    };
    catalog.models.insert("other".to_owned(), other);
    let terms = Terms {
        otherwise: Rates {
            requests_per_minute: NonZeroU32::new(600),
            ..Rates::default()
        },
        ..terms()
    };
    let connected = open(&catalog, wanted, &terms, of(&key)).unwrap();
    let accounts = connected.accounts().map(|(account, limiter)| {
        let limits = limiter.limits();
        let rpm = limits.requests_per_minute.unwrap().get();
        let key = &account.key_variable;
        let host = account.endpoint.host();
        format!("{host} {key}: {rpm}, {}", limits.max_in_flight)
    });
    let mut accounts: Vec<String> = accounts.collect();
    accounts.sort();
    let expected = [
        "api.groq.com GROQ_API_KEY: 600, 8",
        "api.openai.com OPENAI_API_KEY: 600, 8",
        "api.openai.com TEAM_KEY: 600, 8",
        "llm.test TEAM_KEY: 60, 2",
    ];
    assert_eq!(accounts, expected);
    let names: Vec<String> = connected.traffic().into_keys().collect();
    assert_eq!(names.len(), 4, "{names:?}");
    assert!(
        names.iter().all(|name| !name.contains("canary")),
        "{names:?}"
    );
}

#[test]
fn a_command_s_limits_win_over_a_model_s_and_those_over_the_rest() {
    let rpm = |n| Rates {
        requests_per_minute: NonZeroU32::new(n),
        ..Rates::default()
    };
    for (asked, models, otherwise, expected) in [
        (rpm(1), &[rpm(2), rpm(3)][..], rpm(4), 1),
        (rpm(0), &[rpm(3), rpm(2)], rpm(1), 2),
        (rpm(0), &[rpm(0), rpm(9)], rpm(4), 9),
        (rpm(0), &[rpm(0)], rpm(4), 4),
        (rpm(0), &[], rpm(0), 0),
    ] {
        let terms = Terms {
            asked,
            otherwise,
            ..terms()
        };
        let limits = super::open::limits(&terms, models.iter().copied());
        assert_eq!(limits.requests_per_minute, NonZeroU32::new(expected));
        assert_eq!((limits.max_in_flight.get(), limits.max_retries), (8, 5));
    }
}

#[test]
fn offline_only_this_machine_is_asked() {
    let offline = Terms {
        offline: true,
        ..terms()
    };
    let key = ("OPENAI_API_KEY", "k");
    for (name, variables, refused) in [
        ("rules", &[][..], false),
        ("ollama:m", &[], false),
        ("ollama:m", &[("OLLAMA_HOST", "gpu.lan")], true),
        ("openai:m", &[key], true),
        (
            "openai:m",
            &[key, ("OPENAI_BASE_URL", "http://localhost:1/v1")],
            false,
        ),
    ] {
        let wanted = [(name, ModelRole::Agent)];
        let opened = open(&Catalog::default(), wanted, &offline, of(variables));
        let found = matches!(opened, Err(OpenError::Offline { .. }));
        assert_eq!(found, refused, "{name} {variables:?}");
    }
}

#[test]
fn what_a_call_can_come_to_is_known_as_far_as_its_price_and_limit_are() {
    let with_budget = Terms {
        budget: Some(Budget::new(Cost::try_from(1.0).unwrap(), Cost::ZERO)),
        ..terms()
    };
    let key = [("OPENAI_API_KEY", "k"), ("TEAM_KEY", "t")];
    let mut catalog = catalog();
    let bounded = Definition {
        settings: serde_json::from_value(json!({ "max_tokens": 10 })).unwrap(),
        ..Definition::default()
    };
    catalog.models.insert("openai:gpt-4o".to_owned(), bounded);
    for (name, priced, max_tokens) in [
        ("rules", true, None),
        ("openai:gpt-4o", true, Some(10)),
        ("openai:o3", true, None),
        ("openai:nobody-knows", false, None),
        // The price that OpenAI publishes says nothing about another server.
        ("precise", false, Some(100)),
    ] {
        let wanted = [(name, ModelRole::Agent)];
        // What has no worst cost is refused by who knows which models are asked at all.
        for terms in [&with_budget, &terms()] {
            let opened = open(&catalog, wanted, terms, of(&key)).unwrap();
            let worth = opened.worth(name, ModelRole::Agent).expect("it was opened");
            assert_eq!(worth.price.is_some(), priced, "{name}");
            assert_eq!(worth.max_tokens, max_tokens, "{name}");
        }
    }
}

#[test]
fn processes_that_share_an_account_share_what_it_allows() {
    for (sharers, rpm, tpm, expected) in [
        (1, 100, 9_000, (100, 9_000)),
        (4, 100, 9_000, (25, 2_250)),
        (3, 100, 9_000, (33, 3_000)),
        // None a minute would be no rate.
        (8, 5, 3, (1, 1)),
    ] {
        let terms = Terms {
            asked: Rates {
                requests_per_minute: NonZeroU32::new(rpm),
                tokens_per_minute: NonZeroU64::new(tpm),
                max_concurrency: None,
            },
            sharers: NonZeroU32::new(sharers).unwrap(),
            ..terms()
        };
        let limits = super::open::limits(&terms, std::iter::empty());
        let found = (
            limits.requests_per_minute.unwrap().get(),
            limits.tokens_per_minute.unwrap().get(),
        );
        assert_eq!(found, expected, "{rpm} and {tpm} among {sharers}");
        // They wait in each process by itself: cases in flight are not shared.
        assert_eq!(limits.max_in_flight, terms.in_flight);
    }
}
