//! Names of experiments, which are names of folders too.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// The name an experiment is kept under: safe as the name of one folder on any system.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExperimentName(String);

impl ExperimentName {
    /// Folders under `reports/` that belong to the project itself, in any case of letters.
    const RESERVED: [&str; 2] = ["sample", "recorded"];
    /// Bytes: leaves room below the 255 that file systems allow.
    const LONGEST: usize = 120;

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// May be read, but no experiment can be started under it.
    pub fn is_reserved(&self) -> bool {
        Self::RESERVED
            .iter()
            .any(|reserved| self.0.eq_ignore_ascii_case(reserved))
    }

    /// The experiment's folder among the `reports`.
    pub fn folder(&self, reports: &Path) -> PathBuf {
        reports.join(&self.0)
    }
}

impl fmt::Display for ExperimentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Why a text cannot name an experiment.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    #[error("an experiment needs a name: give one with `-e`")]
    Empty,
    #[error("experiment name `{start}…` has {bytes} bytes: use at most 120")]
    TooLong { start: String, bytes: usize },
    #[error(
        "experiment name `{name}` has {found:?} in it: it names a folder, so use letters, digits, `.`, `_`, `-`, and spaces"
    )]
    Character { name: String, found: char },
    #[error("experiment name `{0}` starts or ends with a dot, a dash, or a space: leave it out")]
    Edge(String),
    #[error("experiment name `{0}` is kept for the project's own reports: choose another")]
    Reserved(String),
}

impl FromStr for ExperimentName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        if text.is_empty() {
            return Err(NameError::Empty);
        }
        if text.len() > Self::LONGEST {
            return Err(NameError::TooLong {
                start: text.chars().take(24).collect(),
                bytes: text.len(),
            });
        }
        // The separators of paths, and what Windows forbids in names, on every system: a
        // folder of reports travels.
        let forbidden = |c: char| c.is_control() || r#"/\:*?"<>|"#.contains(c);
        if let Some(found) = text.chars().find(|&c| forbidden(c)) {
            return Err(NameError::Character {
                name: text.to_owned(),
                found,
            });
        }
        // `.` and `..` among them; a leading dash would be read as a flag.
        if text.starts_with(['.', '-', ' ']) || text.ends_with(['.', ' ']) {
            return Err(NameError::Edge(text.to_owned()));
        }
        Ok(ExperimentName(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_folder_and_nothing_else() {
        for name in ["a", "2026-03-02 14-05 abc1234", "prompt_v2.1", "naïve", "-"] {
            assert_eq!(
                name.parse::<ExperimentName>().is_ok(),
                name != "-",
                "{name}"
            );
        }
        for name in [
            "", ".", "..", "a/b", "a\\b", "../a", "/a", "a\nb", "a\0b", ".git", "-x", "a ", " a",
            "a.", "C:a", "a*",
        ] {
            assert!(name.parse::<ExperimentName>().is_err(), "{name:?}");
        }
        let long = "x".repeat(121);
        assert!(matches!(
            long.parse::<ExperimentName>(),
            Err(NameError::TooLong { bytes: 121, .. })
        ));
    }

    #[test]
    fn the_projects_own_folders_are_reserved() {
        for (name, reserved) in [("sample", true), ("Recorded", true), ("samples", false)] {
            let name: ExperimentName = name.parse().unwrap();
            assert_eq!(name.is_reserved(), reserved, "{name}");
        }
    }
}
