"""Training: the same seed gives the same bytes, also after kills; errors name their cause; the golden trace."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from itertools import accumulate, chain, cycle
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from multitrain.common.errors import UserError
from multitrain.common.processor import processor
from multitrain.config import kernels
from multitrain.config.config_files import load_scale
from multitrain.data.loader import train_batches
from multitrain.engine.checkpointing import checkpoint
from multitrain.engine.checkpointing.checkpoint import ResumePoint, load_network, read_state, save_network
from multitrain.engine.optim import make_optimiser, set_lr
from multitrain.engine.reporting.log import Log
from multitrain.engine.train import train
from multitrain.engine.training_state import Training
from multitrain.losses.objective import Objective
from multitrain.model.heads import LinearHead
from multitrain.model.network import Network, Spec, normalise
from tests.engine.stopping import Killed, stopped_at, with_run

CPU = torch.device("cpu")
GOLDEN = Path(__file__).parent / "golden_trace.json"


@pytest.fixture
def baseline(job):
    """A trained K400 baseline in the test's results folder."""
    train(job("k400_baseline"), CPU)
    return job("k400_baseline").folder / "model.pt"


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(job, tmp_path):
    bytes_of = {}
    for where, seed in (("one", 0), ("two", 0), ("three", 1)):
        run = job("k400_baseline", seed=seed, results=tmp_path / where)
        train(run, CPU)
        bytes_of[where] = (run.folder / "model.pt").read_bytes()
    assert bytes_of["one"] == bytes_of["two"] != bytes_of["three"]


def test_a_killed_joint_run_resumes_to_the_same_bytes(job, baseline, tmp_path, monkeypatch):
    whole = job("joint", epochs=2, warmup_epochs=0.5)
    train(whole, CPU)
    expected, trace = (whole.folder / "model.pt").read_bytes(), (whole.folder / "history.jsonl").read_text()
    for every in (0.0, 1e9):  # seconds: a resume point after each step, and none
        shutil.rmtree(whole.folder)
        for step in (2, 5):
            with stopped_at(monkeypatch, step, Killed):
                train(whole, CPU, checkpoint_seconds=every)
            assert not (whole.folder / "model.pt").exists()
        train(whole, CPU)
        assert (whole.folder / "model.pt").read_bytes() == expected
        assert (whole.folder / "history.jsonl").read_text() == trace
        assert not (whole.folder / "resume").exists()


@pytest.mark.slow  # test_preemption.py has the same without the command line
def test_a_process_killed_by_sigkill_resumes_to_the_same_bytes(job, baseline, data, tmp_path):
    """The command line, a real process and a real SIGKILL in the middle."""
    root = Path(__file__).parents[2]
    # A resume point after each step, and in the fourth the process waits for its end.
    waits = "import time, multitrain.engine.training_state as t, multitrain.engine.checkpointing.checkpoint as c\n"
    waits += "s = t.Training.step\n"
    waits += "t.Training.step = lambda self, *its: time.sleep(10_000) if self.done == 3 else s(self, *its)\n"
    waits += "c.ResumePoint.due = lambda self: True\n"
    arguments = ["train", "k400_baseline", "--scale", "ci", "--seed", "5", "--config-dir", str(root / "config")]
    arguments += ["--data", str(data), "--results", str(tmp_path / "killed")]
    code = f"{waits}from multitrain.cli import run\nrun({arguments!r})"
    process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL)
    folder = job("k400_baseline", seed=5, results=tmp_path / "killed").folder
    until = time.monotonic() + 300  # for a process that does not even start
    while not (folder / "resume" / "checkpoint.previous").exists() and time.monotonic() < until:
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not (folder / "model.pt").exists()
    undisturbed = job("k400_baseline", seed=5, results=tmp_path / "undisturbed")
    train(undisturbed, CPU)
    killed = job("k400_baseline", seed=5, results=tmp_path / "killed")
    resumed = Training(killed, CPU)
    state = read_state(ResumePoint(folder / "resume" / "checkpoint.pt", 0).newest(warn=lambda _: None))
    assert 0 < state["done"] < resumed.steps
    train(killed, CPU)
    assert (folder / "model.pt").read_bytes() == (undisturbed.folder / "model.pt").read_bytes()


