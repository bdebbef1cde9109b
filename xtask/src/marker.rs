//! The marker file of a scenario in progress. Where a run was interrupted (ctrl-C, a
//! crash), the next command that needs the lab finds it and completes the recovery.

use std::cell::RefCell;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use crate::exec::quote_path;
use terms::lang::{both, moment};
use terms::{EngineName, LabName, ScenarioName, tr};

use crate::failure::Failure;
use crate::workspace::{self, Workspace};

/// A scenario that has begun and not ended its recovery.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Unfinished {
    pub scenario: ScenarioName,
    pub since: String,
    /// How far it came.
    #[serde(default)]
    pub stage: Stage,
    /// The exported copy that it has to come back from.
    #[serde(default)]
    pub copy: Option<PathBuf>,
    /// The restore point to go back to, where no journal says a moment.
    #[serde(default)]
    pub point: Option<String>,
    /// What the restore has kept of what was there.
    #[serde(default)]
    pub safety_point: Option<String>,
    /// The node that it closes to new pods. Others may close some as well, which stay so.
    #[serde(default)]
    pub closed: Option<String>,
}

/// How far a scenario came. What is not broken is not restored: that would take
/// back what was written since.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// Nothing is broken yet.
    Begun,
    /// The disaster was about to happen, or has. Also where a marker states no stage.
    #[default]
    Struck,
    /// The data are back; what else belongs to the recovery may not be done.
    Restored,
}

impl Unfinished {
    /// What was left, and how far it had come.
    pub fn told(&self, lab: LabName) -> String {
        let stage = match self.stage {
            Stage::Begun => both("before anything was broken", "avant que rien ne soit cassé"),
            Stage::Struck => both("in the middle of its disaster", "au milieu de son sinistre"),
            Stage::Restored => both("after its restore", "après sa restauration"),
        };
        let left = match lab {
            LabName::Pra | LabName::Image => both(
                "backups may be suspended, and the application stopped",
                "les sauvegardes peuvent être suspendues et l'application arrêtée",
            ),
            LabName::Ha => both(
                "nodes may be stopped, cut off or closed to new pods",
                "des nœuds peuvent être arrêtés, coupés ou fermés aux nouveaux pods",
            ),
        };
        tr!(
            "scenario {name} of {since} was left half-way, {stage}: {left}",
            "le scénario {name} de {since} est resté à mi-chemin, {stage} : {left}",
            name = self.scenario,
            since = moment(&self.since),
        )
    }

    /// The name of the run's folder that it needs.
    pub fn folder(&self) -> Option<&OsStr> {
        self.copy.as_deref()?.parent()?.file_name()
    }
}

/// The marker of the scenario in progress; stays on disk until [`Marker::done`].
pub struct Marker {
    path: PathBuf,
    unfinished: RefCell<Unfinished>,
}

impl Marker {
    /// Notes the copy that has to be adopted if the run is cut off.
    pub fn comes_back_from(&self, copy: &Path) -> Result<()> {
        self.note(|left| left.copy = Some(copy.to_owned()))
    }

    /// That copy.
    pub fn copy(&self) -> Option<PathBuf> {
        self.unfinished.borrow().copy.clone()
    }

    /// Notes the point to go back to if the run is cut off.
    pub fn goes_back_to(&self, point: &str) -> Result<()> {
        self.note(|left| left.point = Some(point.to_owned()))
    }

    /// Notes the node to open again if the run is cut off.
    pub fn closes(&self, node: &str) -> Result<()> {
        self.note(|left| left.closed = Some(node.to_owned()))
    }

    /// From here on something may be broken.
    pub fn struck(&self) -> Result<()> {
        self.note(|left| left.stage = Stage::Struck)
    }

    /// The data are back.
    pub fn restored(&self, safety_point: Option<&str>) -> Result<()> {
        self.note(|left| {
            left.stage = Stage::Restored;
            left.safety_point = safety_point.map(str::to_owned);
        })
    }

    /// Somebody decided what the data are.
    pub fn needs_no_copy(&self) -> Result<()> {
        self.note(|left| left.copy = None)
    }

    fn note(&self, change: impl FnOnce(&mut Unfinished)) -> Result<()> {
        change(&mut self.unfinished.borrow_mut());
        self.write()
    }

    fn write(&self) -> Result<()> {
        let text = serde_json::to_string(&*self.unfinished.borrow())?;
        workspace::write_file(&self.path, &text)
    }

