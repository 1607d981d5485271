"""Input videos of a command: files, folders of videos, and URLs."""

import os
import stat
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from urllib.parse import quote, unquote, urlsplit

from multitrain.common.errors import UserError
from multitrain.datasets.fetch.http_download import Downloader, WrongContent, excerpt
from multitrain.datasets.formats.video_files import SUFFIXES, has_video_suffix
from multitrain.inference.answers import Failure

__all__ = ["is_address", "local_file", "videos"]

NONE = f"a folder without videos: looked for names in it that end in {', '.join(sorted(SUFFIXES))}"
LARGEST = 2 << 30  # bytes of a downloaded file
ATTEMPTS = 3
SAFE = "%/:?#[]@!$&'()*+,;=~"  # characters of a URL that are not quoted
KEPT = "; what has come is kept and continued"  # not true for a temporary folder
PAGES = (b"<!doctype html", b"<html", b"<?xml", b"{")


def is_address(name: str) -> bool:
    """Whether a name is an http(s) address."""
    return name.lower().startswith(("http://", "https://"))


def videos(names: Iterable[str]) -> list[str | Failure]:
    """The videos and failures, in order; a folder stands for the videos in and below it, sorted.

    A named file may have any suffix; a file that is no video fails when it is read.
    """
    found: list[str | Failure] = []
    for name in names:
        if is_address(name):
            found.append(name)
            continue
        try:
            kind = os.stat(name).st_mode
        except (OSError, ValueError) as error:
            found.append(Failure(name, _absent(name, error)))
            continue
        if stat.S_ISDIR(kind):
            inside = _inside(Path(name))
            found += inside or [Failure(name, NONE)]
        elif stat.S_ISREG(kind):
            found.append(name)
        else:
            found.append(Failure(name, "neither a file nor a folder"))
    return found


def _absent(name: str, error: OSError | ValueError) -> str:
    if not name.strip():
        return "an empty name: a variable of the shell may not be set"
    if "://" in name:
        return "an address that is not http or https: fetch it by other means and name the file"
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return "no such file or folder"
    return f"cannot be looked at: {getattr(error, 'strerror', None) or error}"


def _inside(folder: Path) -> list[str | Failure]:
    """Videos by suffix, sorted, and unreadable folders; hidden entries and linked folders are left out."""
    found: list[str | Failure] = []

    def add_failure(error: OSError) -> None:
        found.append(Failure(str(error.filename), f"cannot be looked into: {error.strerror or error}"))

    for where, folders, files in os.walk(folder, onerror=add_failure):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        names = (name for name in sorted(files) if not name.startswith("."))
        found += [str(Path(where, name)) for name in names if has_video_suffix(Path(name))]
    return found


@contextmanager
def local_file(name: str, folder: Path | str, largest: int = LARGEST) -> Iterator[Path]:
    """The local file of a name; a URL is downloaded into `folder` and deleted afterwards.

    Raises:
        UserError: the download fails, is larger than `largest` bytes, or is a web page.
    """
    if not is_address(name):
        yield Path(name)
        return
    with tempfile.TemporaryDirectory(dir=folder) as own:
        last = PurePosixPath(unquote(urlsplit(name).path)).name
        target = Path(own, f"video{PurePosixPath(last).suffix.lower()[:8]}")
        try:
            Downloader(ATTEMPTS).fetch(quote(name, SAFE), target, lambda _: None, _limit(largest))
        except WrongContent as error:
            raise UserError(f"{name}: {error}: give the address of a video file") from None
        except UserError as error:
            raise UserError(str(error).removesuffix(KEPT)) from None
        with target.open("rb") as stream:
            start = stream.read(200)
        if not start or start.lstrip().lower().startswith(PAGES):
            what = f"a page ({excerpt(start)})" if start else "nothing"
            raise UserError(f"{name}: the server sends {what}: give the address of a video file")
        yield target


def _limit(largest: int) -> Callable[[int, int | None], None]:
    """A progress callback that stops a download that is too large."""

    def report(there: int, total: int | None) -> None:
        if max(there, total or 0) > largest:
            raise WrongContent(f"more than {largest / (1 << 20):g} MiB")

    return report
