//! The distribution of a drill: one dot for each run, a row for each group.

use anyhow::Result;
use maud::Markup;
use plotters::element::DashedPathElement;
use plotters::prelude::*;

use super::{Area, Axis, Size, Words, axes, both, drawing, seconds, starting};
use crate::theme;

/// The values of one group (with whether each run kept its promise), and the
/// interval for their median.
pub struct Row {
    pub name: String,
    pub values: Vec<(f64, bool)>,
    pub median: f64,
    pub interval: (f64, f64),
}

pub fn plot(rows: &[Row], unit: &str, limit: Option<f64>, words: &Words<'_>) -> Result<Markup> {
    let height = 70 + 74 * rows.len() as u32;
    both(words, height, |area, size| {
        draw(rows, unit, limit, area, size)
    })
}

fn draw(rows: &[Row], unit: &str, limit: Option<f64>, area: &Area<'_>, size: Size) -> Result<()> {
    let values = rows.iter().flat_map(|row| &row.values);
    let most = values.map(|(value, _)| *value).fold(0.0, f64::max);
    // A limit far away would squeeze the dots into a corner; it is then said in
    // words only.
    let limit = limit.filter(|limit| *limit > 0.0 && *limit <= most * 4.0);
    let right = end(most.max(limit.unwrap_or(0.0)));
    let count = rows.len() as f64;
    let mut chart = ChartBuilder::on(area)
        .margin(8)
        .margin_right(size.font)
        .x_label_area_size(size.font * 3)
        .build_cartesian_2d(-right * 0.02..right, count..0.0)
        .map_err(drawing)?;
    let axis = Axis {
        name: unit,
        label: |value| seconds(*value),
    };
    axes(&mut chart, size, &axis, None)?;
    if let Some(limit) = limit {
        let line = vec![(limit, 0.0), (limit, count)];
        let line = DashedPathElement::new(line, 6, 5, theme::LIMIT.rgb().stroke_width(2));
        chart.draw_series([line]).map_err(drawing)?;
    }
    for (index, row) in rows.iter().enumerate() {
        let top = index as f64;
        let style = starting(size.text(theme::INK));
        let name = Text::new(row.name.clone(), (0.0, top + 0.16), style);
        chart.draw_series([name]).map_err(drawing)?;
        let (low, high) = row.interval;
        let corners = [
            (low, top + 0.80),
            (high.max(low + right * 0.002), top + 0.92),
        ];
        let interval = Rectangle::new(corners, theme::LINK.rgb().mix(0.45).filled());
        chart.draw_series([interval]).map_err(drawing)?;
        let median = vec![(row.median, top + 0.74), (row.median, top + 0.98)];
        let median = PathElement::new(median, theme::LINK.rgb().stroke_width(3));
        chart.draw_series([median]).map_err(drawing)?;
        for (value, level, passed) in stacked(&row.values, right / f64::from(size.width) * 10.0) {
            let place = (value, top + 0.66 - 0.07 * level as f64);
            if passed {
                let dot = Circle::new(place, 5, theme::GOOD.rgb().mix(0.75).filled());
                chart.draw_series([dot]).map_err(drawing)?;
            } else {
                let cross = Cross::new(place, 6, theme::BAD.rgb().stroke_width(3));
                chart.draw_series([cross]).map_err(drawing)?;
            }
        }
    }
    Ok(())
}

/// Where the axis ends: so far away that its marks, of thousandths at least, differ.
fn end(most: f64) -> f64 {
    match most > 0.0 {
        true => most.max(0.01) * 1.06,
        false => 1.06,
    }
}

/// Dots that would cover each other are stacked, up to what a row has room for.
fn stacked(values: &[(f64, bool)], apart: f64) -> Vec<(f64, usize, bool)> {
    const LEVELS: usize = 5;
    let mut sorted = values.to_vec();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut ends = [f64::NEG_INFINITY; LEVELS];
    let place = |(value, passed): (f64, bool)| {
        let free = ends.iter().position(|end| value - end >= apart);
        let level = free.unwrap_or(0);
        ends[level] = value;
        (value, level, passed)
    };
    sorted.into_iter().map(place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_of_a_tiny_range_differ() {
        for most in [0.0, 0.001, 0.004, 0.03] {
            let marks = (1..=5).map(|n| seconds(end(most) * f64::from(n) / 5.0));
            let mut marks: Vec<String> = marks.collect();
            marks.dedup();
            assert_eq!(marks.len(), 5, "{most}: {marks:?}");
        }
    }

    #[test]
    fn equal_values_are_stacked_and_none_is_dropped() {
        let dots = stacked(&[(1.0, true), (1.0, false), (5.0, true)], 0.5);
        assert_eq!(dots, [(1.0, 0, true), (1.0, 1, false), (5.0, 0, true)]);
        assert_eq!(stacked(&[(0.0, true); 40], 0.5).len(), 40);
    }
}
