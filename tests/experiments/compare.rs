//! Experiments that are held against others, and against references that live in files.

use std::fs;

use serde_json::Value;

use super::Place;

/// One rule made worse: what comes from a colleague is taken for nothing that matters.
const COLLEAGUES_ARE_IGNORED: &str = "facts:
  colleague: { says: \"comes from a colleague\", points: { ignore: 20 } }
";

/// The comparison that a run put into its report.
fn comparison(place: &Place, experiment: &str) -> Value {
    place.report(experiment)["comparison"].take()
}

#[test]
fn unchanged_agents_are_no_worse_over_the_embedded_emails() {
    let place = Place::new();
    place.run(&["run", "-e", "before"], 0);
    let shown = place.run(&["run", "-e", "after", "--reference", "before"], 0);
    assert!(shown.to_lowercase().contains("no worse"), "{shown}");
    let comparison = comparison(&place, "after");
    assert_eq!(comparison["verdict"], "equivalent");
    let pairs = comparison["pairs"].as_array().unwrap();
    assert_eq!(pairs.len(), 4);
    for pair in pairs {
        assert_eq!(pair["flips"], Value::Array(Vec::new()), "{pair}");
        let gating = &pair["keys"][0];
        assert_eq!(gating["measure"], "pass_rate");
        assert_eq!(
            (&gating["gates"], &gating["effect"]),
            (&true.into(), &0.0.into())
        );
        assert!(
            gating["low"].as_f64().unwrap() < 0.0,
            "a width is kept: {gating}"
        );
    }
    assert_eq!(comparison["differences"], Value::Array(Vec::new()));
    // The same from the command of its own, and from what a file keeps.
    place.run(&["compare", "before", "after"], 0);
    place.run(&["reference", "set", "before"], 0);
    place.run(&["compare", "mailproof-reference.jsonl", "after"], 0);
    let again = [
        "report",
        "after",
        "--reference",
        "mailproof-reference.jsonl",
    ];
    place.run(&again, 0);
    let of_file = super::compare::comparison(&place, "after");
    assert_eq!(of_file["verdict"], "equivalent");
    assert_eq!(of_file["reference"]["file"], "mailproof-reference.jsonl");
}

#[test]
fn ten_emails_cannot_tell_and_say_what_they_would_have_found() {
    let place = Place::new();
    let run = |name: &str, code: i32, more: &[&str]| {
        let base = [
            "run", "triage", "-a", "workflow", "--limit", "10", "-e", name,
        ];
        place.run(&[&base[..], more].concat(), code)
    };
    run("before", 0, &[]);
    let shown = run("after", 3, &["--reference", "before"]);
    let key = &comparison(&place, "after")["pairs"][0]["keys"][0];
    assert_eq!(key["verdict"], "cannot_tell");
    let mde = key["mde"].as_f64().unwrap();
    assert!(mde > 0.2, "{mde}");
    let points = format!("{:.1}", mde * 100.0);
    assert!(
        shown.contains(&points) || shown.contains(&format!("{:.0}", mde * 100.0)),
        "{points} in {shown}"
    );
    let gate = place.report("after")["gate"].take();
    assert_eq!(
        (&gate["verdict"], &gate["exit_code"]),
        (&"indecisive".into(), &3.into())
    );
}

#[test]
fn one_rule_that_is_worse_on_one_tag_is_found_and_the_report_leads_to_it() {
    let place = Place::new();
    place.run(&["run", "triage", "-e", "before"], 0);
    place.write("rules.yaml", COLLEAGUES_ARE_IGNORED);
    place.write(
        "mailproof.yaml",
        "rules_file: rules.yaml\nreference: before\n",
    );
    let shown = place.run(&["run", "triage", "-e", "after"], 101);
    let first_screen: Vec<&str> = shown.lines().take(24).collect();
    let first_screen = first_screen.join("\n");
    assert!(first_screen.contains("colleague"), "{first_screen}");
    let markdown = fs::read_to_string(place.path("reports/after/report.md")).unwrap();
    let top: Vec<&str> = markdown.lines().take(30).collect();
    assert!(top.join("\n").contains("colleague"), "{top:?}");

    let comparison = comparison(&place, "after");
    assert_eq!(comparison["verdict"], "worse");
    let told = comparison["differences"].as_array().unwrap();
    let models: Vec<&Value> = told
        .iter()
        .filter(|line| line.as_str().unwrap().contains("goes by other rules"))
        .collect();
    assert_eq!(models.len(), 1, "{told:?}");
    for pair in comparison["pairs"].as_array().unwrap() {
        assert_eq!(pair["verdict"], "worse");
        let flips = pair["flips"].as_array().unwrap();
        assert!(flips.len() >= 9, "{flips:?}");
        let of_colleagues = flips.iter().filter(|flip| {
            let tags = flip["tags"].as_array().unwrap();
            tags.contains(&"colleague".into())
        });
        assert!(of_colleagues.count() * 2 >= flips.len(), "{flips:?}");
    }
    let gate = place.report("after")["gate"].take();
    assert_eq!(
        (&gate["verdict"], &gate["exit_code"]),
        (&"fail".into(), &101.into())
    );
    let reasons = gate["checks"].as_array().unwrap().iter();
    let regression = reasons
        .filter(|check| check["name"] == "regression")
        .collect::<Vec<_>>();
    assert_eq!(regression.len(), 4);
    assert!(
        regression[0]["reason"]
            .as_str()
            .unwrap()
            .contains("`colleague`"),
        "{regression:?}"
    );

    // What both did, side by side, worst first.
    let flips = place.run(
        &[
            "compare",
            "before/workflow@rules",
            "after/workflow@rules",
            "--flips=2",
        ],
        101,
    );
    let id = comparison["pairs"][1]["flips"][0]["example"]
        .as_str()
        .unwrap();
    assert!(flips.contains(id), "{flips}");
    let one = place.run(
        &[
            "compare",
            "before/workflow@rules",
            "after/workflow@rules",
            "--example",
            id,
        ],
        101,
    );
    assert!(
        one.contains("before/workflow@rules") && one.contains("after/workflow@rules"),
        "{one}"
    );
    // The rules are part of the plan.
    place.write("mailproof.yaml", "");
    let other = place.fail(&["run", "triage", "-e", "after", "--resume"], 2);
    assert!(
        other.contains("plan") || other.contains("models"),
        "{other}"
    );
    // From the other side all of it got better.
    place.run(&["compare", "after", "before"], 0);
}

#[test]
fn a_wrong_reference_costs_nothing() {
    let place = Place::new();
    place.run(
        &[
            "run", "triage", "-a", "workflow", "--limit", "5", "-e", "before",
        ],
        0,
    );
    place.write("prose.md", "# Hello\n");
    for (reference, wrong) in [
        ("nowhere", "no experiment in reports/nowhere"),
        (
            "nowhere.jsonl",
            "`nowhere.jsonl` is no file, and names no experiment",
        ),
        ("../before", "is no file, and names no experiment"),
        (
            "prose.md",
            "prose.md is no reference: its first line is not",
        ),
        (
            "before/hitl@rules",
            "`before` has no variant `hitl@rules`; it has `workflow@rules`",
        ),
    ] {
        let run = [
            "run",
            "triage",
            "-a",
            "workflow",
            "-e",
            "after",
            "--reference",
            reference,
        ];
        let told = place.fail(&run, 2);
        assert!(told.contains(wrong), "{reference}: {told}");
        assert!(!place.path("reports/after").exists(), "{reference}");
    }
    let run = [
        "run",
        "triage",
        "-a",
        "baseline",
        "-e",
        "after",
        "--reference",
        "before",
    ];
    let told = place.fail(&run, 2);
    assert!(told.contains("no variant is in both: `before` has `workflow@rules`, and `this run` has `baseline@rules`; name what to compare with, as in `before/workflow@rules`"), "{told}");
    let other = "- id: other\n  email: { from: a@b.example, to: c@d.example, subject: s, body: b }\n  expect: { triage: notify }\n";
    place.write("other.yaml", other);
    let told = place.fail(
        &[
            "run",
            "triage",
            "-a",
            "workflow",
            "-d",
            "other.yaml",
            "-e",
            "after",
            "--reference",
            "before",
        ],
        2,
    );
    assert!(
        told.contains("`before` and `this run` share no example: 5 of the one and 1 of the other"),
        "{told}"
    );
    assert!(!place.path("reports/after").exists());
    // Every variant is compared with one that is named.
    let named = [
        "run",
        "triage",
        "-a",
        "baseline",
        "--limit",
        "5",
        "-e",
        "after",
        "--reference",
        "before/workflow@rules",
    ];
    place.run(&named, 3);
    let pair = &comparison(&place, "after")["pairs"][0];
    assert_eq!(
        (&pair["reference"], &pair["candidate"]),
        (&"workflow@rules".into(), &"baseline@rules".into())
    );
}

#[test]
fn a_reference_lives_in_one_file_that_only_its_commands_write() {
    let place = Place::new();
    let run = |name: &str| {
        place.run(
            &[
                "run", "triage", "-a", "workflow", "--limit", "60", "-e", name,
            ],
            0,
        );
    };
    run("before");
    let told = place.fail(&["reference", "show"], 2);
    assert!(
        told.contains("cannot read reference mailproof-reference.jsonl"),
        "{told}"
    );
    place.run(&["reference", "set", "before"], 0);
    let file = || fs::read_to_string(place.path("mailproof-reference.jsonl")).unwrap();
    let first = file();
    assert!(first.starts_with("{\"format\":\"mailproof.reference/1\"}\n"));
    assert_eq!(first.lines().count(), 3 + 2 * 60);
    for leak in ["messages", "subject", "\"body\""] {
        assert!(!first.contains(leak), "{leak}");
    }
    let shown = place.run(&["reference", "show"], 0);
    assert!(
        shown.contains("`before` of ") && shown.contains("workflow@rules"),
        "{shown}"
    );
    let json: Value =
        serde_json::from_str(&place.run(&["reference", "show", "--json"], 0)).unwrap();
    let report = place.report("before");
    let own = &report["variants"][0]["pass_rate"]["value"];
    let kept = json["variants"][0]["metrics"]["pass_rate"]["value"]
        .as_f64()
        .unwrap();
    assert!((kept - own.as_f64().unwrap()).abs() < 1e-6, "{kept} {own}");

    run("after");
    place.run(
        &[
            "run", "triage", "-a", "workflow", "--split", "test", "-x", "-e", "stopped",
        ],
        3,
    );
    assert_eq!(file(), first, "nothing but its commands writes it");
    let accepted = place.run(&["reference", "accept"], 0);
    assert!(accepted.to_lowercase().contains("no worse"), "{accepted}");
    let second = file();
    // The newest complete one; what is the same stays the same, line by line.
    assert!(second.contains("\"experiment\":\"after\""), "{second}");
    let changed: Vec<usize> = (0..)
        .zip(first.lines().zip(second.lines()))
        .filter(|(_, (one, other))| one != other)
        .map(|(line, _)| line)
        .collect();
    assert!(
        changed.iter().all(|line| (1..=2).contains(line)),
        "{changed:?}"
    );

    let told = place.fail(&["reference", "set", "stopped"], 5);
    assert!(told.contains("`stopped` is not complete"), "{told}");
    place.write("README.md", "# Mine\n");
    let told = place.fail(&["reference", "set", "before", "-o", "README.md"], 2);
    assert!(
        told.contains("`README.md` exists and is no reference"),
        "{told}"
    );
    let broken = first.replacen("\"passed\":1", "\"passed\":7", 1);
    place.write("mailproof-reference.jsonl", &broken);
    let told = place.fail(&["compare", "mailproof-reference.jsonl", "after"], 2);
    assert!(
        told.contains("mailproof-reference.jsonl:5: 7 of 1 scored attempts"),
        "{told}"
    );
}

#[test]
fn sides_that_were_repeated_unlike_are_compared_by_as_many_attempts() {
    let place = Place::new();
    let run = ["run", "triage", "-a", "workflow", "-q", "-e"];
    place.run(&[&run[..], &["once"]].concat(), 0);
    place.run(&[&run[..], &["thrice", "--repeat", "3"]].concat(), 0);
    place.run(&["reference", "set", "thrice", "-o", "thrice.jsonl"], 0);
    let first = ": the first attempt of each is compared";
    for (reference, candidate, told) in [
        (
            "once",
            "thrice",
            vec![format!("`repeat` was 1, and is 3{first}")],
        ),
        (
            "thrice",
            "once",
            vec![format!("`repeat` was 3, and is 1{first}")],
        ),
        (
            "thrice.jsonl",
            "once",
            vec![
                format!("`repeat` was 3, and is 1{first}"),
                "which attempts of `thrice` came first is not in its file".to_owned(),
            ],
        ),
    ] {
        let compared = place.run(&["compare", reference, candidate, "--json"], 0);
        let compared: Value = serde_json::from_str(&compared).unwrap();
        let differences = compared["differences"].as_array().unwrap();
        assert_eq!(differences.len(), told.len(), "{differences:?}");
        for (found, told) in differences.iter().zip(told) {
            assert!(found.as_str().unwrap().starts_with(&told), "{found}");
        }
        // Of single attempts, none of which differs from another at the same email.
        assert_eq!(compared["pairs"][0]["noise"], Value::Array(Vec::new()));
        assert_eq!(compared["verdict"], "equivalent");
    }
}

#[test]
fn a_judge_that_was_asked_otherwise_is_refused_until_it_is_said_to_be_wanted() {
    let place = Place::new();
    let run = ["run", "-a", "workflow", "--sample", "20", "-e"];
    place.run(&[&run[..], &["before"]].concat(), 0);
    let definition = fs::read_to_string(super::root().join("judges/response_criteria.yaml"));
    let definition = definition.unwrap();
    // Whatever its form, a comment changes no hash, and a word of the rubric does.
    let at = definition
        .find("rubric")
        .expect("a definition has a rubric");
    let (before, rest) = definition.split_at(at);
    let changed = format!("{before}{}", rest.replacen(" the ", " that ", 1));
    place.write("judge.yaml", &changed);
    let other = [&run[..], &["after", "--judge-file", "judge.yaml"]].concat();
    let told = place.fail(&[&other[..], &["--reference", "before"]].concat(), 2);
    for part in [
        "the judge `response_criteria` is not the same: its rubric was `",
        "mailproof rescore before",
        "--across",
    ] {
        assert!(told.contains(part), "{told}");
    }
    assert!(
        !place.path("reports/after").exists(),
        "found before anything ran"
    );
    place.run(&other, 0);
    place.fail(&["compare", "before", "after"], 2);
    let output = place.output(&["compare", "before", "after", "--across", "--json"]);
    let comparison: Value = serde_json::from_slice(&output.stdout).unwrap();
    let told = comparison["differences"].as_array().unwrap();
    let told = told
        .iter()
        .filter(|line| line.as_str().unwrap().contains("the rubric of the judge"));
    assert_eq!(told.count(), 1);
}

#[test]
fn what_failed_there_is_tried_again_and_not_compared() {
    let place = Place::new();
    place.run(&["run", "triage", "-a", "workflow", "-e", "before"], 0);
    place.run(&["reference", "set", "before"], 0);
    let failed = place.report("before")["variants"][0]["counts"]["failed"].clone();
    for (name, reference) in [
        ("again", "before"),
        ("again-2", "mailproof-reference.jsonl"),
    ] {
        place.run(
            &[
                "run",
                "triage",
                "-a",
                "workflow",
                "--last-failed",
                "--reference",
                reference,
                "-e",
                name,
            ],
            0,
        );
        let report = place.report(name);
        assert_eq!(
            report["variants"][0]["counts"]["attempts"], failed,
            "{name}"
        );
        assert_eq!(report.get("comparison"), None, "{name}");
    }
    let variant = [
        "run",
        "--last-failed",
        "--reference",
        "before/workflow@rules",
    ];
    let told = place.fail(&variant, 2);
    assert!(told.contains("names a variant"), "{told}");
}

#[test]
fn a_comparison_is_written_where_it_is_asked_for() {
    let place = Place::new();
    place.run(&["run", "triage", "-a", "workflow", "-e", "a"], 0);
    place.run(&["compare", "a", "a", "-o", "c.json", "-o", "c.md"], 0);
    let json: Value =
        serde_json::from_str(&fs::read_to_string(place.path("c.json")).unwrap()).unwrap();
    assert_eq!(json["format"], "mailproof.comparison/1");
    assert_eq!(json["verdict"], "equivalent");
    assert!(
        fs::read_to_string(place.path("c.md"))
            .unwrap()
            .contains("pass_rate")
    );
    let told = place.fail(&["compare", "a", "a", "-o", "c.pdf"], 2);
    assert!(told.contains("end it in .json, .md, or .html"), "{told}");
    for (flag, value) in [("--margin", "2"), ("--alpha", "0.5"), ("--key", "accuracy")] {
        place.fail(&["compare", "a", "a", flag, value], 2);
    }
    // A key that decides in the place of the share that passed.
    let keyed = place.run(
        &["compare", "a", "a", "--key", "triage.accuracy", "--json"],
        0,
    );
    let keyed: Value = serde_json::from_str(&keyed).unwrap();
    let gating = &keyed["pairs"][0]["keys"][0];
    assert_eq!(
        (&gating["measure"], &gating["gates"]),
        (&"triage.accuracy".into(), &true.into())
    );
    let told = place.fail(&["compare", "a", "a", "--example", "no-such-email"], 2);
    assert!(told.contains("neither side has an attempt"), "{told}");
}
