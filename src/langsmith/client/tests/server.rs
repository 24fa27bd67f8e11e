//! A server on loopback that answers as it is told.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use ruzstd::decoding::StreamingDecoder;
use serde_json::Value;

/// One request as it came, its body as it was before it was compressed.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Method, path, and query: `GET /datasets?limit=1`.
    pub line: String,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Asked {
    pub fn header(&self, wanted: &str) -> Option<&str> {
        let mut found = self.headers.iter();
        let found = found.find(|(name, _)| name == wanted);
        found.map(|(_, value)| value.as_str())
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

#[derive(Clone, Debug)]
pub enum Reply {
    /// A status, whole header lines, and a body.
    Says(u16, String, String),
    /// The connection ends where an answer should be.
    Nothing,
    /// An answer that ends before it is whole.
    Half,
}

pub fn says(status: u16, body: impl ToString) -> Reply {
    Reply::Says(status, String::new(), body.to_string())
}

pub struct Server {
    pub origin: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Server {
    /// Answers each request by its number, from 0 on, and by what it asks.
    pub fn start(answer: impl Fn(usize, &Asked) -> Reply + Send + 'static) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Server {
            origin: format!("http://{}", listener.local_addr().unwrap()),
            asked: Arc::default(),
        };
        let log = Arc::clone(&server.asked);
        thread::spawn(move || {
            // One connection a request, and one after the other.
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let Ok(asked) = read(&stream) else { continue };
                let number = log.lock().unwrap().len();
                let reply = answer(number, &asked);
                log.lock().unwrap().push(asked);
                // A client that went away is what a test may want.
                let _ = write(&mut stream, &reply);
            }
        });
        server
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    pub fn lines(&self) -> Vec<String> {
        self.asked().into_iter().map(|asked| asked.line).collect()
    }
}

fn read(stream: &TcpStream) -> std::io::Result<Asked> {
    let mut reader = BufReader::new(stream);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let headers = lines[1..].iter().filter_map(|line| line.split_once(':'));
    let headers = headers.map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()));
    let mut asked = Asked {
        line: lines[0].trim_end_matches(" HTTP/1.1").to_owned(),
        headers: headers.collect(),
        body: String::new(),
    };
    let length = asked.header("content-length");
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    reader.read_exact(&mut body)?;
    if asked.header("content-encoding") == Some("zstd") {
        let mut whole = Vec::new();
        let mut decoder = StreamingDecoder::new(body.as_slice()).unwrap();
        decoder.read_to_end(&mut whole)?;
        body = whole;
    }
    asked.body = String::from_utf8(body).unwrap();
    Ok(asked)
}

fn write(stream: &mut TcpStream, reply: &Reply) -> std::io::Result<()> {
    match reply {
        Reply::Nothing => Ok(()),
        Reply::Half => stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n[]"),
        Reply::Says(status, headers, body) => {
            let length = body.len();
            write!(
                stream,
                "HTTP/1.1 {status} Words\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
            )
        }
    }
}
