use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::dataset::Criterion;
use crate::email::Triage;
use crate::judge::Verdict;
use crate::judge::definition::{Definitions, Part};
use crate::judge::subject::{Subject, questions};
use crate::message::ToolStatus;
use crate::run::{Outcome, Response};
use crate::score::fixture::{Made, Story, called, example};

/// A line of each form, with nothing left out.
fn lines() -> [Value; 3] {
    let email = json!({
        "from": "Ana Ruiz <ana@northwind.example>",
        "to": "Sam Lee <sam@acme.example>",
        "subject": "Invoice 1042",
        "body": "When is it paid?",
        "date": "2026-03-02",
    });
    let call = json!({
        "name": "write_email",
        "arguments": { "to": "ana@northwind.example", "subject": "Re: Invoice 1042", "content": "On Friday." },
        "result": "failed",
    });
    let draft = json!({ "name": "write_email", "arguments": { "content": "Soon." } });
    let common = |judge: &str, more: Value| {
        let mut line = json!({
            "id": "invoice-1", "judge": judge, "email": email, "cluster": "invoices",
            "kind": "near_miss", "label": "cannot_tell", "reason": "", "labelled_by": "sam",
        });
        let more = more.as_object().unwrap().clone();
        line.as_object_mut().unwrap().extend(more);
        line
    };
    [
        common(
            "response_criteria",
            json!({ "criterion": "Names a day", "calls": [call], "closing": "It is sent." }),
        ),
        common(
            "feedback_honoured",
            json!({ "draft": draft, "instruction": "Name a day", "calls": [call], "closing": "Done." }),
        ),
        common(
            "memory_update",
            json!({ "namespace": "cal_preferences", "instruction": "Never on Mondays", "before": "", "after": "No Mondays." }),
        ),
    ]
}

static DATASET: LazyLock<Dataset> = LazyLock::new(Dataset::embedded);

fn read_text(text: &str) -> Result<Vec<Item>, String> {
    let mut reading = Reading::new(&DATASET.examples);
    reading.text("x.jsonl", text.as_bytes());
    reading.finish().map_err(|errors| errors.to_string())
}

fn with(line: &Value, change: impl FnOnce(&mut Map<String, Value>)) -> String {
    let mut line = line.clone();
    change(line.as_object_mut().unwrap());
    line.to_string()
}

#[test]
fn an_item_is_written_as_it_was_read() {
    for line in lines() {
        let items = read_text(&line.to_string()).unwrap();
        assert_eq!(serde_json::to_value(&items[0]).unwrap(), line);
    }
}

