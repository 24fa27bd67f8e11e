//! Approval by people who answer real threads: what surrounds the one question and the
//! one answer.
//!
//! [`Record`], [`Approvers`], [`Hook`], [`Figures`], [`Staged`], [`confirmation()`], and
//! [`agreed_steps`] are values and functions on an [`Interrupt`](crate::run::Interrupt) and
//! its [`Response`](crate::run::Response), for whoever answers threads from outside. The
//! others are a [`Human`](super::Human) around another one, and go into one another:
//!
//! ```text
//! Stages[ Audited(Deadline(manager)), Audited(Deadline(security)) ]
//! ```
//!
//! asks two people, each with a deadline, and records each decision, the missing one too.

mod audit;
mod audited;
mod conditional;
mod confirmation;
mod deadline;
mod escalation;
mod figures;
mod hook;
mod identity;
mod plan;
mod stages;
mod trail;

pub use audit::{AuditError, AuditFile, Decision, Record, read_audit};
pub use audited::{Audit, Audited};
pub use conditional::{AUTO_APPROVED, Conditional};
pub use confirmation::{Confirmed, confirmation, confirmed};
pub use deadline::Deadline;
pub use escalation::{Escalating, responsible};
pub use figures::{Figures, Latency, figures};
pub use hook::{Hook, HookError, Pending};
pub use identity::{Approver, Approvers, BadApprover, Unauthorised};
pub use plan::{NoPlan, agreed_steps};
pub use stages::{StageError, Staged, Stages, Status};
pub use trail::{trail, waiting};

/// Answerers that are no people: no person may go by such a name, and whoever asks for
/// approval has agreed to them beforehand.
pub(super) const AUTOMATIC: [&str; 4] = [
    super::AcceptAll::NAME,
    super::RejectAll::NAME,
    super::TIMED_OUT,
    AUTO_APPROVED,
];

#[cfg(test)]
mod tests;
