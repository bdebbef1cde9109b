//! The page of one scenario.

mod attack;
mod failures;
mod reasons;
mod tiles;

use anyhow::Result;
use maud::{Markup, html};
use terms::lang::{self, Both};
use terms::{Labelled, tr};

use super::{
    Cell, doubts, folded, gameday, number, objectives, origin, page, played, simplifications,
    table, text, time, verdict,
};
use crate::bins::Bins;
use crate::ledger::Ledger;
use crate::model::{Folder, Moment, Scenario};
use crate::plot::timeline::{self, Span, Timeline};
use crate::plot::{Words, load, seconds};
use crate::theme;

/// Bars that a plot has room for, and how many requests one should stand for:
/// with fewer, their rate is that of the bars' edges.
const BARS: usize = 160;
const REQUESTS_A_BAR: usize = 12;

pub fn render(folder: &Folder, scenario: &Scenario, ledger: &Ledger) -> Result<String> {
    let body = html! {
        (verdict(scenario.passed))
        p { (tr!(
            "Lab {lab}, {engine} engine, protection: {protection}, {began}",
            "Lab {lab}, moteur {engine}, protection : {protection}, {began}",
            lab = scenario.lab.label(),
            engine = scenario.engine.label(),
            protection = scenario.protection.label(),
            began = lang::moment(&folder.began()),
        )) }
        @for broken in &scenario.broken { p.broken { "✗ " (broken) } }
        (doubts(&scenario.doubts))
        @if let Some(draw) = &scenario.draw {
            p { (tr!(
                "Draw {number} of a drill: the disaster came {moment} s after the backup.",
                "Tirage {number} d'un exercice : le sinistre est venu {moment} s après la \
                 sauvegarde.",
                number = draw.number,
                moment = seconds(draw.moment_seconds),
            )) }
        }
        @if let Some(gameday) = &scenario.gameday { (gameday::section(gameday)) }
        (tiles::figures(scenario))
        @if !scenario.lessons.is_empty() {
            h2 { (tr!("What happened", "Ce qui s'est passé")) }
            @for line in &scenario.lessons { p { (line) } }
        }
        (plots(scenario, ledger)?)
        (kills(scenario))
        (attack::section(scenario.attack.as_ref()))
        @if !scenario.objectives.is_empty() {
            h2 { (tr!("Objectives", "Objectifs")) }
            (objectives(&tr!(
                "Objectives of lab.toml against what was measured",
                "Objectifs de lab.toml et ce qui a été mesuré",
            ), &scenario.objectives))
        }
        (reasons::table_of(&scenario.client, ledger))
        (simplifications(&scenario.simplifications))
        (origin(&scenario.commands, &scenario.versions, scenario.draw.as_ref().map(|one| one.seed)))
    };
    let title = tr!(
        "{scenario} on {engine}",
        "{scenario} sur {engine}",
        scenario = played(&scenario.scenario, scenario.auto),
        engine = scenario.engine.label()
    );
    Ok(page(&title, Some("../index.html"), &body))
}

/// The phases laid end to end on the ledger's clock.
pub(crate) fn spans(scenario: &Scenario, ledger: &Ledger) -> Vec<Span> {
    let Some(mut from) = scenario.rto.began.or_else(|| ledger.first_failure()) else {
        return Vec::new();
    };
    let phases = scenario.rto.phases.iter().map(|phase| {
        let to = from + phase.seconds;
        let span = Span {
            name: phase.name.label(),
            from,
            to,
        };
        from = to;
        span
    });
    phases.collect()
}

/// The disaster with as much before and after it, or all of a shorter run.
pub(crate) fn window(spans: &[Span], end: f64) -> (f64, f64) {
    let end = end.max(0.001);
    let (Some(first), Some(last)) = (spans.first(), spans.last()) else {
        return (0.0, end);
    };
    let margin = (last.to - first.from).max(3.0);
    ((first.from - margin).max(0.0), (last.to + margin).min(end))
}