#[test]
fn what_is_wrong_with_a_line_is_said_with_its_place() {
    let [reply, feedback, memory] = lines();
    let without = |line: &Value, key: &str| {
        with(line, |line| {
            line.remove(key).unwrap();
        })
    };
    let changed = |line: &Value, key: &str, value: Value| {
        with(line, |line| {
            line.insert(key.to_owned(), value);
        })
    };
    let call = |name: &str| json!({ "name": name, "arguments": {} });
    let many: Vec<_> = (0..201).map(|_| call("done")).collect();
    for (text, wrong) in [
        (
            "{\"id\":".to_owned(),
            "x.jsonl:1:6: EOF while parsing a value",
        ),
        ("7".to_owned(), "x.jsonl:1:1: invalid type: integer `7`"),
        ("\n\nnope".to_owned(), "x.jsonl:3:2: expected ident"),
        (format!("{reply} x"), "trailing characters"),
        (
            changed(&reply, "criteria", json!("x")),
            "unknown field `criteria`, expected one of `id`",
        ),
        (
            changed(&reply, "label", json!("maybe")),
            "unknown variant `maybe`, expected one of `pass`",
        ),
        (
            changed(&reply, "kind", json!("other")),
            "unknown variant `other`",
        ),
        (
            changed(&reply, "judge", json!("taste")),
            "unknown variant `taste`",
        ),
        (
            changed(
                &reply,
                "calls",
                json!([{ "name": "done", "arguments": {}, "ran": true }]),
            ),
            "unknown field `ran`",
        ),
        (
            changed(
                &reply,
                "email",
                json!({ "from": "", "to": "", "subject": "", "body": "", "cc": "" }),
            ),
            "unknown field `cc`",
        ),
        (
            format!("{{\"id\":\"a\",{}", &reply.to_string()[1..]),
            "duplicate field `id`",
        ),
        (without(&reply, "label"), "missing field `label`"),
        (
            without(&reply, "labelled_by"),
            "missing field `labelled_by`",
        ),
        (changed(&reply, "id", json!(" ")), "`id` is empty"),
        (
            changed(&reply, "id", json!("x".repeat(201))),
            "`id` has at most 200 printable characters",
        ),
        (
            changed(&reply, "labelled_by", json!("sam\u{1b}[2J")),
            "`labelled_by` has at most 100 printable characters",
        ),
        (
            without(&reply, "criterion"),
            "an item of `response_criteria` needs `criterion`",
        ),
        (
            changed(&reply, "criterion", json!("\n")),
            "`criterion` is empty",
        ),
        (
            without(&reply, "calls"),
            "an item of `response_criteria` needs `calls`",
        ),
        (changed(&reply, "calls", json!(many)), "more than 200 calls"),
        (
            changed(&reply, "instruction", json!("x")),
            "an item of `response_criteria` has no `instruction`",
        ),
        (
            changed(&feedback, "criterion", json!("x")),
            "an item of `feedback_honoured` has no `criterion`",
        ),
        (
            without(&feedback, "instruction"),
            "an item of `feedback_honoured` needs `instruction`",
        ),
        (
            changed(&memory, "calls", json!([])),
            "an item of `memory_update` has no `calls`",
        ),
        (
            without(&memory, "after"),
            "an item of `memory_update` needs `after`",
        ),
        (
            changed(&memory, "namespace", json!("background")),
            "`namespace` is no profile; those are triage_preferences, response_preferences, cal_preferences",
        ),
        (
            changed(&reply, "judge", json!("pairwise")),
            "items of `pairwise` have no form yet",
        ),
        (
            changed(&reply, "example", json!("x")),
            "give either `example`",
        ),
        (without(&reply, "email"), "give either `example`"),
        (
            with(&reply, |line| {
                line.remove("email");
                line.insert("example".into(), json!("no-such"));
            }),
            "the dataset has no example `no-such`",
        ),
        (
            format!("{{\"reason\":\"{}\"}}", "x".repeat(1 << 20)),
            "a line of more than 1 MiB",
        ),
    ] {
        let said = read_text(&text).unwrap_err();
        assert!(said.contains(wrong), "{wrong}: {said}");
        assert!(said.starts_with("x.jsonl:"), "{said}");
        assert!(said.len() < 600, "{said}");
    }
}

#[test]
fn every_mistake_is_told_up_to_a_bound() {
    let [reply, ..] = lines();
    let text = format!("{{\n{reply}\n[]\n\u{1b}\n");
    let said = read_text(&text).unwrap_err();
    let places: Vec<_> = said
        .lines()
        .map(|line| line.split(": ").next().unwrap())
        .collect();
    assert_eq!(
        places,
        ["x.jsonl:1:1", "x.jsonl:3:2", "x.jsonl:4:1"],
        "{said}"
    );
    let said = read_text(&"{\n".repeat(50)).unwrap_err();
    assert_eq!(said.lines().count(), 21);
    assert!(said.ends_with("… and 30 more"), "{said}");
}

#[test]
fn text_that_is_not_utf8_and_files_that_are_not_there_are_mistakes() {
    let mut reading = Reading::new(&DATASET.examples);
    reading.text("x.jsonl", &b"{\"id\": \"\xff\"}"[..]);
    let said = reading.finish().unwrap_err().to_string();
    assert_eq!(said, "x.jsonl:1:9: a byte that is not UTF-8");
    let said = read(&["no/such.jsonl".into()], &DATASET).unwrap_err();
    assert!(
        said.to_string()
            .starts_with("no/such.jsonl: cannot be read"),
        "{said}"
    );
}

#[test]
fn blank_lines_a_byte_order_mark_and_other_line_ends_are_no_mistake() {
    let [reply, feedback, _] = lines();
    let other = with(&feedback, |line| {
        line.insert("id".into(), json!("invoice-2"));
    });
    let items = read_text(&format!("\u{feff}{reply}\r\n\r\n  \n{other}")).unwrap();
    assert_eq!(items.len(), 2);
}

