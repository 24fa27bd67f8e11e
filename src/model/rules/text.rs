//! Text as words: folded, numbered, and cut into sentences.
//!
//! Words of the rules and words of an email pass the same tokenizer, so that case, accents,
//! apostrophes and line breaks make no difference between them. Scripts written without
//! spaces become one word a character. Everything here is linear in the text.

/// What a token is beside its letters; a set of bits.
pub(super) mod class {
    pub const NUMBER: u8 = 1;
    pub const URL: u8 = 2;
    pub const ADDRESS: u8 = 4;
    pub const MONEY: u8 = 8;
    pub const PERCENT: u8 = 16;
    pub const CAPITAL: u8 = 32;
}

/// A word, number, address or link, as a byte range of its source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub start: u32,
    pub end: u32,
    pub class: u8,
    pub sentence: u32,
}

/// A run of tokens `first..last` that belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sentence {
    pub first: u32,
    pub last: u32,
    /// End of its punctuation, in bytes.
    pub end: u32,
    pub question: bool,
    pub paragraph: u32,
}

#[derive(Debug, Default)]
pub(super) struct Text {
    pub source: String,
    pub tokens: Vec<Token>,
    pub sentences: Vec<Sentence>,
}

impl Text {
    /// Body text: links and addresses are single tokens that match no word.
    pub fn new(source: String) -> Self {
        Tokenizer::new(source, false).run()
    }

    /// A header value: addresses fall apart into words, because their parts are telling.
    pub fn header(source: String) -> Self {
        Tokenizer::new(source, true).run()
    }

    pub fn token(&self, index: usize) -> &str {
        let token = self.tokens[index];
        &self.source[token.start as usize..token.end as usize]
    }

    /// A sentence with its punctuation.
    pub fn sentence(&self, index: usize) -> &str {
        let sentence = self.sentences[index];
        let start = self.tokens[sentence.first as usize].start as usize;
        &self.source[start..sentence.end as usize]
    }
}

/// Appends `word` in lower case and without accents.
pub(super) fn fold(word: &str, folded: &mut String) {
    for c in word.chars() {
        if c.is_ascii() {
            folded.push(c.to_ascii_lowercase());
            continue;
        }
        for c in c.to_lowercase() {
            match c {
                'à' | 'á' | 'â' | 'ã' | 'ä' | 'å' | 'ą' | 'ā' | 'ă' => folded.push('a'),
                'ç' | 'ć' | 'č' => folded.push('c'),
                'è' | 'é' | 'ê' | 'ë' | 'ę' | 'ě' | 'ē' => folded.push('e'),
                'ì' | 'í' | 'î' | 'ï' | 'ı' | 'ī' => folded.push('i'),
                'ł' => folded.push('l'),
                'ñ' | 'ń' | 'ň' => folded.push('n'),
                'ò' | 'ó' | 'ô' | 'õ' | 'ö' | 'ø' | 'ő' | 'ō' => folded.push('o'),
                'ř' => folded.push('r'),
                'ś' | 'š' | 'ş' | 'ș' => folded.push('s'),
                'ț' | 'ţ' | 'ť' => folded.push('t'),
                'ù' | 'ú' | 'û' | 'ü' | 'ů' | 'ű' | 'ū' => folded.push('u'),
                'ý' | 'ÿ' => folded.push('y'),
                'ź' | 'ż' | 'ž' => folded.push('z'),
                'ğ' => folded.push('g'),
                'đ' | 'ð' => folded.push('d'),
                'ß' => folded.push_str("ss"),
                'œ' => folded.push_str("oe"),
                'æ' => folded.push_str("ae"),
                // Combining marks: the letter before them was already written.
                '\u{300}'..='\u{36f}' => {}
                _ => folded.push(c),
            }
        }
    }
}

/// `word` in lower case and without accents.
pub(super) fn folded(word: &str) -> String {
    let mut folded = String::new();
    fold(word, &mut folded);
    folded
}

/// Written without spaces between words.
fn is_unspaced(c: char) -> bool {
    matches!(c, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}')
}

fn is_currency(c: char) -> bool {
    matches!(c, '$' | '€' | '£' | '¥')
}

struct Tokenizer {
    text: Text,
    header: bool,
    /// First token of the open sentence.
    first: u32,
    paragraph: u32,
}

impl Tokenizer {
    fn new(source: String, header: bool) -> Self {
        let text = Text {
            tokens: Vec::with_capacity(source.len() / 5),
            source,
            ..Text::default()
        };
        Tokenizer {
            text,
            header,
            first: 0,
            paragraph: 0,
        }
    }

    fn run(mut self) -> Text {
        let source = std::mem::take(&mut self.text.source);
        let mut at = 0;
        while let Some(skipped) = source[at..].find(|c: char| !c.is_whitespace()) {
            self.gap(&source, at, at + skipped);
            let start = at + skipped;
            let length = source[start..]
                .find(char::is_whitespace)
                .unwrap_or(source.len() - start);
            at = start + length;
            self.chunk(&source, start, at);
        }
        self.gap(&source, at, source.len());
        self.close(source.len(), false);
        self.text.source = source;
        self.text
    }