def test_history_names_every_term_and_sigma_of_every_step(job, baseline):
    run = job("joint")
    train(run, CPU)
    lines = [json.loads(line) for line in (run.folder / "history.jsonl").read_text().splitlines()]
    record = json.loads((run.folder / "run.json").read_text())
    assert [line["step"] for line in lines] == list(range(record["steps"]))
    for line in lines:
        assert set(line["classification"]) == set(line["sigma"]) == {"k400", "mit"}
        terms = [line["variance"], line["covariance"], line["total"], *line["classification"].values()]
        assert np.isfinite(terms).all()
    recipe = run.recipe
    first = lines[0]
    assert first["total"] == pytest.approx(
        sum(first["classification"].values()) / 2
        + recipe.variance_weight * first["variance"]
        + recipe.covariance_weight * first["covariance"],
        rel=1e-5,
    )
    assert lines[-1]["sigma"] != lines[0]["sigma"]
    assert record["processor"] == {**processor(), "kernels": kernels.kernels(run.scale.machine)}
    assert all(record["processor"].values()) and record["threads"] == 1
    assert record["init"] == "k400_baseline" and record["synthetic"] is True and record["scale"] == "ci"


def test_a_joint_run_starts_from_the_backbone_of_its_init(job, baseline):
    initial = Training(job("joint"), CPU).network.state_dict()
    weights = torch.load(baseline, weights_only=True)["weights"]
    shared = [name for name in weights if name.startswith("backbone.")]
    assert shared and all(torch.equal(initial[name], weights[name]) for name in shared)
    assert not torch.equal(
        initial["heads.k400.weight" if "heads.k400.weight" in initial else "heads.k400.fc1.weight"],
        weights["heads.k400.weight" if "heads.k400.weight" in weights else "heads.k400.fc1.weight"],
    )


def test_a_recipe_may_have_linear_heads_where_the_model_has_others(job, tmp_path):
    run = job("k400_baseline", head="linear")
    training = Training(run, CPU)
    assert run.scale.model.head_hidden and isinstance(training.network.heads["k400"], LinearHead)
    save_network(tmp_path / "model.pt", training.network)
    found = load_network(tmp_path / "model.pt")
    assert found.spec.model.head_hidden == 0 and isinstance(found.heads["k400"], LinearHead)


def test_a_divided_gradient_is_what_the_history_and_the_clip_see(job):
    norms, moved = {}, {}
    for divisor in (1, 8):
        run = job("k400_baseline", gradient_divisor=divisor, clip_norm=100, optimiser="sgd", lr=10, weight_decay=0)
        training = Training(run, CPU)
        before = training.network.heads["k400"].fc2.weight.detach().clone()
        batch = next(train_batches(training.clips, run.recipe.batch, 0, 1))
        norms[divisor] = training.step([batch])["gradient_norm"]
        moved[divisor] = (training.network.heads["k400"].fc2.weight.detach() - before).norm().item()
    assert norms[1] < 100 and norms[8] == pytest.approx(norms[1] / 8, rel=1e-5)
    assert moved[8] == pytest.approx(moved[1] / 8, rel=1e-2)  # of weights in float32


def test_a_control_takes_as_many_steps_as_the_joint_run_on_its_own_clips(job, baseline):
    joint, control = Training(job("joint", epochs=3.0), CPU), Training(job("longer", epochs=3.0), CPU)
    assert control.steps == joint.steps > Training(job("mit_baseline", epochs=3.0), CPU).steps
    assert control.warmup == joint.warmup > 0
    assert [len(source) for source in control.clips.sources] == [len(joint.clips.sources[1])]
    train(job("longer"), CPU)
    assert json.loads((job("longer").folder / "run.json").read_text())["steps"] == Training(job("joint"), CPU).steps


