//! The image of the engine kubernetes: built and pushed where the registry lacks it, and
//! nowhere else.

use std::fs;

use crate::kubernetes::world;
use crate::support::fake_k3d::FakeWorld;
use crate::support::said;

/// The note of what was pushed, as a run leaves it.
const NOTE: &str = ".lab/state/kubernetes/image.json";

/// A lab whose registry was given an image made of the same as there is.
fn pushed(name: &str) -> FakeWorld {
    let world = world(name);
    let pushed = world.lab.xtask(&["push"]);
    assert!(pushed.status.success(), "{}", said(&pushed));
    world
}

#[test]
fn an_image_that_the_registry_has_is_not_built_again() {
    let world = pushed("kubernetes-fetch");
    // Docker has forgotten it meanwhile.
    world.forget("built");
    let shown = || {
        let shown = world.lab.xtask(&["preflight", "--download", "--dry-run"]);
        assert!(shown.status.success(), "{}", said(&shown));
        String::from_utf8(shown.stdout).unwrap()
    };
    let shell = shown();
    assert!(shell.contains("ansible/requirements.txt"), "{shell}");
    assert!(!shell.contains("packer build"), "{shell}");
    fs::remove_file(world.lab.root.join(NOTE)).unwrap();
    let shell = shown();
    assert!(shell.contains("packer build"), "{shell}");
}

#[test]
fn a_deploy_pushes_to_the_registry_that_is_declared_now() {
    let world = pushed("kubernetes-registry");
    world.own();
    let ours = r#"{"metadata":{"annotations":{"atelier-pra/owner":"0123"}}}"#;
    world.set("namespace", ours);
    world.lab.configure("r.example/team", "other.example/team");
    // What stands behind the push is not asked for here.
    world.lab.xtask(&["deploy"]);
    assert_eq!(
        world.calls("docker push --quiet other.example/team/flask-sqlite:"),
        1
    );
    let note = fs::read_to_string(world.lab.root.join(NOTE)).unwrap();
    assert!(note.contains("other.example/team/"), "{note}");
}

#[test]
fn a_dry_run_pushes_where_a_run_does_and_names_what_that_gives() {
    let world = pushed("kubernetes-order");
    world.lab.configure("r.example/team", "other.example/team");
    let output = world.lab.xtask(&["setup", "--dry-run"]);
    let shell = String::from_utf8(output.stdout.clone()).unwrap();
    let place = |words: &str| {
        let found = shell.find(words);
        found.unwrap_or_else(|| panic!("no {words} in {}", said(&output)))
    };
    assert!(place("create --save-config") < place("docker push"));
    place("newName: other.example/team/flask-sqlite");
    assert!(!shell.contains(" r.example/team"), "{shell}");
}
