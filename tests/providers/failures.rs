//! What becomes of a call that fails: the table in `docs/providers.md`, row by row.

use std::time::Duration;

use mailproof::model::http::{Account, Key};
use mailproof::model::{ErrorKind, ModelError, Provider};
use serde_json::{Value, json};

use super::contract::hello;
use super::family::{ALL, Family, KEY, KEY_VARIABLE, Said, open};
use super::server::{Answer, Delivery, Server, nobody};

const DOCUMENT: &str = include_str!("../../docs/providers.md");

/// One row of the table.
pub struct Row {
    what: String,
    kind: ErrorKind,
    is_tried_again: bool,
    pub outcome: String,
}

impl Row {
    /// The status that it is about.
    pub fn status(&self) -> Option<u16> {
        self.what.strip_prefix("HTTP ")?.get(..3)?.parse().ok()
    }
}

/// The rows of the table below this heading.
pub fn documented() -> Vec<Row> {
    let (_, section) = DOCUMENT
        .split_once("\n## What becomes of a failed call\n")
        .unwrap();
    let section = section.split("\n## ").next().unwrap();
    let rows = section.lines().filter(|line| line.starts_with('|')).skip(2);
    rows.map(|line| {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [what, kind, again, outcome] = cells[..] else {
            panic!("four cells: {line}");
        };
        Row {
            what: what.to_owned(),
            kind: serde_json::from_value(json!(kind.trim_matches('`'))).expect(line),
            is_tried_again: match again {
                "yes" => true,
                "no" => false,
                other => panic!("{other}"),
            },
            outcome: outcome.to_owned(),
        }
    })
    .collect()
}

/// A server where that happens; `None` where the family has no such thing.
fn stage(family: &'static Family, what: &str) -> Option<Server> {
    let whole = || {
        (family.say)(&Said {
            text: "Hi",
            ..Said::default()
        })
        .to_string()
    };
    let complaint = |status: u16| Answer::json(status, &(family.complain)(status, "words"));
    let status = what.strip_prefix("HTTP ").and_then(|rest| rest.get(..3));
    let status: Option<u16> = status.and_then(|digits| digits.parse().ok());
    let answer = match (status, what) {
        (_, "connection refused") => return Some(Server::absent()),
        (_, "connection reset in the middle of an answer") => return Some(Server::resetting()),
        (_, "connection closed before the announced length") => Answer {
            delivery: Delivery::Cut(20),
            ..Answer::new(200, whole())
        },
        (_, "JSON cut in two") => {
            let body = whole();
            Answer::new(200, &body[..body.len() / 2])
        }
        (_, "an answer that drips past the request timeout") => Answer {
            delivery: Delivery::Drip,
            ..Answer::new(200, whole())
        },
        (_, "an answer of 10 MB") => {
            let text: &'static str = Box::leak("x".repeat(10_000_000).into_boxed_str());
            Answer::json(
                200,
                &(family.say)(&Said {
                    text,
                    ..Said::default()
                }),
            )
        }
        (_, "an account that is used up") => {
            let (status, body) = family.used_up?();
            Answer::json(status, &body)
        }
        (Some(200), "HTTP 200 with an error that says what it is") => {
            if !family.errors_have_kinds {
                return None;
            }
            Answer::json(200, &(family.complain)(503, "words"))
        }
        (Some(200), "HTTP 200 with an error that does not") => {
            Answer::json(200, &json!({ "error": "words" }))
        }
        (Some(200), "HTTP 200 with a web page") => Answer::new(200, "<!doctype html><p>Hello"),
        (Some(200), "HTTP 200 with other JSON") => Answer::json(200, &json!({ "hello": true })),
        (Some(307), _) => Answer {
            headers: "Location: /elsewhere\r\n".to_owned(),
            ..Answer::new(307, "")
        },
        (Some(429), "HTTP 429 with `Retry-After`") => Answer {
            headers: "Retry-After: 7\r\n".to_owned(),
            ..complaint(429)
        },
        (Some(status), _) => complaint(status),
        _ => panic!("nobody knows how to stage `{what}`"),
    };
    Some(Server::start(move |_| answer.clone()))
}

async fn failure(account: Account) -> ModelError {
    let answer = open(account).send(&hello()).await;
    answer.result.expect_err("a failure")
}

#[tokio::test]
async fn every_failure_is_of_the_kind_that_is_documented() {
    let rows = documented();
    let named = |what: &str| rows.iter().any(|row| row.what.starts_with(what));
    for status in [
        "400", "401", "402", "403", "404", "408", "413", "422", "429", "500", "503", "529",
    ] {
        assert!(named(&format!("HTTP {status}")), "{status}");
    }
    assert!(rows.len() >= 24);
    for row in &rows {
        let mut staged = 0;
        for family in ALL {
            let Some(server) = stage(family, &row.what) else {
                continue;
            };
            staged += 1;
            let error = failure(Account {
                request_timeout: match row.kind {
                    // In time for anything else, however busy the machine is.
                    ErrorKind::RequestTimeout => Duration::from_millis(300),
                    _ => Duration::from_secs(20),
                },
                ..family.account(&server.origin)
            })
            .await;
            let at = format!("{}, {}: {error}", row.what, family.provider);
            assert_eq!(error.kind, row.kind, "{at}");
            assert_eq!(error.kind.is_transient(), row.is_tried_again, "{at}");
            let ends = row.outcome.starts_with("the run ends (exit ");
            assert_eq!(error.kind.is_of_the_account(), ends, "{at}");
            let wait = row.what.ends_with("with `Retry-After`");
            let wait = wait.then_some(Duration::from_secs(7));
            if row.what != "an account that is used up" {
                assert_eq!(error.retry_after, wait, "{at}");
            }
            assert!(server.asked().len() <= 1, "one question, one call");
            let length = error.reason.chars().count();
            assert!(length <= 400 && !error.reason.contains('\n'), "{at}");
        }
        assert!(staged >= 1, "{}", row.what);
    }
}

