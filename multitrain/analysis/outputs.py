"""What figures and notebooks are made from: files of the results folder.

Apart from the code that draws, because the workflow asks for it too and must not wait for matplotlib.
"""

FIGURES: dict[str, tuple[str, ...]] = {
    "forest": ("claims.csv",),
    "spread": ("seeds.csv", "measured.csv", "per_class.csv"),
    "plateau": ("curves.parquet", "measured.csv", "per_class.csv"),
    "accuracy": ("table1.csv", "table3.csv", "per_class.csv"),
    "accuracy_k700": ("table2.csv", "per_class.csv"),
    "cost": ("table1.csv", "table2.csv", "per_class.csv"),
    "per_class": ("per_class.csv",),
    "per_class_k700": ("per_class.csv",),
    "training": ("training.parquet", "per_class.csv"),
    "spectrum": ("spectrum.csv",),
    "projections": ("projections.parquet", "per_class.csv"),
    "projection_graph": ("projections.parquet", "per_class.csv"),
    "recovery": ("projection_recovery.csv", "per_class.csv"),
}

REPORT = "report"  # the notebook that is a page of its own, <results>/report.html

NOTEBOOKS: dict[str, tuple[str, ...]] = {
    REPORT: (
        *("table1.csv", "table2.csv", "table3.csv", "claims.csv", "evidence.csv", "per_class.csv"),
        *("runs.csv", "deviations.csv", "seeds.csv", "curves.parquet", "measured.csv"),
    ),
    "table1": ("table1.csv", "table2.csv", "table3.csv", "claims.csv", "per_class.csv"),
    "table2": ("table2.csv", "claims.csv", "per_class.csv"),
    "table3": ("table1.csv", "table3.csv", "claims.csv", "per_class.csv", "spectrum.csv"),
    "table4": (
        "table4.csv",
        "projections.parquet",
        "projection_recovery.csv",
        "projection_recovery_summary.csv",
        "per_class.csv",
    ),
    "training": ("training.parquet", "per_class.csv"),
    "features": ("class_means.parquet", "projections.parquet", "per_class.csv"),
    "datasets": ("per_class.csv",),
}


def figure_module(name: str) -> str:
    """The module that draws a figure; it has one function for each set of datasets."""
    return f"multitrain.analysis.figures.{name.removesuffix('_k700')}"


def notebook_page(name: str) -> str:
    """Where a notebook's page lies in the results folder."""
    return f"{name}.html" if name == REPORT else f"notebooks/{name}.html"
