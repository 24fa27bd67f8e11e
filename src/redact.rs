//! The one redactor: everything that is written passes it.
//!
//! It knows the secrets of this process by value (see [`secrets_among`]) and the shapes of
//! well-known credentials. What it finds becomes [`MARKER`]; what it does not find is
//! returned as it came, without a copy.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::sync::LazyLock;

use regex::{Regex, RegexBuilder};

/// What stands in the place of a secret.
pub const MARKER: &str = "[redacted]";

/// A value shorter than this is no credential worth the damage of hiding every mention.
const SHORTEST: usize = 8;

/// Lower-case words up to this length (`disabled`, `postgres`) are settings, not secrets;
/// hiding them would hide parts of ordinary text, and the words our formats are made of.
const LONGEST_WORD: usize = 23;

/// Credentials by their shape, where the whole match is the secret. None matches across a
/// quote, a backslash, or a space, so that each is the same inside JSON text.
const SHAPES: [&str; 12] = [
    r"sk-[A-Za-z0-9_-]{16,}",
    r"lsv2_[A-Za-z0-9_-]{16,}",
    r"ls__[A-Za-z0-9]{16,}",
    r"gh[oprsu]_[A-Za-z0-9]{20,}",
    r"github_pat_[A-Za-z0-9_]{20,}",
    r"glpat-[A-Za-z0-9_-]{16,}",
    r"AIza[A-Za-z0-9_-]{30,}",
    r"xox[abeoprs]-[A-Za-z0-9-]{10,}",
    r"A(?:KI|SI)A[A-Z0-9]{16}",
    r"(?:gsk|hf)_[A-Za-z0-9]{20,}",
    r"xai-[A-Za-z0-9]{20,}",
    // A JSON web token: two base64 objects and a signature.
    r"eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*",
];

/// Credentials known by what they stand behind; the group is the secret.
const CARRIED: [&str; 2] = [
    r"(?:[Bb]earer|BEARER|[Bb]asic) +([A-Za-z0-9._~+/=-]{16,})",
    // The user information of an address; `:` and `@` in a password stand percent-encoded.
    r"://[A-Za-z0-9._~%!$&'()*+,;=-]*:([A-Za-z0-9._~%!$&'()*+,;=:-]+)@",
];

const PRIVATE_KEY: &str = r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----";
const PRIVATE_KEY_END: &str = r"(?s:.*?)(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|\z)";

/// Matches wherever anything but a known secret may, in plain text and in JSON.
static SUSPICION: LazyLock<Regex> = LazyLock::new(|| {
    let all = SHAPES.iter().chain(&CARRIED).chain([&PRIVATE_KEY]);
    regex(&all.copied().collect::<Vec<_>>().join("|"))
});

/// What finds them exactly. It is made once, as [`SUSPICION`] is, and only where there is one:
/// that takes longer than to redact most of what is written.
static SUSPECTS: LazyLock<Suspects> = LazyLock::new(|| Suspects {
    shapes: regex(&SHAPES.join("|")),
    carried: CARRIED.map(regex),
    private_key: regex(&format!("{PRIVATE_KEY}{PRIVATE_KEY_END}")),
});

struct Suspects {
    shapes: Regex,
    carried: [Regex; 2],
    private_key: Regex,
}

/// Finds secrets in text and takes them out.
pub struct Redactor {
    /// The known secrets, plain and as they stand in JSON text; longest first.
    known: Option<Regex>,
}

impl fmt::Debug for Redactor {
    /// Says nothing of what it knows.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redactor").finish_non_exhaustive()
    }
}

/// The values of environment variables whose names say that they are secret:
/// `*_API_KEY`, `*_ACCESS_KEY`, `*_TOKEN`, `*_SECRET`, `*_PASSWORD`.
pub fn secrets_among(variables: impl IntoIterator<Item = (String, String)>) -> Vec<String> {
    const ENDINGS: [&str; 5] = ["_API_KEY", "_ACCESS_KEY", "_TOKEN", "_SECRET", "_PASSWORD"];
    variables
        .into_iter()
        .filter(|(name, _)| {
            let name = name.to_ascii_uppercase();
            ENDINGS.iter().any(|ending| name.ends_with(ending))
        })
        .map(|(_, value)| value)
        .collect()
}

