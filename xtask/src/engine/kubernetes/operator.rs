//! The operator of the database: used as it is where somebody else has one, else installed
//! after asking, and removed by the teardown where nobody else uses it by then.

use anyhow::Result;
use serde_json::{Map, Value};
use terms::tr;

use super::rights::EVERYWHERE;
use super::site::Site;
use crate::failure::Failure;
use crate::kube::operator::{OF_THE_OPERATOR, Operator};
use crate::kube::ownership::Owner;
use crate::tools::kube_others::{found, is_of_the_lab};
use crate::tools::kube_topology::OF_OPERATORS;
use crate::wait;

/// What the lab installs outside of all namespaces, in the order in which it goes: who
/// would be asked about each object first.
const OUTSIDE: &str = "mutatingwebhookconfigurations,validatingwebhookconfigurations,\
                       customresourcedefinitions,clusterrolebindings,clusterroles";

/// Of the kinds that the operator's definitions bring, with the versions after it.
const GROUP: &str = "postgresql.cnpg.io/";

impl Site {
    /// All that the lab is made of, without what the cluster does not know yet.
    pub(super) fn known_objects(&self) -> Result<Vec<Value>> {
        let mut objects = self.kube.objects()?;
        if self.is_replicated() && !self.kube.operator()?.is_there() {
            objects.retain(|one| one["kind"] != "Cluster");
        }
        Ok(objects)
    }

    /// Which operator the lab would have; changes nothing.
    pub(super) fn operator_told(&self) -> Result<String> {
        let pinned = self.ctx.config.ha.operator().version().get_ref();
        match self.kube.operator()? {
            Operator::Missing => {
                self.insist_on_installing()?;
                Ok(tr!(
                    "CloudNativePG {pinned} will be installed, in {OF_OPERATORS}",
                    "CloudNativePG {pinned} sera installé, dans {OF_OPERATORS}",
                ))
            }
            Operator::Occupied(owner) => Err(occupied(&owner).into()),
            Operator::Ours { .. } => Ok(tr!(
                "CloudNativePG is the lab's own, in {OF_OPERATORS}",
                "CloudNativePG est celui du lab, dans {OF_OPERATORS}",
            )),
            Operator::Theirs { unknown } => self.theirs_told(&unknown),
        }
    }

    fn theirs_told(&self, unknown: &[&str]) -> Result<String> {
        let version = self.kube.operator_version()?.unwrap_or_default();
        if unknown.is_empty() {
            return Ok(tr!(
                "CloudNativePG {version} of the cluster is used as it is",
                "CloudNativePG {version} du cluster est utilisé tel quel",
            ));
        }
        let pinned = self.ctx.config.ha.operator().version().get_ref();
        Err(Failure::preflight(tr!(
            "CloudNativePG {version} of the cluster does not know what the database of the lab is \
             declared with: {unknown}",
            "CloudNativePG {version} du cluster ne connaît pas ce avec quoi la base du lab est \
             déclarée : {unknown}",
            unknown = unknown.join(", "),
        ))
        .next(tr!(
            "have whoever installed it bring it up to {pinned} or later",
            "faites-le mettre à jour, par qui l'a installé, vers {pinned} ou plus",
        ))
        .into())
    }

    /// Whether one is to be installed, as somebody has said who was asked; changes nothing.
    pub(super) fn ask_for_operator(&self) -> Result<bool> {
        if !self.is_replicated() {
            return Ok(false);
        }
        match self.kube.operator()? {
            Operator::Ours { .. } => return Ok(false),
            Operator::Theirs { .. } | Operator::Occupied(_) => {
                self.ctx.ui.note(&self.operator_told()?);
                return Ok(false);
            }
            Operator::Missing => {}
        }
        let pinned = self.ctx.config.ha.operator().version().get_ref();
        self.ctx.confirm(&tr!(
            "{context} has no operator CloudNativePG. Install {pinned}? That makes the namespace \
             {OF_OPERATORS} and, outside of all namespaces, resource definitions, roles and \
             webhooks. The teardown removes them, unless somebody else has databases by then.",
            "{context} n'a pas d'opérateur CloudNativePG. Installer {pinned} ? Cela crée l'espace \
             de noms {OF_OPERATORS} et, hors de tout espace de noms, des définitions de ressources, \
             des rôles et des webhooks. Le démontage les supprime, sauf si d'autres ont des bases \
             d'ici là.",
            context = self.kube.context,
        ))?;
        self.insist_on_installing()?;
        Ok(true)
    }

    /// The namespace with our mark, before anything else of an operator: so that it is known
    /// as the lab's also where a setup is cut off.
    pub(super) fn make_place_for_operator(&self) -> Result<()> {
        match self.make_namespace(OF_OPERATORS, &Map::new())? {
            Some(output) if !output.status.success() => {
                Err(self.unreachable(&output.stderr).into())
            }
            _ => Ok(()),
        }
    }

    /// Downloads the manifest of one that would be installed.
    pub(super) fn fetch_operator(&self) -> Result<()> {
        match self.is_replicated() && !matches!(self.kube.operator()?, Operator::Theirs { .. }) {
            true => self.kube.fetch_operator(),
            false => Ok(()),
        }
    }

    /// This account may make what an operator is made of.
    fn insist_on_installing(&self) -> Result<()> {
        let lacking = self.lacking_everywhere(EVERYWHERE.installing)?;
        if lacking.is_empty() {
            return Ok(());
        }
        let operator = self.ctx.config.ha.operator();
        Err(Failure::preflight(tr!(
            "the cluster has no operator CloudNativePG, and this account may not install one: it \
             lacks {rights}",
            "le cluster n'a pas d'opérateur CloudNativePG, et ce compte ne peut pas en installer \
             un : il lui manque {rights}",
            rights = lacking.join(", "),
        ))
        .next(tr!(
            "have an administrator run: kubectl apply --server-side -f {url}",
            "faites exécuter par un administrateur : kubectl apply --server-side -f {url}",
            url = operator.address(),
        ))
        .into())
    }

