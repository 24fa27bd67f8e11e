//! Keeping what the person's answers taught, and what the email told of their world.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};

use super::Turn;
use super::structured::Wanted;
use crate::agent::memory::{
    self, Facts, MAX_FACT_CHARS, MAX_FACTS, Namespace, PROFILE_KEY, Rewrite, fact_key,
};
use crate::agent::prompts::memory as prompts;
use crate::agent::state::{AgentState, Lesson, Update};
use crate::agent::tools::Tool;
use crate::agent::{Attempt, Background};
use crate::email::Triage;
use crate::graph::{NodeContext, NodeError, NodeResult, Task};
use crate::message::{Message, Prompt, Role};
use crate::model::{OutputSchema, Request, ToolChoice};
use crate::run::{ModelRole, Response, Step};

/// Brings the profiles up to date with every lesson of the state, in order, and when the
/// run is over takes facts from it, where the behaviour wants that. The run ends here
/// when it is over, and otherwise follows the wiring.
///
/// What the model answered is on the thread before anything is written, so a process that
/// died in between goes on with the same words, and writes the same text under the same
/// keys once more: nothing is learnt twice.
pub fn remember<'a>(
    state: &'a AgentState,
    node: &'a NodeContext<Attempt>,
) -> BoxFuture<'a, NodeResult<AgentState>> {
    Box::pin(async move {
        let mut update = Update {
            remembered: true,
            ..Update::default()
        };
        for lesson in &state.lessons {
            update = commit(state, node, update, Work::Lesson(lesson)).await?;
            if update.failure.is_some() {
                break;
            }
        }
        if update.failure.is_none() && wants_facts(state, node.context()) {
            update = commit(state, node, update, Work::Facts).await?;
        }
        let over = state.over || update.failure.is_some();
        let turn = Turn {
            state,
            node,
            update,
        };
        Ok(if over { turn.end() } else { turn.go_on() })
    })
}

/// Whether facts are to be taken from this run now.
fn wants_facts(state: &AgentState, attempt: &Attempt) -> bool {
    let answers = || {
        state.steps.iter().filter_map(|step| match step {
            Step::Interrupt {
                interrupt,
                response,
                ..
            } => Some((interrupt.action.as_str(), response)),
            _ => None,
        })
    };
    let acting = [Tool::WriteEmail, Tool::ScheduleMeeting].map(Tool::name);
    state.over
        && match attempt.agent.settings.behaviour.background {
            Background::Off => false,
            Background::Accept => answers().any(|(action, response)| {
                *response == Response::Accept && acting.contains(&action)
            }),
            // An email that the person, or nobody, dealt with was not handled.
            Background::Extract => {
                state.triage != Some(Triage::Ignore)
                    && answers().all(|(_, response)| *response != Response::Ignore)
            }
        }
}

#[derive(Clone, Copy)]
enum Work<'a> {
    Lesson(&'a Lesson),
    Facts,
}

/// What one work adds to the run, and what is to be written because of it.
#[derive(Serialize, Deserialize)]
struct Learnt {
    update: Update,
    entries: Vec<Entry>,
}

#[derive(Serialize, Deserialize)]
struct Entry {
    namespace: Namespace,
    key: String,
    text: String,
}

/// Does one work and writes what came of it; `update` with what it adds.
async fn commit(
    state: &AgentState,
    node: &NodeContext<Attempt>,
    update: Update,
    work: Work<'_>,
) -> Result<Update, NodeError> {
    // The key says that asking the model again does no harm.
    let task = Task::new("learn").key("learn");
    let learnt = node.task(task, |_| {
        let turn = Turn {
            state,
            node,
            update: update.clone(),
        };
        async move {
            match work {
                Work::Lesson(lesson) => turn.learn(lesson).await,
                Work::Facts => turn.take_facts().await,
            }
        }
    });
    let Learnt { update, entries } = learnt.await?;
    let store = &*node.context().store;
    for entry in entries {
        memory::write(store, entry.namespace, &entry.key, &entry.text).await?;
    }
    Ok(update)
}

