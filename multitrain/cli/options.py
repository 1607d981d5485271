"""Arguments and options that several commands share."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from multitrain.config.base import seeds
from multitrain.config.study_file import is_study, read_study

__all__ = [
    "AsJson",
    "ConfigFolder",
    "DataFolder",
    "DatasetName",
    "Device",
    "Jobs",
    "MeasuredFolder",
    "Model",
    "PublishedFolder",
    "ResultsFolder",
    "RunName",
    "ScaleName",
    "Seed",
    "Seeds",
    "Split",
    "Threads",
    "Wait",
    "Workers",
    "WorldNumber",
    "WorldNumbers",
]


class Split(StrEnum):
    """Split of a dataset. Tables score `test`; choices are made on `val`."""

    train = "train"
    val = "val"
    test = "test"


def _parse_seed(text: str | int) -> int:
    """One seed, validated as in the configuration. Typer passes the default as a number."""
    try:
        return seeds([text])[0]
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def _check_seeds(values: list[int] | None) -> list[int] | None:
    """The given seeds; a repeated one is an error."""
    try:
        return list(seeds(values)) if values else values
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def _study(context: typer.Context) -> Path | None:
    """The study among the options that were read already, as --config or as --scale; None where there is none."""
    paths = (context.params.get(name) for name in ("config", "scale"))
    return next((Path(each) for each in paths if each is not None and is_study(each)), None)


def _given(context: typer.Context, param: typer.CallbackParam) -> bool:
    """Whether an option is on the command line. Such options are read before those that are not."""
    source = context.get_parameter_source(param.name or "")
    return source is not None and source.name == "COMMANDLINE"


def _scale(context: typer.Context, param: typer.CallbackParam, value: str) -> str:
    """The scale; of a study its own."""
    study = _study(context)
    return study.stem if study and not _given(context, param) else value


def _config(context: typer.Context, param: typer.CallbackParam, value: Path) -> Path:
    """The folder of the configuration, or a study, which --scale may name as well."""
    study = _study(context)
    if study and _given(context, param):
        raise typer.BadParameter(f"{study} is a study and --scale: give one of the two")
    return study or value


def _folder(context: typer.Context, param: typer.CallbackParam, value: Path) -> Path:
    """The folder of data or results; where none is given, the study's."""
    study = _study(context)
    if study is None or _given(context, param):
        return value
    return Path(read_study(study).project.get(param.name, value))


DatasetName = Annotated[str, typer.Argument(metavar="DATASET", help="A dataset of the scale, e.g. k400.")]
Model = Annotated[str, typer.Argument(metavar="MODEL", help="model.pt, a saved folder, .pyth, owner/name on the hub.")]
RunName = Annotated[str, typer.Argument(metavar="RUN", help="A run of config/experiments.yaml, e.g. multitrain.")]
ScaleName = Annotated[
    str,
    typer.Option(
        "--scale",
        callback=_scale,
        help="A file of config/scales, or the path of one or of a study; NAME,machine.KEY=VALUE changes its machine.",
    ),
]
ConfigFolder = Annotated[
    Path,
    typer.Option("--config", "--config-dir", callback=_config, help="A study's file; or the folder of all settings."),
]
DataFolder = Annotated[Path, typer.Option("--data", callback=_folder, help="Folder of raw files and prepared clips.")]
ResultsFolder = Annotated[Path, typer.Option("--results", callback=_folder, help="Folder of runs and tables.")]
Jobs = Annotated[int, typer.Option("--jobs", min=1, help="Processes side by side; changes nothing but speed.")]
Seed = Annotated[int, typer.Option("--seed", metavar="SEED", parser=_parse_seed, help="Seed of the run.")]
WorldNumber = Annotated[
    int, typer.Option("--world", metavar="WORLD", min=0, help="Of several worlds in a scale: seeds of runs share one.")
]
WorldNumbers = Annotated[
    list[int] | None, typer.Option("--world", metavar="WORLD", min=0, help="Worlds of the scale. \\[default: 0]")
]
Threads = Annotated[int, typer.Option("--threads", min=1, max=1024, help="Processor threads of the computation.")]
Workers = Annotated[int, typer.Option("--workers", min=0, help="Processes that decode ahead; 0: none.")]
Device = Annotated[str, typer.Option("--device", help="cpu, cuda, or auto: an accelerator where there is one.")]
PublishedFolder = Annotated[Path, typer.Option("--published", help="Folder of the paper's tables.")]
MeasuredFolder = Annotated[Path, typer.Option("--measured", help="Folder of plateaus and spreads measured before.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Wait = Annotated[bool, typer.Option("--wait", help="Wait while another process works in the folder.")]
Seeds = Annotated[
    list[int] | None,
    typer.Option(
        "--seed",
        metavar="SEED",
        parser=_parse_seed,
        callback=_check_seeds,
        help="Seed to show; may be given several times.",
    ),
]
