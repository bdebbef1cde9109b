//! Tables: columns aligned, and no line longer than the terminal is wide.

/// A column is never made narrower than this, however narrow the terminal is.
const NARROWEST: usize = 12;
const GAP: &str = "  ";

/// The lines of a table; without a heading where all headers are empty.
/// Numbers stand on the right. Where `width` columns do not hold it, the
/// widest column of words is wrapped, and the next widest if that is not enough.
pub fn lines(headers: &[&str], rows: &[Vec<String>], width: Option<usize>) -> Vec<String> {
    let mut widths: Vec<usize> = (0..headers.len())
        .map(|column| {
            let cells = rows.iter().map(|row| count(&row[column]));
            cells.chain([count(headers[column])]).max().unwrap_or(0)
        })
        .collect();
    let numeric: Vec<bool> = (0..headers.len())
        .map(|column| {
            let mut cells = rows.iter().map(|row| row[column].as_str());
            cells.all(|cell| cell.chars().all(|c| c.is_ascii_digit() || ".-".contains(c)))
        })
        .collect();
    if let Some(width) = width {
        narrow(&mut widths, &numeric, width);
    }
    let headed = headers.iter().any(|header| !header.is_empty());
    let heading = headed.then(|| headers.iter().map(|&one| one.to_owned()).collect());
    let all = heading.iter().chain(rows);
    all.flat_map(|row| row_lines(row, &widths, &numeric))
        .collect()
}

fn count(text: &str) -> usize {
    console::measure_text_width(text)
}

/// Takes what is too much from the widest columns of words.
fn narrow(widths: &mut [usize], numeric: &[bool], width: usize) {
    let gaps = GAP.len() * widths.len().saturating_sub(1);
    loop {
        let excess = (widths.iter().sum::<usize>() + gaps).saturating_sub(width);
        let widest = (0..widths.len())
            .filter(|&column| !numeric[column] && widths[column] > NARROWEST)
            .max_by_key(|&column| widths[column]);
        let (Some(column), 1..) = (widest, excess) else {
            return;
        };
        widths[column] = widths[column].saturating_sub(excess).max(NARROWEST);
    }
}

/// A row's lines: as many as its longest cell needs.
fn row_lines(row: &[String], widths: &[usize], numeric: &[bool]) -> Vec<String> {
    let cells = row.iter().zip(widths);
    let cells: Vec<Vec<String>> = cells.map(|(cell, &width)| wrapped(cell, width)).collect();
    let height = cells.iter().map(Vec::len).max().unwrap_or(0);
    let line = |number: usize| {
        let padded = cells.iter().enumerate().map(|(column, parts)| {
            let part = parts.get(number).map_or("", String::as_str);
            let gap = " ".repeat(widths[column].saturating_sub(count(part)));
            if numeric[column] {
                format!("{gap}{part}")
            } else {
                format!("{part}{gap}")
            }
        });
        let line = padded.collect::<Vec<_>>().join(GAP);
        line.trim_end().to_owned()
    };
    (0..height).map(line).collect()
}

/// A cell's lines, broken between words; a word that is longer than the column
/// is broken within.
fn wrapped(cell: &str, width: usize) -> Vec<String> {
    if count(cell) <= width {
        return vec![cell.to_owned()];
    }
    let mut lines = vec![String::new()];
    for word in cell.split(' ') {
        let mut word = word.to_owned();
        let last = lines.last().map_or(0, |line| count(line));
        let fits = last == 0 || last + 1 + count(&word) <= width;
        if !fits {
            lines.push(String::new());
        }
        while count(&word) > width {
            let head: String = word.chars().take(width).collect();
            word = word.chars().skip(width).collect();
            push(&mut lines, &head);
            lines.push(String::new());
        }
        push(&mut lines, &word);
    }
    lines
}

fn push(lines: &mut [String], word: &str) {
    if let Some(line) = lines.last_mut() {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(cells: &[[&str; 2]]) -> Vec<Vec<String>> {
        let row = |cells: &[&str; 2]| cells.map(str::to_owned).to_vec();
        cells.iter().map(row).collect()
    }

    #[test]
    fn columns_align_and_numbers_stand_on_the_right() {
        let rows = rows(&[["créé", "9"], ["x", "120"]]);
        let said = lines(&["name", "rows"], &rows, None);
        assert_eq!(said, ["name  rows", "créé     9", "x      120"]);
    }

    #[test]
    fn a_long_cell_is_wrapped_under_its_column() {
        let rows = rows(&[
            ["promise", "the latest verified point comes back"],
            ["kept", "yes"],
        ]);
        let said = lines(&["", ""], &rows, Some(30));
        let wanted = [
            "promise  the latest verified",
            "         point comes back",
            "kept     yes",
        ];
        assert_eq!(said, wanted);
    }

    #[test]
    fn a_word_that_is_wider_than_its_column_is_broken() {
        let rows = rows(&[["kept in", ".lab/runs/2026-11-24T08-08-59-158Z-volume-loss"]]);
        let said = lines(&["", ""], &rows, Some(30));
        assert!(
            said.iter().all(|line| line.chars().count() <= 30),
            "{said:?}"
        );
        let joined: String = said.iter().map(|line| line[9..].trim()).collect();
        assert_eq!(joined, ".lab/runs/2026-11-24T08-08-59-158Z-volume-loss");
    }

    #[test]
    fn a_terminal_that_is_too_narrow_for_anything_still_gets_every_word() {
        let rows = rows(&[["a b c d e f g h i j k", "1234567890123456789012345"]]);
        let said = lines(&["words", "number"], &rows, Some(5)).join(" ");
        assert!(
            said.contains("1234567890123456789012345") && said.contains('k'),
            "{said}"
        );
    }
}