    pub fn done(self) -> Result<()> {
        let removed = std::fs::remove_file(&self.path);
        removed.with_context(|| format!("removing {}", self.path.display()))
    }
}

/// Each engine has a lab of its own, and a disaster of its own in it.
fn path(workspace: &Workspace, engine: EngineName) -> PathBuf {
    workspace
        .lab_state()
        .join(format!("unfinished-scenario-{engine}.json"))
}

pub fn begin(workspace: &Workspace, engine: EngineName, scenario: ScenarioName) -> Result<Marker> {
    let unfinished = Unfinished {
        scenario,
        since: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
        stage: Stage::Begun,
        copy: None,
        point: None,
        safety_point: None,
        closed: None,
    };
    let mark = again(workspace, engine, &unfinished);
    mark.write()?;
    Ok(mark)
}

/// The mark of a scenario that is being put back.
pub fn again(workspace: &Workspace, engine: EngineName, unfinished: &Unfinished) -> Marker {
    Marker {
        path: path(workspace, engine),
        unfinished: RefCell::new(unfinished.clone()),
    }
}

/// Who needs the folder of a run.
pub struct Needing {
    pub lab: LabName,
    pub engine: EngineName,
    pub left: Unfinished,
}

/// The scenario of any lab, on any engine, that was left half-way and needs this folder of
/// a run: the only copy of its database may be in there.
pub fn needing(workspace: &Workspace, folder: &Path) -> Result<Option<Needing>> {
    let needs = |left: &Unfinished| left.copy.is_some() && left.folder() == folder.file_name();
    for (lab, workspace) in workspace.of_each_lab() {
        for engine in EngineName::ALL.iter().copied() {
            if let Some(left) = pending(&workspace, engine)?.filter(needs) {
                return Ok(Some(Needing { lab, engine, left }));
            }
        }
    }
    Ok(None)
}

/// What a program wrote that kept one mark for both engines.
const WITHOUT_ENGINE: &str = "unfinished-scenario.json";

/// On which engine that was is known to the person alone.
fn refuse_mark_without_engine(workspace: &Workspace) -> Result<()> {
    let old = workspace.lab_state().join(WITHOUT_ENGINE);
    if !old.exists() {
        return Ok(());
    }
    let here = |engine| quote_path(&path(workspace, engine));
    let old = quote_path(&old);
    let said = tr!(
        "an older program left a scenario half-way, and did not note on which engine",
        "un programme plus ancien a laissé un scénario à mi-chemin, sans noter sur quel moteur",
    );
    Err(Failure::usage(said)
        .next(tr!(
            "mv {old} {local} where that was the local engine, or mv {old} {k3d} where it was \
             k3d, and cargo xtask setup, which puts it back",
            "mv {old} {local} si c'était le moteur local, ou mv {old} {k3d} si c'était k3d, puis \
             cargo xtask setup, qui le remet en état",
            local = here(EngineName::Local),
            k3d = here(EngineName::K3d),
        ))
        .into())
}

/// The scenario that was left half-way on an engine, if any.
///
/// # Errors
/// The mark is damaged, or one of an older program says not of which engine it is.
pub fn pending(workspace: &Workspace, engine: EngineName) -> Result<Option<Unfinished>> {
    refuse_mark_without_engine(workspace)?;
    let path = path(workspace, engine);
    let unfinished: Result<Option<Unfinished>> = workspace::read_state(&path);
    let mut unfinished = unfinished
        .with_context(|| format!("reading {}", path.display()))
        .map_err(|error| {
            error.context(
                Failure::usage(tr!(
                    "the mark of an unfinished scenario is damaged",
                    "la marque d'un scénario inachevé est endommagée",
                ))
                .next(format!("rm {} && cargo xtask status", quote_path(&path))),
            )
        })?;
    if let Some(unfinished) = &mut unfinished {
        follow(workspace, unfinished);
    }
    Ok(unfinished)
}

/// Where the checkout was moved, the copy of the run was moved with it.
fn follow(workspace: &Workspace, unfinished: &mut Unfinished) {
    let (Some(copy), Some(folder)) = (&unfinished.copy, unfinished.folder()) else {
        return;
    };
    let here = workspace
        .runs()
        .join(folder)
        .join(copy.file_name().unwrap_or_default());
    if !copy.exists() && here.exists() {
        unfinished.copy = Some(here);
    }
}

