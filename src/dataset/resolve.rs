//! Records that name examples, and what they become once every example is known.

use super::error::Problem;
use super::tree::Position;
use super::{
    CallPattern, Episode, EpisodeStep, Example, Expect, Person, Rule, Scenario, StatedExpect,
};
use crate::dataset::ArgumentMatcher;

/// What a record is; its id is taken for all kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Example,
    Scenario,
    Episode,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Kind::Example => "an example",
            Kind::Scenario => "a scenario",
            Kind::Episode => "an episode",
        }
    }
}

/// A record as far as it can be read by itself.
pub(super) enum Record {
    Example(Example),
    Scenario(ScenarioDraft),
    Episode(EpisodeDraft),
}

/// An example that a record names, and where.
pub(super) struct Reference {
    pub at: Position,
    pub id: String,
}

/// The keys that every kind of record may have.
pub(super) struct About {
    pub tags: Option<Vec<String>>,
    pub split: Option<String>,
    pub cluster: Option<String>,
    pub labelled_by: Option<String>,
    pub note: Option<String>,
}

pub(super) struct ScenarioDraft {
    pub id: String,
    pub example: String,
    pub human: Person,
    pub restart: bool,
    pub about: About,
    /// Where the expectations stand, or the record where it has none.
    pub expect_at: Position,
    pub expect: StatedExpect,
}

pub(super) struct EpisodeDraft {
    pub id: String,
    pub steps: Vec<StepDraft>,
    pub unchanged: Vec<String>,
    pub control: bool,
    pub about: About,
}

pub(super) struct StepDraft {
    pub example: String,
    pub human: Vec<Rule>,
    pub memory: Vec<(String, ArgumentMatcher)>,
    pub expect: StatedExpect,
}

impl ScenarioDraft {
    /// The scenario on the example at `index`.
    ///
    /// # Errors
    /// Where what it states and what it takes over from the example contradict each other.
    pub fn resolve(self, index: u32, example: &Example) -> Result<Scenario, (Position, Problem)> {
        let about = self.about;
        let expect = self.expect.over(&example.expect);
        if let Some(pattern) = contradiction(&expect) {
            let tool = pattern.name.clone();
            return Err((self.expect_at, Problem::ContradictsExample { tool }));
        }
        Ok(Scenario {
            id: self.id,
            example: index,
            human: self.human,
            restart: self.restart,
            tags: about.tags.unwrap_or_else(|| example.tags.clone()),
            split: about.split.or_else(|| example.split.clone()),
            cluster: about
                .cluster
                .or_else(|| example.cluster.clone())
                .or_else(|| Some(example.id.clone())),
            labelled_by: about.labelled_by.or_else(|| example.labelled_by.clone()),
            note: about.note,
            expect,
            interrupts: self.expect.interrupts,
        })
    }
}

impl EpisodeDraft {
    /// The episode; `find` knows the index of every example that a step names.
    pub fn resolve(self, examples: &[Example], find: impl Fn(&str) -> u32) -> Episode {
        let about = self.about;
        let steps: Vec<EpisodeStep> = self
            .steps
            .into_iter()
            .map(|step| EpisodeStep {
                example: find(&step.example),
                human: step.human,
                memory: step.memory,
                expect: step.expect,
            })
            .collect();
        Episode {
            id: self.id,
            unchanged: self.unchanged,
            control: self.control,
            tags: about.tags.unwrap_or_default(),
            split: about.split.or_else(|| shared_split(&steps, examples)),
            cluster: about.cluster,
            labelled_by: about.labelled_by,
            note: about.note,
            steps,
        }
    }
}

/// The split that all examples of the steps are in.
fn shared_split(steps: &[EpisodeStep], examples: &[Example]) -> Option<String> {
    let mut splits = steps
        .iter()
        .map(|step| examples[step.example as usize].split.as_ref());
    let first = splits.next()??;
    splits
        .all(|split| split == Some(first))
        .then(|| first.clone())
}

/// A forbidden call, whatever its arguments, that is expected too.
pub(super) fn contradiction(expect: &Expect) -> Option<&CallPattern> {
    let expected = expect.tool_calls.as_deref().unwrap_or_default();
    expect.forbidden.iter().find(|forbidden| {
        forbidden.arguments.is_empty() && expected.iter().any(|call| call.name == forbidden.name)
    })
}
