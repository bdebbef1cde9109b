//! The k3d engine with stand-ins for its tools: what they get wrong on real
//! machines, and what the lab makes of it.

use crate::support;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::process::Command;

use support::fake_k3d::FakeWorld;
use support::said;

#[test]
fn auto_takes_k3d_where_docker_answers_and_says_so() {
    let world = FakeWorld::new("fake-auto");
    let output = world.lab.xtask(&["status"]);
    assert!(said(&output).contains("Engine: k3d, since a Docker daemon answers"));
    world.hook(
        "docker",
        "echo 'Cannot connect to the Docker daemon' >&2; exit 1",
    );
    let output = world.lab.xtask(&["status"]);
    assert!(said(&output).contains("Engine: local, since no Docker daemon answers"));
}

/// Nothing but Docker is there, as on a student's machine: k3d of another version, which
/// will not do, is as good as none.
#[test]
fn before_the_first_setup_no_k3d_is_asked() {
    let world = FakeWorld::new("fake-no-k3d");
    world
        .lab
        .fake_tool("k3d", "[ \"$1\" = version ] && echo k3d version v4.0.0");
    let checks = world.lab.xtask(&["preflight", "--json"]);
    let document: serde_json::Value = serde_json::from_slice(&checks.stdout).unwrap();
    let all = document.as_array().unwrap();
    let port = all.iter().find(|check| check["name"] == "port").unwrap();
    assert_eq!(port["ok"], true, "{document}");

    let output = world.lab.xtask(&["--dry-run", "setup"]);
    let shown = said(&output);
    assert!(shown.contains("k3d cluster create pra"), "{shown}");

    let output = world.lab.xtask(&["--lab", "image", "status"]);
    assert!(output.status.success(), "{}", said(&output));
    assert!(said(&output).contains("The image workshop is down"));
}

#[test]
fn the_stages_do_what_is_missing_once() {
    let world = FakeWorld::new("fake-stages");
    for _ in 0..2 {
        for stage in ["cluster", "image", "import", "deploy"] {
            let output = world.lab.xtask(&["--engine", "k3d", stage]);
            assert!(output.status.success(), "{stage}: {}", said(&output));
        }
    }
    assert_eq!(world.calls("k3d cluster create pra"), 1);
    assert_eq!(world.calls("packer build"), 1);
    assert_eq!(world.calls("k3d image import"), 1);
}

#[test]
fn every_kubectl_call_names_its_context() {
    let world = FakeWorld::new("fake-context");
    for stage in ["cluster", "image", "import", "deploy"] {
        world.lab.xtask(&[stage]);
    }
    world.lab.xtask(&["status"]);
    let all = world.calls("kubectl ");
    let named = world.calls("kubectl --context k3d-pra -n ");
    // Neither asks a cluster.
    let of_itself = world.calls("kubectl version --client") + world.calls("kubectl config ");
    assert!(named >= 3, "{named}");
    assert_eq!(all, named + of_itself);
}

#[test]
fn a_cluster_that_is_not_the_labs_is_not_touched() {
    let world = FakeWorld::new("fake-foreign");
    world.cluster_by_hand();
    for stage in ["import", "deploy", "forward"] {
        let said = world.lab.fails(2, &[stage]);
        assert!(said.contains("neither created nor adopted"), "{said}");
    }
    let said = world
        .lab
        .fails(2, &["teardown", "--engine", "k3d", "--yes"]);
    assert!(said.contains("neither created nor adopted"), "{said}");
    assert!(world.has("list"));
    assert_eq!(
        world.calls("k3d cluster delete") + world.calls("k3d image import"),
        0
    );
}

