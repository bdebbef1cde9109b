//! What differs from the manifests of the checkout in a cluster of somebody else: another
//! image, namespace, storage class and way to the service, as a kustomization says it.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::image::pushed;
use crate::config::{Kubernetes, Reach};
use crate::names;

/// How the manifests are changed, and where the results are kept.
#[derive(Clone, Debug)]
pub struct Rendering {
    pub settings: Kubernetes,
    /// The image as the manifests name it, without its tag.
    pub repository: &'static str,
    /// The database has instances on several nodes, and nothing is on a volume that pods share.
    pub replicated: bool,
    pub folder: PathBuf,
    /// What was shown already in a dry run.
    pub(super) shown: Arc<Mutex<Vec<PathBuf>>>,
    /// A dry run has shown a push: which tag that gives, the shell will know.
    pub(super) pushes: Arc<AtomicBool>,
}

impl Rendering {
    pub fn new(
        settings: &Kubernetes,
        repository: &'static str,
        replicated: bool,
        folder: PathBuf,
    ) -> Self {
        Self {
            settings: settings.clone(),
            repository,
            replicated,
            folder,
            shown: Arc::default(),
            pushes: Arc::default(),
        }
    }

    /// The kustomization that changes these files.
    pub(super) fn kustomization(&self, files: &[PathBuf], unknown_tag: String) -> Result<String> {
        let (settings, repository) = (&self.settings, self.repository);
        let earlier = !self.pushes.load(Ordering::Relaxed);
        let registry = settings.registry();
        let image = pushed::named(&self.folder, registry, repository, unknown_tag, earlier);
        let (name, tag) = image?;
        let (label, value) = names::part_of();
        let kustomization = json!({
            "apiVersion": "kustomize.config.k8s.io/v1beta1",
            "kind": "Kustomization",
            "namespace": settings.namespace(),
            "resources": files,
            // Whatever is declared is known as the lab's, also by its teardown.
            "labels": [{"pairs": {label: value}, "includeTemplates": true}],
            "images": [{"name": self.repository, "newName": name, "newTag": tag}],
            "patches": self.patches(),
        });
        serde_norway::to_string(&kustomization).context("spelling out a kustomization")
    }

    /// What differs from the files beside image and namespace.
    fn patches(&self) -> Vec<Value> {
        let settings = &self.settings;
        let mut all = vec![
            patch("Service", &service(settings.service)),
            patch("Deployment", &[ours_alone("/spec/selector/matchLabels")]),
        ];
        for (kind, template) in [
            ("Deployment", "/spec/template"),
            ("CronJob", "/spec/jobTemplate/spec/template"),
            ("Job", "/spec/template"),
        ] {
            let mut changes = pull_with(settings, template);
            if !self.replicated {
                changes.push(together(template));
            }
            all.extend((!changes.is_empty()).then(|| patch(kind, &changes)));
        }
        if self.replicated {
            all.extend(of_replicas());
        }
        all.extend(of_policies());
        if !settings.storage_class.is_empty() {
            for (kind, path) in [
                ("PersistentVolumeClaim", "/spec/storageClassName"),
                ("Cluster", "/spec/storage/storageClass"),
            ] {
                all.push(patch(kind, &[add(path, json!(settings.storage_class))]));
            }
        }
        all
    }
}

fn patch(kind: &str, changes: &[Value]) -> Value {
    json!({"target": {"kind": kind}, "patch": json!(changes).to_string()})
}

/// Pods of others may have the same `app`.
fn ours_alone(selector: &str) -> Value {
    let (label, value) = names::part_of();
    let label = label.replace('/', "~1");
    add(&format!("{selector}/{label}"), json!(value))
}

fn add(path: &str, value: Value) -> Value {
    json!({"op": "add", "path": path, "value": value})
}

/// The port of the nodes is the cluster's to choose: another service may have ours.
fn service(reach: Reach) -> Vec<Value> {
    let kind = match reach {
        Reach::PortForward | Reach::Ingress => "ClusterIP",
        Reach::NodePort => "NodePort",
        Reach::LoadBalancer => "LoadBalancer",
    };
    vec![
        json!({"op": "remove", "path": "/spec/ports/0/nodePort"}),
        add("/spec/type", json!(kind)),
        ours_alone("/spec/selector"),
    ]
}

/// A volume that one node alone can mount keeps all pods that need it on one node: the
/// first pod chooses it, also where the volume itself does not say which.
fn together(template: &str) -> Value {
    let (label, value) = names::part_of();
    let together = json!({"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [
        {"labelSelector": {"matchLabels": {label: value}}, "topologyKey": "kubernetes.io/hostname"},
    ]}});
    add(&format!("{template}/spec/affinity"), together)
}

