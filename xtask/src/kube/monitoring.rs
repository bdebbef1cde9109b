//! What watches the lab in a cluster: `monitoring/`, applied by kubectl's own kustomize into
//! the namespace of the lab, and reached through forwards as the application is.

mod overlay;

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use serde_json::Value;
use terms::tr;

use super::{Kube, Port};
use crate::balance::free_port;
use crate::exec::{Cmd, quote_path};
use crate::facts::monitoring::{Part, Watched};
use crate::failure::Failure;
use crate::tools::kubectl;
use crate::wait;
use crate::workspace;
use overlay::{for_an_operator, kustomization, relative};

/// The label of all that `monitoring/` declares.
const PART_OF: (&str, &str) = ("app.kubernetes.io/part-of", "atelier-pra-monitoring");
/// The deployments, in the order in which they are waited for; each has a service of its name.
const PARTS: [&str; 3] = ["kube-state-metrics", PAGE_OF_ALERTS, PROMETHEUS];
const PROMETHEUS: &str = "prometheus";
const PAGE_OF_ALERTS: &str = "alertmanager";
/// Where somebody asked for it.
const DASHBOARDS: &str = "grafana";
/// Puts what is typed in place of the rules of past runs, whole, and has Prometheus, the first
/// process of its pod, read its files anew.
const READ_RUNS: &str = "cat >/runs/new && mv /runs/new /runs/runs.yaml && kill -HUP 1";
/// What it makes in a namespace.
pub const KINDS: &str = "deployments,services,configmaps,rolebindings,roles,serviceaccounts,\
                         networkpolicies";

/// The ports of this machine that lead to its pages: of Prometheus, Alertmanager and Grafana.
pub fn ports([prometheus, alertmanager, grafana]: [u16; 3]) -> Vec<Port> {
    let port = |host, service| Port {
        host,
        node: 0,
        service,
    };
    vec![
        port(prometheus, PROMETHEUS),
        port(alertmanager, PAGE_OF_ALERTS),
        port(grafana, DASHBOARDS),
    ]
}

impl Kube {
    /// Everything that watches the lab runs, as it is declared, and is reached; with the
    /// dashboards where they are asked for, or are there.
    pub fn start_monitoring(&self, dashboards: bool) -> Result<()> {
        let dashboards = dashboards || (!self.ctx.exec.dry_run() && self.has_dashboards()?);
        let parts = PARTS.into_iter().chain(dashboards.then_some(DASHBOARDS));
        let folder = self.monitoring_overlay(dashboards)?;
        if !self.ctx.exec.dry_run() {
            self.insist_on_no_others(&folder)?;
        }
        let step = self.ctx.ui.step(tr!("monitoring", "surveillance"));
        self.apply_monitoring(&folder)?;
        for part in parts {
            let status = kubectl::rollout_status(part, wait::ROLLOUT);
            let status = self.kubectl()?.cmd(status).limit(wait::PLAYBOOK);
            self.ctx.exec.run(&status).map_err(|error| {
                let look = self.typed(&format!("describe pods -l app={part}"));
                error.context(
                    Failure::tool(tr!(
                        "{part} does not become ready",
                        "{part} ne devient pas prêt",
                    ))
                    .next(look),
                )
            })?;
        }
        step.done(tr!("ready", "prête"));
        for port in &self.workload.watching {
            let nothing = port.service == DASHBOARDS && !dashboards;
            if nothing || self.has_live_forward(port)? {
                continue;
            }
            let host = match self.ctx.exec.dry_run() {
                true if port.host != 0 => port.host,
                _ => free_port(port.host)?,
            };
            self.keep_forward(port, host)?;
        }
        Ok(())
    }

    fn has_dashboards(&self) -> Result<bool> {
        let watched = self.watched()?;
        let mut parts = watched.iter().flat_map(|watched| &watched.parts);
        Ok(parts.any(|part| part.name == DASHBOARDS))
    }

    /// What a changed file was called before goes with the same command.
    fn apply_monitoring(&self, folder: &str) -> Result<()> {
        let selector = selector();
        let apply = ["apply", "-k", folder, "--prune", "-l", &selector];
        let apply = self.kubectl()?.cmd(apply);
        let apply = apply.args(["--prune-allowlist=core/v1/ConfigMap"]);
        self.ctx
            .exec
            .run(&apply.limit(wait::DELETION))
            .map_err(|error| {
                error.context(
                    Failure::tool(tr!(
                        "the cluster does not take what watches the lab",
                        "le cluster n'accepte pas ce qui surveille le lab",
                    ))
                    .next(tr!(
                        "{command}, and have an administrator grant what is missing",
                        "{command}, et faites accorder ce qui manque par un administrateur",
                        command = self.typed("auth can-i create roles"),
                    )),
                )
            })
    }

