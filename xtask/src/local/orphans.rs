//! Supervisors and pods by what the system knows of them: those of labs whose
//! folder is gone, was moved or replaced are led to by no path. They end by
//! themselves; one that hangs can at least be named.

use std::fs;
use std::path::{Path, PathBuf};

use crate::exec::{self, Cmd};
use crate::workspace::Workspace;

use super::desired::DesiredState;
use super::paths;

/// How a supervisor's command line ends, and what stands before its folder.
const WORDS: (&str, &str) = (" --root ", " local supervisor");

/// A process that no folder leads to, and what a person types to end it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Orphan {
    pub what: String,
    pub end: String,
}

/// All of them, of this user.
pub fn all() -> Vec<Orphan> {
    let supervisors = listed().into_iter();
    let orphans = supervisors.filter(|(pid, root)| !leads_to(root, *pid));
    let orphans = orphans.map(|(pid, root)| Orphan {
        what: format!(
            "a supervisor (process {pid}) of {}, which does not lead to it any more",
            root.display()
        ),
        end: format!("kill {pid} (or kill -9 {pid})"),
    });
    let mut found: Vec<Orphan> = orphans.collect();
    found.extend(pods());
    found
}

/// The process that a lab's lock names, where it is a supervisor of that lab: the
/// number in a damaged lock could be anybody's.
pub fn holder(workspace: &Workspace) -> Option<u32> {
    let mut all = listed().into_iter();
    let found = all.find(|(pid, root)| *root == workspace.root && leads_to(root, *pid));
    found.map(|(pid, _)| pid)
}

/// Whether a supervisor that the folder of a lab once had still runs.
pub fn linger(workspace: &Workspace) -> bool {
    let mut all = listed().into_iter();
    all.any(|(pid, root)| root == workspace.root && !leads_to(&root, pid))
}

/// The lab whose service has a port.
pub fn lab_with(port: u16) -> Option<PathBuf> {
    let mut roots = listed().into_iter().map(|(_, root)| root);
    roots.find(|root| {
        let desired = DesiredState::load(&Workspace::at(root.clone()));
        desired.is_ok_and(|desired| desired.is_some_and(|desired| desired.port == Some(port)))
    })
}

/// Whether a process was stopped, and waits to be continued.
pub fn is_stopped(pid: u32) -> bool {
    let ps = Cmd::new("ps").args(["-o", "stat=", "-p", &pid.to_string()]);
    exec::output(&ps).is_ok_and(|output| output.stdout.trim_start().starts_with('T'))
}

/// Every supervisor of this user, with the folder that it was started for.
fn listed() -> Vec<(u32, PathBuf)> {
    let ps = Cmd::new("ps").args(["-xww", "-o", "pid=,args="]);
    // Without the list nothing can be said.
    let said = exec::output(&ps).map(|output| output.stdout);
    said.unwrap_or_default().lines().filter_map(parse).collect()
}

fn parse(line: &str) -> Option<(u32, PathBuf)> {
    let (pid, args) = line.trim().split_once(' ')?;
    let (_, root) = args.strip_suffix(WORDS.1)?.split_once(WORDS.0)?;
    Some((pid.parse().ok()?, PathBuf::from(root)))
}

/// Whether the lab's folder knows that supervisor.
fn leads_to(root: &Path, pid: u32) -> bool {
    let lock = paths::lock(&Workspace::at(root.to_owned()));
    let holder = fs::read_to_string(lock).unwrap_or_default();
    holder.trim() == pid.to_string()
}

/// Pods whose standard input is a lock that no path leads to, where the system
/// tells (Linux).
fn pods() -> Vec<Orphan> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let mut found: Vec<Orphan> = processes
        .filter_map(|process| pod(&process.path().join("fd/0")))
        .collect();
    found.sort_by(|a, b| a.end.cmp(&b.end));
    found.dedup();
    found
}

fn pod(stdin: &Path) -> Option<Orphan> {
    let path = fs::read_link(stdin).ok()?;
    let lock = Path::new(path.to_str()?.strip_suffix(" (deleted)")?);
    let ours = lock.extension().is_some_and(|end| end == "lock")
        && lock.parent().is_some_and(|dir| dir.ends_with(paths::PODS));
    // It can be read through the process that holds it.
    let text = ours.then(|| fs::read_to_string(stdin).ok())??;
    let group: u32 = text.trim().parse().ok()?;
    Some(Orphan {
        what: format!(
            "a pod (process group {group}) whose {} is gone",
            lock.display()
        ),
        end: format!("kill -9 -- -{group}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_supervisor_is_known_by_its_command_line() {
        let line = "  4711 /a b/target/debug/xtask --root /tmp/my lab local supervisor";
        assert_eq!(parse(line), Some((4711, PathBuf::from("/tmp/my lab"))));
        for other in [
            "4711 /a/xtask --root /tmp/lab local stop",
            "4711 less --root /tmp/lab local supervisor.log",
            "",
        ] {
            assert_eq!(parse(other), None, "{other}");
        }
    }
}
