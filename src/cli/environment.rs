//! The process's environment, and files that stand behind it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};

use super::args::Reach;
use super::config::Config;
use super::exit::Failure;
use super::talk::guard_panics;
use crate::redact::{Redactor, secrets_among};

/// A file of settings larger than this is something else.
const MOST_BYTES: u64 = 1 << 20;

/// What a variable is, by its name: the process's own value, else that of the files.
///
/// The process's environment is never written to: programs that are started (`git`,
/// `notify_command`) are given no key that only a file holds.
#[derive(Clone, Default)]
pub struct Environment {
    files: BTreeMap<String, String>,
    /// Names whose values are keys because the configuration says so.
    keys: BTreeSet<String>,
}

/// Why a file of variables could not be read. Lines are never repeated: they hold keys.
#[derive(Debug, thiserror::Error)]
pub enum EnvFileError {
    #[error("cannot read env file `{}`: {source}", path.display())]
    Read {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("env file `{}` is larger than 1 MiB", path.display())]
    TooLarge { path: PathBuf },
    #[error("{}:{line}: {wrong}", path.display())]
    Invalid {
        path: PathBuf,
        line: usize,
        wrong: Wrong,
    },
}

/// What is wrong with a line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    #[error("no `NAME=VALUE`; a comment starts with `#`")]
    Form,
    #[error("a name is made of letters, digits, and `_`, and starts with no digit")]
    Name,
    #[error("the quote that opens the value is not closed on its line")]
    Open,
    #[error("after the closing quote only a comment may stand")]
    AfterQuote,
    #[error(
        "`{0}` says what a flag says: export it, or write it to mailproof.yaml; an env file holds keys and addresses"
    )]
    Flag(String),
}

impl Environment {
    /// The process's environment alone.
    pub fn process() -> Environment {
        Environment::default()
    }

    /// With `files` behind it, of which later ones win over earlier ones, and with the keys
    /// that `config` names.
    ///
    /// # Errors
    /// See [`EnvFileError`].
    pub fn read(files: &[PathBuf], config: &Config) -> Result<Environment, EnvFileError> {
        let mut environment = Environment::default();
        for path in files {
            let text = text(path)?;
            let variables = parse(&text).map_err(|(line, wrong)| EnvFileError::Invalid {
                path: path.clone(),
                line,
                wrong,
            })?;
            environment.files.extend(variables);
        }
        let catalog = config.catalog();
        let keys = catalog.models.into_values();
        environment.keys = keys.filter_map(|model| model.key_variable).collect();
        Ok(environment)
    }

    pub fn get(&self, name: &str) -> Option<String> {
        match std::env::var_os(name) {
            Some(value) => value.into_string().ok(),
            None => self.files.get(name).cloned(),
        }
    }

    /// All variables whose names start like that, the process's own last: they win.
    #[cfg_attr(not(feature = "object-store"), expect(dead_code))]
    pub fn starting_with(&self, prefix: &str) -> Vec<(String, String)> {
        let files = self.files.clone().into_iter();
        let process = std::env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        });
        let all = files.chain(process);
        all.filter(|(name, _)| name.starts_with(prefix)).collect()
    }

    /// Hides what is secret in it, and what looks so.
    pub fn redactor(&self) -> Redactor {
        let process = std::env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        });
        let all = process.chain(self.files.clone());
        let mut secrets = secrets_among(all);
        secrets.extend(self.keys.iter().filter_map(|name| self.get(name)));
        Redactor::new(secrets)
    }
}

impl Reach {
    /// What the verb looks its variables up in. Panics keep its secrets from here on.
    ///
    /// # Errors
    /// See [`EnvFileError`].
    pub fn environment(&self, config: &Config) -> Result<Environment, Failure> {
        let environment = Environment::read(&self.env_file, config).map_err(Failure::usage)?;
        guard_panics(environment.clone());
        Ok(environment)
    }
}

impl fmt::Debug for Environment {
    /// Says nothing of values.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Environment").finish_non_exhaustive()
    }
}

fn text(path: &Path) -> Result<String, EnvFileError> {
    let unreadable = |source| EnvFileError::Read {
        path: path.to_owned(),
        source,
    };
    let size = std::fs::metadata(path).map_err(unreadable)?.len();
    if size > MOST_BYTES {
        let path = path.to_owned();
        return Err(EnvFileError::TooLarge { path });
    }
    std::fs::read_to_string(path).map_err(unreadable)
}

/// `NAME=VALUE` a line, `export` before it or not; comments, and quotes: double ones know
/// `\n`, `\r`, `\t`, and a backslash before anything else, single ones know nothing. A `$`
/// is a `$`. The line of a mistake is counted from 1.
fn parse(text: &str) -> Result<Vec<(String, String)>, (usize, Wrong)> {
    let mut variables = Vec::new();
    for (index, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let variable = variable(line).map_err(|wrong| (index + 1, wrong))?;
        variables.push(variable);
    }
    Ok(variables)
}

