//! What a person types for what the engine does.

use crate::exec::quote;
use crate::facts::JobSource;

/// The command that runs a script in a replica's place.
pub(super) fn python_words(script: &str) -> String {
    format!("cargo xtask local python {}", quote(script))
}

/// The words of `cargo xtask local` that run the same job.
pub(super) fn job_words(name: &str, source: &JobSource) -> String {
    let (kind, env) = match source {
        JobSource::Backup => ("backup", &[][..]),
        JobSource::Restore { env } => ("restore", env.as_slice()),
    };
    let set: String = env
        .iter()
        .map(|(key, value)| format!(" --env {}", quote(&format!("{key}={value}"))))
        .collect();
    format!("job {kind} --name {}{set}", quote(name))
}