/// Nothing is left to be put back: the lab is gone.
pub fn forget(workspace: &Workspace, engine: EngineName) -> Result<()> {
    workspace::remove_file(&path(workspace, engine))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::{Kind, kind, next};

    fn workspace(name: &str) -> Workspace {
        let root = std::env::temp_dir().join(format!("xtask-mark-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&root);
        let workspace = Workspace::at(root);
        workspace.create().unwrap();
        workspace
    }

    #[test]
    fn a_mark_says_how_far_its_scenario_came() {
        let workspace = workspace("stages");
        let stage = || {
            pending(&workspace, EngineName::Local)
                .unwrap()
                .unwrap()
                .stage
        };
        let mark = begin(&workspace, EngineName::Local, ScenarioName::DatabaseCorrupt).unwrap();
        assert_eq!(stage(), Stage::Begun);
        mark.struck().unwrap();
        assert_eq!(stage(), Stage::Struck);
        mark.restored(Some("safety-1.db")).unwrap();
        assert_eq!(stage(), Stage::Restored);
        let left = pending(&workspace, EngineName::Local).unwrap().unwrap();
        assert_eq!(left.safety_point.as_deref(), Some("safety-1.db"));
        mark.done().unwrap();
        assert!(pending(&workspace, EngineName::Local).unwrap().is_none());
        // One of an earlier version may have broken anything.
        let text = r#"{"scenario":"bad-delete","since":"2026-11-28T00:00:00Z"}"#;
        std::fs::write(path(&workspace, EngineName::Local), text).unwrap();
        assert_eq!(stage(), Stage::Struck);
        std::fs::remove_dir_all(&workspace.root).unwrap();
    }

    #[test]
    fn a_mark_that_cannot_be_read_is_not_taken_for_none() {
        let workspace = workspace("damaged");
        for damage in [&b"{"[..], b"\xff\xfe"] {
            std::fs::write(path(&workspace, EngineName::Local), damage).unwrap();
            let error = pending(&workspace, EngineName::Local).unwrap_err();
            assert_eq!(kind(&error), Kind::Usage);
            assert!(next(&error).unwrap().starts_with("rm "), "{error}");
        }
        std::fs::remove_dir_all(&workspace.root).unwrap();
    }

    #[test]
    fn the_folder_with_the_only_copy_is_needed_also_where_the_checkout_was_moved() {
        let workspace = workspace("needed");
        let name = "2026-11-28T10-00-00-000Z-cluster-loss";
        let (here, elsewhere) = (
            workspace.runs().join(name),
            Path::new("/moved/.lab/runs").join(name),
        );
        let mark = begin(&workspace, EngineName::K3d, ScenarioName::ClusterLoss).unwrap();
        assert!(needing(&workspace, &here).unwrap().is_none());
        mark.comes_back_from(&elsewhere.join("copy.tar")).unwrap();
        let found = needing(&workspace, &here).unwrap().unwrap();
        assert_eq!(found.engine, EngineName::K3d);
        assert_eq!(found.left.copy, Some(elsewhere.join("copy.tar")));
        std::fs::create_dir(&here).unwrap();
        std::fs::write(here.join("copy.tar"), "").unwrap();
        let found = needing(&workspace, &here).unwrap().unwrap();
        assert_eq!(found.left.copy, Some(here.join("copy.tar")));
        assert!(
            needing(&workspace, &workspace.runs().join("another"))
                .unwrap()
                .is_none()
        );
        std::fs::remove_dir_all(&workspace.root).unwrap();
    }

    #[test]
    fn what_an_older_program_left_half_way_is_not_passed_over() {
        let workspace = workspace("old");
        assert!(pending(&workspace, EngineName::Local).unwrap().is_none());
        let text = r#"{"scenario":"volume-loss","since":"2026-01-01T00:00:00Z"}"#;
        let old = workspace.lab_state().join(WITHOUT_ENGINE);
        std::fs::write(&old, text).unwrap();
        for engine in [EngineName::Local, EngineName::K3d] {
            let error = pending(&workspace, engine).unwrap_err();
            assert_eq!(kind(&error), Kind::Usage);
            assert!(next(&error).unwrap().contains("mv "), "{error}");
        }
        // As it says.
        std::fs::rename(&old, path(&workspace, EngineName::Local)).unwrap();
        let left = pending(&workspace, EngineName::Local).unwrap().unwrap();
        assert_eq!(left.scenario, ScenarioName::VolumeLoss);
        assert!(pending(&workspace, EngineName::K3d).unwrap().is_none());
        std::fs::remove_dir_all(&workspace.root).unwrap();
    }
}
