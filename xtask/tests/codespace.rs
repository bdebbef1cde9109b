//! The dev container: what it pins, and its hooks, as far as a machine without GitHub can
//! run them. `.devcontainer/test.sh` has what needs root, the network and minutes.

use crate::support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use support::programs;
use support::{TestLab, await_some, project, said};

const HOOKS: [(&str, &str); 4] = [
    ("onCreateCommand", "on-create.sh"),
    ("updateContentCommand", "update-content.sh"),
    ("postCreateCommand", "post-create.sh"),
    ("postStartCommand", "start.sh"),
];

fn text(file: &str) -> String {
    fs::read_to_string(project().join(file)).unwrap()
}

fn container() -> Value {
    serde_json::from_str(&text(".devcontainer/devcontainer.json")).unwrap()
}

fn lab_toml() -> toml::Table {
    text("lab.toml").parse().unwrap()
}

/// Whether a version names one release: three numbers.
fn is_exact(version: &str) -> bool {
    let parts: Vec<&str> = version.split('.').collect();
    parts.len() == 3 && parts.iter().all(|part| part.parse::<u32>().is_ok())
}

#[test]
fn the_image_and_its_features_are_pinned_exactly() {
    let container = container();
    let image = container["image"].as_str().unwrap();
    let version = image.rsplit(':').next().unwrap();
    assert!(is_exact(version.split('-').next().unwrap()), "{image}");
    let features = container["features"].as_object().unwrap();
    let mut named = Vec::new();
    for feature in features.keys() {
        let (name, version) = feature.rsplit_once(':').unwrap();
        assert!(is_exact(version), "{feature}");
        named.push(name.rsplit('/').next().unwrap());
    }
    named.sort_unstable();
    assert_eq!(named, ["docker-in-docker", "python", "rust"]);
    let of = |name: &str| {
        let mut all = features.iter();
        let found = all.find(|(feature, _)| feature.contains(&format!("/{name}:")));
        found.unwrap().1
    };
    let toolchain: toml::Table = text("rust-toolchain.toml").parse().unwrap();
    let toolchain = &toolchain["toolchain"];
    assert_eq!(
        of("rust")["version"].as_str(),
        toolchain["channel"].as_str()
    );
    let components = of("rust")["components"].as_str().unwrap();
    for wanted in toolchain["components"].as_array().unwrap() {
        assert!(
            components.contains(wanted.as_str().unwrap()),
            "{components}"
        );
    }
    assert!(is_exact(
        of("docker-in-docker")["version"].as_str().unwrap()
    ));
}

#[test]
fn its_ports_are_those_of_the_labs_and_each_has_a_label() {
    let container = container();
    let forwarded = container["forwardPorts"].as_array().unwrap();
    let forwarded: Vec<i64> = forwarded.iter().filter_map(Value::as_i64).collect();
    let lab = lab_toml();
    let port = |table: &str, key: &str| lab[table][key].as_integer().unwrap();
    let stated = [
        port("service", "port"),
        port("image_lab", "mario_port"),
        port("image_lab", "nginx_port"),
    ];
    assert_eq!(forwarded, stated);
    let attributes = container["portsAttributes"].as_object().unwrap();
    assert_eq!(attributes.len(), stated.len());
    for port in stated {
        let label = &attributes[&port.to_string()]["label"];
        assert!(
            label.as_str().is_some_and(|label| label.len() > 3),
            "{port}"
        );
    }
}

#[test]
fn what_it_opens_is_there() {
    let container = container();
    let opened = container["customizations"]["codespaces"]["openFiles"].as_array();
    for file in opened.unwrap() {
        assert!(project().join(file.as_str().unwrap()).is_file(), "{file}");
    }
}

#[test]
fn each_hook_is_a_script_of_its_own_that_bash_can_read() {
    let container = container();
    for (hook, script) in HOOKS {
        assert_eq!(container[hook], format!("bash .devcontainer/{script}"));
    }
    let mut read = 0;
    for entry in fs::read_dir(project().join(".devcontainer")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "sh") {
            continue;
        }
        let output = Command::new("bash").arg("-n").arg(&path).output().unwrap();
        assert!(
            output.status.success(),
            "{}: {}",
            path.display(),
            said(&output)
        );
        read += 1;
    }
    assert_eq!(read, HOOKS.len() + ["create", "lib", "test"].len());
}

