//! What to say of a request that was not recorded: which recorded one is nearest, and which
//! words differ.

use std::collections::HashMap;
use std::fmt::Write;
use std::path::Path;

use serde::Serialize;
use similar::{ChangeTag, TextDiff};

use super::RecordError;
use super::entry::{Entry, Said, Shared};
use super::index::{Index, Lines, Place};
use super::key::canonical;
use super::sink::names;
use crate::message::{Role, ToolSpec};
use crate::model::settings::Settings;
use crate::model::{OutputSchema, Request, ToolChoice};
use crate::redact::Redactor;

/// Recorded calls that are looked at: a second's worth of reading.
const MOST_LOOKED_AT: usize = 1000;
/// Parts of a request whose difference is shown; further ones are counted.
const MOST_PARTS: usize = 3;
/// Changed places of a part that are shown.
const MOST_CHANGES: usize = 4;
/// Words on either side of a change; a word and the space after it count for two.
const CONTEXT: usize = 8;
/// Letters of a changed, or an unchanged, run of words that are shown.
const LONGEST_RUN: usize = 100;
/// Such runs of one place that are shown.
const MOST_RUNS: usize = 7;
/// Words that are compared, from the first that differs.
const MOST_WORDS: usize = 4000;

/// A request in words, part by part.
#[derive(Debug, Default, PartialEq)]
struct Parts {
    model: String,
    settings: String,
    system: String,
    tools: String,
    output: String,
    tool_choice: String,
    messages: Vec<(Role, String)>,
}

/// What is asked, and nothing recorded answers.
pub struct Sought<'a> {
    pub request: &'a Request,
    pub messages: &'a [Said],
    pub model: &'a str,
    pub settings: &'a Settings,
    /// The call's place among those of its attempt.
    pub call: u32,
    /// How many equal requests the attempt made before.
    pub ordinal: u32,
}

/// Prompts and shapes by hash, in words.
#[derive(Default)]
struct Texts {
    prompts: HashMap<String, (String, String)>,
    outputs: HashMap<String, String>,
}

/// The nearest of the recorded calls of this role, as lines: where it stands, and how it
/// differs. `file` is the one that the call belongs in; others of its role are looked at
/// where it holds nothing.
///
/// # Errors
/// The recording cannot be read.
pub fn nearest(
    folder: &Path,
    file: &str,
    own: Option<&Index>,
    sought: &Sought,
    redactor: &Redactor,
) -> Result<String, RecordError> {
    let texts = Texts::read(folder)?;
    let parts = Parts::of_request(sought, redactor);
    let mut best = None;
    match own {
        Some(index) if !index.places().is_empty() => {
            best = nearest_of(index, sought, &parts, &texts)?;
        }
        _ => {
            let role = file.rsplit('.').nth(1).unwrap_or_default();
            let same_role = format!(".{role}.jsonl");
            for name in names(folder)? {
                if !name.ends_with(&same_role) {
                    continue;
                }
                let Some(index) = Index::open(&folder.join(&name), false)? else {
                    continue;
                };
                let found = nearest_of(&index, sought, &parts, &texts)?;
                if found.as_ref().map(|near| near.rank) > best.as_ref().map(|near| near.rank) {
                    best = found;
                }
            }
        }
    }
    Ok(match best {
        None => "nothing is recorded that was asked in this role\n".to_owned(),
        Some(near) => describe(&near, sought, &parts),
    })
}

/// A recorded call that resembles the one sought.
struct Near {
    entry: Entry,
    parts: Parts,
    /// `FILE:LINE`.
    at: String,
    rank: Rank,
}

/// How near a call is: by what decides first.
type Rank = (bool, u32, bool, bool);

