"""On one accelerator: the numbers of a processor, speed, memory, resumption. Never run so far: no card was at hand.

`make gpu` runs them and writes what they measure: dev/gpu.py.
"""

import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from multitrain.analysis.cost.flops import cost
from multitrain.analysis.cost.memory import saved
from multitrain.common.records.history import NAME, Step
from multitrain.config.config_files import load_scale
from multitrain.data.loader import train_batches
from multitrain.engine.setup import Job
from multitrain.engine.training_state import Training
from multitrain.model.backbones.build import build_backbone
from multitrain.model.backbones.contract import compile_backbone
from tests.engine.process_group import Case, StepResult, single, together

ROOT = Path(__file__).parents[2]
CARD = torch.device("cuda")
CLIPS = 4, 12  # of the two steps whose memory is compared
SIZES = [("mini", "base"), ("gpu", "large"), ("paper", "base")]
SHARE = 0.15  # of the measured memory that the estimate may be off by: no card has told so far


def near(one: StepResult, other: StepResult, tolerance: float) -> None:
    """Every term, and the gradient as a whole."""
    assert one.terms == pytest.approx(other.terms, rel=tolerance, abs=tolerance)
    ours, theirs = (torch.cat([g.flatten() for g in found.gradients.values()]) for found in (one, other))
    assert (ours - theirs).norm() <= tolerance * theirs.norm()


@pytest.mark.parametrize("case", [Case("multitrain"), Case("parts", parts=2), Case("separate", projection="separate")])
def test_a_step_has_the_terms_and_the_gradient_of_a_processor(case):
    near(together(single(case), device=CARD), together(single(case)), 1e-3)


@pytest.mark.parametrize(("precision", "tolerance"), [("bfloat16", 0.1), ("float16", 0.05)])
def test_half_precision_is_near(precision, tolerance):
    case = single(Case("multitrain"))
    near(together(replace(case, precision=precision), device=CARD), together(case, device=CARD), tolerance)


def test_activations_that_are_computed_again_give_the_same_gradient():
    case = single(Case("again", drop_path=0.5, dropout=0.5))
    near(together(replace(case, checkpointing=True), device=CARD), together(case, device=CARD), 1e-5)


def test_compiled_blocks_have_the_gradient_of_plain_ones(monkeypatch):
    case, plain = single(Case("compiled")), Case.modules

    def compiled(self: Case) -> tuple:
        network, objective = plain(self)
        compile_backbone(network.backbone)
        return network, objective

    expected = together(case, device=CARD)
    monkeypatch.setattr(Case, "modules", compiled)
    near(together(case, device=CARD), expected, 1e-3)


def steps(training: Training, count: int, recorded: bool = True) -> list[Step | None]:
    first, batch = training.done, training.job.recipe.batch
    source = train_batches(training.clips, batch, first, first + count, 0, training.share)
    return [training.step([part], recorded) for part in source]


def fresh(job: Job) -> Job:
    """The joint run from random weights."""
    runs = {**job.experiments.runs, "joint": job.experiments.runs["joint"].model_copy(update={"init": None})}
    return replace(job, experiments=job.experiments.model_copy(update={"runs": runs}))


def test_a_step_without_a_line_of_the_history_waits_for_nothing(job):
    training = Training(fresh(job("joint")), CARD)
    steps(training, 2)
    torch.cuda.set_sync_debug_mode("error")
    try:
        steps(training, 2, recorded=False)
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_a_resumed_training_has_the_bits_of_its_resume_point(job, tmp_path):
    one, other = (Training(fresh(job("joint")), CARD) for _ in range(2))
    steps(one, 2)
    torch.save(one.state(), tmp_path / "state.pt")
    other.restore(torch.load(tmp_path / "state.pt", weights_only=True))
    for name, weight in one.network.state_dict().items():
        assert torch.equal(weight, other.network.state_dict()[name]), name
    for mine, theirs in zip(steps(one, 2), steps(other, 2), strict=True):
        assert mine["total"] == pytest.approx(theirs["total"], rel=1e-4)  # not all kernels add in one order


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="fewer than two accelerators")
def test_two_processes_have_the_history_of_one(job, data, tmp_path):
    histories = []
    for count in (1, 2):
        run = job("k400_baseline", results=tmp_path / str(count))
        command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={count}"]
        command += ["-m", "multitrain.cli", "train", run.name, "--scale", "ci", "--config-dir", str(ROOT / "config")]
        command += ["--data", str(data), "--results", str(run.results), "--device", "cuda"]
        subprocess.run(command, check=True, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, timeout=600)
        histories.append([json.loads(line) for line in (run.folder / NAME).open()])
    for one, two in zip(*histories, strict=True):
        assert one["total"] == pytest.approx(two["total"], rel=1e-3)


@pytest.mark.parametrize("checkpointing", [False, True], ids=["kept", "again"])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize(("name", "size"), SIZES, ids=[name for name, _ in SIZES])
def test_memory_and_pace_against_the_estimate(name, size, precision, checkpointing, figures):
    scale = load_scale(name, ROOT / "config")
    pixels, frames = scale.sizes[size], scale.model.frames
    backbone = build_backbone(scale.model, pixels).to(CARD).train()
    backbone.checkpointing = checkpointing
    peaks, seconds = [], []
    for clips in CLIPS:
        video = torch.randn(clips, 3, frames, pixels, pixels, device=CARD)
        for _ in range(3):  # the last one counts: workspaces and gradients are there
            torch.cuda.reset_peak_memory_stats()
            torch.cuda.synchronize()
            began = time.perf_counter()
            with torch.autocast("cuda", torch.bfloat16, enabled=precision == "bfloat16"):
                z = backbone(video)
            z.float().square().sum().backward()
            torch.cuda.synchronize()
        peaks.append(torch.cuda.max_memory_allocated() - video.nbytes)
        seconds.append(time.perf_counter() - began)
    measured = (peaks[1] - peaks[0]) / (CLIPS[1] - CLIPS[0]) / 2**20
    estimated = saved(scale.model, pixels, precision).of_clip(checkpointing) / 2**20
    operations = 2e-3 * cost(scale, size).gflops * CLIPS[1] * (3 + checkpointing)  # in T
    row = {"scale": name, "size": size, "precision": precision, "checkpointing": checkpointing}
    figures.append({**row, "estimated": estimated, "measured": measured, "tflops": operations / seconds[1]})
    assert measured == pytest.approx(estimated, rel=SHARE)
