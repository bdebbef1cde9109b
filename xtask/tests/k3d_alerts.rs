//! A watched lab on a real cluster: each disaster raises an alert that is resolved once it is
//! over, and ten minutes of nothing but writes raise none.

use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use super::support::{TestLab, said};
use super::{a_lab, insist_on_none_of, must};

const QUIET: Duration = Duration::from_secs(600);
/// Nobody is without service for long enough to be told of it, or what watched goes with the
/// lab.
const UNTOLD: [&str; 2] = ["pod-crash", "cluster-loss"];

#[test]
#[ignore = "needs Docker, and minutes: cargo xtask test --only cluster-long"]
fn alarms_follow_disasters_and_nothing_else() {
    insist_on_none_of(&["pra"]);
    let lab = a_lab("cluster-alarms");
    // The delay of those who decide is a part of the RTO.
    lab.configure("rto_seconds = 30", "rto_seconds = 600");
    lab.json(&["setup"]);
    let on = lab.json(&["monitor"]);
    let page = on["monitoring"]["prometheus"].as_str().unwrap();
    let since = now();
    writes_alone(&lab);
    assert_eq!(raised(page, since), Vec::<String>::new());
    every_disaster_is_told(&lab);
    lab.json(&["teardown", "--yes"]);
}

/// Users who write and read for that long, while nobody does anything.
fn writes_alone(lab: &TestLab) {
    let mut sleep = Command::new("sleep")
        .arg(QUIET.as_secs().to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let until = sleep.stdout.take().unwrap();
    let output = lab
        .command(&["measure", "--json"])
        .stdin(until)
        .output()
        .unwrap();
    sleep.wait().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let seen: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(seen["lost"], 0, "{seen}");
    assert_eq!(seen["client"]["failed"], 0, "{seen}");
}

fn every_disaster_is_told(lab: &TestLab) {
    let all = lab.json(&["scenario", "all", "--operator-delay", "40", "--yes"]);
    assert_eq!(all["passed"], true, "{all}");
    let results = all["results"].as_array().unwrap();
    assert!(results.len() >= 11, "{all}");
    for result in results {
        let name = result["scenario"].as_str().unwrap();
        if UNTOLD.contains(&name) {
            continue;
        }
        let alert = &result["alert"];
        assert!(alert["fired_seconds"].is_number(), "{name}: {result}");
        assert!(alert["resolved_seconds"].is_number(), "{name}: {alert}");
    }
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap().as_secs()
}

/// The names of the alerts that call somebody and were raised since then, as a Prometheus has
/// them.
fn raised(page: &str, since: u64) -> Vec<String> {
    let query = "ALERTS{alertstate=\"firing\",severity!=\"info\"}";
    let text = must(&format!(
        "curl -sfG --max-time 30 --data-urlencode 'query={query}' -d start={since} -d end={} \
         -d step=5 {page}/api/v1/query_range",
        now()
    ));
    let answer: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(answer["status"], "success", "{answer}");
    let series = answer["data"]["result"].as_array().unwrap().iter();
    series.map(|one| one["metric"].to_string()).collect()
}
