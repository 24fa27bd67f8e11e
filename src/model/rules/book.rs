//! The rules as data: read from the two YAML files once, compiled, and never changed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use serde::Deserialize;

use super::phrases::{BadPhrase, Builder, Phrases};
use super::rulebook::Replacements;
use crate::email::Triage;

/// Points for each decision.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Points {
    pub ignore: f64,
    pub notify: f64,
    pub respond: f64,
}

impl Points {
    pub fn of(&self, triage: Triage) -> f64 {
        match triage {
            Triage::Ignore => self.ignore,
            Triage::Notify => self.notify,
            Triage::Respond => self.respond,
        }
    }

    pub fn add(&mut self, more: &Points) {
        self.ignore += more.ignore;
        self.notify += more.notify;
        self.respond += more.respond;
    }
}

/// A part of the email in which cues are searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Part {
    From,
    To,
    Subject,
    New,
    Signature,
    Footer,
    Quoted,
    Hidden,
}

/// What code relies on a cue for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum CueRole {
    MachineSender,
    BulkSender,
    Cold,
    Phishing,
    Attack,
    Request,
    Meeting,
    SetUp,
    Deadline,
    Urgent,
    Close,
    Informal,
    SomeoneElse,
    GroupAddress,
    /// The paragraph is legal text or manages a subscription.
    Footer,
    /// The sender arranges what a set-up cue speaks of.
    OwnPart,
    HouseProperty,
    /// Asks for something that only the reader knows.
    OnlyReader,
}

/// What a phrase in a person's own words stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum WishCue {
    Ignore,
    Notify,
    Respond,
    From,
    With,
    ToWhom,
    /// The sender of the email in question, or mail like it.
    SenderHere,
    Team,
    About,
    /// Ends what is said of a sender or topic.
    When,
    /// Ends the topic of a meeting.
    Takes,
    Meeting,
    NotBefore,
    NotAfter,
    OrLater,
    Before,
    AtMost,
    Afternoon,
    Morning,
    NotOn,
    Always,
    Instead,
    Greet,
    GreetingWord,
    SignOff,
    SignAs,
    ClosingWord,
    Short,
    Formal,
    Casual,
    Mention,
    Tell,
    Thank,
    Sorry,
    Ask,
    Decline,
    Agree,
    Propose,
    LeaveOut,
    DecideYourself,
}

impl WishCue {
    pub const ALL: [WishCue; 40] = [
        WishCue::Ignore,
        WishCue::Notify,
        WishCue::Respond,
        WishCue::From,
        WishCue::With,
        WishCue::ToWhom,
        WishCue::SenderHere,
        WishCue::Team,
        WishCue::About,
        WishCue::When,
        WishCue::Takes,
        WishCue::Meeting,
        WishCue::NotBefore,
        WishCue::NotAfter,
        WishCue::OrLater,
        WishCue::Before,
        WishCue::AtMost,
        WishCue::Afternoon,
        WishCue::Morning,
        WishCue::NotOn,
        WishCue::Always,
        WishCue::Instead,
        WishCue::Greet,
        WishCue::GreetingWord,
        WishCue::SignOff,
        WishCue::SignAs,
        WishCue::ClosingWord,
        WishCue::Short,
        WishCue::Formal,
        WishCue::Casual,
        WishCue::Mention,
        WishCue::Tell,
        WishCue::Thank,
        WishCue::Sorry,
        WishCue::Ask,
        WishCue::Decline,
        WishCue::Agree,
        WishCue::Propose,
        WishCue::LeaveOut,
        WishCue::DecideYourself,
    ];
}

/// What code finds by looking at more than words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Fact {
    Question,
    Questions,
    Person,
    Organisation,
    Machine,
    Bulk,
    Colleague,
    Group,
    ByName,
    OtherPerson,
    Answered,
    Links,
    LookAlike,
    Steered,
    NothingLeft,
    HouseAttacked,
    ForwardedBare,
}

