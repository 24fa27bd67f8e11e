//! What judges found, for a pull request or a wiki.

use std::fmt::Write;

use super::{fold, owned_table, quote};
use crate::report::escape::xml;
use crate::report::judges::words::{self, Panel};
use crate::report::{JUDGED_SHOWN, JudgeReport, Report, RulingReport};

/// What judges found, and how far that can be believed.
pub(super) fn judges(report: &Report) -> Option<String> {
    let panels = words::panels(report);
    if panels.is_empty() {
        return None;
    }
    let mut parts = vec!["## Judged".to_owned(), words::LEGEND.to_owned()];
    parts.extend(panels.iter().map(panel));
    parts.extend(words::remarks(&panels).into_iter().map(str::to_owned));
    Some(parts.join("\n\n"))
}

fn panel(panel: &Panel<'_>) -> String {
    let mut parts = vec![format!("### {}", panel.title(quote))];
    parts.extend(panel.standing(quote));
    parts.extend(panel.tables(quote).map(owned_table));
    let reasons = panel.reasons(quote);
    let reasons: Vec<String> = reasons.iter().map(|reason| format!("- {reason}")).collect();
    if !reasons.is_empty() {
        parts.push(reasons.join("\n"));
    }
    parts.join("\n\n")
}

/// Which criteria tell replies apart, and which do not.
pub(super) fn criteria(report: &Report) -> Option<String> {
    let criteria = report.criteria.as_ref()?;
    let mut parts = vec![
        "## Criteria".to_owned(),
        words::criteria_words(report, criteria),
        owned_table(words::distribution(criteria)),
    ];
    for listed in words::extremes(criteria) {
        if listed.shown.is_empty() {
            continue;
        }
        let lines = listed.shown.iter();
        let lines = lines.map(|criterion| format!("- {}", words::criterion(criterion, quote)));
        let lines: Vec<String> = lines.collect();
        parts.push(format!(
            "{}: {} of {}\n\n{}",
            listed.title,
            listed.shown.len(),
            listed.all,
            lines.join("\n")
        ));
    }
    Some(parts.join("\n\n"))
}

pub(super) fn worst(judge: &JudgeReport) -> Option<String> {
    let summary = words::worst_heading(judge, JUDGED_SHOWN)?;
    let entries = judge.worst.iter().map(|worst| {
        let mut entry = format!("1. {}", words::worst_title(worst, quote));
        for ruling in &worst.rulings {
            write!(entry, "\n{}", self::ruling(ruling)).expect("a String takes any text");
        }
        entry
    });
    let entries: Vec<String> = entries.collect();
    Some(fold(&xml(&summary), &entries.join("\n")))
}

fn ruling(ruling: &RulingReport) -> String {
    let critical = if ruling.critical { " (critical)" } else { "" };
    let verdict = words::verdict_word(ruling.verdict);
    let mut text = format!("   - {verdict}: {}{critical}", quote(&ruling.statement));
    if !ruling.reason.is_empty() {
        write!(text, "\n     - {}", quote(&ruling.reason)).expect("a String takes any text");
    }
    for quoted in &ruling.quotes {
        write!(text, "\n     - quoted: {}", quote(quoted)).expect("a String takes any text");
    }
    text
}

pub(super) fn split_votes(judge: &JudgeReport) -> Option<String> {
    let summary = words::splits_heading(judge, JUDGED_SHOWN)?;
    let entries = judge.split_votes.iter().map(|split| {
        let mut entry = format!("- {}", words::split_title(split, quote));
        for side in &split.sides {
            write!(entry, "\n  - {}", words::side(side, quote)).expect("a String takes any text");
        }
        entry
    });
    let entries: Vec<String> = entries.collect();
    Some(fold(&xml(&summary), &entries.join("\n")))
}
