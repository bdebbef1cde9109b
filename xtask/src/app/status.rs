//! What `/status` of the application says: what every one of them has as fields, and the rest
//! through functions, since the lab with PostgreSQL says other things than the one with SQLite.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;
use terms::Protection;

use crate::http;
use crate::names;

/// The answer of `/status`.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Status {
    /// Rows; `None` where the database is too damaged to count them.
    pub count: Option<u64>,
    pub last_backup_file: Option<String>,
    pub backup_age_seconds: Option<f64>,
    pub protection: Protection,
    pub needs_restore: bool,
    /// What a person should know of the protection.
    #[serde(default)]
    pub notices: Vec<Notice>,
    /// The room on the volumes, `data` and `backup`.
    #[serde(default)]
    pub volumes: BTreeMap<String, Room>,
    #[serde(flatten)]
    more: serde_json::Map<String, Value>,
}

/// What is the matter, and what to do about it.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Notice {
    pub what: String,
    pub next: String,
}

/// The room on a volume, in bytes.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Room {
    /// The declared size; `None` where only the file system limits it.
    pub size: Option<u64>,
    pub used: u64,
    pub free: u64,
    /// There is no room for the next write (data), or for the next point and the
    /// journal (backup).
    pub full: bool,
}

impl Status {
    /// The room on the volume of a claim.
    pub fn room(&self, claim: &str) -> Option<&Room> {
        let name = match claim {
            names::DATA_CLAIM => "data",
            names::BACKUP_CLAIM => "backup",
            _ => return None,
        };
        self.volumes.get(name)
    }

    /// Why the next write would not be protected.
    pub fn unprotected(&self) -> Option<&str> {
        self.more.get("unprotected")?.as_str()
    }

    /// How many restore points there are.
    pub fn points(&self) -> Option<u64> {
        self.more.get("points")?.as_u64()
    }

    /// What the servers promise of the journal, as PRA_JOURNAL has it.
    pub fn journal(&self) -> Option<&str> {
        self.more.get("journal")?.as_str()
    }

    /// Which of the two copies of the registry are away.
    pub fn registry_lacks(&self) -> Vec<String> {
        self.said("registry").unwrap_or_default()
    }

    /// The other instances of a replicated database; `None` where the role may not see them.
    pub fn standbys(&self) -> Option<Vec<Standby>> {
        self.said("replicas")
    }

    /// Of copies elsewhere; `None` from an application that makes none, or has no word on them.
    pub fn copies(&self) -> Option<Copies> {
        self.said("offsite")
    }

    /// A field that not every application has; `None` where it is null or of another kind too.
    fn said<T: DeserializeOwned>(&self, field: &str) -> Option<T> {
        serde_json::from_value(self.more.get(field)?.clone()).ok()
    }
}

/// An instance that follows the primary, as that sees it.
#[derive(Debug, Deserialize)]
pub struct Standby {
    pub name: String,
    pub state: Option<String>,
    pub lag_bytes: Option<i64>,
    pub lag_seconds: Option<f64>,
}

/// How far copies elsewhere go.
#[derive(Debug, Deserialize)]
pub struct Copies {
    /// By how much they are behind; `None` where they do not lead to the present yet.
    pub lag_seconds: Option<f64>,
    /// The last try to copy did not succeed.
    pub failing: bool,
    /// When all of them was read back and found whole, in seconds since 1970.
    pub proven_epoch: Option<f64>,
}

pub fn status(url: &str) -> Result<Status> {
    let body = http::get_ok(url, "/status", &[])?;
    serde_json::from_value(body).context("reading the application's status")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn status(more: Value) -> Status {
        let mut said = json!({"count": 7, "protection": "journal", "needs_restore": false});
        let said_more = more.as_object().unwrap().clone();
        said.as_object_mut().unwrap().extend(said_more);
        serde_json::from_value(said).unwrap()
    }

    #[test]
    fn an_application_that_says_nothing_of_a_thing_is_asked_all_the_same() {
        let nothing = json!({"offsite": null, "replicas": null, "registry": null,
            "unprotected": null, "points": null, "journal": null});
        for silent in [status(json!({})), status(nothing)] {
            assert!(silent.copies().is_none());
            assert!(silent.standbys().is_none());
            assert!(silent.registry_lacks().is_empty());
            assert_eq!(silent.unprotected(), None);
            assert_eq!(silent.points(), None);
            assert_eq!(silent.journal(), None);
        }
        let copied = json!({"offsite": {"lag_seconds": null, "failing": true}});
        let copies = status(copied).copies().unwrap();
        assert!(copies.failing);
        assert_eq!((copies.lag_seconds, copies.proven_epoch), (None, None));
        let standbys = json!({"replicas": [{"name": "pg-2", "state": null}]});
        assert_eq!(status(standbys).standbys().unwrap()[0].name, "pg-2");
    }
}
