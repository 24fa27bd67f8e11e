//! What is written, by which route, and that writing twice makes nothing twice.

use super::*;
use crate::langsmith::client::{Ingest, weight};
use crate::langsmith::wire::{ComparativeFeedback, NewComparative};

#[tokio::test]
async fn runs_are_parts_of_a_form_without_secrets_and_without_nulls() {
    let server = Server::start(|_, asked| match asked.line.as_str() {
        "GET /info" => info(),
        _ => says(202, "{}"),
    });
    let sound = Run {
        error: None,
        ..run(2)
    };
    let runs = [run(1), sound];
    let client = client(&server);
    assert_eq!(client.send_runs(&runs).await, Ok(Ingest::Taken));
    let asked = server.asked().pop().unwrap();
    assert_eq!(asked.line, "POST /runs/multipart");
    let boundary = asked.body.split_once("\r\n").unwrap().0;
    assert_eq!(
        asked.header("content-type").unwrap(),
        format!("multipart/form-data; boundary={}", &boundary[2..])
    );
    let parts = parts(&asked.body);
    let (a, b) = (id(1), id(2));
    let names: Vec<&str> = parts.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        [
            &format!("post.{a}") as &str,
            &format!("post.{a}.inputs"),
            &format!("post.{a}.outputs"),
            &format!("post.{a}.error"),
            &format!("post.{a}.extra"),
            &format!("post.{b}"),
            &format!("post.{b}.inputs"),
            &format!("post.{b}.outputs"),
            &format!("post.{b}.extra"),
        ]
    );
    assert_eq!(parts[0].1["reference_example_id"], json!(id(8)));
    assert_eq!(parts[1].1, json!({ "email": "ab\r\nc" }));
    assert_eq!(parts[2].1, json!({ "note": "the key is [redacted]" }));
    assert_eq!(parts[3].1, json!("it \"failed\""));
    let weights: usize = runs.iter().map(weight).sum();
    assert!(
        weights >= asked.body.len() - 40,
        "{weights}: {}",
        asked.body.len()
    );
}