fn variable(line: &str) -> Result<(String, String), Wrong> {
    let line = match line.strip_prefix("export") {
        Some(rest) if rest.starts_with([' ', '\t']) => rest.trim_start(),
        _ => line,
    };
    let (name, value) = line.split_once('=').ok_or(Wrong::Form)?;
    let name = name.trim_end();
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) || !name.chars().all(fits)
    {
        return Err(Wrong::Name);
    }
    if name.starts_with("MAILPROOF_") {
        return Err(Wrong::Flag(name.to_owned()));
    }
    let value = value.trim_start();
    let value = match value.chars().next() {
        Some(quote @ ('"' | '\'')) => quoted(&value[1..], quote)?,
        _ => {
            // A `#` within a value, as keys have, is no comment.
            let comment = value.find(" #").or_else(|| value.find("\t#"));
            let end = if value.starts_with('#') {
                Some(0)
            } else {
                comment
            };
            value[..end.unwrap_or(value.len())].trim_end().to_owned()
        }
    };
    Ok((name.to_owned(), value))
}

/// What stands before the closing `quote`.
fn quoted(text: &str, quote: char) -> Result<String, Wrong> {
    let mut value = String::new();
    let mut chars = text.chars();
    loop {
        match chars.next().ok_or(Wrong::Open)? {
            end if end == quote => break,
            '\\' if quote == '"' => value.push(match chars.next().ok_or(Wrong::Open)? {
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                other => other,
            }),
            plain => value.push(plain),
        }
    }
    let rest = chars.as_str().trim_start();
    match rest.is_empty() || rest.starts_with('#') {
        true => Ok(value),
        false => Err(Wrong::AfterQuote),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn one(line: &str) -> String {
        let variables = parse(line).unwrap_or_else(|error| panic!("{line}: {error:?}"));
        assert_eq!((variables.len(), &*variables[0].0), (1, "KEY"), "{line}");
        variables[0].1.clone()
    }

    #[test]
    fn a_line_gives_a_name_a_value() {
        for (line, value) in [
            ("KEY=value", "value"),
            ("  export KEY = value  ", "value"),
            ("export\tKEY=value", "value"),
            ("\u{feff}KEY=value\r\n", "value"),
            ("# comment\n\nKEY=value # comment", "value"),
            ("KEY=a#b", "a#b"),
            ("KEY=a=b==", "a=b=="),
            ("KEY=a b", "a b"),
            ("KEY=$HOME", "$HOME"),
            ("KEY=", ""),
            ("KEY= # empty", ""),
            (
                "KEY=\"two words # no comment\" # comment",
                "two words # no comment",
            ),
            (r#"KEY="a\"b\n\\c\$""#, "a\"b\n\\c$"),
            (r"KEY='a\n$b'", r"a\n$b"),
            ("KEY=''", ""),
        ] {
            assert_eq!(one(line), value, "{line}");
        }
        assert_eq!(parse("").unwrap(), []);
        let twice = parse("exporter=1\nB=2").unwrap();
        assert_eq!(twice[0].0, "exporter");
    }

    #[test]
    fn a_mistake_is_located_and_its_line_not_repeated() {
        for (text, line, wrong) in [
            ("A=1\n\nsecret", 3, Wrong::Form),
            ("two words=secret", 1, Wrong::Name),
            ("1A=secret", 1, Wrong::Name),
            ("=secret", 1, Wrong::Name),
            ("A=\"secret", 1, Wrong::Open),
            ("A='secret\nB=1", 1, Wrong::Open),
            ("A=\"secret\\", 1, Wrong::Open),
            ("A='x'secret", 1, Wrong::AfterQuote),
            (
                "MAILPROOF_MODEL=secret",
                1,
                Wrong::Flag("MAILPROOF_MODEL".into()),
            ),
        ] {
            let (at, found) = parse(text).expect_err(text);
            assert!(!found.to_string().contains("secret"), "{found}");
            assert_eq!((at, found), (line, wrong), "{text}");
        }
    }

    #[test]
    fn the_process_s_own_value_wins_and_later_files_over_earlier() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let one = file(
            "one",
            "PATH=nowhere\nA=1\nB=1\nB_API_KEY=canary-0123456789\n",
        );
        let two = file("two", "B=2\n");
        let environment = Environment::read(&[one, two], &Config::default()).unwrap();
        assert_eq!(environment.get("PATH"), std::env::var("PATH").ok());
        assert_eq!(environment.get("A").as_deref(), Some("1"));
        assert_eq!(environment.get("B").as_deref(), Some("2"));
        assert_eq!(environment.get("NOBODY_SET_THIS"), None);
        assert!(!format!("{environment:?}").contains("canary"));
        let redacted = environment.redactor();
        assert_eq!(redacted.text("is canary-0123456789"), "is [redacted]");
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "(?s).{0,200}") {
            let _ = parse(&text);
        }

        #[test]
        fn what_is_quoted_comes_back(value in "[^'\r\n]{0,40}") {
            prop_assert_eq!(one(&format!("KEY='{value}'")), value);
        }
    }
}
