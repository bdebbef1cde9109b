//! What a marking leaves alone: clusters, names of images and the configuration of whoever
//! marks. With stand-ins for the tools.

use std::fs;

use serde_json::Value;

use crate::support::fake_k3d::FakeWorld;
use crate::support::fork::Fork;
use crate::support::said;

/// The cluster of this checkout's markings.
const NAME: &str = "check-0123";

struct World {
    world: FakeWorld,
    fork: Fork,
}

impl World {
    /// A work that has no playbook, and so is applied; nothing of it ever runs.
    fn new(name: &str) -> Self {
        let world = FakeWorld::new(name);
        world.own();
        world.forget("owned");
        let whole = world.whole().replace("pra", NAME);
        world.set("whole", &whole);
        world.hook(
            "k3d",
            "case \"$*\" in \"kubeconfig get\"*) \
             echo '{\"contexts\":[{\"name\":\"k3d-check-0123\",\"context\":{}}]}'; exit ;; esac",
        );
        let fork = Fork::new(&world.lab.root.join("fork"));
        fs::remove_dir_all(fork.root.join("ansible")).unwrap();
        fork.commit("student", "Hand the work in");
        Self { world, fork }
    }

    fn check(&self) -> Value {
        let fork = self.fork.root.to_str().unwrap();
        let args = ["check", "--engine", "k3d", "--yes", "--json", fork];
        let output = self.world.lab.xtask(&args);
        assert!(output.status.success(), "{}", said(&output));
        let document = String::from_utf8(output.stdout).unwrap();
        serde_json::from_str(&document).unwrap()
    }
}

#[test]
fn a_cluster_of_the_name_that_is_not_ours_stays() {
    let all = World::new("fences-other");
    all.world.set("list", &all.world.whole());
    all.world.set("owned", "somebody /elsewhere\n");
    let document = all.check();
    assert!(
        document
            .to_string()
            .contains("was not made by this checkout"),
        "{document}"
    );
    assert_eq!(all.world.calls("k3d cluster delete"), 0);
    assert_eq!(all.world.calls("k3d cluster create"), 0);
    assert!(all.world.has("list"));
}

#[test]
fn packer_is_led_to_the_cluster_of_the_marking_alone() {
    let all = World::new("fences-packer");
    all.world.hook("packer", "env > $S/env-$1");
    all.check();
    let folder = all.world.lab.root.join(".lab/check/cluster");
    let folder = folder.to_str().unwrap();
    for step in ["env-init", "env-build"] {
        let env = all.world.said(step);
        for line in [
            format!("HOME={folder}/home"),
            format!("KUBECONFIG={folder}/kubeconfig"),
            format!("PATH={folder}/bin:"),
            "PACKER_PLUGIN_PATH=".to_owned(),
        ] {
            assert!(
                env.lines().any(|one| one.starts_with(&line)),
                "{step}: {line}\n{env}"
            );
        }
    }
    // It was ours, and is gone.
    assert_eq!(all.world.calls(&format!("k3d cluster delete {NAME}")), 1);
}

/// What Docker says of the image's name: one thing before the build and another after it.
fn names(before: &str, after: &str) -> String {
    format!(
        "case \"$*\" in\n\
         \"image inspect --format {{{{.Id}}}} \"*) if [ -e $S/built ]; then {after}; else {before}; fi; exit ;;\n\
         \"image inspect --format {{{{len .RepoTags}}}} sha256:new\") echo 0; exit ;;\n\
         \"tag \"*) [ ! -e $S/no-tags ] || exit 1 ;;\n\
         esac"
    )
}

#[test]
fn a_name_of_an_image_means_what_it_meant_before() {
    let all = World::new("fences-tags");
    let (old, new, none) = ("echo sha256:old", "echo sha256:new", "exit 1");
    let image = "pra/flask-sqlite:1.0";
    let mut tags = 0;
    for (before, after, tagged, removed) in [
        (old, new, true, Some("sha256:new")),
        // The build took the name away: given back, it is not removed.
        (old, none, true, None),
        (none, new, false, Some(image)),
        (old, old, false, None),
    ] {
        if all.world.has("built") {
            all.world.forget("built");
        }
        all.world.hook("docker", &names(before, after));
        let removals = all.world.calls("docker rmi");
        all.check();
        tags += usize::from(tagged);
        let given_back = format!("docker tag sha256:old {image}");
        assert_eq!(all.world.calls(&given_back), tags, "{before} {after}");
        let now = all.world.calls("docker rmi");
        assert_eq!(
            now - removals,
            usize::from(removed.is_some()),
            "{before} {after}"
        );
        if let Some(removed) = removed {
            assert_eq!(all.world.calls(&format!("docker rmi {removed}")), 1);
        }
    }
    // The cluster goes also where a name cannot be given back.
    let deleted = all.world.calls("k3d cluster delete");
    all.world.set("no-tags", "");
    all.world.forget("built");
    all.world.hook("docker", &names(old, new));
    all.check();
    assert_eq!(all.world.calls("k3d cluster delete"), deleted + 1);
}

#[test]
fn what_this_machine_or_a_registry_refuses_costs_no_point() {
    let all = World::new("fences-faults");
    let k3d = fs::read_to_string(all.world.lab.root.join("world/k3d.hook")).unwrap();
    let of = |document: &Value| {
        let work = &document["works"][0];
        [&work["technical"]["of"], &work["untried"]].map(|points| points.as_f64().unwrap())
    };
    let fails = |command: &str, said: &str| {
        format!("case \"$*\" in {command}*) echo '{said}' >&2; exit 1 ;; esac\n")
    };
    let cases = [
        ("k3d", fails("\"cluster create\"", "timed out"), [0.0, 7.5]),
        (
            "packer",
            fails("init", "dial tcp: no such host"),
            [0.0, 7.5],
        ),
        (
            "packer",
            fails("build", "toomanyrequests: pull rate limit"),
            [0.0, 7.5],
        ),
        ("k3d", fails("\"image import\"", "no node"), [0.0, 7.5]),
        // These are the work's own.
        ("packer", fails("build", "Unsupported argument"), [7.5, 0.0]),
        (
            "kubectl",
            fails("*apply", "error parsing k8s/20.yaml"),
            [7.5, 0.0],
        ),
    ];
    for (tool, script, expected) in cases {
        let before = if tool == "k3d" { k3d.as_str() } else { "" };
        all.world.hook(tool, &format!("{script}{before}"));
        let document = all.check();
        assert_eq!(of(&document), expected, "{tool} {script}{document}");
        assert_eq!(document["works"][0]["technical"]["points"], 0.0);
        match tool {
            "k3d" => all.world.hook("k3d", &k3d),
            _ => all.world.unhook(tool),
        }
    }
}
