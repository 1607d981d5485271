"""Atomic file writes, and checks of the user's files before they are read."""

import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from multitrain.common.errors import UserError

__all__ = ["LARGEST_TEXT", "atomic", "read_bytes", "regular", "remove_temporary_files", "require_writable", "special"]

LARGEST_TEXT = 1 << 28  # bytes of a list, of annotations or of settings
SPECIAL = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def special(path: Path | str) -> str:
    """The kind of a special file, e.g. "a pipe"; empty for a regular file, or for none.

    Links are followed. Opening a pipe waits for its other end, and a device may have no end.

    Raises:
        OSError, ValueError: the path cannot be examined, or is not valid.
    """
    try:
        mode = os.stat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return ""
    if stat.S_ISREG(mode):
        return ""
    return next((name for is_it, name in SPECIAL if is_it(mode)), "something else")


def regular(path: Path | str) -> Path:
    """The path of a user's file, checked before it is opened; a missing file is the caller's error.

    Raises:
        UserError: it is a special file, or cannot be examined.
    """
    path = Path(path)
    try:
        kind = special(path)
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be looked at ({getattr(error, 'strerror', None) or error})") from None
    if kind:
        verb = "leads to" if path.is_symlink() else "is"
        raise UserError(f"{path}: {verb} {kind}, not a regular file: give the file itself")
    return path


def read_bytes(path: Path | str, cure: str = "give another file", largest: int = LARGEST_TEXT) -> bytes:
    """Read a user's text file: a list, annotations, settings.

    Raises:
        UserError: it is missing, special, unreadable or too large.
    """
    path = regular(path)
    try:
        with path.open("rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            if size > largest:
                raise UserError(f"{path}: {size >> 20} MiB, where no such text has more than {largest >> 20}: {cure}")
            return stream.read()
    except FileNotFoundError:
        raise UserError(f"{path}: no such file: {cure}") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error}): {cure}") from None


@contextmanager
def atomic(path: Path | str) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it to `path` when the block ends without an error.

    The temporary name keeps the suffix, by which video containers are chosen. A process that dies leaves a file named
    `.partial-...`, which nothing reads and the next writer of the folder may delete. Of a link, the target is replaced.

    Raises:
        UserError: the path is a folder, device or pipe.
    """
    path = Path(path)
    if path.is_symlink():
        path = path.resolve()
    if path.exists() and not path.is_file():
        raise UserError(f"{path}: is {'a folder' if path.is_dir() else 'no regular file'}: name a file")
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=".partial-", suffix="".join(path.suffixes[-1:]), dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def require_writable(out: Path) -> None:
    """Make the folder of an output file and check that it is writable, before long work.

    Raises:
        UserError: no file can be written there.
    """
    if out.is_dir():
        raise UserError(f"{out}: is a folder: name a file in it")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out.parent):
            pass
    except OSError as error:
        raise UserError(f"{out}: cannot be written ({error.strerror or error}): choose another place") from None


def remove_temporary_files(folder: Path) -> None:
    """Delete the temporary files of killed writers in a folder to which no other process writes."""
    for path in folder.glob(".partial-*"):
        with suppress(OSError):
            path.unlink()
