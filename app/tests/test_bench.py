"""The yardstick of the benchmarks: a PostgreSQL of their own, and what they do without one."""

import json
import os
import subprocess
import tempfile

import pytest
from helpers import until

from benches import in_pods, postgres


def test_where_postgresql_is_not_installed_that_is_said(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(postgres.glob, "glob", lambda pattern: [])
    started = postgres.running(str(tmp_path / "beside"))
    with pytest.raises(postgres.Missing, match="initdb is not installed"):
        started.__enter__()
    assert not os.listdir(tmp_path)


def test_inserts_wait_for_a_synchronous_standby_and_nothing_is_left():
    try:
        with postgres.running(f"{tempfile.gettempdir()}/beside") as cluster:
            assert len(cluster.inserts(2)) > 1
            assert cluster.sql("select count(*) > 1 from events") == "t"
            assert cluster.sql("select sync_state from pg_stat_replication") == "sync"
            with open(f"{cluster.folder}/primary/postmaster.pid") as file:
                process = int(file.readline())
    except postgres.Missing as missing:
        pytest.skip(str(missing))
    assert not os.path.exists(cluster.folder)
    until(lambda: not _runs(process))


def test_every_database_of_the_environment_gets_its_slices(monkeypatch, capsys):
    monkeypatch.setattr(in_pods, "_ROUNDS", 1)
    monkeypatch.setattr(in_pods, "WRITERS", (2,))
    try:
        with postgres.running(f"{tempfile.gettempdir()}/beside", standby=False) as cluster:
            for name in ("pg", "single"):
                cluster.sql(f"create database {name}")
                url = f"postgresql://postgres@/{name}?host={cluster.folder}&port=5432"
                monkeypatch.setenv(f"BENCH_{name}", url)
            # As in the lab: the application's own tables are in another database beside them.
            cluster.sql("create database app")
            lab = in_pods.migrated(f"postgresql://postgres@/app?host={cluster.folder}&port=5432")
            in_pods.main()
            written = lab.count()
    except postgres.Missing as missing:
        pytest.skip(str(missing))
    assert written == 0
    rows = json.loads(capsys.readouterr().out)
    assert sorted(row["name"] for row in rows) == ["pg", "single"]
    for row in rows:
        assert row["writers"] == 2
        assert 0 < row["median"] <= row["p99"]
        assert row["rate"] > 1


def _runs(process: int) -> bool:
    """Whether a process runs; one that ended may wait for somebody to ask how."""
    state = subprocess.run(
        ["ps", "-o", "stat=", "-p", str(process)], capture_output=True, text=True, check=False
    ).stdout.strip()
    return bool(state) and not state.startswith("Z")
