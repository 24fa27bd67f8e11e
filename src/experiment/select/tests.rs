use super::*;
use crate::experiment::record::{Rerun, RerunWhich};
use crate::experiment::tests::{dataset, episode, example, scenario};

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

fn of(examples: Vec<Example>) -> Dataset {
    Dataset {
        examples,
        ..dataset(0)
    }
}

fn ids(selection: Selection) -> Result<Vec<String>, PlanError> {
    let inbox = of(inbox());
    let selected = select(&selection, 7, &inbox, |_| true, |_| true)?;
    Ok(selected
        .examples
        .iter()
        .map(|&index| inbox.examples[index as usize].id.clone())
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
        let dataset = of(examples.to_vec());
        let selection = Selection {
            sample: Some(10),
            ..Selection::default()
        };
        let selected = select(&selection, seed, &dataset, |_| true, |_| true).unwrap();
        assert!(selected.examples.is_sorted());
        let ids = selected
            .examples
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
    insta::assert_snapshot!(error(Selection { ids: strings(&["invoise", "party"]), ..Selection::default() }), @"no example, scenario, or episode has the id `invoise`: did you mean `invoice`?");
    insta::assert_snapshot!(error(Selection { ids: strings(&["zzzzz"]), ..Selection::default() }), @"no example, scenario, or episode has the id `zzzzz`: `mailproof validate` counts what the dataset has");
    insta::assert_snapshot!(error(Selection { tags: strings(&["bills"]), ..Selection::default() }), @"nothing has the tag `bills`: the tags are `billing`, `calm`, `family`, `urgent`");
    insta::assert_snapshot!(error(Selection { split: Some("train".into()), ..Selection::default() }), @"nothing is in the split `train`: the splits are `dev`, `test`");
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
    assert_eq!(ids(rerun(&[])).unwrap(), strings(&[]));
    assert!(matches!(
        ids(rerun(&["gone"])),
        Err(PlanError::UnknownIds { .. })
    ));
}

#[test]
fn examples_that_no_suite_asks_about_are_left_out_and_counted() {
    let inbox = of(inbox());
    let all = Selection::default();
    let selected = select(&all, 0, &inbox, |_| true, |e| e.id != "party").unwrap();
    assert_eq!((selected.examples, selected.unasked), (vec![0, 1, 3], 1));
}

/// Two examples, each with two scenarios on it, and two episodes.
fn people() -> Dataset {
    let mut dataset = of(inbox()[..2].to_vec());
    for (example, id) in [
        (0, "invoice/accept"),
        (0, "invoice/edit"),
        (1, "invoice-late/accept"),
        (1, "invoice-late/edit"),
    ] {
        dataset.scenarios.push(Scenario {
            split: dataset.examples[example].split.clone(),
            tags: vec!["people".into()],
            ..scenario(id, example as u32, Vec::new())
        });
    }
    for id in ["learns-a", "learns-b"] {
        dataset.episodes.push(Episode {
            split: Some("learning".into()),
            tags: vec!["people".into(), "calm".into()],
            ..episode(id, &[0, 1])
        });
    }
    dataset
}

#[test]
fn filters_hold_for_every_kind_and_cuts_are_made_in_each() {
    let all = Selection::default;
    let rerun = |ids: &[&str]| Rerun {
        of: "yesterday".into(),
        which: RerunWhich::Failed,
        ids: strings(ids),
    };
    for (case, selection, expected) in [
        ("all", all(), [&[0, 1][..], &[0, 1, 2, 3], &[0, 1]]),
        (
            "an example's id is not that of its scenarios",
            Selection {
                ids: strings(&["invoice"]),
                ..all()
            },
            [&[0], &[], &[]],
        ),
        (
            "ids of all kinds",
            Selection {
                ids: strings(&["learns-b", "invoice-late", "invoice/edit"]),
                ..all()
            },
            [&[1], &[1], &[1]],
        ),
        (
            "split",
            Selection {
                split: Some("test".into()),
                ..all()
            },
            [&[1], &[2, 3], &[]],
        ),
        (
            "split of episodes alone",
            Selection {
                split: Some("learning".into()),
                ..all()
            },
            [&[], &[], &[0, 1]],
        ),
        (
            "tag",
            Selection {
                tags: strings(&["calm"]),
                ..all()
            },
            [&[1], &[], &[0, 1]],
        ),
        (
            "rerun",
            Selection {
                rerun: Some(rerun(&["invoice/accept", "learns-a"])),
                ..all()
            },
            [&[], &[0], &[0]],
        ),
        (
            "limit",
            Selection {
                limit: Some(1),
                ..all()
            },
            [&[0], &[0], &[0]],
        ),
    ] {
        let found = select(&selection, 0, &people(), |_| true, |_| true).unwrap();
        let found = [found.examples, found.scenarios, found.episodes];
        assert_eq!(found, expected.map(<[u32]>::to_vec), "{case}");
    }
    let sample = Selection {
        sample: Some(1),
        ..all()
    };
    let found = select(&sample, 0, &people(), |_| true, |_| true).unwrap();
    let counts = [found.examples, found.scenarios, found.episodes].map(|kind| kind.len());
    assert_eq!(counts, [1, 1, 1]);
}

#[test]
fn kinds_that_are_not_looked_at_are_not_selected() {
    for wanted in CaseKind::ALL {
        let found = select(
            &Selection::default(),
            0,
            &people(),
            |kind| kind == wanted,
            |_| true,
        );
        let found = found.unwrap();
        let some = [found.examples, found.scenarios, found.episodes].map(|k| !k.is_empty());
        assert_eq!(some, CaseKind::ALL.map(|kind| kind == wanted), "{wanted:?}");
    }
}

#[test]
fn the_id_that_was_meant_may_be_of_any_kind() {
    let error = select(
        &Selection {
            ids: strings(&["learns-c"]),
            ..Selection::default()
        },
        0,
        &people(),
        |kind| kind == CaseKind::Example,
        |_| true,
    );
    insta::assert_snapshot!(error.unwrap_err(), @"no example, scenario, or episode has the id `learns-c`: did you mean `learns-a`, `learns-b`?");
}

#[test]
fn edits_are_counted() {
    for (one, other, distance) in [("", "", 0), ("abc", "", 3), ("kitten", "sitting", 3)] {
        let chars = |text: &str| text.chars().collect::<Vec<_>>();
        assert_eq!(edits(&chars(one), &chars(other)), distance);
    }
}
