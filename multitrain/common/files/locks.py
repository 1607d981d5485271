"""One owner a folder: a lock of the operating system, which goes with the process that holds it.

It is a POSIX record lock on the file `.lock` in the folder. Processes that the owner has forked do not inherit it, so
one that outlives the owner keeps nobody out; over NFS the server keeps it. In the file the owner says who it is; with
its work it removes the file. The lock is the file's, not its name's: where somebody else has removed the file, or its
folder, the owner has lost it, and ends.
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
    """The folder that a process works in has been removed; nothing more is to be written there."""


@dataclass(frozen=True)
class FolderLock:
    """The right of this process, and this thread, to write into a folder."""

    folder: Path
    descriptor: int
    process: int
    thread: int

    def still_there(self) -> bool:
        """Whether the folder still has the file that is locked; a disk that does not answer has not lost it."""
        try:
            found = os.stat(self.folder / NAME)
        except OSError as error:
            return error.errno not in GONE
        return os.path.samestat(found, os.fstat(self.descriptor))

    def require(self) -> None:
        """Raise `FolderRemoved` where it has been removed."""
        if not self.still_there():
            what = f"its {NAME} was removed" if self.folder.is_dir() else "it was removed"
            raise FolderRemoved(f"{self.folder}: {what} while this process worked in it: stopped; start it again")


_LOCKS: dict[Path, FolderLock] = {}  # of this process; a forked one finds another process's number in them


@contextmanager
def locked_folder(folder: Path, what: str, wait: bool = False) -> Iterator[FolderLock]:
    """Within, this process alone works in `folder`, which is made where it is missing.

    `what` is a clause that tells others what is done, such as "run k400_baseline seed 0 is being trained". With `wait`
    another owner's end is waited for. A thread that owns the folder already goes on in it.

    Raises:
        UserError: another process, or thread, works there; or the folder cannot be written.
        FolderRemoved: the folder was removed, or the lock in it, at the latest when the block ends.
    """
    key = Path(folder).resolve()
    mine = _LOCKS.get(key)
    if mine and mine.process == os.getpid() and mine.still_there():
        if mine.thread != threading.get_ident():  # never to be opened twice: the first close would give the lock up
            raise UserError(_busy(folder, os.pread(mine.descriptor, 4096, 0)))
        yield mine
        return
    descriptor = _acquire(Path(folder), wait)
    _LOCKS[key] = lock = FolderLock(Path(folder), descriptor, os.getpid(), threading.get_ident())
    try:
        _say(descriptor, what)
        yield lock
        lock.require()  # else what was written is in a folder that was made again, or is another's
    except (OSError, UserError):
        lock.require()  # which is why something went wrong, where the folder is gone
        raise
    finally:
        del _LOCKS[key]
        if lock.still_there():  # who waits for this very file will see that it is gone, and make the next one
            with suppress(OSError):
                os.unlink(lock.folder / NAME)
        os.close(descriptor)


def is_locked(folder: Path) -> bool | None:
    """Whether a process owns the folder; None where that cannot be told. Nothing is locked for it."""
    if not sys.platform.startswith("linux"):
        return None  # the layout of the question differs
    question = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
    try:
        with (folder / NAME).open("rb") as stream:
            answer = fcntl.fcntl(stream, fcntl.F_GETLK, question)
    except OSError:
        return None
    return struct.unpack("hhqqi4x", answer)[0] != fcntl.F_UNLCK


def _acquire(folder: Path, wait: bool) -> int:
    """A descriptor of the folder's own file, locked. One that was replaced while it was waited for is left again."""
    told = False
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
                said = os.pread(descriptor, 4096, 0)
                if not wait:
                    raise UserError(_busy(folder, said))
                if not told:
                    sys.stderr.write(f"{_busy(folder, said, waiting=True)}\n")
                    told = True
                _lock(folder, descriptor, True)
            if FolderLock(folder, descriptor, 0, 0).still_there():
                kept, descriptor = descriptor, -1
                return kept
        finally:
            if descriptor >= 0:
                os.close(descriptor)


def _lock(folder: Path, descriptor: int, wait: bool) -> bool:
    """Whether it is locked now; where the file system has no locks that is said, and the work goes on."""
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


def _say(descriptor: int, what: str) -> None:
    """Write who owns the folder; a full disk keeps nobody from it."""
    said = {"host": platform.node(), "pid": os.getpid(), "since": datetime.now(UTC).isoformat(timespec="seconds")}
    said |= {"what": what, "job": os.environ.get("SLURM_JOB_ID")}
    with suppress(OSError):
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{json.dumps(said)}\n".encode(), 0)


def _busy(folder: Path, said: bytes, waiting: bool = False) -> str:
    """Who works in a folder, in one line, and what to do."""
    try:
        note = json.loads(said)
        what, host, pid, since, job = (note[key] for key in ("what", "host", "pid", "since", "job"))
    except (ValueError, TypeError, KeyError):  # it has not said so yet
        return f"{folder}: another process works in it: {'waiting' if waiting else 'wait'} for its end"
    who = f"{folder}: {what} there by process {pid} on {host} since {since}"
    if waiting:
        return f"{who}: waiting for its end"
    end = f"`scancel {job}`" if job else f"`kill {pid}`" + ("" if host == platform.node() else f" on {host}")
    return f"{who}: wait for its end, or end it with {end}"
