//! One question to one model: it decides one statement about what it is shown.
//!
//! [`request`] and [`read`] are functions from values to values; only [`ask`] needs a
//! model, and asks it once, or twice where the first answer could not be used. A judge that
//! fails has said nothing about the agent: the statement is then [`Unscored`], never failed.

use std::sync::{Arc, LazyLock};

use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::definition::{Definition, Scale, hexadecimal};
use super::subject::Question;
use super::{Verdict, shown};
use crate::message::{Message, Prompt};
use crate::model::{
    ErrorKind, Model, ModelError, Origin, OutputSchema, Reply, Request, ToolChoice,
};
use crate::run::{ModelRole, Stop, Usage};
use crate::score::one_line;

/// The most bytes of an answer, the most quotes of one, and the most characters of a quote.
const ANSWER: usize = 50_000;
const QUOTES: usize = 20;
const QUOTE: usize = 2_000;

/// The most characters that are kept of a reasoning.
const REASONING: usize = 2_000;

const FRAME: &str = include_str!("frame.md");
const REMINDER: &str = include_str!("remind.md");

/// What a judge decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// Written before the decision.
    pub reasoning: String,
    /// Passages of what the judge was shown, each found there.
    pub quotes: Vec<String>,
    pub decision: Decision,
}

/// On either scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    Verdict(Verdict),
    /// From 1 (worst) to 5.
    Grade(u8),
}

/// Why a statement was not decided. None of it says anything about the agent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unscored {
    #[error("the judge's answer could not be used: {first}; after a reminder: {second}")]
    Malformed { first: String, second: String },
    #[error("the judge could not be asked: {0}")]
    Unavailable(#[from] ModelError),
}

impl Unscored {
    /// Whether the call failed because the run ends, or no later call will be answered
    /// either: the attempt is then to be judged another time.
    pub fn ends_the_run(&self) -> bool {
        match self {
            Unscored::Malformed { .. } => false,
            Unscored::Unavailable(error) => {
                matches!(error.kind, ErrorKind::Halted | ErrorKind::Budget)
                    || error.kind.is_of_the_account()
            }
        }
    }
}

/// What came of asking, and what it used.
#[derive(Clone, Debug, PartialEq)]
pub struct Asked {
    pub result: Result<Judgement, Unscored>,
    pub usage: Usage,
}

/// Has `model` decide the statement of `question`.
///
/// After an answer that could not be used, the model is told what was wrong with it and
/// asked once more.
pub async fn ask(
    model: &Arc<dyn Model>,
    definition: &Definition,
    question: &Question,
    origin: Origin,
) -> Asked {
    let mut usage = Usage::default();
    let result = decide(model, definition, question, origin, &mut usage).await;
    Asked { result, usage }
}

async fn decide(
    model: &Arc<dyn Model>,
    definition: &Definition,
    question: &Question,
    origin: Origin,
    usage: &mut Usage,
) -> Result<Judgement, Unscored> {
    let scale = definition.scale;
    let mut request = request(definition, question, origin);
    let reply = model.ask(&request).await?;
    usage.record(ModelRole::Judge, reply.usage);
    let first = match read(scale, &reply, &question.shown) {
        Ok(judgement) => return Ok(judgement),
        Err(problem) => problem,
    };
    request.messages.extend([
        Message::assistant("j2", answered(&reply), Vec::new()),
        Message::user("j3", reminder(scale, &first)),
    ]);
    let reply = model.ask(&request).await?;
    usage.record(ModelRole::Judge, reply.usage);
    read(scale, &reply, &question.shown).map_err(|second| Unscored::Malformed { first, second })
}

