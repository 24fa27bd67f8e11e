//! Two experiments whose mails a judge compares.

use std::fs;

use serde_json::Value;

use super::{Place, lines};

const EMAILS: &str = r#"- id: invoice-question
  email:
    from: "Ana Ruiz <ana@northwind.example>"
    to: "Sam Lee <sam@acme.example>"
    subject: "Invoice 1042"
    body: "Hi Sam, could you tell me when invoice 1042 will be paid? Thanks, Ana"
  expect: { triage: respond }
- id: delivery-question
  email:
    from: "Bo Lind <bo@northwind.example>"
    to: "Sam Lee <sam@acme.example>"
    subject: "Delivery"
    body: "Hi Sam, when do the chairs arrive, and who signs for them? Bo"
  expect: { triage: respond }
- id: spring-sale
  email:
    from: "Lamp Shop <offers@lamps.example>"
    to: "Sam Lee <sam@acme.example>"
    subject: "20 % off everything"
    body: "Only this week. Unsubscribe: https://lamps.example/bye"
  expect: { triage: ignore }
"#;

/// Two experiments over the same emails, of two agents each.
fn two() -> Place {
    let place = Place::new();
    place.write("emails.yaml", EMAILS);
    for name in ["before", "after"] {
        let run = ["run", "-d", "emails.yaml", "--judge", "none"];
        let agents = ["-a", "workflow", "-a", "baseline", "-e", name];
        place.run(&[&run[..], &agents].concat(), 0);
    }
    place
}

/// What is kept, without when it was made.
fn kept(place: &Place, file: &str) -> Vec<Value> {
    let mut lines = lines(&place.path(&format!("reports/before/pairwise/{file}.jsonl")));
    let header = lines[0]["header"].as_object_mut().unwrap();
    header.remove("created").unwrap();
    lines
}

#[test]
fn two_experiments_are_compared_mail_by_mail() {
    let place = two();
    let journal = fs::read(place.path("reports/before/journal.jsonl")).unwrap();
    let text = place.run(&["rescore", "before", "--against", "after", "-j", "1"], 0);
    assert!(text.contains("A: before, B: after"), "{text}");
    assert!(text.contains("uncalibrated"), "{text}");
    let found = kept(&place, "after");
    assert_eq!(found[0]["header"]["format"], "mailproof.pairwise/1");
    let names: Vec<&Value> = found[0]["header"]["variants"]
        .as_array()
        .unwrap()
        .iter()
        .collect();
    assert_eq!(names.len(), 2);
    // Nobody wanted a reply to the sale; equal mails are no better than one another.
    let pairs: Vec<&Value> = found.iter().filter_map(|line| line.get("pair")).collect();
    assert_eq!(pairs.len(), 4);
    assert!(pairs.iter().all(|pair| pair["preference"] == "tie"));
    assert_eq!(found.last().unwrap()["end"]["pairs"], 4);
    assert!(place.path("reports/before/pairwise/after.md").exists());
    // What the run found is untouched, and so is what is shown of it.
    assert_eq!(
        fs::read(place.path("reports/before/journal.jsonl")).unwrap(),
        journal
    );
    assert!(!place.path("reports/before/layers").exists());

    // Again, many at once, in the place of the first; recorded, and replayed.
    let again = ["rescore", "before", "--against", "after", "-j", "8"];
    place.run(&[&again[..], &["--record", "rec"]].concat(), 0);
    assert_eq!(kept(&place, "after"), found);
    place.run(&[&again[..], &["--replay", "rec"]].concat(), 0);
    assert_eq!(kept(&place, "after"), found);

    let json = [
        "rescore",
        "before",
        "--against",
        "after/baseline@rules",
        "--json",
    ];
    let report: Value = serde_json::from_str(&place.run(&json, 0)).unwrap();
    assert_eq!(report["variants"].as_array().unwrap().len(), 2);
    assert_eq!(report["judge"]["canaries"]["failed"], Value::Null);
    assert!(
        place
            .path("reports/before/pairwise/after+baseline-rules.jsonl")
            .exists()
    );
}

#[test]
fn what_cannot_be_compared_is_said() {
    let place = two();
    let longer = EMAILS.replace("20 % off", "30 % off");
    place.write("others.yaml", &longer);
    let run = [
        "run",
        "triage",
        "-d",
        "others.yaml",
        "-a",
        "workflow",
        "--judge",
        "none",
    ];
    place.run(&[&run[..], &["-e", "others"]].concat(), 0);
    let run = ["run", "-d", "emails.yaml", "-a", "hitl", "--judge", "none"];
    place.run(&[&run[..], &["-e", "hitl"]].concat(), 0);
    let run = [
        "run",
        "-d",
        "emails.yaml",
        "-a",
        "workflow",
        "--example",
        "spring-sale",
    ];
    place.run(&[&run[..], &["--judge", "none", "-e", "sale"]].concat(), 0);
    for (against, words) in [
        ("others", "datasets of different content"),
        ("hitl", "no variant of `before` can be compared"),
        ("after/nobody@rules", "has no variant `nobody@rules`"),
        ("sale", "no attempts at the same email that wants a reply"),
        ("missing", "no experiment in"),
        ("../etc", "starts or ends with a dot"),
    ] {
        let error = place.fail(&["rescore", "before", "--against", against], 2);
        assert!(error.contains(words), "{against}: {error}");
    }
    let both = [
        "rescore",
        "before",
        "--against",
        "after",
        "--scorers",
        "rules",
    ];
    assert!(place.fail(&both, 2).contains("cannot be used with"));
    assert!(!place.path("reports/before/pairwise").exists());
    // One experiment's variants against one of its own: all but that one itself.
    let own = [
        "rescore",
        "before",
        "--against",
        "before/workflow@rules",
        "--json",
    ];
    let report: Value = serde_json::from_str(&place.run(&own, 0)).unwrap();
    let variants = &report["variants"];
    assert_eq!(variants.as_array().unwrap().len(), 1);
    assert_eq!(variants[0]["variants"][0], "baseline@rules");
}
