//! What the model that keeps an agent's memory is told, and the notes it learns from.

use super::fill;
use crate::agent::memory::Namespace;

/// Tags of the blocks that what is remembered or said may stand in.
const BLOCKS: [&str; 5] = [
    "namespace",
    "profile",
    "feedback",
    "background",
    "preferences",
];

/// System text for rewriting a profile.
pub fn remember() -> String {
    include_str!("remember.md").to_owned()
}

/// Last message for rewriting a profile.
pub fn remember_blocks(namespace: Namespace, profile: &str, feedback: &str) -> String {
    fill(
        include_str!("remember_blocks.md"),
        &[
            ("namespace", namespace.name()),
            ("profile", &inert(profile)),
            ("feedback", &inert(feedback)),
        ],
    )
}

/// System text for taking at most `number` facts of at most `length` characters from a
/// conversation.
pub fn extract(number: usize, length: usize) -> String {
    fill(
        include_str!("extract.md"),
        &[
            ("number", &number.to_string()),
            ("length", &length.to_string()),
        ],
    )
}

/// Last message for taking facts.
pub fn extract_blocks(background: &str) -> String {
    fill(
        include_str!("extract_blocks.md"),
        &[("background", &inert(background))],
    )
}

/// Sent once, after a reply that was no profile.
pub fn remind_profile(problem: &str) -> String {
    remind(include_str!("remind_profile.md"), problem)
}

/// Sent once, after a reply that was no list of facts.
pub fn remind_facts(problem: &str) -> String {
    remind(include_str!("remind_facts.md"), problem)
}

fn remind(template: &str, problem: &str) -> String {
    fill(template, &[("problem", problem)])
        .trim_end()
        .to_owned()
}

/// Note of a call that the person changed. Arguments are JSON.
pub fn lesson_edit(tool: &str, proposed: &str, edited: &str) -> String {
    note(
        include_str!("lesson_edit.md"),
        &[("tool", tool), ("proposed", proposed), ("edited", edited)],
    )
}

/// Note of a call that the person gave feedback on. `said` is a JSON string.
pub fn lesson_respond(tool: &str, proposed: &str, said: &str) -> String {
    note(
        include_str!("lesson_respond.md"),
        &[("tool", tool), ("proposed", proposed), ("said", said)],
    )
}

/// Note of a call that the person turned down.
pub fn lesson_ignore(tool: &str, proposed: &str) -> String {
    note(
        include_str!("lesson_ignore.md"),
        &[("tool", tool), ("proposed", proposed)],
    )
}

/// Note of a notice that the person wants answered. `said` is a JSON string.
pub fn lesson_notice_respond(said: &str) -> String {
    note(include_str!("lesson_notice_respond.md"), &[("said", said)])
}

/// Note of a notice that the person did not want.
pub fn lesson_notice_ignore() -> String {
    note(include_str!("lesson_notice_ignore.md"), &[])
}

fn note(template: &str, values: &[(&str, &str)]) -> String {
    fill(template, values).trim_end().to_owned()
}

/// `text` without tags that would open or close a block of a prompt: what a person or an
/// email says cannot step out of the block it stands in.
pub fn inert(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        let (before, tag) = rest.split_at(at);
        safe.push_str(before);
        safe.push_str(if is_block_tag(tag) { "&lt;" } else { "<" });
        rest = &tag[1..];
    }
    safe.push_str(rest);
    safe
}

/// Whether `tag`, which begins with `<`, names a block, opening or closing it.
fn is_block_tag(tag: &str) -> bool {
    // However it is spaced and written: it is a model that must not take it for a tag.
    let name = tag[1..].trim_start_matches(|c: char| c == '/' || c.is_whitespace());
    let end = name
        .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        .unwrap_or(name.len());
    let name = name[..end].to_ascii_lowercase();
    BLOCKS.iter().any(|block| name.ends_with(block))
}
