"""What the workflow's rules ask of the settings: which files, which parameters, which job first.

Plain functions of the settings, kept out of the Snakefile because they can be tested here, and because a name in a
Snakefile replaces the one Snakemake itself uses.
"""

import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from multitrain.common.errors import UserError
from multitrain.config.claims import Claims
from multitrain.config.config_files import load_claims, load_experiments, load_scale, parse
from multitrain.config.evidence_claims import STATED
from multitrain.config.experiments import Experiments
from multitrain.config.scale import Project, Scale
from multitrain.data.leakage import datasets_tested_by, trained_on
from multitrain.planning.excluded import excluded
from multitrain.planning.sweep_points import Points, load_points

__all__ = ["Checkpoint", "Plan"]

TURN = 1000  # of a seed before the next: more than the most urgent of its jobs


class Checkpoint(Protocol):
    """A rule after which Snakemake decides again what to run."""

    def get(self, **wildcards: str | int) -> object:
        """Its job; an exception that Snakemake catches while that has not run."""


@dataclass(frozen=True)
class Plan:
    """One configuration of the workflow."""

    folder: str
    project: Project
    scale: Scale
    experiments: Experiments
    claims: Claims

    @classmethod
    def load(cls, values: dict, folder: str = "config") -> "Plan":
        """The plan for the content of config.yaml as the command line changed it, or a UserError."""
        project = parse(Project, values, f"{folder}/config.yaml or --config")
        for name in ("data", "results"):
            if (path := Path(getattr(project, name))).exists() and not path.is_dir():
                raise UserError(f"{folder}/config.yaml or --config: {name}: {str(path)!r} is no folder: name another")
        scale = load_scale(project.scale, folder)
        experiments = load_experiments(folder, scale)
        started = {run.init for run in experiments.runs.values()}
        for name in project.pretrained:
            if name not in started:
                raise UserError(
                    f"{folder}/config.yaml or --config: pretrained.{name}: no run starts from {name!r}; "
                    f"runs start from {', '.join(sorted(filter(None, started)))}"
                )
        return cls(folder, project, scale, experiments, load_claims(folder, experiments))

    def options(self, *folders: str, world: int | Iterable[int] = ()) -> str:
        """What every command is told: the scale, where its settings are, and the folders it needs (data, results).

        Of a scale with several worlds, those that are about clips are told which.
        """
        words = ["--scale", self.scale.name, "--config-dir", self.folder]
        for number in (world,) if isinstance(world, int) else world:
            words += ["--world", str(number)] if self.scale.several_worlds else []
        for name in folders:
            words += [f"--{name}", getattr(self.project, name)]
        return shlex.join(words)

    @property
    def worlds(self) -> tuple[int, ...]:
        """The worlds of all seeds."""
        return self.scale.worlds(self.project.seeds)

    def pretrained(self, name: str) -> str | None:
        """The file whose backbone a run starts from in place of its `init` run's."""
        return self.project.pretrained.get(self.experiments.runs[name].init or "")

    def pretrained_option(self, name: str) -> str:
        """What `multitrain train` is told of that file."""
        file = self.pretrained(name)
        return "" if file is None else shlex.join(["--pretrained", f"{self.experiments.runs[name].init}={file}"])

    def train_datasets(self, name: str) -> list[str]:
        """Datasets whose clips a training counts: its own, and those of its `steps_of` run."""
        return list(dict.fromkeys(dataset for _, dataset in self._read_by(name)))

    def compared_datasets(self, name: str) -> list[str]:
        """Datasets whose test videos a training, or one that its weights come from, leaves out.

        They are prepared before it, and are no inputs: what is left out is in its settings (`planning.depends`).
        """
        chain = dict.fromkeys(run for run, _ in trained_on(self.experiments, name))
        others = [other for run in chain for reader in self._read_by(run) for other in self._tested_by(*reader)]
        return list(dict.fromkeys(others))

    def wait_for_compared(self, name: str, seed: int | str, prepare: Checkpoint) -> list[str]:
        """No files, once the manifests are there that tell which clips the run leaves out.

        Snakemake makes the jobs that ask for them anew when a manifest has come, and decides again which have to run.
        That has to be so for all costly jobs of a run: where the training alone asks, the jobs after it run without it.
        """
        for dataset in self.compared_datasets(name):
            prepare.get(dataset=dataset, world=self.scale.world_of(int(seed)))
        return []

    def _read_by(self, name: str) -> list[tuple[str, str]]:
        """(run, dataset) of the clips that a training counts."""
        paced = self.experiments.runs[name].steps_of
        return [
            (run, dataset) for run in filter(None, (name, paced)) for dataset in self.experiments.runs[run].datasets
        ]

    def excluded(self, name: str, world: int) -> dict[str, str]:
        """What is left out of the clips of each run and dataset, where anything is."""
        data = Path(self.project.data)
        found = {
            f"{run} {dataset}": excluded(self.scale, dataset, tested, data, world)
            for run, dataset in self._read_by(name)
            if (tested := self._tested_by(run, dataset))
        }
        return {key: text for key, text in found.items() if text}

    def _tested_by(self, run: str, dataset: str) -> tuple[str, ...]:
        """The datasets whose tested videos are left out of a run's training clips of `dataset`."""
        return datasets_tested_by(self.scale, self.experiments, run, dataset) if self.project.exclude_leaks else ()

    def published_files(self) -> list[str]:
        """Files of resources/published that claims are held against."""
        return [*(table.published for table in self.experiments.tables.values()), STATED]

    def measured_files(self) -> list[str]:
        """Files of what was measured of the scale before, where there are any."""
        folder = Path("resources/measured") / self.scale.name
        return sorted(map(str, folder.glob("*.csv")))

    def points(self) -> Points:
        """The points of the sweep round this scale; none where the scale has no synthetic world to vary."""
        if self.scale.world is None:
            return Points(None, {}, {})
        return load_points(self.scale, self.experiments, self.folder)

    # What tables and analyses are made of.

    def cells(self, runs: Iterable[str]) -> list[dict]:
        """Run, dataset and seed of everything that these runs are tested on."""
        return [
            {"run": run, "dataset": dataset, "seed": seed}
            for run in runs
            for dataset in self.experiments.runs[run].datasets
            for seed in self.project.seeds
        ]

    def table_cells(self, *tables: str) -> list[dict]:
        """Run, dataset and seed of every number of ours in some tables; without a name, in any."""
        return [
            cell
            for table in tables or self.experiments.tables
            for cell in self.cells(self.experiments.shown_runs(table))
            if cell["dataset"] in self.experiments.tables[table].datasets
        ]

    def card_cells(self) -> list[dict]:
        """Of the card of the first world: every dataset's baseline."""
        return self._first(self.cells(dict.fromkeys(map(self.experiments.baseline, self.scale.datasets))))

    def related_cells(self) -> list[dict]:
        """Of the world's card: the model of each dataset from random weights, which answers on all the others."""
        runs = dict.fromkeys(self.experiments.baseline(name, scratch=True) for name in self.scale.datasets)
        return self._first(self.cells(runs))

    def _first(self, cells: list[dict]) -> list[dict]:
        """Those of the first world."""
        return [cell for cell in cells if cell["seed"] in self.scale.first_world(self.project.seeds)]

    def other_clips(self, dataset: str) -> str:
        """What `multitrain temporal` is told of the datasets beside one."""
        return shlex.join(word for other in self.scale.datasets if other != dataset for word in ("--clips", other))

    @staticmethod
    def files(pattern: str, cells: list[dict]) -> list[str]:
        """The files of some cells, each once; `pattern` has wildcards that a cell has values for."""
        return list(dict.fromkeys(str(pattern).format(**cell) for cell in cells))

    # Which job first: on two cores the longest chain of trainings decides when the tables are there.

    def urgency(self, *runs: str) -> int:
        """Priority of what these runs wait for, 0 to 100."""
        longest = max(map(self._chain, self.experiments.runs))
        return round(100 * max(map(self._chain, runs), default=0) / longest)

    def data_threads(self, dataset: str) -> int:
        """Several for the data that everything waits for; the rest is made beside the first training."""
        if not self.scale.synthetic(dataset):
            return 16
        return 4 if self._urgency_of_data(dataset) == 100 else 1

    def turn(self, seed: int | str) -> int:
        """Priority of a seed's jobs over those of later ones: a study that is stopped has whole seeds."""
        seeds = self.project.seeds
        return TURN * (len(seeds) - 1 - seeds.index(int(seed))) if int(seed) in seeds else 0

    def world(self, wildcards: Mapping[str, str]) -> int:
        """The world of a job's clips: one wildcard of files of data, and told by a run's seed."""
        seed = wildcards.get("seed")
        return int(wildcards.get("world", 0)) if seed is None else self.scale.world_of(int(seed))

    def data_priority(self, dataset: str, world: int = 0) -> int:
        """As urgent as the most urgent run that reads it, of the first seed in that world.

        The scheduler adds up priorities: a job on several cores has to outweigh what else these could run.
        """
        first = next((seed for seed in self.project.seeds if self.scale.world_of(seed) == world), None)
        turn = 0 if first is None else self.turn(first)
        return (self._urgency_of_data(dataset) + turn) * self.data_threads(dataset)

    def _urgency_of_data(self, dataset: str) -> int:
        return self.urgency(*(name for name, run in self.experiments.runs.items() if dataset in run.datasets))

    def _chain(self, name: str) -> float:
        """Work of the longest chain of trainings that starts with this run and goes on from its weights."""
        run = self.experiments.runs[name]
        paced = self.experiments.runs[run.steps_of] if run.steps_of else run
        epochs = paced.effective_recipe(self.scale.recipes).epochs
        work = epochs * len(paced.datasets) * self.scale.sizes[run.size] ** 2
        following = [other for other, its in self.experiments.runs.items() if its.init == name]
        return work + max(map(self._chain, following), default=0)