#[test]
fn a_cluster_made_by_hand_is_adopted_after_a_yes() {
    let world = FakeWorld::new("fake-adopt");
    world.cluster_by_hand();
    let said = world.lab.fails(2, &["cluster"]);
    assert!(said.contains("nothing was done"), "{said}");
    assert!(!world.has("adopted"));
    let output = world.lab.xtask(&["cluster", "--yes"]);
    assert!(output.status.success(), "{}", support::said(&output));
    assert!(world.has("adopted"));
    assert!(world.lab.xtask(&["deploy"]).status.success());
}

#[test]
fn a_creation_that_was_cut_off_is_begun_again() {
    let world = FakeWorld::new("fake-half");
    world.hook(
        "k3d",
        "case \"$*\" in 'cluster create'*) { echo '[{\"name\":\"pra\",\"nodes\":['; tail -n 1 $S/whole; } > $S/list; own \"$@\"; \
         echo 'FATA node did not come up' >&2; exit 1;; esac",
    );
    // k3d makes the load balancer last: nobody was ever answered.
    world.hook(
        "kubectl",
        "case \"$*\" in *configmap*) grep -q serverlb $S/list || exit 1;; esac",
    );
    let said = world.lab.fails(4, &["cluster"]);
    assert!(said.contains("node did not come up"), "{said}");
    world.unhook("k3d");
    let output = world.lab.xtask(&["cluster"]);
    assert!(output.status.success(), "{}", support::said(&output));
    assert_eq!(world.calls("k3d cluster delete pra"), 1);
    assert_eq!(world.calls("k3d cluster create pra"), 2);
    assert!(world.lab.xtask(&["cluster"]).status.success());
    assert_eq!(world.calls("k3d cluster create pra"), 2);
}

#[test]
fn a_stopped_cluster_is_started() {
    let world = FakeWorld::new("fake-stopped");
    let stopped = fs::read_to_string(world.lab.root.join("world/whole")).unwrap();
    world.set("list", &stopped.replace("true", "false"));
    world.own();
    let output = world.lab.xtask(&["cluster"]);
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(world.calls("k3d cluster start pra"), 1);
    assert_eq!(world.calls("k3d cluster create"), 0);
}

#[test]
fn docker_hubs_rate_limit_is_put_into_plain_words() {
    let world = FakeWorld::new("fake-429");
    world.hook(
        "k3d",
        "case \"$*\" in 'cluster create'*) echo 'ERRO toomanyrequests: pull rate limit' >&2; \
         exit 1;; esac",
    );
    let said = world.lab.fails(3, &["cluster"]);
    assert!(
        said.contains("Docker Hub refuses") && said.contains("docker login"),
        "{said}"
    );
}

#[test]
fn an_import_that_fails_is_tried_in_other_ways() {
    let world = FakeWorld::new("fake-import");
    for stage in ["cluster", "image"] {
        assert!(world.lab.xtask(&[stage]).status.success());
    }
    world.hook(
        "k3d",
        "case \"$*\" in *'--mode direct'*) ;; *import*) \
         echo 'ERRO ctr: content digest sha256:1: not found' >&2; exit 1;; esac",
    );
    let output = world.lab.xtask(&["import"]);
    let text = said(&output);
    assert!(output.status.success(), "{text}");
    assert!(text.contains("content digest"), "{text}");
    assert_eq!(
        world.calls("k3d image import"),
        3,
        "as usual, by archive, directly"
    );
    assert!(!world.lab.root.join(".lab/image.tar").exists());
}

#[test]
fn an_import_that_fails_in_every_way_says_what_to_type() {
    let world = FakeWorld::new("fake-import-never");
    for stage in ["cluster", "image"] {
        assert!(world.lab.xtask(&[stage]).status.success());
    }
    world.hook(
        "k3d",
        "case \"$*\" in *import*) echo broken >&2; exit 1;; esac",
    );
    let said = world.lab.fails(4, &["import"]);
    assert!(
        said.contains("k3d image import pra/flask-sqlite:1.0 -c pra"),
        "{said}"
    );
    assert!(!world.lab.root.join(".lab/image.tar").exists());
}