fn pull_with(settings: &Kubernetes, template: &str) -> Vec<Value> {
    if settings.pull_secret.is_empty() {
        return Vec::new();
    }
    let secrets = json!([{"name": settings.pull_secret}]);
    let path = format!("{template}/spec/imagePullSecrets");
    vec![add(&path, secrets)]
}

/// Nodes of others may have no label of a zone: pods are apart by node, and by zone where
/// there are several. What the operator makes has the lab's label too.
fn of_replicas() -> Vec<Value> {
    let (label, value) = names::part_of();
    let spread = |place: u8, whether: &str| {
        let constraint = "/spec/template/spec/topologySpreadConstraints";
        let path = format!("{constraint}/{place}/whenUnsatisfiable");
        json!({"op": "replace", "path": path, "value": whether})
    };
    let inherited = json!({"labels": {label: value}});
    vec![
        patch(
            "Deployment",
            &[spread(0, "ScheduleAnyway"), spread(1, "DoNotSchedule")],
        ),
        patch(
            "PodDisruptionBudget",
            &[ours_alone("/spec/selector/matchLabels")],
        ),
        patch("Cluster", &[add("/spec/inheritedMetadata", inherited)]),
    ]
}

/// Policies are for our pods alone, and know neither where the cluster of somebody else has
/// its server of names nor what stands before a service there.
fn of_policies() -> Vec<Value> {
    let (label, value) = names::part_of();
    let labels = "/spec/podSelector/matchLabels";
    let for_all = add(labels, json!({label: value}));
    let from_anywhere = |path: &str| json!({"op": "remove", "path": path});
    vec![
        patch_one("default-deny", std::slice::from_ref(&for_all)),
        patch_one(
            "dns",
            &[for_all.clone(), from_anywhere("/spec/egress/0/to")],
        ),
        patch_one(
            "flask",
            &[ours_alone(labels), from_anywhere("/spec/ingress/0/from")],
        ),
        patch_one("offsite", &[ours_alone(labels)]),
    ]
}

fn patch_one(policy: &str, changes: &[Value]) -> Value {
    let mut patch = patch("NetworkPolicy", changes);
    patch["target"]["name"] = json!(policy);
    patch
}

