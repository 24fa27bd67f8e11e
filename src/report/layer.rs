//! Which scores a report shows, where they are not those of the run itself.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use crate::experiment::layer::{End, Header, Scorers};
use crate::run::Cost;

/// A layer of scores that was made after the run.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct LayerReport {
    /// From 1.
    pub number: u32,
    #[schemars(with = "String")]
    pub created: Timestamp,
    /// The version that scored again.
    pub tool_version: String,
    /// Which scores are new; the others are the run's own.
    pub scorers: Scorers,
    /// Those that judged, by the names they were chosen by.
    pub judge_models: Vec<String>,
    /// What making it cost in US dollars; `null` where the price of any call is not known.
    pub spent_usd: Option<Cost>,
}

impl LayerReport {
    /// `end` is the layer's last line.
    pub fn new(header: &Header, end: Option<&End>) -> LayerReport {
        let mut judge_models: Vec<String> = Vec::new();
        let panels = header.judges.iter().flat_map(|judge| &judge.panels);
        for model in panels.flat_map(|panel| &panel.models) {
            if !judge_models.contains(model) {
                judge_models.push(model.clone());
            }
        }
        LayerReport {
            number: header.number,
            created: header.created,
            tool_version: header.tool_version.clone(),
            scorers: header.scorers,
            judge_models,
            spent_usd: end.and_then(|end| end.spent),
        }
    }

    /// Which scores these are, and how to see the run's own.
    pub(super) fn words(&self, quote: impl Fn(&str) -> String) -> String {
        let day = self.created.strftime("%Y-%m-%d");
        let models: Vec<String> = self.judge_models.iter().map(|name| quote(name)).collect();
        let by = match (self.scorers, &models[..]) {
            (Scorers::Rules, _) => "by rules alone".to_owned(),
            (_, []) => "without judges".to_owned(),
            (scorers, models) => {
                let plural = if models.len() == 1 { "" } else { "s" };
                let models = format!("with judge model{plural} {}", models.join(", "));
                match scorers {
                    Scorers::Judges => format!("{models}, and not by rules"),
                    _ => models,
                }
            }
        };
        let number = self.number;
        format!("Scores of layer {number}, made {day} {by}; the run's own: `--layer 0`")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layer_is_named_with_who_made_it() {
        let told = |scorers, models: &[&str]| {
            let layer = LayerReport {
                number: 2,
                created: "2026-03-02T23:59:00Z".parse().unwrap(),
                tool_version: "0.1.0".into(),
                scorers,
                judge_models: models.iter().map(|&name| name.to_owned()).collect(),
                spent_usd: None,
            };
            layer.words(|name| format!("<{name}>"))
        };
        for (scorers, models, by) in [
            (Scorers::All, &["a:x"][..], "with judge model <a:x>"),
            (
                Scorers::All,
                &["a:x", "b:y"],
                "with judge models <a:x>, <b:y>",
            ),
            (Scorers::All, &[], "without judges"),
            (Scorers::Rules, &["a:x"], "by rules alone"),
            (
                Scorers::Judges,
                &["a:x"],
                "with judge model <a:x>, and not by rules",
            ),
        ] {
            let words =
                format!("Scores of layer 2, made 2026-03-02 {by}; the run's own: `--layer 0`");
            assert_eq!(told(scorers, models), words);
        }
    }
}