/// A folder beside a lab, for what is not one.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn git(folder: &Path, args: &[&str]) {
    let name = ["-c", "user.name=a", "-c", "user.email=a@example"];
    let mut git = Command::new("git");
    git.args(name).args(["-c", "init.defaultBranch=main"]);
    let output = git.args(args).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{args:?}: {}", said(&output));
}

/// Git for Windows writes CRLF unless it is told not to, which no bash can read.
#[test]
fn a_clone_that_would_write_crlf_has_scripts_that_bash_can_read() {
    let folder = folder("codespace-crlf");
    let from = folder.join("from");
    copy_hooks(&from);
    fs::copy(
        project().join(".gitattributes"),
        from.join(".gitattributes"),
    )
    .unwrap();
    git(&from, &["init", "-q"]);
    git(&from, &["add", "-A"]);
    git(&from, &["commit", "-qm", "the hooks"]);
    let clone = |to: &str| {
        let args = ["clone", "-q", "-c", "core.autocrlf=true", "from", to];
        git(&folder, &args);
        fs::read_to_string(folder.join(to).join(".devcontainer/create.sh")).unwrap()
    };
    assert!(!clone("kept").contains('\r'));
    // What keeps it so is this file.
    git(&from, &["rm", "-q", ".gitattributes"]);
    git(&from, &["commit", "-qm", "without it"]);
    assert!(clone("spoilt").contains('\r'));
    fs::remove_dir_all(folder).unwrap();
}

fn copy_hooks(to: &Path) {
    let hooks = to.join(".devcontainer");
    fs::create_dir_all(&hooks).unwrap();
    for entry in fs::read_dir(project().join(".devcontainer")).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), hooks.join(entry.file_name())).unwrap();
    }
}

/// A lab with the hooks, whose cargo writes down what it was asked, and then does `act`.
fn with_cargo(name: &str, act: &str) -> TestLab {
    let lab = TestLab::bare(name);
    copy_hooks(&lab.root);
    let asked = lab.root.join("asked");
    lab.fake_tool(
        "cargo",
        &format!("echo \"$*\" >> '{}'\n{act}", asked.display()),
    );
    lab
}

fn asked(lab: &TestLab) -> String {
    fs::read_to_string(lab.root.join("asked")).unwrap_or_default()
}

/// A hook in the lab, with the lab's own tools in front.
fn hook(lab: &TestLab, script: &str, set: &[(&str, &str)]) -> Command {
    let mut command = Command::new("bash");
    command.arg(format!(".devcontainer/{script}"));
    command.current_dir(&lab.root);
    for (name, value) in lab.command(&[]).get_envs() {
        command.env(name, value.unwrap());
    }
    command.envs(set.iter().copied());
    command
}

fn run(lab: &TestLab, script: &str, set: &[(&str, &str)]) -> (Option<i32>, String) {
    let output: Output = hook(lab, script, set).output().unwrap();
    (output.status.code(), said(&output))
}

#[test]
fn a_docker_that_comes_up_late_is_waited_for() {
    let lab = with_cargo("codespace-late", "");
    let up = lab.root.join("up");
    lab.fake_tool("docker", &format!("test -e '{}'", up.display()));
    let log = lab.root.join("hook.log");
    let mut hook = hook(&lab, "post-create.sh", &[]);
    hook.stderr(fs::File::create(&log).unwrap());
    let mut child = hook.spawn().unwrap();
    await_some("the hook to wait", || {
        let said = fs::read_to_string(&log).unwrap();
        said.contains("Docker is still starting").then_some(())
    });
    assert_eq!(asked(&lab), "", "nothing is set up before Docker answers");
    fs::write(&up, "").unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(asked(&lab), "xtask setup --yes\n");
}

