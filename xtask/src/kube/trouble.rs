//! Why what was deployed does not come to run, as pods, claims and events tell it.

use anyhow::{Context as _, Result};
use serde_json::Value;
use terms::tr;

use super::Kube;
use crate::failure::Failure;
use crate::tools::kube_others::is_of_the_lab;

/// What stands in the way of a deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Trouble {
    /// The image, and what the node says.
    Image { image: String, said: String },
    /// Pods are not even made.
    Refused(String),
    /// A claim without a volume.
    Claim { claim: String, said: String },
    /// A pod without a node.
    Unplaced { pod: String, said: String },
}

impl Kube {
    /// The failure that explains it, where anything does.
    pub(super) fn trouble(&self) -> Option<Failure> {
        let kinds = "pods,replicasets,jobs,persistentvolumeclaims,events";
        let cmd = self.kubectl().ok()?.cmd(["get", kinds, "-o", "json"]);
        // A part that this account may not look at says nothing.
        let said = self.ctx.exec.probe(&cmd).ok()?.stdout;
        let is_ours = |object: &Value| self.rendering.is_none() || is_of_the_lab(object);
        let found = trouble(&said, is_ours).ok().flatten()?;
        Some(self.explained(&found))
    }

    fn explained(&self, trouble: &Trouble) -> Failure {
        match trouble {
            Trouble::Image { image, said } => Failure::tool(tr!(
                "the nodes cannot pull {image}: {said}",
                "les nœuds ne peuvent pas tirer {image} : {said}",
            ))
            .next(match self.rendering.is_some() {
                true => tr!(
                    "where the registry wants a login: {secret}; where it has lost the image: \
                     cargo xtask push",
                    "si le registre demande une identification : {secret} ; s'il a perdu l'image : \
                     cargo xtask push",
                    secret = self.how_to_make_a_pull_secret(),
                ),
                false => "cargo xtask import".to_owned(),
            }),
            Trouble::Refused(said) => Failure::tool(tr!(
                "the cluster makes no pods of the lab: {said}",
                "le cluster ne crée pas les pods du lab : {said}",
            ))
            .next(match said.contains("quota") {
                true => self.typed("describe quota"),
                false => self.typed("describe replicasets"),
            }),
            Trouble::Claim { claim, said } => Failure::tool(tr!(
                "{claim} gets no volume: {said}",
                "{claim} n'obtient pas de volume : {said}",
            ))
            .next(self.typed(&format!("describe persistentvolumeclaim {claim}"))),
            Trouble::Unplaced { pod, said } => Failure::tool(tr!(
                "{pod} finds no node: {said}",
                "{pod} ne trouve pas de nœud : {said}",
            ))
            .next(self.typed(&format!("describe pod {pod}"))),
        }
    }

    /// What a person types so that nodes pull with a login.
    pub fn how_to_make_a_pull_secret(&self) -> String {
        let settings = self.rendering.as_ref().map(|one| &one.settings);
        let registry = settings.map_or("", |one| one.registry());
        let host = registry.split('/').next().unwrap_or_default();
        let stated = settings.map_or("", |one| one.pull_secret.as_str());
        let name = if stated.is_empty() {
            "pra-pull"
        } else {
            stated
        };
        let words = format!(
            "create secret docker-registry {name} --docker-server={host} --docker-username=USER \
             --docker-password=PASSWORD"
        );
        let command = self.typed(&words);
        match stated.is_empty() {
            true => tr!(
                "{command}, and pull_secret = \"{name}\" in lab.toml",
                "{command}, et pull_secret = \"{name}\" dans lab.toml",
            ),
            false => command,
        }
    }
}

/// What stands first in the way of what is ours.
fn trouble(text: &str, is_ours: impl Fn(&Value) -> bool) -> Result<Option<Trouble>> {
    let list: Value = serde_json::from_str(text).context("reading what the cluster says")?;
    let items = list["items"].as_array().map_or(&[][..], Vec::as_slice);
    let of = |kind: &'static str| items.iter().filter(move |one| one["kind"] == kind);
    let ours = |kind| of(kind).filter(|object| is_ours(object));
    let image = ours("Pod").find_map(unpulled);
    let refused = || {
        let makers = ours("ReplicaSet").chain(ours("Job"));
        let mut lacking = makers.filter(|maker| lacks_pods(maker));
        lacking.find_map(|maker| refused(maker, of("Event")))
    };
    let claim = || {
        let pending = ours("PersistentVolumeClaim");
        let mut pending = pending.filter(|claim| claim["status"]["phase"] == "Pending");
        pending.find_map(|claim| unprovisioned(claim, of("Event")))
    };
    let unplaced = || ours("Pod").find_map(unplaced);
    Ok(image.or_else(refused).or_else(claim).or_else(unplaced))
}

/// It makes fewer pods than it wants: what it was refused earlier is over.
fn lacks_pods(maker: &Value) -> bool {
    let count = |name: &str| maker["status"][name].as_u64().unwrap_or_default();
    match maker["kind"] == "Job" {
        true => ["active", "succeeded", "failed"].map(count) == [0; 3],
        false => count("replicas") < maker["spec"]["replicas"].as_u64().unwrap_or_default(),
    }
}

/// Events tell the object by its identity: another one of that name may have been there.
fn refused<'a>(maker: &Value, events: impl Iterator<Item = &'a Value>) -> Option<Trouble> {
    let is_about = |event: &&Value| {
        let uid = &event["involvedObject"]["uid"];
        event["reason"] == "FailedCreate" && *uid == maker["metadata"]["uid"]
    };
    let event = events.filter(is_about).last()?;
    Some(Trouble::Refused(message(event)))
}

fn message(event: &Value) -> String {
    event["message"]
        .as_str()
        .unwrap_or_default()
        .trim()
        .to_owned()
}

