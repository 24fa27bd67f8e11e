mod properties;
mod records;
mod schema;

use super::*;

/// Loads one text as if it were the file `sample.<extension>`.
fn load(extension: &str, text: impl AsRef<[u8]>) -> Result<Dataset, LoadErrors> {
    load_with(&Limits::default(), extension, text)
}

fn load_with(
    limits: &Limits,
    extension: &str,
    text: impl AsRef<[u8]>,
) -> Result<Dataset, LoadErrors> {
    let mut loading = Loading::new(limits);
    let format = Format::of_extension(extension).expect("a dataset extension");
    let path = format!("sample.{extension}");
    loading.read(Path::new(&path), format, text.as_ref());
    loading.finish("sample".into())
}

fn messages(extension: &str, text: impl AsRef<[u8]>) -> String {
    match load(extension, text) {
        Ok(_) => "no mistakes".to_owned(),
        Err(errors) => errors.to_string(),
    }
}

#[test]
fn many_lines_keep_their_order_and_their_places() {
    let line = |number: usize| {
        format!(
            r#"{{"id":"{number}","email":{{"from":"a","to":"b","subject":"s","body":"x"}},"expect":{{"triage":"notify"}}}}"#
        )
    };
    // Several times what is parsed at once.
    let mut lines: Vec<String> = (1..=5_000).map(line).collect();
    let dataset = load("jsonl", lines.join("\n")).unwrap();
    let ids = dataset.examples.iter().map(|example| example.id.clone());
    assert!(ids.eq((1..=5_000).map(|number| number.to_string())));
    let list = load("json", format!("[{}]", lines.join(",\n"))).unwrap();
    assert_eq!(dataset.hash, list.hash);

    lines[4_999] = line(1);
    lines[2_499] = "{".to_owned();
    lines[2] = line(3).replace("notify", "notice");
    lines[1] = String::new();
    insta::assert_snapshot!(messages("jsonl", lines.join("\n")), @r"
    sample.jsonl:3:85: `3`: unknown triage label `notice`
      help: use `ignore`, `notify`, or `respond`
    sample.jsonl:2500:2: not valid JSON: expected a key in double quotes, found the end, as if the rest were cut off
    sample.jsonl:5000:7: `1`: id `1` is taken by the record at sample.jsonl:1:7
      help: give each record an id of its own
    ");
}

#[test]
fn ten_mistakes_are_ten_located_errors() {
    let text = r#"- id: one
  email: { from: a, to: b, subject: s, body: x }
  tagz: [billing]
  expect: { triage: replly }
- id: one
  email: { from: "", to: b, subject: s, body: x, date: 2026-13-01 }
  expect:
    triage: respond
    tool_calls: [write_mail, done: { doen: true }]
    mode: atleast
- id: three
  email: { from: a, to: b, subject: s }
  tags: billing
  expect:
    triage: respond
    triage: notify
    tool_calls:
      - write_email: { content: { matches: "(" } }
"#;
    insta::assert_snapshot!(messages("yaml", text), @r#"
    sample.yaml:3:3: `one`: unknown key `tagz` in the record
      help: did you mean `tags`? known: `id`, `email`, `tags`, `split`, `cluster`, `labelled_by`, `note`, `expect`
    sample.yaml:4:21: `one`: unknown triage label `replly`
      help: use `ignore`, `notify`, or `respond`
    sample.yaml:5:7: `one`: id `one` is taken by the record at sample.yaml:1:7
      help: give each record an id of its own
    sample.yaml:6:18: `one`: `from` is empty
      help: write a value, or remove the key where it is optional
    sample.yaml:6:56: `one`: `2026-13-01` is not a date
      help: write it as `2026-03-02`
    sample.yaml:9:18: `one`: unknown tool `write_mail`
      help: did you mean `write_email`? known: `write_email`, `schedule_meeting`, `check_calendar_availability`, `triage_email`, `question`, `done`
    sample.yaml:9:38: `one`: `done` has no argument `doen`
      help: did you mean `done`? known: `done`
    sample.yaml:10:11: `one`: unknown mode `atleast`
      help: did you mean `at-least`? known: `at-least`, `at-most`, `exactly`, `in-order`, `strict`
    sample.yaml:12:10: `three`: `email` has no `body`
      help: add `body: …`
    sample.yaml:13:9: `three`: `tags` must be a list of texts, not the text `billing`
    sample.yaml:16:5: `three`: `triage` is given twice, first on line 15
      help: remove one of the two
    sample.yaml:18:44: `three`: `(` is not a regular expression: unclosed group
      help: see https://docs.rs/regex for the syntax; `contains` looks for plain text
    "#);
}

const COMPLETE: &str = r#"# yaml-language-server: $schema=../docs/dataset.schema.json
- id: invoice-question
  email: { from: "Ana Ruiz <ana@northwind.example>", to: "Sam Lee <sam@acme.example>", subject: "Invoice 1042", body: "When will it be paid?", date: 2026-03-02 }
  tags: [billing]
  split: test
  cluster: invoices
  labelled_by: author
  note: "borderline because it may be automatic"
  expect:
    triage: respond
    tool_calls:
      - write_email: { to: { contains: "ana@northwind.example" }, content: { matches: "1042" }, subject: { equals: 1042 } }
      - schedule_meeting: { duration_minutes: 45, attendees: [a, b], start_time: { any_of: [9, 14] }, preferred_day: { absent: true } }
      - Done
    mode: in-order
    forbidden: [triage_email]
    criteria: ["Names the invoice number", { text: "Promises an answer by a stated day" }, { text: "Is polite", weight: 0.5, critical: true }, { text: "Is short", weight: 2 }]
"#;

fn complete() -> serde_json::Value {
    serde_json::json!({
        "id": "invoice-question",
        "email": {
            "from": "Ana Ruiz <ana@northwind.example>",
            "to": "Sam Lee <sam@acme.example>",
            "subject": "Invoice 1042",
            "body": "When will it be paid?",
            "date": "2026-03-02",
        },
        "tags": ["billing"],
        "split": "test",
        "cluster": "invoices",
        "labelled_by": "author",
        "note": "borderline because it may be automatic",
        "expect": {
            "triage": "respond",
            "tool_calls": [
                {"write_email": {
                    "to": {"contains": "ana@northwind.example"},
                    "content": {"matches": "1042"},
                    "subject": "1042",
                }},
                {"schedule_meeting": {
                    "duration_minutes": 45,
                    "attendees": ["a", "b"],
                    "start_time": {"any_of": [9, 14]},
                    "preferred_day": {"absent": true},
                }},
                "done",
            ],
            "mode": "in-order",
            "forbidden": ["triage_email"],
            "criteria": [
                "Names the invoice number",
                "Promises an answer by a stated day",
                {"text": "Is polite", "weight": 0.5, "critical": true},
                {"text": "Is short", "weight": 2},
            ],
        },
    })
}

/// A valid record in one line of YAML or JSON.
fn small(id: &str) -> String {
    format!(
        r#"{{"id": "{id}", "email": {{"from": "a", "to": "b", "subject": "", "body": "x"}}, "expect": {{"triage": "ignore"}}}}"#
    )
}

#[test]
fn every_key_is_read_from_every_format() {
    let dataset = load("yaml", COMPLETE).unwrap();
    assert_eq!(dataset.examples[0].to_json(), complete());
    for (extension, text) in [
        ("json", format!("[{}]", complete())),
        ("jsonl", format!("{}\n", complete())),
        // Without the last line break, and with blank lines.
        ("ndjson", format!("\n  \r\n{}", complete())),
        ("yml", format!("- {}", complete())),
        (
            "yaml",
            format!("\u{feff}{}", COMPLETE.replace('\n', "\r\n")),
        ),
        ("json", format!("\u{feff}[\r\n{}\r\n]\r\n", complete())),
        ("jsonl", format!("\u{feff}{}\r\n", complete())),
    ] {
        let loaded = load(extension, &text).unwrap();
        assert_eq!(loaded.examples[0].to_json(), complete(), "{text}");
        assert_eq!(loaded.hash, dataset.hash, "{text}");
    }
}

#[test]
fn unquoted_scalars_are_texts_where_a_text_is_wanted() {
    let text = "- id: 0755\n  email: { from: no, to: 1042, subject: 2026-03-02, body: true }\n  tags: [on, 7]\n  expect: { triage: ignore }\n";
    let dataset = load("yaml", text).unwrap();
    let example = &dataset.examples[0];
    let email = &example.email;
    let texts = [
        &example.id,
        &email.from,
        &email.to,
        &email.subject,
        &email.body,
    ];
    assert_eq!(texts, ["0755", "no", "1042", "2026-03-02", "true"]);
    assert_eq!(example.tags, ["on", "7"]);
}

#[test]
fn carriage_returns_do_not_reach_a_yaml_text() {
    let text = "- id: a\r\n  email:\r\n    from: a\r\n    to: b\r\n    subject: s\r\n    body: |\r\n      one\r\n      two\r\n  expect: { triage: ignore }\r\n";
    assert_eq!(
        load("yaml", text).unwrap().examples[0].email.body,
        "one\ntwo\n"
    );
}

#[test]
fn an_alias_is_its_value() {
    let text = "- id: a\n  email: &email { from: a, to: b, subject: s, body: x }\n  expect: &ignore { triage: ignore }\n- id: b\n  email: *email\n  expect: *ignore\n";
    let dataset = load("yaml", text).unwrap();
    assert_eq!(dataset.examples[0].email, dataset.examples[1].email);
}

#[test]
fn the_hash_ignores_order_and_formatting_and_nothing_else() {
    let hash = |extension: &str, text: &str| load(extension, text).unwrap().hash;
    let (a, b) = (small("a"), small("b"));
    let reference = hash("jsonl", &format!("{a}\n{b}\n"));
    assert_eq!(reference.len(), 64);
    assert_eq!(hash("jsonl", &format!("{b}\n{a}\n")), reference);
    assert_eq!(hash("json", &format!("[{a},\n\n{b}]")), reference);
    assert_eq!(hash("yaml", &format!("# c\n- {b}\n\n- {a}\n")), reference);
    let reordered = r#"{"expect": {"triage": "ignore"}, "email": {"body": "x", "subject": "", "to": "b", "from": "a"}, "id": "a"}"#;
    assert_eq!(hash("jsonl", &format!("{reordered}\n{b}\n")), reference);

    for changed in [
        a.clone(),
        format!("{a}\n{}", small("c")),
        format!("{a}\n{}", b.replace("ignore", "notify")),
        format!("{a}\n{}", b.replace("\"x\"", "\"x \"")),
        format!(
            "{a}\n{}",
            b.replace("\"ignore\"", "\"ignore\", \"tool_calls\": []")
        ),
    ] {
        assert_ne!(hash("jsonl", &changed), reference, "{changed}");
    }
    let criteria = |criteria: &str| {
        let asked = format!("\"ignore\", \"criteria\": [{criteria}]");
        hash("jsonl", &a.replace("\"ignore\"", &asked))
    };
    let text = criteria("\"x\"");
    assert_eq!(criteria(r#"{"text": "x", "weight": 1.0}"#), text);
    assert_ne!(criteria(r#"{"text": "x", "weight": 2}"#), text);
    assert_ne!(criteria(r#"{"text": "x", "critical": true}"#), text);
    let tags = |tags: &str| {
        hash(
            "jsonl",
            &a.replacen('{', &format!("{{\"tags\": {tags}, "), 1),
        )
    };
    assert_eq!(tags(r#"["x", "y"]"#), tags(r#"["y", "x", "y"]"#));
    assert_ne!(tags(r#"["x", "y"]"#), tags(r#"["x"]"#));
}

#[test]
fn a_folder_is_read_in_the_order_of_its_paths() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::create_dir(path("b")).unwrap();
    fs::write(path("c.jsonl"), small("third")).unwrap();
    fs::write(path("b/z.json"), format!("[{}]", small("second"))).unwrap();
    fs::write(path("a.yaml"), format!("- {}", small("first"))).unwrap();
    fs::write(path("README.md"), "no dataset").unwrap();
    let load = |paths: &[PathBuf]| Dataset::load(paths, &Limits::default());
    let ids = |dataset: &Dataset| -> Vec<String> {
        dataset.examples.iter().map(|e| e.id.clone()).collect()
    };

    let dataset = load(&[folder.path().to_owned()]).unwrap();
    assert_eq!(ids(&dataset), ["first", "second", "third"]);
    assert_eq!(
        dataset.name,
        folder.path().file_name().unwrap().to_string_lossy()
    );
    let joined = load(&[path("c.jsonl"), path("a.yaml"), path("b")]).unwrap();
    assert_eq!(ids(&joined), ["third", "first", "second"]);
    assert_eq!(joined.name, "c+a+b");
    assert_eq!(joined.hash, dataset.hash);
}

#[test]
fn paths_without_a_dataset_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().to_string_lossy().into_owned();
    fs::create_dir(folder.path().join("empty")).unwrap();
    fs::write(folder.path().join("notes.txt"), "x").unwrap();
    fs::write(folder.path().join("a.yaml"), format!("- {}", small("a"))).unwrap();
    let paths = ["missing.yaml", "empty", "notes.txt", "a.yaml", "a.yaml"]
        .map(|name| folder.path().join(name));
    let errors = Dataset::load(&paths, &Limits::default()).unwrap_err();
    insta::assert_snapshot!(errors.to_string().replace(&root, ""), @r#"
    /missing.yaml: cannot read it: No such file or directory (os error 2)
      help: paths are relative to the working directory
    /empty: no dataset file in this folder
      help: a dataset file ends in `.yaml`, `.yml`, `.json`, `.jsonl`, or `.ndjson`; other formats come in by `mailproof import`
    /notes.txt: not a dataset file
      help: a dataset file ends in `.yaml`, `.yml`, `.json`, `.jsonl`, or `.ndjson`; other formats come in by `mailproof import`
    /a.yaml:1:10: `a`: id `a` is taken by the record at /a.yaml:1:10
      help: give each record an id of its own
    "#);
}

#[test]
fn every_kind_of_mistake_names_what_was_found_and_what_is_allowed() {
    let record = |email: &str, expect: &str| {
        format!("- id: x\n  email: {{ from: a, to: b, subject: s, {email} }}\n  expect: {expect}\n")
    };
    let expect = |expect: &str| record("body: x", expect);
    let call = |call: &str| expect(&format!("{{ triage: respond, tool_calls: [{call}] }}"));
    let texts = [
        expect("{ triage: Respond }"),
        expect("respond"),
        expect("{ criteria: [] }"),
        expect("{ triage: respond, mode: strict }"),
        expect("{ triage: respond, tool_calls: write_email }"),
        expect("{ triage: respond, tool_calls: [done], forbidden: [Done] }"),
        expect("{ triage: respond, criteria: [\" \"] }"),
        expect("{ triage: respond, criteria: ~ }"),
        expect("{ triage: respond, criteria: [[x], ~] }"),
        expect("{ triage: respond, criteria: [{ weight: 0 }, { text: x, weight: .nan }] }"),
        expect(
            "{ triage: respond, criteria: [{ text: x, weight: 101, critical: no, kritical: true }] }",
        ),
        call("write_email: { cc: ana }"),
        call("write_email: ~"),
        call("write_email: ana"),
        call("write_email: {}, done"),
        call("{ write_email: {}, done: {} }"),
        call("[done]"),
        call("write_email: { to: ~ }"),
        call("write_email: { to: {} }"),
        call("write_email: { to: { like: ana } }"),
        call("write_email: { to: { contains: \"\" } }"),
        call("write_email: { to: { any_of: [] } }"),
        call("write_email: { to: { any_of: ana } }"),
        call("write_email: { to: { absent: false } }"),
        call("write_email: { to: { absent: true, equals: ana } }"),
        call("write_email: { to: ana, to: bob }"),
        call("write_email: { content: { matches: 'a{1000}{1000}{1000}' } }"),
        record("body: ~", "{ triage: ignore }"),
        record("body: [x]", "{ triage: ignore }"),
        record("body: x, date: 2026-3-2", "{ triage: ignore }"),
        record("body: x, date: 2026-03-02T09:00:00", "{ triage: ignore }"),
        record("email_thread: x", "{ triage: ignore }"),
        "- id: \" x\"\n  email: 3\n".to_owned(),
        "- id: x\n  scenario: { example: y }\n".to_owned(),
        "- id: x\n  episode: []\n".to_owned(),
        "- [x]\n".to_owned(),
        "- !!int 3\n".to_owned(),
        "records: []\n".to_owned(),
    ];
    let all: Vec<_> = texts.iter().map(|text| messages("yaml", text)).collect();
    insta::assert_snapshot!(all.join("\n"), @r"
    sample.yaml:3:21: `x`: unknown triage label `Respond`
      help: use `ignore`, `notify`, or `respond`
    sample.yaml:3:11: `x`: `expect` must be a map, not the text `respond`
    sample.yaml:3:11: `x`: `expect` has no `triage`
      help: add `triage: ignore`, `notify`, or `respond`
    sample.yaml:3:36: `x`: `mode` is given without `tool_calls`
      help: add `tool_calls`, or `tool_calls: []` if no call is right
    sample.yaml:3:42: `x`: `tool_calls` must be a list of calls, not the text `write_email`
    sample.yaml:3:62: `x`: `done` is both expected and forbidden
      help: narrow the forbidden call by its arguments, or remove one of the two
    sample.yaml:3:41: `x`: `criteria` is empty
      help: write a value, or remove the key where it is optional
    sample.yaml:3:40: `x`: `criteria` must be a list of criteria, not null
    sample.yaml:3:41: `x`: `criteria` must be made of texts, or of maps with `text`, not a list
    sample.yaml:3:46: `x`: `criteria` is empty
      help: write a value, or remove the key where it is optional
    sample.yaml:3:41: `x`: the criterion has no `text`
      help: add `text: …`
    sample.yaml:3:51: `x`: `weight` must be a number above 0, and at most 100, not the text `0`
    sample.yaml:3:75: `x`: `weight` must be a number above 0, and at most 100, not the text `.nan`
    sample.yaml:3:60: `x`: `weight` must be a number above 0, and at most 100, not the text `101`
    sample.yaml:3:75: `x`: `critical` must be `true`, not the text `no`
    sample.yaml:3:79: `x`: unknown key `kritical` in the criterion
      help: did you mean `critical`? known: `text`, `weight`, `critical`
    sample.yaml:3:58: `x`: `write_email` has no argument `cc`
      help: known: `to`, `subject`, `content`
    sample.yaml:3:56: `x`: `write_email` is empty
      help: write a value, or remove the key where it is optional
    sample.yaml:3:56: `x`: `write_email` must be a map of arguments, not the text `ana`
    no mistakes
    sample.yaml:3:43: `x`: a call names one tool, this one names 2
      help: write each call as an entry of its own: `- write_email: { to: … }`
    sample.yaml:3:43: `x`: `tool_calls` must be a text, not a list
    sample.yaml:3:62: `x`: `to` must be a value (`absent: true` for none), not null
    sample.yaml:3:62: `x`: `to` is empty
      help: write a value, or remove the key where it is optional
    sample.yaml:3:62: `x`: `to` is empty
      help: write a value, or remove the key where it is optional
    sample.yaml:3:64: `x`: unknown key `like` in a matcher
      help: known: `equals`, `contains`, `matches`, `any_of`, `absent`
    sample.yaml:3:74: `x`: `contains` is empty
      help: write a value, or remove the key where it is optional
    sample.yaml:3:72: `x`: `any_of` is empty
      help: write a value, or remove the key where it is optional
    sample.yaml:3:72: `x`: `any_of` must be a list, not the text `ana`
    sample.yaml:3:72: `x`: `absent` must be `true`, not the text `false`
    sample.yaml:3:62: `x`: `absent` stands beside another matcher
      help: an argument that is absent has no value: keep one of the two
    sample.yaml:3:67: `x`: `to` is given twice, first on line 3
      help: remove one of the two
    sample.yaml:3:78: `x`: `a{1000}{1000}{1000}` is not a regular expression: Compiled regex exceeds size limit of 1048576 bytes.
      help: see https://docs.rs/regex for the syntax; `contains` looks for plain text
    sample.yaml:2:46: `x`: `body` is empty
      help: write a value, or remove the key where it is optional
    sample.yaml:2:46: `x`: `body` must be a text, not a list
    sample.yaml:2:55: `x`: `2026-3-2` is not a date
      help: write it as `2026-03-02`
    sample.yaml:2:55: `x`: `2026-03-02T09:00:00` is not a date
      help: write it as `2026-03-02`
    sample.yaml:2:10: `x`: `email` has no `body`
      help: add `body: …`
    sample.yaml:2:40: `x`: unknown key `email_thread` in `email`
      help: this is a key of another tool's format: convert the file with `mailproof import`
    sample.yaml:1:3: ` x`: the record has no `expect`
      help: add `expect: …`
    sample.yaml:1:7: ` x`: id ` x` starts or ends with a space, or has a control character
      help: use a short name in lower case with hyphens, such as `invoice-question`
    sample.yaml:2:10: ` x`: `email` must be a map, not the text `3`
    sample.yaml:1:3: `x`: the scenario has no `human`
      help: add `human: …`
    sample.yaml:2:24: `x`: no example has the id `y`
      help: name the id of an example of this dataset, in any of its files
    sample.yaml:2:12: `x`: an episode has at least two steps, this one has 0
      help: add a step: one to learn from, and one to show it on
    sample.yaml:1:3: a record must be a map with `id`, `email`, and `expect`, not a list
    sample.yaml:1:9: not valid YAML: the tag `tag:yaml.org,2002:int` has no meaning in a dataset
    sample.yaml:1:1: the file is a map, not a list of records
      help: start each record with `- ` (YAML) or put all between `[` and `]` (JSON); exports of other tools come in by `mailproof import`
    ");
}

#[test]
fn a_record_that_yaml_cannot_read_does_not_hide_the_next() {
    for broken in [
        "email: \"unclosed",
        "email: { from: a",
        "email: 'a\n  b: c'\n   d: e",
        "\tid: a",
        "email: *nobody",
        "email: a\u{7}b",
    ] {
        let text = format!("- id: a\n  {broken}\n- id: b\n  tagz: 1\n");
        let messages = messages("yaml", &text);
        assert!(
            messages.contains("not valid YAML"),
            "{broken:?}: {messages}"
        );
        assert!(
            messages.contains("`b`: unknown key `tagz`"),
            "{broken:?}: {messages}"
        );
    }
}

#[test]
fn mistakes_beyond_the_limit_are_counted() {
    let limits = Limits {
        errors: 2,
        ..Limits::default()
    };
    let text = "{}\n".repeat(5);
    let errors = load_with(&limits, "jsonl", text).unwrap_err();
    assert_eq!((errors.errors.len(), errors.total), (2, 15));
    let last = errors.to_string();
    assert!(
        last.ends_with("… and 13 more errors; fix these to see them"),
        "{last}"
    );
}

/// Gives the same bytes over and over, as a file of any size would.
struct Endless(&'static [u8]);

impl Read for Endless {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        for (index, byte) in buffer.iter_mut().enumerate() {
            *byte = self.0[index % self.0.len()];
        }
        Ok(buffer.len())
    }
}

#[test]
fn files_and_lines_without_end_are_refused_at_their_limit() {
    let limits = Limits {
        file_bytes: 1 << 20,
        jsonl_bytes: 64 << 20,
        line_bytes: 1 << 16,
        ..Limits::default()
    };
    let mut all = Vec::new();
    for (extension, bytes) in [
        ("yaml", &b"- x\n"[..]),
        ("json", b"[[[["),
        ("jsonl", b"{\"id\": \"x\", "),
        ("jsonl", &[0]),
    ] {
        let mut loading = Loading::new(&limits);
        let format = Format::of_extension(extension).unwrap();
        loading.read(Path::new(extension), format, Endless(bytes));
        let errors = loading.finish("endless".into()).unwrap_err();
        all.extend(errors.errors.iter().map(LoadError::to_string));
    }
    insta::assert_snapshot!(all.join("\n"), @r#"
    yaml:262145:1: the file is larger than 1 MiB
    json:1:1: the file is larger than 1 MiB
    jsonl:1:1: the file is larger than 64 MiB
    jsonl:1:1: the file is larger than 64 MiB
    "#);
}

#[test]
fn a_line_that_is_too_long_does_not_hide_the_next() {
    let limits = Limits {
        line_bytes: 1000,
        ..Limits::default()
    };
    let text = format!("{}\n{}\n{{}}\n", small("a"), "x".repeat(5000));
    let errors = load_with(&limits, "jsonl", text).unwrap_err();
    let lines: Vec<_> = errors
        .errors
        .iter()
        .map(|error| error.place.at.unwrap().line)
        .collect();
    assert_eq!(lines, [2, 3, 3, 3]);
}

#[test]
fn hostile_files_are_located_errors() {
    let bomb = |start: &str| {
        let mut text = format!("{start}  - &a [x,x,x,x,x,x,x,x,x]\n");
        for letter in b'b'..=b'z' {
            let (this, last) = (char::from(letter), char::from(letter - 1));
            text += &format!("  - &{this} [{}*{last}]\n", format!("*{last},").repeat(8));
        }
        text
    };
    let long = "x".repeat(1 << 20);
    let mut chain = "- &a0 [x]\n".to_owned();
    for index in 1..200 {
        chain += &format!("- &a{index} [*a{}]\n", index - 1);
    }
    let valid = small("a");
    for (extension, text, message) in [
        ("yaml", bomb("- id: a\n  tags:\n").into_bytes(), "sample.yaml:8:9: the record has more than 100000 values"),
        ("yaml", bomb(&format!("- {valid}\n- id: b\n  email: {{from: a, to: b, subject: s, body: x}}\n  expect: {{triage: ignore}}\n  tags:\n")).into_bytes(), "the record has more than 100000 values"),
        ("yaml", format!("- &a \"{long}\"\n- [{}]\n", "*a,".repeat(100)).into_bytes(), "the file's aliases stand for more than 64 MiB"),
        ("yaml", chain.into_bytes(), "lists and maps are nested more than 64 deep"),
        ("yaml", format!("- &a [*a]\n- {valid}").into_bytes(), "sample.yaml:1:7: not valid YAML"),
        ("yaml", "[".repeat(200_000).into_bytes(), "sample.yaml:1:256: not valid YAML"),
        ("yaml", "- ".repeat(200_000).into_bytes(), "sample.yaml:1:"),
        ("yaml", "{a: ".repeat(200_000).into_bytes(), "sample.yaml:1:"),
        ("yaml", format!("- {}{}", "[".repeat(100), "]".repeat(100)).into_bytes(), "nested more than 64 deep"),
        ("json", "[".repeat(200_000).into_bytes(), "sample.json:1:66: lists and maps are nested more than 64 deep"),
        ("jsonl", format!("{valid}\n{}", "[".repeat(200_000)).into_bytes(), "sample.jsonl:2:65: lists and maps are nested more than 64 deep"),
        ("jsonl", format!("{valid}\n[{}1]", "1,".repeat(200_000)).into_bytes(), "sample.jsonl:2:200000: the record has more than 100000 values"),
        ("yaml", format!("- [{}1]", "1,".repeat(200_000)).into_bytes(), "the record has more than 100000 values"),
        ("jsonl", format!("{valid}\n{{\"id\": \"b\", \"em").into_bytes(), "sample.jsonl:2:16: not valid JSON"),
        ("jsonl", format!("{valid}\n{{\"id\": \"\u{e9}").into_bytes()[..valid.len() + 10].to_vec(), "sample.jsonl:2:9: not UTF-8 text: byte 9 of the line is 0xc3"),
        ("yaml", b"- id: a\n  b: \xc3\xa9\xff\n".to_vec(), "sample.yaml:2:7: not UTF-8 text: byte 8 of the line is 0xff"),
        ("json", b"[\n\xff\xfe".to_vec(), "sample.json:2:1: not UTF-8 text: byte 1 of the line is 0xff"),
        ("yaml", b"- id: a\n- \0".to_vec(), "sample.yaml:2:3: not a text file: byte 3 of the line is NUL"),
        ("json", vec![0; 1000], "sample.json:1:1: not a text file: byte 1 of the line is NUL"),
    ] {
        let messages = messages(extension, &text);
        assert!(messages.contains(message), "expected {message}\nfound {messages:.500}");
        assert!(messages.len() < 10_000, "{}", messages.len());
    }
}

#[test]
fn large_datasets_load() {
    let jsonl: String = (0..3000).map(|n| small(&n.to_string()) + "\n").collect();
    assert_eq!(load("jsonl", jsonl).unwrap().examples.len(), 3000);
    let yaml: String = (0..3000)
        .map(|n| format!("- {}\n", small(&n.to_string())))
        .collect();
    assert_eq!(load("yaml", yaml).unwrap().examples.len(), 3000);
}

#[test]
fn a_summary_counts_labels_splits_tags_and_labellers() {
    let text = format!(
        "{COMPLETE}- {}\n- {}\n",
        small("a"),
        small("b").replacen(
            '{',
            "{\"tags\": [\"x\", \"billing\", \"x\"], \"split\": \"dev\", ",
            1
        )
    );
    let summary = load("yaml", text).unwrap().summary();
    assert_eq!(summary.examples, 3);
    let labels: Vec<_> = summary
        .labels
        .into_iter()
        .map(|(label, n)| (label.name(), n))
        .collect();
    assert_eq!(labels, [("ignore", 2), ("notify", 0), ("respond", 1)]);
    let counts = |counts: std::collections::BTreeMap<String, usize>| format!("{counts:?}");
    assert_eq!(counts(summary.splits), r#"{"dev": 1, "test": 1}"#);
    assert_eq!(counts(summary.tags), r#"{"billing": 2, "x": 1}"#);
    assert_eq!(counts(summary.labelled_by), r#"{"author": 1}"#);
}
