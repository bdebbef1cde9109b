//! What watched the lab during a run: which alert told of the disaster first, and how long
//! that took; and what it is told of the run.

use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result};
use terms::lang::number;
use terms::tr;

use crate::alerts::{self, Clock, Raised};
use crate::context::Context;
use crate::engine::Engine;
use crate::facts::monitoring::Watched;
use crate::failure::{self, Kind};
use crate::measure::figures::milliseconds;
use crate::measure::result::{FirstAlert, ScenarioResult};
use crate::runs::figures;
use crate::wait;

/// When an alert is raised at the latest: a scrape, what a rule about users waits for
/// (`for`), and an evaluation, as `monitoring/` has them.
const DUE: Duration = Duration::from_secs(20);
/// Nobody has to do anything about such an alert.
const NOBODYS: &str = "info";

/// What watches the lab, where something does.
pub fn watching(engine: &dyn Engine) -> Option<Watched> {
    engine.monitoring().watched().ok()?
}

/// Of whom it has not asked yet it notices no loss: a disaster in the first seconds would raise
/// nothing. How many replicas it sees.
///
/// # Errors
/// It does not see all of them in time.
pub fn until_all_are_seen(page: &str, engine: &dyn Engine) -> Result<u32> {
    wait::until(wait::WATCH_SEES, || {
        // It may be loading still.
        let seen = alerts::replicas_seen(page).unwrap_or_default();
        Ok((seen == engine.facts()?.wanted).then_some(seen))
    })
}

/// What watched a lab that was lost as a whole was lost with it: the new lab is watched as the
/// old one was. What hinders that is told: the run is over.
///
/// # Errors
/// An interrupt.
pub fn watch_again(ctx: &Context, engine: &dyn Engine, before: &Watched) -> Result<()> {
    match start_again(engine, before) {
        Err(error) if failure::kind(&error) == Kind::Interrupted => Err(error),
        Err(error) => {
            ctx.ui.warn(&tr!(
                "nothing watches the new lab: {error:#}; cargo xtask monitor tries it again",
                "rien ne surveille le nouveau lab : {error:#} ; cargo xtask monitor réessaie",
            ));
            Ok(())
        }
        Ok(()) => Ok(()),
    }
}

fn start_again(engine: &dyn Engine, before: &Watched) -> Result<()> {
    if engine.monitoring().watched()?.is_some() {
        return Ok(());
    }
    engine.monitoring().start(before.grafana.is_some())?;
    let again = engine.monitoring().watched()?;
    match again.and_then(|again| again.prometheus) {
        Some(page) => until_all_are_seen(&page, engine).map(drop),
        None => Ok(()),
    }
}

/// Adds the first alert about the disaster to the result: an outage that lasts until one is due,
/// and raises none, is a broken promise. What went with the lab cannot tell, which is said.
///
/// # Errors
/// An interrupt.
pub fn add(page: &str, result: &mut ScenarioResult) -> Result<()> {
    let clock = alerts::Clock::of(page);
    result
        .doubts
        .extend(clock.as_ref().ok().and_then(|clock| clock.doubt()));
    match clock.and_then(|clock| first(page, clock, result)) {
        Ok(Some(alert)) => {
            let fired = number(alert.fired_seconds);
            let name = &alert.name;
            result.lessons.push(tr!(
                "Whoever is on duty learns of it after {fired} s, by the alert {name}.",
                "La personne d'astreinte l'apprend après {fired} s, par l'alerte {name}.",
            ));
            result.alert = Some(alert);
        }
        Ok(None) => match nobody_was_told(unnoticed(result)) {
            Untold::Broken(promise) => result.break_promises([promise]),
            Untold::TooShort(lesson) => result.lessons.push(lesson),
        },
        Err(error) if failure::kind(&error) == Kind::Interrupted => return Err(error),
        Err(error) => result.doubts.push(tr!(
            "what watched the lab does not say which alerts there were: {error:#}",
            "ce qui surveillait le lab ne dit pas quelles alertes il y a eu : {error:#}",
        )),
    }
    Ok(())
}

/// Has what watches the lab, where something does, know the figures of its past runs. What
/// hinders that is told: nothing else depends on it.
pub fn tell_runs(ctx: &Context, engine: &dyn Engine) {
    if !matches!(engine.monitoring().watched(), Ok(Some(_))) {
        return;
    }
    let rules = figures::rules(&ctx.workspace.runs(), engine.lab());
    let told = rules.and_then(|rules| engine.monitoring().tell_runs(&rules));
    if let Err(error) = told {
        ctx.ui.note(&tr!(
            "Prometheus does not know the figures of the newest runs: {error:#}. cargo xtask \
             monitor tells it again.",
            "Prometheus ne connaît pas les chiffres des dernières exécutions : {error:#}. cargo \
             xtask monitor les lui redonne.",
        ));
    }
}

/// By the clock of what watched: it may be another machine's.
fn first(page: &str, clock: Clock, result: &ScenarioResult) -> Result<Option<FirstAlert>> {
    let began = humantime::parse_rfc3339_weak(&result.began).context(tr!(
        "reading when the run began",
        "lecture du début de l'exécution",
    ))?;
    let began = clock.there(since_1970(began));
    let disaster = began + result.moments.first().map_or(0.0, |moment| moment.at);
    let away = result.rto.began;
    let recovered = away.map(|from| began + from + result.rto.seconds);
    let look = || alerts::between(page, disaster, clock.there(alerts::now()));
    let taken_away = result.taken_away.map(|at| began + at);
    let Some(found) = calling(look()?, taken_away.or(recovered)) else {
        return Ok(None);
    };
    let recovered = recovered.unwrap_or(disaster);
    let resolved = in_time(wait::until(wait::ALERT_RESOLVED, || {
        Ok(end_of(&found, look()?, recovered))
    }))?;
    Ok(Some(told(found, resolved, disaster, recovered)))
}

