//! People who decide what judges decide, through the program.

use std::io::Write;
use std::process::{Output, Stdio};

use serde_json::Value;

use super::{Place, lines};

/// Two emails that the offline model answers, with two statements about each answer.
const DATASET: &str = r#"
- id: paid
  email: { from: "Ana Ruiz <ana@northwind.example>", to: "Sam Lee <sam@acme.example>", subject: "Invoice 1042",
      body: "Hi Sam,\n\nCould you tell me whether invoice 1042 was paid?\n\nThanks,\nAna", date: 2026-03-02 }
  cluster: invoices
  expect: { triage: respond, tool_calls: [write_email], criteria: ["Says whether invoice 1042 was paid, or promises an answer", "Is polite"] }
- id: lunch
  email: { from: "Ben Roth <ben@northwind.example>", to: "Sam Lee <sam@acme.example>", subject: "Lunch",
      body: "Hi Sam,\n\nWould you like to have lunch with us on Thursday? Please let me know.\n\nBen" }
  expect: { triage: respond, tool_calls: [write_email], criteria: ["Accepts or declines, or promises an answer", "Is written in English"] }
"#;

const FILE: &str = "judges/calibration/response_criteria.first.jsonl";

/// A place with an experiment `first`, of two agents on two emails.
fn place() -> Place {
    let place = Place::new();
    place.write("mail.yaml", DATASET);
    let run = [
        "run",
        "response",
        "-d",
        "mail.yaml",
        "-a",
        "baseline",
        "-a",
        "hitl",
        "-e",
        "first",
    ];
    place.run(&run, 0);
    place
}

fn label(place: &Place, arguments: &[&str], answers: &str) -> Output {
    let mut child = place
        .command(&[&["label", "first"], arguments].concat())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    // What is refused at once leaves its answers unread.
    let _ = input.write_all(answers.as_bytes());
    drop(input);
    child.wait_with_output().unwrap()
}

/// What a sitting that goes well asks, and what it comes to.
fn sitting(place: &Place, arguments: &[&str], answers: &str) -> (String, String) {
    let output = label(place, arguments, answers);
    let asked = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{asked}");
    (asked, String::from_utf8(output.stdout).unwrap())
}

fn labels(place: &Place) -> Vec<(String, String, String)> {
    let text = |item: &Value, key: &str| item[key].as_str().unwrap().to_owned();
    let of = |item: Value| {
        (
            text(&item, "labelled_by"),
            text(&item, "label"),
            text(&item, "reason"),
        )
    };
    lines(&place.path(FILE)).into_iter().map(of).collect()
}

fn said(labels: &[(&str, &str, &str)]) -> Vec<(String, String, String)> {
    let owned =
        |(a, b, c): &(&str, &str, &str)| ((*a).to_owned(), (*b).to_owned(), (*c).to_owned());
    labels.iter().map(owned).collect()
}

/// The rules that begin each statement, without their lines.
fn places(asked: &str) -> Vec<&str> {
    let rules = asked.lines().filter_map(|line| line.strip_prefix("── "));
    rules
        .map(|rule| rule.trim_end_matches(['─', ' ']))
        .collect()
}

#[test]
fn a_person_labels_stops_and_goes_on_where_they_were() {
    let place = place();
    // What is not understood is asked again, and what is skipped comes back.
    let answers = "p\nit promises\nmaybe\ns\n F \n  no date  \n";
    let (asked, came) = sitting(&place, &["--by", "ana"], answers);
    assert_eq!(places(&asked), ["1 of 4", "2 of 4", "3 of 4", "4 of 4"]);
    assert!(asked.contains("say one of the letters"), "{asked}");
    assert_eq!(came, format!("2 labelled now, 2 of 4 in all, in {FILE}\n"));
    let first = [("ana", "pass", "it promises"), ("ana", "fail", "no date")];
    assert_eq!(labels(&place), said(&first));

    // Undo takes back the last of the sitting, and no other.
    let (asked, came) = sitting(&place, &["--by", "ana"], "u\nc\nwho knows\nu\np\n\nq\n");
    assert_eq!(
        places(&asked),
        ["3 of 4", "3 of 4", "4 of 4", "3 of 4", "4 of 4"]
    );
    assert!(asked.contains("nothing to undo in this sitting"), "{asked}");
    assert_eq!(came, format!("1 labelled now, 3 of 4 in all, in {FILE}\n"));
    assert_eq!(
        labels(&place),
        said(&[first[0], first[1], ("ana", "pass", "")])
    );

    // A label without its reason is none: the input ended.
    let (_, came) = sitting(&place, &["--by", "ana"], "p");
    assert!(came.starts_with("0 labelled now, 3 of 4"), "{came}");
    let (_, came) = sitting(&place, &["--by", "ana"], "f\nlast one");
    assert!(came.starts_with("1 labelled now, 4 of 4"), "{came}");
    let (asked, _) = sitting(&place, &["--by", "ana"], "p\np\n");
    assert_eq!(asked, "all 4 are labelled\n");
}

