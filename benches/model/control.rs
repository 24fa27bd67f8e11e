//! A client that asks and does nothing else: what of a run's time is the machine's own.

use std::io::{self, BufReader, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::server::read_message;

/// Bytes of a question, about as many as those of the runs have.
const QUESTION: usize = 3_000;

/// How long `cases` questions take, `in_flight` of them at a time, each of these with a thread
/// and a connection of its own.
///
/// # Errors
/// Those of connections.
pub fn least(address: &str, cases: usize, in_flight: usize) -> io::Result<Duration> {
    let start = Instant::now();
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        let ask = || scope.spawn(|| ask(address, cases, &next));
        let threads: Vec<_> = (0..in_flight).map(|_| ask()).collect();
        let joined = threads.into_iter().map(|it| it.join().expect("no panic"));
        joined.collect::<io::Result<Vec<()>>>()
    })?;
    Ok(start.elapsed())
}

fn ask(address: &str, cases: usize, next: &AtomicUsize) -> io::Result<()> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let (mut first, mut body) = (String::new(), Vec::new());
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= cases {
            return Ok(());
        }
        let question = format!(
            "POST /v1/chat/completions HTTP/1.1\r\ncontent-length: {QUESTION}\r\n\r\n{number:QUESTION$}"
        );
        stream.write_all(question.as_bytes())?;
        if !read_message(&mut reader, &mut first, &mut body)? {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}
