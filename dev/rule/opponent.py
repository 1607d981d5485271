"""Attempts to break the rule for claims with the answers of a packed study: how often each verdict came out.

    python -m dev.rule.opponent docs/notes/mini-table1.parquet

A table for "Tried as an opponent would" of docs/reference/experiment.md, as Markdown. Of each contrast: the labels of
the test videos shuffled, the same for all methods; the two methods exchanged in some of the seeds; one method against
itself, half of its seeds against the other half; right answers added to the left method, or taken from it, until it is
3 points better or worse. Then studies of eight claims, in each of which a method is compared with itself; and studies
of scale desk's size, made up by operating.py, in which one claim of eight has a true gain of 3 points.
"""

import argparse
import itertools
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np

from dev.command import start
from dev.rule.operating import MARGIN, Answers, contrast, show, verdict_alone, verdicts, wrong
from dev.rule.planned_power import CONTRASTS, SETS, right
from multitrain.analysis.claims.verdict_rule import EQUIVALENT, FAILS, HOLDS, MIXED, OPEN, decide
from multitrain.analysis.packed.packed_study import Key, Study, read_study

POINTS = 0.03
DESK = (5, 1000, POINTS, 2)  # seeds of a world, videos of a dataset, true gain, worlds
CLAIMS = 8  # as many as may be primary
SHOWN = (HOLDS, FAILS, MIXED, EQUIVALENT, OPEN)
Methods = tuple[str, str]  # runs of the left and of the right one, with {} for the dataset


def read_pair(study: Study, methods: Methods) -> Answers:
    """Of each dataset the right answers (2, S, N) of two methods, and the clips' videos (N,)."""
    pairs = [[right(study, run.format(dataset), dataset) for run in methods] for dataset in SETS]
    return [(np.stack([own for own, _ in pair]), pair[0][1]) for pair in pairs]


def shuffled_labels(study: Study, methods: Methods, rng: np.random.Generator) -> Answers:
    """The answers against labels that were shuffled over a dataset's videos."""
    found = []
    for dataset in SETS:
        tables = [[study.answers[Key(run.format(dataset), seed, dataset)] for seed in study.seeds()] for run in methods]
        labels, videos = (tables[0][0][name].to_numpy() for name in ("label", "video"))
        _, first, of = np.unique(videos, return_index=True, return_inverse=True)
        others = rng.permutation(labels[first])[of]  # (N,)
        said = np.stack([[np.stack(its["top5"].to_numpy())[:, 0] for its in seeds] for seeds in tables])  # (2, S, N)
        found.append((said == others, videos))
    return found


def exchanged(answers: Answers, swap: np.ndarray) -> Answers:
    """The two methods exchanged in the seeds where `swap` (S,) is true, on all datasets."""
    return [(np.where(swap[None, :, None], its[::-1], its), of) for its, of in answers]


def halves(answers: Answers, method: int, rng: np.random.Generator) -> Answers:
    """A method with half of its seeds as the left one, with the other half as the right one."""
    order = rng.permutation(answers[0][0].shape[1])
    half = len(order) // 2
    return [(np.stack([its[method, order[:half]], its[method, order[half : 2 * half]]]), of) for its, of in answers]


def planted(answers: Answers, points: float, rng: np.random.Generator) -> Answers:
    """The left method better by `points`, a fraction, on every dataset and by every seed; worse if below 0."""
    found = []
    for its, of in answers:
        changed = its.copy()
        for row in changed[0]:
            (places,) = np.nonzero(row == (points < 0))
            row[rng.choice(places, round(abs(points) * len(row)), replace=False)] = points > 0
        found.append((changed, of))
    return found


def exact_p(answers: Answers) -> float:
    """Exact permutation test of the mean difference: two-sided p over all exchanges of the methods by seeds."""
    by_seed = np.mean([its[0].mean(axis=1) - its[1].mean(axis=1) for its, _ in answers], axis=0)  # (S,)
    signs = np.array(list(itertools.product((1, -1), repeat=len(by_seed))))
    return float(np.mean(np.abs(signs @ by_seed) >= abs(by_seed.sum()) - 1e-12))


def attempts(study: Study, methods: Methods, rng: np.random.Generator) -> Iterator[tuple[str, Answers]]:
    """One draw of each attempt on a contrast."""
    answers = read_pair(study, methods)
    yield "labels shuffled", shuffled_labels(study, methods, rng)
    yield "methods exchanged in some seeds", exchanged(answers, rng.random(answers[0][0].shape[1]) < 0.5)
    yield "left against itself", halves(answers, 0, rng)
    yield "right against itself", halves(answers, 1, rng)
    yield "3 points planted", planted(answers, POINTS, rng)
    yield "3 points taken away", planted(answers, -POINTS, rng)


def tried(study: Study, methods: Methods, draws: int, seed: int) -> dict[str, Counter]:
    """Verdicts on a claim of the two methods by itself, with its datasets, by attempt."""
    counts: dict[str, Counter] = {}
    for draw in range(draws):
        for name, answers in attempts(study, methods, np.random.default_rng((seed, draw))):
            counts.setdefault(name, Counter())[verdict_alone(contrast([answers], 0, 1))] += 1
    return counts


def eight_against_themselves(methods: list[Answers], rng: np.random.Generator) -> list[str]:
    """The verdicts on eight claims without effect: methods of `methods` by turns, each against itself."""
    turns = itertools.islice(itertools.cycle(itertools.product(methods, (0, 1))), CLAIMS)
    found = [contrast([halves(answers, method, rng)], 0, 1)[0] for answers, method in turns]
    return [its.verdict for its in decide(dict(enumerate(found)), MARGIN).values()]


def _desk(seed: int, study: int) -> tuple[str, str]:
    """The verdicts on the true claim of a made-up study: as one of eight, and alone."""
    among, alone = verdicts(study, seed, *DESK)
    return among[-1], alone


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", type=Path)
    parser.add_argument("--draws", type=int, default=200, help="of each attempt")
    parser.add_argument("--studies", type=int, default=200, help="made-up ones of scale desk's size; 0: none")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args()
    study = read_study(options.study)
    lines = []
    for title, methods in CONTRASTS.items():
        counts = tried(study, methods, options.draws, options.seed)
        lines += [[title, name, *(str(its[verdict]) for verdict in SHOWN)] for name, its in counts.items()]
    with ProcessPoolExecutor(options.workers) as pool:
        found = list(pool.map(partial(_desk, options.seed), range(options.studies)))
    for name, its in zip(("one claim of eight", "the claim alone"), zip(*found, strict=True), strict=False):
        lines.append([f"made up, {name}", "3 points true", *(str(its.count(verdict)) for verdict in SHOWN)])
    show(["contrast", "what was tried", *SHOWN], lines)
    pairs = [read_pair(study, methods) for methods in CONTRASTS.values()]
    draws = ((options.seed, CLAIMS, draw) for draw in range(options.draws))
    errors = [wrong(eight_against_themselves(pairs, np.random.default_rng(draw))) for draw in draws]
    sys.stdout.write(
        f"\nEight claims of methods against themselves: {sum(errors)} of {len(errors)} studies with a wrong verdict, "
        f"{sum(errors[:20])} of the first 20.\n"
    )
    for title, pair in zip(CONTRASTS, pairs, strict=True):
        sys.stdout.write(f"{title}: p of all exchanges of the methods by seeds {exact_p(pair):.3f}.\n")


if __name__ == "__main__":
    start(main)
