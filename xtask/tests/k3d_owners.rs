//! One machine, one cluster of that name, several checkouts: each leaves alone
//! what another made. With stand-ins for the tools.

use crate::support;

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use support::fake_k3d::FakeWorld;
use support::{TestLab, await_some, said};

/// Another checkout beside the first, with the same tools and the same Docker.
fn clone(world: &FakeWorld, name: &str) -> TestLab {
    let clone = copy(world, name);
    fs::remove_dir_all(clone.root.join(".lab")).unwrap();
    clone
}

/// The folder as `cp` copies it, `.lab` included.
fn copy(world: &FakeWorld, name: &str) -> TestLab {
    let root: PathBuf = world.lab.root.with_extension(name);
    // Left by an earlier run that was killed.
    let _ = fs::remove_dir_all(&root);
    let copied = Command::new("cp")
        .arg("-a")
        .arg(&world.lab.root)
        .arg(&root)
        .status();
    assert!(copied.unwrap().success());
    world.lab.elsewhere(root)
}

/// It neither deletes nor changes the cluster, and names whose it is.
fn leaves_alone(world: &FakeWorld, other: &TestLab) {
    let deleted = world.calls("k3d cluster delete");
    let folder = world.lab.root.canonicalize().unwrap();
    let typed: [&[&str]; 4] = [
        &["teardown", "--engine", "k3d", "--yes"],
        &["deploy"],
        &["import"],
        &["cluster"],
    ];
    for args in typed {
        let said = other.fails(2, args);
        assert!(said.contains("the lab of another checkout"), "{said}");
        assert!(said.contains(&*folder.to_string_lossy()), "{said}");
    }
    assert_eq!(world.calls("k3d cluster delete"), deleted);
    assert!(!world.has("adopted"));
}

#[test]
fn a_clone_that_never_ran_setup_does_not_delete_anothers_cluster() {
    let world = FakeWorld::new("owner-clone");
    assert!(world.lab.xtask(&["cluster"]).status.success());
    leaves_alone(&world, &clone(&world, "clone"));
    let output = world.lab.xtask(&["teardown", "--engine", "k3d", "--yes"]);
    assert!(output.status.success(), "{}", said(&output));
    assert!(!world.has("list"));
}

#[test]
fn a_copy_of_the_folder_is_another_owner_and_a_moved_one_is_not() {
    let world = FakeWorld::new("owner-copy");
    assert!(world.lab.xtask(&["cluster"]).status.success());
    let state = ".lab/state/deleting-pra";
    fs::write(world.lab.root.join(state), "aa\nbb\ndd\n").unwrap();
    let copy = copy(&world, "copy");
    fs::remove_file(world.lab.root.join(state)).unwrap();
    leaves_alone(&world, &copy);

    let moved = world.lab.elsewhere(world.lab.root.with_extension("moved"));
    let _ = fs::remove_dir_all(&moved.root);
    // The stand-ins keep what they know in the folder that was the lab's.
    let kept = world.lab.root.join("world");
    fs::rename(&world.lab.root, &moved.root).unwrap();
    fs::create_dir(&world.lab.root).unwrap();
    fs::rename(moved.root.join("world"), &kept).unwrap();
    let output = moved.xtask(&["cluster"]);
    assert!(output.status.success(), "{}", said(&output));
    let output = moved.xtask(&["teardown", "--engine", "k3d", "--yes"]);
    assert!(output.status.success(), "{}", said(&output));
    assert!(!world.has("list"));
}

#[test]
fn a_cluster_is_taken_over_only_after_a_yes_and_is_then_no_more_the_first_ones() {
    let world = FakeWorld::new("owner-taken");
    assert!(world.lab.xtask(&["cluster"]).status.success());
    let clone = clone(&world, "clone");
    let asked = clone.fails(2, &["cluster"]);
    assert!(asked.contains("Adopt it?"), "{asked}");
    assert!(asked.contains("with the data of that lab"), "{asked}");
    let output = clone.xtask(&["cluster", "--yes"]);
    assert!(output.status.success(), "{}", said(&output));
    let output = clone.xtask(&["cluster"]);
    assert!(output.status.success(), "{}", said(&output));
    let text = world
        .lab
        .fails(2, &["teardown", "--engine", "k3d", "--yes"]);
    let folder = clone.root.canonicalize().unwrap();
    assert!(text.contains(&*folder.to_string_lossy()), "{text}");
    assert!(world.has("list"));
    // And back again.
    let output = world.lab.xtask(&["cluster", "--yes"]);
    assert!(output.status.success(), "{}", said(&output));
    clone.fails(2, &["teardown", "--engine", "k3d", "--yes"]);
}

