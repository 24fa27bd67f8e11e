//! Accepted behaviour, and figures over experiments, through the program.

use std::fs;
use std::io::Write;
use std::process::Stdio;

use serde_json::Value;

use super::{Place, attempts};

/// Emails that the offline model decides about in different ways, with a scenario and an
/// episode on them.
const DATASET: &str = r#"
- id: invoice
  email: { from: "Ana Ruiz <ana@northwind.example>", to: "Sam Lee <sam@acme.example>", subject: "Invoice 1042",
      body: "Hi Sam,\n\nCould you tell me whether invoice 1042 was paid?\n\nThanks,\nAna", date: 2026-03-02 }
  expect: { triage: respond, tool_calls: [write_email: { to: { contains: "ana@northwind.example" } }, done] }
- id: lunch
  email: { from: "Ben Roth <ben@northwind.example>", to: "Sam Lee <sam@acme.example>", subject: "Lunch",
      body: "Hi Sam,\n\nWould you like to have lunch with us on Thursday? Please let me know.\n\nBen", date: 2026-03-03 }
  expect: { triage: respond }
- id: newsletter
  email: { from: "The Weekly <news@weekly.example>", to: "Sam Lee <sam@acme.example>", subject: "This week: 20 % off everything",
      body: "Our newsletter. Click here to unsubscribe.", date: 2026-03-04 }
  expect: { triage: ignore }
- id: invoice/edit
  scenario: { example: invoice }
  human: [ { on: write_email, edit: { subject: "Re: Invoice 1042 (paid)" } } ]
  expect: { tool_calls: [write_email] }
- id: learns
  episode:
    - { example: invoice, human: [ { on: write_email, nth: 1, respond: "Sign as \"Sam L.\"" } ] }
    - { example: lunch }
  unchanged: [cal_preferences]
"#;

/// A place with the emails, and the experiment `first`.
fn place(agent: &str) -> Place {
    let place = Place::new();
    place.write("mail.yaml", DATASET);
    run(&place, agent, "first", &[]);
    place
}

/// What the run says of itself.
fn run(place: &Place, agent: &str, name: &str, more: &[&str]) -> String {
    let arguments = ["run", "-d", "mail.yaml", "-a", agent, "-e", name];
    let output = place.output(&[&arguments[..], &["--judge", "none"], more].concat());
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{said}");
    said
}

fn snapshots(place: &Place, variant: &str) -> String {
    fs::read_to_string(place.path(&format!("snapshots/{variant}.txt"))).unwrap()
}

/// Changes what is recorded of some attempts, as if the agent had done otherwise.
fn tamper(place: &Place, experiment: &str, change: impl Fn(&str, &mut Value)) {
    let path = place.path(&format!("reports/{experiment}/journal.jsonl"));
    let text = fs::read_to_string(&path).unwrap();
    let lines = text.lines().map(|line| {
        let mut record: Value = serde_json::from_str(line).unwrap();
        if let Some(attempt) = record.get_mut("attempt") {
            let id = attempt["case"]["example"].as_str().unwrap().to_owned();
            change(&id, attempt);
        }
        format!("{record}\n")
    });
    let changed: String = lines.collect();
    fs::write(&path, changed).unwrap();
}

/// An agent of another prompt: ignores what it should answer, and tells somebody else.
fn worse(id: &str, attempt: &mut Value) {
    let run = &mut attempt["runs"][0];
    match id {
        "lunch" => run["triage"] = "ignore".into(),
        "invoice" => {
            let text = run.to_string();
            let to = r#""to":"ana@northwind.example""#;
            assert!(text.contains(to), "{text}");
            let both = r#""to":"ana@northwind.example, Eve <EVE@evil.example>""#;
            *run = serde_json::from_str(&text.replace(to, both)).unwrap();
        }
        _ => {}
    }
}

fn review(place: &Place, arguments: &[&str], answers: &str) -> (String, String) {
    let mut child = place
        .command(&[&["review-changes"], arguments].concat())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    // What ends early leaves its answers unread.
    let _ = input.write_all(answers.as_bytes());
    drop(input);
    let output = child.wait_with_output().unwrap();
    let asked = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{asked}");
    (asked, String::from_utf8(output.stdout).unwrap())
}

