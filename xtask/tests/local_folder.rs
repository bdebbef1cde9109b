//! The folder of a lab that runs is moved, removed, replaced or copied, and the
//! program is built anew: what runs ends by itself or goes on, and nothing of
//! another lab is touched.

use crate::support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use support::programs;
use support::standin::*;
use support::{TestLab, await_some, said};

/// The supervisor of a lab and everything it runs, wherever its folder is.
struct Running(Vec<String>);

impl Running {
    fn of(lab: &TestLab) -> Self {
        let supervisor = supervisor(lab);
        let output = Command::new("ps").args(["-axo", "pid=,ppid="]).output();
        let text = String::from_utf8(output.unwrap().stdout).unwrap();
        let pairs = text.lines().map(|line| line.split_whitespace().collect());
        let pairs: Vec<Vec<&str>> = pairs.collect();
        let mut all = vec![supervisor];
        let mut seen = 0;
        while seen < all.len() {
            let parent = all[seen].clone();
            let children = pairs.iter().filter(|pair| pair[1] == parent);
            all.extend(children.map(|pair| pair[0].to_owned()));
            seen += 1;
        }
        assert!(all.len() > 2, "{all:?}");
        Self(all)
    }

    fn living(&self) -> Vec<&String> {
        let lives = |pid: &&String| {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat"));
            stat.is_ok_and(|stat| !stat.contains(") Z"))
        };
        self.0.iter().filter(lives).collect()
    }

    fn end_by_themselves(&self) {
        await_some("the processes of a folder that is gone to end", || {
            self.living().is_empty().then_some(())
        });
    }
}

/// The same lab in another folder.
fn at(lab: &TestLab, root: PathBuf) -> TestLab {
    lab.elsewhere(root)
}

fn beside(lab: &TestLab, name: &str) -> PathBuf {
    let folder = lab.root.with_extension(name);
    // Left by an earlier run that was killed.
    let _ = fs::remove_dir_all(&folder);
    folder
}

#[test]
fn a_lab_that_was_moved_ends_and_comes_back_where_it_is_now() {
    let lab = lab("moved");
    let port = up(&lab);
    let running = Running::of(&lab);
    fs::write(lab.root.join(".lab/volumes/pra-data/row"), "x").unwrap();
    let moved = at(&lab, beside(&lab, "moved"));
    fs::rename(&lab.root, &moved.root).unwrap();
    running.end_by_themselves();
    assert!(
        !lab.root.exists(),
        "somebody wrote where nothing is any more"
    );
    assert_eq!(up(&moved), port, "the port is kept");
    assert!(moved.root.join(".lab/volumes/pra-data/row").exists());
    done(&moved, &["teardown", "--yes"]);
    assert_eq!(moved.processes(), Vec::<String>::new());
}

#[test]
fn what_runs_ends_with_its_folder_and_the_next_lab_begins_anew() {
    let lab = lab("cleaned");
    // One that the lab found itself: no outgoing connection of this machine takes it.
    let port = up(&lab);
    // The port is stated: the next lab needs the very one of the last.
    lab.configure("port = 0", &format!("port = {port}"));
    let running = Running::of(&lab);
    // As `git clean -xdf` does.
    fs::remove_dir_all(lab.root.join(".lab")).unwrap();
    assert_eq!(up(&lab), port);
    running.end_by_themselves();
    assert!(request(port, "/").is_some(), "the new lab was hit as well");
}

