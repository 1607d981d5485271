"""The type of an entry of the table of workflow outputs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from inspect import signature
from typing import Protocol

__all__ = ["CSV", "FLOPS", "SURVEY", "Output"]

TOLD = ("scale", "config", "results", "seeds")


@dataclass(frozen=True)
class Output:
    """Files of the results folder that one command writes, what they are made from, and how they are shown.

    In names of files {scale} is the scale, and another word in braces a wildcard of the rule; of inputs and clips one
    that the rule's own files lack stands for all datasets, or all tables.
    """

    function: str  # "module:function" within multitrain
    files: tuple[str, ...]  # the first one is packed into the report, where there is a category
    command: str = ""  # of `multitrain`
    told: tuple[str, ...] = TOLD  # options of the command, as `planning.jobs` names them
    inputs: tuple[str, ...] = ()  # other files of the results folder
    cells: Mapping[str, str] = field(default_factory=dict)  # file of a run: of which runs, as `planning.jobs` names it
    clips: tuple[str, ...] = ()  # files of prepared or synthetic datasets, keys of `planning.jobs.CLIPS`
    first_world: bool = False  # the clips of the first seed's world alone
    published: tuple[str, ...] = ()  # files of resources/published, as `planning.jobs` names them
    measured: bool = False  # resources/measured too
    synthetic: bool = False  # only where all datasets are of a synthetic world
    code: tuple[str, ...] = ()  # modules that it depends on beside the function's
    cheap: bool = True  # its code is an input: it runs again when that changes
    cli: str = "result_commands"  # module of multitrain.cli with the command
    runs: str = ""  # the function's argument of that name: a method of Experiments
    arguments: Mapping[str, object] = field(default_factory=dict)  # those that the function does not get by name
    category: str = ""  # in Snakemake's report, which shows the files of a category
    labels: Mapping[str, str] = field(default_factory=dict)
    title: str = ""
    caption: str = ""  # one or two sentences, which are the text for those who do not see a picture too
    details: str = ""  # what the report adds

    @property
    def module(self) -> str:
        return f"multitrain.{self.function.partition(':')[0]}"

    @property
    def description(self) -> str:
        """Of the report."""
        return f"{self.caption} {self.details}".strip()

    def load(self) -> Callable:
        """The function."""
        return getattr(import_module(self.module), self.function.partition(":")[2])

    def write(self, given: "Given") -> None:
        """Call the function: a parameter that `arguments` lack is the attribute of that name of `given`."""
        function, arguments = self.load(), dict(self.arguments)
        for name in signature(function).parameters.keys() - arguments.keys():
            found = getattr(given.experiments, self.runs) if name == "runs" else getattr(given, name)
            arguments[name] = found() if name == "runs" else found
        function(**arguments)


class Given(Protocol):
    """What functions get by their parameters' names; `experiments` has the runs that `Output.runs` names."""

    @property
    def experiments(self) -> object: ...


FLOPS = "runs/{scale}/flops.json"
SURVEY = tuple(
    f"datasets/{{scale}}/{{dataset}}/{name}"
    for name in ("contact_sheet.jpg", "classes.csv", "durations.csv", "missing.csv")
)
CSV = {"form": "CSV"}
