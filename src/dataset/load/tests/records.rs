use serde_json::{Value, json};

use super::*;
use crate::dataset::Person;

/// Every key of a scenario and of an episode, after the examples they name.
pub fn all_kinds() -> Vec<Value> {
    let example = |id: &str, split: &str| {
        json!({
            "id": id, "split": split, "tags": ["billing"], "labelled_by": "author",
            "email": {"from": "a", "to": "b", "subject": "", "body": "x"},
            "expect": {"triage": "notify", "forbidden": ["write_email"]},
        })
    };
    vec![
        json!({
            "id": "bill/edit",
            "scenario": {"example": "bill"},
            "human": [
                {"on": "notify", "respond": "Answer it.", "then": {"to": {"contains": "ana"}}},
                {"on": "write_email", "nth": 1, "when": {"to": {"contains": "ana"}}, "edit": {"subject": "Paid"}},
                {"on": "write_email", "nth": 2, "respond": "Shorter.", "then": {"content": {"matches": "^.{0,80}$"}}},
                {"on": "write_email", "nth": 3, "ignore": true},
                {"on": "write_email", "accept": true},
                {"on": "schedule_meeting", "edit": {"duration_minutes": "45", "start_time": 9, "attendees": ["a"], "preferred_day": "2026-03-02"}},
                {"on": "question", "timeout": true},
            ],
            "restart": true,
            "tags": ["x"],
            "split": "test",
            "cluster": "bills",
            "labelled_by": "b",
            "note": "n",
            "expect": {
                "triage": "notify",
                "tool_calls": [{"write_email": {"subject": "Paid"}}, "done"],
                "mode": "exactly",
                "forbidden": [],
                "criteria": ["Names the invoice", {"text": "Thanks", "critical": true}],
                "interrupts": ["notify", {"write_email": {"to": {"contains": "ana"}}}, "question"],
            },
        }),
        json!({
            "id": "learns",
            "episode": [
                {
                    "example": "bill",
                    "human": [{"on": "notify", "ignore": true}],
                    "memory": {"triage_preferences": {"contains": "bill"}, "background": {"matches": "Ana"}},
                },
                {"example": "other", "expect": {"triage": "ignore", "interrupts": []}},
            ],
            "unchanged": ["cal_preferences", "response_preferences"],
            "control": true,
            "tags": ["memory"],
            "split": "dev",
            "cluster": "bills",
            "labelled_by": "author",
            "note": "n",
        }),
        example("bill", "dev"),
        example("other", "dev"),
    ]
}

fn jsonl(records: &[Value]) -> String {
    records.iter().map(|record| format!("{record}\n")).collect()
}

/// The second example and a record that names it.
fn with(record: Value) -> Result<Dataset, LoadErrors> {
    let [.., bill, other] = &all_kinds()[..] else {
        unreachable!("four records are written above")
    };
    load("jsonl", jsonl(&[bill.clone(), other.clone(), record]))
}

#[test]
fn every_key_is_read_and_written() {
    let records = all_kinds();
    let dataset = load("jsonl", jsonl(&records)).unwrap();
    let [scenario, episode] = [
        dataset.scenarios[0].to_json(&dataset.examples),
        dataset.episodes[0].to_json(&dataset.examples),
    ];
    assert_eq!(scenario, records[0]);
    assert_eq!(episode, records[1]);
    assert_eq!(dataset.examples.len(), 2);
    // References reach forward, and into other files.
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.jsonl"), jsonl(&records[..2])).unwrap();
    fs::write(folder.path().join("b.jsonl"), jsonl(&records[2..])).unwrap();
    let loaded = Dataset::load(&[folder.path().to_owned()], &Limits::default()).unwrap();
    assert_eq!(loaded.hash, dataset.hash);
    assert_eq!(loaded.scenarios[0].example, 0);
}

#[test]
fn a_scenario_takes_over_what_it_does_not_state() {
    let dataset = with(json!({
        "id": "s", "scenario": {"example": "bill"}, "human": {"simulated": "Robin, in a hurry."},
        "expect": {"interrupts": []},
    }))
    .unwrap();
    let scenario = &dataset.scenarios[0];
    let example = &dataset.examples[0];
    assert_eq!(scenario.tags, example.tags);
    assert_eq!(scenario.split, example.split);
    assert_eq!(
        scenario.cluster.as_deref(),
        Some("bill"),
        "no cluster of its own"
    );
    assert_eq!(scenario.labelled_by, example.labelled_by);
    assert_eq!(scenario.expect.triage, example.expect.triage);
    assert_eq!(scenario.expect.forbidden.len(), 1);
    assert!(scenario.interrupts.as_ref().is_some_and(Vec::is_empty));
    assert!(matches!(
        &scenario.human,
        Person::Simulated { turns: 8, .. }
    ));
    // What is written says it all, so it reads the same.
    let written = with(scenario.to_json(&dataset.examples)).unwrap();
    assert_eq!(written.hash, dataset.hash);
}

