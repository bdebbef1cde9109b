use super::*;
use crate::exec::{Output, output};
use crate::marking::repository::{Handed, hand_in};
use crate::ui::Ui;

/// A repository with one commit, made by the git of this machine.
struct Made {
    root: PathBuf,
}

impl Made {
    fn new(name: &str) -> Self {
        let root = std::env::temp_dir().join(format!("xtask-git-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&root);
        fs::create_dir_all(root.join("work")).unwrap();
        let made = Self { root };
        made.git(&["init", "--quiet", "--initial-branch=main"]);
        made.write("README.md", "first\n");
        made.commit();
        made
    }

    fn work(&self) -> PathBuf {
        self.root.join("work").canonicalize().unwrap()
    }

    fn write(&self, name: &str, text: &str) {
        let file = self.root.join("work").join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        workspace::write_file(&file, text).unwrap();
    }

    fn git(&self, args: &[&str]) {
        let said = self.try_git(args);
        assert!(said.status.success(), "{args:?}: {}", said.stderr);
    }

    fn try_git(&self, args: &[&str]) -> Output {
        let cmd = Cmd::new("git")
            .args(["-c", "user.name=x", "-c", "user.email=x@example.org", "-C"])
            .args([self.root.join("work").to_string_lossy()])
            .args(args)
            .env("GIT_CONFIG_GLOBAL", "/dev/null");
        output(&cmd).unwrap()
    }

    fn commit(&self) {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "-m", "a commit"]);
    }

    fn hand_in(&self) -> Result<Handed> {
        let copy = self.root.join("copy");
        let _ = fs::remove_dir_all(&copy);
        let exec = Exec::new(Ui::quiet(), std::env::temp_dir(), false);
        hand_in(&exec, &self.work(), &copy)
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.root);
    }
}

#[test]
fn no_program_that_a_repository_names_is_run() {
    let made = Made::new("traps");
    let trap = made.root.join("trapped");
    made.write("data.txt", "some text\n");
    made.write("inner/file.txt", "x\n");
    made.write(".gitattributes", "*.txt filter=x diff=x\n*.md filter=y\n");
    made.git(&["-C", "inner", "init", "--quiet"]);
    made.git(&["-C", "inner", "add", "file.txt"]);
    made.git(&[
        "-C",
        "inner",
        "-c",
        "core.hooksPath=/dev/null",
        "commit",
        "-qm",
        "inner",
    ]);
    made.commit();
    let script = format!("touch {}; cat", trap.display());
    let hook = made.root.join("hook");
    workspace::write_file(
        &hook,
        &format!("#!/bin/sh\ntouch {}\nexec \"$@\"\n", trap.display()),
    )
    .unwrap();
    let cmd = Cmd::new("chmod").args(["+x".into(), hook.to_string_lossy()]);
    assert!(output(&cmd).unwrap().status.success());
    let hook = hook.to_string_lossy().into_owned();
    for folder in [".", "inner"] {
        for (name, value) in [
            ("filter.x.clean", &script),
            ("filter.x.smudge", &script),
            ("filter.y.process", &script),
            ("diff.x.textconv", &script),
            ("diff.external", &hook),
            ("core.fsmonitor", &hook),
            ("core.pager", &script),
            ("uploadpack.packObjectsHook", &hook),
            // Where an object that is missing would be fetched from.
            ("extensions.partialClone", &"origin".to_owned()),
            ("remote.origin.promisor", &"true".to_owned()),
            (
                "remote.origin.url",
                &format!("file://{}", made.root.display()),
            ),
            ("remote.origin.uploadpack", &hook),
        ] {
            made.git(&["-C", folder, "config", name, value]);
        }
    }
    // git looks at the contents of what may have changed alone.
    made.write("data.txt", "some more\n");
    made.write("README.md", "changed\n");
    made.write("inner/file.txt", "changed\n");
    let handed = made.hand_in().unwrap();
    assert!(!trap.exists(), "a program of the repository was run");
    assert_eq!(handed.uncommitted, 2);
    let copied = fs::read_to_string(made.root.join("copy/data.txt")).unwrap();
    assert_eq!(copied, "some text\n");

    // A trap that nothing springs would prove nothing.
    for armed in [&["-c", "core.fsmonitor=false", "status"][..], &["status"]] {
        let _ = made.try_git(armed);
        assert!(trap.exists(), "{armed:?}");
        fs::remove_file(&trap).unwrap();
    }

    // An object that is not there is fetched from nowhere.
    let objects = made.work().join(".git/objects");
    fs::remove_dir_all(&objects).unwrap();
    fs::create_dir_all(objects.join("info")).unwrap();
    assert!(made.hand_in().is_err());
    assert!(!trap.exists(), "a program of the repository was run");
}

#[test]
fn the_commit_that_is_checked_out_is_the_one_that_is_marked() {
    let made = Made::new("heads");
    let head = |made: &Made| made.hand_in().unwrap().commit.unwrap();
    let first = head(&made);
    made.write("README.md", "second\n");
    made.git(&["checkout", "--quiet", "-b", "a/branch"]);
    made.commit();
    let second = head(&made);
    assert_ne!(first, second);
    made.git(&["pack-refs", "--all"]);
    assert_eq!(head(&made), second);
    made.git(&["checkout", "--quiet", "--detach", "main"]);
    assert_eq!(head(&made), first);
    // A work tree beside the repository.
    made.git(&["worktree", "add", "-q", "../beside", "a/branch"]);
    let exec = Exec::new(Ui::quiet(), std::env::temp_dir(), false);
    let copy = made.root.join("copy-beside");
    let beside = hand_in(&exec, &made.root.join("beside"), &copy).unwrap();
    assert_eq!(beside.commit, Some(second));
    assert_eq!(
        fs::read_to_string(copy.join("README.md")).unwrap(),
        "second\n"
    );
}

#[test]
fn a_shallow_clone_is_read_as_far_as_it_goes_and_said_to_be_one() {
    let made = Made::new("shallow");
    made.write("README.md", "second\n");
    made.commit();
    assert!(!made.hand_in().unwrap().shallow);
    let url = format!("file://{}", made.work().display());
    made.git(&["clone", "--quiet", "--depth=1", &url, "../clone"]);
    let exec = Exec::new(Ui::quiet(), std::env::temp_dir(), false);
    let copy = made.root.join("copy-shallow");
    let clone = hand_in(&exec, &made.root.join("clone"), &copy).unwrap();
    assert!(clone.shallow);
    let history = crate::marking::repository::history::read(&exec, &copy, None).unwrap();
    assert_eq!(history.commits, 1);
}

#[test]
fn a_folder_without_a_commit_is_copied_as_it_is() {
    let made = Made::new("unborn");
    fs::remove_dir_all(made.work().join(".git")).unwrap();
    assert_eq!(made.hand_in().unwrap().commit, None);
    made.git(&["init", "--quiet"]);
    assert_eq!(made.hand_in().unwrap().commit, None);
    assert!(made.root.join("copy/README.md").exists());
}

#[test]
fn a_name_of_a_branch_leads_to_no_other_file() {
    let made = Made::new("names");
    workspace::write_file(&made.root.join("secret"), &"0".repeat(40)).unwrap();
    for name in [
        "ref: ../../secret",
        "ref: refs/../../../secret",
        "ref: /etc/passwd",
        "junk",
    ] {
        workspace::write_file(&made.work().join(".git/HEAD"), name).unwrap();
        let handed = made.hand_in();
        assert!(
            handed.is_err() || handed.unwrap().commit.is_none(),
            "{name}"
        );
    }
}
