//! What was measured of a judge, for a terminal.

use std::fmt::Write;

use textwrap::Options;

use crate::judge::Verdict;
use crate::judge::attack::Through;
use crate::judge::calibration::measure::Disagreement;
use crate::judge::calibration::record::{kind_name, notes, several_votes};
use crate::judge::calibration::{Calibration, Details, Measured, Rate};
use crate::report::escape;

/// The most disagreements of either kind that are shown; the record has more.
const SHOWN: usize = 5;
/// Columns of the names of figures.
const NAME: usize = 10;

/// All that there is to say, in at most `width` columns where words allow it.
pub fn render(measured: &Measured, width: usize) -> String {
    let Measured {
        calibration,
        details,
        ..
    } = measured;
    let mut page = Page {
        text: String::new(),
        width,
    };
    let binding = &calibration.binding;
    let models: Vec<_> = binding
        .models
        .iter()
        .map(|name| escape::line(name))
        .collect();
    let votes = match binding.votes {
        1 => String::new(),
        votes => format!(", {votes} votes each"),
    };
    page.paragraph(
        "",
        &format!(
            "{}, judged by {}{votes}",
            binding.judge,
            models.join(" and ")
        ),
    );
    page.line("");
    page.confusion(&details.verdicts);
    page.line("");
    for (name, value) in figures(calibration, details) {
        page.figure(name, &value);
    }
    if !details.kinds.is_empty() {
        let kinds = details.kinds.iter().map(|(kind, (right, all))| {
            format!("{} {right} of {all}", kind_name(*kind).replace('_', " "))
        });
        page.figure("right", &kinds.collect::<Vec<_>>().join(", "));
    }
    for (label, title) in [
        (false, "Labelled fail, judged pass"),
        (true, "Labelled pass, not judged pass"),
    ] {
        let all = details.disagreements[usize::from(label)];
        let worst = details.worst.iter().filter(|worst| worst.label == label);
        let worst: Vec<&Disagreement> = worst.take(SHOWN).collect();
        if worst.is_empty() {
            continue;
        }
        page.line("");
        let more = match all as usize > worst.len() {
            true => format!("{all}, of which {}", worst.len()),
            false => all.to_string(),
        };
        page.paragraph("", &format!("{title}: {more}"));
        for disagreement in worst {
            page.disagreement(disagreement);
        }
    }
    if let Some(attacks) = calibration.attacks.as_ref() {
        page.through(&attacks.through);
    }
    page.line("");
    for note in notes(calibration, details) {
        page.paragraph("", &escape::line(&note));
    }
    page.text
}

fn figures(calibration: &Calibration, details: &Details) -> Vec<(&'static str, String)> {
    let informed = match (calibration.tpr().value, calibration.tnr().value) {
        (Some(tpr), Some(tnr)) => format!("{:.2}", tpr + tnr - 1.0),
        _ => NOTHING.to_owned(),
    };
    let informed = match calibration.informed() {
        Some(ends) => format!("{informed} ({:.2} to {:.2})", ends.low, ends.high),
        None => informed,
    };
    let corrects = match calibration.corrects() {
        Ok(()) => "rates of single statements can be corrected".to_owned(),
        Err(refused) => format!("no rate is corrected: {refused}"),
    };
    let mut figures = vec![
        ("TPR", rate(calibration.tpr(), "labelled pass")),
        ("TNR", rate(calibration.tnr(), "labelled fail")),
        ("informed", format!("{informed}, TPR + TNR - 1: {corrects}")),
        ("kappa", decimal(calibration.kappa())),
    ];
    if details.rated_again > 0 {
        let alpha = decimal(details.raters_alpha);
        let items = count(
            details.rated_again,
            "item that several people rated",
            "items that several people rated",
        );
        figures.push(("alpha", format!("{alpha}, of people, on {items}")));
    }
    if several_votes(&calibration.binding) {
        let alpha = decimal(details.votes_alpha);
        let items = count(
            details.split,
            "item splits the votes",
            "items split the votes",
        );
        figures.push(("votes", format!("{alpha}, their alpha; {items}")));
    }
    let mut coverage = match calibration.coverage() {
        Some(share) => format!("{:.1}%", share * 100.0),
        None => NOTHING.to_owned(),
    };
    let judged = calibration.outcomes().total();
    coverage.push_str(&format!(", {judged} of {} items", calibration.items));
    if details.by_code > 0 {
        let items = count(details.by_code, "other is", "others are");
        coverage.push_str(&format!("; {items} decided by code"));
    }
    if !details.ties.is_empty() {
        let items = count(details.ties.len() as u64, "other", "others");
        coverage.push_str(&format!("; on {items} people are split"));
    }
    figures.push(("coverage", coverage));
    if let Some(attacks) = &calibration.attacks {
        let mut withstood = rate(attacks.withstood(), "withstood");
        if attacks.unscored > 0 {
            withstood.push_str(&format!("; {} left it without a verdict", attacks.unscored));
        }
        if attacks.without == Some(Verdict::Pass) {
            withstood.push_str("; it passed that mail without an attack, too");
        }
        if let Some(date) = attacks.date {
            withstood.push_str(&format!("; tried on {date}"));
        }
        figures.push(("attacks", withstood));
    }
    let people = calibration.labelled_by.iter();
    let people = people.map(|(name, items)| format!("{} {items}", escape::line(name)));
    figures.push(("labels", people.collect::<Vec<_>>().join(", ")));
    figures
}

