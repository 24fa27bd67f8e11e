//! What judges found, as a person meets it first.

use super::{COMMENT_SHOWN, LISTED, Page, quote};
use crate::report::escape::{bounded, line};
use crate::report::judges::words::{self, Panel};
use crate::report::{JudgeReport, Report, RulingReport, SplitVote, VariantReport, WorstJudged};

/// Rulings of one attempt.
const RULINGS: usize = 6;

/// A passage that somebody wrote, on one line.
fn passage(text: &str) -> String {
    line(&bounded(text, COMMENT_SHOWN)).into_owned()
}

impl Page {
    /// What judges found, and how far that can be believed.
    pub(super) fn judges(&self, report: &Report) -> Option<String> {
        let panels = words::panels(report);
        if panels.is_empty() {
            return None;
        }
        let mut parts = vec![format!(
            "{}\n{}",
            self.heading("Judged"),
            self.fold("", "", words::LEGEND)
        )];
        parts.extend(panels.iter().map(|panel| self.panel(panel)));
        let remarks = words::remarks(&panels);
        parts.extend(remarks.into_iter().map(|words| self.fold("", "", words)));
        Some(parts.join("\n\n"))
    }

    fn panel(&self, panel: &Panel<'_>) -> String {
        let mut text = self.heading(&panel.title(quote));
        for line in panel.standing(passage) {
            text.push('\n');
            text.push_str(&self.fold("  ", "  ", &line));
        }
        for (headers, rows) in panel.tables(quote) {
            let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
            text.push_str("\n\n");
            text.push_str(&self.table(&headers, &rows));
        }
        let reasons = panel.reasons(passage);
        if !reasons.is_empty() {
            text.push('\n');
        }
        for reason in reasons.iter().take(2 * LISTED) {
            text.push('\n');
            text.push_str(&self.fold("  - ", "    ", reason));
        }
        text
    }

    /// Which criteria tell replies apart, and which do not.
    pub(super) fn criteria(&self, report: &Report) -> Option<String> {
        let criteria = report.criteria.as_ref()?;
        let table = words::distribution(criteria);
        let mut text = self.titled(
            "Criteria",
            &words::criteria_words(report, criteria),
            [table],
        );
        for listed in words::extremes(criteria) {
            let shown = listed.shown.len().min(LISTED);
            if shown == 0 {
                continue;
            }
            let title = format!("{}: {shown} of {}", listed.title, listed.all);
            text.push_str("\n\n");
            text.push_str(&self.heading(&title));
            for criterion in listed.shown.iter().take(shown) {
                text.push('\n');
                text.push_str(&self.fold("  - ", "    ", &words::criterion(criterion, passage)));
            }
        }
        Some(text)
    }

    pub(super) fn worst_judged(
        &self,
        variant: &VariantReport,
        judge: &JudgeReport,
    ) -> Option<String> {
        let title = words::worst_heading(judge, LISTED)?;
        let mut text = self.heading(&format!("{title}, {}", quote(&variant.name)));
        for (number, worst) in (1..).zip(judge.worst.iter().take(LISTED)) {
            text.push('\n');
            text.push_str(&self.worst_attempt(number, worst));
        }
        Some(text)
    }

    fn worst_attempt(&self, number: usize, worst: &WorstJudged) -> String {
        let first = format!("{number:>3}. ");
        let mut text = self.fold(&first, "     ", &words::worst_title(worst, quote));
        for ruling in worst.rulings.iter().take(RULINGS) {
            text.push('\n');
            text.push_str(&self.ruling(ruling));
        }
        text
    }

    fn ruling(&self, ruling: &RulingReport) -> String {
        let critical = if ruling.critical { " (critical)" } else { "" };
        let verdict = words::verdict_word(ruling.verdict);
        let title = format!("{verdict}: {}{critical}", passage(&ruling.statement));
        let mut text = self.fold("     - ", "       ", &title);
        if !ruling.reason.is_empty() {
            text.push('\n');
            text.push_str(&self.fold("       ", "       ", &passage(&ruling.reason)));
        }
        // One passage shows what the reason is about; the others are in the other reports.
        for quoted in ruling.quotes.iter().take(1) {
            let quoted = format!("\"{}\"", passage(quoted));
            text.push('\n');
            text.push_str(&self.fold("       > ", "         ", &quoted));
        }
        text
    }

    pub(super) fn split_votes(
        &self,
        variant: &VariantReport,
        judge: &JudgeReport,
    ) -> Option<String> {
        let title = words::splits_heading(judge, LISTED)?;
        let mut text = self.heading(&format!("{title}, {}", quote(&variant.name)));
        for split in judge.split_votes.iter().take(LISTED) {
            text.push('\n');
            text.push_str(&self.split_vote(split));
        }
        Some(text)
    }

    fn split_vote(&self, split: &SplitVote) -> String {
        let mut text = self.fold("   - ", "     ", &words::split_title(split, passage));
        for side in &split.sides {
            text.push('\n');
            text.push_str(&self.fold("     - ", "       ", &words::side(side, passage)));
        }
        text
    }
}
