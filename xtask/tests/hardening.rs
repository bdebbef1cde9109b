//! What the manifests declare against whoever gets into a pod, or is careless with one.

use crate::support::project;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use serde::Deserialize as _;
use serde_json::Value;

/// What is applied into one namespace.
const FOLDERS: [&[&str]; 3] = [
    &["k8s", "k8s/offsite", "pra"],
    &["ha"],
    &["monitoring", "monitoring/dashboards"],
];

fn files(folder: &str) -> Vec<PathBuf> {
    let folder = project().join(folder);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{folder:?}: {error}"));
    let paths = entries.map(|entry| entry.unwrap().path());
    let is_manifest = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy();
        let other = ["k3d.yaml", "kustomization.yaml"].contains(&name.as_ref());
        name.ends_with(".yaml") && !other
    };
    paths.filter(is_manifest).collect()
}

fn objects(folders: &[&str]) -> Vec<Value> {
    let texts = folders.iter().flat_map(|folder| files(folder));
    let texts = texts.map(|file| fs::read_to_string(file).unwrap());
    let documents = texts.flat_map(|text| {
        let documents = serde_norway::Deserializer::from_str(&text);
        let values = documents.map(|one| Value::deserialize(one).unwrap());
        values.collect::<Vec<Value>>()
    });
    documents.collect()
}

fn name(object: &Value) -> &str {
    object["metadata"]["name"].as_str().unwrap()
}

/// The templates of pods, by the names of what makes them.
fn templates(objects: &[Value]) -> Vec<(&str, &Value)> {
    let made = objects.iter().filter_map(|one| {
        let path = match one["kind"].as_str().unwrap() {
            "Deployment" | "Job" => "/spec/template",
            "CronJob" => "/spec/jobTemplate/spec/template",
            _ => return None,
        };
        Some((name(one), one.pointer(path).unwrap()))
    });
    made.collect()
}

#[test]
fn a_namespace_refuses_power_over_nodes_and_tells_what_needs_more_than_ours() {
    let label = |file: &str, what: &str| {
        let text = fs::read_to_string(project().join(file)).unwrap();
        let object: Value = serde_norway::from_str(&text).unwrap();
        let label = format!("pod-security.kubernetes.io/{what}");
        object["metadata"]["labels"][&label]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    for (file, enforced, warned) in [
        ("k8s/00-namespace.yaml", "baseline", "restricted"),
        ("ha/00-namespace.yaml", "restricted", "restricted"),
        ("image/00-namespace.yaml", "baseline", ""),
    ] {
        assert_eq!(label(file, "enforce"), enforced, "{file}");
        assert_eq!(label(file, "warn"), warned, "{file}");
        assert_eq!(label(file, "audit"), "restricted", "{file}");
    }
}

#[test]
fn every_pod_has_an_account_of_its_own_and_a_token_only_where_it_asks_the_cluster() {
    let mut seen = BTreeSet::new();
    for folders in FOLDERS {
        let objects = objects(folders);
        let accounts: Vec<&Value> = objects
            .iter()
            .filter(|one| one["kind"] == "ServiceAccount")
            .collect();
        let mut taken = BTreeSet::new();
        for (of, template) in templates(&objects) {
            let spec = &template["spec"];
            let account = spec["serviceAccountName"].as_str();
            let account = account.unwrap_or_else(|| panic!("{of} has none of its own"));
            assert!(taken.insert(account), "{account} is that of another one");
            let declared = accounts.iter().find(|one| name(one) == account);
            let declared = declared.unwrap_or_else(|| panic!("{account} is not declared"));
            if of != "kube-state-metrics" {
                let without = "automountServiceAccountToken";
                assert_eq!(spec[without], false, "{of}");
                assert_eq!(declared[without], false, "{account}");
            }
            seen.insert(of.to_owned());
        }
    }
    let expected = ["flask", "sqlite-backup", "sqlite-restore", "prometheus"];
    assert!(expected.iter().all(|one| seen.contains(*one)), "{seen:?}");
}

/// Pod Security's level "restricted", and a file system that nothing can be left on.
#[test]
fn every_pod_is_restricted() {
    for folders in FOLDERS {
        let objects = objects(folders);
        for (of, template) in templates(&objects) {
            let spec = &template["spec"];
            let whole = &spec["securityContext"];
            assert_eq!(whole["runAsNonRoot"], true, "{of}");
            assert_eq!(whole["seccompProfile"]["type"], "RuntimeDefault", "{of}");
            for host in ["hostNetwork", "hostPID", "hostIPC"] {
                assert!(spec[host].is_null(), "{of} asks for {host}");
            }
            for container in ["initContainers", "containers"]
                .iter()
                .flat_map(|kind| spec[*kind].as_array().into_iter().flatten())
            {
                let own = &container["securityContext"];
                assert_eq!(own["allowPrivilegeEscalation"], false, "{of}");
                assert_eq!(own["readOnlyRootFilesystem"], true, "{of}");
                assert_eq!(own["capabilities"]["drop"][0], "ALL", "{of}");
                for stated in ["privileged", "runAsUser", "procMount"] {
                    assert!(own[stated].is_null(), "{of}: {stated}");
                }
            }
            for volume in spec["volumes"].as_array().into_iter().flatten() {
                assert!(volume["hostPath"].is_null(), "{of}: {volume}");
            }
        }
    }
}
