//! The storage class of the volumes, as far as this account may look.

use anyhow::{Context as _, Result};
use serde_json::Value;
use terms::tr;

use super::refused;
use super::site::Site;
use crate::check::Check;
use crate::failure::Failure;

const DEFAULT: &str = "storageclass.kubernetes.io/is-default-class";

/// A class that a claim will have.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Class {
    name: String,
    /// A volume is made where the first pod of its claim is put.
    waits: bool,
}

impl Site {
    pub(super) fn storage(&self) -> Check {
        let name = "storage class";
        match self.storage_class() {
            Err(error) => Check::from(name, Err(error)),
            Ok(None) => Check::from(name, Ok(self.unseen_class())),
            Ok(Some(class)) if class.waits => Check::from(
                name,
                Ok(tr!(
                    "{class}, which makes a volume where its first pod is",
                    "{class}, qui crée un volume là où se trouve son premier pod",
                    class = class.name,
                )),
            ),
            Ok(Some(class)) => Check::advice(
                name,
                tr!(
                    "{class} makes volumes before it is known where pods run: in a cluster of \
                     several zones the two may come to be in two of them, where no pod can have \
                     both",
                    "{class} crée les volumes avant de savoir où tournent les pods : dans un \
                     cluster de plusieurs zones, les deux peuvent se trouver dans deux zones, où \
                     aucun pod ne peut avoir les deux",
                    class = class.name,
                ),
                tr!(
                    "a class with volumeBindingMode WaitForFirstConsumer as \
                     kubernetes.storage_class in lab.toml",
                    "une classe avec volumeBindingMode WaitForFirstConsumer, \
                     kubernetes.storage_class dans lab.toml",
                ),
            ),
        }
    }

    fn unseen_class(&self) -> String {
        let stated = &self.settings().storage_class;
        match stated.is_empty() {
            true => tr!(
                "the cluster's default; whether there is one cannot be seen with this account",
                "celle par défaut du cluster ; ce compte ne permet pas de voir s'il y en a une",
            ),
            false => tr!(
                "{stated}; whether there is such a class cannot be seen with this account",
                "{stated} ; ce compte ne permet pas de voir si cette classe existe",
            ),
        }
    }

    /// `None` where this account may not look at classes.
    fn storage_class(&self) -> Result<Option<Class>> {
        let get = ["get", "storageclasses", "-o", "json"];
        let output = self.ctx.exec.probe(&self.kube.kubectl()?.cmd(get))?;
        if !output.status.success() {
            return match refused::is_forbidden(&output.stderr) {
                true => Ok(None),
                false => Err(self.unreachable(&output.stderr).into()),
            };
        }
        let stated = &self.settings().storage_class;
        let list: Value = serde_json::from_str(&output.stdout).context("reading the classes")?;
        let Some(found) = class(&list, stated) else {
            return Err(missing(&list, stated).into());
        };
        Ok(Some(found))
    }
}

fn class(list: &Value, stated: &str) -> Option<Class> {
    let mut classes = list["items"].as_array().into_iter().flatten();
    let is_meant = |class: &&Value| match stated {
        "" => class["metadata"]["annotations"][DEFAULT] == "true",
        stated => class["metadata"]["name"] == stated,
    };
    let found = classes.find(is_meant)?;
    Some(Class {
        name: found["metadata"]["name"].as_str()?.to_owned(),
        waits: found["volumeBindingMode"] == "WaitForFirstConsumer",
    })
}

fn missing(list: &Value, stated: &str) -> Failure {
    let classes = list["items"].as_array().into_iter().flatten();
    let names: Vec<&str> = classes
        .filter_map(|class| class["metadata"]["name"].as_str())
        .collect();
    let names = match names.is_empty() {
        true => tr!("none", "aucune"),
        false => names.join(", "),
    };
    let said = match stated {
        "" => tr!(
            "the cluster has no default storage class; its classes: {names}",
            "le cluster n'a pas de classe de stockage par défaut ; ses classes : {names}",
        ),
        stated => tr!(
            "the cluster has no storage class {stated}; its classes: {names}",
            "le cluster n'a pas de classe de stockage {stated} ; ses classes : {names}",
        ),
    };
    Failure::preflight(said).next(tr!(
        "state one of them as kubernetes.storage_class in lab.toml",
        "indiquez l'une d'elles dans lab.toml, kubernetes.storage_class",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_stated_class_is_meant_or_the_default_one() {
        let list = json!({"items": [
            {"metadata": {"name": "slow"}, "volumeBindingMode": "Immediate"},
            {"metadata": {"name": "fast", "annotations": {DEFAULT: "true"}},
             "volumeBindingMode": "WaitForFirstConsumer"}]});
        let of = |stated: &str| class(&list, stated).map(|one| (one.name, one.waits));
        assert_eq!(of(""), Some(("fast".to_owned(), true)));
        assert_eq!(of("slow"), Some(("slow".to_owned(), false)));
        assert_eq!(of("gone"), None);
        assert!(missing(&list, "gone").message.contains("slow, fast"));
        assert!(missing(&json!({}), "").message.contains("no default"));
    }
}
