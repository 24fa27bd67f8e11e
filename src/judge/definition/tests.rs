use super::*;

const VALID: &str = r#"
key: response_criteria
version: 3
sees: [email, final_mail]
votes: 2
panel: ["openai:one", "rules"]
threshold: 0.8
question: |
  Is it met?
  Statement: {{statement}}
rubric: |
  Pass: it is.
"#;

fn parse(text: &str) -> Result<Definition, DefinitionError> {
    Definition::parse(text, Path::new("my.yaml"))
}

fn valid() -> Definition {
    parse(VALID).unwrap()
}

#[test]
fn there_is_a_built_in_definition_for_every_judge() {
    let definitions = Definitions::embedded();
    for key in JudgeKey::ALL {
        let definition = definitions.get(key);
        assert_eq!((definition.key, definition.votes), (key, 1));
        assert_eq!(definition.scale, Scale::Binary, "{key}");
        assert!(definition.panel.is_empty() && definition.threshold.is_none());
    }
}

#[test]
fn a_definition_is_what_its_file_says() {
    let expected = Definition {
        key: JudgeKey::ResponseCriteria,
        version: 3,
        rubric: "Pass: it is.".into(),
        question: "Is it met?\nStatement: {{statement}}".into(),
        sees: vec![Part::Email, Part::FinalMail],
        scale: Scale::Binary,
        votes: 2,
        panel: vec!["openai:one".into(), "rules".into()],
        threshold: Some(0.8),
    };
    assert_eq!(valid(), expected);
    let marked = format!("\u{feff}{VALID}");
    assert_eq!(parse(&marked).unwrap(), expected);
}

#[test]
fn a_mistake_is_told_with_its_place() {
    for (case, from, to, line, reason) in [
        (
            "unknown key",
            "version: 3",
            "version: 3\nmodel: x",
            4,
            "unknown field `model`",
        ),
        (
            "unknown judge",
            "response_criteria",
            "response",
            2,
            "unknown variant `response`",
        ),
        (
            "unknown part",
            "final_mail]",
            "mails]",
            4,
            "unknown variant `mails`",
        ),
        (
            "part twice",
            "final_mail]",
            "email]",
            4,
            "`email` is named twice",
        ),
        (
            "no part",
            "[email, final_mail]",
            "[]",
            4,
            "name at least one part to see",
        ),
        (
            "part it cannot see",
            "final_mail]",
            "memory]",
            4,
            "`response_criteria` has no `memory` to see; it may see email, final_mail, tool_calls, trajectory, decision",
        ),
        (
            "no votes",
            "votes: 2",
            "votes: 0",
            5,
            "use from 1 to 15 votes, not 0",
        ),
        (
            "too many votes",
            "votes: 2",
            "votes: 16",
            5,
            "use from 1 to 15 votes, not 16",
        ),
        (
            "model twice",
            "\"rules\"]",
            "\"openai:one\"]",
            6,
            "a panel names each model once, and `openai:one` is empty or named twice",
        ),
        (
            "threshold",
            "0.8",
            "80",
            7,
            "a threshold is from 0 to 1, not 80",
        ),
        (
            "threshold",
            "0.8",
            ".nan",
            7,
            "a threshold is from 0 to 1, not NaN",
        ),
        (
            "version",
            "version: 3",
            "version: 0",
            3,
            "invalid value: integer `0`",
        ),
        (
            "statement not last",
            "  Statement: {{statement}}",
            "  Statement: {{statement}}\n  Well?",
            9,
            "the last line of a question is `Statement: {{statement}}`",
        ),
        (
            "statement twice",
            "Is it met?",
            "Is {{statement}} met?",
            9,
            "the last line of a question is",
        ),
        (
            "empty rubric",
            "  Pass: it is.",
            "  ",
            11,
            "it is empty: say what the judge looks for",
        ),
        (
            "graded",
            "votes: 2",
            "scale: graded",
            5,
            "`graded` ranks and decides nothing: `response_criteria` decides, so use `binary`",
        ),
        ("key twice", "votes: 2", "version: 3", 5, ""),
        (
            "missing",
            "sees: [email, final_mail]",
            "",
            11,
            "missing field `sees`",
        ),
        ("no YAML", "key:", "key: [", 2, ""),
    ] {
        let text = VALID.replacen(from, to, 1);
        assert_ne!(text, VALID, "{case}");
        let error = parse(&text).unwrap_err().to_string();
        let place = format!("my.yaml:{line}:");
        assert!(
            error.starts_with(&place) && error.contains(reason),
            "{case}: {error}"
        );
        assert!(!error.contains('\n'), "{case}: {error}");
    }
}

