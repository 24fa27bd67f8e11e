//! Whether an email was sorted as a reasonable person could have sorted it.

use super::Finding;
use super::material::Shown;
use crate::email::Triage;
use crate::model::rules::book::Book;
use crate::model::rules::envelope::Envelope;
use crate::model::rules::reading;

/// Compares the decision with the one this model comes to.
pub(super) fn judge(book: &Book, shown: &Shown) -> Finding {
    let decided = shown.text("The decision").unwrap_or_default();
    let decided = decided.lines().find_map(|l| l.strip_prefix("Decision:"));
    let decided = decided.and_then(|name| {
        let name = name.trim();
        Triage::ALL.into_iter().find(|triage| triage.name() == name)
    });
    let Some(decided) = decided else {
        return Finding::unmet("No decision was made");
    };
    let email = shown.email();
    let envelope = Envelope {
        subject: &email.subject,
        from: &email.from,
        to: &email.to,
        date: email.date,
        body: &email.body,
    };
    let own = reading::read(book, &envelope, None).decision;
    let reason = |words: &str| format!("{words}. {}", own.reasoning);
    if own.triage == decided {
        Finding::holds(&reason("By its cues the email is sorted rightly"))
    } else if own.close == Some(decided) {
        Finding::holds(&reason(&format!(
            "The cues speak for {}, but hardly less for {decided}",
            own.triage
        )))
    } else {
        Finding::unmet(&reason(&format!("The cues speak for {}", own.triage)))
    }
}
