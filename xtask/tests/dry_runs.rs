//! Dry runs: standard output is shell and nothing else, and no word beside it says
//! that anything was done.

use crate::support;

use std::net::TcpListener;
use std::process::Command;

use support::{TestLab, said};

#[test]
fn standard_output_can_be_pasted_and_nothing_is_called_done() {
    let lab = TestLab::new("dry-runs");
    lab.json(&["add", "kept"]);
    lab.json(&["backup"]);
    let copy = lab.root.join("copy.tar").display().to_string();
    lab.json(&["export", &copy]);
    for words in [
        &["setup"][..],
        &["restore", "latest"],
        &["undo"],
        &["backup"],
        &["prune"],
        &["reset"],
        &["tour"],
        &["adopt", &copy],
        &["scenario", "cluster-loss"],
        &["drill", "--protection", "snapshot,journal"],
        &["teardown"],
    ] {
        let output = lab.xtask(&[words, &["--dry-run"]].concat());
        let text = said(&output);
        assert!(output.status.success(), "{words:?}: {text}");
        let shell = String::from_utf8(output.stdout).unwrap();
        let read = Command::new("sh").args(["-nc", &shell]).output().unwrap();
        assert!(read.status.success(), "{words:?}: {}", said(&read));
        let commands = ["cargo xtask ", "cd ", "(umask 077 && cd ", "rm -r", "# "];
        let first = shell.lines().next().unwrap_or("# none");
        assert!(
            commands.iter().any(|begin| first.starts_with(begin)),
            "{words:?}: {shell}"
        );
        // What ends a step: its outcome, and how long that took.
        let remarks = String::from_utf8(output.stderr).unwrap();
        let outcomes = remarks.lines().filter(|line| line.ends_with(" s)"));
        for outcome in outcomes {
            let true_of_it = outcome.contains(": shown (") || outcome.contains("check of ");
            assert!(true_of_it, "{words:?}: {outcome}");
        }
    }
    assert_eq!(lab.curl("/count")["count"], 1);
}

/// The rows that are there at first come back, and what is written after the delete is
/// kept: the pasted shell finds both by itself.
#[test]
fn a_pasted_bad_delete_loses_no_row() {
    let lab = TestLab::new("dry-delete");
    lab.json(&["add", "kept"]);
    // The delete is to be the largest transaction.
    lab.json(&["add", "kept too"]);
    let output = lab.xtask(&["scenario", "4", "--dry-run"]);
    assert!(output.status.success(), "{}", said(&output));
    let shell = String::from_utf8(output.stdout).unwrap();
    let xtask = concat!("'", env!("CARGO_BIN_EXE_xtask"), "'");
    let late = format!("{xtask} add 'written later'\nTARGET=");
    let shell = shell.replacen("TARGET=", &late, 1);
    let shell = shell.replace("cargo xtask", xtask);
    let mut pasted = Command::new("sh");
    pasted.args(["-exc", &shell]).env("ATELIER_ROOT", &lab.root);
    let output = pasted.current_dir(&lab.root).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    lab.json(&["setup"]);
    assert_eq!(lab.curl("/count")["count"], 3);
    assert_eq!(lab.json(&["status"])["facts"]["suspended"], false);
}

#[test]
fn what_is_missing_of_the_machine_is_no_shell() {
    let lab = TestLab::bare("dry-preflight");
    let taken = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = taken.local_addr().unwrap().port();
    lab.configure("port = 0", &format!("port = {port}"));
    let output = lab.xtask(&["setup", "--dry-run"]);
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "");
    let table = String::from_utf8(output.stderr).unwrap();
    assert!(table.contains("FAILED"), "{table}");
}
