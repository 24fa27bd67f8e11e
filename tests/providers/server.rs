//! A server on loopback.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::Value;

/// One request as it came.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Method, path, and version.
    pub line: String,
    pub headers: Vec<(String, String)>,
    /// `null` where it was no JSON.
    pub body: Value,
}

impl Asked {
    pub fn header(&self, wanted: &str) -> Option<&str> {
        let mut found = self.headers.iter();
        let found = found.find(|(name, _)| name.eq_ignore_ascii_case(wanted));
        found.map(|(_, value)| value.as_str())
    }
}

#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    /// Whole lines.
    pub headers: String,
    pub body: Vec<u8>,
    pub delivery: Delivery,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    Whole,
    /// So many bytes, fewer than announced, and then the end of the connection.
    Cut(usize),
    /// A byte now and then, until nobody listens.
    Drip,
}

impl Answer {
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Answer {
        Answer {
            status,
            headers: String::new(),
            body: body.into(),
            delivery: Delivery::Whole,
        }
    }

    pub fn json(status: u16, body: &Value) -> Answer {
        Answer::new(status, body.to_string())
    }
}

pub struct Server {
    /// Without a path.
    pub origin: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    connections: Arc<AtomicUsize>,
}

impl Server {
    pub fn start(answer: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Server {
            origin: format!("http://{}", listener.local_addr().unwrap()),
            asked: Arc::default(),
            connections: Arc::default(),
        };
        let (asked, connections) = (Arc::clone(&server.asked), Arc::clone(&server.connections));
        let answer = Arc::new(answer);
        thread::spawn(move || {
            for stream in listener.incoming() {
                connections.fetch_add(1, Ordering::SeqCst);
                let (answer, asked) = (Arc::clone(&answer), Arc::clone(&asked));
                thread::spawn(move || {
                    // The client may go away at any time; a test sees what it then says.
                    let _ = serve(&stream.unwrap(), &*answer, &asked);
                });
            }
        });
        server
    }

    /// Begins an answer and resets the connection: what was sent is left unread.
    pub fn resetting() -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let _ = stream.read(&mut [0; 16]);
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"a\":");
            }
        });
        Server {
            origin,
            asked: Arc::default(),
            connections: Arc::default(),
        }
    }

    /// Nobody listens.
    pub fn absent() -> Server {
        Server {
            origin: nobody(),
            asked: Arc::default(),
            connections: Arc::default(),
        }
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

/// An address where nobody listens.
pub fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
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
        let headers = lines[1..].iter().filter_map(|line| line.split_once(':'));
        let headers = headers.map(|(name, value)| (name.to_owned(), value.trim().to_owned()));
        let mut asked = Asked {
            line: lines[0].clone(),
            headers: headers.collect(),
            body: Value::Null,
        };
        let length = asked.header("content-length");
        let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
        reader.read_exact(&mut body)?;
        asked.body = serde_json::from_slice(&body).unwrap_or_default();
        let answer = answer(&asked);
        log.lock().unwrap().push(asked);
        let mut stream = stream;
        write!(
            stream,
            "HTTP/1.1 {} Words\r\nContent-Type: application/json\r\nContent-Length: {}\r\n{}\r\n",
            answer.status,
            answer.body.len(),
            answer.headers,
        )?;
        match answer.delivery {
            Delivery::Whole => stream.write_all(&answer.body)?,
            Delivery::Cut(bytes) => return stream.write_all(&answer.body[..bytes]),
            Delivery::Drip => {
                for byte in answer.body {
                    stream.write_all(&[byte])?;
                    thread::sleep(Duration::from_millis(20));
                }
            }
        }
    }
}
