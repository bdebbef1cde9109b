//! Prometheus beside the replicas, where a person asked for it: kept running, and told which
//! ports the replicas have.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use crate::exec::Cmd;
use crate::facts::monitoring::{Part, Watched};
use crate::workspace::{Workspace, write_file};

use super::desired::Wanted;
use super::kept::Kept;
use super::launch::Launch;
use super::paths;
use super::shared::Shared;
use super::volumes;

/// The name of its pod, as of the program.
pub const NAME: &str = "prometheus";
/// For what it has seen and not written yet.
const GRACE: Duration = Duration::from_secs(10);

pub struct Watching {
    wanted: Wanted,
    prometheus: Kept,
    /// The replicas' ports as they were told last.
    told: Option<String>,
}

impl Watching {
    pub fn begin(wanted: &Wanted, shared: &Shared, replicas: &[(String, u16)]) -> Self {
        let told = tell(None, shared, replicas);
        let launch = Launch {
            cmd: command(&shared.workspace, wanted),
            scratch: Vec::new(),
        };
        Self {
            wanted: wanted.clone(),
            prometheus: Kept::begin(NAME, launch, GRACE, shared),
            told,
        }
    }

    pub fn wanted(&self) -> &Wanted {
        &self.wanted
    }

    pub fn is_gone(&self) -> bool {
        self.prometheus.is_gone()
    }

    pub fn facts(&self) -> Watched {
        Watched {
            parts: vec![Part {
                name: NAME.to_owned(),
                ready: self.prometheus.is_running(),
                trouble: self.prometheus.trouble(),
            }],
            prometheus: Some(format!("http://127.0.0.1:{}", self.wanted.port)),
            alertmanager: None,
            grafana: None,
        }
    }

    /// Has it read its files anew.
    pub fn reload(&self) {
        self.prometheus.reload();
    }

    pub fn stop(&mut self) {
        self.prometheus.stop();
    }

    /// Does what is due.
    pub fn advance(&mut self, shared: &Shared, replicas: &[(String, u16)]) {
        self.told = tell(self.told.take(), shared, replicas);
        self.prometheus.advance(shared);
    }
}

/// Writes down whom it asks, which it notices by itself; returns what was written last.
fn tell(told: Option<String>, shared: &Shared, replicas: &[(String, u16)]) -> Option<String> {
    let targets = targets(replicas);
    if told.as_ref() == Some(&targets) || !shared.place.holds() {
        return told;
    }
    match write_file(&targets_file(&shared.workspace), &targets) {
        Ok(()) => Some(targets),
        Err(error) => {
            // It asks those of before meanwhile, which are down where they are gone.
            shared.note(&format!("{error:#}"));
            told
        }
    }
}

/// Each replica by itself, under a name that is never used twice.
fn targets(replicas: &[(String, u16)]) -> String {
    let target = |(pod, port): &(String, u16)| json!({"targets": [format!("127.0.0.1:{port}")], "labels": {"pod": pod}});
    let all: Vec<Value> = replicas.iter().map(target).collect();
    Value::from(all).to_string() + "\n"
}

fn command(workspace: &Workspace, wanted: &Wanted) -> Cmd {
    let folder = paths::monitoring(workspace);
    Cmd::new(&wanted.program).cwd(&folder).args([
        format!("--config.file={}", config_file(workspace).display()),
        format!("--storage.tsdb.path={}", folder.join("data").display()),
        "--storage.tsdb.retention.time=2d".to_owned(),
        "--storage.tsdb.retention.size=512MB".to_owned(),
        format!("--web.listen-address=127.0.0.1:{}", wanted.port),
    ])
}

fn targets_file(workspace: &Workspace) -> PathBuf {
    paths::monitoring(workspace).join("replicas.json")
}

/// Of the figures of past runs.
fn runs_file(workspace: &Workspace) -> PathBuf {
    paths::monitoring(workspace).join("runs.yaml")
}

fn config_file(workspace: &Workspace) -> PathBuf {
    paths::monitoring(workspace).join("prometheus.yml")
}

/// Writes its configuration: that of `monitoring/`, with the replicas of this machine.
pub fn configure(workspace: &Workspace) -> Result<()> {
    let declared = workspace.root.join("monitoring");
    let path = declared.join("config/prometheus.yml");
    let read = || Ok(serde_norway::from_str(&fs::read_to_string(&path)?)?);
    let read: Result<Value> = read();
    let read = read.with_context(|| format!("reading {}", path.display()))?;
    let rules = [declared.join("rules/rules.yaml"), runs_file(workspace)];
    let config = configuration(read, &rules, &targets_file(workspace));
    let folder = paths::monitoring(workspace);
    workspace.insist_on_own_folder(&folder.join("data"))?;
    fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    let text = serde_norway::to_string(&config).context("spelling out a configuration")?;
    write_file(&config_file(workspace), &text)
}

/// Writes the rules of past runs, which it reads once it is told to.
pub fn tell_runs(workspace: &Workspace, rules: &str) -> Result<()> {
    write_file(&runs_file(workspace), rules)
}

/// Removes all that it was told and has seen.
pub fn remove(workspace: &Workspace) -> Result<()> {
    let folder = paths::monitoring(workspace);
    workspace.insist_on_own_folder(&folder)?;
    match folder.symlink_metadata() {
        Ok(_) => volumes::remove_tree(&folder),
        Err(_) => Ok(()),
    }
}

/// How often it asks and evaluates stays as declared; there is no Alertmanager, and no cluster
/// whose objects could be told of.
fn configuration(mut declared: Value, rules: &[PathBuf], targets: &Path) -> Value {
    declared["rule_files"] = json!(rules);
    declared["scrape_configs"] = json!([
        {"job_name": "flask", "file_sd_configs": [{"files": [targets]}]},
    ]);
    if let Some(all) = declared.as_object_mut() {
        all.remove("alerting");
    }
    declared
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_replica_is_asked_by_itself() {
        let replicas = [("flask-1".to_owned(), 4001), ("flask-2".to_owned(), 4002)];
        let told: Value = serde_json::from_str(&targets(&replicas)).unwrap();
        assert_eq!(told[1]["targets"][0], "127.0.0.1:4002");
        assert_eq!(told[1]["labels"]["pod"], "flask-2");
        assert_eq!(targets(&[]), "[]\n");
    }

    #[test]
    fn the_pace_is_that_of_the_cluster_and_nothing_of_a_cluster_is_asked() {
        let declared = include_str!("../../../monitoring/config/prometheus.yml");
        let declared: Value = serde_norway::from_str(declared).unwrap();
        let rules = ["/lab/monitoring/rules/rules.yaml", "/lab/runs.yaml"].map(PathBuf::from);
        let config = configuration(declared.clone(), &rules, Path::new("/lab/replicas.json"));
        assert_eq!(config["global"], declared["global"]);
        assert!(config["global"]["scrape_interval"].is_string());
        assert_eq!(config["rule_files"], json!(rules));
        let text = config.to_string();
        for gone in ["alertmanager", "kube-state-metrics", "dns_sd"] {
            assert!(!text.contains(gone), "{text}");
        }
        assert_eq!(config["scrape_configs"][0]["job_name"], "flask");
    }
}
