//! SQLite with the journal of the package `pra`: what is done to it is Python, run
//! where a replica runs.

use anyhow::{Context as _, Result};

use terms::{PointStatus, Protection, tr};

use super::backups::{Backups, Point, Restored, Setting};
use super::healing;
use super::readable::{Readable, State};
use super::seam::{Database, Foreign};
use super::volume::Volume;
use crate::app::{self, RestoreOptions, Transaction};
use crate::engine::Engine;
use crate::exec::variable;
use crate::failure::Failure;
use crate::measure::attack::Encrypted;
use crate::measure::compare::Rows;
use crate::names;

/// So many of the journal's largest transactions are looked through for a deletion.
const LARGEST: u32 = 50;

/// Every page in place, in the file and in the log beside it that holds the
/// newest ones; both keep their sizes.
const OVERWRITE: &str = r#"import os
database = os.path.realpath(os.environ["PRA_DATA_DIR"] + "/app.db")
for path in (database, database + "-wal"):
    with open(path, "r+b") as file:
        for page in range(0, os.path.getsize(path), 4096):
            file.seek(page)
            file.write(b"\xde\xad" * 2048)
        os.fsync(file.fileno())
"#;

/// Everything on both volumes.
const ENCRYPT: &str = include_str!("encrypt.py");

/// Through the application's own way of writing, so that the journal sees it.
const DELETE: &str = r#"from pra.base import settings
from pra.base.errors import PraError
from pra.data.database import Database
try:
    Database(settings.load()).write("deleting", lambda conn: conn.execute("DELETE FROM events"))
except PraError as error:
    raise SystemExit(f"{type(error).__name__}: {error}; next: {error.next_step}")
"#;

/// What it says of a change that is larger than the journal takes in one transaction.
const TOO_LARGE: &str = "TooLarge: ";

/// In a `sqlite3` that is not the application's, for whose shell Python's stands in.
/// The guards refuse it.
const FOREIGN_DELETE: &str = r#"import os, sqlite3
shell = sqlite3.connect(os.path.realpath(os.environ["PRA_DATA_DIR"] + "/app.db"))
try:
    shell.execute("DELETE FROM events")
    shell.commit()
    print("deleted")
except sqlite3.Error as error:
    print("refused:", error)
"#;

/// The triggers ask for a function that only the application has.
const REFUSED: &str = "refused: no such function";

/// Drops the triggers first, so nothing refuses it.
const DELETE_WITHOUT_GUARDS: &str = r#"import os, sqlite3
shell = sqlite3.connect(os.path.realpath(os.environ["PRA_DATA_DIR"] + "/app.db"))
for name in ("insert", "update", "delete"):
    shell.execute(f"DROP TRIGGER pra_guard_{name}")
shell.execute("DELETE FROM events")
shell.commit()
"#;

const BRING_BACK: &str = r#"import os, sqlite3
from pra.base import settings
from pra.data.database import Database
safety = os.environ["PRA_BACKUP_DIR"] + "/SAFETY"
with sqlite3.connect("file:" + safety + "?mode=ro&immutable=1", uri=True) as kept:
    rows = kept.execute("SELECT id, ts, message FROM events").fetchall()
def bring_back(conn):
    for row in rows:
        conn.execute("INSERT OR IGNORE INTO events(id, ts, message) VALUES(?, ?, ?)", row)
Database(settings.load()).write("bringing back what came after", bring_back)
"#;

/// What [`Sqlite::before_deletion`] says, for the shell of a dry run.
const PRINT_BEFORE_LARGEST: &str = r#"from pra.base import settings
from pra.journal import log
config = settings.load()
if config.journal == "off":
    print("latest")
else:
    largest = log.transactions(config.layout, largest=True, limit=1)[0]
    if not largest["deleted"]:
        raise SystemExit("the largest transaction deletes nothing: cargo xtask restore --log --largest")
    print("before:" + str(largest["seq"]))
"#;

/// What [`Sqlite::kept_by_restore`] says of the last restore.
const PRINT_NEWEST_SAFETY: &str = r#"from pra.base import settings
from pra.points import catalogue
points = catalogue.scan(settings.load().layout)
print(next(one.name for one in points if one.status == "safety"))
"#;

/// One byte in the middle of each: the size and the time stay as they are.
const DAMAGE: &str = r#"import glob, os
newest = sorted(glob.glob(os.environ["PRA_BACKUP_DIR"] + "/app-*.db"))[-COUNT:]
for path in newest:
    with open(path, "r+b") as file:
        file.seek(os.path.getsize(path) // 2)
        byte = file.read(1)
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte[0] ^ 0xff]))
        os.fsync(file.fileno())
