//! A comparison for a pull request: the answer first, figures folded.

use super::{fold, owned_table, quote};
use crate::compare::{Comparison, Pair, worst_first};
use crate::report::compare;
use crate::report::escape::xml;

/// Groups that got worse, of each kind.
const GROUPS: usize = 10;
/// Examples that flipped.
const FLIPS: usize = 50;

/// A page of its own.
pub fn render(comparison: &Comparison) -> String {
    let title = format!(
        "# {} against {}",
        quote(&comparison.candidate.experiment),
        quote(&comparison.reference.experiment)
    );
    format!("{title}\n\n{}\n", section(comparison))
}

/// As part of a report.
pub(super) fn section(comparison: &Comparison) -> String {
    let mut parts = vec![format!("**{}**", compare::headline(comparison, quote))];
    let several = comparison.pairs.len() > 1;
    if several {
        let lines = comparison.pairs.iter();
        let lines = lines.map(|pair| format!("- {}", compare::pair_title(pair, quote)));
        parts.push(lines.collect::<Vec<_>>().join("\n"));
    }
    for pair in &comparison.pairs {
        parts.extend(pair_where(comparison, pair, several));
    }
    let figures: Vec<String> = comparison.pairs.iter().map(figures).collect();
    let figures = format!(
        "{}\n\n{}",
        figures.join("\n\n"),
        compare::legend(comparison)
    );
    parts.push(fold("Every measure, compared", &figures));
    let mut differences: Vec<String> = comparison.differences.iter().map(|it| quote(it)).collect();
    differences.extend(compare::one_sided(comparison, quote));
    if !differences.is_empty() {
        let lines: Vec<String> = differences.iter().map(|line| format!("- {line}")).collect();
        parts.push(fold("What else differs, and may be why", &lines.join("\n")));
    }
    parts.join("\n\n")
}

fn pair_where(comparison: &Comparison, pair: &Pair, several: bool) -> Option<String> {
    if pair.flips.is_empty() {
        return (!several).then(|| compare::flips_heading(pair));
    }
    let mut lines = Vec::new();
    for (kind, groups) in [("tag", &pair.tags), ("split", &pair.splits)] {
        for (name, group) in worst_first(groups).into_iter().take(GROUPS) {
            lines.push(format!("- {}", compare::group(kind, name, group, quote)));
        }
    }
    let mut text = match several {
        true => format!(
            "{}: {}",
            quote(&pair.candidate),
            compare::flips_heading(pair)
        ),
        false => compare::flips_heading(pair),
    };
    if !lines.is_empty() {
        text.push_str("\n\n");
        text.push_str(&lines.join("\n"));
    }
    let flips = pair.flips.iter().take(FLIPS);
    let mut flips: Vec<String> = flips
        .map(|flip| format!("1. {}", compare::flip(flip, quote)))
        .collect();
    if let Some(flip) = pair.flips.first() {
        flips.push(format!(
            "\n{}",
            quote(&compare::read_both(comparison, pair, &flip.example))
        ));
    }
    let summary = match pair.flips.len() > FLIPS {
        true => format!(
            "The first {FLIPS} of {} examples that flipped",
            pair.flips.len()
        ),
        false => "Examples that flipped".to_owned(),
    };
    Some(format!(
        "{text}\n\n{}",
        fold(&xml(&summary), &flips.join("\n"))
    ))
}

fn figures(pair: &Pair) -> String {
    let mut parts = vec![
        format!("#### {}", compare::pair_title(pair, quote)),
        owned_table(compare::keys(pair)),
    ];
    let lines: Vec<String> = pair
        .resources
        .iter()
        .map(compare::resource)
        .chain(pair.noise.iter().map(compare::noise))
        .map(|line| format!("- {line}"))
        .collect();
    if !lines.is_empty() {
        parts.push(lines.join("\n"));
    }
    if !pair.flaky.is_empty() {
        let lines = pair.flaky.iter().take(FLIPS);
        let lines = lines.map(|flaky| format!("- {}", compare::flaky(flaky, quote)));
        let lines: Vec<String> = lines.collect();
        parts.push(format!(
            "{}\n\n{}",
            compare::flaky_heading(pair),
            lines.join("\n")
        ));
    }
    parts.join("\n\n")
}
