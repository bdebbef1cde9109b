//! How far the copies elsewhere go.

use std::time::SystemTime;

use serde_json::Value;
use terms::lang::{both, duration, fixed};
use terms::tr;

use crate::app;
use crate::facts::offsite::Shipping;

/// A row for a lab that makes copies elsewhere by itself.
pub fn row(shipping: Option<&Shipping>, app: Option<&app::Status>) -> Option<Vec<String>> {
    let shipping = shipping?;
    let told = app.and_then(|app| app.more.get("offsite"));
    let place = &shipping.place;
    let follows = match app.and_then(app::Status::copies_behind) {
        Some(lag) => tr!(
            "{place}, {lag} s behind",
            "{place}, {lag} s de retard",
            lag = fixed(lag, 0),
        ),
        None => tr!(
            "{place}, which nothing leads to the present in yet",
            "{place}, où rien ne mène encore au présent",
        ),
    };
    let failing = told.is_some_and(|told| told["failing"] == Value::Bool(true));
    let failing = match failing {
        true => both(", FAILING", ", EN ÉCHEC").text(),
        false => "",
    };
    let proven = told.and_then(|told| told["proven_epoch"].as_f64());
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
    let name = both("copies elsewhere", "copies ailleurs");
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
    use serde_json::json;

    fn told(offsite: Value, trouble: Option<&str>) -> String {
        let app = json!({"count": 7, "protection": "journal", "needs_restore": false,
            "offsite": offsite});
        let app: app::Status = serde_json::from_value(app).unwrap();
        let shipping = Shipping {
            place: "/disk".into(),
            running: trouble.is_none(),
            trouble: trouble.map(str::to_owned),
        };
        row(Some(&shipping), Some(&app)).unwrap().swap_remove(1)
    }

    #[test]
    fn what_is_behind_and_what_fails_is_told() {
        let well = json!({"lag_seconds": 3.4, "failing": false});
        assert_eq!(told(well, None), "/disk, 3 s behind");
        let proven = json!({"lag_seconds": 3.4, "failing": false, "proven_epoch": 9e12});
        assert!(told(proven, None).starts_with("/disk, 3 s behind, proven 0 s"));
        let late = json!({"lag_seconds": 300.0, "failing": true});
        let why = Some("it ended (exit status: 2)");
        let said = "/disk, 300 s behind, FAILING, NOT RUNNING: it ended (exit status: 2)";
        assert_eq!(told(late, why), said);
        let nothing = json!({"lag_seconds": null, "failing": true});
        assert!(told(nothing, None).contains("FAILING"));
        assert_eq!(row(None, None), None, "nobody asked for copies");
    }
}
