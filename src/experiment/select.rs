//! Chooses the examples that take part.
//!
//! Filters come first and must all hold (split, every tag, any of the ids, the rerun's
//! list, and that the suites ask something of the example); then the sample is drawn;
//! then the limit cuts. What is left keeps the order of the dataset.

use std::collections::{BTreeSet, HashSet};

use sha2::{Digest, Sha256};

use super::plan::PlanError;
use super::record::Selection;
use crate::dataset::Example;

/// The examples that take part, as indices into the dataset.
#[derive(Debug, PartialEq, Eq)]
pub struct Selected {
    pub indices: Vec<u32>,
    /// Examples that passed the filters, but that no suite asks anything of.
    pub unasked: usize,
}

/// # Errors
/// [`PlanError::UnknownExamples`], [`PlanError::UnknownTag`], and
/// [`PlanError::UnknownSplit`] for names that no example has, [`PlanError::Nothing`] where
/// no example is left.
pub fn select(
    selection: &Selection,
    seed: u64,
    examples: &[Example],
    asked: impl Fn(&Example) -> bool,
) -> Result<Selected, PlanError> {
    check_names(selection, examples)?;
    let ids: Option<HashSet<&str>> = match selection.ids.as_slice() {
        [] => None,
        ids => Some(ids.iter().map(String::as_str).collect()),
    };
    let rerun: Option<HashSet<&str>> = selection
        .rerun
        .as_ref()
        .map(|rerun| rerun.ids.iter().map(String::as_str).collect());
    let wanted = |example: &Example| {
        let id = example.id.as_str();
        (selection.split.is_none() || selection.split == example.split)
            && selection.tags.iter().all(|tag| example.tags.contains(tag))
            && ids.as_ref().is_none_or(|ids| ids.contains(id))
            && rerun.as_ref().is_none_or(|ids| ids.contains(id))
    };

    let mut indices = Vec::new();
    let mut unasked = 0;
    for (index, example) in examples.iter().enumerate() {
        if !wanted(example) {
            continue;
        }
        if asked(example) {
            indices.push(u32::try_from(index).map_err(|_| PlanError::TooManyExamples)?);
        } else {
            unasked += 1;
        }
    }
    if let Some(sample) = selection.sample
        && sample < indices.len()
    {
        indices = draw(sample, seed, indices, examples);
    }
    indices.truncate(selection.limit.unwrap_or(usize::MAX));
    if indices.is_empty() {
        return Err(PlanError::Nothing {
            of: examples.len(),
            unasked,
        });
    }
    Ok(Selected { indices, unasked })
}

/// The `count` examples whose seeded hashes are lowest, in their old order.
///
/// A hash per id instead of a shuffle: an example added to the dataset changes at most one
/// member of the sample, and the order of the file changes none.
fn draw(count: usize, seed: u64, indices: Vec<u32>, examples: &[Example]) -> Vec<u32> {
    let mut ranked: Vec<([u8; 32], u32)> = indices
        .into_iter()
        .map(|index| {
            let mut hash = Sha256::new();
            hash.update(seed.to_le_bytes());
            hash.update(&examples[index as usize].id);
            (hash.finalize().into(), index)
        })
        .collect();
    ranked.sort_unstable();
    ranked.truncate(count);
    let mut drawn: Vec<u32> = ranked.into_iter().map(|(_, index)| index).collect();
    drawn.sort_unstable();
    drawn
}

fn check_names(selection: &Selection, examples: &[Example]) -> Result<(), PlanError> {
    let mut unknown: BTreeSet<&str> = selection.ids.iter().map(String::as_str).collect();
    if let Some(rerun) = &selection.rerun {
        unknown.extend(rerun.ids.iter().map(String::as_str));
    }
    if !unknown.is_empty() {
        for example in examples {
            unknown.remove(example.id.as_str());
        }
    }
    if let Some(first) = unknown.first() {
        return Err(PlanError::UnknownExamples {
            near: nearest(first, examples),
            ids: unknown.into_iter().map(str::to_owned).collect(),
        });
    }
    for tag in &selection.tags {
        if !examples.iter().any(|example| example.tags.contains(tag)) {
            let existing = examples.iter().flat_map(|example| &example.tags);
            return Err(PlanError::UnknownTag {
                tag: tag.clone(),
                existing: distinct(existing),
            });
        }
    }
    if let Some(split) = &selection.split
        && !examples
            .iter()
            .any(|example| example.split.as_ref() == Some(split))
    {
        let existing = examples.iter().filter_map(|example| example.split.as_ref());
        return Err(PlanError::UnknownSplit {
            split: split.clone(),
            existing: distinct(existing),
        });
    }
    Ok(())
}

fn distinct<'a>(names: impl Iterator<Item = &'a String>) -> Vec<String> {
    let names: BTreeSet<&String> = names.collect();
    names.into_iter().cloned().collect()
}

/// Up to three ids that the user may have meant.
fn nearest(id: &str, examples: &[Example]) -> Vec<String> {
    let id: Vec<char> = id.to_lowercase().chars().take(80).collect();
    let furthest = 2.max(id.len() / 3);
    let mut near: Vec<(usize, &str)> = examples
        .iter()
        .filter_map(|example| {
            let other: Vec<char> = example.id.to_lowercase().chars().take(80).collect();
            let starts = other.starts_with(&id) || id.starts_with(&other);
            let distance = match starts {
                true => 1,
                false if other.len().abs_diff(id.len()) > furthest => return None,
                false => edits(&id, &other),
            };
            (distance <= furthest).then_some((distance, example.id.as_str()))
        })
        .collect();
    // Stable: among equals, the dataset's order.
    near.sort_by_key(|(distance, _)| *distance);
    near.into_iter()
        .take(3)
        .map(|(_, id)| id.to_owned())
        .collect()
}

