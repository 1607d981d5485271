"""The search's own grids are fair, and a best value at the end of its grid is named."""

import runpy
from pathlib import Path

import pandas as pd
import pytest

from multitrain.configfile import load_experiments, load_scale
from multitrain.recipes import Recipe

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def search() -> dict:
    return runpy.run_path(str(ROOT / "workflow" / "scripts" / "search.py"))


def test_every_row_of_table_3_that_is_not_another_s_control_has_as_many_combinations(search):
    grids = {run: search["combinations"](values) for run, values in search["GRIDS"].items()}
    assert {len(grid) for grid in grids.values()} == {4}
    rows = load_experiments(ROOT / "config", load_scale("mini", ROOT / "config")).table("table3").rows
    follow = {"vanilla_long", "wo_actnet"}  # Vanilla's recipe, MultiTrain's
    shown = {run for row in rows for run in row.runs if not run.endswith(("_scratch", "_longer"))}
    assert set(grids) == shown - follow


def test_every_value_is_one_of_a_recipe_and_the_chosen_rates_lie_within(search):
    scale = load_scale("desk", ROOT / "config")
    experiments = load_experiments(ROOT / "config", scale)
    for run, values in search["GRIDS"].items():
        its = search["combinations"](values)
        assert {name for chosen in its for name in chosen} <= Recipe.model_fields.keys()
        rates = sorted({chosen["rate"] for chosen in its})
        assert rates[0] < scale.recipes[experiments.run(run).recipe].rate < rates[-1]


@pytest.mark.parametrize(
    ("means", "said"), [((1, 2, 9), "rate 4 is best and at the end"), ((1, 9, 2), ""), ((9, 2, 1), "rate 1 is")]
)
def test_a_best_value_at_the_end_of_its_grid_is_named(search, means: tuple[int, ...], said: str):
    rows = [{"rate": 2**i, "seed": seed, "mean": mean} for i, mean in enumerate(means) for seed in (0, 1)]
    lines = search["at_the_edge"](pd.DataFrame(rows), ["rate=1,2,4"])
    assert "".join(lines).startswith(said) and len(lines) == bool(said)


def test_of_two_values_one_is_always_at_the_end(search):
    rows = [{"rate": 1, "variance_weight": w, "mean": w} for w in (0.1, 1)]
    assert search["at_the_edge"](pd.DataFrame(rows), ["rate=1", "variance_weight+covariance_weight=0.1,1"]) == []
