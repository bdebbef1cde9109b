"""All that was acknowledged comes back; what the journal cannot follow is not acknowledged."""

import os

import pytest
from helpers import bring, lose_data, rewrite

from pra.base import settings
from pra.base.errors import Damaged, Refused
from pra.data.database import Database
from pra.events.sqlite import SqliteEvents
from pra.journal import replay
from pra.journal.comparison import Mismatch
from pra.protect import backup
from pra.sql import connect

T = "CREATE TABLE t(id INTEGER PRIMARY KEY, v)"
UNIQUE = "CREATE TABLE t(id INTEGER PRIMARY KEY, u UNIQUE{}); INSERT INTO t VALUES(1,'a'),(2,'b')"
KEYED = "CREATE TABLE t(k {}, v) WITHOUT ROWID; INSERT INTO t VALUES({})"
DDL = ("CREATE TABLE n(id INTEGER PRIMARY KEY, v)", "INSERT INTO n VALUES(1,'x')")
EVENT = "INSERT INTO events(ts, message) VALUES('t', 'm')"


def insert(value):
    return lambda conn: conn.execute("INSERT INTO t(v) VALUES(?)", (value,)).fetchall()


def piecewise(conn):
    with conn.blob_open("main", "t", "v", 1, True) as blob:
        blob.write(b"hello")


