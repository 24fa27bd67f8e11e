//! What a judge prefers, in words: one page, laid out for a terminal or as Markdown.

use textwrap::Options;

use super::{Decided, Estimate, PairwiseReport, VariantPair};
use crate::report::escape::{self, bounded};
use crate::report::figures::{NOTHING, count, percent_with_interval, percentage, plural};
use crate::report::people::Table;
use crate::report::table;

/// The most characters of an id or a name.
const NAME: usize = 200;
/// Examples of either list in a terminal.
const LISTED: usize = 5;

const LEGEND: &str = "A judge was shown what both did about the same email, in both orders. One is \
    preferred where both orders say so; anything else is a tie. No mail where one was due loses to \
    any mail, without asking. Nobody has measured how often this judge is right: this is a \
    diagnosis, and decides nothing.";

const SHARES: &str = "Of the pairs with an answer, the mean over examples; net is A less B, in \
    points. Decided: of the examples that one side won, the share that A won. In parentheses: the \
    95% interval.";

/// A part of the page.
enum Block {
    Title(String),
    Text(String),
    Table(Table),
    List(Vec<Vec<String>>),
}

/// Lines of at most `width` columns, where words allow it.
pub fn terminal(report: &PairwiseReport, width: usize) -> String {
    let quote = |text: &str| escape::line(&bounded(text, NAME)).into_owned();
    let fill = |first: &str, text: &str| {
        let rest = " ".repeat(first.len());
        let options = Options::new(width);
        textwrap::fill(text, options.initial_indent(first).subsequent_indent(&rest))
    };
    let render = |block: Block| match block {
        Block::Title(title) | Block::Text(title) => fill("", &title),
        Block::Table((headers, rows)) => {
            let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
            table::render(&headers, &rows, width, str::to_owned)
        }
        Block::List(entries) => {
            let entries = entries.into_iter().take(LISTED).map(|lines| {
                let lines = lines.iter().enumerate().map(|(number, line)| match number {
                    0 => fill("- ", line),
                    _ => fill("    ", line),
                });
                lines.collect::<Vec<_>>().join("\n")
            });
            entries.collect::<Vec<_>>().join("\n")
        }
    };
    let mut text: String = blocks(report, quote)
        .into_iter()
        .map(render)
        .collect::<Vec<_>>()
        .join("\n\n");
    text.push('\n');
    text
}

/// The same with all that is listed.
pub fn markdown(report: &PairwiseReport) -> String {
    let quote = |text: &str| escape::markdown(&bounded(text, 700));
    let render = |block: Block| match block {
        Block::Title(title) => format!("## {title}"),
        Block::Text(text) => text,
        Block::Table((headers, rows)) => {
            let mut text = format!("| {} |\n| :--- |", headers.join(" | "));
            text.push_str(&" ---: |".repeat(headers.len() - 1));
            for row in rows {
                text.push_str(&format!("\n| {} |", row.join(" | ")));
            }
            text
        }
        Block::List(entries) => {
            let entries = entries.into_iter().map(|lines| lines.join("\n  - "));
            let entries = entries.map(|entry| format!("- {entry}"));
            entries.collect::<Vec<_>>().join("\n")
        }
    };
    let parts = blocks(report, quote).into_iter().map(render);
    format!(
        "# mailproof preferences\n\n{}\n",
        parts.collect::<Vec<_>>().join("\n\n")
    )
}

fn blocks(report: &PairwiseReport, quote: impl Fn(&str) -> String) -> Vec<Block> {
    let [a, b] = report.experiments.each_ref().map(|name| quote(name));
    let judge = &report.judge;
    let models: Vec<String> = judge.models.iter().map(|model| quote(model)).collect();
    let each = if models.len() > 1 { " each" } else { "" };
    let mut blocks = vec![
        Block::Title(format!("A: {a}, B: {b}")),
        Block::Text(format!(
            "pairwise, version {}, {}{each} of {}: uncalibrated. {LEGEND}",
            judge.version,
            plural(judge.votes.into(), "vote"),
            models.join(", "),
        )),
        Block::Text(canaries(report, &quote)),
        Block::Table(shares(report, &quote)),
        Block::Text(SHARES.to_owned()),
        Block::Table(biases(report, &quote)),
        Block::Text(
            "Consistent: of the pairs with a verdict in both orders, those in which the orders \
             agree. First: of all preferences, those for what stood first; half, where the place \
             makes no difference. Longer: of the pairs that were decided, those in which the \
             longer mail was preferred; r: the correlation of being preferred with being longer."
                .to_owned(),
        ),
    ];
    for pair in &report.variants {
        blocks.extend(left_out(pair, &quote).map(Block::Text));
        for (of, all, title) in [
            (&pair.lost, pair.lost_count, "B is preferred"),
            (&pair.won, pair.won_count, "A is preferred"),
        ] {
            if of.is_empty() {
                continue;
            }
            blocks.push(Block::Title(format!(
                "{title}: {} of {}",
                plural(all, "example"),
                name(pair, &quote)
            )));
            blocks.push(Block::List(
                of.iter().map(|one| decided(one, &quote)).collect(),
            ));
        }
    }
    blocks
}

