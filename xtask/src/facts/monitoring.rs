//! What watches a lab, as every engine reports it. Data alone.

use serde::{Deserialize, Serialize};

/// What watches the lab, and where a person looks.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
pub struct Watched {
    pub parts: Vec<Part>,
    /// Its page on this machine; `None` where nothing leads there.
    pub prometheus: Option<String>,
    pub alertmanager: Option<String>,
    /// The dashboards, where there are any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grafana: Option<String>,
}

/// One program of it.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
pub struct Part {
    pub name: String,
    pub ready: bool,
    /// Why it is not, where that is known.
    pub trouble: Option<String>,
}
