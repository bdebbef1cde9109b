use std::cell::{Cell, RefCell};
use std::path::{Path, PathBuf};

use super::*;
use crate::exec::{Cmd, Exec, output};
use crate::marking::facts::{Choice, JobEnd};
use crate::marking::labs::lab::{Lab, Listed, Wish};
use crate::marking::observe::database::Reader;
use crate::tools::python;
use crate::ui::Ui;

/// A work that keeps its last two copies. Each look at the volume takes a second.
struct Pruning {
    database: PathBuf,
    kept: RefCell<Vec<Listed>>,
    clock: Cell<f64>,
    asked: Cell<u32>,
}

impl Pruning {
    fn back_up(&self) {
        let modified = self.clock.get();
        let name = format!("app-{modified}.db");
        let mut kept = self.kept.borrow_mut();
        kept.push(Listed { name, modified });
        let beyond = kept.len().saturating_sub(2);
        kept.drain(..beyond);
    }
}

impl Lab for Pruning {
    fn backups(&self) -> Result<Listing> {
        self.clock.set(self.clock.get() + 1.0);
        self.asked.set(self.asked.get() + 1);
        // The schedule's own, once it is waited for.
        if self.asked.get() == 2 {
            self.back_up();
        }
        let files = self.kept.borrow().clone();
        let now = self.clock.get();
        Ok(Listing { files, now })
    }

    fn fetch_backup(&self, name: &str, into: &Path) -> Result<()> {
        let kept = self.kept.borrow().iter().any(|file| file.name == name);
        anyhow::ensure!(kept, "{name} is gone");
        std::fs::copy(&self.database, into)?;
        Ok(())
    }

    fn run_backup(&self) -> Result<JobEnd> {
        self.back_up();
        Ok(JobEnd {
            ran: true,
            succeeded: true,
            ..JobEnd::default()
        })
    }

    fn url(&mut self) -> Result<String> {
        // Nobody answers there.
        Ok("http://127.0.0.1:1".to_owned())
    }

    fn schedule(&self) -> Result<String> {
        Ok("* * * * *".to_owned())
    }

    fn scheduled_at(&self, _had_by: f64) -> Result<Option<f64>> {
        Ok(None)
    }

    fn suspend(&self, _suspend: bool) -> Result<()> {
        Ok(())
    }

    fn copies_plainly(&self) -> bool {
        false
    }

    fn place(&self) -> String {
        unreachable!()
    }

    fn beyond(&self) -> Vec<(&'static str, String)> {
        unreachable!()
    }

    fn mounts_backup(&self) -> Result<bool> {
        unreachable!()
    }

    fn fetch_database(&self, _into: &Path) -> Result<PathBuf> {
        unreachable!()
    }

    fn set_modified(&self, _name: &str, _at: f64) -> Result<()> {
        unreachable!()
    }

    fn kill_pod(&self) -> Result<()> {
        unreachable!()
    }

    fn hide_database(&self) -> Result<()> {
        unreachable!()
    }

    fn show_database(&self) -> Result<()> {
        unreachable!()
    }

    fn lose_data(&self) -> Result<()> {
        unreachable!()
    }

    fn recreate(&self) -> Result<()> {
        unreachable!()
    }

    fn restore(&self, _wish: &Wish) -> Result<JobEnd> {
        unreachable!()
    }

    fn choice(&self) -> Choice {
        unreachable!()
    }

    fn procedure(&self) -> Option<String> {
        unreachable!()
    }

    fn spellings(&self, _point: &str) -> Vec<String> {
        unreachable!()
    }
}

#[test]
fn a_copy_that_is_pruned_later_was_read_while_it_was_there() {
    let scratch = std::env::temp_dir().join(format!("xtask-pruned-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&scratch);
    std::fs::create_dir_all(&scratch).unwrap();
    let database = scratch.join("app.db");
    let script = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); \
                  c.execute('CREATE TABLE events (id INTEGER PRIMARY KEY, ts TEXT, message TEXT)'); \
                  c.commit()";
    let cmd = Cmd::new(python::any().unwrap().to_string_lossy()).args(["-c", script]);
    let made = output(&cmd.args([database.to_string_lossy()])).unwrap();
    assert!(made.status.success(), "{}", made.stderr);
    let mut lab = Pruning {
        database,
        kept: RefCell::default(),
        clock: Cell::new(1_700_000_000.0),
        asked: Cell::default(),
    };
    let ui = Ui::quiet();
    let exec = Exec::new(Ui::quiet(), scratch.clone(), false);
    let reader = Reader {
        exec: &exec,
        python: python::any().unwrap(),
    };
    let mut facts = LabFacts::default();
    let mut observation = Observation::of(&mut lab, &ui, reader, &scratch);
    observation.backups(&mut facts).unwrap();
    std::fs::remove_dir_all(&scratch).unwrap();
    let copies = facts.backups.unwrap().copies;
    assert_eq!(copies.len(), 1 + ON_PURPOSE);
    for copy in &copies {
        assert_eq!(copy.unsound, None, "{copies:?}");
    }
}
