//! A collector for tests: takes OTLP/HTTP as strictly as the protocol is written, and keeps it.
//!
//! Source: OpenTelemetry Protocol specification 1.9, "OTLP/HTTP" and "JSON Protobuf Encoding".

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message as _;
use serde_json::{Map, Value};

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Received {
    pub path: String,
    /// Names in lower case.
    pub headers: BTreeMap<String, String>,
    /// As JSON, whatever it was.
    pub body: Value,
    /// What was answered.
    pub status: u16,
}

/// What is answered: status, content type, body.
pub type Answer = (u16, &'static str, Vec<u8>);

/// All is well.
pub fn taken() -> Answer {
    (200, "application/json", b"{}".to_vec())
}

pub struct Collector {
    address: SocketAddr,
    received: Arc<Mutex<Vec<Received>>>,
}

impl Collector {
    /// `answer` is given the number of the request, from 0, and the spans in it.
    pub fn start(answer: impl Fn(usize, &[Value]) -> Answer + Send + 'static) -> Collector {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let received: Arc<Mutex<Vec<Received>>> = Arc::default();
        let kept = Arc::clone(&received);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let stream = stream.unwrap();
                let Some(mut request) = read(&stream) else {
                    continue;
                };
                let spans = spans(&request.body);
                let mut kept = kept.lock().unwrap();
                let (status, kind, body) = answer(kept.len(), &spans);
                request.status = status;
                kept.push(request);
                drop(kept);
                write(stream, status, kind, &body);
            }
        });
        Collector { address, received }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn requests(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }

    /// Every span that was taken, in order, each with what its resource says under `resource`.
    /// Panics where anything is not as the protocol wants it.
    pub fn spans(&self) -> Vec<Value> {
        let mut all = Vec::new();
        for request in self.requests() {
            if request.status != 200 {
                continue;
            }
            assert_eq!(request.path, "/v1/traces");
            let strict = request.headers["content-type"] == "application/json";
            let found = spans(&request.body);
            for span in &found {
                check(span, strict);
            }
            all.extend(found);
        }
        check_parents(&all);
        all
    }
}

fn read(stream: &TcpStream) -> Option<Received> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let path = line.split(' ').nth(1)?.to_owned();
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            break;
        };
        headers.insert(name.to_ascii_lowercase(), value.to_owned());
    }
    let length = headers.get("content-length").map_or("0", String::as_str);
    let mut body = vec![0; length.parse().ok()?];
    reader.read_exact(&mut body).ok()?;
    let body = match headers.get("content-type").map(String::as_str) {
        Some("application/json") => serde_json::from_slice(&body).expect("it is JSON"),
        Some("application/x-protobuf") => {
            let request = ExportTraceServiceRequest::decode(&*body).expect("it is protobuf");
            serde_json::to_value(request).unwrap()
        }
        other => panic!("no content type of OTLP: {other:?}"),
    };
    Some(Received {
        path,
        headers,
        body,
        status: 0,
    })
}

fn write(mut stream: TcpStream, status: u16, kind: &str, body: &[u8]) {
    let head = format!(
        "HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    // The other side may be gone, which is its right.
    let _ = stream.write_all(head.as_bytes());
    let _ = stream.write_all(body);
}

fn spans(body: &Value) -> Vec<Value> {
    let mut all = Vec::new();
    for resource in list(&body["resourceSpans"]) {
        let said = attributes(&resource["resource"]["attributes"]);
        for scope in list(&resource["scopeSpans"]) {
            for span in list(&scope["spans"]) {
                let mut span = span.clone();
                span["resource"] = said.clone().into();
                span["scope"] = scope["scope"]["name"].clone();
                all.push(span);
            }
        }
    }
    all
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// Attributes by their keys, each value as what it is: whole numbers are strings on the wire.
pub fn attributes(list: &Value) -> Map<String, Value> {
    let mut found = Map::new();
    for attribute in list.as_array().expect("attributes are a list") {
        let key = attribute["key"].as_str().expect("a key is text");
        let double = found.insert(key.to_owned(), value(&attribute["value"]));
        assert_eq!(double, None, "`{key}` is there twice");
    }
    found
}

fn value(any: &Value) -> Value {
    let any = any.as_object().expect("a value is an object");
    assert_eq!(any.len(), 1, "one kind of value: {any:?}");
    let (kind, said) = any.iter().next().unwrap();
    match &**kind {
        "stringValue" => {
            let text = said.as_str().expect("text");
            assert!(!text.contains('\0'), "U+0000 in {text:?}");
            said.clone()
        }
        "boolValue" => said.as_bool().expect("true or false").into(),
        "intValue" => {
            let text = said.as_str().expect("whole numbers are strings in JSON");
            text.parse::<i64>().expect("64 bits").into()
        }
        "doubleValue" => said.as_f64().expect("a number").into(),
        "arrayValue" => said["values"]
            .as_array()
            .unwrap()
            .iter()
            .map(value)
            .collect(),
        other => panic!("`{other}` is no kind of value that is sent"),
    }
}

fn check(span: &Value, strict: bool) {
    let hex = |name: &str, bytes: usize| {
        let text = span[name].as_str().expect(name);
        let fits = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
        assert!(
            text.len() == bytes * 2 && text.chars().all(fits),
            "{name}: {text}"
        );
        assert!(text.chars().any(|c| c != '0'), "{name} means none");
    };
    hex("traceId", 16);
    hex("spanId", 8);
    if !is_root(span) {
        hex("parentSpanId", 8);
    }
    assert!(!span["name"].as_str().unwrap().is_empty());
    let kind = span["kind"].as_u64().expect("enums are numbers");
    assert!([1, 3].contains(&kind), "internal or client");
    if strict {
        assert!(span["startTimeUnixNano"].is_string(), "64 bits are strings");
    }
    assert!(time(span, "startTimeUnixNano") <= time(span, "endTimeUnixNano"));
    attributes(&span["attributes"]);
    for event in list(&span["events"]) {
        attributes(&event["attributes"]);
        assert_eq!(event["timeUnixNano"], span["endTimeUnixNano"]);
    }
    let code = span["status"]["code"].as_u64().unwrap_or(0);
    assert!([0, 2].contains(&code), "unset or error");
}

/// Every span's parent came, within the same trace, and was at work all the while.
fn check_parents(spans: &[Value]) {
    let id = |span: &Value, name: &str| {
        let text = |name: &str| span[name].as_str().unwrap().to_owned();
        (text("traceId"), text(name))
    };
    let known: BTreeMap<_, &Value> = spans
        .iter()
        .map(|span| (id(span, "spanId"), span))
        .collect();
    assert_eq!(known.len(), spans.len(), "a span came twice");
    let mut roots = BTreeSet::new();
    for span in spans {
        if is_root(span) {
            assert!(roots.insert(span["traceId"].as_str().unwrap()), "two roots");
            continue;
        }
        let parent = known[&id(span, "parentSpanId")];
        assert!(time(parent, "startTimeUnixNano") <= time(span, "startTimeUnixNano"));
        assert!(time(parent, "endTimeUnixNano") >= time(span, "endTimeUnixNano"));
        assert_eq!(parent["resource"], span["resource"]);
    }
}

pub fn is_root(span: &Value) -> bool {
    span["parentSpanId"].as_str().is_none_or(str::is_empty)
}

/// Nanoseconds since 1970.
pub fn time(span: &Value, name: &str) -> u64 {
    span[name].as_str().unwrap().parse().unwrap()
}
