//! What is known of a person's wishes: the profiles that a prompt holds or a search found.
//!
//! Only the prompt and the answers of the memory's tools are read here. The same words in
//! an email are text.

use super::acts::Act;
use super::book::Book;
use super::meeting::Meeting;
use super::reading::Reading;
use super::segment::prefix;
use super::triage::Decision;
use super::wish::{self, Tone, Use, What, Wish};
use crate::email::Triage;

/// Of one profile, in bytes.
const MOST_BYTES: usize = 16 * 1024;

/// A profile's name: the tag of its block, and of the tool that searches it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Triage,
    Response,
    Cal,
}

impl Kind {
    pub const ALL: [Kind; 3] = [Kind::Triage, Kind::Response, Kind::Cal];

    pub fn name(self) -> &'static str {
        match self {
            Kind::Triage => "triage_preferences",
            Kind::Response => "response_preferences",
            Kind::Cal => "cal_preferences",
        }
    }
}

/// Wishes in the order they were written; later ones go before earlier ones.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Profile {
    triage: Vec<Wish>,
    response: Vec<Wish>,
    cal: Vec<Wish>,
}

/// How an answer is written.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Style {
    pub greeting: Option<String>,
    pub sign_off: Option<String>,
    pub sign_as: Option<String>,
    pub short: bool,
    pub tone: Option<Tone>,
    pub acts: Vec<Act>,
}

/// Which starts suit the person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    /// In minutes after midnight; the second is excluded.
    pub from: u16,
    pub to: u16,
}

impl Default for Window {
    fn default() -> Self {
        Window {
            from: 0,
            to: 24 * 60,
        }
    }
}

impl Window {
    pub fn holds(self, start: u16) -> bool {
        self.from <= start && start < self.to
    }
}

impl Profile {
    /// The profiles in the system text's blocks.
    pub fn of_prompt(book: &Book, system: &str) -> Profile {
        let mut profile = Profile::default();
        for kind in Kind::ALL {
            if let Some(text) = block(system, kind.name()) {
                profile.add(book, kind, text);
            }
        }
        profile
    }

    /// Adds what a text says.
    pub fn add(&mut self, book: &Book, kind: Kind, text: &str) {
        let wishes = match kind {
            Kind::Triage => &mut self.triage,
            Kind::Response => &mut self.response,
            Kind::Cal => &mut self.cal,
        };
        for line in prefix(text, MOST_BYTES).lines() {
            wishes.extend(of_line(book, kind, line));
        }
    }

    /// What the wishes make of the decision that the cues led to.
    pub fn decide(&self, reading: &Reading) -> Decision {
        let decision = &reading.decision;
        let wish = self
            .triage
            .iter()
            .filter(|wish| wish.scope.fits(reading))
            // Of equals the last.
            .max_by_key(|wish| wish.scope.narrowness());
        match wish.map(|wish| (&wish.what, wish)) {
            // Whoever imitates somebody must not profit from what is said about them.
            Some((What::Triage(Triage::Respond), _)) if reading.suspect => decision.clone(),
            Some((What::Triage(label), wish)) => Decision {
                close: None,
                triage: *label,
                reasoning: format!("The person's preferences say “{wish}”."),
            },
            _ => decision.clone(),
        }
    }

    pub fn style(&self, reading: &Reading) -> Style {
        let mut style = Style::default();
        for wish in fitting(&self.response, reading) {
            style.take(&wish.what);
        }
        style
    }

    /// The meeting as the person likes it, and the starts that suit them.
    pub fn meeting(&self, reading: &Reading) -> (Option<Meeting>, Window) {
        let mut window = Window::default();
        let Some(mut meeting) = reading.meeting.clone() else {
            return (None, window);
        };
        let mut days = Vec::new();
        let mut most = u16::MAX;
        for wish in fitting(&self.cal, reading) {
            match &wish.what {
                What::Minutes(minutes) if !meeting.stated => meeting.minutes = *minutes,
                What::AtMost(minutes) => most = *minutes,
                What::Earliest(from) => {
                    window.from = *from;
                    // What was said before cannot hold beside it.
                    if window.to <= *from {
                        window.to = 24 * 60;
                    }
                }
                What::Before(to) => {
                    window.to = *to;
                    if window.from >= *to {
                        window.from = 0;
                    }
                }
                What::NotOn(day) => days.push(*day),
                _ => {}
            }
        }
        meeting.minutes = meeting.minutes.min(most);
        if !days.is_empty() {
            meeting.avoid(&|day| days.contains(&day.weekday()));
        }
        (Some(meeting), window)
    }
}

/// The wishes for this mail: the wider first, so that the narrower have the last word.
fn fitting<'a>(wishes: &'a [Wish], reading: &Reading) -> Vec<&'a Wish> {
    let mut fitting: Vec<&Wish> = wishes
        .iter()
        .filter(|wish| wish.scope.fits(reading))
        .collect();
    fitting.sort_by_key(|wish| wish.scope.narrowness());
    fitting
}

impl Style {
    pub fn take(&mut self, what: &What) {
        match what {
            What::Greeting(greeting) => self.greeting = Some(greeting.clone()),
            What::SignOff(closing) => self.sign_off = Some(closing.clone()),
            What::SignAs(name) => self.sign_as = Some(name.clone()),
            What::Short => self.short = true,
            What::Tone(tone) => self.tone = Some(*tone),
            What::Always(_, act) => self.acts.push(act.clone()),
            _ => {}
        }
    }
}

/// The wishes of one line, which may be an item of a list, or the first of what a search
/// found: `1. (0.52) - Meetings take 30 minutes.`
pub(super) fn of_line(book: &Book, kind: Kind, line: &str) -> Vec<Wish> {
    let is_mark = |c: char| matches!(c, '-' | '*' | '•' | '–') || c.is_whitespace();
    let mut line = line.trim_start_matches(is_mark).trim_end();
    if let Some((number, rest)) = line.split_once(". (")
        && let Some((score, rest)) = rest.split_once(") ")
        && number.bytes().all(|b| b.is_ascii_digit())
        && score.parse::<f32>().is_ok()
    {
        line = rest.trim_start_matches(is_mark);
    }
    if line.is_empty() {
        return Vec::new();
    }
    let said = match kind {
        Kind::Triage => wish::triage(book, line),
        Kind::Response => wish::style(book, line),
        Kind::Cal => wish::meeting(book, line, Use::Profile),
    };
    // In a profile, "this sender" is nobody.
    said.into_iter()
        .filter(|said| !said.here)
        .map(|said| said.wish)
        .collect()
}

/// The text between `<tag>` and the next `</tag>`.
pub(super) fn block<'a>(text: &'a str, tag: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(&format!("<{tag}>"))?;
    let (inside, _) = rest.split_once(&format!("</{tag}>"))?;
    Some(inside)
}
