//! What somebody's programs are given on this machine: tools, a home and a configuration
//! that lead to the cluster of the marking. It keeps a mistake from another cluster; a
//! program that is told a path of the person's own, or asks Docker, gets there all the same.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::exec::{quote, quote_path};

/// The clusters of the workshops, as playbooks name them.
pub const WORKSHOPS: [&str; 2] = ["pra", "lab"];

/// The folders of a fence.
pub struct Fence {
    pub bin: PathBuf,
    pub home: PathBuf,
    pub kubeconfig: PathBuf,
}

impl Fence {
    pub fn at(folder: &Path) -> Self {
        Self {
            bin: folder.join("bin"),
            home: folder.join("home"),
            kubeconfig: folder.join("kubeconfig"),
        }
    }

    /// What is set for a program in it. `outside` is the environment of the person: where
    /// Docker is reached and Packer has its plugins stays as it is there.
    pub fn environment(
        &self,
        outside: impl Fn(&str) -> Option<String>,
    ) -> BTreeMap<String, String> {
        let path = outside("PATH").unwrap_or_default();
        let shown = |path: &Path| path.to_string_lossy().into_owned();
        let kubeconfig = shown(&self.kubeconfig);
        let mut all = BTreeMap::from(
            [
                ("PATH", format!("{}:{path}", self.bin.display())),
                ("K8S_AUTH_KUBECONFIG", kubeconfig.clone()),
                ("KUBECONFIG", kubeconfig),
                ("HOME", shown(&self.home)),
                ("XDG_CONFIG_HOME", shown(&self.home.join(".config"))),
                ("XDG_CACHE_HOME", shown(&self.home.join(".cache"))),
                ("XDG_DATA_HOME", shown(&self.home.join(".local/share"))),
            ]
            .map(|(name, value)| (name.to_owned(), value)),
        );
        let kept = [
            ("DOCKER_CONFIG", docker_config(&outside)),
            ("PACKER_PLUGIN_PATH", packer_plugins(&outside)),
        ];
        let kept = kept.into_iter().filter_map(|(name, at)| Some((name, at?)));
        all.extend(kept.map(|(name, at)| (name.to_owned(), shown(&at))));
        all
    }
}

fn docker_config(outside: impl Fn(&str) -> Option<String>) -> Option<PathBuf> {
    let usual = || Some(PathBuf::from(outside("HOME")?).join(".docker"));
    outside("DOCKER_CONFIG").map(PathBuf::from).or_else(usual)
}

/// Where Packer looks; `None` where that does not depend on the home.
fn packer_plugins(outside: impl Fn(&str) -> Option<String>) -> Option<PathBuf> {
    if outside("PACKER_PLUGIN_PATH").is_some() || outside("PACKER_CONFIG_DIR").is_some() {
        return None;
    }
    let home = PathBuf::from(outside("HOME")?);
    let old = home.join(".packer.d");
    let config = outside("XDG_CONFIG_HOME").map_or_else(|| home.join(".config"), PathBuf::from);
    let folder = if old.is_dir() {
        old
    } else {
        config.join("packer")
    };
    Some(folder.join("plugins"))
}

/// The contexts of the workshops' names, all leading to the one cluster.
pub fn with_aliases(mut config: Value, names: &[String]) -> Value {
    let context = config["contexts"][0]["context"].clone();
    if let Some(contexts) = config["contexts"].as_array_mut() {
        contexts.extend(
            names
                .iter()
                .map(|name| json!({"name": name, "context": context})),
        );
    }
    config
}

/// k3d for playbooks: whichever cluster they name, this one is meant; none is made,
/// stopped or deleted.
pub fn fenced_k3d(real: &Path, cluster: &str, kubeconfig: &Path) -> String {
    let (real, config) = (quote_path(real), quote_path(kubeconfig));
    let cluster = quote(cluster);
    // Each as the line of the one there is; that line itself comes last.
    let aliases = WORKSHOPS.map(|name| format!("-e 'h;s/^'{cluster}'/{name}/p;g'"));
    let aliases = aliases.join(" ");
    format!(
        r#"#!/bin/sh
# Made by cargo xtask check: whichever cluster is named, {cluster} is meant.
# Flags of all commands may come before the command.
asked="$*"
while :; do
    case "${{1:-}}" in
    --version | -h | --help) exec {real} "$1" ;;
    --timestamps | --trace | --verbose) shift ;;
    *) break ;;
    esac
done
case "${{1:-}} ${{2:-}}" in
"cluster list" | "cluster ls" | "cluster get")
    {real} cluster list {cluster} | sed {aliases} ;;
"cluster create" | "cluster start")
    echo "check: {cluster} is there already" ;;
