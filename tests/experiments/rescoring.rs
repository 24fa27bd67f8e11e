//! Experiments that are scored again, as layers beside what the run found.

use std::fs;

use serde_json::Value;

use super::{Place, case, comparable, comparable_markdown, lines, root};

/// Under 30 emails, every agent, every suite.
const RUN: [&str; 5] = ["run", "--sample", "12", "-e", "it"];

fn layer(place: &Place, number: u32) -> Vec<Value> {
    lines(&place.path(&format!("reports/it/layers/{number}.jsonl")))
}

fn of<'a>(lines: &'a [Value], kind: &'a str) -> impl Iterator<Item = &'a Value> {
    lines.iter().filter_map(move |line| line.get(kind))
}

#[test]
fn an_unchanged_experiment_is_worth_again_what_it_was() {
    let place = Place::new();
    place.run(&RUN, 0);
    let own = place.report("it");
    let own_text = fs::read_to_string(place.path("reports/it/report.md")).unwrap();
    assert_eq!(own["environment"].get("layer"), None);
    let shown = place.run(&["rescore", "it", "-j", "3"], 0);
    let first: Vec<&str> = shown.lines().take(3).collect();
    assert!(
        first.concat().contains("Scores of layer 1, made 2"),
        "{first:?}"
    );

    let journal = place.attempts("it");
    let judged = journal
        .iter()
        .filter(|attempt| attempt.get("judged").is_some());
    assert!(judged.count() >= 10, "the run was judged");
    let layer = layer(&place, 1);
    let scores: Vec<&Value> = of(&layer, "attempt").collect();
    assert_eq!(scores.len(), journal.len());
    for (attempt, scores) in journal.iter().zip(scores) {
        assert_eq!(case(scores), case(attempt), "in the order of the journal");
        for field in ["feedback", "judged", "learning"] {
            assert_eq!(
                scores.get(field),
                attempt.get(field),
                "{field}: {}",
                scores["case"]
            );
        }
        let judges = attempt["usage"].get("judge");
        assert_eq!(scores.get("usage").map(|it| &it["judge"]), judges);
        assert_eq!(scores.get("runs"), None, "no trajectory is kept twice");
    }
    let canaries = |lines: &[Value]| of(lines, "canaries").cloned().collect::<Vec<_>>();
    let run = lines(&place.path("reports/it/journal.jsonl"));
    assert_eq!(canaries(&layer), canaries(&run));
    assert!(!canaries(&layer).is_empty());

    let again = place.report("it");
    let told = &again["environment"]["layer"];
    assert_eq!(
        (&told["number"], &told["scorers"]),
        (&1.into(), &"all".into())
    );
    assert_eq!(told["judge_models"], serde_json::json!(["rules"]));
    assert_eq!(comparable(again), comparable(own.clone()));
    let text = fs::read_to_string(place.path("reports/it/report.md")).unwrap();
    let (before, after) = text.split_once("\nScores of layer 1, made ").unwrap();
    let after = after.split_once("`--layer 0`\n").unwrap().1;
    assert_eq!(
        comparable_markdown(&format!("{before}{after}")),
        comparable_markdown(&own_text)
    );

    // What the run found is still there, and is written anew where it is asked for.
    place.run(&["report", "it", "--layer", "0"], 0);
    assert_eq!(place.report("it"), {
        let mut own = own;
        own["environment"]["peak_memory_mb"] = Value::Null;
        own
    });
    assert!(
        place
            .run(&["report", "it"], 0)
            .contains("Scores of layer 1")
    );
}

#[test]
fn judging_twice_with_a_model_that_repeats_itself_is_the_same() {
    let place = Place::new();
    place.run(&RUN, 0);
    let judge = [
        "rescore",
        "it",
        "--judge-model",
        "rules",
        "--judge-votes",
        "3",
    ];
    place.run(&[&judge[..], &["-j", "1"]].concat(), 0);
    place.run(&[&judge[..], &["-j", "64"]].concat(), 0);
    let without_clock = |number| {
        let mut lines = layer(&place, number);
        let header = lines[0]["header"].as_object_mut().unwrap();
        assert_eq!(header.remove("number"), Some(number.into()));
        header.remove("created").unwrap();
        lines
    };
    let one = without_clock(1);
    assert_eq!(one, without_clock(2));
    let rulings = of(&one, "attempt").flat_map(|it| it["judged"].as_array().cloned());
    let rulings: Vec<Value> = rulings.flatten().collect();
    assert!(rulings.iter().any(|it| {
        it["rulings"][0]["votes"]
            .as_array()
            .is_some_and(|votes| votes.len() == 3)
    }));
}

