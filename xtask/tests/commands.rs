//! The commands as a person types them, and the machines they type them on.

use crate::support;

use std::fs;
use std::net::TcpListener;
use std::process::Command;

use support::TestLab;

#[test]
fn a_second_setup_does_nothing_and_teardown_leaves_nothing() {
    let lab = TestLab::new("setup");
    let first = lab.json(&["setup"]);
    let pods = lab.json(&["status"])["facts"]["pods"].clone();
    let second = lab.json(&["setup"]);
    assert_eq!(first["url"], second["url"]);
    assert_eq!(pods, lab.json(&["status"])["facts"]["pods"]);
    assert!(
        !lab.processes().is_empty(),
        "the check below must be able to fail"
    );

    lab.edit("k8s/20-deployment.yaml", "replicas: 2", "replicas: 3");
    lab.json(&["setup"]);
    assert_eq!(
        lab.json(&["status"])["facts"]["wanted"],
        3,
        "a changed manifest is applied"
    );

    lab.fails(2, &["teardown"]);
    assert!(!lab.processes().is_empty(), "teardown acted without a yes");
    lab.json(&["teardown", "--yes"]);
    assert_eq!(lab.processes(), Vec::<String>::new());
    assert!(!lab.root.join(".lab/volumes").exists());
    assert_eq!(lab.json(&["status"])["facts"]["running"], false);
    lab.json(&["teardown", "--yes"]);
}

#[test]
fn a_lab_that_lost_both_volumes_says_the_way_out() {
    let lab = TestLab::new("both");
    lab.json(&["setup"]);
    for claim in ["pra-data", "pra-backup"] {
        fs::remove_dir_all(lab.root.join(".lab/volumes").join(claim)).unwrap();
    }
    // The application answers all the same, and says what is not there.
    let status = lab.json(&["status"]);
    assert_eq!(status["trouble"], serde_json::Value::Null, "{status}");
    let notices = status["application"]["notices"].to_string();
    for claim in ["pra-data", "pra-backup"] {
        let absent = format!("({claim} is no folder)");
        assert!(notices.contains(&absent), "{notices}");
    }
    lab.json(&["setup"]);
    let said = support::said(&lab.xtask(&["status"]));
    assert!(
        said.contains("cargo xtask teardown && cargo xtask setup"),
        "{said}"
    );
    lab.json(&["teardown", "--yes"]);
    lab.json(&["add", "a new beginning"]);
}

#[test]
fn a_lost_backup_volume_is_replaced_on_demand_and_no_row_is_lost() {
    let lab = TestLab::new("new-volume");
    lab.json(&["add", "kept"]);
    fs::remove_dir_all(lab.root.join(".lab/volumes/pra-backup")).unwrap();
    let said = lab.fails(4, &["add", "refused"]);
    assert!(said.contains("cargo xtask backup --new-volume"), "{said}");
    let taken = lab.json(&["backup", "--new-volume"]);
    assert_eq!(taken["point"]["rows"], 1);
    lab.json(&["add", "journaled again"]);
    fs::remove_dir_all(lab.root.join(".lab/volumes/pra-data")).unwrap();
    lab.json(&["restore", "latest"]);
    assert_eq!(lab.curl("/consultation")[0]["message"], "journaled again");
    assert_eq!(lab.curl("/count")["count"], 2);
}

#[test]
fn two_commands_at_once_take_turns() {
    let lab = TestLab::new("turns");
    lab.json(&["setup"]);
    let children: Vec<_> = (0..3)
        .map(|n| {
            let mut command = lab.command(&["backup", "--json"]);
            command.stdout(fs::File::create(lab.root.join(format!("out-{n}"))).unwrap());
            command.spawn().unwrap()
        })
        .collect();
    let mut names = Vec::new();
    for (n, mut child) in children.into_iter().enumerate() {
        assert_eq!(child.wait().unwrap().code(), Some(0));
        let text = fs::read_to_string(lab.root.join(format!("out-{n}"))).unwrap();
        let document: serde_json::Value = serde_json::from_str(&text).unwrap();
        names.push(document["point"]["name"].as_str().unwrap().to_owned());
    }
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 3, "three backups are three points: {names:?}");
}

