//! Requests to the application: each on a connection of its own, as most users of the
//! service come, and spread over the replicas; or on one that is kept.
//!
//! Nothing is sent twice behind the caller's back, no redirect of the application is
//! followed, no proxy of the environment is asked, and each request has one limit for
//! everything from the connection to the last byte of the answer.

mod line;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;
use terms::lang::both;
use terms::tr;
use ureq::http::Response;
use ureq::{Agent, Body, Error};

use crate::failure::{self, Failure};
use line::Line;

/// What is said of an answer that is none of the application's.
pub const NOT_JSON: &str = " with a body that is not JSON";

/// Longer than any answer of a healthy application.
pub const TIMEOUT: Duration = Duration::from_secs(5);
/// A kept connection that was idle for longer is not used again.
const MOST_IDLE: Duration = Duration::from_secs(15);
/// Bytes that are sent or taken at once; ureq's own choice, made anew for each connection,
/// is eight times as much.
const BUFFER: usize = 16 << 10;
/// How far a page leads on, as in a browser.
const REDIRECTS_OF_A_PAGE: u32 = 10;

/// An answer of the application, of whatever status.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub body: Value,
    /// Seconds after which the application wants to be asked again.
    pub retry_after: Option<f64>,
    /// It is the answer to an earlier request with the same key.
    pub replayed: bool,
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

/// No whole answer came.
#[derive(Debug)]
pub struct Unanswered {
    why: String,
    /// The connection had been kept, and was closed before any byte of an answer came.
    pub went_dead: bool,
}

impl fmt::Display for Unanswered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)?;
        if self.went_dead {
            let kept = both(
                " on a connection that had been kept",
                " sur une connexion conservée",
            );
            f.write_str(kept.text())?;
        }
        Ok(())
    }
}

impl std::error::Error for Unanswered {}

/// One user of the application: one request at a time.
pub struct Client {
    agent: Agent,
    line: Arc<Line>,
    keeps: bool,
}

impl Client {
    /// Keeps its connection from one request to the next, or opens one for each.
    pub fn new(keeps: bool) -> Self {
        Self::within(keeps, TIMEOUT, 0)
    }

    /// Waits for a whole answer for `limit`.
    pub fn within(keeps: bool, limit: Duration, redirects: u32) -> Self {
        let line = Arc::new(Line::default());
        let config = Agent::config_builder()
            .timeout_global(Some(limit))
            .http_status_as_error(false)
            .max_redirects(redirects)
            .max_redirects_will_error(false)
            .proxy(None)
            .max_idle_connections(usize::from(keeps))
            .max_idle_age(MOST_IDLE)
            .input_buffer_size(BUFFER)
            .output_buffer_size(BUFFER)
            .user_agent("xtask")
            .build();
        Self {
            agent: line::agent(config, &line),
            line,
            keeps,
        }
    }

    /// How many connections it has opened.
    pub fn opened(&self) -> u64 {
        self.line.opened()
    }

    /// Those of them that an answer came on.
    pub fn served(&self) -> u64 {
        self.line.served()
    }

    /// Asks for a path; `params` are percent-encoded.
    ///
    /// # Errors
    /// Where no whole answer came back ([`Unanswered`]), or one that is not JSON.
    pub fn get(&self, url: &str, path: &str, params: &[(&str, &str)]) -> Result<Answer> {
        let request = self.agent.get(format!("{url}{path}"));
        let request = request.query_pairs(params.iter().copied());
        let request = match self.keeps {
            true => request,
            false => request.header("Connection", "close"),
        };
        self.answer(|| request.call())
    }

