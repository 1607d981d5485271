"""The settings of one workflow, and the files, options and priorities of jobs that follow from them.

These are plain functions and not parts of the Snakefile: they can be tested, and a name defined in a Snakefile replaces
one that Snakemake itself uses.
"""

import shlex
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

from multitrain.common.errors import UserError
from multitrain.config.claims import STATED, Claims
from multitrain.config.config_files import load_claims, load_experiments, load_scale, parse, scale_path, study_of
from multitrain.config.experiments import Experiments
from multitrain.config.scale import Project, Scale
from multitrain.data.leakage import datasets_tested_by, trained_on
from multitrain.model.backbones.declarations import require_modules
from multitrain.planning.excluded import excluded
from multitrain.planning.outputs import OUTPUTS
from multitrain.planning.outputs.left_out import left_out, own_tables
from multitrain.planning.sweep_points import Points, load_points

__all__ = ["Checkpoint", "Plan"]

RESERVED = {Path(file).stem for each in OUTPUTS.values() for file in each.files if "/" not in file}  # in results
SEED_STEP = 1000  # priority of a seed over the next one: more than any other part of a job's priority


class Checkpoint(Protocol):
    """A Snakemake checkpoint: a rule after which Snakemake plans again."""

    def get(self, **wildcards: str | int) -> object:
        """The job of these wildcards; before it has run, an exception that Snakemake catches."""


