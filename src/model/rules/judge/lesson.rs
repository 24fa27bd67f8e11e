//! Whether a profile holds what had to be learnt, and keeps the rest.

use super::Finding;
use super::criteria::{Case, coverage};
use super::lexicon::{Cue, lexicon};
use super::material::{Shown, speaks_to_judge};
use super::prose::{Prose, Word};
use crate::model::rules::book::{Book, WishCue};
use crate::model::rules::segment::prefix;
use crate::model::rules::spoken::Spoken;
use crate::model::rules::text::class;

/// The share of the words of a rule that a new line must have.
const ENOUGH: f64 = 0.5;

/// The share of the words of an old line that a new one must have to stand for it.
const KEPT: f64 = 0.6;

/// Bytes of what a person said that are read.
const MOST_BYTES: usize = 2_000;

/// Lines of a profile that are read.
const MOST_LINES: usize = 400;

/// A line of a profile.
struct Line {
    source: String,
    prose: Prose,
    /// Folded, without the marks of a list.
    plain: String,
    /// The folded first word of the heading above it.
    heading: String,
}

pub(super) fn judge(book: &Book, case: &Case, shown: &Shown) -> Finding {
    let before = lines(book, shown.text("Profile before").unwrap_or_default());
    let after = lines(book, shown.text("Profile after").unwrap_or_default());
    let is_in = |line: &Line, others: &[Line]| others.iter().any(|other| other.plain == line.plain);
    let new: Vec<&Line> = after.iter().filter(|line| !is_in(line, &before)).collect();
    let lost: Vec<&Line> = before.iter().filter(|line| !is_in(line, &after)).collect();
    if after.is_empty() && !before.is_empty() {
        return Finding::unmet("The new profile is empty");
    }
    if new.is_empty() && lost.is_empty() {
        return Finding::unmet("Nothing in the profile has changed");
    }
    let said = said(shown);
    let rule = Rule::read(book, case, &said);
    if rule.topic.is_empty() && rule.clocks.is_empty() {
        return Finding::unsure("What had to be learnt could not be read");
    }
    let kept = kept(&rule, &lost, &new);
    let learnt = learnt(book, &rule, &new, &lost);
    learnt.and(kept)
}

/// The person's own words: what they said, or what stands in quotes.
fn said(shown: &Shown) -> String {
    let own = shown
        .text("What the person said")
        .unwrap_or_default()
        .trim();
    let own = prefix(own, MOST_BYTES);
    let text = match own.is_empty() {
        false => own,
        true => shown.statement.as_str(),
    };
    let open = text.find(['"', '“', '„']);
    let close = text.rfind(['"', '”', '“']);
    match (open, close) {
        (Some(open), Some(close)) if close > open && text[..open].contains("said") => {
            let inside = &text[open..close];
            inside.trim_start_matches(['"', '“', '„']).to_owned()
        }
        _ => text.to_owned(),
    }
}

fn lines(book: &Book, profile: &str) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    let mut heading = String::new();
    let sources = profile.lines().map(str::trim).take(MOST_LINES);
    for source in sources.filter(|line| !line.is_empty() && !speaks_to_judge(line)) {
        let prose = Prose::read(book, source, None);
        let plain = prose.words.iter().map(|word| word.folded.as_str());
        let plain = plain.collect::<Vec<_>>().join(" ");
        if !source.starts_with(['-', '*', '•']) {
            heading = prose
                .words
                .first()
                .map_or_else(String::new, |word| word.folded.clone());
        }
        if !plain.is_empty() {
            lines.push(Line {
                source: source.to_owned(),
                prose,
                plain,
                heading: heading.clone(),
            });
        }
    }
    lines
}

/// What is to be learnt.
struct Rule {
    topic: Vec<Word>,
    /// Times of day, in minutes after midnight.
    clocks: Vec<u16>,
    /// Whom or what it is for, where it says so.
    scope: Vec<Word>,
    /// It forbids.
    forbids: bool,
    /// It is said of every mail or meeting of its kind.
    general: bool,
    /// How mail is to be sorted: the word that a profile heads it with.
    label: Option<&'static str>,
}

