//! Known errors of tools: what the tool prints, what it means, and what to do.
use terms::lang::{Both, both};

use crate::failure::Failure;

/// An error that is recognized by the tool's output.
pub struct KnownError {
    /// The output contains one of these.
    pub said: &'static [&'static str],
    pub plain: Both,
    pub next: Both,
}

pub const RATE_LIMIT: KnownError = KnownError {
    said: &["toomanyrequests", "429"],
    plain: both(
        "Docker Hub refuses further downloads for a while (429)",
        "Docker Hub refuse d'autres téléchargements pour un moment (429)",
    ),
    next: both(
        "docker login, or wait an hour, then run the same command again: it goes on where it \
         stopped",
        "docker login, ou attendez une heure, puis relancez la même commande : elle reprend là où \
         elle s'est arrêtée",
    ),
};

pub const OTHER_HASH: KnownError = KnownError {
    said: &["DO NOT MATCH THE HASHES"],
    plain: both(
        "a downloaded package is not the locked one (its hash differs)",
        "un paquet téléchargé n'est pas celui du verrou (son empreinte diffère)",
    ),
    next: both(
        "check the package index or proxy in use: python3 -m pip config list",
        "vérifiez l'index des paquets ou le proxy utilisé : python3 -m pip config list",
    ),
};

/// Puts the explanation of the first error that is recognized before the tool's output.
pub fn explain(error: anyhow::Error, known: &[KnownError]) -> anyhow::Error {
    let text = format!("{error:#}");
    let is_said = |one: &&KnownError| one.said.iter().any(|said| text.contains(said));
    match known.iter().find(is_said) {
        Some(trouble) => error.context(Failure::preflight(trouble.plain).next(trouble.next)),
        None => error,
    }
}
