//! One work that was marked: its sheet, and the facts that it rests on.

use serde::Serialize;

use super::sheet::{Open, Section, Total, open, total, untried};
use crate::marking::repository::history::History;
use crate::marking::repository::readme::Readme;

/// The whole of a marking, as `--json` says it.
#[derive(Clone, Debug, Serialize)]
pub struct Marked {
    /// The folder, as it was named.
    pub work: String,
    pub lab: &'static str,
    pub commit: Option<String>,
    /// When it was marked.
    pub at: String,
    /// Where the lab ran, or why there was none.
    pub place: String,
    /// What a machine has tried.
    pub technical: Total,
    /// What a person has to mark.
    pub open: Open,
    /// Points of what could not be tried here.
    pub untried: f64,
    pub sections: Vec<Section>,
    pub remarks: Vec<String>,
    pub history: Option<History>,
    pub readme: Readme,
    /// What was observed of the lab.
    pub facts: serde_json::Value,
}

impl Marked {
    /// Fills in what follows from the sections.
    #[must_use]
    pub fn summed(mut self) -> Self {
        self.technical = total(&self.sections);
        self.open = open(&self.sections);
        self.untried = untried(&self.sections);
        self
    }
}
