"""How often the rule for claims is right: coverage, wrong verdicts and power in simulated studies.

    python -m dev.rule.operating coverage --videos 300 2000 20000
    python -m dev.rule.operating errors
    python -m dev.rule.operating power
    python -m dev.rule.operating worlds

Each writes a table of docs/reference/experiment.md, as Markdown. A simulated clip is right where a sum of normal
effects is above a threshold (a probit): of the video, the same for all methods and trainings; of the video for a
method; of the training for a method, half of its variance the same on all datasets; of the video for a training; of the
clip. All datasets have the accuracy BASE but for a method's gain, and one of the four has several clips a video.
"""

import argparse
import itertools
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import numpy as np
from scipy.special import ndtri

from multitrain.analysis.accuracy.contrasts import Estimate, estimate_over_worlds
from multitrain.analysis.claims.verdict_rule import EQUIVALENT, FAILS, HOLDS, MIXED, Decision, combined, decide
from multitrain.common.markup import grid

BASE = 0.55
BETWEEN_RUNS = 0.025  # standard deviation of an accuracy over trainings, as in the search of scale mini
SHARES = {"video": 0.55, "method": 0.15, "training": 0.25, "clip": 0.05}  # of the variance that trainings leave
DATASETS = 4
CLIPS = (1, 2, 3, 4, 5)  # of a video of the last dataset, with equal probability
MARGIN = 0.02
# left and right of eight claims about nine methods, some shared as in Section 4; the last is true in studies of power
CLAIMS = ((1, 0), (1, 2), (1, 3), (1, 4), (1, 5), (6, 1), (7, 2), (8, 2))
METHODS = 9

Run = Callable[..., list]  # a function of (study, seed, *settings), and the settings; its results by study
Answers = list[tuple[np.ndarray, np.ndarray]]  # a dataset: right (methods, S, N), and the clips' videos (N,)


def simulate(rng: np.random.Generator, gains: np.ndarray, seeds: int, videos: int) -> Answers:
    """Answers of methods whose accuracies are BASE plus `gains` (methods,) in the mean over trainings and videos."""
    between = BETWEEN_RUNS * np.sqrt(2 * np.pi) * np.exp(ndtri(BASE) ** 2 / 2)  # on the scale of effects
    total = 1 + between**2
    threshold = -ndtri(BASE + gains) * np.sqrt(total)  # (methods,)
    shared = rng.normal(size=(len(gains), seeds, 1))
    found = []
    for dataset in range(DATASETS):
        clips = rng.choice(CLIPS, size=videos) if dataset == DATASETS - 1 else np.ones(videos, int)
        of = np.repeat(np.arange(videos), clips)
        own = rng.normal(size=shared.shape)
        effect = between * np.sqrt(0.5) * (shared + own)
        parts = {"video": (1, 1, videos), "method": (len(gains), 1, videos), "training": (len(gains), seeds, videos)}
        for name, shape in parts.items():
            effect = effect + np.sqrt(SHARES[name]) * rng.standard_normal(shape, np.float32)
        effect = effect[..., of]
        effect += np.sqrt(SHARES["clip"]) * rng.standard_normal(effect.shape, np.float32)
        found.append((effect > threshold[:, None, None], of))
    return found


def simulate_worlds(
    rng: np.random.Generator, gains: np.ndarray, seeds: int, videos: int, worlds: int = 1, apart: float = 0.0
) -> tuple[list[Answers], np.ndarray]:
    """Answers in each of several worlds with as many seeds each, and the methods' gains in the mean of these.

    In one world the difference of two methods is another than in the next: `apart` is its standard deviation.
    """
    if worlds == 1:
        return [simulate(rng, gains, seeds, videos)], gains
    here = gains + apart / np.sqrt(2) * rng.normal(size=(worlds, len(gains)))
    return [simulate(rng, its, seeds, videos) for its in here], here.mean(axis=0)


def contrast(worlds: list[Answers], left: int, right: int) -> list[Estimate]:
    """The difference of two methods in the mean over the datasets, then on each."""
    values = [[its[left].astype(float) - its[right] for its, _ in answers] for answers in worlds]
    videos = [[of for _, of in answers] for answers in worlds]
    whole = [([each / DATASETS for each in its], of) for its, of in zip(values, videos, strict=True)]
    single = [
        estimate_over_worlds([([its[d]], [of[d]]) for its, of in zip(values, videos, strict=True)])
        for d in range(DATASETS)
    ]
    return [estimate_over_worlds(whole), *single]


def covered(study: int, seed: int, seeds: int, videos: int, gain: float = 0.03) -> tuple[float, float]:
    """Whether the interval of the mean holds the truth, and the share of the datasets' intervals that do."""
    rng = np.random.default_rng((seed, study, seeds, videos))
    answers, _ = simulate_worlds(rng, np.array([0.0, gain]), seeds, videos)
    held = [low <= gain <= high for low, high in (its.interval for its in contrast(answers, 1, 0))]
    return float(held[0]), float(np.mean(held[1:]))


