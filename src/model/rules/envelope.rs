//! The header of an email, as prompts show it: who wrote, to whom, when.

use jiff::civil::Date;

use super::text::{fold, is_address};

/// The email inside of a user message, in the form of [`crate::email::Email::to_prompt`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Envelope<'a> {
    pub subject: &'a str,
    pub from: &'a str,
    pub to: &'a str,
    pub date: Option<Date>,
    pub body: &'a str,
}

/// Finds the email in a message; `None` where no subject line is.
pub(super) fn find(message: &str) -> Option<Envelope<'_>> {
    const SUBJECT: &str = "**Subject**:";
    let start = if message.starts_with(SUBJECT) {
        0
    } else {
        message.find("\n**Subject**:")? + 1
    };
    let mut envelope = Envelope::default();
    let mut rest = &message[start..];
    // The header ends at the first blank line; what the body says about itself is text.
    while !rest.is_empty() {
        let (line, after) = rest.split_once('\n').unwrap_or((rest, ""));
        rest = after;
        if line.trim().is_empty() {
            break;
        }
        let field = |name: &str| line.strip_prefix(name).map(str::trim);
        if let Some(subject) = field(SUBJECT) {
            envelope.subject = subject;
        } else if let Some(from) = field("**From**:") {
            envelope.from = from;
        } else if let Some(to) = field("**To**:") {
            envelope.to = to;
        } else if let Some(date) = field("**Date**:") {
            envelope.date = date.parse().ok();
        }
    }
    envelope.body = rest;
    Some(envelope)
}

/// The first ISO date in `text`: the day a system prompt calls today.
pub(super) fn iso_date(text: &str) -> Option<Date> {
    let is_date_char = |c: char| c.is_ascii_digit() || c == '-';
    text.split(|c| !is_date_char(c))
        .filter(|run| run.len() == 10)
        .find_map(|run| run.parse().ok())
}

/// One sender or recipient.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Mailbox {
    /// As shown, without quotes; may be empty.
    pub name: String,
    /// Empty where there is none.
    pub address: String,
}

impl Mailbox {
    /// `Ana Ruiz <ana@b.example>`, `ana@b.example`, or a bare name.
    pub fn parse(text: &str) -> Mailbox {
        let text = text.trim();
        if let Some((name, rest)) = text.rsplit_once('<') {
            let address = rest.split('>').next().unwrap_or_default().trim();
            if is_address(address) {
                return Mailbox {
                    name: name.trim().trim_matches(['"', '\'']).trim().to_owned(),
                    address: address.to_owned(),
                };
            }
        }
        if is_address(text) {
            return Mailbox {
                name: String::new(),
                address: text.to_owned(),
            };
        }
        Mailbox {
            name: text.to_owned(),
            address: String::new(),
        }
    }

    /// The recipients of a header line. `Wessel, Jannik <…>` is one.
    pub fn parse_list(text: &str) -> Vec<Mailbox> {
        let mut mailboxes = Vec::new();
        let mut open = String::new();
        for part in text.split_inclusive([',', ';']).take(200) {
            open.push_str(part);
            let whole = open.trim_end_matches([',', ';']).trim();
            if whole.ends_with('>') || is_address(whole) || part.ends_with(';') {
                mailboxes.push(Mailbox::parse(whole));
                open.clear();
            }
        }
        let rest = open.trim_end_matches([',', ';']).trim();
        if !rest.is_empty() {
            mailboxes.push(Mailbox::parse(rest));
        }
        mailboxes
    }

    pub fn domain(&self) -> &str {
        self.address
            .rsplit_once('@')
            .map_or("", |(_, domain)| domain)
    }

    /// The last two labels of the domain, in lower case.
    pub fn house(&self) -> String {
        let domain = self.domain().to_ascii_lowercase();
        let labels: Vec<&str> = domain.rsplitn(3, '.').take(2).collect();
        labels.into_iter().rev().collect::<Vec<_>>().join(".")
    }

    fn local(&self) -> &str {
        self.address.rsplit_once('@').map_or("", |(local, _)| local)
    }

    /// Whether it is an address of one word, with no other name beside it.
    pub fn is_bare_word(&self) -> bool {
        let local = self.local();
        (self.name.is_empty() || self.name.eq_ignore_ascii_case(local))
            && !local.is_empty()
            && local.chars().all(char::is_alphabetic)
    }

