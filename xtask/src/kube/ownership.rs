//! Whose something in Kubernetes is: a config map beside it says which checkout took it
//! over. What an engine makes anew it marks in a way of its own.

use std::fmt;
use std::path::PathBuf;
use terms::lang::both;
use terms::tr;

use anyhow::Result;
use serde_json::{Map, Value, json};

use super::Kube;
use crate::exec::Cmd;
use crate::failure::{self, Failure, Kind};
use crate::identity::Identity;
use crate::names;

/// The config map that names the checkout.
pub const MARK: &str = "atelier-pra";
const VALUES: &str = "jsonpath={.data.owner}{\"\\n\"}{.data.folder}";

/// The same on a namespace that a checkout made.
const OWNER: &str = "atelier-pra/owner";
const FOLDER: &str = "atelier-pra/folder";

/// Who may change and delete a cluster, or a namespace of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// This checkout.
    Us,
    /// Another one, and where it was when it wrote that.
    Other(PathBuf),
    /// Nobody who says so: it was made by hand.
    Nobody,
    /// It does not answer, and who took it over is known inside alone.
    Unknown,
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Us => both("which is this checkout's", "qui est celui de ce dépôt").fmt(f),
            Self::Nobody => both(
                "which was neither created nor adopted by the lab",
                "que le lab n'a ni créé ni adopté",
            )
            .fmt(f),
            Self::Unknown => both(
                "which does not answer: whether another checkout took it over is not known",
                "qui ne répond pas : on ne sait pas si un autre dépôt l'a repris",
            )
            .fmt(f),
            Self::Other(folder) => {
                let shown = folder.display();
                f.write_str(&tr!(
                    "which is the lab of another checkout, {shown}",
                    "qui est le lab d'un autre dépôt, {shown}",
                ))?;
                if folder.exists() {
                    return Ok(());
                }
                both(" (where there is none any more)", " (où il n'y en a plus)").fmt(f)
            }
        }
    }
}

impl Kube {
    /// Who this checkout is, for a mark that is about to be made.
    pub fn identity(&self) -> Result<Identity> {
        Identity::ensure(&self.ctx.workspace, &self.ctx.exec)
    }

    /// Who took over what `namespace` stands for.
    pub fn adopter(&self, namespace: &str) -> Result<Owner> {
        let get = ["get", "configmap", MARK, "--ignore-not-found", "-o", VALUES];
        let output = match self.ctx.exec.probe(&self.mark_cmd(namespace, &get)?) {
            // A server without a majority listens, and says nothing.
            Err(error) if failure::kind(&error) == Kind::Timeout => return Ok(Owner::Unknown),
            output => output?,
        };
        if !output.status.success() {
            return Ok(Owner::Unknown);
        }
        // Nothing is printed of one that is not there, and an empty line of one without owner.
        let Some((id, folder)) = output.stdout.split_once('\n') else {
            return Ok(Owner::Nobody);
        };
        match id.trim().is_empty() {
            true => Err(self.no_mark(namespace).into()),
            false => self.owner_of(id, folder),
        }
    }

    /// What has the name of the mark and is none: whose that is, nobody says.
    fn no_mark(&self, namespace: &str) -> Failure {
        let context = &self.context;
        Failure::usage(tr!(
            "the namespace {namespace} of {context} has a config map {MARK} that names no \
             checkout, so it is not the lab's: nothing is changed there",
            "l'espace de noms {namespace} de {context} contient une config map {MARK} qui ne nomme \
             aucun dépôt, elle n'est donc pas au lab : rien n'y est modifié",
        ))
        .next(format!(
            "kubectl --context {context} -n {namespace} get configmap {MARK} -o yaml"
        ))
    }

    /// Who made a namespace, by its annotations.
    pub fn maker(&self, namespace: &Value) -> Result<Owner> {
        let annotation = |name: &str| {
            let found = namespace["metadata"]["annotations"][name].as_str();
            found.unwrap_or_default()
        };
        self.owner_of(annotation(OWNER), annotation(FOLDER))
    }

    /// A namespace of this name, with these labels, that says in the same request who made it.
    pub fn marked_namespace(&self, name: &str, labels: &Map<String, Value>) -> Result<Value> {
        let us = self.identity()?;
        let (label, value) = names::part_of();
        let mut labels = labels.clone();
        labels.insert(label.to_owned(), value.into());
        Ok(json!({
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {
                "name": name,
                "labels": labels,
                "annotations": {OWNER: us.id, FOLDER: us.folder},
            },
        }))
    }

    /// What a person types so that a namespace is nobody's.
    pub fn typed_to_disown(&self, name: &str) -> String {
        let context = &self.context;
        format!("kubectl --context {context} annotate namespace {name} {OWNER}-")
    }

    /// Whom a mark of these two values means.
    pub fn owner_of(&self, id: &str, folder: &str) -> Result<Owner> {
        let id = id.trim();
        if id.is_empty() {
            return Ok(Owner::Nobody);
        }
        let us = Identity::of(&self.ctx.workspace)?;
        Ok(match us.is_some_and(|us| us.id == id) {
            true => Owner::Us,
            false => Owner::Other(PathBuf::from(folder.trim())),
        })
    }

    /// Marks what `namespace` stands for as this checkout's, in the place of the mark of
    /// `before`.
    pub fn adopt(&self, namespace: &str, before: &Owner) -> Result<()> {
        let us = self.identity()?;
        if *before != Owner::Nobody {
            let delete = ["delete", "configmap", MARK, "--ignore-not-found"];
            self.ctx.exec.run(&self.mark_cmd(namespace, &delete)?)?;
        }
        let id = format!("--from-literal=owner={}", us.id);
        let folder = format!("--from-literal=folder={}", us.folder.display());
        let create = ["create", "configmap", MARK, &id, &folder];
        self.ctx.exec.run(&self.mark_cmd(namespace, &create)?)
    }

    fn mark_cmd(&self, namespace: &str, words: &[&str]) -> Result<Cmd> {
        Ok(self.kubectl()?.within(namespace).cmd(words))
    }
}
