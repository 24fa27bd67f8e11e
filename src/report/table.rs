//! Tables that fit a given width.

use comfy_table::presets::NOTHING;
use comfy_table::{
    CellAlignment, ColumnConstraint, ContentArrangement, LineStyle, Table, TableStyle, Width,
};
use unicode_width::UnicodeWidthStr;

/// Spaces between columns.
const GAP: usize = 2;
/// Spaces between tables that stand side by side.
const MARGIN: usize = 4;
/// The least that the column of names may take, however narrow the page is.
const LEAST_NAME: usize = 16;

/// A rule under the headers and no other lines.
const STYLE: TableStyle = NOTHING.header_separator(LineStyle::none().fill('─'));

/// Lays out rows under their headers, in at most `width` columns of text.
///
/// The first column names the row: it stands on the left and is wrapped when it is long.
/// The others hold figures, right-aligned. Where not all of them fit side by side, the
/// table goes on in further blocks, each with the names again, so that nothing is cut.
/// Text must be escaped already; `header` is given the line of headers to style.
pub(super) fn render(
    headers: &[&str],
    rows: &[Vec<String>],
    width: usize,
    header: impl Fn(&str) -> String,
) -> String {
    let widths: Vec<usize> = (0..headers.len())
        .map(|column| {
            let cells = rows.iter().map(|row| row[column].width());
            cells.fold(headers[column].width(), usize::max)
        })
        .collect();
    let names = widths[0].min((width / 3).max(LEAST_NAME));
    let mut blocks = vec![vec![0]];
    let mut used = names;
    for (column, figures) in widths.iter().enumerate().skip(1) {
        let fits = used + GAP + figures <= width;
        match blocks.last_mut() {
            Some(columns) if fits || columns.len() == 1 => columns.push(column),
            _ => {
                blocks.push(vec![0, column]);
                used = names;
            }
        }
        used += GAP + figures;
    }
    let blocks: Vec<String> = blocks
        .iter()
        .map(|columns| {
            let figures: usize = columns[1..]
                .iter()
                .map(|&column| GAP + widths[column])
                .sum();
            let names = widths[0].min(width.saturating_sub(figures)).max(names);
            let text = block(headers, rows, columns, names);
            match text.split_once('\n') {
                Some((first, rest)) => format!("{}\n{rest}", header(first)),
                None => text,
            }
        })
        .collect();
    blocks.join("\n\n")
}

fn block(headers: &[&str], rows: &[Vec<String>], columns: &[usize], names: usize) -> String {
    let mut table = Table::new();
    table
        .load_style(STYLE)
        .force_no_tty()
        .set_content_arrangement(ContentArrangement::Dynamic)
        // The columns were chosen to fit; only the names are to be wrapped.
        .set_width(u16::MAX)
        .set_header(columns.iter().map(|&column| headers[column]));
    for row in rows {
        table.add_row(columns.iter().map(|&column| row[column].as_str()));
    }
    for (index, column) in table.column_iter_mut().enumerate() {
        if index == 0 {
            column.set_padding((0, 0));
            let most = Width::Fixed(u16::try_from(names).unwrap_or(u16::MAX));
            column.set_constraint(ColumnConstraint::UpperBoundary(most));
        } else {
            column.set_padding((GAP as u16, 0));
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.trim_fmt()
}

/// Puts as many blocks of lines beside each other as `width` allows, in reading order.
pub(super) fn side_by_side(blocks: &[String], width: usize) -> String {
    let mut shelves: Vec<Vec<&str>> = Vec::new();
    let mut used = 0;
    for block in blocks {
        let needs = MARGIN + block_width(block);
        match shelves.last_mut() {
            Some(shelf) if used + needs <= width => {
                shelf.push(block);
                used += needs;
            }
            _ => {
                shelves.push(vec![block]);
                used = needs - MARGIN;
            }
        }
    }
    let shelves: Vec<String> = shelves.iter().map(|shelf| join(shelf)).collect();
    shelves.join("\n\n")
}

fn join(blocks: &[&str]) -> String {
    let height = blocks.iter().map(|block| block.lines().count()).max();
    let lines: Vec<String> = (0..height.unwrap_or(0))
        .map(|number| {
            let mut text = String::new();
            for block in blocks {
                let line = block.lines().nth(number).unwrap_or_default();
                text.push_str(line);
                let rest = block_width(block) - visible_width(line) + MARGIN;
                text.push_str(&" ".repeat(rest));
            }
            text.trim_end().to_owned()
        })
        .collect();
    lines.join("\n")
}

fn block_width(block: &str) -> usize {
    block.lines().map(visible_width).max().unwrap_or(0)
}

/// Columns on the screen, the escape sequences of styles left out.
fn visible_width(line: &str) -> usize {
    let mut width = 0;
    let mut rest = line;
    while let Some((before, sequence)) = rest.split_once('\x1b') {
        width += before.width();
        rest = sequence.split_once('m').map_or("", |(_, after)| after);
    }
    width + rest.width()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(rows: &[&[&str]]) -> Vec<Vec<String>> {
        rows.iter()
            .map(|row| row.iter().map(|cell| (*cell).to_owned()).collect())
            .collect()
    }

    #[test]
    fn columns_that_do_not_fit_go_on_below() {
        let rows = rows(&[
            &["baseline@rules", "78.3%", "0.81", "12"],
            &["日本@rules", "8.3%", "–", "3"],
        ]);
        let headers = ["variant", "pass rate", "macro F1", "errors"];
        insta::assert_snapshot!(render(&headers, &rows, 60, str::to_owned), @r"
        variant         pass rate  macro F1  errors
        ───────────────────────────────────────────
        baseline@rules      78.3%      0.81      12
        日本@rules           8.3%         –       3
        ");
        insta::assert_snapshot!(render(&headers, &rows, 40, str::to_owned), @r"
        variant         pass rate  macro F1
        ───────────────────────────────────
        baseline@rules      78.3%      0.81
        日本@rules           8.3%         –

        variant         errors
        ──────────────────────
        baseline@rules      12
        日本@rules           3
        ");
    }

    #[test]
    fn long_names_are_wrapped_and_figures_are_not() {
        let rows = rows(&[&[
            "workflow@openai:gpt-with-a-very-long-name-2026-08-07",
            "78.3%",
        ]]);
        let table = render(&["variant", "pass rate"], &rows, 42, str::to_owned);
        insta::assert_snapshot!(table, @r"
        variant                          pass rate
        ──────────────────────────────────────────
        workflow@openai:gpt-with-a-very      78.3%
        -long-name-2026-08-07
        ");
    }

    #[test]
    fn tables_stand_side_by_side_where_there_is_room() {
        let blocks = ["one\nlonger line".to_owned(), "two\n2\n2".to_owned()];
        insta::assert_snapshot!(side_by_side(&blocks, 40), @r"
        one            two
        longer line    2
                       2
        ");
        insta::assert_snapshot!(side_by_side(&blocks, 12), @r"
        one
        longer line

        two
        2
        2
        ");
    }

    #[test]
    fn styles_have_no_width() {
        let blocks = ["\x1b[1mone\x1b[0m\n1".to_owned(), "two\n2".to_owned()];
        assert_eq!(
            side_by_side(&blocks, 40),
            "\x1b[1mone\x1b[0m    two\n1      2"
        );
    }
}