impl Redactor {
    /// `secrets` are the values to hide beside the known shapes. Values of fewer than 8
    /// bytes, and lower-case words of fewer than 24, are not taken for secrets.
    pub fn new(secrets: impl IntoIterator<Item = String>) -> Redactor {
        let mut known: Vec<String> = Vec::new();
        for secret in secrets {
            let secret = secret.trim();
            if is_credible(secret) {
                let quoted = in_json(secret);
                // Arguments that a model wrote as JSON stand in our JSON once more.
                known.push(in_json(&quoted));
                known.push(quoted);
                known.push(secret.to_owned());
            }
        }
        known.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        known.dedup();
        let known: Vec<String> = known.iter().map(|secret| regex::escape(secret)).collect();
        LazyLock::force(&SUSPICION);
        Redactor {
            known: (!known.is_empty()).then(|| regex(&known.join("|"))),
        }
    }

    /// Whether there may be a secret.
    fn suspects(&self, text: &str) -> bool {
        self.known.as_ref().is_some_and(|it| it.is_match(text)) || SUSPICION.is_match(text)
    }

    /// Plain text without its secrets. Redacting twice changes nothing more.
    pub fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if !self.suspects(text) {
            return Cow::Borrowed(text);
        }
        let mut redacted = Cow::Borrowed(text);
        // Hiding one secret can lay bare the edge of the next. Each round hides something
        // of the text as it was, so the rounds end; the bound is for secrets that were made
        // to look like the marker.
        for _ in 0..8 {
            let secrets = self.find(&redacted);
            if secrets.is_empty() {
                break;
            }
            redacted = Cow::Owned(replace(&redacted, &secrets));
        }
        redacted
    }

    /// A JSON text without its secrets: the same text outside the strings that hold one, so
    /// that it stays JSON whatever a secret is made of.
    pub fn json<'a>(&self, json: &'a str) -> Cow<'a, str> {
        if !self.suspects(json) {
            return Cow::Borrowed(json);
        }
        let mut redacted: Option<String> = None;
        let mut copied = 0;
        for token in string_tokens(json) {
            let source = &json[token.clone()];
            if !self.suspects(source) {
                continue;
            }
            let string: String = match serde_json::from_str(source) {
                Ok(string) => string,
                // Not JSON after all: hide what can be found, there is no form to keep.
                Err(_) => return self.text(json),
            };
            if let Cow::Owned(string) = self.text(&string) {
                let out = redacted.get_or_insert_default();
                out.push_str(&json[copied..token.start]);
                out.push_str(&serde_json::to_string(&string).expect("a string is JSON"));
                copied = token.end;
            }
        }
        match redacted {
            None => Cow::Borrowed(json),
            Some(mut out) => {
                out.push_str(&json[copied..]);
                Cow::Owned(out)
            }
        }
    }

    /// Where secrets stand, unordered and possibly overlapping.
    fn find(&self, text: &str) -> Vec<Range<usize>> {
        let Suspects {
            shapes,
            carried,
            private_key,
        } = &*SUSPECTS;
        let mut found: Vec<Range<usize>> = Vec::new();
        found.extend(private_key.find_iter(text).map(|m| m.range()));
        if let Some(known) = &self.known {
            // From each start anew: secrets may overlap.
            let mut from = 0;
            while let Some(secret) = known.find_at(text, from) {
                found.push(secret.range());
                from = next_char(text, secret.start());
            }
        }
        let mut from = 0;
        while let Some(shape) = shapes.find_at(text, from) {
            if starts_word(text, shape.start()) {
                found.push(shape.range());
                from = shape.end();
            } else {
                from = next_char(text, shape.start());
            }
        }
        for carried in carried {
            for captures in carried.captures_iter(text) {
                let secret = captures.get(1).expect("the group is in every match");
                // `bearer responsibilities` is prose; every real token has a digit.
                let is_password = captures[0].starts_with("://");
                let has_digit = secret.as_str().contains(|c: char| c.is_ascii_digit());
                if is_password || has_digit {
                    found.push(secret.range());
                }
            }
        }
        found
    }
}

fn regex(pattern: &str) -> Regex {
    RegexBuilder::new(pattern)
        // A certificate in the environment makes a long pattern, never a wrong one.
        .size_limit(1 << 30)
        .build()
        .expect("shapes are constants and secrets are escaped")
}

fn is_credible(secret: &str) -> bool {
    let word = |c: char| c.is_ascii_lowercase() || "_-.".contains(c);
    secret.len() >= SHORTEST
        && !(secret.len() <= LONGEST_WORD && secret.chars().all(word))
        && !MARKER.contains(secret)
}

/// The text as it stands between the quotes of a JSON string.
fn in_json(text: &str) -> String {
    let quoted = serde_json::to_string(text).expect("a string is JSON");
    quoted[1..quoted.len() - 1].to_owned()
}

