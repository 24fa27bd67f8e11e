//! `report.html`: a report to click through, in one file that needs no network.
//!
//! The head of the page is made of the [`Report`] alone and reads without scripts: verdict,
//! tables, drawings. Below it stand, as JSON that is not executed, the examples and what
//! became of them; a small script of ours shows them on demand and puts their text into the
//! page as text, never as markup. A policy in the page forbids everything else: whatever an
//! email holds, nothing of it runs, and nothing is loaded.
//!
//! A page is made in two readings of a journal, in any order and one attempt in memory at a
//! time: a [`Survey`] learns which attempts are worth showing, then a [`Page`] keeps of them
//! what it has room for ([`kept`]). Before that it is shown the examples that flipped against a
//! reference, as both sides handled them ([`Page::flip`]). Everything passes the redactor before
//! it is escaped.

mod attempt;
mod comparison;
mod diff;
mod figure;
mod flips;
mod history;
mod judges;
mod kept;
mod plot;
mod survey;
#[cfg(test)]
mod tests;
mod trajectory;
mod trend;
mod view;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::{self, Write};

use minijinja::value::Serde;
use minijinja::{Environment, Value};
use serde::Serialize;
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};

use super::escape::{bounded, lines};
use super::history::Earlier;
use super::{Report, figures};
use crate::compare::Beside;
use crate::experiment::Attempt;
use crate::redact::Redactor;
use crate::run::Run;

use attempt::{Summary, Whole};
use flips::Flips;
pub use flips::wanted;
use kept::{Kept, script};
use survey::Case;
pub use survey::Survey;

const TEMPLATE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// Bytes of whole attempts, of summaries, of emails, and of rows that a page holds; with what
/// stands above them, less than 20 MB. Of the first, what the reference did may take a half.
const WHOLE: usize = 8_000_000;
const FLIPS: usize = WHOLE / 2;
const SUMMARIES: usize = 4_000_000;
const EMAILS: usize = 3_000_000;
const ROWS: usize = 3_000_000;
/// Characters of one text.
const TEXT_SHOWN: usize = 20_000;
/// Characters of a subject in the table of examples.
const SUBJECT_SHOWN: usize = 90;

/// What a page tells of, as far as it has room.
pub struct Page<'a> {
    report: &'a Report,
    redactor: &'a Redactor,
    survey: Survey,
    earlier: Option<&'a Earlier>,
    flips: Flips<'a>,
    /// Pairs and whether for the worse, by the ids of examples that flipped against the reference.
    flipped: HashMap<&'a str, Vec<(usize, bool)>>,
    /// Attempts that stand beside the reference's, by position, variant, and repeat.
    beside: HashSet<(u32, u32, u32)>,
    /// By position.
    subjects: BTreeMap<u32, String>,
    /// By position.
    emails: Kept<u32>,
    /// By position, variant, and repeat.
    summaries: Kept<(u32, u32, u32)>,
    /// Those beside the reference's, what went wrong or changed, the rest.
    whole: Kept<(u8, (u32, u32, u32))>,
}

