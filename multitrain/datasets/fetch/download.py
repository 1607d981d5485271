"""Downloads of a dataset: annotation files and lists at once, archives in the background while others are read.

An archive is fetched as NAME.part, read through to its last byte, and only then renamed: what is not whole is never
counted. Beside it NAME.json notes where it came from. That stays when the archive is deleted, so that a later run
knows what it has read without having it, and archives that the user brought, which have no such note, are left alone.
"""

import hashlib
import io
import json
import re
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, urljoin, urlsplit

from multitrain.common.errors import UserError
from multitrain.common.files.atomic import atomic, read_bytes
from multitrain.common.progress import progress
from multitrain.config.scale import Download
from multitrain.datasets.annotations import decoded
from multitrain.datasets.fetch.archives import tar_members
from multitrain.datasets.fetch.http_download import Downloader, Stopped, Unusable, first_words
from multitrain.datasets.publication import PLAIN, Remote

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

__all__ = ["Archives", "annotations", "archive", "listed"]

ARCHIVE = re.compile(r".*\.(tar\.gz|tgz|tar)")
MEGABYTE = 1_000_000


def address(base: str, text: str, place: str) -> str:
    """The URL that `text` means: itself, or what follows `base`."""
    try:
        url = urljoin(base if not base or base.endswith("/") else f"{base}/", text.strip())
        scheme, host = urlsplit(url)[:2]
    except ValueError as error:
        raise UserError(f"{place}: {text!r} is no address ({error}): correct it") from None
    if scheme not in ("http", "https") or not host:
        raise UserError(f"{place}: {text!r} gives no http address: correct it, or download.base_url of this dataset")
    return quote(url, safe="%/:=&?~#+!$,;'@()*[]")


def file_name(url: str, place: str) -> str:
    """The last part of an address, if it is a plain file name."""
    name = urlsplit(url).path.rsplit("/", 1)[-1]
    if not PLAIN.fullmatch(name):
        raise UserError(f"{place}: {name!r} at the end of {url} is no plain file name: correct this line")
    return name


def annotations(raw: Path, settings: Download | None) -> None:
    """Fetch into `raw`/annotations what is not there yet of the annotation files that the settings name."""
    if settings is None:
        return
    for name, text in settings.annotations.items():
        place = f"download.annotations.{name}"
        if not PLAIN.fullmatch(name):
            raise UserError(f"{place}: {name!r} is no plain file name: correct it")
        small_file(settings, text, raw / "annotations" / name, place)


def small_file(settings: Download, text: str, target: Path, place: str) -> Path:
    """An annotation file or a list, fetched where it is not there yet."""
    if not target.is_file():
        Downloader(settings.attempts).fetch(address(settings.base_url, text, place), target, _no_page)
    return target


def listed(settings: Download, text: str, folder: Path, place: str) -> list[Remote]:
    """The archives of a list, which is fetched into `folder` where it is not there yet.

    A list comes from outside, so it can name addresses of its own host only.
    """
    source = address(settings.base_url, text, place)
    path = small_file(settings, text, folder / file_name(source, place), place)
    found: dict[Path, Remote] = {}
    for number, line in enumerate(decoded(read_bytes(path), str(path)).splitlines(), 1):
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


def archive(base: str, text: str, folder: Path, place: str) -> Remote:
    """One archive, to lie in `folder`."""
    url = address(base, text, place)
    name = file_name(url, place)
    if not ARCHIVE.fullmatch(name):
        raise UserError(f"{place}: {name!r} is no archive (.tar.gz, .tgz, .tar): correct this line")
    return Remote(url, folder / name, place)


def _no_page(path: Path) -> None:
    with path.open("rb") as stream:
        start = stream.read(200)
    if not start.strip() or start.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"<":
        raise Unusable(f"what came is no text file but {first_words(start)!r}")


class _Hashing(io.RawIOBase):
    """A file that is hashed as it is read, from its start to its end."""

    def __init__(self, stream: io.BufferedReader):
        self._stream, self.state = stream, hashlib.blake2b(digest_size=16)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        count = self._stream.readinto(buffer)
        self.state.update(memoryview(buffer)[:count])
        return count


def _digest_of_whole(path: Path, name: str) -> str:
    """The hash of an archive that was read to its last byte; Unusable where it is damaged or something else."""
    with path.open("rb") as stream:
        start = stream.read(200)
        if name.endswith("gz") and start[:2] != b"\x1f\x8b":
            raise Unusable(f"what came is no gzip archive but {first_words(start)!r}")
        stream.seek(0)
        hashing = _Hashing(stream)
        try:
            for _ in tar_members(hashing, name, name, str):  # reads on to the last byte
                pass
        except UserError as error:
            raise Unusable(str(error)) from None
        return hashing.state.hexdigest()


class Archives:
    """Archives fetched in the background, in the order in which they will be read. Use it in a `with` block.

    `max_archives` bounds how many lie on the disk, with the one that is being fetched. It is exceeded by one in one
    case: the publisher has replaced an archive that is fetched a second time, and others must be read again for it.
    """

    def __init__(self, settings: Download):
        self.settings = settings
        self._downloader = Downloader(settings.attempts)
        self._room = threading.Semaphore(settings.max_archives)
        self._thread = ThreadPoolExecutor(1)
        self._coming: dict[Path, Future] = {}
        self._stopped = False

    def __enter__(self) -> "Archives":
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped = True
        self._downloader.stop()
        self._room.release()  # wakes the thread if it waits there
        self._thread.shutdown(cancel_futures=True)

    def expect(self, wanted: list[Remote], known: list[Remote]) -> None:
        """Begin to fetch the `wanted`; what an earlier run left of the `known`, which are not read again, goes."""
        if not self.settings.keep_archives:
            for remote in [*known, *wanted[self.settings.max_archives :]]:
                _delete(remote)
        for number, remote in enumerate(wanted, 1):
            label = f"download {remote.path.name} ({number} of {len(wanted)})"
            self._coming[remote.path] = self._thread.submit(self._in_turn, remote, label)

    def expected(self, remote: Remote | None) -> bool:
        """Whether it is being fetched or waits to be."""
        return remote is not None and remote.path in self._coming

    @contextmanager
    def present(self, remote: Remote | None) -> Iterator[None]:
        """The archive lies at its path within the block, and is deleted when the block ends without an error."""
        if remote is None:
            yield
            return
        coming = self._coming.pop(remote.path, None)
        if coming is None:
            self._fetch(remote, f"download {remote.path.name}")
        else:
            coming.result()
        yield
        if not self.settings.keep_archives:
            _delete(remote)
        if coming is not None:
            self._room.release()

    def _in_turn(self, remote: Remote, label: str) -> None:
        if not self.settings.keep_archives:
            self._room.acquire()
        if self._stopped:
            raise Stopped
        self._fetch(remote, label)

    def _fetch(self, remote: Remote, label: str) -> None:
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
            noted = {
                "url": remote.url,
                "bytes": part.stat().st_size,
                "blake2b": _digest_of_whole(part, remote.path.name),
            }
            with atomic(remote.note) as temporary:  # before the archive itself: without it that would pass as brought
                temporary.write_text(json.dumps(noted, indent=1) + "\n")

        try:
            self._downloader.fetch(remote.url, remote.path, check, report)
        except UserError as error:
            raise UserError(f"{remote.place}: {error}") from None
        finally:
            if bar:
                bar.close()


def _delete(remote: Remote) -> None:
    """Remove an archive that was fetched, or what has come of it; its note stays."""
    for name in ("", ".part", ".part.version"):
        remote.path.with_name(remote.path.name + name).unlink(missing_ok=True)