"#;

/// A file as large as its volume may be, and nothing in it: it counts with its
/// size and takes no block of the disk.
const FILL: &str = r#"import os
with open(os.environ["PRA_VOLUME_DIR"] + "/ballast", "w") as file:
    file.truncate(int(os.environ["PRA_VOLUME_MIB"]) << 20)
"#;
const MAKE_ROOM: &str = r#"import os, pathlib
pathlib.Path(os.environ["PRA_VOLUME_DIR"] + "/ballast").unlink(missing_ok=True)
"#;

pub struct Sqlite<'a> {
    pub engine: &'a dyn Engine,
}

impl Sqlite<'_> {
    fn run(&self, script: &str) -> Result<()> {
        self.engine.python(script).map(drop)
    }
}

impl Readable for Sqlite<'_> {
    fn dump(&self) -> Result<Rows> {
        app::dump(self.engine)
    }

    fn state(&self, url: &str) -> Result<State> {
        let status = app::status(url)?;
        let is_full = |volume: &Volume| {
            let room = status.room(self.claim(*volume));
            room.is_some_and(|room| room.full)
        };
        Ok(State {
            protection: status.protection,
            needs_restore: status.needs_restore,
            full: Volume::ALL.into_iter().filter(is_full).collect(),
            behind: status.copies().and_then(|copies| copies.lag_seconds),
            trouble: None,
        })
    }
}

impl Database for Sqlite<'_> {
    fn dump_point(&self, name: &str) -> Result<Rows> {
        app::dump_point(self.engine, name)
    }

    fn corrupt(&self) -> Result<()> {
        self.run(OVERWRITE)
    }

    fn encrypt_all(&self) -> Result<Option<Encrypted>> {
        let said = self.engine.python(ENCRYPT)?;
        let found = said.map(|said| serde_json::from_str(&said));
        let found = found.transpose();
        found.context("understanding what was encrypted")
    }

    fn delete_all(&self) -> Result<()> {
        self.run(DELETE)
            .map_err(|error| match format!("{error:#}").contains(TOO_LARGE) {
                true => error.context(all_at_once()),
                false => error,
            })
    }

    fn delete_all_from_outside(&self) -> Result<Option<Foreign>> {
        let said = self.engine.python(FOREIGN_DELETE)?;
        Ok(said.map(|said| Foreign {
            refused: said.starts_with(REFUSED),
            said: said.trim().to_owned(),
        }))
    }

    fn delete_all_without_guards(&self) -> Result<()> {
        self.run(DELETE_WITHOUT_GUARDS)
    }

    fn bring_back(&self, point: &str) -> Result<()> {
        self.run(&BRING_BACK.replace("SAFETY", point))
    }

    fn damage_newest_points(&self, count: usize) -> Result<()> {
        self.run(&DAMAGE.replace("COUNT", &count.to_string()))
    }

    fn fill(&self, volume: Volume) -> Result<()> {
        self.run(&FILL.replace("VOLUME", setting(volume)))
    }

    fn make_room(&self, volume: Volume) -> Result<()> {
        self.run(&MAKE_ROOM.replace("VOLUME", setting(volume)))
    }

    fn claim(&self, volume: Volume) -> &'static str {
        match volume {
            Volume::Data => names::DATA_CLAIM,
            Volume::Backup => names::BACKUP_CLAIM,
        }
    }

    fn size_setting(&self, volume: Volume) -> String {
        format!("PRA_{}_MIB", setting(volume))
    }
}

