//! Language, tone and length of a mail.

use super::Finding;
use super::criteria::Case;
use super::demand::Demand;
use super::lexicon::{Cue, Verb};
use super::prose::Prose;

/// Words of a short mail.
const SHORT: usize = 60;

/// Words of a short paragraph.
const PARAGRAPH: usize = 70;

/// The languages of languages.yaml by their English names, in the order of the book.
const LANGUAGES: [&str; 8] = [
    "english",
    "german",
    "french",
    "spanish",
    "portuguese",
    "italian",
    "dutch",
    "japanese",
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    Polite,
    Warm,
    Formal,
    Informal,
    Apologetic,
}

impl Tone {
    /// The tone that a folded word names.
    pub fn of(word: &str) -> Option<Tone> {
        match word {
            "polite" | "politely" | "courteous" | "respectful" | "professional" | "civil"
            | "calm" | "neutral" | "tactful" | "considerate" => Some(Tone::Polite),
            "warm" | "warmly" | "warmer" | "friendly" | "friendlier" | "kind" | "kindly"
            | "cordial" | "personal" | "encouraging" | "enthusiastic" | "sympathetic" | "nicer"
            | "heartfelt" => Some(Tone::Warm),
            "formal" | "formally" | "businesslike" => Some(Tone::Formal),
            "informal" | "informally" | "casual" | "casually" | "relaxed" | "light" | "chatty" => {
                Some(Tone::Informal)
            }
            "apologetic" => Some(Tone::Apologetic),
            _ => None,
        }
    }
}

/// `None` where the demand is about something else.
pub(super) fn check(case: &Case, demand: &Demand) -> Option<Finding> {
    let words: Vec<&str> = demand.clause.split_whitespace().collect();
    if demand.verb != Verb::Is {
        return length(case, &demand.clause, &words).filter(|_| demand.moments.is_empty());
    }
    let mut findings = Vec::new();
    if words.contains(&"written") || words.contains(&"in") || words.contains(&"language") {
        let language = words
            .iter()
            .find_map(|word| LANGUAGES.iter().position(|name| name == word));
        findings.extend(language.map(|language| in_language(case, language)));
    }
    for (at, word) in words.iter().enumerate() {
        let negated = demand.negated || at > 0 && words[at - 1] == "not";
        if let Some(tone) = Tone::of(word) {
            findings.push(tone_of(case, tone, negated));
        }
        if matches!(*word, "short" | "brief" | "concise") && !words.contains(&"paragraph") {
            findings.push(at_most(case, SHORT, negated));
        }
    }
    if let Some(finding) = length(case, &demand.clause, &words) {
        findings.push(finding);
    }
    findings.into_iter().reduce(Finding::and)
}

/// "no longer than a short paragraph", "at most three sentences".
fn length(case: &Case, clause: &str, words: &[&str]) -> Option<Finding> {
    let bounds = [
        " no longer than ",
        " at most ",
        " not longer than ",
        " no more than ",
        " under ",
        " fewer than ",
        " up to ",
        " within ",
    ];
    bounds.iter().find(|bound| clause.contains(**bound))?;
    let number = words.iter().find_map(|word| number(word)).unwrap_or(1);
    let unit = |names: &[&str]| words.iter().any(|word| names.contains(word));
    if unit(&["paragraph", "paragraphs"]) {
        let paragraphs = case
            .mails
            .iter()
            .map(|(_, prose)| paragraphs(prose))
            .max()?;
        // A greeting set apart, or a last line of thanks, is no paragraph of its own.
        if paragraphs > number + 1 {
            return Some(Finding::unmet(&format!(
                "The mail has {paragraphs} paragraphs."
            )));
        }
        return Some(at_most(case, PARAGRAPH * number, false));
    }
    if unit(&["sentence", "sentences", "line", "lines"]) {
        let most = case
            .mails
            .iter()
            .map(|(_, prose)| prose.said().count())
            .max()?;
        return Some(match most <= number {
            true => Finding::holds(&format!("The mail has {most} sentences.")),
            false => Finding::unmet(&format!("The mail has {most} sentences.")),
        });
    }
    unit(&["word", "words"]).then(|| at_most(case, number, false))
}

pub(super) fn number(word: &str) -> Option<usize> {
    const NUMBERS: [&str; 10] = [
        "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
    ];
    let spelled = NUMBERS
        .iter()
        .position(|name| *name == word)
        .map(|place| place + 1);
    spelled.or_else(|| {
        word.parse()
            .ok()
            .filter(|number| (1..=1000).contains(number))
    })
}

fn paragraphs(prose: &Prose) -> usize {
    let mut paragraphs: Vec<u32> = prose
        .said()
        .map(|(_, sentence)| sentence.paragraph)
        .collect();
    paragraphs.dedup();
    paragraphs.len()
}