/// The first request for a question: the question, and in a message of its own the material
/// between two lines of the mark.
pub fn request(definition: &Definition, question: &Question, origin: Origin) -> Request {
    let mark = mark(definition, question, &origin);
    let (answer, key) = wording(definition.scale);
    let system = FRAME
        .replace("{{answer}}", answer)
        .replace("{{key}}", key)
        .replace("{{rubric}}", &definition.rubric);
    // What the statement says goes in last, so that no placeholder in it is filled.
    let put = definition
        .question
        .replace("{{statement}}", &question.statement);
    // Not in the system text, which all questions to a judge share, and providers cache.
    let put = format!("The mark of the material: {mark}\n\n{put}");
    let shown = question.shown.trim_end_matches('\n');
    let material = format!("===== {mark}\n{shown}\n===== {mark}");
    Request {
        role: ModelRole::Judge,
        prompt: Prompt::new(system, Vec::new()),
        messages: vec![Message::user("j0", put), Message::user("j1", material)],
        tool_choice: ToolChoice::None,
        output: Some(output(definition.scale)),
        origin,
    }
}

/// What sets the material apart: the same whenever the same is judged, and not to be known
/// by whoever wrote the material, because it depends on all of it.
fn mark(definition: &Definition, question: &Question, origin: &Origin) -> String {
    let parts = (
        definition.key,
        &question.statement,
        &*origin.case,
        origin.attempt,
        origin.vote,
        &question.shown,
    );
    let json = serde_json::to_vec(&parts).expect("texts and numbers only");
    let mut mark = hexadecimal(&Sha256::digest(json));
    mark.truncate(16);
    mark
}

/// How the decision is asked for in words, and its key.
fn wording(scale: Scale) -> (&'static str, &'static str) {
    match scale {
        Scale::Binary => (
            "the verdict: pass if the statement holds, fail if it does not, cannot_tell if the material does not let anybody know",
            "`verdict`, one of pass, fail, cannot_tell",
        ),
        Scale::Graded => (
            "the grade, from 1 (the statement does not hold at all) to 5 (it holds without reserve)",
            "`grade`, a whole number from 1 to 5",
        ),
    }
}

fn reminder(scale: Scale, problem: &str) -> String {
    let (_, key) = wording(scale);
    // The problem quotes the model, so it goes in last.
    let reminder = REMINDER.trim_end().replace("{{key}}", key);
    reminder.replace("{{problem}}", problem)
}

/// What the model said, as it is told again; providers refuse an empty message.
fn answered(reply: &Reply) -> String {
    match reply.content.trim() {
        "" => "(no answer)".to_owned(),
        _ => reply.content.chars().take(ANSWER).collect(),
    }
}

/// What the judge is asked for: the reasoning first, so that it is written before the
/// decision.
fn output(scale: Scale) -> Arc<OutputSchema> {
    static OUTPUTS: LazyLock<[Arc<OutputSchema>; 2]> =
        LazyLock::new(|| [schema(Scale::Binary), schema(Scale::Graded)].map(Arc::new));
    Arc::clone(&OUTPUTS[usize::from(scale == Scale::Graded)])
}

fn schema(scale: Scale) -> OutputSchema {
    let (key, decision) = match scale {
        Scale::Binary => (
            "verdict",
            json!({ "type": "string", "enum": Verdict::ALL.map(Verdict::name) }),
        ),
        Scale::Graded => (
            "grade",
            json!({ "type": "integer", "enum": [1, 2, 3, 4, 5] }),
        ),
    };
    OutputSchema {
        name: "judgement".to_owned(),
        schema: json!({
            "type": "object",
            "properties": {
                "reasoning": {
                    "type": "string",
                    "description": "What speaks for the statement and what against it.",
                },
                "quotes": {
                    "type": "array",
                    "items": { "type": "string" },
                    "description": "Passages of the material, word for word.",
                },
                key: decision,
            },
            "required": ["reasoning", "quotes", key],
            "additionalProperties": false,
        }),
    }
}

/// Everything that all judges share and that can change a verdict, for
/// [`super::definition::prompt_hash`].
pub(super) fn shared_texts() -> Vec<u8> {
    let scales = [Scale::Binary, Scale::Graded];
    let schemas: Vec<Value> = scales.map(|scale| schema(scale).schema).into();
    let parts = (
        FRAME,
        REMINDER,
        scales.map(wording),
        schemas,
        shown::VERSION,
    );
    serde_json::to_vec(&parts).expect("texts and numbers only")
}

