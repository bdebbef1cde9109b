"""Volumes as versions before the keys of requests left them, and what those versions did."""

import contextlib
import os
from unittest import mock

from pra.sql import connect, keys


@contextlib.contextmanager
def version():
    """The application knows of no table of keys meanwhile: it neither makes nor uses one."""
    with (
        mock.patch.object(keys, "addable", lambda conn: False),
        mock.patch.object(keys, "there", lambda conn: False),
    ):
        yield


def definitions(where):
    """Whether the current database has the table of keys, and nothing but that by its name."""
    conn = connect.open_live(os.path.realpath(where.link))
    try:
        return keys.there(conn)
    finally:
        conn.close()
