//! The game day that goes on in a lab: what is kept of it under `.lab/`, and whether its
//! client still writes. How it is played is [`crate::gameday`]'s.

mod seal;

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use terms::{EngineName, FaultName, Protection, tr};

use crate::config::Mode;
use crate::failure::Failure;
use crate::workspace::{self, Workspace};

/// A game day as it is kept on disk from its beginning to its end.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Game {
    pub engine: EngineName,
    /// The name of its run's folder.
    pub folder: String,
    /// RFC 3339, UTC.
    pub since: String,
    pub level: u8,
    /// Somebody chose what breaks, and knows.
    pub teacher: bool,
    /// How its client asks.
    #[serde(default)]
    pub mode: Mode,
    /// When the disaster was complete, RFC 3339, UTC; from then on changes are the
    /// player's.
    pub struck: Option<String>,
    /// The [`Truth`], so that nobody reads it by accident.
    sealed: String,
}

/// What the player is not told before the end.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Truth {
    pub faults: Vec<FaultName>,
    pub seed: u64,
    pub protection: Protection,
    /// Replicas that were asked for before; 0 where an older program began the game.
    #[serde(default)]
    pub replicas: u32,
    /// When the disaster began, RFC 3339, UTC.
    pub began: Option<String>,
    /// The restore point to go back to where there is no journal, and when it was begun.
    pub point: Option<String>,
    pub point_began: Option<String>,
}

/// Something that happened in a game, as a line of its record.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Event {
    /// RFC 3339, UTC.
    pub at: String,
    #[serde(flatten)]
    pub what: What,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "lowercase")]
pub enum What {
    /// A hint was bought.
    Hint,
    /// The player says that something is wrong, and perhaps what.
    Noticed { said: Option<String> },
    /// A command that takes the lab.
    Command { words: String },
    /// What is asked of the lab was changed, by whatever means.
    Changed {
        what: String,
        from: String,
        to: String,
    },
    /// `done` was typed, and so much was still broken.
    Tried { broken: usize },
    /// The game is over, from a `done` that was typed at that moment on; what was still
    /// broken, in words. What follows can be done again from here.
    Ended { typed: String, broken: Vec<String> },
}

impl Game {
    pub fn new(engine: EngineName, folder: String, level: u8, teacher: bool) -> Self {
        Self {
            engine,
            folder,
            since: now(),
            level,
            teacher,
            mode: Mode::default(),
            struck: None,
            sealed: String::new(),
        }
    }

    /// What broke.
    ///
    /// # Errors
    /// The file is damaged.
    pub fn truth(&self, workspace: &Workspace) -> Result<Truth> {
        seal::open(&self.sealed).map_err(|error| damaged(&file(workspace, self.engine), &error))
    }

    /// Keeps the game as it is now, with what is not told.
    pub fn keep(&mut self, workspace: &Workspace, truth: &Truth) -> Result<()> {
        self.sealed = seal::close(truth)?;
        let text = serde_json::to_string(self)?;
        workspace::write_file(&file(workspace, self.engine), &text)
    }

    pub fn run_folder(&self, workspace: &Workspace) -> PathBuf {
        workspace.runs().join(&self.folder)
    }

    pub fn ledger(&self, workspace: &Workspace) -> PathBuf {
        self.run_folder(workspace).join("ledger.jsonl")
    }

    /// What the messages of its client begin with.
    pub fn prefix(&self) -> String {
        format!("{}-{}", terms::GAMEDAY, self.folder)
    }

    /// Every row from before, as `pra dump` writes them.
    pub fn before(&self, workspace: &Workspace) -> PathBuf {
        self.run_folder(workspace).join("before.jsonl")
    }

    /// Adds a line to the record. Several processes may, each line as one write.
    pub fn note(&self, workspace: &Workspace, what: What) -> Result<()> {
        let event = Event { at: now(), what };
        let line = serde_json::to_string(&event)? + "\n";
        let path = self.record(workspace);
        let file = File::options().create(true).append(true).open(&path);
        let written = file.and_then(|mut file| file.write_all(line.as_bytes()));
        written.with_context(|| format!("writing {}", path.display()))
    }

    /// Everything that was noted, in order.
    pub fn events(&self, workspace: &Workspace) -> Vec<Event> {
        let text = fs::read_to_string(self.record(workspace)).unwrap_or_default();
        let lines = text.lines();
        lines
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect()
    }

    /// When the `done` was typed that ended it, and what was still broken; `None` while it
    /// goes on.
    pub fn ended(&self, workspace: &Workspace) -> Option<(String, Vec<String>)> {
        let mut events = self.events(workspace).into_iter().rev();
        events.find_map(|event| match event.what {
            What::Ended { typed, broken } => Some((typed, broken)),
            _ => None,
        })
    }

    fn record(&self, workspace: &Workspace) -> PathBuf {
        self.run_folder(workspace).join("record.jsonl")
    }
}

/// Now, RFC 3339, UTC.
pub fn now() -> String {
    humantime::format_rfc3339_micros(SystemTime::now()).to_string()
}

fn file(workspace: &Workspace, engine: EngineName) -> PathBuf {
    workspace.lab_state().join(format!("gameday-{engine}.json"))
}

/// The lock that its client holds as long as it writes.
pub fn lock(workspace: &Workspace, engine: EngineName) -> PathBuf {
    workspace.lab_state().join(format!("gameday-{engine}.lock"))
}

