//! The local engine, with a copy of what is handed in as its checkout: the volumes are
//! folders, and everything else is asked of `cargo xtask` itself.

use std::fs::{self, File, FileTimes};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use serde_json::Value;
use terms::tr;

use super::fault::of_the_work;
use super::lab::{Lab, Listed, Listing, Wish};
use crate::exec::{Cmd, Exec, quote_path};
use crate::failure::{Failure, Kind};
use crate::marking::facts::{Choice, JobEnd};
use crate::marking::repository::layout::{Layout, mounts};
use crate::names::{BACKUP_CLAIM, DATA_CLAIM};
use crate::ui::Ui;
use crate::wait;

const COMMAND: Duration = Duration::from_secs(360);
const HIDDEN: &str = ".app.db.hidden";
const SQLITE: &[u8; 15] = b"SQLite format 3";

/// A lab of its own; it is removed when this value is dropped.
pub struct LocalLab {
    exec: Exec,
    ui: Ui,
    root: PathBuf,
    layout: Layout,
    url: String,
}

impl LocalLab {
    /// Brings the lab of that copy up.
    pub fn up(exec: &Exec, ui: &Ui, root: &Path, layout: Layout) -> Result<Self> {
        let mut lab = Self {
            exec: exec.clone(),
            ui: ui.clone(),
            root: root.to_path_buf(),
            layout,
            url: String::new(),
        };
        lab.set_up()?;
        lab.url = lab.facts()?["url"].as_str().unwrap_or_default().to_owned();
        Ok(lab)
    }

    /// What this machine lacks is told by the exit code.
    fn set_up(&self) -> Result<()> {
        let output = self.exec.probe(&self.cmd(&["setup"])?)?;
        let said = output.stderr.trim().to_owned();
        match output.status.code() {
            Some(0) => Ok(()),
            Some(code) if code == Kind::Preflight as i32 => Err(Failure::preflight(said).into()),
            _ => {
                wait::check_interrupt()?;
                Err(of_the_work(Failure::tool(said).into()))
            }
        }
    }

    fn cmd(&self, args: &[&str]) -> Result<Cmd> {
        let fixed = ["--engine", "local", "--json", "--yes", "--root"];
        let cmd = Cmd::ourselves()?.args(args).args(fixed);
        Ok(cmd.args([self.root.to_string_lossy()]).limit(COMMAND))
    }

    fn ask(&self, args: &[&str]) -> Result<Value> {
        let said = self.exec.read(&self.cmd(args)?)?;
        let line = said.lines().last().unwrap_or("null");
        serde_json::from_str(line).context("reading what our own command said")
    }

    fn facts(&self) -> Result<Value> {
        self.ask(&["local", "facts"])
    }

    fn volume(&self, claim: &str) -> PathBuf {
        self.root.join(".lab/volumes").join(claim)
    }

    fn job(&self, args: &[&str]) -> Result<JobEnd> {
        let start = Instant::now();
        let output = self.exec.probe(&self.cmd(args)?)?;
        let said = format!("{}\n{}", output.stdout.trim(), output.stderr.trim());
        let succeeded = output.status.success();
        // What was refused before it ran says so itself.
        let ran = succeeded || said.contains("job ");
        Ok(JobEnd {
            ran,
            succeeded,
            failed_once: ran && !succeeded,
            said: said.chars().take(400).collect(),
            seconds: start.elapsed().as_secs_f64(),
        })
    }

    fn wait_until_ready(&self) -> Result<()> {
        wait::until(wait::APP_READY, || {
            let facts = self.facts()?;
            let pods = facts["pods"].as_array().into_iter().flatten();
            let ready = pods.filter(|pod| pod["ready"] == true).count();
            Ok((Some(ready as u64) == facts["wanted"].as_u64()).then_some(()))
        })
    }
}

impl Drop for LocalLab {
    fn drop(&mut self) {
        // Also after ctrl-C, which would end this at once; its error is on its way.
        wait::begin_anew();
        let removed = self.cmd(&["teardown"]).and_then(|cmd| self.exec.read(&cmd));
        if let Err(error) = removed {
            let root = quote_path(&self.root);
            self.ui.warn(&tr!(
                "the lab of the marking was not removed: {error:#}; try: cargo xtask teardown \
                 --engine local --root {root}",
                "le lab de la notation n'a pas été retiré : {error:#} ; essayez : cargo xtask \
                 teardown --engine local --root {root}"
            ));
        }
    }
}

/// Whether it begins as every database of SQLite does.
fn is_database(file: &Path) -> bool {
    let mut head = [0; SQLITE.len()];
    let read = File::open(file).and_then(|mut file| file.read_exact(&mut head));
    read.is_ok() && head == *SQLITE
}

fn epoch(time: SystemTime) -> f64 {
    let since = time.duration_since(UNIX_EPOCH);
    since.unwrap_or_default().as_secs_f64()
}

impl Lab for LocalLab {
    fn place(&self) -> String {
        tr!(
            "local engine: processes of this machine, with a copy of the checkout",
            "moteur local : des processus de cette machine, avec une copie du dépôt"
        )
    }

    fn beyond(&self) -> Vec<(&'static str, String)> {
        let reason = tr!(
            "the local engine replaces finished jobs by itself; on k3d this is tried",
            "le moteur local remplace de lui-même les jobs terminés ; sur k3d, c'est essayé"
        );
        vec![("restore-twice", reason)]
    }

    fn url(&mut self) -> Result<String> {
        Ok(self.url.clone())
    }

    fn schedule(&self) -> Result<String> {
        let facts = self.facts()?;
        Ok(facts["schedule"].as_str().unwrap_or_default().to_owned())
    }

