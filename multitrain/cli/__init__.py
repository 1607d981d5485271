"""The command line `multitrain COMMAND`: its entry point, and lazy loading of the commands' modules."""

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
MODULES = {  # modules of `commands`, with their commands in the order of `multitrain --help`
    "pipeline_commands": ("synth", "prepare", "train", "evaluate", "temporal"),
    "status_commands": ("status", "estimate", "flops"),
    "result_commands": ("table", "show", "analyse", "survey", "overview", "card", "figure", "notebook", "index"),
    "model_commands": ("predict", "demo", "features", "export"),
    "interpret_commands": ("inspect", "confusion", "calibration", "explain"),
    "finetune_commands": ("finetune", "new"),
    "checkpoint_commands": ("checkpoint",),
    "data_commands": ("data",),
    "packed_commands": ("results",),
    "sweep_commands": ("sweep",),
    "doctor_commands": ("doctor",),
}
GROUPS = ("checkpoint", "data", "results", "sweep")  # commands with subcommands, which are those of their module
MODULE_OF = {name: module for module, names in MODULES.items() for name in names}


@cache
def _docstrings(module: str) -> dict[str, str | None]:
    """Docstrings of a module's functions by name, and the module's own as "". The source is parsed, not imported."""
    tree = ast.parse((Path(__file__).parent / "commands" / f"{module}.py").read_bytes())
    functions = {node.name: ast.get_docstring(node) for node in tree.body if isinstance(node, ast.FunctionDef)}
    return {"": ast.get_docstring(tree), **functions}


def load_command(name: str) -> TyperCommand | TyperGroup:
    """Import the module of a command or group of commands."""
    group = typer.main.get_group(importlib.import_module(f"{__name__}.commands.{MODULE_OF[name]}").app)
    command = group if name in GROUPS else group.commands[name]
    command.name = name
    return cast(TyperCommand | TyperGroup, command)


class LazyGroup(TyperGroup):
    """The group of all commands. A command's module is imported when the command is called."""

    def __init__(self, **attributes: Any):
        super().__init__(**{**attributes, "commands": {name: TyperCommand(name) for name in MODULE_OF}})

    def get_command(self, ctx: "Context", cmd_name: str) -> "Command | None":
        """A placeholder with name and help, for the list of commands."""
        command = super().get_command(ctx, cmd_name)
        if command is not None:
            command.help = _docstrings(MODULE_OF[cmd_name])["" if cmd_name in GROUPS else cmd_name]
        return command

    def resolve_command(self, ctx: "Context", args: list[str]) -> "tuple[str | None, Command | None, list[str]]":
        """The command that is called, imported."""
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
    """Options of `multitrain` itself."""


def run(arguments: list[str] | None = None) -> Any:
    """Entry point. A UserError or OSError is one line on standard error, with exit status 1."""
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:  # exit normally, to remove temporary files
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(TERMINATED))
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # file names may contain bytes that are not UTF-8
    outlive_readers()
    try:
        return app(args=arguments)
    except UserError as error:
        typer.echo(one_line(f"error: {error}"), err=True)
        sys.exit(1)
    except BrokenPipeError:  # the reader of the output has exited, as in `multitrain flops | head -1`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        typer.echo(one_line(f"error: {where}{error.strerror or error}"), err=True)
        sys.exit(1)
