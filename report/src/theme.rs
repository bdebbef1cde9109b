//! Colours, once for the plots and the page. A plot is drawn in the light
//! colours; in the dark, style rules replace each of them by its counterpart.

use std::fmt::Write;

use plotters::style::RGBColor;

/// A colour and what it becomes in the dark.
#[derive(Clone, Copy)]
pub struct Tone {
    name: &'static str,
    light: u32,
    dark: u32,
}

pub const PAPER: Tone = tone("paper", 0xFFFFFF, 0x14181D);
pub const INK: Tone = tone("ink", 0x1F2328, 0xE6EAEE);
pub const MUTED: Tone = tone("muted", 0x57606A, 0xA3ADB8);
pub const GRID: Tone = tone("grid", 0xD5DAE0, 0x39424D);
pub const GOOD: Tone = tone("good", 0x17703A, 0x57C785);
pub const BAD: Tone = tone("bad", 0xC4232B, 0xFF8078);
pub const LIMIT: Tone = tone("limit", 0x8F5B00, 0xE8B04A);
pub const LINK: Tone = tone("link", 0x0B5CAD, 0x7CB8FF);
/// One for each phase of a recovery, then again from the first.
pub const PHASES: [Tone; 4] = [
    tone("phase-1", 0xA3480F, 0xF2A36B),
    tone("phase-2", 0x6B4FBB, 0xB9A5F5),
    tone("phase-3", 0x0B6E8F, 0x62C6E8),
    tone("phase-4", 0x4F6B0C, 0xB4CF6A),
];

const fn tone(name: &'static str, light: u32, dark: u32) -> Tone {
    Tone { name, light, dark }
}

fn all() -> impl Iterator<Item = Tone> {
    [PAPER, INK, MUTED, GRID, GOOD, BAD, LIMIT, LINK]
        .into_iter()
        .chain(PHASES)
}

impl Tone {
    pub fn rgb(self) -> RGBColor {
        let [_, red, green, blue] = self.light.to_be_bytes();
        RGBColor(red, green, blue)
    }

    /// The name of its style variable, and of the class of what has it as its ground.
    pub fn name(self) -> &'static str {
        self.name
    }
}

/// The tone of the nth phase.
pub fn phase(index: usize) -> Tone {
    PHASES[index % PHASES.len()]
}

/// The style sheet of every page.
pub fn style() -> String {
    let mut light = String::new();
    let mut dark = String::new();
    let mut plots = String::new();
    for tone in all() {
        let (name, hex) = (tone.name, format!("#{:06X}", tone.light));
        // Writing into a String cannot fail.
        let _ = write!(light, "--{name}:{hex};");
        let _ = write!(dark, "--{name}:#{:06X};", tone.dark);
        for property in ["fill", "stroke"] {
            let _ = write!(
                plots,
                "svg [{property}=\"{hex}\"]{{{property}:var(--{name})}}"
            );
        }
    }
    for phase in PHASES {
        let name = phase.name;
        let _ = write!(plots, ".swatch.{name}{{background:var(--{name})}}");
    }
    format!(
        ":root{{color-scheme:light;{light}}}\
         @media screen and (prefers-color-scheme:dark){{:root{{color-scheme:dark;{dark}}}}}\
         {plots}{}",
        include_str!("style.css")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Relative luminance and contrast as WCAG 2 defines them.
    fn contrast(one: u32, other: u32) -> f64 {
        let luminance = |colour: u32| {
            let channel = |shift: u32| {
                let value = f64::from((colour >> shift) & 0xFF) / 255.0;
                if value <= 0.04045 {
                    value / 12.92
                } else {
                    ((value + 0.055) / 1.055).powf(2.4)
                }
            };
            0.2126 * channel(16) + 0.7152 * channel(8) + 0.0722 * channel(0)
        };
        let (one, other) = (luminance(one) + 0.05, luminance(other) + 0.05);
        (one / other).max(other / one)
    }

    #[test]
    fn everything_but_the_grid_can_be_read_on_paper_in_both_themes() {
        for tone in all() {
            if ["paper", "grid"].contains(&tone.name) {
                continue;
            }
            assert!(contrast(tone.light, PAPER.light) >= 4.5, "{}", tone.name);
            assert!(contrast(tone.dark, PAPER.dark) >= 4.5, "{}", tone.name);
        }
    }
}
