//! What the playbook of the lab `ha` deploys beside the objects of its namespace: the
//! operator as it is changed, CoreDNS, and what lab.toml says of both. The namespace is
//! marked with what that was made of, so that a change is seen, and goes with the mark.

use std::fs;

use anyhow::{Context as _, Result};
use serde_json::json;

use super::operator::Operator;
use super::{Kube, fingerprint};
use crate::manifests;
use crate::tools::kube_diff;
use crate::tools::kube_others::found;
use crate::tools::kube_topology::OF_OPERATORS;

/// The annotation of the namespace.
const MARK: &str = "atelier-pra/beside";
const FOLDERS: [&str; 2] = ["operator", "dns"];

impl Kube {
    /// The part of the playbook that is not for this cluster: names are resolved as whoever
    /// runs it has decided, and an operator of somebody else is not touched.
    pub(super) fn tag_to_skip(&self) -> Result<Option<&'static str>> {
        if self.workload.database.is_none() || self.rendering.is_none() {
            return Ok(None);
        }
        Ok(Some(match self.operator()? {
            Operator::Theirs { .. } => "cluster",
            _ => "dns",
        }))
    }

    /// Marks the namespace, once all of it is deployed.
    pub(super) fn mark_beside(&self) -> Result<()> {
        if self.workload.database.is_none() {
            return Ok(());
        }
        let namespace = match &self.rendering {
            None => &self.workload.namespace,
            Some(_) if matches!(self.operator()?, Operator::Theirs { .. }) => return Ok(()),
            // That of the lab may be one that it was given.
            Some(_) => OF_OPERATORS,
        };
        let mark = format!("{MARK}={}", self.beside()?);
        self.ask(["annotate", "--overwrite", "namespace", namespace, &mark])
    }

    /// Whether what is deployed, the namespace among it, was made of what is declared now.
    pub(super) fn holds_beside(&self, live: &str) -> Result<bool> {
        if self.workload.database.is_none() {
            return Ok(true);
        }
        let mark = match &self.rendering {
            None => kube_diff::annotation(live, "Namespace", MARK),
            Some(_) => match self.operator()? {
                Operator::Theirs { .. } => return Ok(true),
                _ => self.mark_of_operator()?,
            },
        };
        Ok(mark == Some(self.beside()?) && self.has_pinned_operator()?)
    }

    fn mark_of_operator(&self) -> Result<Option<String>> {
        let get = ["get", "namespace", OF_OPERATORS, "--ignore-not-found"];
        let get = self.kubectl()?.cmd(get).args(["-o", "json"]);
        let there = json!({"items": found(&self.ctx.exec.read(&get)?)?});
        Ok(kube_diff::annotation(&there.to_string(), "Namespace", MARK))
    }

    /// The operator is of the version that lab.toml states.
    fn has_pinned_operator(&self) -> Result<bool> {
        let version = self.ctx.config.ha.operator().version();
        Ok(self.operator_version()?.as_ref() == Some(version.get_ref()))
    }

    fn beside(&self) -> Result<String> {
        let ha = &self.ctx.config.ha;
        let operator = ha.operator();
        let mut parts = vec![
            operator.version().get_ref().clone(),
            operator.url().get_ref().clone(),
            operator.sha256().get_ref().clone(),
            ha.storage_class().get_ref().clone(),
        ];
        for folder in FOLDERS {
            let folder = self.path(self.workload.manifests).join(folder);
            for file in manifests::yaml_files(&folder)? {
                let read = fs::read_to_string(&file);
                parts.push(
                    file.file_name()
                        .unwrap_or_default()
                        .to_string_lossy()
                        .into(),
                );
                parts.push(read.with_context(|| format!("reading {}", file.display()))?);
            }
        }
        Ok(fingerprint::of(parts.iter().map(String::as_str)))
    }
}
