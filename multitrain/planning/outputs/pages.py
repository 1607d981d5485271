"""Outputs that are pages: notebooks, the report, surveys of the datasets, and the index."""

from dataclasses import replace

from multitrain.planning.outputs.computed import ANALYSES, TABLES
from multitrain.planning.outputs.drawn import CLASSES, FIGURES
from multitrain.planning.outputs.output import FLOPS, SURVEY, Output

__all__ = ["NOTEBOOKS", "OUTPUTS", "REPORT", "notebook_page"]

CLIPS = ("scale", "config", "world", "data", "results")


def _notebook(title: str, *inputs: str, name: str = "{notebook}", page: str = "notebooks/{notebook}.html") -> Output:
    return Output(
        "analysis.render.notebook_pages:run_notebook",
        (page, f"notebooks/{name}.ipynb"),
        f"notebook notebooks/{name}.ipynb",
        options=("scale", "results", "smoke_test"),
        inputs=inputs,
        category="Notebooks",
        labels={"notebook": name},
        title=title,
        caption="An executed notebook, its code folded away. The source is in the folder notebooks.",
    )


REPORT = "report"  # the notebook whose page is <results>/report.html
NOTEBOOKS: dict[str, Output] = {  # in the index's order
    "table1": _notebook(
        "Table 1: accuracy, claims, classes and cost", "table1.csv", "table2.csv", "table3.csv", "claims.csv", CLASSES
    ),
    "table2": _notebook("Table 2: the set with K700", "table2.csv", "claims.csv", CLASSES),
    "table3": _notebook(
        "Table 3: ablations, claims, and whether anything collapses",
        *("table1.csv", "table3.csv", "claims.csv", CLASSES, "spectrum.csv"),
    ),
    "table4": _notebook(
        "Table 4: what the projections learn",
        *("table4.csv", "projections.parquet", "projection_recovery.csv", "projection_recovery_summary.csv", CLASSES),
    ),
    "training": _notebook("Training: losses, weights of the datasets, gradients", "training.parquet", CLASSES),
    "features": _notebook(
        "Features: classes of all datasets in one space", "class_means.parquet", "projections.parquet", CLASSES
    ),
    "datasets": _notebook("Datasets: classes, lengths, what is missing, pictures", CLASSES, *SURVEY),
}

PAGES: dict[str, Output] = {
    "survey": Output(
        "analysis.datasets.survey:write_survey",
        SURVEY,
        "survey {dataset}",
        options=CLIPS,
        clips=("manifest", "missing"),
        first_world=True,
        category="Datasets",
        labels={"dataset": "{dataset}"},
        caption="Frames of test clips of each class, from the prepared videos.",
    ),
    "overview": Output(
        "analysis.datasets.contact_sheet:write_overview",
        ("datasets/{scale}/overview.jpg",),
        "overview",
        options=CLIPS,
        clips=("manifest",),
        first_world=True,
        category="Datasets",
        labels={"dataset": "all"},
        caption="Frames of test clips of some classes of every dataset, from the prepared videos.",
    ),
    "accounting": Output(
        "analysis.datasets.accounting:write_accounting",
        ("datasets.csv", "datasets.md", "leakage.csv"),
        "data account",
        options=("scale", "config", "worlds", "data", "results"),
        clips=("manifest", "missing", "annotated"),
        published=("datasets",),
        cli="data_commands",
        category="Datasets",
        labels={"dataset": "counts"},
        caption="Per dataset and split of its publisher: the paper's count of clips, the annotation's, ours, and why"
        " the rest is missing.",
    ),
    "card": Output(
        "analysis.render.world_card:write_card",
        ("world_card.html", "world_card.csv"),
        "card",
        options=("scale", "config", "data", "results", "seeds"),
        cells={"temporal": "card", "related": "related"},
        clips=("manifest", "published", "relations"),
        first_world=True,
        synthetic=True,
        category="Datasets",
        labels={"dataset": "the world's card"},
        caption="The card of the synthetic world: moving clips, sizes, related classes, and accuracy of models of one"
        " dataset on clips as they are, as one still frame, shuffled and reversed.",
        details="All of val; no joint run is in it.",
    ),
    "notebook": _notebook("A notebook"),  # each of NOTEBOOKS
    "report_page": replace(
        _notebook(
            "Report",
            *("table1.csv", "table2.csv", "table3.csv", "claims.csv", "evidence.csv", CLASSES),
            *ANALYSES["study"].files,
            name=REPORT,
            page=f"{REPORT}.html",
        ),
        options=("scale", "results", "smoke_test", "tables", "study"),
        any_tables=True,
        found=("backbones.csv", "halves.csv"),
        category="Report",
        optional=True,
        caption="The study on one page: question, what was run, verdicts, differences, Table 1, training, spread,"
        " deviations, cost, and how to repeat it.",
    ),
}

OUTPUTS: dict[str, Output] = {  # by the names of their rules
    **TABLES,
    **{"study_records" if name == "study" else name: each for name, each in ANALYSES.items()},
    **{f"figure_{name}": each for name, each in FIGURES.items()},
    **PAGES,
}
OUTPUTS["index"] = Output(
    "analysis.render.index_page:write_index",
    ("index.html",),
    "index",
    inputs=(*(file for each in OUTPUTS.values() if each.category for file in each.files), FLOPS),
    cells={"record": "tables"},
    optional=True,
)
OUTPUTS["study"] = Output(
    "analysis.packed.collect:collect",
    ("study.parquet",),
    "results pack {results}/study.parquet",
    options=("scale", "config", "data", "results", "seeds"),
    inputs=(FLOPS, *SURVEY, *PAGES["accounting"].files),
    cells={"predictions": "shown", "statistics": "joint", "history": "shown", "record": "shown", "features": "mapped"},
    clips=("relations",),
    code=("multitrain.analysis.packed.packed_checks",),
    optional=True,
    cli="packed_commands",
)


def notebook_page(name: str) -> str:
    """Path of a notebook's page in the results folder."""
    return PAGES["report_page"].files[0] if name == REPORT else PAGES["notebook"].files[0].format(notebook=name)
