"""The jobs of the workflow's outputs: what each reads, its command, and what it depends on.

Snakemake asks a rule's functions with the wildcards of a job, when it needs the job.
"""

import re
import shlex
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import chain, product
from pathlib import Path

from multitrain.planning.closure import code, notebook_code
from multitrain.planning.depends import Job, settings
from multitrain.planning.outputs import FIGURES, NOTEBOOKS, OUTPUTS, Output
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
WILDCARD = re.compile(r"{(\w+)}")
LOGS = {  # where a rule's log lies, if not by its own name
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
        """Files of a dataset, of a world where there are several."""
        folder = f"{self.plan.project.data}/{self.plan.scale.name}/{self.plan.scale.place}"
        return {kind: f"{folder}/{CLIPS[kind]}" for kind in kinds}

    def runs(self, *kinds: str) -> dict[str, str]:
        """Files of a run of a seed, of a dataset where there is one for each."""
        folder = f"{self.plan.project.results}/runs/{self.plan.scale.name}/{{run}}/seed{{seed}}"
        return {kind: f"{folder}/{RUNS[kind]}" for kind in kinds}

    def scored(self, prepare: Checkpoint) -> dict[str, object]:
        """What a job that scores a dataset's clips by a run's model reads; `prepare` is that checkpoint."""
        manifest = self.clips("manifest")["manifest"]
        return {
            **self.runs("model"),
            "manifest": lambda wildcards: manifest.format(
                dataset=wildcards["dataset"], world=self.plan.world(wildcards)
            ),
            "compared": self.compared(prepare),
        }

    def compared(self, prepare: Checkpoint) -> Callable[[Job], list[str]]:
        """No file; see `Plan.wait_for_compared`."""
        return lambda wildcards: self.plan.wait_for_compared(wildcards["run"], wildcards["seed"], prepare)

    def settings(self, rule: str) -> Callable[[Job], str]:
        """What jobs of a rule depend on beside their files: nothing, where the command is not told of the settings."""
        untold = rule in OUTPUTS and "config" not in OUTPUTS[rule].told
        return lambda wildcards: "" if untold else settings(self.plan, rule, wildcards)

    # Rules of the table of outputs.

    def outputs(self) -> dict[str, Output]:
        """Those that there are at this scale, by their rules' names."""
        related = self.plan.scale.related_datasets()
        return {name: each for name, each in OUTPUTS.items() if related or not each.synthetic}

    def files(self, rule: str) -> list[str]:
        """What a rule writes."""
        return [self._result(file) for file in OUTPUTS[rule].files]

    def inputs(self, rule: str) -> Callable[[Job], list[str]]:
        """What a job reads, its code too where it is cheap."""
        return lambda wildcards: [
            *self._results_read(OUTPUTS[rule], wildcards),
            *self._made_from(OUTPUTS[rule], wildcards),
            *self._code(OUTPUTS[rule], wildcards),
        ]

    def command(self, rule: str) -> Callable[[Job], str]:
        """The words after `multitrain`."""
        output, results = OUTPUTS[rule], shlex.quote(self.plan.project.results)
        options = shlex.join(self._options(output.told))
        return lambda wildcards: f"{output.command.format(results=results, **dict(wildcards.items()))} {options}"

    def _options(self, told: Iterable[str]) -> list[str]:
        project, scale = self.plan.project, self.plan.scale
        worlds = [["--world", str(world)] for world in self.plan.worlds] if scale.several_worlds else []
        options = {
            "scale": ["--scale", scale.name],
            "config": ["--config-dir", self.plan.folder],
            "world": [*chain(*worlds[:1])],
            "worlds": [*chain(*worlds)],
            "data": ["--data", project.data],
            "results": ["--results", project.results],
            "seeds": [*chain(*(["--seed", str(seed)] for seed in project.seeds))],
            "smoke_test": ["--smoke-test"] if scale.smoke_test else [],
        }
        return [word for name in told for word in options[name]]

    def _result(self, file: str) -> str:
        return f"{self.plan.project.results}/{file.replace('{scale}', self.plan.scale.name)}"

    def _results_read(self, output: Output, job: Job) -> list[str]:
        """Other files of the results, and a notebook's source."""
        notebook = self._notebook(output, job)
        inputs = NOTEBOOKS.get(notebook, output).inputs
        absent = {file for each in OUTPUTS.values() for file in each.files} - {
            file for each in self.outputs().values() for file in each.files
        }
        found = [each for file in inputs if file not in absent for each in self._each(self._result(file), job)]
        return [*found, *([f"notebooks/{notebook}.ipynb"] if notebook else [])]

    def _made_from(self, output: Output, job: Job) -> list[str]:
        """Files of runs and datasets, the paper's numbers, and what was measured."""
        found: list[str] = []
        for kind, whose in output.cells.items():
            (pattern,) = self.runs(kind).values()
            found += self.plan.files(pattern, self._cells(whose, job))
        worlds = self.plan.worlds[:1] if output.first_world else self.plan.worlds
        for kind, pattern in self.clips(*output.clips).items():
            related = kind in ("relations", "published")
            datasets = self.plan.scale.related_datasets() if related else [job.get("dataset", "{dataset}")]
            for dataset, world in product(datasets, worlds):
                found += self._each(pattern.replace("{dataset}", dataset).replace("{world}", str(world)), job)
        found += [f"{PUBLISHED}/{name}" for whose in output.published for name in self._published(whose, job)]
        return [*dict.fromkeys(found), *(self.plan.measured_files() if output.measured else [])]

    def _code(self, output: Output, job: Job) -> list[str]:
        """The files of the modules that write the output."""
        if not output.cheap:
            return []
        modules, command = (output.module, *output.code), f"multitrain.cli.commands.{output.cli}"
        if notebook := self._notebook(output, job):
            return notebook_code(f"notebooks/{notebook}.ipynb", *modules, command=command)
        return code(*modules, command=command)

    def _notebook(self, output: Output, job: Job) -> str:
        """The name of the notebook that a job executes; "" where it is none."""
        first, _, file = output.command.partition(" ")
        return Path(file).stem.format(**dict(job.items())) if first == "notebook" else ""

    def _each(self, pattern: str, job: Job) -> list[str]:
        """The files of a pattern for a job: of its own dataset, or else of all."""
        every: dict[str, Iterable[str]] = {
            "dataset": self.plan.scale.datasets,
            "table": self.plan.experiments.tables,
            "notebook": NOTEBOOKS,
        }
        words = dict.fromkeys(WILDCARD.findall(pattern))
        names: list[Iterable[str]] = [[job[word]] if job.get(word) else every[word] for word in words]
        return [pattern.format(**dict(zip(words, each, strict=True))) for each in product(*names)]

    def _cells(self, whose: str, job: Job) -> list[dict]:
        """Run, dataset and seed of some of the runs."""
        plan = self.plan
        match whose:
            case "tables":
                return plan.table_cells()
            case "table":
                return plan.table_cells(job["table"])
            case "mapped":  # of Table 1's joint run, of the first seed
                return [cell for cell in plan.cells(["multitrain"]) if cell["seed"] == plan.project.seeds[0]]
            case "card":
                return plan.card_cells()
            case "related":
                return plan.related_cells()
            case "joint" | "projecting" | "shown":
                return plan.cells(getattr(plan.experiments, f"{whose}_runs")())
        return plan.table_cells(*whose.split())

    def _published(self, whose: str, job: Job) -> list[str]:
        """Names of files in resources/published."""
        experiments = self.plan.experiments
        return {
            "claims": lambda: self.plan.published_files(),
            "table": lambda: [experiments.tables[job["table"]].published],
            "projections": lambda: [experiments.projections.published],
            "datasets": lambda: ["datasets.csv"],
        }[whose]()
