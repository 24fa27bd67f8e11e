//! Which judges look at what is planned, and what they are known for.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::suites::{Idle, LeftOut};
use super::{Item, Plan};
use crate::dataset::{Dataset, On, Person, Rule, RuleAnswer, Scenario};
use crate::email::Triage;
use crate::experiment::record::{Header, JudgePlan, Panel};
use crate::judge::JudgeKey;
use crate::judge::bench::Judge;
use crate::judge::calibration::Records;
use crate::judge::definition::{Definition, Definitions};
use crate::model::catalog::Catalog;

/// Who judges what no exact match can score.
#[derive(Clone, Debug, PartialEq)]
pub struct Judging {
    /// `None` for those that have something to ask, of which some wait to be asked for.
    pub judges: Option<Vec<JudgeKey>>,
    /// The panel of every judge; empty for what its definition says, or the agent's model.
    pub models: Vec<String>,
    /// Votes of each model; what the definition says where absent.
    pub votes: Option<u32>,
    /// The least value of a judge's main key that the gate lets pass, over what its
    /// definition says.
    pub thresholds: BTreeMap<JudgeKey, f64>,
    /// Whether a gate may rely on judges that nobody measured.
    pub trust: bool,
    pub definitions: Definitions,
    /// What is known of judges.
    pub records: Records,
}

impl Default for Judging {
    fn default() -> Judging {
        Judging {
            judges: None,
            models: Vec::new(),
            votes: None,
            thresholds: BTreeMap::new(),
            trust: false,
            definitions: Definitions::embedded(),
            records: Records::embedded(),
        }
    }
}

impl Judging {
    /// The choices that led to a journal, as far as it tells: definitions and records are
    /// the reader's.
    pub(super) fn of(header: &Header) -> Judging {
        let judges = &header.judges;
        // What all have in common was chosen for all, or might as well have been.
        let one_panel = judges.first().and_then(|judge| match &judge.panels[..] {
            [panel] => Some(&panel.models),
            _ => None,
        });
        let models = one_panel.filter(|models| {
            let is_it = |judge: &JudgePlan| {
                matches!(&judge.panels[..], [panel] if panel.models == **models)
            };
            let is_chosen = header
                .variants
                .iter()
                .any(|variant| !variant.judge_models.is_empty());
            is_chosen && judges.iter().all(is_it)
        });
        let votes = judges.first().map(|judge| judge.votes);
        Judging {
            judges: Some(judges.iter().map(|judge| judge.judge).collect()),
            models: models.cloned().unwrap_or_default(),
            votes: votes.filter(|votes| judges.iter().all(|judge| judge.votes == *votes)),
            thresholds: judges
                .iter()
                .filter_map(|judge| Some((judge.judge, judge.threshold?)))
                .collect(),
            trust: judges.iter().any(|judge| judge.trusted),
            ..Judging::default()
        }
    }

    /// The models of a judge's panel for a variant whose agent works with `model`.
    fn panel(&self, definition: &Definition, model: &str) -> Vec<String> {
        match (&self.models[..], &definition.panel[..]) {
            ([], []) => vec![model.to_owned()],
            ([], panel) => panel.to_vec(),
            (models, _) => models.to_vec(),
        }
    }

    /// Fills in who judges what `plan` will do.
    pub(super) fn resolve(&self, plan: &mut Plan, dataset: &Dataset, catalog: &Catalog) {
        for judge in JudgeKey::ALL {
            let wanted = match &self.judges {
                None => is_by_default(judge),
                Some(judges) => judges.contains(&judge),
            };
            match idle(judge, plan, dataset) {
                _ if !wanted => {}
                None => {
                    let planned = self.judge(judge, plan, catalog);
                    plan.judges.push(planned);
                }
                // Nobody asked for those that are only considered.
                Some(why) if self.judges.is_some() => {
                    plan.left_out.push(LeftOut::Judge { judge, why });
                }
                Some(_) => {}
            }
        }
        for judge in self.thresholds.keys() {
            if !plan.judges.iter().any(|other| other.judge == *judge) {
                plan.left_out.push(LeftOut::Threshold(*judge));
            }
        }
    }

    /// A judge with its panels; the variants it looks at are told who judges them.
    fn judge(&self, judge: JudgeKey, plan: &mut Plan, catalog: &Catalog) -> JudgePlan {
        let definition = self.definitions.get(judge);
        let bound = Judge {
            definition: Arc::clone(definition),
            votes: self.votes.unwrap_or(definition.votes),
            // Who they are has no say in what else binds it.
            panel: Vec::new(),
        };
        let mut panels: Vec<Panel> = Vec::new();
        for variant in &mut plan.variants {
            if !judge.looks_at(variant) {
                continue;
            }
            let models = self.panel(definition, &variant.model);
            if models != [variant.model.as_str()] {
                for model in &models {
                    if !variant.judge_models.contains(model) {
                        variant.judge_models.push(model.clone());
                    }
                }
            }
            if panels.iter().all(|panel| panel.models != models) {
                let names = models.iter().map(|model| catalog.full_name(model));
                let standing = self.records.standing(&bound.binding(names.collect()));
                panels.push(Panel { models, standing });
            }
        }
        let binding = bound.binding(Vec::new());
        JudgePlan {
            judge,
            version: definition.version,
            rubric_hash: binding.rubric_hash,
            prompt_hash: binding.prompt_hash,
            parser_version: binding.parser_version,
            votes: bound.votes,
            threshold: self
                .thresholds
                .get(&judge)
                .copied()
                .or(definition.threshold),
            trusted: self.trust,
            panels,
        }
    }
}

