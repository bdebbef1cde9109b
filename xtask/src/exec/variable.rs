//! Shell variables in what a dry run shows, for a value that is known only where it
//! is pasted.

/// Begins and ends a variable in a word: for private use, so that nobody types it.
const MARK: char = '\u{E000}';

/// A word, or a part of one, that is shown as the value of a shell variable. The
/// shell stops there while it has none.
pub fn variable(name: &str) -> String {
    format!("{MARK}{name}{MARK}")
}

/// The shell that keeps in a variable what a command prints, and stops where it
/// prints nothing.
pub fn kept_in(name: &str, shell: &str) -> String {
    format!("{name}=$({shell})\n: \"${{{name}:?}}\"")
}

pub(super) fn is_in(text: &str) -> bool {
    text.contains(MARK)
}

/// The text with its variables as `${NAME:?}` between `quotes`, and what is around
/// them as `literal` says it.
pub(super) fn shown(text: &str, quotes: &str, literal: impl Fn(&str) -> String) -> String {
    let pieces = text.split(MARK).enumerate();
    let pieces = pieces.map(|(number, piece)| match number % 2 {
        1 => format!("{quotes}${{{piece}:?}}{quotes}"),
        _ if piece.is_empty() => String::new(),
        _ => literal(piece),
    });
    pieces.collect()
}