def test_an_init_that_is_not_trained_or_damaged_is_named(job):
    with pytest.raises(UserError, match=r"k400_baseline.*model\.pt: no such file"):
        train(job("joint"), CPU)
    path = job("k400_baseline").folder / "model.pt"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"PK\x03\x04 not a checkpoint")
    with pytest.raises(UserError, match=r"model\.pt: damaged"):
        train(job("joint"), CPU)
    assert not (job("joint").folder / "model.pt").exists()


def test_a_resume_point_of_other_settings_is_not_used(job, capsys, monkeypatch, tmp_path):
    with stopped_at(monkeypatch, 3, Killed):
        train(job("k400_baseline"), CPU, checkpoint_seconds=0)
    changed = job("k400_baseline", lr=5e-4)
    train(changed, CPU)
    assert "other settings" in capsys.readouterr().err
    fresh = job("k400_baseline", results=tmp_path / "fresh", lr=5e-4)
    train(fresh, CPU)
    assert (changed.folder / "model.pt").read_bytes() == (fresh.folder / "model.pt").read_bytes()


def test_the_newest_resume_point_is_used_else_the_one_before_else_none(tmp_path):
    point = ResumePoint(tmp_path / "checkpoint.pt", 0)
    point.save(done=1)
    point.save(done=2)
    assert read_state(point.newest(pytest.fail))["done"] == 2
    point.path.unlink()
    assert read_state(point.newest(pytest.fail))["done"] == 1
    assert ResumePoint(tmp_path / "none.pt", 0).newest(pytest.fail) is None


def test_with_both_resume_points_damaged_it_starts_anew_with_a_warning(job, tmp_path, capsys, monkeypatch):
    run = job("k400_baseline")
    with stopped_at(monkeypatch, 3, Killed):
        train(run, CPU, checkpoint_seconds=0)
    for name in ("checkpoint.pt", "checkpoint.previous"):
        (run.folder / "resume" / name).write_bytes(b"cut off")
    train(run, CPU)
    said = capsys.readouterr().err
    assert "checkpoint.pt: damaged" in said and "checkpoint.previous: damaged" in said
    assert "no other one is left: starting anew" in said
    assert "resuming" not in said
    assert [json.loads(line)["step"] for line in (run.folder / "history.jsonl").open()] == [0, 1, 2, 3]


def test_writing_resume_points_takes_at_most_a_twentieth_of_the_time(tmp_path, monkeypatch):
    now, spent, passed = 0.0, 0.0, 2000.0
    monkeypatch.setattr(checkpoint.time, "monotonic", lambda: now)

    def write(path, content):
        nonlocal now, spent
        now, spent = now + 7.0, spent + 7.0

    monkeypatch.setattr(checkpoint, "write_plain", write)
    point = ResumePoint(tmp_path / "checkpoint.pt", 10.0)
    while now < passed:
        now += 1.0
        if point.due():
            point.save(done=1)
    assert 0.03 * passed < spent <= 0.05 * passed


def test_a_full_disk_is_named_and_the_last_resume_point_stays(tmp_path, monkeypatch):
    point = ResumePoint(tmp_path / "checkpoint.pt", 0)
    point.save(done=1)

    def full(path, content):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint, "write_plain", full)
    with pytest.raises(UserError, match=r"checkpoint\.pt: cannot be written \(No space left on device\)"):
        point.save(done=2)
    assert read_state(point.newest(pytest.fail))["done"] == 1


def test_a_loss_that_is_not_finite_stops_with_step_and_clips(job):
    run = job("k400_baseline", lr=1e30, warmup_epochs=0.0, epochs=3)
    with pytest.raises(UserError, match=r"loss is nan at step \d+ on clips \S+"):
        train(run, CPU)
    assert not (run.folder / "model.pt").exists()


