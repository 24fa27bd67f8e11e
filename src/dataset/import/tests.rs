use serde_json::json;

use super::*;
use crate::dataset::Dataset;
use crate::dataset::load::Loading;

/// Imports a text as if it were the file of that name.
fn import(
    name: &str,
    shape: Shape,
    format: Format,
    text: &str,
) -> Result<(ImportReport, Vec<u8>), ImportError> {
    let limits = Limits::default();
    let mut written = Vec::new();
    let mut importing = Importing::new(&limits, format, &mut written);
    importing.file(Path::new(name), text.as_bytes(), shape)?;
    let report = importing.finish().expect("memory can be written");
    Ok((report, written))
}

fn load(format: Format, text: &[u8]) -> Dataset {
    let limits = Limits::default();
    let mut loading = Loading::new(&limits);
    loading.read(Path::new("imported"), format, text);
    match loading.finish("imported".into()) {
        Ok(dataset) => dataset,
        Err(errors) => panic!("{errors}\n{}", String::from_utf8_lossy(text)),
    }
}

/// The only example of a file, the same through both output formats.
fn only(name: &str, shape: Shape, text: &str) -> (ImportReport, Value) {
    let (report, yaml) = import(name, shape, Format::Yaml, text).unwrap();
    let (_, jsonl) = import(name, shape, Format::Jsonl, text).unwrap();
    assert_eq!(report.unmapped, [], "{text}");
    let (yaml, jsonl) = (load(Format::Yaml, &yaml), load(Format::Jsonl, &jsonl));
    assert_eq!(yaml.hash, jsonl.hash);
    assert_eq!(yaml.examples.len(), 1);
    (report, yaml.examples[0].to_json())
}

/// What every text below says, in the dataset format.
fn invoice() -> Value {
    json!({
        "id": "invoice-question",
        "email": {
            "from": "Ana Ruiz <ana@northwind.example>",
            "to": "Sam Lee <sam@acme.example>",
            "subject": "Invoice 1042",
            "body": "Hi Sam,\n\nwhen will 1042 be paid?\nAna",
        },
        "expect": {
            "triage": "respond",
            "tool_calls": ["write_email", "done"],
            "criteria": ["Names the invoice number", "Promises a day"],
        },
    })
}

fn with(mut value: Value, key: &str, added: Value) -> Value {
    value[key] = added;
    value
}

const WORKSHOP: &str = r#"[{
  "name": "invoice-question",
  "email_input": {
    "author": "Ana Ruiz <ana@northwind.example>",
    "to": "Sam Lee <sam@acme.example>",
    "subject": "Invoice 1042",
    "email_thread": "Hi Sam,\n\nwhen will 1042 be paid?\nAna"
  },
  "triage": "respond",
  "expected_tool_calls": ["write_email", "done"],
  "response_criteria": "\n• Names the invoice number\n• Promises a day\n"
}]"#;

const FLAT: &str = r#"{"id": "invoice-question", "author": "Ana Ruiz <ana@northwind.example>", "to": "Sam Lee <sam@acme.example>", "subject": "Invoice 1042", "email_thread": "Hi Sam,\n\nwhen will 1042 be paid?\nAna", "classification": "respond", "expected_tool_calls": ["write_email", "Done"], "response_criteria": ["Names the invoice number", "Promises a day"]}"#;

#[test]
fn every_flat_shape_is_the_same_example() {
    for (from, to) in [
        ("author", "author"),
        ("email_thread", "emailThread"),
        ("\"classification\"", "\"triage\""),
        ("\"classification\"", "\"expected_triage\""),
        ("respond", "RESPOND"),
        ("expected_tool_calls", "tool_calls"),
        ("expected_tool_calls", "expected_calls"),
        ("expected_tool_calls", "expectedToolCalls"),
        ("response_criteria", "criteria"),
        ("response_criteria", "responseCriteria"),
    ] {
        let text = FLAT.replace(from, to);
        let (report, example) = only("a.jsonl", Shape::Auto, &text);
        assert_eq!(example, invoice(), "{to}");
        assert!(report.left_out_keys.is_empty(), "{to}: {report:?}");
        // A JSON file may have one record, or one a line.
        assert_eq!(only("a.json", Shape::Workshop, &text).1, invoice());
    }
}

