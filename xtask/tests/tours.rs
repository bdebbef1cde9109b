//! `tour`: what it says is what happened, in both languages, and it waits for who reads.

use crate::support;

use std::fs;
use std::process::{Command, ExitStatus};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use serde_json::Value;
use support::{TestLab, await_some, said};

/// The result of the only run that there is.
fn only_result(lab: &TestLab) -> Value {
    let runs = fs::read_dir(lab.root.join(".lab/runs")).unwrap();
    let results = runs.map(|run| run.unwrap().path().join("result.json"));
    // Beside them is the history, as a page.
    let results: Vec<_> = results.filter(|file| file.exists()).collect();
    assert_eq!(results.len(), 1, "{results:?}");
    serde_json::from_slice(&fs::read(&results[0]).unwrap()).unwrap()
}

#[test]
fn it_tells_the_figures_of_its_own_run_and_keeps_what_was_there() {
    let lab = TestLab::new("tour");
    lab.json(&["add", "mine"]);
    let output = lab.xtask(&["tour"]);
    let text = said(&output);
    assert!(output.status.success(), "{text}");
    let result = only_result(&lab);
    let (rto, lost) = (&result["rto"]["seconds"], &result["rpo"]["lost"]);
    let acknowledged = &result["rpo"]["acknowledged"];
    for part in [
        format!("the service: {rto} s."),
        format!("{lost} of {acknowledged} acknowledged writes"),
        "the mistake is gone".to_owned(),
    ] {
        assert!(text.contains(&part), "no {part:?} in {text}");
    }
    // Counted by the application: mine, the tour's, the client's, and no mistake.
    let rows = lab.curl("/count")["count"].as_u64().unwrap();
    assert_eq!(rows, 2 + acknowledged.as_u64().unwrap());
    let told = format!("{} rows before, {rows} after", rows + 1);
    assert!(text.contains(&told), "no {told:?} in {text}");
    let newest = lab.curl("/consultation").to_string();
    assert!(!newest.contains("a mistake"), "{newest}");
}

#[test]
fn a_program_reads_one_document_of_it() {
    let lab = TestLab::new("tour-json");
    let tour = lab.json(&["tour"]);
    assert_eq!(tour["scenario"]["passed"], true, "{tour}");
    let rows = |when: &str| tour["mistake"][when].as_u64().unwrap();
    assert_eq!(rows("rows_before"), rows("rows_after") + 1);
    assert_eq!(lab.curl("/count")["count"], rows("rows_after"));
}

/// Writes as another user does, until told to stop; what was acknowledged.
fn others(url: &str, stop: &AtomicBool) -> Vec<String> {
    let mut acknowledged = Vec::new();
    for n in 0.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let message = format!("theirs-{n}");
        let mut curl = Command::new("curl");
        curl.args(["-sS", "-f", "-m", "5"]);
        curl.arg(format!("{url}/add?message={message}"));
        if curl.output().unwrap().status.success() {
            acknowledged.push(message);
        }
    }
    acknowledged
}

/// Plays a tour beside which somebody writes, from the moment on that it says `from`.
fn beside_others(lab: &TestLab, from: &str) -> (ExitStatus, String, Vec<String>) {
    lab.json(&["setup"]);
    let url = lab.json(&["status"])["facts"]["url"]
        .as_str()
        .unwrap()
        .to_owned();
    let mut tour = lab.spawn(&["tour"]);
    let log = lab.root.join("spawned.log");
    let told = || fs::read_to_string(&log).unwrap();
    await_some(from, || told().contains(from).then_some(()));
    let stop = AtomicBool::new(false);
    let (ended, acknowledged) = thread::scope(|scope| {
        let others = scope.spawn(|| others(&url, &stop));
        let ended = tour.wait().unwrap();
        stop.store(true, Ordering::Relaxed);
        (ended, others.join().unwrap())
    });
    (ended, told(), acknowledged)
}

#[test]
fn what_others_write_meanwhile_does_not_go_with_the_mistake() {
    let lab = TestLab::new("tour-others");
    let (ended, text, acknowledged) = beside_others(&lab, "4/4");
    assert!(ended.success(), "{text}");
    assert!(!acknowledged.is_empty(), "{text}");
    let present = support::present(&lab);
    let missing: Vec<_> = acknowledged
        .iter()
        .filter(|one| !present.contains(*one))
        .collect();
    assert!(
        missing.is_empty(),
        "{missing:?} of {acknowledged:?}: {text}"
    );
    assert!(text.contains("is left where it is"), "{text}");
    assert!(!text.contains("the mistake is gone"), "{text}");
}

