//! A person whose every decision is recorded.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use tokio::time::Instant;

use super::{AUTOMATIC, Approvers, Hook, Pending, Record};
use crate::human::{Human, HumanError, answer, shown_action};
use crate::run::{Interrupt, Response, Usage};

type Sink = dyn FnMut(&Record) -> io::Result<()> + Send;
type Clock = dyn Fn() -> Timestamp + Send + Sync;

/// Where the decisions of one thread are recorded; clones record in the same place.
#[derive(Clone)]
pub struct Audit {
    thread: String,
    clock: Arc<Clock>,
    sink: Arc<Mutex<Sink>>,
}

impl Audit {
    /// `clock` tells when something was decided; `sink` keeps it ([`super::AuditFile`]).
    pub fn new(
        thread: &str,
        clock: impl Fn() -> Timestamp + Send + Sync + 'static,
        sink: impl FnMut(&Record) -> io::Result<()> + Send + 'static,
    ) -> Audit {
        Audit {
            thread: thread.to_owned(),
            clock: Arc::new(clock),
            sink: Arc::new(Mutex::new(sink)),
        }
    }

    /// Keeps what `make` makes of the thread and the time.
    pub(super) fn record(
        &self,
        interrupt: &Interrupt,
        make: impl FnOnce(&str, Timestamp) -> Record,
    ) -> Result<(), HumanError> {
        let record = make(&self.thread, (self.clock)());
        // A sink that panicked while it held the lock may have lost that record, no other.
        let mut sink = self.sink.lock().unwrap_or_else(PoisonError::into_inner);
        sink(&record).map_err(|error| HumanError::Unrecorded {
            action: shown_action(interrupt),
            reason: error.to_string(),
        })
    }
}

/// Records what the person decides before it takes effect: a decision that cannot be
/// recorded is none. May also check who answered, and tell a command what is pending.
pub struct Audited {
    human: Box<dyn Human>,
    audit: Audit,
    approvers: Option<Approvers>,
    hook: Option<Arc<Hook>>,
    notes: Vec<String>,
}

impl Audited {
    pub fn new(human: Box<dyn Human>, audit: Audit) -> Audited {
        Audited {
            human,
            audit,
            approvers: None,
            hook: None,
            notes: Vec::new(),
        }
    }

    /// Refuses answers of anybody else; an automatic answer is not a person's.
    pub fn only(self, approvers: Approvers) -> Audited {
        Audited {
            approvers: Some(approvers),
            ..self
        }
    }

    /// Runs the hook for every question that was not asked before. Its failures are notes.
    pub fn with_hook(self, hook: Arc<Hook>) -> Audited {
        Audited {
            hook: Some(hook),
            ..self
        }
    }

    async fn tell(&mut self, interrupt: &Interrupt) {
        let Some(hook) = self.hook.clone() else {
            return;
        };
        let pending = Pending {
            thread: self.audit.thread.clone(),
            since: (self.audit.clock)(),
            interrupt: interrupt.clone(),
        };
        let told = tokio::task::spawn_blocking(move || hook.tell(&pending)).await;
        if let Err(error) = told.expect("the hook does not panic") {
            self.notes.push(error.to_string());
        }
    }

    async fn decide(&mut self, interrupt: &Interrupt) -> Result<Response, HumanError> {
        let asked = Instant::now();
        self.tell(interrupt).await;
        let response = answer(&mut *self.human, interrupt).await?;
        let waited: Duration = asked.elapsed();
        let who = self.human.name();
        if let Some(approvers) = &self.approvers
            && !AUTOMATIC.contains(&who)
            && let Err(unauthorised) = approvers.check(who, interrupt)
        {
            self.audit.record(interrupt, |thread, at| {
                Record::refused(thread, interrupt, who, at, waited)
            })?;
            return Err(HumanError::Unauthorised(unauthorised));
        }
        self.audit.record(interrupt, |thread, at| {
            Record::answered(thread, interrupt, who, &response, at, waited)
        })?;
        Ok(response)
    }
}

impl Human for Audited {
    fn name(&self) -> &str {
        self.human.name()
    }

    fn respond<'a>(
        &'a mut self,
        interrupt: &'a Interrupt,
    ) -> BoxFuture<'a, Result<Response, HumanError>> {
        Box::pin(self.decide(interrupt))
    }

    fn usage(&self) -> Usage {
        self.human.usage()
    }

    fn notes(&self) -> Vec<String> {
        [self.notes.clone(), self.human.notes()].concat()
    }
}
