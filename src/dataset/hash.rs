//! The content hash, which tells whether two datasets ask the same.

use sha2::{Digest as _, Sha256};

use super::Example;

pub(super) type Digest = [u8; 32];

/// SHA-256 of the canonical JSON (RFC 8785) of an example.
pub(super) fn of_example(example: &Example) -> Digest {
    let mut value = example.to_json();
    // Tags are a set.
    if let Some(tags) = value["tags"].as_array_mut() {
        tags.sort_by(|a, b| a.as_str().cmp(&b.as_str()));
        tags.dedup();
    }
    let canonical =
        serde_json_canonicalizer::to_vec(&value).expect("an example has string keys and no NaN");
    Sha256::digest(canonical).into()
}

/// The same of any map, in hexadecimal.
pub(super) fn of_json(map: &serde_json::Map<String, serde_json::Value>) -> String {
    let canonical = serde_json_canonicalizer::to_vec(map).expect("a map of JSON has no NaN");
    hexadecimal(&Sha256::digest(canonical))
}

/// SHA-256 over the examples' digests, sorted, in hexadecimal.
///
/// The order of examples and keys, comments, spacing, the format, and the division into
/// files leave it as it is.
pub(super) fn of_examples(mut digests: Vec<Digest>) -> String {
    digests.sort_unstable();
    let mut hasher = Sha256::new();
    for digest in digests {
        hasher.update(digest);
    }
    hexadecimal(&hasher.finalize())
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
