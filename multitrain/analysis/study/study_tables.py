"""What the report shows beside tables and claims: the study's runs, seeds and curves, and what was measured."""

from pathlib import Path

import pandas as pd

from multitrain.analysis.accuracy.seed_accuracy import write_seeds
from multitrain.analysis.study.loss_curves import write_curves
from multitrain.analysis.study.measured import Doubling, Read, doublings, read_plateau, read_spread
from multitrain.analysis.study.run_names import method_names, ranges
from multitrain.analysis.study.study_runs import deviations, run_rows, write_records
from multitrain.common.errors import UserError
from multitrain.common.files.csv_files import write_frame
from multitrain.config.experiments import Experiments
from multitrain.config.scale import Scale

MEASURED = (  # columns of measured.csv; its kinds: trial, doubling, spread, note.plateau, note.spread
    *("kind", "run", "method", "dataset", "seed", "epochs_factor"),
    *("top1", "std", "change", "seeds", "text", "scale"),
)


def write_study(scale: Scale, experiments: Experiments, seeds: tuple[int, ...], results: Path, measured: Path) -> None:
    """Write <results>/runs.csv, deviations.csv, seeds.csv, curves.parquet and measured.csv."""
    rows = run_rows(scale, experiments, seeds, results)
    if not any(row["trained"] == "yes" for row in rows):
        where = results / "runs" / scale.name / rows[0]["run"] / f"seed{rows[0]['seed']}" / "run.json"
        raise UserError(f"{where}: no such file: `multitrain train` writes it, and no run of the tables has one")
    plateau, spread = read_plateau(measured, scale), read_spread(measured, scale)
    _require_runs(plateau, experiments)
    changes = doublings(plateau.rows)
    videos = write_seeds(scale, experiments, seeds, results)
    write_curves(scale, experiments, seeds, results)
    names = method_names(experiments, scale)
    table = pd.DataFrame(_measured(plateau, spread, changes, names), columns=MEASURED[:-1]).assign(scale=scale.name)
    write_frame(results / "measured.csv", table, "%.2f")
    write_records(rows, deviations(rows, videos, changes, plateau, scale), results)


def _require_runs(plateau: Read, experiments: Experiments) -> None:
    for each in plateau.rows:
        run = experiments.runs.get(each.run)
        if run is None or each.dataset not in run.datasets:
            raise UserError(
                f"{plateau.path}: no run {each.run!r} on dataset {each.dataset!r} in the experiments: correct the row"
            )


def _measured(plateau: Read, spread: Read, changes: list[Doubling], names: dict[str, str]) -> list[dict]:
    found = []
    for kind, what, its in (
        ("note.plateau", "no plateau was measured", plateau),
        ("note.spread", "no spread of several seeds was recorded", spread),
    ):
        text = f"{what}: {its.path}: {its.unused}" if its.unused else f"from {its.path}"
        found.append({"kind": kind, "text": text})
    for each in plateau.rows:
        row = {"kind": "trial", "run": each.run, "method": names.get(each.run, each.run), "dataset": each.dataset}
        found.append({**row, "seed": each.seed, "epochs_factor": each.factor, "top1": each.top1})
    for each in changes:
        row = {"kind": "doubling", "run": each.run, "method": names.get(each.run, each.run), "dataset": each.dataset}
        row |= {"epochs_factor": each.factor, "change": each.change, "seeds": each.seeds, "text": each.verdict}
        found.append(row)
    for each in spread.rows:
        row = {"kind": "spread", "method": each.method, "dataset": each.dataset, "top1": each.top1, "std": each.std}
        found.append({**row, "seeds": ranges(each.seeds), "text": each.processor})
    return found