#[test]
fn the_field_names_of_the_typescript_port_are_read() {
    for keys in [
        [
            "from_email",
            "to_email",
            "page_content",
            "send_time",
            "thread_id",
        ],
        [
            "fromEmail",
            "toEmail",
            "pageContent",
            "sendTime",
            "threadId",
        ],
    ] {
        let [from, to, content, time, thread] = keys;
        let text = json!({
            "id": "invoice-question",
            thread: "t-7",
            from: "Ana Ruiz <ana@northwind.example>",
            to: "Sam Lee <sam@acme.example>",
            "subject": "Invoice 1042",
            content: "Hi Sam,\n\nwhen will 1042 be paid?\nAna",
            time: "2026-03-02T13:00:00Z",
            "triage": "respond",
            "expected_tool_calls": "write_email; done",
            "response_criteria": "- Names the invoice number\n- Promises a day",
        });
        let (_, example) = only("a.json", Shape::Auto, &text.to_string());
        let mut expected = with(invoice(), "cluster", json!("t-7"));
        expected["email"]["date"] = json!("2026-03-02");
        assert_eq!(example, expected);
    }
}

#[test]
fn a_workshop_record_is_read_from_json_and_yaml() {
    assert_eq!(only("a.json", Shape::Auto, WORKSHOP).1, invoice());
    assert_eq!(only("a.yaml", Shape::Workshop, WORKSHOP).1, invoice());
    let wrapped = format!("{{\"examples\": {WORKSHOP}}}");
    let line: Value = serde_json::from_str(&wrapped).unwrap();
    assert_eq!(only("a.json", Shape::Auto, &wrapped).1, invoice());
    assert_eq!(only("a.json", Shape::Auto, &line.to_string()).1, invoice());
}

#[test]
fn langsmith_exports_are_read_with_the_email_and_the_label_at_any_of_their_places() {
    let email = json!({
        "author": "Ana Ruiz <ana@northwind.example>",
        "to": "Sam Lee <sam@acme.example>",
        "subject": "Invoice 1042",
        "email_thread": "Hi Sam,\n\nwhen will 1042 be paid?\nAna",
    });
    for (inputs, label, calls, criteria) in [
        (
            json!({"email_input": email}),
            "classification",
            "expected_tool_calls",
            "response_criteria",
        ),
        (email.clone(), "triage", "tool_calls", "criteria"),
        (
            json!({"email": email}),
            "expected_triage",
            "expected_calls",
            "expected_criteria",
        ),
    ] {
        let record = json!({
            "id": "invoice-question",
            "dataset_id": "d",
            "created_at": "2026-01-01T00:00:00Z",
            "inputs": inputs,
            "outputs": {
                label: "respond",
                calls: ["write_email", "done"],
                criteria: "• Names the invoice number\n• Promises a day",
            },
            "metadata": {"dataset_split": ["base", "test"], "tags": ["billing"], "owner": "x"},
        });
        let mut expected = with(invoice(), "split", json!("test"));
        expected["tags"] = json!(["billing", "base"]);
        let (report, example) = only("a.jsonl", Shape::Langsmith, &record.to_string());
        assert_eq!(example, expected);
        assert_eq!(
            only("a.json", Shape::Auto, &json!([record]).to_string()).1,
            expected
        );
        let keys: Vec<_> = report.left_out_keys.keys().collect();
        assert_eq!(keys, ["created_at", "dataset_id", "metadata.owner"]);
    }
}

#[test]
fn the_split_of_an_export_may_be_a_text_or_a_list() {
    for (split, expected) in [(json!("test"), "test"), (json!(["base"]), "base")] {
        let text = FLAT.replacen('{', &format!("{{\"split\": {split}, "), 1);
        let (_, example) = only("a.jsonl", Shape::Auto, &text);
        assert_eq!(example, with(invoice(), "split", json!(expected)));
    }
}

