//! How many files this process may have open: a connection is one.

use std::fs;

use super::super::exit::Failure;

/// What is open beside connections: journal, recordings, threads, the terminal.
const OTHERS: u64 = 64;

/// Refuses more cases in flight than there can be connections: each further one would end
/// as a failure of the network, and be taken for one.
///
/// # Errors
/// What to do about it. Where the system does not tell its limit, there is none.
pub fn allow(in_flight: u64) -> Result<(), Failure> {
    let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    check(in_flight, open_files(&limits)).map_err(Failure::usage)
}

fn check(in_flight: u64, open_files: Option<u64>) -> Result<(), String> {
    let needed = in_flight + OTHERS;
    match open_files {
        Some(most) if needed > most => Err(format!(
            "{in_flight} cases in flight need {needed} open files, and this process may have {most}: allow more with `ulimit -n {needed}`, or give a smaller `-j`"
        )),
        _ => Ok(()),
    }
}

/// The soft limit; `None` where there is none, or the text is of another form.
/// Source: Linux manual pages, proc_pid_limits(5).
fn open_files(limits: &str) -> Option<u64> {
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soft_limit_is_the_first_number_of_its_line() {
        let limits = "Limit                     Soft Limit           Hard Limit           Units     \n\
                      Max processes             15                   20                   processes \n\
                      Max open files            1024                 524288               files     \n";
        for (limits, most) in [
            (limits.to_owned(), Some(1024)),
            (limits.replace("1024  ", "unlimited"), None),
            (String::new(), None),
        ] {
            assert_eq!(open_files(&limits), most, "{limits}");
        }
        if cfg!(target_os = "linux") {
            let own = fs::read_to_string("/proc/self/limits").unwrap();
            assert!(own.contains("Max open files"), "{own}");
        }
    }

    #[test]
    fn more_cases_than_files_are_refused_with_the_number_it_takes() {
        for (in_flight, most, wrong) in [
            (960, Some(1024), None),
            (961, Some(1024), Some("`ulimit -n 1025`")),
            (10_000, None, None),
        ] {
            match (check(in_flight, most), wrong) {
                (Ok(()), None) => {}
                (Err(told), Some(wrong)) => assert!(told.contains(wrong), "{told}"),
                (found, _) => panic!("{in_flight} of {most:?}: {found:?}"),
            }
        }
    }
}