fn nearest_of(
    index: &Index,
    sought: &Sought,
    parts: &Parts,
    texts: &Texts,
) -> Result<Option<Near>, RecordError> {
    let origin = &sought.request.origin;
    let is_own = |place: &Place| *index.case(place) == *origin.case;
    let mut places: Vec<&Place> = index.places().iter().collect();
    if places.iter().any(|place| is_own(place)) {
        places.retain(|place| is_own(place));
    }
    // Those of the same attempt, and of about the same place in it, first.
    places.sort_by_key(|place| {
        let attempt = place.attempt.abs_diff(origin.attempt);
        (attempt, place.call.abs_diff(sought.call), place.line())
    });
    let words = parts.words();
    let mut best: Option<Near> = None;
    for place in places.into_iter().take(MOST_LOOKED_AT) {
        let entry = index.entry(place)?;
        let recorded = Parts::of_entry(&entry, texts);
        let rank = (
            is_own(place),
            likeness(&words, &recorded.words()),
            entry.attempt == origin.attempt,
            entry.call == sought.call,
        );
        if best.as_ref().is_none_or(|near| near.rank < rank) {
            best = Some(Near {
                entry,
                parts: recorded,
                at: index.at(place),
                rank,
            });
        }
    }
    Ok(best)
}

fn describe(near: &Near, sought: &Sought, parts: &Parts) -> String {
    let entry = &near.entry;
    let mut text = format!(
        "the nearest recorded request is call {} of `{}`, attempt {} ({})\n",
        entry.call + 1,
        entry.case,
        entry.attempt + 1,
        near.at
    );
    let differences = differences(&near.parts, parts);
    for (what, difference) in differences.iter().take(MOST_PARTS) {
        write!(text, "{what}:\n{difference}").expect("a string takes all");
    }
    let more = differences.len().saturating_sub(MOST_PARTS);
    if more > 0 {
        writeln!(text, "and {more} more of its parts").expect("a string takes all");
    }
    if !differences.is_empty() {
        return text;
    }
    let origin = &sought.request.origin;
    let counted = [
        ("attempt", entry.attempt, origin.attempt),
        ("vote", entry.vote, origin.vote),
        ("repetition", entry.ordinal, sought.ordinal),
    ];
    for (what, recorded, asked) in counted {
        if recorded != asked {
            let (recorded, asked) = (recorded + 1, asked + 1);
            writeln!(
                text,
                "the same request is recorded of {what} {recorded}, not of {what} {asked}"
            )
            .expect("a string takes all");
        }
    }
    if counted.iter().all(|(_, recorded, asked)| recorded == asked) {
        text.push_str("they differ only in what was taken out as a secret\n");
    }
    text
}

/// What differs, by name, with its changed words.
fn differences(recorded: &Parts, asked: &Parts) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut compare = |what: &str, old: &str, new: &str| {
        if old != new {
            found.push((what.to_owned(), changes(old, new)));
        }
    };
    compare("the model's name", &recorded.model, &asked.model);
    compare("the model's settings", &recorded.settings, &asked.settings);
    compare("the system prompt", &recorded.system, &asked.system);
    compare("the tools", &recorded.tools, &asked.tools);
    compare("the shape of the answer", &recorded.output, &asked.output);
    compare("the tool choice", &recorded.tool_choice, &asked.tool_choice);
    let longer = recorded.messages.len().max(asked.messages.len());
    for number in 0..longer {
        let text = |parts: &Parts| {
            let message = parts.messages.get(number);
            message.map_or(String::new(), |(_, text)| text.clone())
        };
        let role = asked.messages.get(number).or(recorded.messages.get(number));
        let role = role.map_or("", |(role, _)| role_name(*role));
        let name = format!("message {} ({role})", number + 1);
        let missing = match (recorded.messages.get(number), asked.messages.get(number)) {
            (None, _) => ", which was not recorded",
            (_, None) => ", which is not asked",
            _ => "",
        };
        let roles = |parts: &Parts| parts.messages.get(number).map(|(role, _)| *role);
        let (old, new) = (text(recorded), text(asked));
        if roles(recorded) != roles(asked) && missing.is_empty() {
            let role = |parts| roles(parts).map_or("", role_name);
            let change = format!("  [-{}-]{{+{}+}}\n", role(recorded), role(asked));
            found.push((format!("the role of {name}"), change));
        }
        if old != new || !missing.is_empty() {
            found.push((format!("{name}{missing}"), changes(&old, &new)));
        }
    }
    found
}

