//! Throughput and latency around the disaster.

use anyhow::Result;
use maud::Markup;
use plotters::prelude::*;
use terms::lang;

use super::{Area, Axis, Size, Words, axes, both, drawing, seconds, time};
use crate::bins::{Bin, Bins};
use crate::theme::{self, Tone};

/// Requests a second, acknowledged and failed.
pub fn throughput(bins: &Bins, words: &Words<'_>) -> Result<Markup> {
    both(words, 260, |area, size| draw_throughput(bins, area, size))
}

fn draw_throughput(bins: &Bins, area: &Area<'_>, size: Size) -> Result<()> {
    let rate = |bin: &Bin, count: usize| count as f64 / (bins.end(bin) - bin.from).max(1e-3);
    let rates = bins
        .bins
        .iter()
        .map(|bin| rate(bin, bin.acknowledged.max(bin.failed)));
    let top = rates.fold(1.0, f64::max) * 1.15;
    let mut chart = ChartBuilder::on(area)
        .margin(8)
        .x_label_area_size(size.font * 3)
        .y_label_area_size(size.font * 4)
        .build_cartesian_2d(span(bins), 0.0..top)
        .map_err(drawing)?;
    let rates = Axis {
        name: lang::both("a second", "par seconde").text(),
        label: |value| seconds(*value),
    };
    axes(&mut chart, size, &time(), Some(&rates))?;
    // One failure among hundreds of successes has a bar that can be seen.
    let visible = top * 0.025;
    let mut bars = |count: fn(&Bin) -> usize, tone: Tone| {
        let some = bins.bins.iter().filter(|bin| count(bin) > 0);
        let boxes = some.map(|bin| {
            let height = rate(bin, count(bin)).max(visible);
            let corners = [(bin.from, 0.0), (bins.end(bin), height)];
            Rectangle::new(corners, tone.rgb().filled())
        });
        chart.draw_series(boxes).map(|_| ()).map_err(drawing)
    };
    bars(|bin| bin.acknowledged, theme::GOOD)?;
    bars(|bin| bin.failed, theme::BAD)
}

/// How long acknowledged requests took: a bar from the fastest to the slowest
/// of each bin, with its median; bins with failures are marked at the foot.
pub fn latency(bins: &Bins, words: &Words<'_>) -> Result<Markup> {
    both(words, 260, |area, size| draw_latency(bins, area, size))
}

/// The foot of an axis that shows milliseconds and seconds alike.
const SHORTEST: f64 = 0.000_5;

fn draw_latency(bins: &Bins, area: &Area<'_>, size: Size) -> Result<()> {
    let slowest = bins.bins.iter().map(|bin| bin.slowest).fold(0.01, f64::max);
    let mut chart = ChartBuilder::on(area)
        .margin(8)
        .x_label_area_size(size.font * 3)
        .y_label_area_size(size.font * 4)
        .build_cartesian_2d(span(bins), (SHORTEST..slowest * 2.0).log_scale())
        .map_err(drawing)?;
    let waits = Axis {
        name: lang::both("seconds to the answer", "secondes jusqu'à la réponse").text(),
        label: |value| seconds(*value),
    };
    axes(&mut chart, size, &time(), Some(&waits))?;
    let answered = || bins.bins.iter().filter(|bin| bin.acknowledged > 0);
    let inside = |value: f64| value.max(SHORTEST);
    let ranges = answered().map(|bin| {
        let low = (bin.from, inside(bin.fastest));
        let high = (bins.end(bin), inside(bin.slowest) * 1.02);
        Rectangle::new([low, high], theme::LINK.rgb().mix(0.35).filled())
    });
    chart.draw_series(ranges).map_err(drawing)?;
    let medians = answered().map(|bin| {
        let ends = [bin.from, bins.end(bin)].map(|x| (x, inside(bin.median)));
        PathElement::new(ends.to_vec(), theme::LINK.rgb().stroke_width(2))
    });
    chart.draw_series(medians).map_err(drawing)?;
    let failed = bins.bins.iter().filter(|bin| bin.failed > 0);
    let marks = failed.map(|bin| {
        let high = (bins.end(bin), SHORTEST * 1.5);
        Rectangle::new([(bin.from, SHORTEST), high], theme::BAD.rgb().filled())
    });
    chart.draw_series(marks).map(|_| ()).map_err(drawing)
}

fn span(bins: &Bins) -> std::ops::Range<f64> {
    bins.from..bins.to.max(bins.from + 1e-3)
}
