//! Holds `docs/features.md` true: each promised behaviour names a test that exists and runs.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Test functions by name: whether one of that name in that file runs by default.
fn tests_in(text: &str) -> Vec<(String, bool)> {
    let mut found = Vec::new();
    let mut is_test = false;
    let mut ignored = false;
    for line in text.lines().map(str::trim) {
        if line.starts_with("#[test") || line.starts_with("#[tokio::test") {
            is_test = true;
        } else if line.starts_with("#[ignore") || line.starts_with("#[cfg_attr") {
            ignored = true;
        } else if is_test
            && !line.starts_with("//")
            && let Some((_, rest)) = line.split_once("fn ")
        {
            let name = rest.split(['(', '<']).next().unwrap_or_default();
            found.push((name.to_owned(), !ignored));
            is_test = false;
            ignored = false;
        }
    }
    found
}

/// (number, path::of::test) for each row whose number starts with `letter`.
fn table(text: &str, letter: char) -> Vec<(u32, Vec<String>)> {
    text.lines()
        .filter_map(|line| line.strip_prefix("| ")?.strip_prefix(letter))
        .filter(|row| row.starts_with(|c: char| c.is_ascii_digit()))
        .map(|row| {
            let cells: Vec<&str> = row.split('|').map(str::trim).collect();
            let number = cells[0]
                .parse()
                .unwrap_or_else(|_| panic!("not a feature number: {row}"));
            let tests = cells[2]
                .split('`')
                .skip(1)
                .step_by(2)
                .map(str::to_owned)
                .collect();
            (number, tests)
        })
        .collect()
}

#[test]
fn every_promised_feature_names_a_test_that_runs() {
    let mut files = Vec::new();
    sources(&root().join("src"), &mut files);
    sources(&root().join("tests"), &mut files);
    let mut known: BTreeMap<String, Vec<bool>> = BTreeMap::new();
    for path in files {
        let file = path
            .strip_prefix(root())
            .unwrap()
            .to_str()
            .unwrap()
            .replace('\\', "/");
        for (name, runs) in tests_in(&fs::read_to_string(&path).unwrap()) {
            known
                .entry(format!("{file}: {name}"))
                .or_default()
                .push(runs);
        }
    }
    let text = fs::read_to_string(root().join("docs/features.md")).unwrap();
    let rows = ['F', 'T'].map(|letter| table(&text, letter));
    let mut wrong = Vec::new();
    for (letter, rows) in ['F', 'T'].into_iter().zip(&rows) {
        for (number, tests) in rows {
            if tests.is_empty() {
                wrong.push(format!("{letter}{number} names no test"));
            }
            for test in tests {
                match known.get(test) {
                    None => wrong.push(format!("{letter}{number}: there is no test `{test}`")),
                    Some(runs) if runs.contains(&false) => {
                        wrong.push(format!("{letter}{number}: `{test}` is ignored"));
                    }
                    Some(_) => {}
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));

    let [promised, traps] = rows.map(|rows| {
        rows.into_iter()
            .map(|(number, _)| number)
            .collect::<Vec<u32>>()
    });
    let expected: Vec<u32> = (1..=34).chain(36..=92).chain(97..=134).collect();
    assert_eq!(
        promised, expected,
        "a promised feature is missing from docs/features.md"
    );
    let expected: Vec<u32> = (1..=13).chain(15..=16).collect();
    assert_eq!(traps, expected, "a trap is missing from docs/features.md");
}

#[test]
fn an_ignored_test_is_seen_as_one_that_does_not_run() {
    let text = "#[test]\nfn a() {}\n#[test]\n#[ignore]\nfn b() {}\n#[tokio::test]\nasync fn c() {}\nfn d() {}";
    let expected = [("a", true), ("b", false), ("c", true)];
    let found = tests_in(text);
    let found: Vec<_> = found
        .iter()
        .map(|(name, runs)| (name.as_str(), *runs))
        .collect();
    assert_eq!(found, expected);
}