#[test]
fn conversations_are_read_from_both_forms_of_calls() {
    let prompt = "Handle this email.\n\n**Subject**: Invoice 1042\n**From**: Ana Ruiz <ana@northwind.example>\n\
        **To**: Sam Lee <sam@acme.example>\n\nHi Sam,\n\nwhen will 1042 be paid?\nAna\n\n---\n";
    let arguments = json!({"to": "ana@northwind.example", "subject": "Re", "content": "Hi"});
    for (role, calls) in [
        (
            "user",
            json!([
                {"id": "1", "type": "function", "function": {"name": "triage_email", "arguments": "{\"category\": \"respond\"}"}},
                {"id": "2", "type": "function", "function": {"name": "write_email", "arguments": arguments.to_string()}},
                {"id": "3", "type": "function", "function": {"name": "done", "arguments": "{\"done\": true}"}},
            ]),
        ),
        (
            "human",
            json!([
                {"id": "2", "name": "write_email", "args": arguments},
                {"id": "3", "name": "Done", "args": {"done": true}},
            ]),
        ),
    ] {
        let record = json!({
            "name": "invoice-question",
            "messages": [
                {"role": "system", "content": "You are an assistant."},
                {"role": role, "content": prompt},
                {"role": "assistant", "content": null, "tool_calls": calls},
                {"role": "tool", "tool_call_id": "2", "content": "sent"},
            ],
            "criteria": ["Names the invoice number", "Promises a day"],
        });
        let mut expected = invoice();
        expected["expect"]["tool_calls"] =
            json!([{"write_email": {"to": "ana@northwind.example"}}, "done"]);
        let (report, example) = only("a.jsonl", Shape::OpenaiChat, &record.to_string());
        assert_eq!(example, expected);
        for key in [
            "write_email.content",
            "write_email.subject",
            "done.done",
            "messages of the role `system`",
        ] {
            assert!(report.left_out_keys.contains_key(key), "{key}: {report:?}");
        }
    }
}

#[test]
fn tables_are_read_by_their_header() {
    let body = "Hi Sam,\n\nwhen will 1042 be paid?\nAna";
    for text in [
        format!(
            "id,author,to,subject,email_thread,triage,expected_tool_calls,response_criteria,split\r\n\
             invoice-question,Ana Ruiz <ana@northwind.example>,Sam Lee <sam@acme.example>,Invoice 1042,\"{body}\",\
             respond,write_email;done,\"[\"\"Names the invoice number\"\", \"\"Promises a day\"\"]\",test\r\n"
        ),
        format!(
            "id;inputs.author;inputs.to;inputs.subject;inputs.email_thread;outputs.classification;outputs.tool_calls;outputs.criteria;split\n\
             invoice-question;Ana Ruiz <ana@northwind.example>;Sam Lee <sam@acme.example>;Invoice 1042;\"{body}\";\
             respond;\"write_email;done\";\"Names the invoice number; Promises a day\";test\n"
        ),
        format!(
            "\u{feff}id\tinput_fromEmail\tinput_toEmail\tinput_subject\tinput_pageContent\toutput_triage\toutput_expected_calls\toutput_criteria\tmetadata_split\n\
             invoice-question\tAna Ruiz <ana@northwind.example>\tSam Lee <sam@acme.example>\tInvoice 1042\t\"{body}\"\t\
             respond\t\"[\"\"write_email\"\",\"\"done\"\"]\"\t\"• Names the invoice number\n• Promises a day\"\ttest\n"
        ),
    ] {
        let (_, example) = only("a.csv", Shape::Auto, &text);
        assert_eq!(example, with(invoice(), "split", json!("test")), "{text}");
        assert_eq!(only("a.txt", Shape::Csv, &text).1, example);
    }
}

