//! What the journal keeps: the header that fixes a plan, and one record an attempt.

mod header;

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::agent::AgentKind;
use crate::email::Triage;
use crate::judge::Judged;
use crate::model::halt::Halted;
use crate::model::limit::Traffic;
use crate::model::record;
use crate::run::{Cost, Outcome, Usage};
use crate::score::{Feedback, Learning, MemoryChange, Score, Suite};

pub use header::{
    AskedModel, DatasetInfo, Grown, Header, JudgePlan, Limits, Looks, Panel, Rerun, RerunWhich,
    Selection, Variant,
};

/// Format of the journal; a reader that meets another names both.
pub const FORMAT: &str = "mailproof.journal/1";

/// The same, of an experiment in looks: what does not know that its plan grows would take it
/// for a broken file.
pub const FORMAT_IN_LOOKS: &str = "mailproof.journal/2";

/// One line of the journal: an attempt that ended.
///
/// What aggregation needs stands here; the trajectories (`runs`) are of type `R`, so that a
/// reader which only counts can skip them ([`serde::de::IgnoredAny`]).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Attempt<R> {
    pub case: CaseKey,
    #[serde(default, skip_serializing_if = "CaseKind::is_example")]
    pub kind: CaseKind,
    /// What the example says about itself, so that a report needs the journal alone.
    pub split: Option<String>,
    pub cluster: Option<String>,
    pub tags: Vec<String>,
    /// `None` for an episode, whose steps expect one each.
    pub expected: Option<Triage>,
    pub found: Option<Triage>,
    /// Of an episode, that of the run that an infrastructure error ended, or else of the
    /// first step that did not finish.
    pub outcome: Outcome,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Empty where the outcome is an infrastructure error.
    pub feedback: Vec<Feedback>,
    /// What judges said, which the feedback under their keys is made of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub judged: Vec<Judged>,
    /// What the harness noticed about the case and not the agent, such as answers of a
    /// script that were never given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// What the attempt changed in the agent's memory.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub memory: Vec<MemoryChange>,
    /// What an episode's steps came to, with the agent's memory and without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub learning: Option<Learning>,
    /// Of all runs together.
    pub usage: Usage,
    /// Of all runs with memory together.
    pub latency_ms: f64,
    /// When it began. Journals of versions that did not keep it have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<Timestamp>,
    /// One run; of an episode, one for each step.
    pub runs: Vec<R>,
    /// An episode's steps once more, each with a memory of its own.
    #[serde(default = "Vec::new", skip_serializing_if = "Vec::is_empty")]
    pub ablation: Vec<R>,
}

/// What a case is made of.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum CaseKind {
    #[default]
    Example,
    Scenario,
    Episode,
}

impl CaseKind {
    /// In the order of the plan.
    pub const ALL: [CaseKind; 3] = [CaseKind::Example, CaseKind::Scenario, CaseKind::Episode];

    pub fn name(self) -> &'static str {
        match self {
            CaseKind::Example => "example",
            CaseKind::Scenario => "scenario",
            CaseKind::Episode => "episode",
        }
    }

    /// What a suite looks at.
    pub fn of(suite: Suite) -> CaseKind {
        match suite {
            Suite::Triage | Suite::Response => CaseKind::Example,
            Suite::Hitl => CaseKind::Scenario,
            Suite::Memory => CaseKind::Episode,
        }
    }

    /// Whether an agent takes part: where nobody is asked there is nothing to look at in a
    /// scenario, nor in an episode where nothing is remembered.
    pub fn is_for(self, agent: AgentKind) -> bool {
        match self {
            CaseKind::Example => true,
            CaseKind::Scenario => agent.interrupts(),
            CaseKind::Episode => agent.remembers(),
        }
    }

    /// What so many of a kind are called.
    pub fn noun(self, count: usize) -> &'static str {
        match (self, count) {
            (CaseKind::Example, 1) => "example",
            (CaseKind::Example, _) => "examples",
            (CaseKind::Scenario, 1) => "scenario",
            (CaseKind::Scenario, _) => "scenarios",
            (CaseKind::Episode, 1) => "episode",
            (CaseKind::Episode, _) => "episodes",
        }
    }

    fn is_example(&self) -> bool {
        *self == CaseKind::Example
    }
}

/// What an attempt came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// Every scorer with a say gave the best score.
    Passed,
    Failed,
    /// Nothing can be said about the agent: counted against coverage.
    Unscored,
}