fn plots(scenario: &Scenario, ledger: &Ledger) -> Result<Markup> {
    if ledger.requests.is_empty() {
        return Ok(html! { p { (tr!(
            "The ledger of requests is not there: nothing to draw.",
            "Le registre des requêtes n'est pas là : rien à dessiner.",
        )) } });
    }
    let spans = spans(scenario, ledger);
    let (from, to) = window(&spans, ledger.end);
    let shown = Timeline {
        sendings: &ledger.sendings(),
        phases: &spans,
        moments: &scenario.moments,
        failed: scenario.client.failed(),
        from,
        to,
    };
    let told = told(scenario, &spans);
    let timeline = timeline::plot(
        &shown,
        &Words {
            id: "timeline",
            title: &tr!("Timeline of the disaster", "Chronologie du sinistre"),
            description: &told,
        },
    )?;
    Ok(html! {
        h2 { (tr!("Timeline", "Chronologie")) }
        figure {
            (timeline)
            figcaption {
                (tr!(
                    "To scale, {from} to {to} s of {end} s. A write stands where it was due, an \
                     attempt that failed where it was sent; where several fall onto one column of the drawing, a single failure among \
                     them is enough for a mark.",
                    "À l'échelle, de {from} à {to} s sur {end} s. Une écriture est placée au \
                     moment prévu, une tentative en échec à celui de son envoi ; quand plusieurs tombent sur une même colonne du dessin, un \
                     seul échec parmi elles suffit pour une marque.",
                    from = seconds(from),
                    to = seconds(to),
                    end = seconds(ledger.end),
                ))
            }
        }
        (phases(&spans))
        (moments(&scenario.moments))
        (load_plots(scenario.client.failed(), ledger, from, to)?)
    })
}

fn load_plots(failed: Both, ledger: &Ledger, from: f64, to: f64) -> Result<Markup> {
    let sendings = ledger.sendings();
    let shown = sendings
        .iter()
        .filter(|one| (from..=to).contains(&one.due))
        .count();
    let bars = (shown / REQUESTS_A_BAR).clamp(1, BARS);
    let bins = Bins::round(&sendings, from, to, bars);
    let width = seconds(bins.width);
    let throughput = load::throughput(
        &bins,
        &Words {
            id: "throughput",
            title: &tr!("Throughput around the disaster", "Débit autour du sinistre"),
            description: &tr!(
                "Acknowledged writes and {failed} a second; see the table below.",
                "Écritures acquittées et {failed} par seconde ; voir le tableau ci-dessous."
            ),
        },
    )?;
    let latency = load::latency(
        &bins,
        &Words {
            id: "latency",
            title: &tr!("Latency around the disaster", "Latence autour du sinistre"),
            description: &tr!(
                "Fastest, median and slowest answer; see the table below.",
                "Réponse la plus rapide, médiane et la plus lente ; voir le tableau ci-dessous."
            ),
        },
    )?;
    Ok(html! {
        h2 { (tr!("Throughput", "Débit")) }
        figure {
            (throughput)
            figcaption {
                (tr!(
                    "Bars of {width} s: acknowledged writes in green, {failed} in red in front \
                     of them.",
                    "Barres de {width} s : écritures acquittées en vert, {failed} en rouge \
                     devant elles.",
                ))
            }
        }
        h2 { (tr!("Latency", "Latence")) }
        figure {
            (latency)
            figcaption {
                (tr!(
                    "From the moment a write was due to its answer, logarithmic: each bar of \
                     {width} s reaches from the fastest to the slowest answer, with a line at the \
                     median. Red at the foot: {failed} at that moment.",
                    "Du moment prévu d'une écriture à sa réponse, échelle logarithmique : chaque \
                     barre de {width} s va de la réponse la plus rapide à la plus lente, avec un \
                     trait à la médiane. Du rouge au pied : {failed} à ce moment.",
                ))
            }
        }
        (folded(&tr!(
            "Figures of both plots as a table",
            "Chiffres des deux graphiques en tableau",
        ), &bins_table(failed, &bins)))
    })
}

