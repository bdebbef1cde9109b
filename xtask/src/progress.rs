//! What a run is doing, for who looks on: `progress.jsonl` in its folder, a JSON document a
//! line, as it happens. A picture of what goes on, not a result: nothing is computed from it,
//! and a run goes on without it.
//!
//! Moments are seconds of the ledger's clock, but for those of steps, which there are without
//! a client too: RFC 3339 and UTC.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use terms::{EngineName, LabName, PhaseName, ScenarioName};

use crate::ui::{Told, Ui};

pub const FILE: &str = "progress.jsonl";

/// A line of the file.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "lowercase")]
pub enum Line {
    Began {
        /// Of the command that plays the run.
        process: u32,
        lab: LabName,
        engine: EngineName,
        scenario: ScenarioName,
        wall: String,
    },
    /// A step began.
    Step { wall: String, what: String },
    /// It is over, and this came of it.
    Done {
        wall: String,
        what: String,
        outcome: String,
    },
    /// Something begins to break.
    Disaster { at: f64 },
    /// Something was done; the timeline of the result has it too.
    Moment { at: f64, what: String },
    /// A phase of the recovery began, which ends the one before; without a name the service
    /// is back.
    Phase { at: f64, name: Option<PhaseName> },
}

/// The file of a run that goes on. Dropped, it no longer hears of steps.
pub struct Progress {
    ui: Ui,
    file: Arc<Mutex<Option<File>>>,
}

impl Progress {
    /// Begins the file in a run's folder, and writes each step into it that `ui` shows from
    /// now on.
    pub fn begin(
        folder: &Path,
        ui: &Ui,
        lab: LabName,
        engine: EngineName,
        scenario: ScenarioName,
    ) -> Self {
        let file = Arc::new(Mutex::new(File::create(folder.join(FILE)).ok()));
        let began = Line::Began {
            process: std::process::id(),
            lab,
            engine,
            scenario,
            wall: now(),
        };
        write(&file, &began);
        let steps = Arc::clone(&file);
        ui.tell_steps_to(Some(Box::new(move |told| write(&steps, &of_step(told)))));
        Self {
            ui: ui.clone(),
            file,
        }
    }

    pub fn disaster(&self, at: f64) {
        write(&self.file, &Line::Disaster { at });
    }

    pub fn moment(&self, at: f64, what: &str) {
        let what = what.to_owned();
        write(&self.file, &Line::Moment { at, what });
    }

    /// A phase of the recovery begins, or, without a name, the service is back.
    pub fn phase(&self, at: f64, name: Option<PhaseName>) {
        write(&self.file, &Line::Phase { at, name });
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.ui.tell_steps_to(None);
    }
}

fn of_step(told: Told<'_>) -> Line {
    let wall = now();
    match told {
        Told::Began(what) => Line::Step {
            wall,
            what: what.to_owned(),
        },
        Told::Ended(what, outcome) => Line::Done {
            wall,
            what: what.to_owned(),
            outcome: outcome.to_owned(),
        },
    }
}

/// Each line in one write, so that nobody reads half of one for long.
fn write(file: &Mutex<Option<File>>, line: &Line) {
    let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
    let written = file.as_mut().map(|file| {
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        file.write_all(&text)
    });
    if let Some(Err(_)) = written {
        // A full disk is the run's own trouble, and is told there.
        *file = None;
    }
}

fn now() -> String {
    humantime::format_rfc3339_millis(SystemTime::now()).to_string()
}

/// What was written so far; a line that is being written, or is of another version, is left
/// out. Empty where there is no such file.
pub fn read(folder: &Path) -> Vec<Line> {
    let text = std::fs::read_to_string(folder.join(FILE)).unwrap_or_default();
    let lines = text.lines();
    lines
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_followed_while_it_goes_on_and_no_longer() {
        let folder = std::env::temp_dir().join(format!("xtask-progress-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let ui = Ui::quiet();
        let progress = Progress::begin(
            &folder,
            &ui,
            LabName::Pra,
            EngineName::Local,
            ScenarioName::VolumeLoss,
        );
        ui.step("a restore").done("done");
        ui.shown_only().step("only shown").done("nothing");
        progress.disaster(1.5);
        progress.moment(1.5, "gone");
        progress.phase(1.6, Some(PhaseName::Detected));
        progress.phase(2.0, None);
        drop(progress);
        ui.step("afterwards").done("done");
        let lines = read(&folder);
        let process = std::process::id();
        assert!(matches!(&lines[0], Line::Began { process: p, .. } if *p == process));
        assert!(matches!(&lines[1], Line::Step { what, .. } if what == "a restore"));
        assert!(matches!(&lines[2], Line::Done { outcome, .. } if outcome == "done"));
        assert_eq!(lines[3], Line::Disaster { at: 1.5 });
        let back = Line::Phase {
            at: 2.0,
            name: None,
        };
        assert_eq!((&lines[6], lines.len()), (&back, 7));
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn half_a_line_and_one_of_another_version_are_left_out() {
        let folder = std::env::temp_dir().join(format!("xtask-half-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        assert_eq!(read(&folder), []);
        let text = "{\"event\":\"disaster\",\"at\":2.5}\n{\"event\":\"later\"}\n{\"ev";
        std::fs::write(folder.join(FILE), text).unwrap();
        assert_eq!(read(&folder), [Line::Disaster { at: 2.5 }]);
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
