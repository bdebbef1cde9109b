//! What a supervisor leaves behind that was killed, whose lock was damaged, or
//! whose volumes are more than folders.

use crate::support;

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::process::{Child, Command, Stdio};

use support::standin::*;
use support::{TestLab, said};

/// What a dry run shows, typed.
fn paste(lab: &TestLab, shell: &str) {
    let xtask = concat!("'", env!("CARGO_BIN_EXE_xtask"), "'");
    let mut pasted = Command::new("sh");
    pasted.args(["-ec", &shell.replace("cargo xtask", xtask)]);
    pasted.env("ATELIER_ROOT", &lab.root);
    let output = pasted.current_dir(&lab.root).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
}

#[test]
fn what_a_killed_supervisor_left_is_ended_by_stop_and_by_what_teardown_shows() {
    let lab = lab("orphans");
    for last in [false, true] {
        up(&lab);
        signal(&supervisor(&lab), "-9");
        assert!(!lab.processes().is_empty(), "nothing was left behind");
        if last {
            let output = lab.xtask(&["teardown", "--dry-run"]);
            let shell = String::from_utf8(output.stdout).unwrap();
            assert!(!lab.processes().is_empty(), "a dry run ended something");
            paste(&lab, &shell);
        } else {
            done(&lab, &["local", "stop"]);
        }
        assert_eq!(lab.processes(), Vec::<String>::new());
    }
    assert!(!lab.root.join(".lab/volumes").exists());
}

#[test]
fn a_teardown_goes_through_no_link() {
    let lab = lab("linked");
    up(&lab);
    let volumes = lab.root.join(".lab/volumes");
    fs::write(volumes.join("pra-data/row"), "x").unwrap();
    let other = support::standin::lab("linked-other");
    let link = other.root.join(".lab");
    symlink(lab.root.join(".lab"), &link).unwrap();
    for command in [
        &["teardown", "--yes"] as &[&str],
        &["local", "stop"],
        &["local", "scale", "0"],
        &["local", "delete-volume", "pra-data", "--yes"],
        &["setup"],
    ] {
        let said = other.fails(2, command);
        assert!(said.contains("a symbolic link"), "{said}");
    }
    assert_eq!(ready(&lab).len(), 2, "the other lab was ended");
    assert!(volumes.join("pra-data/row").exists());

    fs::remove_file(&link).unwrap();
    fs::create_dir(&link).unwrap();
    symlink(&volumes, link.join("volumes")).unwrap();
    done(&other, &["teardown", "--yes"]);
    assert!(!link.join("volumes").is_symlink(), "the link itself goes");
    assert!(volumes.join("pra-data/row").exists());
}

#[test]
fn a_supervisor_ends_whatever_its_lock_says_and_nobody_else_does() {
    let lab = lab("lock");
    let path = lab.root.join(".lab/state/supervisor.lock");
    let mut bystander = Bystander(Command::new("sleep").arg("600").spawn().unwrap());
    let number = bystander.0.id().to_string();
    for damage in ["not a number", "", "0", &number] {
        up(&lab);
        fs::write(&path, damage).unwrap();
        done(&lab, &["local", "stop"]);
        assert_eq!(lab.processes(), Vec::<String>::new(), "{damage:?}");
        bystander.insist_on_life();
    }

    // Nor is anybody whose command line looks alike.
    up(&lab);
    let root = lab.root.to_str().unwrap();
    let mut alike = Command::new("sh");
    alike.args([
        "-c",
        "read wait",
        "x",
        "--root",
        root,
        "local",
        "supervisor",
    ]);
    let alike = alike.stdin(Stdio::piped()).spawn().unwrap();
    let mut alike = Bystander(alike);
    done(&lab, &["local", "stop"]);
    alike.insist_on_life();

    // One that does not hear is left alone where its lock does not name it.
    up(&lab);
    let socket = lab.root.join(".lab/state/supervisor.sock");
    let pid = supervisor(&lab);
    fs::rename(&socket, socket.with_extension("away")).unwrap();
    for damage in ["not a number", "", &number] {
        fs::write(&path, damage).unwrap();
        let said = lab.fails(4, &["local", "stop"]);
        assert!(said.contains("does not say which process it is"), "{said}");
        assert!(said.contains("next: fuser -v "), "{said}");
        assert!(lab.processes().len() > 1, "something was ended");
    }
    bystander.insist_on_life();
    fs::write(&path, pid).unwrap();
    done(&lab, &["local", "stop"]);
    assert_eq!(lab.processes().len(), 1, "the look-alike alone");
    alike.insist_on_life();
}

/// Somebody else's process, ended with the test.
struct Bystander(Child);

impl Bystander {
    fn insist_on_life(&mut self) {
        let ended = self.0.try_wait().unwrap();
        assert_eq!(ended, None, "somebody else's process was ended");
    }
}

impl Drop for Bystander {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// In a namespace of its own, where mounting is allowed: it fails at the first
/// step that does not do what it has to.
const MOUNTED: &str = r#"
data=$ATELIER_ROOT/.lab/volumes/pra-data
mkdir -p "$data"
mount -t tmpfs none "$data"
xtask local apply
echo x > "$data/row"
xtask local scale 0
code=0; xtask local delete-volume pra-data --yes 2> refused || code=$?
cat refused; test $code = 2; grep "next: umount $data, then" refused
test -e "$data/row"
code=0; xtask teardown --yes 2> refused || code=$?
cat refused; test $code = 4; grep "next: umount what mount | grep " refused
mount | grep "$ATELIER_ROOT/.lab/volumes"
umount "$data"
xtask teardown --yes
test ! -e "$ATELIER_ROOT/.lab/volumes"
"#;

#[test]
fn a_volume_that_is_a_mount_point_stays_and_the_way_on_is_said() {
    let namespace = ["--user", "--map-root-user", "--mount"];
    let mut allowed = Command::new("unshare");
    allowed
        .args(namespace)
        .args(["mount", "-t", "tmpfs", "none", "/mnt"]);
    if !allowed
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
    {
        // Past the test's own capture, so that it is seen.
        let said = "SKIPPED: this machine lets nobody mount in a namespace of their own";
        writeln!(std::io::stderr(), "{said}").unwrap();
        return;
    }
    let lab = lab("mounted");
    let xtask = format!("xtask() {{ '{}' \"$@\"; }}\n", env!("CARGO_BIN_EXE_xtask"));
    let mut mounted = Command::new("unshare");
    mounted
        .args(namespace)
        .args(["sh", "-exc", &(xtask + MOUNTED)]);
    mounted
        .env("ATELIER_ROOT", &lab.root)
        .current_dir(&lab.root);
    let output = mounted.output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
}