#[test]
fn scorers_that_are_not_wanted_leave_what_the_run_found() {
    let place = Place::new();
    let run = ["run", "-a", "workflow", "--judge", "none"];
    place.run(&[&run[..], &["--sample", "12", "-e", "it"]].concat(), 0);
    place.run(&["rescore", "it", "--scorers", "rules"], 0);
    let (rules, own) = (layer(&place, 1), place.attempts("it"));
    assert!(of(&rules, "attempt").all(|scores| scores.get("judged").is_none()));
    assert_eq!(of(&rules, "canaries").count(), 0);
    assert!(place.run(&["report", "it"], 0).contains("by rules alone"));

    // Nobody judged the run, which is no reason to leave it at that.
    place.run(&["rescore", "it", "--scorers", "judges"], 0);
    let judges = layer(&place, 2);
    for (scores, own) in of(&judges, "attempt").zip(&own) {
        let exact = scores["feedback"].as_array().unwrap().iter();
        let exact: Vec<&Value> = exact
            .filter(|it| it["key"] != "response.criteria" && it["key"] != "response.all_met")
            .collect();
        assert_eq!(
            exact,
            own["feedback"]
                .as_array()
                .unwrap()
                .iter()
                .collect::<Vec<_>>()
        );
    }
    assert!(of(&judges, "attempt").any(|scores| scores.get("judged").is_some()));
    let metric = |place: &Place| {
        place.report("it")["variants"][0]["metrics"]
            .get("response.criteria")
            .cloned()
    };
    assert!(metric(&place).is_some_and(|metric| !metric["value"].is_null()));
    place.run(&["report", "it", "--layer", "1"], 0);
    assert_eq!(metric(&place), None);

    let nothing = ["rescore", "it", "--scorers", "judges", "--judge", "none"];
    let told = place.fail(&nothing, 4);
    assert!(told.contains("no judge has anything to ask"), "{told}");
}

#[test]
fn the_gates_of_a_layer_decide() {
    let place = Place::new();
    let run = [
        "run", "response", "-a", "workflow", "--sample", "12", "-e", "it",
    ];
    place.run(&run, 0);
    let config = |threshold: &str| {
        place.write("mailproof.yaml", &format!("judge_thresholds: {{ response.criteria: {threshold} }}\ntrust_uncalibrated_judges: true\n"));
    };
    config("1.0");
    place.run(&["rescore", "it", "-q"], 100);
    config("0.0");
    place.run(&["rescore", "it", "-q"], 0);
    // Whatever the configuration says by now, a layer keeps what it was made with.
    place.run(&["report", "it", "--layer", "1"], 100);
    place.run(&["report", "it", "--layer", "2"], 0);
    place.run(&["report", "it", "--layer", "0"], 0);
}

#[test]
fn show_tells_of_the_layer_that_is_asked_for() {
    let place = Place::new();
    let run = [
        "run", "response", "-a", "workflow", "--judge", "none", "-e", "it",
    ];
    place.run(&[&run[..], &["--split", "dev"]].concat(), 0);
    place.run(&["rescore", "it", "-q"], 0);
    let journal = place.attempts("it");
    let layer = layer(&place, 1);
    let judged = of(&layer, "attempt")
        .find(|it| it.get("judged").is_some())
        .unwrap();
    let id = judged["case"]["example"].as_str().unwrap();
    let show = |more: &[&str]| {
        let arguments = ["show", "it/workflow@rules", id, "--json"];
        let text = place.run(&[&arguments[..], more].concat(), 0);
        serde_json::from_str::<Value>(&text).unwrap()
    };
    let newest = show(&[]);
    assert_eq!(
        (&newest["judged"], &newest["feedback"]),
        (&judged["judged"], &judged["feedback"])
    );
    assert_eq!(show(&["--layer", "1"]), newest);
    let own = show(&["--layer", "0"]);
    assert_eq!(own.get("judged"), None);
    let recorded = journal
        .iter()
        .find(|it| it["case"]["example"] == id)
        .unwrap();
    assert_eq!(
        (&own["feedback"], &newest["runs"]),
        (&recorded["feedback"], &recorded["runs"])
    );
    let arguments = ["show", "it/workflow@rules", id, "--layer", "7"];
    let told = place.fail(&arguments, 2);
    assert!(told.contains("no layer 7 in "), "{told}");
}