#[test]
fn an_import_that_reports_success_is_believed_when_the_nodes_hold_the_image() {
    let world = FakeWorld::new("fake-import-refused");
    for stage in ["cluster", "image"] {
        assert!(world.lab.xtask(&[stage]).status.success());
    }
    // k3d logs what each node refused, and exits with 0.
    world.hook(
        "k3d",
        "case \"$*\" in *import*'flask-sqlite:1.0') \
         echo 'ERRO failed to import: content digest sha256:1: not found' >&2; exit 0;; esac",
    );
    let output = world.lab.xtask(&["import"]);
    let text = said(&output);
    assert!(output.status.success(), "{text}");
    assert!(text.contains("it is not on k3d-pra-server-0"), "{text}");
    assert_eq!(world.calls("k3d image import"), 2);
    assert_eq!(world.calls("docker save"), 1);
    assert!(world.has("imported"), "the archive reached the node");
}

#[test]
fn an_import_that_no_node_takes_is_an_error() {
    let world = FakeWorld::new("fake-import-hollow");
    for stage in ["cluster", "image"] {
        assert!(world.lab.xtask(&[stage]).status.success());
    }
    world.hook("k3d", "case \"$*\" in *import*) exit 0;; esac");
    let said = world.lab.fails(4, &["import"]);
    for part in [
        "pra/flask-sqlite:1.0 could not be imported in any of three ways",
        "it is not on k3d-pra-server-0",
        "k3d image import pra/flask-sqlite:1.0 -c pra",
    ] {
        assert!(said.contains(part), "{part} is not in: {said}");
    }
    assert_eq!(world.calls("k3d image import"), 3);
    assert!(!world.lab.root.join(".lab/image.tar").exists());
}

#[test]
fn garbage_from_a_tool_is_an_error_and_not_a_guess() {
    let world = FakeWorld::new("fake-garbage");
    world.hook(
        "k3d",
        "case \"$*\" in 'cluster list'*) echo 'WARN hello'; exit 0;; esac",
    );
    let said = world.lab.xtask(&["cluster"]);
    assert_eq!(said.status.code(), Some(4));
    assert!(support::said(&said).contains("reading the answer of k3d"));
    assert_eq!(world.calls("k3d cluster create"), 0);
}

#[test]
fn a_hanging_tool_ends_with_ctrl_c() {
    let world = FakeWorld::new("fake-hang");
    world.hook(
        "k3d",
        "case \"$*\" in 'cluster create'*) touch $S/hangs; sleep 300;; esac",
    );
    let mut child = world.lab.spawn(&["cluster"]);
    support::await_some("the hang", || world.has("hangs").then_some(()));
    let interrupt = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(interrupt.unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let left = world.lab.processes();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn preflight_tells_every_trouble_at_once() {
    let world = FakeWorld::new("fake-preflight");
    world.hook(
        "docker",
        "case \"$*\" in info*) echo '{\"ServerVersion\":\"19.03.1\",\"MemTotal\":900000000}'; \
         exit 0;; esac",
    );
    world.hook(
        "packer",
        "case \"$1\" in version) echo 'Packer v1.9.0'; exit 0;; esac",
    );
    let said = world.lab.fails(3, &["preflight", "--engine", "k3d"]);
    for trouble in [
        "19.03.1",
        "858 MiB",
        "1.9.0, not 1.11.2",
        "will be downloaded from",
    ] {
        assert!(said.contains(trouble), "{trouble} is not in: {said}");
    }
}

/// Setup downloads it: what is there until then is not asked about clusters.
#[test]
fn a_tool_that_is_still_to_be_downloaded_is_no_reason_to_refuse() {
    let world = FakeWorld::new("fake-download-first");
    world.hook(
        "k3d",
        "case \"$*\" in version) echo 'k3d version v5.0.0'; exit 0;; *) exit 9;; esac",
    );
    let output = world.lab.xtask(&["preflight", "--engine", "k3d"]);
    let said = said(&output);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("5.0.0, not 5.9.0"), "{said}");
}

#[test]
fn no_docker_is_told_with_two_ways_on() {
    let world = FakeWorld::new("fake-no-docker");
    world.hook("docker", "exit 1");
    let mut command = world.lab.command(&["setup", "--engine", "k3d"]);
    // A socket that exists would be waited for: Docker may be starting.
    let output = command
        .env("DOCKER_HOST", "unix:///nowhere")
        .output()
        .unwrap();
    let text = said(&output);
    assert_eq!(output.status.code(), Some(3), "{text}");
    assert!(
        text.contains("does not answer") && text.contains("--engine local"),
        "{text}"
    );
}

/// Serves a tool and its list of checksums, as a mirror does.
fn mirror(tool: &'static str, sums: String) -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut asked = String::new();
            BufReader::new(&stream).read_line(&mut asked).unwrap();
            let body = match asked.contains("checksums.txt") {
                true => sums.as_bytes(),
                false => tool.as_bytes(),
            };
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
            stream.write_all(head.as_bytes()).unwrap();
            stream.write_all(body).unwrap();
        }
    });
    url
}

