import re
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from pra.base import settings
from pra.base.errors import UsageError

ROOT = Path(__file__).resolve().parents[2]
MANIFESTS = sorted([*ROOT.glob("k8s/*.yaml"), *ROOT.glob("pra/*.yaml")])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PRA_JOURNAL", "on"),
        ("PRA_WORKERS", "0"),
        ("PRA_THREADS", "many"),
        ("PRA_SUSPECT_PERCENT", "101"),
        ("PORT", "65536"),
        ("PRA_DATA_DIR", "data"),
        ("PRA_BACKUP_DIR", "/data"),
        ("PRA_DATA_MIB", "1Gi"),
    ],
)
def test_a_bad_value_is_named_with_what_is_allowed(name, value):
    with pytest.raises(UsageError) as failure:
        settings.load({name: value})
    assert name in str(failure.value)
    assert repr(value) in str(failure.value)
    assert "allowed" in str(failure.value)


def test_what_is_kept_has_to_leave_room_on_its_volume():
    sizes = {"PRA_BACKUP_MIB": "512", "PRA_KEEP_MIB": "512"}
    with pytest.raises(UsageError, match="PRA_KEEP_MIB is '512'.*less than PRA_BACKUP_MIB"):
        settings.load(sizes)
    assert settings.load({**sizes, "PRA_BACKUP_MIB": "0"}).layout.backup_bytes is None
    assert settings.load({**sizes, "PRA_KEEP_MIB": "511"}).layout.backup_bytes == 512 << 20


def documents():
    return [
        (path.name, document)
        for path in MANIFESTS
        for document in yaml.safe_load_all(path.read_text())
    ]


@pytest.mark.parametrize(("name", "document"), documents(), ids=[n for n, _ in documents()])
def test_manifests_follow_the_schema(name, document):
    kubernetes_validate.validate(document, "1.34", strict=True)


def test_manifests_and_settings_know_the_same_names():
    in_manifests = set()
    for path in MANIFESTS:
        in_manifests |= set(re.findall(r"\bPRA_[A-Z_]+\b", path.read_text()))
    in_settings = set(re.findall(r'"(PRA_[A-Z_]+)"', Path(settings.__file__).read_text()))
    assert in_manifests == in_settings


def test_the_config_map_is_accepted():
    (config,) = (d for name, d in documents() if name == "05-config.yaml")
    settings.load(config["data"])


def test_the_volumes_are_held_to_what_their_claims_ask_for():
    found = [document for _, document in documents()]
    (config,) = (one["data"] for one in found if one["kind"] == "ConfigMap")
    claims = {
        one["metadata"]["name"]: one["spec"]["resources"]["requests"]["storage"]
        for one in found
        if one["kind"] == "PersistentVolumeClaim"
    }
    layout = settings.load(config).layout
    sizes = {"pra-data": layout.data_bytes, "pra-backup": layout.backup_bytes}
    assert claims == {name: f"{size >> 30}Gi" for name, size in sizes.items()}
    assert all(size % (1 << 30) == 0 for size in sizes.values())
