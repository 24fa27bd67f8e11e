//! Targets: whatever handles an email, ours or somebody else's.
//!
//! [`Target::start`] is told the email and nothing about what is expected of it. A target
//! runs until it ends or must ask a person; [`Paused::resume`] consumes the pause, so a
//! pause cannot be answered twice.

pub mod local;

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;

use crate::email::Email;
use crate::graph::Store;
use crate::model::Origin;
use crate::run::{Interrupt, Outcome, Response, Run};

/// How one attempt is to be run.
#[derive(Clone)]
pub struct Start {
    /// The lasting identity of the conversation; unique per attempt in an experiment.
    pub thread: String,
    pub until: Until,
    /// The attempt's own time limit; passing it is [`crate::run::Outcome::Timeout`].
    pub timeout: Duration,
    /// The most model calls it may make.
    pub max_steps: u32,
    /// What an agent with a memory reads and writes, shared by all runs that are given the
    /// same; one of its own where there is none.
    pub store: Option<Arc<dyn Store>>,
    /// Whether every answer finds the run as after a restart of its process: all but what
    /// was stored is dropped.
    pub restart: bool,
    /// What the model calls of the attempt come from.
    pub origin: Origin,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// Stop at the triage decision: the workflow after its router, the baseline at its
    /// `triage_email` call.
    Triage,
    End,
}

/// Handles emails. Failures are part of the [`Run`] ([`crate::run::Outcome`]), never an `Err`.
pub trait Target: Send + Sync {
    fn start<'a>(&'a self, start: Start, email: &'a Email) -> BoxFuture<'a, Progress>;
}

#[expect(
    clippy::large_enum_variant,
    reason = "one is held at a time, and most of them are finished runs"
)]
pub enum Progress {
    Finished(Run),
    Paused(Box<dyn Paused>),
}

/// A run that waits for a person.
pub trait Paused: Send {
    fn interrupt(&self) -> &Interrupt;

    /// How many [`crate::run::Step`]s the record has so far.
    fn steps(&self) -> usize;

    /// Goes on with the person's answer. `answered_by` is kept in the record.
    fn resume(
        self: Box<Self>,
        response: Response,
        answered_by: &str,
    ) -> BoxFuture<'static, Progress>;

    /// Ends the run where it stands, because there will be no answer. What it did so far is
    /// in the record, under this outcome and error.
    fn abandon(self: Box<Self>, outcome: Outcome, error: String) -> BoxFuture<'static, Run>;
}
