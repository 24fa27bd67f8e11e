//! By which address what is asked, and what is done where there are two.

use super::*;
use crate::langsmith::client::Created;
use crate::langsmith::client::runs::Page;

#[test]
fn addresses_follow_from_the_base_and_so_does_the_web_page() {
    for (base, plain, platform, v2, web) in [
        (
            "https://api.smith.langchain.com",
            "https://api.smith.langchain.com/sessions",
            "https://api.smith.langchain.com/v1/platform/x",
            "https://api.smith.langchain.com/api/v2/x",
            "https://smith.langchain.com",
        ),
        (
            "https://eu.api.smith.langchain.com/",
            "https://eu.api.smith.langchain.com/sessions",
            "https://eu.api.smith.langchain.com/v1/platform/x",
            "https://eu.api.smith.langchain.com/api/v2/x",
            "https://eu.smith.langchain.com",
        ),
        (
            "http://host.test/api/v1",
            "http://host.test/api/v1/sessions",
            "http://host.test/api/v1/platform/x",
            "http://host.test/api/v2/x",
            "http://host.test",
        ),
        (
            "'http://host.test:8080/smith/api/'",
            "http://host.test:8080/smith/api/sessions",
            "http://host.test:8080/smith/api/v1/platform/x",
            "http://host.test:8080/smith/api/v2/x",
            "http://host.test:8080/smith",
        ),
    ] {
        let client = client_with(base, &[]);
        let endpoint = &client.settings().endpoint;
        assert_eq!(endpoint.below(&["sessions"]).as_str(), plain);
        assert_eq!(client.platform(&["x"]).as_str(), platform);
        assert_eq!(client.v2(&["x"]).as_str(), v2);
        let dataset = serde_json::from_value(dataset_read("mail")).unwrap();
        let link = client.comparative_link(&dataset, &[id(1), id(2)], id(3));
        let (tenant, own, a, b, c) = (id(6), id(7), id(1), id(2), id(3));
        assert_eq!(
            link,
            format!(
                "{web}/o/{tenant}/datasets/{own}/compare?selectedSessions={a}%2C{b}&comparativeExperiment={c}"
            )
        );
    }
}

