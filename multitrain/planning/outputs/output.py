"""The type of an entry in the table of workflow outputs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from inspect import signature
from typing import Protocol

__all__ = ["CSV", "FLOPS", "PAPER_TABLES", "SURVEY", "Output"]

OPTIONS = ("scale", "config", "results", "seeds")


@dataclass(frozen=True)
class Output:
    """Files of the results folder that one command writes, with their inputs and captions.

    In file names {scale} is the scale, and any other word in braces is a wildcard of the rule. A wildcard of inputs or
    clips that the output's own files lack stands for all datasets, all tables or all notebooks.
    """

    function: str  # "module:function" within multitrain
    files: tuple[str, ...]  # the report contains the first one, if `category` is given
    command: str = ""  # arguments of `multitrain`
    options: tuple[str, ...] = OPTIONS  # options of the command, keys in `planning.jobs`
    inputs: tuple[str, ...] = ()  # other files of the results folder
    cells: Mapping[str, str] = field(default_factory=dict)  # file of a run: selection of runs, both of `planning.jobs`
    clips: tuple[str, ...] = ()  # files of prepared or synthetic datasets, keys of `planning.jobs.CLIPS`
    first_world: bool = False  # reads the clips of the first seed's world alone
    published: tuple[str, ...] = ()  # files of resources/published, keys in `planning.jobs`
    found: tuple[str, ...] = ()  # files of the results folder that no rule makes, read where they are there
    measured: bool = False  # reads resources/measured too
    any_tables: bool = False  # in a study without the tables among `inputs`: reads the study's own tables
    optional: bool = False  # is made without the inputs that a study does not have
    synthetic: bool = False  # exists only where all datasets are of a synthetic world
    code: tuple[str, ...] = ()  # further modules that the output depends on
    cheap: bool = True  # the code is an input: the job runs again when it changes
    cli: str = "result_commands"  # module of multitrain.cli.commands that has the command
    runs: str = ""  # the method of Experiments that gives the function's argument `runs`
    arguments: Mapping[str, object] = field(default_factory=dict)  # fixed arguments of the function
    category: str = ""  # in Snakemake's report, which shows the files of a category
    labels: Mapping[str, str] = field(default_factory=dict)
    title: str = ""
    caption: str = ""  # one or two sentences, which are also a picture's alternative text
    details: str = ""  # further sentences for the report

    @property
    def module(self) -> str:
        return f"multitrain.{self.function.partition(':')[0]}"

    @property
    def description(self) -> str:
        """The caption in Snakemake's report."""
        return f"{self.caption} {self.details}".strip()

    def load(self) -> Callable:
        """Import the function."""
        return getattr(import_module(self.module), self.function.partition(":")[2])

    def write(self, context: "Context") -> None:
        """Call the function; a parameter without a fixed argument gets the attribute of its name in `context`."""
        function, arguments = self.load(), dict(self.arguments)
        for name in signature(function).parameters.keys() - arguments.keys():
            arguments[name] = getattr(context.experiments, self.runs)() if name == "runs" else getattr(context, name)
        function(**arguments)


class Context(Protocol):
    """Attributes that an output's function takes as parameters; `experiments` has the method `Output.runs`."""

    @property
    def experiments(self) -> object: ...


FLOPS = "runs/{scale}/flops.json"
SURVEY = tuple(
    f"datasets/{{scale}}/{{dataset}}/{name}"
    for name in ("contact_sheet.jpg", "classes.csv", "durations.csv", "missing.csv")
)
CSV = {"form": "CSV"}
PAPER_TABLES = ("table1.csv", "table2.csv", "table3.csv")  # that outputs name as inputs
