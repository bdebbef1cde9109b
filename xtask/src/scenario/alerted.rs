//! What watched the lab during a run: which alert told of the disaster first, and how long
//! that took.

use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result};
use terms::lang::number;
use terms::tr;

use crate::alerts::{self, Raised};
use crate::engine::Engine;
use crate::failure::{self, Kind};
use crate::measure::figures::milliseconds;
use crate::measure::result::{FirstAlert, ScenarioResult};
use crate::wait;

/// When an alert is raised at the latest: a scrape, what a rule about users waits for
/// (`for`), and an evaluation, as `monitoring/` has them.
const DUE: Duration = Duration::from_secs(20);
/// Nobody has to do anything about such an alert.
const NOBODYS: &str = "info";

/// The page of what watches the lab, where something does.
pub fn watching(engine: &dyn Engine) -> Option<String> {
    engine.monitoring().watched().ok()??.prometheus
}

/// Adds the first alert about the disaster to the result: an outage that lasts until one is due,
/// and raises none, is a broken promise. What went with the lab cannot tell, which is said.
///
/// # Errors
/// An interrupt.
pub fn add(page: &str, result: &mut ScenarioResult) -> Result<()> {
    match first(page, result) {
        Ok(Some(alert)) => {
            let fired = number(alert.fired_seconds);
            let name = &alert.name;
            result.lessons.push(tr!(
                "Whoever is on duty learns of it after {fired} s, by the alert {name}.",
                "La personne d'astreinte l'apprend après {fired} s, par l'alerte {name}.",
            ));
            result.alert = Some(alert);
        }
        Ok(None) => nobody_was_told(result),
        Err(error) if failure::kind(&error) == Kind::Interrupted => return Err(error),
        Err(error) => result.doubts.push(tr!(
            "what watched the lab does not say which alerts there were: {error:#}",
            "ce qui surveillait le lab ne dit pas quelles alertes il y a eu : {error:#}",
        )),
    }
    Ok(())
}

fn first(page: &str, result: &ScenarioResult) -> Result<Option<FirstAlert>> {
    let began = humantime::parse_rfc3339_weak(&result.began).context(tr!(
        "reading when the run began",
        "lecture du début de l'exécution",
    ))?;
    let began = since_1970(began);
    let disaster = began + result.moments.first().map_or(0.0, |moment| moment.at);
    let away = result.rto.began;
    let recovered = away.map(|from| began + from + result.rto.seconds);
    let look = || alerts::between(page, disaster, since_1970(SystemTime::now()));
    let Some(found) = calling(look()?, recovered) else {
        return Ok(None);
    };
    let recovered = recovered.unwrap_or(disaster);
    let resolved = in_time(wait::until(wait::ALERT_RESOLVED, || {
        let again = look()?.into_iter().find(|one| one.name == found.name);
        Ok(again.and_then(|one| one.resolved))
    }))?;
    Ok(Some(told(found, resolved, disaster, recovered)))
}

/// The first alert that calls somebody about the disaster: one that begins after the service is
/// back is about the recovery.
fn calling(raised: Vec<Raised>, recovered: Option<f64>) -> Option<Raised> {
    let in_time = |one: &Raised| recovered.is_none_or(|end| one.at <= end);
    let mut raised = raised.into_iter();
    raised.find(|one| one.severity != NOBODYS && in_time(one))
}

fn nobody_was_told(result: &mut ScenarioResult) {
    if result.rto.seconds >= DUE.as_secs_f64() {
        return result.break_promises([tr!(
            "the lab was watched, and no alert told of the disaster",
            "le lab était surveillé, et aucune alerte n'a signalé le sinistre",
        )]);
    }
    let away = number(result.rto.seconds);
    let due = DUE.as_secs();
    result.lessons.push(tr!(
        "No alert told of the disaster: the service was away for {away} s, and an alert is due \
         after {due} s at the latest.",
        "Aucune alerte n'a signalé le sinistre : le service a été absent {away} s, et une alerte \
         est due au bout de {due} s au plus tard.",
    ));
}

fn told(found: Raised, resolved: Option<f64>, disaster: f64, recovered: f64) -> FirstAlert {
    FirstAlert {
        name: found.name,
        severity: found.severity,
        fired_seconds: milliseconds(found.at - disaster),
        resolved_seconds: resolved.map(|at| milliseconds(at - recovered)),
    }
}

/// A wait that ran out found nothing; any other failure is one.
fn in_time<T>(waited: Result<T>) -> Result<Option<T>> {
    match waited {
        Ok(found) => Ok(Some(found)),
        Err(error) if failure::kind(&error) == Kind::Timeout => Ok(None),
        Err(error) => Err(error),
    }
}

fn since_1970(moment: SystemTime) -> f64 {
    let since = moment.duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap_or_default().as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raised(name: &str, severity: &str, at: f64) -> Raised {
        Raised {
            name: name.to_owned(),
            severity: severity.to_owned(),
            at,
            resolved: None,
        }
    }

    #[test]
    fn what_nobody_has_to_act_on_and_what_the_recovery_raises_is_not_the_first_alert() {
        let all = || {
            vec![
                raised("ReplicaLost", "info", 4.0),
                raised("ReplicasBelowTwo", "warning", 12.0),
                raised("NobodyIsServed", "critical", 17.0),
            ]
        };
        let first = |recovered| calling(all(), recovered).map(|one| one.name);
        assert_eq!(first(Some(15.0)).as_deref(), Some("ReplicasBelowTwo"));
        assert_eq!(first(Some(9.0)), None);
        // Users noticed nothing, so that there is no end of it.
        assert_eq!(first(None).as_deref(), Some("ReplicasBelowTwo"));
        assert!(calling(vec![raised("ReplicaLost", "info", 4.0)], None).is_none());
    }
}
