"""A study's predictions and records packed into one file, and rendered from it."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from multitrain.cli.options import (
    ConfigFolder,
    DataFolder,
    MeasuredFolder,
    PublishedFolder,
    ResultsFolder,
    ScaleName,
    Seeds,
)
from multitrain.common import terminal_columns
from multitrain.common.errors import UserError
from multitrain.config.config_files import load_settings, scale_path
from multitrain.planning.overwrite import require_same_scale

__all__ = ["app", "backbones", "halves", "pack", "render"]

app = typer.Typer(help=__doc__, no_args_is_help=True)
Partial = Annotated[bool, typer.Option("--partial", help="Pack an incomplete study, to be joined later.")]


@app.command()
def pack(
    out: Annotated[Path, typer.Argument(metavar="OUT.parquet", help="The file to write.")],
    scale: ScaleName = "mini",
    seed: Seeds = None,
    others: Annotated[
        list[Path] | None, typer.Option("--with", metavar="OTHER.parquet", help="A packed study whose runs join.")
    ] = None,
    partial: Partial = False,
    mixed_code: Annotated[bool, typer.Option("--mixed-code", help="Runs may be of different numerical code.")] = False,
    config: ConfigFolder = Path("config"),
    data: DataFolder = Path("data"),
    results: ResultsFolder = Path("results"),
) -> None:
    """Pack the predictions and records of the tables' runs into one file; all seeds without --seed."""
    from multitrain.analysis.packed import packed_checks
    from multitrain.analysis.packed.collect import collect
    from multitrain.analysis.packed.packed_study import read_study, write_study
    from multitrain.analysis.study.run_names import ranges

    loaded, experiments = load_settings(scale, config)
    if out.suffix != ".parquet":
        raise UserError(f"{out}: a packed study is a Parquet file: name it OUT.parquet")
    seeds = tuple(seed) if seed else None
    study = collect(results, loaded, experiments, seeds, data, config, scale_path(scale, config))
    packed_checks.require_own_settings(study, loaded, experiments)
    for path in others or ():
        other = read_study(path)
        packed_checks.require_same_settings(other, loaded, experiments, config)
        packed_checks.merge(study, other)
    if not study.records():
        raise UserError(f"{study.where}: no trained run of the tables: train some, or name a packed study by --with")
    if not mixed_code:
        packed_checks.require_one_code(study)
    packed_checks.require_same_clips(study)
    if not partial:
        packed_checks.require_whole(
            study, experiments, "train and evaluate it, or pack it with --partial to join it later"
        )
    write_study(study, out)
    runs = {run for run, _ in study.records()}
    typer.echo(f"{out}: {len(runs)} runs, seeds {ranges(study.seeds())}, {out.stat().st_size / 1e6:.2f} MB")
    if lacks := packed_checks.missing(study, experiments):
        typer.echo(f"half a study, {packed_checks.listed(lacks)}", err=True)
    if fewer := packed_checks.fewer(study, experiments):
        typer.echo(f"not every run has all seeds: {'; '.join(fewer)}", err=True)


@app.command()
def render(
    file: Annotated[Path, typer.Argument(metavar="FILE.parquet", help="A packed study.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The folder to write: a results folder.")],
    notebooks: Annotated[
        bool, typer.Option("--notebooks", help="Execute the other notebooks too: half a minute.")
    ] = False,
    tables_alone: Annotated[
        bool, typer.Option("--tables", help="Tables and claims alone, without figures and the report: in seconds.")
    ] = False,
    config: Annotated[
        Path | None, typer.Option("--config-dir", help="Tables and claims of this folder in place of the study's own.")
    ] = None,
    published: PublishedFolder = Path("resources/published"),
    measured: MeasuredFolder = Path("resources/measured"),
) -> None:
    """Write tables, claims, figures and the report of a packed study, as the workflow does from run folders.

    Of half a study: the tables of which every run is there, and the claims that these runs decide.
    """
    from multitrain.analysis.packed import packed_checks
    from multitrain.analysis.packed.packed_study import read_study
    from multitrain.analysis.packed.render_study import render_study
    from multitrain.analysis.packed.unpack import unpack
    from multitrain.cli.commands.result_commands import show
    from multitrain.planning.outputs.arguments import Arguments

    study = read_study(file)
    scale, experiments = packed_checks.settings(study)
    if config is not None:
        scale, experiments = load_settings(study.scale, config)
        packed_checks.require_same_settings(study, scale, experiments, config)
    part = packed_checks.complete_part(study, experiments)
    require_same_scale((path for path in out.glob("*") if path.suffix in (".csv", ".parquet")), study.scale, out)
    unpack(study, out, scale)
    folders = (config or out / "config", out / "data", out, published, measured)
    own = Arguments(scale, part, study.seeds(), *folders)
    render_study(own, notebooks, experiments, study.own_file, tables_alone)
    for name in part.tables:
        show(name, study.scale, folders[0], out)
    if gone := [name for name in experiments.tables if name not in part.tables]:
        lacks = packed_checks.listed(packed_checks.missing(study, experiments))
        typer.echo(f"half a study, {lacks}: no {', '.join(gone)}; claims.md says which runs are missing", err=True)


