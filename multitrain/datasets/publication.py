"""The result of a reader: classes, annotated clips, and the batches of files that hold their videos."""

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
    "OURS",
    "PLAIN",
    "Annotated",
    "Batch",
    "Member",
    "Publication",
    "Remote",
    "distinct",
    "safe_id",
    "youtube_video",
]

PLAIN = re.compile(r"[A-Za-z0-9_+-][A-Za-z0-9_.+-]{0,199}")
AT_YOUTUBE = re.compile(r"([\w-]{11})_\d{6}_\d{6}|v_([\w-]{11})(?:_.*)?|yt-([\w-]{11})_\d+", re.ASCII)
OURS = {"train": "train", "training": "train", "val": "test", "validate": "test", "validation": "test"}


@dataclass(frozen=True, slots=True)
class Annotated:
    """One clip as the publisher annotates it."""

    clip_id: str
    video_id: str
    split: str  # ours: the publisher's training is train, its validation is test
    publisher_split: str
    label: str
    start: float | None  # seconds in the source video
    end: float | None
    key: str  # by which the batches name its video

    def missing(self, reason: str, detail: str) -> Missing:
        """The line of missing.csv for this clip."""
        return Missing(self.clip_id, self.video_id, self.publisher_split, self.label, reason, detail)


@dataclass(frozen=True)
class Member:
    """One video of a batch: a file, or a part of an archive that must be read before the next member is asked for."""

    key: str
    where: str  # archive and member, for messages
    size: int  # bytes
    content: Path | Callable[[], BinaryIO] | None  # None where `refused` says why it is not touched
    refused: str = ""
    absent: str = ""  # why there is no such video, where that is known

    @classmethod
    def of_file(cls, key: str, path: Path) -> "Member | None":
        """The member for a file on disk, refused where it is a pipe, device or the like; None for no file."""
        if kind := special(path):
            return cls(key, shown(key), 0, None, f"it is {kind}, not a regular file")
        return cls(key, shown(key), path.stat().st_size, path) if path.is_file() else None


@dataclass(frozen=True)
class Remote:
    """An archive at its publisher's."""

    url: str
    path: Path  # where it lies while it is read
    place: str  # list and line that name it

    @property
    def note(self) -> Path:
        """Where it is noted what was fetched."""
        return self.path.with_name(f"{self.path.name}.json")

    def state(self) -> tuple | None:
        """What tells one content from another, known without the archive; None before its download."""
        try:
            noted = json.loads(self.note.read_bytes())
            return (self.url, noted["bytes"], noted["blake2b"]) if noted["url"] == self.url else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def brought(self) -> bool:
        """Whether the archive is there and was not fetched by us."""
        return self.path.is_file() and not self.note.is_file()


@dataclass(frozen=True)
class Batch:
    """Videos that are read together: an archive, or a folder of files."""

    name: str
    members: Callable[[], Iterator[Member]]
    files: tuple[Path, ...] = ()  # unchanged files need not be read again; without any the members are always walked
    remote: Remote | None = None  # the one file, where it is fetched to be read
    only: Callable[[Container[str]], Iterator[Member]] | None = None  # those of some keys, where others cost a fetch
    proved: bool = False  # read once to its end before hours are spent on its first videos

    def state(self) -> tuple | None:
        """What is the same as long as the files are; None where that cannot be known."""
        if self.remote is not None:
            return self.remote.state()
        return tuple((path.stat().st_size, path.stat().st_mtime_ns) for path in self.files) or None


@dataclass(frozen=True)
class Publication:
    """Everything one publisher ships, before any video is decoded."""

    classes: tuple[str, ...]  # in the publisher's order
    clips: tuple[Annotated, ...]
    missing: tuple[Missing, ...]  # annotated, but no clip can come of it
    batches: tuple[Batch, ...]  # the first that has a video wins
    cut: bool = False  # clips are parts of their videos; else start and end are only recorded
    download: Download | None = None  # how remote batches are fetched


def youtube_video(stem: str) -> str | None:
    """The video v_{id} where a file's name without suffix has the id at YouTube."""
    match = AT_YOUTUBE.fullmatch(stem)
    return f"v_{next(filter(None, match.groups()))}" if match else None


def safe_id(text: str) -> str:
    """A clip id that is a plain file name: the text itself where it is one, else a readable part and a hash."""
    if PLAIN.fullmatch(text):
        return text
    text = as_text(text)  # else the locale would be in it
    readable = re.sub(r"[^A-Za-z0-9_+-]+", "_", text).strip("_")[:100]
    return f"{readable or 'clip'}-{hashlib.blake2b(as_bytes(text), digest_size=6).hexdigest()}"


def distinct(clips: Iterable[Annotated]) -> tuple[list[Annotated], list[Missing]]:
    """The first clip of each id, and the others as missing. Test clips go first, so that those stay."""
    kept: dict[str, Annotated] = {}
    duplicates = []
    for clip in clips:
        if clip.clip_id in kept:
            other = kept[clip.clip_id]
            detail = f"the same clip is in {other.publisher_split} as {other.label!r}"
            duplicates.append(clip.missing("duplicate", detail))
        else:
            kept[clip.clip_id] = clip
    return list(kept.values()), duplicates
