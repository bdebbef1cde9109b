//! Why a cluster does not do what it was asked: what kubectl says, in plain words.

use terms::tr;

use super::site::Site;
use crate::failure::Failure;

/// The account lacks the right.
pub fn is_forbidden(said: &str) -> bool {
    said.contains("(Forbidden)") || said.contains("is forbidden")
}

/// Why the cluster gives no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Silence {
    Context,
    Credentials,
    Certificate,
    Network,
    Rights,
    Other,
}

fn silence(said: &str) -> Silence {
    let has = |words: &[&str]| words.iter().any(|word| said.contains(word));
    if has(&["does not exist", "context was not found"]) && said.contains("context") {
        return Silence::Context;
    }
    if has(&[
        "Unauthorized",
        "must be logged in",
        "provide credentials",
        "getting credentials",
    ]) {
        return Silence::Credentials;
    }
    if has(&["x509:", "certificate"]) {
        return Silence::Certificate;
    }
    if has(&[
        "Unable to connect",
        "connection refused",
        "was refused",
        "no such host",
        "i/o timeout",
        "TLS handshake timeout",
        "deadline exceeded",
        "did you specify the right host or port",
    ]) {
        return Silence::Network;
    }
    if is_forbidden(said) {
        return Silence::Rights;
    }
    Silence::Other
}

impl Site {
    /// The failure of a question to the cluster, by what kubectl said.
    pub fn unreachable(&self, said: &str) -> Failure {
        let context = &self.kube.context;
        let said = said.trim();
        // kubectl says the same once for each of its tries.
        let last = said.lines().last().unwrap_or_default();
        match silence(said) {
            Silence::Context => Failure::usage(tr!(
                "the kubeconfig has no context {context}",
                "le kubeconfig n'a pas de contexte {context}",
            ))
            .next(tr!(
                "kubectl config get-contexts -o name, and one of them as kubernetes.context in \
                 lab.toml",
                "kubectl config get-contexts -o name, et l'un d'eux dans lab.toml, \
                 kubernetes.context",
            )),
            Silence::Credentials => Failure::preflight(tr!(
                "the cluster of {context} does not know this account (any more): {last}",
                "le cluster de {context} ne connaît pas (ou plus) ce compte : {last}",
            ))
            .next(tr!(
                "log in again as your provider says, then kubectl --context {context} auth whoami",
                "identifiez-vous à nouveau comme le dit votre fournisseur, puis kubectl --context \
                 {context} auth whoami",
            )),
            Silence::Certificate => Failure::preflight(tr!(
                "the certificate of the cluster of {context} is not the expected one: {last}",
                "le certificat du cluster de {context} n'est pas celui attendu : {last}",
            ))
            .next(format!("kubectl --context {context} config view --minify")),
            Silence::Network => Failure::tool(tr!(
                "the cluster of {context} does not answer: {last}",
                "le cluster de {context} ne répond pas : {last}",
            ))
            .next(format!("kubectl --context {context} cluster-info")),
            Silence::Rights => Failure::preflight(tr!(
                "this account lacks a right that the lab needs: {last}",
                "il manque à ce compte un droit dont le lab a besoin : {last}",
            ))
            .next(tr!(
                "cargo xtask preflight, which lists all of them",
                "cargo xtask preflight, qui les énumère tous",
            )),
            Silence::Other => Failure::tool(tr!(
                "asking the cluster of {context}: {last}",
                "question au cluster de {context} : {last}",
            ))
            .next(format!("kubectl --context {context} cluster-info")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_kubectl_says_is_told_apart() {
        for (said, why) in [
            ("error: context \"x\" does not exist", Silence::Context),
            (
                "error: You must be logged in to the server (Unauthorized)",
                Silence::Credentials,
            ),
            (
                "error: You must be logged in to the server (the server has asked for the client \
                 to provide credentials)",
                Silence::Credentials,
            ),
            (
                "The connection to the server 127.0.0.1:1 was refused - did you specify the right \
                 host or port?",
                Silence::Network,
            ),
            (
                "Unable to connect to the server: dial tcp: lookup a.example: no such host",
                Silence::Network,
            ),
            (
                "Unable to connect to the server: tls: failed to verify certificate: x509: \
                 certificate signed by unknown authority",
                Silence::Certificate,
            ),
            (
                "Error from server (Forbidden): pods is forbidden: User \"u\" cannot list",
                Silence::Rights,
            ),
            ("error: the server has gone away", Silence::Other),
        ] {
            assert_eq!(silence(said), why, "{said}");
        }
    }
}