def test_a_gradient_that_is_not_finite_changes_no_weight(job):
    training = Training(job("k400_baseline"), torch.device("cpu"))
    batch = next(train_batches(training.clips, training.job.recipe.batch, 0, 1))
    before = {name: weight.clone() for name, weight in training.network.state_dict().items()}
    training.network.backbone.norm.weight.register_hook(lambda gradient: gradient * torch.inf)
    with pytest.raises(UserError, match=r"gradient's norm is (inf|nan) at step 0 on clips \S+"):
        training.step([batch])
    assert all(torch.equal(weight, before[name]) for name, weight in training.network.state_dict().items())


def test_a_class_without_a_training_clip_is_refused(job, data, tmp_path):
    from multitrain.data.manifest import read_manifest, write_manifest

    copy = tmp_path / "data"
    shutil.copytree(data / "ci" / "k400", copy / "ci" / "k400", ignore=shutil.ignore_patterns("raw", "videos"))
    path = copy / "ci" / "k400" / "manifest.parquet"
    manifest = read_manifest(path)
    rows = [row for row in manifest.table.to_pylist() if not (row["label"] == 1 and row["split"] == "train")]
    write_manifest(path, manifest.classes, rows)
    run = job("k400_baseline")
    broken = type(run)(run.scale, run.experiments, run.name, run.seed, copy, run.results)
    with pytest.raises(UserError, match=r"manifest\.parquet: 1 classes have no training clip"):
        train(broken, CPU)


def golden_trace() -> list[dict[str, float]]:
    """Losses of five steps of a fixed network on fixed pixels, through every term."""
    scale = load_scale("ci")
    classes = {"a": tuple("xyz"), "b": tuple("uvwq")}
    torch.manual_seed(7)
    network = Network(Spec(model=scale.model, size=32, classes=classes, projections=True, expander=(16, 12)), 0.05)
    network.backbone.set_drop_path(0.2)
    objective = Objective(("a", "b"), label_smoothing=0.1)
    optimiser = make_optimiser(scale.recipes["joint"], network.train(), objective)
    trace = []
    for step in range(5):
        rng = np.random.default_rng(step)
        video = torch.from_numpy(rng.integers(0, 256, (6, 3, 4, 32, 32), dtype=np.uint8))
        label, dataset = torch.tensor([0, 1, 2, 3, 0, 1]), torch.tensor([0, 0, 0, 1, 1, 1])
        set_lr(optimiser, 1e-2)
        output = network(normalise(video, "clip"))
        terms = objective(output.logits, output.embedding, network.projections.weights(), label, dataset)
        optimiser.zero_grad()
        terms.total.backward()
        optimiser.step()
        named = {"variance": terms.variance, "covariance": terms.covariance, "total": terms.total}
        trace.append({name: value.item() for name, value in (named | terms.classification).items()})
    return trace


def test_waiting_for_clips_and_computing_are_told_apart(job, monkeypatch):
    told, clock = [], accumulate(chain([0], cycle([2, 5])))
    monkeypatch.setattr("multitrain.engine.train.time", SimpleNamespace(monotonic=lambda: next(clock)))
    original = Log.step
    monkeypatch.setattr(Log, "step", lambda self, *about: told.append(about[2:]) or original(self, *about))
    train(job("k400_baseline"), CPU)
    assert len(told) > 2 and set(told) == {(5, 2)}


def test_golden_trace():
    """Written by `python -m tests.engine.test_train`; look at the differences before it is written again."""
    for found, kept in zip(golden_trace(), json.loads(GOLDEN.read_text()), strict=True):
        assert found == pytest.approx(kept, rel=2e-4, abs=1e-6)


def test_a_run_with_set_has_the_recipe_and_the_fingerprint_of_its_values(job):
    changed = {"covariance_weight": 0.0}
    jobs = [
        with_run(job("joint"), init=None),
        with_run(job("joint"), init=None, set=changed),
        with_run(job("joint", **changed), init=None),
    ]
    assert jobs[1].recipe == jobs[2].recipe != jobs[0].recipe
    plain, switched, equal = (Training(each, CPU).fingerprint for each in jobs)
    assert plain != switched == equal


if __name__ == "__main__":
    GOLDEN.write_text(json.dumps(golden_trace(), indent=1) + "\n")
