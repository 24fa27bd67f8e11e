//! A server on loopback that accepts what the protocol allows and nothing else.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::{Value, json};

/// One request as it came.
#[derive(Clone, Debug)]
pub struct Asked {
    pub authorization: Option<String>,
    pub body: Value,
}

pub struct Answer {
    pub status: u16,
    pub headers: String,
    pub body: Vec<u8>,
    /// Fewer bytes than announced, and then the end of the connection.
    pub cut: Option<usize>,
}

impl Answer {
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Answer {
        Answer {
            status,
            headers: String::new(),
            body: body.into(),
            cut: None,
        }
    }

    /// A completion that holds this message.
    pub fn message(message: Value) -> Answer {
        let body = json!({
            "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "m",
            "choices": [{ "index": 0, "message": message, "finish_reason": "stop", "logprobs": null }],
            "usage": { "prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18 },
        });
        Answer::new(200, body.to_string())
    }

    /// Calls of these tools, the arguments being text.
    pub fn calls(calls: &[(&str, String)]) -> Answer {
        let calls: Vec<_> = calls
            .iter()
            .enumerate()
            .map(|(index, (name, arguments))| {
                json!({
                    "id": format!("call_{index}"), "type": "function",
                    "function": { "name": name, "arguments": arguments },
                })
            })
            .collect();
        Answer::message(json!({ "role": "assistant", "content": null, "tool_calls": calls }))
    }
}

pub struct Server {
    /// The base URL.
    pub url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Server {
    /// Answers every request that is as it should be, and the others with what is wrong.
    pub fn start(answer: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (answer, log) = (Arc::new(answer), Arc::clone(&asked));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (answer, log) = (Arc::clone(&answer), Arc::clone(&log));
                thread::spawn(move || {
                    // The client may go away at any time; a test sees what it then says.
                    let _ = serve(&stream.unwrap(), &*answer, &log);
                });
            }
        });
        Server { url, asked }
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

fn serve(
    stream: &TcpStream,
    answer: &dyn Fn(&Asked) -> Answer,
    log: &Mutex<Vec<Asked>>,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    loop {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
            match line.trim_end() {
                "" => break,
                line => lines.push(line.to_owned()),
            }
        }
        let header = |wanted: &str| {
            lines.iter().skip(1).find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case(wanted)
                    .then(|| value.trim().to_owned())
            })
        };
        let length = header("content-length").and_then(|length| length.parse().ok());
        let mut body = vec![0; length.unwrap_or(0)];
        reader.read_exact(&mut body)?;
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        let wrong = if lines[0] != "POST /v1/chat/completions HTTP/1.1" {
            Err(format!("not to be asked: {}", lines[0]))
        } else if header("content-type").as_deref() != Some("application/json") {
            Err("the body must be JSON".to_owned())
        } else {
            check(&body)
        };
        let asked = Asked {
            authorization: header("authorization"),
            body,
        };
        let answer = match wrong {
            Ok(()) => answer(&asked),
            Err(wrong) => Answer::new(400, json!({ "error": { "message": wrong } }).to_string()),
        };
        log.lock().unwrap().push(asked);
        let mut stream = stream;
        write!(
            stream,
            "HTTP/1.1 {} Words\r\nContent-Type: application/json\r\nContent-Length: {}\r\n{}\r\n",
            answer.status,
            answer.body.len(),
            answer.headers,
        )?;
        stream.write_all(&answer.body[..answer.cut.unwrap_or(answer.body.len())])?;
        if answer.cut.is_some() {
            return Ok(());
        }
    }
}

/// What the protocol asks of a request.
fn check(body: &Value) -> Result<(), String> {
    let ensure = |holds: bool, what: &str| {
        let told = || format!("{what}: {body}");
        if holds { Ok(()) } else { Err(told()) }
    };
    let known = [
        "model",
        "messages",
        "tools",
        "tool_choice",
        "response_format",
        "temperature",
    ];
    let object = body.as_object().ok_or("no object")?;
    ensure(
        object.keys().all(|key| known.contains(&key.as_str())),
        "unknown field",
    )?;
    ensure(body["model"] == "m", "unknown model")?;
    ensure(body["temperature"] == 0, "temperature")?;

    let named = |name: &Value| {
        let allowed = |symbol: char| symbol.is_ascii_alphanumeric() || "_-".contains(symbol);
        name.as_str()
            .is_some_and(|name| !name.is_empty() && name.len() <= 64 && name.chars().all(allowed))
    };
    match object
        .get("tools")
        .map(|tools| tools.as_array().ok_or("tools"))
    {
        None => ensure(object.get("tool_choice").is_none(), "choice without tools")?,
        Some(tools) => {
            let tools = tools?;
            ensure(!tools.is_empty(), "empty tools")?;
            for tool in tools {
                let function = &tool["function"];
                ensure(
                    tool["type"] == "function" && named(&function["name"]),
                    "tool",
                )?;
                ensure(function["description"].is_string(), "description")?;
                ensure(function["parameters"]["type"] == "object", "parameters")?;
            }
            let choices = ["none", "auto", "required"].map(|choice| json!(choice));
            ensure(choices.contains(&body["tool_choice"]), "tool_choice")?;
        }
    }
    if let Some(format) = object.get("response_format") {
        let schema = &format["json_schema"];
        ensure(
            format["type"] == "json_schema" && named(&schema["name"]),
            "format",
        )?;
        ensure(schema["schema"]["type"] == "object", "schema")?;
        ensure(schema["strict"].is_boolean(), "strict")?;
    }

    let messages = body["messages"].as_array().ok_or("messages")?;
    let mut waiting: BTreeSet<&str> = BTreeSet::new();
    for (index, message) in messages.iter().enumerate() {
        let content = &message["content"];
        let role = message["role"].as_str().unwrap_or_default();
        ensure(
            waiting.is_empty() || role == "tool",
            "a call without its result",
        )?;
        match role {
            "system" => ensure(index == 0 && content.is_string(), "system")?,
            "user" => ensure(content.is_string(), "user")?,
            "tool" => {
                let id = message["tool_call_id"].as_str().unwrap_or_default();
                ensure(waiting.remove(id), "a result without its call")?;
                ensure(content.is_string(), "result")?;
            }
            "assistant" => {
                let calls = message["tool_calls"].as_array();
                let text = content.as_str().is_some_and(|text| !text.is_empty());
                ensure(calls.is_some() || text, "an empty message")?;
                for call in calls.into_iter().flatten() {
                    ensure(call["type"] == "function", "call")?;
                    ensure(named(&call["function"]["name"]), "call name")?;
                    let arguments = call["function"]["arguments"].as_str().unwrap_or_default();
                    let arguments: Result<Value, _> = serde_json::from_str(arguments);
                    ensure(arguments.is_ok_and(|value| value.is_object()), "arguments")?;
                    let id = call["id"].as_str().unwrap_or_default();
                    ensure(!id.is_empty() && waiting.insert(id), "id")?;
                }
            }
            _ => ensure(false, "role")?,
        }
    }
    ensure(waiting.is_empty(), "a call without its result")
}
