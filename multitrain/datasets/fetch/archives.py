"""Tar and zip archives as streams of members; nothing is extracted to a path that the archive names."""

import gzip
import io
import lzma
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path, PurePosixPath
from tarfile import EmptyHeaderError, EOFHeaderError, InvalidHeaderError  # type: ignore[attr-defined]  # not in typeshed
from typing import IO, TYPE_CHECKING, BinaryIO, Self, cast

from multitrain.common.errors import UserError
from multitrain.common.files.atomic import LARGEST_TEXT, regular
from multitrain.common.files.filenames import shown
from multitrain.datasets.publication import Member

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

__all__ = [
    "CHUNK",
    "ConcatenatedStream",
    "archive_errors",
    "open_zip",
    "stem",
    "tar_members",
    "unsafe",
    "zip_members",
    "zip_text",
]
LARGEST = 2 << 30  # bytes of one member; a video of these datasets is a few megabytes
IMPLAUSIBLE = 1 << 36  # bytes of a member: tarfile would skip it block by block, even after the archive's end
CHUNK = 1 << 18
LONGEST_HEADER = 1 << 16  # bytes of one tar header's extension, which tarfile reads whole
EXTENSIONS = {tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE}
EXTENSIONS |= {tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK}
DAMAGE = (tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, gzip.BadGzipFile)
MALFORMED = (ValueError, ArithmeticError, LookupError, struct.error)  # Python's errors for malformed headers


@contextmanager
def archive_errors(where: str) -> Iterator[None]:
    """Turn Python's errors for a damaged archive into a UserError that names it."""
    try:
        yield
    except (*DAMAGE, *MALFORMED) as error:
        detail = " ".join(str(error).split()) or type(error).__name__
        raise UserError(f"{where}: the archive is damaged or incomplete ({detail}): get it again") from None
    except (NotImplementedError, RuntimeError) as error:  # how zipfile refuses encryption and rare methods
        raise UserError(f"{where}: the archive cannot be read ({error}): pack it again as a plain zip") from None
    except OSError as error:
        raise UserError(f"{where}: stopped by the system ({error.strerror or error}): see to it and go on") from None


def unsafe(name: str, size: int) -> str:
    """Why a member of that name and size is refused, or an empty string."""
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or (path.parts and path.parts[0].endswith(":")):
        return "its name is an absolute path"
    if ".." in path.parts:
        return "its name leads out of the archive"
    if size > LARGEST:
        return f"it is larger than {LARGEST >> 30} GiB"
    return ""


class ConcatenatedStream(io.RawIOBase):
    """Several files read one after another as one stream."""

    def __init__(self, openers: Iterator[Callable[[], io.BufferedIOBase]]):
        self._openers = iter(openers)
        self._current: io.BufferedIOBase | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        while True:
            if self._current is None:
                opener = next(self._openers, None)
                if opener is None:
                    return 0
                self._current = opener()
            count = self._current.readinto(buffer)
            if count:
                return count
            self._current.close()
            self._current = None


class SmallReads(io.RawIOBase):
    """A zip member read in small parts: a read of all would inflate far beyond the size that the header claims."""

    def __init__(self, stream: IO[bytes]):
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        room = memoryview(buffer)
        block = self._stream.read(min(len(room), CHUNK))
        room[: len(block)] = block
        return len(block)

    def readall(self) -> bytes:
        return b"".join(iter(partial(self.read, CHUNK), b""))

    def close(self) -> None:
        self._stream.close()
        super().close()


