//! From an attempt's spans to those of the conventions.

use jiff::Timestamp;
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, SpanKind};
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, SpanFlags, Status};

use super::attributes::{self, Attributes};
use super::{CONVENTIONS, content, ids};
use crate::experiment::{Attempt, CaseKey, Header, Verdict};
use crate::message::{Role, ToolStatus, visible};
use crate::model::settings::Settings;
use crate::redact::Redactor;
use crate::run::{Response, Run};
use crate::score::{Feedback, Score};
use crate::trace::{self, ModelCall, Trace, Work, object};

/// The embedded offline model, which is no service's.
const OFFLINE: &str = "rules";

/// Neither says more of a parent than that it is here, and that the span was recorded.
const FLAGS: u32 = SpanFlags::ContextHasIsRemoteMask as u32 | 1;

/// What is told of an experiment's attempts, and what not.
pub struct Telling<'a> {
    pub header: &'a Header,
    /// Whether texts are told: emails, prompts, replies, arguments, memories.
    pub content: bool,
    /// Stands on every resource, over what does by itself.
    pub resource: &'a [(String, String)],
    /// All texts pass it.
    pub redactor: &'a Redactor,
}

impl Telling<'_> {
    /// The spans of an attempt, the attempt itself first, with its scores as events.
    pub fn spans(&self, trace: &Trace, attempt: &Attempt<Run>) -> Vec<Span> {
        let id = ids::trace(self.header, &trace.case);
        let threads = self.threads(trace);
        let spans = trace.spans.iter().zip(&threads);
        let spans = spans.map(|(span, thread)| {
            let parent = span.parent.map(|parent| &trace.spans[parent].path);
            let said = self.said(span, thread, attempt);
            Span {
                trace_id: id.to_vec(),
                span_id: ids::span(id, &span.path).to_vec(),
                parent_span_id: parent.map_or_else(Vec::new, |path| ids::span(id, path).to_vec()),
                flags: FLAGS,
                name: attributes::text(self.redactor, &said.name),
                kind: said.kind.into(),
                start_time_unix_nano: nanoseconds(span.started),
                end_time_unix_nano: nanoseconds(span.ended),
                attributes: said.attributes.into_list(),
                events: match span.work {
                    Work::Attempt => self.scores(attempt, span.ended),
                    _ => Vec::new(),
                },
                status: Some(self.status(span)),
                ..Span::default()
            }
        });
        spans.collect()
    }

    /// The spans of one variant as they travel.
    pub fn resource(&self, variant: u32, spans: Vec<Span>) -> ResourceSpans {
        let header = self.header;
        let mut all = Attributes::new(self.redactor);
        let ours = [
            ("service.name", "mailproof"),
            ("service.version", &header.tool_version),
            ("mailproof.experiment", &header.experiment),
            ("mailproof.variant", &header.variants[variant as usize].name),
            ("mailproof.dataset", &header.dataset.name),
            ("mailproof.dataset.hash", &header.dataset.hash),
        ];
        let theirs = self.resource.iter().map(|(key, value)| (&**key, &**value));
        for (key, value) in ours {
            if theirs.clone().all(|(their, _)| their != key) {
                all.text(key, value);
            }
        }
        for (key, value) in theirs {
            all.text(key, value);
        }
        ResourceSpans {
            resource: Some(Resource {
                attributes: all.into_list(),
                ..Resource::default()
            }),
            scope_spans: vec![ScopeSpans {
                scope: Some(InstrumentationScope {
                    name: env!("CARGO_PKG_NAME").to_owned(),
                    version: env!("CARGO_PKG_VERSION").to_owned(),
                    ..InstrumentationScope::default()
                }),
                spans,
                schema_url: CONVENTIONS.to_owned(),
            }],
            ..ResourceSpans::default()
        }
    }

    /// Of each span the conversation that it is of: the experiment, since those of others go to
    /// the same place, and the thread as the harness called it.
    fn threads(&self, trace: &Trace) -> Vec<String> {
        let experiment = &self.header.experiment;
        let variant = &self.header.variants[trace.case.variant as usize].name;
        let CaseKey {
            example, repeat, ..
        } = &trace.case;
        let whole = format!("{experiment}/{variant}/{example}/{repeat}");
        let (mut shared, mut alone) = (0, 0);
        let mut threads: Vec<String> = Vec::with_capacity(trace.spans.len());
        for span in &trace.spans {
            let (number, name) = match span.work {
                Work::Email { ablation: false } => (&mut shared, "step"),
                Work::Email { ablation: true } => (&mut alone, "alone"),
                _ => {
                    let parent = span.parent.map(|parent| threads[parent].clone());
                    threads.push(parent.unwrap_or_else(|| whole.clone()));
                    continue;
                }
            };
            *number += 1;
            threads.push(format!("{whole}/{name}-{number}"));
        }
        threads
    }

    fn said(&self, span: &trace::Span, thread: &str, attempt: &Attempt<Run>) -> Said<'_> {
        let mut said = Said {
            name: span.name.clone(),
            kind: SpanKind::Internal,
            attributes: Attributes::new(self.redactor),
        };
        match &span.work {
            Work::Attempt => {
                self.agent(&mut said, thread, attempt);
                self.attempt(&mut said.attributes, attempt);
            }
            Work::Email { ablation } => {
                self.agent(&mut said, thread, attempt);
                said.attributes.text("mailproof.step", &span.name);
                said.attributes.flag("mailproof.ablation", *ablation);
            }
            Work::Node => said.attributes.text("mailproof.node", &span.name),
            Work::Model(call) => self.model(&mut said, thread, call),
            Work::Tool {
                call_id,
                arguments,
                status,
                result,
            } => {
                said.name = format!("execute_tool {}", span.name);
                let all = &mut said.attributes;
                all.text("gen_ai.operation.name", "execute_tool");
                all.text("gen_ai.tool.name", &span.name);
                all.text("gen_ai.tool.type", "function");
                all.text("gen_ai.tool.call.id", call_id);
                all.text("mailproof.tool.status", tool_status(*status));
                if self.content {
                    let arguments = object(arguments).into();
                    all.json("gen_ai.tool.call.arguments", &arguments);
                    if let Some(result) = result {
                        all.text("gen_ai.tool.call.result", result);
                    }
                }
            }
            Work::Interrupt {
                interrupt,
                response,
                answered_by,
            } => {
                let all = &mut said.attributes;
                all.text("mailproof.interrupt.action", &interrupt.action);
                all.text("mailproof.interrupt.response", response.kind());
                all.text("mailproof.interrupt.answered_by", answered_by);
                if self.content {
                    let asked = interrupt.args.clone().into();
                    all.json("mailproof.interrupt.arguments", &asked);
                    match response {
                        Response::Edit(edited) => {
                            let edited = edited.clone().into();
                            all.json("mailproof.interrupt.edited", &edited);
                        }
                        Response::Respond(text) => all.text("mailproof.interrupt.text", text),
                        Response::Accept | Response::Ignore => {}
                    }
                }
            }
            Work::Memory {
                namespace,
                key,
                before,
                after,
                reason,
            } => {
                let operation = match before {
                    Some(_) => "update_memory",
                    None => "create_memory",
                };
                operation.clone_into(&mut said.name);
                let all = &mut said.attributes;
                all.text("gen_ai.operation.name", operation);
                all.text("gen_ai.memory.store.id", namespace);
                all.text("gen_ai.memory.record.id", key);
                all.whole("gen_ai.memory.record.count", 1);
                if self.content {
                    all.json("gen_ai.memory.records", &content::record(key, after));
                    all.text("mailproof.memory.reason", reason);
                }
            }
        }
        if span.error.is_some() {
            let class = error_type(&span.work, attempt);
            said.attributes.text("error.type", class);
        }
        said
    }

    /// What an attempt and an email of one have in common: an agent was given something to do.
    fn agent(&self, said: &mut Said<'_>, thread: &str, attempt: &Attempt<Run>) {
        let variant = &self.header.variants[attempt.case.variant as usize];
        said.name = format!("invoke_agent {}", variant.agent);
        let all = &mut said.attributes;
        all.text("gen_ai.operation.name", "invoke_agent");
        all.text("gen_ai.agent.name", &variant.agent);
        let model = self.header.models.get(&variant.model);
        let model = model.map_or(&variant.model, |asked| &asked.model);
        let (provider, model) = provider(model);
        all.text("gen_ai.provider.name", provider);
        all.text("gen_ai.request.model", model);
        all.text("gen_ai.conversation.id", thread);
    }

    fn attempt(&self, all: &mut Attributes<'_>, attempt: &Attempt<Run>) {
        let header = self.header;
        let variant = &header.variants[attempt.case.variant as usize];
        all.text("mailproof.experiment", &header.experiment);
        all.text("mailproof.variant", &variant.name);
        all.text("mailproof.example", &attempt.case.example);
        all.text("mailproof.kind", attempt.kind.name());
        all.whole("mailproof.repeat", attempt.case.repeat.into());
        all.text("mailproof.outcome", attempt.outcome.name());
        all.text("mailproof.verdict", verdict(attempt.verdict()));
        if let Some(split) = &attempt.split {
            all.text("mailproof.split", split);
        }
        if !attempt.tags.is_empty() {
            all.texts("mailproof.tags", &attempt.tags);
        }
        if let Some(expected) = attempt.expected {
            all.text("mailproof.triage.expected", expected.name());
        }
        if let Some(found) = attempt.found {
            all.text("mailproof.triage.found", found.name());
        }
        if let Some(cost) = attempt.usage.cost() {
            all.number("mailproof.cost_usd", cost.usd());
        }
        if self.content {
            self.conversation(all, attempt);
        }
    }

    /// What the agent was given first, and what it said last.
    fn conversation(&self, all: &mut Attributes<'_>, attempt: &Attempt<Run>) {
        let first = attempt.runs.first();
        let first = first.and_then(|run| run.messages.iter().find(|said| said.role == Role::User));
        if let Some(first) = first {
            all.json("gen_ai.input.messages", &content::input([first]));
        }
        let last = attempt.runs.last().and_then(|run| {
            let mut said = visible(&run.messages).into_iter();
            said.rfind(|message| message.role == Role::Assistant)
        });
        if let Some(last) = last {
            all.json("gen_ai.output.messages", &content::last(last));
        }
    }

    fn model(&self, said: &mut Said<'_>, thread: &str, call: &ModelCall) {
        let (provider, model) = provider(&call.model);
        said.name = format!("chat {model}");
        if call.model != OFFLINE {
            said.kind = SpanKind::Client;
        }
        let all = &mut said.attributes;
        all.text("gen_ai.operation.name", "chat");
        all.text("gen_ai.provider.name", provider);
        all.text("gen_ai.request.model", model);
        all.text("gen_ai.conversation.id", thread);
        if call.model != OFFLINE {
            asked(all, &call.settings);
            let usage = &call.usage;
            all.whole("gen_ai.usage.input_tokens", usage.input_tokens);
            all.whole("gen_ai.usage.output_tokens", usage.output_tokens);
            if usage.cached_input_tokens > 0 {
                let key = "gen_ai.usage.cache_read.input_tokens";
                all.whole(key, usage.cached_input_tokens);
            }
            if let Some(cost) = usage.cost {
                all.number("mailproof.cost_usd", cost.usd());
            }
        }
        let reason = content::finish_reason(call);
        all.texts("gen_ai.response.finish_reasons", [reason]);
        all.text("mailproof.role", role(call));
        if self.content {
            if !call.system.is_empty() {
                let system = content::instructions(&call.system);
                all.json("gen_ai.system_instructions", &system);
            }
            if !call.tools.is_empty() {
                all.json("gen_ai.tool.definitions", &content::tools(&call.tools));
            }
            all.json("gen_ai.input.messages", &content::input(&call.messages));
            all.json("gen_ai.output.messages", &content::output(call));
        }
    }

    /// One event for each score. What is said of it may quote what was, and is content.
    fn scores(&self, attempt: &Attempt<Run>, at: Timestamp) -> Vec<Event> {
        let scores = attempt.feedback.iter().map(|feedback| {
            let mut all = Attributes::new(self.redactor);
            all.text("gen_ai.evaluation.name", feedback.key.name());
            all.number("gen_ai.evaluation.score.value", feedback.score.get());
            if let Some(label) = label(feedback) {
                all.text("gen_ai.evaluation.score.label", label);
            }
            if let Some(comment) = feedback.comment.as_ref().filter(|_| self.content) {
                all.text("gen_ai.evaluation.explanation", comment);
            }
            Event {
                time_unix_nano: nanoseconds(at),
                name: "gen_ai.evaluation.result".to_owned(),
                attributes: all.into_list(),
                ..Event::default()
            }
        });
        scores.collect()
    }

    fn status(&self, span: &trace::Span) -> Status {
        let error = match self.content {
            true => span.error.as_deref(),
            false => span.error_class(),
        };
        match error {
            Some(error) => Status {
                message: attributes::text(self.redactor, error),
                code: StatusCode::Error.into(),
            },
            None => Status::default(),
        }
    }
}

