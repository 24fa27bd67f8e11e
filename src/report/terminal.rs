//! The report as a person meets it first: the verdict, then a row a variant, then what
//! went wrong and where to look.

use anstyle::{AnsiColor, Style};
use textwrap::Options;

use super::escape::{bounded, line, shell};
use super::gate::verdict;
use super::people::Table;
use super::{
    EpisodeChanges, GateVerdict, Incident, Report, VariantReport, WorstExample, circumstances,
    cost, figures, people, table,
};
use crate::experiment::CaseKind;

pub(super) mod compare;
mod judges;

/// Of each list, how many entries; `report.json` and `report.md` have more.
const LISTED: usize = 5;
/// Episodes whose changes are shown of each variant.
const CHANGES: usize = 2;
/// The most characters of one comment or error.
const COMMENT_SHOWN: usize = 240;
/// The narrowest and the widest text that is laid out, in columns.
const WIDTHS: (usize, usize) = (40, 200);

/// Lays the report out in lines of at most `width` columns.
///
/// `color` adds colour to what the words say anyway. Text of others is escaped, and what
/// is shown of it is bounded.
pub fn render(report: &Report, width: usize, color: bool) -> String {
    let page = Page {
        width: width.clamp(WIDTHS.0, WIDTHS.1),
        color,
    };
    let mut sections = vec![page.headline(report)];
    if let Some(comparison) = &report.comparison {
        sections.push(page.compared(comparison));
        sections.extend(page.compared_where(comparison));
    }
    sections.push(page.variants(report));
    sections.extend(page.judges(report));
    sections.extend(page.criteria(report));
    sections.extend(page.costs(report));
    sections.extend(page.replayed(report));
    sections.extend(page.passes(report));
    sections.extend(page.splits(report));
    sections.extend(page.confusions(report));
    sections.extend(page.people(report));
    sections.extend(page.memory(report));
    for variant in &report.variants {
        for kind in CaseKind::ALL {
            sections.extend(page.worst(variant, kind));
        }
        for judge in &variant.judges {
            sections.extend(page.worst_judged(variant, judge));
            sections.extend(page.split_votes(variant, judge));
        }
        sections.extend(page.incidents(
            variant,
            "Agent failures",
            "scored 0",
            &variant.agent_failures,
            figures::agent_failures(variant),
        ));
        sections.extend(page.incidents(
            variant,
            "Infrastructure errors",
            "not scored",
            &variant.infrastructure_errors,
            variant.counts.errors,
        ));
        sections.extend(page.notes(variant));
    }
    sections.extend(page.not_judged(report));
    sections.push(page.further(report));
    let mut text = sections.join("\n\n");
    text.push('\n');
    text
}

/// The most characters of a name or an id.
const NAME_SHOWN: usize = 100;

fn quote(text: &str) -> String {
    line(&bounded(text, NAME_SHOWN)).into_owned()
}

/// A reason, whose names are marked already.
fn prose(text: &str) -> String {
    line(text).into_owned()
}

struct Page {
    width: usize,
    color: bool,
}

const HEADING: Style = Style::new().bold();

impl Page {
    fn paint(&self, style: Style, text: &str) -> String {
        if self.color {
            format!("{style}{text}{style:#}")
        } else {
            text.to_owned()
        }
    }

    /// A title, folded and set apart.
    fn heading(&self, title: &str) -> String {
        self.paint(HEADING, &self.fold("", "  ", title))
    }

    /// Folds `text` under a first line that starts with `first`, the others with `rest`.
    fn fold(&self, first: &str, rest: &str, text: &str) -> String {
        let options = Options::new(self.width)
            .initial_indent(first)
            .subsequent_indent(rest);
        textwrap::fill(text, options)
    }

    /// Folds between parts rather than within them.
    fn fold_parts(&self, indent: &str, parts: &[String]) -> String {
        // Text is folded at spaces, so inside a part there must be none for a while.
        let parts: Vec<String> = parts
            .iter()
            .map(|part| part.replace(' ', "\u{a0}"))
            .collect();
        self.fold(indent, indent, &parts.join(" · "))
            .replace('\u{a0}', " ")
    }

    fn headline(&self, report: &Report) -> String {
        let verdict = report.gate.verdict;
        let style = match verdict {
            GateVerdict::Pass => AnsiColor::Green.on_default().bold(),
            GateVerdict::Fail => AnsiColor::Red.on_default().bold(),
            GateVerdict::Indecisive => AnsiColor::Yellow.on_default().bold(),
            GateVerdict::None => HEADING,
        };
        let folded = self.fold("", "  ", &figures::headline(report, quote));
        // The word of the verdict comes first and is never folded.
        let word = verdict::verdict_word(verdict);
        let mut text = match folded.strip_prefix(word) {
            Some(rest) => format!("{}{rest}", self.paint(style, word)),
            None => folded,
        };
        if let Some(layer) = &report.environment.layer {
            text.push('\n');
            text.push_str(&self.fold("  ", "    ", &layer.words(quote)));
        }
        for check in verdict::notable_checks(report) {
            text.push('\n');
            text.push_str(&self.fold("  ", "    ", &verdict::check_line(check, quote, prose)));
        }
        text.push('\n');
        text.push_str(&self.fold_parts("  ", &figures::plan_parts(report, quote)));
        text
    }

