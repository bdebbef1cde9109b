//! Finds the run of a process, and reads on in what it writes.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::seen::{Line, Run, Seen};
use crate::ledger::Growing;
use crate::model::{Document, Folder, Scenario};

/// The runs of one process: it shows the newest, as they come. What was there before is none of
/// them, whatever its number: that of a process is had again by another one.
pub struct Reading {
    runs: PathBuf,
    earlier: BTreeSet<PathBuf>,
    process: u32,
    folder: Option<PathBuf>,
    lines: Vec<Line>,
    ledger: Growing,
    result: Option<Box<Scenario>>,
}

impl Reading {
    /// Before the process begins its first run.
    pub fn new(runs: &Path, process: u32) -> Self {
        Self::of(runs, process, folders(runs).collect(), None)
    }

    fn of(runs: &Path, process: u32, earlier: BTreeSet<PathBuf>, folder: Option<PathBuf>) -> Self {
        Self {
            runs: runs.to_owned(),
            earlier,
            process,
            folder,
            lines: Vec::new(),
            ledger: Growing::default(),
            result: None,
        }
    }

    /// What is there by now; `over` where nothing more will come.
    pub fn look(&mut self, over: bool) -> Seen<'_> {
        let newest = newest(&self.runs, &self.earlier);
        if let Some(folder) = newest.filter(|folder| self.folder.as_ref() != Some(folder)) {
            let lines = progress(&folder);
            if is_of(&lines, self.process) {
                let earlier = std::mem::take(&mut self.earlier);
                *self = Self::of(&self.runs, self.process, earlier, Some(folder));
            }
        }
        let Some(folder) = &self.folder else {
            return Seen { run: None, over };
        };
        self.lines = progress(folder);
        if self.result.is_none() {
            self.result = result(folder);
        }
        let ledger = self.ledger.look(&folder.join("ledger.jsonl"));
        let run = Run::of(&self.lines, ledger, self.result.as_deref());
        Seen { run, over }
    }
}

/// Names begin with the time.
fn newest(runs: &Path, earlier: &BTreeSet<PathBuf>) -> Option<PathBuf> {
    let new = folders(runs).filter(|path| !earlier.contains(path));
    new.filter(|path| path.join("progress.jsonl").is_file())
        .max()
}

fn folders(runs: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = std::fs::read_dir(runs).into_iter().flatten();
    entries.filter_map(|entry| Some(entry.ok()?.path()))
}

/// A line that is being written is left out.
fn progress(folder: &Path) -> Vec<Line> {
    let text = std::fs::read_to_string(folder.join("progress.jsonl")).unwrap_or_default();
    let lines = text.lines();
    lines
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect()
}

fn is_of(lines: &[Line], wanted: u32) -> bool {
    let mut lines = lines.iter();
    lines.any(|line| matches!(line, Line::Began { process, .. } if *process == wanted))
}

/// One that cannot be read is told by `report`.
fn result(folder: &Path) -> Option<Box<Scenario>> {
    match Folder::read(folder).ok()??.document {
        Document::Scenario(scenario) => Some(scenario),
        Document::Drill(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn began(process: u32, scenario: &str) -> String {
        format!(
            "{{\"event\":\"began\",\"process\":{process},\"lab\":\"pra\",\"engine\":\"local\",\
             \"scenario\":\"{scenario}\",\"wall\":\"w\"}}\n"
        )
    }

    #[test]
    fn a_run_that_was_there_before_is_of_another_process_with_the_same_number() {
        let runs = std::env::temp_dir().join(format!("report-earlier-{}", std::process::id()));
        let _ = fs::remove_dir_all(&runs);
        let add = |name: &str, scenario| {
            fs::create_dir_all(runs.join(name)).unwrap();
            let file = runs.join(name).join("progress.jsonl");
            fs::write(file, began(7, scenario)).unwrap();
        };
        add("2026-11-30T10-volume-loss", "volume-loss");
        let mut reading = Reading::new(&runs, 7);
        assert!(reading.look(false).run.is_none());
        // Also where the clock was set back meanwhile.
        for (name, scenario) in [
            ("2026-11-30T09-pod-crash", "pod-crash"),
            ("2026-11-30T11-disk-full", "disk-full"),
        ] {
            add(name, scenario);
            let shown = reading.look(false).run.unwrap().scenario.to_string();
            assert_eq!(shown, scenario);
        }
        fs::remove_dir_all(&runs).unwrap();
    }

    #[test]
    fn the_newest_run_of_the_process_is_followed_and_those_of_others_are_not() {
        let runs = std::env::temp_dir().join(format!("report-live-{}", std::process::id()));
        let _ = fs::remove_dir_all(&runs);
        let mut reading = Reading::new(&runs, 7);
        assert!(reading.look(false).run.is_none(), "nothing is there");
        let add = |name: &str, process, scenario| {
            fs::create_dir_all(runs.join(name)).unwrap();
            let file = runs.join(name).join("progress.jsonl");
            fs::write(file, began(process, scenario)).unwrap();
        };
        add("2026-11-30T10-volume-loss", 6, "volume-loss");
        assert!(reading.look(false).run.is_none(), "somebody else's");
        let shown = |reading: &mut Reading| reading.look(false).run.unwrap().scenario.to_string();
        add("2026-11-30T11-pod-crash", 7, "pod-crash");
        assert_eq!(shown(&mut reading), "pod-crash");
        let result = runs.join("2026-11-30T11-pod-crash/result.json");
        fs::write(result, r#"{"scenario":"pod-crash","passed":true}"#).unwrap();
        assert!(reading.look(false).run.unwrap().result.is_some());
        add("2026-11-30T12-disk-full", 7, "disk-full");
        assert_eq!(shown(&mut reading), "disk-full");
        assert!(reading.look(true).run.unwrap().result.is_none());
        fs::remove_dir_all(&runs).unwrap();
    }
}
