//! Labs whose pods are a small stand-in program: the engine is tested, not the
//! application.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use super::{TestLab, await_some, said};

/// A lab whose pods are `tests/data/pod.py`; `bare` removes it, processes
/// first, when the test is over.
pub fn lab(name: &str) -> TestLab {
    let lab = TestLab::bare(&format!("local-{name}"));
    fs::write(lab.root.join("app/pod.py"), include_str!("../data/pod.py")).unwrap();
    let deployment = "k8s/20-deployment.yaml";
    lab.edit(
        deployment,
        "[python, -m, pra, serve]",
        "[python3, pod.py, /data]",
    );
    let cron_job = "k8s/40-cronjob-backup.yaml";
    lab.edit(
        cron_job,
        "[python, -m, pra, backup, --json]",
        "[python3, pod.py, /data, ok]",
    );
    // Never by itself while a test runs.
    lab.edit(cron_job, "* * * * *", "0 0 29 2 *");
    let restore = "pra/50-job-restore.yaml";
    lab.edit(
        restore,
        "[python, -m, pra, restore, --json]",
        "[python3, pod.py, /data]",
    );
    lab.edit(restore, "PRA_RESTORE_POINT", "JOB");
    lab
}

pub fn done(lab: &TestLab, args: &[&str]) {
    let output = lab.xtask(args);
    assert!(output.status.success(), "{args:?}: {}", said(&output));
}

/// Names of the replicas that get requests.
pub fn ready(lab: &TestLab) -> BTreeSet<String> {
    let status = facts(lab);
    let pods = status["pods"].as_array().unwrap().iter();
    let ready = pods.filter(|pod| pod["ready"] == true);
    ready
        .map(|pod| pod["name"].as_str().unwrap().to_owned())
        .collect()
}

pub fn facts(lab: &TestLab) -> serde_json::Value {
    // Only the facts: the stand-in has no status of an application to give.
    let output = lab.xtask(&["local", "facts", "--json"]);
    assert!(output.status.success(), "{}", said(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

pub fn up(lab: &TestLab) -> u16 {
    done(lab, &["local", "apply"]);
    await_some("two ready replicas", || {
        (ready(lab).len() == 2).then_some(())
    });
    port(lab)
}

pub fn port(lab: &TestLab) -> u16 {
    let facts = facts(lab);
    let url = facts["url"].as_str().unwrap();
    url.rsplit(':').next().unwrap().parse().unwrap()
}

/// One request on a connection of its own; the body of the answer.
pub fn request(port: u16, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .ok()?;
    write!(stream, "GET {path} HTTP/1.0\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    (head.contains(" 200 ") && !body.is_empty()).then(|| body.to_owned())
}

/// Clients that ask without pause while `act` runs; (asked, failed).
pub fn under_load(port: u16, clients: usize, path: &str, act: impl FnOnce()) -> (usize, usize) {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let client = || {
            let (mut asked, mut failed) = (0, 0);
            while !over.load(Ordering::Relaxed) {
                asked += 1;
                failed += usize::from(request(port, path).is_none());
                thread::sleep(Duration::from_millis(5));
            }
            (asked, failed)
        };
        let clients: Vec<_> = (0..clients).map(|_| scope.spawn(client)).collect();
        act();
        over.store(true, Ordering::Relaxed);
        let results = clients.into_iter().map(|client| client.join().unwrap());
        results.fold((0, 0), |(a, f), (asked, failed)| (a + asked, f + failed))
    })
}

pub fn supervisor(lab: &TestLab) -> String {
    let text = fs::read_to_string(lab.root.join(".lab/state/supervisor.lock")).unwrap();
    text.trim().to_owned()
}

pub fn signal(pid: &str, signal: &str) {
    let status = Command::new("kill").args([signal, pid]).status().unwrap();
    assert!(status.success(), "kill {signal} {pid}");
}

pub fn replace_one(lab: &TestLab, force: bool) {
    let before = ready(lab);
    let victim = before.first().unwrap();
    let mut args = vec!["local", "kill", victim.as_str()];
    args.extend(force.then_some("--force"));
    done(lab, &args);
    await_some("a replacement with another name", || {
        let now = ready(lab);
        (now.len() == 2 && !now.contains(victim)).then_some(())
    });
}
