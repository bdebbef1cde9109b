//! Completion as the shells themselves do it, for what people type.

use crate::support;

use std::process::{Command, Output};

use support::{TestLab, said};

/// Runs a shell that loads the completion script; `None` where it is not installed.
fn shell(lab: &TestLab, program: &str, args: &[&str], script: &str) -> Option<Output> {
    let installed = Command::new(program).arg("--version").output().is_ok();
    assert!(installed || program != "bash", "every machine has bash");
    if !installed {
        return None;
    }
    let output = lab.xtask(&["completions", program]);
    let path = lab.root.join("completions");
    std::fs::write(&path, output.stdout).unwrap();
    let script = format!("source '{}'\n{script}", path.display());
    let mut command = Command::new(program);
    command.args(args).arg("-c").arg(script);
    command
        .env("ATELIER_ROOT", &lab.root)
        .current_dir(&lab.root);
    Some(command.output().unwrap())
}

fn lines(output: &Output) -> Vec<String> {
    assert!(output.status.success(), "{}", said(output));
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    text.lines().map(str::to_owned).collect()
}

/// What a lab of its own has to offer: a point's name, and no run.
fn lab_with_a_point(name: &str) -> (TestLab, String) {
    let lab = TestLab::new(name);
    lab.json(&["add", "one"]);
    let point = lab.json(&["backup"])["point"]["name"].clone();
    (lab, point.as_str().unwrap().to_owned())
}

/// As much of a point's name as no other point begins with: the schedule makes more.
fn begin_of(point: &str) -> &str {
    point.trim_end_matches(".db")
}

#[test]
fn bash_completes_what_is_typed_and_hands_on_the_rest() {
    let (lab, point) = lab_with_a_point("complete-bash");
    let script = r#"
try() {
    COMP_WORDS=("$@"); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); COMPREPLY=()
    _atelier_cargo cargo "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
    echo "${COMPREPLY[*]}"
}
[ "$(complete -p cargo)" = "complete -F _atelier_cargo cargo" ] || exit 3
try cargo xtask sce
try cargo xtask scenario no
try cargo xtask --engine = l
try cargo xtask restore app-
touch 'a copy.tar'; mkdir folder
try cargo xtask export 'a\ c'
try cargo xtask adopt fol
try cargo xtask adopt "$PWD/a c"
_before() { COMPREPLY=(build); }
_atelier_before=_before
try cargo bui
"#;
    let Some(output) = shell(
        &lab,
        "bash",
        &["--norc"],
        &script.replace("app-", begin_of(&point)),
    ) else {
        return;
    };
    let absolute = lab.root.join("a copy.tar").display().to_string();
    let wanted = [
        "scenario",
        "node-loss",
        "local",
        &point,
        "a copy.tar",
        "folder",
        &absolute,
        "build",
    ];
    assert_eq!(lines(&output), wanted, "{}", said(&output));
}

#[test]
fn zsh_completes_what_is_typed_and_hands_on_the_rest() {
    let (lab, point) = lab_with_a_point("complete-zsh");
    let script = r#"
_describe() { print -r -- ${(P)3} }
try() { words=("$@"); CURRENT=$#words; _atelier_cargo }
[[ ${_comps[cargo]} == _atelier_cargo ]] || exit 3
try cargo xtask sce
try cargo xtask scenario pod
try cargo xtask restore app-
_before() { print build }
_atelier_before=_before
try cargo bui
"#;
    let Some(output) = shell(
        &lab,
        "zsh",
        &["-f"],
        &script.replace("app-", begin_of(&point)),
    ) else {
        return;
    };
    let found = lines(&output);
    let begin = [
        "scenario:Cause a",
        "pod-crash:PCA: ",
        &format!("{point}:2"),
        "build",
    ];
    assert_eq!(found.len(), begin.len(), "{}", said(&output));
    for (line, begin) in found.iter().zip(begin) {
        assert!(
            line.starts_with(begin),
            "{line:?} does not begin with {begin:?}"
        );
    }
}

#[test]
fn fish_completes_what_is_typed() {
    let (lab, point) = lab_with_a_point("complete-fish");
    let script = r#"
complete -C "cargo xtask sce" | string match -r '^[^\t]*'
complete -C "cargo xtask scenario pod" | string match -r '^[^\t]*'
complete -C "cargo xtask restore app-" | string match -r '^[^\t]*'
"#;
    let Some(output) = shell(
        &lab,
        "fish",
        &["--no-config"],
        &script.replace("app-", begin_of(&point)),
    ) else {
        return;
    };
    assert_eq!(
        lines(&output),
        ["scenario", "pod-crash", &point],
        "{}",
        said(&output)
    );
}
