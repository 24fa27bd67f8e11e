//! What a criterion demands, taken apart: alternatives, each of which is one demand or
//! several that must all be met.

use jiff::civil::Date;

use super::lexicon::{Verb, lexicon};
use super::prose::{Moment, Prose, Word};
use crate::model::rules::book::Book;
use crate::model::rules::segment::prefix;
use crate::model::rules::text::class;

/// Bytes of a statement that are read.
const MOST_BYTES: usize = 4_000;

/// What a clause asks to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wants {
    /// That something is said at all.
    Mention,
    /// One way or the other.
    Whether,
    /// A day or a time of day.
    Moment,
    /// A time of day.
    Clock,
    /// A day and a time of day.
    DayAndClock,
    /// One of several things that are on offer.
    Choice,
    /// That nothing on offer will do.
    Neither,
    /// Somebody's name.
    Person,
    /// How much or how many.
    Number,
}

/// The latest moment that something may be promised for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limit {
    pub date: Option<Date>,
    pub minutes: Option<u16>,
    /// The day itself is too late.
    pub exclusive: bool,
}

/// One thing that a mail has to do.
#[derive(Clone, Debug)]
pub(super) struct Demand {
    pub verb: Verb,
    /// It must not be done.
    pub negated: bool,
    pub wants: Wants,
    /// Something is to be promised, for some moment.
    pub promise: bool,
    pub limit: Option<Limit>,
    /// Nothing may be promised beyond the limit.
    pub nothing_later: bool,
    /// A whole week, by its Monday.
    pub week: Option<Date>,
    /// The earliest time of day, in minutes after midnight.
    pub earliest: Option<u16>,
    /// Days and times of day that must be named.
    pub moments: Vec<Moment>,
    /// What it is about.
    pub topic: Vec<Word>,
    /// The clause, folded, with a space on both sides of each word.
    pub clause: String,
}

/// What a criterion demands: one of the alternatives, each wholly.
#[derive(Clone, Debug, Default)]
pub(super) struct Demands {
    pub alternatives: Vec<Vec<Demand>>,
}

/// Reads a criterion. `people` are folded names that a mail need not repeat: those of the
/// people who write to each other.
pub(super) fn read(book: &Book, statement: &str, sent: Option<Date>, people: &[String]) -> Demands {
    let prose = Prose::read(book, prefix(statement, MOST_BYTES), sent);
    let count = prose.words.len();
    if count == 0 {
        return Demands::default();
    }
    let negated = is_negated(&prose);
    let mut demands = Demands::default();
    let mut start = 0;
    let mut all: Vec<Demand> = Vec::new();
    for at in 1..=count {
        let cut = match at == count {
            true => Some(true),
            false if negated => None,
            false => cut(&prose, at),
        };
        let Some(alternative) = cut else { continue };
        if start < at {
            let earlier = all.last().or_else(|| {
                let last = demands.alternatives.last()?;
                last.last()
            });
            all.push(demand(&prose, start..at, people, earlier, negated));
        }
        start = at + 1;
        if alternative {
            demands.alternatives.push(std::mem::take(&mut all));
        }
    }
    demands.alternatives.retain(|all| !all.is_empty());
    demands
}

/// Whether a clause ends before the word: `true` where an alternative follows.
fn cut(prose: &Prose, at: usize) -> Option<bool> {
    let word = prose.words[at].folded.as_str();
    let next = prose.words.get(at + 1)?.folded.as_str();
    let is_verb = next.ends_with('s') && lexicon().verb(next).is_some() || next == "does";
    let asks = matches!(
        next,
        "when" | "whether" | "that" | "what" | "by" | "who" | "which" | "how" | "where"
    );
    let before = prose.text.tokens[at - 1].end as usize;
    let gap = &prose.text.source[before..prose.text.tokens[at].start as usize];
    match word {
        "or" if is_verb || asks && gap.contains(',') => Some(true),
        "and" if is_verb || asks && next != "that" && next != "by" => Some(false),
        _ => None,
    }
}

fn is_negated(prose: &Prose) -> bool {
    let word = |at: usize| prose.words.get(at).map_or("", |word| word.folded.as_str());
    matches!(
        word(0),
        "never" | "avoids" | "omits" | "leaves" | "without" | "not"
    ) || matches!(word(0), "does" | "is" | "has") && word(1) == "not"
        || matches!(word(0), "doesn" | "isn")
        || matches!(word(1), "no" | "nothing" | "neither" | "none" | "nobody")
            && !(word(1) == "no" && matches!(word(2), "longer" | "later" | "more"))
}