class _StrictTarInfo(tarfile.TarInfo):
    """Invalid headers are errors: tarfile itself takes them for the archive's end."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        info = super().frombuf(buf, encoding, errors)
        if info.size < 0 or (info.type in EXTENSIONS and info.size > LONGEST_HEADER):
            raise InvalidHeaderError(f"a header that claims {info.size} bytes")
        if info.type == tarfile.GNUTYPE_SPARSE:
            raise InvalidHeaderError(f"{shown(info.name)} is a sparse file")
        return info

    def _proc_gnusparse_10(self, *_: object) -> None:
        # tarfile would read the map of holes into a list of any length.
        raise InvalidHeaderError("a sparse file")

    @classmethod
    def fromtarfile(cls, archive: tarfile.TarFile) -> Self:
        try:
            info = super().fromtarfile(archive)
        except EOFHeaderError:
            archive.ended = True  # type: ignore[attr-defined]  # a mark of ours for `tar_members`
            raise
        except EmptyHeaderError:
            raise
        except tarfile.HeaderError as error:
            raise tarfile.ReadError(f"byte {archive.offset}: {error}") from None
        if not 0 <= info.size <= IMPLAUSIBLE:  # an extended header may change it
            raise tarfile.ReadError(f"{shown(info.name)} claims {info.size} bytes")
        return info


def tar_members(
    raw: io.RawIOBase | io.BufferedReader, where: str, batch: str, key: Callable[[str], str]
) -> Iterator[Member]:
    """The files of a tar stream, gzip'd or not, in its order. Damage anywhere, up to the last byte, is a UserError.

    `where` names the archive in errors and `batch` in the members. A link or device is refused.
    """
    buffered = io.BufferedReader(raw, CHUNK) if isinstance(raw, io.RawIOBase) else raw
    with archive_errors(where):
        packed = buffered.peek(2)[:2] == b"\x1f\x8b"
        stream = gzip.GzipFile(fileobj=buffered) if packed else buffered
        with tarfile.open(fileobj=stream, mode="r|", bufsize=CHUNK, tarinfo=_StrictTarInfo) as archive:
            while (info := archive.next()) is not None:
                # Else the list of a large archive fills the memory.
                archive.members.clear()  # type: ignore[attr-defined]  # not in typeshed
                if not info.isdir():
                    yield _tar_member(archive, info, batch, key)
            # A gzip'd one has its checksum at the end; a plain one that is cut between two members has nothing else.
            if not packed and not getattr(archive, "ended", False):
                raise tarfile.ReadError("it ends without the mark of its end")
        while stream.read(CHUNK):  # gzip compares its checksum at the very end
            pass


def _tar_member(archive: tarfile.TarFile, info: tarfile.TarInfo, batch: str, key: Callable[[str], str]) -> Member:
    place = f"{batch}: {shown(info.name)}"
    refused = unsafe(info.name, info.size)
    if info.issparse():
        refused = "it is a sparse file"
    if not info.isfile():
        refused = "it is a link" if info.issym() or info.islnk() else "it is no regular file"
    content = None if refused else lambda: cast(BinaryIO, archive.extractfile(info))  # None for folders and devices
    return Member(key(info.name), place, info.size, content, refused)


def open_zip(path: Path) -> zipfile.ZipFile:
    """A zip archive opened for reading, or a UserError."""
    with archive_errors(str(path)):
        return zipfile.ZipFile(regular(path))


def zip_members(path: Path, key: Callable[[str], str]) -> Iterator[Member]:
    """The files of a zip archive, in its order, read in place."""
    with open_zip(path) as archive:
        for info in archive.infolist():
            if info.is_dir():
                continue
            refused = unsafe(info.filename, info.file_size)
            if stat.S_ISLNK(info.external_attr >> 16):
                refused = "it is a link"
            content = None if refused else partial(_opened, archive, info)
            place = f"{path.name}: {shown(info.filename)}"
            yield Member(key(info.filename), place, info.file_size, content, refused)


def _opened(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> BinaryIO:
    return cast(BinaryIO, SmallReads(archive.open(info)))  # which io's own classes are not, for the type checker


def zip_text(archive: zipfile.ZipFile, name: str, where: str) -> bytes:
    """A small member's content, such as a list; damage, or more than LARGEST_TEXT, is a UserError."""
    with archive_errors(where):
        info = archive.getinfo(name)
        if info.file_size > LARGEST_TEXT:
            raise UserError(f"{where}: it claims {info.file_size} bytes: get the publisher's file again")
        with _opened(archive, info) as stream:
            return stream.read()


def stem(name: str) -> str:
    """A member's file name without folders and suffix, e.g. the id of a Kinetics clip."""
    return PurePosixPath(name.replace("\\", "/")).stem
