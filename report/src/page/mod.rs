//! The pages: self-contained HTML, without scripts or anything from the network.

pub mod drill;
mod gameday;
pub mod history;
pub mod run;

use std::collections::BTreeMap;

use maud::{DOCTYPE, Markup, PreEscaped, html};
use terms::lang::{self, Both};
use terms::{Labelled, Read, ScenarioName, tr};

use crate::model::{Objective, Simplification};
use crate::plot::seconds;
use crate::theme;

/// A whole page; `up` is the way back to the history, where there is one.
pub fn page(title: &str, up: Option<&str>, body: &Markup) -> String {
    let page = html! {
        (DOCTYPE)
        html lang=(lang::chosen().tag()) {
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
                a.skip href="#content" { (tr!("Skip to the content", "Aller au contenu")) }
                header {
                    @if let Some(up) = up {
                        nav aria-label="Pages" {
                            a href=(up) { (tr!("All runs", "Toutes les exécutions")) }
                        }
                    }
                    h1 { (title) }
                }
                main id="content" { (body) }
                footer {
                    p {
                        (tr!(
                            "RPO is what was lost: acknowledged writes that are absent after the \
                             recovery. RTO is how long the service was away: from the first \
                             failed request to the first write that was acknowledged and is \
                             really there. Both are measured by a client that kept writing \
                             through the users' URL.",
                            "Le RPO est ce qui a été perdu : les écritures acquittées qui \
                             manquent après la reprise. Le RTO est la durée d'absence du service \
                             : de la première requête en échec à la première écriture acquittée \
                             et réellement présente. Les deux sont mesurés par un client qui n'a \
                             cessé d'écrire par l'URL des utilisateurs.",
                        ))
                    }
                }
            }
        }
    };
    page.into_string()
}

/// A scenario by the name that is typed, and what that means where it is in another language.
pub fn named(scenario: &Read<ScenarioName>) -> String {
    let (word, label) = (scenario.to_string(), scenario.label());
    if word == label {
        word
    } else {
        format!("{word} ({label})")
    }
}

/// The same as it was typed: with `--auto` the lab restored by itself.
pub fn played(scenario: &Read<ScenarioName>, auto: bool) -> String {
    let auto = if auto { " --auto" } else { "" };
    format!("{}{auto}", named(scenario))
}

/// Whether the promise was kept: in colour and in words.
pub fn verdict(passed: bool) -> Markup {
    html! {
        @if passed { span.verdict.kept { (tr!("✓ promise kept", "✓ promesse tenue")) } }
        @else { span.verdict.broken { (tr!("✗ promise broken", "✗ promesse non tenue")) } }
    }
}

/// The same in a column of promises.
pub fn promise(kept: bool) -> &'static str {
    if kept {
        lang::both("✓ kept", "✓ tenue").text()
    } else {
        lang::both("✗ broken", "✗ non tenue").text()
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
pub fn table(caption: &str, headers: &[Both], rows: Vec<Vec<Cell>>) -> Markup {
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
    let met = lang::both("✓ met", "✓ atteint");
    let missed = lang::both("✗ missed", "✗ manqué");
    let rows = all.iter().map(|one| {
        vec![
            text(one.name.label()),
            time(one.limit),
            time(one.measured),
            Cell::Markup(html! {
                @if one.met { span.kept { (met) } } @else { span.broken { (missed) } }
            }),
        ]
    });
    let headers = [
        lang::both("objective", "objectif"),
        lang::both("at most", "au plus"),
        lang::both("measured", "mesuré"),
        Both::same(""),
    ];
    table(caption, &headers, rows.collect())
}

/// What the engine does more simply than Kubernetes, so that the figures are not those
/// of a cluster.
pub fn simplifications(all: &[Simplification]) -> Markup {
    let rows = all
        .iter()
        .map(|one| vec![text(&*one.what), text(&*one.here), text(&*one.on_a_cluster)]);
    let caption = tr!(
        "What keeps these figures from being those of a cluster",
        "Ce qui empêche ces chiffres d'être ceux d'un cluster",
    );
    let headers = [
        Both::same(""),
        lang::both("here", "ici"),
        lang::both("on a cluster", "sur un cluster"),
    ];
    html! {
        @if !all.is_empty() {
            h2 { (tr!("Simpler than a cluster", "Plus simple qu'un cluster")) }
            (table(&caption, &headers, rows.collect()))
        }
    }
}

/// How it can be repeated: commands, versions, seed.
pub fn origin(
    commands: &[String],
    versions: &BTreeMap<String, String>,
    seed: Option<u64>,
) -> Markup {
    let commands_heading = tr!("Commands that were run", "Commandes exécutées");
    html! {
        @if !commands.is_empty() {
            h2 { (commands_heading) }
            pre tabindex="0" aria-label=(commands_heading) { (commands.join("\n")) }
        }
        @if !versions.is_empty() || seed.is_some() {
            h2 { (tr!("Made with", "Fait avec")) }
            dl {
                @for (name, version) in versions { dt { (name) } dd { (version) } }
                @if let Some(seed) = seed { dt { (tr!("seed", "graine")) } dd { (seed) } }
            }
        }
    }
}