impl Turn<'_> {
    /// Asks for the profile that `lesson` is about with what it teaches.
    async fn learn(mut self, lesson: &Lesson) -> Result<Learnt, NodeError> {
        let attempt = self.attempt();
        let namespace = lesson.namespace;
        let defaults = &attempt.agent.settings.preferences;
        let before = memory::stored(&*attempt.store, namespace, PROFILE_KEY).await?;
        let profile = memory::profile(&*attempt.store, namespace, defaults).await?;
        let mut messages = match lesson.conversation {
            true => self.retold(),
            false => Vec::new(),
        };
        let blocks = prompts::remember_blocks(namespace, &profile, &lesson.note);
        messages.push(Message::user("r0", blocks));
        let request = self.memory_request(prompts::remember(), messages, Rewrite::output());
        let wanted = Wanted {
            fault: "the memory's reply was no profile",
            keys: Rewrite::KEYS,
            read: Rewrite::read,
            remind: prompts::remind_profile,
        };
        let rewrite = match self
            .ask_object(&attempt.agent.models.memory, request, wanted)
            .await
        {
            Ok(rewrite) => rewrite,
            Err(failure) => {
                self.update.failure = Some(failure);
                return Ok(self.learnt(Vec::new()));
            }
        };
        // The model saw the text with its tags disarmed.
        if [profile.trim(), prompts::inert(&profile).trim()].contains(&rewrite.profile.as_str()) {
            return Ok(self.learnt(Vec::new()));
        }
        let entry = Entry {
            namespace,
            key: PROFILE_KEY.to_owned(),
            text: rewrite.profile,
        };
        self.record_entry(&entry, before, rewrite.reasoning);
        Ok(self.learnt(vec![entry]))
    }

    /// Asks for facts of the run that are worth keeping, and keeps those that are new.
    async fn take_facts(mut self) -> Result<Learnt, NodeError> {
        let attempt = self.attempt();
        let store = &*attempt.store;
        let background = memory::background(store, &attempt.agent.settings.preferences).await?;
        let mut messages = self.retold();
        messages.push(Message::user("r0", prompts::extract_blocks(&background)));
        let system = prompts::extract(MAX_FACTS, MAX_FACT_CHARS);
        let request = self.memory_request(system, messages, Facts::output());
        let wanted = Wanted {
            fault: "the memory's reply was no list of facts",
            keys: Facts::KEYS,
            read: Facts::read,
            remind: prompts::remind_facts,
        };
        let found = match self
            .ask_object(&attempt.agent.models.memory, request, wanted)
            .await
        {
            Ok(found) => found,
            Err(failure) => {
                self.update.failure = Some(failure);
                return Ok(self.learnt(Vec::new()));
            }
        };
        let mut entries = Vec::new();
        for text in found.facts {
            let namespace = Namespace::Background;
            let key = fact_key(&text);
            if memory::stored(store, namespace, &key).await?.is_none() {
                let entry = Entry {
                    namespace,
                    key,
                    text,
                };
                self.record_entry(&entry, None, found.reasoning.clone());
                entries.push(entry);
            }
        }
        Ok(self.learnt(entries))
    }

    fn learnt(self, entries: Vec<Entry>) -> Learnt {
        Learnt {
            update: self.update,
            entries,
        }
    }

    fn record_entry(&mut self, entry: &Entry, before: Option<String>, reason: String) {
        self.update.steps.push(Step::Memory {
            node: self.node.node().to_owned(),
            namespace: entry.namespace.name().to_owned(),
            key: entry.key.clone(),
            before,
            after: entry.text.clone(),
            reason,
        });
    }

    /// The conversation in words alone. A call may still wait for its answer here, which
    /// providers refuse, as they do calls of tools that are not offered. Where nothing was
    /// said, as at a notice, it is the email.
    fn retold(&self) -> Vec<Message> {
        let mut messages = self.conversation();
        if messages.is_empty() {
            return vec![Message::user(
                "m0",
                prompts::inert(&self.state.email.to_prompt()),
            )];
        }
        for message in &mut messages {
            let mut text = prompts::inert(&message.content);
            if let Some(name) = message.name.take() {
                text = format!("{name}: {text}");
            }
            for call in message.tool_calls.drain(..) {
                if !text.is_empty() {
                    text.push('\n');
                }
                let arguments = prompts::inert(&call.arguments.to_string());
                text.push_str(&format!("{}({arguments})", call.name));
            }
            message.content = text;
            message.tool_call_id = None;
            message.status = Default::default();
            if message.role == Role::Tool {
                message.role = Role::User;
            }
        }
        messages
    }

    fn memory_request(
        &self,
        system: String,
        messages: Vec<Message>,
        output: Arc<OutputSchema>,
    ) -> Request {
        Request {
            role: ModelRole::Memory,
            prompt: Prompt::new(system, Vec::new()),
            messages,
            tool_choice: ToolChoice::None,
            output: Some(output),
            origin: self.attempt().origin.clone(),
        }
    }
}