fn demand(
    prose: &Prose,
    range: std::ops::Range<usize>,
    people: &[String],
    earlier: Option<&Demand>,
    negated: bool,
) -> Demand {
    let words: Vec<&str> = prose.words[range.clone()]
        .iter()
        .map(|word| word.folded.as_str())
        .collect();
    let clause = format!(" {} ", words.join(" "));
    let has = |phrase: &str| clause.contains(&format!(" {phrase} "));
    let verb_at = words
        .iter()
        .take(4)
        .position(|word| lexicon().verb(word).is_some());
    // "…, or when Lorna will know" says so too.
    let asks_first = matches!(
        words[0],
        "when" | "whether" | "that" | "what" | "by" | "who" | "which" | "how" | "where"
    );
    let verb = match verb_at.filter(|_| !asks_first) {
        Some(at) => lexicon().verb(words[at]).unwrap_or(Verb::Say),
        None => Verb::Say,
    };
    let marker = words.iter().enumerate().position(|(at, word)| {
        let next = words.get(at + 1).copied().unwrap_or_default();
        match *word {
            "before" | "until" => true,
            "by" => next != "when",
            "later" => next == "than",
            "latest" => true,
            _ => false,
        }
    });
    let moments: Vec<Moment> = prose
        .sentences
        .iter()
        .flat_map(|sentence| &sentence.moments)
        .filter(|moment| range.contains(&moment.token))
        .copied()
        .collect();
    let marker = marker.filter(|at| {
        let behind = range.start + at;
        // "by Tuesday", but not "checked by the team".
        words[*at] != "by" || moments.iter().any(|moment| moment.token > behind)
    });
    let limit = marker.map(|at| limit(&moments, range.start + at, words[at] == "before"));
    // "Answers by Friday, or promises to"
    let limit = limit.or_else(|| {
        let leaves_open = verb == Verb::Promise && words.len() <= 4 && moments.is_empty();
        earlier.filter(|_| leaves_open)?.limit
    });
    let end = marker.map_or(range.end, |at| range.start + at);
    let week = has("week of").then(|| {
        let date = moments.iter().find_map(|moment| moment.date)?;
        let ahead = i64::from(date.weekday().to_monday_zero_offset());
        date.checked_sub(jiff::Span::new().days(ahead)).ok()
    });
    let week = week.flatten();
    let earliest = ["from", "after"].into_iter().find_map(|word| {
        let at = words.iter().position(|known| *known == word)? + range.start;
        let next = moments.iter().find(|moment| moment.token == at + 1)?;
        next.minutes.filter(|_| next.date.is_none())
    });
    let facts: Vec<Moment> = moments
        .iter()
        .filter(|moment| moment.token < end && week.is_none())
        .filter(|moment| earliest.is_none() || moment.minutes != earliest)
        .copied()
        .collect();
    let clock = has("hour")
        || has("what time")
        || has("a time")
        || has("the time")
        || has("exact time")
        || has("at which time");
    let day = has("day") || has("a date") || has("the date") || has("a day");
    let neither = has("neither") || has("none of") || has("no option");
    let choice = !neither
        && (has("a choice")
            || has("one of the")
            || has("which of")
            || has("which option")
            || has("an option")
            || verb == Verb::Pick);
    let asks_when =
        has("when") || has("how soon") || has("how long") || has("a date") || has("a day");
    let knows = [
        "will know",
        "will hear",
        "will have",
        "will get",
        "will be told",
        "will decide",
        "she will",
        "he will",
        "they will",
        "answer follows",
        "will state",
        "will answer",
        "will reply",
        "will tell",
        "will say",
        "can expect",
        "hears",
        "will learn",
        "will be answered",
        "will come back",
        "will follow",
    ];
    let knows = knows.iter().any(|phrase| clause.contains(phrase));
    let promise = verb == Verb::Promise
        || asks_when && (knows || has("by when"))
        || limit.is_some() && (knows || has("an answer") || has("a reply") || has("a decision"))
        || limit.is_some()
            && matches!(verb, Verb::Say | Verb::Address | Verb::Name)
            && earlier.is_some();
    let wants = if neither {
        Wants::Neither
    } else if choice {
        Wants::Choice
    } else if clock && day && matches!(verb, Verb::Propose | Verb::Name | Verb::Say) {
        Wants::DayAndClock
    } else if clock && matches!(verb, Verb::Name | Verb::Say | Verb::Propose) {
        Wants::Clock
    } else if asks_when {
        Wants::Moment
    } else if has("whether") || has("if") {
        Wants::Whether
    } else if !negated && matches!(verb, Verb::Name | Verb::Say) && asks_who(&has) {
        Wants::Person
    } else if !negated && matches!(verb, Verb::Name | Verb::Say) && asks_how_many(&has) {
        Wants::Number
    } else {
        Wants::Mention
    };
    let skip = verb_at.filter(|_| !asks_first).map_or(0, |at| at + 1);
    let mut topic: Vec<Word> = Vec::new();
    for at in range.start + skip..end {
        let word = &prose.words[at];
        let is_topic = !lexicon().is_stop(&word.folded)
            && !prose.timed[at]
            && !people.contains(&word.folded)
            && (week.is_none() || word.class & class::NUMBER == 0)
            && (word.folded.chars().count() > 1 || word.class & class::NUMBER != 0)
            && word.class & class::ADDRESS == 0
            && !is_unit(prose, at);
        if is_topic && !topic.iter().any(|known| known.folded == word.folded) {
            topic.push(word.clone());
        }
    }
    // "…, or gives them": what the alternative before was about.
    if topic.is_empty()
        && let Some(earlier) = earlier
        && !promise
        && matches!(wants, Wants::Mention | Wants::Whether)
        && facts.is_empty()
        && matches!(verb, Verb::Name | Verb::Say | Verb::Address)
    {
        topic.clone_from(&earlier.topic);
    }
    Demand {
        verb,
        negated,
        wants,
        promise,
        limit,
        nothing_later: has("nothing later") || has("no later than") && negated,
        week,
        earliest,
        moments: facts,
        topic,
        clause,
    }
}

