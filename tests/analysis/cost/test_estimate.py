"""The estimate: its sums by hand, its counts, what it makes of a changed scale, and what it refuses."""

import json
import os
import re
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import accumulate
from pathlib import Path

import pytest
import torch
import yaml
from torch.profiler import ProfilerActivity, profile
from typer.testing import CliRunner

from multitrain.analysis.cost.estimate import (
    ACCELERATOR,
    PROCESSOR,
    Counts,
    Speed,
    counts,
    decoding,
    default_speed,
    estimate,
    seconds,
    steps_of,
)
from multitrain.analysis.cost.flops import passes
from multitrain.analysis.cost.memory import Saved, parameters, saved
from multitrain.cli import app
from multitrain.common.errors import UserError
from multitrain.config.config_files import load_experiments, load_scale
from multitrain.engine.setup import schedule
from multitrain.model.network import Network, Spec
from multitrain.planning import measure as pace
from multitrain.planning.measure import Pace, _measure_process

ROOT = Path(__file__).parents[3]
CONFIG, PUBLISHED = ROOT / "config", ROOT / "resources" / "published"
SPEED = Speed(1.0, 15.0)
pytestmark = pytest.mark.xdist_group("estimate")  # the paper's models are counted once a process


@pytest.fixture(scope="module")
def paper():
    """The scale, and of its runs a few of each kind."""
    scale = load_scale("paper", CONFIG)
    shipped = load_experiments(CONFIG, scale)
    names = ("k400_baseline", "ssv2_baseline", "multitrain", "multitrain_large", "vanilla")
    return scale, shipped.model_copy(update={"runs": {name: shipped.runs[name] for name in names}})


def on(scale, **machine):
    return scale.model_copy(update={"machine": scale.machine.model_copy(update=machine)})


@pytest.fixture(scope="module")
def of_paper(paper, tmp_path_factory):
    scale, experiments = paper
    videos = counts(scale, tmp_path_factory.mktemp("none"), PUBLISHED)
    return {each.run: each for each in estimate(scale, experiments, videos, ACCELERATOR)}


