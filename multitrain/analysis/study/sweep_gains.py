"""When joint training helps: when_it_helps.csv and .md, gains over the baseline at equal steps, factor by factor."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from multitrain.analysis.accuracy.contrasts import estimate
from multitrain.analysis.accuracy.metrics import SMOKE_TEST
from multitrain.analysis.render.columns import SWEEP
from multitrain.analysis.render.table_files import Row, Rows, as_printed, write_rows
from multitrain.common.errors import UserError
from multitrain.common.files.atomic import atomic
from multitrain.config.scale import Scale
from multitrain.planning.sweep_points import BASE, FACTORS, JOINT, Point, Points

__all__ = ["EXPLORATORY", "MEAN", "left", "write_sweep"]

MEAN = "mean"  # over the datasets that all points of a factor have
NEEDED = ("run", "dataset", "clip_id", "video_id", "right")
EXPLORATORY = "Exploratory: one factor at a time, few seeds, no correction for their number; nothing is claimed of it."


def write_sweep(scale: Scale, points: Points, results: Path, without: Sequence[str] = ()) -> None:
    """Write when_it_helps.csv and .md; reads <results>/sweep/<point>/seed<k>.parquet of every point and seed.

    `without` are points that are left out, which the page names.
    """
    gains = as_printed(rows(scale, points, results / "sweep", without), SWEEP)
    write_rows(results / "when_it_helps.csv", gains, SWEEP)
    with atomic(results / "when_it_helps.md") as temporary:
        temporary.write_text(_markdown(scale, points, pd.DataFrame(gains), without), encoding="utf-8")


def left(points: Points, results: Path) -> list[str]:
    """The points that lack the answers of a seed."""
    assert points.sweep is not None  # of which its points are
    files = {name: [_answers(results / "sweep", name, seed) for seed in points.sweep.seeds] for name in points.by_name}
    return [name for name, its in files.items() if not all(path.is_file() for path in its)]


def _answers(home: Path, point: str, seed: int) -> Path:
    return home / point / f"seed{seed}.parquet"


def rows(scale: Scale, points: Points, home: Path, without: Sequence[str] = ()) -> Rows:
    """A row a factor, value, method and dataset, and one for their mean.

    The base point is a value of every factor, `base` where the scale has none of those that are listed. A factor is
    left out of which fewer than two points are there.
    """
    assert points.sweep is not None  # of which its points are
    seeds = points.sweep.seeds
    answers = {name: _read(home, point, seeds) for name, point in points.by_name.items() if name not in without}
    found = []
    for factor, values in points.sweep.factors.items():
        named = {f"{value:g}": points.names[factor, value] for value in values}
        if BASE not in named.values():
            named = {BASE: BASE} | named
        named = {value: name for value, name in named.items() if name in answers}
        if len(named) < 2:
            continue
        names = [points.by_name[name].datasets for name in named.values()]
        shared = [name for name in names[0] if all(name in its for its in names)]
        for value, name in named.items():
            for method, run in JOINT.items():
                about: Row = {
                    "scale": scale.name,
                    "exploratory": "yes",
                    "factor": factor,
                    "value": value,
                    "point": name,
                }
                about |= {"method": method, "seeds": seeds}
                for dataset in points.by_name[name].datasets:
                    found.append(about | {"dataset": dataset} | _gain(answers[name], run, [dataset]))
                found.append(about | {"dataset": MEAN} | _gain(answers[name], run, shared))
    if not found:
        raise UserError(f"{home}: no factor has two points: `multitrain sweep run` makes one, `sweep cost` lists them")
    return found


def _gain(answers: dict, run: str, datasets: list[str]) -> dict:
    """The gain of a run over the baselines in points of top-1, as a mean over datasets."""
    pairs = [(answers[run, name], answers[f"{name}_longer", name]) for name in datasets]
    values = [(ours[0].astype(float) - theirs[0]) / len(datasets) for ours, theirs in pairs]  # (S, N) each
    found = estimate(values, [ours[1] for ours, _ in pairs])
    low, high = found.interval
    by_seed = 100 * sum(each.mean(axis=1) for each in values)
    baseline = 100 * float(np.mean([theirs[0].mean() for _, theirs in pairs]))
    return {
        **{"gain": 100 * found.value, "low": 100 * low, "high": 100 * high, "baseline": baseline},
        **{"by_seed": by_seed, "clips": sum(each.shape[1] for each in values)},
    }


def _read(home: Path, point: Point, seeds: tuple[int, ...]) -> dict[tuple[str, str], tuple[np.ndarray, np.ndarray]]:
    """The right answers (S, N) and the clips' videos (N,) by run and dataset."""
    parts: dict[tuple[str, str], list[pd.DataFrame]] = {}
    for seed in seeds:
        path = _answers(home, point.name, seed)
        if not path.is_file():
            raise UserError(f"{path}: no such answers: run `multitrain sweep run {point.name} --seed {seed}` first")
        try:
            table = pq.read_table(path, columns=list(NEEDED)).to_pandas()
        except (pa.ArrowException, OSError) as error:
            raise UserError(f"{path}: no readable answers ({error}): run the point again") from None
        for key, its in table.groupby(["run", "dataset"], sort=False):
            parts.setdefault(key, []).append(its.sort_values("clip_id"))
    found = {}
    for name, run in point.experiments.runs.items():
        for dataset in run.datasets if run.steps_of or len(run.datasets) > 1 else ():
            its = parts.get((name, dataset), [])
            if len(its) != len(seeds) or any(list(each["clip_id"]) != list(its[0]["clip_id"]) for each in its):
                raise UserError(
                    f"{home / point.name}: seeds without {name} on {dataset}, or of other clips: run it again"
                )
            found[name, dataset] = np.stack([each["right"].to_numpy() for each in its]), its[0]["video_id"].to_numpy()
    return found


def _markdown(scale: Scale, points: Points, table: pd.DataFrame, without: Sequence[str]) -> str:
    sweep = points.sweep
    assert sweep is not None  # of which its points are
    rates = ", ".join(f"{name} {lr:g}" for name, lr in sweep.lr.items())
    rates = f" learning rates of {rates}," if rates else ""
    lines = [
        "# When does joint training help?",
        "",
        f"**{EXPLORATORY}**" + (f" **{SMOKE_TEST.capitalize()}.**" if scale.smoke_test else ""),
        *(["", f"**Not whole.** Missing of {len(points.by_name)} points: {', '.join(without)}."] * bool(without)),
        "",
        "Gain in top-1 on test over baselines of as many steps, in points, with 95% intervals: synthetic worlds like"
        f" that of scale {scale.name}, its epochs times {sweep.epochs_factor:g},"
        f"{rates} seeds {', '.join(map(str, sweep.seeds))}."
        f" Means over the datasets that all points of a factor have; `{BASE}` is the scale's own setting, where it is"
        " none of the values. By dataset: when_it_helps.csv.",
        "",
        "![Gain over the baseline at equal steps, by factor](when_it_helps.png)",
    ]
    means = table[table["dataset"] == MEAN]
    for factor, its in means.groupby("factor", sort=False):
        lines += ["", f"## {FACTORS[factor][0]}", "", f"| {factor} | baseline | {' | '.join(JOINT)} |"]
        lines.append("| --- " * (2 + len(JOINT)) + "|")
        for value, of in its.groupby("value", sort=False):
            cells = [f"{row.gain:+.1f} [{row.low:+.1f}, {row.high:+.1f}]" for row in of.itertuples()]
            lines.append(f"| {value} | {of['baseline'].iloc[0]:.1f} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"
