//! Gates, from the configuration to the exit code.

use super::Place;

// Of the held-out emails, so that not all are handled right.
const RUN: [&str; 9] = [
    "run", "triage", "-a", "workflow", "--split", "test", "--limit", "20", "-e",
];

fn run(place: &Place, name: &str, more: &[&str], code: i32) -> String {
    place.run(&[&RUN[..], &[name], more].concat(), code)
}

#[test]
fn a_gate_decides_how_a_run_ends_and_can_be_asked_again_without_running() {
    let place = Place::new();
    for (name, gate, code) in [
        ("holds", "triage.accuracy >= 0.1", 0),
        ("fails", "triage.accuracy >= 1", 100),
        ("open", "hitl.pass >= 0.1", 3),
    ] {
        let shown = run(&place, name, &["--gate", gate], code);
        let report = place.report(name);
        assert_eq!(report["gate"]["exit_code"], code);
        assert_eq!(report["plan"]["gates"]["conditions"][0]["check"], gate);
        // Made again from the journal, it is the same verdict.
        place.run(&["report", name], code);
        let lines = place.run(&["gate", name], code);
        assert_eq!(lines.lines().count(), 3, "{lines}");
        assert!(lines.contains(gate), "{lines}");
        assert_eq!(
            shown.lines().next().unwrap().split(':').next(),
            lines.split(':').next()
        );
    }
    // Held to something else, without a trace.
    let before = place.report("fails");
    let lines = place.run(
        &[
            "gate",
            "fails",
            "--gate",
            "coverage >= 1",
            "--gate",
            "cost_usd <= 1",
        ],
        0,
    );
    assert!(
        lines.starts_with("PASSED: the gate passed\npassed: coverage of workflow@rules: 20 of 20"),
        "{lines}"
    );
    assert_eq!(lines.lines().count(), 4, "{lines}");
    assert_eq!(place.report("fails"), before);
    let json: serde_json::Value = serde_json::from_str(
        &place.run(&["gate", "fails", "--gate", "hitl.pass >= 0", "--json"], 3),
    )
    .unwrap();
    assert_eq!(
        (&json["experiment"], &json["gate"]["verdict"]),
        (&"fails".into(), &"indecisive".into())
    );
    assert_eq!(json["gates"]["conditions"][0]["check"], "hitl.pass >= 0");
    // The configuration is asked before the journal.
    place.write(
        "mailproof.yaml",
        "gates: [hitl.pass >= 0.5]\nindecisive: pass\n",
    );
    let lines = place.run(&["gate", "fails"], 0);
    assert!(
        lines.contains("the gate passed, though 1 of 2 checks cannot decide"),
        "{lines}"
    );
    assert!(
        lines.contains("indecisive (counts as passed): hitl.pass >= 0.5"),
        "{lines}"
    );
    place.write("mailproof.yaml", "indecisive: fail\n");
    place.run(&["gate", "open"], 100);
    place.fail(&["gate", "open", "--gate", "pass_rate > 1"], 2);
    place.fail(&["gate", "nothing"], 2);
}

#[test]
fn of_several_gates_the_gravest_decides() {
    let place = Place::new();
    let config = |indecisive: &str| {
        place.write(
            "mailproof.yaml",
            &format!(
                "gates:\n  - hitl.pass >= 0.5\n  - triage.accuracy >= 1\n  - coverage >= 1\nindecisive: {indecisive}\n"
            ),
        );
    };
    config("exit");
    let shown = run(&place, "all", &[], 100);
    // As it reads, wherever the lines are folded.
    let first: Vec<&str> = shown.split_whitespace().take(60).collect();
    let first = first.join(" ");
    assert!(first.starts_with("FAILED: triage of 1 variant"), "{first}");
    assert!(
        first.contains("1 of 4 checks failed: triage.accuracy >= 1"),
        "{first}"
    );
    // A budget that is spent outweighs what failed, and an error of usage all of it.
    place.fail(&["run", "triage", "--tag", "nobody-has-it"], 4);
    place.fail(&["run", "triage", "--gate", "x >= 1"], 2);
    config("pass");
    place.run(&["gate", "all"], 100);
    place.run(&["gate", "all", "--gate", "hitl.pass >= 0.5"], 0);
}

#[test]
fn what_does_not_exist_is_an_error_with_line_and_column_before_anything_runs() {
    let place = Place::new();
    for (gate, at, message) in [
        (
            "pass_rate[tag:biling] >= 0.5",
            "3:5",
            "nothing in the dataset has the tag `biling`; the tags are `automated`,",
        ),
        (
            "pass_rate[tets] >= 0.5",
            "3:5",
            "nothing in the dataset is in the split `tets`; the splits are `dev`, `test`",
        ),
        (
            "{ critical: { ids: [nobody] } }",
            "3:5",
            "has the id `nobody`",
        ),
        (
            "{ critical: { tags: [nobody] } }",
            "3:5",
            "has the tag `nobody`",
        ),
        (
            "{ cases: all, at_least: 1, tag: nobody }",
            "3:5",
            "has the tag `nobody`",
        ),
        (
            "{ check: pass_rate >= 0.5, variant: workfow@rules }",
            "3:5",
            "no variant is called `workfow@rules`; the variants are `workflow@rules`",
        ),
        ("pass_rat >= 0.5", "3:5", "`pass_rat` is no figure"),
        ("{ chek: pass_rate >= 0.5 }", "3:7", "chek"),
    ] {
        place.write("mailproof.yaml", &format!("seed: 1\ngates:\n  - {gate}\n"));
        let stderr = place.fail(&[&RUN[..], &["it"]].concat(), 2);
        let start = format!("error: mailproof.yaml:{at}: ");
        assert!(stderr.starts_with(&start), "{gate}: {stderr}");
        assert!(stderr.contains(message), "{gate}: {stderr}");
        assert!(!place.path("reports").exists(), "{gate}");
    }
    place.write("mailproof.yaml", "");
    let stderr = place.fail(
        &[&RUN[..], &["it", "--gate", "pass_rate[tag:x] >= 1"]].concat(),
        2,
    );
    assert!(
        stderr.starts_with("error: gate `pass_rate[tag:x] >= 1`: nothing"),
        "{stderr}"
    );
}

