//! Which checkout a command acts on, from outside.

use crate::support;

use std::path::Path;
use std::process::{Command, Output};

use support::{TestLab, project, said};

/// What a person types in a folder, with no checkout named.
fn typed(folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.args(args).current_dir(folder);
    command.env_remove("ATELIER_ROOT");
    command.env_remove("CARGO_MANIFEST_DIR");
    command.output().unwrap()
}

#[test]
fn a_program_built_from_another_checkout_removes_nothing_of_either() {
    let lab = TestLab::bare("checkout-other");
    let volume = lab.root.join(".lab/volumes/pra-data");
    std::fs::create_dir_all(&volume).unwrap();
    let output = typed(&lab.root.join("app/pra"), &["teardown", "--yes"]);
    let text = said(&output);
    assert_eq!(output.status.code(), Some(2), "{text}");
    for folder in [&lab.root, &project()] {
        let folder = folder.canonicalize().unwrap();
        assert!(text.contains(&*folder.to_string_lossy()), "{text}");
    }
    assert!(volume.exists());
}

#[test]
fn a_variable_that_was_forgotten_removes_nothing_of_another_checkout() {
    let lab = TestLab::bare("checkout-variable");
    let volume = lab.root.join(".lab/volumes/pra-data");
    std::fs::create_dir_all(&volume).unwrap();
    let mut teardown = lab.command(&["teardown", "--yes"]);
    let output = teardown.current_dir(project().join("app")).output();
    let output = output.unwrap();
    let text = said(&output);
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(text.contains("ATELIER_ROOT"), "{text}");
    assert!(volume.exists());
}

#[test]
fn a_sub_folder_of_the_checkout_is_as_good_as_its_root() {
    let output = typed(
        &project().join("xtask/src/commands"),
        &["scenario", "--list"],
    );
    assert!(output.status.success(), "{}", said(&output));
    let output = typed(Path::new("/"), &["scenario", "--list"]);
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
}