const NEW_K3D: &str = "#!/bin/sh\n[ \"$1\" = version ] && echo 'k3d version v5.9.0' || echo '[]'\n";

fn sha256(text: &str) -> String {
    let program = "import hashlib, sys; print(hashlib.sha256(sys.argv[1].encode()).hexdigest())";
    let output = Command::new("python3")
        .args(["-c", program, text])
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// The name of the file that this machine's k3d has among the released ones.
fn released_name() -> &'static str {
    match (std::env::consts::OS, std::env::consts::ARCH) {
        ("macos", "aarch64") => "k3d-darwin-arm64",
        ("macos", _) => "k3d-darwin-amd64",
        (_, "aarch64") => "k3d-linux-arm64",
        _ => "k3d-linux-amd64",
    }
}

#[test]
fn a_tool_of_another_version_is_replaced_by_a_download_of_the_pinned_one() {
    let world = FakeWorld::new("fake-download");
    world.hook(
        "k3d",
        "case \"$*\" in version) echo 'k3d version v5.0.0'; exit 0;; esac",
    );
    let sums = format!("{}  _dist/{}\n", sha256(NEW_K3D), released_name());
    let url = mirror(NEW_K3D, sums);
    world
        .lab
        .configure("mirror = \"\"", &format!("mirror = \"{url}\""));
    let output = world.lab.xtask(&["image"]);
    let text = said(&output);
    assert!(output.status.success(), "{text}");
    assert!(
        text.contains("checksum from https://github.com/k3d-io/k3d"),
        "{text}"
    );
    let own = world.lab.root.join(".lab/tools/k3d-5.9.0");
    assert_eq!(fs::read_to_string(&own).unwrap(), NEW_K3D);
    // Found the next time, without asking anybody.
    let again = said(&world.lab.xtask(&["image"]));
    assert!(!again.contains("downloaded"), "{again}");
}

#[test]
fn a_tool_with_a_wrong_checksum_is_never_run() {
    let world = FakeWorld::new("fake-tampered");
    world.hook(
        "k3d",
        "case \"$*\" in version) echo 'k3d: command damaged'; exit 0;; esac",
    );
    let sums = format!("{}  {}\n", sha256("another program"), released_name());
    let url = mirror("#!/bin/sh\ntouch $HOME/tampered-was-run\n", sums);
    world
        .lab
        .configure("mirror = \"\"", &format!("mirror = \"{url}\""));
    let said = world.lab.fails(3, &["image"]);
    assert!(said.contains("wrong checksum"), "{said}");
    let tools = fs::read_dir(world.lab.root.join(".lab/tools")).unwrap();
    assert_eq!(tools.count(), 0, "nothing half-installed");
}