    /// Whitespace between two chunks: decides whether a sentence or paragraph ended there.
    fn gap(&mut self, source: &str, start: usize, end: usize) {
        // Most gaps are one space within a sentence.
        if source[start..end] == *" "
            && start > 0
            && source.as_bytes()[start - 1].is_ascii_alphanumeric()
        {
            return;
        }
        let newlines = source[start..end].bytes().filter(|&b| b == b'\n').count();
        let before =
            source[..start].trim_end_matches(['"', '\'', ')', '”', '’', '*', '_', '»', ']']);
        let last = before.chars().next_back();
        let next = source[end..].chars().next();
        match last {
            Some('?') => self.close(start, true),
            Some('!' | '…') => self.close(start, false),
            // A full stop before a small letter or a digit is one of an abbreviation, and
            // one after a short number that of an ordinal: "am 4. März".
            Some('.')
                if newlines > 0
                    || !(next.is_some_and(|c| c.is_lowercase() || c.is_numeric())
                        || ends_in_short_number(before.trim_end_matches('.'))) =>
            {
                self.close(start, false);
            }
            Some(':') if newlines > 0 => self.close(start, false),
            _ if newlines > 0 && next.is_some_and(|c| matches!(c, '-' | '*' | '•' | '–')) => {
                self.close(start, false);
            }
            // "1." and "2)" open a list item.
            _ if newlines > 0 && is_list_number(&source[end..]) => self.close(start, false),
            _ => {}
        }
        if newlines > 1 {
            self.close(start, false);
            self.paragraph += 1;
        }
    }

    fn close(&mut self, end: usize, question: bool) {
        let last = self.text.tokens.len() as u32;
        if last > self.first {
            self.text.sentences.push(Sentence {
                first: self.first,
                last,
                end: end as u32,
                question,
                paragraph: self.paragraph,
            });
            self.first = last;
        }
    }

    fn push(&mut self, start: usize, end: usize, class: u8) {
        self.text.tokens.push(Token {
            start: start as u32,
            end: end as u32,
            class,
            sentence: self.text.sentences.len() as u32,
        });
    }

    fn chunk(&mut self, source: &str, start: usize, end: usize) {
        let chunk = &source[start..end];
        if self.header {
            return self.words(source, start, end);
        }
        if let Some(link) = find_link(chunk) {
            self.words(source, start, start + link);
            let link_end = chunk[link..]
                .find(['>', '"', ')', ']'])
                .map_or(end, |length| start + link + length);
            let trimmed =
                source[start + link..link_end].trim_end_matches(['.', ',', ';', ':', '!', '?']);
            self.push(start + link, start + link + trimmed.len(), class::URL);
            return;
        }
        if !chunk.contains('@') {
            return self.words(source, start, end);
        }
        let mut at = start;
        for part in chunk.split_inclusive(['<', '>', '(', ')', '[', ']', '"', ',', ';', '|']) {
            let bare = part.trim_matches(|c: char| !c.is_alphanumeric());
            if is_address(bare) {
                let offset = at + (bare.as_ptr() as usize - part.as_ptr() as usize);
                self.push(offset, offset + bare.len(), class::ADDRESS);
            } else {
                self.words(source, at, at + part.len());
            }
            at += part.len();
        }
    }

    /// Cuts `start..end`, which has no space, into words and numbers.
    fn words(&mut self, source: &str, start: usize, end: usize) {
        let mut at = start;
        while at < end {
            let c = source[at..].chars().next().expect("inside the text");
            if is_unspaced(c) {
                self.push(at, at + c.len_utf8(), 0);
                at += c.len_utf8();
            } else if c.is_ascii_digit() {
                at = self.number(source, start, at, end);
            } else if c.is_alphanumeric() {
                let length = source[at..end]
                    .find(|c: char| {
                        !(c.is_alphanumeric() || matches!(c, '\u{300}'..='\u{36f}'))
                            || is_unspaced(c)
                    })
                    .unwrap_or(end - at);
                let class = if c.is_uppercase() { class::CAPITAL } else { 0 };
                self.push(at, at + length, class);
                at += length;
            } else {
                at += c.len_utf8();
                match c {
                    '。' | '！' => self.close(at, false),
                    '？' => self.close(at, true),
                    _ => {}
                }
            }
        }
    }

    /// One token from digits through letters (`2pm`, `14h30`) and separators that stand
    /// between digits (`2026-03-04`, `14:00`, `1,200`). Returns where it ends.
    fn number(&mut self, source: &str, chunk: usize, start: usize, end: usize) -> usize {
        let bytes = source.as_bytes();
        let mut at = start;
        while at < end {
            let b = bytes[at];
            let separates = matches!(b, b'.' | b':' | b',' | b'/' | b'-')
                && at + 1 < end
                && bytes[at + 1].is_ascii_digit();
            if !(b.is_ascii_alphanumeric() || separates) {
                break;
            }
            at += 1;
        }
        let mut class = class::NUMBER;
        let before = source[chunk..start].chars().next_back();
        let after = source[at..].chars().next();
        if before.into_iter().chain(after).any(is_currency) {
            class |= class::MONEY;
        }
        if after == Some('%') {
            class |= class::PERCENT;
        }
        self.push(start, at, class);
        at
    }
}

