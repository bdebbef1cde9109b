//! Whose affair it is that something of a work could not be tried: its own, which costs
//! points, or this machine's and the network's, which costs none.

use std::fmt;

use anyhow::Error;
use serde_json::Value;

use crate::failure::{Kind, kind};

/// A fault of the work.
#[derive(Debug)]
struct OfTheWork(String);

impl fmt::Display for OfTheWork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for OfTheWork {}

/// What tools say where a registry, a name server, Docker or the disk is in the way.
const ELSEWHERE: &[&str] = &[
    "toomanyrequests",
    "429 too many requests",
    "pull rate limit",
    "dial tcp",
    "tls handshake timeout",
    "i/o timeout",
    "no such host",
    "could not resolve host",
    "temporary failure in name resolution",
    "name or service not known",
    "network is unreachable",
    "no route to host",
    "proxyconnect",
    "max retries exceeded",
    "failed to establish a new connection",
    "connection reset by peer",
    "x509: certificate",
    "cannot connect to the docker daemon",
    "no space left on device",
];

/// An error of the work's own build, playbook or pods; one that the network or this machine
/// is to blame for stays what it is.
pub fn of_the_work(error: Error) -> Error {
    let said = format!("{error:#}");
    let ours = matches!(kind(&error), Kind::Interrupted | Kind::Preflight);
    match ours || is_from_elsewhere(&said) {
        true => error,
        false => OfTheWork(said).into(),
    }
}

/// What was not known to be the work's is not held against it.
pub fn is_of_the_work(error: &Error) -> bool {
    error.downcast_ref::<OfTheWork>().is_some()
}

fn is_from_elsewhere(said: &str) -> bool {
    let said = said.to_lowercase();
    ELSEWHERE.iter().any(|sign| said.contains(sign))
}

/// Why a pod has not begun: no such image, no node with its volumes.
pub fn why_waiting(pods: &Value) -> Option<String> {
    let pods = pods["items"].as_array()?;
    let waiting = |pod: &Value| {
        let waiting = &pod["status"]["containerStatuses"][0]["state"]["waiting"];
        told(waiting)
    };
    let scheduled = |pod: &Value| told(&pod["status"]["conditions"][0]);
    let said = pods.iter().find_map(waiting);
    said.or_else(|| pods.iter().find_map(scheduled))
}

fn told(state: &Value) -> Option<String> {
    let reason = state["reason"].as_str()?;
    let message = state["message"].as_str().unwrap_or_default();
    let said = format!("{reason}: {message}");
    Some(said.chars().take(300).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Failure;
    use serde_json::json;

    #[test]
    fn a_build_that_fails_is_the_works_and_a_registry_that_refuses_is_not() {
        let tool = |said: &str| Error::from(Failure::tool(said.to_owned()));
        for said in [
            "`packer` failed (exit status: 1): Unsupported argument",
            "`ansible-playbook` failed (exit status: 2): template error",
            "error: no matching resources found",
        ] {
            assert!(is_of_the_work(&of_the_work(tool(said))), "{said}");
        }
        for said in [
            "toomanyrequests: You have reached your pull rate limit",
            "Get \"https://registry-1.docker.io/v2/\": dial tcp: lookup: no such host",
            "Could not resolve host: github.com",
        ] {
            assert!(!is_of_the_work(&of_the_work(tool(said))), "{said}");
        }
        let missing = Error::from(Failure::preflight("`packer` was not found"));
        assert!(!is_of_the_work(&of_the_work(missing)));
        // What nobody said anything of.
        assert!(!is_of_the_work(&tool("k3d cluster create")));
    }

    #[test]
    fn a_pod_that_cannot_begin_says_why() {
        let pods = json!({"items": [
            {"status": {"containerStatuses": [{"state": {"running": {}}}]}},
            {"status": {"containerStatuses": [
                {"state": {"waiting": {"reason": "ErrImagePull", "message": "not found"}}}
            ]}},
        ]});
        assert_eq!(
            why_waiting(&pods).as_deref(),
            Some("ErrImagePull: not found")
        );
        assert_eq!(why_waiting(&json!({"items": []})), None);
    }
}
