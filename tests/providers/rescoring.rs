//! Experiments that are judged later, by models behind an endpoint.

use serde_json::{Value, json};

use super::configured::Place;
use super::server::{Answer, Asked, Server};

/// A judge that finds everything well, and quotes what stands in every email.
fn content() -> Server {
    Server::start(|_| {
        let verdict =
            json!({ "reasoning": "It is so.", "quotes": ["Subject:"], "verdict": "pass" });
        let message = json!({ "role": "assistant", "content": verdict.to_string() });
        let body = json!({
            "id": "c", "object": "chat.completion", "created": 1, "model": "m",
            "choices": [{ "index": 0, "message": message, "finish_reason": "stop" }],
            "usage": { "prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18 },
        });
        Answer::json(200, &body)
    })
}

/// Some mails that nobody judged, and a model `m` at `server`.
fn unjudged(server: &Server, more: &str) -> Place {
    let url = format!("{}/v1", server.origin);
    let place = Place::new(&format!(
        "models:\n  m: {{ model: \"openai:m\", base_url: \"{url}\", max_tokens: 100 }}\nmax_retries: 0\n{more}"
    ));
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
