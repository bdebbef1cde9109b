//! Argument lists of kubectl. Every call names its context.

use std::time::Duration;

use serde::Deserialize;

use crate::exec::Cmd;
use crate::names::PART_OF;

/// kubectl for one namespace of one cluster.
#[derive(Clone, Debug)]
pub struct Kubectl {
    pub program: String,
    pub context: String,
    pub namespace: String,
}

impl Kubectl {
    pub fn cmd<S: AsRef<str>>(&self, args: impl IntoIterator<Item = S>) -> Cmd {
        Cmd::new(&self.program)
            .args(["--context", &self.context, "-n", &self.namespace])
            .args(args)
    }

    /// The same kubectl in another namespace.
    pub fn within(&self, namespace: &str) -> Self {
        Self {
            namespace: namespace.to_owned(),
            ..self.clone()
        }
    }
}

pub fn wait_until_ready(pod: &str, limit: Duration) -> Vec<String> {
    let pod = format!("pod/{pod}");
    words(&["wait", "--for=condition=Ready", &pod, &timeout(limit)])
}

/// All that the state of the lab is read from, in one call.
pub const GET_STATE: &[&str] = &[
    "get",
    "deployments,cronjobs,pods,jobs,persistentvolumeclaims,persistentvolumes",
    "-o",
    "json",
];

/// The same with the instances of a replicated database.
pub const GET_REPLICATED_STATE: &[&str] = &[
    "get",
    "deployments,cronjobs,pods,jobs,persistentvolumeclaims,persistentvolumes,\
     clusters.postgresql.cnpg.io",
    "-o",
    "json",
];

/// The images of the operators of the database.
pub const GET_OPERATORS: &[&str] = &[
    "get",
    "deployments",
    "--all-namespaces",
    "-l",
    "app.kubernetes.io/name=cloudnative-pg",
    "-o",
    "jsonpath={.items[*].spec.template.spec.containers[*].image}",
];

/// How a server says that it knows no such objects.
pub const UNKNOWN_KIND: &str = "the server doesn't have a resource type";

/// What decides whether something that runs has to be replaced.
pub const GET_RUNNING: &[&str] = &[
    "get",
    "pods,configmaps,persistentvolumeclaims,persistentvolumes",
    "--show-managed-fields",
    "-o",
    "json",
];

/// The images of the replicas, as the nodes know them.
pub const GET_IMAGES: &[&str] = &[
    "get",
    "pods",
    "-l",
    "app=flask",
    "-o",
    "jsonpath={.items[*].status.containerStatuses[*].imageID}",
];

pub const GET_VERSIONS: &[&str] = &["version", "-o", "json"];

