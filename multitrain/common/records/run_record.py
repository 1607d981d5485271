"""The record of a run (run.json): what was trained, on what, with which settings, code and machine.

A head fitted to features (`multitrain finetune --freeze`) leaves some fields out, as records of earlier versions do.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Required, cast

from pydantic import TypeAdapter, ValidationError
from typing_extensions import TypedDict  # typing has what pydantic needs from Python 3.12 on

from multitrain.common.errors import UserError
from multitrain.common.files.json_files import read_json, write_json
from multitrain.common.records.renamed_keys import current_recipe

__all__ = ["NAME", "RunRecord", "changes", "has_record", "parse_record", "read_record", "write_record"]

NAME = "run.json"


class TrainedOn(TypedDict, total=False):
    """The training split of one dataset."""

    classes: int
    clips: Required[int]
    left_out: int


class RunRecord(TypedDict, total=False):
    """The content of run.json, in this order."""

    run: str
    scale: str
    seed: int
    synthetic: Required[bool]  # whether any of the videos are
    datasets: dict[str, TrainedOn]
    settings: dict[str, Any]  # of the run
    size: str
    pixels: int
    recipe: dict[str, Any]
    init: Any  # the run that the initial weights are from, or the file given in its place
    steps: int
    skipped: int  # steps whose gradient was not finite
    seconds: float
    starts: int
    device: str
    processor: dict[str, str]
    threads: int
    processes: int
    parts: int
    precision: str
    sigma: dict[str, float]
    code: str
    commit: str | None
    versions: dict[str, str]
    val: list[dict[str, Any]]  # step, epoch and top1 (0 to 1) by dataset, of every scoring of val during training


ADAPTER = TypeAdapter(RunRecord)


def has_record(folder: Path) -> bool:
    """Whether a run's folder has one, and so a run that was trained to its end."""
    return (folder / NAME).is_file()


def write_record(folder: Path, record: RunRecord) -> None:
    """Write run.json into a run's folder."""
    write_json(folder / NAME, record)


def read_record(folder: Path, *needs: str) -> RunRecord:
    """The record of the run in `folder`, which has the fields `needs`; of an inner one `settings.weighting`.

    Raises:
        UserError: there is none, or it is not of these fields and types.
    """
    return _checked(read_json(folder / NAME, "`multitrain train`"), str(folder / NAME), needs)


def parse_record(text: str, place: str, *needs: str) -> RunRecord:
    """The record in a text; `place` is where it is from, as messages say it.

    Raises:
        UserError: it is no record.
    """
    try:
        content = json.loads(text)
    except ValueError:
        content = None
    return _checked(content, place, needs)


def _checked(content: object, place: str, needs: tuple[str, ...]) -> RunRecord:
    """The content, checked: numbers stay as they are written, and the recipe has the present keys."""
    try:
        ADAPTER.validate_python(content, strict=True)  # which may give other values than are written
        wrong = next((f"no {name}" for name in needs if not _has(content, *name.split("."))), "")
    except ValidationError as error:
        first = error.errors()[0]
        wrong = ": ".join(filter(None, (".".join(map(str, first["loc"])), first["msg"])))
    if wrong:
        raise UserError(f"{place}: not the record of a run ({wrong}): train the run again")
    record = cast(RunRecord, content)
    return {**record, "recipe": current_recipe(record["recipe"])} if "recipe" in record else record


def _has(content: object, first: str, *rest: str) -> bool:
    return isinstance(content, dict) and first in content and (not rest or _has(content[first], *rest))


def changes(settings: Mapping[str, Any]) -> str:
    """A recorded run's changes to its recipe, and its extra losses: `covariance_weight=0, 0.1 x supcon:contrast`."""
    changed = [f"{key}={json.dumps(value)}" for key, value in _leaves(settings.get("set", {}), "")]
    return ", ".join(changed + [f"{each['weight']} x {each['function']}" for each in settings.get("extra_losses", ())])


def _leaves(values: Mapping[str, Any], place: str) -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{place}{key}.")
        else:
            yield f"{place}{key}", value
