"""Counts what a scenario claims, from its ledger and the database alone.

usage: independent_count.py LEDGER DATABASE DISASTER

Shares no code with the task runner or the application: the standard library's
own SQLite reads the file. Prints one JSON document. A row is changed where its
id holds what nobody was promised, lost where its id holds nothing or another
promised row. The service was away from the sending of the first request that
failed after DISASTER, a moment of the ledger, to the first acknowledged write
that is there and was sent when no request failed any more; a request that was sent
again failed each time but the last.
"""

import json
import sqlite3
import sys

ledger, database, disaster = sys.argv[1], sys.argv[2], float(sys.argv[3])
acknowledged, sent, moments, failed = [], {}, [], 0
sending, failures, kept = {}, [], []
with open(ledger, encoding="utf-8") as lines:
    for line in lines:
        entry = json.loads(line)
        if entry["event"] == "sent":
            sent[entry["n"]] = entry["message"]
            sending[entry["n"]] = entry["at"]
            moments.append(entry["at"])
        elif entry["event"] == "ended" and "acknowledged" in entry["outcome"]:
            answer = entry["outcome"]["acknowledged"]
            acknowledged.append((answer["id"], answer["timestamp"], sent[entry["n"]]))
            began = entry.get("last_sent", sending[entry["n"]])
            kept.append((acknowledged[-1], began, entry["at"]))
        elif entry["event"] == "ended":
            failed += 1
            failures.append((entry.get("last_sent", sending[entry["n"]]), entry["at"]))
        elif entry["event"] == "attempt":
            failures.append((entry["sent"], entry["at"]))
        elif entry["event"] == "read" and "failed" in entry["seen"]:
            failures.append((entry["sent"], entry["at"]))

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
away = [began for began, ended in failures if ended >= disaster]
back = [ended for row, began, ended in kept if away and began >= max(away) and row in present]
print(
    json.dumps(
        {
            "requests": len(sent),
            "failed": failed,
            "resolution": max(b - a for a, b in zip(moments, moments[1:])),
            "away": min(back) - min(away) if back else None,
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
