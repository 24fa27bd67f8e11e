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
