//! Finding items by the words in them.

use bm25::{Embedder, EmbedderBuilder, Scorer, Tokenizer};
use serde_json::Value;

use super::Item;

/// The most words of a query, and of an item, that are looked at: both may come from a model.
const MOST_QUERY_WORDS: usize = 64;
const MOST_ITEM_WORDS: usize = 4096;

/// An item that a search found.
#[derive(Clone, Debug, PartialEq)]
pub struct Hit {
    pub item: Item,
    /// How well the item fits, by BM25: more is better; comparable only within one search,
    /// and 0 where there was nothing to search for.
    pub score: f32,
}

/// The items whose values have words of `query` in them, best first, then in the order
/// given; at most `limit`, after leaving out the first `offset`.
///
/// A word is a run of letters and digits, compared without regard to case, and as it is: not
/// by its stem. A query without words lists all items in the order given.
pub fn search(items: Vec<Item>, query: &str, limit: usize, offset: usize) -> Vec<Hit> {
    let words = Words.tokenize(query);
    if words.is_empty() {
        let hit = |item| Hit { item, score: 0.0 };
        return items
            .into_iter()
            .skip(offset)
            .take(limit)
            .map(hit)
            .collect();
    }
    let texts: Vec<_> = items.iter().map(|item| text(&item.value)).collect();
    let texts: Vec<_> = texts.iter().map(String::as_str).collect();
    let embedder: Embedder<u64, Words> =
        EmbedderBuilder::with_tokenizer_and_fit_to_corpus(Words, &texts).build();
    let mut scorer = Scorer::new();
    for (index, text) in texts.iter().enumerate() {
        scorer.upsert(&index, embedder.embed(text));
    }
    let words = words[..words.len().min(MOST_QUERY_WORDS)].join(" ");
    let mut found = scorer.matches(&embedder.embed(&words));
    // It leaves the order of equal scores to its hash map.
    found.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.id.cmp(&b.id)));
    let mut items: Vec<_> = items.into_iter().map(Some).collect();
    let found = found.into_iter().skip(offset).take(limit);
    found
        .map(|found| Hit {
            item: items[found.id].take().expect("an item is found once"),
            score: found.score,
        })
        .collect()
}

struct Words;

impl Tokenizer for Words {
    fn tokenize(&self, text: &str) -> Vec<String> {
        text.split(|character: char| !character.is_alphanumeric())
            .filter(|word| !word.is_empty())
            .take(MOST_ITEM_WORDS)
            .map(str::to_lowercase)
            .collect()
    }
}

/// What there is to read in a value: its texts and numbers, without the keys.
fn text(value: &Value) -> String {
    match value {
        Value::Null | Value::Bool(_) => String::new(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        Value::Array(values) => values.iter().map(text).collect::<Vec<_>>().join(" "),
        Value::Object(values) => values.values().map(text).collect::<Vec<_>>().join(" "),
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::super::Item;
    use super::search;

    fn items(values: impl IntoIterator<Item = Value>) -> Vec<Item> {
        let values = values.into_iter().enumerate();
        values
            .map(|(index, value)| Item {
                namespace: "facts".to_owned(),
                key: format!("{index}"),
                value,
                created_at: Timestamp::UNIX_EPOCH,
                updated_at: Timestamp::UNIX_EPOCH,
            })
            .collect()
    }

    fn facts() -> Vec<Item> {
        items([
            json!("Ana Ruiz works at Northwind and sends invoices on the first of the month."),
            json!("The quarterly review is with Ana and takes an hour."),
            json!({ "text": "Office plants are watered on Mondays.", "seen": 3 }),
            json!(["Grüße", "Zoë prefers tea"]),
            json!(null),
        ])
    }

    fn keys(query: &str, limit: usize, offset: usize) -> Vec<String> {
        let hits = search(facts(), query, limit, offset);
        hits.into_iter().map(|hit| hit.item.key).collect()
    }

    #[test]
    fn items_are_found_by_their_words_best_first() {
        for (query, found) in [
            ("northwind", &["0"][..]),
            ("REVIEW Ana", &["1", "0"]),
            ("ana, northwind: invoices?", &["0", "1"]),
            ("plants", &["2"]),
            ("3", &["2"]),
            ("zoë", &["3"]),
            ("GRÜSSE grüße", &["3"]),
            ("seen text", &[]),
            ("north", &[]),
            ("nothing like it", &[]),
        ] {
            assert_eq!(keys(query, 10, 0), found, "{query}");
        }
    }

    #[test]
    fn a_rare_word_weighs_more_than_a_common_one() {
        let hits = search(facts(), "the northwind review", 10, 0);
        assert!(hits.is_sorted_by(|a, b| a.score > b.score), "{hits:?}");
        let plain = search(facts(), "the", 10, 0);
        assert!(hits[0].score > plain[0].score);
    }

    #[test]
    fn equal_scores_stay_in_the_order_given() {
        let same: Vec<_> = (0..200).map(|_| json!("the same words")).collect();
        let hits = search(items(same), "words", 200, 0);
        let keys: Vec<usize> = hits
            .iter()
            .map(|hit| hit.item.key.parse().unwrap())
            .collect();
        assert!(keys.into_iter().eq(0..200));
    }

    #[test]
    fn a_query_without_words_lists_in_order() {
        for query in ["", " ", "?!"] {
            assert_eq!(keys(query, 2, 1), ["1", "2"], "{query:?}");
        }
        assert_eq!(search(facts(), "", 1, 0)[0].score, 0.0);
    }

    #[test]
    fn limit_and_offset_cut_what_was_found() {
        assert_eq!(keys("ana", 1, 0), keys("ana", 10, 0)[..1]);
        assert_eq!(keys("ana", 10, 1), keys("ana", 10, 0)[1..]);
        assert_eq!(keys("ana", 0, 0), [""; 0]);
        assert_eq!(keys("ana", 10, 10), [""; 0]);
    }

    proptest! {
        #[test]
        fn any_query_finds_items_once_and_the_same_ones_each_time(
            texts in prop::collection::vec(".{0,40}", 0..12),
            query in ".{0,60}",
            limit in 0usize..15,
            offset in 0usize..15,
        ) {
            let items = items(texts.into_iter().map(Value::from));
            let hits = search(items.clone(), &query, limit, offset);
            prop_assert!(hits.len() <= limit);
            prop_assert!(hits.is_sorted_by(|a, b| a.score >= b.score));
            let mut keys: Vec<_> = hits.iter().map(|hit| &hit.item.key).collect();
            keys.sort();
            prop_assert!(keys.is_sorted_by(|a, b| a < b));
            prop_assert_eq!(search(items, &query, limit, offset), hits);
        }
    }
}
