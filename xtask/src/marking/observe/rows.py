"""Says as JSON what a database of the workshop holds, and whether it is sound."""

import json
import sqlite3
import sys


def read(path):
    with open(path, "rb") as file:
        head = file.read(16)
    if head != b"SQLite format 3\x00":
        return {"unsound": "no SQLite database" if head else "an empty file"}
    connection = sqlite3.connect(path, timeout=5)
    connection.execute("PRAGMA trusted_schema = OFF")
    found = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
    if found != "ok":
        return {"unsound": str(found)[:200]}
    tables = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
    names = [name for (name,) in tables]
    for name in sorted(names, key=lambda name: name != "events"):
        quoted = '"' + name.replace('"', '""') + '"'
        columns = connection.execute(f"PRAGMA table_info({quoted})")
        if any(column[1] == "message" for column in columns):
            count = connection.execute(f"SELECT count(*) FROM {quoted}").fetchone()[0]
            rows = connection.execute(f"SELECT message FROM {quoted} LIMIT 200000")
            return {"unsound": None, "rows": count, "messages": [str(row[0]) for row in rows]}
    return {"unsound": "no table with messages"}


try:
    said = read(sys.argv[1])
except (OSError, sqlite3.Error) as error:
    said = {"unsound": f"{type(error).__name__}: {error}"}
print(json.dumps(said))
