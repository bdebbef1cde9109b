//! What is changed while the local lab runs (settings, code, the program) is
//! applied, said, and never measured unapplied.

use crate::support;

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixListener;

use support::programs;
use support::standin::*;
use support::{TestLab, await_some, said};

/// Two other replicas than these, and no more.
fn replaced(lab: &TestLab, before: &std::collections::BTreeSet<String>) {
    await_some("two other replicas", || {
        let all = facts(lab)["pods"].as_array().unwrap().len();
        let now = ready(lab);
        (all == 2 && now.len() == 2 && now.is_disjoint(before)).then_some(())
    });
}

#[test]
fn a_lab_whose_application_is_gone_says_how_it_comes_back() {
    let lab = lab("no-application");
    fs::remove_dir_all(lab.root.join("app")).unwrap();
    let said = lab.fails(2, &["setup"]);
    assert!(said.contains("the application is missing"), "{said}");
    let next = format!("next: git checkout -- {}/app", lab.root.display());
    assert!(said.contains(&next), "{said}");
}

#[test]
fn a_status_without_replicas_says_that_nobody_is_served() {
    let lab = lab("no-replica");
    up(&lab);
    done(&lab, &["local", "scale", "0"]);
    let text = said(&lab.xtask(&["status"]));
    assert!(text.contains("nobody is served"), "{text}");
    assert!(text.contains("next: cargo xtask setup"), "{text}");
    up(&lab);
    let text = said(&lab.xtask(&["status"]));
    assert!(!text.contains("nobody is served"), "{text}");
}

#[test]
fn settings_and_code_are_rolled_out_without_a_gap_and_only_where_they_changed() {
    let lab = lab("changes");
    let port = up(&lab);
    let config = "k8s/05-config.yaml";
    let code = lab.root.join("app/pra/__init__.py");
    let text = fs::read_to_string(&code).unwrap();
    let edits: [(&str, &dyn Fn()); 2] = [
        ("PRA_THREADS: 16 -> 17", &|| {
            lab.edit(config, "PRA_THREADS: \"16\"", "PRA_THREADS: \"17\"");
        }),
        ("the application's code", &|| {
            fs::write(&code, text.clone() + "# changed\n").unwrap();
        }),
    ];
    for (change, edit) in edits {
        let before = ready(&lab);
        edit();
        let (asked, failed) = under_load(port, 4, "/", || {
            let text = said(&lab.xtask(&["local", "apply"]));
            assert!(text.contains(&format!("Applied: {change}")), "{text}");
            replaced(&lab, &before);
        });
        assert_eq!(failed, 0, "of {asked}");
        let now = ready(&lab);
        let text = said(&lab.xtask(&["local", "apply"]));
        assert!(!text.contains("Applied"), "{text}");
        assert_eq!(ready(&lab), now, "nothing had changed");
    }
}

#[test]
fn a_scenario_measures_the_protection_that_is_declared() {
    let lab = TestLab::new("declared");
    lab.json(&["setup"]);
    let config = "k8s/05-config.yaml";
    lab.edit(config, "PRA_JOURNAL: required", "PRA_JOURNAL: \"off\"");
    let output = lab.xtask(&["scenario", "2", "--json"]);
    let text = said(&output);
    let result: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(text.contains("PRA_JOURNAL: required -> off"), "{text}");
    assert_eq!(result["protection"], "snapshot", "{text}");
    let rpo = &result["rpo"];
    assert!(rpo["lost"].as_u64().unwrap() > 0, "{rpo}");
    assert_eq!(rpo["lost"], rpo["snapshot_only_lost"], "{rpo}");
    support::agreed(&lab, &result);

    // A look uses what is in force, not what the files say meanwhile.
    lab.edit(config, "PRA_JOURNAL: \"off\"", "PRA_JOURNAL: required");
    let status = lab.json(&["status"]);
    assert_eq!(status["application"]["protection"], "snapshot");
    let text = said(&lab.xtask(&["setup"]));
    assert!(text.contains("PRA_JOURNAL: off -> required"), "{text}");
    let status = lab.json(&["status"]);
    assert_eq!(status["application"]["protection"], "journal");
}

#[test]
fn a_supervisor_of_another_version_is_no_strangers_program_on_the_port() {
    let lab = lab("version");
    let port = up(&lab);
    lab.configure("port = 0", &format!("port = {port}"));
    let socket = lab.root.join(".lab/state/supervisor.sock");
    fs::remove_file(&socket).unwrap();
    let listener = UnixListener::bind(&socket).unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = BufReader::new(&stream).read_line(&mut String::new());
            let _ = stream.write_all(b"{\"protocol\": 1}\n");
        }
    });
    let text = said(&lab.xtask(&["preflight"]));
    assert!(text.contains("in use by this lab"), "{text}");
    let text = lab.fails(4, &["local", "scale", "1"]);
    assert!(text.contains("of another version"), "{text}");
    done(&lab, &["local", "stop"]);
    assert_eq!(lab.processes(), Vec::<String>::new());
}

#[test]
fn setup_replaces_a_supervisor_of_another_build_and_none_of_its_own() {
    let lab = TestLab::new("build");
    lab.json(&["setup"]);
    let first = supervisor(&lab);
    lab.json(&["setup"]);
    assert_eq!(supervisor(&lab), first);
    let newer = lab.root.join("newer");
    programs::copy_of_xtask(&newer);
    let mut setup = std::process::Command::new(&newer);
    setup.arg("setup").arg("--root").arg(&lab.root);
    let text = said(&setup.output().unwrap());
    assert!(text.contains("of another build"), "{text}");
    let second = supervisor(&lab);
    assert_ne!(second, first);
    setup.output().unwrap();
    assert_eq!(supervisor(&lab), second);

    // Not for a port that it could not have.
    let held = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = held.local_addr().unwrap().port();
    lab.configure("port = 0", &format!("port = {port}"));
    let text = said(&setup.output().unwrap());
    assert!(text.contains(&format!("port {port} is in use")), "{text}");
    assert_eq!(supervisor(&lab), second);
    assert_eq!(ready(&lab).len(), 2);
}

/// What a restore needs at its end is read before it changes anything.
#[test]
fn a_restore_begins_with_no_manifest_that_cannot_be_read() {
    let lab = TestLab::new("restore-unread");
    lab.json(&["setup"]);
    lab.json(&["backup"]);
    let names = || {
        let list = lab.json(&["restore", "--list"]);
        let points = list["points"].as_array().unwrap();
        points
            .iter()
            .map(|point| point["name"].clone())
            .collect::<Vec<_>>()
    };
    let before = names();
    let deployment = lab.root.join("k8s/20-deployment.yaml");
    let text = fs::read_to_string(&deployment).unwrap();
    fs::write(&deployment, format!("{text}  x: [\n")).unwrap();
    let said = lab.fails(2, &["restore", "latest", "--yes"]);
    assert!(said.contains("20-deployment.yaml"), "{said}");
    assert!(!said.contains("in place"), "{said}");
    fs::write(&deployment, text).unwrap();
    assert_eq!(names(), before);
}