fn canaries(report: &PairwiseReport, quote: impl Fn(&str) -> String) -> String {
    let canaries = &report.judge.canaries;
    let mut text = match &canaries.failed {
        None => "Canaries held.".to_owned(),
        Some(why) => format!(
            "CANARIES FAILED: {why}. What this judge prefers says nothing; choose another model."
        ),
    };
    text.push_str(&format!(
        " Of those that order the judge about {} of {} held, of the others {} of {} (3 in 4 must).",
        canaries.orders.held, canaries.orders.of, canaries.quality.held, canaries.quality.of
    ));
    if !canaries.missed.is_empty() {
        let missed: Vec<String> = canaries.missed.iter().map(|one| quote(&one.id)).collect();
        text.push_str(&format!(" Not held: {}.", missed.join(", ")));
    }
    text
}

fn shares(report: &PairwiseReport, quote: impl Fn(&str) -> String) -> Table {
    let headers = [
        "A against B",
        "examples",
        "A",
        "B",
        "tie",
        "net",
        "decided for A",
        "unscored",
        "by code",
    ];
    let rows = report.variants.iter().map(|pair| {
        let of = |estimate: &Estimate| percent_with_interval(estimate, estimate.n);
        vec![
            name(pair, &quote),
            count(pair.a.n),
            of(&pair.a),
            of(&pair.b),
            of(&pair.tied),
            points(&pair.net),
            match pair.decided.n {
                0 => NOTHING.to_owned(),
                n => format!("{} of {}", of(&pair.decided), count(n)),
            },
            count(pair.counts.unscored),
            count(pair.by_code),
        ]
    });
    (headers.map(str::to_owned).to_vec(), rows.collect())
}

fn biases(report: &PairwiseReport, quote: impl Fn(&str) -> String) -> Table {
    let headers = [
        "A against B",
        "judged",
        "consistent",
        "first",
        "longer",
        "r",
        "alpha",
        "split",
    ];
    let rows = report.variants.iter().map(|pair| {
        let share = |value: Option<f64>, n: u64| {
            value.map_or(NOTHING.to_owned(), |value| {
                format!("{} of {}", percentage(value), count(n))
            })
        };
        let decimal = |value: Option<f64>| value.map_or(NOTHING.to_owned(), |r| format!("{r:.2}"));
        let agreement = &pair.agreement;
        vec![
            name(pair, &quote),
            count(pair.order.judged),
            share(pair.order.consistent, pair.order.judged),
            share(pair.order.first, pair.order.preferences),
            share(pair.length.longer, pair.length.decided),
            decimal(pair.length.correlation),
            match (agreement.alpha, agreement.statements) {
                (None, 1..) => "undefined".to_owned(),
                (alpha, _) => decimal(alpha),
            },
            match agreement.statements {
                0 => NOTHING.to_owned(),
                all => format!("{} of {}", count(agreement.split), count(all)),
            },
        ]
    });
    (headers.map(str::to_owned).to_vec(), rows.collect())
}

/// Both names, or the one that they share.
fn name(pair: &VariantPair, quote: impl Fn(&str) -> String) -> String {
    let [a, b] = &pair.variants;
    match a == b {
        true => quote(a),
        false => format!("{} / {}", quote(a), quote(b)),
    }
}

/// `+12.5 (3–22)`.
fn points(estimate: &Estimate) -> String {
    let Some(value) = estimate.value else {
        return NOTHING.to_owned();
    };
    let mut text = format!("{:+.1}", value * 100.0);
    if let (Some(low), Some(high)) = (estimate.low, estimate.high) {
        text.push_str(&format!(" ({:+.0} to {:+.0})", low * 100.0, high * 100.0));
    }
    text
}

fn left_out(pair: &VariantPair, quote: impl Fn(&str) -> String) -> Option<String> {
    let of = pair.left_out;
    let reasons = [
        (of.unpaired, "attempt", "that only one side made"),
        (
            of.errors,
            "pair",
            "of which one ended in an infrastructure error",
        ),
        (of.unsent, "pair", "of which neither sent a mail"),
    ];
    let reasons: Vec<String> = reasons
        .into_iter()
        .filter(|(number, ..)| *number > 0)
        .map(|(number, noun, why)| format!("{} {why}", plural(number, noun)))
        .collect();
    let told = || {
        format!(
            "Not compared for {}: {}.",
            name(pair, &quote),
            reasons.join(", ")
        )
    };
    (!reasons.is_empty()).then(told)
}

fn decided(one: &Decided, quote: impl Fn(&str) -> String) -> Vec<String> {
    let mut lines = vec![match one.pairs {
        1 => quote(&one.example),
        pairs => format!(
            "{}: A {}, B {} of {} pairs",
            quote(&one.example),
            one.a,
            one.b,
            count(pairs.into())
        ),
    }];
    let [first, second] = &one.reasons;
    match &**second {
        // Code decided.
        "" => lines.push(format!("by code: {}", quote(first))),
        second => {
            lines.push(format!("A before B: {}", quote(first)));
            lines.push(format!("B before A: {}", quote(second)));
        }
    }
    lines
}
