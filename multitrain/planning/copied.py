"""Runs that were copied into the results folder: whether they are of the settings of now.

Snakemake remembers the parameters of jobs that it ran itself. Of a folder that came from another machine it sees times
alone, so the records of its runs are compared with the settings before anything starts.
"""

import json
from collections.abc import Collection
from pathlib import Path

from multitrain.common.errors import UserError
from multitrain.common.records.run_record import has_record, read_record
from multitrain.config.experiments import with_later_keys
from multitrain.planning.plan import Plan

__all__ = ["refusal"]

CURE = "move its folder away, and it is trained anew"


def refusal(plan: Plan, there: Collection[str]) -> str:
    """What to say of the first run that would be taken though it is of other settings; "" where there is none.

    `there` are the files that Snakemake takes as they are; a run that is trained anew, or is of no use now, has none.
    """
    for name in plan.experiments.shown_runs():
        for seed in plan.project.seeds:
            path = Path(plan.project.results) / "runs" / plan.scale.name / name / f"seed{seed}" / "run.json"
            if str(path) in there and (said := difference(plan, name, seed, path)):
                return f"{path}: {said}: {CURE}"
    return ""


def difference(plan: Plan, name: str, seed: int, path: Path) -> str:
    """`recipe.epochs is 60, and 100 in the settings`, the first one; "" where there is none, or no such record."""
    if not has_record(path.parent):
        return ""
    try:
        record = read_record(path.parent)
    except (OSError, UserError):
        return "no record of a run"
    run = plan.experiments.runs[name]
    now = {
        "run": name,
        "scale": plan.scale.name,
        "seed": seed,
        "settings": run.model_dump(mode="json"),
        "recipe": run.effective_recipe(plan.scale.recipes).model_dump(mode="json"),
        "pixels": plan.scale.sizes[run.size],
        "precision": plan.scale.machine.precision,
    }
    return _first(with_later_keys(now), with_later_keys(record), "")


def _first(now: object, found: object, key: str) -> str:
    if isinstance(now, dict) and isinstance(found, dict):
        inner = (_first(value, found.get(name), f"{key}.{name}".lstrip(".")) for name, value in now.items())
        return next(filter(None, inner), "")
    return "" if now == found else f"{key} is {json.dumps(found)}, and {json.dumps(now)} in the settings"
