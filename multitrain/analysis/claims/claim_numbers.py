"""The numbers that claims are about: the paper's from its tables, ours from the runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

import numpy as np

from multitrain.analysis.accuracy.contrasts import Estimate, World, estimate_over_worlds
from multitrain.analysis.accuracy.paired_answers import Answers, read_answers
from multitrain.analysis.render.table_files import Rows
from multitrain.analysis.study.run_names import ranges
from multitrain.analysis.tables.paper_tables import published_rows
from multitrain.common.errors import UserError
from multitrain.common.records.predictions import require_same_clips
from multitrain.config.claims import Claims, Part
from multitrain.config.experiments import Experiments
from multitrain.config.scale import Scale

__all__ = ["Numbers", "Ours", "compare"]

Cells = Mapping[tuple[str, str], Answers]  # by method and dataset, of the seeds of one world


@dataclass(frozen=True)
class Ours:
    """Both sides of a part in our runs, in percent, and the difference as a fraction with its error."""

    left: float
    right: float
    estimate: Estimate


def compare(part: Part, worlds: Sequence[Cells], projected: bool) -> Ours:
    """A part's accuracies, top-1; a world's answers are of the same clips for each dataset, and of the same seeds."""
    right = [{key: its.right(projected) for key, its in answers.items()} for answers in worlds]  # (S, N) each
    contrasts = [_contrast(part, answers, its) for answers, its in zip(worlds, right, strict=True)]
    by_seed = {key: np.concatenate([its[key].mean(axis=1) for its in right]) for key in right[0]}
    of_left, of_right = (side.value(lambda *key: 100 * by_seed[key].mean()) for side in (part.left, part.right))
    assert of_left is not None and of_right is not None  # as all of our numbers are there
    return Ours(of_left, of_right, estimate_over_worlds(contrasts, (part.left.points - part.right.points) / 100))


def _contrast(part: Part, answers: Cells, right: Mapping[tuple[str, str], np.ndarray]) -> World:
    """The part's value on every clip, and the clips' videos, one of each a dataset."""
    values = [  # each of one term or more
        cast(np.ndarray, sum(term.weight * right[term.method, name] for term in part.terms if term.dataset == name))
        for name in part.datasets
    ]
    return values, [next(its.videos for (_, where), its in answers.items() if where == name) for name in part.datasets]


@dataclass(frozen=True)
class Numbers:
    """The paper's numbers and ours by table, method and dataset; predictions and published tables are read once."""

    scale: Scale
    experiments: Experiments
    claims: Claims
    seeds: tuple[int, ...]
    runs: Path  # <results>/runs/<scale>
    published: Path
    _answers: dict[tuple[str, str, int], Answers] = field(default_factory=dict)  # by run, dataset and world
    _rows: dict[Path, Rows] = field(default_factory=dict)

    def run(self, table: str, method: str, dataset: str) -> str:
        run = self.experiments.run_of(self.experiments.tables[table], method, dataset)
        assert run is not None  # as `load_claims` has seen to
        return run

    def trained(self, run: str) -> tuple[int, ...]:
        """Those of the seeds that a run was trained with."""
        return tuple(seed for seed in self.seeds if self.record(run, seed).is_file())

    def record(self, run: str, seed: int) -> Path:
        return self.runs / run / f"seed{seed}" / "run.json"

    def shared(self, table: str, part: Part) -> tuple[int, ...]:
        """The seeds that all runs of a part were trained with."""
        its = [self.trained(self.run(table, term.method, term.dataset)) for term in part.terms]
        return tuple(seed for seed in self.seeds if all(seed in each for each in its))

    def missing(self, table: str, part: Part) -> list[str]:
        """What a part lacks, as `Vanilla: seeds 0-2 of 0-4` and `Baseline on MiT: not run`."""
        found = []
        for term in part.terms:
            run = self.run(table, term.method, term.dataset)
            its = self.trained(run)
            alone = len(self.experiments.run(run).datasets) == 1
            name = f"{term.method} on {self.scale.datasets[term.dataset].title}" if alone else term.method
            if not its:
                found.append(f"{name}: not run")
            elif its != self.seeds:
                found.append(f"{name}: seeds {ranges(its)} of {ranges(self.seeds)}")
        return list(dict.fromkeys(found))

    def lacking(self, table: str, part: Part) -> Path:
        """The record of a run that a part lacks, which was not trained with the seeds of the others."""
        runs = [self.run(table, term.method, term.dataset) for term in part.terms]
        run = min(runs, key=lambda name: len(self.trained(name)))
        return next(path for path in (self.record(run, seed) for seed in self.seeds) if not path.is_file())

    def cells(self, table: str, part: Part, seeds: tuple[int, ...]) -> list[Cells]:
        """What our runs of a part answered on its datasets' test clips, by world, a row for each of the `seeds`."""
        return [self._cells(table, part, world, its) for world, its in self.scale.by_world(seeds).items()]

    def _cells(self, table: str, part: Part, world: int, seeds: tuple[int, ...]) -> Cells:
        found = {}
        for term in part.terms:
            run = self.run(table, term.method, term.dataset)
            there = self.scale.by_world(self.trained(run))[world]
            rows = [there.index(seed) for seed in seeds]
            found[term.method, term.dataset] = self._read(run, term.dataset, world, there).rows(rows)
        for dataset in part.datasets:
            require_same_clips([its for (_, where), its in found.items() if where == dataset])
        return found

    def _read(self, run: str, dataset: str, world: int, seeds: tuple[int, ...]) -> Answers:
        """The answers of all seeds of a world that the run was trained with."""
        if (run, dataset, world) not in self._answers:
            folders = [self.record(run, seed).parent for seed in seeds]
            found = read_answers(folders, dataset)
            if self.experiments.run(run).projection != "add":  # Eq. 4's sum of projections that were never added
                found = replace(found, projected=None)
            self._answers[run, dataset, world] = found
        return self._answers[run, dataset, world]

    def paper(self, table: str, method: str, dataset: str) -> float | None:
        """The paper's top-1, or None where it prints none."""
        row = self.claims.paper.get(table, {}).get(method)
        if row is None:
            return None
        path = self.published / self.experiments.tables[row.table or table].published
        if path not in self._rows:
            self._rows[path] = [each for each in published_rows(path) if each["source"] == "published"]
        its = [each for each in self._rows[path] if each["method"] == row.method]
        if not its:
            raise UserError(f"{path}: no method {row.method!r}: paper.{table} in claims.yaml names it for {method!r}")
        return next((each.get("top1") for each in its if each["dataset"] == dataset), None)
