//! The project's own rules, as tests.

use crate::support;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn project_files() -> Vec<PathBuf> {
    let output = Command::new("git")
        .args([
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ])
        .current_dir(support::project())
        .output()
        .unwrap();
    let names = String::from_utf8(output.stdout).unwrap();
    let files = names
        .split('\0')
        .filter(|name| !name.is_empty())
        .map(PathBuf::from);
    let files: Vec<_> = files
        .filter(|file| support::project().join(file).exists())
        .collect();
    assert!(files.len() > 20, "git lists {} files", files.len());
    files
}

fn text(file: &Path) -> String {
    let bytes = fs::read(support::project().join(file)).unwrap();
    String::from_utf8_lossy(&bytes).into_owned()
}

fn has_extension(file: &Path, extensions: &[&str]) -> bool {
    file.extension()
        .is_some_and(|e| extensions.iter().any(|wanted| e == *wanted))
}

#[test]
fn files_stay_small_enough_to_read() {
    for file in project_files() {
        if has_extension(&file, &["rs", "py"]) {
            let lines = text(&file).lines().count();
            assert!(
                lines <= 420,
                "{} has {lines} lines: split it",
                file.display()
            );
        }
    }
}

/// Hashes of files and scripts of containers depend on it.
#[test]
fn every_file_has_the_same_line_ends_on_every_machine() {
    // A picture has none.
    let mut files = project_files();
    files.retain(|file| !has_extension(file, &["png"]));
    let output = Command::new("git")
        .args(["check-attr", "text", "eol", "--"])
        .args(&files)
        .current_dir(support::project())
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let of = |wanted: &str| said.lines().filter(|line| line.ends_with(wanted)).count();
    assert_eq!(
        (of(": text: auto"), of(": eol: lf")),
        (files.len(), files.len())
    );
    for file in files {
        assert!(!text(&file).contains('\r'), "{}", file.display());
    }
}

/// What only one module may do, so that it has one home.
#[test]
fn processes_and_output_have_one_home_each() {
    let rules = [
        ("exec", &["std::process::Command", "duct::", "xshell::"][..]),
        (
            "ui",
            &["println!", "eprintln!", "io::stdout", "io::stderr"][..],
        ),
        ("http", &["ureq::"][..]),
    ];
    let mut seen = BTreeSet::new();
    for file in project_files() {
        if !file.starts_with("xtask/src") {
            continue;
        }
        let inside = file.strip_prefix("xtask/src").unwrap().with_extension("");
        let module = inside.iter().next().unwrap().to_string_lossy().into_owned();
        let source = text(&file);
        for (home, words) in rules {
            for word in words {
                if !source.contains(word) {
                    continue;
                }
                seen.insert(home);
                // What a visible child writes goes to our standard error.
                let allowed = module == home || (module == "exec" && *word == "io::stderr");
                assert!(
                    allowed,
                    "{} has {word}: that belongs into {home}",
                    file.display()
                );
            }
        }
    }
    assert_eq!(
        seen.len(),
        rules.len(),
        "a rule that nothing touches checks nothing"
    );
}

/// A lab on another cluster needs Docker for its image alone, the local engine not at all.
#[test]
fn docker_is_asked_by_the_k3d_engine_and_for_the_image_alone() {
    let mut asked = 0;
    for file in project_files() {
        let homes = ["xtask/src/engine/k3d", "xtask/src/kube/image"];
        let outside = !homes.iter().any(|home| file.starts_with(home));
        if !file.starts_with("xtask/src") || !text(&file).contains("Cmd::new(\"docker\")") {
            continue;
        }
        assert!(!outside, "{} asks Docker", file.display());
        asked += 1;
    }
    assert!(asked > 3, "only {asked} files ask Docker");
}

