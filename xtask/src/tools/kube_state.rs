//! What `kubectl get … -o json` says, as the facts that commands speak of.

use crate::facts::{Facts, Instances, Job, JobState, Pod, Volume};
use crate::names::CRON_JOB;
use anyhow::{Context as _, Result};
use serde_json::Value;

/// The lab's facts from the objects of its namespace, where `deployment` runs the
/// application. Without the URL.
pub fn facts(text: &str, deployment: &str) -> Result<Facts> {
    let items = items(text)?;
    let of = |kind: &'static str| items.iter().filter(move |item| item["kind"] == kind);
    let named = |kind, name: &str| of(kind).find(|item| item["metadata"]["name"] == name);
    let replicas = of("Pod").filter(|pod| is_replica(pod, deployment));
    let deployment = named("Deployment", deployment);
    let cron_job = named("CronJob", CRON_JOB);
    let volumes: Vec<&Value> = of("PersistentVolume").collect();
    Ok(Facts {
        running: true,
        url: None,
        wanted: deployment.map_or(0, |one| number(&one["spec"]["replicas"])),
        pods: replicas.map(pod).collect(),
        schedule: cron_job.map_or_else(String::new, |one| string(&one["spec"]["schedule"])),
        suspended: cron_job.is_some_and(|one| one["spec"]["suspend"] == true),
        volumes: of("PersistentVolumeClaim")
            .filter(|claim| !is_going(claim))
            .map(|claim| volume(claim, &volumes))
            .collect(),
        jobs: of("Job").map(job).collect(),
        instances: of("Cluster").map(instances).next(),
    })
}

/// How many instances a cluster of the database wants, and how many are ready.
pub(super) fn instances(cluster: &Value) -> Instances {
    Instances {
        wanted: number(&cluster["spec"]["instances"]),
        ready: number(&cluster["status"]["readyInstances"]),
    }
}

pub(super) fn items(text: &str) -> Result<Vec<Value>> {
    let mut list: Value = serde_json::from_str(text).context("reading the answer of kubectl")?;
    match list["items"].take() {
        Value::Array(items) => Ok(items),
        _ => anyhow::bail!("the answer of kubectl is not a list of objects"),
    }
}

pub(super) fn string(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

pub(super) fn number(value: &Value) -> u32 {
    let number = value.as_u64().unwrap_or_default();
    u32::try_from(number).unwrap_or(u32::MAX)
}

pub(super) fn is_going(object: &Value) -> bool {
    object["metadata"]["deletionTimestamp"].is_string()
}

/// A pod of the deployment that has not ended: evicted ones stay as objects.
fn is_replica(pod: &Value, deployment: &str) -> bool {
    pod["metadata"]["labels"]["app"] == deployment && !is_over(pod)
}

pub(super) fn is_over(pod: &Value) -> bool {
    let over = ["Succeeded", "Failed"].map(Value::from);
    over.contains(&pod["status"]["phase"])
}

fn pod(pod: &Value) -> Pod {
    let stopping = is_going(pod);
    let restarts = list(&pod["status"]["containerStatuses"]);
    Pod {
        name: string(&pod["metadata"]["name"]),
        ready: !stopping && condition(pod, "Ready").is_some(),
        restarts: restarts.map(|one| number(&one["restartCount"])).sum(),
        stopping,
    }
}

pub(super) fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// The condition of that type, where it is true.
pub(super) fn condition<'a>(object: &'a Value, kind: &str) -> Option<&'a Value> {
    list(&object["status"]["conditions"])
        .find(|condition| condition["type"] == kind && condition["status"] == "True")
}

pub(super) fn volume(claim: &Value, volumes: &[&Value]) -> Volume {
    let name = &claim["spec"]["volumeName"];
    let bound = volumes.iter().find(|one| one["metadata"]["name"] == *name);
    Volume {
        claim: string(&claim["metadata"]["name"]),
        place: match (bound, name.as_str()) {
            (Some(bound), _) => place(bound),
            // Where it is cannot be seen, as with an account of one namespace.
            (None, Some(name)) => name.to_owned(),
            (None, None) => "not bound yet".to_owned(),
        },
    }
}

