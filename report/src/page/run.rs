//! The page of one scenario.

use anyhow::Result;
use maud::{Markup, html};

use super::{
    Cell, doubts, folded, gameday, number, objectives, origin, page, simplifications, table, text,
    time, verdict,
};
use crate::bins::Bins;
use crate::ledger::Ledger;
use crate::model::{Folder, Scenario};
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
        p { (scenario.engine) " engine, protection: " (scenario.protection) ", " (folder.began()) }
        @for broken in &scenario.broken { p.broken { "✗ " (broken) } }
        (doubts(&scenario.doubts))
        @if let Some(draw) = &scenario.draw {
            p { "Draw " (draw.number) " of a drill: the disaster came "
                (seconds(draw.moment_seconds)) " s after the backup." }
        }
        @if let Some(gameday) = &scenario.gameday { (gameday::section(gameday)) }
        (figures(scenario))
        @if !scenario.lessons.is_empty() {
            h2 { "What happened" }
            @for line in &scenario.lessons { p { (line) } }
        }
        (plots(scenario, ledger)?)
        (kills(scenario))
        @if !scenario.objectives.is_empty() {
            h2 { "Objectives" }
            (objectives("Objectives of lab.toml against what was measured", &scenario.objectives))
        }
        (reasons(ledger))
        (simplifications(&scenario.simplifications))
        (origin(&scenario.commands, &scenario.versions, scenario.draw.as_ref().map(|one| one.seed)))
    };
    let title = format!("{} on {}", scenario.scenario, scenario.engine);
    Ok(page(&title, Some("../index.html"), &body))
}

fn figures(scenario: &Scenario) -> Markup {
    let (rpo, client) = (&scenario.rpo, &scenario.client);
    let verified = &scenario.verified;
    html! {
        dl.figures {
            div { dt { "RPO, rows lost" } dd {
                (rpo.lost)
                small {
                    (rpo.lost - rpo.lost_from_before) " of " (rpo.acknowledged) " acknowledged, "
                    @if rpo.lost_from_before > 0 {
                        (rpo.lost_from_before) " from before the run, "
                    }
                    (seconds(rpo.seconds)) " s worth"
                }
            } }
            div { dt { "RTO" } dd {
                @if scenario.rto.open { "at least " }
                (seconds(scenario.rto.seconds)) " s"
                small {
                    (client.failed) " of " (client.requests) " requests failed"
                    @if let Some(delay) = scenario.rto.operator_delay_seconds {
                        "; " (seconds(delay)) " s stand for a person who decides"
                    }
                }
            } }
            // A game day measures nothing of them.
            @if scenario.gameday.is_none() {
                div { dt { "Snapshots alone, measured" } dd {
                    (rpo.snapshot_only_lost)
                    small {
                        "rows would be lost, " (seconds(rpo.snapshot_only_seconds)) " s worth"
                        @if let Some(age) = rpo.backup_age_seconds {
                            "; a backup had been taken on purpose " (seconds(age)) " s before"
                        }
                    }
                } }
            }
            @if let Some(schedule) = &rpo.schedule {
                div { dt { "Snapshots alone, computed" } dd {
                    (schedule.expected.lost)
                    small {
                        "rows on average, " (seconds(schedule.expected.seconds)) " s worth; "
                        (schedule.worst.lost) " rows, " (seconds(schedule.worst.seconds))
                        " s at worst, with backups every " (seconds(schedule.interval_seconds))
                        " s"
                    }
                } }
            }
            div { dt { "Rows verified" } dd {
                (verified.rows)
                small {
                    (verified.phantom) " never sent, " (verified.changed) " changed, "
                    (verified.in_doubt) " in doubt"
                }
            } }
            @if let Some(protected) = scenario.protected_seconds {
                div { dt { "Protected again" } dd {
                    (seconds(protected)) " s"
                    small { "after the first failed request; not part of the RTO" }
                } }
            }
            div { dt { "Longest gap" } dd {
                (seconds(client.longest_gap_seconds)) " s"
                small {
                    "between acknowledgements"
                    @if let Some(resolution) = client.resolution_seconds {
                        "; an outage shorter than " (seconds(resolution)) " s can go unseen"
                    }
                }
            } }
            @if let (Some(cpu), Some(late)) = (client.cpu_seconds, client.late) {
                div { dt { "The client itself" } dd {
                    (seconds(cpu)) " s"
                    small {
                        "of processor time; " (late) " requests sent late"
                        @if let Some(reads) = client.reads { ", " (reads) " reads" }
                        @if let Some(failed) = client.reads_failed { ", " (failed) " failed" }
                    }
                } }
            }
        }
    }
}

/// The phases laid end to end on the ledger's clock.
fn spans(scenario: &Scenario, ledger: &Ledger) -> Vec<Span> {
    let Some(mut from) = scenario.rto.began.or_else(|| ledger.first_failure()) else {
        return Vec::new();
    };
    let phases = scenario.rto.phases.iter().map(|phase| {
        let to = from + phase.seconds;
        let span = Span {
            name: phase.name.to_string(),
            from,
            to,
        };
        from = to;
        span
    });
    phases.collect()
}

/// The disaster with as much before and after it, or all of a shorter run.
fn window(spans: &[Span], end: f64) -> (f64, f64) {
    let end = end.max(0.001);
    let (Some(first), Some(last)) = (spans.first(), spans.last()) else {
        return (0.0, end);
    };
    let margin = (last.to - first.from).max(3.0);
    ((first.from - margin).max(0.0), (last.to + margin).min(end))
}