"image import" | "image load" | "images import" | "images load")
    shift 2
    images=
    while [ $# -gt 0 ]; do
        case "$1" in
        -c | --cluster | -m | --mode) shift ;;
        -*) ;;
        *) images="$images $1" ;;
        esac
        [ $# -gt 0 ] && shift
    done
    exec {real} image import -c {cluster} $images ;;
"kubeconfig get") cat {config} ;;
"kubeconfig merge" | "kubeconfig write") echo {config} ;;
"version " | "help " | " ") exec {real} $1 ;;
*)
    echo "check: k3d $asked is not done in a marking" >&2
    exit 1 ;;
esac
"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exec::{Cmd, output};

    fn fenced(args: &[&str]) -> (bool, String) {
        let script = fenced_k3d(Path::new("echo"), "check-1", Path::new("/config"));
        let mut all = vec!["-c", script.as_str(), "k3d"];
        all.extend(args);
        let output = output(&Cmd::new("sh").args(all)).unwrap();
        (output.status.success(), output.stdout)
    }

    #[test]
    fn a_playbook_reaches_the_cluster_of_the_marking_and_no_other() {
        let import = ["image", "import", "pra/flask-sqlite:1.0", "-c", "pra"];
        let done = "image import -c check-1 pra/flask-sqlite:1.0\n";
        assert_eq!(fenced(&import), (true, done.to_owned()));
        let other = ["image", "import", "--cluster=lab", "a:1", "b:1"];
        assert_eq!(fenced(&other).1, "image import -c check-1 a:1 b:1\n");
        let verbose = ["--verbose", "--trace", "image", "import", "a:1"];
        assert_eq!(fenced(&verbose).1, "image import -c check-1 a:1\n");
        for refused in [
            "cluster delete pra",
            "cluster stop pra",
            "--verbose cluster delete pra",
            "--verbose=true cluster delete pra",
            "--timestamps --trace cluster rm pra",
            "cluster --verbose delete pra",
            "--a-new-flag cluster delete pra",
            "image --verbose import a:1 -c pra",
            "kubeconfig --all",
            "node delete k3d-pra-server-0",
            "nodes delete k3d-pra-server-0",
            "a-new-command --of k3d",
        ] {
            let words: Vec<&str> = refused.split(' ').collect();
            assert_eq!(fenced(&words), (false, String::new()), "{refused}");
        }
        assert!(fenced(&["cluster", "create", "pra"]).1.contains("already"));
        assert_eq!(fenced(&["version"]).1, "version\n");
    }

    #[test]
    fn the_cluster_is_listed_under_the_names_of_the_workshops_too() {
        let script = fenced_k3d(Path::new("fake"), "check-1", Path::new("/config"));
        let script = format!("fake() {{ echo 'check-1 1/1 0/0'; }}\n{script}");
        let listed = Cmd::new("sh").args(["-c", &script, "k3d", "cluster", "list"]);
        let listed = output(&listed).unwrap().stdout;
        assert_eq!(listed.lines().count(), 3, "{listed}");
        for name in ["check-1", "pra", "lab"] {
            assert!(
                listed.lines().any(|line| line.starts_with(name)),
                "{listed}"
            );
        }
    }

    #[test]
    fn the_contexts_of_the_workshops_lead_to_the_same_cluster() {
        let one = json!({"cluster": "k3d-check-1", "user": "admin"});
        let config = json!({"contexts": [{"name": "k3d-check-1", "context": one}]});
        let config = with_aliases(config, &["k3d-pra".to_owned()]);
        assert_eq!(config["contexts"][1]["name"], "k3d-pra");
        assert_eq!(config["contexts"][1]["context"], one);
    }

    #[test]
    fn a_program_inside_has_another_home_and_the_same_docker() {
        let fence = Fence::at(Path::new("/scratch"));
        let inside = |outside: &[(&str, &str)]| {
            let outside: BTreeMap<&str, &str> = outside.iter().copied().collect();
            fence.environment(|name| outside.get(name).map(|value| (*value).to_owned()))
        };
        let all = inside(&[("HOME", "/home/teacher"), ("PATH", "/bin")]);
        assert_eq!(all["HOME"], "/scratch/home");
        assert_eq!(all["KUBECONFIG"], "/scratch/kubeconfig");
        assert_eq!(all["PATH"], "/scratch/bin:/bin");
        assert_eq!(all["DOCKER_CONFIG"], "/home/teacher/.docker");
        let plugins = "/home/teacher/.config/packer/plugins";
        assert_eq!(all["PACKER_PLUGIN_PATH"], plugins);
        let all = inside(&[
            ("HOME", "/home/teacher"),
            ("DOCKER_CONFIG", "/etc/docker"),
            ("PACKER_PLUGIN_PATH", "/plugins"),
            ("XDG_CONFIG_HOME", "/home/teacher/config"),
        ]);
        assert_eq!(all["DOCKER_CONFIG"], "/etc/docker");
        // It is inherited as it is.
        assert!(!all.contains_key("PACKER_PLUGIN_PATH"));
        let led_home = |value: &&String| value.starts_with("/home/teacher");
        assert_eq!(all.values().filter(led_home).count(), 0, "{all:?}");
    }
}
