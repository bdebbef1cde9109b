//! One module a command, each with a `run`.

pub mod completions;
