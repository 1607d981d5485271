"""Timeline of a long video: class probabilities over time as CSV, PNG and an HTML page with the video."""

import csv
import math
import os
import shutil
import tempfile
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from urllib.parse import quote

import numpy as np

from multitrain.common.errors import UserError
from multitrain.common.files.atomic import atomic
from multitrain.common.files.filenames import shown
from multitrain.common.progress import progress
from multitrain.inference.answers import Timeline, Window, best
from multitrain.inference.predict import Recogniser
from multitrain.inference.timelines.curves import draw
from multitrain.inference.timelines.timeline_page import timeline_page
from multitrain.inference.video_frames import ConstantRateVideo, video_errors
from multitrain.inference.video_inputs import is_address, local_file

__all__ = ["make_timeline", "video_seconds", "write_timeline"]

COLUMNS = ("start", "end", "dataset", "rank", "class", "probability")
MOST = 2000  # moments in memory; even, since neighbours are averaged when there are more


class Moments:
    """A running average of windows in bounded memory: beyond `most` moments, neighbours are averaged."""

    def __init__(self, most: int = MOST):
        self.count, self._each, self._waiting = 0, 1, 0  # `each` windows make a moment; `waiting` are not in one yet
        self._times = np.zeros((most, 2))
        self._sums: dict[str, np.ndarray] = {}  # (most, C_k), allocated once

    def add(self, window: Window) -> None:
        """Add the next window."""
        if not self._waiting:
            self._times[self.count, 0] = window.start
        self._times[self.count, 1] = window.end
        for name, scores in window.scores.items():
            if name not in self._sums:
                self._sums[name] = np.zeros((len(self._times), len(scores)), np.float32)
            self._sums[name][self.count] += scores
        self._waiting += 1
        if self._waiting == self._each:
            self.close()
        if self.count == len(self._times):
            self._halve()

    def close(self) -> None:
        """Make a moment of the windows that are not in one yet."""
        if self._waiting:
            for sums in self._sums.values():
                sums[self.count] /= self._waiting
            self.count, self._waiting = self.count + 1, 0

    def _halve(self) -> None:
        self.count //= 2
        self._times[: self.count] = np.stack([self._times[::2, 0], self._times[1::2, 1]], 1)
        for sums in self._sums.values():
            sums[: self.count] = (sums[::2] + sums[1::2]) / 2
            sums[self.count :] = 0
        self._each *= 2

    @property
    def times(self) -> np.ndarray:
        """(N, 2) seconds."""
        return self._times[: self.count]

    @property
    def scores(self) -> dict[str, np.ndarray]:
        """(N, C_k) of each dataset."""
        return {name: sums[: self.count] for name, sums in self._sums.items()}


def video_seconds(recogniser: Recogniser, path: Path | str, datasets: Collection[str] | None = None) -> float:
    """Duration of a video in seconds, by its header where the file is shorter. Packets are read, not decoded.

    Raises:
        UserError: no video.
    """
    with video_errors(path), ConstantRateVideo(Path(path), next(iter(recogniser.plan(datasets)))) as video:
        return video.header_duration


def make_timeline(
    recogniser: Recogniser,
    path: Path | str,
    seconds: float,
    hop: float | None = None,
    datasets: Collection[str] | None = None,
    seen: Callable[[Window], None] = lambda _: None,
) -> Timeline:
    """The timeline of a video of `seconds` in sliding windows; `seen` gets every window before averaging.

    Raises:
        UserError: no video, no such dataset, or a hop that is not positive.
    """
    moments = Moments()
    hop = hop if hop is not None else recogniser.clip_seconds(recogniser.plan(datasets)) / 2
    for window in recogniser.windows(path, hop=hop, datasets=datasets):
        moments.add(window)
        seen(window)
    moments.close()
    if not moments.count:
        raise UserError(f"{path}: nothing of it could be decoded: see whether a player shows it")
    return Timeline(
        max(seconds, float(moments.times[-1, 1])),
        hop,
        moments.times,
        {name: recogniser.card.datasets[name].title for name in moments.scores},
        {name: recogniser.network.spec.classes[name] for name in moments.scores},
        moments.scores,
        recogniser.clip_seconds(recogniser.plan(datasets)),
        recogniser.card.note(),
    )


def write_timeline(
    recogniser: Recogniser,
    video: str,
    folder: Path,
    datasets: Collection[str] | None = None,
    hop: float | None = None,
    top: int = 5,
    embed: bool = False,
) -> Timeline:
    """Write timeline.csv, timeline.png and timeline.html; where `embed`, and for an address, also the video itself.

    Raises:
        UserError: no video, no such dataset, a hop that is not positive, or a folder that cannot be written.
    """
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder}: is a file: name a folder")
    with tempfile.TemporaryDirectory(prefix="multitrain-") as fetched, local_file(video, fetched) as path:
        try:
            return _write(recogniser, path, video, folder, datasets, hop, top, embed or is_address(video))
        except OSError as error:
            raise UserError(f"{folder}: cannot be written: {error.strerror or error}") from None
        except UserError as error:
            raise UserError(str(error).replace(str(path), video)) from None


def _write(
    recogniser: Recogniser,
    path: Path,
    name: str,
    folder: Path,
    datasets: Collection[str] | None,
    hop: float | None,
    top: int,
    embed: bool,
) -> Timeline:
    seconds = video_seconds(recogniser, path, datasets)
    with atomic(folder / "timeline.csv") as temporary, temporary.open("w", newline="", encoding="utf-8") as stream:
        rows = csv.writer(stream, lineterminator="\n")
        rows.writerow(COLUMNS)
        with progress("timeline", "second", math.ceil(seconds)) as bar:

            def seen(window: Window) -> None:
                rows.writerows(_lines(window, recogniser.network.spec.classes, top))
                bar.update(math.ceil(window.end) - bar.n)

            timeline = make_timeline(recogniser, path, seconds, hop, datasets, seen)
    title = shown(Path(name).name)
    with atomic(folder / "timeline.png") as temporary:
        draw(timeline, title, temporary)
    source = quote(os.fsencode(os.path.relpath(path.absolute(), folder.absolute())))
    if embed:
        source = f"video{path.suffix.lower()}"
        with atomic(folder / source) as temporary:
            shutil.copyfile(path, temporary)
    with atomic(folder / "timeline.html") as temporary:
        temporary.write_text(timeline_page(timeline, title, source), encoding="utf-8")
    return timeline


def _lines(window: Window, classes: Mapping[str, tuple[str, ...]], top: int) -> list[tuple]:
    return [
        (f"{window.start:.3f}", f"{window.end:.3f}", name, rank, label, f"{share:.6f}")
        for name, scores in window.scores.items()
        for rank, (label, share) in enumerate(best(classes[name], scores, top), 1)
    ]
