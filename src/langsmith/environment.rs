//! What the environment says of LangSmith, in the names that its own programs read.

use std::num::NonZeroUsize;

use serde_json::Value;
use uuid::Uuid;

use super::wire::Object;
use crate::model::http::{BadUrl, Endpoint, Key};

/// Where the hosted service is.
const HOSTED: &str = "https://api.smith.langchain.com";
const HOSTED_HOST: &str = "api.smith.langchain.com";

/// Tries after the first one, where nobody says otherwise.
pub const MAX_RETRIES: u32 = 7;

/// Where and how to reach LangSmith, and what to call what is sent there.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    pub endpoint: Endpoint,
    /// `None`: nothing can be asked, which [`Client::new`](super::Client::new) tells.
    pub key: Option<Key>,
    /// What a key of a whole organisation needs.
    pub workspace: Option<Uuid>,
    /// Whether inputs, of runs and of examples, stay here.
    pub hide_inputs: bool,
    /// Whether outputs, also the expected ones, stay here.
    pub hide_outputs: bool,
    /// The dataset's name.
    pub test_suite: Option<String>,
    /// What names of experiments start with.
    pub experiment: Option<String>,
    /// Goes to the metadata of experiments.
    pub experiment_metadata: Object,
    /// Whether results of tests are to be sent at all.
    pub tracking: bool,
    /// Whether runs may be sent compressed, where the server can read that.
    pub compression: bool,
    /// Runs a request, instead of what the server says.
    pub size_limit: Option<NonZeroUsize>,
    /// Whether nothing but this machine may be asked; [`Settings::read`] says no.
    pub offline: bool,
    /// Tries of a request after its first; [`Settings::read`] says [`MAX_RETRIES`].
    pub max_retries: u32,
}

