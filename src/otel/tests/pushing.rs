//! How spans get to a collector.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceResponse,
};
use prost::Message as _;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::super::collector::{self, Collector, attributes, taken};
use super::super::export::{ExportError, Exporter, Taken};
use super::super::push::{Pushed, ReadError, Stopped, push};
use super::super::settings::Settings;
use super::super::telling::Telling;
use super::{attempt, header, nothing_secret};
use crate::experiment::layer::Scored;

/// Three spans an attempt.
const SPANS: u64 = 3;

/// A folder with an experiment of so many attempts, of both variants in turn.
fn experiment(attempts: u32) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let prompt =
        json!({ "prompt": { "hash": "00ff", "content": { "system": "the system text" } } });
    let mut lines = vec![json!({ "header": header() }), prompt];
    let attempts =
        (0..attempts).map(|number| json!({ "attempt": attempt(number % 2, number / 2) }));
    lines.extend(attempts);
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    fs::write(folder.path().join("journal.jsonl"), text).unwrap();
    folder
}

fn exporter(collector: &Collector, variables: &[(&str, &str)]) -> Exporter {
    let settings = Settings::read(|name| match name {
        "OTEL_EXPORTER_OTLP_ENDPOINT" => Some(collector.url()),
        _ => {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        }
    });
    Exporter::new(settings.unwrap()).unwrap()
}

async fn pushed(folder: &Path, exporter: &Exporter) -> (Result<Pushed, Stopped>, u64) {
    let mut scored = Scored::open(folder, None).unwrap();
    let header = scored.header().clone();
    let redactor = nothing_secret();
    let resource = [("service.name".to_owned(), "mine".to_owned())];
    let telling = Telling {
        header: &header,
        content: true,
        resource: &resource,
        redactor: &redactor,
    };
    let mut told_of = 0;
    let result = push(&mut scored, &telling, exporter, || told_of += 1).await;
    (result, told_of)
}

