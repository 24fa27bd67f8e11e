//! Runs that are compared while they grow, and stop when enough is known.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;

use super::{Place, case};

/// What comes from a colleague is taken for nothing that matters.
const WORSE: &str = "facts:
  colleague: { says: \"comes from a colleague\", points: { ignore: 20 } }
";

const RUN: [&str; 4] = ["run", "triage", "-a", "workflow"];

/// A reference with so many attempts at each email, and rules to be worse by.
fn place(repeat: &str) -> Place {
    let place = Place::new();
    place.run(&[&RUN[..], &["--repeat", repeat, "-e", "base"]].concat(), 0);
    place.write("rules.yaml", WORSE);
    place.write("worse.yaml", "rules_file: rules.yaml\n");
    place
}

fn looking<'a>(name: &'a str, looks: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let base = ["--reference", "base", "--looks", looks, "-e", name];
    [&RUN[..], &base, more].concat()
}

fn journal(place: &Place, name: &str) -> Vec<Value> {
    super::lines(&place.path(&format!("reports/{name}/journal.jsonl")))
}

/// The comparison with `base`, in the report and from each command that decides again.
fn decisions(place: &Place, name: &str, code: i32) -> Vec<Value> {
    let reported = place.report(name)["comparison"].take();
    let compared = place.run(&["compare", "base", name, "--json"], code);
    let compared: Value = serde_json::from_str(&compared).unwrap();
    let of_one = ["compare", "base/workflow@rules", name, "--json"];
    let of_one: Value = serde_json::from_str(&place.run(&of_one, code)).unwrap();
    place.run(&["report", name, "--reference", "base"], code);
    let again = place.report(name)["comparison"].take();
    let gate = place.run(&["gate", name, "--reference", "base", "--json"], code);
    let gate: Value = serde_json::from_str(&gate).unwrap();
    assert_eq!(gate["gate"]["exit_code"], code);
    vec![reported, compared, of_one, again]
}

#[test]
fn a_worse_agent_is_found_before_all_looks_were_taken_and_every_command_says_so() {
    let place = place("4");
    let shown = place.run(&looking("bad", "4", &["-c", "worse.yaml"]), 101);
    assert!(shown.contains("after 2 of 4 looks"), "{shown}");
    let report = place.report("bad");
    let regression = report["gate"]["checks"]
        .as_array()
        .unwrap()
        .iter()
        .find(|check| check["name"] == "regression")
        .unwrap();
    let reason = regression["reason"].as_str().unwrap();
    assert!(reason.contains("after 2 of 4 looks"), "{reason}");
    assert!(reason.contains("attempts saved"), "{reason}");
    let examples = report["variants"][0]["counts"]["examples"]
        .as_u64()
        .unwrap();
    let attempts = &report["variants"][0]["counts"]["attempts"];
    assert_eq!(attempts.as_u64(), Some(2 * examples));
    for decided in decisions(&place, "bad", 101) {
        assert_eq!(decided["verdict"], "worse");
        let looks = &decided["looks"];
        let taken = (&looks["taken"], &looks["of"], &looks["decided"]);
        assert_eq!(taken, (&2.into(), &4.into(), &true.into()));
        assert_eq!(looks["saved"], 2 * examples);
        let spent = looks["spent"].as_f64().unwrap();
        assert!(0.0 < spent && spent < 0.05, "{spent}");
        // No chance that is looked at once stands beside what was looked at twice.
        assert!(decided["pairs"][0]["keys"][0]["p_worse"].is_null());
        assert_eq!(decided["reference"]["repeat"], 2);
    }
    let markdown = fs::read_to_string(place.path("reports/bad/report.md")).unwrap();
    assert!(markdown.contains("after 2 of 4 looks"), "{markdown}");
    let page = ["report", "bad", "--reference", "base", "-o", "bad.html"];
    place.run(&page, 101);
    let page = fs::read_to_string(place.path("bad.html")).unwrap();
    assert!(page.contains("after 2 of 4 looks"));
    let listed = place.run(&["list"], 0);
    let line = listed.lines().find(|line| line.starts_with("bad")).unwrap();
    assert!(!line.contains("unfinished"), "{line}");
}

