//! `mailproof respond`: answers what a thread waits for, and goes on with it.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use jiff::Timestamp;
use serde_json::{Map, Value};
use tokio::runtime::Runtime;

use super::args::{AnswerKind, Choices, RespondArgs, Talk};
use super::config::{Config, OneOrMany};
use super::exit::{Exit, Failure};
use super::threads::place::{Chosen, Lasting};
use super::threads::stop::{self, conclude};
use super::threads::{Listed, goes_on, keep_refusal, known};
use crate::graph::Status;
use crate::human::approval::{Approver, Approvers, Pending, Record};
use crate::run::{Interrupt, Response};
use crate::target::local::{self, Local};
use crate::target::{Progress, Start, Until};

/// More than any arguments that a person would look at.
const MOST_BYTES: u64 = 4 << 20;
/// The most characters of a person's name.
const LONGEST_NAME: usize = 100;

/// An answer as it was typed: what it edits is known only beside the question.
#[derive(Debug, PartialEq)]
enum Typed {
    Accept,
    Ignore,
    Respond(String),
    Edit(Vec<(String, Value)>),
    /// No answer: the thread goes on where its process died.
    Continue,
}

pub fn run(talk: &Talk, args: &RespondArgs) -> Result<Exit, Failure> {
    let typed = typed(args)?;
    let who = identity(args.who.as_deref())?;
    let config = Config::read(args.config.as_deref()).map_err(Failure::usage)?;
    let approvers = approvers(&config)?;
    let mut asked = Choices {
        reach: args.reach.clone(),
        ..Choices::default()
    };
    config.complete(&mut asked);
    let environment = asked.reach.environment(&config)?;
    let hook = stop::hook(&config, &environment)?;
    let place = Chosen::new(args.checkpointer.as_deref(), &config, &environment)?;
    let runtime = Runtime::new().map_err(Failure::internal)?;
    let thread = &args.thread;
    let (lasting, progress, variant) = runtime.block_on(async {
        let lasting = place.open_existing().await?;
        let listed = known(&lasting, thread).await?;
        let response = match typed {
            Typed::Continue => {
                continues(&listed)?;
                None
            }
            typed => {
                let pending = pending(&lasting, &listed, args.interrupt.as_deref())?;
                permitted(&lasting, approvers.as_ref(), pending, &who).await?;
                let response = response(typed, &pending.interrupt)?;
                Some((pending.interrupt.id.clone(), response))
            }
        };
        let checkpointer = &lasting.checkpointer;
        let setup = local::setup(&**checkpointer, thread).await;
        let setup = setup.map_err(Failure::from_error)?;
        let agent = stop::agent(&setup, &asked, &config, &environment)?;
        let target = Local::on(agent, checkpointer.clone(), lasting.store.clone());
        let start = Start {
            thread: thread.clone(),
            until: Until::End,
            timeout: setup.timeout,
            max_steps: setup.max_model_calls,
            store: None,
            restart: false,
            origin: Default::default(),
        };
        let progress = target.take_up(thread, start).await;
        let progress = progress.map_err(Failure::from_error)?;
        let progress = match (progress, response) {
            (Progress::Paused(paused), Some((id, response))) => {
                if paused.interrupt().id != id {
                    return Err(Failure::usage(format!(
                        "thread `{thread}` wants `{}` answered first",
                        paused.interrupt().id
                    )));
                }
                paused.resume(response, &who).await
            }
            (progress, _) => progress,
        };
        let variant = format!("{}@{}", setup.agent, setup.model);
        Ok::<_, Failure>((lasting, progress, variant))
    })?;
    conclude(
        talk,
        &runtime,
        &lasting,
        hook.as_ref(),
        thread,
        &variant,
        progress,
    )
}

/// Reads what was typed.
fn typed(args: &RespondArgs) -> Result<Typed, Failure> {
    let nothing_more = |typed| match (&args.words[..], &args.json_args) {
        ([], None) => Ok(typed),
        _ => Err(Failure::usage(format!(
            "`{}` takes nothing more: `respond TEXT` says something, `edit NAME=VALUE…` changes arguments",
            args.kind.name()
        ))),
    };
    match args.kind {
        AnswerKind::Accept => nothing_more(Typed::Accept),
        AnswerKind::Ignore => nothing_more(Typed::Ignore),
        AnswerKind::Continue => nothing_more(Typed::Continue),
        AnswerKind::Respond => match (args.words.join(" "), &args.json_args) {
            (text, None) if !text.trim().is_empty() => Ok(Typed::Respond(text)),
            _ => Err(Failure::usage(
                "`respond` needs what you have to say: `respond \"Shorter, please\"`",
            )),
        },
        AnswerKind::Edit => {
            let mut edits = match &args.json_args {
                Some(path) => json_args(path)?,
                None => Vec::new(),
            };
            for word in &args.words {
                let Some((name, value)) = word.split_once('=') else {
                    return Err(Failure::usage(format!(
                        "`{word}` changes no argument: write NAME=VALUE, as in `edit subject=\"Re: hello\"`"
                    )));
                };
                edits.push((name.to_owned(), value.into()));
            }
            match edits.is_empty() {
                true => Err(Failure::usage(
                    "`edit` needs what to change: `edit NAME=VALUE…`, or `edit --json-args FILE`; to change nothing, `accept`",
                )),
                false => Ok(Typed::Edit(edits)),
            }
        }
    }
}

