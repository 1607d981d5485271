"""Inputs, commands and parameters of the workflow's jobs.

Methods that return a function give a rule's input or params function: Snakemake calls it with the wildcards of a job
when the job is needed.
"""

import re
import shlex
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from itertools import chain, product
from pathlib import Path

from multitrain.planning.closure import code_files, notebook_code_files
from multitrain.planning.depends import Job, settings
from multitrain.planning.outputs import FIGURES, NOTEBOOKS, OUTPUTS, Output
from multitrain.planning.outputs.left_out import there
from multitrain.planning.outputs.output import PAPER_TABLES
from multitrain.planning.plan import Checkpoint, Plan

__all__ = ["LOGS", "PUBLISHED", "Jobs"]

CLIPS = {  # files of a dataset
    "published": "raw/published.json",
    "relations": "raw/relations.csv",
    "manifest": "manifest.parquet",
    "missing": "missing.csv",
    "annotated": "annotated.csv",
}
RUNS = {  # files of a run of one seed
    "model": "model.pt",
    "record": "run.json",
    "history": "history.jsonl",
    "predictions": "predictions/{dataset}.parquet",
    "statistics": "predictions/{dataset}.npz",
    "features": "features/{dataset}.parquet",
    "temporal": "temporal_val/{dataset}.parquet",
    "related": "temporal_val/{dataset}_on",
}
PUBLISHED = "resources/published"
CONFIG = "config"  # the folder of the scales that a study can name
WILDCARD = re.compile(r"{(\w+)}")
LOGS = {  # paths of logs that are not named after their rule
    "table": "{table}",
    "survey": "survey/{dataset}",
    "notebook": "notebooks/{notebook}",
    "report_page": "notebooks/report",
    **{f"figure_{name}": f"figures/{name}" for name in FIGURES},
}