#[test]
fn a_restore_waits_for_the_job_that_an_interrupted_one_left_running() {
    let lab = TestLab::new("left-running");
    lab.json(&["add", "kept"]);
    lab.json(&["backup"]);
    lab.edit(
        "pra/50-job-restore.yaml",
        "command: [python, -m, pra, restore, --json]",
        "command: [sh, -c, 'sleep 2; exec python -m pra restore --json']",
    );
    let mut first = lab.spawn(&["restore", "latest"]);
    support::await_some("the job to begin", || {
        let jobs = lab.json(&["status"])["facts"]["jobs"].to_string();
        jobs.contains("\"running\"").then_some(())
    });
    first.kill().unwrap();
    first.wait().unwrap();
    assert_eq!(lab.json(&["restore", "latest"])["restore"]["rows"], 1);
}

#[test]
fn a_lab_whose_state_is_damaged_can_be_torn_down() {
    let lab = TestLab::new("damaged");
    lab.json(&["setup"]);
    lab.json(&["local", "stop"]);
    fs::write(lab.root.join(".lab/state/supervisor.json"), "garbage").unwrap();
    let said = lab.fails(4, &["status"]);
    assert!(said.contains("supervisor.json"), "{said}");
    lab.json(&["teardown", "--yes"]);
    assert!(!lab.root.join(".lab/volumes").exists());
    lab.json(&["setup"]);

    // Nobody can ask this one any more.
    fs::remove_file(lab.root.join(".lab/state/supervisor.sock")).unwrap();
    let said = lab.fails(5, &["status"]);
    assert!(said.contains("cargo xtask local stop"), "{said}");
    lab.json(&["local", "stop"]);
    lab.json(&["setup"]);
}

#[test]
fn ctrl_c_ends_a_question() {
    let lab = TestLab::new("question");
    lab.json(&["setup"]);
    let python = "import os, pty, sys\n\
                  pid, terminal = pty.fork()\n\
                  if pid == 0: os.execv(sys.argv[1], sys.argv[1:])\n\
                  said = b''\n\
                  while b'[y/N]' not in said: said += os.read(terminal, 1000)\n\
                  os.write(terminal, bytes([3]))\n\
                  sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))";
    let teardown = lab.command(&["teardown"]);
    let mut asked = Command::new("timeout");
    asked.args(["20", "python3", "-c", python]);
    asked.arg(teardown.get_program()).args(teardown.get_args());
    asked.arg("--root").arg(&lab.root);
    assert_eq!(asked.status().unwrap().code(), Some(130));
    assert_eq!(lab.json(&["status"])["facts"]["running"], true);
}

#[test]
fn what_the_application_refuses_is_wrong_use() {
    let lab = TestLab::new("refused");
    let said = lab.fails(2, &["add", ""]);
    assert!(said.contains("empty"), "{said}");
    let said = support::said(&lab.xtask(&["add", "fine"]));
    assert!(said.contains("Added as row 1 at 2"), "{said}");
}

#[test]
fn a_dry_run_can_be_pasted_whatever_the_folder_is_called() {
    let lab = TestLab::bare("dry été d'ici");
    let output = lab.xtask(&["setup", "--dry-run"]);
    let shell = String::from_utf8(output.stdout).unwrap();
    let copies = shell.lines().find(|line| line.starts_with("cp ")).unwrap();
    let folder = "'\\''ici/app/requirements.txt' '";
    assert!(copies.contains(folder), "{copies}");
}

#[test]
fn a_folder_that_cannot_be_written_is_told_with_a_next_step() {
    let lab = TestLab::bare("unwritable");
    // Also root cannot make a folder below a file.
    fs::write(lab.root.join(".lab"), "").unwrap();
    let said = lab.fails(3, &["setup"]);
    assert!(said.contains("cannot be written"), "{said}");
}

#[test]
fn a_dry_run_shows_what_would_be_done_and_does_nothing() {
    let lab = TestLab::bare("dry");
    let output = lab.xtask(&["setup", "--dry-run"]);
    let text = support::said(&output);
    assert!(output.status.success(), "{text}");
    assert!(text.contains("-m venv"), "{text}");
    assert!(
        !lab.root.join(".lab").exists(),
        "a dry run changed something"
    );
}

