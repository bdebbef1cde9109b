//! Where the local engine keeps what.

use std::path::PathBuf;

use crate::lab::Lab;

/// Held by the supervisor as long as it lives.
pub fn lock(lab: &Lab) -> PathBuf {
    lab.state().join("supervisor.lock")
}

/// Where the supervisor takes requests.
pub fn socket(lab: &Lab) -> PathBuf {
    lab.state().join(SOCKET)
}

pub const SOCKET: &str = "supervisor.sock";

/// What is wanted, for a supervisor that takes over.
pub fn wishes(lab: &Lab) -> PathBuf {
    lab.state().join("supervisor.json")
}

pub fn log(lab: &Lab) -> PathBuf {
    lab.logs().join("supervisor.log")
}

/// A lock for each pod, and its emptyDir volumes.
pub fn pods(lab: &Lab) -> PathBuf {
    lab.home().join(PODS)
}

/// The same within `.lab`.
pub const PODS: &str = "state/pods";

/// What the pods write.
pub fn pod_logs(lab: &Lab) -> PathBuf {
    lab.logs().join("pods")
}

pub fn pod_log(lab: &Lab, pod: &str) -> PathBuf {
    pod_logs(lab).join(format!("{pod}.log"))
}
