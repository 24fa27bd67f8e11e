//! Ids that the same results always get.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use sha2::{Digest, Sha256};
use uuid::{Builder, Uuid};

/// The namespace of everything that is not within a dataset.
const NAMESPACE: Uuid = Uuid::from_u128(0x6d61_696c_7072_6f6f_662f_6c61_6e67_736d);

/// The experiment of one variant: of what was pushed under the name `pushed_as`, made at
/// `created`.
pub fn session(pushed_as: &str, created: Timestamp, variant: &str) -> Uuid {
    let name = format!("{pushed_as}\n{}\n{variant}", created.as_nanosecond());
    Uuid::new_v5(&NAMESPACE, name.as_bytes())
}

/// An example, by the id that the dataset's own file gives it: an edited example stays the same
/// one. Another dataset of the service has other ids, even under the same name.
pub fn example(dataset: Uuid, id: &str) -> Uuid {
    Uuid::new_v5(&dataset, id.as_bytes())
}

/// Something that happened at a time: version 7, whose first 48 bits say when. The service looks
/// for runs by that time. `parts` tell it from all else.
pub fn at(started: Timestamp, session: Uuid, parts: &[&str]) -> Uuid {
    let mut hash = Sha256::new();
    hash.update(session.as_bytes());
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    let digest = hash.finalize();
    let random: &[u8; 10] = digest[..10].try_into().expect("a digest has 32 bytes");
    let millis = started.as_millisecond().max(0) as u64;
    Builder::from_unix_timestamp_millis(millis, random).into_uuid()
}

/// A run's place in the order of its trace: one part for each span that it is within, and one
/// for itself.
pub fn dotted_order(within: Option<&str>, started: Timestamp, id: Uuid) -> String {
    let time = started
        .to_zoned(TimeZone::UTC)
        .strftime("%Y%m%dT%H%M%S%6fZ");
    match within {
        Some(parent) => format!("{parent}.{time}{id}"),
        None => format!("{time}{id}"),
    }
}