    fn variants(&self, report: &Report) -> String {
        let mut columns = figures::columns(report);
        columns.push(figures::latency_column());
        let headers: Vec<&str> = ["variant"]
            .into_iter()
            .chain(columns.iter().map(|column| column.header))
            .collect();
        let rows: Vec<Vec<String>> = report
            .variants
            .iter()
            .map(|variant| {
                let cells = columns.iter().map(|column| (column.cell)(variant));
                [quote(&variant.name)].into_iter().chain(cells).collect()
            })
            .collect();
        format!(
            "{}\n\n{}",
            self.table(&headers, &rows),
            self.fold("", "", &figures::legend(report))
        )
    }

    fn table(&self, headers: &[&str], rows: &[Vec<String>]) -> String {
        table::render(headers, rows, self.width, |header| {
            self.paint(HEADING, header)
        })
    }

    /// What it cost, where it cost anything.
    fn costs(&self, report: &Report) -> Option<String> {
        if let Some(words) = cost::unknown(report) {
            return Some(self.fold("", "  ", words));
        }
        let table = cost::table(report, quote)?;
        Some(self.titled("Cost", cost::LEGEND, [table]))
    }

    /// How attempts at one example end together, where there are several.
    fn passes(&self, report: &Report) -> Option<String> {
        let table = figures::passes(report, quote)?;
        Some(self.titled("Several attempts", figures::PASSES, [table]))
    }

    /// That models were not asked, where they were not.
    fn replayed(&self, report: &Report) -> Option<String> {
        let replayed = circumstances::replayed(report)?;
        Some(self.fold("", "  ", &format!("Replayed: {replayed}")))
    }

    /// Every split by itself: what was tuned on one shows in the other.
    fn splits(&self, report: &Report) -> Option<String> {
        let (headers, rows) = figures::splits(report, quote)?;
        Some(format!(
            "{}\n{}",
            self.paint(HEADING, "By split"),
            self.table(&headers, &rows)
        ))
    }

    /// One small table a variant, side by side where there is room.
    fn confusions(&self, report: &Report) -> Option<String> {
        let blocks: Vec<String> = report
            .variants
            .iter()
            .filter_map(|variant| {
                let (headers, rows) = figures::confusion(variant)?;
                let name = self.fold("", "", &quote(&variant.name));
                Some(format!("{name}\n{}", self.table(&headers, &rows)))
            })
            .collect();
        if blocks.is_empty() {
            return None;
        }
        let title = self.fold(
            "",
            "",
            "Decisions: expected (rows) and found (columns), in attempts",
        );
        Some(format!(
            "{}\n{}",
            self.paint(HEADING, &title),
            table::side_by_side(&blocks, self.width)
        ))
    }

    fn titled(&self, title: &str, words: &str, tables: impl IntoIterator<Item = Table>) -> String {
        let mut text = self.paint(HEADING, title);
        text.push('\n');
        text.push_str(&self.fold("", "", words));
        for (headers, rows) in tables {
            let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
            text.push_str("\n\n");
            text.push_str(&self.table(&headers, &rows));
        }
        text
    }

    /// What agents that ask did with the people of the scenarios.
    fn people(&self, report: &Report) -> Option<String> {
        let table = people::scenario_checks(report, quote)?;
        Some(self.titled("People in the loop", people::HITL, [table]))
    }

    /// What was learnt, what it was worth, and what it looks like.
    fn memory(&self, report: &Report) -> Option<String> {
        let checks = people::episode_checks(report, quote)?;
        let tables = [people::gains(report, quote), people::curve(report, quote)];
        let tables = tables.into_iter().flatten().chain([checks]);
        let mut text = self.titled("Memory", people::MEMORY, tables);
        if people::demonstrates(report) {
            text.push_str("\n\n");
            text.push_str(&self.fold("", "", people::DEMONSTRATION));
        }
        for variant in &report.variants {
            let changes = variant.memory.iter().flat_map(|memory| &memory.changes);
            let shown: Vec<_> = changes
                .filter(|changes| !changes.namespaces.is_empty())
                .take(CHANGES)
                .collect();
            if shown.is_empty() {
                continue;
            }
            let title = format!("What {} learnt, for example", quote(&variant.name));
            text.push_str("\n\n");
            text.push_str(&self.paint(HEADING, &self.fold("", "  ", &title)));
            for changes in shown {
                text.push('\n');
                text.push_str(&self.changes(changes));
            }
        }
        Some(text)
    }

