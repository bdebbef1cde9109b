//! Copies of a lab in a cluster of somebody else: in a bucket, at a port of its own, with what it
//! asks for known to one shell alone.

use std::fs;
use std::net::TcpStream;
use std::process::{Command, Output};

use serde_json::{Value, json};

use super::foreign::{
    CONTEXT, a_foreign_cluster, a_lab_there, insist_on_no_trace, kubectl, objects,
};
use super::support::{TestLab, await_some, said};
use super::{must, shell};

const STORE: &str = "atelier-bucket";
const NETWORK: &str = "k3d-elsewhere";
const BUCKET: &str = "test-copies";
/// None that any rule is written for.
const PORT: u16 = 9010;
/// Another one that the same store has open.
const FILER: u16 = 8888;

/// A store that is no part of any lab, and goes with the test.
struct Store;

impl Drop for Store {
    fn drop(&mut self) {
        shell(&format!("docker rm --force --volumes {STORE}"));
    }
}

/// Starts one with a bucket; returns where it answers.
fn store(lab: &TestLab) -> (Store, String) {
    let pair = |name: &str| json!([{"accessKey": name, "secretKey": format!("{name}-secret")}]);
    let may = ["Read", "List", "Write", "GetBucketObjectLockConfiguration"];
    let may = [&may[..], &["GetObjectRetention", "PutObjectRetention"]].concat();
    let may: Vec<String> = may.iter().map(|one| format!("{one}:{BUCKET}")).collect();
    let identities = json!({"identities": [
        {"name": "owner", "credentials": pair("owner"), "actions": ["Admin"]},
        {"name": "copier", "credentials": pair("copier"), "actions": may},
    ]});
    let file = lab.root.join("s3.json");
    fs::write(&file, identities.to_string()).unwrap();
    let text = fs::read_to_string(lab.root.join("lab.toml")).unwrap();
    let image = text.lines().find_map(|line| line.strip_prefix("store = "));
    let image = image.unwrap();
    must(&format!(
        "docker create --name {STORE} --network {NETWORK} --entrypoint weed {image} server \
         -dir=/data -filer -s3 -s3.config=/s3.json -s3.port={PORT} -master.telemetry=false"
    ));
    let store = Store;
    must(&format!("docker cp {} {STORE}:/s3.json", file.display()));
    must(&format!("docker start {STORE}"));
    let address = format!("{{{{(index .NetworkSettings.Networks \"{NETWORK}\").IPAddress}}}}");
    let address = must(&format!("docker inspect --format '{address}' {STORE}"));
    let endpoint = format!("http://{}:{PORT}", address.trim());
    (store, endpoint)
}

/// With the variables that the bucket is reached with, as one person has them.
fn known_to(lab: &TestLab, who: &str, args: &[&str]) -> Output {
    let mut command: Command = lab.command(args);
    command.env("AWS_ACCESS_KEY_ID", who);
    command.env("AWS_SECRET_ACCESS_KEY", format!("{who}-secret"));
    command.output().unwrap()
}

fn json_of(output: &Output) -> Value {
    assert!(output.status.success(), "{}", said(output));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn make_the_bucket(lab: &TestLab, place: &str) {
    let app = lab.root.join("app");
    let python = lab.root.join(".lab/venv/bin/python");
    await_some("the bucket to be made", || {
        let made = Command::new(&python)
            .args(["-m", "pra", "offsite", "bucket", "--lock-days", "1"])
            .env("PRA_OFFSITE", place)
            .env("AWS_ACCESS_KEY_ID", "owner")
            .env("AWS_SECRET_ACCESS_KEY", "owner-secret")
            .current_dir(&app)
            .output()
            .unwrap();
        made.status.success().then_some(())
    });
}

/// From where the copies are made, and of a host that has more than one port open.
fn only_the_bucket_is_reached(endpoint: &str) {
    let host = endpoint.rsplit_once(':').unwrap().0;
    let host = host.trim_start_matches("http://");
    TcpStream::connect((host, FILER)).expect("the other port is open");
    let try_it = "import socket,sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), 3)";
    let tried = |port: u16| {
        let python = format!("exec deployment/offsite -- python -c '{try_it}' {host} {port}");
        shell(&format!("kubectl --context {CONTEXT} -n pra {python}"))
    };
    await_some(
        "the policy to be in force, and the bucket to be reached",
        || {
            let refused = !tried(FILER).status.success();
            (tried(PORT).status.success() && refused).then_some(())
        },
    );
}

#[test]
#[ignore = "needs Docker, and minutes: cargo xtask test --only cluster-long"]
fn copies_of_a_foreign_cluster_are_in_a_bucket() {
    let registry = a_foreign_cluster(1);
    let lab = a_lab_there("foreign-bucket", &registry);
    lab.configure("network_policies = false", "network_policies = true");
    lab.json(&["offsite", "keygen"]);
    let (_store, endpoint) = store(&lab);
    let place = format!("s3://{BUCKET}/teams/one?endpoint={endpoint}");
    make_the_bucket(&lab, &place);
    lab.configure("to = \"off\"", &format!("to = {place:?}"));
    let before = objects();
    let refused = lab.fails(2, &["setup"]);
    assert!(refused.contains("AWS_ACCESS_KEY_ID"), "{refused}");
    assert_eq!(objects(), before, "nothing was begun");

    let run = |args: &[&str]| json_of(&known_to(&lab, "copier", &[args, &["--json"]].concat()));
    run(&["setup"]);
    lab.json(&["add", "one"]);
    super::support::copied(&lab);
    // The shell that knew them is closed.
    let shown = lab.xtask(&["setup", "--dry-run"]);
    assert!(shown.status.success(), "{}", said(&shown));
    kubectl("-n pra delete networkpolicies -l app.kubernetes.io/part-of=atelier-pra");
    lab.json(&["setup"]);
    only_the_bucket_is_reached(&endpoint);
    lab.json(&["add", "two"]);
    super::support::copied(&lab);
    let images = must(&format!(
        "kubectl --context {CONTEXT} -n pra get pods -o jsonpath='{{..spec.containers[*].image}}'"
    ));
    let by_digest = |image: &str| image.contains("@sha256:");
    assert!(images.split_whitespace().all(by_digest), "{images}");
    let loss = lab.json(&["scenario", "backup-volume-loss"]);
    assert_eq!(loss["passed"], true, "{loss}");
    super::support::copied(&lab);
    // From this shell, which does not know them, nothing would come back.
    let refused = said(&lab.xtask(&["scenario", "both-volumes-loss", "--yes"]));
    assert!(refused.contains("nothing was broken"), "{refused}");
    super::support::copied(&lab);
    let rows = lab.json(&["status"])["application"]["count"].clone();
    let own = run(&["offsite", "list"])["histories"].clone();
    let own = own
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["own"] == true);
    let own = own.unwrap()["history"].as_str().unwrap().to_owned();

    lab.json(&["teardown", "--yes"]);
    let adopted = run(&["adopt", "offsite:latest", "--history", &own]);
    assert_eq!(adopted["adopted"]["rows"], rows, "{adopted}");
    lab.configure(&format!("to = {place:?}"), "to = \"off\"");
    lab.json(&["setup"]);
    let left = must(&format!(
        "kubectl --context {CONTEXT} -n pra get all,secrets,configmaps,networkpolicies -l app=offsite"
    ));
    assert_eq!(left, "");
    lab.json(&["teardown", "--yes"]);
    await_some("the cluster to remove the volumes", || {
        let left = kubectl("get persistentvolumes -o name");
        left.trim().is_empty().then_some(())
    });
    insist_on_no_trace(&before);
}