/// What the environment says of LangSmith and cannot be meant. No value is repeated but those
/// that cannot be secret.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    #[error("`{variable}` {source}")]
    Endpoint {
        variable: &'static str,
        source: BadUrl,
    },
    #[error(
        "`{0}` names several places, and results are sent to one: unset it and set `LANGSMITH_ENDPOINT`"
    )]
    SeveralEndpoints(&'static str),
    #[error("`{0}` is no key: it holds what no header can carry")]
    Key(&'static str),
    #[error("`{0}` is no UUID; the settings of a workspace show its id")]
    Workspace(&'static str),
    #[error("`{variable}` is no JSON object: {reason}")]
    Metadata {
        variable: &'static str,
        reason: String,
    },
    #[error("`{0}` is neither `true` nor `false`")]
    Flag(&'static str),
    #[error("`{0}` is no number of runs from 1 on")]
    SizeLimit(&'static str),
}

/// A variable's two names, of which the first wins.
type Names = [&'static str; 2];

impl Settings {
    /// Looks variables up: `LANGSMITH_…` before `LANGCHAIN_…`, and what is blank is not set.
    ///
    /// # Errors
    /// See [`SettingsError`].
    pub fn read(lookup: impl Fn(&str) -> Option<String>) -> Result<Settings, SettingsError> {
        let get = |names: Names| {
            names.into_iter().find_map(|name| {
                let value = lookup(name)?;
                let value = value.trim().trim_matches(['"', '\'']).trim();
                (!value.is_empty()).then(|| (name, value.to_owned()))
            })
        };
        let flag = |names: Names| match get(names) {
            None => Ok(false),
            Some((name, value)) => truth(&value).ok_or(SettingsError::Flag(name)),
        };
        let text = |names: Names| get(names).map(|(_, value)| value);

        if let Some((name, _)) = get(["LANGSMITH_RUNS_ENDPOINTS", "LANGCHAIN_RUNS_ENDPOINTS"]) {
            return Err(SettingsError::SeveralEndpoints(name));
        }
        let (variable, url) = get(["LANGSMITH_ENDPOINT", "LANGCHAIN_ENDPOINT"])
            .unwrap_or(("LANGSMITH_ENDPOINT", HOSTED.to_owned()));
        let endpoint = Endpoint::parse(url.trim_end_matches('/'))
            .map_err(|source| SettingsError::Endpoint { variable, source })?;
        let key = get(["LANGSMITH_API_KEY", "LANGCHAIN_API_KEY"]);
        let key = key.map(|(name, key)| Key::new(&key).ok_or(SettingsError::Key(name)));
        let workspace = get(["LANGSMITH_WORKSPACE_ID", "LANGCHAIN_WORKSPACE_ID"]);
        let workspace = workspace
            .map(|(name, id)| Uuid::try_parse(&id).map_err(|_| SettingsError::Workspace(name)));
        let metadata = get([
            "LANGSMITH_EXPERIMENT_METADATA",
            "LANGCHAIN_EXPERIMENT_METADATA",
        ]);
        let metadata = metadata.map(|(variable, text)| {
            object(&text).map_err(|reason| SettingsError::Metadata { variable, reason })
        });
        let size_limit = get([
            "LANGSMITH_BATCH_INGEST_SIZE_LIMIT",
            "LANGCHAIN_BATCH_INGEST_SIZE_LIMIT",
        ]);
        let size_limit = size_limit
            .map(|(name, count)| count.parse().map_err(|_| SettingsError::SizeLimit(name)));
        let tracking = text(["LANGSMITH_TEST_TRACKING", "LANGCHAIN_TEST_TRACKING"]);
        Ok(Settings {
            endpoint,
            key: key.transpose()?,
            workspace: workspace.transpose()?,
            hide_inputs: flag(["LANGSMITH_HIDE_INPUTS", "LANGCHAIN_HIDE_INPUTS"])?,
            hide_outputs: flag(["LANGSMITH_HIDE_OUTPUTS", "LANGCHAIN_HIDE_OUTPUTS"])?,
            test_suite: text(["LANGSMITH_TEST_SUITE", "LANGCHAIN_TEST_SUITE"]),
            experiment: text(["LANGSMITH_EXPERIMENT", "LANGCHAIN_EXPERIMENT"]),
            experiment_metadata: metadata.transpose()?.unwrap_or_default(),
            // The service's own programs know values beside these two, which all mean yes.
            tracking: tracking.is_none_or(|value| truth(&value) != Some(false)),
            compression: !flag([
                "LANGSMITH_DISABLE_RUN_COMPRESSION",
                "LANGCHAIN_DISABLE_RUN_COMPRESSION",
            ])?,
            size_limit: size_limit.transpose()?,
            offline: false,
            max_retries: MAX_RETRIES,
        })
    }

    /// Where people look at results; without a slash at the end.
    pub fn web(&self) -> String {
        let host = self.endpoint.host();
        if self.endpoint.is_at(HOSTED_HOST) {
            // `eu.api.smith…` is looked at on `eu.smith…`.
            let region = host.strip_suffix(HOSTED_HOST).expect("it is at that host");
            return format!("https://{region}smith.langchain.com");
        }
        let shown = self.endpoint.to_string();
        let web = shown.strip_suffix("/v1").unwrap_or(&shown);
        web.strip_suffix("/api").unwrap_or(web).to_owned()
    }
}

/// A mistyped flag is told instead of taken for no: it may be the one that hides emails.
fn truth(value: &str) -> Option<bool> {
    match value.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Some(true),
        "false" | "0" | "no" | "off" => Some(false),
        _ => None,
    }
}

fn object(text: &str) -> Result<Object, String> {
    match serde_json::from_str(text) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err("it is another kind of value".to_owned()),
        // Only where: what stands there may be anything.
        Err(error) => Err(format!(
            "a mistake in line {}, column {}",
            error.line(),
            error.column()
        )),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Settings, SettingsError> {
        Settings::read(|name| {
            let mut variables = variables.iter();
            let found = variables.find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn the_newer_name_wins_blank_is_not_set_and_quotes_are_no_part() {
        for (variables, endpoint, key) in [
            (&[][..], HOSTED, None),
            (
                &[
                    ("LANGSMITH_ENDPOINT", "https://a.test/api/v1//"),
                    ("LANGCHAIN_ENDPOINT", "https://b.test"),
                    ("LANGCHAIN_API_KEY", "old-key"),
                ][..],
                "https://a.test/api/v1",
                Some("old-key"),
            ),
            (
                &[
                    ("LANGSMITH_ENDPOINT", " "),
                    ("LANGCHAIN_ENDPOINT", "'https://b.test/' "),
                    ("LANGSMITH_API_KEY", "\"new-key\""),
                    ("LANGCHAIN_API_KEY", "old-key"),
                ],
                "https://b.test",
                Some("new-key"),
            ),
            (&[("LANGSMITH_API_KEY", "''")], HOSTED, None),
        ] {
            let settings = read(variables).unwrap();
            assert_eq!(settings.endpoint.to_string(), endpoint, "{variables:?}");
            assert_eq!(settings.key, key.and_then(Key::new), "{variables:?}");
        }
    }

    #[test]
    fn everything_has_a_value_when_nothing_is_set_and_takes_the_one_that_is() {
        let settings = read(&[]).unwrap();
        assert!(!settings.hide_inputs && !settings.hide_outputs && !settings.offline);
        assert!(settings.tracking && settings.compression);
        assert_eq!(settings.experiment_metadata, Object::new());
        assert_eq!(settings.max_retries, 7);
        let settings = read(&[
            (
                "LANGSMITH_WORKSPACE_ID",
                "00000000-0000-4000-8000-0000000000aa",
            ),
            ("LANGSMITH_HIDE_INPUTS", "TRUE"),
            ("LANGCHAIN_HIDE_OUTPUTS", "1"),
            ("LANGSMITH_TEST_SUITE", "suite"),
            ("LANGSMITH_EXPERIMENT", "nightly"),
            ("LANGSMITH_EXPERIMENT_METADATA", r#"{"branch":"main"}"#),
            ("LANGSMITH_TEST_TRACKING", "False"),
            ("LANGSMITH_DISABLE_RUN_COMPRESSION", "true"),
            ("LANGSMITH_BATCH_INGEST_SIZE_LIMIT", "20"),
        ])
        .unwrap();
        let workspace = Uuid::from_u128(0x4000_8000_0000_0000_00aa);
        assert_eq!(settings.workspace, Some(workspace));
        assert!(settings.hide_inputs && settings.hide_outputs);
        assert!(!settings.tracking && !settings.compression);
        assert_eq!(settings.test_suite.as_deref(), Some("suite"));
        assert_eq!(settings.experiment.as_deref(), Some("nightly"));
        let metadata = json!(settings.experiment_metadata);
        assert_eq!(metadata, json!({ "branch": "main" }));
        assert_eq!(settings.size_limit, NonZeroUsize::new(20));
        let other = read(&[("LANGSMITH_TEST_TRACKING", "dry")]).unwrap();
        assert!(other.tracking, "only a no is a no");
    }

    #[test]
    fn what_cannot_be_meant_is_told_with_its_variable_and_without_its_value() {
        for (name, value, words) in [
            (
                "LANGSMITH_ENDPOINT",
                "hunter2",
                "`LANGSMITH_ENDPOINT` starts with neither",
            ),
            (
                "LANGCHAIN_ENDPOINT",
                "http://u:hunter2@h",
                "`LANGCHAIN_ENDPOINT` holds a user",
            ),
            (
                "LANGSMITH_API_KEY",
                "hunter2 hunter2",
                "`LANGSMITH_API_KEY` is no key",
            ),
            (
                "LANGSMITH_WORKSPACE_ID",
                "hunter2",
                "`LANGSMITH_WORKSPACE_ID` is no UUID",
            ),
            (
                "LANGSMITH_EXPERIMENT_METADATA",
                "{hunter2",
                "a mistake in line 1, column 2",
            ),
            (
                "LANGSMITH_EXPERIMENT_METADATA",
                r#"["hunter2"]"#,
                "another kind of value",
            ),
            (
                "LANGSMITH_HIDE_INPUTS",
                "ture",
                "neither `true` nor `false`",
            ),
            (
                "LANGSMITH_BATCH_INGEST_SIZE_LIMIT",
                "0",
                "no number of runs",
            ),
            (
                "LANGSMITH_RUNS_ENDPOINTS",
                "hunter2",
                "set `LANGSMITH_ENDPOINT`",
            ),
        ] {
            let error = read(&[(name, value)]).unwrap_err().to_string();
            assert!(error.contains(words), "{name}={value}: {error}");
            assert!(
                error.contains(name) && !error.contains("hunter2"),
                "{error}"
            );
        }
    }
}
