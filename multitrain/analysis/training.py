"""The histories of the joint runs as one table: every loss term, sigma, the gradient's norm and the rate, by step."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from multitrain.analysis.runs import method_names, read_record, seeds_of, yes_no
from multitrain.config import Scale
from multitrain.errors import UserError
from multitrain.experiments import Experiments
from multitrain.files import atomic

T = TypeVar("T")
TERMS = ("epoch", "rate", "total", "variance", "covariance", "gradient_norm")  # numbers that every line holds
BY_DATASET = ("classification", "sigma")
MOST = 500  # steps of a run that are shown and kept: a figure has no more room, and a packed study hundreds of runs


def write_training(scale: Scale, experiments: Experiments, seeds: tuple[int, ...], results: Path) -> None:
    """Write <results>/training.parquet: one row a step of every joint run of the tables, of each at most MOST.

    Columns: run, method, seed, step, epoch, rate, total, variance, covariance, gradient_norm, classification.<dataset>
    and sigma.<dataset> for every dataset of any run (null where a run lacks it), clips (training clips of the run),
    scale, synthetic.
    """
    runs, names = experiments.joint_runs(), method_names(experiments, scale)
    if not runs:
        raise UserError("no table shows a run on more than one dataset: there is no joint training to collect")
    used = {dataset for run in runs for dataset in experiments.run(run).datasets}
    datasets = [name for name in scale.datasets if name in used]
    tables = []
    for run in runs:
        for seed in seeds_of(results / "runs" / scale.name, run, seeds):
            folder = results / "runs" / scale.name / run / f"seed{seed}"
            record = read_record(folder)
            steps = read_history(folder / "history.jsonl", experiments.run(run).datasets)
            said = {"run": run, "method": names[run], "seed": seed}
            about = {"clips": _clips(folder, record), "scale": scale.name, "synthetic": yes_no(record["synthetic"])}
            tables.append(pa.Table.from_pylist([{**said, **step, **about} for step in steps], _schema(datasets)))
    with atomic(results / "training.parquet") as temporary:
        pq.write_table(pa.concat_tables(tables), temporary)


def read_history(path: Path, datasets: tuple[str, ...]) -> list[dict]:
    """At most MOST lines of a history.jsonl, flat: `classification.<dataset>` for what stands under classification."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        raise UserError(f"{path}: no such file: `multitrain train` writes it") from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: not a history: train the run again") from None
    if not lines:
        raise UserError(f"{path}: no steps: train the run again")
    return thinned([_step(f"{path}: line {number}", line, datasets) for number, line in enumerate(lines, start=1)])


def thinned(lines: Sequence[T]) -> list[T]:
    """At most MOST of the lines: the first, every so many-th, and the last. What is thinned already stays as it is."""
    apart = max(-(-(len(lines) - 1) // (MOST - 1)), 1)
    rest = [lines[-1]] if (len(lines) - 1) % apart else []
    return [*lines[::apart], *rest]


def _step(place: str, line: str, datasets: tuple[str, ...]) -> dict:
    """One line, flat; a missing, superfluous or non-numeric value is an error at `place`."""
    try:
        values = json.loads(line)
        step = {"step": values["step"], **{key: float(values[key]) for key in TERMS}}
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


def _clips(folder: Path, record: dict) -> int:
    try:
        return sum(int(its["clips"]) for its in record["datasets"].values())
    except (KeyError, TypeError, AttributeError, ValueError):
        raise UserError(f"{folder / 'run.json'}: no number of clips a dataset: train the run again") from None


def _schema(datasets: list[str]) -> pa.Schema:
    numbers = [*TERMS, *(f"{kind}.{name}" for kind in BY_DATASET for name in datasets)]
    return pa.schema(
        [
            *(("run", pa.string()), ("method", pa.string()), ("seed", pa.int64()), ("step", pa.int64())),
            *((name, pa.float64()) for name in numbers),
            *(("clips", pa.int64()), ("scale", pa.string()), ("synthetic", pa.string())),
        ]
    )