#: Name, tables made by a tool of SQLite's, writes of the application.
EXACT = {
    "plain table": (T, insert(1)),
    "a key of two columns": (
        "CREATE TABLE t(a TEXT, b REAL, v, PRIMARY KEY(a, b)) WITHOUT ROWID",
        "INSERT INTO t VALUES('x', 1, 2)",
        "UPDATE t SET b=2",
        "INSERT INTO t VALUES('y', -0.5, NULL)",
    ),
    "a strict key": (
        "CREATE TABLE t(k BLOB, n INTEGER, PRIMARY KEY(k, n)) STRICT, WITHOUT ROWID",
        "INSERT INTO t VALUES(x'00ff', 1), (x'00', 1)",
        "UPDATE t SET n=n+1",
    ),
    "a real key, zero and its negative": (
        KEYED.format("REAL PRIMARY KEY", "0.0, 1"),
        lambda conn: conn.execute("UPDATE t SET k=?", (-0.0,)).fetchall(),
        "INSERT INTO t VALUES(9007199254740993, 1)",
    ),
    "blob": (T, insert(b"\0\xff" * 50_000)),
    "a blob in pieces": (T, "INSERT INTO t VALUES(1, zeroblob(1000))", piecewise),
    "odd numbers": (T, *map(insert, [float("inf"), float("-inf"), float("nan"), -0.0, 5e-324])),
    "odd texts": (T, insert("a\0b"), "INSERT INTO t(v) VALUES(CAST(x'fffe41' AS TEXT))"),
    "extreme numbers": (
        T,
        "INSERT INTO t VALUES(9223372036854775807,1), (-9223372036854775808,1), (0,1)",
        "INSERT INTO events VALUES(9223372036854775806,'t','m')",
    ),
    "generated columns": (
        "CREATE TABLE t(id INTEGER PRIMARY KEY, a, g AS (a*2) STORED, h AS (a+1), z)",
        "INSERT INTO t(a, z) VALUES(3,'z')",
        "UPDATE t SET a=5",
    ),
    "a trigger": (
        f"{T}; CREATE TABLE audit(id INTEGER PRIMARY KEY, what);"
        " CREATE TRIGGER tr AFTER INSERT ON t BEGIN INSERT INTO audit(what) VALUES(new.v); END",
        insert("x"),
    ),
    "a view that is written to": (
        f"{T}; CREATE VIEW w AS SELECT v FROM t;"
        " CREATE TRIGGER tr INSTEAD OF INSERT ON w BEGIN INSERT INTO t(v) VALUES(new.v); END",
        "INSERT INTO w VALUES(5)",
    ),
    "a cascade": (
        "CREATE TABLE p(id INTEGER PRIMARY KEY);"
        " CREATE TABLE c(id INTEGER PRIMARY KEY, p REFERENCES p ON DELETE CASCADE);"
        " INSERT INTO p VALUES(1); INSERT INTO c VALUES(1,1)",
        "DELETE FROM p",
    ),
    "a deferred foreign key": (
        "CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE c(id INTEGER PRIMARY KEY,"
        " p REFERENCES p DEFERRABLE INITIALLY DEFERRED)",
        ("INSERT INTO c VALUES(1,5)", "INSERT INTO p VALUES(5)"),
    ),
    "a temporary table": (
        T,
        ("CREATE TEMP TABLE x(a)", "INSERT INTO x VALUES(1)", "INSERT INTO t(v) SELECT a FROM x")
        + ("DROP TABLE temp.x",),
    ),
    "another row replaced": (
        UNIQUE.format(""),
        "INSERT OR REPLACE INTO t VALUES(3,'a')",
        "UPDATE OR REPLACE t SET u='a' WHERE id=2",
    ),
    "unique values swapped": (
        UNIQUE.format(""),
        ("UPDATE t SET u='x' WHERE id=1", "UPDATE t SET u='a' WHERE id=2")
        + ("UPDATE t SET u='b' WHERE id=1",),
    ),
    "unique values that wander": (
        UNIQUE.format(" COLLATE NOCASE"),
        "UPDATE t SET u='x' WHERE id=1",
        "UPDATE t SET u='A' WHERE id=2",
        "INSERT INTO t VALUES(0,'b')",
    ),
    "keys swapped": (
        f"{T}; INSERT INTO t VALUES(1,'a'),(2,'b')",
        ("UPDATE t SET id=-id", "UPDATE t SET id=3+id"),
    ),
    "an upsert": (
        f"{T}; INSERT INTO t VALUES(1,'a')",
        "INSERT INTO t VALUES(1,'b') ON CONFLICT DO UPDATE SET v=excluded.v",
    ),
    "all rows deleted": (f"{T}; INSERT INTO t VALUES(1,'a'),(2,'b')", "DELETE FROM t"),
    "affinities": (
        "CREATE TABLE t(id INTEGER PRIMARY KEY, r REAL, n NUMERIC, i INT)",
        "INSERT INTO t VALUES(1, 3, '4.0', '007'), (2, 9007199254740993, 1e300, 9e18)",
    ),
    "odd names": (
        'CREATE TABLE "on conflict"(id INTEGER PRIMARY KEY, v);'
        ' CREATE TABLE "we""ird"(id INTEGER PRIMARY KEY, v DEFAULT \'on conflict\') -- on conflict',
        'INSERT INTO "on conflict" VALUES(1, 2)',
        'INSERT INTO "we""ird"(id) VALUES(1)',
    ),
    "a savepoint": (
        T,
        ("SAVEPOINT a", "INSERT INTO t VALUES(1,1)", "ROLLBACK TO a", "INSERT INTO t VALUES(2,2)")
        + ("RELEASE a",),
    ),
}
#: The same; the tables are refused, at the next write and by a backup.
REFUSED_TABLES = {
    "no primary key": ("CREATE TABLE t(a)", "INSERT INTO t VALUES(1)"),
    "a key beside the rowid": ("CREATE TABLE t(a TEXT PRIMARY KEY)", "INSERT INTO t VALUES('a')"),
    "INTEGER PRIMARY KEY DESC": (
        "CREATE TABLE t(id INTEGER PRIMARY KEY DESC, v)",
        "INSERT INTO t VALUES(1,'one')",
        "INSERT INTO t VALUES(NULL,'no key')",
    ),
    "FTS5": ("CREATE VIRTUAL TABLE f USING fts5(x)", "INSERT INTO f VALUES('hello world')"),
    "FTS5 of the events": (
        "CREATE VIRTUAL TABLE f USING fts5(message, content='events', content_rowid='id');"
        " CREATE TRIGGER fi AFTER INSERT ON events BEGIN"
        " INSERT INTO f(rowid, message) VALUES(new.id, new.message); END",
        EVENT,
    ),
    "RTREE": ("CREATE VIRTUAL TABLE r USING rtree(id,a,b)", "INSERT INTO r VALUES(1,1,2)"),
    "NOCASE key": (KEYED.format("TEXT COLLATE NOCASE PRIMARY KEY", "'a', 1"), "UPDATE t SET k='A'"),
    "RTRIM key": (KEYED.format("TEXT COLLATE RTRIM PRIMARY KEY", "'a', 1"), "UPDATE t SET k='a '"),
    "NOCASE in the key alone": (
        "CREATE TABLE t(k TEXT, v, PRIMARY KEY(k COLLATE NOCASE)) WITHOUT ROWID",
        "INSERT INTO t VALUES('a', 1)",
        "UPDATE t SET k='A'",
    ),
    "NOCASE in the column alone": (
        "CREATE TABLE t(k TEXT COLLATE NOCASE, v, PRIMARY KEY(k COLLATE BINARY)) WITHOUT ROWID",
        "INSERT INTO t VALUES('a', 1), ('A', 2)",
        "UPDATE t SET v=3 WHERE k='A' COLLATE BINARY",
    ),
    "a key of any type": (KEYED.format("PRIMARY KEY", "1, 'x'"), "UPDATE t SET k=1.0"),
    "a whole number that can be a real one": (
        KEYED.format("INTEGER PRIMARY KEY", "-9223372036854775808, 'x'"),
        "UPDATE t SET k=-9223372036854775808.0",
    ),
    "ON CONFLICT IGNORE": (
        UNIQUE.format(" ON CONFLICT IGNORE"),
        ("DELETE FROM t", "INSERT INTO t VALUES(7,'b'),(8,'a')"),
    ),
    "ON CONFLICT ROLLBACK": (
        UNIQUE.format(" ON/**/conflict ROLLBACK"),
        "UPDATE t SET u='x' WHERE id=1",
        "UPDATE t SET u='a' WHERE id=2",
    ),
    "a table named like ours": (
        "CREATE TABLE pra_mine(id INTEGER PRIMARY KEY, v)",
        "INSERT INTO pra_mine VALUES(1,2)",
    ),
    "a view named like ours": ("CREATE VIEW pra_view AS SELECT 1", EVENT),
}
#: The same; the write is refused.
REFUSED_WRITES = {
    "user_version": (T, "PRAGMA user_version=7"),
    "user_version and a row": (T, ("PRAGMA user_version=7", "INSERT INTO t VALUES(1,1)")),
    "application_id": (T, "PRAGMA application_id=77"),
    "auto_vacuum": (T, "PRAGMA auto_vacuum=2"),
    "checks ignored": (
        "CREATE TABLE t(id INTEGER PRIMARY KEY, v CHECK(v > 0))",
        ("PRAGMA ignore_check_constraints=ON", "INSERT INTO t VALUES(1,-1)"),
    ),
    "a counter lowered": (None, "DELETE FROM sqlite_sequence"),
    "a counter raised": (None, "UPDATE sqlite_sequence SET seq=1000"),
    "CREATE TABLE": (None, DDL),
    "CREATE TABLE beside a row": (None, (*DDL, EVENT)),
    "ALTER TABLE": (None, ("ALTER TABLE events ADD COLUMN extra", EVENT)),
    "DROP TABLE": (f"{T}; INSERT INTO t VALUES(1,'old')", "DROP TABLE t"),
    "CREATE INDEX": (T, ("CREATE INDEX i ON t(v)", "INSERT INTO t VALUES(1,1)")),
    "CREATE VIRTUAL TABLE": (None, "CREATE VIRTUAL TABLE f USING fts5(x)"),
    "ANALYZE": (T, "ANALYZE"),
    "ATTACH": (None, "ATTACH ':memory:' AS other"),
    "writable_schema": (
        T,
        ("PRAGMA writable_schema=ON", "UPDATE sqlite_schema SET sql=sql || ' ' WHERE name='t'"),
    ),
}


