//! One attempt, its wording apart.

use std::collections::{BTreeSet, HashMap};

use jiff::civil::Date;

use super::argument::{form, shown, sorted};
use crate::dataset::{CallPattern, Dataset, Example, MatchMode};
use crate::email::{Email, Triage};
use crate::experiment::{Attempt, CaseKind, Item};
use crate::message::ToolStatus;
use crate::redact::Redactor;
use crate::run::{Outcome, Run, Step};
use crate::score::tool_calls::made::Call;
use crate::score::tool_calls::paired;

/// The most calls, and the most questions, of a run that are shown; further ones are counted.
const MOST_SHOWN: usize = 100;
/// The most arguments of a call that are shown; likewise.
const MOST_ARGUMENTS: usize = 30;
/// The most characters of a name.
const LONGEST_NAME: usize = 64;
/// What stands in the place of the rest where a run went no further, because nobody asked.
const STOPPED: &str = "stopped at the decision";

/// What an attempt came to, in lines that say the same as long as the agent does the same.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Snapshot(String);

impl Snapshot {
    /// As the file has it: lines of visible characters, none empty, the last without its end.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn from_lines(lines: &[&str]) -> Snapshot {
        Snapshot(lines.join("\n"))
    }

    /// Whether the run was to end at the decision.
    pub fn stopped(&self) -> bool {
        self.0.lines().nth(1) == Some(STOPPED)
    }

    /// Whether `now` shows nothing new: it is equal, or went no further than an equal decision.
    pub fn covers(&self, now: &Snapshot) -> bool {
        self == now || now.stopped() && self.0.lines().next() == now.0.lines().next()
    }
}

/// Makes snapshots of the attempts of one experiment.
#[derive(Debug)]
pub(super) struct Camera<'a> {
    dataset: &'a Dataset,
    items: HashMap<&'a str, Item<'a>>,
    /// The day that prompts named.
    date: Date,
    /// Whether runs of examples were to end at the decision.
    stops: bool,
    redactor: &'a Redactor,
}

impl<'a> Camera<'a> {
    pub fn new(dataset: &'a Dataset, date: Date, stops: bool, redactor: &'a Redactor) -> Self {
        let examples = dataset.examples.iter().map(Item::Example);
        let scenarios = dataset.scenarios.iter().map(Item::Scenario);
        let episodes = dataset.episodes.iter().map(Item::Episode);
        let items = examples.chain(scenarios).chain(episodes);
        Camera {
            dataset,
            items: items.map(|item| (item.id(), item)).collect(),
            date,
            stops,
            redactor,
        }
    }

    /// The email that an example, a scenario, or the first step of an episode is about.
    pub fn email(&self, id: &str) -> Option<&'a Email> {
        let at = |index: u32| self.dataset.examples.get(index as usize);
        let example = match self.items.get(id)? {
            Item::Example(example) => Some(*example),
            Item::Scenario(scenario) => at(scenario.example),
            Item::Episode(episode) => episode.steps.first().and_then(|step| at(step.example)),
        };
        example.map(|example| &example.email)
    }

    pub fn take(&self, attempt: &Attempt<Run>) -> Snapshot {
        let mut page = Page::default();
        let example = |index: u32| self.dataset.examples.get(index as usize);
        match self.items.get(&*attempt.case.example) {
            Some(Item::Episode(episode)) => {
                for (number, (run, step)) in attempt.runs.iter().zip(&episode.steps).enumerate() {
                    let example = example(step.example);
                    let id = example.map(|it| shown(&it.id, LONGEST_NAME));
                    page.line(
                        0,
                        format!("step {} ({})", number + 1, id.unwrap_or_default()),
                    );
                    let calls = step.expect.tool_calls.as_deref();
                    let mode = step.expect.mode.unwrap_or_default();
                    self.handled(&mut page, 1, run, &Task::new(example, calls, mode));
                }
            }
            item => {
                let (example, expect) = match item {
                    Some(Item::Example(it)) => (Some(*it), Some(&it.expect)),
                    Some(Item::Scenario(it)) => (example(it.example), Some(&it.expect)),
                    Some(Item::Episode(_)) | None => (None, None),
                };
                let calls = expect.and_then(|it| it.tool_calls.as_deref());
                let mode = expect.map_or(MatchMode::default(), |it| it.mode);
                let task = Task {
                    stops: self.stops && attempt.kind == CaseKind::Example,
                    ..Task::new(example, calls, mode)
                };
                for run in &attempt.runs {
                    self.handled(&mut page, 0, run, &task);
                }
            }
        }
        let changed = attempt.memory.iter().map(|change| &change.namespace);
        for namespace in changed.collect::<BTreeSet<_>>() {
            page.line(
                0,
                format!("remembers in {}", shown(namespace, LONGEST_NAME)),
            );
        }
        Snapshot(self.redactor.text(&page.lines.join("\n")).into_owned())
    }

    fn handled(&self, page: &mut Page, depth: usize, run: &Run, task: &Task<'_>) {
        let decision = run.triage.map_or("none", Triage::name);
        page.line(depth, format!("decision: {decision}"));
        if task.stops {
            page.line(depth, STOPPED.to_owned());
        } else {
            let questions: Vec<String> = run.steps.iter().filter_map(question).collect();
            page.listed(depth, "questions", questions);
            // An undated email can only be answered from the day of the run.
            let is_dated = task.example.is_none_or(|it| it.email.date.is_some());
            let from = (!is_dated).then_some(self.date);
            let calls = paired(task.patterns, task.mode, run);
            for (call, pattern) in calls.iter().take(MOST_SHOWN) {
                page.line(
                    depth,
                    format!("call {}: {}", name(&call.name), became(call)),
                );
                page.arguments(depth + 1, call, *pattern, from);
            }
            page.more(depth, "calls", calls.len().saturating_sub(MOST_SHOWN));
        }
        if run.outcome != Outcome::Finished {
            page.line(depth, format!("ended: {}", run.outcome.name()));
        }
    }
}

