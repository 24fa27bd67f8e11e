//! Providers that fail, for a moment or for good, and what is left of a run.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use super::Place;

const LABELS: [&str; 3] = ["respond", "notify", "ignore"];

/// What a request is answered with.
#[derive(Clone, Copy, PartialEq)]
enum Then {
    /// The right decision.
    Decide,
    /// This status, with these lines among the headers.
    Status(u16, &'static str),
    /// The end of the connection, before the answer.
    Reset,
    /// Half of the answer.
    Cut,
    /// Nothing, for longer than anybody waits.
    Hang,
}

/// One request: the email it is about and how often that one came before, both from 0, and
/// the key.
struct Asked {
    email: usize,
    before: usize,
    key: String,
}

/// What a server counted.
#[derive(Clone, Default)]
struct Seen {
    requests: u64,
    decided: u64,
    /// By email.
    asked: BTreeMap<usize, usize>,
}

/// A provider on loopback.
struct Server {
    url: String,
    seen: Arc<Mutex<Seen>>,
}

impl Server {
    fn start(then: impl Fn(&Asked) -> Then + Send + Sync + 'static) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Seen::default()));
        let (then, log) = (Arc::new(then), Arc::clone(&seen));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (then, log) = (Arc::clone(&then), Arc::clone(&log));
                thread::spawn(move || {
                    // The client may go away at any time; a test sees what it then says.
                    let _ = serve(&stream.unwrap(), &*then, &log);
                });
            }
        });
        Server { url, seen }
    }

    fn seen(&self) -> Seen {
        self.seen.lock().unwrap().clone()
    }
}

