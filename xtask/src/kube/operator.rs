//! Whose the operator of the database is in a cluster that others use too: theirs, which is
//! used as it is, or one that this checkout has put there, in a namespace with its mark. Its
//! manifest, which the playbook downloads where it is not here yet.

use anyhow::Result;
use serde_json::Value;
use terms::tr;

use super::Kube;
use super::ownership::Owner;
use crate::tools::kube_others::found;
use crate::tools::kube_topology::{CLUSTERS, OF_OPERATORS};
use crate::tools::kubectl;

/// What is selected by where all that the lab installs of the operator is meant: it is not
/// in one namespace.
pub const OF_THE_OPERATOR: &str =
    "app.kubernetes.io/part-of=atelier-pra,app.kubernetes.io/component=database-operator";

/// Where the playbook puts the manifest, below the lab's own folder.
const MANIFEST: &str = "ha/operator/cnpg.yaml";

/// What the database of the lab is declared with and an older operator does not know.
const NEEDED: [&str; 2] = ["primaryLease", "probes"];

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operator {
    Missing,
    /// There is none, and its namespace is somebody else's.
    Occupied(Owner),
    Ours {
        /// A setup can be cut off before.
        installed: bool,
    },
    Theirs {
        /// Fields that the lab declares and it does not know.
        unknown: Vec<&'static str>,
    },
}

impl Operator {
    /// The cluster knows what the database is declared as.
    pub fn is_there(&self) -> bool {
        match self {
            Self::Missing | Self::Occupied(_) => false,
            Self::Ours { installed } => *installed,
            Self::Theirs { .. } => true,
        }
    }
}

impl Kube {
    pub fn operator(&self) -> Result<Operator> {
        let definition = format!("customresourcedefinition/{CLUSTERS}");
        let namespace = format!("namespace/{OF_OPERATORS}");
        let get = ["get", &definition, &namespace];
        let get = self.kubectl()?.cmd(get);
        let get = get.args(["--ignore-not-found", "-o", "json"]);
        let there = found(&self.ctx.exec.read(&get)?)?;
        let of = |kind: &str| there.iter().find(|one| one["kind"] == kind);
        let maker = match of("Namespace") {
            Some(namespace) => Some(self.maker(namespace)?),
            None => None,
        };
        Ok(judged(of("CustomResourceDefinition"), maker))
    }

    /// Downloads its manifest, so that the playbook does not have to; nothing in a lab without
    /// one.
    pub fn fetch_operator(&self) -> Result<()> {
        if self.workload.database.is_none() {
            return Ok(());
        }
        let operator = self.ctx.config.ha.operator();
        let target = self.ctx.workspace.home().join(MANIFEST);
        let what = tr!(
            "the operator's manifest, {version}",
            "le manifeste de l'opérateur, {version}",
            version = operator.version().get_ref(),
        );
        let (url, sha256) = (operator.address(), operator.sha256().get_ref());
        self.ctx.tools.ensure_file(&what, &url, sha256, &target)
    }

    /// The version of the operator that runs; of none that this account may not look at.
    pub fn operator_version(&self) -> Result<Option<String>> {
        let get = self.kubectl()?.cmd(kubectl::GET_OPERATORS);
        let output = self.ctx.exec.probe(&get)?;
        let image = output.stdout.split_whitespace().next().unwrap_or_default();
        let version = image
            .rsplit_once(':')
            .map(|(_, version)| version.to_owned());
        Ok(version.filter(|_| output.status.success()))
    }
}

/// By the definition of its objects, and who made its namespace, where these are. A setup can
/// be cut off once the namespace is made, and somebody else then install an operator into it.
fn judged(definition: Option<&Value>, maker: Option<Owner>) -> Operator {
    let installed = definition.is_some();
    match (maker, definition) {
        (Some(Owner::Us), definition) if definition.is_none_or(is_of_ours) => {
            Operator::Ours { installed }
        }
        (_, Some(definition)) => Operator::Theirs {
            unknown: unknown(definition),
        },
        (Some(other), None) => Operator::Occupied(other),
        (None, None) => Operator::Missing,
    }
}

/// It has the labels of what the lab installs.
fn is_of_ours(definition: &Value) -> bool {
    let labels = &definition["metadata"]["labels"];
    let mut pairs = OF_THE_OPERATOR
        .split(',')
        .filter_map(|one| one.split_once('='));
    pairs.all(|(name, value)| labels[name] == value)
}

fn unknown(definition: &Value) -> Vec<&'static str> {
    let versions = definition["spec"]["versions"].as_array();
    let schema = "/schema/openAPIV3Schema/properties/spec/properties";
    let known = |field: &str| {
        let mut versions = versions.into_iter().flatten();
        versions.any(|one| {
            one.pointer(schema)
                .is_some_and(|spec| spec[field].is_object())
        })
    };
    NEEDED.into_iter().filter(|field| !known(field)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn definition(fields: &[&str]) -> Value {
        let fields: serde_json::Map<String, Value> = fields
            .iter()
            .map(|field| ((*field).to_owned(), json!({"type": "object"})))
            .collect();
        json!({"spec": {"versions": [{"schema": {"openAPIV3Schema": {"properties":
            {"spec": {"properties": fields}}}}}]}})
    }

    #[test]
    fn an_operator_is_ours_only_with_our_labels_in_a_namespace_that_we_made() {
        let whole = definition(&NEEDED);
        let theirs = Operator::Theirs { unknown: vec![] };
        assert_eq!(judged(None, None), Operator::Missing);
        assert_eq!(judged(Some(&whole), None), theirs);
        assert_eq!(judged(Some(&whole), Some(Owner::Nobody)), theirs);
        let ours = |installed| Operator::Ours { installed };
        assert_eq!(judged(Some(&whole), Some(Owner::Us)), theirs);
        let mut labelled = whole.clone();
        for label in OF_THE_OPERATOR.split(',') {
            let (name, value) = label.split_once('=').unwrap();
            labelled["metadata"]["labels"][name] = value.into();
        }
        assert_eq!(judged(Some(&labelled), Some(Owner::Us)), ours(true));
        assert_eq!(judged(Some(&labelled), None), theirs);
        assert_eq!(judged(None, Some(Owner::Us)), ours(false));
        let occupied = judged(None, Some(Owner::Nobody));
        assert_eq!(occupied, Operator::Occupied(Owner::Nobody));
        assert!(theirs.is_there() && !occupied.is_there() && !ours(false).is_there());
    }

    #[test]
    fn what_an_older_operator_does_not_know_is_named() {
        let older = definition(&["instances", "probes"]);
        let unknown = vec!["primaryLease"];
        assert_eq!(judged(Some(&older), None), Operator::Theirs { unknown });
    }

    #[test]
    fn what_is_needed_is_what_the_database_declares() {
        let text = include_str!("../../../ha/10-postgres.yaml");
        let declared: Value = serde_norway::from_str(text).unwrap();
        for field in NEEDED {
            assert!(declared["spec"][field].is_object(), "{field}");
        }
        let text = include_str!("../../../ha/operator/kustomization.yaml");
        let installed: Value = serde_norway::from_str(text).unwrap();
        let pairs = &installed["labels"][0]["pairs"];
        for label in OF_THE_OPERATOR.split(',') {
            let (name, value) = label.split_once('=').unwrap();
            assert_eq!(pairs[name], value, "{name}");
        }
    }
}
