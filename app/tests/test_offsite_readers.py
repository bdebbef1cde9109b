"""For whom the copies are encrypted: each of the keys opens all of them."""

import shutil

import pytest
from helpers import rows
from offsite_helpers import copying, fetched, new_keys, pushed, rows_of

from pra.base.errors import Refused, StorageError
from pra.events.sqlite import SqliteEvents
from pra.offsite import copies, push, stores
from pra.offsite.folder import FolderStore
from pra.offsite.ship import Shipper
from pra.state import copied as state


@pytest.fixture
def other(tmp_path):
    """A second pair of keys."""
    return new_keys(tmp_path / "other-key")


@pytest.fixture
def place(tmp_path):
    """A folder for copies."""
    (tmp_path / "elsewhere").mkdir(exist_ok=True)
    return tmp_path / "elsewhere"


def test_a_key_that_would_open_what_comes_alone_is_refused(
    config, where, added, keys, other, place, tmp_path
):
    first = copying(config, place, keys)
    pushed(first)
    before = copies.histories(stores.of(first))[0].sizes
    SqliteEvents(first).add("more")
    for changed in ([other], [keys, other]):
        with pytest.raises(Refused, match="for other keys") as refused:
            push.run(copying(config, place, *changed))
        assert "--anew" in refused.value.next_step
    assert copies.histories(stores.of(first))[0].sizes == before, "nothing was sent"
    Shipper(copying(config, place, other)).turn()
    assert "for other keys" in state.read(where).what
    # With the earlier key it goes on, and begun anew for the new one.
    pushed(first)
    assert fetched(first, keys)[1]["rows"] == 6
    changed = copying(config, place, other)
    done = push.run(changed, anew=True)
    copy, _ = fetched(changed, other, history=done["history"])
    assert rows_of(copy, tmp_path / "new") == rows(where)


def test_a_key_that_is_left_out_is_refused_as_one_more_is(config, added, keys, other, place):
    """It would open nothing of what comes, which nobody would notice before it is needed."""
    both = copying(config, place, keys, other)
    pushed(both)
    with pytest.raises(Refused, match="for other keys"):
        push.run(copying(config, place, other))
    SqliteEvents(both).add("more")
    pushed(both)
    for key in (keys, other):
        assert fetched(both, key)[1]["rows"] == 6


def test_whoever_fails_to_begin_has_said_for_whom(config, added, keys, other, place, monkeypatch):
    """A first attempt that ends after any object leaves none of unknown keys."""
    put, left = FolderStore.put, [0]

    def failing(self, name, data):
        done = put(self, name, data)
        left[0] -= 1
        if not left[0]:
            raise StorageError("copying", "it broke off", "try again")
        return done

    monkeypatch.setattr(FolderStore, "put", failing)
    for sent in (1, 2, 3):
        (place / str(sent)).mkdir()
        left[0] = sent
        with pytest.raises(StorageError):
            push.run(copying(config, place / str(sent), keys))
        with pytest.raises(Refused, match="for other keys"):
            push.run(copying(config, place / str(sent), other))
        pushed(copying(config, place / str(sent), keys))


def test_copies_that_do_not_say_for_whom_are_added_to_where_somebody_says_so(
    config, where, added, keys, place
):
    """As those of earlier versions, or where somebody removed it."""
    copied = copying(config, place, keys)
    pushed(copied)
    shutil.rmtree(next(place.glob("*/readers")))
    SqliteEvents(copied).add("more")
    with pytest.raises(Refused, match="do not say") as refused:
        push.run(copied)
    assert "--same-keys" in refused.value.next_step
    Shipper(copied).turn()
    assert "do not say for which keys" in state.read(where).what
    assert push.run(copied, same_keys=True)["status"] == "pushed"
    pushed(copied)
    assert fetched(copied, keys)[1]["rows"] == 6


def test_that_word_is_not_for_copies_that_say_it(config, added, keys, other, place):
    pushed(copying(config, place, keys))
    with pytest.raises(Refused, match="for other keys"):
        push.run(copying(config, place, other), same_keys=True)


def test_a_note_of_somebody_who_has_the_bucket_alone_stops_nobody(config, added, keys, place):
    copied = copying(config, place, keys)
    pushed(copied)
    notes = next(place.glob("*/readers"))
    (notes / "-".join(one * 64 for one in "01")).write_text("")
    pushed(copied)


def test_what_is_refused_is_not_looked_at_as_a_whole_again_and_again(
    config, added, keys, other, place, monkeypatch
):
    pushed(copying(config, place, keys))
    asked, sizes = [], FolderStore.sizes

    def noting(self, prefix, hidden=False):
        asked.append(prefix)
        return sizes(self, prefix, hidden)

    monkeypatch.setattr(FolderStore, "sizes", noting)
    Shipper(copying(config, place, other)).turn()
    assert asked and all("/about.age" in one or "/readers/" in one for one in asked)


def test_the_same_keys_in_another_order_are_the_same(config, added, keys, other, place):
    pushed(copying(config, place, keys, other))
    pushed(copying(config, place, other, keys, keys))
    assert len(list(place.glob("*/readers/*"))) == 1
