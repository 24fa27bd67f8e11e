//! One attempt, step by step, for a person who wants to know why.

use std::collections::{BTreeMap, HashSet};

use anstyle::Style;
use serde_json::Value;
use textwrap::Options;

use super::escape::{bounded, line, lines};
use super::figures;
use super::judges::{self, StandingReport};
use crate::experiment::{Attempt, JudgePlan, Variant};
use crate::judge::{JudgeKey, Judged, Ruling, Verdict, Vote};
use crate::message::{Message, PromptContent, Role, ToolCall, ToolStatus};
use crate::run::{Interrupt, Outcome, ReplyRef, Response, Run, Sent, Step, Stop, Usage};
use crate::score::Feedback;

/// How a trajectory is shown.
#[derive(Clone, Copy, Debug)]
pub struct TrajectoryOptions<'a> {
    /// Columns of the screen.
    pub width: usize,
    pub color: bool,
    /// Show every text to its end.
    pub full: bool,
    /// Show system prompts and the tools offered, each once, from these texts by hash.
    pub prompts: Option<&'a BTreeMap<String, PromptContent>>,
}

/// Lines of one text that are shown without `full`.
const LINES_SHOWN: usize = 40;
/// Characters of one text that are shown without `full`.
const TEXT_SHOWN: usize = 3_000;
/// Spaces before what belongs to a step.
const INDENT: usize = 4;

/// Lays out one attempt of `variant`: what was expected and found, what the judges of the
/// plan ruled, then each step.
pub fn render(
    attempt: &Attempt<Run>,
    variant: &Variant,
    judges: &[JudgePlan],
    options: TrajectoryOptions<'_>,
) -> String {
    let Some(first) = attempt.runs.first() else {
        return String::new();
    };
    let calibration = |judge: JudgeKey| {
        let plan = judges.iter().find(|plan| plan.judge == judge);
        let standing = plan.and_then(|plan| judges::panel(plan, variant).1);
        StandingReport::new(standing).mark()
    };
    let mut page = Page::new(first, options);
    page.header(attempt, &variant.name, calibration);
    for judged in &attempt.judged {
        page.judged(judged, &calibration(judged.judge));
    }
    let several = attempt.runs.len() > 1;
    for (number, run) in attempt.runs.iter().enumerate() {
        if several {
            page.begin(run);
            page.heading(&format!("email {} of {}", number + 1, attempt.runs.len()));
            page.ending(run.outcome, &run.usage, run.latency_ms);
            page.error_and_reasoning(run.error.as_deref());
        }
        page.steps();
    }
    page.text
}

/// Lays out the run of `variant` on an email of which nothing was expected.
pub fn render_run(run: &Run, variant: &str, options: TrajectoryOptions<'_>) -> String {
    let mut page = Page::new(run, options);
    page.heading(variant);
    let decision = run.triage.map_or("none", |triage| triage.name());
    page.entry("decision: ", decision);
    page.ending(run.outcome, &run.usage, run.latency_ms);
    page.error_and_reasoning(run.error.as_deref());
    page.steps();
    page.text
}

struct Page<'a> {
    options: TrajectoryOptions<'a>,
    text: String,
    run: &'a Run,
    /// Entries of the log that were shown, by position.
    shown: HashSet<usize>,
    prompts_shown: HashSet<&'a str>,
}

const HEADING: Style = Style::new().bold();

