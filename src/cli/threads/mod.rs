//! `mailproof threads`: what waits for a person, what people decided, and what was learnt.

pub mod place;
mod shell;
pub mod stop;
mod text;

use serde_json::json;
use tokio::runtime::Runtime;

use self::place::{Chosen, Lasting};
use super::args::{Talk, ThreadsArgs};
use super::config::Config;
use super::exit::{Exit, Failure};
use super::talk::{print, say, width};
use crate::graph::checkpoint::{Status, ThreadSummary};
use crate::human::approval::{self, Pending, Record};

/// The most characters of a thread's name.
const LONGEST_NAME: usize = 200;

/// Under it, by thread, a store keeps the [`Record`]s of answers that were refused because
/// of who gave them: the thread itself is none of their business.
const REFUSED: &str = "mailproof/refused/";

/// A thread with what people have to do with it.
pub struct Listed {
    pub summary: ThreadSummary,
    pub waiting: Vec<Pending>,
    pub records: Vec<Record>,
}

pub fn run(talk: &Talk, args: &ThreadsArgs) -> Result<Exit, Failure> {
    let config = Config::read(args.config.as_deref()).map_err(Failure::usage)?;
    let mut reach = args.reach.clone();
    config.reach(&mut reach);
    let environment = reach.environment(&config)?;
    let place = Chosen::new(args.checkpointer.as_deref(), &config, &environment)?;
    let runtime = Runtime::new().map_err(Failure::internal)?;
    runtime.block_on(async {
        let lasting = place.open_existing().await?;
        match (&args.thread, &args.history) {
            _ if args.memory => memory(talk, &lasting).await,
            (Some(thread), _) => one(talk, &lasting, thread).await,
            (None, Some(thread)) => history(talk, &lasting, thread).await,
            (None, None) => list(talk, &lasting, args.all).await,
        }
    })?;
    Ok(Exit::Ok)
}

async fn list(talk: &Talk, lasting: &Lasting, all: bool) -> Result<(), Failure> {
    let summaries = lasting.checkpointer.list(None).await;
    let mut listed = Vec::new();
    for summary in summaries.map_err(Failure::from_error)? {
        listed.push(look(lasting, summary).await?);
    }
    let records: Vec<Record> = listed.iter().flat_map(|it| it.records.clone()).collect();
    let pending = listed.iter().map(|it| it.waiting.len() as u64).sum();
    let figures = approval::figures(&records, pending);
    let threads = listed.len();
    if !all {
        listed.retain(|thread| !thread.waiting.is_empty());
    }
    if talk.json {
        let threads: Vec<_> = listed
            .iter()
            .map(|thread| {
                json!({
                    "thread": thread.summary.thread,
                    "status": thread.summary.status,
                    "since": thread.summary.created_at,
                    "waiting": thread.waiting,
                })
            })
            .collect();
        return print_json(lasting, &json!({ "threads": threads, "figures": figures }));
    }
    print_text(lasting, &text::list(&listed, width()))?;
    if listed.is_empty() {
        say(
            talk,
            &match threads {
                0 => "no threads yet".to_owned(),
                1 => "nothing waits for an answer; `--all` shows the one thread".to_owned(),
                n => format!("nothing waits for an answer; `--all` shows the {n} threads"),
            },
        );
    }
    print_text(lasting, &text::figures(&figures))
}

/// One thread's questions, whole.
async fn one(talk: &Talk, lasting: &Lasting, thread: &str) -> Result<(), Failure> {
    let listed = known(lasting, thread).await?;
    if talk.json {
        return print_json(
            lasting,
            &json!({
                "thread": thread,
                "status": listed.summary.status,
                "since": listed.summary.created_at,
                "waiting": listed.waiting,
            }),
        );
    }
    if listed.waiting.is_empty() {
        return print_text(lasting, &text::list(&[listed], width()));
    }
    let questions = listed.waiting.iter();
    let questions: Vec<_> = questions
        .map(|pending| text::question(pending, &lasting.flag))
        .collect();
    print_text(lasting, &questions.join("\n"))
}

async fn history(talk: &Talk, lasting: &Lasting, thread: &str) -> Result<(), Failure> {
    let listed = known(lasting, thread).await?;
    if talk.json {
        return print_json(
            lasting,
            &json!({
                "thread": thread,
                "status": listed.summary.status,
                "records": listed.records,
                "waiting": listed.waiting,
            }),
        );
    }
    if listed.records.is_empty() {
        say(talk, "nobody has decided anything on it yet");
    }
    print_text(
        lasting,
        &text::history(&listed.records, &listed.waiting, width()),
    )
}