impl Fact {
    pub const ALL: [Fact; 17] = [
        Fact::Question,
        Fact::Questions,
        Fact::Person,
        Fact::Organisation,
        Fact::Machine,
        Fact::Bulk,
        Fact::Colleague,
        Fact::Group,
        Fact::ByName,
        Fact::OtherPerson,
        Fact::Answered,
        Fact::Links,
        Fact::LookAlike,
        Fact::Steered,
        Fact::NothingLeft,
        Fact::HouseAttacked,
        Fact::ForwardedBare,
    ];
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FactRule {
    pub says: String,
    pub points: Points,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Cue {
    name: String,
    pub says: String,
    #[serde(rename = "in", default = "subject_and_new")]
    parts: Vec<Part>,
    #[serde(default)]
    pub role: Option<CueRole>,
    #[serde(default)]
    pub points: Points,
    #[serde(default)]
    phrases: Vec<String>,
}

impl Cue {
    pub fn is_searched_in(&self, part: Part) -> bool {
        self.parts.contains(&part)
    }
}

fn subject_and_new() -> Vec<Part> {
    vec![Part::Subject, Part::New]
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleFile {
    bias: Points,
    damping: f64,
    facts: BTreeMap<Fact, FactRule>,
    cues: Vec<Cue>,
    wishes: BTreeMap<WishCue, Vec<String>>,
    roles: Vec<String>,
}

/// What a word of a language says about days and times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// 1 is Monday.
    Weekday(i8),
    Month(i8),
    /// A number from 1 to 12, as a word.
    Number(i8),
    Today,
    Tomorrow,
    Overmorrow,
    Next,
    NextWeek,
    /// What follows is a limit.
    By,
    /// What follows is excluded.
    Except,
    Past,
    /// What follows is a time of day.
    At,
    /// What precedes is a time of day.
    Clock,
    Morning,
    Evening,
    Noon,
    Minute,
    Hour,
    /// A length in minutes.
    Span(u16),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct LanguageFile {
    common: Vec<String>,
    weekdays: Vec<String>,
    months: Vec<String>,
    numbers: Vec<String>,
    today: Vec<String>,
    tomorrow: Vec<String>,
    overmorrow: Vec<String>,
    next: Vec<String>,
    next_week: Vec<String>,
    by: Vec<String>,
    except: Vec<String>,
    past: Vec<String>,
    at: Vec<String>,
    clock: Vec<String>,
    morning: Vec<String>,
    evening: Vec<String>,
    noon: Vec<String>,
    minute: Vec<String>,
    hour: Vec<String>,
    spans: BTreeMap<u16, Vec<String>>,
    reply: Wording,
}

/// The sentences that replies are made of, with blanks such as `{day}`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wording {
    pub day: String,
    pub greeting: String,
    pub greeting_plain: String,
    pub thanks: String,
    pub asked: String,
    pub asked_list: String,
    pub answer_all: String,
    pub noted: String,
    pub deadline: String,
    pub works: String,
    pub taken: String,
    pub offer: String,
    pub none: String,
    pub booked: String,
    pub slot: String,
    pub or: String,
    pub today: String,
    pub soon: String,
    pub sign_off: String,
    pub greeting_formal: String,
    pub answered: String,
    pub also: String,
    pub thank: String,
    pub thank_for: String,
    pub sorry: String,
    pub sorry_for: String,
    pub tell_me: String,
    pub send_me: String,
    pub agree: String,
    pub decline: String,
}

#[derive(Clone, Debug)]
pub(super) struct Language {
    pub weekdays: Vec<String>,
    pub months: Vec<String>,
    pub reply: Wording,
}

/// What a phrase found in a text stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Payload {
    /// Index into [`Book::cues`].
    Cue(u16),
    /// A word that gives the language away: index into [`Book::languages`].
    Common(u8),
    /// A word about time in the language.
    Time(u8, Meaning),
}

pub(super) struct Book {
    pub bias: Points,
    pub damping: f64,
    pub facts: BTreeMap<Fact, FactRule>,
    pub cues: Vec<Cue>,
    /// The first is the one to fall back on.
    pub languages: Vec<Language>,
    /// Phrases searched in From and To.
    pub header: Phrases,
    /// Phrases searched in all other parts.
    pub text: Phrases,
    pub payloads: Vec<Payload>,
    /// Phrases of a person's own words; a payload is an index into [`WishCue::ALL`].
    pub wishes: Phrases,
    /// Words that name somebody's work.
    pub roles: Phrases,
}

/// Why the embedded files could not be read: a defect of theirs, which a test meets.
#[derive(Debug, thiserror::Error)]
pub(super) enum BookError {
    #[error("{file} cannot be parsed: {reason}")]
    Parse { file: &'static str, reason: String },
    #[error("rules.yaml has no fact `{0:?}`")]
    MissingFact(Fact),
    #[error("rules.yaml has no wish `{0:?}`")]
    MissingWish(WishCue),
    #[error("there are two cues `{0}`")]
    Duplicate(String),
    #[error(transparent)]
    Phrase(#[from] BadPhrase),
    #[error("language `{0}` must name seven weekdays, twelve months, and twelve numbers")]
    Calendar(String),
    #[error("language `{0}` is not known to the code")]
    Language(String),
}

const RULES: &str = include_str!("rules.yaml");
const LANGUAGE_RULES: &str = include_str!("languages.yaml");

/// The languages of languages.yaml, the one to fall back on first.
const LANGUAGES: [&str; 8] = ["en", "de", "fr", "es", "pt", "it", "nl", "ja"];

/// The compiled rules, made on first use.
pub(super) fn book() -> &'static Book {
    static BOOK: OnceLock<Book> = OnceLock::new();
    BOOK.get_or_init(|| {
        Book::read(RULES, LANGUAGE_RULES)
            .unwrap_or_else(|error| panic!("the embedded rules are sound: {error}"))
    })
}

impl Book {
    fn read(rules: &str, languages: &str) -> Result<Book, BookError> {
        Book::of(parse("rules.yaml", rules)?, languages)
    }

