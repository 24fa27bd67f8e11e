//! What people can be asked about an attempt, as they are shown it: without what gives the
//! agent away, and as a judge would be shown it.

use std::collections::HashMap;

use super::{Attempt, CaseKind};
use crate::agent::tools::Tool;
use crate::dataset::{Dataset, Example, Scenario};
use crate::judge::Verdict;
use crate::judge::calibration::items::{Item, Reading, Work, works};
use crate::judge::definition::Definition;
use crate::judge::subject::{Question, Subject, questions};
use crate::run::Run;

/// A statement about what an agent did, which nobody has decided yet.
pub struct Statement {
    /// Its id follows from the work and the statement; its label is nobody's.
    pub item: Item,
    /// What a person is shown.
    pub shown: String,
    pub text: String,
}

/// Finds the statements about attempts at a dataset's items.
pub struct Statements<'a> {
    dataset: &'a Dataset,
    examples: HashMap<&'a str, &'a Example>,
    scenarios: HashMap<&'a str, &'a Scenario>,
}

impl<'a> Statements<'a> {
    pub fn new(dataset: &'a Dataset) -> Statements<'a> {
        let examples = dataset.examples.iter();
        let scenarios = dataset.scenarios.iter();
        Statements {
            dataset,
            examples: examples.map(|example| (&*example.id, example)).collect(),
            scenarios: scenarios
                .map(|scenario| (&*scenario.id, scenario))
                .collect(),
        }
    }

    /// What there is to decide about an attempt, by the number, from 1, that the statement has
    /// among all that the judge is asked; without what code decides. `None` where no item can
    /// hold it.
    pub fn of(
        &self,
        definition: &Definition,
        attempt: &Attempt<Run>,
    ) -> Vec<(usize, Option<Statement>)> {
        let id = &*attempt.case.example;
        let (subject, example) = match (attempt.kind, &attempt.runs[..]) {
            (CaseKind::Example, [run]) => match self.examples.get(id) {
                Some(example) => (Subject::Example { example, run }, *example),
                None => return Vec::new(),
            },
            (CaseKind::Scenario, [run]) => match self.scenarios.get(id) {
                Some(scenario) => {
                    let example = &self.dataset.examples[scenario.example as usize];
                    let subject = Subject::Scenario {
                        scenario,
                        example,
                        run,
                    };
                    (subject, example)
                }
                None => return Vec::new(),
            },
            _ => return Vec::new(),
        };
        let asked = questions(definition, &subject);
        let asked = (1..).zip(&asked);
        let numbers = asked.filter(|(_, question)| question.decided.is_none());
        let works = works(definition, &subject).into_iter();
        let statement = |(work, question)| {
            let mut item = Item {
                id: String::new(),
                kind: None,
                label: Verdict::CannotTell,
                reason: String::new(),
                labelled_by: "nobody".to_owned(),
                email: example.email.clone(),
                cluster: attempt
                    .cluster
                    .clone()
                    .unwrap_or_else(|| example.id.clone()),
                work,
            };
            // What does not tell replies apart for a person is asked about once.
            let blind = blind(item.clone());
            item.id = format!("{id}-{}", blind.fingerprint());
            let shown = blind.question(definition).ok()?.shown;
            holds(&item, &question, definition).then(|| Statement {
                item,
                shown,
                text: question.statement,
            })
        };
        let works = numbers.zip(works);
        works
            .map(|((number, _), work)| (number, statement(work)))
            .collect()
    }
}

/// The item without what gives its agent away and says nothing of the reply: some decide
/// about the email by a call, some look up what they remember.
fn blind(mut item: Item) -> Item {
    let tells = |tool: &Tool| matches!(tool, Tool::TriageEmail | Tool::Search(_));
    let telling: Vec<Tool> = Tool::ALL.into_iter().filter(tells).collect();
    if let Work::Reply { done, .. } | Work::Feedback { done, .. } = &mut item.work {
        let calls = &mut done.calls;
        calls.retain(|call| !telling.iter().any(|tool| tool.is_called(&call.name)));
    }
    item
}

/// Whether a judge will be shown of the item, once it was written and read, what it is shown
/// of the attempt.
fn holds(item: &Item, question: &Question, definition: &Definition) -> bool {
    let line = serde_json::to_vec(item).expect("an item has string keys only");
    let mut reading = Reading::new(&[]);
    reading.text("item", &line[..]);
    let Ok(items) = reading.finish() else {
        return false;
    };
    let asked = items.first().map(|item| item.question(definition));
    matches!(asked, Some(Ok(asked)) if asked == *question)
}
