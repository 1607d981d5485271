"""Commands that write tables, figures and pages from the files of runs."""

from pathlib import Path
from typing import Annotated

import typer

from multitrain.cli.options import (
    ConfigFolder,
    DataFolder,
    DatasetName,
    MeasuredFolder,
    PublishedFolder,
    ResultsFolder,
    ScaleName,
    Seeds,
    Split,
    WorldNumber,
)
from multitrain.common.errors import UserError
from multitrain.config.config_files import load_claims, load_scale, load_settings, shown_datasets
from multitrain.planning.overwrite import require_same_scale

__all__ = ["analyse", "app", "figure", "notebook", "show", "table"]

app = typer.Typer()
PUBLISHED = Path("resources/published")
MEASURED = Path("resources/measured")
SmokeTest = Annotated[
    bool, typer.Option("--smoke-test", help="Say on it that no number means anything, as of a scale of smoke tests.")
]
OwnTables = Annotated[
    list[str] | None, typer.Option("--table", metavar="TABLE", help="In place of the paper's tables; repeatable.")
]


@app.command()
def table(
    name: Annotated[str, typer.Argument(metavar="TABLE", help="table1 to table4.")],
    scale: ScaleName = "mini",
    seed: Seeds = None,
    config: ConfigFolder = Path("config"),
    results: ResultsFolder = Path("results"),
    published: PublishedFolder = PUBLISHED,
    measured: MeasuredFolder = MEASURED,
) -> None:
    """Write a table: the paper's rows as published, then ours, as CSV, Markdown and LaTeX."""
    from multitrain.analysis.tables.paper_tables import write_table
    from multitrain.analysis.tables.table4 import write_table4

    loaded, experiments = load_settings(scale, config)
    require_same_scale([results / f"{name}.csv"], loaded.name, results)
    seeds = tuple(seed or (0,))
    if name == "table4":
        write_table4(loaded, experiments, seeds, results, published)
    else:
        write_table(name, loaded, experiments, seeds, results, published, measured)
        show(name, scale, config, results)


@app.command()
def show(
    name: Annotated[str, typer.Argument(metavar="TABLE", help="table1 to table3.")],
    scale: ScaleName = "mini",
    config: ConfigFolder = Path("config"),
    results: ResultsFolder = Path("results"),
) -> None:
    """Print the top-1 of an existing table."""
    from multitrain.analysis.render.columns import TABLE
    from multitrain.analysis.render.table_files import read_rows
    from multitrain.analysis.tables import terminal_table

    loaded, experiments = load_settings(scale, config)
    table = experiments.table(name)
    rows = read_rows(results / f"{name}.csv", TABLE)
    typer.echo(terminal_table.render(results / name, table, loaded, rows))


@app.command()
def analyse(
    name: Annotated[str, typer.Argument(metavar="ANALYSIS", help="An analysis, e.g. claims.")],
    scale: ScaleName = "mini",
    seed: Seeds = None,
    config: ConfigFolder = Path("config"),
    data: DataFolder = Path("data"),
    results: ResultsFolder = Path("results"),
    published: PublishedFolder = PUBLISHED,
    measured: MeasuredFolder = MEASURED,
) -> None:
    """Compute an analysis of several runs: projections, recovery, claims, classes, spectrum, training and others."""
    from multitrain.planning.outputs import ANALYSES
    from multitrain.planning.outputs.arguments import Arguments

    if name not in ANALYSES:
        raise UserError(f"no analysis {name!r}; there are {', '.join(ANALYSES)}")
    loaded, experiments = load_settings(scale, config)
    require_same_scale([results / ANALYSES[name].files[0]], loaded.name, results)
    ANALYSES[name].write(
        Arguments(loaded, experiments, tuple(seed or (0,)), config, data, results, published, measured)
    )


@app.command()
def survey(
    dataset: DatasetName,
    scale: ScaleName = "mini",
    world: WorldNumber = 0,
    config: ConfigFolder = Path("config"),
    data: DataFolder = Path("data"),
    results: ResultsFolder = Path("results"),
) -> None:
    """Survey a prepared dataset: clips per class, durations, missing clips, and frames of a clip of each class."""
    from multitrain.analysis.datasets.survey import write_survey

    write_survey(dataset, load_scale(scale, config), data, results, world)


@app.command()
def overview(
    scale: ScaleName = "mini",
    world: WorldNumber = 0,
    config: ConfigFolder = Path("config"),
    data: DataFolder = Path("data"),
    results: ResultsFolder = Path("results"),
) -> None:
    """Draw frames of some classes of every prepared dataset in one picture: datasets/SCALE/overview.jpg."""
    from multitrain.analysis.datasets.contact_sheet import write_overview

    loaded = shown_datasets(*load_settings(scale, config))
    write_overview(loaded, data, results / "datasets" / loaded.name / "overview.jpg", world=world)


@app.command()
def figure(
    name: Annotated[str, typer.Argument(metavar="FIGURE", help="A figure, e.g. accuracy.")],
    results: ResultsFolder = Path("results"),
    smoke_test: SmokeTest = False,
    table: OwnTables = None,
) -> None:
    """Draw a figure from the tables in the results folder: figures/FIGURE.png."""
    from multitrain.analysis.figures import write_figure

    write_figure(name, results, smoke_test, table or ())


@app.command()
def notebook(
    file: Annotated[Path, typer.Argument(metavar="NOTEBOOK", help="A notebook, e.g. notebooks/table1.ipynb.")],
    scale: ScaleName = "mini",
    results: ResultsFolder = Path("results"),
    smoke_test: SmokeTest = False,
    table: OwnTables = None,
    study: Annotated[str, typer.Option(help="The study's file, which the report names.")] = "",
) -> None:
    """Execute a notebook on the results folder: notebooks/NAME.ipynb and .html there; report.html beside the tables."""
    from multitrain.analysis.render.notebook_pages import run_notebook
    from multitrain.planning.outputs import notebook_page

    name = file.stem
    executed, page = results / "notebooks" / f"{name}.ipynb", results / notebook_page(name)
    more: dict[str, object] = {**({"tables": table} if table else {}), **({"study": study} if study else {})}
    run_notebook(file, results, scale, executed, page, smoke_test, more)


@app.command()
def index(
    scale: ScaleName = "mini",
    seed: Seeds = None,
    config: ConfigFolder = Path("config"),
    results: ResultsFolder = Path("results"),
) -> None:
    """Write index.html, which links every table, figure, notebook and run record."""
    from multitrain.analysis.render.index_page import write_index

    loaded, experiments = load_settings(scale, config)
    write_index(loaded, experiments, load_claims(config, experiments), tuple(seed or (0,)), results)


@app.command()
def card(
    scale: ScaleName = "mini",
    seed: Seeds = None,
    split: Annotated[Split, typer.Option(help="Split of the clips; the one given to `temporal`.")] = Split.val,
    config: ConfigFolder = Path("config"),
    data: DataFolder = Path("data"),
    results: ResultsFolder = Path("results"),
) -> None:
    """Write the card of a scale's synthetic world: world_card.html, a page with pictures, and world_card.csv."""
    from multitrain.analysis.render.world_card import write_card

    loaded, experiments = load_settings(scale, config)
    require_same_scale([results / "world_card.csv"], loaded.name, results)
    write_card(loaded, experiments, tuple(seed or (0,)), data, results, split.value)
