"""Folder locks: one process at a time works in a folder; the lock ends with its process.

A lock is a POSIX record lock on the file `.lock` in the folder; over NFS the server keeps it. Forked processes do not
inherit it. The file says which process holds it, and is removed at the end. If the file or its folder is removed during
the work, the lock is lost, and its process ends.
"""

import errno
import fcntl
import json
import os
import platform
import struct
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from multitrain.common.errors import UserError

__all__ = ["NAME", "FolderLock", "FolderRemoved", "is_locked", "locked_folder"]

NAME = ".lock"
GONE = {errno.ENOENT, errno.ENOTDIR, errno.ESTALE}
NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP}


class FolderRemoved(UserError):
    """The folder that a process works in has been removed; it must write nothing more there."""


@dataclass(frozen=True)
class FolderLock:
    """The lock of a folder, held by this process and thread."""

    folder: Path
    descriptor: int
    process: int
    thread: int

    def still_there(self) -> bool:
        """Whether the locked file is still in the folder; errors of the disk do not count."""
        try:
            current = os.stat(self.folder / NAME)
        except OSError as error:
            return error.errno not in GONE
        return os.path.samestat(current, os.fstat(self.descriptor))

    def require(self) -> None:
        """Raise `FolderRemoved` if the locked file has been removed."""
        if not self.still_there():
            what = f"its {NAME} was removed" if self.folder.is_dir() else "it was removed"
            raise FolderRemoved(f"{self.folder}: {what} while this process worked in it: stopped; start it again")


_LOCKS: dict[Path, FolderLock] = {}  # of this process; in a forked one their process is another


@contextmanager
def locked_folder(folder: Path, what: str, wait: bool = False) -> Iterator[FolderLock]:
    """A context in which this process has the lock of `folder`, which is made if it is missing.

    `what` is a clause for messages of other processes, such as "run k400_baseline seed 0 is being trained". With `wait`
    the end of another lock is waited for. A thread that has the lock already keeps it.

    Raises:
        UserError: another process, or thread, works there; or the folder cannot be written.
        FolderRemoved: the folder or its lock was removed; at the latest when the block ends.
    """
    key = Path(folder).resolve()
    mine = _LOCKS.get(key)
    if mine and mine.process == os.getpid() and mine.still_there():
        if mine.thread != threading.get_ident():  # closing a second descriptor would release the lock
            raise UserError(_busy(folder, os.pread(mine.descriptor, 4096, 0)))
        yield mine
        return
    descriptor = _acquire(Path(folder), wait)
    _LOCKS[key] = lock = FolderLock(Path(folder), descriptor, os.getpid(), threading.get_ident())
    try:
        _write_holder(descriptor, what)
        yield lock
        lock.require()  # else the files are in a folder that was made again, or is another process's
    except (OSError, UserError):
        lock.require()  # a removed folder explains the error
        raise
    finally:
        del _LOCKS[key]
        if lock.still_there():  # a process that waits for this file sees that it is gone, and makes a new one
            with suppress(OSError):
                os.unlink(lock.folder / NAME)
        os.close(descriptor)


def is_locked(folder: Path) -> bool | None:
    """Whether a process has the folder's lock, without locking it; None if that cannot be told."""
    if not sys.platform.startswith("linux"):
        return None  # the layout of `struct flock` differs
    question = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
    try:
        with (folder / NAME).open("rb") as stream:
            answer = fcntl.fcntl(stream, fcntl.F_GETLK, question)
    except OSError:
        return None
    return struct.unpack("hhqqi4x", answer)[0] != fcntl.F_UNLCK


def _acquire(folder: Path, wait: bool) -> int:
    """Lock the folder's file and return its descriptor; start again if the file was replaced meanwhile."""
    warned = False
    while True:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(folder / NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
        except FileNotFoundError:
            continue  # the folder was removed in between
        except OSError as error:
            raise UserError(f"{folder}: cannot be written ({error.strerror}): choose another folder") from None
        try:
            if not _lock(folder, descriptor, False):
                content = os.pread(descriptor, 4096, 0)
                if not wait:
                    raise UserError(_busy(folder, content))
                if not warned:
                    sys.stderr.write(f"{_busy(folder, content, waiting=True)}\n")
                    warned = True
                _lock(folder, descriptor, True)
            if FolderLock(folder, descriptor, 0, 0).still_there():
                kept, descriptor = descriptor, -1
                return kept
        finally:
            if descriptor >= 0:
                os.close(descriptor)


def _lock(folder: Path, descriptor: int, wait: bool) -> bool:
    """Lock a file; False if another process has the lock. Without locks in the file system, warn and go on."""
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError as error:
        if error.errno in (errno.EAGAIN, errno.EACCES):
            return False
        if error.errno not in NO_LOCKS:
            raise UserError(f"{folder / NAME}: cannot be locked ({error.strerror}): see to its file system") from None
        sys.stderr.write(
            f"{folder}: its file system has no locks ({error.strerror}), so nothing keeps a second process out: "
            "start one at a time, or mount it with locks (Lustre: -o flock)\n"
        )
    return True


def _write_holder(descriptor: int, what: str) -> None:
    """Write which process has the lock; errors of a full disk are ignored."""
    note = {"host": platform.node(), "pid": os.getpid(), "since": datetime.now(UTC).isoformat(timespec="seconds")}
    note |= {"what": what, "job": os.environ.get("SLURM_JOB_ID")}
    with suppress(OSError):
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{json.dumps(note)}\n".encode(), 0)


def _busy(folder: Path, content: bytes, waiting: bool = False) -> str:
    """A message: which process works in a folder, and what to do."""
    try:
        note = json.loads(content)
        what, host, pid, since, job = (note[key] for key in ("what", "host", "pid", "since", "job"))
    except (ValueError, TypeError, KeyError):  # not written yet
        return f"{folder}: another process works in it: {'waiting' if waiting else 'wait'} for its end"
    who = f"{folder}: {what} there by process {pid} on {host} since {since}"
    if waiting:
        return f"{who}: waiting for its end"
    end = f"`scancel {job}`" if job else f"`kill {pid}`" + ("" if host == platform.node() else f" on {host}")
    return f"{who}: wait for its end, or end it with {end}"
