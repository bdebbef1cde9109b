"""Bytes that nobody wrote, in whatever is read: a message each time, within bounds.

Each verb is run on them as it is typed, in a child that has little memory and little time:
it ends with one of its exit codes, and changes nothing outside of the two volumes.
"""

import contextlib
import io
import json
import os
import random
import re
import resource
import signal
import string
from collections.abc import Callable, Iterator

from faults import damage
from faults.world import Reporter, World, in_child
from pra.base import sealing
from pra.commands import cli

#: What a verb may have, in bytes beside what it begins with, and in seconds.
MEMORY, SECONDS = 256 << 20, 60
#: No file that it writes is larger.
FILE = 64 << 20
EXIT_CODES = (0, 1, 2, 4, 5)
VERBS = (
    ("points",),
    ("status",),
    ("verify",),
    ("log",),
    ("restore", "latest", "--plan"),
    ("backup",),
    ("prune",),
    ("undo",),
    ("restore", "latest"),
)

#: Changes the file at this path.
Change = Callable[[str, random.Random], None]


def cases(folder: str, rng: random.Random, long: bool) -> Iterator[tuple[str, str | None]]:
    """Every case's name and what went wrong; 600 in the long run, 60 in the short one."""
    template, _ = damage.prepare(folder)
    copy = _exported(template)
    for number in range(600 if long else 60):
        seed = rng.randrange(1 << 30)
        change = CHANGES[number % len(CHANGES)]
        # A copy may well come through a pipe, and that is waited for.
        if number % 5 == 4 and change is not no_file_any_more:
            yield (
                f"exported copy, {change.__name__} (seed {seed})",
                _of_copy(template, copy, change, seed, folder),
            )
        else:
            yield f"{change.__name__} (seed {seed})", _of_volumes(template, change, seed, folder)


def _exported(template: World) -> bytes:
    def work(reporter: Reporter) -> None:
        with open(f"{template.folder}/copy.tar", "wb") as file:
            os.dup2(file.fileno(), 1)
            _typed(template, ("export",))

    in_child(work)
    path = f"{template.folder}/copy.tar"
    with open(path, "rb") as file:
        copy = file.read()
    os.unlink(path)
    assert copy, "nothing was exported"
    return copy


def _of_volumes(template: World, change: Change, seed: int, folder: str) -> str | None:
    rng = random.Random(seed)
    world = template.copy(f"{folder}/case")
    try:
        for _ in range(rng.choice((1, 1, 3))):
            change(rng.choice(_files(world)), rng)
        return _examined(world, VERBS, folder)
    finally:
        world.remove()


def _of_copy(template: World, copy: bytes, change: Change, seed: int, folder: str) -> str | None:
    rng = random.Random(seed)
    world = template.copy(f"{folder}/case")
    path = f"{world.folder}/copy.tar"
    try:
        with open(path, "wb") as file:
            file.write(copy)
        change(path, rng)
        return _examined(world, (("adopt", "--plan", path), ("adopt", path)), folder)
    finally:
        world.remove()


def _files(world: World) -> list[str]:
    found = (
        f"{folder}/{name}"
        for root in (world.where.data, world.where.backup)
        for folder, _, names in os.walk(root)
        for name in names
    )
    return sorted(path for path in found if os.path.isfile(path) and os.path.getsize(path))


def _examined(world: World, verbs: tuple[tuple[str, ...], ...], folder: str) -> str | None:
    """What a verb did that it must not do; None if nothing."""
    beside = sorted(os.listdir(folder))
    for words in verbs:
        told = in_child(lambda reporter, words=words: _bounded(world, words, reporter)).values
        if "exception" in told:
            return f"{words[0]}: {told['exception']}"
        if "code" not in told:
            return f"{words[0]} died, or took longer than {SECONDS} s"
        if told["code"] not in EXIT_CODES:
            return f"{words[0]} ended with {told['code']}"
        if not told["said"]:
            return f"{words[0]} ended with {told['code']}, and says nothing"
    if sorted(os.listdir(folder)) != beside or os.path.exists(ELSEWHERE):
        return "something was written outside of the volumes"
    return None


def _bounded(world: World, words: tuple[str, ...], reporter: Reporter) -> None:
    with open("/proc/self/statm") as file:
        began = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (began + MEMORY,) * 2)
    resource.setrlimit(resource.RLIMIT_FSIZE, (FILE,) * 2)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    signal.alarm(SECONDS)
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        code = _typed(world, words)
    reporter.tell("said", bool(said.getvalue()))
    reporter.tell("code", code)