    /// Whether it names a person rather than a team or a machine: the name and the
    /// address share a word, as those of people do.
    pub fn is_person(&self) -> bool {
        let mut local = String::new();
        fold(self.local(), &mut local);
        if self.name.is_empty() {
            let mut words = local.split('.');
            return match (words.next(), words.next(), words.next()) {
                (Some(first), Some(last), None) => {
                    first.chars().all(char::is_alphabetic)
                        && last.chars().all(|c| c.is_alphabetic() || c == '-')
                        && !last.is_empty()
                }
                _ => false,
            };
        }
        let words: Vec<&str> = self
            .name
            .split([' ', ','])
            .filter(|word| !word.is_empty())
            .collect();
        if words.len() < 2 || words.len() > 5 || self.name.chars().any(|c| c.is_ascii_digit()) {
            return false;
        }
        // Names in other scripts cannot be compared with an address.
        if !self.name.chars().any(|c| c.is_ascii_alphabetic()) {
            return true;
        }
        words.iter().any(|word| {
            let mut folded = String::new();
            fold(word.trim_matches('.'), &mut folded);
            folded.len() > 2
                && local.split(['.', '-', '_', '+']).any(|part| {
                    part.len() > 1 && (part.contains(folded.as_str()) || folded.starts_with(part))
                })
        })
    }

    /// Given name and family name, as far as they can be told apart; for greetings, so
    /// only what looks like names.
    pub fn names(&self) -> (String, String) {
        let from_address = self.local().replace(['.', '_'], " ");
        let shown = if self.name.is_empty() && self.is_person() {
            &from_address
        } else {
            &self.name
        };
        let (family, given) = match shown.split_once(',') {
            Some((family, given)) => (family.trim(), given.trim()),
            None => match shown.trim().split_once(' ') {
                Some((given, family)) => (family.trim(), given.trim()),
                None => ("", shown.trim()),
            },
        };
        let given = given.split_whitespace().next().unwrap_or_default();
        let family = family.split_whitespace().next_back().unwrap_or_default();
        let (given, family) = match given.chars().next() {
            // Chinese and Japanese names begin with the family's, which is the polite one.
            Some('\u{3040}'..='\u{9fff}') => (given, given),
            _ => (given, family),
        };
        (name_like(given), name_like(family))
    }
}

/// The word with a capital, or nothing where it does not look like a name.
fn name_like(word: &str) -> String {
    let fits = word.chars().count() <= 24
        && word
            .chars()
            .all(|c| c.is_alphabetic() || matches!(c, '-' | '\'' | '’' | '.'));
    let mut chars = word.chars();
    match chars.next() {
        Some(first) if fits => first.to_uppercase().chain(chars).collect(),
        _ => String::new(),
    }
}

/// The subject without the marks of answers and forwards, on one line, at most 150 characters.
pub(super) fn bare_subject(subject: &str) -> String {
    let mut bare = subject.trim();
    'marks: loop {
        for mark in [
            "re:", "aw:", "fw:", "fwd:", "wg:", "sv:", "antw:", "tr:", "rv:", "res:", "enc:", "r:",
            "ré:", "odp:",
        ] {
            let Some(head) = bare.get(..mark.len()) else {
                continue;
            };
            if head.to_lowercase() == mark {
                bare = bare[mark.len()..].trim_start();
                continue 'marks;
            }
        }
        break;
    }
    bare.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(150)
        .collect()
}

