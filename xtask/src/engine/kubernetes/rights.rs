//! What this account may do in the namespace, held against what the lab does there. One
//! question brings all rights; where a cluster cannot list them all, each one that is
//! missing is asked for alone.

use anyhow::{Context as _, Result};
use serde::Deserialize;
use serde_json::json;
use terms::tr;

use super::site::Site;
use crate::config::Reach;
use crate::failure::Failure;

/// Verbs on a resource of an API group; `pods/log` is a part of pods.
#[derive(Clone, Copy, Debug)]
struct Need {
    group: &'static str,
    resource: &'static str,
    verbs: &'static [&'static str],
}

const fn need(group: &'static str, resource: &'static str, verbs: &'static [&'static str]) -> Need {
    Need {
        group,
        resource,
        verbs,
    }
}

const KEPT: &[&str] = &["get", "list", "create", "patch", "delete"];
const WATCHED: &[&str] = &["get", "list", "watch", "create", "patch", "delete"];

/// What is done in the namespace, whatever is declared.
const NEEDS: &[Need] = &[
    need("", "configmaps", KEPT),
    need("", "serviceaccounts", KEPT),
    need("", "services", KEPT),
    need("", "persistentvolumeclaims", WATCHED),
    need("", "pods", &["get", "list", "watch", "create", "delete"]),
    need("", "pods/log", &["get"]),
    need("", "pods/exec", &["create"]),
    need("apps", "deployments", WATCHED),
    need("apps", "deployments/scale", &["patch"]),
    need("batch", "cronjobs", KEPT),
    need("batch", "jobs", WATCHED),
];
const FORWARD: Need = need("", "pods/portforward", &["create"]);
const INGRESS: Need = need("networking.k8s.io", "ingresses", KEPT);
/// What the bucket for copies asks for.
const SECRETS: Need = need("", "secrets", KEPT);
const POLICIES: Need = need("networking.k8s.io", "networkpolicies", KEPT);

/// What a database of several instances takes beside that.
const OF_REPLICAS: &[Need] = &[
    need("postgresql.cnpg.io", "clusters", WATCHED),
    need("postgresql.cnpg.io", "clusters/status", &["patch"]),
    need("policy", "poddisruptionbudgets", KEPT),
    need("", "events", &["get", "list"]),
];

/// What `monitor` makes in the namespace, and how its pages are reached.
const OF_WATCHING: &[Need] = &[
    need("", "configmaps", KEPT),
    need("", "serviceaccounts", KEPT),
    need("", "services", KEPT),
    need("apps", "deployments", WATCHED),
    need("rbac.authorization.k8s.io", "roles", KEPT),
    need("rbac.authorization.k8s.io", "rolebindings", KEPT),
    POLICIES,
    FORWARD,
];

/// A verb and what it is done to, outside of the namespace.
type Outside = [(&'static str, &'static str)];

/// What such a lab does outside of the namespace.
pub(super) struct Everywhere {
    /// It tells which part is on which node, and whose the operator is.
    pub looking: &'static Outside,
    /// Where there is no operator yet; its roles cannot give rights that this account lacks.
    pub installing: &'static Outside,
}

pub(super) const EVERYWHERE: Everywhere = Everywhere {
    looking: &[
        ("list", "nodes"),
        ("list", "pods"),
        ("list", "deployments.apps"),
        ("list", "clusters.postgresql.cnpg.io"),
        ("get", "namespaces"),
        ("get", "customresourcedefinitions.apiextensions.k8s.io"),
    ],
    installing: &[
        ("create", "namespaces"),
        ("delete", "namespaces"),
        ("create", "customresourcedefinitions.apiextensions.k8s.io"),
        ("delete", "customresourcedefinitions.apiextensions.k8s.io"),
        ("create", "clusterroles.rbac.authorization.k8s.io"),
        ("escalate", "clusterroles.rbac.authorization.k8s.io"),
        ("create", "clusterrolebindings.rbac.authorization.k8s.io"),
        (
            "create",
            "mutatingwebhookconfigurations.admissionregistration.k8s.io",
        ),
        (
            "create",
            "validatingwebhookconfigurations.admissionregistration.k8s.io",
        ),
        ("create", "deployments.apps"),
    ],
};

/// What a cluster says of the rights in a namespace.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Rights {
    resource_rules: Vec<Rule>,
    /// There may be more than it can list.
    incomplete: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Rule {
    verbs: Vec<String>,
    api_groups: Vec<String>,
    resources: Vec<String>,
    /// Objects of these names alone.
    resource_names: Vec<String>,
}

