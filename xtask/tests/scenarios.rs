//! The scenarios on the local engine, held against a count that shares no code
//! with them.

use crate::support;

use std::fs;
use std::process::{Command, Stdio};

use serde_json::Value;
use support::TestLab;

#[test]
fn volume_loss_from_nothing_in_one_command() {
    let lab = TestLab::new("volume-loss");
    let result = lab.json(&["scenario", "2"]);

    assert_eq!(result["scenario"], "volume-loss");
    assert_eq!(result["engine"], "local");
    assert_eq!(result["passed"], true, "{result}");
    assert_eq!(result["backups_resumed"], true);
    assert!(result["protected_seconds"].as_f64().unwrap() > 0.0);
    let names: Vec<&str> = result["rto"]["phases"]
        .as_array()
        .unwrap()
        .iter()
        .map(|phase| phase["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["detected", "provisioned", "restored", "serving"]);
    assert!(
        result["client"]["failed"].as_u64().unwrap() > 0,
        "an outage that nobody noticed"
    );
    assert!(result["client"]["longest_gap_seconds"].as_f64().unwrap() > 0.0);

    support::agreed(&lab, &result);
    // An acknowledged write survives the volume; writes went on after the last
    // snapshot, which alone could not bring them back.
    assert_eq!(result["protection"], "journal");
    assert_eq!(result["rpo"]["lost"], 0);
    assert!(
        result["rpo"]["snapshot_only_lost"].as_u64().unwrap() > 0,
        "{result}"
    );
    assert!(result["rpo"]["snapshot_only_seconds"].as_f64().unwrap() > 0.0);
    beside_what_the_schedule_loses(&result);
    with_its_provenance(&result);
    let milder = result["milder"].as_array().unwrap();
    let stopping = milder.iter().find(|one| one["what"] == "stopping");
    assert!(
        stopping.unwrap()["on_a_cluster"]
            .as_str()
            .unwrap()
            .contains("preStop")
    );

    let kept = lab
        .root
        .join(result["run"].as_str().unwrap())
        .join("result.json");
    let kept = fs::read_to_string(kept).unwrap();
    let mut kept: Value = serde_json::from_str(&kept).unwrap();
    // What is kept says in which format, for the programs of other days.
    let format = kept.as_object_mut().unwrap().remove("format");
    assert_eq!(format, Some(Value::from(1)));
    assert_eq!(kept, result);
}

/// The backup was taken on purpose just before, so what snapshots alone lose is
/// stated for their schedule too, which is a minute.
fn beside_what_the_schedule_loses(result: &Value) {
    let rpo = &result["rpo"];
    let float = |value: &Value| value.as_f64().unwrap_or_else(|| panic!("{result}"));
    let schedule = &rpo["schedule"];
    assert_eq!(schedule["interval_seconds"], 60.0, "{result}");
    let (backup, rate) = (float(&schedule["backup_seconds"]), float(&schedule["rate"]));
    assert!(backup > 0.0 && rate > 10.0, "{result}");
    for (loss, seconds) in [("expected", 30.0 + backup), ("worst", 60.0 + backup)] {
        let loss = &schedule[loss];
        assert!((float(&loss["seconds"]) - seconds).abs() < 0.01, "{result}");
        assert!(
            (float(&loss["lost"]) - rate * seconds).abs() < 2.0,
            "{result}"
        );
    }
    let here = float(&schedule["at_this_moment"]["seconds"]);
    assert!((0.0..=60.0 + backup).contains(&here), "{result}");
    let age = float(&rpo["backup_age_seconds"]);
    assert!((0.5..10.0).contains(&age), "{result}");
    let lessons = result["lessons"].to_string();
    for said in [
        "(measured): a backup had been taken on purpose",
        "acknowledged during it counts too",
        "(computed from 60 s",
        "No person's time",
    ] {
        assert!(lessons.contains(said), "{said}: {lessons}");
    }
}

/// Whoever compares two runs needs to know what made them.
fn with_its_provenance(result: &Value) {
    let versions = result["versions"].as_object().unwrap();
    for name in [
        "python",
        "apsw",
        "sqlite",
        "kernel",
        "cores",
        "file_system_data",
        "file_system_backup",
    ] {
        let known = versions.get(name).and_then(Value::as_str);
        assert!(
            known.is_some_and(|known| !known.is_empty()),
            "{name}: {result}"
        );
    }
    let uname = Command::new("uname").arg("-r").output().unwrap();
    let release = String::from_utf8(uname.stdout).unwrap();
    let kernel = versions["kernel"].as_str().unwrap();
    assert!(kernel.contains(release.trim()), "{result}");
    // No Kubernetes took part, and this lab is a folder without a history.
    for name in ["k3d", "kubectl", "kubernetes", "docker", "image", "commit"] {
        assert!(!versions.contains_key(name), "{name}: {result}");
    }
}

#[test]
fn a_run_of_a_checkout_names_its_commit_and_what_was_changed_since() {
    let lab = TestLab::new("commit");
    let git = |args: &[&str]| {
        let mut command = Command::new("git");
        command.args(["-c", "user.name=x", "-c", "user.email=x@example.org"]);
        let output = command.args(args).current_dir(&lab.root).output().unwrap();
        assert!(output.status.success(), "{}", support::said(&output));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    fs::write(lab.root.join(".gitignore"), ".lab\n").unwrap();
    git(&["init", "-q"]);
    git(&["add", "."]);
    git(&["commit", "-qm", "one"]);
    let commit = git(&["rev-parse", "HEAD"]);
    let clean = lab.json(&["scenario", "pod-crash"]);
    assert_eq!(clean["versions"]["commit"], commit, "{clean}");
    assert_eq!(clean["versions"]["dirty"], "no", "{clean}");
    lab.configure("rate = 60", "rate = 61");
    let dirty = lab.json(&["scenario", "pod-crash"]);
    assert_eq!(dirty["versions"]["commit"], commit, "{dirty}");
    assert_eq!(dirty["versions"]["dirty"], "1 file", "{dirty}");
}

#[test]
fn a_person_who_decides_is_a_phase_of_the_rto_and_of_what_users_waited() {
    let lab = TestLab::new("decided");
    let result = lab.json(&["scenario", "2", "--operator-delay", "1.5"]);
    let phases = result["rto"]["phases"].as_array().unwrap();
    let names: Vec<&Value> = phases.iter().map(|phase| &phase["name"]).collect();
    let wanted = ["detected", "decided", "provisioned", "restored", "serving"];
    assert_eq!(names, wanted, "{result}");
    let decided = phases[1]["seconds"].as_f64().unwrap();
    assert!((1.499..3.0).contains(&decided), "{result}");
    assert!(result["rto"]["seconds"].as_f64().unwrap() > 1.5, "{result}");
    assert_eq!(result["rto"]["operator_delay_seconds"], 1.5);
    let gap = result["client"]["longest_gap_seconds"].as_f64().unwrap();
    assert!(gap > 1.5, "the users waited as well: {result}");
    assert!(result["lessons"].to_string().contains("--operator-delay"));
    support::agreed(&lab, &result);

    let said = lab.fails(2, &["scenario", "pod-crash", "--operator-delay", "5"]);
    assert!(said.contains("recovers by itself"), "{said}");
    let said = lab.xtask(&["scenario", "2", "--operator-delay", "-1"]);
    assert_eq!(said.status.code(), Some(2));
}

#[test]
fn with_snapshots_alone_the_result_says_exactly_what_is_lost() {
    let lab = TestLab::new("snapshots");
    lab.edit(
        "k8s/05-config.yaml",
        "PRA_JOURNAL: required",
        "PRA_JOURNAL: \"off\"",
    );
    let output = lab.command(&["scenario", "2", "--json"]).output().unwrap();
    let result: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(result["passed"], true, "{result}");
    assert_eq!(result["protection"], "snapshot");
    let said = support::said(&output);
    assert!(!said.contains("a journaled write"), "{said}");
    assert!(
        said.contains("journal checked: there is no journal"),
        "{said}"
    );
    let lost = result["rpo"]["lost"].as_u64().unwrap();
    assert!(lost > 0, "{result}");
    assert_eq!(result["rpo"]["snapshot_only_lost"], lost);
    assert_eq!(result["rpo"]["lost_unexcused"], 0);
    assert!(result["rpo"]["seconds"].as_f64().unwrap() > 0.0);
    support::agreed(&lab, &result);
}

#[test]
fn pod_crash_is_noticed_by_nobody() {
    let lab = TestLab::new("pod-crash");
    let result = lab.json(&["scenario", "pod-crash"]);
    assert_eq!(result["passed"], true, "{result}");
    assert_eq!(result["rpo"]["lost"], 0);
    let kills = result["kills"].as_array().unwrap();
    assert_eq!(kills.len(), 2);
    assert_ne!(kills[0]["pod"], kills[1]["pod"]);
    assert_eq!(kills[1]["how"], "graceful");
    assert_eq!(kills[1]["failed"], 0);
    // What was under way there, and what was sent until its end was noticed.
    let under_way = kills[0]["under_way"].as_u64().unwrap();
    assert!(
        kills[0]["failed"].as_u64().unwrap() <= under_way + 6,
        "{result}"
    );
    assert!(result["client"]["requests"].as_u64().unwrap() >= 200);

    support::agreed(&lab, &result);
}

#[test]
fn an_objective_that_is_missed_is_named_and_exits_1() {
    let lab = TestLab::new("objective");
    lab.configure("rto_seconds = 30", "rto_seconds = 0.001");
    let said = lab.fails(1, &["scenario", "volume-loss"]);
    assert!(said.contains("the objective is 0.001 s"), "{said}");
}

#[test]
fn whoever_lists_points_meanwhile_leaves_the_scenario_alone() {
    let lab = TestLab::new("meanwhile");
    lab.json(&["setup"]);
    let mut scenario = lab.spawn(&["scenario", "2"]);
    let mark = lab.root.join(".lab/state/unfinished-scenario-local.json");
    support::await_some("the disaster to begin", || mark.exists().then_some(()));
    let output = lab.xtask(&["restore", "--list"]);
    let said = support::said(&output);
    assert!(output.status.success(), "{said}");
    assert!(
        !said.contains("Waiting for"),
        "a look waits for nobody: {said}"
    );
    assert_eq!(scenario.wait().unwrap().code(), Some(0));
    assert!(!said.contains("putting the lab back"), "{said}");
}

#[test]
fn a_dry_run_of_the_scenario_can_be_pasted() {
    let lab = TestLab::new("pasted");
    lab.json(&["add", "kept"]);
    let output = lab.xtask(&["scenario", "2", "--dry-run"]);
    let xtask = concat!("'", env!("CARGO_BIN_EXE_xtask"), "'");
    let shell = String::from_utf8(output.stdout).unwrap();
    let shell = shell.replace("cargo xtask", xtask);
    let mut pasted = Command::new("sh");
    pasted.args(["-exc", &shell]).env("ATELIER_ROOT", &lab.root);
    pasted.current_dir(&lab.root).stdin(Stdio::null());
    let output = pasted.output().unwrap();
    let said = support::said(&output);
    assert!(output.status.success(), "{said}");
    assert!(
        said.contains("\"safety_point\":null"),
        "nothing was lost: {said}"
    );
    // Nothing in it waits for the replicas.
    lab.json(&["setup"]);
    assert_eq!(lab.curl("/count")["count"], 1);
}

#[test]
fn all_of_them_are_shown_in_their_order_but_those_that_are_not_possible() {
    let lab = TestLab::new("all");
    lab.json(&["add", "one"]);
    let said = lab.fails(2, &["scenario", "all"]);
    assert!(said.contains("cluster-loss takes from this lab"), "{said}");
    let shown = lab.json(&["scenario", "all", "--dry-run"])["dry_run"].to_string();
    let steps = [
        "local kill",
        "delete-volume pra-data",
        "delete-volume pra-backup",
        "adopt",
    ];
    let places = steps.map(|step| {
        shown
            .find(step)
            .unwrap_or_else(|| panic!("{step}: {shown}"))
    });
    assert!(places.is_sorted(), "{places:?} in {shown}");
    assert!(!shown.contains("docker kill"), "{shown}");
}

#[test]
fn runs_are_listed_removed_and_bounded_and_pods_have_logs() {
    let lab = TestLab::new("runs");
    let runs = |count: usize| {
        let listed = lab.json(&["runs", "list"]);
        let listed = listed.as_array().unwrap().clone();
        assert_eq!(listed.len(), count, "{listed:?}");
        listed
    };
    runs(0);
    lab.json(&["scenario", "volume-loss"]);
    fs::create_dir(lab.root.join(".lab/runs/notes of my own")).unwrap();
    let first = runs(1);
    assert_eq!(first[0]["passed"], true);
    assert_eq!(first[0]["rpo"]["lost"], 0);
    // A result that cannot be read is listed as none, and hides no other.
    let name = first[0]["name"].as_str().unwrap();
    let folder = lab.root.join(".lab/runs").join(name);
    fs::write(folder.join("result.json"), "{").unwrap();
    assert_eq!(runs(1)[0]["passed"], Value::Null);

    // The next one takes the place of the oldest.
    lab.configure("runs = 1000", "runs = 1");
    lab.json(&["scenario", "volume-loss"]);
    assert!(!folder.exists());
    let second = runs(1)[0]["name"].as_str().unwrap().to_owned();
    lab.fails(2, &["runs", "rm", &second]);
    runs(1);
    lab.json(&["runs", "rm", &second, "--yes"]);
    runs(0);
    lab.fails(2, &["runs", "rm", &second, "--yes"]);
    lab.fails(2, &["runs", "rm", "../runs", "--yes"]);
    assert!(lab.root.join(".lab/runs/notes of my own").exists());

    let logs = lab.json(&["logs"])["logs"].to_string();
    assert!(logs.contains("Listening at"), "{logs}");
    let logs = lab.json(&["logs", "restore"])["logs"].to_string();
    assert!(logs.contains("safety_point"), "{logs}");
}

/// In parts, as the journal takes them.
const GROW: &str = r#"from pra.base import settings
from pra.data.database import Database
database = Database(settings.load())
add = "INSERT INTO events(ts, message) VALUES('2026-11-30T10:00:00.000Z', ?)"
for _ in range(5):
    database.write("growing", lambda conn: conn.execute(add, ("x" * (4 << 20),)))
"#;

/// The disaster cannot be had there, which is said in a sentence, and the lab goes on.
#[test]
fn rows_that_cannot_be_deleted_at_once_are_refused_and_all_there() {
    let lab = TestLab::new("delete-too-large");
    lab.json(&["setup"]);
    lab.json(&["local", "python", GROW]);
    let said = lab.fails(2, &["scenario", "bad-delete"]);
    assert!(said.contains("changes more than 16 MiB"), "{said}");
    assert!(said.contains("scenario foreign-delete"), "{said}");
    assert!(!said.contains("Traceback"), "{said}");
    let before = lab.curl("/count")["count"].as_u64().unwrap();
    assert!(before > 5, "what was written meanwhile is there as well");
    lab.json(&["add", "after"]);
    assert_eq!(lab.curl("/count")["count"], before + 1);
}
