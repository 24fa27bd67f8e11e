//! Whether the mail that was sent meets a criterion.

use std::collections::BTreeSet;

use jiff::civil::Date;

use super::demand::{self, Demand, Wants};
use super::lexicon::{Cue, Verb};
use super::material::{Call, Mail, Shown};
use super::prose::{Moment, Prose, Sentence, Word};
use super::{Finding, Found, forbidden, style};
use crate::model::rules::book::Book;
use crate::model::rules::envelope::Mailbox;
use crate::model::rules::text::{class, folded};
use crate::model::rules::when::DayKind;

/// The share of a statement's words that one passage must have.
const ENOUGH: f64 = 0.33;

/// The same where the mail is in another language, of which few words are known.
const ENOUGH_ABROAD: f64 = 0.25;

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
        let mails = shown.sent();
        let mails = mails.into_iter().map(|mail| {
            let prose = Prose::read(book, &mail.body, sent);
            (mail, prose)
        });
        let mails = mails.collect();
        let asked = Prose::read(book, &email.body, sent);
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

    /// Every sentence that says something, with its mail.
    pub fn said(&self) -> impl Iterator<Item = (&Prose, usize, &Sentence)> {
        self.mails.iter().flat_map(|(_, prose)| {
            prose
                .said()
                .map(move |(index, sentence)| (prose, index, sentence))
        })
    }

    fn is_abroad(&self, prose: &Prose) -> bool {
        prose.language.is_some_and(|language| language != 0)
    }

    /// Hours of meetings that were really booked, in minutes after midnight, with the day.
    fn booked(&self) -> Vec<(Option<Date>, u16)> {
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
        return nothing_later(case, demand);
    }
    if demand.negated {
        return forbidden::check(case, demand);
    }
    if demand.promise {
        return promised(case, demand);
    }
    match demand.wants {
        Wants::Neither => by_cue(
            case,
            demand,
            &[Cue::Neither],
            "says that nothing on offer will do",
        ),
        Wants::Choice => chosen(case, demand, first),
        Wants::Moment => promised(case, demand),
        Wants::Clock | Wants::DayAndClock => clock(case, demand),
        Wants::Whether => told(case, demand),
        Wants::Mention => match demand.verb {
            Verb::Accept => accepted(case, demand),
            Verb::Propose => proposed(case, demand),
            Verb::Decline => by_cue(case, demand, &[Cue::Refuse, Cue::No], "declines"),
            Verb::Ask => asked(case, demand),
            Verb::Thank => by_cue(case, demand, &[Cue::Thank], "thanks"),
            Verb::Sorry => by_cue(case, demand, &[Cue::Sorry], "apologises"),
            Verb::Wish => by_cue(case, demand, &[Cue::Warm], "wishes well"),
            Verb::Confirm => confirmed(case, demand),
            Verb::Name => named(case, demand),
            Verb::Say if !demand.moments.is_empty() => named(case, demand),
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
fn window<'p>(prose: &'p Prose, index: usize) -> &'p [Word] {
    let sentence = &prose.sentences[index];
    let start = match index.checked_sub(1).map(|before| &prose.sentences[before]) {
        Some(before) if before.paragraph == sentence.paragraph => before.tokens.start,
        _ => sentence.tokens.start,
    };
    &prose.words[start..sentence.tokens.end]
}

const DECIDED: [Cue; 4] = [Cue::Yes, Cue::No, Cue::Accept, Cue::Refuse];