def test_the_papers_joint_run_by_hand(of_paper):
    run = of_paper["multitrain"]
    videos = 240_000 + 727_000 + 168_000 + 107_000
    assert (run.videos, run.steps) == (videos, 50 * (videos // 512))
    assert run.clips == run.steps * 512 * 2
    assert run.gflops == pytest.approx(223.83, abs=0.005)
    assert run.train_hours == pytest.approx(run.clips * 3 * 2 * 223.83e9 / 7.5e12 / 3600, rel=1e-4)
    assert run.days == pytest.approx(run.train_hours / 128 / 24)
    assert run.test_clips == 20_000 * 5 + 30_000 * 6 + 24_000 * 3 + 16_000 * 5
    assert run.test_hours == pytest.approx(run.test_clips * 2 * 223.83e9 / 7.5e12 / 3600, rel=1e-4)


def test_the_papers_days_and_models(of_paper):
    assert 2 <= of_paper["multitrain"].days <= 4  # "128 A100 for 2 to 4 days"
    large = of_paper["multitrain_large"]
    assert large.gflops == pytest.approx(613.79, abs=0.005)
    assert large.passes == 4 and of_paper["multitrain"].passes == 3
    assert large.memory_gib < of_paper["multitrain"].memory_gib  # its activations are computed again
    assert max(run.memory_gib for run in of_paper.values()) < 40  # of the smaller A100


def test_weights_are_those_of_the_network(paper):
    scale, experiments = paper
    run = experiments.runs["k400_baseline"]
    assert parameters(scale, run, scale.recipes[run.recipe], {"k400": 400}) == 51_293_776  # a linear head
    joint, recipe, classes = experiments.runs["multitrain"], scale.recipes["joint"], {"k400": 9, "mit": 8, "ssv2": 7}
    joint = joint.model_copy(update={"datasets": tuple(classes)})
    spec = Spec(
        model=scale.model,
        size=224,
        classes={name: tuple(map(str, range(count))) for name, count in classes.items()},
        projections=True,
        expander=(4096, 768),
    )
    with torch.device("meta"):
        whole = sum(weight.numel() for weight in Network(spec).parameters())
    assert parameters(scale, joint, recipe, classes) == whole


def test_fewer_processes_take_as_much_arithmetic_but_for_the_second_pass(paper):
    scale, experiments = paper
    node = on(scale, nodes=1)
    recipe = scale.recipes["joint"]

    def of_step(scale, run: str, recipe=recipe) -> int:
        return passes(scale, experiments.runs[run], recipe, recipe.parts(scale.machine.processes))

    assert (of_step(scale, "multitrain"), of_step(node, "multitrain")) == (3, 4)
    assert of_step(node, "multitrain", recipe.model_copy(update={"informative_statistics": "micro_batch"})) == 3
    assert of_step(node, "vanilla") == 3
    assert of_step(node, "multitrain_large") == 5
    assert of_step(on(node, checkpointing=()), "multitrain_large") == 4


def test_the_same_clips_are_at_work_at_once_however_many_processes(paper, of_paper, tmp_path):
    scale, experiments = paper
    videos = counts(scale, tmp_path, PUBLISHED)
    node = {run.run: run for run in estimate(on(scale, nodes=1), experiments, videos, ACCELERATOR)}
    for name in ("multitrain", "ssv2_baseline"):
        assert node[name].clips == of_paper[name].clips
    assert node["multitrain"].memory_gib == of_paper["multitrain"].memory_gib
    assert node["vanilla"].days == pytest.approx(16 * of_paper["vanilla"].days)


def test_decoding_adds_up_in_one_process_and_else_the_slower_decides():
    assert seconds(10, 2e12, 0.5, 0, SPEED) == pytest.approx(10 * (2 + 0.5))
    assert seconds(10, 2e12, 0.5, 1, SPEED) == pytest.approx(10 * 2)
    assert seconds(10, 2e12, 6, 2, SPEED) == pytest.approx(10 * 3)
    assert decoding(32 * 320 * 320 * 16 / 9, SPEED) == pytest.approx(1 / 15)
    assert 0.002 < decoding(0, SPEED) < 0.005


def test_repeats_and_augmentation_change_the_cores(paper, of_paper):
    scale, experiments = paper
    plain = scale.recipes["joint"].model_copy(update={"randaugment": None})
    videos = {name: Counts(1000, 10, 10, "paper") for name in scale.datasets}

    def cores(recipe) -> float:
        changed = scale.model_copy(update={"recipes": {**scale.recipes, "joint": recipe}})
        return {run.run: run for run in estimate(changed, experiments, videos, ACCELERATOR)}["multitrain"].cores

    once = cores(plain.model_copy(update={"repeats": 1}))
    assert cores(plain) == pytest.approx(once / 2)
    assert cores(scale.recipes["joint"]) > cores(plain)


def test_counts_are_the_manifests_where_they_are(scale, data, experiments, job):
    found = counts(scale, data, PUBLISHED)
    assert {name: count.source for name, count in found.items()} == {
        **dict.fromkeys(scale.datasets, "world"),
        "k400": "manifest",
        "mit": "manifest",
    }
    of_run = job("joint")
    assert found["k400"].train == len(of_run.source("k400", "train"))
    assert found["mit"].test == len(of_run.source("mit", "test"))
    assert found["k400"].classes == len(of_run.source("k400", "train").classes)
    for name in ("joint", "longer", "k400_baseline"):
        assert steps_of(scale, experiments, name, found) == schedule(job(name))[0]


def test_counts_follow_fraction_and_holdout(paper, tmp_path):
    scale, _ = paper
    part = scale.datasets["mit"].model_copy(update={"fraction": 0.1, "holdout": 0.2})
    changed = scale.model_copy(update={"datasets": {**scale.datasets, "mit": part}})
    assert counts(changed, tmp_path, PUBLISHED)["mit"] == Counts(58_160, 3000, 305, "paper")


@pytest.mark.parametrize(("name", "most"), [("paper", 60), ("lab", 1.0)])
def test_the_machines_days(name: str, most: float, tmp_path):
    scale = load_scale(name, CONFIG)
    found = estimate(scale, load_experiments(CONFIG, scale), counts(scale, tmp_path, PUBLISHED), ACCELERATOR)
    hours = sum(run.train_hours + run.test_hours for run in found)
    assert 0.5 * most < hours / 24 / scale.machine.processes < most
    assert all(run.cores < scale.machine.workers for run in found)  # decoding does not set the pace
    assert all(run.memory_gib < 40 for run in found)


def test_what_a_clip_saves_grows_with_it():
    mini = load_scale("mini", CONFIG)
    small, large = (saved(mini.model, pixels, "float32") for pixels in (48, 96))
    assert large.of_clip(False) == pytest.approx(4 * small.of_clip(False), rel=0.05)
    half = saved(mini.model, 96, "bfloat16")
    assert 0.5 * large.of_clip(False) < half.of_clip(False) < large.of_clip(False)
    assert len(small.blocks) == len(small.inputs) == sum(mini.model.depths)
    assert small.inputs[0] == 4 * 4 * 12 * 12 * 24  # (T', side, side, C) in float32
    assert Saved((5, 7), (1, 2), (9, 3), 10).of_clip(False) == 22
    assert Saved((5, 7), (1, 2), (9, 3), 10).of_clip(True) == 27


def most_held(step: Callable[[], None]) -> int:
    """Bytes of tensors at the peak, by PyTorch's own account: pages and pieces of the system's are no part of it."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
        step()
    events = [event for event in profiled.profiler.kineto_results.events() if event.name() == "[memory]"]
    return max(accumulate(event.nbytes() for event in sorted(events, key=lambda event: event.start_ns())))


@pytest.mark.parametrize("checkpointing", [False, True])
def test_the_model_of_memory_is_what_a_step_takes(checkpointing: bool):
    model = load_scale("mini", CONFIG).model.model_copy(update={"channels": 24, "depths": (1, 2, 3)})
    network = Network(Spec(model=model, size=48, classes={"a": ("b", "c")}))
    network.backbone.checkpointing = checkpointing

    def step(clips: int) -> None:
        network(torch.randn(clips, 3, model.frames, 48, 48)).logits["a"].sum().backward()

    step(1)  # makes the gradients
    fewer, more = (most_held(lambda clips=clips: step(clips)) for clips in (8, 16))
    assert (more - fewer) / 8 == pytest.approx(saved(model, 48, "float32").of_clip(checkpointing), rel=0.15)


def call(*arguments: str, config: Path = CONFIG):
    return CliRunner().invoke(app, ["estimate", "--config-dir", str(config), *arguments])


def test_the_command_prints_every_run_and_the_totals(tmp_path):
    common = ("--scale", "ci", "--data", str(tmp_path), "--published", str(PUBLISHED))
    page = call(*common, "--assume")
    assert page.exit_code == 0, page.output
    experiments = load_experiments(CONFIG)
    lines = page.output.splitlines()
    assert [line.split()[0] for line in lines[4:-2]] == list(experiments.runs)
    assert len({len(line) for line in lines[3:-2]}) == 1
    assert re.search(r"In all, 1 seed: [\d.]+ min of training and [\d.]+ min of tests of one ", page.output)
    content = json.loads(call(*common, "--json", "--tflops", "2", "--seeds", "3").output)
    assert content["speed"] == {"tflops": 2.0, "clips_per_core": PROCESSOR.clips_per_core}
    runs = content["runs"]
    assert content["totals"]["train_hours"] == pytest.approx(3 * sum(run["train_hours"] for run in runs))
    assert content["totals"]["models_gb"] == pytest.approx(3 * sum(run["model_gb"] for run in runs))
    one = json.loads(call(*common, "--json", "--run", "vanilla", "--assume").output)
    assert [run["run"] for run in one["runs"]] == ["vanilla"]
    assert default_speed(load_scale("ci", CONFIG)) == PROCESSOR


PACE = Pace(
    cores=2,
    train={"base": 0.01, "large": 0.02},
    test={"base": 0.002, "large": 0.004},
    video=0.1,
    start=3.0,
    measuring=9,
)


def test_where_it_is_measured_the_time_of_a_seed_and_of_all_is_told(tmp_path, monkeypatch):
    """By hand: seconds of all clips, views, videos and processes over two cores; worlds are made once each."""
    monkeypatch.setattr("multitrain.planning.measure.measure", lambda *_: PACE)
    scale = yaml.safe_load((CONFIG / "scales" / "ci.yaml").read_text())
    scale["world"]["run_seeds"] = 2
    (tmp_path / "ci.yaml").write_text(yaml.safe_dump(scale))
    common = (
        "--scale",
        str(tmp_path / "ci.yaml"),
        "--data",
        str(tmp_path),
        "--published",
        str(PUBLISHED),
        "--seeds",
        "3",
    )
    found = json.loads(call(*common, "--json").output)
    runs, time = found["runs"], found["seconds_of_a_seed"]
    assert time["train"] == pytest.approx(sum(run["clips"] * PACE.train[run["size"]] for run in runs) / 2)
    assert time["test"] == pytest.approx(sum(run["test_clips"] * PACE.test[run["size"]] for run in runs) / 2)
    assert (time["processes"], time["start"]) == (22 + 51, pytest.approx(73 * 3 / 2))
    videos = sum(its["train"] + its["validation"] for its in scale["world"]["videos"].values())
    assert time["world"] == pytest.approx(videos * 0.1 / 2)
    total = 3 * time["seed"] + 2 * time["world"]
    assert call(*common).output.splitlines()[-1] == f"All 3 seeds: {total / 3600:.1f} hours, with 2 worlds."
    assert "seconds_of_a_seed" not in json.loads(call(*common, "--json", "--tflops", "1").output)


@pytest.mark.parametrize(("device", "processes"), [("cpu", len(os.sched_getaffinity(0))), ("meta", 1)])
def test_a_process_measures_on_each_core_and_one_on_an_accelerator(device, processes, monkeypatch):
    asked = []

    def measured(scale, run, seed, device):
        asked.append(device)
        return {"base": 1.0}, {"base": 2.0}, 3.0

    monkeypatch.setattr(pace, "_measure_process", measured)
    monkeypatch.setattr(pace, "ProcessPoolExecutor", lambda *_, **__: ThreadPoolExecutor(1))
    monkeypatch.setattr(pace.subprocess, "run", lambda *_, **__: None)
    scale = load_scale("ci", CONFIG)
    found = pace.measure(scale, load_experiments(CONFIG, scale).runs["multitrain"], torch.device(device))
    assert (found.cores, asked) == (processes, [torch.device(device)] * processes)


def test_the_device_is_that_of_the_option(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(pace, "measure", lambda scale, run, device: asked.append(device) or PACE)
    common = ("--scale", "ci", "--config-dir", str(CONFIG), "--data", str(tmp_path), "--published", str(PUBLISHED))
    for option in (("--device", "meta"), ("--device", "cpu"), ("--assume", "--device", "meta")):
        assert call(*common, *option).exit_code == 0
    assert asked == [torch.device("meta"), torch.device("cpu")]


@pytest.mark.slow
def test_a_machine_is_measured_with_the_products_own_steps():
    scale = load_scale("ci", CONFIG)
    train, test, video = _measure_process(
        scale, load_experiments(CONFIG, scale).runs["multitrain"], 0, torch.device("cpu")
    )
    assert set(train) == set(test) == {"base", "large"}
    assert min(*train.values(), *test.values(), video) > 0 and min(train.values()) > min(test.values())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--scale", "paper", "--measure"], "--measure: scale paper has accelerators or real videos"),
        (["--scale", "huge"], "huge.yaml: no such file"),
        (["--run", "multitran"], "no run 'multitran' in the experiments"),
        (["--tflops", "0"], "--tflops 0: give a number above 0"),
        (["--tflops", "nan"], "--tflops nan: give a number above 0"),
        (["--clips-per-core", "-1"], "--clips-per-core -1: give a number above 0"),
        (["--published", "nowhere", "--scale", "paper"], "datasets.csv: no such file"),
    ],
)
def test_wrong_options_are_one_line(arguments: list[str], message: str, tmp_path):
    answer = call("--data", str(tmp_path), *arguments)
    assert isinstance(answer.exception, UserError)
    assert message in str(answer.exception) and "\n" not in str(answer.exception)


def test_a_dataset_without_any_count_is_named(tmp_path):
    shutil.copytree(CONFIG, tmp_path / "config")
    content = yaml.safe_load((CONFIG / "scales" / "paper.yaml").read_text())
    content["datasets"]["ucf"] = {**content["datasets"]["mit"], "title": "UCF"}
    (tmp_path / "config" / "scales" / "paper.yaml").write_text(yaml.safe_dump(content))
    options = ("--scale", "paper", "--data", str(tmp_path), "--published", str(PUBLISHED))
    answer = call(*options, config=tmp_path / "config")
    assert isinstance(answer.exception, UserError)
    assert "ucf/manifest.parquet: no such manifest" in str(answer.exception)
    assert "has no ucf: prepare it first" in str(answer.exception)


def test_a_batch_that_is_more_than_all_clips_is_an_error(paper):
    scale, experiments = paper
    videos = {name: Counts(100, 10, 10, "manifest") for name in scale.datasets}
    with pytest.raises(UserError, match="run k400_baseline: 100 training clips are fewer than one batch of 512"):
        estimate(scale, experiments, videos, ACCELERATOR)


def test_throughput_and_hours_are_inverse(paper, tmp_path, of_paper):
    scale, experiments = paper
    videos = counts(scale, tmp_path, PUBLISHED)
    fast = {run.run: run for run in estimate(scale, experiments, videos, replace(ACCELERATOR, tflops=15.0))}
    assert fast["multitrain"].train_hours == pytest.approx(of_paper["multitrain"].train_hours / 2)
