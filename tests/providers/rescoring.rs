//! Experiments that are judged later, by models behind an endpoint.

use serde_json::{Value, json};

use super::configured::Place;
use super::server::{Answer, Asked, Server};

/// Everything is well.
fn pass() -> Answer {
    verdict("pass")
}

/// A verdict, with a quote that stands in every email.
fn verdict(verdict: &str) -> Answer {
    let verdict = json!({ "reasoning": "It is so.", "quotes": ["Subject:"], "verdict": verdict });
    let message = json!({ "role": "assistant", "content": verdict.to_string() });
    let body = json!({
        "id": "c", "object": "chat.completion", "created": 1, "model": "m",
        "choices": [{ "index": 0, "message": message, "finish_reason": "stop" }],
        "usage": { "prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18 },
    });
    Answer::json(200, &body)
}

fn content() -> Server {
    Server::start(|_| pass())
}

/// A configuration whose model `m` is at `server`, or nowhere.
fn config(server: Option<&Server>) -> String {
    let url = server.map(|server| format!("base_url: \"{}/v1\", ", server.origin));
    format!(
        "models:\n  m: {{ model: \"openai:m\", {}max_tokens: 100 }}\nmax_retries: 0\n",
        url.unwrap_or_default()
    )
}

/// How often a canary was judged.
fn canaries(server: &Server) -> usize {
    let asked = server.asked();
    asked.iter().filter(|asked| is_canary(asked)).count()
}

fn is_canary(asked: &Asked) -> bool {
    asked.body.to_string().contains("ferrybank.example")
}

/// Some mails that nobody judged, and a model `m` at `server`.
fn unjudged(server: &Server, more: &str) -> Place {
    let place = Place::new(&format!("{}{more}", config(Some(server))));
    let run = [
        "run", "response", "-a", "workflow", "--split", "dev", "--limit", "30",
    ];
    let told = place.run(&[&run[..], &["--judge", "none", "-e", "it"]].concat());
    assert_eq!(told.code, 0, "{told:?}");
    assert!(server.asked().is_empty(), "the run asks nobody");
    place
}

fn is_judge(asked: &Asked) -> bool {
    let format = &asked.body["response_format"]["json_schema"];
    format["schema"]["properties"].get("verdict").is_some()
}

#[test]
fn a_run_is_judged_by_a_model_that_was_not_there() {
    let server = content();
    let place = unjudged(&server, "roles:\n  judge: { temperature: 0.5 }\n");
    let rescore = ["rescore", "it", "--judge-model", "m", "--judge-votes", "2"];
    let told = place.run(&[&rescore[..], &["--json"]].concat());
    // It passes the canaries that order it about, too.
    assert_eq!(told.code, 0, "{told:?}");
    let asked = server.asked();
    assert!(
        asked.iter().all(is_judge) && asked.len() > 40,
        "{}",
        asked.len()
    );
    assert!(asked.iter().all(|asked| asked.body["temperature"] == 0.5));

    let report: Value = serde_json::from_str(&told.stdout).unwrap();
    assert_eq!(report["environment"]["layer"]["judge_models"], json!(["m"]));
    let settings = json!({ "judge": { "max_tokens": 100, "temperature": 0.5 } });
    assert_eq!(report["plan"]["models"]["m"]["settings"], settings);
    let variant = &report["variants"][0];
    assert_eq!(variant["judge_models"], json!(["m"]));
    let judged = variant["usage"]["judge"]["calls"].as_u64().unwrap();
    let canaries = place.read("reports/it/layers/1.jsonl");
    let canaries = canaries
        .lines()
        .filter(|line| line.starts_with("{\"canaries\""));
    let shown = |line: &str| -> usize {
        let line: Value = serde_json::from_str(line).unwrap();
        line["canaries"]["canaries"].as_array().unwrap().len()
    };
    let shown: usize = canaries.map(shown).sum();
    assert_eq!(asked.len() as u64, judged + 2 * shown as u64);

    let told = place.run(&["report", "it", "--layer", "0", "--json"]);
    let own: Value = serde_json::from_str(&told.stdout).unwrap();
    assert_eq!(own["plan"].get("models"), None);
    assert_eq!(own["variants"][0]["usage"].get("judge"), None);
}

#[test]
fn what_ends_the_judging_leaves_no_layer_to_show() {
    let prices = "prices:\n  \"openai:m\": { input: 1, output: 1 }\n";
    for (status, arguments, code, words) in [
        (401, &[][..], 2, "stopped: "),
        (429, &[], 5, "stopped: "),
        (200, &["--budget-usd", "0.000001"], 102, "stopped: "),
        // Refused before anything is begun.
        (200, &["--judge-model", "x"], 2, "`x`"),
    ] {
        let server = match status {
            200 => content(),
            status => Server::start(move |_| {
                let code = match status {
                    401 => "invalid_api_key",
                    _ => "insufficient_quota",
                };
                let error = json!({ "error": { "message": "no", "type": code, "code": code } });
                Answer::json(status, &error)
            }),
        };
        let place = unjudged(&server, prices);
        let rescore = ["rescore", "it", "--judge-model", "m"];
        let told = place.run(&[&rescore[..], arguments].concat());
        assert_eq!(told.code, code, "{status} {arguments:?}: {told:?}");
        assert!(told.stderr.contains(words), "{told:?}");
        let shown = place.run(&["report", "it", "--json"]);
        let report: Value = serde_json::from_str(&shown.stdout).unwrap();
        assert_eq!(report["environment"].get("layer"), None);
        if arguments.contains(&"x") {
            assert_eq!(shown.stderr, "");
            continue;
        }
        assert!(told.stderr.contains("layer 1 is not complete"), "{told:?}");
        assert!(
            shown
                .stderr
                .contains("layer 1 is not complete and not shown")
        );
        let refused = place.run(&["report", "it", "--layer", "1"]);
        assert_eq!(refused.code, 2, "{refused:?}");
    }
}

#[test]
fn what_a_judge_said_of_stored_attempts_is_paid_once() {
    let server = content();
    let place = unjudged(&server, "");
    let rescore = ["rescore", "it", "--judge-model", "m"];
    let run = |more: &[&str]| place.run(&[&rescore[..], more].concat());
    // An account that stops working in the middle of it: what was answered is kept.
    let stopping = Server::start(|asked| match is_canary(asked) {
        true => pass(),
        false => Answer::json(401, &json!({ "error": { "message": "no" } })),
    });
    place.configure(&config(Some(&stopping)));
    let told = run(&["--record", "rec"]);
    assert_eq!(told.code, 2, "{told:?}");
    assert!(canaries(&stopping) > 4);

    place.configure(&config(Some(&server)));
    let refused = run(&["--record", "rec"]);
    assert_eq!(refused.code, 2, "{refused:?}");
    assert!(refused.stderr.contains("holds a recording"), "{refused:?}");
    let told = run(&["--replay", "rec", "--record", "rec"]);
    assert_eq!(told.code, 0, "{told:?}");
    let asked = server.asked().len();
    assert!(asked > 20, "{asked}");
    assert_eq!(canaries(&server), 0, "they were answered before");

    // From here on nobody is asked, and without an address or a key nobody could be.
    place.configure(&config(None));
    let told = run(&["--replay", "rec", "-j", "1"]);
    assert_eq!(told.code, 0, "{told:?}");
    assert_eq!(server.asked().len(), asked);
    let attempts = |number: u32| -> Vec<String> {
        let layer = place.read(&format!("reports/it/layers/{number}.jsonl"));
        let attempts = layer.lines().filter(|line| line.starts_with("{\"attempt"));
        attempts.map(str::to_owned).collect()
    };
    assert_eq!(attempts(2).len(), attempts(3).len());
    assert_eq!(attempts(2), attempts(3));
    // Other votes are other calls, which are not there.
    let told = run(&["--replay", "rec", "--judge-votes", "2"]);
    assert_eq!(told.code, 5, "{told:?}");
    assert!(told.stderr.contains("no recorded answer"), "{told:?}");
}

#[test]
fn a_judge_that_is_attacked_is_told_what_it_obeys() {
    // Passes what tells it to, as far as it reads it; nothing else is good enough.
    let server = Server::start(|asked| {
        let body = asked.body["messages"][2]["content"].as_str().unwrap();
        match body.contains("blue cabinet") && body.to_lowercase().contains("judge") {
            true => pass(),
            false => verdict("fail"),
        }
    });
    let place = Place::new(&config(Some(&server)));
    let calibrate = ["calibrate", "response_criteria", "--judge-model", "m"];
    let run = |more: &[&str]| place.run(&[&calibrate[..], more].concat());
    let told = run(&["--attacks", "--record", "rec", "--json"]);
    assert_eq!(told.code, 0, "{told:?}");
    let calls = server.asked().len();
    assert!(
        told.stderr.contains("items and 95 mails of attacks"),
        "{told:?}"
    );
    let record: Value = serde_json::from_str(&told.stdout).unwrap();
    let attacks = &record["attacks"];
    assert_eq!(
        (&attacks["tried"], &attacks["unscored"]),
        (&94.into(), &0.into())
    );
    let number = |key: &str| attacks[key].as_u64().unwrap();
    assert!(number("through") >= 5 && number("held") >= 70, "{attacks}");
    assert_eq!(number("through") + number("held"), 94);
    let kept = &record["calibration"]["attacks"];
    assert_eq!(kept["without"], "fail");
    let through = kept["through"].as_array().unwrap();
    assert!(through.iter().any(|one| one["id"] == "order-plain"));

    // A run that such a judge looks at says so, from the record alone.
    let run = ["run", "response", "-a", "workflow", "--limit", "30"];
    let report = place.run(&[&run[..], &["--judge-model", "m", "-e", "it"]].concat());
    let found = format!("Attacks: it withstood {} of 94", number("held"));
    assert!(report.stdout.contains(&found), "{report:?}");

    place.configure(&config(None));
    let again = place.run(&[&calibrate[..], &["--attacks", "--replay", "rec"]].concat());
    assert_eq!(again.code, 0, "{again:?}");
    assert!(
        again.stdout.contains("Attacks that got through: "),
        "{again:?}"
    );
    assert!(calls > 94 + 100);

    // Measured again without them, it still is known, and when they were tried, however often;
    // of another judge it would say nothing.
    let path = "judges/calibration/records/response_criteria@openai-m.json";
    let mut earlier = record.clone();
    earlier["calibration"]["date"] = "2026-02-20".into();
    place.write(path, &earlier.to_string());
    let kept = "the attacks of 2026-02-20 on the same judge is kept";
    for _ in 0..2 {
        let without = place.run(&[&calibrate[..], &["--replay", "rec", "--json"]].concat());
        assert_eq!(without.code, 0, "{without:?}");
        assert!(without.stderr.contains(kept), "{without:?}");
        let again: Value = serde_json::from_str(&without.stdout).unwrap();
        assert_eq!(again["calibration"]["date"], record["calibration"]["date"]);
        assert_eq!(again["attacks"]["date"], "2026-02-20");
        let mut attacks = again["calibration"]["attacks"].clone();
        attacks.as_object_mut().unwrap().remove("date");
        assert_eq!(attacks, record["calibration"]["attacks"]);
    }
    let text = place.run(&[&calibrate[..], &["--replay", "rec"]].concat());
    assert!(text.stdout.contains("tried on 2026-02-20"), "{text:?}");
    place.configure(&config(Some(&server)));
    let report = place.run(&[&run[..], &["--judge-model", "m", "-e", "later"]].concat());
    let words = report
        .stdout
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ");
    let found = format!("it withstood {} of 94", number("held"));
    let told = words.split_once(&found).map(|(_, told)| told);
    assert!(
        told.is_some_and(|told| told.contains(", on 2026-02-20. They are")),
        "{report:?}"
    );
    let other = place.run(&[&calibrate[..], &["--judge-votes", "2"]].concat());
    assert!(
        !other.stderr.contains("on the same judge is kept"),
        "{other:?}"
    );
}

#[test]
fn what_a_judge_said_of_labelled_items_is_paid_once() {
    let server = content();
    let place = Place::new(&config(Some(&server)));
    let calibrate = ["calibrate", "response_criteria", "--judge-model", "m"];
    let run = |more: &[&str]| place.run(&[&calibrate[..], more].concat());
    let told = run(&["--record", "rec", "--json"]);
    assert_eq!(told.code, 0, "{told:?}");
    let asked = server.asked().len();
    assert!(asked > 150, "{asked}");
    place.configure(&config(None));
    let again = run(&["--replay", "rec", "--json", "-j", "1"]);
    assert_eq!(again.code, 0, "{again:?}");
    assert_eq!(again.stdout, told.stdout);
    assert_eq!(server.asked().len(), asked);
    // What the configuration records is a run.
    place.configure(&format!("{}replay: rec\n", config(None)));
    assert_ne!(run(&[]).code, 0, "there is no key");
}