    fn changes(&self, changes: &EpisodeChanges) -> String {
        let mut text = self.fold("  ", "    ", &quote(&changes.episode));
        for namespace in &changes.namespaces {
            text.push('\n');
            text.push_str(&self.fold("    ", "      ", &quote(&namespace.namespace)));
            let signed = [(&namespace.removed, '-'), (&namespace.added, '+')];
            for (lines, sign) in signed {
                for changed in lines.iter().take(LISTED) {
                    let changed = bounded(changed, COMMENT_SHOWN).into_owned();
                    text.push('\n');
                    let first = format!("      {sign} ");
                    text.push_str(&self.fold(&first, "        ", &line(&changed)));
                }
            }
        }
        text
    }

    fn notes(&self, variant: &VariantReport) -> Option<String> {
        if variant.notes.is_empty() {
            return None;
        }
        let title = format!("Notes on cases of {}", quote(&variant.name));
        let mut text = self.paint(HEADING, &self.fold("", "  ", &title));
        for case in variant.notes.iter().take(LISTED) {
            for note in &case.notes {
                let entry = format!(
                    "{}: {}",
                    quote(&case.example),
                    line(&bounded(note, COMMENT_SHOWN))
                );
                text.push('\n');
                text.push_str(&self.fold("   - ", "     ", &entry));
            }
        }
        Some(text)
    }

    fn worst(&self, variant: &VariantReport, kind: CaseKind) -> Option<String> {
        let title = figures::worst_heading(variant, kind, LISTED)?;
        let title = format!("{title}, {}", quote(&variant.name));
        let mut text = self.paint(HEADING, &self.fold("", "  ", &title));
        let worst = variant.worst.iter().filter(|worst| worst.kind == kind);
        for (number, worst) in (1..).zip(worst.take(LISTED)) {
            text.push('\n');
            text.push_str(&self.worst_example(number, worst));
        }
        Some(text)
    }

    fn worst_example(&self, number: usize, worst: &WorstExample) -> String {
        let mut text = self.fold(
            &format!("{number:>3}. "),
            "     ",
            &figures::worst_title(worst, quote),
        );
        for finding in figures::worst_findings(worst) {
            let finding = bounded(&finding, COMMENT_SHOWN).into_owned();
            text.push('\n');
            text.push_str(&self.fold("     - ", "       ", &line(&finding)));
        }
        text
    }

    fn incidents(
        &self,
        variant: &VariantReport,
        title: &str,
        consequence: &str,
        incidents: &[Incident],
        total: u64,
    ) -> Option<String> {
        if incidents.is_empty() {
            return None;
        }
        let shown = incidents.len().min(LISTED);
        let title = format!(
            "{title} of {}, {consequence}: {shown} of {total}",
            quote(&variant.name)
        );
        let mut text = self.paint(HEADING, &self.fold("", "  ", &title));
        for incident in incidents.iter().take(LISTED) {
            let error = incident.error.as_deref().unwrap_or("no message");
            let entry = format!(
                "{}, repeat {}, {}: {}",
                quote(&incident.example),
                incident.repeat,
                incident.outcome.name(),
                line(&bounded(error, COMMENT_SHOWN)),
            );
            text.push('\n');
            text.push_str(&self.fold("   - ", "     ", &entry));
        }
        Some(text)
    }

    fn not_judged(&self, report: &Report) -> Option<String> {
        let text = figures::not_judged(report)?;
        Some(self.fold("", "  ", &text))
    }

    /// The command that shows the first of the worst, or any other attempt.
    fn further(&self, report: &Report) -> String {
        let variants = report.variants.iter();
        let mut worst = variants.filter_map(|variant| Some((variant, variant.worst.first()?)));
        let (variant, example) = match worst.next() {
            Some((variant, worst)) => (variant.name.as_str(), worst.example.as_str()),
            None => (
                report.variants.first().map_or("", |variant| &variant.name),
                "",
            ),
        };
        let path = format!(
            "{}/{}",
            placeholder(&report.experiment, "EXPERIMENT"),
            placeholder(variant, "VARIANT")
        );
        format!(
            "{}\n  mailproof show {} {}",
            self.paint(HEADING, "To see what an agent did"),
            shell(&path),
            shell(placeholder(example, "EXAMPLE")),
        )
    }
}

/// A name that a person can copy, or the word for what to put in its place.
fn placeholder<'a>(name: &'a str, word: &'a str) -> &'a str {
    let plain = line(name) == name && name.chars().count() <= NAME_SHOWN;
    if plain && !name.is_empty() {
        name
    } else {
        word
    }
}
