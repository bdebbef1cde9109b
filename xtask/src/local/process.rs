//! The processes of a pod. Each pod runs in a process group of its own, and
//! its standard input is a lock file whose lock is held through that very
//! open file: as long as the lock is held, some process of the pod lives. The
//! file holds the group's number, written by the group itself before the
//! program starts, so whoever finds the lock held knows whom to end, and
//! nobody else is ever hit.

use std::fs::{self, File, TryLockError::WouldBlock};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};
use std::sync::mpsc::Sender;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::sys::signal::Signal;

use crate::exec::{self, Cmd};
use crate::failure::Failure;
use crate::lab::Lab;
use crate::wait;

use super::event::Event;
use super::launch::Launch;
use super::paths;

/// Between looks whether a killed group is gone.
const LOOK: Duration = Duration::from_millis(2);

/// A pod's process while it lives.
#[derive(Debug)]
pub struct Process {
    pub run: u64,
    pub started: Instant,
    /// The number of its first process and of its group.
    group: u32,
    /// Nobody is signalled unless it is held: the number may be another's.
    lock: Held,
    grace: Duration,
    /// Since when it has been asked to end.
    asked: Option<Instant>,
    told: Told,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd)]
enum Told {
    Nothing,
    Term,
    Kill,
}

impl Process {
    /// Starts a pod's program; [`Event::Exited`] tells of its end.
    pub fn start(
        lab: &Lab,
        pod: &str,
        run: u64,
        launch: &Launch,
        grace: Duration,
        events: &Sender<Event>,
    ) -> Result<Self> {
        let log = prepare(lab, pod, launch)?;
        let path = paths::pods(lab).join(format!("{pod}.lock"));
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
        let (held, watched) = (Held::open(&path)?, Held::open(&path)?);
        let cmd = announced(pod, &launch.cmd);
        let child = exec::spawn(&cmd, Stdio::from(lock), &log, true)?;
        let group = child.id();
        let events = events.clone();
        thread::spawn(move || {
            let event = attend(child, run, &watched);
            // Nobody listens any more once the supervisor is ending.
            let _ = events.send(event);
        });
        Ok(Self {
            run,
            started: Instant::now(),
            group,
            lock: held,
            grace,
            asked: None,
            told: Told::Nothing,
        })
    }

    /// Begins a graceful end. The grace period runs from now, also while the
    /// connections drain, as it does in Kubernetes.
    pub fn ask(&mut self) {
        self.asked.get_or_insert_with(Instant::now);
    }

    pub fn asked(&self) -> bool {
        self.asked.is_some()
    }

    /// Ends it without warning.
    pub fn kill(&mut self) {
        self.ask();
        self.told = Told::Kill;
        if self.lock.by_somebody() {
            exec::signal_group(self.group, Signal::SIGKILL);
        }
    }

    /// Carries a graceful end on; `busy` are the connections it still serves.
    /// Returns when to look again.
    pub fn advance(&mut self, busy: usize) -> Option<Instant> {
        let asked = self.asked?;
        let waited = asked.elapsed();
        if waited >= self.grace && self.told < Told::Kill {
            self.kill();
        }
        let drained = busy == 0 || waited >= wait::DRAIN;
        if drained && self.told < Told::Term {
            self.told = Told::Term;
            // To the first process alone, as a container's end begins: it
            // knows how to end its children.
            if self.lock.by_somebody() {
                exec::signal_process(self.group, Signal::SIGTERM);
            }
        }
        match self.told {
            Told::Nothing => Some(Instant::now() + wait::DRAIN_LOOK),
            Told::Term => Some(asked + self.grace),
            Told::Kill => None,
        }
    }
}

