//! Which suites have anything to do.

use std::fmt;

use super::error::quoted;
use crate::agent::AgentKind;
use crate::experiment::grid::Items;
use crate::experiment::record::CaseKind;
use crate::judge::JudgeKey;
use crate::score::{Key, Suite};

/// Something that is not done although it was asked for, and the reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LeftOut {
    Suite {
        suite: Suite,
        why: WhyNot,
    },
    /// Variants that no suite has a case for.
    Variants(Vec<String>),
    Judge {
        judge: JudgeKey,
        why: Idle,
    },
    /// A threshold on what this judge says.
    Threshold(JudgeKey),
}

/// Why a judge has nothing to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Idle {
    /// Its suite does not run.
    NoSuite,
    /// Nothing that is selected asks it anything.
    NothingAsked,
}

/// Why a suite has no cases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhyNot {
    /// The dataset has none of what the suite looks at.
    NotInDataset,
    /// No chosen agent takes part.
    NoAgent,
    NotSelected,
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (suite, why) = match self {
            LeftOut::Variants(names) => {
                return write!(
                    f,
                    "variants left out, because no suite has a case for them: {}",
                    quoted(names)
                );
            }
            LeftOut::Judge { judge, why } => {
                write!(f, "judge `{judge}` is skipped: ")?;
                return match (why, judge.suite()) {
                    (Idle::NoSuite, Some(suite)) => {
                        write!(f, "suite `{}` does not run", suite.name())
                    }
                    (Idle::NoSuite, None) => f.write_str("it does not judge single attempts"),
                    (Idle::NothingAsked, _) => f.write_str(match judge {
                        JudgeKey::ResponseCriteria => {
                            "no example that is selected wants an answer and has criteria"
                        }
                        JudgeKey::FeedbackHonoured => {
                            "in no scenario that is selected does the person say anything of a draft"
                        }
                        JudgeKey::MemoryUpdate => "no episode that is selected teaches anything",
                        JudgeKey::TriageReasonable | JudgeKey::Pairwise => {
                            "nothing that is selected asks it anything"
                        }
                    }),
                };
            }
            LeftOut::Threshold(judge) => {
                let key = judge.main_key().map_or("", Key::name);
                return write!(
                    f,
                    "the threshold of `{key}` decides nothing: judge `{judge}` does not run"
                );
            }
            LeftOut::Suite { suite, why } => (suite, why),
        };
        let kind = CaseKind::of(*suite);
        write!(f, "suite `{}` is skipped: ", suite.name())?;
        match why {
            WhyNot::NotInDataset => write!(f, "the dataset has no {}", kind.noun(0)),
            WhyNot::NotSelected => write!(f, "no {} is selected", kind.noun(1)),
            WhyNot::NoAgent => {
                let able = AgentKind::ALL.into_iter();
                let able = able.filter(|agent| kind.is_for(*agent));
                let able: Vec<String> = able.map(|agent| agent.to_string()).collect();
                write!(
                    f,
                    "no chosen agent takes part in {}; choose among {}",
                    kind.noun(0),
                    quoted(&able)
                )
            }
        }
    }
}

/// Suites under consideration: what runs, and why others do not.
pub struct Suites {
    pub running: Vec<Suite>,
    pub skipped: Vec<LeftOut>,
}

impl Suites {
    /// Those chosen, or all where none is, once each and in the order of the reports, as far
    /// as the dataset and the agents have a use for them.
    pub fn that_apply(chosen: &[Suite], agents: &[AgentKind], dataset: Items) -> Suites {
        let mut suites = Suites {
            running: Suite::ALL
                .into_iter()
                .filter(|suite| chosen.is_empty() || chosen.contains(suite))
                .collect(),
            skipped: Vec::new(),
        };
        suites.skip(|kind| {
            if dataset.get(kind) == 0 {
                Some(WhyNot::NotInDataset)
            } else if !agents.iter().any(|agent| kind.is_for(*agent)) {
                Some(WhyNot::NoAgent)
            } else {
                None
            }
        });
        suites
    }

    /// Takes out the suites without anything selected.
    pub fn skip_unselected(&mut self, selected: Items) {
        self.skip(|kind| (selected.get(kind) == 0).then_some(WhyNot::NotSelected));
    }

    fn skip(&mut self, why_not: impl Fn(CaseKind) -> Option<WhyNot>) {
        let skipped = &mut self.skipped;
        self.running.retain(|&suite| {
            let why = why_not(CaseKind::of(suite));
            skipped.extend(why.map(|why| LeftOut::Suite { suite, why }));
            why.is_none()
        });
    }

    /// Whether any of them looks at items of this kind.
    pub fn look_at(&self, kind: CaseKind) -> bool {
        self.running
            .iter()
            .any(|&suite| CaseKind::of(suite) == kind)
    }
}
