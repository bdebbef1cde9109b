//! A marking sheet: points with their reasons. It is filled by [`super::judge`] and
//! knows neither a lab nor a repository.

use serde::Serialize;

/// Points are given in quarters, as teachers do.
const STEP: f64 = 0.25;

/// Who gives the points of an item, and which.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "by", rename_all = "lowercase")]
pub enum Verdict {
    /// It was tried, and this came of it.
    Machine { points: f64, reasons: Vec<String> },
    /// A text, or a way of working: what is there is listed, the mark is a person's.
    Person {
        criteria: String,
        found: Vec<String>,
        /// What the facts suggest, where they suggest anything.
        proposed: Option<f64>,
    },
    /// It could not be tried here, which says nothing about the work.
    Nobody { reason: String },
}

/// One line of the sheet.
#[derive(Clone, Debug, Serialize)]
pub struct Item {
    /// What programs call it, in no language.
    pub name: &'static str,
    pub title: String,
    /// At most so many points.
    pub of: f64,
    #[serde(flatten)]
    pub verdict: Verdict,
}

/// A part of the workshop's scheme, with the points that the scheme gives it.
#[derive(Clone, Debug, Serialize)]
pub struct Section {
    pub name: &'static str,
    pub title: String,
    pub of: f64,
    pub items: Vec<Item>,
}

/// Points of so many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Total {
    pub points: f64,
    pub of: f64,
}

/// What a person still has to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Open {
    pub of: f64,
    /// What the facts suggest of it; nothing is suggested for texts that are there.
    pub proposed: f64,
}

/// What a machine has judged in all of them.
pub fn total(sections: &[Section]) -> Total {
    let mut total = Total::default();
    for item in sections.iter().flat_map(|section| &section.items) {
        if let Verdict::Machine { points, .. } = item.verdict {
            total.points += points;
            total.of += item.of;
        }
    }
    total
}

/// What is left for a person, in all of them.
pub fn open(sections: &[Section]) -> Open {
    let mut open = Open::default();
    for item in sections.iter().flat_map(|section| &section.items) {
        if let Verdict::Person { proposed, .. } = item.verdict {
            open.of += item.of;
            open.proposed += proposed.unwrap_or_default();
        }
    }
    open
}

/// What could not be tried here, in points.
pub fn untried(sections: &[Section]) -> f64 {
    let items = sections.iter().flat_map(|section| &section.items);
    let untried = items.filter(|item| matches!(item.verdict, Verdict::Nobody { .. }));
    untried.map(|item| item.of).sum()
}

/// Collects what an item earned, each part with its reason.
#[derive(Debug)]
pub struct Tally {
    of: f64,
    points: f64,
    reasons: Vec<String>,
}

impl Tally {
    pub fn of(of: f64) -> Self {
        Self {
            of,
            points: 0.0,
            reasons: Vec::new(),
        }
    }

    /// A part that was earned or not, and what was seen.
    #[must_use]
    pub fn part(mut self, earned: bool, points: f64, reason: impl Into<String>) -> Self {
        if earned {
            self.points += points;
        }
        let sign = if earned { '✓' } else { '✗' };
        self.reasons.push(format!("{sign} {}", reason.into()));
        self
    }

    /// Something seen that is worth no points.
    #[must_use]
    pub fn remark(mut self, reason: impl Into<String>) -> Self {
        self.reasons.push(format!("· {}", reason.into()));
        self
    }

    pub fn item(self, name: &'static str, title: impl Into<String>) -> Item {
        let points = (self.points / STEP).round() * STEP;
        Item {
            name,
            title: title.into(),
            of: self.of,
            verdict: Verdict::Machine {
                points: points.clamp(0.0, self.of),
                reasons: self.reasons,
            },
        }
    }
}

/// An item that a person marks.
pub fn for_a_person(
    name: &'static str,
    title: impl Into<String>,
    of: f64,
    criteria: impl Into<String>,
    found: Vec<String>,
    proposed: Option<f64>,
) -> Item {
    Item {
        name,
        title: title.into(),
        of,
        verdict: Verdict::Person {
            criteria: criteria.into(),
            found,
            proposed,
        },
    }
}

/// An item that could not be tried.
pub fn not_tried(name: &'static str, title: impl Into<String>, of: f64, reason: String) -> Item {
    Item {
        name,
        title: title.into(),
        of,
        verdict: Verdict::Nobody { reason },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section() -> Section {
        let items = vec![
            Tally::of(1.0)
                .part(true, 0.75, "a")
                .part(false, 0.25, "b")
                .item("tried", "tried"),
            for_a_person("text", "text", 2.0, "read it", Vec::new(), Some(0.5)),
            not_tried("not", "not", 0.5, "no Docker".to_owned()),
        ];
        Section {
            name: "all",
            title: "all".into(),
            of: 3.5,
            items,
        }
    }

    #[test]
    fn what_was_tried_what_is_open_and_what_was_not_tried_stay_apart() {
        let sections = [section()];
        let technical = Total {
            points: 0.75,
            of: 1.0,
        };
        assert_eq!(total(&sections), technical);
        let left = Open {
            of: 2.0,
            proposed: 0.5,
        };
        assert_eq!(open(&sections), left);
        assert_eq!(untried(&sections), 0.5);
    }

    #[test]
    fn each_part_says_whether_it_was_earned() {
        let Verdict::Machine { points, reasons } = &section().items[0].verdict else {
            panic!("a tally is a machine's");
        };
        assert_eq!((*points, reasons[..].len()), (0.75, 2));
        assert_eq!(reasons, &["✓ a", "✗ b"]);
    }
}
