//! The service on loopback: one request after the other, in memory, with faults as told.

use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;

use serde_json::Value;

use super::faults::{Fault, Faults, Rule};
use super::request::{Answer, Request, refuse};
use super::service::{Service, Settings};

/// A request that the service has seen, and what it answered, also where nobody heard it.
#[derive(Clone, Debug)]
pub struct Asked {
    pub request: Request,
    pub status: u16,
}

struct Place {
    service: Service,
    faults: Faults,
    asked: Vec<Asked>,
    /// All that came over the wire, before anything was made of it.
    wire: Vec<u8>,
    silent: Sender<String>,
}

pub struct Server {
    /// Without a path.
    pub origin: String,
    place: Arc<Mutex<Place>>,
    /// Says which requests are left without an answer: method and path.
    pub silence: Receiver<String>,
}

impl Server {
    pub fn start(settings: Settings) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (silent, silence) = channel();
        let server = Server {
            origin: format!("http://{}", listener.local_addr().unwrap()),
            place: Arc::new(Mutex::new(Place {
                service: Service::new(settings),
                faults: Faults::default(),
                asked: Vec::new(),
                wire: Vec::new(),
                silent,
            })),
            silence,
        };
        let place = Arc::clone(&server.place);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let place = Arc::clone(&place);
                // The client may go away at any time; a test sees what it then says.
                thread::spawn(move || {
                    let _ = serve(stream.unwrap(), &place);
                });
            }
        });
        server
    }

    fn place(&self) -> MutexGuard<'_, Place> {
        self.place.lock().expect("the service did not panic")
    }

    /// From here on, these and no others.
    pub fn faults(&self, rules: &[Rule]) {
        self.place().faults = Faults::new(rules);
    }

    pub fn configure(&self, change: impl FnOnce(&mut Settings)) {
        change(&mut self.place().service.settings);
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.place().asked.clone()
    }

    /// Requests that could have changed something, those that were refused among them.
    pub fn writes(&self) -> usize {
        self.writes_made().len()
    }

    /// The same: method, path, and what was answered.
    pub fn writes_made(&self) -> Vec<String> {
        let place = self.place();
        let writes = place.asked.iter().filter(|asked| asked.request.is_write());
        let told = |Asked { request, status }: &Asked| {
            format!("{} {} -> {status}", request.method, request.path)
        };
        writes.map(told).collect()
    }

    pub fn reads(&self) -> usize {
        self.place()
            .asked
            .iter()
            .filter(|asked| !asked.request.is_write())
            .count()
    }

    /// All that is there; runs whose parents never came are not to be.
    pub fn state(&self) -> Value {
        let place = self.place();
        let orphans = place.service.orphans();
        assert!(
            orphans.is_empty(),
            "runs without their parents: {orphans:?}"
        );
        place.service.state()
    }

    pub fn wire(&self) -> Vec<u8> {
        self.place().wire.clone()
    }
}

fn serve(stream: TcpStream, place: &Mutex<Place>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    while let Some(request) = read(&mut reader)? {
        let (fault, answer) = {
            let mut place = place.lock().expect("the service did not panic");
            place.wire.extend(&request.body);
            let fault = place.faults.next(&request);
            let answer = match fault {
                Some(Fault::Status {
                    status,
                    retry_after,
                }) => {
                    let mut answer = refuse(status, "not now");
                    if let Some(seconds) = retry_after {
                        answer.headers = format!("Retry-After: {seconds}\r\n");
                    }
                    answer
                }
                Some(Fault::LostRequest | Fault::Silence { done: false }) => refuse(0, "unseen"),
                None | Some(_) => place.service.answer(request.clone()),
            };
            let status = answer.status;
            let name = format!("{} {}", request.method, request.path);
            // What is logged can be read, where the service could read it.
            let request = request.clone().decoded(true).unwrap_or(request);
            if fault != Some(Fault::LostRequest) {
                place.asked.push(Asked { request, status });
            }
            if matches!(fault, Some(Fault::Silence { .. })) {
                place
                    .silent
                    .send(name)
                    .expect("the server outlives its requests");
            }
            (fault, answer)
        };
        let stream = reader.get_mut();
        match fault {
            Some(Fault::LostRequest | Fault::LostAnswer) => {
                return stream.shutdown(Shutdown::Both);
            }
            Some(Fault::Reset) => {
                let text = text(&answer);
                stream.write_all(&text[..text.len() - 2])?;
                return reset(reader.into_inner());
            }
            Some(Fault::Silence { .. }) => {
                // Until the client is gone.
                return std::io::copy(&mut reader, &mut std::io::sink()).map(drop);
            }
            None | Some(Fault::Status { .. }) => stream.write_all(&text(&answer))?,
        }
    }
    Ok(())
}

/// The next request, as it came; `None` where the client is done.
fn read(reader: &mut impl BufRead) -> std::io::Result<Option<Request>> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let headers = lines[1..].iter().filter_map(|line| line.split_once(':'));
    let headers = headers.map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()));
    let headers: Vec<(String, String)> = headers.collect();
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let mut body = vec![0; length.map_or(0, |(_, length)| length.parse().unwrap())];
    reader.read_exact(&mut body)?;
    let mut words = lines[0].split(' ');
    let (method, target) = (words.next().unwrap(), words.next().unwrap());
    Ok(Some(Request::new(method, target, headers, body)))
}

fn text(answer: &Answer) -> Vec<u8> {
    let body = answer.body.to_string();
    format!(
        "HTTP/1.1 {} Words\r\nContent-Type: application/json\r\nContent-Length: {}\r\n{}\r\n{body}",
        answer.status,
        body.len(),
        answer.headers,
    )
    .into_bytes()
}

/// Ends a connection so that the other side reads an error, not an end.
fn reset(stream: TcpStream) -> std::io::Result<()> {
    stream.set_nonblocking(true)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    let _entered = runtime.enter();
    tokio::net::TcpStream::from_std(stream)?.set_zero_linger()
}
