//! The local engine from outside: its supervisor with stand-ins for the
//! application, killed, overtaken and asked for what it must not do.

use crate::support;

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use support::standin::*;
use support::{TestLab, await_some, said};

#[test]
fn a_graceful_end_costs_no_request() {
    let lab = lab("graceful");
    let port = up(&lab);
    for path in ["/", "/slow"] {
        let (asked, failed) = under_load(port, 6, path, || {
            thread::sleep(Duration::from_millis(200));
            replace_one(&lab, false);
            replace_one(&lab, false);
        });
        assert!(asked > 10, "{path}: only {asked} requests");
        assert_eq!(failed, 0, "{path}: of {asked} requests");
    }
}

#[test]
fn a_hard_end_costs_no_request_that_is_sent_once_it_was_noticed() {
    let lab = lab("hard");
    let port = up(&lab);
    let victim = ready(&lab).first().unwrap().clone();
    let (asked, failed) = under_load(port, 4, "/", || {
        done(&lab, &["local", "kill", &victim, "--force"]);
    });
    assert!(failed < asked, "all of {asked} requests failed");
    let (asked, failed) = under_load(port, 4, "/", || {
        await_some("a replacement with another name", || {
            let now = ready(&lab);
            (now.len() == 2 && !now.contains(&victim)).then_some(())
        });
    });
    assert_eq!(failed, 0, "of {asked} requests");
}

#[test]
fn a_killed_supervisor_is_replaced_as_it_was_without_orphans_or_doubles() {
    let lab = lab("takeover");
    let port = up(&lab);
    done(&lab, &["local", "scale", "1"]);
    done(&lab, &["local", "suspend"]);
    let pods = |lab: &TestLab| -> BTreeSet<String> {
        let all = lab.processes().into_iter();
        let pods = all.filter(|line| line.contains("pod.py"));
        pods.filter_map(|line| Some(line.split_whitespace().next()?.to_owned()))
            .collect()
    };
    await_some("one replica and its child", || {
        (pods(&lab).len() == 2).then_some(())
    });
    let before = pods(&lab);
    signal(&supervisor(&lab), "-9");
    assert_eq!(
        pods(&lab),
        before,
        "the pods outlive their supervisor at first"
    );

    done(&lab, &["local", "suspend"]);
    await_some("the replica", || request(port, "/"));
    let after = pods(&lab);
    assert_eq!(after.len(), 2, "{:?}", lab.processes());
    assert!(before.is_disjoint(&after), "{before:?} {after:?}");
    let facts = facts(&lab);
    assert_eq!(facts["wanted"], 1);
    assert_eq!(facts["suspended"], true);

    signal(&supervisor(&lab), "-9");
    done(&lab, &["teardown", "--yes"]);
    assert_eq!(lab.processes(), Vec::<String>::new());
    assert!(!lab.root.join(".lab/volumes").exists());
}

#[test]
fn there_is_never_a_second_supervisor_and_a_hang_up_ends_none() {
    let lab = lab("second");
    let port = up(&lab);
    let first = supervisor(&lab);
    lab.fails(2, &["local", "supervisor"]);
    signal(&first, "-HUP");
    assert!(request(port, "/").is_some());
    done(&lab, &["local", "apply"]);
    assert_eq!(supervisor(&lab), first);
    signal(&first, "-TERM");
    await_some("everything to end", || {
        lab.processes().is_empty().then_some(())
    });
    assert!(request(port, "/").is_none());
    let again = up(&lab);
    assert_eq!(again, port, "the port is kept");
}

