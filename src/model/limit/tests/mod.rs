//! A provider that does as it is told, and time that stands still.

mod account;
mod money;
mod retry;
mod turns;

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use super::*;
use crate::message::{Message, Prompt};
use crate::model::halt::Halt;
use crate::model::{Left, Origin, ToolChoice};
use crate::run::ModelRole;

const NAME: &str = "openai:m";

type Answers = dyn Fn(u64) -> BoxFuture<'static, Answer> + Send + Sync;

/// Answers the request of each number, from 0, and remembers when each was sent.
struct Fake {
    answers: Box<Answers>,
    sent: AtomicU64,
    at: Mutex<Vec<Instant>>,
}

impl Fake {
    fn new<F: Future<Output = Answer> + Send + 'static>(
        answers: impl Fn(u64) -> F + Send + Sync + 'static,
    ) -> Arc<Fake> {
        Arc::new(Fake {
            answers: Box::new(move |number| Box::pin(answers(number))),
            sent: AtomicU64::new(0),
            at: Mutex::default(),
        })
    }

    fn sent(&self) -> u64 {
        self.sent.load(Ordering::SeqCst)
    }

    fn at(&self) -> Vec<Instant> {
        self.at.lock().unwrap().clone()
    }
}

impl Provider for Fake {
    fn name(&self) -> &str {
        NAME
    }

    fn send<'a>(&'a self, _: &'a Request) -> BoxFuture<'a, Answer> {
        self.at.lock().unwrap().push(Instant::now());
        (self.answers)(self.sent.fetch_add(1, Ordering::SeqCst))
    }
}

fn limits(max_in_flight: usize) -> Limits {
    Limits {
        max_in_flight: NonZeroUsize::new(max_in_flight).unwrap(),
        ..Limits::default()
    }
}

/// A model without price and budget, whose failures end what `halt` ends.
fn limited(fake: &Arc<Fake>, limits: Limits, halt: &Halt) -> Arc<Limited> {
    let limiter = Limiter::new(limits, halt.clone());
    let provider = Arc::clone(fake) as Arc<dyn Provider>;
    Arc::new(Limited::new(provider, limiter, None, Some(100), None))
}

fn request() -> Request {
    Request {
        role: ModelRole::Agent,
        prompt: Prompt::new("Be brief.".to_owned(), Vec::new()),
        messages: vec![Message::user("1", "Hello")],
        tool_choice: ToolChoice::Auto,
        output: None,
        origin: Origin::new("e", 0),
    }
}

fn used(input_tokens: u64, output_tokens: u64) -> Reply {
    Reply {
        usage: TokenUsage {
            input_tokens,
            output_tokens,
            ..TokenUsage::default()
        },
        ..Reply::default()
    }
}

fn reply() -> Answer {
    Answer {
        result: Ok(used(10, 5)),
        allowance: Allowance::default(),
    }
}

fn failure(kind: ErrorKind) -> Answer {
    Answer {
        result: Err(ModelError::new(NAME, kind, "not now")),
        allowance: Allowance::default(),
    }
}

fn leave_alone(seconds: u64) -> Answer {
    let error = ModelError {
        retry_after: Some(seconds_of(seconds)),
        ..ModelError::new(NAME, ErrorKind::RateLimited, "slow down")
    };
    Answer {
        result: Err(error),
        ..failure(ErrorKind::RateLimited)
    }
}

fn seconds_of(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

async fn pass(seconds: f64) {
    tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
}

/// Asks so many times at once, and returns the answers in the order of asking.
async fn ask(model: &Arc<Limited>, times: usize) -> Vec<Result<Reply, ModelError>> {
    let calls: Vec<_> = (0..times)
        .map(|_| {
            let model = Arc::clone(model);
            tokio::spawn(async move { model.ask(&request()).await })
        })
        .collect();
    let mut answers = Vec::new();
    for call in calls {
        answers.push(call.await.expect("no call panics"));
    }
    answers
}

/// The most of `at` within any minute.
fn most_in_a_minute(at: &[Instant]) -> usize {
    let within = |start: Instant| {
        let later = at.iter().filter(|at| **at >= start);
        later.filter(|at| **at < start + seconds_of(60)).count()
    };
    at.iter().copied().map(within).max().unwrap_or(0)
}