    fn scheduled_at(&self, _had_by: f64) -> Result<Option<f64>> {
        Ok(None)
    }

    fn suspend(&self, suspend: bool) -> Result<()> {
        let verb = if suspend { "suspend" } else { "resume" };
        self.ask(&["local", verb]).map(drop)
    }

    fn mounts_backup(&self) -> Result<bool> {
        let mut deployments = self.layout.of_kind("Deployment");
        Ok(deployments.any(|one| mounts(&one.value, BACKUP_CLAIM)))
    }

    fn copies_plainly(&self) -> bool {
        false
    }

    fn backups(&self) -> Result<Listing> {
        let folder = self.volume(BACKUP_CLAIM);
        let mut files = Vec::new();
        for entry in fs::read_dir(&folder).context("listing the backup volume")? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            // One that is gone since was not kept.
            let Ok(meta) = entry.metadata() else { continue };
            let shown = name.ends_with(".db") && !name.starts_with('.');
            if shown && meta.is_file() && is_database(&entry.path()) {
                let modified = epoch(meta.modified()?);
                files.push(Listed { name, modified });
            }
        }
        let now = epoch(SystemTime::now());
        Ok(Listing { files, now })
    }

    fn fetch_backup(&self, name: &str, into: &Path) -> Result<()> {
        let from = self.volume(BACKUP_CLAIM).join(name);
        fs::copy(&from, into).with_context(|| format!("copying {}", from.display()))?;
        Ok(())
    }

    fn fetch_database(&self, into: &Path) -> Result<PathBuf> {
        let link = self.volume(DATA_CLAIM).join("app.db");
        let database = link.canonicalize().context("finding the database")?;
        for suffix in ["", "-wal", "-journal"] {
            let part = PathBuf::from(format!("{}{suffix}", database.display()));
            let copy = into.join(format!("app.db{suffix}"));
            if part.exists() {
                fs::copy(&part, &copy).context("copying the database")?;
            }
        }
        Ok(into.join("app.db"))
    }

    fn set_modified(&self, name: &str, at: f64) -> Result<()> {
        let path = self.volume(BACKUP_CLAIM).join(name);
        let time = UNIX_EPOCH + Duration::from_secs_f64(at);
        let file = File::options().write(true).open(&path);
        file.and_then(|file| file.set_times(FileTimes::new().set_modified(time)))
            .with_context(|| format!("dating {}", path.display()))
    }

    fn run_backup(&self) -> Result<JobEnd> {
        self.job(&["local", "job", "backup"])
    }

    fn kill_pod(&self) -> Result<()> {
        let facts = self.facts()?;
        let pod = facts["pods"][0]["name"].as_str().unwrap_or_default();
        let pod = pod.to_owned();
        self.ask(&["local", "kill", &pod, "--force"]).map(drop)
    }

    fn hide_database(&self) -> Result<()> {
        self.ask(&["local", "scale", "0"])?;
        let volume = self.volume(DATA_CLAIM);
        fs::rename(volume.join("app.db"), volume.join(HIDDEN)).context("hiding the database")
    }

    fn show_database(&self) -> Result<()> {
        let volume = self.volume(DATA_CLAIM);
        if volume.join(HIDDEN).exists() || volume.join(HIDDEN).is_symlink() {
            fs::rename(volume.join(HIDDEN), volume.join("app.db"))
                .context("putting the database back")?;
        }
        self.recreate()
    }

    fn lose_data(&self) -> Result<()> {
        self.ask(&["local", "scale", "0"])?;
        self.ask(&["local", "delete-jobs"])?;
        self.ask(&["local", "delete-volume", DATA_CLAIM])?;
        Ok(())
    }

    fn recreate(&self) -> Result<()> {
        self.ask(&["local", "apply"])?;
        self.wait_until_ready()
    }

    fn restore(&self, wish: &Wish) -> Result<JobEnd> {
        let point = match wish {
            Wish::Point(point) => point,
            Wish::Latest | Wish::Again => "latest",
        };
        let env = format!("PRA_RESTORE_POINT={point}");
        self.job(&["local", "job", "restore", "--env", &env])
    }

    fn choice(&self) -> Choice {
        use crate::marking::repository::points;
        points::choice(&self.layout, &points::restore_jobs(&self.layout)).0
    }

    fn procedure(&self) -> Option<String> {
        None
    }

    fn spellings(&self, point: &str) -> Vec<String> {
        vec![point.to_owned()]
    }
}

/// The settings of a lab beside others: a port of its own.
pub fn settings(lab_toml: &str) -> Result<String> {
    let mut settings: toml::Table = lab_toml.parse().context("reading lab.toml of the copy")?;
    let service = settings
        .entry("service")
        .or_insert(toml::Table::new().into());
    let service = service
        .as_table_mut()
        .context("lab.toml has no table service")?;
    service.insert("port".to_owned(), 0.into());
    settings.insert("engine".to_owned(), "local".into());
    toml::to_string(&settings).context("writing lab.toml of the copy")
}

/// Refuses where what is handed in has no declarations that the engine could read.
pub fn insist_on_our_layout(root: &Path) -> Result<()> {
    let parts = ["lab.toml", "k8s", "pra", "app/pra"];
    let missing = parts.into_iter().find(|part| !root.join(part).exists());
    let Some(missing) = missing else {
        return Ok(());
    };
    Err(Failure::preflight(tr!(
        "the local engine runs what has our own layout alone ({missing} is not there); a fork of \
         the original workshop needs k3d",
        "le moteur local ne fait tourner que notre propre disposition ({missing} est absent) ; un \
         fork de l'atelier d'origine a besoin de k3d"
    ))
    .next("cargo xtask check --engine k3d DIR")
    .into())
}