#[test]
fn a_volume_is_deleted_for_good_but_not_in_use_and_not_through_links() {
    let lab = lab("volumes");
    up(&lab);
    let data = lab.root.join(".lab/volumes/pra-data");
    let outside = lab.root.join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("precious"), "x").unwrap();
    fs::write(data.join("row"), "x").unwrap();
    symlink(&outside, data.join("link")).unwrap();
    let delete = |claim: &str| -> Vec<String> {
        ["local", "delete-volume", claim, "--yes"]
            .map(str::to_owned)
            .to_vec()
    };
    let words = delete("pra-data");
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let said = lab.fails(2, &words);
    assert!(said.contains("in use by flask-"), "{said}");
    for claim in ["../../k8s", "app", ""] {
        lab.fails(2, &["local", "delete-volume", claim, "--yes"]);
    }

    done(&lab, &["local", "scale", "0"]);
    await_some("no pods", || {
        facts(&lab)["pods"]
            .as_array()
            .unwrap()
            .is_empty()
            .then_some(())
    });
    // Whoever asks may be gone before it is over.
    let socket = lab.root.join(".lab/state/supervisor.sock");
    let mut asking = UnixStream::connect(socket).unwrap();
    asking
        .write_all(b"{\"lang\": \"en\", \"ask\": {\"delete_volume\": \"pra-data\"}}\n")
        .unwrap();
    drop(asking);
    await_some("one volume, and nothing of the other", || {
        let left = fs::read_dir(lab.root.join(".lab/volumes")).unwrap();
        (left.count() == 1).then_some(())
    });
    done(&lab, &words);
    assert!(outside.join("precious").exists());

    // Replicas wait for their volume; applying brings both back.
    done(&lab, &["local", "scale", "2"]);
    await_some("two waiting replicas", || {
        (facts(&lab)["pods"].as_array().unwrap().len() == 2).then_some(())
    });
    assert!(!data.exists() && ready(&lab).is_empty());
    up(&lab);
    assert_eq!(fs::read_dir(&data).unwrap().count(), 0);

    done(&lab, &["local", "scale", "0"]);
    await_some("no pods", || {
        facts(&lab)["pods"]
            .as_array()
            .unwrap()
            .is_empty()
            .then_some(())
    });
    fs::remove_dir(&data).unwrap();
    symlink(&outside, &data).unwrap();
    let said = lab.fails(2, &words);
    assert!(said.contains("symbolic link"), "{said}");
    assert!(outside.join("precious").exists());
}

#[test]
fn a_job_backs_off_ends_at_its_deadline_and_is_deleted_with_its_processes() {
    let lab = lab("jobs");
    let ran = || fs::read_to_string(lab.root.join(".lab/volumes/pra-data/ran")).unwrap();
    lab.edit(
        "pra/50-job-restore.yaml",
        "backoffLimit: 2",
        "backoffLimit: 1",
    );
    let restore = "pra/50-job-restore.yaml";
    lab.edit(
        restore,
        "terminationGracePeriodSeconds: 3",
        "terminationGracePeriodSeconds: 1",
    );
    up(&lab);
    let ok = lab.json(&["local", "job", "restore", "--env", "JOB=ok"]);
    assert_eq!(ok["succeeded"], true, "{ok}");
    assert_eq!(ok["log"], "job ok\n");

    let start = Instant::now();
    let said = lab.fails(4, &["local", "job", "restore", "--env", "JOB=bad"]);
    assert!(said.contains("all 2 attempts failed"), "{said}");
    assert!(
        start.elapsed() >= Duration::from_secs(10),
        "a shorter pause between the attempts than on a cluster"
    );
    assert_eq!(ran(), "ok\nbad\nbad\n");
    let said = lab.fails(4, &["local", "job", "restore", "--env", "JOB=refused"]);
    assert!(said.contains("another attempt would not help"), "{said}");
    assert_eq!(ran(), "ok\nbad\nbad\nrefused\n");

    lab.edit(
        restore,
        "activeDeadlineSeconds: 300",
        "activeDeadlineSeconds: 1",
    );
    let said = lab.fails(4, &["local", "job", "restore", "--env", "JOB=hang"]);
    assert!(said.contains("longer than 1 s"), "{said}");

    lab.edit(
        restore,
        "activeDeadlineSeconds: 1",
        "activeDeadlineSeconds: 300",
    );
    // The one before may have been ended before it could say a word.
    let before = ran().matches("hang").count();
    // Waits for a lock of its own: `local job` holds the lab's.
    let mut waiting = lab.spawn(&["local", "job", "restore", "--env", "JOB=hang"]);
    await_some("the job to run", || {
        (ran().matches("hang").count() > before).then_some(())
    });
    signal(&waiting.id().to_string(), "-INT");
    assert_eq!(waiting.wait().unwrap().code(), Some(130));
    let jobs = facts(&lab)["jobs"].clone();
    assert_eq!(
        jobs[0]["state"], "running",
        "ctrl-C ends the wait alone: {jobs}"
    );
    done(&lab, &["local", "delete-jobs"]);
    assert_eq!(facts(&lab)["jobs"].as_array().unwrap().len(), 0);
    let left: Vec<_> = lab
        .processes()
        .into_iter()
        .filter(|line| line.contains("sqlite-restore"))
        .collect();
    assert_eq!(left, Vec::<String>::new());
    lab.fails(2, &["local", "job", "restore", "--name", "../../escape"]);
}

