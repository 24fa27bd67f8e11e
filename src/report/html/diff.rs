//! Two versions of a text, by the lines that differ.

use similar::{ChangeTag, TextDiff};

/// Lines around a change that are shown with it.
const CONTEXT: usize = 1;
/// Lines of a memory that are compared: how long that takes grows with their square.
const LINES_COMPARED: usize = 2_000;

/// A sign (`+`, `-`, a space, or `…` for lines left out) and a line.
pub type Line = (char, String);

/// The lines that differ, with one around each.
pub fn lines(before: &str, after: &str) -> Vec<Line> {
    let (before, after) = (start(before), start(after));
    let diff = TextDiff::from_lines(before, after);
    let mut lines = Vec::new();
    let mut told = 0;
    for group in diff.grouped_ops(CONTEXT) {
        let Some(first) = group.first() else {
            continue;
        };
        if first.old_range().start > told {
            lines.push(('…', String::new()));
        }
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            let sign = match change.tag() {
                ChangeTag::Delete => '-',
                ChangeTag::Insert => '+',
                ChangeTag::Equal => ' ',
            };
            lines.push((
                sign,
                change.value().trim_end_matches(['\r', '\n']).to_owned(),
            ));
        }
        told = group.last().map_or(told, |last| last.old_range().end);
    }
    if !lines.is_empty() && told < before.lines().count() {
        lines.push(('…', String::new()));
    }
    lines
}

fn start(text: &str) -> &str {
    let end = text.match_indices('\n').nth(LINES_COMPARED - 1);
    &text[..end.map_or(text.len(), |(end, _)| end + 1)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_lines_that_changed_are_shown() {
        let before = "a\nb\nc\nd\ne\nf\n";
        for (case, after, shown) in [
            ("nothing", "a\nb\nc\nd\ne\nf\n", ""),
            ("one line", "a\nb\nc\nX\ne\nf\n", "…| c|-d|+X| e|…"),
            ("at the start", "X\na\nb\nc\nd\ne\nf\n", "+X| a|…"),
            ("at the end", "a\nb\nc\nd\ne\nf\ng\n", "…| f|+g"),
            ("both ends", "X\nb\nc\nd\ne\nY\n", "-a|+X| b|…| e|-f|+Y"),
        ] {
            let lines: Vec<String> = lines(before, after)
                .into_iter()
                .map(|(sign, line)| format!("{sign}{line}"))
                .collect();
            assert_eq!(lines.join("|"), shown, "{case}");
        }
        assert_eq!(lines("", "new"), [('+', "new".to_owned())]);
    }
}