#[tokio::test]
async fn an_error_says_what_the_provider_said_and_what_to_look_at() {
    for family in ALL {
        for (status, words) in [
            (400, "HTTP 400: the prompt is too long"),
            (
                401,
                "access denied (HTTP 401): the prompt is too long; is `THE_API_KEY` the right key?",
            ),
            (404, "HTTP 404: the prompt is too long"),
            (429, "HTTP 429: the prompt is too long"),
            (503, "HTTP 503: the prompt is too long"),
        ] {
            let server = Server::start(move |_| {
                Answer::json(
                    status,
                    &(family.complain)(status, "the prompt\nis too long"),
                )
            });
            let key = Key::new(KEY);
            let account = family.account(&server.origin);
            let error = failure(Account { key, ..account }).await;
            assert_eq!(error.reason, words, "{}", family.provider);
            assert_eq!(error.model, format!("{}:m", family.provider));
        }
        let server = Server::start(|_| Answer::new(401, ""));
        let error = failure(family.account(&server.origin)).await;
        let told =
            format!("access denied (HTTP 401): without a message; `{KEY_VARIABLE}` is not set");
        assert_eq!(error.reason, told);

        let origin = nobody();
        let error = failure(family.account(&origin)).await;
        let start = format!("cannot connect to {origin}{} (", family.base);
        assert!(error.reason.starts_with(&start), "{error}");
        assert!(error.reason.contains("`THE_BASE_URL`") && error.reason.contains("refused"));
    }
}

#[tokio::test]
async fn a_key_is_in_no_error_whatever_a_provider_sends_back() {
    for family in ALL {
        for status in [200, 400, 401, 429, 500] {
            // The key stands where a message that is cut would be cut.
            for padding in [0, 170, 185, 195, 4000] {
                let server = Server::start(move |asked| {
                    let (header, _) = (family.key)(KEY);
                    let key = asked.header(header).unwrap();
                    let words = format!("{}{key}{}", "x".repeat(padding), "y".repeat(4000));
                    Answer::json(status, &(family.complain)(status, &words))
                });
                let key = Key::new(KEY);
                let account = family.account(&server.origin);
                let error = failure(Account { key, ..account }).await;
                assert!(
                    !format!("{error:?} {error}").contains("canary"),
                    "{error:?}"
                );
            }
        }
    }
}

#[tokio::test]
async fn neither_a_redirect_nor_a_query_takes_a_key_elsewhere() {
    for family in ALL {
        let other = family.says(Said::default());
        let to = format!("Location: {}{}\r\n", other.origin, family.base);
        let server = Server::start(move |_| Answer {
            headers: to.clone(),
            ..Answer::new(308, "")
        });
        let key = Key::new(KEY);
        let account = family.account(&server.origin);
        let error = failure(Account { key, ..account }).await;
        assert!(error.reason.contains("(HTTP 308)"), "{error}");
        assert_eq!(other.asked().len(), 0);
        // Some gateways carry keys in the query.
        let origin = nobody();
        let mut account = family.account(&origin);
        let url = format!("{origin}{}?key=hunter2", family.base);
        account.endpoint = mailproof::model::http::Endpoint::parse(&url).unwrap();
        let told = format!("{account:?}");
        let error = failure(account).await;
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        assert!(!told.contains("canary"));
    }
}

#[tokio::test]
async fn what_a_model_wrote_or_may_not_write_is_a_reply_even_as_an_error() {
    use mailproof::run::Stop;
    let error = |error: Value| json!({ "error": error });
    for (body, content, stop) in [
        (
            error(json!({
                "message": "Failed to call a function.", "type": "invalid_request_error",
                "code": "tool_use_failed", "failed_generation": "<function=done>",
            })),
            "<function=done>",
            None,
        ),
        (
            error(json!({
                "message": "The response was filtered.", "code": "content_filter", "status": 400,
            })),
            "",
            Some(Stop::Filtered),
        ),
        (
            error(json!({
                "type": "invalid_request_error",
                "message": "Output blocked by content filtering policy",
            })),
            "",
            Some(Stop::Filtered),
        ),
    ] {
        for family in ALL {
            let body = body.clone();
            let server = Server::start(move |_| Answer::json(400, &body));
            let reply = family.open(&server).send(&hello()).await.result.unwrap();
            assert_eq!((reply.content.as_str(), reply.stop), (content, stop));
        }
    }
}