#[test]
fn an_agent_that_changed_nothing_is_cleared_at_the_first_look() {
    let place = place("3");
    let output = place.output(&looking("same", "3", &[]));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    assert!(stderr.contains("after 1 of 3 looks"), "{stderr}");
    for decided in decisions(&place, "same", 0) {
        assert_eq!(decided["verdict"], "equivalent");
        assert_eq!(decided["looks"]["taken"], 1);
    }
    assert!(
        journal(&place, "same")
            .iter()
            .all(|it| it.get("grown").is_none())
    );
    // Nothing is left to do.
    let again = place.output(&["run", "--resume", "-e", "same"]);
    assert_eq!(again.status.code(), Some(0));
    assert_eq!(place.attempts("same").len() as u64, {
        let report = place.report("same");
        report["variants"][0]["counts"]["examples"]
            .as_u64()
            .unwrap()
    });
}

#[test]
fn ten_emails_take_all_looks_and_still_cannot_tell() {
    let place = place("3");
    place.run(&looking("few", "3", &["--limit", "10"]), 3);
    assert_eq!(place.attempts("few").len(), 30);
    let grown: Vec<u64> = journal(&place, "few")
        .iter()
        .filter_map(|line| line["grown"]["repeat"].as_u64())
        .collect();
    assert_eq!(grown, [2, 3]);
    let looks = &place.report("few")["comparison"]["looks"];
    assert_eq!((&looks["taken"], &looks["saved"]), (&3.into(), &0.into()));
    assert_eq!(looks["decided"], true);
}

