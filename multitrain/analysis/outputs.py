"""The table of workflow outputs: what each consists of, what it is made from, and what writes it.

Rules, commands, the index, notebooks and the closure of the code read it. A new table or figure is one entry here and
one function. Nothing heavy is imported, because planning and the command line read it first.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from inspect import signature
from typing import Protocol


@dataclass(frozen=True)
class Output:
    """Files that one function writes into the results folder, and what they are made from."""

    function: str  # "module:function" within multitrain.analysis
    files: tuple[str, ...]  # in the results folder
    inputs: tuple[str, ...] = ()  # other files of the results folder
    runs: str = ""  # of which runs: a method of Experiments
    arguments: Mapping[str, object] = field(default_factory=dict)  # of the function, beside those it gets by name

    @property
    def module(self) -> str:
        """The module whose code the files depend on."""
        return f"multitrain.analysis.{self.function.partition(':')[0]}"

    def write(self, given: "Given") -> None:
        """Call the function: a parameter that `arguments` lack is the attribute of that name of `given`."""
        function = getattr(import_module(self.module), self.function.partition(":")[2])
        arguments = dict(self.arguments)
        for name in signature(function).parameters.keys() - arguments.keys():
            found = getattr(given.experiments, self.runs) if name == "runs" else getattr(given, name)
            arguments[name] = found() if name == "runs" else found
        function(**arguments)


class Given(Protocol):
    """What functions get by their parameters' names; `experiments` has the runs that `Output.runs` names."""

    experiments: object


ANALYSES: dict[str, Output] = {  # `multitrain analyse NAME`, each after those whose files it reads
    "projections": Output("projections:write_projections", ("projections.parquet",), runs="projecting_runs"),
    "recovery": Output(
        "recovery:write_recovery",
        ("projection_recovery.csv", "projection_recovery_summary.csv", "projection_recovery.md"),
        ("projections.parquet",),
        runs="projecting_runs",
    ),
    "classes": Output(
        "classes:write_classes",
        ("per_class.csv",),
        arguments={"tables": ("table1", "table2"), "baseline": "Baseline", "method": "MultiTrain"},
    ),
    "spectrum": Output("spectrum:write_spectrum", ("spectrum.csv",), runs="joint_runs"),
    "training": Output("training:write_training", ("training.parquet",)),
    "class_means": Output(
        "class_map:write_class_means",
        ("class_means.parquet",),
        arguments={"table": "table1", "method": "MultiTrain"},
    ),
    "networks": Output("networks:write_networks", ("networks.csv",)),
    "evidence": Output(
        "evidence.write:write_evidence",
        ("evidence.csv",),
        ("training.parquet", "spectrum.csv", "projections.parquet", "projection_recovery.csv", "networks.csv"),
    ),
    "claims": Output("claims:write_claims", ("claims.csv", "claims.md"), ("evidence.csv",)),
    "study": Output("study:write_study", ("runs.csv", "deviations.csv", "seeds.csv", "curves.parquet", "measured.csv")),
}

FIGURES: dict[str, tuple[str, ...]] = {
    "forest": ("claims.csv",),
    "spread": ("seeds.csv", "measured.csv", "per_class.csv"),
    "plateau": ("curves.parquet", "measured.csv", "per_class.csv"),
    "accuracy": ("table1.csv", "table3.csv", "per_class.csv"),
    "accuracy_k700": ("table2.csv", "per_class.csv"),
    "cost": ("table1.csv", "table2.csv", "per_class.csv"),
    "per_class": ("per_class.csv",),
    "per_class_k700": ("per_class.csv",),
    "training": ("training.parquet", "per_class.csv"),
    "spectrum": ("spectrum.csv",),
    "projections": ("projections.parquet", "per_class.csv"),
    "projection_graph": ("projections.parquet", "per_class.csv"),
    "recovery": ("projection_recovery.csv", "per_class.csv"),
}

REPORT = "report"  # the notebook that is a page of its own, <results>/report.html

NOTEBOOKS: dict[str, tuple[str, ...]] = {
    REPORT: (
        *("table1.csv", "table2.csv", "table3.csv", "claims.csv", "evidence.csv", "per_class.csv"),
        *("runs.csv", "deviations.csv", "seeds.csv", "curves.parquet", "measured.csv"),
    ),
    "table1": ("table1.csv", "table2.csv", "table3.csv", "claims.csv", "per_class.csv"),
    "table2": ("table2.csv", "claims.csv", "per_class.csv"),
    "table3": ("table1.csv", "table3.csv", "claims.csv", "per_class.csv", "spectrum.csv"),
    "table4": (
        "table4.csv",
        "projections.parquet",
        "projection_recovery.csv",
        "projection_recovery_summary.csv",
        "per_class.csv",
    ),
    "training": ("training.parquet", "per_class.csv"),
    "features": ("class_means.parquet", "projections.parquet", "per_class.csv"),
    "datasets": ("per_class.csv",),
}


def figure_module(name: str) -> str:
    """The module that draws a figure; it has one function for each set of datasets."""
    return f"multitrain.analysis.figures.{name.removesuffix('_k700')}"


def notebook_page(name: str) -> str:
    """Where a notebook's page lies in the results folder."""
    return f"{name}.html" if name == REPORT else f"notebooks/{name}.html"
