"""Multiplies the newest restore point of a backup volume.

usage: many_points.py BACKUP_DIR COUNT

Each copy is a hard link to the same database with a sound manifest of its own,
as if each had been made a minute before the one that was the oldest.
"""

import os
import sys

from pra.base import clock, sealing
from pra.points import manifest

folder, count = sys.argv[1], int(sys.argv[2])
names = [name for name in os.listdir(folder) if name.startswith("app-") and name.endswith(".json")]
newest = max(names)
with open(os.path.join(folder, newest), "rb") as file:
    content = manifest.decode(file.read(), newest.removesuffix(".json") + ".db")
content.pop("seal", None)
source = os.path.join(folder, content["name"])
first = min(int(name[4:-5]) for name in names)
for number in range(1, count + 1):
    epoch = first - 60 * number
    name = f"app-{epoch}"
    copy = {
        **content,
        "name": f"{name}.db",
        "created_epoch": epoch,
        "created": clock.rfc3339(epoch),
        "serial": content["serial"] + number,
    }
    os.link(source, os.path.join(folder, f"{name}.db"))
    with open(os.path.join(folder, f"{name}.json"), "wb") as file:
        file.write(sealing.seal(copy))
