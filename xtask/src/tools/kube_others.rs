//! What `kubectl get … -o json` says, without what is somebody else's: in a namespace that
//! the lab was given, others may have objects too.

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::kube_state::items;
use crate::names;

/// The objects without claims and jobs that are not the lab's. A pod of others is no
/// replica, whatever it is labelled, and may hold a claim of the lab all the same.
pub fn of_the_lab(text: &str) -> Result<String> {
    let mut items = items(text)?;
    items.retain(|item| {
        let kinds = ["PersistentVolumeClaim", "Job"];
        is_of_the_lab(item) || kinds.iter().all(|kind| item["kind"] != *kind)
    });
    let pods = items.iter_mut().filter(|item| item["kind"] == "Pod");
    for pod in pods.filter(|pod| !is_of_the_lab(pod)) {
        pod["metadata"]["labels"] = Value::Null;
    }
    Ok(json!({ "items": items }).to_string())
}

/// What was asked for by name: kubectl prints nothing, one object, or a list of several.
pub fn found(text: &str) -> Result<Vec<Value>> {
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    let said: Value = serde_json::from_str(text).context("reading the answer of kubectl")?;
    Ok(match said["items"].as_array() {
        Some(items) => items.clone(),
        None => vec![said],
    })
}

/// It has the lab's label.
pub fn is_of_the_lab(object: &Value) -> bool {
    let (label, value) = names::part_of();
    object["metadata"]["labels"][label] == value
}

#[cfg(test)]
mod tests {
    use super::super::kube_running::running;
    use super::super::kube_state::facts;
    use super::*;

    #[test]
    fn claims_and_jobs_of_others_are_not_the_labs() {
        let object = |kind: &str, name: &str, labels: Value| json!({"kind": kind, "metadata": {"name": name, "labels": labels}});
        let ours = json!({"app.kubernetes.io/part-of": "atelier-pra"});
        let all = json!({"items": [
            object("PersistentVolumeClaim", "pra-data", ours),
            object("PersistentVolumeClaim", "theirs", json!({"app": "flask"})),
            object("Job", "theirs", Value::Null),
        ]});
        let facts = facts(&of_the_lab(&all.to_string()).unwrap(), "flask").unwrap();
        let claims: Vec<&str> = facts.volumes.iter().map(|one| one.claim.as_str()).collect();
        assert_eq!(claims, ["pra-data"]);
        assert!(facts.jobs.is_empty());
    }

    #[test]
    fn a_pod_of_others_is_no_replica_and_can_hold_a_claim() {
        let pod = |name: &str, labels: Value| {
            json!({"kind": "Pod", "metadata": {"name": name, "labels": labels},
                "spec": {"nodeName": "n1", "volumes": [
                    {"persistentVolumeClaim": {"claimName": "pra-data"}}]},
                "status": {"phase": "Running"}})
        };
        let ours = json!({"app": "flask", "app.kubernetes.io/part-of": "atelier-pra"});
        let all = json!({"items": [pod("ours", ours), pod("theirs", json!({"app": "flask"}))]});
        let text = of_the_lab(&all.to_string()).unwrap();
        let facts = facts(&text, "flask").unwrap();
        let names: Vec<&str> = facts.pods.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(names, ["ours"]);
        let running = running(&text, "flask").unwrap();
        assert_eq!(
            running.users,
            [("pra-data".to_owned(), "theirs".to_owned())]
        );
    }
}
