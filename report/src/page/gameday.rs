//! The part of a run's page, and of the history, that only game days have.

use maud::{Markup, html};
use terms::lang::{Both, both};
use terms::{NoticedBy, ParSource, Read, tr};

use super::{Cell, number, table, text, time};
use crate::model::{Folder, Gameday, Scenario};
use crate::plot::seconds;

/// What broke, when it was noticed and recovered, and the score.
pub fn section(gameday: &Gameday) -> Markup {
    let level = gameday.level;
    html! {
        h2 { (tr!("Game day, level {level}", "Game day, niveau {level}")) }
        @for fault in &gameday.faults { p { b { (fault.name) } " : " (fault.what) } }
        @if let Some(said) = &gameday.diagnosis {
            p { (tr!("The player took it for: {said}", "Le joueur y a vu : {said}")) }
        }
        (figures(gameday))
        (score(gameday))
    }
}

fn figures(gameday: &Gameday) -> Markup {
    let (tries, hints) = (gameday.tries, gameday.hints);
    let cost = seconds(gameday.hint_seconds);
    html! {
        dl.figures {
            div { dt { (both("Noticed after", "Constaté après")) } dd {
                (seconds(gameday.noticed_seconds)) " s"
                small { (noticed_by(&gameday.noticed_by)) }
            } }
            div { dt { (both("Recovered after", "Rétabli après")) } dd {
                @match gameday.recovered_seconds {
                    Some(at) => { (seconds(at)) " s" },
                    None => { (both("given up", "abandonné")) },
                }
                small { (tr!(
                    "verified at attempt {tries}; hints: {hints}, for {cost} s",
                    "vérifié à l'essai {tries} ; indices : {hints}, pour {cost} s"
                )) }
            } }
            div { dt { (both("The runbook takes", "Le runbook prend")) } dd {
                (seconds(gameday.runbook.seconds)) " s"
                small { (source(gameday)) }
            } }
            div { dt { (both("Lost, and avoidable", "Perdu, et évitable")) } dd {
                (gameday.avoidable)
                small { (both("rows that could have been kept", "lignes qui pouvaient être gardées")) }
            } }
        }
    }
}

fn noticed_by(by: &Read<NoticedBy>) -> String {
    let known = match by {
        Read::Known(known) => known,
        Read::Other(text) => return text.clone(),
    };
    let said = match known {
        NoticedBy::Said => both("as the player said", "selon le joueur"),
        NoticedBy::Command => both(
            "the first command that changed the lab",
            "première commande qui a modifié le lab",
        ),
        NoticedBy::Change => both(
            "the first change of the lab that was seen",
            "premier changement observé dans le lab",
        ),
        NoticedBy::End => both(
            "at the latest: the first gameday done",
            "au plus tard : le premier gameday done",
        ),
    };
    said.to_string()
}

fn source(gameday: &Gameday) -> String {
    let runs = gameday.runbook.runs;
    if gameday.runbook.source == ParSource::Runs {
        return tr!(
            "the median of {runs} runs on this engine, without a person who thinks",
            "la médiane de {runs} exécutions sur ce moteur, sans personne qui réfléchisse"
        );
    }
    tr!(
        "the objective of lab.toml: not every such scenario was played here",
        "l'objectif de lab.toml : tous ces scénarios n'ont pas été joués ici"
    )
}

fn score(gameday: &Gameday) -> Markup {
    let score = &gameday.score;
    let rows = [
        (both("data", "données"), score.data, 40),
        (both("time", "temps"), score.time, 40),
        (both("noticing", "constat"), score.noticed, 10),
        (Both::same("protection"), score.protected, 10),
        (both("in all", "total"), score.total, 100),
    ];
    let rows = rows
        .into_iter()
        .map(|(what, points, most)| vec![text(what.text()), number(points), number(most)]);
    let caption = Both::same("Score");
    let headers = [Both::same(""), Both::same("points"), both("of", "sur")];
    table(caption.text(), &headers, rows.collect())
}

/// All game days of the history, the newest first.
pub fn listed(scenarios: &[(&Folder, &Scenario)], link: fn(&Folder) -> Cell) -> Markup {
    let games = scenarios
        .iter()
        .rev()
        .filter_map(|(folder, one)| Some((folder, one, one.gameday.as_ref()?)));
    let rows: Vec<Vec<Cell>> = games
        .map(|(folder, one, game)| {
            vec![
                link(folder),
                number(game.level),
                text(game.names()),
                time(game.noticed_seconds),
                game.recovered_seconds.map_or_else(|| number("–"), time),
                number(one.rpo.lost),
                number(game.hints),
                number(game.score.total),
            ]
        })
        .collect();
    let headers = [
        both("began", "début"),
        both("level", "niveau"),
        both("what broke", "panne"),
        both("noticed (s)", "constaté (s)"),
        both("recovered (s)", "rétabli (s)"),
        both("lost", "perdues"),
        both("hints", "indices"),
        Both::same("score"),
    ];
    html! {
        @if !rows.is_empty() {
            h2 { (both("Game days, newest first", "Game days, du plus récent au plus ancien")) }
            (table(both("Every game day", "Tous les game days").text(),
                &headers, rows))
        }
    }
}
