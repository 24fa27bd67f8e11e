//! Runs that are recorded, and replayed from what was recorded.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;

use super::*;

const EMAILS: &str = r#"- id: invoice-question
  email:
    from: "Ana Ruiz <ana@northwind.example>"
    to: "Sam Lee <sam@acme.example>"
    subject: "Invoice 1042"
    body: "Hi Sam, could you tell me when invoice 1042 will be paid?"
    date: 2026-03-02
  expect: { triage: respond }
- id: spring-sale
  email:
    from: "Lamp Shop <offers@lamps.example>"
    to: "Sam Lee <sam@acme.example>"
    subject: "20 % off everything"
    body: "Only this week. Unsubscribe: https://lamps.example/bye"
  expect: { triage: ignore }
"#;

/// A recording's files and their texts, without when it was made.
fn recording(folder: &Path) -> BTreeMap<String, String> {
    let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap());
    let mut files: BTreeMap<String, String> = files
        .map(|file| {
            let name = file.file_name().into_string().unwrap();
            (name, fs::read_to_string(file.path()).unwrap())
        })
        .collect();
    let info = files.get_mut("recording.json").unwrap();
    *info = info
        .lines()
        .filter(|line| !line.contains("created"))
        .collect();
    files
}

/// A report without what may differ between two runs of one plan.
fn comparable(mut report: Value) -> Value {
    fn strip(value: &mut Value) {
        match value {
            Value::Object(members) => {
                members.retain(|name, _| name != "environment" && name != "latency_ms");
                members.values_mut().for_each(strip);
            }
            Value::Array(values) => values.iter_mut().for_each(strip),
            _ => {}
        }
    }
    strip(&mut report);
    report
}

#[test]
fn a_replay_reports_what_was_recorded_for_every_agent_and_kind_of_case() {
    let (one, other) = (Place::new(), Place::new());
    let folder = one.path("rec");
    let folder = folder.to_str().unwrap();
    let code = one
        .output(&[
            "run", "--limit", "3", "-e", "x", "-j", "8", "--record", "rec",
        ])
        .status
        .code()
        .unwrap();
    let report = one.report("x");
    let kinds: BTreeSet<String> = one
        .attempts("x")
        .iter()
        .map(|attempt| attempt["kind"].as_str().unwrap_or("example").to_owned())
        .collect();
    assert_eq!(kinds.len(), 3, "{kinds:?}");

    // As a replay leaves the recording alone, so does it need nothing but it.
    let before = recording(&one.path("rec"));
    other.run(
        &[
            "run", "--limit", "3", "-e", "x", "-j", "1", "--replay", folder,
        ],
        code,
    );
    assert_eq!(comparable(other.report("x")), comparable(report));
    assert_eq!(recording(&one.path("rec")), before);

    // Calls that end in another order are the same recording.
    other.run(
        &[
            "run", "--limit", "3", "-e", "y", "-j", "1", "--record", "rec",
        ],
        code,
    );
    assert_eq!(recording(&other.path("rec")), before);
}

#[test]
fn a_replay_on_a_later_day_has_the_day_and_the_seed_of_the_recording() {
    let place = Place::new();
    fs::create_dir(place.path("rec")).unwrap();
    // As if it had been begun on that day: what it holds goes on from there.
    let begun = r#"{"format": "mailproof.recording/1", "date": "2026-01-05", "seed": 41, "version": "0", "created": "2026-01-05T08:00:00Z"}"#;
    place.write("rec/recording.json", begun);
    let run = ["run", "triage", "-a", "workflow", "--sample", "4"];
    place.run(
        &[
            &run[..],
            &["-e", "then", "--replay", "rec", "--record", "rec"],
        ]
        .concat(),
        0,
    );
    let prompts = fs::read_to_string(place.path("rec/prompts.jsonl")).unwrap();
    assert!(!prompts.is_empty());
    place.run(&[&run[..], &["-e", "later", "--replay", "rec"]].concat(), 0);
    for experiment in ["then", "later"] {
        let journal = lines(&place.path(&format!("reports/{experiment}/journal.jsonl")));
        let header = &journal[0]["header"];
        assert_eq!(
            (&header["date"], &header["seed"]),
            (&"2026-01-05".into(), &41.into())
        );
    }
    let others = [
        &run[..],
        &["-e", "other", "--replay", "rec", "--seed", "42"],
    ]
    .concat();
    let error = place.fail(&others, 2);
    assert!(error.contains("was made with the seed 41"), "{error}");
    place.run(
        &[&run[..], &["-e", "same", "--replay", "rec", "--seed", "41"]].concat(),
        0,
    );
}