/// What is said of one span.
struct Said<'a> {
    name: String,
    kind: SpanKind,
    attributes: Attributes<'a>,
}

fn asked(all: &mut Attributes<'_>, settings: &Settings) {
    if let Some(temperature) = settings.sent_temperature() {
        all.number("gen_ai.request.temperature", temperature);
    }
    if let Some(most) = settings.max_tokens {
        all.whole("gen_ai.request.max_tokens", most.into());
    }
    if let Some(seed) = settings.seed {
        all.whole("gen_ai.request.seed", seed);
    }
    if let Some(effort) = &settings.reasoning_effort {
        all.text("mailproof.reasoning_effort", effort);
    }
}

/// A provider as the conventions call it, and the model's own name.
/// Source: the well-known values of `gen_ai.provider.name`.
fn provider(chosen: &str) -> (&str, &str) {
    let Some((provider, model)) = chosen.split_once(':') else {
        // The offline model; nobody else's has no provider.
        return ("mailproof", chosen);
    };
    let known = match provider {
        "azure" => "azure.ai.openai",
        "google" | "gemini" => "gcp.gemini",
        "mistral" => "mistral_ai",
        other => other,
    };
    (known, model)
}

fn role(call: &ModelCall) -> &'static str {
    use crate::run::ModelRole::*;
    match call.role {
        Agent => "agent",
        Router => "router",
        Memory => "memory",
        Judge => "judge",
        Simulator => "simulator",
    }
}

