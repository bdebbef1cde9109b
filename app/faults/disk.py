"""A model of what a disk holds when the power goes: what was not synced is lost or reordered.

It follows every step of this process. Content becomes durable with a sync of
the file, names with a sync of their folder. What is pending at the end is
kept or dropped at random: any subset of a file's writes (the last one torn),
any prefix of a folder's changes.
"""

import os
import random
from dataclasses import dataclass, field

#: Writes are torn at multiples of this, in bytes.
SECTOR = 512


@dataclass
class _Inode:
    """One file: durable content, and writes that may not have reached the disk."""

    durable: bytes = b""
    pending: list[tuple[str, int, bytes]] = field(default_factory=list)

    def sync(self) -> None:
        self.durable = _apply(self.durable, self.pending)
        self.pending.clear()

    def after_power_loss(self, rng: random.Random) -> bytes:
        kept = [change for change in self.pending if rng.random() < 0.5]
        if kept and kept[-1][0] == "write" and rng.random() < 0.5:
            _, offset, data = kept[-1]
            kept[-1] = ("write", offset, data[: SECTOR * rng.randrange(len(data) // SECTOR + 1)])
        return _apply(self.durable, kept)


def _apply(content: bytes, changes) -> bytes:
    result = bytearray(content)
    for kind, offset, data in changes:
        if kind == "truncate":
            del result[offset:]
            result.extend(bytes(offset - len(result)))
        else:
            result.extend(bytes(max(0, offset - len(result))))
            result[offset : offset + len(data)] = data
    return bytes(result)


#: What a name leads to: a file, a link's text, or a folder.
_Node = _Inode | str | None


class Disk:
    """The volumes below a folder, as an observer of steps.

    Args:
        folder: everything in it is durable at the beginning.
    """

    def __init__(self, folder: str):
        self._folder = folder
        self._names: dict[str, _Node] = {}
        self._pending: dict[str, list[tuple[str, str, _Node]]] = {}
        for base, folders, files in os.walk(folder):
            for name in [*folders, *files]:
                path = f"{base}/{name}"
                self._names[path] = _read_node(path)
        self._durable = dict(self._names)

    def __call__(self, phase: str, operation: str, arguments: tuple) -> None:
        """Follow one step."""
        act = getattr(self, f"_{phase}_{operation}", None)
        if act:
            act(*arguments)

    def materialise(self, target: str, rng: random.Random) -> None:
        """Write what one power loss could leave, below another folder."""
        names = dict(self._durable)
        for changes in self._pending.values():
            for change in changes[: rng.randrange(len(changes) + 1)]:
                _change(names, *change)
        os.makedirs(target)
        written: dict[int, str] = {}
        for path in sorted(names):
            copy, node = target + path[len(self._folder) :], names[path]
            if not os.path.isdir(os.path.dirname(copy)):
                continue
            if isinstance(node, _Inode) and id(node) in written:
                os.link(written[id(node)], copy)
                continue
            _write_node(copy, node, rng)
            written[id(node)] = copy

    def _note(self, kind: str, path: str, node: _Node) -> None:
        _change(self._names, kind, path, node)
        self._pending.setdefault(os.path.dirname(path), []).append((kind, path, node))

    def _inode(self, path: str) -> _Inode:
        return self._names[os.path.realpath(path) if path not in self._names else path]

    def _inode_of(self, fd: int) -> _Inode:
        return self._names[os.readlink(f"/proc/self/fd/{fd}")]

    def _sync_names(self, folder: str) -> None:
        for change in self._pending.pop(folder, []):
            _change(self._durable, *change)

    # Our own file operations.

    def _after_open_new(self, path):
        self._note("add", path, _Inode())

    def _after_open_lock(self, path):
        if path not in self._names:
            self._note("add", path, _Inode())

    def _before_write_once(self, fd, data):
        offset = os.lseek(fd, 0, os.SEEK_CUR)
        self._inode_of(fd).pending.append(("write", offset, bytes(data)))

    def _before_write_at_once(self, fd, data, offset):
        self._inode_of(fd).pending.append(("write", offset, bytes(data)))

    def _after_sync_data(self, fd):
        self._inode_of(fd).sync()

    def _after_fsync(self, fd):
        self._inode_of(fd).sync()

    def _after_fsync_directory(self, path):
        self._sync_names(path)

    def _after_link_new(self, source, target):
        self._note("add", target, self._inode(source))

    def _after_replace(self, source, target):
        node = self._names[source]
        # A rename within one folder is one change: never both names, never none.
        self._pending.setdefault(os.path.dirname(target), []).append(("move", source, target))
        _change(self._names, "move", source, target)
        assert self._names[target] is node
        for folder in _below(self._pending, source):
            # What is pending in a folder goes on being so under its new name.
            changes = self._pending.pop(folder)
            self._pending[_moved(folder, source, target)] = [
                (kind, _moved(path, source, target), _moved_node(kind, node, source, target))
                for kind, path, node in changes
            ]

    def _after_symlink(self, target, path):
        self._note("add", path, target)

    def _after_make_directory(self, path):
        if path not in self._names:
            self._note("add", path, None)

    def _after_remove(self, path):
        if path in self._names:
            self._note("remove", path, None)

    def _after_remove_tree(self, path):
        if path in self._names:
            self._note("remove", path, None)

    # SQLite's.

    def _after_xOpen(self, path):
        if path and not path.endswith("-shm") and path not in self._names:
            self._note("add", path, _Inode())

    def _before_xWrite(self, path, data, offset):
        self._inode(path).pending.append(("write", offset, data))

    def _before_xTruncate(self, path, size):
        self._inode(path).pending.append(("truncate", size, b""))

    def _after_xSync(self, path):
        self._inode(path).sync()
        if path.endswith(("-wal", "-journal")):
            # SQLite syncs the folder of these with their first sync.
            self._sync_names(os.path.dirname(path))

    def _after_xDelete(self, path, sync):
        if path in self._names:
            self._note("remove", path, None)
        if sync:
            self._sync_names(os.path.dirname(path))


def _change(names: dict[str, _Node], kind: str, path: str, node) -> None:
    if kind == "add":
        names[path] = node
    elif kind == "move":
        for known in _below(names, path):
            names[_moved(known, path, node)] = names.pop(known)
    else:
        for known in _below(names, path):
            del names[known]


def _below(names, path: str) -> list[str]:
    """A path and all paths below it, of those that there are."""
    return [name for name in names if name == path or name.startswith(f"{path}/")]


def _moved(path: str, source: str, target: str) -> str:
    """Where a path lies once a folder has its new name."""
    below = path == source or path.startswith(f"{source}/")
    return target + path[len(source) :] if below else path


def _moved_node(kind: str, node: _Node, source: str, target: str) -> _Node:
    return _moved(node, source, target) if kind == "move" else node


def _read_node(path: str) -> _Node:
    if os.path.islink(path):
        return os.readlink(path)
    if os.path.isdir(path):
        return None
    with open(path, "rb") as file:
        return _Inode(file.read())


def _write_node(path: str, node: _Node, rng: random.Random) -> None:
    if node is None:
        os.mkdir(path)
    elif isinstance(node, str):
        os.symlink(node, path)
    elif not path.endswith("-shm"):
        with open(path, "wb") as file:
            file.write(node.after_power_loss(rng))