/// Node and path; the storage class may use either source.
fn place(volume: &Value) -> String {
    let spec = &volume["spec"];
    let path = spec["hostPath"]["path"]
        .as_str()
        .or(spec["local"]["path"].as_str());
    let name = volume["metadata"]["name"].as_str();
    let path = path.or(name).unwrap_or_default();
    match node(volume) {
        Some(node) => format!("{node}:{path}"),
        None => path.to_owned(),
    }
}

fn node(volume: &Value) -> Option<&str> {
    let terms = &volume["spec"]["nodeAffinity"]["required"]["nodeSelectorTerms"];
    let expression = list(&terms[0]["matchExpressions"])
        .find(|expression| expression["key"] == "kubernetes.io/hostname")?;
    expression["values"][0].as_str()
}

fn job(job: &Value) -> Job {
    let failed = condition(job, "Failed").or(condition(job, "FailureTarget"));
    let done = condition(job, "Complete").or(condition(job, "SuccessCriteriaMet"));
    let state = match (failed, done) {
        (Some(_), _) => JobState::Failed,
        (None, Some(_)) => JobState::Succeeded,
        (None, None) => JobState::Running,
    };
    Job {
        name: string(&job["metadata"]["name"]),
        state,
        reason: failed.map(|one| string(&one["message"])),
    }
}

/// Whether every node says that it is ready.
pub fn all_nodes_ready(text: &str) -> Result<bool> {
    let nodes = items(text)?;
    let ready = nodes.iter().all(|node| condition(node, "Ready").is_some());
    Ok(ready && !nodes.is_empty())
}

/// How far a job has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// No container runs yet; why, where that is known.
    Waiting(Option<String>),
    /// Its log can be followed.
    Running {
        pod: String,
    },
    Succeeded {
        pod: String,
    },
    Failed {
        pod: Option<String>,
        reason: String,
    },
}

/// The progress of the job with this uid: a stale pod of an earlier job of the
/// same name does not count.
pub fn progress(text: &str, uid: &str) -> Result<Progress> {
    let items = items(text)?;
    let job = items.iter().find(|item| item["metadata"]["uid"] == uid);
    let Some(this) = job else {
        return Ok(Progress::Failed {
            pod: None,
            reason: "somebody deleted the job".to_owned(),
        });
    };
    let mut pods: Vec<&Value> = items
        .iter()
        .filter(|item| {
            item["kind"] == "Pod" && item["metadata"]["ownerReferences"][0]["uid"] == uid
        })
        .collect();
    // RFC 3339 in UTC sorts as text.
    pods.sort_by_key(|pod| string(&pod["metadata"]["creationTimestamp"]));
    let in_phase = |phase: &str| pods.iter().rfind(|pod| pod["status"]["phase"] == phase);
    let name = |pod: &&Value| string(&pod["metadata"]["name"]);
    if let Some(pod) = pods.iter().rfind(|pod| has_succeeded(pod)) {
        return Ok(Progress::Succeeded { pod: name(pod) });
    }
    let state = job_of(this);
    if state.state == JobState::Failed {
        return Ok(Progress::Failed {
            pod: pods.last().map(name),
            reason: state.reason.unwrap_or_default(),
        });
    }
    if let Some(pod) = in_phase("Running") {
        return Ok(Progress::Running { pod: name(pod) });
    }
    Ok(Progress::Waiting(
        pods.last().and_then(|pod| why_waiting(pod)),
    ))
}

/// Its containers ended with exit code 0. The pod's own phase says so a second
/// later, when its network and its volumes are taken down too.
fn has_succeeded(pod: &Value) -> bool {
    let mut containers = list(&pod["status"]["containerStatuses"]).peekable();
    let ended = containers.peek().is_some();
    let well = |container: &Value| container["state"]["terminated"]["exitCode"] == 0;
    pod["status"]["phase"] == "Succeeded" || (ended && containers.all(well))
}

