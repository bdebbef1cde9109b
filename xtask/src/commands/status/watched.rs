//! What watches the lab, and the alerts that are raised.

use terms::lang::{Both, both};
use terms::tr;

use crate::alerts::{self, Alert};
use crate::context::Context;
use crate::engine::Engine;
use crate::facts::Facts;
use crate::facts::monitoring::Watched;

/// What watches the lab, and the alerts: those of its Prometheus, else what the rules of the
/// protection say of this moment; `None` where nobody can tell.
pub fn look(
    ctx: &Context,
    engine: &dyn Engine,
    facts: &Facts,
) -> (Option<Watched>, Option<Vec<Alert>>) {
    if !facts.running {
        return (None, None);
    }
    // A status tells what it can.
    let watched = engine.monitoring().watched().ok().flatten();
    let page = watched.as_ref().and_then(|one| one.prometheus.as_deref());
    let raised = page.and_then(|page| alerts::of_prometheus(page).ok());
    let evaluated = || {
        let url = facts.url.as_deref().filter(|_| facts.ready() > 0)?;
        alerts::evaluated(&ctx.workspace.root, url).ok()
    };
    (watched, raised.or_else(evaluated))
}

pub fn rows(watched: Option<&Watched>, alerts: Option<&[Alert]>) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    if let Some(watched) = watched {
        rows.push(row(
            both("monitoring", "surveillance"),
            &monitoring(watched),
        ));
    }
    let name = both("alerts", "alertes");
    match alerts {
        None => {}
        Some([]) => rows.push(row(name, both("none", "aucune").text())),
        Some(all) => {
            let names = std::iter::once(name).chain(std::iter::repeat(Both::same("")));
            let told = names.zip(all).map(|(name, alert)| row(name, &alert.told()));
            rows.extend(told);
        }
    }
    rows
}

fn row(name: Both, value: &str) -> Vec<String> {
    vec![name.into(), value.to_owned()]
}

/// A part that is away: what it is for is not done, be it that nobody is told of alerts.
pub fn trouble(watched: &Watched) -> Option<String> {
    let part = watched.parts.iter().find(|part| !part.ready)?;
    let name = &part.name;
    let why = part.trouble.as_deref().map(|why| format!(" ({why})"));
    let why = why.unwrap_or_default();
    Some(tr!(
        "{name} is not ready{why}: cargo xtask monitor brings it back",
        "{name} n'est pas prêt{why} : cargo xtask monitor le ramène",
    ))
}

fn monitoring(watched: &Watched) -> String {
    match (trouble(watched), &watched.prometheus) {
        (Some(trouble), _) => trouble,
        (None, Some(page)) => page.clone(),
        (None, None) => both(
            "ready, and not reached from this machine: cargo xtask monitor",
            "prête, et pas joignable depuis cette machine : cargo xtask monitor",
        )
        .into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alerts::State;
    use crate::facts::monitoring::Part;

    fn watched(ready: bool, trouble: Option<&str>, page: Option<&str>) -> Watched {
        Watched {
            parts: vec![Part {
                name: "prometheus".to_owned(),
                ready,
                trouble: trouble.map(str::to_owned),
            }],
            prometheus: page.map(str::to_owned),
            alertmanager: None,
            grafana: None,
        }
    }

    #[test]
    fn a_part_that_is_dead_is_named_with_its_reason() {
        let page = "http://127.0.0.1:9090";
        assert_eq!(monitoring(&watched(true, None, Some(page))), page);
        assert_eq!(
            monitoring(&watched(false, Some("ended; again in 10 s"), Some(page))),
            "prometheus is not ready (ended; again in 10 s): cargo xtask monitor brings it back"
        );
        assert!(monitoring(&watched(true, None, None)).contains("cargo xtask monitor"));
    }

    #[test]
    fn an_alert_leads_to_what_to_do() {
        let alert = |state| Alert {
            name: "VolumeNearlyFull".to_owned(),
            severity: "warning".to_owned(),
            state,
            sentence: "A volume is nearly full.".to_owned(),
            value: "pra-data: 91.0 %".to_owned(),
            runbook: "docs/runbook.md#volumenearlyfull".to_owned(),
        };
        let all = [alert(State::Firing), alert(State::Pending)];
        let rows = rows(None, Some(&all));
        assert_eq!(
            rows[0],
            [
                "alerts",
                "VolumeNearlyFull (warning): A volume is nearly full. pra-data: 91.0 %. \
             docs/runbook.md#volumenearlyfull"
            ]
        );
        assert!(rows[1][0].is_empty() && rows[1][1].contains("if it stays so"));
        assert_eq!(super::rows(None, Some(&[]))[0][1], "none");
        assert!(super::rows(None, None).is_empty());
    }
}
