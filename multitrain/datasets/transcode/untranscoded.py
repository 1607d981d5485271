"""Videos of a path-label list that are used without transcoding: frames, rate and size are read from each file.

Training chooses frames by time, frame i at i / fps seconds (data/decode.py). A file with other times, or a rotated
one, is listed as missing. The check reads the times in the file and its first frame;
`multitrain data check --all` decodes all of it.
"""

from collections.abc import Callable
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import cast

import numpy as np

from multitrain.common.files.filenames import as_text
from multitrain.common.process_pool import process_map
from multitrain.config.scale import Limits
from multitrain.datasets.publication import Member, Publication
from multitrain.datasets.transcode.encode_clip import Clip
from multitrain.datasets.transcode.journal import Record
from multitrain.datasets.transcode.refused import STILL, Refused, TooShort, Undecodable
from multitrain.datasets.transcode.source_video import Video, rotation

__all__ = ["UntranscodedFiles"]

SLACK = 0.2  # of a frame's duration; data/decode.py asks for 0.25
NO_TEXT = "its path is no text that a manifest can hold"
CURE = "take it in with prepared: false"


class UntranscodedFiles:
    """Records of files that stay in place. The interface is that of `Transcoding`; no clip is written."""

    def __init__(self, publication: Publication, folder: Path, limits: Limits):
        self.publication, self.folder, self.limits = publication, folder, limits
        self.records: dict[str, Record] = {}  # by clip id
        self.refused: dict[str, str] = {}  # by key
        self._paths: dict[str, Path] = {}  # by clip id

    def path(self, clip_id: str) -> str:
        """The manifest's path of a clip: relative to its folder where the file is in it, else absolute."""
        return _path(self._paths[clip_id], self.folder)

    def run(self, jobs: int, progress: Callable[[int, int], None] | None = None) -> None:
        """Fill `records`. `progress` gets (clips done, clips in all)."""
        clips = {clip.key: clip.clip_id for clip in self.publication.clips}
        members: list[Member] = []
        for batch in self.publication.batches:
            for member in batch.members():
                if member.refused:
                    self.refused[member.key] = f"{member.where}: refused, {member.refused}"
                elif member.key in clips:
                    members.append(member)
        files = (cast(Path, member.content) for member in members)  # there are no archives beside such a list
        found = process_map(partial(probe, limits=self.limits), files, jobs, self.limits.seconds)
        for number, (member, (path, result)) in enumerate(zip(members, found, strict=True), 1):
            clip_id = clips[member.key]
            self._paths[clip_id] = path
            if not _path(path, self.folder).isprintable():
                result = "undecodable", f"{NO_TEXT}: rename it, or {CURE}"
            self.records[clip_id] = _record(clip_id, member, result)
            if progress:
                progress(number, len(self.publication.clips))
        if progress:
            progress(len(self.publication.clips), len(self.publication.clips))


def _path(file: Path, folder: Path) -> str:
    file, folder = file.absolute(), folder.absolute()
    return as_text(file.relative_to(folder).as_posix() if file.is_relative_to(folder) else file.as_posix())


def _record(clip_id: str, member: Member, result: Clip | tuple[str, str] | str) -> Record:
    if isinstance(result, Clip):
        return Record(clip_id, "", "", result.frames, result.fps, result.width, result.height, member.size)
    reason, detail = ("undecodable", result) if isinstance(result, str) else result
    return Record(clip_id, "", "", reason=reason, detail=f"{member.where}: {detail}")


def probe(path: Path, limits: Limits) -> Clip | tuple[str, str]:
    """Frames, rate and size of a file, or (reason, detail) where it cannot be used as it is."""
    if not path.stat().st_size:
        return "empty", "a file of 0 bytes"
    try:
        with Video(path, limits) as video:
            _, frame = next(video.frames(), (None, None))
            if frame is None:
                raise Undecodable(video.last_error or "no frame in the file")
            header = video.header_rate
            if rotation(frame):
                raise Undecodable(f"it is stored turned: {CURE}")
        times = _times(path, limits)
        return Clip(len(times), _rate(times, header, limits), frame.width, frame.height)
    except Refused as error:
        return error.reason, str(error)
    except (ArithmeticError, ValueError) as error:  # malformed times and rates
        return "undecodable", f"makes no sense ({' '.join(str(error).split())})"


def _times(path: Path, limits: Limits) -> np.ndarray:
    """Times of the packets in seconds, sorted."""
    with Video(path, limits) as video:
        stamps, base = video.stamps()
    if None in stamps:
        raise Undecodable(f"its frames have no times: {CURE}")
    if len(stamps) < 2:
        raise TooShort(STILL) if stamps else Undecodable("no frame in the file")
    return np.sort(np.array(stamps, np.int64)) * float(base)


def _rate(times: np.ndarray, header: Fraction | None, limits: Limits) -> float:
    """Frames a second, where frame i is at i / rate seconds."""
    length = times[-1] - times[0]
    if not 0 < length <= 60 * limits.minutes:
        raise Undecodable(f"its frames span {length:.1f} s")
    measured = Fraction((len(times) - 1) / length).limit_denominator(1001)
    for rate in (header, measured):
        exact = float(np.float32(rate or 0))  # as the manifest keeps it
        if exact and np.abs(times * exact - np.arange(len(times))).max() < SLACK:
            return exact
    raise Undecodable(f"its frames are not at a constant rate from 0 s on ({float(measured):.2f} a second): {CURE}")