impl<'a> Page<'a> {
    /// `survey` has seen every attempt that `report` is made of; `earlier` are experiments that
    /// it may be seen among.
    pub fn new(
        report: &'a Report,
        survey: Survey,
        earlier: Option<&'a Earlier>,
        redactor: &'a Redactor,
    ) -> Page<'a> {
        let flips = Flips::new(report.comparison.as_ref(), FLIPS);
        Page {
            report,
            redactor,
            survey,
            earlier,
            flipped: flips.flipped(),
            flips,
            beside: HashSet::new(),
            subjects: BTreeMap::new(),
            emails: Kept::new(EMAILS),
            summaries: Kept::new(SUMMARIES),
            whole: Kept::new(WHOLE),
        }
    }

    /// Takes up an example that flipped, as both sides handled it: one of [`wanted`], in their
    /// order, and before any attempt.
    pub fn flip(&mut self, beside: &Beside) {
        self.beside.extend(self.flips.push(beside, self.redactor));
        self.whole = Kept::new(WHOLE - self.flips.kept().size());
    }

    /// Takes up an attempt.
    pub fn push(&mut self, attempt: &Attempt<Run>) {
        let case = &attempt.case;
        let at = (case.position, case.variant, case.repeat);
        // Every attempt at an example is told the same email.
        if !self.subjects.contains_key(&case.position)
            && let Some(email) = attempt.runs.first().and_then(trajectory::email_of)
        {
            let subject = bounded(trajectory::subject(email), SUBJECT_SHOWN);
            self.subjects.insert(case.position, subject.into_owned());
            self.emails.insert(case.position, self.safe(&email));
        }
        let summary = self.safe(&Summary::new(attempt));
        self.summaries.insert(at, summary);
        let whole = self.safe(&Whole::new(attempt));
        let rank = match (self.beside.contains(&at), self.is_notable(attempt)) {
            (true, _) => 0,
            (false, true) => 1,
            (false, false) => 2,
        };
        self.whole.insert((rank, at), whole);
    }

    /// Failed, spoiled, flaky, or other than in the reference.
    fn is_notable(&self, attempt: &Attempt<Run>) -> bool {
        let case = &attempt.case;
        let cell = self.survey.cell(case.position, case.variant);
        cell.is_none_or(|cell| cell.failed > 0 || cell.unscored > 0)
            || self.flipped.contains_key(case.example.as_str())
    }

    /// What may be shown of a value: without secrets, and without what could act.
    fn safe(&self, value: &impl Serialize) -> Json {
        safe(value, self.redactor)
    }

    /// Writes the whole page.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let (rows, rows_left_out) = self.rows();
        // Drawings are long, and what a report says is bounded.
        let view = view::view(self.report, &self.survey, self.redactor);
        let view = safe_to(usize::MAX, &view, self.redactor);
        let history = self
            .earlier
            .map(|it| history::view(it, self.report, self.redactor));
        let history = safe_to(usize::MAX, &history, self.redactor);
        let page = template().render(minijinja::context! {
            style => Value::from_safe_string(STYLE.to_owned()),
            policy => policy(),
            room => Value::from(Serde(&self.room(rows_left_out))),
            both => Value::from(Serde(&self.flips.room())),
            history => Value::from(Serde(&history)),
            ..Value::from(Serde(&view))
        });
        let page = page.expect("the page renders what the view has");
        out.write_all(page.as_bytes())?;
        let facts = json!({
            "experiment": self.report.experiment,
            "variants": self.report.variants.iter().map(|it| &it.name).collect::<Vec<_>>(),
            "pairs": self.flips.pairs(),
        });
        data(out, "facts", &script(&self.safe(&facts)))?;
        data(out, "cases", &rows)?;
        let mut attempts: BTreeMap<u32, Vec<&str>> = BTreeMap::new();
        for ((position, _, _), summary) in self.summaries.iter() {
            attempts.entry(*position).or_default().push(summary);
        }
        for (position, summaries) in attempts {
            let email = self.emails.get(&position).unwrap_or("null");
            let attempts = summaries.join(",");
            let case = format!("{{\"email\":{email},\"attempts\":[{attempts}]}}");
            data(out, &format!("c{position}"), &case)?;
        }
        for ((_, (position, variant, repeat)), whole) in self.whole.iter() {
            data(out, &format!("w{position}-{variant}-{}", repeat + 1), whole)?;
        }
        for ((pair, position), flip) in self.flips.iter() {
            data(out, &format!("f{pair}-{position}"), flip)?;
        }
        let all = [
            self.whole.texts(),
            self.emails.texts(),
            self.summaries.texts(),
            self.flips.kept().texts(),
        ];
        let texts: BTreeMap<&str, &str> = all.into_iter().flatten().collect();
        for (name, text) in texts {
            data(out, &format!("x{name}"), text)?;
        }
        writeln!(out, "<script>{SCRIPT}</script>\n</body>\n</html>")
    }

    /// The table of examples, in the plan's order, and how many there was no room for: those in
    /// which nothing failed or changed come last to their place in it.
    fn rows(&self) -> (String, usize) {
        let mut rows: BTreeMap<u32, String> = BTreeMap::new();
        let mut size = 0;
        for first in [true, false] {
            let cases = self.survey.cases().iter();
            for (&position, case) in cases.filter(|(_, case)| self.comes_first(case) == first) {
                let mut row = Survey::row(case, self.report.variants.len());
                row["at"] = json!(position);
                row["subject"] = json!(self.subjects.get(&position));
                row["flips"] = json!(self.flipped.get(case.id.as_str()));
                let row = script(&self.safe(&row));
                if size + row.len() > ROWS {
                    break;
                }
                size += row.len();
                rows.insert(position, row);
            }
        }
        let left_out = self.survey.cases().len() - rows.len();
        let rows: Vec<String> = rows.into_values().collect();
        (format!("[{}]", rows.join(",\n")), left_out)
    }

    fn comes_first(&self, case: &Case) -> bool {
        let mut cells = case.cells.values();
        cells.any(|cell| cell.failed > 0 || cell.unscored > 0)
            || self.flipped.contains_key(case.id.as_str())
    }

    /// How much of the examples and attempts the page has, in words.
    fn room(&self, rows_left_out: usize) -> Json {
        let left_out = self.whole.left_out();
        let words = match left_out {
            0 => format!(
                "All {} are here whole.",
                figures::plural(self.whole.len(), "attempt")
            ),
            _ => format!(
                "{} of {} are here whole, those that failed, ended in errors, or changed first; \
                 the other {} are summarised.",
                figures::count(self.whole.len()),
                figures::plural(self.whole.len() + left_out, "attempt"),
                figures::count(left_out),
            ),
        };
        let missing = self.summaries.left_out();
        let missing = (missing > 0).then(|| {
            format!(
                " There was no room for anything of {}.",
                figures::plural(missing, "attempt")
            )
        });
        let rows = (rows_left_out > 0).then(|| {
            format!(
                " The table leaves out {} for want of room, first of those in which nothing failed or changed.",
                figures::plural(rows_left_out as u64, "case")
            )
        });
        json!(words + &missing.unwrap_or_default() + &rows.unwrap_or_default())
    }
}

