//! An attempt that may pause: where it lives, and how it goes on.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;

use super::{failed, options, record};
use crate::agent::Attempt;
use crate::agent::memory;
use crate::agent::state::{AgentState, Failure};
use crate::graph::checkpoint::Checkpoint;
use crate::graph::{
    self, CheckpointError, Checkpointer, CompiledGraph, MemoryCheckpointer, Pause, Resume,
};
use crate::inbox::{self, Answer};
use crate::run::{Interrupt, Outcome, Response, Run};
use crate::target::{Paused, Progress};

type Outcomes = Result<graph::Progress<AgentState>, graph::Failure<AgentState>>;

pub struct LocalThread {
    pub graph: Arc<CompiledGraph<AgentState, Attempt>>,
    pub checkpointer: Arc<dyn Checkpointer>,
    pub id: String,
    /// Whether the checkpointer outlives this process.
    pub lasting: bool,
    /// Whether every answer finds it as after a restart.
    pub restart: bool,
}

impl LocalThread {
    fn open(&self) -> graph::Thread<'_, AgentState, Attempt> {
        self.graph.thread(&*self.checkpointer, &self.id)
    }

    pub async fn start(&self, state: AgentState, attempt: &Arc<Attempt>) -> Outcomes {
        let options = options(attempt);
        let thread = self.open();
        thread.start(state, Arc::clone(attempt), &options).await
    }

    pub async fn resume(&self, resume: Resume, attempt: &Arc<Attempt>) -> Outcomes {
        let options = options(attempt);
        let thread = self.open();
        thread.resume(resume, Arc::clone(attempt), &options).await
    }

    /// Drops everything but the stored form: agent and graph are made anew, and a thread in
    /// this process's memory goes through the JSON of its checkpoints. The store stays, as
    /// a lasting checkpointer does: it is itself what outlives a process.
    async fn restarted(mut self, attempt: &Attempt) -> Result<(Self, Attempt), CheckpointError> {
        if !self.lasting {
            let stored = self.checkpointer.history(&self.id).await?;
            let stored: Vec<String> = stored.iter().map(Checkpoint::to_json).collect();
            let checkpointer = MemoryCheckpointer::new();
            for json in &stored {
                checkpointer.put(Checkpoint::from_json(json)?).await?;
            }
            self.checkpointer = Arc::new(checkpointer);
        }
        let agent = attempt.agent.again();
        self.graph = Arc::new(agent.kind().graph());
        let attempt = Attempt {
            agent: Arc::new(agent),
            ..attempt.again(attempt.spent)
        };
        Ok((self, attempt))
    }

    /// `before` is the state the call began with.
    pub async fn progress(
        self,
        result: Outcomes,
        before: AgentState,
        attempt: Arc<Attempt>,
    ) -> Progress {
        let pause = match result {
            Ok(graph::Progress::Paused(pause)) => pause,
            Ok(graph::Progress::Finished(state)) => {
                return Progress::Finished(
                    told(record(Ok(state), before, &attempt), &attempt).await,
                );
            }
            Err(failure) => {
                return Progress::Finished(
                    told(record(Err(failure), before, &attempt), &attempt).await,
                );
            }
        };
        match question(&pause) {
            Ok(interrupt) => Progress::Paused(Box::new(LocalPause {
                spent: attempt.time_spent(),
                thread: self,
                attempt,
                state: pause.state,
                interrupt,
            })),
            Err(failure) => {
                Progress::Finished(told(failed(pause.state, failure, &attempt), &attempt).await)
            }
        }
    }
}

/// `run` with what is remembered now.
async fn told(mut run: Run, attempt: &Attempt) -> Run {
    if let Some(record) = &mut run.memory {
        match memory::snapshot(&*attempt.store).await {
            Ok(after) => record.after = after,
            // Whatever came of it, what it would be scored by is not known.
            Err(error) => {
                run.outcome = Outcome::Harness;
                run.error = Some(super::with_causes(&error));
            }
        }
    }
    run
}

/// What the person is asked first. Others that are pending come up in their turn.
fn question(pause: &Pause<AgentState>) -> Result<Interrupt, Failure> {
    let harness = |error| Failure::new(Outcome::Harness, error);
    let pending = pause.interrupts.first().ok_or_else(|| {
        let next = pause.next.join("`, `");
        harness(format!(
            "the run stands at a breakpoint before `{next}` and asks nothing"
        ))
    })?;
    let mut questions = inbox::read_interrupts(&pending.payload);
    match (questions.pop(), questions.len()) {
        (Some(interrupt), 0) if interrupt.action != inbox::IMPROPER => Ok(Interrupt {
            id: pending.id.clone(),
            ..interrupt
        }),
        _ => Err(harness(format!(
            "`{}` asked what is not one question in the form of an inbox",
            pending.node
        ))),
    }
}

struct LocalPause {
    thread: LocalThread,
    attempt: Arc<Attempt>,
    /// Time that the attempt took, before the person was asked.
    spent: Duration,
    state: AgentState,
    interrupt: Interrupt,
}

impl Paused for LocalPause {
    fn interrupt(&self) -> &Interrupt {
        &self.interrupt
    }

    fn steps(&self) -> usize {
        self.state.steps.len()
    }

    fn resume(
        self: Box<Self>,
        response: Response,
        answered_by: &str,
    ) -> BoxFuture<'static, Progress> {
        let answer = Answer {
            id: Some(self.interrupt.id.clone()),
            response,
            answered_by: Some(answered_by.to_owned()),
        };
        Box::pin(async move {
            let answer = inbox::write_answer(&answer, &self.interrupt.action);
            let answers = Resume::Answers([(self.interrupt.id, answer)].into());
            let mut thread = self.thread;
            let mut attempt = self.attempt.again(self.spent);
            if thread.restart {
                (thread, attempt) = match thread.restarted(&attempt).await {
                    Ok(restarted) => restarted,
                    Err(error) => {
                        let failure = Failure::new(Outcome::Harness, super::with_causes(&error));
                        return Progress::Finished(failed(self.state, failure, &attempt));
                    }
                };
            }
            let attempt = Arc::new(attempt);
            let result = thread.resume(answers, &attempt).await;
            thread.progress(result, self.state, attempt).await
        })
    }

    fn abandon(self: Box<Self>, outcome: Outcome, error: String) -> BoxFuture<'static, Run> {
        Box::pin(async move {
            let attempt = self.attempt.again(self.spent);
            let run = failed(self.state, Failure::new(outcome, error), &attempt);
            told(run, &attempt).await
        })
    }
}
