//! Where the local engine keeps what.

use std::path::PathBuf;

use crate::workspace::Workspace;

/// Held by the supervisor as long as it lives.
pub fn lock(workspace: &Workspace) -> PathBuf {
    workspace.state().join("supervisor.lock")
}

/// Where the supervisor takes requests.
pub fn socket(workspace: &Workspace) -> PathBuf {
    workspace.state().join(SOCKET)
}

pub const SOCKET: &str = "supervisor.sock";

/// What is wanted, for a supervisor that takes over.
pub fn desired(workspace: &Workspace) -> PathBuf {
    workspace.state().join("supervisor.json")
}

pub fn log(workspace: &Workspace) -> PathBuf {
    workspace.logs().join("supervisor.log")
}

/// A lock for each pod, and its emptyDir volumes.
pub fn pods(workspace: &Workspace) -> PathBuf {
    workspace.home().join(PODS)
}

/// The same within `.lab`.
pub const PODS: &str = "state/pods";

/// What Prometheus reads and has seen.
pub fn monitoring(workspace: &Workspace) -> PathBuf {
    workspace.state().join("monitoring")
}

/// What the pods write.
pub fn pod_logs(workspace: &Workspace) -> PathBuf {
    workspace.logs().join("pods")
}

pub fn pod_log(workspace: &Workspace, pod: &str) -> PathBuf {
    pod_logs(workspace).join(format!("{pod}.log"))
}
