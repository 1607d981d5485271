"""Publication, the result of a reader: classes, annotated clips, and batches of files that hold their videos."""

import hashlib
import json
import re
from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from multitrain.common.files.atomic import special
from multitrain.common.files.filenames import as_bytes, as_text, shown
from multitrain.config.scale import Download
from multitrain.data.manifest import Missing

__all__ = [
    "PLAIN_NAME",
    "SPLIT_OF",
    "AnnotatedClip",
    "Batch",
    "Member",
    "Publication",
    "RemoteArchive",
    "distinct",
    "safe_id",
    "youtube_video",
]

PLAIN_NAME = re.compile(r"[A-Za-z0-9_+-][A-Za-z0-9_.+-]{0,199}")
YOUTUBE_NAME = re.compile(r"([\w-]{11})_\d{6}_\d{6}|v_([\w-]{11})(?:_.*)?|yt-([\w-]{11})_\d+", re.ASCII)
SPLIT_OF = {"train": "train", "training": "train", "val": "test", "validate": "test", "validation": "test"}


@dataclass(frozen=True, slots=True)
class AnnotatedClip:
    """One clip as the publisher annotates it."""

    clip_id: str
    video_id: str
    split: str  # the publisher's training split is train, its validation split is test
    publisher_split: str
    label: str
    start: float | None  # seconds in the source video
    end: float | None
    key: str  # of its video in the batches

    def missing(self, reason: str, detail: str) -> Missing:
        """The row of missing.csv for this clip."""
        return Missing(self.clip_id, self.video_id, self.publisher_split, self.label, reason, detail)


@dataclass(frozen=True)
class Member:
    """One video of a batch: a file, or a member of an archive, which must be read before the next one."""

    key: str
    where: str  # archive and member, for messages
    size: int  # bytes
    content: Path | Callable[[], BinaryIO] | None  # None where it is refused
    refused: str = ""  # why it is not read
    absent: str = ""  # why there is no such video, where the reason is known

    @classmethod
    def of_file(cls, key: str, path: Path) -> "Member | None":
        """The member for a file on disk, refused where it is a pipe, device or the like; None for no file."""
        if kind := special(path):
            return cls(key, shown(key), 0, None, f"it is {kind}, not a regular file")
        return cls(key, shown(key), path.stat().st_size, path) if path.is_file() else None


@dataclass(frozen=True)
class RemoteArchive:
    """An archive on the publisher's server."""

    url: str
    path: Path  # of the downloaded file
    place: str  # list and line with its address

    @property
    def record(self) -> Path:
        """The JSON record of the download."""
        return self.path.with_name(f"{self.path.name}.json")

    def state(self) -> tuple | None:
        """Address, size and hash from the record of the download; None before it."""
        try:
            noted = json.loads(self.record.read_bytes())
            return (self.url, noted["bytes"], noted["blake2b"]) if noted["url"] == self.url else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def from_user(self) -> bool:
        """Whether the user put the archive there: it exists and has no record of a download."""
        return self.path.is_file() and not self.record.is_file()


@dataclass(frozen=True)
class Batch:
    """Videos that are read together: an archive, or a folder of files."""

    name: str
    members: Callable[[], Iterator[Member]]
    files: tuple[Path, ...] = ()  # unchanged files are not read again; without files the members are always listed
    remote: RemoteArchive | None = None  # the one file, where it is downloaded
    only: Callable[[Container[str]], Iterator[Member]] | None = (
        None  # members of some keys, where others would be downloaded
    )
    check_first: bool = False  # read once to its end before its first videos are transcoded

    def state(self) -> tuple | None:
        """Sizes and times of the files, to detect a change; None where there are none."""
        if self.remote is not None:
            return self.remote.state()
        return tuple((path.stat().st_size, path.stat().st_mtime_ns) for path in self.files) or None


@dataclass(frozen=True)
class Publication:
    """Everything one publisher ships, before any video is decoded."""

    classes: tuple[str, ...]  # in the publisher's order
    clips: tuple[AnnotatedClip, ...]
    missing: tuple[Missing, ...]  # annotated clips that cannot be made
    batches: tuple[Batch, ...]  # the first that has a video wins
    cut: bool = False  # clips are parts of their videos; else start and end are only recorded
    download: Download | None = None  # how remote batches are fetched


def youtube_video(stem: str) -> str | None:
    """v_{id} where a file's name without suffix contains a YouTube id."""
    match = YOUTUBE_NAME.fullmatch(stem)
    return f"v_{next(filter(None, match.groups()))}" if match else None


def safe_id(text: str) -> str:
    """A clip id that is a plain file name: the text itself where it is one, else a readable part and a hash."""
    if PLAIN_NAME.fullmatch(text):
        return text
    text = as_text(text)  # the same in every locale
    readable = re.sub(r"[^A-Za-z0-9_+-]+", "_", text).strip("_")[:100]
    return f"{readable or 'clip'}-{hashlib.blake2b(as_bytes(text), digest_size=6).hexdigest()}"


def distinct(clips: Iterable[AnnotatedClip]) -> tuple[list[AnnotatedClip], list[Missing]]:
    """The first clip of each id, and the others as missing. Callers list test clips first, which are kept."""
    kept: dict[str, AnnotatedClip] = {}
    duplicates = []
    for clip in clips:
        if clip.clip_id in kept:
            other = kept[clip.clip_id]
            detail = f"the same clip is in {other.publisher_split} as {other.label!r}"
            duplicates.append(clip.missing("duplicate", detail))
        else:
            kept[clip.clip_id] = clip
    return list(kept.values()), duplicates
