"""The history of a training (history.jsonl): a line of JSON a recorded step.

It has numbers of the training only, none of clocks and machines: a killed and resumed run has the same history as an
undisturbed one, byte for byte.
"""

import json
import math
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NotRequired, TypedDict, TypeVar

import numpy as np

from multitrain.common.errors import UserError
from multitrain.common.files.atomic import atomic

__all__ = [
    "BY_DATASET",
    "NAME",
    "TERMS",
    "HistoryFile",
    "Step",
    "read_columns",
    "read_history",
    "write_columns",
    "write_history",
]

T = TypeVar("T")
NAME = "history.jsonl"
TERMS = ("epoch", "rate", "total", "variance", "covariance", "gradient_norm")  # numbers that every line holds
NORM = "gradient_norm"  # null in a line, NaN here: not finite, of a step in half precision that was left out
BY_DATASET = ("classification", "sigma")
MOST = 500  # steps that are shown and packed of a run: a figure has no more room, and a packed study hundreds of runs


class Step(TypedDict):
    """One line of the history."""

    step: int
    epoch: float
    rate: float
    total: float  # Eq. 6
    variance: float
    covariance: float
    classification: dict[str, float]  # L_k by dataset
    sigma: dict[str, float]
    gradient_norm: float | None  # None: not finite, of a step in half precision that was left out
    extra: NotRequired[dict[str, float]]  # extra terms, unweighted
    extra_sigma: NotRequired[dict[str, float]]  # of those with a learned weight
    skipped: NotRequired[int]  # in half precision: steps that were left out so far


class HistoryFile:
    """The history file of a training: appended to, and truncated to the step of its resume point."""

    def __init__(self, path: Path, done: int, lines: int):
        """Keep the lines of the first `done` steps; a warning says if there are fewer than `lines`."""
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        _truncate(path, done, lines)
        self.stream = path.open("a", buffering=1, encoding="utf-8")

    def append(self, step: Step) -> None:
        """Add a line."""
        self.stream.write(json.dumps(step) + "\n")

    def sync(self) -> None:
        """Flush the lines to the disk."""
        self.stream.flush()
        os.fsync(self.stream.fileno())

    def close(self) -> None:
        self.stream.close()

    def is_there(self) -> bool:
        """Whether the open file is still the one at its path, and was not removed."""
        try:
            return os.path.samestat(os.stat(self.path), os.fstat(self.stream.fileno()))
        except FileNotFoundError:
            return False


def write_history(path: Path, lines: Iterable[dict]) -> None:
    """Write a whole history."""
    with atomic(path) as temporary:
        temporary.write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")


def read_history(path: Path, datasets: tuple[str, ...]) -> list[dict]:
    """At most MOST lines of a history, nested keys joined by a dot: `classification.<dataset>`.

    Raises:
        UserError: the file is not there, or a line is no step of a run on these datasets.
    """
    lines = _lines(path)
    if not lines:
        raise UserError(f"{path}: no steps: train the run again")
    return thinned([_step(f"{path}: line {number}", line, datasets) for number, line in enumerate(lines, start=1)])


def read_columns(path: Path) -> dict[str, np.ndarray]:
    """The columns of a history of any terms, thinned, nested keys joined by a dot: `classification.k400`.

    Raises:
        UserError: a line is no JSON object, or lines differ in their numbers.
    """
    columns: dict[str, list] = {}
    try:
        for line in thinned([json.loads(line) for line in _lines(path)]):
            for key, value in _flat(line):
                columns.setdefault(key, []).append(value)
        arrays = {name: np.array(values) for name, values in columns.items()}
    except (ValueError, AttributeError) as error:
        raise UserError(f"{path}: not a history ({error}): train the run again") from None
    count = {len(values) for values in arrays.values()}
    if len(count) > 1 or any(values.dtype.kind not in "if" for values in arrays.values()):
        raise UserError(f"{path}: its lines do not have the same numbers: train the run again")
    return arrays


def write_columns(path: Path, columns: dict[str, np.ndarray]) -> None:
    """Write a history from what `read_columns` gives: the lines are nested again."""
    write_history(path, _nested(columns))


def thinned(lines: Sequence[T]) -> list[T]:
    """At most MOST of the lines: the first, every n-th, and the last. Thinned lines stay as they are."""
    stride = max(-(-(len(lines) - 1) // (MOST - 1)), 1)
    rest = [lines[-1]] if (len(lines) - 1) % stride else []
    return [*lines[::stride], *rest]


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        raise UserError(f"{path}: no such file: `multitrain train` writes it") from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: not a history: train the run again") from None


def _step(place: str, line: str, datasets: tuple[str, ...]) -> dict:
    """One line with nested keys joined by a dot; a missing, superfluous or non-numeric value is an error at `place`."""
    try:
        values = json.loads(line)
        step = {"step": values["step"], **{key: float(values[key]) for key in TERMS if key != NORM}}
        step[NORM] = math.nan if values[NORM] is None else float(values[NORM])
        if isinstance(step["step"], bool) or not isinstance(step["step"], int):
            raise TypeError("step is not a whole number")
        for kind in BY_DATASET:
            if set(values[kind]) != set(datasets):
                raise ValueError(f"{kind} of {', '.join(values[kind])}, not of {', '.join(datasets)}")
            step |= {f"{kind}.{name}": float(values[kind][name]) for name in datasets}
    except KeyError as error:
        raise UserError(f"{place}: no {error}: train the run again") from None
    except (ValueError, TypeError) as error:
        raise UserError(f"{place}: not a recorded step ({error}): train the run again") from None
    return step


def _flat(line: dict) -> Iterator[tuple[str, object]]:
    for name, value in line.items():
        if isinstance(value, dict):
            yield from ((f"{name}.{key}", inner) for key, inner in value.items())
        else:
            yield name, math.nan if name == NORM and value is None else value


def _nested(columns: dict[str, np.ndarray]) -> Iterator[dict]:
    for values in zip(*(array.tolist() for array in columns.values()), strict=True):
        line: dict = {}
        for name, value in zip(columns, values, strict=True):
            outer, _, inner = name.partition(".")
            if inner:
                line.setdefault(outer, {})[inner] = value
            else:
                line[outer] = None if name == NORM and math.isnan(value) else value
        yield line


def _truncate(path: Path, done: int, lines: int) -> None:
    """Drop the lines of steps that will be done again, and the one that was being written when the process died.

    The `done` steps should have so many `lines`; a warning says how many are missing from a damaged file.
    """
    text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
    kept = [line for line in text.splitlines() if _number(line) < done]
    if len(kept) < lines:
        lost = f"{lines - len(kept)} of the {lines} lines of the steps before {done} are missing"
        sys.stderr.write(f"{path}: {lost}, and will be in {NAME}: remove {path.parent} to train anew\n")
    with atomic(path) as temporary:
        temporary.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")


def _number(line: str) -> float:
    """The step of a line; infinite where it is none."""
    try:
        return float(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):
        return math.inf
