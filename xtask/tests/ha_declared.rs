//! What is declared for the lab `ha` beside its numbered files, and has changed since.

use crate::support;

use std::fs;

use serde::Deserialize as _;
use serde_json::{Value, json};
use support::fake_ha::{shell, up};
use support::fake_k3d::FakeWorld;
use support::said;

/// The objects of the numbered files, as the cluster has them once they were applied.
fn applied(world: &FakeWorld, mark: &str) -> String {
    let mut items = Vec::new();
    for entry in fs::read_dir(world.lab.root.join("ha")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if !name.starts_with(|first: char| first.is_ascii_digit()) {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        for document in serde_norway::Deserializer::from_str(&text) {
            let object = Value::deserialize(document).unwrap();
            let mut live = object.clone();
            live["metadata"]["annotations"] = json!({
                "kubectl.kubernetes.io/last-applied-configuration": object.to_string(),
                "atelier-pra/beside": mark,
            });
            items.push(live);
        }
    }
    json!({ "items": items }).to_string()
}

#[test]
fn what_changed_beside_the_namespace_is_deployed_too() {
    let world = up("ha-beside");
    let shown = shell(&world, &["setup"]);
    let mark = shown.split("annotate --overwrite namespace ha atelier-pra/beside=");
    let mark = mark.last().unwrap().split_whitespace().next().unwrap();
    world.set("declared", &applied(&world, mark));
    world.hook(
        "kubectl",
        "case \"$*\" in *' get deployments,'*|*' get nodes,pods,'*) cat $S/objects; exit 0;;\n\
         *' get deployments --all-namespaces '*) echo operator:1.30.0; exit 0;;\n\
         *' get -o json -f '*) cat $S/declared; exit 0;; *' diff '*) exit 1;; esac",
    );
    let pending = |world: &FakeWorld| {
        let words = ["--lab", "ha", "scenario", "primary-loss", "--dry-run"];
        said(&world.lab.xtask(&words)).contains("the manifests")
    };
    assert!(!pending(&world), "nothing has changed");
    for (file, from, to) in [
        ("ha/operator/deployment.yaml", "value: 2", "value: 3"),
        (
            "ha/dns/coredns.yaml",
            "kind: Deployment",
            "kind: Deployment # other",
        ),
        (
            "lab.toml",
            "storage_class = \"\"",
            "storage_class = \"fast\"",
        ),
    ] {
        let path = world.lab.root.join(file);
        let before = fs::read_to_string(&path).unwrap();
        fs::write(&path, before.replacen(from, to, 1)).unwrap();
        assert_ne!(fs::read_to_string(&path).unwrap(), before, "{file}");
        assert!(pending(&world), "{file}");
        fs::write(&path, before).unwrap();
    }
    assert!(!pending(&world), "all is as before");
}

#[test]
fn nodes_that_are_declared_otherwise_by_now_are_told() {
    let world = FakeWorld::new("ha-nodes");
    world.lab.configure("port = 8083", "port = 28083");
    let shown = shell(&world, &["setup"]);
    let made_of = shown.split("--runtime-label atelier-pra.nodes=").nth(1);
    let made_of = made_of.unwrap().split('@').next().unwrap();
    let world = up("ha-nodes-changed");
    world.set("made_of", &format!("{made_of} 0123\n"));
    let warned = |world: &FakeWorld| {
        let text = said(&world.lab.xtask(&["--lab", "ha", "setup", "--dry-run"]));
        text.contains("has changed since the cluster ha was created")
    };
    assert!(!warned(&world));
    world.lab.edit("ha/k3d.yaml", "period=10s", "period=20s");
    assert!(warned(&world));
    world.forget("made_of");
    assert!(!warned(&world), "it was made by hand");
}
