//! The desired state, which the supervisor brings about. It is on disk, so that another one that
//! takes over after a `kill -9` carries on with the same port and the same
//! replicas.

use std::fs;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use terms::tr;

use crate::exec::quote_path;
use crate::failure::Failure;
use crate::manifests::{self, declared::Manifests};
use crate::offsite::{Settings, store};
use crate::workspace::{Workspace, write_file};

use super::paths;
use crate::cron::Minute;

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct DesiredState {
    /// The port of the service, once one was taken.
    pub port: Option<u16>,
    pub replicas: u32,
    pub suspended: bool,
    /// Of the last pod: names are never used twice.
    pub serial: u64,
    /// The last minute whose scheduled run was started.
    pub last_run: Minute,
    /// What watches it, where a person asked for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watching: Option<Wanted>,
    /// Copies elsewhere, where those are to be made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copying: Option<Copies>,
}

/// Copies elsewhere that are to be made.
#[derive(Clone, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
pub struct Copies {
    pub settings: Settings,
    /// The store that they go to, where the lab runs it.
    pub store: Option<store::Wanted>,
}

/// A Prometheus that is wanted beside the replicas.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
pub struct Wanted {
    pub program: String,
    pub port: u16,
}

impl DesiredState {
    /// What `k8s/` declares, with the settings of copies elsewhere in it.
    pub fn declared(&self, workspace: &Workspace) -> Result<Manifests> {
        let mut manifests = manifests::load(&workspace.root)?;
        if let Some(copies) = &self.copying {
            manifests.overrule(&copies.settings);
        }
        Ok(manifests)
    }

    /// What the file says; `None` where no lab was ever brought up.
    pub fn load(workspace: &Workspace) -> Result<Option<Self>> {
        let path = paths::desired(workspace);
        if !path.exists() {
            return Ok(None);
        }
        let text =
            fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        serde_json::from_str(&text)
            .with_context(|| format!("understanding {}", path.display()))
            .context(
                Failure::tool(tr!(
                    "what is wanted of the supervisor cannot be read",
                    "ce qui est demandé au superviseur est illisible",
                ))
                .next(format!("rm {} && cargo xtask setup", quote_path(&path))),
            )
            .map(Some)
    }

    pub fn save(&self, workspace: &Workspace) -> Result<()> {
        let text = serde_json::to_string(self)? + "\n";
        write_file(&paths::desired(workspace), &text).context(
            Failure::tool(tr!(
                "the supervisor cannot write its state",
                "le superviseur ne peut pas écrire son état",
            ))
            .next(tr!(
                "df -h .lab (make room, or make it writable), then the same command again",
                "df -h .lab (faites de la place, ou rendez-le accessible en écriture), puis \
                 relancez la même commande",
            )),
        )
    }
}