fn plots(scenario: &Scenario, ledger: &Ledger) -> Result<Markup> {
    if ledger.requests.is_empty() {
        return Ok(html! { p { "The ledger of requests is not there: nothing to draw." } });
    }
    let spans = spans(scenario, ledger);
    let (from, to) = window(&spans, ledger.end);
    let shown = Timeline {
        ledger,
        phases: &spans,
        moments: &scenario.moments,
        from,
        to,
    };
    let told = told(scenario, &spans);
    let timeline = timeline::plot(
        &shown,
        &Words {
            id: "timeline",
            title: "Timeline of the disaster",
            description: &told,
        },
    )?;
    Ok(html! {
        h2 { "Timeline" }
        figure {
            (timeline)
            figcaption {
                "To scale, " (seconds(from)) " to " (seconds(to)) " s of " (seconds(ledger.end))
                " s. A request stands where it was due; where several fall onto one column of \
                 the drawing, a single failure among them is enough for a mark."
            }
        }
        (phases(&spans))
        (moments(scenario))
        (load_plots(ledger, from, to)?)
    })
}

fn load_plots(ledger: &Ledger, from: f64, to: f64) -> Result<Markup> {
    let requests = ledger.requests.iter();
    let shown = requests
        .filter(|one| (from..=to).contains(&one.due))
        .count();
    let bars = (shown / REQUESTS_A_BAR).clamp(1, BARS);
    let bins = Bins::round(&ledger.requests, from, to, bars);
    let width = seconds(bins.width);
    let throughput = load::throughput(
        &bins,
        &Words {
            id: "throughput",
            title: "Throughput around the disaster",
            description: "Acknowledged and failed requests a second; see the table below.",
        },
    )?;
    let latency = load::latency(
        &bins,
        &Words {
            id: "latency",
            title: "Latency around the disaster",
            description: "Fastest, median and slowest answer; see the table below.",
        },
    )?;
    Ok(html! {
        h2 { "Throughput" }
        figure {
            (throughput)
            figcaption {
                "Bars of " (width) " s: acknowledged in green, failed in red in front of them."
            }
        }
        h2 { "Latency" }
        figure {
            (latency)
            figcaption {
                "From the moment a request was due to its answer, logarithmic: each bar of "
                (width) " s reaches from the fastest to the slowest answer, with a line at the \
                 median. Red at the foot: requests of that moment failed."
            }
        }
        (folded("Figures of both plots as a table", &bins_table(&bins)))
    })
}

fn told(scenario: &Scenario, spans: &[Span]) -> String {
    let (failed, all) = (scenario.client.failed, scenario.client.requests);
    let Some(first) = spans.first() else {
        return format!("{failed} of {all} requests failed; there was no outage to draw.");
    };
    let phases: Vec<String> = spans
        .iter()
        .map(|span| format!("{} took {} s", span.name, seconds(span.to - span.from)))
        .collect();
    format!(
        "The service was away for {} s, from {} s on: {}. {failed} of {all} requests failed.",
        seconds(scenario.rto.seconds),
        seconds(first.from),
        phases.join(", "),
    )
}

fn phases(spans: &[Span]) -> Markup {
    let rows = spans.iter().enumerate().map(|(index, span)| {
        let colour = format!("background:{}", theme::phase(index).variable());
        vec![
            Cell::Markup(html! {
                span.swatch style=(colour) aria-hidden="true" {} (index + 1) " " (span.name)
            }),
            time(span.from),
            time(span.to - span.from),
        ]
    });
    let caption = "Phases of the recovery, in seconds";
    html! {
        @if !spans.is_empty() {
            (table(caption, &["phase", "began at", "took"], rows.collect()))
        }
    }
}

fn moments(scenario: &Scenario) -> Markup {
    let rows = scenario.moments.iter().enumerate().map(|(index, moment)| {
        let what = text(moment.what.clone());
        vec![number(index + 1), time(moment.at), what]
    });
    html! {
        @if !scenario.moments.is_empty() {
            (table("What was done", &["", "second", "what"], rows.collect()))
        }
    }
}

fn bins_table(bins: &Bins) -> Markup {
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
        "from second",
        "acknowledged",
        "failed",
        "fastest",
        "median",
        "slowest",
    ];
    let caption = "Requests by the moment at which they were due; latencies in seconds";
    table(caption, &headers, rows.collect())
}

fn kills(scenario: &Scenario) -> Markup {
    let rows = scenario.kills.iter().map(|kill| {
        vec![
            text(kill.pod.clone()),
            text(kill.how.to_string()),
            number(kill.failed),
            time(kill.replaced_seconds),
        ]
    });
    let headers = ["replica", "how", "failed requests", "replaced after (s)"];
    html! {
        @if !scenario.kills.is_empty() {
            h2 { "Replicas that were made to die" }
            (table("Each death and what users noticed", &headers, rows.collect()))
        }
    }
}

fn reasons(ledger: &Ledger) -> Markup {
    let reasons = ledger.reasons.iter();
    let rows = reasons.map(|(reason, count)| vec![number(count), text(reason.clone())]);
    html! {
        @if !ledger.reasons.is_empty() {
            h2 { "Why requests failed" }
            (table("The most frequent reasons", &["times", "reason"], rows.collect()))
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
