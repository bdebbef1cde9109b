//! Logs stay bounded, whoever writes them. A log is cut in place: its writer
//! holds it open for appending and goes on at the new end.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, Result};

use crate::exec::Cmd;
use crate::workspace::Workspace;

use super::paths;

/// A log that grew beyond this becomes the `.1` beside it.
const LARGEST: u64 = 4 << 20;
/// Logs of pods that are gone, the newest of them.
const KEPT: usize = 40;

/// Cuts every log that has grown too large, and removes the oldest logs of pods
/// that are gone.
pub fn keep_small(workspace: &Workspace, alive: &BTreeSet<&String>) -> Result<()> {
    let logs = pod_logs(workspace)
        .into_iter()
        .chain([paths::log(workspace)]);
    for log in logs.filter(|log| size(log) > LARGEST && !is_older_part(log)) {
        cut(&log).with_context(|| format!("rotating {}", log.display()))?;
    }
    let mut gone: Vec<(SystemTime, PathBuf)> = pod_logs(workspace)
        .into_iter()
        .filter(|log| !alive.iter().any(|pod| belongs_to(log, pod)))
        .map(|log| (modified(&log), log))
        .collect();
    gone.sort();
    gone.truncate(gone.len().saturating_sub(KEPT));
    for (_, log) in gone {
        fs::remove_file(&log).with_context(|| format!("deleting {}", log.display()))?;
    }
    Ok(())
}

fn size(log: &Path) -> u64 {
    fs::metadata(log).map_or(0, |found| found.len())
}

fn cut(log: &Path) -> io::Result<()> {
    fs::copy(log, older_part(log))?;
    File::options().write(true).open(log)?.set_len(0)
}

/// Everything a pod wrote, as far as it was kept.
pub fn read(workspace: &Workspace, pod: &str) -> String {
    let log = paths::pod_log(workspace, pod);
    let parts = [older_part(&log), log];
    // A part that does not exist is one that was not needed.
    let bytes: Vec<u8> = parts
        .iter()
        .flat_map(|part| fs::read(part).unwrap_or_default())
        .collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The pod that wrote last, of those whose names begin in one of these ways.
pub fn newest(workspace: &Workspace, beginnings: &[&str]) -> Vec<String> {
    let names = pod_logs(workspace).into_iter().filter_map(|log| {
        let name = log.file_name()?.to_str()?.strip_suffix(".log")?.to_owned();
        let wanted = beginnings.iter().any(|one| name.starts_with(one));
        wanted.then(|| (modified(&log), name))
    });
    names.max().map(|(_, name)| name).into_iter().collect()
}

/// The last lines of what pods wrote, each under the name of its file.
pub fn tail(workspace: &Workspace, pods: &[String], lines: u32, follow: bool) -> Cmd {
    let files = pods.iter().map(|pod| paths::pod_log(workspace, pod));
    // By its name: a log is cut in place when it grows too large.
    let follow = follow.then_some("-F");
    Cmd::new("tail")
        .args(follow)
        .args(["-n", &lines.to_string()])
        .args(files.map(|file| file.to_string_lossy().into_owned()))
}

fn pod_logs(workspace: &Workspace) -> Vec<PathBuf> {
    let entries = fs::read_dir(paths::pod_logs(workspace));
    entries.map_or_else(
        |_| Vec::new(),
        |all| all.flatten().map(|entry| entry.path()).collect(),
    )
}

fn older_part(log: &Path) -> PathBuf {
    log.with_added_extension("1")
}

fn is_older_part(log: &Path) -> bool {
    log.extension().is_some_and(|extension| extension == "1")
}

fn belongs_to(log: &Path, pod: &str) -> bool {
    let name = log.file_name().unwrap_or_default().to_string_lossy();
    name.strip_prefix(pod)
        .is_some_and(|rest| rest.starts_with(".log"))
}

fn modified(log: &Path) -> SystemTime {
    let found = fs::metadata(log).and_then(|found| found.modified());
    found.unwrap_or(SystemTime::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn workspace(name: &str) -> Workspace {
        let root = std::env::temp_dir().join(format!("xtask-logs-{name}-{}", std::process::id()));
        // Left by an earlier run that was killed.
        let _ = fs::remove_dir_all(&root);
        let workspace = Workspace::at(root);
        fs::create_dir_all(paths::pod_logs(&workspace)).unwrap();
        workspace
    }

    #[test]
    fn a_log_that_is_cut_loses_nothing_of_its_last_part() {
        let workspace = workspace("cut");
        let path = paths::pod_log(&workspace, "web-1");
        let mut writer = File::options()
            .create(true)
            .append(true)
            .open(&path)
            .unwrap();
        let size = usize::try_from(LARGEST).unwrap();
        writer.write_all(&vec![b'a'; size + 1]).unwrap();
        keep_small(&workspace, &BTreeSet::new()).unwrap();
        writer.write_all(b"end").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "end");
        assert!(read(&workspace, "web-1").ends_with("aend"));
        fs::remove_dir_all(&workspace.root).unwrap();
    }

    #[test]
    fn only_logs_of_pods_that_are_gone_are_forgotten() {
        let workspace = workspace("forget");
        for pod in 0..KEPT + 5 {
            fs::write(paths::pod_log(&workspace, &format!("job-{pod}")), "x").unwrap();
        }
        let alive = "job-0".to_owned();
        keep_small(&workspace, &BTreeSet::from([&alive])).unwrap();
        assert_eq!(pod_logs(&workspace).len(), KEPT + 1);
        assert!(paths::pod_log(&workspace, "job-0").exists());
        fs::remove_dir_all(&workspace.root).unwrap();
    }
}
