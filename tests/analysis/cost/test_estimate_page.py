"""docs/reference/estimate.md checks the sums against two seeds of scale desk; the default throughput is theirs."""

import json
import re
from pathlib import Path
from statistics import mean, median

import pytest

from multitrain.analysis.cost.estimate import PROCESSOR, counts, estimate
from multitrain.analysis.packed.packed_study import Key, read_study
from multitrain.config.config_files import load_settings

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/reference/estimate.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def runs() -> dict[str, tuple[int, list[float], float]]:
    """Steps, seconds of each of the two seeds, and seconds that the sums give at the default throughput, by run."""
    scale, experiments = load_settings("desk", ROOT / "config")
    videos = counts(scale, Path("not prepared"), ROOT / "resources/published")
    said = {each.run: 3600 * each.train_hours for each in estimate(scale, experiments, videos, PROCESSOR)}
    records: dict[str, list[dict]] = {}
    for seed in (0, 1):
        study = read_study(ROOT / "docs" / "notes" / f"desk-seed{seed}.parquet")
        for run, _ in study.records():
            records.setdefault(run, []).append(json.loads(study.texts[Key(run, seed, name="run.json")]))
    return {
        run: (its[0]["steps"], [each["seconds"] for each in its], said[run]) for run, its in sorted(records.items())
    }


def test_the_default_throughput_is_that_of_the_two_seeds(runs):
    measured, predicted = sum(mean(each[1]) for each in runs.values()), sum(each[2] for each in runs.values())
    assert round(PROCESSOR.tflops * predicted / measured, 3) == PROCESSOR.tflops
    assert f"the default is {PROCESSOR.tflops:g}" in PAGE


def test_the_page_has_every_run_as_it_was_measured_and_predicted(runs):
    speed = runs["multitrain"][2] / mean(runs["multitrain"][1])  # the throughput of this run predicts the others
    errors = {run: predicted / speed / mean(seconds) - 1 for run, (_, seconds, predicted) in runs.items()}
    lines = [
        f"| {run} | {steps} | {mean(seconds):.0f} | {predicted / speed:.0f} | {errors[run]:+.0%} |"
        for run, (steps, seconds, predicted) in runs.items()
    ]
    assert re.findall(r"^\| [a-z0-9_]+ \| \d+ \| \d+ \| \d+ \| [-+]\d+% \|$", PAGE, re.MULTILINE) == lines
    del errors["multitrain"]
    middle, largest = median(map(abs, errors.values())), max(map(abs, errors.values()))
    assert f"({PROCESSOR.tflops * speed:.4f} TFLOP/s" in PAGE
    assert f"median absolute error of the {len(errors)} others is {middle:.1%}, the largest {largest:.0%}" in PAGE
    apart = [abs(one - other) / mean((one, other)) for _, (one, other), _ in runs.values()]
    assert f"a run's two seeds differ by {median(apart):.0%} in the median and up to {max(apart):.0%}" in PAGE