/// Whether a judge looks at what it can without being asked to.
fn is_by_default(judge: JudgeKey) -> bool {
    match judge {
        JudgeKey::ResponseCriteria | JudgeKey::FeedbackHonoured | JudgeKey::MemoryUpdate => true,
        JudgeKey::TriageReasonable | JudgeKey::Pairwise => false,
    }
}

/// Why there is nothing for a judge to look at, if there is not.
fn idle(judge: JudgeKey, plan: &Plan, dataset: &Dataset) -> Option<Idle> {
    if !judge
        .suite()
        .is_some_and(|suite| plan.suites.contains(&suite))
    {
        return Some(Idle::NoSuite);
    }
    let max_steps = plan.limits.max_steps;
    let mut items = plan.selected(dataset);
    let asked = items.any(|item| statements(judge, item, max_steps).most > 0);
    (!asked).then_some(Idle::NothingAsked)
}

/// How many statements a judge has to decide about an attempt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statements {
    pub most: u64,
    pub typical: u64,
}

impl Statements {
    /// Of so many attempts.
    pub fn times(self, attempts: u64) -> Statements {
        Statements {
            most: self.most.saturating_mul(attempts),
            typical: self.typical.saturating_mul(attempts),
        }
    }

    fn exactly(count: usize) -> Statements {
        let count = count as u64;
        Statements {
            most: count,
            typical: count,
        }
    }
}

/// What a judge has to decide about one attempt at an item, by all that is known before it:
/// a run of at most `max_steps` model calls shows how often a person is asked.
pub fn statements(judge: JudgeKey, item: Item, max_steps: u32) -> Statements {
    match (judge, item) {
        (JudgeKey::ResponseCriteria, Item::Example(example)) => match example.expect.triage {
            Triage::Respond => Statements::exactly(example.expect.criteria.len()),
            Triage::Notify | Triage::Ignore => Statements::default(),
        },
        (JudgeKey::TriageReasonable, Item::Example(_)) => Statements::exactly(1),
        (JudgeKey::FeedbackHonoured, Item::Scenario(scenario)) => instructions(scenario, max_steps),
        (JudgeKey::MemoryUpdate, Item::Episode(episode)) => {
            let steps = episode.steps.iter();
            let (most, typical) = steps.fold((0, 0), |(most, typical), step| {
                let of = answers(&step.human, teaches, max_steps);
                (most + of.most, typical + of.typical)
            });
            Statements { most, typical }
        }
        _ => Statements::default(),
    }
}

/// What a person says in words of drafts and notices.
fn instructions(scenario: &Scenario, max_steps: u32) -> Statements {
    match &scenario.human {
        Person::Scripted(rules) => answers(rules, instructs, max_steps),
        Person::Simulated { turns, .. } => Statements {
            most: (*turns).into(),
            typical: 1,
        },
    }
}

/// How often rules that are of interest can answer: one that is not for a certain question
/// answers as often as it is asked.
fn answers(rules: &[Rule], counts: impl Fn(&Rule) -> bool, max_steps: u32) -> Statements {
    let of_interest = rules.iter().filter(|rule| counts(rule));
    let (most, typical) = of_interest.fold((0u64, 0u64), |(most, typical), rule| {
        let times = match rule.nth {
            Some(_) => 1,
            None => max_steps.into(),
        };
        (most.saturating_add(times), typical + 1)
    });
    Statements { most, typical }
}

fn is_about_a_question(rule: &Rule) -> bool {
    matches!(&rule.on, On::Tool(name) if name == "question")
}

/// Whether it says in words what to do with a draft or a notice.
fn instructs(rule: &Rule) -> bool {
    matches!(rule.answer, RuleAnswer::Respond(_)) && !is_about_a_question(rule)
}

/// Whether an agent that remembers learns from it.
fn teaches(rule: &Rule) -> bool {
    match rule.answer {
        RuleAnswer::Edit(_) | RuleAnswer::Respond(_) => !is_about_a_question(rule),
        // That a question should not have been asked is something to learn.
        RuleAnswer::Ignore => true,
        RuleAnswer::Accept | RuleAnswer::Timeout => false,
    }
}

#[cfg(test)]
mod tests;
