//! What every store must do, as tests that each of them passes.

use std::sync::Arc;

use futures_util::future::join_all;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Item, Store};

/// Checks a store over an empty place. Run it on a runtime with several threads, or the
/// races are not real.
pub(crate) async fn check(store: Arc<dyn Store>) {
    nothing_is_there_before_it_is_put(&*store).await;
    a_value_comes_back_as_it_was_put(&*store).await;
    an_item_keeps_its_creation_time_and_tells_its_last_update(&*store).await;
    items_are_listed_in_order_of_code_points(&*store).await;
    names_are_compared_exactly(&*store).await;
    what_is_deleted_is_gone_and_may_come_again(&*store).await;
    writers_that_race_lose_nothing(&store, &store).await;
}

async fn nothing_is_there_before_it_is_put(store: &dyn Store) {
    assert_eq!(store.get("n", "k").await.unwrap(), None);
    assert_eq!(store.list(None).await.unwrap(), []);
    assert_eq!(store.list(Some("n")).await.unwrap(), []);
    assert!(!store.delete("n", "k").await.unwrap());
}

async fn a_value_comes_back_as_it_was_put(store: &dyn Store) {
    let awkward = json!({
        "z": "first: the order of keys is kept",
        "a": [u64::MAX, i64::MIN, 0.1, 1e300, null, true],
        "text": "\u{0} \u{1F4E7} e\u{301} \\ \" ' $1 %s \r\n",
        "": { "$key.with": "dots and dollars" },
        "long": "x".repeat(1 << 16),
    });
    for (key, value) in [
        ("object", awkward),
        ("text", json!("When an email is from Ana, answer it.\n")),
        ("empty", json!("")),
        ("null", Value::Null),
    ] {
        store.put("values", key, value.clone()).await.unwrap();
        let item = store.get("values", key).await.unwrap().expect(key);
        assert_eq!(item.value.to_string(), value.to_string(), "{key}");
        assert_eq!(
            (item.namespace.as_str(), item.key.as_str()),
            ("values", key)
        );
    }
}

async fn an_item_keeps_its_creation_time_and_tells_its_last_update(store: &dyn Store) {
    let before = Timestamp::now();
    store.put("times", "k", json!("old")).await.unwrap();
    let first = store.get("times", "k").await.unwrap().unwrap();
    assert_eq!(first.created_at, first.updated_at);
    assert!((before..=Timestamp::now()).contains(&first.created_at));
    while Timestamp::now() <= first.updated_at {}
    store.put("times", "k", json!("new")).await.unwrap();
    let second = store.get("times", "k").await.unwrap().unwrap();
    assert_eq!(second.value, json!("new"));
    assert_eq!(second.created_at, first.created_at);
    assert!(second.updated_at > first.updated_at);
    assert_eq!(store.list(Some("times")).await.unwrap(), [second]);
}

fn places(items: &[Item]) -> Vec<(&str, &str)> {
    items
        .iter()
        .map(|item| (item.namespace.as_str(), item.key.as_str()))
        .collect()
}

async fn items_are_listed_in_order_of_code_points(store: &dyn Store) {
    // Whatever collation a database has.
    let sorted = [
        ("o", "10"),
        ("o", "9"),
        ("o", "B"),
        ("o", "a"),
        ("o", "\u{e9}"),
        ("o", "\u{ff5e}"),
        ("o", "\u{1F4E7}"),
        ("o/p", "0"),
        ("oa", "0"),
    ];
    for (namespace, key) in sorted.iter().rev() {
        store.put(namespace, key, json!(1)).await.unwrap();
    }
    let listed = store.list(Some("o")).await.unwrap();
    assert_eq!(places(&listed), sorted[..7]);
    let all = store.list(None).await.unwrap();
    let all = places(&all);
    assert!(all.is_sorted(), "{all:?}");
    assert!(sorted.iter().all(|place| all.contains(place)));
}

async fn names_are_compared_exactly(store: &dyn Store) {
    let names = [
        "n", "N", "n ", " n", "n/0", "n%", "n_", "\u{e9}", "e\u{301}", "'; --", "$n.x", "",
    ];
    for (index, name) in names.iter().enumerate() {
        store.put("exact", name, json!(index)).await.unwrap();
        store.put(name, "exact", json!(index)).await.unwrap();
    }
    for (index, name) in names.iter().enumerate() {
        let by_key = store.get("exact", name).await.unwrap().unwrap();
        let by_namespace = store.get(name, "exact").await.unwrap().unwrap();
        assert_eq!(
            (by_key.value, by_namespace.value),
            (json!(index), json!(index))
        );
        assert_eq!(store.list(Some(name)).await.unwrap().len(), 1, "{name:?}");
    }
}

async fn what_is_deleted_is_gone_and_may_come_again(store: &dyn Store) {
    store.put("gone", "k", json!(1)).await.unwrap();
    store.put("gone", "other", json!(2)).await.unwrap();
    let first = store.get("gone", "k").await.unwrap().unwrap();
    assert!(store.delete("gone", "k").await.unwrap());
    assert!(!store.delete("gone", "k").await.unwrap());
    assert_eq!(store.get("gone", "k").await.unwrap(), None);
    assert_eq!(store.list(Some("gone")).await.unwrap().len(), 1);
    while Timestamp::now() <= first.created_at {}
    store.put("gone", "k", json!(3)).await.unwrap();
    let again = store.get("gone", "k").await.unwrap().unwrap();
    assert!(again.created_at > first.created_at, "it is a new item");
}

/// The two may be one, or two connections to the same place.
pub(super) async fn writers_that_race_lose_nothing(one: &Arc<dyn Store>, other: &Arc<dyn Store>) {
    let writers = (0..16).map(|writer: usize| {
        let store = Arc::clone(if writer.is_multiple_of(2) { one } else { other });
        tokio::spawn(async move {
            for round in 0..10 {
                let key = format!("{writer}/{round}");
                store
                    .put("race", &key, json!([writer, round]))
                    .await
                    .unwrap();
                store.put("race", "shared", json!(writer)).await.unwrap();
            }
        })
    });
    for writer in join_all(writers).await {
        writer.unwrap();
    }
    for store in [one, other] {
        let items = store.list(Some("race")).await.unwrap();
        assert_eq!(items.len(), 16 * 10 + 1);
        for item in items.iter().filter(|item| item.key != "shared") {
            let [writer, round] = [&item.value[0], &item.value[1]];
            assert_eq!(item.key, format!("{writer}/{round}"));
        }
    }
}
