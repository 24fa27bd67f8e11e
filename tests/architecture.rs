//! Holds the map of ARCHITECTURE.md true: who may import whom, and that the map is whole.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The modules in reading order. A module imports only from those before it, and a group
/// in one pair of brackets (`graph` and `model`) may not import its neighbours out of order
/// either: the order within it is the order here.
const ORDER: [&str; 21] = [
    "email",
    "message",
    "run",
    "inbox",
    "redact",
    "graph",
    "model",
    "agent",
    "target",
    "dataset",
    "statistics",
    "human",
    "score",
    "judge",
    "experiment",
    "compare",
    "report",
    "trace",
    "langsmith",
    "otel",
    "cli",
];

/// Knows nothing of emails or models: the runtime could serve any state.
const GRAPH: &str = "graph";

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

/// The modules of this crate that a source text names: `crate::NAME`, also within the
/// braces of `use crate::{…}`.
fn imports(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let code: String = text
        .lines()
        .map(|line| line.split("//").next().unwrap_or_default())
        .collect::<Vec<_>>()
        .join("\n");
    for (start, _) in code.match_indices("crate::") {
        let rest = &code[start + "crate::".len()..];
        let names: Vec<&str> = match rest.strip_prefix('{') {
            Some(group) => {
                // Only the first level of the braces names modules.
                let mut depth = 0;
                let mut level = String::new();
                for symbol in group.chars() {
                    match symbol {
                        '{' => depth += 1,
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        _ if depth == 0 => level.push(symbol),
                        _ => {}
                    }
                }
                found.extend(level.split(',').map(first_name));
                continue;
            }
            None => vec![rest],
        };
        found.extend(names.into_iter().map(first_name));
    }
    found
}

fn first_name(path: &str) -> String {
    path.trim_start()
        .chars()
        .take_while(|symbol| symbol.is_alphanumeric() || *symbol == '_')
        .collect()
}

fn module_of(path: &Path) -> String {
    let inner = path.strip_prefix(root().join("src")).unwrap();
    let first = inner.components().next().unwrap().as_os_str();
    Path::new(first)
        .file_stem()
        .unwrap()
        .to_str()
        .unwrap()
        .to_owned()
}

#[test]
fn a_module_imports_only_from_those_above_it() {
    let mut files = Vec::new();
    sources(&root().join("src"), &mut files);
    let mut wrong = Vec::new();
    let mut seen = 0;
    for path in files {
        let module = module_of(&path);
        if module == "lib" || module == "main" {
            continue;
        }
        let Some(own) = ORDER.iter().position(|name| *name == module) else {
            panic!("`{module}` is not on the map: add it to ARCHITECTURE.md and to this test");
        };
        for import in imports(&fs::read_to_string(&path).unwrap()) {
            let Some(other) = ORDER.iter().position(|name| *name == import) else {
                continue; // A name within the crate root, such as a macro.
            };
            seen += 1;
            if other > own || (module == GRAPH && other != own) {
                wrong.push(format!("{} imports `{import}`", path.display()));
            }
        }
    }
    assert!(seen > 20, "the test no longer finds imports");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn imports_are_found_in_every_form() {
    let found = imports(
        "use crate::email::Email;\nuse crate::{run::{Run, Step}, message};\nlet x = crate::score::f();\n// crate::cli",
    );
    let names: Vec<_> = found.iter().map(String::as_str).collect();
    assert_eq!(names, ["email", "message", "run", "score"]);
}

#[test]
fn the_crate_root_defines_nothing() {
    for file in ["lib.rs", "main.rs"] {
        let text = fs::read_to_string(root().join("src").join(file)).unwrap();
        for line in text.lines() {
            let defines = [
                "struct ",
                "enum ",
                "trait ",
                "impl ",
                "macro_rules!",
                "const ",
            ]
            .iter()
            .any(|word| line.trim_start_matches("pub ").starts_with(word));
            assert!(!defines, "{file} defines: {line}");
            if file == "lib.rs" {
                assert!(!line.contains("fn "), "{file} defines: {line}");
            }
        }
    }
}

#[test]
fn the_library_lists_its_modules_in_reading_order() {
    let text = fs::read_to_string(root().join("src/lib.rs")).unwrap();
    let listed: Vec<_> = text
        .lines()
        .filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'))
        .collect();
    assert_eq!(listed, ORDER);
}

#[test]
fn architecture_md_names_every_module() {
    let map = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    for module in ORDER {
        assert!(
            map.contains(&format!("`{module}`")),
            "ARCHITECTURE.md leaves out `{module}`"
        );
    }
}

/// Bare YAML parsing reads `no` as false and `0755` as a number; options are set in one place a format.
#[test]
fn yaml_is_never_read_with_the_default_options() {
    let mut files = Vec::new();
    sources(&root().join("src"), &mut files);
    for path in files {
        let text = fs::read_to_string(&path).unwrap();
        for bare in [
            "serde_yaml::from_str(",
            "serde_yaml::from_slice(",
            "serde_yaml::from_reader(",
        ] {
            assert!(
                !text.contains(bare),
                "{} reads YAML with default options",
                path.display()
            );
        }
    }
}