/// The form of an answer. A key that stands twice, or that was not asked for, is an error.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Verdicted {
    reasoning: String,
    quotes: Vec<String>,
    verdict: Verdict,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Graded {
    reasoning: String,
    quotes: Vec<String>,
    grade: u8,
}

/// Reads the object that was asked for and nothing else.
///
/// # Errors
/// What is wrong with the reply, as a clause; a quote that does not occur in what was
/// `shown` is wrong too, since evidence that is made up is none, and so is a pass without
/// one.
pub fn read(scale: Scale, reply: &Reply, shown: &str) -> Result<Judgement, String> {
    match reply.stop {
        None => {}
        Some(Stop::Length) => return Err("it was cut off before its end".to_owned()),
        Some(Stop::Refusal) => return Err("the model would not answer".to_owned()),
        Some(Stop::Filtered) => return Err("the provider took it away".to_owned()),
    }
    let content = reply.content.trim();
    if content.is_empty() {
        return Err(match reply.tool_calls.len() {
            0 => "it was empty".to_owned(),
            _ => "it called a tool, and none was offered".to_owned(),
        });
    }
    if content.len() > ANSWER {
        return Err(format!("it was longer than {ANSWER} bytes"));
    }
    if !content.starts_with('{') {
        return Err("it was not a JSON object".to_owned());
    }
    let wrong = |error: serde_json::Error| {
        let told = error.to_string();
        // Where is left out: a recording has answers without what is secret, which moves it,
        // and the reminder that quotes this has to be the same request when it is replayed.
        let what = told
            .rsplit_once(" at line ")
            .map_or(&*told, |(what, _)| what);
        format!(
            "it was not the object that was asked for ({})",
            one_line(what, 200)
        )
    };
    let (reasoning, quotes, decision) = match scale {
        Scale::Binary => {
            let answer: Verdicted = serde_json::from_str(content).map_err(wrong)?;
            (
                answer.reasoning,
                answer.quotes,
                Decision::Verdict(answer.verdict),
            )
        }
        Scale::Graded => {
            let answer: Graded = serde_json::from_str(content).map_err(wrong)?;
            (
                answer.reasoning,
                answer.quotes,
                Decision::Grade(answer.grade),
            )
        }
    };
    if reasoning.trim().is_empty() {
        return Err("`reasoning` was empty".to_owned());
    }
    if let Decision::Grade(grade) = decision
        && !(1..=5).contains(&grade)
    {
        return Err(format!("`grade` was {grade}, not from 1 to 5"));
    }
    if quotes.len() > QUOTES {
        return Err(format!("there were more than {QUOTES} quotes"));
    }
    let words = plain(shown);
    if let Some(quote) = quotes.iter().find(|quote| !occurs(quote, &words)) {
        return Err(format!(
            "the quote \"{}\" is not in the material",
            one_line(quote, 120)
        ));
    }
    if decision == Decision::Verdict(Verdict::Pass) && quotes.is_empty() {
        return Err("a pass needs at least one quote".to_owned());
    }
    Ok(Judgement {
        reasoning: one_line(&reasoning, REASONING),
        quotes: quotes.iter().map(|quote| one_line(quote, QUOTE)).collect(),
        decision,
    })
}

/// Whether a quote stands in `words`.
fn occurs(quote: &str, words: &str) -> bool {
    let quote = plain(quote);
    let length = quote.chars().count();
    (1..=QUOTE).contains(&length) && words.contains(&quote)
}

/// A text without what differs between copies of it: how its lines are broken, and which
/// form its quotation marks and dashes have.
fn plain(text: &str) -> String {
    let letters = text.chars().map(|letter| match letter {
        '\u{2018}' | '\u{2019}' | '\u{201b}' => '\'',
        '\u{201c}' | '\u{201d}' | '\u{201e}' => '"',
        '\u{2010}'..='\u{2014}' => '-',
        other => other,
    });
    one_line(&letters.collect::<String>(), usize::MAX)
}

#[cfg(test)]
mod tests;
