r"""Variance components of a packed study's contrasts, and the power that they give a study of other seeds and videos.

    python -m dev.rule.planned_power docs/notes/mini-table1.parquet --worlds 2 --seeds 5 --videos 1000
    python -m dev.rule.planned_power docs/notes/mini-table1.parquet \
        --trials docs/notes/search-desk-from100.csv docs/notes/search-desk-from200.csv

A line a contrast, as Markdown, for "Seeds and videos" of docs/reference/design.md: the standard deviation between
trainings alone, and of the error that the videos leave; then the probability that a difference of 2 and of 3 points
holds in the planned study, tested alone and at the level of the first of eight (Holm). What differs between worlds is
taken as no more than what differs between trainings: a packed study has one.

With --trials the variance between trainings is that of a search on val instead: what seeds of one setting differ by. It
holds their interaction with the few videos of val, so it is no smaller than a study's. The videos' stays the study's.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from dev.command import start
from dev.rule.operating import show
from dev.search import SETTINGS, trials_frame
from multitrain.analysis.accuracy.contrasts import Estimate, by_video
from multitrain.analysis.claims.verdict_rule import ERROR
from multitrain.analysis.packed.packed_study import Key, Study, read_study
from multitrain.common.errors import UserError
from multitrain.common.ranks import top

SETS = ("k400", "mit", "ssv2", "actnet")
CONTRASTS = {
    "MultiTrain minus baselines": ("multitrain", "{}_baseline"),
    "MultiTrain (large) minus MultiTrain": ("multitrain_large", "multitrain"),
}
PRIMARY, GAINS = 8, (0.02, 0.03)


def right(
    study: Study, run: str, dataset: str, seeds: Sequence[int] | None = None, projected: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Top-1 correctness (S, N) of a run, a row a seed (all, if none are given), and the clips' videos (N,).

    By Y_k, or by Y'_k where `projected`.

    Raises:
        UserError: the study has no answers of the run, or none by Y'_k.
    """
    seeds = seeds or study.seeds()
    tables = [study.answers.get(Key(run, seed, dataset)) for seed in seeds]
    if absent := [seed for seed, its in zip(seeds, tables, strict=True) if its is None]:
        raise UserError(
            f"{study.where}: no answers of {run} on {dataset} by seed {absent[0]}: pack a study that has them"
        )
    frames = [its.to_pandas().set_index("clip") for its in tables]
    ranks = [its["rank_projected" if projected else "rank"].loc[frames[0].index] for its in frames]
    if any(its.hasnans for its in ranks):
        raise UserError(f"{study.where}: {run} has no answers by Y'_k on {dataset}: it has no projections")
    correct = [top(1, its.to_numpy()) for its in ranks]
    return np.stack(correct), frames[0]["video"].to_numpy()


def components(values: np.ndarray, videos: np.ndarray) -> tuple[float, float, int]:
    """Variances of a video and of its interaction with a training, from (S, N) values, and the number of videos."""
    linear, _ = by_video(values, videos)  # (S, V)
    seeds, count = linear.shape
    interaction = ((linear - linear.mean(axis=0)) ** 2).sum() / ((seeds - 1) * (count - 1))
    return max(0.0, linear.mean(axis=0).var(ddof=1) - interaction / seeds), interaction, count


def within(trials: pd.DataFrame, values: pd.Series, what: str) -> tuple[float, int]:
    """Variance (of fractions) over the seeds of one setting, pooled over all settings, and its degrees of freedom."""
    columns = trials.columns.intersection(["run", "file", *SETTINGS])
    groups = (values / 100).groupby([trials[name] for name in columns], dropna=False)
    df = len(values) - groups.ngroups
    if not df:
        raise UserError(f"no setting of {what} has two seeds among the --trials: name more of a search's files")
    return float(((values / 100 - groups.transform("mean")) ** 2).sum()) / df, df


