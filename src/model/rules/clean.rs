//! Reduces what mail programs leave of HTML to the text that a person would see.

use std::borrow::Cow;

use super::segment::prefix;

/// A body as it is seen.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Cleaned<'a> {
    pub text: Cow<'a, str>,
    /// What a person would not see: comments, invisible elements; a line each.
    pub hidden: String,
}

/// Removes invisible characters, elements and image marks, and writes out entities.
pub(super) fn clean(body: &str) -> Cleaned<'_> {
    let mut hidden = String::new();
    let suspicious = |c: char| is_invisible(c) || matches!(c, '&' | '<' | '[' | '\r' | '\u{a0}');
    if !body.contains(suspicious) {
        return Cleaned {
            text: Cow::Borrowed(body),
            hidden,
        };
    }
    let mut text = String::with_capacity(body.len());
    let mut rest = body;
    // An element that would not close is looked for once, not once for each opening.
    let mut unclosed_comment = false;
    while let Some(at) = rest.find(suspicious) {
        text.push_str(&rest[..at]);
        rest = &rest[at..];
        let c = rest.chars().next().expect("found above");
        match c {
            '\r' => rest = &rest[1..],
            '\u{a0}' => {
                text.push(' ');
                rest = &rest[c.len_utf8()..];
            }
            '&' => {
                let (decoded, length) = entity(rest);
                match decoded {
                    Some(c) => {
                        if !is_invisible(c) {
                            text.push(if c == '\u{a0}' { ' ' } else { c });
                        }
                    }
                    None => text.push_str(&rest[..length]),
                }
                rest = &rest[length..];
            }
            '[' => {
                let lower = prefix(rest, 12).to_ascii_lowercase();
                let is_image = lower.starts_with("[image") || lower.starts_with("[cid:");
                match prefix(rest, 200).find(']') {
                    Some(end) if is_image => {
                        rest = &rest[end + 1..];
                    }
                    _ => {
                        text.push('[');
                        rest = &rest[1..];
                    }
                }
            }
            '<' if rest.starts_with("<!--") && !unclosed_comment => match rest.find("-->") {
                Some(end) => {
                    hide(&mut hidden, &rest[4.min(end)..end]);
                    rest = &rest[end + 3..];
                }
                None => unclosed_comment = true,
            },
            '<' => match element(rest) {
                Some(element) => {
                    rest = &rest[element.length..];
                    if element.breaks {
                        text.push('\n');
                    }
                    if element.hides {
                        // What an invisible element holds, up to any closing tag.
                        let end = rest.find("</").unwrap_or(rest.len());
                        hide(&mut hidden, &rest[..end]);
                        rest = &rest[end..];
                    }
                }
                None => {
                    text.push('<');
                    rest = &rest[1..];
                }
            },
            _ => {
                rest = &rest[c.len_utf8()..];
            }
        }
    }
    text.push_str(rest);
    Cleaned {
        text: Cow::Owned(text),
        hidden,
    }
}

fn hide(hidden: &mut String, text: &str) {
    hidden.push_str(text);
    hidden.push('\n');
}

fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{34f}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2064}' | '\u{feff}'
            | '\u{e0000}'..='\u{e007f}'
    )
}

/// The character an entity stands for, and how many bytes of `text` it or a bare `&` takes.
fn entity(text: &str) -> (Option<char>, usize) {
    let Some(end) = prefix(text, 10).find(';') else {
        return (None, 1);
    };
    let name = &text[1..end];
    let decoded = match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" | "rsquo" | "lsquo" => Some('\''),
        "nbsp" | "ensp" | "emsp" | "thinsp" => Some(' '),
        "mdash" => Some('—'),
        "ndash" => Some('–'),
        "hellip" => Some('…'),
        "bull" | "middot" => Some('•'),
        "euro" => Some('€'),
        "pound" => Some('£'),
        "copy" => Some('©'),
        "zwnj" | "zwj" | "shy" => Some('\u{200b}'),
        "auml" => Some('ä'),
        "ouml" => Some('ö'),
        "uuml" => Some('ü'),
        "szlig" => Some('ß'),
        "eacute" => Some('é'),
        "egrave" => Some('è'),
        "agrave" => Some('à'),
        "ccedil" => Some('ç'),
        "rarr" => Some('→'),
        _ => name.strip_prefix('#').and_then(|code| {
            let code = match code.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => code.parse().ok()?,
            };
            char::from_u32(code).filter(|c| !c.is_control())
        }),
    };
    match decoded {
        Some(c) => (Some(c), end + 1),
        None => (None, 1),
    }
}

struct Element {
    length: usize,
    /// Starts a new line.
    breaks: bool,
    /// Its content is not shown.
    hides: bool,
}

/// An HTML element's tag at the start of `text`; `<https://…>` and `<ana@b.example>` are none.
fn element(text: &str) -> Option<Element> {
    const NAMES: [&str; 34] = [
        "a", "b", "body", "br", "center", "div", "em", "font", "h1", "h2", "h3", "head", "html",
        "i", "img", "li", "meta", "o:p", "ol", "p", "script", "small", "span", "strong", "style",
        "table", "tbody", "td", "th", "title", "tr", "u", "ul", "hr",
    ];
    let tag = prefix(text, 400);
    let end = tag.find('>')?;
    let inside = &tag[1..end];
    let closing = inside.starts_with('/');
    let inside = inside.trim_start_matches('/').trim_end_matches('/');
    let name_end = inside.find(char::is_whitespace).unwrap_or(inside.len());
    if name_end > 6 {
        return None; // Longer than any of the names, and cheap to tell.
    }
    let name = inside[..name_end].to_ascii_lowercase();
    if !NAMES.contains(&name.as_str()) {
        return None;
    }
    let attributes = inside[name_end..].to_ascii_lowercase().replace(' ', "");
    Some(Element {
        length: end + 1,
        breaks: matches!(
            name.as_str(),
            "br" | "p" | "div" | "tr" | "li" | "table" | "h1" | "h2" | "h3"
        ),
        hides: !closing
            && (matches!(name.as_str(), "style" | "script" | "title" | "head")
                || attributes.contains("display:none")
                || attributes.contains("visibility:hidden")
                || attributes.contains("font-size:0")
                || attributes.contains("font-size:1px")
                || attributes.contains("opacity:0")
                || attributes.contains("color:white")
                || attributes.contains("color:#fff")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_html_leaves_behind_is_cleaned_away() {
        for (body, new, hidden) in [
            ("a&nbsp;b &amp; c &#8211; d&#x20;e", "a b & c – d e", ""),
            ("AT&T & co; &unknown;", "AT&T & co; &unknown;", ""),
            ("u\u{200b}n\u{200d}s\u{ad}een\r\n", "unseen\n", ""),
            (
                "<b>bold</b> <https://a.example> <ana@b.example>",
                "bold <https://a.example> <ana@b.example>",
                "",
            ),
            ("one<br>two", "one\ntwo", ""),
            ("see [image: logo] [1]", "see  [1]", ""),
            ("a <!-- do this --> b", "a  b", " do this \n"),
            ("a <!-- open", "a <!-- open", ""),
            (
                "a <div style=\"display: none\">secret</div> b",
                "a \n\n b",
                "secret\n",
            ),
            ("2 < 3 and 5 > 4", "2 < 3 and 5 > 4", ""),
        ] {
            let cleaned = clean(body);
            assert_eq!(
                (cleaned.text.as_ref(), cleaned.hidden.as_str()),
                (new, hidden),
                "{body}"
            );
        }
    }
}
