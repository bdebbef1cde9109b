//! The processes of a pod. Each pod runs in a process group of its own, and
//! its standard input is a lock file whose lock is held through that very
//! open file: as long as the lock is held, some process of the pod lives. The
//! file holds the group's number, written by the group itself before the
//! program starts, so whoever finds the lock held knows whom to end, and
//! nobody else is ever hit.

use std::fs::{self, File};
use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::sys::signal::Signal;
use terms::tr;

use crate::exec::{self, Cmd};
use crate::failure::Failure;
use crate::wait;
use crate::workspace::{self, Workspace};

use super::launch::Launch;
use super::paths;

/// The name of the file that announces a stop.
const NOTICE: &str = "stopping";

/// A pod's process while it lives.
#[derive(Debug)]
pub struct Process {
    pub started: Instant,
    /// The pod's first process, whose number its group has.
    child: Child,
    lock: Held,
    grace: Duration,
    /// Since when it has been asked to end.
    asked: Option<Instant>,
    /// Where it reads that its end is near; it need not look.
    notice: Option<PathBuf>,
    told: bool,
    /// Its first process is gone, and its number may become another's.
    reaped: bool,
}

/// How a pod's first process ended; everything that it had started is gone.
#[derive(Debug)]
pub struct Ended {
    /// Its exit code, 128 and more for a signal; none where that is unknown.
    pub code: Option<i32>,
    pub how: String,
}

impl Process {
    /// Starts a pod's program.
    pub fn start(
        workspace: &Workspace,
        pod: &str,
        launch: &Launch,
        grace: Duration,
    ) -> Result<Self> {
        let log = prepare(workspace, pod, launch)?;
        let path = paths::pods(workspace).join(format!("{pod}.lock"));
        let lock = File::options()
            .create(true)
            .truncate(true)
            .read(true)
            .write(true)
            .open(&path)
            .with_context(|| format!("creating {}", path.display()))?;
        lock.try_lock().with_context(|| {
            format!("{} is held: pod {pod} still has processes", path.display())
        })?;
        let held = Held::open(&path)?;
        let cmd = announced(pod, &launch.cmd);
        Ok(Self {
            child: exec::spawn(&cmd, Stdio::from(lock), &log, true)?,
            started: Instant::now(),
            lock: held,
            grace,
            asked: None,
            notice: notice(launch),
            told: false,
            reaped: false,
        })
    }

    /// Begins a graceful end. The grace period runs from now, also while the
    /// connections drain, as it does in Kubernetes. It is announced, as `preStop` does
    /// there: clients that keep their connections are sent elsewhere with their next
    /// request, and need not be waited for.
    pub fn ask(&mut self) {
        if self.asked.is_some() {
            return;
        }
        self.asked = Some(Instant::now());
        if let Some(notice) = &self.notice {
            // Without it they are waited for as long as they may be.
            let _ = workspace::write_file(notice, &wait::DRAIN.as_secs().to_string());
        }
    }

    pub fn asked(&self) -> bool {
        self.asked.is_some()
    }

    /// Has it read its configuration anew.
    pub fn reload(&self) {
        exec::signal_process(self.child.id(), Signal::SIGHUP);
    }

    /// Ends it without warning.
    pub fn kill(&mut self) {
        self.ask();
        self.told = true;
        if !self.reaped {
            exec::signal_group(self.child.id(), Signal::SIGKILL);
        }
    }

    /// Carries an end on, and says when everything is over; `busy` are the
    /// connections that it still serves.
    pub fn advance(&mut self, busy: usize) -> Option<Ended> {
        match self.child.try_wait() {
            Ok(None) => self.carry_on(busy),
            // What its first process left behind ends, as in a container; who left
            // its group too is out of our reach, and waited for.
            _ if self.lock.by_somebody() => {
                self.kill();
                self.reaped = true;
            }
            status => return Some(Ended::of(status)),
        }
        None
    }

