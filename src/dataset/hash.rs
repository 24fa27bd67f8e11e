//! The content hash, which tells whether two datasets ask the same.

use serde_json::Value;
use sha2::{Digest as _, Sha256};

pub(super) type Digest = [u8; 32];

/// SHA-256 of the canonical JSON (RFC 8785) of a record.
pub(super) fn of_record(mut value: Value) -> Digest {
    // Tags are a set.
    if let Some(tags) = value.get_mut("tags").and_then(Value::as_array_mut) {
        tags.sort_by(|a, b| a.as_str().cmp(&b.as_str()));
        tags.dedup();
    }
    Sha256::digest(canonical(&value)).into()
}

/// The same of any value, in hexadecimal.
pub(super) fn of_json(value: &Value) -> String {
    hexadecimal(&Sha256::digest(canonical(value)))
}

fn canonical(value: &Value) -> Vec<u8> {
    let mut out = Vec::with_capacity(1024);
    write(&mut out, value);
    out
}

/// RFC 8785 in one pass; `serde_json_canonicalizer`, which buffers every map, takes most of the time
/// in which a large dataset loads.
fn write(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
            out.push(b'{');
            for (index, (key, value)) in entries.into_iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write_text(out, key);
                out.push(b':');
                write(out, value);
            }
            out.push(b'}');
        }
        Value::Array(values) => {
            out.push(b'[');
            for (index, value) in values.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write(out, value);
            }
            out.push(b']');
        }
        Value::String(text) => write_text(out, text),
        Value::Number(_) => serde_json_canonicalizer::to_writer(value, out)
            .expect("memory can be written, and JSON has no NaN"),
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
    }
}

/// The escapes that serde_json chooses are those of RFC 8785.
fn write_text(out: &mut Vec<u8>, text: &str) {
    serde_json::to_writer(out, text).expect("memory can be written");
}

/// SHA-256 over the records' digests, sorted, in hexadecimal.
///
/// The order of records and keys, comments, spacing, the format, and the division into
/// files leave it as it is.
pub(super) fn of_records(mut digests: Vec<Digest>) -> String {
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_canonical_form_is_that_of_rfc_8785(
            map in prop::collection::btree_map(any::<String>(), any::<(String, f64, i64, bool)>(), 0..6)
        ) {
            let value = serde_json::json!({ "map": map, "none": null, "list": [1.0, -0.0, 1e21, {}] });
            let expected = serde_json_canonicalizer::to_vec(&value).unwrap();
            prop_assert_eq!(canonical(&value), expected);
        }
    }
}