/// JSON that the browser does not execute.
fn data(out: &mut dyn Write, id: &str, json: &str) -> io::Result<()> {
    writeln!(
        out,
        "<script type=\"application/json\" id=\"{id}\">{json}</script>"
    )
}

/// A value as JSON without secrets, its texts bounded, and with escapes in the place of
/// characters that could do more than be seen.
fn safe(value: &impl Serialize, redactor: &Redactor) -> Json {
    safe_to(TEXT_SHOWN, value, redactor)
}

fn safe_to(most: usize, value: &impl Serialize, redactor: &Redactor) -> Json {
    let text = serde_json::to_string(value).expect("what a page shows has string keys");
    let text = redactor.json(&text);
    let mut value = serde_json::from_str(&text).expect("redacted JSON is JSON");
    show(most, &mut value);
    value
}

fn show(most: usize, value: &mut Json) {
    match value {
        Json::String(text) => {
            let all = text.chars().count();
            let mut shown = lines(&bounded(text, most));
            if all > most {
                let left = figures::plural((all - most) as u64, "more character");
                shown.push_str(&format!(" [{left} not shown]"));
            }
            *text = shown;
        }
        Json::Array(values) => values.iter_mut().for_each(|value| show(most, value)),
        Json::Object(fields) => fields.values_mut().for_each(|value| show(most, value)),
        Json::Null | Json::Bool(_) | Json::Number(_) => {}
    }
}

/// Nothing is loaded, and no script runs but ours.
fn policy() -> String {
    format!(
        "default-src 'none'; style-src '{}'; script-src '{}'; base-uri 'none'; form-action 'none'",
        source(STYLE),
        source(SCRIPT)
    )
}

/// How a policy names an inline block: by its SHA-256 in Base64.
fn source(block: &str) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digest = Sha256::digest(block);
    let mut text = String::from("sha256-");
    for chunk in digest.chunks(3) {
        let bytes = [0, 1, 2].map(|place| u32::from(chunk.get(place).copied().unwrap_or(0)));
        let bits = bytes[0] << 16 | bytes[1] << 8 | bytes[2];
        for place in 0..4 {
            match place <= chunk.len() {
                true => text.push(char::from(
                    LETTERS[(bits >> (18 - 6 * place) & 63) as usize],
                )),
                false => text.push('='),
            }
        }
    }
    text
}

/// A name within the part of an address that the browser keeps to itself.
fn route(name: &str) -> String {
    let mut route = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => {
                route.push(char::from(byte));
            }
            _ => route.push_str(&format!("%{byte:02X}")),
        }
    }
    route
}

fn template() -> minijinja::Template<'static, 'static> {
    static PAGES: std::sync::LazyLock<Environment<'static>> = std::sync::LazyLock::new(|| {
        let mut pages = Environment::new();
        pages.add_filter("words", |text: String| {
            Value::from_safe_string(view::words(&text))
        });
        pages.add_filter("route", |text: String| route(&text));
        let added = pages.add_template("page.html", TEMPLATE);
        added.expect("the template is well formed");
        pages
    });
    PAGES.get_template("page.html").expect("it was added")
}