    /// Removes it; whether there was anything.
    pub fn stop_monitoring(&self) -> Result<bool> {
        self.stop_watching_forwards()?;
        if !self.ctx.exec.dry_run() && self.watched()?.is_none() {
            return Ok(false);
        }
        let step = self.ctx.ui.step(tr!("monitoring", "surveillance"));
        self.delete_monitoring()?;
        step.done(tr!("removed", "supprimée"));
        Ok(true)
    }

    /// Has Prometheus know the rules of past runs, in place of those that it had. They go with
    /// its pod.
    pub fn tell_runs(&self, rules: &str) -> Result<()> {
        let target = format!("deployment/{PROMETHEUS}");
        let exec = ["exec", "-i", &target, "--", "sh", "-c", READ_RUNS];
        let exec = self.kubectl()?.cmd(exec).input(rules);
        self.ctx.exec.run(&exec.limit(wait::SHORT_COMMAND))
    }

    /// Removes its objects from the namespace.
    pub fn delete_monitoring(&self) -> Result<()> {
        let selector = selector();
        let delete = ["delete", KINDS, "-l", &selector, "--ignore-not-found"];
        let delete = self.kubectl()?.cmd(delete).args(["--wait"]);
        self.ctx.exec.run(&delete.limit(wait::DELETION))
    }

    /// What watches the lab; `None` where nothing does.
    pub fn watched(&self) -> Result<Option<Watched>> {
        let get = ["get", "deployments", "-l", &selector(), "-o", "json"];
        let get = self.kubectl()?.cmd(get).limit(wait::SHORT_COMMAND);
        let mut parts = parts(&self.ctx.exec.read(&get)?)?;
        if parts.is_empty() {
            return Ok(None);
        }
        parts.extend(gone(&parts));
        let url = |service: &str| {
            let mut ports = self.workload.watching.iter();
            let port = ports.find(|port| port.service == service)?;
            let host = self.listening_port(port)?;
            Some(format!("http://127.0.0.1:{host}"))
        };
        Ok(Some(Watched {
            parts,
            prometheus: url(PROMETHEUS),
            alertmanager: url(PAGE_OF_ALERTS),
            grafana: url(DASHBOARDS),
        }))
    }

    /// Whether the lab refuses paths that are not allowed: what watches it needs its own then,
    /// and would refuse the lab's users otherwise.
    pub(super) fn has_policies(&self) -> bool {
        let settings = self.rendering.as_ref().map(|one| &one.settings);
        let brings = settings.is_none_or(|settings| settings.network_policies);
        brings && self.workload.database.is_none()
    }

    /// Applying takes over what has the same name, so nothing of others may.
    fn insist_on_no_others(&self, folder: &str) -> Result<()> {
        let get = ["get", "-k", folder, "--ignore-not-found", "-o", "json"];
        let found = self.ctx.exec.read(&self.kubectl()?.cmd(get))?;
        let others = others(&found)?;
        if others.is_empty() {
            return Ok(());
        }
        let namespace = &self.workload.namespace;
        let others = others.join(", ");
        Err(Failure::usage(tr!(
            "the namespace {namespace} has objects of others under the names of those that would \
             watch the lab: {others}. Nothing is changed there",
            "l'espace de noms {namespace} contient des objets d'autrui portant les noms de ceux \
             qui surveilleraient le lab : {others}. Rien n'y est modifié",
        ))
        .next(tr!(
            "let that Prometheus watch the lab, where it has an operator (docs/monitoring.md): \
             {command}",
            "faites surveiller le lab par ce Prometheus, s'il a un opérateur \
             (docs/monitoring.md) : {command}",
            command = for_an_operator(namespace, &self.typed("apply")),
        ))
        .into())
    }

    /// The folder with what differs from `monitoring/` for this lab: the namespace, and the
    /// images as lab.toml has them.
    fn monitoring_overlay(&self, dashboards: bool) -> Result<String> {
        let state = self.ctx.workspace.state();
        let folder = state.join(format!("monitoring-{}", self.cluster));
        let settings = self.rendering.as_ref().map(|one| &one.settings);
        let declared = self.path("monitoring");
        let of_dashboards = dashboards.then(|| declared.join("dashboards"));
        let manifests = std::iter::once(declared).chain(of_dashboards);
        let manifests: Vec<PathBuf> = manifests.map(|one| relative(&folder, &one)).collect();
        let kustomization = kustomization(
            &manifests,
            &self.workload.namespace,
            &self.ctx.config.monitoring.images.all(),
            settings.map_or("", |settings| &settings.pull_secret),
            self.has_policies(),
        );
        let text =
            serde_norway::to_string(&kustomization).context("spelling out a kustomization")?;
        let path = folder.join("kustomization.yaml");
        if self.ctx.exec.dry_run() {
            let make = format!("mkdir -p {}", quote_path(&folder));
            self.ctx.exec.show(&make);
            let words = [format!("of={}", path.display()), "status=none".to_owned()];
            let write = Cmd::new("dd").args(words).input(text);
            self.ctx.exec.show(&write.to_string());
        } else {
            self.ctx.workspace.insist_on_own_folder(&path)?;
            fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
            workspace::write_file(&path, &text)?;
        }
        Ok(folder.display().to_string())
    }
}

