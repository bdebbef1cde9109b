//! `scenario … --live` on the local engine: the page that draws a disaster while it happens.

use crate::support;

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use support::{TestLab, await_some, said};

fn address(lab: &TestLab) -> String {
    await_some("the address of the page", || {
        let log = fs::read_to_string(lab.root.join("spawned.log")).unwrap();
        let begin = log.find("http://127.0.0.1:")?;
        let (url, _) = log[begin..].split_once('\n')?;
        Some(url.to_owned())
    })
}

/// What a client that is not ours is answered.
fn curl(args: &[&str]) -> String {
    let mut curl = Command::new("curl");
    curl.args(["-sS", "-i", "--max-time", "60"]).args(args);
    said(&curl.output().unwrap())
}

/// The pictures that a browser gets.
struct Browser {
    child: Child,
    heard: PathBuf,
}

impl Browser {
    fn open(lab: &TestLab, url: &str) -> Self {
        let heard = lab.root.join("heard.txt");
        let file = fs::File::create(&heard).unwrap();
        let mut curl = Command::new("curl");
        curl.args(["-sS", "-N", &format!("{url}events")]);
        let child = curl.stdout(file).stderr(Stdio::null()).spawn().unwrap();
        Self { child, heard }
    }

    fn pictures(&self) -> Vec<(String, String)> {
        let text = fs::read_to_string(&self.heard).unwrap();
        let events = text.split("\n\n").filter_map(|event| {
            let (name, data) = event.trim_start().split_once('\n')?;
            let picture: Value = serde_json::from_str(data.strip_prefix("data: ")?).ok()?;
            let name = name.strip_prefix("event: ")?;
            Some((name.to_owned(), picture.as_str()?.to_owned()))
        });
        events.collect()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_disaster_is_drawn_while_it_happens_and_its_last_picture_stays() {
    let lab = TestLab::new("live");
    lab.json(&["add", "before"]);
    // Each part waits for Enter, so that no picture of it can be missed.
    let log = fs::File::create(lab.root.join("spawned.log")).unwrap();
    let mut command = lab.command(&["scenario", "volume-loss", "--live", "--step"]);
    command.stdout(log.try_clone().unwrap()).stderr(log);
    let mut scenario = command.stdin(Stdio::piped()).spawn().unwrap();
    let mut enter = scenario.stdin.take().unwrap();
    let url = address(&lab);
    let browser = Browser::open(&lab, &url);
    // A browser that takes nothing of what it asked for is waited for by nobody.
    let port = url.trim_end_matches('/').rsplit(':').next().unwrap();
    let mut idle = TcpStream::connect(format!("127.0.0.1:{port}")).unwrap();
    let asked = format!("GET /events HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n");
    idle.write_all(asked.as_bytes()).unwrap();

    let page = curl(&[&url]);
    assert!(page.starts_with("HTTP/1.1 200 OK"), "{page}");
    assert!(page.contains("script-src 'self'") && !page.contains("unsafe"));
    for (path, kind) in [("live.js", "text/javascript"), ("live.css", "text/css")] {
        assert!(curl(&[&format!("{url}{path}")]).contains(kind), "{path}");
    }
    let elsewhere = curl(&["-H", &format!("Host: attacker.example:{port}"), &url]);
    assert!(elsewhere.starts_with("HTTP/1.1 421 "), "{elsewhere}");

    enter.write_all(b"\n").unwrap();
    await_some("a picture of the outage", || {
        let words = [
            "✗ no service",
            "<svg",
            "provisioned",
            "disaster: application stopped",
        ];
        let all = |picture: &str| words.iter().all(|word| picture.contains(word));
        let mut pictures = browser.pictures().into_iter();
        pictures.any(|(_, picture)| all(&picture)).then_some(())
    });
    enter.write_all(&[b'\n'; 20]).unwrap();
    drop(enter);
    assert_eq!(scenario.wait().unwrap().code(), Some(0));
    let pictures = await_some("the last picture", || {
        let pictures = browser.pictures();
        let last = pictures.last().is_some_and(|(name, _)| name == "last");
        last.then_some(pictures)
    });
    let (_, last) = pictures.last().unwrap();
    let runs = lab.json(&["runs", "list"]);
    let result = lab
        .root
        .join(".lab/runs")
        .join(runs[0]["name"].as_str().unwrap());
    let result: Value =
        serde_json::from_slice(&fs::read(result.join("result.json")).unwrap()).unwrap();
    let away = result["rto"]["seconds"].as_f64().unwrap();
    for shown in ["✓ kept", "RPO, rows lost", "provisioned", "restored"] {
        assert!(last.contains(shown), "{shown}: {last}");
    }
    let away = match away < 100.0 {
        true => away.to_string(),
        false => format!("{away:.0}"),
    };
    assert!(last.contains(&format!(">{away} s<")), "{away}: {last}");
    assert!(
        TcpStream::connect(format!("127.0.0.1:{port}")).is_err(),
        "it is over"
    );
    let mut rest = Vec::new();
    idle.set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    let _ = idle.read_to_end(&mut rest);
}

#[test]
fn the_page_ends_with_a_command_that_is_killed() {
    let lab = TestLab::new("live-killed");
    let args = [
        "scenario",
        "volume-loss",
        "--live",
        "--operator-delay",
        "600",
    ];
    let mut scenario = lab.spawn(&args);
    let url = address(&lab);
    let port = url.trim_end_matches('/').rsplit(':').next().unwrap();
    assert!(TcpStream::connect(format!("127.0.0.1:{port}")).is_ok());
    scenario.kill().unwrap();
    scenario.wait().unwrap();
    await_some("the end of the page", || {
        TcpStream::connect(format!("127.0.0.1:{port}")).err()
    });
}

#[test]
fn a_port_that_is_taken_is_said_before_anything_is_done() {
    let lab = TestLab::bare("live-port");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let text = lab.fails(4, &["scenario", "volume-loss", &format!("--live={port}")]);
    assert!(
        text.contains(&format!("listening on port {port}")),
        "{text}"
    );
    assert!(text.contains("--live alone"), "{text}");
    assert!(!lab.root.join(".lab/volumes").exists());
    let shown = lab.xtask(&["scenario", "volume-loss", "--live", "--dry-run"]);
    assert!(
        !said(&shown).contains("http://127.0.0.1"),
        "{}",
        said(&shown)
    );
}