fn next_char(text: &str, at: usize) -> usize {
    at + text[at..].chars().next().map_or(1, char::len_utf8)
}

/// Whether a shape that starts here is a word of its own: `sk-…` but not `risk-…`.
fn starts_word(text: &str, at: usize) -> bool {
    let before = &text.as_bytes()[..at];
    let Some(last) = before.last() else {
        return true;
    };
    if !last.is_ascii_alphanumeric() {
        return true;
    }
    // The last letter of an escape (`\n`, `\u001b`) in JSON that stands in the text.
    let escape =
        |letters: usize| before.len() > letters && before[before.len() - letters - 1] == b'\\';
    escape(1) || (escape(5) && before[before.len() - 5] == b'u')
}

fn replace(text: &str, secrets: &[Range<usize>]) -> String {
    let mut secrets = secrets.to_vec();
    secrets.sort_unstable_by_key(|secret| (secret.start, secret.end));
    let mut out = String::with_capacity(text.len());
    let mut end = None;
    for secret in secrets {
        match end {
            // Overlaps the last one: one marker for both.
            Some(last) if secret.start < last => end = Some(last.max(secret.end)),
            last => {
                out.push_str(&text[last.unwrap_or(0)..secret.start]);
                out.push_str(MARKER);
                end = Some(secret.end);
            }
        }
    }
    out.push_str(&text[end.unwrap_or(0)..]);
    out
}

