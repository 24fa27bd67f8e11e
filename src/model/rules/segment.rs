//! Takes an email's body apart: what the sender wrote now, and everything around it.
//!
//! Only new text may ask the reader for something. Quoted threads, forwarded mail and
//! signatures are kept apart, hidden text is kept for suspicion only. Footers are told by
//! their words, so later.

use super::clean::clean;

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
    let cleaned = clean(prefix(body, MOST_BYTES));
    let mut parts = Parts {
        hidden: cleaned.hidden,
        ..Parts::default()
    };
    let lines: Vec<&str> = cleaned.text.lines().map(str::trim_end).collect();

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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn new_text_is_told_from_what_stands_around_it() {
        for (case, body, new, quoted, signature) in [
            ("nothing around", "Hi\n\nthere", "Hi\n\nthere\n", "", ""),
            (
                "a sign-off",
                "Hi\n\nBest regards,\nAna\nHead",
                "Hi\n",
                "",
                "Best regards,\n\nAna\nHead\n",
            ),
            ("a dash line", "Hi\n-- \nAna", "Hi\n", "", "Ana\n"),
            ("a device", "Hi\n\nSent from my phone", "Hi\n", "", ""),
            (
                "a postscript",
                "Hi\n\nGruß\nAna\n\nPS: noch was?",
                "Hi\n\nPS: noch was?\n",
                "",
                "Gruß\n\nAna\n",
            ),
            (
                "thanks in a sentence",
                "Hi\n\nThanks for the file, it works.",
                "Hi\n\nThanks for the file, it works.\n",
                "",
                "",
            ),
            (
                "quote marks",
                "Yes\n\n> No?\n> > Why\n\nOk",
                "Yes\n\nOk\n",
                "No?\nWhy\n",
                "",
            ),
            (
                "answers between quotes",
                "> One?\nYes\n> Two?\nNo",
                "Yes\nNo\n",
                "One?\nTwo?\n",
                "",
            ),
            (
                "an attribution",
                "Ok\n\nOn Mon, Ana wrote:\n> Hi",
                "Ok\n",
                "On Mon, Ana wrote:\nHi\n",
                "",
            ),
            (
                "an attribution over two lines",
                "Ok\n\nAm 3.3.2026 um 10:00 schrieb Ana\n<a@b.example>:\n> Hi",
                "Ok\n\nAm 3.3.2026 um 10:00 schrieb Ana\n<a@b.example>:\n",
                "Hi\n",
                "",
            ),
            (
                "an attribution without marks",
                "Ok\n\nLe 3 mars, Ana a écrit :\n\nHi\nthere",
                "Ok\n",
                "Le 3 mars, Ana a écrit :\n\nHi\nthere\n",
                "",
            ),
            (
                "an original message",
                "Ok\n\n-----Original Message-----\nHi",
                "Ok\n",
                "-----Original Message-----\nHi\n",
                "",
            ),
            (
                "a header block",
                "Ok\n\nFrom: Ana\nSent: Monday\nTo: Sam\nSubject: x\n\nHi",
                "Ok\n",
                "From: Ana\nSent: Monday\nTo: Sam\nSubject: x\n\nHi\n",
                "",
            ),
            (
                "a line that begins with From",
                "From: here on it works",
                "From: here on it works\n",
                "",
                "",
            ),
        ] {
            let parts = split(body);
            assert_eq!(parts.new, new, "{case}");
            assert_eq!(parts.quoted, quoted, "{case}");
            assert_eq!(parts.signature, signature, "{case}");
        }
        assert!(split("x\n\n---------- Forwarded message ---------\ny").forwarded);
        assert!(!split("x\n\n-----Original Message-----\ny").forwarded);
    }

    proptest! {
        #[test]
        fn any_body_is_split_into_no_more_than_it_had(body in "(\\PC{0,8}|\n|> |<!--|-->|<div>|</|&#|On x wrote:|From: |-- ){0,200}") {
            let parts = split(&body);
            let sizes = [&parts.new, &parts.quoted, &parts.signature, &parts.hidden];
            // Lines gain an end each, paragraphs a blank line.
            let most = body.len() + 2 * body.lines().count() + 2 * body.matches('<').count() + 2;
            prop_assert!(sizes.iter().map(|part| part.len()).sum::<usize>() <= most);
        }
    }

    #[test]
    fn long_bodies_are_read_up_to_a_bound() {
        for piece in [
            "a",
            "<",
            "<!--",
            "&",
            "> x\n",
            "On \n",
            "From:\n",
            "é",
            "<div style=display:none>",
            "[image",
        ] {
            let parts = split(&piece.repeat(200_000));
            let sizes = [&parts.new, &parts.quoted, &parts.signature, &parts.hidden];
            assert!(
                sizes.iter().map(|part| part.len()).sum::<usize>() <= 2 * MOST_BYTES,
                "{piece}"
            );
        }
    }
}
