//! A picture of a run: big figures, and the timeline as the report draws it.

use anyhow::Result;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use terms::lang::{self, Both, both};
use terms::{Labelled, tr};

use super::seen::{Run, Seen, State};
use crate::model::{Client, Scenario};
use crate::page::{self, run as of_run};
use crate::plot::timeline::{self, Span, Timeline};
use crate::plot::{Words, seconds};

/// Before the disaster so many of the last seconds are drawn.
const RECENT: f64 = 30.0;

/// The page around the pictures; `picture` is the first.
pub fn page(picture: &str) -> String {
    let page = html! {
        (DOCTYPE)
        html lang=(lang::chosen().tag()) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                link rel="icon" href="data:,";
                link rel="stylesheet" href="/live.css";
                script src="/live.js" defer {}
                title { (tr!("The disaster, live", "Le sinistre, en direct")) " · Atelier PRA/PCA" }
            }
            body.live {
                main id="content" {
                    noscript { p { (tr!(
                        "Without scripts this page stays as it is; load it again to see how the run goes on.",
                        "Sans scripts, cette page reste telle quelle ; rechargez-la pour voir la suite.",
                    )) } }
                    p id="lost" role="status" hidden { (tr!(
                        "Nothing comes any more: this is the last picture.",
                        "Plus rien n'arrive : voici la dernière image.",
                    )) }
                    div id="picture" { (PreEscaped(picture)) }
                }
            }
        }
    };
    page.into_string()
}

/// Draws what there is to see.
///
/// # Errors
/// The timeline cannot be drawn.
pub fn draw(seen: &Seen<'_>) -> Result<String> {
    let state = seen.state();
    let Some(run) = &seen.run else {
        let picture = html! {
            h1 { (tr!("The scenario has not begun yet", "Le scénario n'a pas encore commencé")) }
            dl.figures { (tile(&figure_of(state))) }
        };
        return Ok(picture.into_string());
    };
    let spans = match run.result {
        Some(result) => of_run::spans(result, run.ledger),
        None => run.spans(),
    };
    let picture = html! {
        h1 { (tr!(
            "{scenario}, lab {lab}, engine {engine}",
            "{scenario}, lab {lab}, moteur {engine}",
            scenario = page::played(&run.scenario, run.result.is_some_and(|result| result.auto)),
            lab = run.lab.label(),
            engine = run.engine.label(),
        )) }
        dl.figures { @for figure in figures(run, state, &spans) { (tile(&figure)) } }
        p.step { (step(run, state)) }
        (drawn(run, &spans)?)
    };
    Ok(picture.into_string())
}

/// One of the big figures.
struct Figure {
    name: Both,
    value: String,
    /// `good`, `bad`, or nothing.
    tone: &'static str,
    /// It is no number.
    word: bool,
}

fn number(name: Both, value: String) -> Figure {
    Figure {
        name,
        value,
        tone: "",
        word: false,
    }
}

fn tile(figure: &Figure) -> Markup {
    html! {
        div class=(figure.tone) {
            dt { (figure.name) }
            dd.word[figure.word] { (figure.value) }
        }
    }
}

fn figures(run: &Run<'_>, state: State, spans: &[Span]) -> Vec<Figure> {
    let failed = run.ledger.failures();
    let mut figures = vec![figure_of(state)];
    figures.extend(match run.result {
        Some(result) => of_result(result),
        None => of_recovery(run, spans),
    });
    figures.push(number(
        both("acknowledged writes", "écritures acquittées"),
        run.ledger.acknowledged().to_string(),
    ));
    figures.push(Figure {
        tone: if failed > 0 { "bad" } else { "" },
        ..number(failures(run), failed.to_string())
    });
    figures
}

/// While it goes on: how long users have been without service, and what is done about it.
fn of_recovery(run: &Run<'_>, spans: &[Span]) -> Vec<Figure> {
    let none = || "–".to_owned();
    let since = run.disaster.map(|at| run.ledger.end - at);
    let outage = run.outage();
    let away = outage.as_ref().map(|outage| {
        let end = outage.back.unwrap_or(run.ledger.end).max(outage.began);
        short(end - outage.began)
    });
    let phase = match outage.is_some_and(|outage| outage.back.is_none()) {
        true => spans.last().map(|span| span.name.clone()),
        false => None,
    };
    vec![
        number(
            both("since the disaster", "depuis le sinistre"),
            since.map_or_else(none, short),
        ),
        number(
            both("without service", "sans service"),
            away.unwrap_or_else(none),
        ),
        Figure {
            word: true,
            ..number(Both::same("phase"), phase.unwrap_or_else(none))
        },
    ]
}

/// Once it is over: what was measured.
fn of_result(result: &Scenario) -> Vec<Figure> {
    let away = format!("{} s", seconds(result.rto.seconds));
    vec![
        number(Both::same("RTO"), away),
        number(
            both("RPO, rows lost", "RPO, lignes perdues"),
            result.rpo.lost.to_string(),
        ),
    ]
}