    /// Sends a JSON document; a `key` makes it safe to send again.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub fn post(&self, url: &str, path: &str, body: &Value, key: Option<&str>) -> Result<Answer> {
        let request = self.agent.post(format!("{url}{path}"));
        let request = request.content_type("application/json");
        let request = match self.keeps {
            true => request,
            false => request.header("Connection", "close"),
        };
        let request = match key {
            Some(key) => request.header("Idempotency-Key", key),
            None => request,
        };
        let body = body.to_string();
        self.answer(|| request.send(body.as_str()))
    }

    fn answer(&self, send: impl FnOnce() -> Result<Response<Body>, Error>) -> Result<Answer> {
        let (response, body) = self.whole(send)?;
        let status = response.status;
        let body =
            serde_json::from_slice(&body).with_context(|| format!("HTTP {status}{NOT_JSON}"))?;
        Ok(Answer { body, ..response })
    }

    /// Head and body, or why they did not come.
    fn whole(
        &self,
        send: impl FnOnce() -> Result<Response<Body>, Error>,
    ) -> Result<(Answer, Vec<u8>), Unanswered> {
        self.line.begin();
        let read = send().and_then(|response| {
            let (head, mut body) = response.into_parts();
            Ok((head, body.read_to_vec()?))
        });
        let (head, body) = read.map_err(|error| Unanswered {
            why: reason(&error),
            went_dead: self.line.went_dead(&error),
        })?;
        let header = |name: &str| head.headers.get(name)?.to_str().ok();
        let answer = Answer {
            status: head.status.as_u16(),
            body: Value::Null,
            retry_after: header("Retry-After").and_then(|after| after.trim().parse().ok()),
            replayed: header("Idempotency-Replayed") == Some("true"),
        };
        Ok((answer, body))
    }
}

/// Why there is no answer, without what only ureq's users need to know.
fn reason(error: &Error) -> String {
    match error {
        Error::Io(error) => error.to_string(),
        Error::Timeout(_) => both("no answer in time", "pas de réponse à temps").into(),
        other => other.to_string(),
    }
}

/// Asks for a path on a connection of its own; `params` are percent-encoded.
///
/// # Errors
/// As [`Client::get`].
pub fn get(url: &str, path: &str, params: &[(&str, &str)]) -> Result<Answer> {
    Client::new(false).get(url, path, params)
}

/// Sends a JSON document on a connection of its own.
///
/// # Errors
/// As [`Client::get`].
pub fn post(url: &str, path: &str, body: &Value) -> Result<Answer> {
    Client::new(false).post(url, path, body, None)
}

/// Whether an HTTP probe succeeds: a status from 200 to 399, in time.
pub fn answers(url: &str, timeout_seconds: u64) -> bool {
    let client = Client::within(false, Duration::from_secs(timeout_seconds), 0);
    let answer = client.whole(|| client.agent.get(url).header("Connection", "close").call());
    answer.is_ok_and(|(answer, _)| (200..400).contains(&answer.status))
}

/// Whether anything answers there, of whatever status.
pub fn responds(url: &str) -> bool {
    opened(url).is_ok()
}

/// The text of a page, wherever its address leads.
///
/// # Errors
/// Where no whole answer came back, or one of another status than 200.
pub fn page(url: &str) -> Result<String> {
    let (answer, body) = opened(url).with_context(|| format!("asking {url}"))?;
    let status = answer.status;
    anyhow::ensure!(
        status == 200,
        tr!(
            "{url} answered HTTP {status}",
            "{url} a répondu HTTP {status}",
        )
    );
    String::from_utf8(body).context("a page that is not text")
}

/// As a browser opens it.
fn opened(url: &str) -> Result<(Answer, Vec<u8>), Unanswered> {
    let client = Client::within(false, TIMEOUT, REDIRECTS_OF_A_PAGE);
    client.whole(|| client.agent.get(url).call())
}

/// Asks for a path and insists on 200.
pub fn get_ok(url: &str, path: &str, params: &[(&str, &str)]) -> Result<Value> {
    insist_on_ok(url, path, get(url, path, params))
}

/// Sends a JSON document and insists on 200.
pub fn post_ok(url: &str, path: &str, body: &Value) -> Result<Value> {
    insist_on_ok(url, path, post(url, path, body))
}

fn insist_on_ok(url: &str, path: &str, answer: Result<Answer>) -> Result<Value> {
    let answer = answer
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
mod tests;