#[tokio::test]
async fn runs_and_feedback_go_one_way_where_forms_are_not_taken() {
    for (forms, tried) in [(true, true), (false, false)] {
        let server = Server::start(move |_, asked| match asked.line.as_str() {
            "GET /info" => says(
                200,
                json!({ "batch_ingest_config": { "use_multipart_endpoint": forms } }),
            ),
            "POST /runs/batch" => says(202, "{}"),
            "POST /feedback" => says(200, "{}"),
            _ => says(404, r#"{"error":"Not found"}"#),
        });
        let client = client(&server);
        for _ in 0..2 {
            assert_eq!(client.send_runs(&[run(1)]).await, Ok(Ingest::Taken));
        }
        let both = [feedback(1), feedback(2)];
        assert_eq!(client.send_feedback(&both).await, Ok(Ingest::Taken));
        let mut expected = vec!["GET /info"];
        expected.extend(tried.then_some("POST /runs/multipart"));
        expected.extend(["POST /runs/batch", "POST /runs/batch"]);
        expected.extend(["POST /feedback", "POST /feedback"]);
        assert_eq!(server.lines(), expected);
        let asked = server.asked();
        let posted = &asked[asked.len() - 3].json()["post"][0];
        assert_eq!(posted["id"], json!(id(1)));
        assert_eq!(posted["inputs"], json!({ "email": "ab\r\nc" }));
        assert_eq!(posted["outputs"]["note"], "the key is [redacted]");
        assert_eq!(posted["error"], "it \"failed\"");
        assert_eq!(asked.last().unwrap().json()["id"], json!(id(2)));
    }
}

#[tokio::test]
async fn feedback_is_parts_of_a_form_and_waits_for_its_run_where_it_is_not() {
    let server = Server::start(|_, asked| match asked.line.as_str() {
        "GET /info" => says(200, json!({ "version": "0.8.10" })),
        _ => says(202, "{}"),
    });
    let sent = client(&server).send_feedback(&[feedback(5)]).await;
    assert_eq!(sent, Ok(Ingest::Taken));
    let parts = parts(&server.asked()[1].body);
    assert_eq!(parts[0].0, format!("feedback.{}", id(5)));
    assert_eq!(parts[0].1["trace_id"], json!(id(1)));
    assert_eq!(parts.len(), 1);

    let server = Server::start(|number, asked| match asked.line.as_str() {
        "GET /info" => says(200, json!({ "version": "0.8.9" })),
        _ if number < 5 => says(404, r#"{"detail":"Run not found"}"#),
        _ if asked.body.contains(&id(6).to_string()) => says(422, r#"{"detail":"bad"}"#),
        _ => says(200, "{}"),
    });
    let client = client(&server);
    let both = [feedback(5), feedback(6), feedback(7)];
    let refused = Ingest::Refused {
        reason: "bad".to_owned(),
    };
    assert_eq!(client.send_feedback(&both).await, Ok(refused));
    assert_eq!(server.asked().len(), 1 + 5 + 1);
}

#[tokio::test]
async fn a_dataset_is_made_once_whoever_makes_it() {
    for (status, there, found) in [
        (200, vec![], Some("mail")),
        (409, vec![dataset_read("mail")], Some("mail")),
        (409, vec![], None),
    ] {
        let listed = json!(there);
        let server = Server::start(move |_, asked| match asked.line.as_str() {
            "POST /datasets" => says(status, dataset_read("mail")),
            _ => says(200, &listed),
        });
        let made = client(&server).create_dataset(&new_dataset()).await;
        assert_eq!(made.is_ok(), found.is_some(), "{made:?}");
        assert_eq!(server.asked()[0].json()["data_type"], "kv");
    }
}

#[tokio::test]
async fn examples_are_written_by_the_route_that_the_server_has() {
    for (reply, path) in [
        (info(), format!("/v1/platform/datasets/{}/examples", id(7))),
        (says(404, ""), "/examples/bulk".to_owned()),
    ] {
        let forms = path != "/examples/bulk";
        let server = Server::start(move |_, asked| match asked.line.as_str() {
            "GET /info" => reply.clone(),
            _ => says(201, "{}"),
        });
        let client = client(&server);
        let examples = [example(1, "one"), example(2, "two\0")];
        client.create_examples(id(7), &examples).await.unwrap();
        client.update_examples(id(7), &examples[1..]).await.unwrap();
        client.delete_examples(&[id(1), id(2)]).await.unwrap();
        let (a, b) = (id(1), id(2));
        assert_eq!(
            server.lines()[1..],
            [
                format!("POST {path}"),
                format!("PATCH {path}"),
                format!("DELETE /examples?example_ids={a}&example_ids={b}"),
            ]
        );
        let asked = server.asked();
        if forms {
            let head = json!({ "metadata": { "case": "c" }, "split": ["test"] });
            let outputs = json!({ "triage": "respond" });
            assert_eq!(
                parts(&asked[1].body),
                [
                    (a.to_string(), head.clone()),
                    (format!("{a}.inputs"), json!({ "email": "one" })),
                    (format!("{a}.outputs"), outputs.clone()),
                    (b.to_string(), head),
                    (format!("{b}.inputs"), json!({ "email": "two" })),
                    (format!("{b}.outputs"), outputs),
                ]
            );
        } else {
            assert_eq!(
                asked[2].json(),
                json!([{
                    "dataset_id": id(7), "id": b, "inputs": { "email": "two" },
                    "outputs": { "triage": "respond" }, "metadata": { "case": "c" },
                    "split": ["test"],
                }])
            );
        }
    }
}

#[tokio::test]
async fn examples_that_are_there_already_are_changed_only_where_they_differ() {
    let platform = format!("/v1/platform/datasets/{}/examples", id(7));
    let path = platform.clone();
    let server = Server::start(move |number, asked| match asked.line.as_str() {
        "GET /info" => info(),
        line if line.starts_with("GET /examples?") => says(
            200,
            json!([example_read(1, "same"), example_read(2, "old")]),
        ),
        line if line == format!("POST {path}") && number == 1 => says(409, "{}"),
        _ => says(201, "{}"),
    });
    let examples = [example(1, "same"), example(2, "new"), example(3, "more")];
    let client = client(&server);
    client.create_examples(id(7), &examples).await.unwrap();
    let (a, b, c) = (id(1), id(2), id(3));
    assert_eq!(
        server.lines()[1..],
        [
            format!("POST {platform}"),
            format!(
                "GET /examples?dataset={}&limit=100&id={a}&id={b}&id={c}",
                id(7)
            ),
            format!("POST {platform}"),
            format!("PATCH {platform}"),
        ]
    );
    let written = |number: usize| parts(&server.asked()[number].body).remove(0).0;
    assert_eq!((written(3), written(4)), (c.to_string(), b.to_string()));

    let server = Server::start(|_, asked| match asked.line.starts_with("GET") {
        true => says(200, "[]"),
        false => says(409, r#"{"error":"elsewhere"}"#),
    });
    let error = super::client(&server)
        .create_examples(id(7), &examples)
        .await
        .unwrap_err();
    assert!(reason(&error).ends_with("(HTTP 409): elsewhere"), "{error}");
}

#[tokio::test]
async fn many_examples_are_written_in_several_requests() {
    let server = Server::start(|_, asked| match asked.line.as_str() {
        "GET /info" => info(),
        _ => says(201, "{}"),
    });
    let client = client(&server);
    let long = "x".repeat(7 << 20);
    for (count, body, requests) in [(200, "a", 1), (201, "a", 2), (3, &*long, 3)] {
        let examples: Vec<ExampleWrite> = (0..count).map(|it| example(it, body)).collect();
        let before = server.asked().len().max(1);
        client.create_examples(id(7), &examples).await.unwrap();
        let sent = &server.asked()[before..];
        assert_eq!(sent.len(), requests, "{count}");
        let written: usize = sent.iter().map(|asked| parts(&asked.body).len() / 3).sum();
        assert_eq!(written as u128, count);
    }
    client.create_examples(id(7), &[]).await.unwrap();
    client.delete_examples(&[]).await.unwrap();
    let ids: Vec<Uuid> = (0..101).map(id).collect();
    let before = server.asked().len();
    client.delete_examples(&ids).await.unwrap();
    assert_eq!(server.asked().len(), before + 2);
}

#[tokio::test]
async fn a_comparison_is_made_once() {
    let new = NewComparative {
        id: id(3),
        name: "a vs. b".to_owned(),
        experiment_ids: vec![id(1), id(2)],
        reference_dataset_id: id(7),
        description: String::new(),
        created_at: "2026-11-22T09:00:00Z".parse().unwrap(),
        extra: Extra::default(),
    };
    for (listed, status, made, requests) in [
        (json!([]), 200, Some(true), 2),
        (json!([{ "id": id(4) }]), 409, Some(false), 2),
        (json!([{ "id": id(3) }]), 200, Some(false), 1),
        (json!([]), 400, None, 2),
    ] {
        let server = Server::start(move |_, asked| match asked.line.starts_with("GET") {
            true => says(200, &listed),
            false => says(status, "{}"),
        });
        let found = client(&server).create_comparative(&new).await;
        assert_eq!(found.as_ref().ok(), made.as_ref(), "{found:?}");
        assert_eq!(server.asked().len(), requests);
    }
    let server = Server::start(|_, _| says(200, "{}"));
    let said = ComparativeFeedback {
        id: id(5),
        key: "preferred".to_owned(),
        score: 1.0,
        comment: None,
        run_id: id(1),
        session_id: id(9),
        start_time: "2026-11-22T09:00:00Z".parse().unwrap(),
        comparative_experiment_id: id(3),
        feedback_group_id: id(2),
        feedback_source: FeedbackSource {
            kind: SourceKind::Model,
            metadata: None,
        },
    };
    let posted = client(&server).post_feedback(&said).await;
    assert_eq!(posted, Ok(Ingest::Taken));
    let asked = server.asked().pop().unwrap();
    assert_eq!(asked.line, "POST /feedback");
    assert_eq!(asked.json()["feedback_group_id"], json!(id(2)));
}