/// With `--json` standard output is one document, come what may.
#[test]
fn a_dry_run_and_a_failure_have_their_document_too() {
    let lab = TestLab::new("documents");
    let shown = lab.json(&["setup", "--dry-run"]);
    let shell = shown["dry_run"].as_array().unwrap();
    assert!(
        shell
            .iter()
            .any(|line| line.as_str().unwrap().contains("local apply")),
        "{shown}"
    );

    let output = lab.xtask(&["--json", "restore", "app-.db"]);
    assert_eq!(output.status.code(), Some(2));
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["exit_code"], 2);
    assert_eq!(document["next"], "cargo xtask restore --list");
}

#[test]
fn output_that_does_not_arrive_is_an_error_but_a_reader_that_leaves_is_none() {
    let lab = TestLab::new("output");
    let full = fs::File::options().write(true).open("/dev/full");
    if let Ok(full) = full {
        let status = lab.command(&["status"]).stdout(full).status().unwrap();
        assert_eq!(status.code(), Some(4));
    }
    let mut child = lab.command(&["completions", "zsh"]);
    let mut child = child.stdout(std::process::Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_wrong_configuration_is_told_with_its_line() {
    let lab = TestLab::bare("configuration");
    lab.configure("rate = 60", "rate = 60\nspeed = 1");
    let said = lab.fails(2, &["setup"]);
    assert!(
        said.contains("lab.toml, line") && said.contains("speed"),
        "{said}"
    );
    assert!(!lab.root.join(".lab").exists());
}

/// Every Python of the machine says this of itself.
fn only_python(lab: &TestLab, facts: &str) {
    let newer = (10..=30).map(|minor| format!("python3.{minor}"));
    for name in newer.chain(["python3".to_owned()]) {
        lab.fake_tool(&name, &format!("echo '{facts}'"));
    }
}

#[test]
fn a_machine_that_is_not_ready_is_told_all_at_once_before_anything_changes() {
    let lab = TestLab::bare("preflight");
    let taken = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = taken.local_addr().unwrap().port();
    lab.configure("port = 0", &format!("port = {port}"));
    only_python(&lab, "{\"version\": [3, 8, 1], \"venv\": true}");
    lab.fake_tool("df", "echo Filesystem; echo /dev/x 1000 990 10 99% /");
    let said = lab.fails(3, &["setup"]);
    let holder = format!("port {port} is in use");
    for trouble in ["3.8.1", &holder, "0 MiB free"] {
        assert!(said.contains(trouble), "{trouble} is not in: {said}");
    }
    assert!(!lab.root.join(".lab/venv").exists());

    only_python(&lab, "{\"version\": [3, 12, 1], \"venv\": false}");
    let said = lab.fails(3, &["preflight"]);
    assert!(said.contains("virtual environments"), "{said}");
}

#[test]
fn packages_that_cannot_be_fetched_are_told_and_nothing_half_installed_is_used() {
    let lab = TestLab::bare("offline");
    let mut command = lab.command(&["setup"]);
    // Nobody listens there.
    command
        .env("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
        .env("PIP_NO_CACHE_DIR", "1");
    command.env("PIP_RETRIES", "0");
    let output = command.output().unwrap();
    let text = support::said(&output);
    assert_eq!(output.status.code(), Some(3), "{text}");
    assert!(text.contains("no network"), "{text}");
    assert!(!lab.root.join(".lab/venv/installed.txt").exists());
}

#[test]
fn a_lab_of_an_older_or_newer_version_is_left_alone() {
    let lab = TestLab::bare("older");
    let state = lab.root.join(".lab/state");
    fs::create_dir_all(&state).unwrap();
    for (layout, which) in [("0", "an older version"), ("999", "a newer version")] {
        fs::write(state.join("version"), format!("{layout}\n")).unwrap();
        for command in ["setup", "status", "teardown"] {
            let said = lab.fails(2, &[command, "--yes"]);
            assert!(said.contains(which), "{said}");
        }
    }
    assert_eq!(fs::read_dir(lab.root.join(".lab")).unwrap().count(), 1);
    fs::remove_dir_all(lab.root.join(".lab")).unwrap();
}

/// Two statements that only somebody who is not the application would make.
const PAST_THE_GUARDS: &str = r#"
import os, sqlite3
shell = sqlite3.connect(os.path.realpath(os.environ["PRA_DATA_DIR"] + "/app.db"))
shell.execute("DROP TRIGGER pra_guard_delete")
shell.execute("DELETE FROM events WHERE id = 1")
shell.commit()
"#;

#[test]
fn what_somebody_else_changed_is_refused_until_it_is_accepted() {
    let lab = TestLab::new("accepted");
    lab.json(&["add", "one"]);
    lab.json(&["add", "two"]);
    lab.json(&["backup"]);
    let said = lab.fails(4, &["local", "python", "raise SystemExit(3)"]);
    assert!(said.contains("by hand: cargo xtask local python"), "{said}");
    lab.json(&["local", "python", PAST_THE_GUARDS]);
    let said = lab.fails(1, &["backup"]);
    assert!(said.contains("write guards were removed"), "{said}");
    assert!(said.contains("cargo xtask backup --accept"), "{said}");
    let said = support::said(&lab.xtask(&["status"]));
    assert!(said.contains("Not protected: its write guards"), "{said}");
    assert!(said.contains("next: cargo xtask backup, which"), "{said}");
    assert!(said.contains("next: cargo xtask restore latest"), "{said}");
    assert!(!said.contains("Writes go on"), "{said}");
    lab.json(&["backup", "--accept"]);
    assert_eq!(lab.json(&["add", "three"])["id"], 3);
    assert_eq!(lab.curl("/count")["count"], 2);
}

#[test]
fn suspended_backups_stay_so_and_both_say_what_resumes_them() {
    let lab = TestLab::new("resuming");
    lab.json(&["setup"]);
    let told = |command: &str| support::said(&lab.xtask(&[command]));
    assert!(!told("status").contains("suspended"));
    lab.json(&["local", "suspend"]);
    for command in ["status", "setup"] {
        let said = told(command);
        assert!(said.contains("cargo xtask local resume"), "{said}");
    }
    assert_eq!(lab.json(&["status"])["facts"]["suspended"], true);
    lab.json(&["local", "resume"]);
    for command in ["status", "setup"] {
        let said = told(command);
        assert!(!said.contains("suspended"), "{said}");
    }
}

#[test]
fn with_json_a_refusal_is_one_document_too() {
    let lab = TestLab::bare("json");
    for words in [
        &["frobnicate"][..],
        &["backup", "--accept", "--new-volume"],
        &["scenario", "nope"],
        &["adopt", "/nowhere/copy.tar"],
        &["report", "nope"],
    ] {
        let output = lab.command(words).arg("--json").output().unwrap();
        let stdout = String::from_utf8(output.stdout).unwrap();
        assert_eq!(stdout.lines().count(), 1, "{words:?}: {stdout}");
        let document: serde_json::Value = serde_json::from_str(&stdout).unwrap();
        assert_eq!(document["exit_code"], 2, "{words:?}: {document}");
        assert_eq!(output.status.code(), Some(2));
        assert!(document["next"].is_string(), "{document}");
    }
}

#[test]
fn a_schedule_that_brings_nothing_is_said() {
    let lab = TestLab::new("overdue");
    lab.edit("k8s/40-cronjob-backup.yaml", "* * * * *", "0 0 29 2 *");
    lab.edit(
        "k8s/05-config.yaml",
        "PRA_OVERDUE_SECONDS: \"240\"",
        "PRA_OVERDUE_SECONDS: \"1\"",
    );
    lab.json(&["setup"]);
    let said = support::await_some("overdue backups", || {
        let said = support::said(&lab.xtask(&["status"]));
        said.contains("backups are overdue").then_some(said)
    });
    assert!(said.contains("no restore point"), "{said}");
    assert!(said.contains("cargo xtask backup takes one now"), "{said}");
}