#[test]
fn two_people_may_label_one_item_and_nobody_twice() {
    let [reply, ..] = lines();
    let ana = with(&reply, |line| {
        line.insert("labelled_by".into(), json!("ana"));
        line.insert("label".into(), json!("pass"));
    });
    let items = read_text(&format!("{reply}\n{ana}")).unwrap();
    let labels: Vec<_> = items
        .iter()
        .map(|item| (&*item.labelled_by, item.label))
        .collect();
    assert_eq!(
        labels,
        [("sam", Verdict::CannotTell), ("ana", Verdict::Pass)]
    );

    let said = read_text(&format!("{reply}\n{ana}\n{reply}")).unwrap_err();
    assert_eq!(
        said,
        "x.jsonl:3:1: `sam` labelled it before, at x.jsonl:1: keep one of the two"
    );
    let other = with(&reply, |line| {
        line.insert("labelled_by".into(), json!("ana"));
        line.insert("criterion".into(), json!("Names an hour"));
    });
    let said = read_text(&format!("{reply}\n{other}")).unwrap_err();
    assert!(
        said.contains("it is about something else than the item of the same `id` at x.jsonl:1"),
        "{said}"
    );

    // Of several files, too.
    let mut reading = Reading::new(&DATASET.examples);
    reading.text("one.jsonl", reply.to_string().as_bytes());
    reading.text("two.jsonl", reply.to_string().as_bytes());
    let said = reading.finish().unwrap_err().to_string();
    assert!(
        said.starts_with("two.jsonl:1:1: `sam` labelled it before, at one.jsonl:1"),
        "{said}"
    );
}

#[test]
fn items_about_one_email_are_one_cluster() {
    let in_cluster = DATASET
        .examples
        .iter()
        .find(|e| e.cluster.is_some())
        .unwrap();
    let alone = DATASET
        .examples
        .iter()
        .find(|e| e.cluster.is_none())
        .unwrap();
    let [reply, ..] = lines();
    let cluster = |change: &dyn Fn(&mut Map<String, Value>)| {
        let items = read_text(&with(&reply, |line| change(line))).unwrap();
        items[0].cluster.clone()
    };
    let of_example = |id: &str| {
        cluster(&|line| {
            line.remove("email");
            line.remove("cluster");
            line.insert("example".into(), json!(id));
        })
    };
    assert_eq!(cluster(&|_| {}), "invoices");
    assert_eq!(
        Some(&of_example(&in_cluster.id)),
        in_cluster.cluster.as_ref()
    );
    assert_eq!(of_example(&alone.id), alone.id);
    let own = |criterion: &str, subject: &str| {
        cluster(&|line| {
            line.remove("cluster");
            line.insert("criterion".into(), json!(criterion));
            line["email"]["subject"] = json!(subject);
        })
    };
    assert_eq!(own("Names a day", "Hello"), own("Is polite", "Hello"));
    assert_ne!(own("Names a day", "Hello"), own("Names a day", "Goodbye"));
}

#[test]
fn the_embedded_items_are_valid_and_ask_what_their_examples_ask() {
    let criteria: BTreeMap<&str, &[Criterion]> = DATASET
        .examples
        .iter()
        .map(|example| (&*example.id, &*example.expect.criteria))
        .collect();
    let mut ids = BTreeSet::new();
    for (path, text) in EMBEDDED {
        let mut last = String::new();
        for line in text.lines() {
            let record: Record = serde_json::from_str(line).unwrap();
            assert!(
                path.ends_with(&format!("/{}.jsonl", record.judge)),
                "{}",
                record.id
            );
            assert!(
                ids.insert((record.judge, record.id.clone())),
                "{}",
                record.id
            );
            assert!(last < record.id, "{path}: {} is not in order", record.id);
            assert!(record.kind.is_some(), "{}", record.id);
            assert!(!record.reason.is_empty(), "{}", record.id);
            assert_eq!(record.labelled_by, "author", "{}", record.id);
            assert_ne!(record.label, Verdict::CannotTell, "{}", record.id);
            let example = record.example.expect("an example of the dataset");
            if let Some(criterion) = &record.criterion {
                let mut known = criteria[&*example].iter();
                assert!(known.any(|known| known.text == *criterion), "{}", record.id);
            }
            last = record.id;
        }
    }
    for (judge, least) in [
        (JudgeKey::ResponseCriteria, 150),
        (JudgeKey::FeedbackHonoured, 60),
        (JudgeKey::MemoryUpdate, 60),
    ] {
        let items = embedded(judge, &DATASET);
        assert!(items.len() >= least, "{judge}: {}", items.len());
        for label in [Verdict::Pass, Verdict::Fail] {
            let of_label = items.iter().filter(|item| item.label == label).count();
            assert!(of_label >= 30, "{judge}: {of_label}");
        }
    }
    assert!(embedded(JudgeKey::Pairwise, &DATASET).is_empty());
}