/// The string tokens of a JSON text, quotes included.
fn string_tokens(json: &str) -> impl Iterator<Item = Range<usize>> + '_ {
    let bytes = json.as_bytes();
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at + bytes[at..].iter().position(|&byte| byte == b'"')?;
        let mut end = start + 1;
        while end < bytes.len() && bytes[end] != b'"' {
            end += if bytes[end] == b'\\' { 2 } else { 1 };
        }
        at = (end + 1).min(bytes.len());
        Some(start..at)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn redactor(secrets: &[&str]) -> Redactor {
        Redactor::new(secrets.iter().map(|&secret| secret.to_owned()))
    }

    #[test]
    fn well_known_shapes_are_hidden() {
        let redactor = redactor(&[]);
        for (text, redacted) in [
            ("key sk-proj-abcDEF0123456789abc.", "key [redacted]."),
            ("sk-ant-api03-abcDEF0123456789_-x", "[redacted]"),
            ("lsv2_pt_0123456789abcdef_0123", "[redacted]"),
            ("(ghp_0123456789abcdefghijABCDEFGHIJ012345)", "([redacted])"),
            ("AIzaSyA0123456789abcdefghijklmnopqrstuv", "[redacted]"),
            ("xoxb-123456789012-abc", "[redacted]"),
            ("AKIAIOSFODNN7EXAMPLE", "[redacted]"),
            (
                "Authorization: Bearer abc.def-0123456789",
                "Authorization: Bearer [redacted]",
            ),
            (
                "authorization: basic dXNlcjpwYXNzd29yZDE=",
                "authorization: basic [redacted]",
            ),
            (
                "postgres://sam:hunter2@db/x",
                "postgres://sam:[redacted]@db/x",
            ),
            (
                "a -----BEGIN RSA PRIVATE KEY-----\nMIIE\nabc=\n-----END RSA PRIVATE KEY----- b",
                "a [redacted] b",
            ),
            ("-----BEGIN PRIVATE KEY-----\nMIIE cut", "[redacted]"),
            ("eyJhbGciOiJI.eyJzdWIiOiIx.c2lnbmF0dXJl", "[redacted]"),
            (
                "nl\\nsk-abcdefgh01234567 in nested JSON",
                "nl\\n[redacted] in nested JSON",
            ),
            // Not credentials.
            (
                "a risk-averse-long-term-plan-2027",
                "a risk-averse-long-term-plan-2027",
            ),
            (
                "the bearer responsibilities clause",
                "the bearer responsibilities clause",
            ),
            ("sk-short", "sk-short"),
            ("http://host:8080/a@b", "http://host:8080/a@b"),
            ("-----BEGIN CERTIFICATE-----", "-----BEGIN CERTIFICATE-----"),
        ] {
            assert_eq!(redactor.text(text), redacted);
        }
    }

    #[test]
    fn nothing_is_copied_when_nothing_is_found() {
        let redactor = redactor(&["canary-0123456789"]);
        for text in [
            "",
            "Dear Ana, the risk-averse plan at https://x.example/a:b@c.",
        ] {
            assert!(matches!(redactor.text(text), Cow::Borrowed(_)), "{text}");
            assert!(matches!(redactor.json(text), Cow::Borrowed(_)), "{text}");
        }
    }

    #[test]
    fn known_secrets_are_hidden_in_every_spelling() {
        let canary = "can\"ary\\0123\n456/ü";
        let redactor = redactor(&[canary]);
        let arguments = json!({ "key": canary }).to_string();
        let value = json!({ "plain": canary, "nested": arguments, canary: 1, "n": 1.25 });
        let line = value.to_string();
        let redacted = redactor.json(&line);
        assert_eq!(
            redacted,
            r#"{"plain":"[redacted]","nested":"{\"key\":\"[redacted]\"}","[redacted]":1,"n":1.25}"#
        );
        assert_eq!(redactor.text(canary), MARKER);
    }

    #[test]
    fn settings_and_short_values_are_not_secrets() {
        let redactor = redactor(&["messages", "off", "1234567", "position", "redacted", ""]);
        let line = r#"{"messages":[{"position":1234567,"off":"redacted"}]}"#;
        assert!(matches!(redactor.json(line), Cow::Borrowed(_)));
    }

    #[test]
    fn a_number_that_equals_a_secret_stays_a_number() {
        let redactor = redactor(&["12345678"]);
        assert_eq!(
            redactor.json(r#"{"latency":12345678.5,"text":"pin 12345678"}"#),
            r#"{"latency":12345678.5,"text":"pin [redacted]"}"#
        );
    }

    #[test]
    fn secrets_are_known_by_the_names_of_their_variables() {
        let variables = [
            ("OPENAI_API_KEY", "a"),
            ("langsmith_token", "b"),
            ("DB_PASSWORD", "c"),
            ("CLIENT_SECRET", "d"),
            ("AWS_SECRET_ACCESS_KEY", "e"),
            ("PATH", "f"),
            ("TOKENIZERS", "g"),
            ("AWS_ACCESS_KEY_ID", "h"),
        ];
        let found = secrets_among(variables.map(|(n, v)| (n.to_owned(), v.to_owned())));
        assert_eq!(found, ["a", "b", "c", "d", "e"]);
    }

    #[test]
    fn overlapping_secrets_leave_no_rest() {
        let redactor = redactor(&["ABCDEFG123", "123HIJKLMN"]);
        assert_eq!(redactor.text("xABCDEFG123HIJKLMNy"), "x[redacted]y");
    }

    /// Secrets and surroundings that are likely to touch each other and JSON's own signs.
    fn awkward() -> impl Strategy<Value = String> {
        prop::collection::vec(
            prop_oneof![
                Just("sk-".to_owned()),
                Just("Bearer ".to_owned()),
                Just("://u:".to_owned()),
                Just("@".to_owned()),
                Just("[redacted]".to_owned()),
                Just("-----BEGIN PRIVATE KEY-----".to_owned()),
                "[a-c0-2]{0,20}",
                r#"["\\:,{}\[\]\n/ ü]{0,3}"#,
            ],
            0..8,
        )
        .prop_map(|parts| parts.concat())
    }

    proptest! {
        #[test]
        fn a_known_secret_never_comes_out_and_json_stays_json(
            secrets in prop::collection::vec(awkward(), 0..3),
            texts in prop::collection::vec(awkward(), 1..4),
        ) {
            let redactor = Redactor::new(secrets.clone());
            let strings: Vec<String> = texts
                .iter()
                .enumerate()
                .map(|(n, text)| format!("{text}{}{text}", secrets.get(n).map_or("", String::as_str)))
                .collect();
            let line = json!({ "strings": strings, "number": 12.5 }).to_string();
            let redacted = redactor.json(&line);
            let value: Value = serde_json::from_str(&redacted).unwrap();
            prop_assert_eq!(&value["number"], &json!(12.5));
            let out = value["strings"].as_array().unwrap();
            prop_assert_eq!(out.len(), strings.len());
            for string in out {
                for secret in secrets.iter().map(|s| s.trim()).filter(|s| is_credible(s)) {
                    // A secret that the marker itself spells cannot be told from it.
                    if !secret.contains("redacted") && !secret.contains(['[', ']']) {
                        prop_assert!(!string.as_str().unwrap().contains(secret), "{} in {}", secret, string);
                    }
                }
            }
        }

        #[test]
        fn redacting_again_changes_nothing(secret in awkward(), text in awkward()) {
            prop_assume!(!secret.contains(['[', ']']));
            let redactor = Redactor::new([secret.clone()]);
            let once = redactor.text(&format!("{text}{secret}{text}")).into_owned();
            prop_assert_eq!(redactor.text(&once), once.clone());
        }
    }
}
