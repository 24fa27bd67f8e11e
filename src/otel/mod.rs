//! OpenTelemetry: attempts as spans, to be looked at in a tool that shows traces.
//!
//! A [`Trace`](crate::trace::Trace) becomes spans of the GenAI semantic conventions
//! ([`telling`]), which travel over OTLP/HTTP ([`export`]), a bounded batch at a time
//! ([`push`]). Ids are made of the results alone ([`ids`]), so that what is sent again is
//! seen to be the same.
//!
//! The conventions are in development and change. These are of schema
//! [`gen-ai/1.42.0`](CONVENTIONS), the first since they left the general ones at 1.41; where
//! they leave a choice, it is the one that Phoenix and Langfuse read.
//! Source: github.com/open-telemetry/semantic-conventions-genai, `docs/gen-ai`.
//!
//! What goes over the wire are the messages that the OpenTelemetry project publishes. Its
//! exporter is not used: it keeps to itself what a collector rejected and why it could not be
//! reached, and a person who waits for a push wants to know both.

mod attributes;
mod content;
pub mod export;
pub mod ids;
pub mod push;
pub mod settings;
pub mod telling;

#[cfg(test)]
mod collector;
#[cfg(test)]
mod tests;

/// Which conventions the attributes follow.
pub const CONVENTIONS: &str = "https://opentelemetry.io/schemas/gen-ai/1.42.0";
