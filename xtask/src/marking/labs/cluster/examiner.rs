//! A pod of ours that mounts both volumes and does nothing by itself: what is on them is
//! looked at from there, whatever the application says. And the way to the service.

use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use terms::tr;

use super::site::{ASKED, ClusterLab, Forward};
use crate::exec::{Cmd, Piped, Process};
use crate::marking::labs::fault::of_the_work;
use crate::marking::labs::lab::{Listed, Listing};
use crate::marking::repository::layout::pod_spec;
use crate::names::{BACKUP_CLAIM, DATA_CLAIM};
use crate::wait;

const POD: &str = "check-examiner";
/// Small, and with all that is needed: sh, stat, tar, touch.
const IMAGE: &str = "busybox";
/// No database of a marking is larger; what is beyond is cut, and unsound.
const LARGEST: &str = "268435456";
const HIDDEN: &str = ".hidden-by-check";

/// Regular files that begin as every database of SQLite does.
const LIST: &str = r#"cd /backup && date +%s && for f in *; do
[ -f "$f" ] && [ ! -L "$f" ] && [ "$(head -c 15 "./$f" | tr -d '\0')" = "SQLite format 3" ] &&
printf '%s %s\n' "$(stat -c %Y "./$f")" "$f"; done; true"#;

impl ClusterLab {
    /// The pod runs, on the node of the volumes.
    pub(super) fn examine(&self) -> Result<()> {
        let volume =
            |claim: &str| json!({"name": claim, "persistentVolumeClaim": {"claimName": claim}});
        let mount = |claim: &str, path: &str| json!({"name": claim, "mountPath": path});
        let pod = json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": POD, "labels": {"app": POD}},
            "spec": {
                "terminationGracePeriodSeconds": 0,
                "automountServiceAccountToken": false,
                "containers": [{
                    "name": "examiner",
                    "image": IMAGE,
                    "imagePullPolicy": "IfNotPresent",
                    "command": ["sleep", "86400"],
                    "volumeMounts": [mount(DATA_CLAIM, "/data"), mount(BACKUP_CLAIM, "/backup")],
                }],
                "volumes": [volume(DATA_CLAIM), volume(BACKUP_CLAIM)],
            },
        });
        let apply = self.cmd(["apply", "-f", "-"]).input(pod.to_string());
        self.ctx.exec.read(&apply)?;
        let limit = format!("--timeout={}s", wait::HELPER_READY.as_secs());
        let object = format!("pod/{POD}");
        let wait = self.cmd(["wait", "--for=condition=Ready", &object, &limit]);
        let ready = self.ctx.exec.read(&wait.limit(wait::HELPER_READY + ASKED));
        let Err(error) = ready else { return Ok(()) };
        wait::check_interrupt()?;
        let error = error.context(tr!(
            "the volumes {DATA_CLAIM} and {BACKUP_CLAIM} cannot be looked at",
            "les volumes {DATA_CLAIM} et {BACKUP_CLAIM} ne peuvent pas être examinés"
        ));
        // With both claims there, it is our own pod that does not run.
        let claims = self.probe(["get", "persistentvolumeclaims", DATA_CLAIM, BACKUP_CLAIM])?;
        match claims.stderr.contains("NotFound") {
            true => Err(of_the_work(error)),
            false => Err(error),
        }
    }

    pub(super) fn end_examiner(&self) -> Result<()> {
        let delete = ["delete", "pod", POD, "--ignore-not-found", "--wait=true"];
        self.ctx
            .exec
            .read(&self.cmd(delete).limit(wait::DELETION))?;
        Ok(())
    }

    fn at_volumes<S: AsRef<str>>(&self, command: impl IntoIterator<Item = S>) -> Cmd {
        self.cmd(["exec", POD, "--"]).args(command)
    }

    /// Runs a command beside the volumes.
    pub(super) fn at_the_volumes(&self, command: &[&str]) -> Result<String> {
        self.ctx.exec.read(&self.at_volumes(command))
    }

    pub(super) fn list_backups(&self) -> Result<Listing> {
        Ok(listing(&self.at_the_volumes(&["sh", "-c", LIST])?))
    }

    pub(super) fn fetch_file(&self, path: &str, into: &Path) -> Result<()> {
        File::create(into).context("making a file for a copy")?;
        let file = Piped::Into(into.to_path_buf());
        let cmd = self.at_volumes(["head", "-c", LARGEST, path]).file(file);
        let output = self.ctx.exec.stream(&cmd.limit(wait::COPY))?;
        let output = output.context("a dry run fetches nothing")?;
        let said = output.stderr.trim();
        ensure!(
            output.status.success(),
            "{path} could not be fetched: {said}"
        );
        Ok(())
    }

    /// The whole data volume: the database, its journal, and where a link leads.
    pub(super) fn fetch_data(&self, into: &Path) -> Result<PathBuf> {
        let archive = into.join("data.tar");
        let script = format!("tar -C /data -cf - . | head -c {LARGEST}");
        File::create(&archive).context("making a file for a copy")?;
        let file = Piped::Into(archive.clone());
        let cmd = self.at_volumes(["sh", "-c", &script]).file(file);
        self.ctx.exec.stream(&cmd.limit(wait::COPY))?;
        let folder = into.join("data");
        std::fs::create_dir_all(&folder).context("unpacking the data volume")?;
        let (archive, to) = (archive.to_string_lossy(), folder.to_string_lossy());
        let unpack = [
            "-x",
            "-f",
            &archive,
            "-C",
            &to,
            "--no-same-owner",
            "--no-same-permissions",
        ];
        self.ctx.exec.read(&Cmd::new("tar").args(unpack))?;
        let database = folder.join(self.database()?);
        let real = database.canonicalize().context("finding the database")?;
        let inside = folder.canonicalize()?;
        ensure!(
            real.starts_with(&inside),
            "the database is a link out of its volume"
        );
        Ok(real)
    }

    /// Where on the data volume the application has its database.
    fn database(&self) -> Result<String> {
        let application = self.application()?;
        let containers = pod_spec(&application)["containers"].as_array();
        let variables = containers
            .into_iter()
            .flatten()
            .flat_map(|one| one["env"].as_array().into_iter().flatten());
        let named = variables.filter_map(|one| one["value"].as_str()?.strip_prefix("/data/"));
        let named = named
            .filter(|path| !path.contains(".."))
            .find(|path| path.ends_with(".db"));
        Ok(named.unwrap_or("app.db").to_owned())
    }

    pub(super) fn hide(&self) -> Result<()> {
        let database = self.database()?;
        let (from, to) = (format!("/data/{database}"), format!("/data/{HIDDEN}"));
        self.at_the_volumes(&["mv", &from, &to]).map(drop)
    }

    pub(super) fn show(&self) -> Result<()> {
        let database = self.database()?;
        // What the backup itself put there is no database of the application.
        let script = format!("rm -f '/data/{database}'; mv /data/{HIDDEN} '/data/{database}'");
        self.at_the_volumes(&["sh", "-c", &script]).map(drop)
    }

    /// `kubectl port-forward` to the service, on a free port.
    pub(super) fn forward_to(&self) -> Result<Forward> {
        let (service, port) = self.service()?;
        let free = TcpListener::bind("127.0.0.1:0").context("finding a free port")?;
        let host = free.local_addr()?.port();
        drop(free);
        let (service, ports) = (format!("service/{service}"), format!("{host}:{port}"));
        let cmd = self.cmd(["port-forward", &service, &ports]);
        let log = self.scratch.join("forward.log");
        let log = File::options().create(true).append(true).open(log)?;
        let process = Process::start(&cmd, &log)?;
        let url = format!("http://127.0.0.1:{host}");
        wait::until(wait::FORWARD_UP, || {
            Ok(crate::http::responds(&url).then_some(()))
        })?;
        Ok(Forward {
            port: host,
            _process: process,
        })
    }
}