#[test]
fn what_others_write_beside_its_disaster_is_no_broken_promise() {
    let lab = TestLab::new("tour-beside");
    let (ended, text, acknowledged) = beside_others(&lab, "$ cargo xtask scenario");
    assert!(!acknowledged.is_empty(), "{text}");
    assert_eq!(ended.code(), Some(2), "{text}");
    assert!(text.contains("somebody else wrote"), "{text}");
    assert!(!text.contains("did not hold"), "{text}");
}

/// As in the original workshop: there is no way back but to a restore point.
#[test]
fn without_a_journal_it_says_so_and_goes_back_to_a_point() {
    let lab = TestLab::new("tour-snapshots");
    lab.edit(
        "k8s/05-config.yaml",
        "PRA_JOURNAL: required",
        "PRA_JOURNAL: \"off\"",
    );
    // A backup between the mistake and the restore would have the mistake too.
    lab.edit("k8s/40-cronjob-backup.yaml", "* * * * *", "0 0 29 2 *");
    let output = lab.xtask(&["tour"]);
    let text = said(&output);
    assert!(output.status.success(), "{text}");
    assert!(text.contains("is switched off here"), "{text}");
    assert!(text.contains("$ cargo xtask restore latest"), "{text}");
    assert!(
        !text.contains("the journal numbers each transaction"),
        "{text}"
    );
    let lost = only_result(&lab)["rpo"]["lost"].as_u64().unwrap();
    assert!(text.contains(&format!("was lost: {lost} of ")), "{text}");
    let newest = lab.curl("/consultation").to_string();
    assert!(!newest.contains("a mistake"), "{newest}");
}

/// On a terminal it stops three times, and goes on with Enter alone.
#[test]
fn on_a_terminal_it_waits_for_the_reader() {
    const DRIVER: &str = "import os, pty, sys
pid, terminal = pty.fork()
if not pid:
    os.execvp(sys.argv[1], sys.argv[1:])
seen, answered = b'', 0
while True:
    try:
        piece = os.read(terminal, 4096)
    except OSError:
        break
    if not piece:
        break
    seen += piece
    if seen.decode(errors='ignore').count('[Entrée]') > answered:
        # The next part has not begun.
        assert f'{answered + 2}/4'.encode() not in seen, seen
        answered += 1
        os.write(terminal, b'\\n')
code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
print(code, answered)
print(seen.decode())
";
    let lab = TestLab::new("tour-terminal");
    let tour = lab.command(&["tour", "--lang", "fr"]);
    let mut python = Command::new("python3");
    python.args(["-c", DRIVER]).arg(tour.get_program());
    python.args(tour.get_args()).current_dir("/");
    for (name, value) in tour.get_envs() {
        python.env(name, value.unwrap());
    }
    let output = python.output().unwrap();
    let text = said(&output);
    assert!(output.status.success(), "{text}");
    assert!(text.starts_with("0 3\n"), "{text}");
    let result = only_result(&lab);
    let rto = result["rto"]["seconds"].to_string().replace('.', ",");
    let told = format!("pour les utilisateurs : {rto} s.");
    assert!(text.contains(&told), "no {told:?} in {text}");
    assert!(text.contains("La visite est finie"), "{text}");
}

/// What `--dry-run` prints is the tour, typed.
#[test]
fn its_commands_can_be_pasted() {
    let lab = TestLab::new("tour-pasted");
    let output = lab.xtask(&["tour", "--dry-run"]);
    assert!(output.status.success(), "{}", said(&output));
    assert!(!lab.root.join(".lab/runs").exists());
    let shell = String::from_utf8(output.stdout).unwrap();
    let xtask = concat!("'", env!("CARGO_BIN_EXE_xtask"), "'");
    let shell = shell.replace("cargo xtask", xtask);
    let mut pasted = Command::new("bash");
    pasted.args(["-exc", &shell]).env("ATELIER_ROOT", &lab.root);
    let output = pasted.current_dir(&lab.root).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let acknowledged = only_result(&lab)["rpo"]["acknowledged"].as_u64().unwrap();
    assert_eq!(lab.curl("/count")["count"], 1 + acknowledged);
}
