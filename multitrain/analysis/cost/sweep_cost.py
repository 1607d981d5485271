"""Estimated core-hours of the sweep's points, before training."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table

from multitrain.analysis.cost.estimate import Estimate, Pace, counts, default_speed, estimate
from multitrain.common.terminal_columns import columns
from multitrain.config.scale import Scale
from multitrain.planning.sweep_points import Points

__all__ = ["cost_sum", "cost_table", "costs"]

RENDERING = 0.15  # core-seconds of a synthetic video, until its clip is prepared


@dataclass(frozen=True)
class Cost:
    """Core-hours of a point, all its seeds together."""

    point: str
    trainings: int
    rendering: float  # of the clips that no point before it has
    training: float  # and scoring


def costs(points: Points, data: Path, published: Path, scale: Scale, pace: Pace | None = None) -> list[Cost]:
    """The cost of each point, by the assumed speeds of `multitrain estimate` or a measured pace."""
    found, rendered = [], set()
    video = pace.video if pace else RENDERING
    for name, point in points.by_name.items():
        assert points.sweep is not None  # of which its points are
        seeds, speed = len(points.sweep.seeds), default_speed(scale)
        videos = counts(point.scale, data, published)
        runs = estimate(point.scale, point.experiments, videos, speed)
        new = [(point.scale.name, each) for each in point.datasets if (point.scale.name, each) not in rendered]
        rendered |= set(new)
        shipped = [point.scale.made_world.videos[each] for _, each in new]
        render = video * sum(each.train + each.validation for each in shipped) / 3600
        hours = seeds * sum(_hours(each, pace) for each in runs)
        found.append(Cost(name, seeds * len(runs), render, hours))
    return found


def _hours(run: Estimate, pace: Pace | None) -> float:
    if pace is None:
        return run.train_hours + run.test_hours
    return (run.clips * pace.train[run.size] + run.test_clips * pace.test[run.size]) / 3600


def cost_table(points: Points, found: Iterable[Cost]) -> Table:
    """The table of points."""
    rows = []
    for cost in found:
        values = ", ".join(f"{factor} {value:g}" for (factor, value), at in points.names.items() if at == cost.point)
        hours = cost.rendering + cost.training
        rows.append((cost.point, values or "(the others are round it)", str(cost.trainings), f"{hours:.2f}"))
    return columns(("point", "values", "trainings", "core-hours"), rows, left=2)


def cost_sum(found: Sequence[Cost]) -> str:
    """The sum over all points."""
    total, trainings = sum(cost.rendering + cost.training for cost in found), sum(cost.trainings for cost in found)
    return (
        f"In all {trainings} trainings, {total:.1f} core-hours: {total / 2:.1f} hours on two cores. Less: a shorter"
        " `schedule`, fewer seeds or values in config/sweep.yaml."
    )
