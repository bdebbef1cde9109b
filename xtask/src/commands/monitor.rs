//! `monitor`: what watches the lab runs, and where a person looks; or it is removed.

use anyhow::Result;
use serde_json::json;
use terms::lang::{Both, both};
use terms::tr;

use crate::commands::setup;
use crate::context::Context;
use crate::engine::{self, Engine};
use crate::facts::monitoring::Watched;
use crate::failure::Failure;
use crate::http;
use crate::scenario::alerted;

pub fn run(ctx: &Context, off: bool, dashboards: bool) -> Result<()> {
    let _lock = ctx.lock("monitor")?;
    if off {
        return remove(ctx);
    }
    let engine = setup::bring_up(ctx)?;
    if !ctx.exec.dry_run() {
        insist_on_metrics(engine.as_ref())?;
    }
    engine.monitoring().start(dashboards)?;
    if ctx.exec.dry_run() {
        return Ok(());
    }
    alerted::tell_runs(ctx, engine.as_ref());
    let watched = engine.monitoring().watched()?;
    let page = watched.as_ref().and_then(|one| one.prometheus.as_deref());
    if let Some(page) = page {
        let step = ctx
            .ui
            .step(tr!("replicas watched", "répliques surveillées"));
        let seen = alerted::until_all_are_seen(page, engine.as_ref())?;
        step.done(seen.to_string());
    }
    if ctx.ui.json() {
        let engine = engine.name();
        return ctx
            .ui
            .document(&json!({"status": "on", "engine": engine, "monitoring": watched}));
    }
    ctx.ui.say(&tr!(
        "The lab on the {engine} engine is watched:",
        "Le lab du moteur {engine} est surveillé :",
        engine = engine.name(),
    ));
    if let Some(watched) = watched {
        ctx.ui.table(&["", ""], &places(&watched));
    }
    ctx.ui.say(&tr!(
        "What each alert means, and what to do: docs/runbook.md. cargo xtask monitor --off removes \
         it again.",
        "Ce que signifie chaque alerte, et quoi faire : docs/runbook.md. cargo xtask monitor --off \
         l'enlève.",
    ));
    Ok(())
}

fn remove(ctx: &Context) -> Result<()> {
    let engine = engine::select(ctx)?;
    let removed = engine.monitoring().stop()?;
    if !removed {
        ctx.ui.note(&tr!(
            "Nothing watches this lab.",
            "Rien ne surveille ce lab.",
        ));
    }
    if ctx.ui.json() && !ctx.exec.dry_run() {
        let engine = engine.name();
        return ctx
            .ui
            .document(&json!({"status": "off", "engine": engine, "removed": removed}));
    }
    Ok(())
}

/// Where a person looks, a row each.
fn places(watched: &Watched) -> Vec<Vec<String>> {
    let row = |what: Both, url: String| vec![what.into(), url];
    let mut rows = Vec::new();
    if let Some(page) = &watched.prometheus {
        let page = pages(page);
        rows.push(row(both("alerts", "alertes"), format!("{page}/alerts")));
        rows.push(row(both("metrics", "métriques"), format!("{page}/graph")));
        rows.push(row(
            both("replicas", "répliques"),
            format!("{page}/targets"),
        ));
    }
    if let Some(page) = &watched.alertmanager {
        rows.push(row(both("who is told", "qui est prévenu"), page.clone()));
    }
    if let Some(page) = &watched.grafana {
        rows.push(row(
            both("dashboards", "tableaux de bord"),
            format!("{page}/dashboards"),
        ));
    }
    rows
}

/// Below what its pages are: Debian's package has the older ones alone.
fn pages(prometheus: &str) -> String {
    match http::page(&format!("{prometheus}/alerts")) {
        Ok(_) => prometheus.to_owned(),
        Err(_) => format!("{prometheus}/classic"),
    }
}

/// Without metrics each replica would be taken for one that is down.
fn insist_on_metrics(engine: &dyn Engine) -> Result<()> {
    let Some(url) = engine.facts()?.url else {
        return Ok(());
    };
    http::page(&format!("{url}/metrics"))
        .map(drop)
        .map_err(|error| {
            let failure = Failure::usage(tr!(
                "the application tells no metrics, so that nothing could be watched",
                "l'application ne donne pas de métriques, et rien ne pourrait être surveillé",
            ));
            error.context(failure.next(tr!(
                "set PRA_METRICS to on in k8s/05-config.yaml, then cargo xtask setup",
                "mettez PRA_METRICS à on dans k8s/05-config.yaml, puis cargo xtask setup",
            )))
        })
}
