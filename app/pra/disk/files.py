"""Every file operation of backups, points, restores and the journal that changes something.

One place, so that a test can count the steps and break any of them: each
public function announces itself to ``hook`` before and after it acts.
"""

import contextlib
import errno
import fcntl
import functools
import os
from collections.abc import Callable

from pra.disk import look

#: Called as hook(phase, operation, arguments) with phase "before" or "after";
#: what it raises takes the place of the operation (before), or follows it (after).
hook: Callable[[str, str, tuple], None] | None = None

# Content alone, without times that nobody needs after a crash; not every system has it.
_fdatasync = getattr(os, "fdatasync", os.fsync)
_BEGIN_ONLY = 2
_NO_SUCH_CALL = (errno.ENOSYS, errno.EINVAL, errno.ESPIPE)


def _step(function):
    """Announce a call to the hook; costs one comparison when there is none."""

    @functools.wraps(function)
    def announced(*args):
        if hook is None:
            return function(*args)
        hook("before", function.__name__, args)
        result = function(*args)
        if hook is not None:
            hook("after", function.__name__, args)
        return result

    return announced


@_step
def open_read(path: str) -> int:
    """Open an existing regular file for reading; returns the descriptor."""
    return look.open_regular(path)


@_step
def open_new(path: str) -> int:
    """Create a file that must not exist, for reading and writing; returns the descriptor."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)


@_step
def open_private(path: str) -> int:
    """As ``open_new``, for this user alone."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)


@_step
def open_write(path: str) -> int:
    """Open an existing file for reading and writing in place; returns the descriptor."""
    return os.open(path, os.O_RDWR | os.O_CLOEXEC)


@_step
def open_lock(path: str) -> int:
    """Open a lock file, made if missing; reading suffices, so a read-only volume can lock too."""
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        return os.open(path, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o640)


@_step
def write_once(fd: int, data) -> int:
    """One write; returns how many bytes went, possibly fewer than given."""
    return os.write(fd, data)


def write_all(fd: int, data: bytes) -> None:
    """Write every byte, however many writes it takes."""
    view = memoryview(data)
    while view:
        view = view[write_once(fd, view) :]


@_step
def write_at_once(fd: int, data, offset: int) -> int:
    """One write at an offset; returns how many bytes went, possibly fewer than given."""
    return os.pwrite(fd, data, offset)


def write_at(fd: int, data: bytes, offset: int) -> None:
    """Write every byte from an offset on, however many writes it takes."""
    done = write_at_once(fd, data, offset)
    while done < len(data):
        done += write_at_once(fd, data[done:], offset + done)


def begin_writing_out(fd: int, offset: int = 0, length: int = 0) -> None:
    """Let the disk begin with what was written, to the file's end if the length is 0.

    Less is left for a sync to wait for. Nothing is promised, and nothing happens where the
    system has no such call.

    Raises:
        OSError: the disk failed, which a later sync may not be told again.
    """
    error = _sync_file_range()(fd, offset, length)
    if error and error not in _NO_SUCH_CALL:
        raise OSError(error, os.strerror(error))


@functools.cache
def _sync_file_range() -> Callable[[int, int, int], int]:
    """What begins to write out part of a file; it returns an error's number, or 0.

    Loaded when it is first needed, since most verbs write no file that large. Python
    itself offers posix_fadvise only, which drops pages that others still read.
    """
    try:
        import ctypes

        call = ctypes.CDLL(None, use_errno=True).sync_file_range
    except (ImportError, OSError, AttributeError):
        # Another system than Linux, or a Python that was built without it.
        return lambda fd, offset, length: errno.ENOSYS
    call.argtypes = ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint
    get_errno = ctypes.get_errno
    return lambda *part: call(*part, _BEGIN_ONLY) and get_errno()


@_step
def sync_data(fd: int) -> None:
    """Make what was written to a file durable, and its size; not its times."""
    _fdatasync(fd)


def write_durably(fd: int, data: bytes, offset: int) -> None:
    """Write every byte from an offset on, durably."""
    write_at(fd, data, offset)
    sync_data(fd)


@_step
def fsync(fd: int) -> None:
    """Make a file's content durable."""
    os.fsync(fd)


@_step
def fsync_directory(path: str) -> None:
    """Make a directory's entries durable."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


@_step
def link_new(source: str, target: str) -> None:
    """Give a file a second name that must not exist yet (FileExistsError)."""
    os.link(source, target)


@_step
def replace(source: str, target: str) -> None:
    """Rename, replacing what is there in one step."""
    os.replace(source, target)


@_step
def symlink(target: str, path: str) -> None:
    """Make a symbolic link."""
    os.symlink(target, path)


@_step
def make_directory(path: str) -> None:
    """Make one directory; fine if it exists."""
    with contextlib.suppress(FileExistsError):
        os.mkdir(path, 0o750)


@_step
def remove(path: str) -> None:
    """Remove a file; fine if it is gone."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


@_step
def remove_tree(path: str) -> None:
    """Remove a directory and what is in it; fine if it is gone."""
    if not os.path.lexists(path):
        return
    # Needed seldom, and slow to load: it brings every compression along.
    import shutil

    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(path)


def close(fd: int) -> None:
    """Close a descriptor."""
    os.close(fd)


#: Two changes of a folder within one tick of its clock can show the same time: longer
#: than that of any file system, in nanoseconds.
TICK_NS = 2_000_000_000


def sync_file(path: str) -> None:
    """Make the content of a file that somebody else wrote durable."""
    fd = open_read(path)
    try:
        fsync(fd)
    finally:
        os.close(fd)


def write_new(path: str, data: bytes) -> None:
    """Write a new file and make its content durable (its name is not yet)."""
    fd = open_new(path)
    try:
        write_all(fd, data)
        fsync(fd)
    finally:
        os.close(fd)


def write_replacing(path: str, data: bytes) -> None:
    """Write a file so that a reader, and a crash, sees the old or the new one, whole."""
    temporary = f"{path}.new"
    remove(temporary)
    write_new(temporary, data)
    replace(temporary, path)
    fsync_directory(os.path.dirname(path))


def unlock(fd: int) -> None:
    """Give a file's lock back."""
    fcntl.flock(fd, fcntl.LOCK_UN)


def try_lock(fd: int, kind: int = fcntl.LOCK_EX) -> bool:
    """Take a file's lock if nobody holds it; a shared one (LOCK_SH) also beside shared ones."""
    try:
        fcntl.flock(fd, kind | fcntl.LOCK_NB)
        return True
    except BlockingIOError:
        return False


def wait_for_lock(fd: int) -> None:
    """Take a file's lock, however long that takes; who came first gets it first."""
    fcntl.flock(fd, fcntl.LOCK_EX)
