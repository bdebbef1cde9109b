import json

import pytest
from conftest import pra

from pra.base import clock, sealing
from pra.base.errors import Refused, UsageError
from pra.points import catalogue, verify
from pra.protect import backup


def sealed(where, of, **changes):
    """Write a manifest with a valid seal."""
    content = {
        "format": 1,
        "serial": 1,
        "created": "2026-01-01T00:00:00Z",
        "created_epoch": 1_767_225_600,
        "created_time": 1_767_225_600.5,
        "name": of,
        "bytes": 3,
        "sha256": "00",
        "status": "verified",
        "reason": None,
        "rows": 1,
        "max_id": 1,
        "position": None,
        **changes,
    }
    with open(where.manifest(of), "wb") as file:
        file.write(sealing.seal(content))


def file_of(where, name, content=b"abc"):
    with open(where.point(name), "wb") as file:
        file.write(content)


@pytest.mark.parametrize(
    "changes",
    [
        {"format": 2},
        {"name": "app-2.db"},
        {"status": "fine"},
        {"rows": "1"},
        {"bytes": 4},
        {"position": "here"},
    ],
)
def test_a_wrong_manifest_makes_a_damaged_point(where, changes):
    file_of(where, "app-1.db")
    sealed(where, "app-1.db", **changes)
    (point,) = catalogue.scan(where)
    assert point.status == "damaged"
    assert point.reason


def test_an_edited_manifest_is_noticed(config, where, events):
    events.add("x")
    point = backup.run(config)
    path = where.manifest(point.name)
    with open(path, "rb") as file:
        raw = file.read()
    for index in range(len(raw)):
        with open(path, "wb") as file:
            file.write(raw[:index] + bytes([raw[index] ^ 1]) + raw[index + 1 :])
        assert catalogue.scan(where)[0].status == "damaged", index
    for length in range(len(raw)):
        with open(path, "wb") as file:
            file.write(raw[:length])
        assert catalogue.scan(where)[0].status == "damaged", length


def test_a_manifest_without_its_file_is_damaged(where):
    sealed(where, "app-1.db")
    (point,) = catalogue.scan(where)
    assert (point.status, point.bytes) == ("damaged", 0)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "../app-1.db",
        "app-1.db\n",
        "app-.db",
        "--force",
        "app-1.json",
        "app-1.db/",
        "app-\u0661.db",
    ],
)
def test_a_name_smuggles_nothing(where, name):
    with pytest.raises(UsageError):
        catalogue.find(catalogue.scan(where), name)


def test_a_point_that_is_not_there(where):
    with pytest.raises(Refused):
        catalogue.find(catalogue.scan(where), "app-1.db")


def test_foreign_points_stand_where_their_time_says(where):
    for serial, epoch in ((1, 100), (2, 300)):
        name = f"app-{epoch}.db"
        file_of(where, name)
        sealed(where, name, serial=serial, created_epoch=epoch)
    for epoch in (50, 200, 400):
        file_of(where, f"app-{epoch}.db")
    assert [point.epoch for point in catalogue.scan(where)] == [400, 300, 200, 100, 50]


def test_verify_finds_every_flipped_byte(config, where, events):
    events.add("x")
    point = backup.run(config)
    path = where.point(point.name)
    with open(path, "rb") as file:
        raw = bytearray(file.read())
    for index in range(0, len(raw), 97):
        raw[index] ^= 1
        with open(path, "wb") as file:
            file.write(raw)
        raw[index] ^= 1
        assert verify.check_all(where, [])["points"][0]["reason"]


def test_ten_thousand_points_are_listed(where, environment):
    for serial in range(10_000):
        name = f"app-{1_700_000_000 + serial}.db"
        file_of(where, name)
        sealed(where, name, serial=serial, created_epoch=1_700_000_000 + serial)
    done = pra(environment, "points", "--json")
    listing = json.loads(done.stdout)
    assert len(listing["points"]) == 10_000
    assert listing["latest"] == "app-1700009999.db"


def test_listing_shape(config, where, events):
    events.add("x")
    listed = backup.run(config).as_dict(clock.now())
    assert list(listed) == [
        "name",
        "created",
        "created_epoch",
        "age_seconds",
        "rows",
        "max_id",
        "bytes",
        "sha256",
        "status",
        "reason",
        "position",
    ]