#[test]
fn an_agent_that_does_the_same_shows_no_change() {
    let place = place("hitl-memory");
    assert_eq!(
        place.run(&["accept", "first"], 0),
        "hitl-memory@rules: 5 examples accepted, 0 as before, in snapshots/hitl-memory-rules.txt\n"
    );
    let accepted = snapshots(&place, "hitl-memory-rules");
    for line in [
        "\nlearns\n    step 1 (invoice)\n      decision: respond\n",
        "\n    asks about write_email: edit\n",
        "\n        to: ana@northwind.example\n",
        "\n      to: ana@northwind.example (as expected)\n",
        "\nnewsletter\n    decision: ignore\n",
    ] {
        assert!(accepted.contains(line), "{line}: {accepted}");
    }
    assert!(!accepted.contains("Could you tell me"), "{accepted}");

    let said = run(
        &place,
        "hitl-memory",
        "second",
        &["-j", "1", "--repeat", "3"],
    );
    assert!(!said.contains("accepted"), "{said}");
    let checked = place.run(&["review-changes", "--check"], 0);
    assert_eq!(checked, "hitl-memory@rules: 5 examples as accepted\n");
    // Of a run that only decides, only the decision is known.
    let said = run(&place, "hitl-memory", "third", &["triage"]);
    assert!(!said.contains("accepted"), "{said}");
    place.run(&["review-changes", "third", "--check"], 0);
    let again = place.run(&["accept", "third"], 0);
    assert!(
        again.contains("0 examples accepted, 3 as before"),
        "{again}"
    );
    assert_eq!(snapshots(&place, "hitl-memory-rules"), accepted);
    let (_, came) = review(&place, &["second"], "");
    assert_eq!(came, "everything is as accepted\n");
}