/// What the domain of an address calls its house: `Northwind` of `ana@northwind.example`;
/// `None` for those that anybody may have an address of.
pub(super) fn house_name(mailbox: &Mailbox) -> Option<String> {
    const ANYBODYS: [&str; 18] = [
        "gmail",
        "googlemail",
        "outlook",
        "hotmail",
        "live",
        "yahoo",
        "icloud",
        "me",
        "gmx",
        "web",
        "aol",
        "proton",
        "protonmail",
        "fastmail",
        "mail",
        "posteo",
        "mailbox",
        "home",
    ];
    let house = mailbox.house();
    let label = house.split('.').next().filter(|label| !label.is_empty())?;
    if ANYBODYS.contains(&label) || label.chars().count() > 40 {
        return None;
    }
    let words: Vec<String> = label
        .split('-')
        .map(name_like)
        .filter(|word| !word.is_empty())
        .collect();
    (!words.is_empty()).then(|| words.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::email::Email;

    #[test]
    fn an_email_is_found_again_in_its_prompt() {
        let email = Email {
            from: "Ana Ruiz <ana@b.example>".into(),
            to: "Sam Lee <sam@a.example>".into(),
            subject: "Invoice".into(),
            body: "**From**: nobody\n\nHi".into(),
            date: Some("2026-03-02".parse().unwrap()),
        };
        let prompt = format!("Do something.\n\n{}", email.to_prompt());
        let found = find(&prompt).unwrap();
        assert_eq!(
            found,
            Envelope {
                subject: "Invoice",
                from: "Ana Ruiz <ana@b.example>",
                to: "Sam Lee <sam@a.example>",
                date: email.date,
                body: "**From**: nobody\n\nHi\n",
            }
        );
        assert_eq!(find("no email here"), None);
    }

    #[test]
    fn mailboxes_are_read_as_headers_write_them() {
        for (text, name, address, given, family, person) in [
            (
                "Ana Ruiz <ana@b.example>",
                "Ana Ruiz",
                "ana@b.example",
                "Ana",
                "Ruiz",
                true,
            ),
            (
                "\"Wessel, Jannik\" <j.wessel@b.example>",
                "Wessel, Jannik",
                "j.wessel@b.example",
                "Jannik",
                "Wessel",
                true,
            ),
            (
                "sam.lee@a.example",
                "",
                "sam.lee@a.example",
                "Sam",
                "Lee",
                true,
            ),
            (
                "佐藤 健二 <k.sato@b.example>",
                "佐藤 健二",
                "k.sato@b.example",
                "佐藤",
                "佐藤",
                true,
            ),
            (
                "Acme Billing <billing@acme.example>",
                "Acme Billing",
                "billing@acme.example",
                "Acme",
                "Billing",
                true,
            ),
            (
                "Builds <ci@acme.example>",
                "Builds",
                "ci@acme.example",
                "Builds",
                "",
                false,
            ),
            (
                "team-all@acme.example",
                "",
                "team-all@acme.example",
                "",
                "",
                false,
            ),
            (
                "Parents and carers",
                "Parents and carers",
                "",
                "Parents",
                "Carers",
                false,
            ),
            ("<script>", "<script>", "", "", "", false),
        ] {
            let mailbox = Mailbox::parse(text);
            assert_eq!(
                (mailbox.name.as_str(), mailbox.address.as_str()),
                (name, address),
                "{text}"
            );
            assert_eq!(
                mailbox.names(),
                (given.to_owned(), family.to_owned()),
                "{text}"
            );
            assert_eq!(mailbox.is_person(), person, "{text}");
        }
        for (text, bare) in [
            ("sam@acme.example", true),
            ("Sam <sam@acme.example>", true),
            ("Sam Lee <sam@acme.example>", false),
            ("sam.lee@acme.example", false),
            ("team-4@acme.example", false),
        ] {
            assert_eq!(Mailbox::parse(text).is_bare_word(), bare, "{text}");
        }
        let list =
            Mailbox::parse_list("Wessel, Jannik <j@b.example>, sam@a.example; Ines <i@c.example>");
        let addresses: Vec<_> = list
            .iter()
            .map(|mailbox| mailbox.address.as_str())
            .collect();
        assert_eq!(addresses, ["j@b.example", "sam@a.example", "i@c.example"]);
        assert_eq!(Mailbox::parse("x <a@mail.b.example>").house(), "b.example");
    }

    #[test]
    fn subjects_lose_their_marks() {
        for (subject, bare) in [
            ("Re: AW: Fwd: Plan", "Plan"),
            ("Regarding: x", "Regarding: x"),
            ("re:", ""),
            ("é", "é"),
        ] {
            assert_eq!(bare_subject(subject), bare);
        }
    }

    #[test]
    fn today_is_the_first_iso_date() {
        let date = iso_date("# Today\nTuesday, 3 March 2026 (2026-03-03), 2026-13-01");
        assert_eq!(date, Some("2026-03-03".parse().unwrap()));
        assert_eq!(iso_date("no 2026-3-3 date"), None);
    }
}
