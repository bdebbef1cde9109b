//! Whether the cluster would take what the lab is made of: every manifest, and a pod of each
//! kind, in a dry run of the server. Policies judge pods, not what makes them, and a
//! deployment whose pods are refused is taken all the same.

use anyhow::Result;
use serde_json::{Value, json};
use terms::tr;

use super::site::Site;
use crate::failure::Failure;

/// What stands in the way, by what the server says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refusal {
    Policy,
    Quota,
    Limits,
    Webhook,
    Fixed,
    Other,
}

fn refusal(said: &str) -> Refusal {
    let has = |words: &[&str]| words.iter().any(|word| said.contains(word));
    if has(&["violates PodSecurity"]) {
        return Refusal::Policy;
    }
    if has(&["exceeded quota", "failed quota"]) {
        return Refusal::Quota;
    }
    if has(&[
        "usage per Container",
        "usage per Pod",
        "usage per Persistent",
        "limit to request ratio",
    ]) {
        return Refusal::Limits;
    }
    if has(&[
        "admission webhook",
        "ValidatingAdmissionPolicy",
        "security context constraint",
    ]) {
        return Refusal::Webhook;
    }
    if has(&["is immutable", "field is immutable", "Forbidden: spec is"]) {
        return Refusal::Fixed;
    }
    Refusal::Other
}

impl Site {
    /// The server takes all of it, in a dry run.
    pub(super) fn admission(&self) -> Result<String> {
        let objects = self.known_objects()?;
        let pods: Vec<Value> = objects.iter().filter_map(pod_of).collect();
        // A job that is there already was taken once.
        let manifests = objects.iter().filter(|one| one["kind"] != "Job");
        let manifests: Vec<&Value> = manifests.collect();
        self.try_out(&["apply", "--dry-run=server", "-f", "-"], &json!(manifests))?;
        self.try_out(&["create", "--dry-run=server", "-f", "-"], &json!(pods))?;
        Ok(tr!(
            "the cluster takes {manifests} objects and pods of {pods} kinds",
            "le cluster accepte {manifests} objets et des pods de {pods} sortes",
            manifests = manifests.len(),
            pods = pods.len(),
        ))
    }

    fn try_out(&self, words: &[&str], items: &Value) -> Result<()> {
        let list = json!({"apiVersion": "v1", "kind": "List", "items": items});
        let cmd = self.kube.kubectl()?.cmd(words).input(list.to_string());
        let output = self.ctx.exec.probe(&cmd)?;
        match output.status.success() {
            true => Ok(()),
            false => Err(self.refused(&told_once(&output.stderr)).into()),
        }
    }

    /// The failure of something that the server does not take.
    pub(super) fn refused(&self, said: &str) -> Failure {
        let namespace = self.namespace();
        let next = match refusal(said) {
            Refusal::Policy | Refusal::Webhook => tr!(
                "ask who runs the cluster for a namespace whose policy takes these pods: user \
                 10001, no privileges, volumes of claims alone",
                "demandez à qui gère le cluster un espace de noms dont la politique accepte ces \
                 pods : utilisateur 10001, sans privilège, volumes de demandes seulement",
            ),
            Refusal::Quota => self.kube.typed("describe quota"),
            Refusal::Limits => self.kube.typed("describe limitrange"),
            Refusal::Fixed => tr!(
                "what cannot be changed in place is made anew: cargo xtask export FILE, cargo \
                 xtask teardown, cargo xtask adopt FILE",
                "ce qui ne peut pas être modifié sur place est refait : cargo xtask export FILE, \
                 cargo xtask teardown, cargo xtask adopt FILE",
            ),
            Refusal::Other => return self.unreachable(said),
        };
        Failure::preflight(tr!(
            "the cluster refuses what the lab is made of in {namespace}: {said}",
            "le cluster refuse dans {namespace} ce dont le lab est fait : {said}",
        ))
        .next(next)
    }
}

