"""Outputs that a study cannot have, each with the reason: it has no claims, no joint run, or not that table.

An own study has other tables and runs than the paper. Outputs that need one of the paper's are left out, and so are
outputs that read a file that is left out, unless they can do without (`Output.optional`).
"""

from collections.abc import Mapping
from typing import TypeVar

from multitrain.config.claims import Claims
from multitrain.config.experiments import Experiments
from multitrain.config.scale import Scale
from multitrain.planning.outputs.output import PAPER_TABLES
from multitrain.planning.outputs.pages import NOTEBOOKS, OUTPUTS

__all__ = ["lacking", "left_out", "own_tables", "there"]

NO_TABLE = "no such table"
Named = TypeVar("Named")


def left_out(scale: Scale, experiments: Experiments, claims: Claims) -> dict[str, str]:
    """Why an output is not made: by the name of its rule, of a notebook `notebook NAME`, of a table `table NAME`."""
    left_out = experiments.left_out.items()
    reasons = {f"table {key.removeprefix('tables.')}": why for key, why in left_out if key.startswith("tables.")}
    reasons |= {name: why for name, why in _needs(scale, experiments, claims).items() if why}
    absent = {file: why for rule, why in reasons.items() if rule in OUTPUTS for file in OUTPUTS[rule].files}
    tables = {f"{name}.csv" for name in experiments.tables}
    every = {**OUTPUTS, **{f"notebook {name}": each for name, each in NOTEBOOKS.items()}}
    for name, each in every.items():  # in the table's order an output comes after those it reads
        if name in reasons or each.optional:
            continue
        for file in () if each.any_tables else each.inputs:
            why = absent.get(file, "")
            if file in PAPER_TABLES and file not in tables:
                why = reasons.get(f"table {file.removesuffix('.csv')}", NO_TABLE)
            if why:
                reasons[name] = f"needs {file}: {why}" if not why.startswith("needs ") else why
                absent |= dict.fromkeys(each.files, reasons[name])
                break
    return reasons


def _needs(scale: Scale, experiments: Experiments, claims: Claims) -> dict[str, str]:
    """What a study lacks for an output, by rule; "" where nothing is lacking."""
    projecting = "" if experiments.projecting_runs() else "no row of a table is a run with projections"
    joint = "" if experiments.joint_runs() else "no row of a table is a run on several datasets"
    gains = "" if any(each.method for each in experiments.compared()) else "no table has a baseline and a joint run"
    shown = (
        "" if experiments.projections else experiments.left_out.get("projections", "the study names no `projections`")
    )
    main = "" if experiments.mapped_run() else gains or "its joint run is not one run"
    related = "" if scale.related_datasets() else "not all datasets are of a synthetic world"
    return {
        "projections": projecting,
        "recovery": projecting,
        "table4": projecting or shown,
        "spectrum": joint,
        "training": joint,
        "class_means": experiments.left_out.get("features") or main,
        **dict.fromkeys(("confusion", "reliability"), main),
        "claims": "" if claims.claims else "the study has no claims",
        "evidence": "" if claims.claims else "the study has no claims",
        "figure_per_class": gains,
        "figure_per_class_k700": gains or ("" if "table2" in experiments.tables else f"needs table2.csv: {NO_TABLE}"),
        "figure_accuracy": "" if experiments.tables else "the study has no tables",
        "figure_cost": "" if experiments.tables else "the study has no tables",
        "card": related or _baselines(scale, experiments),
    }


def _baselines(scale: Scale, experiments: Experiments) -> str:
    """The reason if a dataset has no run of its own from random weights, else ""."""
    alone = {experiments.runs[name].datasets for name in experiments.shown_runs()}
    scratch = {experiments.runs[name].datasets for name in experiments.shown_runs() if not experiments.runs[name].init}
    lacking = [name for name in experiments.used_datasets() if (name,) not in alone & scratch]
    return f"no row of a table is a run on {lacking[0]} alone, from random weights" if lacking else ""


def lacking(left_out: Mapping[str, str]) -> dict[str, str]:
    """What of `left_out` to tell a reader: not what shows the paper's tables alone, of which an own study has none."""
    return {name: why for name, why in left_out.items() if not why.endswith(NO_TABLE)}


def there(names: Mapping[str, Named], kind: str, gone: Mapping[str, str]) -> dict[str, Named]:
    """Those of FIGURES (`kind` is `figure_`) or NOTEBOOKS (`notebook `) that are made."""
    return {name: each for name, each in names.items() if f"{kind}{name}" not in gone}


def own_tables(experiments: Experiments) -> list[str]:
    """The tables of a study that does not have all of the paper's; else none."""
    names = list(experiments.tables)
    return [] if {f"{name}.csv" for name in names} >= set(PAPER_TABLES) else names