fn figure_of(state: State) -> Figure {
    let (value, tone) = match state {
        State::Waiting => (both("waiting", "attente"), ""),
        State::Prepared => (both("preparing", "préparation"), ""),
        State::Served => (both("✓ served", "✓ servi"), "good"),
        State::Away => (both("✗ no service", "✗ sans service"), "bad"),
        State::Kept => (both("✓ kept", "✓ tenue"), "good"),
        State::Broken => (both("✗ broken", "✗ non tenue"), "bad"),
        State::CutOff => (both("cut off", "interrompu"), "bad"),
    };
    let name = match state {
        State::Kept | State::Broken => both("promise", "promesse"),
        State::Waiting | State::Prepared | State::CutOff => both("scenario", "scénario"),
        State::Served | State::Away => both("users", "utilisateurs"),
    };
    Figure {
        name,
        value: value.into(),
        tone,
        word: true,
    }
}

/// Tenths: more of them cannot be read while they change.
fn short(seconds: f64) -> String {
    format!("{} s", lang::fixed(seconds.max(0.0), 1))
}

/// What failures are counted in.
fn failures(run: &Run<'_>) -> Both {
    let counted = Client {
        retry: run.ledger.sends_again(),
        ..Client::default()
    };
    run.result
        .map_or(&counted, |result| &result.client)
        .failed()
}

fn step(run: &Run<'_>, state: State) -> String {
    match (state, &run.step) {
        (State::Kept | State::Broken | State::CutOff, _) => {
            let broken = run.result.map(|result| result.broken.join(" · "));
            broken.unwrap_or_default()
        }
        (_, Some(step)) => format!("{step} …"),
        (_, None) => String::new(),
    }
}

fn drawn(run: &Run<'_>, spans: &[Span]) -> Result<Markup> {
    if run.ledger.requests.is_empty() {
        return Ok(html! {});
    }
    let (from, to) = window(run, spans);
    let moments = run.result.map_or(&run.moments, |result| &result.moments);
    let timeline = timeline::plot(
        &Timeline {
            sendings: &run.sendings(),
            phases: spans,
            moments,
            failed: failures(run),
            from,
            to,
        },
        &Words {
            id: "timeline",
            title: &tr!("Timeline of the disaster", "Chronologie du sinistre"),
            description: &tr!(
                "What users got up to {to} s; the phases and what was done are listed below.",
                "Ce que les utilisateurs ont reçu jusqu'à {to} s ; les phases et ce qui a été \
                 fait sont listés ci-dessous.",
                to = seconds(to),
            ),
        },
    )?;
    Ok(html! {
        figure { (timeline) }
        div.keys {
            div { (of_run::phases(spans)) }
            div { (of_run::moments(moments)) }
        }
    })
}

/// As in the report; before the disaster, the last seconds.
fn window(run: &Run<'_>, spans: &[Span]) -> (f64, f64) {
    let end = run.ledger.end;
    match (spans.is_empty(), run.result) {
        (true, None) => ((end - RECENT).max(0.0), end.max(0.001)),
        _ => of_run::window(spans, end),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::parsed;
    use crate::live::seen::Line;
    use terms::lang::{Lang, speaking};

    const LEDGER: &str = r#"{"event":"began","wall":"2026-11-22T05:54:33Z"}
{"event":"sent","n":0,"due":0.5,"at":0.5,"message":"m0"}
{"event":"ended","n":0,"at":0.51,"outcome":{"acknowledged":{"id":1,"timestamp":"t"}}}
{"event":"sent","n":1,"due":2.5,"at":2.5,"message":"m1"}
{"event":"ended","n":1,"at":2.51,"outcome":{"failed":{"reason":"refused"}}}
{"event":"read","at":4.0,"count":7}
{"event":"sent","n":2,"due":4.5,"at":4.5,"message":"m2"}
"#;

    const LINES: &str = r#"{"event":"began","process":7,"lab":"pra","engine":"local","scenario":"volume-loss","wall":"w"}
{"event":"disaster","at":2.0}
{"event":"moment","at":2.0,"what":"<gone>"}
{"event":"phase","at":2.1,"name":"provisioned"}
{"event":"step","wall":"w","what":"infrastructure recreated"}
"#;

    fn picture(over: bool) -> String {
        let ledger = parsed(LEDGER).unwrap();
        let lines = LINES
            .lines()
            .map(|line| serde_json::from_str(line).unwrap());
        let lines: Vec<Line> = lines.collect();
        let run = Run::of(&lines, &ledger, None);
        draw(&Seen { run, over }).unwrap()
    }

    #[test]
    fn a_picture_has_the_figures_and_the_timeline_of_the_report() {
        let html = picture(false);
        for shown in [
            "✗ no service",
            "2.5 s",
            "provisioned",
            "infrastructure recreated …",
            "&lt;gone&gt;",
            "<svg class=\"plot wide\"",
            "swatch phase-2",
        ] {
            assert!(html.contains(shown), "{shown}: {html}");
        }
        assert!(picture(true).contains("cut off"));
        // The policy of the page lets neither through.
        assert!(
            !html.contains("style=") && !html.contains("<script"),
            "{html}"
        );
    }

    #[test]
    fn it_speaks_french_where_that_is_chosen() {
        let html = speaking(Lang::French, || picture(false));
        for shown in [
            "sans service",
            "2,5 s",
            "reconstruction",
            "écritures acquittées",
        ] {
            assert!(html.contains(shown), "{shown}: {html}");
        }
        let page = speaking(Lang::French, || page(&html));
        assert!(page.contains("<html lang=\"fr\">") && page.contains("en direct"));
    }
}
