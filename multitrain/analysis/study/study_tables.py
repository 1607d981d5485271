"""Tables of the report: the study's runs, deviations, seeds, loss curves and earlier measurements."""

from pathlib import Path

from multitrain.analysis.accuracy.seed_accuracy import write_seeds
from multitrain.analysis.render.columns import DEVIATIONS, MEASURED, RUNS
from multitrain.analysis.render.table_files import Rows, write_rows
from multitrain.analysis.study.loss_curves import write_curves
from multitrain.analysis.study.measured import Doubling, MeasuredFile, doublings, read_plateau, read_spread
from multitrain.analysis.study.run_names import method_names, ranges
from multitrain.analysis.study.study_runs import deviations, run_rows
from multitrain.common.errors import UserError
from multitrain.config.experiments import Experiments
from multitrain.config.scale import Scale

__all__ = ["write_study"]


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
    measurements = [{**row, "scale": scale.name} for row in _measured(plateau, spread, changes, names)]
    write_rows(results / "measured.csv", measurements, MEASURED)
    write_rows(results / "runs.csv", rows, RUNS)
    write_rows(results / "deviations.csv", deviations(rows, videos, changes, plateau, scale), DEVIATIONS)


def _require_runs(plateau: MeasuredFile, experiments: Experiments) -> None:
    for each in plateau.rows:
        run = experiments.runs.get(each.run)
        if run is None or each.dataset not in run.datasets:
            raise UserError(
                f"{plateau.path}: no run {each.run!r} on dataset {each.dataset!r} in the experiments: correct the row"
            )


def _measured(plateau: MeasuredFile, spread: MeasuredFile, changes: list[Doubling], names: dict[str, str]) -> Rows:
    rows: Rows = []
    for kind, what, its in (
        ("note.plateau", "no plateau was measured", plateau),
        ("note.spread", "no spread of several seeds was recorded", spread),
    ):
        text = f"{what}: {its.path}: {its.unused}" if its.unused else f"from {its.path}"
        rows.append({"kind": kind, "text": text})
    for each in plateau.rows:
        row = {"kind": "trial", "run": each.run, "method": names.get(each.run, each.run), "dataset": each.dataset}
        rows.append({**row, "seed": each.seed, "epochs_factor": each.factor, "top1": each.top1})
    for each in changes:
        row = {"kind": "doubling", "run": each.run, "method": names.get(each.run, each.run), "dataset": each.dataset}
        row |= {"epochs_factor": each.factor, "change": each.change, "seeds": str(each.seeds), "text": each.verdict}
        rows.append(row)
    for each in spread.rows:
        row = {"kind": "spread", "method": each.method, "dataset": each.dataset, "top1": each.top1, "std": each.std}
        rows.append({**row, "seeds": ranges(each.seeds), "text": each.processor})
    return rows
