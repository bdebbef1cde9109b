//! A lab of its own for each test: a copy of the project's declarations and
//! application in a folder under `target/`, a free port, and the Python
//! packages that `cargo xtask test` installed once.

// Each test file uses a part of this.
#![allow(dead_code)]

pub mod fake_ha;
pub mod fake_k3d;
pub mod fork;
pub mod guide;
pub mod programs;
pub mod standin;
pub mod users;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

pub struct TestLab {
    pub root: PathBuf,
    fake_tools: PathBuf,
}

pub fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

impl TestLab {
    /// A lab with the Python packages at hand.
    pub fn new(name: &str) -> Self {
        let lab = Self::bare(name);
        let venv = project().join(".lab/venv");
        assert!(
            venv.join("installed.txt").exists(),
            "the Python packages are missing: run `cargo xtask test`, or `cargo xtask setup` once"
        );
        fs::create_dir_all(lab.root.join(".lab")).unwrap();
        symlink(venv.canonicalize().unwrap(), lab.root.join(".lab/venv")).unwrap();
        lab.share_compiled(&venv);
        if let Ok(store) = project().join(".lab/venv-store").canonicalize() {
            symlink(store, lab.root.join(".lab/venv-store")).unwrap();
        }
        lab
    }

    /// What no test changes, Python and its packages, is compiled once for all labs. Python keeps
    /// that in `.lab/pycache`, in folders that are named as those of the sources.
    fn share_compiled(&self, venv: &Path) {
        let made = fs::read_to_string(venv.join("pyvenv.cfg")).unwrap();
        let mut lines = made.lines().filter_map(|line| line.split_once(" = "));
        let (_, bin) = lines.find(|(name, _)| *name == "home").unwrap();
        let shared = Path::new(env!("CARGO_TARGET_TMPDIR")).join("pycache");
        for (sources, name) in [
            (Path::new(bin).with_file_name("lib"), "lib"),
            (self.root.join(".lab/venv"), "venv"),
        ] {
            let there = shared.join(name);
            fs::create_dir_all(&there).unwrap();
            let compiled = self.root.join(".lab/pycache");
            let here = compiled.join(sources.strip_prefix("/").unwrap());
            fs::create_dir_all(here.parent().unwrap()).unwrap();
            symlink(there, here).unwrap();
        }
    }

    /// A fresh clone: no `.lab` at all.
    pub fn bare(name: &str) -> Self {
        let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let lab = Self {
            fake_tools: root.with_extension("tools"),
            root,
        };
        // Left by an earlier run that was killed.
        lab.remove();
        fs::create_dir_all(&lab.root).unwrap();
        fs::create_dir_all(&lab.fake_tools).unwrap();
        let declarations = [
            "k8s",
            "pra",
            "image",
            "ha",
            "monitoring",
            "ansible",
            "packer/flask",
            "packer/nginx",
        ];
        for folder in declarations.into_iter().chain(["app/pra"]) {
            copy_files(&project().join(folder), &lab.root.join(folder));
        }
        copy(
            &project().join("app/requirements.txt"),
            &lab.root.join("app/requirements.txt"),
        );
        copy(
            &project().join("app/requirements-store.txt"),
            &lab.root.join("app/requirements-store.txt"),
        );
        copy(&project().join("lab.toml"), &lab.root.join("lab.toml"));
        lab.configure("port = 8080", "port = 0");
        lab.configure("prometheus_port = 9090", "prometheus_port = 0");
        lab.configure("alertmanager_port = 9093", "alertmanager_port = 0");
        lab.configure("grafana_port = 3000", "grafana_port = 0");
        lab.configure("ha_grafana_port = 3001", "ha_grafana_port = 0");
        lab.configure("ha_prometheus_port = 9091", "ha_prometheus_port = 0");
        lab.configure("ha_alertmanager_port = 9094", "ha_alertmanager_port = 0");
        lab.configure("engine = \"auto\"", "engine = \"local\"");
        lab
    }

    /// A lab in another folder with the same tools; `root` is where it is, or will
    /// be.
    pub fn elsewhere(&self, root: PathBuf) -> Self {
        // A link: each lab removes its own when it ends.
        let fake_tools = root.with_added_extension("tools");
        let _ = fs::remove_file(&fake_tools);
        symlink(&self.fake_tools, &fake_tools).unwrap();
        Self { root, fake_tools }
    }