    fn carry_on(&mut self, busy: usize) {
        let Some(waited) = self.asked.map(|asked| asked.elapsed()) else {
            return;
        };
        if waited >= self.grace {
            self.kill();
        } else if !self.told && (busy == 0 || waited >= wait::DRAIN) {
            self.told = true;
            // What was announced is over: nobody is to be served until its end.
            let _ = self.notice.as_ref().map(fs::remove_file);
            // To the first process alone, as a container's end begins: it
            // knows how to end its children.
            exec::signal_process(self.child.id(), Signal::SIGTERM);
        }
    }
}

impl Ended {
    fn of(status: io::Result<Option<ExitStatus>>) -> Self {
        let status = status.map(Option::unwrap_or_default);
        let code = |status: &ExitStatus| {
            let signal = status.signal().map(|signal| 128 + signal);
            status.code().or(signal)
        };
        Self {
            code: status.as_ref().ok().and_then(code),
            how: status.map_or_else(|error| error.to_string(), |status| status.to_string()),
        }
    }
}

/// Where `preStop` of k8s/20-deployment.yaml announces a stop: in the pod's own folder for
/// temporary files, where it has one.
fn notice(launch: &Launch) -> Option<PathBuf> {
    let folder = launch.cmd.env.get("TMPDIR")?;
    let own = launch.scratch.iter().any(|dir| dir == Path::new(folder));
    own.then(|| Path::new(folder).join(NOTICE))
}

fn prepare(workspace: &Workspace, pod: &str, launch: &Launch) -> Result<File> {
    for dir in launch
        .scratch
        .iter()
        .chain([&paths::pods(workspace), &paths::pod_logs(workspace)])
    {
        fs::create_dir_all(dir).with_context(|| format!("creating {}", dir.display()))?;
    }
    let path = paths::pod_log(workspace, pod);
    // Appending, so that the log may be cut while it is written.
    File::options()
        .create(true)
        .append(true)
        .open(&path)
        .with_context(|| format!("opening {}", path.display()))
}

/// The same program, after it has written its group into the lock file: without
/// that nobody could find it. A full disk is no refusal of the program's (1, 2).
fn announced(pod: &str, cmd: &Cmd) -> Cmd {
    let mut announced = cmd.clone();
    announced.program = "/bin/sh".to_owned();
    announced.args = [
        "-c",
        r#"echo $$ >&0 || exit 4; exec "$@""#,
        pod,
        &cmd.program,
    ]
    .map(str::to_owned)
    .to_vec();
    announced.args.extend(cmd.args.iter().cloned());
    announced
}

/// The lock of a pod, open: its folder may be moved or removed meanwhile.
#[derive(Debug)]
struct Held(File);

impl Held {
    fn open(lock: &Path) -> Result<Self> {
        let file = File::open(lock);
        Ok(Self(
            file.with_context(|| format!("opening {}", lock.display()))?,
        ))
    }

    fn by_somebody(&self) -> bool {
        workspace::is_locked(&self.0)
    }
}

/// Whether somebody holds the lock of this file.
pub fn is_held(lock: &Path) -> bool {
    Held::open(lock).is_ok_and(|lock| lock.by_somebody())
}

/// Removes what a pod leaves behind, except its log.
pub fn clean(workspace: &Workspace, pod: &str) {
    let pods = paths::pods(workspace);
    // Neither need exist, and the next start sweeps what stays.
    let _ = fs::remove_file(pods.join(format!("{pod}.lock")));
    let _ = fs::remove_dir_all(pods.join(pod));
}

/// Pods whose processes live; where no supervisor does, they are left-over.
pub fn living(workspace: &Workspace) -> Vec<String> {
    let locks = locks(workspace).unwrap_or_default();
    let held = locks.into_iter().filter(|(_, lock)| is_held(lock));
    held.map(|(pod, _)| pod).collect()
}

