"""Validation during a training, the best weights on it, and the moving average of weights: off by default, resumed."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
import yaml

from multitrain.common.errors import UserError
from multitrain.common.ranks import top
from multitrain.common.records.predictions import read_predictions
from multitrain.config.config_files import load_experiments, load_scale
from multitrain.data.loader import train_batches
from multitrain.engine.checkpointing.checkpoint import read_weights
from multitrain.engine.checkpointing.resume import check_state
from multitrain.engine.evaluate import Validation, evaluate
from multitrain.engine.train import train
from multitrain.engine.training_state import Training
from multitrain.planning.depends import settings
from multitrain.planning.plan import Plan
from tests.conftest import ROOT
from tests.engine.stopping import stopped_at, with_run

CPU = torch.device("cpu")


def weights(path) -> dict[str, torch.Tensor]:
    return read_weights(path)[1]


def test_a_run_without_them_has_neither_state_nor_file_and_val_changes_no_weight(job, tmp_path):
    plain = job("k400_baseline")
    train(plain, CPU)
    assert "val" not in json.loads((plain.folder / "run.json").read_text())
    assert not (plain.folder / "best.pt").exists()
    assert not {"val", "ema"} & set(Training(plain, CPU).state())
    assert not {"val_every", "ema"} & set(plain.recipe.model_dump())
    scored = job("k400_baseline", results=tmp_path / "scored", val_every=0.5)
    train(scored, CPU)
    for name in ("model.pt", "history.jsonl"):
        assert (scored.folder / name).read_bytes() == (plain.folder / name).read_bytes()


def test_a_killed_run_has_the_scores_and_both_models_of_an_undisturbed_one(job, tmp_path, monkeypatch):
    how = {"val_every": 0.2, "ema": 0.6}
    undisturbed, run = (job("k400_baseline", results=tmp_path / where, **how) for where in ("whole", "stopped"))
    train(undisturbed, CPU)
    with stopped_at(monkeypatch, 2, KeyboardInterrupt, keep=True):
        train(run, CPU)
    train(run, CPU)
    for name in ("model.pt", "best.pt", "history.jsonl"):
        assert (run.folder / name).read_bytes() == (undisturbed.folder / name).read_bytes()
    ours, theirs = (json.loads((each.folder / "run.json").read_text()) for each in (run, undisturbed))
    assert ours["val"] == theirs["val"]
    intervals = ours["recipe"]["batch"] / ours["datasets"]["k400"]["clips"] / 0.2  # a step
    ends = [step for step in range(ours["steps"]) if (step + 1) * intervals // 1 > step * intervals // 1]
    assert [line["step"] for line in ours["val"]] == sorted({*ends, ours["steps"] - 1}) and ends[0] < 2
    evaluate(run, "k400", "val", tmp_path / "val.parquet", CPU)
    found = read_predictions(tmp_path / "val.parquet")
    assert ours["val"][-1]["top1"]["k400"] == np.mean(top(1, found.rank))


def test_the_first_of_the_best_is_kept_and_taken_without_another_training(job, monkeypatch):
    own = job("k400_baseline", val_every=0.01)
    found, seen = iter([0.2, 0.6, 0.6, *[0.1] * 100]), []
    monkeypatch.setattr(Validation, "_top1", lambda self, *_: next(found))
    score = Validation.score

    def scored(self, *about):
        seen.append({name: weight.clone() for name, weight in self.network.state_dict().items()})
        score(self, *about)

    monkeypatch.setattr(Validation, "score", scored)
    train(own, CPU)
    assert len(seen) > 3
    last, best = (weights(own.folder / name) for name in ("model.pt", "best.pt"))
    assert all(torch.equal(best[name], weight) for name, weight in seen[1].items())
    assert all(torch.equal(last[name], weight) for name, weight in seen[-1].items())
    monkeypatch.setattr(Training, "step", None)
    train(with_run(own, checkpoint="best"), CPU)
    assert (own.folder / "model.pt").read_bytes() == (own.folder / "best.pt").read_bytes()
    train(own, CPU)
    assert all(torch.equal(weights(own.folder / "model.pt")[name], weight) for name, weight in last.items())


def test_the_average_is_that_of_its_formula_and_is_what_is_scored_and_saved(job):
    decay = 0.6
    training = Training(job("k400_baseline", ema=decay), CPU)
    source = train_batches(training.clips, training.job.recipe.batch, 0, 3, 0, training.share)
    average: dict[str, torch.Tensor] = {}
    for _ in range(3):
        training.step([next(source)])
        now = {name: weight.detach().clone() for name, weight in training.network.named_parameters()}
        average = {name: decay * average.get(name, now[name]) + (1 - decay) * now[name] for name in now}
    scored = dict(training.scored.named_parameters())
    assert all(torch.allclose(scored[name], average[name], atol=1e-7) for name in average)
    assert any(not torch.equal(scored[name], now[name]) for name in now)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda state: state["val"].update(lines="x"), "val: lines is 'x', no list"),
        (lambda state: state["val"]["lines"].append({"step": 1}), "val: line: epoch is missing"),
        (lambda state: state["val"].update(best={}), "val: best: .* is missing"),
        (lambda state: state["ema"].popitem(), "ema: .* is missing"),
    ],
)
def test_a_damaged_state_is_refused(job, change, said):
    training = Training(job("k400_baseline", val_every=1.0, ema=0.5), CPU)
    training.validation.score(0, 0.0)
    state = {**training.state(), "format": ""}
    check_state(state, training)
    change(state)
    with pytest.raises(ValueError, match=said):
        check_state(state, training)


def test_best_without_val_is_refused_and_is_no_part_of_a_trainings_identity(tmp_path):
    content = yaml.safe_load((ROOT / "config/experiments.yaml").read_text())
    content["runs"]["multitrain"]["checkpoint"] = "best"
    (tmp_path / "experiments.yaml").write_text(yaml.safe_dump(content))
    scale = load_scale("ci", ROOT / "config")
    with pytest.raises(UserError, match=f"^{tmp_path}/experiments.yaml: runs.multitrain.checkpoint: best is of val"):
        load_experiments(tmp_path, scale)
    content["runs"]["multitrain"]["set"] = {"val_every": 1}
    (tmp_path / "experiments.yaml").write_text(yaml.safe_dump(content))
    experiments = load_experiments(tmp_path, scale)
    assert "checkpoint" not in experiments.runs["multitrain"].model_dump()
    plan = Plan.load({"scale": "ci"}, str(ROOT / "config"))
    plan = replace(plan, experiments=experiments)
    told = {run: json.loads(settings(plan, "train", {"run": run, "seed": "0"})) for run in ("multitrain", "vanilla")}
    assert told["multitrain"]["experiments.runs.multitrain.checkpoint"] == "best"
    assert not [key for key in told["vanilla"] if "checkpoint" in key]
