//! What goes wrong between a client and the service, in the same way every time.

use fastrand::Rng;

use super::request::Request;

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fault {
    /// Answered so, and nothing was done.
    Status {
        status: u16,
        retry_after: Option<&'static str>,
    },
    /// The connection ends before the service has seen the request.
    LostRequest,
    /// Done, and the connection ends without an answer.
    LostAnswer,
    /// Done, and the connection is reset in the middle of the answer.
    Reset,
    /// The connection stays open, and nothing comes.
    Silence {
        /// Whether it was done first.
        done: bool,
    },
}

#[derive(Clone, Copy, Debug)]
pub enum On {
    Any,
    Writes,
    /// Those whose path ends so.
    Path(&'static str),
}

#[derive(Clone, Copy, Debug)]
pub enum When {
    First(usize),
    /// From 1 on.
    Nth(usize),
    Every(usize),
    /// So many of a hundred, drawn by the seed.
    Percent(u32, u64),
}

/// Something that goes wrong.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    pub on: On,
    pub when: When,
    pub fault: Fault,
}

/// Rules, and how far each of them is.
#[derive(Debug, Default)]
pub struct Faults {
    rules: Vec<(Rule, usize, Rng)>,
}

impl Faults {
    pub fn new(rules: &[Rule]) -> Faults {
        let rules = rules.iter().map(|rule| {
            let seed = match rule.when {
                When::Percent(_, seed) => seed,
                _ => 0,
            };
            (*rule, 0, Rng::with_seed(seed))
        });
        Faults {
            rules: rules.collect(),
        }
    }

    /// What becomes of this request: every rule that it is for counts it, the first that holds
    /// decides.
    pub fn next(&mut self, request: &Request) -> Option<Fault> {
        let mut found = None;
        for (rule, seen, rng) in &mut self.rules {
            let concerned = match rule.on {
                On::Any => true,
                On::Writes => request.is_write(),
                On::Path(end) => request.path.ends_with(end),
            };
            if !concerned {
                continue;
            }
            *seen += 1;
            let holds = match rule.when {
                When::First(count) => *seen <= count,
                When::Nth(number) => *seen == number,
                When::Every(count) => seen.is_multiple_of(count),
                When::Percent(percent, _) => rng.u32(0..100) < percent,
            };
            if holds && found.is_none() {
                found = Some(rule.fault);
            }
        }
        found
    }
}
