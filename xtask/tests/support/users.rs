//! The measuring client as a process of its own, while a test does something to the lab.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Stdio};

use serde_json::Value;

use super::{TestLab, await_some};

/// A ledger as long as this has some dozens of acknowledged writes.
const STEADY: u64 = 10_000;

pub struct Users {
    client: Child,
    ledger: PathBuf,
}

impl Users {
    /// They write steadily when this returns.
    pub fn come(lab: &TestLab, options: &[&str]) -> Self {
        let mut command = lab.command(&["measure", "--json"]);
        command.args(options).stdin(Stdio::piped());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let known = ledgers(lab);
        let client = command.spawn().unwrap();
        let ledger = await_some("users who write", || {
            let new = ledgers(lab).into_iter().find(|one| !known.contains(one))?;
            let length = fs::metadata(&new).ok()?.len();
            (length > STEADY).then_some(new)
        });
        Self { client, ledger }
    }

    /// What they have noted so far.
    pub fn ledger(&self) -> String {
        fs::read_to_string(&self.ledger).unwrap()
    }

    /// What they saw, once nothing is under way any more, and what else was said; it has to
    /// end with this exit code.
    pub fn leave(mut self, code: i32) -> (String, Value) {
        drop(self.client.stdin.take());
        let output = self.client.wait_with_output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{said}");
        let seen = serde_json::from_slice(&output.stdout);
        (
            said.clone(),
            seen.unwrap_or_else(|error| panic!("{error}: {said}")),
        )
    }
}

fn ledgers(lab: &TestLab) -> Vec<PathBuf> {
    let logs = fs::read_dir(lab.root.join(".lab/logs"));
    let names = logs.into_iter().flatten().flatten().map(|one| one.path());
    let ours = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("measure-")
    };
    names.filter(ours).collect()
}