/// What [`LIST`] prints: the clock, then a line a file.
fn listing(said: &str) -> Listing {
    let mut lines = said.lines();
    let now = lines.next().and_then(|line| line.trim().parse().ok());
    let file = |line: &str| {
        let (modified, name) = line.split_once(' ')?;
        let unfinished = [".tmp", ".part", ".partial"];
        let odd = name.contains('/') || name.contains(char::is_control);
        let is_backup = !odd && !unfinished.iter().any(|end| name.ends_with(end));
        let modified = modified.parse().ok()?;
        let name = name.to_owned();
        is_backup.then_some(Listed { name, modified })
    };
    Listing {
        now: now.unwrap_or_default(),
        files: lines.filter_map(file).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_volume_is_listed_with_its_own_clock_and_databases_alone() {
        let folder = std::env::temp_dir().join(format!("xtask-list-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(folder.join("dir.db")).unwrap();
        let database = "SQLite format 3\0 and pages";
        for (name, text) in [
            ("app-1.db", database),
            ("-n app 2.db", database),
            ("app-3.db.tmp", database),
            ("app-4.db", "no database"),
            ("app-1.db.sha256", "0123  app-1.db"),
            ("empty.db", ""),
        ] {
            crate::workspace::write_file(&folder.join(name), text).unwrap();
        }
        std::os::unix::fs::symlink("app-1.db", folder.join("latest.db")).unwrap();
        let script = LIST.replace("/backup", &folder.to_string_lossy());
        let said = crate::exec::output(&Cmd::new("sh").args(["-c", &script])).unwrap();
        std::fs::remove_dir_all(&folder).unwrap();
        let listing = listing(&said.stdout);
        assert!(listing.now > 1_700_000_000.0);
        let mut names: Vec<String> = listing.files.into_iter().map(|file| file.name).collect();
        names.sort();
        assert_eq!(names, ["-n app 2.db", "app-1.db"], "{said:?}");
    }
}