fn prepare(lab: &Lab, pod: &str, launch: &Launch) -> Result<File> {
    for dir in launch
        .scratch
        .iter()
        .chain([&paths::pods(lab), &paths::pod_logs(lab)])
    {
        fs::create_dir_all(dir).with_context(|| format!("creating {}", dir.display()))?;
    }
    let path = paths::pod_log(lab, pod);
    // Appending, so that the log may be cut while it is written.
    File::options()
        .create(true)
        .append(true)
        .open(&path)
        .with_context(|| format!("opening {}", path.display()))
}

/// The same program, after it has written its group into the lock file.
fn announced(pod: &str, cmd: &Cmd) -> Cmd {
    let mut announced = cmd.clone();
    announced.program = "/bin/sh".to_owned();
    announced.args = vec![
        "-c".to_owned(),
        r#"echo $$ >&0; exec "$@""#.to_owned(),
        pod.to_owned(),
    ];
    announced.args.push(cmd.program.clone());
    announced.args.extend(cmd.args.iter().cloned());
    announced
}

/// Waits for a pod's first process, then ends what it left behind, as the end
/// of a container does.
fn attend(mut child: Child, run: u64, lock: &Held) -> Event {
    let group = child.id();
    let status = child.wait();
    while lock.by_somebody() {
        exec::signal_group(group, Signal::SIGKILL);
        thread::sleep(LOOK);
    }
    Event::Exited {
        run,
        code: status.as_ref().ok().and_then(exit_code),
        how: status.map_or_else(|error| error.to_string(), |status| status.to_string()),
    }
}

/// As a container's end reports it.
fn exit_code(status: &ExitStatus) -> Option<i32> {
    status.code().or(status.signal().map(|signal| 128 + signal))
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
        match self.0.try_lock_shared() {
            // To be let go of at once, or the pod could not be started again.
            Ok(()) => self.0.unlock().is_err(),
            Err(error) => matches!(error, WouldBlock),
        }
    }
}

/// Whether somebody holds the lock of this file.
pub fn is_held(lock: &Path) -> bool {
    // A shared lock, so that two who look do not see each other.
    File::open(lock).is_ok_and(|file| matches!(file.try_lock_shared(), Err(WouldBlock)))
}

/// Removes what a pod leaves behind, except its log.
pub fn clean(lab: &Lab, pod: &str) {
    let pods = paths::pods(lab);
    // Neither need exist, and the next start sweeps what stays.
    let _ = fs::remove_file(pods.join(format!("{pod}.lock")));
    let _ = fs::remove_dir_all(pods.join(pod));
}

/// Pods whose processes live; where no supervisor does, they are left-over.
pub fn living(lab: &Lab) -> Vec<String> {
    let locks = locks(lab).unwrap_or_default();
    let held = locks.into_iter().filter(|(_, lock)| is_held(lock));
    held.map(|(pod, _)| pod).collect()
}

/// Every pod that has a lock file, and that file.
fn locks(lab: &Lab) -> Result<Vec<(String, PathBuf)>> {
    let dir = paths::pods(lab);
    let entries = fs::read_dir(&dir).with_context(|| format!("reading {}", dir.display()))?;
    let mut found = Vec::new();
    for entry in entries {
        let path = entry
            .with_context(|| format!("reading {}", dir.display()))?
            .path();
        found.extend(pod_of(&path).map(|pod| (pod, path)));
    }
    Ok(found)
}

/// Ends every process that an earlier supervisor left behind, and waits until
/// all are gone; says how many pods that were.
pub fn end_orphans(lab: &Lab) -> Result<usize> {
    let dir = paths::pods(lab);
    fs::create_dir_all(&dir).with_context(|| format!("creating {}", dir.display()))?;
    let mut orphans = 0;
    for (pod, path) in locks(lab)? {
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
            Failure::timeout(format!("processes of pod {pod} do not end")).next(format!(
                "find them and end them: fuser -v {}",
                path.display()
            )),
        )?;
        clean(lab, &pod);
    }
    Ok(orphans)
}

fn pod_of(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?;
    Some(name.strip_suffix(".lock")?.to_owned())
}
