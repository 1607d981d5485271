"""Check of runs that were copied into the results folder: their records must have the present settings.

Snakemake remembers the parameters of the jobs that it ran itself. For files from another machine it knows the times
alone. The records of these runs are therefore compared with the settings before any job starts.
"""

import json
from collections.abc import Collection
from pathlib import Path

from multitrain.common.errors import UserError
from multitrain.common.records.run_record import has_record, read_record
from multitrain.config.experiments import with_later_keys
from multitrain.planning.plan import Plan

__all__ = ["conflict"]

CURE = "move its folder away, and it is trained anew"


def conflict(plan: Plan, kept_files: Collection[str]) -> str:
    """The error message about the first run in `kept_files` with other settings, or "".

    `kept_files` are the files that Snakemake uses as they are. Runs that it trains again, or does not need, have none.
    """
    for name in plan.experiments.shown_runs():
        for seed in plan.project.seeds:
            path = Path(plan.project.results) / "runs" / plan.scale.name / name / f"seed{seed}" / "run.json"
            if str(path) in kept_files and (problem := difference(plan, name, seed, path)):
                return f"{path}: {problem}: {CURE}"
    return ""


def difference(plan: Plan, name: str, seed: int, path: Path) -> str:
    """The first difference, as `recipe.epochs is 60, and 100 in the settings`; "" for no difference or no record."""
    if not has_record(path.parent):
        return ""
    try:
        record = read_record(path.parent)
    except (OSError, UserError):
        return "no record of a run"
    run = plan.experiments.runs[name]
    present = {
        "run": name,
        "scale": plan.scale.name,
        "seed": seed,
        "settings": run.model_dump(mode="json"),
        "recipe": run.effective_recipe(plan.scale.recipes).model_dump(mode="json"),
        "pixels": plan.scale.sizes[run.size],
        "precision": plan.scale.machine.precision,
    }
    return _first_difference(with_later_keys(present), with_later_keys(record), "")


def _first_difference(present: object, recorded: object, key: str) -> str:
    if isinstance(present, dict) and isinstance(recorded, dict):
        inner = (
            _first_difference(value, recorded.get(name), f"{key}.{name}".lstrip(".")) for name, value in present.items()
        )
        return next(filter(None, inner), "")
    if present == recorded:
        return ""
    return f"{key} is {json.dumps(recorded)}, and {json.dumps(present)} in the settings"