impl<R> Attempt<R> {
    pub fn verdict(&self) -> Verdict {
        let mut judged = self
            .feedback
            .iter()
            .filter(|feedback| !feedback.key.is_diagnostic())
            .peekable();
        // An error leaves nothing to judge, with one exception: a question that nobody
        // expected may be needless by what the scenario says.
        if self.outcome.is_error() && judged.peek().is_none() {
            Verdict::Unscored
        } else if self.outcome.is_agent_failure() {
            Verdict::Failed
        } else if judged.peek().is_none() {
            Verdict::Unscored
        } else if judged.all(|feedback| feedback.score == Score::BEST) {
            Verdict::Passed
        } else {
            Verdict::Failed
        }
    }
}

/// One sitting of an experiment: what may differ between two runs of one plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    pub started: Timestamp,
    /// The command line, without the program's name.
    pub arguments: Vec<String>,
    /// Cases in flight at most.
    pub concurrency: usize,
    /// Operating system and architecture, as in `linux/x86_64`.
    pub host: String,
}

/// How a sitting ended. One that was killed leaves none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    pub at: Timestamp,
    pub because: EndReason,
    /// Attempts in the journal, those of earlier sittings included.
    pub attempts: u64,
    /// Why it went no further, where the end is [`EndReason::Halted`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub halted: Option<Halted>,
    /// What the sitting asked of each provider's account, by what the account is called.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub traffic: BTreeMap<String, Traffic>,
    /// What it took from a recording, and put into one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recording: Option<RecordingUse>,
    /// What the sitting spent in US dollars, on calls that no recorded attempt holds too;
    /// absent where the price of any is not known. What was replayed cost nothing.
    #[serde(default, rename = "spent_usd", skip_serializing_if = "Option::is_none")]
    pub spent: Option<Cost>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// Every case of the plan is recorded.
    Complete,
    /// The user asked to stop.
    Cancelled,
    /// As many attempts failed as were allowed to.
    MaxFailures,
    /// Going on was pointless or not allowed.
    Halted,
}

/// What became of model calls before a recording.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RecordingUse {
    /// When the recording that was replayed was begun; absent where none was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub replayed_from: Option<Timestamp>,
    /// By variant, as file names have it.
    pub variants: BTreeMap<String, record::Traffic>,
}

/// Which case: indices into the header's variants and the plan's items.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CaseKey {
    /// Index into [`Header::variants`].
    pub variant: u32,
    /// Position of the item in the plan.
    pub position: u32,
    /// Which repetition, from 0.
    pub repeat: u32,
    /// The id of the example, the scenario, or the episode.
    pub example: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::score::Key;

    #[test]
    fn an_attempt_passes_when_every_scorer_with_a_say_gave_the_best() {
        use Outcome::{Finished, Provider, StepLimit, Unmatched};
        use Verdict::{Failed, Passed, Unscored};
        let diagnostic = (Key::ToolCallsRecall, 0.5);
        for (case, outcome, scores, verdict) in [
            ("right", Finished, &[(Key::TriageAccuracy, 1.0)][..], Passed),
            ("wrong", Finished, &[(Key::TriageAccuracy, 0.0)], Failed),
            (
                "one of two",
                Finished,
                &[(Key::TriageAccuracy, 1.0), (Key::ToolCallsExact, 0.0)],
                Failed,
            ),
            (
                "diagnostic",
                Finished,
                &[(Key::TriageAccuracy, 1.0), diagnostic],
                Passed,
            ),
            ("only diagnostic", Finished, &[diagnostic], Unscored),
            ("nobody asked", Finished, &[], Unscored),
            (
                "agent gave up",
                StepLimit,
                &[(Key::TriageAccuracy, 0.0)],
                Failed,
            ),
            ("provider down", Provider, &[], Unscored),
            ("unexpected question", Unmatched, &[], Unscored),
            (
                "needless question",
                Unmatched,
                &[(Key::HitlPass, 0.0)],
                Failed,
            ),
        ] {
            let attempt = Attempt {
                case: CaseKey {
                    variant: 0,
                    position: 0,
                    repeat: 0,
                    example: "e".into(),
                },
                split: None,
                cluster: None,
                tags: Vec::new(),
                kind: CaseKind::Example,
                expected: Some(Triage::Notify),
                found: None,
                outcome,
                error: None,
                feedback: scores
                    .iter()
                    .map(|&(key, score)| Feedback {
                        key,
                        score: Score::try_from(score).unwrap(),
                        comment: None,
                        checks: Vec::new(),
                    })
                    .collect(),
                judged: Vec::new(),
                notes: Vec::new(),
                memory: Vec::new(),
                learning: None,
                usage: Usage::default(),
                latency_ms: 0.0,
                started: None,
                runs: vec![()],
                ablation: Vec::new(),
            };
            assert_eq!(attempt.verdict(), verdict, "{case}");
        }
    }
}
