"""Points of the sweep: one factor differs from the base, equal points and worlds are shared, errors are one line."""

import shutil
from pathlib import Path

import pytest
import yaml

from multitrain.common.errors import UserError
from multitrain.config.bias import KINDS
from multitrain.config.config_files import load_experiments, load_scale
from multitrain.planning.sweep_points import BASE, JOINT, Points, load_points
from multitrain.synth.world import relations

CONFIG = Path(__file__).parents[2] / "config"


@pytest.fixture
def load(tmp_path):
    """A function that loads the points of a scale, with some keys of the shipped sweep.yaml replaced."""

    def make(scale: str = "ci", **changed: object) -> Points:
        content = yaml.safe_load((CONFIG / "sweep.yaml").read_text()) | changed
        shutil.copytree(CONFIG, tmp_path / "config", dirs_exist_ok=True)
        (tmp_path / "config" / "sweep.yaml").write_text(yaml.safe_dump(content))
        loaded = load_scale(scale, tmp_path / "config")
        return load_points(loaded, load_experiments(tmp_path / "config", loaded), tmp_path / "config")

    return make


def changed(one: object, other: object) -> dict[str, tuple]:
    """The values that differ between two settings, by path."""
    if isinstance(one, dict) and isinstance(other, dict):
        return {
            ".".join([key, *filter(None, [path])]): values
            for key in {**one, **other}
            for path, values in changed(one.get(key), other.get(key)).items()
        }
    return {} if one == other else {"": (one, other)}


@pytest.mark.parametrize(
    ("factor", "value", "paths"),
    [
        ("noise", 0.2, {f"world.bias.{name}.noise" for name in KINDS}),
        ("appearance", 0.5, {f"world.bias.{name}.appearance" for name in KINDS}),
        ("related", 0.5, {f"world.bias.{name}.relatives" for name in ("mit", "ssv2", "actnet")}),
        ("projection", 0.14, {"recipes.multitrain.projection_std"}),
        ("datasets", 3, set()),
    ],
)
def test_a_point_differs_from_the_base_in_its_factor_alone(load, factor, value, paths):
    points = load("desk", factors={factor: [value]})
    base, other = points.point(BASE), points.point(points.names[factor, value])
    found = changed(*(each.scale.model_dump(mode="json") for each in (base, other)))
    found.pop("name", None)
    gone = {"recipes.actnet_longer", "recipes.actnet_longer.epochs"} if factor == "datasets" else set()
    assert set(found) - gone == paths
    assert len(other.datasets) == (3 if factor == "datasets" else 4)


def test_a_rate_of_the_sweep_stands_in_for_the_scales_in_every_point(load):
    plain, points = (load("desk", lr=lr, factors={"clips": [8]}) for lr in ({}, {"vanilla": 0.5, "k400_longer": 0.25}))
    for name, point in points.by_name.items():
        found = changed(*(each.scale.model_dump(mode="json")["recipes"] for each in (plain.point(name), point)))
        assert {path: new for path, (_, new) in found.items()} == {"vanilla.lr": 0.5, "k400_longer.lr": 0.25}


def test_a_rate_of_a_run_that_the_sweep_lacks_is_refused(load):
    with pytest.raises(UserError, match=r"sweep.yaml: lr: no run 'vanila' in the sweep: did you mean 'vanilla'\?"):
        load("desk", lr={"vanila": 0.5})


def test_fewer_clips_are_trained_for_as_many_steps(load):
    points = load("desk", factors={"clips": [8, 32]})
    for value in (8, 32):
        scale = points.point(f"clips_{value}").scale
        seen = {name: value * KINDS[name].classes for name in ("k400", "mit", "ssv2", "actnet")}
        assert all(scale.world.videos[name].train == seen[name] for name in ("k400", "mit", "ssv2"))
        assert 1.5 * scale.world.videos["actnet"].train == pytest.approx(seen["actnet"], abs=1)
        views = scale.recipes["multitrain"].epochs * sum(seen.values())
        base = points.point(BASE).scale
        usual = base.recipes["multitrain"].epochs * sum(
            base.world.videos[name].train * (1.5 if name == "actnet" else 1) for name in seen
        )
        assert views == pytest.approx(usual, rel=0.01)


