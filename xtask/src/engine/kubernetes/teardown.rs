//! Removing the lab from a cluster that stays: a namespace that the lab made goes with all
//! that is in it, of another one what is the lab's alone.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result};
use serde_json::Value;
use terms::{EngineName, tr};

use super::lab_place;
use super::namespace::Namespace;
use super::site::Site;
use crate::chosen_engines;
use crate::failure::Failure;
use crate::kube::image::{docker, pushed};
use crate::kube::ownership::{MARK, Owner};
use crate::names::PART_OF;
use crate::names::{BACKUP_CLAIM, DATA_CLAIM};
use crate::tools::kube_topology::CLUSTERS;
use crate::wait;

/// What the lab makes in a namespace, in the order in which it goes.
const KINDS: &str = "deployments,cronjobs,jobs,pods,services,configmaps,persistentvolumeclaims,\
                     serviceaccounts";

/// What the operator makes in a namespace for all databases there.
const QUERIES: &str = "cnpg-default-monitoring";

/// A volume that was made for the lab.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Made {
    name: String,
    /// What becomes of it without its claim.
    reclaim: String,
}

impl Site {
    pub fn remove(&self) -> Result<()> {
        // Before anything ends: what lab.toml means now may not be there, and the lab be
        // elsewhere.
        lab_place::insist_on_same(self)?;
        self.kube.stop_forwards()?;
        match self.namespace_state()? {
            Namespace::Missing => {}
            Namespace::Going(why) => return Err(self.going(&why).into()),
            // Never the lab's, or not any more.
            Namespace::There {
                owner: Owner::Nobody,
                ..
            } => {}
            Namespace::There { made, .. } => {
                self.insist_on_ownership()?;
                self.remove_objects(made)?;
            }
        }
        self.remove_operator()?;
        if let Some(pushed) = pushed::read(&self.folder())? {
            self.ctx.ui.note(&tr!(
                "The registry keeps {image}.",
                "Le registre garde {image}.",
                image = pushed.reference,
            ));
        }
        self.forget()?;
        self.remove_images()
    }

    /// Not those that another lab of this checkout runs, nor where there is no
    /// Docker (any more).
    fn remove_images(&self) -> Result<()> {
        let workspace = &self.ctx.workspace;
        let others = chosen_engines::others(workspace, EngineName::Kubernetes);
        let mut labs = workspace.of_each_lab();
        let has_other_lab = labs.any(|(_, of)| {
            of.lab_state() != workspace.lab_state() && !chosen_engines::engines(&of).is_empty()
        });
        match others.is_empty() && !has_other_lab && docker::info(&self.ctx).is_some() {
            true => self.images.remove(),
            false => Ok(()),
        }
    }

    fn remove_objects(&self, created: bool) -> Result<()> {
        let made = self.volumes_made(created)?;
        for volume in made.iter().flatten() {
            self.let_go(volume)?;
        }
        match created {
            true => self.delete_namespace()?,
            false => self.delete_own_objects()?,
        }
        match made {
            Some(made) => self.await_volumes_gone(&made),
            None => {
                self.ctx.ui.note(&tr!(
                    "This account may not look at persistent volumes: whether the cluster removed \
                     those of the claims is not known.",
                    "Ce compte n'a pas le droit de voir les volumes persistants : on ne sait pas \
                     si le cluster a supprimé ceux des demandes.",
                ));
                Ok(())
            }
        }
    }

    fn delete_namespace(&self) -> Result<()> {
        let delete = ["delete", "namespace", self.namespace(), "--wait"];
        let delete = self.kube.kubectl()?.cmd(delete).limit(wait::NAMESPACE_GONE);
        self.ctx.exec.run(&delete)
    }

    fn delete_own_objects(&self) -> Result<()> {
        // Only where there is something: not every account may look for all its kinds.
        if self.kube.watched()?.is_some() {
            self.kube.delete_monitoring()?;
        }
        let kubectl = self.kube.kubectl()?;
        if self.is_replicated() && self.kube.operator()?.is_there() {
            self.delete_database()?;
        }
        let mut kinds = KINDS.to_owned();
        // Only where there are some: not every account may look for them.
        for kind in ["ingresses", "networkpolicies", "secrets"] {
            if self.has_any(kind)? {
                kinds.push(',');
                kinds.push_str(kind);
            }
        }
        if self.is_replicated() {
            kinds.push_str(",poddisruptionbudgets");
        }
        let delete = [
            "delete",
            &kinds,
            "-l",
            PART_OF,
            "--ignore-not-found",
            "--wait",
        ];
        let delete = kubectl.cmd(delete).limit(wait::NAMESPACE_GONE);
        self.ctx.exec.run(&delete)?;
        // Until here the rest is known to be ours.
        let mark = ["delete", "configmap", MARK, "--ignore-not-found"];
        self.ctx.exec.run(&kubectl.cmd(mark))
    }

