//! Lists are read to their end, however long they are and whatever a server makes of them.

use std::collections::HashSet;

use super::server::Asked;
use super::*;

/// What a request asks for: how many, and from where on.
fn part(asked: &Asked) -> (usize, usize) {
    let number = |name: &str| {
        let (_, after) = asked.line.split_once(name)?;
        after.split('&').next()?.parse().ok()
    };
    (number("limit=").unwrap(), number("offset=").unwrap())
}

async fn examples(server: &Server) -> Result<Vec<Uuid>, Error> {
    let client = client(server);
    let mut listing = client.examples(id(7), None);
    let mut ids = Vec::new();
    while let Some(page) = listing.next().await? {
        ids.extend(page.into_iter().map(|example| example.id));
    }
    Ok(ids)
}

#[tokio::test]
async fn a_list_ends_where_a_page_is_not_full_or_has_nothing_new() {
    for (count, requests) in [(0, 1), (99, 1), (100, 2), (250, 3)] {
        let server = Server::start(move |_, asked| {
            let (limit, offset) = part(asked);
            let page = (0..count).skip(offset).take(limit);
            let page: Vec<Value> = page.map(|it| example_read(it, "a")).collect();
            says(200, json!(page))
        });
        let ids: Vec<Uuid> = (0..count).map(id).collect();
        assert_eq!(examples(&server).await, Ok(ids));
        assert_eq!(server.asked().len(), requests, "{count}");
    }
    // Somebody adds to it between two pages, and a server that knows no offset.
    for (case, shift) in [("shifted", 30), ("repeated", 0)] {
        let server = Server::start(move |number, _| {
            let from = number as u128 * shift;
            let page = from..(from + 100).min(150);
            let page: Vec<Value> = page.map(|it| example_read(it, "a")).collect();
            says(200, json!(page))
        });
        let found = examples(&server).await.unwrap();
        let unique: HashSet<Uuid> = found.iter().copied().collect();
        assert_eq!(found.len(), unique.len(), "{case}");
        assert_eq!(found.len(), if shift == 0 { 100 } else { 150 }, "{case}");
    }
}

#[tokio::test]
async fn what_is_too_long_is_read_in_smaller_pages() {
    let large = says(200, " ".repeat((16 << 20) + 1));
    let again = large.clone();
    let server = Server::start(move |_, asked| {
        let (limit, offset) = part(asked);
        // The first two pages are as usual.
        if offset >= 200 && limit > 12 {
            return again.clone();
        }
        let page = (0..230).skip(offset).take(limit);
        let page: Vec<Value> = page.map(|it| example_read(it, "a")).collect();
        says(200, json!(page))
    });
    let ids: Vec<Uuid> = (0..230).map(id).collect();
    assert_eq!(examples(&server).await, Ok(ids));
    let parts: Vec<_> = server.asked().iter().map(part).collect();
    let usual = [(100, 0), (100, 100)];
    let smaller = [
        (100, 200),
        (50, 200),
        (25, 200),
        (12, 200),
        (12, 212),
        (12, 224),
    ];
    assert_eq!(parts, [&usual[..], &smaller].concat());

    let server = Server::start(move |_, _| large.clone());
    let error = examples(&server).await.unwrap_err();
    assert!(reason(&error).contains("list examples"), "{error}");
    assert!(reason(&error).contains("longer than 16 MiB"), "{error}");
    let limits = server.asked().into_iter().map(|asked| part(&asked).0);
    assert_eq!(limits.collect::<Vec<_>>(), [100, 50, 25, 12, 6, 3, 1]);
}

#[tokio::test]
async fn of_feedback_whose_ids_are_wanted_nothing_else_is_read() {
    let server = Server::start(|_, asked| {
        let odd = |it| json!({ "id": id(it), "key": 7, "created_at": "yesterday" });
        match part(asked).1 {
            0 => says(200, json!((0..100).map(odd).collect::<Vec<_>>())),
            // The same once more: it knows no offset.
            _ => says(200, json!((1..101).rev().map(odd).collect::<Vec<_>>())),
        }
    });
    let found = client(&server).feedback_ids(id(9)).await;
    assert_eq!(found, Ok((0..101).map(id).collect()));
    assert_eq!(server.asked().len(), 3);
}

#[tokio::test]
async fn roots_end_where_a_page_has_nothing_new() {
    let server = Server::start(|_, asked| match asked.line.as_str() {
        "GET /info" => says(200, "{}"),
        _ => says(
            200,
            json!({ "runs": [{ "id": id(1) }], "cursors": { "next": "x" } }),
        ),
    });
    let found = client(&server).root_ids(&session()).await;
    assert_eq!(found, Ok(HashSet::from([id(1)])));
    assert_eq!(server.asked().len(), 3);
}
