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
fn what_setup_needs_is_fetched_without_a_cluster() {
    let world = FakeWorld::new("up-fetch");
    world.hook(
        "docker",
        "case \"$*\" in 'image inspect rancher/'*) exit 1;; esac",
    );
    let shown = world.lab.xtask(&["preflight", "--download", "--dry-run"]);
    let shell = String::from_utf8(shown.stdout.clone()).unwrap();
    assert!(shown.status.success(), "{}", said(&shown));
    for part in [
        "docker pull --quiet rancher/k3s:",
        "packer build",
        "-m venv",
        "ansible/requirements.txt",
    ] {
        assert!(shell.contains(part), "no {part:?} in {shell}");
    }
    assert!(!shell.contains("cluster create"), "{shell}");
    assert_eq!(world.calls("docker pull") + world.calls("packer build"), 0);
}

#[test]
fn which_context_is_the_current_one_is_left_as_it_was() {
    let world = FakeWorld::new("up-context");
    world.hook(
        "kubectl",
        "case \"$*\" in 'config current-context')\n\
         cat $S/current 2>&- || { echo 'error: current-context is not set' >&2; exit 1; }; exit 0;;\n\
         'config unset current-context') rm $S/current; exit 0;; esac",
    );
    // As k3d does, also with --kubeconfig-switch-context=false.
    world.hook(
        "k3d",
        "case \"$*\" in 'cluster create'*) [ -e $S/current ] || echo k3d-pra > $S/current;; esac",
    );
    assert!(world.lab.xtask(&["cluster"]).status.success());
    assert!(!world.has("current"), "there was none");
    world.forget("list");
    world.set("current", "somebody-elses");
    assert!(world.lab.xtask(&["cluster"]).status.success());
    assert_eq!(world.said("current"), "somebody-elses");
    assert_eq!(world.calls("k3d cluster create"), 2);
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
    for args in [
        &["add", "a row"][..],
        &["restore", "--list"],
        &["backup"],
        &["reset", "--yes"],
    ] {
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

/// The shell that a dry run prints on this lab.
fn shell(world: &FakeWorld, words: &[&str]) -> String {
    let output = world.lab.xtask(&[words, &["--dry-run"]].concat());
    assert!(output.status.success(), "{}", said(&output));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn every_job_that_is_shown_takes_the_place_of_an_earlier_one_and_is_waited_for() {
    let world = up("up-jobs");
    let commands: [(&[&str], usize); 7] = [
        (&["backup"], 1),
        (&["restore", "latest"], 2),
        (&["scenario", "2"], 3),
        (&["scenario", "4"], 3),
        (&["scenario", "5"], 5),
        (&["scenario", "7"], 3),
        (&["scenario", "9"], 2),
    ];
    for (words, jobs) in commands {
        let shell = shell(&world, words);
        let lines: Vec<&str> = shell.lines().collect();
        let line = |number: usize| lines.get(number).copied().unwrap_or_default();
        let mut created = 0;
        for (number, one) in lines.iter().enumerate() {
            let (name, after) = match () {
                () if one.contains(" create job backup-now ") => ("backup-now", number + 1),
                () if one.ends_with("-f - <<END") => ("sqlite-restore", number + 3),
                () if one.contains(" create ") && one.contains("50-job-restore.yaml") => {
                    ("sqlite-restore", number + 1)
                }
                () => continue,
            };
            created += 1;
            let before = line(number.wrapping_sub(1));
            let delete = format!(" delete job {name} --ignore-not-found ");
            assert!(before.contains(&delete), "{words:?}: {before}");
            let ended = format!("conditions[0].type}}' job/{name} --timeout=");
            assert!(line(after).contains(&ended), "{words:?}: {shell}");
            let complete = format!(" wait --for=condition=complete job/{name} ");
            assert!(line(after + 2).contains(&complete), "{words:?}: {shell}");
        }
        assert_eq!(created, jobs, "{words:?}: {shell}");
    }
}

#[test]
fn what_runs_in_a_replica_is_shown_after_the_wait_for_it() {
    let world = up("up-waits");
    for words in [
        &["restore", "latest"][..],
        &["scenario", "2"],
        &["scenario", "4"],
    ] {
        let shell = shell(&world, words);
        let mut ready = false;
        for line in shell.lines().filter(|line| line.contains("kubectl ")) {
            assert!(
                ready || !line.contains(" exec deployment/flask "),
                "{words:?}: {shell}"
            );
            ready = line.contains(" rollout status deployment/flask --timeout=");
        }
    }
    let shell = shell(&world, &["scenario", "2"]);
    let parts = [
        " --replicas=0",
        " wait --for=delete pod --selector=app=flask ",
        "pra-data",
    ];
    let places = parts.map(|part| {
        shell
            .find(part)
            .unwrap_or_else(|| panic!("{part}: {shell}"))
    });
    assert!(places.is_sorted(), "{places:?} in {shell}");
}

/// Its stand-in for kubectl prints nothing that one could go back to.
#[test]
fn a_pasted_bad_delete_stops_where_nothing_is_found_to_go_back_to() {
    let world = up("up-nothing-found");
    let shell = shell(&world, &["scenario", "4"]);
    let kubectl = Command::new("sh").args(["-nc", &shell]).output().unwrap();
    assert!(kubectl.status.success(), "{}", said(&kubectl));
    let mut pasted = world.lab.command(&[]);
    let path = pasted
        .get_envs()
        .find(|(name, _)| *name == "PATH")
        .unwrap()
        .1;
    let path = path.unwrap().to_owned();
    pasted = Command::new("sh");
    pasted.env("PATH", path).args(["-ec", &shell]);
    let output = pasted.output().unwrap();
    assert!(!output.status.success(), "{}", said(&output));
    let calls = world.said("calls");
    assert!(calls.contains("DELETE FROM events"), "{calls}");
    assert!(!calls.contains("--replicas=0"), "{calls}");
}
