"""Outputs that are figures: <results>/figures/NAME.png."""

from dataclasses import replace

from multitrain.planning.outputs.output import Output

__all__ = ["CLASSES", "FIGURES"]


def _figure(function: str, inputs: tuple[str, ...], caption: str, details: str = "") -> Output:
    return Output(
        f"analysis.figures.{function}",
        (),
        options=("results", "smoke_test"),
        inputs=inputs,
        code=("multitrain.analysis.figures",),
        category="Figures",
        caption=caption,
        details=details,
    )


CLASSES = "per_class.csv"  # the file with the datasets' titles
FEW = "Few clips a class make wide intervals."
FIGURES: dict[str, Output] = {  # in the index's order
    "forest": _figure(
        "forest:draw",
        ("claims.csv",),
        "Our difference for every claim, with its interval, against the margin of equivalence.",
    ),
    "spread": _figure(
        "spread:draw",
        ("seeds.csv", "measured.csv", CLASSES),
        "Top-1 of every training by method and dataset: how much seeds differ.",
        "With the mean over seeds and its interval.",
    ),
    "plateau": _figure(
        "plateau:draw",
        ("curves.parquet", "measured.csv", CLASSES),
        "Training loss of every method over its schedule, and val of longer schedules where it was measured.",
    ),
    "accuracy": _figure(
        "accuracy:draw",
        ("table1.csv", "table3.csv", CLASSES),
        "Top-1 of every method on the first table's datasets, with its interval; Yₖ filled, Y′ₖ hollow.",
        "Yₖ is the dataset's own head, Y′ₖ Eq. 4's sum.",
    ),
    "accuracy_k700": _figure(
        "accuracy:draw_k700",
        ("table2.csv", CLASSES),
        "Top-1 of every method of Table 2, K700 in the place of K400; Yₖ filled, Y′ₖ hollow.",
    ),
    "per_class": _figure(
        "per_class:draw",
        (CLASSES,),
        "What joint training gains over the baseline in each class of the first table's datasets, with intervals.",
        f"They are paired, over the class's clips. {FEW}",
    ),
    "per_class_k700": _figure(
        "per_class:draw_k700",
        (CLASSES,),
        "What joint training gains over the baseline in each class of Table 2's datasets, with intervals.",
        f"They are paired, over the class's clips. {FEW}",
    ),
    "training": _figure(
        "training:draw",
        ("training.parquet", CLASSES),
        "The terms of the loss, the learned σ of each dataset, the gradient and the rate over training steps.",
        'Of MultiTrain, with Vanilla and "w/o Informative Loss" where they have the same term. Light: every recorded'
        " step; dark: smoothed.",
    ),
    "spectrum": _figure(
        "spectrum:draw",
        ("spectrum.csv",),
        "Eigenvalues of the features' covariance: does the embedding collapse without the informative loss?",
        "Share of the variance along each principal direction of the features z, and of the expanded embedding z' where"
        " a run has one, over all test clips.",
    ),
    "projections": _figure(
        "projections.heat_maps:draw",
        ("projections.parquet", CLASSES),
        "The learned projections between all pairs of datasets; related classes are outlined.",
        "Weights W of Eq. 4: rows are classes of the target, columns classes of the source.",
    ),
    "projection_graph": _figure(
        "projections.class_graph:draw",
        ("projections.parquet", CLASSES),
        "The class pairs of the largest projection weights, as a graph of the classes.",
        "Source left, target right; a line's width is its weight, and related pairs have another colour and"
        " line style.",
    ),
    "recovery": _figure(
        "projections.average_precision:draw",
        ("projection_recovery.csv", CLASSES),
        "How well the projections' weights find the related classes, against chance.",
        "Average precision of the weights, raw and corrected for the source logit's scale, for each ordered pair of"
        " datasets.",
    ),
    "cost": _figure(
        "cost:draw",
        ("table1.csv", "table2.csv", CLASSES),
        "Top-1 against the cost of one clip; published methods, where a table has them, in grey.",
        "Published ones are on the real datasets. Coloured: ours; at a synthetic scale they are on other data, so only"
        " their order among themselves means anything.",
    ),
}
ANY_TABLES = ("accuracy", "cost")
FIGURES |= {
    name: replace(FIGURES[name], any_tables=True, options=("results", "smoke_test", "tables")) for name in ANY_TABLES
}
FIGURES = {
    name: replace(
        each, files=(f"figures/{name}.png",), command=f"figure {name}", labels={"figure": name.replace("_", " ")}
    )
    for name, each in FIGURES.items()
}
