//! The page of a drill: the spread over its runs, protections side by side.

use anyhow::Result;
use maud::{Markup, html};
use terms::lang::{self, Both};
use terms::{Labelled, ObjectiveName, Quantity, tr};

use super::{
    Cell, doubts, number, objectives, origin, page, played, promise, simplifications, table, text,
    time, verdict,
};
use crate::model::{Drill, DrillRun, Figure, Folder, Group};
use crate::plot::spread::{self, Row};
use crate::plot::{Words, seconds};

/// What is drawn of every run.
struct Drawn {
    /// As the drill names its figures.
    figure: Quantity,
    heading: Both,
    unit: Both,
    /// As `lab.toml` names it.
    objective: ObjectiveName,
    of: fn(&DrillRun) -> f64,
}

const DRAWN: [Drawn; 3] = [
    Drawn {
        figure: Quantity::Lost,
        heading: lang::both("RPO: rows lost", "RPO : lignes perdues"),
        unit: lang::both("rows", "lignes"),
        objective: ObjectiveName::RpoRows,
        of: |run| run.lost as f64,
    },
    Drawn {
        figure: Quantity::RpoSeconds,
        heading: lang::both(
            "RPO: seconds' worth of lost writes",
            "RPO : secondes d'écritures perdues",
        ),
        unit: lang::both("seconds", "secondes"),
        objective: ObjectiveName::RpoSeconds,
        of: |run| run.rpo_seconds,
    },
    Drawn {
        figure: Quantity::RtoSeconds,
        heading: lang::both(
            "RTO: seconds without service",
            "RTO : secondes sans service",
        ),
        unit: lang::both("seconds", "secondes"),
        objective: ObjectiveName::RtoSeconds,
        of: |run| run.rto_seconds,
    },
];

pub fn render(folder: &Folder, drill: &Drill) -> Result<String> {
    let runs: usize = drill.groups.iter().map(|group| group.runs.len()).sum();
    let held = || drill.groups.iter().filter(|g| !g.objectives.is_empty());
    let body = html! {
        (verdict(drill.passed))
        p { (tr!(
            "{runs} run{s}, {began}, seed {seed}. {moments}",
            "{runs} exécution{s}, {began}, graine {seed}. {moments}",
            s = lang::plural(runs as u64),
            began = lang::moment(&folder.began()),
            seed = drill.seed,
            moments = drill.moments,
        )) }
        @if let Some(why) = &drill.cut_off { p.doubt { (tr!(
            "Cut off: {why}",
            "Interrompu : {why}",
        )) } }
        @for missed in &drill.missed { p.broken { "✗ " (missed) } }
        (doubts(&drill.doubts))
        @if !drill.comparison.is_empty() {
            h2 { (tr!("In short", "En bref")) }
            @for line in drill.comparison.iter().chain(&drill.notes) { p { (line) } }
        }
        @for quantity in &DRAWN { (distribution(drill, quantity)?) }
        @for group in &drill.groups { (figures(group)) }
        @if held().next().is_some() {
            h2 { (tr!("Objectives", "Objectifs")) }
            @for group in held() { (objectives(&tr!(
                "{name}: objectives",
                "{name} : objectifs",
                name = name(group),
            ), &group.objectives)) }
        }
        h2 { (tr!("Every run", "Toutes les exécutions")) }
        @for group in &drill.groups { (runs_table(group)) }
        (simplifications(&drill.simplifications))
        (origin(&drill.commands, &drill.versions, Some(drill.seed)))
    };
    Ok(page(
        &tr!("Drill", "Exercice"),
        Some("../index.html"),
        &body,
    ))
}

fn name(group: &Group) -> String {
    format!(
        "{}, {}, {}, {}",
        played(&group.scenario, group.auto),
        group.lab.label(),
        group.protection.label(),
        group.engine.label()
    )
}

