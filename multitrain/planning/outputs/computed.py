"""Outputs that are numbers: analyses of several runs, and the tables of the paper."""

from dataclasses import replace

from multitrain.planning.outputs.output import CSV, FLOPS, Output

__all__ = ["ANALYSES", "TABLES"]


def _errors(name: str, caption: str, details: str) -> Output:
    """Answers of the main joint run: of seeds that answer the same clips the first stands for all."""
    return Output(
        f"analysis.single_run.main_run:write_main_{name}",
        (f"errors/{name}.png", f"errors/{name}.csv"),
        cells={"predictions": "mapped", "record": "mapped"},
        category="Figures",
        labels={"figure": name},
        caption=caption,
        details=details,
    )


ANALYSES: dict[str, Output] = {  # `multitrain analyse NAME`; each comes after the ones whose files it reads
    "projections": Output(
        "analysis.projections.projection_weights:write_projections",
        ("projections.parquet",),
        options=("scale", "config", "data", "results", "seeds"),
        cells={"statistics": "projecting", "record": "projecting"},
        clips=("relations",),
        runs="projecting_runs",
    ),
    "recovery": Output(
        "analysis.projections.relation_recovery:write_recovery",
        ("projection_recovery.csv", "projection_recovery_summary.csv", "projection_recovery.md"),
        inputs=("projections.parquet",),
        runs="projecting_runs",
        category="Tables",
        labels={"table": "projection recovery", **CSV},
        caption="Do the projections find the class pairs that are related?",
        details="Precision among the five largest weights, average precision over all, chance, and a permutation test,"
        " for the raw weight and for the weight times the standard deviation of its source logit.",
    ),
    "classes": Output(
        "analysis.accuracy.per_class_accuracy:write_classes",
        ("per_class.csv",),
        cells={"predictions": "compared", "record": "compared"},
    ),
    "spectrum": Output(
        "analysis.accuracy.embedding_spectrum:write_spectrum",
        ("spectrum.csv",),
        cells={"statistics": "joint", "record": "joint"},
        runs="joint_runs",
    ),
    "training": Output(
        "analysis.study.loss_histories:write_training",
        ("training.parquet",),
        cells={"history": "joint", "record": "joint"},
    ),
    "class_means": Output(
        "analysis.projections.class_map:write_class_means",
        ("class_means.parquet",),
        cells={"features": "mapped", "record": "mapped"},
    ),
    "confusion": _errors(
        "confusion",
        "Which classes of each dataset the main joint run takes for which: the first table's, its first seed.",
        "Rows are true classes, in percent of their test clips; of many classes those of the most frequent confusions.",
    ),
    "reliability": _errors(
        "reliability",
        "Are the main joint run's probabilities right? Accuracy by the probability of the answer, of its first seed.",
        "A panel for each head of the first table's joint run, with the expected calibration error.",
    ),
    "networks": Output(
        "analysis.cost.run_networks:write_networks", ("networks.csv",), cells={"record": "tables"}, cheap=False
    ),
    "evidence": Output(
        "analysis.claims.evidence.evidence_table:write_evidence",
        ("evidence.csv",),
        inputs=(
            *("training.parquet", "spectrum.csv", "projections.parquet", "projection_recovery.csv", "networks.csv"),
            FLOPS,
        ),
        cells={"predictions": "tables", "record": "tables"},
        published=("claims",),
        optional=True,
    ),
    "claims": Output(
        "analysis.claims.claim_verdicts:write_claims",
        ("claims.csv", "claims.md"),
        inputs=("evidence.csv",),
        cells={"predictions": "tables", "record": "tables"},
        published=("claims",),
        category="Claims",
        labels={"table": "claims", **CSV},
        caption="Each claim of the paper's Section 4: the paper's figures, ours, the t interval of the difference over"
        " crossed seeds and videos, p values corrected for the number of claims, and the verdict that follows by one"
        " rule.",
    ),
    "study": Output(
        "analysis.study.study_tables:write_study",
        ("runs.csv", "deviations.csv", "seeds.csv", "curves.parquet", "measured.csv"),
        cells={"predictions": "shown", "history": "shown", "record": "shown"},
        measured=True,
    ),
}
ANALYSES = {name: replace(each, command=f"analyse {name}") for name, each in ANALYSES.items()}

TABLES: dict[str, Output] = {
    "table": Output(
        "analysis.tables.paper_tables:write_table",
        ("{table}.csv", "{table}.md", "{table}.tex"),
        "table {table}",
        inputs=(FLOPS,),
        cells={"predictions": "table", "record": "table"},
        published=("table",),
        measured=True,
        category="Tables",
        labels={"table": "{table}", **CSV},
    ),
    "table4": Output(
        "analysis.tables.table4:write_table4",
        ("table4.csv", "table4.md", "table4.tex"),
        "table table4",
        inputs=("projections.parquet",),
        published=("projections",),
        category="Tables",
        labels={"table": "table4", **CSV},
        caption="Table 4: for every ordered pair of datasets the five class pairs with the largest projection weight,"
        " ours marked where the two classes are known to be related.",
    ),
}
