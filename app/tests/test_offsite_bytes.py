"""Whatever lies in a store, nothing that reads it crashes, and no name leaves its folder."""

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as limits
from hypothesis import strategies as st
from offsite_helpers import copying, new_keys

from pra.base import offsite_place, sealing
from pra.base.errors import Damaged, PraError
from pra.offsite import copies, crypt, names, stores

#: A loaded machine takes its time.
LIMITS = limits(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
MAC = st.text("0123456789abcdef", min_size=64, max_size=64)
NUMBER = st.integers(0, 999_999_999)
NAMES = st.one_of(
    st.builds(names.Record, NUMBER, MAC),
    st.builds(names.PointName, NUMBER, NUMBER, MAC),
    st.builds(names.ChunkName, MAC),
    st.builds(
        lambda timeline, first, start, length, mac: names.Piece(
            timeline, first, start, start + length, mac
        ),
        *(NUMBER, NUMBER, NUMBER, st.integers(1, names.CHUNK), MAC),
    ),
)


@given(NAMES)
@LIMITS
def test_a_name_is_read_as_it_was_written(name):
    assert names.parse(names.text_of(name)) == name


@given(st.text("abcdef0123456789-./agejourntlimspchk\n\0é", max_size=200))
@LIMITS
def test_any_text_is_a_name_of_ours_or_none(text):
    found = names.parse(text)
    assert found is None or names.text_of(found) == text
    assert ".." not in text or found is None
    names.split(text)


@given(NAMES, st.sampled_from(["", " ", "\n", "/", "../", "0"]), st.booleans())
@LIMITS
def test_what_is_added_to_a_name_makes_it_none_or_another(name, more, before):
    text = names.text_of(name)
    changed = more + text if before else text + more
    assert changed == text or names.parse(changed) != name


@given(st.text(max_size=100) | st.text(max_size=60).map(lambda text: f"s3://{text}"))
@LIMITS
def test_any_text_is_a_place_or_refused(text):
    try:
        place = offsite_place.parse(text)
    except ValueError:
        return
    assert (place.folder is None) != (place.bucket is None)


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    """A key, and what encrypts for it."""
    keys = new_keys(tmp_path_factory.mktemp("keys") / "key")
    return keys, crypt.Recipients([keys.public])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
)
FORGED = st.dictionaries(
    st.sampled_from(["kind", "format", "lineage", "id", "manifest", "chunks", "number"]),
    JSON | st.sampled_from(["pra-offsite", 1]),
)


@given(st.binary(max_size=300) | FORGED, st.booleans())
@LIMITS
def test_whoever_has_the_public_key_makes_nothing_but_errors(
    config, opened, tmp_path, content, encrypted
):
    keys, recipients = opened
    folder = tmp_path / "elsewhere"
    folder.mkdir(exist_ok=True)
    copied = copying(config, folder, keys)
    raw = sealing.seal(content) if isinstance(content, dict) else content
    history = names.Key("a" * 32, "b" * 32).history
    path = folder / history / names.ABOUT
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(recipients.encrypt(raw) if encrypted else raw)
    (one,) = copies.histories(stores.of(copied))
    with pytest.raises(Damaged):
        copies.Reader(stores.of(copied), keys.identity, one.history)


@given(st.binary(max_size=300) | FORGED)
@LIMITS
def test_an_object_of_another_content_is_refused_whatever_it_is(config, opened, tmp_path, content):
    keys, recipients = opened
    folder = tmp_path / "elsewhere"
    folder.mkdir(exist_ok=True)
    store = stores.of(copying(config, folder, keys))
    key = names.Key("a" * 32, "b" * 32)
    about = {"kind": "pra-offsite", "format": 1, "lineage": "a" * 32, "id": "b" * 32}
    store.put(f"{key.history}/{names.ABOUT}", recipients.encrypt(sealing.seal(about)))
    reader = copies.Reader(store, keys.identity, key.history)
    raw = sealing.seal(content) if isinstance(content, dict) else content
    for name in (names.PointName(1, 1, "0" * 64), names.ChunkName("0" * 64)):
        path = folder / key.history / names.text_of(name)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(recipients.encrypt(raw))
        with pytest.raises(PraError):
            reader.content(name)
