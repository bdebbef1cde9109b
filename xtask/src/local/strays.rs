//! Processes of labs whose folder is gone, was moved or replaced: no path leads
//! to them any more, and they are found by what the system knows of them. They
//! end by themselves; one that hangs can at least be named.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use crate::exec::{self, Cmd};
use crate::lab::Lab;

use super::paths;

/// How a supervisor's command line ends, and what stands before its folder.
const WORDS: (&str, &str) = (" --root ", " local supervisor");

/// A process that no folder leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stray {
    Supervisor {
        pid: u32,
        root: PathBuf,
    },
    /// The processes of a pod, where the system tells (Linux).
    Pod {
        group: u32,
        lock: PathBuf,
    },
}

impl Stray {
    /// What a person types to end it.
    pub fn end(&self) -> String {
        match self {
            Self::Supervisor { pid, .. } => format!("kill {pid} (or kill -9 {pid})"),
            Self::Pod { group, .. } => format!("kill -9 -- -{group}"),
        }
    }
}

impl fmt::Display for Stray {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Supervisor { pid, root } => write!(
                f,
                "a supervisor (process {pid}) of {}, which does not lead to it any more",
                root.display()
            ),
            Self::Pod { group, lock } => write!(
                f,
                "a pod (process group {group}) whose {} is gone",
                lock.display()
            ),
        }
    }
}

/// All of them, of this user.
pub fn all() -> Vec<Stray> {
    let mut found = supervisors();
    found.extend(pods());
    found
}

/// The supervisors that the folder of a lab once had.
pub fn of(lab: &Lab) -> Vec<Stray> {
    let here = |stray: &Stray| matches!(stray, Stray::Supervisor { root, .. } if *root == lab.root);
    supervisors().into_iter().filter(here).collect()
}

/// The lab of a supervisor, by its process.
pub fn lab_of(pid: u32) -> Option<PathBuf> {
    let mut all = listed().into_iter();
    all.find_map(|(one, root)| (one == pid).then_some(root))
}

fn supervisors() -> Vec<Stray> {
    let all = listed().into_iter();
    let strays = all.filter(|(pid, root)| !leads_to(root, *pid));
    strays
        .map(|(pid, root)| Stray::Supervisor { pid, root })
        .collect()
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
    let lock = paths::lock(&Lab {
        root: root.to_owned(),
    });
    let holder = fs::read_to_string(lock).unwrap_or_default();
    holder.trim() == pid.to_string()
}

/// Groups whose standard input is a pod's lock that no path leads to.
fn pods() -> Vec<Stray> {
    let mut found: Vec<Stray> = Vec::new();
    for process in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Ok(stdin) = fs::read_link(process.path().join("fd/0")) else {
            continue;
        };
        let Some(lock) = stdin
            .to_string_lossy()
            .strip_suffix(" (deleted)")
            .map(PathBuf::from)
        else {
            continue;
        };
        let ours = lock.extension().is_some_and(|end| end == "lock")
            && lock.parent().is_some_and(|dir| dir.ends_with(paths::PODS));
        if !ours {
            continue;
        }
        // It can be read through the process that holds it.
        let named = fs::read_to_string(process.path().join("fd/0")).unwrap_or_default();
        let stray = named.trim().parse().map(|group| Stray::Pod { group, lock });
        found.extend(stray.ok().filter(|stray| !found.contains(stray)));
    }
    found
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