/// Levenshtein's distance: insertions, deletions, and substitutions.
fn edits(one: &[char], other: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in other.iter().enumerate() {
            let substituted = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::record::{Rerun, RerunWhich};
    use crate::experiment::tests::example;

    fn inbox() -> Vec<Example> {
        [
            ("invoice", "dev", ["billing", "urgent"]),
            ("invoice-late", "test", ["billing", "calm"]),
            ("party", "test", ["family", "calm"]),
            ("school", "test", ["family", "urgent"]),
        ]
        .into_iter()
        .map(|(id, split, tags)| Example {
            split: Some(split.into()),
            tags: tags.map(str::to_owned).to_vec(),
            ..example(id, crate::email::Triage::Respond)
        })
        .collect()
    }

    fn ids(selection: Selection) -> Result<Vec<String>, PlanError> {
        let inbox = inbox();
        let selected = select(&selection, 7, &inbox, |_| true)?;
        Ok(selected
            .indices
            .iter()
            .map(|&index| inbox[index as usize].id.clone())
            .collect())
    }

    fn strings(words: &[&str]) -> Vec<String> {
        words.iter().map(|&word| word.to_owned()).collect()
    }

    #[test]
    fn filters_must_all_hold() {
        for (case, split, tags, wanted, expected) in [
            (
                "none",
                None,
                &[][..],
                &[][..],
                &["invoice", "invoice-late", "party", "school"][..],
            ),
            (
                "split",
                Some("test"),
                &[],
                &[],
                &["invoice-late", "party", "school"],
            ),
            ("every tag", None, &["family", "calm"], &[], &["party"]),
            (
                "any id",
                None,
                &[],
                &["school", "invoice"],
                &["invoice", "school"],
            ),
            (
                "all",
                Some("test"),
                &["calm"],
                &["party", "invoice"],
                &["party"],
            ),
        ] {
            let found = ids(Selection {
                split: split.map(str::to_owned),
                tags: strings(tags),
                ids: strings(wanted),
                ..Selection::default()
            });
            assert_eq!(found.unwrap(), strings(expected), "{case}");
        }
    }

    #[test]
    fn the_limit_cuts_what_the_sample_left() {
        let sample = ids(Selection {
            sample: Some(3),
            ..Selection::default()
        })
        .unwrap();
        assert_eq!(sample.len(), 3);
        let cut = ids(Selection {
            sample: Some(3),
            limit: Some(2),
            ..Selection::default()
        });
        assert_eq!(cut.unwrap(), sample[..2]);
    }

    #[test]
    fn a_sample_depends_on_the_seed_and_not_on_the_order_of_the_file() {
        let forwards: Vec<Example> = (0..100)
            .map(|n| example(&format!("example-{n}"), crate::email::Triage::Notify))
            .collect();
        let backwards: Vec<Example> = forwards.iter().rev().cloned().collect();
        let drawn = |seed, examples: &[Example]| -> Vec<String> {
            let selection = Selection {
                sample: Some(10),
                ..Selection::default()
            };
            let selected = select(&selection, seed, examples, |_| true).unwrap();
            assert!(selected.indices.is_sorted());
            let ids = selected
                .indices
                .iter()
                .map(|&i| examples[i as usize].id.clone());
            let sorted: BTreeSet<String> = ids.collect();
            sorted.into_iter().collect()
        };
        assert_eq!(drawn(1, &forwards), drawn(1, &backwards));
        assert_ne!(drawn(1, &forwards), drawn(2, &forwards));
    }

    #[test]
    fn unknown_names_are_errors_that_say_what_exists() {
        let error = |selection| ids(selection).unwrap_err().to_string();
        insta::assert_snapshot!(error(Selection { ids: strings(&["invoise", "party"]), ..Selection::default() }), @"no example has the id `invoise`: did you mean `invoice`?");
        insta::assert_snapshot!(error(Selection { ids: strings(&["zzzzz"]), ..Selection::default() }), @"no example has the id `zzzzz`: `mailproof validate` counts what the dataset has");
        insta::assert_snapshot!(error(Selection { tags: strings(&["bills"]), ..Selection::default() }), @"no example has the tag `bills`: the tags are `billing`, `calm`, `family`, `urgent`");
        insta::assert_snapshot!(error(Selection { split: Some("train".into()), ..Selection::default() }), @"no example is in the split `train`: the splits are `dev`, `test`");
    }

    #[test]
    fn a_rerun_of_nothing_selects_nothing() {
        let rerun = |ids: &[&str]| Selection {
            rerun: Some(Rerun {
                of: "yesterday".into(),
                which: RerunWhich::Failed,
                ids: strings(ids),
            }),
            ..Selection::default()
        };
        assert_eq!(ids(rerun(&["party"])).unwrap(), ["party"]);
        assert_eq!(
            ids(rerun(&[])),
            Err(PlanError::Nothing { of: 4, unasked: 0 })
        );
        assert!(matches!(
            ids(rerun(&["gone"])),
            Err(PlanError::UnknownExamples { .. })
        ));
    }

    #[test]
    fn examples_that_no_suite_asks_about_are_left_out_and_counted() {
        let inbox = inbox();
        let selected = select(&Selection::default(), 0, &inbox, |e| e.id != "party").unwrap();
        assert_eq!((selected.indices, selected.unasked), (vec![0, 1, 3], 1));
    }

    #[test]
    fn edits_are_counted() {
        for (one, other, distance) in [("", "", 0), ("abc", "", 3), ("kitten", "sitting", 3)] {
            let chars = |text: &str| text.chars().collect::<Vec<_>>();
            assert_eq!(edits(&chars(one), &chars(other)), distance);
        }
    }
}
