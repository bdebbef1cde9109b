//! Pods that go on a real cluster while clients keep their connections: no request fails,
//! whether pods are deleted gracefully or by force, scaled or rolled out.

use std::io::Write as _;
use std::time::Duration;

use serde_json::Value;

use super::support::users::Users;
use super::support::{TestLab, await_some};
use super::{a_lab, insist_on_an_empty_machine, must};

/// Between two looks at the cluster.
const LOOK: Duration = Duration::from_millis(200);
const KUBECTL: &str = "kubectl --context k3d-pra -n pra --request-timeout 20s";

/// Names of the pods that serve and are not about to go, the oldest first.
fn serving() -> Vec<String> {
    let list =
        format!("{KUBECTL} get pods -l app=flask --sort-by=.metadata.creationTimestamp -o json");
    let pods: Value = serde_json::from_str(&must(&list)).unwrap();
    let pods = pods["items"].as_array().unwrap().iter();
    let serving = pods.filter(|pod| {
        let ready = &pod["status"]["containerStatuses"][0]["ready"];
        *ready == true && pod["metadata"]["deletionTimestamp"].is_null()
    });
    let names = serving.map(|pod| pod["metadata"]["name"].as_str().unwrap().to_owned());
    names.collect()
}

fn await_serving(count: usize) -> Vec<String> {
    await_some("replicas that serve", || {
        let pods = serving();
        if pods.len() != count {
            // Each look takes the processor from those who are looked at.
            std::thread::sleep(LOOK);
        }
        (pods.len() == count).then_some(pods)
    })
}

fn delete(pods: &[String], how: &str) {
    let pods = pods.join(" ");
    must(&format!("{KUBECTL} delete pod {pods} --wait=false {how}"));
}

const GRACEFULLY: &str = "";
const BY_FORCE: &str = "--grace-period=0 --force";

fn scale(count: usize) {
    must(&format!(
        "{KUBECTL} scale deployment flask --replicas={count}"
    ));
    await_serving(count);
}

fn roll_out() {
    must(&format!("{KUBECTL} rollout restart deployment flask"));
    must(&format!(
        "{KUBECTL} rollout status deployment flask --timeout=120s"
    ));
    await_serving(2);
}

/// Not one request failed or had to be asked again, on connections that were really kept.
fn insist_that_nobody_noticed(seen: &Value, what: &str) {
    let client = &seen["client"];
    let count = |name: &str| client[name].as_u64().unwrap();
    let failed = count("failed") + count("reads_failed");
    let again = count("retried") + count("reads_again");
    assert_eq!((failed, again), (0, 0), "{what}: {seen}");
    assert!(count("requests") > 300, "{what}: {seen}");
    assert_eq!(client["keep_alive"], true);
    assert!(
        count("connections_opened") < count("requests") / 2,
        "{seen}"
    );
}

/// Each way once or twice: about a minute.
pub fn nobody_notices_that_pods_go(lab: &TestLab) {
    let users = Users::come(lab, &["--keep-alive"]);
    for how in [GRACEFULLY, BY_FORCE, GRACEFULLY, BY_FORCE] {
        let pods = await_serving(2);
        delete(&pods[..1], how);
    }
    await_serving(2);
    scale(4);
    scale(1);
    scale(2);
    roll_out();
    let (_, seen) = users.leave(0);
    insist_that_nobody_noticed(&seen, "the short form");
}

/// Two hundred pods, half of them by force, two at a time of four; then scaled and rolled
/// out.
#[test]
#[ignore = "needs Docker, and minutes: cargo xtask test --only cluster-long"]
fn two_hundred_pods_go_and_nobody_notices() {
    const ROUNDS: usize = 100;
    insist_on_an_empty_machine();
    let lab = &a_lab("draining");
    lab.json(&["setup"]);
    scale(4);
    let users = Users::come(lab, &["--keep-alive"]);
    for _ in 0..ROUNDS {
        let pods = await_serving(4);
        delete(&pods[..1], GRACEFULLY);
        delete(&pods[1..2], BY_FORCE);
    }
    await_serving(4);
    scale(1);
    scale(2);
    roll_out();
    let (_, seen) = users.leave(0);
    lab.json(&["teardown", "--yes"]);
    // Whoever waited for it wants to know what it was worth; a test's own words are kept back.
    let told = writeln!(std::io::stdout(), "{}", seen["client"]);
    told.unwrap();
    insist_that_nobody_noticed(&seen, "the long form");
}
