"""Extra loss terms of a run: logged, weighted, resumed, and refused where they are wrong."""

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import yaml

from multitrain.common.errors import UserError
from multitrain.common.records.history import NAME, read_columns, read_history
from multitrain.common.records.run_record import changes
from multitrain.config.config_files import load_experiments
from multitrain.config.recipes import ExtraLoss
from multitrain.config.scale import Project
from multitrain.data.loader import train_batches
from multitrain.engine.setup import Job
from multitrain.engine.train import train
from multitrain.engine.training_state import Training
from multitrain.engine.user_losses import load_terms
from multitrain.model.backbones.declarations import require_function
from multitrain.planning.plan import Plan
from tests.engine.own_losses import CENTRES, CONTRAST, HERE
from tests.engine.stopping import stopped_at, with_run

ROOT = Path(__file__).parents[2]
CPU = torch.device("cpu")
BOTH = (ExtraLoss(function=CONTRAST, weight="learned"), ExtraLoss(function=CENTRES, weight=0.3))
SIZES = {"classes": {"a": 3, "b": 5}, "width": 6, "embedding": 4}


def adding(job: Job, *losses: ExtraLoss) -> Job:
    return with_run(job, extra_losses=losses, init=None)


def test_a_run_without_them_has_neither_state_nor_key_nor_another_fingerprint(job):
    plain, own = Training(adding(job("joint")), CPU), Training(adding(job("joint"), *BOTH), CPU)
    assert set(plain.state()["objective"]) == {"log_sigma"} and plain.fingerprint != own.fingerprint
    assert "extra_losses" not in plain.job.run.model_dump() and "-" not in plain.job.code
    assert own.job.code.startswith(f"{plain.job.code}-")


def test_terms_are_recorded_and_learned_and_a_killed_run_ends_with_the_same_bytes(job, tmp_path, monkeypatch):
    undisturbed, run = (adding(job("joint", results=tmp_path / where), *BOTH) for where in ("whole", "stopped"))
    train(undisturbed, CPU)
    with stopped_at(monkeypatch, 2, KeyboardInterrupt, keep=True):
        train(run, CPU)
    train(run, CPU)
    for name in ("model.pt", NAME):
        assert (run.folder / name).read_bytes() == (undisturbed.folder / name).read_bytes()
    lines = [json.loads(line) for line in (run.folder / NAME).read_text().splitlines()]
    assert all(set(line["extra"]) == {"contrast", "Centres"} for line in lines)
    assert lines[0]["extra_sigma"]["contrast"] != 1 and set(lines[0]["extra_sigma"]) == {"contrast"}
    assert {"extra.contrast", "extra_sigma.contrast"} <= set(read_columns(run.folder / NAME))
    assert len(read_history(run.folder / NAME, ("k400", "mit"))) == len(lines)
    record = json.loads((run.folder / "run.json").read_text())
    assert changes(record["settings"]) == f"learned x {CONTRAST}, 0.3 x {CENTRES}"


def test_the_total_is_the_paper_s_and_each_term_by_its_weight(job):
    plain, own = (Training(adding(job("joint"), *losses), CPU) for losses in ((), BOTH))
    torch.nn.init.constant_(own.objective.extra.log_sigma, 0.5)
    centres = own.objective.extra.stateful["Centres"].centres.detach().clone()
    batch = next(train_batches(plain.clips, plain.job.recipe.batch, 0, 1, 0, plain.share))
    before, after = (each.step([batch]) for each in (plain, own))
    terms = after["extra"]["contrast"] * math.exp(-1) / 2 + 0.5 + 0.3 * after["extra"]["Centres"]
    assert after["total"] - before["total"] == pytest.approx(terms, rel=1e-4)
    assert after["extra_sigma"]["contrast"] != math.exp(0.5)
    assert not torch.equal(own.objective.extra.stateful["Centres"].centres, centres)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("text", "text returns a str: return a scalar tensor, or a tensor"),
        ("wide", r"wide returns torch.float32 \(8, 6\): return a scalar"),
        ("detached", "does not depend on the network's outputs"),
        ("undefined", "is nan: guard the logarithm"),
        ("steep", "has a gradient that is not finite"),
        ("of_second", "of_second on a random batch of 8 clips of a is nan"),
        ("failing", r"own_losses.py, line \d+: AttributeError: .*no attribute 'feature'"),
        (
            "Unmade",
            r"Unmade cannot be made: .*TypeError: .*: give it __init__\(self, classes, width, embedding\)",
        ),
    ],
)
def test_a_wrong_function_is_refused_before_anything_is_trained(name, said):
    with pytest.raises(UserError, match=rf"^runs.mine.extra_losses.1: .*{said}"):
        load_terms((BOTH[0], ExtraLoss(function=f"{HERE}:{name}")), "runs.mine.extra_losses", **SIZES)


@pytest.mark.parametrize("name", ["text", "wide", "detached", "undefined", "failing", "sized"])
def test_the_check_with_made_up_sizes_ignores_errors_of_sizes_alone(name, experiments, scale):
    plan = Plan("config", Project(scale="ci"), scale, experiments, None)
    run = experiments.runs["joint"].model_copy(update={"extra_losses": (ExtraLoss(function=f"{HERE}:{name}"),)})
    plan = replace(plan, experiments=experiments.model_copy(update={"runs": {**experiments.runs, "joint": run}}))
    plan.try_losses(["vanilla"])
    if name == "sized":
        plan.try_losses(["joint"])
        return
    with pytest.raises(UserError, match=r"^config/experiments.yaml: runs.joint.extra_losses.0: "):
        plan.try_losses(["joint"])


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("no_such_module:loss", "no module 'no_such_module' in .* or on PYTHONPATH: start in the folder of its file"),
        (f"{HERE}:contrst", "has no 'contrst': did you mean 'contrast'?"),
        (f"{HERE}:two", r"own_losses.py, line \d+: two\(outputs: BatchOutputs, other: Tensor\) is called with one"),
        (f"{HERE}:none", r"none\(\) is called with one argument"),
    ],
)
def test_a_missing_function_is_refused_without_an_import(name, said):
    with pytest.raises(UserError, match=f"^here: .*{said}"):
        require_function(name, "here")
    require_function(CONTRAST, "here")
    require_function(CENTRES, "here")


def test_the_check_changes_no_weight_buffer_or_random_number():
    torch.manual_seed(3)
    first = load_terms(BOTH, "here", **SIZES)
    after = torch.rand(1)
    torch.manual_seed(3)
    torch.randn_like(first.stateful["Centres"].centres)
    assert torch.equal(torch.rand(1), after) and not first.stateful["Centres"].seen.any()


@pytest.mark.parametrize(
    ("losses", "said"),
    [
        (["contrast"], "runs.multitrain.extra_losses.0.function: 'contrast' is no function: write module:function"),
        ([{"function": "a:b", "weight": "much"}], "runs.multitrain.extra_losses.0.weight"),
        (["a:b", "c:b"], "runs.multitrain.extra_losses: two terms are called 'b'"),
    ],
)
def test_a_wrong_key_is_named_with_its_file_and_place(losses, said, tmp_path):
    content = yaml.safe_load((ROOT / "config/experiments.yaml").read_text())
    content["runs"]["multitrain"]["extra_losses"] = losses
    (tmp_path / "experiments.yaml").write_text(yaml.safe_dump(content))
    with pytest.raises(UserError, match=f"^{tmp_path}/experiments.yaml: {said}"):
        load_experiments(tmp_path)