def _typed(world: World, words: tuple[str, ...]) -> int:
    os.environ.update(
        PRA_DATA_DIR=world.where.data,
        PRA_BACKUP_DIR=world.where.backup,
        PRA_JOURNAL=world.mode,
        PRA_WAIT_SECONDS="2",
    )
    return cli.main(list(words))


def _rewrite(path: str, content: bytes) -> None:
    with open(path, "r+b") as file:
        file.truncate()
        file.write(content)


def _read(path: str) -> bytearray:
    with open(path, "rb") as file:
        return bytearray(file.read())


def some_bytes_flipped(path: str, rng: random.Random) -> None:
    """Up to eight bytes anywhere."""
    content = _read(path)
    for _ in range(rng.randint(1, 8)):
        content[rng.randrange(len(content))] ^= rng.randint(1, 255)
    _rewrite(path, content)


def cut_off(path: str, rng: random.Random) -> None:
    """An end that is missing."""
    os.truncate(path, rng.randrange(os.path.getsize(path)))


def garbage_behind(path: str, rng: random.Random) -> None:
    """An end that is too much."""
    with open(path, "ab") as file:
        file.write(rng.randbytes(rng.randint(1, 5000)))


def garbage_instead(path: str, rng: random.Random) -> None:
    """Nothing that was there."""
    _rewrite(path, rng.randbytes(rng.randint(1, 5000)))


def garbage_between(path: str, rng: random.Random) -> None:
    """What follows is no longer where it was."""
    content = _read(path)
    at = rng.randrange(len(content))
    content[at:at] = rng.randbytes(rng.randint(1, 600))
    _rewrite(path, content)


def numbers_made_huge(path: str, rng: random.Random) -> None:
    """Lengths and positions beyond all that there is."""
    content = bytes(_read(path))
    huge = rng.choice((b"9" * 18, b"-1", b"1e400", b"18446744073709551616", b"9" * 5000))
    found = [*re.finditer(rb"\d+", content)]
    if not found:
        return some_bytes_flipped(path, rng)
    one = rng.choice(found)
    _rewrite(path, content[: one.start()] + huge + content[one.end() :])
    return None


def four_bytes_made_huge(path: str, rng: random.Random) -> None:
    """The same of lengths that are no text."""
    content = _read(path)
    at = rng.randrange(len(content))
    content[at : at + 4] = rng.choice((b"\xff" * 4, b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f"))
    _rewrite(path, content)


def sealed_with_other_values(path: str, rng: random.Random) -> None:
    """A document whose seal is right and whose fields are of other kinds, or lead elsewhere."""
    try:
        content = sealing.unseal(bytes(_read(path)))
    except ValueError:
        return some_bytes_flipped(path, rng)
    key = rng.choice(sorted(content))
    content[key] = rng.choice(
        (
            *(None, True, -1, 0, 1 << 70, 1e308, float("inf"), float("nan"), "", [], {}),
            *(ELSEWHERE, "../" * 12 + ELSEWHERE, "a\0b", "x" * 100_000, [[[]]], {"a": {"b": []}}),
            *("".join(rng.choices(string.printable, k=20)), content[rng.choice(sorted(content))]),
        )
    )
    _rewrite(path, sealing.seal(content))
    return None


def deeply_nested(path: str, rng: random.Random) -> None:
    """A document that exhausts who follows it down."""
    depth = rng.choice((900, 100_000))
    body = b'{"a":' + b"[" * depth + b"]" * depth
    try:
        sealed = sealing.seal({"a": 0})
        json.loads(bytes(_read(path)))
        _rewrite(path, body + b"}" if rng.random() < 0.5 else sealed.replace(b"0", body[5:]))
    except ValueError:
        garbage_between(path, rng)


def no_file_any_more(path: str, rng: random.Random) -> None:
    """A folder, a pipe that nobody writes to, a way to another place, or into itself."""
    os.unlink(path)
    kind = rng.randrange(5)
    if kind == 0:
        os.mkdir(path)
    elif kind == 1:
        os.mkfifo(path)
    elif kind == 2:
        os.symlink(ELSEWHERE, path)
    elif kind == 3:
        os.symlink(path, path)
    else:
        os.symlink("/dev/zero", path)


#: Where nothing may appear.
ELSEWHERE = "/tmp/pra-faults-elsewhere"
CHANGES: tuple[Change, ...] = (
    some_bytes_flipped,
    cut_off,
    garbage_behind,
    garbage_instead,
    garbage_between,
    numbers_made_huge,
    four_bytes_made_huge,
    sealed_with_other_values,
    deeply_nested,
    no_file_any_more,
    sealed_with_other_values,
)
