//! What answers, and none, mean; what is tried again; and what is never shown or sent.

use std::num::NonZeroUsize;

use super::*;
use crate::langsmith::client::Ingest;

#[tokio::test]
async fn what_became_of_runs_is_told_by_the_status() {
    enum Is {
        Ok(Ingest),
        Err(&'static str),
    }
    let refused = |reason: &str| {
        Is::Ok(Ingest::Refused {
            reason: reason.to_owned(),
        })
    };
    for (status, body, tries, is) in [
        (202, "{}", 1, Is::Ok(Ingest::Taken)),
        (200, "", 1, Is::Ok(Ingest::Taken)),
        (
            409,
            r#"{"error":"payload already received"}"#,
            1,
            Is::Ok(Ingest::AlreadyThere),
        ),
        (413, "", 1, Is::Ok(Ingest::TooLarge)),
        (
            400,
            r#"{"error":"invalid 'dotted_order'"}"#,
            1,
            refused("invalid 'dotted_order'"),
        ),
        (
            422,
            r#"{"detail":[{"loc":["body",0,"id"],"msg":"Field required"}]}"#,
            1,
            refused("body.0.id: Field required"),
        ),
        (
            422,
            r#"{"title":"Bad","status":422,"detail":"no type"}"#,
            1,
            refused("no type"),
        ),
        (400, "", 1, refused("without a reason")),
        (
            401,
            r#"{"detail":"Invalid token"}"#,
            1,
            Is::Err("denies access (HTTP 401: Invalid token); is `LANGSMITH_API_KEY`"),
        ),
        (
            403,
            r#"{"error":"org_scoped_key_requires_workspace"}"#,
            1,
            Is::Err("`LANGSMITH_WORKSPACE_ID`"),
        ),
        (
            403,
            r#"{"error":"Forbidden"}"#,
            1,
            Is::Err("may `LANGSMITH_API_KEY` do this"),
        ),
        (
            403,
            "<html>no</html>",
            3,
            Is::Err("a proxy or firewall (HTTP 403): <html>no</html>"),
        ),
        (407, "", 1, Is::Err("did not take runs (HTTP 407)")),
        (302, "", 1, Is::Err("redirects are not followed")),
        (
            408,
            "",
            8,
            Is::Err("did not take runs (HTTP 408): without a reason"),
        ),
        (425, "", 8, Is::Err("HTTP 425")),
        (500, r#"{"message":"oops"}"#, 8, Is::Err("(HTTP 500): oops")),
        (501, "", 1, Is::Err("HTTP 501")),
        (503, "busy", 8, Is::Err("(HTTP 503): busy")),
        (599, "", 8, Is::Err("HTTP 599")),
        (
            429,
            r#"{"detail":"hourly limit"}"#,
            8,
            Is::Err("takes no more requests for now: hourly limit"),
        ),
    ] {
        let server = Server::start(move |_, asked| match asked.line.as_str() {
            "GET /info" => says(200, "{}"),
            _ => says(status, body),
        });
        let found = client(&server).send_runs(&[run(1)]).await;
        match (found, is) {
            (Ok(found), Is::Ok(expected)) => assert_eq!(found, expected, "{status}"),
            (Err(error), Is::Err(words)) => {
                assert!(reason(&error).contains(words), "{status}: {error}");
            }
            (found, _) => panic!("{status} {body}: {found:?}"),
        }
        assert_eq!(server.asked().len(), 1 + tries, "{status}");
    }
}

#[tokio::test]
async fn lost_requests_and_lost_answers_are_sent_again_until_the_tries_are_used_up() {
    for lost in [Reply::Nothing, Reply::Half, says(503, "")] {
        for (times, answered) in [(1, true), (7, true), (8, false)] {
            let lost = lost.clone();
            let server = Server::start(move |number, _| match number < times {
                true => lost.clone(),
                false => says(200, json!([dataset_read("mail")])),
            });
            let found = client(&server).dataset("mail").await;
            assert_eq!(found.is_ok(), answered, "{times}: {found:?}");
            assert_eq!(server.asked().len(), (times + 1).min(8));
        }
    }
    let server = Server::start(|_, _| Reply::Nothing);
    let once = Settings {
        max_retries: 0,
        ..settings(&server.origin, &[])
    };
    let client = Client::new(once, Redactor::new([])).unwrap();
    let error = client.dataset("mail").await.unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error:?}");
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn a_server_that_says_when_is_obeyed_within_reason() {
    let wait = |seconds: u32| {
        let header = format!("Retry-After: {seconds}\r\n");
        Reply::Says(429, header, r#"{"detail":"slow down"}"#.to_owned())
    };
    // Its zero wins over the wait that would be ours, of an hour.
    let server = Server::start(move |number, _| match number {
        0 | 1 => wait(0),
        _ => says(200, "[]"),
    });
    let hour = Backoff {
        first: Duration::from_secs(3600),
        longest: Duration::from_secs(3600),
    };
    let settings = settings(&server.origin, &[]);
    let client = Client::with_backoff(settings, Redactor::new([]), hour).unwrap();
    assert_eq!(client.dataset("mail").await, Ok(None));
    assert_eq!(server.asked().len(), 3);

    let server = Server::start(move |_, _| wait(121));
    let error = super::client(&server).dataset("mail").await.unwrap_err();
    assert_eq!(
        reason(&error),
        "LangSmith takes no more requests for now: slow down; it may again in 121 s"
    );
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn a_server_that_says_nothing_of_itself_is_what_the_service_is_by_default() {
    for (reply, operations) in [
        (says(404, ""), 100),
        (says(200, ""), 100),
        (
            says(200, r#"{"batch_ingest_config":{"size_limit":"many"}}"#),
            100,
        ),
        (
            says(200, r#"{"batch_ingest_config":{"size_limit":0}}"#),
            100,
        ),
        (
            says(200, r#"{"batch_ingest_config":null,"instance_flags":null}"#),
            100,
        ),
        (says(403, r#"{"error":"Forbidden"}"#), 100),
        (says(500, ""), 100),
        (info(), 50),
    ] {
        let server = Server::start(move |_, _| reply.clone());
        let client = client(&server);
        let limits = client.limits().await.unwrap();
        assert_eq!(limits.operations.get(), operations);
        assert_eq!(limits.bytes, 10 << 20);
        let asked = server.asked().len();
        client.clone().info().await.unwrap();
        assert_eq!(server.asked().len(), asked, "it is asked for once");
        let said = client_with(
            &server.origin,
            &[("LANGSMITH_BATCH_INGEST_SIZE_LIMIT", "7")],
        );
        let limits = said.limits().await.unwrap();
        assert_eq!(limits.operations, NonZeroUsize::new(7).unwrap());
    }
    let server = Server::start(|_, _| Reply::Nothing);
    client(&server).info().await.unwrap_err();
}

#[tokio::test]
async fn what_cannot_be_read_is_told_without_being_tried_again() {
    for (body, words) in [
        ("<!doctype html>".to_owned(), "it is a web page"),
        ("[{\"id\":1}]".to_owned(), "list examples"),
        (
            format!(
                r#"[{{"id":"{}","inputs":{{"a":{}"#,
                id(1),
                "[".repeat(100_000)
            ),
            "recursion limit",
        ),
    ] {
        let server = Server::start(move |_, _| says(200, &body));
        let client = client(&server);
        let error = client.examples(id(7), None).next().await.unwrap_err();
        assert!(matches!(error, Error::Unreadable { .. }), "{error:?}");
        assert!(reason(&error).contains(words), "{error}");
        assert_eq!(server.asked().len(), 1, "{words}");
    }
}

#[tokio::test]
async fn compression_is_given_up_where_the_server_cannot_read_it() {
    for (status, body) in [
        (415, ""),
        (400, r#"{"error":"unsupported Content-Encoding"}"#),
    ] {
        let server = Server::start(move |_, asked| match asked.line.as_str() {
            "GET /info" => info(),
            _ if asked.header("content-encoding").is_some() => says(status, body),
            _ => says(202, "{}"),
        });
        let client = client(&server);
        for _ in 0..2 {
            assert_eq!(client.send_runs(&[run(1)]).await, Ok(Ingest::Taken));
        }
        let asked = server.asked();
        let encodings = asked[1..]
            .iter()
            .map(|asked| asked.header("content-encoding"));
        let encodings: Vec<Option<&str>> = encodings.collect();
        assert_eq!(encodings, [Some("zstd"), None, None]);
        assert_eq!(asked[1].body, asked[2].body, "the same, once compressed");
        let whole = asked[2].body.len().to_string();
        assert_eq!(asked[1].header("x-pre-compressed-size"), Some(&*whole));
        let sent: usize = asked[1].header("content-length").unwrap().parse().unwrap();
        assert!(sent < asked[2].body.len(), "{sent} bytes");
    }
}

#[tokio::test]
async fn nothing_is_compressed_against_the_server_s_or_the_user_s_word() {
    const NO: (&str, &str) = ("LANGSMITH_DISABLE_RUN_COMPRESSION", "true");
    for (info, said) in [(says(200, "{}"), &[][..]), (info(), &[NO][..])] {
        let server = Server::start(move |_, asked| match asked.line.as_str() {
            "GET /info" => info.clone(),
            _ => says(202, "{}"),
        });
        let client = client_with(&server.origin, said);
        client.send_runs(&[run(1)]).await.unwrap();
        assert_eq!(server.asked()[1].header("content-encoding"), None);
    }
}

#[tokio::test]
async fn the_key_goes_to_its_endpoint_and_nowhere_else() {
    let other = Server::start(|_, _| says(200, "[]"));
    let elsewhere = format!("Location: {}/datasets\r\n", other.origin);
    let server = Server::start(move |number, asked| match number {
        // Whatever a server sends back of it is not shown.
        0 => says(
            400,
            json!({ "error": format!("what is {}?", asked.header("x-api-key").unwrap()) }),
        ),
        1 => Reply::Says(307, elsewhere.clone(), String::new()),
        _ => says(200, "{}"),
    });
    let client = client_with(
        &server.origin,
        &[(
            "LANGSMITH_WORKSPACE_ID",
            "00000000-0000-0000-0000-000000000006",
        )],
    );
    let mut shown = vec![format!("{client:?}")];
    for _ in 0..2 {
        let error = client.dataset("mail").await.unwrap_err();
        shown.push(format!("{error} {error:?}"));
    }
    client.send_runs(&[run(1)]).await.unwrap();
    assert!(shown[1].contains("what is [redacted]?"), "{shown:?}");
    for text in shown {
        assert!(!text.contains("canary"), "{text}");
    }
    assert_eq!(other.lines(), [""; 0], "a redirect is not followed");
    for asked in server.asked() {
        let (key, workspace) = (asked.header("x-api-key"), asked.header("x-tenant-id"));
        assert_eq!(key, Some(KEY));
        assert_eq!(workspace, Some(id(6).to_string().as_str()));
        let agent = asked.header("user-agent").unwrap();
        assert!(agent.starts_with("mailproof/"), "{agent}");
        assert!(!asked.body.contains("canary"), "{}", asked.body);
        assert!(!asked.line.contains("canary"), "{}", asked.line);
    }
}

#[test]
fn nothing_is_asked_without_a_key_or_beyond_this_machine_when_offline() {
    let with = |key: bool, url: &str| {
        let mut settings = settings(url, &[]);
        settings.offline = true;
        settings.key = settings.key.filter(|_| key);
        Client::new(settings, Redactor::new([])).map(drop)
    };
    let endpoint = "https://eu.api.smith.langchain.com".to_owned();
    assert_eq!(with(true, "http://127.0.0.1:1"), Ok(()));
    assert_eq!(
        with(true, &endpoint),
        Err(Error::Offline {
            endpoint: endpoint.clone()
        })
    );
    assert_eq!(with(false, &endpoint), Err(Error::NoKey));
}

#[tokio::test]
async fn what_is_said_of_a_route_s_end_is_kept_once() {
    let server = Server::start(|_, asked| {
        let headers = match asked.line.starts_with("GET /datasets") {
            true => "Deprecation: true\r\nSunset: Thu, 01 Jul 2027 00:00:00 GMT\r\n",
            false => "",
        };
        Reply::Says(200, headers.to_owned(), "[]".to_owned())
    });
    let client = client(&server);
    client.examples(id(7), None).next().await.unwrap();
    assert!(client.notices().is_empty());
    for _ in 0..2 {
        client.dataset("mail").await.unwrap();
    }
    insta::assert_snapshot!(client.notices().join("\n"), @"LangSmith will not look for a dataset by its name by GET /datasets any more after Thu, 01 Jul 2027 00:00:00 GMT: a newer mailproof may be needed");
}
