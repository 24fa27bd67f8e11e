//! The dataset that comes with the program.

use std::path::Path;

use super::load::Loading;
use super::read::{Format, Limits};
use super::{Dataset, LoadErrors};

macro_rules! files {
    ($($path:literal,)*) => {
        &[$(($path, include_str!(concat!("../../datasets/email/", $path)))),*]
    };
}

/// The files of `datasets/email/`, in the order in which the folder is read.
pub(super) const FILES: &[(&str, &str)] = files![
    "dev/attacks.yaml",
    "dev/bulk.yaml",
    "dev/calendar.yaml",
    "dev/colleagues.yaml",
    "dev/customers.yaml",
    "dev/episodes.yaml",
    "dev/notices.yaml",
    "dev/personal.yaml",
    "dev/scenarios.yaml",
    "test/attacks.yaml",
    "test/bulk.yaml",
    "test/calendar.yaml",
    "test/colleagues.yaml",
    "test/customers.yaml",
    "test/episodes.yaml",
    "test/notices.yaml",
    "test/personal.yaml",
    "test/recruiting.yaml",
    "test/scenarios.yaml",
    "test/school.yaml",
    "test/vendors.yaml",
];

impl Dataset {
    /// The dataset `email`, as it was when the program was built.
    pub fn embedded() -> Dataset {
        load(FILES).expect("a test loads the embedded files")
    }
}

fn load(files: &[(&str, &str)]) -> Result<Dataset, LoadErrors> {
    let limits = Limits::default();
    let mut loading = Loading::new(&limits);
    for (path, text) in files {
        loading.read(Path::new(path), Format::Yaml, text.as_bytes());
    }
    loading.finish("email".to_owned())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::PathBuf;

    use serde_json::json;

    use super::*;
    use crate::agent::prompts::Preferences;
    use crate::dataset::{On, Person, RuleAnswer};

    fn folder() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("datasets/email")
    }

    #[test]
    fn the_embedded_files_are_valid() {
        if let Err(errors) = load(FILES) {
            panic!("{errors}");
        }
    }

    #[test]
    fn the_embedded_dataset_is_the_folder() {
        let loaded = Dataset::load(&[folder()], &Limits::default()).expect("a valid folder");
        let embedded = Dataset::embedded();
        let ids = |dataset: &Dataset| -> Vec<String> {
            dataset.examples.iter().map(|e| e.id.clone()).collect()
        };
        assert_eq!(ids(&embedded), ids(&loaded));
        assert_eq!(embedded.summary(), loaded.summary());
        assert_eq!(embedded.hash, loaded.hash);
        assert_eq!(embedded.name, loaded.name);
    }

    fn kind(answer: &RuleAnswer) -> &'static str {
        match answer {
            RuleAnswer::Accept => "accept",
            RuleAnswer::Edit(_) => "edit",
            RuleAnswer::Ignore => "ignore",
            RuleAnswer::Respond(_) => "respond",
            RuleAnswer::Timeout => "timeout",
        }
    }

    #[test]
    fn its_scenarios_give_every_answer_to_everything_that_is_asked() {
        let dataset = Dataset::embedded();
        let mut seen = BTreeSet::new();
        for scenario in &dataset.scenarios {
            let example = &dataset.examples[scenario.example as usize];
            let name = scenario.id.strip_prefix(&example.id);
            assert!(
                name.is_some_and(|name| name.starts_with('/')),
                "{}",
                scenario.id
            );
            if let Person::Scripted(rules) = &scenario.human {
                // Whether to ask first may be the agent's choice; then both ways have rules.
                let any_way = rules.iter().any(|rule| rule.on.name() == "question");
                assert!(scenario.interrupts.is_some() || any_way, "{}", scenario.id);
                for rule in rules {
                    seen.insert((rule.on.name(), kind(&rule.answer)));
                }
            }
        }
        for on in [
            On::Notify,
            On::Tool("write_email".into()),
            On::Tool("schedule_meeting".into()),
            On::Tool("question".into()),
        ] {
            for answer in on.answers() {
                let wanted = (on.name(), *answer);
                assert!(seen.contains(&wanted), "no scenario has {wanted:?}");
            }
        }
    }

    #[test]
    fn what_its_episodes_teach_is_not_known_before() {
        let dataset = Dataset::embedded();
        let known = Preferences::default();
        for episode in &dataset.episodes {
            assert!(
                episode.split.is_some(),
                "{}: steps of two splits",
                episode.id
            );
            for (namespace, matcher) in episode.steps.iter().flat_map(|step| &step.memory) {
                let text = match namespace.as_str() {
                    "triage_preferences" => &known.triage_preferences,
                    "response_preferences" => &known.response_preferences,
                    "cal_preferences" => &known.cal_preferences,
                    _ => &known.background,
                };
                let id = &episode.id;
                assert!(!matcher.holds_of_text(Some(text)), "{id}: {namespace}");
            }
            let teaches = episode.steps.iter().any(|step| !step.memory.is_empty());
            let shows = episode.steps[1..]
                .iter()
                .any(|step| !step.memory.is_empty() || step.expect.to_json() != json!({}));
            assert!(shows, "{}: nothing is asked of a later step", episode.id);
            assert!(
                !(teaches && episode.control),
                "{}: a control that teaches",
                episode.id
            );
        }
    }
}
