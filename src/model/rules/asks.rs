//! What the new text asks of the reader, sentence by sentence.

use std::collections::BTreeSet;

use super::book::{Book, CueRole};
use super::scan::Scanned;
use super::text::{Text, class};

/// Asks that one reply takes up.
const MOST: usize = 4;
/// A sentence this short rarely makes sense without the one before it.
const SHORT: u32 = 9;
/// Characters of a quoted ask.
const LONGEST: usize = 220;

/// Sentences that want something of the reader: questions, requests, and the items of a
/// list that a request announces. `closed` sentences are not for the reader.
pub(super) fn find(book: &Book, new: &Scanned, closed: &BTreeSet<usize>) -> Vec<usize> {
    let text = &new.text;
    let mut asks: BTreeSet<usize> = new.sentences_with(book, CueRole::Request);
    asks.extend(set_ups(book, new));
    for (index, sentence) in text.sentences.iter().enumerate() {
        if sentence.question {
            asks.insert(index);
        }
    }
    asks.retain(|index| !closed.contains(index));
    let announcing: Vec<usize> = asks
        .iter()
        .copied()
        .filter(|index| text.sentence(*index).ends_with(':'))
        .collect();
    for index in announcing {
        let items = (index + 1..text.sentences.len())
            .take_while(|item| is_item(text, *item) && !closed.contains(item));
        asks.extend(items.take(MOST));
        // The announcement itself says nothing that the reply could quote.
        if asks.range(index + 1..).next().is_some() {
            asks.remove(&index);
        }
    }
    // Questions are what must be answered; requests give way to them where there are many.
    let mut asks: Vec<usize> = asks.into_iter().collect();
    if asks.len() > MOST {
        asks.sort_by_key(|index| !text.sentences[*index].question);
        asks.truncate(MOST);
        asks.sort_unstable();
    }
    asks
}

/// Sentences that want a meeting set up by the reader: asked for, or told to; not those in
/// which the sender does it.
pub(super) fn set_ups(book: &Book, new: &Scanned) -> BTreeSet<usize> {
    let own = new.sentences_with(book, CueRole::OwnPart);
    let requests = new.sentences_with(book, CueRole::Request);
    new.cues(book)
        .filter(|(_, _, cue)| cue.role == Some(CueRole::SetUp))
        .filter_map(|(hit, _, _)| {
            let index = new.sentence_of(hit.first);
            let sentence = new.text.sentences[index];
            let told = hit.first <= sentence.first + 2;
            let wanted = sentence.question || told || requests.contains(&index);
            (wanted && !own.contains(&index)).then_some(index)
        })
        .collect()
}

/// Whether a sentence begins with the mark of a list item.
fn is_item(text: &Text, sentence: usize) -> bool {
    let start = text.tokens[text.sentences[sentence].first as usize].start as usize;
    let line = text.source[..start].rsplit('\n').next().unwrap_or_default();
    matches!(line.trim(), "-" | "*" | "•" | "–" | "+")
}

/// Whether a sentence begins a list item or a paragraph.
fn is_start(text: &Text, sentence: usize) -> bool {
    let this = text.sentences[sentence];
    let numbered = text
        .token(this.first as usize)
        .bytes()
        .all(|b| b.is_ascii_digit());
    sentence == 0
        || numbered
        || is_item(text, sentence)
        || text.sentences[sentence - 1].paragraph != this.paragraph
}

/// An ask on one line, without links and addresses, with the sentence before it where it
/// is too short to be understood alone.
pub(super) fn quote(text: &Text, asks: &[usize], index: usize) -> String {
    let sentence = text.sentences[index];
    let alone = is_start(text, index) || asks.contains(&(index - 1));
    let before = (sentence.last - sentence.first <= SHORT && !alone)
        .then(|| line(text, index - 1))
        .filter(|before| before.chars().count() <= LONGEST / 2);
    let mut quoted = match before {
        Some(before) => format!("{before} {}", line(text, index)),
        None => line(text, index),
    };
    if quoted.chars().count() > LONGEST {
        let cut: String = quoted.chars().take(LONGEST).collect();
        let words = cut
            .rsplit_once(' ')
            .map_or(cut.as_str(), |(words, _)| words);
        quoted = format!("{words}…");
    }
    quoted
}

fn line(text: &Text, index: usize) -> String {
    let sentence = text.sentences[index];
    let mut from = text.tokens[sentence.first as usize].start as usize;
    // An opening mark belongs to it.
    let mark = text.source[..from].chars().next_back();
    if let Some(mark) = mark.filter(|c| matches!(c, '¿' | '¡')) {
        from -= mark.len_utf8();
    }
    let mut whole = String::new();
    for token in &text.tokens[sentence.first as usize..sentence.last as usize] {
        if token.class & (class::URL | class::ADDRESS) != 0 {
            whole.push_str(&text.source[from..token.start as usize]);
            whole.push('…');
            from = token.end as usize;
        }
    }
    whole.push_str(&text.source[from..sentence.end as usize]);
    let words: Vec<&str> = whole.split_whitespace().collect();
    let mut line = words.join(" ");
    line.retain(|c| !c.is_control());
    // Marks of our own surround it.
    without_number(&line)
        .replace(['“', '”', '„', '«', '»'], "'")
        .trim_matches(['"', ' ', ';'])
        .to_owned()
}

/// The text behind "2. ", "2) " or "b) ".
fn without_number(line: &str) -> &str {
    let Some((mark, rest)) = line.split_once(' ') else {
        return line;
    };
    let number = mark.strip_suffix([')', '.']);
    let digits = |number: &str| number.len() <= 2 && number.bytes().all(|b| b.is_ascii_digit());
    let letter = |number: &str| mark.ends_with(')') && number.len() == 1;
    match number {
        Some(number) if !number.is_empty() && (digits(number) || letter(number)) => rest,
        _ => line,
    }
}