fn selector() -> String {
    let (label, value) = PART_OF;
    format!("{label}={value}")
}

fn parts(text: &str) -> Result<Vec<Part>> {
    let list: Value = serde_json::from_str(text).context("reading the answer of kubectl")?;
    let items = list["items"].as_array().into_iter().flatten();
    let part = |one: &Value| Part {
        name: one["metadata"]["name"]
            .as_str()
            .unwrap_or_default()
            .to_owned(),
        ready: one["status"]["readyReplicas"].as_u64() >= Some(1),
        trouble: None,
    };
    Ok(items.map(part).collect())
}

/// Those that somebody removed alone.
fn gone(there: &[Part]) -> Vec<Part> {
    let missing = PARTS.iter().filter(|name| {
        let mut there = there.iter();
        !there.any(|part| part.name == **name)
    });
    let part = |name: &&str| Part {
        name: (*name).to_owned(),
        ready: false,
        trouble: Some(tr!("it is not there", "il n'y est pas")),
    };
    missing.map(part).collect()
}

/// The objects without our label, as kubectl names them; it prints nothing, one, or a list.
fn others(text: &str) -> Result<Vec<String>> {
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    let said: Value = serde_json::from_str(text).context("reading the answer of kubectl")?;
    let all = match said["items"].as_array() {
        Some(items) => items.clone(),
        None => vec![said],
    };
    let (label, value) = PART_OF;
    let others = all
        .iter()
        .filter(|one| one["metadata"]["labels"][label] != value);
    let named = others.map(|one| {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_lowercase();
        format!("{}/{}", text(&one["kind"]), text(&one["metadata"]["name"]))
    });
    Ok(named.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exec;
    use serde_json::json;

    #[test]
    fn the_rules_of_past_runs_are_put_whole_where_prometheus_reads_them() {
        let folder = std::env::temp_dir().join(format!("xtask-told-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        // Its own shell in the place of Prometheus, which is only asked whether it is there.
        let here = READ_RUNS
            .replace("/runs/", &format!("{}/", folder.display()))
            .replace("-HUP 1", "-0 $$");
        let put = || {
            let cmd = Cmd::new("sh").args(["-c", &here]).input("groups: []\n");
            exec::output(&cmd).unwrap().status.success()
        };
        assert!(put());
        let text = fs::read_to_string(folder.join("runs.yaml")).unwrap();
        assert_eq!(text, "groups: []\n");
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
        fs::remove_dir_all(&folder).unwrap();
        assert!(!put(), "there is nowhere to put it");
    }

    #[test]
    fn what_lacks_the_label_is_somebody_elses() {
        let object = |kind: &str, labels: Value| json!({"kind": kind, "metadata": {"name": "prometheus", "labels": labels}});
        let ours = object(
            "Service",
            json!({"app.kubernetes.io/part-of": "atelier-pra-monitoring"}),
        );
        let of_the_lab = object(
            "Deployment",
            json!({"app.kubernetes.io/part-of": "atelier-pra"}),
        );
        let list = json!({"items": [ours.clone(), of_the_lab, object("Role", Value::Null)]});
        assert_eq!(
            others(&list.to_string()).unwrap(),
            ["deployment/prometheus", "role/prometheus"]
        );
        assert!(others(&ours.to_string()).unwrap().is_empty());
        assert!(others("\n").unwrap().is_empty());
    }

    #[test]
    fn a_part_that_somebody_removed_is_missed() {
        let part = |name: &str| Part {
            name: name.to_owned(),
            ready: true,
            trouble: None,
        };
        let there = ["kube-state-metrics", PROMETHEUS].map(part);
        let gone = gone(&there);
        assert_eq!(gone.len(), 1);
        assert!(gone[0].name == PAGE_OF_ALERTS && !gone[0].ready && gone[0].trouble.is_some());
    }

    #[test]
    fn a_part_is_ready_once_a_pod_of_it_is() {
        let deployment =
            |ready: Value| json!({"metadata": {"name": "prometheus"}, "status": ready});
        let of = |ready| {
            let list = json!({"items": [deployment(ready)]}).to_string();
            parts(&list).unwrap().remove(0).ready
        };
        assert!(of(json!({"readyReplicas": 1})));
        assert!(!of(json!({"replicas": 1})));
        assert!(parts(r#"{"items":[]}"#).unwrap().is_empty());
    }
}
