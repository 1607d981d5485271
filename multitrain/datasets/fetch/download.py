"""Downloads of a dataset: annotation files and lists at once, archives in the background while others are read.

An archive is downloaded as NAME.part, read to its last byte, and then renamed. NAME.json beside it records its address,
size and hash. The record stays when the archive is deleted: a later run knows from it what was read. Archives from the
user have no record and are never deleted.
"""

import hashlib
import io
import re
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, urljoin, urlsplit

from multitrain.common.errors import UserError
from multitrain.common.files.atomic import read_bytes
from multitrain.common.files.json_files import write_json
from multitrain.common.progress import progress
from multitrain.config.scale import Download
from multitrain.datasets.annotations import decode_text
from multitrain.datasets.fetch.archives import tar_members
from multitrain.datasets.fetch.http_download import Cancelled, Downloader, WrongContent, excerpt
from multitrain.datasets.publication import PLAIN_NAME, RemoteArchive

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

__all__ = ["ArchiveDownloads", "annotations", "archive", "archives_in_list"]

ARCHIVE = re.compile(r".*\.(tar\.gz|tgz|tar)")
MEGABYTE = 1_000_000


def address(base: str, text: str, place: str) -> str:
    """The absolute URL of `text`, which may be relative to `base`."""
    try:
        url = urljoin(base if not base or base.endswith("/") else f"{base}/", text.strip())
        scheme, host = urlsplit(url)[:2]
    except ValueError as error:
        raise UserError(f"{place}: {text!r} is no address ({error}): correct it") from None
    if scheme not in ("http", "https") or not host:
        raise UserError(f"{place}: {text!r} gives no http address: correct it, or download.base_url of this dataset")
    return quote(url, safe="%/:=&?~#+!$,;'@()*[]")


def file_name(url: str, place: str) -> str:
    """The last part of a URL, which must be a plain file name."""
    name = urlsplit(url).path.rsplit("/", 1)[-1]
    if not PLAIN_NAME.fullmatch(name):
        raise UserError(f"{place}: {name!r} at the end of {url} is no plain file name: correct this line")
    return name


def annotations(raw: Path, settings: Download | None) -> None:
    """Download the annotation files of the settings that are not yet in `raw`/annotations."""
    if settings is None:
        return
    for name, text in settings.annotations.items():
        place = f"download.annotations.{name}"
        if not PLAIN_NAME.fullmatch(name):
            raise UserError(f"{place}: {name!r} is no plain file name: correct it")
        fetch_text_file(settings, text, raw / "annotations" / name, place)


def fetch_text_file(settings: Download, text: str, target: Path, place: str) -> Path:
    """An annotation file or a list, downloaded unless it exists."""
    if not target.is_file():
        Downloader(settings.attempts).fetch(address(settings.base_url, text, place), target, _require_text)
    return target


def archives_in_list(settings: Download, text: str, folder: Path, place: str) -> list[RemoteArchive]:
    """The archives of a list, which is downloaded into `folder` unless it exists.

    A list is not trusted: it can name addresses of its own host only.
    """
    source = address(settings.base_url, text, place)
    path = fetch_text_file(settings, text, folder / file_name(source, place), place)
    found: dict[Path, RemoteArchive] = {}
    for number, line in enumerate(decode_text(read_bytes(path), str(path)).splitlines(), 1):
        if not line.strip():
            continue
        remote = archive(settings.base_url or source, line, folder, f"{path}:{number}")
        if urlsplit(remote.url)[:2] != urlsplit(source)[:2]:
            raise UserError(
                f"{remote.place}: {line.strip()!r} is at another host than the list, {source}: "
                "correct it, or delete the file, and it is fetched again"
            )
        other = found.setdefault(remote.path, remote)
        if other.url != remote.url:
            raise UserError(f"{remote.place}: {remote.path.name} is in {other.place}, too, from another address")
    if not found:
        raise UserError(f"{path}: lists no archive: delete it, and it is fetched again")
    return list(found.values())


def archive(base: str, text: str, folder: Path, place: str) -> RemoteArchive:
    """One archive, to be downloaded into `folder`."""
    url = address(base, text, place)
    name = file_name(url, place)
    if not ARCHIVE.fullmatch(name):
        raise UserError(f"{place}: {name!r} is no archive (.tar.gz, .tgz, .tar): correct this line")
    return RemoteArchive(url, folder / name, place)


