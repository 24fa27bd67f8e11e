//! Days and times of day: whether a mail names, takes or proposes them, and in time.

use super::criteria::{Case, coverage, told, window};
use super::demand::{Demand, Wants};
use super::lexicon::{Cue, Verb};
use super::prose::{Moment, Prose, Sentence};
use super::{Finding, Found};
use crate::model::rules::when::DayKind;

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
pub(super) fn promised(case: &Case, demand: &Demand) -> Finding {
    let mut late: Option<(&Prose, usize)> = None;
    let mut near: Option<(&Prose, usize)> = None;
    let mut vague: Option<(&Prose, usize)> = None;
    let needs_topic = !demand.promise && !demand.topic.is_empty();
    for (prose, index, sentence) in case.own() {
        let will = sentence.cues.any(&[Cue::Promise, Cue::Soon]);
        let about = coverage(&demand.topic, window(prose, index));
        if sentence.cues.has(Cue::Later) && sentence.moments.is_empty() {
            vague = Some((prose, index));
        }
        // "I'll let you know on Friday" names the day of an answer, not of the thing.
        let announces = sentence.cues.has(Cue::Announce) && needs_topic;
        if sentence.question || announces {
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
            let fits = match (demand.promise, needs_topic) {
                (true, _) => will || about > 0.0 || case.is_abroad(prose),
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
    let (prose, index, _) = case.own().find(|(prose, index, sentence)| {
        coverage(&demand.topic, prose.words_of(sentence)) >= 0.6
            && sentence.cues.has(Cue::Refuse)
            && *index < prose.sentences.len()
    })?;
    Some(Finding::unsure_at(
        "The mail says that it will not be, but no time",
        prose.quote(index),
    ))
}

pub(super) fn nothing_later(case: &Case, demand: &Demand) -> Finding {
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
pub(super) fn clock(case: &Case, demand: &Demand) -> Finding {
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
pub(super) fn on_offer(case: &Case) -> Vec<Moment> {
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

pub(super) fn accepted(case: &Case, demand: &Demand) -> Finding {
    let about_times = [
        " time", " times", " day", " days", " slot", " slots", " date", " dates",
    ];
    if !about_times.iter().any(|word| demand.clause.contains(word)) && demand.moments.is_empty() {
        return told(case, demand);
    }
    picked_time(case, demand)
}

pub(super) fn picked_time(case: &Case, demand: &Demand) -> Finding {
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

pub(super) fn proposed(case: &Case, demand: &Demand) -> Finding {
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

/// Days, times, numbers and words that must be named.
pub(super) fn named(case: &Case, demand: &Demand) -> Finding {
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
