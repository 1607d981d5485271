"""Commands that turn what runs left behind into tables, figures and pages."""

from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from multitrain.config import Scale
from multitrain.configfile import load_claims, load_experiments, load_scale
from multitrain.options import (
    ConfigFolder,
    DataFolder,
    DatasetName,
    MeasuredFolder,
    PublishedFolder,
    ResultsFolder,
    ScaleName,
    Seeds,
    WorldNumber,
)
from multitrain.overwrite import require_own

app = typer.Typer()
WRITES = {  # a file of each analysis that says of which scale it is
    "projections": "projections.parquet",
    "recovery": "projection_recovery.csv",
    "networks": "networks.csv",
    "evidence": "evidence.csv",
    "claims": "claims.csv",
    "classes": "per_class.csv",
    "spectrum": "spectrum.csv",
    "training": "training.parquet",
    "class_means": "class_means.parquet",
    "study": "runs.csv",
}
PUBLISHED = Path("resources/published")
MEASURED = Path("resources/measured")
SmokeTest = Annotated[
    bool, typer.Option("--smoke-test", help="Say on it that no number means anything, as of a scale of smoke tests.")
]


class Analysis(StrEnum):
    """What can be computed from several runs, beside the paper's tables."""

    projections = "projections"
    recovery = "recovery"
    classes = "classes"
    spectrum = "spectrum"
    training = "training"
    class_means = "class_means"
    networks = "networks"
    evidence = "evidence"  # of what those above wrote
    claims = "claims"  # of evidence too
    study = "study"  # runs, seeds, curves, deviations: what the report shows beside them


def _relations(scale: Scale, data: Path, seed: int) -> tuple[Path, ...]:
    """The files of related classes in the world of a seed."""
    folders = (scale.raw_folder(name, data, scale.world_of(seed)) for name in scale.related_datasets())
    return tuple(folder / "relations.csv" for folder in folders)


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
    from multitrain.analysis.table4 import write_table4
    from multitrain.analysis.tables import write_table

    loaded = load_scale(scale, config)
    require_own([results / f"{name}.csv"], loaded.name, results)
    experiments, seeds = load_experiments(config, loaded), tuple(seed or (0,))
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
    """Print the top-1 of a table that was written."""
    from multitrain.analysis import page, terminal
    from multitrain.analysis.tables import COLUMNS

    loaded = load_scale(scale, config)
    table = load_experiments(config, loaded).table(name)
    rows = page.read(results / f"{name}.csv", COLUMNS).to_dict("records")
    typer.echo(terminal.render(results / name, table, loaded, rows))


@app.command()
def analyse(
    name: Annotated[Analysis, typer.Argument(metavar="ANALYSIS", help=", ".join(Analysis))],
    scale: ScaleName = "mini",
    seed: Seeds = None,
    config: ConfigFolder = Path("config"),
    data: DataFolder = Path("data"),
    results: ResultsFolder = Path("results"),
    published: PublishedFolder = PUBLISHED,
    measured: MeasuredFolder = MEASURED,
) -> None:
    """Compute one of the files under the figures: weights, recovered relations, claims, classes, spectrum, training."""
    from multitrain.analysis import claims, class_map, classes, projections, recovery, spectrum, training

    loaded = load_scale(scale, config)
    require_own([results / WRITES[name]], loaded.name, results)
    experiments, seeds = load_experiments(config, loaded), tuple(seed or (0,))
    common = (loaded, experiments, seeds, results)
    match name:
        case Analysis.projections:
            projections.write_projections(*common, experiments.projecting_runs(), partial(_relations, loaded, data))
        case Analysis.recovery:
            recovery.write_recovery(*common, experiments.projecting_runs())
        case Analysis.networks:
            from multitrain.analysis.networks import write_networks

            write_networks(*common)
        case Analysis.evidence:
            from multitrain.analysis.evidence.write import write_evidence

            write_evidence(loaded, experiments, load_claims(config, experiments), seeds, results, published)
        case Analysis.claims:
            claims.write_claims(loaded, experiments, load_claims(config, experiments), seeds, results, published)
        case Analysis.classes:
            classes.write_classes(*common, ("table1", "table2"), "Baseline", "MultiTrain")
        case Analysis.spectrum:
            spectrum.write_spectrum(*common, experiments.joint_runs())
        case Analysis.training:
            training.write_training(*common)
        case Analysis.class_means:
            class_map.write_class_means(*common, "table1", "MultiTrain")
        case Analysis.study:
            from multitrain.analysis.study import write_study

            write_study(*common, measured)


@app.command()
def survey(
    dataset: DatasetName,
    scale: ScaleName = "mini",
    world: WorldNumber = 0,
    config: ConfigFolder = Path("config"),
    data: DataFolder = Path("data"),
    results: ResultsFolder = Path("results"),
) -> None:
    """Look at a prepared dataset: clips a class, durations, what is missing, and frames of a clip of each class."""
    from multitrain.analysis.survey import write_survey

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
    from multitrain.analysis.strips import write_overview

    loaded = load_scale(scale, config)
    write_overview(loaded, data, results / "datasets" / loaded.name / "overview.jpg", world=world)


@app.command()
def figure(
    name: Annotated[str, typer.Argument(metavar="FIGURE", help="A figure, e.g. accuracy.")],
    results: ResultsFolder = Path("results"),
    smoke_test: SmokeTest = False,
) -> None:
    """Draw a figure from the tables in the results folder: figures/FIGURE.png."""
    from multitrain.analysis.figures import write_figure

    write_figure(name, results, smoke_test)


@app.command()
def notebook(
    file: Annotated[Path, typer.Argument(metavar="NOTEBOOK", help="A notebook, e.g. notebooks/table1.ipynb.")],
    scale: ScaleName = "mini",
    results: ResultsFolder = Path("results"),
    smoke_test: SmokeTest = False,
) -> None:
    """Execute a notebook on the results folder: notebooks/NAME.ipynb and .html there; report.html beside the tables."""
    from multitrain.analysis.notebooks import run_notebook
    from multitrain.analysis.outputs import notebook_page

    name = file.stem
    run_notebook(
        file, results, scale, results / "notebooks" / f"{name}.ipynb", results / notebook_page(name), smoke_test
    )


@app.command()
def index(
    scale: ScaleName = "mini",
    seed: Seeds = None,
    config: ConfigFolder = Path("config"),
    results: ResultsFolder = Path("results"),
) -> None:
    """Write index.html, which links every table, figure, notebook and run record."""
    from multitrain.analysis.index import write_index

    loaded = load_scale(scale, config)
    write_index(loaded, load_experiments(config, loaded), tuple(seed or (0,)), results)