def _require_text(path: Path) -> None:
    with path.open("rb") as stream:
        start = stream.read(200)
    if not start.strip() or start.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"<":
        raise WrongContent(f"what came is no text file but {excerpt(start)!r}")


class _Hashing(io.RawIOBase):
    """A file that is hashed while it is read, from start to end."""

    def __init__(self, stream: io.BufferedReader):
        self._stream, self.state = stream, hashlib.blake2b(digest_size=16)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        count = self._stream.readinto(buffer)
        self.state.update(memoryview(buffer)[:count])
        return count


def _verified_digest(path: Path, name: str) -> str:
    """The hash of an archive that was read to its last byte.

    Raises:
        WrongContent: it is damaged or no archive.
    """
    with path.open("rb") as stream:
        start = stream.read(200)
        if name.endswith("gz") and start[:2] != b"\x1f\x8b":
            raise WrongContent(f"what came is no gzip archive but {excerpt(start)!r}")
        stream.seek(0)
        hashing = _Hashing(stream)
        try:
            for _ in tar_members(hashing, name, name, str):  # reads on to the last byte
                pass
        except UserError as error:
            raise WrongContent(str(error)) from None
        return hashing.state.hexdigest()


class ArchiveDownloads:
    """Downloads of archives in the background, in the order in which they will be read. Use it in a `with` block.

    `max_archives` bounds how many are on the disk, with the current download. It is exceeded by one in one case: the
    publisher has replaced an archive that is downloaded again, and others must be read again for it.
    """

    def __init__(self, settings: Download):
        self.settings = settings
        self._downloader = Downloader(settings.attempts)
        self._slots = threading.Semaphore(settings.max_archives)
        self._thread = ThreadPoolExecutor(1)
        self._pending: dict[Path, Future] = {}
        self._stopped = False

    def __enter__(self) -> "ArchiveDownloads":
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped = True
        self._downloader.stop()
        self._slots.release()  # wakes the waiting thread
        self._thread.shutdown(cancel_futures=True)

    def start(self, wanted: list[RemoteArchive], known: list[RemoteArchive]) -> None:
        """Start to download the `wanted`; files left of the `known`, which are not read again, are deleted."""
        if not self.settings.keep_archives:
            for remote in [*known, *wanted[self.settings.max_archives :]]:
                _delete(remote)
        for number, remote in enumerate(wanted, 1):
            label = f"download {remote.path.name} ({number} of {len(wanted)})"
            self._pending[remote.path] = self._thread.submit(self._fetch_when_room, remote, label)

    def is_pending(self, remote: RemoteArchive | None) -> bool:
        """Whether its download is running or waiting."""
        return remote is not None and remote.path in self._pending

    @contextmanager
    def available(self, remote: RemoteArchive | None) -> Iterator[None]:
        """The archive is at its path within the block, and deleted when the block ends without an error."""
        if remote is None:
            yield
            return
        pending = self._pending.pop(remote.path, None)
        if pending is None:
            self._fetch(remote, f"download {remote.path.name}")
        else:
            pending.result()
        yield
        if not self.settings.keep_archives:
            _delete(remote)
        if pending is not None:
            self._slots.release()

    def _fetch_when_room(self, remote: RemoteArchive, label: str) -> None:
        if not self.settings.keep_archives:
            self._slots.acquire()
        if self._stopped:
            raise Cancelled
        self._fetch(remote, label)

    def _fetch(self, remote: RemoteArchive, label: str) -> None:
        if remote.path.is_file() and remote.state() is not None:
            return
        bar = None

        def report(done: int, total: int | None) -> None:
            nonlocal bar
            done, total = done // MEGABYTE, total and -(-total // MEGABYTE)
            bar = bar or progress(label, "megabyte", total, done)
            bar.total = total
            bar.update(done - bar.n)

        def check(part: Path) -> None:
            digest = _verified_digest(part, remote.path.name)
            content = {"url": remote.url, "bytes": part.stat().st_size, "blake2b": digest}
            write_json(remote.record, content, indent=1)  # before the archive: without it that would be the user's

        try:
            self._downloader.fetch(remote.url, remote.path, check, report)
        except UserError as error:
            raise UserError(f"{remote.place}: {error}") from None
        finally:
            if bar:
                bar.close()


def _delete(remote: RemoteArchive) -> None:
    """Delete a downloaded archive or the part of it; its record stays."""
    for name in ("", ".part", ".part.version"):
        remote.path.with_name(remote.path.name + name).unlink(missing_ok=True)