    /// Changes a line of the lab's `lab.toml`.
    pub fn configure(&self, from: &str, to: &str) {
        self.edit("lab.toml", from, to);
    }

    /// Changes a line of one of the lab's files.
    pub fn edit(&self, file: &str, from: &str, to: &str) {
        let path = self.root.join(file);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{file} has no {from:?}");
        fs::write(&path, text.replacen(from, to, 1)).unwrap();
    }

    /// Puts a script in front of the real tool of that name.
    pub fn fake_tool(&self, name: &str, script: &str) {
        programs::script(&self.fake_tools.join(name), script);
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
        let path = std::env::var("PATH").unwrap();
        command
            .args(args)
            // The variable counts outside of every checkout.
            .current_dir("/")
            .env("ATELIER_ROOT", &self.root)
            .env("LANGUAGE", "en")
            .env("PATH", format!("{}:{path}", self.fake_tools.display()))
            .stdin(Stdio::null());
        command
    }

    pub fn xtask(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// Runs a command that must succeed and returns its JSON document: one
    /// line, and nothing else on standard output.
    pub fn json(&self, args: &[&str]) -> Value {
        let output = self.command(args).arg("--json").output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{args:?}: {}", said(&output));
        let stdout = String::from_utf8(output.stdout).unwrap();
        assert_eq!(stdout.lines().count(), 1, "{stdout}");
        serde_json::from_str(&stdout).unwrap()
    }

    /// Runs a command that must fail with this exit code; returns what it said.
    pub fn fails(&self, code: i32, args: &[&str]) -> String {
        let output = self.xtask(args);
        let text = said(&output);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {text}");
        let says = |words: [&str; 2]| words.iter().any(|word| text.contains(word));
        assert!(says(["error:", "erreur :"]), "{text}");
        assert!(says(["next:", "ensuite :"]), "no next command in: {text}");
        text
    }

    pub fn spawn(&self, args: &[&str]) -> Child {
        let log = fs::File::create(self.root.join("spawned.log")).unwrap();
        let mut command = self.command(args);
        command.stdout(log.try_clone().unwrap()).stderr(log);
        command.spawn().unwrap()
    }

    /// An answer of the application, asked with a client that is not ours.
    pub fn curl(&self, path: &str) -> Value {
        let url = self.json(&["status"])["facts"]["url"]
            .as_str()
            .unwrap()
            .to_owned();
        let output = Command::new("curl")
            .args(["-sS", "--max-time", "10", &format!("{url}{path}")])
            .output()
            .unwrap();
        serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{path}: {error}: {}", said(&output)))
    }

    /// Processes that mention this lab's folder in their command line.
    pub fn processes(&self) -> Vec<String> {
        let output = Command::new("ps")
            .args(["-axww", "-o", "pid=,args="])
            .output()
            .unwrap();
        let root = self.root.canonicalize().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let ours = text
            .lines()
            .filter(|line| line.contains(&*root.to_string_lossy()));
        ours.map(str::to_owned).collect()
    }

    fn remove(&self) {
        if self.root.join(".lab/state").exists() {
            let _ = self.command(&["teardown", "--yes"]).output();
        }
        let _ = fs::remove_dir_all(&self.root);
        let _ = fs::remove_dir_all(&self.fake_tools);
    }
}

impl Drop for TestLab {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // Keep the evidence; end the processes.
            let _ = self.command(&["teardown", "--yes"]).output();
            return;
        }
        self.remove();
    }
}

