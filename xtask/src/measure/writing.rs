//! One sending of a write, what came of it, and whether and when it is sent again.

use serde_json::json;

use crate::http::{self, Answer};
use crate::wait;

/// How a message is handed to the application.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Form {
    /// `POST /add` with a JSON document.
    Post,
    /// `GET /add?message=…`, the one form that the original workshop knows.
    Get,
}

/// What came of one sending.
#[derive(Debug, PartialEq)]
pub enum Came {
    Acknowledged {
        id: i64,
        timestamp: String,
        /// The row was there from an earlier sending.
        replayed: bool,
    },
    /// The application will not have it, now or later.
    Refused { reason: String },
    /// Nobody knows, or the application cannot just now; after so many seconds it wants to
    /// be asked again, where it says so.
    Open {
        reason: String,
        retry_after: Option<f64>,
    },
}

/// Sends a message, once.
pub fn send(
    client: &http::Client,
    url: &str,
    form: Form,
    message: &str,
    key: Option<&str>,
) -> Came {
    let answer = match form {
        Form::Post => client.post(url, "/add", &json!({ "message": message }), key),
        Form::Get => client.get(url, "/add", &[("message", message)]),
    };
    match answer {
        Ok(answer) => judged(&answer),
        Err(error) => Came::Open {
            reason: format!("{error:#}"),
            retry_after: None,
        },
    }
}

fn judged(answer: &Answer) -> Came {
    let id = answer.body["id"].as_i64();
    let timestamp = answer.body["timestamp"].as_str();
    if let (true, Some(id), Some(timestamp)) = (answer.ok(), id, timestamp) {
        return Came::Acknowledged {
            id,
            timestamp: timestamp.to_owned(),
            replayed: answer.replayed,
        };
    }
    let reason = answer.complaint();
    match answer.status {
        500.. => Came::Open {
            reason,
            retry_after: answer.retry_after,
        },
        _ => Came::Refused { reason },
    }
}

/// Seconds before the second sending, at most; doubled from one to the next.
const FIRST_WAIT: f64 = 0.05;
/// Seconds between two sendings, at most, also where the application asks for more.
const LONGEST_WAIT: f64 = 2.0;

/// When a write that was due at `due` and failed now for the `tried`th time is sent again,
/// in seconds of the ledger's clock; `None` once that is too late.
///
/// Waits double from one to the next. Each is drawn between its half and its whole, so that
/// what failed together does not come back together.
pub fn next(due: f64, now: f64, tried: usize, retry_after: Option<f64>) -> Option<f64> {
    let doublings = i32::try_from(tried.saturating_sub(1)).unwrap_or(i32::MAX);
    let whole = (FIRST_WAIT * 2.0_f64.powi(doublings)).min(LONGEST_WAIT);
    let drawn = whole * (0.5 + fastrand::f64() / 2.0);
    let asked = retry_after.unwrap_or(0.0).clamp(0.0, LONGEST_WAIT);
    let at = now + drawn.max(asked);
    (at < due + wait::WRITE_GIVEN_UP.as_secs_f64()).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn answer(status: u16, body: Value) -> Answer {
        Answer {
            status,
            body,
            retry_after: Some(1.0),
            replayed: false,
        }
    }

    #[test]
    fn what_the_client_did_wrong_is_refused_for_good_and_all_else_is_open() {
        for status in [400, 404, 405, 413, 422, 429] {
            let came = judged(&answer(status, json!({"error": "no"})));
            assert!(matches!(came, Came::Refused { .. }), "{status}: {came:?}");
        }
        for status in [500, 502, 503, 504] {
            let came = judged(&answer(status, json!({"error": "later"})));
            let Came::Open { retry_after, .. } = came else {
                panic!("{status}: {came:?}");
            };
            assert_eq!(retry_after, Some(1.0));
        }
        // An acknowledgement without an id promises nothing that could be checked.
        let came = judged(&answer(200, json!({"status": "added"})));
        assert!(matches!(came, Came::Refused { .. }), "{came:?}");
    }

    #[test]
    fn waits_double_are_drawn_and_have_an_end() {
        let waits = |tried: usize| -> Vec<f64> {
            let all = (0..100).map(|_| next(0.0, 0.0, tried, None).unwrap());
            all.collect()
        };
        for (tried, whole) in [(1, 0.05), (2, 0.1), (4, 0.4), (9, 2.0), (400, 2.0)] {
            let drawn = waits(tried);
            let within = drawn.iter().all(|one| (whole / 2.0..=whole).contains(one));
            assert!(within, "{tried}: {drawn:?}");
            assert!(drawn.iter().any(|one| *one != drawn[0]), "no jitter");
        }
    }

    #[test]
    fn what_the_application_asks_for_is_waited_for_where_it_is_short() {
        assert_eq!(next(0.0, 5.0, 1, Some(1.0)), Some(6.0));
        assert_eq!(next(0.0, 5.0, 1, Some(3600.0)), Some(7.0));
        assert!(next(0.0, 5.0, 1, Some(-4.0)).unwrap() > 5.0);
    }

    #[test]
    fn nothing_is_sent_after_its_deadline_which_counts_from_its_moment() {
        let limit = wait::WRITE_GIVEN_UP.as_secs_f64();
        assert!(next(10.0, 10.0 + limit - 0.1, 1, None).is_some());
        assert_eq!(next(10.0, 10.0 + limit - 0.1, 1, Some(1.0)), None);
        assert_eq!(next(10.0, 10.0 + limit, 1, None), None);
    }
}
