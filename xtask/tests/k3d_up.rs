//! A lab that is up on k3d, with stand-ins for the tools: whose it is, and whether
//! it runs what is declared.

use crate::support;

use std::fs;
use std::process::Command;

use support::TestLab;
use support::fake_k3d::FakeWorld;
use support::said;

const STATE: &str = r#"{"items":[
{"kind":"Deployment","metadata":{"name":"flask"},"spec":{"replicas":1}},
{"kind":"CronJob","metadata":{"name":"sqlite-backup"},"spec":{"schedule":"* * * * *"}},
{"kind":"Pod","metadata":{"name":"flask-a","labels":{"app":"flask"}},"status":{"phase":"Running",
 "conditions":[{"type":"Ready","status":"True"}]}},
{"kind":"PersistentVolumeClaim","metadata":{"name":"pra-data"},"spec":{}},
{"kind":"PersistentVolumeClaim","metadata":{"name":"pra-backup"},"spec":{}}]}"#;

/// Cluster, image and import are done, and one replica is ready; `kubectl diff`
/// finds what `$S/apart` says.
fn up(name: &str) -> FakeWorld {
    let world = FakeWorld::new(name);
    for stage in ["cluster", "image", "import"] {
        let output = world.lab.xtask(&[stage]);
        assert!(output.status.success(), "{}", said(&output));
    }
    world.set("state", STATE);
    world.hook(
        "kubectl",
        "case \"$*\" in *' get deployments'*) cat $S/state; exit 0;; \
         *' diff '*) [ ! -e $S/apart ]; exit;; esac",
    );
    world
}

#[test]
fn nothing_is_written_into_the_lab_of_another_checkout() {
    let world = up("up-foreign");
    let root = world.lab.root.with_extension("clone");
    // Left by an earlier run that was killed.
    let _ = fs::remove_dir_all(&root);
    let copied = Command::new("cp")
        .arg("-a")
        .arg(&world.lab.root)
        .arg(&root)
        .status();
    assert!(copied.unwrap().success());
    fs::remove_dir_all(root.join(".lab")).unwrap();
    let clone: TestLab = world.lab.elsewhere(root);
    for args in [&["add", "a row"][..], &["restore", "--list"], &["backup"]] {
        let text = clone.fails(2, args);
        assert!(text.contains("the lab of another checkout"), "{text}");
    }
    // A look says whose it is.
    let text = said(&clone.xtask(&["status"]));
    assert!(text.contains("the lab of another checkout"), "{text}");
    let text = said(&world.lab.xtask(&["status"]));
    assert!(!text.contains("another checkout"), "{text}");
}

#[test]
fn suspended_backups_are_resumed_by_what_status_says() {
    let world = up("up-suspended");
    let resuming = "kubectl --context k3d-pra -n pra patch cronjob sqlite-backup -p \
                    '{\"spec\":{\"suspend\":false}}', which resumes them";
    let text = said(&world.lab.xtask(&["status"]));
    assert!(!text.contains("suspend"), "{text}");
    let suspended = r#""spec":{"suspend":true,"schedule""#;
    world.set("state", &STATE.replace(r#""spec":{"schedule""#, suspended));
    let text = said(&world.lab.xtask(&["status"]));
    assert!(text.contains(resuming), "{text}");
}

#[test]
fn a_scenario_says_what_is_declared_and_not_in_force() {
    let world = up("up-changed");
    let shown = || {
        let output = world.lab.xtask(&["scenario", "2", "--dry-run"]);
        assert!(output.status.success(), "{}", said(&output));
        said(&output)
    };
    let first = "does not run what is declared, which is applied first";
    assert!(!shown().contains(first), "{}", shown());
    world.set("apart", "");
    let text = shown();
    assert!(text.contains(&format!("{first}: the manifests.")), "{text}");
    world.forget("apart");
    world.set("built", "of something else");
    let text = shown();
    assert!(
        text.contains(&format!("{first}: the application's code.")),
        "{text}"
    );
}