def between_trainings(trials: pd.DataFrame, other: str, dataset: str | None) -> tuple[float, int]:
    """Variance between trainings of a joint run minus `other`, and the fewer of their degrees of freedom.

    The two sides count as independent: they have one K400's weights, which makes the true variance no larger.

    Args:
        trials: trainings of a search, its files' rows together with their `file`
        other: the contrast's second run; where it has a {}, the dataset's own
        dataset: None: the mean of all
    """
    joint = trials[trials[list(SETS)].notna().all(axis=1)]
    mean = joint[list(SETS)].mean(axis=1) if dataset is None else joint[dataset]
    left, df = within(joint, mean, "a joint run")
    if "{}" not in other:
        return 2 * left, df
    sets = SETS if dataset is None else (dataset,)
    singles = {name: trials[trials["run"] == other.format(name)] for name in sets}
    parts = [within(rows, rows[name], other.format(name)) for name, rows in singles.items()]
    return left + sum(each for each, _ in parts) / len(sets) ** 2, min(df, sum(each for _, each in parts))


def planned(
    by_dataset: list[tuple[np.ndarray, np.ndarray]],
    worlds: int,
    seeds: int,
    videos: int,
    between: float | None = None,
) -> tuple[float, Estimate]:
    """Deviation between trainings alone, and the expected estimate with so many worlds, seeds and videos in each.

    Args:
        by_dataset: differences (S, N) and videos (N,) of each dataset
        between: variance between trainings, their interaction with the planned videos included; None: the study's
    """
    share = 1 / len(by_dataset)
    parts = [components(values, of) for values, of in by_dataset]
    if between is None:
        spread = np.var(sum(share * values.mean(axis=1) for values, _ in by_dataset), ddof=1)
        training = max(0.0, spread - sum(share**2 * each / count for _, each, count in parts))
        between = training + sum(share**2 * each / videos for _, each, _ in parts)
    else:
        training = between
    all_seeds = worlds * seeds
    first = between / all_seeds
    rest = [(share**2 * video / videos / worlds**2, videos - 1) for video, _, _ in parts for _ in range(worlds)]
    return float(np.sqrt(training)), Estimate(0.0, ((first, all_seeds - 1), *rest), all_seeds, videos, videos, None)


def read_trials(files: Sequence[Path]) -> pd.DataFrame:
    """All files' trials; those of two files are never one setting, as each is relative to other recipes."""
    return pd.concat([trials_frame(file).assign(file=str(file)) for file in files], ignore_index=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", type=Path)
    parser.add_argument("--worlds", type=int, default=2)
    parser.add_argument("--seeds", type=int, default=5, help="in each world")
    parser.add_argument("--videos", type=int, default=1000, help="of a dataset in each world")
    parser.add_argument("--trials", type=Path, nargs="+", help="files of a search's trials on val")
    options = parser.parse_args()
    study = read_study(options.study)
    trials = read_trials(options.trials) if options.trials else None
    head = ["contrast", "between trainings", "degrees of freedom", "standard error"]
    head += [
        f"{100 * gain:.0f} points, alone" if alone else "one of eight" for gain in GAINS for alone in (True, False)
    ]
    lines = []
    for title, (left, other) in CONTRASTS.items():
        pairs = []
        for dataset in SETS:
            (its, videos), (others, _) = (right(study, run.format(dataset), dataset) for run in (left, other))
            pairs.append((its.astype(float) - others, videos))
        for dataset, each in [(None, pairs), *zip(SETS, ([pair] for pair in pairs), strict=True)]:
            between, df = (None, len(study.seeds()) - 1)
            if trials is not None:
                between, df = between_trainings(trials, other, dataset)
            training, estimate = planned(each, options.worlds, options.seeds, options.videos, between)
            powers = [estimate.power(gain, level) for gain in GAINS for level in (ERROR, ERROR / PRIMARY)]
            name = f"{title}, {dataset}" if dataset else title
            deviations = [f"{100 * training:.2f}", str(df), f"{100 * estimate.error:.2f}"]
            lines.append([name, *deviations, *(f"{100 * its:.0f}" for its in powers)])
    show(head, lines)


if __name__ == "__main__":
    start(main)
