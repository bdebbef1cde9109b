//! Whom a Prometheus reaches.

use anyhow::{Context as _, Result};
use serde::Deserialize;

use crate::http;

/// `sum(up{job="flask"})`, as an address has it.
const UP: &str = "sum(up%7Bjob%3D%22flask%22%7D)";

#[derive(Deserialize)]
struct Answer {
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    result: Vec<Sample>,
}

#[derive(Deserialize)]
struct Sample {
    value: (f64, String),
}

/// How many replicas answered when they were asked last; 0 where none was asked yet.
///
/// # Errors
/// It does not answer as a Prometheus.
pub fn replicas_seen(page: &str) -> Result<u32> {
    read(&http::page(&format!("{page}/api/v1/query?query={UP}"))?)
}

fn read(text: &str) -> Result<u32> {
    let answer: Answer = serde_json::from_str(text).context("reading Prometheus' answer")?;
    let Some(sample) = answer.data.result.first() else {
        return Ok(0);
    };
    let (_, value) = &sample.value;
    value
        .parse()
        .with_context(|| format!("reading {value} as a number of replicas"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prometheus_that_asked_nobody_yet_sees_none() {
        let said = |result: &str| format!(r#"{{"status":"success","data":{{"result":{result}}}}}"#);
        assert_eq!(read(&said("[]")).unwrap(), 0);
        let two = r#"[{"metric":{},"value":[1764508102.123,"2"]}]"#;
        assert_eq!(read(&said(two)).unwrap(), 2);
        assert!(read("starting").is_err());
    }
}
