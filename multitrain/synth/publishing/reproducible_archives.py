"""Reproducible tar, zip and text files: no dates, owners or permissions of this machine."""

import csv
import gzip
import io
import json
import tarfile
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from multitrain.common.files.atomic import atomic

__all__ = ["csv_text", "dump", "tar_gz", "tar_gz_at", "write", "zip_at"]

Add = Callable[[str, bytes], None]

EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest date that zip knows


@contextmanager
def tar_gz(file: BinaryIO) -> Iterator[Add]:
    """Yield a function that adds a member to the gzip'd tar written to an open file."""
    with (
        gzip.GzipFile(filename="", mode="wb", fileobj=file, compresslevel=1, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive,
    ):

        def add(name: str, content: bytes) -> None:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))

        yield add


@contextmanager
def tar_gz_at(path: Path) -> Iterator[Add]:
    """Yield a function that adds a member to a gzip'd tar file, written atomically."""
    with atomic(path) as temporary, temporary.open("wb") as file, tar_gz(file) as add:
        yield add


@contextmanager
def zip_at(path: Path) -> Iterator[Add]:
    """Yield a function that adds a member to a zip file, written atomically."""
    with atomic(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
        yield lambda name, content: archive.writestr(zipfile.ZipInfo(name, EPOCH), content)


def write(path: Path, content: bytes | str) -> None:
    """Write a file atomically."""
    with atomic(path) as temporary:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)


def dump(value: object, indent: int | None = None) -> str:
    """JSON with the keys in their given order."""
    return json.dumps(value, indent=indent, ensure_ascii=False)


def csv_text(rows: Iterable[Iterable[object]]) -> str:
    """Rows as CSV."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()
