//! Requests to the application, each on a connection of its own: as users of
//! the service make them, and spread over the replicas.

use anyhow::{Context, Result, anyhow};
use serde_json::Value;
use terms::lang::both;
use terms::tr;

use crate::failure::{self, Failure};

/// What is said of an answer that is none of the application's.
pub const NOT_JSON: &str = " with a body that is not JSON";

/// Longer than any answer of a healthy application, in whole seconds.
const TIMEOUT_SECONDS: u64 = 5;

/// An answer of the application, of whatever status.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub body: Value,
}

impl Answer {
    pub fn ok(&self) -> bool {
        self.status == 200
    }

    /// What the application says went wrong.
    pub fn complaint(&self) -> String {
        let said = self.body["error"]
            .as_str()
            .unwrap_or(both("no reason given", "aucune raison donnée").text());
        tr!(
            "HTTP {status}: {said}",
            "HTTP {status} : {said}",
            status = self.status
        )
    }
}

/// Asks for a path; `params` are percent-encoded.
///
/// # Errors
/// Where no whole answer came back, or one that is not JSON.
pub fn get(url: &str, path: &str, params: &[(&str, &str)]) -> Result<Answer> {
    let request = minreq::get(format!("{url}{path}")).with_timeout(TIMEOUT_SECONDS);
    let request = params.iter().fold(request, |request, (key, value)| {
        request.with_param(key, value)
    });
    let response = send(request)?;
    let status = response.status_code;
    let body = serde_json::from_slice(response.as_bytes())
        .with_context(|| format!("HTTP {status}{NOT_JSON}"))?;
    Ok(Answer { status, body })
}

/// Without the error's source, which says the same words once more.
fn send(request: minreq::Request) -> Result<minreq::Response> {
    request.send().map_err(|error| anyhow!("{error}"))
}

/// Whether an HTTP probe succeeds: a status from 200 to 399, in time.
pub fn answers(url: &str, timeout_seconds: u64) -> bool {
    let answer = minreq::get(url)
        .with_timeout(timeout_seconds)
        .with_follow_redirects(false)
        .send();
    answer.is_ok_and(|answer| (200..400).contains(&answer.status_code))
}

/// Whether anything answers there, of whatever status.
pub fn responds(url: &str) -> bool {
    minreq::get(url)
        .with_timeout(TIMEOUT_SECONDS)
        .send()
        .is_ok()
}

/// The text of a page.
///
/// # Errors
/// Where no whole answer came back, or one of another status than 200.
pub fn page(url: &str) -> Result<String> {
    let request = minreq::get(url).with_timeout(TIMEOUT_SECONDS);
    let response = send(request).with_context(|| format!("asking {url}"))?;
    let status = response.status_code;
    anyhow::ensure!(
        status == 200,
        tr!(
            "{url} answered HTTP {status}",
            "{url} a répondu HTTP {status}",
        )
    );
    Ok(response
        .as_str()
        .context("a page that is not text")?
        .to_owned())
}

/// Asks for a path and insists on 200.
pub fn get_ok(url: &str, path: &str, params: &[(&str, &str)]) -> Result<Value> {
    let answer = get(url, path, params)
        .with_context(|| tr!("asking {url}{path}", "requête à {url}{path}"))
        .map_err(|error| {
            error.context(
                Failure::tool(tr!(
                    "the application did not answer",
                    "l'application n'a pas répondu",
                ))
                .next("cargo xtask status"),
            )
        })?;
    if !answer.ok() {
        let said = tr!(
            "{url}{path} answered {said}",
            "{url}{path} a répondu {said}",
            said = answer.complaint(),
        );
        let next = answer.body["next"].as_str().map(failure::typed);
        let next = next.unwrap_or_else(|| "cargo xtask status".to_owned());
        let failure = if (400..500).contains(&answer.status) {
            Failure::usage(said)
        } else {
            Failure::tool(said)
        };
        return Err(failure.next(next).into());
    }
    Ok(answer.body)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The application's own time-out is shorter than the client's, so that its reason
    /// arrives.
    #[test]
    fn the_application_is_done_waiting_before_its_client_is() {
        let constant = |text: &str, name: &str| -> f64 {
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|value| value.parse().ok()).expect(name)
        };
        let turn = constant(include_str!("../../app/pra/disk/locks.py"), "WRITE_WAIT = ");
        let sqlite = constant(include_str!("../../app/pra/sql/connect.py"), "BUSY_MS = ") / 1000.0;
        assert!(
            turn + sqlite + 0.5 <= TIMEOUT_SECONDS as f64,
            "{turn} {sqlite}"
        );
    }

    #[test]
    fn why_nobody_answered_is_said_once() {
        let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", nobody.local_addr().unwrap());
        drop(nobody);
        let said = format!("{:#}", get(&url, "/count", &[]).unwrap_err());
        assert_eq!(said.matches("os error").count(), 1, "{said}");
    }
}
