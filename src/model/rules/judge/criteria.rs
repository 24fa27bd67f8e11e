//! Whether the mail that was sent meets a criterion.

use std::collections::BTreeSet;

use jiff::civil::Date;

use super::demand::{self, Demand, Wants};
use super::lexicon::{Cue, Verb};
use super::material::{Call, Mail, Shown};
use super::prose::{Prose, Sentence, Word};
use super::{Finding, Found, choice, forbidden, style, times};
use crate::model::rules::book::Book;
use crate::model::rules::envelope::Mailbox;
use crate::model::rules::text::{class, folded};

/// The share of a statement's words that one passage must have.
const ENOUGH: f64 = 0.33;

/// The same where a certain thing is to be said, and not just something about it.
const ENOUGH_STATED: f64 = 0.45;

/// The same where the mail is in another language, of which few words are known.
const ENOUGH_ABROAD: f64 = 0.25;

/// Words of a mail that has room for one answer.
const SHORT: usize = 25;

/// What there is to see, read.
pub(super) struct Case<'a> {
    pub book: &'a Book,
    pub email: Mail,
    pub asked: Prose,
    pub mails: Vec<(Mail, Prose)>,
    pub calls: Vec<Call>,
    pub sent: Option<Date>,
    /// Folded names of the people who write to each other.
    pub people: Vec<String>,
}