fn tool_status(status: ToolStatus) -> &'static str {
    match status {
        ToolStatus::Executed => "executed",
        ToolStatus::Failed => "failed",
        ToolStatus::Denied => "denied",
        ToolStatus::Answered => "answered",
    }
}

fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Passed => "passed",
        Verdict::Failed => "failed",
        Verdict::Unscored => "unscored",
    }
}

/// `None` for what has no say in whether an attempt passed.
fn label(feedback: &Feedback) -> Option<&'static str> {
    if feedback.key.is_diagnostic() {
        return None;
    }
    Some(match feedback.score == Score::BEST {
        true => "pass",
        false => "fail",
    })
}

/// A class of errors that there are few of.
fn error_type(work: &Work, attempt: &Attempt<Run>) -> &'static str {
    match work {
        Work::Attempt => attempt.outcome.name(),
        Work::Model(call) => match content::finish_reason(call) {
            reason @ ("length" | "content_filter") => reason,
            _ => OTHER,
        },
        Work::Tool { status, .. } => tool_status(*status),
        Work::Email { .. } | Work::Node | Work::Interrupt { .. } | Work::Memory { .. } => OTHER,
    }
}

/// The conventions' word for an error without a class.
const OTHER: &str = "_OTHER";

/// Since 1970; what was before it is at its beginning.
fn nanoseconds(time: Timestamp) -> u64 {
    u64::try_from(time.as_nanosecond()).unwrap_or(0)
}
