"""Pourquoi `cp` ne restaure pas une base ouverte : il réussit, et rien n'est revenu.

L'application vient d'ouvrir une base neuve et enregistre une ligne ; au même moment, la
restauration copie la sauvegarde par-dessus. L'application écrit ensuite ses propres pages,
dont la première, qui dit ce que contient le fichier : le reste n'existe plus pour personne.
"""

import sqlite3
import tempfile
from pathlib import Path

TABLE = "CREATE TABLE IF NOT EXISTS events (id INTEGER PRIMARY KEY, message TEXT)"
INSERT = "INSERT INTO events (message) VALUES (?)"


def lines(path: Path) -> int:
    return sqlite3.connect(path).execute("SELECT count(*) FROM events").fetchone()[0]


with tempfile.TemporaryDirectory() as folder:
    saved, live = Path(folder, "sauvegarde.db"), Path(folder, "app.db")
    with sqlite3.connect(saved) as conn:
        conn.execute(TABLE)
        conn.executemany(INSERT, [(f"message {n}",) for n in range(3000)])
    print(f"sauvegarde : {lines(saved)} lignes")

    application = sqlite3.connect(live, isolation_level=None)
    application.execute("BEGIN IMMEDIATE")
    application.execute(TABLE)
    application.execute(INSERT, ("première ligne de la base neuve",))
    live.write_bytes(saved.read_bytes())  # cp sauvegarde.db app.db
    application.execute("COMMIT")
    application.close()

    found = sqlite3.connect(live).execute("PRAGMA integrity_check").fetchone()[0]
    print(f"après cp : {lines(live)} ligne, integrity_check : {found}")