#[test]
fn a_docker_that_never_comes_up_is_an_error_with_both_ways_on() {
    let lab = with_cargo("codespace-never", "");
    lab.fake_tool("docker", "exit 1");
    let (code, text) = run(&lab, "post-create.sh", &[("DOCKER_LIMIT", "0")]);
    assert_eq!(code, Some(3), "{text}");
    assert!(text.contains("--engine local"), "{text}");
    assert_eq!(asked(&lab), "", "no other engine is chosen in silence");
    let french = [("DOCKER_LIMIT", "0"), ("LANGUAGE", "fr:en")];
    let (_, text) = run(&lab, "post-create.sh", &french);
    assert!(text.contains("Docker n'a pas répondu"), "{text}");
    // A lab that needs no Docker comes back all the same.
    let (code, text) = run(&lab, "start.sh", &[("DOCKER_LIMIT", "0")]);
    assert_eq!(code, Some(0), "{text}");
    assert_eq!(asked(&lab), "xtask setup --existing --yes\n");
}

/// A prebuild has done what does not change with who uses it.
#[test]
fn what_needs_no_lab_is_done_before_there_is_one() {
    let lab = with_cargo("codespace-update", "");
    lab.fake_tool("docker", "exit 1");
    let (code, text) = run(&lab, "update-content.sh", &[("DOCKER_LIMIT", "0")]);
    assert_eq!(code, Some(0), "{text}");
    let asked = asked(&lab);
    let words: Vec<&str> = asked.lines().collect();
    let built = "build --locked --package xtask --package report";
    assert_eq!(words, [built, "xtask preflight --download"]);
}

#[test]
fn without_network_a_hook_fails_and_says_what_to_do() {
    let lab = with_cargo("codespace-offline", "exit 101");
    let (code, text) = run(&lab, "update-content.sh", &[]);
    assert_eq!(code, Some(101), "{text}");
    let next = "reaches the network (and its proxy), then run again:\n  \
                bash .devcontainer/update-content.sh";
    assert!(text.contains(next), "{text}");
    assert_eq!(asked(&lab).lines().count(), 1, "nothing follows it");

    // No cargo, and nowhere to have it from.
    let bin = lab.root.join("bin");
    fs::create_dir(&bin).unwrap();
    for tool in ["git", "cc", "python3", "ps", "rustup"] {
        programs::script(&bin.join(tool), "");
    }
    programs::script(&bin.join("curl"), "exit 6");
    let path = format!("{}:/usr/bin:/bin", bin.display());
    let home = lab.root.display().to_string();
    let set = [("PATH", &*path), ("HOME", &*home), ("LANGUAGE", "fr")];
    let (code, text) = run(&lab, "on-create.sh", &set);
    assert_eq!(code, Some(6), "{text}");
    assert!(text.contains("téléchargement de rustup : échec"), "{text}");
}

/// A lab whose supervisor was ended with the Codespace comes back with its rows, and one
/// that was torn down does not.
#[test]
fn a_lab_that_was_stopped_with_its_codespace_comes_back() {
    let lab = TestLab::new("codespace-start");
    copy_hooks(&lab.root);
    let xtask = env!("CARGO_BIN_EXE_xtask");
    lab.fake_tool("cargo", &format!("shift; exec '{xtask}' \"$@\""));
    lab.fake_tool("docker", "exit 1");
    let set = [("DOCKER_LIMIT", "0")];
    let (code, text) = run(&lab, "start.sh", &set);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("There is no lab to bring back"), "{text}");
    assert!(!lab.root.join(".lab/volumes").exists(), "{text}");

    lab.json(&["add", "before the stop"]);
    let before = lab.json(&["status"])["facts"]["url"].clone();
    for process in lab.processes() {
        let pid = process.split_whitespace().next().unwrap();
        let _ = Command::new("kill").args(["-9", pid]).output().unwrap();
    }
    await_some("everything to end", || {
        lab.processes().is_empty().then_some(())
    });
    let (code, text) = run(&lab, "start.sh", &set);
    assert_eq!(code, Some(0), "{text}");
    let status = lab.json(&["status"]);
    assert_eq!(status["facts"]["url"], before);
    assert_eq!(status["application"]["count"], 1);
    let again = lab.json(&["setup", "--existing"]);
    assert_eq!(again.as_array().unwrap().len(), 1, "{again}");
    assert_eq!(again[0]["engine"], "local");

    lab.json(&["teardown", "--yes"]);
    let (code, text) = run(&lab, "start.sh", &set);
    assert_eq!(code, Some(0), "{text}");
    assert!(!lab.root.join(".lab/volumes").exists(), "{text}");
}