fn job_of(value: &Value) -> Job {
    job(value)
}

/// Why a pod does not start, in the cluster's words.
fn why_waiting(pod: &Value) -> Option<String> {
    let container = list(&pod["status"]["containerStatuses"])
        .map(|one| &one["state"]["waiting"])
        .find(|waiting| waiting["reason"].is_string() && waiting["reason"] != "ContainerCreating");
    let unscheduled = list(&pod["status"]["conditions"])
        .find(|one| one["type"] == "PodScheduled" && one["status"] == "False");
    let (reason, message) = container
        .map(|one| (&one["reason"], &one["message"]))
        .or(unscheduled.map(|one| (&one["reason"], &one["message"])))?;
    Some(format!("{}: {}", string(reason), string(message)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn state() -> Value {
        json!({"kind": "List", "items": [
            {"kind": "Deployment", "metadata": {"name": "flask"}, "spec": {"replicas": 2}},
            {"kind": "CronJob", "metadata": {"name": "sqlite-backup"},
             "spec": {"schedule": "* * * * *", "suspend": true}},
            {"kind": "Pod", "metadata": {"name": "flask-a", "labels": {"app": "flask"}},
             "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}],
                        "containerStatuses": [{"restartCount": 1, "imageID": "sha256:1"}]}},
            {"kind": "Pod", "metadata": {"name": "flask-b", "labels": {"app": "flask"},
                                          "deletionTimestamp": "2025-01-01T00:00:00Z"},
             "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}},
            {"kind": "Pod", "metadata": {"name": "flask-c", "labels": {"app": "flask"}},
             "status": {"phase": "Failed", "reason": "Evicted"}},
            {"kind": "Pod", "metadata": {"name": "backup-x", "labels": {"app": "sqlite-backup"}},
             "status": {"phase": "Succeeded"}},
            {"kind": "PersistentVolumeClaim", "metadata": {"name": "pra-data"},
             "spec": {"volumeName": "pvc-1"}},
            {"kind": "PersistentVolumeClaim", "metadata": {"name": "pra-backup"}, "spec": {}},
            {"kind": "PersistentVolumeClaim", "metadata": {"name": "old",
             "deletionTimestamp": "2025-01-01T00:00:00Z"}, "spec": {}},
            {"kind": "PersistentVolume", "metadata": {"name": "pvc-1"},
             "spec": {"hostPath": {"path": "/storage/pvc-1"}, "nodeAffinity": {"required":
                {"nodeSelectorTerms": [{"matchExpressions":
                    [{"key": "kubernetes.io/hostname", "values": ["agent-0"]}]}]}}}},
            {"kind": "Job", "metadata": {"name": "j"}, "status": {"conditions":
                [{"type": "Failed", "status": "True", "message": "too many"}]}},
        ]})
    }

    #[test]
    fn the_facts_are_read_from_one_answer() {
        let facts = facts(&state().to_string(), "flask").unwrap();
        assert_eq!((facts.wanted, facts.ready()), (2, 1));
        let names: Vec<&str> = facts.pods.iter().map(|pod| pod.name.as_str()).collect();
        assert_eq!(
            names,
            ["flask-a", "flask-b"],
            "evicted pods are no replicas"
        );
        assert!(facts.pods[1].stopping && !facts.pods[1].ready);
        assert!(facts.suspended);
        assert_eq!(facts.volumes[0].place, "agent-0:/storage/pvc-1");
        assert_eq!(facts.volumes[1].place, "not bound yet");
        assert!(!facts.has_volume("old"), "a claim that is going is gone");
        assert_eq!(facts.jobs[0].reason.as_deref(), Some("too many"));
    }

    #[test]
    fn an_empty_namespace_is_a_lab_without_application() {
        let facts = facts(r#"{"kind":"List","items":[]}"#, "flask").unwrap();
        assert!(facts.running && facts.wanted == 0 && facts.volumes.is_empty());
    }

    #[test]
    fn a_bound_volume_that_cannot_be_seen_is_named() {
        let claim = json!({"metadata": {"name": "pra-data"}, "spec": {"volumeName": "pvc-1"}});
        assert_eq!(volume(&claim, &[]).place, "pvc-1");
    }

    #[test]
    fn garbage_is_an_error() {
        assert!(facts("Unable to connect", "flask").is_err());
        assert!(facts("{}", "flask").is_err());
    }

    fn job_with(pods: Value) -> String {
        let mut items = vec![json!({"kind": "Job", "metadata": {"name": "r", "uid": "u1"}})];
        items.extend(pods.as_array().unwrap().clone());
        json!({"items": items}).to_string()
    }

    #[test]
    fn a_stale_pod_of_the_same_name_does_not_count() {
        let stale = json!([{"kind": "Pod", "metadata": {"name": "r-1",
            "ownerReferences": [{"uid": "u0"}]}, "status": {"phase": "Succeeded"}}]);
        assert_eq!(
            progress(&job_with(stale), "u1").unwrap(),
            Progress::Waiting(None)
        );
    }

    #[test]
    fn the_newest_pod_tells_how_far_the_job_is() {
        let pods = json!([
            {"kind": "Pod", "metadata": {"name": "r-1", "creationTimestamp": "2025-01-01T00:00:00Z",
             "ownerReferences": [{"uid": "u1"}]}, "status": {"phase": "Failed"}},
            {"kind": "Pod", "metadata": {"name": "r-2", "creationTimestamp": "2025-01-01T00:00:09Z",
             "ownerReferences": [{"uid": "u1"}]}, "status": {"phase": "Running"}},
        ]);
        let found = progress(&job_with(pods), "u1").unwrap();
        assert_eq!(found, Progress::Running { pod: "r-2".into() });
        let gone = progress(&job_with(json!([])), "other").unwrap();
        assert!(matches!(gone, Progress::Failed { .. }));
    }

    #[test]
    fn a_job_is_over_with_its_container() {
        let with = |phase: &str, states: Value| {
            let states = states.as_array().unwrap().iter();
            let containers: Vec<Value> = states.map(|one| json!({"state": one})).collect();
            let pods = json!([{"kind": "Pod", "metadata": {"name": "r-1",
                "ownerReferences": [{"uid": "u1"}]},
                "status": {"phase": phase, "containerStatuses": containers}}]);
            progress(&job_with(pods), "u1").unwrap()
        };
        let ended = |code: i32| json!({"terminated": {"exitCode": code}});
        let runs = || json!({"running": {}});
        let succeeded = Progress::Succeeded { pod: "r-1".into() };
        let running = Progress::Running { pod: "r-1".into() };
        assert_eq!(with("Running", json!([ended(0)])), succeeded);
        // One that was over before anybody looked.
        assert_eq!(with("Pending", json!([ended(0)])), succeeded);
        assert_eq!(with("Running", json!([ended(1)])), running);
        assert_eq!(with("Running", json!([ended(0), runs()])), running);
        assert_eq!(with("Running", json!([runs()])), running);
        assert_eq!(with("Pending", json!([])), Progress::Waiting(None));
    }

    #[test]
    fn a_pod_that_cannot_start_says_why() {
        let pods = json!([{"kind": "Pod", "metadata": {"name": "r-1",
            "ownerReferences": [{"uid": "u1"}]}, "status": {"phase": "Pending",
            "containerStatuses": [{"state": {"waiting":
                {"reason": "ErrImagePull", "message": "not found"}}}]}}]);
        let found = progress(&job_with(pods), "u1").unwrap();
        assert_eq!(
            found,
            Progress::Waiting(Some("ErrImagePull: not found".into()))
        );
    }
}
