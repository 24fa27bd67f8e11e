//! From an item to the question about it, in the form in which it is asked of an attempt.

use std::borrow::Cow;

use serde_json::Value;

use super::{Call, Done, Fate, Item, Work};
use crate::judge::JudgeKey;
use crate::judge::definition::Definition;
use crate::judge::shown::{self, Draft, Fact, Said, Seen};
use crate::judge::subject::{self, Question};
use crate::message::{Message, ToolCall, ToolStatus};

/// What a person is shown who is asked about no call.
const NOTICE: &str = "notify";

/// An item was put to a judge that it is not for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("item `{id}` is for the judge `{wanted}`, not for `{judge}`")]
pub struct OtherJudge {
    pub id: String,
    pub wanted: JudgeKey,
    pub judge: JudgeKey,
}

impl Item {
    /// What its judge is asked about it: in the same words, and shown the same parts, as of
    /// an attempt that did this.
    ///
    /// # Errors
    /// [`OtherJudge`] where the definition is another judge's.
    pub fn question(&self, definition: &Definition) -> Result<Question, OtherJudge> {
        let (wanted, judge) = (self.judge(), definition.key);
        if judge != wanted {
            let id = self.id.clone();
            return Err(OtherJudge { id, wanted, judge });
        }
        let seen = Seen {
            email: Some(&self.email),
            ..Seen::default()
        };
        Ok(match &self.work {
            Work::Reply { criterion, done } => {
                let conversation = done.conversation(self.email.to_prompt());
                let seen = Seen {
                    calls: done.facts(),
                    conversation: conversation.iter().collect(),
                    ..seen
                };
                subject::criterion(definition, &criterion.clone().into(), &seen)
            }
            Work::Feedback {
                draft,
                instruction,
                done,
            } => {
                let conversation = done.conversation(self.email.to_prompt());
                let seen = Seen {
                    calls: done.facts(),
                    conversation: conversation.iter().collect(),
                    draft: Some(match draft {
                        Some(draft) => Draft::Call {
                            name: &draft.name,
                            arguments: Cow::Borrowed(&draft.arguments),
                        },
                        None => Draft::Notice,
                    }),
                    said: Some(Said::Words(instruction)),
                    ..seen
                };
                let about = draft.as_ref().map_or(NOTICE, |draft| &draft.name);
                subject::instruction(definition, about, instruction, &seen)
            }
            Work::Memory {
                namespace,
                instruction,
                before,
                after,
            } => {
                let seen = Seen {
                    said: Some(Said::Words(instruction)),
                    profile: Some((before.into(), after.into())),
                    ..seen
                };
                subject::update(definition, namespace.name(), instruction, &seen)
            }
        })
    }
}

impl Done {
    fn facts(&self) -> Vec<Fact<'_>> {
        let fact = |call: &'_ Call| Fact {
            name: Cow::Owned(call.name.clone()),
            arguments: Cow::Owned(call.arguments.clone()),
            fate: call.result.into(),
        };
        self.calls.iter().map(fact).collect()
    }

    /// The messages that such work leaves: one call a message, as most models write them.
    fn conversation(&self, email: String) -> Vec<Message> {
        let mut messages = vec![Message::user("m0", email)];
        for (number, made) in self.calls.iter().enumerate() {
            let call = ToolCall {
                id: format!("call-{number}"),
                name: made.name.clone(),
                arguments: Value::Object(made.arguments.clone()),
            };
            let id = format!("m{}", messages.len());
            messages.push(Message::assistant(id, "", vec![call.clone()]));
            let status = match made.result {
                Fate::Done => ToolStatus::Executed,
                Fate::Failed => ToolStatus::Failed,
                Fate::Denied => ToolStatus::Denied,
                Fate::Answered => ToolStatus::Answered,
                Fate::NotRun => continue,
            };
            let id = format!("m{}", messages.len());
            messages.push(Message::tool(id, &call, status, ""));
        }
        if let Some(closing) = &self.closing {
            let id = format!("m{}", messages.len());
            messages.push(Message::assistant(id, closing, Vec::new()));
        }
        messages
    }
}

impl From<Fate> for shown::Fate {
    fn from(fate: Fate) -> shown::Fate {
        match fate {
            Fate::Done => shown::Fate::Ran,
            Fate::Failed => shown::Fate::Failed,
            Fate::Denied => shown::Fate::Denied,
            Fate::Answered => shown::Fate::Answered,
            Fate::NotRun => shown::Fate::DidNotRun,
        }
    }
}
