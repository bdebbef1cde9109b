//! What was observed of a lab of the second workshop: from an image to a page.

use serde::Serialize;

/// How users reach the page.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Access {
    /// The text that says to make the cluster with a way to the service's port.
    pub mapped_by: Option<String>,
    /// The script that starts a forward again, where there is one.
    pub kept_by: Option<String>,
    /// After its pod was replaced, the forward that was open before still led to the page:
    /// seen here, whatever a text says.
    pub survived: bool,
}

/// The page after its source was changed, by the work's own way.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Changed {
    pub shown: bool,
    /// The text that says to restart the pods, which was done then.
    pub restarted_by: Option<String>,
    pub seconds: f64,
    pub failed: Option<String>,
}

/// All that was observed.
#[derive(Clone, Debug, Default, Serialize)]
pub struct PageFacts {
    pub place: String,
    /// Why nothing could be tried, which is not the work's affair.
    pub untried: Option<String>,
    /// Where it ended before its end, which is not the work's affair either.
    pub stopped: Option<String>,
    pub template: Option<String>,
    pub image: Option<String>,
    /// Why the template built nothing.
    pub no_image: Option<String>,
    pub playbook: Option<String>,
    pub no_playbook: Option<String>,
    /// Why the pods are not ready.
    pub not_ready: Option<String>,
    /// Whether a second run of the playbook went well; `None` where there was no first.
    pub again: Option<bool>,
    /// The file that the page comes from.
    pub source: Option<String>,
    pub served: bool,
    pub own: bool,
    /// The beginning of what was served instead.
    pub instead: Option<String>,
    /// The page was back after its pod was deleted.
    pub back: bool,
    pub access: Option<Access>,
    pub changed: Option<Changed>,
    /// What a person would start: targets of a Makefile, scripts.
    pub entries: Vec<String>,
}