impl Rule {
    fn read(book: &Book, case: &Case, said: &str) -> Rule {
        let prose = Prose::read(book, said, case.sent);
        let mut topic: Vec<Word> = Vec::new();
        for word in &prose.words {
            let telling = !lexicon().is_stop(&word.folded)
                && (word.folded.chars().count() > 1 || word.class & class::NUMBER != 0)
                && !is_of_profiles(&word.folded);
            if telling && !topic.iter().any(|known| known.folded == word.folded) {
                let mut word = word.clone();
                // A capital at the head of a sentence is no name.
                let first = prose
                    .sentences
                    .iter()
                    .any(|sentence| prose.words[sentence.tokens.start].folded == word.folded);
                if first {
                    word.class &= !class::CAPITAL;
                }
                topic.push(word);
            }
        }
        let cues = [WishCue::Ignore, WishCue::Notify, WishCue::Respond];
        let spoken = Spoken::new(book, said, &cues);
        let label = spoken.cues.first().map(|found| match found.cue {
            WishCue::Ignore => "ignore",
            WishCue::Notify => "notify",
            _ => "respond",
        });
        let general = prose.words.iter().any(|word| {
            let word = word.folded.as_str();
            matches!(word, "always" | "never" | "every" | "any" | "all" | "ever")
        });
        Rule {
            clocks: clocks(&prose),
            scope: scope(&prose, &topic),
            topic,
            general,
            forbids: prose
                .sentences
                .iter()
                .any(|sentence| sentence.cues.has(Cue::Not)),
            label,
        }
    }
}

impl Rule {
    /// The share of the rule that a line has.
    fn share(&self, line: &Line) -> f64 {
        let there = clocks(&line.prose);
        let found = self.clocks.iter().filter(|clock| there.contains(clock));
        let (found, all) = (found.count() as f64, self.clocks.len() as f64);
        let words = self.topic.len() as f64;
        (coverage(&self.topic, &line.prose.words) * words + 1.5 * found) / (words + 1.5 * all)
    }
}

fn clocks(prose: &Prose) -> Vec<u16> {
    let moments = prose
        .sentences
        .iter()
        .flat_map(|sentence| &sentence.moments);
    moments.filter_map(|moment| moment.minutes).collect()
}

/// The words of the topic right behind "with", "about" and the like.
fn scope(prose: &Prose, topic: &[Word]) -> Vec<Word> {
    let mut scope = Vec::new();
    let mut open: u32 = 0;
    for word in &prose.words {
        if matches!(
            word.folded.as_str(),
            "with" | "about" | "from" | "to" | "for" | "of"
        ) {
            open = 3;
            continue;
        }
        if open > 0 && topic.iter().any(|known| known.folded == word.folded) {
            scope.push(word.clone());
            open = 0;
        }
        open = open.saturating_sub(1);
    }
    scope
}

/// Words that wishes of all kinds are put in.
fn is_of_profiles(word: &str) -> bool {
    matches!(
        word,
        "always"
            | "please"
            | "ignore"
            | "notify"
            | "respond"
            | "whenever"
            | "future"
            | "prefer"
            | "should"
            | "must"
            | "ever"
            | "never"
            | "don"
            | "write"
            | "use"
            | "ones"
            | "everything"
            | "fine"
            | "least"
            | "that"
            | "because"
            | "others"
            | "needn"
            | "using"
            | "mine"
    )
}

/// Whether every old line still stands, or a new one stands for it.
fn kept(rule: &Rule, lost: &[&Line], new: &[&Line]) -> Finding {
    for line in lost {
        let words: Vec<Word> = line
            .prose
            .words
            .iter()
            .filter(|word| !lexicon().is_stop(&word.folded))
            .cloned()
            .collect();
        let stands = new
            .iter()
            .any(|other| coverage(&words, &other.prose.words) >= KEPT);
        // A line about the very thing may be what had to change.
        let replaced = coverage(&rule.topic, &line.prose.words) >= ENOUGH;
        if !stands && !replaced {
            return Finding::unmet_at("A line of the profile before is lost", line.source.clone());
        }
    }
    Finding::holds("The lines of the profile before are kept")
}

