//! Takes an email's body apart: what the sender wrote now, and everything around it.
//!
//! Only new text may ask the reader for something. Quoted threads, forwarded mail and
//! signatures are kept apart, hidden text is kept for suspicion only. Footers are told by
//! their words, so later.

use std::borrow::Cow;

/// Text beyond this many bytes is not read. A person's mail is far shorter, and whoever
/// writes more cannot make reading it slow.
pub(super) const MOST_BYTES: usize = 32 * 1024;

/// A body, by what its parts are for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Parts {
    /// Written by the sender for this email.
    pub new: String,
    /// Earlier mail: quoted, or forwarded.
    pub quoted: String,
    /// Name, position, address.
    pub signature: String,
    /// What a person would not see: comments, invisible elements.
    pub hidden: String,
    /// The quoted part was sent on rather than answered.
    pub forwarded: bool,
    /// Image placeholders, elements and entities that were cleaned away.
    pub debris: u32,
}

/// The beginning of `text`, at most `most` bytes of it.
pub(super) fn prefix(text: &str, most: usize) -> &str {
    if text.len() <= most {
        return text;
    }
    let mut end = most;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

pub(super) fn split(body: &str) -> Parts {
    let mut parts = Parts::default();
    let body = clean(prefix(body, MOST_BYTES), &mut parts);
    let lines: Vec<&str> = body.lines().map(str::trim_end).collect();

    // Pass 1: quoted and forwarded lines.
    let mut fresh: Vec<&str> = Vec::with_capacity(lines.len());
    let mut at = 0;
    while at < lines.len() {
        let line = lines[at];
        if line.trim_start().starts_with('>') && !line.trim_start().starts_with(">>")
            || is_deep_quote(line)
        {
            push_line(
                &mut parts.quoted,
                line.trim_start().trim_start_matches(['>', ' ']),
            );
        } else if let Some(forwarded) = marker(line).or_else(|| header_block(&lines[at..])) {
            // From a forwarding mark or a header block on, all is earlier mail.
            parts.forwarded |= forwarded;
            for line in &lines[at..] {
                push_line(&mut parts.quoted, line);
            }
            break;
        } else if let Some(length) = attribution(&lines[at..]) {
            let after = lines[at + length..].iter().find(|line| !line.is_empty());
            for line in &lines[at..at + length] {
                push_line(&mut parts.quoted, line);
            }
            at += length;
            // Quoted without marks: the rest belongs to it.
            if after.is_some_and(|line| !line.trim_start().starts_with('>')) {
                for line in &lines[at..] {
                    push_line(&mut parts.quoted, line);
                }
                break;
            }
            continue;
        } else {
            fresh.push(line);
        }
        at += 1;
    }

    // Pass 2: the signature.
    let mut signed = false;
    let mut paragraph: Vec<&str> = Vec::new();
    let mut after_sign_off = 0;
    for (index, line) in fresh.iter().enumerate() {
        if line.is_empty() || is_rule(line) {
            flush(&mut paragraph, &mut parts, signed);
            continue;
        }
        if *line == "--" || is_device_note(line) {
            flush(&mut paragraph, &mut parts, signed);
            signed = true;
            after_sign_off = 0;
            continue;
        }
        if signed && is_postscript(line) {
            flush(&mut paragraph, &mut parts, signed);
            signed = false;
        }
        if !signed && index > 0 && is_sign_off(line) {
            flush(&mut paragraph, &mut parts, signed);
            push_line(&mut parts.signature, line);
            signed = true;
            after_sign_off = 0;
            continue;
        }
        if signed {
            after_sign_off += 1;
            // A signature is short; longer text after a closing word is text again.
            if after_sign_off > MOST_SIGNATURE_LINES {
                signed = false;
            }
        }
        paragraph.push(line);
    }
    flush(&mut paragraph, &mut parts, signed);
    parts
}

const MOST_SIGNATURE_LINES: usize = 14;

fn push_line(part: &mut String, line: &str) {
    part.push_str(line);
    part.push('\n');
}

/// Puts a finished paragraph where it belongs.
fn flush(paragraph: &mut Vec<&str>, parts: &mut Parts, signed: bool) {
    if paragraph.is_empty() {
        return;
    }
    let part = if signed {
        &mut parts.signature
    } else {
        &mut parts.new
    };
    if !part.is_empty() {
        part.push('\n');
    }
    for line in paragraph.drain(..) {
        push_line(part, line);
    }
}

/// Lines of dashes, underscores, or equals signs.
fn is_rule(line: &str) -> bool {
    line.len() >= 3
        && line
            .chars()
            .all(|c| matches!(c, '-' | '_' | '=' | '*' | '—' | '─' | '~'))
}

fn is_deep_quote(line: &str) -> bool {
    line.starts_with(">>") && !line.contains("<http")
}

/// A line that announces earlier mail; whether it says that the mail was sent on.
fn marker(line: &str) -> Option<bool> {
    let trimmed = line.trim_matches(|c: char| matches!(c, '-' | '_' | '>' | '=' | '*' | ' '));
    // Marks stand between dashes, or alone on their line.
    if trimmed.len() > 60 || trimmed.is_empty() {
        return None;
    }
    let lower = trimmed.to_lowercase();
    let lower = lower.trim_end_matches(':');
    const FORWARDED: [&str; 9] = [
        "forwarded message",
        "begin forwarded message",
        "weitergeleitete nachricht",
        "message transféré",
        "mensaje reenviado",
        "mensagem encaminhada",
        "mensagem reencaminhada",
        "messaggio inoltrato",
        "doorgestuurd bericht",
    ];
    const ANSWERED: [&str; 9] = [
        "original message",
        "original appointment",
        "ursprüngliche nachricht",
        "originalnachricht",
        "message d'origine",
        "mensaje original",
        "mensagem original",
        "messaggio originale",
        "oorspronkelijk bericht",
    ];
    if FORWARDED.iter().any(|mark| lower.starts_with(mark)) {
        return Some(true);
    }
    ANSWERED
        .iter()
        .any(|mark| lower.starts_with(mark))
        .then_some(false)
}

/// A block of header lines, as mail programs put them above the mail they quote.
fn header_block(lines: &[&str]) -> Option<bool> {
    const FROM: [&str; 8] = [
        "From:",
        "Von:",
        "De:",
        "Da:",
        "Van:",
        "Från:",
        "*From:*",
        "差出人:",
    ];
    const OTHER: [&str; 22] = [
        "Sent:",
        "Date:",
        "To:",
        "Subject:",
        "Gesendet:",
        "Datum:",
        "An:",
        "Betreff:",
        "Envoyé",
        "À",
        "Objet",
        "Enviado",
        "Para:",
        "Asunto:",
        "Assunto:",
        "Inviato:",
        "A:",
        "Oggetto:",
        "Verzonden:",
        "Aan:",
        "Onderwerp:",
        "*Sent:*",
    ];
    let first = lines[0].trim_start();
    if !FROM.iter().any(|name| first.starts_with(name)) {
        return None;
    }
    let others = lines[1..]
        .iter()
        .take(5)
        .filter(|line| OTHER.iter().any(|name| line.trim_start().starts_with(name)))
        .count();
    (others >= 2).then_some(true)
}

/// "On Monday, Ana wrote:", on up to three lines. Returns how many.
fn attribution(lines: &[&str]) -> Option<usize> {
    const BEGIN: [&str; 11] = [
        "On ", "Am ", "Le ", "El ", "Em ", "Il ", "Op ", "Den ", "W dniu ", "Dnia ", "Em ",
    ];
    const END: [&str; 11] = [
        "wrote:",
        "schrieb:",
        "a écrit :",
        "a écrit:",
        "escribió:",
        "escreveu:",
        "ha scritto:",
        "schreef:",
        "skrev:",
        "napisał:",
        "napisała:",
    ];
    let first = lines[0].trim_start();
    if !BEGIN.iter().any(|word| first.starts_with(word)) {
        return None;
    }
    for (index, line) in lines.iter().take(3).enumerate() {
        if line.is_empty() || line.len() > 240 {
            return None;
        }
        if END.iter().any(|word| line.ends_with(word)) {
            return Some(index + 1);
        }
        // "Am 3.3. um 16:05 schrieb Ana Ruiz:" has the name last.
        if line.ends_with(':') && line.contains(" schrieb ") {
            return Some(index + 1);
        }
    }
    None
}

fn is_device_note(line: &str) -> bool {
    const NOTES: [&str; 9] = [
        "sent from my ",
        "get outlook for ",
        "von meinem ",
        "gesendet von ",
        "envoyé de mon ",
        "enviado desde mi ",
        "enviado do meu ",
        "inviato da ",
        "verstuurd vanaf ",
    ];
    if line.len() > 80 {
        return false;
    }
    let lower = line.trim_start().to_lowercase();
    NOTES.iter().any(|note| lower.starts_with(note))
}

fn is_postscript(line: &str) -> bool {
    let line = line.trim_start();
    ["PS", "P.S", "P.-S", "ps:", "ps ", "p.s", "NB:"]
        .iter()
        .any(|mark| line.starts_with(mark))
}

/// "Best regards," and the like, alone on a short line.
fn is_sign_off(line: &str) -> bool {
    const CLOSINGS: [&str; 64] = [
        "best",
        "best regards",
        "best wishes",
        "kind regards",
        "kindest regards",
        "warm regards",
        "with warm regards",
        "regards",
        "many thanks",
        "thanks",
        "thanks a lot",
        "thanks so much",
        "thank you",
        "thanks in advance",
        "thx",
        "cheers",
        "sincerely",
        "yours sincerely",
        "yours",
        "yours faithfully",
        "all the best",
        "warmly",
        "warmest",
        "warmest regards",
        "love",
        "lots of love",
        "take care",
        "talk soon",
        "speak soon",
        "see you",
        "respectfully",
        "cordially",
        "mit freundlichen grüßen",
        "freundliche grüße",
        "viele grüße",
        "liebe grüße",
        "schöne grüße",
        "beste grüße",
        "herzliche grüße",
        "gruß",
        "grüße",
        "lg",
        "vg",
        "mfg",
        "cordialement",
        "bien cordialement",
        "bien à vous",
        "bises",
        "bisous",
        "salutations",
        "saludos",
        "un saludo",
        "un abrazo",
        "atentamente",
        "abraço",
        "um abraço",
        "beijinhos",
        "cumprimentos",
        "com os melhores cumprimentos",
        "cordiali saluti",
        "saluti",
        "un caro saluto",
        "met vriendelijke groet",
        "groetjes",
    ];
    if line.len() > 60 {
        return false;
    }
    let lower = line.trim().to_lowercase();
    let bare = lower.trim_end_matches(['!', '.', ',', ' ', ';', '-', '–']);
    if CLOSINGS.contains(&bare) {
        return true;
    }
    // "Gruß aus Leipzig", "Best, Ana", "Kind regards Greta".
    bare.split_once([',', ' ']).is_some_and(|_| {
        CLOSINGS.iter().any(|closing| {
            bare.strip_prefix(closing).is_some_and(|rest| {
                let long = closing.contains(' ') || closing.starts_with("gr");
                let words = rest.split_whitespace().count();
                (rest.starts_with(',') && words <= 2)
                    || (long && rest.starts_with(' ') && words <= 2)
            })
        })
    })
}

/// Removes what is not text to a reader: invisible characters, elements, image marks;
/// and writes out entities. Returns the text a person would see.
fn clean<'a>(body: &'a str, parts: &mut Parts) -> Cow<'a, str> {
    let suspicious = |c: char| is_invisible(c) || matches!(c, '&' | '<' | '[' | '\r' | '\u{a0}');
    if !body.contains(suspicious) {
        return Cow::Borrowed(body);
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
                        parts.debris += 1;
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
                        parts.debris += 1;
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
                    parts.debris += 1;
                    push_line(&mut parts.hidden, &rest[4.min(end)..end]);
                    rest = &rest[end + 3..];
                }
                None => unclosed_comment = true,
            },
            '<' => match element(rest) {
                Some(element) => {
                    parts.debris += 1;
                    rest = &rest[element.length..];
                    if element.breaks {
                        text.push('\n');
                    }
                    if element.hides {
                        // What an invisible element holds, up to any closing tag.
                        let end = rest.find("</").unwrap_or(rest.len());
                        push_line(&mut parts.hidden, &rest[..end]);
                        rest = &rest[end..];
                    }
                }
                None => {
                    text.push('<');
                    rest = &rest[1..];
                }
            },
            _ => {
                parts.debris += 1;
                rest = &rest[c.len_utf8()..];
            }
        }
    }
    text.push_str(rest);
    Cow::Owned(text)
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
