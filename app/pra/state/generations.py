"""Building the folder of a generation, under another name until it is whole."""

import os
from typing import NamedTuple

from pra.base.layout import Layout
from pra.disk import files, look
from pra.sql import connect, keys, schema


class Built(NamedTuple):
    """What a new generation holds, and where its history begins."""

    position: schema.Position
    rows: int
    max_id: int | None


def folder(where: Layout, number: int) -> str:
    """Make the folder to build a generation in, empty; returns the path of its database to be."""
    path = where.building(number)
    files.remove_tree(path)
    files.make_directory(path)
    return f"{path}/app.db"


def create_empty(where: Layout, lineage: str, number: int) -> schema.Position:
    """Build a generation that holds an empty database; returns where its history begins."""
    path = folder(where, number)
    write_empty(path)
    return finish(path, lineage, number, seq=0, highest_id=0).position


def write_empty(path: str) -> None:
    """Create a database without rows."""
    conn = connect.open_new(path)
    try:
        schema.create(conn)
    finally:
        conn.close()


def finish(
    path: str, lineage: str, number: int, seq: int, highest_id: int, rows: int | None = None
) -> Built:
    """Give a built database its place in history and make it durable.

    Args:
        path: the database, which nobody else has opened.
        lineage, number: history and timeline that it begins.
        seq: number of the last transaction of the timeline's past.
        highest_id: the highest id that was ever given out.
        rows: how many it holds, where that is known.
    """
    with connect.errors(f"building {path}"):
        conn = connect.open_new(path)
        try:
            if not connect.has_checksums(conn):
                # Made by hand, or by a version that knew nothing of them.
                connect.give_checksums(conn)
            conn.execute("BEGIN IMMEDIATE")
            if keys.addable(conn):
                # Made by an earlier version. The replay of what follows adds the same.
                keys.add(conn)
            here = schema.install(conn, lineage, number, seq, rows)
            schema.raise_sequences(conn, {"events": highest_id})
            max_id = schema.highest(conn)
            conn.execute("COMMIT")
            connect.use_log(conn)
        finally:
            conn.close()
    for name in look.names(os.path.dirname(path)):
        files.sync_file(f"{os.path.dirname(path)}/{name}")
    files.fsync_directory(os.path.dirname(path))
    return Built(here, here.start_rows, max_id)