/// Whether something is said about the topic, other than that it will be looked at.
fn told(case: &Case, demand: &Demand) -> Finding {
    if demand.topic.is_empty() && demand.moments.is_empty() || demand.clause.contains(" instead ") {
        return decided_at_all(case, demand)
            .unwrap_or_else(|| Finding::unmet("The mail has no clear answer"));
    }
    if let Some(missing) = missing_number(case, demand) {
        return missing;
    }
    let related = related(case, demand);
    let mut best: (f64, Option<(&Prose, usize)>) = (0.0, None);
    let mut put_off: Option<(&Prose, usize)> = None;
    let mut everywhere: BTreeSet<&str> = BTreeSet::new();
    for (prose, index, sentence) in case.said() {
        let words = prose.words_of(sentence);
        let own = coverage(&demand.topic, words);
        let wide = coverage(&demand.topic, window(prose, index));
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
            score *= 0.6;
        }
        if demand
            .moments
            .iter()
            .any(|wanted| sentence.moments.iter().any(|m| same(wanted, m)))
        {
            score += 0.25;
        }
        let postpones = sentence.cues.has(Cue::Later)
            && (sentence.moments.is_empty() || !sentence.cues.has(Cue::Promise));
        if postpones && score > 0.0 {
            put_off = Some((prose, index));
        }
        if sentence.question || postpones {
            score *= 0.3;
        } else if sentence.cues.has(Cue::Thank) && !decided {
            score *= 0.6;
        }
        if score > best.0 {
            best = (score, Some((prose, index)));
        }
    }
    let enough = match best.1 {
        Some((prose, _)) if case.is_abroad(prose) => ENOUGH_ABROAD,
        _ => ENOUGH,
    };
    match best {
        (score, Some((prose, index))) if score >= enough => {
            Finding::met("The mail says something about it", prose.quote(index))
        }
        (_, best) => {
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

/// An amount or a number that is to be said, and nowhere is.
fn missing_number(case: &Case, demand: &Demand) -> Option<Finding> {
    let said = matches!(demand.verb, Verb::Say | Verb::Name | Verb::Confirm)
        && demand.wants == Wants::Mention;
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
    let (prose, index, _) = case.said().find(|(_, _, sentence)| {
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

/// Whether two moments name the same day, where both have one, and the same time of day.
pub(super) fn same(wanted: &Moment, found: &Moment) -> bool {
    let day = match (wanted.date, found.date) {
        (Some(wanted), Some(date)) => {
            wanted == date || found.weekday && wanted.weekday() == date.weekday()
        }
        (Some(_), None) => false,
        (None, _) => true,
    };
    day && wanted.minutes.is_none_or(|minutes| {
        found
            .minutes
            .is_some_and(|found| same_clock(minutes, found))
    })
}

/// "At two" may be 14:00.
fn same_clock(one: u16, other: u16) -> bool {
    one == other || one % 720 == other % 720 && one.min(other) < 8 * 60
}

/// Whether a moment is given for it, and keeps to the limit.
fn promised(case: &Case, demand: &Demand) -> Finding {
    let mut late: Option<(&Prose, usize)> = None;
    let mut near: Option<(&Prose, usize)> = None;
    let mut vague: Option<(&Prose, usize)> = None;
    let needs_topic = !demand.promise && !demand.topic.is_empty();
    for (prose, index, sentence) in case.said() {
        let will = sentence.cues.any(&[Cue::Promise, Cue::Soon]);
        let about = coverage(&demand.topic, window(prose, index));
        if sentence.cues.has(Cue::Later) && sentence.moments.is_empty() {
            vague = Some((prose, index));
        }
        if sentence.question {
            continue;
        }
        for moment in sentence
            .moments
            .iter()
            .filter(|m| m.kind != DayKind::Except)
        {
            let is_early = demand
                .limit
                .is_none_or(|limit| limit.holds(moment, case.sent) == Some(true));
            // "I'll let you know on Friday" names the day of an answer, not of the thing.
            let announces = sentence.cues.has(Cue::Announce);
            let fits = match (demand.promise, needs_topic) {
                (true, _) => will || about > 0.0 || case.is_abroad(prose),
                (false, true) if announces => false,
                (false, true) => about > 0.0 || will || is_of_it(prose, sentence),
                (false, false) => true,
            };
            let wanted = demand.promise
                || demand.moments.is_empty()
                || demand
                    .moments
                    .iter()
                    .any(|wanted| same(wanted, moment) || moment.date.is_none());
            if fits && is_early && wanted {
                return Finding::met("The mail names a time for it", prose.quote(index));
            }
            if fits && !is_early {
                late.get_or_insert((prose, index));
            } else {
                near.get_or_insert((prose, index));
            }
        }
    }
    // "Says when the report comes": that it does not is an answer too.
    if let Some((prose, index)) = late {
        return Finding::unmet_at(
            "The time that the mail names does not keep to the limit",
            prose.quote(index),
        );
    }
    if !demand.promise && demand.verb != Verb::Promise {
        let told = what_instead(case, demand);
        if let Some(told) = told {
            return told;
        }
    }
    if let Some((prose, index)) = vague {
        return Finding::unmet_at(
            "The mail only puts it off and names no time",
            prose.quote(index),
        );
    }
    match near {
        Some((prose, index)) => Finding::unsure_at(
            "The mail names a time, perhaps of something else",
            prose.quote(index),
        ),
        None => Finding::unmet("The mail names no time for it."),
    }
}

/// "It comes on Friday": about what was spoken of.
fn is_of_it(prose: &Prose, sentence: &Sentence) -> bool {
    let first = prose.words_of(sentence).first();
    first.is_some_and(|word| {
        matches!(
            word.folded.as_str(),
            "it" | "they" | "this" | "that" | "es" | "on" | "c"
        )
    })
}

fn what_instead(case: &Case, demand: &Demand) -> Option<Finding> {
    let (prose, index, _) = case.said().find(|(prose, index, sentence)| {
        coverage(&demand.topic, prose.words_of(sentence)) >= 0.6
            && sentence.cues.has(Cue::Refuse)
            && *index < prose.sentences.len()
    })?;
    Some(Finding::unsure_at(
        "The mail says that it will not be, but no time",
        prose.quote(index),
    ))
}

fn nothing_later(case: &Case, demand: &Demand) -> Finding {
    let Some(limit) = demand.limit else {
        return Finding::unsure("No limit could be read.");
    };
    for (prose, index, sentence) in case.said() {
        let will = sentence.cues.any(&[Cue::Promise, Cue::Later]);
        for moment in &sentence.moments {
            if will && moment.date.is_some() && limit.holds(moment, case.sent) == Some(false) {
                return Finding::unmet_at("The mail names a later time", prose.quote(index));
            }
        }
    }
    Finding {
        found: Found::Met,
        reasons: vec!["The mail names no later time.".to_owned()],
        quotes: Vec::new(),
    }
}

/// Whether a time of day is named, the one of what was booked.
fn clock(case: &Case, demand: &Demand) -> Finding {
    let booked = case.booked();
    let mut other: Option<(&Prose, usize)> = None;
    let mut near: Option<(&Prose, usize)> = None;
    for (prose, index, sentence) in case.said() {
        for moment in &sentence.moments {
            if moment.kind == DayKind::Except
                || sentence.cues.has(Cue::Refuse)
                    && !sentence.cues.any(&[Cue::Accept, Cue::Propose])
            {
                continue;
            }
            let Some(minutes) = moment.minutes else {
                near.get_or_insert((prose, index));
                continue;
            };
            let day = demand.moments.iter().all(|wanted| {
                let day = Moment {
                    minutes: None,
                    ..*wanted
                };
                same(&day, moment) || moment.date.is_none()
            });
            let week = demand.week.is_none_or(|monday| {
                moment.date.is_some_and(|date| {
                    let days = monday.until(date).map_or(-1, |span| span.get_days());
                    (0..7).contains(&days) || moment.weekday
                })
            });
            let has_day = demand.wants == Wants::Clock || moment.date.is_some();
            let early = demand.earliest.is_some_and(|earliest| minutes < earliest);
            let true_to_calendar = booked.is_empty()
                || demand.verb == Verb::Propose
                || booked.iter().any(|(_, start)| same_clock(*start, minutes));
            if !true_to_calendar {
                other.get_or_insert((prose, index));
            } else if day && week && has_day && !early {
                return Finding::met("The mail names the time", prose.quote(index));
            }
            near.get_or_insert((prose, index));
        }
    }
    if let Some((prose, index)) = other {
        return Finding::unmet_at(
            "The mail names another time than the one that was booked",
            prose.quote(index),
        );
    }
    match near {
        Some((prose, index)) => Finding::unmet_at(
            "The mail names a day or a time, but not what is asked for",
            prose.quote(index),
        ),
        None => Finding::unmet("The mail names no time."),
    }
}

/// Days and times of day that the email has on offer.
fn on_offer(case: &Case) -> Vec<Moment> {
    let moments = case
        .asked
        .sentences
        .iter()
        .flat_map(|sentence| &sentence.moments);
    moments
        .filter(|moment| moment.kind == DayKind::On && moment.date.is_some())
        .copied()
        .collect()
}

fn accepted(case: &Case, demand: &Demand) -> Finding {
    let about_times = [
        " time", " times", " day", " days", " slot", " slots", " date", " dates",
    ];
    if !about_times.iter().any(|word| demand.clause.contains(word)) && demand.moments.is_empty() {
        return told(case, demand);
    }
    picked_time(case, demand)
}

fn picked_time(case: &Case, demand: &Demand) -> Finding {
    let offers = on_offer(case);
    let mut vague = None;
    for (prose, index, sentence) in case.said() {
        if sentence.cues.has(Cue::Refuse) && !sentence.cues.has(Cue::Accept) {
            continue;
        }
        let hit = sentence.moments.iter().any(|moment| {
            moment.kind != DayKind::Except
                && demand.earliest.is_none_or(|earliest| {
                    moment.minutes.is_some_and(|minutes| minutes >= earliest)
                })
                && offers.iter().any(|offer| {
                    let day = Moment {
                        minutes: offer.minutes.filter(|_| moment.minutes.is_some()),
                        ..*offer
                    };
                    let found = Moment {
                        minutes: moment.minutes.or(offer.minutes),
                        ..*moment
                    };
                    match demand.earliest {
                        Some(_) => same(
                            &Moment {
                                minutes: None,
                                ..*offer
                            },
                            moment,
                        ),
                        None => {
                            moment.date.is_some() && same(&day, &found)
                                || moment.date.is_none()
                                    && moment.minutes.is_some()
                                    && moment.minutes == offer.minutes
                        }
                    }
                })
        });
        if hit {
            return Finding::met(
                "The mail takes one of the times on offer",
                prose.quote(index),
            );
        }
        if sentence.cues.has(Cue::Later) {
            vague = Some((prose, index));
        }
    }
    match vague {
        Some((prose, index)) => Finding::unmet_at("The mail only puts it off", prose.quote(index)),
        None => Finding::unmet("The mail takes none of the times on offer."),
    }
}

fn proposed(case: &Case, demand: &Demand) -> Finding {
    let another = demand.clause.contains(" another ") || demand.clause.contains(" other ");
    let offers = on_offer(case);
    let times = another
        || demand.week.is_some()
        || demand.clause.contains(" time")
        || demand.clause.contains(" day")
        || demand.clause.contains(" date");
    if !times && !demand.moments.is_empty() {
        return named(case, demand);
    }
    if !times {
        return told(case, demand);
    }
    for (prose, index, sentence) in case.said() {
        let fits = sentence.moments.iter().any(|moment| {
            let known = offers.iter().any(|offer| {
                same(
                    &Moment {
                        minutes: offer.minutes.filter(|_| moment.minutes.is_some()),
                        ..*offer
                    },
                    moment,
                )
            });
            moment.date.is_some() && !(another && known) && moment.kind != DayKind::Except
        });
        let proposes = sentence.cues.any(&[Cue::Propose, Cue::Accept]) || sentence.question;
        if fits && proposes {
            return Finding::met("The mail proposes a time", prose.quote(index));
        }
    }
    Finding::unmet("The mail proposes no time.")
}

/// Whether it takes one of the things on offer.
fn chosen(case: &Case, demand: &Demand, first: Option<&Vec<Demand>>) -> Finding {
    let about_times = [
        " time ", " times ", " day ", " days ", " slot ", " slots ", " date ", " dates ",
    ];
    if about_times.iter().any(|word| demand.clause.contains(word)) && !on_offer(case).is_empty() {
        return picked_time(case, demand);
    }
    if let Some((_, between)) = demand.clause.split_once(" between ") {
        return between_two(case, between);
    }
    let labels = labels(&case.email.body);
    if labels.len() >= 2 {
        // "…, or picks an option that needs none": not the one that was spoken of.
        let barred = match demand.clause.contains(" an option that ") {
            true => first
                .and_then(|all| all.first())
                .map(|first| first.clause.clone()),
            false => None,
        };
        return label(case, &labels, barred.as_deref());
    }
    told(case, demand)
}

/// "(a)", "(b)", … of the email.
fn labels(body: &str) -> Vec<String> {
    let mut labels: Vec<String> = Vec::new();
    for (start, _) in body.match_indices('(') {
        let rest = &body[start + 1..];
        let Some((inside, _)) = rest.split_once(')') else {
            break;
        };
        if inside.chars().count() == 1 && inside.chars().all(|c| c.is_ascii_alphanumeric()) {
            let label = inside.to_ascii_lowercase();
            if !labels.contains(&label) && labels.len() < 9 {
                labels.push(label);
            }
        }
    }
    labels
}

fn label(case: &Case, labels: &[String], barred: Option<&str>) -> Finding {
    let mut named: Vec<(String, &Prose, usize, bool)> = Vec::new();
    for (prose, index, sentence) in case.said() {
        let text = prose.text.sentence(index).to_lowercase();
        for label in labels {
            let is_there = text.contains(&format!("({label})"))
                || text.contains(&format!("option {label}"))
                    && prose
                        .words_of(sentence)
                        .iter()
                        .any(|word| word.folded == *label);
            if is_there {
                named.push((
                    label.clone(),
                    prose,
                    index,
                    sentence.cues.any(&[Cue::Accept, Cue::Yes, Cue::Promise]),
                ));
            }
        }
    }
    let distinct: BTreeSet<&String> = named.iter().map(|(label, ..)| label).collect();
    let is_barred =
        |label: &str| barred.is_some_and(|clause| clause.contains(&format!(" option {label} ")));
    let picked = match distinct.len() {
        1 => named.first(),
        _ => None,
    };
    match picked {
        Some((label, prose, index, _)) if !is_barred(label) => {
            Finding::met("The mail takes one of the options", prose.quote(*index))
        }
        Some((_, prose, index, _)) => Finding::unmet_at(
            "The mail takes the option that this does not hold for",
            prose.quote(*index),
        ),
        None => match named.first() {
            Some((_, prose, index, _)) => Finding::unmet_at(
                "The mail speaks of several options and takes none",
                prose.quote(*index),
            ),
            None => Finding::unmet("The mail takes none of the options."),
        },
    }
}

fn between_two(case: &Case, between: &str) -> Finding {
    let Some((one, two)) = between
        .split_once(" and ")
        .or_else(|| between.split_once(" or "))
    else {
        return Finding::unsure("The options could not be read.");
    };
    let words = |text: &str| {
        let prose = Prose::read(case.book, text, case.sent);
        let words = prose.words.into_iter();
        words
            .filter(|word| !super::lexicon::lexicon().is_stop(&word.folded))
            .collect::<Vec<Word>>()
    };
    let (one, two) = (words(one), words(two));
    let only = |mine: &[Word], other: &[Word]| -> Vec<Word> {
        let own = mine
            .iter()
            .filter(|word| !other.iter().any(|o| word.matches(o)));
        own.cloned().collect()
    };
    let (first, second) = (only(&one, &two), only(&two, &one));
    for (prose, index, sentence) in case.said() {
        if sentence.question || sentence.cues.has(Cue::Later) {
            continue;
        }
        let words = prose.words_of(sentence);
        let (has_first, has_second) = (
            coverage(&first, words) > 0.0,
            coverage(&second, words) > 0.0,
        );
        if has_first != has_second {
            return Finding::met("The mail names one of the two", prose.quote(index));
        }
    }
    Finding::unmet("The mail chooses neither of the two.")
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

/// Days, times, numbers and words that must be named.
fn named(case: &Case, demand: &Demand) -> Finding {
    if demand.moments.is_empty() {
        return told(case, demand);
    }
    let mut quotes = Vec::new();
    for wanted in &demand.moments {
        let found = case.said().find(|(_, _, sentence)| {
            let refused = sentence.cues.has(Cue::Refuse) && !sentence.cues.has(Cue::Accept);
            !refused && sentence.moments.iter().any(|moment| same(wanted, moment))
        });
        match found {
            Some((prose, index, _)) => {
                let quote = prose.quote(index);
                if !quotes.contains(&quote) {
                    quotes.push(quote);
                }
            }
            None => {
                let near = case
                    .said()
                    .find(|(_, _, sentence)| !sentence.moments.is_empty());
                return match near {
                    Some((prose, index, _)) => Finding::unmet_at(
                        "The day or time that is asked for is not named; another is",
                        prose.quote(index),
                    ),
                    None => Finding::unmet("The day or time that is asked for is not named."),
                };
            }
        }
    }
    Finding {
        found: Found::Met,
        reasons: vec!["The mail names what is asked for.".to_owned()],
        quotes,
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
        return named(case, demand);
    }
    told(case, demand)
}
