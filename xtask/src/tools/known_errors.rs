//! Known errors of tools: what the tool prints, what it means, and what to do.
use terms::lang::{Both, both};

use crate::failure::Failure;

/// An error that is recognized by what the tool printed.
pub struct KnownError {
    /// What it printed contains one of these.
    pub said: &'static [&'static str],
    pub plain: Both,
    pub next: Both,
}

pub const RATE_LIMIT: KnownError = KnownError {
    said: &["toomanyrequests", "Too Many Requests"],
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

/// Puts the explanation of the first error that is recognized before the tool's output. Our own
/// words are not searched: they have paths in them, and those can have any word.
pub fn explain(error: anyhow::Error, known: &[KnownError]) -> anyhow::Error {
    let failure = error.root_cause().downcast_ref::<Failure>();
    let printed = failure.and_then(|failure| failure.printed.as_deref());
    let Some(printed) = printed else {
        return error;
    };
    let is_said = |one: &&KnownError| one.said.iter().any(|said| printed.contains(said));
    match known.iter().find(is_said) {
        Some(trouble) => error.context(Failure::preflight(trouble.plain).next(trouble.next)),
        None => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::{Kind, kind};

    #[test]
    fn no_error_is_recognized_by_the_path_of_a_log() {
        let ours = "`k3d` failed: no such node; its whole output: /toomanyrequests/T094429.log";
        for (printed, of) in [
            ("no such node", Kind::Tool),
            ("429 of 1000 layers", Kind::Tool),
            ("toomanyrequests: slow down", Kind::Preflight),
            ("unexpected status: 429 Too Many Requests", Kind::Preflight),
        ] {
            let error = anyhow::Error::from(Failure::tool(ours).printed(printed));
            let error = explain(error.context("creating the cluster"), &[RATE_LIMIT]);
            assert_eq!(kind(&error), of, "{printed}");
        }
        let unprinted = explain(Failure::tool(ours).into(), &[RATE_LIMIT]);
        assert_eq!(kind(&unprinted), Kind::Tool);
    }
}
