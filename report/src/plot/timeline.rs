//! The disaster to scale: phases, what users got, and what was done when.

use anyhow::Result;
use maud::Markup;
use plotters::prelude::*;
use terms::lang::{self, Both};

use super::{Area, Size, Words, axes, both, centred, drawing, starting};
use crate::bins::{Bin, Bins};
use crate::ledger::Request;
use crate::model::Moment;
use crate::theme::{self, Tone};

/// A phase of the recovery on the ledger's clock.
#[derive(Clone, Debug, PartialEq)]
pub struct Span {
    pub name: String,
    pub from: f64,
    pub to: f64,
}

/// What the plot shows, from `from` to `to`.
pub struct Timeline<'a> {
    /// Each sending of a write.
    pub sendings: &'a [Request],
    pub phases: &'a [Span],
    pub moments: &'a [Moment],
    /// What failures are counted in.
    pub failed: Both,
    pub from: f64,
    pub to: f64,
}

/// The lanes from the top.
const LANES: usize = 4;

fn lanes(failed: Both) -> [Both; LANES] {
    [
        lang::both("phases of the recovery", "phases de la reprise"),
        lang::both("acknowledged writes", "écritures acquittées"),
        failed,
        lang::both("what was done", "ce qui a été fait"),
    ]
}

/// Where a lane's bar begins and ends, below its name.
const TOP: f64 = 0.42;
const FOOT: f64 = 0.92;

type Chart<'a, 'b> = ChartContext<
    'a,
    SVGBackend<'b>,
    Cartesian2d<plotters::coord::types::RangedCoordf64, plotters::coord::types::RangedCoordf64>,
>;

pub fn plot(timeline: &Timeline<'_>, words: &Words<'_>) -> Result<Markup> {
    both(words, 250, |area, size| draw(timeline, area, size))
}

fn draw(timeline: &Timeline<'_>, area: &Area<'_>, size: Size) -> Result<()> {
    let mut chart = ChartBuilder::on(area)
        .margin(8)
        .x_label_area_size(size.font * 3)
        .build_cartesian_2d(timeline.from..timeline.to, LANES as f64..0.0)
        .map_err(drawing)?;
    axes(&mut chart, size, &super::time(), None)?;
    for (index, phase) in timeline.phases.iter().enumerate() {
        let span = [(phase.from, phase.to)];
        bars(&mut chart, 0.0, &span, theme::phase(index))?;
    }
    // Two pixels a column: what is narrower blurs.
    let columns = (size.width as usize - 20) / 2;
    let bins = Bins::exactly(timeline.sendings, timeline.from, timeline.to, columns);
    let acknowledged = columns_with(&bins, |bin| bin.acknowledged > 0);
    bars(&mut chart, 1.0, &acknowledged, theme::GOOD)?;
    let failed = columns_with(&bins, |bin| bin.failed > 0);
    bars(&mut chart, 2.0, &failed, theme::BAD)?;

    let style = starting(size.text(theme::INK));
    let lanes = lanes(timeline.failed);
    let names = lanes.iter().enumerate().map(|(lane, name)| {
        Text::new(
            name.text(),
            (timeline.from, lane as f64 + 0.2),
            style.clone(),
        )
    });
    chart.draw_series(names).map_err(drawing)?;
    number_phases(&mut chart, timeline, size)?;
    mark_moments(&mut chart, timeline, size)
}

fn bars(chart: &mut Chart<'_, '_>, lane: f64, spans: &[(f64, f64)], tone: Tone) -> Result<()> {
    let boxes = spans.iter().map(|(from, to)| {
        let corners = [(*from, lane + TOP), (*to, lane + FOOT)];
        Rectangle::new(corners, tone.rgb().filled())
    });
    chart.draw_series(boxes).map(|_| ()).map_err(drawing)
}

fn number_phases(chart: &mut Chart<'_, '_>, timeline: &Timeline<'_>, size: Size) -> Result<()> {
    let pixel = (timeline.to - timeline.from) / f64::from(size.width);
    let style = centred(size.text(theme::PAPER));
    let phases = timeline.phases.iter().enumerate();
    // A number wider than its phase is left to the table.
    let numbered = phases.filter(|(_, span)| span.to - span.from > 16.0 * pixel);
    let numbers = numbered.map(|(index, span)| {
        let middle = ((span.from + span.to) / 2.0, (TOP + FOOT) / 2.0);
        Text::new((index + 1).to_string(), middle, style.clone())
    });
    chart.draw_series(numbers).map(|_| ()).map_err(drawing)
}

fn mark_moments(chart: &mut Chart<'_, '_>, timeline: &Timeline<'_>, size: Size) -> Result<()> {
    let lane = LANES as f64 - 1.0;
    let pixel = (timeline.to - timeline.from) / f64::from(size.width);
    let style = size.text(theme::INK);
    let mut taken = f64::NEG_INFINITY;
    for (index, moment) in timeline.moments.iter().enumerate() {
        if moment.at < timeline.from || moment.at > timeline.to {
            continue;
        }
        let line = vec![(moment.at, lane + TOP), (moment.at, lane + FOOT)];
        let line = PathElement::new(line, theme::INK.rgb().stroke_width(2));
        chart.draw_series([line]).map_err(drawing)?;
        // A number that would cover its neighbour is left to the table.
        if moment.at >= taken {
            taken = moment.at + pixel * f64::from(size.font) * 2.0;
            let place = (moment.at + 5.0 * pixel, lane + TOP);
            let label = Text::new((index + 1).to_string(), place, style.clone());
            chart.draw_series([label]).map_err(drawing)?;
        }
    }
    Ok(())
}

/// Columns for which something holds, with neighbours joined.
fn columns_with(bins: &Bins, holds: impl Fn(&Bin) -> bool) -> Vec<(f64, f64)> {
    let mut spans: Vec<(f64, f64)> = Vec::new();
    let mut open = false;
    for bin in &bins.bins {
        let to = bin.from + bins.width;
        match (holds(bin), open, spans.last_mut()) {
            (true, true, Some(last)) => last.1 = to,
            (true, ..) => spans.push((bin.from, to)),
            (false, ..) => {}
        }
        open = holds(bin);
    }
    spans
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Fate;

    #[test]
    fn neighbouring_columns_are_joined_and_gaps_stay() {
        let at = |due: f64| Request {
            due,
            ended: due,
            fate: Fate::Failed,
        };
        let requests = [at(0.1), at(1.1), at(4.5)];
        let bins = Bins::exactly(&requests, 0.0, 5.0, 5);
        let spans = columns_with(&bins, |bin| bin.failed > 0);
        assert_eq!(spans, [(0.0, 2.0), (4.0, 5.0)]);
    }
}
