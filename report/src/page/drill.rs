//! The page of a drill: the spread over its runs, protections side by side.

use anyhow::Result;
use maud::{Markup, html};
use terms::{ObjectiveName, Quantity};

use super::{
    Cell, doubts, number, objectives, origin, page, simplifications, table, text, time, verdict,
};
use crate::model::{Drill, DrillRun, Figure, Folder, Group};
use crate::plot::spread::{self, Row};
use crate::plot::{Words, seconds};

/// What is drawn of every run.
struct Drawn {
    /// As the drill names its figures.
    figure: Quantity,
    heading: &'static str,
    unit: &'static str,
    /// As `lab.toml` names it.
    objective: ObjectiveName,
    of: fn(&DrillRun) -> f64,
}

const DRAWN: [Drawn; 3] = [
    Drawn {
        figure: Quantity::Lost,
        heading: "RPO: rows lost",
        unit: "rows",
        objective: ObjectiveName::RpoRows,
        of: |run| run.lost as f64,
    },
    Drawn {
        figure: Quantity::RpoSeconds,
        heading: "RPO: seconds' worth of lost writes",
        unit: "seconds",
        objective: ObjectiveName::RpoSeconds,
        of: |run| run.rpo_seconds,
    },
    Drawn {
        figure: Quantity::RtoSeconds,
        heading: "RTO: seconds without service",
        unit: "seconds",
        objective: ObjectiveName::RtoSeconds,
        of: |run| run.rto_seconds,
    },
];

pub fn render(folder: &Folder, drill: &Drill) -> Result<String> {
    let runs: usize = drill.groups.iter().map(|group| group.runs.len()).sum();
    let held = || drill.groups.iter().filter(|g| !g.objectives.is_empty());
    let body = html! {
        (verdict(drill.passed))
        p { (runs) " runs, " (folder.began()) ", seed " (drill.seed) ". " (drill.moments) }
        @if let Some(why) = &drill.cut_off { p.doubt { "Cut off: " (why) } }
        @for missed in &drill.missed { p.broken { "✗ " (missed) } }
        (doubts(&drill.doubts))
        @if !drill.comparison.is_empty() {
            h2 { "In short" }
            @for line in drill.comparison.iter().chain(&drill.notes) { p { (line) } }
        }
        @for quantity in &DRAWN { (distribution(drill, quantity)?) }
        @for group in &drill.groups { (figures(group)) }
        @if held().next().is_some() {
            h2 { "Objectives" }
            @for group in held() { (objectives(&format!("{}: objectives", name(group)), &group.objectives)) }
        }
        h2 { "Every run" }
        @for group in &drill.groups { (runs_table(group)) }
        (simplifications(&drill.simplifications))
        (origin(&drill.commands, &drill.versions, Some(drill.seed)))
    };
    Ok(page("Drill", Some("../index.html"), &body))
}

fn name(group: &Group) -> String {
    format!("{}, {}, {}", group.scenario, group.protection, group.engine)
}

fn distribution(drill: &Drill, quantity: &Drawn) -> Result<Markup> {
    let unit = quantity.unit;
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
        told.push(format!(
            "{}: median {}, from {} to {} {unit} over {} runs",
            name(group),
            seconds(figure.median),
            seconds(figure.min),
            seconds(figure.max),
            figure.n,
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
        title: quantity.heading,
        description: &told.join(". "),
    };
    let plot = spread::plot(&rows, unit, limit, &words)?;
    Ok(html! {
        h2 { (quantity.heading) }
        figure {
            (plot)
            figcaption {
                "One dot a run, a cross where its promise was broken. Below them the median and \
                 its confidence interval."
                @if let Some(limit) = limit {
                    " The objective is at most " (seconds(limit)) " " (unit) "."
                }
            }
        }
    })
}

fn figures(group: &Group) -> Markup {
    let rows = group.figures.iter().map(|figure| {
        vec![
            text(format!("{} ({})", figure.name, figure.unit)),
            time(figure.min),
            time(figure.median),
            figure.p95().map_or_else(|| number("= max"), time),
            time(figure.max),
            Cell::Markup(html! { span.whole { (interval(figure)) } }),
        ]
    });
    let headers = [
        "quantity",
        "min",
        "median",
        "p95",
        "max",
        "confidence interval of the median",
    ];
    let mut caption = format!("{}: spread over {} runs", name(group), group.runs.len());
    if group.cut_off > 0 {
        caption.push_str(&format!("; {} more cut off", group.cut_off));
    }
    html! {
        h2 { (name(group)) }
        (table(&caption, &headers, rows.collect()))
    }
}

fn interval(figure: &Figure) -> String {
    format!(
        "{} to {} ({:.1} %)",
        seconds(figure.median_low),
        seconds(figure.median_high),
        figure.coverage * 100.0
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
            text(if run.passed { "✓ kept" } else { "✗ broken" }),
            Cell::Markup(html! { a href=(link) { (folder) } }),
        ]
    });
    let headers = [
        "run",
        "moment (s)",
        "lost",
        "RPO (s)",
        "RTO (s)",
        "promise",
        "page",
    ];
    table(
        &format!("{}: every run", name(group)),
        &headers,
        rows.collect(),
    )
}