/// The object in a file, or on stdin.
fn json_args(path: &Path) -> Result<Vec<(String, Value)>, Failure> {
    let unreadable = |error: io::Error| {
        Failure::usage(format!(
            "cannot read arguments `{}`: {error}",
            path.display()
        ))
    };
    let source: Box<dyn Read> = match path.to_str() {
        Some("-") => Box::new(io::stdin().lock()),
        _ => Box::new(File::open(path).map_err(unreadable)?),
    };
    let mut text = String::new();
    let mut source = source.take(MOST_BYTES + 1);
    source.read_to_string(&mut text).map_err(unreadable)?;
    if text.len() as u64 > MOST_BYTES {
        return Err(Failure::usage(format!(
            "arguments `{}` are larger than 4 MiB",
            path.display()
        )));
    }
    let arguments: Result<Map<String, Value>, _> = serde_json::from_str(&text);
    let arguments = arguments.map_err(|error| {
        Failure::usage(format!(
            "arguments `{}` are no JSON object: {error}",
            path.display()
        ))
    })?;
    Ok(arguments.into_iter().collect())
}

/// Who answers: `asked`, or the user of this machine.
fn identity(asked: Option<&str>) -> Result<String, Failure> {
    let variable = |name| std::env::var(name).ok().filter(|name| !name.is_empty());
    let who = asked.map(str::to_owned);
    let who = who
        .or_else(|| variable("USER"))
        .or_else(|| variable("LOGNAME"));
    let who = who.ok_or_else(|| {
        Failure::usage("nobody is known to answer: say who you are with `--as NAME`")
    })?;
    let unfit = who.chars().count() > LONGEST_NAME || who.chars().any(char::is_control);
    let approver: Approver = match who.parse() {
        Ok(approver) if !unfit => approver,
        Ok(_) => {
            return Err(Failure::usage(format!(
                "a name has at most {LONGEST_NAME} printable characters"
            )));
        }
        Err(error) => return Err(Failure::usage(error)),
    };
    match approver.actions {
        None => Ok(approver.name),
        Some(_) => Err(Failure::usage(format!(
            "`{who}` is no name: it has a colon"
        ))),
    }
}

/// Those who may answer; `None` where anybody may.
fn approvers(config: &Config) -> Result<Option<Approvers>, Failure> {
    let Some(OneOrMany(names)) = &config.approvers else {
        return Ok(None);
    };
    let approvers: Result<Vec<Approver>, _> = names.iter().map(|name| name.parse()).collect();
    match approvers {
        Ok(approvers) => Ok(Some(Approvers(approvers))),
        Err(error) => Err(Failure::usage(format!(
            "the configuration's `approvers`: {error}"
        ))),
    }
}

/// The question that is answered.
fn pending<'a>(
    lasting: &Lasting,
    listed: &'a Listed,
    asked: Option<&str>,
) -> Result<&'a Pending, Failure> {
    let thread = &listed.summary.thread;
    let flag = &lasting.flag;
    let waiting = &listed.waiting;
    let ids = || {
        let ids: Vec<_> = waiting
            .iter()
            .map(|pending| &*pending.interrupt.id)
            .collect();
        ids.join(", ")
    };
    match (asked, &waiting[..]) {
        (_, []) if listed.summary.status == Status::Finished => Err(Failure::usage(format!(
            "nothing to answer: thread `{thread}` is finished; `mailproof threads{flag}` lists those that wait"
        ))),
        (_, []) => Err(Failure::usage(format!(
            "nothing to answer: thread `{thread}` asks nothing; it is at work, or its process died: `mailproof respond --thread {thread}{flag} continue` goes on with it"
        ))),
        (None, [pending]) => Ok(pending),
        (None, _) => Err(Failure::usage(format!(
            "thread `{thread}` waits for several answers: say which one this is with `--interrupt ID`, one of {}",
            ids()
        ))),
        (Some(id), _) => waiting
            .iter()
            .find(|pending| pending.interrupt.id == id)
            .ok_or_else(|| {
                Failure::usage(format!(
                    "thread `{thread}` does not wait for an answer to `{id}`; it waits for one to {}",
                    ids()
                ))
            }),
    }
}

