//! What the documentation of pipelines tells people to type is what the program takes.

use clap::Parser;
use serde_json::Value;

use crate::cli::args::Cli;

/// The fenced blocks of the page, each with its language.
fn blocks(page: &str) -> Vec<(&str, String)> {
    let mut blocks = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        if let Some(language) = line.strip_prefix("```") {
            let inside = lines.by_ref().take_while(|line| *line != "```");
            blocks.push((language, inside.collect::<Vec<_>>().join("\n")));
        }
    }
    blocks
}

/// The scripts in a workflow: whatever stands under `run` or `script`.
fn scripts(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                match (key.as_str(), value) {
                    ("run" | "script", Value::String(text)) => found.push(text.clone()),
                    ("script", Value::Array(lines)) => {
                        let lines = lines.iter().map(|line| line.as_str().unwrap());
                        found.extend(lines.map(str::to_owned));
                    }
                    _ => scripts(value, found),
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| scripts(value, found)),
        _ => {}
    }
}

/// The words of each command line of ours, with what the pipeline puts in as `1`.
fn commands(script: &str) -> Vec<Vec<String>> {
    let script = script.replace("\\\n", " ");
    let expression = regex::Regex::new(r"\$\{\{.*?\}\}").unwrap();
    let lines = script.lines().map(str::trim);
    let own = lines.filter(|line| line.starts_with("mailproof "));
    own.map(|line| {
        let line = expression.replace_all(line, "1");
        // Up to what the shell reads.
        let line = line.split(['>', '|']).next().unwrap_or_default();
        line.split_whitespace().map(str::to_owned).collect()
    })
    .collect()
}

#[test]
fn the_workflows_of_the_documentation_are_yaml_that_we_understand() {
    let page = include_str!("../../../docs/ci.md");
    let mut parsed = Vec::new();
    for (language, text) in blocks(page) {
        let mut found = Vec::new();
        match language {
            "yaml" => {
                let options = serde_yaml::options! { strict_booleans: true };
                let workflow: Value = serde_yaml::from_str_with_options(&text, options).unwrap();
                assert!(workflow.is_object());
                scripts(&workflow, &mut found);
                assert!(!found.is_empty());
            }
            "sh" => found.push(text),
            other => panic!("a block of `{other}`"),
        }
        for script in found {
            for words in commands(&script) {
                let verb = words[1].clone();
                if let Err(error) = Cli::try_parse_from(&words) {
                    panic!("{}: {error}", words.join(" "));
                }
                parsed.push(verb);
            }
        }
    }
    for verb in ["run", "merge", "report", "reference"] {
        assert!(parsed.iter().any(|parsed| parsed == verb), "{verb}");
    }
}
