"""Two packed studies of one world with different backbones: do the contrasts of Table 1 depend on the backbone?"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np

from multitrain.analysis.accuracy.contrasts import World, estimate_over_worlds
from multitrain.analysis.packed import packed_checks
from multitrain.analysis.packed.packed_study import Key, Study
from multitrain.analysis.render.columns import BACKBONES
from multitrain.analysis.render.table_files import Row, Rows, write_rows
from multitrain.analysis.study.run_names import yes_no
from multitrain.common.errors import UserError
from multitrain.common.ranks import top
from multitrain.config.experiments import Experiments
from multitrain.config.model_settings import MVIT
from multitrain.config.scale import Scale

__all__ = ["DIFFERENCE", "FILE", "MEAN", "write_backbones"]

FILE = "backbones.csv"
TABLE = "table1"
CONTRASTS = (("MultiTrain", "Baseline"), ("MultiTrain (large)", "MultiTrain"))  # left and right: methods of TABLE
MEAN, DIFFERENCE = "mean", "difference"  # over the datasets; of the second backbone's contrast and the first's
TITLES = {MVIT: "MViTv2", "cnn3d": "3-D CNN"}


@dataclass(frozen=True)
class Side:
    """One of the two studies."""

    study: Study
    scale: Scale
    experiments: Experiments

    @property
    def backbone(self) -> str:
        """The backbone's name in texts."""
        return TITLES.get(self.scale.model.backbone, self.scale.model.backbone)

    @property
    def datasets(self) -> tuple[str, ...]:
        return self.experiments.table(TABLE, f"{self.study.where}: ").datasets

    def seeds(self, methods: Sequence[str]) -> tuple[int, ...]:
        """The seeds that all runs of these methods have; a UserError where there is none."""
        runs = {self._run(method, dataset) for method, dataset in product(methods, self.datasets)}
        records = set(self.study.records())
        shared = tuple(seed for seed in self.study.seeds() if all((run, seed) in records for run in runs))
        if not shared:
            raise UserError(f"{self.study.where}: no seed of all runs of {' and '.join(methods)}: pack them too")
        return shared

    def right(self, method: str, dataset: str, seeds: Sequence[int]) -> np.ndarray:
        """Top-1 correctness by Y_k of these seeds (S, N)."""
        run = self._run(method, dataset)
        return np.stack([top(1, self._column(run, seed, dataset, "rank")) for seed in seeds]).astype(float)

    def clips(self, dataset: str, seed: int, name: str = "clip") -> np.ndarray:
        """The test clips (N,) of a seed's world, or `video`: the video of each."""
        return self._column(self._run(CONTRASTS[0][0], dataset), seed, dataset, name)

    def _run(self, method: str, dataset: str) -> str:
        run = self.experiments.run_of(self.experiments.table(TABLE, f"{self.study.where}: "), method, dataset)
        if run is None:
            raise UserError(f"{self.study.where}: {TABLE}: {method!r} has no run on {dataset}: pack a study of Table 1")
        return run

    def _column(self, run: str, seed: int, dataset: str, name: str) -> np.ndarray:
        answers = self.study.answers.get(Key(run, seed, dataset))
        if answers is None:
            raise UserError(f"{self.study.where}: run {run}, seed {seed}, {dataset}: no answers: pack a whole study")
        return answers[name].to_numpy()


def write_backbones(first: Study, second: Study, results: Path) -> None:
    """Write <results>/backbones.csv: Table 1's contrasts of both studies, and the second's minus the first's.

    Raises:
        UserError: a study lacks a run, both have one backbone, or their test clips differ.
    """
    sides = [Side(study, *packed_checks.settings(study)) for study in (first, second)]
    one, other = sides
    if one.backbone == other.backbone:
        raise UserError(
            f"{second.where}: backbone {other.backbone}, as in {first.where}: name studies of two backbones"
        )
    if one.datasets != other.datasets:
        raise UserError(f"{second.where}: {TABLE}: other datasets than in {first.where}: name studies of one world")
    rows = [row for contrast in CONTRASTS for row in _contrast(contrast, one, other)]
    write_rows(results / FILE, rows, BACKBONES)


def _contrast(methods: tuple[str, str], one: Side, other: Side) -> Rows:
    """The rows of a contrast: each side by all of its seeds, and the difference by those that both have."""
    ours, theirs = one.seeds(methods), other.seeds(methods)
    both = tuple(seed for seed in ours if seed in theirs)
    if not both:
        raise UserError(f"{other.study.where}: no seed of {one.study.where}: {methods[0]} takes one that both have")
    _require_same_clips(one, other, both)
    rows: Rows = []
    for name in (MEAN, *one.datasets):
        datasets = one.datasets if name == MEAN else (name,)
        label = MEAN if name == MEAN else one.scale.dataset(name).title
        about: Row = {"left": methods[0], "right": methods[1], "dataset": name, "label": label}
        about |= {"scale": one.scale.name, "synthetic": yes_no(any(map(one.scale.synthetic, one.datasets)))}
        for side, seeds in ((one, ours), (other, theirs)):
            rows.append(about | _numbers(side.backbone, seeds, _worlds((side,), methods, datasets, seeds)))
        rows.append(about | _numbers(DIFFERENCE, both, _worlds((other, one), methods, datasets, both)))
    return rows


def _worlds(
    sides: Sequence[Side], methods: tuple[str, str], datasets: Sequence[str], seeds: tuple[int, ...]
) -> list[World]:
    """The contrast, or that of the first side minus the second's, on every clip of the datasets, by world."""
    left, right = methods
    worlds: list[World] = []
    for its in sides[0].scale.by_world(seeds).values():
        values, videos = [], []
        for name in datasets:
            contrasts = [side.right(left, name, its) - side.right(right, name, its) for side in sides]
            values.append((contrasts[0] - sum(contrasts[1:])) / len(datasets))  # (S, N)
            videos.append(sides[0].clips(name, its[0], "video"))
        worlds.append((values, videos))
    return worlds


def _numbers(backbone: str, seeds: tuple[int, ...], worlds: list[World]) -> Row:
    found = estimate_over_worlds(worlds)
    clips = sum(each.shape[1] for values, _ in worlds for each in values)
    row: Row = {"backbone": backbone, "seeds": seeds, "clips": clips, "difference": 100 * found.value}
    if found.error:  # no interval where no answer differs from another
        row |= zip(("low", "high"), (100 * bound for bound in found.interval), strict=True)
    return row


def _require_same_clips(one: Side, other: Side, seeds: tuple[int, ...]) -> None:
    for seed, dataset in product(seeds, one.datasets):
        if not np.array_equal(one.clips(dataset, seed), other.clips(dataset, seed)):
            place = f"{other.study.where}: {dataset}, seed {seed}"
            raise UserError(f"{place}: other test clips than in {one.study.where}: name studies of one world")