def covered_worlds(study: int, seed: int, seeds: int, videos: int, apart: float) -> tuple[float, float]:
    """Of two worlds: whether the interval of the mean holds the difference in these worlds, and that in all such."""
    rng, gain = np.random.default_rng((seed, study, seeds, videos)), 0.03
    answers, here = simulate_worlds(rng, np.array([0.0, gain]), seeds, videos, 2, apart)
    low, high = contrast(answers, 1, 0)[0].interval
    return float(low <= here[1] - here[0] <= high), float(low <= gain <= high)


def verdicts(
    study: int, seed: int, seeds: int, videos: int, gain: float = 0.0, worlds: int = 1, apart: float = 0.0
) -> tuple[list[str], str]:
    """The verdicts on all claims, of which the last has this gain, and on that one by itself; seeds are of a world."""
    rng = np.random.default_rng((seed, study, seeds, videos))
    gains = np.zeros(METHODS)
    gains[CLAIMS[-1][0]] = gain
    answers, _ = simulate_worlds(rng, gains, seeds, videos, worlds, apart)
    found = [contrast(answers, *claim) for claim in CLAIMS]
    family = decide({place: its[0] for place, its in enumerate(found)}, MARGIN)
    all_ = [_combined(family[place], its) for place, its in enumerate(found)]
    return all_, verdict_alone(found[-1])


def verdict_alone(found: list[Estimate]) -> str:
    """The verdict on a claim by itself, from its contrast and those of its datasets."""
    return _combined(decide({0: found[0]}, MARGIN)[0], found)


def _combined(whole: Decision, found: list[Estimate]) -> str:
    datasets = decide(dict(enumerate(found[1:])), MARGIN)
    return combined(whole.verdict, *(its.verdict for its in datasets.values()))


def wrong(all_: list[str]) -> bool:
    """Whether a claim of a study without effects got the verdict of an effect."""
    return bool({HOLDS, FAILS, MIXED} & set(all_))


def percent(share: float) -> str:
    return f"{100 * share:.1f}"


def coverage(run: Run, sizes: list[int]) -> None:
    """Print how often the 95% interval of a difference covers the true one."""
    lines = []
    for seeds in (3, 5, 10):
        for videos in sizes:
            held = np.mean(run(covered, seeds, videos), axis=0)
            lines.append([str(seeds), str(videos), *map(percent, held)])
    show(["seeds", "videos a dataset", "mean of four datasets", "one dataset"], lines)


def errors(run: Run, sizes: list[int]) -> None:
    """Print the share of studies without any effect in which one of eight claims holds, does not hold or is mixed."""
    lines = []
    for seeds in (3, 5, 10):
        for videos in sizes:
            found = [wrong(all_) for all_, _ in run(verdicts, seeds, videos)]
            lines.append([str(seeds), str(videos), percent(np.mean(found))])
    show(["seeds", "videos a dataset", "studies with a wrong verdict"], lines)


def power(run: Run, sizes: list[int]) -> None:
    """Print verdicts on a claim with a true gain on all four datasets, the seven other claims without effect."""
    lines = []
    for videos, gain, seeds in itertools.product(sizes, (0.0, 0.02, 0.03, 0.05), (3, 5, 10)):
        found = run(verdicts, seeds, videos, gain)
        cells = [str(videos), f"{100 * gain:.0f}", str(seeds)]
        for its in ([one for _, one in found], [all_[-1] for all_, _ in found]):
            cells += [percent(np.mean([each == verdict for each in its])) for verdict in (HOLDS, FAILS, EQUIVALENT)]
        lines.append(cells)
    heads = [f"{verdict}, {where}" for where in ("alone", "one of eight") for verdict in (HOLDS, FAILS, EQUIVALENT)]
    show(["videos a dataset", "true gain", "seeds", *heads], lines)


def worlds(run: Run, sizes: list[int]) -> None:
    """Print coverage, errors and power of two worlds with five seeds each, between which differences vary."""
    lines = []
    for videos, apart in itertools.product(sizes, (0.0, 0.01, 0.02, 0.03)):
        held = np.mean(run(covered_worlds, 5, videos, apart), axis=0)
        none = np.mean([wrong(all_) for all_, _ in run(verdicts, 5, videos, 0.0, 2, apart)])
        found = np.mean([one == HOLDS for _, one in run(verdicts, 5, videos, 0.03, 2, apart)])
        lines.append([str(videos), f"{100 * apart:.0f}", *map(percent, (*held, none, found))])
    heads = ["covers these worlds'", "covers such worlds'", "wrong verdict without effect", "3 points hold, alone"]
    show(["videos a dataset", "worlds apart, points", *heads], lines)


def show(head: list[str], rows: list[list[str]]) -> None:
    """Print a Markdown table."""
    sys.stdout.write(f"{grid(head, rows)}\n")


def _call(function: Callable, seed: int, settings: tuple, study: int) -> object:
    return function(study, seed, *settings)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("what", choices=[part.__name__ for part in (coverage, errors, power, worlds)])
    parser.add_argument("--videos", type=int, nargs="+", default=[300, 2000], help="of a dataset: lines of the table")
    parser.add_argument("--studies", type=int, default=1000, help="simulated studies of each line")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args()
    with ProcessPoolExecutor(options.workers) as pool:

        def run(function: Callable, *settings: object) -> list:
            return list(
                pool.map(partial(_call, function, options.seed, settings), range(options.studies), chunksize=10)
            )

        globals()[options.what](run, options.videos)


if __name__ == "__main__":
    main()
