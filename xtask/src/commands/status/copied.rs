//! How far the copies elsewhere go.

use std::time::SystemTime;

use anyhow::{Error, Result};
use serde_json::{Value, json};
use terms::lang::{both, duration, fixed};
use terms::tr;

use crate::app;
use crate::facts::offsite::Shipping;

/// For a program: what makes copies, `null` where nothing does, or why that is unknown.
pub fn document(shipping: &Result<Option<Shipping>>) -> Value {
    match shipping {
        Ok(shipping) => json!(shipping),
        Err(error) => json!({"unknown": first_line(error)}),
    }
}

fn first_line(error: &Error) -> String {
    let told = format!("{error:#}");
    told.lines().next().unwrap_or_default().to_owned()
}

/// A row for a lab that makes copies elsewhere by itself, or is to.
pub fn row(
    shipping: &Result<Option<Shipping>>,
    app: Option<&app::Status>,
    declared: bool,
) -> Option<Vec<String>> {
    let name = both("copies elsewhere", "copies ailleurs");
    let shipping = match shipping {
        Ok(shipping) => shipping.as_ref(),
        Err(error) => {
            let told = tr!("unknown: {why}", "inconnu : {why}", why = first_line(error));
            return declared.then(|| vec![name.into(), told]);
        }
    };
    let Some(shipping) = shipping else {
        let told = both(
            "declared in lab.toml, and not made yet: cargo xtask setup",
            "déclarées dans lab.toml, et pas encore faites : cargo xtask setup",
        );
        return declared.then(|| vec![name.into(), told.into()]);
    };
    let copies = app.and_then(app::Status::copies);
    let failing = copies.as_ref().is_some_and(|copies| copies.failing);
    let place = &shipping.place;
    let follows = match copies.as_ref().map(|copies| copies.lag_seconds) {
        Some(Some(lag)) => tr!(
            "{place}, {lag} s behind",
            "{place}, {lag} s de retard",
            lag = fixed(lag, 0),
        ),
        None => tr!(
            "{place}, how far behind is unknown: the application does not say",
            "{place}, avec un retard inconnu : l'application ne le dit pas",
        ),
        Some(None) if failing => tr!(
            "{place}, which nothing leads to the present in yet",
            "{place}, où rien ne mène encore au présent",
        ),
        Some(None) => tr!(
            "{place}, nothing to copy yet",
            "{place}, rien à copier encore",
        ),
    };
    let failing = match failing {
        true => both(
            ", FAILING: cargo xtask offsite push says why",
            ", EN ÉCHEC : cargo xtask offsite push dit pourquoi",
        )
        .text(),
        false => "",
    };
    let proven = copies.and_then(|copies| copies.proven_epoch);
    let proven = proven.map_or_else(String::new, |at| {
        tr!(
            ", proven {age} ago",
            ", prouvées il y a {age}",
            age = age(at)
        )
    });
    let trouble = shipping.trouble.as_deref();
    let stopped = trouble.map_or_else(String::new, |why| {
        tr!(", NOT RUNNING: {why}", ", ARRÊTÉ : {why}")
    });
    Some(vec![
        name.into(),
        format!("{follows}{proven}{failing}{stopped}"),
    ])
}

/// How long ago a moment was, in seconds since 1970.
fn age(moment: f64) -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    duration((now.unwrap_or_default().as_secs_f64() - moment).max(0.0) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(offsite: Value, trouble: Option<&str>) -> String {
        let app = json!({"count": 7, "protection": "journal", "needs_restore": false,
            "offsite": offsite});
        let app: app::Status = serde_json::from_value(app).unwrap();
        let shipping = Shipping {
            place: "/disk".into(),
            running: trouble.is_none(),
            trouble: trouble.map(str::to_owned),
        };
        row(&Ok(Some(shipping)), Some(&app), true)
            .unwrap()
            .swap_remove(1)
    }

    #[test]
    fn what_is_behind_and_what_fails_is_told() {
        let well = json!({"lag_seconds": 3.4, "failing": false});
        assert_eq!(told(well, None), "/disk, 3 s behind");
        let proven = json!({"lag_seconds": 3.4, "failing": false, "proven_epoch": 9e12});
        assert!(told(proven, None).starts_with("/disk, 3 s behind, proven 0 s"));
        let late = json!({"lag_seconds": 300.0, "failing": true});
        let why = Some("it ended (exit status: 2)");
        let said = told(late, why);
        assert!(said.starts_with("/disk, 300 s behind, FAILING: "), "{said}");
        assert!(
            said.ends_with(", NOT RUNNING: it ended (exit status: 2)"),
            "{said}"
        );
        let new = json!({"lag_seconds": null, "failing": false});
        assert_eq!(told(new, None), "/disk, nothing to copy yet");
        let nothing = json!({"lag_seconds": null, "failing": true});
        assert!(told(nothing, None).contains("FAILING"));
        assert_eq!(row(&Ok(None), None, false), None, "nobody asked for copies");
        let declared = row(&Ok(None), None, true).unwrap().swap_remove(1);
        assert!(declared.contains("cargo xtask setup"), "{declared}");
    }

    #[test]
    fn what_nobody_says_is_unknown_and_not_a_failure() {
        let shipping = Ok(Some(Shipping {
            place: "/disk".into(),
            running: true,
            trouble: None,
        }));
        let silent = row(&shipping, None, true).unwrap().swap_remove(1);
        for silent in [silent, told(Value::Null, None)] {
            assert!(silent.contains("unknown"), "{silent}");
            assert!(!silent.contains("FAILING"), "{silent}");
        }
        let unanswered = Err(anyhow::anyhow!("no answer\nat all"));
        let told = row(&unanswered, None, true).unwrap();
        assert_eq!(told[1], "unknown: no answer");
        assert_eq!(document(&unanswered), json!({"unknown": "no answer"}));
        assert!(document(&Ok(None)).is_null());
    }
}
