"""Gains of the sweep on planted answers, the page and the figure made of them, and the cost."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
from PIL import Image
from typer.testing import CliRunner

from multitrain.analysis.cost.sweep_cost import cost_sum, cost_table, costs
from multitrain.analysis.render.columns import SWEEP
from multitrain.analysis.study.sweep_gains import MEAN, left, rows, write_sweep
from multitrain.cli import app
from multitrain.common.errors import UserError
from multitrain.common.terminal_columns import plain
from multitrain.config.config_files import load_experiments, load_scale
from multitrain.planning.sweep_points import BASE, FACTORS, JOINT, load_points
from tests.csv_rows import csv_rows

ROOT = Path(__file__).parents[3]
CLIPS = 10
RIGHT = {"multitrain": 7, "vanilla": 5, "wo_projection": 4}  # of CLIPS; a baseline has 5


@pytest.fixture(scope="module")
def points(scale, experiments, tmp_path_factory):
    """The base and three values, with two seeds."""
    config = tmp_path_factory.mktemp("config")
    (config / "sweep.yaml").write_text(
        "{seeds: [0, 1], epochs_factor: 1, lr: {vanilla: 0.002}, world_seed_offset: 9, test_videos: 8,"
        " datasets: [k400, mit, ssv2], factors: {datasets: [2], noise: [0.2], projection: [0.14]}}"
    )
    return load_points(scale, load_experiments(ROOT / "config", scale), config)


@pytest.fixture
def home(points, tmp_path):
    """A results folder with answers of every point: MultiTrain two clips above the baseline, three with noise."""
    for name, point in points.by_name.items():
        for seed in points.sweep.seeds:
            table = []
            for run, its in point.experiments.runs.items():
                for dataset in its.datasets if run != "k400_baseline" else ():
                    more = (run, name) == ("multitrain", "noise_0p2")
                    right = RIGHT.get(run, 5) + more + (seed if run == "vanilla" and dataset == "k400" else 0)
                    clips = [f"{dataset}{i}" for i in range(CLIPS)]
                    table += [(run, dataset, clip, clip, i < right) for i, clip in enumerate(clips)]
            path = tmp_path / "sweep" / name / f"seed{seed}.parquet"
            path.parent.mkdir(parents=True, exist_ok=True)
            pd.DataFrame(table, columns=["run", "dataset", "clip_id", "video_id", "right"]).to_parquet(path)
    return tmp_path


def one(found: list[dict], **keys: object) -> dict:
    (row,) = [row for row in found if all(row[key] == value for key, value in keys.items())]
    return row


def test_gains_are_over_the_baseline_of_each_dataset_and_their_mean(points, home, scale):
    found = rows(scale, points, home / "sweep")
    its = {"factor": "noise", "dataset": MEAN}
    assert one(found, value=BASE, method="MultiTrain", **its)["gain"] == pytest.approx(20)
    assert one(found, value="0.2", method="MultiTrain", **its)["gain"] == pytest.approx(30)
    assert one(found, value="0.2", method="w/o Projection Loss", **its)["gain"] == pytest.approx(-10)
    vanilla = one(found, value=BASE, method="Vanilla", factor="noise", dataset="k400")
    assert vanilla["gain"] == pytest.approx(5) and list(vanilla["by_seed"]) == pytest.approx([0, 10])
    assert vanilla["low"] < 5 < vanilla["high"] and vanilla["baseline"] == pytest.approx(50)
    assert one(found, value=BASE, method="Vanilla", **its)["gain"] == pytest.approx(5 / 3)


def test_a_mean_is_over_the_datasets_that_all_points_of_the_factor_have(points, home, scale):
    found = rows(scale, points, home / "sweep")
    its = {"factor": "datasets", "method": "Vanilla"}
    for value in (BASE, "2"):
        row = one(found, value=value, dataset=MEAN, **its)
        assert row["gain"] == pytest.approx(2.5) and row["clips"] == 2 * CLIPS
    assert {row["dataset"] for row in found if row["factor"] == "datasets" and row["value"] == "2"} == {
        *("k400", "mit", MEAN)
    }


def test_a_value_that_the_scale_has_is_shown_once(points, home, scale):
    names = points.names | {("datasets", 3.0): BASE}
    sweep = points.sweep.model_copy(update={"factors": points.sweep.factors | {"datasets": (2, 3)}})
    found = rows(scale, replace(points, sweep=sweep, names=names), home / "sweep")
    values = {
        factor: list(dict.fromkeys(row["value"] for row in found if row["factor"] == factor)) for factor in FACTORS
    }
    assert values["datasets"] == ["2", "3"] and values["noise"] == [BASE, "0.2"]


def test_the_files_say_that_it_is_exploratory(points, home, scale, monkeypatch):
    write_sweep(scale, points, home)
    table = csv_rows(home / "when_it_helps.csv")
    assert list(table[0]) == list(SWEEP) and {row["exploratory"] for row in table} == {"yes"}
    text = (home / "when_it_helps.md").read_text()
    assert f"that of scale {scale.name}, its epochs times 1, learning rates of vanilla 0.002, seeds 0, 1." in text
    assert "**Exploratory:" in text and "Smoke test" in text and all(method in text for method in JOINT)
    assert "| 0.2 | 50.0 | +1.7" in text
    from multitrain.analysis.figures.comparisons import when_it_helps

    figure = when_it_helps.draw(home)
    said = " ".join(each.get_text() for each in figure.texts)
    assert "Exploratory" in said and len([axes for axes in figure.axes if axes.get_visible()]) == 3
    assert [axes.get_ylabel() for axes in figure.axes] == ["gain (points)", "", ""]
    figure.savefig(home / "x.png", dpi=150)
    assert 1000 <= Image.open(home / "x.png").width <= 1300


def test_missing_or_other_answers_are_named(points, home, scale):
    path = home / "sweep" / BASE / "seed1.parquet"
    table = pd.read_parquet(path)
    table[table["run"] != "mit_longer"].to_parquet(path)
    with pytest.raises(UserError, match=r"sweep.base: seeds without mit_longer on mit"):
        rows(scale, points, home / "sweep")
    path.write_text("no parquet")
    with pytest.raises(UserError, match=r"seed1\.parquet: no readable answers"):
        rows(scale, points, home / "sweep")
    path.unlink()
    with pytest.raises(UserError, match=r"seed1\.parquet: no such answers: run `multitrain sweep run base --seed 1`"):
        rows(scale, points, home / "sweep")


def test_what_is_there_can_be_shown_and_says_what_is_missing(points, home, scale):
    assert left(points, home) == []
    (home / "sweep" / "noise_0p2" / "seed1.parquet").unlink()
    without = left(points, home)
    assert without == ["noise_0p2"]
    write_sweep(scale, points, home, without)
    assert {row["factor"] for row in csv_rows(home / "when_it_helps.csv")} == {"datasets", "projection"}
    assert "**Not whole.** Missing of 4 points: noise_0p2." in (home / "when_it_helps.md").read_text()
    from multitrain.analysis.figures.comparisons import when_it_helps

    for its, said in ((without, True), ([], False)):
        figure = when_it_helps.draw(home, its)
        assert ("points are missing" in " ".join(each.get_text() for each in figure.texts)) == said
    (home / "sweep" / BASE / "seed0.parquet").unlink()
    with pytest.raises(UserError, match=r"sweep: no factor has two points: `multitrain sweep run` makes one"):
        write_sweep(scale, points, home, left(points, home))


def test_a_world_is_rendered_once_and_every_training_is_counted(points, scale, tmp_path):
    found = {each.point: each for each in costs(points, tmp_path, ROOT / "resources" / "published", scale)}
    assert found[BASE].rendering > 0 and found["noise_0p2"].rendering == found[BASE].rendering
    assert found["datasets_2"].rendering == found["projection_0p14"].rendering == 0
    assert found[BASE].trainings == 2 * 7 and found["datasets_2"].trainings == 2 * 6
    pace = SimpleNamespace(train={"base": 0.01}, test={"base": 0.0}, video=0.1)
    slow = SimpleNamespace(train={"base": 0.02}, test={"base": 0.0}, video=0.1)
    one, two = (costs(points, tmp_path, ROOT / "resources" / "published", scale, each) for each in (pace, slow))
    assert [each.training for each in two] == pytest.approx([2 * each.training for each in one])
    assert "54 trainings" in cost_sum(list(found.values()))
    head, *lines = plain(cost_table(points, found.values()))
    assert head.endswith("core-hours") and [line.split()[0] for line in lines] == list(found)


@pytest.mark.slow
def test_the_command_prints_the_cost_of_the_shipped_sweep():
    said = CliRunner().invoke(app, ["sweep", "cost", "--scale", "desk", "--config-dir", str(ROOT / "config"),
                                    "--published", str(ROOT / "resources" / "published")])  # fmt: skip
    assert said.exit_code == 0 and "clips_8" in said.stdout and "hours on two cores" in said.stdout
    shipped = load_points(load_scale("desk", ROOT / "config"), load_experiments(ROOT / "config"), ROOT / "config")
    assert all(name in said.stdout for name in shipped.by_name)
