"""What tests of the copies elsewhere share: keys, labs with copies, what comes back."""

import io
from typing import NamedTuple

import pytest
from helpers import Crash, rows
from together import Asked

from pra.base import offsite_place, settings
from pra.disk import files
from pra.offsite import check, crypt, fetch, push, stores
from pra.offsite.fetch import Asking
from pra.pitr.targets import Goal
from pra.points import archive
from pra.recovery import restore


class Keys(NamedTuple):
    """A pair of keys: the file of the private one, and the public one."""

    file: str
    public: str

    @property
    def identity(self):
        """The private key."""
        return crypt.read_identity(self.file)


def new_keys(path):
    """A pair of keys in a new file."""
    return Keys(str(path), crypt.make_identity(str(path)))


def copying(config, place, *keys, **more):
    """Settings that copy to a place for keys."""
    public = tuple(one.public for one in keys)
    place = offsite_place.parse(str(place))
    return config._replace(offsite=place, offsite_recipients=public, **more)


def pushed(config, every=False):
    """Push, all of it; returns what was done."""
    done = push.run(config, every)
    assert done["faults"] == []
    return done


def pushed_at_once(config, count):
    """What so many pushes at the same time did, none of which may fail."""
    asked = [Asked(lambda: push.run(config)) for _ in range(count)]
    assert [one.end().error for one in asked] == [None] * count
    return [one.result for one in asked]


def fetched(config, keys, target="latest", history=None):
    """The bytes of the exported copy that the copies lead to, and the answer."""
    out = io.BytesIO()
    answer = fetch.run(config, Asking(keys.identity, target, history), out)
    return out.getvalue(), answer


def rows_of(copy, folder):
    """The rows of an exported copy, adopted by a lab of its own in an empty folder."""
    for name in ("data", "backup"):
        (folder / name).mkdir(parents=True)
    config = settings.load(
        {"PRA_DATA_DIR": str(folder / "data"), "PRA_BACKUP_DIR": str(folder / "backup")}
    )
    goal = Goal("the copy", copy=archive.Copy(io.BytesIO(copy)))
    restore.run(config, lambda where, known: goal)
    return rows(config.layout)


def checked(config, keys, every=True, history=None):
    """What ``verify`` finds."""
    return check.run(config, Asking(keys.identity, "latest", history), every)


def objects_of(config):
    """Every object by name, with its content; without those that are nothing but a name."""
    store = stores.of(config)
    encrypted = [name for name in store.sizes("") if "/readers/" not in name]
    return {name: next(store.versions(name, 1 << 30)) for name in encrypted}


def steps_of(act):
    """How many file operations of the store an act takes, each before and after."""
    count = 0

    def hook(phase, operation, arguments):
        nonlocal count
        count += 1

    files.hook = hook
    try:
        act()
    finally:
        files.hook = None
    return count


def killed_at(step, act):
    """Die at the file operation of that number."""
    left = step

    def hook(phase, operation, arguments):
        nonlocal left
        left -= 1
        if left < 0:
            raise Crash

    files.hook = hook
    try:
        with pytest.raises(Crash):
            act()
    finally:
        files.hook = None
