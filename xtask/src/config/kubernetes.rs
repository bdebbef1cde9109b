//! `[kubernetes]` in `lab.toml`: a cluster that is there already, and what the lab may
//! have of it.

use serde::{Deserialize, Serialize};
use terms::tr;
use toml::Spanned;

use super::check::{Complaint, complaint};

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Kubernetes {
    /// Of the kubeconfig; empty for none, since the current one is never meant by accident.
    pub context: String,
    namespace: Spanned<String>,
    ha_namespace: Spanned<String>,
    registry: Spanned<String>,
    push_registry: Spanned<String>,
    /// The secret that the nodes pull with; empty where they need none.
    pub pull_secret: String,
    /// Empty for the cluster's default.
    pub storage_class: String,
    pub service: Reach,
    /// Whether the lab brings its network policies.
    pub network_policies: bool,
    host: Spanned<String>,
    ha_host: Spanned<String>,
    /// Empty for the cluster's default.
    pub ingress_class: String,
}

/// How users reach the application.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Reach {
    /// On a port of this machine, by a `kubectl port-forward` that is kept alive.
    #[default]
    PortForward,
    /// On a port of every node.
    NodePort,
    /// At an address that the cluster's provider gives the service.
    LoadBalancer,
    /// By name, through the cluster's ingress controller.
    Ingress,
}

impl Default for Kubernetes {
    fn default() -> Self {
        let none = || Spanned::new(0..0, String::new());
        Self {
            context: String::new(),
            namespace: Spanned::new(0..0, "pra".to_owned()),
            ha_namespace: Spanned::new(0..0, "ha".to_owned()),
            registry: none(),
            push_registry: none(),
            pull_secret: String::new(),
            storage_class: String::new(),
            service: Reach::default(),
            network_policies: false,
            host: none(),
            ha_host: none(),
            ingress_class: String::new(),
        }
    }
}

impl Kubernetes {
    /// The same as the lab `ha` has it: in a namespace and behind a name of its own, and in
    /// the class of `[ha]` where that is stated.
    pub fn for_ha(&self, storage_class: &str) -> Self {
        let mut own = self.clone();
        own.namespace = self.ha_namespace.clone();
        if self.service == Reach::Ingress {
            own.host = self.ha_host.clone();
        }
        if !storage_class.is_empty() {
            own.storage_class = storage_class.to_owned();
        }
        own
    }

    pub fn namespace(&self) -> &str {
        self.namespace.get_ref()
    }

    /// Where the nodes pull the image from: a host, a port perhaps, and a prefix.
    pub fn registry(&self) -> &str {
        self.registry.get_ref()
    }

    /// The same as this machine reaches it.
    pub fn push_registry(&self) -> &str {
        let own = self.push_registry.get_ref();
        if own.is_empty() { self.registry() } else { own }
    }

    /// The name that an ingress answers to, or the node that a node port is asked at.
    pub fn host(&self) -> &str {
        self.host.get_ref()
    }

    pub(super) fn check(&self) -> Result<(), Complaint> {
        for (key, value) in [
            ("namespace", &self.namespace),
            ("ha_namespace", &self.ha_namespace),
        ] {
            if !is_label(value.get_ref()) {
                let allowed = tr!(
                    "the name of a namespace: small letters, digits and hyphens",
                    "le nom d'un espace de noms : minuscules, chiffres et tirets",
                );
                return Err(complaint(&format!("kubernetes.{key}"), value, &allowed));
            }
        }
        if self.namespace() == self.ha_namespace.get_ref() {
            let allowed = tr!(
                "another one than kubernetes.namespace: both labs may stand in one cluster",
                "un autre que kubernetes.namespace : les deux labs peuvent être dans un cluster",
            );
            return Err(complaint(
                "kubernetes.ha_namespace",
                &self.ha_namespace,
                &allowed,
            ));
        }
        for (key, value) in [
            ("registry", &self.registry),
            ("push_registry", &self.push_registry),
        ] {
            let text = value.get_ref();
            if text.contains("://") || text.ends_with('/') || text.contains(char::is_whitespace) {
                let allowed = tr!(
                    "a host and a prefix without a scheme, such as \"registry.example:5000/team\"",
                    "un hôte et un préfixe sans schéma, comme « registry.example:5000/team »",
                );
                return Err(complaint(&format!("kubernetes.{key}"), value, &allowed));
            }
        }
        if self.service == Reach::Ingress && self.host().is_empty() {
            let allowed = tr!(
                "the host name that the ingress is to answer to",
                "le nom d'hôte auquel l'ingress doit répondre",
            );
            return Err(complaint("kubernetes.host", &self.host, &allowed));
        }
        Ok(())
    }
}