/// Every pod that has a lock file, and that file.
fn locks(workspace: &Workspace) -> Result<Vec<(String, PathBuf)>> {
    let dir = paths::pods(workspace);
    let entries = fs::read_dir(&dir).with_context(|| format!("reading {}", dir.display()))?;
    let mut found = Vec::new();
    for entry in entries {
        let path = entry
            .with_context(|| format!("reading {}", dir.display()))?
            .path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if let Some(pod) = name.strip_suffix(".lock") {
            found.push((pod.to_owned(), path.clone()));
        }
    }
    Ok(found)
}

/// Ends every process that an earlier supervisor left behind, and waits until
/// all are gone; says how many pods that were.
pub fn end_orphans(workspace: &Workspace) -> Result<usize> {
    let dir = paths::pods(workspace);
    fs::create_dir_all(&dir).with_context(|| format!("creating {}", dir.display()))?;
    let mut orphans = 0;
    for (pod, path) in locks(workspace)? {
        orphans += usize::from(is_held(&path));
        wait::until(wait::ORPHANS_GONE, || {
            if !is_held(&path) {
                return Ok(Some(()));
            }
            // Read anew each time: the group may be about to write it.
            let group = fs::read_to_string(&path).unwrap_or_default();
            if let Ok(group) = group.trim().parse() {
                exec::signal_group(group, Signal::SIGKILL);
            }
            Ok(None)
        })
        .context(
            Failure::timeout(tr!(
                "processes of pod {pod} do not end",
                "des processus du pod {pod} ne s'arrêtent pas",
            ))
            .next(tr!(
                "find them and end them: fuser -v {folder}",
                "trouvez-les et arrêtez-les : fuser -v {folder}",
                folder = path.display(),
            )),
        )?;
        clean(workspace, &pod);
    }
    Ok(orphans)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::local::shared::testing;

    /// The names are those of the cluster's own announcement and of its reader.
    #[test]
    fn a_stop_is_announced_where_the_server_looks() {
        let deployment = include_str!("../../../k8s/20-deployment.yaml");
        let announcement = format!(">\"${{TMPDIR:-/tmp}}/{NOTICE}\" && sleep");
        assert!(deployment.contains(&announcement), "{announcement}");
        let server = include_str!("../../../app/pra/web/stopping.py");
        assert!(server.contains(&format!("gettempdir(), \"{NOTICE}\"")));
    }

    #[test]
    fn a_stop_is_announced_until_the_process_is_told() {
        let shared = testing::shared("announced");
        let tmp = paths::pods(&shared.workspace).join("pod/tmp");
        let cmd = Cmd::new("sleep").args(["60"]);
        let mut launch = Launch {
            cmd: cmd.env("TMPDIR", tmp.to_string_lossy()),
            scratch: vec![tmp.clone()],
        };
        let grace = Duration::from_secs(30);
        let mut process = Process::start(&shared.workspace, "pod", &launch, grace).unwrap();
        let notice = tmp.join(NOTICE);
        assert!(!notice.exists());
        process.ask();
        let announced = fs::read_to_string(&notice).unwrap();
        assert_eq!(announced, wait::DRAIN.as_secs().to_string());
        // A connection is still open, and then none.
        assert!(process.advance(1).is_none() && notice.exists());
        process.advance(0);
        assert!(process.told && !notice.exists());
        // Nothing is written into a folder that is not the pod's.
        launch.scratch.clear();
        assert!(super::notice(&launch).is_none());
        testing::remove(&shared);
    }

    #[test]
    fn a_program_whose_group_cannot_be_written_down_does_not_start() {
        let shared = testing::shared("unwritten");
        let path = shared.workspace.state().join("version");
        let log = File::create(shared.workspace.root.join("log")).unwrap();
        let cmd = announced("pod", &Cmd::new("echo").args(["started"]));
        let unwritable = Stdio::from(File::open(path).unwrap());
        let mut child = exec::spawn(&cmd, unwritable, &log, true).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(4));
        let said = fs::read_to_string(shared.workspace.root.join("log")).unwrap();
        assert!(!said.contains("started"), "{said}");
        testing::remove(&shared);
    }
}
