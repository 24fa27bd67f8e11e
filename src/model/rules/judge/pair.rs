//! Which of two runs answers more of the email.

use super::criteria::Case;
use super::material::Shown;
use super::prose::{Prose, Sentence, Word};
use super::{Finding, Found};
use crate::model::rules::book::Book;

/// Questions of the email that are looked at.
const QUESTIONS: usize = 12;

/// What one side did about the email.
struct Side {
    sent: bool,
    /// Questions of the email that it says something about.
    answered: usize,
    /// Words of it that do.
    quote: Option<String>,
}

/// The first is better where it sent a mail and the second none, and else where it answers
/// more of the questions. Two that answer as many cannot be told apart by words.
pub(super) fn judge(book: &Book, shown: &Shown) -> Finding {
    let [first, second] = ["The first", "The second"].map(|heading| {
        let shown = Shown::within(shown.text(heading).unwrap_or_default());
        Side::read(book, &shown)
    });
    let told = match (first.sent, second.sent) {
        (true, true) => format!(
            "The first answers {} of the email's questions, the second {}",
            first.answered, second.answered
        ),
        (true, false) => "Only the first sent a mail".to_owned(),
        (false, true) => "Only the second sent a mail".to_owned(),
        (false, false) => "Neither sent a mail".to_owned(),
    };
    let rank = |side: &Side| (side.sent, side.answered);
    let (found, quote) = match rank(&first).cmp(&rank(&second)) {
        std::cmp::Ordering::Greater => (Found::Met, first.quote),
        std::cmp::Ordering::Less => (Found::Unmet, second.quote),
        std::cmp::Ordering::Equal => (Found::Unsure, None),
    };
    Finding::new(found, &told, quote)
}

impl Side {
    fn read(book: &Book, shown: &Shown) -> Side {
        let case = Case::read(book, shown);
        let questions = case.asked.said().filter(|(_, sentence)| sentence.question);
        let mut side = Side {
            sent: !case.mails.is_empty(),
            answered: 0,
            quote: None,
        };
        for (_, question) in questions.take(QUESTIONS) {
            if let Some((prose, sentence)) = answer(&case, case.asked.words_of(question)) {
                side.answered += 1;
                side.quote = side.quote.or_else(|| Some(prose.quote(sentence)));
            }
        }
        side.quote = side.quote.or_else(|| {
            let mut mails = case.mails.iter();
            mails.find_map(|(mail, _)| {
                let line = mail.body.lines().find(|line| !line.trim().is_empty())?;
                Some(line.trim().chars().take(200).collect())
            })
        });
        side
    }
}

/// The sentence of the mail that says something about a question: it has a third of its words,
/// and where it repeats the email, something that the email does not have.
fn answer<'a>(case: &'a Case<'_>, question: &[Word]) -> Option<(&'a Prose, usize)> {
    let wanted: Vec<&Word> = question.iter().filter(|word| is_content(word)).collect();
    let answers = |prose: &Prose, sentence: &Sentence| {
        let said = prose.words_of(sentence);
        let is_said = |word: &&&Word| said.iter().any(|other| word.matches(other));
        let shared = wanted.iter().filter(is_said).count();
        let is_new = |word: &&Word| {
            let mut known = case.asked.words.iter();
            is_content(word) && !known.any(|other| word.matches(other))
        };
        let adds = !sentence.moments.is_empty() || said.iter().filter(is_new).count() > 0;
        shared > 0 && shared * 3 >= wanted.len() && (adds || !sentence.echo)
    };
    let found = case
        .said()
        .find(|(prose, _, sentence)| !sentence.question && answers(prose, sentence));
    found.map(|(prose, index, _)| (prose, index))
}

/// Words of four letters or more, and numbers: the others say little of what a sentence is
/// about.
fn is_content(word: &Word) -> bool {
    word.folded.chars().count() >= 4 || word.folded.chars().any(|c| c.is_ascii_digit())
}
