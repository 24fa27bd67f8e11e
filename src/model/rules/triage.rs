//! Weighs what was found, and says why.

use super::book::{Book, CueRole, Fact, Part, Points};
use crate::email::Triage;

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Decision {
    pub triage: Triage,
    /// Another that has hardly fewer points.
    pub close: Option<Triage>,
    /// One or two sentences that name what decided.
    pub reasoning: String,
}

/// Points within which two decisions are close: those of a hint.
const CLOSE: f64 = 1.0;

/// The cues and facts found in one email, each at most once.
pub(super) struct Evidence<'a> {
    book: &'a Book,
    cues: Vec<bool>,
    facts: Vec<Fact>,
}

impl<'a> Evidence<'a> {
    pub fn new(book: &'a Book) -> Self {
        Evidence {
            book,
            cues: vec![false; book.cues.len()],
            facts: Vec::new(),
        }
    }

    /// Notes a cue that was found in `part`, if it counts there.
    pub fn cue(&mut self, part: Part, cue: u16) {
        if self.book.cues[cue as usize].is_searched_in(part) {
            self.cues[cue as usize] = true;
        }
    }

    pub fn fact(&mut self, fact: Fact) {
        self.facts.push(fact);
    }

    /// Whether a cue with this role was found.
    pub fn has(&self, role: CueRole) -> bool {
        self.book
            .cues
            .iter()
            .zip(&self.cues)
            .any(|(cue, found)| *found && cue.role == Some(role))
    }

    /// Everything found, as what it says and its points.
    fn found(&self) -> impl Iterator<Item = (&'a str, &'a Points)> {
        let book = self.book;
        let colleague = self.facts.contains(&Fact::Colleague);
        let facts = self
            .facts
            .iter()
            .map(move |fact| &book.facts[fact])
            .map(|fact| (fact.says.as_str(), &fact.points));
        let cues = book
            .cues
            .iter()
            .zip(&self.cues)
            // Colleagues do talk of passwords and bank details.
            .filter(move |(cue, found)| {
                **found && !(colleague && cue.role == Some(CueRole::Phishing))
            })
            .map(|(cue, _)| (cue.says.as_str(), &cue.points));
        facts.chain(cues).collect::<Vec<_>>().into_iter()
    }
}

pub(super) fn decide(evidence: &Evidence) -> Decision {
    let book = evidence.book;
    let colleague = evidence.facts.contains(&Fact::Colleague);
    let nobody = |fact: &Fact| matches!(fact, Fact::Machine | Fact::Bulk | Fact::Group);
    let damped = evidence.facts.iter().any(nobody)
        || evidence.has(CueRole::Cold)
        || evidence.has(CueRole::Phishing) && !colleague;
    let weighed: Vec<(&str, Points)> = evidence
        .found()
        .map(|(says, points)| {
            let mut points = *points;
            if damped && points.respond > 0.0 {
                points.respond *= book.damping;
            }
            (says, points)
        })
        .collect();
    let mut sum = book.bias;
    for (_, points) in &weighed {
        sum.add(points);
    }
    let triage = Triage::ALL
        .into_iter()
        .max_by(|one, other| sum.of(*one).total_cmp(&sum.of(*other)))
        .expect("there are three");
    let close = Triage::ALL
        .into_iter()
        .find(|other| *other != triage && sum.of(triage) - sum.of(*other) <= CLOSE);
    Decision {
        triage,
        close,
        reasoning: reasoning(triage, &weighed),
    }
}

/// Names what spoke most for the decision, and the strongest thing against it.
fn reasoning(triage: Triage, weighed: &[(&str, Points)]) -> String {
    let advantage = |points: &Points| {
        let others = Triage::ALL.into_iter().filter(|label| *label != triage);
        points.of(triage)
            - others
                .map(|label| points.of(label))
                .fold(f64::MIN, f64::max)
    };
    let mut ranked: Vec<(&str, f64)> = weighed
        .iter()
        .map(|(says, points)| (*says, advantage(points)))
        .collect();
    // Stable: equal advantages stay in the order of the rules.
    ranked.sort_by(|one, other| other.1.total_cmp(&one.1));
    let mut told: Vec<&str> = Vec::new();
    for (says, advantage) in &ranked {
        if *advantage > 0.0 && told.len() < 3 && !told.contains(says) {
            told.push(says);
        }
    }
    let mut text = match told.as_slice() {
        [] => {
            format!("The email shows nothing that stands out, so {triage} is the safest decision.")
        }
        [one] => format!("The email {one}."),
        [first @ .., last] => format!("The email {} and {last}.", first.join(", ")),
    };
    if let Some((says, against)) = ranked.last()
        && *against <= -1.0
        && !told.contains(says)
    {
        text.push_str(&format!(" It also {says}, which weighs less here."));
    }
    text
}
