"""Writes in threads of their own that come to share one transaction."""

import contextlib
import threading

from helpers import rows, until

from pra.disk import locks


class Asked:
    """A write in a thread of its own, and what came of it."""

    def __init__(self, act):
        self.result = self.error = None
        self._thread = threading.Thread(target=self._run, args=(act,), daemon=True)
        self._thread.start()

    def _run(self, act):
        try:
            self.result = act()
        except BaseException as error:
            self.error = error

    def end(self):
        self._thread.join(30)
        assert not self._thread.is_alive(), "it waits for ever"
        return self


@contextlib.contextmanager
def together(where, events, *acts):
    """Start writes while somebody holds the writer lock, so that all share one transaction."""
    asked, waits = [], events._database.group
    with locks.writer(where, "holding them up"):
        for number, act in enumerate(acts):
            asked.append(Asked(act))
            until(lambda number=number: waits._leader and waits.waiting == number)
    for one in asked:
        one.end()
    yield asked
    assert waits._leader is None and not waits.waiting
    assert events.add("goes on")["id"]


def adding(events, message):
    return lambda: events.add(message)


def writing(events, work):
    return lambda: events._database.write("testing", work)


def insert(conn, message):
    conn.execute("INSERT INTO events(ts, message) VALUES('t', ?)", (message,))
    return conn.last_insert_rowid()


def messages(where):
    return [row[2] for row in rows(where)]
