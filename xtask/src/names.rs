//! The names of k8s/ that commands and scenarios speak of. A test compares
//! them with the manifests.

pub const DEPLOYMENT: &str = "flask";
pub const CRON_JOB: &str = "sqlite-backup";
pub const RESTORE_JOB: &str = "sqlite-restore";
pub const DATA_CLAIM: &str = "pra-data";
pub const BACKUP_CLAIM: &str = "pra-backup";
