//! What copies a lab elsewhere in a cluster is made of: a map that says where and for whom, the way
//! to a store beside the cluster, and the documents of `k8s/offsite` for that place.

use serde_json::{Value, json};

use super::fingerprint;
use crate::config;
use crate::names;
use crate::offsite::PLACE;
use crate::offsite::pods::ForPods;
use crate::tools::kube_copies::GIVEN;

/// The deployment, its label, and its policy of the network.
pub const SHIPPER: &str = "offsite";
/// The map and the secret.
pub const SETTINGS: &str = "pra-offsite";
pub const POLICY: &str = "NetworkPolicy";
/// The service that leads to the store beside the cluster.
pub const STORE: &str = "offsite-store";
/// SeaweedFS' own port of S3, which the policy of the network lets through.
pub const STORE_PORT: u16 = 8333;

/// Copies elsewhere as they are wanted of a cluster.
pub struct Copying {
    pub wanted: ForPods,
    /// Where the cluster's nodes reach the store beside it, if it is that.
    pub store: Option<String>,
    /// Which image is to run, where its name does not tell.
    pub image: String,
}

impl Copying {
    /// Without the credentials: what is made of them would help who guesses them.
    pub fn given(&self) -> String {
        let store = self.store.as_deref().unwrap_or_default();
        let settings = self
            .wanted
            .settings
            .iter()
            .flat_map(|(key, value)| [key, value]);
        fingerprint::of(settings.map(String::as_str).chain([store]))
    }

    /// Its address.
    pub fn place(&self) -> &str {
        self.wanted.settings.get(PLACE).map_or("", String::as_str)
    }

    /// The documents of the deployment and what it needs, for this place.
    ///
    /// # Arguments
    /// `policies`: whether those of the network are among them.
    pub fn shipper(&self, mut documents: Vec<Value>, policies: bool) -> Vec<Value> {
        documents.retain(|one| policies || one["kind"] != POLICY);
        for one in &mut documents {
            if one["kind"] == POLICY {
                let ports = json!([{"protocol": "TCP", "port": self.port()}]);
                one["spec"]["egress"][0]["ports"] = ports;
            }
        }
        let texts = documents.iter().map(Value::to_string).collect::<Vec<_>>();
        let more = [self.given(), self.image.clone()];
        let given = fingerprint::of(texts.iter().chain(&more).map(String::as_str));
        for one in &mut documents {
            if one["kind"] == "Deployment" {
                let template = &mut one["spec"]["template"]["metadata"];
                template["annotations"] = json!({GIVEN: given});
            }
        }
        documents
    }

    /// Where the network lets it out to.
    fn port(&self) -> u16 {
        config::bucket_port(self.place())
    }

    pub fn map(&self) -> Value {
        let mut map = object("v1", "ConfigMap", SETTINGS);
        map["data"] = json!(self.wanted.settings);
        map["metadata"]["annotations"] = json!({GIVEN: self.given()});
        map
    }

    /// By an address: the names that k3d gives this machine are gone with the first restart of a
    /// server (k3d#1221).
    pub fn way_to_store(&self) -> Vec<Value> {
        let Some(at) = &self.store else {
            return Vec::new();
        };
        let ports = json!([{"name": "s3", "port": STORE_PORT, "protocol": "TCP"}]);
        let mut service = object("v1", "Service", STORE);
        service["spec"] = json!({"ports": ports});
        let mut slice = object("discovery.k8s.io/v1", "EndpointSlice", STORE);
        slice["metadata"]["labels"]["kubernetes.io/service-name"] = STORE.into();
        slice["addressType"] = "IPv4".into();
        slice["ports"] = ports;
        slice["endpoints"] = json!([{"addresses": [at]}]);
        vec![service, slice]
    }
}

pub fn object(version: &str, kind: &str, name: &str) -> Value {
    let (label, value) = names::part_of();
    json!({"apiVersion": version, "kind": kind,
        "metadata": {"name": name, "labels": {"app": SHIPPER, label: value}}})
}

pub fn list(objects: &[Value]) -> String {
    json!({"apiVersion": "v1", "kind": "List", "items": objects}).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::offsite::pods::Credentials;

    fn wanted(secret: &str, store: Option<&str>) -> Copying {
        Copying {
            wanted: ForPods {
                settings: [(PLACE.to_owned(), "s3://copies".to_owned())].into(),
                credentials: Some(Credentials {
                    text: secret.to_owned(),
                    shown: "cat file".to_owned(),
                }),
            },
            store: store.map(str::to_owned),
            image: "sha256:1".to_owned(),
        }
    }

    #[test]
    fn another_place_or_store_is_given_anew_and_no_object_but_the_secret_has_that() {
        let one = wanted("hidden", None);
        assert_eq!(one.given(), wanted("other", None).given());
        assert!(one.way_to_store().is_empty());
        let moved = wanted("hidden", Some("172.18.0.9"));
        assert_ne!(one.given(), moved.given());
        let text = list(&[vec![one.map()], moved.way_to_store()].concat());
        assert!(!text.contains("hidden"), "{text}");
        assert!(text.contains("172.18.0.9"), "{text}");
    }

    #[test]
    fn whatever_changes_of_what_copies_is_told() {
        let policy = |cidr: &str| {
            json!({"kind": POLICY, "spec": {"egress": [
                {"to": [{"ipBlock": {"cidr": cidr}}], "ports": [{"protocol": "TCP", "port": 443}]}]}})
        };
        let deployment = |image: &str| {
            json!({"kind": "Deployment", "spec": {"template": {"metadata": {},
                "spec": {"containers": [{"image": image}]}}}})
        };
        let documents = vec![policy("0.0.0.0/0"), deployment("app:1")];
        let one = wanted("hidden", None);
        let made = one.shipper(documents.clone(), true);
        assert_eq!(made, one.shipper(documents.clone(), true));
        assert_eq!(made[0]["spec"]["egress"][0]["ports"][0]["port"], 443);
        let given = |made: &[Value]| {
            let runs = made.last().unwrap();
            runs["spec"]["template"]["metadata"]["annotations"][GIVEN].clone()
        };
        assert!(given(&made).is_string());
        let others = [
            one.shipper(documents.clone(), false),
            one.shipper(vec![policy("192.0.2.7/32"), deployment("app:1")], true),
            one.shipper(vec![policy("0.0.0.0/0"), deployment("app:2")], true),
            wanted("hidden", Some("172.18.0.9")).shipper(documents, true),
        ];
        for other in &others {
            assert_ne!(given(other), given(&made));
        }
        assert_eq!(others[0].len(), 1);
    }
}