#[test]
fn what_cannot_be_mapped_is_listed_with_its_reasons() {
    let text = [
        FLAT,
        "{\"email_imput\": {\"author\": \"a\"}, \"triage\": \"respond\"}",
        "{\"author\": \"a\", \"to\": \"b\", \"subject\": \"s\", \"email_thread\": \"x\"}",
        "{\"author\": \"a\", \"to\": \"b\", \"subject\": \"s\", \"email_thread\": \"x\", \"triage\": \"reply\", \"tool_calls\": [\"send\"]}",
        "{\"author\": \"a\"",
        "[]",
    ]
    .join("\n");
    let (report, written) = import("a.jsonl", Shape::Auto, Format::Yaml, &text).unwrap();
    assert_eq!((report.records, report.mapped), (6, 1));
    assert!(!report.is_complete());
    assert_eq!(load(Format::Yaml, &written).examples.len(), 1);
    insta::assert_snapshot!(report, @r#"
    1 of 6 records mapped
    not mapped: record 2 (line 2): no email: expected its text as `email_thread`, `page_content`, or `body`, found the keys `email_imput`, `triage`
    not mapped: record 3 (line 3): no triage label: expected `classification`, `triage`, or `expected_triage`
    not mapped: record 4 (line 4): unknown tool `send`; unknown triage label `reply`: use `ignore`, `notify`, or `respond`
    not mapped: record 5 (line 5): not valid JSON: expected `,` or `}`, found the end, as if the rest were cut off
    not mapped: record 6 (line 6): the record is not a map
    "#);
}

#[test]
fn rows_that_do_not_fit_the_header_are_listed() {
    let text = "author,to,subject,body,triage\na,b,s,x,respond\na,b\na,b,s,x,ignore\n";
    let (report, _) = import("a.csv", Shape::Auto, Format::Jsonl, text).unwrap();
    assert_eq!((report.records, report.mapped), (3, 2));
    let unmapped = report.unmapped[0].to_string();
    assert_eq!(
        unmapped,
        "record 2 (line 3): the row has 2 cells, the header 5"
    );
}

#[test]
fn what_is_missing_beside_text_and_label_is_filled_in_and_noted() {
    let text = "{\"email_thread\": \" \", \"triage\": \"ignore\", \"split\": [\"a\", \"b\"]}\n\
        {\"body\": \"x\", \"triage\": \"ignore\", \"id\": \"x\"}\n\
        {\"body\": \"y\", \"triage\": \"ignore\", \"id\": \"x\"}\n";
    let (report, written) = import("a.jsonl", Shape::Auto, Format::Jsonl, text).unwrap();
    let dataset = load(Format::Jsonl, &written);
    assert!(report.is_complete());
    let first = &dataset.examples[0];
    assert!(
        first.id.starts_with("email-") && first.id.len() == 18,
        "{}",
        first.id
    );
    assert_eq!(
        (first.email.from.as_str(), first.email.body.as_str()),
        ("unknown", "(no text)")
    );
    assert_eq!(
        (first.split.as_deref(), first.tags.as_slice()),
        (Some("a"), &["b".to_owned()][..])
    );
    assert_eq!(
        (
            dataset.examples[1].id.as_str(),
            dataset.examples[2].id.as_str()
        ),
        ("x", "x-2")
    );
    insta::assert_snapshot!(report, @r#"
    3 of 3 records mapped
    note: id made from the content (1)
    note: id taken by an earlier record, numbered (1)
    note: no `from`, set to `unknown` (3)
    note: no `subject`, set to an empty one (3)
    note: no `to`, set to `unknown` (3)
    note: no text in the email, set to `(no text)` (1)
    note: several splits: one kept, the others are tags (1)
    "#);
}

#[test]
fn an_id_made_from_the_content_is_the_same_every_time() {
    let text = FLAT.replace("\"id\": \"invoice-question\", ", "");
    let (_, first) = only("a.jsonl", Shape::Auto, &text);
    let (_, second) = only("a.json", Shape::Auto, &format!("[{text}]"));
    assert_eq!(first["id"], second["id"]);
}

#[test]
fn a_file_without_records_is_an_error_with_its_place() {
    for (name, text) in [
        ("a.jsonl", ""),
        ("a.json", "[]"),
        ("a.csv", "triage\n"),
        ("a.yaml", "# no\n"),
        ("a.json", "{\"examples\": []}"),
    ] {
        let error = import(name, Shape::Auto, Format::Yaml, text).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("{name}:1: the file has no records")
        );
    }
}

#[test]
fn a_file_that_cannot_be_read_is_an_error_with_its_place() {
    for (name, text, message) in [
        (
            "a.json",
            "{\n  \"examples\": [\n    {\"id\": }",
            "a.json:3: not valid JSON: expected a value, found `}`",
        ),
        (
            "a.csv",
            "to,to\na,b\n",
            "a.csv:1: `to` is given twice, first on line 1",
        ),
        (
            "a.csv",
            "to\0",
            "a.csv:1: not a text file: byte 3 of the line is NUL",
        ),
    ] {
        let error = import(name, Shape::Auto, Format::Yaml, text).unwrap_err();
        assert_eq!(error.to_string(), message);
    }
}

#[test]
fn the_output_appears_complete_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let (input, output) = (
        folder.path().join("in.jsonl"),
        folder.path().join("out.yaml"),
    );
    let limits = Limits::default();
    fs::write(&input, "{\"triage\": \"respond\"}\n").unwrap();
    let report = import_file(&input, Shape::Auto, &output, &limits).unwrap();
    assert_eq!((report.records, report.mapped), (1, 0));
    assert!(!output.exists());

    fs::write(&input, FLAT).unwrap();
    import_file(&input, Shape::Auto, &output, &limits).unwrap();
    let dataset = Dataset::load(std::slice::from_ref(&output), &limits).unwrap();
    assert_eq!(dataset.examples[0].to_json(), invoice());
    let names = fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(names, 2, "no unfinished file is left");

    let wrong = folder.path().join("out.txt");
    assert!(matches!(
        import_file(&input, Shape::Auto, &wrong, &limits),
        Err(ImportError::OutputExtension(_))
    ));
}