def test_points_of_one_world_share_its_clips_and_equal_points_are_one(load):
    usual = load_scale("desk", CONFIG).recipes["joint"].projection_std
    points = load("desk", factors={"projection": [0.14, usual], "datasets": [2, 4], "noise": [0.2]})
    assert points.names["projection", usual] == points.names["datasets", 4] == BASE
    shared = {points.point(name).scale.name for name in (BASE, "projection_0p14", "datasets_2")}
    assert shared == {"desk_sweep_base"}
    assert points.point("noise_0p2").scale.name == "desk_sweep_noise_0p2"
    assert points.data_settings(BASE, "mit") == points.data_settings("datasets_2", "mit")
    assert points.data_settings(BASE, "mit") != points.data_settings("noise_0p2", "mit")


def test_the_share_of_related_classes_is_relative_to_the_possible_ones(load):
    points = load("desk", factors={"related": [0, 0.5, 1]})

    def related(value: float) -> dict[str, int]:
        world = points.point(points.names["related", value]).scale.world
        pairs = {(each.target_dataset, each.target_class) for each in relations(world) if each.source_dataset == "k400"}
        return {name: sum(of == name for of, _ in pairs) for name in ("mit", "ssv2", "actnet")}

    none, half, every = (related(value) for value in (0.0, 0.5, 1.0))
    assert set(none.values()) == {0}
    assert all(none[name] < half[name] < every[name] <= KINDS[name].classes for name in none)
    assert (every["ssv2"], every["actnet"]) == (6, 10)  # two of each of K400's three motions of things; of 11, the even


def test_the_sweep_has_another_world_than_the_study(load):
    scale, base = load_scale("desk", CONFIG), load("desk").point(BASE).scale
    assert base.world.seed == scale.world.seed + 1000 and base.world.run_seeds is None
    assert base.name not in ("desk", "mini") and not any(each.holdout for each in base.datasets.values())


def test_every_method_starts_from_the_same_run_and_takes_as_many_steps(load):
    point = load("desk", factors={"datasets": [5]}).point("datasets_5")
    runs = point.experiments.runs
    assert set(runs) == {"k400_baseline", *(f"{name}_longer" for name in KINDS), *JOINT.values()}
    assert {run.init for name, run in runs.items() if name != "k400_baseline"} == {"k400_baseline"}
    assert all(runs[f"{name}_longer"].steps_of == "multitrain" for name in KINDS)
    epochs = {point.scale.recipes[name].epochs for name in JOINT.values()}
    assert len(epochs) == 1


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"factors": {"noize": [0.1]}}, "factors: no factor 'noize'.*noise"),
        ({"factors": {"noise": [1]}}, "factors.noise: 1 is out of range: give 0 or more and below 1"),
        ({"factors": {"clips": [2.5]}}, "factors.clips: 2.5 is out of range: give a whole number from 1 on"),
        ({"factors": {"projection": [-0.1]}}, "factors.projection: -0.1 is out of range"),
        ({"factors": {"datasets": [6]}}, "factors.datasets: 6 is more than the 5 of datasets"),
        ({"factors": {"noise": [0.1, 0.1]}}, "factors.noise: give one or more values, each once"),
        ({"factors": {}}, "factors: none to vary"),
        ({"datasets": ["k400", "ucf"], "factors": {"noise": [0]}}, "datasets: scale ci has no synthetic 'ucf'"),
        ({"test_videos": 0}, "test_videos"),
    ],
)
def test_a_mistake_is_one_line_with_its_key(load, keys, message):
    with pytest.raises(UserError, match=rf"sweep\.yaml: {message}") as error:
        load(**keys)
    assert "\n" not in str(error.value)


def test_a_scale_without_a_world_and_an_unknown_point_are_refused(load):
    with pytest.raises(UserError, match="scale paper has no synthetic world"):
        load("paper")
    with pytest.raises(UserError, match="no point 'noise_9' in the sweep"):
        load().point("noise_9")
