"""docs/guides/when-it-helps.md says what the packed study and the sweep's answers give."""

from pathlib import Path

import numpy as np
import pytest

from dev.pages import when_it_helps as its
from multitrain.analysis.packed.packed_study import Key, Study, read_study

NUMBERS = ("gain", "low", "high")
BASELINES = {name: f"{name}_longer" for name in ("k400", "mit", "ssv2", "actnet")}


@pytest.fixture(scope="module")
def study() -> Study:
    return read_study(its.EXAMPLE / its.RECORDS)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("sweep")


@pytest.fixture(scope="module")
def swept(folder) -> tuple:
    return its.swept(folder)


def test_the_page_says_what_the_answers_give(study, swept):
    text = its.OUT.read_text(encoding="utf-8")
    assert its.page(study, its.EXAMPLE, *swept) == text, "run `python -m dev.pages.when_it_helps`"


def test_its_points_are_those_of_the_committed_answers(swept):
    rows, points, without = swept
    there = {folder.name for folder in its.SWEPT.iterdir()}
    assert {row["point"] for row in rows} <= there
    assert set(points.by_name) - set(without) == there


def test_the_sweeps_own_page_has_the_digits_of_its_table(folder, swept):
    """A bound of -13.046 is -13.05 in the table, so -13.1 on a page made of it: on both pages or on none."""
    said = [line for line in "".join(its.factors(*swept)).splitlines() if line.startswith("|") and "[" in line]
    page = (folder / "when_it_helps.md").read_text(encoding="utf-8").splitlines()
    assert said and set(said) <= set(page)


def test_lines_are_told_apart_by_where_their_intervals_lie():
    rows = [
        {"label": label} | dict(zip(NUMBERS, numbers, strict=True))
        for label, numbers in (("a", (2, 1, 3)), ("b", (-2, -3, -1)), ("c", (0.5, -1, 2)), ("d", (4, 0.1, 8)))
    ]
    assert its.sides(rows) == (
        "above on a (+2.0 [+1.0, +3.0]) and d (+4.0 [+0.1, +8.0]); below on b (-2.0 [-3.0, -1.0]);"
        " not shown to differ on c (+0.5 [-1.0, +2.0])"
    )
    assert its.sides(rows[:1]) == "above on a (+2.0 [+1.0, +3.0])"


def test_the_gain_of_a_longer_schedule_is_the_mean_of_seeds_and_datasets(study):
    def top1(run: str, dataset: str) -> float:
        answers = [study.answers[Key(run, seed, dataset)]["rank"].to_numpy() for seed in study.seeds()]
        return 100 * np.mean([(each == 0).mean() for each in answers])

    found = its._contrast(study, "Vanilla, 4x schedule", its.STEPS)
    expected = np.mean([top1("vanilla_long", name) - top1(run, name) for name, run in BASELINES.items()])
    assert found["gain"] == pytest.approx(expected)
    assert found["low"] < found["gain"] < found["high"]


def test_a_factor_without_points_is_said_to_be_missing(swept):
    rows, points, without = swept
    sections = "".join(its.factors(rows, points, ["noise_0", *without]))
    assert "### Label noise\n**Not run yet**: 0" in sections
    assert "### Datasets\n| datasets | baseline | Vanilla | MultiTrain | w/o Projection Loss |" in sections