/// For how long the disaster could have been told of, in seconds.
fn unnoticed(result: &ScenarioResult) -> f64 {
    let struck = result.moments.first().map_or(0.0, |moment| moment.at);
    result
        .taken_away
        .map_or(result.rto.seconds, |at| at - struck)
}

/// The first alert that calls somebody about the disaster: one that begins after the service is
/// back, or was taken away to bring something back, is about the recovery.
fn calling(raised: Vec<Raised>, until: Option<f64>) -> Option<Raised> {
    let in_time = |one: &Raised| until.is_none_or(|end| one.at <= end);
    let mut raised = raised.into_iter();
    raised.find(|one| one.severity != NOBODYS && in_time(one))
}

/// When nobody was told any more. An alert ends while nothing can be asked about it, and is
/// raised again once it can: the last one that was raised by the recovery counts.
fn end_of(found: &Raised, raised: Vec<Raised>, recovered: f64) -> Option<f64> {
    let by_then = |one: &Raised| one.name == found.name && one.at <= recovered.max(found.at);
    let last = raised.into_iter().rfind(by_then);
    last.and_then(|one| one.resolved)
}

/// What it means that no alert was raised, in words.
enum Untold {
    Broken(String),
    TooShort(String),
}

/// The disaster was there to be noticed for so many seconds.
fn nobody_was_told(away: f64) -> Untold {
    if away >= DUE.as_secs_f64() {
        return Untold::Broken(tr!(
            "the lab was watched, and no alert told of the disaster",
            "le lab était surveillé, et aucune alerte n'a signalé le sinistre",
        ));
    }
    let away = number(away);
    let due = DUE.as_secs();
    Untold::TooShort(tr!(
        "No alert told of the disaster: it was over, or its recovery had begun, after {away} s, \
         and an alert is due after {due} s at the latest.",
        "Aucune alerte n'a signalé le sinistre : il était fini, ou la reprise avait commencé, au \
         bout de {away} s, et une alerte est due au bout de {due} s au plus tard.",
    ))
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
    use serde_json::Value;

    const CONFIG: &str = include_str!("../../../monitoring/config/prometheus.yml");
    const RULES: &str = include_str!("../../../monitoring/rules/rules.yaml");

    /// A length of time as these files have it; one that is not stated is none.
    fn length(stated: &Value) -> Duration {
        humantime::parse_duration(stated.as_str().unwrap_or("0s")).unwrap()
    }

    #[test]
    fn an_outage_that_lasts_until_an_alert_is_due_and_raises_none_breaks_a_promise() {
        let due = DUE.as_secs_f64();
        assert!(matches!(nobody_was_told(due), Untold::Broken(_)));
        assert!(matches!(nobody_was_told(due + 60.0), Untold::Broken(_)));
        let Untold::TooShort(lesson) = nobody_was_told(due - 0.001) else {
            panic!("it was over before an alert was due");
        };
        assert!(
            lesson.contains("19.999 s, and an alert is due after 20 s"),
            "{lesson}"
        );
        assert!(matches!(nobody_was_told(0.0), Untold::TooShort(_)));
    }

    /// The replicas are asked, a rule about users holds for as long as it wants, and it is
    /// evaluated.
    #[test]
    fn an_alert_about_users_is_due_when_the_files_say() {
        let config: Value = serde_norway::from_str(CONFIG).unwrap();
        let pace = |of: &str| length(&config["global"][of]);
        let rules: Value = serde_norway::from_str(RULES).unwrap();
        let groups = rules["groups"].as_array().unwrap().iter();
        let rules = groups.flat_map(|group| group["rules"].as_array().unwrap());
        let about_users = ["NobodyIsServed", "ReplicasBelowTwo", "RequestsRefused"];
        let about_users = rules.filter(|rule| {
            let name = rule["alert"].as_str().unwrap();
            about_users.contains(&name)
        });
        let waits: Vec<Duration> = about_users.map(|rule| length(&rule["for"])).collect();
        assert_eq!(waits.len(), 3);
        let longest = waits.into_iter().max().unwrap();
        let due = pace("scrape_interval") + longest + pace("evaluation_interval");
        assert_eq!(due, DUE);
    }

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

    #[test]
    fn an_alert_that_is_raised_again_before_the_recovery_has_not_ended() {
        let found = raised("PointQuarantined", "critical", 4.0);
        let again = |at, resolved| Raised {
            resolved,
            ..raised("PointQuarantined", "critical", at)
        };
        let first = || again(4.0, Some(9.0));
        assert_eq!(end_of(&found, vec![first()], 15.0), Some(9.0));
        let flapped = |end| vec![first(), again(12.0, end), again(40.0, Some(50.0))];
        assert_eq!(end_of(&found, flapped(Some(21.0)), 15.0), Some(21.0));
        assert_eq!(end_of(&found, flapped(None), 15.0), None);
        // Users noticed nothing, so that there is no end of it.
        assert_eq!(end_of(&found, vec![first()], 0.0), Some(9.0));
    }
}
