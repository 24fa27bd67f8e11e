//! What time it is here.

use std::{env, fs};

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

/// Where systems keep the zone that they are in.
const LOCAL: &str = "/etc/localtime";

/// The time in the zone of the process, or of the system where `TZ` says none.
///
/// jiff would give the system's zone its name, too, and look for it among all zones that there
/// are: some hundred files, for what nobody is shown.
pub fn now() -> Zoned {
    let zone = match env::var_os("TZ") {
        Some(_) => None,
        None => fs::read(LOCAL)
            .ok()
            .and_then(|zone| TimeZone::tzif(LOCAL, &zone).ok()),
    };
    match zone {
        Some(zone) => Timestamp::now().to_zoned(zone),
        None => Zoned::now(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_as_late_as_jiff_says() {
        let (ours, theirs) = (now(), Zoned::now());
        assert_eq!(ours.offset(), theirs.offset());
        let apart = theirs.timestamp().duration_since(ours.timestamp());
        assert!(!apart.is_negative() && apart.as_secs() < 60, "{apart:?}");
    }
}
