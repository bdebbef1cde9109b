//! What the servers say of restoring a lost database by themselves.

use anyhow::{Context as _, Result};
use serde::Deserialize;
use serde_json::Value;
use terms::tr;

use crate::app::{Restored, Status};
use crate::failure::Failure;
use crate::http;

/// What `journal` of `/status` has to say: with less, the lost volume may have the only copy
/// of what was acknowledged.
const ENOUGH: &str = "required";

/// # Errors
/// The servers do not promise that every acknowledged write is on both volumes.
pub fn insist(status: &Status) -> Result<()> {
    let journal = status.journal().unwrap_or("off");
    if journal == ENOUGH {
        return Ok(());
    }
    Err(Failure::usage(tr!(
        "--auto needs PRA_JOURNAL=required, and this lab runs with {journal}: the lost volume \
         might have the only copy of what was acknowledged, and to give that up is for a person",
        "--auto demande PRA_JOURNAL=required, et ce lab tourne avec {journal} : le volume perdu \
         pourrait avoir la seule copie de ce qui a été acquitté, et y renoncer revient à une \
         personne",
    ))
    .next(tr!(
        "set PRA_JOURNAL to required in k8s/05-config.yaml, then cargo xtask setup",
        "mettez PRA_JOURNAL à required dans k8s/05-config.yaml, puis cargo xtask setup",
    ))
    .into())
}

/// `auto_restore` of `/status`.
#[derive(Debug, Deserialize)]
struct Healing {
    state: State,
    what: Option<String>,
    next: Option<String>,
    done: Option<Restored>,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum State {
    Armed,
    Disarmed,
    Restoring,
    #[serde(rename = "next start")]
    NextStart,
    Refused,
    Failed,
}

/// What came of it; `None` until it is done, or nobody answers.
///
/// # Errors
/// It is refused, failed, or not wanted.
pub fn healed(url: &str) -> Result<Option<Restored>> {
    match http::get_ok(url, "/status", &[]) {
        Ok(status) => told(&status),
        // Nobody is served before.
        Err(_) => Ok(None),
    }
}

fn told(status: &Value) -> Result<Option<Restored>> {
    let said: Option<Healing> = serde_json::from_value(status["auto_restore"].clone())
        .context("reading what the application says of restoring by itself")?;
    let Some(said) = said else {
        return Err(Failure::promise(tr!(
            "the servers run without PRA_AUTO_RESTORE",
            "les serveurs tournent sans PRA_AUTO_RESTORE",
        ))
        .next("cargo xtask setup")
        .into());
    };
    // Until the next backup another loss would be refused: what was to be restored is back.
    let back = matches!(said.state, State::Armed | State::Disarmed);
    if back && said.done.is_some() {
        return Ok(said.done);
    }
    if matches!(said.state, State::Disarmed | State::Refused | State::Failed) {
        let why = said.what.unwrap_or_default();
        let next = said.next.unwrap_or_default();
        return Err(Failure::promise(tr!(
            "the lab does not restore by itself: {why}",
            "le lab ne restaure pas de lui-même : {why}",
        ))
        .next(next)
        .into());
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(said: Value) -> Result<Option<Restored>> {
        told(&json!({"auto_restore": said}))
    }

    #[test]
    fn it_is_over_once_the_database_is_back() {
        let done = json!({"point": "app-1.db", "rows": 5, "replayed": 2, "safety_point": null,
            "warnings": [], "at": "2026-11-30T10:00:00.000Z"});
        for state in ["armed", "disarmed"] {
            let said = json!({"state": state, "what": "w", "next": "n", "done": done});
            assert_eq!(of(said).unwrap().unwrap().rows, 5, "{state}");
        }
        for state in ["armed", "restoring", "next start"] {
            let said = json!({"state": state, "what": "w", "next": "n", "done": null});
            assert!(of(said).unwrap().is_none(), "{state}");
        }
    }

    #[test]
    fn a_refusal_is_told_with_what_comes_next() {
        for state in ["disarmed", "refused", "failed"] {
            let said = json!({"state": state, "what": "a mount is late", "next": "mount it",
                "done": null});
            let error = of(said).unwrap_err();
            assert!(error.to_string().contains("a mount is late"), "{error}");
            assert_eq!(crate::failure::next(&error), Some("mount it"));
        }
        let error = of(Value::Null).unwrap_err();
        assert!(error.to_string().contains("PRA_AUTO_RESTORE"), "{error}");
    }
}
