//! A comparison as a person meets it first: did anything get worse, and where.

use anstyle::AnsiColor;

use super::{LISTED, Page, WIDTHS, prose, quote};
use crate::compare::{Comparison, Pair, Verdict, worst_first};
use crate::report::compare;
use crate::report::escape::bounded;

/// Groups that got worse, of each kind.
const GROUPS: usize = 5;
/// Examples that flipped.
const FLIPS: usize = 10;
/// Letters of a sentence on what else differs: names of any length are in it.
const SENTENCE_SHOWN: usize = 400;

/// Lays a comparison out in lines of at most `width` columns.
pub fn render(comparison: &Comparison, width: usize, color: bool) -> String {
    let page = Page {
        width: width.clamp(WIDTHS.0, WIDTHS.1),
        color,
    };
    let mut sections = vec![page.compared(comparison)];
    sections.extend(page.compared_where(comparison));
    sections.push(page.compared_figures(comparison));
    let differences = &comparison.differences;
    if !differences.is_empty() {
        let lines = differences
            .iter()
            .map(|it| page.fold("- ", "  ", &prose(&bounded(it, SENTENCE_SHOWN))));
        let lines: Vec<String> = lines.collect();
        let heading = page.heading("What else differs, and may be why");
        sections.push(format!("{heading}\n{}", lines.join("\n")));
    }
    let mut text = sections.join("\n\n");
    text.push('\n');
    text
}

impl Page {
    /// The answer in one sentence, and a line a pair where there are several.
    pub(super) fn compared(&self, comparison: &Comparison) -> String {
        let style = match comparison.verdict {
            Verdict::Better | Verdict::Equivalent => AnsiColor::Green.on_default().bold(),
            Verdict::Worse => AnsiColor::Red.on_default().bold(),
            Verdict::CannotTell => AnsiColor::Yellow.on_default().bold(),
        };
        let folded = self.fold("", "  ", &compare::headline(comparison, quote));
        let word = compare::verdict_word(comparison.verdict);
        let mut text = match folded.strip_prefix(word) {
            Some(rest) => format!("{}{rest}", self.paint(style, word)),
            None => folded,
        };
        if comparison.pairs.len() > 1 {
            for pair in &comparison.pairs {
                text.push('\n');
                text.push_str(&self.fold("  ", "    ", &compare::pair_title(pair, quote)));
            }
        }
        text
    }

    /// Where to look: groups that fell, and examples that flipped.
    pub(super) fn compared_where(&self, comparison: &Comparison) -> Vec<String> {
        let several = comparison.pairs.len() > 1;
        let (still, flipped): (Vec<&Pair>, Vec<&Pair>) = comparison
            .pairs
            .iter()
            .partition(|pair| pair.flips.is_empty());
        let mut sections: Vec<String> = flipped
            .into_iter()
            .map(|pair| self.pair_where(comparison, pair, several))
            .collect();
        if !still.is_empty() {
            let names: Vec<String> = still.iter().map(|pair| quote(&pair.candidate)).collect();
            let words = format!("No example flipped: {}", names.join(", "));
            sections.push(self.fold("", "  ", &words));
        }
        sections
    }

    fn pair_where(&self, comparison: &Comparison, pair: &Pair, several: bool) -> String {
        let mut title = compare::flips_heading(pair);
        if several {
            title = format!("{}: {title}", quote(&pair.candidate));
        }
        let mut text = self.heading(&title);
        let groups = [("tag", &pair.tags), ("split", &pair.splits)];
        for (kind, groups) in groups {
            for (name, group) in worst_first(groups).into_iter().take(GROUPS) {
                let line = compare::group(kind, name, group, quote);
                text.push('\n');
                text.push_str(&self.fold("  ", "    ", &line));
            }
        }
        for flip in pair.flips.iter().take(FLIPS) {
            text.push('\n');
            text.push_str(&self.fold("  ", "    ", &compare::flip(flip, quote)));
        }
        if let Some(flip) = pair.flips.first() {
            let more = pair.flips.len().saturating_sub(FLIPS);
            let mut words = match more {
                0 => String::new(),
                more => format!("and {more} more; "),
            };
            words.push_str(&compare::read_both(comparison, pair, &flip.example));
            text.push('\n');
            text.push_str(&self.fold("  ", "    ", &words));
        }
        text
    }

    /// Every measure, what flickers, and what it takes.
    fn compared_figures(&self, comparison: &Comparison) -> String {
        let mut parts = Vec::new();
        for pair in &comparison.pairs {
            let (headers, rows) = compare::keys(pair);
            let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
            let mut text = self.heading(&compare::pair_title(pair, quote));
            text.push('\n');
            text.push_str(&self.table(&headers, &rows));
            for change in &pair.resources {
                text.push('\n');
                text.push_str(&self.fold("  ", "    ", &compare::resource(change)));
            }
            for change in &pair.noise {
                text.push('\n');
                text.push_str(&self.fold("  ", "    ", &compare::noise(change)));
            }
            if !pair.flaky.is_empty() {
                text.push('\n');
                let title = compare::flaky_heading(pair);
                text.push_str(&self.fold("  ", "    ", &title));
                for flaky in pair.flaky.iter().take(LISTED) {
                    text.push('\n');
                    text.push_str(&self.fold("    ", "      ", &compare::flaky(flaky, quote)));
                }
            }
            parts.push(text);
        }
        let one_sided = compare::one_sided(comparison, quote);
        if !one_sided.is_empty() {
            let lines = one_sided.iter().map(|line| self.fold("", "  ", line));
            parts.push(lines.collect::<Vec<_>>().join("\n"));
        }
        parts.push(self.fold("", "", &compare::legend(comparison)));
        parts.join("\n\n")
    }
}
