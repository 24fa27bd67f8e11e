//! Words of commands that people copy.

/// `text` as one word of a POSIX shell, where it means itself and nothing else.
pub fn word(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "._-/:@+,=%".contains(c);
    // A leading dash would make it a flag, which quotes do not help; nothing here has one.
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::word;

    #[test]
    fn a_word_means_itself_to_a_shell() {
        for (text, quoted) in [
            ("ticket-1", "ticket-1"),
            ("hitl@openai:gpt-4o/1", "hitl@openai:gpt-4o/1"),
            ("", "''"),
            ("two words", "'two words'"),
            ("$(rm -rf .)", "'$(rm -rf .)'"),
            ("it's", r"'it'\''s'"),
            ("a;b", "'a;b'"),
        ] {
            assert_eq!(word(text), quoted, "{text}");
        }
    }
}