/// Another database keeps its rows elsewhere: what is done to them has its home in
/// `database/`.
#[test]
fn a_scenario_knows_no_sql_no_file_and_no_verb_of_the_application() {
    let known = [
        "crate::app",
        "PRA_JOURNAL",
        "_CLAIM",
        ".python(",
        "sqlite3.connect",
        "FROM events",
        "INTO events",
        "PRA_DATA_DIR",
        "PRA_BACKUP_DIR",
        "app.db",
    ];
    let mut seen = BTreeSet::new();
    for file in project_files() {
        let in_scenario = file.starts_with("xtask/src/scenario");
        if !in_scenario && !file.starts_with("xtask/src/database") {
            continue;
        }
        let source = text(&file);
        for word in known.into_iter().filter(|word| source.contains(word)) {
            assert!(!in_scenario, "{} has {word}", file.display());
            seen.insert(word);
        }
    }
    assert_eq!(
        seen.len(),
        known.len(),
        "a word that nothing has checks nothing"
    );
}

/// What a loss of power must not leave half-written goes through
/// `workspace::write_file`. Locks are written where they are held; a benchmark's
/// folder is gone after it.
#[test]
fn what_is_kept_is_written_whole_and_for_good() {
    let mut checked = 0;
    for file in project_files() {
        let elsewhere = ["xtask/src/commands/bench", "xtask/src/kube/forward.rs"];
        let ours = file.starts_with("xtask/src") || file.starts_with("report/src");
        if !ours || elsewhere.iter().any(|one| file.starts_with(one)) {
            continue;
        }
        let source = text(&file);
        let program = source
            .split("#[cfg(test)]\nmod ")
            .next()
            .unwrap_or_default();
        let by_hand = program.contains("fs::write(") && !file.ends_with("fetch_tests.rs");
        assert!(!by_hand, "{} writes a file by hand", file.display());
        checked += usize::from(program.contains("write_file("));
    }
    assert!(checked > 5, "only {checked} files write any");
}

#[test]
fn the_project_speaks_of_itself_alone() {
    let outside = ["..", "shared"].join("/");
    for file in project_files() {
        let name = file.display().to_string();
        if name == ".ci/run" {
            continue;
        }
        assert!(!text(&file).contains(&outside), "{name} names {outside}");
    }
}

/// The command of a line, after the options that are typed before it.
fn first_word(line: &str) -> Option<&str> {
    let mut words = line.split_whitespace();
    loop {
        match words.next()? {
            "--engine" | "--lab" | "--lang" | "--root" => drop(words.next()?),
            option if option.starts_with('-') => (),
            word => return Some(word),
        }
    }
}

/// Every `cargo xtask …` that a text shows can be typed.
#[test]
fn commands_in_the_texts_exist() {
    let mut shown = 0;
    for file in project_files() {
        if !has_extension(&file, &["md"]) {
            continue;
        }
        for command in text(&file).split("cargo xtask ").skip(1) {
            let line = command.lines().next().unwrap_or_default();
            let line = line
                .split(['`', '|', '#', ')', ',', ';'])
                .next()
                .unwrap_or_default();
            let Some(word) = first_word(line) else {
                continue;
            };
            if !word.chars().all(|c| c.is_ascii_lowercase() || c == '-') {
                continue;
            }
            let output = Command::new(env!("CARGO_BIN_EXE_xtask"))
                .args([word, "--help"])
                .output()
                .unwrap();
            assert!(
                output.status.success(),
                "{}: cargo xtask {line}",
                file.display()
            );
            shown += 1;
        }
    }
    assert!(shown > 3, "the texts show only {shown} commands");
}

/// And the README names every command there is.
#[test]
fn the_readme_names_every_command() {
    let output = Command::new(env!("CARGO_BIN_EXE_xtask"))
        .arg("--help")
        .output()
        .unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    // All that is above the options stands in groups of commands.
    let commands = help.lines().take_while(|line| *line != "Options:");
    let readme = text(Path::new("README.md"));
    let mut checked = 0;
    for line in commands.filter(|line| line.starts_with("  ")) {
        let word = line.split_whitespace().next().unwrap();
        if word == "help" {
            continue;
        }
        assert!(
            readme.contains(&format!("`{word}")),
            "README.md does not name `{word}`"
        );
        checked += 1;
    }
    assert!(checked > 20, "the help lists only {checked} commands");
}