/// The game day of the lab on an engine, whether or not its client still writes.
///
/// # Errors
/// What is kept of it is damaged.
pub fn pending(workspace: &Workspace, engine: EngineName) -> Result<Option<Game>> {
    let path = file(workspace, engine);
    workspace::read_state(&path).map_err(|error| damaged(&path, &error))
}

fn damaged(path: &Path, error: &anyhow::Error) -> anyhow::Error {
    let said = tr!(
        "what is kept of a game day is damaged: {path}: {error}",
        "ce qui est conservé d'un game day est endommagé : {path} : {error}",
        path = path.display()
    );
    let next = tr!(
        "cargo xtask gameday abort, which puts back what it can",
        "cargo xtask gameday abort, qui remet en état ce qu'il peut"
    );
    Failure::usage(said).next(next).into()
}

/// Whether its client writes: the lock is held exactly as long.
pub fn is_running(workspace: &Workspace, engine: EngineName) -> bool {
    File::open(lock(workspace, engine)).is_ok_and(|file| workspace::is_locked(&file))
}

/// The game that goes on, on an engine.
pub fn running(workspace: &Workspace, engine: EngineName) -> Result<Option<Game>> {
    let pending = pending(workspace, engine)?;
    Ok(pending.filter(|_| is_running(workspace, engine)))
}

/// The game that is left over: its client was killed, or the machine restarted.
pub fn orphaned(workspace: &Workspace, engine: EngineName) -> Result<Option<Game>> {
    let pending = pending(workspace, engine)?;
    Ok(pending.filter(|_| !is_running(workspace, engine)))
}

/// The game day of any lab, on any engine, that needs a run's folder.
pub fn needing(workspace: &Workspace, folder: &str) -> Result<Option<Game>> {
    for (_, workspace) in workspace.of_each_lab() {
        for engine in EngineName::ALL {
            let game = pending(&workspace, *engine)?;
            if let Some(game) = game.filter(|game| game.folder == folder) {
                return Ok(Some(game));
            }
        }
    }
    Ok(None)
}

/// It is over.
pub fn forget(workspace: &Workspace, engine: EngineName) -> Result<()> {
    workspace::remove_file(&file(workspace, engine))
}

/// Notes a command that takes the lab in the record of the game that goes on, if any: on
/// that engine, where the command names one. It is for the record alone, and stops no
/// command.
pub fn note_command(workspace: &Workspace, words: &str, named: Option<EngineName>) {
    let engines = EngineName::ALL.iter();
    for engine in engines.filter(|engine| named.is_none_or(|named| named == **engine)) {
        if let Ok(Some(game)) = running(workspace, *engine) {
            let words = words.to_owned();
            let _ = game.note(workspace, What::Command { words });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use terms::LabName;

    fn workspace(name: &str) -> Workspace {
        let root = std::env::temp_dir().join(format!("xtask-game-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&root);
        let workspace = Workspace::at(root);
        workspace.create().unwrap();
        workspace
    }

    #[test]
    fn a_game_is_kept_and_its_truth_is_not_read_by_accident() {
        let workspace = workspace("kept");
        let mut game = Game::new(EngineName::Local, "2026-gameday".to_owned(), 1, false);
        let truth = Truth {
            faults: vec![FaultName::VolumeLoss],
            seed: 7,
            protection: Protection::Journal,
            replicas: 2,
            began: None,
            point: None,
            point_began: None,
        };
        game.keep(&workspace, &truth).unwrap();
        let text = fs::read_to_string(file(&workspace, EngineName::Local)).unwrap();
        assert!(!text.contains("volume"), "{text}");
        let kept = pending(&workspace, EngineName::Local).unwrap().unwrap();
        assert_eq!(
            kept.truth(&workspace).unwrap().faults,
            [FaultName::VolumeLoss]
        );
        assert!(
            pending(&workspace, EngineName::K3d).unwrap().is_none(),
            "another lab"
        );
        assert!(needing(&workspace, "2026-gameday").unwrap().is_some());
        assert!(needing(&workspace, "another").unwrap().is_none());
        let of_ha = Workspace::of(workspace.root.clone(), LabName::Ha);
        assert!(needing(&of_ha, "2026-gameday").unwrap().is_some());

        // Nobody holds the lock: its client is gone.
        assert!(running(&workspace, EngineName::Local).unwrap().is_none());
        let held = File::create(lock(&workspace, EngineName::Local)).unwrap();
        held.try_lock().unwrap();
        assert!(running(&workspace, EngineName::Local).unwrap().is_some());
        drop(held);
        assert!(orphaned(&workspace, EngineName::Local).unwrap().is_some());
        forget(&workspace, EngineName::Local).unwrap();
        assert!(orphaned(&workspace, EngineName::Local).unwrap().is_none());
        fs::remove_dir_all(&workspace.root).unwrap();
    }

    #[test]
    fn what_happens_is_noted_in_order() {
        let workspace = workspace("noted");
        let game = Game::new(EngineName::Local, "2026-gameday".to_owned(), 1, false);
        fs::create_dir_all(game.run_folder(&workspace)).unwrap();
        let said = Some("the volume".to_owned());
        let happened = [What::Noticed { said }, What::Hint];
        for what in happened.clone() {
            game.note(&workspace, what).unwrap();
        }
        let noted = game.events(&workspace).into_iter().map(|event| event.what);
        assert_eq!(noted.collect::<Vec<_>>(), happened);
        fs::remove_dir_all(&workspace.root).unwrap();
    }
}
