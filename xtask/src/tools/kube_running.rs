//! What runs in a namespace, as far as it decides whether it has to be
//! replaced, or can start at all.

use anyhow::Result;
use serde_json::Value;
use std::collections::BTreeSet;

use super::kube_state::{is_going, is_over, items, list, string, volume};
use crate::facts::Volume;

/// The replicas, and the volumes that they need.
pub struct Running {
    /// The images that the replicas' containers really run.
    pub images: Vec<String>,
    /// A replica began before the last change of what it takes its settings
    /// from: it has not read that.
    pub outdated: bool,
    pub volumes: Vec<Volume>,
    /// Claim and pod: who uses what, the application's own pods left out.
    pub users: Vec<(String, String)>,
}

/// Reads the answer to [`super::kubectl::GET_RUNNING`]; `app` is the label of
/// the replicas.
pub fn running(text: &str, app: &str) -> Result<Running> {
    let items = items(text)?;
    let of = |kind: &'static str| items.iter().filter(move |item| item["kind"] == kind);
    let is_ours = |pod: &&Value| pod["metadata"]["labels"]["app"] == app;
    let replicas = || of("Pod").filter(is_ours).filter(|pod| !is_going(pod));
    let statuses = || replicas().flat_map(|pod| list(&pod["status"]["containerStatuses"]));
    let images = statuses().map(|one| string(&one["imageID"]));
    let settings: Vec<&Value> = of("ConfigMap").collect();
    let bound: Vec<&Value> = of("PersistentVolume").collect();
    let claims = of("PersistentVolumeClaim").filter(|claim| !is_going(claim));
    let others = of("Pod").filter(|pod| !is_ours(pod) && !is_over(pod));
    Ok(Running {
        images: images.filter(|id| !id.is_empty()).collect(),
        outdated: replicas().any(|pod| is_outdated(pod, &settings)),
        volumes: claims.map(|claim| volume(claim, &bound)).collect(),
        users: others.flat_map(used).collect(),
    })
}

/// A container reads its settings when it starts. Who last set a value, and
/// when, is in the managed fields; what changed only marks does not count.
/// Moments of RFC 3339 in UTC compare as text.
fn is_outdated(pod: &Value, settings: &[&Value]) -> bool {
    let sources = list(&pod["spec"]["containers"]).flat_map(|one| list(&one["envFrom"]));
    let names = sources.map(|source| &source["configMapRef"]["name"]);
    let taken = names.filter_map(|name| {
        let mut maps = settings.iter();
        maps.find(|map| map["metadata"]["name"] == *name)
    });
    let changes = taken.flat_map(|map| list(&map["metadata"]["managedFields"]));
    let of_data = changes.filter(|one| one["fieldsV1"]["f:data"].is_object());
    let changed = of_data.filter_map(|one| one["time"].as_str()).max();
    let statuses = list(&pod["status"]["containerStatuses"]);
    let started = statuses.filter_map(|one| one["state"]["running"]["startedAt"].as_str());
    changed.is_some_and(|changed| started.min().is_some_and(|started| started < changed))
}

/// The claims that a pod holds: one without a node holds none.
fn used(pod: &Value) -> impl Iterator<Item = (String, String)> {
    let claims = list(&pod["spec"]["volumes"])
        .filter(|_| pod["spec"]["nodeName"].is_string())
        .filter_map(|volume| volume["persistentVolumeClaim"]["claimName"].as_str());
    claims.map(|claim| (claim.to_owned(), string(&pod["metadata"]["name"])))
}

/// Claims that one pod needs ended up on two nodes.
pub fn apart(volumes: &[Volume]) -> bool {
    let places = volumes
        .iter()
        .filter_map(|volume| volume.place.split_once(':'));
    let nodes: BTreeSet<&str> = places.map(|(node, _)| node).collect();
    nodes.len() > 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn volumes_on_two_nodes_are_noticed() {
        let at = |claim: &str, place: &str| Volume {
            claim: claim.into(),
            place: place.into(),
        };
        let mut volumes = vec![at("pra-data", "n1:/a"), at("pra-backup", "n1:/b")];
        assert!(!apart(&volumes));
        volumes.push(at("other", "not bound yet"));
        assert!(!apart(&volumes));
        volumes.push(at("other", "n2:/c"));
        assert!(apart(&volumes));
    }

    fn namespace(settings_changed: &str) -> String {
        json!({"items": [
            {"kind": "ConfigMap", "metadata": {"name": "pra-config",
             "managedFields": [
                {"time": "2025-01-01T10:00:00Z", "fieldsV1": {"f:data": {}}},
                {"time": settings_changed, "fieldsV1": {"f:data": {"f:A": {}}}},
                {"time": "2026-01-01T10:00:00Z", "fieldsV1": {"f:metadata": {}}}]}},
            {"kind": "ConfigMap", "metadata": {"name": "another",
             "managedFields": [{"time": "2026-01-01T10:00:00Z",
                "fieldsV1": {"f:data": {}}}]}},
            {"kind": "Pod", "metadata": {"name": "flask-a", "labels": {"app": "flask"}},
             "spec": {"nodeName": "n1", "containers": [
                {"envFrom": [{"configMapRef": {"name": "pra-config"}}]}],
                "volumes": [{"persistentVolumeClaim": {"claimName": "pra-data"}}]},
             "status": {"phase": "Running", "containerStatuses": [{"imageID": "sha256:1",
                "state": {"running": {"startedAt": "2025-01-01T10:00:05Z"}}}]}},
            {"kind": "Pod", "metadata": {"name": "look"},
             "spec": {"nodeName": "n2", "volumes": [
                {"emptyDir": {}}, {"persistentVolumeClaim": {"claimName": "pra-data"}}]},
             "status": {"phase": "Running"}},
            {"kind": "Pod", "metadata": {"name": "waits"},
             "spec": {"volumes": [{"persistentVolumeClaim": {"claimName": "pra-data"}}]},
             "status": {"phase": "Pending"}},
        ]})
        .to_string()
    }

    #[test]
    fn a_replica_that_began_before_its_settings_changed_is_outdated() {
        let outdated = |changed| running(&namespace(changed), "flask").unwrap().outdated;
        assert!(outdated("2025-01-01T10:00:06Z"));
        assert!(!outdated("2025-01-01T10:00:05Z"));
    }

    #[test]
    fn who_holds_a_claim_is_named() {
        let seen = running(&namespace(""), "flask").unwrap();
        assert_eq!(seen.images, ["sha256:1"]);
        assert_eq!(seen.users, [("pra-data".to_owned(), "look".to_owned())]);
    }
}
