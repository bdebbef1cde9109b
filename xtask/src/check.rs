//! One row of the preflight table: what was looked at, what was found, and the
//! command that repairs it.

pub mod disk;

use anyhow::Result;
use serde::Serialize;
use terms::lang::both;

use crate::failure;

#[derive(Debug, Serialize)]
pub struct Check {
    pub name: &'static str,
    pub ok: bool,
    /// What was found.
    pub found: String,
    /// The command that repairs it, where it is not well.
    pub next: Option<String>,
}

impl Check {
    /// What people read for its name.
    pub fn label(&self) -> &'static str {
        let french = match self.name {
            "disk" => "disque",
            "files" => "fichiers",
            "folder" => "dossier",
            "memory" => "mémoire",
            "docker disk" => "disque de Docker",
            "environment" => "environnement",
            "context" => "contexte",
            "namespace" => "espace de noms",
            "rights" => "droits",
            "storage class" => "classe de stockage",
            "pull secret" => "secret du registre",
            "quota" => "quotas",
            "nodes" => "nœuds",
            "operator" => "opérateur",
            other => other,
        };
        both(self.name, french).text()
    }

    pub fn from(name: &'static str, found: Result<String>) -> Self {
        match found {
            Ok(found) => Self {
                name,
                ok: true,
                found,
                next: None,
            },
            Err(error) => Self {
                name,
                ok: false,
                found: format!("{error:#}"),
                next: failure::next(&error).map(str::to_owned),
            },
        }
    }

    /// A warning: not as recommended, and no obstacle.
    pub fn advice(name: &'static str, found: impl Into<String>, next: String) -> Self {
        Self {
            name,
            ok: true,
            found: found.into(),
            next: Some(next),
        }
    }
}