/// As a Codespace does when it starts, with a yes that nobody has typed.
fn brought_back(lab: &TestLab) -> String {
    let output = lab.xtask(&["setup", "--existing", "--yes"]);
    assert!(output.status.success(), "{}", said(&output));
    said(&output)
}

#[test]
fn what_is_brought_back_is_a_lab_of_ours_that_is_there() {
    let world = FakeWorld::new("owner-existing");
    assert!(world.lab.xtask(&["cluster"]).status.success());
    fs::write(world.lab.root.join(".lab/state/engine"), "k3d\n").unwrap();
    let created = world.calls("k3d cluster create");
    let copy = copy(&world, "copy");
    let told = brought_back(&copy);
    assert!(told.contains("the lab of another checkout"), "{told}");
    assert!(!world.has("adopted"));

    world.forget("list");
    brought_back(&world.lab);
    assert_eq!(world.calls("k3d cluster create"), created);
}

/// The first checkout created the cluster, the clone took it over.
fn taken_over(name: &str) -> (FakeWorld, TestLab) {
    let world = FakeWorld::new(name);
    assert!(world.lab.xtask(&["cluster"]).status.success());
    let clone = clone(&world, "clone");
    let output = clone.xtask(&["cluster", "--yes"]);
    assert!(output.status.success(), "{}", said(&output));
    (world, clone)
}

const TEARDOWN: [&str; 4] = ["teardown", "--engine", "k3d", "--yes"];

/// Who took a cluster over is known inside alone.
#[test]
fn a_stopped_cluster_is_asked_who_took_it_over_before_it_is_deleted() {
    let (world, clone) = taken_over("owner-stopped");
    let stop = || world.set("list", &world.whole().replace("true", "false"));
    stop();
    world.hook(
        "kubectl",
        "case \"$*\" in *configmap*|*' get '*) \
         if grep -q false $S/list; then echo 'connection refused' >&2; exit 1; fi;; esac",
    );
    let text = world.lab.fails(2, &TEARDOWN);
    assert!(text.contains("the lab of another checkout"), "{text}");
    assert_eq!(world.calls("k3d cluster delete"), 0);
    assert_eq!(world.calls("k3d cluster start pra"), 1);
    stop();
    let output = clone.xtask(&TEARDOWN);
    assert!(output.status.success(), "{}", said(&output));
    assert!(!world.has("list"));
}

#[test]
fn a_cluster_that_cannot_say_whose_it_is_is_left_to_the_person() {
    let (world, _clone) = taken_over("owner-silent");
    world.set("list", &world.whole().replace("true", "false"));
    world.hook(
        "kubectl",
        "case \"$*\" in *configmap*|*' get '*) echo 'connection refused' >&2; exit 1;; esac",
    );
    world.hook(
        "k3d",
        "case \"$*\" in 'cluster start'*) echo broken >&2; exit 1;; esac",
    );
    let text = world.lab.fails(4, &TEARDOWN);
    assert!(text.contains("is not known"), "{text}");
    assert!(text.contains("k3d cluster delete pra"), "{text}");
    assert_eq!(world.calls("k3d cluster delete"), 0);
}

/// As where another `KUBECONFIG` is set than the cluster was made with.
#[test]
fn a_context_that_is_missing_is_written_before_the_owner_is_believed() {
    let (world, _clone) = taken_over("owner-context");
    world.hook(
        "k3d",
        "case \"$*\" in 'kubeconfig '*) touch $S/merged;; esac",
    );
    world.hook(
        "kubectl",
        "case \"$*\" in *configmap*|*' get '*) [ -e $S/merged ] || \
         { echo 'error: context \"k3d-pra\" does not exist' >&2; exit 1; };; esac",
    );
    let text = world.lab.fails(2, &TEARDOWN);
    assert!(text.contains("the lab of another checkout"), "{text}");
    assert_eq!(world.calls("k3d cluster delete"), 0);
}

#[test]
fn a_creation_that_was_cut_off_is_not_made_anew_over_what_another_took_over() {
    let world = FakeWorld::new("owner-creation");
    world.hook(
        "k3d",
        "case \"$*\" in 'cluster create'*) cp $S/whole $S/list; own \"$@\"; \
         printf 'aa server\\nbb loadbalancer\\n' > $S/containers; exit 1;; esac",
    );
    world.lab.fails(4, &["cluster"]);
    assert!(world.lab.root.join(".lab/state/creating-pra").exists());
    world.unhook("k3d");
    let clone = clone(&world, "clone");
    let output = clone.xtask(&["cluster", "--yes"]);
    assert!(output.status.success(), "{}", said(&output));
    let text = world.lab.fails(2, &["cluster"]);
    assert!(text.contains("Adopt it?"), "{text}");
    assert_eq!(world.calls("k3d cluster delete"), 0);
    // Nor where it is stopped and broken: that is asked.
    world.set("list", &world.whole().replace("true", "false"));
    fs::write(world.lab.root.join(".lab/state/creating-pra"), "").unwrap();
    world.hook(
        "kubectl",
        "case \"$*\" in *configmap*|*' get '*) echo 'connection refused' >&2; exit 1;; esac",
    );
    world.hook("k3d", "case \"$*\" in 'cluster start'*) exit 1;; esac");
    let text = world.lab.fails(2, &["cluster"]);
    assert!(text.contains("Delete it and create it anew?"), "{text}");
    assert_eq!(world.calls("k3d cluster delete"), 0);
}

