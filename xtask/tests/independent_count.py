"""Counts what a scenario claims, from its ledger and the database alone.

usage: independent_count.py LEDGER DATABASE

Shares no code with the task runner or the application: the standard library's
own SQLite reads the file. Prints one JSON document. A row is changed where its
id holds what nobody was promised, lost where its id holds nothing or another
promised row.
"""

import json
import sqlite3
import sys

ledger, database = sys.argv[1:]
acknowledged, sent, moments, failed = [], {}, [], 0
with open(ledger, encoding="utf-8") as lines:
    for line in lines:
        entry = json.loads(line)
        if entry["event"] == "sent":
            sent[entry["n"]] = entry["message"]
            moments.append(entry["at"])
        elif entry["event"] == "ended" and "acknowledged" in entry["outcome"]:
            answer = entry["outcome"]["acknowledged"]
            acknowledged.append((answer["id"], answer["timestamp"], sent[entry["n"]]))
        elif entry["event"] == "ended":
            failed += 1

with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
    rows = connection.execute("SELECT id, ts, message FROM events").fetchall()

present, promised = set(rows), set(acknowledged)
by_id = {row[0]: row for row in rows}
prefix = next(iter(sent.values())).rsplit("-", 1)[0]
missing = [row for row in acknowledged if row not in present]
changed = [row for row in missing if row[0] in by_id and by_id[row[0]] not in promised]
lost = sorted(row[0] for row in missing if row not in changed)
promised_ids = {row[0] for row in acknowledged}
extra = [row for row in rows if row[0] not in promised_ids and row[2].startswith(prefix)]
answered = {message for _, _, message in acknowledged}
in_doubt = [row for row in extra if row[2] in set(sent.values()) - answered]
moments.sort()
print(
    json.dumps(
        {
            "requests": len(sent),
            "failed": failed,
            "resolution": max(b - a for a, b in zip(moments, moments[1:])),
            "acknowledged": len(acknowledged),
            "lost": len(lost),
            "lost_ids": lost,
            "changed_ids": sorted(row[0] for row in changed),
            "rows": len(rows),
            "in_doubt": len(in_doubt),
            "unknown": len(extra) - len(in_doubt),
        }
    )
)