fn serve(
    mut stream: &TcpStream,
    then: &dyn Fn(&Asked) -> Then,
    seen: &Mutex<Seen>,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    loop {
        let (mut length, mut key) = (0, String::new());
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
            if line.trim_end().is_empty() {
                break;
            }
            let (name, value) = line.split_once(':').unwrap_or((&line, ""));
            match &*name.to_ascii_lowercase() {
                "content-length" => length = value.trim().parse().unwrap(),
                "authorization" => key = value.trim().trim_start_matches("Bearer ").to_owned(),
                _ => {}
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let body = String::from_utf8(body).unwrap();
        let (_, email) = body.split_once("Case number ").expect("an email");
        let email: String = email.chars().take_while(char::is_ascii_digit).collect();
        let email: usize = email.parse().unwrap();
        let then = {
            let mut seen = seen.lock().unwrap();
            let asked = seen.asked.entry(email).or_default();
            let before = *asked;
            *asked += 1;
            let then = then(&Asked { email, before, key });
            seen.requests += 1;
            seen.decided += u64::from(then == Then::Decide);
            then
        };
        let decision = json!({
            "reasoning": "Its number says so.", "classification": LABELS[email % 3],
        });
        let (status, headers, body) = match then {
            Then::Reset => return Ok(()),
            Then::Hang => {
                thread::sleep(Duration::from_secs(30));
                return Ok(());
            }
            Then::Decide | Then::Cut => {
                let message = json!({ "role": "assistant", "content": decision.to_string() });
                let body = json!({
                    "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "m",
                    "choices": [{ "index": 0, "message": message, "finish_reason": "stop" }],
                    "usage": { "prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18 },
                });
                (200, "", body)
            }
            Then::Status(status, headers) => {
                let error = json!({ "error": { "message": format!("no ({status})") } });
                (status, headers, error)
            }
        };
        let body = body.to_string();
        let whole = body.len();
        let sent = if then == Then::Cut { whole / 2 } else { whole };
        // In one piece: the system holds small ones back.
        let answer = format!(
            "HTTP/1.1 {status} Words\r\nContent-Type: application/json\r\nContent-Length: {whole}\r\n{headers}\r\n{}",
            &body[..sent],
        );
        stream.write_all(answer.as_bytes())?;
        if then == Then::Cut {
            return Ok(());
        }
    }
}

/// An experiment of so many emails, one model call each.
fn experiment(emails: usize) -> Place {
    let place = Place::new();
    let email = |number: usize| {
        let email = json!({
            "id": format!("e{number}"),
            "email": {
                "from": "a@example.com", "to": "b@example.com",
                "subject": "Hello", "body": format!("Case number {number}."),
            },
            "expect": { "triage": LABELS[number % 3] },
        });
        format!("{email}\n")
    };
    place.write("emails.jsonl", &(0..emails).map(email).collect::<String>());
    place.write(
        "mailproof.yaml",
        "models:\n  openai:m: { request_timeout: 1s }\n",
    );
    place
}

/// Runs `triage` with `more` arguments; the exit code and stderr.
fn run(place: &Place, server: &Server, key: &str, more: &[&str]) -> (Option<i32>, String) {
    let arguments = [
        "run",
        "triage",
        "-d",
        "emails.jsonl",
        "-a",
        "workflow",
        "-m",
        "openai:m",
    ];
    let arguments = if more.contains(&"--resume") {
        [&["run"], more].concat()
    } else {
        [&arguments, more].concat()
    };
    let output = place
        .command(&arguments)
        .env("OPENAI_BASE_URL", &server.url)
        .env("OPENAI_API_KEY", key)
        .output()
        .unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(!stderr.contains("panicked"), "{stderr}");
    (output.status.code(), stderr)
}

/// Every case is in the journal once, scored and right.
fn assert_complete(place: &Place, name: &str, cases: usize) {
    let report = place.report(name);
    let counts = &report["variants"][0]["counts"];
    let expected = json!({
        "examples": cases, "attempts": cases, "scored": cases, "passed": cases, "failed": 0,
        "errors": 0,
    });
    for (key, value) in expected.as_object().unwrap() {
        assert_eq!(&counts[key], value, "{key}");
    }
    assert_eq!(place.attempts(name).len(), cases);
    let end = &report["environment"]["end_reason"];
    assert_eq!(end, "complete");
}

/// The `ended` line of the last sitting.
fn ended(place: &Place, name: &str) -> Value {
    let lines = super::lines(&place.path(&format!("reports/{name}/journal.jsonl")));
    let mut ended = lines.iter().filter_map(|line| line.get("ended"));
    ended.next_back().expect("it ended in order").clone()
}

/// From 0 to 999: the same for the same two numbers, and otherwise without pattern.
fn thousandth(email: usize, before: usize) -> u64 {
    let mut state = (email as u64) << 32 | before as u64;
    // Source: S. Vigna's splitmix64.
    state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (state ^ (state >> 31)) % 1000
}

#[test]
fn with_three_in_ten_requests_failing_every_case_is_scored() {
    const CASES: usize = 2000;
    let server = Server::start(|asked| match thousandth(asked.email, asked.before) {
        // Nobody is so unlucky that waiting twice as long each time is all that is tested.
        _ if asked.before >= 3 => Then::Decide,
        _ if asked.before == 0 && asked.email % 1000 == 500 => {
            Then::Status(429, "Retry-After: 1\r\n")
        }
        0..30 => Then::Status(429, ""),
        30..50 => Then::Status(429, "Retry-After: 0\r\n"),
        50..55 => Then::Status(503, ""),
        55..165 => Then::Status(500, ""),
        165..240 => Then::Reset,
        240..299 => Then::Cut,
        299 => Then::Hang,
        _ => Then::Decide,
    });
    let place = experiment(CASES);
    let arguments = ["-e", "faults", "-j", "128"];
    let (code, stderr) = run(&place, &server, "k", &arguments);
    assert_eq!(code, Some(0), "{stderr}");
    assert_complete(&place, "faults", CASES);

    let seen = server.seen();
    let failed = seen.requests - seen.decided;
    assert!(failed > 700, "{failed} failures were injected");
    // A busy machine may give an answer up that was on its way; nothing else is asked again.
    let ended = ended(&place, "faults");
    let traffic: Vec<&Value> = ended["traffic"].as_object().unwrap().values().collect();
    assert_eq!(traffic.len(), 1);
    let count = |key: &str| traffic[0][key].as_u64().unwrap();
    let failures = traffic[0]["failures"].as_object().unwrap();
    let told: u64 = failures.values().map(|count| count.as_u64().unwrap()).sum();
    assert_eq!(count("replies"), CASES as u64);
    assert_eq!(count("requests"), CASES as u64 + told);
    assert_eq!(count("retries"), told);
    assert!(told >= failed && told <= failed + 20, "{told} and {failed}");
    assert!(seen.requests <= count("requests"), "{}", seen.requests);
    for kind in [
        "rate_limited",
        "overloaded",
        "server",
        "network",
        "request_timeout",
    ] {
        assert!(failures.contains_key(kind), "{kind}: {failures:?}");
    }
    assert!(count("fewest_allowed") < 128 && count("most_in_flight") <= 128);
}

#[test]
fn an_outage_ends_the_run_without_a_trace_and_resuming_makes_up_for_it() {
    const CASES: usize = 100;
    let healthy = Arc::new(Mutex::new(false));
    let is_up = Arc::clone(&healthy);
    let server = Server::start(
        move |asked| match *is_up.lock().unwrap() || asked.email < 20 {
            true => Then::Decide,
            false => Then::Status(429, "Retry-After: 0\r\n"),
        },
    );
    let place = experiment(CASES);
    let (code, stderr) = run(&place, &server, "k", &["-e", "outage"]);
    assert_eq!(code, Some(5), "{stderr}");
    let told = "stopped: `openai:m` failed 12 times in a row";
    assert_eq!(stderr.matches(told).count(), 1, "{stderr}");
    assert!(
        stderr.contains("`mailproof run --resume -e outage` goes on"),
        "{stderr}"
    );
    let attempts = place.attempts("outage");
    assert_eq!(attempts.len(), 20);
    assert!(
        attempts
            .iter()
            .all(|attempt| attempt["outcome"] == "finished")
    );
    assert_eq!(ended(&place, "outage")["halted"]["because"], "circuit_open");
    let report = place.report("outage");
    assert_eq!(report["environment"]["end_reason"], "halted");
    assert_eq!(report["variants"][0]["counts"]["errors"], 0);
    let first = server.seen().requests;
    assert!(first < 20 + 300, "{first} requests until it was given up");

    *healthy.lock().unwrap() = true;
    let (code, stderr) = run(&place, &server, "k", &["--resume", "-e", "outage"]);
    assert_eq!(code, Some(0), "{stderr}");
    assert_complete(&place, "outage", CASES);
    let seen = server.seen();
    assert_eq!(
        seen.requests,
        first + 80,
        "what was recorded is not asked again"
    );
    assert!((0..20).all(|email| seen.asked[&email] == 1));
}

#[test]
fn what_is_wrong_with_the_account_is_one_error_and_can_be_mended() {
    for (status, exit, told) in [
        (401, 2, "`openai:m` cannot be asked with this key"),
        (404, 2, "`openai:m` is not to be found"),
        (402, 5, "the account of `openai:m` is used up"),
    ] {
        let server = Server::start(move |asked| match &*asked.key {
            "good" => Then::Decide,
            _ => Then::Status(status, ""),
        });
        let place = experiment(40);
        let (code, stderr) = run(&place, &server, "bad", &["-e", "account"]);
        assert_eq!(code, Some(exit), "{stderr}");
        assert_eq!(stderr.matches(told).count(), 1, "{stderr}");
        assert_eq!(
            stderr.matches(&format!("no ({status})")).count(),
            1,
            "{stderr}"
        );
        assert!(place.attempts("account").is_empty());
        let requests = server.seen().requests;
        assert!(requests <= 16, "{requests} requests, of 16 in flight");

        let (code, stderr) = run(&place, &server, "good", &["--resume", "-e", "account"]);
        assert_eq!(code, Some(0), "{stderr}");
        assert_complete(&place, "account", 40);
    }
}

#[test]
fn a_run_out_of_time_is_incomplete_and_goes_on() {
    let slow = Arc::new(Mutex::new(true));
    let is_slow = Arc::clone(&slow);
    let server = Server::start(
        move |asked| match *is_slow.lock().unwrap() && asked.email >= 5 {
            true => Then::Hang,
            false => Then::Decide,
        },
    );
    let place = experiment(10);
    let arguments = ["-e", "slow", "-j", "1", "--run-timeout", "2s"];
    let (code, stderr) = run(&place, &server, "k", &arguments);
    assert_eq!(code, Some(5), "{stderr}");
    assert!(
        stderr.contains("stopped: the time limit of the run, 2s, passed"),
        "{stderr}"
    );
    assert_eq!(place.attempts("slow").len(), 5);
    *slow.lock().unwrap() = false;
    let (code, stderr) = run(&place, &server, "k", &["--resume", "-e", "slow"]);
    assert_eq!(code, Some(0), "{stderr}");
    assert_complete(&place, "slow", 10);
}
