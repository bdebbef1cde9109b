//! What went wrong, in the terms of the exit codes that scripts rely on.

use std::fmt;
use terms::tr;

/// Why a command failed. The number is the exit code of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The lab ran and a promise was broken: data lost beyond the objective,
    /// a failed verification.
    Promise = 1,
    /// Wrong use or configuration.
    Usage = 2,
    /// This machine lacks something.
    Preflight = 3,
    /// A tool failed.
    Tool = 4,
    /// A wait ran out.
    Timeout = 5,
    /// Ctrl-C, or the terminal went away.
    Interrupted = 130,
}

impl Kind {
    /// What an exit code of the package means, which counts as we do.
    pub fn of_pra(code: i32) -> Self {
        match code {
            1 => Self::Promise,
            2 => Self::Usage,
            5 => Self::Timeout,
            _ => Self::Tool,
        }
    }
}

/// One failure: what was being done and what happened, and the command that
/// comes next.
#[derive(Debug)]
pub struct Failure {
    pub kind: Kind,
    pub message: String,
    pub next: Option<String>,
    /// What the tool that failed printed, without a word of ours.
    pub printed: Option<String>,
}

impl Failure {
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            next: None,
            printed: None,
        }
    }

    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Kind::Usage, message)
    }

    pub fn preflight(message: impl Into<String>) -> Self {
        Self::new(Kind::Preflight, message)
    }

    pub fn promise(message: impl Into<String>) -> Self {
        Self::new(Kind::Promise, message)
    }

    pub fn tool(message: impl Into<String>) -> Self {
        Self::new(Kind::Tool, message)
    }

    pub fn timeout(message: impl Into<String>) -> Self {
        Self::new(Kind::Timeout, message)
    }

    pub fn interrupted() -> Self {
        Self::new(Kind::Interrupted, tr!("interrupted", "interrompu")).next(tr!(
            "run the same command again: it carries on from what is already done",
            "relancez la même commande : elle reprend là où elle en était",
        ))
    }

    /// The command (or the act) that comes next for the person who reads this.
    #[must_use]
    pub fn next(mut self, next: impl Into<String>) -> Self {
        self.next = Some(next.into());
        self
    }

    /// What the tool printed, for whoever recognizes errors by it.
    #[must_use]
    pub fn printed(mut self, printed: impl Into<String>) -> Self {
        self.printed = Some(printed.into());
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

/// The kind of the outermost [`Failure`]; an error that nobody classified came
/// from something we called. What an interrupt cut off failed of nothing else,
/// whatever was being done.
pub fn kind(error: &anyhow::Error) -> Kind {
    let cause = error.root_cause().downcast_ref::<Failure>();
    let interrupt = cause.filter(|failure| failure.kind == Kind::Interrupted);
    let failure = interrupt.or_else(|| find(error));
    failure.map_or(Kind::Tool, |failure| failure.kind)
}

/// The next command, as the outermost [`Failure`] knows it.
pub fn next(error: &anyhow::Error) -> Option<&str> {
    find(error)?.next.as_deref()
}

/// How a person at this prompt types a verb of the package; `after` is what follows it. `None`
/// where that is no command here: in a lab it is run where the package is.
fn here(verb: &str, after: &str) -> Option<&'static str> {
    let option = after.split_whitespace().next().unwrap_or_default();
    let known = match (verb, option) {
        ("points", _) => "restore --list",
        ("log", _) => "restore --log",
        // There it takes what its environment names.
        ("restore", "--plan" | "--force") => "restore latest",
        ("restore", _) => "restore",
        ("backup", _) => "backup",
        ("prune", _) => "prune",
        ("undo", "--force" | "--take-over") | ("adopt", "--check" | "--take-over") => return None,
        ("undo", _) => "undo",
        ("adopt", _) => "adopt",
        ("offsite", "push" | "list" | "verify") => "offsite",
        _ => return None,
    };
    Some(known)
}

/// The package's "next" as a person at this prompt types it, as far as there is a command for
/// it.
pub fn typed(next: &str) -> String {
    const THEIRS: &str = "python -m pra ";
    let mut parts = next.split(THEIRS);
    let mut said = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(|c: char| !c.is_ascii_lowercase());
        let (verb, after) = part.split_at(end.unwrap_or(part.len()));
        match here(verb, after) {
            Some(ours) => said.push_str(&format!("cargo xtask {ours}{after}")),
            None => said.push_str(&format!("{THEIRS}{part}")),
        }
    }
    said.replace("--to-before", "cargo xtask restore --to-before")
        .replace("restore cargo xtask restore", "restore")
}

fn find(error: &anyhow::Error) -> Option<&Failure> {
    // Not through `chain()`, which hides what was added as context.
    error.downcast_ref()
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context;

    #[test]
    fn the_kind_survives_added_context() {
        let error = Err::<(), _>(Failure::preflight("no venv").next("apt install python3-venv"))
            .context("preparing Python")
            .unwrap_err();
        assert_eq!(kind(&error), Kind::Preflight);
        assert_eq!(next(&error), Some("apt install python3-venv"));
        assert_eq!(format!("{error:#}"), "preparing Python: no venv");
    }

    #[test]
    fn a_failure_added_as_context_decides() {
        let inner = anyhow::Error::from(Failure::tool("pip failed").next("read the log"));
        let error = inner.context(Failure::preflight("no network").next("check the proxy"));
        assert_eq!(kind(&error), Kind::Preflight);
        assert_eq!(next(&error), Some("check the proxy"));
        assert_eq!(format!("{error:#}"), "no network: pip failed");
    }

    #[test]
    fn an_interrupt_is_one_whatever_it_cut_off() {
        let inner = anyhow::Error::from(Failure::interrupted()).context("waiting");
        let error = inner.context(Failure::timeout("the supervisor does not end"));
        assert_eq!(kind(&error), Kind::Interrupted);
    }

    #[test]
    fn the_next_command_is_one_of_ours() {
        // The page of the application tells them too, and is held to the same cases.
        let cases = include_str!("../../app/tests/typed.json");
        let cases: Vec<(String, String)> = serde_json::from_str(cases).unwrap();
        assert!(!cases.is_empty());
        for (theirs, ours) in cases {
            assert_eq!(typed(&theirs), ours);
        }
    }

    #[test]
    fn an_unclassified_error_counts_as_a_tool_that_failed() {
        assert_eq!(kind(&anyhow::anyhow!("disk on fire")), Kind::Tool);
    }
}