fn at_most(case: &Case, words: usize, negated: bool) -> Finding {
    let longest = case
        .mails
        .iter()
        .map(|(_, prose)| prose.length())
        .max()
        .unwrap_or(0);
    let says = format!("The mail has {longest} words.");
    match (longest <= words) != negated {
        true => Finding::holds(&says),
        false => Finding::unmet(&says),
    }
}

fn in_language(case: &Case, language: usize) -> Finding {
    let mut quotes = Vec::new();
    for (_, prose) in &case.mails {
        match is_in(prose, language) {
            Some(true) => quotes.extend(prose.said().next().map(|(index, _)| prose.quote(index))),
            Some(false) => {
                let quote = prose.said().next().map(|(index, _)| prose.quote(index));
                return Finding::unmet_at(
                    "The mail is in another language",
                    quote.unwrap_or_default(),
                );
            }
            None => return Finding::unsure("Too few words of the mail tell its language."),
        }
    }
    Finding::met(
        "The words of the mail are of that language",
        quotes.into_iter().next().unwrap_or_default(),
    )
}

/// Whether a text is mostly in a language; `None` where its words do not tell.
pub(super) fn is_in(prose: &Prose, language: usize) -> Option<bool> {
    let own = *prose.counts.get(language)?;
    let other = prose
        .counts
        .iter()
        .enumerate()
        .filter(|(index, _)| *index != language)
        .map(|(_, count)| *count)
        .max()
        .unwrap_or(0);
    match (own, other) {
        (0, 0) => None,
        // Neighbours share many small words.
        _ => Some(own > other),
    }
}

/// The language that a folded word names: its place in the book.
pub(super) fn language(word: &str) -> Option<usize> {
    LANGUAGES.iter().position(|name| *name == word)
}

/// How much a text has of a tone, in cues a hundred words, and a sentence that shows it.
pub(super) fn amount(prose: &Prose, tone: Tone) -> (f64, Option<usize>) {
    let cue = match tone {
        Tone::Polite => Cue::Polite,
        Tone::Warm => Cue::Warm,
        Tone::Formal => Cue::Formal,
        Tone::Informal => Cue::Informal,
        Tone::Apologetic => Cue::Sorry,
    };
    let count = prose
        .sentences
        .iter()
        .filter(|sentence| sentence.cues.has(cue))
        .count();
    let first = prose
        .sentences
        .iter()
        .position(|sentence| sentence.cues.has(cue));
    let exclaimed = match tone {
        Tone::Warm => prose.text.source.matches('!').count().min(4),
        _ => 0,
    };
    let sentences = prose.sentences.len().max(1);
    ((count + exclaimed) as f64 / sentences as f64, first)
}

fn tone_of(case: &Case, tone: Tone, negated: bool) -> Finding {
    let mut whole: Option<Finding> = None;
    for (_, prose) in &case.mails {
        let (own, first) = amount(prose, tone);
        let quote = first.map(|index| prose.quote(index));
        let against = match tone {
            Tone::Polite => Cue::Rude,
            Tone::Warm | Tone::Informal => Cue::Formal,
            Tone::Formal => Cue::Informal,
            Tone::Apologetic => Cue::Rude,
        };
        let count = |cue: Cue| {
            prose
                .sentences
                .iter()
                .filter(|sentence| sentence.cues.has(cue))
                .count()
        };
        let contrary = count(against);
        let contrary_quote = prose
            .sentences
            .iter()
            .position(|sentence| sentence.cues.has(against))
            .map(|index| prose.quote(index));
        let has = match tone {
            Tone::Polite => contrary == 0 && (own > 0.0 || count(Cue::Formal) > 0),
            Tone::Warm => {
                count(Cue::Rude) == 0 && own * prose.sentences.len() as f64 > contrary as f64
            }
            Tone::Formal | Tone::Informal => {
                let own = own * prose.sentences.len() as f64;
                own >= contrary as f64 && (own > 0.0 || tone == Tone::Informal && contrary == 0)
            }
            Tone::Apologetic => own > 0.0,
        };
        let says = format!("{tone:?}").to_lowercase();
        let finding = match has != negated {
            true => match quote {
                Some(quote) => Finding::met(&format!("Its words are {says}"), quote),
                None => Finding::holds(&format!("Nothing in it speaks against its being {says}.")),
            },
            false => match contrary_quote.or(quote) {
                Some(quote) => {
                    Finding::unmet_at(&format!("Its words are not what {says} asks for"), quote)
                }
                None => Finding::unmet(&format!("It has no words that are {says}.")),
            },
        };
        whole = Some(match whole {
            Some(whole) => whole.and(finding),
            None => finding,
        });
    }
    whole.unwrap_or_else(|| Finding::unmet("No mail was sent."))
}
