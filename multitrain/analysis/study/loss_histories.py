"""Training histories (training.parquet): loss terms, sigma, gradient norm and rate of the joint runs by step."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from multitrain.analysis.study.run_names import method_names, seeds_of, yes_no
from multitrain.common.errors import UserError
from multitrain.common.files.atomic import atomic
from multitrain.common.records.history import BY_DATASET, NAME, TERMS, read_history
from multitrain.common.records.run_record import read_record
from multitrain.config.experiments import Experiments
from multitrain.config.scale import Scale

__all__ = ["write_training"]


def write_training(scale: Scale, experiments: Experiments, seeds: tuple[int, ...], results: Path) -> None:
    """Write <results>/training.parquet: one row a step of every joint run of the tables, of each at most MOST.

    Columns: run, method, seed, step, epoch, rate, total, variance, covariance, gradient_norm, classification.<dataset>
    and sigma.<dataset> for every dataset of any run (null where a run lacks it), per_clip.<dataset> (L_k over the
    dataset's share of the training clips: the mean loss of one of its clips), val.<dataset> (top-1 on val, 0 to 1, at
    the last step before each scoring), clips (training clips of the run), scale, synthetic.
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
            record = read_record(folder, "datasets")
            steps = read_history(folder / NAME, experiments.run(run).datasets)
            clips = sum(its["clips"] for its in record["datasets"].values())
            for name, its in record["datasets"].items():
                for step in steps:
                    step[f"per_clip.{name}"] = step[f"classification.{name}"] * clips / its["clips"]
            for line in record.get("val", ()):
                step = next((each for each in reversed(steps) if each["step"] <= line["step"]), steps[0])
                step |= {f"val.{name}": value for name, value in line["top1"].items()}
            said = {"run": run, "method": names[run], "seed": seed}
            about = {"clips": clips, "scale": scale.name, "synthetic": yes_no(record["synthetic"])}
            tables.append(pa.Table.from_pylist([{**said, **step, **about} for step in steps], _schema(datasets)))
    with atomic(results / "training.parquet") as temporary:
        pq.write_table(pa.concat_tables(tables), temporary)


def _schema(datasets: list[str]) -> pa.Schema:
    numbers = [*TERMS, *(f"{kind}.{name}" for kind in (*BY_DATASET, "per_clip", "val") for name in datasets)]
    return pa.schema(
        [
            *(("run", pa.string()), ("method", pa.string()), ("seed", pa.int64()), ("step", pa.int64())),
            *((name, pa.float64()) for name in numbers),
            *(("clips", pa.int64()), ("scale", pa.string()), ("synthetic", pa.string())),
        ]
    )
