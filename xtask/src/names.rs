//! The names of k8s/ that commands and scenarios speak of. A test compares
//! them with the manifests.

/// What tells the lab's objects from others, as a label and as what selects it.
pub const PART_OF: &str = "app.kubernetes.io/part-of=atelier-pra";

/// The same, as the label and its value.
pub fn part_of() -> (&'static str, &'static str) {
    PART_OF.split_once('=').unwrap_or_default()
}

/// Of ha/: the cluster of the database's instances.
pub const DATABASE: &str = "pg";
pub const DEPLOYMENT: &str = "flask";
pub const CRON_JOB: &str = "sqlite-backup";
pub const RESTORE_JOB: &str = "sqlite-restore";
pub const DATA_CLAIM: &str = "pra-data";
pub const BACKUP_CLAIM: &str = "pra-backup";