#[test]
fn an_episode_is_in_the_split_that_all_its_examples_share() {
    for (case, second, split) in [("the same", "dev", Some("dev")), ("two", "test", None)] {
        let mut records = all_kinds();
        records[1].as_object_mut().unwrap().remove("split");
        records[3]["split"] = second.into();
        let dataset = load("jsonl", jsonl(&records)).unwrap();
        assert_eq!(dataset.episodes[0].split.as_deref(), split, "{case}");
    }
}

#[test]
fn every_kind_of_record_counts_for_the_hash() {
    let records = all_kinds();
    let hash = |records: &[Value]| load("jsonl", jsonl(records)).unwrap().hash;
    let all = hash(&records);
    let mut turned = records.clone();
    turned.reverse();
    assert_eq!(hash(&turned), all);
    for (pointer, value) in [
        ("/0/human/0/respond", json!("Do.")),
        ("/0/expect/mode", json!("strict")),
        ("/0/restart", Value::Null),
        ("/1/episode/1/expect/triage", json!("notify")),
        ("/1/control", Value::Null),
    ] {
        let mut changed = json!(records);
        let (map, key) = pointer.rsplit_once('/').unwrap();
        let map = changed.pointer_mut(map).unwrap().as_object_mut().unwrap();
        match value {
            Value::Null => map.remove(key),
            value => map.insert(key.to_owned(), value),
        };
        assert_ne!(hash(changed.as_array().unwrap()), all, "{pointer}");
    }
}

