//! Where an exported copy goes: what is replaced, written into, or refused.

use crate::support;

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt, symlink};
use std::os::unix::net::UnixListener;
use std::process::{Command, Stdio};

use support::TestLab;

/// What is no file is written into or refused, never replaced, and whatever
/// lies beside the name stays.
#[test]
fn only_a_file_is_replaced_and_nothing_beside_it_is_touched() {
    let lab = TestLab::new("copies-special");
    lab.json(&["add", "one"]);
    let folder = lab.root.join("kept");
    fs::create_dir_all(&folder).unwrap();
    let at = |name: &str| folder.join(name);
    let shown = |name: &str| at(name).display().to_string();

    // The user's own file of that name, and a link that stays one.
    fs::write(at("copy.tar.part"), "the user's").unwrap();
    symlink("copy.tar", at("link")).unwrap();
    let said = lab.fails(2, &["export", &shown("link")]);
    assert!(said.contains("which is not there"), "{said}");
    lab.json(&["export", &shown("copy.tar")]);
    lab.json(&["export", &shown("link"), "--yes"]);
    assert!(at("link").is_symlink() && at("copy.tar").is_file());
    assert_eq!(fs::read(at("copy.tar.part")).unwrap(), b"the user's");
    lab.json(&["adopt", &shown("link"), "--plan"]);

    // A pipe is written into, by whoever reads at the other end.
    let made = Command::new("mkfifo").arg(at("pipe")).status().unwrap();
    assert!(made.success());
    let child = lab.spawn(&["export", &shown("pipe")]);
    fs::write(at("piped"), fs::read(at("pipe")).unwrap()).unwrap();
    assert_eq!(child.wait_with_output().unwrap().status.code(), Some(0));
    assert!(fs::metadata(at("pipe")).unwrap().file_type().is_fifo());
    lab.json(&["adopt", &shown("piped"), "--plan"]);

    // So is a device: it is there afterwards.
    let null = || fs::metadata("/dev/null").unwrap();
    let before = null().ino();
    let output = lab.xtask(&["export", "/dev/null"]);
    assert!(output.status.success(), "{}", support::said(&output));
    // Nobody can read back what went there, and nobody says so.
    let words = support::said(&output);
    assert!(words.contains("and then handed on"), "{words}");
    assert!(!words.contains("read back"), "{words}");
    assert!(null().file_type().is_char_device() && null().ino() == before);

    let _socket = UnixListener::bind(at("socket")).unwrap();
    let said = lab.fails(2, &["export", &shown("socket")]);
    assert!(said.contains("neither a file nor a pipe"), "{said}");
    let said = lab.fails(2, &["export", ""]);
    assert!(said.contains("given no name"), "{said}");
    let said = lab.fails(2, &["adopt", ""]);
    assert!(said.contains("no file is named"), "{said}");
    let said = lab.fails(2, &["adopt", "-"]);
    assert!(said.contains("cargo xtask adopt copy.tar"), "{said}");
    let mut names: Vec<String> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(
        names,
        [
            "copy.tar",
            "copy.tar.part",
            "link",
            "pipe",
            "piped",
            "socket"
        ]
    );
}

#[test]
fn standard_output_holds_the_copy_and_nothing_else() {
    let lab = TestLab::new("copies-output");
    // Bringing the lab up has words of its own.
    for name in ["-", "/dev/stdout"] {
        let output = lab.xtask(&["export", name]);
        assert!(output.status.success(), "{}", support::said(&output));
        let words = String::from_utf8(output.stderr).unwrap();
        assert!(words.contains("Exported 0 rows"), "{words}");
        let file = lab.root.join("taken.tar");
        fs::write(&file, output.stdout).unwrap();
        lab.json(&["adopt", file.to_str().unwrap(), "--plan"]);
        fs::remove_file(&file).unwrap();
    }
    let output = lab.command(&["--json", "export", "-"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", support::said(&output));
    // A reader that goes away has no copy, and that is no success.
    let mut child = lab.command(&["export", "-"]);
    let mut child = child
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(4));
    let left = fs::read_dir(lab.root.join(".lab")).unwrap();
    let left = left.filter(|one| one.as_ref().unwrap().path().extension() == Some("part".as_ref()));
    assert_eq!(left.count(), 0);
}
