"""Volumes made by the application, with everything in them that docs/format.md describes."""

import json
import os
import shutil
import subprocess
import sys
import urllib.request

import format_reader as reader
from conftest import APP, pra, serving

#: Runs transactions as the application does: a list of lists of [SQL, values].
WRITER = """
import json, os, sys
from pra.base import settings
from pra.data import database
from pra.state import volumes
config = settings.load()
volumes.ensure_initialised(config.layout)
if "in-flight" in sys.argv:
    # Nobody waits for the disks, as where many writers come at once.
    database.Database._make_durable = lambda *_: None
events = database.Database(config)
for transaction in json.load(sys.stdin):
    try:
        events.write("testing", lambda conn: [conn.execute(*one).fetchall() for one in transaction])
    except Exception as error:
        print(type(error).__name__)
if "crash" in sys.argv:
    sys.stdout.flush()
    os._exit(0)
"""
TABLES = """
CREATE TABLE notes(id INTEGER PRIMARY KEY, body BLOB, weight REAL, label,
  event INTEGER REFERENCES events(id) DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE tags(n, name TEXT, place TEXT, PRIMARY KEY(place, name)) WITHOUT ROWID;
CREATE TRIGGER noted AFTER INSERT ON notes BEGIN
  INSERT INTO tags VALUES(new.id, 'of a trigger', new.id); END;
PRAGMA user_version = 7
"""
#: Every type of a value, in every kind of change.
NOTES = [
    [["INSERT INTO notes VALUES(-5, x'00ff00', -0.5, 'é', 1)"]],
    [["INSERT INTO notes VALUES(9223372036854775807, NULL, 1e300, -129, NULL)"]],
    [["UPDATE notes SET body = NULL, label = 2.5, weight = NULL WHERE id = -5"]],
    [["INSERT INTO tags VALUES(1, 'a', 'b'), (2, 'b', 'a'), (3, 'x', 'y')"]],
    [["UPDATE tags SET n = x'' WHERE name = 'a'"], ["DELETE FROM tags WHERE n = 2"]],
    [["INSERT INTO notes(id, event) VALUES(7, 123456)"]],
    [["INSERT INTO notes(id, event) VALUES(8, 2)"]],
]


def added(*messages):
    """A transaction that adds these messages."""
    sql = "INSERT INTO events(ts, message) VALUES('2026-11-21T10:15:00.000Z', ?)"
    return [[sql, [message]] for message in messages]


class Volumes:
    """A pair of volumes, and the application to act on it."""

    def __init__(self, folder, mode="required"):
        self.data, self.backup = f"{folder}/data", f"{folder}/backup"
        os.makedirs(self.data)
        os.makedirs(self.backup)
        self.environment = {
            "PRA_DATA_DIR": self.data,
            "PRA_BACKUP_DIR": self.backup,
            "PRA_JOURNAL": mode,
            "HOST": "127.0.0.1",
            "PORT": "0",
        }

    def write(self, transactions, *how):
        """Run transactions; returns the names of the errors, one a line."""
        done = subprocess.run(
            [sys.executable, "-c", WRITER, *how],
            cwd=APP,
            env={**os.environ, **self.environment},
            input=json.dumps(transactions),
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        return done.stdout

    def run(self, *arguments, code=0, **environment):
        """Run a verb; returns its document."""
        done = pra({**self.environment, **environment}, *arguments, "--json")
        assert done.returncode == code, done
        return json.loads(done.stdout)

    def dump(self, *arguments):
        """The rows of the database, or of a point."""
        done = pra(self.environment, "dump", *arguments)
        assert done.returncode == 0, done
        lines = map(json.loads, done.stdout.splitlines())
        return [(line["id"], line["timestamp"], line["message"]) for line in lines]

    @property
    def database(self):
        """The current database."""
        return f"{reader.generation(self.data)}/app.db"


class Made(Volumes):
    """Volumes with everything that the page describes, and what was said while it was made."""

    def __init__(self, folder):
        super().__init__(folder)
        self.answers = []
        with serving(self.environment) as (url, _):
            for message in ("one", "two"):
                urllib.request.urlopen(f"{url}/add?message={message}").close()
            self.served = self.uses()
        self.run("backup")
        many = [added(f"{number:04d}" + "x" * 4000) for number in range(300)]
        mixed = [*added("a", "b", "c"), ["UPDATE events SET message = 'é' WHERE id = 2"]]
        self.write([*many, [*mixed, ["DELETE FROM events WHERE id = 3"]]])
        self.verified = self.run("backup")["point"]
        self.run("define", TABLES)
        self.refused = self.write(NOTES)
        self.run("prove")
        self.restored = [self.run("restore", "latest")]
        self.write([added("on the second timeline")])
        self.restored += [
            self.run("restore", "--to-before", "310", PRA_REQUEST="third"),
        ]
        self.write([added("on the third timeline")])
        self.restored += [self.run("undo")]
        self.write([added(f"in flight {number}") for number in range(4)], "in-flight")
        self.spoil()
        self.refused_backup = self.run("backup", code=1)
        self.noted = reader.damage(self.backup)
        self.restored += [self.run("restore", "latest")]
        self.write([added("in the log")], "crash")
        self.log = reader.content(f"{self.database}-wal")
        os.truncate(self.database, 0)
        self.restored += [self.run("restore", "latest")]
        self.write([[["DELETE FROM events WHERE id > 2 AND id % 3"]]])
        self.quarantined = self.run("backup", code=1)["point"]
        with serving(self.environment) as (url, _):
            for text in ("behind every point", "and another", "behind every point"):
                add = urllib.request.Request(f"{url}/add?message={text.replace(' ', '+')}")
                add.add_header("Idempotency-Key", f'"{text}"')
                with urllib.request.urlopen(add) as answer:
                    self.answers.append(json.load(answer))
        self.exported = self.export()
        self.write([added("behind the export")])
        self.litter()

    def litter(self):
        """Put a copy beside the points without a manifest, and one with a changed one."""
        point = f"{self.backup}/{self.verified['name']}"
        for epoch in (1000000000, 1000000001):
            shutil.copy(point, f"{self.backup}/app-{epoch}.db")
        manifest = reader.content(point.replace(".db", ".json"))
        with open(f"{self.backup}/app-{epoch}.json", "wb") as file:
            file.write(manifest.replace(b'"rows":304', b'"rows":305'))

    def uses(self):
        """What lies in the folder of those who serve the database."""
        folder = f"{self.backup}/.pra/use"
        return [json.loads(reader.content(f"{folder}/{name}")) for name in os.listdir(folder)]

    def spoil(self):
        """Change a byte of a row in the database."""
        with open(self.database, "r+b") as file:
            file.seek(reader.content(self.database).index(b"0042xxxx") + 100)
            file.write(b"y")

    def export(self):
        """The exported file."""
        done = subprocess.run(
            [sys.executable, "-m", "pra", "export"],
            cwd=APP,
            env={**os.environ, **self.environment},
            capture_output=True,
            timeout=60,
            check=True,
        )
        return done.stdout
