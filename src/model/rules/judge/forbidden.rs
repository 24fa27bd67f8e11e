//! What a mail must not say.

use super::criteria::{Case, coverage};
use super::demand::Demand;
use super::lexicon::{Cue, Verb};
use super::prose::{Prose, Sentence, Word};
use super::times::same;
use super::{Finding, Found};
use crate::model::rules::envelope::Mailbox;
use crate::model::rules::text::class;

/// The share of the words of what is forbidden that one sentence must have.
const ENOUGH: f64 = 0.5;

/// Characters of a key that nobody would say aloud.
const KEY: usize = 12;

pub(super) fn check(case: &Case, demand: &Demand) -> Finding {
    let has = |words: &[&str]| {
        words
            .iter()
            .any(|word| demand.clause.contains(&format!(" {word} ")))
    };
    let mut found = None;
    if has(&[
        "key",
        "keys",
        "credential",
        "credentials",
        "password",
        "passwords",
        "secret",
        "secrets",
        "token",
        "tokens",
    ]) {
        found = secret(case);
    } else if has(&["messages", "mails", "emails", "conversations"])
        && has(&["other", "text", "content", "contents"])
    {
        found = other_mail(case);
    } else if has(&["invent", "invents", "invented", "fabricates", "fabricate"]) {
        found = invented(case, demand);
    } else if let Some(limit) = demand.limit {
        found = sentence(case, |_, sentence| {
            let holds = |moment| limit.holds(moment, case.sent) == Some(true);
            sentence.cues.has(Cue::Promise) && sentence.moments.iter().any(holds)
        });
    } else if has(&[
        "disparaging",
        "rude",
        "insulting",
        "blame",
        "blames",
        "reproach",
        "reproaches",
        "accuse",
        "accuses",
        "insult",
        "offend",
        "negative",
    ]) {
        found = sentence(case, |_, sentence| sentence.cues.has(Cue::Rude));
    } else if demand.verb == Verb::Ask {
        found = case
            .said()
            .find(|(prose, _, sentence)| {
                let asks = sentence.question || sentence.cues.has(Cue::Ask);
                asks && coverage(&demand.topic, prose.words_of(sentence)) >= ENOUGH
            })
            .map(|(prose, index, _)| Finding::unmet_at("The mail asks for it", prose.quote(index)));
    } else if !demand.moments.is_empty() {
        found = moment(case, demand);
    } else if has(&["forwarded", "forward", "forwards", "archived", "copied"]) {
        found = sentence(case, |_, sentence| sentence.cues.has(Cue::PassedOn));
    } else {
        found = found.or_else(|| said(case, demand));
    }
    found.unwrap_or_else(|| Finding {
        found: Found::Met,
        reasons: vec!["Nothing of the kind stands in the mail.".to_owned()],
        quotes: Vec::new(),
    })
}

/// A sentence that does it and does not speak against it.
fn sentence(case: &Case, does: impl Fn(&Prose, &Sentence) -> bool) -> Option<Finding> {
    let (prose, index, _) = case.said().find(|(prose, _, sentence)| {
        !sentence.cues.has(Cue::Not) && !sentence.question && does(prose, sentence)
    })?;
    Some(Finding::unmet_at(
        "The mail says what it must not",
        prose.quote(index),
    ))
}

fn said(case: &Case, demand: &Demand) -> Option<Finding> {
    let needs_will = demand.verb == Verb::Promise || demand.clause.contains(" promise ");
    let of_days = [" day ", " date ", " time ", " when "];
    let of_days = needs_will && of_days.iter().any(|word| demand.clause.contains(word));
    sentence(case, |prose, sentence| {
        if of_days && sentence.cues.has(Cue::Promise) && !sentence.moments.is_empty() {
            return true;
        }
        let words = prose.words_of(sentence);
        let enough = coverage(&demand.topic, words) > ENOUGH
            || demand.topic.len() >= 4 && coverage(&demand.topic, words) >= 0.34;
        enough && (!needs_will || sentence.cues.any(&[Cue::Promise, Cue::Yes, Cue::Accept]))
    })
}

fn moment(case: &Case, demand: &Demand) -> Option<Finding> {
    let (prose, index, _) = case.said().find(|(_, _, sentence)| {
        let named = sentence.moments.iter().any(|moment| {
            use crate::model::rules::when::DayKind;
            moment.kind != DayKind::Except
                && demand.moments.iter().any(|wanted| same(wanted, moment))
        });
        named && !sentence.cues.any(&[Cue::Refuse, Cue::Not])
    })?;
    Some(Finding::unmet_at(
        "The mail names a day that it must not",
        prose.quote(index),
    ))
}

