//! The pages: self-contained HTML, without scripts or anything from the network.

pub mod drill;
mod gameday;
pub mod history;
pub mod run;

use std::collections::BTreeMap;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::model::{Objective, Simplification};
use crate::plot::seconds;
use crate::theme;

/// A whole page; `up` is the way back to the history, where there is one.
pub fn page(title: &str, up: Option<&str>, body: &Markup) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta http-equiv="Content-Security-Policy"
                    content="default-src 'none'; style-src 'unsafe-inline'; img-src data:";
                link rel="icon" href="data:,";
                title { (title) " · Atelier PRA/PCA" }
                style { (PreEscaped(theme::style())) }
            }
            body {
                a.skip href="#content" { "Skip to the content" }
                header {
                    @if let Some(up) = up { nav aria-label="Pages" { a href=(up) { "All runs" } } }
                    h1 { (title) }
                }
                main id="content" { (body) }
                footer {
                    p {
                        "RPO is what was lost: acknowledged writes that are absent after the \
                         recovery. RTO is how long the service was away: from the first failed \
                         request to the first write that was acknowledged and is really there. \
                         Both are measured by a client that kept writing through the users' URL."
                    }
                }
            }
        }
    };
    page.into_string()
}

/// Whether the promise was kept: in colour and in words.
pub fn verdict(passed: bool) -> Markup {
    html! {
        @if passed { span.verdict.kept { "✓ promise kept" } }
        @else { span.verdict.broken { "✗ promise broken" } }
    }
}

/// What limits how far the figures can be trusted, before any of them is shown.
pub fn doubts(all: &[String]) -> Markup {
    html! { @for doubt in all { p.doubt { "? " (doubt) } } }
}

/// One cell; numbers are aligned on the right.
pub enum Cell {
    Text(String),
    Number(String),
    Markup(Markup),
}

pub fn text(value: impl Into<String>) -> Cell {
    Cell::Text(value.into())
}

pub fn number(value: impl std::fmt::Display) -> Cell {
    Cell::Number(value.to_string())
}

pub fn time(value: f64) -> Cell {
    Cell::Number(seconds(value))
}

/// A table that scrolls by itself where the page is too narrow for it.
pub fn table(caption: &str, headers: &[&str], rows: Vec<Vec<Cell>>) -> Markup {
    let numeric = |column: usize| {
        let cell = rows.first().and_then(|row| row.get(column));
        matches!(cell, Some(Cell::Number(_)))
    };
    html! {
        div.table role="region" aria-label=(caption) tabindex="0" {
            table {
                caption { (caption) }
                thead { tr {
                    @for (column, header) in headers.iter().enumerate() {
                        th.number[numeric(column)] scope="col" { (header) }
                    }
                } }
                tbody {
                    @for row in &rows { tr {
                        @for cell in row {
                            @match cell {
                                Cell::Text(value) => td { (value) },
                                Cell::Number(value) => td.number { (value) },
                                Cell::Markup(value) => td { (value) },
                            }
                        }
                    } }
                }
            }
        }
    }
}

/// What a reader unfolds when the plot is not enough, or cannot be seen.
pub fn folded(summary: &str, content: &Markup) -> Markup {
    html! { details { summary { (summary) } (content) } }
}

/// Objectives against what was measured.
pub fn objectives(caption: &str, all: &[Objective]) -> Markup {
    let rows = all.iter().map(|one| {
        vec![
            text(one.name.to_string()),
            time(one.limit),
            time(one.measured),
            Cell::Markup(html! {
                @if one.met { span.kept { "✓ met" } } @else { span.broken { "✗ missed" } }
            }),
        ]
    });
    let headers = ["objective", "at most", "measured", ""];
    table(caption, &headers, rows.collect())
}

/// What the engine does more simply than Kubernetes, so that the figures are not those
/// of a cluster.
pub fn simplifications(all: &[Simplification]) -> Markup {
    let rows = all
        .iter()
        .map(|one| vec![text(&*one.what), text(&*one.here), text(&*one.on_a_cluster)]);
    html! {
        @if !all.is_empty() {
            h2 { "Simpler than a cluster" }
            (table("What keeps these figures from being those of a cluster",
                &["", "here", "on a cluster"], rows.collect()))
        }
    }
}

/// How it can be repeated: commands, versions, seed.
pub fn origin(
    commands: &[String],
    versions: &BTreeMap<String, String>,
    seed: Option<u64>,
) -> Markup {
    html! {
        @if !commands.is_empty() {
            h2 { "Commands that were run" }
            pre tabindex="0" aria-label="Commands that were run" { (commands.join("\n")) }
        }
        @if !versions.is_empty() || seed.is_some() {
            h2 { "Made with" }
            dl {
                @for (name, version) in versions { dt { (name) } dd { (version) } }
                @if let Some(seed) = seed { dt { "seed" } dd { (seed) } }
            }
        }
    }
}
