"""Counts what a scenario claims, from its ledger and the database alone.

usage: independent_count.py LEDGER DATABASE

Shares no code with the task runner or the application: the standard library's
own SQLite reads the file. Prints one JSON document.
"""

import json
import sqlite3
import sys

ledger, database = sys.argv[1:]
acknowledged, sent = [], {}
with open(ledger, encoding="utf-8") as lines:
    for line in lines:
        entry = json.loads(line)
        if entry["event"] == "sent":
            sent[entry["n"]] = entry["message"]
        elif entry["event"] == "ended" and "acknowledged" in entry["outcome"]:
            answer = entry["outcome"]["acknowledged"]
            acknowledged.append((answer["id"], answer["timestamp"], sent[entry["n"]]))

with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
    rows = connection.execute("SELECT id, ts, message FROM events").fetchall()

present, promised = set(rows), set(acknowledged)
prefix = next(iter(sent.values())).rsplit("-", 1)[0]
lost = sorted(row[0] for row in acknowledged if row not in present)
extra = [row for row in rows if row not in promised and row[2].startswith(prefix)]
answered = {message for _, _, message in acknowledged}
in_doubt = [row for row in extra if row[2] in set(sent.values()) - answered]
print(
    json.dumps(
        {
            "acknowledged": len(acknowledged),
            "lost": len(lost),
            "lost_ids": lost,
            "rows": len(rows),
            "in_doubt": len(in_doubt),
            "unknown": len(extra) - len(in_doubt),
        }
    )
)
