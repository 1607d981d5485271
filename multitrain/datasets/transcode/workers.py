"""Transcoding in a process pool: a crash or hang of a decoder costs one video, never the preparation.

The results do not depend on how many processes there are.
"""

import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from multitrain.common.errors import UserError
from multitrain.common.process_pool import ProcessPool
from multitrain.config.scale import Limits, Transcode
from multitrain.datasets.transcode.encode_clip import transcode
from multitrain.datasets.transcode.journal import Record
from multitrain.datasets.transcode.refused import OverLimit, Refused
from multitrain.datasets.transcode.source_video import DEFAULT

__all__ = ["Piece", "Task", "TranscodePool"]

MALFORMED = (ArithmeticError, ValueError)  # Python's errors for malformed numbers of a decoder


@dataclass(frozen=True)
class Piece:
    """One clip to make of a task's video."""

    clip_id: str
    source: str  # for the record
    target: Path
    start: float | None
    end: float | None


@dataclass(frozen=True)
class Task:
    """One video and the clips to make of it."""

    batch: str
    where: str
    content: bytes | Path
    pieces: tuple[Piece, ...]
    settings: Transcode

    def refused(self, reason: str, detail: str, done: int = 0, limited: bool = False) -> list[Record]:
        """Records with the same reason for every clip but the first `done`."""
        return [refusal(self, piece, reason, detail, limited) for piece in self.pieces[done:]]


def refusal(task: Task, piece: Piece, reason: str, detail: str, limited: bool = False) -> Record:
    """The record of a clip that is not made."""
    return Record(piece.clip_id, task.batch, piece.source, reason=reason, detail=detail, limited=limited)


def make(task: Task, limits: Limits) -> Iterator[Record]:
    """Make a task's clips one after another."""
    for piece in task.pieces:
        yield _make(task, piece, limits)


def _make(task: Task, piece: Piece, limits: Limits) -> Record:
    source = task.content if isinstance(task.content, Path) else io.BytesIO(task.content)
    try:
        clip = transcode(source, piece.target, task.settings, piece.start, piece.end, limits)
    except Refused as error:
        return refusal(task, piece, error.reason, f"{task.where}: {error}", isinstance(error, OverLimit))
    except MALFORMED as error:
        words = " ".join(str(error).split())
        return refusal(task, piece, "undecodable", f"{task.where}: makes no sense ({type(error).__name__}: {words})")
    except MemoryError:
        return refusal(task, piece, "undecodable", f"{task.where}: not enough memory for its frames", limited=True)
    except OSError as error:  # reading errors are a Refused
        raise UserError(f"{piece.target.parent}: a clip could not be written: {error.strerror or error}") from None
    size = piece.target.stat().st_size
    return Record(piece.clip_id, task.batch, piece.source, clip.frames, clip.fps, clip.width, clip.height, size)


class TranscodePool(ProcessPool[Task, Record]):
    """A process pool that makes the clips of videos. The limit of time is for each clip, not for a video's clips."""

    def __init__(self, jobs: int, limits: Limits = DEFAULT):
        super().__init__(partial(make, limits=limits), jobs, limits.seconds)

    def transcode(self, videos: Iterable[Task]) -> Iterator[tuple[Task, list[Record]]]:
        """Each video with a record of each of its clips, as they finish."""
        for task in self.map(videos, ordered=False):
            video, records, ended = task.item, task.results, task.ended
            if ended is not None:
                detail = f"{video.where}: {ended.detail}"
                records = records + video.refused("undecodable", detail, len(records), ended.limited)
            yield video, records
