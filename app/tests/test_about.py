"""What the application says it runs on."""

import json
import os
import sys

import apsw
import pytest
from conftest import pra

from pra.commands import about

MOUNTS = r"""22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 0:25 / /data rw master:1 shared:2 - xfs /dev/sdb rw
31 30 0:26 / /data/with\040space rw - btrfs /dev/sdc rw
32 22 0:27 / /backup rw - tmpfs tmpfs rw
33 22 0:28 / /backup rw - nfs4 server:/x rw
"""


@pytest.mark.parametrize(
    ("directory", "kind"),
    [
        ("/data", "xfs"),
        ("/data/below", "xfs"),
        ("/database", "ext4"),
        ("/data/with space/below", "btrfs"),
        ("/backup", "nfs4"),
    ],
)
def test_the_file_system_is_that_of_the_deepest_and_latest_mount(tmp_path, directory, kind):
    listed = tmp_path / "mountinfo"
    listed.write_text(MOUNTS)
    assert about.file_system(directory, str(listed)) == kind


def test_what_the_system_does_not_list_is_absent(tmp_path):
    assert about.file_system("/data", str(tmp_path / "missing")) is None


def test_about_names_what_makes_a_run(environment):
    done = pra(environment, "about", "--json")
    assert done.returncode == 0, done
    known = json.loads(done.stdout)
    assert known["python"] == ".".join(map(str, sys.version_info[:3]))
    assert known["sqlite"] == apsw.sqlite_lib_version()
    assert known["apsw"] == apsw.apsw_version()
    assert os.uname().release in known["kernel"]
    if sys.platform == "linux":
        assert known["file_system_data"] and known["file_system_backup"]
    lines = pra(environment, "about").stdout.splitlines()
    assert f"sqlite: {known['sqlite']}" in lines
