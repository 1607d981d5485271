"""The search's own grids are fair, and a best value at the end of its grid is named."""

import runpy
from pathlib import Path

import pandas as pd
import pytest

from multitrain.analysis.measured import PLATEAU, doublings, read_plateau
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


def test_a_schedule_is_a_factor_on_epochs_and_warm_up(search):
    recipe = load_scale("mini", ROOT / "config").recipes["joint"]
    chosen = search["values_of"](recipe, {"schedule": 2, "rate": 1e-3})
    assert chosen == {"epochs": 2 * recipe.epochs, "warmup_epochs": 2 * recipe.warmup_epochs, "rate": 1e-3}


def test_plateaus_are_of_trainings_that_changed_the_schedule_alone_and_are_read_as_such(search, tmp_path):
    top1 = {"k400": 50.0, "k400_projected": 51.0, "effective_rank": 3.0}
    rows = [
        {"run": "k400_baseline", "seed": 0, "schedule": 1, **top1},
        {"run": "k400_baseline", "seed": 0, "schedule": 2, **top1, "k400": 51.5},
        {"run": "k400_baseline", "seed": 0, "schedule": 2, "rate": 1e-3, **top1},
        {"run": "k400_baseline", "seed": 0, "rate": 1e-3, **top1},
    ]
    scale = load_scale("mini", ROOT / "config")
    (tmp_path / "mini").mkdir()
    search["plateau"](rows, scale.fingerprint).to_csv(tmp_path / "mini" / PLATEAU, index=False)
    read = read_plateau(tmp_path, scale)
    assert [(its.factor, its.top1) for its in read.rows] == [(1, 50.0), (2, 51.5)]
    assert doublings(read.rows)[0].change == pytest.approx(1.5)
