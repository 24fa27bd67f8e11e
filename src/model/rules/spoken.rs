//! A person's own words about their mail: phrases of `wishes` found in them.

use std::ops::Range;

use super::book::{Book, WishCue};
use super::segment::prefix;
use super::text::{Text, class, folded};

/// What is read of one text, in bytes. A preference is a sentence.
const MOST_BYTES: usize = 16 * 1024;

pub(super) struct Spoken {
    pub text: Text,
    pub cues: Vec<Found>,
    /// What stands between quotation marks, in bytes.
    quotes: Vec<Range<usize>>,
}

/// A cue at tokens `first..last`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    pub cue: WishCue,
    pub first: usize,
    pub last: usize,
}

impl Spoken {
    /// Finds those of `wanted` that stand outside of quotation marks. Of cues that overlap,
    /// the one that begins first counts, and of those the longest.
    pub fn new(book: &Book, text: &str, wanted: &[WishCue]) -> Spoken {
        let text = Text::new(prefix(text, MOST_BYTES).to_owned());
        let quotes = quotes(&text.source);
        let mut cues: Vec<Found> = Vec::new();
        for hit in book.wishes.find(&text) {
            let found = Found {
                cue: WishCue::ALL[hit.payload as usize],
                first: hit.first as usize,
                last: hit.last as usize,
            };
            let start = text.tokens[found.first].start as usize;
            if !wanted.contains(&found.cue) || quotes.iter().any(|quote| quote.contains(&start)) {
                continue;
            }
            match cues.last_mut() {
                Some(before) if before.last > found.first => {
                    if before.first == found.first && before.last < found.last {
                        *before = found;
                    }
                }
                _ => cues.push(found),
            }
        }
        Spoken { text, cues, quotes }
    }

    /// Sentences that do not begin within quotation marks.
    pub fn sentences(&self) -> impl Iterator<Item = usize> {
        (0..self.text.sentences.len()).filter(|index| {
            let first = self.text.sentences[*index].first as usize;
            let start = self.text.tokens[first].start as usize;
            !self
                .quotes
                .iter()
                .any(|quote| quote.start < start && quote.contains(&start))
        })
    }

    pub fn cues_in(&self, sentence: usize) -> impl Iterator<Item = &Found> {
        let within = self.text.sentences[sentence];
        let (first, last) = (within.first as usize, within.last as usize);
        self.cues
            .iter()
            .filter(move |found| (first..last).contains(&found.first))
    }

    pub fn first(&self, sentence: usize, cue: WishCue) -> Option<&Found> {
        self.cues_in(sentence).find(|found| found.cue == cue)
    }

    pub fn has(&self, sentence: usize, cue: WishCue) -> bool {
        self.first(sentence, cue).is_some()
    }

    /// A word in lower case, without accents.
    pub fn word(&self, token: usize) -> String {
        folded(self.text.token(token))
    }

    pub fn is_capital(&self, token: usize) -> bool {
        self.text.tokens[token].class & class::CAPITAL != 0
    }

    /// Bytes from the end of a cue to the next one that `ends` it, or to the end of its
    /// sentence; in quotation marks a sentence goes on.
    pub fn after(&self, found: &Found, ends: impl Fn(&Found) -> bool) -> Range<usize> {
        let start = self.text.tokens[found.last - 1].end as usize;
        let sentence = self.text.tokens[found.first].sentence as usize;
        let next = self
            .cues_in(sentence)
            .find(|next| next.first >= found.last && ends(next));
        let mut end = match next {
            Some(next) => self.text.tokens[next.first].start as usize,
            None => self.text.sentences[sentence].end as usize,
        };
        for quote in &self.quotes {
            if (start..end).contains(&quote.start) {
                end = end.max(quote.end);
            }
        }
        start..end
    }

    /// The first text in quotation marks that begins within `range`, unless `instead` of it
    /// another one is wanted.
    pub fn quote_in(&self, range: Range<usize>) -> Option<&str> {
        let is_wanted = |quote: &&Range<usize>| {
            let before = self.cues.iter().rfind(|found| {
                let end = self.text.tokens[found.last - 1].end as usize;
                end <= quote.start && quote.start - end <= 2
            });
            before.is_none_or(|found| found.cue != WishCue::Instead)
        };
        self.quotes
            .iter()
            .filter(|quote| range.contains(&quote.start))
            .find(is_wanted)
            .map(|quote| self.text.source[quote.clone()].trim())
            .filter(|quote| !quote.is_empty())
    }

    /// Tokens that lie in a range of bytes.
    pub fn tokens_in(&self, range: &Range<usize>) -> Range<usize> {
        let at = |byte: usize| {
            self.text
                .tokens
                .partition_point(|token| (token.start as usize) < byte)
        };
        at(range.start)..at(range.end)
    }

    /// Tokens of `range` that follow each other with nothing but a space between them, while
    /// `goes_on`.
    pub fn run(&self, range: Range<usize>, goes_on: impl Fn(usize) -> bool) -> Range<usize> {
        let tokens = self.tokens_in(&range);
        let mut end = tokens.start;
        while end < tokens.end && goes_on(end) {
            if end > tokens.start {
                let gap =
                    self.text.tokens[end - 1].end as usize..self.text.tokens[end].start as usize;
                if self.text.source[gap].trim() != "" {
                    break;
                }
            }
            end += 1;
        }
        tokens.start..end
    }

    /// The source of some tokens.
    pub fn source(&self, tokens: Range<usize>) -> &str {
        if tokens.is_empty() {
            return "";
        }
        let first = self.text.tokens[tokens.start].start as usize;
        &self.text.source[first..self.text.tokens[tokens.end - 1].end as usize]
    }
}

/// Whether `text` begins with a phrase of `cue`, and how many of its tokens that takes.
pub(super) fn begins_with(book: &Book, text: &str, cue: WishCue) -> Option<usize> {
    let text = Text::new(prefix(text, 200).to_owned());
    book.wishes
        .find(&text)
        .into_iter()
        .filter(|hit| hit.first == 0 && WishCue::ALL[hit.payload as usize] == cue)
        .map(|hit| hit.last as usize)
        .max()
}

/// Ranges between quotation marks. A single mark opens only before a word, and closes only
/// behind one, so that it is no apostrophe.
fn quotes(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut open: Option<(usize, char)> = None;
    let mut before = ' ';
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let next = chars.peek().map_or(' ', |(_, next)| *next);
        match open {
            None => {
                let closing = match c {
                    '"' => Some('"'),
                    '“' | '„' => Some('”'),
                    '«' => Some('»'),
                    '\'' | '‘' if !before.is_alphanumeric() && next.is_alphanumeric() => {
                        Some('\'')
                    }
                    _ => None,
                };
                open = closing.map(|closing| (at + c.len_utf8(), closing));
            }
            Some((start, closing)) => {
                let closes = match closing {
                    '\'' => matches!(c, '\'' | '’') && !next.is_alphanumeric(),
                    '”' => matches!(c, '”' | '“' | '"'),
                    other => c == other,
                };
                if closes {
                    found.push(start..at);
                    open = None;
                }
            }
        }
        before = c;
    }
    found
}
