//! Why tools fail on students' machines: what they say, in plain words, and
//! the way out.

use crate::failure::Failure;

/// A trouble that is known by what a tool says.
pub struct Trouble {
    /// Any of these is said.
    pub said: &'static [&'static str],
    pub plain: &'static str,
    pub next: &'static str,
}

pub const RATE_LIMIT: Trouble = Trouble {
    said: &["toomanyrequests", "429"],
    plain: "Docker Hub refuses further downloads for a while (429)",
    next: "docker login, or wait an hour, then run the same command again: it goes on where it \
           stopped",
};

pub const OTHER_HASH: Trouble = Trouble {
    said: &["DO NOT MATCH THE HASHES"],
    plain: "a downloaded package is not the locked one (its hash differs)",
    next: "check the package index or proxy in use: python3 -m pip config list",
};

/// Puts the first trouble that is recognized before what the tool said.
pub fn explain(error: anyhow::Error, known: &[Trouble]) -> anyhow::Error {
    let text = format!("{error:#}");
    let is_said = |one: &&Trouble| one.said.iter().any(|said| text.contains(said));
    match known.iter().find(is_said) {
        Some(trouble) => error.context(Failure::preflight(trouble.plain).next(trouble.next)),
        None => error,
    }
}
