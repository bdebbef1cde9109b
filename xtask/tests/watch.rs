//! `watch` on the local engine: beside a scenario, over a teardown, and on a terminal.

use crate::support;

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command};

use serde_json::{Value, json};
use support::{TestLab, await_some, fake_ha, said};

struct Watch {
    child: Child,
    log: PathBuf,
}

impl Watch {
    fn start(lab: &TestLab) -> Self {
        let log = lab.root.join("watched.log");
        let file = fs::File::create(&log).unwrap();
        let mut command = lab.command(&["watch", "--json"]);
        command.stdout(file.try_clone().unwrap()).stderr(file);
        let child = command.spawn().unwrap();
        Self { child, log }
    }

    fn lines(&self) -> Vec<Value> {
        let text = fs::read_to_string(&self.log).unwrap();
        // The last one may be being written.
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        let read = |line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"));
        whole.lines().map(read).collect()
    }

    /// Waits until a line says so.
    fn awaits(&self, what: &str, is_so: impl Fn(&Value) -> bool) {
        self.awaits_after(0, what, is_so);
    }

    /// The same of a line after so many.
    fn awaits_after(&self, lines: usize, what: &str, is_so: impl Fn(&Value) -> bool) {
        await_some(what, || {
            self.lines()[lines..].iter().any(&is_so).then_some(())
        });
    }
}

fn interrupt(child: &Child) {
    let id = child.id().to_string();
    let kill = Command::new("kill").args(["-INT", &id]).status();
    assert!(kill.unwrap().success());
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_lab_is_watched_from_before_it_is_there_over_a_disaster_until_it_is_gone() {
    let lab = TestLab::new("watch");
    let mut watch = Watch::start(&lab);
    watch.awaits("nothing to be there", |line| line["running"] == false);
    lab.json(&["add", "first"]);
    watch.awaits("the first row", |line| {
        line["rows"] == 1 && line["ready"] == 2 && !line["alerts"].is_null()
    });
    lab.json(&["backup"]);
    watch.awaits("the first point", |line| {
        let point = &line["newest_point"];
        point["name"]
            .as_str()
            .is_some_and(|name| name.starts_with("app-"))
            && line["journal"]["mode"] == "required"
    });

    // Somebody uses it.
    await_some("requests to be counted", || {
        lab.json(&["add", "one more"]);
        let lines = watch.lines();
        let mut rates = lines
            .iter()
            .map(|line| line["requests_per_second"].as_f64());
        rates.any(|rate| rate > Some(0.0)).then_some(())
    });

    // Both go on at once: neither waits for the other.
    let mut scenario = lab.spawn(&["scenario", "volume-loss", "--operator-delay", "600"]);
    let decides = |line: &Value| {
        let step = line["doing"]["step"].as_str();
        step.is_some_and(|step| step.contains("a person decides"))
    };
    watch.awaits("the decision", decides);
    let lines = watch.lines();
    let doing = &lines.iter().find(|line| decides(line)).unwrap()["doing"];
    assert_eq!(doing["phase"], "decided", "{doing}");
    assert_eq!(doing["scenario"], "volume-loss");
    assert!(doing["run"].as_str().unwrap().ends_with("-volume-loss"));
    assert!(doing["acknowledged"].as_u64() >= Some(60), "{doing}");
    assert!(doing["failed"].as_u64() > Some(0), "{doing}");
    assert!(doing["disaster_seconds"].as_f64() > Some(0.0), "{doing}");
    interrupt(&scenario);
    let ended = scenario.wait().unwrap();
    assert_eq!(ended.code(), Some(130));
    let seen = watch.lines().len();
    watch.awaits_after(seen, "the lab as it was", |line| {
        line["holder"].is_null() && line["doing"].is_null() && line["rows"].as_u64() > Some(1)
    });

    lab.json(&["teardown", "--yes"]);
    let seen = watch.lines().len();
    watch.awaits_after(seen, "the lab to be gone", |line| line["running"] == false);
    interrupt(&watch.child);
    let ended = await_some("its end", || watch.child.try_wait().unwrap());
    assert_eq!(ended.code(), Some(0));
}

#[test]
fn so_many_lines_and_no_more_are_printed_where_no_terminal_is() {
    let lab = TestLab::bare("watch-lines");
    let output = lab.xtask(&["watch", "--count", "2"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 2, "{text}");
    assert!(lines.iter().all(|line| line.ends_with(" down")), "{text}");
    let refused = lab.xtask(&["watch", "--count", "0"]);
    assert_eq!(refused.status.code(), Some(2));
}

#[test]
fn a_lab_on_a_cluster_is_watched_though_its_application_is_away() {
    let world = fake_ha::up("watch-ha");
    let line = world.lab.json(&["--lab", "ha", "watch", "--count", "1"]);
    assert_eq!(
        (&line["lab"], &line["running"]),
        (&json!("ha"), &json!(true)),
        "{line}"
    );
    assert_eq!(
        (&line["ready"], &line["wanted"]),
        (&json!(3), &json!(3)),
        "{line}"
    );
    let trouble = line["trouble"][0].as_str().unwrap();
    assert!(trouble.starts_with("application: "), "{line}");
}

/// Plays a terminal of 24 lines and 80 columns, types `q` once the picture is there, and says
/// what was drawn, and whether keys are shown again afterwards.
const TERMINAL: &str = r#"
import fcntl, os, pty, struct, sys, termios
pid, terminal = pty.fork()
if pid == 0:
    os.execv(sys.argv[1], sys.argv[1:])
fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
drawn = b""
typed = False
while True:
    try:
        drawn += os.read(terminal, 65536)
    except OSError:
        break
    if not typed and b"ends it." in drawn:
        hidden = not termios.tcgetattr(terminal)[3] & termios.ECHO
        typed = os.write(terminal, b"q") == 1
shown = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
sys.stdout.buffer.write(drawn)
print("\nhidden" if hidden else "\nshown")
sys.exit(shown)
"#;

#[test]
fn on_a_terminal_it_draws_a_picture_that_q_ends() {
    let lab = TestLab::bare("watch-terminal");
    let xtask = lab.command(&["watch"]);
    let mut terminal = Command::new("python3");
    terminal.args(["-c", TERMINAL]).arg(xtask.get_program());
    terminal.args(xtask.get_args()).current_dir("/");
    for (name, value) in xtask.get_envs() {
        terminal.env(name, value.unwrap());
    }
    let output = terminal.env("TERM", "xterm").output().unwrap();
    let text = said(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(text.contains("state") && text.contains("down"), "{text}");
    assert!(text.ends_with("hidden\n"), "{text}");
    // The first screen is back, and so is the cursor.
    let (_, after) = text.rsplit_once("ends it.").unwrap();
    assert!(
        after.contains("\x1b[?1049l") && after.contains("\x1b[?25h"),
        "{after:?}"
    );
}