/// The changed words of a text in their surroundings, one place a line: `[-old-]{+new+}`.
fn changes(old: &str, new: &str) -> String {
    let (old, new) = from_the_difference(old, new);
    let diff = TextDiff::from_words(old, new);
    let groups = diff.grouped_ops(CONTEXT);
    let mut text = String::new();
    for group in groups.iter().take(MOST_CHANGES) {
        let mut runs: Vec<(ChangeTag, String)> = Vec::new();
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            match runs.last_mut() {
                Some((tag, run)) if *tag == change.tag() => run.push_str(change.value()),
                _ => runs.push((change.tag(), change.value().to_owned())),
            }
        }
        text.push_str("  ");
        for (tag, run) in runs.iter().take(MOST_RUNS) {
            let run = shortened(run);
            match tag {
                ChangeTag::Equal => text.push_str(&run),
                ChangeTag::Delete => write!(text, "[-{run}-]").expect("a string takes all"),
                ChangeTag::Insert => write!(text, "{{+{run}+}}").expect("a string takes all"),
            }
        }
        text.push_str(if runs.len() > MOST_RUNS {
            "…\n"
        } else {
            "\n"
        });
    }
    let more = groups.len().saturating_sub(MOST_CHANGES);
    if more > 0 {
        writeln!(text, "  … and {more} more places").expect("a string takes all");
    }
    text
}

/// Both texts from a few words before the first difference on, and no further than is
/// compared.
fn from_the_difference<'a>(old: &'a str, new: &'a str) -> (&'a str, &'a str) {
    let same = old.chars().zip(new.chars());
    let same: usize = same
        .take_while(|(old, new)| old == new)
        .map(|(c, _)| c.len_utf8())
        .sum();
    let words = |text: &'a str| -> Vec<usize> {
        let spaces = text.char_indices().filter(|(_, c)| c.is_whitespace());
        spaces.map(|(at, c)| at + c.len_utf8()).collect()
    };
    let before = words(&old[..same]);
    let from = match before.len().checked_sub(CONTEXT / 2 + 1) {
        None => 0,
        Some(first) => before[first],
    };
    let clip = |text: &'a str| match words(text).get(MOST_WORDS) {
        None => text,
        Some(&end) => &text[..end],
    };
    (clip(&old[from..]), clip(&new[from..]))
}

/// In one line, with its middle left out where it is long.
fn shortened(run: &str) -> String {
    let run = run.replace(['\n', '\r'], "⏎");
    let letters = run.chars().count();
    if letters <= LONGEST_RUN {
        return run;
    }
    let half = LONGEST_RUN / 2;
    let start: String = run.chars().take(half).collect();
    let end: String = run.chars().skip(letters - half).collect();
    format!("{start}…{end}")
}

/// How much of two texts is the same words, however they are ordered: from 0 to 1,000,000.
fn likeness(one: &HashMap<&str, u32>, other: &HashMap<&str, u32>) -> u32 {
    let count = |words: &HashMap<&str, u32>| words.values().map(|&n| u64::from(n)).sum::<u64>();
    let all = count(one) + count(other);
    let shared: u64 = one
        .iter()
        .map(|(word, n)| u64::from(*n.min(other.get(word).unwrap_or(&0))))
        .sum();
    match all {
        0 => 1_000_000,
        _ => (2_000_000 * shared / all) as u32,
    }
}

