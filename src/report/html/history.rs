//! How the figures of a report went, experiment by experiment, for the template.

use serde_json::{Value, json};

use super::figure;
use super::plot;
use super::trend::{Line, trend};
use super::view::{quote, table};
use crate::redact::Redactor;
use crate::report::Report;
use crate::report::figures::{NOTHING, count, plural};
use crate::report::history::{Earlier, History, Series, shown};

pub fn view(earlier: &Earlier, report: &Report, redactor: &Redactor) -> Value {
    let before = earlier.figures[0].experiments.len() - 1;
    let legend = report.variants.iter().enumerate();
    let legend = legend.filter(|(_, variant)| {
        let mut series = earlier.figures.iter().flat_map(|it| &it.variants);
        series.any(|series| series.variant == variant.name)
    });
    json!({
        "words": format!(
            "{} over the same cases of {}, the oldest first, and this one, which is the last. \
             The scale of each drawing is its own; where lines lie on one another, the last \
             variant's is seen.",
            plural(before as u64, "earlier experiment"),
            quote(&report.dataset.name),
        ),
        "figures": earlier.figures.iter().map(|it| drawn(it, report, redactor)).collect::<Vec<_>>(),
        "legend": legend
            .map(|(index, variant)| json!({ "mark": plot::mark(index), "name": variant.name }))
            .collect::<Vec<_>>(),
        "left": left(earlier),
    })
}

/// What is not told, in words.
fn left(earlier: &Earlier) -> Option<String> {
    let older = (earlier.older > 0).then(|| {
        let one = earlier.older == 1;
        format!(
            "{} older {} not shown.",
            count(earlier.older),
            if one { "one is" } else { "ones are" }
        )
    });
    let unread = (earlier.unread > 0).then(|| {
        format!(
            "{} cannot be read, and may belong here: `mailproof history` says why.",
            plural(earlier.unread, "experiment")
        )
    });
    let words: Vec<String> = older.into_iter().chain(unread).collect();
    (!words.is_empty()).then(|| words.join(" "))
}

fn drawn(history: &History, report: &Report, redactor: &Redactor) -> Value {
    let show = |value: Option<f64>| value.map_or(NOTHING.to_owned(), |it| shown(&history.key, it));
    let place = |series: &Series| {
        let mut variants = report.variants.iter();
        variants.position(|variant| variant.name == series.variant)
    };
    let lines: Vec<Line> = history
        .variants
        .iter()
        .map(|series| Line {
            index: place(series).unwrap_or(0),
            values: series.values.clone(),
        })
        .collect();
    let last = history.experiments.len() - 1;
    let mut headers = vec!["experiment".to_owned(), "begun".to_owned()];
    headers.extend(history.variants.iter().map(|it| quote(&it.variant)));
    let rows = history.experiments.iter().enumerate().map(|(at, past)| {
        let own = if at == last { " (this one)" } else { "" };
        let mut row = vec![
            format!("{}. {}{own}", at + 1, quote(&past.experiment)),
            past.created.strftime("%Y-%m-%d %H:%M").to_string(),
        ];
        row.extend(history.variants.iter().map(|it| show(it.values[at])));
        row
    });
    let title = figure::title(&history.key);
    let told: Vec<String> = history
        .variants
        .iter()
        .map(|series| {
            let name = redactor.text(&series.variant);
            let known = || series.values.iter().copied().flatten();
            let least = known().reduce(f64::min);
            let most = known().reduce(f64::max);
            format!(
                "{name}: {} at first, {} in this one, between {} and {}",
                show(known().next()),
                show(series.values[last]),
                show(least),
                show(most),
            )
        })
        .collect();
    let label = format!(
        "{title} over {}. {}. The table has the figures.",
        plural(last as u64 + 1, "experiment"),
        told.join("; ")
    );
    json!({
        "title": title,
        "svg": trend(&label, last + 1, &lines),
        "table": table((headers, rows.collect())),
    })
}