impl<'a> Case<'a> {
    pub fn read(book: &'a Book, shown: &Shown) -> Case<'a> {
        let email = shown.email();
        let calls = shown.calls();
        let sent = email.date;
        let asked = Prose::read(book, &email.body, sent);
        let mails = shown.sent();
        let mails = mails.into_iter().map(|mail| {
            let mut prose = Prose::read(book, &mail.body, sent);
            prose.mark_echoes(&asked);
            (mail, prose)
        });
        let mails = mails.collect();
        let people = [&email.from, &email.to].into_iter().flat_map(|header| {
            let mailboxes = Mailbox::parse_list(header);
            let names = mailboxes
                .into_iter()
                .take(4)
                .map(|mailbox| folded(&mailbox.name));
            names.collect::<Vec<_>>()
        });
        let people = people.flat_map(|name| {
            let parts = name
                .split(|c: char| !c.is_alphanumeric())
                .map(str::to_owned);
            parts
                .filter(|part| part.chars().count() > 1)
                .collect::<Vec<_>>()
        });
        Case {
            book,
            people: people.collect(),
            email,
            asked,
            mails,
            calls,
            sent,
        }
    }

    /// The same without those that only repeat the email.
    pub fn own(&self) -> impl Iterator<Item = (&Prose, usize, &Sentence)> {
        self.said().filter(|(_, _, sentence)| !sentence.echo)
    }

    /// Every sentence that says something, with its mail.
    pub fn said(&self) -> impl Iterator<Item = (&Prose, usize, &Sentence)> {
        self.mails.iter().flat_map(|(_, prose)| {
            prose
                .said()
                .map(move |(index, sentence)| (prose, index, sentence))
        })
    }

    pub fn is_abroad(&self, prose: &Prose) -> bool {
        prose.language.is_some_and(|language| language != 0)
    }

    /// Hours of meetings that were really booked, in minutes after midnight, with the day.
    pub fn booked(&self) -> Vec<(Option<Date>, u16)> {
        let calls = self.calls.iter();
        let booked =
            calls.filter(|call| call.ran && call.name.eq_ignore_ascii_case("schedule_meeting"));
        booked
            .filter_map(|call| {
                let start = call.argument("start_time")?;
                let minutes = match start.split_once(':') {
                    Some((hour, minute)) => hour
                        .parse::<u16>()
                        .ok()?
                        .checked_mul(60)?
                        .checked_add(minute.get(..2)?.parse().ok()?)?,
                    None => start.parse::<u16>().ok()?.checked_mul(60)?,
                };
                let day = call.argument("preferred_day");
                Some((day.and_then(|day| day.get(..10)?.parse().ok()), minutes))
            })
            .collect()
    }

    fn has_booked(&self) -> bool {
        let mut calls = self.calls.iter();
        calls.any(|call| call.ran && call.name.eq_ignore_ascii_case("schedule_meeting"))
    }
}

/// Whether the statement holds.
pub(super) fn judge(case: &Case, statement: &str) -> Finding {
    if case.mails.is_empty() {
        return Finding::unmet("No mail was sent.");
    }
    let demands = demand::read(case.book, statement, case.sent, &case.people);
    let negated = demands
        .alternatives
        .iter()
        .flatten()
        .any(|demand| demand.negated);
    if case.said().next().is_none() && !negated {
        return Finding::unmet("The mail that was sent says nothing beyond a greeting.");
    }
    let mut best: Option<Finding> = None;
    for all in &demands.alternatives {
        let mut whole: Option<Finding> = None;
        for demand in all {
            let finding = check(case, demand, demands.alternatives.first());
            whole = Some(match whole {
                Some(whole) => whole.and(finding),
                None => finding,
            });
        }
        let Some(whole) = whole else { continue };
        best = Some(match best {
            Some(best) => best.or(whole),
            None => whole,
        });
        if best.as_ref().is_some_and(|best| best.found == Found::Met) {
            break;
        }
    }
    best.unwrap_or_else(|| Finding::unsure("The statement could not be understood."))
}

fn check(case: &Case, demand: &Demand, first: Option<&Vec<Demand>>) -> Finding {
    if let Some(finding) = style::check(case, demand) {
        return finding;
    }
    if demand.nothing_later {
        return times::nothing_later(case, demand);
    }
    if demand.negated {
        return forbidden::check(case, demand);
    }
    if demand.promise {
        return times::promised(case, demand);
    }
    match demand.wants {
        Wants::Neither => by_cue(
            case,
            demand,
            &[Cue::Neither],
            "says that nothing on offer will do",
        ),
        Wants::Choice => choice::chosen(case, demand, first),
        Wants::Moment => times::promised(case, demand),
        Wants::Clock | Wants::DayAndClock => times::clock(case, demand),
        Wants::Whether => told(case, demand),
        Wants::Person => person(case, demand),
        Wants::Number => number(case, demand),
        Wants::Mention => match demand.verb {
            Verb::Accept => times::accepted(case, demand),
            Verb::Propose => times::proposed(case, demand),
            Verb::Decline => by_cue(case, demand, &[Cue::Refuse, Cue::No], "declines"),
            Verb::Ask => asked(case, demand),
            Verb::Thank => by_cue(case, demand, &[Cue::Thank], "thanks"),
            Verb::Sorry => by_cue(case, demand, &[Cue::Sorry], "apologises"),
            Verb::Wish => by_cue(case, demand, &[Cue::Warm], "wishes well"),
            Verb::Confirm => confirmed(case, demand),
            Verb::Name => times::named(case, demand),
            Verb::Say if !demand.moments.is_empty() => times::named(case, demand),
            _ => told(case, demand),
        },
    }
}

/// The share of `topic` that stands in the words, numbers and names counting more.
pub(super) fn coverage(topic: &[Word], words: &[Word]) -> f64 {
    let weight = |word: &Word| match word.class & (class::NUMBER | class::CAPITAL) {
        0 => 1.0,
        _ => 1.5,
    };
    let total: f64 = topic.iter().map(weight).sum();
    if total == 0.0 {
        return 0.0;
    }
    let is_there = |word: &&Word| words.iter().any(|other| word.matches(other));
    topic.iter().filter(is_there).map(weight).sum::<f64>() / total
}

/// The sentence and the one before it in its paragraph.
pub(super) fn window(prose: &Prose, index: usize) -> &[Word] {
    let sentence = &prose.sentences[index];
    let start = match index.checked_sub(1).map(|before| &prose.sentences[before]) {
        Some(before) if before.paragraph == sentence.paragraph => before.tokens.start,
        _ => sentence.tokens.start,
    };
    &prose.words[start..sentence.tokens.end]
}

const DECIDED: [Cue; 4] = [Cue::Yes, Cue::No, Cue::Accept, Cue::Refuse];

/// Whether something is said about the topic, other than that it will be looked at.
pub(super) fn told(case: &Case, demand: &Demand) -> Finding {
    if demand.topic.is_empty() && demand.moments.is_empty() || demand.clause.contains(" instead ") {
        return decided_at_all(case, demand)
            .unwrap_or_else(|| Finding::unmet("The mail has no clear answer"));
    }
    if let Some(missing) = missing_number(case, demand) {
        return missing;
    }
    let unnamed: Vec<Word> = demand
        .topic
        .iter()
        .filter(|word| word.class & class::CAPITAL == 0)
        .cloned()
        .collect();
    let related = related(case, demand);
    let mut best: (f64, Option<(&Prose, usize)>) = (0.0, None);
    let mut put_off: Option<(&Prose, usize)> = None;
    let mut everywhere: BTreeSet<&str> = BTreeSet::new();
    for (prose, index, sentence) in case.own() {
        let words = prose.words_of(sentence);
        // "She" may be anybody who was named.
        let topic = match words.iter().any(is_pronoun) && !unnamed.is_empty() {
            true => &unnamed,
            false => &demand.topic,
        };
        let own = coverage(topic, words);
        let wide = coverage(topic, window(prose, index));
        for word in &demand.topic {
            if words.iter().any(|other| word.matches(other)) {
                everywhere.insert(&word.folded);
            }
        }
        let decided = sentence.cues.any(&DECIDED);
        let mut score = own.max(wide * 0.8);
        let near = related
            .iter()
            .filter(|word| words.iter().any(|other| word.matches(other)));
        let near = near.count();
        if near >= 2 || near == 1 && decided {
            score = score.max(ENOUGH);
        }
        if score > 0.0 && decided {
            score += 0.15;
        } else if demand.wants == Wants::Whether && demand.verb != Verb::Address {
            // That the thing is spoken of does not say which way it goes.
            score *= 0.45;
        }
        if demand
            .moments
            .iter()
            .any(|wanted| sentence.moments.iter().any(|m| times::same(wanted, m)))
        {
            score += 0.25;
        }
        // That an answer will come is none, whatever the day.
        let postpones = sentence.cues.has(Cue::Announce)
            || sentence.cues.has(Cue::Later)
                && (own == 0.0 || sentence.moments.is_empty() || !sentence.cues.has(Cue::Promise));
        if postpones && score > 0.0 {
            put_off = Some((prose, index));
        }
        if sentence.question || postpones {
            score *= 0.25;
        } else if sentence.cues.has(Cue::Thank) && !decided {
            score *= 0.6;
        }
        if score > best.0 {
            best = (score, Some((prose, index)));
        }
    }
    let states = matches!(demand.verb, Verb::Say | Verb::Confirm) && demand.wants == Wants::Mention;
    let enough = match best.1 {
        Some((prose, _)) if case.is_abroad(prose) => ENOUGH_ABROAD,
        _ if states => ENOUGH_STATED,
        _ => ENOUGH,
    };
    match best {
        (score, Some((prose, index))) if score >= enough => {
            Finding::met("The mail says something about it", prose.quote(index))
        }
        (_, best) => {
            if let Some(found) = in_short(case, demand) {
                return found;
            }
            if let Some((prose, index)) = put_off {
                return Finding::unmet_at("The mail only puts it off", prose.quote(index));
            }
            let share = everywhere.len() as f64 / demand.topic.len() as f64;
            match best {
                Some((prose, index)) if share >= 0.5 => Finding::unsure_at(
                    "Only half of what it is about is mentioned",
                    prose.quote(index),
                ),
                _ => Finding::unmet("Nothing in the mail is about that."),
            }
        }
    }
}

/// A short mail that says yes or no has answered, in whatever words.
fn in_short(case: &Case, demand: &Demand) -> Option<Finding> {
    let words: usize = case.mails.iter().map(|(_, prose)| prose.length()).sum();
    let steered = case.mails.iter().any(|(mail, _)| mail.steers);
    if demand.wants != Wants::Whether || words > SHORT || steered {
        return None;
    }
    decided_at_all(case, demand)
}

fn is_pronoun(word: &Word) -> bool {
    const PRONOUNS: [&str; 10] = [
        "he", "she", "they", "him", "her", "them", "er", "sie", "elle", "il",
    ];
    PRONOUNS.contains(&word.folded.as_str())
}

/// An amount or a number that is to be said, and nowhere is.
fn missing_number(case: &Case, demand: &Demand) -> Option<Finding> {
    let said = matches!(demand.verb, Verb::Say | Verb::Name | Verb::Confirm)
        && demand.wants == Wants::Mention
        && ![" what ", " who ", " how ", " which "]
            .iter()
            .any(|word| demand.clause.contains(word));
    let numbers = demand
        .topic
        .iter()
        .filter(|word| word.class & class::NUMBER != 0);
    let missing = numbers.filter(|_| said).find(|number| {
        let mut words = case.mails.iter().flat_map(|(_, prose)| &prose.words);
        !words.any(|word| number.matches(word))
    })?;
    Some(Finding::unmet(&format!(
        "The mail does not name {}",
        missing.folded
    )))
}

/// A short answer to a mail that asks one thing needs no word of the question.
fn decided_at_all(case: &Case, demand: &Demand) -> Option<Finding> {
    let cues: &[Cue] = match demand.wants {
        _ if demand.clause.contains(" instead ") => &[Cue::Instead],
        Wants::Whether => &DECIDED,
        _ if demand.verb == Verb::Address => &DECIDED,
        _ => return None,
    };
    let (prose, index, _) = case.own().find(|(_, _, sentence)| {
        sentence.cues.any(cues)
            && !sentence.question
            && !sentence.cues.any(&[Cue::Later, Cue::Sorry, Cue::Thank])
    })?;
    Some(Finding::met("The mail gives an answer", prose.quote(index)))
}

/// Words that stand in the email beside those of the topic.
fn related<'c>(case: &'c Case, demand: &Demand) -> Vec<&'c Word> {
    // In another language only numbers, names and few words are shared.
    let least = match case.is_abroad(&case.asked) {
        true => 0.2,
        false => 0.6,
    };
    let lexicon = super::lexicon::lexicon();
    let mut related: Vec<&Word> = Vec::new();
    for sentence in &case.asked.sentences {
        let words = case.asked.words_of(sentence);
        if coverage(&demand.topic, words) < least {
            continue;
        }
        for word in words {
            let is_telling = word.folded.chars().count() > 3
                && !lexicon.is_stop(&word.folded)
                && !case.people.contains(&word.folded)
                && !related.iter().any(|known| known.folded == word.folded);
            if is_telling && related.len() < 12 {
                related.push(word);
            }
        }
    }
    related
}