    /// First, with all that its operator has made: what is deleted alone would be made anew.
    fn delete_database(&self) -> Result<()> {
        let kubectl = self.kube.kubectl()?;
        let delete = ["delete", CLUSTERS, "-l", PART_OF, "--ignore-not-found"];
        let delete = kubectl.cmd(delete).args(["--cascade=foreground", "--wait"]);
        self.ctx.exec.run(&delete.limit(wait::NAMESPACE_GONE))?;
        // The operator leaves its queries for all databases of a namespace.
        let get = kubectl.cmd(["get", CLUSTERS, "-o", "name"]);
        if !self.ctx.exec.read(&get)?.trim().is_empty() || !self.has_brought_queries()? {
            return Ok(());
        }
        let queries = ["delete", "configmap", QUERIES, "--ignore-not-found"];
        self.ctx.exec.run(&kubectl.cmd(queries))
    }

    /// They came with the lab's database, and not with an earlier one of somebody else.
    fn has_brought_queries(&self) -> Result<bool> {
        let when = "jsonpath={.metadata.creationTimestamp}";
        let get = [
            "get",
            "configmap",
            QUERIES,
            "--ignore-not-found",
            "-o",
            when,
        ];
        let made = self.ctx.exec.read(&self.kube.kubectl()?.cmd(get))?;
        // Both are of the API server's clock, in a form that sorts as the times do.
        Ok(made.trim() >= self.had_since(false)?.as_str())
    }

    pub(super) fn has_any(&self, kind: &str) -> Result<bool> {
        let get = ["get", kind, "-l", PART_OF, "-o", "name"];
        let output = self.ctx.exec.probe(&self.kube.kubectl()?.cmd(get))?;
        Ok(output.status.success() && !output.stdout.trim().is_empty())
    }

    /// The volumes that the cluster made for the lab's claims, also those that have lost
    /// theirs; `None` where this account may not look.
    fn volumes_made(&self, created: bool) -> Result<Option<Vec<Made>>> {
        let get = ["get", "persistentvolumes", "-o", "json"];
        let output = self.ctx.exec.probe(&self.kube.kubectl()?.cmd(get))?;
        if !output.status.success() {
            return Ok(None);
        }
        let since = self.had_since(created)?;
        let database = self.kube.workload.database;
        made_for(&output.stdout, self.namespace(), &since, |claim| {
            is_labs_claim(claim, database)
        })
        .map(Some)
    }

    /// Since when the namespace is the lab's: since it was made, where the lab made it, else
    /// since the lab's mark is in it. An earlier owner may have had claims of the same names.
    fn had_since(&self, created: bool) -> Result<String> {
        let (kind, name) = match created {
            true => ("namespace", self.namespace()),
            false => ("configmap", MARK),
        };
        let when = "jsonpath={.metadata.creationTimestamp}";
        let get = ["get", kind, name, "-o", when];
        let output = self.ctx.exec.probe(&self.kube.kubectl()?.cmd(get))?;
        let said = output.stdout.trim();
        if output.status.success() && !said.is_empty() {
            return Ok(said.to_owned());
        }
        let namespace = self.namespace();
        let said = output.stderr.trim();
        Err(Failure::tool(tr!(
            "since when the namespace {namespace} is the lab's cannot be read, so which volumes \
             may be removed with it is not known: {said}",
            "on ne peut pas lire depuis quand l'espace de noms {namespace} est au lab, et on ne \
             sait donc pas quels volumes peuvent être supprimés avec lui : {said}",
        ))
        .next(self.kube.typed(&format!("get {kind} {name} -o yaml")))
        .into())
    }

    /// A class may keep a volume whose claim is gone: this one's data were given up.
    fn let_go(&self, volume: &Made) -> Result<()> {
        if volume.reclaim == "Delete" {
            return Ok(());
        }
        let name = &volume.name;
        let patch = r#"{"spec":{"persistentVolumeReclaimPolicy":"Delete"}}"#;
        let cmd = ["patch", "persistentvolume", name, "-p", patch];
        self.ctx
            .exec
            .run(&self.kube.kubectl()?.cmd(cmd))
            .map_err(|error| {
                error.context(
                Failure::preflight(tr!(
                    "the volume {name} is kept by its class ({policy}), and this account may not \
                     change that",
                    "le volume {name} est conservé par sa classe ({policy}), et ce compte n'a pas \
                     le droit de changer cela",
                    policy = volume.reclaim,
                ))
                .next(tr!(
                    "have an administrator run: kubectl patch persistentvolume {name} -p '{patch}'",
                    "faites exécuter par un administrateur : kubectl patch persistentvolume \
                     {name} -p '{patch}'",
                )),
            )
            })
    }

