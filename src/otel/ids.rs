//! Ids that the same results always get.

use sha2::{Digest, Sha256};

use crate::experiment::{CaseKey, Header};

/// Told apart from whatever else is hashed in this way.
const NAMESPACE: &str = "mailproof/otel/1";

/// Of an attempt: 16 bytes.
///
/// Another journal of the same plan, begun at another time, has others.
pub fn trace(header: &Header, case: &CaseKey) -> [u8; 16] {
    let created = header.created.as_nanosecond().to_string();
    let repeat = case.repeat.to_string();
    let variant = &header.variants[case.variant as usize].name;
    first(&[
        NAMESPACE,
        &header.experiment,
        &created,
        variant,
        &case.example,
        &repeat,
    ])
}

/// Of a span of an attempt, by its [path](crate::trace::Span::path): 8 bytes.
pub fn span(trace: [u8; 16], path: &str) -> [u8; 8] {
    let trace = u128::from_be_bytes(trace).to_string();
    first(&[NAMESPACE, &trace, path])
}

/// The first bytes of a hash of all parts. All of them being zero means "none" on the wire; of
/// 2^64 spans one is expected to.
fn first<const N: usize>(parts: &[&str]) -> [u8; N] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    let digest = hash.finalize();
    digest[..N].try_into().expect("a digest has 32 bytes")
}
