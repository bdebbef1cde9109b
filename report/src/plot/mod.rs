//! Plots as inline SVG. Each is drawn twice, for a wide page and for a phone;
//! the style sheet shows the one that fits.

pub mod load;
pub mod spread;
pub mod timeline;
pub mod trend;

use anyhow::{Result, anyhow};
use maud::{Markup, PreEscaped, html};
use plotters::coord::Shift;
use plotters::coord::ranged1d::ValueFormatter;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use terms::lang;

use crate::theme::{self, Tone};

pub type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// The size of a drawing, in its own pixels.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    pub width: u32,
    pub height: u32,
    pub font: u32,
}

impl Size {
    fn narrow(self) -> bool {
        self.width < 500
    }

    /// A text of this drawing's size.
    pub fn text(self, tone: Tone) -> TextStyle<'static> {
        ("sans-serif", self.font).into_font().color(&tone.rgb())
    }

    /// How many labels fit under the horizontal axis.
    pub fn labels(self) -> usize {
        if self.narrow() { 5 } else { 9 }
    }
}

/// What is told of a plot to those who do not see it.
pub struct Words<'a> {
    /// Unique on its page.
    pub id: &'a str,
    pub title: &'a str,
    pub description: &'a str,
}

/// Draws a plot in both sizes; `height` is that of the wide one.
pub fn both(
    words: &Words<'_>,
    height: u32,
    draw: impl Fn(&Area<'_>, Size) -> Result<()>,
) -> Result<Markup> {
    let size = |width: u32, height: u32, font: u32| Size {
        width,
        height,
        font,
    };
    let wide = ("wide", size(960, height, 15));
    let narrow = ("narrow", size(380, height.max(200), 13));
    let mut drawn = Vec::new();
    for (class, size) in [wide, narrow] {
        let mut svg = String::new();
        {
            let backend = SVGBackend::with_string(&mut svg, (size.width, size.height));
            let area = backend.into_drawing_area();
            draw(&area, size)?;
            area.present().map_err(drawing)?;
        }
        drawn.push(PreEscaped(dress(&svg, class, words, size)?));
    }
    Ok(html! { @for one in drawn { (one) } })
}

/// An error of the plotting library, which has no common type of its own.
pub fn drawing(error: impl std::fmt::Display) -> anyhow::Error {
    anyhow!("drawing a plot: {error}")
}

/// Replaces the opening tag by one that fills its column and has a name and a
/// description.
fn dress(svg: &str, class: &str, words: &Words<'_>, size: Size) -> Result<String> {
    let body = svg.split_once('>').map(|(_, body)| body);
    let body = body.ok_or_else(|| drawing("no opening tag"))?;
    // The page's own style decides on the font.
    let body = body.replace(
        "font-family=\"sans-serif\"",
        "font-family=\"system-ui,sans-serif\"",
    );
    let id = format!("{}-{class}", words.id);
    let head = html! {
        title id={(id) "-title"} { (words.title) }
        desc id={(id) "-desc"} { (words.description) }
    };
    Ok(format!(
        "<svg class=\"plot {class}\" role=\"img\" aria-labelledby=\"{id}-title\" \
         aria-describedby=\"{id}-desc\" viewBox=\"0 0 {} {}\" \
         xmlns=\"http://www.w3.org/2000/svg\">{}{body}",
        size.width,
        size.height,
        head.into_string(),
    ))
}

/// What an axis is called, and how its values are written.
pub struct Axis<'a> {
    pub name: &'a str,
    pub label: fn(&f64) -> String,
}

/// The axis of time that the plots of a run share.
pub fn time() -> Axis<'static> {
    Axis {
        name: lang::both(
            "seconds since the client began",
            "secondes depuis le début du client",
        )
        .text(),
        label: |value| seconds(*value),
    }
}

/// Axes and grid in the page's colours; without `y`, none on the left.
pub fn axes<X, Y>(
    chart: &mut ChartContext<'_, SVGBackend<'_>, Cartesian2d<X, Y>>,
    size: Size,
    x: &Axis<'_>,
    y: Option<&Axis<'_>>,
) -> Result<()>
where
    X: Ranged<ValueType = f64> + ValueFormatter<f64>,
    Y: Ranged<ValueType = f64> + ValueFormatter<f64>,
{
    let text = size.text(theme::MUTED);
    let mut mesh = chart.configure_mesh();
    mesh.axis_style(theme::MUTED.rgb())
        .bold_line_style(theme::GRID.rgb())
        .light_line_style(TRANSPARENT)
        .label_style(text.clone())
        .axis_desc_style(text)
        .x_labels(size.labels())
        .x_label_formatter(&x.label)
        .x_desc(x.name);
    if let Some(y) = y {
        mesh.y_labels(5).y_label_formatter(&y.label).y_desc(y.name);
    } else {
        mesh.disable_y_mesh().disable_y_axis();
    }
    mesh.draw().map_err(drawing)
}

/// A text that begins at a point.
pub fn starting(style: TextStyle<'static>) -> TextStyle<'static> {
    style.pos(Pos::new(HPos::Left, VPos::Center))
}

/// A text around a point.
pub fn centred(style: TextStyle<'static>) -> TextStyle<'static> {
    style.pos(Pos::new(HPos::Center, VPos::Center))
}

/// Seconds, rounded to what is significant.
pub fn seconds(value: f64) -> String {
    let places = if value.abs() >= 100.0 { 0 } else { 3 };
    lang::decimal(value, places)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_have_no_idle_digits() {
        assert_eq!(seconds(0.0), "0");
        assert_eq!(seconds(2.500), "2.5");
        assert_eq!(seconds(100.0), "100");
        assert_eq!(seconds(0.0149), "0.015");
    }
}
