//! The embedded model: reads an email by rules, and answers as a language model would.
//!
//! It gets a [`Request`] and nothing else, and its answers are a function of it: no clock,
//! no randomness, no network. The road is short: [`segment`] takes the body apart,
//! [`phrases`] finds the cues of `rules.yaml` in its words, [`reading`] gathers what they
//! amount to, [`triage`] weighs it, [`act`] chooses the next tool call, and [`reply`]
//! writes. The rules are general, and their mistakes are left to be seen.
//!
//! It takes people into account too. [`profile`] reads the wishes of the prompt's blocks,
//! [`heard`] what the person said of proposals, both by way of [`wish`] and [`acts`];
//! [`writer`] turns what a person answered into lines of a profile.
//!
//! # What it understands of a person
//! English, in general forms. Of a profile:
//!
//! | line | effect |
//! | --- | --- |
//! | `- ignore: mail from X`, `notify`, `respond`; `about "T"`; both | how that mail is sorted; X is an address, a domain, a name, or `my team`; the narrower line wins, then the later |
//! | `- Meetings take N minutes.` | where the email names no length |
//! | `- Meetings take at most N minutes.` | always |
//! | `- Meetings start at 10:00 or later.`, `… before 12:00.` | starts that are offered and booked |
//! | `- No meetings on Friday.` | days that are offered and booked |
//! | `- Greet with "Dear".` | in place of "Hi" |
//! | `- Sign off with "Best wishes".`, `- Sign as "Robin".` | the last lines |
//! | `- Keep answers short.`, `- Write formally.`, `- Write casually.` | the reply's length and tone |
//! | a sentence with "always" and words of the next table | in every reply |
//!
//! Plain sentences that say the same are understood likewise ("Don't show me anything from
//! X", "No meetings before 10"), and lines about meetings and mail may name whom they are
//! for (`Meetings with X take …`, `Mail to X: greet with …`). Of feedback on a draft:
//!
//! | words | the next draft |
//! | --- | --- |
//! | say, tell, explain, confirm that C; quoted text | says it |
//! | mention, include, add W | "Please note: W." |
//! | thank, apologise (for W) | does so |
//! | ask whether C; ask for W | asks the sender |
//! | propose, suggest W; agree; decline | does so |
//! | leave out, remove, don't mention W | has no paragraph with these words |
//! | greeting, closing, length, tone as above | has them |
//! | for a meeting: a length, a day, an hour, "not on", "not before" | the meeting is proposed so |
//! | anything else | has the person's sentence in it |
//!
//! What is asked for in one draft teaches the profile nothing; what is not understood is
//! kept there as it was said.
//!
//! Asked as a judge, it looks for cues of what a statement demands ([`judge`]).
//!
//! Emails are hostile input: text is read up to a bound, in linear time; orders inside of
//! it are taken out before it is understood; and mail goes to its sender alone.

mod act;
mod acts;
mod asks;
mod book;
mod clean;
mod envelope;
mod facts;
mod free;
mod heard;
mod judge;
mod meeting;
mod phrases;
mod profile;
mod reading;
mod reply;
mod rulebook;
mod scan;
mod scope;
mod segment;
mod spoken;
mod structured;
mod text;
mod triage;
mod when;
mod wish;
mod writer;

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex};

use self::book::Book;
#[cfg(test)]
use self::book::book;
use self::envelope::Envelope;
use self::profile::Profile;
use self::reading::Reading;
use self::segment::prefix;
use self::triage::Decision;
use super::{Model, ModelError, Reply, Request, ToolChoice};
use crate::message::{Prompt, Role, ToolCall};
use crate::run::Cost;
use futures_util::future::BoxFuture;

pub use self::rulebook::{Rulebook, RulebookError};

/// The name that selects this model.
pub const NAME: &str = "rules";

/// The split of the embedded dataset that the rules were written with: figures on it say
/// nothing about other emails.
pub const DEVELOPED_ON: &str = "dev";

/// Readings kept for the calls that follow about the same email.
const KEPT: usize = 64;

/// Profiles kept. A run has a few prompts, and one more for everything that is learnt.
const PROFILES: usize = 16;

/// The embedded model.
pub struct Rules {
    book: &'static Book,
    /// The latest readings, each in the place that the hash of its text names. One email is
    /// asked about several times in a row, and is read once.
    kept: Mutex<Vec<Option<Kept>>>,
    /// The latest profiles by the hash of their prompt, the newest first.
    profiles: Mutex<Vec<(String, Arc<Profile>)>>,
}

struct Kept {
    /// Hash of the prompt, whose date and preferences the reading may depend on.
    prompt: String,
    message: String,
    known: Known,
}