/// As Kubernetes allows the name of a namespace.
fn is_label(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let edge = |c: char| c != '-';
    name.chars().all(allowed)
        && name.len() <= 63
        && name.chars().next().is_some_and(edge)
        && name.chars().last().is_some_and(edge)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaint_about(text: &str) -> Option<String> {
        let settings: Kubernetes = toml::from_str(text).unwrap();
        settings.check().err().map(|(_, said)| said)
    }

    #[test]
    fn nothing_stated_is_a_forward_into_the_usual_namespace() {
        let settings: Kubernetes = toml::from_str("").unwrap();
        assert_eq!(
            (settings.namespace(), settings.service),
            ("pra", Reach::PortForward)
        );
        assert_eq!(complaint_about(""), None);
    }

    #[test]
    fn the_registry_is_pushed_to_where_it_is_pulled_from_unless_stated() {
        let one: Kubernetes = toml::from_str("registry = \"r.example/a\"").unwrap();
        assert_eq!(one.push_registry(), "r.example/a");
        let two = "registry = \"r.example/a\"\npush_registry = \"127.0.0.1:5000/a\"";
        let two: Kubernetes = toml::from_str(two).unwrap();
        assert_eq!(two.push_registry(), "127.0.0.1:5000/a");
        assert_eq!(two.registry(), "r.example/a");
    }

    #[test]
    fn the_lab_ha_has_a_namespace_and_a_name_of_its_own() {
        let stated = "service = \"ingress\"\nhost = \"a.example\"\nha_host = \"b.example\"\n\
                      storage_class = \"slow\"";
        let stated: Kubernetes = toml::from_str(stated).unwrap();
        let own = stated.for_ha("");
        let told = (own.namespace(), own.host(), &*own.storage_class);
        assert_eq!(told, ("ha", "b.example", "slow"));
        assert_eq!(stated.for_ha("fast").storage_class, "fast");
        // The address of a node is one for both.
        let node: Kubernetes = toml::from_str("service = \"node-port\"\nhost = \"n1\"").unwrap();
        assert_eq!(node.for_ha("").host(), "n1");
    }

    #[test]
    fn what_cannot_be_meant_is_told_by_its_key() {
        for (text, key) in [
            ("namespace = \"Pra\"", "kubernetes.namespace"),
            ("namespace = \"-pra\"", "kubernetes.namespace"),
            ("ha_namespace = \"Ha\"", "kubernetes.ha_namespace"),
            ("ha_namespace = \"pra\"", "kubernetes.ha_namespace"),
            ("registry = \"https://r.example\"", "kubernetes.registry"),
            ("push_registry = \"r.example/\"", "kubernetes.push_registry"),
            ("service = \"ingress\"", "kubernetes.host"),
        ] {
            let said = complaint_about(text).unwrap();
            assert!(said.contains(key), "{said}");
        }
        assert_eq!(
            complaint_about("service = \"ingress\"\nhost = \"a.example\""),
            None
        );
        let wrong = toml::from_str::<Kubernetes>("service = \"tunnel\"").unwrap_err();
        assert!(wrong.to_string().contains("load-balancer"), "{wrong}");
    }
}
