//! What can be seen in an email by looking at more than words.

use std::collections::BTreeSet;

use super::book::{CueRole, Fact};
use super::envelope::{Envelope, Mailbox};
use super::segment::{Parts, prefix};
use super::text::{Text, class, folded};
use super::triage::Evidence;

/// What facts are seen in.
pub(super) struct Gathered<'a> {
    pub evidence: &'a Evidence<'a>,
    pub parts: &'a Parts,
    pub envelope: &'a Envelope<'a>,
    pub sender: &'a Mailbox,
    pub recipients: &'a [Mailbox],
    pub reader: Option<&'a Mailbox>,
    pub reader_names: [&'a str; 2],
    pub new: &'a Text,
    pub subject: &'a Text,
    /// Sentences that are not for the reader.
    pub closed: &'a BTreeSet<usize>,
    /// Some of it is put to somebody else.
    pub elsewhere: bool,
    pub asks: &'a [usize],
}

pub(super) fn find(it: &Gathered) -> Vec<Fact> {
    let mut facts = Vec::new();
    let evidence = it.evidence;
    let text = it.new;
    let house = it.sender.house();
    let houses: BTreeSet<String> = it
        .recipients
        .iter()
        .map(Mailbox::house)
        .filter(|house| !house.is_empty())
        .collect();
    let own_house = !house.is_empty() && houses.contains(&house);
    let machine = evidence.has(CueRole::MachineSender);
    // "Sales" in one's own house is a department.
    let bulk = evidence.has(CueRole::BulkSender) && !own_house && !machine;
    if machine {
        facts.push(Fact::Machine);
    } else if bulk {
        facts.push(Fact::Bulk);
    } else if it.sender.is_person() {
        facts.push(Fact::Person);
    } else {
        facts.push(Fact::Organisation);
    }
    if own_house && !machine {
        facts.push(Fact::Colleague);
    }
    let labels = || {
        houses
            .iter()
            .filter_map(|house| house.split('.').next())
            .filter(|label| label.len() >= 4)
    };
    let sender_words = folded(&format!("{} {}", it.sender.name, it.sender.domain()));
    let look_alike = !own_house
        && !it.sender.address.is_empty()
        && labels().any(|label| {
            let mut words = sender_words.split(|c: char| !c.is_alphanumeric());
            words.any(|word| word.starts_with(label))
        });
    if look_alike {
        facts.push(Fact::LookAlike);
    }

    let count = |sentences: &BTreeSet<usize>| -> u32 {
        sentences
            .iter()
            .map(|index| text.sentences[*index].last - text.sentences[*index].first)
            .sum()
    };
    let steered = evidence.has(CueRole::Attack);
    let left = text.tokens.len() as u32 - count(it.closed);
    if steered {
        facts.push(Fact::Steered);
        if left < 8 {
            facts.push(Fact::NothingLeft);
        }
    }
    let names_house = || {
        let beginning = folded(prefix(it.envelope.body, 2000));
        labels().any(|label| beginning.contains(label))
    };
    if (look_alike || steered && left < 8)
        && evidence.has(CueRole::HouseProperty)
        && (look_alike || names_house())
    {
        facts.push(Fact::HouseAttacked);
    }
    if it.parts.forwarded && left < 5 {
        facts.push(Fact::ForwardedBare);
    }

    let questions = it
        .asks
        .iter()
        .filter(|index| text.sentences[**index].question)
        .count();
    let asked_in_subject = it
        .subject
        .sentences
        .iter()
        .any(|sentence| sentence.question)
        && it.parts.quoted.is_empty();
    if questions > 0 || asked_in_subject {
        facts.push(Fact::Question);
    }
    if questions > 1 {
        facts.push(Fact::Questions);
    }
    if it.elsewhere {
        facts.push(Fact::OtherPerson);
    }
    let names: Vec<String> = it
        .reader_names
        .iter()
        .map(|name| folded(name))
        .filter(|name| name.len() > 1)
        .collect();
    // Near the beginning of the text: "Hi Robin", "Robin, can you", "Dear Ms Okafor".
    let by_name =
        (0..text.tokens.len().min(5)).any(|index| names.contains(&folded(text.token(index))));
    if by_name {
        facts.push(Fact::ByName);
    }
    if it.reader.is_none() || it.recipients.len() > 2 && !by_name {
        facts.push(Fact::Group);
    }
    let lower = it.envelope.subject.trim_start().to_lowercase();
    let answered = [
        "re:", "aw:", "antw:", "sv:", "rv:", "res:", "fw:", "fwd:", "wg:", "tr:",
    ]
    .iter()
    .any(|mark| lower.starts_with(mark));
    if answered && !it.parts.quoted.is_empty() {
        facts.push(Fact::Answered);
    }
    let links = text
        .tokens
        .iter()
        .filter(|token| token.class & class::URL != 0)
        .count();
    if links >= 4 {
        facts.push(Fact::Links);
    }
    facts
}
