"""Training loss curves (curves.parquet): the loss of every run against the finished share of its schedule."""

from pathlib import Path

import pandas as pd

from multitrain.analysis.study.run_names import method_names, seeds_of, yes_no
from multitrain.common.files.atomic import atomic
from multitrain.common.records.history import NAME, read_history
from multitrain.common.records.run_record import has_record, read_record
from multitrain.config.experiments import Experiments
from multitrain.config.scale import Scale

__all__ = ["write_curves"]

POINTS = 50  # of a curve


def write_curves(scale: Scale, experiments: Experiments, seeds: tuple[int, ...], results: Path) -> None:
    """Write <results>/curves.parquet: run, method, seed, datasets, share (0 to 1), loss, scale, synthetic.

    The loss is the mean cross-entropy of a training clip, in nats: the sum over datasets of the recorded L_k, each a
    sum over its clips divided by the whole batch; of projections with branches of their own theirs is added. A point is
    the mean over one of POINTS parts of the schedule.
    """
    names, home = method_names(experiments, scale), results / "runs" / scale.name
    curves = []
    for run in experiments.shown_runs():
        datasets = experiments.run(run).datasets
        for seed in seeds_of(home, run, seeds):
            folder = home / run / f"seed{seed}"
            if not has_record(folder):
                continue
            record = read_record(folder, "steps")
            steps = pd.DataFrame(read_history(folder / NAME, datasets))
            share = (steps["step"] + 1) / record["steps"]
            loss = steps[[f"classification.{name}" for name in datasets]].sum(axis=1)
            part = (share * POINTS).apply(lambda value: min(int(value), POINTS - 1))
            its = pd.DataFrame({"share": share, "loss": loss}).groupby(part).mean()
            about = {"scale": scale.name, "synthetic": yes_no(record["synthetic"])}
            titles = ", ".join(scale.dataset(name).title for name in datasets)
            said = {"run": run, "method": names[run], "seed": seed, "datasets": titles}
            curves.append(its.assign(**said, **about).reset_index(drop=True))
    with atomic(results / "curves.parquet") as temporary:
        pd.concat(curves, ignore_index=True).to_parquet(temporary, index=False)
