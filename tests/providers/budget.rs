//! What a run may spend, by a provider's own count.

use std::fs;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::family::Said;
use super::openai::{FAMILY, say};
use super::server::{Answer, Asked, Delivery, Server};

/// Trillionths of a US dollar per token: 0.05 and 0.20 dollars a million.
const INPUT: u64 = 50_000;
const OUTPUT: u64 = 200_000;
const CENT: u64 = 10_000_000_000;

/// A model of a workflow that answers every email, and what it wants to be paid.
struct Provider {
    server: Server,
    bill: Arc<AtomicU64>,
}

impl Provider {
    /// Every `lost`th answer breaks off, and is billed all the same.
    fn new(lost: u64) -> Provider {
        let bill = Arc::new(AtomicU64::new(0));
        let (sum, number) = (Arc::clone(&bill), AtomicU64::new(0));
        let server = FAMILY.serve(move |asked| {
            let (answer, cost) = reply(asked);
            sum.fetch_add(cost, Ordering::SeqCst);
            let number = number.fetch_add(1, Ordering::SeqCst) + 1;
            match number.is_multiple_of(lost) {
                false => answer,
                true => Answer {
                    delivery: Delivery::Cut(20),
                    ..answer
                },
            }
        });
        Provider { server, bill }
    }

    fn bill(&self) -> u64 {
        self.bill.load(Ordering::SeqCst)
    }
}

/// An answer of 40 tokens to a prompt of a token for four bytes, and its price.
fn reply(asked: &Asked) -> (Answer, u64) {
    let messages = asked.body["messages"].as_array().unwrap();
    let said = if asked.body.get("response_format").is_some() {
        let decision = json!({ "reasoning": "A question.", "classification": "respond" });
        Said {
            output: Some(("triage", decision)),
            ..Said::default()
        }
    } else if messages.iter().any(|message| message["role"] == "tool") {
        Said {
            calls: vec![("done", json!(""))],
            ..Said::default()
        }
    } else {
        let email = json!({ "to": "a@example.com", "subject": "Re", "content": "Gladly." });
        Said {
            calls: vec![("write_email", email)],
            ..Said::default()
        }
    };
    let (input, output) = (asked.body.to_string().len() as u64 / 4, 40);
    assert!(
        asked.body["max_tokens"]
            .as_u64()
            .or(asked.body["max_completion_tokens"].as_u64())
            >= Some(output)
    );
    let mut body = say(&said);
    body["usage"] = json!({
        "prompt_tokens": input, "completion_tokens": output, "total_tokens": input + output,
    });
    (Answer::json(200, &body), input * INPUT + output * OUTPUT)
}

struct Place {
    folder: TempDir,
    config: String,
}

impl Place {
    fn new(provider: &Provider, config: &str) -> Place {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("{}/v1", provider.server.origin);
        let config = config.replace("{url}", &url);
        fs::write(folder.path().join("mailproof.yaml"), &config).unwrap();
        Place { folder, config }
    }

    /// Its exit code, stdout, and stderr.
    fn run(&self, arguments: &[&str]) -> (i32, String, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_mailproof"))
            .current_dir(self.folder.path())
            .args(arguments)
            .stdin(Stdio::null())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let code = output.status.code().unwrap();
        (code, text(&output.stdout), text(&output.stderr))
    }

