//! What a page can hold of an experiment of any size.
//!
//! Records arrive in the order of a journal, which is the order in which cases ended. What
//! is kept of them depends on their keys alone: the first by key whose sizes together do not
//! exceed the limit. Texts that several records share are kept, and counted, once.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;
use sha2::{Digest, Sha256};

/// A text shorter than this costs less than a reference to it.
const SHARED_FROM: usize = 120;
/// About what the element around a record or a text takes.
const ELEMENT: usize = 70;
/// Under which a record names a text that stands elsewhere on the page.
pub const TEXT: &str = "$text";

/// The first 96 bits of the SHA-256 of a text, in hexadecimal.
fn name(text: &str) -> String {
    let digest = Sha256::digest(text);
    digest[..12]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// JSON that may stand in a `script` element: no `<` that could end it.
pub fn script(value: &Value) -> String {
    value.to_string().replace('<', "\\u003c")
}

/// Records by key, up to a number of bytes.
#[derive(Debug)]
pub struct Kept<K> {
    records: BTreeMap<K, Record>,
    /// With the number of records that name them.
    texts: HashMap<String, (usize, String)>,
    /// Of records and texts together.
    size: usize,
    most: usize,
    /// The least key that there was no room for: nothing from here on is kept.
    end: Option<K>,
    left_out: u64,
}

#[derive(Debug)]
struct Record {
    json: String,
    texts: Vec<String>,
}

impl<K: Ord + Clone> Kept<K> {
    /// Keeps up to `most` bytes.
    pub fn new(most: usize) -> Kept<K> {
        Kept {
            records: BTreeMap::new(),
            texts: HashMap::new(),
            size: 0,
            most,
            end: None,
            left_out: 0,
        }
    }

    pub fn insert(&mut self, key: K, mut value: Value) {
        if !self.has_room_for(&key) {
            self.leave_out();
            return;
        }
        let mut shared = Vec::new();
        share(&mut value, &mut shared);
        let json = script(&value);
        self.size += json.len() + ELEMENT;
        let mut texts = Vec::with_capacity(shared.len());
        for text in shared {
            let name = name(&text);
            let (users, _) = self.texts.entry(name.clone()).or_insert_with(|| {
                let json = script(&Value::String(text));
                self.size += json.len() + ELEMENT;
                (0, json)
            });
            *users += 1;
            texts.push(name);
        }
        self.records.insert(key, Record { json, texts });
        while self.size > self.most {
            self.drop_last();
        }
    }

    /// Whether a record of this key could be kept, if it were small enough.
    pub fn has_room_for(&self, key: &K) -> bool {
        self.end.as_ref().is_none_or(|end| key < end)
    }

    /// Counts a record that there is no room for.
    pub fn leave_out(&mut self) {
        self.left_out += 1;
    }

    /// Bytes of what is kept.
    pub fn size(&self) -> usize {
        self.size
    }

    fn drop_last(&mut self) {
        let (key, record) = self.records.pop_last().expect("what is too large is there");
        self.size -= record.json.len() + ELEMENT;
        for name in record.texts {
            let (users, text) = self
                .texts
                .get_mut(&name)
                .expect("texts outlive their users");
            *users -= 1;
            if *users == 0 {
                self.size -= text.len() + ELEMENT;
                self.texts.remove(&name);
            }
        }
        self.left_out += 1;
        self.end = Some(key);
    }

    pub fn len(&self) -> u64 {
        self.records.len() as u64
    }

    pub fn left_out(&self) -> u64 {
        self.left_out
    }

    pub fn get(&self, key: &K) -> Option<&str> {
        self.records.get(key).map(|record| record.json.as_str())
    }

    /// In the order of the keys, as JSON that may stand in a script.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &str)> {
        let records = self.records.iter();
        records.map(|(key, record)| (key, record.json.as_str()))
    }

    /// What records name, by name.
    pub fn texts(&self) -> BTreeMap<&str, &str> {
        let texts = self.texts.iter();
        texts
            .map(|(name, (_, text))| (name.as_str(), text.as_str()))
            .collect()
    }
}

/// Puts names in the place of long texts.
fn share(value: &mut Value, shared: &mut Vec<String>) {
    match value {
        Value::String(text) if text.len() >= SHARED_FROM => {
            let text = std::mem::take(text);
            *value = serde_json::json!({ TEXT: name(&text) });
            shared.push(text);
        }
        Value::Array(values) => values.iter_mut().for_each(|value| share(value, shared)),
        Value::Object(fields) => fields.values_mut().for_each(|value| share(value, shared)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn a_text_that_records_share_is_kept_once() {
        let long = "x".repeat(400);
        let mut kept = Kept::new(1_200);
        for key in 0..5 {
            kept.insert(key, json!({ "email": long }));
        }
        assert_eq!((kept.len(), kept.texts().len()), (5, 1));
        let (name, text) = kept.texts().pop_first().unwrap();
        assert_eq!(text, format!("\"{long}\""));
        assert_eq!(
            kept.get(&3),
            Some(format!("{{\"email\":{{\"$text\":\"{name}\"}}}}").as_str())
        );
    }

    #[test]
    fn a_text_goes_with_the_last_record_that_names_it() {
        let mut kept = Kept::new(1_000);
        kept.insert(2, json!("y".repeat(600)));
        kept.insert(1, json!("z".repeat(600)));
        assert_eq!(kept.len(), 1);
        assert_eq!(kept.left_out(), 1);
        let texts: Vec<String> = kept
            .texts()
            .values()
            .map(|text| text[1..2].to_owned())
            .collect();
        assert_eq!(texts, ["z"]);
    }

    #[test]
    fn no_script_ends_early() {
        let hostile = json!({ "</script><script>": "<!--</ScRiPt>" });
        let text = script(&hostile);
        assert!(!text.contains('<'), "{text}");
        let back: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(back, hostile);
    }

    proptest! {
        /// The same records in another order leave the same page.
        #[test]
        fn what_is_kept_does_not_depend_on_the_order(
            sizes in prop::collection::vec((0..600usize, 0..4u8), 1..40),
            most in 100..6_000usize,
            order in any::<prop::sample::Index>(),
        ) {
            let record = |key: usize| {
                let (size, letter) = sizes[key];
                json!(char::from(b'a' + letter).to_string().repeat(size))
            };
            let keep = |keys: &mut dyn Iterator<Item = usize>| {
                let mut kept = Kept::new(most);
                for key in keys {
                    kept.insert(key, record(key));
                }
                let records: Vec<(usize, String)> =
                    kept.iter().map(|(key, json)| (*key, json.to_owned())).collect();
                let texts: Vec<String> = kept.texts().into_keys().map(str::to_owned).collect();
                prop_assert!(kept.size <= most);
                Ok((records, texts, kept.left_out()))
            };
            let turn = order.index(sizes.len());
            let forwards = keep(&mut (0..sizes.len()))?;
            let backwards = keep(&mut (0..sizes.len()).rev())?;
            let turned = keep(&mut (turn..sizes.len()).chain(0..turn))?;
            prop_assert_eq!(&forwards, &backwards);
            prop_assert_eq!(&forwards, &turned);
        }
    }
}
