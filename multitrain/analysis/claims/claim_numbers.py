"""Accuracies and differences that claims compare: the paper's from its tables, ours from the runs."""

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

__all__ = ["Comparison", "Numbers", "compare"]

Cells = Mapping[tuple[str, str], Answers]  # by method and dataset, for the seeds of one world


@dataclass(frozen=True)
class Comparison:
    """Both sides of a part in our runs, in percent, and the estimate of their difference, a fraction."""

    left: float
    right: float
    estimate: Estimate


def compare(part: Part, worlds: Sequence[Cells], projected: bool) -> Comparison:
    """Top-1 of both sides of a part. Within a world all methods have the same seeds and the same clips."""
    correct = [{key: each.right(projected) for key, each in answers.items()} for answers in worlds]  # (S, N) each
    contrasts = [_contrast(part, answers, right) for answers, right in zip(worlds, correct, strict=True)]
    by_seed = {key: np.concatenate([right[key].mean(axis=1) for right in correct]) for key in correct[0]}
    left, right = (side.value(lambda *key: 100 * by_seed[key].mean()) for side in part.sides)
    assert left is not None and right is not None  # all of our numbers exist
    return Comparison(left, right, estimate_over_worlds(contrasts, (part.left.points - part.right.points) / 100))


def _contrast(part: Part, answers: Cells, right: Mapping[tuple[str, str], np.ndarray]) -> World:
    """The part's value on every clip and the clips' videos, an array of each per dataset."""
    values = [  # every dataset has a term
        cast(np.ndarray, sum(term.weight * right[term.method, name] for term in part.terms if term.dataset == name))
        for name in part.datasets
    ]
    videos = {dataset: each.videos for (_, dataset), each in answers.items()}
    return values, [videos[name] for name in part.datasets]


@dataclass(frozen=True)
class Numbers:
    """Lookup of the paper's and our numbers by table, method and dataset; each file is read once."""

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
        assert run is not None  # `load_claims` checks it
        return run

    def trained_seeds(self, run: str) -> tuple[int, ...]:
        """The seeds that a run was trained with."""
        return tuple(seed for seed in self.seeds if self.record_path(run, seed).is_file())

    def record_path(self, run: str, seed: int) -> Path:
        return self.runs / run / f"seed{seed}" / "run.json"

    def shared_seeds(self, table: str, part: Part) -> tuple[int, ...]:
        """The seeds that all runs of a part were trained with."""
        trained = [self.trained_seeds(self.run(table, term.method, term.dataset)) for term in part.terms]
        return tuple(seed for seed in self.seeds if all(seed in seeds for seeds in trained))

    def missing_runs(self, table: str, part: Part) -> list[str]:
        """Missing trainings of a part as text: `Vanilla: seeds 0-2 of 0-4`, `Baseline on MiT: not run`."""
        missing = []
        for term in part.terms:
            run = self.run(table, term.method, term.dataset)
            trained = self.trained_seeds(run)
            name = self._name(run, term.method, term.dataset)
            if not trained:
                missing.append(f"{name}: not run")
            elif trained != self.seeds:
                missing.append(f"{name}: seeds {ranges(trained)} of {ranges(self.seeds)}")
        return list(dict.fromkeys(missing))

    def _name(self, run: str, method: str, dataset: str) -> str:
        """`Baseline on MiT`; `MultiTrain`, or `MultiTrain with K700` where a method is another run in another table."""
        datasets = self.experiments.run(run).datasets
        if len(datasets) == 1:
            return f"{method} on {self.scale.datasets[dataset].title}"
        rows = [row for table in self.experiments.tables.values() for row in table.rows if row.method == method]
        shown = {name for row in rows for name in row.runs}
        return method if shown == {run} else f"{method} with {self.scale.datasets[datasets[0]].title}"

    def missing_record(self, table: str, part: Part) -> Path:
        """A missing run.json of a part: of the run with the fewest seeds."""
        runs = [self.run(table, term.method, term.dataset) for term in part.terms]
        run = min(runs, key=lambda name: len(self.trained_seeds(name)))
        return next(path for path in (self.record_path(run, seed) for seed in self.seeds) if not path.is_file())

    def cells(self, table: str, part: Part, seeds: tuple[int, ...]) -> list[Cells]:
        """Our answers on the test clips of a part's datasets, by world, with a row for each of the `seeds`."""
        return [self._cells(table, part, world, seeds_of) for world, seeds_of in self.scale.by_world(seeds).items()]

    def _cells(self, table: str, part: Part, world: int, seeds: tuple[int, ...]) -> Cells:
        cells = {}
        for term in part.terms:
            run = self.run(table, term.method, term.dataset)
            trained = self.scale.by_world(self.trained_seeds(run))[world]
            rows = [trained.index(seed) for seed in seeds]
            cells[term.method, term.dataset] = self._read(run, term.dataset, world, trained).rows(rows)
        for dataset in part.datasets:
            require_same_clips([answers for (_, name), answers in cells.items() if name == dataset])
        return cells

    def _read(self, run: str, dataset: str, world: int, seeds: tuple[int, ...]) -> Answers:
        """The answers of a run with all its seeds of a world."""
        if (run, dataset, world) not in self._answers:
            folders = [self.record_path(run, seed).parent for seed in seeds]
            answers = read_answers(folders, dataset)
            if not self.experiments.run(run).adds:  # the run was not trained on Eq. 4's sum
                answers = replace(answers, projected=None)
            self._answers[run, dataset, world] = answers
        return self._answers[run, dataset, world]

    def paper(self, table: str, method: str, dataset: str) -> float | None:
        """The paper's top-1; None where it prints none."""
        row = self.claims.paper.get(table, {}).get(method)
        if row is None:
            return None
        if (file := self.experiments.tables[row.table or table].published) is None:
            return None
        path = self.published / file
        if path not in self._rows:
            self._rows[path] = [each for each in published_rows(path) if each["source"] == "published"]
        rows = [each for each in self._rows[path] if each["method"] == row.method]
        if not rows:
            raise UserError(f"{path}: no method {row.method!r}: paper.{table} in claims.yaml names it for {method!r}")
        return next((each.get("top1") for each in rows if each["dataset"] == dataset), None)