fn name(object: &Value) -> String {
    let name = object["metadata"]["name"].as_str();
    name.unwrap_or_default().to_owned()
}

fn unpulled(pod: &Value) -> Option<Trouble> {
    const REASONS: [&str; 4] = [
        "ErrImagePull",
        "ImagePullBackOff",
        "InvalidImageName",
        "ErrImageNeverPull",
    ];
    let statuses = pod["status"]["containerStatuses"].as_array()?;
    let status = statuses.iter().find(|status| {
        let reason = &status["state"]["waiting"]["reason"];
        REASONS.iter().any(|known| reason == known)
    })?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Some(Trouble::Image {
        image: text(&status["image"]),
        said: text(&status["state"]["waiting"]["message"]),
    })
}

/// That a claim waits for its first pod is no trouble.
fn unprovisioned<'a>(claim: &Value, events: impl Iterator<Item = &'a Value>) -> Option<Trouble> {
    let claim = name(claim);
    let is_about = |event: &&Value| {
        let object = &event["involvedObject"];
        object["kind"] == "PersistentVolumeClaim"
            && object["name"] == claim.as_str()
            && event["reason"] != "WaitForFirstConsumer"
    };
    let event = events.filter(is_about).last()?;
    let said = message(event);
    Some(Trouble::Claim { claim, said })
}

fn unplaced(pod: &Value) -> Option<Trouble> {
    let conditions = pod["status"]["conditions"].as_array()?;
    let condition = conditions
        .iter()
        .find(|one| one["type"] == "PodScheduled" && one["status"] == "False")?;
    Some(Trouble::Unplaced {
        pod: name(pod),
        said: message(condition),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn found(items: Value) -> Option<Trouble> {
        trouble(&json!({ "items": items }).to_string(), |_| true).unwrap()
    }

    fn replica_set(made: u32) -> Value {
        json!({"kind": "ReplicaSet", "metadata": {"name": "flask-1", "uid": "1"},
               "spec": {"replicas": 2}, "status": {"replicas": made}})
    }

    fn unpulled() -> Value {
        json!({"kind": "Pod", "metadata": {"name": "flask-1"}, "status": {"containerStatuses": [
            {"image": "r.example/a:1", "state": {"waiting":
                {"reason": "ImagePullBackOff", "message": "401 Unauthorized"}}}]}})
    }

    fn pending(claim: &str) -> Value {
        json!({"kind": "PersistentVolumeClaim", "metadata": {"name": claim},
               "status": {"phase": "Pending"}})
    }

    fn event(kind: &str, name: &str, reason: &str, message: &str) -> Value {
        json!({"kind": "Event", "involvedObject": {"kind": kind, "name": name, "uid": "1"},
               "reason": reason, "message": message})
    }

    #[test]
    fn an_image_that_is_not_pulled_comes_first() {
        let said = Trouble::Image {
            image: "r.example/a:1".to_owned(),
            said: "401 Unauthorized".to_owned(),
        };
        assert_eq!(found(json!([pending("pra-data"), unpulled()])), Some(said));
    }

    #[test]
    fn pods_that_are_not_made_are_told_by_their_event() {
        let quota = event(
            "ReplicaSet",
            "flask-1",
            "FailedCreate",
            "exceeded quota: small",
        );
        let said = Trouble::Refused("exceeded quota: small".to_owned());
        assert_eq!(found(json!([quota, replica_set(0)])), Some(said));
        // What was refused once, and is there by now.
        assert_eq!(found(json!([quota, replica_set(2)])), None);
        let mut earlier = replica_set(0);
        earlier["metadata"]["uid"] = json!("2");
        assert_eq!(found(json!([quota, earlier])), None);
    }

    #[test]
    fn the_trouble_of_others_is_not_the_labs() {
        let failed = event(
            "PersistentVolumeClaim",
            "theirs",
            "ProvisioningFailed",
            "no",
        );
        let quota = event("ReplicaSet", "theirs", "FailedCreate", "exceeded quota");
        let all = [unpulled(), pending("theirs"), failed, quota, replica_set(0)];
        let text = json!({ "items": all }).to_string();
        assert!(trouble(&text, |_| true).unwrap().is_some());
        assert_eq!(trouble(&text, is_of_the_lab).unwrap(), None);
        let mut labelled = unpulled();
        labelled["metadata"]["labels"] = json!({"app.kubernetes.io/part-of": "atelier-pra"});
        let text = json!({ "items": [labelled] }).to_string();
        assert!(trouble(&text, is_of_the_lab).unwrap().is_some());
    }

    #[test]
    fn a_claim_is_told_by_what_its_provisioner_says() {
        let waits = event(
            "PersistentVolumeClaim",
            "pra-data",
            "WaitForFirstConsumer",
            "waiting for first consumer",
        );
        assert_eq!(found(json!([pending("pra-data"), waits])), None);
        let failed = event(
            "PersistentVolumeClaim",
            "pra-data",
            "ProvisioningFailed",
            "no space",
        );
        let said = Trouble::Claim {
            claim: "pra-data".to_owned(),
            said: "no space".to_owned(),
        };
        assert_eq!(
            found(json!([pending("pra-data"), waits, failed])),
            Some(said)
        );
    }

    #[test]
    fn a_pod_without_a_node_says_why() {
        let pod = json!({"kind": "Pod", "metadata": {"name": "flask-1"}, "status": {"conditions":
            [{"type": "PodScheduled", "status": "False", "message": "0/3 nodes are available"}]}});
        let said = Trouble::Unplaced {
            pod: "flask-1".to_owned(),
            said: "0/3 nodes are available".to_owned(),
        };
        assert_eq!(found(json!([pod])), Some(said));
        assert_eq!(found(json!([])), None);
    }
}