#[test]
fn only_what_can_change_a_verdict_changes_the_rubric_hash() {
    let before = valid().rubric_hash();
    for (changes, definition) in [
        (
            true,
            Definition {
                rubric: "Pass: it was.".into(),
                ..valid()
            },
        ),
        (
            true,
            Definition {
                question: "Is it?\nStatement: {{statement}}".into(),
                ..valid()
            },
        ),
        (
            true,
            Definition {
                sees: vec![Part::FinalMail, Part::Email],
                ..valid()
            },
        ),
        (
            true,
            Definition {
                scale: Scale::Graded,
                ..valid()
            },
        ),
        (
            true,
            Definition {
                key: JudgeKey::Pairwise,
                ..valid()
            },
        ),
        (
            false,
            Definition {
                version: 4,
                ..valid()
            },
        ),
        (
            false,
            Definition {
                votes: 5,
                ..valid()
            },
        ),
        (
            false,
            Definition {
                panel: Vec::new(),
                ..valid()
            },
        ),
        (
            false,
            Definition {
                threshold: None,
                ..valid()
            },
        ),
    ] {
        let changed = definition.rubric_hash() != before;
        assert_eq!(changed, changes, "{definition:?}");
    }
}

#[test]
fn a_file_takes_the_place_of_the_definition_with_its_key() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mine.yaml");
    std::fs::write(&path, VALID).unwrap();
    let definitions = Definitions::embedded().with_file(&path).unwrap();
    assert_eq!(**definitions.get(JudgeKey::ResponseCriteria), valid());
    let embedded = Definitions::embedded();
    assert_eq!(
        definitions.get(JudgeKey::Pairwise),
        embedded.get(JudgeKey::Pairwise)
    );
}

#[test]
fn a_file_that_cannot_be_read_or_is_too_large_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mine.yaml");
    let read = || Definitions::embedded().with_file(&path).unwrap_err();
    assert!(matches!(read(), DefinitionError::Read { .. }));
    std::fs::write(&path, format!("{VALID}  {}\n", "x".repeat(1 << 16))).unwrap();
    assert!(matches!(read(), DefinitionError::TooLarge { .. }));
}

proptest::proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in "\\PC{0,200}", at in 0..VALID.len()) {
        let _ = parse(&text);
        let _ = parse(&format!("{}{text}{}", &VALID[..at], &VALID[at..]));
    }
}

#[test]
fn the_readme_shows_a_definition_and_every_part() {
    let page = include_str!("../../../judges/README.md");
    let (_, rest) = page.split_once("```yaml\n").unwrap();
    let (example, _) = rest.split_once("```").unwrap();
    assert_eq!(parse(example).unwrap().votes, 3);
    for key in JudgeKey::ALL {
        for part in key.sights() {
            let row = page
                .lines()
                .find(|line| line.starts_with(&format!("| `{}` |", part.name())));
            let judges = row
                .expect("a row for each part")
                .rsplit(" | ")
                .next()
                .unwrap();
            let all = judges.starts_with("all") && !judges.contains(&format!("but `{key}`"));
            let named = judges.contains(&format!("`{key}`")) || judges == "the same |";
            assert!(all || named, "{key} sees {part:?}: {judges}");
        }
    }
}
