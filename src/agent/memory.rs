//! What an agent remembers of the person it acts for.

use serde::{Deserialize, Serialize};

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

    /// Whether it is one text that is rewritten, and not a collection that grows.
    pub fn is_profile(self) -> bool {
        self != Namespace::Background
    }
}