/// Somebody's name, or the words of what is asked for.
fn person(case: &Case, demand: &Demand) -> Finding {
    let found = case.own().find(|(prose, _, sentence)| {
        let later = sentence.tokens.clone().skip(1);
        let mut names = later.filter(|at| {
            let word = &prose.words[*at];
            let plain =
                word.folded.chars().count() > 2 && !super::lexicon::lexicon().is_stop(&word.folded);
            word.class & class::CAPITAL != 0
                && plain
                && !prose.timed[*at]
                && !case.people.contains(&word.folded)
        });
        let addressed = prose
            .words_of(sentence)
            .iter()
            .any(|word| word.class & class::ADDRESS != 0);
        let to_be = !sentence.question && !sentence.cues.has(Cue::Later);
        // German writes every noun like a name.
        to_be && (addressed || prose.language != Some(1) && names.next().is_some())
    });
    match (told(case, demand), found) {
        (told, Some((prose, index, _))) if told.found != Found::Met => {
            Finding::met("The mail names somebody", prose.quote(index))
        }
        (told, _) => told,
    }
}

/// Digits, and not letters and digits mixed.
fn is_figure(word: &Word) -> bool {
    let digits = word
        .folded
        .chars()
        .all(|c| c.is_ascii_digit() || matches!(c, '.' | ',' | '-'));
    word.class & class::NUMBER != 0 && digits && word.folded.len() <= 12
}