fn ends_in_short_number(text: &str) -> bool {
    let digits = text
        .bytes()
        .rev()
        .take_while(u8::is_ascii_digit)
        .take(3)
        .count();
    (1..=2).contains(&digits)
}

fn is_list_number(text: &str) -> bool {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    (1..=2).contains(&digits)
        && matches!(text.as_bytes().get(digits), Some(b'.' | b')'))
        && text.as_bytes().get(digits + 1).is_some_and(|b| *b == b' ')
}

fn find_link(chunk: &str) -> Option<usize> {
    let colon = chunk
        .match_indices(':')
        .find(|(at, _)| chunk[*at..].starts_with("://"));
    if let Some((at, _)) = colon {
        let scheme = chunk[..at]
            .bytes()
            .rev()
            .take_while(u8::is_ascii_alphabetic)
            .count();
        return Some(at - scheme);
    }
    let bare = chunk.trim_start_matches(['<', '(', '[', '"']);
    bare.starts_with("www.").then_some(chunk.len() - bare.len())
}

/// `local@host.tld`, with nothing else around it.
pub(super) fn is_address(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else {
        return false;
    };
    let plain =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '+' | '=' | '\'');
    !local.is_empty()
        && local.chars().all(plain)
        && domain.contains('.')
        && domain.split('.').all(|label| {
            !label.is_empty() && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn words(text: &Text) -> Vec<&str> {
        (0..text.tokens.len()).map(|i| text.token(i)).collect()
    }

    #[test]
    fn words_numbers_links_and_addresses_are_tokens() {
        for (source, expected) in [
            ("Don't wait", vec!["Don", "t", "wait"]),
            (
                "on 2026-03-04 at 14:30.",
                vec!["on", "2026-03-04", "at", "14:30"],
            ),
            ("2pm or 14h30", vec!["2pm", "or", "14h30"]),
            (
                "see <https://a.example/b?c=d>, ok",
                vec!["see", "https://a.example/b?c=d", "ok"],
            ),
            (
                "ask ana@b.example, please",
                vec!["ask", "ana@b.example", "please"],
            ),
            ("会議は明日", vec!["会", "議", "は", "明", "日"]),
            ("4.3. passt", vec!["4.3", "passt"]),
            ("", vec![]),
        ] {
            assert_eq!(words(&Text::new(source.into())), expected, "{source}");
        }
        assert_eq!(
            words(&Text::header("No Reply <no-reply@b.example>".into())),
            ["No", "Reply", "no", "reply", "b", "example"]
        );
    }

    #[test]
    fn sentences_end_at_punctuation_blank_lines_and_list_items() {
        let sentences = |source: &str| {
            let text = Text::new(source.into());
            (0..text.sentences.len())
                .map(|i| (text.sentence(i).to_owned(), text.sentences[i].question))
                .collect::<Vec<_>>()
        };
        let told = |text: &str| (text.to_owned(), false);
        let asked = |text: &str| (text.to_owned(), true);
        for (source, expected) in [
            (
                "Hi. Can you\ncome? Yes",
                vec![told("Hi."), asked("Can you\ncome?"), told("Yes")],
            ),
            ("Now?", vec![asked("Now?")]),
            ("Now?\n", vec![asked("Now?")]),
            ("Hi Ana,\n\nthanks", vec![told("Hi Ana,"), told("thanks")]),
            ("- one\n- two", vec![told("one"), told("two")]),
            (
                "e.g. this, approx. 3 days.",
                vec![told("e.g. this, approx. 3 days.")],
            ),
            ("明日は？はい。", vec![asked("明日は？"), told("はい。")]),
        ] {
            assert_eq!(sentences(source), expected, "{source}");
        }
    }

    #[test]
    fn folding_drops_case_and_accents() {
        for (word, expected) in [
            ("Grüße", "grusse"),
            ("MAÑANA", "manana"),
            ("e\u{301}te", "ete"),
            ("会", "会"),
        ] {
            let mut folded = String::new();
            fold(word, &mut folded);
            assert_eq!(folded, expected);
        }
    }

    proptest! {
        #[test]
        fn tokens_are_ordered_and_inside_the_text(source in "\\PC{0,200}|[a-z@.:/<>?! \n0-9-]{0,200}") {
            let text = Text::new(source.clone());
            let mut end = 0;
            for token in &text.tokens {
                prop_assert!(token.start >= end && token.end > token.start);
                prop_assert!((token.sentence as usize) < text.sentences.len());
                end = token.end;
            }
            prop_assert!(end as usize <= source.len());
            for i in 0..text.sentences.len() {
                prop_assert!(!text.sentence(i).is_empty());
            }
        }
    }
}