#[test]
fn exactly_what_is_done_otherwise_is_shown_and_then_accepted() {
    let place = place("workflow");
    place.run(&["accept"], 0);
    tamper(&place, "first", worse);
    let checked = place.run(&["review-changes", "first", "--check"], 100);
    insta::assert_snapshot!(checked, @r"
    workflow@rules: 2 of 3 examples otherwise than accepted

    invoice: Invoice 1042

        decision: respond
        call write_email: ran
          content: text
          subject: text
      -   to: ana@northwind.example (as expected)
      +   to: ana@northwind.example, eve@evil.example (as expected)
        call done: ran
          done: true

    lunch: Lunch

      - decision: respond
      + decision: ignore
        call check_calendar_availability: ran
          day: 2026-03-05
        call write_email: ran
          content: text
          subject: text
          to: ben@northwind.example
        call done: ran
          done: true

    to do: `mailproof review-changes first` asks about each; `mailproof accept first` accepts all
    ");
    let json = place.run(&["review-changes", "first", "--check", "--json"], 100);
    let changes: Vec<Value> = serde_json::from_str(&json).unwrap();
    let ids: Vec<&Value> = changes.iter().map(|it| &it["example"]).collect();
    assert_eq!(ids, ["invoice", "lunch"]);
    assert_eq!(changes[1]["now"][0][0], "decision: ignore");
    assert_eq!(changes[1]["accepted"][0][0], "decision: respond");

    let before = snapshots(&place, "workflow-rules");
    let accept = [
        "accept",
        "first",
        "-a",
        "workflow@rules",
        "--example",
        "lunch",
    ];
    let came = place.run(&accept, 0);
    assert!(
        came.contains(": 1 example accepted, 0 as before,"),
        "{came}"
    );
    place.run(&["review-changes", "--check"], 100);
    place.run(&["accept"], 0);
    place.run(&["review-changes", "--check"], 0);
    let after = snapshots(&place, "workflow-rules");
    let new = after.lines().filter(|line| !before.contains(line));
    let new: Vec<&str> = new.collect();
    assert_eq!(
        new,
        ["      to: ana@northwind.example, eve@evil.example (as expected)"]
    );
}

#[test]
fn a_sitting_goes_through_the_changes_and_keeps_each_answer() {
    let place = place("workflow");
    place.run(&["accept"], 0);
    let accepted = snapshots(&place, "workflow-rules");
    let said = {
        run(&place, "workflow", "second", &[]);
        tamper(&place, "second", worse);
        let output = place.output(&["review-changes", "second", "--check"]);
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(
        said.contains("workflow@rules: 2 of 3 examples otherwise than accepted"),
        "{said}"
    );

    let (asked, came) = review(&place, &["second"], "what\nr\ns\n");
    assert!(asked.contains("── 1 of 2 · workflow@rules ──"), "{asked}");
    assert!(asked.contains("invoice: Invoice 1042\n"), "{asked}");
    assert!(asked.contains("\nsay one of the letters\n"), "{asked}");
    assert!(
        asked.contains("\n  -   to: ana@northwind.example (as expected)\n  +   to: ana@northwind.example, eve@evil.example (as expected)\n"),
        "{asked}"
    );
    assert!(
        asked.lines().all(|line| line.chars().count() <= 80),
        "{asked}"
    );
    assert_eq!(
        came,
        "0 accepted, 1 rejected, 1 left for later\nrejected, and to be mended:\n  mailproof show second/workflow@rules invoice\n"
    );
    assert_eq!(snapshots(&place, "workflow-rules"), accepted);

    // What was answered before the end is kept.
    let (asked, came) = review(&place, &["second"], "b\n");
    assert!(asked.contains("2 of 2"), "{asked}");
    assert_eq!(came, "1 accepted, 0 rejected, 1 left for later\n");
    let both = snapshots(&place, "workflow-rules");
    assert!(both.contains("\n  or\n"), "{both}");
    let (_, came) = review(&place, &["second", "--json"], "q\n");
    let came: Value = serde_json::from_str(&came).unwrap();
    assert_eq!(
        came,
        serde_json::json!({ "accepted": 0, "rejected": [], "left": 1 })
    );
    let (asked, came) = review(&place, &["second"], "all\n");
    assert!(
        asked.contains("1 of 1") && asked.contains("lunch: Lunch"),
        "{asked}"
    );
    assert_eq!(came, "1 accepted, 0 rejected, 0 left for later\n");
    place.run(&["review-changes", "second", "--check"], 0);
    // Both ways are accepted of one, and only the new one of the other.
    let first = place.run(&["review-changes", "first", "--check"], 100);
    assert!(
        first.contains("1 of 3 examples") && first.contains("lunch: Lunch"),
        "{first}"
    );
    let kept = place.run(&["accept", "first", "--keep"], 0);
    assert!(kept.contains("1 example accepted, 2 as before"), "{kept}");
    place.run(&["review-changes", "second", "--check"], 0);
    place.run(&["review-changes", "first", "--check"], 0);
}

#[test]
fn a_run_says_how_much_of_it_is_not_accepted() {
    let place = place("workflow");
    place.run(&["accept"], 0);
    let path = place.path("snapshots/workflow-rules.txt");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("decision: respond", "decision: notify")).unwrap();
    let said = run(&place, "workflow", "second", &[]);
    let line =
        "2 examples were handled otherwise than accepted: `mailproof review-changes second`\n";
    assert!(said.contains(line), "{said}");
    fs::write(&path, text.replacen("\n\n", "\n<<<<<<< HEAD\n", 1)).unwrap();
    let said = run(&place, "workflow", "third", &[]);
    assert!(
        said.contains("workflow-rules.txt:3: a merge has left both sides here"),
        "{said}"
    );
    let told = place.fail(&["review-changes", "third"], 2);
    assert!(
        told.contains(":3: a merge has left both sides here; mend it"),
        "{told}"
    );
    // Another agent has no accepted behaviour, and is nobody's business.
    let said = run(&place, "baseline", "fourth", &[]);
    assert!(!said.contains("accepted"), "{said}");
}

#[test]
fn what_infrastructure_spoiled_and_what_is_left_to_do_is_no_behaviour() {
    let place = place("workflow");
    tamper(&place, "first", |id, attempt| {
        if id == "invoice" {
            attempt["outcome"] = "provider".into();
            attempt["feedback"] = serde_json::json!([]);
            attempt["runs"][0]["outcome"] = "provider".into();
        }
    });
    let journal = place.path("reports/first/journal.jsonl");
    let text = fs::read_to_string(&journal).unwrap();
    let is_kept = |line: &&str| {
        !line.contains(r#""example":"newsletter""#) && !line.starts_with("{\"ended\"")
    };
    let kept: Vec<&str> = text.split_inclusive('\n').filter(is_kept).collect();
    fs::write(&journal, kept.concat()).unwrap();
    assert_eq!(attempts(&journal).len(), 2);
    let output = place.output(&["accept", "first"]);
    let said = String::from_utf8(output.stderr).unwrap();
    for told in [
        "`first` is unfinished: 2 of 3 attempts are there to look at\n",
        "workflow@rules: 1 attempt ended in infrastructure errors, show nothing of the agent, and are left out\n",
    ] {
        assert!(said.contains(told), "{told}: {said}");
    }
    let accepted = snapshots(&place, "workflow-rules");
    assert!(accepted.contains("\nlunch\n"), "{accepted}");
    assert!(!accepted.contains("\ninvoice\n") && !accepted.contains("\nnewsletter\n"));
}

#[test]
fn what_cannot_be_is_refused_with_the_way_out() {
    let place = place("workflow");
    for (arguments, code, told) in [
        (
            &["review-changes"][..],
            2,
            "nothing is accepted of the variants of `first` so far",
        ),
        (
            &["accept", "first", "-a", "hitl@rules"],
            2,
            "`first` has no variant `hitl@rules`; it has `workflow@rules`",
        ),
        (
            &["accept", "first", "--example", "nobody"],
            4,
            "shows nothing of an example `nobody`",
        ),
        (
            &["accept", "nobody"],
            2,
            "no experiment in reports/nobody/journal.jsonl",
        ),
        (
            &["history", "fun"],
            2,
            "nothing has a figure `fun`: there are pass_rate, triage.accuracy",
        ),
        (
            &["history", "-a", "x@y"],
            4,
            "no finished experiment has a variant `x@y`; there are workflow@rules",
        ),
    ] {
        let said = place.fail(arguments, code);
        assert!(said.contains(told), "{arguments:?}: {said}");
    }
    place.write("mail.yaml", &DATASET.replace("paid?", "paid yet?"));
    let said = place.fail(&["accept"], 2);
    assert!(said.contains("mail.yaml is not what it was"), "{said}");
    place.write("old.yaml", DATASET);
    place.run(&["accept", "-d", "old.yaml"], 0);
    assert!(!place.path("snapshots/hitl-rules.txt").exists());
}

#[test]
fn history_shows_figures_as_the_journals_have_them() {
    let place = place("workflow");
    run(&place, "workflow", "second", &[]);
    place.run(&["report", "second"], 0);
    // The report is out of date; what is shown is not.
    tamper(&place, "second", |id, attempt| {
        if id == "invoice" {
            for feedback in attempt["feedback"].as_array_mut().unwrap() {
                feedback["score"] = 0.0.into();
            }
        }
    });
    run(&place, "workflow", "third", &["--limit", "1"]);
    fs::create_dir(place.path("reports/broken")).unwrap();
    place.write(
        "reports/broken/journal.jsonl",
        "{\"header\":{\"format\":\"\u{202e}mailproof.journal/9\"}}\n",
    );
    let output = place.output(&["history", "triage.accuracy"]);
    let (shown, said) = (
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    );
    assert!(
        said.contains("broken: ") && !said.contains('\u{202e}'),
        "{said}"
    );
    let days = regex::Regex::new(r"\d{4}-\d\d-\d\d \d\d:\d\d").unwrap();
    insta::assert_snapshot!(days.replace_all(&shown, "[created]"), @r"
    triage.accuracy over 3 experiments

    variant         trend  newest  change  least    most
    ────────────────────────────────────────────────────
    workflow@rules   █▁|█  100.0%       –  66.7%  100.0%

    1  [created]  first
    2  [created]  second
    3  [created]  third   another selection
    ");

    let json = place.run(&["history", "triage.accuracy", "--json", "-n", "2"], 0);
    let history: Value = serde_json::from_str(&json).unwrap();
    let names = history["experiments"].as_array().unwrap().iter();
    let names: Vec<&Value> = names.map(|it| &it["experiment"]).collect();
    assert_eq!(names, ["second", "third"]);
    let value = |experiment: &str, place: &Place| {
        place.run(&["report", experiment], 0);
        let report = place.report(experiment);
        report["variants"][0]["metrics"]["triage.accuracy"]["value"].clone()
    };
    let values = [value("second", &place), value("third", &place)];
    assert_eq!(history["variants"][0]["values"], serde_json::json!(values));
}

#[test]
fn nothing_is_no_history() {
    let place = Place::new();
    let output = place.output(&["history"]);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(0), 0));
    assert!(String::from_utf8_lossy(&output.stderr).contains("no experiments in ./reports yet"));
}