/// # Errors
/// The thread waits for an answer, or is at its end.
fn continues(listed: &Listed) -> Result<(), Failure> {
    let thread = &listed.summary.thread;
    if goes_on(listed.summary.status) {
        return Ok(());
    }
    Err(Failure::usage(match listed.waiting.is_empty() {
        true => format!("nothing to go on with: thread `{thread}` is finished"),
        false => format!("thread `{thread}` waits for an answer, and goes on with one"),
    }))
}

/// Refuses those who may not answer, and keeps that they tried.
async fn permitted(
    lasting: &Lasting,
    approvers: Option<&Approvers>,
    pending: &Pending,
    who: &str,
) -> Result<(), Failure> {
    let Some(Err(unauthorised)) = approvers.map(|it| it.check(who, &pending.interrupt)) else {
        return Ok(());
    };
    let at = Timestamp::now();
    let waited = at.duration_since(pending.since).try_into();
    let (thread, interrupt) = (&pending.thread, &pending.interrupt);
    let record = Record::refused(thread, interrupt, who, at, waited.unwrap_or_default());
    keep_refusal(lasting, &record).await?;
    Err(Failure::usage(unauthorised))
}

/// What was typed as an answer to `interrupt`.
fn response(typed: Typed, interrupt: &Interrupt) -> Result<Response, Failure> {
    let response = match typed {
        Typed::Accept => Response::Accept,
        Typed::Ignore => Response::Ignore,
        Typed::Respond(text) => Response::Respond(text),
        Typed::Edit(edits) => {
            let mut arguments = interrupt.args.clone();
            arguments.extend(edits);
            Response::Edit(arguments)
        }
        Typed::Continue => unreachable!("it answers nothing"),
    };
    match interrupt.allowed.allows(&response) {
        true => Ok(response),
        false => Err(Failure::usage(format!(
            "`{}` does not take `{}`; it takes: {}",
            interrupt.action,
            response.kind(),
            interrupt.allowed.kinds().join(", ")
        ))),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::run::Allowed;

    fn args(kind: AnswerKind, words: &[&str]) -> RespondArgs {
        RespondArgs {
            config: None,
            reach: Default::default(),
            thread: "t".to_owned(),
            checkpointer: None,
            interrupt: None,
            who: None,
            json_args: None,
            kind,
            words: words.iter().map(|&word| word.to_owned()).collect(),
        }
    }

    #[test]
    fn an_answer_is_read_as_it_was_typed() {
        let edits = vec![
            ("subject".to_owned(), json!("a=b")),
            ("content".to_owned(), json!("")),
        ];
        for (kind, words, expected) in [
            (AnswerKind::Accept, &[][..], Typed::Accept),
            (AnswerKind::Ignore, &[], Typed::Ignore),
            (AnswerKind::Continue, &[], Typed::Continue),
            (
                AnswerKind::Respond,
                &["Shorter,", "please"],
                Typed::Respond("Shorter, please".into()),
            ),
            (
                AnswerKind::Edit,
                &["subject=a=b", "content="],
                Typed::Edit(edits),
            ),
        ] {
            assert_eq!(typed(&args(kind, words)).unwrap(), expected);
        }
    }

    #[test]
    fn an_answer_that_says_nothing_or_too_much_is_told_the_form() {
        for (kind, words) in [
            (AnswerKind::Accept, &["please"][..]),
            (AnswerKind::Respond, &[]),
            (AnswerKind::Respond, &[" "]),
            (AnswerKind::Edit, &[]),
            (AnswerKind::Edit, &["subject"]),
        ] {
            let failure = typed(&args(kind, words)).unwrap_err();
            assert_eq!(failure.exit, Exit::Usage);
            assert!(failure.to_string().contains("`"), "{failure}");
        }
    }

    #[test]
    fn an_edit_changes_what_it_names_and_nothing_else() {
        let interrupt = Interrupt {
            id: "1".to_owned(),
            action: "write_email".to_owned(),
            args: json!({ "to": "ana", "subject": "hi" })
                .as_object()
                .unwrap()
                .clone(),
            allowed: Allowed {
                edit: true,
                ..Allowed::default()
            },
            description: None,
        };
        let edit = Typed::Edit(vec![("subject".to_owned(), json!("hello"))]);
        let Response::Edit(arguments) = response(edit, &interrupt).unwrap() else {
            panic!("no edit");
        };
        assert_eq!(
            Value::Object(arguments),
            json!({ "to": "ana", "subject": "hello" })
        );
        let refused = response(Typed::Accept, &interrupt).unwrap_err();
        insta::assert_snapshot!(refused, @"`write_email` does not take `accept`; it takes: edit");
    }

    #[test]
    fn who_answers_is_a_persons_name() {
        assert_eq!(identity(Some("ana")).unwrap(), "ana");
        for bad in [
            "",
            "timeout",
            "Accept-All",
            "ana:write_email",
            "a\nb",
            &"x".repeat(101),
        ] {
            assert!(identity(Some(bad)).is_err(), "{bad:?}");
        }
    }
}