fn distribution(drill: &Drill, quantity: &Drawn) -> Result<Markup> {
    let unit = quantity.unit.text();
    let mut rows = Vec::new();
    let mut told = Vec::new();
    let mut limits: Vec<f64> = Vec::new();
    for group in &drill.groups {
        let figure = group.figures.iter().find(|f| f.name == quantity.figure);
        let Some(figure) = figure else {
            continue;
        };
        let objectives = group.objectives.iter();
        let limit = objectives.filter(|one| one.name == quantity.objective);
        limits.extend(limit.map(|one| one.limit));
        told.push(tr!(
            "{name}: median {median}, from {min} to {max} {unit} over {n} run{s}",
            "{name} : médiane {median}, de {min} à {max} {unit} sur {n} exécution{s}",
            s = lang::plural(figure.n as u64),
            name = name(group),
            median = seconds(figure.median),
            min = seconds(figure.min),
            max = seconds(figure.max),
            n = figure.n,
        ));
        let values = group
            .runs
            .iter()
            .map(|run| ((quantity.of)(run), run.passed));
        rows.push(Row {
            name: name(group),
            values: values.collect(),
            median: figure.median,
            interval: (figure.median_low, figure.median_high),
        });
    }
    if rows.is_empty() {
        return Ok(html! {});
    }
    // One line can only stand for an objective that all rows share.
    let limit = limits.first().copied();
    let limit =
        limit.filter(|first| limits.len() == rows.len() && limits.iter().all(|l| l == first));
    let words = Words {
        id: &quantity.figure.to_string(),
        title: quantity.heading.text(),
        description: &told.join(". "),
    };
    let plot = spread::plot(&rows, unit, limit, &words)?;
    Ok(html! {
        h2 { (quantity.heading) }
        figure {
            (plot)
            figcaption {
                (tr!(
                    "One dot a run, a cross where its promise was broken. Below them the median \
                     and its confidence interval.",
                    "Un point par exécution, une croix là où sa promesse n'a pas été tenue. \
                     Au-dessous, la médiane et son intervalle de confiance.",
                ))
                @if let Some(limit) = limit {
                    " " (tr!(
                        "The objective is at most {limit} {unit}.",
                        "L'objectif est d'au plus {limit} {unit}.",
                        limit = seconds(limit),
                    ))
                }
            }
        }
    })
}

fn figures(group: &Group) -> Markup {
    let rows = group.figures.iter().map(|figure| {
        vec![
            text(format!("{} ({})", figure.name.label(), figure.unit.label())),
            time(figure.min),
            time(figure.median),
            figure.p95().map_or_else(|| number("= max"), time),
            time(figure.max),
            Cell::Markup(html! { span.whole { (interval(figure)) } }),
        ]
    });
    let headers = [
        lang::both("quantity", "grandeur"),
        Both::same("min"),
        lang::both("median", "médiane"),
        Both::same("p95"),
        Both::same("max"),
        lang::both(
            "confidence interval of the median",
            "intervalle de confiance de la médiane",
        ),
    ];
    let mut caption = tr!(
        "{name}: spread over {count} run{s}",
        "{name} : dispersion sur {count} exécution{s}",
        s = lang::plural(group.runs.len() as u64),
        name = name(group),
        count = group.runs.len()
    );
    if group.cut_off > 0 {
        caption.push_str(&tr!(
            "; {count} more cut off",
            " ; interrompues en plus : {count}",
            count = group.cut_off
        ));
    }
    html! {
        h2 { (name(group)) }
        (table(&caption, &headers, rows.collect()))
    }
}

fn interval(figure: &Figure) -> String {
    tr!(
        "{low} to {high} ({share} %)",
        "{low} à {high} ({share} %)",
        low = seconds(figure.median_low),
        high = seconds(figure.median_high),
        share = lang::fixed(figure.coverage * 100.0, 1),
    )
}

fn runs_table(group: &Group) -> Markup {
    let rows = group.runs.iter().map(|run| {
        let folder = run.run.rsplit('/').next().unwrap_or_default();
        let link = format!("../{folder}/report.html");
        vec![
            number(run.number),
            time(run.moment_seconds),
            number(run.lost),
            time(run.rpo_seconds),
            time(run.rto_seconds),
            text(promise(run.passed)),
            Cell::Markup(html! { a href=(link) { (folder) } }),
        ]
    });
    let headers = [
        lang::both("run", "exécution"),
        lang::both("moment (s)", "instant (s)"),
        lang::both("lost", "perdues"),
        Both::same("RPO (s)"),
        Both::same("RTO (s)"),
        lang::both("promise", "promesse"),
        Both::same("page"),
    ];
    table(
        &tr!(
            "{name}: every run",
            "{name} : toutes les exécutions",
            name = name(group)
        ),
        &headers,
        rows.collect(),
    )
}