impl Parts {
    fn of_request(sought: &Sought, redactor: &Redactor) -> Parts {
        let request = sought.request;
        let output = request.output.as_deref();
        let hide = |text: String| redactor.text(&text).into_owned();
        Parts {
            model: hide(sought.model.to_owned()),
            settings: redactor.json(&canonical(sought.settings)).into_owned(),
            system: hide(request.prompt.system().to_owned()),
            tools: redactor
                .json(&in_words(request.prompt.tools()))
                .into_owned(),
            output: output.map_or(String::new(), |output| {
                redactor.json(&shape_in_words(output)).into_owned()
            }),
            tool_choice: choice_in_words(request.tool_choice),
            messages: messages(sought.messages, Some(redactor)),
        }
    }

    /// Of a recorded call: its texts are as they stand in the recording.
    fn of_entry(entry: &Entry, texts: &Texts) -> Parts {
        let prompt = texts.prompts.get(&entry.prompt);
        let (system, tools) = prompt.cloned().unwrap_or_default();
        let output = entry.output.as_ref();
        Parts {
            model: entry.model.clone(),
            settings: canonical(&entry.settings),
            system,
            tools,
            output: output
                .and_then(|hash| texts.outputs.get(hash).cloned())
                .unwrap_or_default(),
            tool_choice: choice_in_words(entry.tool_choice),
            messages: messages(&entry.messages, None),
        }
    }

    /// How often each word stands in the texts.
    fn words(&self) -> HashMap<&str, u32> {
        let mut words = HashMap::new();
        let messages = self.messages.iter().map(|(_, text)| text);
        for text in messages.chain([&self.system]) {
            for word in text.split_whitespace() {
                *words.entry(word).or_default() += 1;
            }
        }
        words
    }
}

impl Texts {
    fn read(folder: &Path) -> Result<Texts, RecordError> {
        let mut texts = Texts::default();
        let Some(mut lines) = Lines::open(&folder.join(super::PROMPTS), false)? else {
            return Ok(texts);
        };
        while lines.advance()?.is_some() {
            match lines.parse()? {
                Shared::Prompt {
                    hash,
                    system,
                    tools,
                } => {
                    texts.prompts.insert(hash, (system, in_words(&tools)));
                }
                Shared::Output { hash, name, schema } => {
                    let shape = shape_in_words(&OutputSchema { name, schema });
                    texts.outputs.insert(hash, shape);
                }
            }
        }
        Ok(texts)
    }
}

/// With a space after each comma, so that a difference is one of words.
fn in_words(tools: &[ToolSpec]) -> String {
    let tools: Vec<String> = tools.iter().map(spaced).collect();
    tools.join("\n")
}

fn shape_in_words(output: &OutputSchema) -> String {
    format!("{} {}", output.name, spaced(&output.schema))
}

fn spaced(value: &impl Serialize) -> String {
    canonical(value)
        .replace(",\"", ", \"")
        .replace("\":", "\": ")
}

fn choice_in_words(choice: ToolChoice) -> String {
    match choice {
        ToolChoice::None => "none",
        ToolChoice::Auto => "auto",
        ToolChoice::Required => "required",
    }
    .to_owned()
}

fn role_name(role: Role) -> &'static str {
    match role {
        Role::User => "user",
        Role::Assistant => "assistant",
        Role::Tool => "tool",
    }
}

/// Each message with its calls, and what else a model is told of it.
fn messages(said: &[Said], redactor: Option<&Redactor>) -> Vec<(Role, String)> {
    let hide = |text: String| match redactor {
        None => text,
        Some(redactor) => redactor.text(&text).into_owned(),
    };
    let hide_json = |text: String| match redactor {
        None => text,
        Some(redactor) => redactor.json(&text).into_owned(),
    };
    let mut messages = Vec::new();
    for message in said {
        let mut text = hide(message.content.clone());
        for call in &message.tool_calls {
            let call = hide_json(spaced(call));
            write!(text, "\ncalls {call}").expect("a string takes all");
        }
        if let Some(id) = &message.tool_call_id {
            let name = message.name.as_deref().unwrap_or_default();
            let told = format!("\nanswers {id} {name} {:?}", message.status);
            text.push_str(&hide(told));
        }
        messages.push((message.role, text));
    }
    messages
}
