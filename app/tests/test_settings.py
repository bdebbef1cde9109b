import re
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from pra.base import settings
from pra.base.errors import UsageError
from pra.postgres.target import Target

ROOT = Path(__file__).resolve().parents[2]
MANIFESTS = sorted([*ROOT.glob("k8s/*.yaml"), *ROOT.glob("pra/*.yaml")])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PRA_JOURNAL", "on"),
        ("PRA_THREADS", "0"),
        ("PRA_THREADS", "many"),
        ("PRA_SUSPECT_PERCENT", "101"),
        ("PORT", "65536"),
        ("PRA_PROBE_PORT", "65536"),
        ("PRA_PROBE_PORT", ""),
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
    for path in [*MANIFESTS, *ROOT.glob("ha/*.yaml")]:
        in_manifests |= set(re.findall(r"\bPRA_[A-Z_]+\b", path.read_text()))
    in_settings = set(re.findall(r'"(PRA_[A-Z_]+)"', Path(settings.__file__).read_text()))
    assert in_manifests == in_settings


def test_the_config_map_is_accepted():
    (config,) = (d for name, d in documents() if name == "05-config.yaml")
    settings.load(config["data"])


def test_the_config_map_of_the_replicated_database_names_no_volume():
    config = yaml.safe_load((ROOT / "ha/05-config.yaml").read_text())
    url = {"PRA_DATABASE_URL": "postgresql://app:pw@pg-rw.ha:5432/app"}
    assert settings.load({**config["data"], **url}).database_url
    with pytest.raises(UsageError, match="PRA_DATABASE_URL says that PostgreSQL.*PRA_DATA_DIR"):
        settings.load({**url, "PRA_DATA_DIR": "/data"})


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("mysql://app:hidden-word@h/app", "begin with postgresql://"),
        ("host=h password=hidden-word", "space"),
        ("postgresql://app:hidden-word@h", "names no database"),
        ("postgresql://app:hidden-word/x@h:5432/app", "an @ stands"),
        ("postgresql://app:hidden-word@h:many/app", "port is no number"),
        ("postgresql://app:hidden-word@[::1/app", "host"),
        ("postgresql://app:half@hidden-word@h/app", "an @ stands"),
        ("postgresql://app:12/hidden-word@h/app", "an @ stands"),
        ("postgresql://app:12/half/hidden-word", "a # or / stands"),
        ("postgresql://app:12/a?hidden-word@h/app", "an @ stands"),
        ("postgresql://app:a#hidden-word@h/app", "a # or / stands"),
        ("postgresql://app:hidden-word%zz@h/app", "hexadecimal"),
        ("postgresql://app:hidden-word%ff@h/app", "UTF-8"),
        ("postgresql://app:hidden-word%00@h/app", "hexadecimal"),
        ("postgresql://app@h/app?password=half&hidden-word", "parameter 2 is not like"),
        ("postgresql://app@h/app?password=half&hidden-word=", "parameter 2 is none"),
        ("postgresql://app@h/app?password=half=hidden-word", "parameter 1 is not like"),
        ("postgresql://app@h/app?password=hidden-word+x", "parameter 1 is not like"),
        ("postgresql://app@h/app?password=a&password=hidden-word", "parameter 2 was given"),
        ("postgresql://app:hidden-word@h:1/app?port=2", "says again where"),
        ("postgresql://app:hidden-word@h/app?host=b", "says again where"),
        ("postgresql://app:hidden-word@h:0/app", "from 1 to 65535"),
        ("postgresql://app:hidden-word@h:99999/app", "from 1 to 65535"),
        (f"postgresql://app:hidden-word@{'h' * 64}/app", "longer than 63"),
        ("postgresql://app:hidden-word@h..h/app", "is empty"),
        ("POSTGRESQL://app:hidden-word@h/app", "begin with postgresql://"),
        ("postgresql://app:hidden-word@h/app?service=x", "sets service"),
        ("postgresql://app:hidden-word@h/app?target_session_attrs=any", "sets target_session"),
        (
            "postgresql://app@h/app?options=-c%20Client-Min_messages%3Derror",
            "options set Client-Min_messages",
        ),
        ("", "begin with postgresql://"),
    ],
)
def test_a_bad_url_is_explained_and_its_password_never_shown(url, why):
    with pytest.raises(UsageError, match=why) as failure:
        Target(settings.load({"PRA_DATABASE_URL": url}).database_url)
    assert "hidden" not in f"{failure.value}{failure.value.next_step}"
    assert "word" not in str(failure.value).replace("password", "")


def test_settings_show_a_url_without_its_password():
    url = "postgresql://app:p%40ss-word@a:5432/app?sslpassword=other-word&sslmode=require"
    config = settings.load({"PRA_DATABASE_URL": url})
    shown = f"{config} {config.database_url.shown}"
    assert "postgresql://app@a:5432/app" in shown
    assert "word" not in shown
    said = config.database_url.hide("p@ss-word p%40ss-word ss-word other-word role app")
    assert said == "… … … … role app"


@pytest.mark.parametrize(
    ("url", "meant"),
    [
        (
            "postgresql://app:a%40b%2Fc:d+%C3%A9@db.example:5432/a%40b?sslmode=require",
            {"password": "a@b/c:d+é", "host": "db.example", "dbname": "a@b", "port": "5432"},
        ),
        (
            "postgres://app@[::1]/app?password=a%26b%3Dc%2Bd&sslrootcert=/ca.crt",
            {"password": "a&b=c+d", "host": "::1", "sslrootcert": "/ca.crt"},
        ),
        (
            "postgresql:///app?host=/run/postgresql&options=-c%20work_mem%3D8MB",
            {"host": "/run/postgresql", "options": "-c work_mem=8MB", "dbname": "app"},
        ),
        ("postgresql://app@%2Frun%2Fpg/app?target_session_attrs=read-write", {"host": "/run/pg"}),
    ],
)
def test_libpq_is_told_what_an_unambiguous_url_means(url, meant):
    config = settings.load({"PRA_DATABASE_URL": url})
    given = Target(config.database_url)._given
    assert {name: given[name] for name in meant} == meant
    if "password" in given:
        assert config.database_url.hide(given["password"]) == "…"


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("postgresql://app:hidden-word@h/app?port=abc", "number from 1 to 65535"),
        ("postgresql://app:hidden-word@h/app?port=0", "number from 1 to 65535"),
        ("postgresql://app:hidden-word@h:65536/app", "number from 1 to 65535"),
        ("postgresql://app:hidden-word@h/app?port=5432,5433", "more or fewer ports than hosts"),
        ("postgresql://app:hidden-word@a,b,c/app?port=1,2", "more or fewer ports than hosts"),
    ],
)
def test_a_port_that_is_none_is_wrong_use(url, why):
    with pytest.raises(UsageError, match=why) as failure:
        Target(settings.load({"PRA_DATABASE_URL": url}).database_url)
    assert "hidden-word" not in f"{failure.value}{failure.value.next_step}"


@pytest.mark.parametrize(
    "hosts", ["h", "h:5433", "a,b", "a:5432,b:5433", "a,b:5433", "127.0.0.1,[::1]:5433"]
)
def test_ports_that_libpq_takes_are_taken(hosts):
    Target(settings.load({"PRA_DATABASE_URL": f"postgresql://{hosts}/app"}).database_url)


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