#[test]
fn nobody_sees_which_agent_wrote_or_what_judges_said_and_the_items_are_whole() {
    let place = place();
    let answers = "r\np\nx\np\nx\np\nx\np\nx\n";
    let (asked, _) = sitting(&place, &["--by", "ana"], answers);
    for telling in [
        "baseline",
        "hitl",
        "rules",
        "triage_email",
        "verdict\":",
        "reports/",
    ] {
        assert!(!asked.contains(telling), "{telling}: {asked}");
    }
    for shown in [
        "  Subject: Invoice 1042\n",
        "# Mail that was sent\n  To: ana@northwind.example\n",
        "Statement: Is polite\n",
        ". write_email: ran\n",
    ] {
        assert!(asked.contains(shown), "{shown}: {asked}");
    }
    assert!(
        asked.lines().all(|line| line.chars().count() <= 80),
        "{asked}"
    );
    for item in lines(&place.path(FILE)) {
        assert_eq!(item["judge"], "response_criteria");
        assert!(
            item["email"]["body"]
                .as_str()
                .unwrap()
                .starts_with("Hi Sam")
        );
        let calls = item["calls"].as_array().unwrap();
        assert!(
            calls.iter().any(|call| call["name"] == "write_email"),
            "{item}"
        );
        let of_invoice = item["email"]["subject"] == "Invoice 1042";
        let cluster = if of_invoice { "invoices" } else { "lunch" };
        assert_eq!(item["cluster"], cluster);
        assert_eq!(item.get("example"), None);
    }
}

#[test]
fn a_second_person_labels_the_same_and_learns_how_far_they_agree() {
    let place = place();
    sitting(&place, &["--by", "ana"], "p\n\np\n\nf\n\nf\n\n");
    let (asked, came) = sitting(&place, &["--by", "ben", "--limit", "3"], "p\n\nf\n\nf\n\n");
    assert_eq!(places(&asked), ["1 of 3", "2 of 3", "3 of 3"]);
    let file = format!("3 labelled now, 3 of 3 in all, in {FILE}\n");
    // By hand: 2 of 3 alike; by chance 2/3 * 1/3 + 1/3 * 2/3 = 4/9; (6/9 - 4/9) / (5/9).
    let agree = "with ana: the same label for 2 of 3 (kappa 0.40)\n";
    assert_eq!(came, format!("{file}{agree}"));
    let (_, json) = sitting(&place, &["--by", "ben", "--json"], "c\nunsure\n");
    let summary: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(summary["labelled"], 4);
    assert_eq!(summary["labelled_now"], 1);
    assert_eq!(summary["items"], 4);
    assert_eq!(summary["agreement"][0]["with"], "ana");
    assert_eq!(summary["agreement"][0]["items"], 4);
    assert_eq!(summary["agreement"][0]["same"], 2);
    let items = lines(&place.path(FILE));
    let ids = |by: &str| -> Vec<&Value> {
        let of = items.iter().filter(|item| item["labelled_by"] == by);
        of.map(|item| &item["id"]).collect()
    };
    assert_eq!(ids("ana"), ids("ben"), "one order for all");
}

#[test]
fn what_a_person_said_of_drafts_can_be_labelled_too() {
    let place = Place::new();
    place.run(&["run", "hitl", "-a", "hitl", "-e", "first"], 0);
    let feedback = [
        "--judge",
        "feedback_honoured",
        "--by",
        "ana",
        "-o",
        "out.jsonl",
    ];
    let (asked, came) = sitting(&place, &feedback, "p\nseen\n");
    assert!(asked.contains("# What the person said\n"), "{asked}");
    assert!(came.starts_with("1 labelled now, 1 of "), "{came}");
    let item = &lines(&place.path("out.jsonl"))[0];
    assert_eq!(item["judge"], "feedback_honoured");
    assert!(
        item["instruction"].is_string() && item["calls"].is_array(),
        "{item}"
    );
}

#[test]
fn what_cannot_be_labelled_is_said_with_the_way_out() {
    let place = place();
    let fails = |arguments: &[&str], code: i32| {
        let output = label(&place, arguments, "p\n\n");
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{stderr}");
        stderr
    };
    for judge in ["memory_update", "pairwise", "triage_reasonable"] {
        let said = fails(&["--judge", judge], 2);
        assert!(
            said.contains("label for response_criteria or feedback_honoured"),
            "{said}"
        );
    }
    let said = fails(&["--judge", "taste"], 2);
    assert!(said.contains("`taste` is no judge"), "{said}");
    let said = fails(&["--by", "ana", "--judge", "feedback_honoured"], 4);
    assert!(
        said.contains("no attempt of `first` has a statement"),
        "{said}"
    );
    let said = fails(&["--by", ""], 2);
    assert!(said.contains("--by NAME"), "{said}");
    place.write("other.jsonl", "shopping list\n");
    let said = fails(&["--by", "ana", "-o", "other.jsonl"], 2);
    assert!(said.contains("other.jsonl:1:1: "), "{said}");
    place.write("mail.yaml", &DATASET.replace("1042", "1043"));
    let said = fails(&["--by", "ana"], 2);
    assert!(
        said.contains("the dataset `mail` is not what `first` ran on"),
        "{said}"
    );
    let said = place.fail(&["label", "second", "--by", "ana"], 2);
    assert!(said.contains("no experiment in"), "{said}");
    assert!(!place.path("judges").exists(), "nothing was made");
}
