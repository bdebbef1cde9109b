//! Quotas of the namespace, held against what the lab takes of it when it has most pods.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use serde_json::Value;
use terms::tr;

use super::refused;
use super::site::Site;
use crate::failure::Failure;
use crate::names::PART_OF;

/// Beside the replicas: one more in a rollout, a backup, and a restore or a look.
const MORE_REPLICAS: u64 = 1;
const JOBS: u64 = 2;

impl Site {
    /// The quotas leave enough; of a lab that is there already nothing is said.
    pub(super) fn quota(&self) -> Result<String> {
        let kubectl = self.kube.kubectl()?;
        let get = ["get", "resourcequotas", "-o", "json"];
        let output = self.ctx.exec.probe(&kubectl.cmd(get))?;
        if !output.status.success() {
            return match refused::is_forbidden(&output.stderr) {
                true => Ok(tr!(
                    "cannot be seen with this account",
                    "ce compte ne permet pas de les voir",
                )),
                false => Err(self.unreachable(&output.stderr).into()),
            };
        }
        let quotas: Value = serde_json::from_str(&output.stdout).context("reading the quotas")?;
        let get = [
            "get",
            "deployments,persistentvolumeclaims",
            "-l",
            PART_OF,
            "-o",
            "name",
        ];
        let ours = self.ctx.exec.probe(&kubectl.cmd(get))?.stdout;
        if !ours.trim().is_empty() {
            return Ok(tr!("the lab is there", "le lab est là"));
        }
        let needed = needed(&self.kube.objects()?);
        let short = short(&quotas, &needed);
        if short.is_empty() {
            return Ok(tr!("they leave enough", "ils laissent assez"));
        }
        Err(Failure::preflight(tr!(
            "the namespace's quotas leave too little: {what}",
            "les quotas de l'espace de noms laissent trop peu : {what}",
            what = short.join(", "),
        ))
        .next(tr!(
            "{command}, and ask for more, or for another namespace",
            "{command}, et demandez-en davantage, ou un autre espace de noms",
            command = self.kube.typed("describe quota"),
        ))
        .into())
    }
}

/// What all pods, claims and services of the lab take, by the names of a quota.
fn needed(objects: &[Value]) -> BTreeMap<String, f64> {
    let mut all = BTreeMap::new();
    let mut add = |name: &str, amount: f64| *all.entry(name.to_owned()).or_default() += amount;
    for object in objects {
        let (pods, template) = match object["kind"].as_str().unwrap_or_default() {
            "Deployment" => {
                let replicas = object["spec"]["replicas"].as_u64().unwrap_or(1);
                (replicas + MORE_REPLICAS, &object["spec"]["template"])
            }
            "CronJob" => (JOBS, &object["spec"]["jobTemplate"]["spec"]["template"]),
            "PersistentVolumeClaim" => {
                let storage = &object["spec"]["resources"]["requests"]["storage"];
                add("persistentvolumeclaims", 1.0);
                add("requests.storage", quantity(storage));
                continue;
            }
            "Cluster" => {
                of_database(&object["spec"], &mut add);
                continue;
            }
            "Service" => {
                add("services", 1.0);
                match object["spec"]["type"].as_str() {
                    Some("NodePort") => add("services.nodeports", 1.0),
                    Some("LoadBalancer") => add("services.loadbalancers", 1.0),
                    _ => {}
                }
                continue;
            }
            _ => continue,
        };
        let pods = pods as f64;
        add("pods", pods);
        let containers = template["spec"]["containers"].as_array();
        for container in containers.into_iter().flatten() {
            computing(&container["resources"], pods, &mut add);
        }
    }
    all
}

fn computing(resources: &Value, pods: f64, add: &mut impl FnMut(&str, f64)) {
    for kind in ["requests", "limits"] {
        for what in ["cpu", "memory"] {
            let one = quantity(&resources[kind][what]);
            add(&format!("{kind}.{what}"), pods * one);
        }
    }
}

/// The instances of a database, the job that makes one, and the three services to them.
fn of_database(spec: &Value, add: &mut impl FnMut(&str, f64)) {
    let instances = spec["instances"].as_f64().unwrap_or(1.0);
    let pods = instances + 1.0;
    add("pods", pods);
    computing(&spec["resources"], pods, add);
    add("persistentvolumeclaims", instances);
    let size = quantity(&spec["storage"]["size"]);
    add("requests.storage", instances * size);
    add("services", 3.0);
}