/// What the server says, once: it says the same of each kind of pod.
fn told_once(said: &str) -> String {
    let mut told: Vec<(String, &str)> = Vec::new();
    for line in said.trim().lines() {
        let why = line
            .split_once(" is forbidden: ")
            .map_or(line, |(_, why)| why);
        // Names stand in quotes: of the pod, of its containers.
        let unnamed: String = why.split('"').step_by(2).collect();
        if told.iter().all(|(known, _)| *known != unnamed) {
            told.push((unnamed, line));
        }
    }
    let lines: Vec<&str> = told.into_iter().map(|(_, line)| line).collect();
    lines.join("\n")
}

/// A pod as this object would make it.
fn pod_of(object: &Value) -> Option<Value> {
    let kind = object["kind"].as_str()?;
    let template = match kind {
        "Deployment" | "Job" => &object["spec"]["template"],
        "CronJob" => &object["spec"]["jobTemplate"]["spec"]["template"],
        _ => return None,
    };
    let name = object["metadata"]["name"].as_str()?;
    let mut spec = template["spec"].clone();
    // An account that the lab brings is not there yet, and policies do not ask for it.
    spec.as_object_mut()?.remove("serviceAccountName");
    Some(json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": format!("pra-check-{name}"), "labels": template["metadata"]["labels"]},
        "spec": spec,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_told_apart() {
        for (said, why) in [
            (
                "pods \"x\" is forbidden: violates PodSecurity \"restricted:latest\": runAsNonRoot",
                Refusal::Policy,
            ),
            (
                "is forbidden: exceeded quota: small, requested: pods=1",
                Refusal::Quota,
            ),
            (
                "is forbidden: failed quota: small: must specify limits.cpu",
                Refusal::Quota,
            ),
            (
                "maximum memory usage per Container is 64Mi",
                Refusal::Limits,
            ),
            (
                "admission webhook \"validate.kyverno.svc\" denied the request",
                Refusal::Webhook,
            ),
            (
                "spec: Forbidden: spec is immutable after creation",
                Refusal::Fixed,
            ),
            ("connection refused", Refusal::Other),
        ] {
            assert_eq!(refusal(said), why, "{said}");
        }
    }

    #[test]
    fn a_refusal_of_every_kind_of_pod_is_told_once() {
        let of = |pod: &str, container: &str| {
            format!(
                "Error from server (Forbidden): error when creating \"STDIN\": pods \"{pod}\" is \
                 forbidden: violates PodSecurity \"restricted:latest\": seccompProfile (pod or \
                 container \"{container}\" must set it)"
            )
        };
        let said = format!(
            "{}\n{}\n",
            of("pra-check-flask", "flask"),
            of("b", "backup")
        );
        assert_eq!(told_once(&said), of("pra-check-flask", "flask"));
        let other = "error: exceeded quota: small";
        let both = format!("{}\n{other}", of("a", "a"));
        assert_eq!(told_once(&both), both);
    }

    #[test]
    fn each_kind_of_pod_is_tried() {
        let spec = json!({"containers": [], "serviceAccountName": "x"});
        let template = json!({"metadata": {"labels": {"app": "x"}}, "spec": spec});
        let deployment = json!({"kind": "Deployment", "metadata": {"name": "flask"},
            "spec": {"template": template}});
        let cron_job = json!({"kind": "CronJob", "metadata": {"name": "backup"},
            "spec": {"jobTemplate": {"spec": {"template": template}}}});
        for (object, name) in [(deployment, "flask"), (cron_job, "backup")] {
            let pod = pod_of(&object).unwrap();
            assert_eq!(pod["metadata"]["name"], format!("pra-check-{name}"));
            assert_eq!(pod["spec"], json!({"containers": []}));
            assert_eq!(pod["metadata"]["labels"]["app"], "x");
        }
        assert!(pod_of(&json!({"kind": "Service", "metadata": {"name": "s"}})).is_none());
    }
}