pytestmark = pytest.mark.usefixtures("unsynced")


def _rows(conn, table):
    """Text and blobs byte by byte: not all that SQLite stores as text is Unicode."""
    names = [name for (name,) in conn.execute("SELECT name FROM pragma_table_xinfo(?)", (table,))]
    quoted = ['"{}"'.format(name.replace('"', '""')) for name in [*names, table]]
    columns = ", ".join(
        f"typeof({name}), CASE WHEN typeof({name}) IN ('text', 'blob') THEN hex({name})"
        f" ELSE {name} END"
        for name in quoted[:-1]
    )
    return sorted(conn.execute(f"SELECT {columns} FROM {quoted[-1]}"), key=repr)


def everything(where):
    """All rows and definitions, and the header's numbers."""
    conn = connect.open_live(os.path.realpath(where.link))
    try:
        listed = conn.execute(
            "SELECT name, sql FROM sqlite_schema WHERE name NOT GLOB 'pra_*' ORDER BY name"
        ).fetchall()
        kept = conn.execute(
            "SELECT name FROM pragma_table_list WHERE schema='main' AND type='table'"
            " AND name NOT GLOB 'pra_*' AND name <> 'sqlite_schema'"
        ).fetchall()
        rows = {name: _rows(conn, name) for (name,) in kept}
        return listed, rows, conn.pragma("user_version"), conn.pragma("application_id")
    finally:
        conn.close()