/// Stands where there is no figure.
const NOTHING: &str = "–";

fn rate(rate: Rate, of: &str) -> String {
    let Some(value) = rate.value else {
        return format!("{NOTHING}, no item is {of}");
    };
    let mut text = format!("{:.1}%", value * 100.0);
    if let (Some(low), Some(high)) = (rate.low, rate.high) {
        text.push_str(&format!(" ({:.1} to {:.1})", low * 100.0, high * 100.0));
    }
    format!("{text} of {} {of}", rate.n)
}

fn decimal(value: Option<f64>) -> String {
    value.map_or("undefined".to_owned(), |value| format!("{value:.2}"))
}

fn count(items: u64, one: &str, many: &str) -> String {
    format!("{items} {}", if items == 1 { one } else { many })
}

struct Page {
    text: String,
    width: usize,
}

impl Page {
    fn line(&mut self, line: &str) {
        writeln!(self.text, "{line}").expect("a string takes all");
    }

    /// Words in as many lines as they need, all but the first below where its words begin.
    fn paragraph(&mut self, lead: &str, words: &str) {
        let rest = " ".repeat(lead.chars().count());
        let options = Options::new(self.width)
            .initial_indent(lead)
            .subsequent_indent(&rest);
        for line in textwrap::wrap(words, options) {
            self.line(&line);
        }
    }

    fn figure(&mut self, name: &str, value: &str) {
        self.paragraph(&format!("{name:NAME$}"), value);
    }

    fn confusion(&mut self, verdicts: &[[u64; 4]; 2]) {
        self.line("labelled    judged pass  fail  cannot tell  none");
        for (label, [pass, fail, cannot_tell, none]) in ["pass", "fail"].iter().zip(verdicts) {
            self.line(&format!(
                "{label:10}  {pass:>11}  {fail:>4}  {cannot_tell:>11}  {none:>4}"
            ));
        }
    }

    fn through(&mut self, through: &[Through]) {
        if through.is_empty() {
            return;
        }
        self.line("");
        let shown = through.len().min(SHOWN);
        let more = match through.len() > shown {
            true => format!("{}, of which {shown}", through.len()),
            false => shown.to_string(),
        };
        self.paragraph("", &format!("Attacks that got through: {more}"));
        for one in &through[..shown] {
            let family = one.family.replace('_', " ");
            let title = format!("{} ({})", escape::line(&one.id), escape::line(&family));
            self.paragraph("- ", &title);
            self.paragraph("    ", &format!("judge: {}", escape::line(&one.reason)));
        }
    }

    fn disagreement(&mut self, of: &Disagreement) {
        let kind = of
            .kind
            .map(|kind| format!(" ({})", kind_name(kind).replace('_', " ")));
        let id = escape::line(&of.id);
        self.paragraph("- ", &format!("{id}{}", kind.unwrap_or_default()));
        self.paragraph("  ", &escape::line(&of.statement));
        for (who, reason) in [
            (&*escape::line(&of.labelled_by), &of.label_reason),
            ("judge", &of.judge_reason),
        ] {
            self.paragraph("    ", &format!("{who}: {}", escape::line(reason)));
        }
    }
}
