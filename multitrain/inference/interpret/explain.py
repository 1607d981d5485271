"""Explanation of a prediction: the places and moments of a video that decided it, with a deletion check."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from multitrain.common.errors import UserError, did_you_mean
from multitrain.common.seeding import generator
from multitrain.inference.interpret.attribution import Method, attribute, hide, marked, probability
from multitrain.inference.predict import Recogniser
from multitrain.inference.video_frames import read_part
from multitrain.model.network import normalise

__all__ = ["CONTROLS", "MARKED", "Explanation", "explain", "moved_masks"]

MARKED = 0.1  # share of a clip's pixels that count as the places that decided
CONTROLS = 8  # times that the marked places are hidden elsewhere


@dataclass(frozen=True)
class Explanation:
    """Why a head gave a class a probability."""

    dataset: str
    title: str  # of the dataset
    name: str  # the class
    method: Method
    frames: np.ndarray  # (T, S, S, 3) uint8, what the network saw
    times: np.ndarray  # (T,) seconds
    relevance: np.ndarray  # (T, S, S), at least 0, the highest 1
    mask: np.ndarray  # (T, S, S) bool: the share MARKED with the highest relevance
    probability: float
    hidden: float  # probability where the marked places are hidden
    elsewhere: float  # mean where equal places elsewhere in the clip are hidden

    @property
    def moments(self) -> np.ndarray:
        """Share of the marked places in each frame (T,)."""
        return self.mask.mean(axis=(1, 2)) / self.mask.mean() / len(self.mask)


def explain(
    recogniser: Recogniser,
    path: Path | str,
    dataset: str | None = None,
    name: str | None = None,
    method: Method = "occlusion",
    start: float | None = None,
    seconds: float | None = None,
) -> Explanation:
    """Explain the probability of a class for a part of a video, one centre view; without `name` of the likeliest.

    `start` is the part's first second; without it the middle is taken. It is `seconds` long, by default as long as a
    clip of the head's sampling. `dataset` may be left out with a single head.

    Raises:
        UserError: no such head, class or time, no video, or a method that does not work with the backbone.
    """
    heads = recogniser.network.spec.classes
    if dataset is None and len(heads) > 1:
        raise UserError(f"--dataset: the model has heads of {', '.join(heads)}: choose one")
    dataset = dataset or next(iter(heads))
    plan = recogniser.plan([dataset])
    if name is not None and name not in heads[dataset]:
        raise UserError(f"--class {name!r}: no class of {dataset}: {did_you_mean(name, heads[dataset])}")
    seconds = recogniser.clip_seconds(plan) if seconds is None else seconds
    view, times = read_part(path, next(iter(plan)), *recogniser.size, start, seconds)
    network = recogniser.network
    clip = normalise(view[None].to(recogniser.device), network.spec.model.normalisation)[0]
    with torch.inference_mode():
        label = heads[dataset].index(name) if name else int(network.logits(clip[None])[dataset].argmax())
    relevance = attribute(network, clip, dataset, label, method, recogniser.batch)
    mask = marked(relevance, MARKED)
    clips = torch.stack([clip, *(hide(clip, where) for where in (mask, *moved_masks(mask, CONTROLS)))])
    whole, hidden, *others = probability(network, clips, dataset, label, recogniser.batch).tolist()
    relevance = relevance.clamp_min(0)
    return Explanation(
        dataset,
        recogniser.card.datasets[dataset].title,
        heads[dataset][label],
        method,
        view.permute(1, 2, 3, 0).numpy(),
        times,
        (relevance / relevance.max().clamp_min(torch.finfo(relevance.dtype).tiny)).cpu().numpy(),
        mask.cpu().numpy(),
        whole,
        hidden,
        float(np.mean(others)),
    )


def moved_masks(mask: Tensor, count: int, seed: int = 0) -> list[Tensor]:
    """Masks (T, S, S) of the same shape at `count` random places, continued at the opposite edge of the clip."""
    rng = generator(seed, "elsewhere")
    shifts = np.stack([rng.integers(length, size=count) for length in mask.shape], axis=1)
    return [mask.roll(tuple(shift), (0, 1, 2)) for shift in shifts.tolist()]