#[test]
fn another_lab_in_the_same_place_is_not_touched() {
    let lab = lab("replaced");
    up(&lab);
    let running = Running::of(&lab);
    let moved = at(&lab, beside(&lab, "old"));
    fs::rename(&lab.root, &moved.root).unwrap();
    let copied = Command::new("cp")
        .arg("-R")
        .arg(&moved.root)
        .arg(&lab.root)
        .status();
    assert!(copied.unwrap().success());
    fs::remove_dir_all(lab.root.join(".lab")).unwrap();
    let port = up(&lab);
    let state = || {
        let folder = fs::read_dir(lab.root.join(".lab/state/pods")).unwrap();
        let mut names: Vec<_> = folder.map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    let before = state();
    running.end_by_themselves();
    assert_eq!(state(), before);
    assert!(lab.root.join(".lab/state/supervisor.sock").exists());
    assert!(request(port, "/").is_some());
    assert_eq!(ready(&lab).len(), 2);
}

#[test]
fn one_that_hangs_is_named_by_any_other_lab() {
    let lab = lab("hanging");
    up(&lab);
    let running = Running::of(&lab);
    let supervisor = supervisor(&lab);
    signal(&supervisor, "-STOP");
    fs::remove_dir_all(lab.root.join(".lab")).unwrap();
    let other = support::standin::lab("hanging-other");
    let text = said(&other.xtask(&["local", "stop"]));
    assert!(text.contains(&format!("kill {supervisor} ")), "{text}");
    assert!(text.contains(&*lab.root.to_string_lossy()), "{text}");

    signal(&supervisor, "-KILL");
    await_some("its end", || {
        (!running.living().contains(&&supervisor)).then_some(())
    });
    // Nobody watches over these any more.
    assert!(!running.living().is_empty());
    let text = said(&other.xtask(&["local", "stop"]));
    let groups = text
        .lines()
        .filter_map(|line| line.split_once("kill -9 -- -"));
    let groups: Vec<String> = groups
        .map(|(_, rest)| rest.chars().take_while(char::is_ascii_digit).collect())
        .filter(|group| running.0.contains(group))
        .collect();
    assert_eq!(groups.len(), 2, "{text}");
    for group in groups {
        let status = Command::new("kill")
            .args(["-9", "--", &format!("-{group}")])
            .status();
        assert!(status.unwrap().success());
    }
    running.end_by_themselves();
}

/// Builds are not held up by what runs.
fn replace(program: &Path) {
    fs::remove_file(program).unwrap();
    fs::write(program, "#!/bin/sh\necho another program >&2\nexit 9\n").unwrap();
}

#[test]
fn a_scenario_goes_on_when_its_program_is_built_anew() {
    let lab = TestLab::new("rebuilt");
    let program = lab.root.join("program");
    programs::copy_of_xtask(&program);
    lab.json(&["setup"]);
    let mut scenario = Command::new(&program);
    scenario.args(["scenario", "cluster-loss", "--json", "--yes"]);
    scenario.arg("--root").arg(&lab.root);
    let log = fs::File::create(lab.root.join("rebuilt.log")).unwrap();
    scenario.stdout(log.try_clone().unwrap()).stderr(log);
    let mut scenario = scenario.spawn().unwrap();
    await_some("the scenario to begin", || {
        let begun = lab.root.join(".lab/state/unfinished-scenario-local.json");
        begun.exists().then_some(())
    });
    replace(&program);
    let ended = scenario.wait().unwrap();
    let text = fs::read_to_string(lab.root.join("rebuilt.log")).unwrap();
    assert!(ended.success(), "{text}");
    lab.json(&["add", "after all"]);
}

#[test]
fn a_copy_of_a_running_lab_is_a_lab_of_its_own() {
    let lab = lab("copied");
    let port = up(&lab);
    let before = ready(&lab);
    let copy = at(&lab, beside(&lab, "copy"));
    let copied = Command::new("cp")
        .arg("-a")
        .arg(&lab.root)
        .arg(&copy.root)
        .status();
    assert!(copied.unwrap().success());
    assert_eq!(facts(&copy)["running"], false);
    done(&copy, &["local", "stop"]);
    let second = up(&copy);
    assert_ne!(second, port);
    done(&copy, &["teardown", "--yes"]);
    assert_eq!(ready(&lab), before);
    assert!(request(port, "/").is_some());
}
