//! A server of chat completions that answers every question alike, after a fixed time.
//!
//! One thread a connection: a sleeping thread wakes within a tenth of a millisecond, where
//! the timers of an event loop are a millisecond late, which is 2 % of 50 ms.

use std::collections::HashSet;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

const STACK: usize = 64 << 10;

const ANSWER: &str = r#"{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"mock","choices":[{"index":0,"message":{"role":"assistant","content":"{\"reasoning\": \"It tells of an invoice, and nobody waits for an answer.\", \"classification\": \"notify\"}"},"finish_reason":"stop"}],"usage":{"prompt_tokens":600,"completion_tokens":24,"total_tokens":624}}"#;

/// What a server saw.
#[derive(Clone, Copy, Debug, Default)]
pub struct Served {
    pub requests: usize,
    pub different: usize,
    pub most_in_flight: usize,
    pub connections: usize,
    /// From the last byte of a request to the last of its answer, on average.
    pub answered_after: Duration,
    /// From there to the last byte of the connection's next request, on average.
    pub asked_again_after: Duration,
}

impl Served {
    pub fn parse(text: &str) -> Served {
        let mut numbers = text.split_whitespace().map(|word| {
            let number: usize = word.parse().expect("the server writes numbers");
            number
        });
        let mut next = || numbers.next().expect("the server writes six numbers");
        Served {
            requests: next(),
            different: next(),
            most_in_flight: next(),
            connections: next(),
            answered_after: Duration::from_micros(next() as u64),
            asked_again_after: Duration::from_micros(next() as u64),
        }
    }
}

#[derive(Default)]
struct Counts {
    served: Served,
    bodies: HashSet<u64>,
    in_flight: usize,
    answering: Duration,
    asking_again: Duration,
}

/// Writes its address to stdout, and what it saw once a line comes in.
pub fn serve(latency: Duration) {
    // Else a sleeper may be left asleep for 50 us more, to be woken with others. Where it cannot
    // be set, the average shows how late answers are.
    // Source: Linux manual pages, proc_pid_timerslack_ns(5).
    let _ = fs::write("/proc/self/timerslack_ns", "1");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    println!("{}", listener.local_addr().expect("it is bound"));
    let counts: &'static Mutex<Counts> = Box::leak(Box::default());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.expect("a connection");
            lock(counts).served.connections += 1;
            let answers = move || {
                // The client may break off at any time; its own counts then tell.
                let _ = answer(&stream, latency, counts);
                // What is cleared away when a thread ends, the client would wait for at its own
                // end, on the same processors.
                loop {
                    thread::park();
                }
            };
            let thread = thread::Builder::new().stack_size(STACK).spawn(answers);
            thread.expect("a thread for the connection");
        }
    });
    io::stdin().read_line(&mut String::new()).expect("stdin");
    let counts = lock(counts);
    let Served {
        requests,
        most_in_flight,
        connections,
        ..
    } = counts.served;
    let average = |time: Duration, of: usize| time.as_micros() / of.max(1) as u128;
    println!(
        "{requests} {} {most_in_flight} {connections} {} {}",
        counts.bodies.len(),
        average(counts.answering, requests),
        average(counts.asking_again, requests.saturating_sub(connections)),
    );
}

fn lock(counts: &Mutex<Counts>) -> std::sync::MutexGuard<'_, Counts> {
    counts.lock().expect("no holder panics")
}

/// Answers what comes over one connection until its end.
fn answer(stream: &TcpStream, latency: Duration, counts: &Mutex<Counts>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{ANSWER}",
        ANSWER.len()
    );
    let mut reader = BufReader::new(stream);
    let (mut first, mut body) = (String::new(), Vec::new());
    let mut answered: Option<Instant> = None;
    while read_message(&mut reader, &mut first, &mut body)? {
        assert_eq!(first, "POST /v1/chat/completions HTTP/1.1\r\n");
        let asked = Instant::now();
        let mut hasher = DefaultHasher::new();
        body.hash(&mut hasher);
        {
            let mut counts = lock(counts);
            counts.bodies.insert(hasher.finish());
            counts.in_flight += 1;
            counts.asking_again += answered.map_or(Duration::ZERO, |then| asked - then);
            counts.served.requests += 1;
            counts.served.most_in_flight = counts.served.most_in_flight.max(counts.in_flight);
        }
        if let Some(left) = latency
            .checked_sub(asked.elapsed())
            .filter(|left| !left.is_zero())
        {
            thread::sleep(left);
        }
        let sent = {
            let mut stream = stream;
            stream.write_all(answer.as_bytes())
        };
        {
            let mut counts = lock(counts);
            counts.in_flight -= 1;
            counts.answering += asked.elapsed();
            answered = Some(Instant::now());
        }
        sent?;
    }
    Ok(())
}

/// Reads the first line and the body of a request or an answer; false where there is none.
pub fn read_message(
    reader: &mut impl BufRead,
    first: &mut String,
    body: &mut Vec<u8>,
) -> io::Result<bool> {
    first.clear();
    if reader.read_line(first)? == 0 {
        return Ok(false);
    }
    let (mut length, mut line) = (0, String::new());
    while line != "\r\n" {
        line.clear();
        if reader.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().expect("a length");
        }
    }
    body.resize(length, 0);
    reader.read_exact(body)?;
    Ok(true)
}