    /// The embedded rules with those of a file in their place.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub fn replaced(text: &str) -> Result<Book, BookError> {
        let mut rules: RuleFile = parse("rules.yaml", RULES)?;
        let replacements: Replacements = parse("the file", text)?;
        rules.bias = replacements.bias.unwrap_or(rules.bias);
        rules.damping = replacements.damping.unwrap_or(rules.damping);
        rules.facts.extend(replacements.facts);
        let mut names = BTreeSet::new();
        for cue in replacements.cues {
            if !names.insert(cue.name.clone()) {
                return Err(BookError::Duplicate(cue.name));
            }
            match rules.cues.iter_mut().find(|known| known.name == cue.name) {
                Some(known) => *known = cue,
                None => rules.cues.push(cue),
            }
        }
        Book::of(rules, LANGUAGE_RULES)
    }

    fn of(rules: RuleFile, languages: &str) -> Result<Book, BookError> {
        let files: BTreeMap<String, LanguageFile> = parse("languages.yaml", languages)?;
        if let Some(missing) = Fact::ALL.into_iter().find(|f| !rules.facts.contains_key(f)) {
            return Err(BookError::MissingFact(missing));
        }
        let mut names = BTreeSet::new();
        if let Some(twice) = rules.cues.iter().find(|cue| !names.insert(&cue.name)) {
            return Err(BookError::Duplicate(twice.name.clone()));
        }
        let mut wishes = Builder::default();
        for (number, cue) in (0..).zip(WishCue::ALL) {
            let phrases = rules.wishes.get(&cue).ok_or(BookError::MissingWish(cue))?;
            for phrase in phrases {
                wishes.add(phrase, number)?;
            }
        }
        let mut roles = Builder::default();
        for phrase in &rules.roles {
            roles.add(phrase, 0)?;
        }
        let mut payloads = Vec::new();
        let mut header = Builder::default();
        let mut text = Builder::default();
        for (index, cue) in rules.cues.iter().enumerate() {
            let payload = payloads.len() as u32;
            payloads.push(Payload::Cue(index as u16));
            let of_header = |part: &Part| matches!(part, Part::From | Part::To);
            for phrase in &cue.phrases {
                if cue.parts.iter().any(of_header) {
                    header.add(phrase, payload)?;
                }
                if !cue.parts.iter().all(of_header) {
                    text.add(phrase, payload)?;
                }
            }
        }
        if let Some(unknown) = files
            .keys()
            .find(|code| !LANGUAGES.contains(&code.as_str()))
        {
            return Err(BookError::Language(unknown.clone()));
        }
        let mut spoken = Vec::new();
        for code in LANGUAGES {
            let Some(file) = files.get(code) else {
                return Err(BookError::Language(code.to_owned()));
            };
            if file.weekdays.len() != 7 || file.months.len() != 12 || file.numbers.len() != 12 {
                return Err(BookError::Calendar(code.to_owned()));
            }
            let language = spoken.len() as u8;
            add_language(language, file, &mut text, &mut payloads)?;
            let shown = |names: &[String]| {
                let first = |name: &String| name.split('|').next().unwrap_or_default().to_owned();
                names.iter().map(first).collect()
            };
            spoken.push(Language {
                weekdays: shown(&file.weekdays),
                months: shown(&file.months),
                reply: file.reply.clone(),
            });
        }
        Ok(Book {
            bias: rules.bias,
            damping: rules.damping,
            facts: rules.facts,
            cues: rules.cues,
            languages: spoken,
            header: header.build(),
            text: text.build(),
            payloads,
            wishes: wishes.build(),
            roles: roles.build(),
        })
    }
}

fn add_language(
    language: u8,
    file: &LanguageFile,
    text: &mut Builder,
    payloads: &mut Vec<Payload>,
) -> Result<(), BadPhrase> {
    let mut add = |payload: Payload, phrases: &[String]| {
        let number = payloads.len() as u32;
        payloads.push(payload);
        for phrase in phrases.iter().flat_map(|phrases| phrases.split('|')) {
            text.add(phrase, number)?;
        }
        Ok(())
    };
    add(Payload::Common(language), &file.common)?;
    let mut time = |meaning, phrases: &[String]| add(Payload::Time(language, meaning), phrases);
    for (number, names) in (1..).zip(&file.weekdays) {
        time(Meaning::Weekday(number), std::slice::from_ref(names))?;
    }
    for (number, names) in (1..).zip(&file.months) {
        time(Meaning::Month(number), std::slice::from_ref(names))?;
    }
    for (number, names) in (1..).zip(&file.numbers) {
        time(Meaning::Number(number), std::slice::from_ref(names))?;
    }
    time(Meaning::Today, &file.today)?;
    time(Meaning::Tomorrow, &file.tomorrow)?;
    time(Meaning::Overmorrow, &file.overmorrow)?;
    time(Meaning::Next, &file.next)?;
    time(Meaning::NextWeek, &file.next_week)?;
    time(Meaning::By, &file.by)?;
    time(Meaning::Except, &file.except)?;
    time(Meaning::Past, &file.past)?;
    time(Meaning::At, &file.at)?;
    time(Meaning::Clock, &file.clock)?;
    time(Meaning::Morning, &file.morning)?;
    time(Meaning::Evening, &file.evening)?;
    time(Meaning::Noon, &file.noon)?;
    time(Meaning::Minute, &file.minute)?;
    time(Meaning::Hour, &file.hour)?;
    for (minutes, phrases) in &file.spans {
        time(Meaning::Span(*minutes), phrases)?;
    }
    Ok(())
}

fn parse<T: serde::de::DeserializeOwned>(file: &'static str, text: &str) -> Result<T, BookError> {
    // Phrases such as `no` and `on` are words here, not booleans.
    let options = serde_yaml::options! { strict_booleans: true };
    serde_yaml::from_str_with_options(text, options).map_err(|error| BookError::Parse {
        file,
        reason: error.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_rules_are_sound() {
        let book = Book::read(include_str!("rules.yaml"), include_str!("languages.yaml")).unwrap();
        for cue in &book.cues {
            assert!(!cue.phrases.is_empty(), "{} looks for nothing", cue.name);
            let has_points = Triage::ALL.iter().any(|label| cue.points.of(*label) != 0.0);
            assert!(
                has_points || cue.role.is_some(),
                "{} changes nothing",
                cue.name
            );
        }
        for cue in book
            .cues
            .iter()
            .map(|cue| &cue.points)
            .chain(book.facts.values().map(|fact| &fact.points))
        {
            for label in Triage::ALL {
                let points = cue.of(label);
                assert_eq!(
                    (points * 4.0).fract(),
                    0.0,
                    "points are in quarters: {points}"
                );
                assert!(points.abs() <= 4.0);
            }
        }
    }

    #[test]
    fn a_mistake_in_the_rules_is_named() {
        let languages = include_str!("languages.yaml");
        let error = |rules: &str| Book::read(rules, languages).err().unwrap().to_string();
        assert!(
            error("bias: {}\ndamping: 1\nfacts: {}\ncues: []\nwishes: {}\nroles: []")
                .contains("Question")
        );
        let rules = include_str!("rules.yaml")
            .replace("phrases:\n      - no reply\n", "phrases:\n      - \"_\"\n");
        assert!(error(&rules).contains("could match without any word"));
    }
}
