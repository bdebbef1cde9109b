//! What is in the namespace under the name of an object of the lab and is not the lab's:
//! applying would take it over, and a teardown delete it.

use anyhow::Result;
use serde_json::{Value, json};
use terms::tr;

use super::site::Site;
use crate::failure::Failure;
use crate::names::{self, PART_OF};
use crate::tools::kube_others::found;

impl Site {
    /// Refuses where an object of somebody else has the name of one of the lab's. Nobody is
    /// asked: what it is for is not known here.
    pub(super) fn insist_on_no_strangers(&self) -> Result<String> {
        let objects = self.known_objects()?;
        let strangers = strangers(&self.of_these_names(&objects)?);
        match strangers.is_empty() {
            true => Ok(tr!(
                "nothing of others has the name of one of the lab's {count} objects",
                "rien d'autrui ne porte le nom d'un des {count} objets du lab",
                count = objects.len(),
            )),
            false => Err(self.has_strangers(&strangers).into()),
        }
    }

    /// The objects of these names that are there.
    fn of_these_names(&self, objects: &[Value]) -> Result<Vec<Value>> {
        if objects.is_empty() {
            return Ok(Vec::new());
        }
        let names: Vec<Value> = objects.iter().map(name_alone).collect();
        let list = json!({"apiVersion": "v1", "kind": "List", "items": names});
        let get = ["get", "-f", "-", "--ignore-not-found", "-o", "json"];
        let get = self.kube.kubectl()?.cmd(get).input(list.to_string());
        let output = self.ctx.exec.probe(&get)?;
        if !output.status.success() {
            return Err(self.unreachable(&output.stderr).into());
        }
        found(&output.stdout)
    }

    fn has_strangers(&self, strangers: &[String]) -> Failure {
        let (name, context) = (self.namespace(), &self.kube.context);
        Failure::usage(tr!(
            "the namespace {name} of {context} has objects of others under the names of the \
             lab's: {strangers}. Nothing is changed there",
            "l'espace de noms {name} de {context} contient des objets d'autrui portant les noms \
             de ceux du lab : {strangers}. Rien n'y est modifié",
            strangers = strangers.join(", "),
        ))
        .next(tr!(
            "state another one as {key} in lab.toml; where they are the lab's \
             after all: {label}",
            "indiquez-en un autre, {key} dans lab.toml ; s'ils sont malgré tout au \
             lab : {label}",
            key = self.namespace_key(),
            label = self
                .kube
                .typed(&format!("label {} {PART_OF}", strangers.join(" "))),
        ))
    }
}

fn name_alone(object: &Value) -> Value {
    let metadata = &object["metadata"];
    json!({
        "apiVersion": object["apiVersion"],
        "kind": object["kind"],
        "metadata": {"name": metadata["name"], "namespace": metadata["namespace"]},
    })
}

/// Those without the lab's label, as kubectl names them.
fn strangers(found: &[Value]) -> Vec<String> {
    let (label, value) = names::part_of();
    let others = found
        .iter()
        .filter(|one| one["metadata"]["labels"][label] != value);
    let names = others.map(|one| {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let kind = text(&one["kind"]).to_lowercase();
        format!("{kind}/{}", text(&one["metadata"]["name"]))
    });
    names.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lacks_the_label_is_somebody_elses() {
        let object = |kind: &str, labels: Value| json!({"kind": kind, "metadata": {"name": "flask", "labels": labels}});
        let ours = object(
            "Service",
            json!({"app.kubernetes.io/part-of": "atelier-pra"}),
        );
        let theirs = object("Deployment", json!({"app": "flask"}));
        let bare = object("ConfigMap", Value::Null);
        assert_eq!(
            strangers(&[ours, theirs.clone(), bare]),
            ["deployment/flask", "configmap/flask"]
        );
        assert_eq!(found("\n").unwrap(), Vec::<Value>::new());
        assert_eq!(
            found(&theirs.to_string()).unwrap(),
            std::slice::from_ref(&theirs)
        );
        let list = json!({"kind": "List", "items": [theirs.clone(), theirs]});
        assert_eq!(found(&list.to_string()).unwrap().len(), 2);
    }
}
