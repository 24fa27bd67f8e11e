//! What an agent remembers of the person it acts for.
//!
//! A store holds it, in four namespaces (`email_assistant/triage_preferences` and so on).
//! A profile is one text under the key `user_preferences`; the background is a collection
//! of facts, each under a key that follows from its text, and of the text it began with,
//! under `default`. Values are JSON strings.
//!
//! # What the model that writes it is sent
//! Role [`Memory`](crate::run::ModelRole::Memory), no tools, structured output. For a
//! profile, the output `profile` is `{reasoning, profile}`, and the last message is
//! ```text
//! <namespace>response_preferences</namespace>
//!
//! <profile>
//! the profile as it is
//! </profile>
//!
//! <feedback>
//! The person answered the proposed write_email with: "Shorter, please."
//! Proposed: {"to":"…","subject":"…","content":"…"}
//! </feedback>
//! ```
//! The note in `<feedback>` is one of the `lesson_*.md` beside the prompts. What was said
//! is a JSON string there, and arguments are a JSON object on one line. Unless the lesson
//! is an edit, the conversation goes before it, told in words: the first message holds the
//! email as the agent saw it, calls are lines such as `write_email({"to":…})` of the
//! assistant, and their results are lines such as `write_email: …` of the user. A notice
//! without a conversation is preceded by the email alone.
//!
//! For the background, the output `facts` is `{reasoning, facts}`, the conversation goes
//! before, and the last message is `<background>`, what is known, `</background>`.
//!
//! What is quoted is data: tags in it that would open or close a block are written with
//! `&lt;`.

mod facts;
pub mod lessons;
mod profile;

pub use facts::{Facts, MAX_FACT_CHARS, MAX_FACTS, fact_key};
pub use profile::{MAX_PROFILE_CHARS, Rewrite};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::prompts::Preferences;
use super::prompts::memory::inert;
use crate::graph::Store;
use crate::graph::store::{Item, StoreError};
use crate::run::Memory;

/// The key of a profile.
pub const PROFILE_KEY: &str = "user_preferences";

/// The key of the text that the background begins with.
const DEFAULT_KEY: &str = "default";

/// The most facts that a prompt holds: the newest.
pub const MAX_FACTS_TOLD: usize = 100;

/// What a memory is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Namespace {
    /// A profile: how emails are sorted.
    TriagePreferences,
    /// A profile: how emails are answered.
    ResponsePreferences,
    /// A profile: how meetings are made.
    CalPreferences,
    /// A collection of short facts about the person's world.
    Background,
}

impl Namespace {
    pub const ALL: [Namespace; 4] = [
        Namespace::TriagePreferences,
        Namespace::ResponsePreferences,
        Namespace::CalPreferences,
        Namespace::Background,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Namespace::TriagePreferences => "triage_preferences",
            Namespace::ResponsePreferences => "response_preferences",
            Namespace::CalPreferences => "cal_preferences",
            Namespace::Background => "background",
        }
    }

    /// What it is called in a store.
    pub fn path(self) -> &'static str {
        match self {
            Namespace::TriagePreferences => "email_assistant/triage_preferences",
            Namespace::ResponsePreferences => "email_assistant/response_preferences",
            Namespace::CalPreferences => "email_assistant/cal_preferences",
            Namespace::Background => "email_assistant/background",
        }
    }

    /// Whether it is one text that is rewritten, and not a collection that grows.
    pub fn is_profile(self) -> bool {
        self != Namespace::Background
    }

    /// The text it begins with.
    fn default_text(self, defaults: &Preferences) -> &str {
        match self {
            Namespace::TriagePreferences => &defaults.triage_preferences,
            Namespace::ResponsePreferences => &defaults.response_preferences,
            Namespace::CalPreferences => &defaults.cal_preferences,
            Namespace::Background => &defaults.background,
        }
    }

    /// The key of the text it begins with.
    fn default_key(self) -> &'static str {
        match self.is_profile() {
            true => PROFILE_KEY,
            false => DEFAULT_KEY,
        }
    }
}

