//! Makes text that somebody else wrote safe to show.
//!
//! Ids, names, comments, and conversations come from datasets, models, and emails. Shown
//! as they are, they could move a terminal's cursor, reverse the reading order, hide
//! words, or become links, images, and mentions. Here such characters become visible
//! escapes (`\u{202e}`); nothing is dropped, so a reader sees what was there.

use std::borrow::Cow;
use std::fmt::Write;

/// Whether showing `c` could do more, or less, than put a glyph on the screen.
///
/// Controls move cursors; bidirectional controls reorder what is read (CVE-2021-42574);
/// zero-width and blank-looking characters hide text; tags and the supplementary variation
/// selectors can smuggle whole sentences. Variation selectors 15 and 16 stay: they are part
/// of common emoji.
fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0d}'
            | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{fffe}' | '\u{ffff}'
            | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// Writes `c` as an escape that a reader of Rust, JSON, or JavaScript recognises.
fn push_escape(out: &mut String, c: char) {
    match c {
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        _ => write!(out, "\\u{{{:x}}}", u32::from(c)).expect("a String takes any text"),
    }
}

fn escape(text: &str, keep: impl Fn(char) -> bool) -> Cow<'_, str> {
    let escaped = |c: char| is_unsafe(c) && !keep(c);
    if !text.contains(escaped) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if escaped(c) {
            push_escape(&mut out, c);
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// For one line of a terminal: line breaks become escapes too.
pub fn line(text: &str) -> Cow<'_, str> {
    escape(text, |_| false)
}

/// For text of several lines: `\n` stays, `\r\n` counts as `\n`, a tab is four spaces.
pub fn lines(text: &str) -> String {
    let text = text.replace("\r\n", "\n").replace('\t', "    ");
    escape(&text, |c| c == '\n').into_owned()
}

/// For Markdown, as a code span: the one form in which neither emphasis, HTML, links,
/// images, mentions, nor issue references mean anything. Safe in table cells too.
pub fn markdown(text: &str) -> String {
    // A table splits cells at pipes even inside code, and whether a backslash guards one
    // depends on the renderer and on what stands before it.
    let text = line(text).replace('|', "\\u{7c}");
    let longest_run = text
        .split(|c| c != '`')
        .map(str::len)
        .max()
        .unwrap_or_default();
    let fence = "`".repeat(longest_run + 1);
    if text.trim_matches(' ').is_empty() {
        // Code spans cannot be empty, and a blank one could not be told from nothing.
        return format!("`\"{text}\"`");
    }
    if text.starts_with(['`', ' ']) || text.ends_with(['`', ' ']) {
        // Renderers strip one space from each end, if both have one.
        format!("{fence} {text} {fence}")
    } else {
        format!("{fence}{text}{fence}")
    }
}

/// For text and quoted attributes in XML, SVG, and HTML.
pub fn xml(text: &str) -> String {
    let text = line(text);
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            _ => out.push(c),
        }
    }
    out
}

/// For an argument in a command that a person may copy into a POSIX shell.
pub fn shell(text: &str) -> String {
    let text = line(text);
    let plain = |c: char| c.is_ascii_alphanumeric() || "@%+=:,./_-".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.into_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// The first `most` characters of `text`, with a sign where there was more.
pub fn bounded(text: &str, most: usize) -> Cow<'_, str> {
    match text.char_indices().nth(most) {
        None => Cow::Borrowed(text),
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn text_that_could_act_is_shown_instead() {
        for (hostile, shown) in [
            ("plain, ünïcode, 日本, 👍🏽 ❤️", "plain, ünïcode, 日本, 👍🏽 ❤️"),
            ("\x1b[31mred\x1b[0m", "\\u{1b}[31mred\\u{1b}[0m"),
            ("\u{9b}2J", "\\u{9b}2J"),
            ("bell\x07 del\x7f nul\0", "bell\\u{7} del\\u{7f} nul\\u{0}"),
            ("over\u{202e}etirw", "over\\u{202e}etirw"),
            ("iso\u{2066}late\u{2069}", "iso\\u{2066}late\\u{2069}"),
            ("zero\u{200b}width\u{feff}", "zero\\u{200b}width\\u{feff}"),
            ("tag\u{e0041}s", "tag\\u{e0041}s"),
            ("two\nlines\r\tand", "two\\nlines\\r\\tand"),
            ("line\u{2028}separator", "line\\u{2028}separator"),
        ] {
            assert_eq!(line(hostile), shown);
        }
    }

    #[test]
    fn text_of_several_lines_keeps_its_line_breaks() {
        assert_eq!(lines("a\r\nb\n\tc\x1b[1m\rd"), "a\nb\n    c\\u{1b}[1m\\rd");
    }

    #[test]
    fn markdown_shows_text_as_code() {
        for (text, shown) in [
            ("workflow@rules", "`workflow@rules`"),
            ("a|b", "`a\\u{7c}b`"),
            ("tick`tick", "``tick`tick``"),
            ("`", "`` ` ``"),
            ("``` fence ```", "```` ``` fence ``` ````"),
            (" space", "`  space `"),
            ("", "`\"\"`"),
            ("  ", "`\"  \"`"),
            ("<img src=x onerror=1>", "`<img src=x onerror=1>`"),
            ("![x](https://evil.example)", "`![x](https://evil.example)`"),
            ("@everyone #1", "`@everyone #1`"),
            ("two\nlines", "`two\\nlines`"),
        ] {
            assert_eq!(markdown(text), shown, "{text:?}");
        }
    }

    #[test]
    fn a_shell_argument_is_quoted_where_it_must_be() {
        for (text, shown) in [
            ("exp-1/workflow@rules", "exp-1/workflow@rules"),
            ("two words", "'two words'"),
            ("it's $(rm)", "'it'\\''s $(rm)'"),
            ("--repeat", "--repeat"),
            ("", "''"),
        ] {
            assert_eq!(shell(text), shown);
        }
    }

    #[test]
    fn long_text_is_cut_between_characters() {
        assert_eq!(bounded("äöü", 3), "äöü");
        assert_eq!(bounded("äöü", 2), "äö…");
    }

    proptest! {
        #[test]
        fn nothing_unsafe_comes_through(text in any::<String>()) {
            prop_assert!(!line(&text).contains(is_unsafe));
            prop_assert!(!lines(&text).contains(|c| is_unsafe(c) && c != '\n'));
            let code = markdown(&text);
            prop_assert!(!code.contains('|') && !code.contains('\n'));
            let xml = xml(&text);
            prop_assert!(!xml.contains(['<', '>', '"', '\'']));
        }

        #[test]
        fn a_code_span_ends_only_at_its_own_fence(text in "[` a|\\\\]{0,12}") {
            let code = markdown(&text);
            let fence: String = code.chars().take_while(|&c| c == '`').collect();
            let inner = &code[fence.len()..code.len() - fence.len()];
            prop_assert!(code.ends_with(&fence));
            prop_assert!(inner.split(|c| c != '`').all(|run| run.len() != fence.len()));
        }
    }
}
