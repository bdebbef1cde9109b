//! What copies a lab elsewhere, as `kubectl get … -o json` says it.

use anyhow::Result;
use serde_json::Value;
use terms::lang::both;

use super::kube_state::{items, list};

/// What was given to it, as a short word.
pub const GIVEN: &str = "atelier-pra/given";

/// What copies, as a cluster has it.
#[derive(Debug, Default)]
pub struct Copies {
    /// The data of the map that says where copies go.
    pub settings: Option<Value>,
    /// What the map was given.
    pub given: Option<String>,
    /// What there is of [`Copies::KINDS`].
    pub objects: Vec<Value>,
    pub running: bool,
    /// Why it does not run.
    pub trouble: Option<String>,
}

impl Copies {
    /// What copies, and what lets it out.
    pub const KINDS: [&str; 2] = ["Deployment", "NetworkPolicy"];

    /// Reads deployments, pods and config maps with its label.
    pub fn parse(text: &str) -> Result<Self> {
        let items = items(text)?;
        let of = |kind: &'static str| items.iter().filter(move |one| one["kind"] == kind);
        let (map, deployment) = (of("ConfigMap").next(), of("Deployment").next());
        let running = deployment.is_some_and(|one| one["status"]["readyReplicas"] == 1);
        let stopped = deployment.is_some_and(|one| one["spec"]["replicas"] == 0);
        let trouble = match stopped {
            true => Some(both("it was scaled to 0", "il a été mis à 0").to_string()),
            false => of("Pod").find_map(why),
        };
        Ok(Self {
            settings: map.map(|map| map["data"].clone()),
            given: map.and_then(given),
            objects: Self::KINDS.into_iter().flat_map(of).cloned().collect(),
            running,
            trouble: trouble.filter(|_| !running),
        })
    }
}

fn given(object: &Value) -> Option<String> {
    let annotations = &object["metadata"]["annotations"];
    annotations[GIVEN].as_str().map(str::to_owned)
}

/// Why the container of a pod does not run, in the cluster's words.
fn why(pod: &Value) -> Option<String> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let waiting = list(&pod["status"]["containerStatuses"]).find_map(|one| {
        let waiting = &one["state"]["waiting"];
        text(&waiting["message"]).or_else(|| text(&waiting["reason"]))
    });
    waiting.or_else(|| {
        let mut conditions = list(&pod["status"]["conditions"]);
        text(&conditions.find(|one| one["status"] == "False")?["message"])
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn said(pod: &Value, ready: u64) -> Copies {
        let annotations = json!({"annotations": {GIVEN: "x"}});
        let text = json!({"items": [
            {"kind": "ConfigMap", "metadata": annotations, "data": {"PRA_OFFSITE": "s3://copies"}},
            {"kind": "Deployment", "spec": {"replicas": 1, "template": {"metadata": annotations}},
             "status": {"readyReplicas": ready}},
            {"kind": "Pod", "status": pod}]});
        Copies::parse(&text.to_string()).unwrap()
    }

    #[test]
    fn what_it_was_given_tells_whether_anything_changed() {
        let found = said(&Value::Null, 1);
        assert_eq!(found.given.as_deref(), Some("x"));
        assert_eq!(
            found.settings.as_ref().unwrap()["PRA_OFFSITE"],
            "s3://copies"
        );
        assert!(found.running && found.objects.len() == 1);
        let nothing = Copies::parse(r#"{"items":[]}"#).unwrap();
        assert!(nothing.given.is_none() && nothing.objects.is_empty());
        assert!(nothing.settings.is_none() && !nothing.running);
    }

    #[test]
    fn why_it_does_not_run_is_in_the_words_of_the_cluster() {
        let waiting = json!({"containerStatuses": [{"state": {"waiting":
            {"reason": "CrashLoopBackOff", "message": "back-off 10s restarting"}}}]});
        let found = said(&waiting, 0);
        assert_eq!(found.trouble.as_deref(), Some("back-off 10s restarting"));
        let unplaced = json!({"conditions": [{"status": "False", "message": "no node"}]});
        assert_eq!(said(&unplaced, 0).trouble.as_deref(), Some("no node"));
        assert_eq!(said(&unplaced, 1).trouble, None);
    }
}