/// Why what is remembered cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum MemoryError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(
        "the memory `{namespace}` holds no text under `{key}`: write a JSON string there, or delete it"
    )]
    NotText { namespace: String, key: String },
}

/// Writes the text that each memory begins with where there is none, so that all four can
/// be listed before anything was learnt.
pub async fn seed(store: &dyn Store, defaults: &Preferences) -> Result<(), StoreError> {
    for namespace in Namespace::ALL {
        let key = namespace.default_key();
        if store.get(namespace.path(), key).await?.is_none() {
            let text = namespace.default_text(defaults);
            store.put(namespace.path(), key, text.into()).await?;
        }
    }
    Ok(())
}

/// The text of a profile, or the one it begins with while nothing is stored; for the
/// background, the text it began with, without its facts.
pub async fn profile(
    store: &dyn Store,
    namespace: Namespace,
    defaults: &Preferences,
) -> Result<String, MemoryError> {
    let stored = stored(store, namespace, namespace.default_key()).await?;
    Ok(stored.unwrap_or_else(|| namespace.default_text(defaults).to_owned()))
}

/// The text under a key, if there is one.
pub async fn stored(
    store: &dyn Store,
    namespace: Namespace,
    key: &str,
) -> Result<Option<String>, MemoryError> {
    let item = store.get(namespace.path(), key).await?;
    item.map(text).transpose()
}

/// Sets the text under a key. Doing it again changes nothing but the time of the update.
pub async fn write(
    store: &dyn Store,
    namespace: Namespace,
    key: &str,
    text: &str,
) -> Result<(), StoreError> {
    store.put(namespace.path(), key, text.into()).await
}

/// Everything that is remembered, for the record of a run; by the short names of the
/// namespaces, each of which is there.
pub async fn snapshot(store: &dyn Store) -> Result<Memory, MemoryError> {
    let mut memory = Memory::default();
    for namespace in Namespace::ALL {
        let entries = memory.0.entry(namespace.name().to_owned()).or_default();
        for item in store.list(Some(namespace.path())).await? {
            entries.insert(item.key.clone(), text(item)?);
        }
    }
    Ok(memory)
}

/// What a prompt tells of the person: the profiles as they are now, and the background
/// with its facts, one a line, the newest [`MAX_FACTS_TOLD`] of them.
pub async fn preferences(
    store: &dyn Store,
    defaults: &Preferences,
) -> Result<Preferences, MemoryError> {
    let profile = async |namespace| -> Result<String, MemoryError> {
        Ok(inert(&profile(store, namespace, defaults).await?))
    };
    Ok(Preferences {
        background: inert(&background(store, defaults).await?),
        triage_preferences: profile(Namespace::TriagePreferences).await?,
        response_preferences: profile(Namespace::ResponsePreferences).await?,
        cal_preferences: profile(Namespace::CalPreferences).await?,
    })
}

/// The background with its facts, one a line. They stand in the order of their keys, which
/// depends on no clock; time decides only which are left out where there are too many.
pub async fn background(store: &dyn Store, defaults: &Preferences) -> Result<String, MemoryError> {
    let mut lines = vec![profile(store, Namespace::Background, defaults).await?];
    let mut facts = store.list(Some(Namespace::Background.path())).await?;
    facts.retain(|item| item.key != DEFAULT_KEY);
    if facts.len() > MAX_FACTS_TOLD {
        facts.sort_by(|one, other| {
            let newest_first = other.updated_at.cmp(&one.updated_at);
            newest_first.then_with(|| one.key.cmp(&other.key))
        });
        facts.truncate(MAX_FACTS_TOLD);
        facts.sort_by(|one, other| one.key.cmp(&other.key));
    }
    for fact in facts {
        lines.push(text(fact)?);
    }
    Ok(lines.join("\n"))
}

fn text(item: Item) -> Result<String, MemoryError> {
    match item.value {
        Value::String(text) => Ok(text),
        _ => Err(MemoryError::NotText {
            namespace: item.namespace,
            key: item.key,
        }),
    }
}

#[cfg(test)]
mod tests;