#[test]
fn every_embedded_item_is_one_question_to_its_judge_and_few_are_decided_by_code() {
    let definitions = Definitions::embedded();
    for judge in [
        JudgeKey::ResponseCriteria,
        JudgeKey::FeedbackHonoured,
        JudgeKey::MemoryUpdate,
    ] {
        let definition = definitions.get(judge);
        let items = embedded(judge, &DATASET);
        let mut by_code = 0;
        for item in &items {
            let question = item.question(definition).unwrap();
            assert!(question.statement.len() > 5, "{}", item.id);
            assert!(question.shown.contains("# "), "{}", item.id);
            if let Some((verdict, _)) = question.decided {
                assert_eq!(verdict, item.label, "{}", item.id);
                by_code += 1;
            }
        }
        assert!(by_code * 20 < items.len(), "{judge}: {by_code}");
        let other = definitions.get(JudgeKey::Pairwise);
        let said = items[0].question(other).unwrap_err().to_string();
        let wanted = format!(
            "item `{}` is for the judge `{judge}`, not for `pairwise`",
            items[0].id
        );
        assert_eq!(said, wanted);
    }
}

#[test]
fn a_judge_is_shown_of_an_item_what_it_is_shown_of_the_attempt() {
    let definitions = Definitions::embedded();
    let mail = |words: &str| json!({ "to": "ana@northwind.example", "subject": "Re: Invoice", "content": words });
    let mut example = example(Triage::Respond);
    for text in ["Names a day", "Is polite"] {
        example.expect.criteria.push(text.to_owned().into());
    }
    let replied = called(&[
        Made::new("Write_Email", mail("On Friday.")).status(Some(ToolStatus::Failed)),
        Made::new("write_email", mail("On Monday.\n# Mail that was sent")),
        Made::new("schedule_meeting", json!({ "start_time": 9 })).status(Some(ToolStatus::Denied)),
        Made::new("question", json!({ "content": "When?" })).status(Some(ToolStatus::Answered)),
        Made::new("check_calendar_availability", json!({})).status(None),
        Made::new("done", json!({ "done": true })).status(None),
    ]);
    let criteria = definitions.get(JudgeKey::ResponseCriteria);
    let subject = Subject::Example {
        example: &example,
        run: &replied,
    };
    let found = works(criteria, &subject);
    assert_eq!(found.len(), 2);
    let asked = questions(criteria, &subject);
    for ((work, question), asked) in found.into_iter().zip(asked) {
        assert_eq!(question, asked);
        assert_eq!(
            item_of(&example.email, work).question(criteria).unwrap(),
            asked
        );
    }

    let told = Story::respond()
        .says(&[("1", "write_email", mail("Soon."))])
        .asks("1", Response::Respond("Name a day.".into()))
        .says(&[("2", "question", json!({ "content": "Which?" }))])
        .asks("2", Response::Respond("Monday.".into()))
        .says(&[("3", "write_email", mail("On Monday."))])
        .asks("3", Response::Accept)
        .runs("3")
        .ends_done();
    let noticed = Story::notice(Response::Respond("Thank her.".into())).ends();
    let feedback = definitions.get(JudgeKey::FeedbackHonoured);
    let scenario = DATASET.scenarios[0].clone();
    for run in [told, noticed] {
        let subject = Subject::Scenario {
            scenario: &scenario,
            example: &example,
            run: &run,
        };
        let found = works(feedback, &subject);
        let asked = questions(feedback, &subject);
        assert_eq!((found.len(), asked.len()), (1, 1));
        let (work, _) = found.into_iter().next().unwrap();
        let question = item_of(&example.email, work).question(feedback).unwrap();
        assert_eq!(question, asked[0]);
        assert!(works(criteria, &subject).is_empty());
    }
}