fn told(scenario: &Scenario, spans: &[Span]) -> String {
    let failures = scenario.client.failures();
    let Some(first) = spans.first() else {
        return tr!(
            "There was no outage to draw: {failures}.",
            "Il n'y a pas eu de panne à dessiner : {failures}."
        );
    };
    let phases: Vec<String> = spans
        .iter()
        .map(|span| {
            tr!(
                "{name} took {took} s",
                "{name} : {took} s",
                name = span.name,
                took = seconds(span.to - span.from)
            )
        })
        .collect();
    tr!(
        "The service was away for {away} s, from {from} s on: {phases}; \
         {failures}.",
        "Le service a été absent {away} s, à partir de {from} s : {phases} ; \
         {failures}.",
        away = seconds(scenario.rto.seconds),
        from = seconds(first.from),
        phases = phases.join(", "),
    )
}

/// The phases as a table, which is the key to the colours of the timeline.
pub(crate) fn phases(spans: &[Span]) -> Markup {
    let rows = spans.iter().enumerate().map(|(index, span)| {
        let colour = format!("swatch {}", theme::phase(index).name());
        vec![
            Cell::Markup(html! {
                span class=(colour) aria-hidden="true" {} (index + 1) " " (span.name)
            }),
            time(span.from),
            time(span.to - span.from),
        ]
    });
    let caption = tr!(
        "Phases of the recovery, in seconds",
        "Phases de la reprise, en secondes"
    );
    let headers = [
        Both::same("phase"),
        lang::both("began at", "début à"),
        lang::both("took", "durée"),
    ];
    html! {
        @if !spans.is_empty() {
            (table(&caption, &headers, rows.collect()))
        }
    }
}

/// What was done, by the numbers that the timeline has.
pub(crate) fn moments(all: &[Moment]) -> Markup {
    let rows = all.iter().enumerate().map(|(index, moment)| {
        let what = text(moment.what.clone());
        vec![number(index + 1), time(moment.at), what]
    });
    let headers = [
        Both::same(""),
        lang::both("second", "seconde"),
        lang::both("what", "quoi"),
    ];
    html! {
        @if !all.is_empty() {
            (table(&tr!("What was done", "Ce qui a été fait"), &headers, rows.collect()))
        }
    }
}

fn bins_table(failed: Both, bins: &Bins) -> Markup {
    let rows = bins.bins.iter().map(|bin| {
        let known = |value: f64| {
            if bin.acknowledged > 0 {
                time(value)
            } else {
                number("–")
            }
        };
        vec![
            time(bin.from),
            number(bin.acknowledged),
            number(bin.failed),
            known(bin.fastest),
            known(bin.median),
            known(bin.slowest),
        ]
    });
    let headers = [
        lang::both("from second", "dès la seconde"),
        lang::both("acknowledged", "acquittées"),
        failed,
        lang::both("fastest", "la plus rapide"),
        lang::both("median", "médiane"),
        lang::both("slowest", "la plus lente"),
    ];
    let caption = tr!(
        "Writes by the moment at which they were due; latencies in seconds",
        "Écritures selon leur moment prévu ; latences en secondes"
    );
    table(&caption, &headers, rows.collect())
}

fn kills(scenario: &Scenario) -> Markup {
    let rows = scenario.kills.iter().map(|kill| {
        vec![
            text(kill.pod.clone()),
            text(kill.how.label()),
            number(kill.failed),
            time(kill.replaced_seconds),
        ]
    });
    let headers = [
        lang::both("replica", "réplique"),
        lang::both("how", "fin"),
        scenario.client.failed(),
        lang::both("replaced after (s)", "remplacée après (s)"),
    ];
    html! {
        @if !scenario.kills.is_empty() {
            h2 { (tr!("Replicas that were made to die", "Répliques que l'on a fait mourir")) }
            (table(&tr!(
                "Each death and what users noticed",
                "Chaque mort et ce que les utilisateurs en ont vu",
            ), &headers, rows.collect()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(from: f64, to: f64) -> Span {
        Span {
            name: "restored".into(),
            from,
            to,
        }
    }

    #[test]
    fn the_window_is_the_disaster_with_its_surroundings() {
        assert_eq!(window(&[], 12.0), (0.0, 12.0));
        let spans = [span(60.0, 62.0), span(62.0, 65.0)];
        assert_eq!(window(&spans, 100.0), (55.0, 70.0));
        assert_eq!(window(&[span(1.0, 2.0)], 3.0), (0.0, 3.0));
    }
}