@dataclass(frozen=True)
class Plan:
    """One configuration of the workflow."""

    folder: str
    project: Project
    scale: Scale
    experiments: Experiments
    claims: Claims

    @classmethod
    def load(cls, values: dict, folder: str = "config", given: Collection[str] = ()) -> "Plan":
        """The plan for `values`, the content of config.yaml with the changes of the command line.

        `folder` may be a study's file; `given` are the keys of `values` that the command line has.

        Raises:
            UserError: a mistake in the configuration.
        """
        where = f"{folder}/config.yaml or --config"
        if study := study_of(folder):
            where = f"{study.path} or --config"
            values = study.project_values(values, given)
        project = parse(Project, values, where)
        for name in ("data", "results"):
            if (path := Path(getattr(project, name))).exists() and not path.is_dir():
                raise UserError(f"{where}: {name}: {str(path)!r} is no folder: name another")
        scale = load_scale(project.scale, folder)
        experiments = load_experiments(folder, scale)
        places = (study.path,) * 2 if study else (scale_path(scale.name, folder), f"{folder}/experiments.yaml")
        require_modules(scale, experiments, *map(str, places))
        for name in experiments.tables:
            if name in RESERVED:
                raise UserError(
                    f"{where}: tables.{name}: the results have a file {name} of their own: rename the table"
                )
        initial_runs = {run.init for run in experiments.runs.values()}
        for name in project.pretrained:
            if name not in initial_runs:
                raise UserError(
                    f"{where}: pretrained.{name}: no run starts from {name!r}; "
                    f"runs start from {', '.join(sorted(filter(None, initial_runs)))}"
                )
        return cls(folder, project, scale, experiments, load_claims(folder, experiments))

    def options(self, *folders: str, world: int | Iterable[int] = ()) -> str:
        """Options that commands share: the scale, the configuration, and the `folders` among data and results.

        For a scale with several worlds, `world` adds --world for commands that read clips.
        """
        words = ["--scale", self.project.scale, "--config-dir", self.folder]
        for number in (world,) if isinstance(world, int) else world:
            words += ["--world", str(number)] if self.scale.several_worlds else []
        for name in folders:
            words += [f"--{name}", getattr(self.project, name)]
        return shlex.join(words)

    @cached_property
    def left_out(self) -> dict[str, str]:
        """Why outputs are not made; see `planning.outputs.left_out`."""
        return left_out(self.scale, self.experiments, self.claims)

    @property
    def is_study(self) -> bool:
        """Whether the settings are one file of a study."""
        return Path(self.folder).is_file()

    @property
    def own_tables(self) -> list[str]:
        """The tables of a study that does not have all of the paper's; else none."""
        return own_tables(self.experiments)

    @property
    def datasets(self) -> list[str]:
        """The datasets that the runs of the tables use, in the scale's order."""
        used = self.experiments.used_datasets()
        return [name for name in self.scale.datasets if name in used]

    @property
    def related_datasets(self) -> list[str]:
        """The datasets among them whose related classes the synthetic world lists."""
        return [name for name in self.datasets if name in self.scale.related_datasets()]

    @property
    def worlds(self) -> tuple[int, ...]:
        """The worlds of all seeds."""
        return self.scale.worlds(self.project.seeds)

    def pretrained(self, name: str) -> str | None:
        """The file whose backbone replaces that of the run's `init` run."""
        return self.project.pretrained.get(self.experiments.runs[name].init or "")

    def pretrained_option(self, name: str) -> str:
        """The option --pretrained of `multitrain train`, or ""."""
        file = self.pretrained(name)
        return "" if file is None else shlex.join(["--pretrained", f"{self.experiments.runs[name].init}={file}"])

    def train_datasets(self, name: str) -> list[str]:
        """Datasets whose manifests a training reads: its own, and those of its `steps_of` run."""
        return list(dict.fromkeys(dataset for _, dataset in self._clips_read(name)))

    def compared_datasets(self, name: str) -> list[str]:
        """Datasets whose test videos are left out of a training, or of one on its chain of initial weights.

        They are prepared before the training and are not its inputs: its settings contain the clips that are left out
        (`planning.depends`).
        """
        chain = dict.fromkeys(run for run, _ in trained_on(self.experiments, name))
        others = [other for run in chain for clips in self._clips_read(run) for other in self._tested_by(*clips)]
        return list(dict.fromkeys(others))

    def wait_for_compared(self, name: str, seed: int | str, prepare: Checkpoint) -> list[str]:
        """Wait for the manifests that decide which clips the run leaves out; returns no files.

        After each of these manifests Snakemake evaluates the waiting jobs again and decides which have to run. All
        costly jobs of a run must wait: if only the training did, the jobs after it would run without it.
        """
        for dataset in self.compared_datasets(name):
            prepare.get(dataset=dataset, world=self.scale.world_of(int(seed)))
        return []

    def _clips_read(self, name: str) -> list[tuple[str, str]]:
        """(run, dataset) of the training clips that a training needs: its own, and those of its `steps_of` run."""
        paced = self.experiments.runs[name].steps_of
        return [
            (run, dataset) for run in filter(None, (name, paced)) for dataset in self.experiments.runs[run].datasets
        ]

    def excluded(self, name: str, world: int) -> dict[str, str]:
        """Summary of the training clips that are left out, for each run and dataset that has any."""
        data = Path(self.project.data)
        summaries = {
            f"{run} {dataset}": excluded(self.scale, dataset, tested, data, world)
            for run, dataset in self._clips_read(name)
            if (tested := self._tested_by(run, dataset))
        }
        return {key: summary for key, summary in summaries.items() if summary}

    def _tested_by(self, run: str, dataset: str) -> tuple[str, ...]:
        """The datasets whose test videos are left out of a run's training clips of `dataset`."""
        return datasets_tested_by(self.scale, self.experiments, run, dataset) if self.project.exclude_leaks else ()

    def published_files(self) -> list[str]:
        """Files of resources/published that claims are compared with."""
        return [*(table.published for table in self.experiments.tables.values() if table.published), STATED]

    def measured_files(self) -> list[str]:
        """Files with earlier measurements at this scale."""
        folder = Path("resources/measured") / self.scale.name
        return sorted(map(str, folder.glob("*.csv")))

    def points(self) -> Points:
        """The points of the sweep around this scale; no points for a study or a scale without a synthetic world."""
        if self.scale.world is None or self.is_study:
            return Points(None, {}, {})
        return load_points(self.scale, self.experiments, self.folder)

    def try_losses(self, runs: Iterable[str]) -> None:
        """Try the extra losses of these runs on random batches.

        Raises:
            UserError: one cannot be imported, or fails.
        """
        for name in runs:
            if losses := self.experiments.runs[name].extra_losses:
                from multitrain.engine.user_losses import try_early  # imports torch, which no other start needs

                place = self.folder if self.is_study else f"{self.folder}/experiments.yaml"
                try_early(losses, f"{place}: runs.{name}.extra_losses", self.experiments.runs[name].datasets)

    # Inputs of tables and analyses.

    def cells(self, runs: Iterable[str]) -> list[dict]:
        """Run, dataset and seed of every evaluation of these runs."""
        return [
            {"run": run, "dataset": dataset, "seed": seed}
            for run in runs
            for dataset in self.experiments.runs[run].datasets
            for seed in self.project.seeds
        ]

    def table_cells(self, *tables: str) -> list[dict]:
        """Run, dataset and seed of our numbers in these tables, or in all tables."""
        return [
            cell
            for table in tables or self.experiments.tables
            for cell in self.cells(self.experiments.shown_runs(table))
            if cell["dataset"] in self.experiments.tables[table].datasets
        ]

    def card_cells(self) -> list[dict]:
        """Cells of the world card: every dataset's baseline in the first world."""
        return self._first_world(self.cells(dict.fromkeys(map(self.experiments.baseline, self.datasets))))

    def related_cells(self) -> list[dict]:
        """Cells of the world card for related classes: every dataset's model from scratch, scored on all others."""
        runs = dict.fromkeys(self.experiments.baseline(name, scratch=True) for name in self.datasets)
        return self._first_world(self.cells(runs))

    def _first_world(self, cells: list[dict]) -> list[dict]:
        return [cell for cell in cells if cell["seed"] in self.scale.first_world(self.project.seeds)]

    def other_clips(self, dataset: str) -> str:
        """The options --clips of `multitrain temporal` for all datasets but one."""
        return shlex.join(word for other in self.datasets if other != dataset for word in ("--clips", other))

    @staticmethod
    def files(pattern: str, cells: list[dict]) -> list[str]:
        """The files of a pattern for these cells, each once."""
        return list(dict.fromkeys(str(pattern).format(**cell) for cell in cells))

    # Priorities: on two cores the longest chain of trainings decides when the tables are complete.

    def run_priority(self, *runs: str) -> int:
        """Priority of jobs that these runs wait for, 0 to 100: the longest remaining chain of trainings."""
        longest = max(map(self._chain_work, self.experiments.runs))
        return round(100 * max(map(self._chain_work, runs), default=0) / longest)

    def data_threads(self, dataset: str) -> int:
        """Threads of a dataset's preparation: several for the dataset that all runs wait for."""
        if not self.scale.synthetic(dataset):
            return 16
        return 4 if self._dataset_priority(dataset) == 100 else 1

    def seed_priority(self, seed: int | str) -> int:
        """Priority of a seed's jobs over those of later seeds: an interrupted study then has complete seeds."""
        seeds = self.project.seeds
        return SEED_STEP * (len(seeds) - 1 - seeds.index(int(seed))) if int(seed) in seeds else 0

    def world(self, wildcards: Mapping[str, str]) -> int:
        """The world of a job's clips: that of the wildcard `seed` for runs, the wildcard `world` for data."""
        seed = wildcards.get("seed")
        return int(wildcards.get("world", 0)) if seed is None else self.scale.world_of(int(seed))

    def data_priority(self, dataset: str, world: int = 0) -> int:
        """Priority of a dataset's preparation: the highest among the runs that read it, of the world's first seed.

        Snakemake adds up the priorities of the jobs that it selects. A job on several cores must therefore outweigh the
        jobs that these cores could run instead.
        """
        first = next((seed for seed in self.project.seeds if self.scale.world_of(seed) == world), None)
        seed_priority = 0 if first is None else self.seed_priority(first)
        return (self._dataset_priority(dataset) + seed_priority) * self.data_threads(dataset)

    def _dataset_priority(self, dataset: str) -> int:
        return self.run_priority(*(name for name, run in self.experiments.runs.items() if dataset in run.datasets))

    def _chain_work(self, name: str) -> float:
        """Work of the longest chain of trainings from this run on, where each starts from the weights of the last."""
        run = self.experiments.runs[name]
        paced = self.experiments.runs[run.steps_of] if run.steps_of else run
        epochs = paced.effective_recipe(self.scale.recipes).epochs
        work = epochs * len(paced.datasets) * self.scale.sizes[run.size] ** 2
        following = [other for other, settings in self.experiments.runs.items() if settings.init == name]
        return work + max(map(self._chain_work, following), default=0)