proptest::proptest! {
    #[test]
    fn any_text_is_imported_or_refused(text: String) {
        for name in ["a.json", "a.jsonl", "a.csv", "a.yaml"] {
            let _ = import(name, Shape::Auto, Format::Jsonl, &text);
        }
    }
}

mod assembly {
    use serde_json::{Map, Value, json};

    use crate::dataset::import::{Assembly, ImportReport, Shape};
    use crate::dataset::{Dataset, Limits};

    fn object(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    fn example(id: &str) -> Value {
        json!({
            "id": id,
            "email": {"from": "a@x.example", "to": "b@x.example", "subject": "S", "body": "B"},
            "expect": {"triage": "respond", "tool_calls": ["done"]},
        })
    }

    fn foreign(id: &str) -> Value {
        json!({
            "id": id, "colour": "red",
            "inputs": {"email_input": {"author": "a@x.example", "to": "b", "subject": "S", "email_thread": "B"}},
            "outputs": {"classification": "ignore"},
        })
    }

    fn scenario(id: &str, of: &str) -> Value {
        json!({
            "id": id, "scenario": {"example": of},
            "human": [{"on": "write_email", "accept": true}],
            "expect": {"forbidden": ["schedule_meeting"]},
        })
    }

    type Finished = (ImportReport, Vec<(String, String)>);

    fn assembled(
        extension: &str,
        fill: impl FnOnce(&mut Assembly<'_>),
    ) -> (Finished, Option<Dataset>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(format!("pulled.{extension}"));
        let limits = Limits::default();
        let mut assembly = Assembly::create(&path, &limits).unwrap();
        fill(&mut assembly);
        assert!(!path.exists());
        let finished = assembly.finish().unwrap();
        let dataset = path.exists().then(|| {
            let loaded = Dataset::load(std::slice::from_ref(&path), &limits);
            loaded.unwrap_or_else(|errors| panic!("{errors}"))
        });
        let left = std::fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(left, usize::from(dataset.is_some()));
        (finished, dataset)
    }

    #[test]
    fn what_names_examples_may_arrive_before_them() {
        for extension in ["yaml", "jsonl"] {
            let ((report, refused), dataset) = assembled(extension, |assembly| {
                let scenario = object(scenario("one/accept", "one"));
                assembly.own(scenario, vec![], vec![]).unwrap();
                let example = object(example("one"));
                let (left_out, notes) = (vec!["metadata.x".into()], vec!["changed".into()]);
                assembly.own(example, left_out, notes).unwrap();
                assembly.foreign(foreign("two"), Shape::Langsmith).unwrap();
            });
            assert_eq!((report.records, report.mapped, refused), (3, 3, vec![]));
            let left_out: Vec<_> = report.left_out_keys.keys().collect();
            assert_eq!(left_out, ["colour", "metadata.x"]);
            assert_eq!(report.notes["changed"], 1);
            let dataset = dataset.unwrap();
            let ids: Vec<_> = dataset.examples.iter().map(|it| &*it.id).collect();
            assert_eq!(ids, ["one", "two"]);
            assert_eq!(dataset.scenarios[0].id, "one/accept");
        }
    }

    #[test]
    fn what_cannot_stand_beside_the_others_is_left_out_with_the_reason() {
        let ((report, refused), dataset) = assembled("jsonl", |assembly| {
            let mut contradicts = object(scenario("one/forbidden", "one"));
            contradicts["expect"] = json!({"forbidden": ["done"]});
            for record in [
                object(scenario("gone/accept", "gone")),
                contradicts,
                object(scenario("one/accept", "one")),
                object(example("one")),
            ] {
                assembly.own(record, vec![], vec![]).unwrap();
            }
        });
        assert_eq!((report.records, report.mapped), (4, 2));
        let refused: Vec<_> = refused
            .iter()
            .map(|(id, why)| format!("{id}: {why}"))
            .collect();
        assert_eq!(refused.len(), 2, "{refused:?}");
        assert!(refused[0].starts_with("gone/accept: "), "{refused:?}");
        assert!(refused[1].starts_with("one/forbidden: "), "{refused:?}");
        let dataset = dataset.unwrap();
        assert_eq!(dataset.scenarios.len(), 1);
        assert_eq!(dataset.scenarios[0].id, "one/accept");
    }

    #[test]
    fn a_record_that_is_none_is_refused_and_spoils_nothing() {
        let ((report, _), dataset) = assembled("yaml", |assembly| {
            let mut wrong = object(example("wrong"));
            wrong["expect"] = json!({"triage": "maybe", "mood": 1});
            let reasons = assembly.own(wrong, vec![], vec![]).unwrap_err();
            assert_eq!(reasons.len(), 2, "{reasons:?}");
            assembly
                .own(object(example("one")), vec![], vec![])
                .unwrap();
            let again = assembly.own(object(example("one")), vec![], vec![]);
            assert_eq!(
                again,
                Err(vec!["its id `one` is taken by an earlier one".to_owned()])
            );
            assert!(
                assembly
                    .foreign(json!({"inputs": {}}), Shape::Langsmith)
                    .is_err()
            );
            // Numbered, as an import numbers it.
            assembly.foreign(foreign("one"), Shape::Langsmith).unwrap();
        });
        assert_eq!((report.records, report.mapped), (5, 2));
        let ids: Vec<_> = dataset
            .unwrap()
            .examples
            .into_iter()
            .map(|it| it.id)
            .collect();
        assert_eq!(ids, ["one", "one-2"]);
    }

    #[test]
    fn where_nothing_was_mapped_there_is_no_file() {
        let ((report, refused), dataset) = assembled("yaml", |assembly| {
            let scenario = object(scenario("gone/accept", "gone"));
            assembly.own(scenario, vec![], vec![]).unwrap();
        });
        assert_eq!((report.mapped, refused.len()), (0, 1));
        assert!(dataset.is_none());
    }
}