    /// Removes an operator that the lab installed, unless objects of its kinds are left.
    pub(super) fn remove_operator(&self) -> Result<()> {
        if !self.is_replicated() || !matches!(self.kube.operator()?, Operator::Ours { .. }) {
            return Ok(());
        }
        let others = self.objects_of_operator()?;
        if !others.is_empty() {
            self.ctx.ui.warn(&tr!(
                "the operator CloudNativePG stays, which the lab has installed: others have \
                 databases by now, {others}. Once they are gone: cargo xtask --lab ha teardown",
                "l'opérateur CloudNativePG, que le lab a installé, reste : d'autres ont maintenant \
                 des bases, {others}. Une fois celles-ci supprimées : cargo xtask --lab ha teardown",
                others = others.join(", "),
            ));
            return Ok(());
        }
        let kubectl = self.kube.kubectl()?;
        let selected = ["-l", OF_THE_OPERATOR, "--ignore-not-found", "--wait"];
        let outside = kubectl.cmd(["delete", OUTSIDE]).args(selected);
        self.ctx.exec.run(&outside.limit(wait::NAMESPACE_GONE))?;
        // The mark goes last: until here the rest is known to be ours.
        let namespace = ["delete", "namespace", OF_OPERATORS, "--wait"];
        let namespace = kubectl.cmd(namespace).limit(wait::NAMESPACE_GONE);
        self.ctx.exec.run(&namespace)
    }

    /// What would go with the definitions: by now, whatever is left of these kinds.
    fn objects_of_operator(&self) -> Result<Vec<String>> {
        let kubectl = self.kube.kubectl()?;
        let names = "jsonpath={range .items[*]}{.metadata.name}{\"\\n\"}{end}";
        let get = ["get", "customresourcedefinitions", "-l", OF_THE_OPERATOR];
        let get = kubectl.cmd(get).args(["-o", names]);
        let kinds = self.ctx.exec.read(&get)?;
        let kinds: Vec<&str> = kinds.split_whitespace().collect();
        if kinds.is_empty() {
            return Ok(Vec::new());
        }
        let get = ["get", &kinds.join(","), "--all-namespaces", "-o", "json"];
        let there = found(&self.ctx.exec.read(&kubectl.cmd(get))?)?;
        // A dry run has left the lab's own where they are.
        let going = self.ctx.exec.dry_run().then(|| self.namespace());
        Ok(left_of_others(&there, going))
    }
}

/// Whose the namespace is says nothing: the lab may only have been given it, or have lost it.
/// What belongs to one of these objects goes with that one, and is not told beside it.
fn left_of_others(there: &[Value], going: Option<&str>) -> Vec<String> {
    let is_part = |one: &Value| {
        let mut owners = one["metadata"]["ownerReferences"]
            .as_array()
            .into_iter()
            .flatten();
        owners.any(|owner| {
            let version = owner["apiVersion"].as_str().unwrap_or_default();
            version.starts_with(GROUP)
        })
    };
    let goes = |one: &Value| {
        going.is_some_and(|own| one["metadata"]["namespace"] == own) && is_of_the_lab(one)
    };
    let left = there.iter().filter(|one| !is_part(one) && !goes(one));
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    left.map(|one| {
        let (kind, metadata) = (text(&one["kind"]), &one["metadata"]);
        let (namespace, name) = (text(&metadata["namespace"]), text(&metadata["name"]));
        format!("{namespace}/{kind}/{name}")
    })
    .collect()
}

fn occupied(owner: &Owner) -> Failure {
    Failure::preflight(tr!(
        "the cluster has no operator CloudNativePG, and its namespace {OF_OPERATORS} is there, {owner}",
        "le cluster n'a pas d'opérateur CloudNativePG, et son espace de noms {OF_OPERATORS} est là, \
         {owner}",
    ))
    .next(tr!(
        "install the operator there, or have its owner delete that namespace: kubectl get all -n \
         {OF_OPERATORS}",
        "installez-y l'opérateur, ou faites supprimer cet espace de noms par qui le possède : \
         kubectl get all -n {OF_OPERATORS}",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn whatever_is_left_counts_also_in_the_labs_namespace() {
        let cluster = |namespace: &str, name: &str, labels: Value| {
            json!({"kind": "Cluster", "metadata":
                {"namespace": namespace, "name": name, "labels": labels}})
        };
        let labels = json!({"app.kubernetes.io/part-of": "atelier-pra"});
        let mut quorum = cluster("ha", "pg", json!({}));
        quorum["kind"] = "FailoverQuorum".into();
        quorum["metadata"]["ownerReferences"] =
            json!([{"apiVersion": "postgresql.cnpg.io/v1", "kind": "Cluster", "name": "pg"}]);
        let mut of_a_product = cluster("ha", "shop", json!({}));
        of_a_product["metadata"]["ownerReferences"] =
            json!([{"apiVersion": "example.org/v1", "kind": "Shop", "name": "shop"}]);
        let there = [
            cluster("ha", "pg", labels.clone()),
            quorum,
            cluster("ha", "theirs", json!({})),
            of_a_product,
            cluster("team", "pg", labels),
        ];
        let others = ["ha/Cluster/theirs", "ha/Cluster/shop", "team/Cluster/pg"];
        assert_eq!(left_of_others(&there, Some("ha")), others);
        let mut all = vec!["ha/Cluster/pg"];
        all.extend(others);
        assert_eq!(left_of_others(&there, None), all);
    }
}