#[test]
fn what_was_not_recorded_stops_a_replay_and_is_asked_where_that_is_allowed() {
    let place = Place::new();
    place.write("mail.yaml", EMAILS);
    let run = ["run", "triage", "-d", "mail.yaml", "-a", "workflow", "-q"];
    let with = |more: &[&'static str]| [&run[..], more].concat();
    place.run(&with(&["--record", "rec"]), 0);
    let before = recording(&place.path("rec"));

    place.write(
        "mail.yaml",
        &EMAILS.replace("invoice 1042 will", "order 1042 will"),
    );
    let error = place.fail(&with(&["-e", "changed", "--replay", "rec"]), 5);
    assert!(error.contains("[-invoice-]{+order+} 1042 will"), "{error}");
    assert!(error.contains("`--replay rec --record rec`"), "{error}");
    // Nothing of the case that could not be carried out is kept.
    let kept: Vec<_> = place
        .attempts("changed")
        .iter()
        .map(|attempt| attempt["case"]["example"].clone())
        .collect();
    assert!(!kept.contains(&"invoice-question".into()), "{kept:?}");

    let more = format!(
        "{EMAILS}- id: more\n  email: {{ from: a@b.example, to: c@d.example, subject: Lamps, body: \"Only this week.\" }}\n  expect: {{ triage: ignore }}\n"
    );
    place.write("mail.yaml", &more);
    let error = place.fail(&with(&["-e", "more", "--replay", "rec"]), 5);
    assert!(error.contains("about `more`"), "{error}");
    // The two cases that were recorded are in the journal; with the rest asked, it goes on.
    place.run(
        &with(&[
            "-e", "more", "--resume", "--replay", "rec", "--record", "rec",
        ]),
        0,
    );
    assert_eq!(place.attempts("more").len(), 3);
    assert_ne!(recording(&place.path("rec")), before);

    // Back to the two emails: what only the third needed is pruned.
    place.write("mail.yaml", EMAILS);
    place.run(
        &with(&["-e", "back", "--replay", "rec", "--record", "rec"]),
        0,
    );
    assert_ne!(recording(&place.path("rec")), before);
    place.run(
        &with(&[
            "-e", "pruned", "--replay", "rec", "--record", "rec", "--prune",
        ]),
        0,
    );
    assert_eq!(recording(&place.path("rec")), before);
}

#[test]
fn recordings_are_refused_where_they_make_no_sense() {
    let place = Place::new();
    place.write("mail.yaml", EMAILS);
    let run = ["run", "triage", "-d", "mail.yaml", "-a", "baseline", "-q"];
    place.run(&[&run[..], &["--record", "rec"]].concat(), 0);
    for (arguments, error) in [
        (&["--record", "rec"][..], "rec holds a recording"),
        (&["--replay", "none"], "no recording in none"),
        (
            &["--replay", "rec", "--prune"],
            "`--replay DIR --record DIR`",
        ),
        (
            &["--replay", "rec", "--record", "rec", "--prune", "--resume"],
            "cannot be used with",
        ),
    ] {
        let failed = place.fail(&[&run[..], arguments].concat(), 2);
        assert!(failed.contains(error), "{failed}");
    }
    let failed = place.fail(&["run", "--email", "mail.eml", "--replay", "rec"], 2);
    assert!(failed.contains("cannot be used with"), "{failed}");
    // None of these began an experiment.
    assert_eq!(fs::read_dir(place.path("reports")).unwrap().count(), 1);
}

/// Answers every request with the same chat completion, until its process ends.
fn serve(reply: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = Vec::new();
            let mut buffer = [0; 4096];
            while !is_whole(&request) {
                let read = stream.read(&mut buffer).unwrap();
                request.extend_from_slice(&buffer[..read]);
            }
            let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close";
            let length = reply.len();
            write!(stream, "{head}\r\ncontent-length: {length}\r\n\r\n{reply}").unwrap();
        }
    });
    url
}

fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request).to_ascii_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    body.len() >= length.map_or(0, |length| length.parse().unwrap())
}

#[test]
fn a_live_model_s_recording_replays_without_its_key_or_its_server_and_holds_no_key() {
    const KEY: &str = "canary-0123456789";
    let place = Place::new();
    place.write("mail.yaml", EMAILS);
    let run = [
        "run",
        "triage",
        "-d",
        "mail.yaml",
        "-a",
        "baseline",
        "-m",
        "openai:m",
        "-e",
    ];
    let with = |more: &[&'static str]| [&run[..], more].concat();
    let url = serve(
        r#"{"choices":[{"finish_reason":"tool_calls","message":{"role":"assistant","content":"As canary-0123456789 says","tool_calls":[{"id":"c1","type":"function","function":{"name":"triage_email","arguments":"{\"reasoning\":\"canary-0123456789\",\"classification\":\"ignore\"}"}},{"id":"c2","type":"function","function":{"name":"done","arguments":"{\"done\":true}"}}]}}],"usage":{"prompt_tokens":100,"completion_tokens":7}}"#,
    );
    let live = place
        .command(&with(&["live", "--record", "rec"]))
        .env("OPENAI_BASE_URL", url)
        .env("OPENAI_API_KEY", KEY)
        .output()
        .unwrap();
    assert_eq!(
        live.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&live.stderr)
    );
    let files = recording(&place.path("rec"));
    assert!(files["baseline-openai-m.agent.jsonl"].contains("[redacted]"));
    let all: String = files.into_values().collect();
    assert!(!all.contains("canary"), "{all}");

    place.run(&with(&["replayed", "--replay", "rec"]), 0);
    let mut live = comparable(place.report("live"));
    live["experiment"] = place.report("replayed")["experiment"].clone();
    assert_eq!(comparable(place.report("replayed")), live);
    // The time that the provider took then is what is reported.
    let latencies = |experiment| {
        let mut latencies: Vec<f64> = Vec::new();
        for attempt in place.attempts(experiment) {
            for step in attempt["runs"][0]["steps"].as_array().unwrap() {
                latencies.extend(step["model"]["latency_ms"].as_f64());
            }
        }
        latencies.sort_by(f64::total_cmp);
        latencies.iter().map(|ms| ms.round()).collect::<Vec<_>>()
    };
    assert_eq!(latencies("replayed"), latencies("live"));
    assert!(!latencies("live").is_empty());
    // Without a recording the same needs a key.
    let error = place.fail(&with(&["unset"]), 2);
    assert!(error.contains("OPENAI_API_KEY"), "{error}");
}