/// The way in by name, beside what the files have.
pub fn ingress(settings: &Kubernetes, service: &str) -> Value {
    let (label, value) = names::part_of();
    let backend = json!({"service": {"name": service, "port": {"name": "http"}}});
    let mut spec = json!({"rules": [{
        "host": settings.host(),
        "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]},
    }]});
    if !settings.ingress_class.is_empty() {
        spec["ingressClassName"] = json!(settings.ingress_class);
    }
    json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": service, "namespace": settings.namespace(), "labels": {label: value}},
        "spec": spec,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(text: &str) -> Kubernetes {
        toml::from_str(text).unwrap()
    }

    fn kustomization(text: &str) -> Value {
        kustomization_of(text, false)
    }

    fn kustomization_of(text: &str, replicated: bool) -> Value {
        let nowhere = PathBuf::from("/nowhere");
        let settings = settings(text);
        let rendering = Rendering::new(&settings, "pra/flask-sqlite", replicated, nowhere);
        let files = [PathBuf::from("/lab/k8s/20-deployment.yaml")];
        let said = rendering.kustomization(&files, "0123".to_owned()).unwrap();
        serde_norway::from_str(&said).unwrap()
    }

    /// The changes of a kind, as one text.
    fn changes(kustomization: &Value, kind: &str) -> String {
        let patches = kustomization["patches"].as_array().unwrap().iter();
        let of = patches.filter(|patch| patch["target"]["kind"] == kind);
        of.map(|patch| patch["patch"].as_str().unwrap().to_owned())
            .collect()
    }

    #[test]
    fn the_image_and_the_namespace_are_those_of_the_cluster() {
        let said = kustomization("registry = \"r.example:5000/team\"\nnamespace = \"mine\"");
        assert_eq!(said["namespace"], "mine");
        assert_eq!(
            said["images"][0],
            json!({"name": "pra/flask-sqlite", "newName": "r.example:5000/team/flask-sqlite",
                   "newTag": "0123"})
        );
        assert_eq!(said["resources"][0], "/lab/k8s/20-deployment.yaml");
    }

    #[test]
    fn pods_of_others_with_the_same_name_get_no_request_and_no_command() {
        let said = kustomization("");
        let path = "/app.kubernetes.io~1part-of";
        let service = changes(&said, "Service");
        assert!(
            service.contains(&format!("/spec/selector{path}")),
            "{service}"
        );
        let deployment = changes(&said, "Deployment");
        let selector = format!("/spec/selector/matchLabels{path}");
        assert!(deployment.contains(&selector), "{deployment}");
        let pairs = &said["labels"][0]["pairs"];
        assert_eq!(pairs["app.kubernetes.io/part-of"], "atelier-pra");
    }

    #[test]
    fn pods_stand_together_and_pull_with_the_secret_that_is_stated() {
        let plain = kustomization("");
        for kind in ["Deployment", "CronJob", "Job"] {
            let said = changes(&plain, kind);
            assert!(said.contains("podAffinity"), "{kind}: {said}");
            assert!(!said.contains("imagePullSecrets"), "{kind}: {said}");
        }
        let said = changes(&kustomization("pull_secret = \"pull\""), "CronJob");
        let path = "/spec/jobTemplate/spec/template/spec/imagePullSecrets";
        assert!(said.contains(path), "{said}");
    }

    #[test]
    fn replicas_are_apart_by_node_whatever_labels_nodes_have() {
        let said = kustomization_of("storage_class = \"fast\"", true);
        let deployment = changes(&said, "Deployment");
        assert!(!deployment.contains("podAffinity"), "{deployment}");
        for (place, whether) in [(0, "ScheduleAnyway"), (1, "DoNotSchedule")] {
            let path = format!("topologySpreadConstraints/{place}/whenUnsatisfiable");
            let part = format!("\"path\":\"/spec/template/spec/{path}\",\"value\":\"{whether}\"");
            assert!(deployment.contains(&part), "no {part} in {deployment}");
        }
        let database = changes(&said, "Cluster");
        for part in ["/spec/inheritedMetadata", "/spec/storage/storageClass"] {
            assert!(database.contains(part), "no {part} in {database}");
        }
        assert!(changes(&said, "PodDisruptionBudget").contains("part-of"));
    }

    #[test]
    fn the_constraints_that_are_changed_are_those_of_the_file() {
        let text = include_str!("../../../ha/20-deployment.yaml");
        let declared: Value = serde_norway::from_str(text).unwrap();
        let constraints = &declared["spec"]["template"]["spec"]["topologySpreadConstraints"];
        let keys = [0, 1].map(|place| &constraints[place]["topologyKey"]);
        assert_eq!(keys[0], "topology.kubernetes.io/zone");
        assert_eq!(keys[1], "kubernetes.io/hostname");
    }

    #[test]
    fn a_storage_class_is_stated_where_it_is_not_the_default_one() {
        assert_eq!(changes(&kustomization(""), "PersistentVolumeClaim"), "");
        let said = kustomization("storage_class = \"fast\"");
        let said = changes(&said, "PersistentVolumeClaim");
        assert!(said.contains("\"value\":\"fast\""), "{said}");
    }

    #[test]
    fn the_service_is_of_the_kind_that_leads_users_to_it() {
        for (service, kind) in [
            ("port-forward", "ClusterIP"),
            ("ingress", "ClusterIP"),
            ("node-port", "NodePort"),
            ("load-balancer", "LoadBalancer"),
        ] {
            let said = kustomization(&format!("service = \"{service}\""));
            let said = changes(&said, "Service");
            assert!(said.contains(&format!("\"value\":\"{kind}\"")), "{said}");
            assert!(said.contains("\"op\":\"remove\""), "{said}");
        }
    }

    #[test]
    fn policies_bind_our_pods_alone_and_every_one_of_them() {
        let said = kustomization("");
        let patches = said["patches"].as_array().unwrap();
        let read = |file: &str| {
            let file = format!(concat!(env!("CARGO_MANIFEST_DIR"), "/../k8s/{}"), file);
            let text = std::fs::read_to_string(file).unwrap();
            crate::tools::kube_diff::documents(&text).unwrap()
        };
        let all = [read("70-network.yaml"), read("offsite/60-shipper.yaml")].concat();
        let policies: Vec<_> = all
            .iter()
            .filter(|one| one["kind"] == "NetworkPolicy")
            .collect();
        assert_eq!(policies.len(), 4);
        for policy in policies {
            let name = &policy["metadata"]["name"];
            let found = patches.iter().find(|one| one["target"]["name"] == *name);
            let found = found.unwrap_or_else(|| panic!("{name} would bind pods of others"));
            let changes = found["patch"].as_str().unwrap();
            assert!(changes.contains("part-of"), "{name}: {changes}");
        }
        let flask = changes(&said, "NetworkPolicy");
        assert!(flask.contains("/spec/ingress/0/from"), "{flask}");
    }

    #[test]
    fn an_ingress_answers_to_its_name_alone() {
        let stated = settings("host = \"lab.example\"\ningress_class = \"nginx\"");
        let ingress = ingress(&stated, "flask");
        assert_eq!(ingress["spec"]["rules"][0]["host"], "lab.example");
        assert_eq!(ingress["spec"]["ingressClassName"], "nginx");
        let plain = super::ingress(&settings("host = \"lab.example\""), "flask");
        assert_eq!(plain["spec"]["ingressClassName"], Value::Null);
    }
}
