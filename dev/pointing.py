"""Deletion test and pointing game for every method of `multitrain explain`, on clips of the synthetic world.

python dev/pointing.py results/runs/mini/k400_baseline/seed0/model.pt --dataset k400 --clips 64

The clips are rendered anew: no training has seen them, and the place of every part of a figure or object is known.
Deletion: by how much the probability of the true class falls when the marked places are hidden, beside the same shape
hidden at random places, and as many pixels at the centre. What is hidden has the clip's mean colour, as in occlusion
itself, or ("still") each pixel's own mean over time, which hides movement alone. Pointing: how often the most relevant
pixel lies on a part that acts, or within TOLERANCE of it, beside a random pixel of the clip, and its centre.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

import multitrain
from multitrain.analysis.accuracy.contrasts import estimate
from multitrain.common.seeding import generator
from multitrain.config.config_files import load_scale
from multitrain.data.transforms import as_frames, view_crops
from multitrain.inference.interpret.attribution import METHODS, Method, attribute, hide, marked, probability
from multitrain.inference.interpret.explain import CONTROLS, moved_masks
from multitrain.inference.predict import Recogniser
from multitrain.inference.video_frames import read_part
from multitrain.model.backbones.mvit import MViT
from multitrain.model.network import Network, normalise
from multitrain.synth.canvas import Part
from multitrain.synth.rendering.encode import encode
from multitrain.synth.rendering.renderer import Scene, Size, compose, film
from multitrain.synth.world import DatasetSpec, spec

ACTS = 0.5  # a part acts that moves at least this share of what the part that moves most does
TOLERANCE = 15 / 224  # of the clip's side, as in the pointing game (Zhang et al., 2016)
SHARES = (0.1, 0.2)  # of a clip's pixels that are hidden
CENTRE = "centre"
AWAY = np.array([0.0, 1e3, 0.0])  # metres: out of the picture


def moving(part: Part) -> float:
    """How far a part moves: the largest standard deviation of one of its points, in metres."""
    return float(np.sqrt(part.points.var(axis=0).sum(axis=-1)).max())


def acting(scene: Scene, size: Size) -> np.ndarray:
    """Where the parts that act are seen (T, H, W)."""
    least = ACTS * max(map(moving, scene.parts))
    parts = [replace(part, points=part.points + AWAY) if moving(part) >= least else part for part in scene.parts]
    return (scene.draw(size) != replace(scene, parts=parts).draw(size)).any(axis=-1)


def clips(
    about: DatasetSpec, recogniser: Recogniser, count: int, seed: int, size: Size
) -> Iterator[tuple[int, Tensor, Tensor]]:
    """Label, normalised clip (3, T, S, S) and where something acts (T, S, S) bool, of rendered videos read as any."""
    (frames,) = recogniser.plan([about.name])
    for index in range(count):
        rng, label = generator(seed, "pointing", index), index % len(about.actions)
        length = max(2, round(rng.uniform(*about.bias.seconds) * size.fps))
        scene = compose(about, label, length, [(0, length)], rng, size)
        with tempfile.NamedTemporaryFile(suffix=".mp4") as file:
            file.write(encode(film(scene, about.bias, rng, size), size.fps, ".mp4"))
            file.flush()
            view, times = read_part(file.name, frames, *recogniser.size, None, 0.0)
        shown = np.minimum(np.round(times * size.fps).astype(int), length - 1)
        masks = (255 * acting(scene, size)[shown, ..., None]).repeat(3, axis=-1).astype(np.uint8)
        (where,) = view_crops(as_frames(masks), recogniser.size[1], 1)  # (T, 3, S, S)
        yield label, normalise(view[None], recogniser.network.spec.model.normalisation)[0], where[:, 0] > 127


def measure(recogniser: Recogniser, label: int, clip: Tensor, where: Tensor, dataset: str, seed: int) -> dict:
    """The figures of one clip: ("fall", method, share), ("else", method, share), ("hit", method) and ("chance",)."""
    network, batch = recogniser.network, recogniser.batch
    maps = {method: attribute(network, clip, dataset, label, method, batch) for method in methods_for(network)}
    rows, columns = torch.meshgrid(*(torch.arange(side) - (side - 1) / 2 for side in clip.shape[2:]), indexing="ij")
    maps[CENTRE] = -(rows**2 + columns**2).expand(clip.shape[1:]).contiguous()
    reach = round(TOLERANCE * clip.shape[-1])
    near = F.max_pool2d(where[:, None].float(), 2 * reach + 1, 1, reach)[:, 0] > 0  # (T, S, S)
    still = clip.mean(dim=1, keepdim=True).expand_as(clip)
    middle = near[:, clip.shape[-2] // 2, clip.shape[-1] // 2]
    found: dict = {("chance",): near.float().mean().item(), ("hit", CENTRE): middle.float().mean().item()}
    for method, relevance in maps.items():
        if method != CENTRE:
            found["hit", method] = float(near.flatten()[relevance.argmax()])
        for share in SHARES:
            mask = marked(relevance, share)
            masks = (mask, *moved_masks(mask, CONTROLS, seed))
            hidden = [hide(clip, its) for its in masks] + [torch.where(its, still, clip) for its in masks]
            whole, *falls = probability(network, torch.stack([clip, *hidden]), dataset, label, batch).tolist()
            for fill, (own, *others) in (("", falls[: len(masks)]), (" still", falls[len(masks) :])):
                found["fall", method + fill, share] = whole - own
                found["else", method + fill, share] = whole - float(np.mean(others))
    return found


def methods_for(network: Network) -> list[Method]:
    """Those that work with the network's backbone."""
    return [method for method in METHODS if method != "rollout" or isinstance(network.backbone, MViT)]