/// What a quota leaves too little of. One for some pods alone is not judged.
fn short(quotas: &Value, needed: &BTreeMap<String, f64>) -> Vec<String> {
    let list = quotas["items"].as_array().into_iter().flatten();
    let scoped = |quota: &&Value| {
        quota["spec"]["scopes"].is_array() || quota["spec"]["scopeSelector"].is_object()
    };
    let mut all = Vec::new();
    for quota in list.filter(|quota| !scoped(quota)) {
        let hard = quota["status"]["hard"].as_object().into_iter().flatten();
        for (name, limit) in hard {
            let plain = match name.as_str() {
                "cpu" | "memory" => format!("requests.{name}"),
                other => other.trim_start_matches("count/").to_owned(),
            };
            let used = &quota["status"]["used"][name];
            let left = quantity(limit) - quantity(used);
            if needed.get(&plain).is_some_and(|needed| *needed > left) {
                let of = |value: &Value| value.as_str().unwrap_or("0").to_owned();
                all.push(tr!(
                    "{name} ({quota}: {used} of {limit} used)",
                    "{name} ({quota} : {used} de {limit} pris)",
                    quota = of(&quota["metadata"]["name"]),
                    used = of(used),
                    limit = of(limit),
                ));
            }
        }
    }
    all
}

/// A quantity of Kubernetes as a number: `50m`, `96Mi`, `1Gi`, `2`. What is not stated is 0.
fn quantity(value: &Value) -> f64 {
    const UNITS: &[(&str, f64)] = &[
        ("Ki", 1024.0),
        ("Mi", 1_048_576.0),
        ("Gi", 1_073_741_824.0),
        ("Ti", 1_099_511_627_776.0),
        ("m", 0.001),
        ("k", 1e3),
        ("M", 1e6),
        ("G", 1e9),
        ("T", 1e12),
    ];
    if let Some(number) = value.as_f64() {
        return number;
    }
    let text = value.as_str().unwrap_or("0");
    let unit = UNITS.iter().find_map(|(unit, factor)| {
        let number: f64 = text.strip_suffix(unit)?.parse().ok()?;
        Some(number * factor)
    });
    unit.or_else(|| text.parse().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn quantities_are_numbers() {
        for (text, number) in [
            ("50m", 0.05),
            ("96Mi", 100_663_296.0),
            ("1Gi", 1_073_741_824.0),
            ("2", 2.0),
            ("1k", 1000.0),
        ] {
            assert!((quantity(&json!(text)) - number).abs() < 1e-9, "{text}");
        }
        assert_eq!(quantity(&Value::Null), 0.0);
        assert_eq!(quantity(&json!(3)), 3.0);
    }

    fn lab() -> Vec<Value> {
        let container = json!({"resources": {"requests": {"cpu": "50m", "memory": "100Mi"},
            "limits": {"memory": "400Mi"}}});
        let template = json!({"spec": {"containers": [container]}});
        vec![
            json!({"kind": "Deployment", "spec": {"replicas": 2, "template": template}}),
            json!({"kind": "CronJob", "spec": {"jobTemplate": {"spec": {"template": template}}}}),
            json!({"kind": "PersistentVolumeClaim",
                "spec": {"resources": {"requests": {"storage": "1Gi"}}}}),
            json!({"kind": "Service", "spec": {"type": "ClusterIP"}}),
        ]
    }

    #[test]
    fn a_lab_takes_what_its_pods_take_when_there_are_most() {
        let needed = needed(&lab());
        assert_eq!(needed["pods"], 5.0);
        assert!((needed["requests.cpu"] - 0.25).abs() < 1e-9);
        assert_eq!(needed["limits.memory"], quantity(&json!("2000Mi")));
        assert_eq!(needed["requests.storage"], quantity(&json!("1Gi")));
        assert!(!needed.contains_key("services.nodeports"));
    }

    #[test]
    fn a_database_takes_what_its_instances_take() {
        let text = include_str!("../../../../ha/10-postgres.yaml");
        let needed = needed(&[serde_norway::from_str(text).unwrap()]);
        assert_eq!(needed["pods"], 4.0);
        assert_eq!(needed["persistentvolumeclaims"], 3.0);
        assert_eq!(needed["requests.storage"], quantity(&json!("3Gi")));
        assert_eq!(needed["limits.memory"], quantity(&json!("2Gi")));
        assert_eq!(needed["services"], 3.0);
    }

    #[test]
    fn a_quota_that_leaves_too_little_is_named() {
        let quota = |name: &str, hard: Value, used: Value| json!({"metadata": {"name": name}, "spec": {}, "status": {"hard": hard, "used": used}});
        let needed = needed(&lab());
        let tight = json!({"pods": "6", "memory": "1Gi"});
        let used = json!({"pods": "2", "memory": "100Mi"});
        let mut scoped = quota("scoped", tight.clone(), used.clone());
        scoped["spec"]["scopes"] = json!(["BestEffort"]);
        let all = json!({"items": [quota("tight", tight, used), scoped]});
        let said = short(&all, &needed);
        assert_eq!(said, ["pods (tight: 2 of 6 used)"]);
        let wide = quota(
            "wide",
            json!({"pods": "10", "cpu": "1"}),
            json!({"pods": "0"}),
        );
        assert!(short(&json!({"items": [wide]}), &needed).is_empty());
    }
}