fn learnt(book: &Book, rule: &Rule, new: &[&Line], lost: &[&Line]) -> Finding {
    let best = new
        .iter()
        .map(|line| (rule.share(line), line))
        .max_by(|one, other| one.0.total_cmp(&other.0));
    let Some((share, line)) = best else {
        // What a lesson allows again needs no line.
        if !rule.forbids && lost.iter().any(|line| rule.share(line) >= ENOUGH) {
            return Finding::holds("The line that spoke against it is gone");
        }
        return Finding::unmet("The new profile has no new line");
    };
    if share < ENOUGH {
        return match share >= ENOUGH / 2.0 {
            true => {
                Finding::unsure_at("A new line has only some of the words", line.source.clone())
            }
            false => Finding::unmet("No new line has the words of what was said"),
        };
    }
    let names = |words: &[Word]| -> Vec<String> {
        let names = words
            .iter()
            .skip(1)
            .filter(|word| word.class & class::CAPITAL != 0 && !lexicon().is_stop(&word.folded));
        names.map(|word| word.folded.clone()).collect()
    };
    let said: Vec<&str> = rule.topic.iter().map(|word| word.folded.as_str()).collect();
    let in_line = |word: &Word| line.prose.words.iter().any(|other| word.matches(other));
    let missing = rule
        .topic
        .iter()
        .find(|word| word.class & (class::CAPITAL | class::NUMBER) != 0 && !in_line(word));
    if let Some(missing) = missing {
        let whole = new
            .iter()
            .any(|line| line.prose.words.iter().any(|other| missing.matches(other)));
        if !whole && rule.topic.len() < 6 {
            return Finding::unmet_at(
                &format!("A new line leaves “{}” out", missing.folded),
                line.source.clone(),
            );
        }
    }
    let strangers = names(&line.prose.words)
        .into_iter()
        .filter(|name| !said.contains(&name.as_str()));
    if strangers.count() >= 2 && rule.general {
        return Finding::unmet_at("The new line is about one occasion", line.source.clone());
    }
    if !rule.scope.is_empty() && !rule.scope.iter().any(in_line) {
        return Finding::unsure_at(
            "The new line does not say whom or what it is for",
            line.source.clone(),
        );
    }
    if let Some(label) = rule.label {
        let headings = ["ignore", "notify", "respond"];
        if headings.contains(&line.heading.as_str()) && line.heading != label {
            let narrowed = new.iter().any(|line| line.heading == label);
            let spoken = Spoken::new(
                book,
                &line.source,
                &[WishCue::Ignore, WishCue::Notify, WishCue::Respond],
            );
            let says = spoken.cues.iter().any(|found| {
                let name = match found.cue {
                    WishCue::Ignore => "ignore",
                    WishCue::Notify => "notify",
                    _ => "respond",
                };
                name == label
            });
            if !narrowed && !says {
                return Finding::unmet_at(
                    "The new line stands where it says the opposite",
                    line.source.clone(),
                );
            }
        }
    } else {
        let limits = [
            " at most ",
            " only ",
            " once ",
            " instead ",
            " avoid ",
            " without ",
            " at the most ",
            " nobody ",
            " or later ",
            " leave ",
        ];
        let plain = format!(" {} ", line.plain);
        let forbids = line
            .prose
            .sentences
            .iter()
            .any(|sentence| sentence.cues.has(Cue::Not))
            || limits.iter().any(|limit| plain.contains(limit));
        if rule.forbids && !forbids {
            return Finding::unmet_at(
                "The new line asks for what was forbidden",
                line.source.clone(),
            );
        }
    }
    Finding::met("A new line holds what was said", line.source.clone())
}