@app.command()
def cost(
    file: Annotated[Path, typer.Argument(metavar="FILE.parquet", help="A packed study.")],
    published: PublishedFolder = Path("resources/published"),
) -> None:
    """Print the core-hours of a packed study by part, and their energy by Green Algorithms' formula."""
    from multitrain.analysis.cost.energy import ASSUMED
    from multitrain.analysis.cost.study_cost import HEAD, cells, study_parts
    from multitrain.analysis.packed.packed_study import read_study

    terminal_columns.show(terminal_columns.columns(HEAD, cells(study_parts(read_study(file), published))))
    memory = f"{ASSUMED.gigabytes:g} GB a core of {ASSUMED.memory:g} W a GB"
    typer.echo(f"{ASSUMED.core:g} W a core, {memory}, times {ASSUMED.overhead:g}: docs/reference/cost.md")


@app.command()
def backbones(
    first: Annotated[Path, typer.Argument(metavar="FIRST.parquet", help="A packed study.")],
    second: Annotated[Path, typer.Argument(metavar="SECOND.parquet", help="The same with another backbone.")],
    results: Annotated[Path, typer.Argument(metavar="RESULTS", help="Results of the first; its report shows this.")],
) -> None:
    """Compare Table 1's contrasts of two studies whose backbones differ: backbones.csv and .png."""
    from multitrain.analysis.figures import save_figure
    from multitrain.analysis.figures.comparisons.backbones import draw
    from multitrain.analysis.packed.backbone_contrasts import FILE, write_backbones
    from multitrain.analysis.packed.packed_checks import settings
    from multitrain.analysis.packed.packed_study import read_study

    studies = read_study(first), read_study(second)
    require_same_scale([results / FILE, results / "table1.csv"], studies[0].scale, results)
    write_backbones(*studies, results)
    save_figure(draw(results), results / "backbones.png", settings(studies[0])[0].smoke_test)


@app.command()
def halves(
    file: Annotated[Path, typer.Argument(metavar="FILE.parquet", help="A packed study of four seeds or more.")],
    results: Annotated[Path, typer.Argument(metavar="RESULTS", help="Results of the study; its report shows this.")],
    published: PublishedFolder = Path("resources/published"),
) -> None:
    """Decide the claims by the seeds of each of two worlds, or by either half of the seeds: halves.csv and .md."""
    from multitrain.analysis.claims.claim_halves import FILE, counts, halved, write_halves
    from multitrain.analysis.packed import packed_checks
    from multitrain.analysis.packed.packed_study import Key, read_study
    from multitrain.analysis.packed.unpack import unpack
    from multitrain.analysis.render.columns import HALVES
    from multitrain.analysis.render.table_files import read_rows
    from multitrain.analysis.study.run_names import ranges
    from multitrain.config.config_files import load_claims

    study = read_study(file)
    scale, experiments = packed_checks.settings(study)
    require_same_scale([results / FILE, results / "claims.csv"], scale.name, results)
    if Key(name="config/claims.yaml") not in study.texts:
        raise UserError(f"{file}: a study without claims: nothing of it has a verdict")
    seeds = halved(scale, study.seeds(), f"{file}: ")
    if (claimed := results / "claims.csv").is_file():
        theirs = {seed for row in read_rows(claimed, ("seeds",)) for seed in row.get("seeds", ())}
        if theirs and theirs != set(study.seeds()):
            own = ranges(study.seeds())
            raise UserError(
                f"{claimed}: of seeds {ranges(theirs)}, where {file} has {own}: name results of those seeds"
            )
    study.arrays.clear()  # verdicts need answers alone
    with TemporaryDirectory() as folder:
        unpack(study, Path(folder), scale)
        runs, claims = Path(folder) / "runs" / scale.name, load_claims(Path(folder) / "config", experiments)
        write_halves(scale, experiments, claims, seeds, runs, published, results)
    typer.echo(f"{results / 'halves.md'}: {' '.join(counts(read_rows(results / FILE, tuple(HALVES))))}")