impl Backups for Sqlite<'_> {
    fn points(&self) -> Result<Vec<Point>> {
        Ok(app::points(self.engine)?.points)
    }

    fn latest_point(&self) -> Result<Option<String>> {
        Ok(app::points(self.engine)?.latest)
    }

    fn is_sound(&self, point: &str) -> Result<bool> {
        app::verifies(self.engine, point)
    }

    fn back_up(&self) -> Result<Option<Point>> {
        let taken = app::backup(self.engine)?;
        Ok(taken.map(|said| said.value.point))
    }

    fn back_up_once(&self) -> Result<()> {
        app::backup_with(self.engine, None).map(drop)
    }

    fn take_new_volume(&self) -> Result<Point> {
        Ok(app::take_new_volume(self.engine)?.value.point)
    }

    fn restore(&self, target: &str) -> Result<Option<Restored>> {
        let restored = app::restore(self.engine, target, RestoreOptions::default())?;
        Ok(restored.map(|said| said.value))
    }

    fn healed(&self, url: &str) -> Result<Option<Restored>> {
        healing::healed(url)
    }

    fn insist_on_healing(&self, url: &str) -> Result<()> {
        healing::insist(&app::status(url)?)
    }

    fn healing_setting(&self) -> Setting {
        Setting {
            key: "PRA_AUTO_RESTORE",
            value: "latest",
        }
    }

    fn restore_job(&self) -> &'static str {
        names::RESTORE_JOB
    }

    fn before_deletion(&self, since: Option<&str>) -> Result<Option<String>> {
        let largest = app::log(self.engine, true, LARGEST)?.value.transactions;
        Ok(deletion(&largest, since).map(|one| format!("before:{}", one.seq)))
    }

    fn show_before_deletion(&self) -> Result<String> {
        self.engine.show_python("TARGET", PRINT_BEFORE_LARGEST)?;
        Ok(variable("TARGET"))
    }

    fn kept_by_restore(&self, since: &str) -> Result<Option<String>> {
        let kept =
            |one: &Point| one.status == PointStatus::Safety && not_before(&one.created, since);
        Ok(self.points()?.into_iter().find(kept).map(|one| one.name))
    }

    fn show_kept_by_restore(&self) -> Result<String> {
        self.engine.show_python("SAFETY", PRINT_NEWEST_SAFETY)?;
        Ok(variable("SAFETY"))
    }

    fn prove(&self) -> Result<Option<String>> {
        let proof = app::prove(self.engine)?;
        let unwanted = proof.filter(|proof| proof.value.seq.is_none());
        Ok(unwanted.map(|proof| proof.value.to_string()))
    }

    fn protection_setting(&self, protection: Protection) -> Setting {
        let value = match protection {
            Protection::Snapshot => "\"off\"",
            _ => "required",
        };
        Setting {
            key: "PRA_JOURNAL",
            value,
        }
    }
}

fn all_at_once() -> Failure {
    Failure::usage(tr!(
        "all rows are more than the application deletes at once, so that nothing was deleted: the \
         journal takes no transaction that changes more than 16 MiB",
        "toutes les lignes sont plus que ce que l'application supprime d'un coup, et rien n'a été \
         supprimé : le journal ne prend pas de transaction qui change plus de 16 MiB",
    ))
    .next(tr!(
        "cargo xtask scenario foreign-delete, which goes past the journal; or cargo xtask reset, \
         which begins with an empty lab",
        "cargo xtask scenario foreign-delete, qui contourne le journal ; ou cargo xtask reset, qui \
         recommence avec un lab vide",
    ))
}

/// As [`Backups::before_deletion`] chooses it.
fn deletion<'a>(largest: &'a [Transaction], since: Option<&str>) -> Option<&'a Transaction> {
    let deletes = |one: &&Transaction| one.deleted > 0;
    let mut largest = largest.iter();
    match since {
        Some(since) => largest.find(|one| deletes(one) && not_before(&one.time, since)),
        None => largest.next().filter(deletes),
    }
}

/// Both RFC 3339, UTC, compared to the second.
fn not_before(time: &str, since: &str) -> bool {
    const TO_THE_SECOND: usize = 19;
    time.get(..TO_THE_SECOND) >= since.get(..TO_THE_SECOND)
}

/// A volume in the names of the application's settings.
fn setting(volume: Volume) -> &'static str {
    match volume {
        Volume::Data => "DATA",
        Volume::Backup => "BACKUP",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_smaller_deletion_than_the_largest_transaction_is_one_only_since_a_moment() {
        let transaction = |seq, hour, added, deleted| Transaction {
            seq,
            time: format!("2026-11-29T{hour:02}:00:00.000Z"),
            timeline: 1,
            added,
            changed: 0,
            deleted,
        };
        let largest = [
            transaction(3, 10, 500, 0),
            transaction(2, 9, 0, 90),
            transaction(4, 11, 0, 20),
        ];
        let seq = |since| deletion(&largest, since).map(|one| one.seq);
        assert_eq!(seq(None), None, "the largest deletes nothing");
        assert_eq!(deletion(&largest[1..], None).map(|one| one.seq), Some(2));
        assert_eq!(seq(Some("2026-11-29T10:30:00Z")), Some(4));
        assert_eq!(seq(Some("2026-11-29T12:00:00Z")), None);
    }
}