/// A number that is no day and no hour.
fn number(case: &Case, demand: &Demand) -> Finding {
    let found = case.own().find(|(prose, _, sentence)| {
        let mut tokens = sentence.tokens.clone();
        tokens.any(|at| is_figure(&prose.words[at]) && !prose.timed[at]) && !sentence.question
    });
    match (found, told(case, demand)) {
        (Some((prose, index, _)), _) => Finding::met("The mail names a number", prose.quote(index)),
        (None, told) if told.found == Found::Met => Finding {
            found: Found::Unsure,
            ..told
        },
        (None, told) => told,
    }
}

/// A sentence with one of the cues, about the topic where there is one.
fn by_cue(case: &Case, demand: &Demand, cues: &[Cue], does: &str) -> Finding {
    let mut near = None;
    for (prose, index, sentence) in case.said() {
        if !sentence.cues.any(cues) {
            continue;
        }
        let about = coverage(&demand.topic, window(prose, index));
        if demand.topic.is_empty() || about >= ENOUGH || case.is_abroad(prose) {
            return Finding::met(&format!("The mail {does}"), prose.quote(index));
        }
        near.get_or_insert((prose, index));
    }
    match near {
        // What for is often put in other words.
        Some((prose, index)) => Finding::met(&format!("The mail {does}"), prose.quote(index)),
        None => Finding::unmet(&format!("Nothing in the mail {does}.")),
    }
}

fn asked(case: &Case, demand: &Demand) -> Finding {
    let mut near = None;
    for (prose, index, sentence) in case.said() {
        if !(sentence.question || sentence.cues.has(Cue::Ask)) {
            continue;
        }
        let about = coverage(&demand.topic, window(prose, index));
        if demand.topic.is_empty() || about >= ENOUGH {
            return Finding::met("The mail asks for it", prose.quote(index));
        }
        near = Some((prose, index));
    }
    match near {
        Some((prose, index)) if case.is_abroad(prose) => {
            Finding::unsure_at("The mail asks something", prose.quote(index))
        }
        Some((prose, index)) => {
            Finding::unmet_at("The mail asks for something else", prose.quote(index))
        }
        None => Finding::unmet("The mail asks for nothing."),
    }
}

/// Whether it says that something is so; for what was booked or sent out, the record decides.
fn confirmed(case: &Case, demand: &Demand) -> Finding {
    let words = &demand.clause;
    let invites = ["invitation", "invite", "booked", "calendar", "scheduled"];
    let of_calendar = invites.iter().any(|word| words.contains(word));
    if of_calendar && !case.has_booked() {
        return Finding::unmet("The record has no meeting that was booked.");
    }
    if of_calendar {
        return by_cue(
            case,
            &Demand {
                topic: Vec::new(),
                ..demand.clone()
            },
            &[Cue::Booked],
            "says that it is booked",
        );
    }
    if !demand.moments.is_empty() {
        return times::named(case, demand);
    }
    told(case, demand)
}