/// Counts with a script that shares no code with the task runner, and holds
/// every figure of a run's result against it; returns that count.
pub fn agreed(lab: &TestLab, result: &Value) -> Value {
    let ledger = lab.root.join(result["run"].as_str().unwrap());
    let script = project().join("xtask/tests/independent_count.py");
    let mut python = Command::new("python3");
    python.arg(script).arg(ledger.join("ledger.jsonl"));
    python.arg(lab.root.join(".lab/volumes/pra-data/app.db"));
    // A moment of the result is rounded to a millisecond.
    let disaster = result["moments"][0]["at"].as_f64().unwrap() - 0.001;
    python.arg(disaster.to_string());
    let output = python.output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let count: Value = serde_json::from_slice(&output.stdout).unwrap();
    let (rpo, client, verified) = (&result["rpo"], &result["client"], &result["verified"]);
    assert_eq!(count["requests"], client["requests"]);
    assert_eq!(count["failed"], client["failed"]);
    assert_eq!(count["acknowledged"], rpo["acknowledged"]);
    // The ledger knows nothing of the rows from before.
    let from_before = rpo["lost_from_before"].as_u64().unwrap();
    let lost = rpo["lost"].as_u64().unwrap() - from_before;
    assert_eq!(count["lost"], lost, "{result}");
    if from_before == 0 {
        assert_eq!(count["lost_ids"], rpo["lost_ids"]);
    }
    assert_eq!(count["rows"], verified["rows"]);
    assert_eq!(count["unknown"], verified["phantom"]);
    assert_eq!(count["in_doubt"], verified["in_doubt"]);
    let changed = count["changed_ids"].as_array().unwrap().len();
    assert_eq!(verified["changed"], changed);
    let seconds = |value: &Value| value.as_f64().unwrap();
    let rounding = seconds(&count["resolution"]) - seconds(&client["resolution_seconds"]);
    assert!(rounding.abs() < 0.001, "{count} {client}");
    // The others have two disasters, or one that no failed request shows.
    let names = format!("{} {}", result["scenario"], result["gameday"]["faults"]);
    let others = ["pod-crash", "disk-full", "bad-delete"];
    let one = !others.into_iter().any(|other| names.contains(other));
    if one && result["rto"]["open"].is_null() {
        let rounding = seconds(&count["away"]) - seconds(&result["rto"]["seconds"]);
        assert!(rounding.abs() < 0.003, "{count} {}", result["rto"]);
    }
    count
}

pub fn said(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// Every message of the database, read past the application.
pub fn present(lab: &TestLab) -> BTreeSet<String> {
    const READ: &str = "import json, sqlite3, sys\n\
        with sqlite3.connect(f'file:{sys.argv[1]}?mode=ro', uri=True) as there:\n\
        \x20   rows = there.execute('SELECT message FROM events')\n\
        \x20   print(json.dumps([message for (message,) in rows]))";
    let database = lab.root.join(".lab/volumes/pra-data/app.db");
    let output = Command::new("python3")
        .args(["-c", READ])
        .arg(database)
        .output();
    let output = output.unwrap();
    assert!(output.status.success(), "{}", said(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Looks until `probe` has something: on a machine that has other things to do, for two minutes.
pub fn await_some<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = probe() {
            return found;
        }
        assert!(
            start.elapsed() < Duration::from_secs(120),
            "{what}: in vain"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Waits until all that was written by now is elsewhere, as the lab tells it.
pub fn copied(lab: &TestLab) {
    let written = Instant::now();
    await_some("what was written to be elsewhere", || {
        // Before it is asked: what an answer takes must not count for the copies.
        let since = written.elapsed().as_secs_f64();
        let told = lab.json(&["status"])["application"]["offsite"].clone();
        let lag = told["lag_seconds"].as_f64()?;
        (lag < since && told["failing"] == false).then_some(())
    });
}

/// Waits until a log has these words.
pub fn await_said(log: &Path, words: &str) {
    await_in(log, words, |said| said.contains(words));
}

/// Waits until a log is as it should be. Who writes it may take as long as the machine needs,
/// which other work can make minutes, as long as it says something now and then.
pub fn await_in(log: &Path, what: &str, found: impl Fn(&str) -> bool) {
    let (mut length, mut since) = (0, Instant::now());
    loop {
        let said = fs::read_to_string(log).unwrap();
        if found(&said) {
            return;
        }
        if said.len() > length {
            (length, since) = (said.len(), Instant::now());
        }
        let silent = since.elapsed() > Duration::from_secs(120);
        assert!(
            !silent,
            "{what}: in vain, and it says nothing more:\n{said}"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to.parent().unwrap()).unwrap();
    fs::copy(from, to).unwrap_or_else(|error| panic!("{}: {error}", from.display()));
}

fn copy_files(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type().unwrap().is_file() {
            copy(&from, &to);
        } else if entry.file_name() != "__pycache__" {
            copy_files(&from, &to);
        }
    }
}