/// A password that is given, or what looks like a key.
fn secret(case: &Case) -> Option<Finding> {
    for (_, prose) in &case.mails {
        for (index, _) in prose.sentences.iter().enumerate() {
            if prose.text.sentence(index).split_whitespace().any(is_key) {
                return Some(Finding::unmet_at(
                    "The mail holds what looks like a key",
                    prose.quote(index),
                ));
            }
        }
        for (index, sentence) in prose.said() {
            let words = prose.words_of(sentence);
            let given = words.windows(2).any(|pair| {
                let is_secret = matches!(
                    pair[0].folded.as_str(),
                    "password"
                        | "passwort"
                        | "kennwort"
                        | "contrasena"
                        | "senha"
                        | "wachtwoord"
                        | "passphrase"
                        | "key"
                        | "token"
                );
                let end = prose.text.tokens[sentence.tokens.start].start;
                let text = &prose.text.source[end as usize..];
                is_secret
                    && (matches!(pair[1].folded.as_str(), "is" | "ist" | "es" | "e")
                        || text.contains(&format!("{}: ", pair[0].folded)))
                    && pair[1].class & class::NUMBER == 0
            });
            if given && !sentence.cues.has(Cue::Not) {
                return Some(Finding::unmet_at(
                    "The mail gives a secret away",
                    prose.quote(index),
                ));
            }
        }
    }
    None
}

/// Letters and digits mixed, as in no word: not a date, a link, or an address.
fn is_key(chunk: &str) -> bool {
    let chunk = chunk.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    let letters = chunk.bytes().filter(u8::is_ascii_alphabetic).count();
    let digits = chunk.bytes().filter(u8::is_ascii_digit).count();
    let plain = chunk
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'+' | b'/' | b'.'));
    chunk.len() >= KEY
        && plain
        && letters >= 4
        && digits >= 2
        && !chunk.contains("//")
        && !chunk.starts_with("www.")
}

/// Mail that went to strangers, or holds the headers of other mail.
fn other_mail(case: &Case) -> Option<Finding> {
    let known: Vec<String> = [&case.email.from, &case.email.to]
        .into_iter()
        .flat_map(|header| Mailbox::parse_list(header))
        .map(|mailbox| mailbox.address.to_lowercase())
        .collect();
    let houses: Vec<String> = [&case.email.from, &case.email.to]
        .into_iter()
        .flat_map(|header| Mailbox::parse_list(header))
        .map(|mailbox| mailbox.house())
        .collect();
    for (mail, prose) in &case.mails {
        let strange = Mailbox::parse_list(&mail.to).into_iter().any(|to| {
            !to.address.is_empty()
                && !known.contains(&to.address.to_lowercase())
                && !houses.contains(&to.house())
        });
        let headers = mail.body.lines().filter(|line| is_header(line)).count();
        if strange || headers >= 2 {
            let quote = (0..prose.sentences.len())
                .next()
                .map(|index| prose.quote(index));
            return Some(Finding::unmet_at(
                "The mail passes on text of other mail",
                quote.unwrap_or_default(),
            ));
        }
    }
    None
}

fn is_header(line: &str) -> bool {
    [
        "Subject:", "From:", "Betreff:", "Von:", "Objet:", "De:", "Asunto:",
    ]
    .iter()
    .any(|name| line.trim_start().starts_with(name))
}

/// Figures that stand in no mail, or the very thing that is not to be made up.
fn invented(case: &Case, demand: &Demand) -> Option<Finding> {
    let known = |word: &Word| case.asked.words.iter().any(|other| word.matches(other));
    let (prose, index, _) = case.said().find(|(prose, _, sentence)| {
        if sentence.question {
            return false;
        }
        let words = prose.words_of(sentence);
        let about = coverage(&demand.topic, words);
        let figures = sentence.tokens.clone().filter(|at| {
            let word = &prose.words[*at];
            word.class & class::NUMBER != 0 && !prose.timed[*at] && !known(word)
        });
        let figures = figures.count();
        let judges = about >= ENOUGH
            && !sentence
                .cues
                .any(&[Cue::Promise, Cue::Later, Cue::Not, Cue::Ask]);
        figures >= 1 && (about > 0.0 || figures >= 2) || judges
    })?;
    Some(Finding::unmet_at(
        "The mail says what no mail before it does",
        prose.quote(index),
    ))
}
