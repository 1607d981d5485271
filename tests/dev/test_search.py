"""The search is of equal size for every row, and goes beyond a best rate at the end of what was tried."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dev import search
from multitrain.analysis.study.measured import PLATEAU, doublings, read_plateau
from multitrain.common.errors import UserError
from multitrain.config.config_files import load_experiments, load_scale
from multitrain.config.recipes import Recipe
from multitrain.engine.setup import Job

ROOT = Path(__file__).parents[2]


def test_every_row_of_table_3_that_is_not_another_s_control_has_as_many_combinations():
    grids = {run: search.combinations(values) for run, values in search.GRIDS.items()}
    assert {len(grid) for grid in grids.values()} == {4}
    rows = load_experiments(ROOT / "config", load_scale("mini", ROOT / "config")).table("table3").rows
    follow = {"vanilla_long", "wo_actnet"}  # Vanilla's recipe, MultiTrain's
    shown = {run for row in rows for run in row.runs if not run.endswith(("_scratch", "_longer"))}
    assert set(grids) == shown - follow


def test_every_value_is_one_of_a_recipe():
    for values in search.GRIDS.values():
        grid = search.combinations(values)
        assert {name for chosen in grid for name in chosen} <= Recipe.model_fields.keys()


@pytest.fixture
def tried(tmp_path, monkeypatch):
    """The settings that a staged search of a run tries, where top-1 is a given function of a setting."""

    def staged(run: str, top1) -> tuple[list[dict], str]:
        scale = load_scale("desk", ROOT / "config")
        experiments = load_experiments(ROOT / "config", scale)
        jobs = [Job(scale, experiments, run, seed, tmp_path, tmp_path) for seed in (0, 1)]
        seen = []

        def measured(job, chosen, results):
            seen.append((chosen, job.seed))
            return {name: top1(chosen) + job.seed for name in job.run.datasets} | {"effective_rank": 1.0}

        monkeypatch.setattr(search, "measured", measured)
        said = search.staged(jobs, tmp_path / "search")
        assert [chosen for chosen, seed in seen if seed == 0] == [chosen for chosen, seed in seen if seed == 1]
        again = len(seen)
        assert search.staged(jobs, tmp_path / "search") == said and len(seen) == again  # nothing is done twice
        return [chosen for chosen, seed in seen if seed == 0], said

    return staged


@pytest.mark.parametrize(
    ("run", "second"),
    [
        ("vanilla", [{"lr": 2.828e-3}, {"lr": 1.414e-3}]),
        ("wo_projection", [{"lr": 2e-3, "variance_weight": 1.0, "covariance_weight": 1.0}, {"lr": 2.828e-3}]),
        ("wo_informative", [{"lr": 2e-3, "projection_std": 0.02}, {"lr": 2.828e-3}]),
        (
            "multitrain",
            [{"lr": 2e-3, "variance_weight": 1.0, "covariance_weight": 1.0}, {"lr": 2e-3, "projection_std": 0.02}],
        ),
    ],
)
def test_every_row_gets_six_settings_of_which_two_are_at_its_best_rate(tried, run, second):
    settings, said = tried(run, lambda chosen: 50 - abs(chosen["lr"] - 2e-3) + len(chosen))
    assert [chosen["lr"] for chosen in settings[:4]] == [1e-3, 2e-3, 4e-3, 8e-3]
    for chosen, expected in zip(settings[4:], second, strict=True):
        assert chosen == pytest.approx(expected)
    assert said.startswith(f"{run}: chosen of 6 settings: lr 0.002")


@pytest.mark.parametrize(("best", "further"), [(16e-3, [16e-3, 32e-3]), (0.5e-3, [0.5e-3, 0.25e-3])])
def test_a_best_rate_at_the_end_of_what_was_tried_gets_the_next_one(tried, best, further):
    settings, said = tried("vanilla", lambda chosen: -abs(np.log(chosen["lr"] / best)))
    assert [chosen["lr"] for chosen in settings[4:6]] == further
    assert len(settings) == 8 and f"lr {best:g}:" in said


def test_the_first_stage_alone_tries_rates_of_a_study_too(tmp_path, monkeypatch):
    path = ROOT / "config" / "studies" / "desk_cnn.yaml"
    monkeypatch.chdir(ROOT)
    seen = []

    def measured(job, chosen, results):
        seen.append((job.scale.name, job.seed, chosen))
        assert job.scale.model.backbone == "cnn3d"
        return {name: -abs(np.log(chosen["lr"] / 4e-3)) for name in job.run.datasets} | {
            "mit_projected": 1.0,
            "effective_rank": 1.0,
        }

    monkeypatch.setattr(search, "measured", measured)
    words = ["search", "mit_baseline", "--scale", str(path), "--seeds", "0", "1", "--rates"]
    monkeypatch.setattr("sys.argv", [*words, "--results", str(tmp_path), "--trials", str(tmp_path / "trials.csv")])
    search.main()
    rates = [5e-4, 1e-3, 2e-3, 4e-3, 8e-3]  # 8e-3, as 4e-3 is at the end of the four
    assert seen[:8] == [("desk_cnn", seed, {"lr": lr}) for lr in rates[:4] for seed in (0, 1)]
    assert seen[8:] == [("desk_cnn", seed, {"lr": 8e-3}) for seed in (0, 1)]
    assert sorted(pd.read_csv(tmp_path / "trials.csv")["lr"]) == sorted(2 * rates)


def test_the_table_of_a_run_has_its_rates_as_they_were_tried(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    results = {"mit": 50.123456, "mit_projected": 1.0, "effective_rank": 1.0}
    monkeypatch.setattr(search, "measured", lambda job, chosen, results_folder: results)
    words = ["search", "mit_baseline", "--scale", "desk", "--value", "lr=1.414214e-3", "--results", str(tmp_path)]
    monkeypatch.setattr("sys.argv", words)
    search.main()
    table = pd.read_csv(tmp_path / "search" / "desk" / "mit_baseline.csv")
    assert (table["lr"].item(), table["mean"].item()) == (1.414214e-3, 50.1235)


def test_the_criterion_is_of_the_trainings_with_these_values_alone():
    rows = [
        {"run": "r", "seed": 0, "lr": 1.0, "a": 10.0, "b": 20.0, "a_projected": 0.0, "effective_rank": 1.0},
        {"run": "r", "seed": 1, "lr": 1.0, "a": 20.0, "b": 30.0, "a_projected": 0.0, "effective_rank": 1.0},
        {"run": "r", "seed": 0, "lr": 1.0, "projection_std": 0.02, "a": 90.0, "b": 90.0, "effective_rank": 1.0},
    ]
    assert search.mean_of(rows, ("a", "b"), lr=1.0) == 20.0


def test_a_trial_of_an_earlier_version_is_read_by_the_present_keys_and_not_done_again(tmp_path, monkeypatch):
    scale = load_scale("desk", ROOT / "config")
    job = Job(scale, load_experiments(ROOT / "config", scale), "vanilla", 1, tmp_path, tmp_path)
    results = dict.fromkeys(job.run.datasets, 50.0) | {"effective_rank": 1.0}
    lines = ({"rate": 2e-3, "sigma_rate": 4.0}, {"rate": 2e-3}, {"rate": 2e-3, "projection_std": 0.02})
    for number, chosen in enumerate(lines):
        line = {"run": "vanilla", "seed": 1, **chosen, **results, "mit": float(number)}
        (tmp_path / f"vanilla_{number}_seed1.json").write_text(json.dumps(line))
    monkeypatch.setattr(search, "measured", lambda *_: pytest.fail("it is done again"))
    for number, chosen in enumerate(({"lr": 2e-3, "sigma_lr_factor": 4.0}, {"lr": 2e-3})):
        (row,) = search.trials([job], [chosen], tmp_path)
        assert row == {"run": "vanilla", "seed": 1, **chosen, **results, "mit": number}


def test_a_former_key_among_the_values_is_named(tmp_path):
    scale = load_scale("desk", ROOT / "config")
    job = Job(scale, load_experiments(ROOT / "config", scale), "k400_baseline", 0, tmp_path, tmp_path)
    with pytest.raises(UserError, match=r"^--value: rate: is called lr now$"):
        search.trials([job], [{"rate": 1e-3}], tmp_path / "search")


def test_a_schedule_is_a_factor_on_epochs_and_warm_up():
    recipe = load_scale("mini", ROOT / "config").recipes["joint"]
    chosen = search.values_of(recipe, {"schedule": 2, "lr": 1e-3})
    assert chosen == {"epochs": 2 * recipe.epochs, "warmup_epochs": 2 * recipe.warmup_epochs, "lr": 1e-3}


def test_plateaus_are_of_trainings_that_changed_the_schedule_alone_and_are_read_as_such(tmp_path):
    top1 = {"k400": 50.0, "k400_projected": 51.0, "effective_rank": 3.0}
    rows = [
        {"run": "k400_baseline", "seed": 0, "schedule": 1, **top1},
        {"run": "k400_baseline", "seed": 0, "schedule": 2, **top1, "k400": 51.5},
        {"run": "k400_baseline", "seed": 0, "schedule": 2, "lr": 1e-3, **top1},
        {"run": "k400_baseline", "seed": 0, "lr": 1e-3, **top1},
    ]
    scale = load_scale("mini", ROOT / "config")
    (tmp_path / "mini").mkdir()
    search.plateau(rows, scale.fingerprint).to_csv(tmp_path / "mini" / PLATEAU, index=False)
    read = read_plateau(tmp_path, scale)
    assert [(its.factor, its.top1) for its in read.rows] == [(1, 50.0), (2, 51.5)]
    assert doublings(read.rows)[0].change == pytest.approx(1.5)


def test_a_run_whose_start_is_not_there_is_refused_with_the_cure(tmp_path):
    scale = load_scale("desk", ROOT / "config")
    job = Job(scale, load_experiments(ROOT / "config", scale), "vanilla", 0, tmp_path, tmp_path)
    with pytest.raises(
        UserError, match=r"k400_baseline/seed0/model.pt: no such file: vanilla starts from it: train it"
    ):
        search.trials([job], [{"lr": 1e-3}], tmp_path / "search")


def test_trainings_travel_in_a_file_and_are_not_done_again_on_another_machine(tried, tmp_path, monkeypatch):
    tried("multitrain", lambda chosen: 50 - 1e3 * abs(chosen["lr"] - 2e-3) + len(chosen))
    path, here, there = tmp_path / "trials.csv", tmp_path / "search", tmp_path / "other" / "search"
    search.export_trials(path, here)
    there.mkdir(parents=True)
    search.import_trials(path, there)
    monkeypatch.setattr(search, "measured", lambda *_: pytest.fail("it is done again"))
    scale = load_scale("desk", ROOT / "config")
    jobs = [Job(scale, load_experiments(ROOT / "config", scale), "multitrain", s, tmp_path, tmp_path) for s in (0, 1)]
    assert search.staged(jobs, there) == search.staged(jobs, here)
    again = tmp_path / "again.csv"
    search.export_trials(again, there)
    assert again.read_bytes() == path.read_bytes()
    search.import_trials(path, there)
    assert len(list(there.glob("*.json"))) == len(list(here.glob("*.json"))) == 12


def test_the_committed_trainings_are_whole_and_by_the_present_keys(tmp_path):
    path = ROOT / "docs" / "notes" / "search-desk.csv"
    search.import_trials(path, tmp_path)
    search.export_trials(tmp_path / "again.csv", tmp_path)
    assert (tmp_path / "again.csv").read_bytes() == path.read_bytes()


def test_a_file_of_something_else_is_refused(tmp_path):
    (path := tmp_path / "other.csv").write_text("a,b\n1,2\n")
    with pytest.raises(UserError, match=r"other.csv: no column run or seed: name a file that --trials wrote"):
        search.import_trials(path, tmp_path)