#[test]
fn a_layer_is_shown_only_where_it_is_whole_and_of_its_journal() {
    let place = Place::new();
    let run = [
        "run", "triage", "-a", "baseline", "--limit", "4", "--judge", "none",
    ];
    place.run(&[&run[..], &["-e", "it"]].concat(), 0);
    let rescore = ["rescore", "it", "--scorers", "rules", "-q"];
    place.run(&rescore, 0);
    place.run(&rescore, 0);
    let path = place.path("reports/it/layers/2.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, &text[..text.len() - 3]).unwrap();
    let output = place.output(&["report", "it"]);
    let (shown, said) = (
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    );
    assert!(shown.contains("Scores of layer 1"), "{shown}");
    assert!(
        said.contains("layer 2 is not complete and not shown"),
        "{said}"
    );
    let told = place.fail(&["report", "it", "--layer", "2"], 2);
    assert!(
        told.contains(
            "`mailproof rescore` makes a new one, and layer 0 is what the run itself found"
        ),
        "{told}"
    );

    // The run goes on.
    fs::remove_file(&path).unwrap();
    let journal = place.path("reports/it/journal.jsonl");
    let whole = fs::read_to_string(&journal).unwrap();
    let kept: Vec<&str> = whole
        .split_inclusive('\n')
        .filter(|line| !line.starts_with("{\"attempt\"") || line.contains("\"position\":0,"))
        .collect();
    fs::write(&journal, kept.concat()).unwrap();
    // One attempt of four decides nothing.
    place.run(&rescore, 3);
    fs::write(&journal, &whole).unwrap();
    let told = place.fail(&["report", "it"], 2);
    assert!(
        told.contains(
            "2.jsonl:3: the layer ends here, and the journal has more attempts than these 1"
        ),
        "{told}"
    );
    let told = place.fail(&["report", "it", "--layer", "9"], 2);
    assert!(told.contains("there is 1, 2;"), "{told}");
    place.run(&rescore, 0);
    place.run(&["report", "it"], 0);
}

#[test]
fn only_the_dataset_that_was_run_on_says_what_attempts_are_worth() {
    let place = Place::new();
    let whole = fs::read_to_string(root().join("datasets/email/dev/calendar.yaml")).unwrap();
    place.write("mine.yaml", &whole);
    let run = [
        "run",
        "response",
        "-a",
        "workflow",
        "-d",
        "mine.yaml",
        "-e",
        "it",
    ];
    place.run(&run, 0);
    // What the configuration says is about the next run.
    place.write("mailproof.yaml", "dataset: other.yaml\n");
    place.run(&["rescore", "it", "-q"], 0);
    fs::rename(place.path("mine.yaml"), place.path("moved.yaml")).unwrap();
    let told = place.fail(&["rescore", "it"], 2);
    assert!(
        told.contains("mine.yaml") && told.contains("say where with `-d PATH`"),
        "{told}"
    );
    place.run(&["rescore", "it", "-q", "-d", "moved.yaml"], 0);
    let changed = whole.replacen(
        "criteria:\n",
        "criteria:\n      - \"Is written in verse\"\n",
        1,
    );
    assert_ne!(changed, whole);
    place.write("mine.yaml", &changed);
    let told = place.fail(&["rescore", "it"], 2);
    for words in [
        "mine.yaml is not what it was when `it` ran",
        "criteria among it",
        "`-d PATH`",
    ] {
        assert!(told.contains(words), "{told}");
    }
    let told = place.fail(&["rescore", "nobody"], 2);
    assert!(
        told.contains("no experiment in reports/nobody/journal.jsonl"),
        "{told}"
    );
    assert_eq!(
        fs::read_dir(place.path("reports/it/layers"))
            .unwrap()
            .count(),
        2,
        "refused, nothing was begun"
    );
}

/// Peak memory of scoring this many attempts again, in MB.
#[cfg(target_os = "linux")]
fn peak(repeat: &str) -> (usize, f64) {
    let place = Place::new();
    let run = [
        "run", "response", "-a", "workflow", "--split", "dev", "--limit", "20", "-q",
    ];
    place.run(&[&run[..], &["-e", "it", "--repeat", repeat]].concat(), 0);
    place.run(&["rescore", "it", "-q"], 0);
    let peak = &place.report("it")["environment"]["peak_memory_mb"];
    let scores = of(&layer(&place, 1), "attempt").count();
    (scores, peak.as_f64().unwrap())
}

#[cfg(target_os = "linux")]
#[test]
fn memory_stays_flat_in_the_number_of_attempts() {
    let (few, low) = peak("5");
    let (many, high) = peak("150");
    assert_eq!((few, many), (100, 3000));
    // A record of these is some 4 kB of JSON: held, they would be at least 12 MB.
    let journal = 12.0;
    assert!(
        high < low + journal,
        "{few} attempts: {low} MB, {many}: {high} MB"
    );
}