/// What a run was about.
struct Task<'a> {
    example: Option<&'a Example>,
    patterns: &'a [CallPattern],
    mode: MatchMode,
    /// Whether it was to end at the decision.
    stops: bool,
}

impl<'a> Task<'a> {
    fn new(
        example: Option<&'a Example>,
        calls: Option<&'a [CallPattern]>,
        mode: MatchMode,
    ) -> Self {
        Task {
            example,
            patterns: calls.unwrap_or_default(),
            mode,
            stops: false,
        }
    }
}

/// `asks about write_email: edit`, with what the person answered.
fn question(step: &Step) -> Option<String> {
    let Step::Interrupt {
        interrupt,
        response,
        answered_by,
        ..
    } = step
    else {
        return None;
    };
    let answer = match answered_by.as_str() {
        "timeout" => "nobody answers in time",
        _ => response.kind(),
    };
    Some(format!("asks about {}: {answer}", name(&interrupt.action)))
}

fn name(text: &str) -> String {
    shown(&text.to_lowercase(), LONGEST_NAME)
}

fn became(call: &Call) -> &'static str {
    match call.status {
        Some(ToolStatus::Executed) => "ran",
        Some(ToolStatus::Answered) => "answered",
        Some(ToolStatus::Failed) => "failed",
        Some(ToolStatus::Denied) => "turned down",
        None if call.was_made() => "ran",
        None => "not run",
    }
}

#[derive(Debug, Default)]
struct Page {
    lines: Vec<String>,
}

impl Page {
    fn line(&mut self, depth: usize, line: String) {
        self.lines.push(format!("{}{line}", "  ".repeat(depth)));
    }

    fn more(&mut self, depth: usize, what: &str, count: usize) {
        if count > 0 {
            self.line(depth, format!("and {count} more {what}"));
        }
    }

    fn listed(&mut self, depth: usize, what: &str, lines: Vec<String>) {
        let more = lines.len().saturating_sub(MOST_SHOWN);
        for line in lines.into_iter().take(MOST_SHOWN) {
            self.line(depth, line);
        }
        self.more(depth, what, more);
    }

    /// What is given, and what is expected and was not.
    fn arguments(
        &mut self,
        depth: usize,
        call: &Call,
        pattern: Option<&CallPattern>,
        from: Option<Date>,
    ) {
        let matchers = pattern.map(|it| &it.arguments[..]).unwrap_or_default();
        let given = sorted(&call.arguments).map(|(name, _)| name.as_str());
        let expected = matchers.iter().map(|(name, _)| name.as_str());
        let names: BTreeSet<&str> = given.chain(expected).collect();
        for argument in names.iter().take(MOST_ARGUMENTS) {
            let matcher = matchers.iter().find(|(name, _)| name == argument);
            let matcher = matcher.map(|(_, matcher)| matcher);
            if let Some(form) = form(argument, call.arguments.get(*argument), matcher, from) {
                self.line(depth, format!("{}: {form}", shown(argument, LONGEST_NAME)));
            }
        }
        self.more(
            depth,
            "arguments",
            names.len().saturating_sub(MOST_ARGUMENTS),
        );
    }
}
