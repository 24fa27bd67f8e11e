//! A small runtime for graphs of steps that may stop and ask a person.
//!
//! A [`Graph`] is drawn from nodes, edges, and other graphs, and compiled. A
//! [`CompiledGraph`] runs in one of two ways: [`run`](CompiledGraph::run) goes from start
//! to end in memory; a [`Thread`] keeps every step with a [`Checkpointer`], so that it can
//! pause, be looked at and changed, and go on in another process.
//!
//! What the rest may rely on: a node's update is applied once, however often the node had
//! to run for it; a task in it that is done is not done again; an answer, once taken, is
//! never lost and never applied twice; of two writers on a thread the second is refused
//! before it runs anything.

pub mod checkpoint;
pub mod store;

mod attempt;
mod build;
mod compiled;
mod database;
mod diagram;
mod event;
mod failure;
mod interrupt;
mod node;
mod retry;
mod run;
mod state;
mod task;
#[cfg(test)]
mod tests;
mod thread;

pub use build::{CompileError, END, Graph, START};
pub use checkpoint::{CheckpointError, Checkpointer, MemoryCheckpointer, Status};
pub use compiled::CompiledGraph;
pub use event::{Event, EventSink};
pub use failure::{Failure, RunError};
pub use interrupt::{Interrupt, Resume};
pub use node::{NodeContext, NodeError, NodeResult};
pub use retry::{Fault, Random, RetryOn, RetryPolicy};
pub use run::{Pause, Progress, RunOptions};
pub use state::{Command, Goto, State};
pub use store::{MemoryStore, Store};
pub use task::{Task, TaskContext, TaskError, TaskOutcome, TaskState};
pub use thread::{Clock, Snapshot, Thread};
