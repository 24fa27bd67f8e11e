//! Whether a mail takes one of the things that are on offer.

use std::collections::BTreeSet;

use super::Finding;
use super::criteria::{Case, told};
use super::demand::Demand;
use super::lexicon::{Cue, lexicon, stem};
use super::prose::{Prose, Word};
use super::times;
use crate::model::rules::text::class;

/// Whether it takes one of the things on offer.
pub(super) fn chosen(case: &Case, demand: &Demand, first: Option<&Vec<Demand>>) -> Finding {
    let about_times = [
        " time ", " times ", " day ", " days ", " slot ", " slots ", " date ", " dates ",
    ];
    if about_times.iter().any(|word| demand.clause.contains(word))
        && !times::on_offer(case).is_empty()
    {
        return times::picked_time(case, demand);
    }
    if let Some((_, between)) = demand.clause.split_once(" between ") {
        return between_two(case, between);
    }
    let labels = labels(&case.email.body);
    if labels.len() >= 2 {
        // "…, or picks an option that needs none": not the one that was spoken of.
        let barred = match demand.clause.contains(" an option that ") {
            true => first
                .and_then(|all| all.first())
                .map(|first| first.clause.clone()),
            false => None,
        };
        return label(case, &labels, barred.as_deref());
    }
    told(case, demand)
}

/// "(a)", "(b)", … of the email.
fn labels(body: &str) -> Vec<String> {
    let mut labels: Vec<String> = Vec::new();
    for (start, _) in body.match_indices('(') {
        let mut rest = body[start + 1..].chars();
        let (Some(inside), Some(')')) = (rest.next(), rest.next()) else {
            continue;
        };
        if inside.is_ascii_alphanumeric() {
            let label = inside.to_ascii_lowercase().to_string();
            if !labels.contains(&label) && labels.len() < 9 {
                labels.push(label);
            }
        }
    }
    labels
}

fn label(case: &Case, labels: &[String], barred: Option<&str>) -> Finding {
    let mut named: Vec<(String, &Prose, usize, bool)> = Vec::new();
    for (prose, index, sentence) in case.said() {
        let text = prose.text.sentence(index).to_lowercase();
        for label in labels {
            let is_there = text.contains(&format!("({label})"))
                || text.contains(&format!("option {label}"))
                    && prose
                        .words_of(sentence)
                        .iter()
                        .any(|word| word.folded == *label);
            if is_there {
                named.push((
                    label.clone(),
                    prose,
                    index,
                    sentence.cues.any(&[Cue::Accept, Cue::Yes, Cue::Promise]),
                ));
            }
        }
    }
    let distinct: BTreeSet<&String> = named.iter().map(|(label, ..)| label).collect();
    let is_barred =
        |label: &str| barred.is_some_and(|clause| clause.contains(&format!(" option {label} ")));
    let picked = match distinct.len() {
        1 => named.first(),
        _ => None,
    };
    match picked {
        Some((label, prose, index, _)) if !is_barred(label) => {
            Finding::met("The mail takes one of the options", prose.quote(*index))
        }
        Some((_, prose, index, _)) => Finding::unmet_at(
            "The mail takes the option that this does not hold for",
            prose.quote(*index),
        ),
        None => match named.first() {
            Some((_, prose, index, _)) => Finding::unmet_at(
                "The mail speaks of several options and takes none",
                prose.quote(*index),
            ),
            None => Finding::unmet("The mail takes none of the options."),
        },
    }
}

fn between_two(case: &Case, between: &str) -> Finding {
    let Some((one, two)) = between
        .split_once(" and ")
        .or_else(|| between.split_once(" or "))
    else {
        return Finding::unsure("The options could not be read.");
    };
    let words = |text: &str| {
        let prose = Prose::read(case.book, text, case.sent);
        let words = prose.words.into_iter();
        words
            .filter(|word| !lexicon().is_stop(&word.folded) && word.class & class::CAPITAL == 0)
            .collect::<Vec<Word>>()
    };
    let (one, two) = (words(one), words(two));
    // Two colours mean much the same, and are not the same choice.
    let has = |words: &[Word], word: &Word| {
        let mut words = words.iter();
        words.any(|other| stem(&other.folded) == stem(&word.folded))
    };
    let only = |mine: &[Word], other: &[Word]| -> Vec<Word> {
        let own = mine.iter().filter(|word| !has(other, word));
        own.cloned().collect()
    };
    let (first, second) = (only(&one, &two), only(&two, &one));
    for (prose, index, sentence) in case.said() {
        if sentence.question || sentence.cues.has(Cue::Later) {
            continue;
        }
        let words = prose.words_of(sentence);
        let names = |option: &[Word]| option.iter().any(|word| has(words, word));
        let (has_first, has_second) = (names(&first), names(&second));
        if has_first != has_second {
            return Finding::met("The mail names one of the two", prose.quote(index));
        }
    }
    Finding::unmet("The mail chooses neither of the two.")
}