#[test]
fn a_replica_that_dies_or_falls_ill_is_started_again_in_its_pod() {
    let lab = lab("restarts");
    lab.edit(
        "k8s/20-deployment.yaml",
        "initialDelaySeconds: 5",
        "initialDelaySeconds: 1",
    );
    lab.edit(
        "k8s/20-deployment.yaml",
        "periodSeconds: 5",
        "periodSeconds: 1",
    );
    let port = up(&lab);
    let names = ready(&lab);
    let restarts = |lab: &TestLab| -> u64 {
        let facts = facts(lab);
        facts["pods"]
            .as_array()
            .unwrap()
            .iter()
            .map(|pod| pod["restarts"].as_u64().unwrap())
            .sum()
    };
    let pid = await_some("an answer", || request(port, "/"));
    signal(&pid, "-9");
    // A probe that a busy machine answered too late adds one.
    await_some("a restart", || (restarts(&lab) >= 1).then_some(()));
    // A process that dies is no lost pod: the names stay.
    await_some("the same replicas", || (ready(&lab) == names).then_some(()));

    let sick = lab.root.join(".lab/volumes/pra-data/sick");
    fs::write(&sick, "").unwrap();
    await_some("no replica to be ready", || {
        ready(&lab).is_empty().then_some(())
    });
    assert!(
        request(port, "/").is_none(),
        "nobody is ready, nobody is served"
    );
    await_some("restarts", || (restarts(&lab) >= 3).then_some(()));
    fs::remove_file(&sick).unwrap();
    await_some("the same replicas", || (ready(&lab) == names).then_some(()));
}

#[test]
fn a_changed_template_is_rolled_out_without_a_gap() {
    let lab = lab("rollout");
    let port = up(&lab);
    let before = ready(&lab);
    lab.edit(
        "k8s/20-deployment.yaml",
        "pod.py, /data]",
        "pod.py, /data]\n          args: [\"\"]",
    );
    let (asked, failed) = under_load(port, 4, "/", || {
        done(&lab, &["local", "apply"]);
        await_some("two other replicas", || {
            let now = facts(&lab)["pods"].as_array().unwrap().len();
            (now == 2 && ready(&lab).len() == 2 && ready(&lab).is_disjoint(&before)).then_some(())
        });
    });
    assert_eq!(failed, 0, "of {asked}");
}

#[test]
fn what_the_engine_does_not_know_it_refuses_before_it_does_anything() {
    let lab = lab("unknown");
    lab.edit(
        "k8s/20-deployment.yaml",
        "replicas: 2",
        "replicas: 2\n  paused: true",
    );
    let said = lab.fails(2, &["local", "apply"]);
    assert!(
        said.contains("k8s/20-deployment.yaml: spec: unknown field `paused`"),
        "{said}"
    );
    assert!(!lab.root.join(".lab/volumes").exists());
    assert_eq!(lab.processes(), Vec::<String>::new());
}

#[test]
fn a_port_in_use_is_told_before_anything_starts() {
    let lab = lab("port");
    let held = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = held.local_addr().unwrap().port();
    lab.configure("port = 0", &format!("port = {port}"));
    let said = lab.fails(3, &["local", "apply"]);
    assert!(said.contains(&format!("port {port} is in use")), "{said}");
    assert!(said.contains("lab.toml"), "{said}");
    assert_eq!(lab.processes(), Vec::<String>::new());
}

#[test]
fn a_folder_far_down_is_no_obstacle() {
    let lab = lab("deep");
    let deep: PathBuf = lab.root.join("a-folder-with-a-long-name/".repeat(5));
    fs::create_dir_all(&deep).unwrap();
    for part in ["k8s", "pra", "app", "lab.toml"] {
        let status = Command::new("cp")
            .arg("-R")
            .arg(lab.root.join(part))
            .arg(&deep)
            .status();
        assert!(status.unwrap().success());
    }
    let deep_xtask = |args: &[&str]| {
        let output = lab.command(args).arg("--root").arg(&deep).output().unwrap();
        assert!(output.status.success(), "{}", said(&output));
    };
    deep_xtask(&["local", "apply"]);
    deep_xtask(&["local", "scale", "1"]);
    deep_xtask(&["teardown", "--yes"]);
    assert_eq!(lab.processes(), Vec::<String>::new());
}

#[test]
fn a_template_that_cannot_start_is_replaced_by_one_that_can() {
    let lab = lab("hopeless");
    let deployment = "k8s/20-deployment.yaml";
    lab.edit(deployment, "pod.py, /data]", "nowhere.py]");
    done(&lab, &["local", "apply"]);
    await_some("restarts", || {
        let facts = facts(&lab);
        let pods = facts["pods"].as_array().unwrap();
        pods.iter()
            .all(|pod| pod["restarts"].as_u64().unwrap() >= 2)
            .then_some(())
    });
    lab.edit(deployment, "nowhere.py]", "pod.py, /data]");
    up(&lab);
}