impl Rights {
    fn has(&self, need: &Need, verb: &str) -> bool {
        let named = |all: &[String], one: &str| all.iter().any(|any| any == "*" || any == one);
        self.resource_rules.iter().any(|rule| {
            rule.resource_names.is_empty()
                && named(&rule.verbs, verb)
                && named(&rule.api_groups, need.group)
                && named(&rule.resources, need.resource)
        })
    }

    fn lacking(&self, needs: &[Need]) -> Vec<(Need, &'static str)> {
        let all = needs.iter().flat_map(|need| {
            let verbs = need.verbs.iter();
            verbs.map(move |verb| (*need, *verb))
        });
        all.filter(|(need, verb)| !self.has(need, verb)).collect()
    }
}

fn needs(reach: Reach, replicated: bool) -> Vec<Need> {
    let mut all = NEEDS.to_vec();
    if replicated {
        all.extend(OF_REPLICAS);
    }
    match reach {
        Reach::PortForward => all.push(FORWARD),
        Reach::Ingress => all.push(INGRESS),
        Reach::NodePort | Reach::LoadBalancer => {}
    }
    all
}

/// The missing rights, a resource each with its verbs.
fn told(lacking: &[(Need, &'static str)]) -> Vec<String> {
    let mut all: Vec<(String, Vec<&str>)> = Vec::new();
    for (need, verb) in lacking {
        let name = spelled(need);
        match all.iter_mut().find(|(known, _)| *known == name) {
            Some((_, verbs)) => verbs.push(verb),
            None => all.push((name, vec![verb])),
        }
    }
    let lines = all.into_iter();
    lines
        .map(|(name, verbs)| format!("{} {name}", verbs.join("/")))
        .collect()
}

/// As `kubectl auth can-i` takes it: `deployments.apps/scale`.
fn spelled(need: &Need) -> String {
    let (resource, part) = match need.resource.split_once('/') {
        Some((resource, part)) => (resource, format!("/{part}")),
        None => (need.resource, String::new()),
    };
    match need.group {
        "" => format!("{resource}{part}"),
        group => format!("{resource}.{group}{part}"),
    }
}

impl Site {
    /// Every right that the lab needs in the namespace is there.
    pub(super) fn rights(&self) -> Result<String> {
        let mut needs = needs(self.settings().service, self.is_replicated());
        let policies = self.settings().network_policies && !self.is_replicated();
        needs.extend(policies.then_some(POLICIES));
        needs.extend(self.makes_copies().then_some(SECRETS));
        self.insist_on(&needs, "edit")?;
        if self.is_replicated() {
            self.insist_on_looking()?;
        }
        Ok(tr!(
            "all that the lab does in {namespace}: {count} kinds of objects",
            "tout ce que le lab fait dans {namespace} : {count} sortes d'objets",
            namespace = self.namespace(),
            count = needs.len(),
        ))
    }

    /// Every right that watching the lab needs in the namespace is there: `edit` makes no roles.
    pub(super) fn insist_on_rights_to_watch(&self) -> Result<()> {
        self.insist_on(OF_WATCHING, "admin")
    }

    /// All of these may be done in the namespace; `role` is the role of clusters that has them.
    fn insist_on(&self, needs: &[Need], role: &str) -> Result<()> {
        let rights = self.rights_there()?;
        let mut lacking = rights.lacking(needs);
        if rights.incomplete {
            let mut really = Vec::new();
            for (need, verb) in lacking {
                if !self.may(verb, &spelled(&need))? {
                    really.push((need, verb));
                }
            }
            lacking = really;
        }
        if lacking.is_empty() {
            return Ok(());
        }
        let namespace = self.namespace();
        Err(Failure::preflight(tr!(
            "this account may not in {namespace}: {rights}",
            "ce compte n'a pas le droit dans {namespace} : {rights}",
            rights = told(&lacking).join(", "),
        ))
        .next(tr!(
            "have an administrator run: kubectl create rolebinding atelier-pra-{role} -n \
             {namespace} --clusterrole={role} --user=USER, where USER is what kubectl --context \
             {context} auth whoami says",
            "faites exécuter par un administrateur : kubectl create rolebinding \
             atelier-pra-{role} -n {namespace} --clusterrole={role} --user=USER, où USER est ce \
             que dit kubectl --context {context} auth whoami",
            context = self.kube.context,
        ))
        .into())
    }

    fn insist_on_looking(&self) -> Result<()> {
        let lacking = self.lacking_everywhere(EVERYWHERE.looking)?;
        if lacking.is_empty() {
            return Ok(());
        }
        Err(Failure::preflight(tr!(
            "this account may not, in the whole cluster: {rights}; the lab ha tells on which node \
             each part is, and whose the operator of the database is",
            "ce compte n'a pas le droit, dans tout le cluster : {rights} ; le lab ha dit sur quel \
             nœud est chaque partie, et à qui est l'opérateur de la base",
            rights = lacking.join(", "),
        ))
        .next(tr!(
            "use an account that may look at all of the cluster, as kubernetes.context in lab.toml",
            "utilisez un compte qui a le droit de voir tout le cluster, kubernetes.context dans \
             lab.toml",
        ))
        .into())
    }

    /// What of these this account may not do in all namespaces and outside of them.
    pub(super) fn lacking_everywhere(&self, wanted: &Outside) -> Result<Vec<String>> {
        let mut lacking = Vec::new();
        for (verb, resource) in wanted {
            let asked = ["auth", "can-i", verb, resource, "--all-namespaces"];
            let output = self.ctx.exec.probe(&self.kube.kubectl()?.cmd(asked))?;
            if !output.status.success() {
                lacking.push(format!("{verb} {resource}"));
            }
        }
        Ok(lacking)
    }

    fn rights_there(&self) -> Result<Rights> {
        let review = json!({
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectRulesReview",
            "spec": {"namespace": self.namespace()},
        });
        let path = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews";
        let cmd = self
            .kube
            .kubectl()?
            .cmd(["create", "--raw", path, "-f", "-"]);
        let output = self.ctx.exec.probe(&cmd.input(review.to_string()))?;
        if !output.status.success() {
            return Err(self.unreachable(&output.stderr).into());
        }
        let mut said: serde_json::Value =
            serde_json::from_str(&output.stdout).context("reading the rights")?;
        serde_json::from_value(said["status"].take()).context("reading the rights")
    }

    /// Whether one thing may be done.
    pub(super) fn may(&self, verb: &str, resource: &str) -> Result<bool> {
        let (resource, part) = resource.split_once('/').unwrap_or((resource, ""));
        let part = format!("--subresource={part}");
        let mut words = vec!["auth", "can-i", verb, resource];
        words.extend((part != "--subresource=").then_some(part.as_str()));
        let output = self.ctx.exec.probe(&self.kube.kubectl()?.cmd(words))?;
        Ok(output.status.success())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kube::monitoring;

    fn rights(text: serde_json::Value) -> Rights {
        serde_json::from_value(text).unwrap()
    }

    #[test]
    fn an_account_that_may_do_everything_lacks_nothing() {
        let all = rights(json!({"resourceRules": [
            {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}]}));
        assert!(all.lacking(&needs(Reach::Ingress, false)).is_empty());
    }

    #[test]
    fn a_missing_right_is_named_with_its_resource() {
        let some = rights(json!({"resourceRules": [
            {"verbs": ["get", "list", "watch", "create", "patch", "delete"],
             "apiGroups": ["", "batch"], "resources": ["*"]},
            {"verbs": ["get", "list"], "apiGroups": ["apps"], "resources": ["deployments"]},
            {"verbs": ["*"], "apiGroups": ["apps"], "resources": ["deployments/scale"],
             "resourceNames": ["other"]}]}));
        let lacking = told(&some.lacking(&needs(Reach::PortForward, false)));
        assert_eq!(
            lacking,
            [
                "watch/create/patch/delete deployments.apps",
                "patch deployments.apps/scale"
            ]
        );
        let lacking = told(&some.lacking(&needs(Reach::Ingress, false)));
        assert_eq!(lacking.len(), 3, "{lacking:?}");
        let lacking = told(&some.lacking(&needs(Reach::NodePort, true)));
        let database = "get/list/watch/create/patch/delete clusters.postgresql.cnpg.io";
        assert!(lacking.contains(&database.to_owned()), "{lacking:?}");
    }

    #[test]
    fn who_may_edit_makes_no_roles_and_so_watches_nothing() {
        let edit = rights(json!({"resourceRules": [
            {"verbs": ["*"], "apiGroups": ["", "apps", "batch", "networking.k8s.io"],
             "resources": ["*"]}]}));
        assert!(edit.lacking(&needs(Reach::PortForward, false)).is_empty());
        let kept = "get/list/create/patch/delete";
        let group = "rbac.authorization.k8s.io";
        assert_eq!(
            told(&edit.lacking(OF_WATCHING)),
            [
                format!("{kept} roles.{group}"),
                format!("{kept} rolebindings.{group}")
            ]
        );
    }

    #[test]
    fn watching_asks_for_every_kind_of_object_that_it_makes() {
        for kind in monitoring::KINDS.split(',') {
            let mut all = OF_WATCHING.iter();
            let found = all.find(|need| need.resource == kind);
            let need = found.unwrap_or_else(|| panic!("nobody asks for the right to {kind}"));
            let lacks = KEPT.iter().find(|verb| !need.verbs.contains(verb));
            assert_eq!(lacks, None, "{kind}");
        }
    }
}