@dataclass(frozen=True)
class Jobs:
    """The jobs of a plan."""

    plan: Plan

    # Patterns of files.

    def clips(self, *kinds: str) -> dict[str, str]:
        """Patterns of a dataset's files, with the wildcards `dataset` and, for several worlds, `world`."""
        folder = f"{self.plan.project.data}/{self.plan.scale.clips_scale}/{self.plan.scale.place}"
        return {kind: f"{folder}/{CLIPS[kind]}" for kind in kinds}

    def clip_options(self, world: int) -> str:
        """Options of the commands that make clips: those of the scale whose clips are taken, so that they stay as made.

        A study names a scale of config/scales there; Snakemake would make them again with options of the study.
        """
        plan = self.plan
        if plan.scale.clips_of is None:
            return plan.options("data", world=world)
        project = plan.project.model_copy(update={"scale": plan.scale.clips_of})
        return replace(plan, project=project, folder=CONFIG if plan.is_study else plan.folder).options(
            "data", world=world
        )

    def runs(self, *kinds: str) -> dict[str, str]:
        """Patterns of a run's files, with the wildcards `run`, `seed` and, for some files, `dataset`."""
        folder = f"{self.plan.project.results}/runs/{self.plan.scale.name}/{{run}}/seed{{seed}}"
        return {kind: f"{folder}/{RUNS[kind]}" for kind in kinds}

    def scoring_inputs(self, prepare: Checkpoint) -> dict[str, object]:
        """Inputs of a job that scores a dataset's clips with a run's model; `prepare` is the rule of that name."""
        manifest = self.clips("manifest")["manifest"]
        return {
            **self.runs("model"),
            "manifest": lambda wildcards: manifest.format(
                dataset=wildcards["dataset"], world=self.plan.world(wildcards)
            ),
            "compared": self.wait_for_compared(prepare),
        }

    def wait_for_compared(self, prepare: Checkpoint) -> Callable[[Job], list[str]]:
        """An input function without files; see `Plan.wait_for_compared`."""
        return lambda wildcards: self.plan.wait_for_compared(wildcards["run"], wildcards["seed"], prepare)

    def settings(self, rule: str) -> Callable[[Job], str]:
        """The settings that jobs of a rule depend on; "" for a command that does not read the configuration."""
        independent = rule in OUTPUTS and "config" not in OUTPUTS[rule].options
        return lambda wildcards: "" if independent else settings(self.plan, rule, wildcards)

    # Rules of the table of outputs.

    def outputs(self) -> dict[str, Output]:
        """The outputs of this study, by their rules' names."""
        return {name: each for name, each in OUTPUTS.items() if name not in self.plan.left_out}

    def refused(self, targets: Iterable[object]) -> str:
        """`FILE: reason`, for the first file asked for that the study cannot have; "" where there is none."""
        reasons = {file: reason for name, reason in self.plan.left_out.items() for file in self._files_of(name)}
        for file in map(str, targets):
            if file in reasons:
                return f"{file}: left out: {reasons[file]}"
            tables = self.plan.experiments.tables
            if Path(file).name in PAPER_TABLES and Path(file).stem not in tables:
                return f"{file}: the study has no such table; its tables are {', '.join(tables)}"
        return ""

    def _files_of(self, name: str) -> list[str]:
        """The files of an entry of `Plan.left_out`."""
        kind, _, value = name.partition(" ")
        patterns = OUTPUTS[kind].files if kind in OUTPUTS else ()
        return [self._result(file.replace(f"{{{kind}}}", value)) for file in patterns]

    def files(self, rule: str) -> list[str]:
        """Patterns of the files that a rule writes."""
        return [self._result(file) for file in OUTPUTS[rule].files]

    def inputs(self, rule: str) -> Callable[[Job], list[str]]:
        """The files that a job reads; for a cheap output also its code."""
        return lambda wildcards: [
            *self._result_inputs(OUTPUTS[rule], wildcards),
            *self._run_and_data_inputs(OUTPUTS[rule], wildcards),
            *self._code_inputs(OUTPUTS[rule], wildcards),
        ]

    def command(self, rule: str) -> Callable[[Job], str]:
        """The arguments of `multitrain` that write the output."""
        output, results = OUTPUTS[rule], shlex.quote(self.plan.project.results)
        options = shlex.join(self._options(output.options))
        return lambda wildcards: f"{output.command.format(results=results, **dict(wildcards.items()))} {options}"

    def _options(self, names: Iterable[str]) -> list[str]:
        project, scale = self.plan.project, self.plan.scale
        worlds = [["--world", str(world)] for world in self.plan.worlds] if scale.several_worlds else []
        words = {
            "scale": ["--scale", project.scale],
            "config": ["--config-dir", self.plan.folder],
            "world": [*chain(*worlds[:1])],
            "worlds": [*chain(*worlds)],
            "data": ["--data", project.data],
            "results": ["--results", project.results],
            "seeds": [*chain(*(["--seed", str(seed)] for seed in project.seeds))],
            "smoke_test": ["--smoke-test"] if scale.smoke_test else [],
            "study": ["--study", self.plan.folder] if self.plan.is_study else [],
            "tables": [*chain(*(["--table", name] for name in self.plan.own_tables))],
        }
        return [word for name in names for word in words[name]]

    def _result(self, file: str) -> str:
        return f"{self.plan.project.results}/{file.replace('{scale}', self.plan.scale.name)}"

    def _result_inputs(self, output: Output, job: Job) -> list[str]:
        """Other outputs that the job reads, and the source of a notebook."""
        notebook = self._notebook(output, job)
        inputs = NOTEBOOKS.get(notebook, output).inputs
        if output.any_tables and self.plan.own_tables:
            inputs = (*(f"{name}.csv" for name in self.plan.own_tables), *(set(inputs) - set(PAPER_TABLES)))
        absent = {file for each in OUTPUTS.values() for file in each.files} - {
            file for each in self.outputs().values() for file in each.files
        }
        absent |= set(PAPER_TABLES) - {f"{name}.csv" for name in self.plan.experiments.tables}
        files = [path for file in inputs if file not in absent for path in self._expand(self._result(file), job)]
        files += [path for file in output.found if Path(path := self._result(file)).is_file()]
        return [*files, *([f"notebooks/{notebook}.ipynb"] if notebook else [])]

    def _run_and_data_inputs(self, output: Output, job: Job) -> list[str]:
        """Files of runs and datasets, the paper's numbers, and earlier measurements."""
        files: list[str] = []
        for kind, selection in output.cells.items():
            (pattern,) = self.runs(kind).values()
            files += self.plan.files(pattern, self._cells(selection, job))
        worlds = self.plan.worlds[:1] if output.first_world else self.plan.worlds
        for kind, pattern in self.clips(*output.clips).items():
            related = kind in ("relations", "published")
            datasets = self.plan.related_datasets if related else [job.get("dataset", "{dataset}")]
            for dataset, world in product(datasets, worlds):
                files += self._expand(pattern.replace("{dataset}", dataset).replace("{world}", str(world)), job)
        files += [f"{PUBLISHED}/{name}" for kind in output.published for name in self._published(kind, job)]
        return [*dict.fromkeys(files), *(self.plan.measured_files() if output.measured else [])]

    def _code_inputs(self, output: Output, job: Job) -> list[str]:
        """The source files of the modules that write the output."""
        if not output.cheap:
            return []
        modules, command = (output.module, *output.code), f"multitrain.cli.commands.{output.cli}"
        if notebook := self._notebook(output, job):
            return notebook_code_files(f"notebooks/{notebook}.ipynb", *modules, command=command)
        return code_files(*modules, command=command)

    def _notebook(self, output: Output, job: Job) -> str:
        """The name of the notebook that a job executes, or ""."""
        first, _, file = output.command.partition(" ")
        return Path(file).stem.format(**dict(job.items())) if first == "notebook" else ""

    def _expand(self, pattern: str, job: Job) -> list[str]:
        """The files of a pattern: a wildcard takes the job's value, or else each possible value."""
        every: dict[str, Iterable[str]] = {
            "dataset": self.plan.datasets,
            "table": self.plan.experiments.tables,
            "notebook": there(NOTEBOOKS, "notebook ", self.plan.left_out),
        }
        words = dict.fromkeys(WILDCARD.findall(pattern))
        names: list[Iterable[str]] = [[job[word]] if job.get(word) else every[word] for word in words]
        return [pattern.format(**dict(zip(words, values, strict=True))) for values in product(*names)]

    def _cells(self, selection: str, job: Job) -> list[dict]:
        """Run, dataset and seed of the runs that a value of `Output.cells` selects."""
        plan = self.plan
        match selection:
            case "tables":
                return plan.table_cells()
            case "table":
                return plan.table_cells(job["table"])
            case "mapped":  # Table 1's joint run of the first seed
                mapped = filter(None, [plan.experiments.mapped_run()])
                return [cell for cell in plan.cells(mapped) if cell["seed"] == plan.project.seeds[0]]
            case "compared":
                return plan.table_cells(*(each.table for each in plan.experiments.compared()))
            case "card":
                return plan.card_cells()
            case "related":
                return plan.related_cells()
            case "joint" | "projecting" | "shown":
                return plan.cells(getattr(plan.experiments, f"{selection}_runs")())
        return plan.table_cells(*selection.split())

    def _published(self, kind: str, job: Job) -> list[str]:
        """Names of the files in resources/published that a value of `Output.published` selects."""
        experiments = self.plan.experiments
        shown = experiments.projections
        files: dict[str, Callable[[], list[str | None]]] = {
            "claims": lambda: [*self.plan.published_files()],
            "table": lambda: [experiments.tables[job["table"]].published],
            "projections": lambda: [shown.published if shown else None],
            "datasets": lambda: ["datasets.csv"],
        }
        return [name for name in files[kind]() if name]