/// What is known of an email and of the wishes of whom it is for.
#[derive(Clone)]
struct Known {
    reading: Arc<Reading>,
    profile: Arc<Profile>,
    /// What the profile makes of the reading's decision.
    decision: Decision,
}

impl Default for Rules {
    fn default() -> Self {
        Rules::new()
    }
}

impl Rules {
    pub fn new() -> Self {
        Rules::with(&Rulebook::default())
    }

    pub fn with(rulebook: &Rulebook) -> Self {
        Rules {
            book: rulebook.book(),
            kept: Mutex::new((0..KEPT).map(|_| None).collect()),
            profiles: Mutex::new(Vec::with_capacity(PROFILES)),
        }
    }

    /// It runs in this process: nobody is paid.
    fn answer(&self, request: &Request) -> Reply {
        let mut reply = self.reply(request);
        reply.usage.cost = Some(Cost::ZERO);
        reply
    }

    fn reply(&self, request: &Request) -> Reply {
        if let Some(output) = &request.output
            && output.name == judge::SCHEMA
        {
            let object = judge::answer(self.book, output, &request.messages);
            return Reply {
                content: object.to_string(),
                ..Reply::default()
            };
        }
        let known = self.known(request);
        if let Some(output) = &request.output {
            let object = structured::answer(self.book, output, &known, &request.messages);
            return Reply {
                content: object.to_string(),
                ..Reply::default()
            };
        }
        let step = match request.tool_choice {
            ToolChoice::None => None,
            ToolChoice::Auto | ToolChoice::Required => {
                act::next(self.book, &known, request.prompt.tools(), &request.messages)
            }
        };
        match step {
            Some(step) => {
                let calls = request
                    .messages
                    .iter()
                    .map(|message| message.tool_calls.len());
                Reply {
                    tool_calls: vec![ToolCall {
                        id: format!("call-{}", calls.sum::<usize>() + 1),
                        name: step.tool,
                        arguments: step.arguments,
                    }],
                    ..Reply::default()
                }
            }
            None => Reply {
                content: known.decision.reasoning,
                ..Reply::default()
            },
        }
    }

    /// The reading of the email in the request, from the first message that holds one, and
    /// the wishes in its prompt.
    fn known(&self, request: &Request) -> Known {
        let mut users = request
            .messages
            .iter()
            .filter(|message| message.role == Role::User);
        let message = users
            .clone()
            .find(|message| envelope::find(&message.content).is_some())
            .or_else(|| users.next())
            .map_or("", |message| message.content.as_str());
        // Whatever is beyond the bound is not read, so it need not be kept.
        let message = prefix(message, segment::MOST_BYTES + 8 * 1024);
        let mut hasher = DefaultHasher::new();
        (request.prompt.hash(), message).hash(&mut hasher);
        let place = (hasher.finish() % KEPT as u64) as usize;
        let lock = || {
            self.kept
                .lock()
                .unwrap_or_else(|poisoned| poisoned.into_inner())
        };
        if let Some(kept) = &lock()[place]
            && kept.prompt == request.prompt.hash()
            && kept.message == message
        {
            return kept.known.clone();
        }
        // Text without a header is all body.
        let envelope = envelope::find(message).unwrap_or(Envelope {
            body: message,
            ..Envelope::default()
        });
        let today = envelope::iso_date(request.prompt.system());
        let reading = Arc::new(reading::read(self.book, &envelope, today));
        let profile = self.profile(&request.prompt);
        let known = Known {
            decision: profile.decide(&reading),
            reading,
            profile,
        };
        lock()[place] = Some(Kept {
            prompt: request.prompt.hash().to_owned(),
            message: message.to_owned(),
            known: known.clone(),
        });
        known
    }

    /// The wishes in a prompt, which many emails share.
    fn profile(&self, prompt: &Prompt) -> Arc<Profile> {
        let lock = || {
            self.profiles
                .lock()
                .unwrap_or_else(|poisoned| poisoned.into_inner())
        };
        if let Some((_, profile)) = lock().iter().find(|(hash, _)| hash == prompt.hash()) {
            return Arc::clone(profile);
        }
        let profile = Arc::new(Profile::of_prompt(self.book, prompt.system()));
        let mut profiles = lock();
        profiles.truncate(PROFILES - 1);
        profiles.insert(0, (prompt.hash().to_owned(), Arc::clone(&profile)));
        profile
    }
}

impl Model for Rules {
    fn name(&self) -> &str {
        NAME
    }

    fn ask<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<Reply, ModelError>> {
        // Answered before the future is polled: nothing here waits.
        let reply = self.answer(request);
        Box::pin(std::future::ready(Ok(reply)))
    }
}

#[cfg(test)]
mod tests;
