//! All runs, and how their figures moved.

use anyhow::Result;
use maud::{Markup, html};
use terms::lang::{self, Both};
use terms::{EngineName, LabName, Labelled, Protection, Read, ScenarioName, tr};

use super::{Cell, gameday, number, page, played, promise, table, text, time};
use crate::model::{Document, Folder, Scenario, Unreadable};
use crate::plot::{Words, seconds, trend};

pub fn render(folders: &[Folder], unreadable: &[Unreadable]) -> Result<String> {
    let scenarios: Vec<(&Folder, &Scenario)> = folders
        .iter()
        .filter_map(|folder| match &folder.document {
            Document::Scenario(scenario) => Some((folder, scenario.as_ref())),
            Document::Drill(_) => None,
        })
        .collect();
    let mut kinds: Vec<Kind> = scenarios.iter().map(|(_, one)| kind(one)).collect();
    kinds.sort();
    kinds.dedup();
    let mut trends = Vec::new();
    for (index, kind) in kinds.iter().enumerate() {
        trends.push(one_trend(index, kind, &scenarios)?);
    }
    let body = html! {
        p { (tr!("{count} results.", "{count} résultats.", count = folders.len())) }
        (left_out(unreadable))
        (drills(folders))
        (gameday::listed(&scenarios, link))
        h2 { (tr!("Runs, newest first", "Exécutions, la plus récente d'abord")) }
        (runs(&scenarios))
        h2 { (tr!("Trend", "Évolution")) }
        @for trend in &trends { (trend) }
    };
    Ok(page(&tr!("All runs", "Toutes les exécutions"), None, &body))
}

/// Runs that can be compared: scenario, lab, protection, engine, by whom it was restored.
type Kind = (
    Read<ScenarioName>,
    Read<LabName>,
    Read<Protection>,
    Read<EngineName>,
    bool,
);

fn kind(one: &Scenario) -> Kind {
    (
        one.scenario.clone(),
        one.lab.clone(),
        one.protection.clone(),
        one.engine.clone(),
        one.auto,
    )
}

fn link(folder: &Folder) -> Cell {
    let target = format!("{}/report.html", folder.name);
    Cell::Markup(html! { a href=(target) { (lang::moment(&folder.began())) } })
}

/// The results that could not be read, named with the reason.
fn left_out(unreadable: &[Unreadable]) -> Markup {
    let rows = unreadable
        .iter()
        .map(|one| vec![text(one.name.clone()), text(one.why.clone())]);
    let headers = [
        lang::both("run", "exécution"),
        lang::both("why", "pourquoi"),
    ];
    html! {
        @if !unreadable.is_empty() {
            h2 { (tr!(
                "Results that cannot be drawn",
                "Résultats qui ne peuvent pas être dessinés",
            )) }
            (table(&tr!("Left out below", "Laissés de côté ci-dessous"), &headers, rows.collect()))
        }
    }
}

fn drills(folders: &[Folder]) -> Markup {
    let rows: Vec<Vec<Cell>> = folders
        .iter()
        .rev()
        .filter_map(|folder| match &folder.document {
            Document::Drill(drill) => Some(vec![
                link(folder),
                number(drill.groups.iter().map(|g| g.runs.len()).sum::<usize>()),
                number(drill.seed),
                text(promise(drill.passed)),
            ]),
            Document::Scenario(_) => None,
        })
        .collect();
    let headers = [
        lang::both("began", "début"),
        lang::both("runs", "exécutions"),
        lang::both("seed", "graine"),
        lang::both("objectives", "objectifs"),
    ];
    html! {
        @if !rows.is_empty() {
            h2 { (tr!("Drills, newest first", "Exercices, le plus récent d'abord")) }
            (table(&tr!("Every drill", "Tous les exercices"), &headers, rows))
        }
    }
}

fn runs(scenarios: &[(&Folder, &Scenario)]) -> Markup {
    let rows = scenarios.iter().rev().map(|(folder, one)| {
        vec![
            link(folder),
            text(played(&one.scenario, one.auto)),
            text(one.lab.label()),
            text(one.engine.label()),
            text(one.protection.label()),
            number(one.rpo.lost),
            time(one.rto.seconds),
            number(one.client.failed),
            text(promise(one.passed)),
        ]
    });
    let headers = [
        lang::both("began", "début"),
        lang::both("scenario", "scénario"),
        Both::same("lab"),
        lang::both("engine", "moteur"),
        Both::same("protection"),
        lang::both("lost", "perdues"),
        Both::same("RTO (s)"),
        lang::both("failed writes", "écritures en échec"),
        lang::both("promise", "promesse"),
    ];
    table(
        &tr!("Every scenario that ended", "Tous les scénarios terminés"),
        &headers,
        rows.collect(),
    )
}

fn one_trend(index: usize, kind: &Kind, all: &[(&Folder, &Scenario)]) -> Result<Markup> {
    let same: Vec<&Scenario> = all
        .iter()
        .map(|(_, one)| *one)
        .filter(|one| self::kind(one) == *kind)
        .collect();
    let (scenario, lab, protection, engine, auto) = kind;
    let name = format!(
        "{}, {}, {}, {}",
        played(scenario, *auto),
        lab.label(),
        protection.label(),
        engine.label()
    );
    let plot = |what: &str, id: &str, unit: &str, value: fn(&Scenario) -> f64| {
        let points: Vec<trend::Point> = same.iter().map(|one| (value(one), one.passed)).collect();
        let words = Words {
            id: &format!("{id}-{index}"),
            title: &format!("{what}, {name}"),
            description: &told(&points, unit),
        };
        trend::plot(&points, unit, &words)
    };
    let rto = plot(
        "RTO",
        "rto",
        &tr!("RTO in seconds", "RTO en secondes"),
        |one| one.rto.seconds,
    )?;
    let rpo = plot(
        &tr!("Rows lost", "Lignes perdues"),
        "rpo",
        &tr!("rows lost", "lignes perdues"),
        |one| one.rpo.lost as f64,
    )?;
    Ok(html! {
        h3 { (name) }
        figure {
            (rto)
            figcaption { (tr!(
                "RTO, {count} runs; a cross where the promise was broken.",
                "RTO, {count} exécutions ; une croix là où la promesse n'a pas été tenue.",
                count = same.len(),
            )) }
        }
        figure { (rpo) figcaption { (tr!(
            "Rows lost in the same runs.",
            "Lignes perdues dans les mêmes exécutions.",
        )) } }
    })
}

fn told(points: &[trend::Point], unit: &str) -> String {
    let values = || points.iter().map(|(value, _)| *value);
    tr!(
        "{unit}: {count} runs, from {least} to {most}, the last one {last}. The table of runs has \
         every figure.",
        "{unit} : {count} exécutions, de {least} à {most}, la dernière {last}. Le tableau des \
         exécutions a tous les chiffres.",
        count = points.len(),
        least = seconds(values().fold(f64::INFINITY, f64::min)),
        most = seconds(values().fold(0.0, f64::max)),
        last = seconds(values().next_back().unwrap_or_default()),
    )
}
