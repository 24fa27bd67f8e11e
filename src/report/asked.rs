//! How models were asked, where that is other than by default.

use super::Report;
use super::escape::bounded;
use super::figures;
use crate::experiment::AskedModel;
use crate::model::settings::Settings;

/// The most characters of the fields that a configuration adds to requests.
const EXTRA_SHOWN: usize = 200;

/// Model, role, and what is other, a row a model and role. `None` where all are asked as they are by default.
pub(super) fn rows(report: &Report, quote: impl Fn(&str) -> String) -> Option<Vec<[String; 3]>> {
    let mut rows = Vec::new();
    for (name, asked) in &report.plan.models {
        let AskedModel { model, settings } = asked;
        let named = match name == model {
            true => quote(name),
            false => format!("{} ({})", quote(name), quote(model)),
        };
        for (role, settings) in settings {
            let told = told(settings, &quote);
            if !told.is_empty() {
                let role = figures::role(*role).to_owned();
                rows.push([named.clone(), role, told.join(", ")]);
            }
        }
    }
    (!rows.is_empty()).then_some(rows)
}

fn told(settings: &Settings, quote: impl Fn(&str) -> String) -> Vec<String> {
    let mut told = Vec::new();
    match settings.sent_temperature() {
        Some(0.0) => {}
        Some(temperature) => told.push(format!("temperature {temperature}")),
        None => told.push("no temperature".to_owned()),
    }
    if let Some(most) = settings.max_tokens {
        told.push(format!(
            "at most {} tokens a reply",
            figures::count(most.into())
        ));
    }
    if let Some(seed) = settings.seed {
        told.push(format!("seed {seed}"));
    }
    if let Some(effort) = &settings.reasoning_effort {
        told.push(format!("reasoning effort {}", quote(effort)));
    }
    if !settings.extra_body.is_empty() {
        let extra = serde_json::to_string(&settings.extra_body);
        let extra = extra.expect("an object has string keys");
        told.push(format!("with {}", quote(&bounded(&extra, EXTRA_SHOWN))));
    }
    told
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::{Value, json};

    use super::super::fixture::sample;
    use super::*;
    use crate::run::ModelRole;

    fn asked(model: &str, settings: Value) -> AskedModel {
        let settings = serde_json::from_value(settings).unwrap();
        AskedModel {
            model: model.to_owned(),
            settings: BTreeMap::from([(ModelRole::Agent, settings)]),
        }
    }

    #[test]
    fn what_is_asked_by_default_is_not_talked_about() {
        let mut report = sample();
        assert_eq!(rows(&report, str::to_owned), None);
        let plain = asked("openai:m", json!({ "temperature": 0.0 }));
        report.plan.models.insert("openai:m".to_owned(), plain);
        assert_eq!(rows(&report, str::to_owned), None);
        let every = json!({
            "temperature": "none", "max_tokens": 2048, "seed": 7, "reasoning_effort": "low",
            "extra_body": { "top_p": 0.5, "user": "x".repeat(300) },
        });
        let warm = json!({ "temperature": 0.7 });
        let models = &mut report.plan.models;
        models.insert("precise".to_owned(), asked("openai:n", every));
        models.insert("openai:warm".to_owned(), asked("openai:warm", warm));
        let rows = rows(&report, |text| format!("`{text}`")).expect("two differ");
        assert_eq!(rows[0], ["`openai:warm`", "agent", "temperature 0.7"]);
        assert_eq!(rows[1][0], "`precise` (`openai:n`)");
        let start = "no temperature, at most 2,048 tokens a reply, seed 7, reasoning effort `low`, with `{\"top_p\":0.5,\"user\":\"xxx";
        assert!(rows[1][2].starts_with(start), "{}", rows[1][2]);
        assert!(rows[1][2].len() < 320, "{}", rows[1][2]);
        assert!(super::super::markdown(&report).contains("\n## Models\n"));
    }
}