    fn await_volumes_gone(&self, made: &[Made]) -> Result<()> {
        if self.ctx.exec.dry_run() || made.is_empty() {
            return Ok(());
        }
        let names: BTreeSet<&str> = made.iter().map(|one| one.name.as_str()).collect();
        let get = ["get", "persistentvolumes", "-o", "json"];
        let look = self.kube.kubectl()?.cmd(get);
        wait::until(wait::VOLUMES_GONE, || {
            let found: Value =
                serde_json::from_str(&self.ctx.exec.read(&look)?).context("reading the volumes")?;
            let mut left = found["items"].as_array().into_iter().flatten();
            let is_ours = |one: &Value| {
                let name = one["metadata"]["name"].as_str().unwrap_or_default();
                names.contains(name)
            };
            Ok((!left.any(is_ours)).then_some(()))
        })
    }
}

/// The claims of the files, or those of the instances of the database.
fn is_labs_claim(claim: &str, database: Option<&str>) -> bool {
    let Some(database) = database else {
        return [DATA_CLAIM, BACKUP_CLAIM].contains(&claim);
    };
    let number = claim
        .strip_prefix(database)
        .and_then(|rest| rest.strip_prefix('-'));
    number.is_some_and(|number| number.parse::<u32>().is_ok())
}

/// Of all volumes those that a provisioner made for a claim of the lab, since it had the
/// namespace. One that an administrator made was there before and stays.
fn made_for(
    text: &str,
    namespace: &str,
    since: &str,
    is_labs: impl Fn(&str) -> bool,
) -> Result<Vec<Made>> {
    let list: Value = serde_json::from_str(text).context("reading the volumes")?;
    let is_ours = |volume: &&Value| {
        let claim = &volume["spec"]["claimRef"];
        let named = claim["name"].as_str().is_some_and(&is_labs);
        let provisioned =
            volume["metadata"]["annotations"]["pv.kubernetes.io/provisioned-by"].is_string();
        // Moments of RFC 3339 in UTC compare as text.
        let made = volume["metadata"]["creationTimestamp"]
            .as_str()
            .unwrap_or_default();
        claim["namespace"] == namespace && named && provisioned && made >= since
    };
    let items = list["items"].as_array().into_iter().flatten();
    let made = items.filter(is_ours).map(|volume| {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        Made {
            name: text(&volume["metadata"]["name"]),
            reclaim: text(&volume["spec"]["persistentVolumeReclaimPolicy"]),
        }
    });
    Ok(made.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn volume(name: &str, namespace: &str, claim: &str, made: &str) -> Value {
        json!({
            "metadata": {"name": name, "creationTimestamp": made,
                "annotations": {"pv.kubernetes.io/provisioned-by": "x"}},
            "spec": {"claimRef": {"namespace": namespace, "name": claim},
                "persistentVolumeReclaimPolicy": "Retain"},
            "status": {"phase": "Released"},
        })
    }

    #[test]
    fn only_volumes_that_were_made_for_the_lab_are_let_go() {
        let mut by_hand = volume("by-hand", "pra", "pra-data", "2026-01-02T00:00:00Z");
        by_hand["metadata"]["annotations"] = json!({});
        let all = json!({"items": [
            volume("ours", "pra", "pra-data", "2026-01-02T00:00:00Z"),
            volume("released", "pra", "pra-backup", "2026-01-02T00:00:00Z"),
            volume("theirs", "pra", "other", "2026-01-02T00:00:00Z"),
            volume("elsewhere", "app", "pra-data", "2026-01-02T00:00:00Z"),
            volume("before", "pra", "pra-data", "2025-12-31T00:00:00Z"),
            by_hand,
        ]})
        .to_string();
        let made = made_for(&all, "pra", "2026-01-01T00:00:00Z", |claim| {
            is_labs_claim(claim, None)
        });
        let made = made.unwrap();
        let names: Vec<_> = made.into_iter().map(|one| one.name).collect();
        assert_eq!(names, ["ours", "released"]);
    }

    #[test]
    fn claims_of_instances_are_known_by_their_number() {
        let is_ours = |claim: &str| is_labs_claim(claim, Some("pg"));
        assert!(is_ours("pg-1") && is_ours("pg-12"));
        for theirs in ["pg-admin", "pg-", "other-1", "pra-data"] {
            assert!(!is_ours(theirs), "{theirs}");
        }
    }
}
