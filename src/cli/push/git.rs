//! What git knows of the code that an experiment ran with.

use std::process::{Command, Stdio};

use crate::langsmith::push::Git;

/// The commit that the default name of an experiment ends with, as in `20261122-081500-1a2b3c4`:
/// the working directory may be at another by now.
pub fn of_name(name: &str) -> Option<Git> {
    let mut parts = name.split('-');
    let digits = |part: &str, count: usize| {
        part.len() == count && part.bytes().all(|byte| byte.is_ascii_digit())
    };
    let is_default = digits(parts.next()?, 8) && digits(parts.next()?, 6);
    let commit = parts.next()?;
    let is_commit =
        (4..=40).contains(&commit.len()) && commit.bytes().all(|byte| byte.is_ascii_hexdigit());
    (is_default && is_commit).then(|| Git {
        commit: commit.to_owned(),
        ..Git::default()
    })
}

/// Where the working directory is now; `None` outside of a repository, or without git.
pub fn of_working_directory() -> Option<Git> {
    let branch = said(&["symbolic-ref", "--quiet", "--short", "HEAD"]);
    Some(Git {
        commit: said(&["rev-parse", "HEAD"])?,
        // On none where a commit is checked out by itself.
        branch: branch.filter(|branch| !branch.is_empty()),
        dirty: said(&["status", "--porcelain", "--untracked-files=no"])
            .map(|changes| !changes.is_empty()),
    })
}

fn said(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git")
        .args(arguments)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_default_name_has_the_commit() {
        for (name, commit) in [
            ("20261122-081500-1a2b3c4", Some("1a2b3c4")),
            ("20261122-081500-1a2b3c4-2", Some("1a2b3c4")),
            ("20261122-081500", None),
            ("20261122-081500-2", None),
            ("20261122-0815-1a2b3c4", None),
            ("20261122-081500-nightly", None),
            ("deadbeef", None),
            ("a-b-deadbeef", None),
        ] {
            let found = of_name(name).map(|git| git.commit);
            assert_eq!(found.as_deref(), commit, "{name}");
        }
    }
}