#[tokio::test]
async fn an_experiment_is_asked_for_by_the_interface_that_answers() {
    let missing = || says(404, r#"{"detail":"Not Found"}"#);
    let there = || says(200, session_read());
    let v1 = format!("GET /sessions/{}", id(9));
    let v2 = format!("GET /api/v2/sessions/{}", id(9));
    for (name, first, second, found, asked) in [
        ("the first", there(), missing(), true, vec![&v1, &v1]),
        ("the second", missing(), there(), true, vec![&v1, &v2, &v2]),
        (
            "the first is gone",
            says(410, ""),
            there(),
            true,
            vec![&v1, &v2, &v2],
        ),
        (
            "the first never was",
            says(501, ""),
            there(),
            true,
            vec![&v1, &v2, &v2],
        ),
        (
            "not there",
            missing(),
            missing(),
            false,
            vec![&v1, &v2, &v1, &v2],
        ),
        (
            "barred",
            missing(),
            says(403, "{}"),
            false,
            vec![&v1, &v2, &v1, &v2],
        ),
    ] {
        let of_v2 = v2.clone();
        let server = Server::start(move |_, asked| match asked.line == of_v2 {
            true => second.clone(),
            false => first.clone(),
        });
        let client = client(&server);
        for _ in 0..2 {
            let session = client.session(id(9), false).await.unwrap();
            assert_eq!(session.is_some(), found, "{name}");
        }
        assert_eq!(server.lines().iter().collect::<Vec<_>>(), asked, "{name}");
    }
    let server = Server::start(|_, _| says(410, r#"{"detail":"gone"}"#));
    let error = client(&server).session(id(9), true).await.unwrap_err();
    assert!(reason(&error).ends_with("(HTTP 410): gone"), "{error}");
    assert!(server.lines()[0].ends_with("?include_stats=true"));
}

#[tokio::test]
async fn the_second_interface_is_told_that_it_is_an_experiment() {
    let server = Server::start(|_, asked| match asked.line.as_str() {
        "POST /api/v2/sessions" => says(200, session_read()),
        line if line.starts_with("PATCH /api/v2/") => says(200, "{}"),
        _ => says(404, "{}"),
    });
    let client = client(&server);
    let made = client.create_session(&new_session()).await.unwrap();
    assert_eq!(made, Created::New(session()));
    client
        .update_session(id(9), &Default::default())
        .await
        .unwrap();
    let asked = server.asked();
    assert_eq!(asked[0].json().get("type"), None);
    assert_eq!(asked[1].json()["type"], "EXPERIMENT");
    assert_eq!(asked[1].json()["name"], "s");
    assert_eq!(asked[2].line, format!("PATCH /api/v2/sessions/{}", id(9)));
    assert_eq!(asked.len(), 3);
}

#[tokio::test]
async fn an_experiment_that_cannot_be_made_is_ours_or_its_name_another_s() {
    for (there, created) in [
        (says(200, session_read()), Created::Ours(session())),
        (says(404, "{}"), Created::NameTaken),
    ] {
        let server = Server::start(move |_, asked| match asked.line.as_str() {
            "POST /sessions" => says(409, r#"{"detail":"Session already exists."}"#),
            _ => there.clone(),
        });
        let found = client(&server).create_session(&new_session()).await;
        assert_eq!(found, Ok(created));
    }
}

#[tokio::test]
async fn roots_are_listed_by_the_interface_that_the_server_names_or_has() {
    let first = "POST /runs/query";
    let second = "POST /api/v2/runs/query";
    for (name, flagged, has, asked) in [
        ("named and there", true, second, vec![second, second]),
        (
            "named and not there",
            true,
            first,
            vec![second, first, first],
        ),
        ("not named", false, first, vec![first, first]),
        ("taken away", false, second, vec![first, second, second]),
    ] {
        let server = Server::start(move |_, asked| match asked.line.as_str() {
            "GET /info" if flagged => info(),
            "GET /info" => says(200, "{}"),
            line if line != has => says(410, "{}"),
            _ => {
                let next = match asked.json()["cursor"].as_str() {
                    None => json!("eyJhIjoxMDAwfQ"),
                    Some(_) => Value::Null,
                };
                says(
                    200,
                    match has == first {
                        true => {
                            json!({ "runs": [{ "id": id(1), "name": "n" }], "cursors": { "next": next } })
                        }
                        false => json!({ "items": [{ "id": id(1) }], "next_cursor": next }),
                    },
                )
            }
        });
        let client = client(&server);
        let page = client.some_root_ids(&session(), None).await.unwrap();
        let next = Some("eyJhIjoxMDAwfQ".to_owned());
        let ids = vec![id(1)];
        assert_eq!(
            page,
            Page {
                ids: ids.clone(),
                next: next.clone()
            },
            "{name}"
        );
        let page = client
            .some_root_ids(&session(), next.as_deref())
            .await
            .unwrap();
        assert_eq!(page, Page { ids, next: None }, "{name}");
        assert_eq!(server.lines()[1..], asked, "{name}");
        let body = server.asked().pop().unwrap().json();
        assert_eq!(body["is_root"], true);
        assert_eq!(body["cursor"], "eyJhIjoxMDAwfQ");
        if has == second {
            assert_eq!(body["project_ids"], json!([id(9)]));
            assert_eq!(body["min_start_time"], "2026-11-21T09:00:00Z");
            assert_eq!(body["page_size"], 1000);
        } else {
            assert_eq!(body["session"], json!([id(9)]));
            assert_eq!(body["limit"], 100);
        }
    }
}

#[tokio::test]
async fn a_page_of_nothing_is_the_last() {
    let server = Server::start(|_, _| says(200, json!({ "runs": [], "cursors": { "next": "x" } })));
    let page = client(&server).some_root_ids(&session(), None).await;
    assert_eq!(page.unwrap().next, None);
}

#[tokio::test]
async fn reads_ask_for_pages_and_for_exactly_what_is_meant() {
    let server = Server::start(|_, asked| match asked.line.as_str() {
        line if line.starts_with("GET /datasets/") => says(404, "{}"),
        // A server that does not look for names exactly.
        line if line.starts_with("GET /datasets") => says(200, json!([dataset_read("mail 2")])),
        line if line.starts_with("GET /feedback") => says(
            200,
            json!([{
                "id": id(1), "key": "k", "score": true, "run_id": null,
                "feedback_source": { "type": "app", "user_id": id(5) },
            }]),
        ),
        _ => says(200, json!([example_read(1, "a")])),
    });
    let client = client(&server);
    assert_eq!(client.dataset("mail & co").await, Ok(None));
    assert_eq!(client.dataset_by_id(id(7)).await, Ok(None));
    let found = client.examples(id(7), Some("v 1")).next().await;
    assert_eq!(found.unwrap().unwrap()[0].id, id(1));
    let found = client.feedback(id(9)).next().await.unwrap().unwrap();
    assert_eq!(found[0].score, Some(1.0));
    let source = found[0].feedback_source.clone().unwrap();
    assert_eq!(source.kind, Some(SourceKind::App));
    let (seven, nine) = (id(7), id(9));
    assert_eq!(
        server.lines(),
        [
            "GET /datasets?name=mail+%26+co&limit=1".to_owned(),
            format!("GET /datasets/{seven}"),
            format!("GET /examples?dataset={seven}&as_of=v+1&limit=100&offset=0"),
            format!("GET /feedback?session={nine}&limit=100&offset=0"),
        ]
    );
}
