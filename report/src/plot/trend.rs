//! A figure over all runs, oldest on the left.

use anyhow::Result;
use maud::Markup;
use plotters::prelude::*;
use terms::lang;

use super::{Area, Axis, Size, Words, axes, both, drawing, seconds};
use crate::theme;

/// One run: its value, and whether it kept its promise.
pub type Point = (f64, bool);

pub fn plot(points: &[Point], unit: &str, words: &Words<'_>) -> Result<Markup> {
    both(words, 220, |area, size| draw(points, unit, area, size))
}

fn draw(points: &[Point], unit: &str, area: &Area<'_>, size: Size) -> Result<()> {
    let top = points.iter().map(|(value, _)| *value).fold(0.0, f64::max);
    let top = if top > 0.0 { top * 1.15 } else { 1.0 };
    let mut chart = ChartBuilder::on(area)
        .margin(8)
        .x_label_area_size(size.font * 3)
        .y_label_area_size(size.font * 4)
        .build_cartesian_2d(0.5..points.len() as f64 + 0.5, -top * 0.04..top)
        .map_err(drawing)?;
    let runs = Axis {
        name: lang::both("run, oldest first", "exécution, la plus ancienne d'abord").text(),
        label: |value| whole(*value),
    };
    let values = Axis {
        name: unit,
        label: |value| seconds(*value),
    };
    axes(&mut chart, size, &runs, Some(&values))?;
    let place = |index: usize| (index as f64 + 1.0, points[index].0);
    let line: Vec<(f64, f64)> = (0..points.len()).map(place).collect();
    let line = PathElement::new(line, theme::MUTED.rgb().stroke_width(1));
    chart.draw_series([line]).map_err(drawing)?;
    for (index, (_, passed)) in points.iter().enumerate() {
        if *passed {
            let dot = Circle::new(place(index), 4, theme::GOOD.rgb().filled());
            chart.draw_series([dot]).map_err(drawing)?;
        } else {
            let cross = Cross::new(place(index), 5, theme::BAD.rgb().stroke_width(3));
            chart.draw_series([cross]).map_err(drawing)?;
        }
    }
    Ok(())
}

/// Between two runs there is none.
fn whole(value: f64) -> String {
    if (value - value.round()).abs() < 1e-6 {
        format!("{value:.0}")
    } else {
        String::new()
    }
}
