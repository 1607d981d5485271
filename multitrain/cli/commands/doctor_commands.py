"""`multitrain doctor`: check of this machine for a scale."""

import json
from dataclasses import asdict
from pathlib import Path

import typer

from multitrain.cli.loading import computing_scale
from multitrain.cli.options import AsJson, ConfigFolder, DataFolder, Device, ResultsFolder, ScaleName
from multitrain.common.terminal_columns import show

__all__ = ["app"]

app = typer.Typer()


@app.command()
def doctor(
    scale: ScaleName = "mini",
    config: ConfigFolder = Path("config"),
    data: DataFolder = Path("data"),
    results: ResultsFolder = Path("results"),
    device: Device = "auto",
    as_json: AsJson = False,
) -> None:
    """Check this machine for a scale: a line each, green, yellow or red, with its cure; status 1 if one is red.

    A clip is decoded, a training step is measured, and bfloat16 and torch.compile are tried. Nothing is kept.
    """
    loaded = computing_scale(scale, config)
    from multitrain.engine.processes.device import select_device

    chosen = select_device(device, 1, portable=loaded.machine.portable)
    from rich.table import Table
    from rich.text import Text

    from multitrain.cli.doctor.diagnosis import diagnose
    from multitrain.cli.doctor.machine_facts import gather
    from multitrain.cli.doctor.trials import try_all
    from multitrain.config.config_files import load_experiments

    trials = try_all(loaded, load_experiments(config, loaded), chosen)
    facts = gather(loaded, (data, results), trials)
    verdicts = diagnose(facts)
    if as_json:
        typer.echo(json.dumps({"verdicts": list(map(asdict, verdicts)), "facts": asdict(facts)}, indent=2))
    else:
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
        for name in ("", "what", "found", "cure"):
            table.add_column(name)
        for each in verdicts:
            cells = (each.what, each.found, each.cure)
            table.add_row(Text(each.colour, style=each.colour), *map(Text, cells))
        show(table)
    if any(each.colour == "red" for each in verdicts):
        raise typer.Exit(1)