#[test]
fn what_a_dry_run_shows_makes_the_cluster_this_checkouts() {
    let world = FakeWorld::new("owner-dry");
    let output = world.lab.xtask(&["cluster", "--dry-run"]);
    assert!(output.status.success(), "{}", said(&output));
    assert!(!world.lab.root.join(".lab").exists());
    let mut pasted = world.lab.command(&[]);
    let path = pasted
        .get_envs()
        .find_map(|(name, value)| (name == "PATH").then(|| value.unwrap().to_owned()));
    pasted = Command::new("sh");
    pasted.env("PATH", path.unwrap());
    let shell = String::from_utf8(output.stdout).unwrap();
    let output = pasted.args(["-euc", &shell]).output().unwrap();
    assert!(output.status.success(), "{shell}: {}", said(&output));
    let output = world.lab.xtask(&["cluster"]);
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(world.calls("k3d cluster create"), 1);
    assert!(!world.has("adopted"), "nothing had to be taken over");
}

#[test]
fn a_forward_ends_with_the_folder_of_its_lab() {
    let world = FakeWorld::new("owner-forward");
    fs::create_dir_all(world.lab.root.join(".lab/state")).unwrap();
    world.hook(
        "kubectl",
        "case \"$*\" in *port-forward*) echo $$ > $S/forwarding; exec sleep 600;; esac",
    );
    let mut keeper = world
        .lab
        .command(&["forward", "--keep", "flask", "--port", "1"])
        .spawn()
        .unwrap();
    let pid = world.lab.root.join("world/forwarding");
    let pid = await_some("the forward", || {
        let written = fs::read_to_string(&pid).ok();
        written.filter(|pid| pid.ends_with('\n'))
    });
    fs::remove_dir_all(world.lab.root.join(".lab")).unwrap();
    let ended = await_some("the end of its keeper", || keeper.try_wait().unwrap());
    assert!(ended.success());
    let kubectl = PathBuf::from("/proc").join(pid.trim());
    await_some("the end of kubectl", || (!kubectl.exists()).then_some(()));
}

/// What a person may do with a cluster of somebody else, without a yes.
#[test]
fn a_stopped_cluster_of_another_is_not_started_before_somebody_said_yes() {
    let world = FakeWorld::new("owner-not-started");
    assert!(world.lab.xtask(&["cluster"]).status.success());
    let clone = clone(&world, "clone");
    let stop = || world.set("list", &world.whole().replace("true", "false"));
    stop();
    world.hook(
        "kubectl",
        "case \"$*\" in *configmap*|*' get '*) \
         if grep -q false $S/list; then echo 'connection refused' >&2; exit 1; fi;; esac",
    );
    for words in [&["cluster"][..], &["setup", "--engine", "k3d"]] {
        let text = clone.fails(2, words);
        assert!(text.contains("Adopt it?"), "{text}");
    }
    clone.fails(2, &TEARDOWN);
    let told = said(&clone.xtask(&["preflight", "--engine", "k3d"]));
    assert!(told.contains("setup asks before it starts it"), "{told}");
    assert_eq!(world.calls("k3d cluster start"), 0);
    // One yes is enough, and from then on it is this checkout's, stopped or not.
    let output = clone.xtask(&["cluster", "--yes"]);
    assert!(output.status.success(), "{}", said(&output));
    stop();
    let output = clone.xtask(&["cluster"]);
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(world.calls("k3d cluster start"), 2);
}

#[test]
fn a_dry_run_asks_what_a_run_asks_before_it_shows_how_a_cluster_is_taken_over() {
    let world = FakeWorld::new("owner-shown");
    assert!(world.lab.xtask(&["cluster"]).status.success());
    let clone = clone(&world, "clone");
    let text = clone.fails(2, &["cluster", "--dry-run"]);
    assert!(text.contains("Adopt it?"), "{text}");
    assert!(!text.contains("create configmap"), "{text}");
    let output = clone.xtask(&["cluster", "--dry-run", "--yes"]);
    assert!(
        said(&output).contains("create configmap"),
        "{}",
        said(&output)
    );
    assert!(!world.has("adopted"));
    let own = world.lab.xtask(&["cluster", "--dry-run"]);
    assert!(own.status.success(), "{}", said(&own));
}