#[test]
fn a_run_that_was_killed_goes_on_at_the_look_it_was_at() {
    let place = place("4");
    place.run(&looking("whole", "4", &["-c", "worse.yaml"]), 101);
    let path = place.path("reports/whole/journal.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    let all: Vec<&str> = text.lines().collect();
    let grown = all
        .iter()
        .position(|it| it.starts_with("{\"grown\""))
        .unwrap();
    let cases = |name: &str| -> BTreeSet<(String, u64, u64)> {
        place.attempts(name).iter().map(case).collect()
    };
    for (name, lines) in [
        ("within-the-first", 40),
        ("before-it-grew", grown),
        ("just-grown", grown + 1),
        ("within-the-second", grown + 60),
        ("before-the-end", all.len() - 1),
    ] {
        let folder = place.path(&format!("reports/{name}"));
        fs::create_dir_all(&folder).unwrap();
        let kept = all[..lines].join("\n").replace(
            "\"experiment\":\"whole\"",
            &format!("\"experiment\":\"{name}\""),
        );
        fs::write(folder.join("journal.jsonl"), format!("{kept}\n")).unwrap();
        // The newest that is not finished, whatever is planned of it by now, is this one.
        let resumed = ["run", "--resume", "-e", name, "-c", "worse.yaml"];
        place.run(&resumed, 101);
        assert_eq!(cases(name), cases("whole"), "{name}");
        assert_eq!(
            place.attempts(name).len(),
            place.attempts("whole").len(),
            "{name}"
        );
        let looks = |name: &str| place.report(name)["comparison"]["looks"].take();
        assert_eq!(looks(name), looks("whole"), "{name}");
    }
}

#[test]
fn an_experiment_between_two_looks_is_not_finished() {
    let place = place("3");
    place.run(&looking("few", "3", &["--limit", "10"]), 3);
    let path = place.path("reports/few/journal.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    let all: Vec<&str> = text.lines().collect();
    let grown = all
        .iter()
        .position(|it| it.starts_with("{\"grown\""))
        .unwrap();
    fs::write(&path, format!("{}\n", all[..grown].join("\n"))).unwrap();
    place.run(&["run", "--resume"], 3);
    assert_eq!(place.attempts("few").len(), 30);
}

#[test]
fn what_looks_cannot_be_taken_at_is_refused_before_anything_runs() {
    let place = place("3");
    place.run(&["reference", "set", "base"], 0);
    let file = ["--reference", "mailproof-reference.jsonl", "--looks", "2"];
    let told = |arguments: &[&str]| place.fail(&[&RUN[..], &["-e", "x"], arguments].concat(), 2);
    for (arguments, wrong) in [
        (&["--looks", "2"][..], "say with what"),
        (
            &["--looks", "2", "--reference", "base", "--shard", "1/2"],
            "shard",
        ),
        (&file, "attempt by attempt"),
        (
            &["--looks", "4", "--reference", "base"],
            "has 3 of the 4 attempts at",
        ),
        (&["--looks", "1", "--reference", "base"], "from 2 to 100"),
        (
            &["--looks", "2", "--repeat", "2", "--reference", "base"],
            "--repeat",
        ),
    ] {
        let told = told(arguments);
        assert!(told.contains(wrong), "{arguments:?}: {told}");
        assert!(!place.path("reports/x").exists(), "{arguments:?}");
    }
    // What was begun with looks goes on with them, and with no others.
    place.run(&looking("same", "2", &[]), 0);
    let resume = ["run", "--resume", "-e", "same", "--looks", "3"];
    let told = place.fail(&resume, 2);
    assert!(told.contains("looks.most: 2 → 3"), "{told}");
    let resume = ["run", "--resume", "-e", "same", "--reference", "same"];
    let told = place.fail(&resume, 2);
    assert!(told.contains("in comparison with `base`"), "{told}");
}

#[test]
fn looks_at_what_was_scored_again_since_are_at_the_newest_scores_of_both() {
    let place = Place::new();
    let run = ["run", "response", "-a", "workflow", "--limit", "20", "-q"];
    place.run(&[&run[..], &["--repeat", "2", "-e", "base"]].concat(), 0);
    let looks = ["--reference", "base", "--looks", "2", "-e", "after"];
    let ended = place.output(&[&run[..], &looks].concat()).status.code();
    let definition = super::root().join("judges/response_criteria.yaml");
    let definition = fs::read_to_string(definition).unwrap();
    let at = definition.find("rubric").unwrap();
    let (before, rest) = definition.split_at(at);
    let rubric = rest.replacen(" the ", " that ", 1);
    place.write("judge.yaml", &format!("{before}{rubric}"));
    place.run(&["rescore", "after", "--judge-file", "judge.yaml", "-q"], 0);
    // Until the other side was judged so too, what they say are two measures.
    let told = place.fail(&["compare", "base", "after"], 2);
    assert!(told.contains("mailproof rescore base"), "{told}");
    place.run(&["rescore", "base", "--judge-file", "judge.yaml", "-q"], 0);
    let output = place.output(&["compare", "base", "after", "--json"]);
    assert_eq!(output.status.code(), ended);
    let compared: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(compared["reference"]["layer"], 1);
    assert_eq!(compared["candidate"]["layer"], 1);
    assert_eq!(compared["looks"]["of"], 2);
    // What is gone on with is at the scores that it was begun at.
    let resumed = place.output(&["run", "--resume", "-e", "after", "-q"]);
    let said = String::from_utf8_lossy(&resumed.stderr);
    assert_eq!(resumed.status.code(), ended, "{said}");
}

#[test]
fn a_dry_run_tells_what_all_looks_could_cost() {
    let place = place("3");
    let plan = place.run(
        &looking("x", "3", &["--limit", "10", "--dry-run", "--json"]),
        0,
    );
    let plan: Value = serde_json::from_str(&plan).unwrap();
    assert_eq!(
        (&plan["attempts"], &plan["looks"]["most"]),
        (&30.into(), &3.into())
    );
}

#[test]
fn another_reference_is_told_why_there_are_so_many_attempts() {
    let place = place("2");
    place.run(&looking("same", "2", &[]), 0);
    place.run(&[&RUN[..], &["-e", "other"]].concat(), 0);
    let compared: Value =
        serde_json::from_str(&place.run(&["compare", "other", "same", "--json"], 0)).unwrap();
    assert!(compared.get("looks").is_none());
    let differences = compared["differences"].to_string();
    assert!(
        differences.contains("as many attempts as looks at it took"),
        "{differences}"
    );
}