    fn lines(&self, experiment: &str) -> Vec<Value> {
        let path = self.folder.path().join("reports").join(experiment);
        let journal = fs::read_to_string(path.join("journal.jsonl")).unwrap();
        journal
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    fn report(&self, experiment: &str) -> Value {
        let path = self.folder.path().join("reports").join(experiment);
        let report = fs::read_to_string(path.join("report.json")).unwrap();
        serde_json::from_str(&report).unwrap()
    }
}

const PRICED: &str = r#"
agent: workflow
judge: none
model: "openai:m"
models:
  "openai:m": { base_url: "{url}", max_tokens: 60 }
prices:
  "openai:m": { input: 0.05, output: 0.2 }
"#;

fn trillionths(usd: &Value) -> u64 {
    (usd.as_f64().unwrap_or_else(|| panic!("{usd} is no amount")) * 1e12).round() as u64
}

#[test]
fn a_budget_holds_at_any_concurrency_by_the_provider_s_own_count() {
    let provider = Provider::new(40);
    let place = Place::new(&provider, PRICED);
    let run = ["run", "-j", "64", "--budget-usd", "0.01", "-e", "b"];
    let (code, _, stderr) = place.run(&run);
    assert_eq!(code, 102, "{stderr}");
    assert!(
        stderr.contains("larger budget") && stderr.contains("--resume"),
        "{stderr}"
    );
    // No less than most of it was used, or the limit would be kept by doing nothing.
    let first = provider.bill();
    assert!((CENT / 2..=CENT).contains(&first), "{first} of {CENT}");

    // The journal is whole: nothing in it was spoiled by the limit, and the end says why.
    let lines = place.lines("b");
    let outcomes = lines
        .iter()
        .filter_map(|line| line["attempt"]["outcome"].as_str());
    let outcomes: Vec<&str> = outcomes.collect();
    assert!(
        !outcomes.is_empty() && outcomes.iter().all(|it| *it == "finished"),
        "{outcomes:?}"
    );
    let ended = &lines.last().unwrap()["ended"];
    assert_eq!(ended["halted"]["because"], "budget", "{ended}");
    let spent = trillionths(&ended["spent_usd"]);
    assert!((first..=CENT).contains(&spent), "{spent}, billed {first}");
    assert_eq!(
        trillionths(&place.report("b")["environment"]["spent_usd"]),
        spent
    );

    // What was spent stays spent.
    let again = [
        "run",
        "--resume",
        "-j",
        "64",
        "--budget-usd",
        "0.01",
        "-e",
        "b",
    ];
    let (code, _, stderr) = place.run(&again);
    assert_eq!(code, 102, "{stderr}");
    assert!(provider.bill() <= CENT, "{}", provider.bill());

    let more = [
        "run",
        "--resume",
        "-j",
        "64",
        "--budget-usd",
        "1",
        "-e",
        "b",
    ];
    let (code, _, stderr) = place.run(&more);
    assert_eq!(code, 0, "{stderr}");
    let report = place.report("b");
    assert_eq!(report["coverage"]["scored"], report["coverage"]["planned"]);
    let spent = trillionths(&report["environment"]["spent_usd"]);
    let known = trillionths(&report["variants"][0]["cost_usd"]);
    let bill = provider.bill();
    assert!(
        known <= bill && bill <= spent && spent < 100 * CENT,
        "{known}, {bill}, {spent}"
    );
}

#[test]
fn a_budget_is_refused_before_anything_runs_where_a_call_has_no_worst_cost() {
    let provider = Provider::new(u64::MAX);
    for (config, words) in [
        (
            PRICED
                .replace("prices:", "#")
                .replace("  \"openai:m\": { input", "# "),
            "`openai:m` is neither published nor stated",
        ),
        (PRICED.replace(", max_tokens: 60", ""), "max_tokens: 1024"),
        (
            PRICED.replace("input: 0.05", "input: -1"),
            "mailproof.yaml:8:24",
        ),
        (
            format!("{PRICED}router_model: \"openai:other\"\n"),
            "`openai:other`",
        ),
    ] {
        let place = Place::new(&provider, &config);
        let (code, _, stderr) = place.run(&["run", "--limit", "2", "--budget-usd", "1"]);
        assert_eq!(code, 2, "{stderr}");
        assert!(stderr.contains(words), "{}\n{stderr}", place.config);
        assert!(!place.folder.path().join("reports").exists());
    }
    assert!(provider.server.asked().is_empty());
    // The embedded model, and one's own servers, cost nothing and need neither.
    let free = PRICED.replace("input: 0.05, output: 0.2", "input: 0, output: 0");
    let place = Place::new(&provider, &free);
    let (code, _, stderr) = place.run(&["run", "-m", "rules", "--limit", "2", "--budget-usd", "0"]);
    assert_eq!(code, 0, "{stderr}");
    let (code, _, stderr) = place.run(&["run", "--limit", "2", "--budget-usd", "0"]);
    assert_eq!(code, 0, "{stderr}");
}

#[test]
fn what_a_run_cost_is_the_same_at_any_concurrency_and_within_what_was_told() {
    let provider = Provider::new(u64::MAX);
    let place = Place::new(&provider, PRICED);
    let (code, plan, stderr) = place.run(&["run", "--limit", "12", "--dry-run", "--json"]);
    assert_eq!(code, 0, "{stderr}");
    assert!(provider.server.asked().is_empty());
    let plan: Value = serde_json::from_str(&plan).unwrap();
    let mut usages = Vec::new();
    for (concurrency, name) in [("1", "one"), ("12", "twelve")] {
        let before = provider.bill();
        let (code, stdout, stderr) =
            place.run(&["run", "--limit", "12", "-j", concurrency, "-e", name]);
        assert_eq!(code, 0, "{stderr}");
        assert!(stdout.contains("per attempt"), "{stdout}");
        let variant = place.report(name)["variants"][0].clone();
        let billed = provider.bill() - before;
        assert_eq!(trillionths(&variant["cost_usd"]), billed);
        assert_eq!(
            trillionths(&place.report(name)["environment"]["spent_usd"]),
            billed
        );
        assert!(billed < trillionths(&plan["cost_usd"]["most"]), "{plan}");
        usages.push((
            variant["usage"].clone(),
            variant["attempt_cost_usd"].clone(),
        ));
    }
    assert_eq!(usages[0], usages[1]);
}