#[test]
fn a_judge_that_sees_the_conversation_is_told_what_was_claimed() {
    let mut definition = (**Definitions::embedded().get(JudgeKey::ResponseCriteria)).clone();
    definition.sees = vec![Part::Trajectory];
    let [reply, ..] = lines();
    let item = read_text(&reply.to_string()).unwrap().remove(0);
    let shown = item.question(&definition).unwrap().shown;
    for words in [
        "When is it paid?",
        "* proposed write_email",
        "* write_email: failed",
        "     It is sent.",
    ] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
}

fn item_of(email: &Email, work: Work) -> Item {
    Item {
        id: "x".into(),
        kind: None,
        label: Verdict::Pass,
        reason: String::new(),
        labelled_by: "ana".into(),
        email: email.clone(),
        cluster: "x".into(),
        work,
    }
}

#[test]
fn what_code_decides_is_not_there_to_label() {
    let definitions = Definitions::embedded();
    let criteria = definitions.get(JudgeKey::ResponseCriteria);
    let mut example = example(Triage::Respond);
    example.expect.criteria.push("Is polite".to_owned().into());
    let silent = called(&[Made::new("done", json!({}))]);
    let mut failed = called(&[Made::new("write_email", json!({ "content": "Hi." }))]);
    for (outcome, count) in [
        (Outcome::Finished, 1),
        (Outcome::StepLimit, 0),
        (Outcome::Provider, 0),
    ] {
        failed.outcome = outcome;
        let subject = |run| Subject::Example {
            example: &example,
            run,
        };
        assert_eq!(
            works(criteria, &subject(&failed)).len(),
            count,
            "{outcome:?}"
        );
        assert_eq!(works(criteria, &subject(&silent)).len(), 0);
    }
}

#[test]
fn equal_work_has_one_fingerprint_whoever_labelled_it() {
    let [reply, feedback, _] = lines();
    let print = |text: &str| read_text(text).unwrap()[0].fingerprint();
    let by_ana = with(&reply, |line| {
        line.insert("labelled_by".into(), json!("ana"));
        line.insert("id".into(), json!("other"));
        line.insert("label".into(), json!("fail"));
    });
    assert_eq!(print(&reply.to_string()), print(&by_ana));
    assert_ne!(print(&reply.to_string()), print(&feedback.to_string()));
    let other = with(&reply, |line| line["calls"][0]["result"] = json!("denied"));
    assert_ne!(print(&reply.to_string()), print(&other));
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in "(?s).{0,300}", cut in 0_usize..800) {
        let _ = read_text(&text);
        let line = lines()[0].to_string();
        let whole = cut >= line.len();
        let cut = line.chars().take(cut).collect::<String>();
        prop_assert_eq!(read_text(&cut).is_ok(), whole || cut.is_empty());
    }
}

/// `UPDATE_SCHEMAS=1` publishes anew.
#[test]
fn the_published_schema_is_that_of_the_items() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/items.schema.json");
    let schema = serde_json::to_value(schemars::schema_for!(Record)).unwrap();
    let text = format!("{schema:#}\n");
    if std::env::var_os("UPDATE_SCHEMAS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let published = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(published == text, "run the tests with UPDATE_SCHEMAS=1");
    let validator = jsonschema::validator_for(&schema).unwrap();
    for line in lines() {
        assert!(validator.is_valid(&line), "{line}");
        let strange = with(&line, |line| {
            line.insert("criteria".into(), json!([]));
        });
        assert!(!validator.is_valid(&strange.parse().unwrap()), "{strange}");
    }
    for (_, text) in EMBEDDED {
        let mut lines = text.lines();
        assert!(lines.all(|line| validator.is_valid(&line.parse().unwrap())));
    }
}