#[tokio::test]
async fn an_experiment_comes_whole_in_bounded_batches_in_either_form() {
    let folder = experiment(400);
    let mut came = Vec::new();
    for protocol in ["http/protobuf", "http/json"] {
        let collector = Collector::start(|_, _| taken());
        let exporter = exporter(&collector, &[("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)]);
        let (result, told_of) = pushed(folder.path(), &exporter).await;
        let expected = Pushed {
            attempts: 400,
            spans: 400 * SPANS,
            ..Pushed::default()
        };
        assert_eq!(result.unwrap(), expected);
        assert_eq!((told_of, collector.requests().len()), (400, 3));
        came.push(collector.spans());
    }
    let json = came.pop().unwrap();
    assert_eq!(came.pop().unwrap(), json);
    assert_eq!(json.len() as u64, 400 * SPANS);
    let roots: Vec<&Value> = json
        .iter()
        .filter(|span| collector::is_root(span))
        .collect();
    assert_eq!(roots.len(), 400);
    let of = |variant: &str| {
        let roots = roots.iter();
        roots
            .filter(|span| span["resource"]["mailproof.variant"] == variant)
            .count()
    };
    assert_eq!((of("baseline@fast"), of("workflow@rules")), (200, 200));
    assert_eq!(json[0]["resource"]["service.name"], "mine");
    assert_eq!(json[0]["resource"]["service.version"], "1.2.3");
    // The prompt stands in the journal once.
    let system = |span: &Value| {
        let said = attributes(&span["attributes"]);
        said.get("gen_ai.system_instructions").cloned()
    };
    let expected = Value::from(r#"[{"type":"text","content":"the system text"}]"#);
    let asked = json.iter().filter_map(system);
    assert_eq!(asked.filter(|system| *system == expected).count(), 400);
}

#[tokio::test]
async fn what_the_collector_rejects_is_counted_and_said() {
    let folder = experiment(2);
    let collector = Collector::start(|_, spans| {
        let partial = ExportTracePartialSuccess {
            rejected_spans: spans.len() as i64 - 1,
            error_message: "too old".to_owned(),
        };
        let answer = ExportTraceServiceResponse {
            partial_success: Some(partial),
        };
        (200, "application/x-protobuf", answer.encode_to_vec())
    });
    let (result, _) = pushed(folder.path(), &exporter(&collector, &[])).await;
    let expected = Pushed {
        attempts: 2,
        spans: 1,
        rejected: 2 * SPANS - 1,
        said: vec!["too old".to_owned()],
    };
    assert_eq!(result.unwrap(), expected);
}

#[tokio::test]
async fn a_batch_that_is_too_large_is_halved_until_it_fits() {
    let folder = experiment(4);
    let collector = Collector::start(|_, spans| match spans {
        [one] if one["name"] == "respond" => (413, "text/plain", Vec::new()),
        spans if spans.len() > 4 => (413, "text/plain", Vec::new()),
        spans if spans.len() > 1 && spans.iter().any(|span| span["name"] == "respond") => {
            (413, "text/plain", Vec::new())
        }
        _ => taken(),
    });
    let (result, _) = pushed(folder.path(), &exporter(&collector, &[])).await;
    let result = result.unwrap();
    assert_eq!((result.spans, result.rejected), (4 * (SPANS - 1), 4));
    assert_eq!(result.said.len(), 1);
    assert!(
        result.said[0].contains("too large (413)"),
        "{}",
        result.said[0]
    );
}

#[tokio::test]
async fn where_the_collector_takes_no_more_the_rest_is_counted() {
    let folder = experiment(400);
    let collector = Collector::start(|number, _| match number {
        0 => taken(),
        _ => (400, "application/json", br#"{"message":"no"}"#.to_vec()),
    });
    let (result, told_of) = pushed(folder.path(), &exporter(&collector, &[])).await;
    let Stopped {
        unread: None,
        unsent: Some(error),
        pushed,
        left,
    } = result.unwrap_err()
    else {
        panic!("the journal can be read");
    };
    assert_eq!(
        error.to_string(),
        format!("{} answered 400: no", collector.url())
    );
    assert_eq!((pushed.spans, left), (512, 400 * SPANS - 512));
    assert_eq!((told_of, collector.requests().len()), (400, 2));
}

#[tokio::test]
async fn where_the_journal_can_be_read_no_further_what_was_read_is_sent() {
    let folder = experiment(3);
    let journal = folder.path().join("journal.jsonl");
    let text = fs::read_to_string(&journal).unwrap();
    let (whole, last) = text.trim_end().rsplit_once('\n').unwrap();
    fs::write(&journal, format!("{whole}\nnonsense\n{last}\n")).unwrap();
    for taking in [true, false] {
        let collector = Collector::start(move |_, _| match taking {
            true => taken(),
            false => (400, "text/plain", b"no".to_vec()),
        });
        let (result, told_of) = pushed(folder.path(), &exporter(&collector, &[])).await;
        let stopped = result.unwrap_err();
        let sent = if taking { 2 * SPANS } else { 0 };
        let expected = Pushed {
            attempts: 2,
            spans: sent,
            ..Pushed::default()
        };
        assert_eq!((stopped.pushed, told_of), (expected, 2));
        assert_eq!(stopped.left, 2 * SPANS - sent);
        assert!(matches!(stopped.unread, Some(ReadError::Layer(_))));
        assert_eq!(stopped.unsent.is_none(), taking);
    }
}

#[tokio::test]
async fn headers_are_sent_and_kept_secret() {
    let collector = Collector::start(|_, _| {
        let said = "you sent Basic cGstbGYtMTpzay1sZi0x, or cGstbGYtMTpzay1sZi0x";
        (401, "text/plain", said.as_bytes().to_vec())
    });
    let variables = [(
        "OTEL_EXPORTER_OTLP_HEADERS",
        "authorization=Basic%20cGstbGYtMTpzay1sZi0x,x-langfuse-ingestion-version=4",
    )];
    let exporter = exporter(&collector, &variables);
    let error = exporter.send(&Default::default()).await.unwrap_err();
    let ExportError::Denied { status: 401, .. } = &error else {
        panic!("{error}");
    };
    for text in [error.to_string(), format!("{exporter:?}{error:?}")] {
        assert!(!text.contains("cGst"), "{text}");
    }
    let headers = &collector.requests()[0].headers;
    assert_eq!(headers["authorization"], "Basic cGstbGYtMTpzay1sZi0x");
    assert_eq!(headers["x-langfuse-ingestion-version"], "4");
    assert!(headers["user-agent"].starts_with("mailproof/"));
}

#[tokio::test]
async fn an_answer_that_says_nothing_readable_is_still_an_answer() {
    let collector = Collector::start(|_, _| (200, "application/json", vec![b'['; 100_000]));
    let taken = exporter(&collector, &[]).send(&Default::default()).await;
    assert_eq!(taken, Ok(Taken::default()));
}

/// Answers one connection after the other with a body that breaks off, each with the next of
/// `statuses`, and says how many there were.
fn breaking_off(statuses: &'static [u16]) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    thread::spawn(move || {
        for status in statuses {
            let (mut stream, _) = listener.accept().unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let lines = (&mut reader).lines().map(Result::unwrap);
            let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
            let length = head.iter().find_map(|line| {
                let (name, value) = line.split_once(": ")?;
                (name.eq_ignore_ascii_case("content-length")).then(|| value.parse().unwrap())
            });
            let mut body = vec![0; length.unwrap_or(0)];
            reader.read_exact(&mut body).unwrap();
            counted.fetch_add(1, Ordering::SeqCst);
            let head = "Retry-After: 0\r\nContent-Length: 100\r\nConnection: close";
            write!(stream, "HTTP/1.1 {status} Said\r\n{head}\r\n\r\nbroken").unwrap();
        }
    });
    (address, asked)
}

#[tokio::test]
async fn the_status_counts_where_the_rest_of_an_answer_breaks_off() {
    for (statuses, taken) in [
        (&[200, 200][..], true),
        (&[503, 202, 202], true),
        (&[400, 200], false),
    ] {
        let (address, asked) = breaking_off(statuses);
        let settings = Settings::read(|name| match name {
            "OTEL_EXPORTER_OTLP_ENDPOINT" => Some(address.clone()),
            _ => None,
        });
        let exporter = Exporter::new(settings.unwrap()).unwrap();
        let sent = exporter.send(&Default::default()).await;
        assert_eq!(sent.is_ok(), taken, "{statuses:?}: {sent:?}");
        assert_eq!(asked.load(Ordering::SeqCst), statuses.len() - 1);
    }
}