def with_interval(values: list[float]) -> str:
    """Mean with its 95% interval over clips."""
    its = estimate([np.array([values])], [np.arange(len(values))])
    return f"{its.value:.3f} [{its.interval[0]:.3f}, {its.interval[1]:.3f}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--dataset", default="k400")
    parser.add_argument("--scale", default="mini")
    parser.add_argument("--clips", type=int, default=64)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    world = load_scale(options.scale).world
    assert world is not None, "a scale of real videos does not know what acts"
    recogniser, about = Recogniser(multitrain.load(options.model), batch=64), spec(options.dataset, world)
    size = Size(world.height, world.width, world.fps)
    found = [
        measure(recogniser, *each, options.dataset, number)
        for number, each in enumerate(clips(about, recogniser, options.clips, options.seed, size))
    ]
    for line in report(found, (*methods_for(recogniser.network), CENTRE)):
        sys.stdout.write(f"{line}\n")


def report(found: list[dict], methods: Sequence[str]) -> Iterator[str]:
    """Lines on the figures of all clips."""
    yield f"{len(found)} clips, 95% intervals over them"
    for share in SHARES:
        for fill, name in product(("", " still"), methods):
            method = name + fill
            own, other = ([each[kind, method, share] for each in found] for kind in ("fall", "else"))
            gain = [a - b for a, b in zip(own, other, strict=True)]
            beside = [
                a - each["fall", method.replace(method.split()[0], CENTRE), share]
                for a, each in zip(own, found, strict=True)
            ]
            yield (
                f"{share:4.0%} hidden, {method:15}: falls by {with_interval(own)}, elsewhere {with_interval(other)}, "
                f"difference {with_interval(gain)}, to the centre {with_interval(beside)}"
            )
    chance = [each["chance",] for each in found]
    yield f"a random pixel on what acts: {with_interval(chance)}"
    for method in methods:
        hits = [each["hit", method] for each in found]
        gain = [a - b for a, b in zip(hits, chance, strict=True)]
        yield f"{method:9}: {with_interval(hits)}, to chance {with_interval(gain)}"


if __name__ == "__main__":
    main()
