//! What changed about one example, line by line.

use anstyle::{AnsiColor, Style};
use similar::{ChangeTag, TextDiff};

use crate::cli::ask::folded;
use crate::compare::behaviour::Change;
use crate::report::escape;

/// Columns that stand before each line of a difference.
const SIGN: usize = 4;

const REMOVED: Style = AnsiColor::Red.on_default();
const ADDED: Style = AnsiColor::Green.on_default();
const DIM: Style = Style::new().dimmed();

/// Lines of at most `width` columns: what the email is about, then what is accepted against
/// what was done now. They are styled; the stream takes that out where nobody wants colour.
pub fn render(change: &Change, width: usize) -> Vec<String> {
    let about = format!("{}: {}", escape::line(&change.id), change.subject);
    let mut lines = folded(&escape::bounded(&about, 4 * width), width);
    lines.extend(note(change).map(|note| format!("{DIM}{note}{DIM:#}")));
    lines.push(String::new());
    let before = change.accepted.as_ref().map(|ways| ways.text());
    let (before, now) = (before.unwrap_or_default(), change.now.text());
    let diff = TextDiff::from_lines(&*before, &*now);
    for line in diff.iter_all_changes() {
        let (sign, style) = match line.tag() {
            ChangeTag::Delete => ("-", REMOVED),
            ChangeTag::Insert => ("+", ADDED),
            ChangeTag::Equal => (" ", Style::new()),
        };
        for line in folded(line.value(), width.saturating_sub(SIGN)) {
            lines.push(format!("{style}  {sign} {line}{style:#}"));
        }
    }
    lines
}

/// What the lines alone do not tell.
fn note(change: &Change) -> Option<String> {
    let now = match change.now.len() {
        1 => None,
        ways => Some(format!("handled in {ways} ways")),
    };
    let before = match &change.accepted {
        None => Some("new: nothing is accepted for it so far".to_owned()),
        Some(accepted) if accepted.len() > 1 => {
            Some(format!("{} ways are accepted", accepted.len()))
        }
        Some(_) => None,
    };
    let notes: Vec<String> = before.into_iter().chain(now).collect();
    (!notes.is_empty()).then(|| notes.join("; "))
}
