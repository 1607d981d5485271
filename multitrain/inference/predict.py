"""Prediction: the scores of every head for a video, each head on the frames it was trained on."""

import tempfile
import threading
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from multitrain.common.errors import UserError
from multitrain.common.process_pool import process_map
from multitrain.config.scale import Limits, Views
from multitrain.inference.answers import Answer, Failure, Window
from multitrain.inference.video_frames import read_views_until_error, read_windows
from multitrain.inference.video_inputs import local_file
from multitrain.model.files.metadata import Card, Frames, assumed_card
from multitrain.model.network import Network, Output, normalise

__all__ = ["SECONDS", "Plan", "Recogniser"]

Plan = Mapping[Frames, tuple[str, ...]]  # datasets whose heads take the same frames
AT_ONCE = 4  # parts of a long video in a batch: more gain little and delay the progress
SECONDS = Limits().seconds  # time limit for decoding one video in a worker process


class Recogniser:
    """A network that predicts videos: decoding, normalisation, batches and averaging of views."""

    def __init__(self, network: Network, device: torch.device | str = "cpu", batch: int = 16):
        """`batch` is the number of views in a forward pass; it decides memory and speed only.

        The network is moved to the device; its mode (training or evaluation) is kept.

        Raises:
            ValueError: `batch` is below 1.
        """
        if batch < 1:
            raise ValueError(f"batch: {batch}: the network sees 1 view at once or more")
        self.network = network.to(device)
        self.device, self.batch = torch.device(device), batch
        self.card: Card = network.card or assumed_card(network.spec.classes)

    @property
    def size(self) -> tuple[int, int]:
        """(frames of a clip, pixels of its side)."""
        return self.network.spec.model.frames, self.network.spec.size

    def plan(self, datasets: Collection[str] | None = None, views: Views | None = None) -> Plan:
        """The frames that the heads of these datasets take (None: of all), with other test views where given.

        Raises:
            UserError: the network has no such head.
            TypeError: `datasets` is a string.
        """
        if isinstance(datasets, str):
            raise TypeError(f"datasets: {datasets!r}: give a list of names")
        if datasets is not None and not datasets:
            raise UserError(f"no dataset is asked for: choose of {', '.join(self.card.datasets)}")
        for name in datasets or ():
            if name not in self.card.datasets:
                raise UserError(f"no dataset {name!r}: the model has heads of {', '.join(self.card.datasets)}")
        plan: dict[Frames, tuple[str, ...]] = {}
        for name in self.network.spec.classes:
            if datasets is None or name in datasets:
                frames = self.card.datasets[name].frames
                frames = frames if views is None else frames.model_copy(update={"views": views})
                plan[frames] = (*plan.get(frames, ()), name)
        return plan

    def outputs(self, clips: Tensor) -> Output:
        """The outputs for clips (B, 3, T, S, S) uint8, on the processor."""
        how, parts, training = self.network.spec.model.normalisation, [], self.network.training
        self.network.eval()
        try:
            with torch.inference_mode():
                for part in clips.split(self.batch):
                    parts.append(self.network(normalise(part.to(self.device), how)))
        finally:
            if training:  # the caller may be training it
                self.network.train()
        names = self.network.spec.classes
        return Output(
            torch.cat([part.features for part in parts]).cpu(),
            torch.cat([part.embedding for part in parts]).cpu(),
            {name: torch.cat([part.logits[name] for part in parts]).cpu() for name in names},
        )

    def answer(self, path: Path | str, datasets: Collection[str] | None = None, views: Views | None = None) -> Answer:
        """The answer to one video, as `multitrain evaluate` would score it.

        Raises:
            UserError: no video, or no such dataset.
        """
        plan = self.plan(datasets, views)
        return self.score_views(str(path), plan, [read_views_until_error(path, frames, *self.size) for frames in plan])

    def answers(
        self, paths: Iterable[Path | str], plan: Plan, jobs: int = 1, seconds: float = SECONDS
    ) -> Iterator[Answer | Failure]:
        """The answers to many videos, files or http(s) addresses of files, in order.

        `jobs` processes decode ahead; one that takes `seconds` for a video is ended. A script calls this below
        `if __name__ == "__main__":`, as it starts processes.
        """
        with tempfile.TemporaryDirectory(prefix="multitrain-") as folder:  # here, since a process may be killed
            decode = partial(decode_all, plan=tuple(plan), count=self.size[0], size=self.size[1], folder=folder)
            for path, found in process_map(decode, map(str, paths), jobs, seconds):
                if isinstance(found, str):
                    yield Failure(path, found.removeprefix(f"{path}: "))
                else:
                    yield self.score_views(path, plan, [(torch.from_numpy(views), reached) for views, reached in found])

    def score_views(self, path: str, plan: Plan, found: Sequence[tuple[Tensor, float | None]]) -> Answer:
        """The answer to a video from the results of `read_views_until_error` for each of the plan's frames."""
        scores: dict[str, np.ndarray] = {}
        counts: dict[str, int] = {}
        for names, (clips, _) in zip(plan.values(), found, strict=True):
            logits = self.outputs(clips).logits
            scores |= {name: logits[name].softmax(-1).mean(0).numpy() for name in names}
            counts |= dict.fromkeys(names, len(clips))
        order = [name for name in self.network.spec.classes if name in scores]
        return Answer(
            path,
            {name: self.network.spec.classes[name] for name in order},
            {name: scores[name] for name in order},
            {name: counts[name] for name in order},
            min((reached for _, reached in found if reached is not None), default=None),
        )

    def windows(
        self,
        path: Path | str,
        seconds: float | None = None,
        hop: float | None = None,
        datasets: Collection[str] | None = None,
    ) -> Iterator[Window]:
        """The answers to parts of a long video, in order of time, one centre view each; a few are read at once.

        `seconds` is a part's length (default: what a clip of the heads' sampling takes), `hop` the time from the start
        of one to that of the next (default: half a part). A video shorter than a part is one; the last part ends with
        the video.

        Raises:
            UserError: no video, no such dataset, or lengths that are not positive.
        """
        plan = self.plan(datasets, Views())
        seconds = seconds if seconds is not None else self.clip_seconds(plan)
        hop = hop if hop is not None else seconds / 2
        if not (0 < seconds < float("inf") and 0 < hop < float("inf")):
            raise UserError(f"windows of {seconds:g} s every {hop:g} s: both lengths have to be above 0")
        readers = [read_windows(path, frames, *self.size, seconds, hop) for frames in plan]
        moments = zip(*readers, strict=False)
        while parts := list(islice(moments, min(self.batch, AT_ONCE))):
            scores: list[dict[str, np.ndarray]] = [{} for _ in parts]
            for place, names in enumerate(plan.values()):
                logits = self.outputs(torch.stack([part[place][2] for part in parts])).logits
                for name in names:
                    for own, row in zip(scores, logits[name].softmax(-1).numpy(), strict=True):
                        own[name] = row
            for ((start, end, _), *_), own in zip(parts, scores, strict=True):
                yield Window(start, end, {name: own[name] for name in self.network.spec.classes if name in own})

    def clip_seconds(self, plan: Plan) -> float:
        """Seconds of a dense clip of these heads, of the longest; without a dense head, of one of 30 fps."""
        count = self.size[0]
        spans = [count * f.sampling.stride / (f.fps or 30.0) for f in plan if f.sampling.kind == "dense"]
        return max(spans, default=count * Frames().sampling.stride / 30.0)


def decode_all(
    path: str, plan: tuple[Frames, ...], count: int, size: int, folder: str
) -> list[tuple[np.ndarray, float | None]] | str:
    """`read_views_until_error` for each of the plan's frames, or the error message; runs in a worker process."""
    torch.set_num_threads(1)
    tqdm.set_lock(threading.RLock())  # its own is shared between processes, and a killed process would not release it
    try:
        with local_file(path, folder) as file:
            found = (read_views_until_error(file, frames, count, size, path) for frames in plan)
            return [(views.numpy(), reached) for views, reached in found]
    except UserError as error:
        return str(error)
