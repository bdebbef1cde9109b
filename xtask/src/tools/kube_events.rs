//! What a cluster says has happened: its events, and what the operator of the database
//! says of the primary from one moment to the next.

use std::time::SystemTime;

use anyhow::Result;
use serde_json::Value;

use super::kube_state::{items, string};
use super::kube_topology::CLUSTERS;

pub const GET: &[&str] = &["get", "events", "--all-namespaces", "-o", "json"];

/// An event of the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Happened {
    /// The first time and the last, to the second: the same event is kept once.
    pub first: SystemTime,
    pub last: SystemTime,
    pub reason: String,
    /// What it is about.
    pub name: String,
    pub message: String,
}

/// Every event, in the order in which each last happened.
pub fn events(text: &str) -> Result<Vec<Happened>> {
    let items = items(text)?;
    let mut all: Vec<Happened> = items.iter().filter_map(event).collect();
    all.sort_by_key(|one| one.last);
    Ok(all)
}

fn event(event: &Value) -> Option<Happened> {
    let one_of = |names: [&str; 2]| names.iter().find_map(|name| time(event[name].as_str()?));
    let first = one_of(["firstTimestamp", "eventTime"])?;
    Some(Happened {
        first,
        last: one_of(["lastTimestamp", "eventTime"]).unwrap_or(first),
        reason: string(&event["reason"]),
        name: string(&event["involvedObject"]["name"]),
        message: string(&event["message"]),
    })
}

/// What the operator says of the primary, at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// The instance that is to take writes, or [`NOBODY`], and since when.
    pub target: String,
    pub target_since: Option<SystemTime>,
    /// The one that does, and since when.
    pub primary: String,
    pub primary_since: Option<SystemTime>,
}

/// While the old primary is given up and no new one is chosen.
pub const NOBODY: &str = "pending";

/// One line for what is so, and one for each change of it until the request ends.
pub fn watch(database: &str, seconds: u64) -> Vec<String> {
    let columns = [
        "targetPrimary",
        "targetPrimaryTimestamp",
        "currentPrimary",
        "currentPrimaryTimestamp",
    ];
    let columns = columns.map(|name| format!("{{.status.{name}}}"));
    let line = format!("jsonpath={}{{\"\\n\"}}", columns.join("{\"|\"}"));
    let limit = format!("--request-timeout={seconds}s");
    let words = ["get", CLUSTERS, database, "--watch", "-o", &line, &limit];
    words.map(str::to_owned).into()
}

/// The lines of [`watch`]; one that is none is passed over.
pub fn sightings(text: &str) -> Vec<Sighting> {
    let sighting = |line: &str| {
        let [target, target_since, primary, primary_since] =
            line.split('|').collect::<Vec<_>>().try_into().ok()?;
        Some(Sighting {
            target: target.to_owned(),
            target_since: time(target_since),
            primary: primary.to_owned(),
            primary_since: time(primary_since),
        })
    };
    text.lines().filter_map(sighting).collect()
}

fn time(text: &str) -> Option<SystemTime> {
    humantime::parse_rfc3339(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::time::Duration;

    #[test]
    fn events_come_in_the_order_in_which_they_last_happened() {
        let event = |reason: &str, first: Value, last: Value, time: Value| {
            json!({"reason": reason, "message": "m", "firstTimestamp": first, "eventTime": time,
                   "lastTimestamp": last, "involvedObject": {"name": "pg"}})
        };
        let at = |second: u8| json!(format!("2026-01-01T00:00:0{second}Z"));
        let text = json!({"items": [
            event("Again", at(1), at(9), Value::Null),
            event("Once", Value::Null, Value::Null, at(3)),
            json!({"reason": "Never"}),
        ]});
        let all = events(&text.to_string()).unwrap();
        let reasons: Vec<&str> = all.iter().map(|one| one.reason.as_str()).collect();
        assert_eq!(reasons, ["Once", "Again"]);
        assert_eq!(all[0].first, all[0].last);
        let between = all[1].last.duration_since(all[1].first).unwrap();
        assert_eq!(between, Duration::from_secs(8));
        assert!(events("Unable to connect").is_err());
    }

    #[test]
    fn a_watch_tells_who_is_to_take_writes_and_who_does() {
        let text = "pending|2026-01-01T00:00:01.5Z|pg-1|2026-01-01T00:00:00.000000Z\n\
                    error: the server has gone\n\
                    pg-2|2026-01-01T00:00:02Z|pg-1|\n";
        let seen = sightings(text);
        assert_eq!(seen.len(), 2);
        assert_eq!(
            (seen[0].target.as_str(), seen[0].primary.as_str()),
            (NOBODY, "pg-1")
        );
        let (first, second) = (seen[0].target_since.unwrap(), seen[1].target_since.unwrap());
        assert_eq!(
            second.duration_since(first).unwrap(),
            Duration::from_millis(500)
        );
        assert_eq!(seen[1].primary_since, None);
    }

    #[test]
    fn a_watch_ends_by_itself() {
        let line = watch("pg", 5).join(" ");
        assert!(
            line.starts_with(
                "get clusters.postgresql.cnpg.io pg --watch -o jsonpath={.status.targetPrimary}"
            ),
            "{line}"
        );
        assert!(line.ends_with("--request-timeout=5s"), "{line}");
    }
}
