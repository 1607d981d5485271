"""The numbers that claims are about: the paper's from its tables, ours from the runs."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from multitrain.analysis.answers import Answers, read_answers, require_same_clips
from multitrain.analysis.contrasts import Estimate, estimate
from multitrain.analysis.runs import ranges
from multitrain.analysis.tables import published_rows
from multitrain.claims import Claims, Part
from multitrain.config import Scale
from multitrain.errors import UserError
from multitrain.experiments import Experiments

Cells = Mapping[tuple[str, str], Answers]  # by method and dataset


@dataclass(frozen=True)
class Ours:
    """Both sides of a part in our runs, in percent, and the difference as a fraction with its error."""

    left: float
    right: float
    estimate: Estimate


def compare(part: Part, answers: Cells, projected: bool) -> Ours:
    """A part's accuracies, top-1; the answers are of the same clips for each dataset, and of the same seeds."""
    right = {key: its.right(projected) for key, its in answers.items()}  # (S, N) each
    contrast = [
        sum(term.weight * right[term.method, name] for term in part.terms if term.dataset == name)
        for name in part.datasets
    ]
    videos = [next(its.videos for (_, where), its in answers.items() if where == name) for name in part.datasets]
    points = part.left.points - part.right.points
    sides = [side.value(lambda *key: 100 * right[key].mean()) for side in (part.left, part.right)]
    return Ours(*sides, estimate(contrast, videos, points / 100))


@dataclass(frozen=True)
class Numbers:
    """The paper's numbers and ours by table, method and dataset; predictions and published tables are read once."""

    scale: Scale
    experiments: Experiments
    claims: Claims
    seeds: tuple[int, ...]
    runs: Path  # <results>/runs/<scale>
    published: Path
    _answers: dict[tuple[str, str], Answers] = field(default_factory=dict)  # by run and dataset
    _rows: dict[Path, list[dict[str, str]]] = field(default_factory=dict)

    def run(self, table: str, method: str, dataset: str) -> str:
        return self.experiments.run_of(self.experiments.tables[table], method, dataset)

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

    def cells(self, table: str, part: Part, seeds: tuple[int, ...]) -> Cells:
        """What our runs of a part answered on its datasets' test clips, a row for each of the `seeds`."""
        found = {}
        for term in part.terms:
            run = self.run(table, term.method, term.dataset)
            rows = [self.trained(run).index(seed) for seed in seeds]
            found[term.method, term.dataset] = self._read(run, term.dataset).rows(rows)
        for dataset in part.datasets:
            require_same_clips([its for (_, where), its in found.items() if where == dataset])
        return found

    def _read(self, run: str, dataset: str) -> Answers:
        """The answers of all seeds that the run was trained with."""
        if (run, dataset) not in self._answers:
            folders = [self.record(run, seed).parent for seed in self.trained(run)]
            found = read_answers(folders, dataset)
            if self.experiments.run(run).projection != "add":  # Eq. 4's sum of projections that were never added
                found = replace(found, projected=None)
            self._answers[run, dataset] = found
        return self._answers[run, dataset]

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
        text = next((each.get("top1") for each in its if each["dataset"] == dataset), None)
        try:
            return float(text) if text else None
        except ValueError:
            raise UserError(f"{path}: {row.method}, {dataset}: top1 is {text!r}: it takes a number") from None