#[test]
fn what_agents_did_is_looked_up_where_it_was_done() {
    let place = Place::new();
    place.run(
        &[
            "run", "response", "-a", "workflow", "--limit", "30", "-e", "it",
        ],
        0,
    );
    let written = place
        .attempts("it")
        .iter()
        .filter(|attempt| {
            attempt["runs"]
                .to_string()
                .contains("\"name\":\"write_email\"")
        })
        .count();
    assert!(written > 0);
    let gates = |text: &str| place.write("mailproof.yaml", text);
    gates("gates: [{ forbidden: { tools: [write_email] } }]\n");
    let lines = place.run(&["gate", "it"], 100);
    assert!(
        lines.contains("`called write_email` in attempt 1 at `"),
        "{lines}"
    );
    assert!(
        lines.contains("to do: mailproof show it/workflow@rules "),
        "{lines}"
    );
    gates("gates: [{ forbidden: { recipients: ['*'] } }]\n");
    place.run(&["gate", "it"], 100);
    gates("gates: [{ forbidden: { recipients: ['*@nobody.invalid'] } }]\n");
    let lines = place.run(&["gate", "it"], 0);
    assert!(
        lines.contains("nothing of it was done in 30 attempts"),
        "{lines}"
    );
    // And while the run goes on.
    gates("gates: [{ forbidden: { tools: [write_email] } }]\n");
    place.run(
        &[
            "run", "response", "-a", "workflow", "--limit", "30", "-e", "again",
        ],
        100,
    );
}

#[test]
fn a_resumed_experiment_stays_held_to_its_gates() {
    let place = Place::new();
    let stopped = [
        &RUN[..],
        &["it", "--gate", "triage.accuracy >= 1", "-x", "-j", "1"],
    ]
    .concat();
    place.run(&stopped, 100);
    let attempts = place.attempts("it").len();
    assert!(attempts < 20, "it stopped early");
    let output = place.output(&["run", "--resume", "-e", "it", "--gate", "coverage >= 0.5"]);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(
        stderr.contains("stays held to the gates it was started with"),
        "{stderr}"
    );
    assert_eq!(output.status.code(), Some(100), "{stderr}");
    assert_eq!(place.attempts("it").len(), 20);
    place.run(&["gate", "it", "--gate", "coverage >= 0.5"], 0);
}

#[test]
fn the_configuration_says_what_counts_as_worse_and_what_not_knowing_means() {
    let place = Place::new();
    run(&place, "main", &[], 0);
    let said = |regression: &str| {
        place.write(
            "mailproof.yaml",
            &format!("reference: main\nregression: {regression}\n"),
        );
    };
    // Twenty emails cannot rule out a drop of two points.
    said("{ margin: 0.02 }");
    run(&place, "change", &[], 3);
    let lines = place.run(&["gate", "change"], 3);
    assert!(
        lines.contains("indecisive: regression of workflow@rules: against `main`, pass_rate "),
        "{lines}"
    );
    assert!(
        lines.contains("a drop of 2 points can be neither shown nor ruled out"),
        "{lines}"
    );
    said("{ margin: 0.02, indecisive: pass }");
    place.run(&["gate", "change"], 0);
    said("{ margin: 0.02, indecisive: fail }");
    place.run(&["gate", "change"], 100);
    // Or one of ninety: they can.
    said("{ margin: 0.9, keys: [triage.accuracy] }");
    let lines = place.run(&["gate", "change"], 0);
    assert!(
        lines.contains("against `main`, triage.accuracy "),
        "{lines}"
    );
    // What a run was started with, it stays held to: resumed and reported, too.
    run(&place, "lenient", &[], 0);
    place.write("mailproof.yaml", "");
    place.run(
        &["run", "--resume", "-e", "lenient", "--reference", "main"],
        0,
    );
    place.run(&["report", "lenient", "--reference", "main"], 0);
    place.run(&["gate", "lenient", "--reference", "main"], 0);
    place.run(&["gate", "change", "--reference", "main"], 3);
    place.fail(&["gate", "change", "--reference", "nothing"], 2);
}

#[test]
fn what_a_broken_journal_says_does_nothing_to_the_terminal() {
    let place = Place::new();
    run(&place, "it", &[], 0);
    let header = r#"{"header":{"format":"\u001b]0;x\u0007\u001b[2J\u202e"}}"#;
    place.write("reports/it/journal.jsonl", &format!("{header}\n"));
    for verb in [&["list"][..], &["report", "it"], &["gate", "it"]] {
        let output = place.output(verb);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains("has the format"), "{verb:?}: {said}");
        let acts = |letter: char| letter != '\n' && (letter.is_control() || letter == '\u{202e}');
        assert!(!said.contains(acts), "{verb:?}: {said:?}");
    }
}
