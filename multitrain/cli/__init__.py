"""`multitrain COMMAND`: which module holds which command, loaded when it is called, and the entry point."""

import ast
import importlib
import io
import os
import signal
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer
from typer.core import TyperCommand, TyperGroup

from multitrain.common.errors import UserError
from multitrain.common.files.filenames import one_line
from multitrain.common.progress import outlive_readers

if TYPE_CHECKING:
    from typer._click import Command, Context  # of click itself in older versions
TERMINATED = 128 + signal.SIGTERM
MODULES = {  # of this package, with their commands in the order of `multitrain --help`
    "pipeline_commands": ("synth", "prepare", "train", "evaluate", "temporal"),
    "status_commands": ("status", "estimate", "flops"),
    "result_commands": ("table", "show", "analyse", "survey", "overview", "card", "figure", "notebook", "index"),
    "model_commands": ("predict", "demo", "features", "export"),
    "interpret_commands": ("inspect",),
    "finetune_commands": ("finetune",),
    "checkpoint_commands": ("checkpoint",),
    "data_commands": ("data",),
    "packed_commands": ("results",),
    "sweep_commands": ("sweep",),
    "doctor_commands": ("doctor",),
}
GROUPS = ("checkpoint", "data", "results", "sweep")  # all commands of their module come after this word
MODULE_OF = {name: module for module, names in MODULES.items() for name in names}


@cache
def _docstrings(module: str) -> dict[str, str | None]:
    """Docstrings of a module's functions by name, and its own as "", read from the source: nothing is imported."""
    tree = ast.parse((Path(__file__).parent / "commands" / f"{module}.py").read_bytes())
    functions = {node.name: ast.get_docstring(node) for node in tree.body if isinstance(node, ast.FunctionDef)}
    return {"": ast.get_docstring(tree), **functions}


def load_command(name: str) -> TyperCommand | TyperGroup:
    """A command or group of commands, with its module imported."""
    found = typer.main.get_group(importlib.import_module(f"{__name__}.commands.{MODULE_OF[name]}").app)
    command = found if name in GROUPS else found.commands[name]
    command.name = name
    return cast(TyperCommand | TyperGroup, command)


class LazyGroup(TyperGroup):
    """All commands by name and help; the module of one is imported when it is called."""

    def __init__(self, **attributes: Any):
        super().__init__(**{**attributes, "commands": {name: TyperCommand(name) for name in MODULE_OF}})

    def get_command(self, ctx: "Context", cmd_name: str) -> "Command | None":
        """What the list of commands shows."""
        command = super().get_command(ctx, cmd_name)
        if command is not None:
            command.help = _docstrings(MODULE_OF[cmd_name])["" if cmd_name in GROUPS else cmd_name]
        return command

    def resolve_command(self, ctx: "Context", args: list[str]) -> "tuple[str | None, Command | None, list[str]]":
        """What is called."""
        name, command, rest = super().resolve_command(ctx, args)
        return name, load_command(command.name) if command and command.name else None, rest


app = typer.Typer(
    cls=LazyGroup,
    help="Multi-dataset training of video transformers: data, training, evaluation and tables, one command a stage.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from multitrain.common.version import version

        typer.echo(f"multitrain {version()}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", help="Print version and commit.", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    """Options of no command in particular; the help of all is `app`'s."""


def run(arguments: list[str] | None = None) -> Any:
    """Entry point: a UserError, or what the system refuses, is one line on standard error and exit status 1."""
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:  # so that temporary files go
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(TERMINATED))
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # names of files may be of bytes that are no text
    outlive_readers()
    try:
        return app(args=arguments)
    except UserError as error:
        typer.echo(one_line(f"error: {error}"), err=True)
        sys.exit(1)
    except BrokenPipeError:  # the reader of our output has gone, as in `multitrain flops | head -1`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        typer.echo(one_line(f"error: {where}{error.strerror or error}"), err=True)
        sys.exit(1)