async fn memory(talk: &Talk, lasting: &Lasting) -> Result<(), Failure> {
    let items = lasting.store.list(None).await;
    let mut items = items.map_err(Failure::from_error)?;
    items.retain(|item| !item.namespace.starts_with(REFUSED));
    if talk.json {
        return print_json(lasting, &json!(items));
    }
    if items.is_empty() {
        say(talk, "nothing is remembered yet");
    }
    print_text(lasting, &text::memory(&items))
}

/// The thread of this name, which somebody started.
pub async fn known(lasting: &Lasting, thread: &str) -> Result<Listed, Failure> {
    let head = lasting.checkpointer.latest(thread).await;
    let head = head.map_err(Failure::from_error)?;
    let head = head.ok_or_else(|| {
        Failure::usage(format!(
            "nobody started thread `{thread}` here: `mailproof threads --all{}` lists those there are",
            lasting.flag
        ))
    })?;
    look(lasting, head.summary()).await
}

async fn look(lasting: &Lasting, summary: ThreadSummary) -> Result<Listed, Failure> {
    let chain = lasting.checkpointer.history(&summary.thread).await;
    let chain = chain.map_err(Failure::from_error)?;
    let mut records = approval::trail(&chain);
    records.extend(refusals(lasting, &summary.thread).await?);
    records.sort_by_key(|record| record.at);
    Ok(Listed {
        // The chain may have grown since it was listed.
        summary: chain.last().map_or(summary, |head| head.summary()),
        waiting: approval::waiting(&chain),
        records,
    })
}

async fn refusals(lasting: &Lasting, thread: &str) -> Result<Vec<Record>, Failure> {
    let items = lasting
        .store
        .list(Some(&format!("{REFUSED}{thread}")))
        .await;
    let items = items.map_err(Failure::from_error)?.into_iter();
    let records = items.map(|item| {
        serde_json::from_value(item.value).map_err(|error| {
            Failure::usage(format!(
                "the record `{}` of thread `{thread}` cannot be read: {error}",
                item.key
            ))
        })
    });
    records.collect()
}

/// Keeps that an answer was refused because of who gave it.
pub async fn keep_refusal(lasting: &Lasting, record: &Record) -> Result<(), Failure> {
    let json = serde_json::to_string(record).expect("a record has string keys");
    let json = serde_json::from_str(&lasting.redactor.json(&json));
    let json = json.map_err(Failure::internal)?;
    let namespace = format!("{REFUSED}{}", record.thread);
    let key = format!("{} {}", record.at, record.who);
    let kept = lasting.store.put(&namespace, &key, json).await;
    kept.map_err(Failure::from_error)
}

/// `name` as the name of a thread.
///
/// # Errors
/// It is empty, very long, or could not be shown or typed.
pub fn name(name: &str) -> Result<String, String> {
    let fits = (1..=LONGEST_NAME).contains(&name.chars().count());
    if !fits || name.starts_with('-') || name.chars().any(char::is_control) {
        return Err(format!(
            "a thread has a name of 1 to {LONGEST_NAME} printable characters, the first no dash"
        ));
    }
    Ok(name.to_owned())
}

/// Whether a thread in this state goes on by itself, without an answer.
pub fn goes_on(status: Status) -> bool {
    matches!(status, Status::Running | Status::Failed)
}

fn print_json(lasting: &Lasting, value: &serde_json::Value) -> Result<(), Failure> {
    print(&lasting.redactor.json(&format!("{value:#}\n")))
}

fn print_text(lasting: &Lasting, text: &str) -> Result<(), Failure> {
    print(&lasting.redactor.text(text))
}

#[cfg(test)]
mod tests {
    use super::name;

    #[test]
    fn a_threads_name_can_be_shown_and_typed() {
        for good in ["t", "hitl@rules/invoice 7", &"é".repeat(200)] {
            assert_eq!(name(good).as_deref(), Ok(good));
        }
        for bad in ["", "-a", "a\nb", "a\u{0}", &"x".repeat(201)] {
            assert!(name(bad).is_err(), "{bad:?}");
        }
    }
}