/// "40 TB"
fn is_unit(prose: &Prose, at: usize) -> bool {
    let is_number = |at: usize| prose.words[at].class & class::NUMBER != 0;
    at > 0 && is_number(at - 1) && !is_number(at) && prose.words[at].folded.chars().count() <= 3
}

fn asks_who(has: &dyn Fn(&str) -> bool) -> bool {
    let persons = [
        "who",
        "whom",
        "somebody",
        "someone",
        "a person",
        "a contact",
        "another person",
        "another contact",
    ];
    persons.iter().any(|phrase| has(phrase))
        || has("another")
            && [
                "parent",
                "colleague",
                "candidate",
                "speaker",
                "engineer",
                "interviewer",
            ]
            .iter()
            .any(|who| has(who))
}

fn asks_how_many(has: &dyn Fn(&str) -> bool) -> bool {
    let amounts = [
        "how many",
        "how much",
        "a price",
        "a salary",
        "an amount",
        "a sum",
        "a number",
        "a figure",
        "an estimate",
        "a quantity",
        "the number",
        "the amount",
        "the price",
        "the salary",
        "order number",
        "contract number",
        "a budget",
        "a range",
    ];
    amounts.iter().any(|phrase| has(phrase))
}

fn limit(moments: &[Moment], marker: usize, exclusive: bool) -> Limit {
    let behind = || moments.iter().filter(|moment| moment.token > marker);
    Limit {
        date: behind().find_map(|moment| moment.date),
        minutes: behind().find_map(|moment| moment.minutes),
        exclusive,
    }
}

impl Limit {
    /// Whether a moment keeps to it; `None` where that cannot be told. A moment without a
    /// day is one of the day `sent`.
    pub fn holds(&self, moment: &Moment, sent: Option<Date>) -> Option<bool> {
        let date = moment.date.or(sent);
        let limit = self.date.or(sent);
        if let (Some(date), Some(limit)) = (date, limit)
            && date != limit
        {
            return Some(date < limit);
        }
        match (moment.minutes, self.minutes) {
            (Some(minutes), Some(limit)) => Some(minutes <= limit),
            (None, Some(_)) => None,
            _ => Some(!self.exclusive || self.date.is_none()),
        }
    }
}