/// What `kubectl version -o json` says of itself and of the cluster.
pub fn versions(said: &str) -> Vec<(String, String)> {
    #[derive(Default, Deserialize)]
    #[serde(rename_all = "camelCase", default)]
    struct Both {
        client_version: Option<One>,
        server_version: Option<One>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct One {
        git_version: String,
    }
    let both: Both = serde_json::from_str(said).unwrap_or_default();
    let known = [
        ("kubectl", both.client_version),
        ("kubernetes", both.server_version),
    ];
    let known = known.into_iter().filter_map(|(name, one)| {
        let version = one?.git_version;
        Some((name.to_owned(), version))
    });
    known.collect()
}

/// Jobs and their pods.
pub const GET_JOBS: &[&str] = &["get", "jobs,pods", "-o", "json"];

/// What the pods with these labels wrote, each line with the pod's name.
pub fn logs_of_all(labels: &str, lines: u32, follow: bool) -> Vec<String> {
    let (selector, lines) = (format!("--selector={labels}"), format!("--tail={lines}"));
    // More than five pods are refused otherwise: jobs stay for a while.
    let mut args = words(&[
        "logs",
        &selector,
        &lines,
        "--prefix",
        "--max-log-requests=20",
    ]);
    args.extend(follow.then(|| "--follow".to_owned()));
    args
}

pub fn scale(deployment: &str, replicas: u32) -> Vec<String> {
    words(&[
        "scale",
        "deployment",
        deployment,
        &format!("--replicas={replicas}"),
    ])
}

pub fn suspend(cron_job: &str, suspend: bool) -> Vec<String> {
    let patch = format!("{{\"spec\":{{\"suspend\":{suspend}}}}}");
    words(&["patch", "cronjob", cron_job, "-p", &patch])
}

/// All of the lab's. Foreground: kubectl returns when the pods are gone too.
pub fn delete_all_jobs() -> Vec<String> {
    let selector = format!("--selector={PART_OF}");
    words(&[
        "delete",
        "jobs",
        &selector,
        "--cascade=foreground",
        "--wait",
    ])
}

/// The same for one job, if there is one of that name.
pub fn delete_job(name: &str) -> Vec<String> {
    words(&[
        "delete",
        "job",
        name,
        "--ignore-not-found",
        "--cascade=foreground",
        "--wait",
    ])
}

/// A job gets its first condition when it is over, however it ended.
pub fn wait_until_ended(job: &str, limit: Duration) -> Vec<String> {
    wait_for("jsonpath={.status.conditions[0].type}", job, limit)
}

/// Fails where the job has.
pub fn wait_until_complete(job: &str, limit: Duration) -> Vec<String> {
    wait_for("condition=complete", job, limit)
}

fn wait_for(what: &str, job: &str, limit: Duration) -> Vec<String> {
    let (what, job) = (format!("--for={what}"), format!("job/{job}"));
    words(&["wait", &what, &job, &timeout(limit)])
}

/// Waits until no pod has these labels any more.
pub fn wait_until_gone(labels: &str, limit: Duration) -> Vec<String> {
    let selector = format!("--selector={labels}");
    words(&["wait", "--for=delete", "pod", &selector, &timeout(limit)])
}

/// Waits until every replica is ready, and none of an earlier kind is left.
pub fn rollout_status(deployment: &str, limit: Duration) -> Vec<String> {
    let deployment = format!("deployment/{deployment}");
    words(&["rollout", "status", &deployment, &timeout(limit)])
}

fn timeout(limit: Duration) -> String {
    format!("--timeout={}s", limit.as_secs())
}

pub fn delete_claim(claim: &str) -> Vec<String> {
    words(&[
        "delete",
        "persistentvolumeclaim",
        claim,
        "--ignore-not-found",
        "--wait",
    ])
}

/// The same without waiting: while a pod uses it, it stays.
pub fn delete_claim_later(claim: &str) -> Vec<String> {
    words(&["delete", "persistentvolumeclaim", claim, "--wait=false"])
}

/// What an administrator types before a node is worked on. Volumes of pods that are made
/// anew elsewhere are no obstacle, nor is what runs on every node.
pub fn drain(node: &str, limit: Duration) -> Vec<String> {
    words(&[
        "drain",
        node,
        "--ignore-daemonsets",
        "--delete-emptydir-data",
        &timeout(limit),
    ])
}

/// No pod is put on the node any more; those that are there stay.
pub fn cordon(node: &str) -> Vec<String> {
    words(&["cordon", node])
}

pub fn uncordon(node: &str) -> Vec<String> {
    words(&["uncordon", node])
}

/// Returns at once; the replacement is the cluster's own doing.
pub fn delete_pod(pod: &str, hard: bool) -> Vec<String> {
    let mut args = words(&["delete", "pod", pod, "--wait=false"]);
    if hard {
        args.extend(words(&["--force", "--grace-period=0"]));
    }
    args
}

/// The server validates too; what the client would fetch for it, the schemas
/// of everything, takes six times as long as the rest. `files` are options with `-f`.
pub fn apply(files: &[String]) -> Vec<String> {
    let mut args = words(&["apply", "--validate=false", "--openapi-patch=false"]);
    args.extend_from_slice(files);
    args
}

/// `--save-config`, so that a later `kubectl apply` of the file knows it.
pub fn create(path: &str) -> Vec<String> {
    words(&[
        "create",
        "--save-config",
        "--validate=false",
        "-o",
        "json",
        "-f",
        path,
    ])
}

pub fn create_from_cron_job(name: &str, cron_job: &str) -> Vec<String> {
    words(&[
        "create",
        "job",
        name,
        &format!("--from=cronjob/{cron_job}"),
        "-o",
        "json",
    ])
}

/// Follows a container to its end; nothing is left out.
pub fn logs(pod: &str, follow: bool) -> Vec<String> {
    let mut args = words(&["logs", pod, "--tail=-1"]);
    if follow {
        args.push("--follow".to_owned());
    }
    args
}

/// As [`exec`], with our standard input as its own.
pub fn exec_with_input(target: &str, command: &[&str]) -> Vec<String> {
    let mut args = exec(target, command);
    args.insert(1, "-i".to_owned());
    args
}

/// Runs a command in a pod that is there. kubectl would wait a minute for the
/// first pod of a deployment that has none.
pub fn exec(target: &str, command: &[&str]) -> Vec<String> {
    [&["exec", target, "--pod-running-timeout=1s", "--"], command]
        .concat()
        .into_iter()
        .map(str::to_owned)
        .collect()
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// Did the command in the pod end with an exit code of its own, or did kubectl
/// not get that far?
pub fn command_ran(success: bool, stderr: &str) -> bool {
    success || stderr.contains("command terminated with exit code")
}

/// The object of that name is there already: `create -f` and `create job` say
/// it in two ways.
pub fn exists_already(stderr: &str) -> bool {
    ["AlreadyExists", "already exists"]
        .iter()
        .any(|said| stderr.contains(said))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_that_does_not_answer_has_no_version_and_kubectl_has() {
        let client = r#"{"clientVersion":{"gitVersion":"v1.34.1","major":"1"}"#;
        let named = |said: &str| -> Vec<String> {
            let all = versions(said).into_iter();
            all.map(|(name, version)| format!("{name} {version}"))
                .collect()
        };
        assert_eq!(named(&format!("{client}}}")), ["kubectl v1.34.1"]);
        let both = format!(r#"{client},"serverVersion":{{"gitVersion":"v1.34.1+k3s1"}}}}"#);
        assert_eq!(named(&both), ["kubectl v1.34.1", "kubernetes v1.34.1+k3s1"]);
        assert!(named("error").is_empty());
    }

    fn kubectl() -> Kubectl {
        Kubectl {
            program: "kubectl".into(),
            context: "k3d-pra".into(),
            namespace: "pra".into(),
        }
    }

    #[test]
    fn every_call_names_context_and_namespace() {
        assert_eq!(
            kubectl().cmd(scale("flask", 0)).to_string(),
            "kubectl --context k3d-pra -n pra scale deployment flask --replicas=0"
        );
        assert_eq!(
            kubectl()
                .within("kube-system")
                .cmd(["get", "pods"])
                .to_string(),
            "kubectl --context k3d-pra -n kube-system get pods"
        );
    }

    #[test]
    fn suspending_is_a_patch_that_can_be_pasted() {
        assert_eq!(
            kubectl().cmd(suspend("sqlite-backup", true)).to_string(),
            "kubectl --context k3d-pra -n pra patch cronjob sqlite-backup \
             -p '{\"spec\":{\"suspend\":true}}'"
        );
    }

    #[test]
    fn a_deployment_without_pods_is_not_waited_for() {
        let line = exec("deployment/flask", &["python", "-V"]).join(" ");
        let expected = "exec deployment/flask --pod-running-timeout=1s -- python -V";
        assert_eq!(line, expected);
    }

    #[test]
    fn only_a_hard_death_is_forced() {
        assert!(!delete_pod("flask-1", false).contains(&"--force".to_owned()));
        assert!(delete_pod("flask-1", true).contains(&"--grace-period=0".to_owned()));
    }

    #[test]
    fn a_failed_command_differs_from_a_pod_that_is_not_there() {
        assert!(command_ran(false, "command terminated with exit code 1"));
        assert!(!command_ran(
            false,
            "Error from server (NotFound): deployments"
        ));
    }

    #[test]
    fn an_existing_job_is_told_in_two_ways() {
        let file = "Error from server (AlreadyExists): error when creating \"job.yaml\"";
        let cron = "error: failed to create job: jobs.batch \"backup-now\" already exists";
        assert!(exists_already(file) && exists_already(cron));
        assert!(!exists_already(
            "Error from server (NotFound): cronjobs.batch"
        ));
    }
}