def work(write):
    """A write of statements, or as it is given."""
    if callable(write):
        return write
    statements = write if isinstance(write, tuple) else (write,)

    def run(conn):
        for statement in statements:
            conn.execute(statement).fetchall()

    return run


@pytest.mark.parametrize("name", EXACT)
def test_what_was_acknowledged_comes_back_exactly(config, where, events, name):
    tables, *writes = EXACT[name]
    events.add("first")
    rewrite(where, tables)
    backup.run(config)
    database = Database(config)
    for write in writes:
        database.write("testing", work(write))
    before = everything(where)
    lose_data(where)
    bring(config)
    assert everything(where) == before


@pytest.mark.parametrize("name", REFUSED_TABLES)
def test_tables_that_cannot_be_followed_are_refused(config, where, events, name):
    tables, *writes = REFUSED_TABLES[name]
    events.add("first")
    rewrite(where, tables)
    before = everything(where)
    for write in writes:
        with pytest.raises(Damaged, match="cannot follow") as written:
            Database(config).write("testing", work(write))
    with pytest.raises(Refused) as backed_up:
        backup.run(config)
    assert backed_up.value.happened == written.value.happened
    assert backed_up.value.next_step == written.value.next_step
    assert everything(where) == before


@pytest.mark.parametrize("name", REFUSED_WRITES)
def test_writes_that_cannot_be_followed_are_refused(config, where, events, name):
    tables, write = REFUSED_WRITES[name]
    events.add("first")
    if tables:
        rewrite(where, tables)
        backup.run(config)
    before = everything(where)
    with pytest.raises(Refused, match="nothing that the journal can follow"):
        Database(config).write("testing", work(write))
    assert everything(where) == before
    assert events.add("later")["id"] == 2


@pytest.mark.parametrize("number", ["user_version", "application_id"])
def test_a_number_of_the_header_that_others_set_needs_a_new_base(config, where, events, number):
    events.add("first")
    rewrite(where, f"PRAGMA {number}=7")
    with pytest.raises(Mismatch, match=number):
        events.add("refused")
    backup.run(config)
    events.add("second")
    before = everything(where)
    lose_data(where)
    bring(config)
    assert everything(where) == before


def test_without_a_journal_there_is_nothing_to_follow(environment, where):
    """A snapshot holds it all."""
    config = settings.load({**environment, "PRA_JOURNAL": "off"})
    SqliteEvents(config).add("first")
    Database(config).write("testing", work("PRAGMA user_version=7"))
    Database(config).write("testing", work(DDL))
    point = backup.run(config)
    before = everything(where)
    lose_data(where)
    bring(config, point.name)
    assert everything(where) == before


def test_a_statement_is_judged_also_where_it_was_prepared_for_a_roll_forward(config, where, events):
    """Bringing in the journal's records sets counters; the same words in a write are refused."""
    events.add("first")
    entry = events._database.pool.checkout("testing")
    conn = entry.conn
    with replay.replaying(conn):
        conn.execute("UPDATE sqlite_sequence SET seq=seq").fetchall()
    with pytest.raises(Refused):
        conn.execute("UPDATE sqlite_sequence SET seq=seq").fetchall()
    entry.close()
