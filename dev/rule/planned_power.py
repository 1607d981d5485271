"""Variance components of a packed study's contrasts, and the power that they give a study of other seeds and videos.

    python -m dev.rule.planned_power docs/notes/mini-table1.parquet --worlds 2 --seeds 5 --videos 1000

A line a contrast, as Markdown, for "Seeds and videos" of docs/reference/design.md: the standard deviation between
trainings alone, and of the error that the videos leave; then the probability that a difference of 2 and of 3 points
holds in the planned study, tested alone and at the level of the first of eight (Holm). What differs between worlds is
taken as no more than what differs between trainings: a packed study has one.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

from dev.rule.operating import show
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


def right(study: Study, run: str, dataset: str) -> tuple[np.ndarray, np.ndarray]:
    """Top-1 correctness (S, N) of a run by Y_k, a row a seed, and the clips' videos (N,)."""
    tables = [study.answers.get(Key(run, seed, dataset)) for seed in study.seeds()]
    if absent := [seed for seed, its in zip(study.seeds(), tables, strict=True) if its is None]:
        raise UserError(
            f"{study.where}: no answers of {run} on {dataset} by seed {absent[0]}: pack a study that has them"
        )
    frames = [its.to_pandas().set_index("clip") for its in tables]
    correct = [top(1, its["rank"].loc[frames[0].index].to_numpy()) for its in frames]
    return np.stack(correct), frames[0]["video"].to_numpy()


def components(values: np.ndarray, videos: np.ndarray) -> tuple[float, float, int]:
    """Variances of a video and of its interaction with a training, from (S, N) values, and the number of videos."""
    linear, _ = by_video(values, videos)  # (S, V)
    seeds, count = linear.shape
    interaction = ((linear - linear.mean(axis=0)) ** 2).sum() / ((seeds - 1) * (count - 1))
    return max(0.0, linear.mean(axis=0).var(ddof=1) - interaction / seeds), interaction, count


def planned(
    by_dataset: list[tuple[np.ndarray, np.ndarray]], worlds: int, seeds: int, videos: int
) -> tuple[float, Estimate]:
    """Deviation between trainings alone, and the expected estimate with so many worlds, seeds and videos in each."""
    share = 1 / len(by_dataset)
    parts = [components(values, of) for values, of in by_dataset]
    between = np.var(sum(share * values.mean(axis=1) for values, _ in by_dataset), ddof=1)
    training = max(0.0, between - sum(share**2 * each / count for _, each, count in parts))
    all_seeds = worlds * seeds
    first = (training + sum(share**2 * each / videos for _, each, _ in parts)) / all_seeds
    rest = [(share**2 * video / videos / worlds**2, videos - 1) for video, _, _ in parts for _ in range(worlds)]
    return float(np.sqrt(training)), Estimate(0.0, ((first, all_seeds - 1), *rest), all_seeds, videos, videos, None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", type=Path)
    parser.add_argument("--worlds", type=int, default=2)
    parser.add_argument("--seeds", type=int, default=5, help="in each world")
    parser.add_argument("--videos", type=int, default=1000, help="of a dataset in each world")
    options = parser.parse_args()
    study = read_study(options.study)
    head = ["contrast", "between trainings", "standard error"]
    head += [
        f"{100 * gain:.0f} points, alone" if alone else "one of eight" for gain in GAINS for alone in (True, False)
    ]
    lines = []
    for title, (left, other) in CONTRASTS.items():
        pairs = []
        for dataset in SETS:
            (its, videos), (others, _) = (right(study, run.format(dataset), dataset) for run in (left, other))
            pairs.append((its.astype(float) - others, videos))
        for name, each in [("", pairs), *((f", {dataset}", [pair]) for dataset, pair in zip(SETS, pairs, strict=True))]:
            training, estimate = planned(each, options.worlds, options.seeds, options.videos)
            powers = [estimate.power(gain, level) for gain in GAINS for level in (ERROR, ERROR / PRIMARY)]
            lines.append(
                [
                    f"{title}{name}",
                    *(f"{100 * its:.2f}" for its in (training, estimate.error)),
                    *(f"{100 * its:.0f}" for its in powers),
                ]
            )
    show(head, lines)


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(f"error: {error}")