#[test]
fn mistakes_about_people_are_located_and_told_at_once() {
    let text = r#"- id: bill
  email: { from: a, to: b, subject: s, body: x }
  expect: { triage: respond, tool_calls: [write_email], forbidden: [schedule_meeting] }
- id: one
  scenario: { example: bil }
  human:
    - { on: write_mail, accept: true }
    - { on: done, accept: true }
    - { on: question, accept: true }
    - { on: notify, edit: { to: ana } }
    - { on: write_email, nth: 0, accept: false, wen: 1 }
    - { on: write_email, accept: true, ignore: true }
    - { on: write_email }
    - { on: write_email, edit: { subjet: s } }
    - { on: schedule_meeting, nth: 1, edit: { duration_minutes: soon, attendees: [[a]], start_time: ~ } }
    - { on: schedule_meeting, nth: 2, edit: {} }
    - { on: schedule_meeting, nth: 3, accept: true, then: { subject: s } }
    - { on: question, respond: "Yes.", then: { content: s } }
    - { on: notify, when: { to: ana }, ignore: true }
    - { on: schedule_meeting, accept: true }
    - { on: schedule_meeting, nth: 9, accept: true }
  restart: false
  expect: { triage: reply, interrupts: [done, notify: {}, question: { contant: x }], mode: strict }
- id: two
  scenario: bill
  human: { simulated: "", turns: 51 }
- id: three
  scenarios: { example: bill }
- id: four
  episode:
    - { example: one, memory: { triage: { contains: x } }, human: { simulated: x } }
  unchanged: [cal_preferences, cal_preferences, calendar]
- id: five
  episode: [{ example: bill }, { example: invoice }]
- id: five
  episode: bill
"#;
    insta::assert_snapshot!(messages("yaml", text), @r#"
    sample.yaml:5:24: `one`: no example has the id `bil`
      help: did you mean `bill`?
    sample.yaml:7:13: `one`: nobody is asked about `write_mail`
      help: did you mean `write_email`? known: `write_email`, `schedule_meeting`, `question`, `notify`
    sample.yaml:8:13: `one`: nobody is asked about `done`
      help: its calls run at once; known: `write_email`, `schedule_meeting`, `question`, `notify`
    sample.yaml:9:31: `one`: a question about `question` does not take `accept`
      help: it takes `respond`, `ignore`, `timeout`
    sample.yaml:10:27: `one`: a question about `notify` does not take `edit`
      help: it takes `accept`, `respond`, `ignore`, `timeout`
    sample.yaml:11:31: `one`: `nth` must be a whole number from 1, not the text `0`
    sample.yaml:11:42: `one`: `accept` must be `true`, not the text `false`
    sample.yaml:11:49: `one`: unknown key `wen` in a rule
      help: did you mean `when`? known: `on`, `nth`, `when`, `accept`, `edit`, `ignore`, `respond`, `timeout`, `then`
    sample.yaml:12:7: `one`: the rule gives 2 answers: `accept`, `ignore`
      help: give one of `accept: true`, `edit: { … }`, `ignore: true`, `respond: "…"`, `timeout: true`
    sample.yaml:13:7: `one`: the rule gives no answer
      help: give one of `accept: true`, `edit: { … }`, `ignore: true`, `respond: "…"`, `timeout: true`
    sample.yaml:14:34: `one`: `write_email` has no argument `subjet`
      help: did you mean `subject`? known: `to`, `subject`, `content`
    sample.yaml:15:65: `one`: `duration_minutes` must be a whole number, not the text `soon`
    sample.yaml:15:83: `one`: `attendees` must be a text, not a list
    sample.yaml:15:101: `one`: `start_time` must be a whole number, not null
    sample.yaml:16:45: `one`: `edit` is empty
      help: write a value, or remove the key where it is optional
    sample.yaml:17:59: `one`: `then` stands beside an answer that no new draft follows
      help: it belongs beside `respond` on a draft or on `notify`; say it of the call itself in `expect.tool_calls`
    sample.yaml:18:46: `one`: `then` stands beside an answer that no new draft follows
      help: it belongs beside `respond` on a draft or on `notify`; say it of the call itself in `expect.tool_calls`
    sample.yaml:19:27: `one`: `notify` proposes no arguments
      help: remove it, or name a tool's arguments under that tool
    sample.yaml:21:7: `one`: the rule never answers: the one on line 20 answers first
      help: put the narrower rule first, or give them different `nth`
    sample.yaml:22:12: `one`: `restart` must be `true`, not the text `false`
    sample.yaml:23:21: `one`: unknown triage label `reply`
      help: use `ignore`, `notify`, or `respond`
    sample.yaml:23:41: `one`: nobody is asked about `done`
      help: its calls run at once; known: `write_email`, `schedule_meeting`, `question`, `notify`
    sample.yaml:23:55: `one`: `notify` proposes no arguments
      help: remove it, or name a tool's arguments under that tool
    sample.yaml:23:71: `one`: `question` has no argument `contant`
      help: did you mean `content`? known: `content`
    sample.yaml:23:92: `one`: `mode` is given without `tool_calls`
      help: add `tool_calls`, or `tool_calls: []` if no call is right
    sample.yaml:25:13: `two`: `scenario` must be a map, not the text `bill`
    sample.yaml:26:23: `two`: `simulated` is empty
      help: write a value, or remove the key where it is optional
    sample.yaml:26:34: `two`: `turns` must be a whole number from 1 to 50, not the text `51`
    sample.yaml:27:3: `three`: the record has no `email`
      help: add `email: …`
    sample.yaml:27:3: `three`: the record has no `expect`
      help: add `expect: …`
    sample.yaml:28:3: `three`: unknown key `scenarios` in the record
      help: did you mean `scenario`? a record with that key needs no `email`
    sample.yaml:31:5: `four`: an episode has at least two steps, this one has 1
      help: add a step: one to learn from, and one to show it on
    sample.yaml:31:18: `four`: `one` is a scenario, not an example
      help: name the example itself
    sample.yaml:31:33: `four`: unknown memory `triage`
      help: known: `triage_preferences`, `response_preferences`, `cal_preferences`, `background`
    sample.yaml:31:67: `four`: `human` must be a list of rules, not a map
    sample.yaml:32:32: `four`: `cal_preferences` is given twice, first on line 32
      help: remove one of the two
    sample.yaml:32:49: `four`: unknown memory `calendar`
      help: known: `triage_preferences`, `response_preferences`, `cal_preferences`, `background`
    sample.yaml:33:3: `five`: the episode asks nothing of the agent
      help: add `memory` or `expect` to a step, or `unchanged` to the episode
    sample.yaml:34:43: `five`: no example has the id `invoice`
      help: name the id of an example of this dataset, in any of its files
    sample.yaml:35:7: `five`: id `five` is taken by the record at sample.yaml:33:7
      help: give each record an id of its own
    sample.yaml:36:12: `five`: `episode` must be a list of steps, not the text `bill`
    "#);
    let contradiction = with(json!({
        "id": "s", "scenario": {"example": "bill"}, "human": [],
        "expect": {"tool_calls": ["write_email"]},
    }));
    insta::assert_snapshot!(contradiction.unwrap_err(), @r"
    sample.jsonl:3:61: `s`: `write_email` is both expected and forbidden, one of them by the example
      help: state both `tool_calls` and `forbidden`: what is not stated is the example's
    ");
}
