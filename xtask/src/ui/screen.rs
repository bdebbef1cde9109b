//! A terminal as a picture that is drawn again and again, on the terminal's second screen, so
//! that what was there before is there again afterwards.

use std::io::{Read as _, Write as _};

use console::Term;
use nix::sys::termios::{self, LocalFlags, SetArg, SpecialCharacterIndices, Termios};

use super::table;

const OTHER_SCREEN: &str = "\x1b[?1049h";
const FIRST_SCREEN: &str = "\x1b[?1049l";
const TO_THE_END_OF_THE_LINE: &str = "\x1b[K";

/// Leaves the terminal as it was when it is dropped.
pub struct Screen {
    term: Term,
    /// How standard input was, where it is a terminal as well.
    input: Option<Termios>,
}

impl Screen {
    /// Takes the terminal that standard output is.
    pub fn take() -> Self {
        let mut term = Term::buffered_stdout();
        // A terminal that went away ends the program by SIGHUP.
        let _ = write!(term, "{OTHER_SCREEN}").and_then(|()| term.hide_cursor());
        let _ = term.flush();
        Self {
            term,
            input: keys_alone(),
        }
    }

    /// Draws a heading, rows of a name and a value, and a last line, as far as the terminal
    /// has room.
    pub fn draw(&mut self, heading: &str, rows: &[Vec<String>], foot: &str) {
        let (height, width) = self.term.size();
        let lines = lines(heading, rows, foot, usize::from(height), usize::from(width));
        let drawn = self.term.move_cursor_to(0, 0).and_then(|()| {
            write!(
                self.term,
                "{}{TO_THE_END_OF_THE_LINE}",
                lines.join(&format!("{TO_THE_END_OF_THE_LINE}\r\n"))
            )?;
            self.term.clear_to_end_of_screen()?;
            self.term.flush()
        });
        // As above.
        let _ = drawn;
    }

    /// Whether `q` was typed since this was asked last.
    pub fn closes(&self) -> bool {
        let mut typed = [0; 64];
        let some = self
            .input
            .as_ref()
            .map(|_| std::io::stdin().read(&mut typed));
        matches!(some, Some(Ok(count)) if typed[..count].iter().any(|key| b"qQ".contains(key)))
    }
}

/// Has standard input hand on each key as it is typed, and show none; ctrl-C stays what it is.
/// Returns how it was; `None` where it is no terminal.
fn keys_alone() -> Option<Termios> {
    let stdin = std::io::stdin();
    let before = termios::tcgetattr(&stdin).ok()?;
    let mut keys = before.clone();
    keys.local_flags -= LocalFlags::ICANON | LocalFlags::ECHO;
    keys.control_chars[SpecialCharacterIndices::VMIN as usize] = 0;
    keys.control_chars[SpecialCharacterIndices::VTIME as usize] = 0;
    termios::tcsetattr(&stdin, SetArg::TCSANOW, &keys).ok()?;
    Some(before)
}

impl Drop for Screen {
    fn drop(&mut self) {
        if let Some(before) = &self.input {
            // As above.
            let _ = termios::tcsetattr(std::io::stdin(), SetArg::TCSANOW, before);
        }
        let _ = self.term.show_cursor();
        let _ = write!(self.term, "{FIRST_SCREEN}").and_then(|()| self.term.flush());
    }
}

/// The picture for a terminal of that size: the heading and the last line always, and of the
/// rows what has room between them.
fn lines(
    heading: &str,
    rows: &[Vec<String>],
    foot: &str,
    height: usize,
    width: usize,
) -> Vec<String> {
    let mut lines = vec![heading.to_owned(), String::new()];
    lines.extend(table::lines(&["", ""], rows, Some(width)));
    lines.truncate(height.saturating_sub(2).max(1));
    lines.extend([String::new(), foot.to_owned()]);
    let cut = |line: String| console::truncate_str(&line, width, "…").into_owned();
    lines.into_iter().map(cut).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_never_has_more_lines_or_columns_than_the_terminal() {
        let row = |n: usize| vec![format!("name {n}"), "several words of a value ".repeat(9)];
        let rows: Vec<_> = (0..40).map(row).collect();
        for (height, width) in [(24, 80), (10, 40), (60, 200)] {
            let lines = lines("the heading", &rows, "q ends it", height, width);
            assert!(lines.len() <= height, "{height}: {}", lines.len());
            let widest = lines.iter().map(|line| console::measure_text_width(line));
            assert!(widest.max() <= Some(width), "{width}");
            assert_eq!(lines.first().unwrap(), "the heading");
            assert_eq!(lines.last().unwrap(), "q ends it");
        }
    }
}
