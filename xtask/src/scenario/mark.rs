//! The mark of a scenario that has begun and not ended: what was cut off
//! half-way (ctrl-C, a crash) is put back by the next command that needs the lab.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use crate::exec::quote_path;
use terms::{EngineName, ScenarioName};

use crate::failure::Failure;
use crate::lab::{self, Lab};

/// A scenario that has begun its disaster and not ended its recovery.
#[derive(Debug, Deserialize, Serialize)]
pub struct Unfinished {
    pub scenario: ScenarioName,
    pub since: String,
    /// The exported copy that it has to come back from.
    #[serde(default)]
    pub copy: Option<PathBuf>,
}

/// The mark of the scenario that runs now; it stays unless [`Mark::done`].
pub struct Mark {
    path: PathBuf,
    unfinished: Unfinished,
}

impl Mark {
    /// Notes the copy that has to be adopted if the run is cut off.
    pub fn comes_back_from(&mut self, copy: &Path) -> Result<()> {
        self.unfinished.copy = Some(copy.to_owned());
        self.write()
    }

    fn write(&self) -> Result<()> {
        lab::write_file(&self.path, &serde_json::to_string(&self.unfinished)?)
    }

    pub fn done(self) -> Result<()> {
        remove(&self.path)
    }
}

/// Each engine has a lab of its own, and a disaster of its own in it.
fn path(lab: &Lab, engine: EngineName) -> PathBuf {
    lab.state()
        .join(format!("unfinished-scenario-{engine}.json"))
}

pub fn begin(lab: &Lab, engine: EngineName, scenario: ScenarioName) -> Result<Mark> {
    let unfinished = Unfinished {
        scenario,
        since: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
        copy: None,
    };
    let path = path(lab, engine);
    let mark = Mark { path, unfinished };
    mark.write()?;
    Ok(mark)
}

/// The scenario that was left half-way on an engine, if any.
pub fn pending(lab: &Lab, engine: EngineName) -> Result<Option<Unfinished>> {
    let path = path(lab, engine);
    let Ok(text) = std::fs::read_to_string(&path) else {
        return Ok(None);
    };
    let unfinished = serde_json::from_str(&text)
        .with_context(|| format!("reading {}", path.display()))
        .map_err(|error| {
            error.context(
                Failure::usage("the mark of an unfinished scenario is damaged")
                    .next(format!("rm {} && cargo xtask status", quote_path(&path))),
            )
        })?;
    Ok(Some(unfinished))
}

/// Nothing is left to be put back: the lab is gone.
pub fn forget(lab: &Lab, engine: EngineName) -> Result<()> {
    let path = path(lab, engine);
    if path.exists() {
        remove(&path)?;
    }
    Ok(())
}

fn remove(path: &Path) -> Result<()> {
    std::fs::remove_file(path).with_context(|| format!("removing {}", path.display()))
}