impl<'a> Page<'a> {
    fn new(run: &'a Run, options: TrajectoryOptions<'a>) -> Page<'a> {
        Page {
            options: TrajectoryOptions {
                width: options.width.clamp(40, 200),
                ..options
            },
            text: String::new(),
            run,
            shown: HashSet::new(),
            prompts_shown: HashSet::new(),
        }
    }

    /// Goes on with another run.
    fn begin(&mut self, run: &'a Run) {
        self.run = run;
        self.shown.clear();
        self.text.push('\n');
    }

    fn steps(&mut self) {
        let run = self.run;
        for (number, step) in run.steps.iter().enumerate() {
            self.step(number + 1, step);
        }
        self.end();
    }

    fn ending(&mut self, outcome: Outcome, usage: &Usage, latency_ms: f64) {
        let end = format!(
            "{} after {} and {}",
            outcome.name(),
            figures::plural(figures::own_calls(usage), "model call"),
            figures::duration(latency_ms),
        );
        self.entry("end: ", &end);
    }

    fn error_and_reasoning(&mut self, error: Option<&str>) {
        if let Some(error) = error {
            self.entry("error: ", error);
        }
        if let Some(reasoning) = &self.run.reasoning {
            self.entry("", "reasoning:");
            self.quote(reasoning);
        }
    }

    fn heading(&mut self, text: &str) {
        let options = Options::new(self.options.width).subsequent_indent("   ");
        let folded = textwrap::fill(&line(text), options);
        if self.options.color {
            self.text
                .push_str(&format!("{HEADING}{folded}{HEADING:#}\n"));
        } else {
            self.text.push_str(&folded);
            self.text.push('\n');
        }
    }

    /// One entry, folded under itself, with `mark` before its first line.
    fn entry(&mut self, mark: &str, text: &str) {
        self.hanging(mark, INDENT + 2, text);
    }

    /// One entry whose other lines start at column `rest`.
    fn hanging(&mut self, mark: &str, rest: usize, text: &str) {
        let first = format!("{:INDENT$}{mark}", "");
        let rest = " ".repeat(rest);
        let options = Options::new(self.options.width)
            .initial_indent(&first)
            .subsequent_indent(&rest);
        let folded = textwrap::fill(&line(text), options);
        self.text.push_str(folded.trim_end());
        self.text.push('\n');
    }

    fn quote(&mut self, text: &str) {
        self.quote_at(INDENT, text);
    }

    /// Somebody's words, with their own line breaks, beside a bar; cut where they are long.
    fn quote_at(&mut self, indent: usize, text: &str) {
        let bar = format!("{:indent$}│ ", "");
        let options = Options::new(self.options.width)
            .initial_indent(&bar)
            .subsequent_indent(&bar);
        let bounded = match self.options.full {
            true => text.into(),
            false => bounded(text, TEXT_SHOWN),
        };
        let mut folded: Vec<String> = Vec::new();
        for line in lines(bounded.trim_end()).split('\n') {
            match line.trim_end() {
                "" => folded.push(bar.clone()),
                line => folded.push(textwrap::fill(line, &options)),
            }
        }
        let folded = folded.join("\n");
        let kept: Vec<&str> = match self.options.full {
            true => folded.lines().collect(),
            false => folded.lines().take(LINES_SHOWN).collect(),
        };
        for line in &kept {
            self.text.push_str(line.trim_end());
            self.text.push('\n');
        }
        if kept.len() < folded.lines().count() || bounded.len() < text.len() {
            self.text.push_str(&format!(
                "{:indent$}└ cut here; `--full` shows the rest\n",
                ""
            ));
        }
    }

    fn header(
        &mut self,
        attempt: &Attempt<Run>,
        variant: &str,
        calibration: impl Fn(JudgeKey) -> String,
    ) {
        let case = &attempt.case;
        self.heading(&format!(
            "{}, {variant}, attempt {}",
            case.example,
            case.repeat + 1
        ));
        if let Some(expected) = attempt.expected {
            let decision = match attempt.found {
                Some(found) if found == expected => format!("{found}, as expected"),
                Some(found) => format!("expected {expected}, found {found}"),
                None => format!("expected {expected}, found no decision"),
            };
            self.entry("decision: ", &decision);
        }
        self.ending(attempt.outcome, &attempt.usage, attempt.latency_ms);
        if attempt.feedback.is_empty() {
            self.entry("scores: ", "none");
        }
        for feedback in &attempt.feedback {
            let judge = JudgeKey::ALL
                .into_iter()
                .find(|judge| judges::keys(*judge).contains(&feedback.key));
            self.score(feedback, &attempt.feedback, judge.map(&calibration));
        }
        if attempt.runs.len() == 1 {
            self.error_and_reasoning(attempt.error.as_deref());
        }
    }

    /// A score, with its comment unless one that has a say comes with the same; where a judge
    /// gave it, with what is known of the judge.
    fn score(&mut self, feedback: &Feedback, all: &[Feedback], calibration: Option<String>) {
        let told = all
            .iter()
            .any(|other| !other.key.is_diagnostic() && other.comment == feedback.comment);
        let comment = match &feedback.comment {
            Some(comment) if !(feedback.key.is_diagnostic() && told) => comment.as_str(),
            _ => "",
        };
        let comment = match calibration {
            Some(calibration) if comment.is_empty() => format!("({calibration})"),
            Some(calibration) => format!("({calibration}) {comment}"),
            None => comment.to_owned(),
        };
        let mark = format!("{:<22}{:.2}  ", feedback.key.name(), feedback.score.get());
        self.hanging(&mark, INDENT + mark.len(), &comment);
    }

    /// All that a judge ruled about the attempt.
    fn judged(&mut self, judged: &Judged, calibration: &str) {
        let ruled = judged.rulings.iter().filter(|it| it.verdict.is_some());
        let is_met = |ruling: &&Ruling| ruling.verdict == Some(Verdict::Pass);
        let met = judged.rulings.iter().filter(is_met).count();
        self.text.push('\n');
        self.heading(&format!(
            "{} ({calibration}): {met} of {} met",
            judged.judge,
            ruled.count()
        ));
        for (number, ruling) in (1..).zip(&judged.rulings) {
            self.ruling(number, ruling);
        }
    }

    fn ruling(&mut self, number: usize, ruling: &Ruling) {
        let verdict = judges::words::verdict_word(ruling.verdict);
        let mut facts = Vec::new();
        if ruling.critical {
            facts.push("critical".to_owned());
        }
        if ruling.weight != 1.0 {
            facts.push(format!("weight {}", ruling.weight));
        }
        if ruling.is_by_code() {
            facts.push("decided by code".to_owned());
        }
        let facts = match &facts[..] {
            [] => String::new(),
            facts => format!(" ({})", facts.join(", ")),
        };
        let mark = format!("{number}. {verdict}: ");
        let statement = format!("{}{facts}", self.cut(&ruling.statement));
        self.hanging(&mark, INDENT + 3, &statement);
        self.reasoning(&ruling.reason, &ruling.quotes, INDENT + 3);
        match &ruling.votes[..] {
            [] => {}
            [only] => self.hanging("   ", INDENT + 5, &format!("one vote, of {}", only.model)),
            votes => votes.iter().for_each(|vote| self.vote(vote, ruling)),
        }
    }

    /// A vote, with its reason unless it is the one that was told already.
    fn vote(&mut self, vote: &Vote, ruling: &Ruling) {
        let verdict = judges::words::verdict_word(vote.verdict);
        let title = format!("vote {} of {}: {verdict}", vote.vote + 1, vote.model);
        self.hanging("   ", INDENT + 5, &title);
        if vote.verdict != ruling.verdict || vote.reason != ruling.reason {
            self.reasoning(&vote.reason, &vote.quotes, INDENT + 5);
        }
    }

    fn reasoning(&mut self, reason: &str, quotes: &[String], column: usize) {
        let indent = " ".repeat(column - INDENT);
        if !reason.is_empty() {
            self.hanging(&indent, column, &self.cut(reason));
        }
        for quote in quotes {
            let quote = format!("\"{}\"", self.cut(quote));
            self.hanging(&format!("{indent}> "), column + 2, &quote);
        }
    }

    /// As much of a text as is shown on the page.
    fn cut(&self, text: &str) -> String {
        match self.options.full {
            true => text.to_owned(),
            false => bounded(text, TEXT_SHOWN).into_owned(),
        }
    }

    fn step(&mut self, number: usize, step: &'a Step) {
        self.text.push('\n');
        match step {
            Step::Model {
                node,
                role,
                prompt,
                sent,
                reply,
                usage,
                stop,
                latency_ms,
            } => {
                let tokens = match (usage.input_tokens, usage.output_tokens) {
                    // The offline model counts none.
                    (0, 0) => String::new(),
                    (input, output) => {
                        let (input, output) = (figures::count(input), figures::count(output));
                        format!("{input} + {output} tokens, ")
                    }
                };
                let ended = match stop {
                    None => "",
                    Some(Stop::Length) => ", cut off at the most tokens allowed",
                    Some(Stop::Refusal) => ", refused",
                    Some(Stop::Filtered) => ", filtered by the provider",
                };
                self.heading(&format!(
                    "{number}. {node}: asks the {} model ({tokens}{}{ended})",
                    figures::role(*role),
                    figures::duration(*latency_ms),
                ));
                self.prompt(prompt);
                let replied_after = match sent {
                    Sent::Log(length) => {
                        self.news(*length);
                        *length
                    }
                    Sent::Messages(messages) => {
                        messages.iter().for_each(|message| self.message(message));
                        0
                    }
                };
                match reply {
                    ReplyRef::Text(text) => {
                        self.entry("", "reply:");
                        self.quote(text);
                    }
                    ReplyRef::Message(id) => self.reply(id, replied_after),
                }
            }
            Step::Tool {
                node,
                call_id,
                name,
                arguments,
                status,
                latency_ms,
            } => {
                self.heading(&format!(
                    "{number}. {node}: {name} {} ({})",
                    status_word(*status),
                    figures::duration(*latency_ms),
                ));
                self.tool(call_id, arguments);
            }
            Step::Interrupt {
                node,
                interrupt,
                response,
                answered_by,
            } => {
                self.heading(&format!(
                    "{number}. {node}: asks a person about {}",
                    interrupt.action
                ));
                self.interrupt(interrupt, response, answered_by);
            }
            Step::Memory {
                node,
                namespace,
                before,
                after,
                reason,
                ..
            } => {
                self.heading(&format!("{number}. {node}: remembers in {namespace}"));
                if !reason.is_empty() {
                    self.entry("", &format!("because: {reason}"));
                }
                for (title, text) in [("before:", before.as_deref()), ("after:", Some(after))] {
                    if let Some(text) = text {
                        self.entry("", title);
                        self.quote(text);
                    }
                }
            }
        }
    }

    fn prompt(&mut self, hash: &'a str) {
        let Some(prompts) = self.options.prompts else {
            return;
        };
        if !self.prompts_shown.insert(hash) {
            self.entry("", &format!("prompt {hash}, as above"));
            return;
        }
        let Some(prompt) = prompts.get(hash) else {
            self.entry(
                "",
                &format!("prompt {hash}: its text is not in the journal"),
            );
            return;
        };
        self.entry("", &format!("prompt {hash}:"));
        self.quote(&prompt.system);
        if !prompt.tools.is_empty() {
            let tools: Vec<&str> = prompt.tools.iter().map(|tool| tool.name.as_str()).collect();
            self.entry("tools offered: ", &tools.join(", "));
        }
    }

    /// What the first `length` entries of the log hold that the reader has not seen.
    fn news(&mut self, length: usize) {
        let run = self.run;
        for (position, message) in run.messages.iter().enumerate().take(length) {
            if !self.shown.insert(position) {
                continue;
            }
            let earlier = run.messages[..position].iter();
            match earlier.rev().find(|earlier| earlier.id == message.id) {
                Some(earlier) => self.edited(earlier, message),
                None => self.message(message),
            }
        }
    }

    /// The reply with this id, which entered the log as its entry `from` or later.
    fn reply(&mut self, id: &str, from: usize) {
        let run = self.run;
        let mut entries = run.messages.iter().enumerate().skip(from);
        match entries.find(|(_, message)| message.id == id) {
            Some((position, message)) => {
                self.shown.insert(position);
                self.message(message);
            }
            None => self.entry("", &format!("reply {id}: it is not in the log")),
        }
    }

    fn message(&mut self, message: &Message) {
        match message.role {
            Role::User => {
                self.entry("", "user:");
                self.quote(&message.content);
            }
            Role::Assistant => {
                if !message.content.trim().is_empty() || message.tool_calls.is_empty() {
                    self.entry("", "assistant:");
                    self.quote(&message.content);
                }
                for call in &message.tool_calls {
                    self.call(call);
                }
            }
            Role::Tool => {
                let name = message.name.as_deref().unwrap_or("tool");
                self.entry("", &format!("{name} {}:", status_word(message.status)));
                self.quote(&message.content);
            }
        }
    }

    /// What became of a message that the reader has seen: the calls that are not as before.
    fn edited(&mut self, before: &Message, after: &Message) {
        self.entry("", "the message was edited:");
        if before.content != after.content {
            self.quote(&after.content);
        }
        for call in &after.tool_calls {
            if !before.tool_calls.contains(call) {
                self.call(call);
            }
        }
        for call in &before.tool_calls {
            if !after.tool_calls.iter().any(|other| other.id == call.id) {
                self.entry("", &format!("no longer calls {}", call.name));
            }
        }
    }

    fn call(&mut self, call: &ToolCall) {
        self.entry("", &format!("calls {}", call.name));
        self.arguments(&call.arguments);
    }

    /// One argument a line; text of several lines keeps them.
    fn arguments(&mut self, arguments: &Value) {
        let Value::Object(arguments) = arguments else {
            self.quote(&arguments.to_string());
            return;
        };
        for (name, value) in arguments {
            match value {
                Value::String(text) if text.contains('\n') => {
                    self.entry("  ", &format!("{name}:"));
                    self.quote_at(INDENT + 4, text);
                }
                Value::String(text) => self.argument(name, text),
                _ => self.argument(name, &value.to_string()),
            }
        }
    }

    fn argument(&mut self, name: &str, value: &str) {
        let shown = match self.options.full {
            true => value.into(),
            false => bounded(value, TEXT_SHOWN),
        };
        self.entry("  ", &format!("{name}: {shown}"));
    }

    fn tool(&mut self, call_id: &str, arguments: &Value) {
        let run = self.run;
        let mut proposed = run.messages.iter().flat_map(|message| &message.tool_calls);
        // What was proposed was shown with the proposal; what was changed since was not.
        if !proposed.any(|call| call.id == call_id && call.arguments == *arguments) {
            self.entry("", "with other arguments than proposed:");
            self.arguments(arguments);
        }
        for (position, message) in run.messages.iter().enumerate() {
            if message.tool_call_id.as_deref() == Some(call_id) && self.shown.insert(position) {
                self.quote(&message.content);
            }
        }
    }

    fn interrupt(&mut self, interrupt: &Interrupt, response: &Response, answered_by: &str) {
        self.arguments(&Value::Object(interrupt.args.clone()));
        self.entry("", &format!("{answered_by} answers: {}", response.kind()));
        match response {
            Response::Edit(arguments) => {
                let changed = arguments
                    .iter()
                    .filter(|(name, value)| interrupt.args.get(*name) != Some(*value));
                let changed = changed.map(|(name, value)| (name.clone(), value.clone()));
                self.arguments(&Value::Object(changed.collect()));
            }
            Response::Respond(text) => self.quote(text),
            Response::Accept | Response::Ignore => {}
        }
    }

    /// What entered the conversation after the last model call.
    fn end(&mut self) {
        let log = self.run.messages.len();
        let left = (0..log)
            .filter(|position| !self.shown.contains(position))
            .count();
        if left > 0 {
            self.text.push('\n');
            self.heading("Also in the log");
            self.news(log);
        }
    }
}

fn status_word(status: ToolStatus) -> &'static str {
    match status {
        ToolStatus::Executed => "ran",
        ToolStatus::Failed => "failed",
        ToolStatus::Denied => "was turned down",
        ToolStatus::Answered => "was answered by a person",
    }
}

#[cfg(test)]
mod tests;
