"""A folder of which only changes are read says what a whole listing says."""

import os
import shutil

import helpers
from hypothesis import given, settings
from hypothesis import strategies as st

from pra.base.layout import Layout
from pra.disk import listing, space
from pra.disk.listing import Listing, Sizes
from pra.points import catalogue
from pra.points.watched import Watched
from pra.protect import backup

NAMES = ("a", "b", "c", "d/e", "d/f")


def change(root, kind, name, other):
    path, second = root / name, root / other
    if kind == "remove":
        path.unlink(missing_ok=True)
    elif kind == "folder":
        shutil.rmtree(root / "d")
        (root / "d").mkdir()
    elif kind == "link":
        if path.exists() and not second.exists():
            os.link(path, second)
    else:
        with path.open("ab") as file:
            file.write(bytes(7))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(("grow", "remove", "link", "folder")),
            st.sampled_from(NAMES),
            st.sampled_from(NAMES),
        ),
        max_size=25,
    )
)
def test_the_sizes_are_those_of_a_whole_count(tmp_path_factory, changes):
    root = tmp_path_factory.mktemp("sizes")
    (root / "d").mkdir()
    sizes, layout = Sizes(str(root)), Layout(str(root), "/nowhere")
    for one in changes:
        change(root, *one)
        assert sizes.sum() == space.of(layout, layout.data).used


def test_a_file_that_changes_in_place_is_seen_within_some_looks(tmp_path, monkeypatch):
    monkeypatch.setattr(listing, "LEAST", 1)
    for number in range(40):
        (tmp_path / f"{number}").write_bytes(b"x")
    watched = Listing(str(tmp_path))
    assert len(watched.look()) == 40
    for _ in range(2 * listing.LOOKS):
        watched.look()
    os.truncate(tmp_path / "17", 0)
    looks = 1
    while "17" not in watched.look():
        looks += 1
        assert looks <= listing.LOOKS + 1
    assert watched.entries["17"].size == 0


def test_another_folder_in_its_place_is_read_anew(tmp_path, monkeypatch):
    monkeypatch.setattr(listing, "LEAST", 1)
    for folder, content in (("one", b"x"), ("two", b"xxx")):
        (tmp_path / folder).mkdir()
        for number in range(40):
            (tmp_path / folder / f"{number}").write_bytes(content)
    watched = Listing(str(tmp_path / "one"))
    watched.look()
    shutil.rmtree(tmp_path / "one")
    os.rename(tmp_path / "two", tmp_path / "one")
    assert len(watched.look()) == 40
    assert {one.size for one in watched.entries.values()} == {3}


def test_the_points_are_those_of_a_whole_scan(events, config, where, tmp_path):
    watched = Watched(where)

    def same():
        assert watched.scan() == catalogue.scan(where)

    same()
    names = []
    for _ in range(3):
        helpers.add(events, 2)
        names.append(backup.run(config).name)
        same()
    os.truncate(where.point(names[0]), 10)
    same()
    os.remove(where.manifest(names[1]))
    same()
    os.remove(where.point(names[1]))
    same()
    os.mkdir(where.point("app-5.db"))
    (tmp_path / "backup" / "app-7.db").write_bytes(b"made by hand")
    same()
    helpers.overwrite(where.manifest(names[2]), b"{}")
    same()
    catalogue.remove(where, [names[2]])
    same()


def test_points_are_judged_anew_where_the_volume_gets_another_mark(events, config, where):
    helpers.add(events, 2)
    backup.run(config)
    watched = Watched(where)
    assert [point.status for point in watched.scan()] == ["verified"]
    for copy in (".pra", ".pra-copy"):
        os.remove(f"{where.backup}/{copy}/volume.json")
    assert watched.scan() == catalogue.scan(where)
