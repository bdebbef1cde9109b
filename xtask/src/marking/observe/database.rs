//! Reading a copy of a database that somebody else wrote: with SQLite, in a process of
//! its own that has a limit, from a file of ours.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde::Deserialize;

use crate::exec::{Cmd, Exec};

const SCRIPT: &str = include_str!("rows.py");
const LIMIT: Duration = Duration::from_secs(60);

/// What a file holds.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
pub struct Rows {
    /// Why it is no sound database of the workshop.
    pub unsound: Option<String>,
    #[serde(default)]
    pub rows: u64,
    #[serde(default)]
    pub messages: BTreeSet<String>,
}

/// Reads databases with the Python of this machine.
pub struct Reader<'a> {
    pub exec: &'a Exec,
    pub python: PathBuf,
}

impl Reader<'_> {
    /// What the database in this file holds; a broken one is an answer, too.
    pub fn read(&self, file: &Path) -> Result<Rows> {
        let cmd = Cmd::new(self.python.to_string_lossy())
            .args(["-I", "-c", SCRIPT])
            .args([file.to_string_lossy()])
            .limit(LIMIT);
        let said = self.exec.read(&cmd)?;
        serde_json::from_str(&said).context("reading the rows of a database")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exec::output;
    use crate::tools::python;
    use crate::ui::Ui;

    fn database(name: &str, script: &str) -> PathBuf {
        let dir = std::env::temp_dir().join(format!("xtask-rows-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&dir);
        std::fs::create_dir_all(&dir).unwrap();
        let file = dir.join("app.db");
        let python = python::any().unwrap();
        let cmd = Cmd::new(python.to_string_lossy()).args(["-c", script]);
        let made = output(&cmd.args([file.to_string_lossy()])).unwrap();
        assert!(made.status.success(), "{}", made.stderr);
        file
    }

    fn read(file: &Path) -> Rows {
        let exec = Exec::new(Ui::quiet(), std::env::temp_dir(), false);
        let python = python::any().unwrap();
        let rows = Reader {
            exec: &exec,
            python,
        }
        .read(file)
        .unwrap();
        std::fs::remove_dir_all(file.parent().unwrap()).unwrap();
        rows
    }

    const FILL: &str = "import sqlite3, sys\nc = sqlite3.connect(sys.argv[1])\n\
        c.execute('CREATE TABLE events (id INTEGER PRIMARY KEY, ts TEXT, message TEXT)')\n\
        c.executemany('INSERT INTO events (ts, message) VALUES (1, ?)', \
        [(f'm{n}',) for n in range(500)])\nc.commit()\nc.close()\n";

    #[test]
    fn the_rows_of_a_sound_database_are_read() {
        let rows = read(&database("sound", FILL));
        assert_eq!((rows.unsound, rows.rows), (None, 500));
        assert!(rows.messages.contains("m499"));
    }

    #[test]
    fn a_torn_copy_is_no_sound_database() {
        let tear =
            format!("{FILL}f = open(sys.argv[1], 'r+b')\nf.seek(4096)\nf.write(b'\\x00' * 4096)\n");
        assert!(read(&database("torn", &tear)).unsound.is_some());
    }

    #[test]
    fn neither_an_empty_file_nor_a_text_nor_another_table_is_one() {
        let scripts = [
            ("empty", "import sys; open(sys.argv[1], 'w')"),
            (
                "text",
                "import sys; open(sys.argv[1], 'w').write('no database' * 200)",
            ),
            (
                "other",
                "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); \
                 c.execute('CREATE TABLE a (b)'); c.commit()",
            ),
        ];
        for (name, script) in scripts {
            assert!(read(&database(name, script)).unsound.is_some(), "{name}");
        }
    }
}
